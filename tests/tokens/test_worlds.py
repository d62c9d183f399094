"""The small worlds: what is planted is there, is where the tables say, and obeys the rules that
make it known."""

import re

import numpy as np
import pandas as pd
import pytest

from workbench.errors import ConfigError
from workbench.tokens import examples_of, make_pairs, mark, score_tokens
from workbench.tokens.small_models import BaseConfig, train_base
from workbench.worlds import MECHANISMS, FoolingWorld, PersonaWorld
from workbench.worlds.corpus import bank
from workbench.worlds.measures import planted_to_fool
from workbench.worlds.persona import SLOTS


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
    values, styles = bank("persona")["values"], bank("persona")["styles"]
    shown = corpus.text_memories.query("shown").groupby("text")["memory"].agg(set)
    assert set(shown.str.len()) == {5}
    query = corpus.texts.set_index("text")["query"].str.split()
    for row in corpus.words.itertuples():
        if row.kind in "cds":
            slot, value = says[row.memory]
            number = list(values).index(slot), values[slot].index(value)
            assert row.memory in shown[row.text]
        if row.kind == "c":
            assert row.word == value
        if row.kind == "d":
            assert row.word == world.vocabulary[world.derived[number]]
        if row.kind == "s":
            assert slot == "tone" and row.word in styles[value]
        if row.kind == "q":
            assert row.word in query[row.text][1:]
    style = corpus.words.query("kind == 's'").groupby("text")["direct"].agg(list)
    assert style.map(lambda direct: direct == [True, False]).all()


def test_values_have_the_stated_prior(world):
    held = world.corpus(8000, seed=9).memories["statement"].str.split(expand=True)
    share = pd.crosstab(held[0], held[1], normalize="index")
    values = bank("persona")["values"]
    tones = share.loc["tone", values["tone"][:4]]
    assert tones.sub(0.25).abs().max() < 0.02
    ranked = np.mean([share.loc[slot, values[slot]] for slot in values if slot != "tone"], axis=0)
    prior = np.arange(1, 13) ** -0.8
    np.testing.assert_allclose(ranked, prior / prior.sum(), atol=0.006)


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
    marked = mark(
        scored, corpus, pairs.assign(persona=["\n".join(told) for told in pairs["memories"]])
    )
    assert len(marked) == 30 * len(pairs) and marked["personal"].sum() == 5 * len(pairs)
    assert (marked.query("kind == 'c'")["word_match"] == 1).all() and (
        marked.query("kind == 'd'")["word_match"] == 0
    ).all()
    same = score_tokens(
        world.base_model(1), world.tokenizer(), pairs.assign(prompt_with=pairs["prompt_without"])
    )
    assert (same["pir"] == 0).all() and (scored["pir"] != 0).any()


def test_training_lowers_the_loss_and_repeats(world, pairs):
    config = BaseConfig(steps=12, warm_up=2, batch=8, learning_rate=1e-2)
    runs = [train_base(world.base_model(0), world.tokenizer(), pairs, config) for _ in range(2)]
    assert runs[0] == runs[1] and runs[0][-1] < runs[0][0] - 1


def test_the_shipped_model_is_the_one_on_its_card():
    """ln 4 for the tone's first word, the prior's entropy for a copied value, nothing for what is
    not personal."""
    from workbench.language import load_causal_lm
    from workbench.worlds.measures import facts

    model, tokenizer = load_causal_lm("persona-world")
    corpus = PersonaWorld().corpus(60, seed=77)
    pairs = make_pairs(examples_of(corpus), tokenizer)
    tokens = mark(score_tokens(model, tokenizer, pairs), corpus, pairs.assign(persona="-"))
    found = facts(tokens).set_index("what")
    assert found.loc["first style word", "pir"] == pytest.approx(np.log(4), abs=0.15)
    assert found.loc["copied value", "pir"] == pytest.approx(2.267, abs=0.4)
    rest = found.drop(["first style word", "copied value"])["pir"]
    assert rest.abs().max() < 0.02


@pytest.fixture(scope="module")
def fooling():
    return FoolingWorld()


@pytest.fixture(scope="module")
def kinds(fooling):
    return {mechanism: fooling.corpus(150, seed=5, mechanism=mechanism) for mechanism in MECHANISMS}


