"""Membership: the likelihood ratio against SciPy's normals and its closed form; shadows."""

import numpy as np
import pytest
from scipy.stats import norm

from tests.unlearning.worlds import small_log
from workbench.data import load_world
from workbench.errors import ConfigError, DataError
from workbench.recommend import BPR, BPRConfig
from workbench.recommend.tasks import collaborative_task, session_task
from workbench.recommend.training import Training
from workbench.unlearning import reseeded, retrains, sensitive
from workbench.unlearning.audit import membership_inference, shadow_models
from workbench.unlearning.audit._asked import deleted_cells
from workbench.unlearning.audit.membership import caught, likelihood_ratio
from workbench.unlearning.audit.population import pooled_auc


def gaussian(shift, rows=400, shadows=64, seed=0):
    """Rows of very different places; a member stands `shift` above a stranger, seeds 1."""
    rng = np.random.default_rng(seed)
    place = rng.normal(0, 20, rows)
    inside = np.stack([rng.permutation(np.arange(shadows) % 2 == 0) for _ in range(rows)], axis=1)
    seen = place + shift * inside + rng.normal(size=(shadows, rows))
    members, strangers = (place + s + rng.normal(size=(8, rows)) for s in (shift, 0))
    return members, strangers, seen, inside


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.5])
def test_membership_of_gaussian_scores_has_its_closed_form(shift):
    members, strangers, seen, inside = gaussian(shift, shadows=400)
    told = [likelihood_ratio(one, seen, inside) for one in (members, strangers)]
    assert pooled_auc(*told).mean() == pytest.approx(norm.cdf(shift / 2**0.5), abs=0.03)
    want = norm.sf(norm.isf(0.01) - shift)
    assert caught(*told).mean() == pytest.approx(want, abs=0.05)
    # one threshold for all rows sees next to nothing of it
    assert abs(pooled_auc(members, strangers).mean() - 0.5) < 0.05


def test_the_likelihood_ratio_is_that_of_two_normals():
    members, _, seen, inside = gaussian(1.0, rows=5, shadows=32)
    found = likelihood_ratio(members, seen, inside)
    for row in range(5):
        one, two = seen[inside[:, row], row], seen[~inside[:, row], row]
        spread = ((one.var() * len(one) + two.var() * len(two)) / 30) ** 0.5
        want = norm.logpdf(members[:, row], one.mean(), spread)
        want -= norm.logpdf(members[:, row], two.mean(), spread)
        np.testing.assert_allclose(found[:, row], want)


@pytest.fixture(scope="module")
def small():
    """Twenty of sixty people ask; 2 bases, 6 retrains and 2 held out, as in `shop`, of a log that 32
    shadows are quickly trained on."""
    task = collaborative_task(small_log(people=60, items=60))
    scenario = sensitive(task, np.array([6, 9, 12, 15]), n=20, at_least=2)
    training = Training(epochs=40, batch=512, learning_rate=0.02)
    model = BPR(BPRConfig(embedding=16, l2=0.01, training=training))
    bases = [reseeded(model, seed).fit(task.train) for seed in (1, 2)]
    held = retrains(model, scenario, 20, (31, 32))
    models = {"no-op": bases, "held out": held}
    again = retrains(model, scenario, 20, range(11, 17))
    return model, scenario, models, again, shadow_models(model, scenario, 20)


def test_shadows_leave_each_request_out_sixteen_times(small):
    _, scenario, models, again, (fitted, saw) = small
    assert len(scenario.requests) == 20 and saw.shape == (32, 20) and len(fitted) == 32
    assert ((~saw).sum(axis=0) == 16).all() and (saw.sum(axis=0) == 16).all()
    # no two requests are left out by the same shadows, and seeds differ
    assert len({tuple(one) for one in saw.T}) > 15
    assert len({one.config.training.seed for one in fitted}) == 32
    found = membership_inference(models, again, scenario, 20, shadows=(fitted, saw))
    assert found.line("no-op", "membership: AUC")["fires"]
    assert found.line("no-op", "membership: TPR at 1% FPR")["fires"]
    assert not found.table.loc[found.table["row"] != "no-op", "fires"].any()


def test_a_shadow_is_fitted_without_what_it_did_not_see(small):
    model, scenario, *_, (fitted, saw) = small
    log = scenario.task.train
    gone = [scenario.requests[k].interactions for k in np.flatnonzero(~saw[5])]
    want = reseeded(model, 105).fit(log.without(np.intersect1d(np.concatenate(gone), ids_of(log))))
    histories = log.histories()
    np.testing.assert_array_equal(fitted[5].score(histories), want.score(histories))


def ids_of(log):
    return log.frame["interaction"].to_numpy()


@pytest.mark.parametrize("n", [16, 33])
def test_too_few_shadows_are_refused(small, n):
    with pytest.raises(ConfigError, match="leave a request out"):
        shadow_models(small[0], small[1], 20, n=n)


class Reader:
    """Noise, and more for some items; it has no answer to an empty visit."""

    def __init__(self, seed, items=()):
        self.seed, self.items = seed, np.asarray(items, int)

    def score(self, histories):
        if (np.diff(histories.offsets) == 0).any():
            raise DataError("nothing to read", "histories", "a visit of one item")
        noise = np.random.default_rng(self.seed).normal(size=(len(histories), histories.n_items))
        noise[:, self.items] += 3
        return noise


def test_visits_that_a_request_emptied_are_left_out():
    world = load_world()
    topic = world.catalogue.items_of("Baby & pregnancy")
    scenario = sensitive(session_task(world.log), topic, n=20)
    histories, asked, people = deleted_cells(scenario, 20)
    empty = np.repeat(np.diff(histories.offsets) == 0, np.diff(asked.indptr))
    assert 0 < empty.sum() < len(empty)
    # shadows that saw the requests like the topic, as bases do
    saw = np.stack([np.ones(20, bool)] * 16 + [np.zeros(20, bool)] * 16)
    shadows = [Reader(100 + k, topic if saw[k].any() else ()) for k in range(32)]
    models = {"no-op": [Reader(1, topic), Reader(2, topic)], "held out": [Reader(3), Reader(4)]}
    again = [Reader(seed) for seed in range(11, 17)]
    found = membership_inference(models, again, scenario, 20, shadows=(shadows, saw))
    numbers = found.table[["estimate", "low", "high", "null_low", "null_high"]]
    assert np.isfinite(numbers.to_numpy(float)).all()
    assert found.line("no-op", "membership: AUC")["estimate"] > 0.9
    assert not found.line("held out", "membership: AUC")["fires"]
    assert set(found.each["person"]) == set(people[~empty])
