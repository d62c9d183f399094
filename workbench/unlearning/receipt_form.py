"""What a receipt must look like, and how one from a stranger is read: every byte counts.

The file is JSON in canonical form (RFC 8785): one way to write it, so that a byte that was changed
is seen even where no key is at hand to see what was changed. Names that stand twice, numbers that no
float holds, other versions and what is too long to be one are refused before anything is believed.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from workbench.errors import DataError
from workbench.unlearning.receipt_rows import canonical

FORMAT, VERSION = "workbench deletion receipt", 1
SAYS = "demonstrates a method; it is no proof of legal compliance, and its issuer may have lied"
NOT_MEASURED = "not measured"
LARGEST = 16_000_000
"""Bytes: some 200,000 rows."""
Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]


class Part(BaseModel):
    """A part of a receipt: these names, these kinds, nothing cast."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class Asked(Part):
    """The request; people: how many."""

    number: Count
    reason: str
    time: str | None
    rows: Count
    people: Count


class Rows(Part):
    """A log."""

    rows: Count
    fingerprint: Hex


class Data(Part):
    """The log before and after."""

    before: Rows
    after: Rows


class Weights(Part):
    """The model before and after."""

    model: str
    before: Hex
    after: Hex


class Method(Part):
    """How."""

    name: str
    settings: dict[str, JsonValue]
    seed: Count


class Did(Part):
    """What it took."""

    status: Literal["done", "no-op", "failed"]
    step: float | None
    seconds: float | None
    peak_bytes: int | None
    notes: dict[str, JsonValue]


class Guarantee(Part):
    """What may be claimed."""

    kind: Literal["exact", "bound", "none"]
    says: str
    residual: float | None
    epsilon: float | None
    delta: float | None


class Apart(Part):
    """Unlearned less retrained."""

    estimate: float
    low: float
    high: float
    low90: float
    high90: float
    margin: float
    n: Count


class Exposed(Part):
    """A row of who is shown the topic."""

    row: str
    value: float | None
    low: float | None
    high: float | None
    n: Count


class Place(Part):
    """A place where memory lives; before, after: rows of the request in it."""

    place: str
    touched: bool
    before: Count | None
    after: Count | None
    note: str


class Content(Part):
    """A whole receipt."""

    format: Literal["workbench deletion receipt"]
    version: Literal[1]
    says: str
    made: str
    request: Asked
    commitments: list[Hex]
    data: Data
    weights: Weights
    method: Method
    outcome: Did
    guarantee: Guarantee
    distance: Apart | None
    verdict: Literal["equivalent", "different", "undecided", "not measured"]
    exposure: list[Exposed]
    places: list[Place]
    unchecked: list[str]
    seal: Hex


def parse(path: Path) -> dict[str, Any]:
    """The content of a receipt's file; raises `DataError` for a file that is none."""
    where = str(path)
    try:
        with open(path, "rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", where, "a receipt") from error
    if len(raw) > LARGEST:
        raise DataError(f"more than {LARGEST:,} bytes", where, "a receipt")
    try:
        content = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_once,
            parse_constant=_no_number,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as error:
        said = str(error) or type(error).__name__
        raise DataError(f"no receipt ({said[:200]})", where, "the JSON that was issued") from error
    checked(content, where)
    if canonical(content) != raw:
        do = "take the file as it was issued: byte for byte"
        raise DataError("not in canonical form: it was changed", where, "RFC 8785", do)
    return content


def checked(content: Any, where: str) -> dict[str, Any]:
    """The content itself; raises `DataError` where a part of it is missing, or of another kind."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError("no receipt of the workbench", where, f"a {FORMAT}")
    version = content.get("version")
    if version != VERSION or isinstance(version, bool):
        do = "verify it with the workbench that issued it"
        raise DataError(f"version {str(version)[:20]}", where, f"version {VERSION}", do)
    try:
        Content.model_validate(content)
    except (ValidationError, RecursionError) as error:
        first = (
            error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": "deep"}
        )
        at = ".".join(map(str, first["loc"]))[:80]
        raise DataError(f"{at}: {first['msg'][:120]}", where, "a receipt, unchanged") from error
    return content


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is larger than any number")
    return value
