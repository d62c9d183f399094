"""One shopper's forget screen: everything it shows comes from `workbench.ledger.forget`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from numbers import Integral
from typing import Any

from workbench.errors import ConfigError, DataError, WorkbenchError
from workbench.html import provenance
from workbench.ledger import Forgetting, Service, Switches, forget
from workbench.views.screen.state import line, state
from workbench.views.screen.static import static_screen
from workbench.views.text import brief, coded

State = dict[str, Any]
PRESSES = 20
"""Presses of buttons that are answered, one after another."""


class Screen:
    """The screen of one shopper of a service.

    `user` is a user code, or an id of the log as text; `topic` what the exposure is about (the
    reader may choose another on the screen), `switches` where *Forget* reaches at first, `data`
    what the provenance line calls the log, `way` how rows leave the item weights at first, one of
    `service.ways`. The service itself is never changed: every press starts
    from the same data, so *Start again* is exact. Raises `UnknownUser`, `UnknownItem` for a topic
    that no product has, and `ConfigError`.

    >>> Screen(service, user=3, topic="Horror novels").act(
    ...     {"interactions": [17], "switches": {"tombstone": True}})["others"]  # doctest: +SKIP
    """

    def __init__(
        self,
        service: Service,
        user: int | str,
        topic: str | None = None,
        switches: Switches | None = None,
        seed: int = 0,
        data: str = "",
        way: str | None = None,
    ) -> None:
        if not isinstance(service, Service):
            raise ConfigError(f"{brief(repr(service))} is no service", "service", "Service.build()")
        self.service = service
        self.user = coded(service.log, user)
        if topic is not None:
            service.catalogue.items_of(topic)
        if not isinstance(switches, Switches | None):
            raise ConfigError(f"{switches!r} are no switches", "switches", "Switches(log=False)")
        if not isinstance(seed, Integral) or seed < 0:
            raise ConfigError(f"{seed!r} is no seed", "seed", "a whole number from 0 on")
        self.topic = topic
        self.switches = switches or Switches()
        self.seed = seed
        self.data = data
        self.way = self._way(way)
        # the last presses, and the screen after them
        self._last: tuple[list[Any], Any] = ([], None)

    def _way(self, way: object) -> str | None:
        """A way of the service, or none; raises `ConfigError` for anything else."""
        ways = self.service.ways
        if way is not None and way not in ways:
            raise ConfigError(f"no way is called {brief(repr(way))}", "way", ", ".join(ways))
        return way

    def __repr__(self) -> str:
        return f"Screen(user {self.user}, topic {self.topic!r}, {len(self.state['history'])} rows)"

    @cached_property
    def state(self) -> State:
        """What the screen shows first: nothing forgotten yet.

        Controls are part of it only where the model takes rows out without training.
        """
        told = self.forget([])
        counted = hasattr(self.service.model, "forget")
        beside = {"provenance": self.provenance(), "changed": []}
        return state(told, None if counted else ()) | beside

    def forget(
        self,
        interactions: Iterable[int],
        topic: str | None = None,
        way: str | None = None,
        **switches: bool,
    ) -> Forgetting:
        """What the button does: forget these rows, with some switches and the way set otherwise
        than at first.

        Raises `DataError` for rows that are no ids of this shopper's and for a topic that is none,
        `ConfigError` for a switch that is none or neither on nor off.
        """
        rows = _row_ids(interactions)
        if topic is not None and not isinstance(topic, str):
            raise DataError(f"{brief(repr(topic))} is no topic", "topic", "the name of a topic")
        # places of this service, each taken or left
        known = ["rest", *(tier.name for tier in self.service.tiers)]
        for name, on in switches.items():
            if name not in known or not isinstance(on, bool):
                what = f"{brief(name)!r} set to {brief(repr(on))}"
                raise ConfigError(what, "switches", f"True or False for {', '.join(known)}")
        chosen = Switches(**{**self.switches.model_dump(), **switches})
        asked = (rows, chosen, topic or self.topic, self.seed)
        return forget(self.service, self.user, *asked, way=self._way(way) or self.way)

    def smallest_set(self, text: str) -> list[int]:
        """The rows under the first sentence that contains `text`; raises `WorkbenchError` when
        there is none."""
        for sentence in self.state["sentences"]:
            if str(text) and str(text) in sentence["text"]:
                return list(sentence["smallest"])
        raise WorkbenchError(
            f"no sentence contains {text!r}", "smallest_set(text)", "words of the report"
        )

    def act(self, action: dict[str, Any]) -> State:
        """Answer one action of the screen, [interactions, switches, topic, way, presses], with the
        next state; JSON both ways. presses: [button, item code], pressed one after another before
        anything is forgotten."""
        asked, told = self._asked(action)
        return state(asked) | told

    def steps(self, action: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The same answer in parts: the request's own as {state}, then one control after another.

        A control comes as {control, controls}; `controls` says how many are done, and of how many.
        """
        asked, told = self._asked(action)
        yield {"state": state(asked, ()) | told}
        # where nothing was asked for, nothing is held against it
        controls = asked.controls if asked.interactions else ()
        for done, control in enumerate(controls, 1):
            yield {"control": line(control), "controls": {"done": done, "of": len(controls)}}

    def _asked(self, action: dict[str, Any]) -> tuple[Forgetting, State]:
        """A press, as a browser sends it: any JSON. With it what the state tells beside."""
        asked = action if isinstance(action, dict) else {}
        rows, switches = asked.get("interactions"), asked.get("switches") or {}
        if not isinstance(rows, list) or not isinstance(switches, dict):
            want = "interactions, a list of row ids; switches, {place: true or false}; topic; way"
            raise DataError(f"{brief(repr(action))} asks for nothing", "action", want)
        # by name, so that none is taken for an argument of `forget`
        wrong = {"self", "interactions", "topic", "way"} & switches.keys()
        if wrong:
            raise ConfigError(f"no place is called {min(wrong)!r}", "switches")
        screen, changed = self.pressed(asked.get("presses") or [])
        told = screen.forget(rows, asked.get("topic"), asked.get("way"), **switches)
        return told, {"provenance": self.provenance(), "changed": changed}

    def pressed(self, presses: list[list[Any]]) -> tuple[Screen, list[str]]:
        """The screen after buttons under the page were pressed, [button, item code] each, and what
        the last of them changed in words; raises as `workbench.reports.recpilot.press`."""
        from workbench.reports.recpilot import changed, press

        if not isinstance(presses, list) or len(presses) > PRESSES:
            want = f"[button, item] at most {PRESSES} times"
            raise DataError(f"{brief(repr(presses))} names no buttons", "presses", want)
        if not presses:
            return self, []
        last, own = self._last
        if presses != last:
            *earlier, asked = presses
            if not isinstance(asked, list) or len(asked) != 2 or not isinstance(asked[0], str):
                what = f"{brief(repr(asked))} is no press"
                raise DataError(what, "presses", "the name of a button and the code of an item")
            before, _ = self.pressed(earlier)
            service = press(before.service, self.user, *asked)
            reports = (one.report(self.user, self.seed) for one in (before.service, service))
            told = changed(*reports, service.catalogue, *asked)
            options = (self.topic, self.switches, self.seed, self.data, self.way)
            own = Screen(service, self.user, *options), told
            self._last = presses, own
        return own

    def _repr_html_(self) -> str:
        return static_screen(self.state)

    def provenance(self) -> str:
        """Data, users, requests, seeds, profile."""
        log = self.service.log
        data = self.data or f"log {log.fingerprint[:8]}"
        return provenance(data=data, users=log.n_users, requests=1, seeds=self.seed)


def _row_ids(given: Iterable[int]) -> list[int]:
    """Row ids as a list; raises `DataError` for anything else, before it is taken for a number."""
    want = "row ids, whole numbers: the column 'interaction' of the log"
    if isinstance(given, str) or not isinstance(given, Iterable):
        topic = brief(repr(given)) if isinstance(given, str) else "topic"
        rows = f"row['interaction'] for row in screen.state['history'] if {topic} in row['topics']"
        do = f"for a topic, [{rows}]"
        raise DataError(f"{brief(repr(given))} names no rows", "interactions", want, do)
    rows = list(given)
    for one in rows:
        if isinstance(one, bool) or not isinstance(one, Integral) or not 0 <= one < 2**63:
            raise DataError(f"{brief(repr(one))} is no row", "interactions", want)
    return [*map(int, rows)]
