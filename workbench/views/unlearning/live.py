"""The live dashboard: two choices over the static form, drawn again by the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets

if TYPE_CHECKING:
    from workbench.views.unlearning.dashboard import Dashboard

NAMES = ("Person", "Method")


class Choosing(ipywidgets.VBox):
    """A dashboard under a choice of person and of method; `person`, `method` and `drawing` are its
    parts."""

    def __init__(self, board: Dashboard) -> None:
        people = board.people
        self.drawing = ipywidgets.HTML(board.drawn())
        self.person, self.method = (ipywidgets.Dropdown(description=name) for name in NAMES)
        if people is None:
            super().__init__([self.drawing])
            return
        self.person.options = [(people.name(user), int(user)) for user in people.users]
        self.method.options = people.methods

        def again(_: Any) -> None:
            self.drawing.value = board.drawn(self.person.value, self.method.value)

        for choice in (self.person, self.method):
            choice.observe(again, "value")
        super().__init__([ipywidgets.HBox([self.person, self.method]), self.drawing])
