"""What personal training changed: loss on personal and other words, the gap to a stranger, the
texts it writes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pandas as pd

from workbench.errors import ConfigError, DataError
from workbench.tokens.contrast import score_tokens
from workbench.tokens.encoding import check_columns, check_rows
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
    if not callable(mark):
        raise ConfigError(f"{mark!r} cannot be called", "mark", "a function (tokens) -> table")
    other = make_pairs(examples, tokenizer, "other", seed=seed)
    tokens = mark(score_tokens(model, tokenizer, other, batch_size=batch_size))
    check_columns(tokens, ["text", "personal", "pir", "log_prob_with"], "mark(tokens)")
    if tokens["personal"].isna().any():
        raise DataError("a token without a mark", "mark(tokens)", "true or false for each")
    # the second prompt of these pairs holds the stranger, so that PIR is the gap
    loss, gap = -tokens["log_prob_with"], tokens["pir"]
    values = {"personal_nll": loss, "generic_nll": loss, "gap": gap, "generic_gap": gap}
    tables = []
    for name, value in values.items():
        rows = tokens["personal"].astype(bool) != name.startswith("generic")
        found = value[rows].groupby(tokens.loc[rows, "text"], sort=False).agg(["mean", "size"])
        found = found.reset_index().set_axis(["text", "value", "tokens"], axis=1)
        tables.append(found.assign(measure=name))
    return pd.concat(tables, ignore_index=True)[["text", "measure", "value", "tokens"]]


def text_metrics(written: pd.DataFrame) -> pd.DataFrame:
    """ROUGE-L, chrF and BLEU of what was written against what the person wrote: [text, metric,
    value], all in 0 to 1.

    `written` has [text, response, written]. ROUGE-L: F-measure of rouge-score without stemming,
    which reads the letters a to z and digits alone: not a number where the response has none of
    them. chrF and BLEU: of sacrebleu, per text (BLEU with effective order, so that short texts are
    not all zero).
    """
    check_columns(written, ["text", "response", "written"], "written")
    check_rows(written, "written", ("response", "written"))
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics import BLEU, CHRF

    rouge, chrf, bleu = RougeScorer(["rougeL"]), CHRF(), BLEU(effective_order=True)
    rows = []
    for text, response, said in written[["text", "response", "written"]].itertuples(index=False):
        found = {"rouge_l": float("nan")}
        if re.search("[a-z0-9]", response.lower()):
            found["rouge_l"] = rouge.score(response, said)["rougeL"].fmeasure
        for name, metric in (("chrf", chrf), ("bleu", bleu)):
            found[name] = min(1.0, metric.sentence_score(said, [response]).score / 100)
        rows += [(text, name, value) for name, value in found.items()]
    return pd.DataFrame(rows, columns=["text", "metric", "value"])
