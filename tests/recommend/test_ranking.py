"""Lists and ranks under one rule for ties."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from workbench.recommend import ranks, top_k

scores = hnp.arrays(np.float64, (3, 6), elements=st.integers(-2, 2).map(float))
masks = hnp.arrays(np.bool_, (3, 6))


@given(scores, masks, st.integers(1, 8))
def test_top_k_is_the_sorted_list_by_score_then_code(table, out, k):
    lists = top_k(table, k, sparse.csr_array(out.astype(float)))
    for b in range(3):
        want = sorted((i for i in range(6) if not out[b, i]), key=lambda i: (-table[b, i], i))[:k]
        assert [i for i in lists[b] if i >= 0] == want


@given(scores, masks, st.lists(st.integers(0, 5), min_size=3, max_size=3))
def test_ranks_agree_with_lists(table, out, items):
    lists = top_k(table, 6, sparse.csr_array(out.astype(float)))
    for b, rank in enumerate(ranks(table, np.array(items), out)):
        assert (rank == 0) == out[b, items[b]]
        assert rank == 0 or lists[b, rank - 1] == items[b]
