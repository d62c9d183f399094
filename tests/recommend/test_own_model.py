"""A recommender of one's own: two methods, and every door is open to it. And the settings of the
house's models, by name."""

from __future__ import annotations

import inspect
import pydoc
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from workbench import recommend
from workbench.errors import ConfigError, ModelError
from workbench.ledger import Service, forget
from workbench.recommend import ALS, EASE, ByRefit, Popularity, check_recommender, compare
from workbench.recommend.comparison import over_both
from workbench.unlearning import Request, boomerang, leavers, unlearn
from workbench.unlearning.algorithms import tombstone
from workbench.views import Screen, show
from workbench.worlds import load_world

MODELS = [kind for name in recommend.__all__ if hasattr(kind := getattr(recommend, name), "Config")]


README = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")


def written_in_readme():
    """The class that README shows."""
    (block,) = re.findall(r"```python\n(class Together:.*?)```", README, re.DOTALL)
    assert len(block.splitlines()) <= 10
    names = {}
    exec(block, names)
    return names["Together"]


Together = written_in_readme()


class Draws(Together):
    """Its scores hang on a seed, and it is told apart by `seed`."""

    seed = 0

    def fit(self, log):
        super().fit(log)
        noise = np.random.default_rng(self.seed).standard_normal(self.counts.shape)
        self.counts = self.counts + 5 * noise
        return self


@pytest.fixture(scope="module")
def world():
    return load_world()


@pytest.fixture(scope="module")
def log(world):
    people = np.unique(world.log.frame["user"])[:60]
    return world.log.select(world.log.frame["user"].isin(people).to_numpy())


@pytest.fixture(scope="module")
def horror(world):
    return world.catalogue.items_of("Horror novels")


@pytest.fixture(scope="module")
def task(world):
    return recommend.collaborative_task(world.log)


# --- two methods ----------------------------------------------------------------------------------


def test_ten_lines_are_in_the_table_and_on_the_screen(world, task, horror):
    assert check_recommender(Together).ok
    table = compare({"mine": Together(), "popular": Popularity()}, task).table.set_index("model")
    assert table.loc["mine", "ndcg"] > table.loc["popular", "ndcg"] > 0
    service = Service.build(world.log, world.catalogue, Together())
    assert service.ways == ("retrain",)
    screen = Screen(service, 310)
    rows = world.log.rows_of(310)
    ids = rows.loc[rows["item"].isin(horror), "interaction"].tolist()
    told = screen.forget(ids)
    left = told.services[1].model
    again = Together().fit(world.log.without(ids))
    assert np.array_equal(left.counts, again.counts)
    assert not np.array_equal(service.model.counts, again.counts)
    assert "gone" in set(told.fates["fate"]) and "Forget" in show(screen).static
    assert forget(service, 310, ids).inexact == ""


def test_the_boomerang_of_two_methods_is_that_of_a_model_that_forgets(log, horror):
    class Forgets(Together):
        def fit(self, log):
            self.log = log
            return super().fit(log)

        def copy(self):
            return Forgets().fit(self.log)

        def forget(self, removed):
            return self.fit(self.log.without(removed.frame["interaction"]))

    mine, theirs = (boomerang(one.fit(log), log, horror) for one in (Together(), Forgets()))
    pd.testing.assert_frame_equal(mine.table, theirs.table)
    assert mine.table["exposed"].notna().any()
    # it is fitted there: one that was fitted on other rows, or on none, says the same
    for other in (Together(), Together().fit(log.select(np.arange(len(log)) < 50))):
        pd.testing.assert_frame_equal(boomerang(other, log, horror).table, mine.table)
    gone = [leavers(one, log, [0, 3]) for one in (Together(), Forgets().fit(log))]
    pd.testing.assert_frame_equal(*gone)


def test_a_refit_that_draws_anew_is_not_called_exact(log, horror):
    class Random(Together):
        def fit(self, log):
            super().fit(log)
            self.counts = self.counts + np.random.default_rng().random(self.counts.shape)
            return self

    users = np.flatnonzero(log.matrix()[:, horror].count_nonzero(axis=1) >= 3)[:2]
    assert boomerang(Random(), log, horror, users=users).off > 0
    assert boomerang(Together(), log, horror, users=users).off == 0


def test_forgetting_by_refit_leaves_the_model_as_it_was(log):
    mine = Together()
    ids = log.frame["interaction"].iloc[:30]
    held = ByRefit(mine).fit(log)
    twin = held.copy().forget(log.only(ids))
    assert not hasattr(mine, "counts")
    want = Together().fit(log.without(ids)).score(log.histories())
    assert np.array_equal(twin.score(log.histories()), want)
    assert not np.array_equal(held.score(log.histories()), want)
    with pytest.raises(ModelError, match="ByRefit has not been fitted"):
        ByRefit(mine).forget(log.only(ids))


def test_an_algorithm_takes_a_model_without_copy(log):
    request = Request(0, log.frame["interaction"].iloc[:3])
    model = Together().fit(log)
    assert unlearn(tombstone, model, log, request).model is not model


@pytest.mark.parametrize("door", [boomerang, lambda *given: leavers(given[0], given[1], [0])])
def test_what_cannot_score_is_refused_before_any_work(door, log, horror):
    class Half:
        def fit(self, log):
            pytest.fail("fitted")

    with pytest.raises(ConfigError, match="Half has no score"):
        door(Half(), log, horror)
    with pytest.raises(ConfigError, match=r"the class Together.*Together\(\)"):
        door(Together, log, horror)


# --- the table ------------------------------------------------------------------------------------


