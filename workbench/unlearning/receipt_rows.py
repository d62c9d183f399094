"""What a receipt says of rows and weights without showing them: fingerprints and commitments.

row line       a JSON list of texts: interaction, user, item, time, action, basket, session, value
data           sha256 of all row lines, by interaction
weights        sha256 of all files of the saved model by relative path: path and sha256 of its content
               (arrays by name: name, dtype, shape, bytes; tables as CSV; other files as they are)
commitment     HMAC-SHA256(key, "row" + row line)       whoever has no key can guess no row from it
seal           HMAC-SHA256(key, "receipt" + the rest of the receipt in canonical JSON)
"""

from __future__ import annotations

import hashlib
import hmac
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rfc8785
from safetensors import SafetensorError
from safetensors.numpy import load_file

from workbench.data import Interactions
from workbench.errors import DataError, ModelError

COLUMNS = ("interaction", "user", "item", "time", "action", "basket", "session", "value")


def rows_of(log: Interactions) -> pd.DataFrame:
    """The rows of a log as a receipt reads them: texts, with the ids of people and items in place of
    codes, "" where nothing is known; by interaction. It is what is handed to the person, too."""
    frame = log.frame.sort_values("interaction", kind="stable")
    time = frame["timestamp"].dt.tz_localize(None).to_numpy("datetime64[ms]")
    table = {
        "interaction": frame["interaction"],
        "user": log.users.to_numpy()[frame["user"]],
        "item": log.items.to_numpy()[frame["item"]],
        "time": np.where(np.isnat(time), "", np.datetime_as_string(time, timezone="UTC")),
    }
    for name in ("action", "basket", "session", "value"):
        known = frame[name].astype(object)
        table[name] = known.map(str).where(frame[name].notna(), "")
    return pd.DataFrame(
        {name: np.asarray(column, dtype=object) for name, column in table.items()}
    ).map(str)


def read_rows(path: Path) -> pd.DataFrame:
    """Rows as `rows_of` makes them, from .csv or .parquet; raises `DataError` for what are none."""
    try:
        if path.suffix.lower() == ".parquet":
            table = pd.read_parquet(path)
        else:
            table = pd.read_csv(path, dtype=str, keep_default_na=False, na_filter=False)
    # whatever a stranger's file does to a reader
    except Exception as error:
        said = str(error).splitlines() or [type(error).__name__]
        do = "write them with rows_of(log).to_csv(file, index=False)"
        raise DataError(said[0], str(path), f"a table of {', '.join(COLUMNS)}", do) from error
    lacks = [name for name in COLUMNS if name not in table]
    if lacks:
        raise DataError(f"no column {lacks[0]!r}", str(path), ", ".join(COLUMNS))
    return table[[*COLUMNS]].map(str)


def lines(rows: pd.DataFrame) -> Iterator[bytes]:
    """Each row as bytes."""
    encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode
    for row in zip(*(rows[name].tolist() for name in COLUMNS), strict=True):
        yield encode(row).encode()


def data_fingerprint(rows: pd.DataFrame) -> str:
    """Equal for equal rows, in whatever order they stand."""
    digest = hashlib.sha256()
    for line in sorted(lines(rows)):
        digest.update(line + b"\n")
    return digest.hexdigest()


def commitments(rows: pd.DataFrame, key: bytes) -> list[str]:
    """One a row, ascending: their order tells nothing either."""
    return sorted(hmac.new(key, b"row" + line, "sha256").hexdigest() for line in lines(rows))


def saved_fingerprint(folder: Path) -> str:
    """The weights of a saved model, of any kind, with all that is saved beside them: its settings,
    models within it, rows it keeps; raises `ModelError` for a folder that is none."""
    folder = Path(folder)
    top, digest = folder / "arrays.safetensors", hashlib.sha256()
    if not top.is_file():
        raise ModelError("cannot be read (no such file)", str(top), "a saved model")
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    for name in sorted(files):
        if files[name].is_dir():
            continue
        content = _digest(files[name])
        digest.update(json.dumps([name, content]).encode() + b"\n")
    return digest.hexdigest()


def _digest(path: Path) -> str:
    """Of one file: of what it holds, where the same may be written in more than one way."""
    digest = hashlib.sha256()
    try:
        if path.suffix == ".parquet":
            table = pd.read_parquet(path)
            digest.update(table.to_csv(index=False, lineterminator="\n").encode())
        elif path.suffix == ".safetensors":
            arrays = load_file(path)
            for name in sorted(arrays):
                array = np.ascontiguousarray(arrays[name])
                said = [name, str(array.dtype), [*array.shape]]
                digest.update(json.dumps(said).encode() + b"\n" + array.tobytes())
        else:
            digest.update(path.read_bytes())
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelError(f"cannot be read ({error})", str(path), "a saved model") from error
    return digest.hexdigest()


def fingerprint(model: Any) -> str:
    """The same of a model at hand: of what `save` would write, counts and graphs too."""
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder, "model"))
        return saved_fingerprint(Path(folder, "model"))


def canonical(content: Any) -> bytes:
    """JSON in the one form that RFC 8785 gives it; raises `DataError` for what JSON cannot say."""
    try:
        return rfc8785.dumps(content)
    except (rfc8785.CanonicalizationError, RecursionError, UnicodeError) as error:
        want = "numbers a browser can hold, text and nothing else"
        raise DataError(f"no canonical JSON ({error})", "receipt", want) from error


def seal_of(content: dict[str, Any], key: bytes) -> str:
    """The seal of a receipt, itself left out."""
    rest = {name: part for name, part in content.items() if name != "seal"}
    return hmac.new(key, b"receipt" + canonical(rest), "sha256").hexdigest()
