"""Language models, found offline and loaded safely, or asked at an endpoint; anybody may import
this layer."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "chat": ["Chat"],
        "endpoint": ["Endpoint"],
        "adapters": ["load_adapter"],
        "gguf": ["read_gguf"],
        "loading": ["load_causal_lm"],
    },
)
