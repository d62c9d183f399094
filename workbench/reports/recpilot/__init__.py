"""Pages of RecPilot (arXiv 2603.07605): the agent, and what it remembers."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(__name__, submod_attrs={"agent": ["agent"]})
