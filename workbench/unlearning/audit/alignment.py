"""Does a gradient, looked at beforehand, say which deletions will be hard?

    path(r) = cos(−∇ℓ_r(θ₀), θ* − θ₀)        retained(r) = cos(∇ℓ_r(θ*), ∇ℓ_rest(θ*))
    forecast = Spearman over requests of one of them with |distance(r)|, the distance to retrain

θ₀: first weights, θ*: trained ones; ℓ_r: mean loss of the rows of request r; distance: mean percentile
of its deleted rows less a retrain's (of spam, whose accounts are no more: that of the items it promoted, in
genuine people's lists). MiniRec (2026) values a training sample by the alignment of its
gradient with the path of optimisation; here the same number is asked what deletion will cost. The null:
permutations of requests. The control: how far one retrain is from others, which nothing may forecast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import rankdata

from workbench.data import Interactions
from workbench.errors import DataError
from workbench.unlearning.audit._asked import Models, about, asked_cells, cells, every
from workbench.unlearning.audit._table import COLUMNS, CONTROL, DRAWS, Audit
from workbench.unlearning.references import reseeded
from workbench.unlearning.scenarios import Scenario


def gradient(model: Any, log: Interactions, ids: np.ndarray) -> np.ndarray:
    """∇ of the mean loss about these rows of a log; (weights,) float64, zero where none is asked."""
    users = np.unique(log.frame["user"][log.frame["interaction"].isin(ids)])
    examples = model.examples(log, users)
    loss, row = examples.targets()
    losses = model.loss(examples)
    wanted = torch.from_numpy(np.unique(loss[np.isin(row, ids)])).to(losses.device)
    weights = [value for value in model.module.parameters() if value.requires_grad]
    total = losses[wanted].sum() / max(len(wanted), 1)
    parts = torch.autograd.grad(total, weights, allow_unused=True, materialize_grads=True)
    return torch.cat([part.flatten() for part in parts]).detach().cpu().numpy().astype(np.float64)


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """cos of two vectors; 0 where one has no length."""
    length = np.linalg.norm(one) * np.linalg.norm(other)
    return float(one @ other / length) if length else 0.0


def alignments(base: Any, scenario: Scenario, done: int) -> pd.DataFrame:
    """[request, path, retained] of the first `done` requests at a base, fitted with its config's
    seed on the training rows."""
    log = scenario.task.train
    first = reseeded(base, base.config.training.seed).start(log)
    ids = log.frame["interaction"].to_numpy()
    rest = gradient(base, log, np.setdiff1d(ids, scenario.forgotten(done)))
    walked = _flat(base) - _flat(first)
    rows = []
    for request in scenario.requests[:done]:
        own = request.within(log)
        path = cosine(-gradient(first, log, own), walked)
        rows.append((request.request, path, cosine(gradient(base, log, own), rest)))
    return pd.DataFrame(rows, columns=["request", "path", "retained"])


def spearman(one: np.ndarray, other: np.ndarray, seed: int = 0) -> tuple[float, ...]:
    """Spearman's ρ, 95 % from draws of pairs, and where 95 % lie when pairs are drawn anew:
    (ρ, low, high, null_low, null_high). 0 where one of them is constant."""
    rng, n = np.random.default_rng(seed), len(one)
    draws = np.stack([rng.integers(n, size=n) for _ in range(DRAWS)])
    anew = np.stack([rng.permutation(other) for _ in range(DRAWS)])
    found = _rho(one[draws], other[draws]), _rho(one[None, :], anew)
    bounds = [np.quantile(values, (0.025, 0.975)) for values in found]
    whole = _rho(one[None, :], other[None, :])[0]
    return (float(whole), *map(float, np.concatenate(bounds)))


def alignment_forecast(
    models: Models,
    retrained: Sequence[Any],
    scenario: Scenario,
    done: int,
    seed: int = 0,
    *,
    bases: Sequence[Any],
) -> Audit:
    """Spearman of both alignments, mean over bases, with |distance to retrain|; n: requests.

    `each`: [row, request, path, retained, distance]. Raises `DataError` for fewer than 8 requests.

    >>> alignment_forecast({"no-op": bases}, retrained, scenario, 40, bases=bases)  # doctest: +SKIP
    """
    if done < 8:
        raise DataError(f"{done} requests", "alignment", "at least 8 to rank")
    said = sum(alignments(base, scenario, done) for base in bases) / len(bases)
    histories, asked, _ = asked_cells(scenario, done)
    values, again = every(models, retrained, lambda one: cells(one, histories, asked))
    half = len(again) // 2
    own = about(scenario, done)
    apart = {name: found.mean(axis=0) - again.mean(axis=0) for name, found in values.items()}
    apart[CONTROL] = again[:half].mean(axis=0) - again[half:].mean(axis=0)
    lines, each = [], []
    for name, cell in apart.items():
        # a request whose rows the person still holds otherwise has none that is deleted
        asked_of_it = own & ~np.isnan(cell)
        total = asked_of_it @ np.nan_to_num(cell)
        with np.errstate(invalid="ignore"):
            distance = np.abs(total / asked_of_it.sum(axis=1))
        kept = ~np.isnan(distance)
        for kind in ("path", "retained"):
            found = spearman(said[kind].to_numpy()[kept], distance[kept], seed)
            lines.append((f"alignment: {kind}", name, *found, int(kept.sum()), _forecasts(*found)))
        each.append(said.assign(row=name, distance=distance))
    return Audit(pd.DataFrame(lines, columns=COLUMNS), pd.concat(each, ignore_index=True))


def _forecasts(rho: float, low: float, high: float, *null: float) -> bool:
    """Whether ρ is outside its null, and its interval without 0."""
    return bool((low > 0 or high < 0) and not null[0] <= rho <= null[1])


def _flat(model: Any) -> np.ndarray:
    parts = [value.detach().flatten() for value in model.module.parameters()]
    return torch.cat(parts).cpu().numpy().astype(np.float64)


def _rho(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Spearman's ρ of each row of (B, n) with that of the other; 0 where one is constant."""
    ranks = [rankdata(values, axis=1) for values in (one, other)]
    one, other = (values - values.mean(axis=1, keepdims=True) for values in ranks)
    length = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    dot = (one * other).sum(axis=1)
    return np.divide(dot, length, out=np.zeros(len(length)), where=length > 0)
