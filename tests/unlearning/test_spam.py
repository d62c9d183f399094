"""Spam and floods: what is planted is as the rules say, and what was there is as it was."""

from functools import cache
from math import ceil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unlearning.worlds import TASKS, small_log, small_task
from workbench.data import Interactions
from workbench.errors import ConfigError, DataError
from workbench.recommend import EASE, Markov, TopFreq
from workbench.recommend.protocol import fitted_copy
from workbench.unlearning import Request, flood, spam
from workbench.unlearning._accounts import fakes
from workbench.unlearning.spam import HOW

kinds = st.sampled_from(sorted(TASKS))
attacks = st.sampled_from(HOW)
shares = st.floats(0.005, 0.2)
seeds = st.integers(0, 4)


def planted(found):
    """The planted rows, `account` from 0."""
    frame = found.log.only(found.planted).frame
    return frame.assign(account=frame["user"] - found.clean.n_users)


@given(st.integers(1, 10_000), st.floats(0.001, 0.5))
def test_as_few_fakes_as_make_the_share(genuine, share):
    n = fakes(genuine, share)
    assert n == max(1, ceil(round(share * genuine / (1 - share), 9)))
    assert n / (genuine + n) >= share - 1e-9
    assert n == 1 or (n - 1) / (genuine + n - 1) < share


@settings(max_examples=20)
@given(kinds, attacks, shares, seeds)
def test_genuine_rows_stay_bit_for_bit_and_planted_ones_are_new(kind, how, share, seed):
    log = small_log()
    found = spam(log, kind, how, share, 3, seed)
    head = found.log.frame.iloc[: len(log)]
    pd.testing.assert_frame_equal(head, log.frame)
    assert found.log.items is log.items and found.log.users[: log.n_users].equals(log.users)
    assert found.log.users.is_unique and len(found.log.users) == log.n_users + len(found.accounts)
    rows = planted(found)
    assert len(rows) == len(found.log) - len(log)
    assert not set(rows["interaction"]) & set(log.frame["interaction"])
    assert set(rows["user"]) == set(found.accounts.tolist())
    for column in ("session", "basket"):
        assert not set(rows[column].dropna()) & set(log.frame[column].dropna())
    assert (rows.groupby("account")["timestamp"].apply(lambda t: t.is_monotonic_increasing)).all()
    assert log.frame["timestamp"].min() <= rows["timestamp"].min()
    assert rows["timestamp"].max() <= log.frame["timestamp"].max()
    again = spam(log, kind, how, share, 3, seed)
    assert again.log.fingerprint == found.log.fingerprint


def test_another_seed_plants_other_rows():
    one, other = (spam(small_log(), "session", share=0.1, n_targets=3, seed=s) for s in (2, 3))
    assert one.log.fingerprint != other.log.fingerprint


@settings(max_examples=20)
@given(kinds, attacks, st.sampled_from([("unpopular", 3), ("popular", 1), ("random", 3)]), seeds)
def test_what_is_promoted_and_behind_what_it_hides(kind, how, sort, seed):
    log, (targets, n) = small_log(), sort
    found = spam(log, kind, how, 0.1, n, seed, targets)
    rows = planted(found)
    frame = log.frame
    if kind == "collaborative":
        frame = frame.drop_duplicates(["user", "item"])
    if kind == "basket":
        frame = frame[frame["basket"].notna()]
        frame = frame[frame.groupby("user")["basket"].transform("nunique") >= 4]
    popular = np.bincount(frame["item"], minlength=log.n_items)
    order = np.sort(popular[popular > 0])
    assert len(found.items) == n
    if targets == "unpopular":
        assert popular[found.items].max() <= order[int(0.2 * len(order)) - 1]
    if targets == "popular":
        assert popular[found.items].min() >= order[-max(1, int(0.05 * len(order)))]
    others = rows["item"][~rows["item"].isin(found.items)]
    if how == "push":
        assert not len(others)
    if how == "bandwagon":
        assert popular[others.unique()].min() >= order[-max(1, int(0.2 * len(order)))]
    assert rows["item"].isin(found.items).groupby(rows["account"]).any().all()


@settings(max_examples=20)
@given(st.sampled_from(["bandwagon", "random", "average"]), seeds)
def test_sessions_are_as_long_as_genuine_ones_with_targets_inside(how, seed):
    log = small_log()
    found = spam(log, "session", how, 0.2, 3, seed)
    rows = planted(found)
    longest = int(log.frame.groupby(["user", "session"]).size().max())
    assert (rows.groupby("account")["session"].nunique() == 1).all()
    for _, own in rows.groupby("account"):
        n, at = len(own), np.flatnonzero(own["item"].isin(found.items))
        assert 4 <= n <= max(4, longest)
        assert len(at) == (2 if n >= 6 else 1)
        assert 0.2 * n <= at.min() and at.max() <= 0.9 * n


