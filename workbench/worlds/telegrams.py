"""What the two small worlds share: texts like telegrams, one token a word, each word planted by
itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


class Telegrams:
    """A world of one seed whose texts are words in a row: its vocabulary, a tokenizer and a model
    of it."""

    vocabulary: list[str]

    def tokenizer(self) -> Any:
        """One token a word, with a chat template: `<s> <persona> memories <query> query
        <response>`."""
        from workbench.tokens.small_models import word_tokenizer

        return word_tokenizer(self.vocabulary)

    def base_model(self, seed: int) -> Any:
        """An untrained GPT-NeoX with random weights from `seed`; that of `PersonaWorld` has 121,024
        parameters."""
        from workbench.tokens.small_models import base_model

        return base_model(len(self.vocabulary), seed)


def add_text(
    rows: dict[str, list[tuple]],
    text: Sequence[Any],
    memories: Sequence[tuple[str, str]],
    shown: Iterable[bool],
    places: Iterable[tuple[str, str, int]],
    phrase: int,
) -> None:
    """Write one text, by a user of its own, into the rows of `Texts`.

    text: item, query, and what else the table of texts has. memories: (slot, value) of every memory
    item, shown: whether the prompt shows it. places: word, kind, and number of the memory item that
    brought it about (−1: none); a place without a word is a gap. A "sentence" is a phrase of so
    many words, with the memory item of the first personal word in it.
    """
    code, first = len(rows["texts"]), len(rows["memories"])
    for number, (item, seen) in enumerate(zip(memories, shown, strict=True), first):
        rows["memories"].append((number, code, " ".join(item)))
        rows["text_memories"].append((code, number, seen))
    # the words, from left to right; a memory item's first word is direct
    start, met, said = 0, set(), []
    for word, kind, number in places:
        memory = first + number if number >= 0 else -1
        end = start + len(word)
        if kind != "g":
            direct = memory < 0 or memory not in met
            rows["words"].append((code, start, end, word, kind, memory, direct))
            met.add(memory)
        if word:
            said.append((word, start, end, memory if kind in "cds" else -1))
            start = end + 1
    for begin in range(0, len(said), phrase):
        part = said[begin : begin + phrase]
        source = next((memory for *_, memory in part if memory >= 0), -1)
        rows["sentences"].append((code, part[0][1], part[-1][2], "phrase", source))
    item, query, *more = text
    response = " ".join(word for word, *_ in said)
    rows["texts"].append((code, code, item, -1, "text", query, response, *more))
