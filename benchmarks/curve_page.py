"""The page of `curve.py`: NDCG@10 against the visits that are learned from, and which cells were run."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from boomerang import markdown
from predicted import expected, judged

from workbench.statistics import bootstrap_mean

RULE, POPULAR = "EASE + own actions", "popularity of purchases"
SIMULATED = {
    ("T5", "16 visits"): "T5, 16 imagined visits",
    ("T5", "64 visits"): "T5, 64 imagined visits",
    ("T5", "head alone"): "its head alone",
    ("GRPO", "16 visits"): "after GRPO, 16 imagined visits",
    ("GRPO", "64 visits"): "after GRPO, 64 imagined visits",
    ("GRPO", "head alone"): "after GRPO, its head alone",
}
T5, GRPO = "T5, 16 imagined visits", "after GRPO, 16 imagined visits"
MANY = "T5, 64 imagined visits"
KEYS = ["row", "visits", "part"]
SIGNED, PLAIN = "{:+.3f} [{:+.3f}, {:+.3f}]", "{:.3f} [{:.3f}, {:.3f}]"


def named(table: pd.DataFrame) -> pd.DataFrame:
    """The values with rows as the page calls them."""
    pairs = zip(table["what"], table["row"], strict=True)
    rows = [
        SIMULATED.get(pair, pair[1] if pair[1] != "swap" else f"swap {pair[0]}") for pair in pairs
    ]
    return table.assign(row=rows)


def of(table: pd.DataFrame, row: str, visits: int, part: str = "all") -> pd.Series:
    """NDCG@10 of every shopper, the mean over seeds; empty where it was not run."""
    found = table[(table["row"] == row) & (table["visits"] == visits) & (table["part"] == part)]
    return found.groupby("user")["ndcg"].mean()


def half_way(table: pd.DataFrame, visits: int, part: str = "all") -> pd.Series:
    """Popularity plus half of the way to the ceiling, a shopper; empty where either is missing."""
    return (of(table, POPULAR, visits, part) + of(table, "ceiling", 0, part)) / 2


def table_of(table: pd.DataFrame) -> pd.DataFrame:
    """[row, visits, part, seeds, shoppers, value, low, high, spread, less…, half…, seconds].

    value: over shoppers, of the mean over seeds; spread: standard deviation of the seeds' means;
    less: the row less EASE + own actions of the same point; half: less half of the way; both paired
    by shopper, with the interval. NaN where the other row was not run."""
    table, lines = named(table), []
    for (row, visits, part), one in table.groupby(KEYS, sort=False):
        value = of(table, row, visits, part)
        means = one.groupby("seed")["ndcg"].mean()
        line = [row, visits, part, len(means), len(value), *bootstrap_mean(value, shares=False)]
        line.append(means.std(ddof=1) if len(means) > 1 else np.nan)
        # the ceiling learns from nobody: it stands beside the last point
        point = visits or table["visits"].max()
        for other in (of(table, RULE, point, part), half_way(table, point, part)):
            apart = (value - other).dropna()
            there = len(apart) and part != "nats"
            line += bootstrap_mean(apart, shares=False) if there else (np.nan,) * 3
        lines.append((*line, one.groupby("seed")["seconds"].first().mean()))
    columns = ["row", "visits", "part", "seeds", "shoppers", "value", "low", "high", "spread"]
    columns += [name + end for name in ("less", "half") for end in ("", "_low", "_high")]
    return pd.DataFrame(lines, columns=[*columns, "seconds"])


def apart(table: pd.DataFrame) -> pd.DataFrame:
    """Paired differences that the question asks for, and two of nothing but another seed."""
    table = named(table)
    points = sorted(set(table.loc[table["row"] == T5, "visits"]))
    lines = []

    def add(what: str, one: pd.Series, other: pd.Series) -> None:
        less = (one - other).dropna()
        if len(less):
            lines.append((what, SIGNED.format(*bootstrap_mean(less, shares=False)), len(less)))

    for part in ("all", "novel"):
        for row in (T5, "its head alone", RULE):
            there = sorted(set(table.loc[table["row"] == row, "visits"]))
            if len(there) > 1:
                first, last = (of(table, row, n, part) for n in (there[0], there[-1]))
                add(f"{row}: {there[-1]:,} visits less {there[0]:,} ({part})", last, first)
        for n in points:
            own = table[table["visits"] == n]
            taught = set(own.loc[own["row"] == GRPO, "seed"])
            same = own[own["seed"].isin(taught)]
            add(
                f"GRPO less T5, {n:,} visits ({part})",
                of(same, GRPO, n, part),
                of(same, T5, n, part),
            )
        for n in points:
            seeds = (table[table["seed"] == seed] for seed in (2, 1))
            one, other = (of(part_of, T5, n, part) for part_of in seeds)
            add(f"null: T5 of seed 2 less seed 1, {n:,} visits ({part})", one, other)
    return pd.DataFrame(lines, columns=["difference", "NDCG@10, paired", "shoppers"])


def needed(found: pd.DataFrame) -> float:
    """Visits at which the T5 is half of the way from popularity to the ceiling, between two points
    by a line over the logarithm; infinite where no point reaches it, NaN where points are missing."""
    line = found[(found["row"] == T5) & (found["part"] == "all")].sort_values("visits")
    if len(line) < 2 or line["half"].isna().any():
        return np.nan
    over = line["half"].to_numpy() >= 0
    if not over.any():
        return np.inf
    at, visits, half = (
        int(over.argmax()),
        np.log(line["visits"].to_numpy()),
        line["half"].to_numpy(),
    )
    if at == 0:
        return float(np.exp(visits[0]))
    share = half[at - 1] / (half[at - 1] - half[at])
    return float(np.exp(visits[at - 1] + share * (visits[at] - visits[at - 1])))


def numbers_of(table: pd.DataFrame, found: pd.DataFrame) -> dict[str, float]:
    """What was predicted, as far as it was measured."""
    at = found.set_index(KEYS)
    numbers = {"visits_needed": needed(found)}
    wanted = {"t5": T5, "t5_64": "T5, 64 imagined visits", "head": "its head alone"}
    for short, row in (
        wanted | {"grpo": GRPO, "rule": RULE, "sasrec": "SASRec with actions"}
    ).items():
        for visits in (1_300, 7_200, 40_000):
            for part in ("all", "novel"):
                name = f"{short}_{visits}" + ("_novel" if part == "novel" else "")
                numbers[name] = at["value"].get((row, visits, part), np.nan)
    for visits in (1_300, 40_000):
        own, table_ = numbers.get(f"t5_{visits}"), named(table)
        seeds = set(table_.loc[(table_["row"] == GRPO) & (table_["visits"] == visits), "seed"])
        same = table_[table_["seed"].isin(seeds)]
        less = of(same, GRPO, visits) - of(same, T5, visits)
        numbers[f"grpo_minus_t5_{visits}"] = less.mean() if len(less) else np.nan
        numbers[f"t5_minus_rule_{visits}"] = own - numbers[f"rule_{visits}"]
        numbers[f"swap_{visits}"] = at["value"].get(("swap T5", visits, "nats"), np.nan)
        numbers[f"spread_{visits}"] = at["spread"].get((T5, visits, "all"), np.nan)
    numbers["t5_minus_half_40000"] = at["half"].get((T5, 40_000, "all"), np.nan)
    numbers["t5_64_minus_half_40000"] = at["half"].get((wanted["t5_64"], 40_000, "all"), np.nan)
    numbers["t5_growth"] = numbers["t5_40000"] - numbers["t5_1300"]
    return {name: float(value) for name, value in numbers.items()}


def wide(found: pd.DataFrame, part: str) -> pd.DataFrame:
    """A line a row, a column a point: value with its interval, then less EASE + own actions."""
    lines: dict[str, dict] = {}
    points = sorted(set(found["visits"]) - {0})
    for r in found[found["part"] == part].itertuples():
        cell = PLAIN.format(r.value, r.low, r.high)
        if r.row != RULE and not np.isnan(r.less):
            cell += "; " + SIGNED.format(r.less, r.less_low, r.less_high)
        if r.seeds > 1:
            cell += f"; {r.seeds} seeds, spread {r.spread:.3f}"
        cell += f"; {r.seconds:.0f} s" if r.seconds >= 1 else f"; {r.seconds:.1f} s"
        line = lines.setdefault(r.row, {"": r.row} | {f"{n:,} visits": "not run" for n in points})
        for n in [r.visits] if r.visits else points:
            line[f"{n:,} visits"] = cell
    return pd.DataFrame(lines.values())


def cells_of(table: pd.DataFrame, cells: Iterable) -> pd.DataFrame:
    """Every cell of the plan: what it is, and its identity where it was run."""
    keys = ["what", "visits", "seed", "steps"]
    there = table.drop_duplicates(keys).set_index(keys)
    lines = []
    for cell in cells:
        key = tuple(getattr(cell, name) for name in keys)
        ran = key in there.index
        said = there.loc[key, "identity"] if ran else "not run"
        lines.append((cell.what, cell.visits or "", cell.seed, cell.steps or "", said))
    return pd.DataFrame(lines, columns=["cell", "visits", "seed", "steps", "identity"])


def verdicts(numbers: dict[str, float]) -> pd.DataFrame:
    """Every prediction whose number was measured."""
    ranges = {n: span for n, span in expected("curve").items() if not np.isnan(numbers[n])}
    return judged(numbers, ranges, "g", ".3f")


def answer(found: pd.DataFrame, points: list[int]) -> str:
    """The question, answered in a sentence."""
    visits = needed(found)
    if np.isnan(visits):
        return "How many visits the T5 needs cannot be said before its end points were run."
    ends = {row: found[(found["row"] == row) & (found["part"] == "all")] for row in (T5, MANY)}
    ends = {row: lines.sort_values("visits").iloc[-1] for row, lines in ends.items() if len(lines)}
    short = {
        row: SIGNED.format(one["half"], one["half_low"], one["half_high"])
        for row, one in ends.items()
    }
    if np.isinf(visits):
        said = f"not with {points[-1]:,} visits"
    else:
        said = f"with about {visits:,.0f} visits" if visits > points[0] else f"with {points[0]:,}"
    text = (
        f"Popularity plus half of the way to the ceiling is reached by the T5 (16 imagined visits) {said}; "
        f"at {ends[T5]['visits']:,} it is {short[T5]} from there, paired by shopper"
    )
    return text + (f"; with 64 imagined visits {short[MANY]}." if MANY in short else ".")


def page(table: pd.DataFrame, cells: list, world: str) -> str:
    """The results as Markdown."""
    found = table_of(table)
    points = sorted(set(found["visits"]) - {0})
    steps = max(cell.steps for cell in cells)
    shown = found[~found["row"].str.startswith("swap")]
    swaps = found[found["row"].str.startswith("swap")]
    reads = [
        {
            "": r.row.removeprefix("swap "),
            "visits": r.visits,
            "nats": SIGNED.format(r.value, r.low, r.high),
        }
        for r in swaps.itertuples()
    ]
    novel = found.loc[found["part"] == "novel", "shoppers"].max()
    text = [
        "# How many visits does the simulator need?",
        "",
        "Made by `python benchmarks/curve.py`.",
        "",
    ]
    text += [
        f"{world}. 400 shoppers are asked for the purchase of their last visit with one ({novel} have a "
        "novel one); 200 others choose the checkpoint; the others' visits are learned from, each point's "
        f"part of the next one's. Every T5 takes {steps:,} steps of 32 visits, two fifths of the shipped "
        "one's 3,000: 30 times through the fewest visits, not once through the most. SASRec takes as "
        "many steps at every point, too. One world; seeds are of training.",
        "",
        answer(found, points),
        "",
    ]
    for part, said in (("all", "all products"), ("novel", "products never touched before")):
        text += [f"## NDCG@10, {said}", ""]
        text += [
            f"95 % of resampled shoppers; then less {RULE}, paired; then seconds of processor",
            "",
        ]
        text[-2] += " time, of a machine that was shared."
        text += [markdown(wide(shown, part)), ""]
    if reads:
        text += [
            "## Does it read its history?",
            "",
            "Nats a first look that another shopper's costs.",
            "",
        ]
        text += [markdown(pd.DataFrame(reads)), ""]
    if len(differences := apart(table)):
        text += ["## What differs", "", markdown(differences), ""]
    judged_ = verdicts(numbers_of(table, found))
    asked = len(expected("curve"))
    text += [
        "## What was predicted (`data/predictions.toml`, never changed)",
        "",
        markdown(judged_),
        "",
    ]
    text += [f"Of {asked} predictions {asked - len(judged_)} wait for a run.", ""]
    text += ["## Which cells were run", "", markdown(cells_of(table, cells)), ""]
    return "\n".join([*text, "The generated world is no evidence about shops."]) + "\n"
