"""Controls do what their equations say."""

import numpy as np
import pytest
import torch

from workbench.errors import DataError
from workbench.recommend import BPR, BPRConfig, GRU4Rec, GRU4RecConfig, LightGCN, LightGCNConfig
from workbench.recommend.laws import small_log
from workbench.recommend.training import Training
from workbench.unlearning import Request, unlearn
from workbench.unlearning.algorithms import (
    AscentConfig,
    TuneConfig,
    ascent,
    fine_tune,
    half_way,
    no_op,
    noise_and_tune,
    resolve_user,
    scif,
    sign_flip,
)
from workbench.unlearning.algorithms._samples import about
from workbench.unlearning.outcome import weights

LOG = small_log(2, rows=60)
ONCE = Training(epochs=4, batch=32, learning_rate=0.02, seed=3)
MODELS = {
    "BPR": BPR(BPRConfig(embedding=4, l2=0.01, training=ONCE)),
    "LightGCN": LightGCN(LightGCNConfig(embedding=4, training=ONCE)),
    "GRU4Rec": GRU4Rec(GRU4RecConfig(embedding=4, hidden=5, training=ONCE)),
}
every = pytest.mark.parametrize("name", MODELS)


def asked(user=3, rows=3, number=0):
    ids = LOG.frame.loc[LOG.frame["user"] == user, "interaction"].to_numpy()
    return Request(number, ids[:rows])


def apart(one, two, scale=1.0):
    one, two = weights(one), weights(two)
    return {name: scale * (two[name] - one[name]) for name in one}


@every
def test_a_flip_is_the_same_step_the_other_way(name):
    base = MODELS[name].copy().fit(LOG)
    there, back = (unlearn(run, base, LOG, asked()).model for run in (scif, sign_flip))
    one, two = apart(base, there), apart(base, back, -1.0)
    assert any(value.any() for value in one.values())
    assert all(np.allclose(one[name], two[name], atol=1e-6) for name in one)


@every
def test_half_way_is_the_mean_of_base_and_retrain_after_every_request(name):
    base = MODELS[name].copy().fit(LOG)
    model, before = base, LOG
    for number, user in enumerate((3, 4, 5)):
        request = asked(user, number=number)
        found = unlearn(half_way, model, before, request)
        model, before = found.model, request.remaining(before)
        retrained = base.copy().fit(before)
        want = apart(base, retrained, 0.5)
        made = apart(base, model)
        assert all(np.allclose(made[name], want[name], atol=1e-6) for name in made)
    graph = getattr(model.module, "graph", None)
    assert graph is None or (graph.cells != retrained.module.graph.cells).nnz == 0


@every
def test_ascent_stops_where_first_weights_stand(name):
    base, request = MODELS[name].copy().fit(LOG), asked()
    base.tune(base.examples(LOG), 40)  # to know the rows by heart
    found = unlearn(ascent, base, LOG, request, AscentConfig(learning_rate=0.3, steps=400))
    examples = base.examples(LOG, [3])
    gone = torch.as_tensor(about(examples, request.interactions) > 0)
    old, new = (float(m.loss(examples)[gone].mean().detach()) for m in (base, found.model))
    assert new > old and found.notes["end"] == "bound"
    changed = {n: np.abs(d) > 0 for n, d in apart(base, found.model).items()}
    for name, index in base.rows([3], request.items(LOG)).items():
        changed[name][index] = False
    assert not any(odd.any() for odd in changed.values())
    short = unlearn(ascent, base, LOG, request, AscentConfig(learning_rate=1e-6, steps=2))
    assert short.notes["end"] == "limit" and short.notes["steps"] == 2


@every
def test_noise_is_counted_in_standard_deviations(name):
    base = MODELS[name].copy().fit(LOG)
    config = TuneConfig(noise=0.3, learning_rate=1e-12)
    found = apart(base, unlearn(noise_and_tune, base, LOG, asked(), config).model)
    large = {n: v for n, v in found.items() if v.size >= 60}
    shares = [v.std() / weights(base)[n].std() for n, v in large.items()]
    assert np.allclose(shares, 0.3, rtol=0.25)


@every
def test_fine_tuning_is_tuning(name):
    base, request = MODELS[name].copy().fit(LOG), asked()
    left = request.remaining(LOG)
    found = unlearn(fine_tune, base, LOG, request, TuneConfig(epochs=3)).model
    losses = [float(m.loss(m.examples(left)).mean().detach()) for m in (base, found)]
    assert losses[1] < losses[0]


def test_nothing_is_done():
    base = MODELS["LightGCN"].copy().fit(LOG)
    found = unlearn(no_op, base, LOG, asked())
    assert found.status == "no-op" and found.step == 0


@pytest.mark.parametrize("run", [fine_tune, noise_and_tune, resolve_user, ascent, sign_flip])
def test_a_request_of_nothing_is_refused(run):
    base = MODELS["BPR"].copy().fit(LOG)
    with pytest.raises(DataError):
        run(base, LOG, Request(0, np.zeros(0, np.int64)))
