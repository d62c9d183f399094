"""Load a causal language model from a folder, a GGUF file or the local Hugging Face cache, and what
a model and its tokenizer have to agree on."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from workbench.errors import ConfigError, ModelError, TooLarge
from workbench.language.memory import check_memory
from workbench.settings import settings

SHIPPED = ("pocket", "persona-world", "fooling-world")
DTYPES = ("float32", "bfloat16", "float16", "auto")
# what a folder must hold: what it is, the files that will do, what was expected, what to do
CONFIG = "config.json", "config.json", "a whole model", "save it with save_pretrained"
TOKENIZER = (
    "tokenizer",
    "tokenizer.json tokenizer.model vocab.json vocab.txt",
    "tokenizer.json",
    "tokenizer.save_pretrained(folder) beside the model",
)
WEIGHTS = (
    "safetensors weights",
    "*.safetensors",
    "model.safetensors (pickled weights are never read)",
    "convert with model.save_pretrained(folder)",
)
ADAPTER = "adapter_config.json"


def load_causal_lm(
    id_or_folder: str | Path,
    download: bool = False,
    dtype: str = "float32",
    device_map: Any = None,
) -> tuple[Any, Any]:
    """Return `(model, tokenizer)` of a Hugging Face causal language model, ready to score.

    `id_or_folder` is a folder, a hub id that is already in the local cache, a GGUF file (or a folder
    with one; needs `gguf`), a shipped model ("pocket", "persona-world", "fooling-world"), or the
    folder of an adapter, which is put on the base that it names (`load_adapter` takes another).

    The weights of a GGUF file are de-quantised: `model.read_from` says from what (`GgufFile`). They
    can be scored, and trained with an adapter; in full only once saved as a folder of their own.

    `dtype` is "float32", "bfloat16", "float16", or "auto", the one that the weights were saved in.
    Sixteen bits are coarse: PIR of the pocket model is up to .15 nats off in bfloat16, .02 in
    float16, and processors without instructions for them are several times slower (`trust` measures
    it on your texts). `device_map` ("auto", or what accelerate takes) spreads the layers over
    devices, else all of it goes to `settings().device`. Nothing is downloaded unless
    `download=True`; weights are read from safetensors alone, and no code that a model brings along
    is run. Torch is set to `settings().threads` threads: sums depend on their number.

    Raises `ModelError` for a folder that is missing or lacks config, tokenizer or weights, for
    weights that do not fit the config, for an id that is not in the cache, for a model that is not
    causal (T5, BERT), and what `read_gguf` refuses; `TooLarge` for one that memory does not hold,
    before its weights are read; `ConfigError` for another dtype.

    >>> model, tokenizer = load_causal_lm("pocket")   # doctest: +SKIP
    """
    if dtype not in DTYPES:
        raise ConfigError(f"dtype {dtype!r}", expected=f"one of {DTYPES}")
    options = {"download": download, "dtype": dtype, "device_map": device_map}
    alone, model = (os.path.join(named(id_or_folder), one) for one in (ADAPTER, CONFIG[0]))
    adapter = os.path.isfile(alone) and not os.path.isfile(model)
    if adapter:
        from workbench.language.adapters import load_adapter

        return load_adapter(id_or_folder, **options)
    return whole(id_or_folder, **options)


def named(id_or_folder: str | Path) -> str:
    """The name of a model as text; `ConfigError` for what names none."""
    if not isinstance(id_or_folder, str | Path) or not str(id_or_folder).strip():
        expected = "a folder, a hub id, or one of " + ", ".join(SHIPPED)
        raise ConfigError(f"{id_or_folder!r} names no model", expected=expected)
    return str(id_or_folder)


def whole(
    id_or_folder: str | Path,
    download: bool = False,
    dtype: str = "float32",
    device_map: Any = None,
) -> tuple[Any, Any]:
    """`load_causal_lm` of what is no adapter."""
    shared = settings()
    # what is named: a folder or a file here, or an id
    if str(id_or_folder) in SHIPPED:
        id_or_folder = shared.data / str(id_or_folder)
    folder, name = Path(id_or_folder), str(id_or_folder)
    here, file = os.path.isdir(folder), None  # False for a name that no system would take
    if os.path.isfile(folder) or (here and not any(folder.glob("*.safetensors"))):
        from workbench.language.gguf import gguf_in

        file = gguf_in(folder)
    here = here or file is not None
    if not here and (os.path.exists(folder) or _looks_like_path(id_or_folder)):
        expected = f"a folder with {CONFIG[0]}, or a GGUF file"
        raise ModelError("no such model folder", f"{name:.200}", expected, "check the path")

    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # a bar per file is noise in a notebook
    options = {"local_files_only": here or not download, "trust_remote_code": False}
    try:
        # the configuration first, and all that it tells; the weights last
        with file.opened() if file else nullcontext((name, {})) as (where, more):
            if here and not file:
                check_files(folder, CONFIG)
            config = AutoConfig.from_pretrained(where, **options, **more)
            _check_causal(config, name)
            if here and not file:
                check_files(folder, TOKENIZER, WEIGHTS)
            if file:
                file.complete(config)
            if device_map is None:
                check_memory(config, dtype, name, file.scratch if file else 0)
            tokenizer = file.tokenizer() if file else AutoTokenizer.from_pretrained(name, **options)
            options |= {"use_safetensors": True, "dtype": getattr(torch, dtype, dtype)}
            options |= {"device_map": device_map, "output_loading_info": True, "config": config}
            model, loaded = AutoModelForCausalLM.from_pretrained(where, **options, **more)
    except (ModelError, TooLarge):
        raise
    except Exception as error:  # transformers raises a dozen kinds; the reader needs one
        expected = "a causal language model of Transformers with safetensors weights"
        do = "check the files"
        if not here:
            do = "connect to the network" if download else "pass download=True"
            do += ", or pass the folder or file of a model you already have"
        raise failed("model", name, expected, do, error) from error
    # what was found is all that the model has
    if lacking := sorted(loaded["missing_keys"]):
        more = f"{lacking[0]} and {len(lacking) - 1} more"
        what = f"no weights for {more}: they would be drawn at random"
        expected = "all weights of a causal language model"
        raise ModelError(what, name, expected, "save it with its output layer")
    if file:
        file.plain(model)
    torch.set_num_threads(shared.threads)
    return (model if device_map is not None else model.to(shared.device)).eval(), tokenizer


def failed(what: str, where: object, expected: str, do: str, error: Exception) -> ModelError:
    """The error for a model or an adapter whose files another library refused."""
    said = str(error).partition("\n")[0]
    what = f"cannot load the {what} ({type(error).__name__}: {said:.300})"
    return ModelError(what, f"{where!s:.200}", expected, do)


def _check_causal(config, name):
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


def _looks_like_path(id_or_folder):
    """A hub id is `name` or `owner/name`; everything else was meant as a path."""
    text = str(id_or_folder)
    path = isinstance(id_or_folder, Path) or text[:1] in "./~\\" or text.endswith(("/", ".gguf"))
    return path or "\\" in text or text.count("/") > 1


def check_files(folder: Path, *wanted: tuple[str, str, str, str]) -> None:
    """Raise `ModelError` for a folder that lacks one of `wanted` (what, patterns, expected, do)."""
    for what, patterns, expected, do in wanted:
        if not any(path for pattern in patterns.split() for path in folder.glob(pattern)):
            raise ModelError(f"no {what}", str(folder), expected, do)


def context_of(model: Any) -> int | None:
    """The number of tokens that a model was made for, where its configuration says so."""
    names, config = ("max_position_embeddings", "n_positions", "max_seq_len"), config_of(model)
    return next((size for name in names if (size := getattr(config, name, None))), None)


def config_of(model: Any) -> Any:
    """The configuration of a model, of its part for text where it has several."""
    config = getattr(model, "config", None)
    return config.get_text_config() if hasattr(config, "get_text_config") else config


def check_loaded(model: Any, does: str = "eval") -> None:
    """Raise `ModelError` for what is no model, or not one that can do so (`generate`, `train`)."""
    if not callable(getattr(model, does, None)):
        what = "it cannot write" if does == "generate" else "no model that is loaded"
        do = "model, tokenizer = load_causal_lm(…)"
        raise ModelError(what, type(model).__name__, "a model that is loaded here", do)
    rounded = getattr(getattr(model, "read_from", None), "rounded", False)
    rounded = rounded or getattr(model, "is_quantized", False)
    if does == "train" and rounded and not getattr(model, "peft_config", None):
        what = "its weights were rounded to a few bits, and are asked to train in full"
        do = "put an adapter on it (peft.get_peft_model); or save_pretrained it, and load that folder"
        raise ModelError(
            what, type(model).__name__, "weights of 16 bits or more, or an adapter", do
        )


def check_tokenizer(tokenizer: Any) -> None:
    """Raise `ConfigError` for what is no tokenizer of Transformers."""
    if not hasattr(tokenizer, "all_special_tokens"):
        what, do = f"a {type(tokenizer).__name__}", "model, tokenizer = load_causal_lm(…)"
        raise ConfigError(what, "tokenizer", "the model's own tokenizer", do)


def check_fits(model: Any, tokenizer: Any, ids: Iterable[int]) -> None:
    """Raise `ModelError` for token ids outside of the model's embedding."""
    table = getattr(model, "get_input_embeddings", lambda: None)()
    size = getattr(table, "num_embeddings", math.inf)
    ids = {0, *ids}
    for one in (min(ids), max(ids)):
        if not 0 <= one < size:
            token = None if one < 0 else tokenizer.convert_ids_to_tokens(one)
            do = "the model's own tokenizer, or model.resize_token_embeddings(len(tokenizer))"
            what = f"the id of token {token!r} is {one}"
            raise ModelError(what, type(model).__name__, f"ids below {size}, its embedding", do)


def check_room(model: Any, prompts: Iterable[int], new: int) -> None:
    """Raise `TooLarge` where prompts of so many tokens and `new` ones exceed what the model was
    made for."""
    room, longest = context_of(model), max(prompts, default=0)
    if room is not None and longest + new > room:
        what, do = f"{longest} tokens and {new} new ones", "a shorter prompt, or fewer new tokens"
        raise TooLarge(what, "prompt", f"at most {room} together", do)
