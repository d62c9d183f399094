"""Small random shops: logs with repeated rows, several topics an item, unknown prices and ratings, and
shoppers without rows."""

import numpy as np
import pandas as pd

from workbench.data import FUNNEL, Catalogue, Interactions

TOPICS = ("tea", "horror", "garden", "tools", "gift")


def shop(seed, n_users=12, n_items=15, n_rows=120, unknown_prices=True, kinds=False):
    rng = np.random.default_rng(seed)
    users, items = (
        pd.Index([f"u{u}" for u in range(n_users)]),
        pd.Index([f"i{i}" for i in range(n_items)]),
    )
    table = pd.DataFrame(
        {
            "user": users[rng.integers(0, max(n_users - 1, 1), n_rows)],  # the last user has no row
            "item": items[rng.integers(0, n_items, n_rows)],
            "timestamp": rng.integers(1_600_000_000, 1_600_900_000, n_rows),
            "action": rng.choice(list(FUNNEL), n_rows),
            "basket": rng.integers(0, n_rows // 3, n_rows),
            "interaction": rng.permutation(n_rows) + 1000,
        }
    )
    names = {name: name for name in ("timestamp", "action", "basket", "interaction")}
    log = Interactions.from_table(table, users=users, items=items, **names)
    price = np.round(rng.uniform(2, 60, n_items), 2)
    price[rng.random(n_items) < (0.2 if unknown_prices else 0.0)] = np.nan
    frame = pd.DataFrame(
        {
            "item": np.arange(n_items),
            "title": [f"Thing {i}" for i in range(n_items)],
            "price": price,
        }
    )
    frame["category"] = rng.choice(TOPICS[:4], n_items)
    frame["brand"] = rng.choice(["Ash", "Birch", ""], n_items)
    frame["rating"] = np.round(rng.uniform(2, 5, n_items), 1)
    frame.loc[rng.random(n_items) < 0.1, "rating"] = np.nan
    if kinds:
        frame["kind"] = frame["category"] + rng.choice([" of a kind", " of another"], n_items)
    extra = pd.DataFrame({"item": rng.integers(0, n_items, 6), "topic": "gift"})
    return log, Catalogue.from_table(frame, extra)
