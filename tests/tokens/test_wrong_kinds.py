"""What is handed in wrongly is refused in the same words at every door: models, tokenizers, tables,
numbers, lists of texts."""

import numpy as np
import pandas as pd
import pytest

from tests.families import bpe, people, wild_llama
from workbench.errors import (
    ConfigError,
    DataError,
    ModelError,
    TooLarge,
    UnknownUser,
    WorkbenchError,
    check_number,
)
from workbench.language import Chat, Endpoint, load_causal_lm
from workbench.tokens import (
    FineTuneConfig,
    MixtureLM,
    add_up,
    attribution,
    carry,
    check_score,
    credit,
    delete_memory,
    detection,
    detection_by_kind,
    examples_of,
    fine_tune,
    judge,
    make_pairs,
    mark,
    memory_map,
    personal_and_generic,
    pieces,
    planted_memory,
    prompt,
    retrieve,
    score_tokens,
    text_metrics,
    training_rows,
    trust,
    verdict,
    weights,
    words,
    write,
)
from workbench.worlds.persona import PersonaWorld

SHORT = FineTuneConfig(steps=1, batch_size=2)


@pytest.fixture(scope="module")
def case():
    """(model, tokenizer, examples, pairs, scores)."""
    tokenizer = bpe()
    model, pairs = wild_llama(tokenizer), make_pairs(people(), tokenizer)
    return model, tokenizer, people(), pairs, score_tokens(model, tokenizer, pairs)


@pytest.mark.parametrize("model", [None, "pocket", (1, 2), Endpoint("http://127.0.0.1:9/v1", "m")])
def test_what_is_no_model_here_is_said_at_every_door(case, model):
    _, tokenizer, examples, pairs, _ = case
    one = examples.iloc[[1]]
    doors = [
        lambda: write(model, tokenizer, ["a"]),
        lambda: delete_memory(model, tokenizer, one, 0),
        lambda: fine_tune(model, tokenizer, pairs, weights.CE(), SHORT),
        lambda: attribution.attention_share(model, tokenizer, examples),
        lambda: attribution.integrate_gradients(model, tokenizer, examples),
    ]
    if not isinstance(model, Endpoint):  # that one can be scored
        doors.append(lambda: score_tokens(model, tokenizer, pairs))
        doors.append(lambda: attribution.shapley_values(model, tokenizer, examples))
        doors.append(lambda: trust(model, tokenizer, examples))
    for door in doors:
        with pytest.raises(ModelError, match=r"loaded here.*load_causal_lm"):
            door()


@pytest.mark.parametrize("tokenizer", ["pocket", 3])
def test_what_is_no_tokenizer_is_said_at_every_door(case, tokenizer):
    model, _, examples, pairs, _ = case
    doors = [
        lambda: make_pairs(examples, tokenizer),
        lambda: prompt(tokenizer, ["a"], "b"),
        lambda: score_tokens(model, tokenizer, pairs),
        lambda: write(model, tokenizer, ["a"]),
        lambda: trust(model, tokenizer, examples),
        lambda: attribution.attention_share(model, tokenizer, examples),
        lambda: training_rows(tokenizer, pairs),
    ]
    for door in doors:
        with pytest.raises(ConfigError, match=r"^tokenizer: .*load_causal_lm"):
            door()


def test_no_tokenizer_at_all_is_said_where_one_is_needed(case):
    model, _, examples, pairs, _ = case
    for door in (
        lambda: score_tokens(model, None, pairs),
        lambda: write(model, None, ["a"]),
        lambda: trust(model, None, examples),
        lambda: attribution.attention_share(model, None, examples),
        lambda: attribution.integrate_gradients(model, None, examples),
        lambda: fine_tune(model, None, pairs, weights.CE(), SHORT),
    ):
        with pytest.raises(ConfigError, match="tokenizer"):
            door()


