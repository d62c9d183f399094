"""Prompts with a person in them, and each way to take the person out."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from tests.families import CHATML, INST, ZEPHYR, bpe, people
from tests.families import wild_llama as random_llama
from workbench.errors import ConfigError, DataError, ModelError, TooLarge
from workbench.language import load_causal_lm
from workbench.tokens import make_pairs, prompt, score_tokens
from workbench.tokens.encoding import encode_pairs, prompt_ids, prompts_of
from workbench.tokens.prompts import NEUTRAL, masked
from workbench.tokens.rendering import located, quoted

HOSTILE = [
    "<script>alert(1)</script>",
    "a</s><query>b",
    "zero\u200bwidth \u202eright to left",
    "שלום 👩‍👧 e\u0301",
]
SYSTEM = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content | trim }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
NO_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + SYSTEM
)


def byte_level(chat_template=None, **special):
    """A GPT-2 sort of tokenizer, trained on nothing much; no space is put before a text."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    options = {"vocab_size": 300, "special_tokens": list(special.values()), "show_progress": False}
    core.train_from_iterator(
        ["likes lamps and tents.\n\n- reads\n- a novel"] * 9,
        trainers.BpeTrainer(initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), **options),
    )
    return PreTrainedTokenizerFast(tokenizer_object=core, chat_template=chat_template, **special)


@pytest.fixture(scope="module")
def llama(folders):
    return load_causal_lm(folders["llama"])


@pytest.fixture(scope="module")
def tokenizers(llama):
    words = Tokenizer(
        models.WordLevel(
            {word: i for i, word in enumerate(["<unk>", "likes", "lamps", "about"])}, "<unk>"
        )
    )
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return {
        "prefix space": llama[1],
        "bytes, no chat": byte_level(bos_token="<b>", pad_token="<p>"),
        "bytes, system": byte_level(SYSTEM, eos_token="<e>"),
        "bytes, no system": byte_level(NO_SYSTEM, pad_token="<p>"),
        "words": PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>"),
    }


NAMES = ("prefix space", "bytes, no chat", "bytes, system", "bytes, no system", "words")


@pytest.fixture(scope="module")
def examples():
    memories = [
        ["likes lamps.", "camps in summer", " reads \n\nnovels "],
        ["walks"],
        ["Owns 3 bikes!", "likes lamps."],
    ]
    rows = [
        (f"t{i}", i, i // 2, f"about lamps {i}", "likes lamps", told)
        for i, told in enumerate(memories)
    ]
    return pd.DataFrame(rows, columns=["text", "user", "item", "query", "response", "memories"])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "template",
    [None, "plain", "{{ memories | join('\n\n') }}\n\n{{ query }}:", "A{{memories[0]}}B{{query}}"],
)
def test_mask_replaces_the_tokens_of_the_persona_and_no_others(
    tokenizers, examples, name, template
):
    tokenizer = tokenizers[name]
    if template and "[0]" in template:
        examples = examples.assign(memories=[told[:1] for told in examples["memories"]])
    pairs = make_pairs(examples, tokenizer, "mask", template)
    fillers = {*tokenizer.convert_tokens_to_ids([t for t in tokenizer.all_special_tokens if t])}
    for row in pairs.itertuples():
        (with_,), (without,) = (
            prompt_ids(tokenizer, [row.prompt_with]),
            prompt_ids(tokenizer, prompts_of(row.prompt_without)),
        )
        assert len(with_) == len(without)
        changed = np.array(with_) != without
        assert changed.any() or name == "words"
        assert (
            set(np.array(without)[changed]) <= fillers and len(set(np.array(without)[changed])) <= 1
        )
        # what is left, spelled out, is the prompt without its persona
        text, spans = located(tokenizer, row.memories, row.query, template)
        assert text == row.prompt_with
        found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)[
            "offset_mapping"
        ]
        for (start, end), gone in zip(found, changed[len(with_) - len(found) :], strict=True):
            outside = not any(start < b and a < end for a, b in spans)
            assert not (gone and outside)
            assert gone or outside or name == "words"


def test_mask_is_a_text_where_a_text_gives_these_tokens(tokenizers, llama, examples):
    said = masked(tokenizers["bytes, no chat"], ["likes lamps."], "q", None)
    assert (
        isinstance(said, str)
        and "lamps" not in said
        and said.count("<p>") >= 3
        and "Task: q" in said
    )
    # this one puts spaces after special tokens
    assert isinstance(masked(llama[1], examples["memories"][0], "q"), list)
    scored = score_tokens(*llama, make_pairs(examples, llama[1], "mask"))
    assert np.isfinite(scored["pir"]).all() and (scored["pir"] != 0).any()


