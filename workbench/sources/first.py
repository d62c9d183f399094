"""What a notebook shows first of data that it has never seen: whose, which card, which request."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from workbench.data.catalogue import Catalogue
from workbench.data.interactions import Interactions
from workbench.errors import ConfigError, typed
from workbench.settings import settings
from workbench.sources.cards import read_cards

READABLE, ASKED = 30, 3
"""Items of a history that a screen shows well, and the fewest of a topic that is worth asking for."""


def latest() -> str:
    """The name of the card that was added last; `ConfigError` where there is none."""
    own = settings().own_data
    cards = read_cards()[0].items()
    made = [(path, name) for name, (_, path) in cards if own and path.is_relative_to(own)]
    if not made:
        what = f"no card of your own in {own}" if own else "WORKBENCH_DATA is not set here"
        do = "`python start.py data add clicks.csv`, with WORKBENCH_DATA set there and here"
        raise ConfigError(what, "latest", "a card that `data add` made", do)
    return max(made, key=lambda one: (one[0].stat().st_mtime_ns, one[1]))[1]


@typed
def first_request(
    log: Interactions, catalogue: Catalogue, unsaid: Iterable[str] = ()
) -> tuple[int, str | None]:
    """A shopper with a history that can be read, and a topic of it to forget: (user code, topic).

    Of those with at least three items of a topic and twice as many others, which a placebo is drawn
    from, the one whose history is nearest to 30 items; of this shopper's topics the one with most
    items, none of `unsaid`. Without topics, or where nobody has that many, the topic is None. Ties:
    the lower code, the earlier name.

    >>> user, topic = first_request(log, catalogue)  # doctest: +SKIP
    """
    held = log.frame[["user", "item"]].drop_duplicates()
    size = held.groupby("user")["item"].size()
    topics = catalogue.topics[~catalogue.topics["topic"].isin(["unknown", *unsaid])]
    # how many items of each topic everybody has
    count = held.merge(topics, on="item").groupby(["user", "topic"]).size().reset_index(name="n")
    others = count["user"].map(size) - count["n"]
    count = count[(count["n"] >= ASKED) & (others >= 2 * count["n"])]
    asked = size if count.empty else size[np.unique(count["user"])]
    user = int((asked - READABLE).abs().idxmin())
    mine = count[count["user"] == user].sort_values(["n", "topic"], ascending=[False, True])
    return user, None if mine.empty else str(mine["topic"].iloc[0])