@settings(max_examples=15)
@given(st.sampled_from(["bandwagon", "random", "average"]), seeds)
def test_baskets_are_clipped_and_hold_a_target_or_two(how, seed):
    log = small_log()
    found = spam(log, "basket", how, 0.2, 3, seed)
    rows = planted(found)
    genuine = log.frame[log.frame["basket"].notna()]
    genuine = genuine[genuine.groupby("user")["basket"].transform("nunique") >= 4]
    mean = genuine.groupby("user")["basket"].nunique().mean()
    largest = genuine.groupby(["user", "basket"])["item"].nunique().max()
    number = rows.groupby("account")["basket"].nunique()
    assert number.between(4, max(4, 1.5 * mean)).all()
    size = rows.groupby("basket")["item"].size()
    assert size.between(2, max(2, int(0.8 * largest))).all()
    assert (rows.groupby("basket")["item"].nunique() == size).all(), "an item once a basket"
    targets = rows["item"].isin(found.items).groupby(rows["basket"]).sum()
    assert targets.between(1, 2).all()
    assert (rows.groupby("basket")["timestamp"].nunique() == 1).all(), "bought at once"


@settings(max_examples=10)
@given(attacks, seeds)
def test_profiles_hold_an_item_once_and_hide_as_many_as_they_promote(how, seed):
    found = spam(small_log(), "collaborative", how, 0.2, 3, seed)
    rows = planted(found)
    assert not rows.duplicated(["account", "item"]).any()
    if how != "push":
        share = rows["item"].isin(found.items).groupby(rows["account"]).mean()
        assert (share <= 0.5).all() or how == "bandwagon", "few popular items may run out"


def test_lengths_and_gaps_have_the_means_that_are_asked_for():
    """Of many accounts: .8 of the genuine length, .7 of the genuine gap."""
    rng = np.random.default_rng(0)
    lengths = rng.poisson(20, 600) + 10
    person = np.repeat(np.arange(600), lengths)
    frame = pd.DataFrame({"user": person, "session": person})
    frame["item"] = rng.integers(0, 50, len(frame))
    frame["time"] = rng.exponential(100, len(frame)).cumsum() + person * 1e6
    log = Interactions.from_table(frame, timestamp="time", session="session")
    found = spam(log, "session", "random", 0.5, 5)
    rows = planted(found)
    assert len(found.accounts) == 600
    assert rows.groupby("account").size().mean() == pytest.approx(0.8 * lengths.mean(), rel=0.05)
    genuine = log.frame.groupby("user")["timestamp"].diff().dt.total_seconds().mean()
    gaps = rows.groupby("account")["timestamp"].diff().dt.total_seconds()
    late = rows["timestamp"] < log.frame["timestamp"].max()
    assert gaps[late].mean() == pytest.approx(0.7 * genuine, rel=0.05)


def test_average_hides_among_what_people_take_and_random_among_all():
    log = small_log()
    popular = np.bincount(log.frame["item"], minlength=log.n_items)
    means = {}
    for how in ("average", "random", "bandwagon"):
        rows = planted(spam(log, "session", how, 0.5, 3))
        means[how] = popular[rows["item"]].mean()
    assert means["random"] < means["average"] < means["bandwagon"]


def test_ratings_of_accounts():
    frame = small_log().frame[["user", "item", "timestamp"]].assign(value=3.0)
    frame.loc[::2, "value"] = 5.0
    log = Interactions.from_table(frame, timestamp="timestamp", value="value")
    found = spam(log, "collaborative", share=0.2, n_targets=3)
    rows = planted(found)
    own = rows["item"].isin(found.items)
    assert (rows["value"][own] == 5).all() and rows["value"][~own].between(3, 5).all()
    assert rows["session"].isna().all()


