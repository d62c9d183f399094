"""Seven trained models beside RecBole, implicit and RecTools on ml-100k: seconds, memory, quality.

    python benchmarks/side_by_side.py --stage timing  --recbole PYTHON --implicit PYTHON --rectools
    PYTHON python benchmarks/side_by_side.py --stage quality --recbole PYTHON [--minutes 20]
    [--seeds 1 2 3] [--jobs 2]

PYTHON: the interpreter of the rival's own environment (`benchmarks/rivals/README.md`); what has
none is left out. Every measurement is a process of its own and is not done again
(`runs/side_by_side`). Writes `benchmarks/results/side_by_side.csv` and `.md`; lines of models and
stages not asked for stay as they are. Timing wants an idle machine and takes one measurement at a
time.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from boomerang import FOLDER, RESULTS, data_folder, markdown
from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt
from rivals.measure import clock, peak_mb, repeat
from scipy import sparse

from workbench.data import Histories, Interactions, open_data, split
from workbench.data.splits import Split
from workbench.errors import WorkbenchError
from workbench.recommend.evaluation import evaluate_targets, joined, list_metrics
from workbench.runs import run
from workbench.settings import ROOT, settings
from workbench.statistics import bootstrap_mean

RIVALS = ("recbole", "implicit", "rectools")
WINDOW = 50  # rows of a sequence that any model reads
GRAPH, STATE = {"embedding": 64, "layers": 3}, {"embedding": 64, "hidden": 128}
TRANSFORMER = {
    "hidden": 64,
    "layers": 2,
    "heads": 2,
    "dropout": 0.5,
    "attention_dropout": 0.5,
    "max_length": WINDOW,
}
SIZES: dict[str, dict[str, Any]] = {  # RecBole's defaults, in the words of our configs
    "BPR": {"embedding": 64},
    "LightGCN": {"embedding": 64, "layers": 2, "l2": 1e-5},
    "SGL": GRAPH | {"drop": 0.1, "temperature": 0.5, "ssl": 0.05, "l2": 1e-5},
    "GRU4Rec": STATE | {"layers": 1, "dropout": 0.3, "max_length": WINDOW},
    "NARM": STATE | {"layers": 1, "dropout": 0.25, "context_dropout": 0.5, "max_length": WINDOW},
    "SASRec": TRANSFORMER | {"inner": 256},
    "SRGNN": {"hidden": 64, "max_length": WINDOW},
}
COLLABORATIVE = ("BPR", "LightGCN", "SGL")
TIMES_FASTER = {
    "BPR": 3,
    "LightGCN": 3,
    "SGL": 4,
    "GRU4Rec": 15,
    "NARM": 15,
    "SASRec": 40,
    "SRGNN": 3,
}
BATCH, EVALUATION_FASTER = 2048, 5
# RecTools trains on the last window of a user, with a feed-forward part of 64
SMALL = "SASRec, one window"
IMPLICIT = {"factors": 64, "learning_rate": 0.01, "regularization": 0.01}
RECTOOLS = {
    "n_factors": 64,
    "n_blocks": 2,
    "n_heads": 2,
    "dropout_rate": 0.5,
    "session_max_len": WINDOW,
}
RECTOOLS |= {"batch_size": 128, "loss": "softmax", "lr": 1e-3}
FEW_MINUTES = 150.0  # ours "until it stops" may not run for ever
# timing of sequence models on every n-th user only; ratios are per target
SHARE = "BENCHMARK_SHARE"


class Cell(BaseModel):
    """One measurement: a system, a model, a stage; `minutes` is the limit of a training."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    stage: Literal["timing", "quality", "published"]
    system: Literal["workbench", "recbole", "implicit", "rectools"]
    model: str
    threads: PositiveInt = 2
    seed: int = 1
    warm: int = 3
    minutes: PositiveFloat | None = None

    @property
    def task(self) -> str:
        """What is asked: unmet items, or the next row."""
        return "collaborative" if self.model in COLLABORATIVE else "sequence"


