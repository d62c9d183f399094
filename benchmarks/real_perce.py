"""Does PerCE help a pretrained language model? LoRA on real reviews, people held out.

    python benchmarks/real_perce.py --model FOLDER [--seeds 1] [--steps 60] [--minutes 150] [--choose]

Needs `amazon-reviews-2023-users` under --data, a causal language model of the reader's own, and `peft`.
Three in ten people are held out, as many choose the number of steps (`--choose`: cross-entropy
alone, 30, 60 and 100 steps), the others' reviews are learned from; no person is in two parts. Losses start from
the same adapter and read the same reviews in the same order: cross-entropy, PerCE, PerCE with its weights
permuted (control), LossCE, PIR of the frozen first model, cross-entropy with as much computing as
PerCE. A cell is a loss and a seed, 60 steps of four reviews; seed by seed, so that what is finished is
paired. What a cell measured is kept as means over all people held out and pairs of losses, never a
person's, with its identity: cells add up over sittings. Writes `benchmarks/results/real_perce.csv` and
`.md`.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import os
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from boomerang import RESULTS, data_folder, markdown
from kept import merged
from predicted import expected, judged
from pydantic import BaseModel, ConfigDict
from real_model import MODEL, PEOPLE
from reviews import FOLDER, marked, parts

from workbench import tokens
from workbench.language import load_causal_lm
from workbench.runs import folder_of, run
from workbench.settings import settings
from workbench.tokens.finetune import FineTuneConfig, fine_tune
from workbench.tokens.objective import carry
from workbench.tokens.weights import CE, FrozenTeacher, LossCE, PerCE, Permuted

LOSSES: dict[str, Any] = {
    "CE": CE(),
    "PerCE": PerCE(),
    "permuted": Permuted(loss=PerCE()),
    "LossCE": LossCE(),
    "frozen teacher": FrozenTeacher(),
    "CE, as much computing": CE(),
}
LONGER = 22 / 18
"""Seconds of a PerCE step to those of a cross-entropy step, as measured on one busy core."""
BATCH, RATE, RANK = 4, 2e-4, 8
CONTEXT, CHOOSING = 512, 100
CHOICES = (30, 60, 100)
MEASURES = ["personal_nll", "generic_nll", "gap", "generic_gap"]


class Cell(BaseModel):
    """One fine-tuning, or none ("before"), asked of people held out or of those who choose."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    loss: str
    seed: int
    steps: int
    asked: str = "held out"
    people: int = 1000
    """At most so many, for a trial."""


@cache
def people(name: str) -> pd.DataFrame:
    """Reviews of those who are `held out`, `choosing` or `learned` from."""
    if name == "held out":
        return parts()[name]
    every = pd.concat([parts()["base"], parts()["tune"]], ignore_index=True)
    who = np.random.default_rng(2).permutation(every["user"].unique())[:CHOOSING]
    return every[every["user"].isin(who) == (name == "choosing")].reset_index(drop=True)


@cache
def first() -> tuple[Any, Any]:
    """The reader's model and tokenizer."""
    return load_causal_lm(os.environ[MODEL])


