"""A request names rows: by their ids, and by a digest of what they are."""

from dataclasses import replace

import numpy as np
import pytest

from tests.recommend.logs import Counts
from tests.reports.shops import shop
from workbench.data import Interactions
from workbench.errors import ConfigError, DataError, ModelError, UnknownItem, UnknownUser
from workbench.ledger import Service, Switches, canaries, forget
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
        refused = "in place of interaction ids|interactions: a (str|int) cannot be used"
        with pytest.raises((DataError, ConfigError), match=refused):
            ask()


@pytest.mark.parametrize("nobody", [True, 8, -1, "0", 0.0, np.array([True])])
def test_a_wish_is_one_known_shoppers(service, nobody):
    with pytest.raises(UnknownUser):
        service.steer(nobody, CATALOGUE.topics["topic"].iloc[0])
    service.report(1)  # kept, and no answer for True
    for ask in (service.recommend, service.report):
        with pytest.raises(UnknownUser):
            ask(nobody)


@pytest.mark.parametrize(
    "copied", [lambda self: self, lambda self: None], ids=["itself", "nothing"]
)
def test_a_copy_that_is_none_is_refused_before_the_fit(copied):
    mine = type("Mine", (Counts,), {"copy": copied})()
    with pytest.raises(ModelError, match=r"copy returned .*end copy with"):
        Service.build(LOG, CATALOGUE, mine)
    assert not hasattr(mine, "counts")


def test_two_services_of_one_model_share_nothing():
    mine = EASE()
    one, other = (Service.build(LOG, CATALOGUE, mine) for _ in range(2))
    before = other.model.score(LOG.histories())
    one.model.forget(LOG.only(IDS))
    assert np.array_equal(other.model.score(LOG.histories()), before) and not mine.bound


@pytest.mark.parametrize(
    "wrong",
    [
        {"log": LOG.frame},
        {"catalogue": CATALOGUE.frame},
        {"model": EASE},
        {"model": object()},
        {"unsaid": ["No such topic"]},
        {"unsaid": CATALOGUE.topics["topic"].iloc[0]},
    ],
    ids=lambda wrong: "-".join(wrong),
)
def test_what_is_no_service_is_refused_as_it_is_built(wrong):
    with pytest.raises((ConfigError, UnknownItem)):
        Service.build(**{"log": LOG, "catalogue": CATALOGUE, "model": EASE()} | wrong)


def test_wishes_of_a_wrong_kind_are_refused(service):
    topic = CATALOGUE.topics["topic"].iloc[0]
    for strength in (np.nan, "much", -np.inf):
        with pytest.raises(ConfigError, match="strength"):
            service.steer(0, topic, strength)
    for k in (0, -1, 1.5, None):
        with pytest.raises(ConfigError, match="k = "):
            service.recommend(0, k)
    for switches in ({"log": True}, ["log"]):
        with pytest.raises(ConfigError, match="Switches"):
            forget(service, 0, IDS, switches)
    with pytest.raises(UnknownItem, match="Nope"):
        forget(service, 0, IDS, topic="Nope")


def test_no_folder_is_called_clean_that_is_not_there(service, tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        canaries(service, service, IDS, tmp_path / "runs")
