"""README and results page quote measurements: each must stand in the file that the benchmark wrote."""

import importlib.util
import json
import re
import shlex
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from tests import shelves
from tools.starting import COMMANDS
from workbench import cli
from workbench.data import open_data, read

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
LATEST = RESULTS.split("\n# Earlier versions")[0]
BOOMERANG = (ROOT / "benchmarks" / "results" / "boomerang.md").read_text(encoding="utf-8")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def measured() -> pd.DataFrame:
    """Every row of the benchmark's three tables, by model and genre."""
    rows = []
    for model in ("EASE", "ItemKNN", "Popularity"):
        table = BOOMERANG.split(f"## {model}\n")[1].split("\n## ")[0]
        lines = [cells(line) for line in table.splitlines() if line.startswith("|")]
        rows += [dict(zip(lines[0], line, strict=True)) | {"model": model} for line in lines[2:]]
    return pd.DataFrame(rows).set_index(["model", "genre"])


def test_the_boomerang_table_is_the_one_measured():
    lines = [
        line
        for line in LATEST.splitlines()
        if re.match(r"\| (model|EASE|ItemKNN|Popularity) \|", line)
    ]
    heads = cells(lines[0])
    renamed = {"after, with tombstone": "with tombstone"}
    table = measured()
    assert len(lines) == 1 + 11 + 4
    for line in lines[1:]:
        told = dict(zip(heads, cells(line), strict=True))
        row = table.loc[(told.pop("model"), told.pop("genre"))]
        assert told == {head: row[renamed.get(head, head)] for head in told}


def test_the_ranges_and_the_influence_on_others_are_the_ones_measured():
    ease = measured().loc["EASE"]
    for column in ("AUC", "AUC, deleted films hidden"):
        values = ease[column].str.split().str[0]
        assert f"{values.min()[1:]} to {values.max()[1:]}" in LATEST
    assert "| EASE | 0.084 [0.075, 0.092] | 0.175 | 100 |" in BOOMERANG
    assert "8.4 % [7.5, 9.2]" in LATEST and "17.5 %" in LATEST


def test_the_words_table_is_the_one_of_the_training_card():
    card = (ROOT / "data" / "pocket" / "TRAINING_CARD.md").read_text(encoding="utf-8")
    found = {tuple(row[:2]): row[2] for row in map(cells, card.splitlines()) if len(row) == 4}
    lines = [
        cells(line)
        for line in LATEST.splitlines()
        if re.match(r"\| (sentence|first word|word) \|", line)
    ]
    assert len(lines) == 3
    for unit, *told in lines:
        assert told == [
            found[unit, score] for score in ("pir", "pir_other", "loss", "entropy", "word_match")
        ]


def test_the_timings_of_ease_are_the_ones_measured():
    ease = (ROOT / "benchmarks" / "results" / "ease.md").read_text(encoding="utf-8")
    row = next(cells(line) for line in ease.splitlines() if line.startswith("| 1,008 |"))
    assert f"median {row[2]}, slowest of 40 {row[3]}" in LATEST
    assert f"scores {row[6]}" in LATEST


def test_the_seconds_per_epoch_are_the_ones_measured():
    page = (ROOT / "benchmarks" / "results" / "side_by_side.md").read_text(encoding="utf-8")
    found = [cells(line) for line in page.splitlines() if "| epoch, RecBole |" in line]
    told = LATEST.split("| method | ours | RecBole |")[1].split("\n\n")[0].splitlines()[2:]
    assert [cells(line) for line in told] == [[row[0], *row[2:6]] for row in found] and len(
        found
    ) == 7
    ranking = [cells(line)[4] for line in page.splitlines() if "its default batch" in line]
    few = sorted(float(text.rstrip("×")) for text in ranking[:3])
    assert f"{few[0]:.1f} to {few[-1]:.1f} times" in LATEST
    rest = sorted(float(text.rstrip("×")) for text in ranking[3:])
    assert f"{rest[0]:.2f} to {rest[-1]:.2f} times" in LATEST
    for what in ("| epoch, implicit |", "| epoch, rectools |"):
        assert (
            next(cells(line)[4].lstrip("0") for line in page.splitlines() if what in line) in LATEST
        )


