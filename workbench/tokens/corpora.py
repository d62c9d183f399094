"""Tables of prompts from the texts of a world: memory items are the persona, the shopper's text is
the response."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import ConfigError, DataError
from workbench.tokens.aggregate import add_up
from workbench.tokens.prompts import foreign, make_pairs
from workbench.tokens.rendering import prompt

EXCERPT = "One sentence, please."


def examples_of(
    corpus: Any, users: Any = None, n: int | None = None, seed: int = 0
) -> pd.DataFrame:
    """Examples for `make_pairs` from a world, or from more texts: [text, user, item, query,
    response, memories].

    `memories` are the memory items that the text's prompt shows, in an order drawn with `seed`.
    `users` keeps some shoppers; `n` draws so many texts. Raises `DataError` when no text is left.
    """
    rng = np.random.default_rng(seed)
    says = corpus.truth["memories"].set_index("memory")["statement"]
    shown = corpus.truth["text_memories"].query("shown")
    memories = {
        text: part.tolist() for text, part in shown["memory"].map(says).groupby(shown["text"])
    }
    table = corpus.texts if users is None else corpus.texts[corpus.texts["user"].isin(users)]
    if table.empty:
        raise DataError("no text of these shoppers", where="texts", do="choose other users")
    if n is not None and n < len(table):
        table = table.iloc[np.sort(rng.choice(len(table), n, replace=False))]
    out = table[["text", "user", "item", "query", "response"]].reset_index(drop=True)
    return out.assign(
        memories=[list(map(str, rng.permutation(memories[text]))) for text in out["text"]]
    )


def pairs_table(
    corpus: Any,
    tokenizer: Any,
    persona: str = "own",
    users: Any = None,
    n: int | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Pairs for `score_tokens` with the author's own persona in the first prompt, or with a
    stranger's (the control).

    The columns of `make_pairs` and `persona`, the text that was put in. `persona` is "own" or
    "other" (that of a text by another shopper, drawn with `seed`); both have the same
    `prompt_without`. The rest as in `examples_of`. Raises `ConfigError` for another persona.
    """
    if persona not in ("own", "other"):
        raise ConfigError(f"persona {persona!r}", expected="own or other")
    examples = examples_of(corpus, users, n, seed)
    if persona == "other":
        pool = examples_of(corpus, seed=seed)
        rng = np.random.default_rng(seed)
        drawn = [foreign(rng, pool, row, 1)[0] for row in examples.itertuples(index=False)]
        examples = examples.assign(memories=pool["memories"].iloc[drawn].tolist())
    return make_pairs(examples, tokenizer).assign(
        persona=["\n".join(told) for told in examples["memories"]]
    )


def excerpts(corpus: Any, tokenizer: Any, seed: int = 0) -> pd.DataFrame:
    """Every sentence that a memory item brought about, as a text of its own, with the columns of
    `pairs_table`.

    The persona is that item among one or two others of the prompt. In whole texts the persona
    decides a few words in a hundred, and a small model takes long to notice; here it decides nearly
    all of them. For training only.
    """
    rng = np.random.default_rng(seed)
    says = corpus.truth["memories"].set_index("memory")["statement"]
    shown = corpus.truth["text_memories"].query("shown").groupby("text")["memory"].agg(list)
    said = corpus.texts.set_index("text")[["user", "response"]]
    rows = []
    for number, row in enumerate(corpus.truth["sentences"].query("memory >= 0").itertuples()):
        others = [memory for memory in shown[row.text] if memory != row.memory]
        told = [row.memory, *rng.permutation(others)[: 1 + int(rng.integers(2))]]
        persona = "\n".join(says[rng.permutation(told)])
        user, response = said.loc[row.text]
        rows.append((f"excerpt {number}", user, persona, EXCERPT, response[row.start : row.end]))
    out = pd.DataFrame(rows, columns=["text", "user", "persona", "query", "response"])
    out["prompt_with"] = [prompt(tokenizer, told.splitlines(), EXCERPT) for told in out["persona"]]
    out["prompt_without"] = prompt(tokenizer, [], EXCERPT)
    return out


def mark(tokens: pd.DataFrame, corpus: Any, pairs: pd.DataFrame) -> pd.DataFrame:
    """Add the planted truth to a token table: `kind`, `personal`, `direct`, and the baseline
    `word_match`.

    `kind` is that of the planted word which the token overlaps: c copies a word of a memory item, d
    tells it in other words, s is style, q repeats the query, n is chance, g everything else.
    `personal` is c, d or s; `direct` is the first personal word that a memory item brings to the
    text (later ones follow from it). `word_match` is 1 where the token's word stands in the
    persona.
    """
    spans = dict(list(corpus.truth["words"].groupby("text")))
    said = pairs.set_index("text")
    personas = said["persona"] if "persona" in said else said["memories"].map("\n".join)
    parts = []
    for text, part in tokens.groupby("text", sort=False):
        persona = set(re.findall(r"\w+", personas.at[text].lower()))
        found = [
            m.span()
            for m in re.finditer(r"\w+", said.at[text, "response"])
            if m[0].lower() in persona
        ]
        copied = _overlap(part, np.array(found, dtype=int).reshape(-1, 2))
        planted = spans.get(text)
        place = (
            np.full(len(part), -1)
            if planted is None
            else _overlap(part, planted[["start", "end"]].to_numpy())
        )
        kind = np.array(["g", *([] if planted is None else planted["kind"])])[place + 1]
        direct = np.array([False, *([] if planted is None else planted["direct"])], dtype=bool)[
            place + 1
        ]
        personal = np.isin(kind, ["c", "d", "s"])
        marks = {
            "kind": kind,
            "personal": personal,
            "direct": direct & personal,
            "word_match": (copied >= 0) * 1.0,
        }
        parts.append(part.assign(**marks))
    return pd.concat(parts, ignore_index=True)


def sentences(tokens: pd.DataFrame, corpus: Any) -> pd.DataFrame:
    """Add a marked token table up to sentences: [text, start, end, role, memory, personal,
    n_tokens, <sums>].

    `personal`: a memory item brought the sentence about. Loss, entropy and KL are divided by the
    number of tokens, so that they do not merely count words.
    """
    out = add_up(tokens, corpus.texts, corpus.truth["sentences"])
    for name in ("loss", "entropy", "kl"):
        if name in out:
            out[name] /= out["n_tokens"]
    return out.assign(personal=out["memory"] >= 0)


def _overlap(part: pd.DataFrame, spans: np.ndarray) -> np.ndarray:
    """For each token the row of the first span that it overlaps, −1 where there is none."""
    if len(spans) == 0:
        return np.full(len(part), -1)
    touches = (part["start"].to_numpy()[:, None] < spans[:, 1]) & (
        part["end"].to_numpy()[:, None] > spans[:, 0]
    )
    return np.where(touches.any(axis=1), touches.argmax(axis=1), -1)
