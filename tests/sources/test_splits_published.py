"""Data published already divided: the same rows in the same parts. All rows here are made up."""

import gzip
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import told, write

from workbench.data import open_data, read_keyset
from workbench.errors import DataError
from workbench.recommend.evaluation import next_items
from workbench.sources.logs import layout
from workbench.sources.logs.lists import lists_split
from workbench.sources.logs.pairs import pairs_split

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


PEOPLE = '{"train": {"9": [[5, 6], [5]]}, "validate": {"2": [[6], [7]]}, "test": {"3": [[8], [5]]}}'


def test_people_split_keeps_each_users_baskets_in_one_part(tmp_path):
    split = layout("people_split")(write(tmp_path, {"tale.json": PEOPLE}), name="tale")
    assert told(split.train, "basket") == [(9, 5, 0), (9, 6, 0), (9, 5, 1)]
    assert told(split.valid, "basket") == [(2, 6, 0), (2, 7, 1)]
    assert told(split.test, "basket") == [(3, 8, 0), (3, 5, 1)]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"validate"', '"valid"', "no users of 'validate'"),
        ('{"3": [[8], [5]]}', "{}", "no users of 'test'"),
        ('"3"', '"9"', "user 9 is in two parts"),
        ("[[6], [7]]", "[]", "the baskets of user 2 are broken"),
        ("[[6], [7]]", "[[6], []]", "the baskets of user 2 are broken"),
        ("[[6], [7]]", "[6, 7]", "the baskets of user 2 are broken"),
        ("[[6], [7]]", "[[6], [7.5]]", "the baskets of user 2 are broken"),
        ("[[6], [7]]", "[[6], [true]]", "the baskets of user 2 are broken"),
        (PEOPLE, "[]", "no users of 'train'"),
        ("}}", "}", "is no JSON"),
    ],
)
def test_broken_people_are_named(tmp_path, old, new, message):
    assert old in PEOPLE
    write(tmp_path, {"tale.json": PEOPLE.replace(old, new)})
    with pytest.raises(DataError, match=message):
        layout("people_split")(tmp_path, name="tale")


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


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "sizes", "users", "items"),
    [
        ("gowalla-lightgcn", (810_128, 0, 217_242), 29_858, 40_981),
        ("amazonelectronics-m1", (31_887, 0, 4_044), 1_435, 1_522),
        ("rsc15-100k", (70_278, 0, 13_568), 21_210, 2_933),
        ("tafeng", (480_611, 0, 91_322), 13_858, 11_997),
        ("tafeng-people", (278_830, 39_278, 78_675), 9_841, 4_935),
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
