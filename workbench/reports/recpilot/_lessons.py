"""What a shopper's visits teach, by rule: the entries of the experience memory.

A purchase of item b teaches where a ranking would have done better (contrastive consolidation).
Among the products of b's kind, with attributes a that lie in [0, 1]:

    price   share of the others that cost more      rating  share of the others rated lower
    brand   share of the shopper's purchases so far that are of its brand

    s_i^(D) = 1/|D| Σ_{a∈D} (w^(a) + δ) s_i^(a)     one ranking for each D of one or two attributes

negative = the ranking by Σ_a w^(a) s_i^(a) before the step; positive = the one that places b best.
An entry is written only where the positive ranks b higher; it names the attribute of D in which b
leads the others most, and then w^(a) += η δ for the a in D. Visits that only look teach what was
left (extended mining); that moves no weight.

The paper has a language model write both, over attributes that it scores itself. Here the weights
are the memory's own, replayed from the shopper's rows, and nothing is counted over other shoppers:
entries are a function of one shopper's rows and of the catalogue, so that they can be derived again
without some of them.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from workbench.data import Interactions
from workbench.reports.recpilot._entries import PRESSED, Entry, Look, entry_of, left, why
from workbench.reports.recpilot._goods import Goods

DELTA, ETA = 0.25, 0.2
"""How much an aspect lifts its attributes, and how much of that stays after a step."""
ATTRIBUTES = ("price", "rating", "brand")
ASPECTS = (*combinations(ATTRIBUTES, 1), *combinations(ATTRIBUTES, 2))
DIARY = ["item", "action", "visit", "interaction"]


def visit_labels(frame: pd.DataFrame) -> np.ndarray:
    """Which visit each row of a log is of: its session; else its day; else one of its own."""
    alone = -(2**40) - frame["interaction"].to_numpy()
    time = frame["timestamp"].dt.tz_localize(None).to_numpy().astype("datetime64[D]")
    day = np.where(np.isnat(time), alone, -1 - 10**6 - time.astype(np.int64))
    session = frame["session"].to_numpy(dtype=np.int64, na_value=-1)
    return np.where(session >= 0, session, day)


def diaries_of(log: Interactions) -> dict[int, pd.DataFrame]:
    """The rows of each shopper, `DIARY`, in log order, by user code."""
    rows = log.frame[["user", "item", "interaction"]].copy()
    rows["action"] = log.frame["action"].astype(str)
    rows["visit"] = visit_labels(log.frame)
    parts = rows.groupby("user")[DIARY]
    return {int(user): part.reset_index(drop=True) for user, part in parts}


def lessons(diary: pd.DataFrame, goods: Goods) -> tuple[Entry, ...]:
    """The entries of one shopper, in the order of their visits; equal texts are one entry.

    diary: [item, action, visit, interaction], in log order.
    """
    visits = pd.factorize(diary["visit"])[0].tolist()
    columns = [diary[name].tolist() for name in ("item", "action", "interaction")]
    looks = list(map(Look, *columns[:2], visits, columns[2]))
    found: dict[str, Entry] = {}
    for entry in (*_bought(looks, goods), *left(looks, goods)):
        old = found.get(entry.text, entry)
        joined = {
            "rows": tuple(sorted({*old.rows, *entry.rows})),
            "items": tuple(sorted({*old.items, *entry.items})),
            "visit": max(old.visit, entry.visit),
        }
        found[entry.text] = entry._replace(**joined)
    return tuple(sorted(found.values(), key=lambda entry: (entry.visit, entry.rows[-1])))


def _bought(diary: list[Look], goods: Goods) -> list[Entry]:
    """Purchases, one after another, each against the weights that the earlier ones left."""
    weights = dict.fromkeys(ATTRIBUTES, 1 / len(ATTRIBUTES))
    paid: list[Look] = []
    entries = []
    for look in diary:
        if look.action != "purchase":
            continue
        item, kind = look.item, goods.kind[look.item]
        alike, brands = goods.alike[kind], [goods.brand[one.item] for one in paid]
        scores = _scores(alike, brands, goods)
        place = int(np.searchsorted(alike, item))
        # products that do not say what they are have no substitutes
        aspect, decided = _contrast(scores, place, weights) if kind else ((), "")
        for name in aspect:
            weights[name] += ETA * DELTA
        if aspect:
            # what was done with its kind in this visit, the purchase included
            same = [one for one in diary if one.visit == look.visit and one.action not in PRESSED]
            rows = [one for one in same if goods.kind[one.item] == kind]
            share = scores[decided][place]
            text = why(decided, item, share, len(alike), brands, goods)
            entry = entry_of(text, rows, item, goods, decided)
            # a brand that decides rests on what was bought of it before
            again = [one for one in paid if goods.brand[one.item] == goods.brand[item]]
            past = {one.interaction for one in again if decided == "brand"}
            entries.append(entry._replace(rows=tuple(sorted(past.union(entry.rows)))))
        paid.append(look)
    return entries


def _scores(alike: np.ndarray, brands: list[str], goods: Goods) -> dict[str, np.ndarray]:
    """Every attribute of the products of a kind, in [0, 1]; 0 for what is not known."""
    others = max(len(alike) - 1, 1)
    names = (goods.brand[item] for item in alike.tolist())
    bought = [brands.count(name) if name else 0 for name in names]
    return {
        "price": _below(-goods.price[alike]) / others,
        "rating": _below(goods.rating[alike]) / others,
        "brand": np.array(bought) / max(len(brands), 1),
    }


def _below(values: np.ndarray) -> np.ndarray:
    """How many of the others are lower, for each of the values (n,); 0 for NaN, which is neither
    lower nor higher."""
    known = np.isfinite(values)
    below = np.searchsorted(np.sort(values[known]), values)
    return np.where(known, below, 0)


def _contrast(
    scores: dict[str, np.ndarray], place: int, weights: dict[str, float]
) -> tuple[tuple[str, ...], str]:
    """The aspect that places the purchase best, and its deciding attribute; none where no aspect
    places it better than the weights did, or where it leads the others in nothing."""
    best = _rank(scores, place, weights)
    aspect: tuple[str, ...] = ()
    for names in ASPECTS:
        rank = _rank(scores, place, {name: weights[name] + DELTA for name in names})
        if rank < best:
            best, aspect = rank, names
    lead = {a: (weights[a] + DELTA) * (scores[a][place] - scores[a].mean()) for a in aspect}
    decided = max(lead, key=lambda name: lead[name], default="")
    return (aspect, decided) if lead.get(decided, 0.0) > 1e-12 else ((), "")


def _rank(scores: dict[str, np.ndarray], place: int, weights: dict[str, float]) -> int:
    """The place of the purchase, 1 the best; behind what scores the same, as a tie teaches
    nothing."""
    total = np.round(sum(weight * scores[name] for name, weight in weights.items()), 12)
    return int((total >= total[place]).sum())
