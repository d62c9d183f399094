"""The counted session models: against loops written from the definitions, and exact forgetting for
every request."""

from collections import Counter
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import ITEMS, USERS, logs, make, requests

from workbench.data import Histories, Interactions, open_data
from workbench.errors import DataError, ModelError
from workbench.recommend import (
    SKNN,
    VSKNN,
    Counted,
    LastItem,
    LastItemConfig,
    Markov,
    Recency,
    RecencyConfig,
    SessionItemKNN,
    SessionItemKNNConfig,
    SessionPopularity,
    SKNNConfig,
    VSKNNConfig,
    list_metrics,
    top_k,
)
from workbench.recommend.rows import FittedRows

MAKERS = {
    "markov": Markov,
    "popularity": SessionPopularity,
    "itemknn": SessionItemKNN,
    "sknn": lambda: SKNN(SKNNConfig(k=2, m=3)),
    "sknn, all": SKNN,
    "vsknn": lambda: VSKNN(VSKNNConfig(k=2, m=3, decay=0.4)),
    "last item": LastItem,
    "last two items": lambda: LastItem(LastItemConfig(items=2)),
    "recency": lambda: Recency(RecencyConfig(share=0.3)),
}
every = pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS.keys())
CSR = ("data", "indices", "indptr")
few = settings(max_examples=6)  # each of nine models draws its own
FOREIGN = make(
    [(0, 5), (0, 1), (0, 5), (1, 6), (2, 0), (2, 1), (2, 2), (2, 3), (4, 3), (4, 3)]
).histories()  # 3, 5 empty


def sequences(log: Interactions) -> list[list[tuple[int, int]]]:
    """[(position, item), …] of every sequence that has rows."""
    return [
        list(zip(rows["position"], rows["item"], strict=True))
        for _, rows in log.frame.groupby("user")
    ]


def questions(log: Interactions) -> list[tuple[Histories, list[list[int]]]]:
    """The log's own histories and foreign ones, each also as plain lists of items."""
    both = (log.histories(), FOREIGN)
    return [
        (histories, [histories.item[histories.row(b)].tolist() for b in range(USERS)])
        for histories in both
    ]


def answers(model: Counted, log: Interactions) -> list[np.ndarray]:
    return [model.score(histories) for histories in (log.histories(), FOREIGN)]


