"""The benchmark as a grid: what is to be run, written down, and its cells.

    data × model × algorithm × mode × scenario × seed × request

A `Grid` is a frozen config, in a TOML file or in code. `plan` makes of it three lists of cells, each
again a frozen config whose hash is the folder of its result (`workbench.runs`): models that are
fitted (bases and their rivals), models fitted anew without what was forgotten, and one `Step` for
every request that a method serves. Steps of one stream are a chain: each reads the model that the
one before it left.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import typing
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, Field, PositiveInt, SerializeAsAny

from workbench.data import Interactions
from workbench.errors import ConfigError
from workbench.recommend.tasks import Task, basket_task, collaborative_task, session_task
from workbench.settings import Frozen
from workbench.unlearning.requests import Request, merged
from workbench.unlearning.scenarios import Scenario, sensitive
from workbench.unlearning.stream import Method, checkpoints_of

TASKS = {"collaborative": collaborative_task, "session": session_task, "basket": basket_task}
RIVALS = {"collaborative": "EASE", "session": "SKNN", "basket": "TopFreq"}
"""The counted model of each task, below which a trained one is undertrained."""


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

    topic: str = ""
    """Items of this topic of the catalogue."""
    n: PositiveInt | None = 20
    """People who ask, one request each; None takes all who can."""
    at_least: PositiveInt = 3
    """Items of the topic that each of them holds at least."""
    seed: int = 2
    """Draws the people."""
    order: Literal["id", "drawn"] = "id"
    """In which they ask."""


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
        """The model that the stream starts from."""
        shared = {name: getattr(self, name) for name in ("source", "data", "model", "settings")}
        return Fit(**shared, seed=self.seed)


class Grid(Frozen):
    """What is to be run; read from TOML by `read_grid`."""

    name: str = "smoke"
    sources: tuple[Source, ...] = (Source(),)
    models: dict[str, dict[str, Any]]
    """By name, with what differs from the model's own settings."""
    algorithms: dict[str, dict[str, Any]]
    """By name, with what differs from the method's own settings; `module:function` is one of yours,
    `batch` says how many requests wait for each other."""
    modes: tuple[str, ...] = ("corrected", "as_in_fork")
    as_in_fork: dict[str, Any] = Field(default_factory=dict)
    """What is told to methods in that mode besides, where they have such a setting (a cap)."""
    asked: tuple[Asked, ...]
    seeds: tuple[int, ...] = (1,)
    """Of the bases."""
    retrain_seeds: tuple[int, ...] = (11, 12, 13, 14, 15)
    checkpoints: PositiveInt = 4
    margin: float = Field(default=0.03, gt=0)
    """Of the verdict, fixed before the run."""
    ranking: bool = True
    """Whether methods may be put in an order; not where bases are undertrained."""


@dataclass(frozen=True)
class Plan:
    """The cells of a grid: bases and rivals, retrains, steps."""

    grid: Grid
    bases: tuple[Fit, ...]
    rivals: tuple[Fit, ...]
    retrains: tuple[Fit, ...]
    steps: tuple[Step, ...]

    def __repr__(self) -> str:
        chains = len({step.stream() for step in self.steps})
        fits = f"{len(self.bases)} bases, {len(self.rivals)} rivals, {len(self.retrains)} retrains"
        return f"Plan({self.grid.name}: {chains} cells, {len(self.steps)} requests, {fits})"


def plan(grid: Grid) -> Plan:
    """All cells of a grid. Raises `ConfigError` for names and settings that there are not, and
    `DataError` where nobody can ask for what is asked."""
    bases, rivals, retrains, steps = {}, {}, {}, {}
    for source, (model, told) in itertools.product(grid.sources, grid.models.items()):
        kind = model_class(model)
        task = task_of(kind)
        shared = {"source": source, "data": opened(source)[0].fingerprint}
        own = shared | {"model": model, "settings": settings_of(kind, told, model)}
        bases |= dict.fromkeys(Fit(**own, seed=seed) for seed in grid.seeds)
        rivals[Fit(**shared, model=RIVALS[task])] = None
        for asked in grid.asked:
            requests = scenario_of(source, task, asked).requests
            marks = checkpoints_of(len(requests), grid.checkpoints)
            some = itertools.product(marks, grid.retrain_seeds)
            retrains |= dict.fromkeys(
                Fit(**own, asked=asked, done=done, seed=seed) for done, seed in some
            )
            for method, seed in itertools.product(methods_of(grid), grid.seeds):
                cell = own | method | {"asked": asked, "seed": seed, "marks": marks}
                for request in merged(requests, method["batch"]):
                    steps[Step(**cell, request=request.request)] = None
    return Plan(grid, *(tuple(cells) for cells in (bases, rivals, retrains, steps)))


