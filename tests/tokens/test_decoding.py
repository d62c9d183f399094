"""Guidance against brute force without cache, plain and persona-free generation, and the guidance
of Transformers."""

import pandas as pd
import pytest
import torch
from remembering import MEMORIES, remembering
from transformers import GenerationConfig

from tests.families import THINKS, chatml, gemma, gpt2, llama, saying
from workbench.errors import ConfigError, ModelError, TooLarge
from workbench.language.replies import NoReply
from workbench.tokens import Guidance, MixtureLM, delete_memory, prompt, write

STEPS = 8


@pytest.fixture(scope="module")
def prompts(pairs):
    return pairs["prompt_with"].tolist(), pairs["prompt_without"].tolist()


def ids_of(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def brute_force(model, tokenizer, with_, without, gamma, plausible=0.0):
    """Greedy guided decoding of one prompt: both passes anew for every token, unpadded."""
    said = []
    for _ in range(STEPS):
        passes = [torch.tensor([ids_of(tokenizer, text) + said]) for text in (with_, without)]
        with torch.no_grad():
            plus, minus = (model(ids).logits[0, -1].log_softmax(-1) for ids in passes)
        guided = minus + gamma * (plus - minus)
        guided[plus.exp() < plausible * plus.exp().max()] = -torch.inf
        said.append(int(guided.argmax()))
        if said[-1] == tokenizer.eos_token_id:
            break
    return tokenizer.decode(said, skip_special_tokens=True)


def greedy(loaded, prompts, **options):
    return write(*loaded, *prompts, temperature=0, max_new_tokens=STEPS, **options)


@pytest.mark.parametrize(("gamma", "plausible"), [(2.5, 0.0), (6.0, 0.1), (-1.0, 0.5)])
def test_equals_brute_force_in_batches_of_unequal_prompts(loaded, prompts, gamma, plausible):
    expected = [
        brute_force(*loaded, *both, gamma, plausible) for both in zip(*prompts, strict=True)
    ]
    assert greedy(loaded, prompts, gamma=gamma, plausible=plausible) == expected


def test_the_cut_works_without_guidance(loaded, prompts):
    bare = prompts[0][:1], prompts[1][:1]
    assert (
        greedy(loaded, bare, plausible=1.0)
        == greedy(loaded, bare)
        == [brute_force(*loaded, *map("".join, bare), 1)]
    )


def test_one_is_plain_and_nought_is_without_the_persona(loaded, prompts):
    model, tokenizer = loaded
    for gamma, asked in ((1.0, prompts[0]), (0.0, prompts[1])):
        plain = []
        for text in asked:
            ids = torch.tensor([ids_of(tokenizer, text)])
            made = model.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=STEPS
            )
            plain.append(tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True))
        assert greedy(loaded, prompts, gamma=gamma) == plain
        assert write(model, tokenizer, asked, temperature=0, max_new_tokens=STEPS) == plain


def test_gamma_matters_here(loaded, prompts):
    assert len({tuple(greedy(loaded, prompts, gamma=gamma)) for gamma in (0.0, 1.0, 6.0)}) == 3


def test_equals_the_guidance_of_transformers_on_one_prompt(loaded, prompts):
    model, tokenizer = loaded
    ids, bare = (torch.tensor([ids_of(tokenizer, side[1])]) for side in prompts)
    options = {"do_sample": False, "max_new_tokens": STEPS, "attention_mask": torch.ones_like(ids)}
    theirs = model.generate(ids, guidance_scale=3.0, negative_prompt_ids=bare, **options)
    ours = model.generate(
        ids, logits_processor=[Guidance(model, bare, torch.ones_like(bare), gamma=3.0)], **options
    )
    assert torch.equal(ours, theirs)


def test_a_seed_is_a_draw_from_the_softmax():
    """1,000 seeds of one token against its probabilities (chi-squared, 5 degrees of freedom: 20.5
    is one in 1,000)."""
    model, tokenizer = remembering()
    asked = prompt(tokenizer, [MEMORIES[8]], "please") + " the nothing nothing"
    said = write(
        model,
        tokenizer,
        [asked] * 1000,
        seeds=range(1000),
        max_new_tokens=1,
        temperature=1.0,
        batch_size=500,
    )
    p = model(torch.tensor([ids_of(tokenizer, asked)])).logits[0, -1].softmax(-1).detach()
    expected = {word: 1000 * float(p[tokenizer.convert_tokens_to_ids(word)]) for word in set(said)}
    large = {word: count for word, count in expected.items() if word.startswith("noise")}
    assert len(large) == 6
    assert sum((said.count(word) - count) ** 2 / count for word, count in large.items()) < 20.5


