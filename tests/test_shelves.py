"""That the core stays small, that files are one idea, and that core imports no exhibit."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from tests.shelves import LONGEST, PACKAGE, SHELVES, WHOLE, files, shelf_of, size

# a page opens the check of its words: no writer that is handed in passes it by
CORE = {"science core", "unlearning core", "doors", "page", "wording"}
NOT_CORE = {shelf.name for shelf in SHELVES} - CORE


def table() -> dict[str, Counter]:
    """Files, code lines and lexical tokens of every shelf."""
    sums: dict[str, Counter] = {shelf.name: Counter() for shelf in SHELVES}
    for path in files():
        lines, tokens = size(path)
        sums[shelf_of(path)].update(files=1, lines=lines, tokens=tokens)
    return sums


def test_no_shelf_is_larger_than_its_budget(capsys: pytest.CaptureFixture[str]) -> None:
    sums = table()
    budgets = {shelf.name: shelf.budget for shelf in SHELVES}
    with capsys.disabled():
        print()
        for name, part in sums.items():
            room = f" of {budgets[name]:,}" if budgets[name] else ""
            counts = f"{part['files']:>4} files {part['lines']:>7,} code lines"
            print(f"{name:<20}{counts} {part['tokens']:>8,}{room} tokens")
    for name, budget in budgets.items():
        assert not budget or sums[name]["tokens"] <= budget, name
    assert sum(part["tokens"] for part in sums.values()) <= WHOLE


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_is_one_idea(path) -> None:
    assert path.read_text(encoding="utf-8").count("\n") <= LONGEST


def test_core_imports_no_exhibit_world_or_source() -> None:
    """Algorithms, stores and topics are handed in. The faces are tables of names and do not
    count."""
    wrong = []
    for path in files():
        if shelf_of(path) != "science core" or path.name == "__init__.py":
            continue
        for name in named_modules(path):
            target = module_file(name)
            if target is not None and shelf_of(target) in NOT_CORE:
                wrong.append(f"{path.relative_to(PACKAGE)} -> {name}")
    assert wrong == []


def named_modules(path) -> set[str]:
    """Modules of the package that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.startswith("workbench.")}


def module_file(name: str):
    """The file of a module, or nothing for a name that is none."""
    stem = PACKAGE.parent.joinpath(*name.split("."))
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.exists() and path.name != "__init__.py":
            return path
    return None
