"""Amazon Reviews 2023: ratings and products, as its makers publish them.

Layout after their page and the ERASE study's development code (github.com/pierre-lubitzsch/RecBole);
it could not be opened here.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from workbench.data.checks import as_numbers, as_times
from workbench.sources.columns import as_text
from workbench.sources.files import found, read_json_lines
from workbench.sources.logs.dataset import Dataset, make_dataset


def amazon(folder: str | Path, name: str) -> Dataset:
    """Amazon Reviews 2023: `<name>.jsonl` and `meta_<name>.jsonl`, a JSON object a line; items are
    parent_asin.

    Topics are the category paths; description, features, details and store stay as text columns,
    for rules that look for words. A price that is no number ("from 14.99") is unknown.
    """
    path = found(Path(folder) / f"{name}.jsonl")
    table = read_json_lines(path, ("user_id", "parent_asin", "rating", "timestamp"))
    table["timestamp"] = as_times(
        as_numbers(table["timestamp"], path.name), len(table), path.name, "ms"
    )
    same = ("title", "price", "categories", "main_category", "description", "features", "details")
    fields = {"parent_asin": "item_id", "store": "brand"} | {column: column for column in same}
    items = read_json_lines(found(Path(folder) / f"meta_{name}.jsonl"), tuple(fields)).rename(
        columns=fields
    )
    items = as_text(items, keep=("price", "categories"))
    items["price"] = pd.to_numeric(items["price"].astype(str), errors="coerce")
    items["categories"] = [
        list(path) if isinstance(path, list) else [] for path in items["categories"]
    ]
    roles = {"user": "user_id", "item": "parent_asin", "value": "rating", "timestamp": "timestamp"}
    return make_dataset(table, roles, items, topics="categories", where=path.name)
