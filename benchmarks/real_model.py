"""What a pretrained language model takes from a person's earlier reviews.

    python benchmarks/real_model.py --model FOLDER_OR_FILE [--data FOLDER] [--minutes 150]

Needs `amazon-reviews-2023-users` under --data, and a causal language model of the reader's own; nothing
of either enters what is written: aggregates over 100 people and more, never a word of a review. One
review a person, the latest. Nothing is trained, so all people are asked, in four groups; a cell is a
group, a template and two personas, and takes a minute or two. Resumes (`runs/real_model`), begins no
cell after --minutes, and writes what is there: `results/real_model.csv` and `.md`. Two parts of the
benchmark so far: the trust panel, and PIR against whom.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import os
import platform
import re
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from boomerang import RESULTS, data_folder, markdown
from predicted import expected, judged
from pydantic import BaseModel, ConfigDict
from reviews import COMMON, FOLDER, MEMORY_WORDS, parts

from workbench.language import load_causal_lm
from workbench.runs import run
from workbench.settings import settings
from workbench.statistics import bootstrap_mean
from workbench.tokens import prompt, score_tokens, trust

MODEL = "WORKBENCH_REAL_MODEL"
TEMPLATES = {
    "review": "review",
    "plain": "plain",
    "third": "{% if memories %}This customer wrote before: {{ memories | join('; ') }}\n\n"
    "{% endif %}{{ query }}\n\n",
}
PAIRS = [
    ("own 4", "none"),
    ("another's 4", "same category's 4"),
    ("own 1", "own 2"),
    ("shuffled own 4", "masked own 4"),
]
"""Two personas that are run together, in the order of what is asked first."""
EIGHT = ("own 8", "own 6")
"""Of those who have eight earlier reviews."""
GROUPS, PEOPLE, SEED = 4, 100, 1
SENTIMENT = """love loved loves great good excellent perfect amazing awesome nice best better favorite
happy pleased wonderful fantastic beautiful cute fun easy recommend like liked bad poor terrible awful
horrible worst disappointed disappointing hate hated cheap waste broke broken useless junk hard
difficult sad unfortunately annoying"""
KINDS = ["own words", "product words", "sentiment", "numbers", "punctuation and case", "rest"]


class Cell(BaseModel):
    """Two personas of one group of people in one template."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    template: str
    first: str
    second: str
    group: int
    rows: int = 1000


class Panel(BaseModel):
    """The trust panel of one template."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    template: str
    texts: int = 30
    others: int = 20


@cache
def loaded() -> tuple[Any, Any]:
    """The reader's model."""
    return load_causal_lm(os.environ[MODEL])


@cache
def people() -> pd.DataFrame:
    """One review a person, the latest, with all earlier ones, the last in the file first."""
    rows = pd.concat(parts().values(), ignore_index=True).sort_values("timestamp")
    every = rows.groupby("user", sort=False)["memories"].agg(
        lambda lists: [*itertools.chain(*lists)]
    )
    out = rows.drop_duplicates("user", keep="last").sort_values("user").reset_index(drop=True)
    begins = out["response"].str.split().str[:8].str.join(" ")
    # no earlier review says what is to be scored
    out["memories"] = [
        [one for one in dict.fromkeys(reversed(every[user])) if begin not in one]
        for user, begin in zip(out["user"], begins, strict=True)
    ]
    out["text"] = [f"p{place}" for place in range(len(out))]
    out["group"] = np.random.default_rng(SEED).permutation(len(out)) % GROUPS
    return out[out["memories"].str.len() >= 4].reset_index(drop=True)


@cache
def others(kind: str) -> dict[str, list[str]]:
    """{text: the persona of somebody else}, drawn once; of the same category where there is one."""
    rng, rows, drawn = np.random.default_rng(SEED), people(), {}
    for row in rows.itertuples():
        pool = rows[rows["user"] != row.user]
        if kind == "same category's":
            pool = pool[pool["category"] == row.category]
        if len(pool):
            drawn[row.text] = pool["memories"].iloc[rng.integers(len(pool))]
    return drawn


