"""Causes: each held against services that are made anew with one thing switched."""

import numpy as np
import pytest

from tests.ledger.shoppers import topic_rows
from tests.reports.shops import shop
from workbench.ledger import Service, Switches, forget
from workbench.ledger.causes import AGAIN, OTHERS
from workbench.recommend import EASE, EASEConfig
from workbench.views import show

BOTH = f"{OTHERS} + {AGAIN}"
BACK = [(187, "Horror novels", AGAIN), (277, "Health", AGAIN), (239, "Health", BOTH)]
BACK += [(139, "Vitamins & supplements", BOTH), (343, "Kitchenware", OTHERS)]


def listed(told, fate):
    """Interests of the list with this fate: claim → cause."""
    fates = told.fates.set_index("claim")["fate"]
    causes = told.causes.set_index("claim")["cause"]
    claims = {claim.claim: claim for claim in (*told.before.claims, *told.after.claims)}
    kinds = {name: (one.kind, one.relation) for name, one in claims.items()}
    return {
        name: causes[name]
        for name in fates.index
        if fates[name] == fate and kinds[name] == ("interest", "list")
    }


def values(service, user):
    return {claim.claim: claim.value for claim in service.report(user).claims}


@pytest.mark.parametrize(("user", "topic", "cause"), BACK)
def test_what_deleted_products_hold_up_is_not_implied_by_other_rows(service, user, topic, cause):
    told = forget(service, user, topic_rows(service, user, topic), draws=0)
    back = listed(told, "back")
    assert cause in back.values()
    stands = values(told.services[1], user)
    kept_out = values(service.remove(told.interactions, Switches(tombstone=True)), user)
    for claim, found in back.items():
        if claim not in kept_out:
            wanted = AGAIN
        else:
            wanted = BOTH if kept_out[claim] < stands[claim] - 1e-9 else OTHERS
        assert found == wanted
    # with the tombstone nothing is held up so
    kept = forget(service, user, told.interactions, Switches(tombstone=True), draws=0)
    assert not kept.causes["cause"].str.contains(AGAIN).any()


NEW = [(251, "Courtroom", "new", AGAIN), (225, "Travel", "new", f"item_weights + {AGAIN}")]
NEW += [(134, "Hot drinks", "weakened", AGAIN), (128, "Courtroom", "weakened", f"log + {AGAIN}")]
NEW += [(310, "Horror novels", "gone", AGAIN)]


@pytest.mark.parametrize(("user", "topic", "fate", "cause"), NEW)
def test_what_deleted_products_push_in_or_out_is_not_the_doing_of_the_log(
    service, user, topic, fate, cause
):
    told = forget(service, user, topic_rows(service, user, topic), draws=0)
    table = told.fates.merge(told.causes, on="claim")
    assert cause in set(table.loc[table["fate"] == fate, "cause"])
    before, now = (values(one, user) for one in told.services)
    kept_out = values(service.remove(told.interactions, Switches(tombstone=True)), user)
    for row in table.itertuples():
        was, is_, would = (one.get(row.claim) for one in (before, now, kept_out))
        undone = 0.0
        if (is_ is None) != (would is None):
            undone = 1.0
        elif is_ is not None and is_ != would and np.isfinite(is_):
            undone = (is_ - would) / (is_ - (was or 0.0))
        if row.fate != "back":
            assert (AGAIN in row.cause) == (undone > 1e-9), row
            assert not (undone > 1 - 1e-9 and "log" in row.cause), row


def test_a_shop_that_masks_nothing_offers_nothing_anew():
    log, catalogue = shop(3, n_users=20, n_rows=300)
    named = []
    for mask in (True, False):
        service = Service.build(log, catalogue, EASE(EASEConfig(l2=5.0)), mask_seen=mask)
        for user in range(3):
            told = forget(service, user, log.rows_of(user)["interaction"].iloc[:6], draws=0)
            table = told.fates.merge(told.causes, on="claim").query("fate != 'back'")
            named.append((mask, table["cause"].str.contains(AGAIN).any()))
    assert any(found for mask, found in named if mask)
    assert not any(found for mask, found in named if not mask)


def test_the_cause_is_said_in_words_on_the_page(service):
    told = forget(service, 187, topic_rows(service, 187), draws=0)
    assert "came back</b> <small>(deleted products are offered again)" in show(told).static
