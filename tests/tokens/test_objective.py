"""The loss of a batch against one forward pass a text: padding, accumulation, adapters, Trainer and
SFTTrainer."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    Trainer,
    TrainingArguments,
)

from workbench.errors import ConfigError, DataError, TooLarge
from workbench.tokens import score_tokens, weights
from workbench.tokens.objective import IGNORED, Collator, Objective, carry, training_rows
from workbench.tokens.small_models import PocketConfig, make_model, make_tokenizer

SAID = [
    "The lamp arrived on Tuesday.",
    "My tent is dry and my van is green, as ever.",
    "No.",
    "I read it in one night.",
]


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer(SAID, 300)


@pytest.fixture(scope="module")
def pairs():
    told = ["likes lamps", "camps with her daughter in a green van", "is brief", "reads horror"]
    rows = [
        (f"t{i}", f"<persona>{told[i]}<query>go{' on' * i}<response>", SAID[i]) for i in range(4)
    ]
    out = pd.DataFrame(rows, columns=["text", "prompt_with", "response"])
    return out.assign(
        prompt_without=out["prompt_with"].str.replace("<persona>.*<query>", "<query>", regex=True)
    )


def llama(tokenizer):
    """Float64, but for the norms, which Llama computes in float32."""
    size = PocketConfig(hidden=16, layers=2, heads=2, feed_forward=24, context=128, seed=3)
    return spread(make_model(size, tokenizer), 2.5)


def gpt2(tokenizer):
    """Float64 throughout, absolute positions, no dropout."""
    torch.manual_seed(3)
    no = {f"{part}_pdrop": 0.0 for part in ("embd", "attn", "resid")}
    size = {"n_positions": 128, "n_embd": 16, "n_layer": 2, "n_head": 2, "initializer_range": 0.2}
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    return spread(GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), **size, **no, **ends)), 2.0)


def spread(model, factor):
    """Far from uniform, so that PIR is met on both sides of the floor."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(factor)
    return model.double().train()


@pytest.fixture(params=[llama, gpt2])
def model(request, tokenizer):
    return request.param(tokenizer)


def of_batch(model, loss, batch, count=None):
    """What the Trainer does with a batch."""
    objective, inputs = Objective(model, loss), dict(batch)
    labels = inputs.pop("labels")
    try:
        return objective(model(**inputs), labels, num_items_in_batch=count)
    finally:
        objective.remove()


def log_probs(model, row, side):
    """log p of the response, one text alone, no padding."""
    said = [y for y in row["labels"] if y != IGNORED]
    logits = model(torch.tensor([row[side]])).logits[0, -len(said) - 1 : -1]
    return torch.log_softmax(logits, -1)[torch.arange(len(said)), torch.tensor(said)]


def by_hand(model, rows, m=0.8, M=5.0):
    """Eq. 8 text by text: Σ sg[clip(PIR, m, M)] · ℓ / n."""
    with_ = torch.cat([log_probs(model, row, "input_ids") for row in rows])
    without = torch.cat([log_probs(model, row, "input_ids_without") for row in rows])
    clipped = (with_ - without).detach().clamp(m, M)
    return -(clipped * with_).sum() / len(with_), clipped


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return torch.cat(
        [weight.grad.flatten() for weight in model.parameters() if weight.grad is not None]
    )


def test_perce_is_equation_8(model, tokenizer, pairs):
    rows = training_rows(tokenizer, pairs)
    expected, clipped = by_hand(model, rows)
    assert 0.8 in clipped and (clipped > 0.8).sum() > 5 and clipped.mean() > 0.85
    found = of_batch(model, weights.PerCE(), Collator(tokenizer.pad_token_id)(rows))
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
    torch.testing.assert_close(
        gradients(model, found), gradients(model, expected), rtol=1e-5, atol=1e-7
    )


def test_a_model_without_positions(tokenizer, pairs):
    """Bloom knows distances alone: its forward takes no position_ids."""
    torch.manual_seed(3)
    size = BloomConfig(
        vocab_size=len(tokenizer), hidden_size=16, n_layer=2, n_head=2, initializer_range=0.4
    )
    model = BloomForCausalLM(size)  # its padding gives NaN in float64, so float32
    rows = training_rows(tokenizer, pairs)
    found = of_batch(model, weights.PerCE(), Collator(tokenizer.pad_token_id)(rows))
    assert found.item() == pytest.approx(by_hand(model, rows)[0].item(), rel=1e-5)