def persona(row: Any, what: str) -> list[str] | None:
    """What stands in the prompt ("own 4"); None where there is no such persona."""
    if what == "none":
        return []
    kind, _, count = what.rpartition(" ")
    foreign = kind in ("another's", "same category's")
    told = list((others(kind).get(row.text, []) if foreign else row.memories)[: int(count)])
    if len(told) < int(count):
        return None
    if kind == "masked own":
        return [masked(one) for one in told]
    if kind != "shuffled own":
        return told
    rng = np.random.default_rng([SEED, int(row.text[1:])])
    words = rng.permutation([word for one in told for word in one.split()])
    ends = np.cumsum([len(one.split()) for one in told])[:-1]
    return [" ".join(part) for part in np.split(words, ends)]


def masked(review: str) -> str:
    """A review without its product's title and without names: capitals within a sentence."""
    return re.sub(r"(?<=[a-z,] )[A-Z]\w+", "…", re.sub(r'"[^"]*("|$)', '"…"', review))


def kinds(row: Any, common: set[str], spans: pd.DataFrame) -> list[str]:
    """The kind of each token of a review, by rules fixed before: never by its score."""
    product = set(re.findall(r"\w+", row.query.lower())) - common
    own = set(re.findall(r"\w+", " ".join(row.memories[:4]).lower())) - common
    words = [(match.span(), match[0]) for match in re.finditer(r"\w+", row.response)]
    out = []
    for start, end in zip(spans["start"], spans["end"], strict=True):
        said = row.response[start:end]
        word = next((word for (a, b), word in words if a < end and start < b), "")
        whole = word.lower()
        rules = [
            bool(re.search(r"\d", said)),
            not re.search(r"[^\W_]", said) or (len(word) > 1 and word.isupper()),
            whole in product,
            whole in own,
            whole in SENTIMENT.split(),
        ]
        names = ["numbers", "punctuation and case", "product words", "own words", "sentiment"]
        out.append(next((name for name, rule in zip(names, rules, strict=True) if rule), "rest"))
    return out


@cache
def common() -> frozenset[str]:
    """The commonest words, counted on the first part of the people."""
    every = pd.Series(re.findall(r"\w+", " ".join(parts()["base"]["response"]).lower()))
    return frozenset(every.value_counts().index[:COMMON])


def once(cell: Cell) -> pd.DataFrame:
    """log p of every token after either persona: [text, position, kind, persona, log_prob]."""
    model, tokenizer = loaded()
    rows = people()
    rows = rows[rows["group"] == cell.group].head(cell.rows)
    told = {
        name: [persona(row, name) for row in rows.itertuples()]
        for name in (cell.first, cell.second)
    }
    there = [all(one is not None for one in both) for both in zip(*told.values(), strict=True)]
    pairs = {"text": rows["text"], "response": rows["response"], "keep": there}
    for column, name in {"prompt_with": cell.first, "prompt_without": cell.second}.items():
        made = [
            prompt(tokenizer, one or [], query, TEMPLATES[cell.template])
            for one, query in zip(told[name], rows["query"], strict=True)
        ]
        pairs[column] = made
    pairs = pd.DataFrame(pairs)
    table = score_tokens(model, tokenizer, pairs[pairs["keep"]].drop(columns="keep"))
    rows = rows.set_index("text", drop=False)
    named = []
    for text, spans in table.groupby("text", sort=False):
        named += kinds(rows.loc[text], set(common()), spans)
    table["kind"] = named
    sides = []
    for column, name in {"log_prob_with": cell.first, "log_prob_without": cell.second}.items():
        side = table[["text", "position", "kind"]].assign(persona=name, log_prob=table[column])
        sides.append(side)
    return pd.concat(sides, ignore_index=True)


