"""FoolingWorld, world B: four kinds of text, each written so that a score of personal words must go
wrong, and plain ones.

Every text has personal words as in `PersonaWorld`: c copies the value of a slot, d is the word that
a fixed map gives for another, s is of the user's tone. What each mechanism adds (its topics, its
memory items, its words):

| mechanism | what is done | what must go wrong |
|---|---|---|
| plain | nothing | nothing: the control |
| retrieved | the history was searched with the whole request, of which the query shows only the topic: three memory items tell how the request went on, and three words t answer it, as they would for anybody | t has PIR ln 6 |
| omitted | four words that others write are left out by users who are quiet about them (one in four) | the word after the gap has PIR ln 4; the fact itself has no word |
| mediated | six words of the tone instead of two; the first tells the others | five of six have PIR 0 |
| correlated | the value behind d is shown in half of the prompts only; a twin slot with the same value (nine times in ten) is always shown | leave-one-out finds no memory item, or blames the twin |

The kinds t (not personal) and o (an empty span where a word was left out) are new; `words` names
the memory item.

The words are English (`words/fooling.toml`, and `words/persona.toml` for what both worlds share):
a history that was searched remembers "seen camping", and the text answers with "rugged"; who is
"quiet money" leaves out "affordable". As in `PersonaWorld` a text is a telegram and no sentence,
and the lists are written for seed 0."""  # noqa: E501

from __future__ import annotations

from collections import defaultdict
from itertools import chain

import numpy as np

from workbench.errors import ConfigError, check_number
from workbench.worlds.corpus import Texts, bank
from workbench.worlds.persona import SPECIALS, STYLES, TONES, VALUES, PersonaWorld
from workbench.worlds.telegrams import Telegrams, add_text

MECHANISMS = ("plain", "retrieved", "omitted", "mediated", "correlated")
TOPICS = 2  # of each mechanism
SLOTS, ASKS, NOISE, GENERIC, DERIVED, LENGTH = 6, 12, 30, 60, 40, 24
ASPECTS, ANSWERS = 3, 6
QUIET, QUIET_SHARE = 4, 0.25
TWIN_AGREES, CAUSE_SHOWN = 0.9, 0.5
PHRASE = 6
PARTS = ["c", "d", "s", "s", "q", "q", "n", "n", "n"]
EXTRA = {
    "retrieved": ["t"] * ASPECTS,
    "omitted": ["o"] * QUIET,
    "mediated": ["s"] * 4,
}


