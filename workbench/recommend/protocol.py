"""What every recommender offers; a model may offer more, a caller may rely on no more. How a caller
asks for more, and fits a model that is not its own. And the errors that every model raises alike:
not fitted, asked about another log, told to forget what it does not hold."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
import pandas as pd

from workbench.data import Histories, Interactions
from workbench.data.histories import places, spans
from workbench.errors import ConfigError, DataError, ModelError


@runtime_checkable
class Recommender(Protocol):
    """A model that scores every item for every history."""

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Self:
        """Learn from a log; returns itself."""

    def score(self, histories: Histories) -> np.ndarray:
        """Scores (B, n_items), nothing masked: float64 for counted and linear models, float32 for
        trained ones."""

    def copy(self) -> Self:
        """An independent copy: changing one never changes the other."""

    def save(self, folder: Path) -> None:
        """Write the model into a folder, whole or not at all."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""


@runtime_checkable
class Counted(Recommender, Protocol):
    """A model whose state is a sum over rows, so that a row can be taken out exactly."""

    def forget(self, removed: Interactions) -> Self:
        """Take rows out, in place; equals the model refitted on what remains."""

    def contributions(self, histories: Histories, items: np.ndarray) -> pd.DataFrame:
        """What each interaction of history b adds to the scores of `items[b]`: [row, item,
        interaction, weight].

        items: (B,) or (B, m) target codes, −1 for none; `row` is b, `item` the target. Weights sum
        to the score.
        """


@runtime_checkable
class Examples(Protocol):
    """What a trained model learns from: E examples, each of which asks for one thing or more."""

    bound: str | None
    """`index_fingerprint` of the log they were made of."""

    def __len__(self) -> int:
        """E; the losses may be more."""

    def select(self, rows: np.ndarray) -> Self:
        """Some of the examples."""

    def batches(self, size: int, seed: tuple[int, ...]) -> Iterator[Self]:
        """All examples once, in an order drawn from the seed; what is drawn for them (negatives) is
        drawn from it too."""

    def targets(self) -> tuple[np.ndarray, np.ndarray]:
        """Which rows of the log the losses are about: (loss, interaction id), int64, loss by loss.

        A loss about several rows (a basket) stands there once for each.
        """


@runtime_checkable
class Trained(Recommender, Protocol):
    """A model fitted by gradient descent. `copy()` is the way back: weights, buffers and graphs."""

    module: Any

    def examples(
        self,
        log: Interactions,
        users: np.ndarray | None = None,
        epoch: int = 0,
        like: Any = None,
    ) -> Any:
        """Training examples of these users of a log, with the draws of an epoch; `like` keeps those
        of other examples for what is still there."""

    def loss(self, examples: Any) -> Any:
        """One loss for everything asked, (n_losses,), with its graph."""

    def logits(self, asked: Any) -> Any:
        """With their graph: scores of histories (B, n_items); of examples one row a loss, (n_losses,
        n_items), or (n_losses,) margins for pairs."""

    def tune(
        self,
        examples: Any,
        epochs: int | None = None,
        learning_rate: float | None = None,
        seed: int | None = None,
        optimiser: str = "adam",
    ) -> pd.DataFrame:
        """Train on from the present weights, by the loop that `fit` uses; one row per epoch."""

    def rows(self, users: Iterable[int] = (), items: Iterable[int] = ()) -> dict[str, Any]:
        """What of each parameter belongs to these users and items: {name: index into it}."""

    def represent(self, histories: Histories) -> Any:
        """User representations (B, d)."""

    def parameter_groups(self) -> dict[str, list[Any]]:
        """Named groups of parameters: users, items, shared."""

    def rebuild(self, log: Interactions) -> Self:
        """Make caches (graphs, tables) anew from a log, weights unchanged."""


def must_offer(model: Any, *names: str, where: str = "model", do: str | None = None) -> None:
    """Refuse, before any work, what is no model or lacks one of these methods: `ConfigError`."""
    want = ", ".join(names)
    if isinstance(model, type):
        raise ConfigError(f"the class {model.__name__}", where, "a model", f"{model.__name__}()")
    absent = [name for name in names if not callable(getattr(model, name, None))]
    if absent:
        raise ConfigError(
            f"{type(model).__name__} has no {absent[0]}", where, f"a model: {want}", do
        )


def copied(model: Any) -> Any:
    """A copy of a model: its own `copy()`, or a deep one where it has none; `ModelError` where that
    is no other model."""
    own = model.copy() if hasattr(model, "copy") else copy.deepcopy(model)
    if own is model or own is None:
        what = f"copy returned {'nothing' if own is None else 'the model itself'}"
        do = "end copy with: return copy.deepcopy(self)"
        raise ModelError(what, type(model).__name__, "a model of its own", do)
    return own


def seeded(model: Any) -> bool:
    """Whether its fit draws from a seed: an attribute `seed`, or one of its config or training."""
    config = getattr(model, "config", None)
    return any(hasattr(one, "seed") for one in (model, config, getattr(config, "training", None)))


