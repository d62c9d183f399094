"""Published layouts of whole logs: what files become, and what is said of broken ones. All rows here
are made up."""

import numpy as np
import pandas as pd
import pytest
from layouts import DATASETS, OPTIONS, TESTED_BESIDE, opened, told, write

from workbench.data import open_data
from workbench.errors import DataError
from workbench.sources.cards import all_cards
from workbench.sources.logs import LAYOUTS, layout


def test_every_layout_is_tested_and_has_a_card():
    readers = {card.reader for card in all_cards().values()}
    assert set(LAYOUTS) <= readers
    assert {name for name in LAYOUTS if not name.endswith("_split")} - TESTED_BESIDE == set(
        DATASETS
    )


def test_otto(tmp_path):
    log = opened("otto", tmp_path).log
    assert told(log, "action", "session") == [
        (8, 3, "purchase", 8),
        (7, 3, "view", 7),
        (7, 4, "cart", 7),
    ]
    assert log.frame["timestamp"].iloc[2] == pd.Timestamp("1970-01-01T00:00:03.5Z")


def test_movielens_as_on_kaggle(tmp_path):
    log, catalogue, _ = opened("movielens_kaggle", tmp_path)
    assert told(log, "value") == [(2, 10, 5.0), (1, 20, 2.5)] and set(log.frame["action"]) == {
        "rating"
    }
    assert catalogue.title(0) == "Rain, The (1999)" and catalogue.topics_of(0) == ["Drama", "War"]
    assert catalogue.topics_of(1) == [] and list(catalogue.frame["tags"]) == [
        "slow|sad end",
        "",
        "",
    ]


def test_goodreads_takes_book_ids_of_the_map_and_a_zero_for_no_rating(tmp_path):
    log, catalogue, _ = opened("goodreads", tmp_path)
    assert told(log)[:2] == [(0, 800), (0, 900)] and log.frame["timestamp"].isna().all()
    assert log.frame["value"].tolist()[::2] == [4.0, 3.0] and np.isnan(log.frame["value"].iloc[1])
    assert catalogue.topics_of(0) == ["fiction", "poetry"] and catalogue.topics_of(1) == []
    assert list(catalogue.frame["shelves"]) == ["sea", ""] and list(
        catalogue.frame["description"]
    ) == ["A tale.", ""]


def test_amazon_keeps_what_is_known_of_a_product_as_text(tmp_path):
    log, catalogue, _ = opened("amazon", tmp_path)
    assert told(log, "value") == [("B", "X2", 2.0), ("A", "X1", 4.0)]
    first = catalogue.frame.iloc[0]
    assert (first["brand"], first["price"], first["category"]) == ("Potter", 3.5, "Home")
    assert (first["description"], first["details"]) == ("for tea|blue", "1 kg|b")
    assert np.isnan(catalogue.frame["price"].iloc[1]) and catalogue.topics_of(0) == ["Cups", "Home"]


def test_thirty_music_plays_begin_at_session_and_playstart(tmp_path):
    log, catalogue, _ = opened("thirty_music", tmp_path)
    assert told(log, "session") == [(9, 2, 4), (9, 1, 5), (9, 2, 5)] and set(
        log.frame["action"]
    ) == {"listen"}
    assert log.frame["timestamp"].astype("int64").tolist() == [50_000, 100_000, 160_000]
    assert catalogue.title(0) == "The Owls: Night" and catalogue.topics_of(0) == [
        "folk",
        "late night",
    ]
    assert list(catalogue.frame["tag_ids"]) == ["70|71", ""] and catalogue.title(1) == "track 2"


def test_nowplaying_counts_the_rows_it_leaves_out(tmp_path):
    with pytest.warns(
        UserWarning, match="1 of 3 rows of sessions_2018.csv have no item, user or session"
    ):
        log, catalogue, _ = opened("nowplaying", tmp_path)
    assert told(log, "session") == [("u1", "m2", 11), ("u1", "m1", 11)]
    assert list(catalogue.frame["title"]) == ["Owls: Rain, again", 'Owls: Say "hi"']


def test_instacart_stands_by_user_order_and_cart(tmp_path):
    log, catalogue, _ = opened("instacart", tmp_path)
    assert told(log, "basket") == [(1, 10, 1), (1, 11, 1), (1, 11, 2), (2, 10, 1)]
    assert catalogue.topics_of(1) == ["wines"] and list(catalogue.frame["aisle_id"]) == [
        "3",
        "4",
        "3",
    ]


def test_dunnhumby_goes_by_day_before_time_of_day(tmp_path):
    log, catalogue, _ = opened("dunnhumby", tmp_path)
    assert told(log, "basket") == [(2, 71, 700), (1, 70, 800), (1, 71, 900), (1, 70, 900)]
    assert catalogue.title(0) == "ALE CANS 6 PK" and catalogue.topics_of(0) == [
        "BEERS/ALES",
        "GROCERY",
    ]
    assert list(catalogue.frame["brand"]) == ["National", "Private"] and catalogue.title(1) == "RYE"


def test_tafeng_csv_baskets_are_days_and_ids_keep_their_zeros(tmp_path):
    log, catalogue, users = opened("tafeng_csv", tmp_path)
    days = [("00000007", 52, 20110501), ("00000003", 51, 20110501), ("00000007", 51, 20110502)]
    assert told(log, "basket") == days and list(users["age_group"]) == ["A", "D"]
    assert catalogue.topics_of(0) == ["300"]