class FoolingWorld(Telegrams):
    """World B of one seed: templates of ten topics (two a mechanism) and any number of texts.

    >>> FoolingWorld().corpus(100, seed=1, mechanism="omitted")
    Texts(generated, 100 by 100 shoppers)
    """

    def __init__(self, seed: int = 0) -> None:
        check_number(0, seed=seed)
        self.seed = seed
        shared = bank("persona")
        own = bank("fooling")
        # the person: a value a side, and three words for each tone
        self.slots = list(shared["values"])[:SLOTS]
        self.values = [shared["values"][slot] for slot in self.slots]
        self.styles = list(shared["styles"].values())
        # what a text is about; how a request goes on, with its answer; an omission, with its word
        self.topics = {name: own["topics"][name] for name in MECHANISMS}
        self.asks = shared["asks"][:ASKS]
        self.noise = shared["noise"][:NOISE]
        self.requests = [list(part) for part in own["answers"].values()]
        self.answers: dict[str, str] = {}
        for part in own["answers"].values():
            self.answers |= part
        self.omissions = own["omissions"]
        parts = [SPECIALS, self.slots, own["slots"], *self.values, *self.topics.values()]
        parts += [self.asks, self.noise, own["generic"], own["derived"], *self.styles]
        parts += [self.answers, self.answers.values(), self.omissions, self.omissions.values()]
        self.vocabulary = list(chain(*parts))
        # the id of the derived word of each slot's each value
        rng = np.random.default_rng([seed, 1])
        first = self.vocabulary.index(own["derived"][0])
        self.derived = first + rng.integers(DERIVED, size=(SLOTS, VALUES))
        self.templates = {
            topic: self._template(rng, name) for name, part in self.topics.items() for topic in part
        }

    def _template(self, rng, mechanism):
        parts = PARTS + EXTRA.get(mechanism, [])
        parts += ["g"] * (LENGTH - len(parts))
        slots = rng.permutation(np.arange(1, SLOTS))
        generic = bank("fooling")["generic"]
        return {
            "parts": [parts[k] for k in rng.permutation(LENGTH)],
            "slots": dict(zip(("c", "d", "twin"), slots[:3].tolist(), strict=True)),
            "words": [generic[k] for k in rng.integers(GENERIC, size=LENGTH)],
            "style": rng.integers(STYLES, size=LENGTH),
        }

    def corpus(self, n: int, seed: int, mechanism: str | None = None) -> Texts:
        """`n` texts by as many users; all five kinds mixed, or one `mechanism`. `texts` has the
        column `mechanism`.

        `item` is the whole request: its topic and, where the history was searched with it, how it
        went on; so the intervention "peer" puts in the persona of somebody who asked the same.
        Raises `ConfigError` for a mechanism that there is none of.
        """
        if mechanism not in (None, *MECHANISMS):
            expected = f"one of {MECHANISMS}, or None for all"
            raise ConfigError(f"mechanism {mechanism!r}", "corpus", expected)
        check_number(0, n=n, seed=seed)
        rng = np.random.default_rng([self.seed, 78, seed])
        rows = defaultdict(list)
        for _ in range(n):
            name = mechanism or MECHANISMS[rng.integers(len(MECHANISMS))]
            self._write(rng, rows, name, self.topics[name][rng.integers(TOPICS)])
        return Texts.of(rows, more=["mechanism"])

    def _write(self, rng, rows, mechanism, topic):
        template = self.templates[topic]
        slots = template["slots"]
        # who writes: a value for each slot, and which of them the prompt shows
        values = rng.choice(VALUES, p=PersonaWorld.prior(), size=SLOTS)
        values[0] = rng.integers(TONES)
        # the twin is the distractor
        shown = {0: True, slots["c"]: True, slots["d"]: True, slots["twin"]: True}
        if mechanism == "correlated":
            if rng.random() < TWIN_AGREES:
                values[slots["twin"]] = values[slots["d"]]
            shown[slots["d"]] = rng.random() < CAUSE_SHOWN
        # how the request goes on, and what the writer is quiet about
        drawn = rng.integers(ANSWERS, size=ASPECTS)
        request = [words[z] for words, z in zip(self.requests, drawn, strict=True)]
        silent = rng.random(QUIET) < QUIET_SHARE
        quiet = [about for about, yes in zip(self.omissions, silent, strict=True) if yes]
        # the memory items: those of the slots, then those that the mechanism adds
        told = [(slot, self.values[k][values[k]]) for k, slot in enumerate(self.slots)]
        searched, unsaid = bank("fooling")["slots"]
        if mechanism == "retrieved":
            told += [(searched, asked) for asked in request]
        if mechanism == "omitted":
            told += [(unsaid, about) for about in quiet]
        seen = [shown.get(number, number >= SLOTS) for number in range(len(told))]
        number = {value: place for place, (_, value) in enumerate(told)}
        # the words, place by place, each with the memory item that brought it about
        asks = [self.asks[k] for k in rng.permutation(ASKS)[:2]]
        ready = {"q": list(asks), "t": list(request), "o": list(self.omissions)}
        places = []
        for place, kind in enumerate(template["parts"]):
            word, source = template["words"][place], -1
            if kind == "c":
                source = slots["c"]
                word = told[source][1]
            elif kind == "d":
                source = slots["d"]
                word = self.vocabulary[self.derived[source, values[source]]]
            elif kind == "s":
                source = 0
                word = self.styles[values[0]][template["style"][place]]
            elif kind == "n":
                word = self.noise[rng.integers(NOISE)]
            elif kind == "q":
                word = ready["q"].pop(0)
            elif kind == "t":
                asked = ready["t"].pop(0)
                word, source = self.answers[asked], number[asked]
            elif kind == "o":
                about = ready["o"].pop(0)
                if about in quiet:
                    word, source = "", number[about]
                else:
                    word, kind = self.omissions[about], "g"
            places.append((word, kind, source))
        # the item is the whole request
        whole = [topic, *request] if mechanism == "retrieved" else [topic]
        text = " ".join(whole), " ".join([topic, *asks]), mechanism
        add_text(rows, text, told, seen, places, PHRASE)
