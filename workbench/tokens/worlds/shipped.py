"""The models of the worlds that are shipped, and the measured numbers on their cards."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.settings import settings
from workbench.tokens.contrast import score_tokens
from workbench.tokens.corpora import examples_of, mark
from workbench.tokens.detection import detection
from workbench.tokens.prompts import make_pairs
from workbench.tokens.training import save_model
from workbench.tokens.worlds.base import BaseConfig, train_base
from workbench.tokens.worlds.persona import PersonaWorld

SCORES = ("pir", "kl", "probability_difference", "loss", "entropy")
INSTEAD = ("pir_other", "pir_others", "pir_mask")
OTHERS = 4
HELD_OUT, HELD_OUT_SEED = 512, 77


def build_persona(folder: Path | None = None, config: BaseConfig | None = None, texts: int = 8000) -> str:
    """Train the base model of PersonaWorld, write it to `folder` (data/persona-world), and return its card."""
    folder, config = folder or settings().data / "persona-world", config or BaseConfig()
    world = PersonaWorld()
    tokenizer, model = world.tokenizer(), world.base_model(config.seed)
    begun = time.perf_counter()
    corpus = world.corpus(texts, seed=1000 + config.seed)
    losses = train_base(model, tokenizer, make_pairs(examples_of(corpus), tokenizer), config, progress=True)
    seconds = time.perf_counter() - begun
    model.half().float()  # what is shipped is what is measured
    held_out = world.corpus(min(HELD_OUT, texts), seed=HELD_OUT_SEED)
    card = persona_card(config, texts, losses, seconds, held_out, planted_scores(model, tokenizer, held_out))
    save_model(folder, model, tokenizer, card)
    return card


def planted_scores(model: Any, tokenizer: Any, corpus: Any) -> pd.DataFrame:
    """The token table of a world's texts with the planted truth; `pir` to `entropy` under deletion of the persona.

    `pir_other`: against one other user's persona; `pir_others`: against the mean probability under four; `pir_mask`:
    against a persona whose every token is the end-of-text token, which the model has never read there.
    """
    examples = examples_of(corpus)
    pairs = make_pairs(examples, tokenizer)
    scored = score_tokens(model, tokenizer, pairs, SCORES)
    strangers = [make_pairs(examples, tokenizer, "other", seed=seed) for seed in range(OTHERS)]
    foreign = np.array([score_tokens(model, tokenizer, table)["log_prob_without"] for table in strangers])
    scored["pir_other"] = scored["log_prob_with"] - foreign[0]
    scored["pir_others"] = scored["log_prob_with"] - np.logaddexp.reduce(foreign, axis=0) + np.log(OTHERS)
    scored["pir_mask"] = score_tokens(model, tokenizer, make_pairs(examples, tokenizer, "mask"))["pir"]
    return mark(scored, corpus, pairs.assign(persona=["\n".join(told) for told in pairs["memories"]]))


def auc_table(tokens: pd.DataFrame) -> pd.DataFrame:
    """AUC of every score for all personal words, and with the second style word, which the first tells, left out."""
    scores = [*SCORES, *INSTEAD, "word_match"]
    direct = tokens[tokens["direct"] | ~tokens["personal"]]
    parts = {"personal": tokens, "direct": direct}
    return pd.concat([detection(part, scores).assign(words=name) for name, part in parts.items()], ignore_index=True)


def facts(tokens: pd.DataFrame) -> pd.DataFrame:
    """Mean PIR by class beside what the world makes known: [what, words, pir, expected] (nats)."""
    prior = PersonaWorld.prior()
    known = -(prior * np.log(prior)).sum()
    first, kind = tokens["direct"], tokens["kind"]
    rows = [
        ("first style word", (kind == "s") & first, np.log(4)),
        ("second style word (told by the first)", (kind == "s") & ~first, 0.0),
        ("copied value", kind == "c", known),
        *((f"{name} word", kind == code, 0.0) for name, code in (("query", "q"), ("noise", "n"), ("template", "g"))),
    ]
    table = [(what, int(where.sum()), tokens.loc[where, "pir"].mean(), value) for what, where, value in rows]
    return pd.DataFrame(table, columns=["what", "words", "pir", "expected"])


def persona_card(
    config: BaseConfig, texts: int, losses: list[float], seconds: float, held_out: Any, tokens: pd.DataFrame
) -> str:
    """The card as Markdown: what was trained on, how, what came out, and what it can and cannot show."""
    settings_ = "\n".join(f"| {name} | {value} |" for name, value in config.model_dump().items())
    means = "\n".join(
        f"| {r.what} | {r.words:,} | {r.pir:.3f} | {r.expected:.3f} |" for r in facts(tokens).itertuples()
    )
    table = auc_table(tokens)
    found = "\n".join(
        f"| {r.words} | {r.score} | {r.auc:.3f} [{r.low:.3f}, {r.high:.3f}] | {r.personal:,} of {r.tokens:,} |"
        for r in table.itertuples()
    )
    derived = tokens.loc[tokens["kind"] == "d", "pir"].mean()
    loss = -tokens.groupby("personal")["log_prob_with"].mean()
    return f"""# The model of PersonaWorld: training card

A GPT-NeoX of 121,024 parameters and a tokenizer of 327 whole words, trained from random weights by
`workbench train-persona` on texts of `PersonaWorld(seed=0)`. It knows a world of numbered words: finding again what
was planted there is a unit test of a method, and no evidence about language models at large.

- **Data**: {texts:,} texts by as many users, `PersonaWorld().corpus({texts}, seed={1000 + config.seed})`; measured on
  {len(held_out.texts)} others, `corpus({len(held_out.texts)}, seed={HELD_OUT_SEED})`.
- **Training**: {len(losses):,} steps in {seconds / 60:.1f} minutes on a machine that others used at the same time; loss
  on response words alone, mean of the last 50 steps {np.mean(losses[-50:]):.3f} nats a word (noise alone costs
  4 · ln 40 / 31 = {4 * np.log(40) / 31:.3f}). Held out: {loss[True]:.3f} nats a personal word, {loss[False]:.3f}
  another.
- **Stored**: weights in 16-bit safetensors, loaded in float32. Licence CC BY 4.0.

| setting | value |
|---|---|
{settings_}

Mean PIR (delete) beside what the world makes known, in nats. A derived word has {derived:.3f}; its expectation is at
most that of a copied one, since values may share a derived word.

| words | count | PIR | expected |
|---|---|---|---|
{means}

AUC for planted words, with 95 % of resampled texts. `direct` leaves the second style word out. `pir` to
`entropy`: persona deleted; `pir_other`, `pir_others`: one other user's persona, and the mean of four; `pir_mask`: every
token of the persona replaced by one that the model has never read there.

| words | score | AUC | personal |
|---|---|---|---|
{found}
"""
