"""The dashboard, the frontier and the person: what is drawn is what the tables say."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.views.streams import METHODS, TOPIC, assessment, dashboard, people, streams, world
from workbench.errors import ConfigError, DataError, UnknownUser
from workbench.views import Dashboard, Frontier, People, show
from workbench.views.unlearning.chart import Chart, Look, Scale, heights, looks, short
from workbench.views.unlearning.frontier import undominated

HOSTILE = '<img src=x onerror=alert(1)> "\u202egnp'


class Whole(HTMLParser):
    """Raises where a closing tag does not close what was opened last."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in ("br", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def sound(text: str) -> str:
    reader = Whole()
    reader.feed(text)
    assert reader.open == [] and "<script" not in text and not re.search(r"\bnan\b", text)
    return text


# --- charts ---------------------------------------------------------------------------------------


@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9),
    log=st.booleans(),
)
def test_a_scale_keeps_order_and_stays_within_its_side(values, log):
    values = [abs(v) + 1e-3 for v in values] if log else values
    scale = Scale.of(values, 100, 500, log)
    places = [scale(v) for v in sorted(values)]
    assert places == sorted(places) and places[0] >= 100 and places[-1] <= 500
    assert all(scale.low <= tick <= scale.high for tick in scale.ticks)


def test_a_scale_turned_over_runs_down():
    scale = Scale.of([0.0, 1.0], 300, 10)
    assert scale(0.0) > scale(0.5) > scale(1.0)
    assert scale(0.5) == pytest.approx(155)


def test_one_wide_interval_does_not_press_the_rest_into_a_line():
    chart = Chart("t", [0, 1], heights([0.0, 0.2], [-40.0, 40.0]), ("x", "y"))
    assert abs(chart.y(0.0) - chart.y(0.2)) > 60
    chart.ribbon([0, 1], [-40, -40], [40, 40], Look("red", "circle"))
    places = re.search(r'polygon points="([^"]+)"', chart.draw())[1].split()
    assert all(0 <= float(one.split(",")[1]) <= chart.high for one in places)


def test_counts_have_whole_ticks():
    assert all(tick == int(tick) for tick in Scale.of([2, 4, 6, 8], 0, 100).ticks)


@pytest.mark.parametrize("where", [0.02, 0.5, 0.96], ids=["foot", "middle", "top"])
def test_names_do_not_lie_over_each_other(where):
    chart = Chart("t", [0, 1], [0, 1], ("x", "y"), names=12)
    for k in range(12):
        chart.name(where + 0.01 * (k % 3), f"m{k}", Look("red", "circle"))
    at = [float(y) for y in re.findall(r'y="([\d.]+)" text-anchor="start"', chart.draw())]
    assert len(at) == 12 and min(np.diff(sorted(at))) >= 20.9
    assert min(at) > 0 and max(at) < chart.high


def test_no_two_methods_look_alike_and_controls_are_grey():
    found = looks([*"abcdefghijklmnop", "no-op", "sign flip"])
    assert len(set(found.values())) == len(found)
    assert {found[name].colour for name in ("no-op", "sign flip")} == {"#8a8f98"}
    assert all(found[name].dash for name in ("no-op", "sign flip"))


def test_numbers_are_short():
    assert short("-0.30 [10.05, 0.5]") == "−.30 [10.05, .5]"


# --- dashboard ------------------------------------------------------------------------------------


def test_the_dashboard_says_every_verdict_and_interval():
    board = dashboard()
    text = sound(show(board).static)
    table = board.to_frame().set_index("method")
    last = assessment().query("measure == 'deleted'").groupby("method").tail(1)
    for one in last.itertuples():
        assert table.loc[one.method, "verdict"].endswith(one.verdict)
        assert short(f"{one.estimate:+.3f}") in table.loc[one.method, "deleted"]
        assert table.loc[one.method, "deleted"] in text
    assert repr(show(board)) == repr(board) and "no-op different" in repr(board)
    lines = 3 * len(board.methods) + len(METHODS)
    assert text.count("<svg") == 4 and text.count("<polyline") == lines


def test_equal_tables_give_equal_text():
    assert dashboard().drawn() == dashboard().drawn()


def test_seconds_are_added_up_and_of_bases_the_mean_is_taken():
    one = pd.DataFrame({"method": "a", "request": [0, 1], "seconds": [1.0, 3.0], "status": "done"})
    two = one.assign(seconds=[3.0, 5.0], status=["done", "failed"])
    table = assessment().assign(method="a").groupby(["measure", "checkpoint"]).head(1)
    line = Dashboard(table, pd.concat([one, two])).to_frame().iloc[0]
    assert float(line["seconds"]) == 6.0 and line["failed"] == "1"


@pytest.mark.parametrize("column", ["verdict", "estimate", "margin"], ids=str)
def test_a_table_without_a_column_is_refused(column):
    with pytest.raises(DataError, match=column):
        Dashboard(assessment().drop(columns=column), streams().values())


def test_an_empty_table_and_a_measure_that_is_not_there_are_refused():
    with pytest.raises(DataError, match="no line"):
        Dashboard(assessment().head(0), streams().values())
    with pytest.raises(DataError, match="others"):
        Dashboard(assessment(), streams().values(), measures=("deleted", "others"))
    with pytest.raises(DataError, match="recall"):
        Frontier(assessment(), streams().values(), utility="recall")


def test_a_method_of_any_name_is_text():
    table = assessment().replace({"method": {"fine-tune": HOSTILE}})
    spent = [one.outcomes.assign(method=name) for name, one in streams().items()]
    spent = pd.concat(spent).replace({"method": {"fine-tune": HOSTILE}})
    for view in (Dashboard(table, spent, title=HOSTILE), Frontier(table, spent, source=HOSTILE)):
        text = sound(show(view).static)
        assert "<img" not in text and "⟨RLO⟩" in text


