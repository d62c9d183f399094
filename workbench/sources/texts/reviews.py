"""Reviews by user: four earlier ones and one held out, from Amazon Reviews 2023 (Hou et al. 2024,
arXiv:2403.03952).

Layout of github.com/jbheeman/multiagent_human_worker, `UCSD/{training,validation,test}.jsonl`: one
object for a user and a category, {user_id, category, history: [review × 4], heldout: review}; a
review has parent_asin, rating, timestamp_ms, review_full, review_title and product {title, …}.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from workbench.errors import DataError
from workbench.sources.files import found, read_json_lines
from workbench.sources.texts.table import examples, fields, listed

ROW = ("user_id", "category", "history", "heldout")
MEMORY = '{rating:g} stars for "{title}": {text}'
QUERY = 'Write a review of "{title}", {rating:g} stars out of 5.'
REVIEW = ("parent_asin", "rating", "timestamp_ms", "review_full", "product")


def read_reviews(path: str | Path) -> pd.DataFrame:
    """Examples from reviews: the one held out is the response, the product and its stars the query.

    A memory item is an earlier review with its product and stars. A product without title goes by
    its category; line breaks, HTML's too, become spaces; nothing else is changed. Extra columns:
    `category`, `rating`, `timestamp` (UTC). A user may stand in several files, and in one with
    several categories: split by `user` for any claim about users not seen before. Raises
    `DataError` (file, row) for missing fields.
    """
    path, rows = found(path), []
    for place, row in enumerate(read_json_lines(path, ROW).to_dict("records")):
        where = f"{path.name} row {place}"
        user, category, history, held = fields(row, ROW, where)
        earlier = [_review(one, where) for one in listed(history, where)]
        memories = [MEMORY.format(**one) for one in earlier]
        said = _review(held, where)
        time = pd.Timestamp(said["time"], unit="ms", tz="UTC")
        example = place, user, said["item"], QUERY.format(**said), said["text"], memories
        rows.append((*example, category, said["rating"], time))
    return examples(rows, path.name, "category", "rating", "timestamp")


def _review(review: Any, where: str) -> dict[str, Any]:
    item, rating, time, text, product = fields(review, REVIEW, where)
    named = product if isinstance(product, dict) else {}
    title = named.get("title") or named.get("main_category") or "a product"
    if not isinstance(rating, int | float) or not isinstance(time, int | float):
        raise DataError("rating or timestamp_ms is no number", where, "numbers", "check the file")
    plain = " ".join(str(text).replace("<br />", " ").replace("<br>", " ").split())
    return {
        "item": item,
        "rating": float(rating),
        "time": int(time),
        "text": plain,
        "title": " ".join(str(title).split()),
    }
