"""Outside your usual: what lies outside, what came true, when it is said, forgetting."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reports.shops import shop
from workbench.data import load_world
from workbench.errors import ModelError
from workbench.ledger import Service, Switches
from workbench.recommend import EASE
from workbench.reports import EntityStore, Evidence, Store, check, make_claims, write
from workbench.reports.claims import Claim
from workbench.reports.recpilot import Outside
from workbench.reports.recpilot._odds import OutsideConfig, free_of, odds_of, record
from workbench.settings import ROOT

SMALL = OutsideConfig(visits=1, cuts=2, least=2)


@pytest.fixture(scope="module")
def service():
    world = load_world()
    return Service.build(world.log, world.catalogue, EASE(), stores=(EntityStore, Outside))


def said_of(service, user):
    claims, support = make_claims(service.evidence(user), ranges=False)
    return [one for one in claims if one.kind == "outside"], claims, support


@pytest.fixture(scope="module")
def somebody(service):
    """The first shopper of whom the line is said."""
    return next(user for user in range(20) if said_of(service, user)[0])


def test_what_lies_outside_by_a_loop():
    log, catalogue = shop(4, n_rows=200)
    histories = log.histories()
    free = free_of(histories, catalogue, OutsideConfig(least=3))
    category = catalogue.frame["category"].tolist()
    for row, user in enumerate(histories.user):
        own = log.rows_of(user)
        visits = {}
        for basket, item in zip(own["basket"], own["item"], strict=True):
            visits.setdefault(category[item], set()).add(basket)
        for item in range(15):
            usual = len(visits.get(category[item], ())) >= 2
            outside = not usual and item not in set(own["item"]) and own["basket"].nunique() >= 3
            assert free[row, item] == outside


def test_the_record_by_a_loop():
    log, catalogue = shop(5, n_rows=300)
    found = record(log, catalogue, SMALL)
    assert len(found) and set(found["cut"]) == {0, 1}
    frame = log.frame.copy()
    histories = log.histories()
    ago = dict(zip(histories.interaction.tolist(), histories.ago.tolist(), strict=True))
    frame["ago"] = frame["interaction"].map(ago)
    for cut, lines in found.groupby("cut"):
        before = log.select((frame["ago"] > cut).to_numpy())
        model = EASE().fit(before)
        for one in lines.itertuples():
            past = before.histories([one.user])
            free = free_of(past, catalogue, SMALL)[0]
            later = frame[(frame["user"] == one.user) & (frame["ago"] == cut)]["item"]
            score = np.where(free, model.score(past)[0], -np.inf)
            assert one.item == score.argmax() and np.isclose(one.score, score.max())
            assert one.known == (one.item in set(later))
            random = np.isin(np.flatnonzero(free), later).mean()
            assert np.isclose(one.random, random)


def lines(known, random, n=60):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"user": np.arange(3 * n) // 3, "score": rng.random(3 * n)})
    return table.assign(known=rng.random(3 * n) < known, random=random)


def test_odds_count_and_beat_what_is_random():
    found = odds_of(lines(0.5, 0.02))
    assert sum(one.lines for one in found) == 180 and all(one.beats for one in found)
    table = lines(0.5, 0.02)
    assert sum(one.known for one in found) == table["known"].sum()
    assert np.isclose(sum(one.random for one in found), 180 * 0.02)
    own = table[table["score"] >= found[2].low]
    assert (found[2].known, found[2].lines) == (own["known"].sum(), len(own))
    # no more than chance, and nothing at all
    assert not any(one.beats for one in odds_of(lines(0.2, 0.2)))
    assert not any(one.beats for one in odds_of(lines(0.5, 0.02)[:0]))


def test_the_line_is_said_with_its_odds_and_rows(service, somebody):
    (claim,), claims, support = said_of(service, somebody)
    evidence, store = service.evidence(somebody), service.stores["outside"]
    assert check(claims, evidence, support)["ok"].all()
    item, odds = store.line(somebody, evidence.silent)
    assert claim.object == f"item:{item}" and claim.value == odds.known / odds.lines
    assert claim.relation == f"{odds.known} of {odds.lines} beside {odds.random:.0f}"
    # of no category that they come back to
    rows = service.log.rows_of(somebody)
    category = service.catalogue.frame["category"].to_numpy()
    assert rows.loc[category[rows["item"]] == category[item], "session"].nunique() < 2
    own = support[support["claim"] == claim.claim]
    assert np.isin(own["interaction"], rows["interaction"]).all()
    # other odds, another product
    better = replace(claim, relation=claim.relation.replace(" of ", "9 of "))
    other = replace(claim, object="item:0" if item else "item:1")
    for lie in (better, other, Claim(*claim.statement, 0.9)):
        assert not check([lie], evidence, own.assign(claim=lie.claim))["ok"].any()


def test_the_page_says_it_where_there_is_room(service):
    texts = [write(service.evidence(user), ranges=False).text for user in range(15)]
    said = [text for text in texts if "## Outside your usual" in text]
    assert said and all("hints like this one" in text for text in said)
    assert all("of random products" in text for text in said)


def test_it_is_not_said_where_it_does_not_beat_chance():
    log, catalogue = shop(6, n_rows=100)
    store = Outside.build(log, catalogue, SMALL)
    assert len(store.lines) and not any(odds.beats for odds in store.odds)
    model = EASE().fit(log)
    for user in range(12):
        evidence = Evidence.of(log, catalogue, model, user, {"outside": store})
        assert not [one for one in write(evidence).claims if one.kind == "outside"]


def test_what_is_left_unsaid_is_not_named(service, somebody):
    (claim,), _, _ = said_of(service, somebody)
    item = int(claim.object.split(":")[1])
    topics = service.catalogue.topics_of(item)
    quiet = replace(service, unsaid=frozenset(topics))
    for one in said_of(quiet, somebody)[0]:
        assert not set(topics) & set(service.catalogue.topics_of(int(one.object.split(":")[1])))


def test_what_was_forgotten_moves_the_line(service, somebody):
    """Without its rows the shopper has no line; a store that was not cleaned still says it."""
    rows = service.log.rows_of(somebody)["interaction"].tolist()[5:]
    after = service.remove(rows, Switches())
    assert not said_of(after, somebody)[0]
    assert not len(after.stores["outside"].knows(somebody, rows))
    kept = service.remove(rows, Switches(outside=False))
    assert said_of(kept, somebody)[0] == said_of(service, somebody)[0]


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 0.9), st.booleans())
def test_forgetting_equals_building_from_what_remains(seed, share, told_users):
    log, catalogue = shop(seed, n_rows=150)
    ids = log.frame["interaction"].sample(frac=share, random_state=seed)
    users = log.only(ids).frame["user"].unique() if told_users else None
    after = Outside.build(log, catalogue, SMALL).forget(ids, users)
    rest = Outside.build(log.without(ids), catalogue, SMALL)
    pd.testing.assert_frame_equal(after.lines, rest.lines)
    assert after.odds == rest.odds and isinstance(after, Store)
    for user in range(12):
        pd.testing.assert_frame_equal(after.lineage(user), rest.lineage(user))
        assert not len(after.knows(user, ids))


def test_odd_logs_have_no_line():
    log, catalogue = shop(1, n_rows=6)
    store = Outside.build(log, catalogue)
    assert not len(store.lines) and store.line(0, np.zeros(15, dtype=bool)) is None
    empty = store.forget(log.frame["interaction"])
    assert not len(empty.lines) and empty.line(0, np.zeros(15, dtype=bool)) is None
    other = Outside.build(*shop(2, n_items=9))
    with pytest.raises(ModelError):
        Evidence.of(log, catalogue, EASE().fit(log), 0, {"outside": other})


def test_the_page_of_results_says_what_was_measured():
    table = pd.read_csv(ROOT / "benchmarks" / "results" / "outside.csv")
    page = (ROOT / "benchmarks" / "results" / "outside.md").read_text(encoding="utf-8")
    shipped = table[table["seed"] == 1]
    assert f"| all | {len(shipped)} | {shipped['known'].mean():.3f} [" in page
    assert shipped["known"].mean() > 2 * shipped["random"].mean()