@cache
def parts(task: str, window: bool = False) -> Split:
    """All ratings as positives: random 80/10/10 per user, or leave-one-out by time (ties in file
    order).

    window: only the last rows of every user's training part, one window and its first row.
    """
    log = open_data("ml-100k").log
    share = int(os.environ.get(SHARE, "1"))
    if task == "sequence":
        log = log.select(log.frame["user"].to_numpy() % share == 0)
    made = (
        split(log, "random", train=0.8, valid=0.1, seed=0)
        if task == "collaborative"
        else split(log, "leave_one_out")
    )
    if not window:
        return made
    left = made.train.frame.groupby("user").cumcount(ascending=False).to_numpy()
    return Split(made.train.select(left <= WINDOW), made.valid, made.test, made.how)


def questions(
    task: str, window: bool = False
) -> tuple[Histories, sparse.csr_array, sparse.csr_array | None]:
    """Histories, targets and what is never offered: of the test part, training and validation rows
    are known."""
    made = parts(task, window)
    targets, known = made.test.matrix(), joined(made, ("train", "valid"))
    users = np.flatnonzero(np.diff(targets.indptr))
    exclude = known.matrix()[users] if task == "collaborative" else None
    return known.histories(users), targets[users], exclude


def measure(config: Cell) -> pd.DataFrame:
    """Run one cell in a process of its own; [what, place, value], e.g. seconds of epoch 2, NDCG@10
    of user 17."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("train", "valid", "test"):
            frame = getattr(parts(config.task), part).frame
            if config.stage == "published":  # RecBole's draw goes by the order of the file
                frame = frame.assign(position=frame["interaction"])
            frame[["user", "item", "position"]].to_csv(folder / f"{part}.csv", index=False)
        job = config.model_dump() | {
            "task": config.task,
            "data": name,
            "out": name,
            "batch": BATCH,
            "epochs": 1000,
        }
        job["patience"] = 25 if config.task == "collaborative" else 10
        if config.stage == "published":
            job |= {"patience": 10, "epochs": 300}
        job["settings"] = {"implicit": IMPLICIT, "rectools": RECTOOLS}.get(config.system, {})
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        mine = config.system == "workbench"
        python = sys.executable if mine else os.environ[f"BENCHMARK_{config.system.upper()}"]
        script = (
            [str(ROOT / "benchmarks" / "side_by_side.py"), "--child"]
            if mine
            else [str(ROOT / "benchmarks" / "rivals" / f"{config.system}_run.py")]
        )
        threads = {
            f"{name}_NUM_THREADS": str(config.threads) for name in ("OMP", "MKL", "OPENBLAS")
        }
        done = subprocess.run(
            [python, *script, str(folder / "job.json")],
            env={**os.environ, **threads},
            cwd=folder,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        if done.returncode:
            what = f"{config.system}, {config.model} ended with {done.returncode}"
            raise WorkbenchError(what, config.system, "a measurement", done.stderr[-2000:])
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        if config.stage == "quality":
            result["ndcg"] = ndcg(config.task, pd.read_csv(folder / "lists.csv"))
    return long(result)


def long(result: dict[str, Any]) -> pd.DataFrame:
    """[what, place, value] of numbers, lists and dicts of numbers; a text becomes a row of value 1
    named after it."""
    rows: list[tuple[str, int, float]] = []
    for what, found in result.items():
        if isinstance(found, str):
            rows.append((f"{what}: {found}", 0, 1.0))
        elif isinstance(found, dict):
            rows += [
                (f"{what}: {name}" if isinstance(name, str) else what, 0, value)
                for name, value in found.items()
            ]
        elif isinstance(found, list) and found and isinstance(found[0], dict):
            rows += [
                (f"{what}: {name}", i, value)
                for i, row in enumerate(found)
                for name, value in row.items()
            ]
        else:
            rows += [(what, i, value) for i, value in enumerate(np.atleast_1d(found))]
    return pd.DataFrame(rows, columns=["what", "place", "value"])


def ndcg(task: str, lists: pd.DataFrame) -> np.ndarray:
    """NDCG@10 of every test user, in the order of user codes, from lists [user, rank, item]: one
    ruler for all."""
    histories, targets, _ = questions(task)
    wide = lists.pivot(index="user", columns="rank", values="item").loc[histories.user].to_numpy()
    gains = np.take_along_axis(targets.toarray(), wide, axis=1)
    return list_metrics(gains, targets.toarray(), 10)["ndcg"]


# ---- our side of it, in a process of its own


def build(job: dict[str, Any], **training: Any) -> Any:
    """Our model at RecBole's sizes; regularisation and the rest stay at our defaults."""
    from workbench import recommend

    name = job["model"].split(",")[0]
    sizes = SIZES[name] | ({"inner": 64} if job["model"] == SMALL else {})
    config = getattr(recommend, f"{name}Config")()
    # RecTools takes 128 windows a step; a batch of ours counts targets
    batch = 128 * WINDOW if job["model"] == SMALL else job["batch"]
    own = {
        "seed": job["seed"],
        "threads": job["threads"],
        "batch": batch,
        "metric": "ndcg",
        "k": 10,
    } | training
    settings_ = {
        **config.model_dump(),
        **sizes,
        "training": {**config.training.model_dump(), **own},
    }
    return getattr(recommend, name)(type(config)(**settings_))


