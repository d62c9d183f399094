"""Metrics against trec_eval, LensKit-Java and ir_measures, and models against measured and
published numbers."""

import gzip
from pathlib import Path

import ir_measures
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import AP, RR, P, R, Success, nDCG
from logs import make, random_log

from workbench import recommend
from workbench.data import Interactions, keep_at_least, keep_core, read_recbole, split
from workbench.data.splits import Split
from workbench.errors import ConfigError, DataError, UnknownItem, WorkbenchError
from workbench.recommend import (
    EASE,
    EASEConfig,
    ItemKNN,
    ItemKNNConfig,
    Popularity,
    coverage,
    evaluate,
    list_metrics,
    novelty,
    popularity_bias,
    top_k,
)
from workbench.sources.logs.lists import read_lists

METRICS = ["recall", "ndcg", "hit_rate", "mrr", "precision", "average_precision"]


# --- outside oracles ------------------------------------------------------------------------------


@st.composite
def rankings(draw):
    """Distinct scores for some documents, judgements for some, at least one of them relevant."""
    n = draw(st.integers(1, 12))
    order = draw(st.permutations(range(n)))
    listed = draw(st.integers(0, n))
    relevance = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n).filter(any))
    return order[:listed], relevance


@given(rankings(), st.integers(1, 14))
def test_agrees_with_ir_measures(drawn, k):
    order, relevance = drawn
    gains, judged = np.array([[relevance[i] for i in order]]).reshape(1, -1), np.array([relevance])
    ours = list_metrics(gains, judged, k)
    qrels = [ir_measures.Qrel("q", str(i), r) for i, r in enumerate(relevance)]
    run = [ir_measures.ScoredDoc("q", str(i), 100.0 - rank) for rank, i in enumerate(order)]
    theirs = {
        "recall": R @ k,
        "ndcg": nDCG @ k,
        "hit_rate": Success @ k,
        "mrr": RR @ k,
        "precision": P @ k,
    }
    theirs["average_precision"] = AP @ k
    want = (
        ir_measures.calc_aggregate(theirs.values(), qrels, run)
        if run
        else dict.fromkeys(theirs.values(), 0.0)
    )
    for name, measure in theirs.items():
        assert ours[name][0] == pytest.approx(want[measure], abs=1e-9), name


@pytest.mark.real
def test_agrees_with_trec_eval(real_data):
    folder = real_data / "ref-trec-eval"
    with gzip.open(folder / "qrels.test.gz", "rt") as file:
        judged = [(q, doc, int(r)) for q, _, doc, r in map(str.split, file)]
    with gzip.open(folder / "results.test.gz", "rt") as file:
        results = [(q, doc, float(score)) for q, _, doc, _, score, _ in map(str.split, file)]
    known = {(q, doc): max(r, 0) for q, doc, r in judged}
    values = {
        name: []
        for name in ("map", "recip_rank", "P_10", "ndcg_cut_10", "recall_100", "ndcg_cut_100")
    }
    for query in sorted({q for q, _, _ in results}):
        ranked = sorted(((score, doc) for q, doc, score in results if q == query), reverse=True)
        gains = np.array([[known.get((query, doc), 0) for _, doc in ranked]])
        every = np.array([[r for (q, _), r in known.items() if q == query]])
        at = {k: list_metrics(gains, every, k) for k in (10, 100, 1000)}
        values["map"].append(at[1000]["average_precision"][0])
        values["recip_rank"].append(at[1000]["mrr"][0])
        values["P_10"].append(at[10]["precision"][0])
        values["recall_100"].append(at[100]["recall"][0])
        values["ndcg_cut_10"].append(at[10]["ndcg"][0])
        values["ndcg_cut_100"].append(at[100]["ndcg"][0])
    got = {name: round(float(np.mean(v)), 4) for name, v in values.items()}
    want = {"map": 0.1785, "recip_rank": 0.4064, "P_10": 0.3, "ndcg_cut_10": 0.3016}
    assert got == want | {"recall_100": 0.498, "ndcg_cut_100": 0.3916}