def test_what_could_not_be_measured_is_a_dash():
    table = assessment()
    empty = table["method"].eq("fine-tune") & table["measure"].eq("exposed")
    table.loc[empty, ["estimate", "low", "high"]] = np.nan
    board = Dashboard(table, streams().values())
    assert board.to_frame().set_index("method").loc["fine-tune", "exposed"] == "–"
    sound(show(board).static)


# --- a person -------------------------------------------------------------------------------------


def test_lists_hide_what_was_held_when_they_were_served():
    found, both = people(), people().scenario
    for user in found.users[:4]:
        lists = found.lists(user, "fine-tune")
        before = both.known(0).histories([user]).item
        after = both.known(found.done).histories([user]).item
        assert not np.isin(lists["before"], before).any()
        assert not np.isin(lists["fine-tune"], after).any()


def test_reasons_are_counted_from_the_rows_that_are_left():
    found = people()
    for user in found.users.tolist():
        counted_again(found, user)


def counted_again(found: People, user: int) -> None:
    why = found.why(user, "no-op")
    gone = found.scenario.deleted(found.done)[[user]].indices
    assert sorted(why["item"]) == sorted(gone)
    held = (found.scenario.known(found.done).matrix().toarray() > 0).astype(float)
    share = held.mean(axis=0)
    for one in why.itertuples():
        assert one.popularity == pytest.approx(share[one.item] / share.mean())
        alike = held @ held[user] / np.sqrt(np.maximum(held.sum(axis=1), 1e-9))
        alike[user] = -1
        near = np.argsort(-alike, kind="stable")[:20]
        assert one.neighbours == pytest.approx(held[near, one.item].mean() / share[one.item])
        if one.after - one.retrain > 0.05:
            assert why.loc[one.Index, "remembered by"] == "the weights"


def test_an_untouched_model_remembers_and_a_refitted_one_does_not():
    found = people()
    by = {
        name: sum(
            (found.why(user, name)["remembered by"] == "the weights").sum() for user in found.users
        )
        for name in ("no-op", "retrain")
    }
    assert by["no-op"] > 0 and by["retrain"] == 0


def test_a_person_who_asked_for_nothing_is_refused_and_so_are_models_without_a_retrain():
    stranger = int(np.setdiff1d(np.arange(400), people().users)[0])
    with pytest.raises(UnknownUser, match="asked for nothing"):
        people().drawn(stranger)
    with pytest.raises(ConfigError, match="retrain"):
        People({"before": 1}, people().scenario)


def test_the_choice_of_a_person_and_a_method_draws_again():
    board = dashboard()
    live = show(board).widget()
    assert live.drawing.value == board.drawn()
    other = int(board.people.users[1])
    live.person.value, live.method.value = other, "fine-tune"
    assert live.drawing.value == board.drawn(other, "fine-tune") != board.drawn()
    assert "application/vnd.jupyter.widget-view+json" in show(board)._repr_mimebundle_()
    alone = show(Dashboard(assessment(), streams().values())).widget()
    assert len(alone.children) == 1


# --- frontier -------------------------------------------------------------------------------------


@given(arrays.arrays(float, st.tuples(st.integers(1, 8), st.just(3)), elements=st.floats(0, 9)))
def test_what_is_on_the_frontier_is_beaten_by_nothing(costs):
    frame = pd.DataFrame(costs, columns=["estimate", "utility", "seconds"])
    found = undominated(frame)
    assert found.any()
    costs = costs * [1, -1, 1]
    for k, own in enumerate(costs):
        beaten = any((one <= own).all() and (one < own).any() for one in costs)
        assert found[k] == (not beaten)


def test_the_frontier_shows_who_is_on_it():
    one = Frontier(assessment(), streams().values())
    text = sound(show(one).static)
    assert text.count("● yes") == one.to_frame()["on"].sum() and text.count("<svg") == 2
    assert text.count("<title>") == 2 * len(METHODS) and repr(one).startswith("Frontier(3 methods")


def test_the_live_frontier_is_drawn_again_for_another_utility_and_time():
    one = Frontier(assessment(), streams().values())
    live = show(one).widget()
    assert live.drawing.value == show(one).static
    assert set(one.utilities) <= {*live.utility.options} and "ndcg@10" in one.utilities
    live.utility.value = "recall@10"
    assert "RECALL@10, less" in sound(live.drawing.value)
    assert (
        live.drawing.value
        == Frontier(one.assessment, one.outcomes, utility="recall@10")._repr_html_()
    )
    live.time.value = "longest request"
    assert "seconds, longest request" in sound(live.drawing.value)


def test_the_time_of_the_longest_request_is_not_that_of_all():
    whole, longest = (
        Frontier(assessment(), streams().values(), time=time).to_frame()
        for time in ("all requests", "longest request")
    )
    retrain = streams()["retrain"].outcomes["seconds"]
    seconds = [one.set_index("method")["seconds"]["retrain"] for one in (whole, longest)]
    assert seconds == pytest.approx([retrain.sum(), retrain.max()])
    with pytest.raises(ConfigError, match="all requests or longest request"):
        Frontier(assessment(), streams().values(), time="sometimes")


def test_a_method_without_outcomes_is_not_on_the_frontier():
    few = [streams()["retrain"]]
    assert Frontier(assessment(), few).to_frame()["method"].tolist() == ["retrain"]


def test_the_topic_of_the_stream_is_the_one_of_the_world():
    assert set(people().scenario.items) == set(world().catalogue.items_of(TOPIC))
