"""The token strip: a text with each word's score on it, its static form, its live form."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__, submod_attrs={"strip": ["TokenStrip", "described"]}
)
