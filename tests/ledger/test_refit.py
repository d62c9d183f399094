"""A model that cannot take rows out is refitted: its answers are those of one that never had them."""

import numpy as np
import pytest

from tests.reports.shops import shop
from workbench.ledger import Service, Switches, canaries, forget
from workbench.recommend import ALS, BPR, SASRec
from workbench.recommend.collaborative.als import ALSConfig
from workbench.recommend.collaborative.bpr import BPRConfig
from workbench.recommend.session.sasrec import SASRecConfig
from workbench.recommend.training import Training

TRAINING = Training(epochs=5, batch=32, learning_rate=0.05, seed=3)
MAKE = {
    "ALS": lambda: ALS(ALSConfig(factors=4, epochs=2)),
    "BPR": lambda: BPR(BPRConfig(embedding=8, training=TRAINING)),
    "SASRec": lambda: SASRec(SASRecConfig(hidden=8, inner=8, layers=1, heads=1, training=TRAINING)),
}


@pytest.fixture(scope="module", params=list(MAKE))
def case(request):
    """A service, two rows of its first shopper, and the service that was built without them."""
    log, catalogue = shop(1, n_users=20, n_items=50, n_rows=260)
    service = Service.build(log, catalogue, MAKE[request.param]())
    rows = log.rows_of(0)["interaction"].tolist()[:2]
    fresh = Service.build(log.without(rows), catalogue, MAKE[request.param]())
    return service, rows, fresh


def present(service):
    """Histories of all shoppers who have rows."""
    return service.everyone.select(np.flatnonzero(np.diff(service.everyone.offsets)))


def test_cleaned_item_weights_answer_as_a_model_fitted_without_the_rows(case):
    service, rows, fresh = case
    cleaned = service.remove(rows, Switches())
    asked = present(cleaned)
    assert np.array_equal(cleaned.model.score(asked), fresh.model.score(asked))
    assert cleaned.report(0).text == fresh.report(0).text
    # and it is said that others' lists moved
    told = forget(service, 0, rows, draws=0)
    asked = present(service)
    lists = [np.sort(one.served(asked)) for one in (service, fresh)]
    moved = (lists[0] != lists[1]).any(axis=1) & (asked.user != 0)
    assert told.others["changed"].iloc[0] == moved.sum() > 0


def test_the_canary_of_the_item_weights_is_clean_only_where_they_were_cleaned(case):
    service, rows, _ = case
    cleaned = canaries(service, service.remove(rows, Switches()), rows).set_index("tier")
    assert not cleaned["found"].any()
    left = canaries(service, service.remove(rows, Switches(item_weights=False)), rows)
    assert left.set_index("tier")["found"]["item_weights"] == 1


def test_the_model_handed_in_keeps_its_weights(case):
    service, rows, _ = case
    before = service.model.score(present(service)).copy()
    service.remove(rows, Switches())
    assert np.array_equal(service.model.score(present(service)), before)
