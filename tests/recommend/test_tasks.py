"""Three tasks and the table that compares models on them."""

import numpy as np
import pandas as pd
import pytest
from logs import random_log

from workbench.data import Interactions
from workbench.errors import ConfigError, DataError
from workbench.recommend import EASE, ItemKNN, Popularity
from workbench.recommend.tasks import (
    basket_task,
    collaborative_task,
    compare,
    session_task,
    target_auc,
)
from workbench.worlds.shop import load_world

KINDS = {"collaborative": collaborative_task, "session": session_task, "next basket": basket_task}


@pytest.fixture(scope="module")
def log():
    return load_world().log


@pytest.fixture(scope="module")
def tasks(log):
    return {name: kind(log) for name, kind in KINDS.items()}


@pytest.fixture(scope="module", params=KINDS)
def task(request, tasks):
    return tasks[request.param]


def test_what_is_asked_was_not_learned_from(task, log):
    train, valid = (set(part.frame["interaction"]) for part in (task.train, task.valid))
    rows = log.frame.loc[~log.frame["interaction"].isin(train | valid), ["user", "item"]]
    assert train and valid and not train & valid
    assert len(task.histories) == task.targets.shape[0] == len(task.person)
    assert (np.diff(task.targets.indptr) > 0).all()
    b, items = task.targets.nonzero()
    assert set(zip(task.person[b], items, strict=True)) <= set(
        rows.itertuples(index=False, name=None)
    )
    if task.name == "session":  # whole sessions are asked about, none of which was learned from
        assert not set(task.histories.interaction) & (train | valid)
    else:
        assert set(task.histories.interaction) <= train | valid
    histories, targets = task.learned
    assert set(histories.interaction) <= train
    assert targets.shape == (len(histories), log.n_items)
    b, items = targets.nonzero()
    person = task.owner[
        pd.Index(task.train.frame["interaction"]).get_indexer(histories.interaction)
    ]
    whose = person[histories.offsets[:-1]]
    cells = zip(task.owner, task.train.frame["item"], strict=True)
    assert (np.diff(histories.offsets) > 0).all() and set(zip(whose[b], items, strict=True)) <= set(
        cells
    )


def test_a_session_question_asks_for_the_row_after_its_history(tasks, log):
    task = tasks["session"]
    sessions = log.by_session().histories()
    place = pd.Series(np.arange(len(sessions.item)), sessions.interaction)
    last = place[task.histories.interaction[task.histories.offsets[1:] - 1]].to_numpy()
    assert np.array_equal(sessions.rows[last], sessions.rows[last + 1])
    assert np.array_equal(sessions.item[last + 1], task.targets.indices)


def test_a_session_question_is_about_the_person_whose_session_it_is(tasks, log):
    task = tasks["session"]
    owner = log.frame.set_index("interaction")["user"]
    first = task.histories.interaction[task.histories.offsets[:-1]]
    assert (owner.loc[first].to_numpy() == task.person).all()


def test_collaborative_questions_have_no_repeats_and_baskets_do(tasks):
    repeats = {name: (task.targets * task.histories.matrix()).nnz for name, task in tasks.items()}
    assert repeats["collaborative"] == 0 < repeats["next basket"]


def test_the_table_agrees_with_its_values(task):
    found = compare({"popular": Popularity(), "neighbours": ItemKNN(), "linear": EASE()}, task)
    table = found.table.set_index("model")
    for name, values in found.values.groupby("model"):
        by_person = values.groupby("person")["value"].mean()
        assert table.loc[name, "ndcg"] == pytest.approx(by_person.mean())
    assert table.loc["linear", "vs"] == pytest.approx(
        table.loc["linear", "ndcg"] - table.loc["popular", "ndcg"]
    )
    assert table["low"].le(table["ndcg"]).all() and table["high"].ge(table["ndcg"]).all()
    assert table[["learned", "unseen", "repeats"]].stack().between(0, 1).all()
    assert table.loc["linear", "learned"] > table.loc["linear", "unseen"], (
        "a linear model fits what it saw better"
    )
    assert "linear" in repr(found) or "neighbours" in repr(found)
    assert found._repr_html_().count("<tr") == 4


def test_target_auc_is_the_share_of_pairs():
    log = random_log(3, users=8, items=9, n=30)
    model, histories = EASE().fit(log), log.histories()
    targets = random_log(4, users=8, items=9, n=12).matrix()
    found, scores, held = (
        target_auc(model, histories, targets),
        model.score(histories),
        log.matrix().toarray(),
    )
    wanted = targets.toarray()
    for b in range(8):
        pairs = [
            (scores[b, i] > scores[b, j]) + 0.5 * (scores[b, i] == scores[b, j])
            for i in range(9)
            for j in range(9)
            if wanted[b, i] and not wanted[b, j] and not held[b, j]
        ]
        assert found[b] == pytest.approx(np.mean(pairs)) if pairs else np.isnan(found[b])


def test_what_cannot_be_asked_is_refused(tasks):
    with pytest.raises(ConfigError, match="no model"):
        compare({}, tasks["session"])
    bare = Interactions.from_table(pd.DataFrame({"user": [1, 1], "item": [1, 2]}))
    with pytest.raises(DataError):
        session_task(bare)
    with pytest.raises(DataError):
        basket_task(bare)
