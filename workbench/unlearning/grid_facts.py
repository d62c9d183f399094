"""What a plan needs of data, kept beside a grid: who only looks at a grid opens no log.

A fact is a fingerprint or a number: of a log, of training rows, requests, people, continued sessions.
`facts.json` names the version, the grid, and of the files of every source size and time of change.
Where one of them is another, the log is opened and the fact looked up anew. A file with the same size
and time, but other content, is not noticed; `run` always looks at the data itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, ValidationError

from workbench import __version__, data
from workbench.errors import ConfigError, DataError
from workbench.settings import Frozen
from workbench.unlearning.grid_config import Asked, Grid, Source
from workbench.unlearning.grid_names import opened, scenario_of, situation
from workbench.unlearning.measures import continued
from workbench.whole import whole_file

FACTS = "facts.json"
MOST, LONGEST = 20_000, 4_000_000
"""Of a file that is believed: requests of a stream, and bytes. What says more is looked up anew."""
Hex = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Number = Annotated[int, Field(ge=0, le=10**9)]


class Written(Frozen):
    """Facts in writing."""

    model_config = ConfigDict(strict=True, extra="forbid")
    format: Literal["workbench grid facts 1"] = "workbench grid facts 1"
    version: str
    """Of the workbench."""
    grid: Hex
    """sha256 of the grid's JSON."""
    files: dict[str, Hex]
    """Of every source, `stamp_of_data` of its files."""
    prints: dict[str, Hex]
    """Fingerprints of logs."""
    numbers: dict[str, Number]
    """All else."""


class Facts:
    """Facts by what they are about, looked up once; known: some that a file told."""

    def __init__(self, known: Written | None = None) -> None:
        self.prints = dict(known.prints) if known else {}
        self.numbers = dict(known.numbers) if known else {}

    def fingerprint(self, source: Source) -> str:
        """Of the log."""
        return self._once(self.prints, ("log", source), lambda: opened(source)[0].fingerprint)

    def rows(self, source: Source, task: str) -> int:
        """Training rows of a task."""
        about = ("rows", source, task)
        return self._once(self.numbers, about, lambda: len(situation(source, task).train))

    def requests(self, source: Source, task: str, asked: Asked) -> int:
        """Requests of a stream."""
        about = ("requests", source, task, asked)
        return self._once(
            self.numbers, about, lambda: len(scenario_of(source, task, asked).requests)
        )

    def people(self, source: Source, task: str, asked: Asked) -> int:
        """People who leave in it."""

        def count() -> int:
            scenario = scenario_of(source, task, asked)
            return len(scenario.leaving_people(len(scenario.requests)))

        return self._once(self.numbers, ("people", source, task, asked), count)

    def sessions(self, source: Source, asked: Asked, done: int) -> int:
        """Continued sessions that are asked after so many requests."""
        return self._once(
            self.numbers,
            ("sessions", source, asked, done),
            lambda: continued(scenario_of(source, "session", asked), done),
        )

    @staticmethod
    def _once(known: dict, about: tuple, look: Callable) -> str | int:
        key = " ".join(_text(one) if isinstance(one, Frozen) else str(one) for one in about)
        if key not in known:
            known[key] = look()
        return known[key]


def keep_facts(facts: Facts, grid: Grid, folder: Path) -> None:
    """Write what is known into the folder of a grid."""
    files = {_text(source): data.stamp_of_data(source.name) for source in grid.sources}
    told = {"version": __version__, "grid": _digest(_text(grid)), "files": files}
    said = Written(**told, prints=facts.prints, numbers=facts.numbers)
    with whole_file(Path(folder) / FACTS) as new:
        new.write_text(said.model_dump_json(indent=1), encoding="utf-8")


def kept_facts(grid: Grid, folder: Path) -> Facts:
    """What a run left; nothing, so that all is looked up, where there is no such file, it is damaged or
    too large, or it is of another version, another grid, or other data."""
    path = Path(folder) / FACTS
    try:
        if path.stat().st_size > LONGEST:
            return Facts()
        said = Written.model_validate_json(path.read_bytes())
        files = {_text(source): data.stamp_of_data(source.name) for source in grid.sources}
    except (OSError, ValidationError, ConfigError, DataError):
        return Facts()
    same = (said.version, said.grid, said.files) == (__version__, _digest(_text(grid)), files)
    large = any(n > MOST for key, n in said.numbers.items() if key.startswith("requests "))
    return Facts(said) if same and not large else Facts()


def _text(config: Frozen) -> str:
    return config.model_dump_json()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