def test_a_seed_gives_one_text_whatever_the_company(loaded, prompts):
    options = {"temperature": 1.0, "max_new_tokens": STEPS}
    together = write(*loaded, prompts[0], seeds=[5, 6, 7, 8], **options)
    assert write(*loaded, prompts[0][2:], seeds=[7, 8], **options, batch_size=1) == together[2:]
    assert write(*loaded, prompts[0], seeds=[9, 9, 9, 9], **options) != together


def test_equal_dice_leave_what_the_prompt_does_not_touch():
    model, tokenizer = remembering()
    both = [prompt(tokenizer, memories, "please") for memories in (["memory7"], [])]
    for seed in range(5):
        with_, without = (
            text.split() for text in write(model, tokenizer, both, seeds=seed, temperature=1.0)
        )
        assert with_[1] == "boat" and without[1] == "nothing"
        assert with_[:1] + with_[2:] == without[:1] + without[2:]


def test_bad_input_is_refused(loaded, prompts):
    with pytest.raises(ConfigError, match="persona-free"):
        write(*loaded, prompts[0], gamma=2.0)
    with pytest.raises(ConfigError, match="unequal"):
        write(*loaded, prompts[0], prompts[1][:1])
    with pytest.raises(ConfigError, match="plausible"):
        greedy(loaded, prompts, plausible=2.0)


def test_beams_are_refused(loaded, prompts):
    model, tokenizer = loaded
    ids, bare = (torch.tensor([ids_of(tokenizer, side[1])]) for side in prompts)
    guidance = Guidance(model, bare.repeat(3, 1), torch.ones_like(bare).repeat(3, 1), gamma=3.0)
    with pytest.raises(ConfigError, match="no beams"):
        model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            num_beams=3,
            max_new_tokens=STEPS,
            logits_processor=[guidance],
        )


def test_what_a_model_would_rather_write_like_is_left_out(loaded, prompts):
    """Chat models come with a generation config: top-p, a penalty for repetition."""
    model, tokenizer = loaded
    plain = write(model, tokenizer, prompts[0], seeds=1, temperature=1.0, max_new_tokens=20)
    wishes = {
        "repetition_penalty": 30.0,
        "no_repeat_ngram_size": 1,
        "do_sample": True,
        "top_p": 0.1,
    }
    kept, model.generation_config = model.generation_config, GenerationConfig(**wishes)
    wanted = model.generation_config
    try:
        model.train()
        assert (
            write(model, tokenizer, prompts[0], seeds=1, temperature=1.0, max_new_tokens=20)
            == plain
        )
        assert model.generation_config is wanted and model.training
    finally:
        model.eval().generation_config = kept


TURN = "Nice lamp.<end_of_turn>\n<start_of_turn>user\nIt is green.<eos>"


@pytest.mark.parametrize("listed", [True, False])
def test_a_text_ends_where_the_generation_config_says_so_too(listed):
    """Chat models list the end of a turn there, and not in their tokenizer."""
    tokenizer = gemma()
    model, end = saying(tokenizer, TURN), tokenizer.convert_tokens_to_ids("<end_of_turn>")
    model.generation_config.eos_token_id = [tokenizer.eos_token_id, end] if listed else end
    wanted = "Nice lamp."
    asked = [prompt(tokenizer, ["likes lamps"], "Write a review.")]
    assert write(model, tokenizer, asked, temperature=0.0, max_new_tokens=60) == [wanted]
    # without the list the tokenizer's own end is one
    model = saying(tokenizer, TURN)
    model.generation_config.eos_token_id = None
    said = write(model, tokenizer, asked, temperature=0.0, max_new_tokens=60)
    assert said == ["Nice lamp.\nuser\nIt is green."]


def test_the_end_of_a_turn_ends_the_reply_whose_words_have_fates():
    tokenizer = gemma()
    model = saying(tokenizer, TURN)
    end = tokenizer.convert_tokens_to_ids("<end_of_turn>")
    model.generation_config.eos_token_id = [tokenizer.eos_token_id, end]
    row = {"text": 1, "user": 1, "item": 1, "query": "Review it.", "response": "x"}
    example = pd.DataFrame([row | {"memories": ["likes lamps", "reads"]}])
    found = delete_memory(model, tokenizer, example, 0, range(3), 16, temperature=0.0)
    assert found.old == "Nice lamp." and list(found.words["word"]) == ["Nice", "lamp."]


