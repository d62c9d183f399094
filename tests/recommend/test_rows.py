"""The rows of counted models: taking some out, and folders as they have always been written."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from logs import USERS, logs, make, requests
from safetensors.numpy import load_file, save_file

from workbench.data import Interactions
from workbench.errors import DataError, ModelError
from workbench.recommend import (
    SKNN,
    TIFUKNN,
    UPCF,
    LastItem,
    Markov,
    Recency,
    SessionItemKNN,
    SessionPopularity,
    TIFUKNNConfig,
    TopFreq,
    TopFreqConfig,
    UPCFConfig,
)
from workbench.recommend.basket._baskets import BasketRows
from workbench.recommend.rows import FittedRows

SESSIONS = {
    "offsets": np.array([0, 2, 3, 3]),
    "item": np.array([1, 2, 1], dtype=np.int32),
    "position": np.array([0, 1, 2]),
    "interaction": np.array([7, 8, 9]),
    "n_items": np.array([4]),
}
BASKETS = {
    "held.offsets": np.array([0, 3, 4]),
    "held.item": np.array([0, 2, 2, 2], dtype=np.int32),
    "held.basket": np.array([5, 5, 6, 1]),
    "held.interaction": np.array([0, 1, 2, 3]),
    "held.n": np.array([3]),
}


def write(folder, kind, config, arrays):
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps({"model": kind, "config": config}))
    save_file(arrays, folder / "arrays.safetensors")
    return folder


def ask(items, n_items):
    """One history that nobody was fitted with."""
    frame = pd.DataFrame({"user": 0, "item": items, "basket": range(len(items))})
    return Interactions.from_table(
        frame, basket="basket", items=pd.Index(range(n_items))
    ).histories()


ROOT = 1 / np.sqrt(2)
OLD_SESSIONS = [
    # asked with item 1 alone; sessions {1, 2} and {1}; POP is [0, 2, 1, 0]
    (SKNN, {"k": 100, "m": 1000}, [0, 1 + ROOT, ROOT, 0]),
    (Markov, {}, [0, 0, 1, 0]),
    (SessionItemKNN, {"regularisation": 0}, [0, 0, ROOT, 0]),
    (SessionPopularity, {}, [0, 3 + 2, 1, 0]),
    (LastItem, {"items": None}, [0, 3 + 2, 1, 0]),
    (Recency, {"share": 0.3}, [0, 3 + 2, 1, 0]),
]


@pytest.mark.parametrize(
    ("kind", "config", "want"), OLD_SESSIONS, ids=[row[0].__name__ for row in OLD_SESSIONS]
)
def test_a_session_folder_written_by_hand(kind, config, want, tmp_path):
    folder = write(tmp_path / "old", kind.__name__, config, SESSIONS)
    model = kind.load(folder)
    assert np.allclose(model.score(ask([1], 4)), [want], rtol=1e-15, atol=0)
    model.save(tmp_path / "new")
    written = load_file(tmp_path / "new" / "arrays.safetensors")
    assert written.keys() == SESSIONS.keys()
    assert all(np.array_equal(written[name], SESSIONS[name]) for name in SESSIONS)


OLD_BASKETS = [
    # the first user had {0, 2}, {2}, the second {2}; asked with {2} by a user of code 0
    (TopFreq, TopFreqConfig(whose="G"), [1, 0, 3]),
    (TopFreq, TopFreqConfig(whose="GP"), [1 / 4, 0, 1 + 1 / 2]),
    # nearest to [0, 0, 1], the asking code left out: the second user, [0, 0, 1]
    (TIFUKNN, TIFUKNNConfig(neighbours=1, groups=1, alpha=0.7), [0, 0, 1]),
    # p of the second user is [0, 0, 1] as well: w = 1 for both
    (UPCF, UPCFConfig(neighbours=2, shrink=0), [0, 0, 2]),
]


@pytest.mark.parametrize(
    ("kind", "config", "want"), OLD_BASKETS, ids=[repr(row[1]) for row in OLD_BASKETS]
)
def test_a_basket_folder_written_by_hand(kind, config, want, tmp_path):
    settings = config.model_dump(mode="json")
    model = kind.load(write(tmp_path / "old", kind.__name__, settings, BASKETS))
    assert np.allclose(model.score(ask([2], 3)), [want], rtol=1e-15, atol=0)
    model.save(tmp_path / "new")
    written = load_file(tmp_path / "new" / "arrays.safetensors")
    assert written.keys() == BASKETS.keys()
    assert all(np.array_equal(written[name], BASKETS[name]) for name in BASKETS)


DAMAGE = {
    "no offset 0": {"offsets": np.array([1, 2, 3, 3])},
    "falling": {"offsets": np.array([0, 3, 2, 3])},
    "none": {"offsets": np.zeros(0, int)},
    "too few rows": {"interaction": np.array([7, 8])},
    "a code below 0": {"item": np.array([1, -1, 1])},
    "a code too high": {"item": np.array([1, 4, 1])},
    "two numbers of items": {"n_items": np.array([4, 4])},
}


@pytest.mark.parametrize("change", DAMAGE.values(), ids=DAMAGE.keys())
def test_rows_that_fit_no_catalogue_are_refused(change):
    assert FittedRows.from_arrays(SESSIONS).n_items == 4
    with pytest.raises(ModelError, match=r"the rows do not fit each other|item 4 of 4"):
        FittedRows.from_arrays(SESSIONS | change)


@given(requests())
def test_rows_left_are_those_of_the_log_that_is_left(drawn):
    log, parts = drawn
    state = FittedRows.of(log)
    for ids in parts:
        removed = log.only(ids)
        _, touched = state.left(removed)
        assert touched.tolist() == sorted(set(removed.frame["user"]))
        state = state.without(removed)
        log = log.without(ids)
        want = FittedRows.of(log).arrays()
        assert all(np.array_equal(array, want[name]) for name, array in state.arrays().items())


@given(logs)
def test_a_round_trip_keeps_what_is_kept_and_nothing_else(log):
    state = FittedRows.of(log)
    again = FittedRows.from_arrays(state.arrays())
    for name in ("user", "offsets", "item", "action", "basket", "position", "interaction"):
        one, two = getattr(state.rows, name), getattr(again.rows, name)
        assert np.array_equal(one, two) and one.dtype == two.dtype
    assert len(state.rows) == USERS and (state.rows.basket == -1).all()
    assert (BasketRows.of(log).rows.position == -1).all()


def test_a_row_is_named_by_its_id_its_user_and_its_item():
    state = FittedRows.of(make([(0, 1), (1, 2)]))
    for other in (make([(0, 2)]), make([(1, 1)]), make([(0, 1), (1, 2), (1, 2)])):
        with pytest.raises(DataError, match="is not among the rows that the model holds"):
            state.without(other)
