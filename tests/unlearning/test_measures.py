"""What is measured, against loops over people and models whose scores are planted."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from workbench.data import load_world
from workbench.recommend import BPR, EASE, BPRConfig, Popularity
from workbench.recommend.tasks import basket_task, collaborative_task, session_task
from workbench.recommend.training import Training
from workbench.unlearning import Request, Scenario, measures, sensitive
from workbench.unlearning.measures import (
    TOP,
    _percentiles,
    asked_of,
    continued,
    exposed_never,
    primary,
)

TASKS = {"collaborative": collaborative_task, "session": session_task, "basket": basket_task}


class Planted:
    """Gives every history the same scores."""

    def __init__(self, scores):
        self.scores = np.asarray(scores, dtype=float)

    def score(self, histories):
        return np.tile(self.scores, (len(histories), 1))

    def copy(self):
        return Planted(self.scores.copy())


@pytest.fixture(scope="module")
def scenarios():
    world = load_world()
    items = world.catalogue.items_of("Baby & pregnancy")
    return {name: sensitive(make(world.log), items, at_least=2) for name, make in TASKS.items()}


@pytest.fixture(scope="module")
def ease(scenarios):
    return {name: EASE().fit(one.task.train) for name, one in scenarios.items()}


def of(table, measure):
    """Value by unit."""
    return table[table["measure"] == measure].set_index("unit")["value"]


def by_hand(line, held, items):
    """Mean share of other items not held that score below, ties half."""
    found = []
    for item in items:
        others = [line[o] for o in range(len(line)) if o not in held and o != item]
        if others:
            below = sum((o < line[item]) + 0.5 * (o == line[item]) for o in others)
            found.append(below / len(others))
    return np.mean(found) if found else np.nan


# --- percentiles ----------------------------------------------------------------------------------


@given(
    arrays(float, (3, 8), elements=st.sampled_from([-np.inf, 0.0, 0.5, 1.0, 2.0])),
    arrays(bool, (3, 8)),
    arrays(bool, (3, 8)),
)
def test_a_percentile_is_the_share_of_others_not_held_that_score_below(scores, held, asked):
    matrices = [sparse.csr_array(mask.astype(float)) for mask in (held, asked)]
    found = _percentiles(scores, matrices[0], [matrices[1], matrices[1]])
    for row in range(3):
        items = np.flatnonzero(asked[row])
        want = by_hand(scores[row], set(np.flatnonzero(held[row])), items)
        assert found[0][row] == pytest.approx(want, nan_ok=True)
    assert np.array_equal(found[0], found[1], equal_nan=True)


def test_a_history_without_scores_has_no_percentile():
    scores = np.array([[np.nan] * 4, [3.0, np.nan, 1.0, 2.0]])
    asked = sparse.csr_array(np.array([[1.0, 0, 0, 0], [0, 1.0, 0, 0]]))
    found = _percentiles(scores, sparse.csr_array((2, 4)), [asked])[0]
    # an item without a score comes last
    assert np.isnan(found[0]) and found[1] == 0


# --- the primary endpoint, by task ----------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
def test_deleted_is_what_loops_over_people_find(scenarios, ease, name):
    scenario, model = scenarios[name], ease[name]
    done = len(scenario.requests) // 4
    found = of(measures(model, scenario, done), "deleted")
    gone = set(scenario.forgotten(done).tolist())
    lost, kept = {}, {}
    for part in (scenario.task.train.frame, scenario.task.valid.frame):
        for user, item, row in part[["user", "item", "interaction"]].to_numpy().tolist():
            (lost if row in gone else kept).setdefault(user, set()).add(item)
    values, users = {}, sorted(lost.keys() & kept.keys())
    lines = model.score(scenario.known(done).histories(users))
    for user, line in zip(users, lines.tolist(), strict=True):
        value = by_hand(line, kept[user], sorted(lost[user] - kept[user]))
        values.setdefault(int(scenario.task.people[user]), []).append(value)
    want = {person: np.nanmean(values[person]) for person in values}
    assert set(found.index) == set(want)
    for person, value in want.items():
        assert found[person] == pytest.approx(value, abs=1e-6)


def test_sessions_that_are_continued_are_counted_and_their_unit_is_a_person(scenarios, ease):
    scenario = scenarios["session"]
    done = len(scenario.requests)
    asked = asked_of(scenario, done)
    assert continued(scenario, done) == len(asked.person) >= 200
    assert (np.diff(asked.histories.offsets) > 0).all()
    assert (np.diff(asked.deleted.indptr) > 0).any()
    table = measures(ease["session"], scenario, done)
    assert not table.duplicated(["measure", "unit"]).any()
    assert len(of(table, "deleted")) == len(np.unique(asked.person))
    # with the rows still in the history, an item model offers them more
    kept = of(table, "deleted, history kept").mean()
    assert kept > of(table, "deleted").mean()


def test_repeat_and_novel_divide_what_was_deleted(scenarios, ease):
    scenario = scenarios["basket"]
    done = len(scenario.requests)
    asked = asked_of(scenario, done)
    repeat, novel = (asked.wanted[f"deleted, {kind}"] for kind in ("repeat", "novel"))
    assert abs(repeat + novel - asked.deleted).nnz == 0
    assert repeat.nnz and novel.nnz and repeat.multiply(novel).nnz == 0
    both = np.concatenate(
        [
            scenario.task.train.frame[["user", "item", "basket"]],
            scenario.task.valid.frame[["user", "item", "basket"]],
        ]
    )
    for row, item in zip(*repeat.nonzero(), strict=True):
        user = asked.histories.user[row]
        baskets = {basket for u, i, basket in both if u == user and i == item}
        assert len(baskets) >= 2
    table = measures(ease["basket"], scenario, done)
    assert {"deleted, repeat", "deleted, novel"} <= set(table["measure"])


def test_a_model_that_reads_no_history_has_no_row_history_kept(scenarios, ease):
    scenario = scenarios["collaborative"]
    bpr = BPR(BPRConfig(training=Training(epochs=1))).fit(scenario.task.train)
    assert "deleted, history kept" not in set(measures(bpr, scenario, 5)["measure"])
    found = measures(ease["collaborative"], scenario, 5)
    assert "deleted, history kept" in set(found["measure"])


def test_spam_is_measured_in_the_lists_of_genuine_people(scenarios):
    """Here some people's rows are called spam."""
    sensitive_ = scenarios["collaborative"]
    requests = tuple(replace(one, reason="spam") for one in sensitive_.requests[:5])
    spam = Scenario("spam", sensitive_.task, requests, sensitive_.items)
    lifted = np.zeros(sensitive_.task.train.n_items)
    lifted[spam.items] = 1
    high = measures(Planted(lifted), spam, 5)
    low = measures(Planted(-lifted), spam, 5)
    assert primary(spam) == "promoted" and "deleted" not in set(high["measure"])
    assert of(high, "promoted").mean() > 0.9 and of(low, "promoted").mean() < 0.1
    fakes = set(sensitive_.task.people[spam.leavers(5)])
    assert fakes.isdisjoint(high["unit"])
    # nor before their request has been served
    assert fakes.isdisjoint(measures(Planted(lifted), spam, 2)["unit"])
    assert of(high, "exposed").mean() == 1 and of(low, "exposed").mean() == 0


