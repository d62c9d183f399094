"""The reward microscope: what is drawn is what the log of a run says."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from workbench.errors import ConfigError, DataError
from workbench.views import Microscope, show

GAINS = {"outcome": 0.01, "process": 0.02, "length": 0.03, "format": 0.14}


def log(steps: int = 60, noise: float = 0.0) -> pd.DataFrame:
    """A run whose terms rise in the middle, by what `GAINS` says; distance falls, recall stays."""
    rng = np.random.default_rng(0)
    late = np.arange(steps) >= steps // 2
    frame = pd.DataFrame({"step": np.arange(steps) + 1})
    for name, gain in GAINS.items():
        frame[name] = 0.5 + gain * late + noise * rng.normal(size=steps)
        frame[f"{name}_variance"] = 0.04 - 0.02 * late
    frame["total"] = frame[[*GAINS]].sum(axis=1)
    frame["total_variance"] = 0.16 - 0.08 * late
    frame["distance"], frame["recall"], frame["kl"] = 0.99 - 0.2 * late, 0.3, 2.0 * late
    return frame


def test_the_table_says_what_rose_and_by_which_share():
    found = Microscope(log()).to_frame().set_index("what")
    assert found.at["total", "change"] == pytest.approx(0.2)
    shares = found["share of the rise"]
    assert shares["format"] == pytest.approx(0.7) and shares["purchase hit"] == pytest.approx(0.05)
    rewarded = found["rewarded"] == "yes"
    assert shares[rewarded].drop("total").sum() == pytest.approx(1)
    assert found.at["visits differ", "change"] == pytest.approx(-0.2)
    assert found.loc["length", ["variance, begin", "variance, end"]].tolist() == pytest.approx(
        [0.04, 0.02]
    )


def test_what_was_not_rewarded_has_no_share():
    found = Microscope(log(), off=("length",)).to_frame().set_index("what")
    assert found["share of the rise"].isna()[["length", "visits differ", "recall side"]].all()
    assert set(found.index[found["rewarded"] == "no"]) > {"length", "recall side"}


def test_one_line_says_it():
    said = repr(Microscope(log()))
    assert said == (
        "Microscope(60 steps: total +.200, of it format 70 %, length 15 %, alike products 10 %, "
        "purchase hit 5 %)"
    )


def test_a_log_may_name_its_run():
    assert repr(Microscope(log().assign(run="all"))) == repr(Microscope(log()))


def test_a_run_that_ends_where_it_began_has_no_shares():
    flat = log().assign(total=1.0)
    assert repr(Microscope(flat)) == "Microscope(60 steps: total 0)"
    assert "nan" not in Microscope(flat)._repr_html_()


def test_the_static_form_holds_every_line_and_no_script():
    view = show(Microscope(log(noise=0.01), source="data: generated world"))
    text = view.static
    assert text.count("<svg") == 3 and "<script" not in text and not re.search(r"\bnan\b", text)
    for name in ("purchase hit", "alike products", "length", "format", "visits differ", "total"):
        assert name in text
    assert "data: generated world" in text and 'role="img"' in text
    # nats are on a scale of their own: in the table, not among the lines
    assert text.count("nats from supervised") == 1
    assert view.static == show(Microscope(log(noise=0.01), source="data: generated world")).static


def test_no_drawing_shares_its_row():
    # beside another, its letters are half as large
    assert "flex" not in Microscope(log())._repr_html_()


def test_the_lines_are_means_of_a_window():
    one = Microscope(log(), window=10)
    found = one._averaged("format")
    assert len(found) == 51 and found[0] == pytest.approx(0.5) and found[-1] == pytest.approx(0.64)
    assert found[25] == pytest.approx(0.5 + 0.14 * 5 / 10)


def test_text_of_a_reader_is_escaped():
    text = Microscope(log(), title="<img src=x onerror=alert(1)>", source="<b>")._repr_html_()
    assert "<img" not in text and "<b>&lt;b&gt;" not in text and "&lt;img" in text


@pytest.mark.parametrize("gone", ["total", "format", "process_variance", "step"])
def test_a_table_without_a_column_is_refused(gone):
    with pytest.raises(DataError, match=gone):
        Microscope(log().drop(columns=gone))


def test_too_short_a_run_and_a_window_that_is_none_are_refused():
    with pytest.raises(DataError, match="8 steps"):
        Microscope(log(8))
    for window in (0, 2.5, "20", True):
        with pytest.raises(ConfigError, match="window"):
            Microscope(log(), window=window)
    with pytest.raises(ConfigError, match="off"):
        Microscope(log(), off=("speed",))
