"""Visits drawn from a simulator: N of each history in one batch, by a loop with a cache of keys and
values.

    y_t ~ p(· | X, y_<t) on its nucleus (`_nucleus.py`)

`transformers.generate` sorts the vocabulary at every step, and copies the keys of the history for
each of the N.

The loop yields the log-probability of every drawn token under the model itself, whatever top-p and
temperature chose from, and the distribution over products at the first purchase.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from workbench.data import Histories
from workbench.errors import ModelError, check_number, typed
from workbench.recommend.protocol import fitted
from workbench.reports.recpilot._cache import Cache
from workbench.reports.recpilot._nucleus import TRIES, choose
from workbench.reports.recpilot.grammar import BOS, EOS, NEVER, START
from workbench.reports.recpilot.simulator import Simulator
from workbench.reports.recpilot.trajectories import Trajectories

TOGETHER = 64
MOST = 10_000.0
"""Visits of a history at most: more would not fit."""


@dataclass(frozen=True)
class Drawn:
    """N visits of each of B histories.

    tokens, log_probs: (B, N, T), padded on the right; log_probs under the model (and the mask, where
    the grammar was on). purchase: log p over products where the first purchase was to be named,
    (B, N, n_items), −inf where a visit never came to it. valid: (B, N), sentences of the grammar.
    """

    tokens: np.ndarray
    log_probs: np.ndarray
    purchase: np.ndarray
    valid: np.ndarray
    histories: Histories
    simulator: Simulator

    def __repr__(self) -> str:
        b, n, _ = self.tokens.shape
        return f"Drawn({b:,} × {n} visits, {1 - self.valid.mean():.1%} break the grammar)"

    def trajectories(self) -> Trajectories:
        """The valid visits, in order; `user` and the row of `valid` say whose they are."""
        owner = np.repeat(self.histories.user, self.valid.shape[1])[self.valid.ravel()]
        tokens = self.tokens[self.valid]
        vocabulary = self.simulator.vocabulary
        return Trajectories.of_tokens(tokens, vocabulary, owner, bound=self.simulator.bound)


@typed
def draw(
    simulator: Simulator,
    histories: Histories,
    n: int = 16,
    top_p: float = 0.95,
    temperature: float = 1.0,
    grammar: bool = True,
    seed: int = 0,
    common: bool = False,
) -> Drawn:
    """Draw `n` visits after each history; dropout is off, no graph is kept.

    grammar: allow only what can still become a sentence within `longest` tokens; else all tokens,
    and a visit that has not ended by then is cut. common: the same random numbers for every history
    (for `by_deletion`), else each its own; both from `seed` alone, whatever stands beside a history
    in its batch. top_p=1, temperature=1: draws of the model itself, as a policy gradient needs.

    >>> draw(load_simulator(), log.histories([3]), n=16)  # doctest: +SKIP
    Drawn(1 × 16 visits, 0.0% break the grammar)
    """
    check_number(1, MOST, n=n)
    check_number(0, seed=seed)
    check_number(1e-6, 1.0, top_p=top_p)
    check_number(1e-6, temperature=temperature)
    module, longest = fitted(simulator.module, simulator), simulator.config.longest
    b, width = len(histories), simulator.vocabulary.n_items
    tokens = np.zeros((b, n, longest), dtype=np.int64)
    log_probs = np.zeros((b, n, longest), dtype=np.float32)
    purchase = np.full((b, n, width), -np.inf, dtype=np.float32)
    # random numbers of each history, step, visit and try
    generator = torch.Generator().manual_seed(seed)
    shape = (1 if common else b, longest, n, TRIES + 1)
    uniform = torch.rand(shape, generator=generator).expand(b, -1, -1, -1)
    # histories of like length together
    order = np.argsort(np.diff(histories.offsets), kind="stable")
    training = module.training
    module.eval()
    try:
        for part in np.array_split(order, -(-b // TOGETHER)) if b else []:
            told = (top_p, temperature, grammar, uniform[part])
            found = _draw(simulator, histories.select(part), n, *told)
            tokens[part], log_probs[part], purchase[part] = found
    finally:
        module.train(training)
    tokens = tokens[:, :, : max(1, int((tokens > 0).sum(axis=2).max(initial=0)))]
    valid = simulator.vocabulary.valid(tokens.reshape(-1, tokens.shape[2])).reshape(b, n)
    log_probs = log_probs[:, :, : tokens.shape[2]]
    return Drawn(tokens, log_probs, purchase, valid, histories, simulator)


@torch.no_grad()
def _draw(simulator, histories, n, top_p, temperature, grammar, uniform):
    """The loop over steps, for some histories: tokens, their log-probabilities, purchases."""
    vocabulary, longest = simulator.vocabulary, simulator.config.longest
    cache = Cache(simulator.module, simulator.encode(histories), n, longest)
    rows = len(histories) * n
    table = torch.from_numpy(np.append(vocabulary.table, [[NEVER] * vocabulary.table.shape[1]], 0))
    kinds = torch.from_numpy(vocabulary.kinds)
    tokens = torch.zeros(rows, longest, dtype=torch.long)
    said = torch.zeros(rows, longest)
    purchase = torch.full((rows, vocabulary.n_items), -torch.inf)
    last, state = torch.full((rows,), BOS), torch.full((rows,), START)
    going, before = torch.ones(rows, dtype=torch.bool), torch.ones(rows, dtype=torch.bool)
    for step in range(longest):
        logits = cache.step(last, step)
        # the first time that the last token is the purchase, what is bought is to be named
        named = going & before & (last == vocabulary.bought)
        purchase[named] = torch.log_softmax(logits[named, vocabulary.items_from :], dim=-1)
        before = before & ~named
        if grammar:
            allowed = torch.from_numpy(vocabulary.allowed(longest - step))[state]
            logits = torch.where(allowed, logits, -torch.inf)
            logits[~going] = 0.0
        spread = torch.log_softmax(logits, dim=-1)
        if torch.isnan(spread.sum(dim=1)[going]).any():
            raise ModelError("the weights give no numbers", "simulator", "finite logits")
        chances = spread if temperature == 1 else torch.log_softmax(logits / temperature, dim=-1)
        drawn = choose(chances.exp(), uniform[:, step].reshape(rows, -1), top_p)
        last = torch.where(going, drawn, 0)
        tokens[:, step] = last
        said[:, step] = torch.where(going, spread.gather(1, drawn[:, None])[:, 0], 0.0)
        state = torch.where(going, table[state, kinds[last]], state)
        going = going & (last != EOS)
        if not going.any():
            break
    shape = (len(histories), n, -1)
    return tuple(part.reshape(shape).numpy() for part in (tokens, said, purchase))
