"""Lists of sensitive items side by side, against counts by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unlearning.worlds import TASKS, TOPIC, small_task
from workbench.errors import DataError, UnknownItem
from workbench.unlearning import compare_lists, sensitive
from workbench.unlearning.lists import jaccard

sets = st.sets(st.integers(0, 9))


@given(sets, sets)
def test_jaccard(one, other):
    found = jaccard(np.array(sorted(one), int), np.array(sorted(other), int))
    assert found == jaccard(np.array(sorted(other), int), np.array(sorted(one), int))
    assert found == (len(one & other) / len(one | other) if one | other else 1)
    assert (found == 1) == (one == other)


@pytest.mark.parametrize("kind", TASKS)
def test_what_a_list_names_is_what_is_removed_with_it(kind):
    task = small_task(kind)
    lists = {"mine": TOPIC, "yours": [8, 9, 11, 12], "theirs": [15]}
    found = compare_lists(task, lists, at_least=1).to_frame().set_index("list")
    for name, items in lists.items():
        scenario = sensitive(task, items, at_least=1)
        every = len(scenario.requests)
        assert found.loc[name, "people"] == every
        assert found.loc[name, "rows"] == len(scenario.forgotten(every))
    assert found["items J"].tolist() == [1, 2 / 5, 0]
    assert found.loc["mine", "people J"] == 1


def test_an_endpoint_of_each_list():
    asked = []

    def endpoint(name, codes):
        asked.append(name)
        return {"deleted": len(codes) / 10, "verdict": "undecided"}

    found = compare_lists(small_task(), {"a": [1], "b": [1, 2]}, 1, endpoint)
    assert asked == ["a", "b"] and found.frame["deleted"].tolist() == [0.1, 0.2]
    assert "undecided" in found._repr_html_() and repr(found) == "ListTable(2 lists)"
    one = compare_lists(small_task(), {"a": [1]}, 1, lambda name, codes: 0.5)
    assert one.frame["endpoint"].tolist() == [0.5]


def test_no_list_and_no_item():
    with pytest.raises(DataError):
        compare_lists(small_task(), {})
    with pytest.raises(UnknownItem):
        compare_lists(small_task(), {"a": [99]})
