"""What was written down before `unlearning_ml100k.py` was run, beside what came.

`ASKED` says for every line of `data/predictions.toml` that this benchmark answers which number of
its CSV answers it. The lines stay as they were written.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from workbench.settings import ROOT

HELD_OUT = "retrain, held out"
SCIF, SOLVED = "SCIF, corrected", "re-solve the user"
FLIP, HALF, WARM = "sign flip (SCIF)", "half-way (planted)", "warm start, batched"
APPROXIMATE = r"corrected$|^warm|^re-solve"
"""What methods are called that neither fit anew nor are controls."""


def predicted() -> dict[str, Any]:
    """The part about unlearning."""
    with (ROOT / "data" / "predictions.toml").open("rb") as file:
        return tomllib.load(file)["unlearning"]


def margin() -> float:
    """Of the primary endpoint on ml-100k; half of what doing nothing gets, where that is less."""
    return float(predicted()["margins"]["ml100k"])


@dataclass(frozen=True)
class Asked:
    """A number of the CSV: of a method and measure, at the last checkpoint unless told."""

    method: str
    measure: str = "deleted"
    column: str = "estimate"
    model: str = "BPR"
    scenario: str = "Horror"
    trap: bool = False
    done: int | None = None

    def __call__(self, table: pd.DataFrame) -> Any:
        """The number, or word; None where it was not run."""
        mask = pd.Series(True, index=table.index)
        for name in ("model", "scenario", "method", "measure"):
            mask &= table[name] == getattr(self, name)
        if self.model == "BPR":
            mask &= (table["l2"] == "0") == self.trap
        found = table[mask]
        done = found["checkpoint"].max() if self.done is None else self.done
        found = found.loc[found["checkpoint"] == done, self.column]
        return found.iloc[0] if len(found) and pd.notna(found.iloc[0]) else None


@dataclass(frozen=True)
class Less:
    """One number less another."""

    one: Asked
    other: Asked

    def __call__(self, table: pd.DataFrame) -> float | None:
        """None where one of them was not run."""
        values = self.one(table), self.other(table)
        return None if None in values else values[0] - values[1]


def share_equivalent(table: pd.DataFrame) -> float | None:
    """Of the approximate methods, where doing nothing is *different*: the share that is equivalent."""
    first = table[(table["measure"] == "deleted") & ~table["scenario"].str.contains("placebo")]
    groups = first.groupby(["model", "scenario", "l2"], sort=False)
    first = first[first["checkpoint"] == groups["checkpoint"].transform("max")]
    first = first[(first["model"] != "BPR") | (first["l2"] != "0")]
    telling = first[(first["method"] == "no-op") & (first["verdict"] == "different")]
    able = first.merge(telling[["model", "scenario"]].drop_duplicates())
    own = able[able["method"].str.contains(APPROXIMATE)]
    return float((own["verdict"] == "equivalent").mean()) if len(own) else None


def _grown(method: str) -> Less:
    return Less(Asked(method), Asked(method, done=40))


def _retrained(measure: str, done: int) -> Asked:
    return Asked("no-op", measure, "retrained", done=done)


def _change(done: int) -> Less:
    before = Asked("as served before", "exposed", "unlearned", done=done)
    return Less(_retrained("exposed", done), before)


ASKED: dict[str, dict[str, Callable[[pd.DataFrame], Any]]] = {
    "ml100k": {
        "retrain_held_out": Asked(HELD_OUT),
        "no_op": Asked("no-op"),
        "sign_flip": Asked(FLIP),
        "half_way": Asked(HALF),
        "scif": Asked(SCIF),
        "resolve_user": Asked(SOLVED),
        "warm_start": Asked(WARM),
        "fine_tune": Asked("fine-tune"),
        "ascent": Asked("bounded ascent"),
        "ease_exact": Asked("exact", model="EASE"),
        "no_op_ndcg_minus_retrain": Asked("no-op", "ndcg@10"),
        "sign_flip_ndcg_minus_retrain": Asked(FLIP, "ndcg@10"),
        "requests_per_retrain_scif": Asked(SCIF, "requests per retrain", "unlearned"),
        "requests_per_retrain_resolve_user": Asked(SOLVED, "requests per retrain", "unlearned"),
    },
    "ml100k.verdicts": {
        "retrain_held_out": Asked(HELD_OUT, column="verdict"),
        "no_op": Asked("no-op", column="verdict"),
        "sign_flip": Asked(FLIP, column="verdict"),
        "half_way": Asked(HALF, column="verdict"),
        "ease_exact": Asked("exact", column="verdict", model="EASE"),
    },
    "ml100k.exposed": {
        "retrain_minus_before_40": _change(40),
        "retrain_minus_before_120": _change(120),
        "retrain_again_40": _retrained("again", 40),
        "no_op_minus_retrain_120": Asked("no-op", "exposed"),
    },
    "ml100k.without_l2": {
        "scif_exposed_minus_retrain": Asked(SCIF, "exposed", trap=True),
        "scif_deleted_at_smallest_damping": Asked(SCIF, trap=True),
    },
    "ml100k.others": {
        "lightgcn_no_op": Asked("no-op", model="LightGCN"),
        "lightgcn_scif": Asked(SCIF, model="LightGCN"),
        "war_no_op": Asked("no-op", scenario="War"),
        "war_retrain_held_out": Asked(HELD_OUT, scenario="War"),
        "sgl_no_op_40": Asked("no-op", model="SGL"),
    },
    "horror": {
        "retrain": Asked("retrain, batched"),
        "no_op": Asked("no-op"),
        "sign_flip": Asked(FLIP),
        "half_way": Asked(HALF),
        "warm_start": Asked(WARM),
        "exposed_no_op": Asked("no-op", "exposed"),
        "ndcg_no_op": Asked("no-op", "ndcg@10"),
    },
    "hypotheses.three": {
        "scif_deleted_120_minus_40": _grown(SCIF),
        "resolve_user_deleted_120_minus_40": _grown(SOLVED),
        "scif_ndcg_minus_base": Asked(SCIF, "ndcg@10, paired with base"),
    },
    "hypotheses.one": {"share_equivalent_where_no_op_differs": share_equivalent},
}
"""Section of `[unlearning]` → line → what answers it."""
ELSEWHERE = """
The first hypothesis is a line of `laptop_grid.py`; here it is asked of ml-100k alone. The second, that repeated
unlearning breaks general-purpose algorithms on models with attention and recurrence, is not asked here, as no model of
this page has either: see `curvature.md`. *scif_deleted_at_smallest_damping* is asked of damping .01, the smallest that
was run with l2 = 0. Requests per retrain are counted in CPU seconds. Ranges came from sketches with other code on the
same data, and *horror* repeats lines of *ml100k*: a hit says that a number came again, not that it was foreseen.
""".strip()


def section(name: str) -> dict[str, Any]:
    """The lines of a section, by its dotted name."""
    found = predicted()
    for part in name.split("."):
        found = found[part]
    return found


def compared(table: pd.DataFrame) -> pd.DataFrame:
    """[section, line, predicted, came, said]: every line that is asked, beside what came."""
    rows = []
    for name, lines in ASKED.items():
        said = section(name)
        for line, ask in lines.items():
            came = ask(table)
            told = {"section": name, "line": line, "predicted": _shown(said[line])}
            told |= {"came": "" if came is None else _shown(came), "said": judged(said[line], came)}
            rows.append(told)
    return pd.DataFrame(rows)


def judged(said: Any, came: Any) -> str:
    """Whether what came lies in the range, or is the word."""
    if came is None:
        return "not run"
    if isinstance(said, str):
        return "as predicted" if came in said.split(" or ") else "not so"
    low, high = said
    return "as predicted" if low <= came <= high else ("more" if came > high else "less")


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return f"{_shown(value[0])} to {_shown(value[1])}"
    small = 0 < abs(value) < 1e-6
    return f"{value:.0e}" if small else f"{value:,.0f}" if abs(value) >= 5 else f"{value:+.3f}"


def predictions(table: pd.DataFrame) -> str:
    """The table of the page."""
    found = compared(table)
    run = found[found["said"] != "not run"]
    right = int((run["said"] == "as predicted").sum())
    lines = [
        "## Predicted and came",
        f"{right} of {len(run)} lines that were run are as predicted.",
    ]
    for name in ("one", "three"):
        told = section(f"hypotheses.{name}")
        lines.append(
            f"Hypothesis {name}, the study: {told['study']}. Ours: {' '.join(told['ours'].split())}"
        )
    rows = ["| line | predicted | came | |", "|---|---|---|---|"]
    for row in found.itertuples():
        rows.append(f"| {row.section}: {row.line} | {row.predicted} | {row.came} | {row.said} |")
    return "\n\n".join([*lines, "\n".join(rows), ELSEWHERE])
