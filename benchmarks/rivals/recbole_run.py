"""One RecBole 1.2.1 model, timed or trained to its best; runs in RecBole's own environment (see
README.md).

    python recbole_run.py job.json

job: {task: collaborative | sequence, stage: timing | quality | published, model, seed, threads,
warm, batch, patience, minutes, settings, data, out}. data: folder with `train.csv`, `valid.csv`,
`test.csv` [user, item, position] as numbers. out: folder; `result.json` and, where quality is
asked, `lists.csv` [user, rank, item] are written there.

RecBole trains and ranks with its own trainer, data loaders and samplers; only the epoch loop is
written out here, because its `fit` has no clock: an epoch, a validation, best weights kept in
memory instead of a file.
"""

from __future__ import annotations

import copy
import json
import logging
import sys
import tempfile
import time
import types
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from measure import clock, peak_mb, repeat

for absent in ("ray", "ray.tune"):  # asked for only by its hyper-parameter search
    sys.modules.setdefault(absent, types.ModuleType(absent))
_load = torch.load
torch.load = lambda *arguments, **named: _load(*arguments, **{**named, "weights_only": False})

from recbole.config import Config  # noqa: E402
from recbole.data import create_dataset, data_preparation  # noqa: E402
from recbole.data.transform import construct_transform  # noqa: E402, F401
from recbole.utils import get_model, get_trainer, init_seed  # noqa: E402

SEQUENCE = {
    "eval_args": {
        "split": {"LS": "valid_and_test"},
        "order": "TO",
        "mode": "full",
        "group_by": "user",
    }
}
SEQUENCE |= {"repeatable": True, "train_neg_sample_args": None, "MAX_ITEM_LIST_LENGTH": 50}
FIELDS = {"user": "user_id:token", "item": "item_id:token", "position": "timestamp:float"}


def atomic(job: dict, folder: Path) -> None:
    """RecBole's atomic files of the three parts, and of their sum in the order of the log."""
    parts = {
        name: pd.read_csv(Path(job["data"]) / f"{name}.csv") for name in ("train", "valid", "test")
    }
    parts["whole"] = pd.concat(parts.values()).sort_values("position")
    for name, part in parts.items():
        suffix = "" if name == "whole" else f".{name}"
        part.rename(columns=FIELDS)[list(FIELDS.values())].to_csv(
            folder / f"log{suffix}.inter", sep="\t", index=False
        )


def prepare(job: dict, folder: Path) -> tuple:
    """Its config, data loaders, model and trainer."""
    (folder / "log").mkdir()
    atomic(job, folder / "log")
    settings = {
        "data_path": str(folder),
        "checkpoint_dir": str(folder / "saved"),
        "use_gpu": False,
        "state": "ERROR",
    }
    settings |= {
        "seed": job["seed"],
        "show_progress": False,
        "topk": [10],
        "load_col": {"inter": ["user_id", "item_id"]},
    }
    settings |= {
        "train_batch_size": job["batch"],
        "reproducibility": True,
        **job.get("settings", {}),
    }
    if job["task"] == "sequence":
        settings |= SEQUENCE
        settings["load_col"] = {"inter": ["user_id", "item_id", "timestamp"]}
    elif job["stage"] != "published":
        settings["benchmark_filename"] = ["train", "valid", "test"]
    if job["stage"] == "quality":
        settings["valid_metric"] = "NDCG@10"
    config = Config(model=job["model"], dataset="log", config_dict=settings)
    init_seed(config["seed"], config["reproducibility"])
    dataset = create_dataset(config)
    loaders = data_preparation(config, dataset)
    init_seed(config["seed"], config["reproducibility"])
    model = get_model(config["model"])(config, loaders[0]._dataset)
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
    trainer.eval_collector.data_collect(loaders[0])
    return config, dataset, loaders, model, trainer


def forget_cached(model: torch.nn.Module) -> None:
    """Graph models keep the propagated vectors of the last ranking."""
    for name in ("restore_user_e", "restore_item_e"):
        if hasattr(model, name):
            setattr(model, name, None)


