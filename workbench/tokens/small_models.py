"""The little language model of the worlds, its tokenizer of whole words, and its training in a
minute or two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict, Field
from tqdm.auto import trange

from workbench.tokens.encoding import encode_pairs
from workbench.tokens.training import CHAT_TEMPLATE, SPECIAL, response_loss, schedule, tensors


class BaseConfig(BaseModel):
    """Schedule of a base model."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    steps: int = Field(default=1400, ge=1)
    """Optimiser steps (AdamW, linear warm-up, cosine to a tenth); 400 leave the model
    half-trained."""
    batch: int = Field(default=32, ge=1)
    """Texts a step, drawn with replacement."""
    learning_rate: float = Field(default=2e-3, gt=0)
    """Peak learning rate."""
    warm_up: int = Field(default=100, ge=1)
    """Steps until the peak."""
    persona_dropout: float = Field(default=0.125, ge=0, le=1)
    """Share of a step's texts that are run again without persona, and the factor of their mean
    loss."""
    seed: int = Field(default=0, ge=0)
    """Seed of the order of texts."""
    threads: int = Field(default=1, ge=1)
    """Torch threads while training; part of what must be equal to rebuild the same weights."""


def word_tokenizer(vocabulary: list[str]) -> Any:
    """A fast tokenizer with one token a word; `vocabulary` holds the five special tokens.

    There is no padding token of its own: the end-of-text token, which never stands in a prompt,
    pads, masks and stands for unknown words.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    ids = {word: place for place, word in enumerate(vocabulary)}
    core = Tokenizer(models.WordLevel(ids, unk_token=SPECIAL["eos"]))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    named = {"bos_token": SPECIAL["bos"]} | {
        f"{name}_token": SPECIAL["eos"] for name in ("eos", "pad", "unk")
    }
    roles = [SPECIAL[name] for name in ("persona", "query", "response")]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, additional_special_tokens=roles, **named
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def base_model(vocabulary: int, seed: int, context: int = 256) -> Any:
    """A GPT-NeoX of 2 layers, width 64, 4 heads: 121,024 parameters with the 327 words of
    `PersonaWorld`.

    Layer norm before attention and before the feed-forward part (one after the other, not in
    parallel), rotary positions on all dimensions, exact GELU, tied embeddings, matrices from N(0,
    0.05), biases of 0 to begin with. The pilot that this repeats gave the sizes; where it was
    silent (biases, kind of GELU) the library's defaults stand, and the number of parameters agrees.
    """
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    torch.manual_seed(seed)
    return GPTNeoXForCausalLM(
        GPTNeoXConfig(
            vocab_size=vocabulary,
            hidden_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=256,
            hidden_act="gelu",
            max_position_embeddings=context,
            rope_parameters={
                "rope_type": "default",
                "rope_theta": 10000.0,
                "partial_rotary_factor": 1.0,
            },
            use_parallel_residual=False,
            tie_word_embeddings=True,
            initializer_range=0.05,
            bos_token_id=0,
            eos_token_id=4,
            pad_token_id=4,
        )
    )


def train_base(
    model: Any,
    tokenizer: Any,
    pairs: pd.DataFrame,
    config: BaseConfig | None = None,
    after: Callable[[int, Any], None] | None = None,
    progress: bool = False,
) -> list[float]:
    """Train `model` in place by cross-entropy on the responses of `pairs`; return each step's loss
    (nats a token).

    Responses end with the end-of-text token. In every step the first 12.5 % of the batch are also
    run without persona, and their mean loss is added times 0.125, so that the persona-free prompt
    of PIR is one that the model knows. `after(steps done, model)` is called after every step: for
    curves.
    """
    config = config or BaseConfig()
    torch.set_num_threads(config.threads)
    rows = encode_pairs(tokenizer, pairs)
    sides = [
        tensors([(row[side], row["ids"]) for row in rows], tokenizer)
        for side in ("with", "without")
    ]
    (told, told_wanted), (bare, bare_wanted) = sides
    few = round(config.batch * config.persona_dropout)
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    rng = np.random.default_rng([config.seed, 1])
    losses = []
    for step in trange(config.steps, disable=not progress, desc="train"):
        model.train()
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * schedule(step, config)
        drawn = torch.from_numpy(rng.integers(len(rows), size=config.batch))
        loss = response_loss(model, told[drawn], told_wanted[drawn])
        total = loss
        if few:
            total = loss + config.persona_dropout * response_loss(
                model, bare[drawn[:few]], bare_wanted[drawn[:few]]
            )
        optimiser.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(float(loss.detach()))
        if after is not None:
            after(step + 1, model)
    model.eval()
    return losses
