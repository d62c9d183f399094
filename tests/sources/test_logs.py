"""Published layouts: what whole files become, and what is said of broken ones. All rows here are
made up."""

import gzip
import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.data import open_data, read_keyset
from workbench.errors import ConfigError, DataError
from workbench.recommend.evaluation import next_items
from workbench.sources.cards import all_cards, find_card
from workbench.sources.logs import LAYOUTS, layout
from workbench.sources.logs.lists import lists_split
from workbench.sources.logs.pairs import pairs_split


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return folder


def lines(*objects):
    return "".join(json.dumps(thing) + "\n" for thing in objects)


OTTO = {
    "train.jsonl": lines(
        {
            "session": 7,
            "events": [
                {"aid": 3, "ts": 2_000, "type": "clicks"},
                {"aid": 4, "ts": 3_500, "type": "carts"},
            ],
        },
        {"session": 8, "events": [{"aid": 3, "ts": 1_000, "type": "orders"}]},
    )
}
MOVIES = {
    "rating.csv": '"userId","movieId","rating","timestamp"\n1,20,2.5,"2007-07-07 07:07:07"\n'
    '2,10,5,"2004-01-01 00:00:00"\n',
    "movie.csv.gz": 'movieId,title,genres\n10,"Rain, The (1999)",Drama|War\n'
    "20,Snow (2001),(no genres listed)\n30,Fog,War\n",
    "tag.csv": "userId,movieId,tag,timestamp\n1,10,slow,x\n2,10,slow,x\n2,10,sad end,x\n",
}
BOOKS = {
    "goodreads_interactions.csv": "user_id,book_id,is_read,rating,is_reviewed\n0,1,1,4,0\n0,0,0,0,0\n1,1,1,3,0\n",
    "book_id_map.csv": "book_id_csv,book_id\n0,900\n1,800\n",
    "goodreads_books.json": lines(
        {
            "book_id": "800",
            "title": "Low Tide",
            "description": "A tale.",
            "popular_shelves": [{"name": "sea"}],
        },
        {"book_id": "900", "title": "High Tide", "description": None, "popular_shelves": []},
    ),
    "goodreads_book_genres_initial.json": lines(
        {"book_id": "800", "genres": {"poetry": 4, "fiction": 2}}
    ),
}
AMAZON = {
    "Things.jsonl": lines(
        {"user_id": "A", "parent_asin": "X1", "rating": 4.0, "timestamp": 2_000, "text": "fine"},
        {"user_id": "B", "parent_asin": "X2", "rating": 2.0, "timestamp": 1_000},
    ),
    "meta_Things.jsonl.gz": lines(
        {
            "parent_asin": "X1",
            "title": "Cup",
            "store": "Potter",
            "price": 3.5,
            "categories": ["Home", "Cups"],
        }
        | {
            "description": ["for tea", "blue"],
            "features": [],
            "details": {"Weight": "1 kg", "Box": {"name": "b"}},
        },
        {"parent_asin": "X2", "title": None, "store": None, "price": "from 2.99", "categories": []},
    ),
}
MUSIC = {
    "relations/sessions.idomaar": 'event.session\t5\t100\t{"numtracks":2} '
    '{"subjects":[{"type":"user","id":9}],'
    '"objects":[{"type":"track","id":1,"playstart":0},{"type":"track","id":2,"playstart":60}]}\n'
    'event.session\t4\t50\t{"numtracks":1}\t{"subjects":[{"type":"user","id":9}],"objects":[{"type":"track","id":2}]}\n',
    "entities/tracks.idomaar": 'track\t1\t-1\t{"name":"The+Owls/_/Night"}\t'
    '{"artists":[{"id":3}],"tags":[{"id":70},{"id":71}]}\n'
    'track\t2\t-1\t{"name":null}\t{"artists":[],"tags":[]}\n',
    "entities/tags.idomaar": 'tag\t70\t-1\t{"value":"folk"}\t{}\ntag\t71\t-1\t{"value":"late+night"}\n',
    "entities/persons.idomaar": 'person\t3\t-1\t{"name":"The+Owls"}\t{}\n',
}
PLAYS = {
    "sessions_2018.csv": "user_id,source,timestamp,track_title,artist_name,musicbrainz_id,session_id\n"
    "u1,web,2018-03-03 03:13:13,'Rain, again',Owls,m1,11\nu1,web,2018-03-03 "
    '03:03:03,Say "hi",Owls,m2,11\n'
    "u2,web,2018-03-04 04:04:04,Rain,Owls,,12\n"
}
CARTS = {
    "orders.csv": "order_id,user_id,eval_set,order_number,order_dow\n5,1,prior,1,2\n6,1,train,2,3\n7,2,prior,1,3\n"
    "8,2,test,2,1\n",
    "order_products__prior.csv": "order_id,product_id,add_to_cart_order,reordered\n7,10,1,0\n5,11,2,0\n5,10,1,0\n",
    "order_products__train.csv": "order_id,product_id,add_to_cart_order,reordered\n6,11,1,1\n",
    "products.csv": "product_id,product_name,aisle_id,department_id\n10,Oat Bread,3,1\n11,Red "
    "Wine,4,2\n12,Salt,3,1\n",
    "aisles.csv": "aisle_id,aisle\n3,bread\n4,wines\n",
}
HOMES = {
    "transaction_data.csv": "household_key,BASKET_ID,DAY,PRODUCT_ID,QUANTITY,TRANS_TIME\n"
    "1,900,2,71,1,30\n1,900,2,70,1,30\n1,800,1,70,1,1830\n2,700,1,71,1,905\n",
    "product.csv": "PRODUCT_ID,MANUFACTURER,DEPARTMENT,BRAND,COMMODITY_DESC,SUB_COMMODITY_DESC,CURR_SIZE_OF_PRODUCT\n"
    "70,1,GROCERY,National,BEERS/ALES,ALE CANS,6 PK\n71,1,GROCERY,Private,BREAD,RYE,\n",
}
SHOPS = {
    "ta_feng_all_months_merged.csv": "TRANSACTION_DT,CUSTOMER_ID,AGE_GROUP,PIN_CODE,PRODUCT_SUBCLASS,PRODUCT_ID\n"
    "5/2/2011,00000007,D,901,300,51\n5/1/2011,00000007,D,901,300,52\n5/1/2011,00000003,A,902,400,51\n"
}
DATASETS = {
    "otto": OTTO,
    "movielens_kaggle": MOVIES,
    "goodreads": BOOKS,
    "amazon": AMAZON,
    "thirty_music": MUSIC,
    "nowplaying": PLAYS,
    "instacart": CARTS,
    "dunnhumby": HOMES,
    "tafeng_csv": SHOPS,
}
OPTIONS = {"amazon": {"name": "Things"}}
TESTED_BESIDE = {"recbole", "movielens"}  # in test_tables


