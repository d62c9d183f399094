"""The trained next-basket models beside counting: Ta-Feng, and what the corrections of Sets2Sets
do.

    python benchmarks/tafeng_trained.py [--data FOLDER] [--keysets 0 1 2 3 4] [--seeds 1] [--minutes
    11] [--only MODEL]

Ta-Feng needs the published histories, future baskets and user splits (`nbr-tafeng-reality-check`,
`nbr-unlearning-splits`) under --data, WORKBENCH_DATA or WORKBENCH_TEST_DATA; without them only the
generated world is run. Training users: last basket given those before, the future basket being
their last. Validation users (others) choose the epoch in the same way. Test users: their future
basket given their history. Rules: TopFreq counted on the histories of all users, as published, or
on the last baskets of the training users, which the trained models see too; Mixed: share of the
user's own baskets with the item + share of the training users' last baskets with it. A trained
model stops after --minutes at the latest; the table tells its epochs. Generated world: four kinds
of Sets2Sets, three seeds, the users' values averaged over seeds. Resumes where it was stopped.
Writes `benchmarks/results/tafeng_trained.csv` and `.md`: aggregates over 100 users and more, never
a row of one.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from boomerang import FOLDER, RESULTS, data_folder, markdown
from pydantic import BaseModel, ConfigDict, Field

from workbench.data import Histories, Interactions, open_data, read_keyset, split
from workbench.errors import ConfigError
from workbench.recommend import (
    DNNTSP,
    DNNTSPConfig,
    Sets2Sets,
    Sets2SetsConfig,
    TopFreq,
    TopFreqConfig,
    Training,
)
from workbench.recommend.basket._baskets import Baskets
from workbench.recommend.evaluation import evaluate_targets, joined, joined_logs
from workbench.runs import is_done, run
from workbench.settings import settings
from workbench.sources.cards import find_card, is_here
from workbench.statistics import bootstrap_mean, paired_bootstrap
from workbench.worlds.shop import load_world

METRICS = ["recall", "ndcg", "hit_rate"]
COUNTED = [
    "G-TopFreq, published",
    "P-TopFreq, published",
    "GP-TopFreq, published",
    "GP-TopFreq, last baskets",
    "Mixed",
]
TRAINED = ["DNNTSP", "Sets2Sets", "DNNTSP, rate .01", "Sets2Sets, rate .01"]
KINDS = {
    "corrected": {},
    "set loss as published": {"set_loss": "as_published"},
    "gate as published": {"gate": "published"},
    "both as published": {"set_loss": "as_published", "gate": "published"},
}


class Cell(BaseModel):
    """One model on one keyset of Ta-Feng, or on the generated world (keyset −1).

    `minutes` is no part of a cell's name: a result made in less time stands until its folder is
    removed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: str
    keyset: int
    seed: int = 1
    kind: str = "corrected"
    minutes: float | None = Field(default=None, exclude=True)


@cache
def tafeng(keyset: int):
    """(train, valid, histories, targets, all histories): the first two of other users; the test
    users' questions."""
    parts = open_data("tafeng").split
    path = open_data("tafeng-keysets").file(f"tafeng_keyset_{keyset}.json")
    users = read_keyset(path, parts.train.users)
    whole = joined_logs(parts.train, parts.test)
    train, valid = (_of(whole, some) for some in (users.train, users.valid))
    return (
        train,
        valid,
        parts.train.histories(users.test),
        parts.test.matrix()[users.test],
        parts.train,
    )


@cache
def world():
    """The generated world's baskets of users with four or more; the last one is asked."""
    log = load_world().log
    log = log.select(log.frame["basket"].notna().to_numpy())
    enough = log.frame.groupby("user")["basket"].transform("nunique") >= 4
    parts = split(log.select(enough.to_numpy()), "next_basket", by="position")
    targets = parts.test.matrix()
    users = np.flatnonzero(np.diff(targets.indptr))
    return (
        parts.train,
        parts.valid,
        joined(parts, ("train", "valid")).histories(users),
        targets[users],
        parts.train,
    )


