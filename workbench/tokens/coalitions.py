"""A response scored with some of the memory items in the prompt: what attribution to memory items
stands on.

A coalition S is a set of memory items, v(S) the log-probabilities of the response's tokens when the
prompt holds those items alone, in their order: v_i(S) = log p(y_i | S, x, y_<i), in nats. The empty
coalition is the prompt without a persona, so that its heading is gone as well and v(all) − v(∅) is
PIR.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import DataError
from workbench.language.loading import check_fits, check_loaded, check_room, check_tokenizer
from workbench.tokens.contrast import score_tokens
from workbench.tokens.encoding import check_columns, prompt_ids, response_ids
from workbench.tokens.prompts import EXAMPLE, make_pairs, owners
from workbench.tokens.rendering import Template, prompt


def score_coalitions(
    model: Any,
    tokenizer: Any,
    example: Any,
    coalitions: np.ndarray | Sequence[Sequence[bool]],
    template: Template = None,
    batch_size: int = 64,
) -> np.ndarray:
    """v(S) of every coalition, each scored once: float64 array (coalitions × tokens of
    `example.response`), nats.

    `example` is one row [memories, query, response] of an example table; `coalitions` has a row per
    coalition and a truth value per memory item.
    """
    kept = np.asarray(coalitions, dtype=bool).reshape(-1, len(example.memories))
    kept, place = np.unique(kept, axis=0, return_inverse=True)
    told = [list(itertools.compress(example.memories, row)) for row in kept]
    each = [prompt(tokenizer, memories, example.query, template) for memories in told]
    pairs = pd.DataFrame({"text": range(len(kept)), "prompt_with": each, "prompt_without": each})
    pairs["response"] = example.response
    table = score_tokens(model, tokenizer, pairs, batch_size=batch_size)
    return table["log_prob_with"].to_numpy().reshape(len(kept), -1)[place.reshape(-1)]


def checked(examples: pd.DataFrame, tokenizer: Any, template: Template = None) -> list[Any]:
    """The rows of an example table, once `make_pairs` has found nothing wrong with them."""
    rows = list(make_pairs(examples, tokenizer, template=template).itertuples(index=False))
    if not rows:
        raise DataError("no text", "examples", "one row or more")
    return rows


def single(example: pd.DataFrame) -> None:
    """Raise `DataError` unless it is a table that holds one text."""
    check_columns(example, EXAMPLE, "example")
    if len(example) != 1:
        raise DataError(f"{len(example)} texts", "example", "one row", "pass examples.iloc[[0]]")


def tidy(text: Any, values: np.ndarray, whole: np.ndarray, **columns: Any) -> pd.DataFrame:
    """[text, position, memory, value, whole] from values (memory items × tokens).

    `whole` (one number a token) is what the values of a token's memory items should add up to.
    """
    memory, position = (place.reshape(-1) for place in np.indices(values.shape))
    table = {"text": text, "position": position, "memory": memory}
    for name, column in ({"value": values} | columns | {"whole": whole}).items():
        table[name] = np.broadcast_to(column, values.shape).reshape(-1)
    return pd.DataFrame(table)


def located(
    tokenizer: Any, example: Any, template: Template = None
) -> tuple[tuple[int, ...], np.ndarray]:
    """Token ids of the prompt, and for each of them the number of the memory item it belongs to, −1
    for none; what a token belongs to is as where the persona is masked in place (`owners`)."""
    text, _, owner = owners(tokenizer, example.memories, example.query, template)
    (ids,) = prompt_ids(tokenizer, [text])
    # the bos token that was put before belongs to none
    return ids, np.array([-1] * (len(ids) - len(owner)) + owner)


def placed(
    model: Any, tokenizer: Any, examples: pd.DataFrame, template: Template = None
) -> Iterator[tuple[Any, tuple[int, ...], np.ndarray, tuple[int, ...]]]:
    """Each example with what `located` finds, and the token ids of its response, for a model that
    is run here: `ModelError` and `TooLarge` where it cannot be."""
    check_loaded(model)
    check_tokenizer(tokenizer)
    for row in checked(examples, tokenizer, template):
        ids, owner = located(tokenizer, row, template)
        ((said, _),) = response_ids(tokenizer, [row.response])
        check_room(model, [len(ids)], len(said))
        check_fits(model, tokenizer, ids + said)
        yield row, ids, owner, said
