"""Readers of published texts: tiny files of their layouts, broken ones, and the real reviews where
they are."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest

from workbench import tokens
from workbench.errors import ConfigError, DataError
from workbench.language import load_causal_lm
from workbench.sources.texts import (
    lamp,
    longlamp,
    read_aloe,
    read_bespoke,
    read_lamp,
    read_longlamp,
    read_personas,
    read_reviews,
)
from workbench.tokens import examples, make_pairs

EXAMPLE = ["text", "user", "item", "query", "response", "memories"]


@pytest.fixture(scope="module")
def tokenizer():
    return load_causal_lm("persona-world")[1]


@pytest.fixture
def write(tmp_path):
    def writer(name, rows, lines=False):
        text = "\n".join(map(json.dumps, rows)) if lines else json.dumps(rows)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return writer


def test_a_table_of_ones_own_with_lists_or_lines(tokenizer):
    frame = pd.DataFrame(
        {"who": ["a", "b"], "ask": ["x", "y"], "said": ["s", "t"], "stars": [1, 2]}
    )
    frame["past"] = [["Owns a tent.", " "], "Reads horror.\n\nHas a cat."]
    out = examples(frame, user="who", prompt="ask", response="said", history="past")
    assert list(out) == [*EXAMPLE, "stars"]
    assert out["memories"].tolist() == [["Owns a tent."], ["Reads horror.", "Has a cat."]]
    clash = examples(
        frame.assign(user="x", text="y", item=[7, 8]),
        user="who",
        prompt="ask",
        response="said",
        history="past",
        item="item",
    )
    assert (
        clash["user"].tolist() == ["a", "b"]
        and clash["text"].tolist() == [0, 1]
        and clash["item"].tolist() == [7, 8]
    )
    assert len(make_pairs(out, tokenizer)) == 2 and list(frame) == [
        "who",
        "ask",
        "said",
        "stars",
        "past",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"said": ["s", " "]}, "table row 1: empty response"),
        ({"said": ["s", None]}, "table row 1: empty response"),
        ({"said": ["s", 5]}, "table row 1: response 5"),
        ({"ask": ["", "y"]}, "table row 0: empty query"),
        ({"past": [["a"], 3]}, "table row 1: a history of int"),
        ({"past": [["a"], [3]]}, "table row 1: a history of list"),
    ],
)
def test_a_table_of_ones_own_says_which_row_is_wrong(change, message):
    frame = pd.DataFrame(
        {"who": ["a", "b"], "ask": ["x", "y"], "said": ["s", "t"], "past": [["p"], ["q"]]}
    )
    columns = {"user": "who", "prompt": "ask", "response": "said", "history": "past"}
    with pytest.raises(DataError, match=message):
        examples(frame.assign(**change), **columns)
    with pytest.raises(DataError, match="no columns"):
        examples(frame, **columns | {"user": "nobody"})
    with pytest.raises(DataError, match="no examples"):
        examples(frame.head(0), **columns)
    for name in (["who"], {"who": 1}):
        with pytest.raises(DataError, match=r"examples: user: a (list|dict).*a column's name"):
            examples(frame, **columns | {"user": name})
    with pytest.raises(DataError, match="table: two columns 'who'"):
        examples(pd.concat([frame, frame[["who"]]], axis=1), **columns)


def test_lamp_in_two_files_or_one(write, tokenizer):
    profile = [
        {"id": "1", "text": "long one", "title": "One"},
        {"id": "2", "text": "a {brace}", "title": "Two"},
    ]
    questions = write(
        "q.json", [{"id": "10", "input": "Generate a headline: rain", "profile": profile}]
    )
    outputs = write("o.json", {"task": "LaMP_4", "golds": [{"id": "10", "output": "It rains"}]})
    merged = write(
        "m.json.gz",
        [
            {
                "id": "10",
                "input": "Generate a headline: rain",
                "profile": profile,
                "output": "It rains",
            }
        ],
    )
    out, again = read_lamp(questions, outputs), read_lamp(merged, task="LaMP-4")
    pd.testing.assert_frame_equal(out, again)
    assert out["memories"][0] == [
        '"One" is the title for "long one"',
        '"Two" is the title for "a {brace}"',
    ]
    pairs = make_pairs(out, tokenizer, template=lamp.TEMPLATE["LaMP_4"])
    told = '"One" is the title for "long one" , and "Two" is the title for "a {brace}" . '
    assert pairs["prompt_with"][0] == f"{told}Generate a headline: rain\n"
    assert pairs["prompt_without"][0] == "Generate a headline: rain\n"


def test_lamp_says_what_is_missing(write):
    row = {"id": "10", "input": "x", "profile": [{"id": "1", "text": "t"}]}
    with pytest.raises(ConfigError, match="one of"):
        read_lamp(write("q.json", [row | {"output": "o"}]))
    with pytest.raises(DataError, match=r"q\.json row 0, item 0: no field 'title'"):
        read_lamp(write("q.json", [row | {"output": "o"}]), task="LaMP_4")
    with pytest.raises(DataError, match="no gold for question '10'"):
        read_lamp(write("q.json", [row]), task="LaMP_7")
    (broken := write("b.json", [])).write_text('[{"id": 1,\n]')
    with pytest.raises(DataError, match="line 2, character 1 is no JSON"):
        read_lamp(broken, task="LaMP_7")
    with pytest.raises(DataError, match="no such file"):
        read_lamp("nowhere.json", task="LaMP_7")


LONG = {
    "abstract": [{"title": "Rain", "abstract": "word " * 800}],
    "review": [
        {"overall": 5.0, "summary": "good", "description": "a lamp", "reviewText": "shines"}
    ],
    "topic": [{"summary": "why", "content": "because"}],
}


@pytest.mark.parametrize("task", LONG)
def test_longlamp_from_both_kinds_of_file(task, write, tmp_path, tokenizer):
    row = {
        "input": "Please write it",
        "output": "Here it is",
        "profile": LONG[task],
        "reviewerId": "R1",
    }
    lines = read_longlamp(write("x.jsonl", [row], lines=True), task)
    pd.DataFrame([row]).to_parquet(tmp_path / "x.parquet")
    pd.testing.assert_frame_equal(lines, read_longlamp(tmp_path / "x.parquet", task))
    assert lines["user"].tolist() == ["R1"]
    pair = make_pairs(lines, tokenizer, template=longlamp.TEMPLATE[task]).iloc[0]
    # what the persona brings ends where the constant sentence ends: the input alone is left
    cut = {"abstract": "language of the user and, "}.get(task, "Following the given patterns ")
    assert (
        pair["prompt_with"].endswith(cut + pair["prompt_without"])
        and pair["prompt_without"] == "Please write it\n"
    )
    if task == "abstract":
        assert pair["prompt_with"].count("word") == 750
    with pytest.raises(DataError, match=r"x.jsonl row 0, item 0: no field"):
        read_longlamp(write("x.jsonl", [row | {"profile": [{"title": "t"}]}], lines=True), task)


def test_older_longlamp_posts_name_their_fields_otherwise(write):
    row = {"input": "x", "output": "y", "profile": [{"input": "why", "output": "because"}]}
    assert read_longlamp(write("x.jsonl", [row], lines=True), "topic")["memories"][0] == [
        '"why" is a summary for "because"'
    ]
    with pytest.raises(ConfigError):
        read_longlamp("x", "email")


def test_aloe_turns_with_what_was_said_before_or_with_personas(write):
    turns = [
        {"user": f"u{k}", "assistant": {"preferred": f"p{k}", "rejected": f"r{k}"}}
        for k in range(3)
    ]
    path = write("c.jsonl", [{"conversations": turns}, {"conversations": turns[:1]}], lines=True)
    out = read_aloe(path)
    assert out["memories"].tolist() == [["u0"], ["u0", "u1"]] and out["response"].tolist() == [
        "p1",
        "p2",
    ]
    profile = write("profile.jsonl", ["She is 34.", "He is 50."], lines=True)
    told = read_aloe(path, [profile, profile])
    assert len(told) == 4 and told["memories"].tolist()[-1] == ["He is 50.", "He is 50."]
    assert read_personas(profile) == ["She is 34.", "He is 50."]
    with pytest.raises(DataError, match="1 personas for 2 conversations"):
        read_aloe(path, [write("short.jsonl", ["She is 34."], lines=True)])
    with pytest.raises(DataError, match="line 2 is no text"):
        read_personas(write("p.jsonl", ["x", 3], lines=True))
    turns[1]["assistant"] = {"preferred": "p"}
    with pytest.raises(DataError, match=r"c\.jsonl row 0, turn 1: no field 'rejected'"):
        read_aloe(write("c.jsonl", [{"conversations": turns}], lines=True))


def test_bespoke_joins_histories_and_judged_answers(tmp_path):
    answer = {"contents": "Because.", "tone": {"score": 4, "feedback": "fine"}}
    value = {"query": "Why?", "gold_information_need": "reasons", "response_list": [answer, answer]}
    tables = {
        "chat_history/chat_history": [{"user": "user1", "id": "a", "history": "asked of rain"}],
        "search_history/search_history": [{"user": "user1", "id": "b", "history": "searched snow"}],
        "meta_test/meta_test_set": [
            {"user": "user1", "query-id": "1", "id": "c", "meta_test_set_value": json.dumps(value)}
        ],
    }

    def put(**changed):
        for name, rows in (tables | changed).items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            pd.DataFrame(rows).to_parquet(tmp_path / f"{name}.parquet")

    put()
    out = read_bespoke(tmp_path)
    assert out["memories"][0] == ["asked of rain", "searched snow"] and out["tone"].tolist() == [
        4,
        4,
    ]
    assert (
        out["text"].is_unique and out["need"][0] == "reasons" and out["need_alignment"].isna().all()
    )
    judged = tables["meta_test/meta_test_set"][0]
    put(**{"meta_test/meta_test_set": [judged | {"user": "user2"}]})
    with pytest.raises(DataError, match="row 0: user 'user2' has no history"):
        read_bespoke(tmp_path)
    put(**{"meta_test/meta_test_set": [judged | {"meta_test_set_value": "{"}]})
    with pytest.raises(DataError, match="row 0: meta_test_set_value is no JSON"):
        read_bespoke(tmp_path)


def review(text, item="B1"):
    return {
        "parent_asin": item,
        "rating": 4.0,
        "timestamp_ms": 86_400_000,
        "review_full": text,
        "product": {"title": "A lamp"},
    }


def test_reviews_by_user(write, tokenizer):
    row = {"user_id": "u", "category": "Home", "history": [review("one"), review("two")]}
    row["heldout"] = review("bright<br />and\nwarm", "B2")
    row["history"][1]["product"] = {"title": None, "main_category": "Tools"}
    path = write("training.jsonl.gz", [row], lines=True)
    out = read_reviews(str(path).removesuffix(".gz"))
    assert out.loc[0, "response"] == "bright and warm" and out.loc[0, "item"] == "B2"
    assert out.loc[0, "memories"] == ['4 stars for "A lamp": one', '4 stars for "Tools": two']
    assert out.loc[0, "timestamp"] == pd.Timestamp("1970-01-02", tz="UTC")
    pair = make_pairs(out, tokenizer, template="review").iloc[0]
    assert (
        pair["prompt_with"].endswith(pair["prompt_without"])
        and "Earlier" not in pair["prompt_without"]
    )
    with pytest.raises(DataError, match=r"training\.jsonl\.gz row 0: no field 'review_full'"):
        read_reviews(write("training.jsonl.gz", [row | {"heldout": review(None)}], lines=True))


def test_the_real_reviews_are_read_whole(real_data):
    folder = real_data / "amazon-reviews-2023-users"
    if not folder.is_dir():
        pytest.skip("no amazon-reviews-2023-users here")
    tables = [read_reviews(folder / f"{part}.jsonl") for part in ("training", "validation", "test")]
    assert [len(table) for table in tables] == [598, 70, 23]
    users = [set(table["user"]) for table in tables]
    assert [len(part) for part in users] == [316, 46, 11] and len(set.union(*users)) == 354
    assert set(np.concatenate([table["memories"].str.len() for table in tables])) == {4}
    assert pd.concat(tables)["category"].nunique() == 24


def test_examples_of_ones_own_are_scored_as_they_are_and_words_name_the_word():
    frame = pd.DataFrame({"who": ["ann", "bob"], "ask": ["A review?", "A note?"]})
    frame["said"] = ["A tent for two. Bright!", "My cat reads it."]
    frame["past"] = [["Owns a tent."], ["Has a cat.", "Reads horror."]]
    assert "examples" in dir(tokens)
    mine = tokens.examples(frame, user="who", prompt="ask", response="said", history="past")
    model, cutter = load_causal_lm("pocket")
    found = tokens.score_tokens(model, cutter, mine)
    pairs = tokens.make_pairs(mine, cutter)
    pd.testing.assert_frame_equal(found, tokens.score_tokens(model, cutter, pairs))
    assert found.attrs["template"] == pairs.attrs["template"]
    table = tokens.words(found, mine)
    assert table["word"].tolist() == " ".join(frame["said"]).split()
    assert table["pir"].sum() == pytest.approx(found["pir"].sum())
    with pytest.raises(DataError, match="table: a list"):
        tokens.examples([], user="who", prompt="ask", response="said", history="past")
    with pytest.raises(DataError, match="persona"):
        tokens.score_tokens(model, cutter, mine.assign(memories=[[], ["x"]]))
