"""What a section is worth: Shapley's axioms, against readers whose choice is known."""

import importlib.util
import itertools
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from workbench.errors import ConfigError, DataError
from workbench.reports.recpilot import Choice, section_values, value_of
from workbench.settings import ROOT

RESULTS = ROOT / "benchmarks" / "results"
NAMES = ("title", "price", "rating", "against", "why", "unknown", "unsaid")


@pytest.fixture(scope="module")
def benchmark():
    """The benchmark, which is no part of the package."""
    return opened("sections")


@pytest.fixture(scope="module")
def of_pages():
    """The benchmark that reads real pages."""
    return opened("page_sections")


def opened(name):
    path = ROOT / "benchmarks" / f"{name}.py"
    sys.path.insert(0, str(path.parent))
    try:
        spec = importlib.util.spec_from_file_location(f"{name}_benchmark", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module


def readers(seed=0, n=12):
    """Three products, three facts; *against* repeats the price, the last three tell nothing."""
    rng = np.random.default_rng(seed)
    tells = {"title": [0], "price": [1], "rating": [2], "against": [1]}
    tells |= dict.fromkeys(NAMES[4:], ())
    made = []
    for _ in range(n):
        believed = rng.normal(size=(3, 3))
        made.append(Choice(believed, believed.sum(axis=1) + 0.1 * rng.normal(size=3), tells))
    return made


def mean(table, column):
    return table.groupby("section", sort=False)[column].mean()


def test_parts_add_up_for_every_reader():
    value = value_of(readers())
    table = section_values(value, NAMES)
    total = table.groupby("reader")["shapley"].sum().to_numpy()
    assert np.allclose(total, value(frozenset(NAMES)) - value(frozenset()), atol=1e-12)
    assert (value(frozenset()) == 0).all() and np.abs(total).max() > 0.5


def test_it_is_the_mean_over_all_orders():
    value = value_of(readers(1))
    names = NAMES[:4]
    table = section_values(value, names)
    gained = {name: [] for name in names}
    for order in itertools.permutations(names):
        for place, name in enumerate(order):
            before = frozenset(order[:place])
            gained[name].append(value(before | {name}) - value(before))
    for name in names:
        own = table.loc[table["section"] == name, "shapley"]
        assert np.allclose(own, np.mean(gained[name], axis=0), atol=1e-12)


def test_two_sections_that_say_the_same_share():
    """Left out alone both are worth nothing, and together they are not."""
    table = section_values(value_of(readers(2, 40)), NAMES)
    alone, share = mean(table, "left_out"), mean(table, "shapley")
    assert alone["price"] == alone["against"] == 0
    assert np.isclose(share["price"], share["against"]) and share["price"] > 0.05
    single = mean(section_values(value_of(readers(2, 40)), NAMES[:3]), "left_out")
    assert single["price"] > 0.05


def test_what_tells_nothing_earns_nothing():
    table = section_values(value_of(readers(3)), NAMES)
    idle = table[table["section"].isin(NAMES[4:])]
    assert (idle[["left_out", "shapley"]] == 0).all(axis=None)


def test_a_section_that_misleads_costs():
    believed = np.array([[0.0, 0.0], [1.0, -3.0]])
    choice = Choice(believed, np.array([0.0, -2.0]), {"praise": [0], "price": [1]})
    assert choice.taken(["praise"]) == 1 and choice.gain(["praise"]) == -2
    assert choice.taken([]) == choice.taken(["price"]) == choice.taken(["praise", "price"]) == 0
    table = section_values(value_of([choice]), ["praise", "price"]).set_index("section")
    assert table["shapley"].tolist() == [-1.0, 1.0] and table["left_out"].tolist() == [0.0, 2.0]


def test_a_section_may_tell_of_one_product():
    """A product that no section names is not before the reader; what they know, they know anyhow."""
    believed, worth = np.array([[0.5, 0.0], [0.2, 2.0], [9.0, 0.0]]), np.array([0.0, 3.0, 9.0])
    kind, price = np.zeros((3, 2), dtype=bool), np.zeros((3, 2), dtype=bool)
    kind[1, 0] = price[1, 1] = True
    pick = np.zeros((3, 2), dtype=bool)
    pick[0, 0] = True
    choice = Choice(believed, worth, {"named": kind, "priced": price, "idle": ()}, pick)
    assert choice.taken([]) == choice.taken(["named"]) == choice.taken(["idle"]) == 0
    assert choice.taken(["priced"]) == choice.taken(["named", "priced"]) == 1
    assert replace(choice, known=None).taken(["named"]) == 1


def test_an_additive_game_is_its_parts():
    parts = {"a": np.array([1.0, 2.0]), "b": np.array([0.0, -1.0]), "c": np.array([4.0, 0.5])}
    table = section_values(lambda page: sum((parts[s] for s in page), np.zeros(2)), [*parts])
    for name, own in table.groupby("section"):
        assert np.allclose(own["shapley"], parts[name]) and np.allclose(
            own["left_out"], parts[name]
        )


def test_what_is_no_game_is_refused():
    value = value_of(readers())
    for names in ([], ["title", "title"], [*NAMES, "intent", "else", "differs"]):
        with pytest.raises(ConfigError):
            section_values(value, names)
    with pytest.raises(DataError):
        section_values(lambda page: np.zeros(len(page)), ["title", "price"])
    with pytest.raises(DataError):
        section_values(lambda page: np.array([np.nan]), ["title"])
    with pytest.raises(DataError):
        section_values(lambda page: 1.0, ["title"])


def test_the_page_of_results_says_what_was_measured(benchmark):
    table = pd.read_csv(RESULTS / "sections.csv")
    assert set(benchmark.numbers_of(table)) == set(benchmark.judged(table)["number"])
    page = (RESULTS / "sections.md").read_text(encoding="utf-8")
    assert benchmark.markdown(benchmark.judged(table)) in page


def test_a_section_tells_what_the_pick_is_worst_at(benchmark):
    price, rating = np.array([9.0, 5.0, 7.0]), np.array([4.0, 3.0, 4.5])
    assert benchmark._worst(price, rating) == benchmark.PRICE
    assert benchmark._worst(-price, rating) == benchmark.RATING


# --- sections of real pages ---


def test_the_page_of_real_sections_says_what_was_measured(of_pages):
    table = pd.read_csv(RESULTS / "page_sections.csv")
    lines = pd.read_csv(RESULTS / "page_sections_line.csv")
    page = (RESULTS / "page_sections.md").read_text(encoding="utf-8")
    for made in (
        of_pages.judged(table, lines),
        of_pages.values_of(table),
        of_pages.lines_of(lines),
    ):
        assert of_pages.markdown(made) in page
    assert f"stands at {of_pages.start_of(table)} of all" in page
    # what tells nothing of a product earned nothing
    idle = table[table["section"].isin(["differs", "unknown"])]
    assert (idle[["left_out", "shapley"]] == 0).all(axis=None)


def test_what_a_sentence_tells_is_read_from_its_text(of_pages):
    world = of_pages.load_world()
    model = of_pages.OwnActions()
    service = of_pages.Service.build(world.log, world.catalogue, model, agent=of_pages.agent)
    evidence = service.evidence(339)
    said = of_pages.page_of(evidence).sentences()
    pick, *_ = items = list(dict.fromkeys(evidence.offers.values()))
    told = {one.part: of_pages.read(one, items, evidence) for one in said}
    # the pick's sentence: kind, price, rating and what stands in its title, not the maker
    assert told["pick"][0].tolist() == [True, False, True, True, True]
    assert not told["pick"][1:].any() and not told["basis"].any()
    rows = [one for one in said if one.part == "table"]
    named = {of_pages.page_of(evidence).say.title(item): item for item in items}
    filled = [(one, item) for one in rows for title, item in named.items() if title in one.text]
    assert len(filled) > 1
    for one, item in filled:
        own = of_pages.read(one, [pick, item], evidence)[1]
        assert own.all(), one.text
    facts = of_pages.facts_of(world)
    choice = of_pages.choice_of(of_pages.Reader(world, 148), evidence, said, facts)
    assert choice.taken([]) == 0 and choice.gain([]) == 0
    # whoever is told everything takes what looks best of all
    everything = np.where(sum(choice.tells.values()) + choice.known, choice.believed, 0.0)
    there = (sum(choice.tells.values()) + choice.known).any(axis=1)
    best = np.where(there, everything.sum(axis=1), -np.inf).argmax()
    assert choice.taken(of_pages.SECTIONS) == best


def test_facts_differ_within_a_kind_and_places_are_places(of_pages):
    world = of_pages.load_world()
    facts = of_pages.facts_of(world)
    for members in world.shelf.members[:9]:
        assert np.allclose(facts[:, members].mean(axis=1), 0.0, atol=1e-9)
    own = world.shelf.members[3]
    price = np.argsort(world.shelf.price[own])
    # who weighs price believes the cheaper to be better
    assert (np.diff(facts[7, own[price], of_pages.PRICE]) <= 0).all()
    place, liked = of_pages.worth_of(of_pages.Reader(world, 7))
    assert place.min() >= 0 and place.max() <= 1 and len(liked) == len(world.shelf.members)


def test_what_else_is_named_with_its_price_may_be_taken(of_pages):
    world = of_pages.load_world()
    model = of_pages.OwnActions()
    service = of_pages.Service.build(world.log, world.catalogue, model, agent=of_pages.agent)
    reader = of_pages.Reader(world, 339)
    evidence = service.evidence(339)
    said = of_pages.page_of(evidence).sentences()
    choice = of_pages.choice_of(reader, evidence, said, of_pages.facts_of(world))
    other = evidence.offers["alternative"]
    (row,) = np.flatnonzero(choice.worth == of_pages.worth_of(reader)[0][other])
    # only what else tells of it: its kind, its price and what stands in its name, not its rating
    assert choice.tells["else"][row].tolist() == [True, False, True, False, True]
    assert not any(choice.tells[name][row].any() for name in choice.tells if name != "else")
