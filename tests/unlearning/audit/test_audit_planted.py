"""Planted bugs: each is told from the method without a bug, by an endpoint or by a law."""

import numpy as np
import pytest
import torch

from workbench.errors import ConfigError
from workbench.recommend import EASE, LightGCN, LightGCNConfig
from workbench.recommend.training import Training
from workbench.unlearning import (
    Method,
    Request,
    check_algorithm,
    reseeded,
    retrains,
    stream,
    unlearn,
)
from workbench.unlearning.algorithms import no_op
from workbench.unlearning.audit import pair_distances, planted, truth
from workbench.unlearning.audit.planted import BUGS, convex_parts, losses
from workbench.unlearning.measures import measures


@pytest.fixture(scope="module")
def served(shop):
    """Of every bug, and of doing nothing, what became of one LightGCN; and three retrains."""
    training = Training(epochs=20, batch=2048, learning_rate=1e-2)
    model = LightGCN(LightGCNConfig(embedding=32, l2=0.01, training=training))
    base = reseeded(model, 1).fit(shop.scenario.task.train)
    asked = planted(batch=shop.done) | {"no-op": Method("no-op", no_op, batch=shop.done)}
    done = {name: stream(one, base, shop.scenario, checkpoints=1) for name, one in asked.items()}
    assert set(done["A"].outcomes["status"]) == {"done"}
    names = truth() | {"no-op": "no-op"}
    found = {names[name]: one.models[shop.done] for name, one in done.items()}
    return found, retrains(model, shop.scenario, shop.done, (11, 12, 13))


def mean(model, shop, measure):
    found = measures(model, shop.scenario, shop.done)
    return found.loc[found["measure"] == measure, "value"].mean()


@pytest.mark.parametrize("seed", range(5))
def test_letters_hide_each_bug_once(seed):
    assert sorted(truth(seed).values()) == sorted(BUGS) and list(truth(seed)) == list("ABCD")
    suspects = planted(seed)
    assert list(suspects) == list("ABCD")
    for name, one in suspects.items():
        assert one.name == name and one.algorithm.__name__ == "suspect"
        assert not set(repr(one).split()) & set(BUGS)


def test_seeds_draw_other_orders():
    assert len({tuple(truth(seed).values()) for seed in range(10)}) > 3


@pytest.mark.parametrize(
    ("bug", "laws"),
    [
        ("none", []),
        ("sign", ["sign", "refit", "one after another"]),
        ("dropped negatives", ["refit", "one after another"]),
        ("cached history", ["caches"]),
    ],
    ids=["none", "sign", "negatives", "cache"],
)
def test_each_bug_breaks_its_own_laws(bug, laws):
    letters = {what: name for name, what in truth().items()}
    assert check_algorithm(planted()[letters[bug]].algorithm).broken == laws


def test_the_wrong_sign_is_above_doing_nothing(served, shop):
    found, _ = served
    worse, nothing, right = (
        mean(found[name], shop, "deleted") for name in ("sign", "no-op", "none")
    )
    assert worse > nothing > right
    # and utility does not tell
    ndcg = [mean(found[name], shop, "ndcg@10") for name in ("sign", "none")]
    assert abs(ndcg[0] - ndcg[1]) < 0.013


def test_a_cache_has_the_right_weights_and_other_lists(served, shop):
    found, again = served
    asked = {name: [found[name]] for name in ("none", "cached history")}
    line = pair_distances(asked, again, shop.scenario, shop.done).each.iloc[0]
    assert line["weights"] == 0 and line["lists"] > 0 and not line["equal"]
    for measure in ("deleted", "again"):
        assert mean(found["cached history"], shop, measure) > mean(found["none"], shop, measure)


def test_dropped_negatives_look_as_good_as_the_right_one(served, shop):
    """By *deleted* it is told from doing nothing, and not from the method without a bug."""
    found, again = served
    aim = np.mean([mean(one, shop, "deleted") for one in again])
    apart = {name: abs(mean(one, shop, "deleted") - aim) for name, one in found.items()}
    assert apart["dropped negatives"] < apart["none"] + 0.03
    assert apart["dropped negatives"] < apart["no-op"] / 2


@pytest.mark.parametrize("batch", [5, 10])
def test_a_cache_stays_that_of_the_base_and_weights_never_see_it(shop, batch):
    """Several requests one after another: the vectors are those of the method without a bug."""
    training = Training(epochs=3, batch=2048, learning_rate=1e-2)
    base = LightGCN(LightGCNConfig(embedding=8, l2=0.01, training=training))
    base = base.fit(shop.scenario.task.train)
    letters = {what: name for name, what in truth().items()}
    one, two = (
        stream(planted(batch=batch)[letters[name]], base, shop.scenario).models[shop.done]
        for name in ("none", "cached history")
    )
    for mine, theirs in zip(one.module.parameters(), two.module.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert (two.module.graph.cells != base.module.graph.cells).nnz == 0
    assert (one.module.graph.cells != base.module.graph.cells).nnz > 0


def test_losses_without_negatives_are_a_closed_form(shop):
    model = shop.bases[0]
    pairs = model.examples(shop.scenario.task.train)
    p, q = (part.detach().numpy().astype(float) for part in model.module())
    margin = (p[pairs.user] * q[pairs.positive]).sum(axis=1)
    squares = [(part**2).sum(axis=1) for part in (p, q)]
    ridge = squares[0][pairs.user] + squares[1][pairs.positive] + squares[1][pairs.negative]
    want = np.logaddexp(0, -margin) + 0.01 / 2 * ridge
    with torch.no_grad():
        np.testing.assert_allclose(losses(model, pairs).numpy(), want, rtol=1e-4)
        (outputs, cost), *rest = convex_parts(model, pairs)
        np.testing.assert_allclose(outputs.numpy(), margin, rtol=1e-3, atol=1e-5)
        whole = float(cost(outputs).sum()) + sum(float(one(x).sum()) for x, one in rest)
    assert whole == pytest.approx(want.sum(), rel=1e-4)


def test_a_model_without_pairs_is_refused_and_left_as_it_was(visits, shop):
    letters = {what: name for name, what in truth().items()}
    suspect = planted()[letters["dropped negatives"]].algorithm
    log = visits.scenario.task.train
    request = Request(0, log.frame["interaction"].to_numpy()[:2])
    found = unlearn(suspect, visits.bases[0], log, request)
    assert found.status == "failed" and "trained on pairs" in found.notes["error"]
    with pytest.raises(ConfigError, match="pairs"):
        suspect(EASE(), log, request)
    # nothing of the bug stays behind
    model = shop.bases[0].copy()
    log = shop.scenario.task.train
    suspect(model, log, shop.scenario.requests[0])
    assert "loss" not in vars(model) and "convex_parts" not in vars(model)
