"""Where would this shopper go next? The simulator beside the rules, its own parts and the ceiling.

    python benchmarks/simulator.py [--only ROW ...] [--train published] [--gate]

First question: nats of first looks (a product for the first time in the visit) with the own history,
another shopper's, and none; paired by shopper. Then the next purchase of every real shopper's last
visit with one, from the rows strictly before it, among all products; *novel*: products touched before
are masked and are no targets. The simulator is the shipped one (`python start.py train-simulator`);
`--train published` trains it without any remedy, in a folder where a stopped run goes on. Each row
keeps its shoppers' values in the folder of runs, so that a stopped run goes on; the page is written
from the rows that there are. `--gate` opens the gate, once for these weights, and writes it into the
shipped card: the best rule is chosen on the visit with a purchase before the last. Writes
`benchmarks/results/simulator.csv`, `simulator_reads.csv` (the first question) and `simulator.md`.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from boomerang import RESULTS
from simulator_page import page, reads_of
from simulator_parts import (
    BASE,
    PARTS,
    RULES,
    SCORERS,
    SLOW,
    VISITS,
    counted,
    folder,
    on,
    published,
    shipped,
    visits_for,
)
from world import measure

from workbench.ledger import Service
from workbench.recommend import EASE
from workbench.reports.recpilot import (
    Simulator,
    SimulatorConfig,
    Vocabulary,
    decide,
    draw,
    fidelity,
    swap_cost,
    visits_of,
)
from workbench.reports.recpilot.gate import digest
from workbench.settings import settings
from workbench.statistics import bootstrap_mean


def row(name: str, day: str = "test") -> pd.DataFrame:
    """[part, user, ndcg, recall] of a row, kept once it was measured."""
    of = digest(shipped()) if name.startswith(("simulator", "encoder")) else ""
    path = folder() / f"{day} {name} {of}".rstrip()
    path = path.with_name(path.name + ".parquet")
    if not path.exists():
        world, asked = on(day)
        begun = time.process_time()
        found = counted(day)[name] if name in RULES else SCORERS[name](world, asked)
        seconds = time.process_time() - begun
        parts = [measure(found, asked, part == "novel").assign(part=part) for part in PARTS]
        table = pd.concat(parts, ignore_index=True).assign(seconds=seconds)
        table.to_parquet(path)
        print(f"{name}: {table.groupby('part')['ndcg'].mean().round(3).to_dict()}, {seconds:.0f} s")
    return pd.read_parquet(path)


def history_read() -> pd.DataFrame:
    """[model, user, own, swapped, none]: nats a first look on the test visits."""
    parts = []
    for name, model in (("simulator", shipped), ("as published", published)):
        of = f" {digest(shipped())}" if name == "simulator" else ""
        path = folder() / f"swap {name}{of}.parquet"
        if not path.exists() and (name == "simulator" or (folder() / "published").exists()):
            world, asked = on("test")
            swap_cost(model(), visits_for(asked, world)).assign(model=name).to_parquet(path)
        if path.exists():
            parts.append(pd.read_parquet(path))
    return pd.concat(parts, ignore_index=True)


def timings() -> pd.DataFrame:
    """[what, seconds, goal]: processor time of one thread, a median of five; of the batch one
    run."""
    world, asked = on("test")
    one = asked.train.histories(asked.users[:1])
    many = asked.train.histories(np.resize(asked.users, 1000))
    # as many products as a shop may have, with first weights: visits are as long as may be
    wide = Simulator(SimulatorConfig())
    wide.make(Vocabulary(shipped().vocabulary.actions, 13_000), None)
    service = Service.build(asked.train, world.catalogue, EASE())
    user = int(asked.users[0])
    service.report(user)  # what is made once is not the cost of a page

    def paged(seed: int) -> None:
        draw(shipped(), one, VISITS, seed=seed)
        service.report(user)

    work = [
        ("16 visits of one shopper, 240 products", lambda s: draw(shipped(), one, VISITS, seed=s)),
        ("the same, and the page", paged),
        (
            "16 visits of one shopper, 13,000 products",
            lambda s: draw(wide, replace(one, n_items=13_000, bound=None), VISITS, seed=s),
        ),
        ("16 visits of 1,000 shoppers, one batch", lambda s: draw(shipped(), many, VISITS, seed=s)),
    ]
    rows = []
    for (what, function), goal in zip(work, (0.1, 0.1, 0.3, 20.0), strict=True):
        spent = []
        for seed in range(5 if goal < 1 else 1):
            begun = time.process_time()
            function(seed)
            spent.append(time.process_time() - begun)
        rows.append((what, float(np.median(spent)), goal))
    return pd.DataFrame(rows, columns=["what", "seconds", "goal"])


def likeness() -> pd.DataFrame:
    """[measure, real, and a column each: other real visits, and one imagined visit a shopper]."""
    world, asked = on("test")
    real = visits_for(asked, world).trajectories
    before = visits_of(asked.train).trajectories
    rng = np.random.default_rng(1)
    others = before.select(rng.choice(len(before), len(real), replace=False))
    sets, free = {"other real visits": others}, {"other real visits": ""}
    models = {"simulator": shipped}
    if (folder() / "published").exists():
        models["as published"] = published
    for name, model in models.items():
        told = (model(), asked.train.histories(asked.users), 1)
        sets[name] = draw(*told, seed=1).trajectories()
        broken = 1 - draw(*told, grammar=False, seed=1).valid.mean()
        free[name] = f"{broken:.1%}"
    columns = {}
    for name, part in sets.items():
        found = fidelity(real, part)
        columns["measure"] = [*found["measure"], "free of the grammar, it is broken by"]
        columns["real"] = ["" if np.isnan(v) else f"{v:.3f}" for v in found["real"]] + ["0.0%"]
        columns[name] = [
            f"{d:.3f}" if np.isnan(v) else f"{v:.3f}"
            for v, d in zip(found["imagined"], found["distance"], strict=True)
        ] + [free[name]]
    return pd.DataFrame(columns)


def open_gate() -> None:
    """Decide on the test shoppers and write it into the shipped card."""
    simulator = shipped()
    names = {"simulator": BASE, "head": "encoder's head alone"} | {name: name for name in RULES}
    found = {}
    for day in ("valid", "test"):
        tables = {name: row(kept, day) for name, kept in names.items()}
        found[day] = {n: t.loc[t["part"] == "all", "ndcg"].to_numpy() for n, t in tables.items()}
    cost = history_read().query("model == 'simulator'")
    swap = float((cost["swapped"] - cost["own"]).mean())
    date = datetime.now(UTC).date().isoformat()
    simulator.card["gate"] = decide(simulator, found["valid"], found["test"], swap, date)
    simulator.save(settings().data / "simulator", half=True)
    print(simulator.card["gate"])


def table_of(names: list[str]) -> pd.DataFrame:
    """[row, part, measure, value, low, high, less, less_low, less_high, shoppers, seconds]; less:
    the row less the simulator, paired by shopper."""
    base, lines = row(BASE), []
    for name in names:
        for part in PARTS:
            own, other = (t[t["part"] == part].set_index("user") for t in (row(name), base))
            for what in ("ndcg", "recall"):
                apart = bootstrap_mean(own[what] - other[what], shares=False)
                value = bootstrap_mean(own[what])
                end = (len(own), own["seconds"].iloc[0])
                lines.append((name, part, what, *value, *apart, *end))
    columns = ["row", "part", "measure", "value", "low", "high", "less", "less_low", "less_high"]
    return pd.DataFrame(lines, columns=[*columns, "shoppers", "seconds"])


def main() -> None:
    """Measure what is missing, write the page, print it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=[*RULES, *SCORERS], help="rows to measure")
    parser.add_argument("--train", choices=["published"])
    parser.add_argument("--gate", action="store_true", help="open the gate, once")
    options = parser.parse_args()
    if options.train:
        config = SimulatorConfig.as_published()
        work = folder() / "training"
        work.mkdir(exist_ok=True)
        Simulator(config).fit(on("test")[1].train, work).save(folder() / "published")
    if options.only:
        for name in options.only:
            row(name)
        return
    wanted = [name for name in (*RULES, *SCORERS) if name not in SLOW]
    if not (folder() / "published").exists():
        wanted.remove("as published, 16 visits")
    names = wanted + [name for name in SLOW if (folder() / f"test {name}.parquet").exists()]
    table, cost = table_of(names), history_read()
    if options.gate:
        open_gate()
    table.to_csv(RESULTS / "simulator.csv", index=False, float_format="%.4f")
    reads_of(cost).to_csv(RESULTS / "simulator_reads.csv", index=False, float_format="%.4f")
    text = page(table, cost, timings(), likeness())
    (RESULTS / "simulator.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