@pytest.mark.real
def test_agrees_with_lenskit_java(real_data):
    folder = real_data / "ref-lenskit-java-metrics"
    recs, truth, metrics = (
        pd.read_csv(folder / f"topn-java-{name}.csv.gz") for name in ("recs", "truth", "metrics")
    )
    rating = truth.set_index(["user", "item"])["rating"]
    lists = {key: t.sort_values("rank")["item"] for key, t in recs.groupby(["Algorithm", "user"])}
    checked = 0
    for row in metrics.itertuples():
        items, own = lists[row.Algorithm, row.user], rating.loc[row.user]
        gains, judged = np.array([own.reindex(items).fillna(0)]), np.array([own])
        # LensKit-Java starts to discount at rank 3, and compares with the ideal list of all ratings
        ours = list_metrics(
            gains, judged, 100, discount=lambda ranks: np.log2(np.maximum(ranks, 2))
        )
        assert ours["ndcg"][0] == pytest.approx(row[3], abs=1e-12)
        assert ours["mrr"][0] == pytest.approx(row[4], abs=1e-12)
        checked += 1
    assert checked == 100


def means(model, parts, **options):
    table = evaluate(model.fit(parts.train), parts, **options)
    return table.groupby(["metric", "k"])["value"].mean(), table


@pytest.fixture(scope="module")
def ml_100k(real_data):
    log = keep_core(
        keep_at_least(read_recbole(real_data / "ml-100k-recbole").log, 4), reindex=True
    ).log
    parts = split(log, "temporal")
    assert (log.n_users, log.n_items, len(log)) == (938, 1008, 54_413)
    assert (len(parts.train), len(parts.test)) == (43_158, 5_857)
    return parts


@pytest.mark.real
@pytest.mark.parametrize(
    ("model", "ndcg", "recall", "within"),
    [
        (Popularity(), 0.053043, 0.060681, 1e-6),
        (EASE(EASEConfig(l2=100)), 0.099139, 0.125962, 1e-6),
        # Measured elsewhere with "ties at the 100th kept": the definition does not say everything.
        # Ours, which brute force confirms (test_counted), gives .098774 and .122274; about one
        # user's target makes the difference.
        (ItemKNN(ItemKNNConfig(k=100)), 0.099076, 0.123381, 1.2e-3),
        (ItemKNN(ItemKNNConfig(k=100)), 0.098774, 0.122274, 1e-6),
    ],
)
def test_ml_100k(ml_100k, model, ndcg, recall, within):
    mean, table = means(model, ml_100k)
    assert mean["ndcg", 10] == pytest.approx(ndcg, abs=within)
    assert mean["recall", 10] == pytest.approx(recall, abs=within)
    assert table["user"].nunique() == 938


@pytest.mark.real
def test_forty_requests_on_ml_100k(ml_100k):
    log = ml_100k.train
    model, remaining = EASE().fit(log), log
    for user in np.random.default_rng(0).choice(938, 40, replace=False):
        ids = log.rows_of(user)["interaction"].to_numpy()[::2]
        model.forget(log.only(ids))
        remaining = remaining.without(ids)
    assert model.updates == 40
    assert np.abs(model.inverse - EASE().fit(remaining).inverse).max() < 1e-10
    assert (
        np.abs(
            model.score(remaining.histories()) - EASE().fit(remaining).score(remaining.histories())
        ).max()
        < 1e-10
    )


AMAZON = [
    (Popularity(), 0.089301, 0.012230, 0.021514, 0.049004),
    (ItemKNN(ItemKNNConfig(k=None)), 0.133094, 0.018676, 0.032756, 0.080839),
    (EASE(EASEConfig(l2=50)), 0.127436, 0.018118, 0.031726, 0.077903),
    (EASE(EASEConfig(l2=100)), 0.133969, 0.019233, 0.033638, 0.082280),
    (EASE(EASEConfig(l2=200)), 0.133167, 0.018885, 0.033079, 0.081979),
]


def amazon(folder: Path) -> Split:
    """The published split: two files of lists."""
    train, test = (read_lists(folder / f"{part}.txt.gz") for part in ("train", "test"))
    users, items = (
        sorted({*getattr(train, name), *getattr(test, name)}) for name in ("users", "items")
    )
    frames = [
        log.frame.assign(user=log.users[log.frame["user"]], item=log.items[log.frame["item"]])
        for log in (train, test)
    ]
    logs = [
        Interactions.from_table(f[["user", "item"]], users=pd.Index(users), items=pd.Index(items))
        for f in frames
    ]
    return Split(logs[0], logs[0].select(np.zeros(len(logs[0]), bool)), logs[1])


