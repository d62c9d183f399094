"""Put everything that was measured on one page: benchmarks/README.md.

    python benchmarks/report.py

Takes the tables from `benchmarks/results/*.md` as they are; a test holds the page to them.
"""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
HEAD = """# What was measured

This page is made by `python benchmarks/report.py` from the files in `results/`, which the benchmarks write. Run them
with the Python of `.venv`; they resume where they were stopped, and those that need real data take `--data FOLDER` or
`WORKBENCH_DATA`. Numbers that miss their goal stand beside it. `side_by_side.py` wants the rivals' environments, made
as [rivals/README.md](rivals/README.md) says, and leaves out those that it is not told of.
"""
ORDER = [
    "side_by_side",
    "collaborative",
    "gowalla",
    "diginetica_counted",
    "diginetica_trained",
    "tafeng_counted",
]
ORDER += ["tafeng_trained", "schemes", "search", "scaling", "boomerang", "ease", "smallest"]
ORDER += ["contrast"]
RECBOLE = "--recbole recbole/bin/python"
OTHERS = "--implicit implicit/bin/python --rectools rectools/bin/python"
COMMANDS = {  # where the plain script is not the command, or not the whole of it
    "side_by_side": [
        f"--stage timing {RECBOLE} {OTHERS}",
        f"--stage quality {RECBOLE} --jobs 2",
        f"--stage published {RECBOLE}",
    ],
    "contrast": ["--inseq inseq/bin/python"],
    "reviews": ["--seeds 5"],
    "world_b": ["--seeds 3"],
    "loading": ["--models FOLDER"],
    "real_model": ["--model FOLDER"],
    "writers": ['--model "Gemma 3, 268 million weights, base=FOLDER"'],
    "curvature": [
        "--steps 100 --damping .01 --models LightGCN GRU4Rec --scaled yes no",
        "--steps 100 --damping .01 --models SASRec",
        "--steps 100 --damping .01 --models LightGCN --bases 2 --curvatures gauss_newton hessian",
        '--steps 100 --damping .1 .01 .001 --models LightGCN GRU4Rec --topics "Crime novels" '
        "--curvatures gauss_newton",
    ],
}


def commands(name: str) -> list[str]:
    """What has to be called, one after the other, for a file of results."""
    return [
        f"python benchmarks/{name}.py {options}".strip() for options in COMMANDS.get(name, [""])
    ]


def page() -> str:
    """The page: what is in `ORDER` first, then anything else by name."""
    found = {path.stem: path for path in sorted((HERE / "results").glob("*.md"))}
    names = [name for name in ORDER if name in found] + sorted(set(found) - set(ORDER))
    titles = {
        name: found[name].read_text(encoding="utf-8").lstrip("# ").split("\n")[0] for name in names
    }
    lines = [HEAD, "| what | command |", "|---|---|"]
    lines += [
        f"| [{titles[name]}](results/{name}.md) | {'; '.join(map('`{}`'.format, commands(name)))} |"
        for name in names
    ]
    for name in names:
        text = found[name].read_text(encoding="utf-8").strip()
        text = re.sub(r"(?m)^(#+) ", r"#\1 ", text)  # one level down
        lines += ["", re.sub(r"\]\((?!https?:|#|\.\./)([^)]+)\)", r"](results/\1)", text)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (HERE / "README.md").write_text(page(), encoding="utf-8")
