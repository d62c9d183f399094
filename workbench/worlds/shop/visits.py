"""The log of the generated world: who visits when, the visits in order, and the truth about them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from workbench.worlds.shop.playing import play
from workbench.worlds.shop.shelf import LAPSE, Left, Shelf, State, Visit
from workbench.worlds.shop.shop import below
from workbench.worlds.shop.shoppers import DAYS

START = 1_740_787_200
"""Unix seconds of the first day, 1 March 2025, 00:00 UTC; the log runs `DAYS` days."""
LOG = ["timestamp", "user", "order", "item", "action", "session", "cause"]
VISITS = ["session", "user", "aim", "category", "kind", "target", "outcome"]


@dataclass
class _Wish:
    """A wish: whose it is, what it is told by, and what came of it; sessions by number."""

    user: int
    kind: str
    told: str
    left: int
    opened: int
    visits: int = 0
    bought: int = -1
    closed: int = -1
    outcome: str = ""


@dataclass
class _Diary:
    """What happened, in the making: rows of the log, visits, and wishes, sessions by number."""

    shelf: Shelf
    rows: list[tuple] = field(default_factory=list)
    visits: list[tuple] = field(default_factory=list)
    wishes: list[_Wish] = field(default_factory=list)

    def write(self, rng: np.random.Generator, user: int, start: int, visit: Visit) -> None:
        """One session; a purchase follows another at once."""
        time, session = start, len(self.visits)
        for item, action, cause in visit.rows:
            time += 2 if action == "purchase" else 20 + below(rng, 160)
            self.rows.append((time, user, len(self.rows), item, action, session, cause))
        names = self.shelf.names[visit.kind]
        self.visits.append((session, user, visit.aim, *names, visit.target, visit.outcome))

    def open(self, user: int, left: Left) -> _Wish:
        """A new wish, for something else than what was left in the last session."""
        kind = self.shelf.kinds[self.shelf.kind[left.item]]
        told = [*self.shelf.attributes, "price"][left.reason]
        lapses = DAYS - 1 - left.day > LAPSE
        wish = _Wish(user, kind, told, left.item, len(self.visits) - 1)
        wish.outcome = "lapsed" if lapses else "open"
        self.wishes.append(wish)
        return wish


def make_visits(
    rng: np.random.Generator, shelf: Shelf, users: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Play eight months of visits; returns the raw log and the truth about it.

    Raw log: [user, item, timestamp (Unix s), action, session, basket, value] in time order, so that
    the row's number is its interaction id. Truth: causes, visits, wishes, spam_targets. Value: the
    price paid, on purchases.
    """
    diary = _Diary(shelf)
    spam = users["spam"].to_numpy()
    for user in np.flatnonzero(~spam):
        _live(rng, diary, shelf, int(user))
    targets = _spam(rng, diary, shelf, np.flatnonzero(spam))
    # rows in the order of time; sessions and baskets numbered as they begin
    log = pd.DataFrame(diary.rows, columns=LOG).sort_values(["timestamp", "order"])
    log = log.reset_index(drop=True)
    log["session"], sessions = pd.factorize(log["session"])
    bought = log["action"] == "purchase"
    baskets = pd.factorize(log["session"].where(bought))[0]  # -1 where nothing was bought
    log["basket"] = pd.Series(baskets, dtype="Int64").where(bought)
    log["value"] = np.where(bought, shelf.price[log["item"]], np.nan)
    causes = pd.DataFrame({"interaction": log.index, "cause": log["cause"].astype("category")})
    number = np.append(np.argsort(sessions), -1)
    visits = pd.DataFrame(diary.visits, columns=VISITS)
    visits["session"] = number[visits["session"]]
    visits = visits.sort_values("session", ignore_index=True)
    wishes = pd.DataFrame(diary.wishes)
    wishes.insert(0, "wish", np.arange(len(wishes)))
    for name in ("opened", "closed"):
        wishes[name] = number[wishes[name]]
    truth = {"causes": causes, "visits": _small(visits), "wishes": _small(wishes)}
    return log.drop(columns=["order", "cause"]), truth | {"spam_targets": targets}


def _live(rng: np.random.Generator, diary: _Diary, shelf: Shelf, user: int) -> None:
    """All visits of one shopper: at most one a day, at about the same hour."""
    n = 7 + int(-9.0 * np.log(1.0 - rng.random() * 0.97))
    hour = 7 + rng.random() * 14
    state, open_ = State(shelf), {}
    for day in np.sort(rng.permutation(DAYS)[:n]).tolist():
        state.lapse(day)
        visit = play(rng, shelf, user, day, state)
        clock = (hour + 2.0 * (rng.random() - 0.5)) * 3600
        diary.write(rng, user, START + day * 86400 + int(clock), visit)
        # the wish that this visit is for, and the wish that it opens
        if visit.aim == "wish":
            wish = open_[visit.kind]
            wish.visits += 1
            if visit.bought:
                wish.bought = visit.target
                wish.closed = len(diary.visits) - 1
                wish.outcome = "fulfilled"
        if visit.left is not None:
            open_[visit.kind] = diary.open(user, visit.left)
        state.after(visit, day)


def _spam(
    rng: np.random.Generator, diary: _Diary, shelf: Shelf, accounts: np.ndarray
) -> pd.DataFrame:
    """Bandwagon: each account looks at popular items and buys its campaign's three unpopular ones
    again and again."""
    order = np.argsort(shelf.popularity, kind="stable")
    popular, rows = order[-20:], []
    for number, user in enumerate(accounts):
        campaign = number % 2
        targets = order[5 + 3 * campaign : 8 + 3 * campaign]
        rows += [(campaign, int(item), int(user)) for item in targets]
        first = 20 + below(rng, 160)
        for round_ in range(8):
            looks = [int(popular[below(rng, 20)]) for _ in range(3)]
            bought = [int(item) for item in targets if rng.random() < 0.6]
            visit = Visit("spam", outcome="bought" if bought else "browsing")
            visit.rows = [(item, "view", "spam") for item in [*looks, *targets.tolist()]]
            for action in ("cart", "purchase"):
                visit.rows += [(item, action, "spam") for item in bought]
            start = START + (first + round_ * 2) * 86400 + below(rng, 80000)
            diary.write(rng, int(user), start, visit)
    return _small(pd.DataFrame(rows, columns=["campaign", "item", "user"]))


def _small(table: pd.DataFrame) -> pd.DataFrame:
    """The same table with 32-bit codes."""
    codes = {name: "int32" for name in table.columns if table[name].dtype.kind in "iu"}
    return table.astype(codes)