def equal(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


# --- oracles: the definitions as loops ------------------------------------------------------------


def pop(log: Interactions) -> list[int]:
    counts = Counter(log.frame["item"].tolist())
    return [counts[i] for i in range(ITEMS)]


def neighbours(log, weight: dict[int, Fraction], k: int, m: int) -> list[tuple[float, set[int]]]:
    """The k most alike of the m most recent candidates, likeness Σ_shared w / (√|X| √Σw²)."""
    held = sorted(
        ((rows[-1][0], {i for _, i in rows}) for rows in sequences(log)),
        key=lambda x: x[0],
        reverse=True,
    )
    candidates = {last for j in weight for last in [x[0] for x in held if j in x[1]][:m]}
    recent = [x for x in held if x[0] in candidates][:m]
    norm = sum(w * w for w in weight.values())
    square = [
        (sum(weight[j] for j in x & weight.keys()) ** 2 / (len(x) * norm), last, x)
        for last, x in recent
    ]
    return [
        (float(s) ** 0.5, x) for s, _, x in sorted(square, key=lambda x: x[:2], reverse=True)[:k]
    ]


def sknn(log, history, config):
    scores = np.zeros(ITEMS)
    for similar, x in neighbours(log, {j: Fraction(1) for j in history}, config.k, config.m):
        scores[list(x)] += similar
    return scores


def vsknn(log, history, config):
    # the last position of an item stays
    weight = {j: Fraction(p + 1, len(history)) for p, j in enumerate(history)}
    scores = np.zeros(ITEMS)
    for similar, x in neighbours(log, weight, config.k, config.m):
        back = next(r for r, j in enumerate(reversed(history), start=1) if j in x)
        scores[list(x)] += similar * max(0.0, 1 - config.decay * back)
    return scores


def itemknn(log, history, config):
    held, scores = [{i for _, i in rows} for rows in sequences(log)], np.zeros(ITEMS)
    n = [sum(i in x for x in held) for i in range(ITEMS)]
    for i in range(ITEMS):
        if history and i != history[-1]:
            both = sum(i in x and history[-1] in x for x in held)
            damp = config.regularisation
            scores[i] = both / np.sqrt((n[i] + damp) * (n[history[-1]] + damp)) if both else 0
    return scores


def markov(log, history, config):
    scores = np.zeros(ITEMS)
    for rows in sequences(log):
        for (_, a), (_, b) in pairwise(rows):
            scores[b] += bool(history) and a == history[-1]
    return scores


LOOPS = [
    (Markov(), markov),
    (SessionItemKNN(), itemknn),
    (SessionItemKNN(SessionItemKNNConfig(regularisation=0)), itemknn),
    (SKNN(), sknn),
    (SKNN(SKNNConfig(k=2, m=3)), sknn),
    (SKNN(SKNNConfig(k=1, m=1)), sknn),
    (VSKNN(), vsknn),
    (VSKNN(VSKNNConfig(k=2, m=3, decay=0.4)), vsknn),
]


@pytest.mark.parametrize(("model", "loop"), LOOPS, ids=[repr(model) for model, _ in LOOPS])
@settings(max_examples=10)
@given(logs)
def test_scores_are_those_of_the_definition_else_pop(model, loop, log):
    model.fit(log)
    for histories, lists in questions(log):
        want = [loop(log, history, model.config) for history in lists]
        want = np.array([scores if scores.any() else pop(log) for scores in want])
        got = model.score(histories)
        assert got.dtype == np.float64 and np.allclose(got, want, rtol=1e-12, atol=0)


@settings(max_examples=10)
@given(logs, st.floats(0.05, 1))
def test_lists_of_the_rules_are_those_of_the_definition(log, share):
    c = pop(log)
    recency, last = Recency(RecencyConfig(share=share)).fit(log), LastItem().fit(log)
    last_two, spop = LastItem(LastItemConfig(items=2)).fit(log), SessionPopularity().fit(log)
    d = Counter(log.frame["item"].to_numpy()[-int(np.ceil(share * len(log))) :].tolist())
    for histories, lists in questions(log):
        offered = [
            top_k(model.score(histories), ITEMS) for model in (spop, last, last_two, recency)
        ]
        for b, history in enumerate(lists):
            n, backwards = Counter(history), list(dict.fromkeys(reversed(history)))
            own = [lambda i, n=n: -n[i]]
            own += [
                lambda i, o=o: o.index(i) if i in o else ITEMS for o in (backwards, backwards[:2])
            ]
            own += [lambda i: -d[i]]
            for got, first in zip(offered, own, strict=True):
                assert got[b].tolist() == sorted(
                    range(ITEMS), key=lambda i, first=first: (first(i), -c[i], i)
                )


# --- exact forgetting -----------------------------------------------------------------------------


@every
@few
@given(requests())
def test_forgetting_equals_a_refit_bit_by_bit(maker, drawn):
    log, parts = drawn
    model, remaining = maker().fit(log), log
    for ids in parts:
        model.forget(log.only(ids))
        remaining = remaining.without(ids)
        refit = maker().fit(remaining)
        assert equal(answers(model, log), answers(refit, log))
        for name in set(vars(model.state)) & {"counts", "sessions", "items"}:
            a, b = (getattr(m.state, name) for m in (model, refit))
            assert a.nnz == b.nnz and all(np.array_equal(getattr(a, f), getattr(b, f)) for f in CSR)
        held, want = model.state.rows, refit.state.rows
        assert all(
            np.array_equal(getattr(held, name), getattr(want, name)) for name in FittedRows.COLUMNS
        )
        assert not np.isin(held.interaction, ids).any()


@every
@few
@given(requests(), st.randoms(use_true_random=False))
def test_the_order_of_requests_does_not_matter(maker, drawn, random):
    log, parts = drawn
    a, b = maker().fit(log), maker().fit(log)
    for first, second in zip(parts, random.sample(parts, len(parts)), strict=True):
        a.forget(log.only(first))
        b.forget(log.only(second))
    assert equal(answers(a, log), answers(b, log))


@every
@few
@given(logs)
def test_everything_can_be_forgotten(maker, log):
    model = maker().fit(log)
    for ids in np.array_split(np.random.default_rng(0).permutation(log.frame["interaction"]), 3):
        model.forget(log.only(ids))
    assert equal(
        answers(model, log), answers(maker().fit(log.without(log.frame["interaction"])), log)
    )
    assert not model.score(FOREIGN.select([3])).any()


@every
@few
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 6)), min_size=2, max_size=30
    ),
    st.data(),
)
def test_sessions_may_be_numbered_anew(maker, table, data):
    """The refit codes its sessions by where they begin, which a deletion changes; the scores may
    not follow."""
    frame = pd.DataFrame(table, columns=["user", "session", "item"])
    whole = Interactions.from_table(frame, session="session", items=pd.Index(range(ITEMS)))
    ids = data.draw(
        st.lists(st.sampled_from(range(len(frame))), unique=True, max_size=len(frame) - 1)
    )
    sessions = whole.by_session()
    model = maker().fit(sessions).forget(sessions.only(ids))
    refit = maker().fit(whole.without(ids).by_session())
    for histories in (FOREIGN, whole.histories()):
        assert np.allclose(model.score(histories), refit.score(histories), rtol=1e-12, atol=0)


