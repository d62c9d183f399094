"""Requests one after another: who is asked when, what fails, and going on from where it stopped."""

import numpy as np
import pytest

from workbench.data import load_world
from workbench.recommend import BPR, BPRConfig
from workbench.recommend.tasks import collaborative_task
from workbench.recommend.training import Training
from workbench.unlearning import Method, Request, Scenario, sensitive, stream
from workbench.unlearning.algorithms import Tombstone, buried, no_op, tombstone
from workbench.unlearning.outcome import weights
from workbench.unlearning.stream import checkpoints_of, ends_of, seed_of, serve


@pytest.fixture(scope="module")
def scenario():
    world = load_world()
    items = world.catalogue.items_of("Baby & pregnancy")
    return sensitive(collaborative_task(world.log), items, n=8)


@pytest.fixture(scope="module")
def base(scenario):
    return BPR(BPRConfig(embedding=8, training=Training(epochs=1))).fit(scenario.task.train)


def shake(model, before, request, config, seed):
    """Move every weight by a little noise of the seed's."""
    import torch

    draws = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in model.module.parameters():
            value.add_(0.01 * torch.randn(value.shape, generator=draws))
    return {"rows left": len(request.remaining(before)), "drawn": seed}


def broken(model, before, request, config, seed):
    if request.request == 2:
        raise ValueError("no such thing")
    return shake(model, before, request, config, seed)


def same(one, other):
    return all(np.array_equal(value, weights(other)[name]) for name, value in weights(one).items())


def test_each_request_finds_the_log_without_those_before_it(scenario, base):
    made = stream(Method("shake", shake), base, scenario)
    left = [len(scenario.train(done)) for done in range(1, 9)]
    assert made.outcomes["rows left"].tolist() == left
    assert made.outcomes["request"].tolist() == list(range(8))
    assert sorted(made.models) == [0, *checkpoints_of(8)]
    assert same(made.models[0], base)


def test_every_request_draws_its_own_noise_and_the_seed_is_written_down(scenario, base):
    one, two = (stream(Method("shake", shake), base, scenario, seed=seed) for seed in (1, 2))
    seeds = one.outcomes["seed"].tolist()
    assert one.outcomes["drawn"].tolist() == seeds
    assert len(set(seeds)) == 8 and seeds == [seed_of(1, k) for k in range(8)]
    assert set(seeds).isdisjoint(two.outcomes["seed"])
    again = stream(Method("shake", shake), base, scenario, seed=1)
    assert same(one.models[8], again.models[8]) and not same(one.models[8], two.models[8])


def test_one_request_at_a_time_is_the_same_as_a_stream(scenario, base):
    method = Method("shake", shake, batch=3)
    model = method.start(base, scenario)
    for k in range(len(ends_of(method, scenario))):
        model = serve(method, model, scenario, k, seed=5).model
    assert ends_of(method, scenario) == (3, 6, 8)
    assert same(model, stream(method, base, scenario, seed=5).models[8])


def test_between_two_batches_the_model_waits(scenario, base):
    """After 2 of 8 requests nothing has been served by who waits for 3."""
    made = stream(Method("shake", shake, batch=3), base, scenario)
    assert same(made.models[2], base)
    assert same(made.models[4], stream(Method("shake", shake, batch=3), base, scenario).models[4])
    assert not same(made.models[4], base) and not same(made.models[6], made.models[4])
    assert made.outcomes["rows"].sum() == sum(map(len, scenario.requests))


def test_a_request_that_fails_is_recorded_and_the_rest_is_served(scenario, base):
    made = stream(Method("broken", broken), base, scenario)
    assert made.outcomes["status"].tolist() == ["done"] * 2 + ["failed"] + ["done"] * 5
    assert "no such thing" in made.outcomes["error"][2]
    assert made.outcomes["error"][3] == ""
    assert "1 failed" in repr(made)


def test_rows_that_are_gone_or_nowhere_fail_and_validation_rows_are_no_work(scenario, base):
    first, valid = scenario.requests[0], scenario.task.valid.frame["interaction"].to_numpy()[:1]
    requests = (first, Request(1, first.interactions), Request(2, [10**9]), Request(3, valid))
    odd = Scenario("odd", scenario.task, requests, scenario.items)
    made = stream(Method("shake", shake), base, odd)
    assert made.outcomes["status"].tolist() == ["done", "failed", "failed", "no-op"]
    assert "forgotten once" in made.outcomes["error"][1]
    assert same(made.models[1], made.models[4])


def test_a_filter_hides_rows_of_validation_too(scenario, base):
    method, valid = Method("tombstone", tombstone, prepare=buried), scenario.task.valid
    # a request of both parts, and one of validation alone
    own, alone = scenario.requests[0], valid.frame.iloc[[0]]
    assert not np.isin(alone["interaction"], own.interactions).any()
    odd = Scenario("odd", scenario.task, (own, Request(1, alone["interaction"])), scenario.items)
    made = stream(method, base, odd)
    assert made.outcomes["status"].tolist() == ["done", "done"]
    rows = scenario.both.frame.set_index("interaction").loc[odd.forgotten(2)]
    codes = rows["user"].astype("int64") * scenario.both.n_items + rows["item"]
    assert set(made.models[2].hidden) == set(codes), "every row of both parts"
    assert codes.loc[alone["interaction"].iloc[0]] not in made.models[1].hidden
    # handed the training part alone, it cannot know
    late = Tombstone(base.copy())
    tombstone(late, scenario.train(0), own)
    known = len(np.unique(own.within(scenario.task.train)))
    assert len(late.hidden) == known


def test_what_a_method_starts_from_may_be_another_model(scenario, base):
    other = base.copy()
    method = Method("other", no_op, prepare=lambda model, log: other)
    assert stream(method, base, scenario).models[0] is other
