"""Tiers: one more store is one more place everywhere, and a place that is not there is refused."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from tests.reports.shops import shop
from workbench.data import load_world
from workbench.data.histories import unique_ids
from workbench.errors import ConfigError, DataError, ModelError
from workbench.ledger import Service, Switches, canaries, forget, ladder, rungs
from workbench.recommend import ALS, BPR, EASE, SASRec
from workbench.recommend.collaborative.als import ALSConfig
from workbench.recommend.collaborative.bpr import BPRConfig
from workbench.recommend.session.sasrec import SASRecConfig
from workbench.recommend.training import Training
from workbench.reports import EntityStore, Store
from workbench.reports.writer import write
from workbench.views import Screen, show
from workbench.views.page import computing
from workbench.views.screen.state import state

NOTES = ["kind", "entity", "interaction", "weight"]


@dataclass(frozen=True)
class LastLook:
    """An archive of the last product that each shopper looked at."""

    name: ClassVar[str] = "archive"
    label: ClassVar[str] = "the archive of last looks"
    help: ClassVar[str] = "Strike the row from the archive of last looks."
    causes: ClassVar[tuple[str, str]] = ("the last look was struck", "the archive still shows it")

    rows: pd.DataFrame
    topics: pd.DataFrame

    @classmethod
    def build(cls, log, catalogue):
        return cls(log.frame[["user", "item", "interaction", "position"]], catalogue.topics)

    def forget(self, interactions, users=None):
        ids = unique_ids(interactions)
        return replace(self, rows=self.rows[~self.rows["interaction"].isin(ids)])

    def knows(self, user, interactions):
        ids = unique_ids(interactions)
        return ids[np.isin(ids, self.rows.loc[self.rows["user"] == user, "interaction"])]

    def lineage(self, user):
        own = self.rows[self.rows["user"] == user]
        last = own[own["position"] == own["position"].max()].merge(self.topics, on="item")
        return last.rename(columns={"topic": "entity"}).assign(kind="topic", weight=1.0)[NOTES]


STORES = (EntityStore, LastLook)


@pytest.fixture(scope="module")
def service():
    log, catalogue = shop(3)
    return Service.build(log, catalogue, EASE(), stores=STORES)


@pytest.fixture(scope="module")
def last(service):
    """The last row of the shopper."""
    return service.log.rows_of(0)["interaction"].tolist()[-1:]


def test_a_store_is_a_place_of_the_service(service):
    assert isinstance(service.stores["archive"], Store)
    names = [tier.name for tier in service.tiers]
    assert names == ["log", "profile", "archive", "user_vector", "item_weights", "tombstone"]
    assert "Of the archive of last looks on you, 100% says" in service.report(0).margin
    assert service.report(0).dropped.empty


def test_switches_reach_it(service, last):
    kept = service.remove(last, Switches(archive=False))
    struck = service.remove(last, Switches(archive=True))
    assert len(kept.stores["archive"].knows(0, last)) == 1
    assert not len(struck.stores["archive"].knows(0, last))
    assert kept.stores["profile"] is not service.stores["profile"]
    # what is not named is cleaned; what was not asked for stays the same object
    assert not len(service.remove(last, Switches()).stores["archive"].knows(0, last))
    only = service.remove(last, Switches.only(["archive"]))
    assert only.stores["profile"] is service.stores["profile"]
    assert only.log is service.log


def test_the_ladder_has_a_rung_for_it(service, last):
    assert list(rungs(service.tiers)) == [
        "nothing",
        "log",
        "log, profile",
        "log, profile, archive",
        "log, profile, archive, vector",
        "everything",
        "everything, tombstone",
        "weights only",
    ]
    stairs = ladder(service, 0, last).set_index("taken away from")
    assert list(stairs.index) == list(rungs(service.tiers))
    assert stairs.loc["log, profile, archive", "back"] < stairs.loc["log, profile", "back"]


def test_a_canary_looks_into_it(service, last):
    raw = canaries(service, service.remove(last, Switches.only(["log"])), last)
    assert list(raw["tier"])[:3] == ["log", "profile", "archive"]
    assert raw.set_index("tier")["found"]["archive"] == 1
    clean = canaries(service, service.remove(last, Switches()), last).set_index("tier")
    assert not clean["found"].any()


def test_it_is_named_as_a_cause_and_drawn_on_the_screen(service, last):
    kept = forget(service, 0, last, Switches(archive=False), draws=0)
    said = [c for c in kept.before.claims if (c.kind, c.relation) == ("interest", "archive")]
    causes = kept.causes.set_index("claim")["cause"]
    fates = kept.fates.set_index("claim")["fate"]
    assert {fates[claim.claim] for claim in said} == {"back"}
    assert {causes[claim.claim] for claim in said} == {"archive"}
    screen = state(kept)
    drawn = {one["name"]: one for one in screen["switches"]}["archive"]
    assert drawn == {
        "name": "archive",
        "label": LastLook.label,
        "on": False,
        "enabled": True,
        "help": LastLook.help,
    }
    assert screen["causes"]["archive"] == list(LastLook.causes)
    page = show(kept).static
    assert LastLook.causes[1] in page
    assert f"☐\u00a0{LastLook.label}" in page


def test_places_that_are_not_there_are_refused(service, last):
    with pytest.raises(ConfigError, match=r"'brain'.*log, profile, archive, user_vector"):
        service.remove(last, Switches(brain=True))
    with pytest.raises(ConfigError, match="'brain'"):
        forget(service, 0, last, Switches.only(["brain"]))
    with pytest.raises(ValidationError):
        Switches(log="perhaps")
    log, catalogue = service.log, service.catalogue
    with pytest.raises(ConfigError, match="'profile'"):
        Service.build(log, catalogue, EASE(), stores=(EntityStore, EntityStore))
    for name in ("log", "tombstone", "two words"):
        taken = type("Taken", (LastLook,), {"name": name})
        with pytest.raises(ConfigError, match=name):
            Service.build(log, catalogue, EASE(), stores=(taken,))


def test_rows_that_only_a_store_remembers_can_still_be_forgotten(service, last):
    left = service.remove(last, Switches(archive=False, profile=False))
    assert not np.isin(last, left.log.frame["interaction"]).any()
    for store in left.remove(last, Switches()).stores.values():
        assert not len(store.knows(0, last))
    gone = service.remove(last, Switches())
    with pytest.raises(DataError, match="no place remembers"):
        gone.remove(last, Switches())


def test_a_file_refuses_places_and_rules_that_it_does_not_know(service, tmp_path):
    with pytest.raises(ModelError, match="archive"):
        computing(Screen(service, 0), tmp_path / "archive.html")
    again = Service.build(service.log, service.catalogue, EASE(), mask_seen=False)
    with pytest.raises(ModelError, match="seen products"):
        computing(Screen(again, 0), tmp_path / "again.html")


def test_a_service_for_baskets_offers_what_was_bought(service):
    log, catalogue = service.log, service.catalogue
    again = Service.build(log, catalogue, EASE(), mask_seen=False)
    seen = set(log.rows_of(0)["item"])
    assert not seen & set(service.recommend(0, k=15)["item"])
    assert len(again.recommend(0, k=15)) == log.n_items
    assert again.report(0).dropped.empty
    rows = log.rows_of(0)["interaction"].iloc[:2]
    assert not canaries(again, again.remove(rows, Switches()), rows)["found"].any()
    told = forget(again, 0, rows, Switches(tombstone=True))
    assert not told.lists.query("list == 'after'")["deleted"].any()


def test_topics_left_unsaid_by_a_service(service):
    quiet = Service.build(service.log, service.catalogue, EASE(), unsaid=["tea"])
    assert "tea" not in quiet.report(0).text
    assert quiet.evidence(0) is quiet.evidence(0)


def test_the_evidence_of_a_stale_vector_reads_the_log_it_was_computed_from(last):
    log, catalogue = shop(3)
    als = Service.build(log, catalogue, ALS(ALSConfig(factors=4, epochs=2)))
    raw = als.remove(last, Switches.only(["log"]))
    assert raw.evidence(0).stale is log
    assert set(last) <= set(raw.evidence(0).history.interaction.tolist())
    assert not set(last) & set(raw.log.frame["interaction"])


def test_a_trained_network_goes_round_too():
    log, catalogue = shop(1)
    training = Training(epochs=1, batch=64)
    network = SASRec(SASRecConfig(hidden=8, inner=8, layers=1, heads=1, training=training))
    service = Service.build(log, catalogue, network, stores=STORES)
    rows = log.rows_of(0)["interaction"].iloc[:2]
    told = forget(service, 0, rows, draws=0)
    assert told.after.dropped.empty
    assert "by deletion" in told.before.margin.lower()
    assert told.before.hash == write(service.evidence(0)).hash
    assert all(one["smallest"] for one in state(told)["sentences"])


@pytest.mark.parametrize("kind", [EASE, BPR])
def test_nobody_is_told_that_a_model_keeps_nothing_of_them(kind):
    """BPR has a vector for each shopper among its weights, and none to compute anew."""
    world = load_world()
    few = world.log.select(world.log.frame["user"] < 6)
    model = kind() if kind is EASE else kind(BPRConfig(training=Training(epochs=1)))
    (told,) = (
        tier for tier in Service.build(few, world.catalogue, model).tiers if not tier.enabled
    )
    assert told.name == "user_vector"
    assert told.help.startswith("No user vector apart from the weights: ")
    assert bool(getattr(model, "per_user", None)) == (kind is BPR)
