"""`write_site` writes over an older site and over nothing else."""

import pytest

from tools import site
from workbench.errors import DataError


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
        ["index.html", "plotly.min.js", written[1].name]
    )


@pytest.mark.parametrize("name", ["index.html", "plotly.min.js", "notebooks"])
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
