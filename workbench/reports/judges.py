"""Which of two pages is better, by a judge; and whether the judge measures anything.

    preferred = share of pairs in which a page was chosen, over both orders, ties one half
    position  = share of answers that chose the page shown first
    length    = share of pairs in which the longer of two pages with the same findings was chosen
    citations = the same for marks of citations; and for marks that point at other rows

A judge that reads the pages has one half in the last three lines, and in the second. Judges of
language models like what stands first and what is long (Zheng et al., arXiv:2306.05685), and readers
of a search engine gave votes to citations, also to those that did not support the answer (Search
Arena, arXiv:2506.05334). So each pair is asked in both orders, and `audit` asks about pages of the same
shopper that differ in length or marks alone. `swap_test` is that of PARL (arXiv:2605.31545): the same
two pages beside the visits of the other shopper. A judge that reads the visits follows them.

A judge is any function (visits, first page, second page) → 0, 1, or None where it cannot choose: a rule
of these below, a `ModelJudge`, or a person, whose answers come as the same table
(`workbench.views.Readings`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from workbench.errors import DataError
from workbench.reports._judges_agreement import agreement
from workbench.reports._judges_answers import Judge, Pair, ask, last_visits, position, preferred
from workbench.reports._judges_asking import ModelJudge
from workbench.reports._judges_controls import cited, cut, even, told_twice
from workbench.reports._judges_rules import first, longer, more_cited, reads_visits
from workbench.reports.writer import Report

__all__ = [
    "ModelJudge",
    "Pair",
    "agreement",
    "ask",
    "audit",
    "cited",
    "cut",
    "even",
    "first",
    "longer",
]
__all__ += [
    "last_visits",
    "more_cited",
    "position",
    "preferred",
    "reads_visits",
    "swap_test",
    "told_twice",
]


def audit(judge: Judge, pages: Sequence[tuple[str, Report]], words: int = 60) -> pd.DataFrame:
    """What the judge likes that is no finding, on (visits, page): [control, share, low, high, n,
    verdict], one half being no sign of it.

    Each page is held against itself told twice, against itself cut to so many words (the end of a
    page says less of the shopper, and something), against itself with marks of citations, and these
    against the same number of marks that point at other rows. Raises `DataError` without a page.
    """
    if not pages:
        raise DataError("no pages", "audit", "one or more")
    plain = [("page", report.text) for _, report in pages]
    marked = [("marked", cited(report)) for _, report in pages]
    made = {
        "the longer, told twice": (plain, [("twice", told_twice(one)) for _, one in pages]),
        "the longer, not cut": ([("cut", cut(one.text, words)) for _, one in pages], plain),
        "the one with citations": (plain, marked),
        "citations of other rows": (marked, [("other", cited(one, True)) for _, one in pages]),
    }
    rows, every = [], []
    for control, (without, within) in made.items():
        pairs = [
            Pair(f"{n}", dict(two), visits)
            for n, ((visits, _), *two) in enumerate(zip(pages, without, within, strict=True))
        ]
        every.append(ask(judge, pairs))
        rows.append({"control": control, **preferred(every[-1], within[0][0])})
    rows.insert(0, {"control": "the one that stands first", **position(pd.concat(every))})
    return pd.DataFrame([row | {"verdict": _verdict(row)} for row in rows])


def _verdict(row: Mapping[str, float]) -> str:
    if row["low"] <= 0.5 <= row["high"]:
        return "no sign"
    return "likes it" if row["low"] > 0.5 else "dislikes it"


def swap_test(judge: Judge, pages: Sequence[tuple[str, str]], seed: int = 0) -> pd.DataFrame:
    """PARL's swap test on (visits, page) of shoppers, each beside the next in an order drawn:
    [shown, share, low, high, n].

    "own": one's visits are shown, share for one's page. "swapped": the other's, share for the other's
    page. "follows": both together; a judge that does not read the visits has exactly one half, since
    what it gains by the first it loses by the second. Raises `DataError` for fewer than two pages.
    """
    if len(pages) < 2:
        raise DataError(f"{len(pages)} pages", "swap_test", "two or more")
    order = np.random.default_rng(seed).permutation(len(pages))
    shown = {"own": [], "swapped": []}
    for n, other in zip(order, np.roll(order, -1), strict=True):
        two = {"one": pages[n][1], "other": pages[other][1]}
        shown["own"].append(Pair(f"{n}", two, pages[n][0]))
        shown["swapped"].append(Pair(f"{n}", two, pages[other][0]))
    own, swapped = (ask(judge, pairs) for pairs in shown.values())
    rows = [("own", preferred(own, "one")), ("swapped", preferred(swapped, "other"))]
    # what is chosen, by whose visits are shown
    named = {"one": "other", "other": "one"}
    turned = swapped.replace({"first": named, "second": named, "chosen": named})
    rows.append(("follows", preferred(pd.concat([own, turned]), "one")))
    return pd.DataFrame([{"shown": name, **found} for name, found in rows])
