"""One shopper's forget screen: everything it shows comes from `workbench.ledger.forget`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError
from workbench.html import provenance
from workbench.ledger import Forgetting, Service, Switches, forget


class Screen:
    """The screen of one shopper of a service.

    `user` is a user code, `topic` what the exposure is about (the reader may choose another on the
    screen), `switches` where *Forget* reaches at first, `data` what the provenance line calls the
    log. The service itself is never changed: every press starts from the same data, so *Start
    again* is exact.

    >>> Screen(service, user=3, topic="Horror novels").act(
    ...     {"interactions": [17], "switches": {"tombstone": True}})["seconds"]  # doctest: +SKIP
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
        self.service, self.user, self.topic, self.seed, self.data = (
            service,
            int(user),
            topic,
            seed,
            data,
        )
        self.switches = switches or Switches()

    def __repr__(self) -> str:
        return f"Screen(user {self.user}, topic {self.topic!r}, {len(self.state['history'])} rows)"

    @cached_property
    def state(self) -> dict[str, Any]:
        """What the screen shows first: nothing forgotten yet."""
        return self._drawn([], None, {})

    def _drawn(
        self, rows: Iterable[int], topic: str | None, switches: dict[str, bool]
    ) -> dict[str, Any]:
        return self.forget(rows, topic, **switches).to_state() | {"provenance": self.provenance()}

    def forget(
        self, interactions: Iterable[int], topic: str | None = None, **switches: bool
    ) -> Forgetting:
        """What the button does: forget these rows, with some switches set otherwise than at
        first."""
        chosen = Switches(**{**self.switches.model_dump(), **switches})
        return forget(
            self.service,
            self.user,
            list(interactions),
            chosen,
            topic=topic or self.topic,
            seed=self.seed,
        )

    def smallest_set(self, text: str) -> list[int]:
        """The rows under the first sentence that contains `text`; raises `WorkbenchError` when
        there is none."""
        for sentence in self.state["sentences"]:
            if text in sentence["text"]:
                return list(sentence["smallest"])
        raise WorkbenchError(
            f"no sentence contains {text!r}", "smallest_set(text)", "words of the report"
        )

    def act(self, action: dict[str, Any]) -> dict[str, Any]:
        """Answer one action of the screen, [interactions, switches, topic], with the next state;
        JSON both ways."""
        switches = {name: bool(on) for name, on in dict(action.get("switches") or {}).items()}
        rows = [int(row) for row in action["interactions"]]
        return self._drawn(rows, action.get("topic"), switches)

    def _repr_html_(self) -> str:
        from workbench.ledger.plain import static_screen

        return static_screen(self.state)

    def widget(self) -> Any:
        """The live screen."""
        from workbench.views.show import show

        return show(self).widget()

    def export(self, path: Path | str) -> Path:
        """Write the screen as one HTML file that still computes; see `workbench.views.export`."""
        from workbench.views.export import export

        return export(self, path)

    def provenance(self) -> str:
        """Data, users, requests, seeds, profile."""
        log = self.service.log
        return provenance(
            data=self.data or f"log {log.fingerprint[:8]}",
            users=log.n_users,
            requests=1,
            seeds=self.seed,
        )
