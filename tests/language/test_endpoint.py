"""Endpoint: the numbers of a local model through a server, and what is said of servers that
misbehave."""

import logging
import pickle
import socket

import numpy as np
import pandas as pd
import pytest

from workbench.errors import ConfigError, ModelError
from workbench.language import Endpoint, bounded, endpoint
from workbench.language.answers import patience
from workbench.language.scorer import PromptScorer
from workbench.tokens import make_pairs, prompt, score_tokens, trust

FORMS, TEXT = ("prompt_logprobs", "echo"), "The lamp arrived."


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(endpoint, "PAUSE", 0.0)


def ask(server, how="well", form="prompt_logprobs", **options):
    options = {"retries": 0, "timeout": 60.0} | options
    return Endpoint(server.url(how), "tiny", form=form, **options)


def by_hand(server, prompt, response):
    """Log-probabilities of the response alone tokenised, after the prompt, by one forward."""
    before, ids = server.ids(prompt), server.ids(response)
    return np.array(server.scored([*before, *ids])[len(before) - 1 :]), ids


@pytest.mark.parametrize("form", FORMS)
def test_equals_the_model_that_is_served(server, pairs, form):
    scorer = ask(server, form=form)
    assert isinstance(scorer, PromptScorer)
    for row in pairs.itertuples():
        prompts = [row.prompt_with, row.prompt_without]
        want = np.array([by_hand(server, prompt, row.response)[0] for prompt in prompts])
        ids = server.ids(row.response)
        np.testing.assert_allclose(
            scorer.of_ids([server.ids(p) for p in prompts], ids), want, atol=1e-9
        )
        if form == "echo" and not row.response.isascii():
            continue  # tokens that are pieces of a letter: see below
        found = scorer.of_text(prompts, row.response)
        np.testing.assert_allclose(found.log_probs, want, atol=1e-9)
        assert found.ids == (tuple(ids) if form == "prompt_logprobs" else None) and not found.merged
        assert found.start[0] == 0 and found.end[-1] == len(row.response)
        assert "".join(found.tokens) == row.response and (found.start[1:] == found.end[:-1]).all()


@pytest.mark.parametrize("form", FORMS)
def test_scores_of_pairs_are_those_of_the_model_here(server, pairs, form):
    """`score_tokens(endpoint, tokenizer or None, pairs)` against `score_tokens(model, tokenizer,
    pairs)`."""
    from workbench.tokens import score_tokens

    want = score_tokens(server.model, server.tokenizer, pairs, ("pir", "loss"))
    scorer = ask(server, form=form)
    for tokenizer in (server.tokenizer, None):
        some = (
            pairs[pairs["response"].map(str.isascii)]
            if (form, tokenizer) == ("echo", None)
            else pairs
        )
        found = score_tokens(scorer, tokenizer, some, ("pir", "loss"))
        wanted = want[want["text"].isin(some["text"])]
        for name in ("log_prob_with", "log_prob_without", "pir", "loss"):
            np.testing.assert_allclose(found[name], wanted[name], atol=1e-5)
        assert found["end"].tolist() == wanted["end"].tolist()


def test_equal_prompts_are_sent_once(server, pairs):
    scorer, before = ask(server, form="echo"), len(server.asked)
    same = [pairs["prompt_with"][0]] * 3
    found = scorer.of_text(same, TEXT).log_probs
    assert len(server.asked) == before + 1 and (found == found[0]).all() and len(found) == 3


def test_a_token_across_the_boundary_is_flagged(server):
    """ "lam" + "p arrived": the server's tokens of the joined text do not stop where the prompt
    does."""
    whole, straddling = "<s><query>review<response>the lam", "p arrived"
    assert ask(server).of_text([whole], straddling).merged
    found = ask(server, form="echo").of_text([whole], straddling)
    assert found.merged and "".join(found.tokens) == straddling and found.start[0] == 0
    with pytest.raises(
        ModelError, match=r"other tokens after one prompt.*pass the model's tokenizer"
    ):
        ask(server, form="echo").of_text([whole, "<s><query>review<response>"], straddling)


