"""The lines of the trust panel: what the template does, perplexities, and the level of chance."""

from __future__ import annotations

import copy
import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from workbench.errors import ConfigError
from workbench.language.loading import context_of
from workbench.language.replies import NoReply
from workbench.language.templates import CALENDAR, chat_text
from workbench.tokens.contrast import score_tokens
from workbench.tokens.encoding import encode_pairs, prompt_ids
from workbench.tokens.rendering import chatting, prompt, quoted, thinking

ALPHA = 0.01  # of the test against chance
FOREIGN = 3.0  # nats a token above the model's own text: a perplexity 20 times as high
DRAWS = 5000
LARGEST = 2e9  # weights of which a copy in single precision is made: 8 GB


class Check(NamedTuple):
    """One line of the panel; `fatal` lines decide that scores are not to be read."""

    check: str
    value: Any
    expected: str
    ok: bool | None
    says: str = ""
    fatal: bool = False


def prompt_checks(tokenizer, row, template):
    """What the template does with persona and query."""
    chat = chatting(tokenizer, template)
    full, bare = (prompt(tokenizer, told, row.query, template) for told in (row.memories, ()))
    said, known = "yes" if chat else "no: a plain prompt", "what the model was trained with"
    yield Check("chat template", said, known, None)
    there = all(quoted(memory, tokenizer, template).strip() in full for memory in row.memories)
    says = "the template drops the persona from the prompt"
    yield Check("persona in the prompt", _said(there), "yes", there, says, True)
    # what is left of the persona-free prompt when all that it shares with the other is gone
    start = _shared(full, bare)
    end = _shared(full[start:][::-1], bare[start:][::-1])
    left = bare[start : len(bare) - end].strip()
    says = "without a persona the template puts words of its own, which PIR is then measured "
    good = not any(map(str.isalnum, left))
    name = "persona-free prompt adds"
    yield Check(name, left[:60] or "nothing", "nothing", good, f"{says}against")
    if chat:
        yield from _chat_checks(tokenizer, template or {})
    thought = thinking(full)
    says = f"the prompt ends within a thought, {thought}, and the texts are scored as its beginning"
    if thought:
        yield Check("open thought", thought, "none", False, says, True)
    # how often the prompt begins with it, and would if the tokenizer were asked
    (ids,), bos = prompt_ids(tokenizer, [bare]), tokenizer.bos_token_id
    own = tokenizer(bare, add_special_tokens=not chat)["input_ids"]
    count, theirs = (ids[:2].count(bos) if ids[:1] == (bos,) else 0 for ids in (ids, (*own,)))
    found = ("none", "once", "twice")[count]
    says = "the prompt begins with two beginning-of-sequence tokens"
    says = says if count > 1 else "the prompt begins otherwise than the tokenizer begins it"
    good = None if bos is None else count == min(theirs, 1)
    found = "the tokenizer has none" if bos is None else found
    wanted = "once" if bos is None or theirs else "none"
    yield Check("beginning of sequence", found, wanted, good, says)


def _chat_checks(tokenizer, options):
    """What the chat template makes of a system message, of a reply that begins, and of the day."""
    ask = [{"role": "user", "content": "?"}]
    try:
        chat_text(tokenizer, [{"role": "system", "content": "?"}, *ask], **options)
        system = "yes"
    except ConfigError:
        system = "no: the persona stands before the query"
    yield Check("system message", system, "yes", None)
    one, two = (chat_text(tokenizer, ask, reply, **options) for reply in (True, False))
    says = "the template does not mark where the reply begins"
    yield Check("generation prompt", _said(one != two), "yes", one != two, says)
    if CALENDAR in tokenizer.get_chat_template():
        says = "the template writes the date of the day into the prompt, and scores change with it "
        says += "(a fixed one: template={'date': '2024-07-26'})"
        found = options.get("date", "today's")
        yield Check("date in the prompt", found, "a fixed one", "date" in options, says)


def fit_checks(model, tokenizer, pairs, tokens):
    """Signs that tokenizer and model are no pair, and tokens that stand for anything; a line for
    each that is found."""
    table, size = getattr(model, "get_input_embeddings", lambda: None)(), len(tokenizer)
    rows = getattr(table, "num_embeddings", size)
    if size > rows:
        says = f"the tokenizer has {size} tokens and the model embeds {rows}: are they a pair?"
        yield Check("tokens of the tokenizer", size, f"at most {rows}", False, says)
    told = getattr(getattr(model, "config", None), "eos_token_id", None)
    told, end = told if isinstance(told, list) else [told], tokenizer.eos_token_id
    if None not in (end, *told) and end not in told:
        says = "the model's configuration names another end token than the tokenizer"
        yield Check("end token", end, str(told), False, says)
    # what the tokenizer does not know is one token, whatever it is
    asked = prompt_ids(tokenizer, pairs.loc[pairs["number"] == 0, "prompt_with"].tolist())
    read = {"texts": tokens.loc[tokens["own"], "token_id"], "prompts": np.concatenate(asked)}
    for name, ids in read.items():
        share = float(np.mean(ids == tokenizer.unk_token_id))
        if share and tokenizer.unk_token_id != end:
            says = (
                f"{share:.1%} of the tokens of the {name} are unknown to the tokenizer, all alike"
            )
            yield Check(f"unknown tokens in the {name}", share, "0", False, says)


def pair_checks(pairs, tokens):
    """Texts that the seam with the prompt cuts otherwise, and personas that were cut."""
    own = tokens[tokens["own"]]
    share = float(own.groupby("text")["boundary"].any().mean())
    says = f"in {share:.0%} of the texts the first word is cut otherwise than the model has learnt"
    yield Check("texts cut otherwise at the boundary", share, "at most 0.05", share <= 0.05, says)
    if "cut" in pairs and (cut := int((pairs["cut"].str.len() > 0).sum())):
        says = f"{cut} of {len(pairs)} personas were too long for the context and lost memory items"
        yield Check("personas that were cut", cut, "0", False, says)


