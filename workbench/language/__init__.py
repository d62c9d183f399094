"""Language models, found offline and loaded safely; the bottom layer, so anybody may import it."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, submod_attrs={"loading": ["load_causal_lm"]})
