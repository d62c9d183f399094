"""A receipt for a request to a service: every place it has, read after the deed.

What is said of a place is what stands in it, not what a switch was set to. The folders of caches and
runs are places of the workbench too: no request reaches them, so they are looked at and said.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import typed
from workbench.ledger import purge
from workbench.ledger.loop import Forgetting
from workbench.ledger.memory import Service
from workbench.ledger.removal import Removal
from workbench.ledger.tiers import ITEM_WEIGHTS, LOG, TOMBSTONE, USER_VECTOR
from workbench.settings import settings
from workbench.unlearning.endpoints import Distance
from workbench.unlearning.receipt import Receipt, issue
from workbench.unlearning.requests import Request


@typed
def receipt(
    told: Forgetting,
    reason: str = "sensitive",
    distance: Distance | None = None,
    folders: Iterable[Path] | None = None,
    time: pd.Timestamp | None = None,
) -> tuple[Receipt, str]:
    """A receipt for what `forget` did, and its key, see `workbench.unlearning.issue`.

    distance: of the way that was taken to models that never saw the rows, where it is known.
    folders: as `places` takes them.
    """
    removal, (before, after) = told.removal, told.services
    service, way, stale = before, removal.way, removal.stale(told.on)
    log = service.log
    # rows that left the log before may still be in the weights
    if not np.isin(removal.ids, log.frame["interaction"]).all():
        log = service.weights_log
    method = service.forgetters.get(way)
    config = getattr(method, "config", None) if method else getattr(service.model, "config", None)
    if stale:
        way = f"{way}: not done" if ITEM_WEIGHTS.name in told.on else "none: weights not reached"
    exact = way in ("exact", "retrain") and not told.inexact
    # what came of it
    did: dict[str, Any] = {"seconds": removal.seconds}
    if removal.outcome is not None:
        names = ("status", "step", "seconds", "peak_bytes", "notes")
        did = {name: getattr(removal.outcome, name) for name in names}
    elif stale:
        did = {"status": "no-op"}
    exposure = None if told.topic is None else told.exposure
    return issue(
        Request(0, removal.ids, reason, time),
        log,
        service.model,
        after.model,
        way,
        config.model_dump(mode="json") if config else None,
        left=after.log,
        outcome=did,
        distance=distance,
        exposure=exposure,
        places=places(told, folders),
        exact=exact,
    )


@typed
def places(told: Forgetting, folders: Iterable[Path] | None = None) -> pd.DataFrame:
    """Every place: [place, touched, before, after, note]; before, after: rows of the request that it
    names, or stands for. folders: of caches and runs; those of the settings unless told. There the
    rows of the people are counted, of this request or not."""
    removal, pair = told.removal, told.services
    lines = []
    for tier in pair[0].tiers:
        held = [held_of(service, tier.name, removal) for service in pair]
        note = tier.causes[0] if held[0] != held[1] else ""
        if not tier.enabled:
            note = "there is none apart from the weights"
        elif tier.name == TOMBSTONE.name and held[1]:
            note = "the list of tombstones is itself a memory"
        elif held[1] and tier.name != TOMBSTONE.name:
            note = tier.causes[1]
        # what weights that were not refitted still hold is no number of rows
        if tier == ITEM_WEIGHTS and told.inexact and not removal.stale(told.on):
            lines.append((tier.name, True, held[0], None, f"changed{told.inexact}"))
            continue
        lines.append((tier.name, held[0] != held[1], *held, note))
    chosen = [settings().cache, settings().runs] if folders is None else folders
    people = [str(pair[0].log.users[user]) for user in removal.users]
    lines += [_folder(Path(folder), people) for folder in chosen]
    return pd.DataFrame(
        lines, columns=["place", "touched", "before", "after", "note"], dtype=object
    )


def held_of(service: Service, place: str, removal: Removal) -> int:
    """How many rows of the request a place still names, or was made of."""
    ids = removal.ids
    if place in service.stores:
        return sum(len(service.stores[place].knows(user, ids)) for user in removal.users)
    if place == TOMBSTONE.name:
        return len(service.tombstones & removal.pairs)
    if place == USER_VECTOR.name:
        # a vector that was not computed anew stands for the log it was computed from
        logs = [service.stale.get(int(user), service.log) for user in removal.users]
        if not service.stores_vectors:
            return 0
        return sum(
            len(np.intersect1d(log.rows_of(user)["interaction"], ids))
            for log, user in zip(logs, removal.users, strict=True)
        )
    log = service.log if place == LOG.name else service.weights_log
    return int(np.isin(log.frame["interaction"], ids).sum())


def _folder(folder: Path, people: list[str]) -> tuple[str, bool, int | None, int | None, str]:
    """A folder of caches or runs: looked at, and left as it is."""
    name = f"folder {folder.name}"
    if not folder.is_dir():
        return name, False, 0, 0, "there is none"
    found = [purge(user, folder, dry=True) for user in people]
    rows = sum(int(table["removed"].sum()) for table in found)
    told = [
        f"workbench purge --user {user!r}"
        for user, table in zip(people, found, strict=True)
        if not table["note"].iloc[-1].startswith("clean")
    ]
    note = f"not clean; to clean it: {', '.join(told)}" if told else "clean"
    return name, False, rows, rows, note
