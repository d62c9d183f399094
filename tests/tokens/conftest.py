"""Tiny random models of two architectures, with tokenizers trained here, saved and loaded as a
reader would."""

import pandas as pd
import pytest

TEXTS = [
    "The lamp arrived on Tuesday and it was brighter than I had hoped.",
    "My daughter keeps the tent in the van; we camp whenever it is dry.",
    "Not for me: the handle broke after two weeks of careful use.",
    "I read it in one night, candles lit, and slept badly afterwards.",
]


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """{name: folder} of saved random models: a Llama, and a GPT-2 with absolute positions."""
    from transformers import GPT2Config, GPT2LMHeadModel

    from workbench.tokens.small_models import PocketConfig, make_model, make_tokenizer

    tokenizer = make_tokenizer(TEXTS, 400)
    small = PocketConfig(hidden=32, layers=2, feed_forward=64, context=128, seed=3)
    llama = make_model(small, tokenizer)
    gpt2 = GPT2LMHeadModel(
        GPT2Config(vocab_size=len(tokenizer), n_positions=128, n_embd=32, n_layer=2, n_head=4)
    )
    out = {}
    for name, model in (("llama", llama), ("gpt2", gpt2)):
        out[name] = tmp_path_factory.mktemp(name)
        model.save_pretrained(out[name])
        tokenizer.save_pretrained(out[name])
    return out


@pytest.fixture(scope="session", params=["llama", "gpt2"])
def loaded(request, folders):
    from workbench.language import load_causal_lm

    return load_causal_lm(folders[request.param])


@pytest.fixture(scope="session")
def pairs():
    """Prompts and responses of unequal lengths."""
    personas = [
        "likes lamps",
        "camps with her daughter in a green van every dry summer",
        "",
        "reads horror",
    ]
    rows = [
        (
            f"t{i}",
            f"<s><persona>{persona}<query>review{' please' * i}<response>",
            f"<s><query>review{' please' * i}<response>",
            text,
        )
        for i, (persona, text) in enumerate(zip(personas, TEXTS, strict=True))
    ]
    return pd.DataFrame(rows, columns=["text", "prompt_with", "prompt_without", "response"])
