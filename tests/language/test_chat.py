"""Chat: replies through a server and from a model loaded here."""

import copy

import pytest
import torch

from tests.families import THINKS, chatml, gemma, gpt2, llama, saying
from workbench.errors import ConfigError, ModelError, TooLarge
from workbench.language import Chat, Endpoint
from workbench.language.chat import Reply
from workbench.language.replies import NoReply

MESSAGES = [{"role": "system", "content": "likes lamps"}, {"role": "user", "content": "review"}]


def test_a_reply_through_a_server(server):
    reply = Chat(Endpoint(server.url(), "tiny"), max_tokens=7).complete(MESSAGES, seed=4)
    assert reply == Reply("2 messages, seed 4", 4, reply.seconds) and reply.seconds > 0
    _, path, body = server.asked[-1]
    assert path == "v1/chat/completions" and body["messages"] == MESSAGES
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("tiny", 7, 0)


def test_a_completion_that_is_no_chat_is_said(server):
    with pytest.raises(ModelError, match="another shape: no message with content"):
        Chat(Endpoint(server.url("noscores"), "tiny", retries=0)).complete(MESSAGES)


def test_a_reply_from_a_model_here(server):
    chat = Chat((server.model, server.tokenizer), max_tokens=5, temperature=1.0)
    dice = torch.get_rng_state()
    one, again, other = (chat.complete(MESSAGES, seed) for seed in (1, 1, 2))
    assert one.text == again.text != other.text and 1 <= one.tokens <= 5
    assert torch.equal(dice, torch.get_rng_state())


def test_a_temperature_of_0_takes_the_likeliest_token(server):
    # of random weights and tied: it repeats the last token, which is no text
    model = copy.deepcopy(server.model)
    model.lm_head.register_forward_hook(
        lambda _, __, out: out.index_fill(-1, torch.arange(6), -torch.inf)
    )
    ids = server.ids("<s><persona>likes lamps<query>review<response>")
    wanted = [*ids]
    for _ in range(3):
        wanted.append(int(model(torch.tensor([wanted])).logits[0, -1].argmax()))
    reply = Chat((model, server.tokenizer), max_tokens=3).complete(MESSAGES)
    assert reply.text == server.tokenizer.decode(wanted[len(ids) :]) != "" and reply.tokens == 3


def test_what_cannot_reply_is_refused(server):
    with pytest.raises(ConfigError, match="cannot reply"):
        Chat((server.model, object()))
    with pytest.raises(ConfigError, match="temperature"):
        Chat((server.model, server.tokenizer), temperature=-1)
    assert (
        repr(Chat((server.model, server.tokenizer)))
        == "Chat(LlamaForCausalLM, max_tokens=256, temperature=0)"
    )


ASK = [{"role": "user", "content": "Write a review of the lamp."}]


def replying(server, message, finish="stop", **options):
    choice = {"message": message, "finish_reason": finish}
    server.scripts["chat"] = [(200, {"choices": [choice]}, {})]
    return Chat(Endpoint(server.url("chat"), "tiny", retries=0), **options).complete(ASK)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": "Nice."}, "Nice."),
        ({"content": [{"type": "text", "text": "Ni"}, {"type": "text", "text": "ce."}]}, "Nice."),
        ({"content": [{"type": "thinking", "thinking": []}, {"text": "Nice."}]}, "Nice."),
        ({"content": "<think>A lamp?</think>\n\nNice."}, "Nice."),
        ({"content": "A lamp?\n</think>\n\nNice."}, "Nice."),  # the server's prompt opened it
        ({"content": "Nice.", "reasoning_content": "A lamp?"}, "Nice."),
    ],
)
def test_a_reply_is_what_was_said_after_the_thought(server, message, text):
    reply = replying(server, {"role": "assistant"} | message, "length")
    assert (reply.text, reply.finish) == (text, "length")


