"""BPR of `implicit`, timed; runs in an environment of its own (see README.md): python
implicit_run.py job.json

job and result as in recbole_run.py, stage timing only. An epoch is one of its iterations: as many
draws of a positive pair as the training part has, of which it skips those whose negative the user
has too.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

JOB = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as it asks for itself; its own threads are `num_threads`

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from implicit.bpr import BayesianPersonalizedRanking  # noqa: E402
from measure import peak_mb, repeat  # noqa: E402
from scipy import sparse  # noqa: E402


def main() -> None:
    """Time its epochs one by one, then top ten lists of all test users with training and validation
    items filtered."""
    parts = {
        name: pd.read_csv(Path(JOB["data"]) / f"{name}.csv") for name in ("train", "valid", "test")
    }
    shape = tuple(1 + max(int(part[c].max()) for part in parts.values()) for c in ("user", "item"))

    def matrix(*names: str) -> sparse.csr_matrix:
        part = pd.concat([parts[name] for name in names])
        return sparse.csr_matrix(
            (np.ones(len(part), np.float32), (part["user"], part["item"])), shape=shape
        )

    train, known = matrix("train"), matrix("train", "valid")
    at: list[float] = []
    model = BayesianPersonalizedRanking(
        iterations=1 + JOB["warm"],
        num_threads=JOB["threads"],
        random_state=JOB["seed"],
        **JOB["settings"],
    )
    start = time.perf_counter()
    model.fit(train, show_progress=False, callback=lambda *_: at.append(time.perf_counter()))
    # the first one with the preparation in it: it is the cold one
    seconds = np.diff([start, *at]).tolist()
    users = np.unique(parts["test"]["user"])
    rank = repeat(
        lambda: model.recommend(users, known[users], N=10, filter_already_liked_items=True),
        1 + JOB["warm"],
    )
    result = {"preparation": 0.0, "seconds": seconds, "targets": int(train.nnz), "evaluation": rank}
    result |= {
        "peak_mb": peak_mb(),
        "weights": int(model.user_factors.size + model.item_factors.size),
    }
    (Path(JOB["out"]) / "result.json").write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
