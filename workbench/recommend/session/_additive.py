"""Additive attention without a softmax, over all asked positions of a batch at once; NARM and
SR-GNN read with it.

    α(t, j) = vᵀ σ(qₜ + kⱼ)        for every asked position t and every position j

As plain tensor operations this holds B · T · L · d numbers several times over. Here they are made
block by block, small enough to stay in the processor's cache, and made again on the way back; keys
beyond a block's reach are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

BLOCK = 1 << 18  # numbers made at a time: 1 MB in float32
STEP = 16  # asked positions that share a block, and so a reach


def asked_places(asked: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Where the asked positions of each row stand: (B, T) int64, and which of the T places are one;
    (B, T) bool.

    asked: (B, L) bool, consecutive within a row. T is 1 for prefixes and up to L for windows.

    >>> asked_places(torch.tensor([[False, True, True, False], [True, False, False, False]]))
    (tensor([[1, 2],
            [0, 1]]), tensor([[ True,  True],
            [ True, False]]))
    """
    count = asked.sum(dim=1)
    step = torch.arange(int(count.max()), device=asked.device)
    place = asked.int().argmax(dim=1)[:, None] + step
    return place.clamp(max=asked.shape[1] - 1), step < count[:, None]


def take(states: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """The states at these positions: (B, L, d) and (B, T) -> (B, T, d)."""
    return states.gather(1, place[..., None].expand(-1, -1, states.shape[2]))


def additive(
    query: torch.Tensor, key: torch.Tensor, v: torch.Tensor, place: torch.Tensor
) -> torch.Tensor:
    """α of the equation above; query (B, T, d), key (B, L, d), v (d,), place (B, T) -> (B, T, L).

    Row (b, t) is made for the keys at positions up to `place[b, t]` at least; a caller masks those
    after it. Can be differentiated twice.
    """
    return _Additive.apply(query, key, v, place)


class _Additive(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, query: torch.Tensor, key: torch.Tensor, v: torch.Tensor, place: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(query, key, v, place)
        alpha = query.new_zeros(*query.shape[:2], key.shape[1])
        for rows, at, reach in _blocks(query, place):
            made = (query[rows, at, None] + key[rows, None, :reach]).sigmoid_()
            alpha[rows, at, :reach] = made @ v
        return alpha

    @staticmethod
    def backward(
        ctx: Any, grad: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, None]:
        # Differentiable operations on the saved inputs alone, so that autograd can go through them
        # once more.
        query, key, v, place = ctx.saved_tensors
        to_query, to_key, to_v = torch.zeros_like(query), torch.zeros_like(key), torch.zeros_like(v)
        for rows, at, reach in _blocks(query, place):
            made = (query[rows, at, None] + key[rows, None, :reach]).sigmoid()
            weight = grad[rows, at, :reach]
            to_v = to_v + weight.reshape(-1) @ made.reshape(-1, len(v))
            slope = torch.addcmul(made, made, made, value=-1) * weight[..., None]  # σ′ = σ − σ²
            to_query[rows, at] = slope.sum(dim=2) * v
            to_key[rows, :reach] += slope.sum(dim=1) * v
        return to_query, to_key, to_v, None


def _blocks(query: torch.Tensor, place: torch.Tensor) -> Iterator[tuple[slice, slice, int]]:
    rows, asked, width = query.shape
    for start in range(0, asked, STEP):
        at = slice(start, min(start + STEP, asked))
        reach = int(place[:, at].max()) + 1
        size = max(1, BLOCK // ((at.stop - at.start) * reach * width))
        for first in range(0, rows, size):
            yield slice(first, min(first + size, rows)), at, reach
