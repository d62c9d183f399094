"""Unlearning: what taking rows out of a model changes, and what it does not."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "exposure": ["churn", "exposure", "matched_mean", "never_had", "replaced", "share"],
        "leavers": ["leavers", "score_after"],
        "boomerang": ["Boomerang", "boomerang"],
    },
)
