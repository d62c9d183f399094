"""On random logs, emptied shoppers and products included: cleaning everything equals never having
had the rows."""

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench.ledger.memory as memory
from tests.reports.shops import shop
from workbench.ledger import Service, Switches, canaries, forget
from workbench.ledger.memory import REMOVALS
from workbench.recommend import EASE, ItemKNN
from workbench.recommend.collaborative.ease import EASEConfig
from workbench.unlearning.exposure import off_refit
from workbench.views import show


@settings(max_examples=8)
@given(st.integers(0, 10_000), st.sampled_from([0.05, 0.3, 1.0]), st.booleans(), st.integers(1, 3))
def test_any_requests_in_any_order_equal_a_fresh_service(seed, share, whole_user, parts):
    log, catalogue = shop(seed, n_users=8, n_items=12, n_rows=70)
    rng = np.random.default_rng(seed)
    rows = log.rows_of(0) if whole_user else log.frame
    ids = rows["interaction"].sample(frac=share, random_state=seed).to_numpy(copy=True)
    for make in (lambda: EASE(EASEConfig(l2=3.0)), ItemKNN):
        now = Service.build(log, catalogue, make())
        for part in np.array_split(rng.permutation(ids), parts):
            now = now.remove(part, Switches())
        left = log.without(ids)
        fresh = Service.build(left, catalogue, make()) if len(left) else None
        assert sorted(now.log.frame["interaction"]) == sorted(left.frame["interaction"])
        if fresh is not None:
            assert (
                np.abs(now.model.score(log.histories()) - fresh.model.score(log.histories())).max()
                <= 1e-8
            )
            for user in range(3):
                old, new = ({c.claim: c.value for c in s.report(user).claims} for s in (now, fresh))
                stable = np.diff(np.sort(fresh.evidence(user).scores)).min() > 1e-7
                assert not stable or old.keys() == new.keys()


class Halfway(EASE):
    """A model that forgets half of what it is told to."""

    def forget(self, removed):
        return super().forget(removed.select(np.arange(len(removed)) % 2 == 0))


def test_a_deletion_that_is_off_a_refit_is_not_called_exact():
    log, catalogue = shop(3, n_users=30, n_rows=400)
    rows = log.rows_of(0)["interaction"].iloc[:2]
    exact = forget(Service.build(log, catalogue, EASE()), 0, rows, draws=0)
    assert exact.inexact == "" and "not exact" not in repr(exact) + show(exact).static
    service = Service.build(log, catalogue, Halfway())
    told = forget(service, 0, rows, draws=0)
    off = off_refit(service.model, log)
    assert told.inexact == f" (not exact: off by {off:.2g} of the largest score)"
    assert told.inexact in repr(told)
    for page in (show(told).static, told._repr_html_()):
        assert told.inexact in page
    # only where the weights are reached
    assert forget(service, 0, rows, Switches(item_weights=False), draws=0).inexact == ""


def test_exactness_is_looked_at_once_a_service(monkeypatch):
    log, catalogue = shop(3)
    service = Service.build(log, catalogue, EASE())
    fits, fit = [], EASE.fit
    monkeypatch.setattr(EASE, "fit", lambda self, log: fits.append(0) or fit(self, log))
    for user in range(3):
        repr(forget(service, user, log.rows_of(user)["interaction"].iloc[:2], draws=0))
    assert len(fits) == 2, "a sample, and what is left of it"


def test_a_service_keeps_few_refitted_models():
    log, catalogue = shop(3, n_users=20, n_rows=300)
    service = Service.build(log, catalogue, EASE())
    asked = [log.frame["interaction"].iloc[[row]] for row in range(REMOVALS + 4)]
    first, models = service.removal(asked[0]), []
    for ids in asked:
        canaries(service, service.remove(ids, Switches()), ids)
        models.append(weakref.ref(service.removal(ids).refitted))
        assert service.removal(asked[0]) is first, "what is asked for again and again stays"
    gc.collect()
    kept = [number for number, model in enumerate(models) if model() is not None]
    assert kept == [0, *range(len(asked) - REMOVALS + 1, len(asked))]


def test_the_service_handed_in_never_changes():
    log, catalogue = shop(3)
    service = Service.build(log, catalogue, EASE())
    before = (
        service.log.fingerprint,
        service.report(0).hash,
        service.model.score(log.histories()).copy(),
    )
    changed = (
        service.remove(log.rows_of(0)["interaction"], Switches(tombstone=True))
        .hide(1, "tea")
        .steer(2, "tools")
    )
    assert changed.report(1).hash != service.report(1).hash or changed.recommend(1).equals(
        service.recommend(1)
    )
    assert service.log.fingerprint == before[0]
    assert Service.build(log, catalogue, EASE()).report(0).hash == before[1]
    assert np.array_equal(service.model.score(log.histories()), before[2])
    assert not service.tombstones


def test_what_a_service_keeps_does_not_grow_with_the_shoppers_looked_at(monkeypatch):
    monkeypatch.setattr(memory, "KEPT", 12)
    log, catalogue = shop(3, n_users=20, n_rows=300)
    service = Service.build(log, catalogue, EASE())
    reports, sizes = [], []
    for user in range(20):
        told = forget(service, user, log.rows_of(user)["interaction"].iloc[:2], draws=2)
        reports.append(told.before.hash)
        assert len(told.null) > 1
        sizes.append(len(service._kept))
    assert max(sizes) <= 12 + 4, "some answers are about everybody"
    assert [service.report(user).hash for user in range(20)] == reports


@pytest.mark.parametrize("kept", [True, False])
def test_other_lists_by_the_low_rank_of_the_change_are_those_of_the_model(monkeypatch, kept):
    monkeypatch.setattr(memory, "SCORES", 1 << 27 if kept else 0)
    monkeypatch.setattr("workbench.recommend.ranking.BATCH", 100)
    log, catalogue = shop(4, n_users=40, n_rows=500)
    service = Service.build(log, catalogue, EASE())
    service = service.hide(5, catalogue.topics["topic"].iloc[0])
    for user in (0, 3, 17):
        removal = service.removal(log.rows_of(user)["interaction"].iloc[::2])
        on = service.reach(Switches())
        score = removal.score(on)
        after = removal.at(on)
        others = service.everyone.select(np.delete(np.arange(log.n_users), user))
        assert score(others) == pytest.approx(after.model.score(others), abs=1e-12)
        assert np.array_equal(after.served(others, score), after.served(others))
    assert (service.scores is not None) == kept
    assert removal.score(service.reach(Switches(item_weights=False))) is None
