"""What bringing a language model costs: by hub id, folder, adapter and file, each in a process of its
own.

    python benchmarks/loading.py --models FOLDER [--repeats 3] [--ways file ...]

FOLDER holds one GGUF file and the same model as a folder `hf`. The hub id is that folder laid into a
cache as a download lays it; the adapter a LoRA of rank 8 over the folder. *First* converts the
tokenizer, *again* finds it in the cache. Seconds by the wall and of the processor are from the
interpreter's start, imports included; memory is the most that the process held. Writes
`benchmarks/results/loading.csv` and `.md`.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from boomerang import RESULTS, markdown

from workbench.settings import physical_memory

ID = "someone/a-model"
LOAD = """
import json, os, sys, time
sys.path.insert(0, sys.argv[3])
from rivals.measure import peak_mb
from workbench.language import load_causal_lm
model, tokenizer = load_causal_lm(sys.argv[1], dtype=sys.argv[2])
held = sum(one.numel() * one.element_size() for one in model.parameters())
spent = {"CPU s": time.process_time(), "peak MB": peak_mb() * 2**20 / 1e6, "weights MB": held / 1e6}
print(json.dumps(spent | {"told": str(getattr(model, "read_from", ""))}))
"""


def as_hub(folder: Path, cache: Path) -> None:
    """A folder as the hub's cache has one."""
    place = cache / f"models--{ID.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("0" * 40)
    shutil.copytree(folder, place / "snapshots" / ("0" * 40))


def as_adapter(folder: Path, target: Path) -> None:
    """A LoRA of random weights over a folder."""
    import peft

    from workbench.language import load_causal_lm

    model, _ = load_causal_lm(folder)
    config = peft.LoraConfig(r=8, target_modules="all-linear", init_lora_weights=False)
    peft.get_peft_model(model, config).save_pretrained(target)


def measure(what: str, name: object, dtype: str, places: dict[str, str]) -> dict[str, object]:
    """One way, in a process of its own; the way is named by `what`."""
    command = [sys.executable, "-c", LOAD, str(name), dtype, str(Path(__file__).parent)]
    begun = datetime.datetime.now()
    done = subprocess.run(command, env=os.environ | places, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    seconds = (datetime.datetime.now() - begun).total_seconds()
    found = json.loads(done.stdout.splitlines()[-1])
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return {"way": what, "dtype": dtype, "seconds": seconds, **found, "load": busy}


def size_of(path: Path) -> float:
    """Megabytes on disk."""
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(one.stat().st_size for one in files) / 1e6


WAYS = {
    "hub id": ["float32"],
    "folder": ["float32", "bfloat16"],
    "adapter": ["float32"],
    "file": ["first", "float32", "bfloat16"],
}


def main(models: Path, repeats: int, ways: list[str]) -> None:
    """Measure ways in turn, several times over; what was measured of others stays."""
    (file,), folder = models.glob("*.gguf"), models / "hf"
    rows, kept = [], RESULTS / "loading.csv"
    with tempfile.TemporaryDirectory() as work:
        cache, hub, adapter = Path(work, "cache"), Path(work, "hub"), Path(work, "adapter")
        if "hub id" in ways:
            as_hub(folder, hub)
        if "adapter" in ways:
            as_adapter(folder, adapter)
        places = {"WORKBENCH_CACHE": str(cache), "HF_HUB_CACHE": str(hub), "HF_HUB_OFFLINE": "1"}
        names = {"hub id": ID, "folder": folder, "adapter": adapter, "file": file}
        for _ in range(repeats):
            shutil.rmtree(cache, ignore_errors=True)
            for way in ways:
                size = size_of(folder if way == "hub id" else names[way])
                for how in WAYS[way]:
                    first = how == "first"
                    told = "file, first" if first else "file, again" if way == "file" else way
                    row = measure(told, names[way], "float32" if first else how, places)
                    rows.append(row | {"MB on disk": size})
    table = pd.DataFrame(rows)
    if kept.exists():
        before = pd.read_csv(kept)
        table = pd.concat([before[~before["way"].isin(table["way"])], table], ignore_index=True)
    table.to_csv(kept, index=False, float_format="%.2f")
    write(table)


GOAL = 15
"""Most seconds of a file's second load."""


def write(table: pd.DataFrame) -> None:
    """The page: medians, what the file was, and the machine."""
    told = next((one for one in table["told"] if isinstance(one, str) and one), "not measured")
    order = {name: place for place, name in enumerate(["hub id", "folder", "adapter"])}
    table = table.sort_values("way", key=lambda ways: ways.map(order).fillna(9), kind="stable")
    groups = table.drop(columns="told").groupby(["way", "dtype"], sort=False)
    shown = groups.median().assign(runs=groups.size())
    # the goal, and whether it is met
    again = table[(table["way"] == "file, again") & (table["dtype"] == "float32")]
    took = again[["seconds", "CPU s"]].median()
    met = "met" if took["seconds"] <= GOAL else "missed"
    goal = f"The goal is {GOAL} s by the wall for a file loaded again as float32. It is {met}: "
    goal += f"{took['seconds']:.1f} s, {took['CPU s']:.1f} of them the processor's."
    if again.empty:
        goal = "A file was not loaded again."
    many = "Medians of the runs, each" if shown["runs"].max() > 1 else "One run of each,"
    shown = shown.round({"seconds": 1, "CPU s": 1, "load": 1}).reset_index()
    for name in ("MB on disk", "peak MB", "weights MB"):
        shown[name] = [f"{value:,.0f}" for value in shown[name]]
    memory = physical_memory() / 1e9
    machine = f"{os.cpu_count()} cores, {memory:.0f} GB, {platform.machine()}, 1 thread"
    lines = [
        "# Bringing a language model: seconds and memory",
        "Made by `python benchmarks/loading.py`.",
        markdown(shown),
        f"The file: `{told}`.",
        goal,
        f"{many} in a process of its own; seconds from the interpreter's start, "
        "imports included. *Load*: processes that wanted a core in the last minute, this one among "
        "them; above the number of cores the seconds by the wall are those of a busy machine, and "
        "the processor's say what an idle one takes at most. *First* converts the tokenizer. "
        f"{datetime.date.today()}: {machine}.",
    ]
    (RESULTS / "loading.md").write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    print((RESULTS / "loading.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    options = parser.parse_args()
    main(options.models.resolve(), options.repeats, options.ways)
