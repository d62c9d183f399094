"""The token strip: escaped, the same every time, no network, and meaning left when styles and scripts are gone."""

import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import DataError
from workbench.views.strip import TokenStrip

TEXT = "A red <img src=x onerror=alert(1)> lamp & a tent"


def frame(text=TEXT, scores=(0.1, 3.2, -1.5, 0.0, 0.9, 0.02, 0.1, 0.3), personal=1):
    spans = [match.span() for match in re.finditer(r"\S+", text)]
    scores = (list(scores) * len(spans))[: len(spans)]
    table = pd.DataFrame(spans, columns=["start", "end"]).assign(
        text="t", pir=scores, log_prob_with=-1.0, log_prob_without=-2.0
    )
    table["personal"] = table.index == personal
    return table


def page(**options):
    return TokenStrip(frame(), TEXT, **options)._repr_html_()


def bare(html):
    """What is left when GitHub has taken style attributes away, and then all tags but b, i, u."""
    return re.sub(r"<(?!/?(b|i|u)>)[^>]*>", "", re.sub(r' style="[^"]*"', "", html))


def test_untrusted_text_stays_text():
    html = page(title="<script>alert(2)</script>", provenance="<b>x")
    assert "<img" not in html and "<script" not in html and "&lt;img" in html
    assert "http" not in html and "src=" not in re.sub(r"&lt;.*?&gt;|src=x", "", html)


def test_same_content_same_page_and_id():
    assert page() == page() and page() != page(title="other")
    assert re.search(r'id="strip-[0-9a-f]{10}"', page())


def test_meaning_survives_without_styles():
    left = bare(page(truth="personal", scale=2.0))
    assert "<b><u>red</u></b>+3.2▲" in left  # planted, likelier, beyond the colour range
    assert "<i>&lt;img</i>-1.5" in left  # less likely
    assert "<b>onerror=alert(1)&gt;</b>+0.9" in left
    assert "underlined" in left and "strongest" in left


def test_text_is_kept_whole():
    html = page()
    paragraph = re.search(r"<p dir=.*?</p>", html, re.S)[0]
    said = re.sub(r"<sub>.*?</sub>|<[^>]*>", "", paragraph)
    assert said == TEXT.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@given(st.text(min_size=1, max_size=60).filter(str.strip))
def test_any_text_draws(text):
    html = TokenStrip(frame(text), text)._repr_html_()
    assert html.count("<span") == html.count("</span>") == len(frame(text))


def test_zero_width_and_white_space_tokens_are_seen():
    table = pd.DataFrame({"text": "t", "start": [0, 1, 2, 3], "end": [1, 2, 3, 4], "pir": 0.0})
    html = TokenStrip(table, "a \n\u200b")._repr_html_()
    assert "␠" in html and "↵" in html and "∅" in html


def test_long_texts_are_cut_and_say_so():
    text = "word " * 50
    html = TokenStrip(frame(text), text, limit=20)._repr_html_()
    assert html.count("<span") == 20 and "30 more tokens not drawn" in html


def test_repr_and_refusals():
    assert repr(TokenStrip(frame(), TEXT)) == "TokenStrip(9 tokens, 3 with |pir| ≥ 0.8)"
    with pytest.raises(DataError, match="more than one text"):
        TokenStrip(pd.concat([frame(), frame().assign(text="u")]), TEXT)
    with pytest.raises(DataError, match="kl"):
        TokenStrip(frame(), TEXT, score="kl")
