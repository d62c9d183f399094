"""How many visits does the simulator need? NDCG@10 of the next purchase against the visits it learns from.

    python benchmarks/curve.py [--steps 1200] [--minutes 60]

One world of 6,100 shoppers (generated, no files). 400 of them are asked for what they buy in their last
visit with a purchase, 200 choose the checkpoint, the others' visits with a purchase are learned from: the
first 1,300, 7,200 and 40,000, each part of the next, so that nobody who is asked is ever learned from.
Every point gets the same number of steps. Beside it: GRPO from the same weights at the ends, rules that
count the same shoppers' rows, SASRec with actions (as many steps at every point), the encoder's head
alone, and the world's own generator. A cell is a folder with its identity (`runs/curve`): what is
finished is kept, a supervised run that was stopped goes on; cells go from the cheapest and most
telling to more seeds, and the page is written after each, into the folder of runs as long as the
committed one knows of more cells. `--minutes`: begin no cell after these. Six minutes of an idle core
for a supervised cell. Writes `benchmarks/results/curve.csv` and `curve.md`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from boomerang import RESULTS
from curve_page import page, table_of
from grpo import RATE
from grpo import STEPS as LEARNING
from world import Asked, _unit, ceiling, last_purchases, measure, own_actions, rules

from workbench.data import Interactions
from workbench.recommend import EASE, SASRec, SASRecConfig
from workbench.recommend.training import Training
from workbench.reports.recpilot import (
    Simulator,
    SimulatorConfig,
    SupervisedTraining,
    Visits,
    Vocabulary,
    draw,
    last_visits,
    scores,
    swap_cost,
    visits_of,
)
from workbench.reports.recpilot._grpo_run import GRPOConfig
from workbench.reports.recpilot.grpo import grpo
from workbench.reports.recpilot.rewards import Rewards
from workbench.reports.recpilot.supervised import _train, short
from workbench.runs import folder_of, read, run
from workbench.settings import Frozen, settings
from workbench.worlds.shop import ShopConfig, World, generate

SHOP = ShopConfig(shoppers=6_100, texts=0)
ASKED, CHOOSING = 400, 200
ENDS, BETWEEN = (1_300, 40_000), 7_200
STEPS, EPOCHS = 1_200, 60
VERSION = "1"
"""Raised when a cell changes its meaning."""


class Cell(Frozen):
    """A cell: what is trained, on how many visits, from which seed."""

    what: str
    """`rules`, `SASRec with actions`, `T5`, `GRPO` or `ceiling`."""
    visits: int = 0
    """Visits with a purchase that are learned from; 0: none."""
    seed: int = 1
    """Seed of training."""
    steps: int = 0
    """Supervised steps of the simulator; 0: none."""


def plan(steps: int) -> list[Cell]:
    """All cells, the cheapest and most telling first."""
    points = (*ENDS, BETWEEN)
    cells = [Cell(what="rules", visits=n) for n in points] + [Cell(what="ceiling")]
    cells += [Cell(what="SASRec with actions", visits=n) for n in points]
    cells += [Cell(what="T5", visits=n, steps=steps) for n in points]
    cells += [Cell(what="GRPO", visits=n, steps=steps) for n in ENDS]
    for seed in range(2, 6):
        cells += [
            Cell(what=what, visits=n, seed=seed, steps=steps)
            for what in ("T5", "GRPO")
            for n in ENDS
        ]
    return cells


# --- who is asked, who is learned from --------------------------------------------------------------


@cache
def world() -> World:
    """The world of all points."""
    return generate(SHOP)


@cache
def people() -> dict[str, np.ndarray]:
    """Real shoppers by lot: `asked`, `choosing`, and the rest in the order of learning."""
    spam = world().truth["users"]["spam"].to_numpy()
    users = np.intersect1d(np.flatnonzero(~spam), last_purchases(world()).users)
    order = np.random.default_rng(SHOP.seed).permutation(users)
    parts = np.split(order, [ASKED, ASKED + CHOOSING])
    return dict(zip(("asked", "choosing", "learned"), parts, strict=True))


@cache
def asked() -> Asked:
    """The 400, what they bought in their last visit with a purchase, and their rows before it."""
    everybody = last_purchases(world())
    kept = np.isin(everybody.users, people()["asked"])
    rows = everybody.train.frame["user"].isin(people()["asked"])
    parts = (everybody.users, everybody.sessions, everybody.targets)
    return Asked(*(part[kept] for part in parts), everybody.train.select(rows.to_numpy()))


def rows_of(users: np.ndarray) -> Interactions:
    """All rows of some shoppers."""
    return world().log.select(world().log.frame["user"].isin(users).to_numpy())


@cache
def learned(visits: int) -> tuple[Visits, Interactions]:
    """The first so many visits with a purchase in the order of learning, and the rows of those who
    made them."""
    place = pd.Series(np.arange(len(people()["learned"])), index=people()["learned"])
    found = visits_of(rows_of(people()["learned"]))
    found = short(first_weights(SimulatorConfig(), found), found)
    order = np.argsort(place[found.trajectories.user].to_numpy(), kind="stable")[:visits]
    assert len(order) == visits, f"{len(order):,} visits"
    part = found.select(order)
    return part, rows_of(np.unique(part.trajectories.user))


# --- cells --------------------------------------------------------------------------------------------


def measured(cell: Cell, folder: Path, runs: Path) -> pd.DataFrame:
    """[row, part, user, ndcg, recall, seconds] of a cell; a simulator is left in its folder."""
    asked()
    if cell.visits:
        learned(cell.visits)  # what all cells share is not the cost of one
    begun = time.process_time()
    if cell.what in ("T5", "GRPO"):
        simulator = trained(cell, runs)
        simulator.save(folder / "simulator")
        return of_simulator(simulator, time.process_time() - begun)
    if cell.what == "rules":
        scorers = counted(cell.visits)
    elif cell.what == "ceiling":
        scorers = {"ceiling": lambda: ceiling(world(), asked(), 200)}
    else:
        scorers = {cell.what: lambda: sasrec(cell)}
    parts = []
    for name, score in scorers.items():
        begun = time.process_time()
        found = score()
        parts.append(judged(name, found, time.process_time() - begun))
    return pd.concat(parts, ignore_index=True)


def sasrec(cell: Cell) -> np.ndarray:
    """SASRec with actions on the rows of those who are learned from."""
    _, rows = learned(cell.visits)
    # as many steps at every point: rows grow with the visits
    epochs = max(1, round(EPOCHS * ENDS[0] / cell.visits))
    training = Training(epochs=epochs, batch=256, seed=cell.seed)
    model = SASRec(SASRecConfig(use_actions=True, training=training)).fit(rows)
    return model.score(asked().train.histories(asked().users))


def judged(name: str, score: np.ndarray, seconds: float) -> pd.DataFrame:
    """A row's values, of all products and of those never touched before."""
    parts = [measure(score, asked(), p == "novel").assign(part=p) for p in ("all", "novel")]
    return pd.concat(parts, ignore_index=True).assign(row=name, seconds=seconds)