def opened(reader, folder, **changed):
    return layout(reader)(write(folder, DATASETS[reader] | changed), **OPTIONS.get(reader, {}))


def told(log, *columns):
    """Rows in log order: the original ids of user and item, then these columns."""
    frame = log.frame
    parts = [
        log.users[frame["user"]],
        log.items[frame["item"]],
        *(frame[column] for column in columns),
    ]
    return list(zip(*(list(part) for part in parts), strict=True))


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
    assert catalogue.topics_of(1) == ["unknown"] and list(catalogue.frame["tags"]) == [
        "slow|sad end",
        "",
        "",
    ]


def test_goodreads_takes_book_ids_of_the_map_and_a_zero_for_no_rating(tmp_path):
    log, catalogue, _ = opened("goodreads", tmp_path)
    assert told(log)[:2] == [(0, 800), (0, 900)] and log.frame["timestamp"].isna().all()
    assert log.frame["value"].tolist()[::2] == [4.0, 3.0] and np.isnan(log.frame["value"].iloc[1])
    assert catalogue.topics_of(0) == ["fiction", "poetry"] and catalogue.topics_of(1) == ["unknown"]
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


sessions = st.lists(st.lists(st.integers(1, 9), min_size=2, max_size=6), min_size=1, max_size=6)


@settings(max_examples=25)
@given(sessions, sessions)
def test_pairs_are_asked_again_exactly(tmp_path_factory, train, test):
    folder = tmp_path_factory.mktemp("pairs")
    pairs = [(row[:end], row[end]) for row in test for end in range(len(row) - 1, 0, -1)]
    text = "".join(f"{' '.join(map(str, prefix))}\t{item}\n" for prefix, item in pairs)
    write(
        folder,
        {
            "sessions_train.txt": "".join(" ".join(map(str, row)) + "\n" for row in train),
            "test_pairs.tsv": text,
        },
    )
    split = pairs_split(folder)
    ids = split.test.items.to_numpy()
    histories, items = next_items(split.test)
    asked = [
        (ids[histories.item[histories.row(b)]].tolist(), ids[items[b]])
        for b in range(len(histories))
    ]
    assert Counter((tuple(prefix), int(item)) for prefix, item in asked) == Counter(
        (tuple(p), i) for p, i in pairs
    )
    assert split.train.n_users == len(train) + len(test) and split.train.items is split.test.items
    mine = split.train.histories(np.arange(len(train)))
    assert [ids[mine.item[mine.row(b)]].tolist() for b in range(len(mine))] == train
    assert len(split.whole()) == sum(map(len, train)) + sum(map(len, test))


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.lists(st.integers(0, 9), max_size=4)),
        min_size=1,
        max_size=4,
    )
)
def test_lists_split_is_what_the_lines_say(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("lists")
    text = "".join(" ".join([user, *map(str, items)]) + "\n" for user, items in rows)
    split = lists_split(write(folder, {"train.txt": text + "z 10\n", "test.txt": "z 11\n"}))
    flat = [(user, item) for user, items in rows for item in items] + [("z", 10)]
    assert told(split.train) == flat and told(split.test) == [("z", 11)] and len(split.valid) == 0
    assert split.train.users is split.test.users and split.train.n_items == len(
        {i for _, i in flat} | {11}
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2\t3\n1\t2\n4 5 6\n", "line 3 is no pair"),
        ("1 2\t3\n2\t2\n", "line 2 does not continue line 1"),
        ("1 2\t3\n", "line 1 ends amid a session"),
        ("1 2\t3 4\n1\t2\n", "line 1 is no pair"),
    ],
)
def test_pairs_that_are_none_are_named(tmp_path, text, message):
    write(tmp_path, {"sessions_train.txt": "1 2\n", "test_pairs.tsv": text})
    with pytest.raises(DataError, match=rf"test_pairs\.tsv: {message}"):
        pairs_split(tmp_path)


