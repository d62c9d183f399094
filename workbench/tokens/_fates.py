"""What `delete_memory` returns: a reply before and after, the fate of every word, and how they are
shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from workbench.html import content_id, escape, table

# each fate: the mark before and behind a word, and what it says
FATES = {
    "went": ("<del>", "</del>", "struck out: went with the memory"),
    "came back": ("<b>", "</b>", "bold: came back from other memories"),
    "stayed": ("", "", "plain: stayed for other reasons"),
    "changed": ("<i>", "</i>", "italic: changed, no reason found but the dice"),
}


def marked(text: str, words: pd.DataFrame, marks: Mapping[str, Sequence[str]]) -> str:
    """The text, escaped, with what its fate puts before and behind each word."""
    said, at = "", 0
    for row in words.itertuples():
        first, last, *_ = marks.get(row.fate, ("", ""))
        word = escape(text[row.start : row.end])
        said += f"{escape(text[at : row.start])}{first}{word}{last}"
        at = row.end
    return said + escape(text[at:])


@dataclass(frozen=True, repr=False)
class Deletion:
    """One memory item taken away: the reply before (`old`) and after (`new`, same seed), and the
    fate of every word.

    `words`: [word, start, end, fate, effect, alone, others, missing_with, missing_without, p]; the
    scores in nats, `missing_*` the share of the other seeds' replies, with and without the item,
    that lack the word; `p` is 1 for words that still stand.
    """

    text: Any
    memory: int
    memories: tuple[str, ...]
    old: str
    new: str
    seeds: tuple[int, ...]
    words: pd.DataFrame

    @property
    def counts(self):
        """Words by fate."""
        found = self.words["fate"].value_counts()
        return {fate: int(found.get(fate, 0)) for fate in FATES}

    def to_frame(self):
        """One row per word of the old reply."""
        return self.words

    def __repr__(self):
        said = ", ".join(f"{count} {fate}" for fate, count in self.counts.items())
        return (
            f"Deletion(memory {self.memory} of {len(self.memories)}: {said}; "
            f"{len(self.seeds) - 1} seeds in the null)"
        )

    def _repr_html_(self):
        """The old reply with a mark at each word, the new one, and a table of the words that did
        not just stay."""
        told = f"Without memory {self.memory}: “{self.memories[self.memory]}”"
        legend = "; ".join(f"{says} ({self.counts[fate]})" for fate, (_, _, says) in FATES.items())
        null = f"{len(self.seeds) - 1} other seeds with the memory still there are the null"
        moved = self.words[self.words["fate"] != "stayed"].drop(columns=["start", "end"])
        old = marked(self.old, self.words, FATES)
        name = content_id("deletion", self.old, self.new, self.memory)
        return (
            f'<div id="{name}"><p><b>{escape(told)}</b></p><p dir="auto">{old}</p>'
            f"<p><small>{escape(legend)}; {null}</small></p><p>The same seed without it:</p>"
            f'<blockquote dir="auto">{escape(self.new)}</blockquote>'
            f"<details><summary>the words that did not stay</summary>"
            f"{table(moved.to_dict('records'), digits=2)}</details></div>"
        )
