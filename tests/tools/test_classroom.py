"""A folder for a class, what students do to it, and the marks that come back."""

import json
import re

import nbformat
import pytest

from tools import classroom, notebooks, starting
from workbench.errors import DataError

new = nbformat.v4
GOOD = "answer = 6 * 7"


def cell(source, *tags, name):
    made = new.new_code_cell(source, metadata={"tags": list(tags)} if tags else {})
    made.id = name
    return made


def book():
    """Two questions, one with a law that students have, too."""
    return new.new_notebook(
        cells=[
            new.new_markdown_cell("# 97 · Sums?\n\n### Your turn: six times seven"),
            cell("open('../data/predictions.toml').close()\nseven = 7", name="start"),
            cell("answer = None", "your-turn", name="first"),
            cell("answer = 42", "solution", "nbval-check-output", name="s1"),
            cell("assert answer, 'it is not nothing'", "check", name="law"),
            cell(
                "assert answer == 42, 'six times seven, not six and seven'", "expected", name="e1"
            ),
            new.new_markdown_cell("### Your turn: the sum"),
            cell("total = None", "your-turn", name="second"),
            cell("total = 6 + seven", "solution", name="s2"),
            cell("assert total == 6 + seven, 'six and seven'", "expected", name="e2"),
        ]
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder as it was handed out, of a teacher with two notebooks."""
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path / "teacher")
    for name in ("97_sums", "98_more"):
        notebooks.write(book(), tmp_path / "teacher" / f"{name}.ipynb")
    classroom.hand_out(tmp_path / "class")
    return tmp_path / "class"


def write(folder, name="97_sums.ipynb", **sources):
    """What a student does: other sources by id of the cell."""
    mine = notebooks.read(folder / name)
    for one in mine.cells:
        one.source = sources.get(one.id, one.source)
    notebooks.write(mine, folder / name)


def marks(folder, name="97_sums.ipynb", **options):
    found = [mark for mark in classroom.check(folder, **options) if mark.notebook == name]
    return [(mark.passed, mark.why) for mark in found]


# --- to the class ---------------------------------------------------------------------------------


def test_students_get_no_solution_and_no_output_and_the_files_beside_them(folder):
    mine = notebooks.read(folder / "97_sums.ipynb")
    assert [one.get("id") for one in mine.cells if one.cell_type == "code"] == [
        "start",
        "first",
        "law",
        "second",
    ]
    assert "open('files/data/predictions.toml')" in mine.cells[1].source
    assert (folder / "files" / "data" / "predictions.toml").is_file()
    assert "nbval" not in (folder / "97_sums.ipynb").read_text(encoding="utf-8")


def test_a_folder_that_nobody_worked_in_is_written_anew_and_no_other(folder):
    classroom.hand_out(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    (folder / "mine.txt").write_text("notes", encoding="utf-8")
    with pytest.raises(DataError, match=r"mine\.txt, which is not written here"):
        classroom.hand_out(folder)
    (folder / "mine.txt").unlink()
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    write(folder, first=GOOD)
    with pytest.raises(DataError, match=r"somebody worked in 97_sums\.ipynb"):
        classroom.hand_out(folder)
    assert GOOD in (folder / "97_sums.ipynb").read_text(encoding="utf-8")


def test_a_folder_with_other_things_is_refused_untouched(folder, tmp_path):
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter.tex").write_text("years", encoding="utf-8")
    with pytest.raises(DataError, match="was not written here"):
        classroom.hand_out(other)
    assert [path.name for path in other.iterdir()] == ["chapter.tex"]


@pytest.mark.parametrize("path", notebooks.chosen(), ids=lambda path: path.stem[:2])
def test_every_notebook_runs_anywhere_and_asks_questions_that_can_be_told_apart(path):
    book = classroom.handed(notebooks.read(path))
    code = "\n".join(one.source for one in book.cells if one.cell_type == "code")
    assert "../" not in code, "a path that the student has not"
    left = {tag for one in book.cells for tag in classroom.tags(one)}
    assert left.isdisjoint({"solution", "expected"})
    asked = list(classroom.questions(book).values())
    assert len(set(asked)) == len(asked) and all("our turn" in text for text in asked)


PATHS = re.compile(r"""["'](files/[^"']+)["']|(?:ROOT|results)((?: / "[^"]+")+)""")
"""What a cell opens beside it, or in the repository that the package stands in."""


def test_all_notebooks_are_handed_out_with_every_file_their_cells_open(tmp_path):
    written = classroom.hand_out(tmp_path / "class")
    found, asked = [], set()
    for path in written:
        book = notebooks.read(path)
        asked |= {path.name[:2]} if classroom.questions(book) else set()
        code = "\n".join(one.source for one in book.cells if one.cell_type == "code")
        for beside, parts in PATHS.findall(code):
            name = beside or "/".join(re.findall(r'"([^"]+)"', parts))
            top = tmp_path / "class" if beside else classroom.ROOT
            places = [top, top / "benchmarks" / "results"]
            there = [one for place in places for one in place.glob(re.sub(r"\{\w+\}", "*", name))]
            assert there, f"{path.name} opens {name}, which is not there"
            found.append(name)
    assert written == [tmp_path / "class" / path.name for path in notebooks.chosen()]
    assert {"20", "22", "25", "30"} <= asked, "questions that are marked"
    # the pattern finds them: an f-string, a plain name, and one of the repository
    assert {"files/benchmarks/results/{name}.md", "files/data/predictions.toml"} <= set(found)
    assert {"grpo.csv", "perce.png", "transfer.csv"} <= set(found)
    for name in ("forecast.md", "year.md"):
        assert (tmp_path / "class" / "files" / "benchmarks" / "results" / name).is_file()


def test_a_file_that_is_gone_is_named(tmp_path, monkeypatch):
    made = book()
    made.cells[1].source = "open('../data/gone_{name}.md')"
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path / "teacher")
    notebooks.write(made, tmp_path / "teacher" / "97_sums.ipynb")
    with pytest.raises(DataError, match=r"data/gone_\{name\}\.md: a notebook opens it"):
        classroom.hand_out(tmp_path / "class")