def test_mask_needs_a_filler_and_a_template_that_leaves_memories_alone(tokenizers):
    with pytest.raises(ConfigError, match="no mask, pad"):
        masked(byte_level(), ["a"], "q")
    for template in (
        "{{ memories[0] | upper }} {{ query }}",
        "{{ memories | reverse | join }}{{ query }}",
    ):
        with pytest.raises(ConfigError, match="changes the memory items"):
            masked(tokenizers["words"], ["a", "b"], "q", template)


@pytest.mark.parametrize("name", NAMES)
def test_a_deleted_persona_takes_its_heading_with_it(tokenizers, examples, name):
    pairs = make_pairs(examples, tokenizers[name])
    for row in pairs.itertuples():
        assert all(
            " ".join(memory.splitlines()).strip() in row.prompt_with for memory in row.memories
        )
        assert row.prompt_without == prompt(tokenizers[name], [], row.query)
        for word in ("walks", "known about", "<persona>", "|system|"):
            assert word not in row.prompt_without
        assert row.query in row.prompt_without


def test_where_a_chat_template_puts_the_persona(tokenizers):
    assert (
        prompt(tokenizers["bytes, system"], ["a", "b"], "q")
        == "<|system|>a\nb\n<|user|>q\n<|assistant|>"
    )
    assert (
        prompt(tokenizers["bytes, no system"], ["a", "b"], "q")
        == "<|user|>a\nb\n\nq\n<|assistant|>"
    )
    assert prompt(tokenizers["words"], ["a"], "q").startswith("What is known")


def test_neutral_other_peer_and_others(tokenizers, examples):
    tokenizer = tokenizers["words"]
    assert all(
        NEUTRAL in one for one in make_pairs(examples, tokenizer, "neutral")["prompt_without"]
    )
    every = {
        prompt(tokenizer, told, query): i
        for i, told in enumerate(examples["memories"])
        for query in examples["query"]
    }
    other = make_pairs(examples, tokenizer, "other", seed=3)
    assert all(every[one] != i for i, one in enumerate(other["prompt_without"]))
    assert other.equals(make_pairs(examples, tokenizer, "other", seed=3))
    peer = make_pairs(examples[:2], tokenizer, "peer", pool=examples)
    # the only other texts about item 0
    assert [every[one] for one in peer["prompt_without"]] == [1, 0]
    others = make_pairs(examples, tokenizer, "others", others=2)
    assert [{every[one] for one in each} for each in others["prompt_without"]] == [
        {1, 2},
        {0, 2},
        {0, 1},
    ]
    with pytest.raises(DataError, match=r"t2.*item 1 by somebody else"):
        make_pairs(examples, tokenizer, "peer")


def test_each_leaves_one_memory_item_out(tokenizers, examples):
    pairs = make_pairs(examples, tokenizers["words"], "each")
    assert pairs["text"].tolist() == ["t0/0", "t0/1", "t0/2", "t1/0", "t2/0", "t2/1"]
    for row in pairs.itertuples():
        left = [memory for place, memory in enumerate(row.memories) if place != row.memory]
        assert row.prompt_without == prompt(tokenizers["words"], left, row.query)


@pytest.mark.parametrize("intervention", ["delete", "mask", "others", "each"])
def test_a_persona_longer_than_the_context(llama, examples, intervention):
    _, tokenizer = llama
    long = examples.assign(
        memories=[
            [f"{memory} number {k}" for k in range(6) for memory in told]
            for told in examples["memories"]
        ]
    )
    with pytest.raises(TooLarge, match=r"text 't0'.*at most 100 tokens.*cut=\"last\""):
        make_pairs(long, tokenizer, intervention, context=100)
    for cut in ("last", "first"):
        pairs = make_pairs(long, tokenizer, intervention, context=100, cut=cut)
        assert all(
            len(row["with"]) + len(row["ids"]) <= 100
            for row in encode_pairs(tokenizer, pairs, context=100)
        )
        for row in pairs.drop_duplicates("user").itertuples():
            told = long["memories"][row.user]
            assert (row.memories + row.cut if cut == "last" else row.cut + row.memories) == told
            assert bool(row.cut) == (row.user != 1)  # the short persona fits
            more = [told[len(row.memories)], *row.memories] if row.cut and cut == "last" else None
            assert (
                more is None
                or len(prompt_ids(tokenizer, [prompt(tokenizer, more, row.query)])[0]) + 3 > 100
            )
    with pytest.raises(TooLarge, match="shorten"):
        make_pairs(long, tokenizer, intervention, context=9, cut="last")
    assert "cut" not in make_pairs(examples, tokenizer)


