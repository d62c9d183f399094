"""Several checks of several methods as one long table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from workbench.errors import ConfigError
from workbench.unlearning.audit._asked import Models
from workbench.unlearning.audit._table import Audit, joined
from workbench.unlearning.scenarios import Scenario

CHECKS = {
    "rows": "deleted_rows",
    "topic": "other_topic_items",
    "lists": "list_overlap",
    "divergence": "output_divergence",
    "leak": "leak_probe",
    "membership": "membership_inference",
    "relearn": "relearning",
    "population": "population_attack",
    "harm": "harm_to_others",
    "strata": "strata_distance",
    "alignment": "alignment_forecast",
    "pairs": "pair_distances",
}
"""Checks by the names of their files. `relearn` and `alignment` need `bases`."""
QUICK = ("rows", "topic", "lists", "leak", "population", "harm", "strata", "pairs")
"""What any trained model can be asked within seconds."""
SPAM = tuple(check for check in QUICK if check not in ("topic", "leak"))
"""The same of spam and floods: a ring that is gone has no vectors to be probed, nor need it have hidden
behind anything."""


def audit(
    models: Models,
    retrained: Sequence[Any],
    scenario: Scenario,
    done: int,
    checks: Sequence[str] | None = None,
    seed: int = 0,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> Audit:
    """Run some checks, each over all methods; `.table` is [check, row, estimate, low, high,
    null_low, null_high, n, fires].

    models: of each method some models, one a base. checks: None takes `QUICK`, of
    spam `SPAM`. options: more arguments of a check, by its name.
    A check of one's own may stand among them as a function of the same arguments. Raises
    `ConfigError` for a name that is none, before any work.

    >>> audit({"no-op": bases}, retrained, scenario, 40, checks=("rows", "lists"))  # doctest: +SKIP
    """
    checks = (SPAM if scenario.promotes else QUICK) if checks is None else checks
    ways = [(check, check if callable(check) else _named(check)) for check in checks]
    options = options or {}
    found = [
        check(models, retrained, scenario, done, seed=seed, **options.get(name, {}))
        for name, check in ways
    ]
    return joined(*found)


def _named(name: str) -> Callable[..., Audit]:
    if name not in CHECKS:
        raise ConfigError(f"no check {name!r}", "audit", f"some of {', '.join(CHECKS)}")
    return getattr(import_module(f"workbench.unlearning.audit.{name}"), CHECKS[name])
