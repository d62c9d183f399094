"""Reports that can be checked: claims with the rows that carry them, and the page rendered from
claims.

A page is made from one `Evidence`. An agent hands in what it offers (`offers`, by role) and the
places where it remembers (`stores`, each a `Store`); its own pages of method go to
`reports/recpilot/`.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submodules=["evaluation", "judges", "recpilot"],
    submod_attrs={
        "claims": ["Claim", "check", "dependence", "diff", "make_claims"],
        "evidence": ["Evidence"],
        "sentences": ["count_words"],
        "smallest": ["smallest_set"],
        "stores": ["EntityStore", "Store"],
        "support": ["by_deletion"],
        "wording": ["LanguageModel"],
        "writer": ["Report", "write"],
    },
)
