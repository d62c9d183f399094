"""Interest over time: bands that cover, that widen where visits go, and that tell little."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.reports.shops import shop
from tests.views.states import IMG, SCRIPT
from tests.views.test_screen_state import hostile
from tests.views.test_show import TAGS, Page
from workbench.data import load_world
from workbench.errors import ConfigError, DataError, UnknownItem, UnknownUser
from workbench.ledger import Service, Switches
from workbench.recommend import EASE
from workbench.reports.recpilot import press
from workbench.settings import settings
from workbench.statistics import wilson
from workbench.views import Interest, show

WORLD = load_world()
TOPIC = "Horror novels"


@pytest.fixture(scope="module")
def service():
    return Service.build(WORLD.log, WORLD.catalogue, EASE())


@pytest.mark.parametrize("user", [3, 72, 310])
def test_shares_are_those_counted_by_hand(service, user):
    view = Interest(
        service, user, [TOPIC, "Books"] if "Books" in WORLD.catalogue._items else [TOPIC]
    )
    rows = WORLD.log.rows_of(user).to_dict("records")
    span = WORLD.log.frame["timestamp"]
    length = (span.max() - span.min()) / 6
    for topic, table in view.to_frame().groupby("topic", sort=False):
        visits = {}
        for row in rows:
            of_it = topic in WORLD.catalogue.topics_of(row["item"])
            visits.setdefault(row["session"], []).append((row["timestamp"], of_it))
        found = [[] for _ in range(6)]
        for own in visits.values():
            place = int((min(own)[0] - span.min()) / length)
            found[min(place, 5)].append(sum(one for _, one in own) / len(own))
        for line, x in zip(table.itertuples(), found, strict=True):
            assert line.visits == len(x)
            assert line.base == len(WORLD.catalogue.items_of(topic)) / 240
            if x:
                assert line.share == pytest.approx(np.mean(x))
                assert (line.low, line.high) == pytest.approx(wilson(sum(x), len(x)))
            else:
                assert (line.low, line.high) == (0.0, 1.0) and np.isnan(line.share)


@pytest.mark.parametrize("n", [2, 5, 20])
@pytest.mark.parametrize("p", [0.1, 0.3, 0.6])
def test_bands_cover_about_what_they_say(n, p):
    """Visits that are wholly of a topic or not at all, and visits that are in part."""
    rng = np.random.default_rng(1)
    whole = rng.random((4000, n)) < p
    part = rng.beta(4 * p, 4 * (1 - p), (4000, n))
    for x in (whole, part):
        bands = np.array([wilson(float(one.sum()), n) for one in x])
        assert ((bands[:, 0] <= p) & (p <= bands[:, 1])).mean() > 0.9


def test_bands_widen_where_visits_are_forgotten(service):
    before = Interest(service, 227, [TOPIC]).to_frame()
    rows = WORLD.log.rows_of(227)
    late = rows[rows["timestamp"] >= before["begin"].iloc[3]]
    visits = late["session"].unique()
    half = late.loc[late["session"].isin(visits[::2]), "interaction"]
    after = Interest(service.remove(half, Switches()), 227, [TOPIC]).to_frame()
    none = Interest(service.remove(late["interaction"], Switches()), 227, [TOPIC]).to_frame()
    assert (none[["low", "high"]].iloc[3:] == [0, 1]).all(axis=None)
    wide = [(one["high"] - one["low"]).to_numpy() for one in (before, after, none)]
    assert (after["visits"].iloc[3:] < before["visits"].iloc[3:]).all()
    assert wide[0][3:].mean() < wide[1][3:].mean() < wide[2][3:].mean() == 1.0
    pd.testing.assert_frame_equal(before.iloc[:3], none.iloc[:3])


def test_unless_told_the_topics_of_which_most_was_done(service):
    category = WORLD.catalogue.frame["category"][WORLD.log.rows_of(310)["item"]]
    counts = category.value_counts()
    view = Interest(service, 310)
    assert counts[view.drawn].tolist() == counts.head(3).tolist()
    # what is left unsaid is not named unasked
    quiet = Service.build(WORLD.log, WORLD.catalogue, EASE(), unsaid=view.drawn[:1])
    assert view.drawn[0] not in Interest(quiet, 310).drawn
    assert view.drawn[0] not in Page(Interest(quiet, 310)._repr_html_()).text
    assert Interest(quiet, 310, view.drawn[:1]).drawn == view.drawn[:1]
    # nor what would say it: all of these novels are dark stories
    near = Service.build(WORLD.log, WORLD.catalogue, EASE(), unsaid=["Dark stories"])
    assert "Horror novels" in view.drawn and "Horror novels" not in Interest(near, 310).drawn


def test_a_press_is_no_visit(service):
    pressed = press(service, 310, "dislike", 197)
    one, two = (Interest(own, 310).to_frame() for own in (service, pressed))
    pd.testing.assert_frame_equal(one, two)


def test_the_static_form_says_it_without_its_picture(service):
    view = show(Interest(service, "shopper 310", [TOPIC], source="data: a world"))
    page = Page(view.static)
    assert set(page.tags) <= {*TAGS, "img"} and page.tags.count("img") == 1
    for one in Interest(service, 310, [TOPIC]).to_frame().itertuples():
        assert f"{one.low:.2f} to {one.high:.2f}" in page.text
    assert page.text.endswith("data: a world") and TOPIC in page.text
    assert repr(view) == f"Interest(shopper 310: {TOPIC}, 6 windows, 9 visits)"
    again = Interest(service, 310, [TOPIC], source="data: a world")._repr_html_()
    assert again == view.static and len(again) < 150_000


def test_the_figure_is_read_from_far_away(service):
    drawn = Interest(service, 310).figure()
    assert len(drawn.axes) == 3
    for axis in drawn.axes:
        assert axis.title.get_fontsize() >= 15 and axis.get_ylim()[1] > 1
        assert len(axis.patches) == 6 and axis.lines[-1].get_linestyle() == "--"
    assert min(text.get_fontsize() for text in drawn.axes[-1].get_xticklabels()) >= 15


def test_odd_shoppers_and_hostile_shops(service):
    log, catalogue = shop(1)
    small = Service.build(log, catalogue, EASE())
    nobody = Interest(small, 11)
    assert "Nothing was done" in nobody._repr_html_() and len(nobody.to_frame()) == 0
    assert nobody.figure() and (Interest(small, 11, ["tea"]).to_frame()["high"] == 1).all()
    frame, topics = service.catalogue.frame, service.catalogue.topics
    odd = f"{IMG} $x_{{$ \u202e"
    catalogue = replace(
        service.catalogue,
        frame=frame.assign(category=frame["category"].replace(TOPIC, odd)),
        topics=topics.assign(topic=topics["topic"].replace(TOPIC, odd)),
    )
    other = Service.build(WORLD.log, catalogue, EASE())
    page = Page(Interest(other, 310, [odd], source=SCRIPT)._repr_html_())
    assert page.tags.count("img") == 1 and "script" not in page.tags
    assert IMG in page.text and "⟨RLO⟩" in page.text
    assert "script" not in Page(Interest(hostile(service), 310)._repr_html_()).tags


@pytest.mark.parametrize(
    ("user", "options", "error"),
    [
        (4000, {}, UnknownUser),
        ("nobody", {}, UnknownUser),
        (3, {"topics": ["none such"]}, UnknownItem),
        (3, {"topics": TOPIC}, ConfigError),
        (3, {"topics": [TOPIC] * 4}, ConfigError),
        (3, {"pieces": 0}, ConfigError),
        (3, {"pieces": 2.5}, ConfigError),
        (3, {"level": 95}, ConfigError),
    ],
)
def test_what_there_is_not_is_refused(service, user, options, error):
    with pytest.raises(error):
        Interest(service, user, **options)


def test_a_log_without_times_is_refused(service):
    frame = WORLD.log.frame.copy()
    frame.loc[frame["user"] == 7, "timestamp"] = pd.NaT
    log = WORLD.log.of_rows(frame)
    with pytest.raises(DataError, match="without a time"):
        Interest(Service.build(log, WORLD.catalogue, EASE()), 3)


def test_what_was_predicted_of_people_who_drift(service, capsys):
    """Half against half, and six bands; drifters beside all others."""
    text = (settings().data / "predictions.toml").read_text(encoding="utf-8")
    said = tomllib.loads(text)["interest"]["expected"]
    truth = WORLD.truth["users"]
    moved, apart = {True: [], False: []}, {True: [], False: []}
    for user in range(WORLD.log.n_users):
        if truth["spam"][user] or not len(WORLD.log.rows_of(user)):
            continue
        drifts = bool(truth["drift_day"][user] >= 0)
        topic = Interest(service, user).drawn[:1]
        halves = Interest(service, user, topic, pieces=2).to_frame()
        if (halves["visits"] >= 3).all():
            moved[drifts].append(abs(halves["share"].diff().iloc[1]))
            six = Interest(service, user, topic).to_frame()
            apart[drifts].append(float(six["low"].max() > six["high"].min()))
    found = {"moved_drifters": np.mean(moved[True]), "moved_others": np.mean(moved[False])}
    found["moved_drifters_less_others"] = found["moved_drifters"] - found["moved_others"]
    found |= {"apart_drifters": np.mean(apart[True]), "apart_others": np.mean(apart[False])}
    found["apart_drifters_less_others"] = found["apart_drifters"] - found["apart_others"]
    errors = [np.var(one, ddof=1) / len(one) for one in moved.values()]
    half = 1.96 * sum(errors) ** 0.5
    with capsys.disabled():
        print({name: round(float(value), 3) for name, value in found.items()}, f"± {half:.3f}")
    verdicts = {name: bool(low <= found[name] <= high) for name, (low, high) in said.items()}
    assert verdicts == dict.fromkeys(said, True)
    # as guessed, and no more than chance: the interval of the difference holds 0
    assert abs(found["moved_drifters_less_others"]) < half
