"""A table that holds any models against each other on one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from workbench import html
from workbench.errors import ConfigError, check_number
from workbench.html import provenance
from workbench.recommend.evaluation import METRICS, evaluate_lists, top_lists
from workbench.recommend.protocol import (
    Recommender,
    fitted_copy,
    must_offer,
    reseeded,
    seeded,
)
from workbench.recommend.ranking import cutoffs
from workbench.recommend.tasks import Task
from workbench.statistics import paired_bootstrap


@dataclass(frozen=True)
class Comparison:
    """Models on one task: `table` one row per model (and metric, where several are asked for),
    `values` one per model, metric, question and seed (NaN: unanswered), `models` fitted copies, of
    the first seed."""

    task: Task
    table: pd.DataFrame
    values: pd.DataFrame
    models: dict[str, Recommender]
    against: str
    k: int

    def __repr__(self) -> str:
        first = self._cells().iloc[:, 0].sort_values(ascending=False, kind="stable")
        return f"Comparison({self.task.name}: {len(self.models)} models, the best {first.index[0]})"

    def to_frame(self) -> pd.DataFrame:
        """The table."""
        return self.table

    @property
    def source(self) -> str:
        """What it was made of, in one line."""
        seeds = self.values.groupby("model")["seed"].nunique().max()
        asked = f"{self.task.name}, {len(self.task.histories):,} questions, lists of {self.k}"
        told = f"{asked}; vs {self.against}; intervals over people"
        data = f"log {self.task.train.fingerprint[:8]}, {told}{' and seeds' * bool(seeds > 1)}"
        return provenance(data=data, users=len(np.unique(self.task.person)), seeds=int(seeds))

    def _repr_html_(self) -> str:
        return html.table(self.table.round(3).to_dict("records"), self.source)

    def to_latex(self, digits: int = 3) -> str:
        """The table for a paper, of the package booktabs: a model a line, a metric a column, with
        its interval; bold what is best.

        >>> print(compare(models, task).to_latex())  # doctest: +SKIP
        """
        cells, lines = self._cells(), self._lines
        rows = [" & ".join(["model", *map(_tex, cells)])]
        for model, row in cells.iterrows():
            told = [_tex(model)]
            for metric, value in row.items():
                low, high = lines.loc[(model, metric), ["low", "high"]]
                best = value == cells[metric].max()
                said = f"{value:.{digits}f}"
                said = f"\\textbf{{{said}}}" if best else said
                told.append(f"{said} [{low:.{digits}f}, {high:.{digits}f}]")
            rows.append(" & ".join(told))
        head, *body = (f"{row} \\\\" for row in rows)
        told = " ".join(html.visible(self.source).split())
        top = [f"% {told}", f"\\begin{{tabular}}{{l{'r' * len(cells.columns)}}}"]
        whole = [*top, "\\toprule", head, "\\midrule", *body, "\\bottomrule", "\\end{tabular}"]
        return "\n".join(whole) + "\n"

    @property
    def _lines(self) -> pd.DataFrame:
        """The table by model and metric."""
        table, metric = self.table, self.values["metric"].iloc[0]
        if "metric" not in table:
            table = table.assign(metric=metric).rename(columns={metric: "value"})
        return table.set_index(["model", "metric"])

    def _cells(self) -> pd.DataFrame:
        """The means: a row a model, a column a metric."""
        lines = self._lines
        return lines["value"].unstack().loc[[*self.models], lines.index.unique("metric")]


def compare(
    models: Mapping[str, Recommender],
    task: Task,
    k: int = 10,
    seed: int = 0,
    metrics: str | Sequence[str] = "ndcg",
    seeds: int | Sequence[int] = 1,
    against: str | None = None,
) -> Comparison:
    """Fit a copy of every model on the training part and ask it the test questions; one row per
    model, and per metric where several are named.

    metrics: of `evaluate`'s; one has a column of its name, several stand as [metric, value]. low,
    high: the 95 % interval over persons, every person counting once. seeds: how often a model that
    draws (`seed`, or one in its config) is fitted, with seeds 0, 1, …, or with those named; 1: as it
    is. Of several the interval is over seeds too, see `over_both`. `vs`: the difference to the
    model `against`, the first unless named, paired; recall of repeat and of novel
    targets on the same lists; `repeats`: share of the listed items that stand in the history;
    `learned`, `unseen`: how often a target scores above an item that the person never had (AUC),
    for targets among the rows the model learned from and for those of the test. Their distance is a
    hint of what the model remembers; what it remembers shows when the rows are taken out.
    `unanswered`: questions to which the model has no list, as in `evaluate`, of several seeds those
    of the one with most; no number counts them, nor a person whom a seed does not answer at all,
    and `vs` is over the persons that both models answer. Every row of the log is something a
    person chose, whatever its value: of ratings, keep the good ones first (`keep_at_least`).

    Raises `ConfigError`, before anything is fitted, for what is no task, no models by name or no
    model, and `ModelError` where `fit` returns something else than the model.

    >>> compare({"mine": Mine(), "EASE": EASE()}, task, seeds=5, against="EASE").table  # doctest: +SKIP
    """
    # nothing is fitted that cannot be compared
    several = pd.api.types.is_list_like(metrics)
    metrics = [*metrics] if several else [metrics]
    _check(models, task, metrics, against)
    metrics = [*dict.fromkeys(metrics)]
    check_number(0, seed=seed)
    against = next(iter(models)) if against is None else against
    (k,) = cutoffs(k, several=False)
    drawn = _drawn(seeds)
    fitted, values, rows = {}, [], []
    for name, model in models.items():
        own = [reseeded(model, one) for one in drawn] if drawn and seeded(model) else [model]
        details = []
        # each seed: fit, list, and look at the lists in every way
        for number, one in enumerate(own):
            made = fitted_copy(one, task.train, task.valid if len(task.valid) else None)
            lists = top_lists(made, task.histories, k, task.exclude)
            found = evaluate_lists(lists, task.histories, task.targets, k)
            found = found[found["metric"].isin(metrics)]
            fitted.setdefault(name, made)
            values.append(found.assign(model=name, seed=number, person=task.person[found["row"]]))
            silent = found["value"].isna().sum() / len(metrics)
            details.append(_details(made, task, lists) | {"unanswered": silent})
        told = pd.DataFrame(details)
        rows.append({"model": name, **told.mean(), "unanswered": told["unanswered"].max()})
    # one row a model and metric
    table = pd.concat(values, ignore_index=True)
    wide = pd.concat([_lines(table, metric, against, seed) for metric in metrics])
    wide = wide.merge(pd.DataFrame(rows).astype({"unanswered": int}))
    if not several:
        wide = wide.drop(columns="metric").rename(columns={"value": metrics[0]})
    made = Comparison(task, wide, table, fitted, against, k)
    wide.attrs["provenance"] = made.source
    return made


def _check(models: Any, task: Any, metrics: list[Any], against: str | None) -> None:
    if not isinstance(task, Task):
        want = "what collaborative_task(log), session_task(log) or basket_task(log) makes"
        raise ConfigError(f"a {type(task).__name__}", "task", want)
    if not isinstance(models, Mapping) or not models:
        what = f"a {type(models).__name__}" if models else "no model"
        do = 'compare({"popular": Popularity()}, task)'
        raise ConfigError(what, "models", "at least one, by name", do)
    for one in metrics or [""]:
        if not isinstance(one, str) or one not in METRICS:
            raise ConfigError(f"metric {one!r}", "compare", ", ".join(METRICS))
    if against not in (None, *models):
        raise ConfigError(f"no model is called {against!r}", "against", ", ".join(models))
    for name, model in models.items():
        must_offer(model, "fit", "score", where=f"models[{name!r}]")


def _drawn(seeds: int | Sequence[int]) -> list[int]:
    """The seeds that models are fitted with; none where they stay as they are."""
    if not pd.api.types.is_list_like(seeds):
        check_number(1, seeds=seeds)
        return [*range(seeds)] if seeds > 1 else []
    for one in seeds:
        check_number(0, seeds=one)
    return [*dict.fromkeys(seeds)]


def _lines(table: pd.DataFrame, metric: str, against: str, seed: int) -> pd.DataFrame:
    """One metric: [model, metric, value, low, high, vs, vs low, vs high], models in their order."""
    table = table[table["metric"] == metric]
    # over people whom every seed answers: a person's mean over questions and seeds
    names = [*dict.fromkeys(table["model"])]
    order = [against, *(name for name in names if name != against)]
    cells = table.groupby(["model", "seed", "person"])["value"].mean().unstack("person")
    cells = cells.where(cells.notna().groupby("model").transform("all"))
    means = cells.groupby("model").mean().loc[order].stack(future_stack=True)
    means = means.rename("value").reset_index()
    found = paired_bootstrap(means, "model", "person", seed, within=())
    # and over seeds, where a model was fitted with several
    for at, row in found.iterrows():
        own = cells.loc[row["model"]].to_numpy()
        other = cells.loc[row["minus"]].to_numpy() if row["minus"] else np.zeros((1, 1))
        if max(len(own), len(other)) > 1:
            least = -1.0 if row["minus"] else 0.0
            bounds = over_both(own - other)
            found.loc[at, ["low", "high"]] = np.clip(bounds, least, 1.0)
    plain, apart = found[found["minus"] == ""], found[found["minus"] != ""]
    plain = plain.rename(columns={"estimate": "value"}).set_index("model").loc[names]
    apart = apart.rename(columns={"estimate": "vs", "low": "vs low", "high": "vs high"})
    wide = plain[["value", "low", "high"]].reset_index()
    wide = wide.merge(apart[["model", "vs", "vs low", "vs high"]], how="left")
    wide.insert(1, "metric", metric)
    return wide


def over_both(values: np.ndarray) -> tuple[float, float]:
    """95 % interval of a mean over seeds and people, values (seeds, people); who lacks one is left
    out.

        variance = s²_people / n + s²_seeds / s       of means over seeds, and of means over people

    Student's t with Satterthwaite's degrees of freedom (1946): with few seeds, a wide interval. The
    noise of single values counts in both parts, so that it rather covers too much.

    >>> [round(bound, 2) for bound in over_both(np.array([[0.2, 0.4], [0.4, 0.6]]))]
    [-0.21, 1.01]
    """
    values = values[:, ~np.isnan(values).any(axis=0)]
    if min(values.shape) < 2:
        return float("nan"), float("nan")
    parts = np.array([values.mean(axis=axis).var(ddof=1) for axis in (0, 1)]) / values.shape[::-1]
    freedom = np.array(values.shape[::-1]) - 1
    known = parts > 0
    fewer = parts.sum() ** 2 / (parts[known] ** 2 / freedom[known]).sum() if known.any() else 1.0
    half = special.stdtrit(fewer, 0.975) * parts.sum() ** 0.5
    return float(values.mean() - half), float(values.mean() + half)


def _tex(text: object) -> str:
    """Text in which LaTeX finds nothing to do."""
    told = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    told |= {sign: f"\\{sign}" for sign in "&%$#_{}"}
    return html.visible(text).replace("\n", " ").translate(str.maketrans(told))


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
