"""Attribution to memory items against brute force, Captum, closed forms, and the identities that
each must keep."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from remembering import MEMORIES, remembering
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from tests.families import chatml, llama
from workbench.errors import ConfigError, DataError, ModelError, TooLarge
from workbench.tokens import (
    credit,
    examples_of,
    make_pairs,
    memory_map,
    planted_memory,
    prompt,
    score_tokens,
    words,
)
from workbench.tokens.attribution import (
    METHODS,
    attention_share,
    context_cite,
    integrate_gradients,
    leave_each_out,
    shapley_values,
)
from workbench.tokens.attribution.shapley import _all, _sampled
from workbench.tokens.coalitions import located, score_coalitions
from workbench.tokens.small_models import PocketConfig, make_model

# where it does not matter which
one_architecture = pytest.mark.parametrize("loaded", ["gpt2"], indirect=True)


@pytest.fixture(scope="module")
def examples():
    told = [
        ["Likes lamps.", "Camps in a van.", "Reads horror."],
        ["Has a daughter.", "Broke a handle."],
    ]
    said = ["The lamp arrived and it was bright.", "Not for me: the handle broke."]
    return pd.DataFrame(
        {"text": ["a", "b"], "user": [1, 2], "item": 3, "query": "review", "response": said}
    ).assign(memories=told)


def value_of(model, tokenizer, row, kept):
    """v(S) by one unpadded forward."""
    told = [memory for memory, here in zip(row.memories, kept, strict=True) if here]
    before = tokenizer(prompt(tokenizer, told, row.query), add_special_tokens=False)["input_ids"]
    after = tokenizer(row.response, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        logits = model(torch.tensor([before + after])).logits[0, len(before) - 1 : -1].double()
    return logits.log_softmax(-1).numpy()[np.arange(len(after)), after]


def matrix(table, text):
    return (
        table[table["text"] == text]
        .pivot(index="memory", columns="position", values="value")
        .to_numpy()
    )


def pir_of(loaded, examples):
    return (
        score_tokens(*loaded, make_pairs(examples, loaded[1])).groupby("text")["pir"].agg(np.array)
    )


# --- Shapley --------------------------------------------------------------------------------------


def test_shapley_equals_the_mean_over_all_orders(loaded, examples):
    found = shapley_values(*loaded, examples)
    assert (found["standard_error"] == 0).all()
    for row in examples.itertuples():
        items, total = len(row.memories), 0.0
        orders = list(itertools.permutations(range(items)))
        for order in orders:
            kept, before, gain = (
                [False] * items,
                value_of(*loaded, row, [False] * items),
                [None] * items,
            )
            for item in order:
                kept[item] = True
                after = value_of(*loaded, row, kept)
                gain[item], before = after - before, after
            total = total + np.array(gain)
        np.testing.assert_allclose(matrix(found, row.text), total / len(orders), atol=2e-5)


def test_shapley_adds_up_to_pir(loaded, examples):
    found, pir = shapley_values(*loaded, examples), pir_of(loaded, examples)
    for text in examples["text"]:
        part = found[found["text"] == text]
        np.testing.assert_allclose(
            matrix(found, text).sum(0), part[part["memory"] == 0]["whole"], atol=1e-12
        )
        np.testing.assert_allclose(matrix(found, text).sum(0), pir[text], atol=2e-5)


@one_architecture
def test_shapley_equals_captum_over_all_orders(loaded, examples):
    from captum.attr import ShapleyValues

    row = next(examples.itertuples())
    method = ShapleyValues(
        lambda kept: torch.from_numpy(score_coalitions(*loaded, row, kept.numpy() > 0))
    )
    theirs = method.attribute(torch.ones(1, 3), perturbations_per_eval=3)[0].numpy().T
    np.testing.assert_allclose(matrix(shapley_values(*loaded, examples), "a"), theirs, atol=2e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(0, 10_000))
def test_shapley_keeps_the_axioms(items, seed):
    """Efficiency, symmetry, null player, linearity on games of random numbers."""
    rng = np.random.default_rng(seed)
    games = rng.normal(size=(2, 2**items, 3))
    number = 2 ** np.arange(items)

    def of(game):
        return _all(lambda sets: game[sets @ number], items)[0]

    np.testing.assert_allclose(of(games[0]).sum(0), games[0][-1] - games[0][0], atol=1e-12)
    np.testing.assert_allclose(
        of(games[0] + 2 * games[1]), of(games[0]) + 2 * of(games[1]), atol=1e-12
    )
    sets = np.arange(2**items)
    null = games[0][sets & ~1]  # item 0 changes nothing
    np.testing.assert_allclose(of(null)[0], 0, atol=1e-12)
    if items > 1:
        first, second = sets & 1, sets >> 1 & 1
        equal = games[0][sets & ~3] + (first + second)[:, None] ** 2  # items 0 and 1 are alike
        np.testing.assert_allclose(of(equal)[0], of(equal)[1], atol=1e-12)


def test_sampled_shapley_is_within_its_standard_error():
    """200 random games of 5 items at once: the errors are as large as the standard errors say."""
    games, number = np.random.default_rng(0).normal(size=(32, 200)), 2 ** np.arange(5)
    exact, sampled = (
        _all(lambda sets: games[sets @ number], 5),
        _sampled(lambda sets: games[sets @ number], 5, 40, 3),
    )
    z = (sampled[0] - exact[0]) / sampled[1]
    assert 0.85 < z.std() < 1.15 and abs(z.mean()) < 0.1
    np.testing.assert_allclose(
        sampled[0].sum(0), games[-1] - games[0], atol=1e-5
    )  # every order adds up, and so the mean


@one_architecture
def test_sampled_shapley_of_texts_is_reproducible(loaded, examples):
    one = examples.iloc[[0]]
    exact, sampled = (
        shapley_values(*loaded, one),
        shapley_values(*loaded, one, exact=1, orders=20, seed=3),
    )
    assert (sampled["value"] - exact["value"]).abs().max() < 5 * sampled["standard_error"].max()
    pd.testing.assert_frame_equal(sampled, shapley_values(*loaded, one, exact=1, orders=20, seed=3))


# --- leave one out --------------------------------------------------------------------------------


def test_leave_one_out_is_the_pairs_of_each(loaded, examples):
    found = leave_each_out(*loaded, examples)
    each = score_tokens(*loaded, make_pairs(examples, loaded[1], "each"))
    np.testing.assert_allclose(found["value"], each["pir"], atol=2e-5)
    total = found.groupby(["text", "position"]).agg(
        {"value": "sum", "whole": "first", "residual": "first"}
    )
    np.testing.assert_allclose(total["value"] + total["residual"], total["whole"], atol=1e-12)


def planted(*numbers):
    row = {
        "text": "a",
        "user": 1,
        "item": 2,
        "query": "please",
        "response": "the boat tea noise1 cat please",
    }
    return pd.DataFrame({**row, "memories": [[MEMORIES[number] for number in numbers]]})


def test_two_memories_that_cover_for_each_other():
    """Either brings `tea`: Shapley halves its PIR, leave-one-out gives nothing to either and PIR as
    a residual."""
    model = remembering()
    map_ = memory_map(*model, planted(1, 7, 2))
    tea, boat = map_.words.set_index("word").loc["tea"], map_.words.set_index("word").loc["boat"]
    assert tea["pir"] > 5 and tea["memory 0"] == tea["memory 2"] == pytest.approx(tea["pir"] / 2)
    assert (
        boat["memory 1"] == pytest.approx(boat["pir"]) and tea["memory 1"] == boat["memory 0"] == 0
    )
    left = memory_map(*model, planted(1, 7, 2), "leave_one_out").words.set_index("word")
    assert left.loc["tea", "sum"] == 0 and left.loc["tea", "gap"] == left.loc["tea", "pir"]
    assert left.loc["boat", "gap"] == pytest.approx(0)


# --- gradients and attention ----------------------------------------------------------------------


def test_integrated_gradients_are_complete(loaded, examples):
    one = examples.iloc[[1]]
    found = integrate_gradients(*loaded, one, steps=32)
    assert found["gap"].abs().max() < 1e-2 < found["whole"].abs().max()
    masked = score_tokens(*loaded, make_pairs(one, loaded[1], "mask"))["pir"]
    np.testing.assert_allclose(found.loc[found["memory"] == 0, "whole"], masked, atol=2e-5)
    assert integrate_gradients(*loaded, one, steps=1)["gap"].abs().max() > found["gap"].abs().max()
    some = integrate_gradients(*loaded, one, steps=32, positions=[4, 1], batch_size=2)
    both = some.merge(found, on=["text", "position", "memory"], validate="1:1")
    assert set(some["position"]) == {1, 4}
    np.testing.assert_allclose(both["value_x"], both["value_y"], atol=1e-5)


@one_architecture
def test_integrated_gradients_against_a_riemann_sum(loaded, examples):
    """One token, 80 midpoints by hand; they crowd at the mask, where a path may be steep."""
    model, tokenizer = loaded
    row = next(examples.itertuples())
    ids, owner = located(tokenizer, row)
    said = tokenizer(row.response, add_special_tokens=False)["input_ids"]
    tokens = torch.tensor([[*ids, *said]])
    masked = tokens.clone()
    masked[0, : len(ids)][torch.from_numpy(owner >= 0)] = tokenizer.pad_token_id
    there, gone = (
        model.get_input_embeddings()(tokens).detach(),
        model.get_input_embeddings()(masked).detach(),
    )
    total = np.zeros(3)
    for t in (np.arange(80) + 0.5) / 80:
        alpha = t**3
        at = (gone + alpha * (there - gone)).requires_grad_()
        model(inputs_embeds=at).logits[0, len(ids) + 1].log_softmax(-1)[said[2]].backward()
        part = ((there - gone) * at.grad).sum(-1)[0, : len(ids)].double().numpy() * 3 * t**2 / 80
        total += [part[owner == item].sum() for item in range(3)]
    found = integrate_gradients(*loaded, examples.iloc[:1], positions=[2])
    np.testing.assert_allclose(found["value"], total, atol=1e-4)


def test_attention_share_is_the_mass_on_the_persona(loaded, examples):
    model, tokenizer = loaded
    before = model.config._attn_implementation
    found = attention_share(*loaded, examples)
    assert model.config._attn_implementation == before
    row = next(examples.itertuples())
    ids, owner = located(tokenizer, row)
    assert tokenizer.decode(np.array(ids)[owner == 1]).strip() == row.memories[1]
    said = tokenizer(row.response, add_special_tokens=False)["input_ids"]
    model.set_attn_implementation("eager")
    layers = model(torch.tensor([[*ids, *said]]), output_attentions=True).attentions
    model.set_attn_implementation(before)
    for place in range(len(said)):
        mass = [float(layer[0, head, len(ids) - 1 + place][: len(ids)].detach().numpy()[owner >= 0].sum())
                for layer in layers for head in range(layer.shape[1])]  # fmt: skip
        assert found["attention"][place] == pytest.approx(np.mean(mass), abs=1e-6)
    assert found["attention"].between(0, 1).all()


def test_a_model_that_does_not_attend_is_refused(examples):
    from transformers import MambaConfig, MambaForCausalLM

    tokenizer = chatml()
    size = {"hidden_size": 32, "num_hidden_layers": 1, "state_size": 4}
    mamba = MambaForCausalLM(MambaConfig(vocab_size=len(tokenizer), **size)).eval()
    with pytest.raises(ModelError, match=r"MambaForCausalLM: the model returns no attentions"):
        attention_share(mamba, tokenizer, examples)


@pytest.mark.parametrize("ask", [attention_share, integrate_gradients])
def test_what_does_not_fit_the_model_is_refused_before_it_is_run(ask, examples):
    tokenizer = chatml()
    short = llama(tokenizer, max_position_embeddings=8)
    with pytest.raises(TooLarge, match="at most 8"):
        ask(short, tokenizer, examples)
    model = llama(tokenizer)
    tokenizer.add_tokens(["<persona>"])
    with pytest.raises(ModelError, match="'<persona>'"):
        ask(model, tokenizer, examples.assign(response="I said <persona> twice"))


def test_of_layers_that_do_not_attend_nothing_is_averaged(loaded, examples):
    """Hybrid models list None for them."""
    model, tokenizer = loaded
    plain = attention_share(model, tokenizer, examples)

    def hybrid(_, __, ___, out):
        out.attentions = (None, *out.attentions)
        return out

    hook = model.register_forward_hook(hybrid, with_kwargs=True)
    try:
        pd.testing.assert_frame_equal(attention_share(model, tokenizer, examples), plain)
    finally:
        hook.remove()


def test_the_persona_is_the_tokens_that_masking_in_place_replaces(examples):
    """Llama 3 joins a full stop and the end of its line, and has no mask, padding or unknown
    token."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r" ?\w+| ?[^\s\w]+[\r\n]*|\s+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder, alphabet = decoders.ByteLevel(), pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(
        ["Likes lamps.\nTask: review."] * 9,
        trainers.BpeTrainer(
            vocab_size=300, special_tokens=["</s>"], initial_alphabet=alphabet, show_progress=False
        ),
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="</s>")
    model = make_model(
        PocketConfig(hidden=16, layers=1, heads=2, feed_forward=16), tokenizer
    ).train()
    examples = examples.assign(
        memories=[[" Likes lamps. ", "Camps in a van."], ["Has a daughter."]]
    )
    (ids, owner) = located(tokenizer, next(examples.itertuples()), "plain")
    assert tokenizer.decode(np.array(ids)[owner == 0]) == "Likes lamps.\n"
    want = score_tokens(model, tokenizer, make_pairs(examples, tokenizer, "mask", "plain"))
    found = integrate_gradients(model, tokenizer, examples, "plain", steps=4)
    np.testing.assert_allclose(found[found["memory"] == 0]["whole"], want["pir"], atol=1e-5)
    attention_share(model, tokenizer, examples, "plain")
    assert model.training


