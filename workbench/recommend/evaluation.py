"""How good are the lists? Values per user, so that any two models can be compared user by user."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
from scipy import sparse

from workbench.data import Histories, Interactions
from workbench.data.checks import checked_codes
from workbench.data.histories import spans
from workbench.data.splits import PARTS, Split, joined, joined_logs
from workbench.errors import ConfigError, UnknownItem
from workbench.html import sourced
from workbench.recommend.protocol import Recommender, check_kind, must_offer
from workbench.recommend.ranking import cutoffs, lists_of, one_a_list, scores_or_none

BLOCK = 1 << 24  # scores made at a time
METRICS = ("recall", "ndcg", "hit_rate", "mrr", "precision", "average_precision")


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

    gains: (B, L) gain of the item at each rank, best first, 0 for irrelevant ones and beyond the
    end of a list. judged: (B, J) gains of all that could be found, in any order, filled up with
    zeros. recall = hits / relevant; precision = hits / k; hit_rate = any hit; mrr = 1 / rank of the
    first hit; average_precision = mean over all relevant items of the precision at their ranks (0
    if not found), as trec_eval's map; ndcg = Σ gain / discount(rank) over the same of the best list
    possible.

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


@sourced
def evaluate(
    model: Recommender,
    split: Split,
    k: int | Sequence[int] = (10, 20),
    mask_seen: bool = True,
    *,
    history: Sequence[str] = ("train",),
    masked: Sequence[str] = ("train",),
    on: str = "test",
) -> pd.DataFrame:
    """Rank all items for every user with targets; [user, metric, k, value, n_targets], one row per
    user, metric and k.

    history: the parts of the split the model reads a user's rows from; masked: the parts whose
    items are never offered (unless `mask_seen` is off). Published numbers differ in both, and by
    more than models do: say which. on: the part with the targets. A user without targets has no row.
    Targets that are masked can never be hit and still count, as in a list that is filtered after
    the fact. Somebody whom the model cannot answer (an empty history, an unknown user), or to whom
    it gives one score for all items that may be offered, has no list: `value` is NaN, so that means
    leave them out and `table["value"].isna()` counts them.

    >>> evaluate(EASE().fit(s.train), s).groupby(["metric", "k"])["value"].mean()  # doctest: +SKIP
    """
    if not isinstance(split, Split):
        do = 'evaluate(model.fit(s.train), s) with s = split(log, "temporal")'
        raise ConfigError(f"a {type(split).__name__}", "split", "what split(log, how) makes", do)
    for part in (*history, *masked, on):
        if part not in PARTS:
            raise ConfigError(f"no part {part!r}", "evaluate", f"some of {', '.join(PARTS)}")
    targets = getattr(split, on).matrix()
    users = np.flatnonzero(np.diff(targets.indptr))
    exclude = joined(split, masked).matrix()[users] if mask_seen else None
    histories = joined(split, history).histories(users)
    return evaluate_targets(model, histories, targets[users], k, exclude=exclude).drop(
        columns="row"
    )


def evaluate_targets(
    model: Recommender,
    histories: Histories,
    targets: sparse.csr_array | np.ndarray,
    k: int | Sequence[int] = (10, 20),
    *,
    exclude: sparse.csr_array | None = None,
    only: str = "all",
) -> pd.DataFrame:
    """Rank all items for every history; [row, user, metric, k, value, n_targets], one row per
    history, metric and k.

    targets: what should be found, (B, n_items) non-zero = wanted, or one item code a row (B,).
    exclude: (B, n_items), items never offered. only: `repeat` counts just the targets that stand in
    the history, `novel` those that do not, on the same lists (Li et al., TOIS 2023). Rows left
    without targets have no lines, and those without a list the value NaN.
    """
    must_offer(model, "score")
    longest = max(cutoffs(k))
    targets = as_targets(targets, histories)
    rows = np.flatnonzero(np.diff(targets.indptr))
    lists = np.full((len(histories), longest), -1)
    out = None
    if exclude is not None:
        out = one_a_list(exclude, targets.shape, "exclude")[rows]
    lists[rows] = top_lists(model, histories.select(rows), longest, out)
    return evaluate_lists(lists, histories, targets, k, only=only)


def top_lists(
    model: Recommender, histories: Histories, k: int, exclude: sparse.csr_array | None = None
) -> np.ndarray:
    """The k best items for every history, (B, k) as from `top_k`; −1 fills up, and stands alone
    where the model has no answer."""
    found = lists_of(partial(scores_or_none, model), histories, k, exclude, size=BLOCK)
    return np.pad(found, ((0, 0), (0, k - found.shape[1])), constant_values=-1)


def evaluate_lists(
    lists: np.ndarray,
    histories: Histories,
    targets: sparse.csr_array | np.ndarray,
    k: int | Sequence[int] = (10, 20),
    *,
    only: str = "all",
) -> pd.DataFrame:
    """`evaluate_targets` for lists that are there already, (B, L) item codes as from
    `top_lists`."""
    if only not in ("all", "repeat", "novel"):
        raise ConfigError(f"{only!r}", "only", "all, repeat or novel")
    targets = as_targets(targets, histories)
    if only != "all":
        repeated = targets * histories.matrix()
        targets = sparse.csr_array(repeated if only == "repeat" else targets - repeated)
        targets.eliminate_zeros()
    rows, gains, judged = judged_lists(lists, targets)
    names = ["row", "user", "metric", "k", "value", "n_targets"]
    if not len(rows):
        return pd.DataFrame(columns=names)
    n_targets = judged.sum(axis=1)
    parts = {cut: pd.DataFrame(list_metrics(gains, judged, cut)) for cut in cutoffs(k)}
    silent = (lists[rows] < 0).all(axis=1)
    own = {"row": rows, "user": histories.user[rows], "n_targets": n_targets}
    tables = [part.mask(pd.Series(silent)).assign(k=cut, **own) for cut, part in parts.items()]
    table = pd.concat(tables).melt(
        ["row", "user", "k", "n_targets"], var_name="metric", value_name="value"
    )
    return table.sort_values(["row", "k"], kind="stable", ignore_index=True)[names]


def judged_lists(
    lists: np.ndarray, targets: sparse.csr_array
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What `list_metrics` judges: the rows with targets (R,), whether each listed item is wanted
    (R, L), and True as often as a row has targets (R, most)."""
    n_items, rows = targets.shape[1], np.flatnonzero(np.diff(targets.indptr))
    # whether a listed item is wanted is looked up among the few wanted ones: a dense (B, n_items)
    # is never made
    row, item = targets.nonzero()
    wanted = row.astype(np.int64) * n_items + item
    gains = np.isin(rows[:, None] * n_items + lists[rows], wanted) & (lists[rows] >= 0)
    n_targets = np.diff(targets.indptr)[rows].astype(np.int64)
    return rows, gains, np.arange(n_targets.max(initial=0)) < n_targets[:, None]


