"""load_causal_lm: what it refuses and says; what it loads is tested with score_tokens."""

import json

import pytest

from tests.families import chatml, gpt2, llama
from workbench.errors import ConfigError, ModelError, TooLarge
from workbench.language import load_adapter, load_causal_lm
from workbench.language.loading import check_fits, check_room, context_of


@pytest.fixture
def folder(tmp_path):
    from workbench.tokens.small_models import PocketConfig, make_model, make_tokenizer

    tokenizer = make_tokenizer(["a lamp and a tent"], 300)
    make_model(
        PocketConfig(hidden=16, layers=1, heads=2, feed_forward=16), tokenizer
    ).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_loads_in_float32_for_scoring(folder):
    import torch

    model, tokenizer = load_causal_lm(folder)
    assert model.dtype == torch.float32 and not model.training and tokenizer.is_fast


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["config.json"], "no config.json"),
        (["tokenizer.json", "tokenizer_config.json"], "no tokenizer"),
        (["model.safetensors"], "no safetensors weights"),
    ],
)
def test_a_missing_file_is_named(folder, names, says):
    for name in names:
        (folder / name).unlink()
    with pytest.raises(ModelError, match=rf"{says}.*What to do"):
        load_causal_lm(folder)


@pytest.mark.parametrize("name", ["/nowhere/model", "./nowhere", "a/b/c"])
def test_missing_folder(name):
    with pytest.raises(ModelError, match="no such model folder"):
        load_causal_lm(name)


def test_an_id_outside_the_cache_is_not_downloaded(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="download=True"):
        load_causal_lm("nobody/never-made-this")


def test_an_id_without_a_network_says_what_else_to_pass(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=r"connect to the network.*folder or file of a model"):
        load_causal_lm("nobody/never-made-this", download=True)


def test_broken_weights(folder):
    (folder / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelError, match="cannot load the model"):
        load_causal_lm(folder)


def test_code_that_a_model_brings_is_not_run(folder):
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "mine",
        "architectures": ["Mine"],
        "auto_map": {"AutoModelForCausalLM": "evil.Mine", "AutoConfig": "evil.C"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text(
        f"open({str(folder / 'ran')!r}, 'w')\nclass Mine: pass\nclass C: pass\n"
    )
    with pytest.raises(ModelError):
        load_causal_lm(folder)
    assert not (folder / "ran").exists()


@pytest.mark.parametrize(
    ("dtype", "device_map"), [("bfloat16", None), ("float32", "cpu"), ("bfloat16", "auto")]
)
def test_other_dtypes_and_a_device_map(folder, dtype, device_map):
    """Also scored: the numbers are those of float32, as far as the dtype goes."""
    import pandas as pd
    import torch

    from workbench.tokens import score_tokens

    model, tokenizer = load_causal_lm(folder, dtype=dtype, device_map=device_map)
    assert model.dtype == getattr(torch, dtype)
    pairs = pd.DataFrame(
        [("t", "a lamp", "a", "and a tent")],
        columns=["text", "prompt_with", "prompt_without", "response"],
    )
    one, other = (
        score_tokens(*loaded, pairs) for loaded in ((model, tokenizer), load_causal_lm(folder))
    )
    assert (one["log_prob_with"] - other["log_prob_with"]).abs().max() < (
        0.1 if dtype == "bfloat16" else 1e-6
    )


def test_another_dtype_is_refused(folder):
    with pytest.raises(ConfigError, match=r"int8.*one of"):
        load_causal_lm(folder, dtype="int8")


@pytest.mark.parametrize("name", ["T5", "Bert"])
def test_a_model_that_is_not_causal_is_refused(tmp_path, name):
    import transformers

    if name == "T5":
        config = transformers.T5Config(
            vocab_size=20, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2
        )
        model, says = transformers.T5ForConditionalGeneration(config), "t5 is an encoder-decoder"
    else:
        config = transformers.BertConfig(
            vocab_size=20,
            hidden_size=8,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=8,
        )
        model, says = transformers.BertForMaskedLM(config), "bert reads a text both ways"
    model.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=f"not a causal language model: {says}"):
        load_causal_lm(tmp_path)


def test_a_model_without_its_output_layer_is_refused(folder):
    """Transformers would draw the output layer at random and warn."""
    from transformers import LlamaConfig, LlamaModel

    config = LlamaConfig.from_pretrained(folder, tie_word_embeddings=False)
    LlamaModel(config).save_pretrained(folder)
    with pytest.raises(ModelError, match=r"no weights for lm_head.weight.*at random"):
        load_causal_lm(folder)


def test_a_shipped_model_by_name():
    model, tokenizer = load_causal_lm("pocket")
    assert model.config.vocab_size == len(tokenizer)


@pytest.mark.parametrize("saved", ["float32", "bfloat16"])
def test_the_dtype_that_the_weights_were_saved_in(folder, saved):
    import torch

    model, _ = load_causal_lm(folder, dtype=saved)
    model.save_pretrained(folder)
    assert load_causal_lm(folder, dtype="auto")[0].dtype == getattr(torch, saved)


def test_ids_outside_of_the_embedding_are_named():
    tokenizer = chatml()
    model = llama(tokenizer)
    check_fits(model, tokenizer, [0, len(tokenizer) - 1])
    # a model may know more than its tokenizer
    check_fits(llama(tokenizer, vocab_size=1000), tokenizer, [len(tokenizer)])
    tokenizer.add_tokens(["<persona>"])
    last = len(tokenizer) - 1
    with pytest.raises(ModelError, match=rf"'<persona>' is {last}.*ids below {last}"):
        check_fits(model, tokenizer, [3, last])
    model.resize_token_embeddings(len(tokenizer))
    check_fits(model, tokenizer, [3, last])


def test_the_room_of_a_model_is_what_its_configuration_says():
    tokenizer = chatml()
    for model in (gpt2(tokenizer, 64), llama(tokenizer, max_position_embeddings=64)):
        assert context_of(model) == 64
        check_room(model, [3, 60], 4)
        with pytest.raises(TooLarge, match="60 tokens and 5 new ones"):
            check_room(model, [60, 3], 5)
    check_room(object(), [10**6], 10**6)  # nobody says


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("lamp.gguf", r"no such model folder.*or a GGUF file"),
        ("pocket/", "no such model folder"),
        ("x" * 5000, "^x{200}: cannot load the model"),
    ],
)
def test_a_name_that_is_no_id_is_said_to_be_none(name, says):
    with pytest.raises(ModelError, match=says) as caught:
        load_causal_lm(name)
    assert len(str(caught.value)) < 900


@pytest.mark.parametrize("name", [None, 3, "", " ", b"pocket"])
def test_what_names_no_model_is_refused_at_both_doors(name):
    for door in (load_causal_lm, load_adapter):
        with pytest.raises(ConfigError, match=r"names no model.*pocket"):
            door(name)
