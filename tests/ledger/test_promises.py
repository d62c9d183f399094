"""Every planted fault turns the one cell that looks for it; what nobody looks at is not measured."""

from dataclasses import replace

import pandas as pd
import pytest

from tests.ledger.ways import shop
from workbench.errors import ConfigError
from workbench.ledger import (
    FAULTS,
    Case,
    Service,
    Switches,
    course,
    forget,
    plant,
    promises,
    receipt,
)
from workbench.recommend import EASE
from workbench.reports import recpilot
from workbench.views import show

WORLD, USER, TOPIC = shop(), 72, "Baby & pregnancy"
LOG = WORLD.log.select((WORLD.log.frame["user"] < 90).to_numpy())
ROWS = LOG.rows_of(USER)
IDS = ROWS.loc[ROWS["item"].isin(WORLD.catalogue.items_of(TOPIC)), "interaction"].to_numpy()
STORES = (recpilot.Rubric, recpilot.Experience, recpilot.Archive)
REACH = {"all": Switches(tombstone=True)}
"""Old weights would offer deleted products again: with a tombstone no list does."""
TURNS = {
    "the archive was not told": ("archive", "privacy"),
    "the rubric was not told": ("rubric", "privacy"),
    "the weights were not cleaned": ("item_weights", "privacy"),
    "an invented product": ("page", "accountability"),
    "a sentence without a claim": ("page", "transparency"),
    "a leaked topic": ("page", "ethics"),
    "a changed digit": ("receipt", "accountability"),
    "a receipt that glosses over": ("receipt", "transparency"),
}


def case_of(stores=STORES):
    service = Service.build(LOG, WORLD.catalogue, EASE(), stores=stores, agent=recpilot.agent)
    # the page that was read before is in the archive
    first = course({"shop": service}, USER, {"all": IDS}, REACH, draws=2).steps["shop"][0]
    return Case.of(first, receipt(first, folders=()), {TOPIC})


@pytest.fixture(scope="module")
def case():
    return case_of()


@pytest.fixture(scope="module")
def sound(case):
    return promises(case)


def test_the_grid_names_what_was_looked_at_and_what_was_not(sound):
    cells = sound.cells.set_index(["place", "dimension"])["state"]
    assert len(cells) == 6 * cells.index.get_level_values("place").nunique()
    for turned in TURNS.values():
        assert cells[turned] == "holds", turned
    # holes are holes, and more than ticks
    assert cells["log", "ethics"] == "not measured"
    assert sound.counts["not measured"] > sound.counts["holds"] > 10
    assert set(TURNS) == set(FAULTS)
    assert (sound.to_frame() == "·").to_numpy().sum() == sound.counts["not measured"]


@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_planted_fault_turns_exactly_one_cell(case, sound, fault):
    found = promises(plant(case, fault))
    assert sound.flipped(found) == [TURNS[fault]] == found.flipped(sound)
    turned = found.cells.set_index(["place", "dimension"]).loc[TURNS[fault]]
    assert turned["state"] == "broken" and turned["said"]
    # the case itself stays as it is
    assert not promises(case).flipped(sound)


def test_a_store_that_hears_only_the_first_request_is_not_robust(sound):
    class Deaf(recpilot.Experience):
        def forget(self, interactions, users=None):
            if vars(self).get("heard"):
                return self
            left = super().forget(interactions, users)
            object.__setattr__(left, "heard", True)
            return left

    deaf = promises(case_of((recpilot.Rubric, Deaf, recpilot.Archive)))
    assert sound.flipped(deaf) == [("experience", "robustness")]


def test_a_request_that_moves_more_lists_than_any_control_is_not_fair(case, sound):
    told = replace(case.told)
    many = pd.DataFrame([{"others": 89, "changed": 89, "share": 1.0, "max_churn": 1.0}])
    vars(told)["others"] = many
    assert sound.flipped(promises(replace(case, told=told))) == [("item_weights", "fairness")]


def test_a_page_of_another_seed_is_another_page(case, sound):
    other = case.after.report(USER, 7)
    assert sound.flipped(promises(replace(case, page=other))) == [("page", "robustness")]


@pytest.mark.parametrize(
    ("text", "tells"),
    [
        ("perhaps baby & pregnancy?", True),
        ("A pregnancy pillow costs less.", True),
        ("You bought a nappy pack.", True),
        ("Expecting, said 12 notes.", True),
        ("What was unexpectedly cheap.", False),
        ("A pillow, rated 4.1.", False),
    ],
)
def test_what_would_say_a_topic_is_looked_for_as_well(case, sound, text, tells):
    page = replace(case.page, text=f"{case.page.text}\n\n{text}")
    found = promises(replace(case, page=page, sensitive=case.sensitive | {"no topic of this shop"}))
    assert sound.flipped(found) == [("page", "ethics")] * tells


def test_what_was_not_handed_in_is_not_measured(case, sound):
    bare = promises(replace(case, receipt=None, key=None, sensitive=frozenset()))
    assert "receipt" not in set(bare.cells["place"])
    assert ("page", "ethics") in sound.flipped(bare)
    with pytest.raises(ConfigError, match="no fault 'rain'"):
        plant(case, "rain")


def test_a_request_that_reaches_nothing_is_seen_at_every_place(case):
    reach = dict.fromkeys(("log", "rubric", "experience", "archive", "item_weights"), False)
    told = forget(case.told.removal.service, USER, IDS, Switches(**reach), draws=1)
    cells = promises(Case.of(told)).cells.set_index(["place", "dimension"])["state"]
    assert all(cells[place, "privacy"] == "broken" for place in reach)


def test_it_is_shown(sound):
    static = show(sound).static
    assert "not measured" in static and "✓" in static and "rows found" in static
