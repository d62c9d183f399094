"""Chat through the openai client: what is sent and where is ours to say, whatever the environment
says; an answer ends, or its fault is named."""

import gzip
import logging
import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer

import httpcore
import pytest

from workbench.errors import ConfigError, ModelError
from workbench.language import Chat, Endpoint, bounded, client

ASK = [{"role": "user", "content": "Which lamp of the Brunner family is better?"}]
ELSEWHERE = "http://127.0.0.1:9"
"""Where nobody listens: whoever goes there fails."""
VARIABLES = {
    "OPENAI_BASE_URL": f"{ELSEWHERE}/v1",
    "OPENAI_API_KEY": "sk-foreign",
    "OPENAI_ADMIN_KEY": "sk-foreign",
    "OPENAI_ORG_ID": "org-foreign",
    "OPENAI_PROJECT_ID": "project-foreign",
    "OPENAI_WEBHOOK_SECRET": "foreign",
    "OPENAI_CUSTOM_HEADERS": "Authorization: Bearer foreign\nX-Foreign: foreign\nHost: foreign",
    "OPENAI_LOG": "debug",
    "HTTP_PROXY": ELSEWHERE,
    "HTTPS_PROXY": ELSEWHERE,
    "ALL_PROXY": ELSEWHERE,
    "http_proxy": ELSEWHERE,
    "all_proxy": ELSEWHERE,
}
SENT = {"Host", "Accept", "Content-Type", "Content-Length"}


def chat(server, how="well", retries=0, timeout=5.0, **options):
    return Chat(Endpoint(server.url(how), "tiny", timeout=timeout, retries=retries, **options))