NUMBERS = {
    "batch_size": lambda m, t, e, p, s: score_tokens(m, t, p, batch_size=2.5),
    "batch_tokens": lambda m, t, e, p, s: score_tokens(m, t, p, batch_tokens="9"),
    "seed": lambda m, t, e, p, s: make_pairs(e, t, "other", seed=-1),
    "others": lambda m, t, e, p, s: make_pairs(e, t, "others", others=0),
    "context": lambda m, t, e, p, s: make_pairs(e, t, context="big"),
    "max_new_tokens": lambda m, t, e, p, s: write(m, t, ["a"], max_new_tokens=0),
    "temperature": lambda m, t, e, p, s: write(m, t, ["a"], temperature=-1),
    "gamma": lambda m, t, e, p, s: write(m, t, ["a"], ["b"], gamma=float("nan")),
    "memory": lambda m, t, e, p, s: delete_memory(m, t, e.iloc[[1]], True),
    "memory 1.0": lambda m, t, e, p, s: delete_memory(m, t, e.iloc[[1]], 1.0),
    "alpha": lambda m, t, e, p, s: delete_memory(m, t, e.iloc[[1]], 0, alpha=5),
    "orders": lambda m, t, e, p, s: memory_map(m, t, e.iloc[[1]], orders=1),
    "steps": lambda m, t, e, p, s: memory_map(m, t, e.iloc[[1]], "integrated_gradients", steps=0),
    "keep": lambda m, t, e, p, s: memory_map(m, t, e.iloc[[1]], "contextcite", keep=2.0),
    "penalty": lambda m, t, e, p, s: memory_map(m, t, e.iloc[[1]], "contextcite", penalty=-1),
    "texts": lambda m, t, e, p, s: trust(m, t, e, texts=0),
    "max_tokens": lambda m, t, e, p, s: Chat(Endpoint("http://h/v1", "m"), max_tokens=4.5),
    "retries": lambda m, t, e, p, s: Endpoint("http://h/v1", "m", retries=1.5),
    "timeout": lambda m, t, e, p, s: Endpoint("http://h/v1", "m", timeout=float("inf")),
    "n": lambda m, t, e, p, s: PersonaWorld().corpus("3", seed=1),
    "n -1": lambda m, t, e, p, s: examples_of(PersonaWorld().corpus(3, seed=1), n=-1),
    "n_users": lambda m, t, e, p, s: MixtureLM(n_users=2.5),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_outside_is_named_with_what_was_expected(case, name):
    with pytest.raises(ConfigError, match=rf"^{name}.*number of at least"):
        NUMBERS[name](*case)


def test_numbers_of_numpy_are_numbers_and_masks_are_none():
    check_number(1, 3, k=np.int64(3))
    check_number(0.0, 1.0, share=np.float32(0.5))
    for low, wrong in ((1, True), (1, 2.0), (0.0, "1"), (0.0, float("nan")), (0, None)):
        with pytest.raises(ConfigError, match="k "):
            check_number(low, k=wrong)


TABLES = {
    "a dict": lambda m, t, e, p, s: words({}, p),
    "pairs": lambda m, t, e, p, s: words(s, p.drop(columns="response")),
    "twice": lambda m, t, e, p, s: words(s, pd.concat([p, p])),
    "another response": lambda m, t, e, p, s: words(
        s, p.assign(response=p["response"].str.upper())
    ),
    "nope": lambda m, t, e, p, s: words(s, p, also=["nope"]),
    "spans": lambda m, t, e, p, s: add_up(s, p, pd.DataFrame({"text": ["a"], "from": [0]})),
    "overlap": lambda m, t, e, p, s: add_up(
        s, p, pd.DataFrame({"text": ["a", "a"], "start": [0, 2], "end": [5, 8]})
    ),
    "pool.*user": lambda m, t, e, p, s: make_pairs(e, t, "other", pool=e.drop(columns="user")),
    "pool row 0": lambda m, t, e, p, s: make_pairs(e, t, "other", pool=e.assign(memories="a text")),
    "two columns": lambda m, t, e, p, s: make_pairs(pd.concat([e, e[["query"]]], axis=1), t),
    "half a surrogate": lambda m, t, e, p, s: make_pairs(
        e.assign(query=pd.Series(["a\ud800"] * 3, dtype=object)), t
    ),
    "several people": lambda m, t, e, p, s: make_pairs(e.assign(user=[[1]] * 3), t, "other"),
    "neutral": lambda m, t, e, p, s: make_pairs(e, t, "neutral", neutral=" "),
    "empty response": lambda m, t, e, p, s: make_pairs(e.assign(response=None), t, context=200),
    "no prompt|is no text": lambda m, t, e, p, s: score_tokens(
        m, t, p.assign(prompt_without=[[True]] * 3)
    ),
    "truth": lambda m, t, e, p, s: detection(s, "pir", "truth"),
    "neither true nor": lambda m, t, e, p, s: detection(s.assign(personal=0.5), ["pir"]),
    "kind": lambda m, t, e, p, s: detection_by_kind(s, ["pir"]),
    "no token of kind": lambda m, t, e, p, s: detection_by_kind(
        s.assign(kind="g", personal=False), ["pir"]
    ),
    "true or false": lambda m, t, e, p, s: personal_and_generic(
        m, t, e, lambda found: found.assign(personal=None)
    ),
    "no written": lambda m, t, e, p, s: text_metrics(e.assign(written=None)),
    "no list of memory items": lambda m, t, e, p, s: retrieve(e.assign(memories="abc")),
    "table.*nope": lambda m, t, e, p, s: carry(p, s, teacher="nope"),
    "no list of numbers": lambda m, t, e, p, s: training_rows(t, p.assign(w=None), "w"),
    "no text": lambda m, t, e, p, s: fine_tune(m, t, p.iloc[:0], weights.CE(), SHORT),
    "examples: no text": lambda m, t, e, p, s: attribution.shapley_values(m, t, e.iloc[:0]),
    "judged": lambda m, t, e, p, s: verdict(e),
    "planted": lambda m, t, e, p, s: credit(pd.DataFrame(columns=VALUES), None),
    "corpus": lambda m, t, e, p, s: planted_memory(s, None, e),
    "mine.*memory": lambda m, t, e, p, s: memory_map(m, t, e.iloc[[1]], mine),
}
VALUES = ["text", "position", "memory", "value", "whole"]


def mine(model, tokenizer, examples, template=None):
    return pd.DataFrame({"text": [], "position": []})


@pytest.mark.parametrize("says", TABLES)
def test_a_table_that_lacks_something_is_refused(case, says):
    with pytest.raises(DataError, match=says):
        TABLES[says](*case)


OTHERS = {
    "a list of memory items": lambda m, t, e, p, s: prompt(t, "likes lamps", "q"),
    "a list of memory items, and": lambda m, t, e, p, s: prompt(t, None, "q"),
    "prompts: no list": lambda m, t, e, p, s: write(m, t, "one text"),
    "without: no list": lambda m, t, e, p, s: write(m, t, ["a"], [None], gamma=2.0),
    "a prompt without a token": lambda m, t, e, p, s: write(m, t, [""]),
    "persona-free": lambda m, t, e, p, s: write(m, t, ["a"], plausible=0.5),
    "seeds": lambda m, t, e, p, s: write(m, t, ["a"], seeds=1.7),
    "in place of seeds": lambda m, t, e, p, s: delete_memory(m, t, e.iloc[[1]], 0, seeds=5),
    "no option 'nope'": lambda m, t, e, p, s: memory_map(m, t, e.iloc[[1]], nope=3),
    "one of": lambda m, t, e, p, s: memory_map(m, t, e.iloc[[1]], None),
    "some of 0 to": lambda m, t, e, p, s: attribution.integrate_gradients(m, t, e, positions=[]),
    "positions": lambda m, t, e, p, s: attribution.integrate_gradients(m, t, e, positions=[1.5]),
    "level": lambda m, t, e, p, s: pieces(s, p, None),
    "no name or no weights": lambda m, t, e, p, s: fine_tune(
        m, t, p, weights.Permuted(loss="PerCE"), SHORT
    ),
    "FineTuneConfig": lambda m, t, e, p, s: fine_tune(m, t, p, weights.CE(), {"steps": 1}),
    "cannot be called": lambda m, t, e, p, s: personal_and_generic(m, t, e, "personal"),
    "cannot reply": lambda m, t, e, p, s: judge("me", e.assign(written="a")),
    "case": lambda m, t, e, p, s: check_score(lambda *a: None, case=(1, 2)),
    "no folder|no such folder": lambda m, t, e, p, s: judge(
        Chat(Endpoint("http://h/v1", "m")), e.assign(written="a"), kept="/gone/answers.jsonl"
    ),
    "model": lambda m, t, e, p, s: Endpoint("http://h/v1", ""),
    "url": lambda m, t, e, p, s: Endpoint(None, "m"),
    "fields": lambda m, t, e, p, s: Chat(Endpoint("http://h/v1", "m"), fields=["seed"]),
    "messages": lambda m, t, e, p, s: Chat(Endpoint("http://h/v1", "m")).complete("hello"),
    "names no model": lambda m, t, e, p, s: load_causal_lm(""),
}


@pytest.mark.parametrize("says", OTHERS)
def test_an_argument_of_another_kind_is_refused(case, says):
    with pytest.raises(ConfigError, match=says):
        OTHERS[says](*case)


def test_a_name_alone_is_a_list_of_one(case):
    model, tokenizer, _, pairs, scores = case
    assert score_tokens(model, tokenizer, pairs, "kl")["kl"].notna().all()
    marked = scores.assign(personal=scores["position"] == 1)
    assert detection(marked, "pir").equals(detection(marked, ["pir"]))


def test_ids_that_no_embedding_has_are_refused_on_both_sides(case):
    model, tokenizer, _, pairs, _ = case
    for one in (-1, 10**6):
        with pytest.raises(ModelError, match=rf"is {one}\. Expected: ids below"):
            score_tokens(model, tokenizer, pairs.assign(prompt_without=[[one]] * 3))


def test_a_shopper_who_is_not_there_is_unknown():
    with pytest.raises(UnknownUser, match="shopper 2"):
        MixtureLM(n_users=2).sample(2)


def test_what_cannot_be_cut_is_not_told_to_be(case):
    model, tokenizer, _, pairs, _ = case
    long = pairs.assign(prompt_without=pairs["prompt_with"] + " lamp" * 600)
    with pytest.raises(TooLarge, match="prompt_without") as caught:
        score_tokens(model, tokenizer, long)
    assert "cut=" not in str(caught.value) and "shorter query" in str(caught.value)


def test_marks_need_the_pairs_that_were_scored(case):
    _, tokenizer, _, pairs, _ = case
    corpus = PersonaWorld().corpus(3, seed=1)
    mine = make_pairs(examples_of(corpus), tokenizer)
    scored = score_tokens(case[0], tokenizer, mine)
    with pytest.raises(DataError, match=r"no response of text 0"):
        mark(scored, corpus, pairs)


class Stops:
    """A scorer that gives out after some responses."""

    def __init__(self, after):
        self.after = after

    def of_ids(self, prompts, ids):
        self.after -= 1
        if self.after < 0:
            raise ModelError("down", "server", do="wait")
        return -np.ones((len(prompts), len(ids)))


def test_what_a_server_scored_before_it_gave_out_is_kept(case):
    _, tokenizer, _, pairs, _ = case
    with pytest.raises(
        ModelError, match=r"down \(2 of 3 texts were scored\).*wait; .*scored"
    ) as caught:
        score_tokens(Stops(2), tokenizer, pairs, ("pir", "loss"))
    kept = caught.value.scored
    assert kept["text"].unique().tolist() == ["a", "b"] and (kept["loss"] == 1).all()
    # the remedy, as it is printed
    rest = score_tokens(Stops(9), tokenizer, pairs[~pairs.text.isin(kept.text)], ("pir", "loss"))
    both = pd.concat([kept, rest], ignore_index=True)
    pd.testing.assert_frame_equal(both, score_tokens(Stops(9), tokenizer, pairs, ("pir", "loss")))


@pytest.mark.parametrize("found", [None, np.zeros((1, 1)), [[0.0]]])
def test_a_scorer_that_answers_in_another_shape_is_refused(case, found):
    class Mine:
        def of_ids(self, prompts, ids):
            return found

    with pytest.raises(ModelError, match=r"Mine.*shape"):
        score_tokens(Mine(), case[1], case[3])


def test_a_scorer_that_gives_no_numbers_is_refused(case):
    class Mine:
        def of_ids(self, prompts, ids):
            return np.full((len(prompts), len(ids)), np.nan)

    with pytest.raises(WorkbenchError, match="not finite"):
        score_tokens(Mine(), case[1], case[3])


def test_a_persona_given_as_one_text_is_not_read_letter_by_letter(case):
    _, tokenizer, examples, _, _ = case
    with pytest.raises(ConfigError):
        prompt(tokenizer, "lamps", "q")
    told = np.array(["likes lamps"], dtype=object)
    assert prompt(tokenizer, told, "q") == prompt(tokenizer, ["likes lamps"], "q")
    assert prompt(tokenizer, (), "q") == prompt(tokenizer, [], "q")
    assert len(make_pairs(examples, tokenizer, pool=examples.iloc[:2])) == 3
