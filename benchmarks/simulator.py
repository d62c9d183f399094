"""Where would this shopper go next? The simulator beside the rules, its own parts and the ceiling.

    python benchmarks/simulator.py [--only ROW ...] [--train published] [--gate] [--seconds]

First question: nats of first looks (a product for the first time in the visit) with the own history,
another shopper's, and none; paired by shopper. Then the next purchase of every real shopper's last
visit with one, from the rows strictly before it, among all products; *novel*: products touched before
are masked and are no targets. The simulator is the shipped one (`python start.py train-simulator`);
`--train published` trains it without any remedy, in a folder where a stopped run goes on. Each row
keeps its shoppers' values in the folder of runs, named by log, settings, seed, weights and code, so that
a stopped run goes on; a row that is not made again, as its folder is not there, stays on the page as it
was committed (`kept.py`). `--gate` opens the gate, once for these weights, and writes it into the
shipped card: the best rule is chosen on the visit with a purchase before the last. `--seconds` takes the
times again. Writes `benchmarks/results/simulator.csv`, `simulator_reads.csv` (the first question),
`simulator_visits.csv`, `simulator_seconds.csv` and `simulator.md`.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from boomerang import RESULTS
from kept import merged
from simulator_page import page, reads_of
from simulator_parts import (
    BASE,
    PARTS,
    RULES,
    SCORERS,
    SLOW,
    SWAP,
    VISITS,
    folder,
    identity,
    is_kept,
    of,
    on,
    published,
    row,
    shipped,
    visits_for,
)

from workbench.ledger import Service
from workbench.recommend import EASE
from workbench.reports.recpilot import (
    Simulator,
    SimulatorConfig,
    Vocabulary,
    decide,
    draw,
    fidelity,
    visits_of,
)
from workbench.settings import settings
from workbench.statistics import bootstrap_mean


def history_read() -> pd.DataFrame:
    """[model, user, own, swapped, none, identity]: nats a first look on the test visits."""
    names = {"simulator": SWAP} | ({"as published": f"{SWAP}, as published"} if there() else {})
    parts = [row(name).assign(model=model) for model, name in names.items()]
    return pd.concat(parts, ignore_index=True)


def there() -> bool:
    """Whether the simulator without remedies was trained here."""
    return (folder() / "published").exists()


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
    """[visits, measure, said]: of the real visits, of other real ones, and of one imagined visit a
    shopper by each simulator that is there."""
    world, asked = on("test")
    real = visits_for(asked, world).trajectories
    before = visits_of(asked.train).trajectories
    rng = np.random.default_rng(1)
    others = before.select(rng.choice(len(before), len(real), replace=False))
    sets, free = {"other real visits": others}, {"other real visits": ""}
    for name, model in (
        {"simulator": shipped} | ({"as published": published} if there() else {})
    ).items():
        told = (model(), asked.train.histories(asked.users), 1)
        sets[name] = draw(*told, seed=1).trajectories()
        broken = 1 - draw(*told, grammar=False, seed=1).valid.mean()
        free[name] = f"{broken:.1%}"
    lines = []
    for name, part in sets.items():
        found = fidelity(real, part)
        said = [
            f"{d:.3f}" if np.isnan(v) else f"{v:.3f}"
            for v, d in zip(found["imagined"], found["distance"], strict=True)
        ]
        measures = [*found["measure"], "free of the grammar, it is broken by"]
        lines += [(name, *line) for line in zip(measures, [*said, free[name]], strict=True)]
        kept = ["" if np.isnan(v) else f"{v:.3f}" for v in found["real"]]
    lines += [("real", *line) for line in zip(measures, [*kept, "0.0%"], strict=True)]
    return pd.DataFrame(lines, columns=["visits", "measure", "said"])


def open_gate() -> None:
    """Decide on the test shoppers and write it into the shipped card."""
    simulator = shipped()
    names = {"simulator": BASE, "head": "encoder's head alone"} | {name: name for name in RULES}
    found = {}
    for day in ("valid", "test"):
        tables = {name: row(kept, day) for name, kept in names.items()}
        found[day] = {n: t.loc[t["part"] == "all", "ndcg"].to_numpy() for n, t in tables.items()}
    cost = row(SWAP)
    swap = float((cost["swapped"] - cost["own"]).mean())
    date = datetime.now(UTC).date().isoformat()
    simulator.card["gate"] = decide(simulator, found["valid"], found["test"], swap, date)
    simulator.save(settings().data / "simulator", half=True)
    print(simulator.card["gate"])


def table_of(names: list[str]) -> pd.DataFrame:
    """[row, part, measure, value, low, high, less, less_low, less_high, shoppers, seconds,
    identity]; less: the row less the simulator, paired by shopper."""
    base, lines = row(BASE), []
    for name in names:
        for part in PARTS:
            own, other = (t[t["part"] == part].set_index("user") for t in (row(name), base))
            for what in ("ndcg", "recall"):
                apart = bootstrap_mean(own[what] - other[what], shares=False)
                value = bootstrap_mean(own[what])
                end = (len(own), own["seconds"].iloc[0], own["identity"].iloc[0])
                lines.append((name, part, what, *value, *apart, *end))
    columns = ["row", "part", "measure", "value", "low", "high", "less", "less_low", "less_high"]
    return pd.DataFrame(lines, columns=[*columns, "shoppers", "seconds", "identity"])


def committed(new: pd.DataFrame, name: str, row: str) -> pd.DataFrame:
    """A table with what was committed before and not made again, written and read back."""
    path, base = RESULTS / name, identity(of(BASE))
    table = new.assign(base=base) if "identity" in new else new.assign(identity=base, base=base)
    merged(table, path, row, base).to_csv(path, index=False, float_format="%.6f")
    return pd.read_csv(path, dtype={"said": str}, keep_default_na="said" not in new)


def main() -> None:
    """Measure what is missing, write the page, print it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=[*RULES, *SCORERS], help="rows to measure")
    parser.add_argument("--train", choices=["published"])
    parser.add_argument("--gate", action="store_true", help="open the gate, once")
    parser.add_argument("--seconds", action="store_true", help="take the times again")
    options = parser.parse_args()
    if options.train:
        config = SimulatorConfig.as_published()
        work = folder() / "training"
        work.mkdir(exist_ok=True)
        Simulator(config).fit(on("test")[1].train, work).save(folder() / "published")
    wanted = options.only or [name for name in (*RULES, *SCORERS) if name not in SLOW]
    if not there() and "as published, 16 visits" in wanted:
        wanted.remove("as published, 16 visits")
    wanted += [name for name in SLOW if name not in wanted and is_kept(name)]
    order = [*RULES, *SCORERS]
    table = committed(table_of(wanted), "simulator.csv", "row")
    table = table.sort_values("row", key=lambda rows: rows.map(order.index), kind="stable")
    table.to_csv(RESULTS / "simulator.csv", index=False, float_format="%.6f")
    if options.gate:
        open_gate()
    reads = committed(reads_of(history_read()), "simulator_reads.csv", "model")
    alike = committed(likeness(), "simulator_visits.csv", "visits")
    path = RESULTS / "simulator_seconds.csv"
    if options.seconds or not path.exists():
        timings().to_csv(path, index=False, float_format="%.6f")
    text = page(table, reads, pd.read_csv(path), alike)
    (RESULTS / "simulator.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
