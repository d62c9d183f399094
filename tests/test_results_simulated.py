"""The results page quotes the simulator, GRPO, the forecast and the year as their files have them."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SAID = {
    "Where next": "simulator",
    "How many visits": "curve",
    "What the reward taught": "grpo",
    "A forecast, and a year": ("forecast", "year"),
}


def _plain(text: str) -> str:
    """Numbers in one form: 0.313 and .313 alike, one minus."""
    return re.sub(r"\b0\.", ".", text.replace("−", "-"))


@pytest.mark.parametrize("title", SAID)
def test_every_interval_on_the_results_page_is_one_that_was_measured(title):
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    (own,) = [part for part in page.split("\n\n") if part.startswith(f"**{title}.**")]
    names = SAID[title]
    names = (names,) if isinstance(names, str) else names
    files = [ROOT / "benchmarks" / "results" / f"{name}.md" for name in names]
    measured = _plain("".join(file.read_text(encoding="utf-8") for file in files))
    quoted = _plain(" ".join(own.split())).split("[")
    assert len(quoted) > 3
    for before, after in pairwise(quoted):
        if "]" in after and after[0] in "+-.":
            value = before.split()[-1].lstrip("(")
            found = f"{value} [{after.split(']')[0]}]"
            assert found in measured or found.replace("+", "") in measured, found
