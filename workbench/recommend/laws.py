"""Does a recommender keep the protocol's laws? Any object with `fit` and `score` can be asked, one
law at a time.

A law is a function that returns nothing where it holds, or what was found instead. A law about
something that the object does not offer (copy, save, forget, …) is not asked. torch is imported
only for a trained model.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.data import Histories, Interactions
from workbench.errors import ConfigError, WorkbenchError
from workbench.html import table
from workbench.recommend import trained_laws


@dataclass(frozen=True)
class Checks:
    """What `check_recommender` found: frame [law, ok, detail]; `ok` is <NA> for what the model does
    not offer."""

    model: str
    frame: pd.DataFrame

    @property
    def ok(self) -> bool:
        """No law is broken."""
        return not self.broken

    @property
    def broken(self) -> list[str]:
        """The laws that do not hold."""
        return list(self.frame.loc[(~self.frame["ok"]).fillna(False), "law"])

    def to_frame(self) -> pd.DataFrame:
        """[law, ok, detail]."""
        return self.frame

    def __repr__(self) -> str:
        hold, absent = int(self.frame["ok"].sum()), int(self.frame["ok"].isna().sum())
        return (
            f"Checks({self.model}: {hold} laws hold, {len(self.broken)} broken, "
            f"{absent} not offered)"
        )

    def _repr_html_(self) -> str:
        said = {True: "holds", False: "broken"}
        rows = self.frame.assign(ok=[said.get(ok, "not offered") for ok in self.frame["ok"]])
        return table(rows.rename(columns={"ok": "result"}).to_dict("records"), caption=repr(self))


def check_recommender(
    mine: Any,
    log: Interactions | None = None,
    seed: int = 0,
    *,
    additive: bool = True,
    partial: bool = False,
    fits: int = 3,
) -> Checks:
    """Hold a recommender against the laws of the protocol; a broken law says what was expected and
    what was found.

    mine: an object with `fit(log)` and `score(histories)`, not fitted or fitted (it is copied and
    left alone), or a class or function without arguments that makes one. log: what to fit on,
    `small_log(seed)` unless told. additive: the score claims to be a sum over the history, up to
    what an empty history scores, so that contributions must sum to it. partial: the model offers
    some items only and may score others, never those of the history, −inf. fits: refits that
    `forget` is compared with. Raises `ConfigError` for an object without `fit` or `score`.

    >>> check_recommender(Popularity)  # doctest: +SKIP
    Checks(Popularity: 20 laws hold, 0 broken, 7 not offered)
    """
    instance = not isinstance(mine, type) and hasattr(mine, "fit")
    if not instance and not callable(mine):
        raise ConfigError(
            f"{mine!r} has no fit", "mine", "an object with fit and score, or what makes one"
        )
    make = (lambda: copy.deepcopy(mine)) if instance else mine
    first = make()
    for name in ("fit", "score"):
        if not callable(getattr(first, name, None)):
            raise ConfigError(
                f"{type(first).__name__} has no {name}", "mine", "fit(log) and score(histories)"
            )
    bench = _Bench(make, small_log(seed) if log is None else log, seed, partial, fits)
    rows = []
    for law, (expected, needs, holds) in LAWS.items():
        absent = [name for name in needs if not hasattr(first, name)]
        if absent or (law == "contributions sum" and not additive):
            rows.append(
                (
                    law,
                    pd.NA,
                    f"not offered: {', '.join(absent) or 'a score that is a sum over the history'}",
                )
            )
            continue
        try:
            found = holds(bench)
        except _NotOffered as nothing:
            rows.append((law, pd.NA, f"not offered: {nothing}"))
            continue
        except Exception as error:  # whatever a foreign model raises belongs in the table
            found = f"{type(error).__name__}: {error}"
        rows.append((law, not found, f"expected: {expected}; found: {found}" if found else ""))
        if law == "fit" and found:
            break
    frame = pd.DataFrame(rows, columns=["law", "ok", "detail"]).astype({"ok": "boolean"})
    return Checks(type(first).__name__, frame)


def small_log(seed: int = 0, users: int = 24, items: int = 16, rows: int = 320) -> Interactions:
    """A random log with times, sessions, baskets, actions, repeats, and an item and a user that
    have no row."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"user": np.sort(np.r_[np.arange(users - 1).repeat(4), rng.integers(0, users - 1, rows)])}
    )
    n = len(frame)
    frame["item"] = np.minimum(rng.geometric(0.2, n) - 1, items - 2)
    at = frame.groupby("user").cumcount().to_numpy()
    frame["basket"] = frame["session"] = frame["user"] * 1000 + at // 3
    frame["time"] = 1_700_000_000 + (at // 3) * 86_400 + (at % 3) * 60 + frame["user"]
    frame["action"] = rng.choice(["view", "cart", "purchase"], n)
    names = {"timestamp": "time", "action": "action", "session": "session", "basket": "basket"}
    return Interactions.from_table(
        frame, **names, users=pd.Index(range(users)), items=pd.Index(range(items))
    )


class _NotOffered(Exception):
    """A model offers nothing that a law could be asked of."""


@dataclass(frozen=True)
class _Bench:
    """What laws share: one fitted model that no law changes, the log, and histories with at least
    one row."""

    make: Callable[[], Any]
    log: Interactions
    seed: int
    partial: bool
    fits: int

    @cached_property
    def model(self) -> Any:
        return self.fitted(self.log)

    @cached_property
    def histories(self) -> Histories:
        return self.log.histories(np.unique(self.log.frame["user"])[:64])

    @cached_property
    def scores(self) -> np.ndarray:
        return np.asarray(self.model.score(self.histories)).copy()

    @cached_property
    def other(self) -> Interactions:
        """Another log with the same indexes: half of the rows."""
        return self.log.select(np.random.default_rng(self.seed).random(len(self.log)) < 0.5)

    def fitted(self, log: Interactions) -> Any:
        model = self.make()
        model.fit(apart(log))
        return model

    def differs(
        self, model: Any, histories: Histories | None = None, want: np.ndarray | None = None
    ) -> str | None:
        """How a model's scores differ from the wanted ones, beyond rounding."""
        found = np.asarray(model.score(self.histories if histories is None else histories))
        want = self.scores if want is None else want
        return far(found, want)

    def numbers(self, scores: np.ndarray) -> np.ndarray:
        """Which scores are numbers, or the −inf of an item that is not offered."""
        return np.isfinite(scores) | (np.isneginf(scores) & self.partial)


def apart(log: Interactions) -> Interactions:
    """A log of its own: what a model writes into it reaches nobody else."""
    return replace(log, frame=log.frame.copy())


def far(found: np.ndarray, want: np.ndarray) -> str | None:
    """What differs beyond rounding: 1e-9 of the largest score, 1e-4 in float32; −inf is equal to
    −inf alone."""
    if found.shape != want.shape:
        return f"shape {found.shape} in place of {want.shape}"
    left_out = np.isneginf(want)
    if not np.array_equal(np.isneginf(found), left_out):
        return "scores of −inf for other items"
    found, want = found[~left_out], want[~left_out]
    scale = max(1.0, float(np.abs(want).max(initial=0)))
    most = float(np.abs(found.astype(float) - want.astype(float)).max(initial=0)) / scale
    bound = 1e-9 if found.dtype == want.dtype == np.float64 else 1e-4
    return None if most <= bound else f"scores that differ by {most:.2g} of the largest"


def _fit(b: _Bench) -> str | None:
    model = b.make()
    return None if model.fit(apart(b.log)) is model else "something else returned"


def _shape(b: _Bench) -> str | None:
    found, want = b.model.score(b.histories), (len(b.histories), b.log.n_items)
    if not isinstance(found, np.ndarray):
        return f"a {type(found).__name__}"
    return None if found.shape == want else f"shape {found.shape} for {want}"


def _dtype(b: _Bench) -> str | None:
    return None if b.scores.dtype in (np.float32, np.float64) else str(b.scores.dtype)


def _masks(b: _Bench) -> str | None:
    scores, seen = b.scores.astype(float), b.histories.matrix().toarray() > 0
    if (out := np.isneginf(scores) & (seen | (not b.partial))).any():
        return f"−inf for {int(out.sum())} items"
    rows = [
        (own[held], own[~held])
        for own, held in zip(scores, seen, strict=True)
        if held.any() and not held.all()
    ]
    gap = [below.max() < rest.min() and (np.ptp(below) == 0 or rest.min() - below.max() > np.ptp(rest))
           for below, rest in rows]  # fmt: skip
    return "all items of every history far below all others" if gap and all(gap) else None


def _finite(b: _Bench) -> str | None:
    bad = ~np.isfinite(b.scores) & ~np.isneginf(b.scores)
    return f"{int(bad.sum())} scores that are NaN or infinite" if bad.any() else None


def _unchanged(b: _Bench) -> str | None:
    log = apart(b.log)
    model, histories = b.make(), log.histories(b.histories.user)
    before = {
        name: getattr(histories, name).copy()
        for name in ("user", "offsets", "item", "action", "interaction")
    }
    model.fit(log)
    model.score(histories)
    if not log.frame.equals(b.log.frame):
        return "a log that fit or score has changed"
    changed = [
        name
        for name, array in before.items()
        if not np.array_equal(array, getattr(histories, name))
    ]
    return f"histories whose {', '.join(changed)} score has changed" if changed else None


def _repeat(b: _Bench) -> str | None:
    return b.differs(b.model) or b.differs(b.fitted(b.log))


def _afresh(b: _Bench) -> str | None:
    model = b.fitted(b.other)
    model.fit(apart(b.log))
    return b.differs(model)


def _alone(b: _Bench) -> str | None:
    some = range(0, len(b.histories), max(1, len(b.histories) // 8))
    return far(
        np.concatenate([b.model.score(b.histories.select([row])) for row in some]),
        b.scores[list(some)],
    )


def _order(b: _Bench) -> str | None:
    back = np.arange(len(b.histories))[::-1]
    return b.differs(b.model, b.histories.select(back), b.scores[back])


def _number_or_error(b: _Bench, model: Any, histories: Histories) -> str | None:
    try:
        found = np.asarray(model.score(histories))
    except WorkbenchError:
        return None
    want = (len(histories), histories.n_items)
    if found.shape != want:
        return f"shape {found.shape} for {want}"
    return None if b.numbers(found).all() else "scores that are no numbers"


def _unknown(b: _Bench) -> str | None:
    few = b.histories.select([0, 1])
    return _number_or_error(
        b, b.model, replace(few, user=np.array([-1, b.log.n_users], few.user.dtype))
    )


def _empty(b: _Bench) -> str | None:
    few = b.histories.select([0, 1])
    return _number_or_error(b, b.model, few.without(few.interaction))


def _one_item(b: _Bench) -> str | None:
    frame = b.log.frame.assign(item=np.zeros(len(b.log), b.log.frame["item"].dtype))
    log = replace(b.log, frame=frame, items=b.log.items[:1])
    try:
        model = b.fitted(log)
    except WorkbenchError:
        return None
    return _number_or_error(b, model, log.histories(b.histories.user))


def _copy(b: _Bench) -> str | None:
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


def _disturb(b: _Bench, model: Any) -> None:
    """Change a model by every way it has."""
    if hasattr(model, "forget"):
        model.forget(b.log.only(b.histories.interaction[b.histories.row(0)]))
    if getattr(model, "module", None) is not None:
        import torch

        with torch.no_grad():
            for value in model.module.parameters():
                value.mul_(1.5).add_(0.1)
    model.fit(b.other)


def _save(b: _Bench) -> str | None:
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


def _requests(b: _Bench) -> Iterator[tuple[Any, Any, Interactions, str]]:
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


def _forget(b: _Bench) -> str | None:
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


def _saved_after(b: _Bench) -> str | None:
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
        raise _NotOffered("arrays in a .safetensors file")
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


def _twice(b: _Bench) -> str | None:
    # a whole user: of a cell's equal rows, a model that counts may be asked to forget each
    model, removed = b.fitted(b.log), b.log.only(b.histories.interaction[b.histories.row(0)])
    model.forget(removed)
    want = model.score(b.histories).copy()
    with suppress(WorkbenchError):
        model.forget(removed)
    return b.differs(model, want=want)


def _contributions(b: _Bench) -> tuple[pd.DataFrame, np.ndarray]:
    items = np.tile(np.arange(b.log.n_items), (len(b.histories), 1))
    return b.model.contributions(b.histories, items), items


def _contributions_table(b: _Bench) -> str | None:
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


def _contributions_sum(b: _Bench) -> str | None:
    made, items = _contributions(b)
    sums = np.zeros(items.shape)
    np.add.at(sums, (made["row"], made["item"]), made["weight"])
    nothing = b.histories.select([0]).without(b.histories.interaction[b.histories.row(0)])
    try:
        rest = np.asarray(b.model.score(replace(nothing, user=np.array([-1], nothing.user.dtype))))
    except WorkbenchError:
        rest = 0.0
    return far(sums, b.scores - rest)


def _per_example(b: _Bench) -> str | None:
    users = b.histories.user
    parts = [
        _losses(b.model, b.model.examples(b.log, some)) for some in (users, users[::2], users[1::2])
    ]
    shapes = [tuple(part.shape) for part in parts]
    if any(len(shape) != 1 for shape in shapes):
        return f"losses of shape {shapes[0]}"
    if shapes[0][0] != shapes[1][0] + shapes[2][0]:
        return (
            f"{shapes[0][0]} losses for all users, {shapes[1][0]} and {shapes[2][0]} "
            f"for the two halves of them"
        )
    if not all(np.isfinite(part.numpy()).all() for part in parts):
        return "losses that are no numbers"
    again = _losses(b.model, b.model.examples(b.log, users))
    return None if np.array_equal(again, parts[0]) else "other losses when asked again"


def _losses(model: Any, examples: Any) -> Any:
    return model.loss(examples).detach().cpu()


def _twice_differentiable(b: _Bench) -> str | None:
    """H·v by differentiating twice, against (g(θ + εv) − g(θ − εv)) / 2ε in float64.

    H leaves out the kinks of a piecewise function such as ReLU, and a difference that steps over
    one does not. So three directions are tried, with ever smaller steps, and one that agrees will
    do: a wrong derivative is off in all.
    """
    found = [
        _hessian_off(b, b.seed + number, step) for number, step in enumerate((1e-4, 1e-5, 1e-6))
    ]
    return (
        None if any(off <= 1e-3 for off in found) else f"H·v off by {found[-1]:.2g} of its length"
    )


def _hessian_off(b: _Bench, seed: int, step: float) -> float:
    """How far H·v is from the difference of gradients, in lengths of the latter, for a random v."""
    import torch

    module = copy.deepcopy(b.model)
    module.module.double()
    values = list(module.module.parameters())
    examples = module.examples(b.log, b.histories.user[:4])
    generator = torch.Generator().manual_seed(seed)
    direction = [
        torch.randn(value.shape, generator=generator, dtype=torch.float64) for value in values
    ]

    def gradient(create: bool) -> list[Any]:
        found = torch.autograd.grad(
            module.loss(examples).mean(), values, create_graph=create, allow_unused=True
        )
        return [torch.zeros_like(v) if g is None else g for g, v in zip(found, values, strict=True)]

    along = sum((g * d).sum() for g, d in zip(gradient(True), direction, strict=True))
    exact = (
        torch.autograd.grad(along, values, allow_unused=True)
        if along.requires_grad
        else [None] * len(values)
    )
    exact = [torch.zeros_like(v) if h is None else h for h, v in zip(exact, values, strict=True)]
    ends = []
    for sign in (1, -2):
        with torch.no_grad():
            for value, d in zip(values, direction, strict=True):
                value.add_(d, alpha=sign * step)
        ends.append(gradient(False))
    differences = [(one - two) / (2 * step) for one, two in zip(*ends, strict=True)]
    off = sum(float((h - d).square().sum()) for h, d in zip(exact, differences, strict=True)) ** 0.5
    size = sum(float(d.square().sum()) for d in differences) ** 0.5
    return off / max(size, 1e-4)


def _groups(b: _Bench) -> str | None:
    groups = b.model.parameter_groups()
    if set(groups) != {"users", "items", "shared"}:
        return f"groups {', '.join(groups)}"
    listed = [id(value) for values in groups.values() for value in values]
    own = {id(value): name for name, value in b.model.module.named_parameters()}
    absent = [name for key, name in own.items() if key not in listed]
    if absent or len(listed) != len(own):
        return (
            f"{len(listed)} parameters listed, {len(own)} in the module"
            + f", without {absent[0]}" * bool(absent)
        )
    return None


def _rebuild(b: _Bench) -> str | None:
    model = copy.deepcopy(b.model)
    if model.rebuild(b.log) is not model:
        return "something else than the model returned"
    return _weights_differ(model, b.model) or b.differs(model)


def _weights_differ(one: Any, two: Any) -> str | None:
    a, b = dict(one.module.named_parameters()), dict(two.module.named_parameters())
    changed = [name for name in a if name not in b or not bool((a[name] == b[name]).all())]
    return f"another weight {changed[0]}" if changed else None


def _same_weights(b: _Bench) -> str | None:
    return _weights_differ(b.fitted(b.log), b.model)


def _represent(b: _Bench) -> str | None:
    shape = tuple(b.model.represent(b.histories).shape)
    return None if len(shape) == 2 and shape[0] == len(b.histories) else f"shape {shape}"


def _evaluation_mode(b: _Bench) -> str | None:
    return "training mode after fit" if b.model.module.training else None


TRAINED = ("module", "examples", "loss")
LAWS: dict[str, tuple[str, tuple[str, ...], Callable[[_Bench], str | None]]] = {
    "fit": ("fit(log) to return the model itself", (), _fit),
    "shape": ("scores as an array (histories, items)", (), _shape),
    "dtype": ("float64 or float32", (), _dtype),
    "nothing masked": ("a score for every item, also for those of the history", (), _masks),
    "finite": ("numbers for every history and item", (), _finite),
    "input unchanged": ("log and histories to be left as they were", (), _unchanged),
    "same again": ("equal scores from two scorings and from two fits on one log", (), _repeat),
    "fit starts afresh": ("a second fit to forget the first", (), _afresh),
    "alone or together": ("a history's scores not to depend on those beside it", (), _alone),
    "any order": ("scores to follow their histories in any order", (), _order),
    "unknown user": ("numbers or a WorkbenchError for users outside the index", (), _unknown),
    "empty history": ("numbers or a WorkbenchError", (), _empty),
    "one item": ("numbers or a WorkbenchError for a catalogue of one item", (), _one_item),
    "copy": ("an equal copy; changing one never changes the other", ("copy",), _copy),
    "save and load": (
        "a loaded model that scores and forgets like the saved one",
        ("save", "load"),
        _save,
    ),
    "forget": ("scores equal to those of a refit on what remains", ("forget",), _forget),
    "saved after forgetting": (
        "the arrays that a refit on what remains saves",
        ("save", "forget"),
        _saved_after,
    ),
    "forget once": ("rows forgotten twice to be refused or to change nothing", ("forget",), _twice),
    "contributions": (
        "[row, item, interaction, weight] of each history",
        ("contributions",),
        _contributions_table,
    ),
    "contributions sum": (
        "weights that sum to score less empty history's",
        ("contributions",),
        _contributions_sum,
    ),
    "loss": (
        "one finite loss per example, the same again; users' examples apart",
        TRAINED,
        _per_example,
    ),
    "second derivative": ("H·v equal to differences of gradients", TRAINED, _twice_differentiable),
    "parameter groups": (
        "every parameter once, in users, items, shared",
        ("module", "parameter_groups"),
        _groups,
    ),
    "rebuild": ("weights and scores unchanged on the same log", ("module", "rebuild"), _rebuild),
    "same weights": ("equal weights from two fits on one log", ("module",), _same_weights),
    "represent": ("user representations (histories, d)", ("module", "represent"), _represent),
    "evaluation mode": (
        "a module in evaluation mode outside training",
        ("module",),
        _evaluation_mode,
    ),
} | trained_laws.LAWS
"""Every law: what is expected, what a model must offer to be asked, and the question."""
