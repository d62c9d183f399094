"""Token ids of prompts and responses, so that a response has the same tokens after every prompt.

Prompt and response are tokenised apart and put together as ids. Where the tokenizer would have cut
their joined text in another way at the place where they meet, the row is marked: the model then
reads a sequence of tokens that it seldom met in training, and its first log-probabilities say so.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import ConfigError, DataError, TooLarge
from workbench.tokens.rendering import chatting, outline, specials

COLUMNS = ("text", "prompt_with", "prompt_without", "response")
HALF = re.compile("[\ud800-\udfff]")


def encode_pairs(
    tokenizer: Any, pairs: pd.DataFrame, context: int | None = None
) -> list[dict[str, Any]]:
    """Check `pairs` and turn each row into token ids.

    A row becomes {text, response, ids, offsets, prompts, with, without, boundary}: `ids` and
    `offsets` are those of the response; `prompts` holds the ids of each prompt, `with` first, then
    `without` and whatever else stands in a tuple of `prompt_without`; `boundary`: the joined text
    would be cut otherwise where they meet. Raises `DataError` as
    `check_pairs` does and for a prompt or response without any token, `TooLarge` for a row of more
    than `context` tokens, `ConfigError` for a tokenizer without character offsets.
    """
    check_pairs(pairs)
    if not getattr(tokenizer, "is_fast", False):
        what, expected = "the tokenizer gives no character offsets", "a fast one (tokenizer.json)"
        raise ConfigError(what, "tokenizer", expected, "model, tokenizer = load_causal_lm(…)")
    rows = list(pairs[list(COLUMNS)].itertuples(index=False))
    wanted = [(*prompts_of(row.prompt_with), *prompts_of(row.prompt_without)) for row in rows]
    # every text is cut once: prompts, responses, and the two beside each other
    ids = _each(prompt_ids, tokenizer, [prompt for each in wanted for prompt in each])
    apart = _each(response_ids, tokenizer, [row.response for row in rows])
    met = []
    for row, each in zip(rows, wanted, strict=True):
        met += [prompt + row.response for prompt in each if isinstance(prompt, str)]
    together = _each(prompt_ids, tokenizer, met)
    out = []
    for place, (row, each) in enumerate(zip(rows, wanted, strict=True)):
        where = f"pairs row {place} (text {row.text!r})"
        answer, offsets = apart[row.response]
        if not answer:
            expected = "text that the tokenizer keeps"
            raise DataError("the response holds no token", where, expected, "drop the row")
        before = [ids[prompt] for prompt in each]
        for number, prompt in enumerate(before):
            side = "prompt_without" if number else "prompt_with"
            if not prompt:
                what = f"{side} holds no token, and the tokenizer puts none before it"
                raise DataError(what, where, do="add a query or a heading")
            if context is not None and len(prompt) + len(answer) > context:
                sizes = f"({len(prompt)} tokens) and response ({len(answer)})"
                do = f'make_pairs(..., context={context}, cut="last")'
                do = f"{'a shorter query' if number else do}, or a shorter response"
                expected = f"at most {context} tokens together"
                raise TooLarge(f"{side} {sizes} exceed the context", where, expected, do)
        # only the first word can be cut otherwise by what stands before it
        word = re.match(r"\s*\S+", row.response).end()
        first = answer[: max(1, sum(end <= word for _, end in offsets))]
        mixed = False
        for prompt in filter(lambda one: isinstance(one, str), each):
            cut = ids[prompt] + first
            mixed |= together[prompt + row.response][: len(cut)] != cut
        made = {"text": row.text, "response": row.response, "ids": answer, "offsets": offsets}
        made |= {"prompts": tuple(before), "with": before[0], "without": before[1]}
        out.append(made | {"boundary": mixed})
    return out


def _each(cut, tokenizer, texts):
    """{text: what `cut` makes of it}, each text once."""
    texts = list(dict.fromkeys(texts))
    return dict(zip(texts, cut(tokenizer, texts), strict=True))


def check_columns(table: pd.DataFrame, columns: Sequence[str], where: str) -> None:
    """Raise `DataError` for what is no table, for columns that the table `where` lacks, and for one
    that it has twice."""
    expected = f"a table with columns {list(columns)}"
    if not isinstance(table, pd.DataFrame):
        do = "two brackets keep one row a table: examples.iloc[[0]]"
        raise DataError(f"a {type(table).__name__}", where, expected, do)
    missing = [name for name in columns if name not in table]
    if missing:
        do = "make_pairs(examples, tokenizer) adds them" if "prompt_with" in missing else None
        raise DataError(f"missing columns {missing}", where, expected, do)
    if twice := [name for name in columns if table[name].ndim > 1]:
        raise DataError(f"two columns {twice[0]!r}", where, expected, "drop one of them")


def check_once(table: pd.DataFrame, where: str) -> None:
    """Raise `DataError` for a text that has two rows."""
    twice = table["text"][table["text"].duplicated()]
    if len(twice):
        what, do = f"text {twice.iloc[0]!r} occurs twice", "give every row its own id"
        raise DataError(what, where, "one row per text", do)


def check_text(text: Any, what: str, where: str, empty: bool = False) -> None:
    """Raise `DataError` for what is no text, for one without a letter unless `empty` ones are
    allowed, and for half a surrogate pair, which JSON can hold, but which has no token."""
    if not isinstance(text, str) or not (empty or text.strip()):
        expected = 'a text, "" if need be' if empty else "a text"
        raise DataError(what, where, expected, "repair or drop the row")
    if HALF.search(text):
        raise DataError("half a surrogate pair", where, "whole letters", "repair the text")


def check_rows(table: pd.DataFrame, where: str, columns: Sequence[str]) -> None:
    """Raise `DataError` for the first row whose `columns` hold no text, or `memories` no list of
    memory items."""
    for place, row in enumerate(table[list(columns)].itertuples(index=False, name=None)):
        for name, value in zip(columns, row, strict=True):
            if name != "memories":
                check_text(value, f"no {name} (no text)", f"{where} row {place}", empty=True)
                continue
            listed = isinstance(value, list | tuple | np.ndarray) and len(value) > 0
            what = "empty persona, or no list of memory items, each a text"
            for one in value if listed else [None]:
                check_text(one, what, f"{where} row {place}")


def check_pairs(pairs: pd.DataFrame) -> None:
    """Raise `DataError` for a missing column, a repeated text, an empty response or a prompt that
    is no text."""
    check_columns(pairs, COLUMNS, "pairs")
    check_once(pairs, "pairs")
    for place, row in enumerate(pairs.itertuples(index=False)):
        where = f"pairs row {place}"
        check_text(row.response, "empty response", where)
        with_, without = prompts_of(row.prompt_with), prompts_of(row.prompt_without)
        if len(with_) != 1 or not without:
            expected = "text; prompt_without also a tuple of texts"
            raise DataError("a prompt is no text", where, expected)
        for one in (*with_, *without):
            if isinstance(one, str):
                check_text(one, "no prompt", where, empty=True)


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
    whole = len(prompt) and all(isinstance(one, int | np.integer) for one in prompt)
    if whole and not any(isinstance(one, bool) for one in prompt):
        return (tuple(map(int, prompt)),)
    each = [prompts_of(one) for one in prompt]
    return tuple(one for (one,) in each) if all(len(one) == 1 for one in each) else ()


def prompt_ids(tokenizer: Any, prompts: Sequence[str | tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Token ids of prompts as they are scored; ids are left as they are.

    A text has before it what the tokenizer puts there (a bos token, or nothing), once; the prompt
    of a chat template what the template puts there.
    """
    texts = [prompt for prompt in prompts if isinstance(prompt, str)]
    found = iter(tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else [])
    first = opening(tokenizer)
    heads = outline(tokenizer)[0] if first and chatting(tokenizer) else ()
    out = []
    for prompt in prompts:
        ids = tuple(next(found)) if isinstance(prompt, str) else prompt
        whole = ids is prompt or ids[: len(first)] == first
        whole = whole or prompt.lstrip("\n").startswith(heads)
        out.append(ids if whole else first + ids)
    return out


