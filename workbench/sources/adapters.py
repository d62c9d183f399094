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


class ImplicitModel:
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
        self.shape = (log.n_users, log.n_items)
        return self

    def score(self, histories: Histories) -> np.ndarray:
        """Scores (B, n_items) in float32 for factors, float64 for neighbours."""
        check_items(histories, fitted(self.shape, self)[1])
        if not len(histories):
            return np.zeros((0, self.shape[1]), np.float32)
        read = _matrix(histories.counts())
        if hasattr(self.model, "item_factors"):
            if self.fold_in:
                try:
                    users = np.asarray(self.model.recalculate_user(np.arange(len(histories)), read))
                except NotImplementedError as error:  # so say all of implicit's models but ALS
                    raise _no_fold_in(self.model) from error
            else:
                users = np.asarray(self.model.user_factors)[_known(histories.user, self.shape[0])]
            # one product a user: BLAS rounds a row differently in another batch
            return np.stack([np.asarray(self.model.item_factors) @ user for user in users])
        users = np.arange(len(histories))
        ids, values = self.model.recommend(
            users, read, N=self.shape[1], filter_already_liked_items=False
        )
        scores = np.zeros((len(histories), self.shape[1]))
        row, at = np.nonzero(np.asarray(ids) >= 0)
        listed = np.isfinite(np.asarray(values)[row, at]) & (
            np.asarray(values)[row, at] > -1e30
        )  # filled up with these
        scores[row[listed], np.asarray(ids)[row, at][listed]] = np.asarray(values)[row, at][listed]
        return scores

    def copy(self) -> Self:
        """An independent copy."""
        return copy.deepcopy(self)


class RecToolsModel:
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
        table = pd.DataFrame(
            {
                "user_id": rows["user"].astype(int),
                "item_id": rows["item"].astype(int),
                "weight": 1.0,
            }
        )
        self.data = self.dataset(table.assign(datetime=times))
        self.model.fit(self.data)
        self.users, self.n_items = np.unique(rows["user"]), log.n_items
        return self

    def score(self, histories: Histories) -> np.ndarray:
        """Scores (B, n_items), float32, of the users as they were when fitted."""
        known = fitted(self.users, self)
        check_items(histories, self.n_items)
        users, row = np.unique(histories.user, return_inverse=True)
        absent = users[~np.isin(users, known)]
        if len(absent):
            raise UnknownUser(
                f"user code {absent[0]}", "histories", "users with rows in the fitted log"
            )
        made = self.model.recommend(
            users.astype(int), self.data, k=self.n_items, filter_viewed=False
        )
        scores = np.full((len(users), self.n_items), np.nan, dtype=np.float32)
        scores[np.searchsorted(users, made["user_id"]), made["item_id"].to_numpy(int)] = made[
            "score"
        ]
        least = np.where(np.isnan(scores), np.inf, scores).min(
            axis=1, initial=np.inf, keepdims=True
        )
        return np.where(
            np.isnan(scores), np.where(np.isinf(least), np.float32(0), least - 1), scores
        )[row]

    def copy(self) -> Self:
        """An independent copy."""
        return copy.deepcopy(self)


class RecBoleModel:
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
        return self

    def score(self, histories: Histories) -> np.ndarray:
        """Scores (B, n_items), float32; items the model has not met score one below the row's
        lowest."""
        import torch

        model = fitted(self.model, self)
        check_items(histories, len(self.items))
        if not len(histories):
            return np.zeros((0, len(self.items)), np.float32)
        model.eval()  # the caller's training may have ended with dropout on
        if hasattr(model, "ITEM_SEQ"):
            longest = int(model.max_seq_length)
            rows = [self.items[histories.item[histories.row(b)]] for b in range(len(histories))]
            rows = [row[row > 0][-longest:] for row in rows]
            empty = next((b for b, row in enumerate(rows) if not len(row)), None)
            if empty is not None:
                do = "leave it out, or score it with a counted model"
                raise DataError(
                    f"row {empty} has no item that the model has met",
                    "histories",
                    "one item at least",
                    do,
                )
            padded = np.stack([np.pad(row, (0, longest - len(row))) for row in rows])
            fields = {
                model.ITEM_SEQ: padded,
                model.ITEM_SEQ_LEN: np.array([len(row) for row in rows]),
            }
        else:
            users = self.users[_known(histories.user, len(self.users))]
            if (users < 1).any():
                raise UnknownUser(
                    f"user code {histories.user[users < 1][0]}",
                    "histories",
                    "users of the fitted log",
                )
            fields = {model.USER_ID: users}
        with torch.no_grad():
            asked = self.interaction(
                {name: torch.as_tensor(value) for name, value in fields.items()}
            )
            found = model.full_sort_predict(asked).reshape(len(histories), -1).cpu().numpy()
        scores = np.repeat(
            found[:, 1:].min(axis=1, keepdims=True) - 1, len(self.items), axis=1
        ).astype(np.float32)
        met = self.items > 0
        scores[:, met] = found[:, self.items[met]]
        return scores

    def copy(self) -> Self:
        """An independent copy; `train`, `tokens` and `interaction` are the same functions."""
        made = copy.copy(self)
        made.model = copy.deepcopy(self.model)
        if made.model is not None:
            made.items, made.users = self.items.copy(), self.users.copy()
        return made


def _matrix(counts: sparse.csr_array) -> sparse.csr_matrix:
    # these libraries ask for the older class by name
    return sparse.csr_matrix(counts, dtype=np.float32)


def _no_fold_in(model: Any) -> ConfigError:
    what, do = (
        f"{type(model).__name__} has no recalculate_user",
        "take implicit's ALS, or leave fold_in off",
    )
    return ConfigError(what, "fold_in", "a model that makes a user's vector of a history", do)


def _known(users: np.ndarray, n_users: int) -> np.ndarray:
    absent = (users < 0) | (users >= n_users)
    if absent.any():
        raise UnknownUser(f"user code {users[absent][0]}", "histories", f"codes below {n_users}")
    return users
