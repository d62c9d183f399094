"""The generated world as a record: read, written, shipped. What makes it is in `generated.py`, which
reading does not load."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from workbench.data.catalogue import Catalogue
from workbench.data.interactions import Interactions
from workbench.errors import ConfigError, DataError
from workbench.settings import settings
from workbench.whole import whole_file

if TYPE_CHECKING:
    from workbench.worlds.shop.shelf import Shelf

VERSION = 2
REBUILD = "python start.py world"
LOG = ["user", "item", "timestamp", "action", "session", "basket", "value"]


class ShopConfig(BaseModel):
    """How large a world, and which."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

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
        return {name: _fingerprint(table) for name, table in self.tables().items()}


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


def write_world(world: World, folder: Path) -> None:
    """Write parquet files and a manifest beside what the folder holds (README): all of them, or
    none.

    In the place of an older world: its tables go, those that this one lacks, too. Raises
    `DataError` for a file in the way that no world's manifest names.
    """
    older = _tables_in(folder)
    config, log = world.config.model_dump(), world.log
    manifest = {"name": "generated world", "version": world.version, "config": config}
    manifest |= {"users": log.n_users, "items": log.n_items, "licence": "CC BY 4.0", "tables": {}}
    with ExitStack() as whole:  # the files take their names when it ends
        for name, table in world.tables().items():
            path = whole.enter_context(whole_file(folder / f"{name}.parquet", older.__contains__))
            table.to_parquet(path, index=False, compression="zstd")
            facts = {"rows": len(table), "bytes": path.stat().st_size, "sha256": _sha256(path)}
            manifest["tables"][name] = facts | {"content": world.fingerprints[name]}
        path = whole.enter_context(whole_file(folder / "manifest.json", lambda _: older))
        text = json.dumps(manifest, indent=1) + "\n"
        path.write_text(text, encoding="utf-8", newline="\n")
    for path in older - {folder / f"{name}.parquet" for name in manifest["tables"]}:
        path.unlink(missing_ok=True)


def _tables_in(folder: Path) -> set[Path]:
    """The tables that the manifest of a world names as its own, by plain names."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        ours = manifest["name"] == "generated world"
        names = [name for name in manifest["tables"] if ours and re.fullmatch(r"\w+", name)]
    except (OSError, ValueError, LookupError, TypeError):
        return set()
    return {folder / f"{name}.parquet" for name in names}


def ship_world(world: World) -> None:
    """Write the world to data/world and what it counts into its card."""
    folder, card = settings().data / "world", settings().data / "cards" / "generated-world.toml"
    write_world(world, folder)
    facts = {"rows": len(world.log), "users": world.log.n_users, "items": world.log.n_items}
    facts["sha256"] = f'"{_sha256(folder / "manifest.json")}"'
    text = card.read_text(encoding="utf-8")
    for name, fact in facts.items():
        text = re.sub(rf'^{name} = (\d+|"\w*")$', f"{name} = {fact}", text, flags=re.M)
    with whole_file(card) as new:
        new.write_text(text, encoding="utf-8", newline="\n")


def log_of(rows: pd.DataFrame, n_users: int, n_items: int) -> Interactions:
    """The log of a world from rows that hold codes."""
    users = pd.Index([f"shopper {code}" for code in range(n_users)])
    items = pd.Index([f"product {code}" for code in range(n_items)])
    named = rows.assign(user=users[rows["user"]], item=items[rows["item"]])
    roles = {name: name for name in LOG}
    return Interactions.from_table(named, users=users, items=items, where="the world", **roles)


def _fingerprint(table: pd.DataFrame) -> str:
    digest = hashlib.sha256()
    for name in table.columns:
        column = table[name]
        digest.update(f"{name}\x1e".encode())
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            column = column.astype("int64")
        elif column.dtype == "Int64":
            column = column.fillna(-1).astype("int64")
        if pd.api.types.is_numeric_dtype(column.dtype):
            digest.update(column.to_numpy().tobytes())
        else:
            digest.update("\x1f".join(map(str, column)).encode())
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read(path: Path, expected: str) -> pd.DataFrame:
    do = f"restore the file, or rebuild: {REBUILD}"
    if not path.exists():
        raise DataError("the file is missing", str(path), "a table of the shipped world", do)
    if _sha256(path) != expected:
        what = "the file is not the one the manifest names"
        raise DataError(what, str(path), f"sha256 {expected[:12]}…", do)
    return pd.read_parquet(path)
