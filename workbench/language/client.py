"""Chat completions through the `openai` client (extra `llm`), kept to what an `Endpoint` says.

Left to itself the client reads address, keys, organisation, project and headers from variables
`OPENAI_…`, follows redirects, takes proxies from the environment and asks twice more. Here all of it
is passed, none of it asked for, and what is sent goes through `bounded`, which writes the headers
itself: `OPENAI_CUSTOM_HEADERS` cannot be passed over in any other way. `OPENAI_LOG` alone has an
effect: it turns on the client's log, in which neither key nor text stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

from workbench.errors import ConfigError
from workbench.language.endpoint import Answered, Endpoint, answered

NAMED = ("model", "messages")
"""What the client wants by name; everything else of a request passes as it is."""
OURS = {"organization": "", "project": "", "admin_api_key": "", "webhook_secret": ""}
"""Empty, not absent: what is absent is looked for in the environment."""


def check_client() -> None:
    """Raise `ConfigError` where the client is not installed, before anything is asked."""
    if find_spec("openai") is None:
        do = "pip install -c constraints.txt 'workbench[llm]'"
        raise ConfigError("the openai client is not installed", "Chat", do=do)


def asked_by_openai(endpoint: Endpoint) -> Callable[[str, Mapping[str, Any]], Answered]:
    """A way to send a chat completion for `Endpoint.post`: the client asks once, and what it takes
    for an error is given back as the status and the content that it was."""
    import openai

    def send(_: str, body: Mapping[str, Any]) -> Answered:
        options = {"max_retries": 0, "timeout": endpoint.timeout, **OURS}
        key = endpoint.key or "none"
        parts = {"api_key": key, "base_url": endpoint.url, "http_client": endpoint.client}
        completions = openai.OpenAI(**parts, **options).chat.completions
        named = {name: body[name] for name in NAMED}
        more = {name: value for name, value in body.items() if name not in NAMED}
        try:
            said = completions.with_raw_response.create(**named, extra_body=more)
        except openai.APIStatusError as error:
            return answered(error.response)
        except openai.APIConnectionError as error:
            # down, slow or cut off: what our own client said of it
            raise error.__cause__ or error from None
        return answered(said.http_response)

    return send
