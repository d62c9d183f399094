"""Three tasks and the table that compares models on them."""

import numpy as np
import pandas as pd
import pytest
from logs import random_log
from scipy import sparse

from tests.recommend.logs import Counts
from workbench.data import Interactions
from workbench.errors import ConfigError, DataError, ModelError
from workbench.recommend import (
    EASE,
    ItemKNN,
    Popularity,
    check_recommender,
    compare,
    evaluate_targets,
    next_items,
)
from workbench.recommend.tasks import basket_task, collaborative_task, session_task, target_auc
from workbench.statistics import wilson
from workbench.worlds.shop import load_world

KINDS = {"collaborative": collaborative_task, "session": session_task, "next basket": basket_task}


class Constant(Counts):
    def score(self, histories):
        return np.zeros((len(histories), histories.n_items))


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
    assert (table["unanswered"] == 0).all() and not found.values["value"].isna().any()
    unseen = task.auc(found.models["linear"], task.histories, task.targets)
    assert table.loc["linear", "unseen"] == pytest.approx(np.nanmean(unseen))


def test_another_metric_on_the_same_lists(tasks):
    task, models = tasks["next basket"], {"popular": Popularity(), "linear": EASE()}
    found = compare(models, task, metrics="hit_rate")
    shares = found.values.groupby("model")["value"].mean()  # one question a person
    assert found.table.set_index("model")["hit_rate"].to_dict() == pytest.approx(shares.to_dict())
    assert set(found.values["value"]) == {0.0, 1.0} and "ndcg" not in found.table
    low, high = wilson(found.values.query("model == 'linear'")["value"].sum(), len(task.histories))
    row = found.table.set_index("model").loc["linear"]
    assert (row["low"], row["high"]) == pytest.approx((low, high))


def test_questions_without_a_list_are_counted_apart(tasks):
    class Half(Counts):
        """The same for everybody in every other session."""

        def score(self, histories):
            return super().score(histories) * (histories.user % 2)[:, None]

    task = tasks["session"]
    found = compare({"all": Counts(), "half": Half(), "none": Constant()}, task)
    table, odd = found.table.set_index("model"), task.histories.user % 2 == 1
    assert table["unanswered"].tolist() == [0, (~odd).sum(), len(odd)]
    every, half = (
        found.values.query(f"model == '{name}'")["value"].to_numpy() for name in ("all", "half")
    )
    assert np.isnan(half[~odd]).all() and np.array_equal(half[odd], every[odd])
    assert table.loc["none", ["ndcg", "vs", "repeats"]].isna().all() and "best" in repr(found)


def test_who_is_not_answered_by_every_seed_counts_nowhere(tasks):
    class Shy(Counts):
        """Each seed has nothing to say to one user."""

        seed = 0

        def score(self, histories):
            return super().score(histories) * (histories.user != self.seed)[:, None]

    task = tasks["next basket"]
    users = task.histories.user[:2].tolist()
    found = compare({"shy": Shy(), "all": Counts()}, task, seeds=users, against="all")
    row, plain = found.table.iloc[0], found.values.query("model == 'all'")
    assert row["unanswered"] == 1, "no mean of one and one that is cast, and no sum"
    both = ~plain["row"].isin([0, 1])
    assert row["ndcg"] == pytest.approx(plain.loc[both, "value"].mean())
    assert row["vs"] == pytest.approx(0) and row["vs low"] == pytest.approx(0)


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


def test_target_auc_leaves_out_what_the_person_had_elsewhere():
    log = random_log(3, users=8, items=9, n=20)
    model, histories = EASE().fit(log), log.histories()
    wanted = random_log(4, users=8, items=9, n=9).matrix().toarray() > 0
    had = random_log(5, users=8, items=9, n=20).matrix()
    found, scores = target_auc(model, histories, wanted_csr(wanted), had), model.score(histories)
    never = (had.toarray() == 0) & (log.matrix().toarray() == 0) & ~wanted
    for b in range(8):
        pairs = [
            (scores[b, i] > scores[b, j]) + 0.5 * (scores[b, i] == scores[b, j])
            for i in np.flatnonzero(wanted[b])
            for j in np.flatnonzero(never[b])
        ]
        assert found[b] == pytest.approx(np.mean(pairs)) if pairs else np.isnan(found[b])


def wanted_csr(wanted):
    return sparse.csr_array(wanted.astype(float))


def test_a_task_asks_against_what_the_person_never_had_in_any_session(tasks, log):
    task, model = tasks["session"], Popularity().fit(tasks["session"].train)
    some = task.histories.select(np.arange(0, len(task.histories), 400))
    items = task.targets.indices[np.arange(0, len(task.histories), 400)]
    found, scores = task.auc(model, some, items), model.score(some)
    for b, (user, target) in enumerate(zip(task.people[some.user], items, strict=True)):
        never = np.setdiff1d(np.arange(log.n_items), log.rows_of(user)["item"])
        wins = (scores[b, target] > scores[b, never]) + 0.5 * (
            scores[b, target] == scores[b, never]
        )
        assert found[b] == pytest.approx(wins.mean())


