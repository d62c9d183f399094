"""The live screen without a browser: what is sent for a press, in which order, and what stops it."""

from __future__ import annotations

import asyncio
import json
import re
import threading

import pytest

from tests.views.states import after, start
from workbench.data import load_world
from workbench.ledger import Service
from workbench.recommend import ALS
from workbench.recommend.collaborative.als import ALSConfig
from workbench.views import Screen
from workbench.views.screen.answers import answers as told_of
from workbench.views.screen.live import ForgetScreen, answers
from workbench.views.screen.state import state
from workbench.views.screen.static import static_screen

ACTION = {"interactions": [17], "switches": {"tombstone": True}, "topic": "tea"}


def pretend(action):
    """An answer and three controls, none made before it is asked for."""
    yield {"state": after(action)}
    for done in (1, 2, 3):
        yield {"control": {"kind": "placebo rows"}, "controls": {"done": done, "of": 3}}


@pytest.fixture(scope="module")
def screen():
    """A screen on a model that has to be fitted anew for every request."""
    world = load_world()
    few = world.log.select(world.log.frame["user"] < 60)
    model = ALS(ALSConfig(factors=8, epochs=3))
    return Screen(Service.build(few, world.catalogue, model), 12, "Horror novels")


def test_a_press_is_answered_in_steps():
    first, *rest = answers(pretend, {"id": "v-1", "action": ACTION})
    assert first["id"] == "v-1"
    assert [one["fate"] for one in first["state"]["sentences"]] == ["back", "gone", "kept"]
    assert json.loads(json.dumps(first)) == first
    assert [reply["controls"]["done"] for reply in rest] == [1, 2, 3]
    assert {reply["id"] for reply in rest} == {"v-1"}


@pytest.mark.parametrize(
    "message",
    [{"id": 1}, {"id": 1, "action": {}}, {"id": 1, "action": ACTION | {"interactions": [9]}}],
)
def test_bad_messages_are_reported(message):
    (reply,) = answers(pretend, message)
    assert reply["id"] == 1 and reply["error"] and "state" not in reply


ODD = [
    *(None, True, False, 0, -1, 1.5, 1e300, 10**30, -(10**30), "", "x", "17", "\u202e\x1b[2J\x00"),
    *([], [[]], [None], ["x"], [1.5], [True], [-1], [10**30], [{}], [0], {}, {"a": 1}, "x" * 10**5),
]
"""JSON of every kind, none of it what a part of a press may be."""


def hostile_messages(screen):
    """Whole messages, actions, and each part of an action, replaced by something odd."""
    right = {"interactions": [], "switches": {}, "topic": None}
    yield from ODD
    for odd in ODD:
        yield {"id": odd}
        yield {"id": 1, "action": odd}
        # nothing asked for, and no switch at all, are right
        if odd != []:
            yield {"id": 1, "action": right | {"interactions": odd}}
        if odd:
            yield {"id": 1, "action": right | {"switches": odd}}
            yield {"id": 1, "action": right | {"topic": odd}}
        if not isinstance(odd, bool):
            yield {"id": 1, "action": right | {"switches": {"log": odd}}}
    # names that Python might take for something else
    for name in (
        "self",
        "interactions",
        "topic",
        "rest ",
        "__class__",
        "model_config",
        "",
        "x" * 999,
    ):
        yield {"id": 1, "action": right | {"switches": {name: True}}}
    deep = []
    for _ in range(500):
        deep = [deep]
    yield {"id": 1, "action": right | {"interactions": deep}}
    # rows of somebody else
    foreign = screen.service.log.rows_of(screen.user + 1)["interaction"].tolist()[:1]
    yield {"id": 1, "action": right | {"interactions": foreign}}


def test_whatever_is_sent_is_answered_with_a_sentence(screen):
    messages = list(hostile_messages(screen))
    assert len(messages) > 150
    for message in messages:
        (reply,) = answers(screen.steps, message)
        assert set(reply) == {"id", "error"}, message
        # a sentence of the project, not of Python, and not longer than is read
        assert re.match(r"(Data|Config)Error: |Unknown", reply["error"]), (message, reply)
        assert len(reply["error"]) < 1000
    # and the next press is answered as if nothing had been
    first, *_ = answers(screen.steps, {"id": 2, "action": {"interactions": []}})
    assert first["state"]["history"] == screen.state["history"]