def ours(job: dict[str, Any]) -> dict[str, Any]:
    """What the rivals' scripts give, of our model; lists as a table under `lists`."""
    import torch

    torch.set_num_threads(job["threads"])
    made = parts(job["task"], job["model"] == SMALL)
    histories, targets, exclude = questions(job["task"])
    if job["stage"] == "timing":
        model, times = build(job, epochs=1 + job["warm"]), 1 + job["warm"]
        spent, _ = clock(model.fit, made.train)
        result = {
            "seconds": model.record["seconds"].tolist(),
            "targets": int(model.record["examples"].iloc[0]),
        }
        result["preparation"] = spent - sum(result["seconds"])
        result["evaluation"] = repeat(
            lambda: evaluate_targets(model, histories, targets, (10,), exclude=exclude), times
        )
        result["peak_mb"] = peak_mb()  # before the operations are counted
        if job["task"] == "sequence":
            result |= {"flop": operations(job, made.train), "sgemm": sgemm()}
    else:
        import time

        limit = job["minutes"] or FEW_MINUTES
        model, cpu = (
            build(job, epochs=job["epochs"], patience=job["patience"], minutes=limit),
            time.process_time(),
        )
        spent, _ = clock(model.fit, made.train, made.valid)
        result = {
            "wall": spent,
            "cpu": time.process_time() - cpu,
            "best": float(model.record["validation"].max()),
        }
        since = len(model.record) - 1 - int(model.record["validation"].to_numpy().argmax())
        result["stopped"] = "patience" if since >= job["patience"] else "minutes"
        result["curve"] = model.record[["epoch", "seconds", "validation", "loss"]].to_dict(
            "records"
        )
        found = evaluate_targets(model, histories, targets, (10,), exclude=exclude)
        result["own"] = {"ndcg@10": float(found.loc[found["metric"] == "ndcg", "value"].mean())}
        result |= {"targets": int(model.record["examples"].iloc[0]), "peak_mb": peak_mb()}
        result["lists"] = top_lists(model, histories, exclude)
    return result | {"weights": sum(value.numel() for value in model.module.parameters())}


def top_lists(model: Any, histories: Histories, exclude: sparse.csr_array | None) -> pd.DataFrame:
    """[user, rank, item]."""
    from workbench.recommend.ranking import top_k

    best = top_k(model.score(histories), 10, exclude)
    some = {
        "user": np.repeat(histories.user, 10),
        "rank": np.tile(np.arange(10), len(best)),
        "item": best.ravel(),
    }
    return pd.DataFrame(some)


