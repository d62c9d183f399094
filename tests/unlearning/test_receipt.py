"""A receipt says what was done, and says no to whatever was changed, made for another, or made up."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from tests.recommend.logs import random_log
from workbench import recommend
from workbench.errors import ConfigError, DataError, ModelError
from workbench.recommend import BPR, EASE, BPRConfig, EASEConfig, Training
from workbench.unlearning import Request, issue, rows_of, verify
from workbench.unlearning.algorithms import Sisa, Tombstone
from workbench.unlearning.endpoints import Distance
from workbench.unlearning.receipt import Receipt, guarantee
from workbench.unlearning.receipt_form import LARGEST
from workbench.unlearning.receipt_rows import (
    COLUMNS,
    canonical,
    commitments,
    data_fingerprint,
    fingerprint,
    read_rows,
    saved_fingerprint,
    seal_of,
)

APART = Distance(0.004, -0.006, 0.014, -0.004, 0.012, 0.03, 120)


def made(log, ids, **more):
    """A receipt for rows of a log, with its model before and after."""
    model = EASE(EASEConfig(l2=5.0)).fit(log)
    after = model.copy().forget(log.only(ids))
    asked = (Request(3, ids), log, model, after, "exact", {"l2": 5.0})
    receipt, key = issue(*asked, exact=True, distance=APART, **more)
    return receipt, key, model, after


@pytest.fixture(scope="module")
def log():
    return random_log(seed=1)


@pytest.fixture(scope="module")
def ids(log):
    return log.rows_of(0)["interaction"].to_numpy()[:3]


@pytest.fixture(scope="module")
def case(log, ids, tmp_path_factory):
    """Everything in files, as it is handed over."""
    folder = tmp_path_factory.mktemp("receipt")
    receipt, key, before, after = made(log, ids)
    receipt.write(folder / "receipt.json")
    before.save(folder / "before")
    after.save(folder / "after")
    rows_of(log.only(ids)).to_csv(folder / "rows.csv", index=False)
    rows_of(log.without(ids)).to_parquet(folder / "left.parquet")
    (folder / "key.txt").write_text(key)
    return folder, receipt, key


def told(table):
    return dict(table[["check", "ok"]].itertuples(index=False, name=None))


def test_everything_holds_with_the_key(case):
    folder, _, key = case
    shown = (folder / "rows.csv", folder / "after", folder / "left.parquet")
    assert set(told(verify(folder / "receipt.json", key, *shown)).values()) == {True}


def test_without_the_key_files_and_weights_are_looked_at_and_nothing_else_is_believed(
    case, log, ids
):
    folder, receipt, _ = case
    found = told(verify(receipt, model=folder / "after", data=log.without(ids)))
    assert found == {
        "form": True,
        "sums": True,
        "weights": True,
        "data": True,
        "seal": None,
        "rows": None,
        "absent": None,
    }


def test_what_there_was_before_is_told_apart(case, log):
    folder, receipt, key = case
    found = verify(receipt, key, model=folder / "before", data=log).set_index("check")
    assert not found.loc[["weights", "data", "absent"], "ok"].any()
    assert "BEFORE" in found.loc["weights", "said"] and "BEFORE" in found.loc["data", "said"]
    assert found.loc["absent", "said"].startswith("3 of the removed rows")


def test_the_key_of_another_receipt_breaks_the_seal_and_names_no_row(case, log, ids):
    folder, receipt, _ = case
    other = made(log, ids)[1]
    found = told(verify(receipt, other, folder / "rows.csv", data=log))
    assert found["seal"] is False and found["rows"] is False


def test_rows_of_another_log_are_not_these(case, ids):
    _, receipt, key = case
    stranger = random_log(seed=2)
    some = stranger.only(stranger.frame["interaction"].to_numpy()[:3])
    assert told(verify(receipt, key, some))["rows"] is False
    # the same ids, another value: another row
    table = rows_of(random_log(seed=1).only(ids))
    assert told(verify(receipt, key, table))["rows"] is True
    table.loc[0, "item"] = "another"
    found = verify(receipt, key, table).set_index("check").loc["rows", "said"]
    assert found == "1 shown that it is not about, 1 of its own not shown"
    assert told(verify(receipt, key, table.iloc[1:]))["rows"] is False


@settings(max_examples=400, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(1, 255))
def test_no_byte_can_be_changed_unseen(case, share, bit):
    folder, _, key = case
    raw = bytearray((folder / "receipt.json").read_bytes())
    raw[int(share * len(raw))] ^= bit
    (folder / "changed.json").write_bytes(raw)
    try:
        found = told(verify(folder / "changed.json", key))
    except DataError:
        return
    assert found["seal"] is False


def test_no_byte_can_be_left_out_or_put_in(case):
    folder, _, key = case
    raw = (folder / "receipt.json").read_bytes()
    for at in range(0, len(raw), 61):
        for changed in (raw[:at] + raw[at + 1 :], raw[:at] + b" " + raw[at:], raw[:at]):
            (folder / "changed.json").write_bytes(changed)
            try:
                found = told(verify(folder / "changed.json", key))
            except DataError:
                continue
            assert found["seal"] is False, at


HOSTILE = {
    "empty": b"",
    "no JSON": b"\xff\xfe",
    "a list": b"[]",
    "deep": b"[" * 100_000,
    "a name twice": b'{"format":"workbench deletion receipt","format":"x"}',
    "infinite": b'{"format":1e999}',
    "not a number": b'{"format":NaN}',
    "many digits": b'{"format":' + b"9" * 10_000 + b"}",
    "half a letter": b'{"format":"\\ud800"}',
    "huge": b" " * (LARGEST + 1),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_in_a_sentence(name, tmp_path):
    path = tmp_path / "receipt.json"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(DataError) as caught:
        verify(path)
    assert len(str(caught.value)) < 600
    assert name != "a name twice" or "a name stands twice" in str(caught.value)


@pytest.mark.parametrize(
    "part, value",
    [
        ("version", 2),
        ("version", True),
        ("version", "1"),
        ("version", 1e300),
        ("format", "another receipt"),
        ("seal", "x" * 64),
        ("commitments", ["aa"]),
        ("places", [{"place": "log"}]),
        ("verdict", "forgotten"),
        ("request", {"number": 0}),
        ("extra", 1),
        ("outcome", None),
    ],
)
def test_a_receipt_of_another_version_or_shape_is_refused(case, tmp_path, part, value):
    content = {**case[1].content, part: value}
    (tmp_path / "receipt.json").write_bytes(canonical(content))
    with pytest.raises(DataError) as caught:
        Receipt.read(tmp_path / "receipt.json")
    if part == "version":
        assert "Expected: version 1" in str(caught.value)


def test_a_receipt_in_another_form_was_changed(case, tmp_path):
    path = tmp_path / "receipt.json"
    path.write_text(json.dumps(case[1].content, indent=1), encoding="utf-8")
    with pytest.raises(DataError, match="not in canonical form"):
        verify(path)


def test_numbers_that_do_not_agree_are_told_without_a_key(case):
    _, receipt, _ = case
    for part, value in {
        "verdict": "different",
        "commitments": receipt.content["commitments"][1:],
        "request": {**receipt.content["request"], "rows": 4},
        "outcome": {**receipt.content["outcome"], "status": "no-op"},
    }.items():
        changed = replace(receipt, content={**receipt.content, part: value})
        assert told(verify(changed))["sums"] is False, part


@pytest.mark.parametrize("key", ["", "abc", "z" * 64, "ab " * 21 + "a", "a" * 66])
def test_what_is_no_key_is_refused(case, key):
    with pytest.raises(ConfigError, match="no key"):
        verify(case[1], key)


def test_files_that_are_no_rows_or_no_model(case, tmp_path):
    _, receipt, key = case
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="no column 'interaction'"):
        verify(receipt, key, tmp_path / "rows.csv")
    (tmp_path / "rows.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError):
        verify(receipt, key, tmp_path / "rows.parquet")
    with pytest.raises(ModelError):
        verify(receipt, model=tmp_path)
    with pytest.raises(DataError):
        verify(receipt, key, [1, 2])


def test_nothing_is_replaced(case):
    folder, receipt, _ = case
    with pytest.raises(DataError):
        receipt.write(folder / "receipt.json")


def test_a_row_cannot_be_guessed_without_the_key(log, ids):
    """Equal rows have other commitments in every receipt, and none is a bare hash."""
    one, two = made(log, ids), made(log, ids)
    assert not set(one[0].content["commitments"]) & set(two[0].content["commitments"])
    assert bytes.fromhex(one[1]) not in canonical(one[0].content)
    assert one[1] not in canonical(one[0].content).decode()
    users = set(map(str, log.users))
    assert not users & set(one[0].to_frame()["said"])


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(range(12)), change=st.integers(0, 11))
def test_data_is_the_same_in_any_order_and_another_for_any_change(order, change):
    rows = rows_of(random_log(seed=1)).iloc[:12].reset_index(drop=True)
    assert data_fingerprint(rows) == data_fingerprint(rows.iloc[list(order)])
    other = rows.copy()
    other.loc[change, "value"] = "7.5"
    assert data_fingerprint(rows) != data_fingerprint(other)
    key = b"k" * 32
    assert commitments(rows, key) == commitments(rows.iloc[list(order)], key)


@pytest.mark.parametrize("column", COLUMNS)
def test_a_commitment_is_to_every_part_of_a_row(column):
    rows, key = rows_of(random_log(seed=1)).iloc[:1], b"k" * 32
    assert commitments(rows, key) != commitments(rows.assign(**{column: "7.5"}), key)
    assert commitments(rows, key) != commitments(rows, b"l" * 32)


@settings(max_examples=40, deadline=None)
@given(at=st.integers(0, 11), name=st.sampled_from("ab"))
def test_weights_are_known_by_every_byte(tmp_path_factory, at, name):
    def found(**arrays):
        folder = tmp_path_factory.mktemp("weights")
        save_file(arrays, folder / "arrays.safetensors")
        return saved_fingerprint(folder)

    arrays = {"a": np.arange(12, dtype=np.float32), "b": np.zeros((3, 4), np.float32)}
    whole = found(**arrays)
    assert whole == found(**{key: arrays[key] for key in reversed(arrays)})
    changed = arrays[name].copy()
    changed.flat[at] += 1
    other_names = {"c" if key == name else key: array for key, array in arrays.items()}
    assert whole != found(**{**arrays, name: changed}) and whole != found(**other_names)
    assert whole != found(**{**arrays, name: arrays[name].view(np.int32)})
    assert whole != found(**{**arrays, name: arrays[name].reshape(2, 6)})


def test_rows_come_back_from_csv_as_they_were(log, tmp_path):
    rows = rows_of(log)
    odd = ["", "NA", "a,b", 'say "x"', "two\nlines", "é\u202e", "=1+1", "null", "1e5"]
    rows.loc[: len(odd) - 1, "item"] = odd
    for name in ("rows.csv", "rows.parquet"):
        path = tmp_path / name
        rows.to_csv(path, index=False) if name.endswith("csv") else rows.to_parquet(path)
        assert read_rows(path).equals(rows), name


class Perturbed:
    """A model of one's own that is convex, and trained with the random term."""

    certifiable = True


