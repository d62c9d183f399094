"""How long one answer of the forget screen takes on the generated world: python
benchmarks/forget.py [requests] [model].

The goal for all answers of a counted model (EASE) is .2 s at the median and .3 s for 95 %. A
trained model (BPR, SASRec) is refitted for the request and for every control, and its report rests
on support by deletion: there the goal is 2 s for the request's own answer.
"""

import sys
import time

import numpy as np

from workbench.data import load_world
from workbench.ledger import Service
from workbench.recommend import BPR, EASE, BPRConfig, SASRec, SASRecConfig, Training
from workbench.views import Screen

MODELS = {
    "EASE": EASE,
    "BPR": lambda: BPR(BPRConfig(embedding=32, training=Training(epochs=20, learning_rate=5e-3))),
    "SASRec": lambda: SASRec(SASRecConfig(training=Training(epochs=3))),
}


def main(requests: int = 40, model: str = "EASE") -> None:
    """Print quantiles of wall and CPU time over random requests of random shoppers: until the
    request's own answer, and until the last control."""
    world = load_world()
    service = Service.build(world.log, world.catalogue, MODELS[model]())
    rng = np.random.default_rng(0)
    times = []
    for user in rng.choice(world.log.n_users, requests).tolist():
        # what the screen shows before anything is pressed
        screen = Screen(service, user)
        rows = [row["interaction"] for row in screen.state["history"]]
        ids = rng.choice(rows, min(len(rows), int(rng.integers(1, 12))), replace=False)
        switches = {"tombstone": bool(rng.integers(2))}
        # the press
        steps = screen.steps({"interactions": ids.tolist(), "switches": switches})
        started = np.array([time.perf_counter(), time.process_time()])
        next(steps)
        own = np.array([time.perf_counter(), time.process_time()])
        list(steps)
        ended = np.array([time.perf_counter(), time.process_time()])
        times.append([*(own - started), *(ended - started)])
    names = ("own answer, wall", "own answer, cpu", "all answers, wall", "all answers, cpu")
    for name, column in zip(names, np.array(times).T, strict=True):
        low, middle, high = np.quantile(column, [0, 0.5, 0.95])
        print(
            f"{name}: fastest {low:.3f} s, median {middle:.3f} s, 95 % within "
            f"{high:.3f} s ({requests} requests)"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40, *sys.argv[2:])
