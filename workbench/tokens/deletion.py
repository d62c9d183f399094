"""Delete memory 7: what happens to the words of a reply when one memory item is taken away.

The reply y is what the model wrote with all memory items and the first seed. It is scored again
under four prompts (N: all items, k: the one that goes), which says what the item does to a word
directly, the words before it being given:

    effect = log p(w | N) − log p(w | N∖k)
    alone  = log p(w | k) − log p(w | ∅)
    others = log p(w | N∖k) − log p(w | ∅)

and it is written again without the item: with the same seed (the same dice, see `decoding`), and
with the other seeds, beside which stands the null: the memory is still there and only the dice are
others. The seeds tell the whole effect, by whatever path. The ledger's four fates, asked of a
language model:

| fate | the word stands in the new reply (same seed) | and |
|---|---|---|
| went | no | effect ≥ `threshold`, or over the other seeds it is missing more often without the item: p ≤ `alpha` |
| changed | no | neither: no reason but the dice was found |
| came back | yes | the item alone and the other items alone each make it likelier: alone, others ≥ `threshold` |
| stayed | yes | otherwise: for the query, the language at large, or memory items that were not its own |

Other dice cannot move a score, so `effect` needs no null; `threshold=inf` leaves the seeds alone to
decide. p is from Fisher's exact test, one-sided, corrected over the missing words of the reply
(Benjamini and Hochberg, 1995). A word is compared without case and punctuation; its second
occurrence counts as standing if the other reply has two.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from workbench.data.checks import whole_numbers
from workbench.errors import ConfigError, DataError, check_number
from workbench.html import sourced
from workbench.tokens._fates import Deletion
from workbench.tokens.aggregate import words
from workbench.tokens.coalitions import checked, score_coalitions, single
from workbench.tokens.contrast import score_tokens
from workbench.tokens.decoding import write
from workbench.tokens.prompts import make_pairs
from workbench.tokens.rendering import Template, prompt


@sourced
def delete_memory(
    model: Any,
    tokenizer: Any,
    example: pd.DataFrame,
    memory: int,
    seeds: Sequence[int] = tuple(range(17)),
    max_new_tokens: int = 64,
    temperature: float = 0.4,
    threshold: float = 0.8,
    alpha: float = 0.05,
    template: Template = None,
    batch_size: int = 64,
) -> Deletion:
    """Take memory item number `memory` (from 0) out of one example and say what became of each word
    of the reply.

    `example` is a table of one row [text, user, item, query, response, memories]; its response is
    not used: the reply is what the model writes with `seeds[0]`. The other seeds, at least two, are
    the null and its counterpart; with n of them p is at least n! n! / (2n)!, so that with two none
    is below .16. `threshold` in nats and `alpha` as in the table above. Two replies are written for
    each seed, in batches. Raises `DataError` for several texts or an empty reply, `ConfigError` for
    a memory that is not there or too few seeds.
    """
    single(example)
    row = checked(example, tokenizer, template)[0]
    check_number(0, len(row.memories) - 1, memory=memory)
    check_number(0.0, threshold=threshold)
    check_number(0.0, 1.0, alpha=alpha)
    seeds = whole_numbers(seeds, "seeds", "seeds").tolist()
    if len(set(seeds)) != len(seeds) or len(seeds) < 3:
        expected = "the reply's own and two others or more"
        raise ConfigError(f"{len(set(seeds))} different seeds", expected=expected)
    # replies with the item and without it, a pair a seed
    rest = [item for number, item in enumerate(row.memories) if number != memory]
    without, n = prompt(tokenizer, rest, row.query, template), len(seeds)
    options = {"max_new_tokens": max_new_tokens, "temperature": temperature}
    options |= {"seeds": [*seeds, *seeds], "batch_size": batch_size}
    replies = write(model, tokenizer, [row.prompt_with] * n + [without] * n, **options)
    there, gone = replies[:n], replies[n:]
    if not there[0].strip():
        what, where = "the model writes nothing", f"text {row.text!r}, seed {seeds[0]}"
        raise DataError(what, where, do="try another seed")
    # what the item does to each word of the first reply, and how often the others lack it
    example = example.assign(response=there[0])
    found = _scores(model, tokenizer, example, memory, template, batch_size)
    keys = _occurrences(found["word"])
    found["missing_with"] = _missing(keys, there[1:])
    found["missing_without"] = _missing(keys, gone[1:])
    stands = _missing(keys, gone[:1]) == 0
    found["p"] = _chance(found["missing_with"], found["missing_without"], n - 1, ~stands)
    # the fates, by the table above
    both = (found["alone"] >= threshold) & (found["others"] >= threshold)
    lost = (found["effect"] >= threshold) | (found["p"] <= alpha)
    fate = np.select([stands & both, stands, lost], ["came back", "stayed", "went"], "changed")
    found.insert(3, "fate", fate)
    told = tuple(map(str, row.memories))
    return Deletion(row.text, memory, told, there[0], gone[0], tuple(seeds), found)


def _scores(model, tokenizer, example, memory, template, batch_size):
    """[word, start, end, effect, alone, others] of the reply, token scores added up to words."""
    pairs = make_pairs(example, tokenizer, template=template)
    scored, row = score_tokens(model, tokenizer, pairs), next(pairs.itertuples(index=False))
    mine = np.arange(len(row.memories)) == memory
    sets = np.array([mine | ~mine, ~mine, mine, mine & ~mine])
    whole, rest, item, none = score_coalitions(model, tokenizer, row, sets, template, batch_size)
    values = {"effect": whole - rest, "alone": item - none, "others": rest - none}
    added = words(scored.assign(**values), pairs, also=[*values])
    return added[["word", "start", "end", *values]]


def _plain(word):
    """A word without case and outer punctuation; punctuation alone stays as it is."""
    return re.sub(r"^\W+|\W+$", "", word.casefold()) or word


def _occurrences(said):
    """(word, which occurrence of it this is) for each word of a text."""
    words = pd.Series(list(map(_plain, said)))
    number = words.groupby(words).cumcount() + 1
    return list(zip(words, number, strict=True))


def _missing(keys, replies):
    """For each word the share of replies that lack it."""
    counts = [Counter(map(_plain, reply.split())) for reply in replies]
    return np.array([np.mean([count[word] < number for count in counts]) for word, number in keys])


def _chance(with_, without, replies, asked):
    """p that a word is missing so much more often without the item by chance, corrected over the
    words asked about."""
    from scipy.stats import false_discovery_control, fisher_exact

    out = np.ones(len(with_))
    lost = [np.rint(side.to_numpy()[asked] * replies).astype(int) for side in (without, with_)]
    tables = [[[a, replies - a], [b, replies - b]] for a, b in zip(*lost, strict=True)]
    each = [fisher_exact(one, alternative="greater").pvalue for one in tables]
    out[asked] = false_discovery_control(each) if each else 1.0
    return out
