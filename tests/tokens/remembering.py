"""A language model that says known words for known reasons: truth for whatever attributes, deletes
or guides."""

import torch
from transformers import GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput

from workbench.tokens.small_models import word_tokenizer

SPECIALS = ["<s>", "<persona>", "<query>", "<response>", "</s>"]
MEMORIES = [f"memory{number}" for number in range(9)]
NOISE = [f"noise{number}" for number in range(6)]
VOCABULARY = [*SPECIALS, *MEMORIES, "please", "the", "boat", "tea", "cat", "nothing", *NOISE]
# what stands at each place of the reply: a word, and the memories of which any one brings it
PLACES = [
    ("the", None),
    ("boat", {7}),
    ("tea", {1, 2}),
    (NOISE, None),
    ("cat", {3}),
    ("please", None),
    ("</s>", None),
]
SURE = 12.0


class RememberingConfig(PretrainedConfig):
    model_type = "remembering"


class RememberingLM(PreTrainedModel, GenerationMixin):
    """Says PLACES in turn: a brought word with logit SURE if one of its memories is in the prompt,
    else `nothing`."""

    config_class = RememberingConfig

    def __init__(self):
        super().__init__(RememberingConfig(vocab_size=len(VOCABULARY), use_cache=False))
        self.embedding = torch.nn.Embedding(len(VOCABULARY), 1)  # asked for by others; says nothing
        self.generation_config.use_cache = False

    def get_input_embeddings(self):
        return self.embedding

    def forward(self, input_ids, attention_mask=None, **_):
        logits = torch.zeros(*input_ids.shape, len(VOCABULARY))
        for row, ids in enumerate(input_ids.tolist()):
            said = [VOCABULARY[i] for i in ids]
            held = {MEMORIES.index(word) for word in said if word in MEMORIES}
            begin = said.index("<response>") if "<response>" in said else len(said)
            for at in range(begin, len(ids)):
                words, memories = PLACES[min(at - begin, len(PLACES) - 1)]
                if memories is not None and not memories & held:
                    words = "nothing"
                for number, word in enumerate(words if isinstance(words, list) else [words]):
                    # memory 8 tilts the noise a little
                    tilt = 0.1 * number * (1 if 8 in held else -1)
                    logits[row, at, VOCABULARY.index(word)] = SURE + tilt
        return CausalLMOutput(logits=logits)


def remembering():
    """The model and its tokenizer, one token a word."""
    return RememberingLM().eval(), word_tokenizer(VOCABULARY)
