"""Train the pocket language model: a small Llama with its own BPE tokenizer, from scratch, on
generated texts.

The persona is left out of 12.5 % of the training prompts, so that the persona-free pass of PIR is a
prompt the model knows; without that, PIR measures surprise at the missing persona as well. The loss
is taken on response tokens only.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict, Field
from tqdm.auto import tqdm

from workbench.errors import ConfigError, DataError
from workbench.tokens.encoding import encode_pairs

SPECIAL = {
    "pad": "<pad>",
    "bos": "<s>",
    "eos": "</s>",
    "persona": "<persona>",
    "query": "<query>",
    "response": "<response>",
}
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'system' %}<persona>{{ message['content'] }}"
    "{% elif message['role'] == 'user' %}<query>{{ message['content'] }}"
    "{% else %}<response>{{ message['content'] }}</s>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<response>{% endif %}"
)


CHECKPOINT_EVERY = 200  # steps that a stopped run loses at most


class PocketConfig(BaseModel):
    """Size and schedule of the pocket language model."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    vocabulary: int = Field(default=4096, ge=300)
    """Tokens of the byte-level BPE tokenizer, special tokens included."""
    hidden: int = Field(default=128, ge=8)
    """Width of the hidden states."""
    layers: int = Field(default=2, ge=1)
    """Decoder layers."""
    heads: int = Field(default=4, ge=1)
    """Attention heads per layer."""
    feed_forward: int = Field(default=384, ge=8)
    """Width of the gated feed-forward part."""
    context: int = Field(default=512, ge=16)
    """Longest prompt and response together, in tokens; longer training texts are an error."""
    steps: int = Field(default=5000, ge=1)
    """Optimiser steps (AdamW, linear warm-up, cosine to a tenth)."""
    batch_tokens: int = Field(default=2800, ge=1)
    """Tokens per step, prompts included: about 16 whole texts."""
    learning_rate: float = Field(default=3e-3, gt=0)
    """Peak learning rate."""
    warm_up: int = Field(default=100, ge=1)
    """Steps until the peak."""
    persona_dropout: float = Field(default=0.125, ge=0, le=1)
    """Share of training prompts without persona."""
    seed: int = Field(default=1, ge=0)
    """Seed of the weights and of the order of texts."""
    threads: int = Field(default=2, ge=1)
    """Torch threads while training; part of what must be equal to rebuild the same weights."""


def make_tokenizer(texts: Iterable[str], vocabulary: int) -> Any:
    """A byte-level BPE tokenizer with bos, eos, pad, three role tokens and a chat template (system
    = persona)."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    core.decoder = decoders.ByteLevel()
    core.post_processor = processors.ByteLevel(trim_offsets=True)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL.values()),
        initial_alphabet=alphabet,
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        **{f"{name}_token": SPECIAL[name] for name in ("pad", "bos", "eos")},
        additional_special_tokens=[SPECIAL[name] for name in ("persona", "query", "response")],
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def make_model(config: PocketConfig, tokenizer: Any) -> Any:
    """A Llama of the config's size with random weights from the config's seed."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(config.seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=config.hidden,
            intermediate_size=config.feed_forward,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.heads,
            max_position_embeddings=config.context,
            tie_word_embeddings=True,
            initializer_range=0.05,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


def train_pocket(
    pairs: pd.DataFrame,
    tokenizer: Any,
    work: Path,
    config: PocketConfig | None = None,
    progress: bool = True,
) -> tuple[Any, dict[str, Any]]:
    """Train on `pairs` [text, prompt_with, prompt_without, response]; return the model and a record
    of the run.

    `work` keeps a checkpoint every 200 steps: a run that was stopped goes on from there and ends
    with the same weights as one that was not. The record holds config, steps, seconds, parameters
    and the loss curve.

    Raises `ConfigError` when `work` holds a checkpoint of another config or corpus.
    """
    config = config or PocketConfig()
    torch.set_num_threads(config.threads)
    model = make_model(config, tokenizer)
    rows = encode_pairs(tokenizer, pairs, context=config.context - 1)
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    identity = json.dumps([config.model_dump(), len(rows), sum(len(row["ids"]) for row in rows)])
    losses, spent = _resume(work, identity, model, optimiser)
    begun = time.perf_counter()
    model.train()
    batches = itertools.islice(_batches(rows, config, tokenizer), len(losses), config.steps)
    for batch in tqdm(
        batches, initial=len(losses), total=config.steps, disable=not progress, desc="train-pocket"
    ):
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * schedule(len(losses), config)
        loss = response_loss(model, *batch)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(float(loss.detach()))
        if len(losses) % CHECKPOINT_EVERY == 0 or len(losses) == config.steps:
            _save(work, identity, model, optimiser, losses, spent + time.perf_counter() - begun)
    seconds = spent + time.perf_counter() - begun
    parameters = sum(weights.numel() for weights in model.parameters())
    record = {
        "config": config.model_dump(),
        "texts": len(rows),
        "parameters": parameters,
        "losses": losses,
        "seconds": seconds,
    }
    return model.eval(), record


