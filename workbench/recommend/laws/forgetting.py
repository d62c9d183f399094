"""Laws of recommenders that are copied, saved, made to forget, or say what made a score."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import WorkbenchError
from workbench.laws import Law, NotOffered
from workbench.recommend.laws.bench import Bench, far, reloaded


def _copy(b: Bench) -> str | None:
    model = b.fitted(b.log)
    twin = model.copy()
    if found := b.differs(twin, want=np.asarray(model.score(b.histories)).copy()):
        return f"a copy with {found}"
    for one, two, name in ((twin, model, "original"), (model, twin, "copy")):
        want = two.score(b.histories).copy()
        _disturb(b, one)
        if found := b.differs(two, want=want):
            return f"{found}, of the {name} when the other one was changed"
    return None


def _disturb(b: Bench, model: Any) -> None:
    """Change a model by every way it has."""
    if hasattr(model, "forget"):
        model.forget(b.removed)
    if getattr(model, "module", None) is not None:
        import torch

        with torch.no_grad():
            for value in model.module.parameters():
                value.mul_(1.5).add_(0.1)
    model.fit(b.other)


def _save(b: Bench) -> str | None:
    b.lean()
    loaded = reloaded(b.model)
    if not np.array_equal(loaded.score(b.histories), b.model.score(b.histories)):
        return "other scores after loading"
    if not hasattr(loaded, "forget"):
        return None
    # and what it forgets later
    want = copy.deepcopy(b.model)
    want.forget(b.removed)
    loaded.forget(b.removed)
    found = b.differs(loaded, want=want.score(b.histories))
    return f"{found}, after forgetting" if found else None


def _requests(b: Bench) -> Iterator[tuple[Any, Any, Any, str]]:
    """One request after the other: the model, what `forget` returned, a model of what is left, what
    was asked."""
    rng, model, left = np.random.default_rng(b.seed), b.fitted(b.log), b.log
    for number in range(b.fits + 1):
        ids, owner = left.frame["interaction"], left.frame["user"]
        users = rng.permutation(owner.unique())
        kinds = {
            "single rows": ids.sample(min(3, len(ids)), random_state=number),
            "a whole user": ids[owner == users[0]],
            "half rows": ids[owner.isin(users[: len(users) // 2])].iloc[::2],
        }
        what = "everything" if number == b.fits else list(kinds)[number % 3]
        asked = kinds.get(what, ids)
        returned, left = model.forget(left.only(asked)), left.without(asked)
        with suppress(WorkbenchError):  # nothing can be fitted on what is left
            yield model, returned, b.fitted(left), f"after request {number + 1}, {what}"


def _forget(b: Bench) -> str | None:
    b.lean(fits=True)
    for model, returned, refitted, when in _requests(b):
        if returned is not model:
            return "something else than the model returned"
        if found := b.differs(model, want=refitted.score(b.histories)):
            return f"{found}, {when}"
    return None


def _saved_after(b: Bench) -> str | None:
    b.lean(fits=True)
    for model, _, refitted, when in _requests(b):
        found, want = _saved(model), _saved(refitted)
        if odd := sorted(found.keys() ^ want.keys()):
            return f"arrays {', '.join(odd)} in one of the two, {when}"
        for name, array in found.items():
            if not _same_array(array, want[name]):
                return f"another array {name}, {when}"
    return None


def _saved(model: Any) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder, "model"))
        arrays = {}
        for file in sorted(Path(folder).rglob("*.safetensors")):
            found = load_file(file)
            arrays |= {f"{file.name}: {name}": array for name, array in found.items()}
    if not arrays:
        raise NotOffered("arrays in a .safetensors file")
    return arrays


def _same_array(found: np.ndarray, want: np.ndarray) -> bool:
    """Whole numbers exactly, others to 1e-10 of the largest."""
    if found.shape != want.shape or found.dtype != want.dtype:
        return False
    if not np.issubdtype(found.dtype, np.floating):
        return np.array_equal(found, want)
    most = max(1.0, np.abs(want).max(initial=0))
    return np.allclose(found, want, rtol=0, atol=1e-10 * most)


def _twice(b: Bench) -> str | None:
    # a whole user: of a cell's equal rows, a model that counts may be asked to forget each
    model = b.fitted(b.log)
    model.forget(b.removed)
    want = model.score(b.histories).copy()
    with suppress(WorkbenchError):
        model.forget(b.removed)
    return b.differs(model, want=want)


def _contributions(b: Bench) -> tuple[pd.DataFrame, np.ndarray]:
    items = np.tile(np.arange(b.log.n_items), (len(b.histories), 1))
    return b.model.contributions(b.histories, items), items


def _contributions_table(b: Bench) -> str | None:
    made, _ = _contributions(b)
    if list(made.columns) != ["row", "item", "interaction", "weight"]:
        return f"columns {', '.join(map(str, made.columns))}"
    if not np.isfinite(made["weight"]).all():
        return "weights that are no numbers"
    held = pd.Series(b.histories.rows, index=b.histories.interaction)
    at = held.reindex(made["interaction"]).to_numpy()
    own = np.array_equal(at, made["row"])
    return None if own else "interactions that are not of the row's history"


def _contributions_sum(b: Bench) -> str | None:
    b.lean()
    made, items = _contributions(b)
    sums = np.zeros(items.shape)
    np.add.at(sums, (made["row"], made["item"]), made["weight"])
    nothing = b.histories.select([0]).without(b.removed.frame["interaction"])
    rest = 0.0
    with suppress(WorkbenchError):
        rest = np.asarray(b.model.score(replace(nothing, user=np.array([-1], nothing.user.dtype))))
    return far(sums.astype(made["weight"].dtype), b.scores - rest, of=b.scores)


FORGETTING: dict[str, Law] = {
    "copy": Law("an equal copy; changing one never changes the other", _copy, ("copy",)),
    "save and load": Law(
        "a loaded model that scores and forgets like the saved one", _save, ("save", "load")
    ),
    "forget": Law("scores equal to those of a refit on what remains", _forget, ("forget",)),
    "saved after forgetting": Law(
        "the arrays that a refit on what remains saves", _saved_after, ("save", "forget")
    ),
    "forget once": Law(
        "rows forgotten twice to be refused or to change nothing", _twice, ("forget",)
    ),
    "contributions": Law(
        "[row, item, interaction, weight] of each history", _contributions_table, ("contributions",)
    ),
    "contributions sum": Law(
        "weights that sum to score less empty history's", _contributions_sum, ("contributions",)
    ),
}