# --- ContextCite ----------------------------------------------------------------------------------


def test_context_cite_recovers_an_additive_game():
    """`boat` needs memory 7, `cat` memory 3, each alone: linear in log odds and in log p, so the
    weights are known."""
    model = remembering()
    told = planted(7, 3, 5)
    exact = shapley_values(*model, told)
    for link in ("log", "logit"):
        found = context_cite(*model, told, penalty=1e-6, link=link)
        cell = found.set_index(["position", "memory"])
        for position, memory in ((1, 0), (4, 1)):
            assert cell.loc[(position, memory), "value"] == pytest.approx(
                cell.loc[(position, memory), "whole"], rel=1e-3
            )
        assert cell.loc[(1, 2), "value"] == pytest.approx(0, abs=1e-3)
        if link == "log":
            np.testing.assert_allclose(found["value"], exact["value"], atol=1e-2)


@one_architecture
def test_context_cite_is_sparse(loaded, examples):
    sparse, dense = (context_cite(*loaded, examples, penalty=penalty) for penalty in (0.1, 1e-4))
    assert (sparse["value"] == 0).sum() > (dense["value"] == 0).sum()
    with pytest.raises(ConfigError, match="link"):
        context_cite(*loaded, examples, link="probit")


# --- the map --------------------------------------------------------------------------------------


