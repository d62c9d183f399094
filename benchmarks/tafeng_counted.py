"""Counted next-basket models on Ta-Feng.

    python benchmarks/tafeng_counted.py [--data FOLDER]

Needs `nbr-tafeng-reality-check` and `nbr-unlearning-splits` under --data, WORKBENCH_DATA or
WORKBENCH_TEST_DATA. Five user splits (keysets); the history of each test user is read, the future
basket is to be found, nothing is masked. Resumes. Writes `benchmarks/results/tafeng_counted.csv`
and `.md`.
"""

import argparse
import datetime
import os
import time
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from boomerang import FOLDER, RESULTS, data_folder
from pydantic import BaseModel, ConfigDict

from workbench.data import open_data, read_keyset
from workbench.data.splits import Split
from workbench.recommend import TIFUKNN, UPCF, Counted, TopFreq, TopFreqConfig, evaluate_targets
from workbench.runs import run
from workbench.settings import settings

METRICS = ("recall", "ndcg", "hit_rate")
# measured in another implementation, mean of the five splits: METRICS at 10, then at 20
REFERENCE = {
    "G-TopFreq": (0.0790, 0.0857, 0.2444, 0.1070, 0.0929, 0.3262),
    "P-TopFreq": (0.1083, 0.1021, 0.3525, 0.1414, 0.1114, 0.4349),
    "GP-TopFreq": (0.1224, 0.1077, 0.3742, 0.1712, 0.1222, 0.4843),
    "TIFU-KNN": (0.1284, 0.1092, 0.3939, 0.1838, 0.1252, 0.5116),
    "UP-CF@r": (0.1226, 0.1135, 0.3951, 0.1621, 0.1245, 0.4847),
}


