"""Pairs of prompts: with a person in them, and with the person taken out again.

One example is a row [text, user, item, query, response, memories]; `memories` lists the memory
items that make up the persona p_u. An intervention says what stands in its place in the second pass
of PIR; the paper deletes it, do(P = ∅), and leaves the rest of the prompt as it is
(arXiv:2603.06595, Eq. 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Literal

import numpy as np
import pandas as pd

from workbench.errors import ConfigError, DataError, TooLarge, check_number
from workbench.language.loading import check_tokenizer
from workbench.tokens.encoding import (
    check_columns,
    check_rows,
    check_text,
    prompt_ids,
    response_ids,
)
from workbench.tokens.rendering import Template, chatting, described, prompt, quoted, thinking
from workbench.tokens.rendering import located as found_in

EXAMPLE = ("text", "user", "item", "query", "response", "memories")
INTERVENTIONS = ("delete", "mask", "neutral", "other", "peer", "others", "each")
NEUTRAL = "Nothing is known about this person."


def make_pairs(
    examples: pd.DataFrame,
    tokenizer: Any,
    intervention: str = "delete",
    template: Template = None,
    seed: int = 0,
    pool: pd.DataFrame | None = None,
    others: int = 4,
    context: int | None = None,
    neutral: str = NEUTRAL,
    cut: Literal["error", "last", "first"] = "error",
    check: bool = True,
) -> pd.DataFrame:
    """Pairs for `score_tokens`: the columns of `examples` and [prompt_with, prompt_without,
    intervention].

    | intervention | what the second prompt holds in place of the persona |
    |---|---|
    | delete | nothing, its heading included: the paper's choice |
    | mask | a mask (else pad, unknown, eos) token for each of its tokens; all others stay where they are (`masked`) |
    | neutral | the sentence `neutral` |
    | other | the persona of one random example of `pool` by somebody else, drawn with `seed` |
    | peer | that of somebody else's text about the same item |
    | others | those of `others` examples by somebody else, as a tuple: p⁻ is the mean of their probabilities |
    | each | all memory items but one; a row per item, with its number in the column `memory` |

    `pool` is where others are drawn from (default: `examples`). `template` as in `prompt`. With
    "each" the texts are named `text/memory`.

    `context` is the number of tokens that a prompt and its response may have together. Where a
    persona is too long for it, `cut` says what to do: "error" refuses; "last" and "first" drop
    whole memory items from that end of the list until the rest fits, and the table gets the column
    `cut`, the items that were dropped from the person's own persona. `memories` then lists those
    that are left; `table["cut"].str.len()` counts the others.

    `attrs["template"]` of the table says which template made the prompts, with its options.

    Raises `ConfigError` for another intervention, for a template that changes what is to be masked,
    and, unless `check` is False, for one that drops the persona or the query, or whose prompts end
    within a thought; `DataError` for missing columns, an empty persona, nobody to draw, or people
    without an id where others are drawn, `TooLarge` for a persona that is too long.
    """
    if intervention not in INTERVENTIONS:
        raise ConfigError(f"intervention {intervention!r}", expected=f"one of {INTERVENTIONS}")
    if cut not in ("error", "last", "first"):
        raise ConfigError(f"cut {cut!r}", expected="error, last or first")
    check_number(0, seed=seed)
    check_number(1, others=others, context=1 if context is None else context)
    check_text(neutral, "no sentence", "neutral")
    check_examples(examples)
    if pool is not None:
        check_examples(pool, "pool")
    rng, pool = np.random.default_rng(seed), examples if pool is None else pool

    def fitted(memories, row):
        return _fitted(tokenizer, memories, row, template, context, cut)

    out = examples.assign(intervention=intervention)
    if context is not None:
        # the items that fit, and those that do not
        out["memories"] = [fitted(row.memories, row) for row in examples.itertuples()]
        both = zip(examples["memories"], out["memories"], strict=True)
        out["cut"] = [_dropped(list(told), len(kept), cut) for told, kept in both]
    each = out[["memories", "query"]].itertuples(index=False)
    out["prompt_with"] = [prompt(tokenizer, *row, template) for row in each]
    out.attrs["template"] = described(tokenizer, template)
    if check:
        _check_prompts(out, tokenizer, template)
    without = []
    for row in out.itertuples():
        told = list(row.memories)
        if intervention == "mask":
            without.append(masked(tokenizer, told, row.query, template))
            continue
        if intervention in ("delete", "neutral"):
            instead = [() if intervention == "delete" else (neutral,)]
        elif intervention == "each":
            instead = [told[:k] + told[k + 1 :] for k in range(len(told))]
        else:
            count = others if intervention == "others" else 1
            drawn = foreign(rng, pool, row, count, intervention == "peer")
            instead = [fitted(persona, row) for persona in pool["memories"].iloc[drawn]]
        each = tuple(prompt(tokenizer, memories, row.query, template) for memories in instead)
        without.append(each if intervention in ("others", "each") else each[0])
    out = out.assign(prompt_without=without)
    if intervention != "each":
        return out
    out = out.assign(memory=[range(len(told)) for told in out["memories"]])
    out = out.explode(["memory", "prompt_without"])
    names = [f"{text}/{k}" for text, k in zip(out["text"], out["memory"], strict=True)]
    return out.assign(text=names, memory=out["memory"].astype(int)).reset_index(drop=True)


def filler_of(tokenizer: Any) -> str:
    """The token that stands for nothing: mask, else pad, unknown, eos; `ConfigError` where there is
    none of them."""
    if tokenizer is None:
        do = "delete the persona instead"
        raise ConfigError("no tokenizer", expected="the model's own", do=do)
    check_tokenizer(tokenizer)
    for name in ("mask", "pad", "unk", "eos"):
        if filler := getattr(tokenizer, f"{name}_token"):
            return filler
    do = "delete the persona instead"
    raise ConfigError("the tokenizer has no mask, pad, unknown or eos token", do=do)


def owners(
    tokenizer: Any, memories: Sequence[str], query: str, template: Template = None
) -> tuple[str, list[tuple[int, int]], list[int]]:
    """The prompt, the characters that each of its tokens covers, and the number of the memory item
    that it belongs to, −1 for none; without the bos token.

    A token that holds a piece of an item belongs to it (to the first of two); headings, separators
    and markers belong to none. Raises `ConfigError` for a template that changes the items.
    """
    text, spans = found_in(tokenizer, memories, query, template)
    found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    offsets, owner = found["offset_mapping"], []
    for start, end in offsets:
        mine = [number for number, (a, b) in enumerate(spans) if start < b and a < end]
        owner.append(mine[0] if mine else -1)
    return text, offsets, owner


def masked(
    tokenizer: Any, memories: Sequence[str], query: str, template: Template = None
) -> str | list[int]:
    """The prompt with a token that says nothing in place of each token of the memory items; all
    others are the same.

    A token that holds a piece of a memory item and of what stands beside it counts as the item's.
    The prompt is a text where a text gives just these tokens, else the list of their ids: many
    tokenizers cut a text in another way after a special token.
    """
    filler = filler_of(tokenizer)
    text, offsets, owner = owners(tokenizer, memories, query, template)
    (ids,) = prompt_ids(tokenizer, [text])
    # as ids, behind the bos token where there is one
    number, bos = tokenizer.convert_tokens_to_ids(filler), len(ids) - len(owner)
    hidden = [number if k >= 0 else one for one, k in zip(ids[bos:], owner, strict=True)]
    wanted = (*ids[:bos], *hidden)
    # as text
    said, at = "", 0
    for (start, end), mine in zip(offsets, owner, strict=True):
        if mine >= 0:  # several tokens may share the characters of one letter
            said += text[at : max(at, start)] + filler
            at = max(at, end)
    said += text[at:]
    return said if prompt_ids(tokenizer, [said]) == [wanted] else list(wanted)


def _fitted(tokenizer, memories, row, template, context, cut):
    """Those of the memory items that fit into the context together with query and response."""
    left = list(memories)
    if context is None:
        return left
    check_text(row.response, "empty response", f"text {row.text!r}")
    ((answer, _),) = response_ids(tokenizer, [row.response])
    while True:
        (ids,) = prompt_ids(tokenizer, [prompt(tokenizer, left, row.query, template)])
        if len(ids) + len(answer) <= context:
            return left
        if cut == "error" or len(left) < 2:
            what = f"prompt ({len(ids)} tokens) and response ({len(answer)}) exceed the context"
            do = "shorten item, query or response"
            do = do if len(left) < 2 else 'cut="last" or cut="first" drops memory items'
            raise TooLarge(what, f"text {row.text!r}", f"at most {context} tokens together", do)
        del left[0 if cut == "first" else -1]


def _dropped(memories, kept, cut):
    """The memory items that do not fit, from the end that `cut` names."""
    return memories[: len(memories) - kept] if cut == "first" else memories[kept:]


def check_examples(examples: pd.DataFrame, where: str = "examples") -> None:
    """Raise `DataError` for what is no table of examples, and for a row without a persona or a
    query."""
    check_columns(examples, EXAMPLE, where)
    check_rows(examples, where, ("memories", "query"))


def _check_prompts(pairs, tokenizer, template):
    """Raise `ConfigError` for a prompt that lacks persona or query, or ends within a thought."""
    chat, bare = chatting(tokenizer, template), {}
    for query in pairs["query"].unique():
        with suppress(ConfigError):  # a form of one's own may need a persona
            bare[query] = prompt(tokenizer, (), query, template)
    for row in pairs.itertuples(index=False):
        what, do = None, "pass template= with one that puts it in, or a name such as 'plain'"
        if row.prompt_with == bare.get(row.query):
            what = "the template drops the persona from the prompt"
        elif chat and quoted(row.query, tokenizer, template).strip() not in row.prompt_with:
            what = "the template drops the query from the prompt"
        elif thought := thinking(row.prompt_with):
            what = f"the prompt ends within a thought ({thought}), whose beginning the response is"
            do = "template={'enable_thinking': False}, where the template knows it, or a template "
            do += "that closes the thought"
        if what:
            where = f"{described(tokenizer, template)}, text {row.text!r}"
            raise ConfigError(what, where, "persona and query, and then the response", do)


def foreign(
    rng: np.random.Generator, pool: pd.DataFrame, row: Any, count: int, same_item: bool = False
) -> np.ndarray:
    """Places in `pool` of `count` examples by somebody other than `row.user`, without replacement
    if it can be; who has no id is nobody's other.

    Raises `DataError` where `row` has none, or nobody is left.
    """
    if pd.api.types.is_list_like(row.user):
        raise DataError("several people", f"text {row.text!r}", "the id of one", "drop the row")
    able = (pool["user"].notna() & (pool["user"] != row.user)).to_numpy(dtype=bool, na_value=False)
    if pd.isna(row.user):
        what, do = "no id of the person", "give everybody an id, or drop the row"
        raise DataError(what, f"text {row.text!r}", "an id, to tell others from", do)
    if same_item:
        able = able & (pool["item"] == row.item).to_numpy(dtype=bool, na_value=False)
    places = np.flatnonzero(able)
    if not len(places):
        what = f"text about item {row.item!r}" if same_item else "text"
        what, where = f"no {what} by somebody else", f"text {row.text!r}"
        raise DataError(what, where, do="give a larger pool")
    return rng.choice(places, count, replace=len(places) < count)
