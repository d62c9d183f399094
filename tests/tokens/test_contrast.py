"""score_tokens against one forward per text, its invariances, and its refusals."""

import numpy as np
import pandas as pd
import pytest
import torch

from workbench.errors import ConfigError, DataError, TooLarge
from workbench.tokens import add_up, score_tokens, words
from workbench.tokens.contrast import SCORES


def by_hand(model, tokenizer, prompt, response):
    """Log-probability table of one text: a single unpadded forward, softmax in float64."""
    before = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    after = tokenizer(response, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        logits = model(torch.tensor([before + after])).logits[0, len(before) - 1 : -1].double()
    return torch.log_softmax(logits, -1).numpy(), after


def test_equals_one_forward_per_text(loaded, pairs):
    model, tokenizer = loaded
    table = score_tokens(model, tokenizer, pairs, SCORES)
    for row in pairs.itertuples():
        got = table[table["text"] == row.text]
        plus, ids = by_hand(model, tokenizer, row.prompt_with, row.response)
        minus, _ = by_hand(model, tokenizer, row.prompt_without, row.response)
        at = np.arange(len(ids)), ids
        assert got["token_id"].tolist() == ids
        assert got["position"].tolist() == list(range(len(ids)))
        expected = {
            "log_prob_with": plus[at],
            "log_prob_without": minus[at],
            "pir": plus[at] - minus[at],
            "loss": -plus[at],
            "probability_difference": np.exp(plus[at]) - np.exp(minus[at]),
            "kl": (np.exp(plus) * (plus - minus)).sum(1),
            "entropy": -(np.exp(plus) * plus).sum(1),
        }
        for name, values in expected.items():
            np.testing.assert_allclose(got[name], values, atol=2e-5, err_msg=name)


def test_batch_size_order_and_company_change_nothing(loaded, pairs):
    model, tokenizer = loaded
    base = score_tokens(model, tokenizer, pairs, batch_size=4)
    for other, size in ((pairs, 1), (pairs, 3), (pairs.iloc[::-1], 2), (pairs.iloc[:2], 16)):
        again = score_tokens(model, tokenizer, other, batch_size=size)
        assert list(dict.fromkeys(again["text"])) == other["text"].tolist()
        both = base.merge(again, on=["text", "position"], validate="1:1")
        assert len(both) == len(again)
        np.testing.assert_allclose(both["pir_x"], both["pir_y"], atol=2e-5)


def test_equal_prompts_give_exactly_zero(loaded, pairs):
    same = pairs.assign(prompt_with=pairs["prompt_without"])
    table = score_tokens(*loaded, same, ("pir", "kl", "probability_difference"))
    assert (table[["pir", "kl", "probability_difference"]] == 0).all(axis=None)


def test_offsets_cover_the_response(loaded, pairs):
    response = "Naïve café 🙂 – 100 % ok\n\tyes"
    table = score_tokens(*loaded, pairs.iloc[:1].assign(response=response))
    assert (table["token"] == [response[a:b] for a, b in zip(table["start"], table["end"], strict=True)]).all()
    covered = {place for a, b in zip(table["start"], table["end"], strict=True) for place in range(a, b)}
    assert {place for place, sign in enumerate(response) if not sign.isspace()} <= covered


def test_special_tokens_in_a_response_stay_text(loaded, pairs):
    _, tokenizer = loaded
    table = score_tokens(*loaded, pairs.iloc[:1].assign(response="fine </s> <persona> fine"))
    assert not set(table["token_id"]) & set(tokenizer.all_special_ids)


def test_words_add_up(loaded, pairs):
    tokens = score_tokens(*loaded, pairs, ("pir", "loss"))
    whole = words(tokens, pairs)
    assert whole.groupby("text")["word"].agg(list).to_dict() == {r.text: r.response.split() for r in pairs.itertuples()}
    total = tokens.groupby("text")[["pir", "loss"]].sum()
    pd.testing.assert_frame_equal(whole.groupby("text")[["pir", "loss"]].sum(), total)
    assert whole["n_tokens"].sum() == len(tokens)
    np.testing.assert_allclose(whole["loss"], -whole["log_prob_with"])


def test_pieces_add_up_and_empty_ones_are_left_out(loaded, pairs):
    tokens = score_tokens(*loaded, pairs)
    spans = pd.DataFrame([("t0", 4, 8), ("t0", 9, 16), ("t0", 16, 17), ("t9", 0, 5)], columns=["text", "start", "end"])
    pieces = add_up(tokens, spans)
    assert pieces[["start", "end"]].values.tolist() == [[4, 8], [9, 16]]  # "lamp", "arrived"; a space; an unknown text
    inside = tokens[(tokens["text"] == "t0") & tokens["end"].between(5, 8)]
    assert pieces["pir"][0] == pytest.approx(inside["pir"].sum())


def test_sign_is_positive_where_the_persona_helps(pairs):
    """Fact 1 of the dossier: PIR > 0 iff the persona raises the probability, on a model where that is known."""
    from workbench.tokens import MixtureLM

    model = MixtureLM(seed=2)
    sample = model.sample(4, texts=5)
    table = score_tokens(model, model.tokenizer(), sample, ("pir", "probability_difference"))
    own, ids = model.personal[4].numpy(), table["token_id"].to_numpy()
    before = np.where(table["position"] == 0, 0, np.roll(ids, 1))
    helps = own[ids] > model.general.numpy()[before, ids]
    assert helps.any() and not helps.all()
    assert ((table["pir"] > 0) == helps).all() and ((table["probability_difference"] > 0) == helps).all()


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (lambda p: p.drop(columns="response"), DataError, "response"),
        (lambda p: p.assign(response=[*p["response"][:3], "  "]), DataError, "row 3"),
        (lambda p: p.assign(text="same"), DataError, "twice"),
        (
            lambda p: p.assign(prompt_with=[*p["prompt_with"][:3], "lamp " * 200]),
            TooLarge,
            r"row 3.*128 tokens.*shorten",
        ),
    ],
)
def test_bad_input_is_refused(loaded, pairs, change, error, says):
    with pytest.raises(error, match=says):
        score_tokens(*loaded, change(pairs))


def test_unknown_score(loaded, pairs):
    with pytest.raises(ConfigError, match="surprise"):
        score_tokens(*loaded, pairs, ("surprise",))


def test_no_rows_gives_an_empty_table(loaded, pairs):
    table = score_tokens(*loaded, pairs.iloc[:0])
    assert len(table) == 0 and "pir" in table
