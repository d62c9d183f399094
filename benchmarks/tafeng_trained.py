"""The trained next-basket models beside counting: Ta-Feng twice, and what the corrections of
Sets2Sets do.

    python benchmarks/tafeng_trained.py [--data FOLDER] [--on people keyset world] [--seeds 1 2 3]
    [--only MODEL]

Ta-Feng needs the cards `tafeng-people` (as DNNTSP published it), `tafeng` and `tafeng-keysets`
under --data, WORKBENCH_DATA or WORKBENCH_TEST_DATA; what is absent is left out. People who are
asked took no part in training or in choosing the epoch. Trained models have their defaults, and as
many epochs as validation lets them: no clock. A cell is called by its model, data, seed and all
settings, so that other defaults are other cells. Resumes where it was stopped; the tables hold all
cells of the present settings that are done. Writes `benchmarks/results/tafeng_trained.csv` and
`.md`: aggregates over 100 users and more, never a row of one.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import time
import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from boomerang import FOLDER, RESULTS, data_folder, markdown
from pydantic import BaseModel, ConfigDict
from scipy import sparse

from workbench.data import Histories, Interactions, open_data, read_keyset, split
from workbench.recommend import (
    DNNTSP,
    TIFUKNN,
    UPCF,
    DNNTSPConfig,
    Sets2Sets,
    Sets2SetsConfig,
    TopFreq,
    TopFreqConfig,
)
from workbench.recommend.basket._baskets import Baskets
from workbench.recommend.evaluation import evaluate_targets, joined, joined_logs
from workbench.runs import is_done, run
from workbench.settings import settings
from workbench.sources.cards import find_card, is_here
from workbench.statistics import bootstrap_mean, paired_bootstrap
from workbench.worlds.shop import load_world

METRICS = ["recall", "ndcg", "hit_rate"]
COUNTED = ["G-TopFreq", "P-TopFreq", "GP-TopFreq", "TIFU-KNN", "UP-CF@r", "Mixed"]
TRAINED = {
    "Sets2Sets": (Sets2Sets, Sets2SetsConfig()),
    "Sets2Sets, last baskets": (Sets2Sets, Sets2SetsConfig(targets="last")),
    "DNNTSP": (DNNTSP, DNNTSPConfig()),
}
KINDS = {
    "Sets2Sets, set loss as published": {"set_loss": "as_published"},
    "Sets2Sets, gate as published": {"gate": "published"},
    "Sets2Sets, both as published": {"set_loss": "as_published", "gate": "published"},
}
TRAINED |= {name: (Sets2Sets, Sets2SetsConfig(**kind)) for name, kind in KINDS.items()}
# Recall / NDCG / PHR @10 in the table of Yu et al., from general knowledge: give or take a digit
PAPER = {
    "G-TopFreq": ".1025 / .0974 / .3047",
    "P-TopFreq": ".1214 / .1128 / .3763",
    "Sets2Sets": ".1427 / .1270 / .4347",
    "Sets2Sets, last baskets": ".1427 / .1270 / .4347",
    "DNNTSP": ".1752 / .1517 / .4789",
}


class Cell(BaseModel):
    """One model on one log; `settings` is the JSON of its config, "" where there is none."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: str
    log: str
    seed: int = 1
    settings: str = ""


class Asked(NamedTuple):
    """Who teaches, who chooses, what is asked, what should be found, and what rules count on."""

    train: Interactions
    valid: Interactions
    histories: Histories
    targets: sparse.csr_array
    counted: Interactions


@cache
def asked(log: str) -> Asked:
    """`people`, `keyset 0` to `keyset 4` of Ta-Feng, or the generated `world`."""
    if log == "people":
        parts = open_data("tafeng-people").split
        histories, targets, _ = DNNTSP().questions(parts.train, parts.test)
        return Asked(parts.train, parts.valid, histories, targets, parts.train)
    if log == "world":
        return world()
    parts = open_data("tafeng").split
    path = open_data("tafeng-keysets").file(f"tafeng_{log.replace(' ', '_')}.json")
    users = read_keyset(path, parts.train.users)
    whole = joined_logs(parts.train, parts.test)
    train, valid = (_of(whole, some) for some in (users.train, users.valid))
    histories = parts.train.histories(users.test)
    return Asked(train, valid, histories, parts.test.matrix()[users.test], parts.train)


