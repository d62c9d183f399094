"""GGUF files, in which people keep language models on laptops: what they hold, what becomes of it
here, and their tokenizer, converted once."""

from __future__ import annotations

import hashlib
import json
import mmap
import shutil
import struct
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.errors import DataError, ModelError
from workbench.language._gguf_header import (
    ELSEWHERE,
    Entry,
    Header,
    check_layers,
    check_whole,
    types,
    vocabulary,
)
from workbench.language.kept import KEPT, MARK, digests, is_kept
from workbench.settings import settings
from workbench.whole import PARTIAL, whole_folder

FORM = 1
"""Version of what is kept of a converted tokenizer."""
LONG = 1 << 16
"""Bytes of a line of the metadata that is left out where it would be read slowly."""
FACTORS = "rope_freqs.weight"
"""How much more slowly Llama 3 turns each pair of dimensions."""
LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
PROBE = "  The lamp's 12,345 – naïve\n\n\tcafé 🙂, it’s HERE…\n"


@dataclass(frozen=True, repr=False)
class GgufFile:
    """What a GGUF file holds, and what becomes of it in memory.

    >>> model, tokenizer = load_causal_lm("gemma-3-270m-q4_k_m.gguf")  # doctest: +SKIP
    >>> model.read_from  # doctest: +SKIP
    GgufFile(gemma3: 268,098,176 weights, 63.1% Q8_0, 23.7% Q5_0, …; 253 MB on disk, 1,072 MB here)
    """

    path: Path
    """The file."""
    architecture: str
    """As the file names it ("llama", "gemma3")."""
    tokens: int
    """Size of the vocabulary, and rows of the embedding."""
    ids: Mapping[str, int]
    """{bos, eos, pad, unk: token id}, of those that the file tells."""
    types: pd.DataFrame
    """[type, tensors, weights, share, bytes, bits, rounded]: how weights are stored. `share` is of
    all weights, `bits` of one, and `rounded` ones share a scale with their neighbours."""
    size: int
    """Bytes on disk."""
    digest: str
    """sha256 of the metadata."""
    header: Header
    """Where everything stands."""

    @property
    def weights(self) -> int:
        """How many numbers the tensors hold."""
        return int(self.types["weights"].sum())

    @property
    def rounded(self) -> bool:
        """Whether some were rounded to fewer bits: de-quantising does not bring them back."""
        return bool(self.types["rounded"].any())

    @property
    def scratch(self) -> int:
        """Bytes beside the weights while they are loaded: the largest tensor, three times over."""
        return 3 * 4 * max(count for _, count, *_ in self.header.rows)

    def to_frame(self) -> pd.DataFrame:
        """The types, and the bytes that each takes in memory as float32."""
        return self.types.assign(bytes_in_memory=self.types["weights"] * 4)

    def __repr__(self):
        parts = [f"{row.share:.1%} {row.type}" for row in self.types.itertuples()]
        told = f"{self.architecture}: {self.weights:,} weights, {', '.join(parts)}"
        told += f"; {self.size / 1e6:,.1f} MB on disk, {self.weights * 4 / 1e6:,.1f} MB as float32"
        return f"GgufFile({told}{', de-quantised, still rounded' if self.rounded else ''})"

    @contextmanager
    def opened(self) -> Iterator[tuple[str, dict[str, str]]]:
        """An empty folder, and what `from_pretrained` is told beside it to read weights and config.

        The empty folder: nothing that stands beside the file is read with it. Where Transformers
        takes 25 μs for each word of the vocabulary, twice, it is given a copy of the file without.
        """
        from transformers import modeling_gguf_pytorch_utils as reader
        from transformers.integrations.gguf import GGUF_CONFIG_ARCHS
        from transformers.utils import logging

        settings().cache.mkdir(parents=True, exist_ok=True)
        options = {"dir": settings().cache, "prefix": PARTIAL, "ignore_cleanup_errors": True}
        with tempfile.TemporaryDirectory(**options) as work:
            empty, path = Path(work, "empty"), self.path.resolve()
            empty.mkdir()
            if self.architecture not in GGUF_CONFIG_ARCHS:
                path = Path(work, "short.gguf")
                self._shorten(path)
            # it would warn of a size that `complete` tells, and of kernels that are not asked for
            level, bar = logging.get_verbosity(), reader.tqdm
            logging.set_verbosity_error()
            reader.tqdm = logging.tqdm  # the one that heeds `disable_progress_bar`
            try:
                yield str(empty), {"gguf_file": str(path)}
            finally:
                logging.set_verbosity(level)
                reader.tqdm = bar

    def _shorten(self, path):
        header = self.header
        kept = [one for one in header.entries.values() if one.end - one.begin < LONG]
        with open(self.path, "rb") as old, open(path, "wb") as new:
            # magic, version and number of tensors as they are, then how many keys are left
            new.write(old.read(16) + struct.pack("<Q", len(kept)))
            for one in [*kept, Entry(None, header.end, header.last)]:
                old.seek(one.begin)
                new.write(old.read(one.end - one.begin))
            # the data begin at a whole step, here as there
            new.write(bytes(-new.tell() % header.step))
            old.seek(header.at)
            shutil.copyfileobj(old, new, 1 << 24)

    def complete(self, config: Any) -> None:
        """Put into a configuration what Transformers leaves to the defaults of the architecture: the
        ids of another model's special tokens would end its texts."""
        config.vocab_size, config.name_or_path = self.tokens, str(self.path)
        for name in ("bos", "eos", "pad"):
            told, own = getattr(config, f"{name}_token_id", None), self.ids.get(name)
            if not (isinstance(told, list) and own in told):
                setattr(config, f"{name}_token_id", own)
        if FACTORS in self.header.shapes:
            self._turn(config)

    def _turn(self, config):
        """Tell a configuration of factors that stand in a tensor, which Transformers leaves out: as
        the rule that they come from, if it gives the same."""
        import torch
        from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

        header, count = self.header, prod(self.header.shapes[FACTORS])
        with open(self.path, "rb") as file:
            file.seek(header.at + header.places[FACTORS])
            told = torch.tensor(struct.unpack(f"<{count}f", file.read(4 * count)))
        theta = config.rope_parameters["rope_theta"]
        rule = {"rope_type": "llama3", "rope_theta": theta, "factor": float(told.max()), **LLAMA3}
        config.rope_parameters = rule
        found, _ = ROPE_INIT_FUNCTIONS["llama3"](config)
        wanted = theta ** -(torch.arange(count) / count) / told
        if found.shape != wanted.shape or not torch.allclose(found, wanted, rtol=1e-3):
            what = "positions that turn in another way than Llama 3's"
            raise ModelError(what, str(self.path), f"{FACTORS} by the rule of Llama 3", ELSEWHERE)

    def plain(self, model: Any) -> None:
        """Make a model that was read from this file one like any other, with this as `read_from`.

        Raises `ModelError` where weights of the file found no place: its numbers would be others.
        """
        from transformers.integrations.gguf import GGUF_CONFIG_ARCHS

        unused = self.weights - sum(one.numel() for one in model.parameters())
        unused -= prod(self.header.shapes.get(FACTORS, [0]))
        # the newer reader of Transformers leaves out what it says
        if unused > 0 and self.architecture not in GGUF_CONFIG_ARCHS:
            usual = ("blk.", "token_embd.", "output")
            names = [name for name in self.header.shapes if not name.startswith(usual)]
            what = f"{unused:,} weights of the file have no place in {type(model).__name__}"
            expected = f"a place for all; see {', '.join(names[:3]) or 'its layers'}"
            raise ModelError(what, str(self.path), expected, ELSEWHERE)
        model.hf_quantizer.remove_quantization_config(model)
        model.name_or_path = model.config.name_or_path = str(self.path)
        model.read_from = self

    def tokenizer(self) -> Any:
        """The tokenizer of the file, which Transformers converts once and the cache keeps.

        It is kept under a hash of the metadata, both libraries' versions and the form, whole or not
        at all, and used only while every file is the one that was written; else it is made again.
        Where it reads a text otherwise once kept, or the cache cannot be written, it is not kept,
        with a warning.
        """
        import tokenizers
        import transformers
        from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

        cut = self.header.told("tokenizer.ggml.pre")
        bytes_ = self.header.told("tokenizer.ggml.model") == "gpt2"
        if bytes_ and cut not in {*GGUF_PRE_TOKENIZER_SPLITS, "gpt-2"}:
            what = f"{self.path.name}: Transformers does not know how {cut!r:.40} cuts words"
            warnings.warn(f"{what}, and cuts as GPT-2 does: tokens may differ", stacklevel=3)
        made_by = [FORM, self.digest, transformers.__version__, tokenizers.__version__]
        key = hashlib.sha256(json.dumps(made_by).encode()).hexdigest()
        folder = settings().cache / KEPT / key
        options, load = {"local_files_only": True}, transformers.AutoTokenizer.from_pretrained
        if is_kept(folder):
            return load(folder, **options)
        with tempfile.TemporaryDirectory() as empty:
            made = load(empty, gguf_file=str(self.path.resolve()), **options)
        try:
            with whole_folder(folder, ours=lambda old: (old / MARK).is_file()) as new:
                made.save_pretrained(new)
                (new / MARK).write_text(json.dumps(digests(new)), encoding="utf-8")
                again = load(new, **options)
                if again(PROBE)["input_ids"] != made(PROBE)["input_ids"]:
                    raise DataError("it reads a text otherwise once kept", str(self.path))
        except DataError as error:
            warnings.warn(f"the tokenizer will be converted each time: {error}", stacklevel=2)
            return made
        return again