def test_perce_at_one_is_the_models_own_loss(model, tokenizer, pairs):
    """With m = M = 1 it is what Transformers computes from the labels alone."""
    rows = training_rows(tokenizer, pairs)
    batch = Collator(tokenizer.pad_token_id)(rows)
    own = {name: batch[name] for name in ("input_ids", "attention_mask", "position_ids", "labels")}
    for loss in (weights.PerCE(m=1, M=1), weights.CE()):
        assert of_batch(model, loss, batch).item() == pytest.approx(
            model(**own).loss.item(), rel=1e-6
        )


def test_padding_and_order_change_nothing(model, tokenizer, pairs):
    rows = training_rows(tokenizer, pairs)
    collate = Collator(tokenizer.pad_token_id)
    for loss in (weights.PerCE(), weights.NextQuill(), weights.LossCE(share=0.5)):
        whole = of_batch(model, loss, collate(rows)).item()
        assert of_batch(model, loss, collate(rows[::-1])).item() == pytest.approx(whole, rel=1e-6)
    wide = collate(
        [
            *rows[:3],
            {
                **rows[3],
                "input_ids": [5] * 40 + rows[3]["input_ids"],
                "labels": [IGNORED] * 40 + rows[3]["labels"],
            },
        ]
    )
    cut = {name: values[:3] for name, values in wide.items()}
    expected = of_batch(model, weights.PerCE(), collate(rows[:3])).item()
    assert of_batch(model, weights.PerCE(), cut).item() == pytest.approx(expected, rel=1e-6)


def test_no_gradient_flows_through_the_weights(tokenizer, pairs):
    """Finite differences: with the weights held still they give the gradient, with the weights
    moving they do not."""
    model = gpt2(tokenizer)
    rows = training_rows(tokenizer, pairs)
    batch = Collator(tokenizer.pad_token_id)(rows)
    loss = weights.PerCE(m=-20, M=20)  # nothing clipped: the weights move with every parameter
    gradient = gradients(model, of_batch(model, loss, batch))
    _, still = by_hand(model, rows, -20, 20)
    way = torch.randn(
        len(gradient), generator=torch.Generator().manual_seed(2), dtype=torch.float64
    )
    start = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
    held, moving = [], []
    for sign in (1, -1):
        torch.nn.utils.vector_to_parameters(start + sign * 1e-6 * way, model.parameters())
        with torch.no_grad():
            with_ = torch.cat([log_probs(model, row, "input_ids") for row in rows])
            held.append(-(still * with_).mean().item())
            moving.append(by_hand(model, rows, -20, 20)[0].item())
    along = (gradient @ way).item()
    assert (held[0] - held[1]) / 2e-6 == pytest.approx(along, rel=1e-5)
    assert abs((moving[0] - moving[1]) / 2e-6 - along) > 0.01 * abs(along)


def test_nextquill_follows_both_passes(tokenizer, pairs):
    model = gpt2(tokenizer)
    batch = Collator(tokenizer.pad_token_id)(training_rows(tokenizer, pairs))
    # equal weights do not move: all of the gradient is there
    loss = weights.NextQuill(high=0.1, alpha=0.5)
    gradient = gradients(model, of_batch(model, loss, batch))
    way = torch.randn(
        len(gradient), generator=torch.Generator().manual_seed(2), dtype=torch.float64
    )
    start = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
    values = []
    for sign in (1, -1):
        torch.nn.utils.vector_to_parameters(start + sign * 1e-6 * way, model.parameters())
        values.append(of_batch(model, loss, batch).item())
    assert (values[0] - values[1]) / 2e-6 == pytest.approx((gradient @ way).item(), rel=1e-5)


def test_persona_dropout_adds_the_same_plain_rows_to_every_loss(model, tokenizer, pairs):
    rows = training_rows(tokenizer, pairs)
    # 1.6 of 4 rows: two, at 0.8 each
    with_dropout = Collator(tokenizer.pad_token_id, persona_dropout=0.4)(rows)
    plain = -torch.cat([log_probs(model, row, "input_ids_without") for row in rows[:2]]).sum() * 0.8
    without = Collator(tokenizer.pad_token_id)(rows)
    count = (without["labels"] != IGNORED).sum()
    assert (with_dropout["labels"] != IGNORED).sum() == count
    for loss in (weights.CE(), weights.PerCE()):
        added = of_batch(model, loss, with_dropout) - of_batch(model, loss, without)
        assert added.item() == pytest.approx((plain / count).item(), rel=1e-6)


