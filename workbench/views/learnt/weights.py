"""A page under weights of the reader's: what each attribute weighs, what changed, the ranking, the
page.

The live form puts sliders and a menu of bans over the same drawing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from workbench.errors import typed
from workbench.html import NUMBER, TEXT, escape, table
from workbench.ledger import Service
from workbench.reports.recpilot import Weighed, changed, weigh
from workbench.views.look import BLUE, NEW, ORANGE, SMALL, framed, over
from workbench.views.text import brief, coded

SHOWN = 8
"""Products of the ranking that are shown."""
NOTE = (
    "Pages here are ranked by these weights alone, first within what the shopper is after; "
    "the page as it is served ranks by what they did."
)


@typed
@dataclass(frozen=True, repr=False, eq=False)
class Weights:
    """A shopper's page with weights and bans that can be changed: `show(Weights(service, 310))`.

    service: with a `Rubric` among its stores. user: a code, or an id of the log as text. weights,
    ban: as `weigh` takes them; the live form starts from them. source: the line that ends it.
    Raises as `weigh`, and `UnknownUser`.

    >>> show(Weights(service, 310, {"price": 1.0}))  # doctest: +SKIP
    Weighed(price 1.00: the offers differ)
    """

    service: Service
    user: int | str
    weights: Mapping[str, float] = field(default_factory=dict)
    ban: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""

    @cached_property
    def weighed(self) -> Weighed:
        """The page before and after."""
        user = coded(self.service.log, self.user)
        return weigh(self.service.evidence(user), self.weights, self.ban)

    def __post_init__(self) -> None:
        # what there is not is refused at once
        _ = self.weighed

    def __repr__(self) -> str:
        return repr(self.weighed)

    def _repr_html_(self) -> str:
        found = self.weighed
        catalogue = self.service.catalogue
        parts = ["<p><b>What matters, and the page that follows</b></p>", _attributes(found)]
        if found.banned:
            named = ", ".join(f"{name} {brief(value)}" for name, value in found.banned)
            parts.append(f"<p>Not to be offered: {escape(named)}</p>")
        told = changed(found.before, found.after, catalogue)
        said = "".join(f"<li>{escape(one)}</li>" for one in told)
        parts.append(f"<p><b>What changed on the page</b></p><ul>{said}</ul>")
        parts += [_ranking(found), f"<p><small>{escape(NOTE)}</small></p>"]
        parts.append(found.after._repr_html_())
        return framed("weights", parts, self.source)

    def _widget(self) -> Any:
        """The same drawing under sliders and a menu."""
        from workbench.views.learnt.live import Weighing

        return Weighing(self)


def _attributes(found: Weighed) -> str:
    """A row an attribute: a bar for the weight that was learnt, one for that of now."""
    most = max(found.weights[["learnt", "now"]].abs().to_numpy().max(), 1e-9)
    body = ""
    for one in found.weights.itertuples():
        bars = "".join(bar(weight / most) for weight in (one.learnt, one.now))
        moved = one.learnt != one.now
        now = f'<b style="{NEW}">{one.now:.2f}</b>' if moved else f"{one.now:.2f}"
        cells = f"<td{NUMBER}>{one.learnt:.2f}</td><td{NUMBER}>{now}</td>"
        body += f'<tr><th scope="row"{TEXT}>{escape(one.attribute)}</th>{cells}<td>{bars}</td></tr>'
    names = ("attribute", "learnt", "now", "learnt above, now below")
    head = "".join(f'<th scope="col"{TEXT}>{name}</th>' for name in names)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def bar(share: float) -> str:
    """A bar for a number from −1 to 1; below 0 it is orange."""
    colour = over(BLUE if share >= 0 else ORANGE, 0.65)
    wide = f"width:{12 * abs(share):.2f}em;height:.55em;margin:.1em 0"
    return f'<div style="{wide};{colour}"></div>'


def _ranking(found: Weighed) -> str:
    """The first products, and what was banned of those that were first before."""
    places = found.places
    shown = places.sort_values("after").head(SHOWN)
    rows = [
        {
            "place": f"{one.after}",
            "before": f"{one.before}" if one.before != one.after else "",
            "product": brief(one.title),
            "kind": brief(one.kind),
        }
        for one in shown.dropna(subset="after").itertuples()
    ]
    gone = int(places["after"].isna().sum())
    left = f"{gone} of {len(places)} products are banned" if gone else ""
    said = table(rows) if rows else "<p>Nothing is left to offer.</p>"
    small = f'<p style="{SMALL}">{left}</p>' if left else ""
    return f"<p><b>The ranking</b></p>{said}{small}"
