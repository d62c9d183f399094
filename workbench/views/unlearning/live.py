"""The live dashboard and frontier: two choices over the static form, drawn again by the kernel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import ipywidgets

if TYPE_CHECKING:
    from workbench.views.unlearning.dashboard import Dashboard
    from workbench.views.unlearning.frontier import Frontier

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


class Comparing(ipywidgets.VBox):
    """A frontier under a choice of utility and of time; `utility`, `time` and `drawing` are its
    parts."""

    def __init__(self, frontier: Frontier) -> None:
        from workbench.views.unlearning.frontier import TIMES

        self.drawing = ipywidgets.HTML(frontier._repr_html_())
        measures = [*dict.fromkeys([frontier.utility, *frontier.utilities])]
        self.utility = ipywidgets.Dropdown(description="Utility", options=measures)
        self.time = ipywidgets.Dropdown(description="Time", options=[*TIMES], value=frontier.time)

        def again(_: Any) -> None:
            one = replace(frontier, utility=self.utility.value, time=self.time.value)
            self.drawing.value = one._repr_html_()

        for choice in (self.utility, self.time):
            choice.observe(again, "value")
        super().__init__([ipywidgets.HBox([self.utility, self.time]), self.drawing])
