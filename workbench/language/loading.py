"""Load a causal language model from a folder or from the local Hugging Face cache, and what a
model and its tokenizer have to agree on."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from workbench.errors import ConfigError, ModelError, TooLarge
from workbench.settings import settings

SHIPPED = ("pocket", "persona-world", "fooling-world")
DTYPES = ("float32", "bfloat16", "float16", "auto")
# what a folder must hold: what it is, the files that will do, what was expected, what to do
CONFIG = (
    "config.json",
    ("config.json",),
    "a whole model (no GGUF: serve that, name an Endpoint)",
    "save it with save_pretrained; an adapter alone: language.load_adapter(folder)",
)
TOKENIZER = (
    "tokenizer",
    ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt"),
    "tokenizer.json",
    "tokenizer.save_pretrained(folder) beside the model",
)
WEIGHTS = (
    "safetensors weights",
    ("*.safetensors",),
    "model.safetensors (pickled weights are never read, nor GGUF: serve that, name an Endpoint)",
    "convert with model.save_pretrained(folder)",
)


def load_causal_lm(
    id_or_folder: str | Path,
    download: bool = False,
    dtype: str = "float32",
    device_map: Any = None,
) -> tuple[Any, Any]:
    """Return `(model, tokenizer)` of a Hugging Face causal language model, ready to score.

    `id_or_folder` is a folder, a hub id that is already in the local cache, or a shipped model
    ("pocket", "persona-world", "fooling-world").

    `dtype` is "float32", "bfloat16", "float16", or "auto", the one that the weights were saved in.
    Sixteen bits are coarse: PIR of the pocket model is up to .15 nats off in bfloat16, .02 in
    float16, and processors without instructions for them are several times slower (`trust` measures
    it on your texts). `device_map` ("auto", or what accelerate takes) spreads the layers over
    devices, else all of it goes to `settings().device`. Nothing is downloaded unless
    `download=True`; weights are read from safetensors alone, and no code that a model brings along
    is run. Torch is set to `settings().threads` threads: sums depend on their number.

    Raises `ModelError` for a folder that is missing or lacks config, tokenizer or weights, for
    weights that do not fit the config, for an id that is not in the cache, for a model that is not
    causal (T5, BERT), for an adapter (see `load_adapter`); `ConfigError` for another dtype.

    >>> model, tokenizer = load_causal_lm("pocket")   # doctest: +SKIP
    """
    if dtype not in DTYPES:
        raise ConfigError(f"dtype {dtype!r}", expected=f"one of {DTYPES}")
    shared = settings()
    if str(id_or_folder) in SHIPPED:
        id_or_folder = shared.data / str(id_or_folder)
    folder, name = Path(id_or_folder), str(id_or_folder)
    if not folder.is_dir() and (folder.exists() or _looks_like_path(id_or_folder)):
        expected = "a folder with config.json; a GGUF file is no folder: serve it, name an Endpoint"
        raise ModelError("no such model folder", name, expected, "check the path")

    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # a bar per file is noise in a notebook
    options = {"local_files_only": folder.is_dir() or not download, "trust_remote_code": False}
    try:
        if folder.is_dir():
            _check_files(folder, CONFIG)
        _check_causal(AutoConfig.from_pretrained(name, **options), name)
        if folder.is_dir():
            _check_files(folder, TOKENIZER, WEIGHTS)
        tokenizer = AutoTokenizer.from_pretrained(name, **options)
        options |= {"use_safetensors": True, "dtype": getattr(torch, dtype, dtype)}
        options |= {"device_map": device_map, "output_loading_info": True}
        model, loaded = AutoModelForCausalLM.from_pretrained(name, **options)
    except ModelError:
        raise
    except Exception as error:  # transformers raises a dozen kinds; the reader needs one
        said = str(error).partition("\n")[0]
        what = f"cannot load the model ({type(error).__name__}: {said})"
        expected = "a causal language model of Transformers with safetensors weights"
        do = "pass download=True, or the folder of a model you already have"
        raise ModelError(
            what, name, expected, "check the files" if folder.is_dir() else do
        ) from error
    if lacking := sorted(loaded["missing_keys"]):
        more = f"{lacking[0]} and {len(lacking) - 1} more"
        what = f"no weights for {more}: they would be drawn at random"
        expected = "all weights of a causal language model"
        raise ModelError(what, name, expected, "save it with its output layer")
    torch.set_num_threads(shared.threads)
    return (model if device_map is not None else model.to(shared.device)).eval(), tokenizer


def _check_causal(config: Any, name: str) -> None:
    """Refuse what cannot be asked for the next token: encoder-decoders, and encoders that read both
    ways."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    why = ""
    if config.is_encoder_decoder:
        why = "is an encoder-decoder"
    elif config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        why = "" if getattr(config, "is_decoder", False) else "reads a text both ways"
    if why:
        what = f"not a causal language model: {config.model_type} {why}"
        raise ModelError(what, name, "a model that predicts the next token (Llama, Qwen, ...)")


def _looks_like_path(id_or_folder: str | Path) -> bool:
    """A hub id is `name` or `owner/name`; everything else was meant as a path."""
    text = str(id_or_folder)
    return (
        isinstance(id_or_folder, Path) or text[:1] in "./~\\" or "\\" in text or text.count("/") > 1
    )


def _check_files(folder: Path, *wanted: tuple[str, tuple[str, ...], str, str]) -> None:
    for what, patterns, expected, do in wanted:
        if not any(path for pattern in patterns for path in folder.glob(pattern)):
            raise ModelError(f"no {what}", where=str(folder), expected=expected, do=do)


def context_of(model: Any) -> int | None:
    """The number of tokens that a model was made for, where its configuration says so."""
    names, config = ("max_position_embeddings", "n_positions", "max_seq_len"), config_of(model)
    return next((size for name in names if (size := getattr(config, name, None))), None)


def config_of(model: Any) -> Any:
    """The configuration of a model, of its part for text where it has several."""
    config = getattr(model, "config", None)
    return config.get_text_config() if hasattr(config, "get_text_config") else config


def check_fits(model: Any, tokenizer: Any, ids: Iterable[int] | None = None) -> None:
    """Raise `ModelError` for token ids outside of the model's embedding; without `ids` those that
    plain text can become, which special tokens are not."""
    table = getattr(model, "get_input_embeddings", lambda: None)()
    size = getattr(table, "num_embeddings", math.inf)
    if ids is None:
        ids = set(tokenizer.get_vocab().values()) - set(tokenizer.all_special_ids)
    if (last := max(ids, default=0)) >= size:
        what = f"the id of token {tokenizer.convert_ids_to_tokens(last)!r} is {last}"
        do = "the model's own tokenizer, or model.resize_token_embeddings(len(tokenizer))"
        raise ModelError(what, type(model).__name__, f"ids below {size}, its embedding", do)


def check_room(model: Any, prompts: Iterable[int], new: int) -> None:
    """Raise `TooLarge` where prompts of so many tokens and `new` ones exceed what the model was
    made for."""
    room, longest = context_of(model), max(prompts, default=0)
    if room is not None and longest + new > room:
        what, do = f"{longest} tokens and {new} new ones", "a shorter prompt, or fewer new tokens"
        raise TooLarge(what, "prompt", f"at most {room} together", do)
