"""Leavers against a refit and a count by hand."""

import numpy as np
import pytest

from tests.unlearning.test_boomerang import MODELS, random_log
from workbench.errors import ConfigError
from workbench.recommend import EASE, Popularity, top_k
from workbench.unlearning import leavers


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_leavers(model):
    log = random_log()
    table = leavers(model.fit(log), log, np.array([0, 5]), k=5)
    x = log.matrix()
    for row in table.itertuples():
        rest = log.without(log.rows_of(row.user)["interaction"])
        old = top_k(model.score(log.histories()), 5, x)
        new = top_k(type(model)(model.config).fit(rest).score(log.histories()), 5, x)
        churn = [5 - len(set(old[u]) & set(new[u])) for u in range(40) if u != row.user]
        assert (row.others, row.changed, row.most) == (39, sum(c > 0 for c in churn), max(churn))


def test_nobody_leaves_and_what_cannot_leave():
    log = random_log()
    none, one = (leavers(Popularity().fit(log), log, users) for users in ([], [3]))
    assert not len(none) and none.dtypes.equals(one.dtypes)
    for wrong in ((EASE, log), (object(), log), (Popularity().fit(log), log.frame)):
        with pytest.raises(ConfigError):
            leavers(*wrong, [3])
