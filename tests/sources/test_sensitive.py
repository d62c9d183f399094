"""Sensitive items: what a rule finds, what it must not find, and that the shipped rules can be
read."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from workbench.cli import app
from workbench.data import Catalogue, find_sensitive, load_rules, load_world
from workbench.errors import ConfigError, DataError
from workbench.settings import settings as workbench_settings
from workbench.sources import commands
from workbench.sources.cards import all_cards
from workbench.sources.sensitive import Rule, Rules, compare_rules, edited

SHELF = pd.DataFrame(
    {
        "item": range(7),
        "title": [
            "Ham & eggs",
            "Shampoo",
            "Ginger ALE",
            "GIN, dry",
            "Self  harm",
            "Beer-battered cod",
            "Skill",
        ],
        "category": ["food", "bath", "drinks", "drinks", "books", "food", "games"],
        "aisle": ["3", "4", "5|6", "6", None, "16", "7"],
        "note": ["", "no ham", None, "a ham of gin", "", "ham", ""],
    }
)
TOPICS = pd.DataFrame({"item": [3, 5], "topic": ["Strong drinks", "Fish"]})


def shelf():
    return Catalogue.from_table(SHELF, TOPICS)


def rules(**rule):
    return Rules(source="a test", rules=[Rule(topic="x", **rule)])


def found(**rule):
    return list(find_sensitive(shelf(), rules(**rule))["item"])


@pytest.mark.parametrize(
    ("word", "items"),
    [
        ("ham", [0]),
        ("gin", [3]),
        ("ale", [2]),
        ("self harm", [4]),
        ("beer", [5]),
        ("kill", []),
        ("kill*", []),
        ("sha*", [1]),
    ],
)
def test_words_are_whole_words_in_any_case(word, items):
    assert found(fields=["title"], words=[word]) == items


def test_values_are_whole_cells_or_parts_of_them():
    assert found(values={"aisle": [6]}) == [2, 3]
    assert found(values={"topics": ["Fish", "bath"]}) == [1, 5]


def test_a_field_gives_one_signal_and_says_what_it_holds():
    table = find_sensitive(
        shelf(), rules(fields=["title", "note"], words=["ham", "gin"], signals=2)
    )
    assert table.to_dict("records") == [
        {
            "item": 3,
            "title": "GIN, dry",
            "topic": "x",
            "signals": 2,
            "hits": "title: gin; note: ham, gin",
        }
    ]
    assert found(fields=["title"], words=["ham"], only={"note": ["ham", "gin"]}) == [0, 1, 3, 5]
    assert found(fields=["topics"], words=["drinks"], values={"aisle": [5]}, signals=2) == [2]


WORDS = ["ham", "gin", "shampoo", "ginger", "wine", "tea"]
texts = st.lists(st.sampled_from(WORDS), max_size=4)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(texts, texts), min_size=1, max_size=8),
    st.sets(st.sampled_from(WORDS[:2] + WORDS[4:]), min_size=1),
)
def test_hits_are_what_a_search_by_hand_finds(rows, words):
    table = pd.DataFrame({"item": range(len(rows)), "title": [" ".join(a) for a, _ in rows]})
    catalogue = Catalogue.from_table(table.assign(note=["-".join(b).upper() for _, b in rows]))
    rule = {"fields": ["title", "note"], "words": sorted(words)}
    one, two = (find_sensitive(catalogue, rules(**rule, signals=signals)) for signals in (1, 2))
    signals = [bool(words & set(a)) + bool(words & set(b)) for a, b in rows]
    assert list(one["item"]) == [item for item, n in enumerate(signals) if n >= 1]
    assert list(two["item"]) == [item for item, n in enumerate(signals) if n == 2]
    assert list(one["signals"]) == [n for n in signals if n] and set(two["item"]) <= set(
        one["item"]
    )
    for row in one.itertuples():
        said = {word for part in row.hits.split("; ") for word in part.split(": ")[1].split(", ")}
        assert said == words & set(rows[row.item][0] + rows[row.item][1])


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"fields": ["title"]}, "fields and words go together"),
        ({"words": ["ham"]}, "fields and words go together"),
        ({"fields": ["title"], "words": ["ham"], "signals": 2}, "signals = 2, but 1 fields"),
        ({}, "signals = 1, but 0 fields"),
        ({"fields": ["title"], "words": [" *"]}, "an empty word"),
        ({"fields": ["title"], "words": ["ham"], "colour": "red"}, "colour"),
    ],
)
def test_rules_that_cannot_find_anything_are_refused(rule, message):
    with pytest.raises(ValueError, match=message):
        Rule(topic="x", **rule)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(
        DataError, match=r"the catalogue has no 'shelves'.*change the rule's fields"
    ):
        find_sensitive(shelf(), rules(fields=["shelves"], words=["ham"]))
    with pytest.raises(ConfigError, match=r"no rule for 'meat'\. Expected: one of x"):
        find_sensitive(shelf(), rules(fields=["title"], words=["ham"]), topic="meat")
    with pytest.raises(ConfigError, match="no rules for tafeng"):
        load_rules("tafeng")
    (tmp_path / "mine.toml").write_text("source = 'me'\nrules = []\n")
    with pytest.raises(ConfigError, match=r"mine\.toml: no rules"):
        load_rules(tmp_path / "mine.toml")


def test_the_shipped_rules_can_be_read_and_belong_to_a_card():
    names = sorted(path.stem for path in (workbench_settings().data / "sensitive").glob("*.toml"))
    assert set(names) <= set(all_cards()) and len(names) == 10
    for name in names:
        assert load_rules(name).topics
    aisles = {rule.topic: set(rule.values["aisle_id"]) for rule in load_rules("instacart").rules}
    assert aisles["alcohol"] == {27, 28, 62, 124, 134} and aisles["baby"] == {82, 92, 102, 56}


def test_the_readers_own_rules_go_first(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path))
    (tmp_path / "sensitive").mkdir()
    text = 'source = "me"\n[[rules]]\ntopic = "tea"\nfields = ["title"]\nwords = ["teapot*"]\n'
    (tmp_path / "sensitive" / "generated-world.toml").write_text(text, encoding="utf-8")
    assert load_rules("generated-world").topics == ["tea"]


def test_the_command_lists_what_the_world_planted(monkeypatch):
    monkeypatch.delenv("WORKBENCH_DATA", raising=False)
    world = load_world()
    hits = commands.sensitive("generated-world", topic="pregnancy")
    planted = set(world.catalogue.items_of("Baby & pregnancy")) | set(
        world.catalogue.items_of("Expecting")
    )
    assert set(hits["item"]) == planted and set(hits["topic"]) == {"pregnancy"}
    assert list(commands.sensitive("generated-world")["topic"].unique()) == ["pregnancy", "horror"]


def test_the_command_line_lists_hits_and_counts(tmp_path):
    said = CliRunner().invoke(app, ["data", "sensitive", "generated-world", "--topic", "horror"])
    assert said.exit_code == 0 and said.stdout.splitlines()[-1] == "items: horror 16"
    assert "category: Horror novels" in said.stdout
    text = 'source = "me"\n[[rules]]\ntopic = "none"\nfields = ["title"]\nwords = ["zzz"]\n'
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    said = CliRunner().invoke(
        app, ["data", "sensitive", "generated-world", "--rules", str(tmp_path / "mine.toml")]
    )
    assert said.exit_code == 0 and said.stdout.splitlines()[-1] == "items: none"


@pytest.mark.real
def test_genres_of_ml_100k_stand_in(real_data):
    hits = commands.sensitive("ml-100k", folder=real_data / "ml-100k-recbole")
    assert hits["topic"].value_counts().to_dict() == {
        "horror": 92,
        "crime": 109,
        "war": 71,
        "film-noir": 24,
    }


def test_an_edited_rule_shows_what_it_catches_and_no_longer():
    meat = Rule(topic="meat", fields=("title", "note"), words=("ham",))
    gin = Rule(topic="drinks", fields=("title",), words=("gin",))
    before = Rules(source="ours", rules=(meat, gin))
    after = edited(before, "meat", add=["cod"], drop=["ham"])
    table = compare_rules(shelf(), before, after, "meat")
    change = table.set_index("title")["change"]
    hits = find_sensitive(shelf(), before, "meat")["title"]
    assert change[change != "added"].index.tolist() == hits.tolist()
    assert change["Beer-battered cod"] == "kept" and set(change.drop("Beer-battered cod")) == {
        "dropped"
    }
    assert table["before"].ne("").all() and table.query("change == 'kept'")["after"].ne("").all()
    # nothing else moves, and what was shipped stays
    assert after.rules[1] == gin and before.rules[0] == meat
    both = edited(before, "meat", signals=2)
    dropped = compare_rules(shelf(), before, both, "meat").query("change == 'dropped'")
    assert len(dropped) == len(hits)
    fields = edited(before, "meat", fields=["title"])
    assert find_sensitive(shelf(), fields, "meat")["title"].tolist() == ["Ham & eggs"]
    same = compare_rules(shelf(), before, before, "meat")
    assert set(same["change"]) == {"kept"} and same["before"].equals(same["after"])


def test_a_rule_that_cannot_be_edited_so():
    rules = Rules(source="ours", rules=(Rule(topic="meat", fields=("title",), words=("ham",)),))
    for options in (
        {"topic": "fish"},
        {"topic": "meat", "drop": ["beef"]},
        {"topic": "meat", "drop": ["ham"]},
        {"topic": "meat", "signals": 2},
        {"topic": "meat", "add": [" "]},
    ):
        with pytest.raises(ConfigError):
            edited(rules, **options)
