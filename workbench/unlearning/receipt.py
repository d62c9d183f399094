"""A receipt for one request: what was done, how it is known, and what was not looked at.

It demonstrates a method. It is not legal compliance, and an issuer who lies can still lie: see
docs/receipt.md. `receipt_rows.py` says how rows and weights are fingerprinted, `receipt_check.py`
what can be verified later.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.data import Interactions
from workbench.html import escape, table
from workbench.recommend.protocol import must_offer
from workbench.unlearning.endpoints import Distance
from workbench.unlearning.outcome import DONE
from workbench.unlearning.receipt_form import FORMAT, NOT_MEASURED, SAYS, VERSION, checked, parse
from workbench.unlearning.receipt_rows import (
    canonical,
    commitments,
    data_fingerprint,
    fingerprint,
    rows_of,
    seal_of,
)
from workbench.unlearning.requests import Request
from workbench.whole import whole_file

ALWAYS = (
    "copies of the data or the model that were handed on, and backups",
    "reports, lists and exports that were shown or sent before",
    "whether what other people's vectors learned from these rows is gone",
)
"""What no receipt of the workbench has looked at."""


@dataclass(frozen=True, repr=False)
class Receipt:
    """One receipt; content: as its JSON says it, see `receipt_form.py`.

    >>> receipt, key = issue(request, log, model, outcome.model, "scif")  # doctest: +SKIP
    >>> receipt.write(Path("receipt.json"))  # doctest: +SKIP
    """

    content: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> Receipt:
        """From a file, by anybody; raises `DataError` for all that is no receipt of this version."""
        return cls(parse(path))

    def write(self, path: Path) -> Path:
        """Write the file, whole or not at all; another receipt is never replaced."""
        with whole_file(Path(path), ours=None) as new:
            new.write_bytes(canonical(self.content))
        return Path(path)

    def to_frame(self) -> pd.DataFrame:
        """[part, said]: one line for each thing that it says."""
        said = {
            name: self.content[name]
            for name in ("says", "made", "verdict", "guarantee", "method", "outcome", "request")
        }
        lines = [(name, _told(part)) for name, part in said.items()]
        for one in self.content["places"]:
            state = "touched" if one["touched"] else "not touched"
            now = "?" if one["after"] is None else one["after"]
            counts = f"{one['before']} → {now} rows" if one["before"] is not None else ""
            parts = [state, counts, one["note"]]
            lines.append((one["place"], ", ".join(part for part in parts if part)))
        lines += [("not checked", one) for one in self.content["unchecked"]]
        return pd.DataFrame(lines, columns=["part", "said"])

    def __repr__(self) -> str:
        rows, method = self.content["request"]["rows"], self.content["method"]["name"]
        known = f"{self.content['verdict']}; {self.content['guarantee']['kind']}"
        return f"Receipt({rows} rows, {method}: {known}; seal {self.content['seal'][:8]})"

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{table(self.to_frame().to_dict('records'))}"


def issue(
    request: Request,
    before: Interactions,
    model: Any,
    after: Any,
    method: str,
    settings: Mapping[str, Any] | None = None,
    *,
    left: Interactions | None = None,
    seed: int = 0,
    outcome: Mapping[str, Any] | None = None,
    distance: Distance | None = None,
    exposure: pd.DataFrame | None = None,
    places: pd.DataFrame | None = None,
    exact: bool = False,
    unchecked: Iterable[str] = (),
) -> tuple[Receipt, str]:
    """A receipt and its key, 64 hexadecimal digits that nobody else has: hand both over, keep no key.

    before: the log that held the rows; left: the log as it is now, without them unless told. model,
    after: the models before and after, each with `save`. outcome: status,
    step, seconds, peak_bytes and notes of an `Outcome`. distance: to models that never saw the rows,
    where known. exposure: [row, value, low, high, n]. places: [place, touched, before, after, note].
    exact: whether a refit confirmed it. Raises `DataError` for rows that the log does not have.
    """
    must_offer(model, "save")
    key = secrets.token_bytes(32)
    removed = rows_of(request.removed(before))
    logs = {"before": before, "after": request.remaining(before) if left is None else left}
    did = {"status": DONE, "step": None, "seconds": None, "peak_bytes": None, "notes": {}}
    did |= dict(outcome or {})
    unknown = [] if distance is not None else ["the distance to models that never saw the rows"]
    unknown += [] if exposure is not None else ["who is shown the topic"]
    unknown += [] if places is not None else ["every place but the log and the model"]
    content = {
        "format": FORMAT,
        "version": VERSION,
        "says": SAYS,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "request": {
            "number": request.request,
            "reason": request.reason,
            "time": None if request.time is None or pd.isna(request.time) else str(request.time),
            "rows": len(removed),
            "people": removed["user"].nunique(),
        },
        "commitments": commitments(removed, key),
        "data": {name: _data(log) for name, log in logs.items()},
        "weights": {
            "model": type(model).__name__,
            "before": fingerprint(model),
            "after": fingerprint(after),
        },
        "method": {"name": method, "settings": _plain(settings or {}), "seed": seed},
        "outcome": _plain(did),
        "guarantee": guarantee(did, exact, after),
        "distance": None if distance is None else _plain(asdict(distance)),
        "verdict": NOT_MEASURED if distance is None else distance.verdict,
        "exposure": _plain([] if exposure is None else exposure.to_dict("records")),
        "places": _plain([] if places is None else places.to_dict("records")),
        "unchecked": [*unknown, *unchecked, *ALWAYS],
    }
    content["seal"] = seal_of(content, key)
    return Receipt(checked(content, "receipt")), key.hex()


def guarantee(outcome: Mapping[str, Any], exact: bool, model: Any) -> dict[str, Any]:
    """What may be claimed: *exact* where a refit says so; a *bound* (ε, δ), told in the notes, only for
    a model that says `certifiable = True` of its class, and where all other parameters were fitted
    without the person and training added the perturbation; else *none*, with the residual of the
    solve.

    certifiable: its loss is convex in all weights at once, with bounded gradients, and it is trained
    with bᵀθ, b ~ N(0, σ²) (Wu et al., KDD 2023, whose certificate needs all three). No model of the
    workbench is: those that are sums or least squares are exact and need none, in the others vectors
    multiply vectors or layers stand on layers (docs/receipt.md).
    """
    notes = outcome["notes"]
    told = {
        "kind": "none",
        "epsilon": None,
        "delta": None,
        "residual": _plain(notes.get("residual")),
    }
    if outcome["status"] != DONE:
        return told | {"says": "no guarantee: nothing was done to the weights"}
    if exact:
        return told | {"kind": "exact", "says": "equals the model refitted on what remains"}
    bound = notes.get("guarantee")
    needed = ("others_fitted_without", "perturbed_training")
    allowed = getattr(type(model), "certifiable", False) is True and isinstance(bound, Mapping)
    if allowed and all(bound.get(name) is True for name in needed):
        found = {name: bound.get(name) for name in ("epsilon", "delta")}
        if all(isinstance(one, float) and 0 < one < float("inf") for one in found.values()):
            return told | found | {"kind": "bound", "says": "(ε, δ) by objective perturbation"}
    return told | {"says": "no guarantee"}


def _data(log: Interactions) -> dict[str, Any]:
    """Rows and their fingerprint, kept by the log, which never changes: the next receipt begins with
    what this one left."""
    known = vars(log)
    if "_receipt_data" not in known:
        rows = rows_of(log)
        known["_receipt_data"] = {"rows": len(rows), "fingerprint": data_fingerprint(rows)}
    return dict(known["_receipt_data"])


def _plain(value: Any) -> Any:
    """As JSON can say it: numbers of Python, None where there is none, text for all else."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    value = value.item() if hasattr(value, "item") and not getattr(value, "ndim", 0) else value
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int | float):
        small = abs(value) < 2**53 if isinstance(value, int) else abs(value) < float("inf")
        return value if small else None if value != value else str(value)
    return str(value)


def _told(part: Any) -> str:
    """A part of the content as a line."""
    if not isinstance(part, Mapping):
        return str(part)
    return ", ".join(f"{name} {one}" for name, one in part.items() if one not in (None, "", {}))
