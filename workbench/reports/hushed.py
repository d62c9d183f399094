"""What is left unsaid, and what stands so near to it that it would say it: neighbours of a topic.

    t is hushed   ⇔   of the products of t at least half are of a topic left unsaid,
                      or a word of t tells: one in the name of a topic left unsaid, and more than half of
                      the products whose topics and kinds use it are of such a topic

t is a topic or a kind. *Horror novels* left unsaid hush *Haunted houses*, which are the same books, and
*horror game*, which says the word; *courtroom novel* shares a word that other books share, too. Of a
topic that is hushed for its other products those may be named, of a kind that is hushed none.
"""

from __future__ import annotations

import re
from collections import defaultdict

import numpy as np

from workbench.data import Catalogue

MOST = 0.5
"""Part of the products that make a name tell."""


def hushed(catalogue: Catalogue, unsaid: frozenset[str]) -> frozenset[str]:
    """Topics and kinds that are not named where these topics are left unsaid, they among them;
    found once for each catalogue, which never changes."""
    known = vars(catalogue).setdefault("_hushed", {})
    if unsaid not in known:
        known[unsaid] = _near(catalogue, unsaid) if unsaid else unsaid
    return known[unsaid]


def _near(catalogue: Catalogue, unsaid: frozenset[str]) -> frozenset[str]:
    silent = np.zeros(len(catalogue), dtype=bool)
    for topic in unsaid:
        silent[catalogue.items_of(topic)] = True
    named = _products(catalogue)
    # the products of every word in a name
    using: dict[str, list[np.ndarray]] = defaultdict(list)
    for name, items in named.items():
        for word in words(name):
            using[word].append(items)
    # words of these topics that most other products do not share
    own = {word for topic in unsaid for word in words(topic) if word in using}
    telling = {word for word in own if silent[np.unique(np.concatenate(using[word]))].mean() > MOST}
    near = {name for name, items in named.items() if silent[items].mean() >= MOST}
    return unsaid | near | {name for name in named if words(name) & telling}


def silenced(catalogue: Catalogue, unsaid: frozenset[str]) -> np.ndarray:
    """Mask (n_items,) of products of these topics, and of kinds that are hushed with them."""
    silent = np.isin(catalogue.kind, list(hushed(catalogue, unsaid)))
    for topic in unsaid:
        silent[catalogue.items_of(topic)] = True
    return silent


def _products(catalogue: Catalogue) -> dict[str, np.ndarray]:
    """The products of every topic and kind, by name."""
    named = {str(name): rows.to_numpy() for name, rows in catalogue.topics.groupby("topic")["item"]}
    for kind in set(catalogue.kind.tolist()) - {""}:
        items = np.flatnonzero(catalogue.kind == kind)
        named[kind] = np.union1d(items, named.get(kind, items))
    return named


def words(name: str) -> frozenset[str]:
    """The words of a name that may tell: four letters or more, in small letters, one form for one
    and many.

    >>> sorted(words("Horror novels & the sea"))
    ['horror', 'novel']
    """
    found = re.findall(r"[^\W\d_]{4,}", name.casefold())
    return frozenset(word.removesuffix("s") for word in found)