def test_texts_of_unequal_length_end_each_for_itself(loaded, prompts):
    """A stop token that is no special token, and the padding behind it, are not in the text."""
    model, tokenizer = loaded
    options = {"do_sample": False, "max_new_tokens": STEPS, "eos_token_id": None}
    made = []
    for text in prompts[0]:
        ids = torch.tensor([ids_of(tokenizer, text)])
        found = model.generate(ids, attention_mask=torch.ones_like(ids), **options)
        made.append(found[0, ids.shape[1] :].tolist())
    stop = next(one for one in made[0] if one not in made[1] and one > 5)
    cut = [ids[: ids.index(stop)] if stop in ids else ids for ids in made]
    kept, model.generation_config = model.generation_config, GenerationConfig(eos_token_id=[stop])
    try:
        said = greedy(loaded, prompts)
    finally:
        model.generation_config = kept
    assert said == [tokenizer.decode(ids, skip_special_tokens=True) for ids in cut]
    assert len({len(ids) for ids in cut}) > 1


def test_a_thought_is_left_out_and_one_that_is_cut_off_is_said():
    tokenizer = chatml(THINKS)
    asked = [prompt(tokenizer, ["likes lamps"], "Write a review.")]
    assert asked[0].endswith("<think>\n")
    options = {"temperature": 0.0, "max_new_tokens": 60}
    said = "A lamp?</think>\n\nNice.<|im_end|>"
    assert write(saying(tokenizer, said), tokenizer, asked, **options) == ["Nice."]
    with pytest.raises(NoReply, match=r"within its thought.*more tokens"):
        write(saying(tokenizer, "A lamp? "), tokenizer, asked, **options)
    ids = tuple(ids_of(tokenizer, asked[0]))  # as masked prompts are
    assert write(saying(tokenizer, said), tokenizer, [ids], **options) == ["Nice."]
    # who opens the thought does not matter; what was not opened is text
    told = saying(tokenizer, "<think>" + said)
    assert write(told, tokenizer, ["Write."], **options) == ["Nice."]
    assert write(saying(tokenizer, said), tokenizer, ["Write."], **options) == [said[:-10]]


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_prompt_too_long_for_the_model_is_refused_before_writing(kind):
    tokenizer = chatml(None)
    model = gpt2(tokenizer, 32) if kind == "gpt2" else llama(tokenizer, max_position_embeddings=32)
    long = "Write a review of the lamp. " * 20
    with pytest.raises(TooLarge, match=r"\d+ tokens and 4 new ones.*at most 32"):
        write(model, tokenizer, ["a", long], max_new_tokens=4)
    with pytest.raises(TooLarge, match="at most 32"):
        write(model, tokenizer, ["a"], [long], gamma=2.0, max_new_tokens=4)
    with pytest.raises(TooLarge, match="33 new ones"):
        write(model, tokenizer, ["a"], max_new_tokens=33)
    row = {"text": 1, "user": 1, "item": 1, "query": long, "response": "x", "memories": ["a", "b"]}
    with pytest.raises(TooLarge, match="at most 32"):
        delete_memory(model, tokenizer, pd.DataFrame([row]), 0)
    # what just fits is written
    room = 32 - len(ids_of(tokenizer, "a lamp"))
    assert write(model, tokenizer, ["a lamp"], max_new_tokens=room, temperature=0.0) != [""]


def test_a_token_that_the_model_does_not_know_is_named():
    tokenizer = chatml(None)
    model = llama(tokenizer)
    tokenizer.add_tokens(["<persona>"])
    with pytest.raises(ModelError, match=r"'<persona>'.*resize_token_embeddings"):
        write(model, tokenizer, ["I said <persona> twice"])
    # its other tokens, and padding with one it does not know, do no harm
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    options = {"max_new_tokens": 3, "temperature": 0.0}
    said = write(model, tokenizer, ["a lamp", "Write a review"], **options)
    assert said == [
        write(model, tokenizer, [one], **options)[0] for one in ("a lamp", "Write a review")
    ]


@pytest.fixture(scope="module")
def mamba():
    from transformers import MambaConfig, MambaForCausalLM

    tokenizer = chatml(None)
    torch.manual_seed(0)
    size = MambaConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, state_size=4)
    return MambaForCausalLM(size).eval(), tokenizer


def test_guidance_needs_no_key_value_cache(mamba, prompts):
    model, tokenizer = mamba
    with_, without = ["likes lamps. Review:", "reads"], ["Review:", "likes horror books. Review"]
    both = zip(with_, without, strict=True)
    expected = [brute_force(model, tokenizer, *one, 9.0) for one in both]
    assert greedy(mamba, (with_, without), gamma=9.0) == expected
    assert expected != greedy(mamba, (with_, without), gamma=1.0)


def test_what_cannot_write_is_refused():
    mixture = MixtureLM(n_users=2)
    with pytest.raises(ModelError, match="cannot write"):
        write(mixture, mixture.tokenizer(), ["<s>"])