def step(
    model,
    tokenizer,
    pairs,
    size,
    folder,
    loss=None,
    rows=None,
    trainer=Trainer,
    config=TrainingArguments,
    **more,
):
    """One step of plain gradient descent on all four texts, `size` of them at a time."""
    model = copy.deepcopy(model)
    arguments = config(
        output_dir=str(folder),
        max_steps=1,
        per_device_train_batch_size=size,
        gradient_accumulation_steps=4 // size,
        learning_rate=0.1,
        lr_scheduler_type="constant",
        max_grad_norm=0,
        optim="sgd",
        remove_unused_columns=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        **more,
    )
    trainer(
        model,
        arguments,
        data_collator=Collator(tokenizer.pad_token_id),
        train_dataset=training_rows(tokenizer, pairs) if rows is None else rows,
        compute_loss_func=Objective(model, loss or weights.PerCE()),
    ).train()
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach()


def test_accumulated_equals_unaccumulated(tokenizer, pairs, tmp_path):
    """Texts of 2 to 15 tokens, so that a mean of means would be another step."""
    model = gpt2(tokenizer)
    at_once, by_one = (step(model, tokenizer, pairs, size, tmp_path) for size in (4, 1))
    start = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
    assert (at_once - start).abs().max() > 1e-3
    torch.testing.assert_close(by_one, at_once, rtol=0, atol=1e-6)
    rows = training_rows(tokenizer, pairs)
    gradient = gradients(model, by_hand(model, rows)[0])
    torch.testing.assert_close(at_once, start - 0.1 * gradient, rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("ignore:`compute_loss_func` is deprecated:FutureWarning")
def test_sft_trainer_takes_the_same_step(tokenizer, pairs, tmp_path):
    trl = pytest.importorskip("trl")
    datasets = pytest.importorskip("datasets")
    model = llama(tokenizer)
    rows = datasets.Dataset.from_list(training_rows(tokenizer, pairs))
    more = {
        "dataset_kwargs": {"skip_prepare_dataset": True},
        "gradient_checkpointing": False,
        "bf16": False,
    }

    class Sft(trl.SFTTrainer):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, processing_class=tokenizer, **kwargs)

    found = step(
        model, tokenizer, pairs, 2, tmp_path, rows=rows, trainer=Sft, config=trl.SFTConfig, **more
    )
    torch.testing.assert_close(found, step(model, tokenizer, pairs, 2, tmp_path), rtol=0, atol=1e-6)


def test_an_adapter_learns_and_the_rest_does_not(tokenizer, pairs, tmp_path):
    peft = pytest.importorskip("peft")
    bare = llama(tokenizer)
    rows = training_rows(tokenizer, pairs)
    batch = Collator(tokenizer.pad_token_id)(rows)
    expected = of_batch(bare, weights.PerCE(), batch)
    config = peft.LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj", "v_proj"])
    torch.manual_seed(0)
    adapted = peft.get_peft_model(copy.deepcopy(bare), config)
    found = of_batch(adapted, weights.PerCE(), batch)
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)  # an adapter starts as nothing
    before = {name: weight.clone() for name, weight in adapted.named_parameters()}
    at_once, by_one = (step(adapted, tokenizer, pairs, size, tmp_path) for size in (4, 1))
    torch.testing.assert_close(by_one, at_once, rtol=0, atol=1e-6)
    torch.nn.utils.vector_to_parameters(at_once, adapted.parameters())
    changed = {
        name for name, weight in adapted.named_parameters() if not torch.equal(weight, before[name])
    }
    # the gradient of A is zero where B is
    assert changed and all("lora_B" in name for name in changed)


def test_bf16_keeps_the_loss_in_single_precision(tokenizer, pairs):
    model = llama(tokenizer).bfloat16()
    found = of_batch(
        model, weights.PerCE(), Collator(tokenizer.pad_token_id)(training_rows(tokenizer, pairs))
    )
    assert found.dtype == torch.float32 and torch.isfinite(found)


