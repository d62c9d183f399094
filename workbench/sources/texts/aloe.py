"""ALOE: dialogues of ten turns with preferred and rejected answers (Wu et al. 2025,
arXiv:2410.03642).

Layout of github.com/ShujinWu-0814/ALOE, folder `datasets`: `profile.jsonl` and `personality.jsonl`
hold one JSON string a line; `conversations.jsonl` {conversations: [{user, assistant: {preferred,
rejected}}, …]}.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from workbench.errors import DataError
from workbench.sources.files import found, json_lines, read_json_lines
from workbench.sources.texts.table import examples, fields, listed


def read_personas(path: str | Path) -> list[str]:
    """The personas of a file with one JSON string a line."""
    path = found(path)
    lines = list(json_lines(path))
    for number, told in lines:
        if not isinstance(told, str) or not told.strip():
            raise DataError(f"line {number} is no text", path.name, "one JSON string a line")
    return [told for _, told in lines]


def read_aloe(conversations: str | Path, personas: Sequence[str | Path] = ()) -> pd.DataFrame:
    """Examples of ALOE, one a turn: the user's message is the query, the preferred answer the
    response.

    `personas` are files of `read_personas` whose line n tells of conversation n: then they are the
    memory items. Without any, the memory items are what the user said in earlier turns, and first
    turns are left out: nothing is known there. Extra columns: `turn` (from 0), `rejected`. Raises
    `DataError` (file, row) for missing fields, and for persona files of another length.
    """
    path = found(conversations)
    dialogues = read_json_lines(path, ("conversations",))["conversations"].tolist()
    told = [read_personas(file) for file in personas]
    for file, lines in zip(personas, told, strict=True):
        if len(lines) != len(dialogues):
            what = f"{len(lines)} personas for {len(dialogues)} conversations"
            do = "choose the files of one split"
            raise DataError(what, Path(file).name, "as many lines in both files", do)
    rows = []
    for place, dialogue in enumerate(dialogues):
        said: list[str] = []
        for turn, step in enumerate(listed(dialogue or (), f"{path.name} row {place}")):
            where = f"{path.name} row {place}, turn {turn}"
            query, answer = fields(step, ("user", "assistant"), where)
            preferred, rejected = fields(answer, ("preferred", "rejected"), where)
            memories = [lines[place] for lines in told] or list(said)
            if memories:
                name = f"{place}.{turn}", str(place), None
                rows.append((*name, query, preferred, memories, turn, rejected))
            said.append(query)
    return examples(rows, path.name, "turn", "rejected")
