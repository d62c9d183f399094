"""Generate, write and read the world; the same seed and size give the same tables, bit for bit."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.data.catalogue import Catalogue
from workbench.data.interactions import Interactions
from workbench.errors import ConfigError, DataError
from workbench.settings import settings
from workbench.worlds.shop.people import make_people
from workbench.worlds.shop.shop import make_pairs, make_shop
from workbench.worlds.shop.shoppers import make_shoppers
from workbench.worlds.shop.texts import Texts, write_texts
from workbench.worlds.shop.visits import make_visits
from workbench.worlds.shop.writing import Writer

SIZES = {"tiny": (400, 1, 2500), "laptop": (2000, 3, 10000)}
"""Shoppers, forms sold of each of the shop's 196 lines, texts (at most the number of purchases)."""
VERSION = 1
REBUILD = "python start.py world"
LOG = ["user", "item", "timestamp", "action", "session", "basket", "value"]


@dataclass(frozen=True)
class World:
    """A generated log, its catalogue, its shoppers' texts, and the truth behind them, one table
    each.

    `truth` keys: users, interests, tastes, items, pairs, spam_targets, causes, choice, memories,
    text_memories, words, sentences; every column is explained in data/world/README.md. All of it is
    generated: nobody lived it.

    >>> world = load_world()
    >>> world.log.n_users, world.log.n_items
    (400, 196)
    """

    log: Interactions
    catalogue: Catalogue
    texts: pd.DataFrame
    truth: dict[str, pd.DataFrame]
    seed: int = 1
    size: str = "tiny"
    version: int = VERSION

    def __repr__(self) -> str:
        return (
            f"World(generated, {self.size}, seed {self.seed}: {self.log!r}, "
            f"{len(self.texts):,} texts)"
        )

    def tables(self) -> dict[str, pd.DataFrame]:
        """Everything as plain tables, by the name of its file."""
        rows = self.log.frame.assign(action=self.log.frame["action"].astype(str))
        plain = {
            "log": rows[LOG],
            "catalogue": self.catalogue.frame,
            "topics": self.catalogue.topics,
        }
        return (
            plain
            | {"texts": self.texts}
            | {f"truth_{name}": table for name, table in self.truth.items()}
        )

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """sha256 of the content of every table, whatever wrote its file."""
        return {name: _fingerprint(table) for name, table in self.tables().items()}


def generate(seed: int = 1, size: str = "tiny", version: int = VERSION) -> World:
    """Make the world from its seed; a tenth of a second to seconds, by size.

    Raises `ConfigError` for an unknown size or version and a negative seed.
    """
    if size not in SIZES or version != VERSION or seed < 0:
        what = f"no world of size {size!r}, version {version!r}, seed {seed!r}"
        expected = f"size one of {', '.join(SIZES)}; version {VERSION}; a seed from 0 on"
        raise ConfigError(what, "generate", expected, "pass size='tiny', seed=1")
    n_users, forms, _ = SIZES[size]
    streams = [np.random.default_rng([seed, number]) for number in range(5)]
    catalogue, items = make_shop(streams[0], forms)
    shoppers = make_shoppers(streams[1], n_users, catalogue, items)
    rows, causes, targets = make_visits(streams[2], catalogue, items, shoppers)
    log = _log(rows, n_users, len(catalogue))
    truth = {
        "users": shoppers.users,
        "interests": shoppers.interests,
        "tastes": shoppers.tastes,
        "items": items,
    }
    truth |= {
        "pairs": make_pairs(),
        "spam_targets": targets,
        "causes": causes,
        "choice": shoppers.choice,
    }
    written = _texts(streams[3], streams[4], log, catalogue, truth, SIZES[size][2])
    return World(log, catalogue, written.texts, truth | written.truth(), seed, size, version)


def _texts(
    persons, words, log: Interactions, catalogue: Catalogue, truth: dict, wanted: int
) -> Texts:
    """Texts about purchases that real shoppers made, `wanted` of them, in the order of the log."""
    users = truth["users"]
    people, memories = make_people(persons, users[~users["spam"]])
    bought = log.frame[log.frame["action"] == "purchase"]
    bought = bought[~users["spam"].to_numpy()[bought["user"]]]
    chosen = bought.iloc[np.sort(words.permutation(len(bought))[:wanted])]
    writer = Writer(catalogue, truth["items"])
    return write_texts(words, writer, {person.user: person for person in people}, chosen, memories)


