"""The token strip: escaped, the same every time, no network, and meaning left when styles and
scripts are gone."""

import base64
import json
import re

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.views.strips import HOSTILE, full_strip, token_table
from tests.views.strips import TEXT as REVIEW
from workbench.errors import ConfigError, DataError
from workbench.html import HIDDEN
from workbench.tokens import pieces
from workbench.views import TokenStrip, described, export, show
from workbench.views.look import BLUE, ORANGE, STRENGTH
from workbench.views.page import STATIC
from workbench.views.strip.live import to_state
from workbench.views.strip.static import STEPS
from workbench.views.strip.text import readable

TEXT = "A red <img src=x onerror=alert(1)> lamp & a tent"


def frame(text=TEXT, scores=(0.1, 3.2, -1.5, 0.0, 0.9, 0.02, 0.1, 0.3), personal=1):
    spans = [match.span() for match in re.finditer(r"\S+", text)]
    scores = (list(scores) * len(spans))[: len(spans)]
    table = pd.DataFrame(spans, columns=["start", "end"]).assign(
        text="t", pir=scores, log_prob_with=-1.0, log_prob_without=-2.0
    )
    table["personal"] = table.index == personal
    return table


def page(**options):
    return TokenStrip(frame(), TEXT, **options)._repr_html_()


def bare(html):
    """What is left when GitHub has taken style attributes away, and then all tags but b, i, u."""
    return re.sub(r"<(?!/?(b|i|u)>)[^>]*>", "", re.sub(r' style="[^"]*"', "", html))


def test_untrusted_text_stays_text():
    html = page(title="<script>alert(2)</script>", provenance="<b>x")
    assert "<img" not in html and "<script" not in html and "&lt;img" in html
    assert "http" not in html and "src=" not in re.sub(r"&lt;.*?&gt;|src=x", "", html)


def test_same_content_same_page_and_id():
    assert page() == page() and page() != page(title="other")
    assert re.search(r'id="strip-[0-9a-f]{10}"', page())


def test_meaning_survives_without_styles():
    left = bare(page(truth="personal", scale=2.0))
    assert "<b><u>red</u></b>+3.2▲" in left  # planted, likelier, beyond the colour range
    assert "<i>&lt;img</i>−1.5" in left  # less likely
    assert "<b>onerror=alert(1)&gt;</b>+0.9" in left
    assert "<u>line</u>: planted as personal" in left and "strongest" in left


def test_static_and_live_form_have_the_same_colours():
    sheet = (STATIC / "base.css").read_text(encoding="utf-8")
    for name, colour in (("orange", ORANGE), ("azure", BLUE)):
        red, green, blue = colour.split(",")
        assert f"--{name}: rgb({red} {green} {blue} / {STRENGTH:.2f});".replace("0.", ".") in sheet
    # and as many steps
    assert f"BINS = {STEPS};" in (STATIC / "strip_values.js").read_text(encoding="utf-8")


def test_text_is_kept_whole():
    html = page()
    paragraph = re.search(r"<p dir=.*?</p>", html, re.S)[0]
    said = re.sub(r"<sub.*?</sub>|<[^>]*>", "", paragraph)
    assert said == TEXT.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@given(st.text(min_size=1, max_size=60).filter(str.strip))
def test_any_text_draws(text):
    html = TokenStrip(frame(text), text)._repr_html_()
    assert html.count("<span") == html.count("</span>") == len(frame(text))


def test_zero_width_and_white_space_tokens_are_seen():
    table = pd.DataFrame({"text": "t", "start": [0, 1, 2, 3], "end": [1, 2, 3, 4], "pir": 0.0})
    html = TokenStrip(table, "a \n\u200b")._repr_html_()
    assert "␠" in html and "↵" in html and "∅" in html


def test_long_texts_are_cut_and_say_so():
    text = "word " * 50
    html = TokenStrip(frame(text), text, limit=20)._repr_html_()
    assert html.count("<span") == 20 and "30 more tokens not drawn" in html


