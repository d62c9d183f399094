"""How like a situation is to another, both in words: TF-IDF, or a sentence encoder.

    TF-IDF   cos(tf(a) · idf, tf(b) · idf),  idf counted over the products of the catalogue
    encoder  cos(mean of a's token vectors, mean of b's)

Nothing is counted over shoppers: a likeness changes with nobody's rows.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from workbench.data import Catalogue
from workbench.errors import ModelError

TOKENS = 256
"""Tokens of a text that an encoder reads."""
BATCH = 64


class Likeness:
    """Compares texts of one catalogue. encoder: the folder of a sentence encoder (of
    sentence-transformers, say), read by transformers; None: TF-IDF."""

    def __init__(self, catalogue: Catalogue, encoder: str | Path | None = None) -> None:
        self.catalogue, self.encoder = catalogue, encoder
        if encoder is not None and not (Path(encoder) / "config.json").is_file():
            what, do = "no sentence encoder", "check the path, or leave it out for TF-IDF"
            raise ModelError(what, str(encoder), "a folder with config.json", do)

    def __call__(self, asked: str, texts: list[str]) -> np.ndarray:
        """The likeness of a text to each of the others, (n,), equal but for rounding is equal."""
        if not texts or not asked.strip():
            return np.zeros(len(texts))
        compare = self._counted if self.encoder is None else self._embedded
        return np.round(compare(asked, texts), 6)

    def _counted(self, asked: str, texts: list[str]) -> np.ndarray:
        if self._words is None:
            return np.zeros(len(texts))
        told = self._words.transform(texts)
        return np.asarray((told @ self._words.transform([asked]).T).todense()).ravel()

    @cached_property
    def _words(self) -> Any:
        """The words of the catalogue and how rare they are; None where it has no word."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        frame, kinds = self.catalogue.frame, self.catalogue.kind.tolist()
        products = [
            " ".join(map(str, said))
            for said in zip(frame["title"], frame["category"], kinds, strict=True)
        ]
        try:
            return TfidfVectorizer(token_pattern=r"(?u)\b\w+\b").fit(products)
        except ValueError:  # an empty vocabulary
            return None

    def _embedded(self, asked: str, texts: list[str]) -> np.ndarray:
        vectors = np.concatenate(
            [
                self._encode([asked, *texts][start : start + BATCH])
                for start in range(0, len(texts) + 1, BATCH)
            ]
        )
        return vectors[1:] @ vectors[0]

    def _encode(self, texts: list[str]) -> np.ndarray:
        """Unit vectors (n, d): the mean over the tokens of a text."""
        import torch

        tokenizer, model = self._network
        options = {"padding": True, "truncation": True, "max_length": TOKENS}
        tokens = tokenizer(texts, return_tensors="pt", **options)
        with torch.no_grad():
            states = model(**tokens).last_hidden_state
        mask = tokens["attention_mask"][..., None]
        mean = (states * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
        return torch.nn.functional.normalize(mean.double(), dim=1).numpy()

    @cached_property
    def _network(self) -> tuple[Any, Any]:
        from transformers import AutoModel, AutoTokenizer

        own = {"local_files_only": True, "trust_remote_code": False}
        try:
            tokenizer = AutoTokenizer.from_pretrained(self.encoder, **own)
            # weights as safetensors alone: others would have to be unpickled
            model = AutoModel.from_pretrained(self.encoder, use_safetensors=True, **own)
        except (OSError, ValueError) as error:
            want, do = "a tokenizer and safetensors weights", "save the encoder anew"
            raise ModelError(f"cannot be read ({error})", str(self.encoder), want, do) from error
        return tokenizer, model.eval()
