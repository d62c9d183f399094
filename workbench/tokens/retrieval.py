"""Choose the memory items that a prompt shows: those most like the query, by TF-IDF."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from workbench.errors import ConfigError


def retrieve(examples: pd.DataFrame, k: int = 4) -> pd.DataFrame:
    """The same examples with at most `k` of their `memories` (list[str]), the most like the query
    first.

    TF-IDF vectors are compared: cosine; document frequencies over all memory items and queries.
    Equally similar items keep their order. The paper takes the four nearest by Contriever. This
    choice makes the query a common cause of persona and text (arXiv:2603.06595, Figure 2): see
    `FoolingWorld`. Raises `ConfigError` for k < 1.
    """
    if k < 1:
        raise ConfigError(f"k = {k}", "retrieve", "1 or more")
    if examples.empty:
        return examples.copy()
    items = examples["memories"].explode().dropna().tolist()
    sizes = examples["memories"].map(len).to_numpy()
    row = np.repeat(np.arange(len(examples)), sizes)
    likeness = np.split(_likeness(examples["query"].tolist(), items, row), np.cumsum(sizes))
    chosen = []
    for memories, values in zip(examples["memories"], likeness, strict=False):
        order = np.argsort(-values, kind="stable")[:k]
        chosen.append([memories[place] for place in order])
    return examples.assign(memories=chosen)


def _likeness(queries: list[str], items: list[str], row: np.ndarray) -> np.ndarray:
    """Cosine of each item and the query of its row."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    # nothing to count: all items are equal
    if not any(re.search(r"\w", text) for text in [*items, *queries]):
        return np.zeros(len(items))
    fitted = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b").fit([*items, *queries])
    asked, told = fitted.transform(queries), fitted.transform(items)
    # equal but for rounding is equal
    return np.round(np.asarray(told.multiply(asked[row]).sum(axis=1)).ravel(), 12)
