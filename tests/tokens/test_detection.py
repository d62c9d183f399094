"""AUC against brute force over all pairs; intervals; refusals."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import DataError
from workbench.tokens import MixtureLM, detection, score_tokens


@settings(max_examples=10)
@given(
    st.lists(
        st.tuples(st.integers(-3, 3), st.booleans(), st.integers(0, 3)), min_size=4, max_size=30
    )
)
def test_auc_counts_pairs(rows):
    table = pd.DataFrame(rows, columns=["score", "personal", "text"])
    if table["personal"].all() or not table["personal"].any():
        with pytest.raises(DataError, match="marked"):
            detection(table, ["score"])
        return
    hit, miss = (
        table.loc[table["personal"] == side, "score"].to_numpy()[:, None] for side in (True, False)
    )
    pairs = np.where(hit == miss.T, 0.5, hit > miss.T)
    found = detection(table, ["score"]).iloc[0]
    assert found["auc"] == pytest.approx(pairs.mean())
    assert 0 <= found["low"] <= found["high"] <= 1 and 0 <= found["precision"] <= 1


def test_pir_finds_the_latent_source_of_the_mixture():
    model = MixtureLM(seed=4)
    pairs = model.sample(2, texts=60, length=25)
    table = score_tokens(model, model.tokenizer(), pairs, ("pir", "loss"))
    table["personal"] = np.concatenate(pairs["personal"].to_numpy())
    table["noise"] = np.random.default_rng(0).random(len(table))
    found = detection(table, ["pir", "loss", "noise"]).set_index("score")
    assert found.loc["pir", "auc"] > 0.9 > found.loc["loss", "auc"]
    assert found.loc["noise", "low"] < 0.5 < found.loc["noise", "high"]


def test_a_token_without_a_score_is_not_ranked():
    table = pd.DataFrame(
        {"text": [0, 0, 1, 1], "personal": [True, False] * 2, "pir": [2.0, np.nan, 2.0, 0.0]}
    )
    with pytest.raises(DataError, match="1 of 4 tokens have no score"):
        detection(table, ["pir"])
    assert detection(table.assign(pir=[np.inf, 0, 1, -np.inf]), ["pir"])["auc"].item() == 1