@pytest.mark.parametrize("memory", HOSTILE)
def test_hostile_text_is_data(llama, examples, memory):
    model, tokenizer = llama
    hostile = examples.assign(memories=[[memory, "walks"]] * 3, query=memory, response=memory)
    special = {*tokenizer.all_special_ids}
    plain = prompt_ids(tokenizer, [prompt(tokenizer, ["x", "walks"], "y")])[0]
    for intervention in ("delete", "mask", "each"):
        pairs = make_pairs(hostile, tokenizer, intervention)
        (ids,) = prompt_ids(tokenizer, [pairs["prompt_with"][0]])
        assert [one for one in ids if one in special] == [one for one in plain if one in special]
        assert np.isfinite(score_tokens(model, tokenizer, pairs)["pir"]).all()


PIECES = st.sampled_from(
    [*"\n\r\v\f\x1c\x85\u2028", "\r\n", "- ", "Task: ", "Text:", "Review:", "<e>", "<|user|>"]
)
CHATS = [byte_level(form, eos_token="<e>") for form in (SYSTEM, NO_SYSTEM)]


@settings(max_examples=40)
@given(
    st.lists(PIECES | st.characters(codec="utf-8"), max_size=12).map("".join),
    st.sampled_from(CHATS),
)
def test_no_text_can_imitate_the_lines_of_a_prompt(text, tokenizer):
    """Whatever stands in a memory item and in the query, the prompt has the lines of one with
    harmless texts."""
    text = f"a{text}b"
    for template in (None, "plain", "review"):
        full, bare = (prompt(tokenizer, told, text, template) for told in ([text, "walks"], []))
        like, like_bare = (
            prompt(tokenizer, told, "lamps", template) for told in (["a", "walks"], [])
        )
        assert len(full.splitlines()) == len(like.splitlines()) and len(bare.splitlines()) == len(
            like_bare.splitlines()
        )
        # what deleting the persona takes away ends where the query begins
        assert full.endswith(bare if template else bare.removeprefix("<|user|>"))
        _, ((start, end), _) = located(tokenizer, [text, "walks"], text, template)
        assert full[:start] + "a" + full[end:] == prompt(tokenizer, ["a", "walks"], text, template)


def test_a_published_form_keeps_the_line_breaks_of_its_texts(tokenizers):
    said = [prompt(tokenizers["words"], ["a\nb"], "c\n\nd", name) for name in ("lamp", "plain")]
    assert said[0] == "a\nb . c\n\nd\n" and said[1].splitlines()[1:3] == ["- a b", "Task: c  d"]


def test_markers_that_are_only_added_tokens_are_quoted_too():
    tokenizer = byte_level(SYSTEM, eos_token="<e>")
    tokenizer.add_tokens(["<|system|>", "<think>"])
    tokenizer.add_tokens(["lampshade"])
    assert (
        quoted("<|system|>x<think><e> lampshade", tokenizer) == "< |system|>x< think>< e> lampshade"
    )


@pytest.mark.parametrize(
    "memories", [[], [" "], ["a", ""], "a string", [""], None, float("nan"), [None], [3]]
)
def test_an_empty_persona_is_refused(tokenizers, examples, memories):
    with pytest.raises(DataError, match=r"row 1: empty persona"):
        make_pairs(examples.assign(memories=[["a"], memories, ["b"]]), tokenizers["words"])
    with pytest.raises(DataError, match=r"row 0: half a surrogate pair"):  # which JSON can hold
        make_pairs(examples.assign(memories=[["a \ud83d"], ["a"], ["b"]]), tokenizers["words"])
    with pytest.raises(DataError, match=r"row 1: no query"):
        make_pairs(examples.assign(query=["a", None, "b"]), tokenizers["words"])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"intervention": "wish"}, "wish"),
        ({"cut": "middle"}, "middle"),
        ({"template": "nosuch"}, "plain"),
        ({"template": "gone.jinja"}, "no such template"),
        ({"template": 5}, "template 5.*plain"),
        ({"template": "{{ memories }} {{ surprise }}"}, "surprise"),
        ({"template": "{{ memories.__class__.__mro__ }}"}, "unsafe"),
        ({"template": "{{ memories | join(1) }}{{ query + 1 }}"}, "template: can only concatenate"),
    ],
)
def test_settings_that_cannot_be(tokenizers, examples, options, says):
    with pytest.raises(ConfigError, match=says):
        make_pairs(examples, tokenizers["words"], **options)


DROPS = (
    "{% for m in messages %}{% if m.role == 'user' %}{{ 'User: ' + m.content }}{% endif %}"
    "{% endfor %}"
)
ONLY_PERSONA = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}{% endif %}{% endfor %}"
)
PARTS = "{% for m in messages %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endfor %}:"
THINKS = CHATML.replace("assistant\n'", "assistant\n<think>\n'")
CHOOSES = THINKS.replace(
    "<think>\n' }}",
    "<think>\n' }}{% if enable_thinking is defined and not enable_thinking %}</think>\n{% endif %}",
)
DATED = "{{ 'Today: ' + strftime_now('%d %b %Y') + '\n' }}" + CHATML


