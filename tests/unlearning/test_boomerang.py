"""The boomerang on logs small enough to check by hand, and on ml-100k against the prototype's
numbers."""

import numpy as np
import pandas as pd
import pytest

from workbench.data import Interactions, keep_at_least, keep_core, read_recbole
from workbench.errors import DataError
from workbench.recommend import EASE, EASEConfig, ItemKNN, Popularity, top_k
from workbench.unlearning import boomerang, never_had, score_after


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
    assert found.scores["match"].tolist() == never_had(log, topic, left, n=1)[:, 0].tolist()
    assert not held[found.scores["match"]][:, topic].any()


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


def test_the_prototype_on_ml_100k(real_data):
    data = read_recbole(real_data / "ml-100k-recbole")
    kept = keep_core(keep_at_least(data.log, 4), reindex=True)
    log, horror = kept.log, kept.match(data.catalogue).items_of("Horror")
    assert (log.n_users, log.n_items, len(horror)) == (938, 1008, 55)
    found = boomerang(EASE().fit(log), log, horror)
    mean = found.table.groupby("row")[["exposed", "again"]].mean().round(2)
    assert found.table["user"].nunique() == 311
    want = {"as served before": 0.43, "after": 0.71, "after, tombstone": 0.16, "never had": 0.18}
    assert {row: mean["exposed"][row] for row in want} == want
    assert mean["exposed"]["placebo"] == pytest.approx(0.39, abs=0.03)  # which rows is drawn
    assert mean["again"]["after"] == 0.64
    row = found.to_frame().set_index(["row", "minus"]).loc[("after", "as served before")]
    assert row[["estimate", "low", "high"]].round(2).tolist() == pytest.approx(
        [0.27, 0.20, 0.35], abs=0.015
    )
