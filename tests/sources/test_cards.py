"""Cards and the data commands; downloads come from a server on this machine."""

import gzip
import hashlib
import json
import threading
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pytest

from workbench.data import open_data
from workbench.errors import ConfigError, DataError
from workbench.settings import settings
from workbench.sources import commands
from workbench.sources.cards import Card, all_cards, find_card, sha256_of

LOG = "user,item,time\n1,5,100\n2,6,90\n2,6,90\n"
SHA = hashlib.sha256(LOG.encode()).hexdigest()


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A reader's data folder, and no test data."""
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setenv("WORKBENCH_DATA", str(folder))
    monkeypatch.delenv("WORKBENCH_TEST_DATA", raising=False)
    return folder


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    """A page with log.csv, the same gzipped, and another release of it."""
    page = tmp_path / "page"
    page.mkdir()
    (page / "log.csv").write_text(LOG, newline="")
    (page / "log.csv.gz").write_bytes(gzip.compress(LOG.encode()))
    (page / "newer.csv").write_text(LOG + "3,7,80\n", newline="")
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=page))
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_address[1]}"
    http.shutdown()
    http.server_close()


def write_card(own, url=None, name="tale", sha=SHA, more=""):
    (own / "cards").mkdir(exist_ok=True)
    text = (
        f'name = "{name}"\nreader = "table"\nfolders = ["{name}"]\nrows = 3\nusers = '
        f"2\nitems = 2\n{more}\n[[files]]\n"
    )
    text += f'name = "log.csv"\nsha256 = "{sha}"\n' + (f'url = "{url}"\n' if url else "")
    (own / "cards" / f"{name}.toml").write_text(text, encoding="utf-8")


def test_shipped_cards_are_whole(own):
    cards = all_cards()
    assert {"ml-100k", "ml-latest-small"} <= set(cards)
    for card in cards.values():
        assert card.title and card.task and card.licence
        assert card.reader == "world" or (card.page.startswith("https://") and card.cite)
        assert all(file.url is None or file.url.startswith("https://") for file in card.files)
    listed = commands.list_cards()
    assert list(listed["name"]) == list(cards)
    assert list(listed["name"][listed["here"]]) == [
        name for name, card in cards.items() if card.reader == "world"
    ]
    shown = find_card("ml-100k")
    assert (
        "GroupLens research licence" in str(shown)
        and repr(shown) == "Card(ml-100k, recbole, 3 files)"
    )
    assert ">MovieLens 100K" in shown._repr_html_()


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz"])
def test_get_downloads_checks_and_opens(own, server, name):
    write_card(own, f"{server}/{name}")
    assert commands.get("tale") == own / "tale"
    assert [path.name for path in (own / "tale").iterdir()] == [name]
    data = open_data("tale")
    log, catalogue = data.log, data.catalogue
    assert len(log) == 3 and catalogue.title(0) == "item 5"
    # again: what is there is checked, nothing is fetched
    assert commands.get("tale") == own / "tale"
    found = commands.check("tale").set_index("check")
    assert found["ok"].all() and found.loc["equal rows", "found"] == 1
    assert commands.list_cards().set_index("name").loc["tale", "here"]


def test_get_leaves_nothing_behind_when_the_release_is_another_one(own, server):
    write_card(own, f"{server}/newer.csv")
    with pytest.raises(DataError, match=f"log.csv has sha256 .*Expected: {SHA}"):
        commands.get("tale")
    with pytest.raises(DataError, match="cannot be downloaded"):
        write_card(own, f"{server}/nothing.csv")
        commands.get("tale")
    assert [path.name for path in own.iterdir()] == ["cards"]


def test_get_says_so_where_the_reader_must_fetch(own):
    write_card(own)
    with pytest.raises(DataError, match=r"log\.csv cannot be fetched for you.*put them in"):
        commands.get("tale")
    with pytest.raises(
        DataError, match=r"the data set tale is not here.*What to do: set WORKBENCH_DATA"
    ):
        open_data("tale")


