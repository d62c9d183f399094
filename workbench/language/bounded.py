"""Requests that carry what we say and nothing else, and answers that end: what every server is asked
through.

What surrounds a client may have other ideas: proxies and headers from environment variables, a
redirect to another host, an answer without end. The transport here has the last word on each. Of the
environment it asks for certificates alone (`SSL_CERT_FILE`, `SSL_CERT_DIR`): some networks have their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import httpx

from workbench.errors import ConfigError, ModelError

LIMIT = 1 << 28
"""Bytes of an answer; a hundred thousand tokens take a tenth of it."""
UNPACKED = ("content-encoding", "content-length", "transfer-encoding")
"""What an answer says of its packing and its length, no longer so once it is read."""


class Bounded(httpx.BaseTransport):
    """One request with no headers but ours, to the host it names, past every proxy; its whole answer
    within `seconds`, and of at most `LIMIT` bytes, counted as it is unpacked.

    headers: asked anew for each request, as a key may change. A server that drips is as slow as one
    that says nothing: `httpx.ReadTimeout`. An answer that is too large is a `ModelError`, certificates
    that cannot be read are a `ConfigError`.
    """

    def __init__(self, seconds: float, headers: Callable[[], Mapping[str, str]]) -> None:
        self.seconds = seconds
        self.headers = headers
        try:
            self.below = httpx.HTTPTransport()
        except OSError as error:
            what, where = f"no certificates ({error})", "SSL_CERT_FILE or SSL_CERT_DIR"
            do = "correct the variable, or unset it"
            raise ConfigError(what, where, "certificates that can be read", do) from error

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request, read to its end."""
        until = time.monotonic() + self.seconds
        options = {"content": request.read(), "extensions": request.extensions}
        asked = httpx.Request(request.method, request.url, headers=self.headers(), **options)
        answer = self.below.handle_request(asked)
        content = bytearray()
        try:
            for chunk in answer.iter_bytes():
                content += chunk
                if len(content) > LIMIT:
                    what = f"another shape: more than {LIMIT >> 20} MiB"
                    raise ModelError(what, str(request.url), "an answer of the size of the text")
                if time.monotonic() > until:
                    raise httpx.ReadTimeout("dripping")
        finally:
            answer.close()
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
