"""PerContrast: how much a person's part of the prompt changes the probability of each token of a
text.

Zhang et al., arXiv:2603.06595, Eq. 2, with the persona deleted (do(P = ∅)) and the gold prefix in
both passes:

    PIR(y_i; θ) = log P_θ(y_i | p_u, x, y_<i) − log P_θ(y_i | x, y_<i)        [nats]

A direct effect under teacher forcing: it says what the persona adds once the words before are
given, not what it did to those words.

Signs elsewhere: P-CXMI, pointwise CXMI (Fernandes et al., arXiv:2105.03482), is PIR / ln 2, in
bits. Where the input of inseq 0.7.1 holds the persona and its contrast does not,
`contrast_prob_diff(logprob=True)` is PIR, but `pcxmi` is −PIR / ln 2 and `in_context_pvi` is −PIR:
their author put the context into the contrast.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from workbench.errors import ConfigError, ModelError
from workbench.tokens import passes
from workbench.tokens.encoding import check_pairs, encode_pairs, prompts_of

SCORES = ("pir", "kl", "entropy", "loss", "probability_difference", "pcxmi")
WHOLE = ("kl", "entropy")  # these need the probabilities of all tokens, not of the gold one alone


def score_tokens(
    model: Any,
    tokenizer: Any,
    pairs: pd.DataFrame,
    scores: Sequence[str] = ("pir",),
    batch_size: int = 64,
    batch_tokens: int = 8192,
    batch_logits: int = 1 << 26,
) -> pd.DataFrame:
    """Score every token of every response, once with and once without the person in the prompt.

    `pairs` has one row per text: `text` (its id), `prompt_with`, `prompt_without`, `response`; a
    tuple of prompts in `prompt_without` stands for the mean of their probabilities. Returns [text,
    position, token_id, token, start, end, log_prob_with, log_prob_without, <scores>, boundary];
    `start:end` are character offsets into the response.

    | score | what it is |
    |---|---|
    | pir | log p⁺ − log p⁻ of the gold token, in nats |
    | pcxmi | PIR / ln 2, in bits |
    | probability_difference | p⁺ − p⁻ |
    | loss | −log p⁺, in nats |
    | entropy | −Σ_v p⁺ log p⁺ over the vocabulary, in nats |
    | kl | KL(p⁺ ‖ p⁻) over the vocabulary, in nats |

    `boundary` marks a first token whose text and prompt would be cut into other tokens if they were
    tokenised together: its row was scored on tokens that the model seldom met, and
    `table["boundary"].sum()` counts such rows.

    `model` is a causal language model of Transformers (any dtype, device or device map), or a
    scorer behind an endpoint (`workbench.language.Endpoint`), which needs no tokenizer but cannot
    give `kl` and `entropy`. Each distinct prompt and response is run once, so PIR of equal prompts
    is exactly 0. A forward pass holds at most `batch_size` texts, `batch_tokens` tokens and
    `batch_logits` logits (or one text); `kl` keeps about as many again. What shares a batch changes
    no value beyond rounding.

    Raises `DataError` for a missing column, a repeated text or an empty response, `TooLarge` for a
    row that does not fit the model's context, `ConfigError` for an unknown score or one that the
    endpoint cannot give, `ModelError` for a model that is not causal, or whose logits are not
    numbers (it names the text).
    """
    unknown = sorted(set(scores) - set(SCORES))
    if unknown:
        raise ConfigError(f"unknown score {unknown}", where="scores", expected=f"some of {SCORES}")
    if min(batch_size, batch_tokens, batch_logits) < 1:
        raise ConfigError(
            "a batch of nothing", "batch_size, batch_tokens, batch_logits", "at least 1"
        )
    behind, rows = hasattr(model, "of_ids"), []
    if behind and set(scores) & set(WHOLE):
        what = f"{sorted(set(scores) & set(WHOLE))} need the probabilities of the whole vocabulary"
        raise ConfigError(
            what,
            "scores",
            "an endpoint returns that of one token",
            "load the model with load_causal_lm",
        )
    if behind and tokenizer is None:
        rows = _ask_texts(model, pairs)
    elif behind:
        rows = encode_pairs(tokenizer, pairs)
        _ask_ids(model, rows)
    else:
        rows = encode_pairs(tokenizer, pairs, passes.context_of(model))
        with passes.evaluating(model):
            _run(model, rows, scores, batch_size, batch_tokens, batch_logits)
    return _table(pairs, rows, scores)


def _prompts(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["with"], row["without"], *row["others"]


def _ask_texts(scorer: Any, pairs: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of `pairs` as the scorer tokenises and scores them; the prompts of one response are
    asked for together."""
    check_pairs(pairs)
    rows = []
    for row in pairs.itertuples(index=False):
        (first,), (second, *others) = prompts_of(row.prompt_with), prompts_of(row.prompt_without)
        if not all(isinstance(one, str) for one in (first, second, *others)):
            do = "pass the model's tokenizer as well"
            raise ConfigError(
                "a prompt of token ids for a scorer that takes text", f"text {row.text!r}", do=do
            )
        rows.append(
            {
                "text": row.text,
                "response": row.response,
                "with": first,
                "without": second,
                "others": others,
            }
        )
    for response, together in _by(rows, "response").items():
        prompts = list(dict.fromkeys(prompt for row in together for prompt in _prompts(row)))
        found = scorer.of_text(prompts, response)
        ids, offsets = (
            found.ids or (-1,) * len(found.tokens),
            list(zip(found.start, found.end, strict=True)),
        )
        log_probs = dict(zip(prompts, found.log_probs, strict=True))
        for row in together:
            row |= {"ids": ids, "offsets": offsets, "boundary": found.merged}
            row["gold"] = np.array([log_probs[prompt] for prompt in _prompts(row)])
    return rows


