"""The page of `simulator.py`: what was measured, beside what was predicted."""

from __future__ import annotations

import tomllib

import pandas as pd
from boomerang import markdown
from predicted import word
from simulator_parts import BASE, RULES, shipped

from workbench.data import load_world
from workbench.settings import settings
from workbench.statistics import bootstrap_mean

NOT_RUN = (
    "The remedies one by one: `remedies.md`. Not run: more than one seed of training (the curve over "
    "visits has five, `curve.md`)."
)
CARRIED = "carried from"
"""How the identity of a row begins that was measured before identities were kept, with the day."""
LESS = "simulator less as published"
"""The shipped simulator and that as published, paired by shopper."""


def numbers_of(table: pd.DataFrame, reads: pd.DataFrame) -> dict[str, float]:
    """What was predicted, as measured."""
    ndcg = table[table["measure"] == "ndcg"].set_index(["part", "row"])["value"]
    everything, novel = ndcg["all"], ndcg["novel"]
    swap = reads[reads["compared"] == "swapped less own"].set_index("model")["value"]
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
            said = word(value, low, high)
        shown = "–" if value is None else f"{value:.3f}"
        rows.append((name, f"{low:g} to {high:g}", shown, said))
    return pd.DataFrame(rows, columns=["number", "predicted", "measured", "verdict"])


def page(table: pd.DataFrame, reads: pd.DataFrame, times: pd.DataFrame, alike: pd.DataFrame) -> str:
    """The results as Markdown."""
    wide: dict[str, dict] = {}
    for r in table.itertuples():
        cell = f"{r.value:.3f} [{r.low:.3f}, {r.high:.3f}]"
        if r.row != BASE:
            cell += f"; {r.less:+.3f} [{r.less_low:+.3f}, {r.less_high:+.3f}]"
        at = {"ndcg": "NDCG@10", "recall": "Recall@5"}[r.measure]
        wide.setdefault(r.row, {"": called(r.row, r.identity)})[
            f"{r.part}: {at} ({r.shoppers})"
        ] = cell
    read: dict[str, dict] = {}
    for r in reads.itertuples():
        sign = "" if r.compared == "own" and r.model != LESS else "+"
        cell = f"{r.value:{sign}.3f} [{r.low:{sign}.3f}, {r.high:{sign}.3f}]"
        read.setdefault(r.model, {"": called(r.model, r.identity)})[r.compared] = cell
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
    text += [markdown(pd.DataFrame(read.values())), "", "At least .3 nats are asked for.", ""]
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
    text += ["", "## Do imagined visits look like real ones?", ""]
    text += ["One visit a shopper, by the grammar; JSD and AUC are between the column and the real"]
    text += ["visits. Other real visits are the null.", "", markdown(side_by_side(alike))]
    checked = verdicts(numbers_of(table, reads))
    text += ["", "## What was predicted (`data/predictions.toml`)", "", markdown(checked)]
    text += ["", earlier(table), "", NOT_RUN, "", "The generated world is no evidence about shops."]
    return "\n".join(text) + "\n"


def side_by_side(alike: pd.DataFrame) -> pd.DataFrame:
    """A line a measure, a column for each set of visits."""
    columns = ["real", "other real visits", "simulator", "as published"]
    wide = alike.pivot(index="measure", columns="visits", values="said")
    wide = wide.loc[list(dict.fromkeys(alike["measure"]))]
    made_of = alike.groupby("visits")["identity"].first()
    wide = wide[[name for name in columns if name in wide]]
    return wide.rename(columns=lambda name: called(name, made_of[name])).reset_index()


def called(name: str, identity: str) -> str:
    """A row's name on the page, which says so where nobody knows what the row was made of.

    >>> called("GRU4Rec", "carried from 2026-12-01"), called("EASE", "3f0c")
    ('GRU4Rec (carried from 2026-12-01, not run again)', 'EASE')
    """
    return f"{name} ({identity}, not run again)" if str(identity).startswith(CARRIED) else name


def earlier(table: pd.DataFrame) -> str:
    """Which rows are as they were measured before, without their shoppers' values at hand."""
    old = table[table["identity"].astype(str).str.startswith(CARRIED)]
    rows = ", ".join(dict.fromkeys(old["row"]))
    if not rows:
        return "Every row can be made again from its identity (`simulator.csv`)."
    return (
        f"Carried from a day before identities were kept, and not run again: {rows}. What weights and "
        "code they were made of is not known; their differences are to a simulator of the same value. "
        "The others' identities (log, settings, seed, weights, code) stand in `simulator.csv`."
    )


def reads_of(cost: pd.DataFrame) -> pd.DataFrame:
    """[model, compared, value, low, high, shoppers, identity]: nats a first look; the last model is
    the shipped one less that as published, paired by shopper."""
    made_of = cost.groupby("model")["identity"].first()
    compared = pd.DataFrame({"model": cost["model"], "user": cost["user"], "own": cost["own"]})
    for other in ("swapped", "none"):
        compared[f"{other} less own"] = cost[other] - cost["own"]
    models = {name: one.set_index("user") for name, one in compared.groupby("model", sort=False)}
    models = {name: one.drop(columns="model") for name, one in models.items()}
    if "as published" in models:
        models[LESS] = models["simulator"] - models["as published"]
        made_of[LESS] = made_of["as published"]
    lines = []
    for name, one in models.items():
        for what in one:
            found = bootstrap_mean(one[what], shares=False)
            lines.append((name, what, *found, len(one), made_of[name]))
    columns = ["model", "compared", "value", "low", "high", "shoppers", "identity"]
    return pd.DataFrame(lines, columns=columns)


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
