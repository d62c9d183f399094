"""How rubric and experience came about, purchase by purchase.

    weights after each step; the note that was found before it, and those that were written with it

What was found is asked of a memory that ends where the visit begins; what was written is what the
memory holds after the purchase and did not hold after the one before. A product of a topic that the
service leaves unsaid, and a note about one, has its line and not its words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import ModelError, typed
from workbench.html import escape, table
from workbench.ledger import Service
from workbench.reports.hushed import silenced
from workbench.reports.recpilot import ATTRIBUTES
from workbench.reports.recpilot.experience import EMPTY, LIKE, Experience
from workbench.views.learnt.drawing import HUES, LETTERS, MARKS, figure, picture, said
from workbench.views.look import framed
from workbench.views.text import brief, coded

UNSAID = "left unsaid"
"""Stands for a product that is not named, and for a note about one."""


@typed
@dataclass(frozen=True, repr=False, eq=False)
class Course:
    """What a shopper's purchases taught, one after another: `show(Course(service, 310))`.

    service: with `Rubric` and `Experience` among its stores. user: a code, or an id of the log as
    text. source: the line that ends it. Raises `ModelError` without these stores, and
    `UnknownUser`.

    >>> show(Course(service, 310))  # doctest: +SKIP
    Course(shopper 310: 9 steps, 14 notes)
    """

    service: Service
    user: int | str
    source: str = ""

    def __post_init__(self) -> None:
        for name in ("rubric", "experience"):
            if name not in self.service.stores:
                do = (
                    "Service.build(log, catalogue, model, stores=(EntityStore, Rubric, Experience))"
                )
                raise ModelError(f"no store is called {name!r}", "service", "both memories", do)
        _ = self.code

    @property
    def code(self) -> int:
        """The shopper's code."""
        return coded(self.service.log, self.user)

    @cached_property
    def steps(self) -> pd.DataFrame:
        """A row a step: [interaction, when, product, undone, one column an attribute (its weight
        after the step), most (what moved most), moved (by how much), found, like, written (a
        tuple), notes (how many the memory holds then)]."""
        rubric, catalogue = self.service.stores["rubric"], self.service.catalogue
        ledger = rubric.ledger(self.code)
        weights = rubric.learnt(self.code).weights
        moved = np.diff(weights, axis=0)
        most = np.argmax(np.abs(moved).round(12), axis=1)
        times = self.service.log.frame.set_index("interaction")["timestamp"]
        rows = ledger[["interaction"]].assign(when=times.reindex(ledger["interaction"]).to_numpy())
        rows["product"] = [self._loud(catalogue.title(item), [item]) for item in ledger["item"]]
        rows["undone"] = ledger["undone"]
        rows[[*ATTRIBUTES]] = ledger[[*ATTRIBUTES]]
        rows["most"] = [ATTRIBUTES[place] for place in most]
        rows["moved"] = moved[np.arange(len(most)), most]
        columns = ["found", "like", "written", "notes"]
        return rows.join(pd.DataFrame(self._notes(ledger), columns=columns, index=rows.index))

    def _notes(self, ledger: pd.DataFrame) -> list[tuple[str, float, tuple[str, ...], int]]:
        """Of every step the note found before it and how like it is, those written since the last
        one, how many there are then."""
        memory: Experience = self.service.stores["experience"]
        diary = memory.diaries.get(self.code, EMPTY)
        told, old = [], []
        for step in ledger["interaction"].tolist():
            places = np.flatnonzero(diary["interaction"] == step)
            if not len(places):
                # the memory was made to forget it, the rubric was not
                told.append(("", np.nan, (), len(old)))
                continue
            end = int(places[0]) + 1
            visit = (diary["visit"] == diary["visit"].iat[end - 1]).to_numpy()[:end]
            # as it was when the visit began, and as it is after the step
            before, after = (self._until(memory, diary, n) for n in (int(np.argmax(visit)), end))
            intent = memory.situation(diary["item"].to_numpy()[:end][visit])
            found = [one for one in before.retrieve(self.code, intent, 1) if one[1] >= LIKE]
            text = self._loud(found[0][0].text, found[0][0].items) if found else ""
            like = found[0][1] if found else np.nan
            new = after.entries(self.code)
            fresh = [one for one in new if one.text not in old]
            written = tuple(self._loud(one.text, one.items) for one in fresh)
            told.append((text, like, written, len(new)))
            old = [one.text for one in new]
        return told

    @cached_property
    def _silent(self) -> np.ndarray:
        """Mask (n_items,) of products that are not named."""
        return silenced(self.service.catalogue, frozenset(self.service.unsaid))

    def _loud(self, text: str, items: Sequence[int]) -> str:
        """A text about these products, where each of them may be named."""
        return UNSAID if self._silent[list(items)].any() else text

    def _until(self, memory: Experience, diary: pd.DataFrame, end: int) -> Experience:
        """The memory when it had so many rows of the shopper."""
        return replace(memory, diaries={self.code: diary[:end]}, derived={})

    def to_frame(self) -> pd.DataFrame:
        """A row a step, see `steps`."""
        return self.steps

    def __repr__(self) -> str:
        notes = int(self.steps["notes"].iloc[-1]) if len(self.steps) else 0
        name = brief(self.service.log.users[self.code])
        return f"Course({name}: {len(self.steps)} steps, {notes} notes)"

    def figure(self) -> Any:
        """Weights after each step, and below the notes that the memory holds by then."""
        drawn, ((top,), (below,)) = figure(2, 1, (10, 7.5), sharex=True, height_ratios=(3, 1))
        weights = self.service.stores["rubric"].learnt(self.code).weights
        for k, name in enumerate(ATTRIBUTES):
            how = {"color": HUES[k], "marker": MARKS[k], "ms": 9, "lw": 2.5, "label": name}
            top.plot(weights[:, k], **how)
        top.axhline(1 / len(ATTRIBUTES), color="black", lw=1, ls=":")
        top.legend(
            frameon=False, fontsize=LETTERS, ncols=4, loc="lower left", bbox_to_anchor=(0, 1)
        )
        said(top, ylabel="weight")
        place = np.arange(1, len(weights))
        below.bar(place, self.steps["notes"], color="#56B4E9", ec="black")
        found = (self.steps["found"] != "").to_numpy()
        below.plot(
            place[found],
            self.steps["notes"][found],
            "*",
            ms=15,
            color="black",
            label="one was found",
        )
        if found.any():
            below.legend(frameon=False, fontsize=LETTERS, loc="upper left")
        said(below, ylabel="notes", xlabel="purchases and presses so far")
        return drawn

    def _repr_html_(self) -> str:
        title = f"<p><b>What {escape(brief(self.service.log.users[self.code]))}'s purchases taught</b></p>"
        if not len(self.steps):
            return f"{title}<p>Nothing was bought, and no button pressed: all attributes weigh alike.</p>"
        rows = []
        for n, one in enumerate(self.steps.to_dict("records"), 1):
            when = "" if pd.isna(one["when"]) else f"{one['when'].day} {one['when']:%b}"
            moved = "undone" if one["undone"] else f"{one['most']} {one['moved']:+.2f}"
            line = {"step": str(n), "when": when, "product": brief(one["product"])}
            line |= {"moved most": moved, "found before": brief(one["found"])}
            rows.append(line | {"written after": brief(" / ".join(one["written"]), 300)})
        told = "weights after each step, and the notes held by then; the table says them"
        return framed("course", [title, picture(self.figure(), told), table(rows)], self.source)
