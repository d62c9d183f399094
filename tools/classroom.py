"""A folder for a class, and what comes back: `python start.py student` and `check` end here.

A *Your turn* is a code cell tagged `your-turn`. Behind it stand cells tagged `check` (laws that the
students have, too), `solution` and `expected` (asserts on what the cell leaves, with the reason in
words), which they have not. Whoever marks runs the notebook of this repository with the student's
*Your turn* cells in it: of a student's file nothing else is run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from tools import notebooks
from tools.command import answered, count
from workbench import __version__
from workbench.errors import DataError
from workbench.html import visible
from workbench.settings import PACKAGE, ROOT
from workbench.whole import whole_file, whole_folder

MANIFEST, HAND_IN = "class.json", "hand-in.json"
KINDS = {MANIFEST: "folder of notebooks for a class", HAND_IN: "marked hand-in"}
ASKED = {"your-turn", "check", "expected"}
"""Cells that are marked, or mark."""
FOUND = re.compile(r"""(?<=["'])\.\./((?:[\w./-]|\{\w+\})+)""")
"""A file of the repository that a cell opens; what an f-string leaves open stands for any."""
AGAIN = "python start.py student writes one"
WARNING = (
    "The answers are run as JupyterLab would run them: a program of somebody else's, that may do "
    "whatever you may. It runs beside the cells that check it, and can change those: read what "
    "surprises you."
)
LONG, QUIET = 600, {**notebooks.SETTINGS, "PYTHONDONTWRITEBYTECODE": "1"}


@dataclass(frozen=True)
class Mark:
    """One *Your turn*: by which version of the workbench it was marked, passed or not, why, and
    what was answered. Of a notebook that asks nothing, or is none, one mark without a question."""

    notebook: str
    version: str
    question: str
    passed: bool
    why: str
    answer: str


def tags(cell: NotebookNode) -> set[str]:
    """Tags of a cell."""
    return set(cell.metadata.get("tags", []))


# --- to the class ---------------------------------------------------------------------------------


def handed(notebook: NotebookNode, expected: bool = False) -> NotebookNode:
    """The notebook as students get it: without solutions, expected answers and outputs, its files
    beside it.

    expected: keep the cells that hold expected answers, for whoever marks. The version of this
    Python stands in it, so that opening it changes nothing.
    """
    notebook = notebooks.student(nbformat.from_dict(notebook), expected=expected)
    notebook = notebooks.normalise(notebook)
    for cell in notebook.cells:
        kept = sorted(tag for tag in tags(cell) if not tag.startswith("nbval-"))
        cell.metadata.pop("tags", None)
        if kept:
            cell.metadata["tags"] = kept
        if cell.cell_type == "code":
            cell.source = FOUND.sub(r"files/\1", cell.source)
            cell.outputs, cell.execution_count = [], None
    notebook.metadata.setdefault("language_info", NotebookNode(name="python"))
    notebook.metadata.language_info["version"] = platform.python_version()
    return notebook


def hand_out(folder: Path, names: Sequence[str] = ()) -> list[Path]:
    """Write the folder for a class: notebooks, the files they open, and a list of both.

    folder: a free name, an empty folder, or one handed out before and as it was then; `DataError`
    for any other, and nothing of it is changed. names: beginnings of notebooks, all unless told.
    """
    chosen = notebooks.chosen(names)
    with whole_folder(folder, ours=_untouched) as new:
        for path in chosen:
            notebook = notebooks.student(notebooks.read(path))
            code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
            for name in sorted(set(FOUND.findall(code))):
                _copy(name, new / "files")
            notebooks.write(handed(notebook), new / path.name)
        files = {path.relative_to(new).as_posix(): _digest(path) for path in _files(new)}
        made = {"is": KINDS[MANIFEST], "files": files}
        made["versions"] = {path.name: version(path) for path in chosen}
        (new / MANIFEST).write_text(json.dumps(made, indent=1), encoding="utf-8")
    return [folder / path.name for path in chosen]


def _copy(name: str, folder: Path) -> None:
    """Copy a file of the repository, or all that an f-string may mean, under the same name."""
    found = sorted(ROOT.glob(re.sub(r"\{\w+\}", "*", name)))
    if not found:
        raise DataError("a notebook opens it, and it is not there", name, "a committed file")
    for path in found:
        new = folder / path.relative_to(ROOT)
        new.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, new)


