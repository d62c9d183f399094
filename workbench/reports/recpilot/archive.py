"""Archive: the pages that a shopper was shown, each claim with the rows that carried it.

    changed since the last page  =  its claims that no longer hold

A stored page is a memory: it keeps titles of products whose rows were deleted. *Forget* strikes
every claim that rested on a deleted row, because its value was counted with it, and every sentence
that said such a claim; the page is rendered again from the others, or dropped where no sentence is
left. A struck claim is not made again: the model of that day is not kept, as that would be a larger
memory than the page. RecPilot (arXiv 2603.07605) keeps no pages; this is ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from workbench.data import Catalogue, Interactions
from workbench.data.histories import ids_among, unique_ids
from workbench.errors import DataError, typed
from workbench.reports.claims import diff
from workbench.reports.evidence import Evidence
from workbench.reports.recpilot._changed import changed
from workbench.reports.recpilot._page_file import TYPES, read_pages, write_pages
from workbench.reports.recpilot._past import PastPage, page_of, rows_of, struck
from workbench.reports.recpilot._told import told
from workbench.reports.writer import Report


@dataclass(frozen=True, eq=False)
class Archive:
    """The archive of pages as a store. A service begins with an empty one, or with that of a file:
    `using(Archive, path="pages.parquet")`.

    table: one row a claim, pages in the order they came: [user (code), report, made, claim, kind …
    spread, place, section, text, interactions, weights]; place: of the sentence that says it, −1 for
    none. Changes return a new store.

    >>> archive = service.stores["archive"].add(service.report(3), "2026-11-30")  # doctest: +SKIP
    >>> replace(service, stores=service.stores | {"archive": archive}).report(3)  # doctest: +SKIP
    """

    name: ClassVar[str] = "archive"
    label: ClassVar[str] = "the archive of pages"
    help: ClassVar[str] = "Strike what rested on the rows from the pages you were shown before."
    causes: ClassVar[tuple[str, str]] = (
        "what a past page said of the rows was struck",
        "a past page still says so",
    )

    table: pd.DataFrame = field(repr=False)
    users: pd.Index = field(repr=False)
    bound: str = field(repr=False)

    @classmethod
    def build(
        cls, log: Interactions, catalogue: Catalogue, path: str | Path | None = None
    ) -> Archive:
        """An empty archive, as a log tells of no page; or that of a file, see `load`."""
        if path is not None:
            return cls.load(path, log)
        return cls(pd.DataFrame(columns=[*TYPES]), log.users, log.index_fingerprint)

    def __repr__(self) -> str:
        claims = self.table[["report", "claim"]].drop_duplicates()
        return f"Archive({claims['report'].nunique():,} pages, {len(claims):,} claims)"

    @typed
    def add(self, report: Report, made: object) -> Archive:
        """With a report that was shown. made: the day or moment, UTC. Raises `DataError` for what is
        no moment, and for a shopper whom the log does not have."""
        moment = pd.to_datetime(made, utc=True, errors="coerce")
        if not isinstance(moment, pd.Timestamp) or moment is pd.NaT:
            raise DataError(f"{made!r:.40} is no moment", "made", "a day such as '2026-11-30'")
        if not 0 <= report.user < len(self.users):
            raise DataError(f"no user {report.user}", "report", "a shopper of the archive's log")
        new = pd.DataFrame(list(rows_of(report, moment.floor("ms"))), columns=[*TYPES])
        old = self.table[self.table["report"] != report.report]
        return replace(self, table=pd.concat([old, new], ignore_index=True) if len(old) else new)

    def pages(self, user: int) -> list[PastPage]:
        """The pages of a shopper as they can still be said, the latest last."""
        own = self.table[self.table["user"] == user]
        pages = [page_of(rows) for _, rows in own.groupby("report", sort=False)]
        return sorted(pages, key=lambda page: page.made)

    def since(self, report: Report) -> pd.DataFrame | None:
        """What became of every claim of the shopper's last page in this report, see `diff`; None
        where there is no page."""
        pages = self.pages(report.user)
        return diff(pages[-1], report) if pages else None

    def says(self, evidence: Evidence) -> pd.DataFrame:
        """What the last page said and does not hold any more: [kind, relation, object, value,
        interaction, weight], one row a statement and interaction that had carried it."""
        pages = self.pages(evidence.user) if evidence.model is not None else []
        return changed(pages[-1], evidence) if pages else told("archive", "changed")

    # --- a place that remembers ---

    def forget(self, interactions: Iterable[int], users: Iterable[int] | None = None) -> Archive:
        """Strike what rested on the rows; in whatever order rows are forgotten, the same is left."""
        ids = unique_ids(interactions)
        some = self.table["user"].isin(self.table["user"] if users is None else [*users])
        rested = self.table["interactions"][some].map(lambda own: np.isin(own, ids).any())
        reached = self.table["report"].isin(self.table["report"][some][rested.astype(bool)])
        if not reached.any():
            return self
        pages = self.table[reached].groupby("report", sort=False)
        parts = [self.table[~reached], *(struck(rows, ids) for _, rows in pages)]
        return replace(self, table=pd.concat(parts).sort_index().reset_index(drop=True))

    def knows(self, user: int, interactions: Iterable[int]) -> np.ndarray:
        """Which of the interactions a page of the shopper still rests on, sorted."""
        return ids_among(interactions, self.lineage(user)["interaction"])

    def lineage(self, user: int) -> pd.DataFrame:
        """The rows under each page, each once: [kind, entity, interaction, weight], kind "page"."""
        own = self.table[self.table["user"] == user]
        told = own[["report", "interactions"]].explode("interactions").drop_duplicates()
        table = told.set_axis(["entity", "interaction"], axis=1).assign(kind="page", weight=1.0)
        table = table[["kind", "entity", "interaction", "weight"]].reset_index(drop=True)
        return table.astype({"interaction": np.int64})

    # --- a file ---

    @typed
    def save(self, path: str | Path) -> None:
        """One parquet table, whole or not at all; shoppers by their original ids, so that `purge`
        finds them. Replaces an archive, nothing else."""
        write_pages(self.table, self.users, self.bound, Path(path))

    @classmethod
    @typed
    def load(cls, path: str | Path, log: Interactions) -> Archive:
        """The archive of a log out of a file; what rested on rows that the log has no more is
        struck. Raises `DataError` for a file that is damaged, foreign or of another log, and
        `TooLarge`."""
        archive = cls(read_pages(Path(path), log), log.users, log.index_fingerprint)
        named = archive.table["interactions"].explode().to_numpy(dtype=np.int64)
        return archive.forget(np.setdiff1d(named, log.frame["interaction"]))
