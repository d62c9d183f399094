"""Does the simulator read its history? Nats of first looks with the own history, with another
shopper's, and with none.

A first look is a product that the visit has not touched before; only these need the history, for
what is looked at again, put in the cart and bought can be copied from the visit itself. A loss that
falls may have learned copying alone, so the kinds are told apart everywhere.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from workbench.data import Histories
from workbench.errors import DataError, check_number, typed
from workbench.recommend import top_k
from workbench.recommend.evaluation import list_metrics
from workbench.reports.recpilot.grammar import PAD, Vocabulary
from workbench.reports.recpilot.simulator import Simulator
from workbench.reports.recpilot.visits import Visits

KINDS = ("first", "again", "other")
TOGETHER = 64


def kinds_of(tokens: np.ndarray, vocabulary: Vocabulary) -> np.ndarray:
    """0 where a product is looked at first, 1 where again, 2 for actions and the end, −1 for
    padding; (B, T)."""
    is_product = tokens >= vocabulary.items_from
    same = (tokens[:, :, None] == tokens[:, None, :]) & is_product[:, :, None]
    again = np.tril(same, -1).any(axis=2)
    kinds = np.where(is_product, again.astype(int), 2)
    return np.where(tokens == PAD, -1, kinds)


@typed
def nats(simulator: Simulator, visits: Visits, histories: Histories | None = None) -> pd.DataFrame:
    """−log p of visits, given their own or other histories: [visit, kind, nats, tokens]; kinds are
    first (a product for the first time in the visit), again, other (actions and the end)."""
    histories = visits.histories if histories is None else histories
    tokens = simulator.tokens(visits.trajectories)
    lost = np.zeros(tokens.shape)
    order = np.argsort(np.diff(histories.offsets), kind="stable")
    with torch.no_grad():
        for part in np.array_split(order, max(1, len(order) // TOGETHER)):
            lost[part] = -simulator.log_probs(histories.select(part), tokens[part]).numpy()
    kinds = kinds_of(tokens, simulator.vocabulary)
    parts = []
    for code, kind in enumerate(KINDS):
        asked = kinds == code
        columns = {"visit": np.arange(len(tokens)), "kind": kind}
        columns |= {"nats": (lost * asked).sum(axis=1), "tokens": asked.sum(axis=1)}
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


@typed
def swapped(histories: Histories, seed: int = 0) -> Histories:
    """Every shopper with the history of another: one circle through all, drawn from the seed.
    Raises `DataError` for fewer than two."""
    check_number(0, seed=seed)
    if len(histories) < 2:
        raise DataError("nobody to swap with", "histories", "two histories or more")
    order = np.random.default_rng(seed).permutation(len(histories))
    other = np.empty_like(order)
    other[order] = np.roll(order, 1)
    return histories.select(other)


@typed
def swap_cost(simulator: Simulator, visits: Visits, seed: int = 0) -> pd.DataFrame:
    """Nats a first look of each visit: [visit, user, own, swapped, none]; swapped less own is what
    the history is worth, none less own what a history of nobody would be."""
    empty = visits.histories.keep(np.zeros(len(visits.histories.item), dtype=bool))
    given = {"own": None, "swapped": swapped(visits.histories, seed), "none": empty}
    columns = {"visit": np.arange(len(visits)), "user": visits.trajectories.user}
    for name, histories in given.items():
        table = nats(simulator, visits, histories)
        first = table[table["kind"] == "first"]
        columns[name] = (first["nats"] / first["tokens"]).to_numpy()
    return pd.DataFrame(columns)


def ndcg(scores: np.ndarray, visits: Visits, k: int = 10) -> np.ndarray:
    """NDCG@k of what is bought, all products ranked; (B,)."""
    targets = visits.trajectories.bought()
    gains = np.take_along_axis(targets, top_k(scores, k), axis=1).astype(float)
    judged = -np.sort(-targets.astype(float), axis=1)[:, :20]
    return list_metrics(gains, judged, k)["ndcg"]
