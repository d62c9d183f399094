"""The bottom of the package: errors, settings, static HTML."""

import numpy as np
import pandas as pd
import pytest

from workbench import html
from workbench.errors import ConfigError, WorkbenchError
from workbench.laws import Law, NotOffered, hold
from workbench.settings import Frozen, settings

HOSTILE = "<img src=x onerror=alert(1)>"


def test_errors_say_where_what_and_what_to_do():
    error = WorkbenchError(
        "no column 'item'.", where="clicks.csv", expected="item ids", do="pass item='sku'"
    )
    assert (
        str(error)
        == "clicks.csv: no column 'item'. Expected: item ids. What to do: pass item='sku'."
    )
    assert error.do == "pass item='sku'"


def test_a_wrong_environment_names_the_variable(monkeypatch):
    monkeypatch.setenv("WORKBENCH_PROFILE", "huge")
    with pytest.raises(
        ConfigError, match=r"^WORKBENCH_PROFILE: 'huge' cannot be used.*'tiny', 'laptop' or 'full'"
    ):
        settings()
    monkeypatch.setenv("WORKBENCH_PROFILE", "tiny")
    monkeypatch.setenv("WORKBENCH_THREADS", "0")
    with pytest.raises(
        ConfigError, match=r"^WORKBENCH_THREADS: '0' cannot be used.*greater than or equal to 1"
    ):
        settings()


def test_the_profile_is_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("WORKBENCH_PROFILE", "laptop")
    monkeypatch.setenv("WORKBENCH_SEED", "7")
    assert (settings().profile, settings().seed) == ("laptop", 7)


def test_tables_escape_every_cell_head_and_caption():
    page = html.table([{HOSTILE: HOSTILE}], caption=HOSTILE)
    assert "<img" not in page and page.count("&lt;img src=x onerror=alert(1)&gt;") == 3


def test_numbers_in_tables():
    numbers = {1234: "1,234", 0.12345: "0.123", np.int64(1235): "1,235", np.float32(0.5): "0.500"}
    assert {value: html.format_number(value) for value in numbers} == numbers
    assert [html.format_number(value) for value in (None, float("nan"), pd.NA, pd.NaT)] == [""] * 4
    assert [html.format_number(value) for value in (True, "a", "nan", (1, 2))] == [
        "True",
        "a",
        "nan",
        "(1, 2)",
    ]


def test_ids_depend_on_content_alone():
    assert (
        html.content_id("t", "a", "b")
        == html.content_id("t", "a", "b")
        != html.content_id("t", "ab", "")
    )


def test_provenance_names_data_users_seeds_and_profile(monkeypatch):
    monkeypatch.delenv("WORKBENCH_PROFILE", raising=False)
    line = html.provenance(data="generated world 2", users=1200, requests=3, seeds=[1, 2])
    assert (
        line
        == "data: generated world 2 · users: 1,200 · requests: 3 · seeds: [1, 2] · profile: tiny"
    )


def test_laws_are_asked_one_by_one_and_what_raises_stands_in_the_table():
    def raises(thing):
        raise KeyError("x")

    def absent(thing):
        raise NotOffered("a graph")

    laws = {
        "first": Law("a number", lambda thing: None),
        "wrong": Law("three", lambda thing: f"{thing}"),
        "raises": Law("no error", raises),
        "absent": Law("a graph", absent),
        "needs": Law("never asked", raises, ("no_such_attribute",)),
        "left out": Law("never asked", raises),
    }
    found = hold("4", laws, lambda: (4,), of=4, unasked={"left out": "not claimed"})
    assert found.broken == ["wrong", "raises"] and not found.ok
    assert repr(found) == "Findings(4: 1 hold, 2 broken, 3 not asked)"
    detail = found.to_frame().set_index("law")["detail"]
    assert detail["wrong"] == "expected: three; found: 4"
    assert detail["raises"] == "expected: no error; found: KeyError: 'x'"
    assert detail["absent"] == "not offered: a graph"
    assert detail["needs"] == "not offered: no_such_attribute"
    assert detail["left out"] == "not claimed"
    html_form = found._repr_html_()
    assert "not asked" in html_form and html_form.count("<table>") == 2


def test_a_broken_first_law_ends_the_asking():
    laws = {"first": Law("less", lambda n: "more"), "second": Law("", lambda n: None)}
    found = hold("1", laws, lambda: (1,))
    assert list(found.frame["law"]) == ["first"] and not found.ok


def test_every_law_gets_a_case_of_its_own():
    laws = {name: Law("an empty list", lambda seen: seen.append(1)) for name in "ab"}
    laws["c"] = Law("an empty list", lambda seen: str(seen) if seen else None)
    assert hold("lists", laws, lambda: ([],)).ok


def test_help_tells_what_stands_under_each_field() -> None:
    class Base(Frozen):
        """Settings of a thing."""

        rate: float = 0.1
        """How fast
        it goes."""

    class More(Base):
        """Settings of another."""

        size: int = 3
        """How large it is."""

    assert More.__doc__ == (
        "Settings of another.\n\nrate: How fast it goes.\n\nsize: How large it is."
    )
    assert Base.__doc__.count("rate") == 1 and "size" not in Base.__doc__
