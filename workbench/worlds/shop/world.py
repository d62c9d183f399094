"""The generated world as a record that is read. What makes it is in `generated.py`, what writes it in
`shipping.py`; reading loads neither."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from pydantic import Field

from workbench.data.catalogue import Catalogue
from workbench.data.interactions import Interactions
from workbench.errors import ConfigError, DataError
from workbench.settings import Frozen, settings

if TYPE_CHECKING:
    from workbench.worlds.shop.shelf import Shelf

VERSION = 2
REBUILD = "python start.py world"
LOG = ["user", "item", "timestamp", "action", "session", "basket", "value"]


class ShopConfig(Frozen):
    """How large a world, and which."""

    shoppers: int = Field(default=400, ge=40, le=12_000)
    """Shoppers, spam accounts among them; the shop is the same for all."""
    texts: int = Field(default=2500, ge=0)
    """Texts at most, one a purchase; 0 makes a world without people's words."""
    seed: int = Field(default=1, ge=0)
    """Same seed and size, same tables."""


SIZES = {"tiny": ShopConfig(), "laptop": ShopConfig(shoppers=4000, texts=10_000)}
"""Sizes with a name; tiny with seed 1 is the one that is shipped."""


@dataclass(frozen=True)
class World:
    """A generated log, its catalogue, its shoppers' texts, and the truth behind them, one table
    each.

    `truth` keys: users, interests, kind_shares, tastes, attribute_weights, choice, items, kinds,
    attributes, item_attributes, pairs, causes, visits, wishes, spam_targets, memories,
    text_memories, words, sentences, text_attributes; every column is explained in
    data/world/README.md. All of it is generated: nobody lived it.

    >>> world = load_world()
    >>> world.log.n_users, world.log.n_items
    (400, 240)
    """

    log: Interactions
    catalogue: Catalogue
    texts: pd.DataFrame
    truth: dict[str, pd.DataFrame]
    config: ShopConfig = SIZES["tiny"]
    version: int = VERSION

    def __repr__(self) -> str:
        made = f"generated, {self.size}, seed {self.seed}"
        return f"World({made}: {self.log!r}, {len(self.texts):,} texts)"

    @property
    def seed(self) -> int:
        """The seed it was made from."""
        return self.config.seed

    @property
    def size(self) -> str:
        """Its size by name, or by the number of shoppers."""
        size = self.config.model_copy(update={"seed": 1})
        named = [name for name, config in SIZES.items() if config == size]
        return named[0] if named else f"{self.config.shoppers:,} shoppers"

    @cached_property
    def shelf(self) -> Shelf:
        """The truth as arrays to choose from; `future` plays visits with it."""
        from workbench.worlds.shop.shelf import Shelf

        return Shelf(self.catalogue, self.truth)

    def tables(self) -> dict[str, pd.DataFrame]:
        """Everything as plain tables, by the name of its file."""
        rows = self.log.frame.assign(action=self.log.frame["action"].astype(str))
        plain = {"log": rows[LOG], "catalogue": self.catalogue.frame}
        plain |= {"topics": self.catalogue.topics, "texts": self.texts}
        return plain | {f"truth_{name}": table for name, table in self.truth.items()}

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """sha256 of the content of every table, whatever wrote its file."""
        from workbench.worlds.shop.shipping import fingerprint

        return {name: fingerprint(table) for name, table in self.tables().items()}


def sized(size: str = "tiny", seed: int = 1) -> ShopConfig:
    """The config of a size with a name; raises `ConfigError` for another name or a bad seed."""
    if size not in SIZES or seed < 0:
        what = f"no world of size {size!r}, seed {seed!r}"
        expected = f"size one of {', '.join(SIZES)}; a seed from 0 on"
        raise ConfigError(what, "sized", expected, "pass size='tiny', seed=1, or a ShopConfig")
    return SIZES[size].model_copy(update={"seed": seed})


def load_world(size: str = "tiny", folder: Path | None = None) -> World:
    """Read the shipped world (size tiny); another size is generated with seed 1.

    Raises `DataError` when a file is missing or is not the one the manifest names.
    """
    if folder is None and size != "tiny":
        from workbench.worlds.shop.generated import generate

        return generate(sized(size))
    folder = folder or settings().data / "world"
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        what, do = f"no readable manifest ({error})", f"rebuild it: {REBUILD}"
        raise DataError(what, str(folder), "the shipped world", do) from error
    tables = {}
    for name, facts in manifest["tables"].items():
        tables[name] = _read(folder / f"{name}.parquet", facts["sha256"])
    plain = [tables.pop(name) for name in ("log", "catalogue", "topics", "texts")]
    catalogue = Catalogue.from_table(plain[1], plain[2], "generated shop")
    log = log_of(plain[0], manifest["users"], len(catalogue))
    truth = {name.removeprefix("truth_"): table for name, table in tables.items()}
    config = ShopConfig(**manifest["config"])
    return World(log, catalogue, plain[3], truth, config, manifest["version"])


def log_of(rows: pd.DataFrame, n_users: int, n_items: int) -> Interactions:
    """The log of a world from rows that hold codes."""
    users = pd.Index([f"shopper {code}" for code in range(n_users)])
    items = pd.Index([f"product {code}" for code in range(n_items)])
    named = rows.assign(user=users[rows["user"]], item=items[rows["item"]])
    roles = {name: name for name in LOG}
    return Interactions.from_table(named, users=users, items=items, where="the world", **roles)


def sha256_of(path: Path) -> str:
    """sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read(path: Path, expected: str) -> pd.DataFrame:
    do = f"restore the file, or rebuild: {REBUILD}"
    if not path.exists():
        raise DataError("the file is missing", str(path), "a table of the shipped world", do)
    if sha256_of(path) != expected:
        what = "the file is not the one the manifest names"
        raise DataError(what, str(path), f"sha256 {expected[:12]}…", do)
    return pd.read_parquet(path)
