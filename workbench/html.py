"""Text and static HTML that keep their meaning without styles and scripts: nothing hidden, nothing
taken for markup, ids made from content."""

from __future__ import annotations

import hashlib
import html
import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])
SIGNS = json.loads(Path(__file__).with_name("hidden.json").read_text(encoding="utf-8"))
"""The patterns and their signs: the strip and the screen read the same table."""
HIDDEN = re.compile("|".join(SIGNS["patterns"]))
"""Characters that nobody sees, or that change what is seen: zero-width ones, controls, tags, marks
that turn the reading direction, stacks of accents."""


def sign(found: re.Match[str]) -> str:
    """The sign that stands for a match of `HIDDEN`."""
    said = found[0]
    told = SIGNS["single"].get(said, SIGNS["signs"][found.lastindex - 1])
    return told.format(n=len(said), u=f"{ord(said[0]):04X}")


def visible(text: object) -> str:
    """Any value as text in which nothing hides; line ends and tabs stay.

    >>> visible("a\\u202eb"), visible("\\x1b[31m"), visible("no\\u200bthing")
    ('a⟨RLO⟩b', '␛[31m', 'no∅thing')
    """
    return HIDDEN.sub(sign, str(text))


def escape(value: object) -> str:
    """Escape any value for use in HTML text or a quoted attribute, with nothing hidden in it.

    >>> escape("<img src=x>")
    '&lt;img src=x&gt;'
    """
    return html.escape(visible(value), quote=True)


def content_id(prefix: str, *parts: object) -> str:
    """An element id that depends on nothing but content, so that saved notebooks do not churn.

    >>> content_id("t", "a", 1) == content_id("t", "a", 1)
    True
    """
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()
    return f"{prefix}-{digest[:10]}"


def format_number(value: object, digits: int = 3) -> str:
    """A number for a table: whole numbers whole, others to `digits` decimals; nothing where there
    is none; or text."""
    if isinstance(value, str | bool):
        return str(value)
    if str(value) in ("None", "nan", "NaT", "<NA>"):
        return ""
    if not isinstance(value, Real):
        return str(value)
    return f"{value:,}" if isinstance(value, Integral) else f"{value:,.{digits}f}"


TEXT, NUMBER = ' align="left" style="text-align:left;padding:.1em .5em"', ' align="right"'
"""Sides of a cell. Text says it twice: where styles are taken away, and where a notebook's own sheet
aligns every cell to the right."""


def table(rows: Iterable[Mapping[str, Any]], caption: str = "", digits: int = 3) -> str:
    """A plain HTML table of records; every cell is escaped, columns of text stand to the left."""
    rows = list(rows)
    # column by column: each has its side
    head, columns = "", []
    for name in rows[0] if rows else ():
        values = [row[name] for row in rows]
        side = TEXT if any(isinstance(value, str | bool) for value in values) else NUMBER
        head += f'<th scope="col"{side}>{escape(name)}</th>'
        said = [escape(format_number(value, digits)) for value in values]
        columns.append([f"<td{side}>{text}</td>" for text in said])
    body = "".join(f"<tr>{''.join(cells)}</tr>" for cells in zip(*columns, strict=True))
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def provenance(
    *, data: str, users: int | None = None, requests: int | None = None, seeds: object = None
) -> str:
    """The line that ends every table and figure: data, users, requests, seeds, profile.

    >>> provenance(data="generated world 2", users=400, seeds=1)
    'data: generated world 2 · users: 400 · seeds: 1 · profile: tiny'
    """
    from workbench.settings import settings

    parts = [f"data: {data}"]
    parts += [f"users: {users:,}"] if users is not None else []
    parts += [f"requests: {requests:,}"] if requests is not None else []
    parts += [f"seeds: {seeds}"] if seeds is not None else []
    return " · ".join([*parts, f"profile: {settings().profile}"])


def source_of(result: Any) -> str:
    """What a result says it was made of, in one line; "" where it says nothing."""
    attrs = getattr(result, "attrs", None)
    return str(getattr(result, "source", "") if attrs is None else attrs.get("provenance", ""))


def sourced(function: Function) -> Function:
    """The function, whose result says what it was made of: a table, and the `table` of a result, in
    `attrs["provenance"]`, another result as `source`.

    That is what a table among the arguments says; else log or number of rows, model, and the seed;
    of a log the users that the result counts in a column `user`, else how many people it holds.
    """
    signature = inspect.signature(function)

    @wraps(function)
    def made(*given: Any, **options: Any) -> Any:
        found = function(*given, **options)
        named = signature.bind(*given, **options)
        named.apply_defaults()
        values = [*named.arguments.values()]
        lines = [source_of(one) for one in values if hasattr(one, "attrs")]
        counted = None
        # who was asked, where the result names them; a log may hold more people
        rows = getattr(found, "table", found)
        if any(_log(one) is not None for one in values) and "user" in getattr(rows, "columns", ()):
            counted = rows["user"].nunique()
        data = [_said(one, counted is None) for one in values]
        told = {"data": ", ".join(filter(None, data)), "users": counted}
        told |= {"seeds": named.arguments.get("seed")}
        line = "".join([*filter(None, lines)][:1]) or provenance(**told)
        for table in (found, getattr(found, "table", None)):
            if hasattr(table, "attrs"):
                table.attrs["provenance"] = line
        if not hasattr(found, "attrs"):
            vars(found)["source"] = line
        return found

    return made


def _log(value: Any) -> Any:
    """The log that an argument is, or was made of."""
    log = getattr(value, "log", getattr(value, "train", value))
    return log if hasattr(log, "index_fingerprint") else None


def _said(value: Any, whole: bool) -> str:
    """An argument in a line of provenance: a log (`whole`: of how many), a table, a model; "" for
    others."""
    if log := _log(value):
        return f"log {log.fingerprint[:8]}{f' of {log.n_users:,} people' * whole}"
    if hasattr(value, "attrs"):
        return f"{len(value):,} {'texts' if 'response' in value else 'rows'}"
    if hasattr(value, "forward") or type(value).__repr__ is object.__repr__:
        return type(value).__name__ * (hasattr(value, "forward") or hasattr(value, "score"))
    return " ".join(repr(value).split())[:80] * hasattr(value, "score")
