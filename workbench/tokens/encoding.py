"""Token ids of prompts and responses, so that a response has the same tokens after every prompt.

Prompt and response are tokenised apart and put together as ids. Where the tokenizer would have cut
their joined text in another way at the place where they meet, the row is marked: the model then
reads a sequence of tokens that it seldom met in training, and its first log-probabilities say so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import ConfigError, DataError, TooLarge

COLUMNS = ("text", "prompt_with", "prompt_without", "response")
AROUND = 200  # characters
HALF = re.compile("[\ud800-\udfff]")


def encode_pairs(
    tokenizer: Any, pairs: pd.DataFrame, context: int | None = None
) -> list[dict[str, Any]]:
    """Check `pairs` and turn each row into token ids.

    A row becomes {text, response, ids, offsets, with, without, others, boundary}: `ids` and
    `offsets` are those of the response, `with` and `without` the prompts' ids; `others` holds the
    second and later prompts where `prompt_without` is a tuple of prompts (`without` is its first);
    `boundary`: the joined text would be cut otherwise where they meet. Raises `DataError` as
    `check_pairs` does and for a prompt or response without any token, `TooLarge` for a row of more
    than `context` tokens, `ConfigError` for a tokenizer without character offsets.
    """
    check_pairs(pairs)
    if not getattr(tokenizer, "is_fast", False):
        raise ConfigError(
            "the tokenizer gives no character offsets",
            "tokenizer",
            "a fast tokenizer (tokenizer.json)",
        )
    rows = list(pairs[list(COLUMNS)].itertuples(index=False))
    wanted = [(*prompts_of(row.prompt_with), *prompts_of(row.prompt_without)) for row in rows]
    prompts = list(dict.fromkeys(prompt for each in wanted for prompt in each))
    ids = dict(zip(prompts, prompt_ids(tokenizer, prompts), strict=True))
    # where prompt and response meet, and what stands around it: farther text does not change how a
    # word is cut
    met = list(
        dict.fromkeys(
            seam(p, row.response) for row, each in zip(rows, wanted, strict=True) for p in each
        )
    )
    sides = [*met, *((end, "") for end, _ in met)]
    together = dict(
        zip(sides, prompt_ids(tokenizer, [end + start for end, start in sides]), strict=True)
    )
    said = list(dict.fromkeys(row.response for row in rows))
    apart = dict(zip(said, response_ids(tokenizer, said), strict=True))
    out = []
    for place, (row, each) in enumerate(zip(rows, wanted, strict=True)):
        where, (answer, offsets) = f"pairs row {place} (text {row.text!r})", apart[row.response]
        if not answer:
            raise DataError(
                "the response holds no token",
                where,
                "text that the tokenizer keeps",
                "drop the row",
            )
        for side, prompt in zip(
            ("prompt_with", *["prompt_without"] * len(each)), each, strict=False
        ):
            if not ids[prompt]:
                raise DataError(
                    f"{side} holds no token and the tokenizer has no bos token",
                    where,
                    do="add a query or a heading",
                )
            if context is not None and len(ids[prompt]) + len(answer) > context:
                raise TooLarge(
                    f"{side} ({len(ids[prompt])} tokens) and response "
                    f"({len(answer)}) exceed the context",
                    where=where,
                    expected=f"at most {context} tokens together",
                    do=f'make_pairs(..., context={context}, cut="last") drops memory '
                    f"items; or shorten the response",
                )
        # only the first word can be cut otherwise by what stands before it
        word = (
            len(row.response) - len(row.response.lstrip()) + len(row.response.split(maxsplit=1)[0])
        )
        first = answer[: max(1, sum(end <= min(word, AROUND // 2) for _, end in offsets))]
        mixed = False
        for end, start in (seam(p, row.response) for p in each):
            apart_ids = together[end, ""] + first
            mixed |= bool(end) and together[end, start][: len(apart_ids)] != apart_ids
        with_, without, *others = (ids[prompt] for prompt in each)
        sides = {"with": with_, "without": without, "others": tuple(others), "boundary": mixed}
        out.append(
            {"text": row.text, "response": row.response, "ids": answer, "offsets": offsets, **sides}
        )
    return out


def check_pairs(pairs: pd.DataFrame) -> None:
    """Raise `DataError` for a missing column, a repeated text, an empty response or a prompt that
    is no text.

    Half a surrogate pair, which JSON can hold, is no letter and has no token.
    """
    missing = [name for name in COLUMNS if name not in pairs.columns]
    if missing:
        raise DataError(
            f"missing columns {missing}", where="pairs", expected=f"columns {list(COLUMNS)}"
        )
    if pairs["text"].duplicated().any():
        twice = pairs.loc[pairs["text"].duplicated(), "text"].iloc[0]
        raise DataError(
            f"text {twice!r} appears twice",
            "pairs",
            "one row per text",
            "give every row its own id",
        )
    for place, row in enumerate(pairs[list(COLUMNS)].itertuples(index=False)):
        if not isinstance(row.response, str) or not row.response.strip():
            raise DataError(
                "empty response",
                where=f"pairs row {place}",
                expected="text to score",
                do="drop the row",
            )
        each = prompts_of(row.prompt_with), prompts_of(row.prompt_without)
        if len(each[0]) != 1 or not each[1]:
            raise DataError(
                "a prompt is no text",
                f"pairs row {place}",
                "text; prompt_without also a tuple of texts",
            )
        if any(
            isinstance(one, str) and HALF.search(one) for one in (row.response, *each[0], *each[1])
        ):
            raise DataError(
                "half a surrogate pair", f"pairs row {place}", "whole letters", "repair the text"
            )


def prompts_of(prompt: Any) -> tuple[str | tuple[int, ...], ...]:
    """The prompts in one cell of `pairs`: a text, a list of token ids, or a tuple of several; empty
    for another thing.

    >>> prompts_of("a"), prompts_of(("a", "b")), prompts_of([5, 6])
    (('a',), ('a', 'b'), ((5, 6),))
    """
    if isinstance(prompt, str):
        return (prompt,)
    if not isinstance(prompt, tuple | list | np.ndarray):
        return ()
    if len(prompt) and all(isinstance(one, int | np.integer) for one in prompt):
        return (tuple(map(int, prompt)),)
    each = [prompts_of(one) for one in prompt]
    return tuple(one for (one,) in each) if all(len(one) == 1 for one in each) else ()


def seam(prompt: str | tuple[int, ...], response: str) -> tuple[str, str]:
    """The end of a prompt and the beginning of a response; ("", "") for a prompt of token ids."""
    return (prompt[-AROUND:], response[:AROUND]) if isinstance(prompt, str) else ("", "")


def prompt_ids(tokenizer: Any, prompts: Sequence[str | tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Token ids of prompts as they are scored: behind the bos token, where there is one; ids are
    left as they are."""
    texts = [prompt for prompt in prompts if isinstance(prompt, str)]
    found = iter(tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else [])
    bos = () if tokenizer.bos_token_id is None else (tokenizer.bos_token_id,)
    out = [tuple(next(found)) if isinstance(prompt, str) else None for prompt in prompts]
    return [
        prompt if ids is None else ids if ids[: len(bos)] == bos else bos + ids
        for prompt, ids in zip(prompts, out, strict=True)
    ]


def response_ids(
    tokenizer: Any, responses: Sequence[str]
) -> list[tuple[tuple[int, ...], list[tuple[int, int]]]]:
    """Token ids and character offsets of responses; text that looks like a special token stays
    text."""
    if not responses:
        return []
    options = {
        "add_special_tokens": False,
        "split_special_tokens": True,
        "return_offsets_mapping": True,
    }
    found = tokenizer(list(responses), **options)
    return [
        (tuple(ids), at)
        for ids, at in zip(found["input_ids"], found["offset_mapping"], strict=True)
    ]
