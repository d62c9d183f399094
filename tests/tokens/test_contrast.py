"""score_tokens against one forward per text and against closed forms, its invariances, and its
refusals."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import ConfigError, DataError, ModelError, TooLarge
from workbench.language import load_causal_lm
from workbench.tokens import MixtureLM, passes, score_tokens
from workbench.tokens.contrast import SCORES

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}
SMALL |= {"intermediate_size": 64, "max_position_embeddings": 128}


def by_hand(model, tokenizer, prompt, response):
    """Log-probability table of one text: a single unpadded forward in float64."""
    before = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    after = tokenizer(response, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        logits = model(torch.tensor([before + after])).logits[0, len(before) - 1 : -1].double()
    return torch.log_softmax(logits, -1).numpy(), after


def scores_by_hand(model, tokenizer, row):
    """Every score of one row of pairs, term by term."""
    plus, ids = by_hand(model, tokenizer, row.prompt_with, row.response)
    bare = row.prompt_without if isinstance(row.prompt_without, tuple) else (row.prompt_without,)
    minus = np.log(
        np.mean(
            [np.exp(by_hand(model, tokenizer, prompt, row.response)[0]) for prompt in bare], axis=0
        )
    )
    at = np.arange(len(ids)), ids
    return ids, {
        "log_prob_with": plus[at],
        "log_prob_without": minus[at],
        "pir": plus[at] - minus[at],
        "pcxmi": np.log2(np.exp(plus[at]) / np.exp(minus[at])),
        "loss": -plus[at],
        "probability_difference": np.exp(plus[at]) - np.exp(minus[at]),
        "kl": (np.exp(plus) * (plus - minus)).sum(1),
        "entropy": -(np.exp(plus) * plus).sum(1),
    }


@pytest.fixture(scope="module")
def tokenizer(folders):
    return load_causal_lm(folders["llama"])[1]


@pytest.fixture(scope="module")
def mixed(pairs):
    """Pairs with one prompt, two, and three in the place of `prompt_without`."""
    bare = pairs["prompt_without"].tolist()
    return pairs.assign(prompt_without=[bare[0], (bare[1], bare[0]), tuple(bare[:3]), bare[3]])


@pytest.fixture(scope="module", params=["llama", "gpt2", "qwen2", "gemma2"])
def stranger(request, folders, tokenizer):
    """Random weights of four architectures; Gemma 2 caps its logits after the output layer."""
    from transformers import Gemma2Config, Gemma2ForCausalLM, Qwen2Config, Qwen2ForCausalLM

    if request.param in folders:
        return load_causal_lm(folders[request.param])[0]
    torch.manual_seed(0)
    sizes = SMALL | {
        "vocab_size": len(tokenizer),
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
    }
    if request.param == "qwen2":
        return Qwen2ForCausalLM(Qwen2Config(**sizes, initializer_range=0.3)).eval()
    capped = Gemma2Config(
        **sizes, head_dim=16, initializer_range=0.5, final_logit_softcapping=3.0, sliding_window=64
    )
    return Gemma2ForCausalLM(capped).eval()


def test_equals_one_forward_per_text(stranger, tokenizer, mixed):
    table = score_tokens(stranger, tokenizer, mixed, SCORES, batch_size=3)
    for row in mixed.itertuples():
        got = table[table["text"] == row.text]
        ids, expected = scores_by_hand(stranger, tokenizer, row)
        assert got["token_id"].tolist() == ids and got["position"].tolist() == list(range(len(ids)))
        for name, values in expected.items():
            np.testing.assert_allclose(got[name], values, atol=2e-5, err_msg=name)


def test_gold_scores_alone_are_the_same(loaded, mixed):
    """Without KL no table of the vocabulary is kept: another path, the same numbers."""
    some = ["log_prob_with", "log_prob_without", "pir", "entropy"]
    one, other = (
        score_tokens(*loaded, mixed, SCORES)[some],
        score_tokens(*loaded, mixed, ("pir", "entropy"))[some],
    )
    pd.testing.assert_frame_equal(one, other, rtol=0, atol=1e-5)


class TenLogits:
    """What `passes.batches` asks of a model: ten logits a token."""

    class config:
        vocab_size = 10


@given(
    sizes=st.lists(st.tuples(st.integers(0, 600), st.integers(1, 20)), max_size=9),
    limits=st.tuples(st.integers(1, 5), st.integers(1, 2000), st.integers(1, 400)),
)
def test_batches_keep_the_limits_and_cost_least(sizes, limits):
    texts = [((0,) * prompt, (number,) * said) for number, (prompt, said) in enumerate(sizes)]
    rows, padded, logits = limits
    length = [
        len(prompt) + len(said)
        for prompt, said in sorted(texts, key=lambda one: (len(one[0]) + len(one[1]), one))
    ]

    def fits(batch):
        if len(batch) == 1:
            return True
        area, asked = (
            max(len(p) + len(r) for p, r in batch) * len(batch),
            10 * sum(len(r) for _, r in batch),
        )
        return len(batch) <= rows and area <= padded and asked <= logits

    def cost(cuts):
        return sum(
            length[end - 1] * (end - start) + passes.START_COST
            for start, end in itertools.pairwise(cuts)
        )

    found = list(passes.batches(texts, TenLogits(), *limits))
    order = [one for batch in found for one in batch]
    assert sorted(order) == sorted(texts) and all(map(fits, found))
    assert [len(p) + len(r) for p, r in order] == length
    inner = range(1, len(texts))
    every = [
        [0, *some, len(texts)]
        for n in range(len(texts))
        for some in itertools.combinations(inner, n)
    ]
    allowed = [cuts for cuts in every if all(fits(order[a:b]) for a, b in itertools.pairwise(cuts))]
    mine = list(itertools.accumulate(map(len, found), initial=0))
    assert not texts or cost(mine) == min(map(cost, allowed))


def test_batches_order_and_company_change_nothing(loaded, mixed):
    base = score_tokens(*loaded, mixed, ("pir", "kl"), batch_size=4)
    limits = (
        {"batch_size": 1},
        {"batch_size": 3},
        {"batch_tokens": 90},
        {"batch_logits": 9000},
        {"batch_logits": 1},
    )
    cases = [(mixed, limit) for limit in limits]
    cases += [(mixed.iloc[::-1], {"batch_size": 2}), (mixed.iloc[:2], {})]
    for other, limit in cases:
        again = score_tokens(*loaded, other, ("pir", "kl"), **limit)
        assert list(dict.fromkeys(again["text"])) == other["text"].tolist()
        both = base.merge(again, on=["text", "position"], validate="1:1")
        assert len(both) == len(again)
        np.testing.assert_allclose(both["pir_x"], both["pir_y"], atol=2e-5)
        np.testing.assert_allclose(both["kl_x"], both["kl_y"], atol=2e-5)


def test_each_pass_runs_once_and_no_batch_exceeds_its_limits(loaded, pairs, monkeypatch):
    seen, whole = [], passes.response_logits

    def watched(model, batch):
        logits = whole(model, batch)
        seen.append((batch, sum(part.numel() for part in logits)))
        return logits

    monkeypatch.setattr(passes, "response_logits", watched)
    prompts = [
        ("<s><query>a", "<s><query>b"),
        ("<s><query>a", "<s><query>c"),
        ("<s><query>b", "<s><query>a"),
    ]
    rows = pd.DataFrame(prompts, columns=["prompt_with", "prompt_without"])
    rows = rows.assign(text=range(3), response=pairs["response"][0])
    vocabulary = passes.vocabulary_of(loaded[0])
    tokens = len(loaded[1](pairs["response"][0], add_special_tokens=False)["input_ids"])
    for scores, most in ((("pir",), 2 * tokens), (("kl",), 3 * tokens)):
        seen.clear()
        score_tokens(*loaded, rows, scores, batch_logits=most * vocabulary)
        run = [one for batch, _ in seen for one in batch]
        assert len(run) == len(set(run)) == 3
        assert max(size for _, size in seen) == most * vocabulary
    long = pd.concat(
        [pairs.assign(text=pairs["text"] + str(k), prompt_with=f"<s>{k}") for k in range(5)]
    )
    seen.clear()
    score_tokens(*loaded, long, batch_size=6, batch_tokens=150)
    assert max(len(batch) for batch, _ in seen) <= 6
    assert all(len(b) * max(len(p) + len(r) for p, r in b) <= 150 for b, _ in seen if len(b) > 1)


def test_equal_prompts_give_exactly_zero(loaded, pairs):
    same = pairs.assign(prompt_with=pairs["prompt_without"])
    table = score_tokens(*loaded, same, ("pir", "kl", "probability_difference", "pcxmi"))
    assert (table[["pir", "kl", "probability_difference", "pcxmi"]] == 0).all(axis=None)


def test_others_in_closed_form():
    """Mean over strangers, on a model whose probabilities are known: p⁻ = (1 − a) general + a mean
    of personal."""
    model = MixtureLM(n_users=6, seed=2)
    strangers = [0, 1, 5]
    told = tuple(f"<s> shopper{user} <s>" for user in strangers)
    sample = model.sample(4, texts=3).assign(prompt_without=[told] * 3)
    table = score_tokens(model, model.tokenizer(), sample, ("pir", "kl"))
    general, personal, ids = (
        model.general.numpy(),
        model.personal.numpy(),
        table["token_id"].to_numpy(),
    )
    before = np.where(table["position"] == 0, 0, np.roll(ids, 1))
    own = 0.7 * general[before] + 0.3 * personal[4]
    other = 0.7 * general[before] + 0.3 * personal[strangers].mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.log(own) - np.log(other)
    at = np.arange(len(ids)), ids
    np.testing.assert_allclose(table["pir"], expected[at], atol=1e-10)
    np.testing.assert_allclose(table["kl"], np.nansum(own * expected, axis=1), atol=1e-10)


def test_sign_is_positive_where_the_persona_helps():
    """PIR > 0 if and only if the persona raises the probability, on a model where that is known."""
    model = MixtureLM(seed=2)
    sample = model.sample(4, texts=5)
    table = score_tokens(
        model, model.tokenizer(), sample, ("pir", "probability_difference", "pcxmi")
    )
    own, ids = model.personal[4].numpy(), table["token_id"].to_numpy()
    before = np.where(table["position"] == 0, 0, np.roll(ids, 1))
    helps = own[ids] > model.general.numpy()[before, ids]
    assert helps.any() and not helps.all()
    for score in ("pir", "probability_difference", "pcxmi"):
        assert ((table[score] > 0) == helps).all()
    np.testing.assert_allclose(table["pcxmi"], table["pir"] / np.log(2))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_loses_what_its_logits_lose(folders, pairs, dtype):
    """Scores of a model in 16 bits equal a softmax in float64 of its own 16-bit logits."""
    model, tokenizer = load_causal_lm(folders["llama"])
    model = model.to(dtype)
    row = pairs.iloc[0]
    table = score_tokens(model, tokenizer, pairs.iloc[:1], ("pir", "entropy"))
    plus, ids = by_hand(model, tokenizer, row.prompt_with, row.response)
    assert table["log_prob_with"].dtype == np.float64
    np.testing.assert_allclose(table["log_prob_with"], plus[np.arange(len(ids)), ids], atol=0.02)
    np.testing.assert_allclose(table["entropy"], -(np.exp(plus) * plus).sum(1), atol=0.02)


def test_a_device_map_changes_nothing(folders, pairs, tmp_path):
    from accelerate import cpu_offload

    model, tokenizer = load_causal_lm(folders["llama"])
    base = score_tokens(model, tokenizer, pairs)
    cpu_offload(model, execution_device="cpu")  # weights come and go: embeddings are on no device
    assert model.get_input_embeddings().weight.device.type == "meta"
    pd.testing.assert_frame_equal(score_tokens(model, tokenizer, pairs), base)


def test_a_model_that_trains_goes_on_training(folders, pairs):
    model, tokenizer = load_causal_lm(folders["gpt2"])
    base = score_tokens(model, tokenizer, pairs)
    again = score_tokens(model.train(), tokenizer, pairs)  # GPT-2 drops one in ten when it trains
    assert model.training and not any(
        parameter.grad is not None for parameter in model.parameters()
    )
    pd.testing.assert_frame_equal(base, again)


@pytest.mark.parametrize(
    "response",
    [
        "Naïve café 🙂 – 100 % ok\n\tyes",
        "<script>alert(1)</script> & <b>bold</b>",
        "zero\u200bwidth\u200d \ufeffand soft\u00adhyphen",
        "שלום עולם \u202eabc\u202c مرحبا",
        "👩‍👩‍👧 family, e\u0301 combining",
        "fine </s> <persona> fine",
    ],
)
def test_offsets_cover_any_response(loaded, pairs, response):
    model, tokenizer = loaded
    table = score_tokens(model, tokenizer, pairs.iloc[:1].assign(response=response))
    assert (
        table["token"] == [response[a:b] for a, b in zip(table["start"], table["end"], strict=True)]
    ).all()
    covered = {
        place for a, b in zip(table["start"], table["end"], strict=True) for place in range(a, b)
    }
    assert {place for place, sign in enumerate(response) if not sign.isspace()} <= covered
    assert not set(table["token_id"]) & set(tokenizer.all_special_ids)
    assert np.isfinite(table["pir"]).all()


def test_a_seam_that_would_be_cut_otherwise_is_marked(loaded, pairs):
    """ "lamp" + "s" would be read as "lamps"; after a special token nothing merges."""
    two = pairs.iloc[:2].assign(response="s are fine", prompt_without=["<s>lamp", "<s><query>"])
    table = score_tokens(*loaded, two.assign(prompt_with="<s><response>"))
    assert table.loc[table["boundary"], ["text", "position"]].values.tolist() == [["t0", 0]]
    assert not score_tokens(*loaded, pairs)["boundary"].any()


def test_prompts_of_token_ids(loaded, pairs):
    _, tokenizer = loaded
    ids = [
        tokenizer(prompt, add_special_tokens=False)["input_ids"]
        for prompt in pairs["prompt_without"]
    ]
    pd.testing.assert_frame_equal(
        score_tokens(*loaded, pairs.assign(prompt_without=ids)),
        score_tokens(*loaded, pairs),
        rtol=0,
        atol=1e-6,
    )


class Server:
    """What stands behind an endpoint, here: the local model, one token a character in texts."""

    def __init__(self, model=None, tokenizer=None):
        self.model, self.tokenizer, self.asked = model, tokenizer, []

    def of_ids(self, prompts, ids):
        self.asked.append((prompts, ids))
        out = []
        for prompt in prompts:
            with torch.no_grad():
                logits = (
                    self.model(torch.tensor([[*prompt, *ids]]))
                    .logits[0, len(prompt) - 1 : -1]
                    .double()
                )
            out.append(torch.log_softmax(logits, -1)[range(len(ids)), list(ids)].numpy())
        return np.array(out)

    def of_text(self, prompts, response):
        from types import SimpleNamespace

        self.asked.append((prompts, response))
        start, each = np.arange(len(response)), -np.array([[len(p)] for p in prompts]) / 10
        found = {
            "ids": None,
            "tokens": tuple(response),
            "start": start,
            "end": start + 1,
            "merged": response[0] == "x",
        }
        return SimpleNamespace(**found, log_probs=each - start / 100)


def test_an_endpoint_with_a_tokenizer(loaded, mixed):
    server, gold = Server(*loaded), ("pir", "loss", "pcxmi", "probability_difference")
    again = pd.concat([mixed, mixed.assign(text="again " + mixed["text"])])
    table = score_tokens(server, loaded[1], again, gold)
    pd.testing.assert_frame_equal(table, score_tokens(*loaded, again, gold), rtol=0, atol=2e-5)
    assert len(server.asked) == len(mixed)


def test_an_endpoint_that_tokenises():
    pairs = pd.DataFrame(
        {"text": [7, 8], "prompt_with": ["a", "ab"], "prompt_without": ["abc", ("a", "abcd")]}
    )
    server = Server()
    table = score_tokens(server, None, pairs.assign(response="xyz"))
    assert (
        len(server.asked) == 1
        and table["token_id"].eq(-1).all()
        and table["token"].tolist() == [*"xyz"] * 2
    )
    np.testing.assert_allclose(
        table["pir"], np.repeat([0.2, -0.2 - np.log((np.exp(-0.1) + np.exp(-0.4)) / 2)], 3)
    )
    assert table["boundary"].tolist() == [True, False, False] * 2
    with pytest.raises(ConfigError, match=r"kl.*load_causal_lm"):
        score_tokens(server, None, pairs.assign(response="x"), ("pir", "kl"))
    with pytest.raises(ConfigError, match="tokenizer as well"):
        score_tokens(server, None, pairs.assign(response="x", prompt_without=[[1, 2], "a"]))


def halved(pairs, column, row):
    """Half a surrogate pair in one cell; only columns of objects can hold it."""
    texts = pairs[column].astype(object)
    texts[row] = "half \ud83d"
    return pairs.assign(**{column: texts})


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (lambda p: p.drop(columns="response"), DataError, "response"),
        (lambda p: p.assign(response=[*p["response"][:3], "  "]), DataError, "row 3"),
        (lambda p: p.assign(response=[*p["response"][:3], None]), DataError, "row 3"),
        (lambda p: p.assign(text="same"), DataError, "twice"),
        (lambda p: halved(p, "response", 3), DataError, "row 3: half a surrogate"),
        (lambda p: halved(p, "prompt_without", 0), DataError, "row 0: half a surrogate"),
        (lambda p: p.assign(prompt_without=[(), *p["prompt_without"][1:]]), DataError, "row 0"),
        (lambda p: p.assign(prompt_with=[float("nan"), *p["prompt_with"][1:]]), DataError, "row 0"),
        (
            lambda p: p.assign(prompt_with=[*p["prompt_with"][:3], "lamp " * 200]),
            TooLarge,
            r"row 3.*128 tokens.*cut=",
        ),
    ],
)
def test_bad_input_is_refused(loaded, pairs, change, error, says):
    with pytest.raises(error, match=says):
        score_tokens(*loaded, change(pairs))


def test_unknown_score(loaded, pairs):
    with pytest.raises(ConfigError, match="surprise"):
        score_tokens(*loaded, pairs, ("surprise",))
    with pytest.raises(ConfigError, match="at least 1"):
        score_tokens(*loaded, pairs, batch_size=0)


def test_no_rows_gives_an_empty_table(loaded, pairs):
    table = score_tokens(*loaded, pairs.iloc[:0], SCORES)
    assert len(table) == 0 and set(SCORES) <= set(table)
    assert (table.dtypes == score_tokens(*loaded, pairs, SCORES).dtypes).all()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_logits_that_are_no_numbers_name_the_text(folders, pairs, bad):
    model, tokenizer = load_causal_lm(folders["llama"])
    # in the response of t0 and nowhere else
    word = tokenizer("lamp", add_special_tokens=False)["input_ids"][-1]
    assert sum("lamp" in response for response in pairs["response"]) == 1
    with torch.no_grad():
        model.set_output_embeddings(torch.nn.Linear(32, len(tokenizer), bias=False))
        model.get_input_embeddings().weight[word] = bad
    with pytest.raises(ModelError, match=r"text 't0', token \d+.*not finite"):
        score_tokens(model, tokenizer, pairs.assign(prompt_with=pairs["prompt_without"]))


def test_a_token_of_probability_zero_is_refused():
    model = MixtureLM(seed=2)
    sample = model.sample(1).assign(response="the shopper2")
    with pytest.raises(ModelError, match=r"token 1.*probability 0"):
        score_tokens(model, model.tokenizer(), sample)


def test_models_that_are_not_causal_are_refused(tokenizer, pairs):
    from transformers import (
        BertConfig,
        BertForMaskedLM,
        BertModel,
        T5Config,
        T5ForConditionalGeneration,
    )

    sizes = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    seq = T5Config(
        vocab_size=len(tokenizer), d_model=16, d_ff=16, num_layers=1, num_heads=2, d_kv=8
    )
    for model, says in (
        (BertForMaskedLM(BertConfig(**sizes)), "later tokens"),
        (BertModel(BertConfig(**sizes)), "no logits"),
        (T5ForConditionalGeneration(seq), "encoder-decoder"),
    ):
        with pytest.raises(ModelError, match=says):
            score_tokens(model, tokenizer, pairs)


def test_a_tokenizer_without_special_tokens_or_offsets(folders, pairs):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(
        models.WordLevel({word: place for place, word in enumerate("abcd")}, unk_token="a")
    )
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    bare = PreTrainedTokenizerFast(tokenizer_object=core)
    model, _ = load_causal_lm(folders["llama"])
    two = pd.DataFrame(
        {"text": [1, 2], "prompt_with": "a b", "prompt_without": "b", "response": "c d"}
    )
    table = score_tokens(model, bare, two, SCORES)
    assert table["token_id"].tolist() == [2, 3, 2, 3] and np.isfinite(table["pir"]).all()
    with pytest.raises(DataError, match="prompt_without holds no token"):
        score_tokens(model, bare, two.assign(prompt_without=" "))
    with pytest.raises(ConfigError, match="offsets"):
        score_tokens(model, object(), two)
