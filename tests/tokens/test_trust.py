"""The trust panel: models that know nothing are found out, models that know are not, templates are
looked at."""

import numpy as np
import pandas as pd
import pytest
import torch

from tests.families import bpe, unigram, wild_llama
from workbench.errors import DataError, ModelError
from workbench.language import load_causal_lm
from workbench.tokens import MixtureLM, decoding, examples_of, make_pairs
from workbench.tokens.encoding import encode_pairs, response_ids
from workbench.tokens.small_models import make_tokenizer
from workbench.tokens.trust import _wins, trust

TASTES = ("lamps", "tents", "books", "bikes", "boats", "seeds", "games", "coats")
TEXTS = [
    f"I like {one} and I would buy {one} again, {word}."
    for one in TASTES
    for word in ("truly", "I think")
]
QWEN = (  # as Qwen 2 has it: where there is no system message, one of its own
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are a helpful "
    "assistant.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SHORT = "{% for m in messages %}{{ m.role }} {{ m.content }}\n{% endfor %}"
DROPS = (
    "<s>{% for m in messages %}{% if m['role'] == 'user' %}{{ m['content'] }}{% endif "
    "%}{% endfor %}"
)
REFUSES = (
    "<s><s>{% for m in messages %}{% if m['role'] == 'system' %}{{ "
    "raise_exception('no') }}{% endif %}"
    "{{ m['content'] }}{% endfor %}{% if add_generation_prompt %}<response>{% endif %}"
)


@pytest.fixture(scope="module")
def examples():
    rows = [
        (str(i), i // 2, 0, "What do you like?", text, [f"Likes {TASTES[i // 2]}."])
        for i, text in enumerate(TEXTS)
    ]
    return pd.DataFrame(rows, columns=["text", "user", "item", "query", "response", "memories"])


@pytest.fixture(scope="module")
def tokenizer(examples):
    return make_tokenizer([*TEXTS, *examples["memories"].str[0]], 340)


def save(folder, kind, tokenizer):
    """A random model of an architecture, and the tokenizer, as a stranger's folder."""
    import transformers as t

    torch.manual_seed(5)
    small = {
        "vocab_size": len(tokenizer),
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
    }
    small |= {"num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 128}
    model = {
        "llama": lambda: t.LlamaForCausalLM(t.LlamaConfig(**small)),
        "qwen2": lambda: t.Qwen2ForCausalLM(t.Qwen2Config(**small)),
        "qwen3": lambda: t.Qwen3ForCausalLM(t.Qwen3Config(**small, head_dim=8)),
        "gpt2": lambda: t.GPT2LMHeadModel(
            t.GPT2Config(vocab_size=len(tokenizer), n_positions=128, n_embd=16, n_layer=2, n_head=2)
        ),
    }[kind]()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3", "gpt2"])
def test_random_weights_are_not_above_chance(tmp_path, tokenizer, examples, kind):
    if kind == "gpt2":
        tokenizer = make_tokenizer(TEXTS, 340)
        tokenizer.chat_template = None
    found = trust(*load_causal_lm(save(tmp_path, kind, tokenizer)), examples, texts=6)
    assert not found.readable
    assert (
        "Do not read the scores: its perplexity" in found.verdict
        and "guessing among its" in found.verdict
    )
    assert "nothing is above chance" in found.verdict
    checks = found.to_frame().set_index("check")
    assert checks.at["chat template", "value"].startswith("no" if kind == "gpt2" else "yes")
    assert checks.at["perplexity with the own persona", "value"] == pytest.approx(
        len(tokenizer), rel=0.3
    )
    assert (
        not checks.at["own persona wins", "ok"] and checks.at["p of that by chance", "value"] > 0.01
    )


def test_the_shipped_models_pass():
    from workbench.data import load_world
    from workbench.worlds.persona import PersonaWorld

    for name, corpus in (
        ("pocket", load_world()),
        ("persona-world", PersonaWorld().corpus(60, seed=77)),
    ):
        found = trust(*load_causal_lm(name), examples_of(corpus, n=60), texts=4, seed=1)
        assert found.readable and found.verdict == "The scores can be read.", found.verdict
        assert found.texts["wins"].mean() > 0.9 and found.texts["above"].mean() >= 0.5
        checks = found.checks.set_index("check")["value"]
        assert checks["perplexity with the own persona"] < checks["perplexity without a persona"]
        assert checks["perplexity of its own writing"] < 4


def mixture(model, texts=2):
    said = [
        (u, i, text) for u in range(12) for i, text in enumerate(model.sample(u, texts)["response"])
    ]
    rows = [(f"{u}-{i}", u, 0, "write", text, [f"shopper{u}"]) for u, i, text in said]
    return pd.DataFrame(rows, columns=["text", "user", "item", "query", "response", "memories"])


def test_the_mixture_passes_and_without_a_share_it_does_not():
    """Closed form: with share 0 the persona changes nothing, every comparison is a tie, and p is
    1."""
    for share in (0.3, 0.0):
        model = MixtureLM(share=share, seed=3)
        found = trust(model, model.tokenizer(), mixture(model), texts=8)
        checks = found.checks.set_index("check")["value"]
        assert found.readable == (share > 0)
        if not share:
            assert (found.texts["wins"] == 0.5).all() and checks["p of that by chance"] == 1
            assert checks["mean PIR of the own persona, nats a token"] == 0


class Lost(MixtureLM):
    """Without a persona this model is at a loss: it was never trained without one."""

    def forward(self, input_ids, attention_mask=None):
        logits = super().forward(input_ids).logits
        known = ((input_ids > 0) & (input_ids < self.first_word)).cummax(dim=1).values
        flat = torch.full_like(logits, -float(np.log(logits.shape[-1])))
        return type("Out", (), {"logits": torch.where(known[..., None], logits, flat)})()


def test_a_persona_free_pass_out_of_distribution_is_told():
    model = Lost(seed=3)
    found = trust(model, model.tokenizer(), mixture(model), texts=8)
    assert found.readable and "the persona-free prompt is out of distribution" in found.verdict
    assert (
        "comes with anybody's persona" in found.verdict and 'intervention="others"' in found.verdict
    )


def test_wins_by_hand():
    wins = _wins(np.array([[3.0, 1.0, 2.0, 3.0]]))
    np.testing.assert_allclose(wins, [[2.5 / 3, 0, 1 / 3, 2.5 / 3]])


@pytest.mark.parametrize(
    ("template", "check", "value", "says"),
    [
        (QWEN, "persona-free prompt adds", "You are a helpful assistant", None),
        (QWEN, "system message", "yes", None),
        (DROPS, "persona in the prompt", "no", "the template drops the persona"),
        (DROPS, "generation prompt", "no", None),
        (REFUSES, "system message", "no: the persona stands before the query", None),
        (REFUSES, "beginning of sequence", "twice", None),
        (QWEN, "beginning of sequence", "none", None),
        (SHORT + "<think>", "open thought", "<think>", "within a thought, <think>"),
        ("{{ strftime_now('%d') }}" + SHORT, "date in the prompt", "today's", None),
    ],
)
def test_what_a_template_does_is_told(tmp_path, examples, template, check, value, says):
    tokenizer = make_tokenizer(TEXTS, 340)
    tokenizer.chat_template = template
    model, tokenizer = load_causal_lm(save(tmp_path, "qwen2", tokenizer))
    found = trust(model, tokenizer, examples, texts=2, others=2)
    row = found.checks.set_index("check").loc[check]
    assert row["value"] == value and (says is None or says in found.verdict)
    assert (row["ok"] is pd.NA) == (check == "system message")
    assert found.template.startswith("chat template of ") and found.template in found._repr_html_()


def test_a_fixed_date_is_told_as_one(tmp_path, examples):
    tokenizer = make_tokenizer(TEXTS, 340)
    tokenizer.chat_template = "{{ strftime_now('%d') }}" + SHORT
    model, tokenizer = load_causal_lm(save(tmp_path, "qwen2", tokenizer))
    options = {"texts": 2, "others": 2, "template": {"date": "2024-07-26"}}
    found = trust(model, tokenizer, examples, **options)
    row = found.checks.set_index("check").loc["date in the prompt"]
    assert row["value"] == "2024-07-26" and row["ok"] and "date=2024-07-26" in found.template


def test_unknown_tokens_are_counted(examples):
    """What the tokenizer does not know is one token, whatever it is: its score says nothing."""
    tokenizer = unigram()
    some = examples[:4].assign(response=["likes lamps"] * 4, memories=[["reads horror"]] * 4)
    some = some.assign(query="Write a review")
    for text, told, count in (("灯很亮", "likes lamps", 1), ("likes", "灯", 0)):
        said = some.assign(response=[text] * 4, memories=[[told]] * 4)
        checks = trust(wild_llama(tokenizer), tokenizer, said, texts=4, others=2).checks
        found = checks.set_index("check")["value"]
        share = np.mean(np.array(response_ids(tokenizer, [text])[0][0]) == tokenizer.unk_token_id)
        assert found.get("unknown tokens in the texts", 0.0) == share and (share > 0) == bool(count)
        assert found["unknown tokens in the prompts"] > 0
        assert not checks.set_index("check").at["unknown tokens in the prompts", "ok"]


def test_an_end_token_of_another_tokenizer_is_told(examples):
    mine, other = bpe(), bpe(eos="</s>")
    model = wild_llama(mine, rows=400)
    for tokenizer, good in ((mine, True), (other, False)):
        checks = trust(model, tokenizer, examples, texts=2, others=2).checks.set_index("check")
        assert ("end token" not in checks.index) == good
    assert not checks.at["end token", "ok"]


def test_rows_cut_otherwise_at_the_boundary_are_counted(tokenizer, examples):
    model = MixtureLM()
    words = model.tokenizer()
    glued = trust(
        model,
        words,
        mixture(model),
        template="{{ memories | join(' ') }} {{ query }} box",
        texts=4,
        others=2,
    )
    clean = trust(
        model,
        words,
        mixture(model),
        template="{{ memories | join(' ') }} {{ query }} ",
        texts=4,
        others=2,
    )
    shares = [
        found.checks.set_index("check").at["texts cut otherwise at the boundary", "value"]
        for found in (glued, clean)
    ]
    assert shares == [1.0, 0.0]


def test_personas_too_long_are_cut_and_counted(tmp_path, tokenizer, examples):
    long = examples.assign(
        memories=[
            [*told, *[f"Bought {k} boats." for k in range(30)]] for told in examples["memories"]
        ]
    )
    found = trust(*load_causal_lm(save(tmp_path, "llama", tokenizer)), long, texts=2, others=2)
    assert found.checks.set_index("check").at["personas that were cut", "value"] == 6


def test_the_panel_says_itself(tmp_path, tokenizer, examples):
    hostile = examples.assign(query="<script>alert(1)</script>")
    model, tokenizer = load_causal_lm(save(tmp_path, "llama", tokenizer))
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['content'] }}{% endfor %}<script>alert(2)</script>"
    )
    one, two = (trust(model, tokenizer, hostile, texts=3, others=3) for _ in range(2))
    assert repr(one) == repr(two) and repr(one).startswith(
        "Trust(LlamaForCausalLM: not readable, own persona wins 0."
    )
    html = one._repr_html_()
    assert html == two._repr_html_() and "<script" not in html and one.verdict.split(":")[0] in html
    pd.testing.assert_frame_equal(one.texts, two.texts)


