"""LaMP: short texts and labels with a user's earlier items (Salemi et al. 2024, arXiv:2304.11406).

Layout of github.com/LaMP-Benchmark/LaMP: `*_questions.json` [{id, input, profile}],
`*_outputs.json` {task, golds [{id, output}]}, or one merged file [{id, input, profile, output}].
Data: CC BY-NC-SA 4.0.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from workbench.errors import ConfigError, DataError
from workbench.sources.files import read_json
from workbench.sources.texts.table import examples, fields, rendered

ITEMS = {
    "LaMP_1": '"{title}"',
    "LaMP_2": 'the tag for the movie: "{description}" is "{tag}"',
    "LaMP_2M": 'the tag for the movie: "{description}" is "{tag}"',
    "LaMP_2N": 'the category for the article: "{text}" is "{category}"',
    "LaMP_3": '{score} is the score for "{text}"',
    "LaMP_4": '"{title}" is the title for "{text}"',
    "LaMP_5": '"{title}" is a title for "{abstract}"',
    "LaMP_6": '"{title}" is the title for "{text}"',
    "LaMP_7": '"{text}"',
}
"""How the benchmark's prompts write one item of a profile, by task."""
TEMPLATE = dict.fromkeys(ITEMS, "lamp") | {"LaMP_5": "patterns", "LaMP_7": "lamp-7"}
"""The shipped template of each task. In the benchmark's own prompt the titles of LaMP_1 stand
inside the question."""


def read_lamp(
    questions: str | Path, outputs: str | Path | None = None, task: str | None = None
) -> pd.DataFrame:
    """Examples of a LaMP task; `memories` is the whole profile (see `retrieve`), `user` the id of
    the question.

    `outputs` is the file of golds, unless `questions` is a merged file. `task` such as "LaMP_4" is
    what `outputs` says unless told. For the prompts of the benchmark pass
    `template=lamp.TEMPLATE[task]` to `make_pairs`. Raises `DataError` (file, row) for missing
    fields and questions without gold, `ConfigError` for an unknown task.
    """
    name, rows = Path(questions).name, read_json(questions)
    golds: dict[str, str] = {}
    if outputs is not None:
        said, listed = fields(read_json(outputs), ("task", "golds"), Path(outputs).name)
        task = task or said
        for place, gold in enumerate(listed):
            number, output = fields(gold, ("id", "output"), f"{Path(outputs).name} row {place}")
            golds[str(number)] = str(output)
    task = (task or "").replace("-", "_")
    if task not in ITEMS:
        do = "name it, or give the file of outputs"
        raise ConfigError(f"task {task!r}", "task", f"one of {list(ITEMS)}", do)
    if not isinstance(rows, list):
        raise DataError("no list", name, "[{id, input, profile}, …]", "check the file")
    out = []
    for place, row in enumerate(rows):
        where = f"{name} row {place}"
        number, query, profile = fields(row, ("id", "input", "profile"), where)
        response = golds.get(str(number), row.get("output"))
        if response is None:
            what = f"no gold for question {number!r}"
            raise DataError(what, where, "its id among the outputs", "check both files")
        memories = rendered(ITEMS[task], profile, where)
        out.append((place, str(number), None, query, str(response), memories))
    return examples(out, name).assign(task=task)