def test_the_reproduced_numbers_are_the_ones_measured():
    results = ROOT / "benchmarks" / "results"
    row = next(
        line
        for line in (results / "diginetica_counted.md").read_text("utf-8").splitlines()
        if "| VSKNN" in line
    )
    reached = [cell.split()[0] for cell in cells(row)[1:3]]
    assert " / ".join(reached) in LATEST and cells(row)[3] in LATEST
    row = next(
        line
        for line in (results / "tafeng_counted.md").read_text("utf-8").splitlines()
        if "| TIFU-KNN | 10" in line
    )
    assert cells(row)[2].split()[0].lstrip("0") in LATEST


WORDS = {
    "perce": r"\| (PerCE|its weights|cross-entropy, as|highest loss|NextQuill|the planted words)",
    "world_b": r"\| (nothing|history retrieved|facts told|style told|a memory item)",
    "reviews": r"(five seeds of fine-tuning|reviews hold too it is)",
    "strip": r"\| the live strip",
    "perce_step": r"\| a PerCE step",
}


@pytest.mark.parametrize("name", WORDS)
def test_the_numbers_about_words_are_the_ones_measured(name):
    page = (ROOT / "benchmarks" / "results" / f"{name}.md").read_text(encoding="utf-8")
    rows = [line for line in LATEST.splitlines() if re.match(WORDS[name], line)]
    numbers = {
        number for row in rows for number in re.findall(r"[+-]?\d*\.\d+(?:%| \[[^\]]+\])?", row)
    }
    assert len(rows) >= WORDS[name].count("|") and numbers
    assert not (absent := sorted(number for number in numbers if number not in page)), absent


def printed(name: str) -> str:
    """What the cells of a notebook print, joined."""
    notebook = json.loads(next(ROOT.glob(f"notebooks/{name}_*.ipynb")).read_text(encoding="utf-8"))
    outputs = [out for cell in notebook["cells"] for out in cell.get("outputs", [])]
    return "".join("".join(out.get("text", [])) for out in outputs)


def test_the_table_of_sentences_is_what_the_notebooks_print():
    told = LATEST.split("## A sentence that comes back")[1].split("\n## ")[0]
    rows = [cells(line) for line in told.splitlines() if re.search(r"\((00|40)\) \|", line)]
    numbers = [[int(re.match(r"\d+", cell)[0]) for cell in row[1:]] for row in rows]
    # one line a count, in the order of the columns
    assert numbers[0] == [int(n) for n in re.findall(r"(\d+) of 92 ", printed("00"))]
    # a table with a line for each act, and a line for what comes back
    text = printed("40")
    acts = re.findall(r"^(as served|forget|placebo) +(\d+) +(\d+)$", text, re.MULTILINE)
    (_, before, _), (_, after, again), (_, placebo, own) = acts
    back = re.search(r"\{'request': (\d+), 'placebo': (\d+)\}", text).groups()
    assert numbers[1] == [int(n) for n in (before, after, placebo, again, own, *back)]


def test_what_scoring_costs_is_what_was_measured():
    table = pd.read_csv(ROOT / "benchmarks" / "results" / "contrast.csv")
    told = next(part for part in LATEST.split("\n\n") if part.startswith("**What scoring costs.**"))
    ratio, times = table["over_plain"], table["inseq"] / (table["score_tokens"] / table["scored"])
    assert (
        f"{ratio.min():.2f} to {ratio.max():.2f} times" in told
        and f"{times.min():.0f} to {times.max():.0f} times" in told
    )
    assert f"{len(table)} settings" in told and f"{table['inseq_difference'].max():.1e}" in told


def test_the_front_page_is_short_and_its_numbers_stand_on_the_results_page():
    assert len(README.splitlines()) <= 130
    found = README.split("## What it found")[1].split("\n## ")[0]
    numbers = set(re.findall(r"[+−-]?\d?\.\d+(?: ?%)?(?: \[[^\]]+\])?", found))
    assert len(numbers) >= 6
    assert not (absent := sorted(number for number in numbers if number not in LATEST)), absent


def test_the_commands_of_the_front_page_are_ones_that_exist():
    words = set(re.findall(r"python start\.py (\w+)", README))
    assert {"lab", "test", "site", "doctor", "data"} <= words
    assert words <= COMMANDS


