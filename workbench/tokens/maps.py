"""The word × memory map: which memory item makes which word of a text likelier, with the sum held
against PIR."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from workbench.errors import ConfigError, DataError
from workbench.html import content_id, escape, sourced, table
from workbench.tokens.aggregate import words
from workbench.tokens.coalitions import single
from workbench.tokens.contrast import score_tokens
from workbench.tokens.corpora import check_world
from workbench.tokens.encoding import check_columns
from workbench.tokens.prompts import make_pairs
from workbench.tokens.rendering import Template

LEAST = 0.1  # nats: below it a cell of the table is left empty


@dataclass(frozen=True, repr=False)
class MemoryMap:
    """Words of one text × its memory items.

    `values` is the token level [text, position, memory, value, whole, ...] that an attribution
    method returned, with [token, start, end]; `words` has a row per word, [word, start, end, pir,
    whole, memory 0, memory 1, ..., sum, gap]: token values added up, their `sum` over memory items,
    what they should add up to (`whole`; PIR for most methods) and the `gap` between the two.
    """

    text: Any
    response: str
    memories: tuple[str, ...]
    method: str
    values: pd.DataFrame
    words: pd.DataFrame

    @property
    def gap(self) -> float:
        """The sum check: the largest |whole − Σ over memory items| of any word, in the unit of the
        values."""
        return float(self.words["gap"].abs().max())

    @property
    def totals(self) -> pd.DataFrame:
        """What each memory item does to the whole text: [memory, item, value, word], `word` being
        its strongest."""
        best = self.words["word"].iloc[self._values.to_numpy().argmax(axis=0)]
        totals = {"item": self.memories, "value": self._values.sum().to_numpy(), "word": [*best]}
        return pd.DataFrame({"memory": range(len(self.memories)), **totals})

    @property
    def _values(self):
        """Words × memory items."""
        return self.words[[f"memory {number}" for number in range(len(self.memories))]]

    def to_frame(self) -> pd.DataFrame:
        """The words, each with the memory item (`most`) that raises it most."""
        return self.words.assign(most=self._values.to_numpy().argmax(axis=1))

    def __repr__(self):
        size = f"{len(self.words)} words × {len(self.memories)} memory items"
        return f"MemoryMap({size}, {self.method}, largest gap {_small(self.gap)})"

    def _repr_html_(self):
        """A plain table: words in their order, the strongest cell of a word bold, cells near 0
        left empty."""
        items = [f"<li value={k}>{escape(item)}</li>" for k, item in enumerate(self.memories)]
        heads = ["word", "PIR", *range(len(self.memories)), "sum"]
        head = "".join(f'<th scope="col">{name}</th>' for name in heads)
        rows = ""
        best = self.to_frame()["most"]
        for row, most, each in zip(
            self.words.itertuples(), best, self._values.to_numpy(), strict=True
        ):
            rows += f'<tr><th scope="row" dir="auto">{escape(row.word)}</th>'
            rows += f"<td>{_signed(row.pir)}</td>"
            rows += "".join(_cell(value, k == most) for k, value in enumerate(each))
            rows += f"<td>{_signed(row.sum)}</td></tr>"
        name = content_id("map", self.response, self.method, self.words["sum"].round(9).tolist())
        check = "largest gap between a word's sum and what it should be"
        check = escape(f"{self.method}; {check}: {_small(self.gap)}")
        grid = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        foot = table(self.totals.to_dict("records"), caption="the whole text", digits=2)
        listed = f'<div id="{name}"><ol>{"".join(items)}</ol>'
        return f"{listed}{grid}<p><small>{check}</small></p>{foot}</div>"


def _cell(value, strongest):
    if abs(value) < LEAST:
        return "<td></td>"
    colour = "230,97,1" if value > 0 else "33,113,199"
    text = f"<b>{_signed(value)}</b>" if strongest else _signed(value)
    return f'<td style="background:rgba({colour},{min(0.6, abs(value) / 5):.2f})">{text}</td>'


def _signed(value):
    return f"{round(value, 2) + 0.0:+.2f}"  # no −0.00


def _small(gap):
    """A gap to one digit; what is rounding alone differs between machines, so it is not printed."""
    return f"{gap:.1g}" if gap >= 1e-9 else "below 1e-9"


@sourced
def memory_map(
    model: Any,
    tokenizer: Any,
    example: pd.DataFrame,
    method: str | Callable[..., pd.DataFrame] = "shapley",
    template: Template = None,
    **options: Any,
) -> MemoryMap:
    """The map of one text, a table of one row [text, user, item, query, response, memories].

    `method` is "shapley", "leave_one_out", "integrated_gradients", "contextcite", or your own
    function of (model, tokenizer, examples, template, **options) that returns [text, position,
    memory, value, whole]. Raises `DataError` for several texts and for tokens left out,
    `ConfigError` for an unknown method.
    """
    from workbench.tokens import attribution

    single(example)
    known = isinstance(method, str) and method in attribution.METHODS
    if not known and not callable(method):
        expected = f"one of {sorted(attribution.METHODS)}, or a function"
        raise ConfigError(f"method {method!r}", expected=expected)
    attribute = getattr(attribution, attribution.METHODS[method]) if known else method
    name = method if known else getattr(method, "__name__", type(method).__name__)
    takes = inspect.signature(attribute).parameters.values()
    named = {one.name for one in takes}
    if not any(one.kind is one.VAR_KEYWORD for one in takes) and (wrong := {*options} - named):
        raise ConfigError(f"no option {min(wrong)!r}", name, f"some of {sorted(named)}")
    pairs = make_pairs(example, tokenizer, template=template)
    scored = score_tokens(model, tokenizer, pairs)
    values = attribute(model, tokenizer, example, template=template, **options)
    check_columns(values, ("text", "position", "memory", "value", "whole"), name)
    # a row a token, a column a memory item, and what these should add up to
    cells = values.pivot(index="position", columns="memory", values="value").add_prefix("memory ")
    items = [*cells]
    cells.insert(0, "whole", values.groupby("position")["whole"].first())
    cells = cells.reindex(scored["position"])
    if cells.isna().any(axis=None):
        expected = "every token × every memory item"
        raise DataError("some tokens have no value", where=name, expected=expected)
    told = scored.join(cells, on="position")
    added = words(told, pairs, also=[*cells])
    added = added[["word", "start", "end", "n_tokens", "pir", *cells]]
    added["sum"] = added[items].sum(axis=1)
    added["gap"] = added["whole"] - added["sum"]
    return MemoryMap(
        text=example["text"].iloc[0],
        response=str(example["response"].iloc[0]),
        memories=tuple(map(str, example["memories"].iloc[0])),
        method=name,
        values=values.merge(scored[["position", "token", "start", "end"]], on="position"),
        words=added,
    )


def planted_memory(
    scored: pd.DataFrame, corpus: Any, examples: pd.DataFrame, of: str = "words"
) -> pd.DataFrame:
    """The planted source of the tokens of a generated text: [text, position, memory], and of words
    [kind, direct].

    `memory` is the number, in the example's list, of the memory item that brought the word in (or
    the sentence, with `of="sentences"`); a row per token whose last character stands in a word with
    a source that the prompt shows.
    """
    check_world(corpus)
    check_columns(scored, ("text", "position", "end"), "scored")
    check_columns(examples, ("text", "memories"), "examples")
    if of not in ("words", "sentences"):
        raise ConfigError(f"of {of!r}", expected="words or sentences")
    tables = corpus.truth
    spans = tables[of].query("memory >= 0").rename(columns={"memory": "planted"})
    found = scored[["text", "position", "end"]].merge(spans, on="text", suffixes=("", "_word"))
    found = found[(found["start"] < found["end"]) & (found["end"] <= found["end_word"])]
    found["memories"] = found["planted"].map(tables["memories"].set_index("memory")["statement"])
    # the number of each item in its example's list
    told = examples[["text", "memories"]].explode("memories")
    told["memory"] = told.groupby("text").cumcount()
    out = found.merge(told.drop_duplicates(["text", "memories"]), on=["text", "memories"])
    return out[["text", "position", *out.columns.intersection(["kind", "direct"]), "memory"]]


def credit(values: pd.DataFrame, planted: pd.DataFrame) -> dict[str, float]:
    """How well an attribution finds planted sources: {words, right, gap}.

    `right`: share of the `planted` tokens (see `planted_memory`) whose highest value is that of the
    planted memory item; `words`: how many of them have values. `gap`: mean over all tokens of
    |whole − Σ over memory items|.
    """
    keys = ["text", "position"]
    check_columns(values, (*keys, "memory", "value", "whole"), "values")
    check_columns(planted, (*keys, "memory"), "planted")
    best = values.loc[values.groupby(keys)["value"].idxmax()]
    both = planted.merge(best, on=keys, suffixes=("", "_found"))
    each = values.groupby(keys).agg({"value": "sum", "whole": "first"})
    right = float((both["memory"] == both["memory_found"]).mean())
    gap = float((each["whole"] - each["value"]).abs().mean())
    return {"words": len(both), "right": right, "gap": gap}
