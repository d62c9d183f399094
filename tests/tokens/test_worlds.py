"""The small worlds: what is planted is there, is where the tables say, and obeys the rules that make it known."""

import numpy as np
import pandas as pd
import pytest

from workbench.tokens import examples_of, make_pairs, mark, score_tokens
from workbench.tokens.worlds import BaseConfig, PersonaWorld, train_base
from workbench.tokens.worlds.persona import SLOTS


@pytest.fixture(scope="module")
def world():
    return PersonaWorld()


@pytest.fixture(scope="module")
def corpus(world):
    return world.corpus(600, seed=3)


@pytest.fixture(scope="module")
def pairs(world, corpus):
    return make_pairs(examples_of(corpus, n=40), world.tokenizer())


def test_sizes_are_the_pilots(world, pairs):
    assert len(world.vocabulary) == len(set(world.vocabulary)) == 327
    assert sum(weights.numel() for weights in world.base_model(0).parameters()) == 121_024
    tokenizer = world.tokenizer()
    for row in pairs.itertuples():
        texts = (row.response, row.prompt_with, row.prompt_without)
        said, told, bare = (len(tokenizer(text)["input_ids"]) for text in texts)
        assert (told + said + 1, bare + said + 1) == (48, 37)  # the end-of-text token is appended


def test_every_text_holds_the_planted_words_where_the_table_says(corpus):
    said = corpus.texts.set_index("text")["response"]
    assert all(said[row.text][row.start : row.end] == row.word for row in corpus.words.itertuples())
    counts = corpus.words.groupby("text")["kind"].value_counts().unstack()
    assert (counts == {"c": 1, "d": 2, "s": 2, "q": 2, "n": 4}).all(axis=None)
    assert set(said.str.split().str.len()) == {30}
    pieces = [said[row.text][row.start : row.end] for row in corpus.sentences.head(12).itertuples()]
    assert [" ".join(pieces[:6]), " ".join(pieces[6:])] == said.head(2).tolist()


def test_personal_words_follow_from_the_memory_item_that_is_named(world, corpus):
    says = corpus.memories.set_index("memory")["statement"].str.split()
    shown = corpus.text_memories.query("shown").groupby("text")["memory"].agg(set)
    assert set(shown.str.len()) == {5}
    query = corpus.texts.set_index("text")["query"].str.split()
    for row in corpus.words.itertuples():
        if row.kind in "cds":
            slot, value = says[row.memory]
            number = [int(part) for part in value.removeprefix("value").split("_")]
            assert row.memory in shown[row.text]
        if row.kind == "c":
            assert row.word == value
        if row.kind == "d":
            assert row.word == world.vocabulary[world.derived[tuple(number)]]
        if row.kind == "s":
            assert slot == "tone" and row.word.startswith(f"style{number[1]}_")
        if row.kind == "q":
            assert row.word in query[row.text][1:]
    style = corpus.words.query("kind == 's'").groupby("text")["direct"].agg(list)
    assert style.map(lambda direct: direct == [True, False]).all()


def test_values_have_the_stated_prior(world):
    values = world.corpus(8000, seed=9).memories
    held = values["statement"].str.extract(r"value(?P<slot>\d)_(?P<value>\d+)")
    share = pd.crosstab(held["slot"], held["value"], normalize="index")
    assert share.loc["0", ["0", "1", "2", "3"]].sub(0.25).abs().max() < 0.02
    ranked = share.drop("0")[[str(k) for k in range(12)]].mean()
    np.testing.assert_allclose(ranked, np.arange(1, 13) ** -0.8 / (np.arange(1, 13) ** -0.8).sum(), atol=0.006)


def test_a_new_task_changes_the_templates_and_nothing_else(world):
    old, new = world.corpus(300, seed=4), world.corpus(300, seed=4, new_task=True)
    pd.testing.assert_frame_equal(old.memories, new.memories)
    assert (old.texts["query"] == new.texts["query"]).all()
    assert (old.texts["response"] != new.texts["response"]).all()
    assert not np.array_equal(world.templates.needed, world.new_templates.needed)


def test_seeds_and_instances_agree(world, corpus):
    again = PersonaWorld().corpus(600, seed=3)
    for name in ("texts", "memories", "text_memories", "words", "sentences"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(corpus, name))
    assert (world.corpus(600, seed=5).texts["response"] != corpus.texts["response"]).mean() > 0.99
    assert len(corpus.memories) == 600 * SLOTS


def test_marks_fall_on_whole_tokens_and_equal_prompts_have_no_influence(world, pairs, corpus):
    scored = score_tokens(world.base_model(1), world.tokenizer(), pairs)
    marked = mark(scored, corpus, pairs.assign(persona=["\n".join(told) for told in pairs["memories"]]))
    assert len(marked) == 30 * len(pairs) and marked["personal"].sum() == 5 * len(pairs)
    assert (marked.query("kind == 'c'")["word_match"] == 1).all() and (
        marked.query("kind == 'd'")["word_match"] == 0
    ).all()
    same = score_tokens(world.base_model(1), world.tokenizer(), pairs.assign(prompt_with=pairs["prompt_without"]))
    assert (same["pir"] == 0).all() and (scored["pir"] != 0).any()


def test_training_lowers_the_loss_and_repeats(world, pairs):
    config = BaseConfig(steps=12, warm_up=2, batch=8, learning_rate=1e-2)
    runs = [train_base(world.base_model(0), world.tokenizer(), pairs, config) for _ in range(2)]
    assert runs[0] == runs[1] and runs[0][-1] < runs[0][0] - 1


def test_the_shipped_model_is_the_one_on_its_card():
    """ln 4 for the tone's first word, the prior's entropy for a copied value, nothing for what is not personal."""
    from workbench.language import load_causal_lm
    from workbench.tokens.worlds.shipped import facts

    model, tokenizer = load_causal_lm("persona-world")
    corpus = PersonaWorld().corpus(60, seed=77)
    pairs = make_pairs(examples_of(corpus), tokenizer)
    tokens = mark(score_tokens(model, tokenizer, pairs), corpus, pairs.assign(persona="-"))
    found = facts(tokens).set_index("what")
    assert found.loc["first style word", "pir"] == pytest.approx(np.log(4), abs=0.15)
    assert found.loc["copied value", "pir"] == pytest.approx(2.267, abs=0.4)
    rest = found.drop(["first style word", "copied value"])["pir"]
    assert rest.abs().max() < 0.02
