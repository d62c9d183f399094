"""Put a low-rank adapter of a folder on the model that it was trained on."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from workbench.errors import ModelError
from workbench.language.loading import ADAPTER, check_files, check_fits, failed, named, whole

ADAPTED = (
    "adapter_model.safetensors",
    "adapter_model.safetensors",
    "an adapter (pickled weights are never read)",
    "save_pretrained of a PEFT model",
)


def load_adapter(
    folder: str | Path, base: str | Path | None = None, **options: Any
) -> tuple[Any, Any]:
    """Return `(model, tokenizer)` of a folder that `save_pretrained` of a PEFT model wrote, ready to
    score, and to be trained further.

    `base` is the model it was trained on, as for `load_causal_lm` (`options` too); without it the
    one that the folder names. The tokenizer is the folder's, else the base's. Needs `peft`; weights
    are read from safetensors alone. Raises `ModelError` where base or peft are absent, and where
    the weights are those of another model.

    >>> model, tokenizer = load_adapter("my-lora", base="pocket")   # doctest: +SKIP
    """
    folder = Path(named(folder))
    check_files(folder, ADAPTED)
    if find_spec("peft") is None:
        raise ModelError("peft is not installed", str(folder), do="pip install peft")
    try:
        config = json.loads((folder / ADAPTER).read_text(encoding="utf-8"))
        base = base or config["base_model_name_or_path"]
        if not base:
            raise ValueError("it names no base model")
        model, tokenizer = whole(base, **options)
        found = model.load_adapter(str(folder), is_trainable=True)
        # transformers would draw these at random, or leave them out
        if apart := [*found.missing_keys, *found.unexpected_keys, *found.mismatched_keys]:
            raise ValueError(f"weights of another model, {apart[0]} among them")
        if any(folder.glob("tokenizer*")):
            tokenizer = type(tokenizer).from_pretrained(folder, local_files_only=True)
        check_fits(model, tokenizer, [len(tokenizer) - 1])
    except Exception as error:  # what the base lacks; peft's are of many kinds
        do = "pass base=, the model that it was trained on, to language.load_adapter; "
        do += "or save merge_and_unload() of it there"
        raise failed("adapter", folder, "an adapter and its base model", do, error) from error
    return model.eval(), tokenizer
