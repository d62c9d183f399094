"""Does what a token loss teaches carry over? Fine-tuned on one kind of text, asked about that kind
and the others.

    python benchmarks/transfer.py [--seeds 5] [--jobs 1] [--parts texts scenarios]

*texts*: reviews and notes of the generated English world, the pocket model. *scenarios*: the five
ways in which FoolingWorld brings a person into a text, a half-trained model. Every loss starts from
the same weights as the others of its seed and reads the same texts in the same order. Resumes
(`runs/transfer`). Writes `results/transfer.csv` (all runs), `transfer_changes.csv` and
`transfer.md`; what was expected stands in `data/predictions.toml`.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import tomllib
from functools import cache
from typing import Any

import pandas as pd
from boomerang import RESULTS, markdown
from perce import beside, said
from pydantic import BaseModel, ConfigDict

from workbench import tokens
from workbench.data import load_world
from workbench.language import load_causal_lm
from workbench.runs import run
from workbench.settings import settings
from workbench.statistics import paired_bootstrap
from workbench.tokens.finetune import FineTuneConfig, fine_tune
from workbench.tokens.small_models import BaseConfig, train_base
from workbench.tokens.weights import CE, PerCE, Permuted
from workbench.worlds import FoolingWorld
from workbench.worlds.fooling import MECHANISMS
from workbench.worlds.shop.texts import generate_texts

LOSSES: dict[str, Any] = {"CE": CE(), "PerCE": PerCE(), "permuted": Permuted(loss=PerCE())}
KINDS: dict[str, tuple[str, ...]] = {"texts": ("review", "note"), "scenarios": MECHANISMS}
CONFIGS = {
    "texts": FineTuneConfig(steps=60, batch_size=8, learning_rate=1e-3, warm_up=10),
    "scenarios": FineTuneConfig(steps=150, batch_size=32, learning_rate=1e-3, warm_up=20),
}
TUNED = {"texts": 160, "scenarios": 300}  # texts to learn from
HELD_OUT, HELD_OUT_SEED = 48, 77  # texts of each kind, by people who wrote none of the others
MEASURES = ["personal_nll", "generic_nll", "gap"]
TITLES = {
    "texts": "Text types: reviews and notes, the pocket model",
    "scenarios": "Scenarios: FoolingWorld",
}


class Cell(BaseModel):
    """One training, or none ("before")."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    part: str
    trained: str
    loss: str
    seed: int


@cache
def corpus(part: str, kind: str, n: int, seed: int | None) -> tuple[Any, pd.DataFrame]:
    """Texts of one kind, and `n` examples of them, each by a person of its own; without a seed
    those held out."""
    if part == "scenarios":
        some = FoolingWorld().corpus(n, HELD_OUT_SEED if seed is None else seed, kind)
        return some, tokens.examples_of(some)
    world = load_world()
    some = world if seed is None else generate_texts(world, 8 * n, seed=seed, per_shopper=2)
    mine = set(some.texts.loc[some.texts["kind"] == kind, "text"])
    examples = tokens.examples_of(some, seed=HELD_OUT_SEED)
    return some, examples[examples["text"].isin(mine)].drop_duplicates("user").head(n).reset_index(
        drop=True
    )


@cache
def base(part: str, seed: int) -> tuple[Any, Any]:
    """The model that a run starts from: the pocket model, or one that FoolingWorld half trained."""
    if part == "texts":
        return load_causal_lm("pocket")
    model, tokenizer = FoolingWorld().base_model(seed), load_causal_lm("fooling-world")[1]
    examples = tokens.examples_of(FoolingWorld().corpus(8000, 1000 + seed))
    train_base(
        model, tokenizer, tokens.make_pairs(examples, tokenizer), BaseConfig(steps=400, seed=seed)
    )
    return model, tokenizer


def once(cell: Cell) -> pd.DataFrame:
    """Train on one kind, measure on every kind: [tested, personal_nll, generic_nll, gap]."""
    model, tokenizer = base(cell.part, cell.seed)
    if cell.loss != "before":
        _, examples = corpus(cell.part, cell.trained, TUNED[cell.part], 3000 + cell.seed)
        pairs = tokens.make_pairs(examples, tokenizer)
        model, _ = fine_tune(
            model, tokenizer, pairs, LOSSES[cell.loss], CONFIGS[cell.part], seed=cell.seed
        )
    rows = []
    for tested in KINDS[cell.part]:
        some, examples = corpus(cell.part, tested, HELD_OUT, None)

        def mark(
            table: pd.DataFrame, some: Any = some, examples: pd.DataFrame = examples
        ) -> pd.DataFrame:
            return tokens.mark(table, some, examples)

        found = tokens.personal_and_generic(
            model, tokenizer, examples, mark, seed=HELD_OUT_SEED, batch_size=16
        )
        rows.append(
            {"tested": tested} | found.groupby("measure")["value"].mean()[MEASURES].to_dict()
        )
    return pd.DataFrame(rows)


