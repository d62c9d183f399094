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

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jinja2 import TemplateError

from workbench.errors import ConfigError, DataError
from workbench.html import content_id, escape, provenance, table
from workbench.language.endpoint import Endpoint
from workbench.tokens.contrast import score_tokens
from workbench.tokens.encoding import prompt_ids, response_ids
from workbench.tokens.passes import context_of
from workbench.tokens.prompts import foreign, make_pairs, prompt, quoted

ALPHA = 0.01  # of the test against chance
FOREIGN = 3.0  # nats a token above the model's own text: a perplexity 20 times as high
DRAWS = 5000


class Check(NamedTuple):
    """One line of the panel; `fatal` lines decide that scores are not to be read."""

    check: str
    value: Any
    expected: str
    ok: bool | None
    says: str = ""
    fatal: bool = False


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

    def to_frame(self) -> pd.DataFrame:
        """The checks."""
        return self.checks

    def __repr__(self) -> str:
        word = "readable" if self.readable else "not readable"
        return (
            f"Trust({self.model}: {word}, own persona wins "
            f"{self.texts['wins'].mean():.2f}, {len(self.texts)} texts)"
        )

    def _repr_html_(self) -> str:
        said = {True: "yes", False: "no"}
        rows = self.checks.assign(ok=[said.get(ok, "") for ok in self.checks["ok"]]).to_dict(
            "records"
        )
        name = content_id("trust", self.model, self.verdict, self.checks.to_csv())
        line = provenance(data=f"{len(self.texts)} texts", seeds=self.seed)
        return (
            f'<div id="{name}"><p><b>{escape(self.verdict)}</b></p>'
            f"{table(rows, caption=self.model)}<p><small>{escape(line)}</small></p></div>"
        )


def trust(
    model: Any,
    tokenizer: Any,
    examples: pd.DataFrame,
    seed: int = 0,
    template: str | Path | None = None,
    texts: int = 30,
    others: int = 20,
) -> Trust:
    """Check whether token scores of this model on these texts mean anything; `examples` as for
    `make_pairs`.

    Takes `texts` of them, and for each the personas of `others` random texts by other people, drawn
    with `seed`; personas too long for the model's context lose their last memory items. That is
    `others` + 2 passes a text. Raises `DataError` for fewer than two people, `ConfigError` for an
    endpoint, and what `make_pairs` and `score_tokens` raise.

    >>> trust(*load_causal_lm("pocket"), examples_of(load_world(), n=200), seed=1)   # doctest: +SKIP
    Trust(LlamaForCausalLM: readable, own persona wins 0.99, 30 texts)
    """
    if isinstance(model, Endpoint):
        do = "load the model, or compare score_tokens with your own and with another persona"
        raise ConfigError(
            "the panel reads the model's logits and lets it write",
            "model",
            "a model that is loaded",
            do,
        )
    if examples["user"].nunique() < 2:
        raise DataError(
            "texts by one person", "examples", "at least two people: the others are the null"
        )
    rng = np.random.default_rng(seed)
    sample = examples.iloc[
        np.sort(rng.choice(len(examples), min(texts, len(examples)), replace=False))
    ]
    pairs = _with_others(sample, examples, rng, others, model, tokenizer, template)
    tokens = score_tokens(model, tokenizer, pairs)
    tokens = tokens.assign(own=tokens["text"].map(pairs.set_index("text")["number"]) == 0)
    pir = (
        tokens.groupby("text")["pir"]
        .mean()[pairs["text"]]
        .to_numpy()
        .reshape(len(sample), 1 + others)
    )
    own, null = pir[:, 0], pir[:, 1:]
    wins = _wins(pir)
    each = pd.DataFrame(
        {"text": sample["text"].to_numpy(), "own": own, "others": null.mean(axis=1)}
    )
    each = each.assign(high=np.quantile(null, 0.95, axis=1), wins=wins[:, 0])
    each["above"] = (own[:, None] > null).mean(axis=1) >= 0.95
    checks = [
        *_prompt_checks(tokenizer, sample.iloc[0], template),
        *_pair_checks(pairs, tokens),
        *_perplexities(model, tokenizer, pairs[pairs["number"] == 0], tokens, seed),
        *_chance(each, wins, rng),
    ]
    bad = [one for one in checks if one.ok is False]
    fatal = [one.says for one in bad if one.fatal]
    verdict = f"Do not read the scores: {'; '.join(fatal)}."
    if not fatal:
        care = "; ".join(one.says for one in bad)
        verdict = (
            f"The scores can be read, with care: {care}." if care else "The scores can be read."
        )
    frame = pd.DataFrame([one[:4] for one in checks], columns=["check", "value", "expected", "ok"])
    return Trust(
        type(model).__name__, not fatal, verdict, frame.astype({"ok": "boolean"}), each, seed
    )