# --- what names stand for -------------------------------------------------------------------------


def methods_of(grid: Grid) -> list[dict[str, Any]]:
    """Fields of a `Step` for every method, in every mode it has."""
    found = []
    for name, told in grid.algorithms.items():
        told = dict(told)
        batch = told.pop("batch", 1)
        config = config_class(algorithm_of(name).algorithm)
        fields = config.model_fields if config else {}
        for mode in grid.modes if "mode" in fields else ("",):
            more = {"mode": mode} if mode else {}
            if mode == "as_in_fork":
                more |= {key: value for key, value in grid.as_in_fork.items() if key in fields}
            settings = _made(config, told | more, name)
            found.append({"algorithm": name, "mode": mode, "told": settings, "batch": batch})
    return found


def algorithm_of(name: str) -> Method:
    """A method by its name in `workbench.unlearning.algorithms`, or as `module:function`.

    Raises `ConfigError` where there is none.
    """
    where, _, function = name.rpartition(":")
    try:
        found = getattr(
            importlib.import_module(where or "workbench.unlearning.algorithms"), function
        )
    except (ImportError, AttributeError) as error:
        do = "name one of workbench.unlearning.algorithms, or module:function"
        raise ConfigError(f"no algorithm {name!r} ({error})", "algorithms", do=do) from error
    return found if isinstance(found, Method) else Method(name, found)


def config_class(function: Any) -> type[BaseModel] | None:
    """The class of settings that a function's argument `config` is annotated with."""
    said = typing.get_type_hints(inspect.unwrap(function)).get("config")
    kinds = [said, *typing.get_args(said)]
    found = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return found[0] if found else None


def model_class(name: str) -> Any:
    """A recommender by its name; raises `ConfigError` where there is none."""
    from workbench import recommend

    found = getattr(recommend, name, None) if name in recommend.__all__ else None
    if not hasattr(found, "fit"):
        raise ConfigError(f"no model {name!r}", "models", "a recommender of workbench.recommend")
    return found


def task_of(kind: type) -> str:
    """Which task a recommender is asked, by the folder it stands in."""
    return kind.__module__.split(".")[-2]


def settings_of(kind: Any, told: dict[str, Any], name: str) -> BaseModel | None:
    """Settings of a model: its own, but for what is told, in nested tables too."""
    config = getattr(kind, "Config", None)
    if config is None:
        return None
    training = {key: value for key, value in told.items() if key == "training"}
    own = config().training.model_dump() if training else {}
    return _made(config, told | {key: own | value for key, value in training.items()}, name)


def _made(config: type[BaseModel] | None, told: dict[str, Any], name: str) -> BaseModel | None:
    if config is None and not told:
        return None
    try:
        return config(**told)
    except (TypeError, ValueError) as error:
        said = str(error).splitlines()
        raise ConfigError(f"{told} cannot be used ({' '.join(said[:3])})", name) from error


@cache
def opened(source: Source) -> tuple[Interactions, Any]:
    """Log and catalogue; read once a process."""
    from workbench.data import keep_at_least, keep_core, load_world, open_data

    data = load_world() if source.name == "world" else open_data(source.name)
    log, catalogue = data.log, data.catalogue
    if source.users < 1:
        drawn = np.random.default_rng(0).permutation(log.n_users)
        some = drawn[: max(1, round(source.users * log.n_users))]
        log = log.select(np.isin(log.frame["user"], some))
    kept = log
    if source.at_least is not None:
        kept = keep_at_least(kept, source.at_least)
    if source.core is not None:
        kept = keep_core(kept, source.core, source.core, reindex=True)
    if kept is not log:
        log, catalogue = kept.log, kept.match(catalogue)
    return log, catalogue


@cache
def situation(source: Source, task: str) -> Task:
    """The task that models of a source are asked."""
    return TASKS[task](opened(source)[0])


@cache
def scenario_of(source: Source, task: str, asked: Asked) -> Scenario:
    """The stream of requests that a recipe makes."""
    items = opened(source)[1].items_of(asked.topic)
    how = {"n": asked.n, "at_least": asked.at_least, "seed": asked.seed, "order": asked.order}
    return sensitive(situation(source, task), items, **how, name=asked.topic)


def served(config: Step, scenario: Scenario) -> list[Request]:
    """The requests of a stream as they are served, batches as one."""
    return merged(scenario.requests, config.batch)
