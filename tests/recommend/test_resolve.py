"""A vector solved again for other rows: against a minimiser that knows no Newton step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from workbench.recommend.collaborative._resolve import LEAST, resolved


def objective(p, held, items, l2):
    """As the page writes it, pair by pair."""
    free = [j for j in range(len(items)) if j not in held]
    total = 0.0
    for i in held:
        margins = [p @ (items[i] - items[j]) for j in free]
        total += np.mean([np.logaddexp(0, -m) for m in margins]) + max(l2, LEAST) / 2 * (p @ p)
    return total


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 6), l2=st.sampled_from([0.0, 0.05, 1.0]))
def test_it_is_the_minimum(seed, n, l2):
    rng = np.random.default_rng(seed)
    items, held = rng.normal(size=(7, 3)), rng.permutation(7)[:n]
    found = resolved(held, items, l2)
    best = optimize.minimize(objective, np.zeros(3), (held.tolist(), items, l2), tol=1e-12)
    assert objective(found, held, items, l2) <= best.fun + 1e-9
    assert found == pytest.approx(best.x, abs=1e-3)


@pytest.mark.parametrize("held", [[], list(range(5))], ids=["none", "all"])
def test_nothing_to_tell_apart_gives_no_vector(held):
    assert not resolved(
        np.array(held, int), np.random.default_rng(0).normal(size=(5, 2)), 0.1
    ).any()


def test_large_vectors_do_not_break_the_steps():
    rng = np.random.default_rng(1)
    items = 30 * rng.normal(size=(40, 8))
    found = resolved(np.arange(6), items, 0.01)
    best = optimize.minimize(objective, found, (list(range(6)), items, 0.01), tol=1e-10)
    assert objective(found, [*range(6)], items, 0.01) <= best.fun + 1e-6