def operations(job: dict[str, Any], log: Interactions) -> float:
    """Floating-point operations of the dense products of one epoch, forwards and backwards, as
    torch counts them."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        build(job, epochs=1).fit(log)
    return float(counter.get_total_flops())


def sgemm(n: int = 2048) -> float:
    """Floating-point operations a second of a large float32 product on the threads of now: the
    arithmetic limit."""
    import torch

    a, b = torch.randn(n, n), torch.randn(n, n)
    return 2 * n**3 / min(repeat(lambda: a @ b, 6))


def child(path: Path) -> None:
    """Do one job, as the rivals' scripts do."""
    job = json.loads(path.read_text(encoding="utf-8"))
    result = ours(job)
    if "lists" in result:
        result.pop("lists").to_csv(Path(job["out"]) / "lists.csv", index=False)
    (Path(job["out"]) / "result.json").write_text(json.dumps(result), encoding="utf-8")


# ---- tables


def timing_rows(table: pd.DataFrame) -> pd.DataFrame:
    """[model, system, measure, value, low, high]: medians of the warm epochs with the fastest and
    the slowest."""
    rows = []
    for (model, system), part in table.groupby(["model", "system"], sort=False):

        def take(what: str, part: pd.DataFrame = part) -> np.ndarray:
            return part.loc[part["what"] == what].sort_values("place")["value"].to_numpy()

        for what in ("seconds", "evaluation", "evaluation_large"):
            found = take(what)
            if len(found):
                warm = found[1:] if len(found) > 1 else found
                rows.append((model, system, what, np.median(warm), warm.min(), warm.max()))
                rows.append((model, system, f"{what}, cold", found[0], np.nan, np.nan))
                rows += [
                    (model, system, f"{what}, warm {i + 1}", v, np.nan, np.nan)
                    for i, v in enumerate(found[1:])
                ]
        for what in ("targets", "peak_mb", "preparation", "weights", "flop", "sgemm"):
            rows += [(model, system, what, value, np.nan, np.nan) for value in take(what)]
    return pd.DataFrame(rows, columns=["model", "system", "measure", "value", "low", "high"])


def quality_rows(table: pd.DataFrame) -> pd.DataFrame:
    """[model, system, measure, value, low, high, seeds]: NDCG@10 and its difference to RecBole's,
    with intervals."""
    rows = []
    for model, of_model in table.groupby("model", sort=False):
        values = {}
        for system, part in of_model.groupby("system", sort=False):
            wide = (
                part[part["what"] == "ndcg"]
                .pivot(index="seed", columns="place", values="value")
                .to_numpy()
            )
            values[system], seeds = wide, len(wide)
            rows.append((model, system, "ndcg@10", *spread(wide), seeds))
            rows += [
                (model, system, "ndcg@10, one seed", value, low, high, 1)
                for value, low, high in (bootstrap_mean(w) for w in wide)
            ]
            own = part.loc[part["what"] == "own: ndcg@10", "value"]
            rows.append(
                (model, system, "ndcg@10, its own ruler", own.mean(), np.nan, np.nan, seeds)
            )
            epochs = part[part["what"] == "curve: epoch"].groupby("seed")["value"].max() + 1
            rows.append((model, system, "epochs", epochs.mean(), epochs.min(), epochs.max(), seeds))
            for what in ("cpu", "wall"):
                minutes = part.loc[part["what"] == what, "value"] / 60
                rows.append(
                    (
                        model,
                        system,
                        f"{what} minutes",
                        minutes.mean(),
                        minutes.min(),
                        minutes.max(),
                        seeds,
                    )
                )
            cut = part["what"].eq("stopped: minutes").sum()
            rows.append((model, system, "seeds cut by the clock", cut, np.nan, np.nan, seeds))
        for system in [name for name in values if name != "recbole" and "recbole" in values]:
            rows.append(
                (
                    model,
                    system,
                    "difference",
                    *spread(values[system], values["recbole"]),
                    len(values[system]),
                )
            )
    return pd.DataFrame(
        rows, columns=["model", "system", "measure", "value", "low", "high", "seeds"]
    )


