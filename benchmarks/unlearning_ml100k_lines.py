"""What the cells of `unlearning_ml100k.py` say: the lines of its CSV.

Everything is read from the folders of finished cells; nothing is trained or asked anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from unlearning_ml100k_predicted import margin

from workbench.statistics import bootstrap_mean
from workbench.unlearning import Scenario, assess
from workbench.unlearning.audit import audit

GROUP = ["model", "scenario", "l2"]
NOT_METHODS = ("refit", "as they were")
COSTS = ("seconds", "cpu seconds", "peak MB", "done", "no-op", "failed")
EARLY = "deleted, those who asked first"
HELD_OUT = "retrain, held out"
SAME = 1e-6
"""Scores no further apart, as a share of the largest, are the same."""


class Answers:
    """A model that is left as its scores of everybody, (n_users, n_items)."""

    def __init__(self, scores: np.ndarray) -> None:
        self.scores = scores

    def score(self, histories: Any) -> np.ndarray:
        """What was kept of these users."""
        return self.scores[histories.user]


# --- reading --------------------------------------------------------------------------------------


def table_of(cells: Sequence[Any], place: Callable[[Any], Path]) -> pd.DataFrame:
    """All that finished cells measured: [model, scenario, l2, method, seed, done, measure, unit,
    value]."""
    tables = []
    for one in cells:
        found = pd.read_parquet(place(one) / "result.parquet")
        told = f"{one.topic}, placebo" if one.placebo else one.topic
        l2 = "default" if one.l2 is None else f"{one.l2:g}"
        own = {"model": one.model, "scenario": told, "l2": l2}
        names = ["done", "measure", "unit", "value"]
        tables.append(found[names].assign(**own, method=one.method, seed=one.seed))
    return pd.concat(tables, ignore_index=True).drop_duplicates(
        [*GROUP, "method", "seed", "done", "measure", "unit"]
    )


def people(table: pd.DataFrame) -> pd.DataFrame:
    """The rows *as served before* and *never had*, as lines of the CSV; means over bases."""
    lines = []
    told = table[table["method"] == "as they were"]
    for (done, name), part in told.groupby(["done", "measure"], sort=True):
        values = part.groupby("unit")["value"].mean().dropna()
        if not len(values):
            continue
        mean, low, high = bootstrap_mean(values, shares=False)
        line = {"method": name, "measure": "exposed", "checkpoint": done, "n": len(values)}
        line |= {"unlearned": mean, "low": low, "high": high}
        lines.append(line | {"bases": part["seed"].nunique()})
    return pd.DataFrame(lines)


def costs(table: pd.DataFrame, requests: int) -> pd.DataFrame:
    """What methods took, as lines of the CSV: per request, means over bases, in `unlearned`."""
    own = table[(table["unit"] < 0) & ~table["method"].isin(NOT_METHODS)]
    wide = own.pivot_table(index="method", columns="measure", values="value", sort=False)
    again = table[(table["method"] == "refit") & (table["measure"] == "cpu seconds")][
        "value"
    ].mean()
    lines = []
    for name, row in wide.iterrows():
        found = {"seconds a request": row["seconds"] / requests}
        found |= {"CPU seconds a request": row["cpu seconds"] / requests}
        found |= {"requests per retrain": again * requests / max(row["cpu seconds"], 1e-9)}
        found |= {"peak MB": row["peak MB"]}
        found |= {f"served, {said}": row[said] for said in ("done", "no-op", "failed")}
        lines += [{"method": name, "measure": m, "unlearned": v} for m, v in found.items()]
    lines.append({"method": "refit", "measure": "CPU seconds a request", "unlearned": again})
    return pd.DataFrame(lines).assign(checkpoint=requests)


def kept(cells: Sequence[Any], place: Callable[[Any], Path]) -> dict[str, dict[int, np.ndarray]]:
    """The scores that cells left, by method and seed."""
    found: dict[str, dict[int, np.ndarray]] = {}
    for one in cells:
        if (place(one) / "scores.npy").exists():
            found.setdefault(one.method, {})[one.seed] = np.load(place(one) / "scores.npy")
    return found


def audited(scores: dict[str, dict[int, np.ndarray]], asked: Scenario) -> pd.DataFrame:
    """Rows and lists of all methods beside retrains, as lines of the CSV."""
    models = {name: [Answers(s) for s in some.values()] for name, some in scores.items()}
    retrained = models.pop("refit")
    bases = max(map(len, models.values()))
    models = {name: some for name, some in models.items() if len(some) == bases}
    if len(retrained) < 3 or len(retrained) <= bases:
        return pd.DataFrame()
    done = len(asked.requests)
    found = audit(models, retrained, asked, done, checks=("rows", "lists")).table
    found["row"] = found["row"].replace("retrain", HELD_OUT)
    return found.rename(columns={"row": "method", "check": "measure"}).assign(checkpoint=done)


def equal(scores: dict[str, dict[int, np.ndarray]]) -> list[str]:
    """Which methods left the same scores, in words; and what the largest difference of an exact one
    from a refit is."""
    said = []
    for one, other in combinations([name for name in scores if name != "refit"], 2):
        common = scores[one].keys() & scores[other].keys()
        if common and all(alike(scores[one][seed], scores[other][seed]) for seed in common):
            said.append(f"*{one}* and *{other}* left the same scores.")
    refits = list(scores.get("refit", {}).values())
    for far in scores.get("exact", {}).values():
        apart = np.abs(far - refits[0]).max()
        said.append(f"*exact* against a refit: the largest difference of any score is {apart:.1e}.")
    return said


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two tables of scores are the same but for rounding."""
    finite = np.isfinite(one)
    if not np.array_equal(finite, np.isfinite(other)):
        return False
    return bool(np.abs(one[finite] - other[finite]).max() <= SAME * np.abs(one[finite]).max())


