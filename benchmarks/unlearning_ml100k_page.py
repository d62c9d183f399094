"""The CSV and the page of `unlearning_ml100k.py`, from the folders of its finished cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from unlearning_ml100k_lines import (
    COSTS,
    EARLY,
    GROUP,
    HELD_OUT,
    equal,
    failures,
    kept,
    key_of,
    lines_of,
    table_of,
)
from unlearning_ml100k_predicted import predictions

from workbench.unlearning import Scenario
from workbench.whole import whole_file

CHECKS = {
    "rows: |AUC − ½|": "told",
    "rows: share outside": "outside",
    "lists: overlap@10, leavers": "overlap",
}
"""Checks that the page shows; all of them are in the CSV."""
FIRST = ("as served before", "never had", "no-op")
"""Rows of the table that stands first."""
HOW = """
**How it was made.** Ratings of 4 and more, 5-core, temporal .8/.1/.1. Trained models: 40 epochs, Adam 5e-3, 2 bases, 6
retrains with other seeds; l2 chosen on everybody's validation rows by two seeds (SGL takes LightGCN's). People with at
least three films of the genre in training and validation, drawn with seed 2, forget all of them one after another.
**The people who forget chose nothing**: settings are the defaults of each algorithm, said to be the study's where they
are, or named in the row (λ, l2 = 0).

**What stands in the tables.** All differences are unlearned less retrained, over people, bases and retrains.
*deleted*, stated first: mean percentile of what a person deleted among what they do not hold. *topic*: the same of the
genre's other films. *exposed*: a film of the genre in the top 10, what is still held masked; *ratio*: RelItems.
*others exposed*: up to 1,000 people who asked for nothing. *row told*: how well one deleted row can be told from one
that was never there, from above or below, mean of |AUC − ½|; *rows outside*: share of rows for which both bases stand
on one side of all retrains. *RelEff*: NDCG@10 as a share of the retrains'. *Decidable*: half of the 90 % interval.
*retrain, held out*: two of the six retrains against the other four; *retrain, batched*: two with seeds of their own.
*placebo*: as many rows of the same people outside the genre. *batched* methods, *half-way* and *SISA* serve a third of
the requests at a time. Requests per retrain: CPU seconds of one retrain / of one request. The machine had other work:
CPU seconds are fair as ratios, seconds on the wall are not.