HEAD = "SessionId\tItemId\tTime\n"
CLICKS = {
    "x_train_full.txt": HEAD + "1\t7\t10.5\n1\t8\t11\n2\t7\t20\n2\t9\t21\n",
    "x_train_tr.txt": HEAD + "1\t7\t10.5\n1\t8\t11\n",
    "x_train_valid.txt": HEAD + "2\t7\t20\n",
    "x_test.txt": HEAD + "3\t8\t30\n3\t7\t29\n",
}


def test_clicks_split_in_both_ways_on_the_same_indexes(tmp_path):
    write(tmp_path, CLICKS)
    split, tuned = layout("clicks_split")(tmp_path), layout("clicks_split")(tmp_path, tune=True)
    assert [len(getattr(split, part)) for part in ("train", "valid", "test")] == [4, 0, 2]
    assert [len(getattr(tuned, part)) for part in ("train", "valid", "test")] == [2, 1, 2]
    assert list(split.train.items) == list(tuned.train.items) == [7, 8, 9]
    assert list(split.train.users) == list(tuned.train.users) == [1, 2, 3]
    assert told(split.test, "session") == [(3, 7, 3), (3, 8, 3)]
    (tmp_path / "x_test.txt").write_text(HEAD + "3\t8\tlate\n")
    with pytest.raises(DataError, match=r"'late' in line 2"):
        layout("clicks_split")(tmp_path)
    with pytest.raises(DataError, match=r"no file ends in _train_full\.txt"):
        layout("clicks_split")(tmp_path / "nowhere")