BOUND = {"epsilon": 1.0, "delta": 1e-5, "others_fitted_without": True, "perturbed_training": True}


@pytest.mark.parametrize(
    "notes, exact, status, kind",
    [
        ({"guarantee": "none", "residual": 0.2}, False, "done", "none"),
        ({"guarantee": BOUND}, False, "done", "bound"),
        ({"guarantee": {**BOUND, "perturbed_training": False}}, False, "done", "none"),
        ({"guarantee": {**BOUND, "others_fitted_without": "yes"}}, False, "done", "none"),
        ({}, True, "done", "exact"),
        ({}, True, "no-op", "none"),
        ({"guarantee": BOUND}, False, "failed", "none"),
        ({"guarantee": {**BOUND, "epsilon": float("inf")}}, False, "done", "none"),
        ({"guarantee": {**BOUND, "delta": "1e-5"}}, False, "done", "none"),
        ({"guarantee": {k: BOUND[k] for k in BOUND if k != "delta"}}, False, "done", "none"),
    ],
)
def test_a_bound_only_where_the_certificate_holds(notes, exact, status, kind):
    found = guarantee({"status": status, "notes": notes}, exact, Perturbed())
    assert found["kind"] == kind
    assert found["residual"] == notes.get("residual")
    assert ("no guarantee" in found["says"]) == (kind == "none")
    assert (found["epsilon"] is not None) == (kind == "bound")


