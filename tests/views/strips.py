"""A small strip with everything on it, for tests with and without a browser; the numbers are drawn,
not measured."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from workbench.views import TokenStrip

TEXT = (
    "A red lamp. I never sleep, so I like the silent tent! It cost what one would "
    "expect.\nOverall a good buy."
)
HOSTILE = (
    '<script>alert(1)</script> <img src=x onerror=alert(2)> &amp; "q" \' '
    "\u202egnp.exe \u2066x\u2069 a\u200bb "
    "e"
    + "\u0301" * 9
    + " 👨\u200d👩\u200d👧 🇳🇴 שלום עולם \x07 \ud800 =1+1 "
    + "x" * 5000
    + " </textarea><style>*{display:none}</style>"
)


def token_table(text: str, seed: int = 0, cut: int = 4) -> pd.DataFrame:
    """Tokens of at most `cut` characters, the space before a word its token's; scores from a
    generator."""
    spans = [found.span() for found in re.finditer(rf" ?\S{{1,{cut}}}|\s", text)]
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(spans, columns=["start", "end"]).assign(
        text="t", position=range(len(spans))
    )
    pir = rng.normal(0, 0.3, len(table)) + (rng.random(len(table)) < 0.2) * rng.normal(
        1.5, 2, len(table)
    )
    with_ = -rng.exponential(2, len(table))
    table = table.assign(
        log_prob_with=with_,
        log_prob_without=with_ - pir,
        pir=pir,
        entropy=rng.exponential(1, len(table)),
    )
    table["personal"], table["kind"] = rng.random(len(table)) < 0.25, "g"
    return table


def full_strip(
    text: str = TEXT,
    title: str = "A review",
    items: tuple[str, ...] = ("likes red", "works at night"),
    cut: int = 4,
    **options,
) -> TokenStrip:
    """Every part of a strip; the memory items add up to PIR."""
    tokens, rng = token_table(text, cut=cut), np.random.default_rng(1)
    share = rng.dirichlet(np.ones(len(items)), len(tokens)).T * tokens["pir"].to_numpy()
    at = {"text": "t", "position": tokens["position"]}
    memory = pd.concat(
        [pd.DataFrame({**at, "memory": k, "value": row}) for k, row in enumerate(share)]
    )
    film = pd.concat(
        [pd.DataFrame({**at, "step": 100 * k, "pir": tokens["pir"] * k / 3}) for k in range(4)]
    )
    provenance = {
        "model": "tiny 0a1b",
        "persona": "persona-1",
        "intervention": "delete",
        "seeds": 0,
    }
    parts = {
        "against": token_table(text, 2, cut),
        "names": ("own", "other"),
        "memory": memory,
        "memories": items,
    }
    parts |= {
        "film": film,
        "truth": "personal",
        "title": title,
        "provenance": provenance,
        "level": "word",
    }
    return TokenStrip(tokens, text, **(parts | options))