def panel(cell: Panel) -> pd.DataFrame:
    """The checks of the trust panel, and its verdict."""
    rows = people().assign(memories=lambda table: table["memories"].str[:4])
    options = {"texts": cell.texts, "others": cell.others, "seed": SEED}
    found = trust(*loaded(), rows, template=TEMPLATES[cell.template], **options)
    return found.checks.astype({"ok": object, "value": str, "expected": str}).assign(
        ok=lambda table: table["ok"].map(str),
        verdict=found.verdict,
        wins=found.texts["wins"].mean(),
    )


def grid(groups: int, rows: int) -> list[Cell]:
    """What is asked first stands first: one template through all groups, then the others."""
    cells = []
    for template in TEMPLATES:
        pairs = [*PAIRS[:2], *(PAIRS[2:] if template == "review" else [])]
        pairs += [EIGHT] if template == "review" else []
        for first, second in pairs:
            same = {"template": template, "first": first, "second": second, "rows": rows}
            cells += [Cell(**same, group=group) for group in range(groups)]
    return cells


def against(tokens: pd.DataFrame, one: str, two: str) -> pd.DataFrame:
    """[text, kind, gap] a token: log p after one persona less log p after the other."""
    sides = [
        tokens[tokens["persona"] == name].set_index(["text", "position"]) for name in (one, two)
    ]
    gap = (sides[0]["log_prob"] - sides[1]["log_prob"]).dropna().rename("gap")
    return gap.to_frame().join(sides[0]["kind"]).reset_index()