def adapted(seed: int) -> Any:
    """The model with an adapter that changes nothing yet."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    sizes = {"r": RANK, "lora_alpha": 2 * RANK, "lora_dropout": 0.0}
    config = LoraConfig(**sizes, target_modules="all-linear", task_type="CAUSAL_LM")
    return get_peft_model(copy.deepcopy(first()[0]), config)


@cache
def learned(teacher: bool) -> pd.DataFrame:
    """Pairs to learn from; with PIR of the model as it came, where it is to teach."""
    model, tokenizer = first()
    pairs = tokens.make_pairs(people("learned"), tokenizer, context=CONTEXT, cut="last")
    if not teacher:
        return pairs
    return carry(pairs, tokens.score_tokens(model, tokenizer, pairs), teacher="pir")


def once(cell: Cell) -> pd.DataFrame:
    """[user, measure, value, seconds]: means over the reviews of each person asked."""
    (model, tokenizer), begun = first(), time.process_time()
    if cell.loss != "before":
        steps = round(cell.steps * LONGER) if cell.loss.endswith("computing") else cell.steps
        warm = min(10, steps // 3 + 1)
        config = FineTuneConfig(steps=steps, batch_size=BATCH, learning_rate=RATE, warm_up=warm)
        pairs, loss = learned(cell.loss == "frozen teacher"), LOSSES[cell.loss]
        model, _ = fine_tune(adapted(cell.seed), tokenizer, pairs, loss, config, seed=cell.seed)
    seconds = time.process_time() - begun
    rows = people(cell.asked).head(cell.people)
    found = tokens.personal_and_generic(model, tokenizer, rows, marked(rows), batch_size=16)
    found["user"] = found["text"].map(rows.set_index("text")["user"])
    values = found.groupby(["user", "measure"], sort=False)["value"].mean().reset_index()
    return values.assign(seconds=seconds)


def plan(seeds: int, steps: int, at_most: int, choose: bool) -> list[Cell]:
    """All cells, seed by seed."""
    same = {"people": at_most}
    if choose:
        rest = [Cell(loss="CE", seed=1, steps=n, asked="choosing", **same) for n in CHOICES]
        return [Cell(loss="before", seed=0, steps=0, asked="choosing", **same), *rest]
    cells = [Cell(loss="before", seed=0, steps=0, **same)]
    for seed in range(1, seeds + 1):
        cells += [Cell(loss=loss, seed=seed, steps=steps, **same) for loss in LOSSES]
    return cells


def place(cell: Cell) -> str:
    """The beginning of the name of a cell's folder: what it was made from."""
    return folder_of(cell, once, settings().runs / "real_perce", data=made_from()).name[:16]


@cache
def made_from() -> str:
    """Which texts, and which model, by name, size and weights."""
    rows = pd.util.hash_pandas_object(people("learned")["response"]).sum()
    weights = sum(float(one.detach().double().sum()) for one in first()[0].parameters())
    return f"{rows} {first()[0].num_parameters()} {weights:.6f}"


KEYS = {
    ("CE", "before"): "ce_minus_base",
    ("PerCE", "CE"): "perce_minus_ce",
    ("PerCE", "permuted"): "perce_minus_permuted",
    ("permuted", "CE"): "permuted_minus_ce",
    ("LossCE", "CE"): "lossce_minus_ce",
    ("CE, as much computing", "CE"): "longer_minus_ce",
    ("frozen teacher", "PerCE"): "teacher_minus_perce",
}
"""Losses, less which others of their seed: how the predictions call the difference."""


