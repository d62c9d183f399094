"""Jinja templates filled in a sandbox that also bounds what they build: a template may come from a
stranger's model, and `{{ 'x' * 10 ** 10 }}` would take the machine's memory."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from jinja2 import StrictUndefined, Template, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError
from jinja2.visitor import NodeTransformer

from workbench.errors import ConfigError

LIMIT = 1 << 24
"""Letters or items of what a template builds, and its largest number."""
CALENDAR = "strftime_now"
"""What a chat template calls for today's date."""


class Bounded(ImmutableSandboxedEnvironment):
    """A sandbox in which no operation, call or filter makes anything larger than `LIMIT`."""

    intercepted_binops = frozenset(("*", "**", "+"))
    spent = 0

    def bounded(self) -> Bounded:
        """The same, its filters checked, without the function that makes up texts."""
        self.filters = {name: _checked(one) for name, one in self.filters.items()}
        del self.globals["lipsum"]
        return self

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """An operation, refused where its result is too large."""
        one, two = _size(left), _size(right)
        _check({"+": one + two, "*": one * two}.get(operator) or float(one) ** two)
        return super().call_binop(context, operator, left, right)

    def call(self, context: Any, function: Any, *args: Any, **options: Any) -> Any:
        """A call, refused where its result may be too large, or after too many of them."""
        self.spent += 99 + max(map(_size, args), default=0)
        _check(self.spent)
        _check_all(getattr(function, "__self__", 1), *args, *options.values())
        return super().call(context, function, *args, **options)

    def _parse(self, *source):
        tree = _Added().visit(super()._parse(*source)).set_environment(self)
        for one in tree.find_all(nodes.Const):
            # a format may ask for any width
            _check(_width(one.value))
        return tree


def _width(value):
    """The widest field that a text asks for, should it be a format; a width that comes from
    elsewhere is any."""
    if not isinstance(value, str):
        return 0
    if re.search(r"%[-#0 +]*\*|%[^%\w]*\d*\.\*", value):
        return math.inf
    found = re.findall(r"%[-#0 +]*(\d+)|%[-#0 +\d]*\.(\d+)|\{[^{}]*:[^{}]*?(\d+)", value)
    return max((int(digits) for one in found for digits in one if digits), default=0)


class _Added(NodeTransformer):
    def visit_Concat(self, node):
        """`a ~ b` as the sum of two texts, which is checked."""
        parts = self.generic_visit(node).nodes
        texts = [nodes.Filter(one, "string", [], [], None, None) for one in parts]
        return functools.reduce(nodes.Add, texts)


def _checked(function):
    @functools.wraps(function)
    def checked(*args, **options):
        _check_all(*args, *options.values())
        return function(*args, **options)

    return checked


def _size(value):
    """Letters and items of a value; of a number the number itself."""
    if isinstance(value, int | float):
        return abs(value)
    if isinstance(value, list | tuple):
        return sum(1 if isinstance(one, int | float) else _size(one) for one in value)
    return len(value) if isinstance(value, str) else 1


def _check(size):
    if not size <= LIMIT:
        raise SecurityError(f"it asks for more than {LIMIT:,} letters or items")


def _check_all(*values):
    # what comes of several is no larger than one, for each letter or item of another
    _check(math.prod(sorted(max(1, _size(one)) for one in values)[-2:]))


@contextmanager
def named(where: str, expected: str) -> Iterator[None]:
    """Whatever a template raises inside is a `ConfigError` that names it."""
    try:
        yield
    except Exception as error:  # of dozens of kinds: whatever its code comes to
        raise ConfigError(f"{error}" or type(error).__name__, where, expected) from error


def filled(source: str, where: str, fields: Mapping[str, Any]) -> str:
    """A jinja template filled with `fields`; one that cannot be is a `ConfigError` that names it
    (`where`)."""
    with named(where, f"jinja that uses {', '.join(fields)}"):
        return _text(compiled(source), fields)


def chat_text(
    tokenizer: Any, messages: Sequence[Mapping[str, str]], reply: bool = True, **options: Any
) -> str:
    """The text that the tokenizer's chat template makes of `messages` [{role, content}].

    `reply`: with the beginning of the reply. `options` are the template's own (`enable_thinking`),
    and `date` ("2024-07-26") the day that a template with a calendar is told. Raises `ConfigError`
    for a template that fails or refuses, and for an option that it does not know.
    """
    where = f"chat template of {tokenizer.name_or_path or type(tokenizer).__name__}"
    fields = {"tools": None, "documents": None, **tokenizer.special_tokens_map, **options}
    with named(where, "a template of messages, and options that it knows"):
        source = tokenizer.get_chat_template()
        template = compiled(source, chat=True)
        if CALENDAR in source and "date" in options:
            fields[CALENDAR] = datetime.fromisoformat(fields.pop("date")).strftime
        known = (
            meta.find_undeclared_variables(template.environment.parse(source)) if options else ()
        )
        for unknown in sorted({*options} & {*fields} - {*known}):
            raise TypeError(f"it has no option {unknown!r}")
        return _text(template, fields | {"messages": messages, "add_generation_prompt": reply})


def _text(template, fields):
    template.environment.spent = 0
    parts, size = [], 0
    for part in template.generate(**fields):
        size += len(part)
        _check(size)
        parts.append(part)
    return "".join(parts)


@functools.lru_cache(maxsize=32)
def compiled(source: str, chat: bool = False) -> Template:
    """Compiled once: a table of pairs asks for the same template thousands of times."""
    if not chat:
        return Bounded(undefined=StrictUndefined, trim_blocks=True).bounded().from_string(source)
    from transformers.utils.chat_template_utils import _compile_jinja_template

    # what chat templates are written for: the tags, filters and functions of Transformers
    theirs = _compile_jinja_template("").environment
    tags = [type(one) for one in theirs.extensions.values()]
    made = Bounded(trim_blocks=True, lstrip_blocks=True, extensions=tags)
    made.filters |= theirs.filters
    made.globals |= theirs.globals
    return made.bounded().from_string(source)
