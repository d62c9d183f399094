"""A forget screen as one HTML file: no kernel, no network, everything inside, and it still
computes."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.data import Catalogue
from workbench.errors import ModelError
from workbench.html import escape
from workbench.reports.rules import portable
from workbench.reports.sentences import templates
from workbench.views.screen.static import static_screen, words
from workbench.whole import whole_file

if TYPE_CHECKING:
    from workbench.ledger import Service
    from workbench.views.screen.screen import Screen

STATIC = Path(__file__).parent / "static"
SCREEN = ("screen_answers.js", "screen.js")
"""The scripts that draw a forget screen, in the order in which they are joined."""
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
    """JSON that no HTML parser can mistake for markup: pure ASCII, and every < written as an
    escape.

    >>> inert_json("</script>")
    '"\\\\u003c/script>"'
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def export(screen: Screen | Any, path: Path | str) -> Path:
    """Write a screen as one HTML file, or a token strip as .html or .csv, and return its path.

    A screen's file holds which products every shopper of the service had (one bit each, no names):
    fit for generated data, not for mailing real people's. Raises `ModelError` for a service that
    the file could not answer for.
    """
    if hasattr(screen, "_export"):
        # a result that brings its own file
        return screen._export(path)
    service, user = screen.service, screen.user
    # the file starts from the service as it was built, and knows of nothing done to it since
    changed = service.tombstones or service.steered or service.stale
    if changed or service.weights_log is not service.log:
        raise ModelError(
            "the service has been changed since it was built",
            "export",
            "nothing hidden or forgotten",
            "export the service as it was built",
        )
    refuse_what_it_cannot_make(service, user)
    # what the sentences are held against: below its range a value is weaker
    claims = {claim.claim: claim for claim in service.report(user, screen.seed).claims}
    lows = [claims[sentence["claim"]].low for sentence in screen.state["sentences"]]
    # the shopper's own notes
    notes = [column.tolist() for column in service.evidence(user).notes["profile"]]
    model = pack(service.model, service.catalogue)
    model["profile"] = list(zip(*notes, strict=True))
    model["low"] = [low if low == low else None for low in lows]
    size = f"{model['items']} products × {model['users']} shoppers"
    footer = f"This page computes by itself: EASE, {size}. No server, no network."
    return write(document(screen.state, model, footer), path)


def refuse_what_it_cannot_make(service: Service, user: int) -> None:
    """The file knows the log, the profile and the item weights: raise `ModelError` for a service
    that remembers elsewhere, offers seen products, or makes claims of a kind that it cannot make
    again."""
    built = [*service.stores]
    if built != ["profile"] or not service.mask_seen or service.unsaid:
        found = f"a service with {', '.join(built) or 'no store'}, or with rules of its own"
        raise ModelError(found, "export", "the stored profile alone, and seen products masked")
    evidence = service.evidence(user)
    for claim in service.report(user).claims:
        if not portable(evidence, claim.statement):
            raise ModelError(f"{claim!r} cannot be made by the file", "export", "portable kinds")


def document(state: dict[str, Any], model: dict[str, Any] | None = None, footer: str = "") -> str:
    """The page of a screen; with `model` (what `engine.js` computes from) it forgets by itself."""
    return page(
        f"What happens when {state['user']['name']} presses Forget?",
        static_screen(state),
        {"state": state, "model": model, "words": words(state.get("causes"))},
        styles=("base.css", "screen.css", "page.css"),
        scripts=(*SCREEN, "engine.js", "claims.js", "forget.js", "page.js"),
        footer=footer,
    )


def page(
    title: str,
    static: str,
    payload: dict[str, Any],
    styles: Iterable[str],
    scripts: Iterable[str],
    footer: str = "",
) -> str:
    """One HTML file around a payload: files of `static/` joined into one style and one module.

    Scripts and styles are allowed by their sha256 alone and every connection is forbidden, so
    nothing in the data can run or call home. The static form stands in the page until the script
    replaces it.
    """
    style, script = read(*styles), read(*scripts)
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; base-uri 'none'"
    )
    parts = {
        "style": style,
        "script": script,
        "payload": inert_json(payload),
        "footer": escape(footer),
    }
    return PAGE.format(policy=policy, static=static, title=escape(title), **parts)


def pack(model: Any, catalogue: Catalogue) -> dict[str, Any]:
    """What `engine.js` computes from: P (upper triangle, float64), the 0/1 matrix (one bit a cell),
    the catalogue.

    Raises `ModelError` for any model but EASE: it alone is small and exact enough to travel.
    """
    if getattr(model, "inverse", None) is None or getattr(model, "cells", None) is None:
        raise ModelError(
            f"{model!r} cannot be exported", "export", "a fitted EASE", "make the service with EASE"
        )
    seen = model.cells.matrix.toarray() > 0
    triangle = model.inverse[np.triu_indices(len(model.inverse))]
    frame = catalogue.frame
    known = {name: frame[name].tolist() for name in ("title", "category", "brand")}
    known["kind"] = catalogue.kind.tolist()
    for name, values in (("price", frame["price"]), ("rating", catalogue.rating)):
        known[name] = [value if value == value else None for value in values.tolist()]
    known["topics"] = [catalogue.topics_of(item) for item in range(len(frame))]
    binary = {"P": triangle.astype("<f8").tobytes(), "seen": np.packbits(seen.ravel()).tobytes()}
    encoded = {name: base64.b64encode(part).decode("ascii") for name, part in binary.items()}
    return {
        "users": seen.shape[0],
        "items": seen.shape[1],
        **encoded,
        "catalogue": known,
        "templates": templates(),
    }


def write(text: str, path: Path | str) -> Path:
    """Write a page, so that a broken run leaves nothing half-written."""
    path = Path(path)
    with whole_file(path) as new:
        new.write_text(text, encoding="utf-8", newline="\n")
    return path


def read(*names: str) -> str:
    """Files of `static/`, joined."""
    return "\n" + "\n".join((STATIC / name).read_text(encoding="utf-8") for name in names)


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
