"""What a benchmark measured once stays in its table, by what it was made from."""

import importlib
import sys

import pandas as pd
import pytest

from workbench.settings import ROOT


@pytest.fixture
def kept(monkeypatch):
    """The script, which is no part of the package."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield importlib.import_module("kept")
    sys.modules.pop("kept")


def table(*lines):
    """[row, value, identity, base]."""
    return pd.DataFrame(lines, columns=["row", "value", "identity", "base"])


def test_a_row_that_is_not_made_again_stays(kept, tmp_path):
    path = tmp_path / "rows.csv"
    table(("rule", 1.0, "a", "log"), ("published", 2.0, "b", "log")).to_csv(path, index=False)
    found = kept.merged(table(("rule", 1.5, "a", "log")), path, "row", "log")
    assert dict(zip(found["row"], found["value"], strict=True)) == {"rule": 1.5, "published": 2.0}
    assert not (tmp_path / "rows_earlier.csv").exists()


def test_a_row_of_other_weights_or_another_log_moves_and_is_not_lost(kept, tmp_path):
    path = tmp_path / "rows.csv"
    old = table(("rule", 1.0, "a", "log"), ("T5", 2.0, "b", "log"), ("old", 3.0, "c", "other log"))
    old.to_csv(path, index=False)
    new = table(("rule", 1.0, "a", "log"), ("T5", 2.5, "other weights", "log"))
    found = kept.merged(new, path, "row", "log")
    assert found["row"].tolist() == ["rule", "T5"]
    earlier = pd.read_csv(tmp_path / "rows_earlier.csv")
    assert earlier["value"].tolist() == [2.0, 3.0]


def test_a_file_from_before_identities_keeps_its_rows(kept, tmp_path):
    path = tmp_path / "rows.csv"
    old = pd.DataFrame({"row": ["rule", "published"], "value": [1.0, 2.0]})
    old.to_csv(path, index=False)
    found = kept.merged(table(("rule", 1.0, "a", "log")), path, "row", "log")
    assert found["row"].tolist() == ["rule", "published"]
    assert found["identity"].tolist() == ["a", ""]


def test_a_row_is_named_by_log_weights_settings_and_code(monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    parts = importlib.import_module("simulator_parts")
    one = parts.Row(name="SASRec", weights="w", config="{}", code="c")
    named = {parts.identity(one)}
    for changed in ({"weights": "v"}, {"config": "{1}"}, {"code": "d"}, {"seed": 2}):
        named.add(parts.identity(one.model_copy(update=changed)))
    inner, asked = parts.on("valid")
    monkeypatch.setattr(parts, "on", lambda day: (inner, asked))
    named.add(parts.identity(one))
    assert len(named) == 6
    # who trains a network says from which settings
    assert '"use_actions":true' in parts.of("SASRec with actions").config
    sys.modules.pop("simulator_parts")
