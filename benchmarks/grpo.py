"""What did the reward teach? The supervised simulator beside the same after GRPO, term by term.

    python benchmarks/grpo.py [--steps 120] [--only all without_length …]

A supervised simulator is trained (1,200 steps); then runs of GRPO on the same visits, from its weights:
all terms rewarded (two seeds, once for 300 steps, and once from the shipped simulator), each term left
out once, and training by the grammar. Measured on every shopper's last visit with a purchase, which no
run has seen: 16 visits imagined for each, at top-p .95, free and by the grammar; beside them what
learned nothing: less heat, and another seed of drawing. Resumes; runs are kept in `runs/grpo`, and lines of
the committed tables that are not made again stay (`kept.py`). Prints the figures beside what
`data/predictions.toml` expected. Half an hour on one core. Writes `benchmarks/results/grpo.csv`,
`grpo_log.csv`, `grpo_visits.csv` and `grpo.md`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from boomerang import RESULTS, markdown
from kept import merged
from predicted import expected, judged, word
from scipy.special import logsumexp

from workbench.data import Interactions, World, load_world
from workbench.recommend import list_metrics, top_k
from workbench.reports.recpilot import (
    Simulator,
    SimulatorConfig,
    SupervisedTraining,
    Visits,
    draw,
    last_visits,
    load_simulator,
    visits_of,
)
from workbench.reports.recpilot._grpo_run import GRPOConfig
from workbench.reports.recpilot._held import Held, covisits, distance
from workbench.reports.recpilot.gate import digest
from workbench.reports.recpilot.grpo import grpo
from workbench.reports.recpilot.rewards import TERMS, RewardConfig, Rewards
from workbench.reports.recpilot.supervised import short
from workbench.settings import settings
from workbench.statistics import bootstrap_mean
from workbench.whole import whole_file

DRAWS, SEED = 16, 1
STEPS, RATE = 120, 5e-4
"""Fewer and longer steps than the default, as long as the prototype's way."""
RUNS: Mapping[str, tuple[dict, dict]] = {  # name: what is rewarded, and how it is trained
    "all": ({}, {}),
    "without_length": ({"length": False}, {}),
    "without_outcome": ({"outcome": False}, {}),
    "all, seed 2": ({}, {"seed": 2}),
    "shipped, all": ({}, {}),
    "without_process": ({"process": False}, {}),
    "without_format": ({"format": False}, {}),
    "by_grammar": ({}, {"grammar": True}),
    "all, 300 steps": ({}, {"steps": 300}),
}
DRAWN: Mapping[str, tuple[str, float, int]] = {  # name: of which model, temperature, seed
    "supervised, T .7": ("supervised", 0.7, SEED),
    "supervised, T .5": ("supervised", 0.5, SEED),
    "supervised, drawn again": ("supervised", 1.0, SEED + 1),
    "shipped, T .7": ("shipped, supervised", 0.7, SEED),
    "shipped, all, T .7": ("shipped, all", 0.7, SEED),
}
"""Controls that learn nothing: a model drawn from with less heat, which also concentrates on what it
holds likely, and with other random numbers."""
AGAIN = "all, another seed"
"""The run of seed 2, held against that of seed 1: what a second run changes for no reason."""
BEGINS = ("supervised", *list(RUNS)[:4], AGAIN, "shipped, supervised", *list(RUNS)[4:])
"""The order of runs in the tables: each after what it starts from."""
VERSION = "1"
"""Raised when a run, or what is measured of it, changes its meaning."""
DECODING = {"free": False, "grammar": True}
SHOWN = ("shopper 72", "shopper 227")
"""Shoppers whose visits are kept to be read: the ones of notebooks 10 and 13."""


