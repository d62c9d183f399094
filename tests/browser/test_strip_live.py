"""The live strip in a real browser: hover, pin, keys, every tab against Python's numbers, files,
hostile text."""

from __future__ import annotations

import io
import json
import re
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.views.strips import HOSTILE, full_strip
from workbench.statistics import auc
from workbench.views import TokenStrip, export
from workbench.views.strip.live import score_marks

ROOT = Path(__file__).resolve().parents[2]
IN_LAB = f"""import sys; sys.path.insert(0, {str(ROOT)!r})
from tests.views.strips import HOSTILE, full_strip
from workbench.views import show
live = show(full_strip(HOSTILE, title=HOSTILE)).widget(); live"""


@pytest.fixture
def opened(quiet, tmp_path):
    """`opened(strip)` writes the strip's file and shows it."""

    def open_file(strip):
        quiet.goto(export(strip, tmp_path / "strip.html").as_uri())
        quiet.locator(".wbt-w").first.wait_for()
        return quiet

    yield open_file
    assert quiet.console == [] and all(url.startswith(("file:", "blob:")) for url in quiet.requests)


def number(text):
    """A number as the page writes it."""
    return float(text.replace("−", "-").strip("▲▼ "))


def tab(page, name):
    page.locator(f"[data-tab={name}]").click()


def slide(page, key, value):
    page.locator(f"input[data-key={key}]").evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }",
        value,
    )


def labels(page, pane=0):
    return (
        page.locator(".wbt-text")
        .nth(pane)
        .locator(".wbt-w")
        .evaluate_all("all => all.map(e => e.ariaLabel)")
    )


def shown(page, pane=0):
    """The value of each piece, from what a screen reader is told."""
    return [
        number(re.search(r", [^,]*? ([+−]?[\d.]+)(?:,|$)", label)[1])
        for label in labels(page, pane)
    ]


def test_pieces_values_and_levels_are_those_of_python(opened):
    strip = full_strip()
    page = opened(strip)
    for level in ("word", "token", "sentence"):
        page.get_by_label("Level").select_option(level)
        assert shown(page) == pytest.approx(strip.values("pir", level=level).tolist(), abs=0.006)
        planted = ["planted as personal" in label for label in labels(page)]
        assert planted == strip.planted(level).tolist()
    page.get_by_label("Level").select_option("word")
    values, width = strip.values("pir"), strip.colour_range
    classes = page.locator(".wbt-w").evaluate_all("all => all.map(e => e.className)")
    for value, kind, label in zip(values, classes, labels(page), strict=True):
        steps = min(9, round(abs(value) / width * 9))
        assert (f"{'p' if value > 0 else 'n'} k{steps}" in kind) == (steps > 0)
        assert ("beyond the colours" in label) == (abs(value) > width)
    assert number(page.locator(".wbt-end").last.inner_text()) == pytest.approx(width, abs=0.006)
    assert page.locator(".wbt-clip").all_inner_texts()[0].startswith("m")
    # never negative: one colour after another, not two
    page.get_by_label("Score").select_option("entropy")
    assert page.locator(".wbt-w.s").count() and not page.locator(".wbt-w.p, .wbt-w.n").count()
    page.get_by_label("Show as").select_option("underline")
    bare = page.locator(".wbt-w.k9").first.evaluate(
        "e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).borderBottomWidth]"
    )
    assert bare[0] == "rgba(0, 0, 0, 0)" and float(bare[1].removesuffix("px")) >= 3
    page.get_by_label("Range").fill("100")
    page.get_by_label("Range").blur()
    assert not page.locator(".wbt-w.k9").count()


def test_a_text_of_one_s_own_without_truth_or_persona_says_no_null(opened):
    strip = full_strip()
    tokens = strip.tokens[["start", "end", "pir"]]
    page = opened(TokenStrip(tokens.assign(text="t"), strip.response))
    for look in ("colour", "grey", "underline"):
        page.get_by_label("Show as").select_option(look)
        said = page.locator("body").inner_text()
        assert not re.search(r"\b(null|undefined|NaN|false)\b", said), said


def test_the_page_cuts_a_text_as_the_table_does(opened):
    cases = json.loads((ROOT / "tests" / "tokens" / "cuts.json").read_text(encoding="utf-8"))
    for case in cases:
        end = np.cumsum([len(part) for part in case["tokens"]])
        start = end - [len(part) for part in case["tokens"]]
        pir = np.arange(1.0, len(end) + 1)
        tokens = pd.DataFrame({"text": "t", "start": start, "end": end, "pir": pir})
        page = opened(TokenStrip(tokens, case["response"], scale=100))
        page.get_by_label("numbers").uncheck()
        for level in ("word", "sentence"):
            page.get_by_label("Level").select_option(level)
            said = page.locator(".wbt-text .wbt-w").all_text_contents()
            assert [[text, value] for text, value in zip(said, shown(page), strict=True)] == [
                [piece, value] for piece, value in case[level]
            ], case["why"]


