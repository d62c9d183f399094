"""Counted cells and pairs: folders as they have always been written, and contributions."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from logs import ITEMS, USERS, logs, make, requests
from safetensors.numpy import load_file, save_file
from scipy import sparse

from workbench.errors import ModelError
from workbench.recommend import EASE, ItemKNN, Popularity
from workbench.recommend.cells import PairCounts, UserItemCounts, contribution_table, entries
from workbench.recommend.saving import csr_parts

# user 0 had item 1 twice and item 2 once, user 1 had item 1, user 2 nothing
CELLS = csr_parts(sparse.csr_array(np.array([[0, 2, 1], [0, 1, 0], [0, 0, 0]])), "cells")
PAIRS = csr_parts(sparse.csr_array(np.array([[0, 0, 0], [0, 2, 1], [0, 1, 1]])), "pairs")
ROOT = 1 / np.sqrt(2)
OLD = {
    "Popularity": (Popularity, {}, CELLS, [0, 2, 1]),
    "ItemKNN": (ItemKNN, {"k": 100}, CELLS | PAIRS, [0, 0, ROOT]),
    # G + I = [[1, 0, 0], [0, 3, 1], [0, 1, 2]], its inverse times 5 below; B_12 = 1 / 3
    "EASE": (
        EASE,
        {"l2": 1},
        CELLS | {"inverse": np.array([[5, 0, 0], [0, 2, -1], [0, -1, 3]]) / 5},
        [0, 0, 1 / 3],
    ),
}


@pytest.mark.parametrize(("kind", "config", "arrays", "want"), OLD.values(), ids=OLD.keys())
def test_a_folder_written_by_hand(kind, config, arrays, want, tmp_path):
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps({"model": kind.__name__, "config": config}))
    save_file(arrays, folder / "arrays.safetensors")
    model = kind.load(folder)
    asked = replace(make([(0, 1)]).histories([0]), n_items=3)
    assert np.allclose(model.score(asked), [want], rtol=0, atol=1e-15)
    model.save(tmp_path / "new")
    written = load_file(tmp_path / "new" / "arrays.safetensors")
    assert written.keys() == arrays.keys()
    assert all(np.array_equal(written[name], arrays[name]) for name in arrays)


def test_parts_that_are_no_matrix_are_refused():
    with pytest.raises(ModelError, match="cells is no sparse matrix"):
        UserItemCounts.from_arrays(CELLS | {"cells.indices": np.array([0, 1, 9])})
    with pytest.raises(ModelError, match="pairs is no sparse matrix"):
        PairCounts.from_arrays(CELLS | {"pairs.data": np.zeros(1)})


@given(requests())
def test_pairs_are_counted_over_what_is_left(drawn):
    log, parts = drawn
    state = PairCounts.of(log)
    for ids in parts:
        state = state.without(log.only(ids))
        log = log.without(ids)
        x = log.matrix().toarray()
        assert np.array_equal(state.pairs.toarray(), x.T @ x)
        assert state.pairs.nnz == np.count_nonzero(x.T @ x) and state.pairs.has_sorted_indices
        assert np.array_equal(state.cells.counts.toarray(), log.counts().toarray())
        assert state.cells.counts.nnz == np.count_nonzero(x)


@given(logs, st.booleans())
def test_a_table_is_what_a_loop_over_rows_and_targets_gives(log, shared):
    histories = log.histories()
    value = np.random.default_rng(0).random((ITEMS, ITEMS))
    items = np.tile([2, -1, 0], (USERS, 1))
    want = {}
    for b in range(USERS):
        own = histories.item[histories.row(b)].tolist()
        for item, row in zip(own, histories.interaction[histories.row(b)], strict=True):
            for target in (2, 0):
                rows = own.count(item) if shared else 1
                want[b, target, int(row)] = value[item, target] / rows
    table = contribution_table(
        histories, items, lambda i, at: value[histories.item[at], i], shared=shared
    )
    found = table.set_index(["row", "item", "interaction"])["weight"].to_dict()
    assert found == want and table["weight"].dtype == np.float64
    nobody = contribution_table(histories.select([]), np.zeros(0, int), lambda i, at: np.zeros(0))
    assert len(nobody) == 0 and nobody["weight"].dtype == np.float64


def test_entries_of_a_matrix_are_a_plain_array():
    matrix = sparse.csr_array(np.array([[0.0, 2.0], [3.0, 0.0]]))
    none = np.zeros(0, int)
    assert entries(matrix, np.array([0, 1, 1]), np.array([1, 0, 1])).tolist() == [2, 3, 0]
    assert entries(matrix, none, none).shape == (0,)