def _of(log: Interactions, users: np.ndarray) -> Interactions:
    return log.select(np.isin(log.frame["user"], users))


class Mixed:
    """Share of the user's own baskets with the item + share of the training users whose last basket
    has it."""

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Mixed:
        last = log.select(_last(log))
        self.shares = np.asarray(last.matrix().sum(axis=0)).ravel() / last.frame["user"].nunique()
        return self

    def score(self, histories: Histories) -> np.ndarray:
        baskets = Baskets.of(histories)
        return baskets.summed(1 / baskets.count[baskets.basket]).toarray() + self.shares


def _last(log: Interactions) -> np.ndarray:
    histories = log.histories()
    baskets = Baskets.of(histories)
    return np.isin(
        log.frame["interaction"],
        histories.interaction[baskets.age[baskets.basket[baskets.cell]] == 0],
    )


def model_of(config: Cell):
    """The model a cell names: "name", or "name, option"; the study's settings but for what the
    option says."""
    name, _, option = config.model.partition(", ")
    if name in ("Mixed", "DNNTSP", "Sets2Sets") and option not in ("", "rate .01", "all targets"):
        raise ConfigError(f"no option {option!r}", "model", "rate .01 or all targets")
    if name == "Mixed":
        return Mixed()
    if name.endswith("TopFreq"):
        return TopFreq(TopFreqConfig(whose=name.split("-")[0]))
    kind, config_kind, epochs = {
        "DNNTSP": (DNNTSP, DNNTSPConfig, 100),
        "Sets2Sets": (Sets2Sets, Sets2SetsConfig, 100 if config.keyset < 0 else 20),
    }[name]
    rate = 0.01 if option == "rate .01" else 0.001
    training = Training(
        epochs=epochs,
        learning_rate=rate,
        seed=config.seed,
        minutes=config.minutes,
        batch=64,
        threads=1,
    )
    options = KINDS[config.kind] if name == "Sets2Sets" else {}
    return kind(
        config_kind(
            training=training, targets="all" if option == "all targets" else "last", **options
        )
    )


def cell(config: Cell, folder: Path) -> pd.DataFrame:
    """[only, metric, k, value, low, high, n, epochs, epoch_seconds]; the values per user stay in
    the run folder."""
    train, valid, histories, targets, everybody = (
        world() if config.keyset < 0 else tafeng(config.keyset)
    )
    log = train
    if "TopFreq" in config.model:
        log = train.select(_last(train)) if config.model.endswith("last baskets") else everybody
    model = model_of(config).fit(log, valid)
    tables = {
        o: evaluate_targets(model, histories, targets, (10, 20), only=o)
        for o in ("all", "repeat", "novel")
    }
    table = pd.concat([t.assign(only=only) for only, t in tables.items()], ignore_index=True)
    table = table[table["metric"].isin(METRICS)]
    table.to_parquet(folder / "users.parquet")
    record = getattr(model, "record", None)
    if record is not None:
        record.to_parquet(folder / "record.parquet")
    rows = [
        (*key, *bootstrap_mean(part["value"].to_numpy()), len(part))
        for key, part in table.groupby(["only", "metric", "k"], sort=False)
    ]
    made = pd.DataFrame(rows, columns=["only", "metric", "k", "value", "low", "high", "n"])
    epochs, seconds = (0, np.nan) if record is None else (len(record), record["seconds"].median())
    return made.assign(epochs=epochs, epoch_seconds=seconds)