def spread(
    values: np.ndarray, others: np.ndarray | None = None, draws: int = 2000
) -> tuple[float, float, float]:
    """Mean of (seeds, users), or its difference to that of others, with a 95 % interval over users
    and seeds.

    Users are drawn once for both sides, paired; the seeds of each side by themselves.
    """
    rng = np.random.default_rng(0)
    sides = [values] if others is None else [values, others]
    found = np.empty(draws)
    for i in range(draws):
        users = rng.integers(0, values.shape[1], values.shape[1])
        means = [side[rng.integers(0, len(side), len(side))][:, users].mean() for side in sides]
        found[i] = means[0] - (means[1] if len(means) > 1 else 0.0)
    mean = values.mean() - (0.0 if others is None else others.mean())
    return (float(mean), *map(float, np.quantile(found, [0.025, 0.975])))


def goals(table: pd.DataFrame) -> pd.DataFrame:
    """Every goal that the timing rows can answer: [model, what, ours, rival, ratio, goal, verdict].

    Ratios of epochs are per target, so that who asks fewer questions an epoch wins nothing by it.
    """
    wide = table.pivot(index=["model", "system"], columns="measure", values="value")
    rows = []

    def line(
        model: str, what: str, mine: float, rival: float, ratio: float, goal: str, met: bool
    ) -> None:
        verdict = "met" if met else "**missed**"
        rows.append(
            (model, what, f"{mine:.3g} s", f"{rival:.3g} s", f"{ratio:.2f}×", goal, verdict)
        )

    def has(*keys: tuple[str, str]) -> bool:
        return all(key in wide.index for key in keys)

    for model, factor in TIMES_FASTER.items():
        if not has((model, "workbench"), (model, "recbole")):
            continue
        mine, rival = wide.loc[(model, "workbench")], wide.loc[(model, "recbole")]
        ratio = (rival["seconds"] / rival["targets"]) / (mine["seconds"] / mine["targets"])
        line(
            model,
            "epoch, RecBole",
            mine["seconds"],
            rival["seconds"],
            ratio,
            f"≥ {factor}×",
            ratio >= factor,
        )
        for what, said in (
            ("evaluation", "its default batch"),
            ("evaluation_large", "all users in one batch"),
        ):
            if what in rival and pd.notna(rival[what]):
                ratio = rival[what] / mine["evaluation"]
                goal, met = f"≥ {EVALUATION_FASTER}×", ratio >= EVALUATION_FASTER
                line(
                    model,
                    f"evaluation, RecBole, {said}",
                    mine["evaluation"],
                    rival[what],
                    ratio,
                    goal,
                    met,
                )
    for model, rival_model, rival, least in (
        ("BPR", "BPR", "implicit", 0.25),
        (SMALL, SMALL, "rectools", 1),
    ):
        if has((model, "workbench"), (rival_model, rival)):
            mine, other = wide.loc[(model, "workbench")], wide.loc[(rival_model, rival)]
            ratio = (other["seconds"] / other["targets"]) / (mine["seconds"] / mine["targets"])
            line(
                model,
                f"epoch, {rival}",
                mine["seconds"],
                other["seconds"],
                ratio,
                f"≥ {least}×",
                ratio >= least,
            )
    return pd.DataFrame(
        rows, columns=["model", "what", "ours", "rival", "rival / ours", "goal", "verdict"]
    )


