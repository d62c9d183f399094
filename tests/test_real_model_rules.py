"""The rules of benchmarks/real_model.py: kinds of token, masks, and that all that was predicted is
measured."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    return importlib.import_module("real_model")


def made_up(people, kinds, personas):
    """Tokens of made-up people: every persona of every text, in a template."""
    rng = np.random.default_rng(0)
    names = ["text", "position", "kind", "persona", "log_prob"]
    rows = [
        (f"p{person}", place, kind, persona, rng.normal())
        for person in range(people)
        for place, kind in enumerate(kinds)
        for persona in personas
    ]
    return pd.DataFrame(rows, columns=names)


def test_a_kind_of_token_is_told_by_words_alone(bench):
    response = "GREAT zoom lens, I love the zebra 50 times"
    row = SimpleNamespace(
        response=response, query='a review of "Zoom lens kit"', memories=["a zebra of the"]
    )
    words = response.replace(",", " ,").split()
    starts = [response.index(word) for word in words]
    spans = pd.DataFrame({"start": starts})
    spans["end"] = [start + len(word) for start, word in zip(starts, words, strict=True)]
    found = dict(zip(words, bench.kinds(row, {"the", "of", "a"}, spans), strict=True))
    assert found["zoom"] == found["lens"] == "product words" and found["zebra"] == "own words"
    assert found["GREAT"] == found[","] == "punctuation and case" and found["50"] == "numbers"
    assert found["love"] == "sentiment" and found["times"] == found["the"] == "rest"


def test_a_mask_takes_titles_and_names(bench):
    said = bench.masked('5 stars for "Acme Lamp": We met Robin, and it shone.')
    assert "Acme" not in said and "Robin" not in said and "We met …, and it shone" in said
    assert bench.masked('5 stars for "Acme Lamp of a title that was cut') == '5 stars for "…"'


def test_a_persona_that_is_not_there_is_none(bench, monkeypatch):
    row = SimpleNamespace(text="p3", memories=["a b", "c d e", "f", "g h"])
    assert bench.persona(row, "none") == [] and bench.persona(row, "own 8") is None
    assert bench.persona(row, "own 2") == ["a b", "c d e"]
    shuffled = bench.persona(row, "shuffled own 4")
    assert [len(one.split()) for one in shuffled] == [2, 3, 1, 2]
    assert sorted(" ".join(shuffled)) == sorted("a b c d e f g h") and shuffled != row.memories
    monkeypatch.setattr(bench, "others", lambda kind: {"p3": ["x"] * 3})
    assert bench.persona(row, "another's 4") is None


def test_what_was_predicted_is_measured_and_nothing_is_told_of_few_people(bench):
    personas = {name for pair in (*bench.PAIRS, bench.EIGHT) for name in pair}
    tokens = made_up(bench.PEOPLE, bench.KINDS, personas)
    tables = [tokens.assign(template=name) for name in bench.TEMPLATES]
    rows, by_kind, numbers = bench.measured(pd.concat(tables))
    assert set(bench.expected("real_model")) - set(numbers) == {"panel_wins"}
    assert len(by_kind) == 2 * len(bench.KINDS) and len(rows) == 3 * len(bench.KEYS)
    few = tokens[tokens["text"] != "p0"].assign(template="review")
    assert bench.measured(few) == ([], [], {})
