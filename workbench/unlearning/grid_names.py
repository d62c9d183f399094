"""What the names in a grid stand for: data, models, methods, scenarios."""

from __future__ import annotations

import importlib
import inspect
import typing
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, PositiveInt, SerializeAsAny, ValidationError

from workbench._run_folders import source_of
from workbench.data import Interactions
from workbench.errors import ConfigError
from workbench.recommend.tasks import TASKS, Task
from workbench.settings import Frozen
from workbench.unlearning.grid_config import Asked, Grid, Source
from workbench.unlearning.scenario import Scenario
from workbench.unlearning.stream import Method

RIVALS = {"collaborative": "EASE", "session": "SKNN", "basket": "TopFreq"}
"""The counted model of each task, below which a trained one is undertrained."""
PREPARED = {"tombstone": ("tombstone", "buried"), "sisa": ("exact", "sharded")}
"""Methods that start from another model than the base: algorithm, and what makes that model."""


class Told(BaseModel):
    """Settings of one's own algorithm as they were kept, whose class is not imported."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Own(Frozen):
    """What a `Step` says of one's own algorithm, as it was when the grid ran."""

    algorithm: str
    code: str
    mode: str
    told: SerializeAsAny[Told] | None
    batch: PositiveInt


def own_names(grid: Grid) -> list[str]:
    """Algorithms of a grid that are not shipped: `module:function`, whose module would be imported."""
    return [name for name in grid.algorithms if ":" in name]


def consented(grid: Grid, given: bool) -> None:
    """Raise `ConfigError` where a command would import what nobody consented to, or what only a
    notebook has."""
    names = own_names(grid)
    if of_main := [name for name in names if name.startswith("__main__:")]:
        what = f"{', '.join(of_main)} is of a notebook, and cannot be found from a command"
        raise ConfigError(what, "algorithms", "module:function", "write it into a module")
    if names and not given:
        what = f"runs code that is not of the workbench: {', '.join(names)}"
        raise ConfigError(what, "algorithms", "your consent", "read that code, then pass --own")


def methods_of(grid: Grid, own: Sequence[Own] | None = None) -> list[dict[str, Any]]:
    """Fields of a `Step` for every method, in every mode it has. own: what is known of one's own
    algorithms, whose modules are not imported then; what it lacks is left out."""
    found = []
    for name, told in grid.algorithms.items():
        if ":" in name and own is not None:
            found += [dict(one) for one in own if one.algorithm == name]
            continue
        told = dict(told)
        batch = told.pop("batch", 1)
        if type(batch) is not int or batch < 1:
            raise ConfigError(f"batch = {batch!r}", f"algorithms.{name}", "a number from 1")
        own_function = algorithm_of(name).algorithm
        # what is shipped goes with the version; what a reader writes is changed from run to run
        code = source_of(inspect.unwrap(own_function))[:16] if ":" in name else ""
        config = config_class(own_function)
        fields = config.model_fields if config else {}
        if "mode" in fields and not grid.modes:
            raise ConfigError(f"no mode for {name}", "modes", "corrected, as_in_fork, or both")
        for mode in grid.modes if "mode" in fields else ("",):
            more = {"mode": mode} if mode else {}
            if mode == "as_in_fork":
                more |= {key: value for key, value in grid.as_in_fork.items() if key in fields}
            settings = _made(config, told | more, f"algorithms.{name}")
            line = {"algorithm": name, "code": code, "mode": mode, "told": settings}
            found.append(line | {"batch": batch})
    return found


def algorithm_of(name: str) -> Method:
    """A method by its name in `workbench.unlearning.algorithms`, or as `module:function`, whose module
    is imported.

    Raises `ConfigError` where there is none.
    """
    from workbench.unlearning import algorithms

    if name in PREPARED:
        own, prepare = (getattr(algorithms, part) for part in PREPARED[name])
        return Method(name, own, prepare=prepare)
    where, _, function = name.rpartition(":")
    try:
        if where:
            found = getattr(importlib.import_module(where), function)
        elif name in algorithms.__all__:
            found = getattr(algorithms, name)
        else:
            raise AttributeError("none of that name is shipped")
        own = found.algorithm if isinstance(found, Method) else found
        if not inspect.isfunction(own):
            raise TypeError(f"{type(own).__name__}, not a function")
        inspect.signature(own).bind("model", "before", "request", None, 0)
    except Exception as error:  # a module of one's own may raise anything
        ways = sorted({one for one in algorithms.__all__ if _is_algorithm(one)} | set(PREPARED))
        near = get_close_matches(name, ways, 3)
        do = f"name one of {', '.join(ways)}, or module:function"
        do += f"; near to it: {', '.join(near)}" if near else ""
        what = f"no algorithm {name!r} ({error})"
        want = "a function of (model, before, request, config, seed)"
        raise ConfigError(what, "algorithms", want, do) from error
    return found if isinstance(found, Method) else Method(name, found)