def test_check_shows_what_differs(own):
    write_card(own)
    (own / "tale").mkdir()
    (own / "tale" / "log.csv").write_text(LOG + "3,7,80\n", newline="")
    found = commands.check("tale").set_index("check")
    assert found.index[~found["ok"]].tolist() == ["sha256 log.csv", "rows", "users", "items"]
    (own / "tale" / "log.csv").write_text("user,thing\n1,2\n", newline="")
    found = commands.check("tale").set_index("check")
    assert "no column 'item'" in found.loc["reads", "found"] and not found.loc["reads", "ok"]
    with pytest.raises(DataError, match="has sha256"):
        commands.get("tale")


def test_add_writes_a_card_and_copies_nothing(own, tmp_path):
    path = tmp_path / "My Shop.csv"
    path.write_text(
        'who,sku,when,kind\n"ann ""é""",7,1700000000123,1\nbob,8,1700000000124,2\n',
        encoding="utf-8",
    )
    columns = {"user": "who", "timestamp": "when", "action": "kind"}
    added = commands.add(path, columns, time_unit="ms", actions={"1": "view", "2": "purchase"})
    assert added.card.columns == {"item": "sku", **columns} and repr(added).startswith(
        "Added(my-shop, 2 rows"
    )
    assert set(added.to_frame()["role"]) == {"user", "item", "timestamp", "action"}
    assert sorted(p.name for p in own.rglob("*")) == ["cards", "my-shop.toml"]
    assert find_card("my-shop") == added.card
    log = open_data("my-shop").log
    assert list(log.users) == ['ann "é"', "bob"] and list(log.frame["action"]) == [
        "view",
        "purchase",
    ]
    assert commands.check("my-shop")["ok"].all()
    with pytest.raises(ConfigError, match="there is a card 'my-shop'"):
        commands.add(path, columns)


def test_add_with_copy_survives_the_original(own, tmp_path):
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress(LOG.encode()))
    added = commands.add(tmp_path / "log.csv.gz", {"timestamp": ""}, name="mine", copy=True)
    (tmp_path / "log.csv.gz").unlink()
    log = open_data("mine").log
    assert len(log) == 3 and log.frame["timestamp"].isna().all() and added.card.place is None


def test_add_writes_nothing_for_a_table_it_cannot_read(own, tmp_path):
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"odd\.csv: no column 'user'.*found: a, b"):
        commands.add(tmp_path / "odd.csv")
    with pytest.raises(ConfigError, match="no card can be made"):
        commands.add(tmp_path / "odd.csv", {"user": "a", "item": "b"}, name="../evil")
    assert not any(own.iterdir()) and not (tmp_path / "evil.toml").exists()


def test_cards_that_are_none(own):
    with pytest.raises(ConfigError, match=r"no card 'nobody'.*ml-100k"):
        find_card("nobody")
    write_card(own, name="broken", more='unknown_field = "x"')
    (own / "cards" / "folder.toml").mkdir()
    (own / "cards" / "dangling.toml").symlink_to(own / "nowhere")
    (own / "cards" / "bytes.toml").write_bytes(b"\xff\xfe")
    (own / "cards" / "deep.toml").write_text("a = " + "[" * 100_000)
    write_card(own, name="good")
    shipped = (settings().data / "cards" / "ml-100k.toml").read_text(encoding="utf-8")
    (own / "cards" / "same.toml").write_text(shipped, encoding="utf-8")
    listed = commands.list_cards().set_index("name")
    assert list(listed.index[-6:]) == [
        f"{name}.toml" for name in ("broken", "bytes", "dangling", "deep", "folder", "same")
    ]
    assert "unknown_field" in listed.loc["broken.toml", "task"] and "good" in listed.index
    assert "'ml-100k' is taken by" in listed.loc["same.toml", "task"]
    assert find_card("good").name == "good"
    with pytest.raises(ConfigError, match=r"no card 'broken'.*broken\.toml: not a card .*unknown"):
        find_card("broken")


