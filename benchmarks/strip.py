"""How long the live strip takes on a long text: first paint, hover, the slower gestures, in
headless Chromium.

    python benchmarks/strip.py [--tokens 20000 --runs 5]

Goals: first paint at most 2 s, hover at most 100 ms. Writes results/strip.md. Needs playwright and
a Chromium.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.doctor import find_chromium
from workbench.views import TokenStrip, export

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
]
# the moment after the frame in which the first live word has been painted, from the start of the
# navigation
PAINTED = """new MutationObserver((_, seen) => {
  if (!document.querySelector('.wbt-w')) return;
  seen.disconnect();
  requestAnimationFrame(() => setTimeout(() => (window.painted = performance.now())));
}).observe(document, { childList: true, subtree: true });"""
# from an event to the end of the frame that shows what came of it
GESTURE = """async ([find, at, make]) => {
  const element = document.querySelectorAll(find)[at];
  const began = performance.now();
  new Function('element', make)(element);
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - began;
}"""
OVER = "element.dispatchEvent(new PointerEvent('pointerover', { bubbles: true }))"
CHOOSE = "element.value = '{}'; element.dispatchEvent(new Event('change'))"
GESTURES = {
    "hover": (".wbt-w", 1, OVER, 0.1),
    "pin": (".wbt-w", 2, "element.click()", None),
    "level: word": (".wbt-controls select", 1, CHOOSE.format("word"), None),
    "level: token": (".wbt-controls select", 1, CHOOSE.format("token"), None),
    "score": (".wbt-controls select", 0, CHOOSE.format("entropy"), None),
    "two personas": ("[data-tab=compare]", 0, "element.click()", None),
    "truth, threshold": ("[data-tab=truth]", 0, "element.click()", None),
    "clip lens": ("[data-tab=clip]", 0, "element.click()", None),
    "m": (
        "input[data-key=m]",
        0,
        "element.value = 1; element.dispatchEvent(new Event('input'))",
        None,
    ),
}


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tokens", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    strip = long_strip(asked.tokens)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        path = export(strip, Path(folder) / "strip.html")
        made, size = time.perf_counter() - began, path.stat().st_size
        seen = in_chromium(path, asked.runs)
    rows = [("first paint of live words", seen.pop("first paint"), 2.0)]
    rows += [(name, seconds, GESTURES[name][3]) for name, seconds in seen.items()]
    text = page(asked.tokens, asked.runs, made, size, rows)
    (Path(__file__).parent / "results" / "strip.md").write_text(text, encoding="utf-8")
    print(text)


def long_strip(count: int, seed: int = 0) -> TokenStrip:
    """A text of drawn words with drawn scores: two personas, planted truth, four scores."""
    rng = np.random.default_rng(seed)
    words = [
        "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), rng.integers(2, 9)))
        for _ in range(4000)
    ]
    ends = ["" if i % 17 < 16 else "." if i % 340 < 339 else ".\n\n" for i in range(count)]
    said = [f"{' ' * (i > 0)}{words[rng.integers(4000)]}{ends[i]}" for i in range(count)]
    end = np.cumsum([len(piece) for piece in said])
    pir = rng.normal(0, 0.25, count) + (rng.random(count) < 0.05) * rng.exponential(2, count)
    table = pd.DataFrame(
        {
            "text": 0,
            "position": range(count),
            "start": end - [len(piece) for piece in said],
            "end": end,
        }
    )
    table = table.assign(
        log_prob_with=-rng.exponential(2, count), pir=pir, kl=np.abs(pir), entropy=np.abs(pir) + 1
    )
    table = table.assign(log_prob_without=table["log_prob_with"] - pir, personal=pir > 1)
    return TokenStrip(
        table, "".join(said), truth="personal", against=table.assign(pir=-pir), title="A long text"
    )


def in_chromium(path: Path, runs: int) -> dict[str, list[float]]:
    """Seconds of each gesture in each run; every run opens the file afresh."""
    from playwright.sync_api import sync_playwright

    taken: dict[str, list[float]] = {}
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        for _ in range(runs):
            view: Any = chromium.new_page(viewport={"width": 1440, "height": 900})
            view.add_init_script(PAINTED)
            view.goto(path.as_uri())
            view.wait_for_function("() => window.painted", timeout=60_000)
            taken.setdefault("first paint", []).append(view.evaluate("() => window.painted") / 1000)
            for name, (find, at, make, _) in GESTURES.items():
                places = range(at, at + 200, 20) if name == "hover" else [at]
                for place in places:
                    taken.setdefault(name, []).append(
                        view.evaluate(GESTURE, [find, place, make]) / 1000
                    )
            view.close()
        chromium.close()
    return taken


def page(
    tokens: int,
    runs: int,
    made: float,
    size: int,
    rows: list[tuple[str, list[float], float | None]],
) -> str:
    """The page of results: every figure beside its goal."""
    lines = [
        f"# The live strip, {tokens:,} tokens",
        "",
        "Made by `python benchmarks/strip.py`.",
        "",
    ]
    lines += ["| what | median | slowest | times | goal | verdict |", "|---|---|---|---|---|---|"]
    for name, seconds, goal in rows:
        middle, worst = statistics.median(seconds), max(seconds)
        verdict = (
            ""
            if goal is None
            else "met"
            if worst <= goal
            else "median met"
            if middle <= goal
            else "**missed**"
        )
        told = "" if goal is None else f"≤ {goal:g} s"
        lines.append(
            f"| {name} | {middle:.3f} s | {worst:.3f} s | {len(seconds)} | {told} | {verdict} |"
        )
    machine = (
        f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f} when it ended"
    )
    lines += [
        "",
        f"Headless Chromium, the exported file ({size / 1e6:.1f} MB, written in "
        f"{made:.1f} s), opened {runs} times;",
    ]
    lines += [
        "paint counts from the start of the navigation, a gesture from its event "
        "to the end of the next frame."
    ]
    lines += [f"Text and scores are drawn at random (seed 0). {date.today()}: {machine}.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
