"""The boomerang on logs small enough to check by hand, and on ml-100k against the prototype's
numbers."""

import numpy as np
import pandas as pd
import pytest

from workbench.data import Interactions, keep_at_least, keep_core, read_recbole
from workbench.errors import ConfigError, DataError, UnknownUser
from workbench.recommend import EASE, EASEConfig, ItemKNN, Popularity, top_k
from workbench.unlearning import boomerang, leavers, never_had, score_after


def random_log(seed=0, users=40, items=30, n=700):
    rng = np.random.default_rng(seed)
    weight = 1 / np.arange(1, items + 1)
    frame = pd.DataFrame(
        {"user": rng.integers(0, users, n), "item": rng.choice(items, n, p=weight / weight.sum())}
    )
    return Interactions.from_table(
        frame, users=pd.Index(range(users)), items=pd.Index(range(items))
    )


MODELS = [EASE(EASEConfig(l2=10)), ItemKNN(), Popularity()]
every = pytest.mark.parametrize("model", MODELS, ids=repr)


@every
def test_the_fast_way_equals_the_slow_one(model):
    log = random_log()
    model.fit(log)
    before = model.score(log.histories())
    for user in (0, 7, 20):
        ids = log.rows_of(user)["interaction"].to_numpy()[:9]
        rest = log.without(ids)
        fast = score_after(model, log.only(ids), rest.histories())
        slow = type(model)(model.config).fit(rest).score(rest.histories())
        assert np.abs(fast - slow).max() < 1e-10
    assert np.array_equal(model.score(log.histories()), before)


@every
def test_rows_mean_what_they_say(model):
    log, topic, k = random_log(), np.array([3, 8, 9, 14, 21]), 4
    model.fit(log)
    found = boomerang(model, log, topic, k=k, at_least=2)
    x = log.matrix().toarray() > 0
    table = found.table.set_index(["user", "row"])
    for user in found.scores["user"]:
        gone = [i for i in topic if x[user, i]]
        ids = log.rows_of(user).query("item in @gone")["interaction"]
        rest = log.without(ids)
        scores = type(model)(model.config).fit(rest).score(rest.histories([user]))
        lists = {
            "as served before": top_k(model.score(log.histories([user])), k, x[[user]]),
            "after": top_k(scores, k, rest.histories([user]).matrix()),
            "after, tombstone": top_k(scores, k, x[[user]]),
        }
        match = int(found.scores.set_index("user")["match"][user])
        lists["never had"] = top_k(model.score(log.histories([match])), k, x[[match]])
        for row, (best,) in lists.items():
            assert table.loc[user, row]["exposed"] == np.isin(best, topic).any()
            assert table.loc[user, row]["share"] == pytest.approx(np.isin(best, topic).mean())
            assert table.loc[user, row]["again"] == np.isin(best, gone).any()
    assert not found.table.query("row in ['as served before', 'after, tombstone']")["again"].any()


