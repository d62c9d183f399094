"""load_adapter: a LoRA folder stands on its base again, and what is said where it cannot."""

import copy
import json

import pandas as pd
import pytest
import torch

from tests.families import chatml, gpt2, llama, write_gguf
from workbench.errors import ModelError
from workbench.language import adapters, load_adapter, load_causal_lm

PAIRS = pd.DataFrame(
    [("t", "likes lamps. Write", "Write", "The lamp arrived.")],
    columns=["text", "prompt_with", "prompt_without", "response"],
)
peft = pytest.importorskip("peft")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A base model's folder, an adapter's that names it, and the tuned model."""
    folder, tokenizer = tmp_path_factory.mktemp("models"), chatml()
    llama(tokenizer).save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")
    base, _ = load_causal_lm(folder / "base")
    config = peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    torch.manual_seed(3)
    tuned = peft.get_peft_model(base, config).eval()
    tuned.save_pretrained(folder / "adapter")
    return folder, tuned, tokenizer


def told(folder, **changes):
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture
def copied(trained, tmp_path):
    import shutil

    return shutil.copytree(trained[0] / "adapter", tmp_path / "adapter")


def log_probs(model, tokenizer):
    from workbench.tokens import score_tokens

    return score_tokens(model, tokenizer, PAIRS)["log_prob_with"]


def test_an_adapter_on_its_base_is_the_tuned_model(trained):
    folder, tuned, tokenizer = trained
    model, found = load_adapter(folder / "adapter")
    assert (log_probs(model, found) - log_probs(tuned, tokenizer)).abs().max() == 0
    plain = log_probs(*load_causal_lm(folder / "base"))
    assert (log_probs(model, found) - plain).abs().max() > 0.01
    # it goes on being trained, alone
    trains = [name for name, value in model.named_parameters() if value.requires_grad]
    assert trains and all("lora_" in name for name in trains) and not model.training
    merged = tuned.merge_and_unload()
    assert (log_probs(model, found) - log_probs(merged, tokenizer)).abs().max() < 1e-5


def test_the_base_can_stand_elsewhere_and_the_tokenizer_of_the_folder_is_taken(copied, trained):
    folder, _, tokenizer = trained
    told(copied, base_model_name_or_path=None)
    tokenizer.chat_template = "mine {{ messages }}"
    tokenizer.save_pretrained(copied)
    model, found = load_adapter(copied, base=folder / "base")
    assert found.chat_template == "mine {{ messages }}" and model.dtype == torch.float32


def test_one_door_loads_whole_models_and_adapters(trained, copied):
    folder, tuned, tokenizer = trained
    model, _ = load_causal_lm(folder / "adapter", dtype="bfloat16")
    assert model.dtype == torch.bfloat16 and model.active_adapters() == ["default"]
    found = load_causal_lm(str(folder / "adapter"))
    assert (log_probs(*found) - log_probs(tuned, tokenizer)).abs().max() < 1e-5
    # a remedy is one of a door that takes it
    told(copied, base_model_name_or_path=None)
    with pytest.raises(ModelError, match=r"pass base=.* to language.load_adapter"):
        load_causal_lm(copied)


@pytest.mark.parametrize(
    ("base", "says"),
    [
        (None, r"names no base model.*pass base="),
        ("", r"names no base model"),
        ("./gone", r"gone: no such model folder.*pass base="),
        ("nobody/never-made-this", r"never-made-this.*pass base="),
    ],
)
def test_a_base_that_is_absent_is_said(copied, base, says, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    told(copied, base_model_name_or_path=base)
    with pytest.raises(ModelError, match=says):
        load_adapter(copied)


def test_an_adapter_does_not_stand_on_itself(copied):
    told(copied, base_model_name_or_path=str(copied))
    with pytest.raises(ModelError, match=r"no config.json"):
        load_adapter(copied)


@pytest.mark.parametrize("changes", [{"num_hidden_layers": 2}, {"hidden_size": 16}])
def test_the_weights_of_another_model_are_refused(copied, trained, changes, tmp_path):
    """Transformers draws what it does not find at random, and warns."""
    llama(trained[2], **changes).save_pretrained(tmp_path / "other")
    trained[2].save_pretrained(tmp_path / "other")
    with pytest.raises(ModelError, match="cannot load the adapter"):
        load_adapter(copied, base=tmp_path / "other")


def test_a_base_of_another_family_or_vocabulary_is_refused(copied, trained, tmp_path):
    folder, _, tokenizer = trained
    gpt2(tokenizer).save_pretrained(tmp_path / "other")
    tokenizer.save_pretrained(tmp_path / "other")
    with pytest.raises(ModelError, match=r"cannot load the adapter.*pass base="):
        load_adapter(copied, base=tmp_path / "other")
    # it was trained on more words than the base has
    larger = copy.deepcopy(tokenizer)
    larger.add_tokens(["<persona>"])
    larger.save_pretrained(copied)
    with pytest.raises(ModelError, match=r"'<persona>' is \d+.*pass base="):
        load_adapter(copied, base=folder / "base")


def test_a_file_is_a_base_where_its_sizes_are_those_of_the_adapter(copied, trained, tmp_path):
    pytest.importorskip("gguf")
    folder, tuned, tokenizer = trained
    base, _ = load_causal_lm(folder / "base")
    file = write_gguf(tmp_path / "base.gguf", base, tokenizer, "F32")
    model, found = load_adapter(copied, base=file)
    assert (log_probs(model, found) - log_probs(tuned, tokenizer)).abs().max() < 1e-5
    told(copied, base_model_name_or_path=str(file))
    assert load_causal_lm(copied)[0].read_from.path == file
    other = llama(tokenizer, hidden_size=64)
    file = write_gguf(tmp_path / "other.gguf", other, tokenizer, "F32")
    with pytest.raises(ModelError, match=r"cannot load the adapter.*pass base="):
        load_adapter(copied, base=file)


def test_no_weights_no_json_and_no_peft_are_said(copied, monkeypatch, tmp_path):
    with pytest.raises(ModelError, match=r"no adapter_model.safetensors.*never read"):
        load_adapter(tmp_path)
    (copied / "adapter_config.json").write_text("{")
    with pytest.raises(ModelError, match="cannot load the adapter"):
        load_adapter(copied)
    monkeypatch.setattr(adapters, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"peft is not installed.*pip install peft"):
        load_adapter(copied)
