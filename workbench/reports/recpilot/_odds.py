"""How often lines outside the usual came true: the same rule on histories cut before their end."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from pydantic import PositiveInt

from workbench.data import Catalogue, Histories, Interactions
from workbench.recommend import EASE
from workbench.settings import Frozen
from workbench.statistics import bootstrap_mean

THIRDS = (1 / 3, 2 / 3)


class OutsideConfig(Frozen):
    """Settings of the line."""

    usual: PositiveInt = 2
    """Visits that make a category usual."""
    visits: PositiveInt = 3
    """Visits in which a line may come true."""
    cuts: PositiveInt = 4
    """How often every history is cut, each time so many visits earlier."""
    least: PositiveInt = 4
    """Visits that a history must hold to be asked."""


class Odds(NamedTuple):
    """How lines with a score from `low` on came true: known of lines; random: of products drawn from
    the same choice (expected); beats: the interval of the difference lies above 0."""

    low: float
    known: int
    lines: int
    random: float
    beats: bool


def free_of(histories: Histories, catalogue: Catalogue, config: OutsideConfig) -> np.ndarray:
    """What lies outside, (B, n_items): of no usual category, and never touched; none where too
    few visits are known."""
    names = pd.factorize(catalogue.frame["category"].astype(str))[0]
    visits = np.zeros((len(histories), names.max() + 1), dtype=np.int64)
    seen = np.stack([histories.rows, histories.ago, names[histories.item]], axis=1)
    place = np.unique(seen, axis=0)
    np.add.at(visits, (place[:, 0], place[:, 2]), 1)
    many = np.zeros(len(histories), dtype=np.int64)
    np.maximum.at(many, histories.rows, histories.ago + 1)
    outside = (visits < config.usual)[:, names] & (histories.matrix().toarray() == 0)
    return outside & (many >= config.least)[:, None]


def record(log: Interactions, catalogue: Catalogue, config: OutsideConfig) -> pd.DataFrame:
    """A line a shopper and cut: [cut, user, item, score, known, random, pick].

    known: whether the line came true; random: the chance of a product drawn from the same choice;
    pick: whether the best-scored untouched product of the usual came true.
    """
    histories, found = log.histories(), []
    for cut in range(config.cuts):
        # what was known by then, and the few visits that followed
        early = histories.ago >= config.visits * (cut + 1)
        late = (histories.ago >= config.visits * cut) & ~early
        before = log.only(histories.interaction[early])
        past = before.histories(histories.user)
        later = log.only(histories.interaction[late]).histories(histories.user)
        looked = later.matrix().toarray() > 0
        scores = EASE().fit(before).score(past)
        free = free_of(past, catalogue, config)
        usual = ~free & (past.matrix().toarray() == 0)
        # of everybody who has a choice of both
        rows = np.flatnonzero(free.any(axis=1) & usual.any(axis=1))
        item = np.where(free, scores, -np.inf).argmax(axis=1)[rows]
        pick = np.where(usual, scores, -np.inf).argmax(axis=1)[rows]
        random = (looked & free)[rows].sum(axis=1) / free[rows].sum(axis=1)
        columns = {"cut": cut, "user": histories.user[rows], "item": item}
        columns |= {"score": scores[rows, item], "known": looked[rows, item], "random": random}
        found.append(pd.DataFrame(columns | {"pick": looked[rows, pick]}))
    return pd.concat(found, ignore_index=True)


def odds_of(lines: pd.DataFrame) -> list[Odds]:
    """The odds of lines by thirds of their score: [user, score, known, random]."""
    found = []
    edges = np.quantile(lines["score"], THIRDS) if len(lines) else np.zeros(2)
    third = np.searchsorted(edges, lines["score"], side="right")
    for place, low in enumerate((-np.inf, *edges)):
        own = lines[third == place]
        # a shopper's lines hang together: each counts once
        more = (own["known"] - own["random"]).groupby(own["user"]).sum().to_numpy()
        beats = len(more) > 1 and bootstrap_mean(more, shares=False)[1] > 0
        known, random = int(own["known"].sum()), float(own["random"].sum())
        found.append(Odds(float(low), known, len(own), random, bool(beats)))
    return found
