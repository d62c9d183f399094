"""The shipped pocket model: what is in the folder, and that PIR finds the planted words of shoppers
it never met.

A unit test of the method on generated texts, not a result about language models.
"""

import json
import re

import pytest

from tools.build_pocket import build_pocket, evaluate_pocket
from workbench.data import load_world
from workbench.language import load_causal_lm
from workbench.settings import settings
from workbench.tokens.training import PocketConfig

FOLDER = settings().data / "pocket"


@pytest.fixture(scope="module")
def evaluated():
    return evaluate_pocket(*load_causal_lm("pocket"), load_world(), n=40)


def test_the_folder_is_small_safe_and_standard():
    names = {path.name for path in FOLDER.iterdir()}
    assert {"config.json", "tokenizer.json", "model.safetensors", "TRAINING_CARD.md"} <= names
    assert not any(name.endswith((".bin", ".pt", ".pkl", ".py")) for name in names)
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 8_000_000
    config = json.loads((FOLDER / "config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"] and config["tie_word_embeddings"]


def test_the_card_tells_of_this_model():
    model, _ = load_causal_lm("pocket")
    card = (FOLDER / "TRAINING_CARD.md").read_text(encoding="utf-8")
    assert f"{model.num_parameters():,} parameters" in card
    assert (
        re.search(r"\d steps in \d+ minutes", card)
        and "| pir |" in card
        and "| own persona |" in card
    )


def test_the_tokenizer_knows_its_roles():
    _, tokenizer = load_causal_lm("pocket")
    messages = [
        {"role": "system", "content": "Keeps bees."},
        {"role": "user", "content": "A review."},
    ]
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    assert ids[0] == tokenizer.bos_token_id and tokenizer.pad_token_id is not None
    assert tokenizer.decode(ids) == "<s><persona> Keeps bees.<query> A review.<response>"


def test_the_own_persona_helps_and_another_does_not(evaluated):
    _, loss = evaluated
    assert loss["own persona"] < loss["no persona"] < loss["another's persona"]


@pytest.mark.parametrize(("unit", "least"), [("sentence", 0.88), ("first word", 0.61)])
def test_pir_finds_what_was_planted(evaluated, unit, least):
    """Measured on 200 texts: sentences .922 [.909, .936], first words .656 [.637, .676]; less a
    margin for 40 texts."""
    auc = evaluated[0].query("unit == @unit").set_index("score")["auc"]
    assert auc["pir"] > least
    assert auc["pir"] > auc[["loss", "entropy", "word_match"]].max()
    assert auc["pir_other"] < 0.5


def test_the_whole_recipe_runs(tmp_path, monkeypatch):
    """A few steps on a few texts, through to a folder that loads."""
    monkeypatch.setenv("WORKBENCH_RUNS", str(tmp_path / "runs"))
    small = PocketConfig(
        vocabulary=500,
        hidden=16,
        layers=1,
        heads=2,
        feed_forward=16,
        steps=3,
        context=1024,
        threads=1,
    )
    card = build_pocket(tmp_path / "model", small, texts=30)
    assert "3 steps in 0 minutes" in card
    model, tokenizer = load_causal_lm(tmp_path / "model")
    assert model.config.hidden_size == 16 and len(tokenizer) == 500
    assert not list((tmp_path / "runs").iterdir())
