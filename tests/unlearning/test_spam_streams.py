"""Spam and a flood through trained models: streams, assessments, audits and the grid."""

from functools import cache

import numpy as np
import pytest

from tests.unlearning.worlds import small_log, small_task
from workbench.recommend import BPR, DNNTSP, GRU4Rec, Training
from workbench.unlearning import (
    References,
    assess,
    flood,
    measures,
    methods_for,
    reseeded,
    sensitive,
    spam,
    stream,
)
from workbench.unlearning.audit import audit
from workbench.unlearning.audit._asked import asked_cells, others
from workbench.unlearning.audit.topic import hidden_behind
from workbench.unlearning.grid import plan
from workbench.unlearning.grid_config import Asked, Grid
from workbench.unlearning.grid_run import run_grid
from workbench.unlearning.grid_table import verdicts

FEW = Training(epochs=2, batch=256, learning_rate=5e-3)
MODELS = {
    "collaborative": BPR(BPR.Config(embedding=8, training=FEW)),
    "session": GRU4Rec(GRU4Rec.Config(embedding=8, hidden=8, training=FEW)),
    "basket": DNNTSP(DNNTSP.Config(training=FEW)),
}
CASES = ["collaborative ring", "collaborative members", "session ring", "collaborative flood"]
CASES += ["session flood", "basket flood", "basket sensitive"]
TOPIC = np.array([1, 2, 3, 4])
CHECKS = ("rows", "topic", "lists", "harm", "strata")


@cache
def scenario_of(case):
    kind, what = case.split()
    if what == "flood":
        return flood(small_log(), kind, n_items=1).scenario()
    if what == "sensitive":
        return sensitive(small_task(kind), TOPIC, n=6, at_least=2)
    found = spam(small_log(), kind, share=0.1, n_targets=2)
    return found.scenario(1 if what == "members" else None, small_task(kind))


@cache
def found_of(case):
    """Two bases, their streams through two methods, and three retrains."""
    scenario, model = scenario_of(case), MODELS[case.split()[0]]
    bases = [reseeded(model, seed).fit(scenario.task.train) for seed in (1, 2)]
    rows = methods_for(bases[0], batch=1)
    methods = [rows[name] for name in ("no-op", "fine-tune")]
    streams = [stream(one, base, scenario, checkpoints=1) for one in methods for base in bases]
    return bases, streams, References(scenario, model, seeds=(11, 12, 13))


@pytest.mark.parametrize("case", CASES)
def test_a_stream_is_served_and_has_its_verdict(case):
    bases, streams, never = found_of(case)
    for one in streams:
        assert set(one.outcomes["status"]) <= {"done", "no-op"}, one.outcomes["error"].tolist()
    found = assess(streams, never)
    assert found.primary == ("promoted" if scenario_of(case).promotes else "deleted")
    own = found.verdicts.set_index("method")
    assert set(own.index) == {"no-op", "fine-tune", "retrain, held out"}
    assert own[["estimate", "low", "high"]].notna().all(axis=None) and (own["n"] > 5).all()
    assert bases[0] is not streams[0].models[max(streams[0].models)]


@pytest.mark.parametrize("case", CASES)
def test_an_audit_asks_the_people_whom_the_scenario_is_about(case):
    scenario, (_, streams, never) = scenario_of(case), found_of(case)
    done = len(scenario.requests)
    models = {"no-op": [one.models[done] for one in streams[:2]]}
    checks = CHECKS
    if scenario.promotes and not len(hidden_behind(scenario)):
        checks = tuple(check for check in CHECKS if check != "topic")
    table = audit(models, never.at(done), scenario, done, checks=checks).table
    assert {check.split(":")[0] for check in table["check"]} == set(checks)
    assert table["estimate"].notna().all() and set(table["row"]) == {"no-op", "retrain"}


@pytest.mark.parametrize("case", [case for case in CASES if "sensitive" not in case])
def test_nobody_of_the_ring_is_asked_whether_its_request_was_served_or_not(case):
    scenario = scenario_of(case)
    fakes = scenario.leaving_people(len(scenario.requests))
    for done in range(min(2, len(scenario.requests)) + 1):
        _, asked, people = asked_cells(scenario, done)
        assert len(people) == asked.nnz and not np.isin(people, fakes).any()
        assert set(asked.indices) <= set(scenario.items.tolist())
        free = scenario.task.people[others(scenario, done, 0)]
        assert not np.isin(free, fakes).any()
        if done:
            table = measures(found_of(case)[0][0], scenario, done)
            assert not np.isin(table["unit"], fakes).any()


def test_fillers_are_what_the_ring_hid_behind():
    scenario = scenario_of("session ring")
    rows = scenario.both.only(scenario.requests[0].interactions).frame
    behind = hidden_behind(scenario)
    assert len(behind) and set(behind) == set(rows["item"]) - set(scenario.items.tolist())


def test_spam_and_floods_run_in_the_grid(tmp_path):
    settings = {"embedding": 8, "training": {"epochs": 1, "batch": 2048}}
    grid = Grid(
        name="ring",
        models={"BPR": settings},
        algorithms={"no_op": {}, "fine_tune": {}},
        asked=(Asked(kind="spam", topic="bandwagon", n=5, share=0.02), Asked(kind="flood")),
        retrain_seeds=(11, 12),
        checkpoints=1,
    )
    assert run_grid(plan(grid), tmp_path / "ring")["left"].sum() == 0
    found = verdicts(plan(grid), tmp_path / "ring")
    own = found[(found["measure"] == "promoted") & found["method"].isin(["no-op", "fine_tune"])]
    assert sorted(own["checkpoint"]) == [1, 1, 2, 2] and own["verdict"].ne("").all()