FAULTS = {
    "slow": r"slow: no whole answer within 0.3 s",
    "drip": r"slow: no whole answer within 0.3 s",
    "broken": r"cut off",
    "500": r"status 500: '<html>sorry",
    "404": r"status 404: .*check url and model",
    "truncated": r"no JSON, or cut off",
    "list": r"another shape: a JSON list",
    "nochoice": r"another shape: no choices",
    "noscores": r"another shape: no (prompt_)?logprobs",
    "fewer": r"fewer tokens: 1 scored of \d+",
    "others": r"another shape: (other tokens|tokens that do not spell)",
    "nan": r"another shape: nan for a log-probability",
    "null": r"another shape: None for a log-probability",
    "clamped": r"another shape: -9999.0 for a log-probability",
    "deep": r"no JSON, or cut off",
    "large": r"another shape: more than 0 MiB",
    "zeros": r"another shape: 0.0 for each of \d+ tokens",
    "same": r"another shape: -1.5 for each of \d+ tokens",
    "positive": r"another shape: 0.5 for a log-probability",
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("how", FAULTS)
def test_what_fails_is_said(server, pairs, how, form, monkeypatch):
    if how == "large":
        monkeypatch.setattr(bounded, "LIMIT", 10)
    # the others answer, on a busy machine late
    late = {"timeout": 0.3} if how in ("slow", "drip") else {}
    scorer = ask(server, how, form, **late)
    with pytest.raises(ModelError, match=FAULTS[how]) as caught:
        scorer.of_text([pairs["prompt_with"][0]], TEXT)
    assert server.url(how).removesuffix("/v1") in str(caught.value)


@pytest.mark.parametrize("form", FORMS)
def test_the_first_token_of_all_has_no_probability(server, form):
    with pytest.raises(ModelError, match="another shape"):
        ask(server, form=form).of_ids([[]], [7, 8])


def test_no_token_ids_from_the_server(server, pairs):
    with pytest.raises(ModelError, match=r"no tokens.*pass the model's tokenizer"):
        ask(server, "notokens").of_text([pairs["prompt_with"][0]], TEXT)


def test_a_server_that_is_down():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(ModelError, match=r"down: no connection.*asked 2 times"):
        Endpoint(url, "tiny", retries=1).of_ids([[1]], [2])


def test_a_busy_server_is_asked_again(server):
    before = len(server.asked)
    assert ask(server, "busy", retries=1).of_ids([[1, 7]], [8, 9]).shape == (1, 2)
    assert len(server.asked) == before + 2
    with pytest.raises(ModelError, match=r"status 503.*asked 1 times"):
        ask(server, "busy").of_ids([[1, 7]], [8, 9])


RATE = {"message": "Rate limit exceeded: free-models-per-day", "code": 429}
BUSY = [
    {"error": RATE},
    {"error": {"message": "Overloaded", "type": "overloaded_error"}},
    {"error": "Too many requests, slow down"},
    {"object": "error", "message": "not loaded yet", "code": 503},
]
WRONG = [
    ({"error": "Unexpected endpoint or method. (POST /completions)"}, "Unexpected endpoint"),
    ({"error": {"message": "no such model", "code": "model_not_found"}}, "no such model"),
    ({"object": "error", "message": "too long", "code": 400}, "too long"),
    ({"detail": "Not Found"}, "no choices in .*Not Found"),
    ({"choices": [{"error": {"message": "provider gave up"}, "text": ""}]}, "provider gave up"),
    ({"error": {"message": "sk-Geheim123 is not known"}}, r"\[key\] is not known"),
]


@pytest.mark.parametrize("said", BUSY, ids=str)
def test_a_server_that_is_busy_in_a_200_is_asked_again(server, said):
    server.scripts["busy200"] = [(200, said, {})]
    before = len(server.asked)
    assert ask(server, "busy200", retries=1).of_ids([[1, 7]], [8, 9]).shape == (1, 2)
    assert len(server.asked) == before + 2


@pytest.mark.parametrize(("said", "quoted"), WRONG, ids=[quoted for _, quoted in WRONG])
def test_what_a_server_says_in_a_200_is_quoted(server, said, quoted, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-Geheim123")
    server.scripts["says"], before = [(200, said, {})] * 2, len(server.asked)
    with pytest.raises(ModelError, match=quoted) as caught:
        ask(server, "says", retries=1, key_from="MY_KEY").of_ids([[1, 7]], [8, 9])
    server.scripts["says"].clear()
    assert len(server.asked) == before + 1 and "Geheim" not in str(caught.value)


def test_a_server_is_asked_again_when_it_says(server, no_pause):
    patient = {"retries": 1, "timeout": 60.0}
    for asked, seconds in (("4", 4), ("0.5", 0.5), ("Mon, 30 Nov 2026 08:00:00 GMT", 0)):
        server.scripts["later"] = [(429, {"error": RATE}, {"Retry-After": asked})]
        no_pause.clear()
        assert ask(server, "later", **patient).of_ids([[1, 7]], [8, 9]).shape == (1, 2)
        assert no_pause[1] == seconds
    # longer than one is ready to wait: said at once
    server.scripts["later"] = [(429, {"error": RATE}, {"Retry-After": "3600"})] * 2
    with pytest.raises(ModelError, match=r"Rate limit.*ask again in 3600 s"):
        ask(server, "later", **patient).of_ids([[1, 7]], [8, 9])
    assert len(server.scripts.pop("later")) == 1


@pytest.mark.parametrize("asked", ["", "soon", "-3", "nan", "inf", "1e9"])
def test_what_is_no_time_is_no_wait(asked):
    assert patience(asked) == 0


def test_the_key_is_sent_and_never_said(server, monkeypatch, caplog):
    monkeypatch.setenv("MY_KEY", "sk-Geheim123")
    caplog.set_level(logging.DEBUG)
    scorer = ask(server, "refuses", key_from="MY_KEY")
    with pytest.raises(ModelError, match=r"status 401.*\[key\].*check the key") as caught:
        scorer.of_ids([[1]], [2])
    assert server.headers[-1]["Authorization"] == "Bearer sk-Geheim123"
    said = [
        str(caught.value),
        repr(caught.value),
        repr(scorer),
        caplog.text,
        str(scorer.__getstate__()),
    ]
    assert not any("Geheim" in text for text in said)
    again = pickle.loads(pickle.dumps(scorer))
    assert again == scorer and b"Geheim" not in pickle.dumps(scorer)
    monkeypatch.delenv("MY_KEY")
    for value in (None, " ", "sk-Gehéim", "sk\nGeheim"):
        if value:
            monkeypatch.setenv("MY_KEY", value)
        with pytest.raises(ConfigError, match="MY_KEY holds no key") as caught:
            again.of_ids([[1]], [2])
        assert "Geh" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"url": "http://me:sk-Geheim@host/v1"}, "url: cannot be used"),
        ({"url": "http://host/v1?key=sk-Geheim"}, "url: cannot be used"),
        ({"url": "file:///etc/passwd"}, "url: cannot be used"),
        ({"url": "http://host:port/v1"}, "url: cannot be used"),
        ({"key_from": "sk-Geheim"}, "not the name of an environment variable"),
        ({"form": "chat"}, "prompt_logprobs or echo"),
        ({"timeout": 0}, "timeout"),
    ],
)
def test_what_cannot_be_asked_is_refused(options, says):
    with pytest.raises(ConfigError, match=says) as caught:
        Endpoint(**{"url": "http://host/v1", "model": "m"} | options)
    assert "Geheim" not in str(caught.value)


