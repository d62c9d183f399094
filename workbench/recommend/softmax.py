"""Cross-entropy over the whole catalogue, without keeping the whole table of scores."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

MOST = 1 << 25  # scores held at a time: 128 MB in float32


def full_softmax(hidden: torch.Tensor, table: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """−log softmax(hidden · tableᵀ)[target] for every row; hidden (n, d), table (V, d), targets (n,) int64 -> (n,).

    Few scores are made at once; many in chunks of rows, and once more on the way back, so that memory stays at
    `MOST` scores however large n · V is. Both ways can be differentiated twice and agree.
    """
    if len(hidden) * len(table) <= MOST:
        return functional.cross_entropy(hidden @ table.T, targets, reduction="none")
    return _Chunked.apply(hidden, table, targets)


class _Chunked(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, table: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(hidden, table, targets)
        parts = [
            functional.cross_entropy(hidden[rows] @ table.T, targets[rows], reduction="none")
            for rows in _chunks(len(hidden), len(table))
        ]
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        # d loss / d scores = softmax − onehot. Written with differentiable operations on the saved inputs alone,
        # so that autograd can go through it again when a second derivative is asked for.
        hidden, table, targets = ctx.saved_tensors
        to_hidden, to_table = [], torch.zeros_like(table)
        for rows in _chunks(len(hidden), len(table)):
            weight = grad[rows, None]
            slope = torch.softmax(hidden[rows] @ table.T, dim=1) * weight
            to_hidden.append(slope @ table - table[targets[rows]] * weight)
            to_table = to_table + slope.T @ hidden[rows]
        return torch.cat(to_hidden), to_table.index_add(0, targets, -hidden * grad[:, None]), None


def _chunks(n: int, width: int) -> list[slice]:
    size = max(1, MOST // width)
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]