def test_a_block_begins_with_a_sentence(opened):
    strip = full_strip("«Une belle lampe rouge et une tente.» " * 200, level="word")
    page = opened(strip)
    blocks = page.locator(".wbt-text").first.locator(".wbt-block")
    assert blocks.count() > 2
    starts = []
    for block in blocks.all():
        block.scroll_into_view_if_needed()
        starts.append(int(block.locator(".wbt-w").first.get_attribute("data-p")))
    said = strip.to_frame("word")["piece"]
    assert all(said[place] == "«Une" for place in starts)


def test_hover_pin_and_keyboard(opened):
    strip = full_strip()
    page = opened(strip)
    pieces, values = strip.to_frame("word")["piece"].tolist(), strip.values("pir")
    page.locator(".wbt-w").nth(2).hover()
    assert page.locator(".wbt-tip b").inner_text() == f"{values[2]:+.3f}".replace("-", "−")
    page.locator(".wbt-w").nth(2).click()
    detail = page.locator(".wbt-detail")
    assert detail.locator("h3").inner_text() == pieces[2]
    given, bare = (
        np.exp(strip.values("log_prob_with")[2]),
        np.exp(strip.values("log_prob_without")[2]),
    )
    assert (
        f"{given:.0%}".rstrip("%") in detail.inner_text()
        and "likel" in detail.inner_text()
        and bare > 0
    )
    told = detail.locator(".wbt-bars li").all_inner_texts()
    wanted = strip.pieces["word"].add_up(strip.memory_grid[1][0])[2]
    assert any(
        "likes red" in line and number(line.split()[0]) == pytest.approx(wanted, abs=0.006)
        for line in told
    )

    text = page.locator(".wbt-text")
    text.focus()
    for key, place in (
        ("Home", 0),
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("ArrowLeft", 1),
        ("End", -1),
    ):
        page.keyboard.press(key)
        assert page.locator(".wbt-here").get_attribute("data-p") == str(range(len(pieces))[place])
        assert text.get_attribute("aria-activedescendant") == page.locator(
            ".wbt-here"
        ).get_attribute("id")
    page.keyboard.press("Enter")
    assert detail.locator("h3").inner_text() == pieces[-1]
    assert page.locator("[aria-selected=true].wbt-w").count() == 1
    page.keyboard.press("Escape")
    assert detail.locator("h3").inner_text() == "Pin a word"
    page.keyboard.press("Home")
    page.keyboard.press("PageDown")
    strong = np.flatnonzero(np.abs(values) >= 0.8)
    assert int(page.locator(".wbt-here").get_attribute("data-p")) == strong[strong > 0][0]
    page.keyboard.press("ArrowDown")
    lower = page.locator(".wbt-here").bounding_box()["y"]
    page.keyboard.press("ArrowUp")
    assert page.locator(".wbt-here").bounding_box()["y"] < lower