def test_columns_are_carried_to_their_tokens(tokenizer, pairs):
    model = llama(tokenizer).eval()
    scored = score_tokens(model, tokenizer, pairs)
    carried = carry(pairs, scored.sample(frac=1, random_state=0), teacher="pir", at="position")
    rows = training_rows(tokenizer, carried, columns=("teacher", "at"))
    batch = Collator(tokenizer.pad_token_id, columns=("teacher", "at"), persona_dropout=0.25)(
        rows[::-1]
    )
    objective = Objective(model, weights.FrozenTeacher())
    tokens = objective.run(batch, persona_free=True)
    sizes = scored.groupby("text").size()
    # no score of the end token
    expected = [[*range(sizes[text]), np.nan] for text in pairs["text"][::-1]]
    np.testing.assert_array_equal(tokens.column("at"), np.concatenate(expected))
    scores = ~tokens.column("teacher").isnan()
    torch.testing.assert_close(
        tokens.column("teacher")[scores].double(), tokens.pir[scores], rtol=1e-4, atol=1e-5
    )
    with pytest.raises(DataError, match="no scores of text 't3'"):
        carry(pairs, scored[scored["text"] != "t3"], teacher="pir")
    with pytest.raises(DataError, match=r"row 0: 3 values for \d+ tokens"):
        training_rows(tokenizer, pairs.assign(teacher=[[0.0] * 3] * 4), columns=("teacher",))
    with pytest.raises(DataError, match="column 'teacher', pairs row 2: a value is missing"):
        missing = [
            [*value[:-1], np.nan] if place == 2 else value
            for place, value in enumerate(carried["teacher"])
        ]
        training_rows(tokenizer, carried.assign(teacher=missing), columns=("teacher",))
    with pytest.raises(ConfigError, match=r"no column 'teacher'.*carry"):
        training_rows(tokenizer, pairs, columns=("teacher",))


def test_the_end_token_has_no_score_and_no_advantage(tokenizer, pairs):
    """Against itself as the reference a model finds nothing harder: the end is neither chosen first
    nor left out."""
    model = llama(tokenizer).eval()
    scored = score_tokens(model, tokenizer, pairs)
    carried = carry(
        pairs, scored.assign(personal=1.0), ref="log_prob_with", teacher="pir", personal="personal"
    )
    columns = ("ref", "teacher", "personal")
    batch = Collator(tokenizer.pad_token_id, columns=columns)(
        training_rows(tokenizer, carried, columns)
    )
    tokens = Objective(model, weights.CE()).run(batch, persona_free=False)
    end = tokens.labels == tokenizer.eos_token_id
    assert end.sum() == len(pairs)
    found = weights.LossCE(reference="ref", share=0.2).weights(tokens)
    n = len(scored)
    k = int(np.ceil(0.2 * n))
    assert found[end].tolist() == [1.0] * len(pairs) and found.mean().item() == pytest.approx(1)
    assert sorted(found[~end].tolist()) == pytest.approx([0.0] * (n - k) + [n / k] * k)
    assert weights.FrozenTeacher().weights(tokens)[end].tolist() == pytest.approx(
        [0.8] * len(pairs)
    )
    assert weights.Oracle().weights(tokens).tolist() == pytest.approx(
        [0.8 if last else 5.0 for last in end]
    )


def test_rows_end_with_the_end_token_and_train_on_the_response_alone(tokenizer, pairs):
    for row, pair in zip(training_rows(tokenizer, pairs), pairs.itertuples(), strict=True):
        said = [y for y in row["labels"] if y != IGNORED]
        assert (
            said[-1] == tokenizer.eos_token_id
            and tokenizer.decode(said[:-1]).strip() == pair.response
        )
        assert (
            len(row["labels"]) == len(row["input_ids"]) and row["input_ids"][-len(said) :] == said
        )
        assert row["input_ids_without"][-len(said) :] == said
    with pytest.raises(TooLarge):
        training_rows(tokenizer, pairs, context=20)
    ids = [[5, 6, 7]] * 4  # as where the persona is masked in place
    assert training_rows(tokenizer, pairs.assign(prompt_without=ids))[0]["input_ids_without"][
        :3
    ] == [5, 6, 7]
    with pytest.raises(ConfigError, match="several prompts"):
        training_rows(tokenizer, pairs.assign(prompt_without=[("<query>", "<s>")] * 4))


def test_what_is_missing_is_said(tokenizer, pairs):
    model = llama(tokenizer)
    rows = training_rows(tokenizer, pairs)
    objective = Objective(model, weights.PerCE())
    with pytest.raises(ConfigError, match=r"remove_unused_columns=False"):
        objective(model(torch.tensor([[1, 2]])), None)
    whole = Collator(tokenizer.pad_token_id)(rows)
    whole.pop("labels")
    outputs = model(**whole)
    outputs.logits = outputs.logits[:2]
    with pytest.raises(ConfigError, match="split over devices"):
        objective(outputs, None)
    objective.remove()
    bare = [{name: row[name] for name in ("input_ids", "labels")} for row in rows]
    assert of_batch(model, weights.CE(), Collator()(bare)).isfinite()
    with pytest.raises(ConfigError, match=r"'PerCE'.*no input_ids_without"):
        of_batch(model, weights.PerCE(), Collator()(bare))
    assert not model._forward_pre_hooks  # the model is as it was
    assert np.isfinite(of_batch(model, weights.CE(), Collator()(rows[2:3])).item())
