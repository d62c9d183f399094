"""What a token score is tried on: models, tokenizers and pairs that are made on the spot."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd
import torch


class Case(NamedTuple):
    """What a score is tried on."""

    model: Any
    tokenizer: Any
    pairs: pd.DataFrame

    def of(self, pairs: pd.DataFrame) -> Case:
        """The same with other pairs."""
        return self._replace(pairs=pairs.reset_index(drop=True))


def small_case(seed: int = 0) -> Case:
    """A Llama of random weights, its tokenizer, and three pairs of unequal lengths."""
    from workbench.tokens.small_models import PocketConfig, make_model, make_tokenizer

    texts = ["The lamp is bright.", "I camp in a tent whenever it is dry, and I like it.", "No."]
    tokenizer = make_tokenizer(texts, 320)
    size = PocketConfig(hidden=16, layers=1, heads=2, feed_forward=16, seed=seed)
    told = [f"<s><persona>{'likes lamps ' * n}<query>review<response>" for n in (1, 2, 3)]
    pairs = pd.DataFrame({"text": list("abc"), "prompt_with": told, "response": texts})
    pairs["prompt_without"] = "<s><query>review<response>"
    return Case(make_model(size, tokenizer).eval(), tokenizer, pairs)


COPIED = {"a": 3, "b": 1}
"""Which token of each text of `copying_case` is the copied one."""


def copying_case() -> Case:
    """A Llama with a known answer: after "a" it says the thing that its persona names; of all other
    tokens the persona changes nothing at all.

    Tokens are the axes of its space. Its one head looks at the beginning of the text, which says
    nothing; from "a" at things, where there is one.
    """
    from workbench.tokens.small_models import PocketConfig, make_model, word_tokenizer

    words = "<s> <persona> <query> <response> </s> lamp tent a i got review today it is and no"
    vocabulary, size = words.split(), 16
    shape = PocketConfig(hidden=size, layers=1, heads=1, feed_forward=size)
    tokenizer = word_tokenizer(vocabulary)
    model = make_model(shape, tokenizer).eval()
    layer, start, things, after = model.model.layers[0], 0, [5, 6], vocabulary.index("a")
    # two axes of a head that positions hardly turn: the beginning, and things
    beginning, thing = 7, 6
    with torch.no_grad():
        for weights in (*layer.self_attn.parameters(), *layer.mlp.parameters()):
            weights.zero_()
        model.model.embed_tokens.weight.copy_(torch.eye(size))
        layer.self_attn.k_proj.weight[beginning, start] = 1
        layer.self_attn.k_proj.weight[thing, things] = 1
        layer.self_attn.q_proj.weight[beginning] = 30
        layer.self_attn.q_proj.weight[thing, after] = 60
        layer.self_attn.v_proj.weight[things, things] = 1
        layer.self_attn.o_proj.weight.copy_(8 * torch.eye(size))
    told = [f"<s> <persona> {one} <query> review <response>" for one in ("lamp", "tent")]
    pairs = pd.DataFrame({"text": list(COPIED), "prompt_with": told})
    said = ["i got a lamp today", "a tent it is and no lamp"]
    return Case(
        model, tokenizer, pairs.assign(prompt_without=told[0][:3] + told[0][19:], response=said)
    )
