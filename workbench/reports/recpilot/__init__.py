"""What RecPilot adds to a page (arXiv 2603.07605): each part is a page of its own, handed in."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "buttons": ["changed", "press", "press_row", "rows_behind"],
        "sections": ["Choice", "section_values", "value_of"],
    },
)
