"""Load a causal language model from a folder or from the local Hugging Face cache."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.errors import ModelError
from workbench.settings import settings

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")


def load_causal_lm(id_or_folder: str | Path, download: bool = False) -> tuple[Any, Any]:
    """Return `(model, tokenizer)` of a Hugging Face causal language model, in float32 and ready to score.

    `id_or_folder` is a folder, a hub id that is already in the local cache, or "pocket" (the shipped model).
    Nothing is downloaded unless `download=True`; weights are read from safetensors alone, and no code that a
    model brings along is run. Torch is set to `settings().threads` threads: sums depend on their number.

    Raises `ModelError` for a folder that is missing or lacks config, tokenizer or weights, and for an id that is
    not in the cache.

    >>> model, tokenizer = load_causal_lm("pocket")   # doctest: +SKIP
    """
    shared = settings()
    if str(id_or_folder) == "pocket":
        id_or_folder = shared.data / "pocket"
    folder = Path(id_or_folder)
    if folder.is_dir():
        _check_folder(folder)
    elif folder.exists() or _looks_like_path(id_or_folder):
        raise ModelError(
            "no such model folder", where=str(folder), expected="a folder with config.json", do="check the path"
        )

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # a bar per file is noise in a notebook
    options = {"local_files_only": folder.is_dir() or not download, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(id_or_folder), **options)
        model = AutoModelForCausalLM.from_pretrained(
            str(id_or_folder), use_safetensors=True, dtype=torch.float32, **options
        )
    except Exception as error:  # transformers raises a dozen kinds; the reader needs one
        do = "check the files" if folder.is_dir() else "pass download=True, or the folder of a model you already have"
        said = str(error).partition("\n")[0]
        raise ModelError(
            f"cannot load the model ({type(error).__name__}: {said})",
            where=str(id_or_folder),
            expected="a causal language model of a standard Transformers architecture with safetensors weights",
            do=do,
        ) from error
    torch.set_num_threads(shared.threads)
    return model.to(shared.device).eval(), tokenizer


def _looks_like_path(id_or_folder: str | Path) -> bool:
    """A hub id is `name` or `owner/name`; everything else was meant as a path."""
    text = str(id_or_folder)
    return isinstance(id_or_folder, Path) or text[:1] in "./~\\" or "\\" in text or text.count("/") > 1


def _check_folder(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    if "config.json" not in names:
        raise ModelError(
            "no config.json", where=str(folder), expected="a model folder", do="save it with save_pretrained"
        )
    if not names.intersection(TOKENIZER_FILES):
        raise ModelError(
            "no tokenizer",
            where=str(folder),
            expected="tokenizer.json",
            do="tokenizer.save_pretrained(folder) beside the model",
        )
    if not any(name.endswith(".safetensors") for name in names):
        raise ModelError(
            "no safetensors weights",
            where=str(folder),
            expected="model.safetensors (pickled weights are never read)",
            do="convert with model.save_pretrained(folder)",
        )
