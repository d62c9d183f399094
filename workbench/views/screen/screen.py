"""One shopper's forget screen: everything it shows comes from `workbench.ledger.forget`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from workbench.errors import WorkbenchError
from workbench.html import provenance
from workbench.ledger import Forgetting, Service, Switches, forget
from workbench.views.screen.state import line, state
from workbench.views.screen.static import static_screen

State = dict[str, Any]


class Screen:
    """The screen of one shopper of a service.

    `user` is a user code, `topic` what the exposure is about (the reader may choose another on the
    screen), `switches` where *Forget* reaches at first, `data` what the provenance line calls the
    log. The service itself is never changed: every press starts from the same data, so *Start
    again* is exact.

    >>> Screen(service, user=3, topic="Horror novels").act(
    ...     {"interactions": [17], "switches": {"tombstone": True}})["footer"]  # doctest: +SKIP
    """

    def __init__(
        self,
        service: Service,
        user: int,
        topic: str | None = None,
        switches: Switches | None = None,
        seed: int = 0,
        data: str = "",
    ) -> None:
        self.service = service
        self.user = int(user)
        self.topic = topic
        self.switches = switches or Switches()
        self.seed = seed
        self.data = data

    def __repr__(self) -> str:
        return f"Screen(user {self.user}, topic {self.topic!r}, {len(self.state['history'])} rows)"

    @cached_property
    def state(self) -> State:
        """What the screen shows first: nothing forgotten yet.

        Controls are part of it only where the model takes rows out without training.
        """
        told = self.forget([])
        counted = hasattr(self.service.model, "forget")
        return state(told, None if counted else ()) | {"provenance": self.provenance()}

    def forget(
        self, interactions: Iterable[int], topic: str | None = None, **switches: bool
    ) -> Forgetting:
        """What the button does: forget these rows, with some switches set otherwise than at
        first."""
        chosen = Switches(**{**self.switches.model_dump(), **switches})
        topic = topic or self.topic
        return forget(self.service, self.user, list(interactions), chosen, topic, self.seed)

    def smallest_set(self, text: str) -> list[int]:
        """The rows under the first sentence that contains `text`; raises `WorkbenchError` when
        there is none."""
        for sentence in self.state["sentences"]:
            if text in sentence["text"]:
                return list(sentence["smallest"])
        raise WorkbenchError(
            f"no sentence contains {text!r}", "smallest_set(text)", "words of the report"
        )

    def act(self, action: dict[str, Any]) -> State:
        """Answer one action of the screen, [interactions, switches, topic], with the next state;
        JSON both ways."""
        return state(self._asked(action)) | {"provenance": self.provenance()}

    def steps(self, action: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The same answer in parts: the request's own as {state}, then one control after another.

        A control comes as {control, controls}; `controls` says how many are done, and of how many.
        """
        asked = self._asked(action)
        yield {"state": state(asked, ()) | {"provenance": self.provenance()}}
        # where nothing was asked for, nothing is held against it
        controls = asked.controls if asked.interactions else ()
        for done, control in enumerate(controls, 1):
            yield {"control": line(control), "controls": {"done": done, "of": len(controls)}}

    def _asked(self, action: dict[str, Any]) -> Forgetting:
        rows = [int(row) for row in action["interactions"]]
        switches = {name: bool(on) for name, on in dict(action.get("switches") or {}).items()}
        return self.forget(rows, action.get("topic"), **switches)

    def _repr_html_(self) -> str:
        return static_screen(self.state)

    def provenance(self) -> str:
        """Data, users, requests, seeds, profile."""
        log = self.service.log
        data = self.data or f"log {log.fingerprint[:8]}"
        return provenance(data=data, users=log.n_users, requests=1, seeds=self.seed)
