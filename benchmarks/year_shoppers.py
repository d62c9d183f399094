"""A year of shoppers by rule, who grow tired, give instructions and ask for deletions.

    visit:     served ten products, pleased when one of them is wanted; then the visit they came for
    tired:     after `patience` displeased visits more than pleased ones: first an instruction, "less
               of what fills my list", then a month away
    asking:    a deletion of everything on their topic, at a visit that touched it, with a planted
               chance; nobody, once, or twice, by lot

After RecoWorld (a simulated shopper instructs instead of leaving); rules in place of a language
model, and deletions, are ours. Who asks is drawn by lot, so that those who ask and those who do not
are alike in all else. The shop is handed in: here nothing is recommended and nothing is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol

import numpy as np
import pandas as pd
from pydantic import AfterValidator, Field, PositiveInt

from workbench.settings import Frozen
from workbench.worlds.shop.playing import play
from workbench.worlds.shop.shelf import State
from workbench.worlds.shop.world import World

ARMS = ("never", "once", "twice")
MONTH = 30


def _in_order(ends: tuple[float, float]) -> tuple[float, float]:
    """Least and most, the least first."""
    if ends[0] > ends[1]:
        raise ValueError("the least is more than the most")
    return ends


Chance = Annotated[float, Field(gt=0, le=1)]


class YearConfig(Frozen):
    """How long, and of what temper the shoppers are."""

    months: int = Field(default=12, ge=1)
    """Months of thirty days."""
    visit: Annotated[tuple[Chance, Chance], AfterValidator(_in_order)] = (0.05, 0.2)
    """Chance of a visit on a day, least and most; between them evenly by logarithm."""
    patience: Annotated[tuple[PositiveInt, PositiveInt], AfterValidator(_in_order)] = (3, 6)
    """Displeased visits until a shopper is tired, least and most."""
    wanted: float = Field(default=0.2, gt=0, lt=1)
    """Share of the products that a shopper wants most: one of them in the list pleases."""
    regret: float = Field(default=0.15, ge=0, le=1)
    """Chance to ask for a deletion at a visit that touched the topic, for who is to ask."""
    first: int = Field(default=90, ge=0)
    """The day from which somebody may ask."""
    again: int = Field(default=60, ge=1)
    """Days after which who is to ask twice may ask again."""
    seed: int = Field(default=1, ge=0)
    """Of visits, tempers and lots."""


class Shop(Protocol):
    """What a year needs of a shop; users and items by code."""

    def serve(self, user: int) -> np.ndarray:
        """Ten products, or fewer."""

    def learn(self, rows: list[tuple[int, int, str, int]]) -> None:
        """What happened: user, item, action, day."""

    def less(self, user: int, item: int) -> None:
        """An instruction: less of what this product is."""

    def forget(self, user: int, topic: str) -> int:
        """Everything of the shopper on a topic; how many rows went."""

    def knows(self, user: int, topic: str) -> dict[str, float]:
        """What it knows of the shopper and a topic, by measure."""


@dataclass
class Temper:
    """A shopper's rules and mood: arm, topic, how often they come, how long they bear it."""

    user: int
    arm: str
    topic: str
    visits: float
    patience: int
    state: State = field(repr=False)
    tired: int = 0
    told: bool = False
    away: int = -1
    asked: list[int] = field(default_factory=list)
    seen: list[bool] = field(default_factory=list)
    made: int = 0

    def asks(self, day: int, config: YearConfig) -> bool:
        """Whether this is somebody who may ask for a deletion on the day."""
        if len(self.asked) >= ARMS.index(self.arm) or day < config.first:
            return False
        return not self.asked or day - self.asked[-1] >= config.again


@dataclass(frozen=True)
class Year:
    """What happened.

    months: [user, arm, topic, month, asked, pleased, tired, made, …] at the end of each month, with
    what the shop knew; pleased: share of the month's visits, NaN without one; made: rows ever made on
    the topic. requests: [user, arm, day, what, rows]; what: "less" or "forget".
    """

    months: pd.DataFrame
    requests: pd.DataFrame


