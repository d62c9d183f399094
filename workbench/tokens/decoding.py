"""Writing with guidance: the persona's part of each next token taken γ times.

Context-aware decoding (Shi et al., NAACL 2024; their α is γ − 1), which is classifier-free guidance
(Sanchez et al., 2024) along PIR, and the plausibility cut of contrastive decoding (Li et al.,
2023), as in CoPe (EMNLP 2025):

    s(v) = log p⁻(v) + γ (log p⁺(v) − log p⁻(v))   if p⁺(v) ≥ β max p⁺,  else −∞

with p⁺ = P(· | p_u, x, y_<i) and p⁻ = P(· | x, y_<i). γ = 1 is plain decoding, γ = 0 writes as if
there were no persona, γ > 1 writes more personally than the model would.

A text is drawn by the Gumbel-max trick: the next token is argmax_v s(v) / T + g_v with g_v standard
Gumbel, which is a draw from softmax(s / T). Each text has its own seed, so it does not matter what
else is in the batch, and two prompts with one seed get the same g_v: what differs between the two
texts is owed to the prompts, as far as it can be.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from contextlib import contextmanager
from itertools import chain
from numbers import Integral
from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from workbench.data.checks import whole_numbers
from workbench.errors import ConfigError, check_number
from workbench.language.loading import check_fits, check_loaded, check_room, check_tokenizer
from workbench.language.replies import spoken, stops_of
from workbench.tokens.encoding import prompt_ids, prompts_of
from workbench.tokens.passes import evaluating, padded


class Guidance(LogitsProcessor):
    """s(v) above, for `model.generate(..., logits_processor=[Guidance(...)])`; one object for one
    call.

    `without` (batch × length, padded on the left, with its `mask`) is the persona-free prompt of
    each row; its pass keeps a key-value cache of its own, so that a token costs one extra step (the
    whole text for a model without such a cache).
    `plausible` is β (0: no cut). Differs from the guidance that Transformers has (`guidance_scale`,
    for one prompt or prompts of one length) by batches of unequal prompts and by the cut. Raises
    `ConfigError` when rows are re-ordered (beam search).
    """

    def __init__(
        self,
        model: Any,
        without: torch.Tensor,
        mask: torch.Tensor,
        gamma: float = 1.5,
        plausible: float = 0.0,
    ) -> None:
        check_number(0.0, 1.0, plausible=plausible)
        self.model, self.gamma, self.plausible = model, gamma, plausible
        self.tokens, self.mask = without.to(model.device), mask.to(model.device)
        self.cache: Any = None
        self.seen: torch.Tensor | None = None
        self.placed = "position_ids" in inspect.signature(model.forward).parameters

    @torch.no_grad()
    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """One step: `input_ids` (batch × so far), `scores` (batch × vocabulary) → guided scores,
        float32 or wider."""
        plus = torch.log_softmax(scores.float(), dim=-1)
        guided = plus
        if self.gamma != 1:
            minus = torch.log_softmax(self._without(input_ids).float(), dim=-1)
            guided = torch.where(plus.isneginf(), plus, minus + self.gamma * (plus - minus))
        if self.plausible > 0:
            least = plus.max(dim=-1, keepdim=True).values + torch.log(torch.tensor(self.plausible))
            guided = guided.masked_fill(plus < least, -torch.inf)
        return guided

    def _without(self, input_ids):
        """Logits of the next token after the persona-free prompt and what has been written so
        far."""
        if self.seen is not None:
            if not torch.equal(input_ids[:, :-1], self.seen):
                do = "use one object a call, and no beams"
                raise ConfigError("rows were re-ordered", "Guidance", do=do)
            new = input_ids[:, -1:]
            # without a cache all is read again
            self.tokens = torch.cat([self.tokens, new], dim=1) if self.cache is None else new
            self.mask = torch.cat([self.mask, torch.ones_like(new)], dim=1)
        self.seen = input_ids
        options = {"past_key_values": self.cache, "use_cache": True}
        if self.placed:  # padding takes no position
            places = (self.mask.cumsum(1) - 1).clamp(min=0)
            options["position_ids"] = places[:, -self.tokens.shape[1] :]
        out = self.model(input_ids=self.tokens, attention_mask=self.mask, **options)
        self.cache = getattr(out, "past_key_values", None)
        return out.logits[:, -1]


class SeededNoise(LogitsProcessor):
    """s(v) / T + g_v, with a random generator for each row: the argmax is a draw from softmax(s /
    T)."""

    def __init__(self, seeds: Sequence[int], temperature: float) -> None:
        self.temperature = temperature
        self.generators = [torch.Generator().manual_seed(int(seed)) for seed in seeds]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores (batch × vocabulary) with noise."""
        drawn = [
            torch.empty(scores.shape[-1]).exponential_(generator=one) for one in self.generators
        ]
        noise = -torch.log(torch.stack(drawn).to(scores.device))
        return scores.float() / self.temperature + noise


