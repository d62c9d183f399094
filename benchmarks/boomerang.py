"""The boomerang on ml-100k: does exact deletion of a genre lower what its users are shown of it?

    python benchmarks/boomerang.py [--data FOLDER] [--jobs 2]

Needs MovieLens 100K as RecBole atomic files (`ml-100k-recbole/ml-100k.inter`, `.item`) under
--data, WORKBENCH_DATA or WORKBENCH_TEST_DATA. Resumes where it was stopped. Writes
`benchmarks/results/boomerang.csv` and `.md`: aggregates over 100 users and more, never a row of
one.
"""

from __future__ import annotations

import argparse
import os
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from workbench.data import Catalogue, Interactions, keep_at_least, keep_core, open_data
from workbench.recommend import EASE, Counted, ItemKNN, Popularity
from workbench.runs import run
from workbench.settings import ROOT, settings
from workbench.statistics import bootstrap_mean
from workbench.unlearning import boomerang, leavers

MODELS = {"EASE": EASE, "ItemKNN": ItemKNN, "Popularity": Popularity}
GENRES = [
    "Adventure",
    "Animation",
    "Children's",
    "Crime",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Sci-Fi",
]
GENRES += ["War", "Western"]  # what `rule` gives
FEWEST_USERS, FEWEST_NEVER, LEAVERS = 100, 50, 100
FOLDER = "WORKBENCH_DATA"
RESULTS = ROOT / "benchmarks" / "results"


class Cell(BaseModel):
    """One cell of the grid: a model and a genre, or a model and the leavers (genre empty).

    users: how many deleters are drawn; None takes all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: str
    genre: str = ""
    users: int | None = None
    k: int = 10
    seed: int = 0


def data_folder() -> Path:
    """Where the reader's own data is, or the data that tests use."""
    return Path(
        settings().own_data
        or os.environ.get("WORKBENCH_TEST_DATA")
        or ROOT.parent / "shared" / "data"
    )


@cache
def load() -> tuple[Interactions, Catalogue]:
    """Ratings of 4 and more, 5-core on both sides; the whole log is training data."""
    data = open_data("ml-100k")
    kept = keep_core(keep_at_least(data.log, 4), reindex=True)
    return kept.log, kept.match(data.catalogue)


@cache
def fitted(model: str) -> Counted:
    """A model of the whole log."""
    return MODELS[model]().fit(load()[0])


def cell(config: Cell, folder: Path) -> pd.DataFrame:
    """Aggregates of one cell; the rows per user stay in its run folder."""
    log, catalogue = load()
    model = fitted(config.model)
    if not config.genre:
        users = np.random.default_rng(config.seed).choice(log.n_users, LEAVERS, replace=False)
        table = leavers(model, log, users, config.k)
        table.to_parquet(folder / "users.parquet")
        rows = [("others changed", *bootstrap_mean(table["share"]), len(table))]
        rows += [("others changed, most", table["share"].max(), np.nan, np.nan, len(table))]
        return pd.DataFrame(rows, columns=["what", "estimate", "low", "high", "n"])
    items = catalogue.items_of(config.genre)
    users = np.flatnonzero(log.matrix()[:, items].sum(axis=1) >= 3)
    if config.users is not None:
        users = np.sort(
            np.random.default_rng(config.seed).choice(users, config.users, replace=False)
        )
    found = boomerang(model, log, items, users=users, k=config.k, seed=config.seed)
    found.table.to_parquet(folder / "users.parquet")
    found.scores.to_parquet(folder / "scores.parquet")
    return summary(config, found)


def summary(config: Cell, found) -> pd.DataFrame:
    """[what, estimate, low, high, n]: exposure per row and against `as served before`, offered
    again, AUC."""
    means = found.to_frame(seed=config.seed)
    minus = means["minus"].map(lambda name: f" minus {name}" if name else "")
    rows = means.assign(what="exposed " + means["row"] + minus)[
        ["what", "estimate", "low", "high", "n"]
    ]
    again = found.to_frame("again", seed=config.seed).query("minus == ''")
    names = {"after": "offered a deleted item again", "placebo": "placebo, its own offered again"}
    again = again[again["row"].isin(list(names))]
    again = again.assign(what=again["row"].map(names)).drop(columns=["row", "minus"])
    auc = found.auc(config.seed)
    auc = auc.assign(what="paired AUC, " + auc["list"]).drop(columns="list")
    pool = pd.DataFrame(
        [
            ("users who never had it", float(found.n_never), np.nan, np.nan, found.n_never),
            ("users without a match", float(found.unmatched), np.nan, np.nan, len(found.scores)),
        ],
        columns=["what", "estimate", "low", "high", "n"],
    )
    return pd.concat([rows, again, pool, auc], ignore_index=True)