def world() -> Asked:
    """The generated world's baskets of users with four or more; the last one is asked."""
    log = load_world().log
    log = log.select(log.frame["basket"].notna().to_numpy())
    enough = log.frame.groupby("user")["basket"].transform("nunique") >= 4
    parts = split(log.select(enough.to_numpy()), "next_basket", by="position")
    targets = parts.test.matrix()
    users = np.flatnonzero(np.diff(targets.indptr))
    histories = joined(parts, ("train", "valid")).histories(users)
    return Asked(parts.train, parts.valid, histories, targets[users], parts.train)


def _of(log: Interactions, users: np.ndarray) -> Interactions:
    return log.select(np.isin(log.frame["user"], users))


class Mixed:
    """Share of the user's own baskets with the item + share of the training users whose last basket
    has it."""

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Mixed:
        histories = log.histories()
        baskets = Baskets.of(histories)
        last = histories.interaction[baskets.age[baskets.basket[baskets.cell]] == 0]
        newest = log.select(np.isin(log.frame["interaction"], last))
        self.shares = np.asarray(newest.matrix().sum(axis=0)).ravel()
        self.shares = self.shares / newest.frame["user"].nunique()
        return self

    def score(self, histories: Histories) -> np.ndarray:
        baskets = Baskets.of(histories)
        return baskets.summed(1 / baskets.count[baskets.basket]).toarray() + self.shares


def model_of(config: Cell):
    """The model a cell names, not fitted."""
    if config.model in TRAINED:
        kind, told = TRAINED[config.model]
        training = told.training.model_copy(update={"seed": config.seed, "threads": 1})
        return kind(told.model_copy(update={"training": training}))
    if config.model.endswith("TopFreq"):
        return TopFreq(TopFreqConfig(whose=config.model.split("-")[0]))
    return {"Mixed": Mixed, "TIFU-KNN": TIFUKNN, "UP-CF@r": UPCF}[config.model]()


def cell(config: Cell, folder: Path) -> pd.DataFrame:
    """[only, metric, k, value, low, high, n, epochs, best, minutes, cpu_minutes, stopped]; the
    values per user and the record of the training stay in the run folder."""
    ask = asked(config.log)
    # neighbours of TIFU-KNN, and Mixed, know the training users; other rules all histories
    known = ask.train if config.model in (*TRAINED, "TIFU-KNN", "Mixed") else ask.counted
    begun, used = time.perf_counter(), time.process_time()
    model = model_of(config).fit(known, ask.valid)
    minutes, cpu = time.perf_counter() - begun, time.process_time() - used
    tables = []
    for only in ("all", "repeat", "novel"):
        told = evaluate_targets(model, ask.histories, ask.targets, (10, 20), only=only)
        tables.append(told.assign(only=only))
    table = pd.concat(tables, ignore_index=True)
    table = table[table["metric"].isin(METRICS)]
    table.to_parquet(folder / "users.parquet")
    rows = [
        (*key, *bootstrap_mean(part["value"].to_numpy()), len(part))
        for key, part in table.groupby(["only", "metric", "k"], sort=False)
    ]
    made = pd.DataFrame(rows, columns=["only", "metric", "k", "value", "low", "high", "n"])
    made = made.assign(minutes=minutes / 60, cpu_minutes=cpu / 60)
    if config.model not in TRAINED:
        return made.assign(epochs=0, best=0, stopped="nothing to train")
    model.record.to_parquet(folder / "record.parquet")
    epochs, most = len(model.record), model.config.training.epochs
    best = 1 + int(model.record.loc[model.record["best"], "epoch"].iloc[0])
    stopped = "by validation" if epochs < most else "by its epochs, not trained out"
    return made.assign(epochs=epochs, best=best, stopped=stopped)