def test_differences_are_to_the_model_that_is_named(task):
    models = {"mine": Together(), "popular": Popularity()}
    plain = compare(models, task).table.set_index("model")
    other = compare(models, task, against="popular").table.set_index("model")
    assert [*plain.index] == [*other.index] == ["mine", "popular"]
    assert plain.loc["popular", "vs"] == pytest.approx(-other.loc["mine", "vs"])
    assert other["vs"].isna().tolist() == [False, True]
    assert plain["ndcg"].tolist() == other["ndcg"].tolist()
    with pytest.raises(ConfigError, match="no model is called 'EASE'"):
        compare(models, task, against="EASE")


def test_several_metrics_are_those_of_one_each(task):
    models = {"mine": Together(), "popular": Popularity()}
    both = compare(models, task, metrics=("recall", "ndcg"))
    for metric in ("recall", "ndcg"):
        one = compare(models, task, metrics=metric).table.rename(columns={metric: "value"})
        part = both.table[both.table["metric"] == metric].drop(columns="metric")
        pd.testing.assert_frame_equal(part.reset_index(drop=True), one)
    with pytest.raises(ConfigError, match="metric ''"):
        compare(models, task, metrics=())
    for wrong in (5, None, [["ndcg"]], [{}]):
        with pytest.raises(ConfigError, match="metric "):
            compare(models, task, metrics=wrong)
    for wrong in ("x", -1, None):
        with pytest.raises(ConfigError, match="seed "):
            compare(models, task, seed=wrong)


def test_seeds_widen_the_interval_of_a_model_that_draws_and_of_no_other(task):
    models = {"draws": Draws(), "mine": Together()}
    one, five = (compare(models, task, seeds=seeds, against="mine") for seeds in (1, 5))
    wide = [found.table.set_index("model") for found in (one, five)]
    columns = ["ndcg", "low", "high"]
    assert wide[0].loc["mine", columns].tolist() == wide[1].loc["mine", columns].tolist()
    # the bounds are those of all seeds and people; of the difference, too
    means = five.values.pivot_table("value", ["model", "seed"], "person")
    drawn, fixed = means.loc["draws"].to_numpy(), means.loc["mine"].to_numpy()
    assert drawn.shape == (5, 400) and fixed.shape == (1, 400)
    bounds = [*over_both(drawn), *over_both(drawn - fixed)]
    names = ["low", "high", "vs low", "vs high"]
    assert wide[1].loc["draws", names].tolist() == pytest.approx(bounds)
    assert wide[1].loc["draws", "vs"] == pytest.approx((drawn - fixed).mean())
    found = compare({"draws": Draws()}, task, seeds=[3, 4])
    assert found.models["draws"].seed == 3 and found.values["seed"].nunique() == 2
    seeds = [compare({"d": made}, task).table["ndcg"][0] for made in map(seeded_with, (3, 4))]
    assert found.table["ndcg"][0] == pytest.approx(np.mean(seeds))
    for wrong in (0, 2.0, [-1], "ab"):
        with pytest.raises(ConfigError, match="seeds"):
            compare(models, task, seeds=wrong)
    assert compare({"als": ALS()}, task, seeds=2).values["seed"].nunique() == 2


def seeded_with(seed):
    made = Draws()
    made.seed = seed
    return made


def test_the_interval_over_people_and_seeds_covers():
    rng, held = np.random.default_rng(0), 0
    for _ in range(400):
        people, seeds = rng.normal(0, 1, (1, 30)), rng.normal(0, 0.3, (4, 1))
        low, high = over_both(people + seeds + rng.normal(0, 0.5, (4, 30)))
        held += low <= 0 <= high
    assert 0.93 <= held / 400 <= 0.99
    # a person who was not answered once is left out; nobody twice has no interval
    values = np.array([[0.1, 0.3, np.nan], [0.2, 0.3, 0.9]])
    assert over_both(values) == over_both(values[:, :2])
    assert np.isnan(over_both(values[:, :1])).all()


def test_a_table_for_a_paper_holds_names_as_they_are(task):
    models = {"mine_1 & 50% {a}\\": Together(), "popular\n\\end": Popularity()}
    found = compare(models, task, metrics=["ndcg", "hit_rate"])
    lines = found.to_latex(2).splitlines()
    assert lines[0].startswith("% data: log ") and "seeds: 1" in lines[0]
    assert lines[3] == r"model & ndcg & hit\_rate \\"
    value, low, high = found.table.loc[0, ["value", "low", "high"]]
    mine = r"mine\_1 \& 50\% \{a\}\textbackslash{}"
    assert lines[5].startswith(rf"{mine} & \textbf{{{value:.2f}}} [{low:.2f}, {high:.2f}] & ")
    assert lines[6].startswith(r"popular \textbackslash{}end & ") and len(lines) == 9
    assert found.table.attrs["provenance"] == found.source


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind.__name__)
def test_every_model_takes_its_settings_by_name_and_tells_them(kind):
    told = pydoc.plain(pydoc.render_doc(kind))
    for name, field in kind.Config.model_fields.items():
        made = kind(**{name: field.get_default()})
        assert made.config == kind.Config() and f"{name}: " in told
        assert " ".join(field.description.split())[:40] in told
    assert [*inspect.signature(kind).parameters] == ["config", *kind.Config.model_fields]
    with pytest.raises(ConfigError, match="no_such_setting"):
        kind(no_such_setting=1)


def test_a_setting_that_cannot_be_is_named():
    assert EASE(l2=50).config.l2 == 50 and repr(EASE(l2=50)) == "EASE(l2=50)"
    with pytest.raises(ConfigError, match=r"EASE\.l2: -1 cannot be used.*greater than 0.*l2, ch"):
        EASE(l2=-1)
    with pytest.raises(ConfigError, match="beside a config"):
        EASE(EASE.Config(), l2=50)
    with pytest.raises(ConfigError, match=r"50 in place of settings.*by name"):
        EASE(50)
