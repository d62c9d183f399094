"""World B: what every score was predicted to do on it, beside what it did.

    python benchmarks/world_b.py [--seeds 3]

Scores the shipped model of FoolingWorld (`load_causal_lm("fooling-world")`, made by `python start.py
train-persona --world fooling-world`) on 512 texts of each mechanism, and prints the measured
numbers beside those of `data/predictions.toml`, which were committed before any model had been
trained on that world and are never changed. Two minutes on one core. With more than one seed,
worlds with other templates and words are made, a model is trained on each (five minutes, kept in
`runs/world_b`), and their numbers stand beside. Writes `benchmarks/results/world_b.csv` and `.md`.
"""

from __future__ import annotations

import argparse
import tomllib

import pandas as pd
from pydantic import BaseModel, ConfigDict

from tools.build_worlds import STEPS, TEXTS
from workbench import tokens
from workbench.language import load_causal_lm
from workbench.runs import run
from workbench.settings import ROOT, settings
from workbench.tokens.small_models import BaseConfig, train_base
from workbench.worlds import MECHANISMS, FoolingWorld
from workbench.worlds.measures import fooled

RESULTS = ROOT / "benchmarks" / "results"
NAME = "fooling-world"


class Cell(BaseModel):
    """A world of another seed and the model that is trained on it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    seed: int


def once(cell: Cell) -> pd.DataFrame:
    """Train as the shipped model was trained, on another world, and measure the same."""
    world = FoolingWorld(cell.seed)
    tokenizer, model = world.tokenizer(), world.base_model(cell.seed)
    pairs = tokens.make_pairs(
        tokens.examples_of(world.corpus(TEXTS[NAME], seed=1000 + cell.seed)), tokenizer
    )
    train_base(model, tokenizer, pairs, BaseConfig(steps=STEPS[NAME], seed=cell.seed))
    return fooled(model.eval(), tokenizer, world=world)


def beside(measured: pd.DataFrame, predicted: dict) -> pd.DataFrame:
    """The measured table with predicted ranges and a verdict, which is empty where nothing was
    predicted."""
    ranges = [
        predicted[row.mechanism].get(row.measure, (None, None)) for row in measured.itertuples()
    ]
    table = measured.assign(
        predicted_low=[low for low, _ in ranges], predicted_high=[high for _, high in ranges]
    )
    table = table.astype({"predicted_low": float, "predicted_high": float})
    table["verdict"] = "as predicted"
    table.loc[table["value"] > table["predicted_high"], "verdict"] = "higher"
    table.loc[table["value"] < table["predicted_low"], "verdict"] = "lower"
    table.loc[table["predicted_low"].isna(), "verdict"] = ""
    return table


def page(table: pd.DataFrame, predicted: dict, more: dict[int, pd.DataFrame]) -> str:
    """The results as Markdown; `more`: the tables of other seeds."""
    made = table[table["verdict"] != ""]
    right = (made["verdict"] == "as predicted").sum()
    lines = [
        "# World B, written to break the scores",
        "",
        "Made by `python benchmarks/world_b.py`.",
        "",
    ]
    lines += [
        f"{right} of {len(made)} predicted numbers came out in their range. The "
        f"predictions were committed before"
    ]
    lines += [
        "any model had been trained on this world (`data/predictions.toml`); none "
        "was changed. Most of them follow"
    ]
    lines += [
        "from how the world is made by arithmetic: what was tested is that a "
        "trained model does as the arithmetic"
    ]
    lines += ["says, and the ranges are wide where it is silent (attention, small remainders).", ""]
    for mechanism in MECHANISMS:
        lines += [
            f"## {mechanism}",
            "",
            f"Why: {predicted[mechanism].get('why', 'the control, where nothing is done')}.",
        ]
        other = "".join(f" seed {seed} |" for seed in more)
        lines += [
            "",
            f"| measure | predicted | measured | verdict |{other}",
            "|---" * (4 + len(more)) + "|",
        ]
        for r in table[table["mechanism"] == mechanism].itertuples():
            interval = "" if pd.isna(r.low) else f" [{r.low:.3f}, {r.high:.3f}]"
            told = f"{r.predicted_low:.2f} to {r.predicted_high:.2f}" if r.verdict else ""
            beside_it = "".join(f" {one['value'][r.Index]:.3f} |" for one in more.values())
            lines.append(
                f"| {r.measure} | {told} | {r.value:.3f}{interval} | {r.verdict} |{beside_it}"
            )
        lines.append("")
    plain = table[table["mechanism"] == "plain"].set_index("measure")["value"]
    found, share = plain["cause_found"], plain["share_of_pir_on_other_words"]
    end = f"""Two numbers for the plain texts stand in comments of the predictions: leave-one-out finds the cause of
.95 or more of the words d (measured {found:.3f}), and less than .03 of PIR lies on words that are not personal
(measured {share:.3f}).

512 texts of each mechanism by as many users; generated words, a model of 118,848 parameters: what a score does where
the truth is planted, and no evidence about language models at large.
"""
    for seed, one in more.items():
        told = one[one["verdict"] != ""]
        wrong = [
            f"{r.mechanism} {r.measure} {r.value:.3f}"
            for r in told.itertuples()
            if r.verdict != "as predicted"
        ]
        end += (
            f"\nWorld of seed {seed}, its own model: {len(told) - len(wrong)} of "
            f"{len(told)} in their range"
        )
        end += f"; not: {', '.join(wrong)}.\n" if wrong else ".\n"
    return "\n".join(lines) + "\n" + end


def main() -> None:
    """Measure, write the page, print it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    predicted = tomllib.loads((settings().data / "predictions.toml").read_text(encoding="utf-8"))[
        "world_b"
    ]
    table = beside(fooled(*load_causal_lm(NAME)), predicted)
    cells = [Cell(seed=seed) for seed in range(1, options.seeds)]
    trained = run(cells, once, settings().runs / "world_b", progress=True)
    parts = trained.groupby("seed") if cells else []
    more = {
        seed: beside(part.reset_index(drop=True).drop(columns=["run", "seed"]), predicted)
        for seed, part in parts
    }
    RESULTS.mkdir(exist_ok=True)
    every = pd.concat(
        [table.assign(seed=0), *(one.assign(seed=seed) for seed, one in more.items())]
    )
    every.to_csv(RESULTS / "world_b.csv", index=False, float_format="%.4f")
    text = page(table, predicted, more)
    (RESULTS / "world_b.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