def gguf_in(folder: Path) -> GgufFile | None:
    """What a file holds, or the one GGUF file of a folder; None for a folder without. Raises
    `ModelError` for one of several, and what `read_gguf` raises."""
    found = [folder] if folder.is_file() else sorted(folder.glob("*.gguf"))
    if len(found) > 1:
        what = f"{len(found)} GGUF files, {found[0].name} and {found[1].name} among them"
        raise ModelError(what, str(folder), "one model", "name the file")
    return read_gguf(found[0]) if found else None


def read_gguf(path: str | Path) -> GgufFile:
    """What a GGUF file holds; no weights are read. Needs `gguf`.

    Raises `ModelError` for what is no GGUF file, is cut short, counts more than it holds, is one of
    several parts, an adapter, of an architecture that Transformers does not read, or has another
    vocabulary than its embedding.

    >>> read_gguf("gemma-3-270m-q4_k_m.gguf").to_frame()  # doctest: +SKIP
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError("no such file", str(path), "a GGUF file", "check the path")
    with open(path, "rb") as file:
        if file.read(4) != b"GGUF":
            expected = "a GGUF file, or a folder with config.json and safetensors"
            raise ModelError("not a GGUF file", str(path), expected, "check the path")
        if find_spec("gguf") is None:
            raise ModelError("gguf is not installed", str(path), do="pip install gguf")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            header, size = Header(data, path), len(data)
            digest = hashlib.sha256(data[: header.end]).hexdigest()
        header.data = b""
    check_whole(header)
    check_layers(header)
    tokens, ids = vocabulary(header)
    told = header.told("general.architecture"), tokens, ids, types(header)
    return GgufFile(path, *told, size, digest, header)