@dataclass(frozen=True)
class Setting:
    """What all runs share: the supervised simulator, the visits it was trained on, those it is asked
    about, and the log before these."""

    world: World
    supervised: Simulator
    train: Visits
    test: Visits
    before: Interactions

    @cached_property
    def vectors(self) -> np.ndarray:
        """(n_items, d) of the supervised simulator."""
        table = self.supervised.module.t5.shared.weight.detach().numpy()
        return table[self.supervised.vocabulary.items_from :].astype(np.float64)

    @cached_property
    def covisits(self) -> np.ndarray:
        """What no reward has seen."""
        return covisits(self.before)

    def rewards(self, **switched: bool) -> Rewards:
        """Some of the terms."""
        config = RewardConfig(**switched)
        return Rewards(self.vectors, self.supervised.vocabulary, config, self.covisits)

    @cached_property
    def seen(self) -> np.ndarray:
        """Products touched before the visit, (visits, n_items) of booleans."""
        return self.test.histories.matrix().toarray() > 0


def supervised_by(before: Interactions, folder: Path) -> Simulator:
    """The supervised simulator: with all remedies, and about as many steps as the prototype had."""
    kept = folder / "supervised"
    if not kept.exists():
        training = SupervisedTraining(steps=1_200, every=150, patience=8)
        simulator = Simulator(SimulatorConfig(training=training))
        simulator.fit(before, folder / "supervised_work").save(kept)
    return Simulator.load(kept)


def setting(folder: Path) -> Setting:
    """The shipped world and its supervised simulator; GRPO neither learns from spam accounts nor is
    asked about them."""
    world = load_world()
    spam = world.truth["users"]["spam"].to_numpy()
    before, test = last_visits(world.log)
    supervised = supervised_by(before, folder)
    train = visits_of(last_visits(before)[0])
    real = (v.select(np.flatnonzero(~spam[v.trajectories.user])) for v in (train, test))
    train, test = (short(supervised, visits) for visits in real)
    return Setting(world, supervised, train, test, before)


# --- runs -------------------------------------------------------------------------------------------


def trained(s: Setting, name: str, steps: int, folder: Path) -> tuple[Simulator, pd.DataFrame]:
    """A run, or what is kept of it."""
    switched, given = RUNS[name]
    config = GRPOConfig(**{"steps": steps, "learning_rate": RATE, "seed": SEED} | given)
    return grpo(s.supervised, s.train, s.rewards(**switched), config, folder)


def values_of(model: Simulator, s: Setting, name: str, folder: Path) -> pd.DataFrame:
    """What was measured of a run, kept in its folder; ablations and controls are decoded freely
    alone."""
    parts, free = [], name.startswith("without") or name in DRAWN
    for decoding in ["free"] if free else DECODING:
        kept = folder / f"values_{decoding}.csv"
        if not kept.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with whole_file(kept) as new:
                found = measured(model, s, decoding, *DRAWN.get(name, ("", 1.0, SEED))[1:])
                found.to_csv(new, index=False)
        parts.append(pd.read_csv(kept).assign(run=name, decoding=decoding))
    table = pd.concat(parts, ignore_index=True)
    return table.assign(identity=identity(name, digest(model)), base=base_of(s))


def identity(name: str, weights: str) -> str:
    """Of a run: how it is rewarded, trained and drawn from, and its weights."""
    facts = (VERSION, name, RUNS.get(name), DRAWN.get(name), RATE, DRAWS, weights)
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def base_of(s: Setting) -> str:
    """Of what all runs share: the log, and the model whose vectors measure."""
    facts = (VERSION, s.world.log.fingerprint, digest(s.supervised))
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def measured(
    model: Simulator, s: Setting, decoding: str, temperature: float, seed: int
) -> pd.DataFrame:
    """What visits imagined for every test shopper earn and are, their mean a shopper; and NDCG@10 of
    the purchase: [user, measure, value]."""
    grammar = DECODING[decoding]
    told = {"top_p": 0.95, "temperature": temperature, "grammar": grammar, "seed": seed}
    drawn = draw(model, s.test.histories, DRAWS, **told)
    real = s.test.trajectories.tokens(model.vocabulary)
    rewards = s.rewards()
    terms = rewards.terms(drawn.tokens, real, s.test.trajectories.user)
    found = {name: values.mean(axis=1) for name, values in terms.items()}
    found["total"] = rewards.total(terms).mean(axis=1)
    found["total_without_format"] = rewards.total(terms, without=("format",)).mean(axis=1)
    found["violations"] = 1.0 - drawn.valid.mean(axis=1)
    held = Held.of(drawn.tokens.reshape(-1, drawn.tokens.shape[2]), model.vocabulary)
    found |= shapes(held, s.seen, DRAWS)
    # every product by the mixture over the visits; one that never came to a purchase adds nothing
    scores = logsumexp(drawn.purchase, axis=1)
    found |= {name: ndcg(scores, s, name == "ndcg_novel") for name in ("ndcg", "ndcg_novel")}
    table = pd.DataFrame({"user": s.test.trajectories.user} | found)
    return table.melt("user", var_name="measure").dropna(ignore_index=True)


