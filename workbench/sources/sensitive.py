"""Which items are sensitive: rules over a catalogue, kept as TOML so that a reader can change them.

A rule names a topic, the fields it looks at, the words it looks for and how many signals it needs.
A field that holds at least one of the words gives one signal, however many it holds; so does a
column that holds one of the named values. Words are whole words in any case: "ham" is not in
"shampoo", "gin" not in "ginger"; one that ends in * is the beginning of a word ("alcohol*" finds
"alcoholic"). Fields: title, category, brand, topics (all topics of the item), and any other column
of the catalogue.

The rules shipped in `data/sensitive` are those of the ERASE study (arXiv 2603.08341), as far as its
development code (github.com/pierre-lubitzsch/RecBole, folder `dataset`) shows them: each file says
which words are the study's and which ours. Hits are guesses about items, never about people: read
the list before anything is removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import ConfigDict, Field, ValidationError, model_validator

from workbench.data.catalogue import Catalogue
from workbench.errors import ConfigError, DataError, typed
from workbench.settings import Frozen, settings
from workbench.sources.files import read_toml, why

NOTHING = "(?!)"
"""A pattern that is found nowhere."""


class Rule(Frozen):
    """One sensitive topic and how its items are found."""

    model_config = ConfigDict(strict=False)  # lists of TOML are tuples here
    topic: str = Field(min_length=1)
    """What the items are about."""
    signals: int = Field(1, ge=1)
    """How many fields or columns must speak for it."""
    fields: tuple[str, ...] = ()
    """Fields in which `words` are looked for."""
    words: tuple[str, ...] = ()
    """Whole words or phrases, in any case; a * at the end stands for any ending."""
    only: dict[str, tuple[str, ...]] = Field({})
    """More words for one field alone: field → words."""
    values: dict[str, tuple[str | int, ...]] = Field({})
    """Column → values; a cell counts where it, or a part of it between "|", is one of them."""

    @model_validator(mode="after")
    def _can_fire(self) -> Rule:
        if bool(self.fields) != bool(self.words):
            raise ValueError("fields and words go together")
        words = chain(self.words, *self.only.values())
        if not all(word.strip(" *") for word in words):
            raise ValueError("an empty word")
        most = len(self.looks_at)
        if self.signals > most:
            what = f"signals = {self.signals}, but {most} fields and columns to give one"
            raise ValueError(what)
        return self

    @property
    def looks_at(self) -> list[str]:
        """The fields and columns that can give a signal, each once."""
        return list(dict.fromkeys([*self.fields, *self.only, *self.values]))


class Rules(Frozen):
    """The rules for one data set: a TOML file in `data/sensitive` or in the reader's `sensitive`
    folder."""

    model_config = ConfigDict(strict=False)
    source: str = Field(min_length=1)
    """Whose rules these are, and what was changed."""
    rules: tuple[Rule, ...] = Field(min_length=1)
    """One a topic."""

    @property
    def topics(self) -> list[str]:
        """The topics there are rules for."""
        return [rule.topic for rule in self.rules]


@typed
def load_rules(name: str | Path) -> Rules:
    """The rules of a TOML file, or those for a data set: the reader's in WORKBENCH_DATA/sensitive,
    else the shipped.

    Raises `ConfigError` where there are none or the file holds something else.
    """
    path = Path(name)
    if path.suffix != ".toml":
        folders = [folder for folder in (settings().data, settings().own_data) if folder]
        paths = [path for folder in folders for path in folder.glob("sensitive/*.toml")]
        known = {path.stem: path for path in paths}  # the reader's own come last, and win
        if name not in known:
            expected = f"one of {', '.join(sorted(known))}"
            do = "write a TOML file of your own and pass it (--rules)"
            raise ConfigError(f"no rules for {name}", "sensitive", expected, do)
        path = known[name]
    return read_toml(Rules, path, "no rules")


@typed
def find_sensitive(
    catalogue: Catalogue, rules: Rules | str | Path, topic: str | None = None
) -> pd.DataFrame:
    """Items that the rules call sensitive: [item, title, topic, signals, hits], by topic, then item
    code.

    hits: what was found where, "title: beer, wine; topics: beer". topic: only this one. Raises
    `ConfigError` for a topic without a rule, `DataError` for a rule that looks at a field the
    catalogue does not have.

    >>> find_sensitive(catalogue, "instacart", topic="alcohol")  # doctest: +SKIP
    """
    rules = rules if isinstance(rules, Rules) else load_rules(rules)
    if topic is not None and topic not in rules.topics:
        expected = f"one of {', '.join(dict.fromkeys(rules.topics))}"
        raise ConfigError(f"no rule for {topic!r}", "topic", expected)
    tables = [_apply(catalogue, rule) for rule in rules.rules if topic in (None, rule.topic)]
    return pd.concat(tables, ignore_index=True)


@typed
def edited(
    rules: Rules,
    topic: str,
    add: Iterable[str] = (),
    drop: Iterable[str] = (),
    signals: int | None = None,
    fields: Iterable[str] | None = None,
) -> Rules:
    """The same rules with one changed: words added or dropped, signals or fields others.

    Raises `ConfigError` for a topic without a rule, a word to drop that is not there, and a rule
    that could never fire.

    >>> edited(rules, "meat", drop=["ham"], signals=2)  # doctest: +SKIP
    """
    if topic not in rules.topics:
        expected = f"one of {', '.join(dict.fromkeys(rules.topics))}"
        raise ConfigError(f"no rule for {topic!r}", "topic", expected)
    found = []
    for rule in rules.rules:
        told: dict[str, object] = rule.model_dump()
        if rule.topic == topic:
            absent = [word for word in drop if word not in rule.words]
            if absent:
                expected = f"some of {', '.join(rule.words)}"
                raise ConfigError(f"no word {absent[0]!r} to drop", topic, expected)
            kept = [word for word in rule.words if word not in set(drop)]
            told["words"] = tuple(dict.fromkeys([*kept, *add]))
            told["signals"] = rule.signals if signals is None else signals
            told["fields"] = rule.fields if fields is None else tuple(fields)
        found.append(told)
    try:
        return Rules(source=f"{rules.source}, edited", rules=tuple(found))
    except ValidationError as error:
        raise ConfigError(why(error), topic, "a rule that can find something") from error


@typed
def compare_rules(
    catalogue: Catalogue, before: Rules | str | Path, after: Rules | str | Path, topic: str
) -> pd.DataFrame:
    """What two versions of a rule catch: [item, title, change, before, after], added and dropped
    items first. change: added, dropped or kept; before, after: what was found where, "" for none.

    >>> compare_rules(catalogue, rules, edited(rules, "meat", drop=["ham"]), "meat")  # doctest: +SKIP
    """
    parts = []
    for name, rules in (("before", before), ("after", after)):
        found = find_sensitive(catalogue, rules, topic)
        # rules of one topic are one list
        hits = found.groupby(["item", "title"])["hits"].agg("; ".join)
        parts.append(hits.rename(name))
    both = pd.concat(parts, axis=1).reset_index()
    change = np.select([both["before"].isna(), both["after"].isna()], ["added", "dropped"], "kept")
    both.insert(2, "change", change)
    both = both.fillna({"before": "", "after": ""})
    return both.sort_values(["change", "item"], ignore_index=True)


def _apply(catalogue: Catalogue, rule: Rule) -> pd.DataFrame:
    hits: list[list[str]] = [[] for _ in range(len(catalogue))]
    for field in rule.looks_at:
        words = rule.words if field in rule.fields else ()
        pattern = _pattern((*words, *rule.only.get(field, ())))
        values = set(map(str, rule.values.get(field, ())))
        for text, said in zip(_field(catalogue, field, rule.topic), hits, strict=True):
            found = [word.lower() for word in pattern.findall(text)]
            found += [part for part in text.split("|") if part in values]
            if found:
                said.append(f"{field}: {', '.join(dict.fromkeys(found))}")
    table = catalogue.frame[["item", "title"]].assign(topic=rule.topic)
    table["signals"] = [len(said) for said in hits]
    table["hits"] = ["; ".join(said) for said in hits]
    return table[table["signals"] >= rule.signals]


def _field(catalogue: Catalogue, field: str, topic: str) -> list[str]:
    """The text of one field for every item, "" where there is none."""
    if field == "topics":
        joined = catalogue.topics.groupby("item")["topic"].agg("|".join)
        return joined.reindex(np.arange(len(catalogue))).fillna("").tolist()
    if field not in catalogue.frame:
        have = ", ".join(["topics", *catalogue.frame.columns.drop("item")])
        what, do = f"the catalogue has no {field!r}", "change the rule's fields"
        raise DataError(what, f"rule for {topic}", have, do)
    column = catalogue.frame[field]
    return column.astype("str").where(column.notna(), "").tolist()


def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """Any of the words, whole and in any case, the longest first; blanks in a phrase match any
    white space. Without words it finds nothing."""
    parts = []
    for word in sorted(set(words), key=lambda word: (-len(word), word)):
        text = r"\s+".join(re.escape(part) for part in word.rstrip("*").split())
        parts.append(text + (r"\w*" if word.endswith("*") else ""))
    either = "|".join(parts) or NOTHING
    return re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE)
