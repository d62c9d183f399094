"""BESPOKE: answers with search, judged by the users whose histories they should know (Kim et al.,
arXiv:2509.21106).

Layout as the card of the Hugging Face data set yonsei-dli/BESPOKE documents it:
`chat_history/chat_history.parquet` and `search_history/search_history.parquet` [user, id, history],
`meta_test/meta_test_set.parquet` [user, query-id, id, meta_test_set_value], the last a JSON text
{query, gold_information_need, response_list}; a response has `contents` and, for each of four
aspects, {score, feedback}. Only the card and the evaluation code were read: no file was here to
try.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.errors import DataError
from workbench.sources.files import read_columns
from workbench.sources.texts.table import examples, fields

ASPECTS = ("need_alignment", "content_depth", "tone", "explanation_style")
HISTORIES = ("chat_history", "search_history")
VALUE = ("query", "gold_information_need", "response_list")


def read_bespoke(folder: str | Path) -> pd.DataFrame:
    """Examples of BESPOKE, one a judged answer; `memories` are the user's chats and searches (see
    `retrieve`).

    Extra columns: `need` (the information need that the user wrote down) and the user's score, 1 to
    5, for each of the four aspects. Raises `DataError` (file, row) for missing columns, broken JSON
    and users without history.
    """
    folder = Path(folder)
    tables = [read_columns(folder / n, f"{n}.parquet", ("user", "history")) for n in HISTORIES]
    past = pd.concat(tables).groupby("user")["history"]
    histories = {user: part.tolist() for user, part in past}
    name = "meta_test_set.parquet"
    judged = read_columns(folder / "meta_test", name, ("user", "query-id", "meta_test_set_value"))
    rows = []
    for place, (user, number, value) in enumerate(judged.itertuples(index=False, name=None)):
        where = f"{name} row {place}"
        if user not in histories:
            expected = f"the user in {' or '.join(HISTORIES)}"
            raise DataError(f"user {user!r} has no history", where, expected)
        query, need, answers = fields(_object(value, where), VALUE, where)
        for turn, answer in enumerate(answers):
            (said,) = fields(answer, ("contents",), f"{where}, response {turn}")
            scores = [(answer.get(aspect) or {}).get("score") for aspect in ASPECTS]
            text = f"{user}/{number}/{place}.{turn}"
            rows.append((text, user, str(number), query, said, histories[user], need, *scores))
    return examples(rows, name, "need", *ASPECTS)


def _object(value: Any, where: str) -> Any:
    try:
        return json.loads(value)
    except (TypeError, json.JSONDecodeError) as error:
        raise DataError("meta_test_set_value is no JSON", where, "a JSON object as text") from error