HOUSE = [
    name
    for name in sorted(recommend.__all__)
    if isinstance(getattr(recommend, name), type) and hasattr(getattr(recommend, name), "fit")
]


@pytest.mark.parametrize("name", HOUSE)
def test_no_model_of_the_house_gets_a_bound_whatever_is_noted(name):
    model = object.__new__(getattr(recommend, name))
    found = guarantee({"status": "done", "notes": {"guarantee": BOUND}}, False, model)
    assert found["kind"] == "none" and found["says"] == "no guarantee"
    # nor by a mark on one object
    with contextlib.suppress(AttributeError):
        model.certifiable = True
    found = guarantee({"status": "done", "notes": {"guarantee": BOUND}}, False, model)
    assert found["kind"] == "none" and found["epsilon"] is None


def test_it_says_what_it_is_not(case):
    text = case[1]._repr_html_()
    assert "no proof of legal compliance" in text and "backups" in text


def test_odd_numbers_of_a_method_are_said_as_json_can(log, ids):
    notes = {"residual": np.float64(0.5), "gradient": float("nan"), "big": 2**60, "end": np.inf}
    outcome = {"status": "done", "step": np.float32(0.5), "seconds": 1.0, "peak_bytes": np.int64(3)}
    receipt, key, *_ = made(log, ids, outcome=outcome | {"notes": notes})
    assert receipt.content["outcome"]["notes"] == {
        "residual": 0.5,
        "gradient": None,
        "big": str(2**60),
        "end": "inf",
    }
    assert receipt.content["seal"] == seal_of(receipt.content, bytes.fromhex(key))


