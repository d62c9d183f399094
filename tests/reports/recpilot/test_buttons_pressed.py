"""A press changes the page at once and says what changed; taken back, it was never there."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from workbench.data import BUTTONS, load_world
from workbench.errors import DataError, ModelError
from workbench.ledger import Service, Switches, forget
from workbench.recommend import ALS, EASE, Popularity
from workbench.reports import EntityStore, count_words
from workbench.reports.recpilot import agent, changed, press, press_row, rows_behind
from workbench.views import Screen, show
from workbench.views.page import computing

WORLD = load_world()
USERS = (7, 310)


class Heard:
    """A store that learns from presses: the products a shopper pressed a button on."""

    name, label, help, causes = "heard", "what was heard", "Strike it.", ("struck", "still there")

    def __init__(self, notes=None):
        self.notes = notes or {}

    @classmethod
    def build(cls, log, catalogue):
        rows = log.frame[log.frame["action"].isin(BUTTONS)]
        return cls(dict(zip(rows["interaction"], rows["user"], strict=True)))

    def learn(self, log, catalogue, interactions):
        return Heard(self.notes | Heard.build(log.only(interactions), catalogue).notes)

    def forget(self, interactions, users=None):
        return Heard(
            {row: user for row, user in self.notes.items() if row not in set(interactions)}
        )

    def knows(self, user, interactions):
        own = [row for row, owner in self.notes.items() if owner == user]
        return np.intersect1d(interactions, own)

    def lineage(self, user):
        own = [("press", "a button", row, 1.0) for row in self.knows(user, list(self.notes))]
        return pd.DataFrame(own, columns=["kind", "entity", "interaction", "weight"])


@dataclass
class Own:
    """Popularity as somebody else writes it: no copy, no forget, rows read as they stand."""

    def fit(self, log):
        self.counts = np.bincount(log.frame["item"], minlength=log.n_items).astype(float)
        self.seen = set(log.frame["action"].astype(str))
        return self

    def copy(self):
        return Own()

    def score(self, histories):
        return np.tile(self.counts, (len(histories), 1))


MODELS = {"EASE": EASE, "ALS": ALS, "Popularity": Popularity, "own": Own}


@pytest.fixture(scope="module", params=MODELS)
def service(request):
    model = MODELS[request.param]()
    return Service.build(WORLD.log, WORLD.catalogue, model, stores=(EntityStore, Heard))


@pytest.fixture(scope="module")
def ease():
    return Service.build(WORLD.log, WORLD.catalogue, EASE())


@pytest.mark.parametrize("button", BUTTONS)
@pytest.mark.parametrize("user", USERS)
def test_what_is_pressed_is_not_offered(ease, user, button):
    pick = ease.evidence(user).offers["pick"]
    after = press(ease, user, button, pick)
    catalogue, offered = ease.catalogue, after.evidence(user).offered
    assert pick not in offered and pick not in after.listed(user, 240)
    assert pick not in after.served(after.log.histories([user]))
    if button == "budget":
        price = catalogue.frame["price"].to_numpy()
        alike = offered[catalogue.kind[offered] == catalogue.kind[pick]]
        assert (price[alike] < price[pick]).all()
    # nobody else is touched, and the model is the one that was there
    other = user + 1
    assert after.model is ease.model and after.report(other).claims == ease.report(other).claims
    assert np.array_equal(after.listed(other), ease.listed(other))
    row = after.log.frame.iloc[-1]
    assert (row["user"], row["item"], row["action"]) == (user, pick, button)


@pytest.mark.parametrize("by", [None, agent], ids=["scores", "agent"])
def test_after_cheaper_please_nothing_costs_more_or_the_page_says_so(by):
    service = Service.build(WORLD.log, WORLD.catalogue, EASE(), agent=by)
    catalogue, price = WORLD.catalogue, WORLD.catalogue.frame["price"].to_numpy()
    said = {"something else": 0, "no cheaper": 0}
    for user in (*range(0, 60, 4), 76, 182):
        before, after = service.evidence(user), service
        # as long as there is something cheaper, and once more
        for _ in range(6):
            pick = after.evidence(user).offers["pick"]
            after = press(after, user, "budget", pick)
            evidence, report = after.evidence(user), after.report(user)
            had = evidence.deeds.had(catalogue, evidence.refills) if by else []
            left = before.offered[price[before.offered] < price[pick]]
            left = np.setdiff1d(left, had)
            new = evidence.offers["pick"]
            (told,) = [one for one in report.claims if one.kind == "asked"] or [None]
            assert report.dropped.empty and count_words(report.text) <= 120
            if told:
                said[told.relation] += 1
                assert told.object == f"item:{pick}" and "cheaper" in report.text
            if not len(left):
                assert told.relation == "no cheaper" and price[new] >= price[pick]
                break
            assert (price[list(evidence.offers.values())] < price[pick]).all()
            # of its kind, where that holds one
            alike = (catalogue.kind[left] == catalogue.kind[pick]).any()
            assert (catalogue.kind[new] == catalogue.kind[pick]) == alike == (told is None)
    assert all(said.values())


@pytest.mark.parametrize("user", USERS)
def test_forget_takes_a_press_back(service, user):
    before = service.report(user)
    pressed = service
    for button in BUTTONS:
        pressed = press(pressed, user, button, pressed.evidence(user).offers["pick"])
    ids = pressed.log.frame["interaction"].tail(3)
    assert pressed.report(user).hash != before.hash
    assert pressed.stores["heard"].knows(user, ids).tolist() == ids.tolist()
    # one after the other, or all at once: as if never pressed
    one = pressed
    for row in ids:
        one = one.remove([row], Switches())
    for back in (one, pressed.remove(ids, Switches())):
        assert back.log.fingerprint == service.log.fingerprint
        assert back.report(user).hash == before.hash and not back.stores["heard"].notes
        assert back.report(user).text == before.text
        assert np.array_equal(back.listed(user), service.listed(user))
        assert np.array_equal(back.served(back.everyone), service.served(service.everyone))
        for store in service.stores:
            was, now = (some.stores[store].lineage(user) for some in (service, back))
            assert was.equals(now)
    told = forget(pressed, user, ids, seed=0)
    assert told.after.hash == before.hash


def test_a_press_that_only_the_log_forgets_is_still_heard(service):
    pressed = press(service, 7, "owned", 5)
    row = [pressed.log.last_id]
    some = pressed.remove(row, Switches.only(["log"]))
    assert some.stores["heard"].knows(7, row).tolist() == row
    assert some.log.fingerprint == service.log.fingerprint
    other = pressed.remove(row, Switches.only(["heard"]))
    assert not other.stores["heard"].notes and 5 not in other.evidence(7).offered
    # and a store that was cleaned while the log was not hears nothing again
    again = press(other, 7, "dislike", 6)
    assert again.stores["heard"].knows(7, [*row, row[0] + 1]).tolist() == [row[0] + 1]


def test_no_press_reaches_a_model_of_somebody_else():
    log = press_row(WORLD.log, 7, 5, "owned")
    service = Service.build(log, WORLD.catalogue, Own())
    assert not service.model.seen & set(BUTTONS)
    request = service.removal(log.frame["interaction"].iloc[:3])
    assert not request.refitted.seen & set(BUTTONS) and not request.weights.seen & set(BUTTONS)


def test_why_a_sentence_stands(ease):
    page = ease.report(7)
    for sentence in page.sentences.itertuples():
        rows = rows_behind(page, sentence.claims)
        assert rows["weight"].is_monotonic_decreasing and rows["interaction"].is_unique
        assert rows["weight"].sum() >= 0.5 - 1e-9
        # the fewest: without the lightest it is less than half
        assert rows["weight"].iloc[:-1].sum() < 0.5
        own = page.support[page.support["claim"].isin(sentence.claims)]
        assert set(rows["interaction"]) <= set(own["interaction"])
    two = [claim.claim for claim in page.claims[:2]]
    weight = page.support[page.support["claim"].isin(two)].groupby("interaction")["weight"].sum()
    found = rows_behind(page, [*two, two[0]])
    assert np.allclose(found["weight"], weight[found["interaction"]] / 2)
    with pytest.raises(DataError, match="no claim 'nothing'"):
        rows_behind(page, ["nothing"])
    with pytest.raises(DataError, match="no claim"):
        rows_behind(page, [])


def test_a_page_says_what_changed(ease):
    catalogue, before = ease.catalogue, ease.report(7)
    pick = ease.evidence(7).offers["pick"]
    after = press(ease, 7, "owned", pick)
    told = changed(before, after.report(7), catalogue, "owned", pick)
    assert told[0].startswith("Gone: “") and told[0].endswith("as you have it already.")
    new = catalogue.title(after.evidence(7).offers["pick"])
    assert told[1].startswith("Now the pick is “") and new[:20] in told[1]
    went = len(before.claims) - len(
        {c.claim for c in before.claims} & {c.claim for c in after.report(7).claims}
    )
    assert went > 3 and told[-1].startswith("Of the other statements ")
    # what stands on both pages is not said to be gone; without a press no reason is given
    plain = changed(before, after.report(7), catalogue)
    assert plain[0].endswith("”.") and plain[1:] == told[1:]
    assert changed(before, before, catalogue) == ["Nothing changed on this page."]
    back = after.remove([after.log.last_id], Switches())
    assert changed(before, back.report(7), catalogue) == ["Nothing changed on this page."]


def test_pressing_everything_away(ease):
    """All products pressed: a page without offers, and not an error."""
    log = ease.log
    for item in range(log.n_items):
        log = press_row(log, 7, item, "dislike")
    service = Service.build(log, ease.catalogue, EASE())
    page = service.report(7)
    assert not len(service.listed(7)) and not [c for c in page.claims if c.kind == "pick"]
    told = changed(ease.report(7), page, ease.catalogue)
    assert "There is no pick any more." in told


def test_a_mailed_file_is_not_made_of_a_page_with_presses(ease, tmp_path):
    """It computes from the rows of the log alone: it is refused."""
    pressed = press(ease, 7, "owned", 5)
    row = [pressed.log.last_id]
    built = Service.build(pressed.log, ease.catalogue, EASE())
    for service in (pressed, built):
        with pytest.raises(ModelError, match="changed since it was built"):
            computing(Screen(service, 7, "Expecting"), tmp_path / "page.html")
    shown = show(forget(pressed, 7, row))._repr_html_()
    assert "owned" in shown
