"""Answers of a server that scores text, taken apart; one that holds something else than asked for is
a `ModelError`. `where` names the server in it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workbench.errors import ModelError

NOTHING = -9999.0  # what servers write for minus infinity, which JSON does not know


def other_shape(where: str, what: str, expected: str, do: str | None = None) -> ModelError:
    """The error for an answer that holds something else than asked for."""
    return ModelError(f"another shape: {what}", where, expected, do)


def of_prompt(
    choice: Mapping[str, Any], ids: Sequence[int], sent: int, where: str
) -> tuple[np.ndarray, list[str]]:
    """Log-probability and text of `ids`, the last of the `sent` tokens, from vLLM's
    `prompt_logprobs`."""
    table = choice.get("prompt_logprobs")
    if not isinstance(table, list) or not all(isinstance(entry, dict) for entry in table[1:]):
        expected = "null and then a table for each prompt token"
        do = 'try form="echo": vLLM alone has this extension'
        raise other_shape(where, "no prompt_logprobs", expected, do)
    _enough(len(table), sent, where)
    response = table[sent - len(ids) :]
    cells = [(entry or {}).get(str(one)) for one, entry in zip(ids, response, strict=False)]
    if len(table) > sent or not all(isinstance(cell, dict) for cell in cells):
        expected = "a log-probability for each token that was sent"
        raise other_shape(where, "other tokens than those sent", expected)
    every = [cell for entry in table[1:] for cell in entry.values() if isinstance(cell, dict)]
    _computed([cell.get("logprob") for cell in every], where)
    values = numbers([cell.get("logprob") for cell in cells], where)
    return values, [str(cell.get("decoded_token")) for cell in cells]


def echoed(choice: Mapping[str, Any], count: int, where: str) -> tuple[list[Any], list[str]]:
    """Values and tokens of what is echoed, `count` at least."""
    found = choice.get("logprobs")
    found = found if isinstance(found, dict) else {}
    values, tokens = found.get("token_logprobs"), found.get("tokens")
    listed = isinstance(values, list) and isinstance(tokens, list)
    if not listed or len(values) != len(tokens):
        expected = "tokens and token_logprobs of equal length"
        raise other_shape(where, "no logprobs of what is echoed", expected)
    _enough(len(values), count, where)
    _computed(values[1:count], where)
    return values, [str(token) for token in tokens]


def numbers(values: Sequence[Any], where: str) -> np.ndarray:
    """Log-probabilities as float64; none may be missing, above 0 or stand for minus infinity."""
    for value in values:
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if not (good and math.isfinite(value) and NOTHING < value <= 1e-6):
            expected = "a finite number, at most 0"
            raise other_shape(where, f"{value!r} for a log-probability", expected)
    return np.array(values, dtype=np.float64)


def spelled(
    tokens: Sequence[str], response: str, where: str
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Tokens and offsets in the response; the first may begin with a space, or reach back into the
    prompt."""
    joined = "".join(tokens)
    before = joined[: len(joined) - len(response)] if joined.endswith(response) else None
    if before is None or not (before.isspace() or len(before) < max(1, len(tokens[0]))):
        what = "tokens that do not spell the response"
        do = "pass the model's tokenizer: this server does not tell where its tokens begin and end"
        raise other_shape(where, what, "the response, cut into tokens", do)
    end = np.maximum(np.cumsum([len(token) for token in tokens]) - len(before), 0)
    start = np.concatenate([[0], end[:-1]])
    cut = tuple(response[a:b] for a, b in zip(start, end, strict=True))
    return cut, start, end


def status_in(answer: Any) -> int:
    """200, or the status that an error inside an answer stands for: that of a server that is busy,
    or 400."""
    answer = answer if isinstance(answer, dict) else {}
    wrong = answer if answer.get("object") == "error" else answer.get("error")
    code = wrong.get("code") if isinstance(wrong, dict) else None
    if wrong and re.search("rate.?limit|overload|too many requests", str(wrong), re.IGNORECASE):
        return 429
    return (code if isinstance(code, int) and code != 200 else 400) if wrong else 200


def patience(asked: str) -> float:
    """Seconds that a `Retry-After` asks to wait; 0 for its other form, a date."""
    return float(asked) if re.fullmatch(r"\d+(\.\d+)?", asked) else 0.0


def _computed(values, where):
    """Refuse one number for all tokens, prompt and response: no model gives that, but servers that
    compute none."""
    first = values[0] if values else None
    same = isinstance(first, int | float) and all(value == first for value in values)
    if same and (first == 0 or len(values) > 2):
        expected, do = "what the model computes", "use a server that scores prompts"
        raise other_shape(where, f"{first} for each of {len(values)} tokens", expected, do)


def _enough(found, sent, where):
    if found < sent:
        do = (
            "use a server that scores prompts: some accept the request and score "
            "what they generate alone"
        )
        what = f"fewer tokens: {found} scored of {sent}"
        raise ModelError(what, where, "all prompt tokens", do)
