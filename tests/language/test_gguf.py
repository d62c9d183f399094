"""GGUF files: what is read, what is said of it, what is kept, and what is refused before it is
read."""

import json
import shutil
import struct

import numpy as np
import pandas as pd
import pytest
import torch

from tests.families import chatml, llama, write_gguf
from workbench.errors import ModelError, TooLarge
from workbench.language import load_adapter, load_causal_lm, loading
from workbench.language.gguf import KEPT, GgufFile, read_gguf
from workbench.language.kept import MARK, is_kept

pytest.importorskip("gguf")
IDS = torch.tensor([[1, 5, 9, 40, 300, 7]])
TEXT = "The lamp arrived.<|im_end|> Not for me 🙂"


@pytest.fixture(scope="module")
def tokenizer():
    return chatml()


@pytest.fixture(scope="module")
def model(tokenizer):
    return llama(tokenizer)


@pytest.fixture(scope="module")
def file(tmp_path_factory, model, tokenizer):
    return write_gguf(tmp_path_factory.mktemp("gguf") / "lamp.gguf", model, tokenizer)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def logits(model):
    with torch.no_grad():
        return model(IDS).logits


@pytest.mark.parametrize(("kind", "off"), [("F32", 0), ("Q8_0", 0.01), ("Q4_0", 0.1)])
def test_the_model_in_the_file_is_the_one_that_was_written(tmp_path, model, tokenizer, kind, off):
    path = write_gguf(tmp_path / "lamp.gguf", model, tokenizer, kind)
    found, words = load_causal_lm(path)
    apart = (logits(found) - logits(model)).abs().max()
    assert apart <= off and (kind == "F32") == (apart == 0) and logits(model).abs().max() > 0.3
    assert (
        words.get_vocab() == tokenizer.get_vocab() and words.decode(words(TEXT).input_ids) == TEXT
    )
    # what is left to a default would be the end of another model's texts
    assert found.generation_config.eos_token_id == tokenizer.eos_token_id == words.eos_token_id
    assert found.config.bos_token_id is None and found.dtype == torch.float32
    assert not found.training and found.config.max_position_embeddings == 256


def test_a_copy_without_the_vocabulary_gives_the_same(tmp_path, model, tokenizer, monkeypatch):
    """The vocabulary of a real file is long, and left out where it is read slowly."""
    path, sizes = write_gguf(tmp_path / "lamp.gguf", model, tokenizer, "F32"), []
    monkeypatch.setattr("workbench.language.gguf.LONG", 1000)
    shorten = GgufFile._shorten
    monkeypatch.setattr(
        GgufFile,
        "_shorten",
        lambda self, new: shorten(self, new) or sizes.append(new.stat().st_size),
    )
    found, words = load_causal_lm(path)
    assert (logits(found) - logits(model)).abs().max() == 0 and found.config.vocab_size == len(
        words
    )
    assert len(sizes) == 1 and sizes[0] < path.stat().st_size - 3000


