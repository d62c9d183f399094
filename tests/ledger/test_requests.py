"""A request names rows: by their ids, and by a digest of what they are."""

from dataclasses import replace

import numpy as np
import pytest

from tests.reports.shops import shop
from workbench.data import Interactions
from workbench.errors import ConfigError, DataError, ModelError, UnknownUser
from workbench.ledger import Service, Switches, forget
from workbench.recommend import EASE

LOG, CATALOGUE = shop(1, n_users=8, n_items=12, n_rows=70)
IDS = LOG.rows_of(0)["interaction"].to_numpy()[:2]


@pytest.fixture(scope="module")
def service():
    return Service.build(LOG, CATALOGUE, EASE())


def test_the_digest_of_a_request_is_kept_with_its_ids(service):
    digest = service.removal(IDS).digest
    assert digest == LOG.only(IDS).fingerprint == service.removal(IDS, digest).digest
    # on another log the same ids are other rows
    frame = LOG.frame.assign(item=(LOG.frame["item"] + 1) % LOG.n_items).astype(LOG.frame.dtypes)
    changed = Service.build(LOG.of_rows(frame), CATALOGUE, EASE())
    with pytest.raises(DataError, match="other rows than when the request was made"):
        changed.removal(IDS, digest)
    assert len(changed.removal(IDS).taken) == 1


def test_a_model_of_another_log_serves_nobody(service):
    turned = Interactions(LOG.frame, LOG.users, LOG.items[::-1])
    other = replace(service, log=turned, weights_log=turned)
    with pytest.raises(ModelError, match="other indexes"):
        other.recommend(0)
    with pytest.raises(ModelError, match="other indexes"):
        other.remove(IDS, Switches()).recommend(0)


WRONG = [LOG.frame["user"] == 0, [True, False], [float(IDS[0])], ["0"], "0", int(IDS[0])]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: type(wrong).__name__)
def test_what_is_no_id_is_refused(service, wrong):
    for ask in (lambda: service.remove(wrong, Switches()), lambda: forget(service, 0, wrong)):
        with pytest.raises((DataError, ConfigError), match="in place of interaction ids"):
            ask()


@pytest.mark.parametrize("nobody", [True, 8, -1, "0", 0.0, np.array([True])])
def test_a_wish_is_one_known_shoppers(service, nobody):
    with pytest.raises(UnknownUser):
        service.steer(nobody, CATALOGUE.topics["topic"].iloc[0])
    service.report(1)  # kept, and no answer for True
    for ask in (service.recommend, service.report):
        with pytest.raises(UnknownUser):
            ask(nobody)
