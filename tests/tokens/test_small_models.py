"""The small models' parts: the schedule, the tokenizers' roles, and what a step adds up."""

import numpy as np
import pandas as pd
import pytest
import torch

from workbench.tokens.encoding import encode_pairs
from workbench.tokens.small_models import (
    BaseConfig,
    PocketConfig,
    Schedule,
    base_model,
    make_model,
    make_tokenizer,
    response_loss,
    tensors,
    train,
    train_base,
    word_tokenizer,
)

WORDS = ["<s>", "<persona>", "<query>", "<response>", "</s>", "likes", "red", "blue", "lamp"]


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer(["likes red lamp", "bought 3 in red again"] * 20, 300)


@pytest.fixture(scope="module")
def pairs():
    told, query = "<s> <persona> likes {} <query> lamp <response>", "<s> <query> lamp <response>"
    rows = [(n, told.format(word), query, word) for n, word in enumerate(["red", "blue"] * 4)]
    return pd.DataFrame(rows, columns=["text", "prompt_with", "prompt_without", "response"])


def test_chat_template_marks_the_roles(tokenizer):
    messages = [{"role": "system", "content": "likes red"}, {"role": "user", "content": "lamp"}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == "<s><persona>likes red<query>lamp<response>"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert [tokenizer.decode(ids[0]), tokenizer.decode(ids[1])] == ["<s>", "<persona>"]


def test_one_token_a_word_and_unknown_words_are_the_end():
    tokenizer = word_tokenizer(WORDS)
    ids = tokenizer("<s> likes green lamp")["input_ids"]
    assert ids == [0, 5, 4, 8]
    assert tokenizer.pad_token == tokenizer.eos_token == tokenizer.unk_token == "</s>"


def test_the_rate_rises_to_its_peak_and_falls_to_a_tenth():
    schedule = Schedule(steps=110, warm_up=10)
    shares = [schedule.share(step) for step in range(111)]
    assert shares[:10] == pytest.approx([n / 10 for n in range(1, 11)])
    assert shares[10] == 1.0 and shares[60] == pytest.approx(0.55)
    assert shares[110] == pytest.approx(0.1) and np.all(np.diff(shares[10:]) < 0)


def test_only_responses_and_their_end_are_predicted(pairs):
    tokenizer = word_tokenizer(WORDS)
    rows = encode_pairs(tokenizer, pairs[:2])
    tokens, wanted = tensors([(row["without"], row["ids"]) for row in rows], tokenizer)
    assert tokens.tolist() == [[0, 2, 8, 3, 6, 4], [0, 2, 8, 3, 7, 4]]
    assert wanted.tolist() == [[False] * 4 + [True] * 2] * 2
    model = base_model(len(WORDS), seed=0)
    logs = torch.log_softmax(model(input_ids=tokens).logits.double(), dim=-1)
    said = [logs[row, place - 1, tokens[row, place]] for row in (0, 1) for place in (4, 5)]
    assert float(response_loss(model, tokens, wanted).detach()) == pytest.approx(
        -float(torch.stack(said).mean().detach()), abs=1e-6
    )


def test_a_step_of_a_world_is_one_of_adamw_on_both_losses_added_up(pairs):
    """Against the sum written out, by the first step of AdamW: a change of the sign of the slope."""
    tokenizer, config = word_tokenizer(WORDS), BaseConfig(steps=1, warm_up=1, batch=8)
    model, twin = (base_model(len(WORDS), seed=0) for _ in range(2))
    seen = []
    losses = train_base(model, tokenizer, pairs, config, after=lambda step, _: seen.append(step))
    rows = encode_pairs(tokenizer, pairs)
    drawn = np.random.default_rng([0, 1]).integers(len(rows), size=8)
    told = tensors([(rows[i]["with"], rows[i]["ids"]) for i in drawn], tokenizer)
    bare = tensors([(rows[i]["without"], rows[i]["ids"]) for i in drawn[:1]], tokenizer)
    own = response_loss(twin, *told)
    (own + 0.125 * response_loss(twin, *bare)).backward()
    torch.nn.utils.clip_grad_norm_(twin.parameters(), 1.0)
    assert losses == [pytest.approx(float(own.detach()), abs=1e-6)] and seen == [1]
    rate = config.learning_rate
    for new, old in zip(model.parameters(), twin.parameters(), strict=True):
        slope = old.grad
        step = rate * (slope / (slope.abs() + 1e-8) + 0.01 * old)
        assert torch.allclose(new, old - step, atol=1e-6)


def test_a_run_that_goes_on_ends_where_a_whole_one_does(tokenizer):
    size = PocketConfig(vocabulary=300, hidden=16, layers=1, heads=2, feed_forward=16, steps=4)
    tokens = torch.randint(0, len(tokenizer), (4, 2, 8), generator=torch.Generator().manual_seed(0))
    batches = [[(part, torch.ones_like(part, dtype=torch.bool), 1.0)] for part in tokens]
    whole, halves = (make_model(size, tokenizer) for _ in range(2))
    curve = train(whole, batches, size)
    optimiser = torch.optim.AdamW(
        halves.parameters(), lr=size.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    losses = train(halves, batches[:2], size, optimiser=optimiser)
    again = train(halves, batches[2:], size, optimiser=optimiser, losses=losses)
    assert again == curve and len(curve) == 4
    for one, other in zip(whole.parameters(), halves.parameters(), strict=True):
        assert torch.equal(one, other)