def version(path: Path) -> str:
    """Version of the workbench and of a notebook's cells: marks of two that differ are not
    comparable."""
    digest = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        digest.update(file.relative_to(PACKAGE).as_posix().encode())
        digest.update(file.read_bytes().replace(b"\r\n", b"\n"))
    for cell in notebooks.read(path).cells:
        digest.update(cell.source.encode() if cell.cell_type == "code" else b"")
    return f"{__version__}+{digest.hexdigest()[:12]}"


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _untouched(folder: Path) -> bool:
    """Whether a folder is as it was handed out: what somebody worked in is not written over."""
    if not (folder / MANIFEST).is_file():
        return False
    files = _read(folder / MANIFEST)["files"]
    told = {name: digest for name, digest in files.items() if (folder / name).is_file()}
    changed = [name for name, digest in told.items() if _digest(folder / name) != digest]
    if changed:
        what, do = f"somebody worked in {', '.join(changed[:3])}", "name another folder"
        raise DataError(what, str(folder), "a folder as it was handed out", do)
    return True


def _read(path: Path) -> dict[str, Any]:
    """A file of ours; `DataError` for any other."""
    # any file of somebody's: not there, no JSON, nested too deep, or text that cannot be written
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        json.dumps(told, ensure_ascii=False).encode()
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"cannot be read ({error})", str(path), f"a {KINDS[MANIFEST]}") from error
    # its kind, and what that kind holds
    kind = told.get("is") if isinstance(told, dict) else None
    lists = {KINDS[MANIFEST]: ("files", "versions"), KINDS[HAND_IN]: ("marks",)}
    kinds = {"files": dict, "versions": dict, "marks": list}
    known = isinstance(kind, str) and kind in lists
    if not known or not all(isinstance(told.get(k), kinds[k]) for k in lists[kind]):
        expected = " or a ".join(KINDS.values())
        raise DataError("was not written by the workbench", str(path), f"a {expected}")
    # names of files, which are opened
    for name in [name for key in lists[kind] if kinds[key] is dict for name in told[key]]:
        if not _plain(name):
            what = f"lists {_line(name)[:60]!r}"
            raise DataError(what, str(path), "short names of files in its folder", AGAIN)
    return told


def _plain(name: str) -> bool:
    """Whether a name stays in its folder on every system, fits a disk, and hides nothing."""
    inside = {"", ".", ".."}.isdisjoint(name.split("/")) and not re.search(r"[\\:]", name)
    return inside and len(name.encode()) <= 255 and _line(name) == name


def _line(text: str) -> str:
    """Words of somebody's as one line in which nothing hides."""
    return visible(" ".join(text.split()))


# --- back from it ---------------------------------------------------------------------------------


def questions(notebook: NotebookNode) -> dict[str, str]:
    """Id of each *Your turn* cell, and the heading it stands under."""
    found, heading = {}, ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            lines = re.findall(r"^#+ +(.+)$", cell.source, re.MULTILINE)
            heading = lines[-1].strip() if lines else heading
        elif "your-turn" in tags(cell):
            found[cell.id] = heading
    return found


def answers(mine: NotebookNode, asked: NotebookNode) -> dict[str, str]:
    """What a student wrote in each *Your turn* cell, with cells of their own right above or below
    it; unchanged ones are left out."""
    known = {cell.id: cell for cell in asked.cells}
    told: dict[str, str] = {}
    above, current = [], ""
    for cell in mine.cells:
        if cell.id in known:
            own, current = "your-turn" in tags(known[cell.id]), cell.id
            if own and (above or cell.source.strip() != known[cell.id].source.strip()):
                told[current] = "\n".join([*above, cell.source])
            current, above = (current if own else ""), []
        elif cell.cell_type == "code" and cell.source.strip():
            if current:  # right below: it counts even where the cell itself stands as it was
                told[current] = "\n".join([told.get(current, known[current].source), cell.source])
            else:
                above.append(cell.source)
    return told


