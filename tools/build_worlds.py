"""The models of the worlds that are shipped: their training, and the measured numbers on their
cards."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tools.command import answered, count
from tools.save_model import save_model
from workbench.errors import ConfigError
from workbench.settings import settings
from workbench.tokens.corpora import examples_of
from workbench.tokens.detection import detection
from workbench.tokens.prompts import make_pairs
from workbench.tokens.small_models import BaseConfig, train_base
from workbench.worlds.fooling import FoolingWorld
from workbench.worlds.measures import (
    HELD_OUT,
    HELD_OUT_SEED,
    auc_table,
    facts,
    fooled,
    planted_scores,
    short_scores,
)
from workbench.worlds.persona import PersonaWorld

WORLDS = {"persona-world": PersonaWorld, "fooling-world": FoolingWorld}
TEXTS = {"persona-world": 8000, "fooling-world": 12000}
CURVE, CURVE_TEXTS = (50, 100, 200, 300, 400, 600, 800, 1000, 1400, 2000), 100
STEPS = {"persona-world": 1400, "fooling-world": 2000}


def build_world_model(
    name: str = "persona-world",
    folder: Path | None = None,
    config: BaseConfig | None = None,
    texts: int | None = None,
) -> str:
    """Train a world's model on fresh texts, write it with its card to `folder` (data/NAME), and
    return the card."""
    if name not in WORLDS:
        raise ConfigError(f"world {name!r}", expected=f"one of {list(WORLDS)}")
    folder, texts = folder or settings().data / name, texts or TEXTS[name]
    config, world = config or BaseConfig(steps=STEPS[name]), WORLDS[name]()
    tokenizer, model = world.tokenizer(), world.base_model(config.seed)
    begun = time.perf_counter()
    corpus = world.corpus(texts, seed=1000 + config.seed)
    pairs, curve = make_pairs(examples_of(corpus), tokenizer), []
    few = world.corpus(CURVE_TEXTS, HELD_OUT_SEED)

    def after(step: int, model: Any) -> None:
        if step in CURVE:
            found = detection(short_scores(model, tokenizer, few), ["pir", "kl", "loss", "entropy"])
            curve.append({"step": str(step)} | found.set_index("score")["auc"].to_dict())

    losses = train_base(model, tokenizer, pairs, config, after, progress=True)
    seconds = time.perf_counter() - begun
    model.half().float()  # what is shipped is what is measured
    said = {"persona-world": _persona, "fooling-world": _fooling}[name](model, tokenizer)
    said += (
        f"\n\nAUC on {CURVE_TEXTS} texts while it was trained.\n\n{_markdown(pd.DataFrame(curve))}"
    )
    parameters = sum(weights.numel() for weights in model.parameters())
    card = world_card(name, world, parameters, config, texts, losses, seconds, said)
    save_model(folder, model, tokenizer, card)
    return card


def world_card(
    name: str,
    world: Any,
    parameters: int,
    config: BaseConfig,
    texts: int,
    losses: list[float],
    seconds: float,
    said: str,
) -> str:
    """The card as Markdown: what was trained on, how, what came out (`said`), and what it can and
    cannot show."""
    return f"""# The model of {type(world).__name__}: training card

A GPT-NeoX of {parameters:,} parameters and a tokenizer of {len(world.vocabulary)} whole words, trained from random
weights by `python start.py train-persona --world {name}`. It knows a world of planted English words,
and no English: finding again what was planted there is a unit test of a method, and no evidence about language models
at large.

- **Data**: {texts:,} texts by as many users, `{type(world).__name__}().corpus({texts}, seed={1000 + config.seed})`.
- **Training**: {len(losses):,} steps in {seconds / 60:.1f} minutes on a machine that others used at the same time; loss
  on response words alone, mean of the last 50 steps {np.mean(losses[-50:]):.3f} nats a word.
- **Stored**: weights in 16-bit safetensors, loaded in float32. Licence CC BY 4.0.

{_markdown(pd.DataFrame([(name, str(value)) for name, value in config], columns=["setting", "value"]))}

{said}
"""


def _persona(model: Any, tokenizer: Any) -> str:
    tokens = planted_scores(model, tokenizer, PersonaWorld().corpus(HELD_OUT, HELD_OUT_SEED))
    derived, loss = (
        tokens.loc[tokens["kind"] == "d", "pir"].mean(),
        -tokens.groupby("personal")["log_prob_with"].mean(),
    )
    means, table = facts(tokens), auc_table(tokens)
    found = table[["words", "score"]].assign(
        AUC=[f"{r.auc:.3f} [{r.low:.3f}, {r.high:.3f}]" for r in table.itertuples()]
    )
    return f"""Held out: {HELD_OUT} users, `corpus({HELD_OUT}, seed={HELD_OUT_SEED})`. A personal word costs
{loss[True]:.3f} nats, another {loss[False]:.3f} (its noise alone {4 * np.log(40) / 25:.3f}).

Mean PIR (persona deleted) beside what the world makes known, in nats. A derived word has {derived:.3f}; its expectation
is at most that of a copied one, since values may share a derived word.

{_markdown(means)}

AUC for planted words, with 95 % of resampled texts. `direct` leaves the second style word out, which the first tells.
A pilot of the same size and schedule stopped farther from its floor (PIR of a copied value 1.92) and had .934 for PIR
under deletion and .970 against others: what is left of .979 to 1 are the second words of the tone.
`pir` to `entropy`: persona deleted; `pir_other`, `pir_others`: one other user's persona, and the mean of four;
`pir_peer`: that of a user with the same topic; `pir_mask`: every token of the memory items replaced by one that the
model has never read there.

{_markdown(found)}"""


def _fooling(model: Any, tokenizer: Any) -> str:
    table = fooled(model, tokenizer, HELD_OUT).pivot(
        index="measure", columns="mechanism", values="value"
    )
    table = table.loc[[name for name in table.index if name.startswith(("auc", "above"))]]
    return f"""Held out: {HELD_OUT} texts of each kind. What was predicted, and other numbers, stand in
`benchmarks/results/world_b.md`.

{_markdown(table.rename_axis(columns=None).reset_index())}"""


def _markdown(table: pd.DataFrame) -> str:
    cells = table.map(
        lambda value: (
            ("" if np.isnan(value) else f"{value:.3f}") if isinstance(value, float) else str(value)
        )
    )
    lines = [list(table), ["---"] * table.shape[1], *cells.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """`train-persona`: two to four minutes for either world."""
    parser = argparse.ArgumentParser(prog="start.py train-persona")
    parser.add_argument("--world", choices=list(WORLDS), default="persona-world")
    parser.add_argument("--folder", type=Path, help="where the model goes; data/WORLD unless told")
    parser.add_argument(
        "--steps", type=count, help="optimiser steps; the shipped model's unless told"
    )
    asked = parser.parse_args(arguments)
    config = BaseConfig(steps=asked.steps) if asked.steps else None
    return answered(lambda: build_world_model(asked.world, asked.folder, config))


if __name__ == "__main__":
    raise SystemExit(main())
