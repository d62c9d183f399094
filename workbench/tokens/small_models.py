"""Two tiny language models, their tokenizers, and the loop that trains them: for worlds, tests and
tools.

A Llama with a byte-level BPE tokenizer learns generated texts (the pocket model), a GPT-NeoX with
one token a word the small worlds: response tokens only, and sometimes without the persona. Else the
persona-free prompt would be news to the model, and PIR would measure that surprise as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
import torch
from pydantic import Field
from tqdm import tqdm

from workbench.settings import Frozen
from workbench.tokens.encoding import encode_pairs

ROLES = ("persona", "query", "response")
SPECIAL = {"pad": "<pad>", "bos": "<s>", "eos": "</s>"} | {role: f"<{role}>" for role in ROLES}
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'system' %}<persona>{{ message['content'] }}"
    "{% elif message['role'] == 'user' %}<query>{{ message['content'] }}"
    "{% else %}<response>{{ message['content'] }}</s>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<response>{% endif %}"
)


class Schedule(Frozen):
    """Steps of AdamW: linear warm-up, then cosine to a tenth."""

    steps: int = Field(default=1400, ge=1)
    """Optimiser steps."""
    learning_rate: float = Field(default=2e-3, gt=0)
    """Peak learning rate."""
    warm_up: int = Field(default=100, ge=1)
    """Steps until the peak."""
    persona_dropout: float = Field(default=0.125, ge=0, le=1)
    """Share of prompts without persona; for a world's model, of the texts of a step that are run
    again without it, and the factor of their mean loss."""
    seed: int = Field(default=0, ge=0)
    """Seed of the order of texts."""
    threads: int = Field(default=1, ge=1)
    """Torch threads; part of what must be equal to rebuild the same weights."""

    def share(self, step: int) -> float:
        """Share of the peak learning rate at a step, from 0."""
        if step < self.warm_up:
            return (step + 1) / self.warm_up
        done = (step - self.warm_up) / max(1, self.steps - self.warm_up)
        # a plain float: numpy's would not load with weights_only
        return 0.1 + 0.45 * (1 + math.cos(math.pi * done))


class PocketConfig(Schedule):
    """Size and schedule of the Llama; as it stands that of the pocket language model."""

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
    """Optimiser steps."""
    batch_tokens: int = Field(default=2800, ge=1)
    """Tokens per step, prompts included: about 16 whole texts."""
    learning_rate: float = Field(default=3e-3, gt=0)
    """Peak learning rate."""
    seed: int = Field(default=1, ge=0)
    """Seed of weights and order."""
    threads: int = Field(default=2, ge=1)
    """Torch threads."""


class BaseConfig(Schedule):
    """Schedule of a world's GPT-NeoX; 400 steps leave it half-trained."""

    batch: int = Field(default=32, ge=1)
    """Texts a step, drawn with replacement."""


def make_tokenizer(texts: Iterable[str], vocabulary: int) -> Any:
    """A byte-level BPE tokenizer with bos, eos, pad, three role tokens and a chat template (system
    = persona)."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    core = Tokenizer(models.BPE())
    bytewise = pre_tokenizers.ByteLevel
    core.pre_tokenizer = bytewise(add_prefix_space=True)
    core.decoder = decoders.ByteLevel()
    core.post_processor = processors.ByteLevel(trim_offsets=True)
    given = {"special_tokens": list(SPECIAL.values()), "initial_alphabet": bytewise.alphabet()}
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, show_progress=False, **given)
    core.train_from_iterator(texts, trainer)
    return _with_roles(core, {name: SPECIAL[name] for name in ("pad", "bos", "eos")})


def word_tokenizer(vocabulary: list[str]) -> Any:
    """A fast tokenizer with one token a word; `vocabulary` holds the five special tokens.

    There is no padding token of its own: the end-of-text token, which never stands in a prompt,
    pads, masks and stands for unknown words.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers

    ids = {word: place for place, word in enumerate(vocabulary)}
    core = Tokenizer(models.WordLevel(ids, unk_token=SPECIAL["eos"]))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    names = {"bos": SPECIAL["bos"]} | dict.fromkeys(("eos", "pad", "unk"), SPECIAL["eos"])
    return _with_roles(core, names)