def test_repr_and_refusals():
    assert repr(TokenStrip(frame(), TEXT)) == "TokenStrip(9 tokens, 3 with |pir| ≥ 0.8)"
    with pytest.raises(DataError, match="more than one text"):
        TokenStrip(pd.concat([frame(), frame().assign(text="u")]), TEXT)
    with pytest.raises(DataError, match="kl"):
        TokenStrip(frame(), TEXT, score="kl")


@pytest.mark.parametrize(
    "wrong",
    [
        {"tokens": None},
        {"response": 3},
        {"score": "kind"},
        {"truth": "kind"},
        {"threshold": float("nan")},
        {"threshold": "high"},
        {"scale": -1.0},
        {"against": [1]},
    ],
    ids=str,
)
def test_a_strip_of_something_else_is_refused_before_it_is_drawn(wrong):
    known = {"tokens": token_table(REVIEW), "response": REVIEW} | wrong
    (name,) = wrong
    named = {"score": "tokens", "truth": "tokens"}.get(name, name)
    with pytest.raises((ConfigError, DataError), match=named):
        TokenStrip(**known)


def test_a_film_without_a_score_and_weights_without_both_sides_are_refused():
    film = pd.DataFrame({"text": ["t"], "step": [0], "position": [0]})
    with pytest.raises(DataError, match="step, position"):
        TokenStrip(token_table(REVIEW), REVIEW, film=film)._repr_html_()
    with pytest.raises(DataError, match=r"missing columns \['log_prob_with'"):
        TokenStrip(token_table(REVIEW).drop(columns="log_prob_with"), REVIEW).lens()


def test_a_table_that_no_export_wrote_is_not_replaced(tmp_path):
    mine = tmp_path / "mine.csv"
    mine.write_text("years of work")
    with pytest.raises(ConfigError, match="no export wrote it"):
        export(full_strip(), mine)
    assert mine.read_text() == "years of work"
    # its own is written over
    own = export(full_strip(), tmp_path / "own.csv")
    assert export(full_strip(level="sentence"), own).read_text().count("\n") == 5


def test_every_part_is_told_without_styles():
    left = bare(full_strip()._repr_html_())
    for said in (
        "against the planted truth",
        "PerCE weights (m 0.8, M 5)",
        "largest differences, own minus other",
    ):
        assert said in left
    assert (
        "word × memory" in left and "adds up (largest gap 0.0000)" in left and "likes red" in left
    )
    assert (
        "over training" in left
        and "step 300" in left
        and "model: tiny 0a1b · persona: persona-1" in left
    )


def test_hostile_text_is_inert_and_nothing_in_it_hides():
    html = full_strip(HOSTILE, title=HOSTILE, items=(HOSTILE, "b"))._repr_html_()
    assert not re.search(r"<(script|img|style|textarea)", html) and not HIDDEN.search(html)
    for said in (
        "⟨RLO⟩gnp.exe",
        "a∅b",
        "⟨+5 accents⟩",
        "👨\u200d👩\u200d👧",
        "שלום",
        "␇",
        "\ufffd",
    ):
        assert said in html
    html.encode("utf-8")


@given(st.text(st.characters(codec=None), max_size=40))
def test_signs_keep_every_place(text):
    shown, at = readable(text)
    assert not HIDDEN.search(shown) and len(at) == len(text) + 1
    assert (np.diff(at) >= 0).all() and at[-1] == len(shown)
    for place, sign in enumerate(text):
        if not HIDDEN.search(text[max(0, place - 6) : place + 6]):
            assert shown[at[place] : at[place + 1]] == sign


def test_the_picture_shows_what_the_table_says():
    strip = full_strip()
    table, pairs = strip.tokens, pd.DataFrame({"text": ["t"], "response": [REVIEW]})
    for level, said in (("word", REVIEW.split()), ("sentence", re.split(r"(?<=[.!])\s", REVIEW))):
        frame, added = strip.to_frame(level), pieces(table, pairs, level)
        assert frame["piece"].tolist() == added["piece"].tolist() == said
        assert np.allclose(frame["pir"], added["pir"])
        assert frame["n_tokens"].tolist() == added["n_tokens"].tolist()
        assert frame["n_tokens"].sum() == len(table) and np.isclose(
            frame["pir"].sum(), table["pir"].sum()
        )
        for place, row in enumerate(frame.itertuples()):
            inside = strip.pieces[level].group == place
            assert row.personal == table["personal"][inside].any()


