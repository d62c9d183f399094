"""Tokens drawn from the nucleus: the likeliest whose probability reaches top-p together.

A token lies in the nucleus where those likelier than it hold less than top-p. So a token is drawn
from all, looked at, and drawn again where it lies outside: exact, and nothing is sorted. Where four
draws in a row lie outside, the nucleus is found among the 512 likeliest, or by a full sort where
they do not hold it.
"""

from __future__ import annotations

import torch

TRIES, FEW = 4, 512


def choose(chances: torch.Tensor, uniform: torch.Tensor, top_p: float) -> torch.Tensor:
    """A token of each row's nucleus: chances (n, size), uniform (n, tries + 1) in [0, 1)."""
    cumulated = chances.cumsum(dim=1)
    found = _inverse(cumulated, uniform[:, 0])
    if top_p >= 1:
        return found
    outside = _outside(chances, found, top_p)
    for attempt in range(1, uniform.shape[1] - 1):
        left = torch.nonzero(outside).flatten()
        if not len(left):
            return found
        found[left] = _inverse(cumulated[left], uniform[left, attempt])
        outside[left] = _outside(chances[left], found[left], top_p)
    left = torch.nonzero(outside).flatten()
    if len(left):
        kept = nucleus(chances[left], top_p)
        found[left] = _inverse((chances[left] * kept).cumsum(dim=1), uniform[left, -1])
    return found


def nucleus(chances: torch.Tensor, top_p: float) -> torch.Tensor:
    """Which tokens of each row are in its nucleus, from the 512 likeliest where they hold it."""
    few = min(FEW, chances.shape[1])
    value, place = chances.topk(few, dim=1)
    if bool((value.sum(dim=1) < top_p).any()):
        value, place = chances.sort(dim=1, descending=True)
    inside = value.cumsum(dim=1) - value < top_p
    return torch.zeros_like(chances, dtype=torch.bool).scatter(1, place, inside)


def _outside(chances: torch.Tensor, token: torch.Tensor, top_p: float) -> torch.Tensor:
    own = chances.gather(1, token[:, None])
    return torch.where(chances > own, chances, 0.0).sum(dim=1) >= top_p


def _inverse(cumulated: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """The token whose stretch of [0, total) holds uniform · total; never one without any."""
    total = cumulated[:, -1]
    found = torch.searchsorted(cumulated, (uniform * total)[:, None], right=True)[:, 0]
    # rounding may point behind the last one: take the last that has a stretch
    return torch.minimum(found, (cumulated < total[:, None]).sum(dim=1))
