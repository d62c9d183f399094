"""Interactions, histories, catalogue, splits, readers, cards, and the generated world."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "interactions": ["FUNNEL", "Interactions"],
        "histories": ["Histories"],
        "catalogue": ["Catalogue"],
        "splits": ["Split", "split"],
        "filters": [
            "Filtered",
            "keep_actions",
            "keep_at_least",
            "keep_baskets",
            "keep_core",
        ],
        "readers": [
            "Dataset",
            "Preview",
            "preview",
            "read_lists",
            "read_movielens",
            "read_recbole",
            "read_table",
        ],
        "cards": ["Card", "open_dataset", "open_prepared", "open_split"],
        "published.splits": ["Keyset", "read_keyset"],
        "sensitive": ["Rules", "find_sensitive", "load_rules"],
        "world": ["World", "generate", "generate_texts", "load_world", "write_world"],
    },
)