def _is_algorithm(name: str) -> bool:
    from workbench.unlearning import algorithms

    found = getattr(algorithms, name)
    return inspect.isfunction(found) and [*inspect.signature(found).parameters][:1] == ["model"]


def must_fit(name: str, model: str) -> None:
    """Raise `ConfigError` where a shipped algorithm cannot do anything with a model."""
    from workbench.unlearning.methods import NEEDS, UNOPENED, offers

    if ":" in name:
        return
    algorithm_of(name)
    own, has = PREPARED.get(name, (name, None)), offers(model_class(model)())
    # by their names: rows of other algorithms stay unopened
    needs = {line.need for line in UNOPENED.values() if own == (line.algorithm, line.prepare)}
    if needs and not needs & has:
        able = [one for one in UNOPENED if NEEDS[one] in has]
        what = f"{name} cannot be done on {model}, which is none of: {', '.join(sorted(needs))}"
        do = f"leave one out; rows that fit: {', '.join(able)}"
        raise ConfigError(what, f"algorithms.{name}", f"what fits {model}", do)


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
        have = [one for one in recommend.__all__ if hasattr(getattr(recommend, one), "fit")]
        raise ConfigError(f"no model {name!r}", "models", f"one of {', '.join(sorted(have))}")
    return found


def task_of(model: str) -> str:
    """Which task a recommender is asked, by the folder it stands in."""
    return model_class(model).__module__.split(".")[-2]


def settings_of(kind: Any, told: dict[str, Any], name: str) -> BaseModel | None:
    """Settings of a model: its own, but for what is told, in nested tables too."""
    config = getattr(kind, "Config", None)
    if config is None:
        return None
    training = {key: value for key, value in told.items() if key == "training"}
    if not all(isinstance(value, dict) for value in training.values()):
        what = f"training = {training['training']!r}"
        raise ConfigError(what, f"models.{name}", "a table, as { epochs = 2 }")
    own = config().training.model_dump() if training else {}
    return _made(
        config, told | {key: own | value for key, value in training.items()}, f"models.{name}"
    )


def _made(config: type[BaseModel] | None, told: dict[str, Any], name: str) -> BaseModel | None:
    if config is None and not told:
        return None
    try:
        return config(**told)
    except ValidationError as error:
        wrong = error.errors()[0]
        what = f"{'.'.join(map(str, wrong['loc']))} = {wrong['input']!r}: {wrong['msg']}"
        raise ConfigError(what, name, f"settings of {config.__name__}") from error
    except TypeError as error:
        raise ConfigError(f"{told} cannot be used ({error})", name, "no settings") from error


@cache
def opened(source: Source) -> tuple[Interactions, Any]:
    """Log and catalogue; read once a process."""
    # by their names on a shelf: a grid on the generated world opens no reader of files
    from workbench import data as shelf

    world = source.name == "world"
    data = shelf.load_world() if world else shelf.open_data(source.name)
    log, catalogue = data.log, data.catalogue
    if source.users < 1:
        drawn = np.random.default_rng(0).permutation(log.n_users)
        some = drawn[: max(1, round(source.users * log.n_users))]
        log = log.select(np.isin(log.frame["user"], some))
    kept = log
    if source.at_least is not None:
        kept = shelf.keep_at_least(kept, source.at_least)
    if source.core is not None:
        kept = shelf.keep_core(kept, source.core, source.core, reindex=True)
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
    from workbench.unlearning import scenarios

    log, catalogue = opened(source)
    if asked.kind == "spam":
        from workbench.unlearning.spam import spam

        how = {"how": asked.topic or "bandwagon", "share": asked.share, "seed": asked.seed}
        return spam(log, task, **how).scenario(asked.n, situation(source, task))
    if asked.kind == "flood":
        from workbench.unlearning.flood import flood

        return flood(log, task, seed=asked.seed).scenario()
    how = {"n": asked.n, "seed": asked.seed, "order": asked.order, "name": str(asked)}
    if asked.kind in ("sensitive", "placebo"):
        how |= {"items": catalogue.items_of(asked.topic), "at_least": asked.at_least}
        found = scenarios.sensitive(situation(source, task), **how)
        found = (
            scenarios.placebo(found, asked.seed, str(asked)) if asked.kind == "placebo" else found
        )
    else:
        found = getattr(scenarios, asked.kind)(situation(source, task), **how)
    return scenarios.together(found, asked.together)


def method_of(fields: dict[str, Any]) -> Method:
    """A method from the fields of a `Step`, under the name that tables give it."""
    found = algorithm_of(fields["algorithm"])
    own = {"name": name_of(fields), "batch": fields["batch"]}
    return replace(found, **own, config=fields["told"] or found.config)


def name_of(fields: dict[str, Any]) -> str:
    """How tables call a method, from the fields of a `Step`."""
    batch = f"×{fields['batch']}" if fields["batch"] > 1 else ""
    name = fields["algorithm"].removeprefix("__main__:").replace("no_op", "no-op")
    words = (name, fields["mode"].replace("_", " "), batch)
    return " ".join(filter(None, words))
