"""A small stream of requests with all that a dashboard shows, for tests with and without a browser:
models are fitted, forgetting is real, and what is measured is percentile, exposure and NDCG."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from workbench import unlearning
from workbench.data import load_world
from workbench.recommend import BPR, BPRConfig
from workbench.recommend.tasks import collaborative_task
from workbench.recommend.training import Training
from workbench.unlearning.algorithms import no_op
from workbench.views.unlearning import Dashboard, People

TOPIC = "Baby & pregnancy"
COLUMNS = ["method", "measure", "checkpoint", "estimate", "low", "high", "margin", "verdict"]


def tuned(model, before, request, config, seed):
    """One epoch on what remains."""
    model.tune(model.examples(request.remaining(before)), epochs=1, seed=seed)


def refitted(model, before, request, config, seed):
    """The model, fitted anew."""
    model.fit(request.remaining(before))


METHODS = {"no-op": no_op, "fine-tune": tuned, "retrain": refitted}


@cache
def world():
    return load_world()


@cache
def scenario():
    task = collaborative_task(world().log)
    return unlearning.sensitive(task, world().catalogue.items_of(TOPIC), n=6)


@cache
def base():
    training = Training(epochs=5, batch=2048, learning_rate=5e-3)
    return BPR(BPRConfig(l2=0.01, training=training)).fit(scenario().task.train)


@cache
def streams():
    made = {name: unlearning.Method(name, method) for name, method in METHODS.items()}
    return {name: unlearning.stream(method, base(), scenario()) for name, method in made.items()}


def people() -> People:
    last = len(scenario().requests)
    models = {"before": base()} | {name: one.models[last] for name, one in streams().items()}
    return People(models, scenario(), world().catalogue)


@cache
def assessment() -> pd.DataFrame:
    """Drawn, not measured, but for *deleted*."""
    rows, rng = [], np.random.default_rng(0)
    for mark in unlearning.checkpoints_of(len(scenario().requests)):
        again = unlearning.retrains(base(), scenario(), mark, (11, 12, 13))
        found = [unlearning.measures(one, scenario(), mark) for one in again]
        retrained = np.stack([one[one["measure"] == "deleted"]["value"] for one in found])
        null = unlearning.distance(retrained[:1], retrained[1:], 0.03)
        for name, one in streams().items():
            own = unlearning.measures(one.models[mark], scenario(), mark)
            own = own[own["measure"] == "deleted"]["value"].to_numpy()
            far = unlearning.distance(own[None], retrained, 0.03)
            values = (far.estimate, far.low, far.high, 0.03, far.verdict)
            more = (far.decidable, far.n, null.low, null.high)
            rows.append((name, "deleted", mark, *values, *more))
            for measure, size in (("exposed", 0.3), ("ndcg@10", 0.01)):
                middle = 0.0 if name == "retrain" else size * rng.random()
                ends = (middle - size / 4, middle + size / 4, np.nan, "")
                rows.append((name, measure, mark, middle, *ends, size / 4, far.n, None, None))
    return pd.DataFrame(rows, columns=[*COLUMNS, "decidable", "n", "null_low", "null_high"])


def dashboard(**more) -> Dashboard:
    return Dashboard(assessment(), streams().values(), people(), source="data: generated", **more)
