"""A generated world written to a folder, and shipped with the project."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import ExitStack
from pathlib import Path

import pandas as pd

from workbench.settings import settings
from workbench.whole import whole_file
from workbench.worlds.shop.world import World, sha256_of


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
            facts = {"rows": len(table), "bytes": path.stat().st_size, "sha256": sha256_of(path)}
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
    facts["sha256"] = f'"{sha256_of(folder / "manifest.json")}"'
    text = card.read_text(encoding="utf-8")
    for name, fact in facts.items():
        text = re.sub(rf'^{name} = (\d+|"\w*")$', f"{name} = {fact}", text, flags=re.M)
    with whole_file(card) as new:
        new.write_text(text, encoding="utf-8", newline="\n")


def fingerprint(table: pd.DataFrame) -> str:
    """sha256 of a table's content, whatever wrote its file."""
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
