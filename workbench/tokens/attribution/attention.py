"""Attention to the persona: how much of its attention the model spends there when it predicts a
token.

    a_i = (1 / LH) Σ_l Σ_h Σ_{j ∈ persona} A_lh[i', j],       0 ≤ a_i ≤ 1

with A_lh the attention of head h in layer l and i' the position that predicts y_i (the one before
it). The score that people read off attention pictures (bertviz); where a model looks is not what it
uses (Jain and Wallace 2019, Attention is not Explanation), so it adds up to nothing and stands here
to be compared.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from workbench.errors import ModelError
from workbench.language.loading import check_loaded
from workbench.tokens.coalitions import placed
from workbench.tokens.passes import evaluating
from workbench.tokens.rendering import Template


def attention_share(
    model: Any, tokenizer: Any, examples: pd.DataFrame, template: Template = None
) -> pd.DataFrame:
    """a_i of every token: [text, position, attention]; the persona is the tokens of its memory
    items, heading left out.

    The model attends eagerly meanwhile (other implementations return no attentions) and is put back
    as it was. Raises `ModelError` for a model that shows no attentions or does not know a token,
    `TooLarge` for a text that exceeds its context.
    """
    check_loaded(model, "forward")
    before = getattr(model.config, "_attn_implementation", "eager")
    tables = []
    try:
        if before != "eager":
            model.set_attn_implementation("eager")
        for row, ids, owner, said in placed(model, tokenizer, examples, template):
            tokens = torch.tensor([ids + said], device=model.device)
            with evaluating(model):
                out = model(input_ids=tokens, output_attentions=True, use_cache=False)
            # of hybrid models some layers attend, of others none
            layers = [one for one in getattr(out, "attentions", None) or () if one is not None]
            if not layers:
                what, expected = "the model returns no attentions", "a decoder that attends"
                do = "take another attribution: they need log-probabilities alone"
                raise ModelError(what, type(model).__name__, expected, do)
            # on the persona, from each place that predicts a token
            share = 0.0
            for layer in layers:
                seen = layer[0, :, len(ids) - 1 : -1, np.flatnonzero(owner >= 0)]
                share = share + seen.sum(-1).mean(0).float().cpu() / len(layers)
            table = {"text": row.text, "position": range(len(said))}
            tables.append(pd.DataFrame(table | {"attention": share.double().numpy()}))
    finally:
        if before != "eager":
            model.set_attn_implementation(before)
    return pd.concat(tables, ignore_index=True)
