"""What a language model takes of this machine's memory, before any of it is taken."""

from __future__ import annotations

from typing import Any

from workbench.errors import TooLarge


def check_memory(config: Any, dtype: str, name: str, scratch: int = 0) -> None:
    """Raise `TooLarge` where the weights of a configuration, and `scratch` bytes beside them, take
    more memory than is free; none are made. Weights that stay quantised are not counted.
    """
    import psutil
    import torch
    from transformers import AutoModelForCausalLM

    if hasattr(config, "quantization_config"):
        return
    with torch.device("meta"):
        count = AutoModelForCausalLM.from_config(config, trust_remote_code=False).num_parameters()
    kind = getattr(torch, dtype, None) or config.dtype or torch.float32
    needed, free = count * kind.itemsize + scratch, psutil.virtual_memory().available
    if needed > free:
        what = f"{count:,} weights take {needed / 1e9:,.1f} GB while they are loaded in {dtype}"
        do = 'dtype="bfloat16" halves float32; else take a smaller model, or name an Endpoint'
        raise TooLarge(what, f"{name:.200}", f"at most {free / 1e9:,.1f} GB, what is free", do)