def per_model(table: pd.DataFrame) -> pd.DataFrame:
    """Ta-Feng: means over keysets and seeds, Recall / NDCG / PHR, all targets; recall of repeat and
    novel ones."""
    rows = []
    for model, part in table[table["keyset"] >= 0].groupby("model", sort=False):
        mean = part.groupby(["only", "metric", "k"])["value"].mean()
        runs = part[["keyset", "seed"]].drop_duplicates()
        row = {
            "model": model,
            "keysets": ", ".join(map(str, sorted(set(runs["keyset"])))),
            "runs": len(runs),
        }
        for k in (10, 20):
            row[f"Recall / NDCG / PHR @{k}"] = " / ".join(
                f"{mean['all', m, k]:.4f}" for m in METRICS
            )
        row["Recall@10 repeat"] = f"{mean['repeat', 'recall', 10]:.4f}"
        row["Recall@10 novel"] = f"{mean['novel', 'recall', 10]:.4f}"
        some = part[(part["only"] == "all") & (part["metric"] == "recall") & (part["k"] == 10)]
        row["95 % of Recall@10"] = f"{some['low'].mean():.4f} to {some['high'].mean():.4f}"
        row["epochs"] = f"{some['epochs'].mean():.0f}" if part["epochs"].any() else "none"
        row["seconds per epoch"] = (
            f"{some['epoch_seconds'].mean():.1f}" if part["epochs"].any() else "none"
        )
        rows.append(row)
    return pd.DataFrame(rows)


