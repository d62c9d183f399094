"""The counted session models on Diginetica: quality, seconds, and what it costs to forget a
session.

    python benchmarks/diginetica_counted.py [--data FOLDER] [--jobs 1]

Fits on all 186,670 training sessions, asks every one of the 60,858 test prefixes (SR-GNN's split as
GCE-GNN distributes it: `sessions-diginetica` under --data, WORKBENCH_DATA or WORKBENCH_TEST_DATA)
for the 20 best of 43,097 items; items of the session are not removed. Resumes where it was stopped.
Writes `benchmarks/results/diginetica_counted.csv` and `.md`: aggregates only.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from datetime import date
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from boomerang import FOLDER, RESULTS, data_folder, markdown
from pydantic import BaseModel, ConfigDict
from scipy import sparse

from workbench import recommend
from workbench.data import Histories, Interactions, open_data
from workbench.data.splits import Split
from workbench.recommend import Recency, RecencyConfig, evaluate_targets, next_items
from workbench.runs import run
from workbench.settings import settings

K, RESAMPLES = 20, 1000
# HR@20 and MRR@20 measured with other code on these files, and as the field quotes them (the latter
# not re-checked)
REFERENCE = {"POP": (0.93, 0.21), "SessionPopularity": (21.08, 13.69), "Markov": (33.61, 12.77)}
REFERENCE |= {"SessionItemKNN": (37.27, 11.99), "SKNN": (49.72, 17.41), "VSKNN": (51.64, 18.23)}
QUOTED = {
    "POP": ".89 / .20",
    "SessionPopularity": "21.06 / 13.69",
    "SessionItemKNN": "35.75 / 11.57",
}


class FirstMet:
    """The Markov chain with other ties: of equally frequent successors the one met first in the log
    leads."""

    def fit(self, log: Interactions) -> Self:
        """Count, and note where each pair is met first."""
        rows = log.histories()
        at = np.flatnonzero(rows.rows[1:] == rows.rows[:-1])
        pair = rows.item[at].astype(np.int64) * rows.n_items + rows.item[at + 1]
        pair, first, count = np.unique(pair, return_index=True, return_counts=True)
        # whole numbers: by count, then by place
        values = count * float(len(at)) + (len(at) - first)
        shape = (rows.n_items, rows.n_items)
        self.successors = sparse.coo_array(
            (values, (pair // rows.n_items, pair % rows.n_items)), shape=shape
        ).tocsr()
        return self

    def score(self, histories: Histories) -> np.ndarray:
        """Row of the last item of histories that are not empty."""
        return self.successors[histories.item[histories.offsets[1:] - 1]].toarray()


MODELS = {"POP": lambda: Recency(RecencyConfig(share=1.0)), "Recency": Recency}
MODELS |= {name: getattr(recommend, name) for name in ("LastItem", "SessionPopularity", "Markov")}
MODELS |= {"Markov, first met": FirstMet}
MODELS |= {name: getattr(recommend, name) for name in ("SessionItemKNN", "SKNN", "VSKNN")}


class Cell(BaseModel):
    """One model with its defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: str


@cache
def load() -> tuple[Split, Histories, np.ndarray]:
    """The split and its questions."""
    parts = open_data("diginetica").split
    return parts, *next_items(parts.test)


def once(cell: Cell) -> pd.DataFrame:
    """[what, estimate, low, high, n] of one model."""
    parts, histories, items = load()
    start = time.process_time()
    model = MODELS[cell.model]().fit(parts.train)
    fitted = time.process_time()
    # every question has one target, which stands in its history or does not: the two together are
    # all questions
    apart = {
        only: evaluate_targets(model, histories, items, (K,), only=only)
        for only in ("repeat", "novel")
    }
    rows = [("seconds to evaluate", time.process_time() - fitted, np.nan, np.nan, len(histories))]
    rows += [("seconds to fit", fitted - start, np.nan, np.nan, len(parts.train))]
    for only, found in {"all": pd.concat(apart.values()), **apart}.items():
        for metric in ("hit_rate", "mrr"):
            values = found[found["metric"] == metric]
            rows.append(
                (f"{only} {metric}", values["value"].mean(), *interval(values), len(values))
            )
    if hasattr(model, "forget"):
        taken = [elapsed(model, parts.train, session) for session in range(0, 160_000, 4_000)]
        rows.append(
            ("milliseconds to forget a session", 1e3 * np.median(taken), np.nan, np.nan, len(taken))
        )
    return pd.DataFrame(rows, columns=["what", "estimate", "low", "high", "n"])


