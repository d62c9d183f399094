"""What if price weighed more, or if nothing of a brand were offered: equation 11 asked again.

    L_0(i) = Σ_D 1/|D| Σ_{a∈D} (w_a + δ) · s_i^(a)        w the reader's, not the rubric's

RecPilot (arXiv 2603.07605) has no such door. Both pages, the one before and the one after, offer
what comes first by L_0 among what they are after (kind, then category, then the rest): nothing
differs but weights and bans, and where nothing was changed the pages are equal. The page as it is
served ranks by what was done, see `agent`. What a page says of the rubric stays what purchases
taught.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from workbench.data import Catalogue
from workbench.errors import ConfigError, ModelError, check_number, typed
from workbench.reports.evidence import Evidence
from workbench.reports.offers import roles
from workbench.reports.recpilot._banned import Ban, having, named
from workbench.reports.recpilot._telling import seen_of, sold_to_others
from workbench.reports.recpilot.agent import within
from workbench.reports.recpilot.aspects import ATTRIBUTES, rank_aspects
from workbench.reports.writer import Report, write

MOST = 10.0
"""The largest weight, and the smallest below 0."""


@dataclass(frozen=True, repr=False, eq=False)
class Weighed:
    """A page before and after weights were changed and values banned.

    evidences: with the offers before and after. weights: [attribute, learnt, now]. banned:
    (attribute, value) each. places: [item, title, kind, before, after], what can be offered in the
    order before; the place after is missing for what was banned.
    """

    evidences: tuple[Evidence, Evidence]
    weights: pd.DataFrame
    banned: tuple[tuple[str, str], ...]
    places: pd.DataFrame

    @cached_property
    def before(self) -> Report:
        """The page by the rubric's own weights."""
        return write(self.evidences[0], ranges=False)

    @cached_property
    def after(self) -> Report:
        """The page by the weights of now, without what was banned."""
        same = self.evidences[0].chosen == self.evidences[1].chosen
        return self.before if same else write(self.evidences[1], ranges=False)

    def to_frame(self) -> pd.DataFrame:
        """Places, a row a product."""
        return self.places

    def __repr__(self) -> str:
        changed = self.weights[self.weights["learnt"] != self.weights["now"]]
        told = [
            f"{name} {now:.2f}" for name, now in zip(changed.attribute, changed.now, strict=True)
        ]
        told += [f"no {name} {value}" for name, value in self.banned]
        before, after = (one.chosen for one in self.evidences)
        differ = "stay" if before == after else "differ"
        return f"Weighed({', '.join(told) or 'nothing changed'}: the offers {differ})"


@typed
def weigh(
    evidence: Evidence, weights: Mapping[str, float] | None = None, ban: Ban | None = None
) -> Weighed:
    """The page and the ranking under other weights, and without products of some attribute values.

    weights: attribute → weight, from −10 to 10, the rubric's own where not told. ban: attribute
    (see `_banned`) → value or values. Raises `ConfigError` for an attribute that there is not and for a
    weight that is no number, `UnknownItem` for a value that no product has, and `ModelError` for
    evidence without a rubric.

    >>> weigh(service.evidence(3), {"price": 1.0}, {"brand": "Ashmoor"}).after  # doctest: +SKIP
    """
    rubric = evidence.stores.get("rubric")
    if rubric is None:
        do = "Service.build(log, catalogue, model, stores=(EntityStore, Rubric))"
        raise ModelError("nothing is known of weights", "evidence", "a store called rubric", do)
    learnt = rubric.weights(evidence.user)
    now = _replaced(learnt, weights or {})
    pairs = named(ban or {})
    out = np.zeros(len(evidence.catalogue), dtype=bool)
    for name, value in pairs:
        out |= having(evidence.catalogue, name, value)
    # the same products, seen in the same way, twice
    items = np.arange(len(out))
    seen = seen_of(rubric, evidence, items, sold_to_others(evidence))
    orders = []
    for own, gone in ((learnt, np.zeros_like(out)), (now, out)):
        c = rubric.config
        overall = rank_aspects(items, own, seen, c.largest, c.delta).scores.sum(axis=0)
        orders.append(_ordered(evidence, overall, gone))
    # each page offers what stands first
    before, after = (evidence.choosing(roles(one, evidence.catalogue)) for one in orders)
    table = {"attribute": [*ATTRIBUTES], "learnt": learnt, "now": now}
    return Weighed(
        (before, after), pd.DataFrame(table), pairs, _places(evidence.catalogue, *orders)
    )


def _replaced(learnt: np.ndarray, weights: Mapping[str, float]) -> np.ndarray:
    """The rubric's weights with those of the reader's in their place."""
    now = learnt.copy()
    if not isinstance(weights, Mapping):
        what, do = f"{weights!r:.80}", 'such as {"price": 1.0}'
        raise ConfigError(what, "weights", "attribute → weight", do)
    for name, weight in weights.items():
        if name not in ATTRIBUTES:
            raise ConfigError(f"no attribute {name!r:.60}", "weights", ", ".join(ATTRIBUTES))
        check_number(-MOST, MOST, **{name: weight})
        now[ATTRIBUTES.index(name)] = weight
    return now


def _ordered(evidence: Evidence, overall: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """Item codes that can be offered: nearest to what they are after first, then by L_0, ties by
    the code."""
    items = evidence.offerable[~gone[evidence.offerable]]
    masks = within(evidence)
    # the place of the narrowest mask that holds an item
    near = np.argmax(np.stack(masks), axis=0)
    # what is equal but for rounding keeps the order of the codes
    return items[np.lexsort((items, -overall[items].round(12), near[items]))]


def _places(catalogue: Catalogue, before: np.ndarray, after: np.ndarray) -> pd.DataFrame:
    """[item, title, kind, before, after], 1 the first."""
    table = catalogue.frame.loc[before, ["item", "title"]].reset_index(drop=True)
    places = pd.Series(np.arange(1, len(after) + 1), index=after)
    table["kind"] = catalogue.kind[before]
    table["before"] = np.arange(1, len(before) + 1)
    return table.assign(after=table["item"].map(places).astype("Int64"))
