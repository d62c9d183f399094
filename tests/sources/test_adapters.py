"""Adapters against stand-ins with the same surface as the libraries, each with scores that are
known."""

import numpy as np
import pandas as pd
import pytest

from workbench.errors import ConfigError, DataError, UnknownUser
from workbench.recommend import check_recommender
from workbench.recommend.laws import small_log
from workbench.sources.adapters import ImplicitModel, RecBoleModel, RecToolsModel


class Factors:
    """implicit's matrix factorisation: vectors, and a fold-in."""

    def fit(self, user_items, show_progress=True):
        self.item_factors = np.linalg.svd(user_items.toarray())[2][:, :4].astype(np.float32)
        self.user_factors = (user_items @ self.item_factors).astype(np.float32)

    def recalculate_user(self, userid, user_items):
        return user_items @ self.item_factors


class Neighbours:
    """implicit's item-item model: a list per user, filled up with −1."""

    def fit(self, user_items, show_progress=True):
        self.similarity = (user_items.T @ user_items).toarray()

    def recommend(self, userid, user_items, N=10, filter_already_liked_items=True):
        assert not filter_already_liked_items and user_items.shape[0] == len(userid)
        scores = user_items @ self.similarity
        order = np.argsort(-scores, axis=1)[:, :N]
        values = np.take_along_axis(scores, order, axis=1)
        return np.where(values > 0, order, -1), np.where(
            values > 0, values, -np.finfo(np.float32).max
        )


class Table:
    """RecTools: lists as a table, items of score 0 left out."""

    def fit(self, dataset):
        self.counts = dataset.groupby("item_id").size()

    def recommend(self, users, dataset, k, filter_viewed):
        assert not filter_viewed
        lists = [self.counts.rename("score").reset_index().assign(user_id=user) for user in users]
        return pd.concat(lists)[["user_id", "item_id", "score"]]


def test_implicit_factors_and_fold_in():
    log = small_log()
    histories = log.histories(np.arange(20))
    stored, folded = (
        ImplicitModel(Factors()).fit(log),
        ImplicitModel(Factors(), fold_in=True).fit(log),
    )
    assert np.allclose(stored.score(histories), folded.score(histories), atol=1e-4)
    less = histories.without(histories.interaction[::2])
    assert np.array_equal(stored.score(less), stored.score(histories))
    assert not np.allclose(folded.score(less), folded.score(histories), atol=1e-2)
    for model in (stored, folded):
        assert check_recommender(model).broken == []


def test_fold_in_needs_a_model_that_can(monkeypatch):
    with pytest.raises(ConfigError, match="fold_in: Neighbours has no recalculate_user"):
        ImplicitModel(Neighbours(), fold_in=True)

    def refuse(self, userid, user_items):
        raise NotImplementedError

    monkeypatch.setattr(Factors, "recalculate_user", refuse)
    model = ImplicitModel(Factors(), fold_in=True).fit(small_log())
    with pytest.raises(ConfigError, match="Factors has no recalculate_user"):
        model.score(small_log().histories([1]))


def test_implicit_neighbours():
    log = small_log()
    model = ImplicitModel(Neighbours()).fit(log)
    counts = log.counts().toarray()
    assert np.allclose(model.score(log.histories()), counts @ counts.T @ counts)
    assert check_recommender(model).broken == []


def test_rectools_lists():
    log = small_log()
    model = RecToolsModel(Table(), lambda table: table).fit(log)
    counts = log.frame.groupby("item").size().reindex(range(log.n_items))
    want = counts.fillna(counts.min() - 1).to_numpy()
    assert np.array_equal(model.score(log.histories([3, 1, 3])), np.tile(want, (3, 1)))
    with pytest.raises(UnknownUser, match="user code 23"):
        model.score(log.histories([23]))
    assert check_recommender(model).broken == []


@pytest.mark.parametrize("sequences", [False, True])
def test_recbole_scores(sequences):
    torch = pytest.importorskip("torch")

    class Module(torch.nn.Module):
        """RecBole's: item and user codes begin with 1; in training mode the scores are none."""

        USER_ID = "user"

        def __init__(self, log):
            super().__init__()
            table = np.random.default_rng(0).random((log.n_users + 1, log.n_items))
            self.table = torch.nn.Parameter(torch.tensor(table), requires_grad=False)
            if sequences:
                self.ITEM_SEQ, self.ITEM_SEQ_LEN, self.max_seq_length = "seq", "length", 5

        def full_sort_predict(self, asked):
            scores = (
                self.table[asked["seq"]].sum(1)
                if sequences
                else self.table[asked["user"]].reshape(-1)
            )
            return scores * np.nan if self.training else scores

    log = small_log()
    items = np.append(np.arange(1, log.n_items), -1)  # the item without rows is not met
    model = RecBoleModel(Module, lambda module: (items, np.arange(1, log.n_users + 1)), dict).fit(
        log
    )
    scores = model.score(log.histories([2, 5]))
    assert scores.shape == (2, log.n_items) and scores.dtype == np.float32
    assert (scores[:, -1] < scores[:, :-1].min(axis=1)).all()
    table = np.random.default_rng(0).random((log.n_users + 1, log.n_items))
    last = log.rows_of(2)["item"].to_numpy()[-5:] + 1
    want = table[last].sum(axis=0) if sequences else table[3]
    assert np.allclose(scores[0, :-1], want[1:])
    assert model.score(log.histories([])).shape == (0, log.n_items)
    twin = model.copy()
    twin.model.table[:], twin.items[:] = 0, -1
    assert np.array_equal(model.score(log.histories([2, 5])), scores)
    if sequences:
        with pytest.raises(DataError, match="row 1 has no item that the model has met"):
            model.score(log.histories([2, 23]))
    assert check_recommender(model).broken == []
