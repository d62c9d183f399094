"""The forget screen of a large shop: how long it takes to open, to answer, and what it holds.

    python benchmarks/large.py [--users 5000 --items 2000 --rows 60]

Shoppers with three tastes each, drawn at random: sizes as in a shop, no truth planted. Goals: the
screen opens in 3 s, the request is answered in 1 s (its controls follow), and memory does not grow
with the shoppers looked at. Writes `benchmarks/results/large.md`.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from workbench.data import Catalogue, Interactions
from workbench.ledger import Service
from workbench.recommend import EASE
from workbench.settings import ROOT
from workbench.views import Screen

TOPIC = 50
"""Products of a topic."""
LOOKED_AT = 200


def shop(users: int, items: int, rows: int) -> tuple[Interactions, Catalogue]:
    """A log and its catalogue, drawn with seed 0."""
    random = np.random.default_rng(0)
    n = users * rows
    user = np.repeat(np.arange(users), rows)
    topics = items // TOPIC
    taste = random.integers(0, topics, (users, 3))[user, random.integers(0, 3, n)]
    liked = taste * TOPIC + (random.random(n) ** 2 * TOPIC).astype(int)
    popular = random.permutation(1 / np.arange(1, items + 1) ** 0.5)
    other = random.choice(items, n, p=popular / popular.sum())
    seconds = pd.to_timedelta(random.integers(0, 10**7, n), unit="s")
    frame = pd.DataFrame(
        {
            "user": user,
            "item": np.where(random.random(n) < 0.7, liked, other),
            "time": pd.Timestamp("2026-01-01") + seconds,
            "action": random.choice(["view", "cart", "purchase"], n, p=[0.8, 0.1, 0.1]),
        }
    )
    indexes = {"users": pd.Index(range(users)), "items": pd.Index(range(items))}
    log = Interactions.from_table(frame, timestamp="time", action="action", **indexes)
    table = pd.DataFrame({"item": np.arange(items)})
    table["title"] = [f"Product {item}" for item in range(items)]
    table["category"] = [f"Category {item // TOPIC}" for item in range(items)]
    table["kind"] = [f"kind {item // 4}" for item in range(items)]
    table["price"] = random.gamma(3, 10, items).round(2)
    table["rating"] = random.uniform(1, 5, items).round(1)
    topic = table[["item"]].assign(topic=[f"Topic {item // TOPIC}" for item in range(items)])
    return log, Catalogue.from_table(table, topics=topic)


def resident() -> float:
    """Megabytes that this process holds now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def seconds(work: Callable[[], Any]) -> tuple[Any, float]:
    """What the work gives, and how long it takes."""
    begin = time.perf_counter()
    found = work()
    return found, time.perf_counter() - begin


def main() -> None:
    """Build, open, press, look at many, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=5_000)
    parser.add_argument("--items", type=int, default=2_000)
    parser.add_argument("--rows", type=int, default=60)
    asked = parser.parse_args()
    log, catalogue = shop(asked.users, asked.items, asked.rows)
    service, built = seconds(lambda: Service.build(log, catalogue, EASE()))
    _, opened = seconds(lambda: Screen(service, 3, "Topic 5").state)
    later, answers, controls, held = [], [], [], {}
    for user in range(10, 10 + LOOKED_AT):
        screen = Screen(service, user, "Topic 5")
        later.append(seconds(lambda screen=screen: screen.state)[1])
        ids = log.rows_of(user)["interaction"].tolist()[:8]
        steps = screen.steps({"interactions": ids})
        answers.append(seconds(lambda steps=steps: next(steps))[1])
        controls.append(seconds(lambda steps=steps: list(steps))[1])
        held[user - 9] = resident()
    shown = {
        "building the service (EASE is fitted)": f"{built:.2f} s",
        "opening the first screen": f"{opened:.2f} s (goal: 3)",
        "opening another": f"median {np.median(later):.2f} s, slowest {max(later):.2f} s",
        "a request's own answer": f"median {np.median(answers):.2f} s, slowest "
        f"{max(answers):.2f} s (goal: 1)",
        "its six controls, which follow": f"median {np.median(controls):.2f} s",
        "memory after 50, 100, 200 shoppers": ", ".join(f"{held[n]:.0f}" for n in (50, 100, 200))
        + " MB",
    }
    lines = ["| what | measured |", "|---|---|"]
    lines += [f"| {what} | {value} |" for what, value in shown.items()]
    text = f"""# The forget screen of a large shop

Made by `python benchmarks/large.py`. {asked.users:,} shoppers, {asked.items:,} products, {len(log):,} rows, drawn at
random; EASE; {LOOKED_AT} shoppers looked at, one request of eight rows each.

{chr(10).join(lines)}

{datetime.date.today()}: {os.cpu_count()} cores, {platform.machine()}.
"""
    (ROOT / "benchmarks" / "results" / "large.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
