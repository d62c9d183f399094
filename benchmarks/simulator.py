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
`benchmarks/results/simulator.csv` and `.md`.
"""

from __future__ import annotations

import argparse
import time
import tomllib
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from boomerang import RESULTS, markdown
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

from workbench.data import load_world
from workbench.reports.recpilot import Simulator, SimulatorConfig, decide, draw, swap_cost
from workbench.settings import settings
from workbench.statistics import bootstrap_mean


def row(name: str, day: str = "test") -> pd.DataFrame:
    """[part, user, ndcg, recall] of a row, kept once it was measured."""
    path = folder() / f"{day} {name}.parquet"
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
        path = folder() / f"swap {name}.parquet"
        if not path.exists() and (name == "simulator" or (folder() / "published").exists()):
            world, asked = on("test")
            swap_cost(model(), visits_for(asked, world)).assign(model=name).to_parquet(path)
        if path.exists():
            parts.append(pd.read_parquet(path))
    return pd.concat(parts, ignore_index=True)


def timings() -> pd.DataFrame:
    """Seconds of processor time, one thread: 16 visits of a shopper, and of 1,000 as a batch."""
    _, asked = on("test")
    one = asked.train.histories(asked.users[:1])
    many = asked.train.histories(np.resize(asked.users, 1000))
    rows = []
    for what, histories, goal, times in (
        ("16 visits of one shopper, 240 products", one, 0.1, 5),
        ("16 visits of 1,000 shoppers, one batch", many, 20.0, 1),
    ):
        spent = []
        for seed in range(times):
            begun = time.process_time()
            draw(shipped(), histories, VISITS, seed=seed)
            spent.append(time.process_time() - begun)
        rows.append((what, float(np.median(spent)), goal))
    return pd.DataFrame(rows, columns=["what", "seconds", "goal"])


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


def numbers_of(table: pd.DataFrame, cost: pd.DataFrame) -> dict[str, float]:
    """What was predicted, as measured."""
    ndcg = table[table["measure"] == "ndcg"].set_index(["part", "row"])["value"]
    everything, novel = ndcg["all"], ndcg["novel"]
    swap = (cost["swapped"] - cost["own"]).groupby(cost["model"]).mean()
    base = everything[BASE]
    other = {
        "ndcg_published": everything.get("as published, 16 visits"),
        "swap_published": swap.get("as published"),
        "gate_open": shipped().card.get("gate", {}).get("open"),
    }
    found = {"ndcg_simulator": base, "novel_simulator": novel[BASE]}
    found |= {"swap_simulator": swap["simulator"]}
    found["simulator_minus_best_rule"] = base - everything[list(RULES)].max()
    found["simulator_minus_head"] = base - everything["encoder's head alone"]
    found["simulator_minus_chain"] = base - everything["16 draws, Markov chain of own kinds"]
    found["visits_64_minus_16"] = everything["simulator, 64 visits"] - base
    found["visits_1_minus_16"] = everything["simulator, 1 visit"] - base
    found["full_minus_mixture"] = everything["simulator, full log-likelihood"] - base
    return found | {name: float(value) for name, value in other.items() if value is not None}


def verdicts(numbers: dict[str, float]) -> pd.DataFrame:
    """Every prediction beside what was measured."""
    text = (settings().data / "predictions.toml").read_text(encoding="utf-8")
    rows = []
    for name, (low, high) in tomllib.loads(text)["simulator"]["expected"].items():
        value = numbers.get(name)
        said = "not measured"
        if value is not None:
            said = "lower" if value < low else "higher" if value > high else "as predicted"
        shown = "–" if value is None else f"{value:.3f}"
        rows.append((name, f"{low:g} to {high:g}", shown, said))
    return pd.DataFrame(rows, columns=["number", "predicted", "measured", "verdict"])


def page(table: pd.DataFrame, cost: pd.DataFrame, times: pd.DataFrame) -> str:
    """The results as Markdown."""
    wide: dict[str, dict] = {}
    for r in table.itertuples():
        cell = f"{r.value:.3f} [{r.low:.3f}, {r.high:.3f}]"
        if r.row != BASE:
            cell += f"; {r.less:+.3f} [{r.less_low:+.3f}, {r.less_high:+.3f}]"
        at = {"ndcg": "NDCG@10", "recall": "Recall@5"}[r.measure]
        wide.setdefault(r.row, {"": r.row})[f"{r.part}: {at} ({r.shoppers})"] = cell
    reads = []
    for name, part in cost.groupby("model", sort=False):
        line = {"": name, "own": f"{part['own'].mean():.3f}"}
        for other in ("swapped", "none"):
            found = bootstrap_mean(part[other] - part["own"], shares=False)
            line[f"{other} less own"] = "{:+.3f} [{:+.3f}, {:+.3f}]".format(*found)
        reads.append(line)
    gate = shipped().card.get("gate", {})
    rule, recall = best_rule(table)
    state = "open" if gate.get("open") else "shut"
    text = ["# Where would this shopper go next?", "", "Made by `python benchmarks/simulator.py`."]
    text += ["", f"{load_world()!r}, spam accounts left out. {told_of_training()}", ""]
    text += ["## Does it read its history?", ""]
    text += [
        "Nats a first look on the last visits with a purchase; 95 % of resampled shoppers.",
        "",
    ]
    text += [markdown(pd.DataFrame(reads)), "", "At least .3 nats are asked for.", ""]
    text += ["## The next purchase", ""]
    text += ["Value with 95 % of resampled shoppers; then the row less the simulator, paired.", ""]
    text += [markdown(pd.DataFrame(wide.values())), ""]
    text += [
        f"The paper's headline is Recall@5 52 % over its best baseline. Here the simulator has "
        f"{recall:.2f} times that of the best rule ({rule})."
    ]
    if gate:
        text += [
            "",
            f"The gate is {state} ({gate['date']}): NDCG@10 of the simulator less "
            f"{gate['best_rule']}, the best rule of the validation shoppers, "
            "{:+.3f} [{:+.3f}, {:+.3f}]; less the head alone ".format(*gate["minus_rule"])
            + "{:+.3f} [{:+.3f}, {:+.3f}].".format(*gate["minus_head"]),
        ]
    said = times.assign(
        seconds=times["seconds"].map("{:.3g}".format), goal=times["goal"].map("{:g}".format)
    )
    text += ["", "## Seconds of processor time, one thread of a busy machine", "", markdown(said)]
    checked = verdicts(numbers_of(table, cost))
    text += ["", "## What was predicted (`data/predictions.toml`)", "", markdown(checked)]
    return "\n".join([*text, "", "The generated world is no evidence about shops."]) + "\n"


def told_of_training() -> str:
    """How the shipped simulator was trained, from its card."""
    card = shipped().card["training"]
    return (
        f"The shipped simulator: {card['steps']:,} steps on {card['visits']:,} visits, "
        f"{card['processor_seconds'] / 60:.0f} minutes of processor time, weights of step "
        f"{card['chosen']:,} (least nats on {card['validation_visits']} validation visits). One seed."
    )


def best_rule(table: pd.DataFrame) -> tuple[str, float]:
    """The rule with the highest Recall@5, and the simulator's as a multiple of it."""
    found = table[(table["part"] == "all") & (table["measure"] == "recall")]
    found = found.set_index("row")["value"]
    best = found[list(RULES)].idxmax()
    return best, found[BASE] / found[best]


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
    text = page(table, cost, timings())
    (RESULTS / "simulator.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
