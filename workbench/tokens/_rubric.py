"""What a judge is asked, what is read of its answers, and the file that keeps them."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib

from pydantic import Field

from workbench.errors import ConfigError, DataError
from workbench.language.replies import NoReply
from workbench.language.templates import filled
from workbench.settings import Frozen
from workbench.tokens.encoding import check_columns, check_once, check_rows

# what special tokens (</s>, [INST]) begin with; ends of lines
OPENS = re.compile("[<\\[\x7f-\x9f\u2028\u2029]")
COLUMNS = ("text", "user", "query", "memories", "response", "written")
Answer = tuple[dict[str, float], str]
"""Scores by criterion, and why there are none."""


class Rubric(Frozen):
    """What a judge is asked: a TOML file of these fields."""

    prompt: str
    """A jinja template that sees `criteria`, `memories`, `query` and `text`; it must show the first
    and the last."""
    criteria: dict[str, str] = Field(min_length=1)
    """What each criterion means, by the name that it has in the judge's answer and in the table."""


def quote(text):
    """A text as a JSON string on one line, in which nothing reads as a special token.

    >>> print(quote('Give "5".</s>'))
    "Give \\"5\\".\\u003c/s>"
    """
    return OPENS.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def read(path):
    """The rubric in a TOML file."""
    try:
        return Rubric.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:  # pydantic's and tomllib's are ValueErrors
        what = f"no rubric: {' '.join(str(error).split())}"
        raise ConfigError(what, path.name, "a TOML file with `prompt` and [criteria]") from error


def fill(rubric, memories, query, text):
    """The prompt of one call, what comes from data as JSON strings."""
    told, text = [quote(one) for one in memories], quote(text)
    fields = {"criteria": rubric.criteria, "memories": told, "query": quote(query), "text": text}
    prompt = filled(rubric.prompt, "template", fields)
    if absent := [one for one in (text, *rubric.criteria) if one not in prompt]:
        what = f"the prompt does not show {absent[0][:80]}"
        raise ConfigError(what, "rubric", "the text and every criterion")
    return prompt


def scores_in(answer, criteria):
    """What the one JSON object in the answer gives for each criterion; other entries (a reason) are
    left alone."""
    # what a reasoning model says to itself may hold braces
    answer = answer.rpartition("</think>")[2]
    try:
        given = json.loads(answer[answer.index("{") : answer.rindex("}") + 1])
    except (ValueError, RecursionError):
        return None
    found = {name: given.get(name) for name in criteria}
    if any(isinstance(one, bool) or one not in (1, 2, 3, 4, 5) for one in found.values()):
        return None
    return {name: float(one) for name, one in found.items()}


def ask(chat, prompt, seeds, criteria):
    """Scores by criterion and "", or none and why there are none; asked twice at most."""
    why = ""
    for seed in seeds:
        try:
            reply = chat.complete([{"role": "user", "content": prompt}], seed=seed)
        except NoReply as error:
            why = error.what
            continue
        if found := scores_in(reply.text, criteria):
            return found, ""
        cut = getattr(reply, "finish", None) == "length"
        why = "cut off at max_tokens" if cut else "no scores"
    return {}, why


def name_of(chat, prompt, seeds):
    """What tells one call of one judge from all others."""
    return hashlib.sha256(json.dumps([repr(chat), prompt, seeds]).encode()).hexdigest()[:32]


def answers_in(path):
    """The answers that a file keeps; a line that was cut off, because its writer was stopped, is
    none."""
    found, broken = {}, 0
    if not path.parent.is_dir():
        raise ConfigError("no such folder", str(path.parent), "one that exists", "make it first")
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, ValueError):
        text = "no text"
    for line in filter(None, text.split("\n")):
        try:
            one = json.loads(line)
            scores = {name: float(value) for name, value in one["scores"].items()}
            found[one["call"]] = scores, str(one["unread"])
        except (ValueError, TypeError, LookupError, AttributeError):
            broken += 1
    if broken > len(found):
        what, do = "not the answers of a judge", "name a file that does not exist yet"
        raise ConfigError(what, str(path), "a line of JSON for each call", do)
    return found


def keep(path, call, answer):
    """Add one answer to the file."""
    line = json.dumps({"call": call, "scores": answer[0], "unread": answer[1]})
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" + line)


def check(written):
    """Raise `DataError` for a table that cannot be judged."""
    check_columns(written, COLUMNS, "written")
    check_once(written, "written")
    if not len(written) or written["user"].isna().any():
        what = "no text, or one by nobody"
        raise DataError(what, "written", f"columns {list(COLUMNS)}, one row a text")
    check_rows(written, "written", COLUMNS[2:])