def changes(table: pd.DataFrame) -> pd.DataFrame:
    """Change against cross-entropy of the same seed and kinds, as a share; on the own kind and,
    averaged, on others."""
    long = table[table["loss"] != "before"].melt(
        ["part", "trained", "tested", "loss", "seed"], MEASURES, "measure"
    )
    keys = ["part", "trained", "tested", "seed", "measure"]
    plain = long[long["loss"] == "CE"].set_index(keys)["value"]
    long["value"] = (
        long["value"] / plain.reindex(pd.MultiIndex.from_frame(long[keys])).to_numpy() - 1
    )
    long["on"] = (long["trained"] == long["tested"]).map(
        {True: "the same kind", False: "other kinds"}
    )
    each = (
        long[long["loss"] != "CE"]
        .groupby(["part", "on", "measure", "loss", "seed"])["value"]
        .mean()
        .reset_index()
    )
    found = paired_bootstrap(each, "loss", unit="seed", within=["part", "on", "measure"])
    return found[found["minus"] == ""]


def before(table: pd.DataFrame, part: str) -> pd.DataFrame:
    """What cross-entropy alone does: −log p of personal words by kind trained on and asked
    about."""
    mine = table[(table["part"] == part) & table["loss"].isin(["before", "CE"])]
    mine = mine.assign(**{"trained on": mine["trained"].where(mine["loss"] == "CE", "(before)")})
    wide = mine.pivot_table(index="trained on", columns="tested", values="personal_nll")
    order = [name for name in ("(before)", *KINDS[part]) if name in wide.index]
    wide = wide.loc[order, list(KINDS[part])]
    return wide.map("{:.3f}".format).reset_index()


def told(change: pd.DataFrame, part: str) -> pd.DataFrame:
    """One row per loss and place, with intervals over seeds."""
    mine = change[change["part"] == part]
    rows = []
    for (loss, on), some in mine.groupby(["loss", "on"], sort=False):
        row = {"loss": loss, "asked about": on}
        for one in some.itertuples():
            row[one.measure] = said(one)
        rows.append(row)
    return pd.DataFrame(rows)[["loss", "asked about", *MEASURES]].sort_values(
        ["asked about", "loss"], ascending=False
    )


def expected(change: pd.DataFrame) -> pd.DataFrame:
    """What `data/predictions.toml` says beside what came out."""
    written = tomllib.loads((settings().data / "predictions.toml").read_text(encoding="utf-8"))[
        "transfer"
    ]
    rows = []
    for one in change.itertuples():
        place = "same" if one.on == "the same kind" else "other"
        limits = written.get(one.part, {}).get(f"{one.loss.lower()}_{one.measure}_{place}")
        if limits is None:
            continue
        row = {"part": one.part, "loss": one.loss, "measure": one.measure, "asked about": one.on}
        rows.append(row | beside(one, limits))
    return pd.DataFrame(rows)


NOTE = """
{seeds} seeds. {held} texts of each kind held out, by as many people who wrote none of the training texts; the same for
all seeds. −log p in nats a token, mean over texts; *gap*: log p with the own persona less log p with another's, on
personal words. Changes are against cross-entropy of the same seed, trained on and asked about the same kinds, with a
95 % interval over seeds (Student's t); *other kinds* are averaged within a seed. *Permuted* deals PerCE's weights out
at random. Texts: {texts} of a kind by as many fresh shoppers, {text_steps} steps of 8 at rate 1e-3, every seed from the
one pocket model. Scenarios: {scenarios} texts, {scenario_steps} steps of 32 at rate 1e-3, from a model that mixed texts
trained for 400 steps. Both worlds are generated and both models tiny: this says what the losses do there, and nothing
about language models at large. {date}: {cores} cores, {machine}, shared with other work.
""".strip()


def main() -> None:
    """Run the grid, write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--parts", nargs="+", default=list(KINDS), choices=list(KINDS))
    options = parser.parse_args()
    grid = []
    for part in options.parts:
        starts = range(1, options.seeds + 1)
        grid += [
            Cell(part=part, trained="", loss="before", seed=s)
            for s in ((1,) if part == "texts" else starts)
        ]
        grid += [
            Cell(part=part, trained=k, loss=x, seed=s)
            for s in starts
            for k in KINDS[part]
            for x in LOSSES
        ]
    table = run(grid, once, settings().runs / "transfer", options.jobs, progress=True)
    table.drop(columns="run").round(6).to_csv(RESULTS / "transfer.csv", index=False)
    change = changes(table)
    change.round(6).to_csv(RESULTS / "transfer_changes.csv", index=False)
    pages = [
        "# From one kind of text to another",
        "Made by `python benchmarks/transfer.py`; all runs: `transfer.csv`.",
    ]
    for part in options.parts:
        pages += [f"## {TITLES[part]}", "Against cross-entropy:", markdown(told(change, part))]
        pages += [
            "−log p of personal words after cross-entropy, by the kind asked about:",
            markdown(before(table, part)),
        ]
    pages += ["## Expected and measured", markdown(expected(change))]
    facts = {
        "seeds": options.seeds,
        "held": HELD_OUT,
        "texts": TUNED["texts"],
        "scenarios": TUNED["scenarios"],
    }
    facts |= {"text_steps": CONFIGS["texts"].steps, "scenario_steps": CONFIGS["scenarios"].steps}
    facts |= {"date": datetime.date.today(), "cores": os.cpu_count(), "machine": platform.machine()}
    page = "\n\n".join([*pages, NOTE.format(**facts)]) + "\n"
    (RESULTS / "transfer.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
