"""Token ids of prompts and responses: what stands before a prompt, what looks like a control
token, and whether the model knows them."""

import numpy as np
import pandas as pd
import pytest

from tests.families import (
    ALPACA,
    CHATML,
    END,
    INST,
    LLAMA2,
    ROLES,
    ZEPHYR,
    bpe,
    people,
    unigram,
    wild_llama,
)
from workbench.errors import DataError, ModelError
from workbench.tokens import make_pairs, prompt, score_tokens, trust
from workbench.tokens.encoding import encode_pairs, opening, prompt_ids, response_ids
from workbench.tokens.prompts import masked

TALK = [{"role": "system", "content": "likes lamps"}, {"role": "user", "content": "q"}]
OWN_BOS = "{{ bos_token }}" + CHATML
FAMILIES = {
    "GPT-2": {},
    "Llama": {"bos": "<s>", "eos": "</s>", "adds": True},
    "Llama 3": {"template": OWN_BOS, "bos": "<s>", "eos": "</s>", "adds": True},
    "ChatML with a bos": {"template": CHATML},
    "ChatML without": {"template": CHATML, "bos": None},
    "Zephyr": {"template": ZEPHYR, "bos": "<s>", "eos": "</s>", "adds": True},
}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_prompt_begins_as_tokenizer_and_template_have_it(name):
    tokenizer = bpe(**FAMILIES[name])
    # a text as the tokenizer has it
    assert prompt_ids(tokenizer, ["Review:"]) == [tuple(tokenizer("Review:")["input_ids"])]
    if tokenizer.bos_token:
        (ids,) = prompt_ids(tokenizer, [f"{tokenizer.bos_token}Review:"])
        assert ids[0] == tokenizer.bos_token_id != ids[1], "not doubled"
    # a chat as the template has it
    if tokenizer.chat_template:
        for told, talk in ((["likes lamps"], TALK), ([], TALK[1:])):
            own = tokenizer.apply_chat_template(talk, add_generation_prompt=True)["input_ids"]
            assert prompt_ids(tokenizer, [prompt(tokenizer, told, "q")]) == [tuple(own)]
    # masked, behind the same
    with_ = prompt_ids(tokenizer, [prompt(tokenizer, ["likes lamps"], "q")])
    without = prompt_ids(tokenizer, [masked(tokenizer, ["likes lamps"], "q")])
    assert len(without[0]) == len(with_[0]) and without[0][0] == with_[0][0]


def test_what_a_tokenizer_puts_before_a_text():
    assert opening(bpe()) == () and opening(unigram()) == ()
    adds = bpe(bos="<s>", eos="</s>", adds=True)
    assert opening(adds) == (adds.bos_token_id,)


def test_both_sides_of_a_pair_begin_alike_where_a_chat_begins_with_a_text():
    tokenizer = bpe(ROLES, bos="<s>", eos="</s>", adds=True)
    (row,) = encode_pairs(tokenizer, make_pairs(people()[:1], tokenizer))
    assert [ids[0] for ids in row["prompts"]] == [tokenizer.bos_token_id] * 2


def test_an_empty_prompt_before_which_nothing_is_put_is_refused():
    pairs = pd.DataFrame({"text": ["a"], "prompt_with": ["a"], "prompt_without": [""]})
    with pytest.raises(DataError, match=r"row 0 .*prompt_without holds no token.*puts none"):
        encode_pairs(bpe(), pairs.assign(response="b"))
    adds = bpe(bos="<s>", eos="</s>", adds=True)
    assert encode_pairs(adds, pairs.assign(response="b"))[0]["without"] == (adds.bos_token_id,)


@pytest.mark.parametrize("nfkc", [False, True])
@pytest.mark.parametrize("said", ["The lamp </s> arrived", "</s>", "<s></s>lamp", "a ＜/s＞ lamp"])
def test_text_that_looks_like_a_control_token_stays_text(nfkc, said):
    tokenizer = unigram(nfkc)
    (ids, offsets), (plain, _) = response_ids(tokenizer, [said, "likes lamps"])
    assert {tokenizer.bos_token_id, tokenizer.eos_token_id}.isdisjoint(ids)
    assert offsets[0][0] == 0 and offsets[-1][1] == len(said)
    assert [a for a, _ in offsets] == sorted(a for a, _ in offsets)
    assert plain == tuple(tokenizer("likes lamps", add_special_tokens=False)["input_ids"])
    # in prompts as well
    (ids,) = prompt_ids(tokenizer, [prompt(tokenizer, [said], said)])
    assert {tokenizer.bos_token_id, tokenizer.eos_token_id}.isdisjoint(ids)


def test_token_ids_outside_of_the_embedding_are_refused_before_work():
    tokenizer = bpe(pad="<pad>")
    model = wild_llama(tokenizer)
    tokenizer.add_tokens(["<persona>"])
    ex = people(response=["I said <persona> twice."] * 3)
    with pytest.raises(ModelError, match=r"'<persona>'.*ids below \d+.*resize_token_embeddings"):
        score_tokens(model, tokenizer, make_pairs(ex, tokenizer))
    # a token that no text holds does no harm
    assert np.isfinite(score_tokens(model, tokenizer, make_pairs(people(), tokenizer)).pir).all()
    found = trust(model, tokenizer, people(), texts=2, others=2).checks.set_index("check")
    assert not found.at["tokens of the tokenizer", "ok"]


@pytest.mark.parametrize("template", [INST, LLAMA2, ROLES, ALPACA, CHATML, ZEPHYR])
def test_no_text_holds_the_marks_of_a_template(template):
    """Whether they are special tokens or plain text."""
    marks = ["[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "User:", "Assistant:", "</s>", END]
    marks += ["### Instruction:", "### Response:", "<|im_start|>", "<|im_end|>", "<|assistant|>"]
    tokenizer = bpe(template, bos="<s>", eos="</s>")
    for place in ("memory", "query"):
        texts = {"memory": "walks", "query": "lamps"}
        harmless = prompt(tokenizer, [texts["memory"]], texts["query"])
        texts[place] += " nice " + " I hate it ".join(marks)
        full = prompt(tokenizer, [texts["memory"]], texts["query"])
        used = [mark for mark in marks if mark in template]
        assert used or template == ZEPHYR
        for mark in used:
            assert full.count(mark) == harmless.count(mark), mark


def test_a_plain_word_of_a_template_is_no_mark():
    default = (
        "{% if messages[0].role != 'system' %}You are a helpful assistant.{% endif %}" + CHATML
    )
    said = prompt(bpe(default), ["You are a helpful assistant. As user: well-lit, 3.5"], "q")
    assert "You are a helpful assistant. As user: well-lit, 3.5" in said
