"""The log of the generated world: who visits when, the visits in order, and the truth about them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from workbench.worlds.shop.playing import play
from workbench.worlds.shop.shelf import LAPSE, Left, Shelf, State, Visit
from workbench.worlds.shop.shoppers import DAYS

START = 1_740_787_200
"""Unix seconds of the first day, 1 March 2025, 00:00 UTC; the log runs `DAYS` days."""
LOG = ["timestamp", "user", "order", "item", "action", "session", "cause"]
VISITS = ["session", "user", "aim", "kind", "target", "outcome"]
WISHES = ["user", "kind", "told", "left", "opened", "visits", "bought", "closed", "outcome"]


@dataclass
class _Diary:
    """What happened, in the making: rows of the log, visits, and wishes, sessions by number."""

    rows: list[tuple] = field(default_factory=list)
    visits: list[tuple] = field(default_factory=list)
    wishes: list[list] = field(default_factory=list)

    def write(self, rng: np.random.Generator, user: int, start: int, visit: Visit) -> None:
        """One session; a purchase follows another at once."""
        time, session = start, len(self.visits)
        for item, action, cause in visit.rows:
            time += 2 if action == "purchase" else 20 + int(rng.random() * 160)
            self.rows.append((time, user, len(self.rows), item, action, session, cause))
        self.visits.append((session, user, visit.aim, visit.kind, visit.target, visit.outcome))

    def open(self, user: int, kind: int, left: Left) -> int:
        """A new wish: its number."""
        session = len(self.visits) - 1
        self.wishes.append([user, kind, left.reason, left.item, session, 0, -1, -1, left.day])
        return len(self.wishes) - 1


def make_visits(
    rng: np.random.Generator, shelf: Shelf, users: pd.DataFrame, prices: np.ndarray
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Play eight months of visits; returns the raw log and the truth about it.

    Raw log: [user, item, timestamp (Unix s), action, session, basket, value] in time order, so that
    the row's number is its interaction id. Truth: causes, visits, wishes, spam_targets. Value: the
    price paid, on purchases.
    """
    diary = _Diary()
    spam = users["spam"].to_numpy()
    for user in np.flatnonzero(~spam):
        _live(rng, diary, shelf, int(user))
    targets = _spam(rng, diary, shelf, np.flatnonzero(spam))
    # rows in the order of time; sessions and baskets numbered as they begin
    log = pd.DataFrame(diary.rows, columns=LOG).sort_values(["timestamp", "order"])
    log = log.reset_index(drop=True)
    sessions = pd.Series(log["session"].unique())
    number = pd.Series(sessions.index, index=sessions)
    log["session"] = number[log["session"]].to_numpy()
    bought = log["action"] == "purchase"
    baskets = pd.Series(log.loc[bought, "session"].unique())
    baskets = pd.Series(baskets.index, index=baskets)
    log["basket"] = log["session"].map(baskets).where(bought).astype("Int64")
    log["value"] = np.where(bought, prices[log["item"]], np.nan)
    causes = log["cause"].astype("category")
    truth = {
        "causes": pd.DataFrame({"interaction": np.arange(len(log)), "cause": causes}),
        "visits": _visits(diary, shelf, number),
        "wishes": _wishes(diary, shelf, number),
        "spam_targets": targets,
    }
    return log.drop(columns=["order", "cause"]), truth


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
            wish = diary.wishes[open_[visit.kind]]
            wish[5] += 1
            if visit.bought:
                wish[6] = visit.target
                wish[7] = len(diary.visits) - 1
        if visit.left is not None:
            open_[visit.kind] = diary.open(user, visit.kind, visit.left)
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
        first = 20 + int(rng.random() * 160)
        for round_ in range(8):
            looks = [int(popular[int(rng.random() * 20)]) for _ in range(3)]
            bought = [int(item) for item in targets if rng.random() < 0.6]
            visit = Visit("spam", -1, -1, outcome="bought" if bought else "browsing")
            for action, items in (
                ("view", [*looks, *targets.tolist()]),
                ("cart", bought),
                ("purchase", bought),
            ):
                visit.rows += [(item, action, "spam") for item in items]
            start = START + (first + round_ * 2) * 86400 + int(rng.random() * 80000)
            diary.write(rng, int(user), start, visit)
    return _small(pd.DataFrame(rows, columns=["campaign", "item", "user"]))


def _visits(diary: _Diary, shelf: Shelf, number: pd.Series) -> pd.DataFrame:
    """Truth about visits, [session, user, aim, category, kind, target, outcome], by session."""
    table = pd.DataFrame(diary.visits, columns=VISITS)
    table["session"] = number[table["session"]].to_numpy()
    table = table.sort_values("session").reset_index(drop=True)
    kinds = np.array([*shelf.kinds, ""])
    first = np.array([own[0] for own in shelf.members])
    categories = np.array([*np.array(shelf.categories)[shelf.category[first]], ""])
    table.insert(3, "category", categories[table["kind"]])
    table["kind"] = kinds[table["kind"]]
    return _small(table)


def _wishes(diary: _Diary, shelf: Shelf, number: pd.Series) -> pd.DataFrame:
    """Truth about wishes, [wish, user, kind, told, left, opened, visits, bought, closed,
    outcome]."""
    table = pd.DataFrame(diary.wishes, columns=WISHES)
    end = table.pop("outcome")
    table["kind"] = np.array(shelf.kinds)[table["kind"].astype(int)]
    table["told"] = np.array([*shelf.attributes, "price"])[table["told"].astype(int)]
    for name in ("opened", "closed"):
        known = table[name] >= 0
        table.loc[known, name] = number[table.loc[known, name]].to_numpy()
    open_ = np.where(DAYS - 1 - end > LAPSE, "lapsed", "open")
    table["outcome"] = np.where(table["closed"] >= 0, "fulfilled", open_)
    table.insert(0, "wish", np.arange(len(table)))
    return _small(table)


def _small(table: pd.DataFrame) -> pd.DataFrame:
    """The same table with 32-bit codes."""
    codes = {name: "int32" for name in table.columns if table[name].dtype.kind in "iu"}
    return table.astype(codes)
