"""The live forget screen: `static/screen.js` in the browser asks, a plain Python function
answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import anywidget
import traitlets

from workbench.errors import WorkbenchError
from workbench.views.page import SCREEN, read
from workbench.views.screen.static import words

Message = dict[str, Any]
Steps = Callable[[dict[str, Any]], Iterator[dict[str, Any]]]
PAUSE = 0.01
"""Seconds between two controls, in which another press is heard."""


def answers(steps: Steps, message: Message) -> Iterator[Message]:
    """The replies to one message of the browser, [id, action]: each step with the same id, or
    [id, error]; never raises for bad input.

    >>> list(answers(lambda action: iter([{"state": action}]), {"id": 1, "action": {"n": 7}}))
    [{'id': 1, 'state': {'n': 7}}]
    """
    try:
        for step in steps(message["action"]):
            yield {"id": message["id"], **step}
    except (WorkbenchError, KeyError, TypeError, ValueError) as error:
        yield {"id": message.get("id"), "error": f"{type(error).__name__}: {error}"}


class ForgetScreen(anywidget.AnyWidget):
    """anywidget around `screen.js`; `state` is only the first one, later ones travel as answers to
    messages."""

    _esm = read(*SCREEN)
    _css = read("base.css", "screen.css")
    state = traitlets.Dict().tag(sync=True)
    words = traitlets.Dict().tag(sync=True)
    computes = traitlets.Bool(False).tag(sync=True)
    _rest: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, state: dict[str, Any], steps: Steps | None) -> ForgetScreen:
        """A widget that starts from `state` and hands the actions of its reader to `steps`."""
        widget = cls(state=json.loads(json.dumps(state)), words=words(), computes=steps is not None)
        if steps is not None:
            widget.on_msg(lambda _, message, buffers: widget.reply(answers(steps, message)))
        return widget

    def reply(self, replies: Iterator[Message]) -> None:
        """Send the first reply now and the others one by one, until the next press is heard."""
        # what an older press still has to say is not wanted any more
        if self._rest is not None:
            self._rest.cancel()
        self.send(next(replies))
        # in a kernel the others follow between its other work, elsewhere at once
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            for reply in replies:
                self.send(reply)
        else:
            self._rest = loop.create_task(self._follow(replies))

    async def _follow(self, replies: Iterator[Message]) -> None:
        await asyncio.sleep(PAUSE)
        for reply in replies:
            self.send(reply)
            await asyncio.sleep(PAUSE)
