"""Small worlds of words whose truth is planted token by token, and the little models that learn
them in minutes."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "base": ["BaseConfig", "base_model", "train_base", "word_tokenizer"],
        "fooling": ["MECHANISMS", "FoolingWorld"],
        "measures": ["auc_table", "fooled", "planted_scores", "planted_to_fool", "short_scores"],
        "persona": ["PersonaWorld"],
    },
)
