"""The laws of the hooks that unlearning builds on: tuning, targets, logits, rows, and the way back.

torch is imported only when a law is asked.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.laws import Law
from workbench.recommend.laws.bench import reloaded
from workbench.recommend.laws.examples import epochs, like_kept, named_rows, targets
from workbench.recommend.laws.identity import answering
from workbench.recommend.laws.weights import (
    double,
    first_difference,
    losses_of,
    plain,
    slopes,
    state,
)


def _no_epochs(b: Any) -> str | None:
    model = copy.deepcopy(b.model)
    record = model.tune(model.examples(b.log), epochs=0)
    if len(record):
        return f"a record of {len(record)} epochs"
    return first_difference(state(b.model), state(model))


def _tune_is_fit(b: Any) -> str | None:
    b.lean(fits=True)
    model = b.make()
    model.start(b.log)
    model.tune(model.examples(b.log))
    return first_difference(state(b.model), state(model))


def _warm(b: Any) -> str | None:
    import torch

    before, made = state(b.model), []
    drawn = torch.random.get_rng_state()
    for options in ({}, {}, {"learning_rate": 1e-7, "optimiser": "sgd"}):
        model = copy.deepcopy(b.model)
        model.tune(model.examples(b.log), epochs=1, seed=3, **options)
        made.append(state(model))
    if not torch.equal(drawn, torch.random.get_rng_state()):
        return "draws that reached the caller's generator"
    if first_difference(*made[:2]):
        return "other weights when tuned again with the same seed"
    # how far fitting went from its first weights, beside how far a tiny step goes
    first = state(b.make().start(b.log))
    went, step = _distance(before, first), _distance(before, made[2])
    if step > 0.1 * went:
        return f"weights {step:.2g} away after a step of next to nothing (fit went {went:.2g})"
    return None if _distance(before, made[0]) > 0 else "the same weights after an epoch"


def _history_logits(b: Any) -> str | None:
    b.lean()
    found = b.model.logits(b.histories)
    if tuple(found.shape) != b.scores.shape:
        return f"shape {tuple(found.shape)} in place of {b.scores.shape}"
    if not found.requires_grad:
        return "no graph"
    off = np.abs(plain(found) - b.scores).max()
    if off > 1e-5 * max(1.0, np.abs(b.scores).max()):
        return f"scores that differ by {off:.2g}"
    reached = slopes(found.sum(), list(b.model.module.parameters()))
    return None if any(map(np.any, map(plain, reached))) else "a graph that reaches no parameter"


def _example_logits(b: Any) -> str | None:
    model = _bare(double(b.model))
    examples = model.examples(b.log, b.histories.user[:6])
    losses, logits = model.loss(examples), model.logits(examples)
    if tuple(logits.shape) not in {(len(losses),), (len(losses), b.log.n_items)}:
        return f"shape {tuple(logits.shape)} for {len(losses)} losses"
    made = model.loss_from(logits, examples)
    if made.shape != losses.shape or np.abs(plain(made - losses)).max() > 1e-9:
        return "other losses from the logits"
    both = slopes((losses - made).sum(), list(model.module.parameters()))
    off = max(np.abs(plain(slope)).max() for slope in both)
    return None if off <= 1e-7 else f"gradients through the logits off by {off:.2g}"


def _rows(b: Any) -> str | None:
    # no graph that carries vectors on, no part of the loss that reads other people's weights
    model = _bare(double(b.model)).rebuild(b.log.without(b.log.frame["interaction"]))
    named, groups = dict(model.module.named_parameters()), model.parameter_groups()
    owned = {id(value) for group in ("users", "items") for value in groups[group]}
    want = {name for name, value in named.items() if id(value) in owned}
    every = model.rows(range(b.log.n_users), range(b.log.n_items))
    if set(every) != want:
        return f"entries of {', '.join(sorted(every))} in place of {', '.join(sorted(want))}"
    for name, module in model.module.named_modules():
        padding = getattr(module, "padding_idx", None)
        index = every.get(f"{name}.weight")
        if padding is not None and index is not None and padding in index:
            return f"the padding of {name} among its entries"
    if found := _slopes_outside(model, model.examples(b.log), every, named):
        return f"{found}, entries of nobody"
    user = int(b.log.frame["user"].value_counts().index[0])
    own = model.rows(users=[user])
    if found := _slopes_outside(model, model.examples(b.log, [user]), own, named):
        return f"{found}, outside the entries of user {user}"
    return _item_rows(b, model)


def _slopes_outside(model: Any, examples: Any, inside: dict[str, Any], named: Any) -> str | None:
    """A parameter whose gradient, of the losses' sum, is not 0 outside these entries, or all 0
    inside."""
    if not inside:
        return None
    made = slopes(model.loss(examples).sum(), [named[name] for name in inside])
    for (name, index), slope in zip(inside.items(), made, strict=True):
        rest = slope.clone()
        rest[index] = 0
        if rest.any():
            return f"a gradient of {name}"
    return None if any(slope.any() for slope in made) else "no gradient at all"


def _item_rows(b: Any, model: Any) -> str | None:
    import torch

    held = b.histories.matrix().toarray() > 0
    for item in np.argsort(held.sum(axis=0), kind="stable")[:3]:
        asked = b.histories.select(np.flatnonzero(~held[:, item]))
        twin = copy.deepcopy(model)
        named = dict(twin.module.named_parameters())
        with torch.no_grad():
            for name, index in twin.rows(items=[int(item)]).items():
                named[name][index] += 0.5
        moved = np.abs(twin.score(asked) - model.score(asked)).max(axis=0) > 1e-6
        if not moved[item]:
            return f"scores of item {item} that its entries do not move"
        if moved.sum() > 1:
            return f"scores of {moved.sum() - 1} other items that the entries of {item} move"
    return None


def _rollback(b: Any) -> str | None:
    import torch

    b.lean()
    model = b.fitted(b.log)
    twin = model.copy()
    if found := first_difference(_everything(b, twin), _everything(b, model)):
        return f"{found} in the copy than in the original"
    for kept, changed, name in ((twin, model, "copy"), (model, twin, "original")):
        want = _everything(b, kept)
        changed.tune(changed.examples(b.log), epochs=1)
        changed.rebuild(b.other)
        with torch.no_grad():
            for value in changed.module.state_dict().values():
                value += 1
        if found := first_difference(want, _everything(b, kept)):
            return f"{found}, of the {name} when the other one was changed"
    return None


def _everything(b: Any, model: Any) -> dict[str, Any]:
    """Weights, buffers, scores, losses and logits of a model, to be compared bit by bit."""
    examples = model.examples(b.log)
    found = {"other scores": model.score(b.histories), "other losses": losses_of(model, examples)}
    return state(model) | found | {"other logits": plain(model.logits(examples))}


def _bound(b: Any) -> str | None:
    model, unbound = b.fitted(b.log), b.fitted(b.log)
    unbound.bound = None
    other = replace(b.log, items=b.log.items[::-1])
    foreign = unbound.examples(other)  # a model that is not bound takes any log of its shape
    if "unbound" not in repr(unbound) or "unbound" in repr(model):
        return f"the name {unbound!r} without a fingerprint, {model!r} with one"
    calls: dict[str, Callable[[], Any]] = {
        "rebuild": lambda: model.rebuild(other),
        "examples": lambda: model.examples(other),
        "tune": lambda: model.tune(foreign, epochs=0),
    }
    if found := answering(calls):
        return f"a log of other indexes in {found}"
    fingerprints = {model.bound, reloaded(model).bound, b.log.index_fingerprint}
    return None if len(fingerprints) == 1 else "another fingerprint after loading"


def _bare(model: Any) -> Any:
    """The model with all parts of its loss at 0 that do not pass through its logits."""
    beside = getattr(model, "beside", ())
    if beside:
        model.config = model.config.model_copy(update=dict.fromkeys(beside, 0.0))
    return model


def _distance(one: dict[str, np.ndarray], two: dict[str, np.ndarray]) -> float:
    return float(sum(np.square(one[name] - two[name]).sum() for name in one)) ** 0.5


ASKED = ("module", "examples", "loss", "tune")
HOOKS: dict[str, Law] = {
    "no epochs": Law("no change and an empty record from tuning for 0 epochs", _no_epochs, ASKED),
    "tune is fit": Law(
        "a tuned fresh start to be the fitted model", _tune_is_fit, (*ASKED, "start")
    ),
    "warm start": Law("tuning to go on from the present weights", _warm, (*ASKED, "start")),
    "targets": Law("every row that can be asked once, and every loss named", targets, ASKED),
    "named rows": Law("a loss to change with the row it names, none before it", named_rows, ASKED),
    "like": Law("losses that do not read a removed row to stay", like_kept, ASKED),
    "epochs": Law("the same rows asked in every epoch, 0 unless told", epochs, ASKED),
    "logits of histories": Law("scores, with a graph", _history_logits, ("module", "logits")),
    "logits of examples": Law(
        "a row a loss, from which losses and gradients come",
        _example_logits,
        (*ASKED, "logits", "loss_from"),
    ),
    "rows": Law("each user's and item's own entries", _rows, (*ASKED, "rows", "rebuild")),
    "rollback": Law(
        "a copy equal bit by bit, which no change of the other reaches",
        _rollback,
        (*ASKED, "copy", "rebuild", "logits"),
    ),
    "bound": Law(
        "logs of other indexes refused, by a loaded model too",
        _bound,
        (*ASKED, "bound", "rebuild", "save", "load"),
    ),
}
"""Every law of the hooks."""
