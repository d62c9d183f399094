"""Memory items are a place like others, and words go with the items that they rest on."""

import numpy as np
import pandas as pd
import pytest

from workbench.data import load_world
from workbench.errors import DataError, UnknownItem
from workbench.language import load_causal_lm
from workbench.ledger import Memories, Service, Switches, canaries, filed, forget, written
from workbench.recommend import EASE
from workbench.reports.recpilot import using
from workbench.tokens import make_pairs, score_tokens
from workbench.views import show

WORLD = load_world()
TOPIC, USER = "Baby & pregnancy", 72
ITEMS = filed(WORLD.truth["memories"], {"expecting": TOPIC, "reads": "Horror novels"})
ROWS = WORLD.log.rows_of(USER)
IDS = ROWS.loc[ROWS["item"].isin(WORLD.catalogue.items_of(TOPIC)), "interaction"].to_numpy()
STORE = Memories.build(WORLD.log, WORLD.catalogue, ITEMS)
BABY = "Has a newborn daughter."


def same(one, other):
    pd.testing.assert_frame_equal(one.items, other.items)
    pd.testing.assert_frame_equal(one.rows, other.rows)


def test_forgetting_equals_building_from_the_rest():
    for ids in (IDS, IDS[:3], ROWS["interaction"]):
        built = Memories.build(WORLD.log.without(ids), WORLD.catalogue, ITEMS)
        same(STORE.forget(ids), built)
    halves = STORE.forget(IDS[::2]).forget(IDS[1::2])
    same(halves, STORE.forget(IDS))


def test_an_item_goes_with_the_last_of_its_rows():
    assert BABY in STORE.told(USER)
    assert np.array_equal(STORE.knows(USER, IDS), np.sort(IDS))
    assert BABY in STORE.forget(IDS[1:]).told(USER)
    after = STORE.forget(IDS)
    assert BABY not in after.told(USER) and not len(after.knows(USER, IDS))
    # what was told stays, and others are not touched
    assert set(STORE.told(USER)) - set(after.told(USER)) == {BABY}
    others = STORE.items[STORE.items["user"] != USER]
    assert len(after.items[after.items["user"] != USER]) == len(others)
    assert STORE.forget([]) is STORE


def test_items_that_fit_no_log_are_refused_or_left_out():
    with pytest.raises(DataError, match="topic"):
        Memories.build(WORLD.log, WORLD.catalogue, ITEMS[["user", "statement"]])
    with pytest.raises(UnknownItem):
        Memories.build(WORLD.log, WORLD.catalogue, ITEMS.assign(topic="Nope"))
    nobody = WORLD.log.without(IDS)
    assert BABY not in Memories.build(nobody, WORLD.catalogue, ITEMS).told(USER)
    assert not len(Memories.build(WORLD.log, WORLD.catalogue).items)


def test_it_is_a_place_of_a_service():
    service = Service.build(
        WORLD.log, WORLD.catalogue, EASE(), stores=[using(Memories, items=ITEMS)]
    )
    assert [tier.name for tier in service.tiers][:2] == ["log", "memories"]
    kept = service.remove(IDS, Switches(memories=False))
    found = canaries(service, kept, IDS).set_index("tier")["amount"]
    assert found["memories"] == len(IDS) and found["log"] == 0
    assert not canaries(service, service.remove(IDS, Switches()), IDS)["found"].any()
    # a page says nothing of them: texts are written from them
    assert "newborn" not in forget(service, USER, IDS).before.text


@pytest.fixture(scope="module")
def pocket():
    return load_causal_lm("pocket")


@pytest.fixture(scope="module")
def letter(pocket):
    query = WORLD.texts.set_index("text").loc[264, "query"]
    own = WORLD.truth["text_memories"].query("text == 264 and shown")["memory"]
    shown = set(WORLD.truth["memories"].set_index("memory").loc[own, "statement"])
    before, after = (
        [one for one in told if one in shown]
        for told in (STORE.told(USER), STORE.forget(IDS).told(USER))
    )
    return written(pocket, before, after, query, seed=3, max_new_tokens=60)


def test_words_go_with_the_item_that_they_rest_on(letter):
    assert letter.memories[letter.gone[0]] == BABY and len(letter.gone) == 1
    assert letter.old != letter.new and sum(letter.counts.values()) == len(letter.words)
    went = letter.words[letter.words["fate"] == "went"]
    assert len(went) and (went["effect"] >= 0.8).all()
    assert not set(went["word"]) & set(letter.new.split())
    for row in letter.words.itertuples():
        assert letter.old[row.start : row.end] == row.word
    assert np.allclose(letter.words["effect"], letter.words["pir"] - letter.words["left"])


def test_scores_are_those_of_the_two_prompts(pocket, letter):
    """Against the truth: the log-probabilities of the text under both sets of items."""
    sides = [
        [item for n, item in enumerate(letter.memories) if n not in letter.gone],
        list(letter.memories),
    ]
    row = {"text": 0, "user": 0, "item": 0, "query": letter.query, "response": letter.old}
    log_p = []
    for memories in sides:
        pairs = make_pairs(pd.DataFrame([row | {"memories": memories}]), pocket[1])
        log_p.append(score_tokens(*pocket, pairs)["log_prob_with"].sum())
    assert letter.words["effect"].sum() == pytest.approx(log_p[1] - log_p[0], abs=1e-4)


def test_nothing_struck_changes_no_word(pocket, letter):
    same_items = written(pocket, letter.memories, letter.memories, letter.query, seed=3)
    assert same_items.old == same_items.new and not same_items.gone
    assert set(same_items.words["fate"]) == {"stayed"}
    assert np.abs(same_items.words["effect"]).max() < 1e-4
    with pytest.raises(DataError, match="was not among"):
        written(pocket, letter.memories, ["Owns a yacht."], letter.query)


def test_it_is_shown_escaped(letter):
    static = show(letter).static
    assert "<del>" in static and BABY in static
    evil = written.__wrapped__.__globals__["Written"](
        "q", ("<b>x",), (0,), "<i>a", "<u>b", letter.words.head(0), letter.before, letter.after
    )
    assert "<i>a" not in show(evil).static and "&lt;b&gt;x" in show(evil).static