@pytest.mark.real
@pytest.mark.parametrize(
    ("model", "recall", "precision", "f1", "ndcg"), AMAZON, ids=[repr(row[0]) for row in AMAZON]
)
def test_amazon_electronics(real_data, model, recall, precision, f1, ndcg):
    parts = amazon(real_data / "bars-amazonelectronics_m1")
    assert (parts.train.n_users, parts.train.n_items, len(parts.train), len(parts.test)) == (
        1435,
        1522,
        31_887,
        4_044,
    )
    mean, _ = means(model, parts, k=(20,))
    r, p = mean["recall", 20], mean["precision", 20]
    assert (r, p) == (pytest.approx(recall, abs=1e-6), pytest.approx(precision, abs=1e-6))
    assert 2 * r * p / (r + p) == pytest.approx(f1, abs=1e-6)
    assert mean["ndcg", 20] == pytest.approx(ndcg, abs=1e-6)


# --- what evaluate does with a split --------------------------------------------------------------


class Fixed:
    """Scores that do not depend on anything; remembers what it was asked."""

    def __init__(self, scores: list[float]) -> None:
        self.scores, self.asked = np.array(scores, dtype=float), []

    def score(self, histories):
        self.asked.append(histories)
        return np.tile(self.scores, (len(histories), 1))


def three(train, valid, test):
    log = make([*train, *valid, *test])
    cuts = np.repeat([0, 1, 2], [len(train), len(valid), len(test)])
    return Split(*(log.select(cuts == code) for code in range(3)))


PARTS = three([(0, 0), (1, 1)], [(0, 1)], [(0, 2), (0, 3), (1, 0)])
FALLING = [7, 6, 5, 4, 3, 2, 1]


def value(table, user, metric, k):
    return table.set_index(["user", "metric", "k"])["value"][user, metric, k]


def test_every_user_with_targets_has_a_row_per_metric_and_k():
    table = evaluate(Fixed(FALLING), PARTS, k=(1, 3))
    assert list(table.columns) == ["user", "metric", "k", "value", "n_targets"]
    assert len(table) == 2 * len(METRICS) * 2 and set(table["metric"]) == set(METRICS)
    assert table.groupby("user")["n_targets"].first().to_dict() == {0: 2, 1: 1}


def test_masks_and_histories_are_choices():
    train_only = evaluate(Fixed(FALLING), PARTS, k=(2,))
    assert value(train_only, 0, "recall", 2) == 0.5  # 1, 2 offered
    both = evaluate(Fixed(FALLING), PARTS, k=(2,), masked=("train", "valid"))
    assert value(both, 0, "recall", 2) == 1.0  # 2, 3 offered
    unmasked = evaluate(Fixed(FALLING), PARTS, k=(2,), mask_seen=False)
    assert value(unmasked, 0, "recall", 2) == 0.0  # 0, 1 offered
    model = Fixed(FALLING)
    evaluate(model, PARTS, history=("train", "valid"))
    assert list(model.asked[0].item) == [0, 1, 1]
    valid = evaluate(Fixed(FALLING), PARTS, k=(1,), on="valid")
    assert value(valid, 0, "hit_rate", 1) == 1.0 and set(valid["user"]) == {0}


def test_batches_change_nothing(monkeypatch):
    parts = split(random_log(), "temporal", by="position")
    model = EASE().fit(parts.train)
    want = evaluate(model, parts)
    monkeypatch.setattr("workbench.recommend.evaluation.BLOCK", 7 * parts.train.n_items)
    assert evaluate(model, parts).equals(want)


def test_nothing_to_evaluate_and_wrong_options():
    assert evaluate(Fixed(FALLING), three([(0, 0)], [], [])).empty
    with pytest.raises(ConfigError, match="no part 'trian'"):
        evaluate(Fixed(FALLING), PARTS, history=("trian",))
    for k in ((), 0, (1.5,), 2.0, True, (10, 0), "10", [[1, 2]]):
        with pytest.raises(ConfigError, match="a whole number from 1, or several"):
            evaluate(Fixed(FALLING), PARTS, k=k)


def test_what_is_no_model_and_no_split_is_refused():
    with pytest.raises(ConfigError, match=r"model: the class EASE\. .*EASE\(\)"):
        evaluate(EASE, PARTS)
    with pytest.raises(ConfigError, match="model: float has no score"):
        evaluate(3.0, PARTS)
    with pytest.raises(ConfigError, match=r"split: a Interactions\. .*split\(log, how\)"):
        evaluate(Fixed(FALLING), PARTS.train)


def test_one_cut_off_or_several_in_any_form():
    want = evaluate(Fixed(FALLING), PARTS, k=(2,))
    assert evaluate(Fixed(FALLING), PARTS, k=2).equals(want)
    want = evaluate(Fixed(FALLING), PARTS, k=(1, 3))
    assert evaluate(Fixed(FALLING), PARTS, k=np.array([1, 3])).equals(want)