# --- exposure and utility -------------------------------------------------------------------------


def test_lists_of_a_model_that_offers_the_topic_first_and_last(scenarios):
    scenario = scenarios["collaborative"]
    done = len(scenario.requests)
    first = np.arange(scenario.task.train.n_items, 0, -1) / 1e3
    first[scenario.items] += 10
    high, low = (measures(Planted(sign * first), scenario, done) for sign in (1, -1))
    assert of(high, "exposed").min() == of(high, "others exposed").min() == 1
    assert of(low, "exposed").max() == of(low, "share").max() == of(low, "again").max() == 0
    assert of(high, "share").max() == 1
    assert of(high, "again").mean() > 0.5
    # the mask takes deleted items away, and never adds one
    stone = of(high, "exposed, tombstone")
    assert (stone <= of(high, "exposed")).all()
    # whoever deleted all of the topic is not exposed behind a tombstone
    asked = asked_of(scenario, done)
    whole = np.diff(asked.deleted[:, scenario.items].indptr) == len(scenario.items)
    assert (stone[asked.person[whole]] == 0).all()


@pytest.mark.parametrize("name", TASKS)
def test_nobody_is_both_a_leaver_and_one_of_the_others(scenarios, name):
    scenario = scenarios[name]
    asked = asked_of(scenario, 10)
    assert set(asked.person).isdisjoint(asked.others_person)
    assert set(asked.person) == set(scenario.task.people[scenario.leavers(10)]) & set(asked.person)