def test_a_deletion_in_the_middle_makes_neighbours_adjacent():
    log = make([(0, 1), (0, 2), (0, 3)])
    model = Markov().fit(log)
    ask = make([(0, 1)]).histories([0])
    assert model.score(ask).tolist() == [[0, 0, 1, 0, 0, 0, 0]]
    assert model.forget(log.only([1])).score(ask).tolist() == [[0, 0, 0, 1, 0, 0, 0]]


def test_what_a_limit_cut_off_comes_back():
    # sessions 0, 1, 2, each newer than the last
    log = make([(0, 1), (0, 2), (1, 1), (1, 3), (2, 1), (2, 4)])
    model, ask = SKNN(SKNNConfig(k=1, m=1)).fit(log), make([(0, 1)]).histories([0])
    assert np.flatnonzero(model.score(ask)[0]).tolist() == [1, 4]
    model.forget(log.only([4]))  # 1 leaves the newest session
    assert np.flatnonzero(model.score(ask)[0]).tolist() == [1, 3]
    # session 0 is the newer one by its last row alone
    older = make([(0, 1), (1, 1), (1, 3), (0, 2)])
    model = SKNN(SKNNConfig(k=1, m=1)).fit(older)
    assert np.flatnonzero(model.score(ask)[0]).tolist() == [1, 2]
    assert np.flatnonzero(model.forget(older.only([3])).score(ask)[0]).tolist() == [1, 3]


@every
def test_rows_that_are_not_held_change_nothing(maker):
    log = make([(0, 1), (1, 1), (1, 2), (2, 1)])
    model = maker().fit(log).forget(log.only([0]))
    before = answers(model, log)
    same_ids = make([(0, 3), (1, 3), (1, 3), (2, 3)])
    other_user = make([(0, 1), (2, 1), (2, 2), (2, 1)])  # row 1 has the same id and item
    for removed in (
        log.only([0]),
        log.only([0, 1]),
        same_ids.only([1]),
        other_user.only([1]),
        make([(0, 1)] * 9).only([8]),
    ):
        with pytest.raises(DataError, match="is not among the rows that the model holds"):
            model.forget(removed)
        assert equal(answers(model, log), before)
    assert equal(answers(model.forget(log.only([])), log), before)


# --- contributions --------------------------------------------------------------------------------


@every
@few
@given(logs)
def test_contributions_sum_to_the_score_where_rows_make_it(maker, log):
    model, everything = maker().fit(log), np.tile(np.arange(ITEMS), (USERS, 1))
    for histories, _ in questions(log):
        table, sums = model.contributions(histories, everything), np.zeros((USERS, ITEMS))
        assert list(table.columns) == ["row", "item", "interaction", "weight"]
        assert len(table) == len(histories.item) * ITEMS
        np.add.at(sums, (table["row"], table["item"]), table["weight"])
        score = model.score(histories)
        if isinstance(model, Recency):
            assert not sums.any()
        elif isinstance(model, SessionPopularity | LastItem):
            assert np.array_equal(sums + pop(log), score)
        else:
            told = sums.any(axis=1)
            assert np.allclose(sums[told], score[told], rtol=1e-12, atol=0)
            assert np.array_equal(score[~told], np.tile(pop(log), ((~told).sum(), 1)))
    one = model.contributions(FOREIGN, np.array([3, -1, 2, 0, 3, 1]))
    assert set(one["row"]) == {0, 2, 4}


def test_contributions_name_the_row():
    log = make([(0, 1), (0, 2), (1, 1), (1, 3)])
    ask = make([(0, 2), (0, 1)]).histories([0])
    for model in (Markov(), SessionItemKNN()):
        weights = (
            model.fit(log).contributions(ask, np.array([3])).set_index("interaction")["weight"]
        )
        assert weights[0] == 0 and weights[1] > 0
    weights = SKNN().fit(log).contributions(ask, np.array([3])).set_index("interaction")["weight"]
    assert weights.to_list() == [0, pytest.approx(0.5)]


# --- the rest of the protocol ---------------------------------------------------------------------


@every
@few
@given(requests())
def test_a_copy_is_independent(maker, drawn):
    log, parts = drawn
    model = maker().fit(log)
    before, twin = answers(model, log), model.copy()
    twin.forget(log.only(parts[0]))
    assert equal(answers(model, log), before)
    model.forget(log)
    assert equal(answers(twin, log), answers(maker().fit(log.without(parts[0])), log))


