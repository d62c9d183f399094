"""LongLaMP: abstracts, product reviews and posts with a user's earlier ones (Kumar et al. 2024,
arXiv:2407.11016).

Layout of the Hugging Face data set LongLaMP/LongLaMP, one row {input, output, profile} and the
author; a parquet or JSON-lines file of a split. The fourth task, e-mail, needs a corpus that is not
public.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from workbench.errors import ConfigError
from workbench.sources.files import found, read_frame, read_json_lines
from workbench.sources.texts.table import examples, fields, listed, rendered

ITEMS = {
    "abstract": '"{abstract}" is the abstract for the title "{title}"',
    "review": '"{overall}" is a rating for the product with description "{description}". '
    '"{summary}" is summary for "{reviewText}"',
    "topic": '"{summary}" is a summary for "{content}"',
}
"""How the benchmark's prompts write one item of a profile."""
TEMPLATE = {"abstract": "longlamp-abstract", "review": "patterns", "topic": "patterns"}
"""The shipped template of each task. What stands before the input goes in do(P = ∅): the input
alone is left."""
AUTHOR = ("name", "author", "reviewerId")
FIRST_WORDS = 750  # of an earlier abstract, as in the benchmark's prompts


def read_longlamp(path: str | Path, task: str) -> pd.DataFrame:
    """Examples of a LongLaMP task ("abstract", "review", "topic"); `memories` is the whole profile
    (see `retrieve`).

    `user` is the author where the file names one, else the number of the row. For the prompts of
    the benchmark pass `template=longlamp.TEMPLATE[task]` to `make_pairs`. Raises `DataError` (file,
    row) for missing fields.
    """
    if task not in ITEMS:
        raise ConfigError(f"task {task!r}", "task", f"one of {list(ITEMS)}")
    path = found(path)
    if path.suffix == ".parquet":
        frame = read_frame(path)
    else:
        frame = read_json_lines(path, ("input", "output", "profile", *AUTHOR))
    rows = []
    for place, row in enumerate(frame.to_dict("records")):
        where = f"{path.name} row {place}"
        query, response, profile = fields(row, ("input", "output", "profile"), where)
        authors = [row[name] for name in AUTHOR if isinstance(row.get(name), str)]
        memories = rendered(
            ITEMS[task], [_item(item, task) for item in listed(profile, where)], where
        )
        rows.append((place, [*authors, str(place)][0], None, query, response, memories))
    return examples(rows, path.name).assign(task=task)


def _item(item: Any, task: str) -> Any:
    """Older files call summary and content of a post input and output."""
    if not isinstance(item, dict):
        return item  # named where it is rendered
    if task == "topic" and "input" in item:
        return {"summary": item["input"], "content": item.get("output")}
    if task == "abstract" and isinstance(item.get("abstract"), str):
        return item | {"abstract": " ".join(item["abstract"].split()[:FIRST_WORDS])}
    return item
