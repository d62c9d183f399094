"""Imagined visits where they are looked at: as a flow over kinds, and why a product is not among
them."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__, submod_attrs={"flow": ["Flow"], "why": ["WhyNot"]}
)
