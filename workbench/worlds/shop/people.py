"""The persons behind the texts: a tone, and five to nine memory items each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.worlds.corpus import bank
from workbench.worlds.shop.shop import below, draw, one

GENERAL = ("home", "work", "household", "pet", "body", "hobby", "transport", "habit", "place")


@dataclass(frozen=True)
class Fact:
    """One memory item: its id, the entry of the bank it comes from, and the name in it, if any."""

    memory: int
    entry: dict
    name: str


@dataclass(frozen=True)
class Person:
    """One writer: a tone (dry, warm, terse, exuberant) and facts by attribute, the tone among
    them."""

    user: int
    tone: str
    facts: dict[str, Fact]


def make_people(
    rng: np.random.Generator, users: pd.DataFrame, first_memory: int = 0
) -> tuple[list[Person], pd.DataFrame]:
    """Draw persons for `users` [user, holds_horror, holds_sensitive] and their memories.

    Memories: [memory, user, attribute, statement]. Who holds the sensitive category has a memory
    item that says so (attribute `expecting`); who holds the horror category has one on reading,
    mostly of horror novels.
    """
    values, names = bank("people"), bank("frames")["names"]
    people, rows = [], []
    holders = users[["user", "holds_horror", "holds_sensitive"]]
    for user, horror, sensitive in holders.itertuples(index=False):
        # what tells of a held category, and as much else as there is room for
        attributes = ["expecting"] if sensitive else []
        if horror or rng.random() < 0.15:
            attributes.append("reads")
        order = rng.permutation(len(GENERAL))
        wanted = 4 + below(rng, 5) - len(attributes)
        attributes += [GENERAL[k] for k in order[: max(wanted, 3)]]
        facts = {}
        for attribute in ["tone", *attributes]:
            entries = values[attribute]["values"]
            steepness = 0.0 if attribute == "tone" else -0.35
            entry = entries[draw(rng, np.arange(1.0, len(entries) + 1) ** steepness)]
            if attribute == "reads" and horror and rng.random() < 0.7:
                entry = entries[0]
            name = ""
            if "{name}" in entry["says"]:
                pool = names["partner" if attribute == "household" else "name"]
                name = one(rng, pool)
            memory = first_memory + len(rows)
            facts[attribute] = Fact(memory, entry, name)
            rows.append((memory, user, attribute, entry["says"].replace("{name}", name)))
        people.append(Person(int(user), facts["tone"].entry["copy"], facts))
    memories = pd.DataFrame(rows, columns=["memory", "user", "attribute", "statement"])
    return people, memories.astype({"memory": "int32", "user": "int32"})
