"""Buttons of the page: what a shopper says about a product, as rows of the log.

A press is an interaction with an id, a time and a lineage of its own, so that *Forget* takes it back
as any other row. It is no sign of interest: `Interactions.deeds`, from which histories, counts,
splits and models are made, holds none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from workbench.data.catalogue import Catalogue
    from workbench.data.interactions import Interactions

BUTTONS = {"dislike": "not for me", "owned": "have it already", "budget": "cheaper, please"}
"""Actions that are presses, and what their buttons say."""


def without_presses(log: Interactions) -> Interactions:
    """The log without presses, and without their names among its actions; itself where it knows
    none."""
    known = log.frame["action"].cat.categories.intersection(BUTTONS)
    if not len(known):
        return log
    kept = log.select(~log.frame["action"].isin(known)).frame
    return log.of_rows(kept.assign(action=kept["action"].cat.remove_categories(known)))


def kept_out(log: Interactions, catalogue: Catalogue) -> set[tuple[int, int]]:
    """(user, item) that presses keep from being offered: the product itself, and of *cheaper,
    please* everything of its kind that costs as much or more."""
    if log.deeds is log:
        return set()
    rows = log.frame[log.frame["action"].isin(BUTTONS)]
    price, kind = catalogue.frame["price"].to_numpy(), catalogue.kind
    out = set(zip(rows["user"], rows["item"], strict=True))
    rows = rows[rows["action"] == "budget"]
    for user, item in zip(rows["user"], rows["item"], strict=True):
        dear = (kind == kind[item]) & (kind != "") & (price >= price[item])
        out.update((user, other) for other in np.flatnonzero(dear))
    return out


def too_dear(log: Interactions, catalogue: Catalogue, user: int) -> int:
    """What a user code asked for something *cheaper* than, since they last did anything: of several
    products the one that costs least; −1 for none, or where no price is known."""
    own = log.rows_of(user)
    pressed = own["action"].isin(BUTTONS).to_numpy()
    since = np.arange(len(own)) > np.flatnonzero(~pressed).max(initial=-1)
    asked = own["item"].to_numpy()[since & (own["action"] == "budget").to_numpy()]
    price = catalogue.frame["price"].to_numpy()[asked]
    return int(asked[np.nanargmin(price)]) if np.isfinite(price).any() else -1