def test_a_learned_target_is_not_in_its_own_history(tasks):
    task = tasks["collaborative"]  # first meetings only: a row is a cell
    histories, targets = task.learned
    assert (targets * histories.matrix()).nnz == 0
    # all other rows of the person to learn from are there
    rows = task.train.frame["user"].value_counts()
    assert (np.diff(histories.offsets) == rows.loc[histories.user].to_numpy() - 1).all()

    task = tasks["session"]  # what follows is asked: the row after the last one that is read
    histories, targets = task.learned
    whole = task.train.histories()
    place = pd.Series(np.arange(len(whole.item)), whole.interaction)
    last = place[histories.interaction[histories.offsets[1:] - 1]].to_numpy()
    assert np.array_equal(whole.rows[last], whole.rows[last + 1])
    assert np.array_equal(whole.item[last + 1], targets.indices)

    task = tasks["next basket"]  # the last basket to learn from is asked, and none of it is read
    histories, targets = task.learned
    frame = task.train.frame
    newest = frame["basket"] == frame.groupby("user")["basket"].transform("last")
    assert not set(histories.interaction) & set(frame.loc[newest, "interaction"])
    cells = set(frame.loc[newest, ["user", "item"]].itertuples(index=False, name=None))
    b, items = targets.nonzero()
    assert set(zip(histories.user[b], items, strict=True)) == cells & {
        (user, item) for user in histories.user for item in range(task.train.n_items)
    }


# --- whose model it is ----------------------------------------------------------------------------


def test_comparing_leaves_the_models_as_they_are(tasks, log):
    task, mine, ease = tasks["session"], Counts().fit(log), EASE().fit(log)
    counts, scores = mine.counts.copy(), ease.score(log.histories([3]))
    found = compare({"mine": mine, "ease": ease, "fresh": Counts()}, task)
    assert np.array_equal(mine.counts, counts)
    assert np.array_equal(ease.score(log.histories([3])), scores)
    fitted = found.models["mine"]
    assert fitted is not mine and fitted.counts.sum() == len(task.train)
    # what it took part with: a model of the training rows, that takes no validation log
    assert found.table.set_index("model").loc["mine", "ndcg"] == pytest.approx(
        found.table.set_index("model").loc["fresh", "ndcg"]
    )
    assert check_recommender(Counts).ok


def test_a_fit_that_returns_nothing_is_said_by_the_check_and_by_the_comparison(tasks):
    class Silent(Counts):
        def fit(self, log):
            super().fit(log)

    assert check_recommender(Silent).broken == ["fit"]
    with pytest.raises(ModelError, match=r"Silent: fit returned nothing.*return self"):
        compare({"silent": Silent()}, tasks["session"])


def test_a_model_with_a_validation_log_gets_it(tasks):
    class Stops(Counts):
        def fit(self, log, valid=None):
            self.valid = valid
            return super().fit(log)

    found = compare({"stops": Stops()}, tasks["session"]).models["stops"]
    assert found.valid is tasks["session"].valid


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ({}, "models: no model.*compare"),
        ([Popularity()], "models: a list.*by name"),
        ({"a": Popularity}, r"models\['a'\]: the class Popularity.*Popularity\(\)"),
        ({"a": Popularity(), "b": 3}, r"models\['b'\]: int has no fit"),
        ({"a": type("Half", (), {"fit": lambda self, log: self})()}, "Half has no score"),
    ],
)
def test_what_is_no_model_is_refused_before_anything_is_fitted(tasks, models, said, monkeypatch):
    monkeypatch.setattr(Popularity, "fit", lambda *_, **__: pytest.fail("fitted"))
    with pytest.raises(ConfigError, match=said):
        compare(models, tasks["session"])


def test_what_cannot_be_asked_is_refused(tasks, log):
    with pytest.raises(ConfigError, match=r"task: a Interactions.*session_task"):
        compare({"a": Popularity()}, log)
    with pytest.raises(ConfigError, match=r"metric 'auc'.*recall, ndcg"):
        compare({"a": Popularity()}, tasks["session"], metrics="auc")
    for k in ((5, 10), 0, 2.0):
        with pytest.raises(ConfigError, match=r"k = .*a whole number from 1"):
            compare({"a": Popularity()}, tasks["session"], k=k)
    bare = Interactions.from_table(pd.DataFrame({"user": [1, 1], "item": [1, 2]}))
    with pytest.raises(DataError):
        session_task(bare)
    with pytest.raises(DataError):
        basket_task(bare)


def test_what_is_no_log_and_no_question_is_refused():
    log = random_log()
    for make in KINDS.values():
        with pytest.raises(ConfigError, match="DataFrame"):
            make(log.frame)
    with pytest.raises(ConfigError, match="least"):
        basket_task(log, least="4")
    histories, model = log.histories(), Popularity().fit(log)
    wanted = np.zeros(len(histories), dtype=int)
    with pytest.raises(DataError, match="had"):
        target_auc(model, histories, wanted, np.zeros((2, 2)))
    with pytest.raises(DataError, match="exclude"):
        evaluate_targets(model, histories, wanted, exclude=np.zeros((3, 3)))
    for longest in (0, -1):
        with pytest.raises(ConfigError, match="longest"):
            next_items(log, longest=longest)
    with pytest.raises(ConfigError, match="DataFrame"):
        next_items(log.frame)
    with pytest.raises(DataError, match="rows of targets"):
        EASE().fit(log).contributions(histories, [1, 2])
