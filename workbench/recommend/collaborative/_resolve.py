"""The vector that a person would have for other rows, the items as they are.

    p = argmin Σ_{i ∈ H} [ mean_{j ∉ H} −ln σ(pᵀ(q_i − q_j)) + (λ/2)‖p‖² ]        convex: Newton steps

All that is not held is a negative, so nothing is drawn. A row that is left out moves p alone: what a
retrain would do to the items besides is not in it.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

LEAST = 0.01
"""λ at the least: without it the vector of someone whose items are easily told apart has no end."""
STEPS, CLOSE = 30, 1e-9


def resolved(held: np.ndarray, items: np.ndarray, l2: float) -> np.ndarray:
    """The vector (d,) for the codes of the items that are held, float64; zeros where none or all
    are. items: (n_items, d).

    >>> resolved(np.array([], int), np.eye(3), 0.1).tolist()
    [0.0, 0.0, 0.0]
    """
    p, free = np.zeros(items.shape[1]), np.setdiff1d(np.arange(len(items)), held)
    if not len(held) or not len(free):
        return p
    own, others, ridge = items[held], items[free], max(l2, LEAST) * len(held)
    for _ in range(STEPS):
        # σ(−x_uij) of every pair, each held item's pairs weighing 1 together
        wrong = expit(others @ p - (own @ p)[:, None])
        gradient = ridge * p + (wrong.sum(axis=0) @ others) / len(free)
        gradient -= wrong.mean(axis=1) @ own
        # Σ w (q_i − q_j)(q_i − q_j)ᵀ, opened: two diagonals and what stands between them
        w = wrong * (1 - wrong) / len(free)
        between = own.T @ w @ others
        curvature = (own.T * w.sum(axis=1)) @ own + (others.T * w.sum(axis=0)) @ others
        curvature += ridge * np.eye(len(p)) - between - between.T
        step = np.linalg.solve(curvature, gradient)
        p = p - step
        if np.abs(step).max() < CLOSE:
            break
    return p
