"""A flood: many rows on few items that few people wanted (after "Scale over Preference",
arXiv 2604.01690: comparable totals by volume, although people prefer what is not of the flood).

    rate = wanted / seen        seen: rows of the first step (views); wanted: rows of any later one
    rate = people / rows        where a log has one kind of action, and of baskets

Some items that are hardly met are shown so often that as many rows want them in the end as want some
popular ones, their rivals: totals equal, rates `ratio` to one. Where every row is of one kind, it can
differ only in who wanted it: as many rows, of fewer people. A flood comes with genuine people, in
visits or baskets of theirs: its rows stand right behind rows that a task learns from, at the same
time. Taking it out again is a request; no account has to go.
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
from workbench.recommend.tasks import TASKS, Task
from workbench.unlearning._accounts import promoted
from workbench.unlearning.requests import Request
from workbench.unlearning.scenario import Scenario
from workbench.unlearning.spam import last_time

PLACES = {
    "collaborative": ["user", "item"],
    "session": [],
    "basket": ["user", "basket", "item"],
}
"""Of what a task has once: an item in a profile, or in a basket."""
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
        """Totals and rates: [items, seen, wanted, people, rate], of one kind of action [items, rows,
        people, rate]; people: who want one."""
        return self.table

    def _repr_html_(self) -> str:
        return html.table(self.table.to_dict("records"), f"{self!r}: totals equal, rates differ")


def flood(
    log: Interactions,
    task: Literal["collaborative", "session", "basket"] = "session",
    n_items: int = 5,
    ratio: float = 0.25,
    seed: int = 2,
    reach: float = 0.5,
) -> Flood:
    """Flood the training part of a log's task.

    n_items: of the flood, of the least popular fifth, and as many rivals of the most popular
    twentieth. ratio: rate of the flood over theirs; of one kind of action it is larger where a basket,
    or a profile, has no room for so many rows, as it holds an item once. reach: share of people in
    whose visits it may stand; of the others one asks what it did to their lists. Raises `ConfigError`
    for another task, `DataError` for too few items and for rivals that nobody wants.

    >>> flood(log).to_frame()  # doctest: +SKIP
    """
    if task not in TASKS:
        raise ConfigError(f"{task!r}", "task", f"one of {', '.join(TASKS)}")
    check_number(1, n_items=n_items)
    check_number(0.01, 1.0, ratio=ratio, reach=reach)
    frame, rng, clean = log.frame, np.random.default_rng(seed), TASKS[task](log)
    late = _late(frame)
    totals = _rows if task == "basket" or late.all() or not late.any() else _steps
    if totals is _rows:  # what the task counts once, is once there
        frame = frame[frame["basket"].notna()] if task == "basket" else frame
        frame = frame.drop_duplicates(PLACES[task] or ["interaction"])
    # what comes in place of what
    popular = np.bincount(frame["item"], minlength=log.n_items)
    items = promoted(popular, n_items, "unpopular", rng)
    rivals = promoted(popular, n_items, "popular", rng)
    # whom it reaches, and with what
    people = rng.permutation(np.unique(clean.owner))
    reached = people[: max(1, int(reach * len(people)))]
    own, theirs = (totals(frame, late, codes) for codes in (items, rivals))
    if totals is _rows:
        rows = _of_few(clean, PLACES[task][:-1], reached, items, own, theirs, ratio, rng)
        # every row is of the kind that all are
        rows["action"] = frame["action"].mode()[0]
    else:
        rows = _seen_by_many(clean, reached, items, own, theirs, ratio, rng)
        kinds = (frame["action"][at].mode()[0] for at in (late, ~late))
        rows["action"] = np.where(rows.pop("late"), *kinds)
    rows["action"] = pd.Categorical(rows["action"], frame["action"].cat.categories)
    rows["interaction"] = log.frame["interaction"].max() + 1 + np.arange(len(rows))
    kept = rows
    if task == "collaborative":  # the first row of a cell, which nobody had
        had = clean.had[rows["user"].to_numpy(), rows["item"].to_numpy()]
        again = rows.duplicated(["user", "item"]).to_numpy()
        kept = rows[(np.asarray(had).ravel() == 0) & ~again]
    # totals and rates, counted again
    owned = rows.assign(user=clean.people[rows["user"].to_numpy()])
    after = pd.concat([frame, owned], ignore_index=True)
    full = totals(after, _late(after), items)
    told = [("flood, before", own), ("rivals", theirs), ("flood", full)]
    table = pd.DataFrame([{"items": name} | counts for name, counts in told])
    ids = kept["interaction"].to_numpy()
    return Flood(_with(clean, kept), clean, rows, ids, items, rivals, table)


# --- its rows, by position: copies of rows that the task learns from


def _seen_by_many(
    task: Task,
    reached: np.ndarray,
    items: np.ndarray,
    own: dict[str, object],
    theirs: dict[str, object],
    ratio: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Rows of two steps, seen by all whom the flood reaches; `late`: which of them want something,
    all of few people."""
    if not theirs["wanted"]:
        raise DataError("nobody wants the rivals", "flood", "rows of later steps", "another seed")
    wanted = max(0, theirs["wanted"] - own["wanted"])
    seen = max(0, round((own["wanted"] + wanted) / (ratio * theirs["rate"])) - own["seen"])
    learned, owner = task.train.frame, task.owner
    few = reached[: max(1, int(FEW * len(np.unique(owner))))]
    rows, few_rows = (np.flatnonzero(np.isin(owner, some)) for some in (reached, few))
    host = np.concatenate([rng.choice(rows, seen), rng.choice(few_rows, wanted)])
    order = np.argsort(host, kind="stable")
    copies = learned.iloc[host[order]].reset_index(drop=True)
    copies["item"] = rng.choice(items, len(copies)).astype("int32")
    return copies.assign(late=order >= seen, basket=pd.NA, value=np.nan)


