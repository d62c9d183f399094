"""The table: that every control and verdict is where it belongs, on planted values and on models."""

import numpy as np
import pandas as pd
import pytest

from workbench.data import load_world
from workbench.errors import DataError
from workbench.recommend import BPR, EASE, BPRConfig
from workbench.recommend.tasks import collaborative_task, session_task
from workbench.recommend.training import Training
from workbench.unlearning import (
    Assessment,
    Method,
    References,
    assess,
    distance,
    measured,
    reseeded,
    sensitive,
    stream,
)
from workbench.unlearning.algorithms import exact, flipped, half_way, no_op, warm_start
from workbench.unlearning.assessment import AS_IN_FORK, COLUMNS, RETRAIN
from workbench.unlearning.measures import continued

UNITS = 60


def planted(shifts, numbers, by, measure="deleted", noise=0.02, seed=0, done=4):
    """A table of models whose distance to each other is known; shifts: {method: shift}."""
    rng, common = np.random.default_rng(seed), np.random.default_rng(99).random(UNITS) * 0.5
    tables = []
    for method, shift in shifts.items():
        for number in numbers:
            value = common + shift + noise * rng.standard_normal(UNITS)
            own = {"method": method, by: number, "done": done, "measure": measure}
            tables.append(pd.DataFrame(own | {"unit": np.arange(UNITS), "value": value}))
    return pd.concat(tables, ignore_index=True)


SHIFTS = {"no-op": 0.2, "near": 0.005, "half": 0.1, "over": -0.2}


def both(measure="deleted", shifts=SHIFTS):
    refit = planted({"refit": 0.0}, range(6), "seed", measure, seed=1).drop(columns="method")
    return planted(shifts, range(2), "base", measure), refit


def test_planted_distances_get_their_verdicts():
    found = assess(*both())
    verdict = found.verdicts.set_index("method")["verdict"]
    assert verdict.to_dict() == {
        "no-op": "different",
        "near": "equivalent",
        "half": "different",
        "over": "different",
        RETRAIN: "equivalent",
    }
    table = found.to_frame("deleted", -1).set_index("method")
    assert table["estimate"]["half"] == pytest.approx(0.1, abs=0.01)
    assert (table["null_low"] < 0).all() and (table["null_high"] > 0).all()
    assert table["bases"].eq(2).all() and table["seeds"]["half"] == 6


def test_a_line_is_what_distance_says():
    unlearned, refit = both()
    line = assess(unlearned, refit).to_frame("deleted").set_index("method").loc["half"]
    one = unlearned[unlearned["method"] == "half"].pivot(
        index="base", columns="unit", values="value"
    )
    two = refit.pivot(index="seed", columns="unit", values="value")
    want = distance(one.to_numpy(), two.to_numpy())
    for side in ("estimate", "low", "high", "low90", "high90", "decidable", "n", "verdict"):
        assert line[side] == getattr(want, side)


def test_the_margin_is_half_of_what_doing_nothing_has_where_that_is_smaller():
    near = {"no-op": 0.01, "near": 0.008}
    found = assess(*both(shifts=near)).verdicts
    assert found["margin"].iloc[0] == pytest.approx(0.005, abs=0.003)
    assert "equivalent" not in set(found.loc[found["method"] != RETRAIN, "verdict"])
    alone = assess(*both(shifts={"near": 0.008})).verdicts
    assert alone["margin"].eq(0.03).all() and alone["no_op"].isna().all()


def test_the_same_order_of_rows_does_not_matter():
    unlearned, refit = both()
    one = assess(unlearned, refit).table
    mixed = unlearned.sample(frac=1, random_state=0), refit.sample(frac=1, random_state=0)
    two = assess(*mixed).table.set_index("method").loc[one["method"]].reset_index()
    numbers = ["estimate", "low", "high", "margin", "null_low"]
    assert np.allclose(one[numbers], two[numbers])


def test_ratios_stand_beside_differences():
    for name, measure in (("RelEff", "ndcg@10"), ("RelItems", "exposed")):
        found = assess(*both(measure))
        ratio = found.to_frame(name).set_index("method").loc["half"]
        plain = found.to_frame(measure).set_index("method").loc["half"]
        assert ratio["estimate"] == pytest.approx(plain["unlearned"] / plain["retrained"])
        assert ratio["low"] < ratio["estimate"] < ratio["high"]
        assert plain["verdict"] == "" and np.isnan(plain["margin"])
    # the difference is still there where the ratio is not
    unlearned, refit = both("exposed")
    found = assess(unlearned, refit.assign(value=0.0))
    assert np.isnan(found.to_frame("RelItems")["estimate"].iloc[0])
    assert found.to_frame("exposed")["estimate"].iloc[0] > 0


def test_utility_is_paired_with_the_same_base():
    """A base that is better by luck is no merit of the method."""
    unlearned, refit = both("ndcg@10", {"no-op": 0.0, "same": 0.0})
    nothing = unlearned[unlearned["method"] == "no-op"]
    same = nothing.assign(method="same", value=nothing["value"] - 0.01)
    found = assess(pd.concat([nothing, same]), refit)
    line = found.to_frame("ndcg@10, paired with base").set_index("method").loc["same"]
    assert line["estimate"] == pytest.approx(-0.01)
    assert line["high"] - line["low"] < 1e-6