BASKETS = {
    "tale_history.json": '{"2": [[-1], [5, 6], [5], [-1]], "1": [[-1], [6], [-1]]}',
    "tale_future.json": '{"2": [[-1], [7, 5], [-1]], "1": [[-1], [6], [-1]]}',
}


def test_baskets_split_numbers_baskets_per_user_in_file_order(tmp_path):
    split = layout("baskets_split")(write(tmp_path, BASKETS), name="tale")
    assert told(split.whole(), "basket") == [
        (2, 5, 0),
        (2, 6, 0),
        (2, 5, 1),
        (2, 7, 2),
        (2, 5, 2),
        (1, 6, 0),
        (1, 6, 1),
    ]
    assert told(split.test, "basket") == [(2, 7, 2), (2, 5, 2), (1, 6, 1)] and set(
        split.train.frame["action"]
    ) == {"purchase"}
    write(tmp_path, {"keys.json": '{"train": ["2"], "val": [], "test": ["1"], "item_num": 3}'})
    users = read_keyset(tmp_path / "keys.json", split.train.users)
    assert [part.tolist() for part in users] == [[1], [], [0]] and repr(
        users
    ) == "Keyset(1 train, 0 valid, 1 test users)"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"tale_future.json": '{"2": [[-1], [7], [-1]]}'},
            "user 1 is in only one of the two files",
        ),
        (
            {"tale_future.json": BASKETS["tale_future.json"].replace("[6]", "[6], [5]")},
            "user 1 has 2 baskets",
        ),
        (
            {"tale_history.json": BASKETS["tale_history.json"].replace("[6]", "[]")},
            "the baskets of user 1 are broken",
        ),
        (
            {"tale_history.json": BASKETS["tale_history.json"].replace("[[-1], [6]", "[[6]")},
            "the baskets of user 1",
        ),
        (
            {"tale_history.json": '{"2": [[-1],\n oops'},
            r"tale_history\.json: line 2, character 2 is no JSON",
        ),
        ({"tale_history.json": "[]"}, "no users"),
        ({"keys.json": '{"train": ["2"], "val": ["2"], "test": []}'}, "user '2' stands twice"),
        (
            {"keys.json": '{"train": ["9"], "val": [], "test": []}'},
            "user '9' of train is not in the log",
        ),
        ({"keys.json": '{"train": []}'}, "no list 'val'"),
    ],
)
def test_broken_baskets_and_keysets_are_named(tmp_path, changed, message):
    write(tmp_path, BASKETS | {"keys.json": '{"train": [], "val": [], "test": []}'} | changed)
    with pytest.raises(DataError, match=message):
        read_keyset(
            tmp_path / "keys.json", layout("baskets_split")(tmp_path, name="tale").train.users
        )


