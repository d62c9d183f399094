"""A year by rule: who asks is drawn by lot, requests keep to the planted chance, and what a shop does
changes no visit that it should not."""

import numpy as np
import pytest
from pydantic import ValidationError

from benchmarks.year_shoppers import ARMS, YearConfig, live, tempers
from workbench.worlds.shop import ShopConfig, generate

WORLD = generate(ShopConfig(shoppers=44, texts=0, seed=5))
TOPIC = np.array(WORLD.shelf.categories)[WORLD.shelf.category]


class Counter:
    """A shop that serves one list and counts rows."""

    def __init__(self, listed=(), keeps=False):
        self.listed, self.keeps = np.array(listed, dtype=int), keeps
        self.rows, self.wishes = [], []

    def serve(self, user):
        return self.listed

    def learn(self, rows):
        self.rows += rows

    def less(self, user, item):
        self.wishes.append((user, TOPIC[item]))

    def forget(self, user, topic):
        left = [row for row in self.rows if row[0] != user or TOPIC[row[1]] != topic]
        gone = len(self.rows) - len(left)
        if not self.keeps:
            self.rows = left
        return gone

    def knows(self, user, topic):
        return {"rows": sum(row[0] == user and TOPIC[row[1]] == topic for row in self.rows)}


@pytest.fixture(scope="module")
def year():
    return live(WORLD, Counter(range(10)), YearConfig(seed=5))


def test_the_year_holds_what_its_shop_was_told(year):
    months = year.months
    assert len(months) == 12 * 40 and set(months["arm"]) == set(ARMS)
    never = months[months["arm"] == "never"]
    assert (never["rows"] == never["made"]).all() and not never["asked"].any()
    asked = months[months["asked"] > 0]
    assert len(asked) and (asked["rows"] < asked["made"]).all()
    # what was made only grows
    assert (months.groupby("user")["made"].diff().dropna() >= 0).all()


def test_requests_keep_to_the_rules(year):
    forget = year.requests.query("what == 'forget'")
    counts = forget.groupby("user").size()
    arms = year.months.drop_duplicates("user").set_index("user")["arm"]
    assert (counts <= arms[counts.index].map(ARMS.index)).all()
    assert forget["day"].min() >= 90 and (forget["rows"] > 0).all()
    gaps = forget.sort_values("day").groupby("user")["day"].diff().dropna()
    assert len(gaps) and (gaps >= 60).all()
    assert (year.requests.query("what == 'less'").groupby("user").size() == 1).all()


def test_the_planted_chance_is_met():
    """Who may ask asks at one visit in so many: never with chance 0, at the first with chance 1."""
    none = live(WORLD, Counter(range(10)), YearConfig(seed=5, regret=0.0)).requests
    assert not (none["what"] == "forget").any()
    sure = live(WORLD, Counter(range(10)), YearConfig(seed=5, regret=1.0)).requests
    half = live(WORLD, Counter(range(10)), YearConfig(seed=5, regret=0.3)).requests
    first = [one.query("what == 'forget'").groupby("user")["day"].min() for one in (sure, half)]
    late = (first[1] - first[0]).dropna()
    assert (late >= 0).all() and late.mean() > 3


def test_the_same_seed_gives_the_same_year_and_forgetting_changes_no_visit(year):
    again = live(WORLD, Counter(range(10)), YearConfig(seed=5))
    assert again.months.equals(year.months) and again.requests.equals(year.requests)
    kept = live(WORLD, Counter(range(10), keeps=True), YearConfig(seed=5))
    assert kept.months["made"].equals(year.months["made"])
    assert (kept.months["rows"] == kept.months["made"]).all()
    other = live(WORLD, Counter(range(10)), YearConfig(seed=6))
    assert not other.months["made"].equals(year.months["made"])


def test_tired_shoppers_instruct_first_and_stay_away_then():
    shop = Counter(range(10))
    live(WORLD, shop, YearConfig(seed=5, wanted=0.01))
    listed = {TOPIC[item] for item in range(10)}
    assert shop.wishes and {topic for _, topic in shop.wishes} <= listed
    patient = Counter(range(10))
    live(WORLD, patient, YearConfig(seed=5, wanted=0.01, patience=(1000, 1000)))
    assert not patient.wishes and len(patient.rows) > len(shop.rows)


def test_lots_are_even_and_topics_are_liked():
    people = tempers(WORLD, np.random.default_rng(0), YearConfig())
    arms = [one.arm for one in people]
    assert {arm: arms.count(arm) for arm in ARMS} == {"never": 14, "once": 13, "twice": 13}
    liked = WORLD.truth["interests"].query("period == 'before'").set_index(["user", "category"])
    assert all(liked.loc[(one.user, one.topic), "weight"] > 0.2 for one in people)


WRONG = [{"months": 0}, {"regret": 1.5}, {"wanted": 0}, {"moods": 3}]
WRONG += [{"visit": ends} for ends in ((0.0, 0.2), (0.3, 0.1), (0.1, 1.5), (float("nan"), 0.1))]
WRONG += [{"patience": ends} for ends in ((0, 3), (6, 3))]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_year_that_is_none_is_refused(wrong):
    with pytest.raises(ValidationError):
        YearConfig(**wrong)