# --- back from it ---------------------------------------------------------------------------------


def test_answers_are_marked_one_by_one_and_written_down(folder):
    write(folder, first=GOOD, second="total = 6")
    found = classroom.check(folder)
    assert [(mark.notebook[:2], mark.passed, mark.why) for mark in found] == [
        ("97", True, "as expected"),
        ("97", False, "six and seven"),
        ("98", False, "not answered"),
        ("98", False, "not answered"),
    ]
    told = json.loads((folder / "hand-in.json").read_text(encoding="utf-8"))["marks"]
    assert told[0] == {
        "notebook": "97_sums.ipynb",
        "version": classroom.version(notebooks.FOLDER / "97_sums.ipynb"),
        "question": "Your turn: six times seven",
        "passed": True,
        "why": "as expected",
        "answer": GOOD,
    }
    assert classroom.read_hand_in(folder / "hand-in.json") == found


def test_cells_of_ones_own_beside_the_answer_count_with_it(folder):
    mine = notebooks.read(folder / "97_sums.ipynb")
    at = [one.get("id") for one in mine.cells].index("first")
    mine.cells[at].source = "answer = six * n"
    mine.cells.insert(at + 1, cell("answer = int(answer)", name="below"))
    mine.cells.insert(at, cell("six, n = 6, 7.0", name="above"))
    notebooks.write(mine, folder / "97_sums.ipynb")
    assert marks(folder)[0] == (True, "as expected")


def test_an_edited_law_is_noticed_and_not_run(folder):
    write(folder, first="answer = 0", law="assert True")
    passed, why = marks(folder)[0]
    assert not passed and why.startswith("it is not nothing (a cell that checks was changed")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("while True: pass", "did not end within 2 s"),
        ("while True:\n    try:\n        import time; time.sleep(9)\n    except BaseException: pass",
         "did not end within 2 s"),
        ("import os; os._exit(1)", "ended the kernel"),
        ("1 / 0", "the cell stops with ZeroDivisionError: division by zero"),
        ("answer = 42; del seven", "as expected"),
        ("input('?')", "the cell stops with StdinNotImplementedError"),
        ("answer = (", "the cell stops with"),
    ],
)  # fmt: skip
def test_whatever_an_answer_does_the_other_is_marked(folder, answer, why):
    write(folder, first=answer, second="total = 13")
    found = classroom.check(folder, seconds=2)
    assert found[0].why.startswith(why)
    # seven is gone only where the answer took it away, and this is said of the question it spoils
    assert found[1].passed or ("del" in answer and "seven" in found[1].why)


def test_a_notebook_that_is_missing_or_none_fails_in_words(folder):
    (folder / "97_sums.ipynb").write_text("{not json", encoding="utf-8")
    (folder / "98_more.ipynb").unlink()
    assert marks(folder)[0][1].startswith("is no notebook that can be read")
    assert marks(folder, "98_more.ipynb") == [(False, "the notebook is missing")] * 2


