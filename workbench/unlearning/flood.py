"""A flood: many rows on few items that few people wanted (after "Scale over Preference",
arXiv 2604.01690: comparable totals by volume, although people prefer what is not of the flood).

    rate = wanted / seen        seen: rows of the first step (views); wanted: rows of any later one

Some items that are hardly met are shown so often that as many rows want them in the end as want some
popular ones, their rivals: totals equal, rates `ratio` to one. A flood comes with genuine people, in
visits of theirs: its rows stand right behind rows that a task learns from, at the same time. Taking
it out again is a request; no account has to go.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd

from workbench import html
from workbench.data import Histories, Interactions
from workbench.data.interactions import FUNNEL
from workbench.errors import ConfigError, DataError, check_number
from workbench.recommend.tasks import Task
from workbench.unlearning._accounts import promoted
from workbench.unlearning.requests import Request
from workbench.unlearning.scenario import Scenario
from workbench.unlearning.spam import TASKS, last_time

KINDS = ("collaborative", "session")
FEW = 0.05
"""Share of people who want anything of the flood."""


@dataclass(frozen=True, eq=False)
class Flood:
    """A task with a flood in its training part.

    task, clean: with it and without; questions are the same, asked on histories without. rows: all
    rows of the flood [interaction, user, item, action, …]; planted: ids of those that the task
    learns from. items: of the flood; rivals: popular ones with as many wanted rows.
    """

    task: Task = field(repr=False)
    clean: Task = field(repr=False)
    rows: pd.DataFrame = field(repr=False)
    planted: np.ndarray = field(repr=False)
    items: np.ndarray = field(repr=False)
    rivals: np.ndarray = field(repr=False)
    table: pd.DataFrame = field(repr=False)

    def __repr__(self) -> str:
        return f"Flood({len(self.rows):,} rows on {len(self.items)} items)"

    def scenario(self) -> Scenario:
        """The flood taken out again, as one request."""
        rows = self.task.train.only(self.planted)
        request = Request(0, self.planted, "flood", last_time(rows.frame)).signed(rows)
        return Scenario("flood", self.task, (request,), self.items)

    def to_frame(self) -> pd.DataFrame:
        """Totals and rates: [items, seen, wanted, people, rate]; people: who want one."""
        return self.table

    def _repr_html_(self) -> str:
        return html.table(self.table.to_dict("records"), f"{self!r}: totals equal, rates differ")


def flood(
    log: Interactions,
    task: Literal["collaborative", "session"] = "session",
    n_items: int = 5,
    ratio: float = 0.25,
    seed: int = 2,
) -> Flood:
    """Flood the training part of a log's task.

    n_items: of the flood, of the least popular fifth, and as many rivals of the most popular
    twentieth. ratio: rate of the flood over theirs. Raises `DataError` for a log whose actions do not
    tell what is seen from what is wanted, `ConfigError` for another task.

    >>> flood(log).to_frame()  # doctest: +SKIP
    """
    if task not in KINDS:
        raise ConfigError(f"{task!r}", "task", f"one of {', '.join(KINDS)}")
    check_number(1, n_items=n_items)
    check_number(0.01, 1.0, ratio=ratio)
    frame, rng, clean = log.frame, np.random.default_rng(seed), TASKS[task](log)
    step = frame["action"].astype(str).map(FUNNEL)
    if not ((step == 0).any() and (step > 0).any()):
        do = "map a column to action when reading: view, favourite, cart, purchase"
        raise DataError("actions of one kind", "flood", "views, and what follows on them", do)
    # who is in the flood, and how many rows that takes
    popular = np.bincount(frame["item"], minlength=log.n_items)
    items = promoted(popular, n_items, "unpopular", rng)
    rivals = promoted(popular, n_items, "popular", rng)
    own, theirs = (_totals(frame, step > 0, codes) for codes in (items, rivals))
    if not theirs["wanted"]:
        raise DataError("nobody wants the rivals", "flood", "rows of later steps", "another seed")
    wanted = max(0, theirs["wanted"] - own["wanted"])
    seen = max(0, round((own["wanted"] + wanted) / (ratio * theirs["rate"])) - own["seen"])
    rows = _behind_some(clean, seen, wanted, rng)
    rows["interaction"] = frame["interaction"].max() + 1 + np.arange(len(rows))
    rows["item"] = rng.choice(items, len(rows)).astype("int32")
    late, early = (frame["action"][at].mode()[0] for at in (step > 0, step == 0))
    actions = np.where(rows.pop("late"), late, early)
    rows["action"] = pd.Categorical(actions, frame["action"].cat.categories)
    kept = rows
    if task == "collaborative":  # the first row of a cell, which nobody had
        had = clean.had[rows["user"].to_numpy(), rows["item"].to_numpy()]
        again = rows.duplicated(["user", "item"]).to_numpy()
        kept = rows[(np.asarray(had).ravel() == 0) & ~again]
    # totals and rates, counted again
    owned = rows.assign(user=clean.people[rows["user"].to_numpy()])
    after = pd.concat([frame, owned], ignore_index=True)
    full = _totals(after, after["action"].astype(str).map(FUNNEL) > 0, items)
    told = [("flood, before", own), ("rivals", theirs), ("flood", full)]
    table = pd.DataFrame([{"items": name} | counts for name, counts in told])
    ids = kept["interaction"].to_numpy()
    return Flood(_with(clean, kept), clean, rows, ids, items, rivals, table)


def _behind_some(task: Task, seen: int, wanted: int, rng: np.random.Generator) -> pd.DataFrame:
    """Copies of rows that the task learns from, by position; `late`: which of them want something,
    all of few people."""
    learned, everybody = task.train.frame, np.unique(task.owner)
    few = rng.permutation(everybody)[: max(1, int(FEW * len(everybody)))]
    theirs = np.flatnonzero(np.isin(task.owner, few))
    host = np.concatenate([rng.integers(len(learned), size=seen), rng.choice(theirs, wanted)])
    order = np.argsort(host, kind="stable")
    rows = learned.iloc[host[order]].reset_index(drop=True)
    return rows.assign(late=order >= seen, basket=pd.NA, value=np.nan)


def _totals(frame: pd.DataFrame, late: pd.Series, items: np.ndarray) -> dict[str, object]:
    """How often items are seen and wanted, by how many people, and at which rate."""
    own = frame["item"].isin(items).to_numpy()
    wanted = own & late.to_numpy()
    seen = int((own & ~late.to_numpy()).sum())
    counts = {"seen": seen, "wanted": int(wanted.sum())}
    counts |= {"people": int(frame["user"][wanted].nunique())}
    return counts | {"rate": counts["wanted"] / max(seen, 1)}


def _with(task: Task, rows: pd.DataFrame) -> Task:
    """A task whose training part holds the rows too, each right behind the row whose position it
    has: positions are spread, their order stays."""
    place = rows.groupby("position").cumcount().to_numpy() + 1
    spread = int(place.max(initial=0)) + 1

    def spaced(part: Interactions | Histories | None) -> Interactions | Histories | None:
        if isinstance(part, Interactions):
            return part.of_rows(part.frame.assign(position=part.frame["position"] * spread))
        return None if part is None else replace(part, position=part.position * spread)

    train = spaced(task.train)
    put = rows.assign(position=rows["position"] * spread + place)[train.frame.columns]
    whole = pd.concat([train.frame, put.astype(train.frame.dtypes.to_dict())])
    asked, targets = task.learned
    return replace(
        task,
        train=train.of_rows(whole.sort_values("position", ignore_index=True)),
        valid=spaced(task.valid),
        test=spaced(task.test),
        histories=spaced(task.histories),
        learned=(spaced(asked), targets),
    )
