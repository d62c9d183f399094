"""What is still found of deleted rows, place by place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.data.histories import unique_ids
from workbench.errors import DataError, typed
from workbench.ledger.cached import count_rows
from workbench.ledger.exposure import touched
from workbench.ledger.memory import Service
from workbench.unlearning.exposure import apart

TOLERANCE = 1e-8


@typed
def canaries(
    before: Service, after: Service, interactions: Iterable[int], folder: Path | None = None
) -> pd.DataFrame:
    """Look for deleted rows in every place: [tier, found, amount], found 0 or 1.

    log, stores: rows still named (amount: how many); what a store says stays in its notes on others,
    its `residue`, has a line of its own: on how many. user_vector, item_weights, others: compared
    with the exact reference, a service cleaned everywhere whose model is *refitted*: largest
    difference of the stored vectors, of the scores of strangers with everybody's remaining
    histories, and other shoppers whose top 10 differs. A place that the service does not have is
    left out. caches (with `folder`): rows of the shoppers in tables under it.

    A model that knows people by their codes alone can score no stranger: there the shoppers' own
    scores are compared. Raises `DataError` for a folder that is not there.
    """
    if folder is not None and not Path(folder).is_dir():
        raise DataError("no such folder", str(folder), "the folder of caches or runs")
    ids = unique_ids(interactions)
    removal = before.removal(ids)
    clean = removal.left[id(before.log)]
    users = removal.users
    # the exact reference: cleaned everywhere, the model refitted;
    # what the service does besides remembering (steering, tombstones) is the same in both
    refitted = replace(
        after,
        log=clean,
        model=removal.refitted,
        stores=removal.stores,
        weights_log=clean,
        stale={},
    )
    # rows that are still named
    named = int(np.isin(after.log.frame["interaction"], ids).sum())
    found: dict[str, float] = {"log": named}
    for name, store in after.stores.items():
        found[name] = sum(len(store.knows(user, ids)) for user in users)
        if hasattr(store, "residue"):
            found[f"{name}: {store.residue}"] = store.left_in(removal.taken[id(before.log)])
    # what was computed from them
    if before.stores_vectors:
        own = clean.histories(users)
        found["user_vector"] = np.abs(
            after.model.score(own) - after.model.fold_in(own) @ after.model.items.T
        ).max()
    found["item_weights"] = apart(after.model, removal.refitted, clean)
    found["others"] = touched(refitted, after, users)["changed"]
    if folder is not None:
        found["caches"] = sum(count_rows(str(before.log.users[user]), folder) for user in users)
    table = pd.DataFrame({"tier": list(found), "amount": np.array(list(found.values()), float)})
    table.insert(1, "found", (table["amount"] > TOLERANCE).astype(int))
    return table
