"""The live forget screen: `static/screen.js` in the browser asks, a plain Python function
answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import anywidget
import traitlets

from workbench.views.page import SCREEN, read
from workbench.views.screen.told import words
from workbench.views.text import brief

Message = dict[str, Any]
Steps = Callable[[dict[str, Any]], Iterator[dict[str, Any]]]
PAUSE = 0.01
"""Seconds between two replies, in which another press is heard."""


def answers(steps: Steps, message: Any) -> Iterator[Message]:
    """The replies to one message of the browser, [id, action]: each step with the same id, or
    [id, error]; never raises, whatever is sent and whatever goes wrong: a browser that gets no
    reply would wait for ever.

    >>> list(answers(lambda action: iter([{"state": action}]), {"id": 1, "action": {"n": 7}}))
    [{'id': 1, 'state': {'n': 7}}]
    """
    asked = message if isinstance(message, dict) else {}
    try:
        for step in steps(asked.get("action")):
            yield {"id": asked.get("id"), **step}
    except Exception as error:
        yield {"id": asked.get("id"), "error": brief(f"{type(error).__name__}: {error}", 500)}


class ForgetScreen(anywidget.AnyWidget):
    """anywidget around `screen.js`; `state` is only the first one, later ones travel as answers to
    messages.

    Answers are made on the loop of the kernel, between its other work: front ends may hand over
    messages in a thread of their own, but training draws from generators that a running cell draws
    from as well.
    """

    _esm = read(*SCREEN)
    _css = read("base.css", "screen.css")
    state = traitlets.Dict().tag(sync=True)
    words = traitlets.Dict().tag(sync=True)
    computes = traitlets.Bool(False).tag(sync=True)
    _answering: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, state: dict[str, Any], steps: Steps | None) -> ForgetScreen:
        """A widget that starts from `state` and hands the actions of its reader to `steps`."""
        known = words(state.get("causes"))
        widget = cls(state=state, words=known, computes=steps is not None)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None

        def press(_: Any, message: Message, buffers: Any) -> None:
            replies = answers(steps, message)
            if loop is not None:
                loop.call_soon_threadsafe(widget._begin, replies)
                return
            # no kernel: everything at once
            for reply in replies:
                widget.send(reply)

        if steps is not None:
            widget.on_msg(press)
        return widget

    def _begin(self, replies: Iterator[Message]) -> None:
        # what an older press still has to say is not wanted any more
        if self._answering is not None:
            self._answering.cancel()
        self._answering = asyncio.get_running_loop().create_task(self._answer(replies))

    async def _answer(self, replies: Iterator[Message]) -> None:
        for reply in replies:
            self.send(reply)
            await asyncio.sleep(PAUSE)
