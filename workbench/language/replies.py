"""What a model said, taken from what it generated: where its reply ends, and where its thought
does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.errors import ModelError

OPENED, CLOSED = "<think>", "</think>"


class NoReply(ModelError):
    """A model that answered, and said nothing: it refused, or its thought took all the room."""


def stops_of(model: Any, tokenizer: Any) -> list[int]:
    """Tokens that end a reply: the tokenizer's, and those of the model's generation config, where
    chat models list the end of a turn."""
    told = model.generation_config.eos_token_id
    every = tokenizer.eos_token_id, *(told if isinstance(told, list) else [told])
    return [one for one in dict.fromkeys(every) if one is not None]


def spoken(prompt: Sequence[int], ids: Sequence[int], tokenizer: Any, stops: Sequence[int]) -> str:
    """The text of `ids`, generated after those of a prompt, up to the first of `stops`; special
    tokens are left out."""
    end = next((place for place, one in enumerate(ids) if one in stops), len(ids))
    text = tokenizer.decode(ids[:end], skip_special_tokens=True)
    asked = tokenizer.decode(list(prompt[-16:])).rstrip()
    return after_thought(text, asked.endswith(OPENED))


def after_thought(text: str, opened: bool) -> str:
    """A text without the thought that it begins with; `opened`: the prompt ended within one.

    >>> after_thought("<think>A lamp?</think> Yes.", opened=False)
    'Yes.'
    """
    if not (opened or text.lstrip().startswith(OPENED)):
        return text
    _, closed, said = text.partition(CLOSED)
    if not closed:
        do = "allow more tokens, or turn thinking off in the chat template"
        raise NoReply("cut off within its thought", "reply", "an answer after the thought", do)
    return said.lstrip()
