"""Static HTML that keeps its meaning without styles and scripts: escaped text, ids made from
content."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any


def escape(value: object) -> str:
    """Escape any value for use in HTML text or a quoted attribute.

    >>> escape("<img src=x>")
    '&lt;img src=x&gt;'
    """
    return html.escape(str(value), quote=True)


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


def table(rows: Iterable[Mapping[str, Any]], caption: str = "", digits: int = 3) -> str:
    """A plain HTML table of records; every cell is escaped."""
    rows = list(rows)
    heads = list(rows[0]) if rows else []
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "".join(
        "<tr>"
        + "".join(f"<td>{escape(format_number(row[name], digits))}</td>" for name in heads)
        + "</tr>"
        for row in rows
    )
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