**Not checked**: other data, other lists of the genre, another draw of people, methods with other settings than these.
""".strip()


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


class Last:
    """Lines of one group at its last checkpoint, by method and measure."""

    def __init__(self, lines: pd.DataFrame) -> None:
        end = lines["checkpoint"].max()
        self.lines = lines[lines["checkpoint"] == end].set_index(["method", "measure"])

    def __call__(self, method: str, measure: str, column: str, how: str = "+.3f") -> str:
        """A number as it is printed, nothing where there is none."""
        if (method, measure) not in self.lines.index:
            return ""
        value = self.lines.at[(method, measure), column]
        return "" if pd.isna(value) else str(value) if how == "s" else format(value, how)

    def within(self, method: str, measure: str, how: str = "+.3f", level: str = "") -> str:
        """An interval."""
        bounds = [self(method, measure, f"{side}{level}", how) for side in ("low", "high")]
        return f"[{bounds[0]}, {bounds[1]}]" if all(bounds) else ""


def forgetting(last: Last, methods: Sequence[str]) -> str:
    """The primary endpoint."""
    header = ["method", "deleted, minus retrain [95 %]", "90 %", "verdict", "decidable", "topic"]
    rows = []
    for name in methods:
        row = [name, f"{last(name, 'deleted', 'estimate')} {last.within(name, 'deleted')}"]
        row += [last.within(name, "deleted", level="90"), last(name, "deleted", "verdict", "s")]
        row += [last(name, "deleted", "decidable", ".3f")]
        rows.append([*row, f"{last(name, 'topic', 'estimate')} {last.within(name, 'topic')}"])
    return markdown(header, rows)


def seen(last: Last, methods: Sequence[str]) -> str:
    """What people see, and how a deleter is told."""
    header = ["method", "exposed, minus retrain [95 %]", "ratio", "others exposed"]
    header += ["row told: mean of abs(AUC − ½)", "rows outside", "overlap@10 with retrain"]
    rows = []
    for name in methods:
        row = [name, f"{last(name, 'exposed', 'estimate')} {last.within(name, 'exposed')}"]
        row += [last(name, "RelItems", "estimate", ".2f")]
        row += [last(name, "others exposed", "estimate")]
        rows.append([*row, *(last(name, check, "estimate", ".2f") for check in CHECKS)])
    return markdown(header, rows)


def price(last: Last, methods: Sequence[str]) -> str:
    """Utility and cost."""
    header = ["method", "RelEff [95 %]", "NDCG@10, minus retrain", "minus its base"]
    header += ["CPU s a request (by the clock)", "peak MB", "requests per retrain"]
    header += ["done / no-op / failed"]
    rows = []
    for name in methods:
        row = [
            name,
            f"{last(name, 'RelEff', 'estimate', '.3f')} {last.within(name, 'RelEff', '.3f')}",
        ]
        row += [last(name, "ndcg@10", "estimate", "+.4f")]
        row += [last(name, "ndcg@10, paired with base", "estimate", "+.4f")]
        took = [
            last(name, f"{kind} a request", "unlearned", ".3f")
            for kind in ("CPU seconds", "seconds")
        ]
        row += [f"{took[0]} ({took[1]})" if all(took) else ""]
        row += [last(name, "peak MB", "unlearned", ".0f")]
        served = name not in ("no-op", "tombstone")
        row += [last(name, "requests per retrain", "unlearned", ",.0f") if served else ""]
        counts = [last(name, f"served, {said}", "unlearned", ".0f") for said in COSTS[3:]]
        rows.append([*row, " / ".join(counts) if all(counts) else ""])
    return markdown(header, rows)


def along(lines: pd.DataFrame, methods: Sequence[str]) -> str:
    """*deleted* after each third of the requests: of all who had asked, and of the first third."""
    marks = sorted(lines.loc[lines["measure"] == "deleted", "checkpoint"].unique())
    if len(marks) < 2:
        return ""
    wide = lines.pivot_table(
        index="method", columns=["measure", "checkpoint"], values="estimate", sort=False
    )
    rows = []
    for name in methods:
        cells = [wide.at[name, (kind, mark)] for kind in ("deleted", EARLY) for mark in marks]
        share = [wide.at[name, (EARLY, mark)] / wide.at["no-op", (EARLY, mark)] for mark in marks]
        rows.append([name, *(f"{one:+.3f}" for one in cells), f"{share[0]:.2f}, {share[-1]:.2f}"])
    header = ["method", *(f"after {mark}" for mark in marks)]
    header += [f"the first {marks[0]}, after {mark}" for mark in marks]
    return markdown([*header, "of no-op's, first and last"], rows)


def shown_first(lines: pd.DataFrame) -> str:
    """What people are shown of the topic, before anything is said of a method."""
    first = lines[lines["measure"] == "exposed"]
    rows = []
    for done, part in first.groupby("checkpoint"):
        part = part.set_index("method")
        told = [f"{part.at[name, 'unlearned']:.2f}" if name in part.index else "" for name in FIRST]
        again = lines[(lines["measure"] == "again") & (lines["checkpoint"] == done)]["retrained"]
        retrained = part.at["no-op", "retrained"], again.iloc[0]
        rows.append([str(done), *told, *(f"{value:.2f}" for value in retrained)])
    header = ["people who asked", *FIRST, "retrain", "retrain: a film that they deleted"]
    return markdown(header, rows)


def section(key: tuple[str, str, str], lines: pd.DataFrame, said: Sequence[str], n: int) -> str:
    """One model, scenario and l2."""
    model, scenario, l2 = key
    last = Last(lines)
    verdicts = last.lines.xs("deleted", level="measure")
    one = verdicts.iloc[0]
    methods = verdicts["estimate"].sort_values(ascending=False).index.tolist()
    title = f"## {model}, {scenario}" + (f", l2 = {l2}" if l2 != "default" else "")
    told = f"After {one['checkpoint']:.0f} requests of {n} rows, {one['n']:.0f} people; margin {one['margin']:.3f}."
    if pd.notna(one["null_low"]):
        told += (
            f" Retrain against retrain: deleted [{one['null_low']:+.3f}, {one['null_high']:+.3f}]"
        )
        bands = [null_of(last, check) for check in CHECKS]
        told += f" (the middle 95 %), {', '.join(bands)}." if all(bands) else "."
    parts = [title, told]
    if "placebo" not in scenario:
        parts += ["Share of people with a film of the genre in their ten:", shown_first(lines)]
    parts += [
        forgetting(last, methods),
        seen(last, methods),
        price(last, methods),
        along(lines, methods),
    ]
    parts.append(" ".join(said))
    return "\n\n".join(part for part in parts if part)


def null_of(last: Last, check: str) -> str:
    """What held-out retrains get in a check."""
    bounds = [last(HELD_OUT, check, side, ".2f") for side in ("null_low", "null_high")]
    return f"{CHECKS[check]} [{bounds[0]}, {bounds[1]}]" if all(bounds) else ""


def lines_in(path: Path) -> pd.DataFrame:
    """The CSV as it was written."""
    return pd.read_csv(path, dtype={"l2": str})


def write(
    cells: Sequence[Any],
    place: Callable[[Any], Path],
    scenario_of: Callable[[Any], Scenario],
    results: Path,
) -> None:
    """CSV and page of all groups that have retrains and *no-op*."""
    table, tables, sections = table_of(cells, place), [], []
    for key, part in table.groupby(GROUP, sort=False):
        if not {"refit", "no-op"} <= set(part["method"]):
            continue
        own = [one for one in cells if key_of(one) == key]
        asked, scores = scenario_of(own[0]), kept(own, place)
        lines = lines_of(part, asked, scores)
        for at, (name, value) in enumerate(zip(GROUP, key, strict=True)):
            lines.insert(at, name, value)
        tables.append(lines)
        said = equal(scores) + failures(own, place)
        rows = len(asked.forgotten(len(asked.requests)))
        sections.append(section(key, lines, said, rows))
    if not tables:
        return
    path = results / "unlearning_ml100k.csv"
    with whole_file(path) as new:
        table = pd.concat(tables, ignore_index=True)
        table.to_csv(new, index=False, lineterminator="\n", float_format="%.5g")
    head = ["# Unlearning on ml-100k", "Made by `python benchmarks/unlearning_ml100k.py`."]
    text = "\n\n".join([*head, HOW, *sections, predictions(lines_in(path))]) + "\n"
    with whole_file(results / "unlearning_ml100k.md") as new:
        new.write_text(text, encoding="utf-8")