def test_the_positions_of_llama_3_turn_as_its_tensor_says(tmp_path, tokenizer):
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    rule = {"rope_type": "llama3", "rope_theta": 500_000.0, "factor": 8.0, "low_freq_factor": 1.0}
    rule |= {"high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
    turned = llama(tokenizer, rope_parameters=rule, max_position_embeddings=16_384)
    slow, _ = ROPE_INIT_FUNCTIONS["llama3"](turned.config)
    factors = (500_000.0 ** -(torch.arange(4) / 4) / slow).numpy()
    assert factors.max() == pytest.approx(8) and factors.min() == pytest.approx(1)
    more = {"rope_freqs.weight": factors}
    found, _ = load_causal_lm(write_gguf(tmp_path / "a.gguf", turned, tokenizer, "F32", more=more))
    theirs = llama(tokenizer, rope_parameters={"rope_theta": 500_000.0, "rope_type": "default"})
    ids = IDS.repeat(1, 20)
    with torch.no_grad():
        apart = (found(ids).logits - turned(ids).logits).abs().max()
        plain = (theirs(ids).logits - turned(ids).logits).abs().max()
    assert apart < 1e-5 < plain
    more = {"rope_freqs.weight": factors[::-1].copy()}
    path = write_gguf(tmp_path / "b.gguf", turned, tokenizer, "F32", more=more)
    with pytest.raises(ModelError, match=r"turn in another way.*Endpoint"):
        load_causal_lm(path)


def test_what_was_de_quantised_is_said(file, model):
    found = load_causal_lm(file)[0].read_from
    assert (
        isinstance(found, GgufFile) and "de-quantised" in repr(found) and "99.7% Q8_0" in str(found)
    )
    table = found.to_frame().set_index("type")
    assert table["weights"].sum() == model.num_parameters() == found.weights
    assert table["share"].sum() == pytest.approx(1) and found.size == file.stat().st_size
    assert table.loc["Q8_0", "bits"] == 8.5 and table["rounded"].to_dict() == {"Q8_0": 1, "F32": 0}
    assert table["bytes_in_memory"].sum() == 4 * model.num_parameters()
    assert table["tensors"].sum() == 12


def test_no_bar_is_drawn_and_the_reader_is_left_as_it_was(file, monkeypatch):
    from transformers import modeling_gguf_pytorch_utils as reader

    drawn = []
    bar = lambda given, **told: drawn.append(told) or given  # noqa: E731
    monkeypatch.setattr(reader, "tqdm", bar)
    load_causal_lm(file)
    assert not drawn and reader.tqdm is bar


def test_a_folder_with_one_file_and_names_without_ending(file, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    shutil.copy(file, folder / "lamp.gguf")
    # what stands beside the file is of another model
    (folder / "tokenizer_config.json").write_text('{"bos_token": "odd", "chat_template": "odd"}')
    (folder / "generation_config.json").write_text('{"eos_token_id": 7}')
    found, words = load_causal_lm(folder)
    assert found.generation_config.eos_token_id == 0 and words.bos_token is None
    assert not words.chat_template
    shutil.copy(file, tmp_path / "sha256-abc")
    assert load_causal_lm(tmp_path / "sha256-abc")[0].read_from.tokens == len(words)
    shutil.copy(file, folder / "other.gguf")
    with pytest.raises(ModelError, match=r"2 GGUF files, lamp.gguf.*name the file"):
        load_causal_lm(folder)


@pytest.mark.parametrize(
    ("dtype", "device_map"), [("bfloat16", None), ("auto", None), ("float32", "auto")]
)
def test_other_dtypes_and_a_device_map(file, dtype, device_map, model):
    found, _ = load_causal_lm(file, dtype=dtype, device_map=device_map)
    assert found.dtype == (torch.bfloat16 if dtype == "bfloat16" else torch.float32)
    assert (logits(found) - logits(model)).abs().max() < 0.05 and found.read_from.rounded


def test_loading_draws_no_random_number(file):
    torch.manual_seed(1)
    wanted = torch.rand(3)
    torch.manual_seed(1)
    for name in (file, "pocket"):
        load_causal_lm(name)
    assert (torch.rand(3) == wanted).all()


# --- the tokenizer, converted once ---


def kept(cache):
    (folder,) = (cache / KEPT).iterdir()
    return folder


def count_conversions(monkeypatch):
    from transformers.integrations import gguf

    calls, convert = [], gguf.convert_gguf_tokenizer
    counted = lambda *given: calls.append(1) or convert(*given)  # noqa: E731
    monkeypatch.setattr(gguf, "convert_gguf_tokenizer", counted)
    return calls


def test_a_tokenizer_is_converted_once(file, cache, monkeypatch):
    calls = count_conversions(monkeypatch)
    words = [load_causal_lm(file)[1] for _ in range(3)]
    assert len(calls) == 1 and is_kept(kept(cache))
    assert all(one(TEXT).input_ids == words[0](TEXT).input_ids for one in words)
    assert {type(one) for one in words} == {type(words[0])}
    # nothing else is left there
    assert [one.name for one in cache.iterdir()] == [KEPT]


def test_a_copy_elsewhere_has_the_same_and_other_metadata_another(
    file, tmp_path, cache, monkeypatch, model, tokenizer
):
    calls = count_conversions(monkeypatch)
    load_causal_lm(file)
    shutil.copy(file, tmp_path / "copy.gguf")
    load_causal_lm(tmp_path / "copy.gguf")
    assert len(calls) == 1
    load_causal_lm(write_gguf(tmp_path / "b.gguf", model, tokenizer, general__name="another"))
    assert len(calls) == 2 and len(list((cache / KEPT).iterdir())) == 2
    monkeypatch.setattr("workbench.language.gguf.FORM", 99)
    load_causal_lm(file)
    assert len(calls) == 3


def spoil_words(folder):
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace("lamp", "pmal"))


SPOILT = {
    "other words": spoil_words,
    "cut short": lambda folder: (folder / "tokenizer.json").write_text("{"),
    "a file gone": lambda folder: (folder / "tokenizer_config.json").unlink(),
    "no mark": lambda folder: (folder / MARK).write_text("[]"),
    "a mark that is none": lambda folder: (folder / MARK).write_bytes(b"\xff{"),
}


@pytest.mark.parametrize("how", SPOILT)
def test_what_is_kept_is_not_trusted_by_its_name(file, cache, monkeypatch, how):
    calls = count_conversions(monkeypatch)
    before = load_causal_lm(file)[1](TEXT).input_ids
    SPOILT[how](kept(cache))
    assert not is_kept(kept(cache))
    assert load_causal_lm(file)[1](TEXT).input_ids == before
    assert len(calls) == 2 and is_kept(kept(cache))


def test_a_cache_that_cannot_be_written_costs_time_alone(file, cache):
    cache.mkdir()
    (cache / KEPT).write_text("in the way")
    with pytest.warns(UserWarning, match="converted each time"):
        words = load_causal_lm(file)[1]
    assert words.decode(words(TEXT).input_ids) == TEXT


def test_what_a_stranger_added_to_what_is_kept_is_not_removed(file, cache):
    load_causal_lm(file)
    (kept(cache) / "added.txt").write_text("mine")
    with pytest.warns(UserWarning, match=r"converted each time.*added.txt"):
        load_causal_lm(file)
    assert (kept(cache) / "added.txt").read_text() == "mine"


def test_a_tokenizer_that_reads_otherwise_once_kept_is_not_kept(file, cache, monkeypatch):
    from transformers import TokenizersBackend

    save = TokenizersBackend.save_pretrained

    def spoiling(self, folder, **options):
        save(self, folder, **options)
        told = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        vocabulary = told["model"]["vocab"]
        vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]
        (folder / "tokenizer.json").write_text(json.dumps(told), encoding="utf-8")

    monkeypatch.setattr(TokenizersBackend, "save_pretrained", spoiling)
    with pytest.warns(UserWarning, match="reads a text otherwise"):
        words = load_causal_lm(file)[1]
    assert words.decode(words(TEXT).input_ids) == TEXT and not list((cache / KEPT).iterdir())