def shapes(held: Held, before: np.ndarray, n: int) -> dict[str, np.ndarray]:
    """What visits are like, n a shopper: rows, share of distinct products, share of products that
    the shopper knew, products bought, how far they lie apart."""
    seen = held.seen.reshape(len(before), n, -1)
    products = np.maximum(seen.sum(axis=2), 1)
    found = {
        "rows": held.rows.reshape(-1, n),
        "distinct": products / np.maximum(held.rows.reshape(-1, n), 1),
        "known": (seen & before[:, None]).sum(axis=2) / products,
        "bought": held.bought.sum(axis=1).reshape(-1, n),
    }
    found = {name: values.mean(axis=1) for name, values in found.items()}
    return found | ({"distance": distance(seen)} if n > 1 else {})


def ndcg(scores: np.ndarray, s: Setting, novel: bool) -> np.ndarray:
    """NDCG@10 of what is bought; novel: of products not touched before, NaN where there is none."""
    targets = s.test.trajectories.bought()
    targets = targets & ~s.seen if novel else targets
    lists = top_k(scores, 10, s.seen if novel else None)
    gains = np.take_along_axis(targets, lists, axis=1).astype(float)
    judged = -np.sort(-targets.astype(float), axis=1)[:, :20]
    return np.where(targets.any(axis=1), list_metrics(gains, judged, 10)["ndcg"], np.nan)


def of_real(s: Setting) -> pd.DataFrame:
    """The same of the visits that took place, where it can be asked."""
    vocabulary = s.supervised.vocabulary
    held = Held.of(s.test.trajectories.tokens(vocabulary), vocabulary)
    table = pd.DataFrame({"user": s.test.trajectories.user} | shapes(held, s.seen, 1))
    table = table.melt("user", var_name="measure").assign(run="real visits", decoding="")
    return table.assign(identity="", base=base_of(s))


def against(values: pd.DataFrame) -> pd.DataFrame:
    """[run, decoding, measure, value, low, high, n, minus, less, less_low, less_high]: means over
    shoppers, and the difference to the supervised model of the same decoding, paired; ablations also
    less the run with all."""
    rows = []
    second = values[values["run"] == "all, seed 2"]
    values = pd.concat([values, second.assign(run=AGAIN)], ignore_index=True)
    for (decoding, measure), part in values.groupby(["decoding", "measure"], sort=False):
        wide = part.pivot(index="user", columns="run", values="value")
        for run in dict.fromkeys(part["run"]):
            for minus in bases(run, wide) or [""]:
                own = (run, decoding, measure, *bootstrap_mean(wide[run].dropna(), shares=False))
                less = (np.nan,) * 3
                if minus:
                    apart = (wide[run] - wide[minus]).dropna()
                    less = bootstrap_mean(apart, shares=False)
                rows.append((*own, int(wide[run].notna().sum()), minus, *less))
    columns = ["run", "decoding", "measure", "value", "low", "high", "n", "minus"]
    table = pd.DataFrame(rows, columns=[*columns, "less", "less_low", "less_high"])
    if "identity" in values:
        about = values.drop_duplicates("run").set_index("run")[["identity", "base"]]
        table = table.join(about, on="run")
    return table


def bases(run: str, there: Collection[str]) -> list[str]:
    """What a run is held against: the model that it started from, and an ablation the whole run."""
    own = "shipped, supervised" if run.startswith("shipped") else "supervised"
    also = {"all, 300 steps": "all", "by_grammar": "all", "shipped, all, T .7": "shipped, all"}
    both = [own, "all"] if run.startswith("without") else [own, also.get(run, "")]
    both = ["all"] if run == AGAIN else both
    return [name for name in both if name in there and name != run]


