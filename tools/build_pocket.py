"""The shipped pocket language model: its corpus, its training, its card. `python start.py train-pocket`
runs this file."""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from tools.command import answered, count
from tools.save_model import save_model
from workbench.errors import ConfigError
from workbench.settings import settings
from workbench.tokens.contrast import score_tokens
from workbench.tokens.corpora import excerpts, mark, pairs_table, sentences
from workbench.tokens.detection import detection
from workbench.tokens.encoding import encode_pairs
from workbench.tokens.small_models import (
    Part,
    PocketConfig,
    adamw,
    make_model,
    make_tokenizer,
    tensors,
    train,
)
from workbench.whole import whole_file

TEXTS, TEXT_SEED, HELD_OUT = 16_000, 2, 200
CHECKPOINT_EVERY = 200  # steps that a stopped run loses at most
SCORES = ("pir", "kl", "entropy", "loss")


def build_pocket(
    folder: Path | None = None, config: PocketConfig | None = None, texts: int = TEXTS
) -> str:
    """Train the pocket model on texts by fresh shoppers, write it to `folder` (data/pocket), and
    return its card.

    Nobody of the shipped world is among the writers; its shoppers are the evaluation. A run that
    was stopped goes on where it was. About ten minutes on two idle cores.
    """
    from workbench.data import load_world
    from workbench.worlds.shop.texts import generate_texts

    folder, config = folder or settings().data / "pocket", config or PocketConfig()
    work, held_out = settings().runs / "train-pocket", min(HELD_OUT, texts)
    world = load_world()
    corpus = generate_texts(world, texts, seed=TEXT_SEED)
    said = [corpus.texts["response"], corpus.texts["query"], corpus.memories["statement"]]
    tokenizer = make_tokenizer(pd.concat(said), config.vocabulary)
    pairs = pd.concat(
        [pairs_table(corpus, tokenizer), excerpts(corpus, tokenizer)], ignore_index=True
    )
    model, record = train_pocket(pairs, tokenizer, work, config)
    model.half().float()  # what is shipped is what is measured
    card = training_card(
        record, world, corpus, held_out, *evaluate_pocket(model, tokenizer, world, held_out)
    )
    save_model(folder, model, tokenizer, card)
    (work / "checkpoint.pt").unlink()
    with suppress(OSError):  # what somebody else put there stays
        work.rmdir()
    return card