def test_every_tab_counts_as_python_does(opened):
    strip = full_strip()
    page = opened(strip)
    line = page.locator(".wbt-tool .wbt-line").first

    tab(page, "compare")
    one, other = strip.values("pir"), strip.values("pir", strip.against)
    for pane, values in enumerate((one, other, one - other)):
        assert shown(page, pane) == pytest.approx(values.tolist(), abs=0.011)
    page.locator(".wbt-text").nth(1).locator(".wbt-w").nth(4).hover()
    assert (
        page.locator(".wbt-lit").count() == 2
        and page.locator(".wbt-tip b").inner_text().count("·") == 2
    )

    tab(page, "memory")
    assert "✓ adds up" in line.inner_text()
    grid = [strip.pieces["word"].add_up(row) for row in strip.memory_grid[1]]
    for row in page.locator(".wbt-map tbody tr").all():
        piece = int(row.get_attribute("data-p"))
        cells = [number(cell) for cell in row.locator("td").all_inner_texts()]
        assert cells == pytest.approx(
            [grid[0][piece], grid[1][piece], one[piece], one[piece], 0], abs=0.006
        )
    page.locator(".wbt-map button").nth(1).click()
    assert shown(page) == pytest.approx(grid[1].tolist(), abs=0.006)
    assert page.locator(".wbt-name").inner_text() == "memory 1: works at night"
    page.locator(".wbt-map button").nth(1).click()
    page.locator(".wbt-map tbody tr").nth(3).click()
    assert (
        page.locator(".wbt-detail h3").inner_text()
        == page.locator(".wbt-map tbody th").nth(3).inner_text()
    )

    tab(page, "clip")
    slide(page, "m", 0.3)
    slide(page, "M", 2)
    seen = strip.lens(0.3, 2.0)
    counted = [float(found) for found in re.findall(r"[\d.]+(?= %)", line.inner_text())]
    assert counted == pytest.approx(
        [100 * seen[name] for name in ("share", "capped", "loss", "plain")], abs=0.51
    )
    assert f"Mean weight {seen['mean']:.2f}" in line.inner_text()
    assert page.locator(".wbt-w.s").count() > 0

    tab(page, "truth")
    slide(page, "threshold", 0.4)
    cut = float(page.locator("input[data-key=threshold]").input_value())
    truth, high = strip.planted("word"), one >= cut
    found, false, missed = (truth & high).sum(), (~truth & high).sum(), (truth & ~high).sum()
    assert line.inner_text().startswith(
        f"✓ {found} found, ✗ {false} false high, ○ {missed} missed. "
    )
    assert f"recall {found / truth.sum():.2f}; AUC {auc(one, truth):.2f}" in line.inner_text()
    for kind, count in (("found", found), ("false", false), ("missed", missed)):
        assert page.locator(f".wbt-{kind}").count() == count

    tab(page, "film")
    slide(page, "step", 2)
    assert shown(page) == pytest.approx((one * 2 / 3).tolist(), abs=0.006)
    assert "Step 200" in line.inner_text()
    page.locator("[data-key=play]").click()
    page.wait_for_function(
        "() => document.querySelector('.wbt-tool .wbt-line').textContent.startsWith('Step 300')"
    )


def test_marks_are_measured_in_the_file_as_in_python(opened):
    strip = full_strip()
    page = opened(strip)
    tab(page, "marks")
    for place in (1, 4, 7):
        page.locator(".wbt-w").nth(place).click()
    assert page.locator(".wbt-mine").count() == 3
    first = [np.flatnonzero(strip.pieces["word"].group == place) for place in (1, 4, 7)]
    marks = pd.DataFrame({"token": np.concatenate(first), "personal": True})
    rows = page.locator(".wbt-answer tbody tr").all_inner_texts()
    for row, wanted in zip(rows, score_marks(strip, marks).itertuples(), strict=True):
        name, value, words, personal = row.split()
        assert (name, int(words), int(personal)) == (wanted.score, wanted.words, wanted.personal)
        assert float(value) == pytest.approx(wanted.auc, abs=0.006)
    page.locator(".wbt-w").nth(1).click()  # personal, not personal, no mark
    assert (
        page.locator(".wbt-notmine").count() == 1
        and "Only marked words" in page.locator(".wbt-line").inner_text()
    )
    page.locator(".wbt-text").focus()
    page.keyboard.press("u")
    assert page.locator(".wbt-notmine").count() == 0


@pytest.mark.parametrize("page", ["dark"], indirect=True)
def test_a_picture_and_a_table_are_saved_without_a_server(opened):
    strip = full_strip("=1+1 is two. A red lamp, as I never sleep.")
    page = opened(strip)
    with page.expect_download() as got:
        page.locator("[data-key=save-png]").click()
    data = Path(got.value.path()).read_bytes()
    width, height = struct.unpack(">II", data[16:24])
    assert (
        data[:8] == b"\x89PNG\r\n\x1a\n"
        and width == 3000
        and 300 < height < 3000
        and len(data) > 20_000
    )
    with page.expect_download() as got:
        page.locator("[data-key=save-csv]").click()
    table = pd.read_csv(io.StringIO(Path(got.value.path()).read_text(encoding="utf-8")))
    frame = strip.to_frame("word")
    assert table["piece"][0] == "'=1+1" and (table["piece"][1:] == frame["piece"][1:]).all()
    for name in ("start", "end", "pir", "log_prob_with"):
        assert np.allclose(table[name], frame[name], atol=1e-5)
    assert (
        set(table["provenance"]) == {strip.source}
        and (table["personal"] == frame["personal"]).all()
    )


def test_paper_is_grey_and_holds_everything(opened):
    page = opened(full_strip(" ".join(["A red lamp and a tent."] * 300)))
    drawn = page.locator(".wbt-w").count()
    page.emulate_media(media="print")
    page.evaluate("() => window.dispatchEvent(new Event('beforeprint'))")
    assert drawn < page.locator(".wbt-w").count() == 1800
    colour = page.locator(".wbt-w.p").first.evaluate("e => getComputedStyle(e).backgroundColor")
    red, green, blue = re.findall(r"[\d.]+", colour.removeprefix("color(srgb"))[:3]
    assert red == green == blue
    assert not page.locator(".wbt-controls").is_visible()


