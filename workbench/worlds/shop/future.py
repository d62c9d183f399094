"""The ceiling: the world's own generator, with the true weights, from what the log shows so far.

Nothing that a log does not hold is used beside the weights: what was bought, and what was left in
a cart. Why it was left is drawn anew, as a wish's reason depends on nothing but the product left
and the shopper's weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from workbench.errors import UnknownUser
from workbench.worlds.shop.playing import play
from workbench.worlds.shop.shelf import Left, Shelf, State, Visit
from workbench.worlds.shop.visits import START

if TYPE_CHECKING:
    from workbench.worlds.shop.world import World


def day_of(times: pd.Series) -> np.ndarray:
    """Days since the log began."""
    return ((times - pd.Timestamp(START, unit="s", tz="UTC")).dt.days).to_numpy()


def state_of(shelf: Shelf, rows: pd.DataFrame, day: int) -> State:
    """What one shopper's rows [item, action, session, timestamp] show on a day: bought and left.

    A product left in the cart opens a wish, unless its kind has one; a purchase in the kind ends
    it, and so does time.
    """
    state = State(shelf)
    rows = rows.assign(day=day_of(rows["timestamp"]))
    for _, visit in rows.sort_values("position").groupby("session", sort=False):
        today = int(visit["day"].iloc[0])
        state.lapse(today)
        bought = visit.loc[visit["action"] == "purchase", "item"].tolist()
        carts = visit.loc[visit["action"] == "cart", "item"].tolist()
        for item in bought:
            state.buy(item, today)
        for item in carts:
            if item not in bought:
                state.leave(Left(item, today, None))
    state.lapse(day)
    return state


def next_visits(world: World, user: int, session: int, n: int = 400, seed: int = 0) -> list[Visit]:
    """`n` visits that this shopper might have made instead of `session`, each from the rows before
    it and on its day. Raises `UnknownUser` for a spam account or a session of somebody else.

    >>> next_visits(load_world(), 310, 4000, n=1)[0].aim  # doctest: +SKIP
    """
    rows = world.log.rows_of(user)
    asked = rows[rows["session"] == session]
    if asked.empty or world.truth["users"]["spam"].iat[user]:
        what = f"shopper {user} made no visit {session}"
        raise UnknownUser(what, "session", "a session of this shopper, no spam account")
    day = int(day_of(asked["timestamp"])[0])
    before = rows[rows["position"] < asked["position"].min()]
    state = state_of(world.shelf, before, day)
    rng = np.random.default_rng([seed, user, session])
    return [play(rng, world.shelf, user, day, state) for _ in range(n)]


def next_purchases(
    world: World, user: int, session: int, n: int = 400, seed: int = 0
) -> np.ndarray:
    """How often each product is bought in `n` visits as in `next_visits`, a visit: (n_items,).

    A ranking by it is the ceiling for the purchases of `session`: no method that reads the log
    can do better but by luck.
    """
    visits = next_visits(world, user, session, n, seed)
    bought = [item for visit in visits for item in visit.bought]
    return np.bincount(bought, minlength=world.log.n_items) / n
