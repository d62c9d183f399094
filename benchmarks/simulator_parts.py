"""Who is asked, and the rows of `simulator.py`: rules, the simulator's parts, networks, the ceiling."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from world import Asked, ceiling, last_purchases, measure, own_actions, rules

from workbench._run_folders import source_of
from workbench.data import load_world
from workbench.recommend import EASE, GRU4Rec, GRU4RecConfig, SASRec, SASRecConfig
from workbench.reports.recpilot import (
    Simulator,
    Visits,
    ask,
    draw,
    last_visits,
    load_simulator,
    scores,
    swap_cost,
)
from workbench.reports.recpilot._starting import item_vectors
from workbench.reports.recpilot.gate import digest
from workbench.runs import folder_of, read, run
from workbench.settings import Frozen, settings
from workbench.worlds.shop import World

VISITS, BASE, SEED = 16, "simulator, 16 visits", 1
PARTS = ("all", "novel")
Scorer = Callable[[World, Asked], np.ndarray]
VERSION = "1"
"""Raised when a row changes its meaning without a change of its own function."""


class Row(Frozen):
    """What a kept row depends on beside the log; its folder is named by all of it."""

    name: str
    """What it is called on the page."""
    day: str = "test"
    """Who is asked: "test", the last visit, or "valid", the one before."""
    weights: str = ""
    """Digest of the simulator's weights; "" for what has none."""
    config: str = ""
    """Settings of a network that the row trains, seed included."""
    seed: int = SEED
    """Seed of drawing."""
    code: str = ""
    """Digest of the function that scores."""


def folder() -> Path:
    """Where the rows' values and the run of `--train` are kept."""
    found = settings().runs / "simulator"
    found.mkdir(parents=True, exist_ok=True)
    return found


@cache
def shipped() -> Simulator:
    """The shipped simulator."""
    return load_simulator()


@cache
def published() -> Simulator:
    """The one without remedies; raises `ModelError` before it was trained."""
    return Simulator.load(folder() / "published")


def visits_for(asked: Asked, world: World) -> Visits:
    """The visits that are asked about, in the order of the shoppers."""
    last = last_visits(world.log)[1]
    chosen = last.select(np.searchsorted(last.trajectories.user, asked.users))
    assert (chosen.trajectories.session == asked.sessions).all()
    return chosen


def imagined(model: Callable[[], Simulator], n: int, rule: str = "mixture") -> Scorer:
    """Scores from N imagined visits of each shopper."""

    def score(world: World, asked: Asked) -> np.ndarray:
        found, simulator = [], model()
        for users in np.array_split(asked.users, 8):  # N visits of 50 shoppers at a time
            drawn = draw(simulator, asked.train.histories(users), n, seed=SEED)
            found.append(scores(drawn, rule))
        return np.concatenate(found)

    return score


def head(world: World, asked: Asked) -> np.ndarray:
    """The encoder's head, asked what is bought next."""
    parts = np.array_split(asked.users, 8)
    return np.concatenate([shipped().head(asked.train.histories(users)) for users in parts])


def vectors(how: str) -> Scorer:
    """First item vectors alone: own actions, decayed, through the vectors' inner products."""

    def score(world: World, asked: Asked) -> np.ndarray:
        found = item_vectors(asked.train, how, 64).numpy()
        return own_actions(asked) @ found @ found.T

    return score


def chain(world: World, asked: Asked) -> np.ndarray:
    """16 draws from a Markov chain over the kinds of the shopper's own rows, each of five steps; a
    product counts by its share in what the shopper did with the last kind, and by popularity."""
    kind = pd.factorize(world.catalogue.frame["kind"])[0]
    one = np.eye(kind.max() + 1)[kind]
    rows = asked.train.frame
    bought = np.bincount(rows.loc[rows["action"] == "purchase", "item"], minlength=len(kind))
    share = (bought + 1) / ((bought + 1) @ one @ one.T)
    common = np.bincount(kind[rows["item"]], minlength=one.shape[1])
    own, found = own_actions(asked), np.zeros(asked.targets.shape)
    for row, user in enumerate(asked.users):
        walk = kind[rows.loc[rows["user"] == user, "item"].to_numpy()]
        step = np.tile(0.1 * common / common.sum(), (one.shape[1], 1))
        np.add.at(step, (walk[:-1], walk[1:]), 1.0)
        cumulated = np.cumsum(step / step.sum(axis=1, keepdims=True), axis=1)
        rng, at = np.random.default_rng([1, user]), np.full(VISITS, walk[-1])
        for _ in range(5):
            at = (rng.random((VISITS, 1)) > cumulated[at]).sum(axis=1).clip(max=one.shape[1] - 1)
        ends = np.bincount(at, minlength=one.shape[1]) / VISITS
        mine = own[row] / np.maximum(own[row] @ one @ one.T, 1e-12)
        found[row] = (ends @ one.T) * (0.5 * share + 0.5 * mine)
    return found + 1e-9 * share


