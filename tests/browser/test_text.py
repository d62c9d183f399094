"""The scripts of a page show text as Python does: one table of hidden characters, one of cases."""

from __future__ import annotations

import pytest

from tests.browser.test_export import open_text
from tests.test_html import CASES
from workbench.html import visible
from workbench.views.page import read
from workbench.views.text import brief


@pytest.fixture
def shown(quiet, tmp_path):
    """A page with the functions that scripts of screen and strip share."""
    script = f"{read('text.js')}\nObject.assign(window, {{ visible, brief, h, ready: 1 }});"
    head = "<!DOCTYPE html><meta charset=utf-8><link rel=icon href=data:,>"
    open_text(quiet, tmp_path / "text.html", f"{head}<script type=module>{script}</script>")
    quiet.wait_for_function("() => window.ready")
    return quiet


def test_a_script_shows_what_python_shows(shown):
    # lone halves of a pair do not travel as they are
    sent = {name: ascii_json(text) for name, (text, _) in CASES.items()}
    told = shown.evaluate(
        "texts => Object.fromEntries(Object.entries(texts).map(([k, v]) => [k, visible(JSON.parse(v))]))",
        sent,
    )
    assert told == {name: wanted for name, (_, wanted) in CASES.items()}


def test_every_character_is_shown_alike(shown):
    codes = [*range(0xD800), *range(0xE000, 0x110000)]
    wanted = visible("a".join(map(chr, codes)))
    found = shown.evaluate(
        """() => { const codes = [];
          for (let code = 0; code < 0x110000; code++)
            if (code < 0xd800 || code > 0xdfff) codes.push(String.fromCodePoint(code));
          return visible(codes.join("a")); }"""
    )
    assert found == wanted


def test_elements_hide_nothing_and_long_texts_are_cut(shown):
    text = "\u202egnp" + "x" * 300
    found = shown.evaluate(
        """text => { const element = h("p", { title: text }, text, 7, h("b", {}, text));
          return [element.title, element.textContent, brief(text)]; }""",
        text,
    )
    whole = visible(text)
    assert found == [whole, f"{whole}7{whole}", brief(text)]
    assert brief(text).endswith("… (304 letters)")


def ascii_json(text):
    return '"' + "".join(f"\\u{unit:04x}" for unit in utf16(text)) + '"'


def utf16(text):
    data = text.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
