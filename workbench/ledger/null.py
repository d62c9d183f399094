"""What changes for no reason that matters: placebo rows of the same shopper, other shoppers
leaving."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd

from workbench.ledger.exposure import lists_of, touched
from workbench.ledger.memory import Removal, Service
from workbench.ledger.tiers import Switches
from workbench.reports import dependence, diff


@dataclass(frozen=True)
class Asked:
    """One request and what it turned the service into."""

    before: Service
    after: Service
    user: int
    ids: np.ndarray
    switches: Switches
    topic: str | None
    seed: int
    draws: int

    @cached_property
    def fates(self) -> pd.DataFrame:
        """[claim, fate, delta, dependence] between the two reports."""
        old, new = (service.report(self.user, self.seed) for service in (self.before, self.after))
        fates = diff(old, new, self.ids)
        return fates.assign(
            dependence=fates["claim"].map(dependence(old.support, self.ids)).fillna(0.0)
        )

    @cached_property
    def topic_items(self) -> np.ndarray:
        """Items of the topic; none without a topic."""
        return (
            np.zeros(0, dtype=int)
            if self.topic is None
            else self.before.catalogue.items_of(self.topic)
        )

    def line(
        self, kind: str, draw: int, rows: int, changed: Service, left_out: list[int]
    ) -> dict[str, Any]:
        """What one change does to the shopper's claims and list, and to everybody who is not left
        out."""
        old, new = (set(service.claims(self.user)) for service in (self.before, changed))
        shown = np.isin(lists_of(changed, self.user, 10), self.topic_items).any()
        facts = {"gone": len(old - new), "new": len(new - old)}
        facts |= {
            "others": int(touched(self.before, changed, np.array(left_out))["changed"].iloc[0])
        }
        return {
            "kind": kind,
            "draw": draw,
            "rows": rows,
            **facts,
            "exposed": np.nan if self.topic is None else shown,
        }


def null(asked: Asked) -> pd.DataFrame:
    """The request beside requests that should change nothing of its kind; see `Forgetting.null`."""
    before, user, n = asked.before, asked.user, len(asked.ids)
    own, rng = before.log.rows_of(user), np.random.default_rng([asked.seed, user])
    free = ~own["interaction"].isin(asked.ids) & ~own["item"].isin(asked.topic_items)
    others, product = (
        own.loc[free, "interaction"].to_numpy(),
        np.unique(own.loc[free, "item"], return_inverse=True)[1],
    )
    lines = [asked.line("this request", 0, n, asked.after, [user])]
    for draw in range(asked.draws if n and len(others) else 0):
        # product by product, as requests come: a model that reads which products you had misses
        # only whole ones
        turn = rng.permutation(product.max() + 1)
        placebo = others[np.argsort(turn[product], kind="stable")[:n]]
        # not kept: nobody asks for it again
        changed = Removal(before, placebo).at(before.reach(asked.switches))
        lines.append(asked.line("placebo rows", draw, len(placebo), changed, [user]))
    strangers = np.flatnonzero(np.diff(before.everyone.offsets) > 0)
    leaving = np.random.default_rng([asked.seed, user, 1]).permutation(strangers[strangers != user])
    for draw, stranger in enumerate(leaving[: max(asked.draws, 0)].tolist()):
        key = ("leaves", stranger, user, asked.topic)
        lines.append(before.keep(key, partial(_leaves, asked, stranger)) | {"draw": draw})
    return pd.DataFrame(lines).astype({"exposed": float})


def _leaves(asked: Asked, stranger: int) -> dict[str, Any]:
    gone = asked.before.log.rows_of(stranger)["interaction"].to_numpy()
    everywhere = asked.before.reach(Switches())
    left = asked.before.keep(("left", stranger), lambda: Removal(asked.before, gone).at(everywhere))
    return asked.line("another shopper leaves", 0, len(gone), left, [asked.user, stranger])