def test_one_person_alone_has_no_null(tokenizer, examples):
    with pytest.raises(DataError, match="at least two people"):
        trust(MixtureLM(), tokenizer, examples[examples["user"] == 0])


def test_logits_that_are_no_numbers_are_said(tmp_path, tokenizer, examples):
    model, tokenizer = load_causal_lm(save(tmp_path, "llama", tokenizer))
    model.lm_head.weight.data[:] = float("nan")
    with pytest.raises(ModelError, match="not finite"):
        trust(model, tokenizer, examples, texts=2, others=2)


def test_too_few_texts_are_too_few():
    model = MixtureLM(seed=3)
    found = trust(model, model.tokenizer(), mixture(model), texts=2, others=2)
    assert (
        not found.readable
        and "2 texts and 2 others are too few to tell from chance" in found.verdict
    )


def test_a_coarse_number_format_is_measured(tmp_path, tokenizer, examples):
    """Against the same weights in single precision; a model in single precision has no such row."""
    folder = save(tmp_path, "llama", tokenizer)
    model = load_causal_lm(folder)[0].bfloat16()
    found = trust(model, tokenizer, examples, texts=6, others=3)
    row = found.checks.set_index("check").loc["number format"]
    assert row["value"].startswith("bfloat16: PIR off by") and not row["ok"]
    plain = trust(*load_causal_lm(folder), examples, texts=6, others=3)
    assert "number format" not in set(plain.checks["check"])
    off = float(row["value"].split()[4].rstrip(","))
    assert 0 < off < 0.1 and next(model.parameters()).dtype == torch.bfloat16


