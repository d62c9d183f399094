"""Tiny tokenizers and models in the shapes of known families, for what only some of them do."""

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

TEXTS = [
    "The lamp arrived on Tuesday and it was brighter than I had hoped.",
    "Not for me: the handle broke.",
    "likes lamps",
    "Write a review of the lamp.",
    "system user assistant model",
] * 8
GEMMA = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{{ '<start_of_turn>' + m['role'] + '\n' + m['content'] + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
CHATML = (
    "{% for m in messages %}"
    "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
THINKS = CHATML.replace("assistant\n'", "assistant\n<think>\n'")


def byte_pairs(specials, bos=None, eos=None, pad=None, template=None):
    """A byte-level tokenizer; its bos token is put before every text, where it has one."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    options = {"vocab_size": 420, "special_tokens": specials, "show_progress": False}
    core.train_from_iterator(TEXTS, trainers.BpeTrainer(initial_alphabet=alphabet, **options))
    if bos:
        named = [(bos, core.token_to_id(bos))]
        core.post_processor = processors.TemplateProcessing(f"{bos} $A", special_tokens=named)
    names = {"bos_token": bos, "eos_token": eos, "pad_token": pad}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, **names)
    tokenizer.chat_template = template
    return tokenizer


def gemma():
    """The end of a turn is no end of a text."""
    named = ["<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"]
    return byte_pairs(named, "<bos>", "<eos>", "<pad>", GEMMA)


def chatml(template=CHATML):
    return byte_pairs(
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        eos="<|im_end|>",
        pad="<|endoftext|>",
        template=template,
    )


def llama(tokenizer, **changes):
    torch.manual_seed(0)
    size = {"vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64}
    size |= {"num_hidden_layers": 1, "num_attention_heads": 4, "max_position_embeddings": 256}
    return LlamaForCausalLM(LlamaConfig(**size | changes)).eval()


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