def test_tokens_of_one_character_are_one_piece():
    table = pd.DataFrame(
        {
            "text": "t",
            "start": [0, 1, 1, 1, 2],
            "end": [1, 2, 2, 2, 3],
            "pir": [1.0, 0.5, 0.25, 0.25, 2.0],
        }
    )
    strip = TokenStrip(table, "a😀b")
    assert strip.values("pir").tolist() == [1.0, 1.0, 2.0]
    assert strip._repr_html_().count("😀") == 2  # in the text and in the table of the strongest


def test_the_lens_is_what_a_loop_counts():
    strip, (m, M) = full_strip(), (0.5, 2.0)
    weights = [min(max(value, m), M) for value in strip.tokens["pir"]]
    losses = [-value for value in strip.tokens["log_prob_with"]]
    up = [value > m for value in strip.tokens["pir"]]
    seen = strip.lens(m, M)
    assert seen["share"] == pytest.approx(sum(up) / len(up)) and seen["mean"] == pytest.approx(
        sum(weights) / len(up)
    )
    on = sum(w * loss for w, loss, high in zip(weights, losses, up, strict=True) if high)
    assert seen["loss"] == pytest.approx(
        on / sum(w * loss for w, loss in zip(weights, losses, strict=True))
    )
    assert seen["plain"] == pytest.approx(
        sum(loss for loss, high in zip(losses, up, strict=True) if high) / sum(losses)
    )


def test_a_map_that_does_not_add_up_says_so():
    strip = full_strip()
    memory = strip.memory.assign(value=strip.memory["value"] * 0.5)
    assert "does not add up" in full_strip(memory=memory)._repr_html_()
    memory["whole"] = memory.groupby("position")["value"].transform("sum")
    assert "adds up (largest gap 0.0000)" in full_strip(memory=memory)._repr_html_()


def test_the_page_gets_the_same_numbers_in_its_own_units():
    strip = full_strip("😀 a lamp. \u202eB😀c")
    state = to_state(strip)
    units = state["text"].encode("utf-16-le")
    for level in state["levels"]:
        start, end, group = (
            np.frombuffer(base64.b64decode(level[name]), "<i4")
            for name in ("start", "end", "group")
        )
        said = [units[2 * a : 2 * b].decode("utf-16-le") for a, b in zip(start, end, strict=True)]
        assert [readable(piece)[0] for piece in strip.to_frame(level["name"])["piece"]] == said
        assert len(group) == len(strip.tokens)
    pir = np.frombuffer(base64.b64decode(state["scores"][0]["values"]), "<f4")
    assert np.allclose(pir, strip.tokens["pir"]) and [one["name"] for one in state["scores"]] == [
        "pir",
        "entropy",
    ]
    json.dumps(state, allow_nan=False)
    assert state["id"] == to_state(strip)["id"] != to_state(full_strip())["id"]


def test_marks_come_back_and_are_scored():
    strip = full_strip()
    widget = show(strip).widget()
    frame = strip.to_frame("word")
    personal = frame["pir"].to_numpy() > 0.5
    first = [int(np.flatnonzero(strip.tokens["end"] > row.start)[0]) for row in frame.itertuples()]
    widget.marked = [[token, 1] for token, mine in zip(first, personal, strict=True) if mine]
    assert (
        list(widget.marks) == ["text", "token", "start", "end", "piece", "personal"]
        and widget.marks["personal"].all()
    )
    wanted = np.mean(
        [
            [(a > b) + 0.5 * (a == b) for b in frame["entropy"][~personal]]
            for a in frame["entropy"][personal]
        ]
    )
    scores = widget.scores.set_index("score")
    assert scores.loc["pir", "auc"] == 1 and scores.loc["entropy", "auc"] == pytest.approx(wanted)
    assert (
        scores.loc["pir", "words"] == len(frame) and scores.loc["pir", "personal"] == personal.sum()
    )
    assert widget.answer[0] == {
        "score": "pir",
        "auc": 1.0,
        "words": len(frame),
        "personal": int(personal.sum()),
    }
    widget.marked = [[first[0], 1], [first[1], 0]]  # an explicit no: only what is marked counts
    assert widget.scores["words"].tolist() == [2, 2]
    widget.marked = []
    assert widget.answer == [] and widget.marks.empty