def marked(path: Path, told: Mapping[str, str], seconds: int = 60) -> dict[str, tuple[bool, str]]:
    """Run a notebook of the repository with these answers in it: passed or not, and why, by id of
    the question.

    seconds: what an answer and what checks it may take, each. An answer that ends the run is
    withdrawn, and the others are marked without it.
    """
    book = handed(notebooks.read(path), expected=True)
    asked = questions(book)
    # what was not answered needs no run
    told = {key: text for key, text in told.items() if key in asked}
    marks = {key: (False, "not answered") for key in asked if key not in told}
    if not told:
        return marks
    # the answers in their places; what comes after the last one says nothing of it
    for cell in book.cells:
        cell.source = told.get(cell.id, cell.source)
        if tags(cell) & ASKED:
            cell.metadata["tags"] = [*cell.metadata.tags, "raises-exception"]
    while not tags(book.cells[-1]) & ASKED:
        book.cells.pop()
    # a question is judged where all its cells were run
    stopped = _run(book, path.name, seconds)
    reached = ""  # the last answer that was run, or begun
    for key, cells in _parts(book):
        begun = any(cell.metadata.get("begun") for cell in cells)
        reached = key if begun and key in told else reached
        whole = all(cell.metadata.get("ended") for cell in cells)
        if key in told and whole:
            marks[key] = _judged(cells)
    # the answer that ended the run is withdrawn, and what came after it is run again
    left = {key: text for key, text in told.items() if key not in marks}
    if left:
        at = reached or next(iter(left))
        marks.setdefault(at, (False, stopped))
        again = marked(path, {key: text for key, text in left.items() if key != at}, seconds)
        marks |= {key: again[key] for key in left if key != at}
    return marks


def _parts(book: NotebookNode) -> Iterator[tuple[str, list[NotebookNode]]]:
    """Each question's cells: the answer, and those that check it, up to the next answer."""
    key, cells = "", []
    for cell in book.cells:
        if "your-turn" in tags(cell):
            if key:
                yield key, cells
            key, cells = cell.id, []
        if key and tags(cell) & ASKED and cell.cell_type == "code":
            cells.append(cell)
    if key:
        yield key, cells