def measured(table: pd.DataFrame) -> pd.DataFrame:
    """One line a model and system."""
    rows = []
    for (model, system), part in table.groupby(["model", "system"], sort=False):
        found = part.set_index("measure")
        warm = found[found.index.str.startswith("seconds, warm")]["value"]
        row = {
            "model": model,
            "system": system,
            "cold epoch": f"{found.loc['seconds, cold', 'value']:.3g}",
        }
        row["warm epochs"] = ", ".join(f"{value:.3g}" for value in warm)
        row["median"] = f"{found.loc['seconds', 'value']:.3g}"
        row["targets an epoch"] = f"{found.loc['targets', 'value']:,.0f}"
        for name, what in (
            ("evaluation", "evaluation"),
            ("one batch", "evaluation_large"),
            ("before", "preparation"),
        ):
            row[name] = f"{found.loc[what, 'value']:.3g}" if what in found.index else ""
        row |= {
            "peak MiB": f"{found.loc['peak_mb', 'value']:,.0f}",
            "weights": f"{found.loc['weights', 'value']:,.0f}",
        }
        row["share of the limit"] = ""
        if "flop" in found.index:
            rate, limit = (
                found.loc["flop", "value"] / found.loc["seconds", "value"],
                found.loc["sgemm", "value"],
            )
            row["share of the limit"] = (
                f"{rate / limit:.0%} ({rate / 1e9:.0f} of {limit / 1e9:.0f} GFLOP/s)"
            )
        rows.append(row)
    return pd.DataFrame(rows)


def verdict(model: str, high: float, table: pd.DataFrame) -> str:
    """Whether RecBole's quality is reached; nothing is, where RecBole was not trained out."""
    if high < 0:
        return "**missed**"
    of_rival = (table["model"] == model) & (table["system"] == "recbole")
    cut = table.loc[of_rival & (table["measure"] == "seeds cut by the clock"), "value"]
    return "rival not trained out" if cut.gt(0).any() else "met"


def compared(table: pd.DataFrame) -> pd.DataFrame:
    """Quality, one line a model and system."""
    rows = []
    for (model, system), part in table.groupby(["model", "system"], sort=False):
        found = part.drop_duplicates("measure").set_index("measure")

        def shown(what: str, form: str = ".4f", found: pd.DataFrame = found) -> str:
            line = found.loc[what]
            return f"{line['value']:{form}} [{line['low']:{form}}, {line['high']:{form}}]"

        one = part[part["measure"] == "ndcg@10, one seed"]["value"]
        row = {"model": model, "system": system, "NDCG@10": shown("ndcg@10")}
        row["seeds"] = ", ".join(f"{value:.4f}" for value in one)
        row["minus RecBole"], row["verdict"] = "", ""
        if "difference" in found.index:
            row["minus RecBole"] = shown("difference", "+.4f")
            row["verdict"] = verdict(model, found.loc["difference", "high"], table)
        row |= {"epochs": shown("epochs", ".0f"), "CPU minutes": shown("cpu minutes", ".1f")}
        cut = found.loc["seeds cut by the clock"]
        rows.append(row | {"cut by the clock": f"{cut['value']:.0f} of {cut['seeds']:.0f}"})
    return pd.DataFrame(rows)


TIMING_NOTE = f"""
How it was made. MovieLens 100K, all 100,000 ratings as positives. Collaborative models: random 80/10/10 per user,
test lists with training and validation items masked. Sequence models: leave-one-out by time, nothing masked
(RecBole's default there), the last {WINDOW} rows are read. RecBole 1.2.1 with its default settings, batch {BATCH:,};
ours at the same sizes and batch, full softmax for sequences in both. One process a measurement; one cold epoch, then
the warm ones. Ratios are medians per supervised target. RecBole asks one question per prefix, ours all questions of a
window of {WINDOW} rows in one pass, so a target near the start of a window sees fewer rows
(`workbench/recommend/session/_windows.py`). Its SGL contrasts with all nodes, ours with the unique nodes of the batch.
*Evaluation*: full ranking of all 943 test users and metrics at 10, with histories ready in both; RecBole's default
batch holds two users of the collaborative models, *one batch* holds all. *implicit* and *RecTools* rank without
metrics. RecTools trains on one window a user, so for it ours gets the same rows, its width of the feed-forward part
(64) and 128 windows a step. *Before*: what comes before the first epoch (reading and augmenting the log, building the
model). *Share of the limit*: operations of the dense products of an epoch, as torch counts them, by its seconds,
against a float32 product of 2,048 × 2,048 on the same threads in the same process. Peak: resident memory of the whole
process, libraries included.
""".strip()

