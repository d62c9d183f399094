"""GRPO (DeepSeekMath, arXiv 2402.03300; RecPilot, arXiv 2603.07605, equations 8 to 10): visits imagined
for one shopper are held against each other, and what earned more becomes more likely.

    A_i = (r_i − mean r) / (std r + 1e-6)                over the G visits of a shopper
    J   = 1/G Σ_i ( min(ρ_i A_i, clip(ρ_i, 1 − ε, 1 + ε) A_i) − β KL_i )
    ρ_i = π(o_i) / π_drawn(o_i)        KL_i = Σ_t (π_ref/π − log π_ref/π − 1)(o_it)

Left out, and why. *The ratio to the reference*, as the paper writes ρ: the policy drew the visits, so
the ratio is to what it was then. *A ratio a token, and the division by a visit's tokens*: o_i is one
visit with one reward, as in equation 10; divided, a long bad visit would be punished less. *Several
passes over a draw*: with one (`inner`) ρ is 1, and the clip never acts. *A reference that follows*: it
is the supervised model, frozen. *Groups of one reward*: none of their visits is better than another,
so they are skipped whole, KL too. *TRL*: its GRPO is for decoder-only models. Dropout is off: with
it on, what drew a visit and what is asked for the ratio differ, and the first ratio is not 1.
"""

from __future__ import annotations

import time
from pathlib import Path

import pandas as pd
import torch

from workbench.errors import typed
from workbench.reports.recpilot._grpo_run import GRPOConfig, asked_at, identity_of, logged
from workbench.reports.recpilot._steps_kept import keep, resume
from workbench.reports.recpilot.decoding import draw
from workbench.reports.recpilot.rewards import Rewards
from workbench.reports.recpilot.simulator import Simulator
from workbench.reports.recpilot.visits import Visits

EVERY = 20  # steps after which a run is kept


@typed
def advantages(rewards: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rewards (n, G) less their group's mean, in its deviations, and which groups are kept, (n,):
    those whose rewards are not all the same.

    >>> values, kept = advantages(torch.tensor([[0.0, 1.0], [0.3, 0.3]]))
    >>> kept.tolist(), [round(v, 2) for v in values[0].tolist()]
    ([True, False], [-1.0, 1.0])
    """
    centred = rewards - rewards.mean(dim=1, keepdim=True)
    kept = rewards.amax(dim=1) > rewards.amin(dim=1)
    scaled = centred / (rewards.std(dim=1, correction=0, keepdim=True) + 1e-6)
    return torch.where(kept[:, None], scaled, 0.0), kept


def objective(
    new: torch.Tensor,
    drawn: torch.Tensor,
    reference: torch.Tensor,
    advantage: torch.Tensor,
    config: GRPOConfig,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """J of each visit, with its ratio and its KL, (n, G) each.

    new, drawn, reference: log p of every token by the policy (with its graph), by what drew it, and
    by the supervised model, (n, G, T), 0 on padding. advantage: (n, G).
    """
    ratio = torch.exp((new - drawn).sum(dim=2))
    near = ratio.clamp(1.0 - config.clip, 1.0 + config.clip)
    apart = reference - new
    kl = (torch.exp(apart) - apart - 1.0).sum(dim=2)
    return torch.minimum(ratio * advantage, near * advantage) - config.kl * kl, ratio, kl


@typed
def grpo(
    simulator: Simulator,
    visits: Visits,
    rewards: Rewards,
    config: GRPOConfig | None = None,
    folder: Path | None = None,
) -> tuple[Simulator, pd.DataFrame]:
    """A copy of the supervised simulator, trained on imagined visits, and its log, a line a step.

    visits: of at most `longest` tokens. folder: a run that was stopped goes on from there and ends
    with the weights of one that was not. Log: terms and totals, each with its variance within groups
    (`…_variance`), `distance`, `kl`, groups skipped, how far a ratio is from 1, process seconds.
    Raises `ModelError` for a reward that is not a number, `ConfigError` for the folder of a run from
    other weights, on other visits, by another reward or with other settings.

    >>> better, log = grpo(simulator, visits, Rewards(vectors, vocabulary))  # doctest: +SKIP
    """
    config = config or GRPOConfig()
    # from the supervised weights, or from where the run was stopped
    policy = simulator.copy()
    optimiser = torch.optim.Adam(policy.module.parameters(), config.learning_rate)
    identity = identity_of(simulator, visits, rewards, config)
    lines = resume(folder, identity, policy.module, optimiser).get("lines", [])
    for step in range(len(lines), config.steps):
        begun = time.process_time()
        # other visits, and other random numbers, at every step
        asked = visits.select(asked_at(step, len(visits), config.shoppers, config.seed))
        seed = 1_000_000 * config.seed + step
        line = _step(policy, simulator, asked, rewards, optimiser, config, seed)
        lines.append({"step": step + 1} | line | {"seconds": time.process_time() - begun})
        if (step + 1) % EVERY == 0 or step + 1 == config.steps:
            keep(folder, identity, {"lines": lines}, policy.module, optimiser)
    return policy, pd.DataFrame(lines)


def _step(policy, simulator, asked, rewards, optimiser, config, seed) -> dict[str, float]:
    """Draw, reward, learn; what is logged of it."""
    # G visits of each shopper by the policy itself: no top-p, temperature 1
    drawn = draw(policy, asked.histories, config.group, 1.0, 1.0, config.grammar, seed)
    said = torch.from_numpy(drawn.log_probs)
    # what they earn, against each other
    real, users = policy.tokens(asked.trajectories), asked.trajectories.user
    terms = rewards.terms(drawn.tokens, real, users)
    advantage, kept = advantages(torch.from_numpy(rewards.total(terms)).float())
    line = logged(terms, rewards, drawn.tokens) | {"skipped": float((~kept).sum())}
    # what the supervised model makes of them
    with torch.no_grad():
        reference = simulator.log_probs(asked.histories, drawn.tokens, config.grammar)
    for _ in range(config.inner):
        policy.module.train(config.dropout)
        new = policy.log_probs(asked.histories, drawn.tokens, config.grammar)
        policy.module.eval()
        gain, ratio, kl = objective(new, said, reference, advantage, config)
        # of several passes the first is logged
        off = (ratio.detach() - 1).abs().max()
        line = {"ratio_off": off.item(), "kl": kl.detach().mean().item()} | line
        # uphill, without the groups of one reward
        if kept.any():
            optimiser.zero_grad()
            (-gain[kept].mean()).backward()
            torch.nn.utils.clip_grad_norm_(policy.module.parameters(), config.norm)
            optimiser.step()
    return line