def test_the_command_says_each_line_and_ends_with_1_where_one_does_not_hold(case):
    folder = case[0]
    command = [sys.executable, "-m", "workbench.cli", "unlearn", "verify", "receipt.json"]
    shown = ["--key", "key.txt", "--rows", "rows.csv", "--data", "left.parquet", "--model"]
    right = subprocess.run([*command, *shown, "after"], cwd=folder, capture_output=True, text=True)
    assert right.returncode == 0 and right.stdout.count("yes  ") == 7, right
    wrong = subprocess.run([*command, *shown, "before"], cwd=folder, capture_output=True, text=True)
    assert wrong.returncode == 1 and "NO  weights" in wrong.stdout
    (folder / "odd.json").write_text("{}")
    odd = subprocess.run([*command[:-1], "odd.json"], cwd=folder, capture_output=True, text=True)
    assert odd.returncode == 2 and odd.stderr.startswith("DataError: odd.json")


def test_tables_of_rows_are_texts(log):
    rows = rows_of(log)
    assert rows.map(type).eq(str).all(axis=None) and len(rows) == len(log)
    assert isinstance(rows, pd.DataFrame)


SHORT = BPR(BPRConfig(embedding=4, training=Training(epochs=1)))


def test_models_within_a_model_and_the_rows_it_keeps_are_attested(log, ids, tmp_path):
    """Shards and what is behind a filter lie in folders of their own."""
    shards, removed = Sisa(SHORT).fit(log), log.only(ids)
    assert fingerprint(shards) != fingerprint(shards.copy().forget(removed))
    # other rows beside the same shards
    rows = shards.copy()
    rows.log = log.without(ids)
    assert fingerprint(shards) != fingerprint(rows)
    base = EASE(EASEConfig(l2=5.0)).fit(log)
    assert fingerprint(Tombstone(base)) != fingerprint(Tombstone(base.copy().forget(removed)))
    # and they are the same again from a folder, wherever that is
    for name, model in {"sisa": shards, "tombstone": Tombstone(base)}.items():
        model.save(tmp_path / name)
        found = type(model).load(tmp_path / name)
        assert fingerprint(model) == saved_fingerprint(tmp_path / name) == fingerprint(found)


@pytest.mark.parametrize("part", ["shard-1/arrays.safetensors", "rows/rows.parquet", "model.json"])
def test_every_file_of_a_saved_model_is_attested(log, tmp_path, part):
    Sisa(SHORT).fit(log).save(tmp_path / "model")
    before = saved_fingerprint(tmp_path / "model")
    (tmp_path / "model" / part).rename(tmp_path / "model" / f"{part}.old")
    try:
        found = saved_fingerprint(tmp_path / "model")
    except ModelError:
        return
    assert found != before


def test_weights_that_stayed_are_those_before_too(log, ids):
    model = EASE(EASEConfig(l2=5.0)).fit(log)
    receipt, _ = issue(Request(3, ids), log, model, model.copy(), "no-op")
    found = verify(receipt, model=model).set_index("check").loc["weights"]
    assert found["ok"] and found["said"] == "those after, and those before too"
