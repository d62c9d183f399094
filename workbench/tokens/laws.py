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
import torch.nn.functional as F

from workbench.errors import ConfigError
from workbench.laws import Findings, Law, hold
from workbench.tokens.contrast import score_tokens
from workbench.tokens.laws_cases import COPIED, Case, copying_case, small_case
from workbench.tokens.weights.protocol import (
    TokenLoss,
    Tokens,
    check_is_loss,
    token_losses,
    token_weights,
)

KEYS = ["text", "position"]
CLOSE = 1e-4  # of the largest value: rounding in float32


Score = Callable[[Any, Any, pd.DataFrame], pd.DataFrame]


def check_score(mine: Score, contrast: bool = True, case: Case | None = None) -> Findings:
    """Hold `mine(model, tokenizer, pairs)` against the laws of a token score: [law, ok, detail].

    It returns [text, position, <its scores>], ready for `tokens.merge(table, on=["text",
    "position"])`. `contrast`: it claims to be about the persona, hence constant (0, or 1 for a
    ratio) where both prompts are equal, and highest at a word that a model copies from the persona
    (`copying_case`); without the claim these laws are not asked (`ok` is <NA>). `case` is the model,
    tokenizer and pairs to try it on, `small_case()` unless told; every law has its own copies. What
    `mine` raises breaks the law that was asked.

    >>> check_score(lambda *case: score_tokens(*case)[["text", "position", "pir"]]).ok  # doctest: +SKIP
    True
    """
    if not callable(mine):
        expected = "a function (model, tokenizer, pairs) -> table"
        raise ConfigError(f"{mine!r} cannot be called", "mine", expected)
    case = small_case() if case is None else case
    if not isinstance(case, tuple) or len(case) != 3:
        raise ConfigError("no case", "case", "(model, tokenizer, pairs)")
    case = Case(*case)
    name = getattr(mine, "__name__", type(mine).__name__)
    unasked = {} if contrast else dict.fromkeys(("equal prompts", "copied word"), "not claimed")
    # what one law finds changed, the next does not see
    return hold(name, SCORE_LAWS, lambda: (mine, copy.deepcopy(case)), unasked=unasked)


def check_loss(loss: TokenLoss, contrast: bool = True) -> Findings:
    """Hold a token loss against the laws of `weights.protocol`: [law, ok, detail]; tried on random
    logits.

    `contrast`: it claims to favour what the persona makes likelier, hence no token weighs less than
    another that is as likely and of lower PIR; not asked without the claim, nor of a loss that does
    not read the pass without the persona. "any order" and "persona first" are broken by design
    where weights are dealt out at random (the control `Permuted`).
    """
    check_is_loss(loss)
    asked = contrast and getattr(loss, "persona_free", True)
    unasked = {} if asked else {"persona first": "not claimed"}
    return hold(loss.name, LOSS_LAWS, lambda: (loss, _random_tokens(loss)), unasked=unasked)


def _apart(found, want):
    """How two tables of scores differ beyond rounding, whatever the order of their rows."""
    found, want = found.set_index(KEYS), want.set_index(KEYS)
    if set(found.columns) != set(want.columns) or set(found.index) != set(want.index):
        return "other rows or columns"
    found = found.loc[want.index, want.columns].astype(float)
    most = float((found - want).abs().to_numpy().max() / max(1.0, want.abs().to_numpy().max()))
    return None if most <= CLOSE else f"values that differ by {most:.2g} of the largest"


def _table(mine, case):
    found = mine(*case)
    if not isinstance(found, pd.DataFrame) or not {*KEYS} < {*found.columns}:
        return f"{type(found).__name__} without text, position and a score"
    words = [*found.drop(columns=KEYS).select_dtypes(exclude=["number", "bool"])]
    return f"columns that hold no numbers: {words}" if words else None


def _rows(mine, case):
    tables = mine(*case), score_tokens(*case)
    got, wanted = (pd.MultiIndex.from_frame(table[KEYS]) for table in tables)
    if got.has_duplicates:
        return f"two rows for {got[got.duplicated()][0]}"
    off = got.symmetric_difference(wanted)
    return f"{len(off)} rows too few or too many, {off[0]} among them" if len(off) else None


def _finite(mine, case):
    found = mine(*case).set_index(KEYS).astype(float)
    bad = found.index[~np.isfinite(found).all(axis=1)]
    return f"{len(bad)} rows that are not finite, {bad[0]} among them" if len(bad) else None


def _again(mine, case):
    return _apart(mine(*case), mine(*case))


def _order(mine, case):
    return _apart(mine(*case.of(case.pairs.iloc[::-1])), mine(*case))


def _alone(mine, case):
    each = [mine(*case.of(case.pairs.iloc[[place]])) for place in range(len(case.pairs))]
    return _apart(pd.concat(each), mine(*case))


def _equal(mine, case):
    same = case.of(case.pairs.assign(prompt_with=case.pairs["prompt_without"]))
    found = mine(*same).set_index(KEYS).astype(float)
    most = float((found.max() - found.min()).max())
    says = f"values that lie {most:.2g} apart although the persona changed nothing"
    return None if most <= CLOSE else says


def _copied(mine, _):
    found = mine(*copying_case()).set_index(KEYS).astype(float)
    for text, place in COPIED.items():
        values = found.loc[text]
        there, others = values.loc[place], values.drop(index=place)
        for name, high in others.max().items():
            if there[name] <= high:
                return f"{there[name]:.2g} for it, {high:.2g} for another"
    return None


