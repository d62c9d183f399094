"""The shipped pocket model: what is in the folder, that PIR finds the planted words of shoppers it
never met; and its training on a stand-in corpus: resuming, refusing, and what it must learn.

A unit test of the method on generated texts, not a result about language models.
"""

import json
import re

import numpy as np
import pandas as pd
import pytest
import torch

from tools import build_pocket
from tools.build_pocket import evaluate_pocket, train_pocket
from tools.save_model import save_model
from workbench.data import load_world
from workbench.errors import ConfigError, DataError
from workbench.language import load_causal_lm
from workbench.settings import settings
from workbench.tokens import detection, score_tokens, small_models
from workbench.tokens.small_models import PocketConfig, make_tokenizer

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
    """Measured on 200 texts: sentences .904 [.888, .919], first words .657 [.638, .677]; less a
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
    card = build_pocket.build_pocket(tmp_path / "model", small, texts=30)
    assert "3 steps in 0 minutes" in card
    model, tokenizer = load_causal_lm(tmp_path / "model")
    assert model.config.hidden_size == 16 and len(tokenizer) == 500
    assert not list((tmp_path / "runs").iterdir())


COLOURS = ["amber", "black", "cream", "denim", "emerald", "flax"]
SMALL = PocketConfig(
    vocabulary=340,
    hidden=32,
    layers=2,
    heads=2,
    feed_forward=64,
    context=96,
    steps=6,
    warm_up=2,
    threads=1,
)


def corpus(count, seed):
    """Reviews whose colour is the persona's, whose number is anybody's."""
    rng = np.random.default_rng(seed)
    rows = []
    for place in range(count):
        colour, number = COLOURS[rng.integers(6)], rng.integers(2, 9)
        query, said = "<query>lamp<response>", f"bought {number} in {colour} again"
        rows.append((place, f"<s><persona>{colour} is nice{query}", f"<s>{query}", said, colour))
    return pd.DataFrame(
        rows, columns=["text", "prompt_with", "prompt_without", "response", "colour"]
    )


@pytest.fixture(scope="module")
def pairs():
    return corpus(200, 0)


@pytest.fixture(scope="module")
def tokenizer(pairs):
    return make_tokenizer([*pairs["response"], "is nice lamp"], SMALL.vocabulary)


def weights(model):
    return torch.cat([w.detach().flatten() for w in model.parameters()])


def test_resumed_equals_uninterrupted(pairs, tokenizer, tmp_path, monkeypatch):
    whole, record = train_pocket(pairs, tokenizer, tmp_path / "a", SMALL, progress=False)
    calls, real = [], small_models.response_loss

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(build_pocket, "CHECKPOINT_EVERY", 2)
    monkeypatch.setattr(small_models, "response_loss", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_pocket(pairs, tokenizer, tmp_path / "b", SMALL, progress=False)
    monkeypatch.setattr(small_models, "response_loss", real)
    assert (
        torch.load(tmp_path / "b" / "checkpoint.pt", weights_only=True)["losses"]
        == record["losses"][:4]
    )
    resumed, again = train_pocket(pairs, tokenizer, tmp_path / "b", SMALL, progress=False)
    assert len(record["losses"]) == len(again["losses"]) == SMALL.steps
    assert record["losses"] == again["losses"]
    assert torch.equal(weights(whole), weights(resumed))


def test_a_checkpoint_of_another_config_is_refused(pairs, tokenizer, tmp_path):
    train_pocket(pairs, tokenizer, tmp_path, SMALL, progress=False)
    with pytest.raises(ConfigError, match="another config"):
        train_pocket(
            pairs,
            tokenizer,
            tmp_path,
            SMALL.model_copy(update={"learning_rate": 1e-4}),
            progress=False,
        )


def test_learns_the_persona_and_pir_finds_it(pairs, tokenizer, tmp_path):
    """The colour is told in the persona and only there; PIR must single out its tokens, after
    saving and loading."""
    config = SMALL.model_copy(update={"steps": 160, "warm_up": 20, "learning_rate": 1e-2})
    model, record = train_pocket(
        corpus(1000, 1), tokenizer, tmp_path / "work", config, progress=False
    )
    assert np.mean(record["losses"][-20:]) < 0.6 * np.mean(record["losses"][:20])
    save_model(tmp_path / "model", model, tokenizer, "# stand-in")
    assert (tmp_path / "model" / "TRAINING_CARD.md").exists() and not list(tmp_path.glob("*.new"))
    held_out = corpus(60, 2)
    tokens = score_tokens(*load_causal_lm(tmp_path / "model"), held_out, ("pir", "entropy"))
    colour = tokens["text"].map(held_out.set_index("text")["colour"])
    tokens["personal"] = [
        token in name for token, name in zip(tokens["token"], colour, strict=True)
    ]
    assert detection(tokens, ["pir"])["auc"][0] > 0.9
    # six colours, told: ln 6 nats; the number is told by nobody, the rest is the same for all
    assert tokens.loc[tokens["personal"], "pir"].mean() == pytest.approx(np.log(6), abs=0.3)
    assert tokens.loc[~tokens["personal"], "pir"].abs().mean() < 0.1


def test_a_model_without_a_card_is_not_written(tokenizer, tmp_path):
    with pytest.raises(DataError, match="empty training card"):
        save_model(tmp_path / "model", None, tokenizer, " \n")
    assert not list(tmp_path.iterdir())
