"""A stranger's shop, from two files to a forget screen: other column names, prices as text, topics,
bad files, and the notebook that opens any card."""

import ast
import json
import warnings

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from workbench import data, views
from workbench.cli import app
from workbench.errors import ConfigError, DataError, UnknownItem
from workbench.html import HIDDEN, escape
from workbench.settings import ROOT
from workbench.sources import commands
from workbench.sources.prices import as_prices
from workbench.sources.reading import layout_of
from workbench.views.served import served

NOTEBOOK = ROOT / "notebooks" / "real" / "00_your_own_forget_screen.ipynb"
LOG = "customer;when;article;what\nann;2024-01-01;p1;buy\nbob;2024-01-02;p2;look\nann;2024-01-03;p3;return\n"
SHELF = "article;label;themes;sort;cost\np1;Pot;Kitchen, Steel;Pots;12,50 EUR\np2;Pan;Kitchen;Pans;1.299,00 EUR\n"
COLUMNS = {"kind": "sort", "price": "cost"}


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder of files, beside a reader's data folder."""
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path / "own"))
    monkeypatch.delenv("WORKBENCH_TEST_DATA", raising=False)
    return tmp_path


def write(folder, name, text, encoding="utf-8"):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding=encoding)
    return path


def command(*words):
    """What the command says, and its error."""
    said = CliRunner().invoke(app, ["data", "add", *map(str, words), "--yes"])
    return said.stdout, said.exception


def shop(folder, people=40, goods=30, rows=900, topics=4):
    """Clicks and products of a made-up shop, written to two files."""
    rng = np.random.default_rng(1)
    log = {"customer": rng.integers(0, people, rows), "article": rng.integers(0, goods, rows)}
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(rows), unit="h")
    log |= {"when": times.astype(str), "what": rng.choice(["look", "buy", "return"], rows)}
    log = pd.DataFrame(log)
    log.to_csv(folder / "clicks.csv", sep=";", index=False)
    items = pd.DataFrame({"article": range(goods), "label": [f"Pot {i}" for i in range(goods)]})
    items["themes"] = [f"Theme {i % topics}, Theme {(i + 1) % topics}" for i in range(goods)]
    items["cost"] = [f"{i},50 EUR" for i in range(goods)]
    items.to_csv(folder / "products.csv", sep=";", index=False)
    return folder / "clicks.csv", folder / "products.csv"