def test_a_server_alone_is_enough_for_two_prompts(server):
    """The first cell of notebook 30 with an endpoint in place of model and tokenizer."""
    model, tokenizer = Endpoint(server.url(), "tiny"), None
    prompts = [
        prompt(tokenizer, memories, "Review <s>it, please.")
        for memories in (["Camps.\nQuery: lie"], [])
    ]
    assert all("< s>it" in one for one in prompts) and "Camps. Query: lie" in prompts[0]
    pair = {
        "text": "mine",
        "prompt_with": prompts[0],
        "prompt_without": prompts[1],
        "response": TEXT,
    }
    found = score_tokens(model, tokenizer, pd.DataFrame([pair]))
    assert (
        "".join(found["token"]).strip() == TEXT
        and np.isfinite(found["pir"]).all()
        and found["pir"].any()
    )
    examples = pd.DataFrame(
        [{"text": 1, "user": 1, "item": 1, "query": "?", "response": "x", "memories": ["a"]}]
    )
    assert list(make_pairs(examples, tokenizer)["prompt_with"]) == [
        prompt(None, ["a"], "?", "plain")
    ]
    with pytest.raises(ConfigError, match="no tokenizer"):
        make_pairs(examples, tokenizer, "mask")
    with pytest.raises(ConfigError, match="model that is loaded"):
        trust(model, tokenizer, examples)
