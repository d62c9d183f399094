"""Delete memory 7 on a model that says known words for known reasons, and on the pocket model."""

import pandas as pd
import pytest
from remembering import MEMORIES, NOISE, remembering

from workbench.errors import ConfigError, DataError
from workbench.tokens import Deletion, delete_memory


def example(*memories):
    row = {
        "text": "a",
        "user": 1,
        "item": 2,
        "query": "please",
        "response": "the",
        "memories": [list(memories)],
    }
    return pd.DataFrame(row)


@pytest.fixture(scope="module")
def model():
    return remembering()


def fates(deletion):
    return dict(zip(deletion.words["word"], deletion.words["fate"], strict=True))


SHOWN = [1, 2, 3, 7]  # numbers 0 to 3 in the prompt


def of(model, number, **options):
    return delete_memory(
        *model, example(*(MEMORIES[k] for k in SHOWN)), number, seeds=range(20, 33), **options
    )


def test_the_word_of_the_memory_goes_and_the_others_stay(model):
    gone = of(model, SHOWN.index(7))
    found = fates(gone)
    assert found["boat"] == "went" and gone.new.split()[1] == "nothing"
    assert [found[word] for word in ("the", "tea", "cat", "please")] == ["stayed"] * 4
    boat = gone.words.set_index("word").loc["boat"]
    assert boat["effect"] > 5 and boat["alone"] > 5 and abs(boat["others"]) < 1e-6
    assert boat["missing_with"] == 0 and boat["missing_without"] == 1 and boat["p"] < 1e-3


def test_a_word_that_two_memories_bring_comes_back(model):
    found = fates(of(model, SHOWN.index(1)))
    assert found["tea"] == "came back" and found["boat"] == found["cat"] == "stayed"
    assert (
        fates(delete_memory(*model, example(MEMORIES[1], MEMORIES[3]), 0, seeds=range(9)))["tea"]
        == "went"
    )


def test_a_word_of_chance_changes_for_no_reason(model):
    """Memory 8 tilts the noise a little: some dice then fall otherwise, and no noise word goes for
    a reason."""
    found = []
    for first in range(0, 60, 10):
        seeds = range(first, first + 9)
        deletion = delete_memory(
            *model, example("memory8", "memory3"), 0, seeds=seeds, temperature=1.0
        )
        assert fates(deletion)["cat"] == "stayed"
        found += deletion.words.loc[deletion.words["word"].isin(NOISE), "fate"].tolist()
    assert len(found) == 6 and {"changed"} <= set(found) <= {"stayed", "changed"}


def test_words_are_counted_and_chance_is_corrected():
    from workbench.tokens.deletion import _chance, _missing, _occurrences

    keys = _occurrences(["The", "noise1", "the,", "the"])
    assert keys == [("the", 1), ("noise1", 1), ("the", 2), ("the", 3)]
    assert _missing(keys, ["the NOISE1.", "the the"]).tolist() == [0, 0.5, 0.5, 1]
    table = pd.DataFrame({"with": [0.8, 0.0, 0.0], "without": [0.9, 1.0, 1.0]})
    p = _chance(table["with"], table["without"], 10, (table["with"] != 9).to_numpy())
    assert p[0] > 0.4 and (p[1:] < 0.001).all()
    assert _chance(
        table["with"], table["without"], 10, (table["with"] > 9).to_numpy()
    ).tolist() == [1, 1, 1]


def test_the_last_memory_leaves_no_persona(model):
    deletion = delete_memory(*model, example(MEMORIES[7]), 0, seeds=range(9))
    boat = deletion.words.set_index("word").loc["boat"]
    assert boat["effect"] == boat["alone"] and boat["others"] == 0


def test_seeds_decide_alone_without_a_threshold(model):
    assert fates(of(model, SHOWN.index(7), threshold=float("inf")))["boat"] == "went"
    assert fates(of(model, SHOWN.index(1), threshold=float("inf")))["tea"] == "stayed"


def test_what_is_shown(model):
    deletion = of(model, SHOWN.index(7))
    assert sum(deletion.counts.values()) == len(deletion.to_frame()) == len(deletion.old.split())
    assert repr(deletion).startswith("Deletion(memory 3 of 4: 1 went") and "12 seeds" in repr(
        deletion
    )
    assert (
        "<del>boat</del>" in deletion._repr_html_()
        and deletion._repr_html_() == of(model, 3)._repr_html_()
    )
    pd.testing.assert_frame_equal(deletion.words, of(model, 3, batch_size=5).words)


def test_hostile_text_is_escaped(model):
    words = pd.DataFrame(
        {"word": ["<script>"], "start": [0], "end": [8], "fate": ["went"], "effect": [2.0]}
    )
    html = Deletion("a", 0, ("<img src=x>",), "<script>", "<svg>", (1, 2, 3), words)._repr_html_()
    assert (
        not any(sign in html for sign in ("<script", "<img", "<svg"))
        and "<del>&lt;script&gt;</del>" in html
    )


def test_bad_input_is_refused(model):
    with pytest.raises(ConfigError, match="memory 4"):
        of(model, 4)
    with pytest.raises(ConfigError, match="different seeds"):
        delete_memory(*model, example(MEMORIES[7]), 0, seeds=[1, 1, 2])
    with pytest.raises(DataError, match="one row"):
        delete_memory(*model, pd.concat([example("memory1")] * 2), 0)


def test_on_the_pocket_model():
    from workbench.data import load_world
    from workbench.language import load_causal_lm
    from workbench.tokens import examples_of

    one = examples_of(load_world(), n=1)
    deletion = delete_memory(*load_causal_lm("pocket"), one, 0, seeds=range(3), max_new_tokens=12)
    assert len(deletion.words) > 5 and set(deletion.words["fate"]) <= {
        "went",
        "came back",
        "stayed",
        "changed",
    }
