"""On random logs, emptied shoppers and products included: cleaning everything equals never having
had the rows."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reports.shops import shop
from workbench.ledger import Service, Switches
from workbench.recommend import EASE, ItemKNN
from workbench.recommend.collaborative.ease import EASEConfig


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
