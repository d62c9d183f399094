"""The prompt for one query: templates, and text from data that stays data in them."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import ConfigError
from workbench.language.loading import check_tokenizer
from workbench.language.templates import CALENDAR, chat_text, filled

Template = str | Path | Mapping[str, Any] | None
TEMPLATES = Path(__file__).parent / "templates"
PUBLISHED = ("lamp", "lamp-7", "longlamp-abstract", "patterns")
"""Shipped templates that give a benchmark's prompt byte for byte: it puts a text in as it is, line
breaks too."""
THOUGHT = re.compile(
    r"[<\[◁][^\w/]?(?!end)\w*:?(think|thought|reason)\w*\W?[>\]▷]\s*\Z", re.IGNORECASE
)
SIGN = "\ue000"
BRACKETS = re.compile(r"<+[^<>\s\ue000]+>+|\[[^\[\]\s\ue000]+\]")
# next to a text, a word that is not a mere word: `User:`
WORD = r"(?<![^\s\ue000])([^\s\ue000]*\w[:：=>\]}|]|[<\[{#@|][^\s\ue000]*\w[^\s\ue000]*)"
BESIDE = re.compile(rf"{WORD}(?=\s*\ue000)|(?<=\ue000){WORD}|\ue000\s+{WORD}(?=[\s\ue000])")


def prompt(tokenizer: Any, memories: Sequence[str], query: str, template: Template = None) -> str:
    """The prompt for one query, the memory items one a line; without any, the persona's heading
    goes as well.

    `template`: None takes the tokenizer's chat template (persona as system message, or before the
    query where the template knows no system role), else the plain one that is shipped; a dict is
    options of the chat template, `{"enable_thinking": False, "date": "2024-07-26"}` (`date`: the
    day that a template with a calendar writes); or name a shipped template, a jinja file, or give a
    template's text; it sees `memories` and `query`, quoted as `quoted` does. White space around a
    memory item is dropped. `tokenizer` may be None, for a model behind an endpoint: the plain
    template then, or the one that is named.
    """
    listed = isinstance(memories, Sequence | np.ndarray) and not isinstance(memories, str)
    if not listed or not all(isinstance(one, str) for one in (query, *memories)):
        raise ConfigError("no text", "prompt", "a list of memory items, and a query")
    told = [quoted(text, tokenizer, template).strip() for text in memories]
    query = quoted(query, tokenizer, template)
    if chatting(tokenizer, template):
        return _chat(tokenizer, told, query, template or {})
    return filled(_source(template), _name(template), {"memories": told, "query": query})


def located(
    tokenizer: Any, memories: Sequence[str], query: str, template: Template = None
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


def quoted(text: str, tokenizer: Any, template: Template = None) -> str:
    """Text from data as data: what would read as a special token (`</s>`), or as one of the marks
    between which the template puts a turn (`[INST]`, `User:`), is broken up (`< /s>`, `User :`).

    A line break becomes a space, in memory items and queries alike, for the lines of a prompt are
    its own: a text could else end the persona and begin a task, or a turn of a chat whose markers
    are plain text. (A query whose line breaks matter, such as code, is changed by that.) In the
    `PUBLISHED` forms they stay, so that a prompt is the benchmark's. Without a tokenizer nobody
    knows the special tokens: every < and [ is parted from what follows.
    """
    marks = []
    if str(template) not in PUBLISHED:
        text, marks = " ".join(text.splitlines()), outline(tokenizer, template)[1]
    if tokenizer is None:
        text = re.sub(r"(?<=[<\[])(?=\S)", " ", text)
    special = specials(tokenizer)
    # some tokenizers read other letters as these: a wide < and >
    plain = unicodedata.normalize("NFKC", text)
    text = plain if any(one in plain and one not in text for one in special) else text
    for mark in (*special, *marks):
        at = len(mark) - 1 if mark[0].isalnum() else 1
        text = text.replace(mark, f"{mark[:at]} {mark[at:]}")
    return text


def outline(tokenizer: Any, template: Template = None) -> tuple[tuple[str, ...], list[str]]:
    """What a template says of itself, seen in what it makes of texts that say nothing.

    The first line of each form of its prompts (none where one begins with a text), and what stands
    before and behind a turn, longest first, special tokens apart.
    """
    if chatting(tokenizer, template):
        options = json.dumps(dict(template or {}), default=str)
        return _outline(tokenizer, str(tokenizer.chat_template), options, specials(tokenizer))
    return _outline(None, _source(template), "{}", specials(tokenizer))


@lru_cache(maxsize=32)
def _outline(tokenizer, source, options, special):
    # no memory items, one, two; turns with a system message and without
    roles = ("user", "system user", "user assistant user", "system user assistant user")
    each = [{"memories": [SIGN] * n, "query": SIGN} for n in range(3)]
    if tokenizer is not None:
        each = [[{"role": role, "content": SIGN} for role in one.split()] for one in roles]
    heads, marks = [], set()
    for given in each:
        with suppress(ConfigError):  # a form that it refuses
            if tokenizer is None:
                text = filled(source, "template", given)
            else:
                text = chat_text(tokenizer, given, **json.loads(options))
            heads.append(text.partition(SIGN)[0].strip().partition("\n")[0])
            for one in special:
                text = text.replace(one, " ")
            beside = itertools.chain(*BESIDE.findall(f"{text}{SIGN}"))
            marks |= {*BRACKETS.findall(text), *filter(None, beside)}
    known = tuple(dict.fromkeys(heads)) if all(heads) else ()
    return known, sorted(marks, key=len, reverse=True)


def chatting(tokenizer: Any, template: Template = None) -> bool:
    """Whether the prompt is the tokenizer's chat template's."""
    own = template is None or isinstance(template, Mapping)
    return own and bool(getattr(tokenizer, "chat_template", None))


def described(tokenizer: Any, template: Template = None) -> str:
    """Which template makes the prompts, for provenance: its name, a digest of its source, its
    options, and the date where it writes that of the day."""
    if not chatting(tokenizer, template):
        return f"{_name(template)} ({_digest(_source(template))})"
    source, options = tokenizer.get_chat_template(), dict(template or {})
    if CALENDAR in source:
        options = {"date": date.today().isoformat()} | options
    told = "".join(f", {key}={value}" for key, value in options.items())
    name = Path(tokenizer.name_or_path or type(tokenizer).__name__).name
    return f"chat template of {name} ({_digest(source)}{told})"


def thinking(text: str) -> str | None:
    """The mark of a thought that a prompt leaves open, `<think>`; None where it does not.

    >>> thinking("assistant: <think>"), thinking("<think></think>")
    ('<think>', None)
    """
    found = THOUGHT.search(text)
    return found[0].strip() if found else None


def _digest(source):
    return hashlib.sha256(source.encode()).hexdigest()[:8]


def specials(tokenizer: Any) -> tuple[str, ...]:
    """What would read as a special token, longest first."""
    if tokenizer is None:
        return ()
    check_tokenizer(tokenizer)
    return _specials(tokenizer, len(tokenizer))


@lru_cache(maxsize=8)
def _specials(tokenizer, _):
    """Asked again when the tokenizer has grown."""
    # some chat markers are listed here alone
    added = getattr(tokenizer, "added_tokens_decoder", {}).values()
    found = {token.content for token in added if token.special or token.content.startswith("<")}
    found = filter(None, found.union(tokenizer.all_special_tokens))
    return tuple(sorted(found, key=len, reverse=True))


def _name(template):
    return "template" if "{{" in str(template) else f"template {template or 'plain'}"


def _source(template):
    template = "plain" if template is None else template
    if isinstance(template, Mapping):
        expected = "a tokenizer that has one"
        raise ConfigError("options of a chat template, and there is none", "template", expected)
    shipped = {path.stem: path for path in TEMPLATES.glob("*.jinja")}
    if str(template) in shipped:
        return shipped[str(template)].read_text(encoding="utf-8")
    if isinstance(template, Path) or str(template).endswith(".jinja"):
        try:
            return Path(template).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError("no such template", str(template), "a jinja file") from error
    if "{{" not in str(template):
        expected = f"one of {sorted(shipped)}, a jinja file, or jinja text"
        raise ConfigError(f"template {template!r}", expected=expected)
    return template


def _chat(tokenizer, told, query, options):
    persona, ask = "\n".join(told), {"role": "user", "content": query}
    try:
        system = [{"role": "system", "content": persona}] if told else []
        return chat_text(tokenizer, [*system, ask], **options)
    except ConfigError:  # some templates refuse a system message
        if not told:
            raise
        ask["content"] = f"{persona}\n\n{query}"
        return chat_text(tokenizer, [ask], **options)
