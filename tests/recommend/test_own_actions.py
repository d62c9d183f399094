"""EASE + own actions: against a loop over rows, and what it is made of."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.data import FUNNEL, Interactions
from workbench.errors import ConfigError, ModelError
from workbench.recommend import EASE, EASEConfig, OwnActions, OwnActionsConfig
from workbench.recommend.laws import small_log
from workbench.recommend.saving import load_model
from workbench.reports.deeds import Deeds

LOG = small_log(3)


def visit_of(row):
    """The name of the visit of a row: its session, else basket, else day, else itself."""
    for name in ("session", "basket"):
        if not pd.isna(row[name]):
            return name, row[name]
    day = row["timestamp"]
    return ("row", row["interaction"]) if pd.isna(day) else ("day", day.date())


def own_by_hand(log, user, config):
    """The second term of the equation, row by row."""
    rows = log.rows_of(user).to_dict("records")
    names = [visit_of(row) for row in rows]
    ends = {name: place for place, name in enumerate(names)}
    latest = sorted(ends, key=ends.get, reverse=True)
    scores = np.zeros(log.n_items)
    for row, name in zip(rows, names, strict=True):
        strength = config.growth ** FUNNEL.get(row["action"], 0)
        ago = latest.index(name)
        scores[row["item"]] += config.share * strength * np.exp(-ago / config.decay)
    return scores


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 500), st.floats(0, 2), st.floats(0.5, 4), st.floats(0.5, 20), st.booleans())
def test_scores_against_a_loop(seed, share, growth, decay, sessions):
    log = small_log(seed, rows=80)
    if not sessions:
        log = replace(log, frame=log.frame.assign(session=pd.array([pd.NA] * len(log), "Int64")))
    config = OwnActionsConfig(share=share, growth=growth, decay=decay)
    found = OwnActions(config).fit(log).score(log.histories())
    ease = EASE().fit(log).score(log.histories())
    want = [own_by_hand(log, user, config) for user in range(log.n_users)]
    assert np.allclose(found, ease + np.array(want), rtol=1e-12, atol=1e-12)


def test_a_visit_stands_where_its_last_row_does():
    table = pd.DataFrame({"user": ["a"] * 6 + ["b"], "item": list("xyxzxyx")})
    table["session"] = [1, 2, 1, None, 3, None, 2]
    log = Interactions.from_table(table, session="session")
    assert log.histories().ago.tolist() == [3, 4, 3, 2, 1, 0, 0]
    assert log.histories([1, 0]).ago.tolist() == [0, 3, 4, 3, 2, 1, 0]
    assert log.histories([0]).parts(np.array([[1, 0, 1, 0, 1, 1]], bool)).ago.tolist() == [
        2,
        2,
        1,
        0,
    ]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 500), st.sets(st.sampled_from(["session", "basket", "timestamp"])))
def test_a_visit_is_a_session_else_a_basket_else_a_day_else_a_row(seed, missing):
    log = small_log(seed, rows=40)
    rng = np.random.default_rng(seed)
    for name in ("session", "basket", "timestamp"):
        gone = np.full(len(log), True) if name in missing else rng.random(len(log)) < 0.5
        log = replace(log, frame=log.frame.assign(**{name: log.frame[name].mask(gone)}))
    histories = log.histories()
    for user in range(log.n_users):
        names = [visit_of(row) for row in log.rows_of(user).to_dict("records")]
        last = {name: place for place, name in enumerate(names)}
        want = [sum(end > last[name] for end in last.values()) for name in names]
        assert histories.ago[histories.row(user)].tolist() == want
        assert Deeds.of(log, user).ago.tolist() == want


def test_actions_are_ranked_as_in_the_funnel_and_others_count_as_a_view():
    table = pd.DataFrame({"user": ["a"] * 5, "item": list("vfcpr"), "session": 1})
    table["action"] = ["view", "favourite", "cart", "purchase", "rating"]
    log = Interactions.from_table(table, action="action", session="session", items=list("vfcpr"))
    model = OwnActions(OwnActionsConfig(share=1.0, ease=EASEConfig(l2=1e9))).fit(log)
    assert np.allclose(model.score(log.histories()), [[1, 2, 4, 8, 1]], atol=1e-6)


def test_contributions_are_exact_for_every_product():
    model = OwnActions().fit(LOG)
    histories = LOG.histories()
    items = np.tile(np.arange(LOG.n_items), (len(histories), 1))
    table = model.contributions(histories, items)
    sums = np.zeros(items.shape)
    np.add.at(sums, (table["row"], table["item"]), table["weight"])
    assert np.allclose(sums, model.score(histories), rtol=0, atol=1e-12)
    # a row on the product itself carries its own action, and EASE nothing
    own = table.merge(LOG.frame[["interaction", "item"]], on="interaction", suffixes=("", "_own"))
    own = own[own["item"] == own["item_own"]]
    assert (own["weight"] > 0).all()


def test_scores_without_rows_are_those_of_the_model_that_forgot_them():
    model = OwnActions().fit(LOG)
    removed = LOG.only(LOG.rows_of(4)["interaction"])
    everybody = LOG.histories()
    want = model.copy().forget(removed).score(everybody)
    for now in (None, model.score(everybody)):
        assert np.allclose(model.score_without(removed, everybody, now), want, atol=1e-10)
    assert np.allclose(
        want, OwnActions().fit(LOG.without(removed.frame["interaction"])).score(everybody)
    )


def test_untouched_products_are_ordered_by_ease():
    history = LOG.histories([2])
    fresh = history.matrix().toarray()[0] == 0
    own, ease = (kind().fit(LOG).score(history)[0] for kind in (OwnActions, EASE))
    assert fresh.any() and np.array_equal(own[fresh], ease[fresh])


def test_a_folder_whose_ease_is_of_another_fit_is_refused(tmp_path):
    OwnActions().fit(LOG).save(tmp_path / "one")
    assert load_model(tmp_path / "one").config == OwnActionsConfig()
    EASE(EASEConfig(l2=3)).fit(LOG).save(tmp_path / "one" / "others")
    with pytest.raises(ModelError, match="EASE of another fit"):
        OwnActions.load(tmp_path / "one")


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="decay"):
        OwnActionsConfig(decay=0)
    with pytest.raises(ConfigError, match="its settings: ease, share, growth, decay"):
        OwnActions(shares=0.2)
    with pytest.raises(ModelError, match="has not been fitted"):
        OwnActions().score(LOG.histories())
