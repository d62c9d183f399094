"""Small logs that scenarios are drawn from: people with sessions, baskets and actions."""

from functools import cache

import numpy as np
import pandas as pd

from workbench.data import Interactions
from workbench.recommend.tasks import basket_task, collaborative_task, session_task

TASKS = {"collaborative": collaborative_task, "session": session_task, "basket": basket_task}
TOPIC = np.array([3, 8, 9])


@cache
def small_log(seed=0, people=40, items=20, sessions=6):
    """People `u00`, … who come in sessions; half of the rows of a session are bought as a basket."""
    rng = np.random.default_rng(seed)
    weight = 1 / np.arange(1, items + 1)
    lines = []
    for person in range(people):
        for session in range(sessions):
            for step in range(int(rng.integers(2, 7))):
                lines.append((f"u{person:02d}", person * sessions + session, step))
    frame = pd.DataFrame(lines, columns=["user", "session", "step"])
    frame["item"] = rng.choice(items, len(frame), p=weight / weight.sum())
    visit = frame["session"] % sessions * people + frame["session"] // sessions
    frame["time"] = 1_700_000_000 + visit * 5_000 + frame["step"] * 60
    bought = rng.random(len(frame)) < 0.5
    frame["basket"] = frame["session"].where(bought).astype("Int64")
    frame["action"] = np.where(bought, "purchase", "view")
    columns = {name: name for name in ("session", "basket", "action")}
    index = pd.Index(range(items))
    return Interactions.from_table(frame, timestamp="time", items=index, **columns)


@cache
def small_task(kind="collaborative", seed=0):
    """One of the three tasks of it."""
    return TASKS[kind](small_log(seed))
