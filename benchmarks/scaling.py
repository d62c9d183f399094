"""Seconds per epoch of the nine trained models against the size of the catalogue and of the log,
with the exponent.

    python benchmarks/scaling.py [--models BPR …] [--threads 1]

Random logs: catalogues of 500 to 32,000 items at 20,000 rows, and 10,000 to 80,000 rows at 2,000
items (20 rows a user; baskets of four rows, five a user; popularity falling as 1/rank). One cold
epoch, then a warm one, which counts. The exponent b of seconds = a · size^b comes from least
squares on the logarithms, with its standard error. Resumes (`runs/scaling`). Writes
`benchmarks/results/scaling.csv`, `.md` and `.png`.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
from typing import Any, Literal

import numpy as np
import pandas as pd
from boomerang import RESULTS, markdown
from pydantic import BaseModel, ConfigDict, PositiveInt

from workbench import recommend
from workbench.data import Interactions
from workbench.runs import run
from workbench.settings import physical_memory, settings

MODELS = ("BPR", "LightGCN", "SGL", "GRU4Rec", "NARM", "SASRec", "SRGNN", "DNNTSP", "Sets2Sets")
ITEMS, ROWS = (500, 2_000, 8_000, 32_000), (10_000, 20_000, 40_000, 80_000)
FIXED_ITEMS, FIXED_ROWS, ROWS_A_USER, ROWS_A_BASKET = 2_000, 20_000, 20, 4
BASKETS = ("DNNTSP", "Sets2Sets")


class Size(BaseModel):
    """One point of a curve."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: str
    against: Literal["items", "rows"]
    items: PositiveInt
    rows: PositiveInt
    threads: PositiveInt = 1
    seed: int = 1


def random_log(items: int, rows: int, seed: int) -> Interactions:
    """Every user has 20 rows in five baskets; items by a law of 1/rank."""
    rng, weight = np.random.default_rng(seed), 1 / np.arange(1, items + 1)
    users = rows // ROWS_A_USER
    place = np.tile(np.arange(ROWS_A_USER), users)
    frame = pd.DataFrame(
        {"user": np.repeat(np.arange(users), ROWS_A_USER), "timestamp": place // ROWS_A_BASKET}
    )
    frame["basket"] = frame["user"] * ROWS_A_USER + frame["timestamp"]
    frame["item"] = rng.choice(items, rows, p=weight / weight.sum())
    columns = {"timestamp": "timestamp", "basket": "basket", "items": pd.Index(range(items))}
    return Interactions.from_table(frame, **columns)


def build(size: Size) -> Any:
    """The default model, smaller vectors (32), two epochs, one batch size for all of a kind."""
    config = getattr(recommend, f"{size.model}Config")()
    training = {"epochs": 2, "batch": 64 if size.model in BASKETS else 2048, "seed": size.seed}
    fields = {
        **config.model_dump(),
        "training": {**config.training.model_dump(), **training, "threads": size.threads},
    }
    small = {name: 32 for name in ("embedding", "hidden") if name in fields}
    return getattr(recommend, size.model)(type(config)(**fields | small))


def measure(size: Size) -> pd.DataFrame:
    """[seconds, examples] of the warm epoch."""
    model = build(size).fit(random_log(size.items, size.rows, size.seed))
    return model.record.tail(1)[["seconds", "examples"]]


def exponent(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """b of y = a x^b by least squares on the logarithms, and its standard error."""
    x, y = np.log(x) - np.log(x).mean(), np.log(y) - np.log(y).mean()
    b = float((x * y).sum() / (x * x).sum())
    return b, float(np.sqrt(((y - b * x) ** 2).sum() / (len(x) - 2) / (x * x).sum()))


def curves(table: pd.DataFrame) -> pd.DataFrame:
    """One line a model and size: [model, against, exponent, error, one column per point]."""
    rows = []
    for (model, against), part in table.groupby(["model", "against"], sort=False):
        b, error = exponent(part[against].to_numpy(float), part["seconds"].to_numpy())
        seconds = ", ".join(f"{value:.3g}" for value in part.sort_values(against)["seconds"])
        rows.append((model, against, f"{b:.2f} ± {error:.2f}", seconds))
    return pd.DataFrame(
        rows,
        columns=["model", "against", "exponent ± standard error", "seconds at the four points"],
    )


def draw(table: pd.DataFrame) -> None:
    """Two panels on logarithmic axes, a line a model, its exponent in the legend."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.8), sharey=True, layout="constrained")
    fixed = {"items": f"{FIXED_ROWS:,} rows", "rows": f"{FIXED_ITEMS:,} items"}
    for axis, (against, at) in zip(axes, fixed.items(), strict=True):
        for i, model in enumerate(dict.fromkeys(table["model"])):
            part = table[(table["model"] == model) & (table["against"] == against)].sort_values(
                against
            )
            b, error = exponent(part[against].to_numpy(float), part["seconds"].to_numpy())
            label = f"{model}: {b:.2f} ± {error:.2f}"
            axis.plot(
                part[against], part["seconds"], marker="osD^v<>Px"[i % 9], ms=5, lw=1.2, label=label
            )
        axis.set(xscale="log", yscale="log", xlabel=f"{against} (at {at})")
        axis.legend(title="exponent", fontsize=8, frameon=False)
        axis.grid(alpha=0.25)
    axes[0].set_ylabel("seconds of one warm epoch")
    figure.savefig(RESULTS / "scaling.png", dpi=110, metadata={"Software": None})


def main() -> None:
    """Measure what is not measured yet, draw, write, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    points = [("items", n, FIXED_ROWS) for n in ITEMS] + [("rows", FIXED_ITEMS, n) for n in ROWS]
    same = {"threads": options.threads}
    sizes = [
        Size(model=m, against=a, items=i, rows=r, **same)
        for m in options.models
        for a, i, r in points
    ]
    table = run(sizes, measure, settings().runs / "scaling", progress=True)
    RESULTS.mkdir(exist_ok=True)
    columns = ["model", "against", "items", "rows", "seconds", "examples", "threads"]
    table[columns].to_csv(
        RESULTS / "scaling.csv", index=False, lineterminator="\n", float_format="%.4g"
    )
    draw(table)
    where = f"{os.cpu_count()} cores, {physical_memory() / 1e9:.0f} GB, {platform.machine()}"
    note = f"""
How it was made. Random logs, {ROWS_A_USER} rows a user, baskets of {ROWS_A_BASKET}, popularity 1/rank; catalogues of
{", ".join(f"{n:,}" for n in ITEMS)} items at {FIXED_ROWS:,} rows, and {", ".join(f"{n:,}" for n in ROWS)} rows at
{FIXED_ITEMS:,} items. Vectors of 32, batch 2,048 (64 users for baskets), else the defaults. One cold and one warm
epoch; the warm one is shown. An exponent of four points is a description, not a law: below a few thousand items fixed
costs flatten a curve that the product with the item table makes linear in the end. {datetime.date.today()}: {where},
{options.threads} threads.
""".strip()
    pages = [
        "# Seconds per epoch against catalogue and log",
        "Made by `python benchmarks/scaling.py`.",
    ]
    pages += [markdown(curves(table)), "![Seconds per epoch](scaling.png)", note]
    text = "\n\n".join(pages) + "\n"
    (RESULTS / "scaling.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
