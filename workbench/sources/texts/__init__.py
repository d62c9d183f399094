"""Readers of published personal texts: each returns examples for `make_pairs`."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "aloe": ["read_aloe", "read_personas"],
        "bespoke": ["read_bespoke"],
        "lamp": ["read_lamp"],
        "longlamp": ["read_longlamp"],
        "reviews": ["read_reviews"],
    },
)