def _with_others(
    sample: pd.DataFrame,
    pool: pd.DataFrame,
    rng: np.random.Generator,
    others: int,
    model: Any,
    tokenizer: Any,
    template: Any,
) -> pd.DataFrame:
    """Pairs with the own persona (`number` 0) and with those of other people, against the
    persona-free prompt."""
    rows = []
    for row in sample.itertuples(index=False):
        drawn = [pool["memories"].iat[place] for place in foreign(rng, pool, row, others)]
        rows += [
            row._asdict() | {"text": f"{row.text}/{number}", "number": number, "memories": memories}
            for number, memories in enumerate([row.memories, *drawn])
        ]
    return make_pairs(
        pd.DataFrame(rows), tokenizer, template=template, context=context_of(model), cut="last"
    )


def _prompt_checks(tokenizer: Any, row: Any, template: Any) -> Iterator[Check]:
    """What the template does with persona and query."""
    chat = template is None and bool(tokenizer.chat_template)
    full, bare = (prompt(tokenizer, told, row.query, template) for told in (row.memories, ()))
    yield Check(
        "chat template",
        "yes" if chat else "no: a plain prompt",
        "what the model was trained with",
        None,
    )
    there = all(quoted(memory, tokenizer, template).strip() in full for memory in row.memories)
    yield Check(
        "persona in the prompt",
        _said(there),
        "yes",
        there,
        "the template drops the persona from the prompt",
        True,
    )
    # what is left of the persona-free prompt when all that it shares with the other is gone
    start = next(
        (i for i, (a, b) in enumerate(zip(full, bare, strict=False)) if a != b),
        min(len(full), len(bare)),
    )
    full, rest = full[start:], bare[start:]
    end = next(
        (i for i, (a, b) in enumerate(zip(full[::-1], rest[::-1], strict=False)) if a != b),
        len(rest),
    )
    left = rest[: len(rest) - end].strip()
    says = (
        "without a persona the template puts words of its own, which PIR is then measured against"
    )
    yield Check(
        "persona-free prompt adds",
        left[:60] or "nothing",
        "nothing",
        not any(map(str.isalnum, left)),
        says,
    )
    if chat:
        ask = [{"role": "user", "content": "?"}]
        try:
            tokenizer.apply_chat_template(
                [{"role": "system", "content": "?"}, *ask], tokenize=False
            )
            system = "yes"
        except TemplateError:
            system = "no: the persona stands before the query"
        yield Check("system message", system, "yes", None)
        one, two = (
            tokenizer.apply_chat_template(ask, tokenize=False, add_generation_prompt=a)
            for a in (True, False)
        )
        says = "the template does not mark where the reply begins"
        yield Check("generation prompt", _said(one != two), "yes", one != two, says)
    ids, bos = prompt_ids(tokenizer, [bare])[0], tokenizer.bos_token_id
    twice = bos is not None and ids[:2] == (bos, bos)
    found = "the tokenizer has none" if bos is None else "twice" if twice else "once"
    says = "the prompt begins with two beginning-of-sequence tokens"
    yield Check("beginning of sequence", found, "once", None if bos is None else not twice, says)


def _pair_checks(pairs: pd.DataFrame, tokens: pd.DataFrame) -> Iterator[Check]:
    own = tokens[tokens["own"]]
    share = float(own.groupby("text")["boundary"].any().mean())
    says = f"in {share:.0%} of the texts the first word is cut otherwise than the model has learnt"
    yield Check("texts cut otherwise at the boundary", share, "at most 0.05", share <= 0.05, says)
    if "cut" in pairs and (cut := int((pairs["cut"].str.len() > 0).sum())):
        says = f"{cut} of {len(pairs)} personas were too long for the context and lost memory items"
        yield Check("personas that were cut", cut, "0", False, says)


