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
from workbench.sources.columns import require
from workbench.sources.files import found, read_frame
from workbench.sources.texts.table import check, fields

ASPECTS = ("need_alignment", "content_depth", "tone", "explanation_style")
HISTORIES = ("chat_history", "search_history")


def read_bespoke(folder: str | Path) -> pd.DataFrame:
    """Examples of BESPOKE, one a judged answer; `memories` are the user's chats and searches (see
    `retrieve`).

    Extra columns: `need` (the information need that the user wrote down) and the user's score, 1 to
    5, for each of the four aspects. Raises `DataError` (file, row) for missing columns, broken JSON
    and users without history.
    """
    folder = Path(folder)
    past = pd.concat(
        [_table(folder / name / f"{name}.parquet", ("user", "history")) for name in HISTORIES]
    )
    histories = {user: part.tolist() for user, part in past.groupby("user")["history"]}
    path = folder / "meta_test" / "meta_test_set.parquet"
    rows = []
    judged = _table(path, ("user", "query-id", "meta_test_set_value"))
    for place, (user, number, value) in enumerate(judged.itertuples(index=False, name=None)):
        where = f"{path.name} row {place}"
        if user not in histories:
            raise DataError(
                f"user {user!r} has no history",
                where,
                f"the user in {HISTORIES[0]} or {HISTORIES[1]}",
            )
        query, need, answers = fields(
            _object(value, where), ("query", "gold_information_need", "response_list"), where
        )
        for turn, answer in enumerate(answers):
            (said,) = fields(answer, ("contents",), f"{where}, response {turn}")
            scores = [(answer.get(aspect) or {}).get("score") for aspect in ASPECTS]
            text = f"{user}/{number}/{place}.{turn}"
            rows.append((text, user, str(number), query, said, histories[user], need, *scores))
    names = ["text", "user", "item", "query", "response", "memories", "need", *ASPECTS]
    return check(pd.DataFrame(rows, columns=names), path.name)


def _table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    table = read_frame(found(path))
    require(table, columns, path)
    return table[list(columns)]


def _object(value: Any, where: str) -> Any:
    try:
        return json.loads(value)
    except (TypeError, json.JSONDecodeError) as error:
        raise DataError("meta_test_set_value is no JSON", where, "a JSON object as text") from error
