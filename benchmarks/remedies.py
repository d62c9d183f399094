"""What does each remedy of the simulator bring? One by one beside as published.

    python benchmarks/remedies.py [--minutes 60] [--seeds 1]

Remedies: the next-product loss on the encoder, own actions at every step, item vectors that start from EASE
or from SVD, loss and own actions together (what is shipped), the three together, ten times the steps. Each
is trained for 1,200 steps (two fifths of the shipped one's) on the rows before every shopper's visit with a purchase
*before* the last, and asked about that visit: the last one, of the other benchmarks, is not looked at. Nats of first
looks with the own history, another's and none, and NDCG@10 of the next purchase by 16 imagined visits.
Control: as published from another seed. A cell is kept under its configuration, log and code
(`runs/remedies`), and a stopped training goes on. Five minutes of an idle core a cell, the long one
up to 45. Writes `benchmarks/results/remedies.csv` and `.md`.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
import torch
from boomerang import RESULTS, markdown
from predicted import expected, judged
from simulator_parts import VISITS, on, visits_for
from world import measure

from workbench.reports.recpilot import (
    Simulator,
    SimulatorConfig,
    SupervisedTraining,
    draw,
    scores,
    swap_cost,
)
from workbench.runs import run
from workbench.settings import Frozen, settings
from workbench.statistics import bootstrap_mean

STEPS, LONG = 1_200, 12_000
PUBLISHED, AGAIN = "as published", "as published, another seed"
BOTH, ALL = "loss and own actions", "loss, own actions, vectors from SVD"
KINDS: dict[str, dict] = {
    PUBLISHED: {},
    "encoder's loss": {"auxiliary": 1.0},
    "own actions": {"own": True},
    BOTH: {"auxiliary": 1.0, "own": True},
    "vectors from EASE": {"start": "ease"},
    "vectors from SVD": {"start": "svd"},
    AGAIN: {},
    ALL: {"auxiliary": 1.0, "own": True, "start": "svd"},
    "ten times the steps": {},
}
SHORT = {
    "loss": "encoder's loss",
    "own": "own actions",
    "ease": "vectors from EASE",
    "svd": "vectors from SVD",
    "both": BOTH,
    "steps": "ten times the steps",
}
VERSION = "1"
"""Raised when a cell changes its meaning."""


class Cell(Frozen):
    """A cell: which remedy, its settings, and the seed."""

    name: str
    """What it is called on the page."""
    config: SimulatorConfig
    """Settings, those of training among them."""


def plan(seeds: int) -> list[Cell]:
    """All cells, the longest last."""
    cells = []
    for name, given in KINDS.items():
        for seed in range(1, seeds + 1):
            if name == AGAIN and seeds > 1:
                continue
            steps = LONG if name == "ten times the steps" else STEPS
            patience = 12 if steps == LONG else 1_000
            where = {"steps": steps, "patience": patience, "seed": seed + (name == AGAIN)}
            kind = {"auxiliary": 0.0, "own": False} | given
            config = SimulatorConfig(**kind, training=SupervisedTraining(**where))
            cells.append(Cell(name=name, config=config))
    return cells


def measured(cell: Cell) -> pd.DataFrame:
    """[user, own, swapped, none, ndcg, novel, chosen, seconds]: nats a first look, and NDCG@10."""
    world, asked = on("valid")
    training = cell.config.training
    work = settings().runs / "remedies_work" / f"{cell.name} {training.steps} {training.seed}"
    work.mkdir(parents=True, exist_ok=True)
    begun = time.process_time()
    simulator = Simulator(cell.config).fit(asked.train, work)
    seconds = time.process_time() - begun
    found = []
    for users in np.array_split(asked.users, 8):
        found.append(scores(draw(simulator, asked.train.histories(users), VISITS, seed=1)))
    ranked = np.concatenate(found)
    nats = swap_cost(simulator, visits_for(asked, world)).set_index("user")
    for column, novel in (("ndcg", False), ("novel", True)):
        nats[column] = measure(ranked, asked, novel).set_index("user")["ndcg"]
    chosen = simulator.card["training"]["chosen"]
    return nats.reset_index().assign(chosen=chosen, seconds=seconds)


def of(found: pd.DataFrame, row: str, what: str) -> pd.Series:
    """A measure of a row by shopper, the mean over seeds; without those it does not ask."""
    return found[found["row"] == row].groupby("user")[what].mean().dropna()


def less(found: pd.DataFrame, row: str, other: str, what: str) -> tuple[float, float, float]:
    """A row less another, paired by shopper, with its interval."""
    return bootstrap_mean((of(found, row, what) - of(found, other, what)).dropna(), shares=False)


def table_of(found: pd.DataFrame) -> pd.DataFrame:
    """[row, measure, seeds, shoppers, value, low, high, less, less_low, less_high, chosen, seconds];
    means over seeds first; less: less as published, paired by shopper."""
    found = found.assign(swap=found["swapped"] - found["own"], nobody=found["none"] - found["own"])
    lines = []
    for name, rows in found.groupby("row", sort=False):
        for what in ("own", "swap", "nobody", "ndcg", "novel"):
            own, apart = of(found, name, what), less(found, name, PUBLISHED, what)
            ends = (rows["chosen"].median(), rows.groupby("seed")["seconds"].first().mean())
            value = bootstrap_mean(own, shares=False)
            lines.append((name, what, rows["seed"].nunique(), len(own), *value, *apart, *ends))
    columns = ["row", "measure", "seeds", "shoppers", "value", "low", "high"]
    columns += ["less", "less_low", "less_high", "chosen", "seconds"]
    return pd.DataFrame(lines, columns=columns)


def together(found: pd.DataFrame) -> dict[str, tuple[float, float, float]]:
    """{measure: what all remedies have more than loss and own actions, with its interval}, paired."""
    apart = {}
    for name, what in (("nats", "own"), ("ndcg", "ndcg"), ("novel", "novel")):
        if {ALL, BOTH} <= {*found["row"]}:
            apart[name] = less(found, ALL, BOTH, what)
    return apart


def numbers_of(table: pd.DataFrame, more: dict[str, tuple]) -> dict[str, float]:
    """What was predicted, as far as it was measured."""
    at = table.set_index(["row", "measure"])
    numbers = {f"published_{what}": at["value"].get((PUBLISHED, what)) for what in ("ndcg", "swap")}
    for short, row in SHORT.items():
        for name, what in (("ndcg", "ndcg"), ("swap", "swap"), ("nats", "own")):
            numbers[f"{short}_{name}"] = at["less"].get((row, what), np.nan)
    for name in ("nats", "ndcg", "novel"):
        numbers[f"all_minus_both_{name}"] = more.get(name, (np.nan,))[0]
    numbers["steps_chosen"] = at["chosen"].get((SHORT["steps"], "ndcg"), np.nan)
    return numbers


HEADS = {
    "own": "nats a first look",
    "swap": "swapped less own",
    "nobody": "none less own",
    "ndcg": "NDCG@10, all",
    "novel": "NDCG@10, novel",
}


def page(table: pd.DataFrame, more: dict[str, tuple], cells: list[Cell]) -> str:
    """The results as Markdown."""
    lines: dict[str, dict] = {}
    for r in table.itertuples():
        cell = f"{r.value:.3f} [{r.low:.3f}, {r.high:.3f}]"
        if r.row != PUBLISHED:
            cell += f"; {r.less:+.3f} [{r.less_low:+.3f}, {r.less_high:+.3f}]"
        line = lines.setdefault(r.row, {"": r.row, "seeds": r.seeds})
        line[f"{HEADS[r.measure]} ({r.shoppers})"] = cell
        line |= {"step chosen": f"{r.chosen:,.0f}", "CPU minutes": f"{r.seconds / 60:.0f}"}
    missing = [name for name in dict.fromkeys(c.name for c in cells) if name not in lines]
    ranges = expected("remedies", "remedies_more")
    checked = judged(numbers_of(table, more), ranges, "g", ".3f")
    text = ["# What does each remedy bring?", "Made by `python benchmarks/remedies.py`."]
    text.append(
        f"{on('valid')[0]!r}, the visit with a purchase *before* the last of every real shopper; {STEPS:,} "
        f"steps, two fifths of the shipped simulator's, but for the last row ({LONG:,} at most, stopped after "
        "twelve looks without a better one). Value with 95 % of resampled shoppers; then less as published, "
        "paired. NDCG@10 of the next purchase by 16 imagined visits."
    )
    text.append(markdown(pd.DataFrame(lines.values())))
    if more:
        said = [f"{n} {v:+.3f} [{low:+.3f}, {high:+.3f}]" for n, (v, low, high) in more.items()]
        text.append(f"{ALL}, less {BOTH}, paired: {'; '.join(said)}.")
    if missing:
        text.append(f"Not run: {', '.join(missing)}.")
    text += ["## What was predicted (`data/predictions.toml`)", markdown(checked)]
    text.append(
        "The row of another seed is what a seed alone does. The generated world is no evidence about shops."
    )
    return "\n\n".join(text) + "\n"


def main() -> None:
    """Run what is missing; after each cell write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=np.inf, help="begin no cell after these")
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cells, begun, done, text = plan(options.seeds), time.monotonic(), [], ""
    for cell in cells:
        if time.monotonic() - begun > 60 * options.minutes:
            break
        found = run(
            [cell], measured, settings().runs / "remedies", version=VERSION, data=on("valid")[0].log
        )
        done.append(found.assign(row=cell.name, seed=cell.config.training.seed))
        whole = pd.concat(done, ignore_index=True)
        table = table_of(whole)
        table.to_csv(RESULTS / "remedies.csv", index=False, float_format="%.6f")
        text = page(table, together(whole), cells)
        (RESULTS / "remedies.md").write_text(text, encoding="utf-8")
        print(f"{cell.name}: {found['seconds'].iloc[0]:.0f} s", flush=True)
    print(text)


if __name__ == "__main__":
    main()