def train_pocket(
    pairs: pd.DataFrame,
    tokenizer: Any,
    work: Path,
    config: PocketConfig | None = None,
    progress: bool = True,
) -> tuple[Any, dict[str, Any]]:
    """Train on `pairs` [text, prompt_with, prompt_without, response]; return the model and a record
    of the run.

    `work` keeps a checkpoint every 200 steps: a run that was stopped goes on from there and ends
    with the same weights as one that was not. The record holds config, steps, seconds, parameters
    and the loss curve.

    Raises `ConfigError` when `work` holds a checkpoint of another config or corpus.
    """
    config = config or PocketConfig()
    torch.set_num_threads(config.threads)
    model = make_model(config, tokenizer)
    optimiser = adamw(model, config)
    # the texts, and where an earlier run of them was stopped
    rows = encode_pairs(tokenizer, pairs, context=config.context - 1)
    tokens = sum(len(row["ids"]) for row in rows)
    identity = json.dumps([config.model_dump(), len(rows), tokens])
    losses, spent = _resume(work, identity, model, optimiser)
    begun = time.perf_counter() - spent

    def keep(step: int, model: Any) -> None:
        if step % CHECKPOINT_EVERY == 0 or step == config.steps:
            state = {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
            state |= {"identity": identity, "losses": losses}
            _save(work, state | {"seconds": time.perf_counter() - begun})

    left = itertools.islice(_batches(rows, config, tokenizer), len(losses), config.steps)
    train(model, left, config, keep, optimiser=optimiser, losses=losses, progress=progress)
    record = {
        "config": config.model_dump(),
        "texts": len(rows),
        "parameters": sum(weights.numel() for weights in model.parameters()),
        "losses": losses,
        "seconds": time.perf_counter() - begun,
    }
    return model, record


def _batches(
    rows: list[dict[str, Any]], config: PocketConfig, tokenizer: Any
) -> Iterator[list[Part]]:
    """Endless batches; texts of like length share one, so little is padded."""
    for epoch in itertools.count():
        rng = np.random.default_rng([config.seed, epoch])
        bare = rng.random(len(rows)) < config.persona_dropout
        sides = np.where(bare, "without", "with")
        length = np.array(
            [len(row[side]) + len(row["ids"]) for row, side in zip(rows, sides, strict=True)]
        )
        order = rng.permutation(len(rows))
        pools = [order[first : first + 1024] for first in range(0, len(order), 1024)]
        cut = [pool[np.argsort(-length[pool], kind="stable")] for pool in pools]
        whole = [batch for pool in cut for batch in _fill(pool, length, config.batch_tokens)]
        for place in rng.permutation(len(whole)):
            texts = [(rows[i][sides[i]], rows[i]["ids"]) for i in whole[place]]
            yield [(*tensors(texts, tokenizer), 1.0)]


def _fill(pool: np.ndarray, length: np.ndarray, budget: int) -> Iterator[np.ndarray]:
    """Cut a pool, longest texts first, into batches of at most `budget` tokens (or one text)."""
    first = 0
    while first < len(pool):
        size = max(1, budget // int(length[pool[first]]))
        yield pool[first : first + size]
        first += size


def _save(work: Path, state: dict[str, Any]) -> None:
    with whole_file(work / "checkpoint.pt") as new:
        torch.save(state, new)


def _resume(work: Path, identity: str, model: Any, optimiser: Any) -> tuple[list[float], float]:
    if not (work / "checkpoint.pt").exists():
        return [], 0.0
    state = torch.load(work / "checkpoint.pt", weights_only=True)
    if state["identity"] != identity:
        raise ConfigError(
            "the checkpoint belongs to another config or corpus",
            where=str(work / "checkpoint.pt"),
            do="remove it to train anew, or go back to its config",
        )
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    return list(state["losses"]), float(state["seconds"])


def evaluate_pocket(
    model: Any, tokenizer: Any, corpus: Any, n: int = HELD_OUT
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Detection of what was planted, by unit, and mean −log p per token: own persona, none,
    another's.

    Units: "sentence" (brought about by a memory item), "first word" (of those that a memory item
    brought, against all that are not personal), "word" (every personal word). `pir_other` is the
    null: PIR of another shopper's persona.
    """
    own, other = (pairs_table(corpus, tokenizer, persona, n=n) for persona in ("own", "other"))
    tokens = mark(score_tokens(model, tokenizer, own, SCORES), corpus, own)
    foreign = score_tokens(model, tokenizer, other)
    first = tokens[tokens["direct"] | ~tokens["personal"]]
    units = {"sentence": (sentences(tokens, corpus), sentences(foreign, corpus)["pir"].to_numpy())}
    units |= {"first word": (first, foreign["pir"][first.index]), "word": (tokens, foreign["pir"])}
    found = [
        detection(table.assign(pir_other=null), [*SCORES, "word_match", "pir_other"]).assign(
            unit=unit
        )
        for unit, (table, null) in units.items()
    ]
    loss = {"own persona": tokens["log_prob_with"], "no persona": tokens["log_prob_without"]}
    loss |= {"another's persona": foreign["log_prob_with"]}
    return pd.concat(found, ignore_index=True), {
        name: -float(value.mean()) for name, value in loss.items()
    }


def training_card(
    record: dict[str, Any],
    world: Any,
    corpus: Any,
    n: int,
    table: pd.DataFrame,
    loss: dict[str, float],
) -> str:
    """The card as Markdown: what the model was trained on, how, for how long, and what it can and
    cannot show."""
    config, steps = record["config"], len(record["losses"])
    pieces = itertools.pairwise(np.unique(np.linspace(0, steps, 13).astype(int)))
    curve = "\n".join(f"| {b} | {np.mean(record['losses'][a:b]):.3f} |" for a, b in pieces)
    settings_ = "\n".join(f"| {name} | {value} |" for name, value in config.items())
    held = "\n".join(f"| {name} | {value:.3f} |" for name, value in loss.items())
    found = "\n".join(
        f"| {r.unit} | {r.score} | {r.auc:.3f} [{r.low:.3f}, {r.high:.3f}] | "
        f"{r.personal} of {r.tokens} |"
        for r in table.itertuples()
    )
    return f"""# Pocket language model: training card

A Llama of {record["parameters"]:,} parameters with a byte-level BPE tokenizer, trained from random weights on generated
texts alone by `python start.py train-pocket`. It knows one generated shop and nothing else: it shows what a method does
where the truth is planted, and nothing about language models at large.

- **Data**: generated world {world.version}: {len(corpus.texts):,} texts by {corpus.texts["user"].nunique():,} shoppers
  (`generate_texts(load_world(), {len(corpus.texts)}, seed={TEXT_SEED})`), and again each sentence that tells of a
  memory item as a text of its own: {record["texts"]:,} rows.
  No shopper of the shipped world wrote any of them; products, memory items and sentences come from the same banks:
  held out are other shoppers, not another language.
- **Training**: {steps:,} steps in {record["seconds"] / 60:.0f} minutes, {config["threads"]} threads, on a
  machine that others used at the same time; loss on response tokens alone; AdamW.
- **Stored**: weights in 16-bit safetensors, loaded in float32. Licence CC BY 4.0, like the data.

| setting | value |
|---|---|
{settings_}

| up to step | mean training loss (nats a token) |
|---|---|
{curve}

Held out: {n} texts by shoppers of the shipped world.

| prompt | −log p a token |
|---|---|
{held}

Detection of what was planted (AUC with 95 % of resampled texts). A sentence counts whole; of words, the first that a
memory item brought stands beside all that are personal. `pir_other` is the null: PIR of another shopper's persona.

| unit | score | AUC | personal |
|---|---|---|---|
{found}

PIR is a direct effect: it falls on the word that gives a sentence away, which is often not the word that was planted.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """`train-pocket`: about ten minutes on two idle cores; resumes where it was stopped."""
    parser = argparse.ArgumentParser(prog="start.py train-pocket")
    parser.add_argument("--folder", type=Path, help="where the model goes; data/pocket unless told")
    parser.add_argument(
        "--steps", type=count, help="optimiser steps; the shipped model's unless told"
    )
    asked = parser.parse_args(arguments)
    config = PocketConfig(steps=asked.steps) if asked.steps else None
    return answered(lambda: build_pocket(asked.folder, config))


if __name__ == "__main__":
    raise SystemExit(main())