def test_a_folder_that_was_not_handed_out_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"is empty.*start\.py student"):
        classroom.check(tmp_path)
    with pytest.raises(DataError, match="is no folder"):
        classroom.check(tmp_path / "none")
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(DataError, match=r"has no class\.json"):
        classroom.check(tmp_path)
    (tmp_path / "class.json").write_text("[]")
    with pytest.raises(DataError, match="not written by the workbench"):
        classroom.check(tmp_path)


def test_another_version_is_refused_in_words(folder):
    write(folder, first=GOOD)
    classroom.check(folder)
    teacher = notebooks.FOLDER / "97_sums.ipynb"
    changed = notebooks.read(teacher)
    changed.cells[-1].source += "  # of another term"
    notebooks.write(changed, teacher)
    with pytest.raises(DataError, match=r"97_sums\.ipynb is of version 0.*and this is"):
        classroom.read_hand_in(folder / "hand-in.json")
    assert marks(folder)[0][1].startswith("handed out by version 0")


def test_a_hand_in_is_marked_again_from_its_answers(folder, capsys):
    write(folder, first="answer = 41")
    classroom.check(folder)
    file = folder / "hand-in.json"
    told = json.loads(file.read_text(encoding="utf-8"))
    told["marks"][0] |= {"passed": True, "why": "I say so"}
    file.write_text(json.dumps(told), encoding="utf-8")
    assert classroom.main(["check", str(file)]) == 0
    assert "1 of 4 passed" in capsys.readouterr().out
    assert classroom.main(["check", str(file), "--again"]) == 0
    assert "0 of 4 passed" in capsys.readouterr().out


def test_one_bad_hand_in_does_not_end_the_loop_over_the_others(folder, tmp_path, capsys):
    write(folder, first=GOOD)
    assert classroom.main(["check", str(folder)]) == 0
    assert "may do whatever you may" in capsys.readouterr().out
    desk = tmp_path / "desk"
    desk.mkdir()
    (desk / "ada.json").write_bytes((folder / "hand-in.json").read_bytes())
    (desk / "bob.json").write_text('{"is": "a cake"}', encoding="utf-8")
    damaged = {"is": classroom.KINDS["hand-in.json"], "marks": [{"passed": "yes"}]}
    (desk / "cy.json").write_text(json.dumps(damaged), encoding="utf-8")
    assert classroom.main(["check", str(desk)]) == 2
    said = capsys.readouterr()
    assert "ada.json: 1 of 4 passed" in said.out
    assert "bob.json: was not written" in said.err and "cy.json: a mark is damaged" in said.err


def test_a_notebook_that_asks_nothing_says_so(folder, capsys):
    silent = notebooks.FOLDER / "98_more.ipynb"
    made = new.new_notebook(cells=[new.new_markdown_cell("# 98"), new.new_code_cell("1")])
    notebooks.write(made, silent)
    assert classroom.main(["student", str(folder)]) == 0
    assert classroom.main(["check", str(folder)]) == 0
    assert classroom.main(["check", str(folder / "hand-in.json"), "--again"]) == 0
    said = capsys.readouterr().out
    assert said.count("0 of 2 passed") == 2 and said.count("  98  asks nothing yet\n") == 2
    notebooks.write(made, notebooks.FOLDER / "97_sums.ipynb")
    other = folder.with_name("other")
    assert classroom.main(["student", str(other)]) == 0
    assert classroom.main(["check", str(other)]) == 0
    assert f"{other}: no question to mark" in capsys.readouterr().out


def claim(folder, **changes):
    """A hand-in of one mark, as somebody might write it."""
    now = classroom.version(notebooks.FOLDER / "97_sums.ipynb")
    mark = {"notebook": "97_sums.ipynb", "version": now, "question": "Your turn: the sum"}
    mark |= {"passed": True, "why": "as expected", "answer": ""} | changes
    told = {"is": classroom.KINDS["hand-in.json"], "marks": [mark]}
    (folder / "hand-in.json").write_text(json.dumps(told), encoding="utf-8")
    return folder / "hand-in.json"


@pytest.mark.parametrize("options", [[], ["--again"]])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"notebook": "99_made_up.ipynb", "version": "without it"},
            "there is no notebook '99_made",
        ),
        ({"notebook": "../97_sums.ipynb"}, "there is no notebook '../97"),
        ({"notebook": "9" * 300}, "there is no notebook '999"),
        ({"question": "Your turn: a cake"}, "97_sums.ipynb does not ask 'Your turn: a cake'"),
        ({"question": ""}, "97_sums.ipynb does not ask ''"),
        ({"version": "\n\x1b[2Kold"}, "is of version ␛[2Kold, and this is"),
        ({"answer": "\ud800"}, "cannot be read"),
    ],
)
def test_a_hand_in_of_what_there_is_not_is_refused_in_words(folder, capsys, options, changes, said):
    assert classroom.main(["check", str(claim(folder, **changes)), *options]) == 2
    told = capsys.readouterr().err
    assert said in told and len(told.splitlines()) == 1