def to_read(model: Simulator, s: Setting, run: str) -> pd.DataFrame:
    """Eight visits of two shoppers, a row a deed: [run, shopper, visit, action, item]."""
    users = [s.world.log.user_code(name) for name in SHOWN]
    rows = np.flatnonzero(np.isin(s.test.trajectories.user, users))
    drawn = draw(model, s.test.select(rows).histories, 8, top_p=0.95, seed=SEED)
    table = drawn.trajectories().to_frame()
    table["shopper"] = s.world.log.users[table["user"]]
    table["item"] = s.world.log.items[table["item"]]
    table["visit"] = 1 + table["visit"] - table.groupby("shopper")["visit"].transform("min")
    return table.assign(run=run)[["run", "shopper", "visit", "action", "item"]]


# --- the page ---------------------------------------------------------------------------------------

MEASURES = {
    "total": "total reward",
    "total_without_format": "the same without the format term",
    "outcome": "R_O, what it buys was bought",
    "process": "R_P, what it looks at is like what was looked at",
    "length": "R_L, as long",
    "format": "R_F, keeps to the grammar",
    "recall": "recall side of R_P (not rewarded)",
    "unseen": "R_P by visits in common (the reward never saw it)",
    "distance": "distance among the visits of one shopper",
    "violations": "visits that break the grammar",
    "rows": "rows a visit",
    "bought": "products bought",
    "distinct": "distinct products / rows",
    "known": "products that the shopper knew",
    "ndcg": "NDCG@10 of the purchase, all",
    "ndcg_novel": "NDCG@10 of the purchase, novel",
}
SIGNED, PLAIN = "{:+.3f} [{:+.3f}, {:+.3f}]", "{:.3f} [{:.3f}, {:.3f}]"


def value_of(table: pd.DataFrame, run: str, measure: str, decoding: str = "free") -> pd.Series:
    """The line of a run, less the supervised model where there is a difference."""
    asked = {"run": run, "measure": measure, "decoding": decoding}
    found = table.loc[(table[list(asked)] == list(asked.values())).all(axis=1)]
    return found.iloc[0]


TAUGHT = {
    "all": "GRPO, seed 1",
    "all, seed 2": "GRPO, seed 2",
    "all, 300 steps": "300 steps",
    "by_grammar": "trained by the grammar",
    "shipped, all": "from the shipped",
}


def side_by_side(
    table: pd.DataFrame, decoding: str, runs: Mapping[str, str] = TAUGHT
) -> pd.DataFrame:
    """The supervised model, and of runs the paired difference to what they started from."""
    rows, real = [], table[table["run"] == "real visits"].set_index("measure")["value"]
    there = set(table.loc[table["decoding"] == decoding, "run"])
    for measure, said in MEASURES.items():
        line = {"": said}
        one = value_of(table, "supervised", measure, decoding)
        line["supervised"] = PLAIN.format(one["value"], one["low"], one["high"])
        for run in [run for run in runs if run in there]:
            one = value_of(table, run, measure, decoding)
            less = SIGNED.format(one["less"], one["less_low"], one["less_high"])
            base = "the shipped" if one["minus"].startswith("shipped") else "supervised"
            line[f"{runs[run]}, less {base}"] = less
        rows.append(line | {"real": f"{real[measure]:.3f}" if measure in real else ""})
    return pd.DataFrame(rows)


LEFT_OUT = ("total_without_format", *TERMS, "rows", "distance", "ndcg", "ndcg_novel")
"""What is told of a run without a term."""


