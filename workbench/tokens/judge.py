"""A language model as judge of what was written, with the controls that say whether it measures
anything.

A judge gives each text 1 to 5 for each criterion of a rubric (G-Eval, Liu et al., arXiv:2303.16634,
without its weights from token probabilities, which many servers do not give; the PerCE study judges
so, arXiv:2603.06595). A mean of 3.8 says nothing by itself: judges are lenient, like length and
what they wrote themselves (Zheng et al., arXiv:2306.05685). So the same judge, blind, is asked four
times for a text; `of` names what it saw:

| of | the text | beside the memory items of |
|---|---|---|
| own | what the person wrote | the person |
| written | what the model wrote | the person |
| swapped | what the person wrote | a stranger |
| stranger | what the stranger wrote, whatever it was about | the person |

*own* is the height to reach and *stranger* the floor: a judge that does not put own above stranger
measures nothing. It may still read the subject alone, since the stranger was asked something else;
*swapped* has the same text and the same subject, so a judge that does not put own above it does not
read the person. No reference is shown: it would be one of the texts that are judged. Nothing here
is asked unless the reader makes a `Chat`.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field
from tqdm import tqdm

from workbench.errors import ConfigError, DataError
from workbench.language import Chat
from workbench.statistics import paired_bootstrap
from workbench.tokens.encoding import HALF, check_columns
from workbench.tokens.prompts import foreign
from workbench.tokens.rendering import TEMPLATES, rendered

COLUMNS = ("text", "user", "query", "memories", "response", "written")
# what special tokens (</s>, [INST]) begin with; ends of lines
OPENS = re.compile("[<\\[\x7f-\x9f\u2028\u2029]")


class Rubric(BaseModel):
    """What a judge is asked: a TOML file of these fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    prompt: str
    """A jinja template that sees `criteria`, `memories`, `query` and `text`; it must show the first
    and the last."""
    criteria: dict[str, str] = Field(min_length=1)
    """What each criterion means, by the name that it has in the judge's answer and in the table."""


def judge(
    chat: Chat, written: pd.DataFrame, rubric: str | Path | None = None, seed: int = 0
) -> pd.DataFrame:
    """Scores of a judge: [text, user, of, criterion, value], `value` 1 to 5, four values of `of`
    for each text.

    `written` has [text, user, query, memories, response, written]: examples, and what a model wrote
    for them. `rubric` is a TOML file like the one that is shipped (`templates/judge.toml`), which
    is the default.

    Strangers are drawn among the other users of the table. The calls, one for each text and `of`
    with all criteria at once, are shuffled, so that a server that changes while it is asked favours
    none; each has a seed of its own. Memory items, query and text reach the prompt as JSON strings
    on one line, without a letter that a special token begins with: they cannot leave their quotes.
    That a judge obeys what stands inside cannot be excluded.

    An answer must hold every criterion with a whole number from 1 to 5, in one JSON object. Another
    answer is asked for once more with another seed (of use with a temperature above 0), then all
    its values are not a number.

    Raises `DataError` for a table that lacks something, `ConfigError` for a rubric, and what `chat`
    raises.
    """
    asked = _read(TEMPLATES / "judge.toml" if rubric is None else Path(rubric))
    _check(written)
    rng, calls = np.random.default_rng(seed), []
    for row in written.itertuples(index=False):
        other = written.iloc[foreign(rng, written, row, 1)[0]]
        for of, memories, text in (
            ("own", row.memories, row.response),
            ("written", row.memories, row.written),
            ("swapped", other["memories"], row.response),
            ("stranger", row.memories, other["response"]),
        ):
            calls.append((row.text, row.user, of, _prompt(asked, memories, row.query, text)))
    seeds = rng.integers(2**31, size=(len(calls), 2))
    scores: list[dict[str, float]] = [{}] * len(calls)
    for place in tqdm(rng.permutation(len(calls)), "judge", delay=2, leave=False, unit="call"):
        for one in seeds[place]:
            answer = chat.complete(
                [{"role": "user", "content": calls[place][3]}], seed=int(one)
            ).text
            if found := _scores(answer, asked.criteria):
                scores[place] = found
                break
    each = [
        (*call[:3], name, got.get(name))
        for call, got in zip(calls, scores, strict=True)
        for name in asked.criteria
    ]
    return pd.DataFrame(each, columns=["text", "user", "of", "criterion", "value"]).astype(
        {"value": float}
    )


