"""Blinded readings: nothing tells which page is which, choices are kept, the file is whole."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from workbench.errors import ConfigError, DataError
from workbench.reports import judges
from workbench.reports.judges import Pair
from workbench.views import Readings, export, show
from workbench.views.readings import HEAD, page_of

IMG = "<img src=x onerror=alert(1)>"
HOSTILE = f"## {IMG}\n\n{IMG} \u202e</section><script>alert(2)</script>\n\n"
HOSTILE += f"| | {IMG} |\n|---|---|\n| pick | &amp; {IMG} |"


def readings(n: int = 12, **more) -> Readings:
    pairs = [
        Pair(f"{k}", {"own": f"Mine {k}.", "other": f"Yours {k}."}, "- view: tea") for k in range(n)
    ]
    return Readings(pairs, **more)


class Whole(HTMLParser):
    """Raises where a closing tag does not close what was opened last, and for what may run."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        assert tag not in ("script", "img") and not any(name.startswith("on") for name, _ in attrs)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_order_is_drawn_and_stays():
    one, again, other = readings(200), readings(200), readings(200, seed=1)
    orders = [one.order(name) for name in one.pairs]
    assert orders == [again.order(name) for name in again.pairs]
    first = sum(order[0] == "own" for order in orders)
    assert 70 < first < 130
    assert orders != [other.order(name) for name in other.pairs]
    again.reader = "somebody else"
    assert orders != [again.order(name) for name in again.pairs]


def test_nothing_tells_which_page_is_which():
    own = readings(4)
    for page in (own.drawn(), own._repr_html_(), show(own).static, repr(own)):
        assert "own" not in re.sub("[Ss]hown", "", page) and "other" not in page
    assert "Page A" in own.drawn() and "view: tea" in own.drawn()
    own.shown = False
    assert "view: tea" not in own.drawn()


def test_choices_are_kept_by_what_was_chosen():
    own = readings(3)
    own.choose("0", 0).choose("1", 1)
    own.shown = False
    own.choose("2", None)
    table = own.choices
    assert table.columns.tolist() == HEAD and own.next is None
    assert table["chosen"].tolist() == [own.order("0")[0], own.order("1")[1], ""]
    assert table["visits"].tolist() == ["shown", "shown", "hidden"]
    own.reader = "another"
    assert own.next == "0" and own.choose("0", 0).choices["reader"].tolist()[-1] == "another"
    assert own.choices.iloc[:3].equals(table), "what was read before stays"
    found = own.results().set_index(["visits", "what"])
    hidden, own_first = found.loc[("hidden", "own")], own.choices["chosen"].iloc[-1] == "own"
    assert hidden["n"] == 2 and hidden["share"] == (0.5 + own_first) / 2
    assert found.loc[("shown", "what stood first"), "n"] == 2


def test_refuses():
    own = readings(2).choose("0", 0)
    with pytest.raises(ConfigError, match="has answered 0"):
        own.choose("0", 1)
    for place in (2, "A", True, 1.0):
        with pytest.raises(ConfigError, match="place"):
            own.choose("1", place)
    with pytest.raises(ConfigError, match="no pair 'x'"):
        own.order("x")
    with pytest.raises(DataError, match="two pages"):
        Readings([])
    with pytest.raises(DataError, match="two pages"):
        Readings([Pair("1", {"a": ""})])
    with pytest.raises(DataError, match="of one name"):
        Readings([Pair("1", {"a": "", "b": ""})] * 2)


def test_hostile_text_is_escaped_and_shown():
    pairs = [Pair(IMG, {IMG: HOSTILE, "b": HOSTILE}, f"{IMG}\n</p><script>")]
    own = Readings(pairs, reader=IMG)
    for page in (own._repr_html_(), page_of(HOSTILE), own.choose(IMG, 0)._repr_html_()):
        reader = Whole()
        reader.feed(page)
        assert reader.open == [] and "&lt;img" in page and "\u202e" not in page
    assert page_of(HOSTILE).count("<table>") == 1


# --- live ---


