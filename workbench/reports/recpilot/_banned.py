"""What can be banned from a page: a brand, a kind, a topic, a detail, with every product that has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from workbench.data import Catalogue
from workbench.errors import ConfigError, UnknownItem

BANNED = ("brand", "kind", "category", "topic", "details")
"""Attributes whose values can be banned, where the catalogue has them."""
Ban = Mapping[str, str | Sequence[str]]
"""Attribute → value or values."""


def named(ban: Ban) -> tuple[tuple[str, str], ...]:
    """Every banned value with its attribute, each once. Raises `ConfigError` for another kind."""
    listed = isinstance(ban, Mapping) and all(isinstance(one, Sequence) for one in ban.values())
    if not listed:
        do = 'such as {"brand": ["Ashmoor"]}'
        raise ConfigError(f"{ban!r:.80}", "ban", "attribute → value or values", do)
    several = {name: [one] if isinstance(one, str) else [*one] for name, one in ban.items()}
    return tuple(dict.fromkeys((name, value) for name in several for value in several[name]))


def having(catalogue: Catalogue, attribute: str, value: str) -> np.ndarray:
    """Mask (n_items,) of the products with an attribute value; raises as `weighed.weigh`."""
    held = values_of(catalogue).get(attribute)
    if held is None:
        known = ", ".join(values_of(catalogue))
        raise ConfigError(f"no attribute {attribute!r:.60}", "ban", f"one of {known}")
    found = np.zeros(len(catalogue), dtype=bool)
    found[held.loc[held["value"] == value, "item"]] = True
    if not found.any():
        some = ", ".join(sorted(set(held["value"]))[:8])
        raise UnknownItem(f"no {attribute} {value!r:.60}", "ban", f"one of {some}, …")
    return found


def values_of(catalogue: Catalogue) -> dict[str, pd.DataFrame]:
    """What can be banned: by attribute, [item, value] of every product that has one."""
    columns = {"kind": catalogue.kind, "topic": None} | dict(catalogue.frame)
    found = {}
    for name in BANNED:
        table = pd.DataFrame({"item": catalogue.frame["item"], "value": columns.get(name, "")})
        if name == "topic":
            table = catalogue.topics.set_axis(["item", "value"], axis=1)
        table = table[~table["value"].isin(["", "unknown"]) & table["value"].notna()]
        found |= {name: table} if len(table) else {}
    return found
