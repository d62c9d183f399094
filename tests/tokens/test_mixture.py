"""The mixture language model: the identity that checks any implementation of PIR, and the
own-minus-wrong gap."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import ConfigError, UnknownUser
from workbench.tokens import MixtureLM, personal_share, score_tokens

MODELS = st.builds(
    MixtureLM,
    n_users=st.integers(2, 6),
    share=st.floats(0.0, 0.95),
    shared=st.floats(0.0, 1.0),
    seed=st.integers(0, 1000),
)


@settings(max_examples=8)
@given(MODELS, st.integers(0, 10))
def test_identity(model, seed):
    """r = 1 − (1 − a) · exp(−PIR) to 1e-9, through the same score_tokens that scores any other
    model."""
    user = seed % model.n_users
    sample = model.sample(user, texts=3, length=12, seed=seed)
    table = score_tokens(model, model.tokenizer(), sample)
    truth = np.concatenate(
        [
            model.responsibility(user, part["token_id"].to_numpy())
            for _, part in table.groupby("text", sort=False)
        ]
    )
    np.testing.assert_allclose(personal_share(table["pir"], model.share), truth, rtol=0, atol=1e-9)


@settings(max_examples=8)
@given(MODELS)
def test_probabilities_sum_to_one(model):
    import torch

    ids = torch.tensor([[0, 1, 0, 8, 9], [0, 0, 8, 9, 10]])
    logits = model(ids).logits
    np.testing.assert_allclose(logits.exp().sum(-1), 1, atol=1e-12)


def distributions(model, previous):
    """p_u(· | previous word) of every shopper, and that of nobody."""
    general = model.general.numpy()[previous][model.first_word :]
    personal = model.personal.numpy()[:, model.first_word :]
    return (1 - model.share) * general + model.share * personal, general


@settings(max_examples=8)
@given(MODELS, st.integers(0, 20))
def test_own_minus_wrong_user_is_a_divergence(model, previous):
    """Ledger test 10: the mean of own minus wrong-user PIR is KL(p_u‖p_v) ≥ 0; against p̄ a random
    wrong user is ≤ 0."""
    mixed, general = distributions(model, previous)
    pir = np.log(mixed) - np.log(general)
    own, wrong = mixed[0], 1
    assert own @ (pir[0] - pir[wrong]) == pytest.approx(own @ np.log(own / mixed[wrong]), abs=1e-12)
    assert own @ (pir[0] - pir[wrong]) >= -1e-12
    average = np.log(mixed).mean(axis=0) - np.log(mixed.mean(axis=0))
    assert (average <= 1e-12).all()


def test_score_tokens_finds_the_same_divergence():
    model = MixtureLM(n_users=4, seed=5)
    pairs = model.sample(0, texts=200, length=20)
    own = score_tokens(model, model.tokenizer(), pairs)
    wrong = score_tokens(model, model.tokenizer(), pairs.assign(prompt_with="<s> shopper1 <s>"))
    previous = np.where(own["position"] == 0, 0, np.roll(own["token_id"], 1))
    divergence = []
    for place in previous:
        mixed, _ = distributions(model, place)
        divergence.append(mixed[0] @ np.log(mixed[0] / mixed[1]))
    gap = own["pir"] - wrong["pir"]
    assert gap.mean() == pytest.approx(np.mean(divergence), abs=4 * gap.std() / len(gap) ** 0.5)


def test_wrong_user_against_nobody_has_no_fixed_sign():
    """Where shoppers share tastes a wrong persona still helps; where they do not, it hurts."""
    means = {}
    for shared in (0.0, 0.6):
        model = MixtureLM(n_users=6, shared=shared, seed=1)
        pairs = pd.concat([model.sample(user, texts=40) for user in range(3)])
        wrong = pairs.assign(prompt_with=[f"<s> shopper{int(t[0]) + 3} <s>" for t in pairs["text"]])
        means[shared] = score_tokens(model, model.tokenizer(), wrong)["pir"].mean()
    assert means[0.0] < 0 < means[0.6]


def test_same_seed_same_text_and_bad_arguments():
    model = MixtureLM(seed=3)
    pd.testing.assert_frame_equal(
        model.sample(1, texts=3, seed=9), MixtureLM(seed=3).sample(1, texts=3, seed=9)
    )
    with pytest.raises(UnknownUser, match="shopper 99"):
        model.sample(99)
    with pytest.raises(ConfigError, match="share"):
        MixtureLM(share=1.0)
