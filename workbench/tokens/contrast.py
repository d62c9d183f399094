"""PerContrast: how much a person's part of the prompt changes the probability of each token of a text.

Zhang et al., arXiv:2603.06595, Eq. 2, with the persona deleted (do(P = ∅)) and the gold prefix in both passes:

    PIR(y_i; θ) = log P_θ(y_i | p_u, x, y_<i) − log P_θ(y_i | x, y_<i)        [nats]

A direct effect under teacher forcing: it says what the persona adds once the words before are given, not what it
did to those words. Signs elsewhere: inseq's `pcxmi` is −PIR / ln 2, `in_context_pvi` is −PIR,
`contrast_prob_diff(logprob=True)` is PIR.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from workbench.errors import ConfigError, DataError, ModelError, TooLarge

COLUMNS = ("text", "prompt_with", "prompt_without", "response")
SCORES = ("pir", "kl", "entropy", "loss", "probability_difference")


def score_tokens(
    model: Any, tokenizer: Any, pairs: pd.DataFrame, scores: Sequence[str] = ("pir",), batch_size: int = 16
) -> pd.DataFrame:
    """Score every token of every response, once with and once without the person in the prompt.

    `pairs` has one row per text: `text` (its id), `prompt_with`, `prompt_without`, `response`. Returns
    [text, position, token_id, token, start, end, log_prob_with, log_prob_without, <scores>]; `start:end` are
    character offsets into the response; all numbers are natural-log based (nats), from a float64 log-softmax.
    Scores: `pir`; `kl` = KL(p⁺‖p⁻) over the vocabulary; `entropy` and `loss` of the pass with the person;
    `probability_difference` = p⁺ − p⁻. Prompt and response are tokenised apart, so the tokens of the two passes
    align; equal prompts are run once, so their PIR is exactly 0.

    Raises `DataError` for a missing column, a repeated text or an empty response, `TooLarge` for a row that does
    not fit the model's context, `ConfigError` for an unknown score.
    """
    unknown = sorted(set(scores) - set(SCORES))
    if unknown:
        raise ConfigError(f"unknown score {unknown}", where="scores", expected=f"some of {SCORES}")
    encoded = encode_pairs(tokenizer, pairs, _context(model))
    # texts of one length together: little padding, and passes that several rows share fall into one batch
    order = sorted(range(len(encoded)), key=lambda i: (len(encoded[i]["ids"]), encoded[i]["ids"], i))
    tables: list[pd.DataFrame] = [pd.DataFrame()] * len(encoded)
    for first in range(0, len(order), batch_size):
        chunk = order[first : first + batch_size]
        passes = _forward(
            model, tokenizer, [(encoded[i][side], encoded[i]["ids"]) for i in chunk for side in ("with", "without")]
        )
        for i in chunk:
            row, ids = encoded[i], encoded[i]["ids"]
            tables[i] = _table(row, passes[row["with"], ids], passes[row["without"], ids], scores)
    return pd.concat(tables, ignore_index=True) if tables else _empty(scores)


def encode_pairs(tokenizer: Any, pairs: pd.DataFrame, context: int | None = None) -> list[dict[str, Any]]:
    """Check `pairs` and turn each row into token ids: {text, response, ids, offsets, with, without}."""
    _check_pairs(pairs)
    return [_encode(tokenizer, row, place, context) for place, row in enumerate(pairs.itertuples(index=False))]


def _check_pairs(pairs: pd.DataFrame) -> None:
    missing = [name for name in COLUMNS if name not in pairs.columns]
    if missing:
        raise DataError(f"missing columns {missing}", where="pairs", expected=f"columns {list(COLUMNS)}")
    if pairs["text"].duplicated().any():
        twice = pairs.loc[pairs["text"].duplicated(), "text"].iloc[0]
        raise DataError(
            f"text {twice!r} appears twice", where="pairs", expected="one row per text", do="give every row its own id"
        )
    for place, response in enumerate(pairs["response"]):
        if not isinstance(response, str) or not response.strip():
            raise DataError("empty response", where=f"pairs row {place}", expected="text to score", do="drop the row")


def _context(model: Any) -> int | None:
    config = getattr(model, "config", None)
    return getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)


def _encode(tokenizer: Any, row: Any, place: int, context: int | None) -> dict[str, Any]:
    """Token ids of one row; text that looks like a special token stays text in the response."""
    found = tokenizer(row.response, add_special_tokens=False, return_offsets_mapping=True, split_special_tokens=True)
    out = {
        "text": row.text,
        "response": row.response,
        "ids": tuple(found["input_ids"]),
        "offsets": found["offset_mapping"],
    }
    for side in ("with", "without"):
        prompt = tokenizer(getattr(row, f"prompt_{side}"), add_special_tokens=False)["input_ids"]
        bos = tokenizer.bos_token_id
        if bos is not None and prompt[:1] != [bos]:
            prompt = [bos, *prompt]
        if not prompt:
            raise DataError(
                f"prompt_{side} holds no token and the tokenizer has no bos token",
                where=f"pairs row {place}",
                do="add a prompt",
            )
        if context is not None and len(prompt) + len(out["ids"]) > context:
            raise TooLarge(
                f"prompt_{side} ({len(prompt)} tokens) and response ({len(out['ids'])}) exceed the context",
                where=f"pairs row {place} (text {row.text!r})",
                expected=f"at most {context} tokens together",
                do="shorten the persona or split the response",
            )
        out[side] = tuple(prompt)
    return out


@torch.no_grad()
def _forward(model: Any, tokenizer: Any, wanted: list[tuple[tuple, tuple]]) -> dict[tuple[tuple, tuple], np.ndarray]:
    """Log-probabilities (tokens × vocabulary, float64) of each response after each prompt, every pass run once.

    Padding stands on the right: a causal model never looks there, so it changes no value.
    """
    model.eval()
    device = getattr(model, "device", "cpu")
    partial = "logits_to_keep" in inspect.signature(model.forward).parameters
    passes: dict[tuple[tuple, tuple], np.ndarray] = {}
    todo = sorted(set(wanted), key=lambda pair: (len(pair[0]) + len(pair[1]), pair))
    half = (len(todo) + 1) // 2  # short prompts (persona-free) and long ones apart
    for group in (todo[:half], todo[half:]):
        if not group:
            continue
        longest = max(len(prompt) + len(ids) for prompt, ids in group)
        tokens = torch.full((len(group), longest), tokenizer.pad_token_id or 0, dtype=torch.long)
        mask = torch.zeros_like(tokens)
        for row, (prompt, ids) in enumerate(group):
            tokens[row, : len(prompt) + len(ids)] = torch.tensor(prompt + ids)
            mask[row, : len(prompt) + len(ids)] = 1
        start = min(len(prompt) for prompt, _ in group) - 1
        keep = {"logits_to_keep": torch.arange(start, longest, device=device)} if partial else {}
        logits = model(input_ids=tokens.to(device), attention_mask=mask.to(device), **keep).logits
        for row, (prompt, ids) in enumerate(group):
            first = len(prompt) - 1 - (start if partial else 0)
            scored = logits[row, first : first + len(ids)].double()
            passes[prompt, ids] = torch.log_softmax(scored, dim=-1).cpu().numpy()
        if not all(np.isfinite(passes[pair]).any() for pair in group):
            raise ModelError("the model returned no finite logits", expected="finite numbers", do="load it in float32")
    return passes


def _table(row: dict[str, Any], with_: np.ndarray, without: np.ndarray, scores: Sequence[str]) -> pd.DataFrame:
    ids = np.array(row["ids"])
    at = np.arange(len(ids)), ids
    gold, bare = with_[at], without[at]
    start, end = (np.array(side, dtype=np.int64) for side in zip(*row["offsets"], strict=True))
    table = pd.DataFrame(
        {
            "text": row["text"],
            "position": np.arange(len(ids)),
            "token_id": ids,
            "token": [row["response"][a:b] for a, b in zip(start, end, strict=True)],
            "start": start,
            "end": end,
            "log_prob_with": gold,
            "log_prob_without": bare,
        }
    )
    for score in scores:
        table[score] = _score(score, with_, without, gold, bare)
    return table


def _score(score: str, with_: np.ndarray, without: np.ndarray, gold: np.ndarray, bare: np.ndarray) -> np.ndarray:
    if score == "pir":
        return gold - bare
    if score == "loss":
        return -gold
    if score == "probability_difference":
        return np.exp(gold) - np.exp(bare)
    probability = np.exp(with_)
    inside = probability > 0  # 0 · log 0 = 0
    other = np.where(inside, without, 0.0) if score == "kl" else 0.0
    total = (probability * (np.where(inside, with_, 0.0) - other)).sum(axis=1)
    return np.maximum(total, 0.0) if score == "kl" else -total


def _empty(scores: Sequence[str]) -> pd.DataFrame:
    names = ["text", "position", "token_id", "token", "start", "end", "log_prob_with", "log_prob_without", *scores]
    return pd.DataFrame(columns=names)


SUMS = ("log_prob_with", "log_prob_without", "pir", "kl", "entropy", "loss", "word_match")


def add_up(tokens: pd.DataFrame, spans: pd.DataFrame) -> pd.DataFrame:
    """Add token scores up to larger pieces: `spans` [text, start, end, ...] with `n_tokens` and the sums.

    A token belongs to the span that holds its last character. By the chain rule the PIR of a piece is the sum over its
    tokens, as are log-probabilities, loss, KL and entropy. Spans without a token are left out.
    """
    parts, scored = [], dict(list(tokens.groupby("text", sort=False)))
    for text, table in spans.groupby("text", sort=False):
        if text not in scored:
            continue
        last = scored[text]["end"].to_numpy() - 1
        place = np.searchsorted(table["start"].to_numpy(), last, side="right") - 1
        inside = (place >= 0) & (last < table["end"].to_numpy()[np.maximum(place, 0)])
        added = scored[text][inside].groupby(place[inside])
        sums = added[[name for name in SUMS if name in tokens]].sum().assign(n_tokens=added.size())
        parts.append(pd.concat([table.iloc[sums.index].reset_index(drop=True), sums.reset_index(drop=True)], axis=1))
    return pd.concat(parts, ignore_index=True)


def words(tokens: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Add token scores up to words, runs without white space: [text, word, start, end, n_tokens, <sums>]."""
    said = pairs[["text", "response"]].itertuples(index=False)
    spans = [(text, found[0], *found.span()) for text, response in said for found in re.finditer(r"\S+", response)]
    return add_up(tokens, pd.DataFrame(spans, columns=["text", "word", "start", "end"]))
