"""Tables of texts: those that shoppers of the world wrote, and as many more by fresh ones as a
model needs."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from workbench.worlds.corpus import Texts
from workbench.worlds.shop.people import Person, make_people
from workbench.worlds.shop.shop import below, draw, normal
from workbench.worlds.shop.writing import Writer

if TYPE_CHECKING:
    from workbench.worlds.shop.world import World

HELD_FACTS = {"Horror novels": "reads", "Baby & pregnancy": "expecting"}
"""Categories that a fresh shopper buys from only with such a memory item."""


def write_texts(
    rng: np.random.Generator,
    writer: Writer,
    people: tuple[list[Person], pd.DataFrame],
    purchases: pd.DataFrame,
    liking: pd.DataFrame,
) -> Texts:
    """One text for every row of `purchases` [user, item, interaction, timestamp], by the user's
    person (`people`: those of `make_people`), who likes the attributes of products as `liking`
    says: one row a shopper, one column an attribute.

    The prompt of a text shows the memory items it tells, the tone, and one or two distractors;
    `shown` says so.
    """
    persons, memories = {person.user: person for person in people[0]}, people[1]
    likes = liking.to_dict(orient="index")
    rows = defaultdict(list)
    for text, row in enumerate(purchases.itertuples(index=False)):
        person = persons[row.user]
        facts = person.facts.values()
        kind = "note" if rng.random() < 0.3 else "review"
        item, mine = int(row.item), likes[row.user]
        query, page, told = writer.write(rng, person, item, kind, mine)
        # the prompt shows what the text tells, and one or two memory items more
        needed = {memory for *_, memory, _ in page.marks if memory >= 0}
        needed |= {person.facts[attribute].memory for attribute in ["tone", *told]}
        others = [fact.memory for fact in facts if fact.memory not in needed]
        order = rng.permutation(len(others))
        needed |= {others[place] for place in order[: 1 + below(rng, 2)]}
        head = text, row.user, row.item, row.interaction, kind
        rows["texts"].append((*head, query, page.text, row.timestamp))
        for fact in facts:
            rows["text_memories"].append((text, fact.memory, fact.memory in needed))
        for start, end, *mark in page.marks:
            rows["words"].append((text, start, end, page.text[start:end], *mark))
        rows["sentences"] += [(text, *sentence) for sentence in page.sentences]
        rows["text_attributes"] += [(text, *said) for said in page.attributes]
    return Texts.of(rows, more=["timestamp"], memories=memories)


def generate_texts(world: World, n: int, seed: int, per_shopper: int = 8) -> Texts:
    """`n` more texts by fresh shoppers (a population of its own for every `seed`), same catalogue,
    same rules.

    User codes begin after the world's and memory ids after its memories, so that tables may be
    joined; `interaction` is -1: these purchases are in no log. Nobody of the world is among the
    writers, but persons are drawn from the same bank of facts and sentences.

    >>> from workbench.data import load_world
    >>> generate_texts(load_world(), 100, seed=7)
    Texts(generated, 100 by 13 shoppers)
    """
    rng = np.random.default_rng([seed, 99])
    n_users = -(-n // per_shopper)
    users = pd.DataFrame({"user": world.log.n_users + np.arange(n_users)})
    users["holds_horror"] = rng.random(n_users) < 0.25
    users["holds_sensitive"] = rng.random(n_users) < 0.25
    first = int(world.truth["memories"]["memory"].max()) + 1
    people = make_people(rng, users, first)
    names = world.truth["attributes"]["attribute"]
    drawn = normal(rng, n_users * len(names)).reshape(n_users, -1)
    liking = pd.DataFrame(drawn, users["user"], names)
    # what they bought: what is popular, of categories that are open to them
    popularity = np.exp(0.7 * world.truth["items"]["popularity"].to_numpy())
    category = world.catalogue.frame["category"].to_numpy()
    rows, times = [], world.log.frame["timestamp"]
    for number in range(n):
        person = people[0][number // per_shopper]
        closed = [name for name, attribute in HELD_FACTS.items() if attribute not in person.facts]
        item = draw(rng, popularity * ~np.isin(category, closed))
        rows.append((person.user, item, -1, times.iat[below(rng, len(times))]))
    purchases = pd.DataFrame(rows, columns=["user", "item", "interaction", "timestamp"])
    writer = Writer(world.catalogue, world.truth)
    return write_texts(rng, writer, people, purchases, liking)
