"""Windows and the chunked softmax: every target once, and both ways of asking agree."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from logs import make

from workbench.errors import ConfigError, DataError
from workbench.recommend import softmax
from workbench.recommend.session._windows import last_windows, windows

rows = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6)), min_size=1, max_size=60)


@given(rows, st.integers(1, 9), st.data())
def test_every_target_is_asked_once(table, length, data):
    log = make(table)
    stride = data.draw(st.none() | st.integers(1, length))
    prefixes = data.draw(st.booleans())
    made = windows(log.histories(), length, stride, prefixes)
    frame = log.frame
    later = frame.loc[frame.groupby("user").cumcount() > 0, "interaction"]
    assert sorted(made.targets()[1]) == sorted(later)
    assert ((made.end - made.start) <= length).all() and (made.ask >= made.start).all()
    if prefixes:
        assert (made.end - made.ask == 1).all()
    batches = list(made.batches(4, (1, 0)))
    assert sorted(np.concatenate([b.targets()[1] for b in batches] or [[]])) == sorted(later)


@given(rows, st.integers(1, 9))
def test_what_an_input_shows_is_what_came_before(table, length):
    log = make(table)
    made = windows(log.histories(), length, 1)
    items, _, asked, targets = made.tensors()
    place = {int(i): n for n, i in enumerate(log.frame["interaction"])}
    asked_at = torch.nonzero(asked).tolist()
    assert len(asked_at) == len(targets) == len(made.targets()[1])
    for (row, column), target, interaction in zip(
        asked_at, targets, made.targets()[1], strict=True
    ):
        at = log.frame.iloc[place[int(interaction)]]
        before = log.frame[
            (log.frame["user"] == at["user"]) & (log.frame["position"] < at["position"])
        ]["item"]
        assert target == at["item"]
        assert (
            items[row, : column + 1].tolist()
            == list(before)[-min(length, len(before)) :][-(column + 1) :]
        )
        assert column + 1 == min(length, len(before)) or len(before) <= length


def test_last_windows_end_at_the_last_row():
    log = make([(0, 1), (0, 2), (0, 3), (2, 4)])
    items, _, asked, _ = last_windows(log.histories([0, 2]), 2).tensors()
    assert items.tolist() == [[2, 3], [4, 7]]
    assert asked.tolist() == [[False, True], [True, False]]
    with pytest.raises(DataError, match="row 1"):
        last_windows(log.histories([0, 1]), 2)


def test_a_stride_beyond_the_window_is_refused():
    with pytest.raises(ConfigError, match="stride"):
        windows(make([(0, 1), (0, 2)]).histories(), 3, 4)


def test_chunks_change_nothing(monkeypatch):
    torch.manual_seed(0)
    hidden = torch.randn(11, 3, dtype=torch.float64, requires_grad=True)
    table = torch.randn(7, 3, dtype=torch.float64, requires_grad=True)
    targets, weight = torch.randint(0, 7, (11,)), torch.rand(11, dtype=torch.float64)

    def derivatives():
        losses = softmax.full_softmax(hidden, table, targets)
        first = torch.autograd.grad((losses * weight).sum(), (hidden, table), create_graph=True)
        second = torch.autograd.grad(sum((g * g).sum() for g in first), (hidden, table))
        return [losses, *first, *second]

    whole = derivatives()
    monkeypatch.setattr(softmax, "MOST", 20)
    for a, b in zip(whole, derivatives(), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-12)
    assert torch.autograd.gradgradcheck(
        lambda h, t: softmax.full_softmax(h, t, targets), (hidden, table)
    )


def test_losses_equal_cross_entropy_however_far_the_scores_are():
    torch.manual_seed(0)
    hidden, table, targets = (
        40 * torch.randn(9, 4),
        40 * torch.randn(50, 4),
        torch.randint(0, 50, (9,)),
    )
    want = torch.nn.functional.cross_entropy(
        hidden.double() @ table.double().T, targets, reduction="none"
    )
    got = softmax.full_softmax(hidden, table, targets)
    assert want.max() > 1_000 and torch.allclose(got.double(), want, rtol=1e-5, atol=1e-2)
    assert len(softmax.full_softmax(hidden[:0], table, targets[:0])) == 0