def test_words_of_a_model_are_no_memory_of_a_user(file, cache):
    from workbench.ledger import purge

    load_causal_lm(file)
    skipped = len(list(kept(cache).iterdir()))
    said = f"clean: 0 files searched; {skipped} files of tokenizers, kept as written, left out"
    assert purge("lamp", cache)["note"].iloc[-1] == said and skipped > 2
    (kept(cache) / "rows.txt").write_text("lamp")
    assert "rows.txt" in purge("lamp", cache)["note"].iloc[-1]


def test_words_that_are_cut_in_an_unknown_way_are_said(tmp_path, model, tokenizer):
    from gguf import GGUFWriter

    path = tmp_path / "odd.gguf"
    added = GGUFWriter.add_tokenizer_pre
    try:
        GGUFWriter.add_tokenizer_pre = lambda self, _: added(self, "martian")
        write_gguf(path, model, tokenizer)
    finally:
        GGUFWriter.add_tokenizer_pre = added
    with pytest.warns(UserWarning, match=r"'martian' cuts words.*tokens may differ"):
        load_causal_lm(path)


# --- what is refused ---


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"architecture": "martian"}, r"unknown architecture martian.*llama.*Endpoint"),
        ({"architecture": "clip"}, "unknown architecture clip"),
        ({"split__count": 3}, r"one of 3 parts.*llama-gguf-split --merge"),
        ({"general__type": "adapter"}, r"kind 'adapter'.*comes as a folder"),
        ({"tokens": ["a", "b", "c"]}, r"another vocabulary: 3 tokens, an embedding of 339 rows"),
        ({"tokenizer__ggml__bos_token_id": 999}, r"id of bos is 999.*below 339"),
        ({"tokenizer__ggml__padding_token_id": "x"}, r"id of pad is 'x'"),
        ({"more": {"rope_long.weight": np.ones(4, np.float32)}}, r"4 weights.*rope_long"),
        ({"llama__rope__scaling__type": "yarn"}, r"positions that are scaled \('yarn'\)"),
        ({"llama__rope__scaling__factor": 4}, r"positions that are scaled \('linear'\)"),
        ({"llama__rope__scale_linear": 4}, r"positions that are scaled \('linear'\)"),
        ({"more": {"blk.7.attn_q.weight": np.ones(4, np.float32)}}, r"1 layers told.*of 2"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_model_for_us_is_refused(tmp_path, model, tokenizer, changes, says):
    path = write_gguf(tmp_path / "odd.gguf", model, tokenizer, **changes)
    with pytest.raises(ModelError, match=says):
        load_causal_lm(path)


@pytest.mark.parametrize(
    "keys",
    [
        {"scaling__factor": 1},
        {"scale_linear": 1},
        {"scaling__factor": 1, "scale_linear": 4},
        {"scaling__type": "none", "scaling__factor": 4},
    ],
)
def test_positions_that_are_not_scaled_are_read(tmp_path, model, tokenizer, keys):
    named = {f"llama__rope__{key}": value for key, value in keys.items()}
    path = write_gguf(tmp_path / "plain.gguf", model, tokenizer, "F32", **named)
    assert (logits(load_causal_lm(path)[0]) == logits(model)).all()


@pytest.mark.parametrize("size", [4, 20, 30, 100, 3000, 20_000, -1, -1000])
def test_a_file_that_is_cut_short_is_said_to_be(file, tmp_path, size):
    path = tmp_path / "short.gguf"
    path.write_bytes(file.read_bytes()[:size])
    with pytest.raises(ModelError, match=r"cut short: [\d,]+ bytes, and the header asks for"):
        load_causal_lm(path)


@pytest.mark.parametrize("content", [b"", b"GG", b"PK\x03\x04 a zip", b'{"a": 1}'])
def test_what_is_no_gguf_is_said_to_be_none(tmp_path, content):
    for name in ("lamp.gguf", "lamp.bin"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelError, match=r"not a GGUF file.*config.json and safetensors"):
            load_causal_lm(tmp_path / name)


def text(said):
    return struct.pack("<Q", len(said)) + said


def header(*, tensors=0, keys=1, body=b"", version=3):
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys) + body


