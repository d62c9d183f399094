"""Measures against counting by hand; metrics of written text against the longest common
subsequence."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import DataError
from workbench.tokens import (
    detection_by_kind,
    make_pairs,
    personal_and_generic,
    score_tokens,
    text_metrics,
)


@pytest.fixture()
def examples():
    said = [
        "The lamp broke after two weeks.",
        "We camp whenever it is dry.",
        "I read it in one night.",
    ]
    memories = [
        ["likes lamps", "has a van"],
        ["camps in a green van"],
        ["reads horror", "sleeps badly"],
    ]
    rows = [(f"t{k}", k, 7, "review", text, memories[k]) for k, text in enumerate(said)]
    return pd.DataFrame(rows, columns=["text", "user", "item", "query", "response", "memories"])


def test_measures_are_those_of_counting_by_hand(loaded, examples):
    model, tokenizer = loaded

    def mark(tokens):
        return tokens.assign(personal=tokens["position"] % 3 == 0)

    found = personal_and_generic(model, tokenizer, examples, mark, seed=4).set_index(
        ["text", "measure"]
    )
    own = score_tokens(model, tokenizer, make_pairs(examples, tokenizer))
    stranger = make_pairs(examples, tokenizer, "other", seed=4).assign(
        prompt_with=lambda t: t["prompt_without"]
    )
    wrong = score_tokens(model, tokenizer, stranger)
    for text, part in own.groupby("text"):
        mine, theirs = (
            part["log_prob_with"].to_numpy(),
            wrong.loc[wrong["text"] == text, "log_prob_with"].to_numpy(),
        )
        at = np.arange(len(mine)) % 3 == 0
        assert found.loc[(text, "personal_nll"), "value"] == pytest.approx(
            -mine[at].mean(), abs=1e-5
        )
        assert found.loc[(text, "generic_nll"), "value"] == pytest.approx(
            -mine[~at].mean(), abs=1e-5
        )
        assert found.loc[(text, "gap"), "value"] == pytest.approx(
            (mine - theirs)[at].mean(), abs=1e-5
        )
        assert found.loc[(text, "generic_gap"), "value"] == pytest.approx(
            (mine - theirs)[~at].mean(), abs=1e-5
        )
        assert found.loc[(text, "gap"), "tokens"] == at.sum()
    with pytest.raises(DataError, match="personal"):
        personal_and_generic(model, tokenizer, examples, lambda tokens: tokens)


def common(a, b):
    """Length of the longest common subsequence, by its recursion."""
    if not a or not b:
        return 0
    return 1 + common(a[1:], b[1:]) if a[0] == b[0] else max(common(a[1:], b), common(a, b[1:]))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(["lamp", "tent", "bike"]), min_size=1, max_size=6),
    st.permutations(["lamp", "tent", "bike"]),
)
def test_rouge_l_is_the_longest_common_subsequence(said, written):
    table = pd.DataFrame(
        {"text": [0], "response": [" ".join(said)], "written": [" ".join(written)]}
    )
    found = text_metrics(table).set_index("metric")["value"]
    shared = common(said, written)
    assert found["rouge_l"] == pytest.approx(2 * shared / (len(said) + len(written)))
    assert ((found >= 0) & (found <= 1 + 1e-9)).all()


def test_equal_texts_score_one_and_foreign_ones_nought():
    table = pd.DataFrame(
        {
            "text": [0, 1],
            "response": ["the lamp is warm"] * 2,
            "written": ["the lamp is warm", "xyz"],
        }
    )
    found = text_metrics(table).pivot(index="text", columns="metric", values="value")
    assert found.loc[0].to_numpy() == pytest.approx(1)
    assert found.loc[1, "rouge_l"] == 0 and found.loc[1, "bleu"] == pytest.approx(0)
    other = pd.DataFrame({"text": [0], "response": ["我喜欢灯"], "written": ["我喜欢灯"]})
    found = text_metrics(other).set_index("metric")["value"]
    assert np.isnan(found["rouge_l"]) and found["chrf"] == 1 and found["bleu"] == 1
    with pytest.raises(DataError, match="written"):
        text_metrics(table.drop(columns="written"))


def test_a_score_may_find_one_kind_and_miss_another():
    kinds = np.array(["c", "s", "g", "n"] * 10)
    personal = np.isin(kinds, ["c", "s"])
    tokens = pd.DataFrame(
        {"text": np.arange(40) // 4, "kind": kinds, "personal": personal, "copies": kinds == "c"}
    )
    found = detection_by_kind(tokens.assign(copies=tokens["copies"] * 1.0), ["copies"]).set_index(
        "kind"
    )["auc"]
    assert found.to_dict() == {"c": 1.0, "s": 0.5}
