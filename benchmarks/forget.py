"""How long one answer of the forget screen takes on the generated world: python
benchmarks/forget.py [requests]."""

import sys
import time

import numpy as np

from workbench.data import load_world
from workbench.ledger import Service, Switches, forget
from workbench.recommend import EASE


def main(requests: int = 40) -> None:
    """Print quantiles of wall and CPU time over random requests of random shoppers, screen
    included."""
    world = load_world()
    service, rng = Service.build(world.log, world.catalogue, EASE()), np.random.default_rng(0)
    forget(service, 0, []).to_state()
    times = []
    for user in rng.choice(world.log.n_users, requests):
        rows = world.log.rows_of(int(user))["interaction"].to_numpy()
        # what the screen shows before anything is pressed
        forget(service, int(user), []).to_state()
        ids = rng.choice(rows, min(len(rows), int(rng.integers(1, 12))), replace=False)
        wall, cpu = time.perf_counter(), time.process_time()
        forget(service, int(user), ids, Switches(tombstone=bool(rng.integers(2)))).to_state()
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    for name, column in zip(("wall", "cpu"), np.array(times).T, strict=True):
        low, middle, high = np.quantile(column, [0, 0.5, 0.95])
        print(
            f"{name}: fastest {low:.3f} s, median {middle:.3f} s, 95 % within "
            f"{high:.3f} s ({requests} requests)"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