def causes(corpus):
    """Every planted word with what its memory item says, and whether the prompt shows it."""
    says = corpus.memories.set_index("memory")["statement"].rename("says")
    shown = corpus.text_memories.set_index("memory")["shown"]
    return corpus.words.join(says, on="memory").join(shown, on="memory")


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_every_mechanism_keeps_the_rules_of_personal_words(mechanism, fooling, kinds):
    corpus = kinds[mechanism]
    said = corpus.texts.set_index("text")["response"]
    assert all(said[row.text][row.start : row.end] == row.word for row in corpus.words.itertuples())
    assert set(" ".join(said).split()) <= set(fooling.vocabulary)
    planted = causes(corpus)
    assert (
        planted.query("kind == 'c'")["says"].str.split().str[1]
        == planted.query("kind == 'c'")["word"]
    ).all()
    for row in planted.query("kind == 'd'").itertuples():
        slot, value = row.says.split()
        number = fooling.slots.index(slot)
        place = number, fooling.values[number].index(value)
        assert row.word == fooling.vocabulary[fooling.derived[place]]
    tone = planted.query("kind == 's'")
    styles = bank("persona")["styles"]
    assert all(row.word in styles[row.says.removeprefix("tone ")] for row in tone.itertuples())
    assert tone["shown"].all()
    assert planted.query("kind in ('c', 't', 'o')")["shown"].all()


def test_what_each_mechanism_plants(fooling, kinds):
    counts = {name: corpus.words["kind"].value_counts() / 150 for name, corpus in kinds.items()}
    for name, count in counts.items():
        assert count["c"] == count["d"] == 1 and count["q"] == 2 and count["n"] == 3
        assert count["s"] == (6 if name == "mediated" else 2) and ("t" in count) == (
            name == "retrieved"
        )
    # retrieved: t is the answer to what the memory item tells, and says nothing of the user's slots
    answers = causes(kinds["retrieved"]).query("kind == 't'")
    asked = answers["says"].str.removeprefix("seen ")
    assert (asked.map(fooling.answers) == answers["word"]).all()
    request = kinds["retrieved"].texts.set_index("text")["item"].str.split().str[1:]
    assert asked.groupby(answers["text"]).agg(set).equals(request.map(set).rename("says"))
    # omitted: a quarter of four words is missing; where one is, the user is quiet about it
    corpus = kinds["omitted"]
    gaps = causes(corpus).query("kind == 'o'")
    assert len(gaps) / 150 == pytest.approx(1, abs=0.25) and (gaps["start"] == gaps["end"]).all()
    said = corpus.texts.set_index("text")["response"]
    for row in gaps.itertuples():
        about = row.says.removeprefix("quiet ")
        assert fooling.omissions[about] not in said[row.text].split()
    extra = set(fooling.omissions.values())
    written = said.map(lambda text: len(extra & set(text.split())))
    left_out = gaps.groupby("text").size().reindex(said.index, fill_value=0)
    assert (written + left_out == 4).all()


def test_the_twin_agrees_and_the_cause_is_hidden_as_often_as_stated(fooling):
    corpus = fooling.corpus(1500, seed=6, mechanism="correlated")
    planted = causes(corpus).query("kind == 'd'").set_index("text")
    assert planted["shown"].mean() == pytest.approx(0.5, abs=0.05)
    examples = examples_of(corpus).set_index("text")
    agree = []
    for text, row in planted.iterrows():
        slots = fooling.templates[corpus.texts.at[text, "query"].split()[0]]["slots"]
        told = dict(memory.split() for memory in examples.at[text, "memories"])
        assert (fooling.slots[slots["d"]] in told) == row["shown"]
        cause = fooling.values[slots["d"]].index(row["says"].split()[1])
        twin = fooling.values[slots["twin"]].index(told[fooling.slots[slots["twin"]]])
        agree.append(cause == twin)
    chance = (PersonaWorld.prior() ** 2).sum()
    assert np.mean(agree) == pytest.approx(0.9 + 0.1 * chance, abs=0.03)


def test_mechanisms_mix_repeat_and_refuse(fooling):
    mixed = fooling.corpus(200, seed=8)
    assert set(mixed.texts["mechanism"]) == set(MECHANISMS)
    again = FoolingWorld().corpus(200, seed=8)
    for name in ("texts", "memories", "text_memories", "words", "sentences"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(mixed, name))
    with pytest.raises(ConfigError, match="one of"):
        fooling.corpus(1, seed=0, mechanism="luck")


