"""Models of other libraries as recommenders: `fit`, `score`, `copy`, and nothing that the library
does not give.

The libraries are no dependency; the adapters know them by their methods only. Codes of the log are
the ids that the library sees, so nothing has to be looked up. None of them forgets or tells
contributions. Run by hand with implicit 0.7.3, RecTools 0.19.0 and RecBole 1.2.1 (one epoch of BPR
and of GRU4Rec); the tests use stand-ins.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy import sparse

from workbench.data import Histories, Interactions
from workbench.errors import ConfigError, DataError, UnknownUser
from workbench.recommend.protocol import check_items, fitted


class _Adapter:
    """What the adapters have in common."""

    bound: str | None = None
    """`index_fingerprint` of the fitted log."""

    def copy(self) -> Self:
        """An independent copy; functions and classes are the same."""
        return copy.deepcopy(self)


class ImplicitModel(_Adapter):
    """A model as in `implicit` (0.7): `fit(csr)`, `recommend(users, csr, N, …)`, and
    `user_factors`, `item_factors`.

    Models with factors score with the stored vector of the user, whatever the history says, or,
    with `fold_in`, with the one that `recalculate_user` makes of the history. Models without
    factors (nearest neighbours) read the history through `recommend`; what they do not list scores
    0. Stored vectors raise `UnknownUser` for other users; `fold_in` raises `ConfigError` for a
    model without `recalculate_user`.

    >>> ImplicitModel(implicit.als.AlternatingLeastSquares(factors=32), fold_in=True).fit(log)  # doctest: +SKIP
    """

    def __init__(self, model: Any, fold_in: bool = False) -> None:
        self.model, self.fold_in = model, fold_in
        self.shape: tuple[int, int] | None = None
        self._fresh = copy.deepcopy(model)
        if fold_in and not hasattr(model, "recalculate_user"):
            raise _no_fold_in(model)

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Self:
        """Fit a fresh copy of the model on rows per user and item; `valid` is not used."""
        self.model = copy.deepcopy(self._fresh)
        self.model.fit(_matrix(log.counts()), show_progress=False)
        self.shape, self.bound = (log.n_users, log.n_items), log.index_fingerprint
        return self

    def score(self, histories: Histories) -> np.ndarray:
        """Scores (B, n_items) in float32 for factors, float64 for neighbours."""
        n_users, n_items = fitted(self.shape, self)
        check_items(histories, n_items, self.bound)
        if not len(histories):
            return np.zeros((0, n_items), np.float32)
        rows, read = np.arange(len(histories)), _matrix(histories.counts())
        if not hasattr(self.model, "item_factors"):
            asked = {"N": n_items, "filter_already_liked_items": False}
            ids, values = map(np.asarray, self.model.recommend(rows, read, **asked))
            scores = np.zeros((len(rows), n_items))
            # lists are filled up with -1, or with the lowest number there is
            row, place = np.nonzero((ids >= 0) & np.isfinite(values) & (values > -1e30))
            scores[row, ids[row, place]] = values[row, place]
            return scores
        if self.fold_in:
            try:
                users = self.model.recalculate_user(rows, read)
            except NotImplementedError as error:  # so say all of implicit's models but ALS
                raise _no_fold_in(self.model) from error
        else:
            users = np.asarray(self.model.user_factors)[_known(histories.user, n_users)]
        # one product a user: BLAS rounds a row differently in another batch
        items = np.asarray(self.model.item_factors)
        return np.stack([items @ user for user in np.asarray(users)])


class RecToolsModel(_Adapter):
    """A model as in RecTools (0.19): `fit(dataset)`, `recommend(users, dataset, k, filter_viewed)`
    -> a table.

    dataset: from a table [user_id, item_id, weight, datetime] to the library's dataset,
    `Dataset.construct` itself. The lists are asked for whole, on the dataset the model was fitted
    on: the user is looked up and the history handed to `score` is not read. Items that a list
    leaves out score one below its last. Raises `UnknownUser`.

    >>> RecToolsModel(EASEModel(), Dataset.construct).fit(log)  # doctest: +SKIP
    """

    def __init__(self, model: Any, dataset: Callable[[pd.DataFrame], Any]) -> None:
        self.model, self.dataset = model, dataset
        self.data: Any = None
        self.users: np.ndarray | None = None
        self.n_items = 0

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Self:
        """Fit on all rows, weight 1; where the log has no times, its order stands for them."""
        rows = log.frame
        times = rows["timestamp"].dt.tz_localize(None)
        if times.isna().any():
            times = pd.Timestamp("2000-01-01") + pd.to_timedelta(rows["position"], unit="s")
        table = rows[["user", "item"]].astype(int).set_axis(["user_id", "item_id"], axis=1)
        self.data = self.dataset(table.assign(weight=1.0, datetime=times))
        self.model.fit(self.data)
        self.users, self.n_items = np.unique(rows["user"]), log.n_items
        self.bound = log.index_fingerprint
        return self

    def score(self, histories: Histories) -> np.ndarray:
        """Scores (B, n_items), float32, of the users as they were when fitted."""
        known = fitted(self.users, self)
        check_items(histories, self.n_items, self.bound)
        users, row = np.unique(histories.user, return_inverse=True)
        absent = np.setdiff1d(users, known)
        if len(absent):
            expected = "users with rows in the fitted log"
            raise UnknownUser(f"user code {absent[0]}", "histories", expected)
        asked = {"k": self.n_items, "filter_viewed": False}
        lists = self.model.recommend(users.astype(int), self.data, **asked)
        # users below each other: what a list leaves out scores one below its last
        table = lists.pivot(index="item_id", columns="user_id", values="score").astype(np.float32)
        table = table.reindex(index=range(self.n_items), columns=users)
        return table.fillna(table.min() - 1).fillna(0).to_numpy(np.float32).T[row]


class RecBoleModel(_Adapter):
    """A model as in RecBole (1.2): `full_sort_predict(interaction)` -> all scores, item 0 being its
    padding.

    train: from a log to a trained model; RecBole trains through files and a config of its own, so
    this is the caller's. tokens: from the trained model to its item codes (n_items,),
    `dataset.token2id(iid, …)`, −1 for items it has not met, and its user codes (n_users,) likewise.
    interaction: the library's class, from a dictionary of tensors. Needs torch. Sequence models get
    the history (`DataError` where it is empty), others the user (`UnknownUser`).

    >>> RecBoleModel(train, tokens, recbole.data.interaction.Interaction).fit(log)  # doctest: +SKIP
    """

    def __init__(
        self, train: Callable[[Interactions], Any], tokens: Callable[[Any], Any], interaction: Any
    ) -> None:
        self.train, self.tokens, self.interaction = train, tokens, interaction
        self.model: Any = None

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Self:
        """Call `train`."""
        self.model = self.train(log)
        self.items, self.users = (np.asarray(codes, np.int64) for codes in self.tokens(self.model))
        self.bound = log.index_fingerprint
        return self

    def score(self, histories: Histories) -> np.ndarray:
        """Scores (B, n_items), float32; items the model has not met score one below the row's
        lowest."""
        import torch

        model = fitted(self.model, self)
        check_items(histories, len(self.items), self.bound)
        if not len(histories):
            return np.zeros((0, len(self.items)), np.float32)
        model.eval()  # the caller's training may have ended with dropout on
        if hasattr(model, "ITEM_SEQ"):
            fields = self._sequences(histories)
        else:
            users = self.users[_known(histories.user, len(self.users))]
            if (users < 1).any():
                what = f"user code {histories.user[users < 1][0]}"
                raise UnknownUser(what, "histories", "users of the fitted log")
            fields = {model.USER_ID: users}
        tensors = {name: torch.as_tensor(value) for name, value in fields.items()}
        with torch.no_grad():
            found = model.full_sort_predict(self.interaction(tensors))
        found = found.reshape(len(histories), -1).cpu().numpy()
        least = found[:, 1:].min(axis=1, keepdims=True) - 1
        return np.where(self.items > 0, found[:, self.items], least).astype(np.float32)

    def _sequences(self, histories: Histories) -> dict[str, np.ndarray]:
        """The items that the model has met, as it wants them: the last ones, filled up with 0."""
        longest, rows = int(self.model.max_seq_length), []
        for b in range(len(histories)):
            items = self.items[histories.item[histories.row(b)]]
            rows.append(items[items > 0][-longest:])
            if not len(rows[-1]):
                what = f"row {b} has no item that the model has met"
                do = "leave it out, or score it with a counted model"
                raise DataError(what, "histories", "one item at least", do)
        padded = np.stack([np.pad(row, (0, longest - len(row))) for row in rows])
        return {self.model.ITEM_SEQ: padded, self.model.ITEM_SEQ_LEN: np.array([*map(len, rows)])}


def _matrix(counts: sparse.csr_array) -> sparse.csr_matrix:
    # these libraries ask for the older class by name
    return sparse.csr_matrix(counts, dtype=np.float32)


def _no_fold_in(model: Any) -> ConfigError:
    what = f"{type(model).__name__} has no recalculate_user"
    do = "take implicit's ALS, or leave fold_in off"
    return ConfigError(what, "fold_in", "a model that makes a user's vector of a history", do)


def _known(users: np.ndarray, n_users: int) -> np.ndarray:
    absent = (users < 0) | (users >= n_users)
    if absent.any():
        raise UnknownUser(f"user code {users[absent][0]}", "histories", f"codes below {n_users}")
    return users
