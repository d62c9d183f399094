"""A small stream of requests with all that a dashboard shows, for tests with and without a browser:
models are fitted, forgetting is real, and so is what is measured."""

from __future__ import annotations

from functools import cache

import pandas as pd

from workbench import unlearning
from workbench.data import load_world
from workbench.recommend import BPR, BPRConfig
from workbench.recommend.tasks import collaborative_task
from workbench.recommend.training import Training
from workbench.unlearning.algorithms import no_op
from workbench.views.unlearning import Dashboard, People

TOPIC = "Baby & pregnancy"


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
def assessed() -> unlearning.Assessment:
    references = unlearning.References(scenario(), base(), seeds=(11, 12, 13))
    return unlearning.assess(streams().values(), references)


def assessment() -> pd.DataFrame:
    return assessed().to_frame()


def dashboard(**more) -> Dashboard:
    return Dashboard(assessed(), streams().values(), people(), source="data: generated", **more)
