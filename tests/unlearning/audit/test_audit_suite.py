"""Harm, and several checks as one table."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from workbench.errors import ConfigError, DataError
from workbench.unlearning.audit import CHECKS, audit, deleted_rows, harm_to_others
from workbench.unlearning.audit._table import COLUMNS
from workbench.unlearning.audit.harm import below_all, groups_of, utilities


def test_below_all_is_a_comparison_of_extremes():
    one, two = np.array([[1.0, 1.0], [2.0, 4.0]]), np.array([[3.0, 3.0], [5.0, 5.0]])
    assert below_all(one, two).tolist() == [1, 0]


def test_harm_finds_a_broken_model_and_not_a_retrain(shop):
    broken = [one.copy() for one in shop.bases]
    for one in broken:
        noise = torch.randn(
            one.module.item.weight.shape, generator=torch.Generator().manual_seed(0)
        )
        one.module.item.weight.data += 0.5 * noise
    models = {"held out": shop.models["held out"], "broken": broken}
    asked = (models, shop.retrained, shop.scenario, shop.done)
    found = harm_to_others(*asked).table
    wanted = found["row"].eq("broken") & found["check"].str.contains(", all|churn")
    assert wanted.sum() == 3 and found.loc[wanted, "fires"].all()
    assert not found.loc[found["row"].isin(["held out", "retrain"]), "fires"].any()


def test_nobody_who_asked_is_among_the_others(shop):
    people, ask = utilities(shop.scenario, shop.done)
    assert not set(people) & set(shop.scenario.leavers(shop.done))
    assert ask(shop.bases[0]).shape == people.shape
    groups = groups_of(shop.scenario, people)
    assert not (groups["least active"] & groups["most active"]).any()
    held = shop.scenario.task.train.matrix()[people][:, shop.scenario.items].sum(axis=1) > 0
    np.testing.assert_array_equal(groups["topic holders"], held)


def test_thirds_are_thirds_of_people_and_utility_is_ndcg_behind_the_mask(shop):
    people, ask = utilities(shop.scenario, shop.done)
    groups, task = groups_of(shop.scenario, people), shop.scenario.task
    rows = np.bincount(task.owner, minlength=task.people.max() + 1)[people]
    thirds = [groups[name] for name in ("least active", "middle third", "most active")]
    np.testing.assert_array_equal(np.sum(thirds, axis=0), 1)
    for name in ("least active", "most active"):
        assert groups[name].mean() == pytest.approx(1 / 3, abs=0.05)
    assert rows[groups["least active"]].max() < rows[groups["most active"]].min()
    # ndcg@10 by hand, one question a person
    found = dict(zip(people, ask(shop.bases[0]), strict=True))
    for row in np.flatnonzero(np.isin(task.person, people))[:20]:
        line = np.array(shop.bases[0].score(task.histories.select([row]))[0], float)
        line[task.exclude[[row]].indices] = -np.inf
        best, right = np.argsort(-line, kind="stable")[:10], task.targets[[row]].indices
        gain = (np.isin(best, right) / np.log2(np.arange(2, 12))).sum()
        ideal = (1 / np.log2(np.arange(2, 2 + min(10, len(right))))).sum()
        assert found[task.person[row]] == pytest.approx(gain / ideal)


def test_lists_of_others_are_those_of_people_who_did_not_ask(shop):
    asked = ({"no-op": shop.bases}, shop.retrained, shop.scenario, shop.done)
    each = harm_to_others(*asked).each
    people = set(each.loc[each["check"] == "harm: churn@10, others", "person"])
    leaving = shop.scenario.task.people[shop.scenario.leavers(shop.done)]
    assert people and not people & set(leaving)


def test_an_audit_is_its_checks_one_after_another(shop):
    def mine(models, retrained, scenario, done, seed=0):
        return deleted_rows(models, retrained, scenario, done, seed)

    asked = (shop.models, shop.retrained, shop.scenario, shop.done)
    found = audit(*asked, checks=("rows", "lists", mine), options={"lists": {"k": 5}})
    assert found.table.columns.tolist() == COLUMNS
    checks = found.table["check"]
    assert checks.str.startswith("rows").sum() == 18 and checks.str.contains("overlap@5").any()
    assert found.line("held out")["row"] == "held out"


def test_a_check_that_is_none_is_refused_before_any_work(shop):
    with pytest.raises(ConfigError, match="no check 'row'"):
        audit(shop.models, shop.retrained, shop.scenario, shop.done, checks=("rows", "row"))
    with pytest.raises(DataError, match="retrains"):
        audit(shop.models, shop.retrained[:2], shop.scenario, shop.done, checks=("rows",))


def test_every_name_leads_to_a_check():
    from importlib import import_module

    for name, function in CHECKS.items():
        assert callable(getattr(import_module(f"workbench.unlearning.audit.{name}"), function))


def test_the_face_imports_no_torch():
    code = "import sys, workbench.unlearning.audit; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
