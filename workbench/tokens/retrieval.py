"""Choose the memory items that a prompt shows: those most like the query, by TF-IDF or by sentence
embeddings."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.errors import ConfigError, ModelError
from workbench.tokens.encoding import check_columns, check_rows


def retrieve(examples: pd.DataFrame, k: int = 4, encoder: str | Path | None = None) -> pd.DataFrame:
    """The same examples with at most `k` of their `memories` (list[str]), the most like the query
    first.

    `encoder` None compares TF-IDF vectors (cosine; document frequencies over all memory items and
    queries); else the folder of a sentence-transformers model, whose embeddings are compared
    instead. Equally similar items keep their order. The paper takes the four nearest by Contriever.
    This choice makes the query a common cause of persona and text (arXiv:2603.06595, Figure 2): see
    `FoolingWorld`. Raises `ConfigError` for k < 1 or a package that is not installed, `ModelError`
    for a folder that is not one.
    """
    if not isinstance(k, int) or k < 1:
        raise ConfigError(f"k = {k!r}", "retrieve", "1 or more")
    check_columns(examples, ("query", "memories"), "examples")
    # who has none is shown none
    shown = [one if np.size(one) else ["none"] for one in examples["memories"]]
    check_rows(examples.assign(memories=shown), "examples", ("query", "memories"))
    if examples.empty:
        return examples.copy()
    sizes = examples["memories"].map(len).to_numpy()
    items = [item for memories in examples["memories"] for item in memories]
    queries = examples["query"].tolist()
    row = np.repeat(np.arange(len(queries)), sizes)
    likeness = (_tfidf if encoder is None else _embedded)(queries, items, row, encoder)
    chosen = []
    for number, memories in enumerate(examples["memories"]):
        order = np.argsort(-likeness[row == number], kind="stable")[:k]
        chosen.append([memories[place] for place in order])
    return examples.assign(memories=chosen)


def _tfidf(queries, items, row, _):
    from sklearn.feature_extraction.text import TfidfVectorizer

    # nothing to count: all items are equal
    if not any(re.search(r"\w", text) for text in [*items, *queries]):
        return np.zeros(len(items))
    fitted = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b").fit([*items, *queries])
    asked, told = fitted.transform(queries), fitted.transform(items)
    # equal but for rounding is equal
    return np.round(np.asarray(told.multiply(asked[row]).sum(axis=1)).ravel(), 12)


def _embedded(queries, items, row, encoder):
    try:
        # a choice of the reader's, no dependency
        library = importlib.import_module("sentence_transformers")
    except ImportError as error:
        do = "pip install sentence-transformers, or leave `encoder` out for TF-IDF"
        raise ConfigError("sentence-transformers is not installed", "retrieve", do=do) from error
    if not (Path(encoder) / "modules.json").is_file():
        what, expected = "no sentence-transformers model", "a folder with modules.json"
        raise ModelError(what, str(encoder), expected, "check the path")
    options = {"local_files_only": True, "trust_remote_code": False}
    model = library.SentenceTransformer(str(encoder), **options)
    asked, told = (model.encode(texts, normalize_embeddings=True) for texts in (queries, items))
    return np.round((told * asked[row]).sum(axis=1), 6)