def _ask_ids(scorer: Any, rows: list[dict[str, Any]]) -> None:
    """Add `gold` (prompts × tokens) to each row, from a scorer of token ids."""
    for ids, together in _by(rows, "ids").items():
        prompts = list(dict.fromkeys(prompt for row in together for prompt in _prompts(row)))
        log_probs = dict(zip(prompts, scorer.of_ids(prompts, ids), strict=True))
        for row in together:
            row["gold"] = np.array([log_probs[prompt] for prompt in _prompts(row)])


def _by(rows: list[dict[str, Any]], name: str) -> dict[Any, list[dict[str, Any]]]:
    """Rows that share a response: what is asked for its prompts is asked once."""
    out: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        out.setdefault(row[name], []).append(row)
    return out


def _run(model: Any, rows: list[dict[str, Any]], scores: Sequence[str], *limits: int) -> None:
    """Add `gold` (prompts × tokens), and `entropy` and `kl` where asked for, to each row.

    Logits of several passes are kept for KL alone, for some texts at a time.
    """
    if not rows:
        return
    passes.check_causal(model)
    gold: dict[passes.Pass, np.ndarray] = {}
    entropy: dict[passes.Pass, np.ndarray] = {}
    whole = "kl" in scores
    groups = _groups(rows, limits[-1] // passes.vocabulary_of(model)) if whole else [rows]
    owner = {(prompt, row["ids"]): row["text"] for row in rows for prompt in _prompts(row)}
    quiet = bool(os.environ.get("TQDM_DISABLE"))  # which tqdm's own bar for notebooks does not read
    with tqdm(
        total=len(owner), delay=2, leave=False, desc="score_tokens", unit="pass", disable=quiet
    ) as bar:
        for group in groups:
            firsts = {(row["with"], row["ids"]) for row in group}
            kept: dict[passes.Pass, torch.Tensor] = {}
            for batch in passes.batches(
                {(p, row["ids"]) for row in group for p in _prompts(row)}, model, *limits
            ):
                for one, logits in zip(batch, passes.response_logits(model, batch), strict=True):
                    gold[one] = _finite(passes.gold(logits, one[1]), owner[one])
                    if "entropy" in scores and one in firsts:
                        entropy[one] = passes.entropy(logits)
                    if whole:
                        kept[one] = logits
                bar.update(len(batch))
            for row in group if whole else ():
                first, *others = (kept[prompt, row["ids"]] for prompt in _prompts(row))
                row["kl"] = passes.divergence(first, others)
    for row in rows:
        row["gold"] = np.array([gold[prompt, row["ids"]] for prompt in _prompts(row)])
        row["entropy"] = entropy.get((row["with"], row["ids"]))


def _groups(rows: list[dict[str, Any]], limit: int) -> Iterable[list[dict[str, Any]]]:
    """Rows whose distinct passes have at most `limit` response tokens (or one row); equal responses
    lie together."""
    group: list[dict[str, Any]] = []
    run: set[passes.Pass] = set()
    size = 0
    for row in sorted(rows, key=lambda row: (len(row["ids"]), row["ids"])):
        own = {(prompt, row["ids"]) for prompt in _prompts(row)}
        if group and size + len(own - run) * len(row["ids"]) > limit:
            yield group
            group, run, size = [], set(), 0
        size += len(own - run) * len(row["ids"])
        run |= own
        group.append(row)
    yield group


def _finite(log_probs: np.ndarray, text: Any) -> np.ndarray:
    wrong = np.flatnonzero(~np.isfinite(log_probs))
    if len(wrong):
        if log_probs[wrong[0]] == -np.inf:
            what = "the model gives a token probability 0, so that its PIR is not defined"
        else:
            what = "the model returned logits that are not finite"
        where = f"text {text!r}, token {wrong[0]}"
        raise ModelError(
            what, where, "finite numbers", "load the model in float32, or drop the text"
        )
    return log_probs


def _table(pairs: pd.DataFrame, rows: list[dict[str, Any]], scores: Sequence[str]) -> pd.DataFrame:
    """One line a token, in the order of the rows."""
    # which text, which of its tokens
    sizes = np.array([len(row["ids"]) for row in rows], dtype=int)
    position = _joined([np.arange(size) for size in sizes]).astype(np.int64)
    # the characters that each token covers
    offsets = [np.reshape(row["offsets"], (-1, 2)) for row in rows]
    start = _joined([part[:, 0] for part in offsets]).astype(np.int64)
    end = _joined([part[:, 1] for part in offsets]).astype(np.int64)
    covered = []
    for row, part in zip(rows, offsets, strict=True):
        covered += [row["response"][a:b] for a, b in part.tolist()]
    # both sides; p⁻ of several prompts is the mean of their probabilities
    with_ = _joined([row["gold"][0] for row in rows])
    sums = [np.logaddexp.reduce(row["gold"][1:], axis=0) for row in rows]
    counts = [len(row["gold"]) - 1 for row in rows]
    means = [total - math.log(n) for total, n in zip(sums, counts, strict=True)]
    without = _joined(means)
    table = {
        "text": pairs["text"].repeat(sizes).reset_index(drop=True),
        "position": position,
        "token_id": _joined([row["ids"] for row in rows]).astype(np.int64),
        "token": pd.Series(covered, dtype="str"),
        "start": start,
        "end": end,
        "log_prob_with": with_,
        "log_prob_without": without,
    }
    # scores that follow from both sides, and those that the passes gave
    simple = {
        "pir": with_ - without,
        "pcxmi": (with_ - without) / math.log(2),
        "loss": -with_,
        "probability_difference": np.exp(with_) - np.exp(without),
    }
    for name in scores:
        table[name] = simple[name] if name in simple else _joined([row[name] for row in rows])
    # only a first token can have been cut otherwise beside its prompt
    merged = np.repeat(np.array([row["boundary"] for row in rows], dtype=bool), sizes)
    return pd.DataFrame(table | {"boundary": merged & (position == 0)})


def _joined(parts: list[Any]) -> np.ndarray:
    """One array of a part for each row; empty where there are no rows."""
    return np.concatenate([np.zeros(0), *parts])