@pytest.mark.parametrize("keyed", [True, False])
def test_no_variable_changes_what_is_sent_or_where(server, keyed, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MY_KEY", "sk-Geheim123")
    before = len(server.asked)
    reply = chat(server, key_from="MY_KEY" if keyed else None).complete(ASK, seed=4)
    assert reply.text == "1 messages, seed 4" and len(server.asked) == before + 1
    sent = server.headers[-1]
    assert set(sent) == SENT | ({"Authorization"} if keyed else set())
    assert sent.get("Authorization") == ("Bearer sk-Geheim123" if keyed else None)
    body = {"model": "tiny", "messages": ASK, "max_tokens": 256, "temperature": 0.0, "seed": 4}
    assert server.asked[-1][2] == body
    assert not any("foreign" in f"{one}" for one in sent.values())
    # neither the key nor what was asked stands in a log
    assert not any(word in caplog.text for word in ("Geheim", "foreign", "Brunner"))


def test_certificates_that_are_not_there_are_said(server, monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(ConfigError, match="SSL_CERT_FILE or SSL_CERT_DIR: no certificates"):
        chat(server).complete(ASK)


def test_a_log_that_a_variable_turns_on_holds_neither_key_nor_text(server, monkeypatch, capfd):
    # the client reads OPENAI_LOG when it is imported, before anybody can say anything
    from openai._utils import _logs

    monkeypatch.setenv("OPENAI_LOG", "debug")
    monkeypatch.setenv("MY_KEY", "sk-Geheim123")
    level = _logs.logger.level
    _logs.setup_logging()
    try:
        chat(server, key_from="MY_KEY").complete(ASK)
    finally:
        _logs.logger.setLevel(level)
    said = "".join(capfd.readouterr())
    assert not any(word in said for word in ("Geheim", "Brunner"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(server, status, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-Geheim123")
    where = server.url("caught") + "/chat/completions"
    server.scripts["moved"] = [(status, {}, {"Location": where})]
    before = len(server.asked)
    with pytest.raises(ModelError, match=f"status {status}"):
        chat(server, "moved", key_from="MY_KEY").complete(ASK)
    assert len(server.asked) == before + 1


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("slow", r"slow: no whole answer within 0\.3 s"),
        ("drip", r"slow: no whole answer within 0\.3 s"),
        ("broken", "cut off"),
        ("truncated", "no JSON, or cut off"),
        ("deep", "no JSON, or cut off"),
        ("list", "another shape: a JSON list"),
        ("nochoice", "no choices"),
        ("noscores", "no message with content"),
        ("500", "status 500.*sorry"),
        ("404", "status 404.*check url and model"),
    ],
)
def test_what_fails_is_said(server, how, says):
    limit = 0.3 if how in ("slow", "drip") else 5.0
    with pytest.raises(ModelError, match=says):
        chat(server, how, timeout=limit).complete(ASK)


def test_a_server_that_is_down():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(ModelError, match=r"down: no connection.*asked 1 times"):
        Chat(Endpoint(url, "tiny", retries=0)).complete(ASK)


def test_a_busy_server_is_asked_as_often_as_was_stated(server, no_pause):
    busy = (429, {"error": {"message": "Rate limit"}}, {"Retry-After": "2"})
    for retries in (0, 2):
        server.scripts["full"] = [busy] * 5
        before = len(server.asked)
        with pytest.raises(ModelError, match=rf"status 429.*Rate limit.*asked {retries + 1} times"):
            chat(server, "full", retries).complete(ASK)
        # the client itself asks once
        assert len(server.asked) == before + 1 + retries
    assert max(no_pause) == 2
    server.scripts["full"] = [busy]
    assert chat(server, "full", retries=1).complete(ASK, 7).text == "1 messages, seed 7"


@contextmanager
def speaking(chunks, headers):
    """A server that answers with chunks, one after another, for as long as one listens."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            for name, value in {"Transfer-Encoding": "chunked", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            for chunk in chunks():
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    http.handle_error = lambda *_: None
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_address[1]}/v1"
    http.shutdown()
    http.server_close()


DRIPS = {
    "status": (b"", b"HTTP/1.1 200 " + b"O" * 9999),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-Long: " + b"o" * 9999),
    "sizes": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;" + b"o" * 9999),
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b" " * 9999),
}
"""What comes at once, and what comes byte by byte."""


@contextmanager
def dripping(at_once, drips):
    """A server whose bytes come one by one, each well within any timeout."""

    class Handler(StreamRequestHandler):
        def handle(self):
            self.request.recv(1 << 16)
            self.wfile.write(at_once)
            for place in range(len(drips)):
                self.wfile.write(drips[place : place + 1])
                if over.wait(0.05):
                    return

    over = threading.Event()
    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as served:
        served.daemon_threads = True
        served.handle_error = lambda *_: None
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_address[1]}/v1"
        over.set()
        served.shutdown()


@pytest.mark.parametrize("where", DRIPS)
def test_the_timeout_is_for_the_whole_exchange(where):
    """Whatever drips, both clients give up when the time is over: not after a read, nor never."""
    with dripping(*DRIPS[where]) as url:
        hurried = Endpoint(url, "tiny", timeout=0.3, retries=0)
        for ask in (lambda: Chat(hurried).complete(ASK), lambda: hurried.of_ids([[1]], [2])):
            begun = time.monotonic()
            with pytest.raises(ModelError, match=r"slow: no whole answer within 0\.3 s"):
                ask()
            assert time.monotonic() - begun < 2


def test_what_is_read_slowly_is_slow_too():
    """A server that takes a request bite by bite: the clock is read before each."""

    class Slow(httpcore.NetworkStream):
        taken = 0

        def write(self, buffer, timeout=None):
            self.taken += len(buffer)
            time.sleep(0.1)

    clock, slow = bounded.Clock(), Slow()
    clock.until = time.monotonic() + 0.15
    with pytest.raises(httpcore.TimeoutException):
        bounded.Hurried(slow, clock).write(bytes(100 * bounded.PIECE))
    assert slow.taken <= 2 * bounded.PIECE


def endless():
    while True:
        yield b" " * 4096


def bomb():
    yield gzip.compress(b" " * (1 << 22))


@pytest.mark.parametrize(
    ("chunks", "headers"),
    [(endless, {}), (bomb, {"Content-Encoding": "gzip"})],
    ids=["endless", "packed"],
)
def test_an_answer_without_end_is_refused(chunks, headers, monkeypatch):
    monkeypatch.setattr(bounded, "LIMIT", 1 << 20)
    with speaking(chunks, headers) as url:
        begun = time.monotonic()
        for ask in (
            lambda: Chat(Endpoint(url, "tiny", timeout=20)).complete(ASK),
            lambda: Endpoint(url, "tiny", timeout=20).of_ids([[1]], [2]),
        ):
            with pytest.raises(ModelError, match="more than 1 MiB"):
                ask()
        assert time.monotonic() - begun < 15


def test_without_the_client_nothing_is_asked(server, monkeypatch):
    monkeypatch.setattr(client, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"openai client is not installed.*workbench\[llm\]"):
        chat(server)
    # a model here needs no client
    assert Chat((server.model, server.tokenizer)).max_tokens == 256
