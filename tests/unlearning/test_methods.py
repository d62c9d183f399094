"""The rows of the table, which models they fit, and how many requests a retrain is worth."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import recommend
from workbench.errors import ConfigError
from workbench.recommend.tasks import collaborative_task, session_task
from workbench.recommend.training import Training
from workbench.unlearning import Method, sensitive, stream
from workbench.unlearning.laws_bench import people_log
from workbench.unlearning.methods import CONTROLS, METHODS, NEEDS, methods_for, requests_per_retrain

PAIRS, HISTORIES = ("BPR", "LightGCN", "SGL"), ("GRU4Rec", "NARM", "SASRec", "SRGNN")
SEVEN = ("SCIF", "Kookmin", "Fanchuan", "SEIF", "GIF", "CEU", "IDEA")


def test_the_table_is_whole():
    assert METHODS.keys() == NEEDS.keys() and all(n == row.name for n, row in METHODS.items())
    for name in SEVEN:
        assert METHODS[f"{name}, as in the fork"].config.mode == "as_in_fork"
        assert METHODS[f"{name}, corrected"].config.mode == "corrected"
    tuned = [name for name in METHODS if name.endswith("later re-tuning")]
    assert tuned == [f"{name}, later re-tuning" for name in ("Kookmin", "Fanchuan", "SEIF")]
    assert set(CONTROLS) < METHODS.keys() and len(CONTROLS) == 6


@pytest.mark.parametrize("name", METHODS)
def test_a_row_can_be_sent_to_a_worker(name):
    found = pickle.loads(pickle.dumps(METHODS[name]))
    assert found.name == name and found.algorithm is METHODS[name].algorithm


def test_a_row_opens_its_own_algorithm_and_no_other():
    code = """
import sys
from workbench.unlearning.methods import METHODS
METHODS["no-op"], METHODS["warm start, batched"]
print(*(name.split(".")[-1] for name in sys.modules if ".unlearning.algorithms." in name))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"controls", "warm_start", "_samples"}


def test_rows_join_from_either_side_and_stay():
    own = {"mine": Method("mine", mine), "no-op": Method("no-op", mine)}
    later, earlier = METHODS | own, own | METHODS
    assert [*later] == [*METHODS, "mine"] and [*earlier][:2] == ["mine", "no-op"]
    assert later["no-op"].algorithm is mine and earlier["no-op"].algorithm is not mine
    assert METHODS["no-op"] is METHODS["no-op"] and "mine" not in METHODS
    assert pickle.loads(pickle.dumps(METHODS))["no-op"] == METHODS["no-op"]


def test_which_models_a_method_fits():
    for name in PAIRS:
        assert methods_for(getattr(recommend, name)()).keys() == METHODS.keys() - {"exact"}
    for name in (*HISTORIES, "DNNTSP", "Sets2Sets"):
        gone = {"exact", "re-solve the user", "re-solve user, items, user"}
        assert methods_for(getattr(recommend, name)()).keys() == METHODS.keys() - gone
    for name in ("EASE", "ItemKNN", "SKNN", "TIFUKNN", "UPCF", "TopFreq"):
        want = ["exact", "retrain, batched", "tombstone", "no-op"]
        assert list(methods_for(getattr(recommend, name)())) == want


def test_batches():
    found = methods_for(recommend.BPR(), batch=4)
    assert {row.batch for name, row in found.items() if name.endswith("batched")} == {4}
    assert {row.batch for name, row in found.items() if not name.endswith("batched")} == {1}
    with pytest.raises(ConfigError):
        methods_for(recommend.BPR(), batch=0)


@pytest.mark.parametrize("name", ["BPR", "GRU4Rec", "EASE"])
def test_every_row_serves_a_stream(name):
    log = people_log(users=16)
    task = (session_task if name == "GRU4Rec" else collaborative_task)(log)
    scenario = sensitive(task, np.arange(6), n=2, at_least=2)
    kind = getattr(recommend, name)
    told = Training(epochs=2, batch=64, learning_rate=0.01)
    model = kind() if name == "EASE" else kind(kind.Config(embedding=4, training=told))
    base = model.fit(task.train)
    rows = methods_for(base, batch=2) | {"mine": Method("mine", mine)}
    for row in rows.values():
        found = stream(row, base, scenario)
        assert set(found.outcomes["status"]) <= {"done", "no-op"}, (row.name, found.outcomes)


def mine(model, before, request, config, seed):
    return {"said": 1}


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=8), st.floats(0.01, 100))
def test_requests_per_retrain(seconds, retrain):
    lines = pd.DataFrame({"request": range(len(seconds)), "status": "done", "seconds": seconds})
    found = requests_per_retrain(retrain, lines)
    assert found * np.mean(seconds) == pytest.approx(retrain)
    # in batches of two, with the same seconds in all: the same
    half = pd.DataFrame({"request": [1, 3], "status": "done", "seconds": [1.0, 3.0]})
    assert requests_per_retrain(retrain, half) == pytest.approx(retrain)
    # of two bases below each other: the same as of one
    for one in (lines, half, half[-1:]):
        twice = requests_per_retrain(retrain, pd.concat([one, one]))
        assert twice == pytest.approx(requests_per_retrain(retrain, one))


def test_failed_requests_cost_and_are_not_served():
    lines = pd.DataFrame({"request": [0, 1], "status": ["done", "failed"], "seconds": [1.0, 1.0]})
    assert requests_per_retrain(10, lines) == 5
    assert requests_per_retrain(10, lines.assign(seconds=0.0)) == np.inf
    assert requests_per_retrain(10, lines.assign(status="failed")) == 0
    with pytest.raises(ConfigError, match="no column seconds"):
        requests_per_retrain(10, lines[["request", "status"]])
    with pytest.raises(ConfigError):
        requests_per_retrain(-1, lines)