def test_the_shipped_world_can_have_a_card(own):
    (own / "cards").mkdir()
    sha = sha256_of(settings().data / "world" / "manifest.json")
    text = (
        f'name = "shop"\nreader = "world"\nplace = "world"\n[[files]]\nname = '
        f'"manifest.json"\nsha256 = "{sha}"\n'
    )
    (own / "cards" / "shop.toml").write_text(text, encoding="utf-8")
    assert commands.get("shop") == settings().data / "world"
    data = open_data("shop")
    log, catalogue = data.log, data.catalogue
    assert log.n_items == len(catalogue) and catalogue.title(0)


def review(user, asin):
    product = {"title": f"Cup {asin}"}
    said = {"parent_asin": asin, "rating": 4.0, "timestamp_ms": 1_000, "review_full": "Holds tea."}
    one = said | {"product": product}
    return {"user_id": user, "category": "Home", "history": [one] * 4, "heldout": one}


@pytest.mark.filterwarnings("ignore:.*is not the file")
def test_texts_have_a_card_and_no_log(own, tmp_path):
    name = "amazon-reviews-2023-users"
    (tmp_path / name).mkdir()
    for number, file in enumerate(find_card(name).files):
        text = json.dumps(review(f"user {number}", f"X{number}"))
        (tmp_path / name / file.name).write_text(text, encoding="utf-8")
    found = commands.check(name, tmp_path)
    # other bytes; and nothing was taken for a log
    assert list(found["ok"]) == [False, False, False]
    reviews = open_data(name, tmp_path)
    assert reviews.texts["part"].tolist() == ["training", "validation", "test"]
    assert reviews.texts["text"].tolist() == [0, 1, 2]
    with pytest.raises(ConfigError, match="holds no interactions"):
        _ = reviews.log
    with pytest.raises(ConfigError, match="holds no interactions"):
        _ = reviews.catalogue


@pytest.mark.filterwarnings("ignore:.*is not the file")
def test_files_of_a_card_are_found_by_name(own, tmp_path):
    folder = tmp_path / "tafeng-keysets"
    folder.mkdir()
    for file in find_card("tafeng-keysets").files:
        (folder / f"{file.name}.gz").write_bytes(gzip.compress(b"{}"))
    keysets = open_data("tafeng-keysets", tmp_path)
    assert keysets.file("tafeng_keyset_3.json") == folder / "tafeng_keyset_3.json.gz"
    with pytest.raises(ConfigError, match="has no file 'tafeng_keyset_9"):
        keysets.file("tafeng_keyset_9.json")
    with pytest.raises(ConfigError, match="holds no interactions"):
        _ = keysets.log


