"""Put everything that was measured on one page: benchmarks/README.md.

    python benchmarks/report.py

Takes the tables from `benchmarks/results/*.md` as they are; a test holds the page to them.
"""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
HEAD = """# What was measured

This page is made by `python benchmarks/report.py` from the files in `results/`, which the benchmarks write. Run them with
the Python of `.venv`; they resume where they were stopped, and those that need real data take `--data FOLDER` or
`WORKBENCH_DATA`. Numbers that miss their goal stand beside it.
"""
ORDER = ["side_by_side", "collaborative", "gowalla", "diginetica_counted", "diginetica_trained", "tafeng_counted"]
ORDER += ["tafeng_trained", "schemes", "search", "scaling", "boomerang", "ease", "smallest"]


def page() -> str:
    """The page: what is in `ORDER` first, then anything else by name."""
    found = {path.stem: path for path in sorted((HERE / "results").glob("*.md"))}
    names = [name for name in ORDER if name in found] + sorted(set(found) - set(ORDER))
    titles = {name: found[name].read_text(encoding="utf-8").lstrip("# ").split("\n")[0] for name in names}
    lines = [HEAD, "| what | command |", "|---|---|"]
    lines += [f"| [{titles[name]}](results/{name}.md) | `python benchmarks/{name}.py` |" for name in names]
    for name in names:
        text = found[name].read_text(encoding="utf-8").strip()
        text = re.sub(r"(?m)^(#+) ", r"#\1 ", text)  # one level down
        lines += ["", re.sub(r"\]\((?!https?:|#|\.\./)([^)]+)\)", r"](results/\1)", text)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (HERE / "README.md").write_text(page(), encoding="utf-8")