@pytest.mark.parametrize(
    ("template", "says"),
    [
        (DROPS, "drops the persona"),
        (PARTS, "drops the persona"),
        (ONLY_PERSONA, "drops the query"),
        (THINKS, r"within a thought \(<think>\).*enable_thinking"),
        (CHATML.replace("assistant\n'", "assistant\n[THINK]'"), r"within a thought \(\[THINK\]\)"),
        (INST.replace("== 'system'", "!= 'system'"), "chat template of .*: no"),
        ("{{ messages.append(1) }}", "chat template of .*unsafe"),
        ({"rag": CHATML}, "chat template of .*no default"),
    ],
)
@pytest.mark.parametrize("intervention", ["delete", "mask", "other", "each"])
def test_a_template_that_is_no_prompt_of_person_and_query_is_refused(template, says, intervention):
    with pytest.raises(ConfigError, match=says):
        make_pairs(people(), bpe(template, pad="<p>"), intervention)


def test_a_form_of_ones_own_is_held_to_it_too():
    for template, says in (
        ("{{ query }}", "drops the persona"),
        ("{{ memories | join }} {{ query }}<think>", "within a thought"),
    ):
        with pytest.raises(ConfigError, match=f"template .*text 'a': .*{says}"):
            make_pairs(people(), bpe(), template=template)
    # one that cannot do without a persona, and one that closes the thought
    for template in ("{{ memories[0] }}{{ query }}", "{{ memories }}{{ query }}<think></think>"):
        assert len(make_pairs(people()[:1], bpe(), "other", template, pool=people())) == 1


def test_options_of_a_chat_template_go_through_every_door():
    tokenizer, options = bpe(CHOOSES, pad="<p>"), {"enable_thinking": False}
    for intervention in ("delete", "mask", "other", "each"):
        pairs = make_pairs(people(), tokenizer, intervention, template=options)
        assert pairs["prompt_with"].str.endswith("<think>\n</think>\n").all()
        assert "enable_thinking=False" in pairs.attrs["template"]
        scored = score_tokens(random_llama(tokenizer), tokenizer, pairs)
        assert scored.attrs["template"] == pairs.attrs["template"]
    assert located(tokenizer, ["walks"], "q", options)[0].endswith("</think>\n")
    with pytest.raises(ConfigError, match="no option 'think'"):
        make_pairs(people(), tokenizer, template={"think": False})
    with pytest.raises(ConfigError, match="options of a chat template, and there is none"):
        make_pairs(people(), bpe(), template=options)


def test_the_date_of_a_prompt_can_be_fixed_and_is_kept():
    tokenizer = bpe(DATED)
    fixed = make_pairs(people(), tokenizer, template={"date": "2024-07-26"})
    assert fixed["prompt_with"].str.startswith("Today: 26 Jul 2024\n").all()
    assert "date=2024-07-26" in fixed.attrs["template"]
    today = make_pairs(people(), tokenizer).attrs["template"]
    assert f"date={date.today().isoformat()}" in today
    # another template, another digest
    made = {make_pairs(people(), bpe(one)).attrs["template"] for one in (CHATML, ZEPHYR, None)}
    assert len(made) == 3


@pytest.mark.parametrize("nobody", [np.nan, None, pd.NA])
@pytest.mark.parametrize("intervention", ["other", "peer", "others"])
def test_people_without_an_id_are_nobodys_other(nobody, intervention):
    tokenizer = bpe()
    some = people(user=pd.Series([1, nobody, 3], dtype=object), item=[1, 1, 1])
    with pytest.raises(DataError, match=r"text 'b': no id of the person.*an id, to tell others"):
        make_pairs(some, tokenizer, intervention)
    theirs = prompt(tokenizer, some["memories"][1], some["query"][1])
    for seed in range(9):
        known = make_pairs(some[some["text"] != "b"], tokenizer, intervention, pool=some, seed=seed)
        assert theirs not in [one for each in known["prompt_without"] for one in prompts_of(each)]
    with pytest.raises(DataError, match="no id of the person"):
        make_pairs(some.assign(user=nobody), tokenizer, intervention)


@pytest.mark.parametrize("table", [people().iloc[0], people().to_dict("records"), None])
def test_what_is_no_table_is_told_what_keeps_it_one(table):
    for door in (make_pairs, lambda t, k: score_tokens(None, k, t)):
        with pytest.raises(DataError, match=r"a (Series|list|NoneType).*iloc\[\[0\]\]"):
            door(table, bpe())
    with pytest.raises(DataError, match=r"prompt_with.*make_pairs\(examples, tokenizer\) adds"):
        score_tokens(None, bpe(), people().drop(columns="memories"))
    with pytest.raises(ModelError, match="no model that is loaded"):
        score_tokens(None, bpe(), people())
