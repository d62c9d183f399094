"""Does a line outside the usual come true more often than a random one, and as often as it says?

    python benchmarks/outside.py

The store's own record (`workbench/reports/recpilot/_odds.py`) on the shipped world and on five worlds of
other seeds: every history cut before its last 3, 6, 9 and 12 visits; a line is the best-scored product
outside the usual, and comes true when it is touched in the three visits that follow. Beside it a product
drawn from the same choice, and the best untouched product *of* the usual. Calibration: odds from the three
earlier cuts, held against the latest. Two minutes. Writes `benchmarks/results/outside.csv` and `.md`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import predicted as written
from boomerang import RESULTS, markdown

from workbench.data import load_world
from workbench.reports.recpilot import Outside
from workbench.reports.recpilot._odds import odds_of
from workbench.statistics import wilson
from workbench.worlds.shop import generate, sized

SHIPPED, OTHERS = 1, (11, 12, 13, 14, 15)
NAMES = ("low", "middle", "high")


def lines_of(seed: int) -> pd.DataFrame:
    """The record of a world, and what the earlier cuts said of its latest: [.., third, said, flat]."""
    world = load_world() if seed == SHIPPED else generate(sized(seed=seed))
    lines = Outside.build(world.log, world.catalogue).lines
    lines = lines.assign(seed=seed, third=_third(lines["score"], odds_of(lines)))
    earlier = lines[lines["cut"] > 0]
    odds = odds_of(earlier)
    chances = np.array([one.known / one.lines for one in odds])
    said = chances[_third(lines["score"], odds)]
    return lines.assign(said=said, flat=earlier["known"].mean())


def _third(score: pd.Series, odds: list) -> np.ndarray:
    return np.searchsorted([one.low for one in odds], score, side="right") - 1


def beats(table: pd.DataFrame, third: int) -> int:
    """In how many worlds a third beats the random product."""
    return sum(odds_of(own)[third].beats for _, own in table.groupby("seed"))


def numbers_of(table: pd.DataFrame) -> dict[str, float]:
    """The numbers that were predicted, over the worlds of other seeds."""
    table = table[table["seed"] != SHIPPED]
    numbers = {name: float(table[name].mean()) for name in ("known", "random", "pick")}
    by = table.groupby("third")["known"].mean()
    numbers |= {"high_third": by[2], "low_third": by[0]}
    numbers |= {"beats_low": beats(table, 0), "beats_high": beats(table, 2)}
    last = table[table["cut"] == 0]
    numbers["calibration"] = (last["known"] - last["said"]).mean()
    errors = [(last["known"] - last[name]) ** 2 for name in ("said", "flat")]
    return numbers | {"brier": (errors[0] - errors[1]).mean()}


def judged(table: pd.DataFrame) -> pd.DataFrame:
    """Every prediction beside what was measured."""
    return written.judged(numbers_of(table), written.expected("outside"), "g", ".4g")


def _share(values: pd.Series) -> str:
    low, high = wilson(values.sum(), len(values))
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}]"


def page(table: pd.DataFrame) -> str:
    """The results as Markdown."""
    text = ["# Outside your usual: one line, and how often it came true", ""]
    text += ["Made by `python benchmarks/outside.py`.", "", _about(table), ""]
    for title, own in (
        ("The shipped world", table[table["seed"] == SHIPPED]),
        ("Five worlds of other seeds", table[table["seed"] != SHIPPED]),
    ):
        rows = []
        for name, third in (*((name, place) for place, name in enumerate(NAMES)), ("all", None)):
            part = own if third is None else own[own["third"] == third]
            cells = {"score": name, "lines": len(part), "came true": _share(part["known"])}
            cells |= {
                "random product": f"{part['random'].mean():.3f}",
                "pick": _share(part["pick"]),
            }
            rows.append(cells)
        text += [f"## {title}", "", markdown(pd.DataFrame(rows)), ""]
    last = table[table["cut"] == 0]
    rows = []
    for seed, own in last.groupby("seed"):
        name = "shipped" if seed == SHIPPED else f"seed {seed}"
        cells = {"world": name, "lines": len(own), "said": f"{own['said'].mean():.3f}"}
        cells |= {"came true": _share(own["known"])}
        for column, label in (("said", "Brier by thirds"), ("flat", "Brier one share")):
            cells[label] = f"{((own['known'] - own[column]) ** 2).mean():.4f}"
        rows.append(cells)
    text += [
        "## Odds of the earlier cuts, held against the latest",
        "",
        markdown(pd.DataFrame(rows)),
    ]
    text += ["", "## What was predicted (`data/predictions.toml`, never changed)", ""]
    return "\n".join([*text, markdown(judged(table)), ""])


def _about(table: pd.DataFrame) -> str:
    worlds = [f"{beats(table, third)} of {table['seed'].nunique()}" for third in (0, 2)]
    return (
        f"{len(table):,} lines of {table['seed'].nunique()} generated worlds, tiny, 400 shoppers each. Usual: a "
        "category of two visits or more. Scores: EASE on what was known at the cut. 95 % (Wilson, lines of one "
        "shopper taken as apart). *pick*: the best-scored untouched product of the usual. The page writes the line "
        "only where its third of the scores beats the random product (bootstrap over shoppers): the low third does "
        f"in {worlds[0]} worlds, the high third in {worlds[1]}. That low scores come true less often is "
        "seen on the shipped world and hardly on the others: by thirds the odds are no better than one share for "
        "all. What is *followed* is a look; the shopper gains nothing by it that was measured here "
        "(`page_sections.md` asks that)."
    )


def main() -> None:
    """Measure, write the page, print it."""
    table = pd.concat([lines_of(seed) for seed in (SHIPPED, *OTHERS)], ignore_index=True)
    table.round(5).to_csv(RESULTS / "outside.csv", index=False, lineterminator="\n")
    text = page(pd.read_csv(RESULTS / "outside.csv"))
    (RESULTS / "outside.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