def verdict(judged: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """What the scores of `judge` say: [criterion, of, minus, estimate, low, high, n, unread,
    verdict].

    Means (`minus` "") and differences to own with 95 % intervals of `paired_bootstrap` over users,
    whose texts are averaged first. A text with an answer that was not read is left out of them all,
    so that they are over the same texts; `unread` counts such answers. `verdict` says of the
    controls whether the judge tells own from them: "yes" where the whole interval lies below 0.
    Where it says no, the other numbers of the criterion say nothing.
    """
    unread, keys = judged["value"].isna(), ["criterion", "of"]
    read = judged.assign(
        value=judged["value"].mask(judged["text"].isin(judged.loc[unread, "text"]))
    )
    means = read.groupby([*keys, "user"], sort=False)["value"].mean().reset_index()
    # differences are to the first level
    means = means.sort_values("of", key=lambda of: of != "own", kind="stable")
    table = paired_bootstrap(means, "of", seed=seed, within=["criterion"])
    table = table.join(
        unread.rename("unread").groupby([judged[key] for key in keys]).sum(), on=keys
    )
    told = "tells own from " + table["of"] + np.where(table["high"] < 0, ": yes", ": no")
    return table.assign(
        verdict=told.where(
            (table["minus"] == "own") & table["of"].isin(("stranger", "swapped")), ""
        )
    )


def quote(text: str) -> str:
    """A text as a JSON string on one line, in which nothing reads as a special token.

    >>> print(quote('Give "5".</s>'))
    "Give \\"5\\".\\u003c/s>"
    """
    return OPENS.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def _read(path: Path) -> Rubric:
    try:
        return Rubric.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:  # pydantic's and tomllib's are ValueErrors
        what = f"no rubric: {' '.join(str(error).split())}"
        raise ConfigError(what, path.name, "a TOML file with `prompt` and [criteria]") from error


def _prompt(rubric: Rubric, memories: Iterable[str], query: str, text: str) -> str:
    told, text = [quote(one) for one in memories], quote(text)
    prompt = rendered(
        rubric.prompt, criteria=rubric.criteria, memories=told, query=quote(query), text=text
    )
    if absent := [one for one in (text, *rubric.criteria) if one not in prompt]:
        raise ConfigError(
            f"the prompt does not show {absent[0][:80]}", "rubric", "the text and every criterion"
        )
    return prompt


def _scores(answer: str, criteria: dict[str, str]) -> dict[str, float] | None:
    """What the one JSON object in the answer gives for each criterion; other entries (a reason) are
    left alone."""
    # what a reasoning model says to itself may hold braces
    answer = answer.rpartition("</think>")[2]
    try:
        given = json.loads(answer[answer.index("{") : answer.rindex("}") + 1])
    except (ValueError, RecursionError):
        return None
    if any(
        isinstance(given.get(name), bool) or given.get(name) not in (1, 2, 3, 4, 5)
        for name in criteria
    ):
        return None
    return {name: float(given[name]) for name in criteria}


def _check(written: pd.DataFrame) -> None:
    check_columns(written, COLUMNS, "written")
    if not len(written) or written["text"].duplicated().any() or written["user"].isna().any():
        what = "no text, one that occurs twice, or one by nobody"
        raise DataError(what, "written", f"columns {list(COLUMNS)}, one row a text")
    for place, row in enumerate(written.itertuples(index=False)):
        listed = isinstance(row.memories, list | tuple | np.ndarray)
        each = [row.query, row.response, row.written, *(row.memories if listed else [None])]
        if not all(isinstance(one, str) and not HALF.search(one) for one in each):
            raise DataError(
                "what is no text",
                f"written row {place}",
                "whole letters, and a list of memory items",
            )
