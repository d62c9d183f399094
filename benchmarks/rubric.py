"""Does a rubric find what a shopper weighs, and does that rank better?

    python benchmarks/rubric.py

Spearman of the rubric with the four true weights by number of purchases: those of the shipped world,
and purchases drawn from its choice model (150 shoppers, 100 each); candidates by category and by kind.
Beside it the gain in ranking with the weights held before each purchase, and that of the true weights.
Prints the figures beside what `data/predictions.toml` expected. Two minutes on one core. Writes
`benchmarks/results/rubric.csv` and `.md`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass

import numpy as np
import pandas as pd
from boomerang import RESULTS, markdown
from scipy.stats import rankdata

from workbench.data import Interactions, World, load_world
from workbench.reports.recpilot import Rubric, RubricConfig
from workbench.reports.recpilot._learning import START, Seen, learn
from workbench.reports.recpilot._steps import seen_by
from workbench.reports.recpilot.aspects import gains
from workbench.settings import settings
from workbench.statistics import bootstrap_mean
from workbench.worlds.shop.shoppers import WEIGHTS

COUNTS = {"real": (1, 2, 4, 6, 10, 20), "drawn": (1, 2, 6, 10, 20, 50, 100)}
DRAWN, PURCHASES, SEED = 150, 100, 0
METHODS = {  # name: config, and what is done to what the steps see
    "frozen": (RubricConfig(), "nothing"),
    "paper_exact": (RubricConfig(mode="paper_exact"), ""),
    "normalised": (RubricConfig(mode="normalised"), ""),
    "damped": (RubricConfig(), ""),
    "damped_fast": (RubricConfig(rate=0.2), ""),
    "logit": (RubricConfig(mode="logit", rate=0.1), ""),
    "shuffled": (RubricConfig(), "shuffled"),
    "paper_exact, shuffled": (RubricConfig(mode="paper_exact"), "shuffled"),
    "damped, true scores": (RubricConfig(), "true"),
    "logit, true scores": (RubricConfig(mode="logit", rate=0.1), "true"),
}


@dataclass(frozen=True)
class Shopper:
    """One shopper: true weights, and every purchase as visible and as true scores show it."""

    user: int
    truth: np.ndarray
    seen: list[Seen]
    true: list[Seen]


def drawn_log(world: World, seed: int = SEED) -> Interactions:
    """Purchases drawn from the choice model before any drift, in rounds of one a shopper."""
    rng = np.random.default_rng(seed)
    real = np.flatnonzero(~world.truth["users"]["spam"].to_numpy())
    users = np.sort(rng.permutation(real)[:DRAWN])
    choice = world.shelf.choice["before"][users]
    steps = np.cumsum(choice / choice.sum(axis=1, keepdims=True), axis=1)
    drawn = (rng.random((PURCHASES, len(users), 1)) > steps).sum(axis=2)
    drawn = np.minimum(drawn, world.log.n_items - 1)
    table = pd.DataFrame({"item": world.log.items[drawn.ravel()]})
    table["user"] = world.log.users[np.tile(users, PURCHASES)]
    table["at"], table["action"] = np.arange(len(table)), "purchase"
    roles = {"timestamp": "at", "action": "action"}
    return Interactions.from_table(table, users=world.log.users, items=world.log.items, **roles)


def shoppers(world: World, log: Interactions, candidates: str) -> list[Shopper]:
    """Everybody with a purchase but spam accounts."""
    rubric = Rubric.build(log, world.catalogue, RubricConfig(candidates=candidates))
    users, shelf = world.truth["users"], world.shelf
    truth = users[[f"weight_{name}" for name in WEIGHTS]].to_numpy()
    items = world.truth["items"]
    company = items[["price_z", "quality", "popularity"]].to_numpy() * [-1, 1, 1]
    found = []
    for user, steps in rubric.steps.items():
        if users["spam"][user]:
            continue
        brand = 1.5 * shelf.affinity[user, shelf.house]
        planted = np.column_stack([company[:, :2], brand, company[:, 2]])
        seen = seen_by(steps, rubric.shelf)
        beside = [rubric.shelf.candidates(step.item) for step in steps]
        true = [one._replace(scores=planted[b]) for one, b in zip(seen, beside, strict=True)]
        found.append(Shopper(user, truth[user], seen, true))
    return found


def weights_of(shopper: Shopper, method: str, rng: np.random.Generator) -> np.ndarray:
    """Weights before the first purchase, after it, …: (n + 1, n_attributes)."""
    config, how = METHODS[method]
    seen = shopper.true if how == "true" else shopper.seen
    if how == "nothing":
        return np.tile(START, (len(seen) + 1, 1))
    if how == "shuffled":
        seen = [one._replace(chosen=int(rng.integers(len(one.scores)))) for one in seen]
    return learn(seen, config).weights


def spearman(one: np.ndarray, two: np.ndarray, axis: int = -1) -> np.ndarray:
    """Of rows, or columns; 0 where one side is all ties."""
    ranks = [rankdata(np.round(part, 12), axis=axis) for part in (one, two)]
    a, b = (part - part.mean(axis=axis, keepdims=True) for part in ranks)
    size = np.sqrt((a**2).sum(axis=axis) * (b**2).sum(axis=axis))
    return (a * b).sum(axis=axis) / np.where(size > 0, size, 1.0)


def ranking(shopper: Shopper, weights: np.ndarray, how: str) -> float:
    """Mean 1/log2(1 + place) over the second half of the purchases, each by the weights before it."""
    seen = shopper.true if how == "true" else shopper.seen
    half = range(len(seen) // 2, len(seen))
    found = [gains((seen[n].scores @ weights[n])[None], seen[n].chosen)[0] for n in half]
    return float(np.mean(found))


def measure(world: World, source: str, candidates: str) -> pd.DataFrame:
    """[source, candidates, method, measure, n, value, low, high, shoppers, over (shoppers)]."""
    log = world.log if source == "real" else drawn_log(world)
    everyone = shoppers(world, log, candidates)
    rng = np.random.default_rng(SEED)
    plain = np.array([ranking(one, np.tile(START, (999, 1)), "") for one in everyone])
    rows = []
    for method in METHODS:
        weights = [weights_of(one, method, rng) for one in everyone]
        for n in COUNTS[source]:
            some = [k for k, one in enumerate(everyone) if len(one.seen) >= n]
            found = np.stack([weights[k][n] for k in some])
            truth = np.stack([everyone[k].truth for k in some])
            each, over = spearman(found, truth), spearman(found, truth, axis=0).mean()
            rows.append((method, "spearman", n, *bootstrap_mean(each), len(some), over))
        how = METHODS[method][1]
        after = [ranking(one, w, how) for one, w in zip(everyone, weights, strict=True)]
        rows += gained(method, np.array(after), plain)
    for method, how in (("true weights", ""), ("true weights, true scores", "true")):
        known = [ranking(one, np.tile(one.truth, (999, 1)), how) for one in everyone]
        rows += gained(method, np.array(known), plain)
    columns = ["method", "measure", "n", "value", "low", "high", "shoppers", "over"]
    return pd.DataFrame(rows, columns=columns).assign(source=source, candidates=candidates)


def gained(method: str, after: np.ndarray, plain: np.ndarray) -> list[tuple]:
    """The ranking, and its difference to equal weights, paired by shopper."""
    both = {"ranking": after, "gain": after - plain}
    return [(method, k, 0, *bootstrap_mean(v, shares=False), len(v), np.nan) for k, v in both.items()]


if __name__ == "__main__":
    world = load_world()
    for source in COUNTS:
        for candidates in ("category", "kind"):
            t = measure(world, source, candidates)
            s = t[t.measure == "spearman"]
            print(source, candidates)
            print(s.pivot(index="method", columns="n", values="value").round(2).loc[list(METHODS)].to_string())
            print(s.pivot(index="method", columns="n", values="over").round(2).loc[list(METHODS)].to_string())
            print(t[t.measure != "spearman"].pivot(index="method", columns="measure", values=["value","low","high"]).round(3).to_string(), flush=True)