@one_architecture
@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_makes_a_map(loaded, examples, method):
    one = examples.iloc[[1]]
    map_ = memory_map(*loaded, one, method)
    columns = ["memory 0", "memory 1"]
    assert map_.to_frame()["word"].tolist() == one["response"].iloc[0].split()
    np.testing.assert_allclose(map_.words["sum"], map_.words[columns].sum(axis=1))
    np.testing.assert_allclose(map_.words["sum"].sum(), map_.values["value"].sum())
    np.testing.assert_allclose(map_.totals["value"], map_.values.groupby("memory")["value"].sum())
    pairs = make_pairs(one, loaded[1])
    np.testing.assert_allclose(
        map_.words["pir"], words(score_tokens(*loaded, pairs), pairs)["pir"], atol=1e-9
    )
    assert (map_.gap < 1e-9) == (method == "shapley")


@one_architecture
def test_a_map_is_shown_and_takes_a_method_of_ones_own(loaded, examples):
    def equal_parts(model, tokenizer, rows, template=None):
        return shapley_values(model, tokenizer, rows, template).assign(
            value=lambda t: t["whole"] / 2
        )

    one = examples.iloc[[1]].assign(memories=[["<script>x</script>", "Broke a handle."]])
    map_ = memory_map(*loaded, one, equal_parts)
    assert map_.method == "equal_parts" and map_.gap < 1e-12
    assert "6 words × 2 memory items" in repr(map_) and "below 1e-9" in repr(map_)
    assert "<script>" not in map_._repr_html_() and "&lt;script&gt;" in map_._repr_html_()
    assert map_._repr_html_() == memory_map(*loaded, one, equal_parts)._repr_html_()


