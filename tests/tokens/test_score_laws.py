"""check_score and check_loss: what the package ships keeps the laws, and each law catches the fault
it is made for."""

import numpy as np
import pandas as pd
import pytest
import torch

from workbench.errors import ConfigError
from workbench.tokens import score_tokens
from workbench.tokens.laws import LOSS_LAWS, SCORE_LAWS, check_loss, check_score
from workbench.tokens.laws_cases import COPIED, copying_case, small_case
from workbench.tokens.weights import (
    CE,
    DFT,
    EntCE,
    FrozenTeacher,
    LossCE,
    NextQuill,
    Oracle,
    PerCE,
    Permuted,
)

KEYS = ["text", "position"]


@pytest.fixture(scope="module")
def case():
    return small_case()


def pir(model, tokenizer, pairs, name="pir"):
    return score_tokens(model, tokenizer, pairs, (name,))[[*KEYS, name]]


@pytest.mark.parametrize(
    "name", ["pir", "kl", "probability_difference", "pcxmi", "entropy", "loss"]
)
def test_shipped_scores_keep_the_laws(case, name):
    contrast = name not in ("entropy", "loss")
    found = check_score(lambda *given: pir(*given, name=name), contrast=contrast, case=case).frame
    assert list(found["law"]) == list(SCORE_LAWS) and found["ok"].fillna(True).all(), (
        found.to_string()
    )
    assert found["ok"].isna().sum() == 2 * (not contrast)


def test_of_the_copying_model_the_answer_is_known():
    """p⁺ of the copied word is e⁴ against 15 other words of logit 0, but for the word "a" itself;
    the persona says nothing of any other token."""
    tokens = score_tokens(*copying_case(), ("pir", "kl"))
    copied = tokens["position"] == tokens["text"].map(COPIED)
    assert set(tokens.loc[copied, "token"]) == {"lamp", "tent"} and copied.sum() == 2
    assert (tokens.loc[~copied, ["pir", "kl"]] == 0).all().all()
    with_, without = -np.log1p(15 * np.exp(-4)), -4 - np.log1p(15 * np.exp(-4))
    np.testing.assert_allclose(tokens.loc[copied, "log_prob_with"], with_, atol=0.01)
    np.testing.assert_allclose(tokens.loc[copied, "log_prob_without"], without, atol=0.01)
    assert check_score(by_hand()).ok


def test_a_score_from_a_cell_joins_the_tables(case):
    def ratio(model, tokenizer, pairs):
        table = score_tokens(model, tokenizer, pairs)
        return table[KEYS].assign(ratio=np.exp(table["pir"]))

    assert check_score(ratio).ok
    tokens = score_tokens(*case)
    assert len(tokens.merge(ratio(*case), on=KEYS, validate="1:1")) == len(tokens)


def changed(how):
    return lambda *given: how(pir(*given))


def one_nan(table):
    return table.assign(pir=np.where(table.index == 1, np.nan, table["pir"]))


def centred(table):
    return table.assign(pir=table["pir"] - table["pir"].mean())


def by_place(table):
    return table.assign(pir=table["pir"] + pd.factorize(table["text"])[0])


def writes_pairs(model, tokenizer, pairs):
    pairs["extra"] = 1
    return pir(model, tokenizer, pairs)


def trains(model, tokenizer, pairs):
    out = pir(model, tokenizer, pairs)
    model.train()
    return out


def leaves_gradients(model, tokenizer, pairs):
    model(torch.tensor([[1, 2]])).logits.sum().backward()
    return pir(model, tokenizer, pairs)


def leaves_a_hook(model, tokenizer, pairs):
    model.register_forward_hook(lambda *_: None)
    return pir(model, tokenizer, pairs)


def moves_weights(model, tokenizer, pairs):
    out = pir(model, tokenizer, pairs)
    model.lm_head.weight.data *= 1.0001
    return out


def padded(model, tokenizer, pairs):
    """The classic: all rows padded on the left to one length, without telling the model."""
    words = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in pairs["response"]]
    longest = max(map(len, words))
    tokens = torch.tensor([[0] * (longest - len(ids)) + ids for ids in words])
    with torch.no_grad():
        found = model(tokens).logits.log_softmax(-1).max(-1).values
    rows = [
        (t, i, float(v))
        for t, ids, row in zip(pairs["text"], words, found, strict=True)
        for i, v in enumerate(row[longest - len(ids) :])
    ]
    return pd.DataFrame(rows, columns=[*KEYS, "confidence"])


def by_hand(shift=0, sign=1):
    """PIR from plain passes; `shift` reads the place beside."""

    def mine(model, tokenizer, pairs):
        rows = []
        for row in pairs.itertuples():
            said, sides = tokenizer(row.response, add_special_tokens=False)["input_ids"], []
            for prompt in (row.prompt_with, row.prompt_without):
                ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
                with torch.no_grad():
                    logits = model(input_ids=torch.tensor([ids + said])).logits[0]
                places = (torch.arange(len(said)) + len(ids) - 1 + shift).clamp(max=len(logits) - 1)
                sides.append(logits.log_softmax(-1)[places, said].tolist())
            each = zip(*sides, strict=True)
            rows += [(row.text, place, sign * (a - b)) for place, (a, b) in enumerate(each)]
        return pd.DataFrame(rows, columns=[*KEYS, "mine"])

    return mine


