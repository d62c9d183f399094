"""Three tasks and the table that compares models on them."""

import numpy as np
import pandas as pd
import pytest
from logs import random_log

from workbench.data import Interactions
from workbench.data.world import load_world
from workbench.errors import ConfigError, DataError
from workbench.recommend import EASE, ItemKNN, Popularity
from workbench.recommend.tasks import basket_task, collaborative_task, compare, session_task, target_auc

LOG = load_world().log
TASKS = {"collaborative": collaborative_task(LOG), "session": session_task(LOG), "next basket": basket_task(LOG)}
every = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS.keys())


@every
def test_what_is_asked_was_not_learned_from(task):
    rows = [set(part.frame["interaction"]) for part in (task.train, task.valid)]
    asked = set(LOG.frame["interaction"]) - rows[0] - rows[1]
    assert not rows[0] & rows[1]
    assert len(task.histories) == task.targets.shape[0] == len(task.person)
    assert (np.diff(task.targets.indptr) > 0).all()
    histories, targets = task.learned
    assert set(histories.interaction) <= rows[0]
    assert len(asked) and targets.shape == (len(histories), LOG.n_items)


def test_a_session_question_is_about_the_person_whose_session_it_is():
    task = TASKS["session"]
    owner = LOG.frame.set_index("interaction")["user"]
    first = task.histories.interaction[task.histories.offsets[:-1]]
    assert (owner.loc[first].to_numpy() == task.person).all()


def test_collaborative_questions_have_no_repeats_and_baskets_do():
    held = TASKS["collaborative"].histories.matrix()
    assert (TASKS["collaborative"].targets * held).nnz == 0
    assert (TASKS["next basket"].targets * TASKS["next basket"].histories.matrix()).nnz > 0


@every
def test_the_table_agrees_with_its_values(task):
    found = compare({"popular": Popularity(), "neighbours": ItemKNN(), "linear": EASE()}, task)
    table = found.table.set_index("model")
    for name, values in found.values.groupby("model"):
        by_person = values.groupby("person")["value"].mean()
        assert table.loc[name, "ndcg"] == pytest.approx(by_person.mean())
    assert table.loc["linear", "vs"] == pytest.approx(table.loc["linear", "ndcg"] - table.loc["popular", "ndcg"])
    assert table["low"].le(table["ndcg"]).all() and table["high"].ge(table["ndcg"]).all()
    assert table[["learned", "unseen", "repeats"]].stack().between(0, 1).all()
    assert table.loc["linear", "learned"] > table.loc["linear", "unseen"], "a linear model fits what it saw better"
    assert "linear" in repr(found) or "neighbours" in repr(found)
    assert found._repr_html_().count("<tr") == 4


def test_target_auc_is_the_share_of_pairs():
    log = random_log(3, users=8, items=9, n=30)
    model, histories = EASE().fit(log), log.histories()
    targets = random_log(4, users=8, items=9, n=12).matrix()
    found, scores, held = target_auc(model, histories, targets), model.score(histories), log.matrix().toarray()
    wanted = targets.toarray()
    for b in range(8):
        pairs = [
            (scores[b, i] > scores[b, j]) + 0.5 * (scores[b, i] == scores[b, j])
            for i in range(9)
            for j in range(9)
            if wanted[b, i] and not wanted[b, j] and not held[b, j]
        ]
        assert found[b] == pytest.approx(np.mean(pairs)) if pairs else np.isnan(found[b])


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(ConfigError, match="no model"):
        compare({}, TASKS["session"])
    bare = Interactions.from_table(pd.DataFrame({"user": [1, 1], "item": [1, 2]}))
    with pytest.raises(DataError):
        session_task(bare)
    with pytest.raises(DataError):
        basket_task(bare)