def _perplexities(
    model: Any, tokenizer: Any, own: pd.DataFrame, tokens: pd.DataFrame, seed: int
) -> Iterator[Check]:
    """exp of the mean −log p a token: of the texts with several personas, of the model's own
    writing, of guessing."""
    mine, theirs = tokens[tokens["own"]], tokens[~tokens["own"]]
    with_, without = -mine["log_prob_with"].mean(), -mine["log_prob_without"].mean()
    yield Check("perplexity with the own persona", math.exp(with_), "", None)
    yield Check("perplexity without a persona", math.exp(without), "", None)
    yield Check("perplexity with another's", math.exp(-theirs["log_prob_with"].mean()), "", None)
    size = len(tokenizer)
    says = (
        f"its perplexity on these texts, {math.exp(with_):.0f}, is that of guessing "
        f"among its {size} tokens"
    )
    good = math.exp(with_) < 0.9 * size
    yield Check(
        "perplexity of guessing", float(size), "well above that of the texts", good, says, True
    )
    if not hasattr(model, "generate"):
        return
    from workbench.tokens.decoding import write

    length = int(mine.groupby("text").size().median())
    prompts = own["prompt_without"].tolist()[:8]
    options = {
        "max_new_tokens": min(64, length),
        "temperature": 1.0,
        "seeds": [seed + i for i in range(len(prompts))],
    }
    written = pd.DataFrame(
        {"prompt_with": prompts, "response": write(model, tokenizer, prompts, **options)}
    )
    written = written.assign(prompt_without=prompts, text=range(len(prompts)))
    written = written[written["response"].str.strip() != ""]
    ids = zip(
        prompt_ids(tokenizer, list(written["prompt_with"])),
        response_ids(tokenizer, list(written["response"])),
        strict=True,
    )
    fits = [
        len(before) + len(after) <= (context_of(model) or math.inf) for before, (after, _) in ids
    ]
    written = written[fits]  # read again, it may have more tokens than were written
    if len(written):
        reference = -score_tokens(model, tokenizer, written)["log_prob_with"].mean()
        says = (
            f"the texts are foreign to the model: {math.exp(with_ - reference):.0f} "
            f"times the perplexity of its own"
        )
        limit = f"a {math.exp(FOREIGN):.0f}th of that of the texts at least"
        good = with_ - reference < FOREIGN
        yield Check("perplexity of its own writing", math.exp(reference), limit, good, says)


def _chance(each: pd.DataFrame, wins: np.ndarray, rng: np.random.Generator) -> Iterator[Check]:
    """The own persona against the null, and the persona-free pass against those with anybody's
    persona."""
    n, personas = wins.shape
    drawn = rng.integers(0, personas, (DRAWS, n))
    null = wins[np.arange(n), drawn].mean(axis=1)
    own, high = float(wins[:, 0].mean()), float(np.quantile(null, 0.95))
    p = float((1 + (null >= own).sum()) / (1 + DRAWS))
    few = (
        f"{n} texts and {personas - 1} others are too few to tell from chance"
        if personas**-n > ALPHA
        else ""
    )
    says = (
        few
        or f"nothing is above chance: the own persona beats {own:.0%} of other "
        f"people's (95 % of the null: {high:.0%})"
    )
    yield Check(
        "own persona wins",
        own,
        f"above {high:.2f}, the 95 % point of the null",
        p <= ALPHA,
        says,
        True,
    )
    yield Check("p of that by chance", p, f"at most {ALPHA}", None)
    rank = math.ceil(0.95 * (personas - 1))
    expected = f"{(personas - rank) / personas:.2f} by chance"
    yield Check("texts whose own persona beats 95 %", float(each["above"].mean()), expected, None)
    yield Check("mean PIR of the own persona, nats a token", float(each["own"].mean()), "", None)
    anybody = each["others"].to_numpy()
    low = np.quantile(rng.choice(anybody, (DRAWS, n)).mean(axis=1), 0.025)
    share = anybody.mean() / each["own"].mean() if each["own"].mean() > 0 else 0.0
    says = (
        f"the persona-free prompt is out of distribution: {share:.0%} of the PIR "
        f"comes with anybody's persona "
        '(score against others: make_pairs(..., intervention="others"))'
    )
    good = not (low > 0 and share > 0.1)
    yield Check(
        "mean PIR of other people's personas",
        float(anybody.mean()),
        "not clearly above 0",
        good,
        says,
    )


def _wins(pir: np.ndarray) -> np.ndarray:
    """For each persona of each text, the share of the text's other personas that it beats; ties
    count half."""
    ahead = (pir[:, :, None] > pir[:, None, :]) + 0.5 * (pir[:, :, None] == pir[:, None, :])
    return (ahead.sum(axis=2) - 0.5) / (pir.shape[1] - 1)


def _said(yes: bool) -> str:
    return "yes" if yes else "no"
