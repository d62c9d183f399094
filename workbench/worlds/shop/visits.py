"""The visits of the generated world: sessions, funnel, baskets, and the cause of every row."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from workbench.data.catalogue import Catalogue
from workbench.worlds.shop.shop import bank, draw, make_pairs
from workbench.worlds.shop.shoppers import DAYS, Shoppers

START = 1_740_787_200
"""Unix seconds of the first day, 1 March 2025, 00:00 UTC; the log runs `DAYS` days."""
NOISE, OTHER_INTENT, REPEAT = 0.06, 0.22, 0.45
"""Share of noise clicks; of views outside the visit's intent; of a consumable bought again."""


@dataclass
class _Diary:
    """Rows in the making: (time, user, order, item, action, session, cause)."""

    rows: list[tuple] = field(default_factory=list)
    sessions: int = 0

    def visit(
        self, user: int, start: int, steps: list[tuple[int, str, str]], rng: np.random.Generator
    ) -> None:
        """Write one session; `steps` are (item, furthest action, cause). Purchases come last, as
        one basket."""
        time, bought = start, []
        for item, furthest, cause in steps:
            for action in ("view", "favourite", "cart", "purchase"):
                # a cart comes with or without a favourite; a purchase always passes through the
                # cart
                passed = {"view": "", "favourite": "f", "cart": "cp", "purchase": "p"}[action]
                if passed and not set(passed) & set(furthest):
                    continue
                if action == "purchase":
                    bought.append((item, cause))
                    continue
                time += 20 + int(rng.random() * 160)
                self.rows.append((time, user, len(self.rows), item, action, self.sessions, cause))
        for item, cause in bought:
            time += 2
            self.rows.append((time, user, len(self.rows), item, "purchase", self.sessions, cause))
        self.sessions += 1