@pytest.mark.parametrize("kind", TASKS)
def test_the_scenario_learns_from_spam_and_asks_genuine_people(kind):
    log, clean = small_log(), small_task(kind)
    found = spam(log, kind, share=0.1, n_targets=3)
    ring, each = found.scenario(), found.scenario(size=1, task=clean)
    assert len(ring.requests) == 1 and len(each.requests) == len(found.accounts)
    for scenario in (ring, each):
        task, every = scenario.task, len(scenario.requests)
        assert len(task.train) == len(clean.train) + len(found.planted)
        # served, it is the clean log again, under the longer index
        left = scenario.train(every)
        pd.testing.assert_frame_equal(left.frame, clean.train.frame)
        assert left.users[: clean.train.n_users].equals(clean.train.users)
        assert scenario.forgotten(every).tolist() == sorted(found.planted.tolist())
        # questions, and who they are about, as they were
        assert np.array_equal(task.histories.interaction, clean.histories.interaction)
        assert np.array_equal(task.person, clean.person)
        assert (task.targets != clean.targets).nnz == 0
        assert not set(scenario.leavers(every)) & set(task.histories.user.tolist())
        genuine = np.unique(pd.concat([clean.train.frame, clean.valid.frame])["user"])
        assert scenario.stayers(every).tolist() == genuine.tolist()
        # who they are: people of their own, with what they hold
        assert len(task.people) == task.train.n_users == clean.train.n_users + len(found.accounts)
        fake = task.had[task.people[clean.train.n_users :]]
        assert set(fake.indices) == set(planted(found)["item"])
        for one in scenario.requests:
            assert one.check(task)["rows"].tolist()[0] == len(one)
    assert task.train.index_fingerprint == task.valid.index_fingerprint == task.histories.bound


def test_a_model_refitted_without_the_ring_is_the_model_that_never_met_it():
    for kind, model in (
        ("collaborative", EASE()),
        ("session", Markov()),
        ("basket", TopFreq()),
    ):
        clean = small_task(kind)
        scenario = spam(small_log(), kind, share=0.2, n_targets=3).scenario()
        task = scenario.task
        poisoned = fitted_copy(model, scenario.train(0)).score(task.histories)
        unlearned = fitted_copy(model, scenario.train(1)).score(task.histories)
        never = fitted_copy(model, clean.train).score(clean.histories)
        assert np.array_equal(unlearned, never)
        assert not np.array_equal(poisoned, never)
        lift = (poisoned - never)[:, scenario.items].mean()
        assert lift > 0, "spam lifts what it promotes"


WRONG = {
    "task": ({"task": "pairs"}, ConfigError),
    "attack": ({"how": "love"}, ConfigError),
    "sort": ({"targets": "red"}, ConfigError),
    "share": ({"share": 0.7}, ConfigError),
    "no target": ({"n_targets": 0}, ConfigError),
    "more targets than there are": ({"n_targets": 10}, DataError),
}


@pytest.mark.parametrize("name", WRONG)
def test_spam_that_cannot_be(name):
    options, error = WRONG[name]
    with pytest.raises(error):
        spam(small_log(), **options)


def test_a_log_without_sessions_or_baskets():
    bare = Interactions.from_table(small_log().frame[["user", "item"]])
    for kind in ("session", "basket"):
        with pytest.raises(DataError, match=f"no row has a {kind}"):
            spam(bare, kind)
    found = spam(bare, share=0.1, n_targets=3)
    assert found.log.frame["timestamp"].isna().all() and found.requests()[0].time is None


def test_a_spam_is_shown_with_what_it_does():
    found = spam(small_log(), "session", share=0.1, n_targets=3)
    table = found.to_frame().set_index("items")
    assert table.loc["promoted", "rows after"] > table.loc["promoted", "rows before"]
    assert "promoted" in found._repr_html_()
    assert [type(one) for one in found.requests(5)] == [Request] * ceil(len(found.accounts) / 5)


# --- floods


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(["collaborative", "session"]), st.floats(0.1, 0.9), seeds)
def test_totals_are_equal_and_rates_differ(kind, ratio, seed):
    found = flood(small_log(), kind, 1, ratio, seed)
    table = found.to_frame().set_index("items")
    own, theirs = table.loc["flood"], table.loc["rivals"]
    assert own["wanted"] == theirs["wanted"]
    assert own["rate"] == pytest.approx(ratio * theirs["rate"], rel=0.05)
    assert own["people"] <= theirs["people"]
    again = flood(small_log(), kind, 1, ratio, seed)
    assert again.rows.equals(found.rows)


@cache
def one_action():
    """The same log, of one kind of action."""
    bare = small_log().frame[["user", "item", "timestamp", "session", "basket"]]
    columns = {"timestamp": "timestamp", "session": "session", "basket": "basket"}
    return Interactions.from_table(bare, **columns, items=pd.Index(range(small_log().n_items)))