def test_questions_left_out_are_counted_and_none_counts_twice(folder, capsys):
    file = claim(folder)
    assert classroom.main(["check", str(file)]) == 0
    said = capsys.readouterr().out
    assert "1 of 2 passed" in said and "not     Your turn: six times seven: not answered" in said
    told = json.loads(file.read_text(encoding="utf-8"))
    told["marks"] *= 2
    file.write_text(json.dumps(told), encoding="utf-8")
    assert classroom.main(["check", str(file)]) == 2
    assert "asks nothing twice" in capsys.readouterr().err


def test_what_is_printed_of_a_hand_in_is_one_line_and_hides_nothing(folder, capsys):
    file = claim(folder, why="\x1b[2K\u202egood\n97  passed")
    assert classroom.main(["check", str(file)]) == 0
    said = capsys.readouterr().out
    assert "the sum: ␛[2K⟨RLO⟩good 97 passed\n" in said and len(said.splitlines()) == 3


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"is": ["x"]}',
        '{"is": "folder of notebooks for a class", "files": {}, "versions": {"\\ud800": "0"}}',
    ],
)
def test_a_broken_file_among_hand_ins_is_refused_and_the_others_are_read(folder, capsys, text):
    desk = folder.parent / "desk"
    desk.mkdir()
    claim(desk).rename(desk / "b.json")
    (desk / "a.json").write_text(text, encoding="utf-8")
    assert classroom.main(["check", str(desk), str(desk / ("n" * 300))]) == 2
    said = capsys.readouterr()
    assert "b.json: 1 of 2 passed" in said.out and "a.json: " in said.err
    assert f"{'n' * 300}: is no folder" in said.err


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a/../b", "C:x", "a\\b", "n" * 300, "a\x1bb", ""]
)
@pytest.mark.parametrize("key", ["files", "versions"])
def test_a_list_of_files_that_leaves_its_folder_is_refused(folder, key, name):
    told = json.loads((folder / "class.json").read_text(encoding="utf-8"))
    told[key] = {name: "0"}
    (folder / "class.json").write_text(json.dumps(told), encoding="utf-8")
    work = classroom.hand_out if key == "files" else classroom.check
    with pytest.raises(DataError, match=r"class\.json: lists .*short names"):
        work(folder)


def test_an_answer_that_cannot_be_written_down_is_said(folder):
    text = (folder / "97_sums.ipynb").read_text(encoding="utf-8")
    text = text.replace("answer = None", "answer = '\\ud800'")
    (folder / "97_sums.ipynb").write_text(text, encoding="utf-8")
    assert marks(folder) == [(False, "is no notebook that can be read (UnicodeEncodeError)")] * 2
    assert (folder / "hand-in.json").is_file()


def test_whoever_marks_is_told_that_an_answer_can_change_its_check(folder, capsys):
    with pytest.raises(SystemExit):
        classroom.main(["check", "--help"])
    assert "can change those" in " ".join(capsys.readouterr().out.split())


def test_a_file_of_somebody_elses_is_not_written_over(folder):
    (folder / "hand-in.json").write_text("mine", encoding="utf-8")
    with pytest.raises(DataError):
        classroom.check(folder)
    assert (folder / "hand-in.json").read_text(encoding="utf-8") == "mine"


# --- the page for teachers ------------------------------------------------------------------------


def test_the_page_for_teachers_says_what_the_notebooks_say():
    page = (classroom.ROOT / "docs" / "TEACHING.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\d\d) (\| \d+ \| [\d +]+ \|)", page, re.MULTILINE))
    told = {}
    for path in notebooks.chosen():
        book = notebooks.read(path)
        minutes = re.search(r"About (\d+) minutes", book.cells[0].source)[1]
        quiz = next(one.source for one in book.cells if "## Quiz" in one.source)
        points = len(re.findall(r"^\d+\. ", quiz, re.MULTILINE))
        turn = "4 + " * len(classroom.questions(book))
        told[path.name[:2]] = f"| {minutes} | {turn}{points} |"
    assert rows == told


def test_the_page_for_teachers_names_commands_that_there_are():
    page = (classroom.ROOT / "docs" / "TEACHING.md").read_text(encoding="utf-8")
    assert set(re.findall(r"start\.py (\w+)", page)) <= starting.COMMANDS
