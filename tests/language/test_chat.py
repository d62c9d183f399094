"""Chat: replies through a server and from a model loaded here."""

import copy

import pytest
import torch

from workbench.errors import ConfigError, ModelError
from workbench.language import Chat, Endpoint
from workbench.language.chat import Reply

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