def test_its_own_writing_stays_within_the_context(tokenizer, examples):
    """Texts of unequal length: the longest prompt leaves less room than the usual text takes."""
    from tests.families import llama

    long = examples.head(8).copy()
    long.loc[long.index[0], ["query", "response"]] = ["What do you like? " * 6, "I"]
    rows = encode_pairs(tokenizer, make_pairs(long, tokenizer))
    room = max(len(row["with"]) + len(row["ids"]) for row in rows) + 2
    assert max(len(row["without"]) for row in rows) + len(rows[1]["ids"]) > room
    model = llama(tokenizer, max_position_embeddings=room)
    found = trust(model, tokenizer, long, texts=8, others=3)
    assert "perplexity of its own writing" in set(found.checks["check"])


def test_a_model_that_only_thinks_has_no_writing_of_its_own(examples):
    from tests.families import THINKS, chatml, llama

    tokenizer = chatml(THINKS)
    found = trust(llama(tokenizer), tokenizer, examples.head(4), texts=4, others=2)
    row = found.checks.set_index("check").loc["perplexity of its own writing"]
    assert row["value"] == "none: cut off within its thought" and pd.isna(row["ok"])


def test_its_own_writing_ends_with_the_turn(examples):
    """As its generation config lists it: what would come after is the other one's turn."""
    from tests.families import gemma, saying

    tokenizer = gemma()
    texts, kept = [], decoding.write

    def heard(*given, **options):
        texts.append(kept(*given, **options))
        return texts[-1]

    for listed in (True, False):
        model = saying(tokenizer, "Nice<end_of_turn><start_of_turn>user It is green.")
        end = tokenizer.convert_tokens_to_ids("<end_of_turn>")
        model.generation_config.eos_token_id = [tokenizer.eos_token_id, *([end] if listed else [])]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(decoding, "write", heard)
            trust(model, tokenizer, examples.head(4), texts=4, others=2)
    assert all("user" not in text for text in texts[0]) and any("user" in one for one in texts[1])