class Run(BaseModel):
    """One method on one split of the users."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    method: Literal["G-TopFreq", "P-TopFreq", "GP-TopFreq", "TIFU-KNN", "UP-CF@r"]
    """Which model, with its default settings."""
    keyset: int
    """Which of the five user splits."""


def model(method: str) -> Counted:
    """A model that has not been fitted."""
    if method.endswith("TopFreq"):
        return TopFreq(TopFreqConfig(whose=method.split("-")[0]))
    return TIFUKNN() if method == "TIFU-KNN" else UPCF()


@cache
def data() -> Split:
    """Histories as train, future baskets as test."""
    return open_data("tafeng").split


def measure(config: Run) -> pd.DataFrame:
    """[only, k, metric, value, users, fit_seconds, score_seconds]: means over the test users."""
    split = data()
    path = open_data("tafeng-keysets").file(f"tafeng_keyset_{config.keyset}.json")
    users = read_keyset(path, split.train.users)
    # Neighbours of TIFU-KNN come from the training users; everything else is counted over all
    # histories.
    among = (
        np.isin(split.train.frame["user"], users.train)
        if config.method == "TIFU-KNN"
        else np.ones(len(split.train))
    )
    start = time.perf_counter()
    fitted = model(config.method).fit(split.train.select(among))
    done = time.perf_counter()
    histories, targets, tables = (
        split.train.histories(users.test),
        split.test.matrix()[users.test],
        [],
    )
    for only in ("all", "repeat", "novel"):
        begin = time.perf_counter()
        table = evaluate_targets(fitted, histories, targets, (10, 20), only=only)
        seconds = {"fit_seconds": done - start, "score_seconds": time.perf_counter() - begin}
        means = table.groupby(["k", "metric"], as_index=False).agg(
            value=("value", "mean"), users=("user", "nunique")
        )
        tables.append(means.assign(only=only, **seconds))
    return pd.concat(tables)[
        ["only", "k", "metric", "value", "users", "fit_seconds", "score_seconds"]
    ]


def summary(runs: pd.DataFrame) -> pd.DataFrame:
    """[method, only, k, metric, mean, sd, reference, difference, users, fit_seconds, score_seconds]
    over the splits."""
    by = ["method", "only", "k", "metric"]
    names = {"mean": ("value", "mean"), "sd": ("value", "std")}
    names |= {name: (name, "mean") for name in ("users", "fit_seconds", "score_seconds")}
    table = runs[runs["metric"].isin(METRICS)].groupby(by, as_index=False).agg(**names)
    known = {
        (m, "all", k, n): REFERENCE[m][3 * (k > 10) + i]
        for m in REFERENCE
        for k in (10, 20)
        for i, n in enumerate(METRICS)
    }
    table.insert(
        6, "reference", [known.get(tuple(key), np.nan) for key in table[by].itertuples(index=False)]
    )
    table.insert(7, "difference", table["mean"] - table["reference"])
    return table.round(
        {"mean": 5, "sd": 5, "difference": 5, "users": 1, "fit_seconds": 2, "score_seconds": 2}
    )


def page(table: pd.DataFrame) -> str:
    """The table as text: mean (difference from the reference), then repeat and novel targets
    apart."""
    lines = ["# Ta-Feng, counted next-basket models", ""]
    lines += [
        f"Mean over five splits of 2,772 test users each, {datetime.date.today()}, "
        f"{os.cpu_count()} CPU cores, one "
        "thread, beside other work: `python benchmarks/tafeng_counted.py`. sd: "
        "over the five splits.",
        "",
        "PHR (hit_rate): share of users with a hit. NDCG: ideal list over min(K, "
        "targets). In brackets: difference to "
        "the reference numbers, which another implementation measured on the same splits.",
        "",
    ]
    at = table.set_index(["method", "only", "k", "metric"])
    lines += [
        "| method | K | Recall | sd | NDCG | sd | PHR | sd | fit s | lists s |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for method in REFERENCE:
        for k in (10, 20):
            rows = [at.loc[(method, "all", k, metric)] for metric in METRICS]
            cells = [f"{r['mean']:.4f} ({r['difference']:+.4f}) | {r['sd']:.4f}" for r in rows]
            seconds = f"{rows[0]['fit_seconds']:.1f} | {rows[0]['score_seconds']:.1f}"
            lines.append(f"| {method} | {k} | {' | '.join(cells)} | {seconds} |")
    lines += [
        "",
        "Repeat targets stand in the history, novel ones do not: the same lists, "
        "over the users who have such targets.",
        "",
    ]
    lines += [
        "| method | K | repeat Recall | NDCG | PHR | novel Recall | NDCG | PHR |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for method in REFERENCE:
        for k in (10, 20):
            cells = [
                f"{at.loc[(method, only, k, m)]['mean']:.4f}"
                for only in ("repeat", "novel")
                for m in METRICS
            ]
            lines.append(f"| {method} | {k} | {' | '.join(cells)} |")
    users = {
        only: at.loc[("G-TopFreq", only, 10, "recall")]["users"] for only in ("repeat", "novel")
    }
    worst = (
        table.dropna().assign(off=lambda t: t["difference"].abs()).groupby("method")["off"].max()
    )
    lines += [
        "",
        f"Users with repeat targets {users['repeat']:,.0f}, novel ones "
        f"{users['novel']:,.0f} (mean of the splits).",
        "",
        f"Furthest from the reference: "
        f"{', '.join(f'{m} {worst[m]:.4f}' for m in REFERENCE)}. What the published text "
        "leaves open is named in each module's docstring; UP-CF@r is near, not "
        "equal: our reading of it is inferred.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run what is not done yet, write, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=data_folder())
    os.environ[FOLDER] = str(parser.parse_args().data)
    configs = [Run(method=method, keyset=keyset) for method in REFERENCE for keyset in range(5)]
    table = summary(
        run(
            configs,
            measure,
            settings().runs / "tafeng_counted",
            data=data().train.fingerprint,
            progress=True,
        )
    )
    table.to_csv(RESULTS / "tafeng_counted.csv", index=False)
    (RESULTS / "tafeng_counted.md").write_text(page(table), encoding="utf-8")
    print(page(table))


if __name__ == "__main__":
    main()
