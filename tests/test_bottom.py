"""The bottom of the package: errors, settings, static HTML."""

import numpy as np
import pandas as pd
import pytest

from workbench import html
from workbench.errors import ConfigError, WorkbenchError
from workbench.settings import settings

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
    line = html.provenance(data="generated world 1", users=1200, requests=3, seeds=[1, 2])
    assert (
        line
        == "data: generated world 1 · users: 1,200 · requests: 3 · seeds: [1, 2] · profile: tiny"
    )
