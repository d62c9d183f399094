"""Losses that weigh the tokens of a response, one file per published method or control."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "ce": ["CE"],
        "dft": ["DFT"],
        "entropy_selected": ["EntCE"],
        "frozen_teacher": ["FrozenTeacher"],
        "loss_selected": ["LossCE"],
        "nextquill": ["NextQuill"],
        "oracle": ["Oracle"],
        "perce": ["PerCE"],
        "permuted": ["Permuted"],
        "protocol": ["TokenLoss", "Tokens"],
    },
)
