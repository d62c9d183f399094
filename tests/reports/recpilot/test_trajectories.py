"""Visits as tokens and back, the grammar, and which visits are targets: on made-up logs by hand, on
random ones by property, on the shipped world by count."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.data import Interactions, load_world
from workbench.errors import DataError
from workbench.reports.recpilot import (
    Trajectories,
    Vocabulary,
    breaks,
    last_visits,
    run_length,
    visits_of,
)
from workbench.reports.recpilot._run_length import rows_of
from workbench.reports.recpilot.grammar import BOS, EOS

ACTIONS = ("cart", "purchase", "view")
CART, BUY, VIEW = range(3)
WORDS = Vocabulary(ACTIONS, 5)


def log_of(*visits: tuple[str, str]) -> Interactions:
    """A log of visits (user, "v0 v1 c1 p1"): v view, c cart, p purchase, and a product."""
    name = {"v": "view", "c": "cart", "p": "purchase"}
    rows = []
    for session, (user, said) in enumerate(visits):
        for word in said.split():
            rows.append((user, int(word[1:]), name[word[0]], session, len(rows)))
    table = pd.DataFrame(rows, columns=["user", "item", "action", "session", "timestamp"])
    named = {name: name for name in ("action", "session", "timestamp")}
    return Interactions.from_table(table, items=range(5), **named)


def said(trajectories: Trajectories) -> list[str]:
    """The inverse of `log_of`, a text a visit."""
    letters = [name[0] for name in trajectories.actions]
    texts = [[] for _ in range(len(trajectories))]
    rows = zip(trajectories.rows, trajectories.action, trajectories.item, strict=True)
    for visit, action, item in rows:
        texts[visit].append(f"{letters[action]}{item}")
    return [" ".join(text) for text in texts]


deeds = st.tuples(st.integers(0, 2), st.integers(0, 4))
some_visits = st.lists(st.lists(deeds, min_size=1, max_size=12), min_size=1, max_size=6)


@given(some_visits)
@settings(max_examples=200, deadline=None)
def test_run_length_and_back_is_the_identity(visits):
    action, item = (np.array([deed[k] for visit in visits for deed in visit]) for k in (0, 1))
    number = np.repeat(np.arange(len(visits)), [len(visit) for visit in visits])
    tokens, row = run_length(item, action, number, WORDS)
    found = rows_of(tokens, WORDS)
    for have, want in zip(found, (item, action, number), strict=True):
        assert np.array_equal(have, want)
    # every row says its product, in order; two marks a visit; one action a run
    assert np.array_equal(row[WORDS.kinds[tokens] == 2], np.arange(len(item)))
    assert (tokens == BOS).sum() == (tokens == EOS).sum() == len(visits)
    runs = sum(1 + sum(a[0] != b[0] for a, b in pairwise(v)) for v in visits)
    assert (WORDS.kinds[tokens] >= 3).sum() == runs


@given(st.lists(deeds, min_size=1, max_size=10))
@settings(max_examples=200, deadline=None)
def test_the_grammar_by_its_definition(visit):
    action, item = (np.array([deed[k] for deed in visit]) for k in (0, 1))
    tokens = run_length(item, action, np.zeros(len(visit)), WORDS)[0][None, 1:]
    bought = action == BUY
    n = bought.sum()
    ends_in_one_run = n > 0 and bought[-n:].all() and not bought[0]
    assert WORDS.valid(tokens)[0] == ends_in_one_run
    allowed = WORDS.mask(tokens, tokens.shape[1])[0, np.arange(tokens.shape[1]), tokens[0]]
    assert allowed.all() == ends_in_one_run


@given(st.integers(5, 14), st.integers(0, 10_000))
@settings(max_examples=100, deadline=None)
def test_whoever_follows_the_mask_ends_in_time(longest, seed):
    rng, state, tokens = np.random.default_rng(seed), 0, []
    for step in range(longest):
        token = rng.choice(np.flatnonzero(WORDS.allowed(longest - step)[state]))
        tokens.append(token)
        state = max(WORDS.table[state, WORDS.kinds[token]], 1)
    assert WORDS.valid(np.array([tokens]))[0]


def test_visits_are_cut_and_purchases_gathered():
    log = log_of(("a", "v0 v1"), ("a", "v0 c0 p0 v1 c1 p1 p1 v2"), ("b", "p3 v3"), ("b", "v4 p4"))
    visits = visits_of(log)
    assert said(visits.trajectories) == ["v0 c0 v1 c1 p0 p1 p1", "v4 p4"]
    assert visits.skipped == 1
    assert visits.trajectories.session.tolist() == [1, 3]
    assert [visits.histories.item[visits.histories.row(b)].tolist() for b in (0, 1)] == [
        [0, 1],
        [3, 3],
    ]
    assert visits.trajectories.bought().tolist()[0] == [True, True, False, False, False]
    tokens = visits.trajectories.tokens()
    assert WORDS.valid(tokens).all()
    assert said(Trajectories.of_tokens(tokens, WORDS)) == said(visits.trajectories)
    assert breaks(log)["visits"].tolist() == [3, 1, 2, 1, 1]


def test_no_row_of_the_visit_or_later_is_in_its_history():
    log = load_world().log
    visits = visits_of(log)
    first = log.frame.groupby("session")["position"].min()
    begins = first[visits.trajectories.session].to_numpy()
    assert (visits.histories.position < begins[visits.histories.rows]).all()
    before, last = last_visits(log)
    cut = first[last.trajectories.session].to_numpy()
    latest = before.frame.groupby("user")["position"].max()[last.trajectories.user].to_numpy()
    assert (latest < cut).all()
    assert len(last) == 399
    assert len(np.unique(last.trajectories.user)) == 399


def test_the_world_round_trips_and_keeps_its_grammar():
    log = load_world().log
    trajectories = visits_of(log).trajectories
    words = Vocabulary(trajectories.actions, log.n_items)
    tokens = trajectories.tokens(words)
    assert words.valid(tokens).all()
    back = Trajectories.of_tokens(tokens, words)
    assert np.array_equal(back.item, trajectories.item)
    assert np.array_equal(back.action, trajectories.action)
    assert breaks(log)["visits"].tolist() == [3113, 691, 904, 0, 0]


def test_what_is_no_visit_is_refused():
    with pytest.raises(DataError, match="no visit with a purchase"):
        visits_of(log_of(("a", "v0 c1")))
    with pytest.raises(DataError, match="purchase, and another one"):
        Vocabulary(("view",), 5)
    with pytest.raises(DataError, match="no sentence"):
        Trajectories.of_tokens(np.array([[WORDS.items_from, EOS]]), WORDS)
    with pytest.raises(DataError, match="a product without an action"):
        rows_of(np.array([BOS, WORDS.items_from, EOS]), WORDS)
    with pytest.raises(DataError, match="'wish' was not met"):
        WORDS.recode(np.array([0, 1]), ("view", "wish"))
