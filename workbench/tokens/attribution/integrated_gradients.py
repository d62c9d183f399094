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
from typing import Any

import numpy as np
import pandas as pd
import torch

from workbench.data.checks import whole_numbers
from workbench.errors import ConfigError, check_number
from workbench.language.loading import check_fits
from workbench.tokens.coalitions import placed, tidy
from workbench.tokens.passes import evaluating
from workbench.tokens.prompts import filler_of
from workbench.tokens.rendering import Template


def integrate_gradients(
    model: Any,
    tokenizer: Any,
    examples: pd.DataFrame,
    template: Template = None,
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
    word = filler_of(tokenizer)
    tables, filler = [], tokenizer.convert_tokens_to_ids(word)
    check_fits(model, tokenizer, [filler])
    check_number(1, steps=steps, batch_size=batch_size)
    for row, ids, owner, said in placed(model, tokenizer, examples, template):
        every = range(len(said))
        chosen = np.unique(whole_numbers(every if positions is None else positions, "positions"))
        if not len(chosen) or chosen[0] < 0 or chosen[-1] >= len(said):
            where, expected = f"text {row.text!r}", f"some of 0 to {len(said) - 1}"
            raise ConfigError("no such position", where, expected, "leave it out")
        with evaluating(model), torch.enable_grad():
            value, whole = _row(model, filler, ids, owner, said, chosen, steps, batch_size)
        table = tidy(row.text, value, whole, gap=whole - value.sum(axis=0))
        tables.append(table.assign(position=chosen[table["position"]]))
    return pd.concat(tables, ignore_index=True)


def _row(
    model,
    filler,
    ids,
    owner,
    said,
    chosen,
    steps,
    batch_size,
):
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

    def log_prob(embeddings, place, gold):
        # logits of the explained positions alone
        kept, which = torch.unique(place, return_inverse=True)
        options = {"logits_to_keep": kept} if partial else {}
        logits = model(inputs_embeds=embeddings, use_cache=False, **options).logits
        each = torch.arange(len(place), device=logits.device)
        told = logits[each, which if partial else place].float()
        return torch.log_softmax(told, dim=-1)[each, gold]

    method, parts, whole = IntegratedGradients(log_prob), [], []
    # a copy of the text for each token that is explained
    for some in torch.arange(len(place)).split(batch_size):
        # what comes later plays no part
        where, last = (place[some], gold[some]), int(place[some].max()) + 1
        copies = there[:, :last].expand(len(some), -1, -1).contiguous()
        empty = gone[:, :last].expand_as(copies).contiguous()
        options = {"n_steps": steps, "internal_batch_size": batch_size}
        found = method.attribute(copies, empty, additional_forward_args=where, **options)
        parts.append(found.sum(-1)[:, : len(ids)].float().cpu().double().numpy())
        with torch.no_grad():
            both = log_prob(copies, *where) - log_prob(empty, *where)
            whole.append(both.cpu().double().numpy())
    each_item = (owner == np.arange(owner.max() + 1)[:, None]).astype(float)
    return each_item @ np.concatenate(parts).T, np.concatenate(whole)
