"""Files as people have them: packed or plain, told apart by their first bytes and not by their name,
and unpacked within limits."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zipfile
from pathlib import Path
from typing import IO, Any

from workbench.errors import DataError, typed

LINE = 1 << 24
"""Bytes that a line may have."""
TIMES, FLOOR = 100, 1 << 26
"""How many times its size a packed file may grow; up to `FLOOR` bytes it may in any case."""
HEAD = 1 << 16
"""Bytes that are looked at to tell what a file holds."""
MARKS = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
MARKS |= {b"PK\x03\x04": "zip", b"PAR1": "parquet", b"ARROW1": "feather"}
ENDINGS = (".gz", ".bz2", ".xz", ".zst", ".zip")
CSV = "save the table as CSV or parquet, and name that file"
FOREIGN = {
    b"\xd0\xcf\x11\xe0": ("a workbook of Excel or another Office file", CSV),
    b"SQLite format 3": ("a data base of SQLite", CSV),
    b"\x89HDF": ("an HDF5 file", CSV),
    b"ORC": ("an ORC file", CSV),
    b"\xff\xfe": ("text in UTF-16", "pass encoding='utf-16'"),
    b"\xfe\xff": ("text in UTF-16", "pass encoding='utf-16'"),
} | {bytes([128, n]): ("a pickle, which is never opened", CSV) for n in range(2, 6)}
"""First bytes of what is no table here, what it is, and what to do."""


class Watched(io.RawIOBase):
    """The bytes of a file as they pass: counted, and stopped where no table goes on.

    `size`, `lines` and `odd` tell what has passed: bytes, line ends, and whether there was a zero
    byte or a line end that is neither LF nor CR LF.
    """

    def __init__(self, raw: IO[bytes], path: Path, most: int | None, longest: int | None) -> None:
        self.raw, self.path, self.most, self.longest = raw, path, most, longest
        self.size = self.lines = self.quotes = self._since = self._alone = 0
        self.last, self._zero = b"", False

    @property
    def odd(self) -> bool:
        """Whether line ends or bytes are unusual."""
        return self._zero or self._alone != 0

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; `DataError` for a file that grows, or a line that is long, beyond reason."""
        piece = self.raw.read(len(buffer))
        n = len(piece)
        buffer[:n] = piece
        if not n:
            return 0
        # what passed; a CR LF may be cut in two
        if b"\r" in piece or self.last == b"\r":
            pair = self.last == b"\r" and piece[:1] == b"\n"
            self._alone += piece.count(b"\r") - piece.count(b"\r\n") - pair
        self._zero |= b"\0" in piece
        self.size, self.lines = self.size + n, self.lines + piece.count(b"\n")
        self.quotes, self.last = self.quotes + piece.count(b'"'), piece[-1:]
        if self.most and self.size > self.most:
            what = f"it unpacks to more than {self.most:,} bytes, {TIMES} times its size"
            do = "unpack it yourself if you trust it, and name the unpacked file"
            raise DataError(what, self.path.name, "a table", do)
        end = max(piece.rfind(b"\n"), piece.rfind(b"\r"))
        self._since = self._since + n if end < 0 else n - 1 - end
        if self.longest and self._since > self.longest:
            what = f"line {self.lines + 1} has more than {self.longest:,} bytes"
            raise DataError(what, self.path.name, "lines of a table", "shorten or remove this line")
        return n

    def close(self) -> None:
        """Close the file too."""
        self.raw.close()
        super().close()


def kind_of(path: Path) -> str:
    """How a file is packed, or what it holds, by its first bytes: a word of `MARKS`, "" for
    text."""
    if path.suffix == ".gz":
        return "gzip"
    with path.open("rb") as file:
        first = file.read(8)
    return next((kind for mark, kind in MARKS.items() if first.startswith(mark)), "")


