"""What stands before a prompt is the same whether a server tokenises it or the tokenizer here."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.families import CHATML, ZEPHYR, bpe, people, wild_llama
from workbench.language import Endpoint
from workbench.tokens import make_pairs, score_tokens

OWN_BOS = "{{ bos_token }}" + CHATML
ADDS = {"bos": "<s>", "eos": "</s>", "adds": True}
FAMILIES = {
    "GPT-2": {},
    "Llama": ADDS,
    "Llama 3": ADDS | {"template": OWN_BOS},
    "ChatML with a bos": {"template": CHATML},
    "Zephyr": ADDS | {"template": ZEPHYR},
}


class Served(Endpoint):
    """A server that tokenises as its tokenizer does, bos included; what it was sent is kept."""

    speaker: Any = None
    sent: Any = None

    def post(self, path, body):
        model, tokenizer = self.speaker
        prompt = body["prompt"]
        if isinstance(prompt, str):
            prompt = tokenizer(prompt, add_special_tokens=body.get("add_special_tokens", True))
            prompt = prompt["input_ids"]
        if path == "/tokenize":
            return {"tokens": prompt}
        self.sent.append(prompt)
        with torch.no_grad():
            table = model(torch.tensor([prompt])).logits[0].double().log_softmax(-1)
        values = [None, *(float(table[k, one]) for k, one in enumerate(prompt[1:]))]
        names = [tokenizer.decode([one]) for one in prompt]
        if "prompt_logprobs" in body:
            cells = zip(prompt, values, names, strict=True)
            each = [{str(i): {"logprob": v, "decoded_token": s}} for i, v, s in cells]
            return {"choices": [{"prompt_logprobs": [None, *each[1:]]}]}
        found = {"tokens": names, "token_logprobs": values}
        return {"choices": [{"logprobs": found}], "usage": {"prompt_tokens": len(prompt)}}


def served(model, tokenizer, form):
    kind = type("Served", (Served,), {"speaker": (model, tokenizer), "sent": []})
    return kind("http://localhost/v1", "m", form=form)


@pytest.mark.parametrize("form", ["prompt_logprobs", "echo"])
@pytest.mark.parametrize("name", FAMILIES)
def test_scores_agree_with_the_tokenizer_and_without(name, form):
    tokenizer = bpe(**FAMILIES[name])
    model = wild_llama(tokenizer)
    pairs = make_pairs(people(), tokenizer)
    want = score_tokens(model, tokenizer, pairs)
    # a server cannot be told in this form to leave out what it puts before a text
    able = (tokenizer,) if (name, form) == ("Zephyr", "echo") else (tokenizer, None)
    for given in able:
        scorer = served(model, tokenizer, form)
        found = score_tokens(scorer, given, pairs)
        for column in ("log_prob_with", "log_prob_without", "pir"):
            np.testing.assert_allclose(found[column], want[column], atol=1e-5)


@pytest.mark.parametrize("form", ["prompt_logprobs", "echo"])
def test_two_equal_tokens_of_a_prompt_stay_two(form):
    tokenizer = bpe()
    scorer = served(wild_llama(tokenizer), tokenizer, form)
    found = scorer.of_text(["zz"], " lamp").log_probs
    ids = tokenizer("zz")["input_ids"]
    assert ids[0] == ids[1] and scorer.sent[-1][:2] == ids
    np.testing.assert_allclose(found, scorer.of_ids([ids], tokenizer(" lamp")["input_ids"]))