def test_without_a_checksum_nothing_is_called_ok(own):
    (own / "cards").mkdir()
    text = (
        'name = "tale"\nreader = "table"\nfolders = ["tale"]\nrows = '
        '3\n[[files]]\nname = "log.csv"\nwithin = "raw"\n'
    )
    (own / "cards" / "tale.toml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"Expected: raw/log\.csv"):
        open_data("tale")
    (own / "tale" / "raw").mkdir(parents=True)
    (own / "tale" / "raw" / "log.csv").write_text(LOG, newline="")
    found = commands.check("tale").set_index("check")
    unchecked = found.index[found["expected"] == "not checked"]
    assert (
        list(unchecked) == ["sha256 log.csv", "users", "items"]
        and found.loc[unchecked, "ok"].isna().all()
    )
    assert found.loc["rows", "ok"] and found.loc["sha256 log.csv", "found"] == SHA
    assert "raw/log.csv  sha256 not known" in str(find_card("tale"))
    assert commands.get("tale") == own / "tale"
    with pytest.raises(ValueError, match="nothing is downloaded unchecked"):
        Card(name="x", reader="table", files=[{"name": "a", "url": "https://example.org/a"}])
    for within in ("..", "a/b", ".", "a\\b"):
        with pytest.raises(ValueError, match="pattern"):
            Card(name="x", reader="table", files=[{"name": "a", "within": within}])


@pytest.mark.parametrize(
    "name", ["../secret", "/etc", "a/b", "a\\b", "..", ".", "", "C:x", "a\0b", "a\nb"]
)
def test_a_card_names_files_not_paths(name):
    for facts in (
        {"files": [{"name": name}]},
        {"folders": ["good", name]},
        {"options": {"name": name}},
    ):
        with pytest.raises(ValueError, match="pattern"):
            Card(**{"name": "x", "reader": "table", "files": [{"name": "a"}]} | facts)


@pytest.mark.parametrize("name", ["con", "nul.csv", "com1", "lpt9.tar.gz", "aux", "a.", "a" * 250])
def test_a_name_is_one_on_every_system(name):
    for facts in (
        {"name": name},
        {"files": [{"name": name}]},
        {"files": [{"name": "a", "within": name}]},
        {"folders": [name]},
    ):
        with pytest.raises(ValueError, match=r"plain name|pattern"):
            Card(**{"name": "x", "reader": "table", "files": [{"name": "a"}]} | facts)
    for fine in ("console.csv", "com10", "null", "日本 1.csv", ".hidden", "a..b"):
        Card(name="x", reader="table", files=[{"name": fine}], folders=[fine])


def test_a_card_of_somebody_else_writes_below_the_data_folder_only(own, server, tmp_path):
    for folder in ("../outside", str(tmp_path / "outside")):
        write_card(own, f"{server}/log.csv")
        path = own / "cards" / "tale.toml"
        path.write_text(path.read_text().replace('["tale"]', json.dumps([folder])))
        with pytest.raises(ConfigError, match=r"no card 'tale'.*not a card"):
            commands.get("tale")
    assert not (tmp_path / "outside").exists() and [p.name for p in own.iterdir()] == ["cards"]


def test_get_says_what_is_in_its_way(own, server):
    write_card(own, f"{server}/log.csv")
    target = own / "tale"
    target.mkdir()
    (target / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"tale: lacks log\.csv.*move the folder away"):
        commands.get("tale")
    assert [path.name for path in target.iterdir()] == ["notes.txt"]
    (target / "notes.txt").unlink()
    assert commands.get("tale") == target and sha256_of(target / "log.csv") == SHA
    (target / "log.csv").unlink()
    target.rmdir()
    target.write_text("mine")
    with pytest.raises(DataError, match=r"tale: .*not written here"):
        commands.get("tale")
    assert target.read_text() == "mine"


class Endless(Quiet):
    """A file that never ends."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        with suppress(OSError):
            while True:
                self.wfile.write(b"x" * 65536)


@pytest.mark.parametrize("known", [True, False])
def test_a_download_ends_where_the_card_says_that_the_file_does(own, monkeypatch, known):
    monkeypatch.setattr(commands, "MOST", 500_000)
    http = ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    write_card(own, f"http://127.0.0.1:{http.server_address[1]}/log.csv")
    if known:
        path = own / "cards" / "tale.toml"
        path.write_text(path.read_text() + f"bytes = {len(LOG)}\n")
    most = f"{len(LOG) + 1000:,}" if known else "500,000"
    with pytest.raises(DataError, match=f"log.csv: more than {most} bytes"):
        commands.get("tale")
    http.shutdown()
    http.server_close()
    assert [path.name for path in own.iterdir()] == ["cards"]


def test_every_file_that_is_fetched_has_its_size_on_the_card():
    files = [file for card in all_cards().values() for file in card.files if file.url]
    assert len(files) == 5 and all(file.bytes for file in files)


@pytest.mark.parametrize("reader", ["table", "lists", "world", "recbole", "reviews", "files"])
def test_an_option_that_no_reader_has_is_named(own, reader):
    (own / "cards").mkdir()
    text = f'name = "tale"\nreader = "{reader}"\nfolders = ["tale"]\n[options]\ncolour = "x"\n'
    (own / "cards" / "tale.toml").write_text(f'{text}[[files]]\nname = "log.csv"\n')
    (own / "tale").mkdir()
    (own / "tale" / "log.csv").write_text(LOG)
    with pytest.raises(ConfigError, match="no option 'colour'"):
        open_data("tale")


@pytest.mark.parametrize("copy", [False, True])
def test_a_table_that_changed_behind_its_card_is_refused(own, tmp_path, copy):
    path = tmp_path / "log.csv"
    path.write_text(LOG, newline="")
    added = commands.add(path, name="mine", copy=copy)
    path = own / "mine" / "log.csv" if copy else path
    header, rows = LOG.split("\n", 1)
    path.write_text(f"{header}\n9,9,1\n{rows}", newline="")
    with pytest.raises(
        DataError, match=r"log\.csv is not the file that the card 'mine' was made of"
    ):
        open_data("mine")
    found = commands.check("mine").set_index("check")
    assert found.loc["rows", "found"] == 4 and not found.loc["rows", "ok"]
    # both remedies work
    path.write_text(LOG, newline="")
    assert len(open_data("mine").log) == 3
    path.write_text(f"{header}\n9,9,1\n{rows}", newline="")
    added.path.unlink()
    commands.add(path, name="mine")
    assert len(open_data("mine").log) == 4


@pytest.mark.filterwarnings("ignore:.*is not the file")
def test_another_release_of_a_published_data_set_is_told(own, tmp_path):
    folder = tmp_path / "gowalla-lightgcn"
    folder.mkdir()
    (folder / "train.txt").write_text("0 1 2\n")
    (folder / "test.txt").write_text("0 3\n")
    with pytest.warns(
        UserWarning, match=r"train\.txt is not the file .*data check gowalla-lightgcn"
    ):
        open_data("gowalla-lightgcn", tmp_path)


def test_a_table_that_was_moved_away_is_put_back_or_added_anew(own, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(LOG, newline="")
    added = commands.add(path)
    path.rename(tmp_path / "moved.csv")
    with pytest.raises(
        DataError, match=r"log is not here.*put it back, or remove the card"
    ) as told:
        open_data("log")
    assert str(added.path) in str(told.value) and "data get" not in str(told.value)
    added.path.unlink()
    assert len(open_data(commands.add(tmp_path / "moved.csv", name="log").card.name).log) == 3


def test_a_file_among_the_cards_that_is_none_is_not_written_over(own, tmp_path):
    (own / "cards").mkdir()
    (own / "cards" / "log.toml").write_text("notes = 'mine'")
    (tmp_path / "log.csv").write_text(LOG)
    with pytest.raises(DataError, match=r"log\.toml: .*not written here"):
        commands.add(tmp_path / "log.csv")
    assert (own / "cards" / "log.toml").read_text() == "notes = 'mine'"


def test_a_tilde_is_the_home_folder(own, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for name in ("DATA", "RUNS", "CACHE"):
        monkeypatch.setenv(f"WORKBENCH_{name}", "~/own")
    assert settings().own_data == settings().runs == settings().cache == own
    (tmp_path / "log.csv").write_text(LOG)
    assert commands.add(tmp_path / "log.csv").path == own / "cards" / "log.toml"


def test_without_a_folder_the_variable_is_named(monkeypatch):
    monkeypatch.delenv("WORKBENCH_DATA", raising=False)
    assert settings().own_data is None
    for command in (lambda: commands.get("ml-100k"), lambda: commands.add("x.csv")):
        with pytest.raises(ConfigError, match="WORKBENCH_DATA is not set"):
            command()


def test_sha256_is_of_the_unpacked_content(tmp_path):
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress(LOG.encode()))
    assert sha256_of(tmp_path / "log.csv") == SHA
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(LOG.encode())[:-5])
    with pytest.raises(DataError, match="broken gzip"):
        sha256_of(tmp_path / "cut.csv")


NAMES = (
    "ml-100k ml-latest-small jdata-demo rsc15-100k s3rec-beauty otto-sample tafeng "
    "tafeng-people gowalla-lightgcn diginetica"
)


@pytest.mark.real
def test_real_reviews_match_their_card(real_data):
    assert commands.check("amazon-reviews-2023-users", real_data)["ok"].tolist() == [True] * 3


@pytest.mark.real
@pytest.mark.parametrize("name", [*NAMES.split(), "amazonelectronics-m1"])
def test_real_copies_match_their_cards(real_data, name):
    found = commands.check(name, real_data)
    assert found["ok"].all(), found.to_string()
    assert isinstance(found, pd.DataFrame) and len(found) >= 6
