"""Can the scores of a stranger's model be read? Its prompts, its perplexity, its chance level, and
a plain verdict.

A score computes for any model: random weights have a PIR too. So each text is scored with its own
persona and with those of `others` random other people, in the same place of the same prompt: the
null. A persona *wins* against another if the text is likelier with it (PIR is larger; both have the
same persona-free pass, which cancels). Where the persona says nothing to the model, own and others
are exchangeable, and it wins half of the time; the p-value comes from drawing one of the personas
of each text as the own one, again and again.

The reference text of the perplexity is what the model itself writes after the persona-free prompts
(temperature 1): in its language and its vocabulary, where a shipped passage would be foreign to
many models. Its perplexity is the lowest that can be expected of the model; texts far above it are
not of the kind that the model knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import ConfigError, DataError, check_number
from workbench.html import content_id, escape, provenance, sourced, table
from workbench.language.loading import check_loaded, check_tokenizer, context_of
from workbench.tokens._trust_checks import (
    chance,
    fit_checks,
    number_format,
    pair_checks,
    perplexities,
    prompt_checks,
)
from workbench.tokens.contrast import score_tokens
from workbench.tokens.encoding import check_columns
from workbench.tokens.prompts import EXAMPLE, foreign, make_pairs
from workbench.tokens.rendering import Template, described


@dataclass(frozen=True, repr=False)
class Trust:
    """What was checked (`checks`), each text against the null (`texts`), and the verdict in
    words."""

    model: str
    readable: bool
    """The scores can be read, perhaps with care."""
    verdict: str
    checks: pd.DataFrame
    """[check, value, expected, ok]; `ok` is <NA> where there is nothing to pass."""
    texts: pd.DataFrame
    """[text, own, others, high, wins, above]: mean PIR (nats a token) of the own persona, mean and
    95 % point of the others', the share of others that the own one beats, and whether it beats 95 %
    of them."""
    seed: int
    template: str = ""
    """Which template made the prompts, with its options."""

    def to_frame(self) -> pd.DataFrame:
        """The checks."""
        return self.checks

    def __repr__(self):
        word = "readable" if self.readable else "not readable"
        return (
            f"Trust({self.model}: {word}, own persona wins "
            f"{self.texts['wins'].mean():.2f}, {len(self.texts)} texts)"
        )

    def _repr_html_(self):
        said = {True: "yes", False: "no"}
        told = self.checks.assign(ok=[said.get(ok, "") for ok in self.checks["ok"]])
        rows = told.to_dict("records")
        name = content_id("trust", self.model, self.verdict, self.checks.to_csv())
        line = provenance(data=f"{len(self.texts)} texts, {self.template}", seeds=self.seed)
        return (
            f'<div id="{name}"><p><b>{escape(self.verdict)}</b></p>'
            f"{table(rows, caption=self.model)}<p><small>{escape(line)}</small></p></div>"
        )


@sourced
def trust(
    model: Any,
    tokenizer: Any,
    examples: pd.DataFrame,
    seed: int = 0,
    template: Template = None,
    texts: int = 30,
    others: int = 20,
) -> Trust:
    """Check whether token scores of this model on these texts mean anything; `examples` as for
    `make_pairs`.

    Takes `texts` of them, and for each the personas of `others` random texts by other people, drawn
    with `seed`; personas too long for the model's context lose their last memory items. That is
    `others` + 2 passes a text. A template that drops the persona, or leaves a thought open, is told
    where `make_pairs` refuses it. Raises `DataError` for fewer than two people and for people
    without an id, `ConfigError` for an endpoint, and what `make_pairs` and `score_tokens` raise.

    >>> trust(*load_causal_lm("pocket"), examples_of(load_world(), n=200), seed=1)   # doctest: +SKIP
    Trust(LlamaForCausalLM: readable, own persona wins 0.99, 30 texts)
    """
    if hasattr(model, "of_ids"):
        what, expected = (
            "the panel reads the model's logits and lets it write",
            "a model that is loaded",
        )
        do = "load the model, or compare score_tokens with your own and with another persona"
        raise ConfigError(what, "model", expected, do)
    check_loaded(model)
    check_tokenizer(tokenizer)
    check_number(1, texts=texts, others=others)
    check_number(0, seed=seed)
    check_columns(examples, EXAMPLE, "examples")
    if examples["user"].nunique() < 2:
        expected = "at least two people: the others are the null"
        raise DataError("texts by one person", "examples", expected)
    rng = np.random.default_rng(seed)
    drawn = rng.choice(len(examples), min(texts, len(examples)), replace=False)
    sample = examples.iloc[np.sort(drawn)]
    pairs = _with_others(sample, examples, rng, others, model, tokenizer, template)
    tokens = score_tokens(model, tokenizer, pairs)
    own = pairs[pairs["number"] == 0]
    tokens = tokens.assign(own=tokens["text"].isin(own["text"]))
    means = tokens.groupby("text")["pir"].mean()[pairs["text"]]
    pir = means.to_numpy().reshape(len(sample), 1 + others)
    null, wins = pir[:, 1:], _wins(pir)
    each = pd.DataFrame({"text": sample["text"].to_numpy(), "own": pir[:, 0]})
    each = each.assign(others=null.mean(axis=1), high=np.quantile(null, 0.95, axis=1))
    each = each.assign(wins=wins[:, 0], above=(pir[:, :1] > null).mean(axis=1) >= 0.95)
    checks = [
        *prompt_checks(tokenizer, sample.iloc[0], template),
        *fit_checks(model, tokenizer, pairs, tokens),
        *pair_checks(pairs, tokens),
        *perplexities(model, tokenizer, own, tokens, seed),
        *number_format(model, tokenizer, own, tokens),
        *chance(each, wins, rng),
    ]
    bad = [one for one in checks if one.ok is False]
    fatal, care = (
        "; ".join(one.says for one in some) for some in ([b for b in bad if b.fatal], bad)
    )
    verdict = f"The scores can be read, with care: {care}." if care else "The scores can be read."
    if fatal:
        verdict = f"Do not read the scores: {fatal}."
    frame = pd.DataFrame(checks)[["check", "value", "expected", "ok"]].astype({"ok": "boolean"})
    made = described(tokenizer, template)
    return Trust(type(model).__name__, not fatal, verdict, frame, each, seed, made)


def _with_others(
    sample,
    pool,
    rng,
    others,
    model,
    tokenizer,
    template,
):
    """Pairs with the own persona (`number` 0) and with those of other people, against the
    persona-free prompt."""
    rows = []
    for row in sample.itertuples(index=False):
        drawn = [pool["memories"].iat[place] for place in foreign(rng, pool, row, others)]
        rows += [
            row._asdict() | {"text": f"{row.text}/{number}", "number": number, "memories": memories}
            for number, memories in enumerate([row.memories, *drawn])
        ]
    # what is wrong with the prompts the panel tells
    options = {"context": context_of(model), "cut": "last", "check": False}
    return make_pairs(pd.DataFrame(rows), tokenizer, template=template, **options)


def _wins(pir):
    """For each persona of each text, the share of the text's other personas that it beats; ties
    count half."""
    ahead = (pir[:, :, None] > pir[:, None, :]) + 0.5 * (pir[:, :, None] == pir[:, None, :])
    return (ahead.sum(axis=2) - 0.5) / (pir.shape[1] - 1)
