"""The loop on the generated world: what is exact, what is empty, what comes back, what is noise."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.ledger.shoppers import TOPIC, readers, topic_rows
from workbench.errors import ConfigError, DataError, UnknownUser
from workbench.ledger import Service, Switches, canaries, forget, ladder, rungs
from workbench.ledger.exposure import NEVER, never_had, touched
from workbench.recommend import EASE, ItemKNN
from workbench.statistics import wilson
from workbench.views import show
from workbench.views.screen.state import state

RAW = Switches.only(["log"])


def test_everything_cleaned_equals_a_service_built_from_what_remains(service):
    user = readers(service)[0]
    ids = topic_rows(service, user)
    cleaned = service.remove(ids, Switches())
    fresh = Service.build(service.log.without(ids), service.catalogue, EASE())
    histories = fresh.log.histories()
    assert np.abs(cleaned.model.score(histories) - fresh.model.score(histories)).max() <= 1e-8
    assert cleaned.report(user).text == fresh.report(user).text
    old, new = ({c.claim: c.value for c in s.report(user).claims} for s in (cleaned, fresh))
    assert old == pytest.approx(new, abs=1e-8, nan_ok=True)


RUNGS = [
    "nothing",
    "log",
    "log, profile",
    "log, profile, vector",
    "everything",
    "everything, tombstone",
    "weights only",
]


@pytest.mark.parametrize("name", RUNGS)
def test_an_empty_request_gives_an_empty_diff(service, name):
    settings = rungs(service.tiers)
    assert list(settings) == RUNGS
    told = forget(service, readers(service)[0], [], settings[name], topic=TOPIC)
    assert set(told.fates["fate"]) == {"kept"}
    assert not told.fates["delta"].fillna(0).any()
    assert not len(told.causes)
    assert told.before.hash == told.after.hash
    assert told.others["changed"].iloc[0] == 0
    screen = state(told)
    assert screen["lists"]["after"] is None
    assert {one["fate"] for one in screen["sentences"]} == {None}


def test_the_order_of_requests_does_not_matter(service):
    one, two = readers(service)[:2]
    rest = np.setdiff1d(service.log.rows_of(one)["interaction"], topic_rows(service, one))
    requests = [topic_rows(service, one), topic_rows(service, two), rest[:5]]
    ends = []
    for order in ([0, 1, 2], [2, 1, 0]):
        now = service
        for number in order:
            now = now.remove(requests[number], Switches())
        ends.append(now)
    first, second = ends
    pd.testing.assert_frame_equal(first.log.frame, second.log.frame)
    assert (
        np.abs(first.model.score(service.everyone) - second.model.score(service.everyone)).max()
        < 1e-9
    )
    for user in (one, two):
        assert first.report(user).text == second.report(user).text


def test_canaries_are_found_after_raw_deletion_and_nowhere_after_all(service, als, tmp_path):
    for memory in (service, als):
        user = readers(memory)[0]
        ids = topic_rows(memory, user)
        table = memory.log.frame.assign(user=memory.log.users[memory.log.frame["user"]])
        table.to_parquet(tmp_path / "cache.parquet")
        raw = canaries(memory, memory.remove(ids, RAW), ids, tmp_path).set_index("tier")["found"]
        assert raw["log"] == 0
        assert raw.drop("log").all(), raw  # every other place still remembers
        from workbench.ledger import purge

        purge(str(memory.log.users[user]), tmp_path)
        clean = canaries(memory, memory.remove(ids, Switches()), ids, tmp_path).set_index("tier")[
            "found"
        ]
        assert not clean.any(), clean
        untouched = canaries(memory, memory, ids).set_index("tier")["found"]
        assert untouched.drop("others").all()


def test_with_tombstones_nothing_deleted_is_offered_again(service, als):
    for memory in (service, als):
        again = {True: 0, False: 0}
        for user in readers(memory, 4):
            for tombstone in again:
                told = forget(
                    memory, user, topic_rows(memory, user), Switches(tombstone=tombstone), draws=0
                )
                again[tombstone] += int(
                    told.lists.loc[told.lists["list"] == "after", "deleted"].sum()
                )
                ranked = told.services[1].recommend(user, k=len(memory.catalogue))
                deleted = memory.log.only(topic_rows(memory, user)).frame["item"]
                assert not (tombstone and ranked["item"].isin(deleted).any())
        assert again[True] == 0


def test_a_stale_user_vector_offers_deleted_products_again(als):
    user = readers(als)[1]
    ids = topic_rows(als, user)
    stale = forget(als, user, ids, RAW, draws=0)
    clean = forget(als, user, ids, draws=0)
    deleted = [told.lists.query("list == 'after'")["deleted"].sum() for told in (stale, clean)]
    assert deleted[0] > deleted[1]
    assert stale.services[1].stale.keys() == {user}
    assert not clean.services[1].stale
    carried = set(stale.after.support["interaction"])
    assert carried & set(ids.tolist())  # the report says which rows it still rests on: deleted ones
    assert not set(clean.after.support["interaction"]) & set(ids.tolist())


def test_causes_name_the_place(service):
    topic = "Dark stories"
    said = ("interest", "profile", topic)
    spoken_of = [u for u in readers(service, 50) if any(
        (c.kind, c.relation, c.object) == said for c in service.claims(u).values())]  # fmt: skip
    user = spoken_of[0]
    ids = topic_rows(service, user, topic)
    raw = forget(service, user, ids, RAW, draws=0).to_frame()
    stays = raw[raw["sentence"].str.contains(f"say: {topic}|say {topic}", regex=True)].iloc[0]
    assert (stays["fate"], stays["cause"]) == ("back", "profile")
    full = forget(service, user, ids, draws=0).to_frame()
    gone = full[full["claim"] == stays["claim"]].iloc[0]
    assert (gone["fate"], gone["cause"]) == ("gone", "profile")
    assert set(full.loc[full["fate"] == "kept", "cause"].dropna()) == set()
    assert full.loc[full["fate"] != "kept", "cause"].str.len().gt(0).all()


def test_cleaning_the_weights_alone_keeps_the_sentences(service):
    user = readers(service)[0]
    table = ladder(service, user, topic_rows(service, user)).set_index("taken away from")
    assert table.loc["weights only", "gone"] <= table.loc["everything", "gone"]
    still = ["gone", "weakened", "back", "new", "deleted in top 10", "others changed"]
    assert table.loc["nothing", still].sum() == 0, "where nothing is taken away nothing comes back"
    assert table.loc["weights only", "back"] > 0
    assert table.loc["log", "others changed"] == 0  # without the weights nobody else can notice
    assert table.loc["everything", "others changed"] > 0


def test_exposure_has_its_three_rows_and_a_matched_group(service):
    user = readers(service)[0]
    told = forget(service, user, topic_rows(service, user), draws=0)
    assert told.topic == TOPIC  # the smallest topic that all removed rows share
    assert told.exposure["row"].tolist() == ["as served before", "after", "never had"]
    group = never_had(told.removal, user, TOPIC)
    rows = service.log.frame[service.log.frame["user"].isin(group)]
    assert not rows["item"].isin(service.catalogue.items_of(TOPIC)).any()
    assert told.exposure["n"].tolist() == [1, 1, len(group)]
    # nearest to what is left after the request, and none further away than a tenth of it
    left = told.services[1].log.rows_of(user)["item"].nunique()
    assert left < service.log.rows_of(user)["item"].nunique()
    distinct = service.log.frame.groupby("user")["item"].nunique()
    had = service.log.frame.loc[
        service.log.frame["item"].isin(service.catalogue.items_of(TOPIC)), "user"
    ].unique()
    left_out = distinct.drop([*group, *had, user], errors="ignore")
    assert (distinct[group] - left).abs().max() <= min(
        max(0.1 * left, 2), (left_out - left).abs().min() if len(group) == NEVER else np.inf
    )
    # which places are reached changes nothing in whom the shopper is held against
    raw = forget(service, user, told.interactions, RAW, draws=0)
    assert never_had(raw.removal, user, TOPIC).tolist() == group.tolist()


def test_a_never_had_group_has_an_interval_where_none_is_shown_the_topic(service):
    user = 187
    told = forget(service, user, topic_rows(service, user), topic=TOPIC, draws=0)
    never = told.exposure.set_index("row").loc["never had"]
    assert never["value"] == 0 and never["low"] == 0
    assert never["high"] == pytest.approx(wilson(0, int(never["n"]))[1]) and never["high"] > 0
    assert told.exposure[["low", "high"]].iloc[:2].isna().all(axis=None), "one shopper has none"


def test_filter_hides_and_steer_lowers_but_neither_forgets(service):
    user = readers(service)[0]
    items = service.catalogue.items_of("Dark stories")
    before = np.isin(service.recommend(user)["item"], items).sum()
    hidden = service.hide(user, "Dark stories")
    steered = service.steer(user, "Dark stories", strength=1.0)
    lists = [changed.recommend(user)["item"] for changed in (hidden, steered)]
    counts = [np.isin(listed, items).sum() for listed in lists]
    assert before > 0
    assert counts[0] == 0
    assert counts[1] < before
    ids = topic_rows(service, user)
    for changed in (hidden, steered):
        assert touched(service, changed, np.array([user]))["changed"] == 0
        assert changed.log is service.log
        assert changed.report(user).dropped.empty
        found = canaries(service, changed, ids).set_index("tier")["found"]
        assert found.drop("others").all()


def test_touched_against_brute_force(service):
    user = readers(service)[1]
    told = forget(service, user, service.log.rows_of(user)["interaction"], draws=0)
    fresh = EASE().fit(told.services[1].log)
    seen, changed, most = service.log.matrix().toarray() > 0, 0, 0.0
    old, new = (model.score(service.log.histories()) for model in (service.model, fresh))
    for other in range(service.log.n_users):
        if other != user and seen[other].any():
            tops = [
                set(np.argsort(-np.where(seen[other], -np.inf, s[other]), kind="stable")[:10])
                for s in (old, new)
            ]
            changed += tops[0] != tops[1]
            most = max(most, len(tops[0] - tops[1]) / 10)
    assert told.others["changed"].iloc[0] == changed > 0
    assert told.others["max_churn"].iloc[0] == pytest.approx(most)


def test_requests_after_requests_reach_what_earlier_ones_left(service):
    user = readers(service)[0]
    ids = topic_rows(service, user)
    raw = service.remove(ids, RAW)
    full = raw.remove(ids, Switches())
    fresh = service.remove(ids, Switches())
    assert np.abs(full.model.score(fresh.everyone) - fresh.model.score(fresh.everyone)).max() < 1e-9
    assert full.report(user).text == fresh.report(user).text
    with pytest.raises(DataError, match="no place remembers"):
        full.remove(ids, Switches())


def test_refusals_name_what_is_wrong(service):
    foreign = service.log.rows_of(5)["interaction"].iloc[0]
    with pytest.raises(DataError, match="not user 3's but user 5's"):
        forget(service, 3, [foreign])
    for nobody in (10_000, "shopper 3"):
        with pytest.raises((UnknownUser, ConfigError), match="user_code"):
            forget(service, nobody, [])
    # and never the row whose number is cut off
    with pytest.raises(DataError, match="in place of interaction ids"):
        forget(service, 5, [foreign + 0.5])


def test_a_shopper_without_rows_is_offered_nothing_and_told_so(service):
    user = readers(service)[0]
    everything = service.log.rows_of(user)["interaction"]
    told = forget(service, user, everything, topic=TOPIC)
    assert set(told.fates["fate"]) == {"gone"}
    # equal scores are no reason to offer anything
    assert told.lists["list"].unique().tolist() == ["now"]
    assert told.exposure["value"].tolist()[:2] == [1, 0]
    # nobody holds as little as nothing: that is said, and no number stands in its place
    assert told.exposure["n"].tolist() == [1, 1, 0] and np.isnan(told.exposure["value"].iloc[2])
    empty = forget(told.services[1], user, [], topic=TOPIC)
    for one in (told, empty):
        screen = state(one)
        assert not screen["lists"]["after"]
        assert "too little to say" in one.after.text
        assert "nobody to compare with" in show(one).static
        assert json.dumps(screen, allow_nan=False)
    assert empty.null["kind"].tolist()[1:] == ["another shopper leaves"] * 3


def test_static_page_keeps_its_meaning_and_escapes_titles(service):
    world_frame = service.catalogue.frame.assign(title="<img src=x onerror=alert(1)>")
    shop = type(service.catalogue)(world_frame, service.catalogue.topics)
    user = readers(service)[0]
    hostile = Service.build(service.log, shop, EASE())
    told = forget(hostile, user, topic_rows(hostile, user), draws=1)
    again = forget(hostile, user, topic_rows(hostile, user), draws=1)
    html = show(told).static
    assert "<img" not in html
    assert "&lt;img" in html
    assert "<s>" in html
    for word in ("gone", "Never had it", "Now", "another shopper leaves"):
        assert word in html
    assert html == show(again).static
    # by itself it is a line and a table, a row a claim
    own = told._repr_html_()
    assert "<img" not in own and repr(told) in own
    assert own.count("<tr>") == 1 + len(told.fates)
    assert own == again._repr_html_()
    assert "\n" not in repr(told)


def test_item_knn_goes_round_too(service):
    knn = Service.build(service.log, service.catalogue, ItemKNN())
    user = readers(knn)[0]
    told = forget(knn, user, topic_rows(knn, user), draws=1)
    assert (told.fates["fate"] == "gone").any()
    assert told.after.dropped.empty


def test_a_sentence_that_stays_is_told_as_it_was_and_as_it_is(service):
    told = forget(service, 310, topic_rows(service, 310), draws=0)
    frame = told.to_frame().set_index("claim")
    old, new = (
        report.to_frame().set_index("claim")["sentence"] for report in (told.before, told.after)
    )
    stays = frame.index.intersection(old.index).intersection(new.index)
    assert frame["after"][stays].equals(new[stays]) and frame["sentence"][stays].equals(old[stays])
    assert (frame["after"][stays] != frame["sentence"][stays]).any(), "another number"
    assert (frame["after"][frame["fate"] == "gone"] == "").all()
    fresh = frame[frame["fate"] == "new"]
    assert fresh["after"].equals(fresh["sentence"].rename("after"))
