"""Where data comes from: tables and published layouts, the cards that name them, models of other
libraries."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "readers": [
            *("Dataset", "Preview", "preview"),
            *("read_lists", "read_movielens", "read_recbole", "read_table"),
        ],
        "cards": ["Card", "open_dataset", "open_prepared", "open_split"],
        "logs.splits": ["Keyset", "read_keyset"],
        "sensitive": ["Rules", "find_sensitive", "load_rules"],
        "adapters": ["ImplicitModel", "RecBoleModel", "RecToolsModel"],
    },
)