def asking(world: World, asked: Asked) -> np.ndarray:
    """An agent that asks attribute by attribute, its tool ordered by EASE (`asking.py`)."""
    own, ease = (
        own_actions(asked),
        EASE().fit(asked.train).score(asked.train.histories(asked.users)),
    )
    told = [
        ask(w, own.sum(axis=0), s, world.catalogue).scores for w, s in zip(own, ease, strict=True)
    ]
    return np.stack(told) + 1e-9 * ease / np.abs(ease).max()


def trained(kind: type, name: str) -> Scorer:
    """A next-row network."""

    def score(world: World, asked: Asked) -> np.ndarray:
        model = kind(NETWORKS[name])
        return model.fit(asked.train).score(asked.train.histories(asked.users))

    return score


@cache
def counted(day: str) -> dict[str, np.ndarray]:
    """The rules of `world.py` on the test visits or those before."""
    world, asked = on(day)
    return rules(world, asked)


@cache
def on(day: str) -> tuple[World, Asked]:
    """The world and who is asked: "test", the last visit, or "valid", the one before."""
    world = load_world()
    asked = last_purchases(world)
    if day == "test":
        return world, asked
    inner = replace(world, log=asked.train)
    return inner, last_purchases(inner)


RULES = (
    "left in the cart: others of its kind",
    "EASE + own actions",
    "own actions, decayed",
    "kind × own actions",
    "last purchase",
    "last cart",
    "EASE",
    "ItemKNN",
    "Markov, last row",
    "popularity of purchases",
)
SCORERS: dict[str, Scorer] = {
    "ceiling": lambda world, asked: ceiling(world, asked, 200),
    BASE: imagined(shipped, VISITS),
    "simulator, 1 visit": imagined(shipped, 1),
    "simulator, 4 visits": imagined(shipped, 4),
    "simulator, 64 visits": imagined(shipped, 64),
    "simulator, full log-likelihood": imagined(shipped, VISITS, "full"),
    "simulator, per token": imagined(shipped, VISITS, "per token"),
    "simulator, purchase step": imagined(shipped, VISITS, "purchase"),
    "encoder's head alone": head,
    "as published, 16 visits": imagined(published, VISITS),
    "first vectors alone, EASE": vectors("ease"),
    "first vectors alone, SVD": vectors("svd"),
    "16 draws, Markov chain of own kinds": chain,
    "asked attribute by attribute": asking,
    "SASRec": trained(SASRec, "SASRec"),
    "SASRec with actions": trained(SASRec, "SASRec with actions"),
    "GRU4Rec": trained(GRU4Rec, "GRU4Rec"),
    "GRU4Rec with actions": trained(GRU4Rec, "GRU4Rec with actions"),
}
NETWORKS = {
    "SASRec": SASRecConfig(),
    "SASRec with actions": SASRecConfig(use_actions=True),
    "GRU4Rec": GRU4RecConfig(),
    "GRU4Rec with actions": GRU4RecConfig(use_actions=True),
}
SLOW, SWAP = tuple(NETWORKS), "swap"


def of(name: str, day: str = "test") -> Row:
    """What a row depends on as things stand."""
    ours = name.startswith(("simulator", "encoder", SWAP))
    late = name in ("as published, 16 visits", f"{SWAP}, as published")
    weights = digest(published()) if late else digest(shipped()) if ours else ""
    config = NETWORKS[name].model_dump_json() if name in NETWORKS else ""
    scorer = rules if name in RULES else swap_cost if name.startswith(SWAP) else SCORERS[name]
    return Row(name=name, day=day, weights=weights, config=config, code=source_of(scorer))


def measured(row: Row) -> pd.DataFrame:
    """[part, user, ndcg, recall, seconds] of a row; of a swap the nats of `swap_cost`."""
    world, asked = on(row.day)
    if row.name.startswith(SWAP):
        model = published() if row.name.endswith("as published") else shipped()
        return swap_cost(model, visits_for(asked, world))
    begun = time.process_time()
    name = row.name
    found = counted(row.day)[name] if name in RULES else SCORERS[name](world, asked)
    seconds = time.process_time() - begun
    parts = [measure(found, asked, part == "novel").assign(part=part) for part in PARTS]
    return pd.concat(parts, ignore_index=True).assign(seconds=seconds)


def row(name: str, day: str = "test") -> pd.DataFrame:
    """What `measured` finds, kept in a folder that is named by the log and all of `Row`; with its
    `identity`, the beginning of that name."""
    asked = of(name, day)
    run([asked], measured, folder(), version=VERSION, data=on(day)[0].log)
    return read(place(asked)).assign(identity=identity(asked))


def place(asked: Row) -> Path:
    """The folder of a row."""
    return folder_of(asked, measured, folder(), version=VERSION, data=on(asked.day)[0].log)


def identity(asked: Row) -> str:
    """The beginning of its folder's name."""
    return place(asked).name[:16]


def is_kept(name: str) -> bool:
    """Whether a row was measured as things stand."""
    return (place(of(name)) / "manifest.json").is_file()
