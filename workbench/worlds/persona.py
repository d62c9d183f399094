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

from collections import defaultdict
from dataclasses import dataclass
from itertools import chain

import numpy as np

from workbench.errors import check_number
from workbench.worlds.corpus import Texts, bank
from workbench.worlds.telegrams import Telegrams, add_text

SPECIALS = ("<s>", "<persona>", "<query>", "<response>", "</s>")
SLOTS, VALUES, TONES, STYLES = 8, 12, 4, 3
TOPICS, ASKS, NOISE, GENERIC, DERIVED = 6, 20, 40, 80, 60
KINDS = ("c", "d", "d", "s", "s", "q", "q", "n", "n", "n", "n")  # the other 19 places are g
LENGTH = 30
PHRASE = 5


@dataclass(frozen=True)
class Templates:
    """One row a topic: the slots it needs (6 × 3), and for each place the part that stands there
    (−1: its word)."""

    needed: np.ndarray
    part: np.ndarray
    generic: np.ndarray
    style: np.ndarray


class PersonaWorld(Telegrams):
    """The world of one seed: its templates, its map from values to derived words, and any number of
    texts.

    >>> world = PersonaWorld()
    >>> len(world.vocabulary), world.corpus(100, seed=1)
    (327, Texts(generated, 100 by 100 shoppers))
    """

    def __init__(self, seed: int = 0) -> None:
        check_number(0, seed=seed)
        words = bank("persona")
        self.seed = seed
        self.slots = list(words["values"])
        self.values = list(words["values"].values())
        self.styles = list(words["styles"].values())
        lists = [words[name] for name in ("topics", "asks", "noise", "generic", "derived")]
        parts = [SPECIALS, self.slots, *self.values, *lists, *self.styles]
        self.vocabulary = list(chain(*parts))
        # the id of the derived word of each slot's each value
        rng = np.random.default_rng([seed, 0])
        first = self.vocabulary.index(words["derived"][0])
        self.derived = first + rng.integers(DERIVED, size=(SLOTS, VALUES))
        self.templates = self._templates(rng)
        self.new_templates = self._templates(np.random.default_rng([seed, 5]))

    def _templates(self, rng):
        needed = np.array([rng.permutation(np.arange(1, SLOTS))[:3] for _ in range(TOPICS)])
        parts = np.r_[np.arange(len(KINDS)), np.full(LENGTH - len(KINDS), -1)]
        part = np.array([rng.permutation(parts) for _ in range(TOPICS)])
        generic = rng.integers(GENERIC, size=(TOPICS, LENGTH))
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
        five words.
        """
        check_number(0, n=n, seed=seed)
        rng = np.random.default_rng([self.seed, 77, seed])
        templates = self.new_templates if new_task else self.templates
        # who writes, about what, and which distractor the prompt shows beside what is needed
        values = rng.choice(VALUES, p=self.prior(), size=(n, SLOTS))
        values[:, 0] = rng.integers(TONES, size=n)
        topic = rng.integers(TOPICS, size=n)
        asks = rng.random((n, ASKS)).argsort(axis=1)[:, :2]
        noise = rng.integers(NOISE, size=(n, KINDS.count("n")))
        texts = np.arange(n)
        shown = np.zeros((n, SLOTS), dtype=bool)
        shown[:, 0] = True
        shown[texts[:, None], templates.needed[topic]] = True
        lots = np.where(shown, 2.0, rng.random((n, SLOTS)))
        shown[texts, lots.argmin(axis=1)] = True
        rows = defaultdict(list)
        for text in range(n):
            drawn = values[text], asks[text], noise[text]
            self._write(rows, templates, int(topic[text]), shown[text], *drawn)
        return Texts.of(rows)

    def _write(self, rows, templates, topic, shown, values, asks, noise):
        """One text from what was drawn for it."""
        words, needed = bank("persona"), templates.needed[topic].tolist()
        told = [options[value] for options, value in zip(self.values, values, strict=True)]
        asked = [words["asks"][ask] for ask in asks]
        # the words that are planted, in the order of `KINDS`, each with its memory item
        planted = [told[needed[0]]]
        planted += [self.vocabulary[self.derived[slot, values[slot]]] for slot in needed[1:]]
        planted += [self.styles[values[0]][style] for style in templates.style[topic]]
        planted += [*asked, *(words["noise"][word] for word in noise)]
        sources = [*needed, 0, 0, -1, -1, -1, -1, -1, -1]
        parts = [*zip(planted, KINDS, sources, strict=True)]
        places = []
        for part, word in zip(templates.part[topic], templates.generic[topic], strict=True):
            places.append((words["generic"][word], "g", -1) if part < 0 else parts[part])
        text = topic, " ".join([words["topics"][topic], *asked])
        memories = list(zip(self.slots, told, strict=True))
        add_text(rows, text, memories, shown, places, PHRASE)