def test_cards_open_splits_and_prepare_what_the_study_keeps(tmp_path):
    rows = "".join(
        f"1,10{item},4,2001-01-0{item}\n2,10{item},{item},2001-01-0{item}\n" for item in range(1, 6)
    )
    files = MOVIES | {
        "rating.csv": "userId,movieId,rating,timestamp\n" + rows + "1,101,4,2001-01-01\n"
    }
    movies = "".join(f"10{item},Film {item},War\n" for item in range(1, 7))
    write(tmp_path / "movielens-20m", files | {"movie.csv.gz": "movieId,title,genres\n" + movies})
    movies = open_data("movielens-20m", tmp_path)
    assert len(movies.log) == 11
    with pytest.raises(DataError, match="no row is left after 'core of 5"):
        _ = movies.prepared
    card = find_card("movielens-20m")
    assert [step["step"] for step in card.prepare] == ["drop_equal", "keep_at_least", "keep_core"]
    with pytest.raises(ConfigError, match="movielens-20m is not published in a split"):
        _ = movies.split
    with pytest.raises(ConfigError, match="movielens-20m holds no texts"):
        _ = movies.texts
    write(tmp_path / "gowalla-lightgcn", {"train.txt": "0 1 2\n", "test.txt": "0 3\n"})
    places = open_data("gowalla-lightgcn", tmp_path)
    assert repr(places.split) == "Split(published: train 2, valid 0, test 1 rows)"
    assert len(places.log) == 3 and places.catalogue.title(0) == "item 1"
    shop = {
        name: text + "".join(f"6/{day}/2011,9,D,901,77,5\n" * 2 for day in range(1, 5))
        for name, text in SHOPS.items()
    }
    bought = open_data("tafeng-kaggle", write(tmp_path / "tafeng-kaggle", shop))
    filtered = bought.prepared
    catalogue = filtered.match(bought.catalogue)
    assert [len(filtered.log), len(catalogue), filtered.log.n_users] == [4, 1, 1]
    assert filtered.dropped["rows"].tolist() == [4, 3, 0] and catalogue.topics_of(0) == ["77"]
    write(tmp_path / "instacart", CARTS)
    with pytest.raises(DataError, match="no row is left after 'users with 4 baskets or more'"):
        _ = open_data("instacart", tmp_path).prepared


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "sizes", "users", "items"),
    [
        ("gowalla-lightgcn", (810_128, 0, 217_242), 29_858, 40_981),
        ("amazonelectronics-m1", (31_887, 0, 4_044), 1_435, 1_522),
        ("rsc15-100k", (70_278, 0, 13_568), 21_210, 2_933),
        ("tafeng", (480_611, 0, 91_322), 13_858, 11_997),
    ],
)
def test_real_splits_have_the_published_sizes(real_data, name, sizes, users, items):
    split = open_data(name, real_data).split
    assert tuple(split.to_frame()["rows"]) == sizes
    assert (split.train.n_users, split.train.n_items) == (users, items)
    if name == "tafeng":
        frame = split.whole().frame
        assert (
            frame.groupby("user")["basket"].nunique().sum()
            == 91_227
            == frame.groupby("user")["basket"].max().sum() + users
        )
        keysets = open_data("tafeng-keysets", real_data)
        for number in range(5):
            path = keysets.file(f"tafeng_keyset_{number}.json")
            keys = read_keyset(path, split.train.users)
            assert [len(part) for part in keys] == [9_977, 1_109, 2_772]
    if name == "rsc15-100k":
        tuned = open_data(name, real_data, tune=True).split
        assert tuple(tuned.to_frame()["rows"]) == (
            53_254,
            16_539,
            13_568,
        ) and tuned.train.items.equals(split.train.items)


@pytest.mark.real
def test_real_diginetica_asks_exactly_the_pairs_of_the_file(real_data):
    split = open_data("diginetica", real_data).split
    assert (len(split.train), split.train.frame["user"].nunique(), split.train.n_items) == (
        906_140,
        186_670,
        43_097,
    )
    histories, items = next_items(split.test)
    ids = split.test.items.to_numpy().astype(str)
    words, starts = ids[histories.item].tolist(), histories.offsets.tolist()
    asked = Counter(
        f"{' '.join(words[starts[b] : starts[b + 1]])}\t{ids[items[b]]}"
        for b in range(len(histories))
    )
    with gzip.open(real_data / "sessions-diginetica" / "test_pairs.tsv.gz", "rt") as file:
        assert asked == Counter(line.rstrip("\n") for line in file)
    assert asked.total() == 60_858


@pytest.mark.real
def test_real_otto_counts(real_data):
    log = open_data("otto-sample", real_data).log
    assert (len(log), log.n_users, log.n_items) == (862, 20, 510)
    assert log.frame["action"].value_counts().to_dict() == {"view": 800, "cart": 52, "purchase": 10}