def _unchanged(mine, case):
    before, given = _state(case.model), case.pairs.copy()
    mine(case.model, case.tokenizer, given)
    after = _state(case.model)
    other = [name for name in after if not _same(after[name], before.get(name))]
    other += [] if given.equals(case.pairs) else ["pairs"]
    return f"changed: {other[0]} and {len(other) - 1} more" if other else None


def _state(model):
    """What a score has to leave as it was."""
    out = {f"weight {name}": value.clone() for name, value in model.state_dict().items()}
    for name, value in model.named_parameters():
        out[f"gradient of {name}"] = value.grad
        out[f"requires_grad of {name}"] = value.requires_grad
    hooks = [len(part._forward_hooks) + len(part._forward_pre_hooks) for part in model.modules()]
    return out | {"training mode": model.training, "number of hooks": sum(hooks)}


def _same(one, other):
    tensors = torch.is_tensor(one) and torch.is_tensor(other)
    return torch.equal(one, other) if tensors else one is other or one == other


SCORE_LAWS: dict[str, Law] = {
    "table": Law("a table [text, position, scores] of numbers", _table),
    "a row a token": Law("one row for every token of the response", _rows),
    "finite": Law("finite numbers", _finite),
    "same again": Law("equal values when asked again", _again),
    "any order": Law("values that do not depend on the order of pairs", _order),
    "alone or together": Law("values that do not depend on the texts beside", _alone),
    "equal prompts": Law("no difference between tokens where both prompts are equal", _equal),
    "copied word": Law(
        "the highest value at a word copied from the persona (contrast=False: not claimed)", _copied
    ),
    "nothing changed": Law("model and pairs left as they were", _unchanged),
}


def _random_tokens(loss, n=24, vocabulary=9):
    """n tokens with the logits and columns that the loss says it reads, and no others; the last one
    ends its text."""
    draw = {"generator": torch.Generator().manual_seed(0), "dtype": torch.float64}
    one, other = (torch.randn(n, vocabulary, **draw) for _ in range(2))
    labels = torch.randint(vocabulary, (n,), generator=draw["generator"])
    columns = {name: torch.rand(n, **draw) for name in getattr(loss, "columns", ())}
    for values in columns.values():
        values[-1] = torch.nan  # as `training_rows` carries it
    return Tokens(one, labels, other if getattr(loss, "persona_free", True) else None, columns)


def _weights(loss, tokens):
    token_weights(loss, tokens)
    return None


def _descent(loss, tokens):
    low = float(token_weights(loss, tokens).min())
    says = f"a weight of {low:.2g}, which makes a token that was written less likely"
    return says if low < 0 else None


def _learns(loss, tokens):
    logits = tokens.logits_with.requires_grad_()
    mine = torch.autograd.grad(token_losses(loss, tokens).sum(), logits)[0]
    cross_entropy = F.cross_entropy(logits, tokens.labels, reduction="sum")
    plain = torch.autograd.grad(cross_entropy, logits)[0]
    gain = float((mine * plain).sum())
    return None if gain > 0 else f"a step that raises it by {gain:.2g}"


def _persona_first(loss, _):
    # tokens as likely with the persona as each other, of known PIR
    pir, labels, likely = torch.tensor([-1.5, -0.7, 0.0, 0.7, 1.5, 4.0]), torch.arange(6), 0.2

    def logits(p):
        rest = ((1 - p) / 8)[:, None].expand(-1, 9)
        return rest.scatter(1, labels[:, None], p[:, None]).log()

    columns = dict.fromkeys(getattr(loss, "columns", ()), pir)
    both = logits(torch.full_like(pir, likely)), logits(likely * torch.exp(-pir))
    weights = token_weights(loss, Tokens(both[0], labels, both[1], columns))
    low = int((weights.diff() < -CLOSE * weights.max()).sum())
    return f"{low} tokens that weigh less than one of lower PIR" if low else None


def _loss_again(loss, tokens):
    dice = torch.get_rng_state()
    one, other = token_weights(loss, tokens), token_weights(loss, replace(tokens))
    if not torch.equal(dice, torch.get_rng_state()):
        return "the global random numbers were drawn from: other methods get other batches"
    return None if torch.allclose(one, other) else "other weights the second time"


def _loss_order(loss, tokens):
    without = tokens.logits_without
    moved = Tokens(
        tokens.logits_with.flip(0),
        tokens.labels.flip(0),
        None if without is None else without.flip(0),
        {name: value.flip(0) for name, value in tokens.columns.items()},
    )
    same = torch.allclose(token_weights(loss, moved), token_weights(loss, tokens).flip(0))
    return None if same else "weights that do not move with their tokens"


def _loss_unchanged(loss, tokens):
    before = tokens.logits_with.clone(), tokens.labels.clone()
    token_losses(loss, tokens)
    same = all(map(torch.equal, before, (tokens.logits_with, tokens.labels)))
    return None if same else "logits or labels were written to"


LOSS_LAWS: dict[str, Law] = {
    "weights": Law("a weight for every token", _weights),
    "never negative": Law("no weight below 0", _descent),
    "same again": Law("equal weights when asked again", _loss_again),
    "any order": Law("weights that move with their tokens", _loss_order),
    "nothing changed": Law("logits and labels left as they were", _loss_unchanged),
    "learns": Law("a step that makes what was written likelier", _learns),
    "persona first": Law(
        "weights that rise with PIR, all else equal (contrast=False where that is not claimed)",
        _persona_first,
    ),
}
