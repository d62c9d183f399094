"""Does a rubric find what a shopper weighs, and does that rank better?

    python benchmarks/rubric.py

Spearman of the rubric with the four true weights by number of purchases: those of the shipped world,
and purchases drawn from its choice model (150 shoppers, 50 each); candidates by category and by kind.
Two controls are drawn from simpler shoppers, to see what is lost where. Beside it the gain in ranking
with the weights held before each purchase, and that of the true weights. Prints the figures beside what
`data/predictions.toml` expected. Two minutes on one core. Writes `benchmarks/results/rubric.csv` and
`.md`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from boomerang import RESULTS, markdown
from predicted import judged
from scipy.stats import rankdata

from workbench.data import Interactions, World, load_world
from workbench.reports.recpilot import Rubric, RubricConfig
from workbench.reports.recpilot._learning import START, Seen, learn
from workbench.reports.recpilot._steps import seen_by
from workbench.reports.recpilot._visible import standard
from workbench.reports.recpilot.aspects import gains
from workbench.settings import settings
from workbench.statistics import bootstrap_mean
from workbench.worlds.shop.shoppers import STRENGTH

SHOPPERS, SEED = 150, 0
GOALS = {6: 0.30, 20: 0.45}


class Source(NamedTuple):
    """Where purchases come from: how many are drawn a shopper (0: those of the log), after how many
    the rubric is asked, and what they are held against."""

    told: str
    drawn: int
    counts: tuple[int, ...]
    candidates: tuple[str, ...] = ("category", "kind")
    methods: tuple[str, ...] = ("paper_exact", "damped", "logit", "shuffled", "logit, true scores")


SOURCES = {
    "real": Source("purchases of the shipped world", 0, (1, 2, 4, 6, 10, 20), methods=()),
    "drawn": Source("drawn from its choice model", 50, (1, 2, 6, 10, 20, 50), methods=()),
    "seen": Source(
        "the same, but the two attributes that no rubric sees weigh nothing", 20, (6, 20)
    ),
    "wide": Source(
        "chosen among the whole category, nothing unseen, as in world 1", 20, (6, 20), ("category",)
    ),
}
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
KNOWN = {"true weights": "", "true weights, true scores": "true"}


@dataclass(frozen=True)
class Shopper:
    """One shopper: true weights, and every purchase as visible and as true scores show it."""

    truth: np.ndarray
    seen: list[Seen]
    true: list[Seen]


def planted(world: World, wide: bool = False) -> np.ndarray:
    """What the true weights weigh, (users, items, 4): price, quality, brand, popularity. wide: prices
    within the category, as whoever compares a whole category sees them."""
    items, shelf = world.truth["items"], world.shelf
    brand = 1.5 * shelf.affinity[:, shelf.house]
    cheap = -items["price_z"].to_numpy()
    if wide:
        cheap = standard(-np.log(shelf.price), shelf.category)
    rest = (items[name].to_numpy() for name in ("quality", "popularity"))
    columns = [np.broadcast_to(column, brand.shape) for column in (cheap, *rest)]
    return np.stack([columns[0], columns[1], brand, columns[2]], axis=2)


def choice_of(world: World, source: str) -> np.ndarray:
    """Probability of every product, (users, items), before any drift."""
    choice, shelf = world.shelf.choice["before"], world.shelf
    if source == "drawn":
        return choice
    wide = source == "wide"
    group = shelf.category if wide else shelf.kind
    weights = shelf.weights[:, None, :]
    worth = np.exp(STRENGTH * (planted(world, wide) * weights).sum(axis=2))
    # the interest in the group, shared anew among its products
    one = np.eye(group.max() + 1)[group]
    return (choice @ one)[:, group] * worth / (worth @ one)[:, group]


def drawn_log(world: World, source: str, seed: int = SEED) -> Interactions:
    """Drawn purchases, in rounds of one a shopper."""
    rng = np.random.default_rng(seed)
    real = np.flatnonzero(~world.truth["users"]["spam"].to_numpy())
    users, n = np.sort(rng.permutation(real)[:SHOPPERS]), SOURCES[source].drawn
    choice = choice_of(world, source)[users]
    steps = np.cumsum(choice / choice.sum(axis=1, keepdims=True), axis=1)
    drawn = (rng.random((n, len(users), 1)) > steps).sum(axis=2)
    drawn = np.minimum(drawn, world.log.n_items - 1)
    table = pd.DataFrame({"item": world.log.items[drawn.ravel()]})
    table["user"] = world.log.users[np.tile(users, n)]
    table["at"], table["action"] = np.arange(len(table)), "purchase"
    roles = {"timestamp": "at", "action": "action"}
    return Interactions.from_table(table, users=world.log.users, items=world.log.items, **roles)


def shoppers(world: World, log: Interactions, candidates: str, wide: bool = False) -> list[Shopper]:
    """Everybody with a purchase but spam accounts."""
    rubric = Rubric.build(log, world.catalogue, RubricConfig(candidates=candidates))
    spam, worth = world.truth["users"]["spam"], planted(world, wide)
    found = []
    for user, steps in rubric.steps.items():
        if spam[user]:
            continue
        seen = seen_by(steps, rubric.shelf)
        beside = [rubric.shelf.candidates(step.item) for step in steps]
        true = [s._replace(scores=worth[user, b]) for s, b in zip(seen, beside, strict=True)]
        found.append(Shopper(world.shelf.weights[user], seen, true))
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
    """Mean 1/log2(1 + place) over the second half of the purchases, each by the weights before it;
    weights: (n_attributes,), or a row each."""
    seen = shopper.true if how == "true" else shopper.seen
    half = range(len(seen) // 2, len(seen))
    rows = np.broadcast_to(weights, (len(seen) + 1, len(START))) if weights.ndim < 2 else weights
    found = [gains((seen[n].scores @ rows[n])[None], seen[n].chosen)[0] for n in half]
    return float(np.mean(found))


def measure(world: World, source: str, candidates: str) -> pd.DataFrame:
    """[method, measure, n, value, low, high, shoppers, over, source, candidates]; over: the Spearman
    over shoppers, mean of the attributes."""
    what, wide = SOURCES[source], source == "wide"
    log = drawn_log(world, source) if what.drawn else world.log
    everyone = shoppers(world, log, candidates, wide)
    rng = np.random.default_rng(SEED)
    plain = np.array([ranking(one, START, "") for one in everyone])
    rows = []
    for method in what.methods or METHODS:
        weights = [weights_of(one, method, rng) for one in everyone]
        for n in what.counts:
            some = [k for k, one in enumerate(everyone) if len(one.seen) >= n]
            found = np.stack([weights[k][n] for k in some])
            truth = np.stack([everyone[k].truth for k in some])
            each, over = spearman(found, truth), spearman(found, truth, axis=0).mean()
            mean = bootstrap_mean(each, shares=False)
            rows.append((method, "spearman", n, *mean, len(some), over))
        how = METHODS[method][1]
        after = [ranking(one, w, how) for one, w in zip(everyone, weights, strict=True)]
        rows += gained(method, np.array(after), plain)
    for method, how in KNOWN.items():
        rows += gained(method, np.array([ranking(one, one.truth, how) for one in everyone]), plain)
    columns = ["method", "measure", "n", "value", "low", "high", "shoppers", "over"]
    return pd.DataFrame(rows, columns=columns).assign(source=source, candidates=candidates)


def gained(method: str, after: np.ndarray, plain: np.ndarray) -> list[tuple]:
    """The ranking, and its difference to equal weights, paired by shopper."""
    both = {"ranking": after, "gain": after - plain}
    return [
        (method, k, 0, *bootstrap_mean(v, shares=False), len(v), np.nan) for k, v in both.items()
    ]


# --- the page ---


def by_count(table: pd.DataFrame) -> str:
    """Spearman per shopper with its interval / over shoppers, a column a number of purchases."""
    rows = table[table["measure"] == "spearman"]
    lines = {}
    for row in rows.itertuples():
        cell = f"{row.value:.2f} [{row.low:.2f}, {row.high:.2f}] / {row.over:.2f}"
        lines.setdefault(row.method, {"": row.method})[f"{row.n} ({row.shoppers})"] = cell
    return markdown(pd.DataFrame(lines.values()))


def by_gain(table: pd.DataFrame) -> str:
    """The ranking, and the paired difference to equal weights."""
    rows = table[table["measure"] != "spearman"]
    lines = {}
    for row in rows.itertuples():
        sign = "+" if row.measure == "gain" else ""
        cell = f"{row.value:{sign}.3f} [{row.low:{sign}.3f}, {row.high:{sign}.3f}]"
        lines.setdefault(row.method, {"": row.method})[row.measure] = cell
    return markdown(pd.DataFrame(lines.values()))


def value_of(table: pd.DataFrame, part: str, line: str) -> float:
    """The measured number that a line of the predictions is about."""
    source, candidates = part.split("_")
    name, _, last = line.rpartition("_")
    kind, n = ("gain", 0) if last == "gain" else ("spearman", int(last))
    method = {"true_weights": "true weights"}.get(name, name)
    asked = {"source": source, "candidates": candidates, "method": method, "measure": kind, "n": n}
    found = table.loc[(table[list(asked)] == list(asked.values())).all(axis=1), "value"]
    return float(found.iloc[0])


def verdicts(table: pd.DataFrame, predicted: dict) -> pd.DataFrame:
    """Every prediction beside what was measured."""
    parts = {}
    for part, lines in predicted.items():
        if isinstance(lines, dict):
            found = {line: round(value_of(table, part, line), 4) for line in lines}
            parts[part] = judged(found, lines, ".2f", ".3f")
    return pd.concat(parts, names=["part"]).reset_index("part").reset_index(drop=True)


def goals(table: pd.DataFrame) -> pd.DataFrame:
    """What the default was to reach."""
    rows = []
    for source, n in (("real", 6), ("drawn", 6), ("drawn", 20)):
        for candidates in ("category", "kind"):
            value = value_of(table, f"{source}_{candidates}", f"damped_{n}")
            bound = value_of(table, f"{source}_{candidates}", f"logit, true scores_{n}")
            met = "met" if value >= GOALS[n] else "missed"
            rows.append((source, candidates, n, GOALS[n], f"{value:.2f}", met, f"{bound:.2f}"))
    columns = ["purchases", "candidates", "n", "goal", "damped", "", "logit, true scores"]
    return pd.DataFrame(rows, columns=columns).astype(str)


def losses(table: pd.DataFrame) -> pd.DataFrame:
    """The same rubric where less is in its way: Spearman at 6 and at 20, a line a source."""
    rows = []
    for (source, candidates), _ in table.groupby(["source", "candidates"], sort=False):
        line = {"purchases": SOURCES[source].told, "beside": candidates}
        for method in ("damped", "logit", "logit, true scores"):
            for n in GOALS:
                value = value_of(table, f"{source}_{candidates}", f"{method}_{n}")
                line[f"{method}, {n}"] = f"{value:.2f}"
        rows.append(line)
    return pd.DataFrame(rows)


def page(world: World, table: pd.DataFrame) -> str:
    """The results as Markdown."""
    path = settings().data / "predictions.toml"
    predicted = tomllib.loads(path.read_text(encoding="utf-8"))["rubric"]
    shuffled = table[(table["measure"] == "spearman") & table["method"].str.contains("shuffled")]
    most = shuffled.groupby("method")["value"].agg(lambda v: v[v.abs().idxmax()])
    text = [
        "# Does a rubric find what a shopper weighs?",
        "",
        "Made by `python benchmarks/rubric.py`.",
        "",
        f"{world!r}. A cell: mean over shoppers of the Spearman of four weights with the true ones, 95 % "
        "of resampled shoppers / the Spearman over shoppers, mean of the four. Ties count as 0. "
        "*True scores*: the rubric is shown what the choice was made by, in place of what a shop shows.",
        "",
        "## The goal",
        "",
        markdown(goals(table)),
        "",
        "Shuffled feedback, the value farthest from 0: "
        + "; ".join(f"{name} {value:+.2f}" for name, value in most.items())
        + " (goal: within .15).",
        "",
        "## What is lost where",
        "",
        markdown(losses(table)),
        "",
        "A kind has two attributes that steer the choice as much as all that a rubric weighs, and it never "
        "sees them. Where they weigh nothing, and more so where a choice is made among a whole category, "
        "the same rubric with the same settings finds more. The last two columns: what the same purchases "
        "teach a rubric that is shown quality, affinity and popularity as the choice was made by them. Ranking gains "
        "are small: so are those of the true weights.",
    ]
    for (source, candidates), part in table.groupby(["source", "candidates"], sort=False):
        what = f"{SOURCES[source].told}; beside the {candidates}"
        text += ["", f"## {source.capitalize()}, {candidates}: {what}", "", by_count(part)]
        text += [
            "",
            "Ranking (1/log2(1 + place), second half), and less equal weights, paired:",
            "",
        ]
        text += [by_gain(part)]
    text += ["", "## What was predicted (`data/predictions.toml`, never changed)", ""]
    text += [markdown(verdicts(table, predicted)), ""]
    text += ["The generated world is no evidence about shops."]
    return "\n".join(text) + "\n"


def main() -> None:
    """Measure, write the page, print it."""
    world = load_world()
    asked = [(source, c) for source, what in SOURCES.items() for c in what.candidates]
    table = pd.concat([measure(world, *one) for one in asked], ignore_index=True)
    table.to_csv(RESULTS / "rubric.csv", index=False, float_format="%.4f")
    text = page(world, table)
    (RESULTS / "rubric.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
