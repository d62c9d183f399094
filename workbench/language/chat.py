"""One reply from a language model, behind an endpoint or loaded here. Nothing is asked unless the
reader names one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workbench.errors import ConfigError
from workbench.language.endpoint import Endpoint


@dataclass(frozen=True)
class Reply:
    """What was replied."""

    text: str
    tokens: int | None
    """Tokens that were generated; None where a server does not say."""
    seconds: float


@dataclass(frozen=True, repr=False)
class Chat:
    """A model that replies: an `Endpoint`, or `(model, tokenizer)` of `load_causal_lm` with a chat
    template.

    A `temperature` of 0 takes the likeliest token. What else the model's own generation config says
    (top-p, a penalty for repetition) holds. Here the same seed gives the same reply; a server
    promises nothing.

    >>> judge = Chat(Endpoint("http://localhost:8000/v1", "my-model"))
    >>> judge.complete([{"role": "user", "content": "Which is better?"}], seed=1).text   # doctest: +SKIP
    """

    speaker: Endpoint | tuple[Any, Any]
    max_tokens: int = 256
    temperature: float = 0.0

    def __post_init__(self) -> None:
        here = isinstance(self.speaker, tuple) and len(self.speaker) == 2
        if not isinstance(self.speaker, Endpoint) and not (
            here and getattr(self.speaker[1], "chat_template", None)
        ):
            raise ConfigError(
                "cannot reply", "speaker", "an Endpoint, or (model, tokenizer with a chat template)"
            )
        if self.max_tokens < 1 or self.temperature < 0:
            raise ConfigError(
                "max_tokens or temperature out of range", expected="max_tokens ≥ 1, temperature ≥ 0"
            )

    def __repr__(self) -> str:
        who = self.speaker if isinstance(self.speaker, Endpoint) else type(self.speaker[0]).__name__
        return f"Chat({who}, max_tokens={self.max_tokens}, temperature={self.temperature:g})"

    def complete(self, messages: Sequence[dict[str, str]], seed: int = 0) -> Reply:
        """The reply to `messages` [{role, content}]; raises what `Endpoint` raises."""
        begun = time.perf_counter()
        text, tokens = (self._ask if isinstance(self.speaker, Endpoint) else self._write)(
            list(messages), seed
        )
        return Reply(text, tokens, time.perf_counter() - begun)

    def _ask(self, messages: list[dict[str, str]], seed: int) -> tuple[str, int | None]:
        body = {"model": self.speaker.model, "messages": messages, "max_tokens": self.max_tokens}
        answer = self.speaker.post(
            "/chat/completions", body | {"temperature": self.temperature, "seed": seed}
        )
        said, usage = self.speaker.choice(answer).get("message"), answer.get("usage")
        text = said.get("content") if isinstance(said, dict) else None
        if not isinstance(text, str):
            raise self.speaker.shape("no message with content", "a chat completion")
        count = usage.get("completion_tokens") if isinstance(usage, dict) else None
        return text, count if isinstance(count, int) else None

    def _write(self, messages: list[dict[str, str]], seed: int) -> tuple[str, int]:
        import torch

        model, tokenizer = self.speaker
        options = {"add_generation_prompt": True, "return_tensors": "pt", "return_dict": True}
        given = tokenizer.apply_chat_template(messages, **options).to(model.device)
        pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        dice = (
            {"do_sample": True, "temperature": self.temperature, "top_k": 0}
            if self.temperature
            else {}
        )
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(seed)
            made = model.generate(
                input_ids=given["input_ids"],
                attention_mask=given["attention_mask"],
                max_new_tokens=self.max_tokens,
                pad_token_id=pad,
                **(dice or {"do_sample": False}),
            )
        ids = made[0, given["input_ids"].shape[1] :]
        return tokenizer.decode(ids, skip_special_tokens=True), len(ids)