KEY = text(b"k")
HUGE = 1 << 62
LINE = text(b"t") + struct.pack("<IQIQ", 1, 32, 0, 0)
HOSTILE = {
    "tensors": (header(tensors=HUGE), "tells of .* tensors"),
    "keys": (header(keys=HUGE), "tells of .* keys"),
    "many keys": (header(keys=60_000), "cut short"),
    "a text": (header(body=struct.pack("<Q", HUGE)), "tells of .* bytes in one text"),
    "a text beyond the end": (header(body=struct.pack("<Q", 10_000)), "cut short"),
    "a list": (header(body=KEY + struct.pack("<IIQ", 9, 4, HUGE)), "items in a list"),
    "a list beyond the end": (header(body=KEY + struct.pack("<IIQ", 9, 12, 1 << 20)), "cut short"),
    "texts": (header(body=KEY + struct.pack("<IIQQ", 9, 8, 1, HUGE)), "cut short"),
    "a text beyond numbers": (
        header(body=KEY + struct.pack("<IIQQQ", 9, 8, 2, (1 << 64) - 1, 0)),
        "cut short",
    ),
    "lists in lists": (header(body=KEY + struct.pack("<IIQ", 9, 9, 1)), "value of kind 9"),
    "another kind": (header(body=KEY + struct.pack("<I", 77)), "value of kind 77"),
    "no text": (header(body=text(b"\xff\xfe") + struct.pack("<IB", 0, 1)), "no text"),
    "a key twice": (header(keys=2, body=(KEY + struct.pack("<IB", 0, 1)) * 2), "stands twice"),
    "dimensions": (
        header(tensors=1, keys=0, body=text(b"t") + struct.pack("<I", 1 << 31)),
        "dimensions",
    ),
    "a large tensor": (
        header(tensors=1, keys=0, body=text(b"t") + struct.pack("<IQQIQ", 2, HUGE, HUGE, 0, 0)),
        "cut short",
    ),
    "an unknown type": (
        header(tensors=1, keys=0, body=text(b"t") + struct.pack("<IQIQ", 1, 32, 999, 0)),
        r"unknown type \(999\)",
    ),
    "no weights": (
        header(tensors=1, keys=0, body=text(b"t") + struct.pack("<IQIQ", 1, 0, 0, 0)),
        "is empty",
    ),
    "a tensor twice": (header(tensors=2, keys=0, body=LINE * 2), "stands twice"),
    "rows of half a block": (
        header(tensors=1, keys=0, body=text(b"t") + struct.pack("<IQIQ", 1, 33, 8, 0)),
        "rows of 33.*blocks of 32",
    ),
    "an alignment": (
        header(body=text(b"general.alignment") + struct.pack("<II", 4, 0)),
        "alignment of 0",
    ),
    "another version": (header(version=1), "version 1"),
    "other bytes": (header(version=3 << 24), "big-endian"),
    "nothing": (header(keys=0), "unknown architecture None"),
}