def timing(job: dict, config: Config, loaders: tuple, model: torch.nn.Module, trainer) -> dict:
    """One cold epoch and the warm ones, then the ranking of the test users as often.

    `evaluation_large`: the same with one batch for all users. By default it ranks eval_batch_size /
    items users at a time, two with 1,682 items; for sequences the default batch holds them all
    already.
    """
    times = 1 + job["warm"]

    def rank(loader) -> None:
        forget_cached(model)
        trainer.evaluate(loader, load_best_model=False, show_progress=False)

    result = {
        "seconds": [
            clock(trainer._train_epoch, loaders[0], i, show_progress=False)[0] for i in range(times)
        ]
    }
    result["evaluation"] = repeat(lambda: rank(loaders[2]), times)
    if job["task"] == "collaborative":
        config["eval_batch_size"] = loaders[2]._dataset.item_num * loaders[2]._dataset.user_num
        large = type(loaders[2])(config, loaders[2]._dataset, loaders[2]._sampler, shuffle=False)
        result["evaluation_large"] = repeat(lambda: rank(large), times)
    return result


def quality(job: dict, loaders: tuple, model: torch.nn.Module, trainer) -> dict:
    """Train until validation stops rising or the minutes are over; the best weights stay."""
    begun, cpu = time.perf_counter(), time.process_time()
    best, since, kept, curve, why = -np.inf, 0, None, [], "epochs"
    for epoch in range(job["epochs"]):
        seconds, loss = clock(trainer._train_epoch, loaders[0], epoch, show_progress=False)
        value = float(trainer._valid_epoch(loaders[1], show_progress=False)[0])
        curve.append(
            {"epoch": epoch, "seconds": seconds, "validation": value, "loss": float(np.sum(loss))}
        )
        since += 1
        if value > best:
            best, since, kept = value, 0, copy.deepcopy(model.state_dict())
        if job["minutes"] and time.process_time() - cpu > 60 * job["minutes"]:
            why = "minutes"
            break
        if since >= job["patience"]:
            why = "patience"
            break
    model.load_state_dict(kept)
    forget_cached(model)
    spent = {"wall": time.perf_counter() - begun, "cpu": time.process_time() - cpu}
    return {"curve": curve, "stopped": why, "best": best, **spent}


def lists(dataset, loader, trainer) -> pd.DataFrame:
    """Its ten best items of every test user, [user, rank, item], named as in the files."""
    rows = []
    trainer.model.eval()
    with torch.no_grad():
        for batch in loader:
            interaction, scores, _, _ = trainer._full_sort_batch_eval(batch)
            best = torch.topk(scores, 10, dim=-1)[1].numpy()
            users = dataset.id2token("user_id", interaction["user_id"].numpy()).astype(int)
            items = dataset.id2token("item_id", best).astype(int)
            some = {
                "user": np.repeat(users, 10),
                "rank": np.tile(np.arange(10), len(users)),
                "item": items.ravel(),
            }
            rows.append(pd.DataFrame(some))
    return pd.concat(rows)


def main() -> None:
    """Do the job."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(job["threads"])
    logging.disable(logging.WARNING)
    out = Path(job["out"])
    with tempfile.TemporaryDirectory() as folder:
        preparing, (config, dataset, loaders, model, trainer) = clock(prepare, job, Path(folder))
        result = {"preparation": preparing, "targets": len(loaders[0]._dataset)}
        if job["stage"] == "timing":
            result |= timing(job, config, loaders, model, trainer)
        else:
            result |= quality(job, loaders, model, trainer)
            own = trainer.evaluate(loaders[2], load_best_model=False, show_progress=False)
            result["own"] = {name: float(value) for name, value in own.items()}
            lists(dataset, loaders[2], trainer).to_csv(out / "lists.csv", index=False)
    result |= {"peak_mb": peak_mb(), "weights": sum(value.numel() for value in model.parameters())}
    (out / "result.json").write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
