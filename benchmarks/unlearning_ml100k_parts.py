"""What `unlearning_ml100k.py` runs, in its order, and with which methods."""

from __future__ import annotations

from dataclasses import dataclass, replace

from workbench.unlearning import Method
from workbench.unlearning.algorithms import SCIFConfig, ascent, flipped, retrain, scif
from workbench.unlearning.algorithms.retrain import RetrainConfig
from workbench.unlearning.methods import CORRECTED, FORK, METHODS, RETUNED

COUNTED = ("EASE", "ItemKNN")
ROUNDS = 3
"""Methods that wait serve a third of the requests at a time; BPR is looked at after each third."""


@dataclass(frozen=True)
class Part:
    """Some methods on one model and topic; l2: the one that validation chose, unless it is told."""

    name: str
    model: str
    methods: tuple[str, ...]
    topic: str = "Horror"
    l2: float | None = None
    placebo: bool = False


NEAR = ("no-op", "SCIF, corrected", "warm start, batched")
CONTROLS = ("no-op", "half-way (planted)", "sign flip (SCIF)", "bounded ascent")
SEVEN = ("SCIF", "Kookmin", "Fanchuan", "SEIF", "GIF", "CEU", "IDEA")
CURVE = {f"SCIF, λ {size:g}": size for size in (0.0, 0.1, 1.0, 10.0)}
PARTS = (
    Part("controls", "BPR", (*NEAR, *CONTROLS[1:3], "retrain, batched")),
    Part("practice", "BPR", ("bounded ascent", "re-solve the user", "tombstone", "fine-tune")),
    *(Part("exact", model, ("no-op", "exact", "tombstone")) for model in COUNTED),
    Part("placebo", "BPR", NEAR, placebo=True),
    Part("trap", "BPR", (*NEAR[:2], "bounded ascent"), l2=0.0),
    Part("seven", "BPR", tuple(f"{name}, {CORRECTED}" for name in SEVEN[1:4])),
    Part("War", "BPR", (*NEAR, *CONTROLS[1:]), topic="War"),
    Part("trap", "BPR", ("SCIF, λ 0.1", "sign flip (SCIF)"), l2=0.0),
    Part("seven", "BPR", tuple(f"{name}, {CORRECTED}" for name in SEVEN[4:])),
    Part("more", "BPR", ("SISA", "noise and tune", "warm start, items too, batched")),
    Part("more", "BPR", ("fine-tune, batched", "sign flip (ascent)")),
    Part("curve", "BPR", tuple(CURVE)),
    Part("LightGCN", "LightGCN", (*NEAR, *CONTROLS[1:])),
    Part("fork", "BPR", tuple(f"{name}, {FORK}" for name in SEVEN)),
    Part("SGL", "SGL", (*NEAR, *CONTROLS[1:])),
    Part("retuned", "BPR", tuple(f"{name}, {RETUNED}" for name in SEVEN[1:4])),
    Part("solve", "BPR", ("re-solve user, items, user",)),
)
"""What matters most comes first: a run that is stopped has it."""


def methods(n: int) -> dict[str, Method]:
    """The rows of `METHODS` and some more, by name. n: requests of the scenario."""
    wait = -(-n // ROUNDS)
    late = [replace(METHODS["fine-tune"], name="fine-tune, batched", batch=wait)]
    late += [replace(METHODS[name], batch=wait) for name in ("half-way (planted)", "SISA")]
    late += [replace(row, batch=wait) for row in METHODS.values() if row.batch > 1]
    late += [Method("retrain, batched", retrain, RetrainConfig(reseed=True), batch=wait)]
    more = [Method("sign flip (ascent)", flipped(ascent))]
    more += [Method(name, scif, SCIFConfig(damping=size)) for name, size in CURVE.items()]
    return METHODS | {row.name: row for row in (*late, *more)}