def test_the_planted_memory_item_is_found():
    """PersonaWorld, its shipped model: the item with the highest value is the one that brought the
    word in."""
    from workbench.language import load_causal_lm
    from workbench.worlds.persona import PersonaWorld

    model, corpus = load_causal_lm("persona-world"), PersonaWorld().corpus(4, seed=5)
    told = examples_of(corpus)
    scored = score_tokens(*model, make_pairs(told, model[1]))
    truth = planted_memory(scored, corpus, told)
    assert truth.groupby("text").size().tolist() == [5] * 4 and truth[
        "kind"
    ].value_counts().to_dict() == {
        "c": 4,
        "d": 8,
        "s": 8,
    }
    first = truth.iloc[0]
    item = told["memories"][first["text"]][first["memory"]]
    assert (
        item
        in corpus.memories.set_index("memory")["statement"][
            corpus.words["memory"].iloc[[0]]
        ].tolist()
    )
    for method in (shapley_values, leave_each_out):
        values = method(*model, told)
        found = credit(values, truth[truth["direct"]])
        assert found["words"] == 16 and found["right"] == 1
        assert (found["gap"] < 1e-9) == (method is shapley_values)
    wrong = credit(values.assign(memory=(values["memory"] + 1) % 5), truth)
    assert wrong["right"] == 0


@one_architecture
def test_bad_input_is_refused(loaded, examples):
    with pytest.raises(DataError, match="one row"):
        memory_map(*loaded, examples)
    with pytest.raises(DataError, match=r"example: a Series.*examples\.iloc\[\[0\]\]"):
        memory_map(*loaded, examples.iloc[1])
    with pytest.raises(ConfigError, match="method 'guess'"):
        memory_map(*loaded, examples.iloc[[0]], "guess")
    with pytest.raises(DataError, match="no value"):
        memory_map(*loaded, examples.iloc[[0]], "integrated_gradients", positions=[0])
    with pytest.raises(ConfigError, match="0 to"):
        integrate_gradients(*loaded, examples, positions=[99])
    with pytest.raises(DataError, match="empty persona"):
        shapley_values(*loaded, examples.assign(memories=[[], []]))
