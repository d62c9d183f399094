"""The forecast with the true weights: its state is what the log shows, its visits are the world's."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from workbench.data import load_world
from workbench.errors import UnknownUser
from workbench.worlds.shop import next_purchases, next_visits
from workbench.worlds.shop.future import state_of
from workbench.worlds.shop.playing import BROWSE, BUY, play
from workbench.worlds.shop.shelf import State
from workbench.worlds.shop.shoppers import DAYS

WORLD = load_world()
REAL = np.flatnonzero(~WORLD.truth["users"]["spam"]).tolist()


@settings(max_examples=80, deadline=None)
@given(user=st.sampled_from(REAL), day=st.integers(0, DAYS - 1), seed=st.integers(0, 2**32))
def test_a_visit_keeps_the_rules(user, day, seed):
    shelf, rng = WORLD.shelf, np.random.default_rng(seed)
    state = State(shelf)
    for today in range(day, day + 40, 8):
        state.lapse(today)
        visit = play(rng, shelf, user, today, state)
        seen, carts = set(), set()
        for item, action, _ in visit.rows:
            assert action == "view" or item in seen, "looked at first"
            assert action != "purchase" or item in carts
            seen.add(item)
            carts |= {item} if action == "cart" else set()
        assert set(visit.bought) <= carts
        assert len(visit.bought) == len(set(visit.bought))
        assert (visit.outcome in ("bought", "went on")) == bool(visit.bought)
        if visit.left is not None:
            assert not visit.bought or shelf.kind[visit.left.item] not in shelf.kind[visit.bought]
            assert len(shelf.better(user, visit.left.item, visit.left.reason, state.open))
        state.after(visit, today)
        assert (state.factor >= 0).all()


def test_the_log_shows_the_state_that_the_generator_was_in():
    """At the end of the log: open wishes, their products and days, and everything bought."""
    truth, shelf = WORLD.truth, WORLD.shelf
    wishes = truth["wishes"].query("outcome == 'open'")
    start = WORLD.log.frame.groupby("session")["timestamp"].first()
    for user in REAL[::3]:
        rows = WORLD.log.rows_of(user)
        state = state_of(shelf, rows, DAYS - 1)
        mine = wishes[wishes["user"] == user]
        open_ = {shelf.kinds[kind]: left.item for kind, left in state.left.items()}
        assert open_ == dict(zip(mine["kind"], mine["left"], strict=True))
        opened = (start[mine["opened"]] - pd.Timestamp("2025-03-01", tz="UTC")).dt.days.tolist()
        assert sorted(left.day for left in state.left.values()) == sorted(opened)
        bought = sorted(item for pairs in state.bought.values() for _, item in pairs)
        assert bought == sorted(rows.loc[rows["action"] == "purchase", "item"])


def test_from_nothing_the_forecast_is_the_choice():
    """Of a shopper's first visit the formula is known: nobody restocks, nothing is wished for."""
    user = REAL[5]
    first = int(WORLD.log.rows_of(user)["session"].iloc[0])
    visits = next_visits(WORLD, user, first, n=6000, seed=3)
    ends = [visit for visit in visits if visit.aim == "compare" and visit.target in visit.bought]
    share = len(ends) / len(visits)
    assert abs(share - (1 - BROWSE) * BUY) < 4 * np.sqrt(0.25 / len(visits))
    seen = np.bincount([visit.target for visit in ends], minlength=WORLD.log.n_items)
    choice = WORLD.truth["choice"].query("user == @user")["before"].to_numpy(dtype=float)
    expected = choice / choice.sum() * len(ends)
    some = expected >= 5
    rest = [counts[~some].sum() for counts in (seen, expected)]
    counted = [[*counts[some], other] for counts, other in zip((seen, expected), rest, strict=True)]
    assert some.sum() > 10
    assert chisquare(*counted).pvalue > 1e-3


def test_purchases_are_counted_a_visit():
    user = REAL[7]
    session = int(WORLD.log.rows_of(user)["session"].iloc[-1])
    visits = next_visits(WORLD, user, session, n=200, seed=1)
    expected = np.zeros(WORLD.log.n_items)
    for visit in visits:
        expected[visit.bought] += 1 / 200
    assert np.allclose(next_purchases(WORLD, user, session, n=200, seed=1), expected)


def test_an_open_wish_is_bought_from_what_is_better():
    """With a product left for its price, what comes true costs less; told by many draws."""
    done = WORLD.truth["wishes"].query("outcome == 'fulfilled'")
    price = WORLD.catalogue.frame["price"].to_numpy()
    hits, better = 0, []
    for wish in done.head(40).itertuples():
        visits = next_visits(WORLD, wish.user, wish.closed, n=150)
        mine = [v.target for v in visits if v.aim == "wish" and v.bought and v.kind >= 0]
        mine = [t for t in mine if WORLD.shelf.kinds[WORLD.shelf.kind[t]] == wish.kind]
        hits += wish.bought in mine
        assert wish.left not in mine
        if wish.told == "price":
            better.append(np.mean(price[mine] < price[wish.left]))
    assert hits > 36
    assert np.mean(better) > 0.5


def test_only_visits_that_were_made_are_forecast():
    spam = int(WORLD.truth["users"].query("spam")["user"].iloc[0])
    session = int(WORLD.log.rows_of(REAL[0])["session"].iloc[0])
    with pytest.raises(UnknownUser, match="made no visit"):
        next_visits(WORLD, REAL[1], session)
    with pytest.raises(UnknownUser, match="spam"):
        next_visits(WORLD, spam, int(WORLD.log.rows_of(spam)["session"].iloc[0]))
