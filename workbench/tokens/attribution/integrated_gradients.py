"""Integrated gradients from a masked persona: which memory item raises a token, read from
gradients.

Sundararajan et al. (2017), along the straight line from e' (every token of the memory items
replaced by the token that `make_pairs(..., "mask")` puts there) to e, the embeddings as they are:

    IG_j(i) = (e_j − e'_j) · ∫₀¹ ∂ log p(y_i | e' + α(e − e')) / ∂e_j dα,       value of item k = Σ_{j ∈ k} IG_j(i)

Completeness: Σ_k value = log p(y_i | e) − log p(y_i | e') = PIR with the persona masked in place.
That is not PIR with the persona deleted, and a model that never met the mask there may be out of
its depth. The integral is a sum of `steps` terms (Gauss-Legendre, Captum's IntegratedGradients), so
the gap, `whole` − Σ value, is reported by the table.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from workbench.errors import ConfigError
from workbench.language.loading import check_fits, check_room
from workbench.tokens.coalitions import checked, located, tidy
from workbench.tokens.encoding import response_ids
from workbench.tokens.passes import evaluating
from workbench.tokens.prompts import filler_of


def integrate_gradients(
    model: Any,
    tokenizer: Any,
    examples: pd.DataFrame,
    template: str | Path | None = None,
    steps: int = 64,
    positions: Sequence[int] | None = None,
    batch_size: int = 64,
) -> pd.DataFrame:
    """Value of every memory item for every token, or those at `positions`, in nats.

    Returns [text, position, memory, value, whole, gap]: `whole` is the masked PIR, `gap` = `whole`
    − Σ_k value; more `steps` make it smaller. A forward and a backward pass a token and step,
    `batch_size` of them at a time: for long texts, name the positions. Raises `ConfigError` for a
    position outside the response, `TooLarge` for a text that exceeds the model's context,
    `ModelError` for a token that it does not know.
    """
    tables, filler = [], tokenizer.convert_tokens_to_ids(filler_of(tokenizer))
    for row in checked(examples, tokenizer, template):
        ids, owner = located(tokenizer, row, template)
        ((said, _),) = response_ids(tokenizer, [row.response])
        chosen = np.arange(len(said)) if positions is None else np.array(sorted(positions))
        if chosen.min() < 0 or chosen.max() >= len(said):
            raise ConfigError(
                "no such position", f"text {row.text!r}", f"0 to {len(said) - 1}", "leave it out"
            )
        check_room(model, [len(ids)], len(said))
        check_fits(model, tokenizer, [*ids, *said, filler])
        with evaluating(model), torch.enable_grad():
            value, whole = _row(model, filler, ids, owner, said, chosen, steps, batch_size)
        table = tidy(row.text, value, whole, gap=whole - value.sum(axis=0))
        tables.append(table.assign(position=chosen[table["position"]]))
    return pd.concat(tables, ignore_index=True)


def _row(
    model: Any,
    filler: int,
    ids: tuple[int, ...],
    owner: np.ndarray,
    said: tuple[int, ...],
    chosen: np.ndarray,
    steps: int,
    batch_size: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Values (memory items × chosen tokens) and the masked PIR of those tokens."""
    from captum.attr import IntegratedGradients

    tokens = torch.tensor(ids + said, device=model.device)
    masked = tokens.clone()
    masked[torch.from_numpy(np.flatnonzero(owner >= 0)).to(model.device)] = filler
    embed = model.get_input_embeddings()
    with torch.no_grad():
        there, gone = embed(tokens[None]), embed(masked[None])
    place = torch.from_numpy(chosen + len(ids) - 1).to(model.device)
    gold = tokens[place + 1]
    partial = "logits_to_keep" in inspect.signature(model.forward).parameters

    def log_prob(embeddings: torch.Tensor, place: torch.Tensor, gold: torch.Tensor) -> torch.Tensor:
        # logits of the explained positions alone
        kept, which = torch.unique(place, return_inverse=True)
        options = {"logits_to_keep": kept} if partial else {}
        logits = model(inputs_embeds=embeddings, use_cache=False, **options).logits
        each = torch.arange(len(place), device=logits.device)
        return torch.log_softmax(logits[each, which if partial else place].float(), dim=-1)[
            each, gold
        ]

    method, parts, whole = IntegratedGradients(log_prob), [], []
    # a copy of the text for each token that is explained
    for some in torch.arange(len(place)).split(batch_size):
        # what comes later plays no part
        where, last = (place[some], gold[some]), int(place[some].max()) + 1
        copies = there[:, :last].expand(len(some), -1, -1).contiguous()
        empty = gone[:, :last].expand_as(copies).contiguous()
        found = method.attribute(
            copies,
            empty,
            additional_forward_args=where,
            n_steps=steps,
            internal_batch_size=batch_size,
        )
        parts.append(found.sum(-1)[:, : len(ids)].float().cpu().double().numpy())
        with torch.no_grad():
            whole.append(
                (log_prob(copies, *where) - log_prob(empty, *where)).cpu().double().numpy()
            )
    each_item = (owner == np.arange(owner.max() + 1)[:, None]).astype(float)
    return each_item @ np.concatenate(parts).T, np.concatenate(whole)