def next_items(
    log: Interactions, before: Interactions | None = None, longest: int | None = None
) -> tuple[Histories, np.ndarray]:
    """Every next-item question of a log: (history before the row, its item (B,)), one question per
    row.

    The history of a row is all rows of the same user before it, in `before` (an earlier log, such
    as the training part) and in the log itself; only the last `longest` are kept. Rows that nothing
    precedes are no question.

    >>> next_items(split(by_session(log), "session").test)  # every prefix of every test session  # doctest: +SKIP
    """
    for part in (log,) if before is None else (log, before):
        check_kind(part, Interactions)
    if longest is not None:
        cutoffs(longest, several=False, where="longest")
    whole = log if before is None else joined_logs(before, log)
    histories = whole.histories()
    # rows of the user before this one
    place = np.arange(len(histories.item)) - histories.offsets[histories.rows]
    asked = np.flatnonzero(
        np.isin(histories.interaction, log.frame["interaction"].to_numpy()) & (place > 0)
    )
    length = place[asked] if longest is None else np.minimum(place[asked], longest)
    _, take = spans(asked - length, asked)
    before_each = histories.take(take, histories.user[histories.rows[asked]], length)
    return before_each, histories.item[asked].astype(np.int64)


def as_targets(targets: sparse.csr_array | np.ndarray, histories: Histories) -> sparse.csr_array:
    """Targets (B, n_items) or (B,) item codes, as a 0/1 CSR matrix with sorted columns."""
    shape = (len(histories), histories.n_items)
    if not sparse.issparse(targets):
        targets = checked_codes(targets, histories.n_items, "targets", UnknownItem)
        cells = (np.ones(len(targets)), (np.arange(len(targets)), targets))
        targets = sparse.coo_array(cells, shape=(len(targets), histories.n_items))
    targets = one_a_list(targets, shape, "targets").astype(float)
    targets.sum_duplicates()
    targets.data[:] = 1.0
    return targets
