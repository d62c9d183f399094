"""Log-probabilities of a text from a language model behind an endpoint, asked only when the reader
names one.

Two forms of request are spoken. vLLM's extension of the OpenAI completions API, `prompt_logprobs`,
returns for each prompt token a table {token id: {logprob, decoded_token}}; `echo` is the form of
the completions API itself (`echo=true` with `logprobs`), which returns `tokens` and
`token_logprobs`. In both the first token has null for a log-probability, since nothing stands
before it, and one token is generated and dropped: many servers refuse to generate none.

PIR compares the same response tokens after two prompts. Where token ids can be had, from a
tokenizer here or from vLLM's `/tokenize`, prompt and response are tokenised apart and sent as ids.
In the `echo` form without a tokenizer they are sent as one text: a token that straddles the
boundary is flagged, and passes that cut the response differently are refused.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import httpx
import numpy as np

from workbench.errors import ConfigError, ModelError, check_number
from workbench.language.answers import (
    echoed,
    numbers,
    of_prompt,
    other_shape,
    patience,
    spelled,
    status_in,
)
from workbench.language.bounded import bounded
from workbench.language.scorer import Passes

AGAIN = (408, 429, 500, 502, 503, 504)  # what may be better a moment later
PAUSE = 0.5  # seconds before the first repetition; doubled each time
REFUSED = (
    "read what the server says: many want a url that ends in /v1; "
    "a field that it refuses is left out by Chat(..., fields={name: None})"
)
HOST = r"https?://([^/@?#\s:\[\]]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?(/[^@?#\s]*)?"
TEXTS = (
    ("url", HOST, "http(s)://host/v1 without user, password or query"),
    ("model", r"(?s).*\S.*", "the name of a model of the server"),
    ("key_from", r"[A-Z][A-Z0-9_]*", "the name of an environment variable, like MY_SERVER_KEY"),
    ("form", "prompt_logprobs|echo", "prompt_logprobs or echo"),
)
"""What each text of an endpoint has to look like."""
ADVICE = {
    401: "check the key and its variable",
    403: "check the key and its variable",
    404: "check url and model",
}


Answered = tuple[int, bytes, float]


def answered(answer: httpx.Response) -> Answered:
    """Status and content of an answer, and seconds that it asks to wait."""
    return answer.status_code, answer.content, patience(answer.headers.get("retry-after", ""))


@dataclass(frozen=True)
class Endpoint:
    """A server that speaks the OpenAI completions API at `url`, its `/v1` included; a
    `PromptScorer`.

    `key_from` names the environment variable that holds the key: the key is read for each request,
    and stands in no message, repr or log. `timeout` seconds bound a whole answer, from connecting to
    its last byte; a server that is busy, slow or breaks off is asked `retries` times more, when it
    says (`Retry-After`, up to `timeout` seconds) or a moment later. What fails is a `ModelError` that
    says how: down, slow, another status, cut off, another shape, fewer tokens.

    >>> endpoint = Endpoint("http://localhost:8000/v1", "my-model", key_from="MY_KEY")
    >>> score_tokens(endpoint, None, pairs)   # doctest: +SKIP
    """

    url: str
    model: str
    key_from: str | None = None
    form: Literal["prompt_logprobs", "echo"] = "prompt_logprobs"
    timeout: float = 60.0
    retries: int = 2

    def __post_init__(self):
        # what may be a secret in the wrong place is not repeated
        for name, form, expected in TEXTS:
            given = getattr(self, name)
            if given is None and name == "key_from":
                continue
            if not isinstance(given, str) or not re.fullmatch(form, given):
                raise ConfigError(f"cannot be used: not {expected}", name)
        check_number(0, retries=self.retries)
        check_number(0.001, 1e6, timeout=self.timeout)
        object.__setattr__(self, "url", self.url.rstrip("/"))

    def of_ids(self, prompts: Sequence[Sequence[int]], ids: Sequence[int]) -> np.ndarray:
        """Log-probabilities (prompts × tokens, float64, nats) of the tokens `ids` after each
        prompt."""
        return np.array([self._ids(tuple(prompt), tuple(ids))[0] for prompt in prompts])

    def of_text(self, prompts: Sequence[str], response: str, special: bool = True) -> Passes:
        """Score a text that the server tokenises, as `Passes`; equal prompts are sent once.

        Whether the prompt begins with a beginning-of-sequence token is the server's choice (none
        without `special`, but in `echo`); one that it has already is not doubled.
        """
        each = list(dict.fromkeys(prompts))
        if self.form == "echo":
            ids, found = None, [self._text(prompt, response) for prompt in each]
            over = ["".join(tokens)[: -len(response)] for _, tokens in found]
            both = zip(each, over, strict=True)
            merged = any(left and prompt.endswith(left) for prompt, left in both)
            if any(tokens != found[0][1] for _, tokens in found):
                what = "the response is cut into other tokens after one prompt than after another"
                do = "pass the model's tokenizer, so that token ids are sent"
                raise ModelError(what, self._named, do=do)
        else:
            ids = self._tokenize(response, False)
            before = [self._tokenize(prompt, special) for prompt in each]
            whole = [self._tokenize(prompt + response, special) for prompt in each]
            merged = whole != [one + ids for one in before]
            found = [self._ids(prompt, ids) for prompt in before]
        tokens, start, end = spelled(found[0][1], response, self._named)
        rows = {prompt: log_probs for prompt, (log_probs, _) in zip(each, found, strict=True)}
        return Passes(
            ids, tokens, start, end, np.array([rows[prompt] for prompt in prompts]), merged
        )

    def post(
        self, path: str, body: Mapping[str, Any], send: Callable[..., Answered] | None = None
    ) -> dict[str, Any]:
        """POST `body` as JSON to `url` + `path` and return the answer, a JSON object; `send`: another
        way to do so, `(address, body)` → status, content, seconds that it asks to wait."""
        send = send or self._send
        where = self.url.removesuffix("/v1") + path if path == "/tokenize" else self.url + path
        wait = 0.0
        for attempt in range(self.retries + 1):
            time.sleep(max(wait, PAUSE * (2**attempt - 1)))
            try:
                status, content, wait = send(where, body)
            except httpx.TimeoutException:
                said = f"slow: no whole answer within {self.timeout:g} s"
            except httpx.ConnectError as error:
                said = f"down: no connection ({error})"
            except (httpx.RequestError, httpx.InvalidURL) as error:
                said = f"the answer was cut off ({type(error).__name__})"
            else:
                said = f"status {status}: {self._quoted(content)}"
                try:
                    answer = json.loads(content)
                except (ValueError, RecursionError):
                    answer = None
                # with status 200 too it may say that something went wrong
                status = status_in(answer) if status == 200 else status
                if status not in AGAIN:
                    break
                if wait > self.timeout:
                    do = f"ask again in {wait:g} s, as it asks, or raise timeout"
                    raise ModelError(said, where, "an answer", do)
        else:
            do = "check that the server runs and is not overloaded, or raise timeout and retries"
            raise ModelError(said, where, f"an answer (asked {self.retries + 1} times)", do)
        if status != 200:
            raise ModelError(said, where, "status 200, no error", ADVICE.get(status, REFUSED))
        if not isinstance(answer, dict):
            shape = f"another shape: a JSON {type(answer).__name__}"
            what = "no JSON, or cut off" if answer is None else shape
            raise ModelError(f"{what}: {self._quoted(content)}", where, "a JSON object")
        return answer

    def choice(self, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        """The one choice of a completion."""
        choices = answer.get("choices")
        if not (isinstance(choices, list) and choices and isinstance(choices[0], dict)):
            raise self.shape("no choices", "a completion with one choice", answer=answer)
        if status_in(choices[0]) != 200:
            raise self.shape("an error", "a completion", REFUSED, answer)
        return choices[0]

    def shape(
        self, what: str, expected: str, do: str | None = None, answer: Any = None
    ) -> ModelError:
        """The error for an answer that holds something else than asked for; `answer` is quoted."""
        said = f" in {self._quoted(json.dumps(answer).encode())}" if answer else ""
        return other_shape(self._named, what + said, expected, do)

    def __getstate__(self):
        # sockets do not travel
        return {name: value for name, value in self.__dict__.items() if name != "client"}

    @cached_property
    def client(self) -> httpx.Client:
        """What asks the server: no redirect, no proxy, no environment, an end to every answer."""
        return bounded(self.timeout, self._headers)

    def _headers(self):
        """All that is sent beside the body."""
        own = {"Accept": "application/json", "Content-Type": "application/json"}
        return own | ({"Authorization": f"Bearer {self.key}"} if self.key_from else {})

    @property
    def _named(self):
        return f"{self.url} ({self.model})"

    @property
    def key(self) -> str:
        """The key, read anew; empty where no variable is named. `ConfigError` for one without."""
        if self.key_from is None:
            return ""
        key = os.environ.get(self.key_from, "").strip()
        if not (key and key.isascii() and key.isprintable()):
            what = f"the environment variable {self.key_from} holds no key"
            raise ConfigError(what, "key_from", do="set it")
        return key

    def _send(self, where, body):
        """Status, content, and seconds that it asks to wait."""
        return answered(self.client.post(where, json=dict(body)))

    def _quoted(self, content):
        """The beginning of what a server said; some repeat the key that they refuse."""
        text = content.decode("utf-8", "replace")
        return repr((text.replace(self.key, "[key]") if self.key else text)[:200])

    def _ids(self, prompt, ids):
        """Log-probability and text of each token of `ids` after the prompt."""
        sent, first = [*prompt, *ids], len(prompt)
        choice = self.choice(self._scored(sent))
        if self.form == "prompt_logprobs":
            return of_prompt(choice, ids, len(sent), self._named)
        values, tokens = echoed(choice, len(sent), self._named)
        return numbers(values[first : len(sent)], self._named), tokens[first : len(sent)]

    def _scored(self, prompt):
        body = {"model": self.model, "prompt": prompt, "max_tokens": 1, "temperature": 0}
        echo = self.form == "echo"
        asked = {"echo": True, "logprobs": 1} if echo else {"prompt_logprobs": 1}
        return self.post("/completions", body | asked)

    def _text(self, prompt, response):
        """Log-probability and text of the response's tokens, found from the end of what is
        echoed."""
        answer = self._scored(prompt + response)
        usage = answer.get("usage")
        count = usage.get("prompt_tokens") if isinstance(usage, dict) else None
        if not isinstance(count, int):
            raise self.shape("no usage.prompt_tokens", "the number of tokens of the prompt")
        values, tokens = echoed(self.choice(answer), count, self._named)
        begin = tokens[0].strip() if tokens[:1] == tokens[1:2] else ""
        if begin and prompt.startswith(begin) and not prompt.startswith(2 * begin):
            return self._text(prompt.removeprefix(begin), response)
        first = count
        while first > 0 and len("".join(tokens[first:count])) < len(response):
            first -= 1
        if first > 0 and not tokens[first - 1]:
            what = "a token without text where the response begins"
            do = "pass the model's tokenizer"
            raise self.shape(what, "tokens that spell the text", do)
        return numbers(values[first:count], self._named), tokens[first:count]

    def _tokenize(self, text, special):
        """Token ids from the server, with what it puts before a text (`special`); a
        beginning-of-sequence token that the text has already is not doubled."""
        body = {"model": self.model, "prompt": text, "add_special_tokens": special}
        ids = self.post("/tokenize", body).get("tokens")
        if not (isinstance(ids, list) and ids and all(isinstance(one, int) for one in ids)):
            expected, do = "a list of token ids from /tokenize", "pass the model's tokenizer"
            raise self.shape("no tokens", expected, do)
        return self._tokenize(text, False) if special and ids[:1] == ids[1:2] else tuple(ids)
