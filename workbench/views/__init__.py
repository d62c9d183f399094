"""Everything that is looked at: `show` any result, the forget screen, and the screen as one mailed
file."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "microscope": ["Microscope"],
        "show": ["View", "show"],
        "screen.screen": ["Screen"],
        "handing": ["export"],
        "readings": ["Readings"],
        "served": ["served"],
        "strip": ["TokenStrip", "described"],
        "imagined": ["Flow", "WhyNot"],
        "learnt": ["Course", "Interest", "Weights"],
        "unlearning": ["Dashboard", "Frontier", "People"],
    },
)