def _with_roles(core, names):
    """A tokenizer with these tokens for special ends, a token a role, and the chat template."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        additional_special_tokens=[SPECIAL[role] for role in ROLES],
        **{f"{name}_token": token for name, token in names.items()},
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


def base_model(vocabulary: int, seed: int, context: int = 256) -> Any:
    """A GPT-NeoX of 2 layers, width 64, 4 heads: 121,024 parameters with the 327 words of
    `PersonaWorld`.

    Layer norm before attention and before the feed-forward part (one after the other, not in
    parallel), rotary positions on all dimensions, exact GELU, tied embeddings, matrices from N(0,
    0.05), biases of 0 to begin with. The pilot that this repeats gave the sizes; where it was
    silent (biases, kind of GELU) the library's defaults stand, and the number of parameters agrees.
    """
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    rotary = {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 1.0}
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
            rope_parameters=rotary,
            use_parallel_residual=False,
            tie_word_embeddings=True,
            initializer_range=0.05,
            bos_token_id=0,
            eos_token_id=4,
            pad_token_id=4,
        )
    )


Part = tuple[torch.Tensor, torch.Tensor, float]
"""Tokens, which of them are to be predicted, and the weight of their mean loss in the step."""


def train(
    model: Any,
    batches: Iterable[list[Part]],
    config: Schedule,
    after: Callable[[int, Any], None] | None = None,
    *,
    optimiser: torch.optim.Optimizer | None = None,
    losses: list[float] | None = None,
    progress: bool = False,
) -> list[float]:
    """Train `model` in place, a batch a step; return each step's loss on its first part (nats a
    token).

    `after(steps done, model)` is called after every step: for curves and checkpoints. `optimiser`
    and `losses` are those of a run that goes on: its steps are done, and `batches` begin after
    them.
    """
    optimiser = optimiser or adamw(model, config)
    losses = [] if losses is None else losses
    bar = {"initial": len(losses), "total": config.steps, "disable": not progress}
    for parts in tqdm(batches, desc="train", **bar):
        model.train()  # `after` may have left it in evaluation
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * config.share(len(losses))
        own, *others = [(response_loss(model, *part[:2]), part[2]) for part in parts]
        loss = total = own[0]
        for other, weight in others:
            total = total + weight * other
        optimiser.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(float(loss.detach()))
        if after is not None:
            after(len(losses), model)
    model.eval()
    return losses


def adamw(model: Any, config: Schedule) -> torch.optim.AdamW:
    """The optimiser of all these models."""
    return torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
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
    run without persona, and their mean loss is added times 0.125. `after`: see `train`.
    """
    config = config or BaseConfig()
    torch.set_num_threads(config.threads)
    batches = _drawn(encode_pairs(tokenizer, pairs), tokenizer, config)
    return train(model, batches, config, after, progress=progress)


def _drawn(rows, tokenizer, config):
    """The batches of `train_base`: texts drawn anew every step."""
    told, bare = (
        tensors([(row[side], row["ids"]) for row in rows], tokenizer)
        for side in ("with", "without")
    )
    few = round(config.batch * config.persona_dropout)
    rng = np.random.default_rng([config.seed, 1])
    for _ in range(config.steps):
        drawn = torch.from_numpy(rng.integers(len(rows), size=config.batch))
        parts = [(*(values[drawn] for values in told), 1.0)]
        if few:
            again = drawn[:few]
            parts.append((*(values[again] for values in bare), config.persona_dropout))
        yield parts


def tensors(batch: list[tuple[tuple, tuple]], tokenizer: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens of (prompt, response) pairs, ended and padded on the right; which are predicted."""
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
