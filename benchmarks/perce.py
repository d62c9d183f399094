"""Does training on personal words help? Token losses beside cross-entropy on PersonaWorld, paired
by seed.

    python benchmarks/perce.py [--seeds 5] [--jobs 1] [--regimes fine_tune fine_tune_short …]

Every run starts from the same weights as the others of its seed and reads the same texts in the
same order. Resumes (`runs/perce`). Writes `results/perce.csv` (all runs), `.md`, `.png` and
`perce_changes.csv`; what was expected stands in `data/predictions.toml`.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import tomllib
from functools import cache
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from boomerang import RESULTS, markdown
from pydantic import BaseModel, ConfigDict
from sklearn.metrics import roc_auc_score

from workbench import tokens
from workbench.language import load_causal_lm
from workbench.runs import run
from workbench.settings import settings
from workbench.statistics import paired_bootstrap
from workbench.tokens.finetune import FineTuneConfig, fine_tune
from workbench.tokens.objective import carry
from workbench.tokens.small_models import BaseConfig, train_base
from workbench.tokens.weights import (
    CE,
    DFT,
    EntCE,
    FrozenTeacher,
    LossCE,
    NextQuill,
    Oracle,
    PerCE,
    Permuted,
)
from workbench.worlds.persona import PersonaWorld

MATCHED = 1.25  # a PerCE step costs about 1 + 37 / (3 · 48) plain steps
LOSSES: dict[str, Any] = {
    "CE": CE(),
    "CE, 25 % more steps": CE(),
    "PerCE": PerCE(),
    "PerCE, m = 0.2": PerCE(m=0.2),
    "permuted": Permuted(loss=PerCE()),
    "NextQuill": NextQuill(),
    "NextQuill, weights alone": NextQuill(alpha=0),
    "LossCE": LossCE(),
    "EntCE": EntCE(),
    "DFT": DFT(),
    "frozen teacher": FrozenTeacher(),
    "oracle": Oracle(),
}
REGIMES: dict[str, dict[str, Any]] = {
    "fine_tune": {
        "texts": 300,
        "steps": 300,
        "rate": 1e-3,
        "losses": [x for x in LOSSES if x != "frozen teacher"],
    },
    "fine_tune_short": {
        "texts": 300,
        "steps": 130,
        "rate": 1e-3,
        "losses": ["CE", "PerCE", "permuted", "LossCE", "EntCE"],
    },
    "fine_tune_fast": {
        "texts": 300,
        "steps": 300,
        "rate": 5e-3,
        "losses": ["CE", "PerCE", "permuted"],
    },
    "half_trained": {
        "texts": 500,
        "steps": 300,
        "rate": 1e-3,
        "losses": ["CE", "PerCE", "LossCE", "permuted"],
    },
    "from_scratch": {
        "texts": 4000,
        "steps": 600,
        "rate": 2e-3,
        "losses": ["CE", "PerCE", "frozen teacher"],
    },
}
TITLES = {
    "fine_tune": "A new task, 300 texts, rate 1e-3",
    "fine_tune_short": "The same, stopped after 130 steps, where the pilot's cross-entropy stood",
    "fine_tune_fast": "The same at five times the rate",
    "half_trained": "A half-trained model, 500 texts of its own task",
    "from_scratch": "From random weights, 4,000 texts, 600 steps",
}
MEASURES = ["personal_nll", "generic_nll", "gap", "generic_gap", "old_personal_nll"]
HELD_OUT, HELD_OUT_SEED = 256, 77


class Cell(BaseModel):
    """One training."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    regime: str
    loss: str
    seed: int


@cache
def base(kind: str, seed: int) -> tuple[Any, Any]:
    """The model that a run starts from, and the tokenizer."""
    model, tokenizer = load_causal_lm("persona-world")
    if kind == "converged":
        return model, tokenizer
    world = PersonaWorld()
    model = world.base_model(seed)
    if kind == "half_trained":
        examples = tokens.examples_of(world.corpus(8000, seed=1000 + seed))
        train_base(
            model,
            tokenizer,
            tokens.make_pairs(examples, tokenizer),
            BaseConfig(steps=400, seed=seed),
        )
    return model, tokenizer


def held_out(model: Any, tokenizer: Any, corpus: Any) -> tuple[dict[str, float], pd.DataFrame]:
    """Means over people who wrote none of the training texts, and the marked token table of the
    model's own PIR."""
    examples = tokens.examples_of(corpus)

    def mark(table: pd.DataFrame) -> pd.DataFrame:
        return tokens.mark(table, corpus, examples)

    found = tokens.personal_and_generic(model, tokenizer, examples, mark, seed=HELD_OUT_SEED)
    scored = tokens.score_tokens(model, tokenizer, tokens.make_pairs(examples, tokenizer))
    return found.groupby("measure")["value"].mean().to_dict(), mark(scored)


