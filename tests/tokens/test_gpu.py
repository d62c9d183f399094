"""The same on a GPU, where there is one: tables as on the processor, models that stay where they
are."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch

from workbench import tokens
from workbench.language import load_causal_lm
from workbench.tokens import attribution
from workbench.tokens.contrast import SCORES
from workbench.tokens.finetune import FineTuneConfig, fine_tune
from workbench.tokens.weights import CE, FrozenTeacher, NextQuill, PerCE

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


@pytest.fixture(scope="module")
def both(folders):
    """The tokenizer, the model on the processor, and its copy on the GPU."""
    model, tokenizer = load_causal_lm(folders["llama"])
    return tokenizer, model, copy.deepcopy(model).cuda()


@pytest.fixture(scope="module")
def examples():
    said = ["The lamp arrived and it was bright.", "Not for me: the handle broke."]
    frame = pd.DataFrame(
        {"text": ["a", "b"], "user": [1, 2], "item": 3, "query": "review", "response": said}
    )
    return frame.assign(
        memories=[["Likes lamps.", "Camps in a van.", "Reads horror."], ["Has a daughter.", "Ill."]]
    )


def assert_close(one, other, atol=1e-4):
    pd.testing.assert_frame_equal(one, other, rtol=0, atol=atol)


def test_scores_agree(both, pairs):
    tokenizer, here, there = both
    assert_close(
        tokens.score_tokens(here, tokenizer, pairs, SCORES),
        tokens.score_tokens(there, tokenizer, pairs, SCORES),
    )


def test_half_precision_and_a_device_map(folders, pairs):
    model, tokenizer = load_causal_lm(folders["llama"], dtype="bfloat16", device_map="cuda")
    assert model.device.type == "cuda" and model.dtype == torch.bfloat16
    exact = tokens.score_tokens(*load_causal_lm(folders["llama"]), pairs)
    found = tokens.score_tokens(model, tokenizer, pairs)
    assert found["log_prob_with"].between(-30, 0).all()
    assert np.abs(found["pir"] - exact["pir"]).median() < 0.05


def test_attributions_agree(both, examples):
    tokenizer, here, there = both
    for method in (
        attribution.shapley_values,
        attribution.leave_each_out,
        attribution.attention_share,
    ):
        assert_close(method(here, tokenizer, examples), method(there, tokenizer, examples))
    one = [
        attribution.integrate_gradients(model, tokenizer, examples, steps=16)
        for model in (here, there)
    ]
    assert_close(*one, atol=1e-3)


def test_writing_and_deletion_agree(both, examples):
    tokenizer, here, there = both
    prompts = [tokens.prompt(tokenizer, row.memories, row.query) for row in examples.itertuples()]
    bare = [tokens.prompt(tokenizer, [], row.query) for row in examples.itertuples()]
    options = {"without": bare, "gamma": 2.0, "seeds": [1, 2], "max_new_tokens": 8}
    assert tokens.write(here, tokenizer, prompts, **options) == tokens.write(
        there, tokenizer, prompts, **options
    )
    gone = [
        tokens.delete_memory(m, tokenizer, examples.iloc[[0]], 1, range(5), 8)
        for m in (here, there)
    ]
    assert (gone[0].old, gone[0].new) == (gone[1].old, gone[1].new)
    assert_close(gone[0].words, gone[1].words)


@pytest.mark.parametrize(
    "loss", [CE(), PerCE(), NextQuill(), FrozenTeacher()], ids=lambda loss: loss.name
)
def test_training_agrees(both, pairs, loss):
    tokenizer, here, there = both
    pairs = tokens.carry(pairs, tokens.score_tokens(here, tokenizer, pairs), teacher="pir")
    config = FineTuneConfig(steps=3, batch_size=4, warm_up=0, film_every=1)
    (one, record), (other, again) = (
        fine_tune(m, tokenizer, pairs, loss, config, film=pairs) for m in (here, there)
    )
    assert (one.device.type, other.device.type) == ("cpu", "cuda")
    assert_close(record.steps, again.steps, atol=1e-3)
    assert_close(record.film, again.film, atol=1e-2)