def lines_of(part: pd.DataFrame, asked: Scenario, scores: dict) -> pd.DataFrame:
    """All lines of one group."""
    refit = part[part["method"] == "refit"]
    rows = part[~part["method"].isin(NOT_METHODS) & (part["unit"] >= 0)]
    # the same few people at every moment: more people are asked at each
    marks = np.unique(rows["done"])
    if len(marks) > 1:
        early = rows[(rows["done"] == marks[0]) & (rows["measure"] == "deleted")]["unit"].unique()
        rows, refit = (pd.concat([one, _of(one, early)]) for one in (rows, refit))
    parts = [assess(rows.rename(columns={"seed": "base"}), refit, margin()).to_frame()]
    parts += [people(part), audited(scores, asked), costs(part, len(asked.requests))]
    return pd.concat([one for one in parts if len(one)], ignore_index=True)


def _of(table: pd.DataFrame, units: np.ndarray) -> pd.DataFrame:
    """*deleted* of these people alone, as another measure."""
    own = table[(table["measure"] == "deleted") & table["unit"].isin(units)]
    return own.assign(measure=EARLY)


def key_of(one: Any) -> tuple[str, str, str]:
    """The group of a cell."""
    told = f"{one.topic}, placebo" if one.placebo else one.topic
    return one.model, told, "default" if one.l2 is None else f"{one.l2:g}"


def failures(cells: Sequence[Any], place: Callable[[Any], Path]) -> list[str]:
    """Which requests failed, and why; which examples of a batch it was is no other reason."""
    said: dict[str, int] = {}
    for one in cells:
        path = place(one) / "outcomes.json"
        for line in json.loads(path.read_text("utf-8")) if path.exists() else []:
            if line["status"] == "failed":
                error = re.sub(r", examples [\d, ]+ of the batch", "", line["error"])
                error = re.sub(r"\b(inf|nan)\b", "not finite", error).rstrip(".")
                why = f"*{one.method}*: {error}"
                said[why] = said.get(why, 0) + 1
    return [f"{count} requests failed, {why}." for why, count in said.items()]
