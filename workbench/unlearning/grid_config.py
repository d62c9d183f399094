"""The benchmark as a grid, written down: frozen configs of the whole and of every cell.

    data × model × algorithm × mode × scenario × seed × request

The hash of a cell is the folder of its result (`workbench.runs`). Steps of one stream are a chain:
each reads the model that the one before it left.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, SerializeAsAny

from workbench.settings import Frozen


class Source(Frozen):
    """Data of a grid, and what of it is used."""

    name: str = "world"
    """The generated world, or the name of a card."""
    at_least: float | None = None
    """Ratings that count as chosen; None takes every row."""
    core: PositiveInt | None = None
    """Rows that every user and item must have, again and again; None keeps all."""
    users: float = Field(default=1.0, gt=0, le=1)
    """Share of the users, drawn with seed 0."""


class Asked(Frozen):
    """What is asked to be forgotten, as a recipe: the same on every machine."""

    kind: Literal["sensitive", "mistakes", "accounts", "placebo", "spam", "flood"] = "sensitive"
    """What the requests are, by the name of the function that draws them; placebo: those of
    `sensitive`, with as many rows outside the topic."""
    topic: str = ""
    """Items of this topic of the catalogue (sensitive, placebo), or the attack (spam)."""
    n: PositiveInt | None = 20
    """People who ask; None takes all who can. Of spam: accounts a request."""
    together: PositiveInt = 1
    """People of one request: a group that leaves as one. Not of spam and floods."""
    at_least: PositiveInt = 3
    """Items of the topic that each of them holds at least."""
    seed: int = 2
    """Draws the people."""
    order: Literal["id", "drawn"] = "id"
    """In which they ask."""
    share: float = Field(default=0.01, gt=0, lt=1)
    """Of spam: fake users or sessions among all."""

    def __str__(self) -> str:
        group = f" ({self.together} together)" if self.together > 1 else ""
        return f"{self.kind} {self.topic}".rstrip() + group


class Fit(Frozen):
    """A model that is fitted: a base, a rival, or a retrain that never saw the first `done` requests."""

    source: Source
    data: str
    """Fingerprint of the log."""
    model: str
    settings: SerializeAsAny[BaseModel] | None = None
    """Of the model; None where it has none."""
    asked: Asked | None = None
    """None: nothing is taken out."""
    done: int = 0
    seed: int = 1


class Step(Frozen):
    """One request of a stream, served by one method on one base."""

    source: Source
    data: str
    model: str
    settings: SerializeAsAny[BaseModel] | None = None
    algorithm: str
    code: str = ""
    """Of an algorithm of one's own: a digest of what it says, so that another text is another cell."""
    mode: str = ""
    """`corrected` or `as_in_fork`; nothing for methods without modes."""
    told: SerializeAsAny[BaseModel] | None = None
    """Settings of the method."""
    batch: PositiveInt = 1
    """Requests that wait for each other and are served as one."""
    asked: Asked
    seed: int = 1
    """Of the base, and of what the method draws."""
    request: int
    """Number of the request, of a batch its last."""
    marks: tuple[int, ...] = ()
    """Checkpoints: after how many requests models are kept and measured."""

    def stream(self) -> tuple[Any, ...]:
        """What all steps of one stream have in common; `run` takes it as the chain."""
        return tuple(
            value.model_dump_json() if isinstance(value, BaseModel) else value
            for name, value in self
            if name != "request"
        )

    def base(self) -> Fit:
        """The model that the stream starts from: of spam and floods one fitted on what was planted."""
        shared = {name: getattr(self, name) for name in ("source", "data", "model", "settings")}
        planted = self.asked if self.asked.kind in ("spam", "flood") else None
        return Fit(**shared, asked=planted, seed=self.seed)


class Grid(Frozen):
    """What is to be run; read from TOML by `read_grid`."""

    model_config = ConfigDict(strict=False)  # lists of TOML are tuples here
    name: str = Field(default="smoke", pattern=r"^[\w-]+$")
    """Of its folder too: letters, digits, _ and -."""
    sources: tuple[Source, ...] = Field(default=(Source(),), min_length=1)
    models: dict[str, dict[str, Any]] = Field(min_length=1)
    """By name, with what differs from the model's own settings."""
    algorithms: dict[str, dict[str, Any]] = Field(min_length=1)
    """By name, with what differs from the method's own settings; `module:function` is one of yours
    (`__main__:mine` the one of a notebook), `batch` says how many requests wait for each other."""
    modes: tuple[str, ...] = Field(default=("corrected", "as_in_fork"), min_length=1)
    as_in_fork: dict[str, Any] = Field(default_factory=dict)
    """What is told to methods in that mode besides, where they have such a setting (a cap)."""
    asked: tuple[Asked, ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field(default=(1,), min_length=1)
    """Of the bases."""
    retrain_seeds: tuple[int, ...] = Field(default=(11, 12, 13, 14, 15), min_length=1)
    checkpoints: PositiveInt = 4
    margin: float = Field(default=0.03, gt=0)
    """Of the verdict, fixed before the run."""
    ranking: bool = True
    """Whether methods may be put in an order; not where bases are undertrained."""