def test_nothing_to_find_is_not_zero():
    assert all(
        np.isnan(v).all() for v in list_metrics(np.zeros((1, 2)), np.zeros((1, 2)), 2).values()
    )


def test_beyond_accuracy():
    log = make([(0, 0), (0, 1), (1, 0), (2, 0), (3, 0)])
    lists = np.array([[0, 1], [1, -1], [-1, -1], [5, 6]])
    assert coverage(lists, 7) == 4 / 7
    assert novelty(lists, log) == pytest.approx([1.0, 2.0, np.nan, 2.0], nan_ok=True)
    bias = popularity_bias(lists, log, np.array([0, 0, 0, 5]))
    assert bias == pytest.approx([0.0, -0.6, np.nan, np.nan], nan_ok=True)


# --- people without a list ------------------------------------------------------------------------


def newcomers(names):
    """Eight old people who had the first two items, eight new ones who will have the other two."""
    rows = [(f"old{u}", names[i], u) for u in range(8) for i in (0, 1)]
    rows += [(f"new{u}", names[i], 100) for u in range(8) for i in (2, 3)]
    frame = pd.DataFrame(rows, columns=["user", "item", "timestamp"])
    log = Interactions.from_table(frame, timestamp="timestamp")
    return split(log, "global_time", at=["1970-01-01T00:01:00"] * 2)


class Constant:
    def fit(self, log, valid=None):
        return self

    def score(self, histories):
        return np.ones((len(histories), histories.n_items))


TRAINED = {
    "GRU4Rec": {"embedding": 4, "hidden": 4},
    "NARM": {"embedding": 4, "hidden": 4},
    "SASRec": {"hidden": 4, "inner": 4},
    "SRGNN": {"hidden": 4},
}


def of(name):
    kind = getattr(recommend, name)
    if name not in TRAINED:
        return kind()
    training = recommend.Training(epochs=1, batch=8)
    return kind(kind.Config(**TRAINED[name], training=training))


@pytest.mark.parametrize("name", ["EASE", "ItemKNN", "ALS", *TRAINED])
def test_newcomers_to_whom_a_model_has_nothing_to_say_are_counted_apart(name):
    for names in ("cdab", "abcd"):
        parts = newcomers(names)
        found = evaluate(of(name).fit(parts.train), parts, k=2)
        assert found["user"].nunique() == 8 and found["value"].isna().all()


def test_new_names_of_the_items_change_nothing_for_newcomers():
    for names in ("cdab", "abcd"):
        parts = newcomers(names)
        assert evaluate(Constant(), parts, k=2)["value"].isna().all()
        popular = evaluate(
            Popularity().fit(parts.train), parts, k=2
        )  # everybody's, not the alphabet
        assert (popular["value"] == 0).all()


def test_who_is_answered_keeps_the_value_beside_who_is_not():
    parts = three([(0, 0), (1, 1), (1, 0)], [], [(0, 1), (1, 2), (2, 3)])  # 2 is new
    model = ItemKNN().fit(parts.train)
    found = evaluate(model, parts, k=2).query("metric == 'recall'").set_index("user")["value"]
    assert found.isna().tolist() == [False, False, True] or found.isna().tolist() == [
        False,
        True,
        True,
    ]
    assert found[0] == 1.0
    lists = recommend.evaluation.top_lists(model, parts.train.histories(), 3)
    assert (lists[2:] == -1).all()
    assert np.isnan(novelty(lists, parts.train)[2:]).all()


def test_a_constant_model_has_no_list_coverage_or_novelty():
    log = random_log(2, users=20, items=12, n=60)
    lists = recommend.evaluation.top_lists(Constant(), log.histories(), 5, log.matrix())
    assert (lists == -1).all() and coverage(lists, 12) == 0
    assert np.isnan(novelty(lists, log)).all()


def test_errors_that_are_no_persons_are_raised_still():
    class Broken(Constant):
        def score(self, histories):
            raise DataError("no baskets here")

    with pytest.raises(DataError, match="no baskets"):
        evaluate(Broken(), PARTS, k=1)


def test_lists_and_people_that_do_not_fit_a_log_are_refused():
    log = random_log()
    lists = top_k(Popularity().fit(log).score(log.histories()), 2)
    for users in ([0], np.arange(log.n_users) == 1, [*range(log.n_users - 1), log.n_users]):
        with pytest.raises(WorkbenchError, match="users"):
            popularity_bias(lists, log, users)
    for wrong in (lambda: coverage(lists, 1), lambda: novelty([[log.n_items]], log)):
        with pytest.raises(UnknownItem):
            wrong()
    assert coverage([[0, 1]], 4) == 0.5
