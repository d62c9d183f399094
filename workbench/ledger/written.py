"""Texts that a shop writes from memory items: the items as a place that remembers, and which words
of a text go when some are struck.

    PIR(w)    = log p(w | all items) − log p(w | none)       before, nats
    left(w)   = log p(w | items that stay) − log p(w | none)  after, of the same words
    effect(w) = PIR(w) − left(w)

The text y is written anew with the same dice (see `workbench.tokens.decoding`) and without the items.

| fate | the word stands in the new text | effect |
|---|---|---|
| went | no | at least `threshold` |
| came back | yes | at least `threshold` |
| changed | no | less |
| stayed | yes | less |

PIR as in PerContrast (arXiv 2603.06595, Eq. 2); fates as in `workbench.tokens.deletion`, without its
null of other dice: one text, one throw.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from workbench.data import Catalogue, Interactions
from workbench.data.histories import ids_among, unique_ids
from workbench.errors import DataError, typed
from workbench.html import content_id, escape
from workbench.reports.stores import COLUMNS

FATES = ("went", "came back", "changed", "stayed")
MARKS = {"went": ("<del>", "</del>"), "came back": ("<b>", "</b>"), "changed": ("<i>", "</i>")}
THRESHOLD = 0.8
"""Nats from which a word is said to rest on the items that went."""


@dataclass(frozen=True)
class Memories:
    """Memory items as a store. An item that is filed under a topic rests on the shopper's rows of
    the topic, and goes with the last of them; what people told of themselves rests on none.

    items: [user, statement, topic], topic "" where told; rows: [user, statement, interaction].
    `using(Memories, items=...)` hands the items in.

    >>> Service.build(log, catalogue, EASE(), stores=[using(Memories, items=items)])  # doctest: +SKIP
    """

    name: ClassVar[str] = "memories"
    label: ClassVar[str] = "the memory items that texts are written from"
    help: ClassVar[str] = "Strike the memory items that rest on the rows, and write texts anew."
    causes: ClassVar[tuple[str, str]] = (
        "memory items that rested on the rows were struck",
        "a memory item still says so",
    )

    items: pd.DataFrame = field(repr=False)
    rows: pd.DataFrame = field(repr=False)

    @classmethod
    def build(
        cls, log: Interactions, catalogue: Catalogue, items: pd.DataFrame | None = None
    ) -> Memories:
        """File items [user, statement, topic] under the rows that bear them; those of a topic that
        the shopper has no row of are left out. Raises `UnknownItem` for a topic that is none."""
        items = pd.DataFrame(columns=["user", "statement", "topic"]) if items is None else items
        lost = {"user", "statement", "topic"} - {*items}
        if lost:
            raise DataError(f"no column {min(lost)!r}", "items", "user, statement, topic")
        filed = items[items["topic"] != ""]
        deeds, parts = log.deeds.frame, []
        for topic, some in filed.groupby("topic"):
            on = np.isin(deeds["item"], catalogue.items_of(topic))
            own = deeds.loc[on, ["user", "interaction"]]
            parts.append(some.merge(own, on="user"))
        rows = pd.concat(parts) if parts else filed.assign(interaction=0)
        rows = rows[["user", "statement", "interaction"]].sort_values(["user", "interaction"])
        made = cls(items.reset_index(drop=True), rows.reset_index(drop=True))
        return replace(made, items=made._borne())

    def _borne(self) -> pd.DataFrame:
        """The items that were told, or still have a row."""
        kept = pd.MultiIndex.from_frame(self.rows[["user", "statement"]])
        own = pd.MultiIndex.from_frame(self.items[["user", "statement"]])
        stays = (self.items["topic"] == "").to_numpy() | own.isin(kept)
        return self.items[stays].reset_index(drop=True)

    def __repr__(self) -> str:
        return f"Memories({self.items['user'].nunique():,} shoppers, {len(self.items):,} items)"

    def told(self, user: int) -> tuple[str, ...]:
        """The items of a shopper, in their order."""
        return tuple(self.items.loc[self.items["user"] == user, "statement"])

    def forget(self, interactions: Iterable[int], users: Iterable[int] | None = None) -> Memories:
        """Strike items that no row bears any more; equals a store built from the rest."""
        gone = self.rows["interaction"].isin(unique_ids(interactions))
        left = replace(self, rows=self.rows[~gone].reset_index(drop=True))
        return replace(left, items=left._borne()) if gone.any() else self

    def knows(self, user: int, interactions: Iterable[int]) -> np.ndarray:
        """Which of the interactions an item of the shopper rests on, sorted."""
        return ids_among(interactions, self.lineage(user)["interaction"])

    def lineage(self, user: int) -> pd.DataFrame:
        """The rows under each item, kind "memory"."""
        own = self.rows[self.rows["user"] == user].rename(columns={"statement": "entity"})
        return own.assign(kind="memory", weight=1.0)[COLUMNS].reset_index(drop=True)


@dataclass(frozen=True, repr=False)
class Written:
    """A text before and after some memory items went.

    memories: those it was written from; gone: the numbers of those that went. old, new: the texts,
    the same dice. words: [word, start, end, pir, left, effect, fate] of the old one. before, after:
    token tables of the old one, with all items and with those that stay, for a `TokenStrip` (`against`).
    """

    query: str
    memories: tuple[str, ...]
    gone: tuple[int, ...]
    old: str
    new: str
    words: pd.DataFrame
    before: pd.DataFrame = field(repr=False)
    after: pd.DataFrame = field(repr=False)

    @property
    def counts(self) -> dict[str, int]:
        """Words by fate."""
        found = self.words["fate"].value_counts()
        return {fate: int(found.get(fate, 0)) for fate in FATES}

    def to_frame(self) -> pd.DataFrame:
        """One row a word of the old text."""
        return self.words

    def __repr__(self) -> str:
        said = ", ".join(f"{count} {fate}" for fate, count in self.counts.items())
        return f"Written({len(self.gone)} of {len(self.memories)} memory items went: {said})"

    def _repr_html_(self) -> str:
        """The old text with a mark at each word, and the new one."""
        from workbench.tokens._fates import marked

        old = marked(self.old, self.words, MARKS)
        went = "; ".join(escape(self.memories[number]) for number in self.gone) or "nothing"
        legend = "struck out: went; bold: came back; italic: changed; plain: stayed"
        name = content_id("written", self.old, self.new, *map(str, self.gone))
        return (
            f'<div id="{name}"><p><b>Struck: {went}</b></p><p dir="auto">{old}</p>'
            f"<p><small>{legend}</small></p><p>Written anew:</p>"
            f'<blockquote dir="auto">{escape(self.new)}</blockquote></div>'
        )


@typed
def written(
    model: Any,
    memories: Iterable[str],
    left: Iterable[str],
    query: str,
    seed: int = 0,
    threshold: float = THRESHOLD,
    **options: Any,
) -> Written:
    """A text from memory items and again from those that are left, with the fate of every word.

    model: a name or folder as `load_causal_lm` takes it, or a loaded pair (model, tokenizer). options:
    of `workbench.tokens.write` (max_new_tokens, temperature). Raises `DataError` for items left
    that were not there, and where the model writes nothing.

    >>> written("pocket", before.told(72), after.told(72), "Review the tea.")  # doctest: +SKIP
    """
    # the science of words, and torch with it, are loaded when a text is asked for
    from workbench.language import load_causal_lm
    from workbench.tokens import make_pairs, score_tokens, words, write

    model, tokenizer = model if isinstance(model, tuple) else load_causal_lm(model)
    memories, left = tuple(memories), tuple(left)
    unknown = [item for item in left if item not in memories]
    if unknown:
        raise DataError(f"{unknown[0]!r} was not among the items", "left", "some of `memories`")
    gone = tuple(n for n, item in enumerate(memories) if item not in left)
    rows = {"text": [0, 1], "user": 0, "item": 0, "query": query, "response": "-"}
    examples = pd.DataFrame(rows | {"memories": [[*memories], [*left]]})
    # the same dice for both
    prompts = make_pairs(examples, tokenizer)["prompt_with"].tolist()
    options = {"max_new_tokens": 48, "temperature": 0.4} | options | {"seeds": [seed, seed]}
    old, new = write(model, tokenizer, prompts, **options)
    if not old.strip():
        raise DataError("the model writes nothing", f"query {query!r}", do="try other seeds")
    # what each item set says of the old text, token by token, then word by word
    pairs = make_pairs(examples.assign(response=old), tokenizer)
    scored = score_tokens(model, tokenizer, pairs)
    before, after = (scored[scored["text"] == n].reset_index(drop=True) for n in (0, 1))
    table = before.assign(left=after["pir"])
    found = words(table, pairs.iloc[[0]], also=["left"])
    found = found[["word", "start", "end", "pir", "left"]].reset_index(drop=True)
    found["effect"] = found["pir"] - found["left"]
    stands = _stands(found["word"], new)
    rested = (found["effect"] >= threshold).to_numpy()
    fate = np.select([rested & ~stands, rested & stands, ~stands], FATES[:3], FATES[3])
    return Written(query, memories, gone, old, new, found.assign(fate=fate), before, after)


def _stands(said: Iterable[str], text: str) -> np.ndarray:
    """Whether each word stands in a text, the second time it is said where the text says it twice;
    without case and outer punctuation."""
    left: dict[str, int] = {}
    for word in map(_plain, text.split()):
        left[word] = left.get(word, 0) + 1
    stands = []
    for word in map(_plain, said):
        stands.append(left.get(word, 0) > 0)
        left[word] = left.get(word, 0) - 1
    return np.array(stands, dtype=bool)


def _plain(word: str) -> str:
    return word.casefold().strip(".,;:!?“”\"'()") or word


@typed
def filed(memories: pd.DataFrame, topics: Mapping[str, str]) -> pd.DataFrame:
    """Memory items [user, attribute, statement] as `Memories` takes them: topics, attribute → the
    topic that it is filed under; what has none was told by the people themselves."""
    topic = memories["attribute"].map(topics).fillna("")
    return memories[["user", "statement"]].assign(topic=topic)
