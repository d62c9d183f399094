"""A report as a file, as Markdown and in a console: whole, inert, and saying the same."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from tests.views.test_screen_state import hostile
from tests.views.test_show import Page
from workbench.cli import app
from workbench.data import load_world
from workbench.errors import ConfigError, UnknownUser
from workbench.ledger import Service
from workbench.recommend import EASE
from workbench.reports.forms import cells, lines_of
from workbench.reports.recpilot import agent
from workbench.views import export
from workbench.views.paper import console, markdown, plainly
from workbench.views.served import served, unnamed


@pytest.fixture(scope="module")
def service():
    world = load_world()
    unsaid = unnamed(world.catalogue, "generated-world")
    return served(world.log, world.catalogue, unsaid)


@pytest.fixture(scope="module")
def report(service):
    return service.report(310)


@pytest.fixture(scope="module")
def attacked(service):
    """The report of a shop whose titles would love to be markup."""
    world = hostile(service)
    return Service.build(world.log, world.catalogue, EASE(), agent=agent).report(310)


def test_every_form_says_every_line(report):
    html, text = Page(report._repr_html_()), console(report)
    for line in lines_of(report):
        for part in line.cells or [line.text]:
            assert part in html.text
            assert " ".join(part.split()) in " ".join(text.split())
            assert plainly(part) in markdown(report)
    assert "[Not for me]" in html.text and "Forget why you think so" in text


def test_a_report_looks_like_its_page(report):
    html = report._repr_html_()
    assert html.count("<table>") == html.count("<details>") == 1
    folded = html[html.index("<details>") :]
    assert "<table>" not in folded and "Of the list made for you" in folded
    # one guess: a note, a share of the list and the topic itself
    assert report.unsaid == 3 and "We left out one guess" in html
    claims = len(report.claims)
    assert f"For whoever checks: {claims} claims; 3 claims left unsaid</summary>" in html
    # every claim once below
    assert folded.count("<li>") == claims


def test_sensitive_topics_are_named_by_no_form(service, report):
    for form in (report._repr_html_(), markdown(report), console(report)):
        assert service.unsaid and not any(topic in form for topic in service.unsaid)


def test_a_hostile_shop_is_text_on_paper(attacked):
    page = Page(attacked._repr_html_())
    assert not {"img", "script"} & set(page.tags)
    assert {name for name, _ in page.attributes} <= {"id", "align", "style", "scope"}
    assert not re.search(r"(?<!\\)<(?!!-- workbench|/?details|/?summary)", markdown(attacked))
    assert "\u2028" not in console(attacked) and "⟨U+2028⟩" in page.text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("*a* _b_ `c`", r"\*a\* \_b\_ \`c\`"),
        ("1. first", r"1\. first"),
        ("7.95", "7.95"),
        ("- one", r"\- one"),
        ("http://a.b www.c", r"http\://a.b www\.c"),
        ("a\u202eb|c", r"a⟨RLO⟩b\|c"),
    ],
    ids=["marks", "number", "price", "dash", "address", "hidden"],
)
def test_markdown_finds_nothing_to_do(text, told):
    assert plainly(text) == told


def test_cells_are_those_of_rows():
    assert cells("| a |  | 7.95 |") == ["a", "", "7.95"] and cells("no row | at all") == []


def test_files_are_whole_equal_and_replace_only_their_own(report, tmp_path):
    for name in ("page.html", "page.md"):
        path = export(report, tmp_path / "new" / name)
        first = path.read_text(encoding="utf-8")
        assert export(report, path).read_text(encoding="utf-8") == first
        assert "default-src 'none'" in first or name.endswith("md")
        path.write_text("# mine, about a workbench report\n", encoding="utf-8")
        with pytest.raises(ConfigError, match="no export wrote it"):
            export(report, path)
        assert path.read_text(encoding="utf-8").startswith("# mine")
    for name in ("page.txt", "page"):
        with pytest.raises(ConfigError, match="cannot write"):
            export(report, tmp_path / name)
    assert sorted(one.name for one in tmp_path.rglob("*")) == ["new", "page.html", "page.md"]


def test_the_command_prints_and_writes_the_page(report, tmp_path):
    path = tmp_path / "page.md"
    told = CliRunner().invoke(app, ["report", "--user", "shopper 310", "--out", str(path)])
    assert told.exception is None
    assert told.output == f"{console(report)}\nwritten to {path}\n"
    assert path.read_text(encoding="utf-8") == markdown(report)


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (["--user", "nobody"], UnknownUser),
        (["--user", "shopper 3", "--data", "nowhere"], ConfigError),
        (["--user", "shopper 3", "--out", "page.txt"], ConfigError),
    ],
    ids=["user", "data", "suffix"],
)
def test_the_command_names_what_is_wrong(asked, error):
    told = CliRunner().invoke(app, ["report", *asked])
    assert isinstance(told.exception, error) and not told.output
