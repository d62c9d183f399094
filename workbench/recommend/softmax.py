"""Cross-entropy over the whole catalogue: three matrix products and one pass over the scores."""

from __future__ import annotations

from typing import Any

import torch

MOST = 1 << 25  # scores held at a time: 128 MB in float32


def full_softmax(hidden: torch.Tensor, table: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """−log softmax(hidden · tableᵀ)[target] for every row; hidden (n, d), table (V, d), targets
    (n,) int64 -> (n,).

    With p the softmax, the derivative by the scores is p − onehot. Multiplied out, p · table and pᵀ
    · hidden are all that a step needs, so nothing of the size of the scores is made on the way
    back. Up to `MOST` scores p is kept; more are made in chunks of rows, and once more on the way
    back. Can be differentiated twice.
    """
    return _Softmax.apply(hidden, table, targets)


class _Softmax(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, table: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        losses, p = [], None
        for rows in _chunks(len(hidden), len(table)):
            scores = hidden[rows] @ table.T
            p = torch.softmax(scores, dim=1)
            # log Σ exp = largest score − log of the largest p, which is 1 / V at least: no tiny
            # number is logged
            total = scores.amax(dim=1) - p.amax(dim=1).log()
            losses.append(total - scores.gather(1, targets[rows, None]).squeeze(1))
        ctx.save_for_backward(hidden, table, targets, p if len(losses) == 1 else None)
        return torch.cat(losses) if losses else hidden.new_zeros(0)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        hidden, table, targets, kept = ctx.saved_tensors
        if torch.is_grad_enabled():  # a second derivative is asked for: it must go through p too
            kept = None
        to_hidden, to_table = [hidden[:0]], torch.zeros_like(table)
        for rows in _chunks(len(hidden), len(table)):
            p = torch.softmax(hidden[rows] @ table.T, dim=1) if kept is None else kept
            to_hidden.append((p @ table - table[targets[rows]]) * grad[rows, None])
            to_table = to_table + p.T @ (hidden[rows] * grad[rows, None])
        return torch.cat(to_hidden), to_table.index_add(0, targets, -hidden * grad[:, None]), None


def _chunks(n: int, width: int) -> list[slice]:
    size = max(1, MOST // width)
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]