@cache
def many_shoppers():
    """200 people of six visits of five rows: 4 of 80 items are liked by many, 16 by hardly anybody."""
    chance = np.r_[np.full(4, 0.02), np.full(60, 0.904 / 60), np.full(16, 0.001)]
    frame = pd.DataFrame({"user": np.repeat(np.arange(200), 30)})
    frame["item"] = np.random.default_rng(0).choice(80, len(frame), p=chance)
    frame["session"], frame["time"] = np.arange(len(frame)) // 5, np.arange(len(frame))
    frame["basket"] = frame["session"]
    return Interactions.from_table(frame, timestamp="time", session="session", basket="basket")


@pytest.mark.parametrize("ratio", [0.2, 0.4])
@pytest.mark.parametrize("kind", TASKS)
def test_of_one_action_as_many_rows_of_fewer_people(kind, ratio):
    found = flood(many_shoppers(), kind, 4, ratio)
    table = found.to_frame().set_index("items")
    own, theirs = table.loc["flood"], table.loc["rivals"]
    assert own["rows"] == theirs["rows"] == table.loc["flood, before", "rows"] + len(found.rows)
    assert own["rate"] == pytest.approx(own["people"] / own["rows"])
    # a profile holds four items once: there it takes more people
    least = 0.5 if kind == "collaborative" else ratio
    assert own["rate"] / theirs["rate"] == pytest.approx(least, abs=0.07)
    # every row is learned from, by those who are reached, and of the one kind
    assert sorted(found.planted) == sorted(found.rows["interaction"])
    assert found.rows["action"].nunique() == 1 and set(found.rows["item"]) <= set(found.items)
    assert len(found.scenario().leaving_people(1)) <= 100
    assert flood(many_shoppers(), kind, 4, ratio).rows.equals(found.rows)


def test_a_flooded_product_stands_once_in_a_basket_among_what_was_bought_with_it():
    found = flood(one_action(), "basket", 1)
    train = found.task.train.frame
    assert len(found.planted) > 10
    assert not train.duplicated(["user", "basket", "item"]).any() or (
        found.clean.train.frame.duplicated(["user", "basket", "item"]).any()
    )
    planted = train[train["interaction"].isin(found.planted)]
    baskets = found.clean.train.frame.groupby("basket")["timestamp"].agg(["min", "max"])
    times = baskets.loc[planted["basket"]]
    assert planted["timestamp"].between(times["min"].to_numpy(), times["max"].to_numpy()).all()
    held = set(map(tuple, found.clean.train.frame[["basket", "item"]].to_numpy()))
    assert not held & set(map(tuple, planted[["basket", "item"]].to_numpy()))
    # a model of counts learns it, and no longer knows it once the request is served
    scenario = found.scenario()
    for done, never in ((0, False), (1, True)):
        score = fitted_copy(TopFreq(), scenario.train(done)).score(found.task.histories)
        clean = fitted_copy(TopFreq(), found.clean.train).score(found.clean.histories)
        assert np.array_equal(score, clean) is never


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("log", ["views and more", "one action"])
def test_taking_the_flood_out_leaves_what_there_was(kind, log):
    log = one_action() if log == "one action" else small_log()
    clean, found = TASKS[kind](log), flood(log, kind, 1)
    scenario = found.scenario()
    left = scenario.train(1).frame.drop(columns="position")
    pd.testing.assert_frame_equal(left, clean.train.frame.drop(columns="position"))
    assert scenario.train(1).frame["position"].is_monotonic_increasing
    frame = scenario.train(0).frame
    assert frame["position"].is_unique and frame["interaction"].is_unique
    # every planted row stands behind one of the same visit, at its time
    mine = frame["interaction"].isin(found.planted)
    assert (frame["timestamp"].diff()[mine] == pd.Timedelta(0)).all()
    before = frame["user"].shift()[mine].to_numpy()
    assert np.array_equal(before, frame["user"][mine].to_numpy())
    assert set(frame["item"][mine]) <= set(found.items.tolist())
    if kind == "collaborative":
        assert not frame.duplicated(["user", "item"]).any()
    # it reaches half of the people
    assert len(scenario.leaving_people(1)) <= len(np.unique(clean.owner)) // 2
    assert len(scenario.stayers(1)) > 0
    # never the last thing before the questions of people
    assert np.array_equal(found.task.histories.interaction, clean.histories.interaction)
    whole = scenario.known(0).frame
    assert whole["position"].is_unique
    assert scenario.emptied(1)["emptied"].sum() == 0


def test_a_flood_that_cannot_be():
    with pytest.raises(ConfigError):
        flood(small_log(), "love")
    with pytest.raises(DataError, match="2 at least"):
        flood(one_action(), "basket", 2)
    bare = Interactions.from_table(small_log().frame[["user", "item"]])
    with pytest.raises(DataError, match="session"):
        flood(bare, "session", 1)
