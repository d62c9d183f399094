"""One reply from a language model, behind an endpoint or loaded here. Nothing is asked unless the
reader names one."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench.errors import ConfigError, check_number
from workbench.language.client import asked_by_openai, check_client
from workbench.language.endpoint import Endpoint
from workbench.language.loading import check_fits, check_room
from workbench.language.replies import CLOSED, NoReply, after_thought, spoken, stops_of
from workbench.language.templates import chat_text


@dataclass(frozen=True)
class Reply:
    """What was replied."""

    text: str
    """Without what the model said to itself before (`<think>…</think>`)."""
    tokens: int | None
    """Tokens that were generated; None where a server does not say."""
    seconds: float
    finish: str | None = None
    """Why it ended: "stop", "length" where `max_tokens` cut it off, or what a server says."""


@dataclass(frozen=True, repr=False)
class Chat:
    """A model that replies: an `Endpoint`, or `(model, tokenizer)` of `load_causal_lm` with a chat
    template.

    A `temperature` of 0 takes the likeliest token. What else the model's own generation config says
    (top-p, a penalty for repetition) holds. Here the same seed gives the same reply; a server
    promises nothing. `fields` go into the body of a request as they are, and None leaves a field
    out: `{"max_tokens": None, "max_completion_tokens": 900, "temperature": None, "seed": None}`;
    its `chat_template_kwargs` reach the chat template of a model here as well. A server is asked
    by the `openai` client (`pip install 'workbench[llm]'`), with key and address of the `Endpoint`
    alone: no variable `OPENAI_…`, no proxy and no redirect changes what is sent, or where.

    >>> judge = Chat(Endpoint("http://localhost:8000/v1", "my-model"))
    >>> judge.complete([{"role": "user", "content": "Which is better?"}], seed=1).text   # doctest: +SKIP
    """

    speaker: Endpoint | tuple[Any, Any]
    max_tokens: int = 256
    temperature: float = 0.0
    fields: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self):
        served = isinstance(self.speaker, Endpoint)
        pair = isinstance(self.speaker, tuple) and len(self.speaker) == 2
        if not served and not (pair and getattr(self.speaker[1], "chat_template", None)):
            expected = "an Endpoint, or (model, tokenizer with a chat template)"
            raise ConfigError("cannot reply", "speaker", expected)
        if served:
            check_client()
        check_number(1, max_tokens=self.max_tokens)
        check_number(0.0, 1e6, temperature=self.temperature)
        if not isinstance(self.fields, Mapping):
            raise ConfigError(f"fields {self.fields!r}", expected="a dict of a request's fields")
        if not served and {*self.fields} - {"chat_template_kwargs"}:
            do = "max_tokens and temperature are arguments of Chat"
            raise ConfigError("fields of a request, and no server", "fields", do=do)

    def __repr__(self):
        who = self.speaker if isinstance(self.speaker, Endpoint) else type(self.speaker[0]).__name__
        more = f", fields={dict(self.fields)}" if self.fields else ""
        return f"Chat({who}, max_tokens={self.max_tokens}, temperature={self.temperature:g}{more})"

    def complete(self, messages: Sequence[dict[str, str]], seed: int = 0) -> Reply:
        """The reply to `messages` [{role, content}].

        Raises what `Endpoint` raises; `NoReply` for a refusal, and where nothing but thought was
        said; `TooLarge` where messages and `max_tokens` exceed the context of a model here,
        `ConfigError` for messages that its template refuses.
        """
        check_number(-(2**63), seed=seed)
        listed = isinstance(messages, Sequence) and len(messages) > 0
        if not listed or not all(isinstance(one, Mapping) and "role" in one for one in messages):
            expected = 'a list such as [{"role": "user", "content": "…"}]'
            raise ConfigError(f"{messages!r:.80}", "messages", expected)
        ask = self._ask if isinstance(self.speaker, Endpoint) else self._write
        begun = time.perf_counter()
        text, tokens, finish = ask(list(messages), seed)
        return Reply(text, tokens, time.perf_counter() - begun, finish)

    def _ask(self, messages, seed):
        body = {"model": self.speaker.model, "messages": messages, "max_tokens": self.max_tokens}
        body |= {"temperature": self.temperature, "seed": seed} | self.fields
        body = {name: value for name, value in body.items() if value is not None}
        answer = self.speaker.post("/chat/completions", body, asked_by_openai(self.speaker))
        choice, usage = self.speaker.choice(answer), answer.get("usage")
        said, finish = choice.get("message"), choice.get("finish_reason")
        if not isinstance(said, dict) or "content" not in said:
            raise self.speaker.shape("no message with content", "a chat completion", answer=answer)
        text = said["content"]
        if isinstance(text, list):
            parts = [part.get("text") for part in text if isinstance(part, dict)]
            text = "".join(part for part in parts if isinstance(part, str))
        text = text if isinstance(text, str) else ""
        if not text.strip():
            thought = said.get("reasoning_content") or said.get("reasoning")
            why = "nothing but thought" if thought else said.get("refusal") or "no content"
            do = "raise max_tokens, or turn thinking off" if finish == "length" else None
            raise NoReply(f"{why} (finish_reason: {finish})", str(self.speaker), "a reply", do)
        count = usage.get("completion_tokens") if isinstance(usage, dict) else None
        text = after_thought(text, CLOSED in text)
        return text, count if isinstance(count, int) else None, finish

    def _write(self, messages, seed):
        import torch

        (model, tokenizer), more = self.speaker, self.fields.get("chat_template_kwargs") or {}
        prompt = chat_text(tokenizer, messages, **more)
        asked = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        stops, given = stops_of(model, tokenizer), torch.tensor([asked], device=model.device)
        check_room(model, [len(asked)], self.max_tokens)
        check_fits(model, tokenizer, asked)
        limits = {"max_new_tokens": self.max_tokens, "eos_token_id": stops or None}
        dice = {"do_sample": self.temperature > 0}
        if self.temperature:
            dice |= {"temperature": self.temperature, "top_k": 0}
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(seed)
            options = {"attention_mask": torch.ones_like(given), "pad_token_id": 0}
            made = model.generate(input_ids=given, **options, **limits, **dice)
        ids = made[0, len(asked) :].tolist()
        finish = "stop" if ids[-1] in stops else "length"
        return spoken(asked, ids, tokenizer, stops), len(ids), finish
