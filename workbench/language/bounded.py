"""Requests that carry what we say and nothing else, and answers that end: what every server is asked
through.

What surrounds a client may have other ideas: proxies and headers from environment variables, a
redirect to another host, an answer without end. The transport here has the last word on each. A
client's timeout is for one read, and a byte of a header is one: here each read waits for what is left
of the whole exchange. Of the environment the transport asks for certificates alone (`SSL_CERT_FILE`,
`SSL_CERT_DIR`): some networks have their own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

import httpcore
import httpx

from workbench.errors import ConfigError, ModelError

LIMIT = 1 << 28
"""Bytes of an answer; a hundred thousand tokens take a tenth of it."""
UNPACKED = ("content-encoding", "content-length", "transfer-encoding")
"""What an answer says of its packing and its length, no longer so once it is read."""
FAULTS = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError)


PIECE = 1 << 14
"""Bytes that are sent before the clock is read again."""


class Clock(threading.local):
    """When the exchange of a thread has to be over."""

    until = 0.0

    def left(self) -> float:
        """Seconds that are left; `httpcore.ReadTimeout` where none are."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("dripping")
        return left


class Hurried(httpcore.NetworkStream):
    """A connection that waits for what is left of an exchange, whatever timeout it is told."""

    def __init__(self, below: httpcore.NetworkStream, clock: Clock) -> None:
        self.below, self.clock = below, clock
        self.close, self.get_extra_info = below.close, below.get_extra_info

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has come."""
        return self.below.read(max_bytes, self.clock.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it; a server that reads slowly is slow too."""
        for place in range(0, len(buffer), PIECE):
            self.below.write(buffer[place : place + PIECE], self.clock.left())

    def start_tls(self, ssl_context, server_hostname=None, timeout=None) -> Hurried:
        """The same, in private."""
        below = self.below.start_tls(ssl_context, server_hostname, self.clock.left())
        return Hurried(below, self.clock)


class Hurrying(httpcore.SyncBackend):
    """Connections that are `Hurried`."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def connect_tcp(self, host, port, timeout=None, *args, **options) -> Hurried:
        """A connection; each address of the host is tried for what is left."""
        return Hurried(
            super().connect_tcp(host, port, self.clock.left(), *args, **options), self.clock
        )


class Bounded(httpx.BaseTransport):
    """One request with no headers but ours, to the host it names, past every proxy; the whole exchange
    within `seconds` (but for looking up the host's name), and of at most `LIMIT` bytes, counted as it
    is unpacked.

    headers: asked anew for each request, as a key may change. A server that drips is as slow as one
    that says nothing: `httpx.ReadTimeout`. An answer that is too large is a `ModelError`, certificates
    that cannot be read are a `ConfigError`.
    """

    def __init__(self, seconds: float, headers: Callable[[], Mapping[str, str]]) -> None:
        self.seconds = seconds
        self.headers = headers
        self.clock = Clock()
        try:
            trusted = httpx.create_ssl_context()
        except OSError as error:
            what, where = f"no certificates ({error})", "SSL_CERT_FILE or SSL_CERT_DIR"
            do = "correct the variable, or unset it"
            raise ConfigError(what, where, "certificates that can be read", do) from error
        kept = {"max_connections": 100, "keepalive_expiry": 5.0}
        self.below = httpcore.ConnectionPool(trusted, network_backend=Hurrying(self.clock), **kept)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request, read to its end."""
        self.clock.until = time.monotonic() + self.seconds
        options = {"content": request.read(), "extensions": request.extensions}
        asked = httpx.Request(request.method, request.url, headers=self.headers(), **options)
        options["headers"] = asked.headers.raw
        content = bytearray()
        try:
            with self.below.stream(asked.method, str(asked.url), **options) as said:
                answer = httpx.Response(
                    said.status, headers=said.headers, content=said.iter_stream()
                )
                for chunk in answer.iter_bytes():
                    content += chunk
                    if len(content) > LIMIT:
                        what = f"another shape: more than {LIMIT >> 20} MiB"
                        raise ModelError(
                            what, str(request.url), "an answer of the size of the text"
                        )
                    self.clock.left()
        except FAULTS as error:
            # one fault has one name in both
            raise getattr(httpx, type(error).__name__)(str(error)) from error
        kept = [(name, value) for name, value in answer.headers.items() if name not in UNPACKED]
        return httpx.Response(answer.status_code, headers=kept, content=bytes(content))

    def close(self) -> None:
        """Close every connection."""
        self.below.close()


def bounded(seconds: float, headers: Callable[[], Mapping[str, str]]) -> httpx.Client:
    """A client that follows no redirect, asks no proxy, reads no environment but for certificates, and
    ends."""
    options = {"follow_redirects": False, "trust_env": False, "timeout": seconds}
    return httpx.Client(transport=Bounded(seconds, headers), **options)
