"""Tiny tokenizers and models in the shapes of known families, as strangers bring them."""

import json

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


def write_gguf(path, model, tokenizer, kind="Q8_0", tokens=None, more=(), **keys):
    """A GGUF file of a Llama, as converters write it; `kind`: how its matrices are stored.

    `tokens` in place of the tokenizer's, `more` tensors {name: array}, `keys` {name: text or number}
    that are added, or stand in place of what the model says (`architecture`).
    """
    import gguf

    config, architecture = model.config, keys.pop("architecture", "llama")
    out = gguf.GGUFWriter(str(path), architecture)
    sizes = {"context_length": config.max_position_embeddings, "block_count": 1}
    sizes |= {"embedding_length": config.hidden_size, "feed_forward_length": 64}
    sizes |= {"attention.head_count": 4, "attention.head_count_kv": 4}
    for name, value in sizes.items():
        out.add_uint32(f"{architecture}.{name}", value)
    out.add_float32(f"{architecture}.attention.layer_norm_rms_epsilon", config.rms_norm_eps)
    out.add_float32(f"{architecture}.rope.freq_base", config.rope_parameters["rope_theta"])
    words = tokens or tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    special = {*tokenizer.all_special_tokens, *tokenizer.added_tokens_encoder}
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("gpt-2")
    out.add_token_list(words)
    out.add_token_types([3 if word in special else 1 for word in words])
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    out.add_token_merges([" ".join(pair) for pair in merges])
    out.add_eos_token_id(tokenizer.eos_token_id)
    for name, value in keys.items():
        name = name.replace("__", ".")
        (out.add_string if isinstance(value, str) else out.add_uint32)(name, value)
    for name, value in {**_gguf_tensors(model), **dict(more)}.items():
        plain = value.ndim == 1 or kind in ("F32", None)
        type_ = gguf.GGMLQuantizationType[kind if not plain else "F32"]
        data = value if plain else gguf.quantize(value, type_)
        out.add_tensor(name, data, raw_dtype=type_)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return path


def _gguf_tensors(model):
    """{name: array}; the rows of two matrices stand as llama.cpp's rotation wants them."""
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    named = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    layer = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
    layer |= {f"self_attn.{one}_proj": f"attn_{one}" for one in "qkv"}
    layer |= {"self_attn.o_proj": "attn_output"}
    layer |= {f"mlp.{one}_proj": f"ffn_{one}" for one in ("gate", "up", "down")}
    named |= {f"model.layers.0.{ours}": f"blk.0.{theirs}" for ours, theirs in layer.items()}
    out = {}
    for ours, theirs in named.items():
        value = weights[f"{ours}.weight"]
        if theirs.endswith(("_q", "_k")):
            rows, columns = value.shape
            value = value.reshape(4, 2, rows // 8, columns).swapaxes(1, 2).reshape(rows, columns)
        out[f"{theirs}.weight"] = value
    return out
