"""Tiny tokenizers and models in the shapes of known families, as strangers bring them."""

import pandas as pd
import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer, UnigramTrainer
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

SAID = [
    "The lamp arrived on Tuesday and it was brighter than I had hoped.",
    "Not for me: the handle broke.",
    "likes lamps and reads horror",
    "Write a review of the lamp.",
] * 8
END = "<|endoftext|>"
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{{ '<start_of_turn>' + m['role'] + '\n' + m['content'] + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
THINKS = CHATML.replace("assistant\n'", "assistant\n<think>\n'")
ZEPHYR = (
    "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + eos_token + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
INST = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no') }}{% endif %}"
    "{{ '[INST] ' + m.content + ' [/INST]' }}{% endfor %}"
)
LLAMA2 = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ '[INST] <<SYS>>\n' + m.content "
    "+ '\n<</SYS>>\n\n' }}{% elif m.role == 'user' %}{{ m.content + ' [/INST]' }}"
    "{% else %}{{ ' ' + m.content + ' [INST] ' }}{% endif %}{% endfor %}"
)
ROLES = (
    "{% for m in messages %}{{ {'user': 'User: ', 'assistant': 'Assistant: ', 'system': ''}"
    "[m.role] + m.content + '\n' }}{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}"
)
ALPACA = (
    "{% for m in messages %}{{ {'user': '### Instruction:\n', 'assistant': '### Response:\n', "
    "'system': ''}[m.role] + m.content + '\n\n' }}{% endfor %}"
    "{% if add_generation_prompt %}### Response:\n{% endif %}"
)
LLAMA3_WORDS = r" ?\p{L}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\p{N}|\s*[\r\n]+|\s+(?!\S)|\s+"


def bpe(template=None, bos=END, eos=END, pad=None, adds=False, specials=(), words=None):
    """Bytes, as GPT-2, Llama 3 and Qwen have them; `adds`: a bos token is put before a text;
    `words`: an expression that cuts them."""
    core = Tokenizer(models.BPE())
    cut = [pre_tokenizers.Split(Regex(words), "isolated")] if words else []
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not words)
    core.pre_tokenizer = pre_tokenizers.Sequence([*cut, bytes_])
    core.decoder = decoders.ByteLevel()
    special = list(dict.fromkeys(filter(None, [bos, eos, pad, *specials])))
    options = {"vocab_size": 380, "special_tokens": special, "show_progress": False}
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(SAID, BpeTrainer(initial_alphabet=alphabet, **options))
    if adds:
        single, ids = f"{bos} $A", [(bos, core.token_to_id(bos))]
        core.post_processor = processors.TemplateProcessing(single=single, special_tokens=ids)
    named = {"bos_token": bos, "eos_token": eos, "pad_token": pad}
    return PreTrainedTokenizerFast(tokenizer_object=core, chat_template=template, **named)


def unigram(nfkc=False):
    """Pieces of a vocabulary that holds the control tokens as well, as Japanese models have it."""
    core = Tokenizer(models.Unigram())
    core.pre_tokenizer, core.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    if nfkc:
        core.normalizer = normalizers.NFKC()
    options = {"special_tokens": ["<s>", "</s>", "<unk>"], "show_progress": False}
    core.train_from_iterator(SAID, UnigramTrainer(vocab_size=120, unk_token="<unk>", **options))
    named = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=core, **named)


def gemma():
    """The end of a turn is no end of a text."""
    turns = ["<start_of_turn>", "<end_of_turn>"]
    return bpe(GEMMA, "<bos>", "<eos>", "<pad>", adds=True, specials=turns)


def chatml(template=CHATML):
    return bpe(template, bos=None, eos="<|im_end|>", pad=END, specials=["<|im_start|>"])


def llama(tokenizer, **changes):
    """Random weights, one layer."""
    torch.manual_seed(0)
    sizes = {"vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64}
    sizes |= {"num_hidden_layers": 1, "num_attention_heads": 4, "max_position_embeddings": 256}
    return LlamaForCausalLM(LlamaConfig(**sizes | changes)).eval()


def wild_llama(tokenizer, rows=None):
    """Random weights that are far apart; `rows` of embeddings, else one a token."""
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    sizes = {"hidden_size": 16, "intermediate_size": 16, "max_position_embeddings": 512}
    sizes |= {"num_attention_heads": 2, "num_key_value_heads": 1, "initializer_range": 0.3}
    return llama(tokenizer, vocab_size=rows or len(tokenizer), **sizes, **ends)


def gpt2(tokenizer, context=256):
    torch.manual_seed(0)
    size = {"n_embd": 32, "n_layer": 1, "n_head": 4, "vocab_size": len(tokenizer)}
    return GPT2LMHeadModel(GPT2Config(n_positions=context, **size)).eval()


def saying(tokenizer, text, model=None):
    """A model that says `text` token for token, whatever it is asked, and then the same again."""
    model, ids = model or llama(tokenizer), tokenizer(text, add_special_tokens=False)["input_ids"]
    model.said = 0

    def tell(_, args, kwargs, output):
        output.logits[:, -1] = 0
        output.logits[:, -1, ids[model.said % len(ids)]] = 50
        model.said += 1
        return output

    model.register_forward_hook(tell, with_kwargs=True)
    return model


def people(**columns):
    """Three texts by three people."""
    rows = {"text": ["a", "b", "c"], "user": [1, 2, 3], "item": [1, 1, 2]}
    rows["query"] = ["Write a review of the lamp."] * 3
    rows["response"] = ["The lamp arrived.", "Not for me: the handle broke.", "I read it."]
    rows["memories"] = [["likes lamps"], ["reads horror", "camps"], ["slept badly", "a green van"]]
    return pd.DataFrame(rows | columns)
