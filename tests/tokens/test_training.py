"""Training the pocket model on a stand-in corpus: resuming, repeating, refusing, and what it must
learn."""

import numpy as np
import pandas as pd
import pytest
import torch

from workbench.errors import ConfigError
from workbench.language import load_causal_lm
from workbench.tokens import PocketConfig, detection, score_tokens, train_pocket
from workbench.tokens.training import make_tokenizer, save_model

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
    import workbench.tokens.training as training

    whole, record = train_pocket(pairs, tokenizer, tmp_path / "a", SMALL, progress=False)
    calls, real = [], training.response_loss

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(training, "CHECKPOINT_EVERY", 2)
    monkeypatch.setattr(training, "response_loss", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_pocket(pairs, tokenizer, tmp_path / "b", SMALL, progress=False)
    monkeypatch.setattr(training, "response_loss", real)
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


def test_chat_template_marks_the_roles(tokenizer):
    messages = [{"role": "system", "content": "likes red"}, {"role": "user", "content": "lamp"}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == "<s><persona>likes red<query>lamp<response>"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert [tokenizer.decode(ids[0]), tokenizer.decode(ids[1])] == ["<s>", "<persona>"]