def test_no_question_is_asked_with_what_was_deleted(scenarios):
    for scenario in scenarios.values():
        asked = asked_of(scenario, len(scenario.requests))
        gone = scenario.forgotten(len(scenario.requests))
        assert not np.isin(asked.questions.interaction, gone).any()
        assert not np.isin(asked.histories.interaction, gone).any()
    kept = asked_of(scenarios["collaborative"], 10).kept
    assert np.isin(kept.interaction, scenarios["collaborative"].forgotten(10)).any()


def test_utility_without_the_topic_leaves_its_targets_out(scenarios):
    """A model that finds the topic alone finds nothing else."""
    scenario = scenarios["collaborative"]
    lifted = np.arange(scenario.task.train.n_items) / 1e6
    lifted[scenario.items] += 1
    table = measures(Planted(lifted), scenario, len(scenario.requests))
    assert of(table, f"ndcg@{TOP}").mean() > 0
    others = of(table, f"ndcg@{TOP}, without topic")
    assert others.mean() < of(table, f"ndcg@{TOP}").mean()
    assert len(others) < len(of(table, f"ndcg@{TOP}"))


@pytest.mark.parametrize("kind", ["collaborative", "session"])
def test_never_had_is_shown_to_people_who_hold_none_of_it(scenarios, ease, kind):
    """In a session task too the *person* holds none, in no session of theirs."""
    scenario = scenarios[kind]
    done = min(3, len(scenario.requests))
    found = exposed_never(ease[kind], scenario, done)
    people, rows = scenario.task.people, scenario.known(0).frame
    holders = people[rows["user"][rows["item"].isin(scenario.items)]]
    assert len(found) and set(people[found["match"]]).isdisjoint(holders)
    assert set(found["match"]).isdisjoint(scenario.leavers(done))
    assert found["value"].isin((0, 1)).all()


def test_a_request_that_empties_a_person_leaves_a_table(scenarios):
    """Somebody who has nothing left is not asked."""
    task = scenarios["collaborative"].task
    frame = task.train.frame, task.valid.frame
    ids = np.concatenate([part.loc[part["user"].isin([0, 1]), "interaction"] for part in frame])
    scenario = Scenario("gone", task, (Request(0, ids),), scenarios["collaborative"].items)
    model = Popularity().fit(scenario.train(1))
    table = measures(model, scenario, 1)
    assert not len(of(table, "deleted")) and len(of(table, f"ndcg@{TOP}"))


def test_a_tombstone_and_a_question_hide_what_they_must(scenarios, ease):
    scenario, model = scenarios["collaborative"], ease["collaborative"]
    done = len(scenario.requests)
    asked, table = asked_of(scenario, done), measures(model, scenario, done)
    for name, histories, hidden, person in (
        ("exposed, tombstone", asked.histories, asked.deleted, asked.person),
        ("recall@10", asked.questions, None, asked.asker),
    ):
        found, scores = of(table, name), np.array(model.score(histories), float)
        held = histories.matrix().toarray() > 0
        scores[held if hidden is None else held | (hidden.toarray() > 0)] = -np.inf
        best = np.argsort(-scores, axis=1, kind="stable")[:, :10]
        for row in range(0, len(best), 7):
            if hidden is None:
                right = asked.targets[[row]].indices
                want = np.isin(right, best[row]).sum() / len(right)
            else:
                want = float(np.isin(best[row], scenario.items).any())
            assert found[person[row]] == pytest.approx(want)
