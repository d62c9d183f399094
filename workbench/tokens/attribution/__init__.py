"""Which memory item made a token: one file per published method, each returning [text, position,
memory, value]."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "attention": ["attention_share"],
        "contextcite": ["context_cite"],
        "integrated_gradients": ["integrate_gradients"],
        "leave_one_out": ["leave_each_out"],
        "shapley": ["shapley_values"],
    },
)

METHODS = {
    "shapley": "shapley_values",
    "leave_one_out": "leave_each_out",
    "integrated_gradients": "integrate_gradients",
    "contextcite": "context_cite",
}