def open_file(path: Path, encoding: str | None = None, longest: int | None = LINE) -> IO:
    """A plain or packed file, as bytes unless an encoding is named; a byte order mark is no
    text."""
    kind = kind_of(path)
    unpack = {"gzip": gzip.open, "bz2": bz2.open, "xz": lzma.open, "zstd": _zstd, "zip": _member}
    most = max(FLOOR, TIMES * path.stat().st_size) if kind in unpack else None
    raw = Watched(unpack.get(kind, open)(path, "rb"), path, most, longest)
    stream = io.BufferedReader(raw, 1 << 20)
    if encoding is None:
        return stream
    return io.TextIOWrapper(stream, "utf-8-sig" if encoding in ("utf-8", "utf8") else encoding)


def head_of(path: Path) -> bytes:
    """The first bytes of what a file holds."""
    with open_file(path) as file:
        return file.read(HEAD)


def inner_name(path: Path) -> str:
    """The name of what a file holds, in lower case."""
    name = _only(path).filename if kind_of(path) == "zip" else path.name
    return _unpacked(name.lower())


def refuse_foreign(path: Path, first: bytes, encoding: str) -> None:
    """Raise `DataError` for what is known and no table: a workbook, an archive, a pickle."""
    if first[257:262] == b"ustar":
        do = "unpack it, and name the file that holds the table"
        raise DataError("it is an archive", path.name, "a table", do)
    for mark, (what, do) in FOREIGN.items():
        if first.startswith(mark) and not encoding.lower().startswith("utf-16"):
            raise DataError(f"it is {what}", path.name, "a text, parquet or feather table", do)
    if first.count(0) > len(first) // 4 and not encoding.lower().startswith(("utf-16", "utf-32")):
        what, do = "every other byte is zero", "pass encoding='utf-16-le', or save it as CSV"
        raise DataError(what, path.name, "text in utf-8", do)


def exists(path: Path) -> bool:
    """Whether there is such a file, plain or gzipped, or such a folder of parquet parts."""
    return path.is_file() or Path(f"{path}.gz").is_file() or bool(parts_of(path))


@typed
def found(path: str | Path) -> Path:
    """The file, or its gzip beside where it would be; or a folder of parquet parts. `~` is the
    reader's home."""
    path = Path(path).expanduser()
    if path.is_dir() and not parts_of(path):
        names = ", ".join(sorted(part.name for part in path.iterdir())[:8]) or "nothing"
        expected = (
            f"a file, or (with nothing beside them) a folder of parquet parts; found: {names}"
        )
        raise DataError("it is a folder", str(path), expected, "name the file in it")
    if not exists(path):
        raise DataError("no such file", str(path), "a file, plain or .gz", "check name and folder")
    return path if path.exists() else Path(f"{path}.gz")


def parts_of(folder: Path) -> list[Path]:
    """The parquet files of a folder and the folders in it, but for hidden ones; none where
    anything else lies among them."""
    parts = []
    for place, folders, names in os.walk(folder if folder.is_dir() else ""):
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        for name in names:
            if name.startswith((".", "_")):
                continue
            if not name.lower().endswith((".parquet", ".pq")):
                return []
            parts.append(Path(place, name))
    return sorted(parts)


def _unpacked(name: str) -> str:
    return next((name.removesuffix(end) for end in ENDINGS if name.endswith(end)), name)


def _zstd(path: Path, _: str) -> IO[bytes]:
    import pyarrow  # only this form needs it

    return pyarrow.input_stream(str(path), compression="zstd")


def _member(path: Path, _: str) -> IO[bytes]:
    return zipfile.ZipFile(path).open(_only(path))


def _only(path: Path) -> zipfile.ZipInfo:
    """The one file of a zip archive."""
    with zipfile.ZipFile(path) as archive:
        inside = [info for info in archive.infolist() if not info.is_dir()]
    inside = [info for info in inside if not info.filename.startswith("__MACOSX/")]
    names = [info.filename for info in inside]
    if "[Content_Types].xml" in names:
        raise DataError("it is an Excel workbook", path.name, "a table", CSV)
    if len(inside) != 1:
        what = f"{len(inside)} files are in it ({', '.join(names[:8])})"
        raise DataError(what, path.name, "one", "unpack it, and name the file that holds the table")
    if inside[0].flag_bits & 1:
        raise DataError("it is encrypted", path.name, "a table", "unpack it with its password")
    return inside[0]