def perplexities(model, tokenizer, own, tokens, seed):
    """exp of the mean −log p a token: of the texts with several personas, of the model's own
    writing, of guessing."""
    mine, theirs = tokens[tokens["own"]], tokens[~tokens["own"]]
    with_, without = -mine["log_prob_with"].mean(), -mine["log_prob_without"].mean()
    yield Check("perplexity with the own persona", math.exp(with_), "", None)
    yield Check("perplexity without a persona", math.exp(without), "", None)
    yield Check("perplexity with another's", math.exp(-theirs["log_prob_with"].mean()), "", None)
    size = len(tokenizer)
    says = f"its perplexity on these texts, {math.exp(with_):.0f}, is that of guessing among its "
    says += f"{size} tokens"
    name, expected = "perplexity of guessing", "well above that of the texts"
    yield Check(name, float(size), expected, math.exp(with_) < 0.9 * size, says, True)
    if not hasattr(model, "generate"):
        return
    from workbench.tokens.decoding import write

    length = min(64, int(mine.groupby("text").size().median()))
    prompts = own["prompt_without"].tolist()[:8]
    room = (context_of(model) or math.inf) - max(map(len, prompt_ids(tokenizer, prompts)))
    length = int(min(length, room))
    options = {"max_new_tokens": length, "temperature": 1.0}
    try:
        said = write(model, tokenizer, prompts, seeds=range(seed, seed + len(prompts)), **options)
    except NoReply as error:
        yield Check("perplexity of its own writing", f"none: {error.what}", "a text", None)
        return
    written = pd.DataFrame({"prompt_with": prompts, "prompt_without": prompts, "response": said})
    written = written.assign(text=range(len(prompts)))[written["response"].str.strip() != ""]
    # read again, it may have more tokens than were written
    sizes = [len(row["with"]) + len(row["ids"]) for row in encode_pairs(tokenizer, written)]
    written = written[np.array(sizes) <= (context_of(model) or math.inf)]
    if len(written):
        reference = -score_tokens(model, tokenizer, written)["log_prob_with"].mean()
        says = f"the texts are foreign to the model: {math.exp(with_ - reference):.0f} times the "
        says += "perplexity of its own"
        limit = f"a {math.exp(FOREIGN):.0f}th of that of the texts at least"
        good = with_ - reference < FOREIGN
        yield Check("perplexity of its own writing", math.exp(reference), limit, good, says)


def number_format(model, tokenizer, own, tokens):
    """How far the scores of a model in half precision are from those of the same weights in single
    precision, on some of the texts."""
    dtype = getattr(model, "dtype", None)
    if dtype not in (torch.bfloat16, torch.float16):
        return
    value, says = str(dtype).removeprefix("torch."), f"scores in {dtype} are rounded"
    good = False
    if sum(one.numel() for one in model.parameters()) <= LARGEST:
        wide = copy.deepcopy(model).float()
        there = score_tokens(wide, tokenizer, own.head(8)).set_index(["text", "position"])["pir"]
        here = tokens.set_index(["text", "position"])["pir"].loc[there.index]
        off, spread = (here - there).abs(), float(there.std())
        value += f": PIR off by {off.mean():.2g}, up to {off.max():.2g} nats"
        says = f"{value}, where it varies by {spread:.2g} (load in float32)"
        good = bool(off.mean() <= 0.05 * spread)
    yield Check("number format", value, "float32, or off by a 20th of the spread", good, says)


def chance(each, wins, rng):
    """The own persona against the null, and the persona-free pass against those with anybody's
    persona."""
    n, personas = wins.shape
    drawn = rng.integers(0, personas, (DRAWS, n))
    null = wins[np.arange(n), drawn].mean(axis=1)
    own, high = float(wins[:, 0].mean()), float(np.quantile(null, 0.95))
    p = float((1 + (null >= own).sum()) / (1 + DRAWS))
    says = f"nothing is above chance: the own persona beats {own:.0%} of other people's "
    says += f"(95 % of the null: {high:.0%})"
    if personas**-n > ALPHA:
        says = f"{n} texts and {personas - 1} others are too few to tell from chance"
    expected = f"above {high:.2f}, the 95 % point of the null"
    yield Check("own persona wins", own, expected, p <= ALPHA, says, True)
    yield Check("p of that by chance", p, f"at most {ALPHA}", None)
    rank = math.ceil(0.95 * (personas - 1))
    expected = f"{(personas - rank) / personas:.2f} by chance"
    yield Check("texts whose own persona beats 95 %", float(each["above"].mean()), expected, None)
    yield Check("mean PIR of the own persona, nats a token", float(each["own"].mean()), "", None)
    anybody = each["others"].to_numpy()
    low = np.quantile(rng.choice(anybody, (DRAWS, n)).mean(axis=1), 0.025)
    share = anybody.mean() / each["own"].mean() if each["own"].mean() > 0 else 0.0
    says = f"the persona-free prompt is out of distribution: {share:.0%} of the PIR comes with "
    says += 'anybody\'s persona (score against others: make_pairs(..., intervention="others"))'
    good = not (low > 0 and share > 0.1)
    name, mean = "mean PIR of other people's personas", float(anybody.mean())
    yield Check(name, mean, "not clearly above 0", good, says)


def _shared(one, other):
    """How many letters two texts share from the beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


def _said(yes):
    return "yes" if yes else "no"