def rule() -> list[str]:
    """Genres with enough users who had and who never had them."""
    log, catalogue = load()
    x = log.matrix()
    held = {
        genre: x[:, catalogue.items_of(genre)].sum(axis=1)
        for genre in sorted(set(catalogue.topics["topic"]))
    }
    return [
        g
        for g, h in held.items()
        if (h >= 3).sum() >= FEWEST_USERS and (h == 0).sum() >= FEWEST_NEVER
    ]


def per_genre(table: pd.DataFrame, model: str = "EASE") -> pd.DataFrame:
    """The table of the README: one line per genre."""
    wide = table[(table["model"] == model) & (table["genre"] != "")].pivot(
        index="genre", columns="what"
    )

    def interval(what: str, sign: bool = False) -> pd.Series:
        form = "{:+.2f} [{:+.2f}, {:+.2f}]" if sign else "{:.2f} [{:.2f}, {:.2f}]"
        parts = (wide[side, what] for side in ("estimate", "low", "high"))
        return pd.Series(
            [form.format(*values) for values in zip(*parts, strict=True)], index=wide.index
        )

    def value(what: str, form: str = "{:.2f}", of: str = "estimate") -> pd.Series:
        return wide[of, what].map(form.format)

    columns = {
        "users": wide["n", "exposed after"].astype(int).astype(str),
        "as served before": value("exposed as served before"),
        "after": value("exposed after"),
        "after − before": interval("exposed after minus as served before", sign=True),
        "placebo": value("exposed placebo"),
        "never had": interval("exposed never had"),
        "without a match": value("users without a match", "{:.0f}"),
        "with tombstone": value("exposed after, tombstone"),
        "offered a deleted film": interval("offered a deleted item again"),
        "placebo: offered one of its own": interval("placebo, its own offered again"),
        "AUC": interval("paired AUC, the topic"),
        "AUC, deleted films hidden": interval("paired AUC, without the deleted items"),
        "AUC, other films (control)": interval("paired AUC, other items that neither had"),
        "matches": value("paired AUC, the topic", "{:.0f}", "matches"),
    }
    return pd.DataFrame(columns).reset_index()


