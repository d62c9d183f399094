"""A forecast asks no model, keeps to its rules, and is held against what came."""

import numpy as np
import pytest

from tests.ledger.ways import shop
from workbench.errors import DataError, UnknownUser
from workbench.ledger import Service, agreement, forecast, forget, scored
from workbench.recommend import EASE
from workbench.reports import EntityStore, recpilot
from workbench.reports.claims import dependence
from workbench.views import show

WORLD, USER, TOPIC = shop(), 72, "Baby & pregnancy"
LOG = WORLD.log.select((WORLD.log.frame["user"] < 90).to_numpy())
ROWS = LOG.rows_of(USER)
IDS = ROWS.loc[ROWS["item"].isin(WORLD.catalogue.items_of(TOPIC)), "interaction"].to_numpy()
STORES = (EntityStore, recpilot.Rubric, recpilot.Experience)


@pytest.fixture(scope="module")
def service():
    return Service.build(LOG, WORLD.catalogue, EASE(), stores=STORES)


@pytest.fixture(scope="module")
def said(service):
    return forecast(service, USER, IDS)


@pytest.fixture(scope="module")
def came(service):
    return forget(service, USER, IDS, draws=0).fates


def test_every_claim_has_a_fate_and_a_rule(service, said):
    table = said.to_frame()
    report = service.report(USER)
    assert table["claim"].tolist() == [claim.claim for claim in report.claims]
    assert set(table["fate"]) <= {"kept", "weakened", "back", "gone"} and table["rule"].all()
    rested = dependence(report.support, IDS).reindex(table["claim"]).to_numpy()
    assert np.allclose(table["dependence"], rested)


def test_nothing_asked_is_forecast_to_change_nothing(service):
    none = forecast(service, USER, []).table
    assert set(none["fate"]) == {"kept"} and not none["dependence"].any()


def test_all_asked_is_forecast_to_end_everything(service):
    """And does: a shopper without rows has no page."""
    ids = ROWS["interaction"]
    every = forecast(service, USER, ids)
    assert set(every.table["fate"]) == {"gone"}
    fates = forget(service, USER, ids, draws=0).fates
    line = scored({USER: every}, {USER: fates}).iloc[0]
    assert line["right"] == 1.0 and line["kept"] == 0.0
    assert line["went"] == line["found_gone"] == len(fates)


def test_notes_are_foretold_to_the_number(service, said):
    """What a store says of its topics follows from lineage: held against a store built anew."""
    left = EntityStore.build(LOG.without(IDS), WORLD.catalogue).lineage(USER)
    left = left[left["kind"] == "topic"]
    share = left.groupby("entity")["weight"].sum() / left["weight"].sum()
    table = said.table.set_index("claim")
    notes = [c for c in service.report(USER).claims if c.relation == "profile"]
    assert notes
    for claim in notes:
        still = share.get(claim.object, 0.0) >= 0.15
        assert (table.loc[claim.claim, "fate"] != "gone") == still


def test_it_asks_no_model(service, said):
    """The same where every later score would be another."""

    class Silent(EASE):
        def forget(self, removed):
            raise AssertionError("asked")

        def fit(self, log, valid=None):
            raise AssertionError("asked")

    built = Service(**{name: getattr(service, name) for name in service.__dataclass_fields__})
    model = Silent()
    vars(model).update(vars(service.model))
    object.__setattr__(built, "model", model)
    assert forecast(built, USER, IDS).table.equals(said.table)


def test_the_score_is_that_of_hand_counts(said, came):
    line = scored({USER: said}, {USER: came}).iloc[0]
    told = said.table.set_index("claim")["fate"]
    real = came[came["fate"] != "new"].set_index("claim")["fate"]
    right = sum(told[name] == fate for name, fate in real.items())
    assert line["right"] == pytest.approx(right / len(real))
    assert line["kept"] == pytest.approx((real == "kept").mean())
    table = agreement({USER: said}, {USER: came})
    assert table.to_numpy().sum() == len(real) == line["claims"]
    assert np.trace(table.to_numpy()) == right
    assert table["gone"].sum() == line["went"] and table.loc["gone", "gone"] == line["found_gone"]


def test_it_can_be_wrong(service):
    """A forecast for the rows of one half is not right for those of the other."""
    half = ROWS["interaction"].to_numpy()[: len(ROWS) // 2]
    fates = forget(service, USER, ROWS["interaction"], draws=0).fates
    assert scored({USER: forecast(service, USER, half)}, {USER: fates})["right"].iloc[0] < 1


def test_a_forecast_of_another_report_is_refused(service, said):
    other = forget(service, 12, LOG.rows_of(12)["interaction"].iloc[:2], draws=0).fates
    with pytest.raises(DataError, match="another report"):
        scored({USER: said}, {USER: other})
    with pytest.raises(UnknownUser):
        forecast(service, 100_000, [])


def test_it_is_shown(said):
    static = show(said).static
    assert "rested by half or more" in static and repr(said).startswith(f"Forecast(user {USER}")