def test_the_size_that_is_told_is_the_one_counted():
    sums = Counter()
    for path in shelves.files():
        sums[shelves.shelf_of(path)] += shelves.size(path)[1]
    told = {"science core": r"core is ([\d,]+) tokens", "doors": r"([\d,]+) more, where"}
    told["package"] = r"package is ([\d,]+) where"
    for page in (README, LATEST):
        text = " ".join(page.split())
        for name, words in told.items():
            counted = sums.total() if name == "package" else sums[name]
            number = re.search(words, text)[1]
            assert abs(int(number.replace(",", "")) - counted) < 1_000, (name, counted)


def test_the_lines_for_own_data_work_in_their_order(tmp_path, monkeypatch):
    block = README.split("## Your own data")[1].split("```")[1]
    lines = [line.split("#")[0].split() for line in block.strip().splitlines()]
    assert lines[0][0] == "export" and lines[-1][:3] == ["python", "start.py", "lab"]
    name, _, folder = lines[0][1].partition("=")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(name, folder)
    monkeypatch.chdir(tmp_path)
    rows = [f"u{u},p{(u + i) % 9},{1546300800 + 99 * i}" for u in range(12) for i in range(9)]
    Path("clicks.csv").write_text("\n".join(["user,item,time", *rows]))
    items = [f"p{i},Lamp {i},{'Light' if i < 3 else 'Floor'}" for i in range(9)]
    Path("products.csv").write_text("\n".join(["item,title,topics", *items]))
    for words in lines[1:-1]:
        done = CliRunner().invoke(cli.app, words[2:], input="y\n")
        assert done.exit_code == 0, done.output
    opened = open_data("clicks")
    assert len(opened.log) == 108 and len(opened.catalogue.items_of("Light")) == 3
    # the first notebook of that folder is the one that `add` names, and all of it runs as it is
    notebook = min((ROOT / lines[-1][3]).glob("*.ipynb"))
    assert notebook.name in done.output
    names: dict = {}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    assert names["topic"] == "Light" and names["screen"].state["history"]
    assert len(names["forgotten"].interactions) == 3


def test_what_is_said_of_own_data_are_options_and_names_that_there_are():
    told = README.split("## Your own data")[1].split("\n## ")[0].split("```")[2]
    options = {
        option
        for words in re.findall(r"`([^`]+)`", told)
        for option in re.findall(r"--[a-z-]+", words)
    }
    asked = {"add": cli.data_add, "report": cli.report, "purge": cli.purge}
    known = {name.replace("_", "-") for one in asked.values() for name in one.__annotations__}
    assert {"--items", "--action", "--drop", "--column", "--item-column"} <= options
    assert {option.removeprefix("--") for option in options} <= known
    assert "`data.read(…)`" in told and callable(read)


def report():
    """benchmarks/report.py, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("report", ROOT / "benchmarks" / "report.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_measurements_is_what_report_would_write():
    page = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert page == report().page(), "run: python benchmarks/report.py"


def test_the_commands_of_that_page_name_scripts_and_their_options():
    module = report()
    for path in (ROOT / "benchmarks" / "results").glob("*.md"):
        for command in module.commands(path.stem):
            python, script, *options = shlex.split(command)
            code = (ROOT / script).read_text(encoding="utf-8")
            code = code.replace(
                'f"--{name}"', "".join(f'"--{n}"' for n in ("recbole", "implicit", "rectools"))
            )
            asked = re.findall(r'add_argument\("(--[\w-]+)"[^\n]*required=True', code)
            given = [option for option in options if option.startswith("--")]
            assert python == "python" and set(asked) <= set(given), command
            assert all(f'"{option}"' in code for option in given), command


UNLEARNING = (ROOT / "benchmarks" / "results" / "unlearning_ml100k.md").read_text(encoding="utf-8")


def unlearned(part: str, columns: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """The lines of one part of the benchmark's page, by method, of its tables with these columns."""
    page = UNLEARNING.split(f"## {part}\n")[1].split("\n## ")[0]
    found: dict[str, dict[str, str]] = {}
    heads: list[str] = []
    for line in filter(lambda line: line.startswith("|"), page.splitlines()):
        if line.startswith("| method"):
            heads = cells(line)
        elif heads and set(line) - set("|- "):
            told = dict(zip(heads, cells(line), strict=False))
            found.setdefault(told["method"], {}).update(
                {name: told[name] for name in columns if name in told}
            )
    return found


