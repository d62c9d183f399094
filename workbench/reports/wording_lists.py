"""The words that a sentence of a model may hold without a claim, and those that the template can say."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from workbench.reports.phrases import COUNTS
from workbench.reports.sentences import templates
from workbench.reports.wording_numbers import MONTHS


@cache
def lists() -> dict[str, frozenset[str]]:
    """The lists of words of `wording.toml`."""
    text = Path(__file__).with_name("wording.toml").read_text(encoding="utf-8")
    return {name: frozenset(" ".join(words).split()) for name, words in tomllib.loads(text).items()}


@cache
def template_words() -> frozenset[str]:
    """Every word that the template itself can say."""
    forms = [form for table in templates().values() for form in _texts(table)]
    words = re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", re.sub(r"{\w+}", " ", " ".join(forms)))
    return frozenset(word.casefold() for word in words) | MONTHS | {*COUNTS, "visit", "visits"}


def _texts(table: Mapping[str, Any]) -> Iterable[str]:
    for value in table.values():
        yield from [value] if isinstance(value, str) else _texts(value)