def elapsed(model: recommend.Counted, log: Interactions, session: int) -> float:
    """Seconds in which a model forgets a session."""
    removed = log.only(log.rows_of(session)["interaction"])
    start = time.process_time()
    model.forget(removed)
    return time.process_time() - start


def interval(values: pd.DataFrame, seed: int = 0) -> tuple[float, float]:
    """95 % percentile bootstrap of the mean over questions, by drawing test sessions whole."""
    sums = values.groupby("user")["value"].agg(["sum", "size"]).to_numpy()
    rng = np.random.default_rng(seed)
    drawn = (sums[rng.integers(0, len(sums), len(sums))].sum(axis=0) for _ in range(RESAMPLES))
    low, high = np.quantile([total / n for total, n in drawn], (0.025, 0.975))
    return low, high


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """One line per model, percentages."""
    rows = []
    for name in MODELS:
        own = table[table["model"] == name].set_index("what")
        value = own["estimate"].to_dict()

        def percent(what: str, own: pd.DataFrame = own) -> str:
            estimate, low, high = 100 * own.loc[what, ["estimate", "low", "high"]].astype(float)
            return f"{estimate:.2f} [{low:.2f}, {high:.2f}]"

        both = [100 * value["all hit_rate"], 100 * value["all mrr"]]
        known = REFERENCE.get(name.split(",")[0])
        minus = (
            " / ".join(f"{a - b:+.2f}" for a, b in zip(both, known, strict=True)) if known else ""
        )
        forget = value.get("milliseconds to forget a session")
        rows.append(
            {
                "model": name,
                "HR@20": percent("all hit_rate"),
                "MRR@20": percent("all mrr"),
                "reference": " / ".join(f"{v:.2f}" for v in known) if known else "",
                "difference": minus,
                "quoted": QUOTED.get(name, ""),
                "repeat HR / MRR": f"{100 * value['repeat hit_rate']:.2f} / "
                f"{100 * value['repeat mrr']:.2f}",
                "novel HR / MRR": f"{100 * value['novel hit_rate']:.2f} / "
                f"{100 * value['novel mrr']:.2f}",
                "fit s": f"{value['seconds to fit']:.2f}",
                "evaluate s": f"{value['seconds to evaluate']:.0f}",
                "forget ms": "" if forget is None else f"{forget:.1f}",
            }
        )
    return pd.DataFrame(rows)


NOTES = """
HR@20 and MRR@20 in percent over {n:,} questions, one target each: every prefix of the 15,963 test sessions. Intervals:
95 %, percentile bootstrap that draws test sessions whole. *Reference*: measured with other code on the same files
(definitions in the models' docstrings); *quoted*: as the field quotes them, not re-checked. *Repeat*: the target stands
in the history ({repeat:,} questions), *novel*: it does not ({novel:,}); the same lists. Seconds: CPU time of one
thread on a machine with other work, ranking of all 43,097 items included. *Forget*: median over one session each, the
next question not included. All models with their defaults; POP counts rows, Recency the last 5 % of the rows, then POP.

Where the differences come from: ties. Models count few things, so many items score the same, and here the lower item
code leads. *Markov, first met* has the same counts and another order of equal ones. Which of equally similar sessions
are kept at the border of k is open in the same way: here the more recent ones.

{machine}, {cores} cores, no GPU used, {day}.
""".strip()


def main() -> None:
    """Run what has not been run, write and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    # where worker processes look too; no part of a config's hash
    os.environ[FOLDER] = str(options.data.resolve())
    parts, _, _ = load()
    configs = [Cell(model=name) for name in MODELS]
    folder = settings().runs / "diginetica_counted"
    data = parts.train.fingerprint + parts.test.fingerprint
    table = run(configs, once, folder, options.jobs, data=data, version="1", progress=True)
    table = table[["model", "what", "estimate", "low", "high", "n"]]
    RESULTS.mkdir(exist_ok=True)
    table.round(5).to_csv(RESULTS / "diginetica_counted.csv", index=False, lineterminator="\n")
    n = table[table["model"] == "POP"].set_index("what")["n"]
    counts = {only: int(n[f"{only} mrr"]) for only in ("repeat", "novel")}
    notes = NOTES.format(
        n=int(n["all mrr"]),
        machine=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        cores=os.cpu_count(),
        day=date.today().isoformat(),
        **counts,
    )
    title = "# Counted session models on Diginetica"
    made = (
        "Made by `python benchmarks/diginetica_counted.py`; all numbers in "
        "`diginetica_counted.csv`."
    )
    text = "\n\n".join([title, made, markdown(shown(table)), notes]) + "\n"
    (RESULTS / "diginetica_counted.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
