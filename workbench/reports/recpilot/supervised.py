"""The supervised stage: equation 2 of RecPilot, with a loss on the encoder beside it where asked.

    L = − Σ_visits Σ_t log p(y_t | X, y_<t)  −  auxiliary · Σ_rows log p(next product | rows up to it)

At the end of a visit the encoder's head is asked for what is bought next, at every other token for
the next product. AdamW, warm-up, cosine. The checkpoint is the best by nats a visit of the
validation visits, each shopper's last one; first looks, copies within the visit and NDCG@10 of the
head are logged beside it. (The paper chooses by NDCG@10 and trains on interactions of all users.)
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from workbench.data import Interactions
from workbench.errors import DataError, ModelError
from workbench.reports.recpilot._objective import losses
from workbench.reports.recpilot._starting import item_vectors
from workbench.reports.recpilot._steps_kept import batches, keep, resume
from workbench.reports.recpilot.grammar import PAD, Vocabulary
from workbench.reports.recpilot.reading import nats, ndcg
from workbench.reports.recpilot.visits import Visits, last_visits, visits_of

if TYPE_CHECKING:
    from workbench.reports.recpilot.simulator import Simulator


def supervise(simulator: Simulator, log: Interactions, work: Path | None = None) -> dict[str, Any]:
    """Train a simulator in place, from first weights or from where a run in `work` was stopped.

    Returns what the card says of it: steps, seconds of processor time, visits, and the lines of the
    log of training. Raises `ConfigError` where `work` holds another run: of other settings, or of a
    log with other rows, such as one from which a row was since forgotten; `DataError` where no visit is
    left to train on, or none to choose a checkpoint by.
    """
    earlier, valid = last_visits(log)
    visits = visits_of(earlier)
    vocabulary = Vocabulary(visits.trajectories.actions, log.n_items)
    simulator.make(vocabulary, log.index_fingerprint)
    threads = torch.get_num_threads()
    torch.set_num_threads(simulator.config.training.threads)
    try:
        if simulator.config.start != "random":
            vectors = item_vectors(earlier, simulator.config.start, simulator.config.hidden)
            with torch.no_grad():
                simulator.module.t5.shared.weight[vocabulary.items_from :] = vectors
        with torch.random.fork_rng():
            parts = [short(simulator, part) for part in (visits, valid)]
            if not all(map(len, parts)):
                what = f"{len(parts[0])} visits to train on and {len(parts[1])} to choose by"
                want = "shoppers who look before they buy, in two visits or more"
                raise DataError(what, "log", want)
            return _train(simulator, *parts, work, log.fingerprint)
    finally:
        torch.set_num_threads(threads)
        simulator.module.eval()


def short(simulator: Simulator, visits: Visits) -> Visits:
    """The visits that are not longer than the simulator can say."""
    tokens = visits.trajectories.tokens(simulator.vocabulary)
    return visits.select(np.flatnonzero((tokens != PAD).sum(axis=1) <= simulator.config.longest))


def _train(
    simulator: Simulator, visits: Visits, valid: Visits, work: Path | None, rows: str
) -> dict[str, Any]:
    """The loop; rows: the fingerprint of those that are trained on. The module holds the best weights afterwards."""
    told, module = simulator.config.training, simulator.module
    optimiser = torch.optim.AdamW(
        module.parameters(), lr=told.learning_rate, weight_decay=told.weight_decay
    )
    state = {"record": [], "best": math.inf, "kept": None, "seconds": 0.0, "step": 0}
    identity = json.dumps([simulator.config.model_dump(), rows])
    state |= resume(work, identity, module, optimiser)
    begun, total = time.process_time() - state["seconds"], []
    for step, batch in batches(visits, told.batch, told.seed, told.steps, state["step"]):
        # asked before a step, so that a run which had ended is not gone on with
        if step == state["step"] and _waited(state) >= told.patience * told.every:
            break
        torch.manual_seed(told.seed * 1_000_003 + step)
        for group in optimiser.param_groups:
            group["lr"] = told.learning_rate * share(step, told.warm_up, told.steps)
        module.train()
        loss = sum(losses(simulator, batch))
        if not torch.isfinite(loss):
            do = "lower the learning rate"
            raise ModelError(f"the loss is {loss.item()} at step {step}", "training", do=do)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), told.clip)
        optimiser.step()
        module.eval()
        total.append(loss.item())
        if (step + 1) % told.every and step + 1 < told.steps:
            continue
        line = {"step": step + 1, "loss": float(np.mean(total)), **look(simulator, valid)}
        total, state["step"] = [], step + 1
        state["seconds"] = time.process_time() - begun
        state["record"].append(line | {"seconds": state["seconds"]})
        if line["visit"] < state["best"]:
            state["best"] = line["visit"]
            state["kept"] = {name: value.clone() for name, value in module.state_dict().items()}
        keep(work, identity, state, module, optimiser)
    module.load_state_dict(state["kept"])
    rounded = [{k: round(v, 4) for k, v in line.items()} for line in state["record"]]
    chosen = min(rounded, key=lambda line: line["visit"])
    about = {"visits": len(visits), "validation_visits": len(valid), "seed": told.seed}
    about |= {"steps": state["step"], "processor_seconds": round(state["seconds"])}
    return (
        about
        | {"chosen": chosen["step"], "columns": list(chosen)}
        | {"lines": [list(line.values()) for line in rounded]}
    )


def _waited(state: dict[str, Any]) -> int:
    """Steps since the best look; 0 before the first."""
    best = min(state["record"], key=lambda line: line["visit"], default={"step": state["step"]})
    return state["step"] - best["step"]


def share(step: int, warm_up: int, steps: int) -> float:
    """Share of the peak learning rate at a step, from 0: linear, then a cosine to a tenth."""
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.1 + 0.45 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def look(simulator: Simulator, valid: Visits) -> dict[str, float]:
    """Nats a visit and a token of each kind on the validation visits, and NDCG@10 of the head."""
    table = nats(simulator, valid)
    found = table.groupby("kind")[["nats", "tokens"]].sum()
    line = {"visit": table["nats"].sum() / len(valid)}
    line |= (found["nats"] / found["tokens"]).to_dict()
    if simulator.module.head is not None:
        line["head_ndcg"] = ndcg(simulator.head(valid.histories), valid).mean()
    return {name: float(value) for name, value in line.items()}
