"""ALS: the user-vector tier."""

import numpy as np
import pytest
from hypothesis import given, settings
from logs import ITEMS, USERS, logs, random_log

from workbench.errors import UnknownUser
from workbench.recommend import ALS, ALSConfig, Recommender

SMALL = ALSConfig(factors=3, epochs=2, l2=0.5, alpha=2.0)


@settings(max_examples=30)
@given(logs)
def test_user_vectors_solve_equation_4(log):
    model = ALS(SMALL).fit(log)
    r, y = log.counts().toarray(), model.items
    for u in range(USERS):
        c = np.diag(1 + 2.0 * r[u])
        want = np.linalg.solve(y.T @ c @ y + 0.5 * np.eye(3), y.T @ c @ (r[u] > 0))
        assert np.allclose(model.users[u], want, atol=1e-9)


@settings(max_examples=30)
@given(logs)
def test_contributions_sum_to_the_folded_in_score(log):
    model, histories = ALS(SMALL).fit(log), log.histories()
    table = model.contributions(histories, np.tile(np.arange(ITEMS), (USERS, 1)))
    sums = np.zeros((USERS, ITEMS))
    np.add.at(sums, (table["row"], table["item"]), table["weight"])
    assert np.allclose(sums, model.fold_in(histories) @ model.items.T, atol=1e-9)


def objective(model: ALS, r: np.ndarray) -> float:
    error = (1 + model.config.alpha * r) * ((r > 0) - model.users @ model.items.T) ** 2
    return error.sum() + model.config.l2 * ((model.users**2).sum() + (model.items**2).sum())


def test_every_epoch_lowers_the_objective():
    log = random_log()
    r = log.counts().toarray()
    values = [objective(ALS(ALSConfig(factors=4, epochs=n)).fit(log), r) for n in (1, 2, 4, 8)]
    assert values == sorted(values, reverse=True)


def test_the_vector_remembers_what_the_history_has_forgotten():
    log = random_log()
    model = ALS(SMALL).fit(log)
    ids = log.rows_of(3)["interaction"].iloc[:8]
    before, after = log.histories([3]), log.histories([3]).without(ids)
    assert np.array_equal(model.score(after), model.score(before)), "the stored vector is looked up"
    model.forget_user_vector([3], after)
    assert not np.allclose(
        model.score(after), model.score(before) * 0 + ALS(SMALL).fit(log).score(before)
    )
    assert np.allclose(model.score(after), model.fold_in(after) @ model.items.T)
    others = np.delete(np.arange(60), 3)
    assert np.array_equal(
        model.score(log.histories(others)), ALS(SMALL).fit(log).score(log.histories(others))
    )


def test_nothing_is_kept_of_a_user_whose_rows_are_all_gone():
    log = random_log()
    model, ids = ALS(SMALL).fit(log), log.rows_of(3)["interaction"]
    model.forget_user_vector([3], log.without(ids).histories([3]))
    assert not model.users[3].any() and not model.known[3] and model.known[4]
    assert np.array_equal(model.known, ALS(SMALL).fit(log.without(ids)).known)


def test_fitting_again_equals_a_fresh_fit():
    log = random_log()
    model = ALS(SMALL).fit(log).fit(log.without([0, 1, 2]))
    assert np.array_equal(model.items, ALS(SMALL).fit(log.without([0, 1, 2])).items)


def test_unknown_users_are_folded_in():
    log = random_log()
    empty = log.select(log.frame["user"] != 5)
    model = ALS(SMALL).fit(empty)
    history = log.histories([5])
    assert np.allclose(model.score(history), model.fold_in(history) @ model.items.T)
    assert model.score(history).any()
    assert model.score(log.histories([])).shape == (0, 40)
    with pytest.raises(UnknownUser):
        model.forget_user_vector([60], log.histories([5]))


def test_copy_save_and_load(tmp_path):
    log = random_log()
    model = ALS(SMALL).fit(log)
    twin = model.copy()
    twin.forget_user_vector([0], log.histories([0]).without(range(40)))
    assert np.array_equal(model.users, ALS(SMALL).fit(log).users)
    twin.save(tmp_path / "als")
    assert np.array_equal(
        ALS.load(tmp_path / "als").score(log.histories()), twin.score(log.histories())
    )
    assert isinstance(model, Recommender)
