"""What is handed on: several results on one page, tables with their provenance, ids and titles where
codes stand."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from workbench.data import Catalogue, Interactions, split
from workbench.errors import ConfigError, DataError, WorkbenchError
from workbench.html import HIDDEN, escape, provenance, source_of, sourced
from workbench.ledger import Service, forget, ladder
from workbench.recommend import EASE, ItemKNN, Popularity, collaborative_task, compare, evaluate
from workbench.statistics import paired_bootstrap
from workbench.unlearning import boomerang, leavers
from workbench.views import Screen, export, show
from workbench.worlds import load_world

TOPIC = "Horror novels"


@pytest.fixture(scope="module")
def world():
    return load_world()


@pytest.fixture(scope="module")
def service(world):
    return Service.build(world.log, world.catalogue, EASE())


@pytest.fixture(scope="module")
def comparison(world):
    models = {"<b>mine</b>": ItemKNN(), "popular": Popularity()}
    return compare(models, collaborative_task(world.log))


@pytest.fixture(scope="module")
def rows(world):
    own = world.log.rows_of(310)
    items = world.catalogue.items_of(TOPIC)
    return own.loc[own["item"].isin(items), "interaction"].tolist()


def test_several_results_stand_on_one_page_that_asks_for_nothing(
    service, comparison, rows, tmp_path
):
    screen = Screen(service, 310, TOPIC)
    table = pd.DataFrame({"title": ["</script><img src=x onerror=alert(1)>", "plain"]})
    told = forget(service, 310, rows)
    path = export([screen, comparison, told, table], tmp_path / "for_a_colleague.html")
    text = path.read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith("default-src 'none'; script-src 'sha256-") and "unsafe" in policy
    assert "unsafe" not in policy.split(";")[1] and text.count("<script") == 2
    assert not re.search(r"<(link|img|iframe|object|embed|base)\b|https?://", text)
    # the screen computes, the others stand below it in their order
    assert '"seen"' in text and text.index('id="screen"') < text.index("&lt;b&gt;mine")
    places = [
        text.index(said) for said in (escape(comparison.source), told.source, "&lt;img src=x")
    ]
    assert places == sorted(places) and text.count('<section class="beside">') == 3
    assert export(screen, tmp_path / "alone.html").read_text(encoding="utf-8").count("unsafe") == 0


def test_headings_are_told_and_one_screen_computes(world, service, tmp_path):
    other = Screen(Service.build(world.log, world.catalogue, ItemKNN()), 310, TOPIC)
    named = {"<i>EASE</i>": Screen(service, 310, TOPIC), "Neighbours": other}
    with pytest.warns(UserWarning, match=r"does not compute: of the screens.*first one computes"):
        text = export({**named}, tmp_path / "two.html").read_text(encoding="utf-8")
    assert text.index("<h2>Neighbours</h2>") and "<i>EASE" not in text
    with pytest.warns(UserWarning, match=r"ItemKNN cannot be exported.*with EASE"):
        text = export({"A & B": other}, tmp_path / "one.html").read_text(encoding="utf-8")
    assert "<h2>A &amp; B</h2>" in text and '"seen"' not in text and "Forget" in text
    assert "loads nothing from elsewhere" in text and not HIDDEN.search(text)
    # an older page is replaced, another file is not
    with pytest.warns(UserWarning):
        export(other, tmp_path / "one.html")
    (tmp_path / "mine.html").write_text("<p>years</p>", encoding="utf-8")
    with pytest.warns(UserWarning), pytest.raises(ConfigError, match="no export wrote it"):
        export([other], tmp_path / "mine.html")


def test_a_changed_service_is_shown_as_it_is(service, tmp_path):
    with pytest.warns(UserWarning, match="has been changed since it was built"):
        path = export(Screen(service.hide(310, TOPIC), 310, TOPIC), tmp_path / "hidden.html")
    assert "shopper 310" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("wrong", [[], {}, [3], ["text"]])
def test_what_cannot_be_shown_is_refused_and_nothing_is_written(wrong, tmp_path):
    with pytest.raises(WorkbenchError, match=r"nothing to write|no way to show"):
        export(wrong, tmp_path / "page.html")
    assert not [*tmp_path.iterdir()]


def test_a_table_goes_into_files_with_what_it_was_made_of(comparison, tmp_path):
    path = export(comparison, tmp_path / "table.csv")
    back = pd.read_csv(path)
    assert set(back["provenance"]) == {comparison.source} and len(back) == 2
    assert back["ndcg"].tolist() == comparison.table["ndcg"].tolist()
    whole = pd.read_parquet(export(comparison.table, tmp_path / "table.parquet"))
    assert whole.attrs["provenance"] == comparison.source
    pd.testing.assert_frame_equal(whole, comparison.table)
    # again over the own file, never over another
    assert export(comparison, path) == path
    export(comparison, tmp_path / "table.parquet")
    for name in ("other.csv", "other.parquet"):
        tmp_path.joinpath(name).write_text("years", encoding="utf-8")
        with pytest.raises(ConfigError, match="no export wrote it"):
            export(comparison, tmp_path / name)
        assert tmp_path.joinpath(name).read_text(encoding="utf-8") == "years"


def test_cells_are_no_formulas_and_an_index_is_a_column(tmp_path):
    table = pd.DataFrame({"=1+1": [1.5, 2.5], "said": ["=cmd()", "a\u202eb"]}, index=["x", "@y"])
    back = pd.read_csv(export(table, tmp_path / "cells.csv"))
    assert [*back] == ["index", "'=1+1", "said", "provenance"]
    assert back["said"].tolist() == ["'=cmd()", "a⟨RLO⟩b"] and back["index"][1] == "'@y"
    assert set(back["provenance"]) == {"not told"} and table.attrs == {}
    mixed = pd.DataFrame({"a": [1, "b"]}, dtype=object)
    with pytest.raises(DataError, match=r"a column that parquet does not hold.*as \.csv"):
        export(mixed, tmp_path / "mixed.parquet")
    with pytest.raises(ConfigError, match=r"cannot write \.xlsx.*\.csv or \.parquet"):
        export(mixed, tmp_path / "mixed.xlsx")
    assert [one.name for one in tmp_path.iterdir()] == ["cells.csv"]


# --- every table says what it was made of ---------------------------------------------------------


def test_results_carry_log_model_and_seed(world, service, rows):
    log, parts = world.log, split(world.log, "temporal")
    name = log.fingerprint[:8]
    model = EASE(l2=50).fit(parts.train)
    table = evaluate(model, parts)
    line = f"EASE(l2=50), log {parts.train.fingerprint[:8]}"
    assert source_of(table) == provenance(data=line, users=400)
    # and what is made of it carries it on
    means = paired_bootstrap(table.assign(model="a"), "model")
    assert source_of(means) == source_of(table)
    assert show(means).static.endswith(f"<p><small>{source_of(table)}</small></p>")
    assert "told here" in show(means, source="told here").text
    found = boomerang(EASE().fit(log), log, world.catalogue.items_of(TOPIC), users=[310], seed=4)
    # one was asked, of a log of 400
    want = provenance(data=f"EASE(l2=100), log {name}", users=1, seeds=4)
    assert want == found.source == source_of(found.to_frame()) == source_of(found.table)
    assert "users: 1 " in source_of(leavers(ItemKNN().fit(log), log, [0]))
    told = source_of(forget(service, 310, rows))
    assert f"log {name} of 400 people" in told and "users" not in told
    assert name in source_of(ladder(service, 310, rows))


def test_a_result_of_nothing_known_tells_its_rows():
    @sourced
    def summed(table, seed=3):
        return table.sum().to_frame()

    told = summed(pd.DataFrame({"response": [1, 2]}))
    assert source_of(told) == provenance(data="2 texts", seeds=3) and summed.__name__ == "summed"
    assert source_of(3) == ""


# --- ids and titles -------------------------------------------------------------------------------


def test_log_and_catalogue_show_ids_titles_and_topics():
    table = pd.DataFrame({"user": ["ann", "<b>"], "item": ["x\u202e", "y"]})
    log = Interactions.from_table(table)
    shop = pd.DataFrame({"item": log.items, "title": ["<i>Pan", "Pot"], "category": "Kitchen"})
    catalogue = Catalogue.from_table(shop, items=log.items)
    assert log.head(1)["user"].tolist() == ["ann"] and len(log.head(1)) == 1
    assert log.head()["item"].tolist() == table["item"].tolist()
    assert np.array_equal(log.frame["user"], [1, 0]), "the log itself keeps its codes"
    assert catalogue.head()["topics"].tolist() == ["Kitchen", "Kitchen"]
    drawn = log._repr_html_(), catalogue._repr_html_()
    assert "&lt;b&gt;" in drawn[0] and "<b>" not in drawn[0] and not HIDDEN.search(drawn[0])
    assert "&lt;i&gt;Pan" in drawn[1] and "Interactions(2 rows, 2 users" in drawn[0]
    empty = log.select(np.zeros(2, dtype=bool))
    assert not len(empty.head()) and "0 rows" in empty._repr_html_()


def test_lists_name_their_products(service, world, rows):
    listed = service.recommend(310, 5)
    assert listed["id"].tolist() == [f"product {item}" for item in listed["item"]]
    lists = forget(service, 310, rows).lists
    assert lists["title"].tolist() == [world.catalogue.title(item) for item in lists["item"]]
