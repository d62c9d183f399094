"""The live weights: a slider an attribute and a menu of bans over the static form."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import ipywidgets

from workbench.views.text import brief, line

if TYPE_CHECKING:
    from workbench.views.learnt.weights import Weights

LEAST, MOST, STEP = -1.0, 2.0, 0.05
"""Of a slider; it reaches what was learnt in any case."""
FIRST = 12
"""Products of the ranking whose brands, kinds and details the menu offers."""


class Weighing(ipywidgets.VBox):
    """A page under `sliders`, by attribute, and a menu `banned`; `drawing` is what they change."""

    def __init__(self, view: Weights) -> None:
        found = view.weighed
        self.drawing = ipywidgets.HTML(view._repr_html_())
        self.sliders = {
            one.attribute: ipywidgets.FloatSlider(
                value=one.now,
                min=min(LEAST, one.learnt, one.now),
                max=max(MOST, one.learnt, one.now),
                step=STEP,
                description=one.attribute,
                continuous_update=False,
            )
            for one in found.weights.itertuples()
        }
        self.banned = ipywidgets.Dropdown(description="never offer", options=menu(view))
        # a slider that nobody moved weighs what was learnt, to the last digit
        moved = dict(view.weights)

        def again(change: Any) -> None:
            if change.owner is not self.banned:
                moved[change.owner.description] = change.new
            pairs = [*found.banned, *([self.banned.value] if self.banned.value else [])]
            ban = {name: [value for one, value in pairs if one == name] for name, _ in pairs}
            self.drawing.value = replace(view, weights=moved, ban=ban)._repr_html_()

        for control in (*self.sliders.values(), self.banned):
            control.observe(again, "value")
        controls = ipywidgets.VBox([*self.sliders.values(), self.banned])
        super().__init__([controls, self.drawing])


def menu(view: Weights) -> list[tuple[str, tuple[str, str] | None]]:
    """What can be banned of the first products, as it reads and as it is."""
    frame = view.service.catalogue.frame.loc[view.weighed.places["item"][:FIRST]]
    columns = [name for name in ("brand", "kind", "details") if name in frame]
    pairs = [
        (name, value)
        for name in columns
        for value in dict.fromkeys(frame[name])
        if isinstance(value, str) and value not in ("", "unknown")
    ]
    return [
        ("nothing", None),
        *((line(f"{name}: {brief(value)}"), (name, value)) for name, value in pairs),
    ]
