"""What noise would have to be, for what it is said to hide.

    δ = Φ(Δ/2σ − εσ/Δ) − e^ε Φ(−Δ/2σ − εσ/Δ)        Δ: distance of the two points, σ: deviation of the noise

Balle & Wang, Improving the Gaussian Mechanism for Differential Privacy, ICML 2018, theorem 8. For the
models here no Δ is proven: it is what a quadratic with this curvature would have, and the ε that
is printed is a figure of what the noise could hide at best, no guarantee.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm


def implied_epsilon(distance: float, sigma: float, delta: float) -> float:
    """ε at which noise of this deviation hides two points so far apart; 0 for one point, ∞ without
    noise.

    >>> round(implied_epsilon(1.0, 4.0, 0.01), 2)
    0.36
    """
    if distance == 0:
        return 0.0
    if sigma == 0 or not np.isfinite(distance):
        return float("inf")
    scale = distance / sigma

    def over(epsilon: float) -> float:
        second = np.exp(epsilon + norm.logcdf(-scale / 2 - epsilon / scale))
        return float(norm.cdf(scale / 2 - epsilon / scale) - second) - delta

    if over(0.0) <= 0:
        return 0.0
    # classical: enough for any ε
    most = scale**2 / 2 + scale * np.sqrt(2 * np.log(1 / delta)) + 1
    return float(brentq(over, 0.0, most))


def classical_sigma(distance: float, epsilon: float, delta: float) -> float:
    """σ of the Gaussian mechanism, Δ √(2 ln(1.25/δ)) / ε, for ε up to 1 (Dwork & Roth 2014, theorem
    A.1)."""
    return distance * float(np.sqrt(2 * np.log(1.25 / delta))) / epsilon