def ablations(table: pd.DataFrame) -> pd.DataFrame:
    """Runs without a term less the run with all, and the same with nothing left out but another
    seed; in brackets the interval over shoppers."""
    rows, less = [], table[(table["minus"] == "all") & (table["decoding"] == "free")]
    there = set(less["run"])
    for run in [run for run in (*RUNS, AGAIN) if run.startswith("without") or run == AGAIN]:
        said = "null: nothing, another seed" if run == AGAIN else run.replace("_", " ")
        line = {"": said} | dict.fromkeys(LEFT_OUT, "not run")
        for measure in LEFT_OUT if run in there else ():
            one = value_of(less, run, measure)
            line[measure] = SIGNED.format(one["less"], one["less_low"], one["less_high"])
        rows.append(line)
    if AGAIN not in there and "all, seed 2" in set(table["run"]):
        # two means of the same shoppers: the difference is known, its interval is not
        for measure in LEFT_OUT:
            one, other = (value_of(table, run, measure) for run in ("all, seed 2", "all"))
            rows[-1][measure] = f"{one['value'] - other['value']:+.3f}"
    # what learned nothing at all
    line = {"": "null: no learning (supervised)"}
    for measure in LEFT_OUT:
        one = value_of(table, "all", measure)
        line[measure] = SIGNED.format(-one["less"], -one["less_high"], -one["less_low"])
    return pd.DataFrame([*rows, line])


def variances(log: pd.DataFrame) -> pd.DataFrame:
    """Of every run, each term in its first and last ten steps: the mean, and after the stroke the
    variance within a group, which is what can teach."""
    rows = []
    for run, steps in log.groupby("run", sort=False):
        ends = {"first": steps.head(10), "last": steps.tail(10)}
        line = {"": run.replace("_", " "), "steps": len(steps)}
        for name in ("total", "total_without_format", *TERMS):
            cells = [
                f"{e[name].mean():.3f} / {e[f'{name}_variance'].mean():.3f}" for e in ends.values()
            ]
            line[name] = " → ".join(cells)
        rows.append(line)
    return pd.DataFrame(rows)


def more(table: pd.DataFrame) -> pd.DataFrame:
    """What was expected of the later runs, beside what was measured."""
    asked = {
        "grammar_total_without_format": ("by_grammar", "total_without_format", "supervised"),
        "grammar_ndcg": ("by_grammar", "ndcg", "supervised"),
        "grammar_violations_free": ("by_grammar", "violations", "supervised"),
        "steps_300_total_less_all": ("all, 300 steps", "total", "all"),
        "steps_300_distance_less_all": ("all, 300 steps", "distance", "all"),
        "steps_300_ndcg_less_all": ("all, 300 steps", "ndcg", "all"),
        "shipped_cool_ndcg": ("shipped, T .7", "ndcg", "shipped, supervised"),
        "shipped_taught_cool_ndcg": ("shipped, all, T .7", "ndcg", "shipped, supervised"),
        "shipped_taught_cool_less_taught_ndcg": ("shipped, all, T .7", "ndcg", "shipped, all"),
        "another_seed_total": (AGAIN, "total", "all"),
        "drawn_again_ndcg": ("supervised, drawn again", "ndcg", "supervised"),
        "drawn_again_total": ("supervised, drawn again", "total", "supervised"),
    }
    numbers = dict.fromkeys(asked, float("nan"))
    for name, (run, measure, minus) in asked.items():
        by = "grammar" if name in ("grammar_total_without_format", "grammar_ndcg") else "free"
        keys = {"run": run, "measure": measure, "minus": minus, "decoding": by}
        found = table[(table[list(keys)] == list(keys.values())).all(axis=1)]
        if len(found):
            numbers[name] = round(float(found["less"].iloc[0]), 4)
    return judged(numbers, expected("grpo_more"), ".2f", ".3f")


def shares(table: pd.DataFrame, run: str = "all", decoding: str = "free") -> dict[str, float]:
    """Of the total's rise over the supervised model, the share of each term."""
    rise = value_of(table, run, "total", decoding)["less"]
    return {name: value_of(table, run, name, decoding)["less"] / rise for name in TERMS}