MUTANTS = [
    ("copied word", by_hand(shift=1)),
    ("copied word", by_hand(shift=-1)),
    ("copied word", by_hand(sign=-1)),
    ("copied word", changed(lambda table: table.assign(pir=-table["pir"]))),
    ("copied word", changed(lambda table: table.assign(pir=0.0))),
    ("copied word", changed(lambda table: table.assign(pir=np.exp(-table["pir"])))),
    ("copied word", lambda *given: pir(*given, name="loss")),
    ("table", lambda *given: pir(*given)["pir"].tolist()),
    ("table", changed(lambda table: table.drop(columns="pir"))),
    ("table", changed(lambda table: table.assign(pir=table["pir"].map(str)))),
    ("table", lambda *given: 1 / 0),
    ("a row a token", changed(lambda table: table[table["position"] > 0])),
    ("a row a token", changed(lambda table: table.assign(position=table["position"] + 1))),
    ("a row a token", changed(lambda table: pd.concat([table, table.iloc[:1]]))),
    ("finite", changed(one_nan)),
    (
        "same again",
        changed(lambda table: table.assign(pir=table["pir"] + np.random.random(len(table)))),
    ),
    ("any order", changed(by_place)),
    ("alone or together", changed(centred)),
    ("alone or together", padded),
    ("equal prompts", lambda *given: pir(*given, name="entropy")),
    ("nothing changed", writes_pairs),
    ("nothing changed", trains),
    ("nothing changed", leaves_gradients),
    ("nothing changed", leaves_a_hook),
    ("nothing changed", moves_weights),
]


@pytest.mark.parametrize(
    ("law", "mine"), MUTANTS, ids=[f"{law} {n}" for n, (law, _) in enumerate(MUTANTS)]
)
def test_a_broken_score_is_caught_by_the_law_it_breaks(law, mine, case):
    found = check_score(mine, case=case).frame
    assert law in list(found.loc[~found["ok"], "law"]), found.to_string()
    assert (found.loc[~found["ok"], "detail"] != "").all() and (law != "table" or len(found) == 1)


@pytest.mark.parametrize(
    "loss",
    [
        CE(),
        PerCE(),
        NextQuill(),
        NextQuill(strategy="JS"),
        LossCE(),
        EntCE(),
        DFT(),
        FrozenTeacher(),
        Oracle(),
    ],
    ids=repr,
)
def test_shipped_losses_keep_the_laws(loss):
    signed = getattr(loss, "strategy", "") != "JS"  # a divergence knows no sign
    found = check_loss(loss, contrast=signed).frame
    assert list(found["law"]) == list(LOSS_LAWS), found.to_string()
    assert found["ok"].fillna(True).all(), found.to_string()
    asked = signed and getattr(loss, "persona_free", True)
    assert found.set_index("law")["ok"].isna()["persona first"] == (not asked)


def test_the_control_that_deals_weights_out_breaks_one_law():
    found = check_loss(Permuted(loss=PerCE())).frame
    assert list(found.loc[~found["ok"], "law"]) == ["any order", "persona first"]


def writes_logits(tokens):
    tokens.logits_with[0] = 0
    return torch.ones(len(tokens.labels))


LOSSES = [
    ("weights", lambda tokens: torch.ones(3)),
    ("weights", lambda tokens: tokens.pir / 0),
    ("weights", lambda tokens: tokens.column("mark")),
    ("never negative", lambda tokens: tokens.pir),
    ("learns", lambda tokens: torch.zeros(len(tokens.labels))),
    ("persona first", lambda tokens: (-tokens.pir).clamp(0.8, 5)),
    ("persona first", lambda tokens: tokens.pir.abs().clamp(0.8, 5)),
    ("same again", lambda tokens: torch.rand(len(tokens.labels))),
    ("any order", lambda tokens: torch.arange(len(tokens.labels))),
    ("nothing changed", writes_logits),
]


@pytest.mark.parametrize(
    ("law", "weights"), LOSSES, ids=[f"{law} {n}" for n, (law, _) in enumerate(LOSSES)]
)
def test_a_broken_loss_is_caught_by_the_law_it_breaks(law, weights):
    mine = type("Mine", (), {"name": "mine", "weights": staticmethod(weights)})()
    found = check_loss(mine).frame
    wrong = list(found.loc[~found["ok"], "law"])
    beside = {"any order", "learns", "persona first"}
    assert wrong[0] == law and set(wrong) <= {law} | beside, found.to_string()


def test_a_term_that_unlearns_is_caught():
    class Unlearns(CE):
        def extra(self, tokens):
            return -2 * tokens.loss

    class Learns(CE):
        """Its weights are 0: all of it stands in the other term."""

        def weights(self, tokens):
            return torch.zeros(len(tokens.labels))

        def extra(self, tokens):
            return 2 * tokens.loss

    assert check_loss(Unlearns()).broken == ["learns"] and check_loss(Learns()).ok


def test_a_loss_that_forgets_the_end_of_a_text_is_caught():
    one = type("Mine", (), {"name": "mine", "columns": ("teacher",)})()
    one.weights = lambda tokens: tokens.column("teacher").clamp(0.8, 5)
    assert check_loss(one).broken[:1] == ["weights"]
    one.weights = lambda tokens: tokens.column("teacher").nan_to_num().clamp(0.8, 5)
    assert check_loss(one).ok


def test_a_loss_that_reads_what_it_says_it_does_not_is_caught():
    mine = type(
        "Mine",
        (),
        {"name": "mine", "persona_free": False, "weights": staticmethod(lambda t: t.pir.exp())},
    )()
    assert "not run" in check_loss(mine).frame["detail"][0]


def test_what_is_no_score_and_no_loss_is_refused():
    with pytest.raises(ConfigError, match="cannot be called"):
        check_score(3)
    with pytest.raises(ConfigError, match="no name or no weights"):
        check_loss(lambda tokens: tokens)
