"""A forget screen as one HTML file: no kernel, no network, everything inside, and it still computes."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from workbench.html import escape
from workbench.views.plain import STATIC, static_screen, words

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main id="screen">{static}</main>
<footer>{footer}</footer>
<script type="application/json" id="payload">{payload}</script>
<script type="module">{script}</script>
</body>
</html>
"""


def inert_json(value: Any) -> str:
    """JSON that no HTML parser can mistake for markup: pure ASCII, and every < written as an escape.

    >>> inert_json("</script>")
    '"\\\\u003c/script>"'
    """
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def document(state: dict[str, Any], model: dict[str, Any] | None = None, footer: str = "") -> str:
    """The page of a screen; with `model` (what `engine.js` computes from) it forgets by itself.

    Scripts and styles are allowed by their sha256 alone and every connection is forbidden, so nothing in the data can
    run or call home. The static form stands in the page until the script replaces it.
    """
    style, script = _read("screen.css", "page.css"), _read("screen.js", "engine.js", "page.js")
    policy = f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; base-uri 'none'"
    payload = inert_json({"state": state, "model": model, "words": words()})
    title = escape(f"What happens when {state['user']['name']} presses Forget?")
    parts = {"style": style, "script": script, "payload": payload, "footer": escape(footer), "title": title}
    return PAGE.format(policy=policy, static=static_screen(state), **parts)


def write(text: str, path: Path | str) -> Path:
    """Write through a temporary file, so that a broken run leaves nothing half-written."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8", newline="\n")
    os.replace(temporary, path)
    return path


def _read(*names: str) -> str:
    return "\n" + "\n".join((STATIC / name).read_text(encoding="utf-8") for name in names)


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