def run_notebook(name=""):
    """The names that the cells of the notebook leave, and the pages that they show."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    names, shown = {}, []
    for cell in cells:
        if cell["cell_type"] == "code":
            source = "".join(cell["source"]).replace('name = ""', f'name = "{name}"')
            body = ast.parse(source).body
            last = body.pop() if isinstance(body[-1], ast.Expr) else None
            exec(compile(ast.Module(body, []), "cell", "exec"), names)
            if last is not None:
                shown.append(eval(compile(ast.Expression(last.value), "cell", "eval"), names))
    return names, [view.static for view in shown if isinstance(view, views.View)]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["12,50 EUR", "1.299,00 EUR", "3 EUR"], [12.5, 1299, 3]),
        (["$12.50", "$1,299.00", None], [12.5, 1299, None]),
        (["CHF 1'299.50", "CHF 3.–"], [1299.5, 3]),
        (["1 299,50 zł", "Rs. 20,50 "], [None, None]),  # two currencies
        (["12.50 €", "12,50 €"], [None, None]),  # two ways of decimals
        (["1,299 €", "5 €"], [None, 5]),  # may be one thousand or one
        (["1,299 €", "5,50 €"], [None, 5.5]),
        (["1.299.000 €", "5,50 €"], [1_299_000, 5.5]),
        (["1.2.3 €", "5,5"], [None, 5.5]),
        (["ab 12 EUR", "auf Anfrage", "9 EUR"], [None, None, 9]),
        (["12.5", "cheap", "inf", "7"], [12.5, None, None, 7]),
        (["12.5", "1.299"], [12.5, 1.299]),  # numbers as they are written
        (["1.299,-", "2.499,-"], [1299, 2499]),  # the comma before the dash stands for decimals
        (["1.299,–", "12.50"], [None, None]),
        (["１２,５０ €", "٣٤ €", "5 €", "7"], [None, None, 5, 7]),  # digits of other scripts
    ],
)
def test_prices_are_read_as_shops_write_them_or_are_unknown(written, read):
    numbers, facts, doubts = as_prices(pd.Series(written), "cost")
    assert [None if pd.isna(one) else one for one in numbers] == read
    # whatever is not read is said
    lost = sum(one is not None for one in written) - numbers.notna().sum()
    assert bool(doubts) == bool(lost) and len(facts) <= 1
    assert all(said.startswith("cost: ") for said in (*facts, *doubts))


def test_a_card_has_topics_kinds_and_prices_of_other_column_names(own):
    path, shelf = write(own, "clicks.csv", LOG), write(own, "products.csv", SHELF)
    words = ("--action", "buy=purchase", "--drop", "return", "--item-column", "kind=sort")
    out, error = command(path, "--items", shelf, *words, "--item-column", "price=cost")
    assert error is None, error
    # the roles of both files are shown, and how prices are read
    for role in (r"what +str +buy +action", r"themes +str +Kitchen, Steel topics"):
        assert pd.Series([out]).str.contains(role).item(), role
    assert "cost: '12,50 EUR' is read as 12.5" in out
    assert "1 rows of actions that are to be left out are left out" in out
    opened = data.open_data("clicks")
    frame = opened.catalogue.frame
    assert sorted(opened.log.frame["action"]) == ["look", "purchase"]
    assert frame["price"].tolist() == [12.5, 1299.0] and frame["title"].tolist() == ["Pot", "Pan"]
    assert frame["kind"].tolist() == ["Pots", "Pans"]
    assert opened.catalogue.topics_of(0) == ["Kitchen", "Steel"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what was said when it was added is not said again
        data.open_data("clicks")


def test_an_action_is_found_by_what_it_is_called(own):
    text = LOG.replace("what", "c4") + "bob;2024-01-04;p2;return\n"
    path = write(own, "x.csv", text)
    assert "action" in data.preview(path).mapping  # buy, look and return are words for deeds
    strange = write(own, "y.csv", text.replace("buy", "b").replace("look", "l"))
    assert "action" not in data.preview(strange).mapping
    assert data.preview(strange, actions={"b": "purchase"}).mapping["action"] == "c4"
    log = data.read_table(strange, actions={"b": "purchase", "return": ""})
    assert list(log.frame["action"]) == ["purchase", "l"]
    with pytest.warns(UserWarning, match=r"no action is called retrun \(seen: b, l, return\)"):
        data.read_table(strange, actions={"b": "purchase", "retrun": ""})
    with pytest.raises(ConfigError, match=r"read: no option 'item'.*some of path, mapping, items"):
        data.read(strange, item="x")
    with pytest.raises(ConfigError, match="none alone holds refund") as caught:
        data.read(strange, drop=["refund"])
    assert "mapping={'action': '…'}" in caught.value.do


def test_read_says_the_same_in_one_call(own):
    path, shelf = write(own, "clicks.csv", LOG), write(own, "products.csv", SHELF)
    told = {"items": shelf, "item_columns": COLUMNS, "actions": {"buy": "purchase"}}
    log, catalogue, people = data.read(path, drop=["return"], **told)
    commands.add(path, drop=["return"], **told)
    opened = data.open_data("clicks")
    assert log.fingerprint == opened.log.fingerprint and len(people) == log.n_users
    assert catalogue.fingerprint == opened.catalogue.fingerprint
    # without items they are called by their ids
    bare = data.read(path)
    assert bare.catalogue.title(0) == "item p1" and bare.catalogue.topics.empty
    with pytest.raises(UnknownItem, match=r"no item has the topic 'Kitchen'.*one of none"):
        bare.catalogue.items_of("Kitchen")
    with pytest.raises(ConfigError, match="no option"):
        data.read(path, sepp=";")


def test_the_items_are_found_in_the_column_that_the_log_has_them_in(own):
    log = write(own, "x.csv", "user,ware13\na,w1\nb,w2\n")
    shelf = write(own, "s.csv", "ware13,id,name\nw1,1,Pot\nw2,2,Pan\n")
    columns = {"item": "ware13"}
    assert data.read(log, columns, items=shelf).catalogue.title(1) == "Pan"
    other = write(own, "o.csv", "id,code,name\n1,w1,Pot\n2,w2,Pan\n")
    with pytest.raises(DataError, match=r"o\.csv, column id: no item is one of the log: '1'") as no:
        data.read(log, columns, items=other)
    assert no.value.do == "code holds some: pass item_columns={'item': 'code'}"
    error = command(log, "--column", "item=ware13", "--items", other)[1]
    assert "code holds some: pass --item-column item=code" in error.do
    assert data.read(log, columns, items=other, item_columns={"item": "code"}).catalogue.title(0)


def test_the_two_files_may_be_written_in_two_encodings(own):
    log = write(own, "x.csv", "user,item\nå,1\nb,2\n")
    shelf = write(own, "s.csv", "item,title\n1,Käse\n2,Brot\n", "latin-1")
    with pytest.raises(DataError, match=r"s\.csv: line 2 is not utf-8") as caught:
        data.read(log, items=shelf)
    assert "pass item_encoding='latin-1'" in caught.value.do
    assert "--item-encoding 'latin-1'" in command(log, "--items", shelf)[1].do
    assert command(log, "--items", shelf, "--item-encoding", "latin-1")[1] is None
    opened = data.open_data("x")
    assert opened.catalogue.title(0) == "Käse" and list(opened.log.users) == ["b", "å"]


def test_ids_and_values_that_are_written_in_two_ways(own):
    log = write(own, "x.csv", "user;item;rating\na;1;4,5\nb;2;3\n")
    assert data.read(log).log.frame["value"].tolist() == [4.5, 3.0]
    with pytest.raises(DataError, match="'1,299' in line 2 is not a number"):
        data.read(write(own, "y.csv", "user;item;rating\na;1;1,299\nb;2;3\n"))
    shelf = write(own, "s.csv", "item,title\n001,A\n002,B\n")
    with pytest.raises(DataError, match=r"the log: '001'.*1, 2.*001, 1 and 1\.0 are three"):
        data.read(log, items=shelf)


def test_a_role_that_is_left_out_or_taken_by_another_column_is_read_from_no_other(own):
    log = data.read_table(write(own, "x.csv", "user,item\na,1\nb,2\n"))
    shelf = write(own, "s.csv", "item,title,label,rating\n1,Pot,Topf,4.5\n2,Pan,Pfanne,3\n")
    assert data.read_items(shelf, log, {"title": "label"}).title(0) == "Topf"
    assert data.read_items(shelf, log, {"title": ""}).title(0) == "item 1"
    assert data.read_items(shelf, log).rating.tolist() == [4.5, 3.0]


BAD = {
    "an empty file": ("", "the file is empty"),
    "lines without text": ("\n\n", "the file is empty"),
    "no row of the log": ("article;label\nq1;A\n", "no item is one of the log: 'q1'"),
    "only a header": ("article;label\n", "no item is one of the log"),
    "no column of ids": ("x;y\np1;A\n", "no column 'item'.*--item-column item=…"),
    "mixed delimiters": (
        "article;label\np1;A\np2,B\n",
        "line 3 is broken: 1 fields. Expected: 2 fields, with ';' between",
    ),
    "two rows of one item": (
        "article;label\np1;A\np2;B\np1;C\n",
        "item 'p1' has a second row, line 4, that differs. Expected: one row per item",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_tables_of_items_are_named_and_leave_no_card(own, name):
    text, said = BAD[name]
    log, shelf = write(own, "clicks.csv", LOG), write(own, "products.csv", text)
    error = command(log, "--items", shelf)[1]
    assert isinstance(error, DataError) and str(error).startswith("products.csv")
    assert pd.Series([str(error)]).str.contains(said).item(), error
    assert error.expected and error.do and not list(own.rglob("*.toml"))


def test_bad_logs_are_named(own):
    for text, said in (
        ("", "the file is empty"),
        ("customer;article\n", "the table is empty"),
        ("customer;article\nann;p1\nbob,p2\n", "line 3 is broken"),
        ("customer;article\nann;\nbob;p2\n", "no item in line 2. Expected: one in every row"),
    ):
        error = command(write(own, "clicks.csv", text))[1]
        assert isinstance(error, DataError) and said in str(error), error


def test_odd_tables_of_items_are_read_and_what_they_lack_is_counted(own):
    log = write(own, "clicks.csv", LOG)
    shelf = "\ufeffarticle;label;cost\np1;A;free\np1;A;free\nq9;Z;1\n"
    out, error = command(log, "--items", write(own, "products.csv", shelf))
    assert error is None
    for said in (
        "no column is the topics: no topics; --item-column topics=… names one",
        "1 rows are there twice, and read once",
        "2 of 3 items have no row, and are called by their id",
        "1 rows are of items that the log does not name",
    ):
        assert f"products.csv: {said}" in out, said
    assert "3 items, 0 topics: none" in out
    priced = {"items": own / "products.csv", "item_columns": {"price": "cost"}}
    with pytest.warns(UserWarning, match=r"cost: 1 prices are no numbers \('free' in line 2\)"):
        data.read(log, **priced)


def test_layouts_of_movielens_and_recbole_are_cards_by_their_folder(own):
    ratings = [(u, i, 5 - (u + i) % 2, 978300760 + u) for u in range(1, 7) for i in range(1, 7)]
    rows = [list(map(str, row)) for row in ratings]
    tabs = "\n".join("\t".join(row) for row in rows) + "\n"
    flags = "|".join("1" if genre in (1, 11) else "0" for genre in range(19))
    films = [f"{i}|Film {i}|01-Jan-1995||http://x|{flags}" for i in range(1, 7)]
    write(own, "ml/u.data", tabs)
    write(own, "ml/u.item", "\n".join(films) + "\n", "latin-1")
    colons = "\n".join("::".join(row) for row in rows) + "\n"
    write(own, "one/ratings.dat", colons)
    write(own, "one/movies.dat", "\n".join(f"{i}::Film {i}::Action|Horror" for i in range(1, 7)))
    write(own, "r/x.inter", "user_id:token\titem_id:token\trating:float\ttimestamp:float\n" + tabs)
    items = "item_id:token\tmovie_title:token_seq\tclass:token_seq\n"
    items += "".join(f"{i}\tFilm {i}\tAction Horror\n" for i in range(1, 7))
    write(own, "r/x.item", items)
    for name, log in (("ml", "u.data"), ("one", "ratings.dat"), ("r", "x.inter")):
        out, error = command(own / name)
        assert error is None and "00_your_own" in out, error
        assert "values from 4 to 5: every row" in out and "6 items, 2 topics: Action 6" in out
        opened = data.open_data(name)
        assert len(opened.log) == 36 and opened.catalogue.title(0) == "Film 1"
        assert {"Action", "Horror"} <= set(opened.catalogue.topics_of(0))
        # the log itself says the same, and so does one call
        assert command(own / name / log, "--name", f"{name}-file")[1] is None
        other = data.open_data(f"{name}-file").catalogue
        assert other.fingerprint == opened.catalogue.fingerprint
        assert data.read(own / name).log.fingerprint == opened.log.fingerprint
    # told otherwise it is a table, as is a ratings.csv
    assert len(data.read(own / "one" / "ratings.dat", names="user,item,rating,time").log) == 36
    assert layout_of(write(own, "c/ratings.csv", "user,item\n1,2\n")) is None
    write(own, "c/movies.csv", "movieId,title,genres\n2,B,X\n")
    assert layout_of(own / "c" / "ratings.csv") is None
    assert layout_of(own / "c")[0] == "movielens"


def test_enough_is_kept_of_any_log():
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"user": rng.integers(0, 30, 600), "item": rng.integers(0, 20, 600)})
    table = table.assign(value=rng.choice([0.5, 2, 3.5, 4, 5], 600), plays=rng.random(600))
    liked = data.keep_enough(data.Interactions.from_table(table, value="value")).log
    assert liked.frame["value"].min() == 4 and liked.frame.groupby("user").size().min() >= 5
    # many different values are no ratings, and one value says nothing
    for column in (table["plays"], 1.0):
        log = data.Interactions.from_table(table.assign(value=column), value="value")
        assert len(data.keep_enough(log).log) == 600
    tiny = data.Interactions.from_table(table.head(3))
    assert len(data.keep_enough(tiny).log) == 3
    wide = pd.DataFrame(
        {"user": np.repeat(range(7_000), 5) % 70, "item": np.arange(35_000) % 3_500}
    )
    many = data.keep_enough(data.Interactions.from_table(wide))
    # with more rows an item nobody is left: those with most rows stay, and that is said
    assert many.log.n_items == 3_000
    assert "the 3,000 items with most rows" in many.dropped["filter"].tolist()
    # a log too thin for five rows each
    thin = {"user": rng.integers(0, 4_000, 9_000), "item": rng.integers(0, 6_000, 9_000)}
    log = data.Interactions.from_table(pd.DataFrame(thin))
    kept = data.keep_enough(log)
    rows = np.bincount(log.frame["item"])
    assert kept.log.n_items == 3_000 and len(kept.log) == np.sort(rows)[-3_000:].sum()


def test_the_first_request_has_a_topic_and_rows_for_a_placebo():
    rows = (
        [("a", i) for i in range(9)] + [("b", i) for i in range(3)] + [("c", i) for i in range(30)]
    )
    log = data.Interactions.from_table(pd.DataFrame(rows, columns=["user", "item"]))
    shelf = pd.DataFrame({"item": range(30), "title": "x"})
    topics = pd.DataFrame({"item": [0, 1, 2, 3, 4, 5], "topic": ["T", "T", "T", "S", "S", "S"]})
    catalogue = data.Catalogue.from_table(shelf, topics)
    assert data.first_request(log, catalogue) == (log.user_code("c"), "S")
    assert data.first_request(log, catalogue, unsaid=["S"]) == (log.user_code("c"), "T")
    assert data.first_request(log, data.Catalogue.from_table(shelf)) == (log.user_code("c"), None)
    few = log.select((log.frame["user"] < 2).to_numpy())
    assert data.first_request(few, catalogue) == (log.user_code("a"), "S")  # b has no other rows


def test_the_latest_card_is_the_one_that_was_added_last(own, monkeypatch):
    with pytest.raises(ConfigError, match=r"no card of your own in .*own.*data add clicks\.csv"):
        data.latest()
    path = write(own, "x.csv", LOG)
    for name in ("zebra", "ant"):
        commands.add(path, name=name)
    assert data.latest() == "ant"
    monkeypatch.delenv("WORKBENCH_DATA")
    with pytest.raises(ConfigError, match="WORKBENCH_DATA is not set here"):
        data.latest()


def test_the_notebook_opens_the_card_added_last_on_a_screen(own):
    clicks, products = shop(own)
    assert command(clicks, "--items", products, "--drop", "return")[1] is None
    names, shown = run_notebook()
    assert names["own"].card.name == "clicks" and names["topic"].startswith("Theme")
    screen = shown[0]
    assert "Pot " in screen and names["topic"] in screen and "data: clicks" in screen
    request = names["forgotten"].null.iloc[0]
    assert request["kind"] == "this request" and request["rows"] >= 3


def test_the_notebook_opens_a_log_without_items(own, capsys):
    clicks, _ = shop(own)
    commands.add(clicks, name="bare")
    names, shown = run_notebook("bare")
    assert "0 topics: none, so forget item by item" in capsys.readouterr().out
    assert names["topic"] is None and "item " in shown[0]
    assert not names["told"]["sentence"].str.contains("unknown.", regex=False).any()
    assert len(names["forgotten"].interactions)


def test_the_notebook_prints_no_controls_and_tells_what_a_file_of_it_holds(own, capsys):
    clicks, products = shop(own)
    items = pd.read_csv(products, sep=";")
    items["themes"] = [f"\x1b[31mTheme {i % 4}\u202e" for i in range(len(items))]
    items.to_csv(products, sep=";", index=False)
    assert command(clicks, "--items", products, "--drop", "return")[1] is None
    screen = run_notebook()[0]["screen"]
    out = capsys.readouterr().out
    assert "4 topics: ␛[31mTheme" in out and not HIDDEN.search(out)
    # one person's history, and a warning
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert "the file is this person's history" in text and "refuses real people" not in text
    with pytest.warns(UserWarning, match="would hold every product that each of 40 shoppers had"):
        file = views.export(screen, own / "screen.html").read_text(encoding="utf-8")
    assert screen.state["user"]["name"] in file and '"seen"' not in file
    assert all(escape(row["title"]) in file for row in screen.state["history"])


def test_a_thousand_topics_and_hostile_titles_leave_a_screen_that_can_be_used(own):
    clicks, products = shop(own)
    items = pd.read_csv(products, sep=";")
    items["themes"] = [", ".join(f"T{i} {k}" for k in range(40)) for i in range(len(items))]
    items["label"] = [f"<img src=x onerror=alert({i})>\u202e\x1b[31m" for i in items["article"]]
    items.to_csv(products, sep=";", index=False)
    log, catalogue, _ = data.read(clicks, items=products, drop=["return"])
    assert catalogue.topics["topic"].nunique() == 1_200
    user, topic = data.first_request(log, catalogue)
    screen = views.Screen(served(log, catalogue), user, topic)
    page = views.show(screen).static
    assert "<img" not in page and "\u202e" not in page and "\x1b" not in page
    # no longer than the history it shows, however many topics there are
    few, shelf, _ = data.read(shop(own)[0], items=own / "products.csv", drop=["return"])
    plain = views.show(views.Screen(served(few, shelf), user, None)).static
    assert len(page) < 3 * len(plain)