@pytest.mark.parametrize(
    ("reader", "name", "change", "message"),
    [
        (
            "otto",
            "train.jsonl",
            '{"session": 1, "events": []}\n{oops\n',
            r"train\.jsonl: line 2 is no JSON",
        ),
        (
            "otto",
            "train.jsonl",
            '{"session": 1, "events": [{"aid": 1}]}\n',
            "a broken event in line 1",
        ),
        ("otto", "train.jsonl", ("orders", "gifts"), "'gifts' in line 2"),
        ("otto", "train.jsonl", ("3500", '"late"'), "'late' in line 1 is not a number"),
        ("otto", "train.jsonl", "[1]\n", "line 1 is no JSON object"),
        ("movielens_kaggle", "rating.csv", ("10,5,", "10,good,"), "'good' in line 3"),
        (
            "movielens_kaggle",
            "tag.csv",
            "userId,movie,tag\n1,10,slow\n",
            r"tag\.csv: no column 'movieId'",
        ),
        (
            "goodreads",
            "book_id_map.csv",
            ("0,900\n", ""),
            "book_id_csv 0 in line 3 is not in book_id_map.csv",
        ),
        (
            "goodreads",
            "book_id_map.csv",
            ("1,800", "0,800"),
            r"book_id_map\.csv: book_id_csv 0 is repeated",
        ),
        (
            "goodreads",
            "goodreads_books.json",
            ("}\n", "\n"),
            r"goodreads_books\.json: line 1 is no JSON",
        ),
        ("amazon", "Things.jsonl", ('"X1"', "null"), r"Things\.jsonl: no item in line 1"),
        ("amazon", "Things.jsonl", ("1000", '"noon"'), "'noon' in line 2 is not a number"),
        ("thirty_music", "entities/tags.idomaar", "tag\t70\n", r"tags\.idomaar: line 1 is broken"),
        (
            "thirty_music",
            "entities/tags.idomaar",
            "tag\t70\t1\t[]\n",
            r"tags\.idomaar: line 1 is broken",
        ),
        (
            "thirty_music",
            "relations/sessions.idomaar",
            "event.session\t5\t1\t{} {}\n",
            "line 1 has 0 users",
        ),
        (
            "thirty_music",
            "entities/tracks.idomaar",
            ('{"id":3}', "3"),
            "line 1 has artists without an id",
        ),
        (
            "thirty_music",
            "entities/tracks.idomaar",
            ('"id":70', '"id":"x"'),
            "line 1 has tags whose id is no whole number",
        ),
        (
            "thirty_music",
            "relations/sessions.idomaar",
            ('"id":1,', '"id":null,'),
            "line 1 has objects whose id is no who",
        ),
        (
            "thirty_music",
            "relations/sessions.idomaar",
            (":60", ':"late"'),
            r"line 1 has a playstart that is no number \('",
        ),
        ("nowplaying", "sessions_2018.csv", (",,12", ""), "line 4 is broken: 5 fields"),
        (
            "instacart",
            "order_products__train.csv",
            ("6,11", "9,11"),
            "order_id 9 in line 2 is not in orders.csv",
        ),
        (
            "instacart",
            "orders.csv",
            ("train,2", "train,two"),
            r"orders\.csv: 'two' in line 3 is not a number",
        ),
        (
            "instacart",
            "order_products__train.csv",
            ("11,1,1", "11,x,1"),
            r"__train\.csv: 'x' in line 2 is not a number",
        ),
        (
            "instacart",
            "order_products__prior.csv",
            ("5,11,", "5,,"),
            r"__prior\.csv: no product_id in line 3",
        ),
        (
            "instacart",
            "aisles.csv",
            ("4,wines\n", ""),
            r"products\.csv: aisle_id 4 in line 3 is not in aisles\.csv",
        ),
        (
            "dunnhumby",
            "transaction_data.csv",
            ("900,2,70", "900,x,70"),
            "'x' in line 3 is not a number",
        ),
        ("dunnhumby", "product.csv", ("71,1,", "70,1,"), "item_id 70 in line 3 is repeated"),
        (
            "tafeng_csv",
            "ta_feng_all_months_merged.csv",
            ("5/1/2011,00000007", "31/1/2011,00000007"),
            "in line 3 is no day",
        ),
    ],
)
def test_broken_files_are_named_with_the_line(tmp_path, reader, name, change, message):
    whole = DATASETS[reader][name]
    broken = change if isinstance(change, str) else whole.replace(*change)
    assert broken != whole
    with pytest.raises(DataError, match=message):
        opened(reader, tmp_path, **{name: broken})


@pytest.mark.parametrize("reader", sorted(DATASETS))
def test_a_missing_file_is_named(tmp_path, reader):
    name = next(iter(DATASETS[reader]))
    write(tmp_path, {key: text for key, text in DATASETS[reader].items() if key != name})
    with pytest.raises(DataError, match="no such file"):
        layout(reader)(tmp_path, **OPTIONS.get(reader, {}))


@pytest.mark.real
def test_real_otto_counts(real_data):
    log = open_data("otto-sample", real_data).log
    assert (len(log), log.n_users, log.n_items) == (862, 20, 510)
    assert log.frame["action"].value_counts().to_dict() == {"view": 800, "cart": 52, "purchase": 10}
