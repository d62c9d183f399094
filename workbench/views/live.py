"""The live forget screen: `static/screen.js` in the browser asks, a plain Python function
answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anywidget
import traitlets

from workbench.errors import WorkbenchError
from workbench.ledger.plain import words
from workbench.views.export import STATIC, read


def answer(
    compute: Callable[[dict[str, Any]], dict[str, Any]], message: dict[str, Any]
) -> dict[str, Any]:
    """The reply to one message of the browser, [id, action] → [id, state] or [id, error]; never
    raises for bad input.

    >>> answer(lambda action: {"seen": action["interactions"]}, {"id": 1, "action": {"interactions": [7]}})
    {'id': 1, 'state': {'seen': [7]}}
    """
    try:
        return {"id": message["id"], "state": compute(message["action"])}
    except (WorkbenchError, KeyError, TypeError, ValueError) as error:
        return {"id": message.get("id"), "error": f"{type(error).__name__}: {error}"}


class ForgetScreen(anywidget.AnyWidget):
    """anywidget around `screen.js`; `state` is only the first one, later ones travel as answers to
    messages."""

    _esm = STATIC / "screen.js"
    _css = read("base.css", "screen.css")
    state = traitlets.Dict().tag(sync=True)
    words = traitlets.Dict().tag(sync=True)
    computes = traitlets.Bool(False).tag(sync=True)

    @classmethod
    def of(
        cls, state: dict[str, Any], compute: Callable[[dict[str, Any]], dict[str, Any]] | None
    ) -> ForgetScreen:
        """A widget that starts from `state` and hands the actions of its reader to `compute`."""
        widget = cls(
            state=json.loads(json.dumps(state)),
            words=words(state.get("causes")),
            computes=compute is not None,
        )
        if compute is not None:
            widget.on_msg(lambda _, message, buffers: widget.send(answer(compute, message)))
        return widget
