"""Small services of every trained model, with ways to forget beside their own."""

from __future__ import annotations

from functools import cache

import workbench.recommend as recommend
from workbench.data import load_world
from workbench.ledger import Service
from workbench.recommend.training import Training
from workbench.unlearning.algorithms import no_op
from workbench.unlearning.stream import Method

BASKETS = ("DNNTSP", "Sets2Sets")
NINE = ("BPR", "LightGCN", "SGL", "GRU4Rec", "NARM", "SASRec", "SRGNN", *BASKETS)


def one_epoch(model, before, request, config, seed):
    """Train on what is left."""
    model.tune(model.examples(request.remaining(before)), epochs=1, seed=seed)
    return {"residual": 0.5}


def breaks(model, before, request, config, seed):
    """Fail half-way."""
    model.tune(model.examples(before), epochs=1, seed=seed)
    raise ValueError("no")


WAYS = {"one epoch": Method("one epoch", one_epoch), "nothing": no_op, "breaks": breaks}


def model_of(name, epochs=1):
    """One of the nine, hardly trained."""
    config = getattr(recommend, f"{name}Config")
    training = Training(epochs=epochs, batch=512, learning_rate=5e-3)
    return getattr(recommend, name)(config(training=training))


shop = cache(load_world)


def service_of(name, ways=WAYS, people=60, epochs=1):
    """A service around it, of the first shoppers; basket models get rows with a basket."""
    world = shop()
    log = world.log.select((world.log.frame["user"] < people).to_numpy())
    if name in BASKETS:
        log = log.select(log.frame["basket"].notna().to_numpy())
    verdicts = {"one epoch": "undecided"}
    made = (log, world.catalogue, model_of(name, epochs))
    return Service.build(*made, forgetters=ways, verdicts=verdicts)
