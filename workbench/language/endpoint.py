"""Log-probabilities of a text from a language model behind an endpoint, asked only when the reader
names one.

What is spoken is vLLM's extension of the OpenAI completions API: `prompt_logprobs` returns for
each prompt token a table {token id: {logprob, decoded_token}}. The first token has null for a
log-probability, since nothing stands before it, and one token is generated and dropped: many
servers refuse to generate none.

PIR compares the same response tokens after two prompts. So prompt and response are tokenised apart,
by a tokenizer here or by the server's `/tokenize`, and sent as token ids.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import httpx
import numpy as np

from workbench.errors import ConfigError, ModelError
from workbench.language.answers import of_prompt, other_shape, spelled

AGAIN = (408, 429, 500, 502, 503, 504)  # what may be better a moment later
PAUSE = 0.5  # seconds before the first repetition; doubled each time
LIMIT = 1 << 28  # bytes of an answer; a hundred thousand tokens take a tenth of it
ADDRESS = r"https?://([^/@?#\s:\[\]]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?(/[^@?#\s]*)?"
ADVICE = {
    401: "check the key and its variable",
    403: "check the key and its variable",
    404: "check url and model",
}


@dataclass(frozen=True)
class Passes:
    """One response after several prompts, token by token; the tokens are the same after all of
    them."""

    ids: tuple[int, ...] | None
    """Token ids of the response; None where the server gives no ids."""
    tokens: tuple[str, ...]
    """The tokens as text."""
    start: np.ndarray
    """First character of each token in the response."""
    end: np.ndarray
    """The character after its last."""
    log_probs: np.ndarray
    """Prompts × tokens, float64, nats."""
    merged: bool
    """Prompt and response tokenised together would give other tokens at their boundary."""


@runtime_checkable
class PromptScorer(Protocol):
    """What `score_tokens(scorer, tokenizer or None, pairs)` asks in place of running a model."""

    def of_ids(self, prompts: Sequence[Sequence[int]], ids: Sequence[int]) -> np.ndarray:
        """Log-probabilities (prompts × tokens, float64, nats) of `ids` after each prompt; used with
        a tokenizer."""

    def of_text(self, prompts: Sequence[str], response: str) -> Passes:
        """The same for text that the scorer tokenises itself; used where the tokenizer is None."""


@dataclass(frozen=True)
class Endpoint:
    """A server that speaks the OpenAI completions API at `url`, its `/v1` included; a
    `PromptScorer`.

    `key_from` names the environment variable that holds the key: the key is read for each request,
    and stands in no message, repr or log. `timeout` seconds bound a whole answer (twice as many if
    the server falls silent midway); a server that is busy, slow or breaks off is asked `retries`
    times more. What fails is a `ModelError` that says how: down, slow, another status, cut off,
    another shape, fewer tokens.

    >>> endpoint = Endpoint("http://localhost:8000/v1", "my-model", key_from="MY_KEY")
    >>> score_tokens(endpoint, None, pairs)   # doctest: +SKIP
    """

    url: str
    model: str
    key_from: str | None = None
    timeout: float = 60.0
    retries: int = 2

    def __post_init__(self) -> None:
        # what may be a secret in the wrong place is not repeated
        if not re.fullmatch(ADDRESS, self.url):
            expected = "http(s)://host/v1 without user, password or query"
            raise ConfigError("cannot be used", "url", expected)
        if self.key_from is not None and not re.fullmatch(r"[A-Z][A-Z0-9_]*", self.key_from):
            what = "not the name of an environment variable"
            raise ConfigError(what, "key_from", "a name like MY_SERVER_KEY")
        if not (self.timeout > 0 and self.retries >= 0):
            what = "timeout or retries out of range"
            raise ConfigError(what, expected="timeout > 0, retries ≥ 0")
        object.__setattr__(self, "url", self.url.rstrip("/"))

    def of_ids(self, prompts: Sequence[Sequence[int]], ids: Sequence[int]) -> np.ndarray:
        """Log-probabilities (prompts × tokens, float64, nats) of the tokens `ids` after each
        prompt."""
        return np.array([self._ids(tuple(prompt), tuple(ids))[0] for prompt in prompts])

    def of_text(self, prompts: Sequence[str], response: str) -> Passes:
        """Score a text that the server tokenises, as `Passes`; equal prompts are sent once.

        Whether the prompt begins with a beginning-of-sequence token is the server's choice.
        """
        each = list(dict.fromkeys(prompts))
        ids = self._tokenize(response, False)
        before = [self._tokenize(prompt, True) for prompt in each]
        met = [self._tokenize(prompt + response, True) for prompt in each]
        found = [self._ids(prompt, ids) for prompt in before]
        rows = dict(zip(each, [log_probs for log_probs, _ in found], strict=True))
        tokens, start, end = spelled(found[0][1], response, self._named)
        log_probs = np.array([rows[prompt] for prompt in prompts])
        merged = met != [prompt + ids for prompt in before]
        return Passes(ids, tokens, start, end, log_probs, merged)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """POST `body` as JSON to `url` + `path` and return the answer, a JSON object."""
        where = self.url.removesuffix("/v1") + path if path == "/tokenize" else self.url + path
        for attempt in range(self.retries + 1):
            time.sleep(PAUSE * (2**attempt - 1))
            try:
                status, content = self._send(where, body)
            except httpx.TimeoutException:
                said = f"slow: no whole answer within {self.timeout:g} s"
            except httpx.ConnectError as error:
                said = f"down: no connection ({error})"
            except httpx.RequestError as error:
                said = f"the answer was cut off ({type(error).__name__})"
            else:
                said = f"status {status}: {self._quoted(content)}"
                if status not in AGAIN:
                    break
        else:
            do = "check that the server runs and is not overloaded, or raise timeout and retries"
            raise ModelError(said, where, f"an answer (asked {self.retries + 1} times)", do)
        if status != 200:
            do = ADVICE.get(status, "read what the server says")
            raise ModelError(said, where, "status 200", do)
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError) as error:
            what = f"no JSON, or cut off: {self._quoted(content)}"
            raise ModelError(what, where, "a JSON object") from error
        if not isinstance(answer, dict):
            raise other_shape(where, f"a JSON {type(answer).__name__}", "a JSON object")
        return answer

    def choice(self, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        """The one choice of a completion."""
        choices = answer.get("choices")
        if not (isinstance(choices, list) and choices and isinstance(choices[0], dict)):
            raise self.shape("no choices", "a completion with one choice")
        return choices[0]

    def shape(self, what: str, expected: str, do: str | None = None) -> ModelError:
        """The error for an answer that holds something else than asked for."""
        return other_shape(self._named, what, expected, do)

    def __getstate__(self) -> dict[str, Any]:
        # sockets do not travel
        return {name: value for name, value in self.__dict__.items() if name != "_client"}

    @cached_property
    def _client(self) -> httpx.Client:
        return httpx.Client(timeout=self.timeout)

    @property
    def _named(self) -> str:
        return f"{self.url} ({self.model})"

    @property
    def _key(self) -> str:
        if self.key_from is None:
            return ""
        key = os.environ.get(self.key_from, "").strip()
        if not (key and key.isascii() and key.isprintable()):
            raise ConfigError(
                f"the environment variable {self.key_from} holds no key", "key_from", do="set it"
            )
        return key

    def _send(self, where: str, body: Mapping[str, Any]) -> tuple[int, bytes]:
        """Status and content; a server that drips is as slow as one that says nothing."""
        headers = {"Authorization": f"Bearer {self._key}"} if self.key_from else {}
        until, content = time.monotonic() + self.timeout, bytearray()
        with self._client.stream("POST", where, json=dict(body), headers=headers) as answer:
            for chunk in answer.iter_bytes():
                content += chunk
                if len(content) > LIMIT:
                    raise self.shape(
                        f"more than {LIMIT >> 20} MiB", "an answer of the size of the text"
                    )
                if time.monotonic() > until:
                    raise httpx.ReadTimeout("dripping")
        return answer.status_code, bytes(content)

    def _quoted(self, content: bytes) -> str:
        """The beginning of what a server said; some repeat the key that they refuse."""
        text = content.decode("utf-8", "replace")
        return repr((text.replace(self._key, "[key]") if self._key else text)[:200])

    def _ids(self, prompt: tuple[int, ...], ids: tuple[int, ...]) -> tuple[np.ndarray, list[str]]:
        """Log-probability and text of each token of `ids` after the prompt."""
        sent = [*prompt, *ids]
        body = {"model": self.model, "prompt": sent, "max_tokens": 1, "temperature": 0}
        answer = self.post("/completions", body | {"prompt_logprobs": 1})
        return of_prompt(self.choice(answer), ids, len(sent), self._named)

    def _tokenize(self, text: str, prompt: bool) -> tuple[int, ...]:
        """Token ids from the server; a beginning-of-sequence token that a prompt has already is not
        doubled."""
        body = {"model": self.model, "prompt": text, "add_special_tokens": prompt}
        ids = self.post("/tokenize", body).get("tokens")
        if not (isinstance(ids, list) and ids and all(isinstance(one, int) for one in ids)):
            raise self.shape(
                "no tokens", "a list of token ids from /tokenize", "pass the model's tokenizer"
            )
        return tuple(ids[1:] if prompt and ids[:1] == ids[1:2] else ids)
