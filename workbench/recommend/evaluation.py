"""How good are the lists? Values per user, so that any two models can be compared user by user."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from workbench.data import Interactions
from workbench.data.splits import Split
from workbench.errors import ConfigError
from workbench.recommend.protocol import Recommender
from workbench.recommend.ranking import top_k

PARTS = ("train", "valid", "test")


def log2_discount(ranks: np.ndarray) -> np.ndarray:
    """log₂(rank + 1), the discount of Järvelin & Kekäläinen as trec_eval has it."""
    return np.log2(ranks + 1.0)


def list_metrics(
    gains: np.ndarray,
    judged: np.ndarray,
    k: int,
    discount: Callable[[np.ndarray], np.ndarray] = log2_discount,
) -> dict[str, np.ndarray]:
    """Ranking metrics of B lists, cut at k; each (B,). NaN where a list has nothing to find.

    gains: (B, L) gain of the item at each rank, best first, 0 for irrelevant ones and beyond the end of a list.
    judged: (B, J) gains of all that could be found, in any order, filled up with zeros.
    recall = hits / relevant; precision = hits / k; hit_rate = any hit; mrr = 1 / rank of the first hit;
    average_precision = mean over all relevant items of the precision at their ranks (0 if not found), as trec_eval's
    map; ndcg = Σ gain / discount(rank) over the same of the best list possible.

    >>> {name: float(v[0]) for name, v in list_metrics(np.array([[0.0, 1.0]]), np.array([[1.0]]), 2).items()}["mrr"]
    0.5
    """
    gains = np.pad(gains[:, :k].astype(float), ((0, 0), (0, max(0, k - gains.shape[1]))))
    ideal = -np.sort(-judged.astype(float), axis=1)[:, :k]
    hits, relevant = gains > 0, (judged > 0).sum(axis=1)
    ranks = np.arange(1, k + 1, dtype=float)
    found, first = hits.sum(axis=1), np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, np.inf)
    weights = 1 / discount(ranks)
    best = (ideal * weights[: ideal.shape[1]]).sum(axis=1)
    with np.errstate(invalid="ignore"):  # 0 / 0: nothing to find
        return {
            "recall": found / relevant,
            "ndcg": (gains * weights).sum(axis=1) / best,
            "hit_rate": np.where(relevant > 0, hits.any(axis=1), np.nan),
            "mrr": np.where(relevant > 0, 1 / first, np.nan),
            "precision": np.where(relevant > 0, found / k, np.nan),
            "average_precision": (hits * np.cumsum(hits, axis=1) / ranks).sum(axis=1) / relevant,
        }


def evaluate(
    model: Recommender,
    split: Split,
    k: Sequence[int] = (10, 20),
    mask_seen: bool = True,
    *,
    history: Sequence[str] = ("train",),
    masked: Sequence[str] = ("train",),
    on: str = "test",
    batch: int = 1024,
) -> pd.DataFrame:
    """Rank all items for every user with targets; [user, metric, k, value, n_targets], one row per user, metric and k.

    history: the parts of the split the model reads a user's rows from; masked: the parts whose items are never
    offered (unless `mask_seen` is off). Published numbers differ in both, and by more than models do: say which.
    on: the part with the targets. A user without targets has no row. Targets that are masked can never be hit and
    still count, as in a list that is filtered after the fact.

    >>> evaluate(EASE().fit(s.train), s).groupby(["metric", "k"])["value"].mean()  # doctest: +SKIP
    """
    for part in (*history, *masked, on):
        if part not in PARTS:
            raise ConfigError(f"no part {part!r}", "evaluate", f"some of {', '.join(PARTS)}")
    if not k or min(k) < 1:
        raise ConfigError(f"k = {k!r}", "evaluate", "cut-offs of 1 or more, such as (10, 20)")
    targets, seen = _matrix(split, (on,)), _matrix(split, masked)
    log = _joined(split, history)
    users = np.flatnonzero(np.diff(targets.indptr))
    tables = []
    for start in range(0, len(users), batch):
        some = users[start : start + batch]
        lists = top_k(model.score(log.histories(some)), max(k), seen[some] if mask_seen else None)
        wanted = targets[some].toarray()
        gains = np.take_along_axis(wanted, np.maximum(lists, 0), axis=1) * (lists >= 0)
        for cut in k:
            values = pd.DataFrame(list_metrics(gains, wanted, cut)).assign(user=some, k=cut)
            tables.append(values.assign(n_targets=wanted.sum(axis=1).astype(np.int64)))
    if not tables:
        return pd.DataFrame(columns=["user", "metric", "k", "value", "n_targets"])
    table = pd.concat(tables).melt(["user", "k", "n_targets"], var_name="metric", value_name="value")
    table = table.sort_values(["user", "k"], kind="stable", ignore_index=True)
    return table[["user", "metric", "k", "value", "n_targets"]]


def coverage(lists: np.ndarray, n_items: int) -> float:
    """Share of the catalogue that stands in at least one list; lists (B, k) as from `top_k`."""
    return len(np.unique(lists[lists >= 0])) / n_items


def novelty(lists: np.ndarray, log: Interactions) -> np.ndarray:
    """Mean self-information −log₂ p(i) of each list, in bits; (B,), NaN for an empty list.

    p(i): share of the users of `log` who have the item; items that nobody has count as one user's
    (Zhou et al., PNAS 2010).
    """
    owners = np.diff(log.matrix().tocsc().indptr)
    return _list_mean(lists, -np.log2(np.maximum(owners, 1) / max(log.frame["user"].nunique(), 1)))


def popularity_bias(lists: np.ndarray, log: Interactions, users: np.ndarray) -> np.ndarray:
    """How much more popular a user's list is than the user's own items: ratio of mean counts − 1; (B,).

    0 means as popular as what the user chose (popularity lift, Abdollahpouri et al., RecSys 2020 workshop). NaN for
    a user without rows or an empty list.
    """
    x = log.matrix()
    owners = np.diff(x.tocsc().indptr).astype(float)
    own = x[users]
    with np.errstate(invalid="ignore", divide="ignore"):
        return _list_mean(lists, owners) / (own @ owners / np.diff(own.indptr)) - 1


def _list_mean(lists: np.ndarray, value: np.ndarray) -> np.ndarray:
    there = lists >= 0
    with np.errstate(invalid="ignore"):
        return (value[np.maximum(lists, 0)] * there).sum(axis=1) / there.sum(axis=1)


def _joined(split: Split, parts: Sequence[str]) -> Interactions:
    first, *rest = (getattr(split, part) for part in dict.fromkeys(parts))
    if not rest:
        return first
    frame = pd.concat([first.frame, *(log.frame for log in rest)]).sort_values("position", ignore_index=True)
    return Interactions(frame, first.users, first.items)


def _matrix(split: Split, parts: Sequence[str]):
    return _joined(split, parts).matrix()