def once(cell: Cell) -> pd.DataFrame:
    """Train with one loss and measure on people held out, on the task it learnt and on the one it
    knew before."""
    regime, world = REGIMES[cell.regime], PersonaWorld()
    kind = {"half_trained": "half_trained", "from_scratch": "random"}.get(cell.regime, "converged")
    model, tokenizer = base(kind, cell.seed)
    new_task = kind == "converged"
    corpus = world.corpus(regime["texts"], seed=2000 + cell.seed, new_task=new_task)
    examples = tokens.examples_of(corpus, seed=cell.seed)
    pairs = tokens.make_pairs(examples, tokenizer)
    if cell.loss in ("frozen teacher", "oracle"):
        teacher, _ = load_causal_lm("persona-world")
        scored = tokens.score_tokens(teacher, tokenizer, pairs, batch_size=64)
        pairs = carry(pairs, tokens.mark(scored, corpus, pairs), teacher="pir", personal="personal")
    steps = round(regime["steps"] * (MATCHED if "more steps" in cell.loss else 1))
    warm_up = 100 if kind == "random" else 20
    config = FineTuneConfig(steps=steps, learning_rate=regime["rate"], warm_up=warm_up)
    tuned, record = fine_tune(model, tokenizer, pairs, LOSSES[cell.loss], config, seed=cell.seed)
    values, scored = held_out(
        tuned, tokenizer, world.corpus(HELD_OUT, seed=HELD_OUT_SEED, new_task=new_task)
    )
    if new_task:
        before, _ = held_out(tuned, tokenizer, world.corpus(HELD_OUT, seed=HELD_OUT_SEED))
        values |= {"old_personal_nll": before["personal_nll"]}
    auc = roc_auc_score(scored["personal"], scored["pir"])
    return pd.DataFrame([values | {"pir_auc": auc, "seconds": record.seconds, "steps": steps}])


def differences(table: pd.DataFrame) -> pd.DataFrame:
    """Change of every measure against cross-entropy of the same seed, as a share of it, with an
    interval over seeds.

    `minus` is "" there, and "permuted" in the rows that pair PerCE with its control.
    """
    rows = []
    for regime, part in table.groupby("regime", sort=False):
        plain = part[part["loss"] == "CE"].set_index("seed")
        for measure in [name for name in MEASURES if name in part and part[name].notna().any()]:
            size = part.assign(value=part[measure] / part["seed"].map(plain[measure]) - 1)
            size = size[size["loss"] != "CE"].assign(measure=measure)
            size = size.sort_values("loss", key=lambda loss: loss != "permuted", kind="stable")
            found = paired_bootstrap(size, "loss", unit="seed", within=["measure"])
            control = (found["minus"] == "permuted") & (found["loss"] == "PerCE")
            rows.append(found[(found["minus"] == "") | control].assign(regime=regime))
    return pd.concat(rows, ignore_index=True)


def said(one: Any) -> str:
    """A change with its interval, in per cent."""
    return f"{one.estimate:+.1%} [{one.low:+.1%}, {one.high:+.1%}]"


def beside(one: Any, limits: list[float]) -> dict[str, str]:
    """A change beside the range that was written down before: [expected, measured, verdict]."""
    low, high = limits
    inside = low <= one.estimate <= high
    verdict = (
        "as expected"
        if inside
        else "outside"
        if one.high < low or one.low > high
        else "interval touches it"
    )
    return {"expected": f"{low:+.0%} to {high:+.0%}", "measured": said(one), "verdict": verdict}


def told(table: pd.DataFrame, change: pd.DataFrame, regime: str) -> pd.DataFrame:
    """One row per loss: means over seeds, and the change against cross-entropy with its
    interval."""
    part = table[table["regime"] == regime]
    rows = []
    for loss in part["loss"].unique():
        mine = part[part["loss"] == loss]
        row = {"loss": loss, "seeds": len(mine)}
        for measure in [name for name in MEASURES if mine[name].notna().any()] if len(mine) else []:
            cell = f"{mine[measure].mean():.4f}"
            some = change[
                (change["regime"] == regime)
                & (change["loss"] == loss)
                & (change["measure"] == measure)
            ]
            if len(some) and measure != "generic_gap":
                cell += f" ({said(some.iloc[0])})"
            row[measure] = cell
        rows.append(row | {"PIR AUC": f"{mine['pir_auc'].mean():.3f}"})
    return pd.DataFrame(rows)


def expected(change: pd.DataFrame) -> pd.DataFrame:
    """What `data/predictions.toml` says beside what came out."""
    pilot = tomllib.loads((settings().data / "predictions.toml").read_text(encoding="utf-8"))[
        "pilot"
    ]
    short = {
        "PerCE": "perce",
        "frozen teacher": "teacher",
        "LossCE": "loss_selected",
        "EntCE": "entropy_selected",
    }
    # the pilot ran the weights without their term; the line says NextQuill: judged on both
    short |= {"NextQuill, weights alone": "nextquill", "NextQuill": "nextquill"}
    rows = []
    for one in change.itertuples(index=False):
        name = short.get(one.loss, one.loss.lower())
        old = one.measure.startswith("old_")
        where, what = (
            ("transfer", one.measure.removeprefix("old_")) if old else (one.regime, one.measure)
        )
        limits = pilot.get(where, {}).get(f"{name}_{what}")
        if limits is None or (old and one.regime != "fine_tune"):
            continue
        rows.append({"regime": where, "loss": one.loss, "measure": what} | beside(one, limits))
    return pd.DataFrame(rows)