def live(world: World, shop: Shop, config: YearConfig | None = None) -> Year:
    """Let the real shoppers of a world live a year with a shop that begins with nothing.

    >>> live(generate(ShopConfig(shoppers=44, texts=0)), shop).months  # doctest: +SKIP
    """
    config = config or YearConfig()
    lots = np.random.default_rng([config.seed, 0])
    people = tempers(world, lots, config)
    rngs = {one.user: np.random.default_rng([config.seed, 1, one.user]) for one in people}
    months, requests = [], []
    for day in range(config.months * MONTH):
        for one in people:
            requests += _day(world, shop, one, day, rngs[one.user], config)
        if (day + 1) % MONTH == 0:
            months += [_line(shop, one, (day + 1) // MONTH) for one in people]
    columns = ["user", "arm", "day", "what", "rows"]
    return Year(pd.DataFrame(months), pd.DataFrame(requests, columns=columns))


def tempers(world: World, lots: np.random.Generator, config: YearConfig) -> list[Temper]:
    """The real shoppers, their arms by lot, their topic the category that they like most."""
    spam = world.truth["users"]["spam"].to_numpy()
    real = np.flatnonzero(~spam)
    liked = world.truth["interests"].query("period == 'before'")
    topic = liked.loc[liked.groupby("user")["weight"].idxmax()].set_index("user")["category"]
    arms = lots.permutation(np.resize(np.arange(len(ARMS)), len(real)))
    low, high = np.log(config.visit)
    found = []
    for user, arm in zip(real.tolist(), arms, strict=True):
        visits = float(np.exp(low + (high - low) * lots.random()))
        least, most = config.patience
        patience = least + int(lots.random() * (most - least + 1))
        state = State(world.shelf)
        found.append(Temper(user, ARMS[arm], topic[user], visits, patience, state))
    return found


def _day(
    world: World, shop: Shop, one: Temper, day: int, rng: np.random.Generator, config: YearConfig
) -> Iterator[tuple]:
    """A day of one shopper: mostly nothing, else a visit, and what they say at its end."""
    # the same draws whatever the shop does: two shops are compared on the same days
    comes, regrets, seed = rng.random(), rng.random(), int(rng.integers(2**31))
    one.state.lapse(day)
    if day < one.away or comes > one.visits:
        return
    shelf, own = world.shelf, np.random.default_rng(seed)
    drifted = 0 <= shelf.drift_day[one.user] <= day
    choice = shelf.choice["after" if drifted else "before"][one.user] * one.state.factor
    listed = np.asarray(shop.serve(one.user), dtype=int)
    wanted = listed[choice[listed] > np.quantile(choice, 1 - config.wanted)]
    rows = [(one.user, int(item), "view", day) for item in wanted[:1]]
    visit = play(own, shelf, one.user, day, one.state)
    rows += [(one.user, int(item), action, day) for item, action, _ in visit.rows]
    one.state.after(visit, day)
    shop.learn(rows)
    # the mood after it
    one.seen.append(bool(len(wanted)))
    one.tired = max(one.tired + (-1 if len(wanted) else 1), 0)
    categories = [shelf.categories[shelf.category[item]] for _, item, _, _ in rows]
    one.made += categories.count(one.topic)
    if one.topic in categories and one.asks(day, config) and regrets < config.regret:
        one.asked.append(day)
        yield one.user, one.arm, day, "forget", shop.forget(one.user, one.topic)
    if one.tired >= one.patience:
        one.tired = 0
        if one.told or not len(listed):
            one.away = day + MONTH
        else:
            one.told = True
            most = np.bincount(shelf.category[listed]).argmax()
            item = int(listed[shelf.category[listed] == most][0])
            shop.less(one.user, item)
            yield one.user, one.arm, day, "less", 0


def _line(shop: Shop, one: Temper, month: int) -> dict[str, Any]:
    """A shopper at the end of a month."""
    pleased = float(np.mean(one.seen)) if one.seen else np.nan
    one.seen = []
    line = {"user": one.user, "arm": one.arm, "topic": one.topic, "month": month}
    line |= {"asked": len(one.asked), "pleased": pleased, "tired": one.tired, "made": one.made}
    return line | shop.knows(one.user, one.topic)
