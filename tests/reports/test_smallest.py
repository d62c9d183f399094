"""Smallest sets: verified by scoring again, and against every subset of the history."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from shops import shop

from workbench.errors import DataError
from workbench.recommend import (
    EASE,
    EASEConfig,
    ItemKNN,
    OwnActions,
    OwnActionsConfig,
    Popularity,
    top_k,
)
from workbench.reports import smallest_set


def in_top(model, history, seen, item, k):
    return item in top_k(model.score(history), k, seen)[0]


def subsets(history):
    items = sorted(set(history.item.tolist()))
    for size in range(len(items) + 1):
        for chosen in combinations(items, size):
            yield chosen, history.without(history.interaction[np.isin(history.item, chosen)])


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("model", [EASE(EASEConfig(l2=5.0)), ItemKNN()], ids=repr)
def test_against_every_subset(model, seed):
    log, _ = shop(seed, n_users=15, n_items=14, n_rows=110)
    model.fit(log)
    user = int(np.argmin(np.where(log.matrix().sum(axis=1) >= 4, log.matrix().sum(axis=1), 99)))
    history, seen = log.histories([user]), log.histories([user]).matrix()
    item = int(top_k(model.score(history), 1, seen)[0, 0])
    found = smallest_set(model, history, item, k=3)
    sizes = [len(c) for c, rest in subsets(history) if not in_top(model, rest, seen, item, 3)]
    assert found.found == bool(sizes)
    if not found.found:
        assert found.interactions == ()
        return
    rest = history.without(found.interactions)
    assert not in_top(model, rest, seen, item, 3), "verified by scoring again"
    assert set(found.items).isdisjoint(rest.item), "all rows of an item go together"
    assert len(found.items) >= min(sizes)
    assert found.proven == (len(found.items) <= 3) and (
        not found.proven or len(found.items) == min(sizes)
    )
    for one in found.items:  # nothing in it is idle
        kept = [
            row
            for row, i in zip(history.interaction, history.item, strict=True)
            if i in found.items and i != one
        ]
        assert in_top(model, history.without(kept), seen, item, 3)


def test_random_order_needs_more():
    needed = []
    for seed in range(10):
        log, _ = shop(seed, n_users=30, n_items=30, n_rows=500)
        model = EASE(EASEConfig(l2=5.0)).fit(log)
        history = log.histories([0])
        item = int(top_k(model.score(history), 1, history.matrix())[0, 0])
        found = smallest_set(model, history, item, k=5, orders=20, seed=1)
        assert found == smallest_set(model, history, item, k=5, orders=20, seed=1)
        needed.append((len(found.items), found.random))
    greedy, random = np.mean(needed, axis=0)
    assert greedy < random


def test_a_claim_that_can_be_checked():
    log, _ = shop(1, n_rows=200)
    history = log.histories([0])
    support = pd.DataFrame({"interaction": history.interaction, "weight": 1.0})
    found = smallest_set(
        EASE(), history, support=support, holds=lambda h: np.diff(h.offsets) >= 5, prove=0
    )
    assert len(history.item) - len(found.interactions) < 5 and found.found


class Twofold:
    """A claim that the two lightest products carry together: with the heavier ones it goes on
    being made, and without anything as well."""

    def __init__(self, history):
        self.first, self.second, *self.rest = np.unique(history.item)[::-1]
        heavy = np.isin(history.item, self.rest)
        weight = np.where(heavy, 2.0, np.where(history.item == self.first, 1.0, 0.5))
        self.support = pd.DataFrame({"interaction": history.interaction, "weight": weight})

    def holds(self, histories):
        had = histories.counts().toarray() > 0
        # it ends where exactly these two are gone
        return had[:, [self.first, self.second]].any(axis=1) | ~had[:, self.rest].any(axis=1)


def test_a_set_is_found_where_no_strongest_ones_end_it():
    log, _ = shop(1, n_rows=200)
    history = log.histories([0])
    claim = Twofold(history)
    found = smallest_set(EASE(), history, support=claim.support, holds=claim.holds, orders=3)
    assert found.found and found.proven and set(found.items) == {claim.first, claim.second}
    assert not claim.holds(history.without(found.interactions)).any()
    assert found.ends == "the claim is made"
    # where pairs are not tried, none is found, and that is not called nothing
    alone = smallest_set(EASE(), history, support=claim.support, holds=claim.holds, prove=1)
    assert not alone.found and not alone.proven
    assert "no set found, not all were tried" in repr(alone)


def test_what_cannot_be_ended_or_does_not_stand():
    log, _ = shop(1)
    history = log.histories([0])
    popular = Popularity().fit(log)
    top = top_k(popular.score(history), 10, history.matrix())[0]
    nothing = smallest_set(popular, history, int(top[0]), k=3)
    assert not nothing.found and not nothing.proven
    told = f"SmallestSet(item {top[0]} in the top 3: no set found, not all were tried)"
    assert repr(nothing) == told
    few = history.parts(np.isin(history.item, np.unique(history.item)[:3])[None])
    assert len(np.unique(few.item)) == 3, "all sets of one and two are tried"
    none = smallest_set(popular, few, int(top[0]), k=3)
    assert none.proven and "nothing in this history does it" in repr(none)
    with pytest.raises(DataError, match="stands at place 7, not among the first 3"):
        smallest_set(popular, history, int(top[6]), k=3)
    claim = {"support": pd.DataFrame({"interaction": history.interaction, "weight": 1.0})}
    with pytest.raises(DataError, match="the claim does not stand"):
        smallest_set(popular, history, holds=lambda h: np.zeros(len(h), dtype=bool), **claim)
    with pytest.raises(DataError, match="either item or support"):
        smallest_set(popular, history)
    with pytest.raises(DataError, match="one history"):
        smallest_set(popular, log.histories([0, 1]), 1)


@pytest.mark.parametrize("seed", range(4))
def test_what_they_had_already_is_answered_against_every_subset(seed):
    log, _ = shop(seed, n_users=15, n_items=14, n_rows=110)
    model = OwnActions(OwnActionsConfig(share=0.5)).fit(log)
    history = log.histories([int(np.argmax(log.matrix().sum(axis=1) >= 4))])
    nothing = np.zeros((1, log.n_items), dtype=bool)
    item = int(top_k(model.score(history), 1, nothing)[0, 0])
    assert item in history.item, "what they did most with stands first"
    found = smallest_set(model, history, item, k=2)
    sizes = [len(c) for c, rest in subsets(history) if not in_top(model, rest, nothing, item, 2)]
    assert found.found == bool(sizes)
    if found.found:
        assert not in_top(model, history.without(found.interactions), nothing, item, 2)
        assert len(found.items) >= min(sizes)
        assert not found.proven or len(found.items) == min(sizes)
    last = int(top_k(model.score(history), log.n_items, nothing)[0, -1])
    if last in history.item:
        with pytest.raises(DataError, match="stands at place"):
            smallest_set(model, history, last, k=1)


def test_how_it_reads():
    log, _ = shop(3, n_rows=200)
    model = EASE(EASEConfig(l2=5.0)).fit(log)
    history = log.histories([0])
    found = smallest_set(
        model, history, int(top_k(model.score(history), 1, history.matrix())[0, 0]), k=1, orders=3
    )
    assert "items" in repr(found) and "random" in repr(found)
    assert "in the top 1: " in repr(found), "what it ends is said: another k is another set"
    assert found.ends in found._repr_html_()
    assert list(found.to_frame()["interaction"]) == list(found.interactions)
    assert found._repr_html_().startswith("<table>")
