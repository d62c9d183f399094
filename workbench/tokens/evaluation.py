"""What personal training changed: loss on personal and other words, the gap to a stranger, the
texts it writes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pandas as pd

from workbench.errors import DataError
from workbench.tokens.contrast import score_tokens
from workbench.tokens.prompts import make_pairs


def personal_and_generic(
    model: Any,
    tokenizer: Any,
    examples: pd.DataFrame,
    mark: Callable[[pd.DataFrame], pd.DataFrame],
    seed: int = 0,
    batch_size: int = 64,
) -> pd.DataFrame:
    """Held-out measures of one model: [text, measure, value, tokens], one row per text and measure.

    `mark` adds the boolean column `personal` to a token table (planted truth: `lambda t:
    tokens.mark(t, corpus, pairs)`; where nothing is planted, any rule that was fixed before the
    model was trained). In nats a token: `personal_nll` and `generic_nll`, −log p with the own
    persona on personal and on all other tokens; `gap` and `generic_gap`, log p with the own persona
    − log p with that of somebody else, drawn with `seed`, on the same tokens. `generic_gap` is the
    null of `gap`: a persona should not matter there. Texts without such a token are left out of
    that measure. The means over texts weigh every text alike.
    """
    other = make_pairs(examples, tokenizer, "other", seed=seed)
    tokens = mark(score_tokens(model, tokenizer, other, batch_size=batch_size))
    if "personal" not in tokens:
        raise DataError(
            "no column 'personal'", where="mark(tokens)", expected="the token table with it"
        )
    personal = tokens["personal"].to_numpy(dtype=bool)
    tables = []
    for name, column, sign, rows in (
        ("personal_nll", "log_prob_with", -1, personal),
        ("generic_nll", "log_prob_with", -1, ~personal),
        ("gap", "pir", 1, personal),  # the second prompt of these pairs holds the stranger
        ("generic_gap", "pir", 1, ~personal),
    ):
        found = (
            (sign * tokens.loc[rows, column])
            .groupby(tokens.loc[rows, "text"], sort=False)
            .agg(["mean", "size"])
        )
        tables.append(
            found.reset_index().set_axis(["text", "value", "tokens"], axis=1).assign(measure=name)
        )
    return pd.concat(tables, ignore_index=True)[["text", "measure", "value", "tokens"]]


def text_metrics(written: pd.DataFrame) -> pd.DataFrame:
    """ROUGE-L, chrF and BLEU of what was written against what the person wrote: [text, metric,
    value], all in 0 to 1.

    `written` has [text, response, written]. ROUGE-L: F-measure of rouge-score without stemming,
    which reads the letters a to z and digits alone: not a number where the response has none of
    them. chrF and BLEU: of sacrebleu, per text (BLEU with effective order, so that short texts are
    not all zero).
    """
    missing = sorted({"text", "response", "written"} - set(written.columns))
    if missing:
        raise DataError(
            f"missing columns {missing}", where="written", expected="text, response, written"
        )
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics import BLEU, CHRF

    rouge, chrf, bleu = RougeScorer(["rougeL"]), CHRF(), BLEU(effective_order=True)
    rows = []
    for row in written.itertuples(index=False):
        readable = re.search("[a-z0-9]", row.response.lower())
        longest = (
            rouge.score(row.response, row.written)["rougeL"].fmeasure if readable else float("nan")
        )
        rows += [
            (row.text, "rouge_l", longest),
            (
                row.text,
                "chrf",
                min(1.0, chrf.sentence_score(row.written, [row.response]).score / 100),
            ),
            (
                row.text,
                "bleu",
                min(1.0, bleu.sentence_score(row.written, [row.response]).score / 100),
            ),
        ]
    return pd.DataFrame(rows, columns=["text", "metric", "value"])