def line(name: str, gaps: pd.DataFrame) -> dict[str, Any] | None:
    """A row of a table; None for fewer people than may be told of."""
    each = gaps.groupby("text")["gap"].mean()
    if len(each) < PEOPLE:
        return None
    mean, low, high = bootstrap_mean(each)
    told = {"log p": name, "people": len(each), "tokens": len(gaps)}
    told |= {"mean over people": f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"}
    told |= {"mean over tokens": f"{gaps['gap'].mean():+.3f}"}
    return told | {"people above 0": f"{(each > 0).mean():.0%}", "estimate": mean}


KEYS = {
    ("own 4", "none"): "own_minus_none",
    ("own 4", "another's 4"): "own_minus_another",
    ("own 4", "same category's 4"): "own_minus_category",
    ("own 4", "shuffled own 4"): "own_minus_shuffled",
    ("masked own 4", "none"): "masked_minus_none",
    ("own 4", "masked own 4"): "own_minus_masked",
    ("own 2", "own 1"): "two_minus_one",
    ("own 4", "own 2"): "four_minus_two",
    ("own 8", "own 4"): "eight_minus_four",
}
LIKELIER = {
    "own_minus_none": "likelier_than_nobody",
    "own_minus_another": "likelier_than_another",
    "own_minus_category": "likelier_than_category",
}


def measured(tokens: pd.DataFrame) -> tuple[list[dict], list[dict], dict[str, float]]:
    """Lines against whom, lines by kind, and the numbers that were predicted."""
    rows, parts_, numbers = [], [], {}
    for template, part in tokens.groupby("template", sort=False):
        for pair, key in KEYS.items():
            gaps = against(part, *pair)
            made = line(f"{pair[0]} − {pair[1]}", gaps)
            if made is None:
                continue
            value = made.pop("estimate")
            rows.append({"template": template} | made)
            if template != "review":
                if key == "own_minus_category":
                    numbers[f"{template}_{key}"] = value
                continue
            numbers[key] = value
            each = gaps.groupby("text")["gap"].mean()
            if key in LIKELIER:
                numbers[LIKELIER[key]] = (each > 0).mean()
            if key == "own_minus_none":
                numbers["own_minus_none_tokens"] = gaps["gap"].mean()
                high = gaps["gap"].nlargest(len(gaps) // 10).clip(lower=0).sum()
                numbers["highest_tenth_of_positive"] = high / gaps["gap"].clip(lower=0).sum()
            if key in ("own_minus_none", "own_minus_category"):
                for kind in KINDS:
                    made = line(f"{pair[0]} − {pair[1]}", gaps[gaps["kind"] == kind])
                    if made is None:
                        continue
                    value = made.pop("estimate")
                    parts_.append({"kind of token": kind} | made)
                    name = kind.split(" and ")[0].replace(" ", "_")
                    numbers[f"{name}_{key}"] = value
    spread = [numbers.get(name) for name in ("own_minus_category", *MORE)]
    if None not in spread:
        numbers["template_spread"] = max(spread) - min(spread)
    return rows, parts_, numbers


MORE = ("plain_own_minus_category", "third_own_minus_category")
NOTE = """
{model}. {people} people, the latest review of each, cut to 60 words; earlier reviews cut to {words} words, the
last in the file first (when they were written is not told). Nats a token. *another's*: the earlier reviews of one
other person; *same category's*: of one who reviews in the same category; *shuffled own*: the own ones with their
words in random order; *masked*: without product titles and capitals within a sentence. Intervals: 95 % bootstrap over
people. A kind of token is told by a rule that was fixed before: words of the four earlier reviews less the {common}
commonest; words of the product's name; a list of sentiment words; digits; no letter at all, or capitals alone; the
rest. What fewer than 100 people have is left out. These reviews may have been in the model's training text.
""".strip()


def write(tokens: pd.DataFrame, panels: pd.DataFrame | None, done: str) -> None:
    """The page of what is there."""
    if tokens["text"].nunique() < PEOPLE:
        print(f"{tokens['text'].nunique()} people: nothing is told of fewer than {PEOPLE}")
        return
    rows, by_kind, numbers = measured(tokens)
    page = ["# Real reviews, a pretrained model", "Made by `python benchmarks/real_model.py`."]
    if panels is not None:
        numbers["panel_wins"] = panels.loc[panels["template"] == "review", "wins"].mean()
        verdicts = panels.drop_duplicates("template")
        page += [
            f"**Trust panel**, template `{row.template}`: {row.verdict} Own persona beats strangers': "
            f"{row.wins:.2f}."
            for row in verdicts.itertuples()
        ]
        shown = panels[["template", "check", "value", "expected", "ok"]]
        page.append(markdown(shown))
    if rows:
        page += ["## Against whom", markdown(pd.DataFrame(rows))]
    if by_kind:
        page += ["## By kind of token, template `review`", markdown(pd.DataFrame(by_kind))]
    ranges = expected("real_model")
    told = {name: numbers.get(name, float("nan")) for name in ranges}
    page += ["## Expected and measured", markdown(judged(told, ranges, ".2f", "+.3f"))]
    facts = {"people": tokens["text"].nunique(), "words": MEMORY_WORDS, "common": COMMON}
    facts["model"] = f"{type(loaded()[0]).__name__}, {loaded()[0].num_parameters():,} weights"
    page += [NOTE.format(**facts), done]
    pd.DataFrame(rows).to_csv(RESULTS / "real_model.csv", index=False)
    (RESULTS / "real_model.md").write_text("\n\n".join(page) + "\n", encoding="utf-8")
    print("\n\n".join(page))


def main() -> None:
    """Run cells until the minutes are over, and write what is there."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--groups", type=int, default=GROUPS)
    parser.add_argument("--rows", type=int, default=1000, help="people of a group, for a trial")
    parser.add_argument("--minutes", type=float, default=150)
    options = parser.parse_args()
    os.environ[FOLDER], os.environ[MODEL] = str(options.data), options.model
    folder, begun = settings().runs / "real_model", time.monotonic()
    cells, found = grid(options.groups, options.rows), []
    panels = None
    for place, cell in enumerate(cells):
        if time.monotonic() - begun > options.minutes * 60:
            break
        found.append(run([cell], once, folder))
        print(f"{place + 1} of {len(cells)} cells, {(time.monotonic() - begun) / 60:.0f} minutes")
    if len(found) == len(cells) and time.monotonic() - begun < options.minutes * 60:
        panels = run([Panel(template=name) for name in TEMPLATES], panel, folder)
    done = f"{datetime.date.today()}: {len(found)} of {len(cells)} cells, {os.cpu_count()} cores, "
    write(pd.concat(found, ignore_index=True), panels, done + f"{platform.machine()}, shared.")


if __name__ == "__main__":
    main()
