"""How long the forget screen takes: first state, then a press for each sentence and topic, in
Python and in the file.

    python benchmarks/screen.py [--user 187 --topic "Horror novels"]

The goal is 0.3 s a press. The part in the exported file needs playwright and a Chromium.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.data import load_world
from workbench.doctor import find_chromium
from workbench.ledger import Service
from workbench.recommend import EASE
from workbench.views import Screen, export

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
ASK = (
    "async (action) => { const began = performance.now(); await compute(action); "
    "return performance.now() - began; }"
)


def main() -> None:
    """Print one line a measurement: smallest, median, largest, in seconds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--user", type=int, default=187)
    parser.add_argument("--topic", default="Horror novels")
    asked = parser.parse_args()
    started = time.perf_counter()
    world = load_world()
    screen = Screen(Service.build(world.log, world.catalogue, EASE()), asked.user, asked.topic)
    rows = screen.state["history"]
    print(f"world, model and first state: {time.perf_counter() - started:.2f} s; {len(rows)} rows")
    requests = [sentence["smallest"] for sentence in screen.state["sentences"]]
    requests.append([row["interaction"] for row in rows if asked.topic in row["topics"]])
    switches = {one["name"]: one["on"] for one in screen.state["switches"]}
    actions = [
        {"interactions": ids, "topic": asked.topic, "switches": switches} for ids in requests
    ]
    report("Python", actions, lambda action: _timed(screen, action))
    if find_chromium():
        in_the_file(screen, actions)


def in_the_file(screen: Screen, actions: list[dict[str, Any]]) -> None:
    """The same presses answered by the exported page (its policy lifted, so that its function can
    be called)."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        path = export(screen, Path(folder) / "screen.html")
        size, text = path.stat().st_size, path.read_text(encoding="utf-8")
        text = text.replace("draw(document", "window.compute = engine(payload); draw(document")
        path.write_text(re.sub(r"<meta http-equiv[^>]*>", "", text), encoding="utf-8")
        page = driver.chromium.launch(executable_path=find_chromium(), args=FLAGS).new_page()
        page.goto(path.as_uri())
        page.wait_for_function("() => window.compute")
        report(
            f"file of {size / 1000:.0f} kB",
            actions,
            lambda action: page.evaluate(ASK, action) / 1000,
        )


def report(
    name: str, actions: list[dict[str, Any]], seconds: Callable[[dict[str, Any]], float]
) -> None:
    """One line: the fastest, the middle and the slowest press."""
    taken = [seconds(action) for action in actions]
    spread = f"{min(taken):.3f} / {statistics.median(taken):.3f} / {max(taken):.3f} s"
    print(f"{name}: {spread} over {len(taken)} presses (smallest / median / largest)")


def _timed(screen: Screen, action: dict[str, Any]) -> float:
    started = time.perf_counter()
    screen.act(action)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