def _run(book: NotebookNode, name: str, seconds: int) -> str:
    """Run a notebook in a folder of its own, each cell that begins and ends marked so; what stopped
    it, or ''."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    # how long a cell may take, and its marks
    def patience(cell: NotebookNode) -> int:
        return seconds if "raises-exception" in tags(cell) else LONG

    def begins(cell: NotebookNode, cell_index: int) -> None:
        cell.metadata["begun"] = True

    def ends(cell: NotebookNode, cell_index: int, execute_reply: object = None) -> None:
        cell.metadata["ended"] = True

    # a folder as the student has it, and results beside it
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        hand_out(Path(folder, "class"), [name])
        client = NotebookClient(book, timeout_func=patience, kernel_name="python3")
        client.on_cell_start, client.on_cell_executed = begins, ends
        client.resources = {"metadata": {"path": str(Path(folder, "class"))}}
        client.record_timing = False
        runs = {"WORKBENCH_RUNS": str(Path(folder, "runs"))}
        # what ended it, in words
        try:
            client.execute(env={**QUIET, **os.environ, **runs})
        except CellTimeoutError:
            return f"did not end within {seconds} s"
        except DeadKernelError:
            return "ended the kernel"
        except CellExecutionError as error:
            return f"a later cell of the notebook cannot go on after it: {error.ename}"
    return ""


def _judged(cells: Iterable[NotebookNode]) -> tuple[bool, str]:
    """Passed where no cell raised; else what the first one said that did."""
    for cell in cells:
        for output in cell.outputs:
            if output.output_type == "error":
                said = (output.evalue.strip().splitlines() or [""])[0]
                if "your-turn" in tags(cell):
                    return False, f"the cell stops with {output.ename}: {said}"
                told = output.ename == "AssertionError"
                return False, said if told and said else f"{output.ename}: {said}".rstrip(": ")
    return True, "as expected"


def check(folder: Path, seconds: int = 60) -> list[Mark]:
    """Mark a student's folder, one notebook after another, and write `hand-in.json` into it.

    A notebook that is missing, of another version or none at all fails in words, one that asks
    nothing says so, and the others are marked. Raises `DataError` for a folder that was not handed out.
    """
    if not os.path.isfile(folder / MANIFEST):  # False, too, for a name no disk takes
        there = os.path.isdir(folder)
        empty = "is empty" if there else "is no folder"
        what = f"has no {MANIFEST}" if there and any(folder.iterdir()) else empty
        raise DataError(what, str(folder), f"a {KINDS[MANIFEST]}, or hand-ins", AGAIN)
    marks = []
    for name, handed_out in sorted(_read(folder / MANIFEST)["versions"].items()):
        marks += _checked(folder, name, str(handed_out), seconds)
    told = {"is": KINDS[HAND_IN], "marks": [asdict(mark) for mark in marks]}
    with whole_file(folder / HAND_IN, ours=_read) as new:
        new.write_text(json.dumps(told, indent=1, ensure_ascii=False), encoding="utf-8")
    return marks


def _checked(folder: Path, name: str, handed_out: str, seconds: int) -> list[Mark]:
    """The marks of one notebook of a student."""
    # a notebook that there is, and that asks something
    file, path = folder / name, _notebook(name)
    if not path:
        words = f"there is no notebook {name} in this version of the workbench"
        return [Mark(name, handed_out, "", False, words, "")]
    book, now = handed(notebooks.read(path)), version(path)
    asked = questions(book)
    if not asked:
        return [_silent(name, now)]
    # the student's answers, or why there are none
    told, words = {}, ""
    if handed_out != now:
        words = f"handed out by version {handed_out}, and this is {now}: mark it with that one"
    elif not file.is_file():
        words = "the notebook is missing"
    else:
        try:
            mine = notebooks.read(file)
            told = answers(mine, book)
            "".join(told.values()).encode()  # they are written down
        except Exception as error:  # whatever a file of somebody's makes the reader raise
            told, words = {}, f"is no notebook that can be read ({type(error).__name__})"
    # each question with its mark, and what was changed
    found = dict.fromkeys(asked, (False, words)) if words else marked(path, told, seconds)
    edited = "" if words else _edited(mine, book)
    return [
        Mark(name, now, text, found[key][0], _line(found[key][1] + edited), told.get(key, ""))
        for key, text in asked.items()
    ]


def _notebook(name: str) -> Path | None:
    """The notebook of this repository that has this name, which is somebody's word."""
    return {path.name: path for path in notebooks.FOLDER.glob("*.ipynb")}.get(name)


def _silent(name: str, now: str) -> Mark:
    return Mark(name, now, "", False, "asks nothing yet", "")


def _edited(mine: NotebookNode, book: NotebookNode) -> str:
    """What is said where a cell that checks is not the one that was handed out."""
    have = {cell.id: cell.source.strip() for cell in mine.cells}
    laws = [cell for cell in book.cells if "check" in tags(cell)]
    same = all(have.get(cell.id) == cell.source.strip() for cell in laws)
    return "" if same else " (a cell that checks was changed or removed: ours was run)"


def read_hand_in(file: Path) -> list[Mark]:
    """A mark for each question of each notebook in a hand-in; what it leaves out is not answered.

    Raises `DataError` for no hand-in, one of another version, and a notebook or question that there
    is not.
    """
    told = _read(file).get("marks", [])
    names = {field.name: bool if field.name == "passed" else str for field in fields(Mark)}
    for one in told:
        kinds = {name: type(value) for name, value in one.items()} if isinstance(one, dict) else {}
        if kinds != names:
            raise DataError("a mark is damaged", str(file), ", ".join(names))
    marks = [Mark(**one) for one in told]
    books = dict.fromkeys(mark.notebook for mark in marks)
    return [mark for name in books for mark in _whole(name, marks, file)]