def load_world(size: str = "tiny", folder: Path | None = None) -> World:
    """Read the shipped world (size tiny); another size is generated with seed 1.

    Raises `DataError` when a file is missing or is not the one the manifest names.
    """
    if folder is None and size != "tiny":
        return generate(size=size)
    folder = folder or settings().data / "world"
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        do = f"rebuild it: {REBUILD}"
        raise DataError(
            f"no readable manifest ({error})", str(folder), "the shipped world", do
        ) from error
    tables = {
        name: _read(folder / f"{name}.parquet", facts["sha256"])
        for name, facts in manifest["tables"].items()
    }
    catalogue = Catalogue.from_table(tables["catalogue"], tables["topics"], "generated shop")
    log = _log(tables["log"], manifest["users"], len(catalogue))
    truth = {
        name.removeprefix("truth_"): table
        for name, table in tables.items()
        if name.startswith("truth_")
    }
    return World(
        log,
        catalogue,
        tables["texts"],
        truth,
        manifest["seed"],
        manifest["size"],
        manifest["version"],
    )


def write_world(world: World, folder: Path) -> None:
    """Write parquet files and a manifest beside what the folder holds (README); old tables are
    replaced whole."""
    folder.mkdir(parents=True, exist_ok=True)
    making = folder / "making.tmp"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    facts = {}
    for name, table in world.tables().items():
        path = making / f"{name}.parquet"
        table.to_parquet(path, index=False, compression="zstd")
        facts[name] = {"rows": len(table), "bytes": path.stat().st_size, "sha256": _sha256(path)}
        facts[name]["content"] = world.fingerprints[name]
    head = {
        "name": "generated world",
        "version": world.version,
        "seed": world.seed,
        "size": world.size,
    }
    head |= {"users": world.log.n_users, "items": world.log.n_items, "licence": "CC BY 4.0"}
    text = json.dumps(head | {"tables": facts}, indent=1) + "\n"
    (making / "manifest.json").write_text(text, encoding="utf-8", newline="\n")
    for path in sorted(making.iterdir()):
        os.replace(path, folder / path.name)
    making.rmdir()


def ship_world(world: World) -> None:
    """Write the world to data/world and what it counts into its card."""
    write_world(world, settings().data / "world")
    card = settings().data / "cards" / "generated-world.toml"
    text = card.read_text(encoding="utf-8")
    for name, number in {
        "rows": len(world.log),
        "users": world.log.n_users,
        "items": world.log.n_items,
    }.items():
        text = re.sub(rf"^{name} = \d+$", f"{name} = {number}", text, flags=re.M)
    text = re.sub(
        r"sha256 = \"\w*\"",
        f'sha256 = "{_sha256(settings().data / "world" / "manifest.json")}"',
        text,
    )
    card.write_text(text, encoding="utf-8", newline="\n")


def _log(rows: pd.DataFrame, n_users: int, n_items: int) -> Interactions:
    users = pd.Index([f"shopper {code}" for code in range(n_users)])
    items = pd.Index([f"product {code}" for code in range(n_items)])
    named = rows.assign(user=users[rows["user"]], item=items[rows["item"]])
    optional = {name: name for name in ("timestamp", "action", "session", "basket", "value")}
    return Interactions.from_table(
        named, users=users, items=items, where="generated world", **optional
    )


def _fingerprint(table: pd.DataFrame) -> str:
    digest = hashlib.sha256()
    for name in table.columns:
        column = table[name]
        digest.update(f"{name}\x1e".encode())
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            digest.update(column.astype("int64").to_numpy().tobytes())
        elif pd.api.types.is_extension_array_dtype(column.dtype) and pd.api.types.is_integer_dtype(
            column.dtype
        ):
            digest.update(column.fillna(-1).to_numpy(dtype="int64").tobytes())
        elif pd.api.types.is_numeric_dtype(column.dtype):
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
        raise DataError(
            "the file is not the one the manifest names", str(path), f"sha256 {expected[:12]}…", do
        )
    return pd.read_parquet(path)
