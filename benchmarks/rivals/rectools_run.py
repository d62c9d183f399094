"""SASRec of RecTools, timed; runs in an environment of its own (see README.md): python
rectools_run.py job.json

job and result as in recbole_run.py, stage timing only. It trains on one window a user, the last
`session_max_len` + 1 rows, and asks all of its next items in one pass with full softmax. Ranking:
ten items for every user who has a test row, from the training and validation rows, nothing
filtered.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from measure import peak_mb, repeat
from pytorch_lightning import Callback, Trainer, seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel

JOB = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))


class Clock(Callback):
    """When each epoch ends."""

    def __init__(self) -> None:
        self.at: list[float] = []

    def on_train_start(self, trainer, module) -> None:
        self.at.append(time.perf_counter())

    def on_train_epoch_end(self, trainer, module) -> None:
        self.at.append(time.perf_counter())


def trainer() -> Trainer:
    """As its own, without a bar, with the clock."""
    epochs = 1 + JOB["warm"]
    quiet = {
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "logger": False,
        "enable_checkpointing": False,
    }
    return Trainer(
        max_epochs=epochs,
        min_epochs=epochs,
        accelerator="cpu",
        devices=1,
        callbacks=[Clock()],
        **quiet,
    )


def dataset(*names: str) -> Dataset:
    """Some parts of the split, in the order of the log."""
    part = pd.concat(
        [pd.read_csv(Path(JOB["data"]) / f"{name}.csv") for name in names]
    ).sort_values("position")
    times = pd.to_datetime(part["position"], unit="s")
    table = pd.DataFrame(
        {Columns.User: part["user"], Columns.Item: part["item"], Columns.Datetime: times}
    )
    return Dataset.construct(table.assign(**{Columns.Weight: 1.0}))


def main() -> None:
    """Time its epochs and its recommendations."""
    warnings.simplefilter("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    torch.set_num_threads(JOB["threads"])
    seed_everything(JOB["seed"])
    train, known = dataset("train"), dataset("train", "valid")
    length = JOB["settings"]["session_max_len"]
    model = SASRecModel(
        epochs=1 + JOB["warm"],
        get_trainer_func=trainer,
        recommend_torch_device="cpu",
        **JOB["settings"],
    )
    start = time.perf_counter()
    model.fit(train)
    # fit copies it
    at = next(
        callback.at for callback in model.fit_trainer.callbacks if isinstance(callback, Clock)
    )
    rows = train.interactions.df[Columns.User].value_counts()
    users = np.unique(pd.read_csv(Path(JOB["data"]) / "test.csv")["user"])
    result = {"preparation": at[0] - start, "seconds": np.diff(at).tolist()}
    result["targets"] = int((np.minimum(rows, length + 1) - 1).clip(lower=0).sum())
    result["evaluation"] = repeat(
        lambda: model.recommend(users, known, k=10, filter_viewed=False), 1 + JOB["warm"]
    )
    result["weights"] = int(sum(value.numel() for value in model.lightning_model.parameters()))
    result["peak_mb"] = peak_mb()
    (Path(JOB["out"]) / "result.json").write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