def verdicts(table: pd.DataFrame, log: pd.DataFrame, predicted: Mapping) -> pd.DataFrame:
    """Every prediction beside what was measured."""
    found: dict[tuple[str, str], float] = {}
    share = shares(table)
    first = log[log["run"] == "all"]
    for part, lines in predicted.items():
        for line in lines if isinstance(lines, dict) else ():
            if line == "share_format_and_length":
                found[part, line] = share["format"] + share["length"]
            elif part in ("change", "by_grammar"):
                decoding = "free" if part == "change" else "grammar"
                found[part, line] = value_of(table, "all", line, decoding)["less"]
            elif part == "steps":
                per = {"seconds": first["seconds"].median(), "skipped": first["skipped"].mean()}
                found[part, line] = per[line] / (16 if line == "skipped" else 1)
            else:
                run, measure = line.rsplit("_", 1)
                rows = table[table["minus"] == "all"]
                if run in set(rows["run"]):
                    found[part, line] = value_of(rows, run, measure)["less"]
    rows = []
    for (part, line), value in found.items():
        low, high = predicted[part][line]
        value = round(value, 4)
        said = word(value, low, high)
        rows.append((part, line, f"{low:.2f} to {high:.2f}", f"{value:.3f}", said))
    rows += orders(table, predicted)
    return pd.DataFrame(rows, columns=["part", "number", "predicted", "measured", "verdict"])


def orders(table: pd.DataFrame, predicted: Mapping) -> list[tuple]:
    """Which term rose most, whether R_O moved, whether NDCG followed."""
    risen = {name: value_of(table, "all", name)["less"] for name in TERMS}
    order = sorted(risen, key=risen.get, reverse=True)
    moved, followed = (value_of(table, "all", m)["less_low"] > 0 for m in ("outcome", "ndcg"))
    both = [
        ("order", ", ".join(predicted["order"]), ", ".join(order)),
        ("outcome_moves", predicted["outcome_moves"], bool(moved)),
        ("ndcg_follows", predicted["ndcg_follows"], bool(followed)),
    ]
    return [("", *one, "as predicted" if one[1] == one[2] else "other") for one in both]


def of_all_runs(table: pd.DataFrame) -> str:
    """Whether the ranking follows in every run with all terms: the verdicts are of one."""
    there = set(table["run"])
    runs = [run for run in ("all", "all, seed 2", "shipped, all") if run in there]
    lines = [value_of(table, run, "ndcg") for run in runs]
    said = (SIGNED.format(one["less"], one["less_low"], one["less_high"]) for one in lines)
    told = "; ".join(f"{run}: {change}" for run, change in zip(runs, said, strict=True))
    follows = sum(one["less_low"] > 0 for one in lines)
    return (
        "Verdicts are of the first seed. NDCG@10, free decoding, less the model that a run started from, lies above 0 "
        f"in {follows} of {len(runs)} runs with all terms ({told})."
    )


def page(s: Setting, table: pd.DataFrame, log: pd.DataFrame) -> str:
    """The results as Markdown."""
    path = settings().data / "predictions.toml"
    predicted = tomllib.loads(path.read_text(encoding="utf-8"))["grpo"]
    seconds = log.loc[log["run"] == "all", "seconds"].median()
    asked = (*RUNS, *DRAWN)
    missing = [run.replace("_", " ") for run in asked if run not in set(table["run"])]
    said = {
        d: ", ".join(f"{n} {v:.0%}" for n, v in shares(table, "all", d).items()) for d in DECODING
    }
    text = [
        "# What did the reward teach?",
        "",
        "Made by `python benchmarks/grpo.py`.",
        "",
        f"{s.world!r}. A simulator was trained for 1,200 supervised steps, then by GRPO for "
        f"{(log['run'] == 'all').sum()} steps of 16 visits × 8, on {len(s.train):,} visits with a purchase. Measured "
        f"on {len(s.test)} shoppers' last one, which no run has seen: {DRAWS} imagined visits each at "
        "top-p .95. 95 % of resampled shoppers; the supervised model is one, so nothing is said of others.",
        "",
        f"A step took {seconds:.2f} s of process time on one core that was shared (median; goal .4 s).",
        "",
        "## Supervised beside GRPO, free decoding",
        "",
        markdown(side_by_side(table, "free")),
        "",
        f"Share of the total's rise (seed 1): {said['free']}.",
        "",
        "## Nothing learned: less heat, and drawn again",
        "",
        markdown(side_by_side(table, "free", {name: name for name in DRAWN})),
        "",
        "*shipped, all, T .7* has learned; beside it stands the shipped as it was, at T 1.",
        "",
        "## The same models, decoding by the grammar",
        "",
        markdown(side_by_side(table, "grammar")),
        "",
        f"Share of the total's rise (seed 1): {said['grammar']}.",
        "",
        "## Without a term, less the run with all (seed 1, free decoding)",
        "",
        markdown(ablations(table)),
        "",
        "## Each term in training: mean / variance within a group, first ten steps → last ten",
        "",
        markdown(variances(log)),
        "",
        "## More runs, beside what was predicted (`[grpo_more]`)",
        "",
        markdown(more(table)),
        "",
        "## What was predicted (`data/predictions.toml`, never changed)",
        "",
        markdown(verdicts(table, log, predicted)),
        "",
        of_all_runs(table),
        "",
        *([f"Not run here: {'; '.join(missing)}.", ""] if missing else []),
        "The generated world is no evidence about shops.",
    ]
    return "\n".join(text) + "\n"


def ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Lines by decoding, measure and run, in one order whichever were made again."""
    drawn = [[name for name, of in DRAWN.items() if of[0] == run] for run in BEGINS]
    runs = [name for run, after in zip(BEGINS, drawn, strict=True) for name in (run, *after)]
    places = {
        "decoding": ["", *DECODING],
        "measure": list(dict.fromkeys(table["measure"])),
        "run": ["real visits", *runs],
    }
    # the same measure may come first with the real visits, which are not asked for all
    ranks = {k: {name: n for n, name in enumerate(names)} for k, names in places.items()}
    keys = {k: table[k].fillna("").map(ranks[k]) for k in places}
    return table.loc[table.assign(**keys).sort_values([*places], kind="stable").index]


def write(s: Setting, parts: list, logs: list, read: list) -> None:
    """The tables and the page of the runs so far, and of those that were committed."""
    parts, logs = (pd.concat(part, ignore_index=True) for part in (parts, logs))
    base = base_of(s)
    table = ordered(merged(against(parts), RESULTS / "grpo.csv", "run", base))
    table.to_csv(RESULTS / "grpo.csv", index=False, float_format="%.4f")
    logs = merged(logs, RESULTS / "grpo_log.csv", "run", base)
    logs.to_csv(RESULTS / "grpo_log.csv", index=False, float_format="%.4g")
    # the page says what the files say, to the digit
    table, log = (pd.read_csv(RESULTS / name) for name in ("grpo.csv", "grpo_log.csv"))
    if len(read) > 1:
        pd.concat(read).to_csv(RESULTS / "grpo_visits.csv", index=False)
    text = page(s, table, log)
    (RESULTS / "grpo.md").write_text(text, encoding="utf-8")


def main() -> None:
    """Train, measure, write the page after each run, print it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--only", nargs="*", default=[*RUNS], choices=RUNS)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    folder = settings().runs / "grpo"
    s = setting(folder)
    parts, logs, read = [of_real(s)], [], [to_read(s.supervised, s, "supervised")]
    models = {"supervised": s.supervised, "shipped, supervised": load_simulator()}
    kept = {"supervised": folder / "measured", "shipped, supervised": folder / "measured_shipped"}
    for name in asked.only:
        where = folder / f"{name.replace(', ', '_').replace(' ', '_')}_{asked.steps}"
        start = "shipped, supervised" if name.startswith("shipped") else "supervised"
        base = replace(s, supervised=models[start])
        models[name], log = trained(base, name, asked.steps, where)
        told = {"run": name, "identity": identity(name, digest(models[name])), "base": base_of(s)}
        logs.append(log.assign(**told))
        kept[name] = where
        read += [to_read(models[name], s, name)] if name == "all" else []
        write(s, parts + values_of_all(s, models, kept), logs, read)
        print(f"{name}: {log['seconds'].sum():.0f} s", flush=True)


def values_of_all(s: Setting, models: Mapping[str, Simulator], kept: Mapping[str, Path]) -> list:
    """What was measured of every model, and of what is drawn from them without learning."""
    # all are measured by the vectors of one model
    parts = [values_of(model, s, name, kept[name]) for name, model in models.items()]
    for name, (model, temperature, seed) in DRAWN.items():
        where = kept.get(model, Path()) / f"drawn {temperature} {seed}"
        if model in models:
            parts.append(values_of(models[model], s, name, where))
    return parts


if __name__ == "__main__":
    main()
