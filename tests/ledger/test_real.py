"""The loop on a real log without prices and with several topics an item (MovieLens 100K, where a
copy is at hand)."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from workbench.data import read_recbole
from workbench.ledger import Service, forget
from workbench.recommend import EASE
from workbench.reports import count_words

DATA = (
    Path(os.environ.get("WORKBENCH_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")
    / "ml-100k-recbole"
)

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not DATA.is_dir(), reason="no copy of ml-100k-recbole: set WORKBENCH_TEST_DATA"
    ),
]


def test_reports_and_forgetting_on_movielens():
    read = read_recbole(DATA, topics="class")
    log = read.log.select(read.log.frame["value"] >= 4)
    service = Service.build(log, read.catalogue, EASE())
    horror, seconds = read.catalogue.items_of("Horror"), []
    counts = log.frame[log.frame["item"].isin(horror)]["user"].value_counts()
    for user in sorted(counts.index[counts >= 3])[:6]:
        rows = log.rows_of(int(user))
        ids = rows.loc[rows["item"].isin(horror), "interaction"]
        started = time.process_time()
        told = forget(service, int(user), ids, topic="Horror", draws=1)
        seconds.append(time.process_time() - started)
        assert told.before.dropped.empty
        assert told.after.dropped.empty
        assert count_words(told.before.text) <= 120
        # no prices and no ratings: the next in line stands beside the pick
        assert told.before.margin.count("| Next |") == 1
        assert told.exposure["row"].tolist() == ["as served before", "after", "never had"]
    print(f"{np.median(seconds):.2f} s of processor time a request")
