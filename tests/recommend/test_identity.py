"""Whose data it is: a model answers for the log it was fitted on, and takes a row out once."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file

from tests.recommend.test_laws import OTHERS, SUMS, TINY
from workbench import recommend
from workbench.data import Interactions, keep_core, split
from workbench.errors import ConfigError, DataError, ModelError, UnknownItem, UnknownUser
from workbench.recommend import (
    ALS,
    BPR,
    EASE,
    TIFUKNN,
    ItemKNN,
    ItemKNNConfig,
    Markov,
    Popularity,
    TopFreq,
    evaluate,
    evaluate_targets,
)
from workbench.recommend.laws import small_log
from workbench.unlearning import boomerang, leavers

LOG = small_log(rows=80)
COUNTED = SUMS | OTHERS
READ_USERS = {"als", "tifuknn", "tifuknn, own", "upcf", "upcf, own", "BPR", "LightGCN", "SGL"}
OTHER_ITEMS = replace(LOG, items=LOG.items[::-1])  # as many, and every code names another
OTHER_USERS = replace(LOG, users=LOG.users[::-1])
SAME = small_log(rows=80)  # read again
# somebody's second row on an item, and every row of that person on it
FRAME = LOG.frame
AGAIN = FRAME[FRAME.duplicated(["user", "item"])].iloc[0]
CELL = FRAME.query("user == @AGAIN['user'] and item == @AGAIN['item']")["interaction"]


def make(name):
    """A model as the laws take it: an instance, a class, or what makes one."""
    if name in TINY:
        pytest.importorskip("torch")
        kind, training = getattr(recommend, name), recommend.Training(epochs=1, batch=64)
        return kind(kind.Config(**TINY[name], training=training))
    given = COUNTED[name]
    return type(given)(given.config) if hasattr(given, "fit") and not callable(given) else given()


def fitted(name, log=LOG):
    return make(name).fit(log)


def reloaded(model, folder):
    model.save(folder)
    return type(model).load(folder)


every = pytest.mark.parametrize("name", [*COUNTED, *TINY])
forgets = pytest.mark.parametrize("name", [name for name in COUNTED if name != "als"])


@every
def test_histories_of_another_log_are_refused(name, tmp_path):
    model, users = fitted(name), np.unique(FRAME["user"])
    want = model.score(LOG.histories(users))
    for one in (model, model.copy(), reloaded(model, tmp_path / "model")):
        assert one.bound == LOG.index_fingerprint and "unbound" not in repr(one)
        with pytest.raises(ModelError, match="other indexes"):
            one.score(OTHER_ITEMS.histories(users))
        assert np.array_equal(one.score(SAME.histories(users)), want)
    # who reads a history alone can be asked by anybody; a stored vector is one person's
    if name in READ_USERS:
        with pytest.raises(ModelError, match="other indexes"):
            model.score(OTHER_USERS.histories(users))
    else:
        assert np.array_equal(model.score(OTHER_USERS.histories(users)), want)


@every
def test_an_old_folder_is_unbound_and_says_so(name, tmp_path):
    model, users = fitted(name), np.unique(FRAME["user"])
    model.save(tmp_path / "old")
    facts = json.loads((tmp_path / "old" / "model.json").read_text())
    assert facts.pop("indexes") == LOG.index_fingerprint
    (tmp_path / "old" / "model.json").write_text(json.dumps(facts))
    old = type(model).load(tmp_path / "old")
    said = f"{repr(model)[:-1]}, unbound)".replace("(, ", "(")
    assert old.bound is None and repr(old) == said
    want = model.score(LOG.histories(users))
    assert np.array_equal(old.score(LOG.histories(users)), want)
    assert reloaded(old, tmp_path / "again").bound is None


@pytest.mark.parametrize("kind", [EASE, ItemKNN, Popularity])
def test_a_folder_without_ids_scores_and_forgets_nothing(kind, tmp_path):
    model = kind().fit(LOG)
    model.save(tmp_path / "old")
    arrays = load_file(tmp_path / "old" / "arrays.safetensors")
    assert sorted(arrays.pop("cells.ids").tolist()) == sorted(FRAME["interaction"])
    save_file(arrays, tmp_path / "old" / "arrays.safetensors")
    old = reloaded(kind.load(tmp_path / "old"), tmp_path / "again")
    assert np.array_equal(old.score(LOG.histories()), model.score(LOG.histories()))
    with pytest.raises(DataError, match="must be fitted anew"):
        old.forget(LOG.only(CELL))
    save_file(arrays | {"cells.ids": np.arange(3)}, tmp_path / "old" / "arrays.safetensors")
    with pytest.raises(ModelError, match=r"cells\.ids do not fit"):
        kind.load(tmp_path / "old")


@forgets
def test_a_row_is_forgotten_once(name):
    """Also where its user has a second row on the item."""
    model = fitted(name).forget(LOG.only([AGAIN["interaction"]]))
    want = fitted(name, LOG.without([AGAIN["interaction"]])).score(LOG.histories())
    gone = rf"interaction {AGAIN['interaction']} \(user code {AGAIN['user']}, item code"
    for ids in ([AGAIN["interaction"]], CELL, FRAME["interaction"]):
        with pytest.raises(DataError, match=gone):
            model.forget(LOG.only(ids))
        assert np.allclose(model.score(LOG.histories()), want, rtol=0, atol=1e-9)
    model.forget(LOG.without([AGAIN["interaction"]]))


@forgets
def test_rows_that_only_look_like_held_ones_are_refused(name):
    model = fitted(name)
    before = model.score(LOG.histories())
    ids = FRAME["interaction"].to_numpy()
    changed = {
        "an id that nobody gave": FRAME.assign(interaction=ids + 10_000),
        "another item": FRAME.assign(item=(FRAME["item"] + 1) % LOG.n_items),
        "another user": FRAME.assign(user=(FRAME["user"] + 1) % (LOG.n_users - 1)),
        "one row twice": FRAME.iloc[[0, 0]],
    }
    for frame in changed.values():
        with pytest.raises(DataError, match="is not among the rows that the model holds"):
            model.forget(LOG.of_rows(frame.astype(FRAME.dtypes)))
    for other in (OTHER_ITEMS, OTHER_USERS):
        with pytest.raises(ModelError, match="other indexes"):
            model.forget(other.only(ids[:1]))
    assert np.array_equal(model.score(LOG.histories()), before)


@pytest.mark.parametrize("reindex", [True, False])
@pytest.mark.parametrize("kind", [EASE, ItemKNN, Popularity, Markov])
def test_a_filtered_log_and_its_whole_are_two(kind, reindex):
    rows = [("ann", "x")] + [(user, item) for user in ("bob", "cy", "dee") for item in "abc"]
    log = Interactions.from_table(pd.DataFrame(rows, columns=["user", "item"]))
    kept = keep_core(log, 2, 2, reindex=reindex).log
    cy = log.rows_of(log.user_code("cy"))["interaction"]
    model = kind().fit(kept)
    if reindex:  # codes of the whole name other people in it
        with pytest.raises(ModelError, match=r"for a model of|other indexes"):
            model.forget(log.only(cy))
    left = kept.without(cy)
    assert np.allclose(
        model.forget(kept.only(cy)).score(kept.histories()),
        kind().fit(left).score(kept.histories()),
    )
    with pytest.raises((DataError, ModelError)):
        model.forget(log.only([0]))  # ann's row was filtered out


@pytest.mark.parametrize("kind", [EASE, ItemKNN, Popularity])
def test_whatever_ranks_a_model_refuses_one_of_another_log(kind):
    model = kind().fit(LOG)
    with pytest.raises(ModelError, match="other indexes"):
        evaluate(model, split(OTHER_ITEMS, "leave_one_out"))
    with pytest.raises(ModelError, match="other indexes"):
        boomerang(model, OTHER_ITEMS, [0, 1], at_least=1)
    with pytest.raises(ModelError, match="other indexes"):
        leavers(model, OTHER_ITEMS, [0])


def test_a_stored_vector_is_computed_from_its_own_history():
    model = ALS().fit(LOG)
    for users, error in (([0], DataError), ([LOG.n_users], UnknownUser), ([True], ConfigError)):
        with pytest.raises(error):
            model.forget_user_vector(users, LOG.histories([1]))
    with pytest.raises(ModelError, match="other indexes"):
        model.forget_user_vector([0], OTHER_ITEMS.histories([0]))
    assert np.array_equal(model.score(LOG.histories()), ALS().fit(LOG).score(LOG.histories()))


# --- arguments of a wrong kind --------------------------------------------------------------------


@every
def test_what_is_no_log_and_no_history_is_refused(name):
    model = fitted(name)
    with pytest.raises(ConfigError, match=r"pass log\.histories"):
        model.score(LOG)
    for wrong in (LOG.frame, [1, 2]):
        with pytest.raises(ConfigError, match="Interactions"):
            make(name).fit(wrong)
    if hasattr(model, "forget"):
        with pytest.raises(ConfigError, match=r"log\.only\(ids\)"):
            model.forget([1, 2])


@pytest.mark.parametrize("kind", [EASE, ALS, ItemKNN, Popularity, TopFreq, TIFUKNN])
def test_settings_have_a_kind_of_their_own(kind):
    wrong = ItemKNNConfig() if kind is not ItemKNN else kind.Config().model_dump()
    with pytest.raises(ConfigError, match=rf"{kind.__name__}.nothing: 10 .*its settings"):
        kind(nothing=10)
    for config in ({"l2": 10}, wrong):
        with pytest.raises(ConfigError, match=rf"{kind.__name__}Config"):
            kind(config)


def test_settings_of_trained_models_too():
    pytest.importorskip("torch")
    with pytest.raises(ConfigError, match=r"BPR.nothing: 4 .*its settings: .*embedding"):
        BPR(nothing=4)


KINDS = [[True, False], np.array([True] * 3), [0.0], np.array([1.0]), ["0"], "Crime", 3, None, [-1]]


@pytest.mark.parametrize("wrong", KINDS, ids=repr)
def test_codes_are_never_cast(wrong):
    model = EASE().fit(LOG)
    refused = pytest.raises((ConfigError, UnknownItem, UnknownUser))
    with refused:
        boomerang(model, LOG, wrong)
    with refused:
        leavers(model, LOG, wrong)
    with refused:
        evaluate_targets(model, LOG.histories([0]), wrong)
    if wrong is not None:  # everybody
        with refused:
            boomerang(model, LOG, [0, 1], users=wrong)
        with refused:
            LOG.histories(wrong)
        if list(np.atleast_1d(wrong)) != [-1]:  # there it says that nothing is asked
            with refused:
                model.contributions(LOG.histories([0]), wrong)


def test_targets_may_stand_in_rows():
    model, history = EASE().fit(LOG), LOG.histories([0])
    want = model.contributions(history, np.array([[3, 1]]))
    assert model.contributions(history, [[3, 1]]).equals(want)
    assert model.contributions(history, [3, 1]).equals(want)
    for wrong in ([[3.0, 1.0]], [["3"]], np.array([[True]]), [[99]]):
        with pytest.raises((ConfigError, UnknownItem)):
            model.contributions(history, wrong)


def test_ids_of_items_are_no_codes():
    books = pd.Series(["0-306-40615-2", "0-306-40616-0"], name="isbn")
    with pytest.raises(ConfigError, match="in place of codes"):
        boomerang(EASE().fit(LOG), LOG, books)
    with pytest.raises(UnknownItem, match=f"code 99.*from 0 to {LOG.n_items - 1}"):
        boomerang(EASE().fit(LOG), LOG, [0, 99])


def test_a_file_of_brackets_is_no_model(tmp_path):
    EASE().fit(LOG).save(tmp_path / "model")
    (tmp_path / "model" / "model.json").write_text("[" * 100_000)
    with pytest.raises(ModelError, match="cannot be read"):
        EASE.load(tmp_path / "model")
