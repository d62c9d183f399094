"""Jinja templates filled in a sandbox that also bounds what they build: a template may come from a
stranger's model, and `{{ 'x' * 10 ** 10 }}` would take the machine's memory."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from jinja2 import StrictUndefined, Template, meta, nodes, pass_context
from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError
from jinja2.visitor import NodeTransformer

from workbench.errors import ConfigError

LIMIT = 1 << 25
"""Letters, items and steps that a template may ask for."""
CALENDAR = "strftime_now"
"""What a chat template calls for today's date."""
GIVEN = ("messages", "add_generation_prompt")
WIDE = re.compile(r"\d{6}|%[^a-zA-Z%]*\*|\{[^{}]*\{")  # a format may ask for any width


class Bounded(ImmutableSandboxedEnvironment):
    """A sandbox in which no operation, no output and no sum of steps exceeds `LIMIT`."""

    intercepted_binops = frozenset(("*", "**", "+", "%"))
    spent = 0

    def guard(self) -> Bounded:
        """The same, its filters guarded, without what writes of itself."""
        del self.globals["lipsum"]
        self.filters = {name: self._guarded(one) for name, one in self.filters.items()}
        self.filters["charged"] = pass_context(lambda _, value: self.charge(value))
        return self

    def charge(self, value: Any) -> Any:
        """What was built, once it is paid for; a generator as a list."""
        if hasattr(value, "__next__"):
            return [self.charge(one) for one in value]
        self.spent += 64 + _size(value)
        _check(self.spent)
        return value

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """An operation, refused where its result is too large."""
        if operator == "%" and isinstance(left, str):
            _narrow(left)
        sizes = {"+": _size(left) + _size(right), "%": 0}
        if operator == "**":
            sizes["**"] = float(max(2, _size(left, 0))) ** _size(right, 0)
        _check(sizes.get(operator, _size(left, 0) * _size(right, 0)))
        return self.charge(super().call_binop(context, operator, left, right))

    def call(self, context: Any, function: Any, *args: Any, **options: Any) -> Any:
        """A call, refused where its result may be too large."""
        own = getattr(getattr(function, "__wrapped__", function), "__self__", None)
        if isinstance(own, str) and "format" in function.__name__:
            _narrow(own)
        _check(math.prod(_size(one, 1) for one in (own, *args, *options.values())))
        return self.charge(super().call(context, function, *args, **options))

    def _guarded(self, function: Callable) -> Callable:
        @functools.wraps(function)
        def guarded(*args: Any, **options: Any) -> Any:
            args = [self.charge(one) if hasattr(one, "__next__") else one for one in args]
            if function.__name__ == "do_format":
                _narrow(args[0])
            _check(math.prod(_size(one, 1) for one in (*args, *options.values())))
            return self.charge(function(*args, **options))

        return guarded

    def _parse(self, *source: Any) -> nodes.Template:
        return _Charged().visit(super()._parse(*source)).set_environment(self)


class _Charged(NodeTransformer):
    """Output, what loops go through and what is put together (`~`) is paid for like all else."""

    def visit_Output(self, node: nodes.Output) -> nodes.Node:
        node = self.generic_visit(node)
        node.nodes = [_filtered(one, "charged") for one in node.nodes]
        return node

    def visit_For(self, node: nodes.For) -> nodes.Node:
        node = self.generic_visit(node)
        node.iter = _filtered(node.iter, "charged")
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        parts = self.generic_visit(node).nodes
        return functools.reduce(nodes.Add, [_filtered(one, "string") for one in parts])


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None)


def _size(value: Any, number: int | None = None) -> float:
    """Letters and items of a value; of a number 1, or, where it counts something, its size, at
    least `number`."""
    if isinstance(value, int | float) and number is not None:
        return max(number, abs(value))
    if isinstance(value, str | bytes | range):
        return max(1, len(value))
    if isinstance(value, dict):
        value = [*value, *value.values()]
    return 1 + sum(map(_size, value)) if isinstance(value, list | tuple | set) else 1


def _check(size: float) -> None:
    if not size <= LIMIT:
        raise SecurityError(f"it would build more than {LIMIT:,} letters, items or steps")


def _narrow(form: str) -> None:
    if WIDE.search(form):
        raise SecurityError(f"a format of any width: {form[:40]!r}")


def filled(source: str, where: str, fields: Mapping[str, Any], chat: bool = False) -> str:
    """A jinja template filled with `fields`; one that cannot be, for whatever reason, is a
    `ConfigError` that names it (`where`).

    `chat`: in the dialect of chat templates, where what is not defined is empty.
    """
    try:
        template = _compiled(source, chat)
        template.environment.spent = 0
        return template.render(**fields)
    except Exception as error:  # of dozens of kinds: whatever its code comes to
        expected = "messages" if chat else ", ".join(fields)
        raise ConfigError(f"{error}", where, f"jinja that uses {expected}") from error


def chat_text(
    tokenizer: Any, messages: Sequence[Mapping[str, str]], reply: bool = True, **options: Any
) -> str:
    """The text that the tokenizer's chat template makes of `messages` [{role, content}].

    `reply`: with the beginning of the reply. `options` are the template's own (`enable_thinking`),
    and `date` ("2024-07-26") the day that a template with a calendar is told. Raises `ConfigError`
    for a template that fails or refuses, and for an option that it does not know.
    """
    where, source = chat_template(tokenizer)
    fields = {"tools": None, "documents": None, **tokenizer.special_tokens_map, **options}
    if options:
        known = meta.find_undeclared_variables(_compiled(source, True).environment.parse(source))
        known = (known | {"date"} if CALENDAR in source else known) - {*GIVEN}
        known -= {*tokenizer.special_tokens_map}
        if unknown := sorted({*options} - known):
            what = f"the template has no option {unknown[0]!r}"
            raise ConfigError(what, where, f"some of {sorted(known)}" if known else "none")
        if "date" in options and CALENDAR in source:
            fields[CALENDAR] = _day(options["date"]).strftime
    fields |= {"messages": messages, "add_generation_prompt": reply}
    return filled(source, where, fields, chat=True)


def chat_template(tokenizer: Any) -> tuple[str, str]:
    """The name and the source of the tokenizer's chat template.

    Raises `ConfigError` for a dictionary of templates without "default".
    """
    where = f"chat template of {tokenizer.name_or_path or type(tokenizer).__name__}"
    try:
        return where, tokenizer.get_chat_template()
    except ValueError as error:
        do = "set tokenizer.chat_template to one of them, or pass template="
        raise ConfigError(f"{error}", where, "one template", do) from error


def _day(date: str) -> datetime:
    try:
        return datetime.fromisoformat(date)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"date {date!r}", expected="a day as 2024-07-26") from error


@functools.lru_cache(maxsize=32)
def _compiled(source: str, chat: bool) -> Template:
    """Compiled once: a table of pairs asks for the same template thousands of times."""
    if not chat:
        return Bounded(undefined=StrictUndefined, trim_blocks=True).guard().from_string(source)
    from transformers.utils.chat_template_utils import _compile_jinja_template

    # what chat templates are written for: the tags, filters and functions of Transformers
    theirs = _compile_jinja_template("").environment
    tags = [type(one) for one in theirs.extensions.values()]
    made = Bounded(trim_blocks=True, lstrip_blocks=True, extensions=tags)
    made.filters |= theirs.filters
    made.globals |= theirs.globals
    return made.guard().from_string(source)