def test_nobody_else_deletes_and_seeds_repeat():
    log = random_log()
    model = EASE().fit(log)
    a, b, c = (boomerang(model, log, np.array([3, 8, 9]), seed=seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(a.table, b.table)
    exact = a.table["row"] != "placebo"
    pd.testing.assert_frame_equal(a.table[exact], c.table[exact])
    one = boomerang(model, log, np.array([3, 8, 9]), users=[a.table["user"].iloc[-1]])
    last = a.table["user"] == a.table["user"].iloc[-1]
    pd.testing.assert_frame_equal(
        one.table[:4], a.table[last][:4].reset_index(drop=True), check_dtype=False
    )


def test_summary_and_repr():
    log = random_log()
    found = boomerang(EASE().fit(log), log, np.array([3, 8, 9, 14]), at_least=2)
    summary = found.to_frame()
    assert list(summary.columns) == ["row", "minus", "estimate", "low", "high", "n"]
    assert summary.query("minus == ''")["estimate"].between(0, 1).all()
    assert set(summary["minus"]) == {"", "as served before"}
    assert repr(found).startswith(f"Boomerang({found.table['user'].nunique()} users: exposed@10 ")
    assert found.auc()["estimate"].between(0, 1).all() and found._repr_html_().startswith("<table>")
    assert found.auc()["list"].iloc[-1] == "other items that neither had"


def test_the_same_model_scores_both():
    log = random_log()
    found = boomerang(Popularity().fit(log), log, np.array([3, 8, 9, 14]), at_least=2)
    assert found.auc()["estimate"].eq(0.5).all(), "popularity cannot tell anybody apart"


def test_the_match_is_the_one_nearest_by_what_is_left():
    log, topic = random_log(), np.array([3, 8, 9, 14, 21])
    found = boomerang(Popularity().fit(log), log, topic, at_least=2)
    held = log.matrix().toarray() > 0
    rest = held.copy()
    rest[:, topic] = False
    left = rest.sum(axis=1)[found.scores["user"]]
    matches = found.scores["match"].to_numpy()
    assert matches.tolist() == never_had(log, topic, left, n=1)[:, 0].tolist()
    near = matches >= 0
    assert near.any() and not held[matches[near]][:, topic].any()
    apart = np.abs(rest.sum(axis=1)[matches[near]] - left[near])
    assert (apart <= np.maximum(2, left[near] / 10)).all(), "somebody like them, or nobody"


def test_nobody_to_delete_for():
    log = Interactions.from_table(pd.DataFrame({"user": [0, 1, 1], "item": [0, 1, 2]}))
    with pytest.raises(DataError, match="nobody to delete for"):
        boomerang(Popularity().fit(log), log, np.array([0]))


def test_a_user_with_nothing_else_and_a_topic_that_all_have():
    rows = [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]
    log = Interactions.from_table(pd.DataFrame(rows, columns=["user", "item"]))
    found = boomerang(EASE().fit(log), log, np.array([0, 1]), at_least=2)
    missing = found.table[found.table["exposed"].isna()]
    assert sorted(zip(missing["user"], missing["row"], strict=True)) == [
        (0, "never had"), (0, "placebo"), (1, "never had"),
    ]  # fmt: skip
    assert found.n_never == 0 and found.auc()["n"].eq(0).all()


def small(rows, users=None):
    """A log from (user, item) pairs, codes as given."""
    frame = pd.DataFrame(rows, columns=["user", "item"])
    ids = {name: pd.Index(range(int(frame[name].max()) + 1)) for name in ("user", "item")}
    return Interactions.from_table(frame, users=ids["user"], items=ids["item"])


def test_who_has_no_match_is_counted_and_has_no_row():
    # user 0 keeps eight others; of those without the topic one has a single item, one has nine
    rows = [(0, i) for i in range(11)] + [(1, 3)] + [(2, i) for i in (0, 1, 2, 3)]
    log = small([*rows, *[(3, i) for i in range(3, 12)]])
    found = boomerang(EASE().fit(log), log, np.array([0, 1, 2]))
    assert found.scores.set_index("user")["match"].to_dict() == {0: 3, 2: 1}
    narrow = small([*rows, *[(3, i) for i in (3, 4, 5, 6)]])
    found = boomerang(EASE().fit(narrow), narrow, np.array([0, 1, 2]))
    assert found.scores.set_index("user")["match"].to_dict() == {0: -1, 2: 1}
    row = found.table.query("row == 'never had'").set_index("user")["exposed"]
    assert found.unmatched == 1 and row.isna().to_dict() == {0: True, 2: False}
    assert found.scores.set_index("user").loc[0].drop("match").isna().all()
    assert "1 without a match" in repr(found) and "1 of 2 have no match" in found._repr_html_()


@every
def test_the_placebo_deletes_other_items_and_is_asked_about_those(model):
    # as many other items as topic items: the placebo can only delete them all
    own, topic = [0, 1, 2, 3, 4, 5], [0, 1, 2]
    log = small(
        [(0, i) for i in own] + [(u, (u * 3 + j) % 9) for u in range(1, 9) for j in range(5)]
    )
    found = boomerang(model.fit(log), log, np.array(topic), users=[0], k=3)
    gone = log.rows_of(0).query("item in [3, 4, 5]")["interaction"]
    rest = log.without(gone)
    scores = type(model)(model.config).fit(rest).score(rest.histories([0]))
    best = top_k(scores, 3, rest.histories([0]).matrix())[0]
    row = found.table.query("row == 'placebo'").iloc[0]
    assert row["again"] == np.isin(best, [3, 4, 5]).any()
    assert (
        row["exposed"] == np.isin(best, [6, 7, 8, 0, 1, 2])[:3].any() * np.isin(best, topic).any()
    )
    assert not np.isin(best, topic).any(), "the topic is still known, so it is masked"


def test_a_placebo_takes_items_whole_and_no_more_rows_than_the_topic_had():
    rows = [(0, 0), (0, 0), (0, 1), (0, 2)] + [(0, i) for i in (3, 4, 5) for _ in range(3)]
    log = small(rows + [(1, i) for i in range(6)] + [(2, i) for i in (3, 4, 5)])
    for seed in range(5):
        found = boomerang(Popularity().fit(log), log, np.array([0, 1, 2]), users=[0], seed=seed)
        # four rows went, so one item of three rows: it is the only one that can come back
        row = found.table.query("row == 'placebo'").iloc[0]
        assert row["again"] == 1 and row["share"] == 0


def test_scores_are_compared_on_the_topic_and_on_what_neither_had():
    log, topic = random_log(), np.array([3, 8, 9, 14, 21])
    model = EASE(EASEConfig(l2=10)).fit(log)
    found = boomerang(model, log, topic, at_least=2)
    x = log.matrix().toarray() > 0
    line = found.scores.dropna().iloc[0]
    user, match = int(line["user"]), int(line["match"])
    ids = log.rows_of(user).query("item in @topic")["interaction"]
    rest = log.without(ids)
    after, never = EASE(EASEConfig(l2=10)).fit(rest).score(rest.histories([user, match]))
    mine = np.isin(np.arange(log.n_items), topic)
    for kind, end in (
        (mine, ""),
        (mine & ~x[user], "_hidden"),
        (~mine & ~x[user] & ~x[match], "_other"),
    ):
        assert line[f"after{end}"] == pytest.approx(after[kind].mean())
        assert line[f"never{end}"] == pytest.approx(never[kind].mean())


def test_an_interval_of_the_matches_counts_each_once():
    # ten deleters, one person without the topic: the row rests on one draw
    rows = [(u, i) for u in range(10) for i in (0, 1, 2, 3 + u % 3)] + [(10, 3), (10, 4)]
    log = small(rows)
    found = boomerang(EASE().fit(log), log, np.array([0, 1, 2]))
    lines = found.to_frame().query("minus == ''").set_index("row")
    assert found.scores["match"].eq(10).all()
    never, after = lines.loc["never had"], lines.loc["after"]
    assert never["high"] - never["low"] > 0.75 > after["high"] - after["low"]
    auc = found.auc().set_index("list").loc["the topic"]
    assert auc["matches"] == 1 and np.isnan(auc["low"])


def test_shares_of_few_users_stay_between_0_and_1():
    log = random_log(users=12, n=200)
    found = boomerang(EASE().fit(log), log, np.array([3, 8, 9, 14]), users=None, at_least=2, k=3)
    for value in ("exposed", "again"):
        means = found.to_frame(value).query("minus == ''")
        assert means["low"].between(0, 1).all() and means["high"].between(0, 1).all()
        assert (means["high"] > means["low"]).all(), "nobody or everybody is no certainty"


def test_users_without_the_topic_are_named():
    log = small([(0, 0), (0, 1), (1, 1), (2, 2)])
    with pytest.raises(DataError, match=r"2 of 3 users hold none of the 1 items.*leave them out"):
        boomerang(Popularity().fit(log), log, np.array([0]), users=[0, 1, 2])


class Halfway(EASE):
    """A model that forgets the first half of a request."""

    def forget(self, removed):
        ids = removed.frame["interaction"].to_numpy()
        return super().forget(removed.only(ids[: len(ids) // 2]))


def test_exact_is_said_only_of_what_a_refit_confirms():
    log, topic = random_log(), np.array([3, 8, 9])
    sound = boomerang(EASE().fit(log), log, topic)
    broken = boomerang(Halfway().fit(log), log, topic)
    assert sound.off == 0 and "exact" not in repr(sound) + sound._repr_html_()
    assert broken.off > 1e-3 and "not exact: off by" in repr(broken)
    assert "not exact" in broken._repr_html_()
    assert (leavers(Halfway().fit(log), log, [1])["off"] > 1e-3).all()
    assert (leavers(EASE().fit(log), log, [1])["off"] == 0).all()


def test_batches_of_users_change_nothing(monkeypatch):
    log = random_log()
    model, topic = EASE().fit(log), np.array([3, 8, 9])
    whole, left = boomerang(model, log, topic), leavers(model, log, np.arange(5))
    monkeypatch.setattr("workbench.recommend.ranking.BATCH", 70)
    pd.testing.assert_frame_equal(boomerang(model, log, topic).table, whole.table)
    pd.testing.assert_frame_equal(leavers(model, log, np.arange(5)), left)


def test_one_genre_of_ml_100k(real_data):
    data = read_recbole(real_data / "ml-100k-recbole")
    kept = keep_core(keep_at_least(data.log, 4), reindex=True)
    log, horror = kept.log, kept.match(data.catalogue).items_of("Horror")
    assert (log.n_users, log.n_items, len(horror)) == (938, 1008, 55)
    found = boomerang(EASE().fit(log), log, horror)
    mean = found.table.groupby("row")[["exposed", "again"]].mean().round(2)
    assert (found.table["user"].nunique(), found.unmatched) == (311, 53)
    want = {"as served before": 0.43, "after": 0.71, "after, tombstone": 0.16, "never had": 0.22}
    assert {row: mean["exposed"][row] for row in want} == want
    assert mean["exposed"]["placebo"] == pytest.approx(0.39, abs=0.03)  # which films is drawn
    assert mean["again"]["after"] == 0.64
    assert mean["again"]["placebo"] > 0.64, "other films come back as often"
    row = found.to_frame().set_index(["row", "minus"]).loc[("after", "as served before")]
    assert row[["estimate", "low", "high"]].round(2).tolist() == pytest.approx(
        [0.27, 0.20, 0.35], abs=0.015
    )
    auc = found.auc().set_index("list")
    assert auc.loc["the topic", "low"] > 0.7
    control = auc.loc["other items that neither had"]
    assert control["low"] < 0.5 < control["high"], "matched: no difference elsewhere"


def test_a_value_that_all_share_has_an_interval_within_its_bounds():
    log = random_log()
    found = boomerang(EASE().fit(log), log, np.array([3, 8, 9]), at_least=3, k=1_000)
    # the whole catalogue is listed: everybody is shown it after, nobody before
    for value in ("exposed", "share", "again"):
        told = found.to_frame(value).dropna()
        assert (told["low"] <= told["estimate"]).all() and (told["estimate"] <= told["high"]).all()
        assert told["low"].where(told["minus"] == "", 0).min() >= 0 and told["high"].max() <= 1
    gained = found.to_frame().set_index(["row", "minus"]).loc[("never had", "as served before")]
    assert (gained["estimate"], gained["high"]) == (1, 1) and gained["low"] < 0.1
    auc = found.auc().query("matches > 1")
    assert (auc["high"] > auc["low"]).all()
    with pytest.raises(ConfigError, match="exposed, share, again"):
        found.to_frame("score")


def test_who_is_named_twice_deletes_once():
    log = random_log()
    once, twice = (boomerang(EASE().fit(log), log, [3, 8, 9], users=u) for u in ([7], [7, 7]))
    pd.testing.assert_frame_equal(once.to_frame(), twice.to_frame())


@pytest.mark.parametrize(
    ("wrong", "error", "told"),
    [
        ({"users": []}, DataError, "nobody to delete for"),
        ({"items": []}, DataError, "no items"),
        ({"users": [40]}, UnknownUser, "40"),
        ({"at_least": 0}, ConfigError, "at_least"),
        ({"at_least": "3"}, ConfigError, "at_least"),
        ({"k": 0}, ConfigError, "k = 0"),
        ({"model": EASE}, ConfigError, "EASE\\(\\)"),
        ({"model": object()}, ConfigError, "object has no fit"),
        ({"log": random_log().frame}, ConfigError, "DataFrame"),
    ],
)
def test_what_nobody_can_delete_is_refused(wrong, error, told):
    log = random_log()
    asked = {"model": EASE().fit(log), "log": log, "items": [3, 8, 9]} | wrong
    with pytest.raises(error, match=told):
        boomerang(**asked)