def write(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    without: Sequence[str] | None = None,
    gamma: float = 1.0,
    plausible: float = 0.0,
    seeds: Sequence[int] | int = 0,
    max_new_tokens: int = 64,
    temperature: float = 0.4,
    batch_size: int = 16,
) -> list[str]:
    """What the model writes after each prompt; special tokens are left out of the text, and what a
    model says to itself before (`<think>…</think>`).

    `without` holds the persona-free prompts, which γ other than 1 needs; `seeds` is one for all, or
    one for each prompt; a `temperature` of 0 takes the likeliest token. A text ends with the end
    token of the tokenizer, or one that the model's `generation_config` lists; what else that adds
    (a penalty for repetition, top-p) is left out. Raises `ConfigError` when their numbers do not
    agree, `TooLarge` where a prompt and `max_new_tokens` exceed the model's context, `ModelError`
    for token ids that the model does not know, and where a text ends before its thought does.
    """
    for name, given in {"prompts": prompts, "without": () if without is None else without}.items():
        if isinstance(given, str) or not all(len(prompts_of(one)) == 1 for one in given):
            raise ConfigError("no list of prompts", name, "a list of texts")
    prompts = list(prompts)
    check_number(1, max_new_tokens=max_new_tokens, batch_size=batch_size)
    check_number(0.0, 1e6, temperature=temperature)
    check_number(-1e6, 1e6, gamma=gamma)
    one = isinstance(seeds, Integral)
    seeds = [int(seeds)] * len(prompts) if one else whole_numbers(seeds, "seeds", "seeds").tolist()
    if len(seeds) != len(prompts) or (without is not None and len(without) != len(prompts)):
        what = "unequal numbers of prompts, persona-free prompts and seeds"
        raise ConfigError(what, expected="as many of each")
    if without is None and (gamma != 1 or plausible):
        what = f"gamma {gamma}, plausible {plausible} without persona-free prompts"
        raise ConfigError(what, "without", do="pass prompt_without")
    check_loaded(model, "generate")
    check_tokenizer(tokenizer)
    told, stops = prompt_ids(tokenizer, prompts), stops_of(model, tokenizer)
    bare = [()] * len(told) if without is None else prompt_ids(tokenizer, without)
    if (without is not None and not all(bare)) or not all(told):
        do = "add a query or a heading"
        raise ConfigError("a prompt without a token, and the tokenizer puts none before it", do=do)
    check_room(model, map(len, [*told, *bare]), max_new_tokens)
    check_fits(model, tokenizer, chain(*told, *bare))
    # padding is never looked at: any token will do, and the model has this one
    limits = {"max_new_tokens": max_new_tokens, "eos_token_id": stops or None, "pad_token_id": 0}
    config = GenerationConfig(do_sample=False, num_beams=1, **limits)
    out = []
    with evaluating(model), _plain(model):
        for first in range(0, len(prompts), batch_size):
            batch = slice(first, first + batch_size)
            processors = LogitsProcessorList()
            if without is not None:
                free = padded(bare[batch], 0)
                tokens, mask = free["input_ids"], free["attention_mask"]
                processors.append(Guidance(model, tokens, mask, gamma=gamma, plausible=plausible))
            if temperature > 0:
                processors.append(SeededNoise(seeds[batch], temperature))
            given = padded(told[batch], 0)
            del given["position_ids"]  # `generate` makes its own
            given = {name: values.to(model.device) for name, values in given.items()}
            options = {"generation_config": config, "logits_processor": processors}
            made = model.generate(**given, **options)[:, given["input_ids"].shape[1] :]
            each = zip(told[batch], made.tolist(), strict=True)
            out += [spoken(prompt, ids, tokenizer, stops) for prompt, ids in each]
    return out


@contextmanager
def _plain(model):
    """Of the model's own generation config only `use_cache`: `generate` fills in from it whatever
    it is not told."""
    kept = model.generation_config
    model.generation_config = GenerationConfig(use_cache=kept.use_cache)
    try:
        yield
    finally:
        model.generation_config = kept