def test_a_reader_may_bring_another_measure():
    widget = show(full_strip()).widget()
    widget.rescore = lambda strip, marks: pd.DataFrame(
        {"n": [len(marks)], "nothing": [float("nan")]}
    )
    widget.marked = [[0, 1]]
    assert widget.answer == [{"n": 1, "nothing": None}]
    widget.rescore = lambda strip, marks: marks["no such column"]
    widget.marked = [[1, 1]]
    assert widget.answer == [{"error": "KeyError: 'no such column'"}]


def test_hostile_text_can_be_marked_and_written(tmp_path):
    strip = full_strip(HOSTILE, title=HOSTILE, items=(HOSTILE, "b"), names=(HOSTILE, "b"))
    widget = show(strip).widget()
    widget.marked = [[token, 1] for token in range(0, len(strip.tokens), 2)]
    assert [row["score"] for row in widget.answer] == ["pir", "entropy"] and len(widget.marks) > 10
    for suffix in ("csv", "html"):
        assert "gnp.exe" in export(strip, tmp_path / f"strip.{suffix}").read_text(encoding="utf-8")


def test_the_live_form_brings_the_static_one():
    strip = full_strip()
    view = show(strip, source="data: generated")
    bundle = view._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle and bundle["text/plain"].startswith(
        "TokenStrip("
    )
    assert strip._repr_html_() in bundle["text/html"] and view.static.endswith(
        "generated</small></p>"
    )
    own = show(strip).widget()._repr_mimebundle_()[0]
    assert (
        own["text/html"] == strip._repr_html_()
        and "application/vnd.jupyter.widget-view+json" in own
    )


def test_files_are_whole_the_same_twice_and_carry_where_they_come_from(tmp_path):
    strip = full_strip("=1+1 is two. " + REVIEW)
    table = pd.read_csv(export(strip, tmp_path / "a.csv"))
    assert table["piece"][0] == "'=1+1" and set(table["provenance"]) == {strip.source}
    assert np.allclose(table["pir"], strip.to_frame("word")["pir"])
    html = export(strip, tmp_path / "a.html").read_text(encoding="utf-8")
    assert html == export(strip, tmp_path / "b.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in html and "persona-1" in html
    assert set(re.findall(r"https?://[^\"'\s]+", html)) == {
        "http://www.w3.org/2000/svg"
    }  # a name of XML, never asked for
    with pytest.raises(ConfigError, match="press PNG"):
        export(strip, tmp_path / "a.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.html", "b.html"]


def test_what_does_not_fit_is_refused():
    strip = full_strip()
    with pytest.raises(DataError, match="other tokens"):
        full_strip(against=strip.against.assign(start=0))
    with pytest.raises(DataError, match="offsets"):
        TokenStrip(token_table(REVIEW), REVIEW[:10])
    with pytest.raises(DataError, match="each pair once"):
        _ = full_strip(memory=pd.concat([strip.memory, strip.memory])).memory_grid
    with pytest.raises(ConfigError, match="level"):
        full_strip(level="paragraph")
    with pytest.raises(ConfigError, match="clip"):
        full_strip(clip=(2, 1))


def test_scores_that_are_no_numbers_are_drawn_without_a_colour():
    strip = full_strip(memory=None, film=None, against=None)
    strip.tokens.loc[3:6, "pir"] = [float("nan"), float("inf"), float("-inf"), float("nan")]
    assert "nan" in strip._repr_html_() and np.isfinite(strip.colour_range)
    to_state(strip)


def test_provenance_names_model_persona_and_intervention():
    one, two = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    said = described(one, ["likes red"], "mask", seeds=(1, 2))
    assert (
        said["intervention"] == "mask"
        and said["seeds"] == (1, 2)
        and said["model"].startswith("Linear weights-")
    )
    assert said["model"] == described(one)["model"] != described(two)["model"]
    assert said["persona"] != described(one, ["likes blue"])["persona"]