def summary(cell: Cell, done: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """[cell, loss, seed, steps, asked, measure, minus, people, value, error, seconds, identity, base]:
    means over people, and of differences to the losses of the same seed; error: of a mean."""
    lines, own = [], done[cell.loss]
    for measure in MEASURES:
        values = own[own["measure"] == measure].set_index("user")["value"]
        others = [other for loss, other in KEYS if loss == cell.loss and other in done]
        for minus in ("", *others):
            table = done[minus] if minus else own.assign(value=0.0)
            other = table[table["measure"] == measure].set_index("user")["value"]
            less = (values - other).dropna()
            # of fewer people nothing is told
            if len(less) >= min(PEOPLE, cell.people):
                error = less.std(ddof=1) / np.sqrt(len(less))
                lines.append((measure, minus, len(less), less.mean(), error))
    columns = ["measure", "minus", "people", "value", "error"]
    named = {"cell": repr(cell), "loss": cell.loss, "seed": cell.seed, "steps": cell.steps}
    named |= {"asked": cell.asked, "seconds": own["seconds"].iloc[0]}
    return pd.DataFrame(lines, columns=columns).assign(**named, identity=place(cell), base="")


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds, with 95 %: as wide as one seed's people make it, as they are the same people,
    and the spread of the seeds beside it."""
    keys = ["steps", "loss", "minus", "measure"]
    asked = table[table["asked"] == "held out"].assign(minus=lambda t: t["minus"].fillna(""))
    found = asked.groupby(keys, sort=False).agg(
        value=("value", "mean"),
        error=("error", "mean"),
        spread=("value", "std"),
        seeds=("seed", "nunique"),
        people=("people", "min"),
        minutes=("seconds", lambda s: s.mean() / 60),
    )
    wide = 1.96 * np.sqrt(found["error"] ** 2 + (found["spread"].fillna(0) ** 2) / found["seeds"])
    return found.assign(low=found["value"] - wide, high=found["value"] + wide).reset_index()


SAID = {"personal_nll": "personal", "generic_nll": "other", "gap": "gap"}


def page(table: pd.DataFrame) -> str:
    """What is there, as Markdown."""
    found = over_seeds(table)
    text = ["# PerCE on a pretrained model", "Made by `python benchmarks/real_perce.py`."]
    # what one seed could find, first
    null = found[(found["loss"] == "permuted") & (found["minus"] == "CE")]
    null = null[null["measure"] == "personal_nll"]
    numbers: dict[str, float] = {}
    for row in null.head(1).itertuples():
        numbers["detectable_personal"] = 2.8 * row.error
        text.append(
            f"**Power.** Of {row.people} people, one seed finds a difference of {2.8 * row.error:.3f} nats a "
            "token on words of the rule in four of five cases (2.8 errors of permuted less CE)."
        )
    # losses, and losses less others of their seed
    said = [
        f"{r.value:+.3f} [{r.low:+.3f}, {r.high:+.3f}]" if r.minus else f"{r.value:.3f}"
        for r in found.itertuples()
    ]
    wide = found.assign(said=said).pivot_table(
        index=["steps", "loss", "minus", "seeds", "people"],
        columns="measure",
        values="said",
        aggfunc="first",
        sort=False,
    )
    text.append(markdown(wide.reset_index()[["steps", "loss", "minus", "seeds", *MEASURES]]))
    # steps, on people of their own
    choosing = table[(table["asked"] == "choosing") & (table["minus"].fillna("") == "")]
    if len(choosing):
        by_steps = choosing.pivot_table(index="steps", columns="measure", values="value")
        text += [
            "## Steps, on people of their own (cross-entropy)",
            markdown(by_steps.round(3).reset_index()),
        ]
    # what was expected
    for row in found[found["minus"] != ""].itertuples():
        if row.measure in SAID:
            numbers[f"{KEYS[row.loss, row.minus]}_{SAID[row.measure]}"] = row.value
    ranges = expected("real_perce")
    told = {name: numbers.get(name, float("nan")) for name in ranges}
    text += ["## Expected and measured", markdown(judged(told, ranges, ".2f", "+.3f"))]
    text.append(
        NOTE.format(
            learned=len(people("learned")),
            writers=people("learned")["user"].nunique(),
            rate=RATE,
            rank=RANK,
        )
    )
    text.append(f"{datetime.date.today()}.")
    return "\n\n".join(text) + "\n"


NOTE = """
{learned} reviews of {writers} people are learned from, four a step, LoRA of rank {rank} on all linear layers,
rate {rate:g}; the persona is four earlier reviews, cut. Nats a token, means over people held out, of the
means over their reviews. *personal*: words of the own earlier reviews, the commonest 200 left out, a rule
fixed before; *generic*: all others; *gap*: log p with the own persona less log p with another's. Intervals:
95 %, of people within a seed and of the seeds. These reviews may have been in the model's training text.
""".strip()


def main() -> None:
    """Run cells until the minutes are over; after each write what is there."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--people", type=int, default=1000, help="people asked, for a trial")
    parser.add_argument("--minutes", type=float, default=150)
    parser.add_argument("--choose", action="store_true")
    options = parser.parse_args()
    os.environ[FOLDER], os.environ[MODEL] = str(options.data), options.model
    begun, done, text = time.monotonic(), {}, ""
    for cell in plan(options.seeds, options.steps, options.people, options.choose):
        if time.monotonic() - begun > 60 * options.minutes:
            break
        found = run([cell], once, settings().runs / "real_perce", data=made_from())
        done[cell.loss] = found
        if found["user"].nunique() < PEOPLE:
            print(f"{cell!r}: of fewer than {PEOPLE} people nothing is written")
            continue
        table = merged(summary(cell, done), RESULTS / "real_perce.csv", "cell")
        table.to_csv(RESULTS / "real_perce.csv", index=False, float_format="%.6f")
        text = page(table)
        (RESULTS / "real_perce.md").write_text(text, encoding="utf-8")
        print(f"{cell!r}: {found['seconds'].iloc[0] / 60:.1f} CPU minutes", flush=True)
    print(text)


if __name__ == "__main__":
    main()
