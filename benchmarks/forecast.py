"""How often is the fate of a sentence foretold? A forecast from lineage and rules, and a model trained again.

    python benchmarks/forecast.py [--shoppers 10] [--seeds 3]

For shoppers who hold the sensitive topic: what a request for all their rows of it will do to every
sentence of their page and its margin, said before by `workbench.ledger.forecast`, which asks no model.
Then every place is cleaned and the model, SASRec, trained again on what is left. The share of fates that
were forecast stands beside that of the forecast *everything is kept*. Controls: as many other rows of
the same shopper (placebo); a counted model (EASE), whose change is exact; and nothing deleted at all,
the same model trained with another seed. Minutes on one core; resumes after the last whole part. Writes
`benchmarks/results/forecast.csv` and `.md`.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd
from boomerang import RESULTS, markdown
from predicted import expected, judged

from workbench.data import load_world
from workbench.ledger import Service, forecast, forget, scored
from workbench.recommend import EASE, SASRec
from workbench.recommend.session.sasrec import SASRecConfig
from workbench.recommend.training import Training
from workbench.reports import EntityStore, diff, recpilot
from workbench.statistics import bootstrap_mean
from workbench.worlds.shop import World

TOPIC, LEAST = "Baby & pregnancy", 5
STORES = (EntityStore, recpilot.Rubric, recpilot.Experience)
COUNTS = ["claims", "went", "found_gone", "back", "found_back"]


def network(seed: int) -> SASRec:
    """A small one, trained long enough to rank better than popularity."""
    training = Training(epochs=6, batch=256, learning_rate=5e-3, seed=seed)
    return SASRec(SASRecConfig(hidden=32, inner=32, layers=1, heads=1, training=training))


def asked(world: World, n: int, seed: int = 0) -> dict[int, np.ndarray]:
    """Shoppers drawn from those with rows on the topic, and these rows."""
    rows = world.log.frame
    own = rows[rows["item"].isin(world.catalogue.items_of(TOPIC))]
    counts = own.groupby("user").size()
    holders = np.sort(counts.index[counts >= LEAST].to_numpy())
    drawn = np.sort(np.random.default_rng(seed).permutation(holders)[:n])
    return {int(u): own.loc[own["user"] == u, "interaction"].to_numpy() for u in drawn}


def part(world: World, model: Any, requests: dict[int, np.ndarray], other: Any) -> pd.DataFrame:
    """A line a shopper and kind of request, for one model."""
    service = Service.build(world.log, world.catalogue, model, stores=STORES)
    parts = []
    for user, ids in requests.items():
        told = forget(service, user, ids, topic=TOPIC, draws=1)
        for kind, rows in (("topic", ids), ("placebo", told.controls[0].ids)):
            # said before anything is trained again
            said = forecast(service, user, rows)
            came = told.fates if kind == "topic" else forget(service, user, rows, draws=0).fates
            parts.append(scored({user: said}, {user: came}).assign(request=kind))
    if other is not None:
        again = Service.build(world.log, world.catalogue, other, stores=STORES)
        for user in requests:
            fates = diff(service.report(user), again.report(user))
            came = fates.loc[fates["fate"] != "new", "fate"]
            line = {"user": user, "claims": len(came), "kept": float((came == "kept").mean())}
            line |= {"went": int((came == "gone").sum()), "request": "none, another seed"}
            parts.append(pd.DataFrame([line]))
    return pd.concat(parts, ignore_index=True)


def table(n: int, seeds: int) -> pd.DataFrame:
    """All parts; those of the file are kept."""
    path = RESULTS / "forecast.csv"
    done = pd.read_csv(path) if path.exists() else pd.DataFrame({"model": [], "seed": []})
    world = load_world()
    requests = asked(world, n)
    todo = [("EASE", 0), *(("SASRec", seed) for seed in range(1, seeds + 1))]
    for name, seed in todo:
        if ((done["model"] == name) & (done["seed"] == seed)).any():
            continue
        pair = (EASE(), None) if name == "EASE" else (network(seed), network(seed + 100))
        new = part(world, pair[0], requests, pair[1]).assign(model=name, seed=seed)
        done = pd.concat([done, new], ignore_index=True)
        whole = ["seed", "user", *COUNTS]
        done[whole] = done[whole].astype("Int64")
        done.to_csv(path, index=False, float_format="%.4f", lineterminator="\n")
        print(f"{name}, seed {seed}", flush=True)
    return done


def by_shopper(done: pd.DataFrame, model: str, request: str) -> pd.DataFrame:
    """A line a shopper: shares are means over seeds, counts sums."""
    own = done[(done["model"] == model) & (done["request"] == request)]
    shares = own.groupby("user")[["right", "kept"]].mean()
    return shares.join(own.groupby("user")[COUNTS].sum())


def interval(values: pd.Series, sign: str = "") -> str:
    """Mean over shoppers with its interval."""
    mean, low, high = bootstrap_mean(values.to_numpy(), shares=False)
    return f"{mean:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"


def shown(done: pd.DataFrame) -> pd.DataFrame:
    """A line a model and request."""
    lines = []
    for model, request in (("SASRec", "topic"), ("SASRec", "placebo"), ("EASE", "topic")):
        own = by_shopper(done, model, request)
        line = {"model": model, "rows": request, "forecast right": interval(own["right"])}
        line["*everything is kept* right"] = interval(own["kept"])
        line["difference"] = interval(own["right"] - own["kept"], "+")
        for name, fate in (("went", "gone"), ("back", "back")):
            line[name if name == "went" else "came back"] = (
                f"{int(own[f'found_{fate}'].sum())} of {int(own[name].sum())}"
            )
        lines.append(line)
    own = by_shopper(done, "SASRec", "none, another seed")
    still = interval(own["kept"])
    lines.append(
        {"model": "SASRec", "rows": "none, another seed", "*everything is kept* right": still}
    )
    return pd.DataFrame(lines).fillna("")


def measured(done: pd.DataFrame) -> dict[str, pd.Series]:
    """Every predicted number, a value a shopper; a share of sentences where there are any."""
    own = by_shopper(done, "SASRec", "topic")
    found = {"right": own["right"], "right_kept": own["kept"]}
    found["right_minus_kept"] = own["right"] - own["kept"]
    found["found_gone"] = (own["found_gone"] / own["went"]).dropna()
    found["found_back"] = (own["found_back"] / own["back"]).dropna()
    other = by_shopper(done, "SASRec", "none, another seed")
    return found | {"other_seed": 1 - other["kept"]}


def verdicts(found: dict[str, pd.Series], predicted: dict[str, list[float]]) -> pd.DataFrame:
    """Every prediction beside what was measured."""
    told = judged({name: found[name].mean() for name in predicted}, predicted, ".2f", ".3f")
    told.insert(3, "shoppers", [len(found[name]) for name in told["number"]])
    several = told["shoppers"] > 1
    told.loc[several, "measured"] = [interval(found[name]) for name in told["number"][several]]
    return told.replace({"verdict": {"not measured": "nothing came back"}})


def page(done: pd.DataFrame) -> str:
    """The page of results."""
    own = by_shopper(done, "SASRec", "topic")
    gain = own["right"] - own["kept"]
    mean, low, high = bootstrap_mean(gain.to_numpy(), shares=False)
    says = "earns" if low > 0 else "loses" if high < 0 else "earns nothing that shows"
    seeds = done.loc[done["model"] == "SASRec", "seed"].nunique()
    text = [
        "# How often is the fate of a sentence foretold?",
        "",
        "Made by `python benchmarks/forecast.py`.",
        "",
        f"{len(own)} shoppers of the generated world who hold “{TOPIC}”, {seeds} seeds of a SASRec that "
        "is trained again after each request; every sentence of a page and its margin. Intervals: "
        "95 % over shoppers, the mean of the seeds each. The page as it was on 1 December 2026.",
        "",
        markdown(shown(done)),
        "",
        f"Against *everything is kept* the forecast {says}: {mean:+.3f} [{low:+.3f}, {high:+.3f}]. "
        "*went*, *came back*: how many of the sentences that did were forecast to.",
        "",
        "## What was predicted (`data/predictions.toml`, never changed)",
        "",
        markdown(verdicts(measured(done), expected("forecast"))),
        "",
        "The generated world is no evidence about shops.",
    ]
    return "\n".join(text) + "\n"


def main() -> None:
    """Measure, write the page, print it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shoppers", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    told = page(table(options.shoppers, options.seeds))
    (RESULTS / "forecast.md").write_text(told, encoding="utf-8")
    print(told)


if __name__ == "__main__":
    main()