def markdown(table: pd.DataFrame) -> str:
    """A GitHub table."""
    lines = ["| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns)]
    return "\n".join(
        [
            *lines,
            *("| " + " | ".join(map(str, row)) + " |" for row in table.itertuples(index=False)),
        ]
    )


def picture(table: pd.DataFrame) -> None:
    """The README's: before, after and never had, a line a genre, with 95 % intervals (EASE)."""
    rows = table[(table["model"] == "EASE") & (table["genre"] != "")]
    wide = rows.pivot(index="genre", columns="what").sort_values(("estimate", "exposed after"))
    kinds = {
        "as served before": ("o", "#777777", -0.22),
        "after": ("s", "#D55E00", 0.0),
        "never had": ("^", "#009E73", 0.22),
    }
    figure, axes = plt.subplots(figsize=(9, 5.2), layout="constrained")
    for row, (marker, colour, shift) in kinds.items():
        what = f"exposed {row}"
        mean, low, high = (wide[side, what] for side in ("estimate", "low", "high"))
        place = np.arange(len(wide)) + shift
        spread = [mean - low, high - mean]
        label = {"after": "after deleting it, exactly", "never had": "people who never had it"}
        shown = label.get(row, row)
        axes.errorbar(mean, place, xerr=spread, fmt=marker, color=colour, ms=8, label=shown)
    axes.set_yticks(range(len(wide)), wide.index, fontsize=13)
    axes.tick_params(axis="x", labelsize=12)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("share of users with a film of the genre in their top 10", fontsize=13)
    figure.legend(loc="outside lower center", ncols=3, fontsize=12, frameon=False)
    figure.savefig(ROOT / "docs" / "boomerang.png", dpi=100, metadata={"Software": None})
    plt.close(figure)


NOTES = """
How it was made. MovieLens 100K, ratings ≥ 4, 5-core: {users} users × {items:,} items, {rows:,} rows, all of them
training data; EASE λ = 100, ItemKNN k = 100, Popularity; top {k}. Every user with at least three films of a genre
(ItemKNN: 100 of them, drawn) deletes all of them, alone, exactly (equal to a refit); everybody else stays. Exposed:
at least one film of the genre in the top {k}. *As served before* masks the films the user is known to have seen,
*after* masks those still known. *Never had*: for each deleter the user without the genre whose number of films is
nearest to what the deleter has left, at most a tenth (or 2) more or fewer; *without a match*: deleters whom nobody is
like. Matches repeat (*matches*: how many different ones), so the intervals of that row and of AUC draw matches with
all their deleters; for the share it is Wilson's interval at the number of draws that they are worth. *Placebo*: as
many other films deleted, and how often one of *these* is offered again. Intervals: 95 %, Wilson for shares,
percentile bootstrap over users for differences. *AUC*: how often the mean score of the genre's films, by the model
after deletion, is higher for the deleter than for the match; .5 is chance. *Deleted films hidden*: the same without
the films the deleter deleted, for both. *Other films*: films outside the genre that neither had, which is what the
same comparison says about activity and taste at large. Genres: at least {few} users to delete and {never} who never
had it.

Not checked: other data sets, session and basket tasks, other cut-offs than {k}, matching on more than the number of
films, several users deleting at once, users who delete only a part of a genre; whether anybody minds being offered a
film again.
""".strip()


def main() -> None:
    """Run the grid, write and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    # where worker processes look too; no part of a config's hash
    os.environ[FOLDER] = str(options.data.resolve())
    log, _ = load()
    assert rule() == GENRES, "another copy of the data, or another filter"
    # ItemKNN picks the neighbours of every item anew for every request: 100 deleters a genre are
    # enough
    configs = [
        Cell(model=m, genre=g, users=100 if m == "ItemKNN" else None)
        for m in MODELS
        for g in GENRES
    ]
    configs += [Cell(model=m) for m in MODELS]
    runs = settings().runs / "boomerang"
    table = run(configs, cell, runs, options.jobs, data=log.fingerprint, version="3", progress=True)
    table = table[["model", "genre", "k", "what", "estimate", "low", "high", "n", "matches"]]
    RESULTS.mkdir(exist_ok=True)
    table.round(4).to_csv(RESULTS / "boomerang.csv", index=False, lineterminator="\n")
    notes = NOTES.format(
        users=log.n_users,
        items=log.n_items,
        rows=len(log),
        k=10,
        few=FEWEST_USERS,
        never=FEWEST_NEVER,
    )
    parts = [
        "# The boomerang",
        "Made by `python benchmarks/boomerang.py`; all numbers in `boomerang.csv`.",
    ]
    for model in MODELS:
        parts += [f"## {model}", markdown(per_genre(table, model))]
    parts += [
        "## Others",
        "One user leaves entirely: share of *other* users whose top 10 is another set.",
    ]
    others = table[table["genre"] == ""].set_index(["what", "model"])
    rows = []
    for model in MODELS:
        mean, most = (
            others.loc[("others changed", model)],
            others.loc[("others changed, most", model)],
        )
        share = f"{mean['estimate']:.3f} [{mean['low']:.3f}, {mean['high']:.3f}]"
        rows.append((model, share, f"{most['estimate']:.3f}", int(mean["n"])))
    parts += [
        markdown(pd.DataFrame(rows, columns=["model", "mean share", "largest share", "leavers"]))
    ]
    text = "\n\n".join([*parts, "## Notes", notes]) + "\n"
    (RESULTS / "boomerang.md").write_text(text, encoding="utf-8")
    picture(table)
    print(text)


if __name__ == "__main__":
    main()
