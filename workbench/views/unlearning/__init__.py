"""What became of a stream of requests: along the stream, at its end, and for one person."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={"dashboard": ["Dashboard"], "frontier": ["Frontier"], "people": ["People"]},
)