def test_the_widget_keeps_what_is_pressed():
    own = readings(3)
    widget = show(own).widget()
    assert "Pair 1 of 3" in widget.drawing.value
    widget.buttons["Page A"].click()
    assert own.choices["chosen"].tolist() == [own.order("0")[0]]
    widget.visits.value = False
    assert "view: tea" not in widget.drawing.value
    widget.buttons["Page B"].click()
    widget.buttons["Neither"].click()
    assert own.choices["visits"].tolist() == ["shown", "hidden", "hidden"]
    assert all(button.disabled for button in widget.buttons.values())
    assert "All 3 pairs are read" in widget.drawing.value
    widget.reader.value = "two"
    assert "Pair 1 of 3" in widget.drawing.value and not widget.buttons["Page A"].disabled
    widget.buttons["Page A"].click()
    assert own.choices["reader"].tolist() == ["reader 1"] * 3 + ["two"]


# --- the file ---


def test_export_and_read_again(tmp_path):
    own = readings(3).choose("0", 0).choose("1", None)
    path = export(own, tmp_path / "choices.csv")
    table = pd.read_csv(path, keep_default_na=False, dtype={"pair": str})
    assert table.values.tolist() == own.choices.values.tolist()
    assert judges.preferred(table, "own") == judges.preferred(own.choices, "own")
    own.choose("2", 1)
    assert len(pd.read_csv(export(own, path))) == 3, "older choices are replaced"


def test_what_it_did_not_write_is_not_replaced(tmp_path):
    own = readings(1).choose("0", 0)
    foreign = tmp_path / "foreign.csv"
    foreign.write_text("reader,pair\n1,2\n")
    with pytest.raises(ConfigError, match="no export wrote it"):
        export(own, foreign)
    assert foreign.read_text() == "reader,pair\n1,2\n"
    link = tmp_path / "link.csv"
    link.symlink_to(export(own, tmp_path / "own.csv"))
    for path in (link, tmp_path / "folder.csv"):
        (tmp_path / "folder.csv").mkdir(exist_ok=True)
        with pytest.raises(ConfigError, match="no export wrote it"):
            export(own, path)
    with pytest.raises(ConfigError, match=r"ends in \.csv"):
        export(own, tmp_path / "choices.html")


def test_a_broken_export_leaves_the_old_file(tmp_path, monkeypatch):
    own = readings(2).choose("0", 0)
    path = export(own, tmp_path / "choices.csv")
    before = path.read_bytes()
    own.choose("1", 0)

    def broken(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", broken)
    with pytest.raises(DataError, match="No space left"):
        export(own, path)
    monkeypatch.undo()
    assert path.read_bytes() == before and [*tmp_path.iterdir()] == [path]


def test_a_spreadsheet_computes_nothing(tmp_path):
    own = Readings([Pair("=1+1", {"@a": "", "-b": ""})], reader="+c\n=d").choose("=1+1", 0)
    text = export(own, tmp_path / "choices.csv").read_text()
    cells = text.splitlines()[1].split(",")
    assert len(text.splitlines()) == 2 and all(cell[:1] in "'s0" for cell in cells)


# --- agreement ---


def test_kappa_by_hand():
    # both say own 20 times and other 15 times; 10 and 5 apart: Cohen's own kind of table
    said = [("own", "own")] * 20 + [("own", "other")] * 5 + [("other", "own")] * 10
    said += [("other", "other")] * 15
    rows = [(who, n, two[k]) for n, two in enumerate(said) for k, who in enumerate(("x", "y"))]
    asked = pd.DataFrame(rows, columns=["reader", "pair", "chosen"])
    (line,) = judges.agreement(asked).to_dict("records")
    chance = (25 / 50) * (30 / 50) + (25 / 50) * (20 / 50)
    assert line["same"] == 0.7 and line["n"] == 50
    assert line["kappa"] == pytest.approx((0.7 - chance) / (1 - chance))
    assert line["low"] < line["kappa"] < line["high"]


def test_kappa_of_coins_holds_nothing_and_of_one_thing_throughout_is_none():
    own = readings(200)
    for reader, salt in (("x", 3), ("y", 7)):
        own.reader = reader
        for name in own.pairs:
            own.choose(name, (int(name) * salt // 2) % 2)
    found = judges.agreement(own.choices).iloc[0]
    assert found["low"] < 0 < found["high"]
    always = pd.DataFrame(
        [(who, n, "own") for who in "xy" for n in range(5)], columns=["reader", "pair", "chosen"]
    )
    line = judges.agreement(always).iloc[0]
    assert line["same"] == 1.0 and line[["kappa", "low", "high"]].isna().all()
    apart = pd.DataFrame([("x", 1, "a"), ("y", 2, "a")], columns=["reader", "pair", "chosen"])
    assert judges.agreement(apart).iloc[0]["n"] == 0
