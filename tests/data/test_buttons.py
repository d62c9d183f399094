"""Presses are rows of the log, and in nothing that is read from it."""

import numpy as np
import pandas as pd
import pytest

from workbench.data import BUTTONS, Catalogue, Interactions, split
from workbench.data.buttons import kept_out
from workbench.errors import ConfigError, DataError, UnknownItem, UnknownUser
from workbench.recommend import EASE, basket_task, collaborative_task, evaluate, session_task
from workbench.recommend.laws import small_log
from workbench.reports.recpilot import press_row

LOG = small_log()
FIELDS = ("user", "offsets", "item", "action", "basket", "position", "interaction", "session")


def pressed(log=LOG, seed=0, n=40):
    """The log with presses by people who have rows and by one who has none, on products of all
    kinds."""
    rng = np.random.default_rng(seed)
    for user, item in rng.integers(0, (log.n_users, log.n_items), (n, 2)).tolist():
        log = press_row(log, user, item, str(rng.choice(list(BUTTONS))))
    return log


PRESSED = pressed()


def scattered(seed=0):
    """The same, read from a table in which presses stand among the other rows."""
    names = {"timestamp": "timestamp", "action": "action", "session": "session"}
    names |= {"basket": "basket", "interaction": "interaction"}
    frame = PRESSED.frame.sample(frac=1, random_state=seed)
    rng = np.random.default_rng(seed)
    spread = pd.to_timedelta(rng.integers(0, 10**6, len(frame)), unit="s")
    presses = frame["action"].isin(BUTTONS)
    frame["timestamp"] = frame["timestamp"].where(~presses, frame["timestamp"] - spread)
    index = {"users": LOG.users, "items": LOG.items}
    return Interactions.from_table(frame, **names, **index)


def same_frames(one, two):
    text = [part.frame.assign(action=part.frame["action"].astype(str)) for part in (one, two)]
    return text[0].equals(text[1])


def test_a_press_is_the_last_row_with_a_new_id():
    log = press_row(LOG, 3, 5, "owned", "2030-01-02")
    row = log.frame.iloc[-1]
    assert row["interaction"] == LOG.frame["interaction"].max() + 1
    assert (row["user"], row["item"], row["action"]) == (3, 5, "owned")
    assert row["timestamp"] == pd.Timestamp("2030-01-02", tz="UTC")
    assert row["position"] == LOG.frame["position"].max() + 1 and pd.isna(row["session"])
    assert log.frame.dtypes.drop("action").equals(LOG.frame.dtypes.drop("action"))
    assert log.index_fingerprint == LOG.index_fingerprint and log.fingerprint != LOG.fingerprint
    assert press_row(LOG, 3, 5, "owned").frame["timestamp"].iloc[-1] == LOG.frame["timestamp"].max()


def test_ids_are_never_given_again():
    log = press_row(LOG, 3, 5, "owned")
    first = log.last_id
    gone = log.without([first])
    assert gone.fingerprint == LOG.fingerprint
    assert press_row(gone, 3, 5, "dislike").last_id == first + 1
    # nor those of rows that left before anything was pressed, however often the log is cut
    few = LOG.select(np.arange(len(LOG)) < 3).without([int(LOG.frame["interaction"].iloc[0])])
    assert press_row(few, 3, 5, "owned").last_id == first
    nothing = few.without(few.frame["interaction"])
    assert press_row(nothing, 3, 5, "owned").frame["interaction"].tolist() == [first]


def test_what_is_no_press_is_refused():
    with pytest.raises(ConfigError, match="no button 'buy'"):
        press_row(LOG, 3, 5, "buy")
    with pytest.raises(UnknownUser):
        press_row(LOG, LOG.n_users, 5, "owned")
    with pytest.raises(UnknownItem):
        press_row(LOG, 3, LOG.n_items, "owned")
    with pytest.raises(UnknownItem):
        press_row(LOG, 3, -1, "owned")
    with pytest.raises(DataError, match="a press at 2020"):
        press_row(LOG, 3, 5, "owned", "2020-01-01")
    with pytest.raises(ConfigError, match="unreadable time"):
        press_row(LOG, 3, 5, "owned", 12)


def test_a_log_without_times_takes_presses():
    table = pd.DataFrame({"user": ["a", "a", "b"], "item": ["x", "y", "x"]})
    log = press_row(Interactions.from_table(table), 0, 1, "dislike")
    assert log.frame["timestamp"].isna().all() and len(log) == 4 and len(log.deeds) == 3
    with pytest.raises(DataError, match="this log has none"):
        press_row(log, 0, 1, "dislike", "2030-01-02")


@pytest.mark.parametrize("log", [PRESSED, scattered()], ids=["at the end", "scattered"])
def test_nothing_that_is_read_holds_a_press(log):
    ids = log.frame.loc[log.frame["action"].isin(BUTTONS), "interaction"]
    left = log.without(ids)
    assert len(ids) == 40 and same_frames(log.deeds, left)
    assert not set(BUTTONS) & set(log.deeds.frame["action"].cat.categories)
    whole, without = log.histories(), left.histories()
    assert all(np.array_equal(getattr(whole, name), getattr(without, name)) for name in FIELDS)
    assert whole.actions == without.actions == LOG.histories().actions
    for name in ("counts", "matrix"):
        assert (getattr(log, name)() != getattr(left, name)()).nnz == 0
    assert log.by_session().fingerprint == left.by_session().fingerprint


def test_a_log_without_presses_is_its_own_deeds():
    assert LOG.deeds is LOG
    shared = LOG.of_rows(LOG.frame.assign(action=pd.Categorical(["share"] * len(LOG))))
    assert shared.deeds is shared  # a foreign action counts as before


@pytest.mark.parametrize("how", ["temporal", "leave_one_out", "session", "next_basket", "random"])
def test_splits_and_evaluation_are_those_without(how):
    one, two = split(PRESSED, how), split(LOG, how)
    for part in ("train", "valid", "test"):
        assert getattr(one, part).fingerprint == getattr(two, part).fingerprint
    tables = [evaluate(EASE().fit(parts.train), parts) for parts in (one, two)]
    assert tables[0].equals(tables[1])


@pytest.mark.parametrize("task", [collaborative_task, session_task, basket_task])
def test_tasks_are_those_without(task):
    one, two = task(scattered()), task(scattered().deeds)
    assert one.train.fingerprint == two.train.fingerprint and one.counts() == two.counts()
    assert (one.targets != two.targets).nnz == 0 and np.array_equal(one.people, two.people)


def test_what_is_kept_out():
    price = [5, 7, 9, 7, np.nan, 7]
    shop = pd.DataFrame({"item": range(6), "title": list("abcdef"), "price": price})
    kinds = shop.assign(kind=["pan", "pan", "pan", "pot", "pan", "pan"])
    catalogue = Catalogue.from_table(kinds)
    table = pd.DataFrame({"user": ["u"] * 6, "item": range(6)})
    log = Interactions.from_table(table)
    out = {name: kept_out(press_row(log, 0, 1, name), catalogue) for name in BUTTONS}
    assert out["dislike"] == out["owned"] == {(0, 1)}
    assert out["budget"] == {(0, 1), (0, 2), (0, 5)}  # a pan as dear or dearer
    # without a price, or a kind, it is the product alone
    assert kept_out(press_row(log, 0, 4, "budget"), catalogue) == {(0, 4)}
    bare = Catalogue.from_table(kinds.assign(kind=""))
    assert kept_out(press_row(log, 0, 1, "budget"), bare) == {(0, 1)}
    assert kept_out(log, catalogue) == set()