def test_the_table_of_requests_is_the_one_measured():
    distance, exposed = "deleted, minus retrain [95 %]", "exposed, minus retrain [95 %]"
    columns = (distance, "verdict", exposed, "RelEff [95 %]")
    table = unlearned("BPR, Horror, l2 = 0.01", columns)
    section = LATEST.split("## Requests one after another\n")[1].split("\n## ")[0]
    lines = [cells(line) for line in section.splitlines() if line.startswith("| ")][1:]
    assert len(lines) == 18
    for name, *told in lines:
        row = table[name]
        shown, kept = (row[column].split()[0] for column in columns[2:])
        assert told == [row[distance], row["verdict"], shown, kept]


def test_what_is_said_of_the_seven_is_what_was_measured():
    distance = "deleted, minus retrain [95 %]"
    table = unlearned("BPR, Horror, l2 = 0.01", (distance, "verdict"))
    seven = ("SCIF", "Kookmin", "Fanchuan", "SEIF", "GIF", "CEU", "IDEA")
    modes = [f"{name}, {mode}" for name in seven for mode in ("corrected", "as in the fork")]
    assert {table[name]["verdict"] for name in modes} == {"different"}
    far = {name: float(table[name][distance].split()[0]) for name in table}
    behind = [name for name in seven if far[f"{name}, corrected"] > far["half-way (planted)"]]
    assert len(behind) == 6 and min(seven, key=lambda name: far[f"{name}, corrected"]) == "IDEA"
    assert table["SISA"]["verdict"] == "equivalent"


def test_the_numbers_of_requests_in_the_readme_are_the_ones_measured():
    distance = "deleted, minus retrain [95 %]"
    table = unlearned("BPR, Horror, l2 = 0.01", (distance, "verdict"))
    said = README.split("**A request**")[1].split("\n\n")[0].replace("−", "-")
    for name in ("no-op", "IDEA, corrected", "warm start, batched", "bounded ascent"):
        assert table[name][distance].split()[0] in said
        assert table[name]["verdict"] == "different"
    assert table["retrain, held out"]["verdict"] == "equivalent"
    placebo = unlearned("BPR, Horror, placebo, l2 = 0.01", (distance,))["no-op"][distance]
    assert placebo.split()[0] in said


def test_what_bringing_a_model_costs_is_what_was_measured():
    table = pd.read_csv(ROOT / "benchmarks" / "results" / "loading.csv")
    cost = table[table["dtype"] == "float32"].groupby("way").median(numeric_only=True)
    told = " ".join(README.split("268 million weights take")[1].split("\n\n")[0].split())
    folder, first, again = (cost.loc[way] for way in ("folder", "file, first", "file, again"))
    for way, disk in ((folder, "folder"), (first, "file")):
        memory = f"{way['CPU s']:.0f} processor seconds and {way['peak MB'] / 1000:.1f} GB"
        memory = memory if disk == "folder" else memory.replace(" processor seconds", "")
        assert f"{memory} by {disk} ({way['MB on disk']:.0f} MB)" in told
    # the goal of a second load, and whether it is met, there and on the page of the benchmark
    met = "met" if again["seconds"] <= 15 else "missed"
    assert f", then {again['CPU s']:.0f} ({again['seconds']:.0f} s in all; goal 15: {met})" in told
    page = (ROOT / "benchmarks" / "results" / "loading.md").read_text(encoding="utf-8")
    assert "The goal is 15 s by the wall" in page and f"It is {met}: " in page
    assert f"{again['seconds']:.1f} s, {again['CPU s']:.1f} of them the processor's" in page
    runs = table.groupby(["way", "dtype"]).size().max()
    assert ("one run" in told) == (runs == 1) == ("Medians" not in page)
    # a second time is the cheaper one, or keeping the tokenizer would be for nothing
    assert again["CPU s"] < first["CPU s"] / 2 and (table["load"] > 2).all()
