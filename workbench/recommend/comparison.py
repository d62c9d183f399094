"""A table that holds any models against each other on one task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench import html
from workbench.errors import ConfigError
from workbench.recommend.evaluation import METRICS, evaluate_lists, top_lists
from workbench.recommend.protocol import Recommender, fitted_copy, must_offer
from workbench.recommend.ranking import cutoffs
from workbench.recommend.tasks import Task
from workbench.statistics import paired_bootstrap


@dataclass(frozen=True)
class Comparison:
    """Models on one task: `table` one row per model, `values` one per model and question (NaN:
    unanswered), `models` fitted copies."""

    task: Task
    table: pd.DataFrame
    values: pd.DataFrame
    models: dict[str, Recommender]

    def __repr__(self) -> str:
        ranked = self.table.sort_values(self.table.columns[1], ascending=False, kind="stable")
        best = ranked["model"].iloc[0]
        return f"Comparison({self.task.name}: {len(self.table)} models, the best {best})"

    def to_frame(self) -> pd.DataFrame:
        """The table."""
        return self.table

    def _repr_html_(self) -> str:
        caption = f"{self.task.name}, {len(self.task.histories):,} questions"
        return html.table(self.table.round(3).to_dict("records"), caption)


def compare(
    models: Mapping[str, Recommender],
    task: Task,
    k: int = 10,
    seed: int = 0,
    metric: str = "ndcg",
) -> Comparison:
    """Fit a copy of every model on the training part and ask it the test questions; one row per
    model.

    Columns: the metric (one of `evaluate`'s) with its 95 % interval over persons, every person
    counting once; `vs` = difference to the *first* model, paired; recall of repeat and of novel
    targets on the same lists; `repeats`: share of the listed items that stand in the history;
    `learned`, `unseen`: how often a target scores above an item that the person never had (AUC),
    for targets among the rows the model learned from and for those of the test. Their distance is a
    hint of what the model remembers; what it remembers shows when the rows are taken out.
    `unanswered`: questions to which the model has no list, as in `evaluate`; no number counts
    them, and `vs` is over the persons that both models answer. Every row of the log is something a
    person chose, whatever its value: of ratings, keep the good ones first (`keep_at_least`).

    Raises `ConfigError`, before anything is fitted, for what is no task, no models by name or no
    model, and `ModelError` where `fit` returns something else than the model.

    >>> compare({"popular": Popularity(), "knn": ItemKNN()}, collaborative_task(log)).table  # doctest: +SKIP
    """
    if not isinstance(task, Task):
        want = "what collaborative_task(log), session_task(log) or basket_task(log) makes"
        raise ConfigError(f"a {type(task).__name__}", "task", want)
    if not isinstance(models, Mapping) or not models:
        what = f"a {type(models).__name__}" if models else "no model"
        do = 'compare({"popular": Popularity()}, task)'
        raise ConfigError(what, "models", "at least one, by name", do)
    if metric not in METRICS:
        raise ConfigError(f"metric {metric!r}", "compare", ", ".join(METRICS))
    for name, model in models.items():
        must_offer(model, "fit", "score", where=f"models[{name!r}]")
    (k,) = cutoffs(k, several=False)
    fitted, values, rows = {}, [], []
    for name, model in models.items():
        made = fitted_copy(model, task.train, task.valid if len(task.valid) else None)
        lists = top_lists(made, task.histories, k, task.exclude)
        found = evaluate_lists(lists, task.histories, task.targets, k)
        found = found[found["metric"] == metric]
        fitted[name] = made
        values.append(found.assign(model=name, person=task.person[found["row"]]))
        details = _details(made, task, lists)
        rows.append({"model": name} | details | {"unanswered": int(found["value"].isna().sum())})
    table = pd.concat(values, ignore_index=True)
    means = table.groupby(["model", "person"], sort=False, as_index=False)["value"].mean()
    found = paired_bootstrap(means, "model", "person", seed, within=())
    plain, against = (found[found["minus"] == ""], found[found["minus"] != ""])
    plain = plain.rename(columns={"estimate": metric})[["model", metric, "low", "high"]]
    against = against.rename(columns={"estimate": "vs", "low": "vs low", "high": "vs high"})
    wide = plain.merge(against[["model", "vs", "vs low", "vs high"]], how="left").merge(
        pd.DataFrame(rows)
    )
    return Comparison(task, wide, table, fitted)


def _details(model: Recommender, task: Task, lists: np.ndarray) -> dict[str, float]:
    """Repeat and novel recall, the share of repeats in a list, and the two AUCs."""
    k, asked, recall = lists.shape[1], task.histories, {}
    for only in ("repeat", "novel"):
        found = evaluate_lists(lists, asked, task.targets, (k,), only=only)
        recall[only] = found.loc[found["metric"] == "recall", "value"].mean()
    cells = np.arange(len(lists))[:, None] * asked.n_items + lists
    again = np.isin(cells, asked.rows * asked.n_items + asked.item) & (lists >= 0)
    learned, unseen = task.auc(model, *task.learned), task.auc(model, asked, task.targets)
    shares = {"repeats": again[lists >= 0], "learned": learned, "unseen": unseen}
    # nothing to take a mean of is NaN, without a warning
    return recall | {name: pd.Series(share, dtype=float).mean() for name, share in shares.items()}
