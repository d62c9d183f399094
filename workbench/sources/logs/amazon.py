"""Amazon Reviews 2023: ratings and products, as its makers publish them.

Layout after their page and the ERASE study's development code (github.com/pierre-lubitzsch/RecBole);
it could not be opened here.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from workbench.data.checks import as_numbers
from workbench.data.times import as_times
from workbench.sources.columns import as_text
from workbench.sources.files import found, read_json_lines
from workbench.sources.logs.dataset import Dataset, make_dataset

FACTS = {"parent_asin": "item_id", "store": "brand", "categories": "topics"}
FACTS |= {
    column: column
    for column in ("title", "price", "main_category", "description", "features", "details")
}


def amazon(folder: str | Path, name: str) -> Dataset:
    """Amazon Reviews 2023: `<name>.jsonl` and `meta_<name>.jsonl`, a JSON object a line; items are
    parent_asin.

    Topics are the category paths; description, features, details and store stay as text columns,
    for rules that look for words. A price that is no number ("from 14.99") is unknown.
    """
    path = found(Path(folder) / f"{name}.jsonl")
    columns = {"user_id": "user", "parent_asin": "item", "rating": "value"}
    table = read_json_lines(path, columns | {"timestamp": "timestamp"})
    times = as_numbers(table["timestamp"], path.name)
    table["timestamp"] = as_times(times, len(table), path.name, "ms")
    items = read_json_lines(found(Path(folder) / f"meta_{name}.jsonl"), FACTS)
    items = as_text(items, keep=("price", "topics"))
    items["price"] = pd.to_numeric(items["price"].astype(str), errors="coerce")
    return make_dataset(table, items, where=path.name)