def test_twenty_thousand_tokens_are_drawn_where_one_looks(opened):
    strip = full_strip(
        "".join(f"word{i} " + (".\n" if i % 40 == 39 else "") for i in range(7000)),
        cut=3,
        threshold=6,
    )
    assert len(strip.tokens) >= 20_000
    page = opened(strip)
    page.get_by_label("Level").select_option("token")
    assert 100 < page.locator(".wbt-w").count() < 3000
    page.locator(".wbt-text").focus()
    page.keyboard.press("End")
    last = page.locator(".wbt-here")
    assert last.get_attribute("data-p") == str(len(strip.pieces["token"].start) - 1)
    assert page.locator(".wbt-text").evaluate("e => e.scrollTop") > 10_000
    box = page.locator(".wbt-mini").bounding_box()
    page.mouse.click(box["x"] + 5, box["y"] + box["height"] / 2)
    page.wait_for_function(
        "() => Math.abs(Number(document.querySelector('.wbt-here').dataset.p) - 10000) < 1000"
    )
    page.get_by_label("fold quiet").check()
    page.locator(".wbt-fold").first.wait_for()
    assert page.locator(".wbt-w").count() < 4000


def test_hostile_text_is_text_in_a_file(opened):
    page = opened(
        full_strip(HOSTILE, title=HOSTILE, items=(HOSTILE, "b"), names=(HOSTILE, "other"))
    )
    for name in ("compare", "memory", "clip", "truth", "marks", "film", "read"):
        tab(page, name)
        page.locator(".wbt-w").first.click()
    page.get_by_label("numbers").uncheck()
    said = page.locator(".wbt-text").inner_text()
    for piece in (
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(2)>",
        "&amp;",
        "⟨RLO⟩gnp.exe",
        "a∅b",
        "שלום",
    ):
        assert piece in said
    assert page.locator("main img, main script, main style, main textarea").count() == 0
    # 5,000 letters without a space
    assert page.locator(".wbt-text").evaluate("e => e.scrollWidth <= e.clientWidth")
    with page.expect_download():
        page.locator("[data-key=save-png]").click()


def test_in_jupyterlab_marks_reach_python_and_hostile_text_stays_text(lab, quiet, run_all):
    path = lab.add("notebooks/strip.ipynb", IN_LAB)
    run_all(quiet, path)
    strip = quiet.locator(".wbt").first
    strip.locator(".wbt-w").first.wait_for()
    strip.get_by_label("numbers").uncheck()
    assert "<script>alert(1)</script>" in strip.locator(".wbt-text").inner_text()
    assert quiet.locator(".jp-OutputArea img, .jp-OutputArea script").count() == 0
    strip.locator("[data-tab=marks]").click()
    for place in (0, 3):
        strip.locator(".wbt-w").nth(place).click()
    strip.locator(".wbt-answer tbody tr").first.wait_for()  # the table is Python's answer
    assert strip.locator(".wbt-answer tbody tr").count() == 2
    paper = "() => getComputedStyle(document.querySelector('.wbt')).backgroundColor"
    light = quiet.evaluate(paper)
    quiet.evaluate(
        "() => window.jupyterapp.commands.execute('apputils:change-theme', { "
        "theme: 'JupyterLab Dark' })"
    )
    quiet.wait_for_function("() => document.body.dataset.jpThemeLight === 'false'")
    assert quiet.evaluate(paper) != light
    with quiet.expect_download() as got:
        strip.locator("[data-key=save-html]").click()
    assert "default-src 'none'" in Path(got.value.path()).read_text(encoding="utf-8")


def test_claims_and_the_words_that_stand_in_none(opened):
    strip = full_strip()
    own = [
        ("a",) if place % 5 == 0 else ("b", "a") if place % 7 == 0 else ()
        for place in range(len(strip.tokens))
    ]
    claims = {"a": "You bought <b>it</b>.", "b": "It costs 9.00."}
    strip = replace(strip, tokens=strip.tokens.assign(claims=own), claims=claims, level="word")
    page = opened(strip)
    tab(page, "claims")
    held = [strip.pieces["word"].add_up(row) > 0 for row in strip.claimed]
    bare = (strip.values("pir") >= strip.threshold) & ~held[0] & ~held[1]
    line = page.locator("p.wbt-line", has_text="stands in a claim").first.inner_text()
    assert f"✗ {bare.sum()} words of" in line
    told = page.locator("ol.wbt-line li").all_inner_texts()
    assert told[0].startswith("You bought <b>it</b>.") and len(told) == 2
    assert page.locator(".wbt-false").count() == bare.sum()
    assert page.locator(".wbt-found").count() == (held[0] | held[1]).sum()
