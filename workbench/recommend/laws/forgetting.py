"""Laws of recommenders that are copied, saved, made to forget, or say what made a score."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.data import Interactions
from workbench.errors import WorkbenchError
from workbench.laws import Law, NotOffered
from workbench.recommend.laws.bench import Bench, far


def _copy(b: Bench) -> str | None:
    model = b.fitted(b.log)
    twin = model.copy()
    if found := b.differs(twin):
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
        model.forget(b.log.only(b.histories.interaction[b.histories.row(0)]))
    if getattr(model, "module", None) is not None:
        import torch

        with torch.no_grad():
            for value in model.module.parameters():
                value.mul_(1.5).add_(0.1)
    model.fit(b.other)


def _save(b: Bench) -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        b.model.save(Path(folder, "model"))
        loaded = type(b.model).load(Path(folder, "model"))
    if not np.array_equal(loaded.score(b.histories), b.model.score(b.histories)):
        return "other scores after loading"
    if hasattr(loaded, "forget"):
        removed = b.log.only(b.histories.interaction[b.histories.row(0)])
        want = b.fitted(b.log)
        want.forget(removed)
        loaded.forget(removed)
        return (
            found := b.differs(loaded, want=want.score(b.histories))
        ) and f"{found}, after forgetting"
    return None


def _requests(b: Bench) -> Iterator[tuple[Any, Any, Interactions, str]]:
    """One request after the other: the model, what `forget` returned, what is left of the log, what
    was asked."""
    rng, model, left = np.random.default_rng(b.seed), b.fitted(b.log), b.log
    for number in range(b.fits + 1):
        rows, users = left.frame, rng.permutation(left.frame["user"].unique())
        if number % 3 == 0:
            asked, what = (
                rows["interaction"].sample(min(3, len(rows)), random_state=number),
                "single rows",
            )
        elif number % 3 == 1:
            asked, what = rows.loc[rows["user"] == users[0], "interaction"], "a whole user"
        else:
            asked, what = (
                rows.loc[rows["user"].isin(users[: len(users) // 2]), "interaction"].iloc[::2],
                "half rows",
            )
        if number == b.fits:
            asked, what = rows["interaction"], "everything"
        returned, left = model.forget(left.only(asked)), left.without(asked)
        yield model, returned, left, f"after request {number + 1}, {what}"


def _forget(b: Bench) -> str | None:
    for model, returned, left, when in _requests(b):
        if returned is not model:
            return "something else than the model returned"
        try:
            want = b.fitted(left).score(b.histories)
        except WorkbenchError:
            continue  # nothing can be fitted on what is left
        if found := b.differs(model, want=want):
            return f"{found}, {when}"
    return None


def _saved_after(b: Bench) -> str | None:
    for number, (model, _, left, when) in enumerate(_requests(b)):
        if number < b.fits - 1:
            continue
        try:
            refitted = b.fitted(left)
        except WorkbenchError:
            continue  # nothing can be fitted on what is left
        found, want = _saved(model), _saved(refitted)
        if found.keys() != want.keys():
            return (
                f"arrays {', '.join(sorted(found.keys() ^ want.keys()))} in one of the two, {when}"
            )
        for name, array in found.items():
            if not _same_array(array, want[name]):
                return f"another array {name}, {when}"
    return None


def _saved(model: Any) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder, "model"))
        files = sorted(Path(folder).rglob("*.safetensors"))
        arrays = {
            f"{file.name}: {name}": array
            for file in files
            for name, array in load_file(file).items()
        }
    if not arrays:
        raise NotOffered("arrays in a .safetensors file")
    return arrays


def _same_array(found: np.ndarray, want: np.ndarray) -> bool:
    """Whole numbers exactly, others to 1e-10 of the largest."""
    if found.shape != want.shape or found.dtype != want.dtype:
        return False
    if not np.issubdtype(found.dtype, np.floating):
        return np.array_equal(found, want)
    return bool(
        np.abs(found - want).max(initial=0) <= 1e-10 * max(1.0, np.abs(want).max(initial=0))
    )


def _twice(b: Bench) -> str | None:
    # a whole user: of a cell's equal rows, a model that counts may be asked to forget each
    model, removed = b.fitted(b.log), b.log.only(b.histories.interaction[b.histories.row(0)])
    model.forget(removed)
    want = model.score(b.histories).copy()
    with suppress(WorkbenchError):
        model.forget(removed)
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
    return (
        None
        if np.array_equal(at, made["row"])
        else "interactions that are not of the row's history"
    )


def _contributions_sum(b: Bench) -> str | None:
    made, items = _contributions(b)
    sums = np.zeros(items.shape)
    np.add.at(sums, (made["row"], made["item"]), made["weight"])
    nothing = b.histories.select([0]).without(b.histories.interaction[b.histories.row(0)])
    try:
        rest = np.asarray(b.model.score(replace(nothing, user=np.array([-1], nothing.user.dtype))))
    except WorkbenchError:
        rest = 0.0
    return far(sums, b.scores - rest)


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
