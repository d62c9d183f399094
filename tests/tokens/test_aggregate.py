"""Token scores added up to pieces of a text: one cut for tables and pictures, and nothing lost."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.families import LLAMA3_WORDS, bpe, people, wild_llama
from workbench.errors import ConfigError, DataError
from workbench.language import load_causal_lm
from workbench.tokens import make_pairs, memory_map, score_tokens
from workbench.tokens.aggregate import add_up, cut, pieces, words
from workbench.views.strip import TokenStrip

CASES = json.loads(Path(__file__).with_name("cuts.json").read_text(encoding="utf-8"))
"""What a text is cut into and what its tokens, scored 1, 2, 3, ..., come to; the page's test in
`tests/browser` reads the same file."""
SIGNS = st.sampled_from(list("ab.!? \n\t\u00a0»”)😀é-"))


def scored(parts):
    """A token table of a text in `parts`, scored 1, 2, 3, ..., and its pairs."""
    end = np.cumsum([len(part) for part in parts], dtype=np.int64)
    start = end - [len(part) for part in parts]
    pir = np.arange(1.0, len(end) + 1)
    tokens = pd.DataFrame({"text": "t", "start": start, "end": end, "pir": pir})
    return tokens, pd.DataFrame({"text": ["t"], "response": ["".join(parts)]})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
@pytest.mark.parametrize("level", ["word", "sentence"])
def test_what_a_text_is_cut_into(case, level):
    tokens, pairs = scored(case["tokens"])
    assert pairs["response"][0] == case["response"]
    table = pieces(tokens, pairs, level)
    assert table[["piece", "pir"]].values.tolist() == case[level]
    # the picture's pieces are the table's
    found = cut(case["response"], tokens["start"].to_numpy(), tokens["end"].to_numpy(), level)
    assert [found.start.tolist(), found.end.tolist()] == [
        table["start"].tolist(),
        table["end"].tolist(),
    ]
    assert found.add_up(tokens["pir"].to_numpy()).tolist() == table["pir"].tolist()


@given(st.lists(st.text(SIGNS, max_size=4), min_size=1, max_size=12))
def test_no_token_is_lost(parts):
    tokens, pairs = scored(parts)
    response = pairs["response"][0]
    for level in ("word", "sentence", "line"):
        table = pieces(tokens, pairs, level)
        if not response.strip():
            assert table.empty, "a text of white space alone has no pieces"
            continue
        assert table["n_tokens"].sum() == len(tokens)
        assert table["pir"].sum() == tokens["pir"].sum()
        # a token lies in the piece that holds its last visible sign
        group = cut(response, tokens["start"].to_numpy(), tokens["end"].to_numpy(), level).group
        for place, (begin, part) in enumerate(zip(tokens["start"], parts, strict=True)):
            visible = [begin + found.start() for found in re.finditer(r"\S", part)]
            if visible:
                row = table.iloc[group[place]]
                assert row["start"] <= visible[-1] < row["end"]


@given(st.text(SIGNS, max_size=30))
def test_words_sentences_and_lines_hold_every_visible_sign(text):
    tokens, pairs = scored(list(text))
    for level in ("word", "sentence", "line"):
        table = pieces(tokens, pairs, level)
        inside = [
            place
            for a, b in zip(table["start"], table["end"], strict=True)
            for place in range(a, b)
        ]
        assert len(inside) == len(set(inside)), "pieces do not overlap"
        assert {place for place, sign in enumerate(text) if not sign.isspace()} <= set(inside)


def test_words_add_up(loaded, pairs):
    tokens = score_tokens(*loaded, pairs, ("pir", "loss", "pcxmi"))
    whole = words(tokens, pairs)
    assert whole.groupby("text")["word"].agg(list).to_dict() == {
        r.text: r.response.split() for r in pairs.itertuples()
    }
    total = tokens.groupby("text")[["pir", "loss", "pcxmi"]].sum()
    pd.testing.assert_frame_equal(whole.groupby("text")[["pir", "loss", "pcxmi"]].sum(), total)
    assert whole["n_tokens"].sum() == len(tokens)
    np.testing.assert_allclose(whole["loss"], -whole["log_prob_with"])


def test_spans_add_up_and_empty_ones_are_left_out(loaded, pairs):
    tokens = score_tokens(*loaded, pairs)
    spans = pd.DataFrame(
        [("t0", 9, 16), ("t0", 4, 8), ("t0", 16, 17), ("t9", 0, 5)],
        columns=["text", "start", "end"],
    )
    found = add_up(tokens, pairs, spans)
    # "lamp", "arrived"; a space; an unknown text
    assert found[["start", "end"]].values.tolist() == [[4, 8], [9, 16]]
    inside = tokens[(tokens["text"] == "t0") & tokens["end"].between(5, 8)]
    assert found["pir"][0] == pytest.approx(inside["pir"].sum())
    assert (
        add_up(tokens, pairs, spans[3:]).columns.tolist() == [*found.columns]
        and add_up(tokens, pairs, spans[3:]).empty
    )
    with pytest.raises(DataError, match="no response of text 't0'"):
        add_up(tokens, pairs[pairs["text"] != "t0"], spans)


def test_further_columns_add_up_when_named(loaded, pairs):
    tokens = score_tokens(*loaded, pairs).assign(mine=1.0)
    assert "mine" not in words(tokens, pairs)
    spans = pairs.assign(start=0, end=pairs["response"].str.len())
    found = add_up(tokens, pairs, spans, also=["mine"])
    assert (
        found["mine"].tolist()
        == found["n_tokens"].tolist()
        == tokens.groupby("text").size().tolist()
    )


@pytest.mark.parametrize(
    ("level", "expected", "counts"),
    [
        (
            "sentence",
            ["It cost 3.50 euros.", 'She said "no."', "Why?!", "no stop", "明るい。", "-"],
            [19, 15, 6, 10, 5, 2],
        ),
        (
            "line",
            ['It cost 3.50 euros. She said "no." Why?!', "no stop", "明るい。 -"],
            [40, 10, 7],
        ),
        (r"[a-z]+(?=\.)", ["euros", "no"], [6, 2]),
        (r"\d+\.\d+", ["3.50"], [5]),
    ],
)
def test_levels(level, expected, counts):
    said = 'It cost 3.50 euros. She said "no." Why?!\n  no stop\n明るい。 -'
    # one token a character; the white space before a piece is its own
    tokens, pairs = scored(list(said))
    found = pieces(tokens.assign(pir=1.0), pairs, level)
    assert found["piece"].tolist() == expected
    assert found["pir"].tolist() == found["n_tokens"].tolist() == counts
    assert [said[a:b] for a, b in zip(found["start"], found["end"], strict=True)] == expected


def test_a_broken_expression_is_refused():
    with pytest.raises(ConfigError, match=r"level.*sentence"):
        pieces(pd.DataFrame(), pd.DataFrame({"text": [], "response": []}), "(")


PARAGRAPHS = "Not for me: the handle broke.\n\nI would buy:\n- a lamp!\n 😀 - too dear\n"


@pytest.mark.parametrize("words_of", [None, LLAMA3_WORDS, "pocket"])
def test_tokens_of_white_space_are_in_every_sum_over_a_text(words_of):
    """Whatever the tokenizer makes of blanks and line breaks: alone, or together with a sign."""
    if words_of == "pocket":
        model, tokenizer = load_causal_lm("pocket")
    else:
        tokenizer = bpe(words=words_of)
        model = wild_llama(tokenizer)
    example = people()[1:2].assign(response=PARAGRAPHS)
    pairs = make_pairs(example, tokenizer)
    tokens = score_tokens(model, tokenizer, pairs)
    blank = tokens["token"].str.isspace() | (tokens["token"].str.strip() != tokens["token"])
    assert blank.any() and tokens["pir"].abs().sum() > 0
    for level in ("word", "sentence", "line"):
        table = pieces(tokens, pairs, level, also=["log_prob_with"])
        assert table["n_tokens"].sum() == len(tokens)
        assert table["pir"].sum() == pytest.approx(tokens["pir"].sum(), abs=1e-9)
        strip = TokenStrip(tokens, PARAGRAPHS, level=level) if level != "line" else None
        assert strip is None or strip.values("pir").sum() == pytest.approx(tokens["pir"].sum())
    found = memory_map(model, tokenizer, example)
    whole = found.values.groupby("memory")["value"].sum()
    np.testing.assert_allclose(found.totals["value"], whole, atol=1e-9)
    np.testing.assert_allclose(found.totals["value"].sum(), tokens["pir"].sum(), atol=1e-4)
    assert found.words["n_tokens"].sum() == len(tokens)


def test_a_table_of_words_names_the_words(loaded, pairs):
    found = words(score_tokens(*loaded, pairs), pairs)
    assert [*found][:4] == ["text", "word", "start", "end"]
    said = pairs.set_index("text")["response"]
    assert all(said[row.text][row.start : row.end] == row.word for row in found.itertuples())
