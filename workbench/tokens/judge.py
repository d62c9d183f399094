"""A language model as judge of what was written, with the controls that say whether it measures
anything.

A judge gives each text 1 to 5 for each criterion of a rubric (G-Eval, Liu et al., arXiv:2303.16634,
without its weights from token probabilities, which many servers do not give; the PerCE study judges
so, arXiv:2603.06595). A mean of 3.8 says nothing by itself: judges are lenient, like length and
what they wrote themselves (Zheng et al., arXiv:2306.05685). So the same judge, blind, is asked four
times for a text; `of` names what it saw:

| of | the text | beside the memory items of |
|---|---|---|
| own | what the person wrote | the person |
| written | what the model wrote | the person |
| swapped | what the person wrote | a stranger |
| stranger | what the stranger wrote, whatever it was about | the person |

*own* is the height to reach and *stranger* the floor: a judge that does not put own above stranger
measures nothing. It may still read the subject alone, since the stranger was asked something else;
*swapped* has the same text and the same subject, so a judge that does not put own above it does not
read the person. No reference is shown: it would be one of the texts that are judged. Nothing here
is asked unless the reader makes a `Chat`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from workbench.errors import ConfigError, WorkbenchError, check_number, stopped
from workbench.language import Chat
from workbench.statistics import paired_bootstrap
from workbench.tokens._rubric import answers_in, ask, check, fill, keep, name_of, read
from workbench.tokens.encoding import check_columns
from workbench.tokens.prompts import foreign
from workbench.tokens.rendering import TEMPLATES


def judge(
    chat: Chat,
    written: pd.DataFrame,
    rubric: str | Path | None = None,
    seed: int = 0,
    kept: str | Path | None = None,
) -> pd.DataFrame:
    """Scores of a judge: [text, user, of, criterion, value, unread], `value` 1 to 5, four values of
    `of` for each text.

    `written` has [text, user, query, memories, response, written]: examples, and what a model wrote
    for them. `rubric` is a TOML file like the one that is shipped (`templates/judge.toml`), which
    is the default.

    Strangers are drawn among the other users of the table. The calls, one for each text and `of`
    with all criteria at once, are shuffled, so that a server that changes while it is asked favours
    none; each has a seed of its own. Memory items, query and text reach the prompt as JSON strings
    on one line, without a letter that a special token begins with: they cannot leave their quotes.
    That a judge obeys what stands inside cannot be excluded.

    An answer must hold every criterion with a whole number from 1 to 5, in one JSON object. Another
    answer is asked for once more with another seed (of use with a temperature above 0), then all
    its values are not a number, and `unread` says why: no scores, cut off, refused.

    `kept` is a file that takes each answer's scores as they come, and no text. Where `chat` raises
    midway, the error says how far it came and holds the table so far, as `judged`; with `kept`, the
    same call goes on from there.

    Raises `DataError` for a table that lacks something, `ConfigError` for a rubric or another file,
    and what `chat` raises.
    """
    check_number(0, seed=seed)
    if not callable(getattr(chat, "complete", None)):
        raise ConfigError(f"{chat!r:.80} cannot reply", "chat", "language.Chat(…)")
    asked = read(TEMPLATES / "judge.toml" if rubric is None else Path(rubric))
    check(written)
    # the four questions about each text
    rng, calls = np.random.default_rng(seed), []
    for row in written.itertuples(index=False):
        other = written.iloc[foreign(rng, written, row, 1)[0]]
        for of, memories, text in (
            ("own", row.memories, row.response),
            ("written", row.memories, row.written),
            ("swapped", other["memories"], row.response),
            ("stranger", row.memories, other["response"]),
        ):
            calls.append((row.text, row.user, of, fill(asked, memories, row.query, text)))
    # their seeds and order, and the answers that are there already
    seeds = rng.integers(2**31, size=(len(calls), 2)).tolist()
    order = rng.permutation(len(calls))
    names = [name_of(chat, call[3], two) for call, two in zip(calls, seeds, strict=True)]
    answers = {} if kept is None else answers_in(Path(kept))
    bar = tqdm(order, "judge", delay=2, leave=False, unit="call")
    # ask for the others; what came before a fault is not lost
    try:
        for place in bar:
            name = names[place]
            if name not in answers:
                answers[name] = ask(chat, calls[place][3], seeds[place], asked.criteria)
                if kept is not None:
                    keep(Path(kept), name, answers[name])
    except WorkbenchError as error:
        done = f"{sum(name in answers for name in names)} of {len(calls)} calls were answered"
        do = "call again to go on" if kept else "pass kept=, a file, to go on from there next time"
        failed = stopped(error, done, do)
        failed.judged = _table(calls, names, answers, asked.criteria)
        raise failed from error
    return _table(calls, names, answers, asked.criteria)


def _table(
    calls,
    names,
    answers,
    criteria,
):
    """A row for each criterion of the calls that were answered."""
    each = []
    for call, name in zip(calls, names, strict=True):
        for criterion in criteria if name in answers else ():
            scores, why = answers[name]
            each.append((*call[:3], criterion, scores.get(criterion), why))
    columns = ["text", "user", "of", "criterion", "value", "unread"]
    return pd.DataFrame(each, columns=columns).astype({"value": float})


def verdict(judged: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """What the scores of `judge` say: [criterion, of, minus, estimate, low, high, n, unread,
    verdict].

    Means (`minus` "") and differences to own with 95 % intervals of `paired_bootstrap` over users,
    whose texts are averaged first. A text with an answer that was not read is left out of them all,
    so that they are over the same texts; `unread` counts such answers. `verdict` says of the
    controls whether the judge tells own from them: "yes" where the whole interval lies below 0.
    Where it says no, the other numbers of the criterion say nothing.
    """
    check_columns(judged, ("text", "user", "of", "criterion", "value"), "judged")
    unread, keys = judged["value"].isna(), ["criterion", "of"]
    left_out = judged["text"].isin(judged.loc[unread, "text"])
    read = judged.assign(value=judged["value"].mask(left_out))
    means = read.groupby([*keys, "user"], sort=False)["value"].mean().reset_index()
    # differences are to the first level
    means = means.sort_values("of", key=lambda of: of != "own", kind="stable")
    table = paired_bootstrap(means, "of", seed=seed, within=["criterion"])
    counts = unread.rename("unread").groupby([judged[key] for key in keys]).sum()
    table = table.join(counts, on=keys)
    told = "tells own from " + table["of"] + np.where(table["high"] < 0, ": yes", ": no")
    control = (table["minus"] == "own") & table["of"].isin(("stranger", "swapped"))
    return table.assign(verdict=told.where(control, ""))