QUALITY_NOTE = """
Test NDCG@10 of lists of ten, all measured by `workbench.recommend.evaluation.list_metrics`; the same split files for
both. Early stopping on validation NDCG@10 in both, patience 25 epochs (collaborative) or 10 (sequence), best weights
kept. RecBole's clock is CPU time of its training and validation; ours stops at the same minutes by the wall, which
can only be less CPU time. One thread each unless the line below says otherwise, so that two can run beside each
other. Sizes and batch as in the timing; everything else, regularisation too, at the defaults of each. Intervals: 95
%, bootstrap over users (drawn for both sides together) and over the seeds of each side; *missed* where the whole
interval of the difference is below zero, *rival not trained out* where the clock had cut RecBole: what is compared
there is what the same minutes buy, and no quality. RecBole publishes figures on these files for BPR alone (the first
table; the split is random); for the other six none stand beside ours. One seed. *Until it stops*:
ours without the limit, trained again only where the clock had cut a seed; where that line is cut as well, it was left
at that (`--no-longer`) and repeats the first.
""".strip()


def write(rows: pd.DataFrame) -> str:
    """Put these lines into the csv in place of older ones of the same stage and models; make the
    page from all."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "side_by_side.csv"
    if path.exists():
        old, now = (
            pd.read_csv(path),
            set(zip(rows["stage"], rows["model"], rows["system"], strict=True)),
        )
        kept = [
            key not in now for key in zip(old["stage"], old["model"], old["system"], strict=True)
        ]
        rows = pd.concat([old[kept], rows], ignore_index=True)
    order = [*SIZES, SMALL, "BPR, published set-up"]
    rows = rows.sort_values(["stage", "model"], key=lambda c: c.map({n: i for i, n in enumerate(order)}).fillna(0)
                            if c.name == "model" else c, kind="stable")  # fmt: skip
    rows.to_csv(path, index=False, lineterminator="\n", float_format="%.6g")
    rows = pd.read_csv(path)
    pages = [
        "# Side by side with RecBole, implicit and RecTools",
        "Made by `python benchmarks/side_by_side.py`.",
    ]
    for stage, part in rows.groupby("stage", sort=False):
        said = sorted(set(part["machine"]))
        if stage == "timing":
            pages += [
                "## Seconds: goals",
                markdown(goals(part)),
                "## Seconds: all",
                markdown(measured(part)),
            ]
            pages += [TIMING_NOTE]
        elif stage == "quality":
            pages += ["## Quality", markdown(compared(part)), QUALITY_NOTE]
        else:
            shown = part[["model", "measure", "value"]].assign(
                value=part["value"].map("{:.4f}".format)
            )
            note = (
                "RecBole's own quick start: its split, its defaults, training and "
                "validation items masked at test. "
            )
            note += (
                "Published: recall@10 .2368, ndcg@10 .2768, mrr@10 .4519; the split is "
                "random, so expect no digits."
            )
            pages += ["## The published row", markdown(shown), note]
        pages += [" ".join(said)]
    text = "\n\n".join(pages) + "\n"
    (RESULTS / "side_by_side.md").write_text(text, encoding="utf-8")
    return text


def machine(options: argparse.Namespace) -> str:
    """Where and how it ran, in one line."""
    import platform

    from workbench.settings import physical_memory

    where = f"{os.cpu_count()} cores, {physical_memory() / 1e9:.0f} GB, {platform.machine()}"
    limit = (
        f", at most {options.minutes:g} minutes a training" if options.stage == "quality" else ""
    )
    some = (
        f", {', '.join(options.models)} on every {options.share}th user"
        if options.share > 1
        else ""
    )
    threads = f"{options.threads} thread{'s' if options.threads > 1 else ''} a process"
    return f"{datetime.date.today()}: {where}, {threads}{limit}{some}."


def cells(options: argparse.Namespace, systems: list[str]) -> list[Cell]:
    """What to measure, ours and each rival's next to each other."""
    same = {"stage": options.stage, "threads": options.threads}
    if options.stage == "published":
        return [Cell(system="recbole", model="BPR", seed=2020, **same)]
    if options.stage == "quality":
        some = {"minutes": options.minutes, **same}
        pairs = [(model, system) for model in options.models for system in ("workbench", "recbole")]
        return [
            Cell(system=s, model=m, seed=n, **some)
            for n in options.seeds
            for m, s in pairs
            if s in systems
        ]
    found = []
    for model in options.models:
        asked = [(model, "workbench"), (model, "recbole")]
        asked += [("BPR", "implicit")] if model == "BPR" else []
        asked += [(SMALL, "workbench"), (SMALL, "rectools")] if model == "SASRec" else []
        found += [
            Cell(system=s, model=m, warm=options.warm, **same) for m, s in asked if s in systems
        ]
    return found


