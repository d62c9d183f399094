"""What a page learnt of its reader: its weights, which can be changed, how they came about, and
interest over time."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={"course": ["Course"], "interest": ["Interest"], "weights": ["Weights"]},
)