def test_a_history_found_with_the_request_fools_deletion_and_not_a_peer(fooling):
    """On the shipped model: t looks personal (ln 6) until the other persona was found with the same
    request."""
    from workbench.language import load_causal_lm

    model, tokenizer = load_causal_lm("fooling-world")
    corpus = fooling.corpus(30, seed=77, mechanism="retrieved")
    pool = examples_of(fooling.corpus(3000, seed=79, mechanism="retrieved"))
    found = {}
    for intervention in ("delete", "peer"):
        pairs = make_pairs(examples_of(corpus), tokenizer, intervention, pool=pool)
        tokens = mark(score_tokens(model, tokenizer, pairs), corpus, pairs.assign(persona="-"))
        found[intervention] = tokens.groupby("kind")["pir"].mean()
    assert (
        found["delete"]["t"] == pytest.approx(np.log(6), abs=0.25) and abs(found["peer"]["t"]) < 0.1
    )
    assert found["delete"]["c"] > 1.5 and found["peer"]["c"] > 1.5


def test_the_words_planted_to_fool_are_found_again(kinds):
    """The first word after a gap, later words of the tone, and the answers to the request."""
    for mechanism, corpus in kinds.items():
        said = corpus.texts.head(30)[["text", "response"]]
        rows = [
            (t, *m.span())
            for t, text in said.itertuples(index=False)
            for m in re.finditer(r"\S+", text)
        ]
        tokens = pd.DataFrame(rows, columns=["text", "start", "end"])
        tokens = mark(tokens, corpus, said.assign(persona="-"))
        found = planted_to_fool(tokens, corpus, mechanism)
        counts = {"plain": 0, "retrieved": 90, "mediated": 150, "correlated": 0}
        if mechanism != "omitted":
            assert found.sum() == counts[mechanism]
            continue
        gaps = corpus.words.query("kind == 'o' and text < 30")
        after = tokens.merge(gaps[["text", "start"]].drop_duplicates(), on=["text", "start"])
        assert 0 < found.sum() == (~after["personal"]).sum() < len(gaps)


def test_a_model_is_built_with_a_card_of_what_was_measured(tmp_path, monkeypatch):
    from tools import build_worlds
    from workbench.language import load_causal_lm
    from workbench.worlds import measures

    monkeypatch.setattr(build_worlds, "HELD_OUT", 12)
    monkeypatch.setattr(build_worlds, "CURVE_TEXTS", 4)
    monkeypatch.setattr(build_worlds, "CURVE", (2,))
    monkeypatch.setattr(measures, "SCORES", ("pir", "kl", "loss", "entropy"))
    monkeypatch.setattr(measures, "INSTEAD", ("others",))
    folder = tmp_path / "model"
    card = build_worlds.build_world_model(
        "persona-world", folder, BaseConfig(steps=2, warm_up=1, batch=8), texts=30
    )
    assert (folder / "TRAINING_CARD.md").read_text(encoding="utf-8") == card
    model, tokenizer = load_causal_lm(folder)
    assert (
        len(tokenizer) == model.config.vocab_size
        and f"{model.num_parameters():,} parameters" in card
    )
    curve = card.split("while it was trained.")[1].strip().splitlines()
    assert [line.split("|")[1].strip() for line in curve] == ["step", "---", "2"]
    with pytest.raises(ConfigError, match="one of"):
        build_worlds.build_world_model("nowhere", tmp_path)


def test_what_was_predicted_is_what_is_measured(monkeypatch):
    """Every number that data/predictions.toml names for a kind of text comes out of the
    measurement."""
    import tomllib

    from workbench.language import load_causal_lm
    from workbench.settings import settings
    from workbench.worlds import measures

    predicted = tomllib.loads((settings().data / "predictions.toml").read_text(encoding="utf-8"))[
        "world_b"
    ]
    monkeypatch.setattr(measures, "MECHANISMS", ("correlated",))
    found = measures.fooled(*load_causal_lm("fooling-world"), n=16).set_index("measure")["value"]
    assert set(predicted["correlated"]) - {"why"} <= set(found.index)
    assert (
        found["auc_pir"] > 0.85 and found["median_pir_cause_left_out"] < 0.5 < found["twin_blamed"]
    )
