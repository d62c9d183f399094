"""Where data comes from: tables and published layouts, the cards that name them, models of other
libraries."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "logs.dataset": ["Dataset"],
        "logs.tables": ["Preview", "preview", "read_table"],
        "logs.items": ["read_items"],
        "logs.recbole": ["read_recbole"],
        "logs.movielens": ["read_movielens"],
        "logs.lists": ["read_lists"],
        "logs.reality_check": ["Keyset", "read_keyset"],
        "cards": ["Card"],
        "opening": ["Opened", "open_data"],
        "reading": ["read"],
        "steps": ["keep_enough"],
        "first": ["first_request", "latest"],
        "sensitive": ["Rules", "compare_rules", "edited", "find_sensitive", "load_rules"],
        "stamps": ["stamp_of_data"],
        "adapters": ["ImplicitModel", "RecBoleModel", "RecToolsModel"],
    },
)