def test_the_study_s_asymmetry_has_a_line_of_its_own():
    kept, refit = both("deleted, history kept")
    cleaned = refit.assign(measure="deleted", value=refit["value"] - 0.1)
    found = assess(kept, pd.concat([refit, cleaned]))
    like = found.to_frame("deleted, history kept").set_index("method")["estimate"]["near"]
    unlike = found.to_frame(AS_IN_FORK).set_index("method")["estimate"]["near"]
    assert unlike == pytest.approx(like + 0.1)


def test_an_assessment_says_what_it_found_in_a_line_and_in_a_table():
    found = assess(*both())
    assert repr(found) == "Assessment(deleted: 3 different, 2 equivalent)"
    page = found._repr_html_()
    assert "no-op" in page and "margin 0.030" in page and "<script" not in page
    assert found.table.columns.tolist() == COLUMNS
    empty = Assessment(found.table.iloc[:0])
    assert "Nothing" in empty._repr_html_() and repr(empty) == "Assessment(deleted: nothing)"


def test_who_reads_no_history_is_said_of_whole_tables():
    unlearned, refit = both()
    listed = [table.assign(measure="exposed") for table in (unlearned, refit)]
    whole = pd.concat([unlearned, listed[0]]), pd.concat([refit, listed[1]])
    # without the rest of the table nothing is known of it
    assert assess(unlearned, refit).blind == []
    found = assess(*whole)
    assert found.blind == [*SHIFTS] and "every method: reads no history" in found._repr_html_()
    # a row of its own says that the history is read
    kept = unlearned[unlearned["method"] == "near"].assign(measure="deleted, history kept")
    found = assess(pd.concat([whole[0], kept]), whole[1])
    assert found.blind == ["no-op", "half", "over"]
    assert "no-op, half, over: reads no history" in repr(found)


@pytest.mark.parametrize("n", [3, 40])
def test_continued_sessions_are_counted_where_the_task_is_about_sessions(n):
    """At the last checkpoint; few of them are called few."""
    world = load_world()
    items = world.catalogue.items_of("Baby & pregnancy")
    scenario = sensitive(session_task(world.log), items, n=n)
    base = EASE().fit(scenario.task.train)
    rows = (Method("no-op", no_op, batch=n), Method("exact", exact, batch=n))
    done = [stream(row, base, scenario, checkpoints=1) for row in rows]
    found = assess(done, References(scenario, EASE()))
    assert found.sessions == {n: continued(scenario, n)}
    assert f"{continued(scenario, n)} continued sessions asked" in found._repr_html_()
    assert ("fewer than 200" in repr(found)) == (continued(scenario, n) < 200) == (n == 3)
    # neighbours of items are read from the history
    assert found.blind == []


def test_nothing_to_assess_is_refused():
    with pytest.raises(DataError, match="no stream"):
        measured([])
    unlearned, refit = both()
    with pytest.raises(DataError, match="no retrain"):
        assess(unlearned, refit[refit["done"] == 3])
    with pytest.raises(DataError, match="twice"):
        assess(pd.concat([unlearned, unlearned]), refit)


# --- on models ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scenario():
    world = load_world()
    return sensitive(collaborative_task(world.log), world.catalogue.items_of("Baby & pregnancy"))


def test_controls_are_told_apart_on_a_generated_world(scenario):
    """Everybody with three items or more forgets them. 2 bases, 6 retrains."""
    training = Training(epochs=20, batch=2048, learning_rate=5e-3)
    model = BPR(BPRConfig(l2=0.01, training=training))
    bases = [reseeded(model, seed).fit(scenario.task.train) for seed in (1, 2)]
    rows = (
        Method("no-op", no_op, batch=200),
        Method("sign flip", flipped(warm_start), batch=200),
        Method("half-way", half_way, batch=200),
    )
    streams = [stream(row, base, scenario, checkpoints=1) for row in rows for base in bases]
    lines = assess(streams, References(scenario, model)).verdicts.set_index("method")
    assert lines["verdict"]["no-op"] == lines["verdict"]["sign flip"] == "different"
    assert lines["verdict"]["half-way"] == "different"
    # decided or not (this world is small: seeds differ by .04), a retrain is near retrains
    assert lines["verdict"][RETRAIN] != "different"
    assert abs(lines["estimate"][RETRAIN]) < 0.03 and lines["decidable"][RETRAIN] < 0.1
    assert lines["n"].eq(len(scenario.requests)).all()


def test_exact_deletion_is_equal_and_one_retrain_is_enough(scenario):
    base = EASE().fit(scenario.task.train)
    rows = (Method("no-op", no_op, batch=200), Method("exact", exact, batch=200))
    streams = [stream(row, base, scenario, checkpoints=1) for row in rows]
    lines = assess(streams, References(scenario, EASE())).verdicts.set_index("method")
    assert abs(lines["estimate"]["exact"]) < 1e-9
    assert lines["verdict"].to_dict() == {"no-op": "different", "exact": "equivalent"}