def against_control(change: pd.DataFrame) -> pd.DataFrame:
    """PerCE less its permuted control, by regime: what the place of the weights does, and not their
    scale."""
    wanted = change["measure"].isin(["personal_nll", "generic_nll", "gap"]) & (
        change["minus"] == "permuted"
    )
    part = change[wanted].copy()
    part["cell"] = [said(one) for one in part.itertuples()]
    wide = part.pivot(index="regime", columns="measure", values="cell")
    wide = wide.loc[list(dict.fromkeys(part["regime"])), list(dict.fromkeys(part["measure"]))]
    return wide.reset_index()


def pareto(table: pd.DataFrame) -> None:
    """Personal against other words in the fine-tuning regime: a small mark a run, a large one the
    mean of a loss.

    EntCE and DFT lie so far above that the others could not be told apart: they are left out.
    """
    near = table[(table["regime"] == "fine_tune") & ~table["loss"].isin(["EntCE", "DFT"])]
    figure, axes = plt.subplots(figsize=(8, 5.5), layout="constrained")
    known = {
        "CE": "#000000",
        "PerCE": "#D55E00",
        "permuted": "#E69F00",
        "oracle": "#0072B2",
        "LossCE": "#009E73",
    }
    for shape, (loss, runs) in zip("os^vDPX*h", near.groupby("loss", sort=False), strict=True):
        places, colour = runs[["generic_nll", "personal_nll"]], known.get(loss, "#999999")
        axes.scatter(*places.to_numpy().T, marker=shape, s=25, alpha=0.4, color=colour)
        axes.scatter(
            *places.mean(),
            marker=shape,
            s=160,
            color=colour,
            edgecolor="white",
            label=loss,
            zorder=3,
        )
    axes.set(xlabel="−log p of other words (nats)", ylabel="−log p of personal words (nats)")
    axes.set_title("Lower left is better. Small: a seed; large: the mean")
    axes.legend(fontsize=9, ncols=2)
    figure.savefig(RESULTS / "perce.png", dpi=110)


NOTE = """
{seeds} seeds. Held out: 256 people who wrote none of the training texts. −log p in nats a word, mean over texts;
*gap*: log p with the own persona less log p with another user's, on personal words; *generic_gap*: the same on all
other words, its null; *old_personal_nll*: personal words of the task that the model knew before. In brackets: change
against cross-entropy of the same seed, with a 95 % interval over seeds (Student's t).
*CE, 25 % more steps* has the arithmetic of PerCE; *permuted* deals PerCE's weights out at random; *oracle* knows the
planted words (5 and 0.8). What is expected is what a pilot measured, with three seeds, another library and a model that
had learnt its world less well: its cross-entropy ended at 1.17 nats on personal words. The world is generated: this is
a unit test of losses, no result about people.

`nextquill_gap` was first judged on NextQuill with its term, and printed as missed; later on its weights alone, which
is what the pilot had run, and printed as a hit, without a word. Both rows stand now, and the
prediction counts as missed: it did not say which.

The run of 130 steps was to test whether the first table misses some of the pilot's numbers because it is further along
than the pilot was. The answer is no: where cross-entropy stands as it stood there, PerCE, its control and LossCE are
all behind it. What the misses come from is not known (another library, other templates, seeds).
""".strip()


def main() -> None:
    """Run the grid, write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--regimes", nargs="+", default=list(REGIMES), choices=list(REGIMES))
    options = parser.parse_args()
    seeds = range(1, options.seeds + 1)
    grid = [
        Cell(regime=r, loss=x, seed=s)
        for r in options.regimes
        for s in seeds
        for x in REGIMES[r]["losses"]
    ]
    table = run(grid, once, settings().runs / "perce", options.jobs, progress=True)
    table = table.reindex(columns=[*dict.fromkeys([*table.columns, *MEASURES])])
    table.drop(columns="run").round(6).to_csv(RESULTS / "perce.csv", index=False)
    every = differences(table)
    every.round(6).to_csv(RESULTS / "perce_changes.csv", index=False)
    change = every[every["minus"] == ""]
    parts = [f"## {TITLES[r]}\n\n{markdown(told(table, change, r))}" for r in options.regimes]
    machine = (
        f"{datetime.date.today()}: {os.cpu_count()} cores, {platform.machine()}, shared "
        f"with other work."
    )
    page = "\n\n".join(
        [
            "# Token losses on PersonaWorld",
            "Made by `python benchmarks/perce.py`; all runs: `perce.csv`.",
            *parts,
            f"## PerCE less its permuted control\n\n{markdown(against_control(every))}",
            "![Personal against other words, the first of these regimes](perce.png)",
            f"## Expected and measured\n\n{markdown(expected(change))}",
            NOTE.format(seeds=options.seeds),
            machine,
        ]
    )
    (RESULTS / "perce.md").write_text(page + "\n", encoding="utf-8")
    if "fine_tune" in options.regimes:
        pareto(table)
    print(page)


if __name__ == "__main__":
    main()
