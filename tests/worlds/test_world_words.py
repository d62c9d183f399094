"""The words of the small worlds: English, each in one place, and only a spelling of token ids."""

import hashlib
import json
import re

import pytest

from workbench.tokens.small_models import BaseConfig
from workbench.worlds import FoolingWorld, PersonaWorld
from workbench.worlds.corpus import bank

# the lists of words/persona.toml and words/fooling.toml, and how many each holds
SHARED = {
    "topics": 6,
    "asks": 20,
    "noise": 40,
    "generic": 80,
    "derived": 60,
    "values": 8,
    "styles": 4,
}
OWN = {"slots": 2, "generic": 60, "derived": 40, "topics": 5, "answers": 3, "omissions": 4}
# digests of what was drawn when the words were codes: the shipped models are of that time
IDS = {
    ("PersonaWorld", 0): "650a42480af08bfd",
    ("PersonaWorld", 1): "4f46b0a90909d2a5",
    ("FoolingWorld", 0): "c5735ad3ab405c6d",
    ("FoolingWorld", 1): "6497fbd44b9be7ed",
}


def test_every_word_is_lower_case_letters_and_stands_in_one_place():
    shared, own = bank("persona"), bank("fooling")
    sizes = {name: len(words) for name, words in shared.items()}
    assert sizes == SHARED
    assert {len(values) for values in shared["values"].values()} == {12}
    assert list(shared["styles"]) == shared["values"]["tone"][:4]
    assert {len(words) for words in shared["styles"].values()} == {3}
    sizes = {name: len(words) for name, words in own.items()}
    assert sizes == OWN
    assert {len(words) for words in own["topics"].values()} == {2}
    assert {len(words) for words in own["answers"].values()} == {6}
    for world, size in ((PersonaWorld(), 327), (FoolingWorld(), 293)):
        words = world.vocabulary[5:]  # the special tokens stand first
        assert len(set(words)) == len(words) == size - 5
        assert all(re.fullmatch("[a-z]+", word) for word in words)


@pytest.mark.parametrize("world", [PersonaWorld, FoolingWorld])
@pytest.mark.parametrize("seed", [0, 1])
def test_words_may_be_spelled_anew_and_token_ids_stay(world, seed):
    made = world(seed)
    corpus = made.corpus(200, seed=3)
    told = [*corpus.memories["statement"], *corpus.texts["query"], *corpus.texts["response"]]
    ids = made.tokenizer()(told, add_special_tokens=False)["input_ids"]
    assert sum(map(len, ids)) == sum(len(text.split()) for text in told)
    planted = corpus.words[["text", "kind", "memory"]].to_numpy().tolist()
    shown = corpus.text_memories["shown"].tolist()
    drawn = json.dumps([ids, planted, shown])
    assert hashlib.sha256(drawn.encode()).hexdigest()[:16] == IDS[world.__name__, seed]


@pytest.mark.parametrize("name", ["persona-world", "fooling-world"])
def test_the_shipped_tokenizer_and_card_are_those_of_the_world(name):
    """The card is what building the model writes, but for the line that tells of the renaming."""
    from tools import build_worlds
    from workbench.language import load_causal_lm
    from workbench.settings import settings

    model, tokenizer = load_causal_lm(name)
    world = build_worlds.WORLDS[name]()
    assert tokenizer.convert_ids_to_tokens(range(len(tokenizer))) == world.vocabulary
    card = (settings().data / name / "TRAINING_CARD.md").read_text(encoding="utf-8")
    renamed = re.search(r"- \*\*Words\*\*: .*\n  .*\n", card)[0]
    assert "2026-11-30" in renamed and "Nothing was trained again" in renamed
    card = card.replace(renamed, "")
    config = BaseConfig(steps=build_worlds.STEPS[name])
    losses = [float(re.search(r"last 50 steps (\S+) nats", card)[1])] * config.steps
    seconds = 60 * float(re.search(r"steps in (\S+) minutes", card)[1])
    said = "Held out: " + card.split("Held out: ")[1].removesuffix("\n")
    size = model.num_parameters()
    texts = build_worlds.TEXTS[name]
    assert card == build_worlds.world_card(name, world, size, config, texts, losses, seconds, said)
