"""A forget screen as one HTML file: no kernel, no network, everything inside, and it still
computes."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from workbench.data import Catalogue, Interactions
from workbench.errors import ConfigError, ModelError, TooLarge
from workbench.html import SIGNS, escape
from workbench.reports.rules import portable
from workbench.reports.sentences import templates
from workbench.reports.writer import PAGED
from workbench.views.paper import foreign_file
from workbench.views.screen.static import ALONE, PRESS, static_screen
from workbench.views.screen.told import words
from workbench.views.text import brief
from workbench.whole import whole_file

if TYPE_CHECKING:
    from workbench.ledger import Service
    from workbench.views.screen.screen import Screen

STATIC = Path(__file__).parent / "static"
SCREEN = ("text.js", "screen_answers.js", "screen.js")
"""The scripts that draw a forget screen, in the order in which they are joined."""
LARGEST = 50_000_000
"""Bytes of a file."""
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
<main id="screen">{static}</main>{beside}
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


def computing(screen: Screen, path: Path, real_people: bool = False) -> tuple[Any, Any, str]:
    """State, model and footer of a page that forgets by itself: `document` draws it.

    It holds which products every shopper of the service had (one bit each, no names). Raises
    `ModelError` for a service that it could not answer for, `ConfigError` for a log that is not
    generated, without a yes, and `TooLarge` above 50 MB.
    """
    service, user = screen.service, screen.user
    _check_small(service.model)
    # the file starts from the service as it was built, and knows of nothing done to it since
    changed = service.tombstones or service.steered or service.stale
    if changed or service.weights_log is not service.log:
        raise ModelError(
            "the service has been changed since it was built",
            "export",
            "nothing hidden or forgotten",
            "export the service as it was built",
        )
    _refuse_large(_size(service.log), path)
    refuse_what_it_cannot_make(service, user)
    if not real_people and not _generated(service.log):
        told = f"every product that each of {service.log.n_users:,} shoppers had"
        do = "where you may hand that on, say export(screen, path, real_people=True)"
        raise ConfigError(f"the file would hold {told}", "export", "a generated log, or a yes", do)
    model = pack(service.model, service.catalogue)
    # the shopper's own notes
    notes = [column.tolist() for column in service.evidence(user).notes["profile"]]
    model["profile"] = list(zip(*notes, strict=True))
    # what the sentences are held against: below its range a value is weaker
    lows = {claim.claim: claim.low for claim in service.report(user, screen.seed).claims}
    state = _alone(screen.state, service, user)
    model["low"] = _known(lows[sentence["claim"]] for sentence in state["sentences"])
    # the placebo draws of workbench.ledger.null
    random = np.random.default_rng([screen.seed, user]).bit_generator.state["state"]
    model["random"] = {name: str(number) for name, number in random.items()}
    size = f"{model['items']} products × {model['users']} shoppers"
    return state, model, f"This page computes by itself: EASE, {size}. No server, no network."


def _generated(log: Interactions) -> bool:
    """Whether the ids are those of a generated world, where nobody lived."""
    names = (("shopper", log.users), ("product", log.items))
    return all(
        ids.equals(pd.Index([f"{name} {n}" for n in range(len(ids))])) for name, ids in names
    )


def _size(log: Interactions) -> float:
    """Bytes of the numbers in a screen's file, see `pack`; base64 writes three bytes as four."""
    products = log.n_items
    return (products * (products + 1) / 2 * 8 + products * log.n_users / 8) * 4 / 3


def _refuse_large(size: float, path: Path) -> None:
    """Raise `TooLarge` for a file that a browser would open slowly or not at all."""
    if size > LARGEST:
        what, most = f"a file of {size / 1e6:,.1f} MB", f"at most {LARGEST / 1e6:,.1f} MB"
        do = "make the service of fewer products, or show the screen in JupyterLab"
        raise TooLarge(what, str(path), most, do)


def refuse_what_it_cannot_make(service: Service, user: int) -> None:
    """The file knows the log, the profile and the item weights: raise `ModelError` for a service
    that remembers elsewhere, offers seen products, or makes claims about them that the file cannot
    make again; what a page says to a shopper beside them is left out."""
    built = [*service.stores]
    if built != ["profile"] or not service.mask_seen or service.unsaid:
        found = f"a service with {', '.join(built) or 'no store'}, or with rules of its own"
        raise ModelError(found, "export", "the stored profile alone, and seen products masked")
    evidence = service.evidence(user)
    for claim in service.report(user).claims:
        if claim.kind not in PAGED and not portable(evidence, claim.statement):
            raise ModelError(f"{claim!r} cannot be made by the file", "export", "portable kinds")


