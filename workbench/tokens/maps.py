"""The word × memory map: which memory item makes which word of a text likelier, with the sum held
against PIR."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.errors import ConfigError, DataError
from workbench.html import content_id, escape, table
from workbench.tokens.aggregate import words
from workbench.tokens.contrast import score_tokens
from workbench.tokens.prompts import make_pairs


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
        columns = [f"memory {number}" for number in range(len(self.memories))]
        best = [self.words["word"].iloc[int(self.words[name].argmax())] for name in columns]
        value = self.words[columns].sum().to_numpy()
        return pd.DataFrame(
            {"memory": range(len(columns)), "item": self.memories, "value": value, "word": best}
        )

    def to_frame(self) -> pd.DataFrame:
        """The words, each with the memory item (`most`) that raises it most."""
        columns = [f"memory {number}" for number in range(len(self.memories))]
        return self.words.assign(most=self.words[columns].to_numpy().argmax(axis=1))

    def __repr__(self) -> str:
        size = f"{len(self.words)} words × {len(self.memories)} memory items"
        return f"MemoryMap({size}, {self.method}, largest gap {_small(self.gap)})"

    def _repr_html_(self, limit: int = 400, least: float = 0.1) -> str:
        """A plain table: words in their order, the strongest cell of a word bold, cells below
        `least` left empty."""
        numbers = range(len(self.memories))
        items = "".join(
            f"<li value={number}>{escape(self.memories[number])}</li>" for number in numbers
        )
        heads = ["word", "PIR", *map(str, numbers), "sum"]
        head = "".join(f'<th scope="col">{name}</th>' for name in heads)
        rows = []
        for row in self.to_frame().head(limit).to_dict("records"):
            cells = [
                self._cell(row[f"memory {number}"], number == row["most"], least)
                for number in numbers
            ]
            ends = f"<td>{_signed(row['pir'])}</td>", f"<td>{_signed(row['sum'])}</td>"
            word = f'<th scope="row" dir="auto">{escape(row["word"])}</th>'
            rows.append(f"<tr>{word}{ends[0]}{''.join(cells)}{ends[1]}</tr>")
        left = len(self.words) - len(rows)
        name = content_id("map", self.response, self.method, self.words["sum"].round(9).tolist())
        check = (
            f"{self.method}; largest gap between a word's sum and what it should be: "
            f"{_small(self.gap)}"
        )
        check += f"; {left:,} more words not drawn" if left > 0 else ""
        grid = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        foot = table(self.totals.to_dict("records"), caption="the whole text", digits=2)
        return f'<div id="{name}"><ol>{items}</ol>{grid}<p><small>{escape(check)}</small></p>{foot}</div>'

    @staticmethod
    def _cell(value: float, strongest: bool, least: float) -> str:
        if abs(value) < least:
            return "<td></td>"
        colour = "230,97,1" if value > 0 else "33,113,199"
        text = f"<b>{_signed(value)}</b>" if strongest else _signed(value)
        return f'<td style="background:rgba({colour},{min(0.6, abs(value) / 5):.2f})">{text}</td>'


def _signed(value: float) -> str:
    return f"{round(value, 2) + 0.0:+.2f}"  # no −0.00


def _small(gap: float) -> str:
    """A gap to one digit; what is rounding alone differs between machines, so it is not printed."""
    return f"{gap:.1g}" if gap >= 1e-9 else "below 1e-9"


def memory_map(
    model: Any,
    tokenizer: Any,
    example: pd.DataFrame,
    method: str | Callable[..., pd.DataFrame] = "shapley",
    template: str | Path | None = None,
    **options: Any,
) -> MemoryMap:
    """The map of one text, a table of one row [text, user, item, query, response, memories].

    `method` is "shapley", "leave_one_out", "integrated_gradients", "contextcite", or your own
    function of (model, tokenizer, examples, template, **options) that returns [text, position,
    memory, value, whole]. Raises `DataError` for several texts and for tokens left out,
    `ConfigError` for an unknown method.
    """
    from workbench.tokens import attribution

    if len(example) != 1:
        raise DataError(
            f"{len(example)} texts",
            where="example",
            expected="one row",
            do="pass examples.iloc[[0]]",
        )
    if isinstance(method, str) and method not in attribution.METHODS:
        raise ConfigError(
            f"method {method!r}", expected=f"one of {sorted(attribution.METHODS)}, or a function"
        )
    attribute = (
        getattr(attribution, attribution.METHODS[method]) if isinstance(method, str) else method
    )
    pairs = make_pairs(example, tokenizer, template=template)
    scored = score_tokens(model, tokenizer, pairs)
    values = attribute(model, tokenizer, example, template=template, **options)
    wide = values.pivot(index="position", columns="memory", values="value").reindex(
        scored["position"]
    )
    whole = values.groupby("position")["whole"].first().reindex(scored["position"])
    if wide.isna().any(axis=None):
        raise DataError(
            "some tokens have no value",
            where=str(method),
            expected="every token × every memory item",
        )
    added = words(scored, pairs)[["word", "start", "end", "n_tokens", "pir"]]
    for name, column in {
        "whole": whole,
        **{f"memory {number}": wide[number] for number in wide},
    }.items():
        added[name] = words(scored.assign(pir=column.to_numpy()), pairs)["pir"]
    added["sum"] = added[[f"memory {number}" for number in wide]].sum(axis=1)
    added["gap"] = added["whole"] - added["sum"]
    return MemoryMap(
        text=example["text"].iloc[0],
        response=str(example["response"].iloc[0]),
        memories=tuple(map(str, example["memories"].iloc[0])),
        method=method if isinstance(method, str) else method.__name__,
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
    says = corpus.truth["memories"].set_index("memory")["statement"]
    spans = corpus.truth[of].query("memory >= 0")
    spans = spans.assign(item=spans["memory"].map(says)).drop(columns="memory")
    found = scored[["text", "position", "end"]].merge(spans, on="text", suffixes=("", "_word"))
    found = found[(found["start"] < found["end"]) & (found["end"] <= found["end_word"])]
    told = examples[["text", "memories"]].assign(
        memory=[list(range(len(m))) for m in examples["memories"]]
    )
    told = told.explode(["memories", "memory"]).rename(columns={"memories": "item"})
    out = found.merge(told.drop_duplicates(["text", "item"]), on=["text", "item"])
    known = [name for name in ("kind", "direct") if name in out]
    return out[["text", "position", *known, "memory"]].astype({"memory": int})


def credit(values: pd.DataFrame, planted: pd.DataFrame) -> dict[str, float]:
    """How well an attribution finds planted sources: {words, right, gap}.

    `right`: share of the `planted` tokens (see `planted_memory`) whose highest value is that of the
    planted memory item; `words`: how many of them have values. `gap`: mean over all tokens of
    |whole − Σ over memory items|.
    """
    best = values.loc[values.groupby(["text", "position"])["value"].idxmax()]
    both = planted.merge(best, on=["text", "position"], suffixes=("", "_found"))
    each = values.groupby(["text", "position"]).agg({"value": "sum", "whole": "first"})
    right = float((both["memory"] == both["memory_found"]).mean())
    return {
        "words": len(both),
        "right": right,
        "gap": float((each["whole"] - each["value"]).abs().mean()),
    }
