"""The header of a GGUF file, walked over within bounds that the file itself sets: no reader of
another library sees a header that was not checked here."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from workbench.errors import ModelError

ITEMS, LETTERS, LINES = 1 << 21, 1 << 24, 1 << 16
"""Most items of a list, bytes of a text, keys or tensors: several times what files in use have."""
NUMBERS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
TEXT, LIST = 8, 9
WORDS = "tokenizer.ggml."
STEP = "general.alignment"
OWN_SCALES = ("gpt-oss", "gpt_oss")
"""Architectures of whose scaled positions Transformers reads the scale."""
ELSEWHERE = "load the folder of the original weights, or serve the file and name an Endpoint"


class Entry(NamedTuple):
    """One line of the metadata."""

    value: Any
    """A number, a text, or the length of a list."""
    begin: int
    """Where it stands in the file."""
    end: int
    """The byte after its last."""


class Header:
    """What stands in `data` (bytes, or a map of the file `path`) before the weights; `ModelError`
    for what cannot be so."""

    def __init__(self, data: Any, path: Path) -> None:
        self.data, self.path, self.at = data, path, 4
        # counts first, then the metadata
        version = self.number("I")
        if version not in (2, 3):
            what = "a big-endian file" if version & 0xFFFF == 0 else f"version {version}"
            raise self.odd(what, "version 2 or 3, little-endian", "convert the model again")
        count, keys = self.count("tensors", LINES), self.count("keys", LINES)
        self.entries: dict[str, Entry] = {}
        for _ in range(keys):
            begin, key = self.at, self.text()
            if key in self.entries:
                raise self.odd(f"the key {key:.60} stands twice in the header")
            self.entries[key] = Entry(self.value(), begin, self.at)
        # where the metadata ends, and the list of tensors
        self.end = self.at
        self.shapes: dict[str, list[int]] = {}
        self.places: dict[str, int] = {}
        self.rows: list[tuple[str, int, int, bool]] = []
        reach = max((self.tensor() for _ in range(count)), default=0)
        self.last = self.at
        # the data begin at the next whole step
        self.step = self.told(STEP, 32)
        if self.step not in [1 << power for power in range(3, 21)]:
            raise self.odd(f"an alignment of {self.step!r:.20}", "a power of two")
        self.at = -(-self.last // self.step) * self.step
        self.need(reach if reach else self.last - self.at)

    def told(self, key: str, default: Any = None) -> Any:
        """The value of a key."""
        return self.entries[key].value if key in self.entries else default

    def odd(self, what: str, expected: str | None = None, do: str | None = None) -> ModelError:
        """The error for a header that cannot be so."""
        return ModelError(
            what, str(self.path), expected, do or "take the file from its maker again"
        )

    def need(self, size: int) -> None:
        """Raise `ModelError` unless the file holds `size` bytes more."""
        if (asked := self.at + size) > len(self.data):
            what = f"cut short: {len(self.data):,} bytes, and the header asks for {asked:,}"
            raise self.odd(what, "a whole file")

    def number(self, kind: str) -> Any:
        """The next number, of a kind of `struct`."""
        size = struct.calcsize(f"<{kind}")
        self.need(size)
        self.at += size
        return struct.unpack_from(f"<{kind}", self.data, self.at - size)[0]

    def count(self, what: str, most: int, kind: str = "Q") -> int:
        """The next number, which counts something."""
        if (found := self.number(kind)) > most:
            raise self.odd(f"a header that tells of {found:,} {what}", f"at most {most:,}")
        return found

    def text(self) -> str:
        """The next text."""
        size = self.count("bytes in one text", LETTERS)
        self.need(size)
        self.at += size
        try:
            return bytes(self.data[self.at - size : self.at]).decode()
        except UnicodeDecodeError as error:
            raise self.odd("a header with bytes that are no text", "UTF-8") from error

    def value(self) -> Any:
        """The next value: a number, a text, or the length of a list, which is walked over."""
        kind = self.number("I")
        if kind in NUMBERS:
            return self.number(NUMBERS[kind])
        if kind == TEXT:
            return self.text()
        inner = self.number("I") if kind == LIST else None
        if inner not in {*NUMBERS, TEXT}:
            raise self.odd(f"a header with a value of kind {kind if inner is None else inner}")
        count = self.count("items in a list", ITEMS)
        if inner == TEXT:
            self.skip(count)
        else:
            self.at += count * struct.calcsize(f"<{NUMBERS[inner]}")
        self.need(0)
        return count

    def skip(self, texts: int) -> None:
        """Walk over texts, of which one list holds a quarter of a million."""
        size, at = struct.Struct("<Q").unpack_from, self.at
        try:
            for _ in range(texts):
                at += 8 + size(self.data, at)[0]
        except (struct.error, OverflowError):  # beyond the end, which `need` tells
            at += 8
        self.at = at

    def tensor(self) -> int:
        """Read one line of the list of tensors; the byte of the data that it reaches to."""
        from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

        name = self.text()
        shape = [self.number("Q") for _ in range(self.count("dimensions", 4, "I"))]
        kind, offset = self.number("I"), self.number("Q")
        known = kind in {*map(int, GGMLQuantizationType)}
        if name in self.shapes or not known or not shape or not all(shape):
            what = f"tensor {name!r:.60} stands twice, is empty, or of an unknown type ({kind})"
            raise self.odd(what, "types that the package gguf knows", "pip install -U gguf")
        # a block of weights of a row shares a scale
        block, size = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
        if shape[0] % block:
            raise self.odd(f"tensor {name!r:.60} in rows of {shape[0]}", f"blocks of {block}")
        taken = prod(shape) // block * size
        self.shapes[name], self.places[name] = shape, offset
        self.rows.append((GGMLQuantizationType(kind).name, prod(shape), taken, block > 1))
        return offset + taken


def check_whole(header: Header) -> None:
    """Raise `ModelError` for what is no whole model, and for an architecture that Transformers does
    not read."""
    from transformers.integrations.gguf import GGUF_CONFIG_ARCHS
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    if header.told("split.count") not in (None, 0, 1):
        what = f"one of {header.told('split.count')} parts"
        raise header.odd(what, "a whole model", "join the parts with llama-gguf-split --merge")
    if (kind := header.told("general.type", "model")) != "model":
        raise header.odd(f"a file of kind {kind!r:.40}", "a model", "an adapter comes as a folder")
    known = {*GGUF_SUPPORTED_ARCHITECTURES, *GGUF_CONFIG_ARCHS} - {"general", "tokenizer"}
    found = str(header.told("general.architecture"))
    # a scale without a type is a linear one, and older files have a key for it
    # (a type without a factor is a scaled file, too)
    kind = header.told(f"{found}.rope.scaling.type")
    factor = header.told(f"{found}.rope.scale_linear", kind or 1)
    factor = header.told(f"{found}.rope.scaling.factor", factor)
    # Transformers writes qwen2_moe where the file says qwen2moe
    if found.replace("-", "").replace("_", "") not in {one.replace("_", "") for one in known}:
        expected = f"one that Transformers reads: {', '.join(sorted(known))}"
        raise header.odd(f"unknown architecture {found:.60}", expected, ELSEWHERE)
    if kind != "none" and factor != 1 and (kind is None or found not in OWN_SCALES):
        what = f"positions that are scaled ({kind or 'linear'!r:.20}), which are not read here"
        raise header.odd(what, "a file without", ELSEWHERE)


def check_layers(header: Header) -> None:
    """Raise `ModelError` where the header tells of more layers than the file has: as many would be
    made."""
    told = header.told(f"{header.told('general.architecture')}.block_count")
    found = {name.split(".")[1] for name in header.shapes if name.startswith("blk.")}
    if told != len(found):
        raise header.odd(f"{told!r:.20} layers told, tensors of {len(found)}", "as many")


def vocabulary(header: Header) -> tuple[int, Mapping[str, int]]:
    """Number of tokens, and {bos, eos, pad, unk: id}; tokenizer and embedding have to agree."""
    tokens, table = header.told(f"{WORDS}tokens"), header.shapes.get("token_embd.weight", [None])
    if not isinstance(tokens, int) or table[-1] != tokens:
        what = f"another vocabulary: {tokens} tokens, an embedding of {table[-1]} rows"
        raise header.odd(what, "a row for each token", "take a file with the model's own tokenizer")
    for name in ("scores", "token_type"):
        if (found := header.told(f"{WORDS}{name}", tokens)) != tokens:
            raise header.odd(f"{found} {name} for {tokens} tokens", "one for each")
    keys = {"bos": "bos", "eos": "eos", "pad": "padding", "unk": "unknown"}
    told = {name: f"{WORDS}{key}_token_id" for name, key in keys.items()}
    ids = {name: header.told(key) for name, key in told.items() if key in header.entries}
    for name, one in ids.items():
        if one not in range(tokens):
            raise header.odd(f"the id of {name} is {one!r:.20}", f"ids below {tokens}")
    return tokens, ids


def types(header: Header) -> pd.DataFrame:
    """[type, tensors, weights, share, bytes, bits, rounded] of what the tensors hold."""
    table = pd.DataFrame(header.rows, columns=["type", "weights", "bytes", "rounded"])
    groups = table.assign(tensors=1).groupby(["type", "rounded"], as_index=False)
    out = groups[["tensors", "weights", "bytes"]].sum()
    out["share"] = out["weights"] / out["weights"].sum()
    out["bits"] = out["bytes"] * 8 / out["weights"]
    out = out.sort_values("weights", ascending=False, ignore_index=True)
    return out[["type", "tensors", "weights", "share", "bytes", "bits", "rounded"]]
