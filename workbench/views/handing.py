"""What one hands on: results on one page that loads nothing from elsewhere, and tables that say what
they were made of."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.errors import ConfigError, DataError, ModelError, TooLarge
from workbench.html import escape, source_of
from workbench.reports import Report
from workbench.views.page import computing, document, page, write
from workbench.views.paper import foreign_file, other_suffix, report_file
from workbench.views.screen.static import PRESS
from workbench.views.show import show
from workbench.views.text import unarmed
from workbench.whole import whole_file

TITLE = "What depends on this person's data?"
ROWS = 500
"""Rows of a table that stand on a page."""


def export(result: Any, path: Path | str, real_people: bool = False) -> Path:
    """Write a result, or several on one page, to a file that asks for nothing, and return its path.

    .html: whatever `show` shows, a list of it, or heading → result. Of the screens the first that
    can computes by itself: an EASE, as it was built, of a generated log; its file holds which
    products every shopper had (one bit each, no names). Of real people it is so only with
    `real_people=True`, if you may hand that on; any other screen shows its one shopper, and a
    `UserWarning` says why it does not compute. .csv, .parquet: a table, or what has `to_frame`, with
    its provenance: a last column, or the metadata that pandas reads into `attrs`. A report is also
    .md, a token strip also .csv. Raises `ConfigError` for another suffix or result and for a file
    that no export wrote, `TooLarge` above 50 MB.

    >>> export([screen, comparison, trust, map], "for_a_colleague.html")  # doctest: +SKIP
    """
    path = Path(path)
    if isinstance(result, Report):
        return report_file(result, path)
    # a result that brings its own file
    if hasattr(result, "_export"):
        return result._export(path)
    suffix = path.suffix.lower()
    tabled = isinstance(result, pd.DataFrame) or hasattr(result, "to_frame")
    if tabled and suffix in (".csv", ".parquet"):
        return _table_file(result, path)
    if suffix not in (".html", ".htm"):
        do = "name it .html; a browser prints it as PDF"
        raise other_suffix(path, f"a name that ends in .html{', .csv or .parquet' * tabled}", do)
    named = result if isinstance(result, Mapping) else dict.fromkeys([""], result)
    if isinstance(result, list | tuple):
        named = dict(enumerate(result))
    return _page(named, path, real_people)


def _page(named: Mapping[Any, Any], path: Path, real_people: bool) -> Path:
    """Results by heading (numbers and "" are none) on one page; one screen may compute."""
    screen, sections = None, []
    for name, one in named.items():
        heading = f"<h2>{escape(name)}</h2>" if isinstance(name, str) and name else ""
        if hasattr(one, "service") and hasattr(type(one), "state"):
            # the first screen that can computes, the others say why they do not
            try:
                if screen is not None:
                    raise ConfigError("of the screens of a page the first one computes")
                screen = computing(one, path, real_people)
                continue
            except (ConfigError, ModelError, TooLarge) as error:
                told = f"This screen is shown as it is and does not compute: {error.what}"
                warnings.warn(f"{told}. {error.do or ''}", stacklevel=3)
            sections.append(heading + one._repr_html_().replace(PRESS, "") + _small(f"{told}."))
            continue
        shown, source = show(one, rows=ROWS).static, source_of(one)
        # everything ends with what it was made of
        told = "" if escape(source) in shown else _small(source)
        sections.append(heading + shown + told)
    if not named:
        raise ConfigError("nothing to write", "export", "one result at least")
    beside = "".join(f'<section class="beside">{part}</section>' for part in sections)
    if screen is not None:
        return write(document(*screen, beside=beside), path)
    day = date.today()
    footer = f"Written on {day.day} {day:%B %Y}. This page loads nothing from elsewhere."
    sheets = ("base.css", "page.css")
    return write(page(TITLE, "", {}, sheets, (), footer, beside), path)


def _small(text: str) -> str:
    return f"<p><small>{escape(text)}</small></p>"


def _table_file(result: Any, path: Path) -> Path:
    """A table as .csv or .parquet, whole or not at all, with its provenance."""
    table = result if isinstance(result, pd.DataFrame) else result.to_frame()
    source = source_of(result) or source_of(table) or "not told"
    # an index that says something is a column
    if not isinstance(table.index, pd.RangeIndex):
        table = table.reset_index()
    if path.suffix.lower() == ".csv":
        table = table.drop(columns="provenance", errors="ignore").assign(provenance=source)
        for name in table.select_dtypes(exclude=["number", "bool"]):
            table[name] = table[name].map(unarmed)
        return write(table.rename(columns=unarmed).to_csv(index=False, lineterminator="\n"), path)
    if path.exists() and not (path.is_file() and b"provenance" in path.read_bytes()):
        raise foreign_file(path, "a new file, or an older export")
    table = table.copy(deep=False)
    table.attrs = {"provenance": source}
    with whole_file(path) as new:
        try:
            table.to_parquet(new, index=False)
        except (ValueError, TypeError) as error:
            what, do = f"a column that parquet does not hold ({error})", "export it as .csv"
            raise DataError(what, str(path), do=do) from error
    return path
