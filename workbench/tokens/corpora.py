"""Tables of prompts from the texts of a world: memory items are the persona, the shopper's text is
the response."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import ConfigError, DataError, check_number
from workbench.tokens.aggregate import add_up
from workbench.tokens.encoding import check_columns
from workbench.tokens.prompts import foreign, make_pairs
from workbench.tokens.rendering import prompt

EXCERPT = "One sentence, please."


def examples_of(
    corpus: Any, users: Any = None, n: int | None = None, seed: int = 0
) -> pd.DataFrame:
    """Examples for `make_pairs` from a world, or from more texts: [text, user, item, query,
    response, memories].

    `memories` are the memory items that the text's prompt shows, in an order drawn with `seed`.
    `users` keeps some shoppers; `n` draws so many texts. Raises `DataError` for what is no world,
    and when no text is left.
    """
    check_world(corpus)
    check_number(0, seed=seed, n=n or 0)
    if users is not None and not pd.api.types.is_list_like(users):
        raise ConfigError(f"users {users!r}", expected="a list of shoppers")
    rng = np.random.default_rng(seed)
    table = corpus.texts if users is None else corpus.texts[corpus.texts["user"].isin(users)]
    if table.empty:
        raise DataError("no text of these shoppers", where="texts", do="choose other users")
    if n is not None and n < len(table):
        table = table.iloc[np.sort(rng.choice(len(table), n, replace=False))]
    out = table[["text", "user", "item", "query", "response"]].reset_index(drop=True)
    told = _shown(corpus).groupby("text")["statement"].agg(list)
    return out.assign(memories=[rng.permutation(told[text]).tolist() for text in out["text"]])


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
    return make_pairs(examples, tokenizer).assign(persona=examples["memories"].map("\n".join))


def excerpts(corpus: Any, tokenizer: Any, seed: int = 0) -> pd.DataFrame:
    """Every sentence that a memory item brought about, as a text of its own, with the columns of
    `pairs_table`.

    The persona is that item among one or two others of the prompt. In whole texts the persona
    decides a few words in a hundred, and a small model takes long to notice; here it decides nearly
    all of them. For training only.
    """
    check_world(corpus)
    rng = np.random.default_rng(seed)
    shown = dict(list(_shown(corpus).set_index("memory").groupby("text")["statement"]))
    said = corpus.texts.set_index("text")[["user", "response"]]
    rows = []
    for number, row in enumerate(corpus.truth["sentences"].query("memory >= 0").itertuples()):
        says = shown[row.text]
        others = says.index[says.index != row.memory]
        told = [row.memory, *rng.permutation(others)[: 1 + int(rng.integers(2))]]
        persona = "\n".join(says[rng.permutation(told)])
        user, response = said.loc[row.text]
        rows.append((f"excerpt {number}", user, persona, EXCERPT, response[row.start : row.end]))
    out = pd.DataFrame(rows, columns=["text", "user", "persona", "query", "response"])
    out["prompt_with"] = [prompt(tokenizer, told.splitlines(), EXCERPT) for told in out["persona"]]
    out["prompt_without"] = prompt(tokenizer, [], EXCERPT)
    return out


def check_world(corpus: Any) -> None:
    """Raise `DataError` for what is no world, nor texts of one."""
    if not (hasattr(corpus, "texts") and hasattr(corpus, "truth")):
        do = "a table of your own: tokens.examples(frame, user=…, prompt=…, response=…, history=…)"
        what = f"a {type(corpus).__name__} without texts and truth"
        raise DataError(what, "corpus", "a world, as load_world() and world.corpus(n) give it", do)


def _shown(corpus):
    """The memory items that each text's prompt shows: [text, memory, ..., statement]."""
    shown = corpus.truth["text_memories"].query("shown")
    says = corpus.truth["memories"].set_index("memory")["statement"]
    return shown.assign(statement=shown["memory"].map(says))


def mark(tokens: pd.DataFrame, corpus: Any, pairs: pd.DataFrame) -> pd.DataFrame:
    """Add the planted truth to a token table: `kind`, `personal`, `direct`, and the baseline
    `word_match`.

    `kind` is that of the planted word which the token overlaps: c copies a word of a memory item, d
    tells it in other words, s is style, q repeats the query, n is chance, g everything else.
    `personal` is c, d or s; `direct` is the first personal word that a memory item brings to the
    text (later ones follow from it). `word_match` is 1 where the token's word stands in the
    persona.
    """
    check_world(corpus)
    words = corpus.truth["words"]
    check_columns(tokens, ("text", "start", "end"), "tokens")
    check_columns(pairs, ("text", "response"), "pairs")
    if tokens.empty or (lost := {*tokens["text"]} - {*pairs["text"]}):
        what = f"no response of text {min(lost, key=str)!r}" if len(tokens) else "no token"
        raise DataError(what, "pairs", "the pairs that were scored")
    spans, nothing = dict(list(words.groupby("text"))), words.iloc[:0]
    said = pairs.set_index("text")
    personas = said["persona"] if "persona" in said else said["memories"].map("\n".join)
    parts = []
    for text, part in tokens.groupby("text", sort=False):
        # words that stand in the persona, and words that were planted
        persona = set(re.findall(r"\w+", personas.at[text].lower()))
        found = re.finditer(r"\w+", said.at[text, "response"])
        copied = [match.span() for match in found if match[0].lower() in persona]
        planted = spans.get(text, nothing)
        place = _overlap(part, planted[["start", "end"]].to_numpy())
        # the truth of the word that each token overlaps; the last row is that of none
        kind = np.append(planted["kind"], "g")[place]
        personal = np.isin(kind, ["c", "d", "s"])
        direct = np.append(planted["direct"], False).astype(bool)[place] & personal
        match = (_overlap(part, np.reshape(copied, (-1, 2))) >= 0) * 1.0
        marks = {"kind": kind, "personal": personal, "direct": direct, "word_match": match}
        parts.append(part.assign(**marks))
    return pd.concat(parts, ignore_index=True)


def sentences(tokens: pd.DataFrame, corpus: Any) -> pd.DataFrame:
    """Add a marked token table up to sentences: [text, start, end, role, memory, personal,
    n_tokens, <sums>].

    `personal`: a memory item brought the sentence about. Loss, entropy and KL are divided by the
    number of tokens, so that they do not merely count words.
    """
    check_world(corpus)
    out = add_up(tokens, corpus.texts, corpus.truth["sentences"])
    for name in ("loss", "entropy", "kl"):
        if name in out:
            out[name] /= out["n_tokens"]
    return out.assign(personal=out["memory"] >= 0)


def _overlap(part, spans):
    """For each token the row of the first span that it overlaps, −1 where there is none."""
    start, end = (part[side].to_numpy()[:, None] for side in ("start", "end"))
    touches = (start < spans[:, 1]) & (end > spans[:, 0])
    # behind them a column for tokens that overlap none
    first = np.column_stack([touches, np.ones(len(part), dtype=bool)]).argmax(axis=1)
    return np.where(first < len(spans), first, -1)
