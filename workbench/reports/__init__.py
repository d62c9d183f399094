"""Reports that can be checked: claims with the rows that carry them, and the page rendered from
claims."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "claims": ["Claim", "check", "dependence", "diff", "make_claims"],
        "reading": ["Reading"],
        "smallest": ["smallest_set"],
        "writer": ["Report", "count_words", "write"],
    },
)
