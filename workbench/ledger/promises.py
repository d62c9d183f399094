"""Measured, or not measured: places × dimensions of trust, each cell filled by a check that was run.

After a survey of trust in recommendation (arXiv 2606.00540, known to us from its abstract), which
names six dimensions. A cell without a check says *not measured*; a planted fault turns the one cell
that looks for it, and no other; but weights that were kept may also offer deleted products again,
where no tombstone keeps them off the list: then the list's cell turns, too, and rightly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from workbench.errors import ConfigError, typed
from workbench.html import content_id, escape, table
from workbench.ledger._cells import Case, checks
from workbench.reports.claims import Claim
from workbench.unlearning.receipt import Receipt
from workbench.unlearning.receipt_rows import seal_of

DIMENSIONS = (
    "privacy",
    "robustness",
    "fairness",
    "accountability",
    "transparency",
    "ethics",
)
HOLDS, BROKEN, UNKNOWN = "holds", "broken", "not measured"
MARKS = {HOLDS: "✓", BROKEN: "✗", UNKNOWN: "not measured"}


@dataclass(frozen=True, repr=False)
class Promises:
    """The grid: cells [place, dimension, state, said], state: holds, broken, or not measured."""

    cells: pd.DataFrame = field(repr=False)

    @property
    def counts(self) -> dict[str, int]:
        """Cells by state."""
        found = self.cells["state"].value_counts()
        return {state: int(found.get(state, 0)) for state in MARKS}

    def to_frame(self) -> pd.DataFrame:
        """Places × dimensions, ✓, ✗ or · for what is not measured."""
        marks = self.cells["state"].map(MARKS | {UNKNOWN: "·"})
        wide = self.cells.assign(mark=marks).pivot(
            index="place", columns="dimension", values="mark"
        )
        return wide.loc[self.cells["place"].unique(), [*DIMENSIONS]]

    def flipped(self, other: Promises) -> list[tuple[str, str]]:
        """The cells (place, dimension) whose state is another one there."""
        keys = ["place", "dimension"]
        both = self.cells.merge(other.cells, on=keys, how="outer", suffixes=("", "_other"))
        moved = both[both["state"] != both["state_other"]]
        return list(moved[keys].itertuples(index=False, name=None))

    def __repr__(self) -> str:
        told = ", ".join(f"{count} {state}" for state, count in self.counts.items())
        return f"Promises({self.cells['place'].nunique()} places: {told})"

    def _repr_html_(self) -> str:
        lines = []
        for place, own in self.cells.groupby("place", sort=False):
            told = own.set_index("dimension")
            marks = told["state"].map(MARKS) + (" " + told["said"]).where(told["said"] != "", "")
            lines.append({"place": place, **{name: marks[name] for name in DIMENSIONS}})
        name = content_id("promises", self.cells.to_csv())
        return f'<div id="{name}"><p>{escape(repr(self))}</p>{table(lines)}</div>'


@typed
def promises(case: Case) -> Promises:
    """Run every check on a case; a cell for each place and dimension.

    >>> promises(Case.of(told, receipt(told)))  # doctest: +SKIP
    Promises(9 places: 15 holds, 1 broken, 38 not measured)
    """
    run = {key: check(case) for key, check in checks(case).items()}
    places = dict.fromkeys(place for place, _ in run)
    lines = []
    for place in places:
        for dimension in DIMENSIONS:
            ok, said = run.get((place, dimension), (None, ""))
            state = UNKNOWN if ok is None else HOLDS if ok else BROKEN
            lines.append((place, dimension, state, said))
    return Promises(pd.DataFrame(lines, columns=["place", "dimension", "state", "said"]))


# --- faults to plant, each for one cell ---


@typed
def plant(case: Case, fault: str) -> Case:
    """The case with a fault, one of `FAULTS`; the case itself stays as it is. Raises `ConfigError`
    for another name."""
    if fault not in FAULTS:
        raise ConfigError(f"no fault {fault!r}", "plant", ", ".join(FAULTS))
    return FAULTS[fault](case)


def _store_kept(name: str) -> Callable[[Case], Case]:
    """A store that was not told; the page was written with it."""

    def fault(case: Case) -> Case:
        old = case.told.services[0].stores[name]
        return _served(case, stores=case.after.stores | {name: old})

    return fault


def _weights_kept(case: Case) -> Case:
    """The model of before serves on, and writes the page."""
    return _served(case, model=case.told.services[0].model)


def _served(case: Case, **parts: Any) -> Case:
    after = replace(case.after, **parts)
    return replace(case, after=after, page=after.report(case.told.user, case.told.seed))


def _invented(case: Case) -> Case:
    """A claim about a product that there is not."""
    claim = Claim("deed", f"user:{case.told.user}", "bought", "item:999999", 1.0)
    return replace(case, page=replace(case.page, claims=(*case.page.claims, claim)))


def _unfounded(case: Case) -> Case:
    """A sentence that stands for no claim."""
    first = case.page.sentences.iloc[[0]].copy()
    first["claims"] = [()]
    sentences = pd.concat([case.page.sentences, first], ignore_index=True)
    return replace(case, page=replace(case.page, sentences=sentences))


def _leaked(case: Case) -> Case:
    """A sensitive topic in the page's text."""
    text = f"{case.page.text}\n\nPerhaps {min(case.sensitive, default='')}?"
    return replace(case, page=replace(case.page, text=text))


def _digit(case: Case) -> Case:
    """One digit of the receipt changed after it was sealed."""
    made = case.receipt.content["made"]
    return _rewritten(case, {"made": f"{(int(made[0]) + 1) % 10}{made[1:]}"}, seal=False)


def _glossed(case: Case) -> Case:
    """A receipt that says of one place what is not so, sealed by its issuer."""
    first, *rest = case.receipt.content["places"]
    return _rewritten(case, {"places": [first | {"after": first["after"] + 1}, *rest]}, seal=True)


def _rewritten(case: Case, parts: Mapping[str, Any], seal: bool) -> Case:
    content = case.receipt.content | parts
    if seal:
        content["seal"] = seal_of(content, bytes.fromhex(case.key))
    return replace(case, receipt=Receipt(content))


FAULTS: dict[str, Callable[[Case], Case]] = {
    "the archive was not told": _store_kept("archive"),
    "the rubric was not told": _store_kept("rubric"),
    "the weights were not cleaned": _weights_kept,
    "an invented product": _invented,
    "a sentence without a claim": _unfounded,
    "a leaked topic": _leaked,
    "a changed digit": _digit,
    "a receipt that glosses over": _glossed,
}
"""By name; each turns one cell."""
