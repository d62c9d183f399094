"""Attacks on spam: nobody of the ring is left, so genuine people's lists are asked."""

from functools import cache

import numpy as np
import pytest

from tests.unlearning.audit.test_audit_membership import Reader
from tests.unlearning.worlds import small_log, small_task
from workbench.recommend import BPR, GRU4Rec, Training
from workbench.unlearning import flood, reseeded, retrains, spam
from workbench.unlearning.audit import (
    alignment,
    alignment_forecast,
    membership,
    membership_inference,
    shadow_models,
)
from workbench.unlearning.audit._asked import about, asked_cells, cells, requests_of
from workbench.unlearning.audit.divergence import output_divergence
from workbench.unlearning.scenarios import sensitive

ONCE = Training(epochs=2, batch=512, learning_rate=0.01)


@cache
def ring(kind="collaborative"):
    """Accounts that each are a request of their own."""
    return spam(small_log(), kind, share=0.2, n_targets=3).scenario(1, small_task(kind))


@pytest.fixture
def filled(monkeypatch):
    """Whoever asks about a history that is empty is told."""

    def seen(model, histories, asked):
        assert (np.diff(histories.offsets) > 0).all(), "rows of nobody were asked"
        return cells(model, histories, asked)

    for part in (alignment, membership):
        monkeypatch.setattr(part, "cells", seen)


@pytest.mark.parametrize("kind", ["collaborative", "session", "basket"])
def test_membership_asks_whether_the_ring_was_there(kind, filled):
    scenario = ring(kind)
    done, items = len(scenario.requests), scenario.items
    saw = np.repeat(np.arange(32) % 2 == 0, done).reshape(32, done)
    shadows = [Reader(100 + k, items if saw[k, 0] else ()) for k in range(32)]
    models = {"no-op": [Reader(1, items), Reader(2, items)], "held out": [Reader(3), Reader(4)]}
    again = [Reader(seed) for seed in range(11, 17)]
    found = membership_inference(models, again, scenario, done, shadows=(shadows, saw))
    assert found.line("no-op", "membership: AUC")["estimate"] > 0.8
    assert found.line("no-op", "membership: AUC")["fires"]
    assert not found.line("held out", "membership: AUC")["fires"]
    # it is genuine people who are asked
    fakes = scenario.leaving_people(done)
    assert len(found.each) and not np.isin(found.each["person"], fakes).any()


def test_shadows_of_a_ring_saw_all_of_it_or_nothing():
    scenario = ring()
    fitted, saw = shadow_models(BPR(BPR.Config(embedding=4, training=ONCE)), scenario, 3)
    assert saw.shape == (32, 3) and (saw == saw[:, :1]).all() and saw[:, 0].sum() == 16
    found = membership_inference(
        {"no-op": fitted[:2]}, fitted[2:8], scenario, 3, shadows=(fitted, saw)
    )
    assert np.isfinite(found.table["estimate"]).all()


def test_an_item_that_no_served_request_promoted_is_not_asked():
    scenario = ring()
    named = scenario.requests[0].items(scenario.both)
    own, items = about(scenario, 1), asked_cells(scenario, 1)[1].indices
    assert own.shape == (1, len(items))
    assert set(items[own[0]]) == set(scenario.items) & set(named)
    known = sensitive(small_task(), np.array([3, 8, 9]), n=5, at_least=1)
    assert (about(known, 5).argmax(axis=0) == requests_of(known, 5)).all()
    assert (about(known, 5).sum(axis=0) == 1).all()


def test_alignment_forecasts_how_far_the_promoted_items_stay(filled):
    scenario = ring()
    done, model = len(scenario.requests), BPR(BPR.Config(embedding=4, training=ONCE))
    bases = [reseeded(model, 1).fit(scenario.task.train)]
    again = retrains(model, scenario, done, (11, 12, 13))
    found = alignment_forecast({"no-op": bases}, again, scenario, done, bases=bases)
    each = found.each[found.each["row"] == "no-op"].set_index("request")
    histories, asked, _ = asked_cells(scenario, done)
    gap = cells(bases[0], histories, asked) - np.mean(
        [cells(one, histories, asked) for one in again], axis=0
    )
    for one in scenario.requests:
        promoted = np.isin(asked.indices, one.items(scenario.both))
        assert promoted.any()
        assert each["distance"][one.request] == pytest.approx(abs(gap[promoted].mean()))
    assert each["distance"].nunique() > 1


@pytest.mark.parametrize("what", ["ring", "flood"])
def test_outputs_of_a_ring_that_is_gone_are_not_compared(what):
    scenario = ring("session") if what == "ring" else flood(small_log(), "session", 1).scenario()
    done = len(scenario.requests)
    model = GRU4Rec(GRU4Rec.Config(embedding=4, hidden=4, training=ONCE))
    fitted = [reseeded(model, seed).fit(scenario.task.train) for seed in (1, 2, 3, 4)]
    found = output_divergence({"no-op": fitted[:1]}, fitted[1:], scenario, done)
    groups = {check.split(", ")[1] for check in found.table["check"]}
    assert groups == ({"others"} if what == "ring" else {"leavers", "others"})
    assert np.isfinite(found.table["estimate"]).all()
