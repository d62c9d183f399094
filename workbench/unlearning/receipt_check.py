"""What of a receipt can be found true later, and by whom.

Without the key: its form, its sums, the data and the weights that are shown. With it: that not a byte
was changed since it was issued, which rows it is about, and that none of them is in the data shown.
"""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.data import Interactions
from workbench.errors import ConfigError, DataError
from workbench.unlearning.endpoints import Distance
from workbench.unlearning.outcome import DONE
from workbench.unlearning.receipt import Receipt
from workbench.unlearning.receipt_form import NOT_MEASURED
from workbench.unlearning.receipt_rows import (
    commitments,
    data_fingerprint,
    fingerprint,
    read_rows,
    rows_of,
    saved_fingerprint,
    seal_of,
)

Rows = Interactions | pd.DataFrame | Path | str
GIVE = "not looked at: give"


def verify(
    receipt: Receipt | Path | str,
    key: str | None = None,
    rows: Rows | None = None,
    model: Any = None,
    data: Rows | None = None,
) -> pd.DataFrame:
    """Look at a receipt again: [check, ok, said]; ok is True, False, or None for what was not looked
    at.

    key: 64 hexadecimal digits. rows: those that were removed, data: what is said to remain; a log, a
    table as `rows_of` makes it, or a file of one. model: a saved model's folder, or a model. Raises
    `DataError` for a file that is no receipt, or no rows; `ConfigError` for what is no key.

    >>> verify("receipt.json", key=key, rows="rows.csv")["ok"].ne(False).all()  # doctest: +SKIP
    True
    """
    content = (receipt if isinstance(receipt, Receipt) else Receipt.read(Path(receipt))).content
    secret = None if key is None else _bytes_of(key)
    named, shown = (None if one is None else _table(one) for one in (rows, data))
    lines = [("form", True, "canonical JSON, every part of its kind"), _sums(content)]
    # nothing else is to be believed where the seal is broken
    if secret is None:
        lines.append(("seal", None, f"{GIVE} the key. Without it anybody may have written this"))
    else:
        same = hmac.compare_digest(seal_of(content, secret), content["seal"])
        wrong = "another key's, or changed since: believe nothing in it"
        lines.append(("seal", same, "unbroken" if same else wrong))
    lines += [_rows(content, secret, named), _weights(content, model)]
    lines += [_data(content, shown), _absent(content, secret, shown)]
    return pd.DataFrame(lines, columns=["check", "ok", "said"])


Line = tuple[str, bool | None, str]


def _sums(content: dict[str, Any]) -> Line:
    """What a receipt says twice must agree."""
    wrong, rows = [], content["request"]["rows"]
    if len(set(content["commitments"])) != rows:
        wrong.append(f"{rows} rows, {len(set(content['commitments']))} commitments")
    lost = content["data"]["before"]["rows"] - content["data"]["after"]["rows"]
    # a request may leave the log as it was, which its places then say
    if lost not in (0, rows):
        wrong.append(f"{rows} rows, and the log lost {lost}")
    moved = content["weights"]["before"] != content["weights"]["after"]
    done = content["outcome"]["status"] == DONE
    # a deletion may leave counts as they were, but nothing that was not done moves weights
    if moved and not done:
        wrong.append(f"{content['outcome']['status']}, and yet other weights")
    distance = content["distance"]
    verdict = NOT_MEASURED if distance is None else Distance(**distance).verdict
    if verdict != content["verdict"]:
        wrong.append(f"{content['verdict']}, where its numbers say {verdict}")
    return "sums", not wrong, "; ".join(wrong) or "its numbers agree with each other"


def _rows(content: dict[str, Any], key: bytes | None, rows: pd.DataFrame | None) -> Line:
    if key is None or rows is None:
        return "rows", None, f"{GIVE} the key and the rows"
    asked, found = set(content["commitments"]), set(commitments(rows, key))
    more, less = len(found - asked), len(asked - found)
    if more or less:
        return "rows", False, f"{more} shown that it is not about, {less} of its own not shown"
    return "rows", True, f"these {len(asked)} rows and no others"


def _weights(content: dict[str, Any], model: Any) -> Line:
    if model is None:
        return "weights", None, f"{GIVE} the model"
    is_folder = isinstance(model, str | Path)
    found = saved_fingerprint(Path(model)) if is_folder else fingerprint(model)
    before, after = (found == content["weights"][name] for name in ("before", "after"))
    if after:
        return "weights", True, "those after, and those before too" if before else "those after"
    if before:
        return "weights", False, "those BEFORE the request"
    return "weights", False, "neither those before nor those after"


def _data(content: dict[str, Any], data: pd.DataFrame | None) -> Line:
    if data is None:
        return "data", None, f"{GIVE} the data"
    found = data_fingerprint(data)
    if found == content["data"]["after"]["fingerprint"]:
        return "data", True, "what remained"
    before = found == content["data"]["before"]["fingerprint"]
    return "data", False, "what there was BEFORE the request" if before else "other data"


def _absent(content: dict[str, Any], key: bytes | None, data: pd.DataFrame | None) -> Line:
    if key is None or data is None:
        return "absent", None, f"{GIVE} the key and the data"
    held = set(commitments(data, key)) & set(content["commitments"])
    return "absent", not held, f"{len(held)} of the removed rows are in the data"


def _table(given: Rows) -> pd.DataFrame:
    if isinstance(given, Interactions):
        return rows_of(given)
    if isinstance(given, str | Path):
        return read_rows(Path(given))
    if not isinstance(given, pd.DataFrame):
        raise DataError(f"a {type(given).__name__}", "rows", "a log, a table of rows, or its file")
    return given


def _bytes_of(key: str) -> bytes:
    try:
        found = bytes.fromhex(key)
        if len(found) == 32 and len(key) == 64:
            return found
    except (ValueError, TypeError):
        pass
    raise ConfigError("this is no key", "key", "64 hexadecimal digits, as they were handed over")