def opening(tokenizer: Any) -> tuple[int, ...]:
    """What the tokenizer puts before a text."""
    whole, bare = (tokenizer("a", add_special_tokens=own)["input_ids"] for own in (True, False))
    places = range(len(whole) - len(bare) + 1)
    return tuple(whole[: next(k for k in places if whole[k : k + len(bare)] == bare)])


def response_ids(
    tokenizer: Any, responses: Sequence[str]
) -> list[tuple[tuple[int, ...], list[tuple[int, int]]]]:
    """Token ids and character offsets of responses; text that looks like a special token stays
    text."""
    if not responses:
        return []
    options = {"split_special_tokens": True, "return_offsets_mapping": True}
    found = tokenizer(list(responses), add_special_tokens=False, **options)
    each = list(zip(map(tuple, found["input_ids"]), found["offset_mapping"], strict=True))
    control = {one for one, told in tokenizer.added_tokens_decoder.items() if told.special}
    control = control.union(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    for place, (ids, _) in enumerate(each):
        if not control.isdisjoint(ids):
            # a tokenizer that finds these among its words is given them in two pieces
            made = _parted(tokenizer).encode(responses[place], add_special_tokens=False)
            each[place] = tuple(made.ids), made.offsets
    return each


def _parted(tokenizer):
    """The tokenizer, none of whose words reaches over the first sign of a special token."""
    from tokenizers import Regex, pre_tokenizers

    made = copy.deepcopy(tokenizer.backend_tokenizer)
    made.encode_special_tokens = True
    made.no_truncation()
    made.no_padding()
    signs = "|".join(f"{re.escape(one[0])}(?={re.escape(one[1:])})" for one in specials(tokenizer))
    cut = pre_tokenizers.Split(Regex(signs), "isolated")
    made.pre_tokenizer = pre_tokenizers.Sequence([*filter(None, [made.pre_tokenizer]), cut])
    return made