def per_model(table: pd.DataFrame, log: str) -> pd.DataFrame:
    """Means over keysets and seeds of Recall / NDCG / PHR, recall of repeat and novel targets
    apart, and how each was trained."""
    rows = []
    for model, part in table[table["log"].str.startswith(log)].groupby("model", sort=False):
        mean = part.groupby(["only", "metric", "k"])["value"].mean()
        some = part[(part["only"] == "all") & (part["metric"] == "recall") & (part["k"] == 10)]
        cut = "" if set(some["stopped"]) <= {"by validation", "nothing to train"} else " (cut)"
        row = {"model": model + cut}
        if log == "keyset":
            row["keysets"] = ", ".join(sorted(some["log"].str[-1].unique()))
        for k in (10, 20):
            told = " / ".join(f"{mean['all', m, k]:.4f}" for m in METRICS)
            row[f"Recall / NDCG / PHR @{k}"] = told
        if log == "people":
            row["the paper's @10"] = PAPER.get(model, "")
        row["Recall@10 repeat"] = f"{mean['repeat', 'recall', 10]:.4f}"
        row["novel"] = f"{mean['novel', 'recall', 10]:.4f}"
        row["95 % of Recall@10"] = f"{some['low'].mean():.4f} to {some['high'].mean():.4f}"
        row["runs: Recall@10"] = ", ".join(f"{value:.4f}" for value in some["value"])
        row["epochs (best)"] = row["CPU minutes"] = "none"
        if model in TRAINED:
            told = [f"{e} ({b})" for e, b in zip(some["epochs"], some["best"], strict=True)]
            row["epochs (best)"] = ", ".join(told)
            row["CPU minutes"] = f"{some['cpu_minutes'].mean():.1f}"
        row["stopped"] = ", ".join(some["stopped"].unique())
        rows.append(row)
    return pd.DataFrame(rows)


def paired(table: pd.DataFrame, log: str, first: str, folder: Path) -> pd.DataFrame:
    """Users' values averaged over seeds, @10: each model, and less the `first`, paired on users."""
    parts = []
    runs = table[table["log"] == log][["run", "model"]].drop_duplicates()
    for row in runs.sort_values("model", key=lambda m: m != first, kind="stable").itertuples():
        values = pd.read_parquet(next(folder.glob(f"{row.run}*")) / "users.parquet")
        parts.append(values.query("only == 'all' and k == 10").assign(what=row.model))
    by = ["what", "user", "metric", "k"]
    means = pd.concat(parts).groupby(by, sort=False)["value"].mean().reset_index()
    return paired_bootstrap(means, "what")


def beside(made: pd.DataFrame, first: str) -> pd.DataFrame:
    """What `paired` found, as a table to read."""
    made = made.copy()
    sign = np.where(made["minus"] != "", "+", "")
    made["text"] = [
        f"{r.estimate:{s}.4f} [{r.low:{s}.4f}, {r.high:{s}.4f}]"
        for r, s in zip(made.itertuples(), sign, strict=True)
    ]
    less = made["minus"].map(lambda m: f" minus {first}" if m else "")
    made["column"] = made["metric"] + "@10" + less
    wide = made.pivot(index="what", columns="column", values="text")
    return wide.reindex(list(dict.fromkeys(made["what"]))).fillna("").reset_index()