def _alone(state: dict[str, Any], service: Service, user: int) -> dict[str, Any]:
    """The state without a choice of ways, as the file knows the exact one alone, and with the
    page as it was written and without the sentences that it cannot make."""
    switches = [
        {key: one[key] for key in one.keys() - {"ways", "way", "stale"}}
        for one in state["switches"]
    ]
    claims = {claim.claim: claim for claim in service.report(user).claims}
    made = {name for name, claim in claims.items() if claim.kind not in PAGED}
    sentences = [one for one in state["sentences"] if one["claim"] in made]
    # the page to the shopper stays as it is on this day
    day = date.today()
    told = f"The page as written on {day.day} {day:%B %Y}; its claims are made anew."
    page = {**state["page"], "written": told}
    page["margin"] = f"For whoever checks: {len(sentences)} claims, made anew at every press"
    # how long it took is of that day, too
    own = {"switches": switches, "sentences": sentences, "page": page, "seconds": {}}
    return {**state, **own}


def document(
    state: dict[str, Any],
    model: dict[str, Any] | None = None,
    footer: str = "",
    beside: str = "",
) -> str:
    """The page of a screen; with `model` (what `engine.js` computes from) it forgets by itself."""
    return page(
        f"What happens when {state['user']['name']} presses Forget?",
        static_screen(state).replace(PRESS, ALONE if model else ""),
        {"state": state, "model": model, "words": words(state.get("causes"))},
        styles=("base.css", "screen.css", "page.css"),
        scripts=(*SCREEN, "engine.js", "claims.js", "forget.js", "page.js"),
        footer=footer,
        beside=beside,
    )


def page(
    title: str,
    static: str,
    payload: dict[str, Any],
    styles: Iterable[str],
    scripts: Iterable[str],
    footer: str = "",
    beside: str = "",
) -> str:
    """One HTML file around a payload: files of `static/` joined into one style and one module.

    Scripts and styles are allowed by their sha256 alone and every connection is forbidden, so
    nothing in the data can run or call home. The static form stands in the page until the script
    replaces it. beside: HTML that stays below it; the styles of its elements are let in.
    """
    # the file's own policy refuses styles as attributes; quotes in text are escaped
    static = re.sub(r' style="[^"]*"', "", static)
    style, script = read(*styles, *["beside.css"] * bool(beside)), read(*scripts)
    styled = "'unsafe-inline'" if beside else source_hash(style)
    policy = (
        f"default-src 'none'; script-src {source_hash(script)}; style-src {styled}; base-uri 'none'"
    )
    parts = {
        "style": style,
        "script": script,
        "payload": inert_json(payload),
        "footer": escape(footer),
    }
    told = {"static": static, "beside": beside, "title": escape(title)}
    return PAGE.format(policy=policy, **told, **parts)


def pack(model: Any, catalogue: Catalogue) -> dict[str, Any]:
    """What `engine.js` computes from: P (upper triangle, float64), the 0/1 matrix (one bit a cell),
    the catalogue.

    Raises `ModelError` for any model but EASE: it alone is small and exact enough to travel.
    """
    _check_small(model)
    seen = model.cells.matrix.toarray() > 0
    users, items = seen.shape
    frame = catalogue.frame
    known = frame[["category", "brand"]].to_dict("list")
    known["title"] = frame["title"].map(brief).tolist()
    known["kind"] = catalogue.kind.tolist()
    known |= {"price": _known(frame["price"].tolist()), "rating": _known(catalogue.rating.tolist())}
    known["topics"] = [catalogue.topics_of(item) for item in range(items)]
    return {
        "users": users,
        "items": items,
        "P": packed(model.inverse[np.triu_indices(items)], "<f8"),
        "seen": packed(np.packbits(seen), "u1"),
        "catalogue": known,
        "templates": templates(),
    }


def _check_small(model: Any) -> None:
    if getattr(model, "inverse", None) is None or getattr(model, "cells", None) is None:
        what, do = f"{type(model).__name__} cannot be exported", "make the service with EASE"
        raise ModelError(what, "export", "a fitted EASE", do)


def packed(values: Any, kind: str = "<f4") -> str:
    """An array for a page, in base64."""
    return _base64(np.ascontiguousarray(values).astype(kind).tobytes())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _known(values: Iterable[float]) -> list[float | None]:
    """Numbers as JSON: it knows no "not a number"."""
    return [value if value == value else None for value in values]


def write(text: str, path: Path | str) -> Path:
    """Write a page or a table, so that a broken run leaves nothing half-written.

    Raises `TooLarge` above 50 MB, and `ConfigError` where another file or a folder has the name.
    """
    path = Path(path)
    _refuse_large(len(text), path)
    # what stands in every file that was written here
    table = path.suffix.lower() == ".csv"
    ours = b",provenance\n" if table else b'type="application/json" id="payload"'
    if path.is_dir() or (path.exists() and ours not in path.read_bytes()):
        raise foreign_file(path, "a new file, or an older export")
    with whole_file(path) as new:
        new.write_text(text, encoding="utf-8", newline="\n")
    return path


def read(*names: str) -> str:
    """Files of `static/`, joined; `text.js` is given the table of hidden characters."""
    files = "\n".join((STATIC / name).read_text(encoding="utf-8") for name in names)
    return "\n" + files.replace("const SIGNS = {};", f"const SIGNS = {json.dumps(SIGNS)};")


def source_hash(text: str) -> str:
    """What a page's policy calls a script or a style."""
    return f"'sha256-{_base64(hashlib.sha256(text.encode()).digest())}'"
