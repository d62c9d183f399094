"""PersonaWorld: texts of 30 words whose personal words are planted one by one, small enough to
learn in two minutes.

A user holds a value in each of eight slots; slot 0 is the tone. A topic's template fixes what
stands in each of the 30 places of a text: c the value of a needed slot, d a word that a fixed map
gives for the value of another (it stands nowhere in the persona), s a style word of the user's
tone, q a word of the query, n noise, g a word of the template. The prompt shows five slots: the
three that the topic needs, the tone, and one distractor.

What must come out is known: under deletion the PIR of the first style word is ln 4, that of the
second 0 (the first has told it), that of c and d is −log of the value's prior, that of q, n and g
is 0.

A prompt and its text are 48 tokens, 37 without persona, of which 31 are learnt: the end-of-text
token is the last, and is not scored, since it stands in no text.

The words are English (`words/persona.toml`), and mean nothing to the world: which place of the
vocabulary they stand for decides everything. A text reads like a telegram ("truly excellent quality
monday fair june classical"): its template words are drawn one by one, so that they cannot make
whole sentences. For seed 0, whose model is shipped, the lists are written to come as near as they
can; with another seed template and derived words fall together by chance.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.worlds.shop.texts import Texts

SPECIALS = ("<s>", "<persona>", "<query>", "<response>", "</s>")
SLOTS, VALUES, TONES, STYLES = 8, 12, 4, 3
TOPICS, ASKS, NOISE, GENERIC, DERIVED = 6, 20, 40, 80, 60
KINDS = ("c", "d", "d", "s", "s", "q", "q", "n", "n", "n", "n")  # the other 19 places are g
LENGTH = 30
PHRASE = 5
WORDS = Path(__file__).parent / "words"


@cache
def bank(name: str) -> dict[str, Any]:
    """The words of a world, read once: `words/<name>.toml`."""
    return tomllib.loads((WORDS / f"{name}.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Templates:
    """One row a topic: the slots it needs (6 × 3), and for each place the part that stands there
    (−1: its word)."""

    needed: np.ndarray
    part: np.ndarray
    generic: np.ndarray
    style: np.ndarray


class PersonaWorld:
    """The world of one seed: its templates, its map from values to derived words, and any number of
    texts.

    >>> world = PersonaWorld()
    >>> len(world.vocabulary), world.corpus(100, seed=1)
    (327, Texts(generated, 100 by 100 shoppers))
    """

    def __init__(self, seed: int = 0) -> None:
        words = bank("persona")
        names = {
            "slot": list(words["values"]),
            "value": list(chain(*words["values"].values())),
            "topic": words["topics"],
            "ask": words["asks"],
            "noise": words["noise"],
            "generic": words["generic"],
            "derived": words["derived"],
            "style": list(chain(*words["styles"].values())),
        }
        self.seed = seed
        self.vocabulary = [*SPECIALS, *chain(*names.values())]
        sizes = [len(SPECIALS), *(len(part) for part in names.values())]
        # id of each part's first word
        self.first = dict(zip(names, np.cumsum(sizes).tolist(), strict=False))
        rng = np.random.default_rng([seed, 0])
        self.derived = self.first["derived"] + rng.integers(DERIVED, size=(SLOTS, VALUES))
        self.templates = self._templates(rng)
        self.new_templates = self._templates(np.random.default_rng([seed, 5]))

    def _templates(self, rng: np.random.Generator) -> Templates:
        needed = np.array([rng.permutation(np.arange(1, SLOTS))[:3] for _ in range(TOPICS)])
        parts = np.r_[np.arange(len(KINDS)), np.full(LENGTH - len(KINDS), -1)]
        part = np.array([rng.permutation(parts) for _ in range(TOPICS)])
        generic = self.first["generic"] + rng.integers(GENERIC, size=(TOPICS, LENGTH))
        return Templates(needed, part, generic, rng.integers(STYLES, size=(TOPICS, 2)))

    @staticmethod
    def prior() -> np.ndarray:
        """P(value) of slots 1 to 7, the k-th most frequent first: proportional to k^−0.8."""
        weight = np.arange(1, VALUES + 1) ** -0.8
        return weight / weight.sum()

    def corpus(self, n: int, seed: int, new_task: bool = False) -> Texts:
        """`n` texts by as many users, drawn anew for every `seed`; `new_task` takes the second set
        of templates.

        The tables are those of `Texts`, so `examples_of`, `mark`, `sentences` and `detection` take
        it. A memory item is a slot and its value; `item` is the topic; a "sentence" is a phrase of
        five words, with the memory item of the first personal word in it.
        """
        rng = np.random.default_rng([self.seed, 77, seed])
        templates = self.new_templates if new_task else self.templates
        texts, first = np.arange(n), self.first
        values = rng.choice(VALUES, p=self.prior(), size=(n, SLOTS))
        values[:, 0] = rng.integers(TONES, size=n)
        topic = rng.integers(TOPICS, size=n)
        asks = first["ask"] + rng.random((n, ASKS)).argsort(axis=1)[:, :2]
        noise = first["noise"] + rng.integers(NOISE, size=(n, KINDS.count("n")))

        needed = templates.needed[topic]
        value = first["value"] + np.arange(SLOTS) * VALUES + values
        derived = self.derived[np.arange(SLOTS), values]
        style = first["style"] + values[:, :1] * STYLES + templates.style[topic]
        rows = texts[:, None]
        parts = np.hstack(
            [value[rows, needed[:, :1]], derived[rows, needed[:, 1:]], style, asks, noise]
        )
        part = templates.part[topic]
        ids = np.where(part < 0, templates.generic[topic], parts[rows, part])

        shown = np.zeros((n, SLOTS), dtype=bool)
        shown[rows, needed] = shown[:, 0] = True
        # one distractor
        shown[texts, np.where(shown, 2.0, rng.random((n, SLOTS))).argmin(axis=1)] = True
        # of each part; −1: no memory item
        slot = np.hstack([needed, np.zeros((n, 2), int), np.full((n, 6), -1)])
        return self._tables(ids, part, slot, shown, values, topic, asks)

    def _tables(self, ids, part, slot, shown, values, topic, asks) -> Texts:
        n, said = len(ids), np.array(self.vocabulary)
        lengths = np.char.str_len(said)
        end = np.cumsum(lengths[ids] + 1, axis=1) - 1
        start = end - lengths[ids]
        texts = np.arange(n, dtype="int32")
        table = pd.DataFrame(
            {"text": texts, "user": texts, "item": topic.astype("int32"), "interaction": -1}
        )
        table["kind"] = "text"
        table["query"] = [
            " ".join(words) for words in said[np.c_[self.first["topic"] + topic, asks]]
        ]
        table["response"] = [" ".join(words) for words in said[ids]]

        memories = pd.DataFrame({"memory": np.arange(n * SLOTS), "user": np.repeat(texts, SLOTS)})
        value = self.first["value"] + np.arange(SLOTS) * VALUES + values
        names = said[self.first["slot"] + np.arange(SLOTS)]
        memories["statement"] = (
            np.char.add(np.char.add(names, " "), said[value]).ravel().astype(object)
        )
        told = pd.DataFrame(
            {"text": memories["user"], "memory": memories["memory"], "shown": shown.ravel()}
        )

        text, place = np.nonzero(part >= 0)
        found = part[text, place]
        memory = np.where(slot[text, found] < 0, -1, text * SLOTS + slot[text, found])
        words = pd.DataFrame({"text": text, "start": start[text, place], "end": end[text, place]})
        words["word"], words["kind"], words["memory"] = (
            said[ids[text, place]],
            np.array(KINDS)[found],
            memory,
        )
        words["direct"] = ~words.duplicated(["text", "memory"]) | (words["memory"] < 0)

        personal = np.full(part.shape, -1)
        personal[text, place] = memory
        phrases = personal.reshape(n, -1, PHRASE)
        first = np.take_along_axis(phrases, (phrases >= 0).argmax(axis=2)[..., None], axis=2)[
            ..., 0
        ]
        sentences = pd.DataFrame({"text": np.repeat(texts, LENGTH // PHRASE)})
        sentences["start"], sentences["end"] = (
            start[:, ::PHRASE].ravel(),
            end[:, PHRASE - 1 :: PHRASE].ravel(),
        )
        sentences["role"], sentences["memory"] = "phrase", first.ravel()
        return Texts(table, memories, told, words, sentences)

    def tokenizer(self) -> Any:
        """One token a word (327), with a chat template: `<s> <persona> memories <query> query
        <response>`."""
        from workbench.tokens.small_models import word_tokenizer

        return word_tokenizer(self.vocabulary)

    def base_model(self, seed: int) -> Any:
        """An untrained GPT-NeoX of 121,024 parameters with random weights from `seed`."""
        from workbench.tokens.small_models import base_model

        return base_model(len(self.vocabulary), seed)
