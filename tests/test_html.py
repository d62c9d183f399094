"""Text that hides nothing, at every door of the bottom."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import pytest

from workbench.errors import DataError
from workbench.html import HIDDEN, escape, table, visible

CASES = json.loads(Path(__file__).with_name("visible.json").read_text(encoding="utf-8"))
"""What a text is and how it is shown: the page's own scripts are held to the same table."""
UNSEEN = ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")


@pytest.mark.parametrize("case", CASES)
def test_a_text_is_shown_with_a_sign_for_what_nobody_sees(case):
    text, shown = CASES[case]
    assert visible(text) == shown
    # what is shown hides nothing, and stays as it is
    assert not HIDDEN.search(shown) and visible(shown) == shown


def test_no_character_of_a_hidden_category_passes():
    codes = (chr(code) for code in range(0x110000))
    unseen = [code for code in codes if unicodedata.category(code) in UNSEEN and code not in "\n\t"]
    assert len(unseen) > 137_000
    assert [code for code in unseen if code in visible(f"a{code}b")] == []


def test_letters_marks_numbers_and_signs_of_every_script_pass():
    seen = (chr(code) for code in range(0x250))
    plain = "".join(code for code in seen if unicodedata.category(code)[0] in "LNPS")
    for text in (plain, "漢字 한글 ไทย ქართული አማርኛ עִבְרִית العربية हिन्दी தமிழ்", "𝔘 😀 👍🏽 🇳🇴 ☺ €"):
        assert visible(text) == text


def test_markup_tables_and_errors_show_it_too():
    title = "\u202egnp.exe\x1b[2J"
    error = DataError(f"no item {title}", title, title, title)
    for text in (escape(title), table([{title: title}], title), str(error)):
        assert "⟨RLO⟩gnp.exe␛[2J" in text and not HIDDEN.search(text)


def test_text_stands_to_the_left_and_numbers_to_the_right_wherever_a_table_is_shown():
    html = table([{"title": "tea", "price": 9.5}, {"title": None, "price": None}])
    # a notebook's own sheet hears the style alone, a host that takes styles away the attribute
    cells = re.findall(r"<t[hd]([^>]*)>([^<]*)</t[hd]>", html)
    for look, said in cells:
        left = said in ("title", "tea") or cells.index((look, said)) == 4
        assert ("text-align:left" in look) == ('align="left"' in look) == left, said
        assert ('align="right"' in look) == (not left)
