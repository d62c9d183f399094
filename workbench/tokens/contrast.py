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

import inspect
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from workbench.errors import ConfigError, ModelError, WorkbenchError, check_number, stopped
from workbench.html import sourced
from workbench.language.loading import check_fits, context_of
from workbench.tokens import passes
from workbench.tokens.encoding import check_pairs, encode_pairs, prompts_of
from workbench.tokens.prompts import make_pairs

SCORES = ("pir", "kl", "entropy", "loss", "probability_difference", "pcxmi")
WHOLE = ("kl", "entropy")  # these need the probabilities of all tokens, not of the gold one alone


@sourced
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
    tuple of prompts in `prompt_without` stands for the mean of their probabilities. Of examples,
    which have `memories` in place of prompts, `make_pairs` makes them. Returns [text,
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

    What `pairs.attrs` says, such as which template made the prompts, the table's say too.

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
    endpoint cannot give, `ModelError` for a model that is not causal, whose embedding lacks a token
    of the tokenizer, or whose logits are not numbers (it names the text).
    """
    scores = [scores] if isinstance(scores, str) else list(scores or ())
    if unknown := [one for one in scores if one not in SCORES]:
        raise ConfigError(f"unknown score {unknown}", "scores", f"some of {SCORES}")
    check_number(1, batch_size=batch_size, batch_tokens=batch_tokens, batch_logits=batch_logits)
    if isinstance(pairs, pd.DataFrame) and "memories" in pairs and "prompt_with" not in pairs:
        pairs = make_pairs(pairs, tokenizer)
    if hasattr(model, "of_ids"):
        rows = _ask(model, tokenizer, pairs, scores)
    else:
        rows = encode_pairs(tokenizer, pairs, context_of(model))
        parts = [part for row in rows for part in (*row["prompts"], row["ids"])]
        check_fits(model, tokenizer, itertools.chain(*parts))
        with passes.evaluating(model):
            _run(model, rows, scores, batch_size, batch_tokens, batch_logits)
    table = _table(pairs, rows, scores)
    table.attrs |= pairs.attrs
    return table


def _ask(scorer, tokenizer, pairs, scores):
    """Rows as a scorer behind an endpoint gives them; the prompts of one response are asked for
    together."""
    if whole := sorted(set(scores) & set(WHOLE)):
        what = f"{whole} need the probabilities of the whole vocabulary"
        expected = "an endpoint returns that of one token"
        raise ConfigError(what, "scores", expected, "load the model with load_causal_lm")
    rows = _texts(pairs) if tokenizer is None else encode_pairs(tokenizer, pairs)
    same = {}
    for row in rows:
        same.setdefault(row["response"], []).append(row)
    for together in same.values():
        try:
            _answered(scorer, tokenizer, pairs, together)
        except WorkbenchError as error:  # what was answered before it is not lost
            done = [row for row in rows if "gold" in row]
            do = "error.scored holds those; score pairs[~pairs.text.isin(error.scored.text)] later"
            failed = stopped(error, f"{len(done)} of {len(rows)} texts were scored", do)
            failed.scored = _table(pairs[["gold" in row for row in rows]], done, scores)
            raise failed from error
    return rows


def _answered(scorer, tokenizer, pairs, together):
    """Add what the scorer says of one response after all of its prompts."""
    prompts = list(dict.fromkeys(prompt for row in together for prompt in row["prompts"]))
    cut = {}
    ids = together[0].get("ids")
    if tokenizer is None:
        # before the prompts of a chat template nothing belongs
        chat = str(pairs.attrs.get("template")).startswith("chat")
        able = "special" in inspect.signature(scorer.of_text).parameters
        options = {"special": False} if chat and able else {}
        found = scorer.of_text(prompts, together[0]["response"], **options)
        log_probs, cut["boundary"] = found.log_probs, found.merged
        cut["ids"] = ids = found.ids or (-1,) * len(found.tokens)
        cut["offsets"] = list(zip(found.start, found.end, strict=True))
    else:
        log_probs = scorer.of_ids(prompts, ids)
    wanted = len(prompts), len(ids)
    if np.shape(log_probs) != wanted:
        what, expected = f"an array of shape {np.shape(log_probs)}", f"{wanted}, prompts × tokens"
        raise ModelError(what, type(scorer).__name__, expected)
    text = together[0]["text"]
    gold = {one: _finite(each, text) for one, each in zip(prompts, log_probs, strict=True)}
    for row in together:
        row |= cut | {"gold": np.array([gold[prompt] for prompt in row["prompts"]])}


def _texts(pairs):
    """Rows for a scorer that tokenises itself."""
    check_pairs(pairs)
    rows = []
    for row in pairs.itertuples(index=False):
        prompts = prompts_of(row.prompt_with) + prompts_of(row.prompt_without)
        if not all(isinstance(one, str) for one in prompts):
            what = "a prompt of token ids for a scorer that takes text"
            do = "pass the model's tokenizer as well"
            raise ConfigError(what, f"text {row.text!r}", do=do)
        rows.append({"text": row.text, "response": row.response, "prompts": prompts})
    return rows


def _run(model, rows, scores, *limits):
    """Add `gold` (prompts × tokens), and `entropy` and `kl` where asked for, to each row.

    Logits of several passes are kept for KL alone, for some texts at a time.
    """
    if not rows:
        return
    passes.check_causal(model)
    gold = {}
    entropy = {}
    whole = "kl" in scores
    groups = _groups(rows, limits[-1] // passes.vocabulary_of(model)) if whole else [rows]
    owner = {one: row["text"] for row in rows for one in _passes(row)}
    firsts = {_passes(row)[0] for row in rows} if "entropy" in scores else ()
    # of plain text: a bar that is a widget would stand in a saved notebook and say nothing
    with tqdm(total=len(owner), desc="score_tokens", delay=2, leave=False, unit="pass") as bar:
        for group in groups:
            kept = {}
            asked = {one for row in group for one in _passes(row)}
            for batch in passes.batches(asked, model, *limits):
                for one, logits in zip(batch, passes.response_logits(model, batch), strict=True):
                    gold[one] = _finite(passes.gold(logits, one[1]), owner[one])
                    if one in firsts:
                        entropy[one] = passes.entropy(logits)
                    if whole:
                        kept[one] = logits
                bar.update(len(batch))
            for row in group if whole else ():
                row["kl"] = passes.divergence(*[kept[one] for one in _passes(row)])
    for row in rows:
        row["gold"] = np.array([gold[one] for one in _passes(row)])
        row["entropy"] = entropy.get(_passes(row)[0])


def _passes(row):
    return [(prompt, row["ids"]) for prompt in row["prompts"]]


def _groups(rows, limit):
    """Rows whose distinct passes have at most `limit` response tokens (or one row); equal responses
    lie together."""
    group = []
    run = set()
    size = 0
    for row in sorted(rows, key=lambda row: (len(row["ids"]), row["ids"])):
        new = set(_passes(row)) - run
        if group and size + len(new) * len(row["ids"]) > limit:
            yield group
            group, run, size, new = [], set(), 0, set(_passes(row))
        size += len(new) * len(row["ids"])
        run |= new
        group.append(row)
    yield group


def _finite(log_probs, text):
    wrong = np.flatnonzero(~np.isfinite(log_probs))
    if len(wrong):
        what = "the model returned logits that are not finite"
        if log_probs[wrong[0]] == -np.inf:
            what = "the model gives a token probability 0, so that its PIR is not defined"
        do = "load the model in float32, or drop the text"
        raise ModelError(what, f"text {text!r}, token {wrong[0]}", "finite numbers", do)
    return log_probs


def _table(pairs, rows, scores):
    """One line a token, in the order of the rows."""
    # which text, which of its tokens, and the characters that each covers
    sizes = np.array([len(row["ids"]) for row in rows], dtype=int)
    position = _joined([np.arange(size) for size in sizes]).astype(np.int64)
    offsets = np.array([span for row in rows for span in row["offsets"]], dtype=np.int64)
    start, end = offsets.reshape(-1, 2).T
    covered = [row["response"][a:b] for row in rows for a, b in row["offsets"]]
    # both sides; p⁻ of several prompts is the mean of their probabilities
    with_ = _joined([row["gold"][0] for row in rows])
    sides = [row["gold"][1:] for row in rows]
    without = [np.logaddexp.reduce(one, axis=0) - math.log(len(one)) for one in sides]
    without = _joined(without)
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


def _joined(parts):
    """One array of a part for each row; empty where there are no rows."""
    return np.concatenate([np.zeros(0), *parts])
