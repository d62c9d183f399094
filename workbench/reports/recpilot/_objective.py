"""What the supervised stage makes smaller: the visits' loss, and that of the encoder's head."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from workbench.reports.recpilot.grammar import BOS, EOS, PAD, Vocabulary
from workbench.reports.recpilot.visits import Visits

if TYPE_CHECKING:
    from workbench.reports.recpilot.simulator import Simulator


def losses(simulator: Simulator, batch: Visits) -> list[torch.Tensor]:
    """The parts of the loss: of visits, a mean over tokens, and, weighed, of the encoder."""
    module, config = simulator.module, simulator.config
    tokens = torch.from_numpy(simulator.tokens(batch.trajectories))
    history = simulator.read(batch.histories)
    encoded = module.encode(history)
    before = torch.cat([torch.full((len(tokens), 1), BOS), tokens[:, :-1]], dim=1)
    logits = module.decode(encoded, before)
    filled = tokens != PAD
    parts = [torch.nn.functional.cross_entropy(logits[filled], tokens[filled])]
    if config.auxiliary:
        wanted = following(history.tokens, tokens, simulator.vocabulary)
        asked = wanted >= 0
        said = module.next_product(encoded.states[asked])
        parts.append(config.auxiliary * torch.nn.functional.cross_entropy(said, wanted[asked]))
    return parts


def following(history: torch.Tensor, visit: torch.Tensor, vocabulary: Vocabulary) -> torch.Tensor:
    """What the head is asked at each token of histories (B, L): the next product, at the end of a
    visit the next one bought; −1 where nothing is."""
    both = torch.cat([history, visit], dim=1).numpy()
    is_product = both >= vocabulary.items_from
    place = np.arange(both.shape[1])
    # the action that each product stands under is the last one said
    said = (both >= BOS) & ~is_product
    action = np.maximum.accumulate(np.where(said, place, 0), axis=1)
    bought = is_product & (np.take_along_axis(both, action, axis=1) == vocabulary.bought)
    wanted = np.where((both == EOS), _next(both, bought), _next(both, is_product))
    wanted = np.where((wanted >= 0) & (both != PAD), wanted - vocabulary.items_from, -1)
    return torch.from_numpy(wanted[:, : history.shape[1]])


def _next(tokens: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The first chosen token after each place, −1 where there is none."""
    length = tokens.shape[1]
    at = np.where(chosen, np.arange(length), length)
    after = np.minimum.accumulate(at[:, ::-1], axis=1)[:, ::-1]
    after = np.concatenate([after[:, 1:], np.full((len(at), 1), length)], axis=1)
    padded = np.concatenate([tokens, np.full((len(at), 1), -1)], axis=1)
    return np.take_along_axis(padded, after, axis=1)
