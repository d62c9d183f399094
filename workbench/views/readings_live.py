"""Blinded readings, live: who reads, whether the visits are shown, two pages, three buttons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets

if TYPE_CHECKING:
    from workbench.views.readings import Readings

ANSWERS = {"Page A": 0, "Page B": 1, "Neither": None}


class Reading(ipywidgets.VBox):
    """The next pair over its buttons; `reader`, `visits`, `drawing` and `buttons` are its parts. What
    is pressed is kept in the `Readings` that it was made of."""

    def __init__(self, readings: Readings) -> None:
        self.readings = readings
        self.reader = ipywidgets.Text(
            readings.reader, description="Reader", continuous_update=False
        )
        self.visits = ipywidgets.Checkbox(readings.shown, description="Show the last visits")
        self.drawing = ipywidgets.HTML()
        self.buttons = {name: ipywidgets.Button(description=name) for name in ANSWERS}
        self.reader.observe(self._changed, "value")
        self.visits.observe(self._changed, "value")
        for button in self.buttons.values():
            button.on_click(self._pressed)
        bars = [ipywidgets.HBox([self.reader, self.visits]), self.drawing]
        super().__init__([*bars, ipywidgets.HBox(list(self.buttons.values()))])
        self._draw()

    def _changed(self, _: Any) -> None:
        self.readings.reader, self.readings.shown = self.reader.value, self.visits.value
        self._draw()

    def _pressed(self, button: ipywidgets.Button) -> None:
        if self.readings.next is not None:
            self.readings.choose(self.readings.next, ANSWERS[button.description])
        self._draw()

    def _draw(self) -> None:
        self.drawing.value = self.readings.drawn()
        for button in self.buttons.values():
            button.disabled = self.readings.next is None
