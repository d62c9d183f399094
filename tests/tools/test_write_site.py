"""`write_site` writes over an older site and over nothing else; the forget screen
stands beside its pages."""

import base64
import json
import re

import numpy as np
import pytest

from tools import site
from workbench.errors import DataError

PAYLOAD = re.compile(r'(?<=id="payload">).*?(?=</script>)', re.DOTALL)


@pytest.fixture
def quick(monkeypatch):
    """Pages that are made at once."""
    monkeypatch.setattr(site, "page", lambda notebook, name: f"page {name}")


def test_a_site_is_written_over_an_older_one(tmp_path, quick):
    for _ in range(2):
        written = site.write_site(tmp_path / "site", ["00"], run=False)
    assert written[0].name == "index.html" and written[1].read_text().startswith("page 00_")
    assert "00" in written[0].read_text()
    assert sorted(path.name for path in (tmp_path / "site").iterdir()) == sorted(
        ["index.html", "plotly.min.js", "forget.html", written[1].name]
    )


@pytest.mark.parametrize("name", ["index.html", "plotly.min.js", "notebooks", "forget.html"])
def test_pages_of_somebody_else_stay(tmp_path, quick, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(DataError, match=r"holds .*, and is no site"):
        site.write_site(tmp_path, ["00"], run=False)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_a_site_stands_beside_what_it_does_not_write(tmp_path, quick):
    (tmp_path / "thesis.tex").write_text("years")
    site.write_site(tmp_path, ["00"], run=False)
    assert (tmp_path / "thesis.tex").read_text() == "years"


def parts(path):
    """What a screen's file says, the day struck on which it was written, and what it computes from."""
    text = path.read_text(encoding="utf-8")
    found = json.loads(PAYLOAD.search(text)[0])
    weights = np.frombuffer(base64.b64decode(found["model"].pop("P")))
    lows = np.array(found["model"].pop("low"), dtype=float)
    said = PAYLOAD.sub("", text) + json.dumps(found, sort_keys=True)
    return re.sub(r"as written on \d+ \w+ \d{4}", "", said), np.r_[weights, lows]


def test_the_screen_to_press_is_the_one_that_is_made_today(tmp_path):
    said, weights = parts(site.SCREEN)
    today, fitted = parts(site.write_screen(tmp_path / "forget.html"))
    assert said == today, "run python start.py refresh 00"
    np.testing.assert_allclose(weights, fitted, atol=1e-9)
    assert site.SCREEN.stat().st_size < 1_000_000


def test_front_page_and_notebook_00_lead_to_the_screen(tmp_path):
    for page in site.write_site(tmp_path, ["00"], run=False):
        assert '<a href="forget.html">' in page.read_text(encoding="utf-8")
    assert (tmp_path / "forget.html").read_bytes() == site.SCREEN.read_bytes()
    first = (site.ROOT / "README.md").read_text(encoding="utf-8").splitlines()[2]
    assert "](docs/forget.html)" in first and "without installing" in first
