"""Token scores added up to pieces of a text."""

import numpy as np
import pandas as pd
import pytest

from workbench.errors import ConfigError
from workbench.tokens import score_tokens
from workbench.tokens.aggregate import add_up, pieces, words


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
    found = add_up(tokens, spans)
    # "lamp", "arrived"; a space; an unknown text
    assert found[["start", "end"]].values.tolist() == [[4, 8], [9, 16]]
    inside = tokens[(tokens["text"] == "t0") & tokens["end"].between(5, 8)]
    assert found["pir"][0] == pytest.approx(inside["pir"].sum())
    assert (
        add_up(tokens, spans[3:]).columns.tolist() == [*found.columns]
        and add_up(tokens, spans[3:]).empty
    )


def test_further_columns_add_up_when_named(loaded, pairs):
    tokens = score_tokens(*loaded, pairs).assign(mine=1.0)
    assert "mine" not in words(tokens, pairs)
    spans = pairs.assign(start=0, end=pairs["response"].str.len())
    found = add_up(tokens, spans, also=["mine"])
    assert (
        found["mine"].tolist()
        == found["n_tokens"].tolist()
        == tokens.groupby("text").size().tolist()
    )


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (
            "sentence",
            ["It cost 3.50 euros.", 'She said "no."', "Why?!", "no stop", "明るい。", "-"],
        ),
        ("line", ['It cost 3.50 euros. She said "no." Why?!', "no stop", "明るい。 -"]),
        (r"[a-z]+(?=\.)", ["euros", "no"]),
        (r"\d+\.\d+", ["3.50"]),
    ],
)
def test_levels(level, expected):
    said = 'It cost 3.50 euros. She said "no." Why?!\n  no stop\n明るい。 -'
    start = np.arange(len(said))  # one token a character
    tokens = pd.DataFrame({"text": "a", "start": start, "end": start + 1, "pir": 1.0})
    found = pieces(tokens, pd.DataFrame({"text": ["a"], "response": [said]}), level)
    assert found["piece"].tolist() == expected
    assert found["pir"].tolist() == found["n_tokens"].tolist() == [len(one) for one in expected]
    assert [said[a:b] for a, b in zip(found["start"], found["end"], strict=True)] == expected


def test_a_broken_expression_is_refused():
    with pytest.raises(ConfigError, match=r"level.*sentence"):
        pieces(pd.DataFrame(), pd.DataFrame({"text": [], "response": []}), "(")
