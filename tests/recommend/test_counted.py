"""Exact forgetting: laws that hold for every log and every sequence of requests."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import ITEMS, USERS, logs, make, random_log, requests
from safetensors.numpy import load_file
from scipy import sparse

from workbench.data import Interactions
from workbench.errors import DataError, ModelError, TooLarge
from workbench.recommend import (
    EASE,
    Counted,
    EASEConfig,
    ItemKNN,
    ItemKNNConfig,
    Popularity,
    Recommender,
    top_k,
)

MAKERS = {
    "popularity": Popularity,
    "itemknn": lambda: ItemKNN(ItemKNNConfig(k=3)),
    "itemknn, centred": lambda: ItemKNN(ItemKNNConfig(k=3, normalise=True, centre=True)),
    "itemknn, all": lambda: ItemKNN(ItemKNNConfig(k=None)),
    "ease": lambda: EASE(EASEConfig(l2=2.0)),
}
CSR = ("data", "indices", "indptr")
every = pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS.keys())


def same(name: object, a: np.ndarray, b: np.ndarray) -> bool:
    """Integers exactly; the linear model to rounding."""
    return np.allclose(a, b, rtol=0, atol=1e-10) if isinstance(name, EASE) else np.array_equal(a, b)


def matrices(model: Counted) -> list[sparse.csr_array]:
    """All that is counted in whole numbers."""
    if isinstance(model, EASE):
        return [model.cells.counts]
    if isinstance(model, ItemKNN):
        return [model.state.cells.counts, model.state.pairs]
    return [model.state.counts]


@every
@given(requests())
def test_forgetting_equals_a_refit(maker, drawn):
    log, parts = drawn
    model, everybody = maker().fit(log), log.histories()
    remaining = log
    for ids in parts:
        model.forget(log.only(ids))
        remaining = remaining.without(ids)
        refit = maker().fit(remaining)
        assert same(model, model.score(everybody), refit.score(everybody))
        for mine, want in zip(matrices(model), matrices(refit), strict=True):
            assert all(np.array_equal(getattr(mine, part), getattr(want, part)) for part in CSR)


@every
@given(requests(), st.randoms(use_true_random=False))
def test_the_order_of_requests_does_not_matter(maker, drawn, random):
    log, parts = drawn
    shuffled = random.sample(parts, len(parts))
    a, b = maker().fit(log), maker().fit(log)
    for first, second in zip(parts, shuffled, strict=True):
        a.forget(log.only(first))
        b.forget(log.only(second))
    assert same(a, a.score(log.histories()), b.score(log.histories()))


@every
@given(logs)
def test_everything_can_be_forgotten(maker, log):
    model = maker().fit(log).forget(log)
    assert not model.score(log.histories()).any()


@pytest.mark.parametrize("maker", [m for n, m in MAKERS.items() if n != "popularity"])
@given(logs)
def test_contributions_sum_to_the_score(maker, log):
    model, histories = maker().fit(log), log.histories()
    items = np.tile(np.arange(ITEMS), (USERS, 1))
    table = model.contributions(histories, items)
    assert list(table.columns) == ["row", "item", "interaction", "weight"]
    assert len(table) == len(log) * ITEMS
    sums = np.zeros((USERS, ITEMS))
    np.add.at(sums, (table["row"], table["item"]), table["weight"])
    alone = model.state.offset if isinstance(model, ItemKNN) else 0
    assert np.allclose(sums + alone, model.score(histories), atol=1e-12)


@given(logs)
def test_popularity_reads_no_history(log):
    table = Popularity().fit(log).contributions(log.histories(), np.zeros(USERS, int))
    assert len(table) == len(log) and not table["weight"].any()


def test_rows_of_one_cell_share_its_contribution():
    log = make([(0, 1), (0, 1), (0, 2), (1, 1), (1, 2), (1, 3), (2, 3), (2, 1)])
    table = EASE(EASEConfig(l2=1.0)).fit(log).contributions(log.histories([0]), np.array([3]))
    weights = table.set_index("interaction")["weight"]
    assert weights[0] == weights[1] != 0
    assert table["item"].eq(3).all()
    assert len(EASE().fit(log).contributions(log.histories([0]), np.array([[-1, 3]]))) == 3


def test_a_cell_leaves_with_its_last_row():
    log = make([(0, 1), (0, 1), (1, 1), (1, 2)])
    model = Popularity().fit(log)
    assert model.forget(log.only([0])).score(log.histories([0]))[0, 1] == 2
    assert model.forget(log.only([1])).score(log.histories([0]))[0, 1] == 1


@every
def test_a_row_cannot_be_forgotten_twice(maker):
    log = make([(0, 1), (1, 1), (1, 2), (2, 1)])
    model = maker().fit(log).forget(log.only([0]))
    before = model.score(log.histories())
    for ids in ([0], [0, 1]):
        with pytest.raises(DataError, match="is not among the rows that the model holds"):
            model.forget(log.only(ids))
    assert np.array_equal(model.score(log.histories()), before)


@every
@given(requests())
def test_a_copy_is_independent(maker, drawn):
    log, parts = drawn
    model = maker().fit(log)
    before, twin = model.score(log.histories()), model.copy()
    twin.forget(log.only(parts[0]))
    assert np.array_equal(model.score(log.histories()), before)
    model.forget(log)
    assert same(
        twin, twin.score(log.histories()), maker().fit(log.without(parts[0])).score(log.histories())
    )


@every
def test_save_and_load(maker, tmp_path):
    log = random_log()
    model = maker().fit(log).forget(log.only([3, 4]))
    for _ in range(2):  # the second takes the place of the first
        model.save(tmp_path / "model")
    loaded = type(model).load(tmp_path / "model")
    assert loaded.config == model.config
    assert np.array_equal(loaded.score(log.histories()), model.score(log.histories()))
    loaded.forget(log.only([5])), model.forget(log.only([5]))
    assert np.array_equal(loaded.score(log.histories()), model.score(log.histories()))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]
    assert isinstance(model, Counted) and isinstance(model, Recommender)


@every
def test_a_saved_model_names_no_cell_that_was_forgotten(maker, tmp_path):
    log = random_log()
    single = log.frame.drop_duplicates(["user", "item"], keep=False)
    gone = [
        *log.rows_of(7)["interaction"],
        *single.loc[single["user"] != 7, "interaction"].iloc[:20],
    ]
    model, refit, left = maker().fit(log), maker().fit(log.without(gone)), log.without(gone)
    twin = model.copy()
    for name, one in {
        "forgotten": model.forget(log.only(gone)),
        "refitted": refit,
        "twin": twin,
    }.items():
        one.save(tmp_path / name)
    found, want, old = (
        load_file(tmp_path / name / "arrays.safetensors")
        for name in ("forgotten", "refitted", "twin")
    )
    assert found.keys() == want.keys()
    assert all(same(model, found[name], want[name]) for name in found)
    users = np.repeat(np.arange(log.n_users), np.diff(found["cells.indptr"]))
    assert set(zip(users, found["cells.indices"], strict=True)) == set(
        zip(left.frame["user"], left.frame["item"], strict=True)
    )
    assert len(old["cells.data"]) == log.matrix().nnz  # the copy is reached by nothing


def test_an_inverse_that_has_drifted_is_factored_anew_when_read(tmp_path):
    log = random_log()
    model = EASE(EASEConfig(l2=20)).fit(log)
    good, model.inverse[3, 3] = model.inverse[3, 3], model.inverse[3, 3] + 1e-4
    model.save(tmp_path / "model")
    assert EASE.load(tmp_path / "model").inverse[3, 3] == pytest.approx(good, abs=1e-12)


def test_damaged_models_are_refused(tmp_path):
    Popularity().fit(make([(0, 1)])).save(tmp_path / "model")
    with pytest.raises(ModelError, match="holds Popularity"):
        EASE.load(tmp_path / "model")
    (tmp_path / "model" / "arrays.safetensors").write_bytes(b"not a model")
    with pytest.raises(ModelError, match="cannot be read"):
        Popularity.load(tmp_path / "model")
    with pytest.raises(ModelError, match="cannot be read"):
        Popularity.load(tmp_path / "nowhere")


@every
def test_what_is_missing_is_said(maker):
    with pytest.raises(ModelError, match="has not been fitted"):
        maker().score(make([(0, 1)]).histories())
    other = random_log(items=9)
    with pytest.raises(ModelError, match="item index of the fitted log"):
        maker().fit(make([(0, 1)])).score(other.histories())
    with pytest.raises(ModelError, match="item index of the fitted log"):
        maker().fit(make([(0, 1)])).contributions(other.histories([0]), np.zeros(1, int))


# --- EASE alone -----------------------------------------------------------------------------------


@given(logs, st.floats(0.5, 200))
def test_ease_solves_the_ridge_regression_of_the_paper(log, l2):
    x = log.matrix().toarray()
    p = np.linalg.inv(x.T @ x + l2 * np.eye(ITEMS))
    b = -p / np.diag(p)
    np.fill_diagonal(b, 0)
    assert np.allclose(EASE(EASEConfig(l2=l2)).fit(log).score(log.histories()), x @ b, atol=1e-10)


@given(requests())
def test_score_without_equals_forgetting(drawn):
    log, parts = drawn
    model = EASE(EASEConfig(l2=2.0)).fit(log)
    before = model.inverse.copy()
    for ids in parts:
        what_if = model.score_without(log.only(ids), log.histories())
        assert np.array_equal(model.inverse, before)
        assert np.allclose(
            what_if, model.copy().forget(log.only(ids)).score(log.histories()), atol=1e-10
        )


@settings(max_examples=4)  # forty requests each
@given(st.integers(0, 100))
def test_forty_requests_in_place(seed):
    log = random_log(seed)
    model = EASE(EASEConfig(l2=20)).fit(log)
    address = model.inverse.ctypes.data
    ids = (
        np.random.default_rng(seed)
        .permutation(log.frame["interaction"])[:400]
        .reshape(40, 10)[:, :1]
    )
    for request in ids:
        model.forget(log.only(request))
    refit = EASE(EASEConfig(l2=20)).fit(log.without(ids.ravel()))
    assert np.abs(model.inverse - refit.inverse).max() < 1e-10
    assert model.inverse.ctypes.data == address, "P was copied"
    assert model.residual() < 1e-10


@pytest.mark.parametrize("damage", [-1.0, np.nan, 1e6])
def test_a_damaged_inverse_is_factored_anew(damage):
    log = random_log()
    model = EASE(EASEConfig(l2=20)).fit(log)
    model.inverse *= damage
    assert not model.residual() < 1
    model.forget(log.only(log.rows_of(0)["interaction"]))
    assert model.residual() < 1e-10 and model.updates == 0


def test_rounding_errors_cannot_pile_up():
    log = make([(0, 1), (0, 2), (1, 1), (1, 3), (2, 2), (2, 3)])
    model = EASE(EASEConfig(l2=1.0, check_every=2)).fit(log)
    model.inverse[3, 3] += 1e-6  # too little for the pivots to tell
    assert model.forget(log.only([0])).residual() > 1e-9 and model.updates == 1
    assert model.forget(log.only([2])).residual() < 1e-14 and model.updates == 0
    assert model.forget(log.only([])).updates == 0


def test_a_model_that_would_not_fit_is_refused():
    log = random_log(items=2000, n=50)
    model = EASE(EASEConfig(memory_limit_bytes=20_000_000))
    with pytest.raises(TooLarge, match=r"2,000 items needs 0\.0 GB"):
        model.fit(log)
    assert model.inverse is None
    with pytest.raises(ValueError):
        EASEConfig(l2=0)


# --- ItemKNN alone --------------------------------------------------------------------------------


@given(logs, st.integers(1, 7))
def test_itemknn_keeps_k_neighbours_and_those_that_tie(log, k):
    x = log.matrix().toarray()
    c = x.T @ x
    for i, row in enumerate(ItemKNN(ItemKNNConfig(k=k)).fit(log).state.similarity.toarray()):
        own = {j: c[i, j] / np.sqrt(c[i, i] * c[j, j]) for j in range(ITEMS) if j != i and c[i, j]}
        last = sorted(own.values(), reverse=True)[k - 1] if len(own) >= k else 0
        want = [own.get(j, 0) if own.get(j, 0) >= last * (1 - 1e-12) else 0 for j in range(ITEMS)]
        assert np.allclose(row, want, atol=1e-15)


@given(logs, st.integers(1, 7), st.booleans(), st.booleans())
def test_itemknn_normalises_and_centres_as_its_equations_say(log, k, normalise, centre):
    model = ItemKNN(ItemKNNConfig(k=k, normalise=normalise, centre=centre)).fit(log)
    x, s = log.matrix().toarray(), ItemKNN(ItemKNNConfig(k=k)).fit(log).state.similarity.toarray()
    mean = x.mean(axis=0) if centre else np.zeros(ITEMS)
    want = np.zeros((USERS, ITEMS))
    for u in range(USERS):
        for i in range(ITEMS):
            length = s[i].sum() if normalise and s[i].any() else 1.0
            want[u, i] = mean[i] + sum(s[i, j] / length * (x[u, j] - mean[j]) for j in range(ITEMS))
    assert np.allclose(model.score(log.histories()), want, atol=1e-12)
    nothing = log.histories([0]).without(log.rows_of(0)["interaction"])
    assert np.array_equal(model.score(nothing)[0], model.state.offset)
    assert repr(model) == f"ItemKNN(k={k}, ties=True, normalise={normalise}, centre={centre})"


@given(logs, st.integers(1, 7))
def test_itemknn_without_ties_keeps_the_lower_codes(log, k):
    tied = ItemKNN(ItemKNNConfig(k=k)).fit(log).state.similarity.toarray()
    found = ItemKNN(ItemKNNConfig(k=k, ties=False)).fit(log).state.similarity.toarray()
    for i, row in enumerate(tied):
        best = sorted(np.flatnonzero(row), key=lambda j: (-round(row[j], 10), j))[:k]
        want = np.zeros(ITEMS)
        want[best] = row[best]
        assert np.array_equal(found[i], want)


def test_lists_are_the_same_after_a_round_trip():
    log = random_log()
    model = EASE().fit(log)
    lists = top_k(model.score(log.histories()), 5, log.matrix())
    assert (
        lists.shape == (60, 5) and not log.matrix().toarray()[np.arange(60)[:, None], lists].any()
    )


@every
def test_nobody_asked_nothing_contributed(maker):
    log = make([(0, 1), (0, 2), (1, 2)])
    nobody = log.histories([])
    assert len(maker().fit(log).contributions(nobody, np.zeros(0, int))) == 0


# --- room for the pairs ---------------------------------------------------------------------------


def one_bot(items, others=200):
    """A bot that has every item, and people with five each."""
    rows = [("bot", i) for i in range(items)]
    rows += [(f"u{u}", (u * 7 + j) % items) for u in range(others) for j in range(5)]
    return Interactions.from_table(pd.DataFrame(rows, columns=["user", "item"]))


def test_pairs_that_would_not_fit_are_refused_before_one_is_made(monkeypatch):
    log = one_bot(20_000)
    monkeypatch.setattr("workbench.recommend.cells._together", lambda x: pytest.fail("counted"))
    with pytest.raises(
        TooLarge, match=r"400,000,000 pairs.* 9.6 GB .*20,000 items.*at most 2.0 GB"
    ):
        ItemKNN(ItemKNNConfig(memory_limit_bytes=2 * 10**9)).fit(log)
    monkeypatch.setattr("workbench.recommend.collaborative._room.physical_memory", lambda: 10**9)
    with pytest.raises(TooLarge, match=r"at most 0.5 GB .*half of this machine's memory"):
        ItemKNN().fit(log)


def test_pairs_are_counted_where_the_longest_history_does_not_say():
    log = random_log(5, users=60, items=40, n=900)
    pairs = (log.matrix().T @ log.matrix()).nnz
    for k, size in ((3, 24), (None, 56)):
        fits = ItemKNNConfig(k=k, memory_limit_bytes=size * pairs)
        want = ItemKNN(ItemKNNConfig(k=k)).fit(log).score(log.histories())
        assert np.array_equal(ItemKNN(fits).fit(log).score(log.histories()), want)
        with pytest.raises(TooLarge, match=f"{pairs:,} pairs of items or more"):
            ItemKNN(ItemKNNConfig(k=k, memory_limit_bytes=size * pairs - 1)).fit(log)
