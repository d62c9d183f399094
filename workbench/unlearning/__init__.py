"""Unlearning: what taking rows out of a model changes, and what it does not."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={"boomerang": ["Boomerang", "boomerang", "leavers", "never_had", "score_after"]},
)
