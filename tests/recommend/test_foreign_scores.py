"""Scores of any model are looked at before they are ranked: a column for each item, no more, no
fewer."""

import copy

import numpy as np
import pandas as pd
import pytest
from logs import make
from scipy import sparse

from tests.reports.shops import shop
from workbench.data import split
from workbench.errors import DataError, ModelError
from workbench.ledger import Service
from workbench.recommend import evaluate, scores_of, scores_or_none, target_auc
from workbench.unlearning import boomerang, leavers

# user u has item u, and wants item 4 + u
LOG = make([(user, item) for user in range(3) for item in (user, 4 + user)])
PARTS = split(LOG, "leave_one_out", by="position")


class Mine:
    """A model of one's own: what it says of four users is handed in."""

    def __init__(self, said):
        self.said = said

    def fit(self, log, valid=None):
        return self

    def copy(self):
        return copy.copy(self)

    def forget(self, removed):
        return self

    def score(self, histories):
        return self.said(histories)


def wants(histories, width, first):
    scores = np.zeros((len(histories), width))
    scores[np.arange(len(histories)), (first + 4 + histories.user) % width] = 1
    return scores


def tensor(histories):
    torch = pytest.importorskip("torch")
    return torch.ones(len(histories), histories.n_items, requires_grad=True)


WRONG = {
    "padding in front": lambda h: wants(h, h.n_items + 1, 1),
    "more than there are": lambda h: wants(h, 20, h.n_items),
    "one too few": lambda h: wants(h, h.n_items - 1, 0),
    "one row for many": lambda h: np.zeros(h.n_items),
    "one row": lambda h: np.zeros((1, h.n_items)),
    "a tensor with its graph": tensor,
    "a sparse matrix": lambda h: sparse.csr_array((len(h), h.n_items)),
    "ragged": lambda h: [[0.0], [0.0, 1.0]],
    "text": lambda h: np.full((len(h), h.n_items), "0.5"),
    "objects": lambda h: np.full((len(h), h.n_items), 0.5, dtype=object),
    "complex": lambda h: np.zeros((len(h), h.n_items), complex),
    "infinite": lambda h: np.full((len(h), h.n_items), np.inf),
    "nothing": lambda h: None,
}
DOORS = {
    "scores_of": lambda model: scores_of(model, LOG.histories()),
    "scores_or_none": lambda model: scores_or_none(model, LOG.histories()),
    "evaluate": lambda model: evaluate(model, PARTS, k=(1,)),
    "target_auc": lambda model: target_auc(model, LOG.histories([0, 1]), np.array([4, 5])),
    "boomerang": lambda model: boomerang(model, LOG, [0, 1, 2], at_least=1),
    "leavers": lambda model: leavers(model, LOG, [0]),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("wrong", WRONG)
def test_scores_that_do_not_fit_are_refused_at_every_door(door, wrong):
    with pytest.raises(ModelError, match=r"Mine\.score: .*a score for every item of every history"):
        DOORS[door](Mine(WRONG[wrong]))


def test_what_can_be_read_as_numbers_is_read():
    want = wants(LOG.histories(), LOG.n_items, 0)
    kinds = [np.ndarray.tolist, np.float32, np.int64, pd.DataFrame, lambda array: array > 0]
    for kind in kinds:
        found = scores_of(Mine(lambda h, kind=kind: kind(wants(h, h.n_items, 0))), LOG.histories())
        assert isinstance(found, np.ndarray) and np.array_equal(found, want)
    found = evaluate(Mine(lambda h: wants(h, h.n_items, 0)), PARTS, k=(1,))
    assert found.loc[found["metric"] == "recall", "value"].tolist() == [1.0] * 3


def test_what_is_never_listed_may_be_said():
    table = np.array([[1.0, -np.inf, np.nan, 0, 0, 0, 0]])
    found = scores_of(Mine(lambda h: table), LOG.histories([0]))
    assert np.array_equal(found, table, equal_nan=True)


def test_a_service_looks_at_them_too():
    log, catalogue = shop(1, n_users=6, n_items=12, n_rows=40)
    service = Service.build(log, catalogue, Mine(lambda h: np.zeros((len(h), h.n_items + 1))))
    with pytest.raises(ModelError, match=r"Mine\.score"):
        service.served(service.everyone)
    other = shop(1, n_users=6, n_items=14, n_rows=40)[1]
    with pytest.raises(DataError, match=r"14 items in the catalogue, 12 in the log"):
        Service.build(log, other, Mine(lambda h: np.zeros((len(h), h.n_items))))
