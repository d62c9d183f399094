"""Lists and divergences against a direct sum, brute force and SciPy; pairs of methods."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.special import log_softmax
from scipy.stats import entropy

from workbench.errors import ModelError
from workbench.unlearning.audit import (
    list_overlap,
    output_divergence,
    overlap,
    pair_distances,
    rank_biased_overlap,
)
from workbench.unlearning.audit.divergence import js, kl
from workbench.unlearning.references import retrains

RANKING = st.permutations(range(8)).map(lambda items: items[:5])


def direct(one, other, p, depth=2_000):
    """The sum itself: what is seen, and its agreement at the last place for ever after."""
    total = 0.0
    for d in range(1, depth + 1):
        seen = min(d, len(one))
        share = len(set(one[:seen]) & set(other[:seen])) / seen
        total += (1 - p) * p ** (d - 1) * share
    return total


@given(RANKING, RANKING, st.sampled_from([0.5, 0.8, 0.9]))
def test_rbo_is_the_direct_sum(one, other, p):
    found = rank_biased_overlap(np.array([one]), np.array([other]), p)[0]
    assert found == pytest.approx(direct(one, other, p), abs=1e-9)


@given(RANKING, RANKING)
def test_overlap_and_its_laws(one, other):
    a, b = np.array([one]), np.array([other])
    assert overlap(a, b)[0] == len(set(one) & set(other)) / 5
    assert rank_biased_overlap(a, b)[0] == pytest.approx(rank_biased_overlap(b, a)[0])
    assert rank_biased_overlap(a, a)[0] == pytest.approx(1)
    assert -1e-12 <= rank_biased_overlap(a, b)[0] <= 1 + 1e-12


def test_the_top_weighs_more():
    ideal = np.array([[0, 1, 2, 3, 4]])
    top, end = np.array([[9, 1, 2, 3, 4]]), np.array([[0, 1, 2, 3, 9]])
    assert rank_biased_overlap(ideal, end) > rank_biased_overlap(ideal, top)
    assert overlap(ideal, end) == overlap(ideal, top)


def test_lists_that_have_ended_agree_on_nothing():
    ended = np.array([[3, -1, -1]])
    assert overlap(ended, ended)[0] == pytest.approx(1 / 3)


def test_divergences_are_scipys():
    rng = np.random.default_rng(0)
    one, other = (log_softmax(rng.normal(size=(7, 9)) * 3, axis=1) for _ in range(2))
    p, q = np.exp(one), np.exp(other)
    np.testing.assert_allclose(kl(one, other), entropy(q, p, axis=1))
    np.testing.assert_allclose(js(one, other), jensenshannon(p, q, axis=1) ** 2)
    np.testing.assert_allclose(kl(one, one), 0, atol=1e-12)
    assert (js(one, other) <= np.log(2)).all()


def test_divergence_is_for_session_models_alone(shop):
    with pytest.raises(ModelError, match="BPR are no log probabilities"):
        output_divergence(shop.models, shop.retrained, shop.scenario, shop.done)


def test_lists_of_leavers_tell_doing_nothing_and_not_a_retrain(shop):
    found = list_overlap(shop.models, shop.retrained, shop.scenario, shop.done)
    for name in ("overlap@10", "RBO"):
        assert found.line("no-op", f"lists: {name}, leavers")["fires"]
    assert not found.table.loc[found.table["row"] != "no-op", "fires"].any()


def test_a_sharper_model_diverges_and_retrains_rarely_do(visits):
    """A planted change: the item vectors doubled, all probabilities sharper. And of four retrains,
    each held out alone, chance lets few lines fire."""
    loud = visits.bases[0].copy()
    loud.module.item.weight.data *= 2
    held = retrains(visits.model, visits.scenario, visits.done, range(31, 35))
    models = {f"held out {k}": [one] for k, one in enumerate(held)} | {"louder": [loud]}
    found = output_divergence(models, visits.retrained, visits.scenario, visits.done)
    assert found.table.loc[found.table["row"] == "louder", "fires"].all()
    assert found.table.loc[found.table["row"].str.startswith("held out"), "fires"].sum() <= 3


def test_equal_methods_are_marked(shop):
    models = {"one": shop.bases, "the same": [one.copy() for one in shop.bases]}
    models["other"] = shop.models["held out"]
    found = pair_distances(models, shop.retrained, shop.scenario, shop.done)
    equal = found.each.set_index(["first", "second"])["equal"]
    assert equal.to_dict() == {
        ("one", "the same"): True,
        ("one", "other"): False,
        ("the same", "other"): False,
    }
    assert "one = the same" in set(found.table["row"])
    assert found.line("one = the same", "pairs: lists")["estimate"] == 0


def test_a_small_step_is_not_equal(shop):
    moved = [one.copy() for one in shop.bases]
    for one in moved:
        one.module.user.weight.data *= 1 + 1e-4
    models = {"one": shop.bases, "moved": moved}
    found = pair_distances(models, shop.retrained, shop.scenario, shop.done)
    assert not found.each["equal"].any()
    assert found.each["weights"][0] == pytest.approx(1e-4, rel=1)