def test_the_widget_replies_to_every_message(screen):
    widget, sent = ForgetScreen.of(screen.state, screen.steps), []
    widget.send = sent.append
    for message in ODD:
        widget._handle_custom_msg(message, [])
    assert len(sent) == len(ODD) and all("error" in reply for reply in sent)


def test_whatever_goes_wrong_is_told():
    def fails(action):
        raise MemoryError("no room")
        yield

    assert list(answers(fails, {"id": 3, "action": {}})) == [
        {"id": 3, "error": "MemoryError: no room"}
    ]


def test_a_control_that_fails_is_reported_after_the_answer():
    def broken(action):
        yield {"state": after(action)}
        raise ValueError("no control")

    first, last = answers(broken, {"id": 2, "action": ACTION})
    assert "state" in first and last == {"id": 2, "error": "ValueError: no control"}


def test_without_a_kernel_the_widget_sends_everything_at_once():
    widget, sent = ForgetScreen.of(start(), pretend), []
    widget.send = sent.append
    widget._handle_custom_msg({"id": 5, "action": ACTION}, [])
    assert sent[0]["id"] == 5 and sent[0]["state"]["history"][0]["removed"]
    assert [reply["controls"]["done"] for reply in sent[1:]] == [1, 2, 3]


def test_another_press_ends_the_controls_of_the_last():
    sent = []

    async def press_twice():
        widget = ForgetScreen.of(start(), pretend)
        widget.send = sent.append
        # as some front ends do: from another thread, while the loop is at other work
        message = {"id": "one", "action": ACTION}
        await asyncio.to_thread(widget._handle_custom_msg, message, [])
        while len(sent) < 2:
            await asyncio.sleep(0.001)
        widget._handle_custom_msg({"id": "two", "action": ACTION}, [])
        while len(sent) < 6:
            await asyncio.sleep(0.001)
        await widget._answering

    asyncio.run(press_twice())
    told = [(reply["id"], reply.get("controls", {}).get("done", 0)) for reply in sent]
    assert told == [("one", 0), ("one", 1), ("two", 0), ("two", 1), ("two", 2), ("two", 3)]


def test_nothing_is_made_in_the_thread_that_hands_the_press_over():
    made = []

    def here(action):
        made.append(threading.current_thread())
        yield {"state": after(action)}

    async def press():
        widget = ForgetScreen.of(start(), here)
        widget.send = lambda reply: None
        await asyncio.to_thread(widget._handle_custom_msg, {"id": 1, "action": ACTION}, [])
        await asyncio.sleep(0.05)

    asyncio.run(press())
    assert made == [threading.main_thread()]


def test_no_verdict_before_the_last_control(screen):
    rows = [row["interaction"] for row in screen.state["history"]][:4]
    action = {"interactions": rows, "topic": "Horror novels", "switches": {}}
    first, *rest = screen.steps(action)
    assert first["state"]["controls"] == {"done": 0, "of": 6} and not first["state"]["null"]
    assert "0 of 6 comparisons made so far" in static_screen(first["state"])
    assert "too few for a verdict" not in static_screen(first["state"])
    # five of six are no verdict either
    told = screen.forget(rows)
    most = state(told, told.controls[:5])
    assert dict(told_of(most))["How sure are we?"] == ["5 of 6 comparisons made so far"]
    # all together they are what is answered at once
    whole = screen.act(action)
    assert [one["control"] for one in rest] == whole["null"]
    assert rest[-1]["controls"] == whole["controls"] == {"done": 6, "of": 6}
    for name in first["state"].keys() - {"null", "controls", "seconds"}:
        assert first["state"][name] == whole[name], name
    assert len(dict(told_of(whole))["How sure are we?"]) == 3


def test_a_trained_model_opens_without_controls_and_starts_again_without(screen):
    assert screen.state["controls"] == {"done": 0, "of": 3} and screen.state["null"] == []
    (again,) = screen.steps({"interactions": [], "topic": None, "switches": {}})
    assert {**again["state"], "seconds": 0} == {**screen.state, "seconds": 0}
