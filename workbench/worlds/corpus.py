"""What all worlds are made of: banks of words, and texts with the truth about them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

WORDS = Path(__file__).parent / "words"
COLUMNS = {
    "texts": ["text", "user", "item", "interaction", "kind", "query", "response"],
    "memories": ["memory", "user", "statement"],
    "text_memories": ["text", "memory", "shown"],
    "words": ["text", "start", "end", "word", "kind", "memory", "direct"],
    "sentences": ["text", "start", "end", "role", "memory"],
    "text_attributes": ["text", "start", "end", "attribute", "praise"],
}
"""The tables of a corpus; `texts` may have more columns."""
CODES = ("text", "user", "item", "memory", "start", "end")
"""Columns of 32-bit codes; an item may also be text."""


@cache
def bank(name: str) -> dict[str, Any]:
    """A bank of words, read once: `words/<name>.toml`."""
    return tomllib.loads((WORDS / f"{name}.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Texts:
    """A corpus: texts, and the truth about them by table, as a `World` has it; columns as in
    `COLUMNS`."""

    texts: pd.DataFrame
    memories: pd.DataFrame
    text_memories: pd.DataFrame
    words: pd.DataFrame
    sentences: pd.DataFrame
    text_attributes: pd.DataFrame

    @classmethod
    def of(
        cls, rows: dict[str, list[tuple]], more: Iterable[str] = (), **tables: pd.DataFrame
    ) -> Texts:
        """From the rows of every table, or from tables that are there already; `more` are further
        columns of `texts`."""
        for name, columns in COLUMNS.items():
            if name not in tables:
                wide = [*columns, *more] if name == "texts" else columns
                table = pd.DataFrame(rows.get(name, []), columns=wide)
                names = [code for code in CODES if code in table and table[code].dtype != "str"]
                tables[name] = table.astype(dict.fromkeys(names, "int32"))
        return cls(**tables)

    def __repr__(self) -> str:
        return f"Texts(generated, {len(self.texts):,} by {self.texts['user'].nunique():,} shoppers)"

    @property
    def truth(self) -> dict[str, pd.DataFrame]:
        """The tables beside the texts, by name."""
        return {name: table for name, table in vars(self).items() if name != "texts"}
