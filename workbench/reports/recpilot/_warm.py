"""A warm start: a few more steps of the supervised stage, from the weights that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from workbench.data import Interactions
from workbench.errors import check_number
from workbench.reports.recpilot._objective import losses
from workbench.reports.recpilot._steps_kept import batches
from workbench.reports.recpilot.supervised import share, short
from workbench.reports.recpilot.visits import visits_of

if TYPE_CHECKING:
    from workbench.reports.recpilot.simulator import Simulator


def tune(simulator: Simulator, log: Interactions, steps: int) -> Simulator:
    """Train on from the present weights, at the schedule's last rate, on every visit of a log; in
    place."""
    check_number(1, steps=steps)
    told, module = simulator.config.training, simulator.module
    visits = short(simulator, visits_of(log))
    rate = told.learning_rate * share(told.steps, told.warm_up, told.steps)
    optimiser = torch.optim.AdamW(module.parameters(), lr=rate, weight_decay=told.weight_decay)
    with torch.random.fork_rng():
        for step, batch in batches(visits, told.batch, told.seed, steps, 0):
            torch.manual_seed(told.seed * 1_000_003 + step)
            module.train()
            optimiser.zero_grad()
            sum(losses(simulator, batch)).backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), told.clip)
            optimiser.step()
    module.eval()
    # what was measured of other weights does not hold of these
    simulator.card = {"training": simulator.card.get("training", {}) | {"warm_steps": steps}}
    return simulator