def reseeded(model: Any, seed: int) -> Any:
    """A copy whose next fit draws from another seed; of a model without one, a copy."""
    own, told = copied(model), {"seed": seed}
    config = getattr(own, "config", None)
    if hasattr(own, "seed"):
        own.seed = seed
    elif hasattr(config, "seed"):
        own.config = config.model_copy(update=told)
    elif seeded(own):
        training = config.training.model_copy(update=told)
        own.config = config.model_copy(update={"training": training})
    return own


def fitted_copy(model: Any, log: Interactions, valid: Interactions | None = None) -> Any:
    """A copy of a model, see `copied`, fitted; the model itself stays as it is.

    A `fit(log)` that takes no validation log gets none. Raises `ModelError` where `fit` does not
    return the model.
    """
    own = copied(model)
    takes = "valid" in inspect.signature(own.fit).parameters
    found = own.fit(log.deeds, valid=valid) if takes else own.fit(log.deeds)
    if found is not own:
        what = f"fit returned {'nothing' if found is None else type(found).__name__}"
        raise ModelError(what, type(own).__name__, "the model itself", "end fit with: return self")
    return own


Fitted = TypeVar("Fitted")


def fitted(state: Fitted | None, model: object) -> Fitted:
    """The state of a model, or a `ModelError` that tells to fit it first."""
    if state is None:
        raise ModelError(
            f"{type(model).__name__} has not been fitted", do="call fit(log) or load(folder) first"
        )
    return state


def check_filled(histories: Histories, instead: str) -> None:
    """Refuse an empty history for a model that must read something."""
    empty = np.flatnonzero(np.diff(histories.offsets) == 0)
    if len(empty):
        where, want = f"histories, row {empty[0]}", "at least one interaction to read"
        do = f"leave it out, or score it with a counted model such as {instead}"
        raise DataError("an empty history", where, want, do)


def check_kind(asked: Any, kind: type[Any]) -> None:
    """Refuse what is no log, or no histories, … by the way to one."""
    if not isinstance(asked, kind):
        ways = {
            "Histories": "pass log.histories()",
            "Interactions": "pass a log, or log.only(ids) of one",
            "Catalogue": "make one with Catalogue.from_table(items)",
        }
        name = kind.__name__
        raise ConfigError(f"a {type(asked).__name__}", "argument", name, ways.get(name))


def check_items(
    asked: Any,
    n_items: int,
    bound: str | None = None,
    kind: type[Histories] | type[Interactions] = Histories,
    users: bool = True,
) -> None:
    """Histories, or a log, must have been coded with the indexes of the fitted log.

    bound: the fingerprint of those; None where it is not known. users: whether the codes of users
    are read; without, people whom the model never met may ask.
    """
    check_kind(asked, kind)
    if asked.n_items != n_items:
        raise ModelError(
            f"{kind.__name__.lower()} of {asked.n_items} items for a model of {n_items}",
            "argument",
            "the item index of the fitted log",
            "take a log with the same indexes, and histories from it",
        )
    logs = kind is Interactions
    check_bound(asked.index_fingerprint if logs else asked.bound, bound, users or logs)


def check_bound(found: str | None, bound: str | None, users: bool = True) -> None:
    """Two fingerprints of indexes must be one, where both are known; without `users` in the half
    that is the items'."""
    half = 0 if users else 32
    if None not in (bound, found) and found[half:] != bound[half:]:
        do = "take parts of the log it was fitted for, or fit it anew"
        raise ModelError(f"other indexes, {found[half:]}", "argument", bound[half:], do)


def held_at(
    removed: Interactions,
    offsets: np.ndarray,
    ids: np.ndarray,
    item_at: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Where the rows to remove stand among those that a model holds, row by row of `removed`.

    User u holds the ids `offsets[u]:offsets[u + 1]`; item_at: the items of rows by their places.
    Presses are held by no model. Raises `DataError` for the first row that is not held: by its id,
    its user and its item.
    """
    frame = removed.deeds.frame
    asked, user, item = (frame[name].to_numpy() for name in ("interaction", "user", "item"))
    # only the rows of the users who are asked for are looked at
    owners = np.unique(user[user < len(offsets) - 1])
    owner, own = spans(offsets[owners], offsets[owners + 1])
    found = places(asked, ids[own])
    # there, named once, of this user and of this item
    held = (found >= 0) & (np.bincount(found + 1)[found + 1] == 1)
    at = own[found[held]]
    held[held] = (owners[owner[found[held]]] == user[held]) & (item_at(at) == item[held])
    for row in np.flatnonzero(~held):
        raise DataError(
            f"interaction {asked[row]} (user code {user[row]}, item code {item[row]}) is not "
            "among the rows that the model holds",
            "removed",
            "rows the model was fitted on and has not forgotten yet",
            "pass log.only(ids) of that log (log.by_session() where sessions were fitted), each "
            "row once; a model that was saved before it kept ids must be fitted anew",
        )
    return at
