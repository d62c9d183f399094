"""Memory items chosen by the query: nearest first, ties in order, refusals."""

import sys

import numpy as np
import pandas as pd
import pytest

from workbench.errors import ConfigError, ModelError
from workbench.tokens.retrieval import retrieve


def table(*rows):
    return pd.DataFrame(rows, columns=["query", "memories"])


def test_the_nearest_come_first_and_ties_keep_their_order():
    examples = table(
        ("a warm tent", ["likes cats", "owns a tent", "a warm tent is best", "likes dogs"]),
        ("cats", ["owns a tent", "likes dogs", "cats cats"]),
        ("nothing here", ["b", "a"]),
        ("empty", []),
    )
    found = retrieve(examples, k=3)["memories"].tolist()
    assert found == [
        ["a warm tent is best", "owns a tent", "likes cats"],
        ["cats cats", "owns a tent", "likes dogs"],
        ["b", "a"],
        [],
    ]
    assert examples["memories"][0][0] == "likes cats"  # the table that was given is as it was
    pd.testing.assert_frame_equal(retrieve(examples, k=3), retrieve(examples, k=3))


def test_similarity_equals_a_plain_loop():
    rng = np.random.default_rng(0)
    words = np.array([f"w{k}" for k in range(12)])
    rows = [
        (" ".join(rng.choice(words, 4)), [" ".join(rng.choice(words, 5)) for _ in range(6)])
        for _ in range(8)
    ]
    documents = [text for query, memories in rows for text in (*memories, query)]
    among = {w: sum(w in text.split() for text in documents) for w in words}

    def vector(text):
        count = np.array([text.split().count(w) for w in words])
        found = count * (
            np.log((1 + len(documents)) / (1 + np.array([among[w] for w in words]))) + 1
        )
        return found / np.linalg.norm(found)

    for row, chosen in zip(rows, retrieve(table(*rows), k=6)["memories"], strict=True):
        likeness = [round(float(vector(row[0]) @ vector(text)), 9) for text in chosen]
        assert likeness == sorted(likeness, reverse=True) and sorted(chosen) == sorted(row[1])


def test_an_encoder_is_used_only_where_there_is_one(tmp_path, monkeypatch):
    examples = table(("cats", ["a dog", "cats"]))
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ConfigError, match="not installed"):
        retrieve(examples, encoder=tmp_path)

    class SentenceTransformer:
        def __init__(self, folder, **options):
            assert options == {"local_files_only": True, "trust_remote_code": False}

        def encode(self, texts, normalize_embeddings):
            return np.array([[float("cats" in text), float("dog" in text)] for text in texts])

    fake = type(sys)("sentence_transformers")
    fake.SentenceTransformer = SentenceTransformer
    monkeypatch.setitem(sys.modules, "sentence_transformers", fake)
    with pytest.raises(ModelError, match=r"modules\.json"):
        retrieve(examples, encoder=tmp_path)
    (tmp_path / "modules.json").write_text("[]")
    assert retrieve(examples, k=1, encoder=tmp_path)["memories"][0] == ["cats"]
    with pytest.raises(ConfigError, match="1 or more"):
        retrieve(examples, k=0)


def test_without_a_word_to_count_the_first_items_are_kept():
    rows = pd.DataFrame(
        [("t", 1, 0, "!?", "said", ["…", "--", "!!"])],
        columns=["text", "user", "item", "query", "response", "memories"],
    )
    assert retrieve(rows, 2)["memories"].iloc[0] == ["…", "--"]