def _of_few(
    task: Task,
    by: list[str],
    reached: np.ndarray,
    items: np.ndarray,
    own: dict[str, object],
    theirs: dict[str, object],
    ratio: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Rows of one kind, as many as the rivals have, of as few people as `ratio` says and as have
    room; a place is a profile, a basket, or a row of a session."""
    wanted = max(0, theirs["rows"] - own["rows"])
    # an item stands once in a profile or basket: one row of each is where it is put
    rows = task.train.frame.assign(person=task.owner)
    learned = rows[rows["person"].isin(reached)]
    hosts = learned.groupby(by).sample(1, random_state=rng) if by else learned
    places = hosts[[*by, "person", "position"]]
    places = places.loc[places.index.repeat(len(items))]
    places["item"] = np.tile(items, len(hosts)).astype("int32")
    # profiles hold what their people have in any part, baskets what they have themselves
    if "basket" in by:
        held = pd.MultiIndex.from_frame(rows[[*by, "item"]])
        places = places[~pd.MultiIndex.from_frame(places[[*by, "item"]]).isin(held)]
    elif by:
        had = task.had[places["person"].to_numpy(), places["item"].to_numpy()]
        places = places[np.asarray(had).ravel() == 0]
    # people as drawn, until they are enough and have room
    room = places.groupby("person").size().reindex(reached, fill_value=0).cumsum().to_numpy()
    least = max(1, round(ratio * theirs["people"]) - own["people"])
    few = reached[: max(least, 1 + int(np.searchsorted(room, wanted)))]
    places = places[places["person"].isin(few)]
    places = places.sample(min(wanted, len(places)), random_state=rng)
    places = places.sort_values("position", kind="stable")
    copies = task.train.frame.loc[places.index].assign(item=places["item"], value=np.nan)
    return copies.reset_index(drop=True)


# --- totals


def _late(frame: pd.DataFrame) -> pd.Series:
    """Which rows are of a later step than the first; bool."""
    return frame["action"].astype(str).map(FUNNEL).fillna(0) > 0


def _steps(frame: pd.DataFrame, late: pd.Series, items: np.ndarray) -> dict[str, object]:
    """How often items are seen and wanted, by how many people, and at which rate."""
    own = frame["item"].isin(items).to_numpy()
    wanted = own & late.to_numpy()
    seen = int((own & ~late.to_numpy()).sum())
    counts = {"seen": seen, "wanted": int(wanted.sum())}
    counts |= {"people": int(frame["user"][wanted].nunique())}
    return counts | {"rate": counts["wanted"] / max(seen, 1)}


def _rows(frame: pd.DataFrame, late: pd.Series, items: np.ndarray) -> dict[str, object]:
    """How many rows items have, of how many people, and people a row."""
    own = frame[frame["item"].isin(items)]
    counts = {"rows": len(own), "people": int(own["user"].nunique())}
    return counts | {"rate": counts["people"] / max(len(own), 1)}


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