def make_visits(
    rng: np.random.Generator, catalogue: Catalogue, items: pd.DataFrame, shoppers: Shoppers
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Play eight months of visits; returns the raw log, its causes, and the items that spam pushes.

    Raw log: [user, item, timestamp (Unix s), action, session, basket, value] in time order, so that
    the row's number is its interaction id. Causes: [interaction, cause]. Value: the price paid, on
    purchases.
    """
    diary = _Diary()
    shelf = _Shelf(catalogue, items, shoppers)
    users = shoppers.users
    for user in np.flatnonzero(~users["spam"].to_numpy()):
        _play(rng, diary, shelf, int(user), int(users["drift_day"].iat[user]))
    targets = _spam(rng, diary, items, np.flatnonzero(users["spam"].to_numpy()))
    columns = ["timestamp", "user", "order", "item", "action", "session", "cause"]
    log = (
        pd.DataFrame(diary.rows, columns=columns)
        .sort_values(["timestamp", "order"])
        .reset_index(drop=True)
    )
    bought = log["action"] == "purchase"
    log["session"] = log["session"].map({s: k for k, s in enumerate(log["session"].unique())})
    baskets = {s: k for k, s in enumerate(log.loc[bought, "session"].unique())}
    log["basket"] = log["session"].map(baskets).where(bought).astype("Int64")
    log["value"] = catalogue.frame["price"].to_numpy()[log["item"]]
    log.loc[~bought, "value"] = np.nan
    causes = pd.DataFrame(
        {
            "interaction": np.arange(len(log), dtype="int64"),
            "cause": log["cause"].astype("category"),
        }
    )
    return log.drop(columns=["order", "cause"]), causes, targets


class _Shelf:
    """Where a shopper's hand goes: choices by period, by category, by correlated category."""

    def __init__(self, catalogue: Catalogue, items: pd.DataFrame, shoppers: Shoppers) -> None:
        n_users, n_items = len(shoppers.users), len(items)
        self.choice = {
            p: shoppers.choice[p].to_numpy(dtype=float).reshape(n_users, n_items)
            for p in ("before", "after")
        }
        self.n_items = n_items
        self.category = catalogue.frame["category"].to_numpy()
        self.quality = items["quality"].to_numpy()
        self.price = items["price_z"].to_numpy()
        self.weights = shoppers.users[["weight_price", "weight_quality"]].to_numpy()
        self.consumable = {c["name"] for c in bank("shop")["category"] if c.get("consumable")}
        self.pairs = {row.category: (row.other, row.strength) for row in make_pairs().itertuples()}
        self.expecting = np.isin(np.arange(n_items), catalogue.items_of("Expecting"))

    def pull(self, user: int, item: int) -> float:
        """How far down the funnel an item draws a shopper, 0 to 1."""
        price, quality = self.weights[user]
        return 1.0 / (
            1.0 + np.exp(-2.0 * (quality * self.quality[item] - price * self.price[item]))
        )


def _play(
    rng: np.random.Generator, diary: _Diary, shelf: _Shelf, user: int, drift_day: int
) -> None:
    n_sessions = 7 + int(-11.5 * np.log(1.0 - rng.random() * 0.97))
    hour = 7 + rng.random() * 14
    owned: dict[str, list[int]] = {}
    for day in np.sort(rng.random(n_sessions) * DAYS):
        period = "after" if 0 <= drift_day <= day else "before"
        choice = shelf.choice[period][user]
        fresh = set()
        if period == "after":
            fresh = set(
                shelf.category[(choice > 0.002) & (shelf.choice["before"][user] < 0.3 * choice)]
            )
        intent = str(shelf.category[draw(rng, choice)])
        steps, seen = [], set()
        for _ in range(1 + min(5, int(-1.9 * np.log(1.0 - rng.random())))):
            item, cause = _step(rng, shelf, user, choice, intent, owned, fresh)
            if item in seen:
                continue
            seen.add(item)
            pull = 0.0 if cause == "noise" else shelf.pull(user, item)
            furthest = "v"
            if cause != "noise":
                furthest += "f" if rng.random() < 0.10 + 0.18 * pull else ""
                buys = 0.75 if cause == "repeat" else 0.12 + 0.30 * pull
                if rng.random() < buys:
                    furthest += "p" if rng.random() < 0.68 else "c"
            if "p" in furthest:
                owned.setdefault(str(shelf.category[item]), []).append(item)
            steps.append((item, furthest, cause))
        clock = (hour + 2.0 * (rng.random() - 0.5)) * 3600
        diary.visit(user, START + int(day) * 86400 + int(clock), steps, rng)


def _step(
    rng, shelf: _Shelf, user: int, choice, intent: str, owned: dict, fresh: set
) -> tuple[int, str]:
    """One item looked at, and why."""
    if rng.random() < NOISE:
        return int(rng.random() * shelf.n_items), "noise"
    if intent in shelf.consumable and intent in owned and rng.random() < REPEAT:
        return owned[intent][int(rng.random() * len(owned[intent]))], "repeat"
    other, strength = shelf.pairs.get(intent, ("", 0.0))
    if rng.random() < strength:
        near = (shelf.category == other) * (choice + 1e-4)
        if intent == "Baby & pregnancy":
            # what a pregnancy brings is not any vitamin
            near = near * np.where(shelf.expecting, 6.0, 1.0)
        return draw(rng, near), "correlated"
    item = draw(rng, choice if rng.random() < OTHER_INTENT else choice * (shelf.category == intent))
    return item, "drift" if shelf.category[item] in fresh else "interest"


def _spam(
    rng: np.random.Generator, diary: _Diary, items: pd.DataFrame, accounts: np.ndarray
) -> pd.DataFrame:
    """Bandwagon: each account looks at popular items and buys its campaign's three unpopular ones
    again and again."""
    order = np.argsort(items["popularity"].to_numpy(), kind="stable")
    popular, rows = order[-20:], []
    for number, user in enumerate(accounts):
        campaign = number % 2
        targets = order[5 + 3 * campaign : 8 + 3 * campaign]
        rows += [(campaign, int(item), int(user)) for item in targets]
        first = 20 + int(rng.random() * 160)
        for visit in range(8):
            steps = [(int(popular[int(rng.random() * 20)]), "v", "spam") for _ in range(3)]
            steps += [(int(item), "p" if rng.random() < 0.6 else "v", "spam") for item in targets]
            start = START + (first + visit * 2) * 86400 + int(rng.random() * 80000)
            diary.visit(int(user), start, steps, rng)
    return pd.DataFrame(rows, columns=["campaign", "item", "user"]).astype(
        {"item": "int32", "user": "int32"}
    )
