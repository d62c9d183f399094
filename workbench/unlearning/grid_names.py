"""What the names in a grid stand for: data, models, methods, scenarios."""

from __future__ import annotations

import importlib
import inspect
import typing
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from typing import Any

import numpy as np
from pydantic import BaseModel, ValidationError

from workbench._run_folders import source_of
from workbench.data import Interactions
from workbench.errors import ConfigError
from workbench.recommend.tasks import Task, basket_task, collaborative_task, session_task
from workbench.unlearning.grid_config import Asked, Grid, Source
from workbench.unlearning.scenario import Scenario
from workbench.unlearning.stream import Method

TASKS = {"collaborative": collaborative_task, "session": session_task, "basket": basket_task}
RIVALS = {"collaborative": "EASE", "session": "SKNN", "basket": "TopFreq"}
"""The counted model of each task, below which a trained one is undertrained."""
PREPARED = {"tombstone": ("tombstone", "buried"), "sisa": ("exact", "sharded")}
"""Methods that start from another model than the base: algorithm, and what makes that model."""


def methods_of(grid: Grid) -> list[dict[str, Any]]:
    """Fields of a `Step` for every method, in every mode it has."""
    found = []
    for name, told in grid.algorithms.items():
        told = dict(told)
        batch = told.pop("batch", 1)
        own = algorithm_of(name).algorithm
        # what is shipped goes with the version; what a reader writes is changed from run to run
        code = source_of(inspect.unwrap(own))[:16] if ":" in name else ""
        config = config_class(own)
        fields = config.model_fields if config else {}
        for mode in grid.modes if "mode" in fields else ("",):
            more = {"mode": mode} if mode else {}
            if mode == "as_in_fork":
                more |= {key: value for key, value in grid.as_in_fork.items() if key in fields}
            settings = _made(config, told | more, name)
            line = {"algorithm": name, "code": code, "mode": mode, "told": settings}
            found.append(line | {"batch": batch})
    return found


def algorithm_of(name: str) -> Method:
    """A method by its name in `workbench.unlearning.algorithms`, or as `module:function`.

    Raises `ConfigError` where there is none.
    """
    from workbench.unlearning import algorithms

    if name in PREPARED:
        own, prepare = (getattr(algorithms, part) for part in PREPARED[name])
        return Method(name, own, prepare=prepare)
    where, _, function = name.rpartition(":")
    try:
        found = getattr(
            importlib.import_module(where or "workbench.unlearning.algorithms"), function
        )
    except (ImportError, AttributeError) as error:
        near = ", ".join(get_close_matches(name, [*algorithms.__all__, *PREPARED], 3))
        do = "name one of workbench.unlearning.algorithms, or module:function"
        do += f"; near to it: {near}" if near else ""
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
    own = config().training.model_dump() if training else {}
    return _made(config, told | {key: own | value for key, value in training.items()}, name)


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
    from workbench.unlearning import scenarios
    from workbench.unlearning.flood import flood
    from workbench.unlearning.scenarios import placebo
    from workbench.unlearning.spam import spam

    log, catalogue = opened(source)
    if asked.kind == "spam":
        how = {"how": asked.topic or "bandwagon", "share": asked.share, "seed": asked.seed}
        return spam(log, task, **how).scenario(asked.n, situation(source, task))
    if asked.kind == "flood":
        return flood(log, task, seed=asked.seed).scenario()
    how = {"n": asked.n, "seed": asked.seed, "order": asked.order, "name": str(asked)}
    if asked.kind in ("sensitive", "placebo"):
        how |= {"items": catalogue.items_of(asked.topic), "at_least": asked.at_least}
        found = scenarios.sensitive(situation(source, task), **how)
        return found if asked.kind == "sensitive" else placebo(found, asked.seed, str(asked))
    return getattr(scenarios, asked.kind)(situation(source, task), **how)


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
