"""The forget screen: its state as JSON, its static tables, its live form."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, submod_attrs={"screen": ["Screen"]})
