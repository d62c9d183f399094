"""Make the README's picture: the exported forget screen, after Forget, in light and dark.

    python benchmarks/screenshot.py [--user 187 --topic "Horror novels" --out docs]

Needs playwright and a Chromium on the machine (WORKBENCH_CHROMIUM may name one).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from workbench.data import load_world
from workbench.doctor import find_chromium
from workbench.ledger import Service
from workbench.recommend import EASE
from workbench.settings import ROOT
from workbench.views import Screen, export

SIZE = {"width": 1440, "height": 900}


def main() -> None:
    """Export, open, press the button, take the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--user", type=int, default=187)
    parser.add_argument("--topic", default="Horror novels")
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    world = load_world()
    screen = Screen(
        Service.build(world.log, world.catalogue, EASE()),
        asked.user,
        asked.topic,
        data=f"generated world {world.version}",
    )
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        address = export(screen, Path(folder) / "screen.html").as_uri()
        chromium = driver.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        for scheme in ("light", "dark"):
            page = chromium.new_page(viewport=SIZE, color_scheme=scheme)
            page.goto(address)
            page.get_by_role("button", name=f"pick everything about {asked.topic}").click()
            page.locator(".wbs-forget").click()
            page.locator(".wbs-removed").first.wait_for()
            page.screenshot(path=asked.out / f"screen-{scheme}.png")
            print(asked.out / f"screen-{scheme}.png")
        chromium.close()


if __name__ == "__main__":
    main()
