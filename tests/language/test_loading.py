"""load_causal_lm: what it refuses and says; what it loads is tested with score_tokens."""

import json

import pytest

from workbench.errors import ModelError
from workbench.language import load_causal_lm


@pytest.fixture
def folder(tmp_path):
    from workbench.tokens.training import PocketConfig, make_model, make_tokenizer

    tokenizer = make_tokenizer(["a lamp and a tent"], 300)
    make_model(PocketConfig(hidden=16, layers=1, heads=2, feed_forward=16), tokenizer).save_pretrained(
        tmp_path / "model"
    )
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
    (folder / "evil.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\nclass Mine: pass\nclass C: pass\n")
    with pytest.raises(ModelError):
        load_causal_lm(folder)
    assert not (folder / "ran").exists()