@pytest.mark.parametrize("how", HOSTILE)
def test_a_hostile_header_is_refused_before_anything_is_made(tmp_path, how):
    import tracemalloc

    content, says = HOSTILE[how]
    path = tmp_path / "odd.gguf"
    path.write_bytes(content)
    torch.ones(1)
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match=says):
            read_gguf(path)
        assert tracemalloc.get_traced_memory()[1] < 64e6
    finally:
        tracemalloc.stop()


def test_more_layers_than_the_file_has_are_not_made(tmp_path, model, tokenizer):
    path = write_gguf(tmp_path / "odd.gguf", model, tokenizer)
    name = b"llama.block_count" + struct.pack("<I", 4)
    path.write_bytes(
        path.read_bytes().replace(name + struct.pack("<I", 1), name + struct.pack("<I", 1 << 30))
    )
    with pytest.raises(ModelError, match=r"1073741824 layers told, tensors of 1"):
        load_causal_lm(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match="no such file"):
        read_gguf(tmp_path / "lamp.gguf")


def test_gguf_is_an_extra(file, monkeypatch):
    monkeypatch.setattr("workbench.language.gguf.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"not installed.*pip install gguf"):
        load_causal_lm(file)


# --- memory, context, training, adapters ---


def free(monkeypatch, size):
    import psutil

    told = psutil.virtual_memory()._replace(available=size)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: told)


def test_a_file_that_memory_does_not_hold_is_refused_with_the_number(file, monkeypatch, model):
    free(monkeypatch, 4 * model.num_parameters() - 1)
    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", None)
    with pytest.raises(TooLarge, match=r"32,032 weights take 0\.\d+ GB.*at most.*what is free"):
        load_causal_lm(file)


def test_a_folder_that_memory_does_not_hold_is_refused_before_it_is_read(tmp_path, tokenizer):
    from transformers import LlamaConfig

    sizes = {"hidden_size": 1 << 16, "intermediate_size": 1 << 18, "num_hidden_layers": 4}
    LlamaConfig(vocab_size=len(tokenizer), **sizes).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"not read")
    for dtype, size in (("float32", "1,09"), ("bfloat16", "54")):
        with pytest.raises(TooLarge, match=rf"weights take {size}[\d.,]+ GB .*Endpoint"):
            load_causal_lm(tmp_path, dtype=dtype)


def pairs(persona="likes lamps. "):
    columns = ["text", "prompt_with", "prompt_without", "response"]
    row = ("t", f"{persona}Write", "Write", "The lamp arrived.")
    return pd.DataFrame([row], columns=columns)


def test_a_persona_that_fills_the_context_of_the_file(file):
    from workbench.tokens import score_tokens

    loaded = load_causal_lm(file)
    assert len(score_tokens(*loaded, pairs()))
    with pytest.raises(TooLarge, match=r"exceed the context.*at most 256 tokens"):
        score_tokens(*loaded, pairs("likes lamps. " * 200))


def test_rounded_weights_are_trained_with_an_adapter_alone(file, tmp_path, model, tokenizer):
    from workbench.tokens import FineTuneConfig, fine_tune
    from workbench.tokens.weights import CE

    peft = pytest.importorskip("peft")
    config, table = FineTuneConfig(steps=1, batch_size=1), pairs()
    rounded, words = load_causal_lm(file)
    with pytest.raises(ModelError, match=r"rounded.*train in full.*adapter.*save_pretrained"):
        fine_tune(rounded, words, table, CE(), config)
    # those that were not rounded, and those that were saved as a model of their own, are as any
    whole = load_causal_lm(write_gguf(tmp_path / "whole.gguf", model, tokenizer, "F32"))
    rounded.save_pretrained(tmp_path / "own")
    words.save_pretrained(tmp_path / "own")
    own = load_causal_lm(tmp_path / "own")
    assert (logits(own[0]) - logits(rounded)).abs().max() == 0
    for loaded in (whole, own):
        fine_tune(*loaded, table, CE(), config)
    lora = peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    tuned, _ = fine_tune(peft.get_peft_model(rounded, lora), words, table, CE(), config)
    # the adapter finds the file again
    tuned.save_pretrained(tmp_path / "adapter")
    again, _ = load_causal_lm(tmp_path / "adapter")
    assert again.read_from.rounded and (logits(again) - logits(tuned)).abs().max() < 1e-6
    other, _ = load_adapter(tmp_path / "adapter", base=tmp_path / "own")
    assert (logits(other) - logits(tuned)).abs().max() < 1e-6


def test_weights_that_stay_quantised_are_not_trained_in_full(model, tokenizer):
    model.is_quantized = True
    try:
        with pytest.raises(ModelError, match="train in full"):
            loading.check_loaded(model, "train")
        loading.check_loaded(model)
    finally:
        del model.is_quantized
