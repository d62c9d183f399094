"""Controls: as many other rows, strangers leaving, each drawn once and answered when asked for."""

import dataclasses

import numpy as np

from tests.ledger.shoppers import TOPIC, readers, topic_rows
from tests.reports.shops import shop
from workbench.ledger import Service, Switches, canaries, forget
from workbench.recommend import ALS, EASE


def test_placebo_requests_make_no_more_sentences_vanish_than_other_placebos(service):
    rng, excess = np.random.default_rng(0), []
    for user in rng.permutation(service.log.n_users)[:25]:
        rows = service.log.rows_of(int(user))
        if len(rows) >= 8:
            turn = dict(
                zip(rows["item"].unique(), rng.permutation(rows["item"].nunique()), strict=True)
            )
            ids = rows.iloc[np.argsort(rows["item"].map(turn), kind="stable")[:4]]["interaction"]
            table = forget(service, int(user), ids, draws=3).null
            gone = table.set_index("kind")["gone"]
            excess.append(gone["this request"] - gone["placebo rows"].mean())
    half = 1.96 * np.std(excess, ddof=1) / np.sqrt(len(excess))
    assert abs(np.mean(excess)) < half + 1e-9
    assert len(excess) > 18


def test_placebo_rows_go_product_by_product(service):
    user = readers(service)[0]
    ids = topic_rows(service, user)
    told = forget(service, user, ids, draws=3)
    table = told.null.set_index("kind")
    drawn = [one.ids for one in told.controls if one.kind == "placebo rows"]
    own = service.log.rows_of(user)
    assert len(drawn) == 3
    for rows in drawn:
        hit = own["interaction"].isin(rows)
        assert not set(rows) & set(ids.tolist())
        assert not own.loc[hit, "item"].isin(service.catalogue.items_of(TOPIC)).any()
        # the last may be cut
        assert hit.groupby(own["item"]).mean().between(0, 1, inclusive="neither").sum() <= 1
    assert table.loc["placebo rows", "rows"].tolist() == [len(rows) for rows in drawn]


def test_placebo_rows_are_none_of_the_topic_where_the_request_is_a_part_of_it(service):
    user = readers(service)[0]
    rows = topic_rows(service, user)
    told = forget(service, user, rows[: len(rows) // 2], topic=TOPIC, draws=5)
    placebos = [one.ids for one in told.controls if one.kind == "placebo rows"]
    assert len(placebos) == 5
    for ids in placebos:
        assert not np.isin(ids, rows).any()


def test_the_null_counts_what_came_back_and_what_is_offered_again(service):
    user = 187
    told = forget(service, user, topic_rows(service, user), draws=2)
    lines = told.null
    own = lines.iloc[0]
    assert own["back"] == (told.fates["fate"] == "back").sum() == 1
    after = told.lists[told.lists["list"] == "after"]
    assert own["again"] == after["deleted"].sum() == 1
    # a placebo is asked for its own rows: as if it were the request
    for line, control in zip(lines.iloc[1:].itertuples(), told.controls, strict=True):
        if control.kind == "placebo rows":
            same = forget(service, user, control.ids, topic=TOPIC, draws=0)
            fates = same.fates["fate"].tolist()
            after = same.lists[same.lists["list"] == "after"]
            counts = [fates.count(fate) for fate in ("gone", "new", "back")]
            assert [line.gone, line.new, line.back] == counts
            assert line.again == after["deleted"].sum()
        else:
            assert (line.back, line.again) == (0, 0), "none of the shopper's rows went"
    placebo = lines[lines["kind"] == "placebo rows"]
    assert placebo["again"].max() > 0, "other deleted products are offered again, too"
    kept = forget(service, user, told.interactions, Switches(tombstone=True), draws=2).null
    assert not kept["again"].any()


def test_the_same_stranger_keeps_no_draw_of_another_seed():
    log, catalogue = shop(3)  # few strangers: each is drawn again and again
    small = Service.build(log, catalogue, EASE())
    for seed in range(6):
        table = forget(small, 0, [], seed=seed).null
        assert table["draw"].tolist() == [0, 0, 1, 2]


def test_no_control_is_answered_before_it_is_asked_for(als, monkeypatch):
    """One fit for the request's own answer; then one for each control, and none for the same again."""
    fits, fit = [], ALS.fit
    monkeypatch.setattr(ALS, "fit", lambda self, log: fits.append(0) or fit(self, log))
    als = dataclasses.replace(als)  # one that has kept no answer yet
    user = readers(als)[1]
    told = forget(als, user, topic_rows(als, user))
    for table in (told.fates, told.causes, told.exposure, told.others, told.lists):
        assert len(table)
    assert len(fits) == 1
    for done, control in enumerate(told.controls, 1):
        assert control.effect["others"] >= 0
        assert len(fits) == 1 + done
    assert len(told.null) == 1 + 6
    # a flipped switch asks for the same rows: only what it alone reaches is made anew
    flipped = forget(als, user, topic_rows(als, user), Switches(tombstone=True))
    assert len(flipped.null) == 1 + 6
    assert len(fits) == 1 + 6


def test_steering_somebody_else_is_no_trace_of_a_deletion(service):
    user, other = readers(service)[:2]
    steered = service.steer(other, TOPIC, strength=3.0)
    lists = [set(one.recommend(other)["item"]) for one in (service, steered)]
    assert lists[0] != lists[1], "a list that steering changes"
    rows = topic_rows(service, user)[:2]
    found = canaries(steered, steered.remove(rows, Switches()), rows)
    assert not found["found"].any()
