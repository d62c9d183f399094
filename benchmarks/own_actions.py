"""EASE + own actions beside EASE and own actions alone: the next purchase on the shipped world.

    python benchmarks/own_actions.py

Protocol of `world.py`: the purchases of every shopper's last visit with a purchase, from the rows
strictly before it, among all products; *novel*: products touched before are masked and are no targets.
`share` was chosen among five on the visit with a purchase before that one. Seconds. Writes
`benchmarks/results/own_actions.csv` and `.md`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from boomerang import RESULTS, markdown
from world import Asked, last_purchases, measure

from workbench.data import load_world
from workbench.recommend import EASE, OwnActions, OwnActionsConfig
from workbench.statistics import bootstrap_mean

SHARES = (0.01, 0.03, 0.1, 0.3, 1.0)
BASE = "EASE + own actions"


def scores_of(asked: Asked) -> dict[str, np.ndarray]:
    """Scores of the three, (users, items)."""
    histories = asked.train.histories(asked.users)
    both, ease = (kind().fit(asked.train).score(histories) for kind in (OwnActions, EASE))
    bought = asked.train.frame.loc[asked.train.frame["action"] == "purchase", "item"]
    popular = np.bincount(bought, minlength=asked.train.n_items) / len(bought)
    # what one never touched goes by popularity
    return {BASE: both, "EASE": ease, "own actions": both - ease + 1e-6 * popular}


def table_of(asked: Asked) -> pd.DataFrame:
    """[model, targets, measure, value, low, high, less, less_low, less_high, shoppers]; less: what
    EASE + own actions has more, paired by shopper."""
    rows = []
    scores = scores_of(asked)
    for targets in ("all", "novel"):
        found = {name: measure(s, asked, targets == "novel") for name, s in scores.items()}
        for name, part in found.items():
            for what in ("ndcg", "recall"):
                apart = found[BASE][what] - part[what]
                own, less = bootstrap_mean(part[what]), bootstrap_mean(apart, shares=False)
                rows.append((name, targets, what, *own, *less, len(part)))
    columns = ["model", "targets", "measure", "value", "low", "high"]
    columns += ["less", "less_low", "less_high", "shoppers"]
    return pd.DataFrame(rows, columns=columns)


def chosen(inner: Asked) -> pd.DataFrame:
    """NDCG@10 by share, on the visit before."""
    rows = []
    histories = inner.train.histories(inner.users)
    for share in SHARES:
        model = OwnActions(OwnActionsConfig(share=share)).fit(inner.train)
        rows.append((share, measure(model.score(histories), inner, novel=False)["ndcg"].mean()))
    return pd.DataFrame(rows, columns=["share", "ndcg"])


def page(table: pd.DataFrame, shares: pd.DataFrame, n: int) -> str:
    """The results as Markdown."""
    lines: dict[str, dict] = {}
    for r in table.itertuples():
        cell = f"{r.value:.3f} [{r.low:.3f}, {r.high:.3f}]"
        if r.model != BASE:
            cell += f"; {BASE} {r.less:+.3f} [{r.less_low:+.3f}, {r.less_high:+.3f}]"
        at = {"ndcg": "NDCG@10", "recall": "Recall@5"}[r.measure]
        lines.setdefault(r.model, {"": r.model})[f"{r.targets}: {at} ({r.shoppers})"] = cell
    tried = shares.assign(ndcg=shares["ndcg"].map("{:.3f}".format)).astype(str)
    text = ["# EASE + own actions", "", "Made by `python benchmarks/own_actions.py`.", ""]
    text += [
        "The next purchase on the shipped, generated world; 95 % of resampled shoppers, and the"
    ]
    text += ["paired difference of EASE + own actions. On products never touched it is EASE.", ""]
    text += [markdown(pd.DataFrame(lines.values())), ""]
    text += [f"`share` was chosen on the visit with a purchase before ({n} shoppers), NDCG@10:", ""]
    return "\n".join([*text, markdown(tried)]) + "\n"


def main() -> None:
    """Measure, write the page, print it."""
    world = load_world()
    asked = last_purchases(world)
    inner = last_purchases(replace(world, log=asked.train))
    table = table_of(asked)
    table.to_csv(RESULTS / "own_actions.csv", index=False, float_format="%.4f")
    text = page(table, chosen(inner), len(inner.users))
    (RESULTS / "own_actions.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
