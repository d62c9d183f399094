"""A small server on the loopback that scores prompts with a random model, and misbehaves where its
address says so."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pytest

TEXTS = [
    "The lamp arrived on Tuesday and was bright.",
    "My tent is in the van; we camp daily.",
    "Naïve café, ok 🙂!",
]


class Server:
    """What answers: a Llama of random weights behind /v1/completions, /tokenize and
    /v1/chat/completions.

    The first part of an address names how it misbehaves: http://127.0.0.1:1234/slow/v1.
    """

    def __init__(self):
        self.model, self.tokenizer = self.speaker()
        self.asked, self.headers, self.closed = [], [], threading.Event()
        self.scripts = {}  # how: [(status, JSON, headers), ...], what is answered in turn
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                _, how, path = self.path.split("/", 2)
                server.asked.append((how, path, body))
                server.headers.append(dict(self.headers))
                more = {}
                if server.scripts.get(how):
                    status, said, more = server.scripts[how].pop(0)
                    content = json.dumps(said).encode()
                else:
                    status, content = server.answer(how, path, body, self.headers)
                if how == "slow":
                    server.closed.wait(60)
                self.send_response(status)
                self.send_header("Content-Length", str(len(content) + 50 * (how == "broken")))
                for name, value in more.items():
                    self.send_header(name, value)
                self.end_headers()
                if how == "drip":
                    for place in range(len(content)):
                        self.wfile.write(content[place : place + 1])
                        time.sleep(0.03)
                else:
                    self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.handle_error = lambda *_: None  # a client that went away
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def speaker(self):
        from workbench.tokens.small_models import PocketConfig, make_model, make_tokenizer

        tokenizer = make_tokenizer(TEXTS, 330)
        return make_model(
            PocketConfig(hidden=16, layers=1, heads=2, feed_forward=16), tokenizer
        ).eval(), tokenizer

    def close(self):
        self.closed.set()
        self.http.shutdown()
        self.http.server_close()

    def url(self, how="well"):
        return f"http://127.0.0.1:{self.http.server_address[1]}/{how}/v1"

    def answer(self, how, path, body, headers):
        if how == "refuses":
            said = f"Incorrect API key provided: {headers['Authorization'].removeprefix('Bearer ')}"
            return 401, json.dumps({"error": {"message": said}}).encode()
        if how == "busy" and sum(h == "busy" for h, *_ in self.asked) % 2:
            return 503, b'{"error": "loading"}'
        if how == "deep":
            return 200, b"[" * 100_000
        if how in ("500", "404"):
            return int(how), b"<html>sorry</html>"
        said = json.dumps(SPOILT.get(how, lambda answer: answer)(self.said(path, body)))
        return 200, said[: -20 if how == "truncated" else None].encode()

    def said(self, path, body):
        if path == "tokenize":
            return {"tokens": self.ids(body["prompt"])}
        if path == "v1/chat/completions":
            text = f"{len(body['messages'])} messages, seed {body.get('seed')}"
            return {"choices": [{"message": {"content": text}}], "usage": {"completion_tokens": 4}}
        sent = body["prompt"] if isinstance(body["prompt"], list) else self.ids(body["prompt"])
        table = [None, *self.scored(sent)]
        if body.get("prompt_logprobs"):
            cells = [
                {str(i): {"logprob": v, "decoded_token": self.decode(i)}}
                for i, v in zip(sent, table, strict=True)
            ]
            return {"choices": [{"text": "x", "prompt_logprobs": [None, *cells[1:]]}]}
        names = [*map(self.decode, sent), "x"]
        found = {"tokens": names, "token_logprobs": [*table, -1.0], "top_logprobs": None}
        return {"choices": [{"text": "", "logprobs": found}], "usage": {"prompt_tokens": len(sent)}}

    def ids(self, text):
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def decode(self, one):
        return self.tokenizer.decode([one])

    def scored(self, ids):
        import torch

        with torch.no_grad():
            table = self.model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
        return [float(table[place, one]) for place, one in enumerate(ids[1:])]


def change(answer, value, place=-2):
    """One log-probability replaced, in either form."""
    choice = answer["choices"][0]
    if "logprobs" in choice:
        choice["logprobs"]["token_logprobs"][place] = value
    else:
        next(iter(choice["prompt_logprobs"][place].values()))["logprob"] = value
    return answer


def every(answer, value):
    """One number for all tokens of the prompt, in either form."""
    choice = answer["choices"][0]
    places = len(choice.get("prompt_logprobs") or choice["logprobs"]["tokens"]) - 1
    for place in range(1, places if "logprobs" in choice else places + 1):
        change(answer, value, place)
    return answer


def fewer(answer):
    choice = answer["choices"][0]
    if "logprobs" in choice:
        choice["logprobs"] = {"tokens": ["x"], "token_logprobs": [-1.0]}
    else:
        choice["prompt_logprobs"] = [None]
    return answer


def other_tokens(answer):
    choice = answer["choices"][0]
    if "logprobs" in choice:
        choice["logprobs"]["tokens"] = ["?"] * len(choice["logprobs"]["tokens"])
    else:
        choice["prompt_logprobs"][-1] = {"999999": {"logprob": -1.0, "decoded_token": "?"}}
    return answer


SPOILT = {
    "list": lambda answer: [answer],
    "nochoice": lambda answer: answer | {"choices": []} if "choices" in answer else answer,
    "noscores": lambda answer: (
        answer | {"choices": [{"text": "x"}]} if "choices" in answer else answer
    ),
    "notokens": lambda answer: {} if "tokens" in answer else answer,
    "fewer": lambda answer: fewer(answer) if "choices" in answer else answer,
    "others": lambda answer: other_tokens(answer) if "choices" in answer else answer,
    "nan": lambda answer: change(answer, float("nan")) if "choices" in answer else answer,
    "null": lambda answer: change(answer, None) if "choices" in answer else answer,
    "clamped": lambda answer: change(answer, -9999.0) if "choices" in answer else answer,
    "same": lambda answer: every(answer, -1.5) if "choices" in answer else answer,
    "zeros": lambda answer: every(answer, 0.0) if "choices" in answer else answer,
    "positive": lambda answer: change(answer, 0.5) if "choices" in answer else answer,
}


@pytest.fixture
def no_pause(monkeypatch):
    """Servers that are asked again at once; the seconds that they asked to wait are listed."""
    from workbench.language import endpoint

    waited = []
    monkeypatch.setattr(endpoint, "PAUSE", 0.0)
    monkeypatch.setattr(endpoint.time, "sleep", waited.append)
    return waited


@pytest.fixture(scope="session")
def server():
    served = Server()
    yield served
    served.close()


@pytest.fixture(scope="session")
def pairs():
    """Prompts that end where a response can begin without a merge."""
    rows = [
        (f"t{i}", f"<s><persona>likes lamps{i}<query>review<response>", text)
        for i, text in enumerate(TEXTS)
    ]
    table = pd.DataFrame(rows, columns=["text", "prompt_with", "response"])
    return table.assign(prompt_without="<s><query>review<response>")
