"""First item vectors of a simulator from counts: the leading directions of EASE's weights, or of the
log."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

from workbench.data import Interactions
from workbench.recommend.collaborative.ease import EASE


def item_vectors(log: Interactions, how: Literal["ease", "svd"], width: int) -> torch.Tensor:
    """(n_items, width), scaled to the mean square 1 of T5's own first weights; columns beyond the
    rank are 0.

    ease: B = U S Vᵀ, both sides' vectors weighed by √S and added; svd: the right singular vectors
    of the log's matrix, weighed by √S.
    """
    if how == "ease":
        inverse = EASE().fit(log).inverse
        weights = -inverse / inverse.diagonal()
        np.fill_diagonal(weights, 0.0)
        # symmetric part: one vector an item stands for it on either side
        values, vectors = np.linalg.eigh((weights + weights.T) / 2)
        order = np.argsort(-np.abs(values))
        values, vectors = np.abs(values[order]), vectors[:, order]
    else:
        _, values, turned = np.linalg.svd(log.matrix().toarray(), full_matrices=False)
        vectors = turned.T
    found = np.zeros((log.n_items, width))
    n = min(width, vectors.shape[1])
    found[:, :n] = vectors[:, :n] * np.sqrt(values[:n])
    # the sign of a direction is arbitrary: the largest entry is positive
    signs = np.sign(found[np.abs(found).argmax(axis=0), np.arange(width)])
    found *= np.where(signs == 0, 1.0, signs)
    return torch.tensor(found / np.sqrt((found**2).mean()), dtype=torch.float32)
