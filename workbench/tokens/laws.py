"""Does a token score, or a token loss, of your own keep the laws that let it join the tables? One
law at a time.

A law is a function that returns nothing where it holds, or what was found instead.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from workbench.errors import ConfigError
from workbench.laws import Findings, Law, hold
from workbench.tokens.contrast import score_tokens
from workbench.tokens.weights.protocol import TokenLoss, Tokens, token_losses, token_weights

KEYS = ["text", "position"]
CLOSE = 1e-4  # of the largest value: rounding in float32


def check_score(
    mine: Callable[[Any, Any, pd.DataFrame], pd.DataFrame],
    contrast: bool = True,
    case: tuple[Any, Any, pd.DataFrame] | None = None,
) -> Findings:
    """Hold `mine(model, tokenizer, pairs)` against the laws of a token score: [law, ok, detail].

    It returns [text, position, <its scores>], ready for `tokens.merge(table, on=["text",
    "position"])`. `contrast`: it claims to be about the persona, hence constant (0, or 1 for a
    ratio) where both prompts are equal; without the claim that law is not asked (`ok` is <NA>).
    `case` is the model, tokenizer and pairs to try it on, `small_case()` unless told; every law has
    its own copies. What `mine` raises breaks the law that was asked.

    >>> check_score(lambda *case: score_tokens(*case)[["text", "position", "pir"]]).ok  # doctest: +SKIP
    True
    """
    if not callable(mine):
        raise ConfigError(
            f"{mine!r} cannot be called", "mine", "a function (model, tokenizer, pairs) -> table"
        )
    model, tokenizer, pairs = case or small_case()
    unasked = {} if contrast else {"equal prompts": "not claimed"}
    # what one law finds changed, the next does not see
    given = lambda: (mine, *copy.deepcopy((model, tokenizer, pairs)))  # noqa: E731
    return hold(_name(mine), SCORE_LAWS, given, unasked=unasked)


def check_loss(loss: TokenLoss) -> Findings:
    """Hold a token loss against the laws of `weights.protocol`: [law, ok, detail]; tried on random
    logits.

    "any order" is broken by design where weights are dealt out at random (the control `Permuted`).
    """
    if not callable(getattr(loss, "weights", None)) or not isinstance(
        getattr(loss, "name", None), str
    ):
        raise ConfigError(
            f"{loss!r} has no name or no weights", "loss", "a name, and weights(tokens)"
        )
    return hold(loss.name, LOSS_LAWS, lambda: (loss, _random_tokens(loss)))


def small_case(seed: int = 0) -> tuple[Any, Any, pd.DataFrame]:
    """A Llama of random weights, its tokenizer, and three pairs of unequal lengths."""
    from workbench.tokens.small_models import PocketConfig, make_model, make_tokenizer

    texts = ["The lamp is bright.", "I camp in a tent whenever it is dry, and I like it.", "No."]
    tokenizer = make_tokenizer(texts, 320)
    model = make_model(
        PocketConfig(hidden=16, layers=1, heads=2, feed_forward=16, seed=seed), tokenizer
    ).eval()
    told = [
        f"<s><persona>{'likes lamps ' * (1 + place)}<query>review<response>"
        for place in range(len(texts))
    ]
    pairs = pd.DataFrame({"text": list("abc"), "prompt_with": told, "response": texts})
    return model, tokenizer, pairs.assign(prompt_without="<s><query>review<response>")


def _name(mine: Any) -> str:
    return getattr(mine, "__name__", type(mine).__name__)


def _values(table: pd.DataFrame) -> pd.DataFrame:
    return table.set_index(KEYS)


def _apart(found: pd.DataFrame, want: pd.DataFrame) -> str | None:
    """How two tables of scores differ beyond rounding, whatever the order of their rows."""
    found, want = _values(found), _values(want)
    if set(found.columns) != set(want.columns) or set(found.index) != set(want.index):
        return "other rows or columns"
    found = found.loc[want.index, want.columns].astype(float)
    most = float((found - want).abs().to_numpy().max() / max(1.0, want.abs().to_numpy().max()))
    return None if most <= CLOSE else f"values that differ by {most:.2g} of the largest"


def _table(mine: Callable, model: Any, tokenizer: Any, pairs: pd.DataFrame) -> str | None:
    found = mine(model, tokenizer, pairs)
    if not isinstance(found, pd.DataFrame) or not {*KEYS} < {*found.columns}:
        return f"{type(found).__name__} without text, position and a score"
    words = [
        name for name in found.columns.difference(KEYS) if found[name].dtype.kind not in "fiub"
    ]
    return f"columns that hold no numbers: {words}" if words else None


def _rows(mine: Callable, model: Any, tokenizer: Any, pairs: pd.DataFrame) -> str | None:
    found, want = mine(model, tokenizer, pairs), score_tokens(model, tokenizer, pairs)
    got, wanted = (pd.MultiIndex.from_frame(table[KEYS]) for table in (found, want))
    if got.has_duplicates:
        return f"two rows for {got[got.duplicated()][0]}"
    off = got.symmetric_difference(wanted)
    return f"{len(off)} rows too few or too many, {off[0]} among them" if len(off) else None


def _finite(mine: Callable, *case: Any) -> str | None:
    found = _values(mine(*case)).astype(float)
    bad = ~np.isfinite(found).all(axis=1)
    return (
        f"{int(bad.sum())} rows that are not finite, {found.index[bad][0]} among them"
        if bad.any()
        else None
    )


def _again(mine: Callable, *case: Any) -> str | None:
    return _apart(mine(*case), mine(*case))


def _order(mine: Callable, model: Any, tokenizer: Any, pairs: pd.DataFrame) -> str | None:
    return _apart(
        mine(model, tokenizer, pairs.iloc[::-1].reset_index(drop=True)),
        mine(model, tokenizer, pairs),
    )


def _alone(mine: Callable, model: Any, tokenizer: Any, pairs: pd.DataFrame) -> str | None:
    each = [
        mine(model, tokenizer, pairs.iloc[[place]].reset_index(drop=True))
        for place in range(len(pairs))
    ]
    return _apart(pd.concat(each), mine(model, tokenizer, pairs))


def _equal(mine: Callable, model: Any, tokenizer: Any, pairs: pd.DataFrame) -> str | None:
    found = _values(
        mine(model, tokenizer, pairs.assign(prompt_with=pairs["prompt_without"]))
    ).astype(float)
    most = float((found.max() - found.min()).max())
    return (
        None
        if most <= CLOSE
        else f"values that lie {most:.2g} apart although the persona changed nothing"
    )


def _unchanged(mine: Callable, model: Any, tokenizer: Any, pairs: pd.DataFrame) -> str | None:
    def state() -> dict[str, Any]:
        out = {f"weight {name}": value.clone() for name, value in model.state_dict().items()}
        out |= {f"gradient of {name}": value.grad for name, value in model.named_parameters()}
        out |= {
            f"requires_grad of {name}": value.requires_grad
            for name, value in model.named_parameters()
        }
        hooks = sum(
            len(part._forward_hooks) + len(part._forward_pre_hooks) for part in model.modules()
        )
        return out | {"training mode": model.training, "number of hooks": hooks}

    given, before = pairs.copy(), state()
    mine(model, tokenizer, given)
    other = [name for name, value in state().items() if not _same(value, before.get(name))]
    other += [] if given.equals(pairs) else ["pairs"]
    return f"changed: {other[0]} and {len(other) - 1} more" if other else None


def _same(one: Any, other: Any) -> bool:
    return (
        torch.equal(one, other)
        if torch.is_tensor(one) and torch.is_tensor(other)
        else one is other or one == other
    )


SCORE_LAWS: dict[str, Law] = {
    "table": Law("a table [text, position, scores] of numbers", _table),
    "a row a token": Law("one row for every token of the response", _rows),
    "finite": Law("finite numbers", _finite),
    "same again": Law("equal values when asked again", _again),
    "any order": Law("values that do not depend on the order of pairs", _order),
    "alone or together": Law("values that do not depend on the texts beside", _alone),
    "equal prompts": Law("no difference between tokens where both prompts are equal", _equal),
    "nothing changed": Law("model and pairs left as they were", _unchanged),
}


def _random_tokens(loss: Any, n: int = 24, vocabulary: int = 9) -> Tokens:
    """n tokens with the logits and columns that the loss says it reads, and no others; the last one
    ends its text."""
    generator = torch.Generator().manual_seed(0)
    one, other = (
        torch.randn(n, vocabulary, generator=generator, dtype=torch.float64) for _ in range(2)
    )
    labels = torch.randint(vocabulary, (n,), generator=generator)
    columns = {
        name: torch.rand(n, generator=generator, dtype=torch.float64)
        for name in getattr(loss, "columns", ())
    }
    for values in columns.values():
        values[-1] = torch.nan  # as `training_rows` carries it
    return Tokens(one, labels, other if getattr(loss, "persona_free", True) else None, columns)


def _weights(loss: Any, tokens: Tokens) -> str | None:
    token_weights(loss, tokens)
    return None


def _descent(loss: Any, tokens: Tokens) -> str | None:
    low = float(token_weights(loss, tokens).min())
    return (
        f"a weight of {low:.2g}, which makes a token that was written less likely"
        if low < 0
        else None
    )


def _loss_again(loss: Any, tokens: Tokens) -> str | None:
    dice = torch.get_rng_state()
    one, other = token_weights(loss, tokens), token_weights(loss, replace(tokens))
    if not torch.equal(dice, torch.get_rng_state()):
        return "the global random numbers were drawn from: other methods get other batches"
    return None if torch.allclose(one, other) else "other weights the second time"


def _loss_order(loss: Any, tokens: Tokens) -> str | None:
    order = torch.arange(len(tokens.labels)).flip(0)
    parts = {name: getattr(tokens, name) for name in ("logits_with", "labels", "logits_without")}
    moved = {name: value[order] if value is not None else None for name, value in parts.items()}
    moved["columns"] = {name: value[order] for name, value in tokens.columns.items()}
    same = torch.allclose(token_weights(loss, Tokens(**moved)), token_weights(loss, tokens)[order])
    return None if same else "weights that do not move with their tokens"


def _loss_unchanged(loss: Any, tokens: Tokens) -> str | None:
    before = tokens.logits_with.clone(), tokens.labels.clone()
    token_losses(loss, tokens)
    same = torch.equal(before[0], tokens.logits_with) and torch.equal(before[1], tokens.labels)
    return None if same else "logits or labels were written to"


LOSS_LAWS: dict[str, Law] = {
    "weights": Law("a weight for every token", _weights),
    "never negative": Law("no weight below 0", _descent),
    "same again": Law("equal weights when asked again", _loss_again),
    "any order": Law("weights that move with their tokens", _loss_order),
    "nothing changed": Law("logits and labels left as they were", _loss_unchanged),
}