def schedule(step: int, config: Any) -> float:
    """Share of the peak learning rate: linear warm-up, then cosine to a tenth; `config` has
    `warm_up` and `steps`."""
    if step < config.warm_up:
        return (step + 1) / config.warm_up
    done = (step - config.warm_up) / max(1, config.steps - config.warm_up)
    # a plain float: numpy's would not load with weights_only
    return 0.1 + 0.45 * (1 + math.cos(math.pi * done))


def _batches(
    rows: list[dict[str, Any]], config: PocketConfig, tokenizer: Any
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Endless batches (tokens, response mask); texts of like length share a batch, so little is
    padded."""
    for epoch in itertools.count():
        rng = np.random.default_rng([config.seed, epoch])
        bare = rng.random(len(rows)) < config.persona_dropout
        sides = np.where(bare, "without", "with")
        length = np.array(
            [len(row[side]) + len(row["ids"]) for row, side in zip(rows, sides, strict=True)]
        )
        order = rng.permutation(len(rows))
        pools = [order[first : first + 1024] for first in range(0, len(order), 1024)]
        cut = [pool[np.argsort(-length[pool], kind="stable")] for pool in pools]
        whole = [batch for pool in cut for batch in _fill(pool, length, config.batch_tokens)]
        for place in rng.permutation(len(whole)):
            yield tensors([(rows[i][sides[i]], rows[i]["ids"]) for i in whole[place]], tokenizer)


def _fill(pool: np.ndarray, length: np.ndarray, budget: int) -> Iterator[np.ndarray]:
    """Cut a pool, longest texts first, into batches of at most `budget` tokens (or one text)."""
    first = 0
    while first < len(pool):
        size = max(1, budget // int(length[pool[first]]))
        yield pool[first : first + size]
        first += size


def tensors(batch: list[tuple[tuple, tuple]], tokenizer: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens of (prompt, response) pairs, ended and padded on the right, and which of them are to
    be predicted."""
    longest = max(len(prompt) + len(ids) for prompt, ids in batch) + 1
    tokens = torch.full((len(batch), longest), tokenizer.pad_token_id, dtype=torch.long)
    wanted = torch.zeros_like(tokens, dtype=torch.bool)
    for row, (prompt, ids) in enumerate(batch):
        text = [*prompt, *ids, tokenizer.eos_token_id]
        tokens[row, : len(text)] = torch.tensor(text)
        wanted[row, len(prompt) : len(text)] = True
    return tokens, wanted


def response_loss(model: Any, tokens: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Mean −log p of the response tokens; the large output layer runs on those positions alone."""
    states = model.base_model(input_ids=tokens[:, :-1]).last_hidden_state[wanted[:, 1:]]
    return torch.nn.functional.cross_entropy(
        model.get_output_embeddings()(states), tokens[:, 1:][wanted[:, 1:]]
    )


def _save(
    work: Path, identity: str, model: Any, optimiser: Any, losses: list[float], seconds: float
) -> None:
    work.mkdir(parents=True, exist_ok=True)
    state = {"identity": identity, "model": model.state_dict(), "optimiser": optimiser.state_dict()}
    torch.save(state | {"losses": losses, "seconds": seconds}, work / "checkpoint.tmp")
    os.replace(work / "checkpoint.tmp", work / "checkpoint.pt")


def _resume(work: Path, identity: str, model: Any, optimiser: Any) -> tuple[list[float], float]:
    if not (work / "checkpoint.pt").exists():
        return [], 0.0
    state = torch.load(work / "checkpoint.pt", weights_only=True)
    if state["identity"] != identity:
        raise ConfigError(
            "the checkpoint belongs to another config or corpus",
            where=str(work / "checkpoint.pt"),
            do="remove it to train anew, or go back to its config",
        )
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    return list(state["losses"]), float(state["seconds"])


def save_model(folder: Path, model: Any, tokenizer: Any, card: str) -> None:
    """Write config, tokenizer, safetensors (16-bit) and `TRAINING_CARD.md` to `folder`, all or
    nothing."""
    if not card.strip():
        raise DataError(
            "empty training card", where=str(folder), do="say what the model was trained on"
        )
    new, old = folder.with_name(folder.name + ".new"), folder.with_name(folder.name + ".old")
    for stale in (new, old):
        shutil.rmtree(stale, ignore_errors=True)
    model.half().save_pretrained(new)
    model.float()
    tokenizer.save_pretrained(new)
    (new / "TRAINING_CARD.md").write_text(card, encoding="utf-8")
    if folder.exists():
        os.replace(folder, old)
    os.replace(new, folder)
    shutil.rmtree(old, ignore_errors=True)
