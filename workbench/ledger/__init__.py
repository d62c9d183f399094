"""Everything that remembers a shopper, what taking rows away changes, and what comes back."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "memory": ["Service"],
        "tiers": ["Switches", "rungs"],
        "loop": ["Forgetting", "forget", "ladder"],
        "canaries": ["canaries"],
        "purge": ["purge"],
        "words": ["claimed_words", "deeds_told", "page_pairs", "page_words", "with_claims"],
        "receipts": ["places", "receipt"],
        "forecast": ["Forecast", "agreement", "forecast", "scored"],
        "course": ["Course", "chained", "course"],
        "_cells": ["Case"],
        "promises": ["FAULTS", "Promises", "plant", "promises"],
        "written": ["Memories", "filed", "written"],
    },
)