def predicted(table: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """What data/predictions.toml expected of Recall@10 on `people`, and what came."""
    text = (settings().data / "predictions.toml").read_text(encoding="utf-8")
    some = people[(people["metric"] == "recall") & (people["minus"] == "")]
    mean = dict(zip(some["what"], some["estimate"], strict=True))
    names = {"".join(filter(str.isalnum, name)).lower(): name for name in mean}
    names |= {"upcf": "UP-CF@r"}
    rows = []
    for key, (low, high) in tomllib.loads(text)["tafeng_people"]["expected"].items():
        one, _, other = key.partition("_minus_")
        found = [names.get(name.replace("_", "")) for name in (one, other) if name]
        if None in found or not set(found) <= set(mean):
            continue
        value = mean[found[0]] - (mean[found[1]] if other else 0)
        verdict = "as expected" if low <= value <= high else "not as expected"
        told = " minus ".join(found)
        rows.append((told, f"{low:.3f} to {high:.3f}", f"{value:.4f}", verdict))
    return pd.DataFrame(rows, columns=["Recall@10", "expected", "measured", ""])


PEOPLE = """
Users are in three groups: those who teach, those who choose the epoch, and those who are asked for their last basket
after all before it; full ranking, nothing masked. The paper's row for Sets2Sets is the same beside both of ours: the
default learns from every basket, *last baskets* from one a user, as the study does. TopFreq, TIFU-KNN and UP-CF@r count
on those who teach; Mixed is the share of the user's own baskets with the item + the share of the teaching users' last
baskets with it.
"""
KEYSET = """
Histories, future baskets and user splits of the Next-basket Reality Check, where all histories, those of the asked
too, are counted by TopFreq and UP-CF@r. Trained models, TIFU-KNN and Mixed see the training users only.
"""
WORLD = """
Users with four or more baskets, the last one is asked; the last but one chooses the epoch.
"""


def cells(logs: list[str], seeds: list[int]) -> list[Cell]:
    """The cells of these logs and seeds, rules first."""
    made = [Cell(model=model, log=log) for log in logs for model in COUNTED]
    for log in logs:
        for name, (_, told) in TRAINED.items():
            if name in KINDS and log != "world":
                continue
            some = told.model_dump_json(exclude={"training": {"seed", "threads", "progress"}})
            made += [Cell(model=name, log=log, seed=seed, settings=some) for seed in seeds]
    return made


def not_run(left: list[Cell]) -> str:
    """Trained cells that no table holds yet, by model and log."""
    seeds: dict[str, list[str]] = {}
    for config in left:
        seeds.setdefault(f"{config.model} on {config.log}", []).append(str(config.seed))
    told = "; ".join(f"{name} (seeds {', '.join(some)})" for name, some in seeds.items())
    return f"Not run yet: {told}." if told else "All cells were run."


def page(table: pd.DataFrame, folder: Path, left: list[Cell]) -> str:
    """The tables and their sentences; `left`: what was not run."""
    text = [
        "# Trained next-basket models",
        f"Made by `python benchmarks/tafeng_trained.py` on {datetime.date.today()}; all numbers: "
        "`tafeng_trained.csv`. Trained models have their defaults; seeds 1, 2, 3 unless fewer runs "
        "are told; no clock: validation ended every training, or its row says what did.",
    ]
    if (table["log"] == "people").any():
        made = paired(table, "people", "DNNTSP", folder)
        text += ["## Ta-Feng as DNNTSP published it", PEOPLE.strip()]
        text += [markdown(per_model(table, "people")), "Paired on people, seeds averaged:"]
        text += [markdown(beside(made, "DNNTSP")), "What was expected (`data/predictions.toml`):"]
        text += [markdown(predicted(table, made))]
    if table["log"].str.startswith("keyset").any():
        text += ["## Ta-Feng, keysets", KEYSET.strip(), markdown(per_model(table, "keyset"))]
    if (table["log"] == "world").any():
        made = paired(table, "world", "Sets2Sets", folder)
        text += ["## Generated world, and the corrections of Sets2Sets", WORLD.strip()]
        text += [markdown(per_model(table, "world")), "Paired on users, seeds averaged:"]
        text += [markdown(beside(made, "Sets2Sets"))]
    text += [not_run(left)]
    machine = f"Machine: {os.cpu_count()} CPU cores ({platform.machine()}), shared with other work"
    return "\n\n".join([*text, machine + ": CPU minutes are counted, not those of a clock."]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--on", nargs="*", default=["people", "keyset 0", "world"])
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3])
    parser.add_argument(
        "--only", nargs="*", help="models to run now, such as Sets2Sets; default all"
    )
    given = parser.parse_args()
    os.environ[FOLDER] = str(given.data)
    here = {"world": True, "people": is_here(find_card("tafeng-people"))}
    here |= {f"keyset {i}": is_here(find_card("tafeng")) for i in range(5)}
    folder, data = settings().runs / "tafeng_trained", "reality check, people, world 2"
    logs = [log for log in given.on if here[log]]
    configs = cells(logs, given.seeds)
    now = [c for c in configs if not given.only or c.model in given.only]
    run(now, cell, folder, data=data, progress=True)
    # The tables hold all that is done, of this call or an earlier one.
    every = cells(list(here), sorted({*given.seeds, 1, 2, 3}))
    done = [c for c in every if is_done(c, cell, folder, data=data)]
    table = run(done, cell, folder, data=data)
    RESULTS.mkdir(exist_ok=True)
    kept = table.drop(columns=["run", "settings"]).round(6)
    kept.to_csv(RESULTS / "tafeng_trained.csv", index=False)
    asked_for = cells(["people", "keyset 0", "world"], [1, 2, 3])
    left = [c for c in asked_for if c.model in TRAINED and c not in done]
    text = page(table, folder, left)
    (RESULTS / "tafeng_trained.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