def main() -> None:
    """Measure what is not measured yet, write and print."""
    if sys.argv[1:2] == ["--child"]:
        child(Path(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--stage", choices=["timing", "quality", "published"], required=True)
    parser.add_argument("--models", nargs="+", choices=list(SIZES), default=list(SIZES))
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--threads", type=int, help="default: 2 for timing, 1 for quality")
    parser.add_argument(
        "--share", type=int, default=1, help="timing: sequence models on every n-th user only"
    )
    parser.add_argument("--warm", type=int, default=3, help="warm epochs")
    parser.add_argument("--jobs", type=int, default=1, help="quality: trainings at a time")
    parser.add_argument(
        "--no-longer",
        action="store_true",
        help="quality: leave ours cut where the clock had cut it",
    )
    parser.add_argument("--data", type=Path, default=data_folder())
    for name in RIVALS:
        parser.add_argument(
            f"--{name}", type=Path, help=f"interpreter of the environment of {name}"
        )
    options = parser.parse_args()
    options.threads = options.threads or (2 if options.stage == "timing" else 1)
    os.environ[FOLDER] = str(options.data.resolve())
    systems = ["workbench"] + [name for name in RIVALS if getattr(options, name)]
    # no part of a config's hash; not resolved: a link is what makes an environment
    for name in systems[1:]:
        os.environ[f"BENCHMARK_{name.upper()}"] = str(getattr(options, name).absolute())
    os.environ[SHARE] = str(options.share if options.stage == "timing" else 1)
    data = parts("collaborative").train.fingerprint + (
        "" if options.share == 1 else f"/{options.share}"
    )
    folder, jobs = (
        settings().runs / "side_by_side",
        1 if options.stage == "timing" else options.jobs,
    )
    # threads are enough: each measurement is a process of its own
    same = {
        "folder": folder,
        "n_jobs": jobs,
        "backend": "threading",
        "data": data,
        "progress": True,
    }
    table = run(cells(options, systems), measure, **same)
    if options.stage == "timing":
        rows = timing_rows(table)
    elif options.stage == "quality":
        stopped = table[table["what"].eq("stopped: minutes") & table["system"].eq("workbench")]
        again = [Cell(stage="quality", system="workbench", model=m, seed=int(n), threads=options.threads)
                 for m, n in zip(stopped["model"], stopped["seed"], strict=True)]  # fmt: skip
        free = table[table["system"] == "workbench"].assign(system="workbench, until it stops")
        if again and not options.no_longer:
            more = run(again, measure, **same).assign(system="workbench, until it stops")
            done = set(zip(more["model"], more["seed"], strict=True))
            kept = [key not in done for key in zip(free["model"], free["seed"], strict=True)]
            free = pd.concat([free[kept], more])
        rows = quality_rows(pd.concat([table, free]))
    else:
        own = table[table["what"].str.startswith("own: ")]
        rows = own.assign(measure=own["what"].str[5:])[["model", "system", "measure", "value"]]
    print(write(rows.assign(stage=options.stage, machine=machine(options))))


if __name__ == "__main__":
    main()
