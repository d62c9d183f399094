"""Every row of the simulator's benchmark has an identity, or says in its first column that it was
carried from a day and not run again."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from workbench.settings import ROOT

RESULTS = ROOT / "benchmarks" / "results"
OF = {"simulator": "row", "simulator_reads": "model", "simulator_visits": "visits"}


@pytest.mark.parametrize("name", OF)
def test_a_row_has_an_identity_or_the_day_it_is_from(name):
    table = pd.read_csv(RESULTS / f"{name}.csv")
    known = table["identity"].str.fullmatch(r"[0-9a-f]{16}")
    carried = table["identity"].str.fullmatch(r"carried from \d{4}-\d\d-\d\d")
    assert (known | carried).all()
    # on the page, in the first column or the head of its own
    page = (RESULTS / "simulator.md").read_text(encoding="utf-8")
    cells = {cell.strip() for line in re.findall(r"^\|.*", page, re.M) for cell in line.split("|")}
    for row, identity in table.groupby(OF[name])["identity"].first().items():
        says = f"{row} ({identity}, not run again)"
        assert (says in cells) == identity.startswith("carried"), row
        assert row in cells or says in cells


def test_a_carried_row_that_is_run_again_is_moved_and_named_as_it_is(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import kept

    path = tmp_path / "rows.csv"
    old = pd.DataFrame({"row": ["a"], "value": [1.0], "identity": ["carried from 2026-12-01"]})
    old.assign(base="").to_csv(path, index=False)
    new = pd.DataFrame({"row": ["a"], "value": [2.0], "identity": ["f" * 16], "base": ["b"]})
    assert kept.merged(new, path, "row", base="b")["value"].tolist() == [2.0]
    moved = pd.read_csv(tmp_path / "rows_earlier.csv")
    assert moved["identity"].tolist() == ["carried from 2026-12-01"]
