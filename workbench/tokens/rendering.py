"""The prompt for one query: templates, and text from data that stays data in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from workbench.errors import ConfigError

TEMPLATES = Path(__file__).parent / "templates"
PUBLISHED = ("lamp", "lamp-7", "longlamp-abstract", "patterns")
"""Shipped templates that give a benchmark's prompt byte for byte: it puts a text in as it is, line
breaks too."""


def prompt(
    tokenizer: Any, memories: Sequence[str], query: str, template: str | Path | None = None
) -> str:
    """The prompt for one query, the memory items one a line; without any, the persona's heading
    goes as well.

    `template`: None takes the tokenizer's chat template (persona as system message, or before the
    query where the template knows no system role), else the plain one that is shipped; or name a
    shipped template, a jinja file, or give a template's text; it sees `memories` and `query`,
    quoted as `quoted` does. White space around a memory item is dropped. `tokenizer` may be None,
    for a model behind an endpoint: the plain template then, or the one that is named.
    """
    told = [quoted(text, tokenizer, template).strip() for text in memories]
    query = quoted(query, tokenizer, template)
    if template is None and getattr(tokenizer, "chat_template", None):
        return _chat(tokenizer, told, query)
    source = _source("plain" if template is None else template)
    return rendered(source, memories=told, query=query)


def located(
    tokenizer: Any, memories: Sequence[str], query: str, template: str | Path | None = None
) -> tuple[str, list[tuple[int, int]]]:
    """The prompt and where in it each memory item stands: `(text, [(start, end), ...])`, in
    characters.

    Raises `ConfigError` for a template that changes, leaves out or reorders the memory items.
    """
    signs = [f"\ue000{number}\ue001" for number in range(len(memories))]
    told = [quoted(text, tokenizer, template).strip() for text in memories]
    text, *after = re.split("\ue000\\d+\ue001", prompt(tokenizer, signs, query, template))
    spans = []
    for memory, literal in zip(told, after, strict=False):
        spans.append((len(text), len(text) + len(memory)))
        text += memory + literal
    if len(after) != len(told) or text != prompt(tokenizer, memories, query, template):
        expected = "each of them, in order, as it is"
        raise ConfigError("the template changes the memory items", "template", expected)
    return text, spans


def rendered(source: str, **fields: Any) -> str:
    """A jinja template filled with `fields`, in a sandbox; a template that cannot be is a
    `ConfigError`."""
    try:
        return _compiled(source).render(**fields)
    except (
        TemplateError,
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        raise ConfigError(
            f"template: {error}", expected=f"jinja that uses {', '.join(fields)}"
        ) from error


def quoted(text: str, tokenizer: Any, template: str | Path | None = None) -> str:
    """Text from data as data: what would read as a special token (`</s>`) is broken up (`< /s>`).

    A line break becomes a space, in memory items and queries alike, for the lines of a prompt are
    its own: a text could else end the persona and begin a task, or a turn of a chat whose markers
    are plain text. (A query whose line breaks matter, such as code, is changed by that.) In the
    `PUBLISHED` forms they stay, so that a prompt is the benchmark's. Without a tokenizer nobody
    knows the special tokens: every < and [ is parted from what follows.
    """
    if str(template) not in PUBLISHED:
        text = " ".join(text.splitlines())
    if tokenizer is None:
        return re.sub(r"(?<=[<\[])(?=\S)", " ", text)
    for special in _specials(tokenizer, len(tokenizer)):
        text = text.replace(special, f"{special[0]} {special[1:]}")
    return text


@lru_cache(maxsize=8)
def _specials(tokenizer: Any, _: int) -> list[str]:
    """What would read as a special token, longest first; asked again when the tokenizer has
    grown."""
    # some chat markers are listed here alone
    added = getattr(tokenizer, "added_tokens_decoder", {}).values()
    found = {token.content for token in added if token.special or token.content.startswith("<")}
    return sorted(filter(None, found.union(tokenizer.all_special_tokens)), key=len, reverse=True)


@lru_cache(maxsize=32)
def _compiled(source: str) -> Template:
    """Compiled once: a table of pairs asks for the same template thousands of times."""
    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True).from_string(
        source
    )


def _source(template: str | Path) -> str:
    shipped = {path.stem: path for path in TEMPLATES.glob("*.jinja")}
    if str(template) in shipped:
        return shipped[str(template)].read_text(encoding="utf-8")
    if isinstance(template, Path) or template.endswith(".jinja"):
        try:
            return Path(template).read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError("no such template", str(template), "a jinja file") from error
    if "{{" not in template:
        expected = f"one of {sorted(shipped)}, a jinja file, or jinja text"
        raise ConfigError(f"template {template!r}", expected=expected)
    return template


def _chat(tokenizer: Any, told: list[str], query: str) -> str:
    persona, options = "\n".join(told), {"tokenize": False, "add_generation_prompt": True}
    system = [{"role": "system", "content": persona}] if told else []
    try:
        ask = [*system, {"role": "user", "content": query}]
        return tokenizer.apply_chat_template(ask, **options)
    except TemplateError:  # some templates refuse a system message
        content = f"{persona}\n\n{query}" if told else query
        return tokenizer.apply_chat_template([{"role": "user", "content": content}], **options)
