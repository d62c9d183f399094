"""A page of the archive: what is left of one that a shopper was shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from workbench.html import content_id, escape
from workbench.reports.claims import Claim, json_hash
from workbench.reports.sentences import plain, templates
from workbench.reports.writer import Report

FIELDS = [*Claim.__annotations__]


@dataclass(frozen=True)
class PastPage:
    """When a page was made, its claims with their rows, and its sentences, each with the heading of
    its section. report: the id of the report; of what is left, where something was struck."""

    user: int
    report: str
    made: pd.Timestamp
    claims: tuple[Claim, ...]
    support: pd.DataFrame = field(repr=False)
    lines: tuple[tuple[str, str], ...] = field(repr=False)

    @property
    def text(self) -> str:
        """The page as Markdown."""
        parts: dict[str, list[str]] = {}
        for heading, text in self.lines:
            # a row of a table is a sentence here
            parts.setdefault(heading, []).append(text if text.endswith(".") else f"{text}.")
        return "\n\n".join(f"## {name}\n{' '.join(texts)}" for name, texts in parts.items())

    def _repr_html_(self) -> str:
        said = "".join(f"<p><b>{escape(name)}</b> {escape(text)}</p>" for name, text in self.lines)
        note = f"<p><small>as written on {day_of(self.made)}</small></p>"
        return f'<article id="{content_id("page", self.report)}">{said}{note}</article>'


def page_of(rows: pd.DataFrame) -> PastPage:
    """The page that some rows of the archive's table hold."""
    first, places = rows.iloc[0], rows
    # a claim that two sentences say has a row for each
    rows = rows.drop_duplicates("claim")
    claims = tuple(Claim(*values) for values in rows[FIELDS].itertuples(index=False))
    support = pd.DataFrame(
        {
            "claim": np.repeat(rows["claim"], rows["interactions"].map(len)).to_numpy(),
            "interaction": np.concatenate([*rows["interactions"]]).astype(np.int64),
            "weight": np.concatenate([*rows["weights"]]).astype(float),
        }
    )
    said = places[places["place"] >= 0].drop_duplicates("place").sort_values("place")
    lines = tuple(zip(said["section"], said["text"], strict=True))
    return PastPage(int(first["user"]), first["report"], first["made"], claims, support, lines)


def rows_of(report: Report, made: pd.Timestamp) -> Iterator[dict[str, object]]:
    """A report as rows of the archive's table: one a claim and sentence that says it."""
    said: dict[str, list[tuple[int, str, str]]] = {}
    words = templates()
    headings = words["sections"] | words.get("page", {}).get("headings", {})
    for place, row in enumerate(report.sentences.itertuples()):
        heading = headings.get(row.section, row.section)
        text = plain(report.text[row.start : row.end])
        for claim in row.claims:
            said.setdefault(claim, []).append((place, heading, text))
    carried = report.support.groupby("claim")
    for claim in report.claims:
        own = carried.get_group(claim.claim)
        for place, section, text in said.get(claim.claim, [(-1, "", "")]):
            yield {
                "user": report.user,
                "report": report.report,
                "made": made,
                **claim.to_dict(),
                "place": place,
                "section": section,
                "text": text,
                "interactions": own["interaction"].to_numpy(),
                "weights": own["weight"].to_numpy(),
            }


def struck(page: pd.DataFrame, ids: np.ndarray) -> pd.DataFrame:
    """The rows of one page without every claim that rested on one of the interactions, and without
    every sentence that said such a claim; none where no sentence is left."""
    hit = page["interactions"].map(lambda own: np.isin(own, ids).any()).to_numpy(dtype=bool)
    if not hit.any():
        return page
    silent = page["place"].isin(page["place"][hit])
    left = page.assign(
        place=page["place"].mask(silent, -1),
        section=page["section"].mask(silent, ""),
        text=page["text"].mask(silent, ""),
    )[~hit].drop_duplicates(["claim", "place"])
    if not (left["place"] >= 0).any():
        return left[:0]
    # the old id was made of what is struck, too
    content = left[["claim", "text"]].to_numpy().tolist()
    first = [int(left["user"].iat[0]), str(left["made"].iat[0])]
    return left.assign(report=json_hash([first, content])[:12])


def day_of(made: pd.Timestamp) -> str:
    """A day in words.

    >>> day_of(pd.Timestamp("2026-11-30"))
    '30 November 2026'
    """
    return f"{made.day} {made.month_name()} {made.year}"