def counted(visits: int) -> dict[str, Callable[[], np.ndarray]]:
    """Rules, where what others do is counted among those who are learned from."""
    _, rows = learned(visits)
    own, histories = own_actions(asked()), asked().train.histories(asked().users)
    bought = rows.frame.loc[rows.frame["action"] == "purchase", "item"]
    popular = np.bincount(bought, minlength=rows.n_items) / len(bought)
    cart = "left in the cart: others of its kind"

    def ease() -> np.ndarray:
        return EASE().fit(rows).score(histories)

    return {
        "popularity of purchases": lambda: np.tile(popular, (len(own), 1)),
        "own actions, decayed": lambda: own_actions(asked()) + 1e-6 * popular,
        "EASE": ease,
        "EASE + own actions": lambda: _unit(ease()) + _unit(own),
        cart: lambda: rules(world(), asked())[cart],  # what others do is not asked
    }


def trained(cell: Cell, runs: Path) -> Simulator:
    """The simulator of a cell: supervised, or by GRPO from that of the same visits and seed."""
    visits, _ = learned(cell.visits)
    work = runs.parent / "curve_work" / f"{cell.what} {cell.visits} {cell.seed} {cell.steps}"
    if cell.what == "T5":
        training = SupervisedTraining(steps=cell.steps, seed=cell.seed, patience=1_000)
        simulator = first_weights(SimulatorConfig(training=training), visits)
        valid = short(simulator, last_visits(rows_of(people()["choosing"]))[1])
        # the loop of `supervise`, which would take every learned shopper's last visit to choose by
        with torch.random.fork_rng():
            told = _train(simulator, visits, valid, work, f"{data()} {cell.visits}")
        simulator.module.eval()
        simulator.card = {"training": told}
        return simulator
    own = folder_of(cell.model_copy(update={"what": "T5"}), measured, runs, VERSION, data())
    supervised = Simulator.load(own / "simulator")
    table = supervised.module.t5.shared.weight.detach().numpy()
    vectors = table[supervised.vocabulary.items_from :].astype(np.float64)
    config = GRPOConfig(steps=LEARNING, learning_rate=RATE, seed=cell.seed)
    return grpo(supervised, visits, Rewards(vectors, supervised.vocabulary), config, work)[0]


