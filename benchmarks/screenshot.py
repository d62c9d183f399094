"""Make the README's pictures: the exported forget screen, after Forget, in light and dark, and the
exported strip of a review with its memories.

    python benchmarks/screenshot.py [--user 187 --topic "Horror novels" --out docs]

Needs playwright and a Chromium on the machine (WORKBENCH_CHROMIUM may name one).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from workbench import tokens
from workbench.data import load_world
from workbench.doctor import find_chromium
from workbench.html import provenance
from workbench.language import load_causal_lm
from workbench.ledger import Service
from workbench.recommend import EASE
from workbench.settings import ROOT
from workbench.views import Screen, TokenStrip, export

SCREEN = {"width": 1440, "height": 900}
STRIP = {"width": 1280, "height": 660}
REVIEW = 3
"""Of the first texts of the world: the one that notebook 31 takes apart."""


def main() -> None:
    """Export, open, press, take the pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--user", type=int, default=187)
    parser.add_argument("--topic", default="Horror novels")
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    world = load_world()
    source = f"generated world {world.version}"
    service = Service.build(world.log, world.catalogue, EASE())
    screen = Screen(service, asked.user, asked.topic, data=source)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        # the screen in both schemes
        address = export(screen, Path(folder) / "screen.html").as_uri()
        for scheme in ("light", "dark"):
            page = chromium.new_page(viewport=SCREEN, color_scheme=scheme)
            page.goto(address)
            forget(page, asked.topic)
            keep(page, asked.out / f"screen-{scheme}.png")
        # the strip
        page = chromium.new_page(viewport=STRIP, color_scheme="light")
        page.goto(export(review(world, source), Path(folder) / "strip.html").as_uri())
        pin_the_strongest(page)
        keep(page, asked.out / "strip-light.png")
        chromium.close()


def review(world: Any, source: str) -> TokenStrip:
    """A review, every word scored, with the part of each memory item."""
    model, tokenizer = load_causal_lm("pocket")
    one = tokens.examples_of(world, n=6).iloc[[REVIEW]]
    pairs = tokens.make_pairs(one, tokenizer)
    scored = tokens.mark(tokens.score_tokens(model, tokenizer, pairs), world, pairs)
    found = tokens.memory_map(model, tokenizer, one)
    return TokenStrip(
        scored,
        found.response,
        title="A review, word by word",
        level="word",
        truth="personal",
        memory=found.values,
        memories=found.memories,
        provenance=provenance(data=f"{source}, pocket model", users=1, seeds=1),
    )


def forget(page: Any, topic: str) -> None:
    """Everything about a topic."""
    page.get_by_role("button", name=f"pick everything about {topic}").click()
    page.locator(".wbs-forget").click()
    page.locator(".wbs-removed").first.wait_for()


def pin_the_strongest(page: Any) -> None:
    """The word beyond the colours, and what its memories make of it."""
    page.locator("[data-tab=memory]").click()
    page.locator(".wbt-text .wbt-w", has_text="▲").first.click()
    page.mouse.move(0, 0)


def keep(page: Any, path: Path) -> None:
    """Take the picture."""
    page.screenshot(path=path)
    print(path)


if __name__ == "__main__":
    main()
