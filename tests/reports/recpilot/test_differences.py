"""How a shopper differs: the test against its definition, planted differences, chance, forgetting."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reports.shops import shop
from workbench.data import Catalogue, Interactions, load_world
from workbench.errors import ModelError
from workbench.ledger import Service, Switches
from workbench.recommend import EASE
from workbench.reports import EntityStore, Evidence, Store, check, make_claims, write
from workbench.reports.claims import Claim
from workbench.reports.recpilot import Differences
from workbench.reports.recpilot._trials import (
    DIMENSIONS,
    DifferencesConfig,
    choices_of,
    drawn,
    statistics_of,
    trial,
)
from workbench.settings import ROOT

FEW = DifferencesConfig(people=8, fewest=2, draws=199)


def planted(seed=0, n_kinds=8, n_users=30, dearest=True):
    """Kinds of four products; everybody buys one of each of six, the first user always the dearest."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(n_users):
        for visit, kind in enumerate(rng.permutation(n_kinds)[:6].tolist()):
            place = 3 if user == 0 and dearest else int(rng.integers(4))
            rows.append((f"u{user:02}", f"i{4 * kind + place:02}", 100 * user + visit, "purchase"))
    table = pd.DataFrame(rows, columns=["user", "item", "session", "action"])
    table["timestamp"] = 1_700_000_000 + 86_400 * rng.integers(0, 200, len(table))
    names = {name: name for name in ("session", "action", "timestamp")}
    items = pd.Index([f"i{item:02}" for item in range(4 * n_kinds)])
    log = Interactions.from_table(table, items=items, **names)
    code = np.arange(4 * n_kinds)
    frame = pd.DataFrame({"item": code, "title": [f"Thing {item}" for item in code]})
    frame["price"], frame["kind"] = 10.0 + code % 4, [f"kind {item // 4}" for item in code]
    frame["rating"], frame["brand"] = 3.0 + code * 7 % 4 / 4, [f"b{item}" for item in code // 4]
    return log, Catalogue.from_table(frame.assign(category="all"))


@pytest.fixture(scope="module")
def dear():
    log, catalogue = planted()
    stores = (EntityStore, Differences)
    return Service.build(log, catalogue, EASE(), stores=stores)


def test_choices_against_a_loop():
    log, catalogue = shop(3, kinds=True)
    made = choices_of(log, catalogue)
    price = catalogue.frame["price"].to_numpy()
    for user in range(12):
        rows = log.rows_of(user)
        own = made[made["user"] == user]
        chosen = rows[rows["action"].isin(["favourite", "cart", "purchase"])]
        wanted = [item for item in dict.fromkeys(chosen["item"]) if catalogue.kind[item]]
        assert own["item"].tolist() == wanted
        for one in own.itertuples():
            alike = price[catalogue.kind == catalogue.kind[one.item]]
            alike = alike[np.isfinite(alike)]
            if np.isfinite(price[one.item]) and len(alike) > 1:
                below, same = (alike < price[one.item]).sum(), (alike == price[one.item]).sum()
                assert np.isclose(one.price, (below + (same - 1) / 2) / (len(alike) - 1))
            else:
                assert np.isnan(one.price)
            first = chosen[chosen["item"] == one.item].iloc[0]
            assert one.interaction == first["interaction"]
            assert one.weekend == (first["timestamp"].weekday() >= 5)


def test_a_deal_keeps_the_kinds_and_deals_every_choice_alike():
    own, pool = pd.Series(list("aab")), pd.Series(list("aaabbb"))
    both = np.array(list("aabaaabbb"))
    lines = drawn(own, pool, 4000, np.random.default_rng(0))
    assert lines[0].tolist() == [0, 1, 2]
    assert (both[lines] == both[:3]).all()
    assert all(len(set(line)) == 3 for line in lines.tolist())
    share = np.bincount(lines[1:].ravel(), minlength=9) / 4000
    assert np.allclose(share, np.where(both == "a", 2 / 5, 1 / 4), atol=0.03)


def test_the_chance_is_that_of_all_deals():
    """One kind, one dimension that varies: all sets of two out of six, counted."""
    values = np.array([1.0, 0.9, 0.2, 0.4, 0.1, 0.3])
    table = pd.DataFrame({"kind": "a", "price": values, "maker": -1})
    for name in ("rating", "compared", "again", "weekend"):
        table[name] = np.nan
    found = trial(table[:2], table[2:], 20_000, np.random.default_rng(0)).set_index("dimension")
    means = [np.mean(pair) for pair in itertools.combinations(values, 2)]
    out = np.abs(np.array(means) - np.mean(means))
    exact = (out >= abs(0.95 - np.mean(means)) - 1e-9).mean()
    assert np.isclose(found.loc["price", "p"], exact, atol=0.01)
    assert np.isclose(found.loc["price", "theirs"], values.mean(), atol=0.01)
    assert (found.drop(index="price")["p"] == 1).all()


def test_makers_are_counted_once():
    table = pd.DataFrame({"maker": [3, 3, 0, -1, 2]} | dict.fromkeys(DIMENSIONS[:-1], 0.0))
    lines = np.array([[0, 1, 2], [3, 3, 3], [0, 2, 4]])
    assert statistics_of(table, lines)[:, -1].tolist() == [2, 0, 3]


def test_similar_people_are_those_of_the_same_kinds(dear):
    store = dear.stores["differences"]
    kinds = {user: set(own["kind"]) for user, own in store.choices.groupby("user")}
    found = store.similar(4).tolist()
    like = {
        user: len(kinds[4] & one) / np.sqrt(len(kinds[4]) * len(one)) for user, one in kinds.items()
    }
    wanted = sorted((user for user in like if user != 4), key=lambda user: (-like[user], user))
    assert [round(like[user], 9) for user in found] == [round(like[user], 9) for user in wanted]
    assert 4 not in found and store.similar(99).tolist() == []


def test_who_is_similar_does_not_read_what_is_tested(dear):
    """Another product of the same kind leaves the similar people as they are."""
    log, store = dear.log, dear.stores["differences"]
    other = log.frame.assign(item=(log.frame["item"] // 4 * 4 + (log.frame["item"] + 1) % 4))
    moved = Interactions(other.astype({"item": "int32"}), log.users, log.items)
    again = Differences.build(moved, dear.catalogue)
    assert all((again.similar(user) == store.similar(user)).all() for user in range(30))


def test_a_planted_difference_is_said_with_its_rows(dear):
    report = write(dear.evidence(0))
    claim = next(one for one in report.claims if one.kind == "differs")
    assert claim.relation == "price higher" and claim.value > 0.3
    assert "costs more than 100% of the others of its kind" in report.text
    assert report.dropped.empty
    own = report.support[report.support["claim"] == claim.claim]
    assert set(own["interaction"]) == set(dear.log.rows_of(0)["interaction"])
    lie = Claim("differs", "user:0", "price lower", claim.object, claim.value)
    altered = Claim("differs", "user:0", "price higher", "90% beside 10%", claim.value)
    assert not check([lie, altered], dear.evidence(0), own)["ok"].any()


def test_when_the_rows_are_forgotten_nothing_is_said(dear):
    rows = dear.log.rows_of(0)["interaction"].tolist()
    after = dear.remove(rows[:4], Switches())
    claims, _ = make_claims(after.evidence(0))
    assert not [one for one in claims if one.kind == "differs"]
    # a store that was not cleaned still says so
    kept = dear.remove(rows[:4], Switches(differences=False))
    claims, support = make_claims(kept.evidence(0))
    assert [one.relation for one in claims if one.kind == "differs"] == ["price higher"]
    assert check(claims, kept.evidence(0), support)["ok"].all()


def test_who_chooses_like_the_others_is_rarely_told():
    """The level holds for shoppers who do not differ: at most 5 in 100, whichever dimension."""
    told = 0
    for seed in range(2):
        log, catalogue = planted(seed, dearest=False)
        store = Differences.build(log, catalogue, DifferencesConfig(draws=199))
        told += sum((store.tested(user)["p"] <= 0.05).any() for user in range(30))
    assert told <= 9  # of 60: 3 expected, 9 at one in a thousand


def baskets(per, n_users=41, n_visits=4, seed=0):
    """Shoppers who differ in nothing: everybody comes on days that are drawn, and buys `per` kinds."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(n_users):
        days = np.sort(rng.choice(200, n_visits, replace=False))
        for visit, day in enumerate(days.tolist()):
            for kind in rng.permutation(40)[:per].tolist():
                item = f"i{4 * kind + int(rng.integers(4)):03}"
                rows.append((f"u{user:02}", item, 100 * user + visit, "purchase", day))
    table = pd.DataFrame(rows, columns=["user", "item", "session", "action", "day"])
    table["timestamp"] = 1_700_000_000 + 86_400 * table.pop("day")
    names = {name: name for name in ("session", "action", "timestamp")}
    items = pd.Index([f"i{item:03}" for item in range(160)])
    code = np.arange(160)
    frame = pd.DataFrame({"item": code, "title": [f"Thing {item}" for item in code]})
    frame["kind"] = [f"kind {item // 4}" for item in code]
    return Interactions.from_table(table, items=items, **names), Catalogue.from_table(frame)


def test_the_day_of_a_basket_is_not_counted_for_every_product_in_it():
    for per, tested in ((1, True), (8, False)):
        log, catalogue = baskets(per)
        made = choices_of(log, catalogue)
        assert made["weekend"].notna().any() == tested
    # of people who differ in nothing few are told anything
    store = Differences.build(log, catalogue, DifferencesConfig(draws=199))
    said = [(store.tested(user)["p"] <= 0.05).any() for user in range(41)]
    assert np.mean(said) < 0.15
    # dealt one by one the days of baskets would be evidence
    day = pd.to_datetime(log.frame.set_index("interaction")["timestamp"]).dt.day_of_week
    one_by_one = made.assign(weekend=(made["interaction"].map(day) >= 5).astype(float))
    loose = Differences(log, catalogue, one_by_one, DifferencesConfig(draws=199))
    assert np.mean([(loose.tested(user)["p"] <= 0.05).any() for user in range(41)]) > 0.2


def test_two_runs_say_the_same(dear):
    anew = Differences.build(dear.log, dear.catalogue)
    pd.testing.assert_frame_equal(anew.tested(7), dear.stores["differences"].tested(7))
    assert isinstance(anew, Store)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 1), st.booleans())
def test_forgetting_equals_building_from_what_remains(seed, share, told_users):
    log, catalogue = shop(seed, n_rows=80, kinds=True)
    ids = log.frame["interaction"].sample(frac=share, random_state=seed)
    users = log.only(ids).frame["user"].unique() if told_users else None
    after = Differences.build(log, catalogue, FEW).forget(ids, users)
    rest = Differences.build(log.without(ids), catalogue, FEW)
    pd.testing.assert_frame_equal(after.choices, rest.choices)
    for user in range(12):
        pd.testing.assert_frame_equal(after.tested(user), rest.tested(user))
        pd.testing.assert_frame_equal(after.lineage(user), rest.lineage(user))
        assert not len(after.knows(user, ids))


def test_little_to_go_by_is_said_by_silence():
    log, catalogue = shop(1, n_rows=6)
    store = Differences.build(log, catalogue)
    model = EASE().fit(log)
    for user in range(12):
        assert not len(store.tested(user))
        evidence = Evidence.of(log, catalogue, model, user, {"differences": store})
        assert not [one for one in write(evidence).claims if one.kind == "differs"]
    other = Differences.build(shop(2, n_items=9)[0], shop(2, n_items=9)[1])
    with pytest.raises(ModelError):
        Evidence.of(log, catalogue, model, 0, {"differences": other})


def test_the_shipped_world_says_it_of_few_and_every_sentence_holds():
    world = load_world()
    service = Service.build(world.log, world.catalogue, EASE(), stores=(EntityStore, Differences))
    store, said = service.stores["differences"], 0
    for user in range(60, 75):
        if (store.tested(user).get("p", pd.Series(dtype=float)) <= 0.05).any():
            claims, support = make_claims(service.evidence(user), ranges=False)
            assert check(claims, service.evidence(user), support)["ok"].all()
            said += sum(one.kind == "differs" for one in claims)
    assert 0 < said < 6


def test_the_page_of_results_says_what_was_measured():
    page = (ROOT / "benchmarks" / "results" / "differences.md").read_text(encoding="utf-8")
    table = pd.read_csv(ROOT / "benchmarks" / "results" / "differences.csv")
    said = (table["p"] <= 0.05).groupby([table["arm"], table["user"]]).any()["redealt"]
    assert f"| redealt | {len(said)} | {said.sum()} | {said.mean():.3f} [" in page
    # as often as its level says, and not more
    assert said.mean() <= 0.075
