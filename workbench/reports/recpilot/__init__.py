"""What RecPilot's second agent remembers and how it ranks (arXiv 2603.07605): one page a part.

Core never imports these: stores and agents are handed to `Service.build`.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "_using": ["using"],
        "archive": ["Archive"],
        "experience": ["Experience"],
    },
)
