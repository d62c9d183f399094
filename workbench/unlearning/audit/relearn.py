"""How few rows bring the others back?

    give n of each leaver's deleted rows back, tune on the leavers' rows for a few steps, and look at
    the deleted rows that were *not* given:   distance(n) = percentile(unlearned) − percentile(retrained)

What was only hidden comes back sooner than what is to be learned anew: a retrain, given the same rows,
is the control. The line *rows until back*: the least n at which the others stand where the base had
them, less a margin. Re-learning of knowledge in language models is where the attack comes from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from workbench.data import Interactions
from workbench.data.splits import joined_logs
from workbench.unlearning.audit._asked import Models, cells, every, whole
from workbench.unlearning.audit._null import against
from workbench.unlearning.audit._table import COLUMNS, Audit, joined
from workbench.unlearning.audit.topic import difference
from workbench.unlearning.scenarios import Scenario

GIVEN = (0, 1, 2, 4)
"""Rows that each person gives back."""


def kept_and_given(
    scenario: Scenario, done: int, seed: int
) -> tuple[sparse.csr_array, pd.DataFrame]:
    """Half of each leaver's deleted items are never given back: (n_users, n_items); of the other
    half the rows [user, interaction, place], place from 0 in the order in which they are given."""
    task, gone = scenario.task, scenario.deleted(done)
    both = joined_logs(task.train, task.valid).frame
    rows = both[both["interaction"].isin(scenario.forgotten(done))].sample(
        frac=1, random_state=seed
    )
    rows = rows.assign(person=task.people[rows["user"]])
    # by item, so that no item is both given and asked
    rows["rank"] = rows.groupby("person")["item"].transform(lambda items: pd.factorize(items)[0])
    half = rows.groupby("person")["item"].transform("nunique") // 2
    hidden, given = rows[rows["rank"] >= half], rows[rows["rank"] < half]
    shape = (len(hidden), (hidden["user"], hidden["item"]))
    mask = sparse.coo_array((np.ones(shape[0]), shape[1]), shape=gone.shape).tocsr()
    place = given.groupby("person").cumcount()
    asked = sparse.csr_array(gone.multiply(mask))
    return asked, given[["user", "interaction"]].assign(place=place)


def relearned(
    model: Any, log: Interactions, users: np.ndarray, epochs: int, rate: float, seed: int
) -> Any:
    """A copy tuned on these users' rows of a log."""
    own = model.copy()
    own.rebuild(log)
    own.tune(own.examples(log, users), epochs=epochs, learning_rate=rate, seed=seed)
    return own


def relearning(
    models: Models,
    retrained: Sequence[Any],
    scenario: Scenario,
    done: int,
    seed: int = 0,
    *,
    bases: Sequence[Any],
    given: Sequence[int] = GIVEN,
    epochs: int = 10,
    rate: float = 5e-3,
    margin: float = 0.03,
) -> Audit:
    """Distance to equally treated retrains of the rows not given, for each n, and rows until back.

    bases: the models before any request, which say what *back* is. Rows until back is infinite
    where so many rows do not do it; its null is each retrain alone.

    >>> relearning({"no-op": bases}, retrained, scenario, 20, bases=bases)  # doctest: +SKIP
    """
    asked, rows = kept_and_given(scenario, done, seed)
    users = np.flatnonzero(np.diff(asked.indptr))
    asked = sparse.csr_array(asked[users])
    people = np.repeat(scenario.task.people[users], np.diff(asked.indptr))
    histories, log = scenario.known(done).histories(users), scenario.known(done)
    whole_log = joined_logs(scenario.task.train, scenario.task.valid)
    had = np.stack([cells(one, histories, asked) for one in bases])
    aims, parts, curves = [], [], {name: [] for name in (*models, "retrain")}
    for n in given:
        back = rows.loc[rows["place"] < n, "interaction"]
        stands = whole_log.frame["interaction"].isin([*log.frame["interaction"], *back])
        now = whole_log.select(stands.to_numpy())
        changed = np.union1d(users, rows["user"])
        changed = changed[np.isin(changed, now.frame["user"])]

        def ask(
            model: Any, now: Any = now, changed: np.ndarray = changed, n: int = n
        ) -> np.ndarray:
            own = relearned(model, now, changed, epochs, rate, seed) if n else model
            return cells(own, now.histories(users), asked)

        values, again = every(models, retrained, ask)
        values, again, kept = whole(values, again)
        parts.append(against(f"relearn: {n} given", values, again, difference, people[kept], seed))
        # bases and all others over the same cells
        known = ~np.isnan(had[:, kept]).any(axis=0)
        aims.append(had[:, kept][:, known].mean() - margin)
        for name, found in (values | {"retrain": again}).items():
            curves[name].append(found[:, known].mean(axis=1))
    means = {name: np.stack(found, axis=1) for name, found in curves.items()}
    return joined(*parts, _until_back(means, given, np.array(aims)))


def _until_back(curves: dict[str, np.ndarray], given: Sequence[int], aims: np.ndarray) -> Audit:
    """The least number of given rows at which (models, given) means reach the aims (given,)."""
    counts = {}
    for name, found in curves.items():
        reached = found >= aims
        first = np.array([*given])[reached.argmax(axis=1)].astype(float)
        counts[name] = np.where(reached.any(axis=1), first, np.inf)
    null = counts["retrain"].min(), counts["retrain"].max()
    lines = [
        (
            "relearn: rows until back",
            name,
            np.median(n),
            n.min(),
            n.max(),
            *null,
            len(n),
            n.max() < null[0],
        )
        for name, n in counts.items()
    ]
    return Audit(pd.DataFrame(lines, columns=COLUMNS))
