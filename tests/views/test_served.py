"""The service as it is meant to be served: what the log says of repeats and of prices is heeded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from tests.reports.shops import shop
from workbench.cli import app
from workbench.data import Catalogue, Interactions, load_world
from workbench.errors import WorkbenchError
from workbench.reports.forms import buttons
from workbench.reports.recpilot import press
from workbench.sources import open_data
from workbench.views import Screen
from workbench.views.paper import console, markdown
from workbench.views.served import ONCE, once, served


def films(seed=1, again=False):
    """People who saw each film once, of a catalogue that knows no price; `again`: one saw one twice."""
    rng = np.random.default_rng(seed)
    seen = [(u, i) for u in range(10) for i in rng.choice(24, 8, replace=False)]
    seen += [seen[0]] if again else []
    user, item = zip(*seen, strict=True)
    table = pd.DataFrame({"user": user, "item": item, "action": "rating"})
    table["timestamp"] = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(
        range(len(seen)), "h"
    )
    log = Interactions.from_table(
        table, items=pd.Index(range(24)), timestamp="timestamp", action="action"
    )
    frame = pd.DataFrame({"item": range(24), "title": [f"Film {i}" for i in range(24)]})
    frame["kind"] = frame["category"] = np.array(["horror", "drama"])[np.arange(24) % 2]
    return log, Catalogue.from_table(frame.assign(rating=rng.uniform(1, 5, 24)))


def test_a_film_already_seen_is_never_offered():
    log, catalogue = films()
    service = served(log, catalogue)
    assert once(log) and service.mask_seen
    for user in range(log.n_users):
        own = set(log.rows_of(user)["item"])
        assert not own & set(service.evidence(user).offers.values())
        assert service.evidence(user).offers


def test_where_people_have_things_again_they_are_offered_again():
    log, catalogue = films(again=True)
    assert not once(log) and not served(log, catalogue).mask_seen
    world = load_world()
    service = served(world.log, world.catalogue)
    assert not service.mask_seen
    again = [
        service.evidence(user).offers["pick"] in set(world.log.rows_of(user)["item"])
        for user in range(20)
    ]
    assert any(again)


def test_a_press_is_no_repeat():
    log, catalogue = films()
    service = served(log, catalogue)
    pressed = press(service, 3, "dislike", int(log.rows_of(3)["item"].iloc[0]))
    assert once(pressed.log) and served(pressed.log, catalogue).mask_seen


@pytest.mark.parametrize("priced", [False, True])
def test_nothing_cheaper_is_asked_for_where_no_price_is_known(priced):
    log, catalogue = films()
    prices = np.linspace(3, 30, 24) if priced else np.nan
    catalogue = replace(catalogue, frame=catalogue.frame.assign(price=prices))
    service = served(log, catalogue)
    page, screen = service.report(3), Screen(service, 3)
    forms = [page._repr_html_(), markdown(page), console(page), screen._repr_html_()]
    assert [("Cheaper, please" in form) for form in forms] == [priced] * 4
    assert all("Not for me" in form for form in forms)
    assert ("budget" in screen.state["page"]["buttons"]) == ("budget" in buttons(page)) == priced


def test_a_pick_without_a_price_among_others_that_have_one():
    log, catalogue = shop(2, kinds=True)
    service = served(log, catalogue)
    price = catalogue.frame["price"]
    picks = {u: service.evidence(u).offers.get("pick") for u in range(log.n_users)}
    picks = {u: pick for u, pick in picks.items() if pick is not None}
    told = {u: "budget" in buttons(service.report(u)) for u in picks}
    assert told == {u: bool(price.notna()[pick]) for u, pick in picks.items()}
    assert {True, False} == set(told.values())


def test_the_command_says_so(real_data):
    if not (real_data / "ml-100k-recbole").is_dir() and not (real_data / "ml-100k").is_dir():
        pytest.skip("no MovieLens here")
    try:
        user = str(open_data("ml-100k", real_data).log.users[5])
    except WorkbenchError as error:
        pytest.skip(str(error))
    asked = ["report", "--user", user, "--data", "ml-100k", "--folder", str(real_data)]
    told = CliRunner().invoke(app, asked)
    assert told.exception is None, told.output
    assert ONCE in told.output and "Cheaper, please" not in told.output