def corrections(table: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Generated world: users' values averaged over seeds, each kind minus the corrected one, paired
    on users."""
    runs = table[table["keyset"] < 0][["run", "kind", "model", "seed"]].drop_duplicates()
    parts = []
    for row in runs.itertuples():
        values = pd.read_parquet(next(folder.glob(f"{row.run}*")) / "users.parquet").query(
            "only == 'all' and k == 10"
        )
        parts.append(
            values.assign(
                what=f"{row.model}, {row.kind}" if row.model == "Sets2Sets" else row.model
            )
        )
    means = (
        pd.concat(parts)
        .groupby(["what", "user", "metric", "k"], sort=False)["value"]
        .mean()
        .reset_index()
    )
    made = paired_bootstrap(means, "what")
    made["text"] = [
        f"{r.estimate:+.4f} [{r.low:+.4f}, {r.high:+.4f}]"
        if r.minus
        else f"{r.estimate:.4f} [{r.low:.4f}, {r.high:.4f}]"
        for r in made.itertuples()
    ]
    made["column"] = (
        made["metric"] + "@10" + made["minus"].map(lambda m: " minus corrected" if m else "")
    )
    wide = made.pivot(index="what", columns="column", values="text").reindex(
        list(dict.fromkeys(made["what"]))
    )
    return wide.fillna("").reset_index()


TAFENG = """
Published histories, future baskets and user splits. Training users: last basket given those before, the future basket
being their last. Validation users (others) choose the epoch in the same way. Test users: their future basket given
their history, nothing masked. Rules: *published* TopFreq is counted on the histories of all users, *last baskets* on
those of the training users, which the trained models see too; Mixed is the share of the user's own baskets with the
item + the share of the training users' last baskets with it. Trained models: one thread, batch 64, rate 1e-3 unless
told, stopped by validation, after 20 epochs (Sets2Sets) or 100 (DNNTSP), or after {minutes:g} minutes.
"""
WORLD = """
Four kinds of Sets2Sets, seeds {seeds}, values of a user averaged over the seeds; users with four or more baskets, the
last one is asked. Intervals: 95 % bootstrap over users, paired where *minus corrected*.
"""


def verdicts(table: pd.DataFrame) -> list[str]:
    """What the Ta-Feng table says of the trained models, in sentences whose numbers are those of
    the table."""
    own = table[table["keyset"] >= 0]
    mean = (
        own[(own["metric"] == "recall") & (own["k"] == 10)]
        .groupby(["model", "only"])["value"]
        .mean()
    )
    rule, told = "GP-TopFreq, published", []
    if {"Sets2Sets", rule, "P-TopFreq, published"} <= set(own["model"]):
        ours, theirs = mean["Sets2Sets", "all"], mean[rule, "all"]
        verb = "loses to" if ours < theirs else "beats"
        again, best = mean["Sets2Sets", "repeat"], mean["P-TopFreq, published", "repeat"]
        text = (
            f"Sets2Sets {verb} GP-TopFreq ({ours:.4f} against {theirs:.4f} Recall@10); "
            f"of the repeat targets it finds "
        )
        text += f"{again:.4f}, P-TopFreq {best:.4f}. "
        text += (
            "No verdict on the method: at batch 64 and rate .001 it is undertrained. "
            "`Sets2SetsConfig.training` says what other settings reach on Ta-Feng."
        )
        told.append(text)
    for model in TRAINED:
        name = model if "rate" in model else f"{model}, rate .001"
        some = own[own["model"] == model][["keyset", "seed"]].drop_duplicates()
        if len(some) == 1:
            told.append(
                f"{name}: one keyset ({some['keyset'].iloc[0]}) and one seed "
                f"({some['seed'].iloc[0]})."
            )
        elif not len(some):
            told.append(f"{name}: not run.")
    return told


def cells(keysets: list[int], seeds: list[int], minutes: float | None = None) -> list[Cell]:
    """The world's cells, and Ta-Feng's for these keysets and seeds."""
    made = [
        Cell(model="Sets2Sets", keyset=-1, seed=s, kind=kind) for kind in KINDS for s in (1, 2, 3)
    ]
    made += [Cell(model="GP-TopFreq", keyset=-1)]
    made += [Cell(model=model, keyset=i) for i in keysets for model in COUNTED]
    made += [
        Cell(model=m, keyset=i, seed=s, minutes=minutes)
        for i in keysets
        for s in seeds
        for m in TRAINED
    ]
    return made + [Cell(model="DNNTSP, rate .01", keyset=-1, seed=s) for s in (1, 2, 3)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--keysets", type=int, nargs="*", default=[0], choices=range(5))
    parser.add_argument("--seeds", type=int, nargs="*", default=[1])
    parser.add_argument("--minutes", type=float, default=11)
    parser.add_argument(
        "--only", nargs="*", help="models to run now, such as Sets2Sets; default all"
    )
    given = parser.parse_args()
    os.environ[FOLDER] = str(given.data)
    there = is_here(find_card("tafeng"))
    configs = cells(given.keysets if there else [], given.seeds, given.minutes)
    folder, data = settings().runs / "tafeng_trained", "tafeng-reality-check, world 1"
    run(
        [c for c in configs if not given.only or c.model in given.only],
        cell,
        folder,
        data=data,
        progress=True,
    )
    # The tables hold all that is done, of this call or an earlier one.
    every = cells(list(range(5)), sorted({*given.seeds, 1, 2, 3}))
    table = run([c for c in every if is_done(c, cell, folder, data=data)], cell, folder, data=data)
    RESULTS.mkdir(exist_ok=True)
    table.drop(columns="run").round(6).to_csv(RESULTS / "tafeng_trained.csv", index=False)
    made = (
        f"Made by `python benchmarks/tafeng_trained.py` on {datetime.date.today()}; all "
        f"numbers: `tafeng_trained.csv`."
    )
    text = ["# Trained next-basket models", made]
    if (table["keyset"] >= 0).any():
        text += [
            "## Ta-Feng",
            TAFENG.format(minutes=given.minutes).strip(),
            markdown(per_model(table)),
        ]
        text += verdicts(table)
    if (table["keyset"] < 0).any():
        seeds = ", ".join(map(str, sorted(set(table.loc[table["keyset"] < 0, "seed"]))))
        text += ["## Corrections, generated world", WORLD.format(seeds=seeds).strip()]
        text += [markdown(corrections(table, folder))]
    text += [f"Machine: {os.cpu_count()} CPU cores ({platform.machine()}), shared with other work."]
    page = "\n\n".join(text) + "\n"
    (RESULTS / "tafeng_trained.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