def _whole(name: str, marks: Iterable[Mark], file: Path) -> list[Mark]:
    """One mark for each question of this notebook, in its order."""
    # a notebook that there is, as it is
    path = _notebook(name)
    if not path:
        what = f"there is no notebook {_line(name)[:60]!r} in this version of the workbench"
        raise DataError(what, str(file), "notebooks of this version")
    now, mine = version(path), [mark for mark in marks if mark.notebook == name]
    for mark in mine:
        if mark.version != now:
            what = f"{name} is of version {_line(mark.version)[:60]}, and this is {now}"
            do = "read it with that version, or hand the notebook out anew"
            raise DataError(what, str(file), "a hand-in of this version", do)
    # questions that there are, each once
    asked = list(questions(notebooks.read(path)).values())
    have = {mark.question: mark for mark in mine}
    unknown = [text for text in have if text not in (asked or [""])]
    if unknown or len(have) < len(mine):
        extra = f"does not ask {_line(unknown[0])[:60]!r}" if unknown else "asks nothing twice"
        raise DataError(
            f"{name} {extra}", str(file), "; ".join(asked) or "no question", "python start.py check"
        )
    if not asked:
        return [_silent(name, now)]
    return [have.get(text, Mark(name, now, text, False, "not answered", "")) for text in asked]


def again(marks: Sequence[Mark], seconds: int = 60) -> list[Mark]:
    """The same hand-in, as it was read, marked here from the answers in it: what a file says of
    itself is a claim."""
    found = []
    for name in dict.fromkeys(mark.notebook for mark in marks):
        path = notebooks.FOLDER / name
        keys = {text: key for key, text in questions(notebooks.read(path)).items()}
        mine = [mark for mark in marks if mark.notebook == name and mark.question]
        given = {keys[mark.question]: mark.answer for mark in mine if mark.answer}
        fresh = marked(path, given, seconds) if mine else {}
        found += [
            Mark(name, m.version, m.question, *fresh[keys[m.question]], m.answer) for m in mine
        ]
        found += [m for m in marks if m.notebook == name and not m.question]
    return found


# --- the command ----------------------------------------------------------------------------------


def _told(marks: Sequence[Mark], title: str) -> str:
    """What is printed of a hand-in: a line in all, and one for each mark."""
    asked = [mark for mark in marks if mark.question]
    passed = sum(mark.passed for mark in asked)
    lines = [f"{passed} of {len(asked)} passed" if asked else "no question to mark"]
    for mark in marks:
        said = f"{'passed' if mark.passed else 'not   '}  {_line(mark.question)}: "
        lines.append(f"  {mark.notebook[:2]}  {said if mark.question else ''}{_line(mark.why)}")
    return f"{_line(title)}: " + "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """`student` or `check`, with their options."""
    parser = argparse.ArgumentParser(prog="start.py")
    kinds = parser.add_subparsers(dest="what", required=True)
    one = kinds.add_parser("student", help="write a folder of notebooks for a class")
    one.add_argument("folder", type=Path)
    one.add_argument("names", nargs="*", help="only notebooks that begin so, such as 00 or 20_")
    two = kinds.add_parser(
        "check", help="mark a student's folder, or read hand-ins", epilog=WARNING
    )
    two.add_argument("places", nargs="+", type=Path, help="a folder, hand-ins, or a folder of them")
    two.add_argument("--seconds", type=count, default=60, help="patience with one answer (60)")
    two.add_argument("--again", action="store_true", help="mark the answers in hand-ins anew")
    asked = parser.parse_args(arguments)
    if asked.what == "student":
        return answered(lambda: _handed_out(asked.folder, asked.names))
    return max(answered(lambda place=place: _back(place, asked)) for place in _spread(asked.places))


def _handed_out(folder: Path, names: Sequence[str]) -> str:
    written = hand_out(folder, names)
    return f"{len(written)} notebooks without solutions in {folder}; python start.py check {folder}"


def _spread(places: Iterable[Path]) -> list[Path]:
    """A folder of hand-ins as its files; everything else as it is."""
    spread: list[Path] = []
    for place in places:
        hand_ins = os.path.isdir(place) and not os.path.isfile(place / MANIFEST)
        found = sorted(place.glob("*.json")) if hand_ins else []
        spread += found or [place]
    return spread


def _back(place: Path, asked: argparse.Namespace) -> str:
    if os.path.isfile(place):
        marks = read_hand_in(place)
        if asked.again:
            print(WARNING, flush=True)
            marks = again(marks, asked.seconds)
        return _told(marks, place.name)
    print(WARNING, flush=True)
    told = _told(check(place, asked.seconds), str(place))
    return f"{told}\nwritten to {place / HAND_IN}"


if __name__ == "__main__":
    raise SystemExit(main())