def first_weights(config: SimulatorConfig, visits: Visits) -> Simulator:
    """A simulator of this catalogue that has learned nothing."""
    vocabulary = Vocabulary(visits.trajectories.actions, world().log.n_items)
    return Simulator(config).make(vocabulary, world().log.index_fingerprint)


def of_simulator(simulator: Simulator, seconds: float) -> pd.DataFrame:
    """Rows of a simulator: 16 and 64 imagined visits, its head alone, and nats of first looks."""
    histories = asked().train.histories(asked().users)
    found = {f"{n} visits": [] for n in (16, 64)}
    for part in np.array_split(np.arange(len(histories)), 8):
        for n in (16, 64):
            drawn = draw(simulator, histories.select(part), n, seed=1)
            found[f"{n} visits"].append(scores(drawn, "mixture"))
    heads = [
        simulator.head(histories.select(p)) for p in np.array_split(np.arange(len(histories)), 8)
    ]
    tables = [judged(name, np.concatenate(parts), seconds) for name, parts in found.items()]
    tables.append(judged("head alone", np.concatenate(heads), seconds))
    last = last_visits(rows_of(people()["asked"]))[1]
    cost = swap_cost(simulator, short(simulator, last))
    less = {"user": cost["user"], "ndcg": cost["swapped"] - cost["own"], "recall": np.nan}
    tables.append(pd.DataFrame(less).assign(part="nats", row="swap", seconds=seconds))
    return pd.concat(tables, ignore_index=True)


def data() -> str:
    """What all cells read: the log, and whom the lot chose."""
    return json.dumps([world().log.fingerprint, ASKED, CHOOSING])


def covers(found: pd.DataFrame, path: Path) -> bool:
    """Whether a table has every row and point of the committed one, with as many seeds: what was
    measured is not written over by less."""
    if not path.exists():
        return True
    keys = ["row", "visits", "part"]
    old = pd.read_csv(path).set_index(keys)["seeds"]
    return bool((found.set_index(keys)["seeds"].reindex(old.index, fill_value=0) >= old).all())


def main() -> None:
    """Run what is missing in the order of the plan; after each cell write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--minutes", type=float, default=np.inf)
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder, begun, done, cells = (
        settings().runs / "curve",
        time.monotonic(),
        [],
        plan(options.steps),
    )
    text = ""
    for cell in cells:
        where = folder_of(cell, measured, folder, VERSION, data())
        if not (where / "manifest.json").exists():
            if time.monotonic() - begun > 60 * options.minutes:
                continue
            run([cell], measured, folder, version=VERSION, data=data())
        named = cell.model_dump() | {"identity": where.name[:16]}
        done.append(read(where).assign(**named))
        table = pd.concat(done, ignore_index=True)
        text, found = page(table, cells, repr(world())), table_of(table)
        place = RESULTS if covers(found, RESULTS / "curve.csv") else folder
        found.to_csv(place / "curve.csv", index=False, float_format="%.6f")
        (place / "curve.md").write_text(text, encoding="utf-8")
        print(f"{cell!r}: {done[-1]['seconds'].iloc[0]:.0f} s", flush=True)
    print(text)


if __name__ == "__main__":
    main()
