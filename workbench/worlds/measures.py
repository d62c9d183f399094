"""What the scores find of what a world planted: the token table with its truth, AUC, and the facts
that must hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from workbench.tokens.contrast import score_tokens
from workbench.tokens.corpora import examples_of, mark
from workbench.tokens.detection import detection
from workbench.tokens.prompts import make_pairs
from workbench.worlds.fooling import MECHANISMS, FoolingWorld
from workbench.worlds.persona import PersonaWorld

SCORES = ("pir", "kl", "probability_difference", "loss", "entropy")
INSTEAD = ("other", "others", "peer", "mask")
FLOOR = 0.8  # nats: the clip m of PerCE, below which a word's weight stays at its floor
HELD_OUT, HELD_OUT_SEED, POOL = 512, 77, 6000


def planted_scores(model: Any, tokenizer: Any, corpus: Any, pool: Any = None) -> pd.DataFrame:
    """The token table of a world's texts with the planted truth; `pir` to `entropy` under deletion
    of the persona.

    `pir_other`: against one other user's persona; `pir_others`: against the mean probability under
    four; `pir_peer`: against that of somebody who asked the same; `pir_mask`: against a persona
    whose every token is the end-of-text token, which the models of the worlds have never read
    there; `attention`: its share on the persona. Others are drawn from `pool`, another corpus, or
    from the same.
    """
    from workbench.tokens.attribution import attention_share

    examples = examples_of(corpus)
    others = examples if pool is None else examples_of(pool)
    scored = short_scores(model, tokenizer, corpus)
    for intervention in INSTEAD:  # the same texts in the same order
        table = make_pairs(examples, tokenizer, intervention, pool=others)
        scored[f"pir_{intervention}"] = score_tokens(model, tokenizer, table)["pir"]
    return scored.merge(attention_share(model, tokenizer, examples), on=["text", "position"])


def short_scores(model: Any, tokenizer: Any, corpus: Any) -> pd.DataFrame:
    """The token table of a world's texts with the planted truth, persona deleted: `SCORES` and no
    others."""
    pairs = make_pairs(examples_of(corpus), tokenizer)
    scored = score_tokens(model, tokenizer, pairs, SCORES)
    return mark(scored, corpus, pairs)


def auc_table(tokens: pd.DataFrame) -> pd.DataFrame:
    """AUC of every score for all personal words, and with the second style word, which the first
    tells, left out."""
    scores = [*SCORES, *(f"pir_{name}" for name in INSTEAD), "attention", "word_match"]
    direct = tokens[tokens["direct"] | ~tokens["personal"]]
    parts = {"personal": tokens, "direct": direct}
    tables = [detection(part, scores).assign(words=name) for name, part in parts.items()]
    return pd.concat(tables, ignore_index=True)


def facts(tokens: pd.DataFrame) -> pd.DataFrame:
    """Mean PIR by class beside what PersonaWorld makes known: [what, words, pir, expected]
    (nats)."""
    prior = PersonaWorld.prior()
    known = -(prior * np.log(prior)).sum()
    first, kind = tokens["direct"], tokens["kind"]
    classes = [
        ("first style word", (kind == "s") & first, np.log(4)),
        ("second style word (told by the first)", (kind == "s") & ~first, 0.0),
        ("copied value", kind == "c", known),
        ("query word", kind == "q", 0.0),
        ("noise word", kind == "n", 0.0),
        ("template word", kind == "g", 0.0),
    ]
    rows = []
    for what, where, expected in classes:
        rows.append((what, int(where.sum()), tokens.loc[where, "pir"].mean(), expected))
    return pd.DataFrame(rows, columns=["what", "words", "pir", "expected"])


def fooled(
    model: Any,
    tokenizer: Any,
    n: int = HELD_OUT,
    seed: int = HELD_OUT_SEED,
    pool: int = POOL,
    world: FoolingWorld | None = None,
) -> pd.DataFrame:
    """What each mechanism of FoolingWorld does, on `n` texts each: [mechanism, measure, value, low,
    high].

    `world` is the one that the model was trained on, by default that of seed 0. `auc_*`: personal
    words (c, d, s) against all others, `low` and `high` 95 % of resampled texts;
    `*_against_fooled`: against the words that were planted to fool, alone; `above_*`: share of
    words with PIR > 0.8; `mean_pir_fooled`: PIR of the planted words (t; the first word after a
    gap; later words of the tone); `cause_*`, `twin_*`: leave-one-out PIR of d by memory item. The
    measures of data/predictions.toml.
    """
    world, rows = world or FoolingWorld(), []
    for mechanism in MECHANISMS:
        corpus = world.corpus(n, seed, mechanism)
        asked = world.corpus(pool, seed + 1, mechanism) if mechanism == "retrieved" else None
        tokens = planted_scores(model, tokenizer, corpus, asked)
        found = _auc(tokens)
        personal = tokens["personal"]
        found["above_personal"] = (tokens.loc[personal, "pir"] > FLOOR).mean()
        found["above_other"] = (tokens.loc[~personal, "pir"] > FLOOR).mean()
        gained = tokens["pir"].clip(lower=0)
        found["share_of_pir_on_other_words"] = gained[~personal].sum() / gained.sum()
        planted = planted_to_fool(tokens, corpus, mechanism)
        if planted.any():
            found["mean_pir_fooled"] = tokens.loc[planted, "pir"].mean()
        if mechanism == "retrieved":
            found |= _auc(tokens[personal | planted], "_against_fooled")
        if mechanism in ("plain", "correlated"):
            found |= _by_memory(model, tokenizer, world, corpus, tokens)
        for measure, value in found.items():
            three = value if isinstance(value, tuple) else (value, np.nan, np.nan)
            rows.append((mechanism, measure, *three))
    return pd.DataFrame(rows, columns=["mechanism", "measure", "value", "low", "high"])


def _auc(tokens: pd.DataFrame, ending: str = "") -> dict[str, Any]:
    scores = ["pir", "pir_others", "pir_peer", "kl", "loss", "entropy", "attention"]
    found = {}
    for row in detection(tokens, scores).itertuples():
        name = f"auc_{row.score.removeprefix('pir_')}{ending}"
        found[name] = row.auc, row.low, row.high
    return found


def planted_to_fool(tokens: pd.DataFrame, corpus: Any, mechanism: str) -> pd.Series:
    """The words that were planted to be taken for personal, or for not personal (mediated)."""
    if mechanism == "mediated":
        return (tokens["kind"] == "s") & ~tokens["direct"]
    if mechanism != "omitted":
        return tokens["kind"] == "t"
    # a gap begins where the next word does
    gaps = corpus.words.query("kind == 'o'").set_index(["text", "start"]).index
    return ~tokens["personal"] & tokens.set_index(["text", "start"]).index.isin(gaps)


def _by_memory(
    model: Any, tokenizer: Any, world: FoolingWorld, corpus: Any, tokens: pd.DataFrame
) -> dict[str, float]:
    """Leave-one-out PIR of d: of the memory item that caused it, and of its twin where that is not
    shown."""
    examples = examples_of(corpus)
    each = make_pairs(examples, tokenizer, "each")
    scored = score_tokens(model, tokenizer, each)
    scored[["text", "memory"]] = scored["text"].str.split("/", expand=True).astype(int)
    derived = tokens.loc[tokens["kind"] == "d", ["text", "position"]]
    value = scored.merge(derived, on=["text", "position"]).set_index(["text", "memory"])["pir"]
    cause, twin = [], []
    for row in examples.itertuples():
        slots = world.templates[row.query.split()[0]]["slots"]
        own, other = world.slots[slots["d"]], world.slots[slots["twin"]]
        place = {told.split()[0]: k for k, told in enumerate(row.memories)}
        if own in place:
            cause.append(value[row.text, place[own]])
        else:
            twin.append(value[row.text, place[other]])
    found = {"mean_pir_cause_left_out": np.mean(cause)}
    found["median_pir_cause_left_out"] = np.median(cause)
    found["cause_found"] = np.mean(np.array(cause) > FLOOR)
    if twin:
        found["twin_blamed"] = np.mean(np.array(twin) > FLOOR)
    return found