@every
def test_save_and_load(maker, tmp_path):
    log = make([(0, 1), (0, 2), (1, 1), (2, 5), (1, 2), (0, 3), (1, 3), (2, 1)])
    model = maker().fit(log).forget(log.only([3]))
    for _ in range(2):  # the second takes the place of the first
        model.save(tmp_path / "model")
    loaded = type(model).load(tmp_path / "model")
    assert loaded.config == model.config and repr(loaded) == repr(model)
    assert equal(answers(loaded, log), answers(model, log))
    assert equal(
        answers(loaded.forget(log.only([5])), log), answers(model.forget(log.only([5])), log)
    )
    assert isinstance(model, Counted)


@every
def test_edges(maker):
    one = Interactions.from_table(pd.DataFrame({"user": ["a", "a", "b"], "item": ["x", "x", "x"]}))
    model = maker().fit(one)
    assert model.score(one.histories()).shape == (2, 1) and model.score(
        one.histories([])
    ).shape == (0, 1)
    assert top_k(model.score(one.histories()), 5).tolist() == [[0], [0]]
    log = make([(0, 1), (0, 2), (1, 2), (1, 1)])
    model = maker().fit(log)
    unseen = model.score(make([(0, 6)]).histories([0, 1]))  # an item nobody had, and nothing at all
    assert np.isfinite(unseen).all() and top_k(unseen, 7)[1].tolist() == [1, 2, 0, 3, 4, 5, 6]
    with pytest.raises(ModelError, match="has not been fitted"):
        maker().score(log.histories())
    for call in (
        lambda: model.score(one.histories()),
        lambda: model.contributions(one.histories(), np.zeros(2, int)),
    ):
        with pytest.raises(ModelError, match="item index of the fitted log"):
            call()


def test_damaged_models_are_refused(tmp_path):
    SKNN().fit(make([(0, 1)])).save(tmp_path / "model")
    with pytest.raises(ModelError, match="holds SKNN"):
        VSKNN.load(tmp_path / "model")
    broken = SKNN().fit(make([(0, 1), (0, 2)]))
    broken.state.rows.item[1] = 9
    broken.save(tmp_path / "model")
    with pytest.raises(ModelError, match="item 9 of 7"):
        SKNN.load(tmp_path / "model")
    broken.state.rows.item[1] = -1
    broken.save(tmp_path / "model")
    with pytest.raises(ModelError, match="do not fit each other"):
        SKNN.load(tmp_path / "model")
    late = SKNN().fit(make([(0, 1), (0, 2)]))
    late.state.rows.offsets[0] = 1
    late.save(tmp_path / "model")
    with pytest.raises(ModelError, match="do not fit each other"):
        SKNN.load(tmp_path / "model")


# --- real data ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def diginetica(real_data):
    parts = open_data("diginetica", real_data).split
    assert (len(parts.train), parts.train.n_items) == (906_140, 43_097)
    return parts


@pytest.mark.real
@pytest.mark.parametrize("maker", [Markov, SessionItemKNN, SKNN, VSKNN])
def test_forgetting_sessions_of_diginetica(diginetica, maker):
    log, test = diginetica.train, diginetica.test
    log = log.select(log.frame["user"] % 5 == 0)  # a fifth of its sessions
    ask = test.histories(np.unique(test.frame["user"])[::400])
    ids = log.frame["interaction"].to_numpy()[np.isin(log.frame["item"], ask.item)]
    ids = np.random.default_rng(0).choice(ids, 300, replace=False)
    model = maker().fit(log)
    before = model.score(ask)
    model.forget(log.only(ids))
    assert np.array_equal(model.score(ask), maker().fit(log.without(ids)).score(ask))
    assert not np.array_equal(model.score(ask), before)


RUNS = {"ar": (0.591731, 0.316025), "sr": (0.560724, 0.327513)}
RUNS |= {"vsknn": (0.609819, 0.334170), "gru4rec": (0.571059, 0.328896)}


@pytest.mark.real
@pytest.mark.parametrize("name", RUNS)
def test_run_files_of_others_on_rsc15(real_data, name):
    """Lists that another system wrote, and our metrics: HR@20 and MRR@20 over 387 prefixes."""
    folder = real_data / "rsc15-100k-session-rec"
    clicks = pd.read_csv(folder / "yoochoose-clicks-100k_test.txt.gz", sep="\t")
    clicks = {session: rows.to_list() for session, rows in clicks.groupby("SessionId")["ItemId"]}
    runs = pd.read_csv(folder / f"recoms_rsc15_100k_{name}.csv.gz", sep=";")
    lists = np.array([[int(i) for i in text.split(",")] for text in runs["Recommendations"]])
    targets = [clicks[row.SessionId][row.Position + 1] for row in runs.itertuples()]
    got = list_metrics(lists == np.array(targets)[:, None], np.ones((len(lists), 1)), 20)
    assert len(lists) == 387
    assert (got["hit_rate"].mean(), got["mrr"].mean()) == pytest.approx(RUNS[name], abs=1e-6)
