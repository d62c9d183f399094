"""Generated worlds whose truth is planted: a shop with its shoppers, and two small worlds of
words."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "fooling": ["MECHANISMS", "FoolingWorld"],
        "measures": ["auc_table", "fooled", "planted_scores", "planted_to_fool", "short_scores"],
        "persona": ["PersonaWorld"],
        "shop": ["World", "generate", "generate_texts", "load_world", "ship_world", "write_world"],
    },
)
