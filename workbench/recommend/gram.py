"""P = (XᵀX + λI)⁻¹ in the space of one matrix, refused before it would not fit; and P after few
rows of X change."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.linalg import lapack

from workbench.errors import ModelError, TooLarge
from workbench.recommend.cells import Change
from workbench.settings import physical_memory

BLOCK = 512


def ridge_inverse(x: sparse.csr_array, l2: float, limit: int | None = None) -> np.ndarray:
    """Invert XᵀX + λI for x (n_users, n_items) by Cholesky; float64 (n_items, n_items) in C order.

    limit: bytes that may be used, half of this machine's memory unless told; more raises `TooLarge`
    at once.
    """
    n = x.shape[1]
    need = 8 * n * (n + 2 * BLOCK)
    what = f"XᵀX over {n:,} items needs {need / 1e9:,.1f} GB"
    check_room(need, limit, what, "keep fewer items (keep_core), use ItemKNN")
    p, columns = np.empty((n, n), order="F"), x.T.tocsr()
    for start in range(0, n, BLOCK):
        p[:, start : start + BLOCK] = (columns[start : start + BLOCK] @ x).toarray().T
    p[np.diag_indices(n)] += l2
    # the Cholesky factor, then the inverse, in the space of G (LAPACK names the space differently)
    for routine, own in ((lapack.dpotrf, "overwrite_a"), (lapack.dpotri, "overwrite_c")):
        p, info = routine(p, lower=1, **{own: 1})
        if info:
            raise ModelError(
                "XᵀX + λI cannot be inverted", "fit", "a larger λ", f"raise it above {l2:g}"
            )
    for start in range(0, n, BLOCK):  # LAPACK fills one triangle only
        end = min(start + BLOCK, n)
        block = np.tril(p[start:end, start:end])
        p[start:end, start:end] = block + np.tril(block, -1).T
        p[start:end, end:] = p[end:, start:end].T
    return p.T


def check_room(need: int, limit: int | None, what: str, do: str) -> None:
    """Raise `TooLarge` where more bytes are needed than may be used."""
    limit = limit or physical_memory() // 2
    if need > limit:
        allowed = "memory_limit_bytes, or half of this machine's memory"
        want = f"at most {limit / 1e9:,.1f} GB ({allowed})"
        raise TooLarge(what, "fit", want, f"{do}, or raise memory_limit_bytes")


def rank_update(p: np.ndarray, changes: list[Change]) -> tuple[np.ndarray, np.ndarray] | None:
    """Z and Z·K with P' = P − (Z K) Zᵀ when the rows of m users change (Woodbury); both (n_items,
    2m), column order.

    None where factoring anew is cheaper (many users) or safer (a pivot near zero would multiply
    rounding errors). Reads P, changes nothing.
    """
    m = len(changes)
    if 2 * m > len(p) // 4 and m > 1:
        return None
    sides = [before for before, _ in changes] + [after for _, after in changes]
    z = np.array([p[items].sum(axis=0) for items in sides]).reshape(2 * m, len(p)).T
    inner = np.array([z[items].sum(axis=0) for items in sides]).reshape(2 * m, 2 * m)
    if not np.isfinite(inner).all():
        return None
    values, vectors = np.linalg.eigh((inner + inner.T) / 2 + np.diag(np.repeat([-1.0, 1.0], m)))
    # xᵀPx is never negative, and real rows taken out and put in leave m negative and m positive
    # pivots; anything else means that P is damaged.
    sound = (
        (inner.diagonal() >= 0).all() and (values[:m] < -1e-6).all() and (values[m:] > 1e-6).all()
    )
    if not sound:
        return None
    return np.asfortranarray(z), np.asfortranarray(z @ (vectors / values) @ vectors.T)