@pytest.mark.parametrize(
    ("message", "finish", "says"),
    [
        (
            {"content": None, "reasoning_content": "Okay, so"},
            "length",
            r"nothing but thought .*length.*raise max_tokens",
        ),
        ({"content": "", "reasoning": "Okay, so"}, "length", r"nothing but thought .*length"),
        ({"content": "<think>Okay, so"}, "length", r"cut off within its thought.*more tokens"),
        ({"content": None, "refusal": "I cannot help"}, "stop", "I cannot help"),
        ({"content": None}, "content_filter", r"no content \(finish_reason: content_filter\)"),
        ({"content": []}, "stop", "no content"),
        ({"content": 5}, "stop", "no content"),
    ],
)
def test_an_answer_that_is_no_reply_says_why(server, message, finish, says):
    with pytest.raises(NoReply, match=says):
        replying(server, message, finish)


def test_a_field_that_a_server_refuses_is_left_out(server):
    other = {"max_tokens": None, "max_completion_tokens": 9, "temperature": None, "seed": None}
    chat = Chat(Endpoint(server.url(), "tiny"), fields=other)
    chat.complete(ASK)
    assert server.asked[-1][2] == {"model": "tiny", "messages": ASK, "max_completion_tokens": 9}
    assert "max_completion_tokens" in repr(chat)
    server.scripts["strict"] = [(422, {"detail": "extra field: seed"}, {})]
    with pytest.raises(ModelError, match=r"422.*extra field: seed.*fields=\{name: None\}"):
        Chat(Endpoint(server.url("strict"), "tiny", retries=0)).complete(ASK)
    with pytest.raises(ConfigError, match="no server"):
        Chat((server.model, server.tokenizer), fields={"seed": None})


def test_a_reply_ends_with_the_turn_whichever_of_the_two_lists_says_so():
    tokenizer = gemma()
    turn = "Nice lamp.<end_of_turn>\n<start_of_turn>user\nIt is green.<eos>"
    for end, wanted in ((None, "Nice lamp.\nuser\nIt is green."), ("<end_of_turn>", "Nice lamp.")):
        model = saying(tokenizer, turn)
        model.generation_config.eos_token_id = end and [tokenizer.convert_tokens_to_ids(end)]
        reply = Chat((model, tokenizer), max_tokens=60).complete(ASK)
        assert (reply.text, reply.finish) == (wanted, "stop")
    cut = Chat((saying(tokenizer, turn), tokenizer), max_tokens=2).complete(ASK)
    assert (cut.tokens, cut.finish) == (2, "length")


def test_a_thought_that_the_prompt_opened_is_no_reply():
    tokenizer = chatml(THINKS)
    said = saying(tokenizer, "A lamp?</think>\n\nNice.<|im_end|>")
    assert Chat((said, tokenizer), max_tokens=60).complete(ASK).text == "Nice."
    with pytest.raises(NoReply, match="within its thought"):
        Chat((saying(tokenizer, "A lamp? Yes, a lamp"), tokenizer), max_tokens=5).complete(ASK)
    quick = chatml(THINKS.replace("<think>\n'", "' + ('<think>\n' if think else '')"))
    more = {"chat_template_kwargs": {"think": False}}
    said = saying(quick, "Nice.<|im_end|>")
    assert Chat((said, quick), max_tokens=60, fields=more).complete(ASK).text == "Nice."


def test_what_a_template_refuses_and_what_is_too_long_is_said():
    tokenizer = gemma()
    with pytest.raises(ConfigError, match=r"chat template of .*System role not supported"):
        Chat((llama(tokenizer), tokenizer)).complete(MESSAGES)
    long = [{"role": "user", "content": "Write a review of the lamp. " * 20}]
    for model in (gpt2(tokenizer, 64), llama(tokenizer, max_position_embeddings=64)):
        with pytest.raises(TooLarge, match=r"\d+ tokens and 30 new ones.*at most 64"):
            Chat((model, tokenizer), max_tokens=30).complete(long)


def test_a_token_that_the_model_does_not_know_is_named():
    tokenizer = chatml()
    model = llama(tokenizer)
    tokenizer.add_tokens(["<persona>"])
    with pytest.raises(ModelError, match=r"'<persona>'.*resize_token_embeddings"):
        Chat((model, tokenizer), max_tokens=3).complete([{"role": "user", "content": "<persona>"}])
