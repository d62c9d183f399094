"""No config casts what it is given: a text is no number, a number no truth value."""

from __future__ import annotations

import importlib
import pkgutil

import numpy as np
import pytest
from pydantic import ValidationError

import workbench
from workbench.settings import Frozen, Settings
from workbench.sources.cards import Card
from workbench.sources.sensitive import Rule, Rules
from workbench.unlearning.grid_config import Grid

FROM_TEXT = {Settings, Card, Rule, Rules, Grid}
"""Read from variables, or from TOML whose lists are tuples here."""


def every(kind: type) -> set[type]:
    """A class's subclasses, and theirs."""
    return {kind}.union(*map(every, kind.__subclasses__()))


def configs() -> list[type]:
    """Every config of the package that reads no text."""
    for module in pkgutil.walk_packages(workbench.__path__, "workbench."):
        if module.name.rpartition(".")[2] != "__main__":
            importlib.import_module(module.name)
    own = (one for one in every(Frozen) if one.__module__.startswith("workbench."))
    return sorted({*own} - {Frozen} - FROM_TEXT, key=lambda one: (one.__module__, one.__name__))


CONFIGS = configs()


def numbers(config: type) -> dict[str, object]:
    """What is a number or a truth value unless told, by field."""
    fields = config.model_fields.items()
    return {
        name: one.default for name, one in fields if isinstance(one.default, bool | int | float)
    }


def errors_of(config: type, **given: object) -> set[str]:
    """The fields that are refused."""
    try:
        config(**given)
    except ValidationError as error:
        return {str(one["loc"][0]) for one in error.errors() if one["loc"]}
    return set()


def test_there_are_configs_of_every_part() -> None:
    parts = {one.__module__.split(".")[1] for one in CONFIGS}
    assert parts >= {"recommend", "unlearning", "reports", "tokens"}
    assert sum(map(len, map(numbers, CONFIGS))) > 150


@pytest.mark.parametrize("config", CONFIGS, ids=lambda one: one.__name__)
def test_a_config_casts_nothing(config: type) -> None:
    for name, value in numbers(config).items():
        others = [str(value), str(value).encode(), 1 if isinstance(value, bool) else True]
        others += [] if isinstance(value, bool | float) else [float(value)]
        cast = [other for other in others if name not in errors_of(config, **{name: other})]
        assert not cast, f"{config.__name__}({name}={cast[0]!r})"
        # numpy's numbers are numbers
        plain = np.asarray(value)[()]
        assert name not in errors_of(config, **{name: plain})
