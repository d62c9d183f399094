"""`show(result)`: one look for every result, static where it is saved and live where somebody
sits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from workbench.errors import ConfigError, WorkbenchError
from workbench.html import content_id, escape, format_number, source_of, table, visible
from workbench.views.text import brief, in_columns, line

State = dict[str, Any]
CELL = 300
"""Letters of a table's cell that are shown."""


@dataclass(frozen=True, repr=False)
class View:
    """What `show` returns: `text` for a plain console, `static` HTML that needs no script, and the
    live form.

    `state` is the state of a forget screen (None for results that have nothing to press) and
    `steps` answers an action, see `Screen.steps` (None: the screen explains, but does not forget).
    `live` makes the widget of a result that brings its own.
    """

    text: str
    static: str
    state: State | None = None
    steps: Callable[[State], Iterator[State]] | None = None
    live: Callable[[], Any] | None = None

    def __post_init__(self) -> None:
        # a console obeys what it is sent
        object.__setattr__(self, "text", visible(self.text))

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.static

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        plain = {"text/plain": self.text, "text/html": self.static}
        if self.state is None and self.live is None:
            return plain
        live = self.widget()._repr_mimebundle_()
        # with metadata or without
        return (live[0] if isinstance(live, tuple) else live) | plain

    def widget(self) -> Any:
        """The live form: an anywidget for a screen or a strip, the same HTML in a widget for
        everything else."""
        if self.live is not None:
            return self.live()
        if self.state is None:
            from ipywidgets import HTML

            return HTML(self.static)
        from workbench.views.screen.live import ForgetScreen

        return ForgetScreen.of(self.state, self.steps)


def show(result: Any, rows: int = 20, source: str = "") -> View:
    """A `View` of a screen, a forgetting, a report, a token strip, a table, or anything with an
    HTML form.

    What a result can do decides how it is drawn, not what it inherits: `steps` and `state` make a
    live screen, `fates` and `controls` a screen that only explains, `_repr_html_` is taken as it
    is, and tables show their first `rows` rows, escaped. `source` is the line that ends it: data,
    users, seeds; of a table that which it carries in `attrs`, unless told. Raises `WorkbenchError`
    for anything else, and for two columns of one name.

    >>> show([{"title": "<b>"}]).static.count("&lt;b&gt;")
    1
    """
    if not isinstance(rows, int) or rows < 0:
        raise ConfigError(f"rows {rows!r}", "rows", "a whole number from 0 on")
    view = _view(result, rows)
    source = source or (source_of(result) if hasattr(result, "attrs") else "")
    if not source:
        return view
    static = f"{view.static}<p><small>{escape(source)}</small></p>"
    return replace(view, text=f"{view.text}\n{source}", static=static)


def _view(result: Any, rows: int) -> View:
    def can(name: str) -> bool:
        return callable(getattr(result, name, None)) and not isinstance(result, type)

    if can("steps") and hasattr(result, "state"):
        from workbench.views.screen.static import static_screen

        return View(repr(result), static_screen(result.state), result.state, result.steps)
    if hasattr(type(result), "fates") and hasattr(type(result), "controls"):
        from workbench.views.screen.state import state
        from workbench.views.screen.static import static_screen

        told = state(result)
        return View(repr(result), static_screen(told), told)
    if hasattr(result, "columns") and can("to_dict"):
        twice = [*result.columns[result.columns.duplicated()]]
        if twice:
            what = f"two columns called {twice[0]!r}"
            raise ConfigError(what, "show(result)", "one of a name", "rename one")
        return _table(result.to_dict("records"), rows)
    if isinstance(result, list) and result and all(isinstance(one, dict) for one in result):
        return _table(result, rows)
    if can("_repr_html_"):
        return View(repr(result), result._repr_html_(), live=getattr(result, "_widget", None))
    if can("to_frame"):
        return _view(result.to_frame(), rows)
    raise WorkbenchError(
        f"no way to show a {type(result).__name__}",
        "show(result)",
        "a result of the workbench or a table",
        "print it",
    )


def _table(records: list[dict[str, Any]], rows: int) -> View:
    """Records as a table, and as columns of plain text for a console and for a comparison of
    outputs."""
    rest = f"… and {len(records) - rows:,} more rows" if len(records) > rows else ""
    shown = []
    names = dict.fromkeys(name for record in records for name in record)
    for record in records[:rows]:
        cells = {
            brief(name): brief(one, CELL) if isinstance(one, str) else one
            for name, one in (dict.fromkeys(names) | record).items()
        }
        shown.append(cells)
    cells = [[*map(line, row)] for row in shown[:1]]
    cells += [[line(format_number(value)) for value in row.values()] for row in shown]
    lines = in_columns(cells)
    name = content_id("table", *lines, rest)
    text = "\n".join([*lines, rest]).rstrip()
    return View(text, f'<div id="{name}">{table(shown)}{f"<p>{rest}</p>" if rest else ""}</div>')
