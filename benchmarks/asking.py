"""An agent that asks attribute by attribute, beside the scores that order what its tool returns.

    python benchmarks/asking.py

Protocol of `world.py`: the purchases of every real shopper's last visit with one, from the rows strictly
before it, among all products; *novel*: products touched before are masked and are no targets. The
agent's answers are the shopper's own actions, decayed; the control's are another shopper's, with the
shopper's own scores. *Pool*: the share of what was bought that stands among so many products, for the agent
the products its tool returned. Its settings are the defaults; weights of everybody's answer were looked at on
the visit with a purchase before, which is asked, too. Three minutes of one core. Writes
`benchmarks/results/asking.csv` and `.md`.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
from boomerang import RESULTS, markdown
from predicted import expected, judged
from simulator_parts import counted, on
from world import Asked, measure, own_actions

from workbench.data import Catalogue
from workbench.recommend import top_k
from workbench.reports.recpilot import Asking, ask
from workbench.statistics import bootstrap_mean

POOLS = (20, 50)
AGENT, OTHER = "asked attribute by attribute", "the same, another shopper's answers"
CART = "left in the cart: others of its kind"


def agents(
    asked: Asked, scores: np.ndarray, catalogue: Catalogue
) -> dict[str, dict[int, list[Asking]]]:
    """{row: {pool: what was asked for each shopper}}."""
    own = own_actions(asked)
    everybody = own.sum(axis=0)
    # the next shopper's answers, in an order drawn once: nobody keeps their own
    order = np.random.default_rng(1).permutation(len(own))
    others = np.empty_like(own)
    others[order] = own[np.roll(order, 1)]
    return {
        row: {
            n: [
                ask(w, everybody, s, catalogue, pool=n)
                for w, s in zip(answers, scores, strict=True)
            ]
            for n in POOLS
        }
        for row, answers in ((AGENT, own), (OTHER, others))
    }


def shares_found(pools: np.ndarray, asked: Asked) -> np.ndarray:
    """Share of what each shopper bought that stands in the pool."""
    return (asked.targets & pools).sum(axis=1) / asked.targets.sum(axis=1)


def pooled(codes: list[np.ndarray], asked: Asked) -> np.ndarray:
    """(users, items) of booleans."""
    found = np.zeros(asked.targets.shape, dtype=bool)
    for row, items in enumerate(codes):
        found[row, items] = True
    return found


def values(day: str) -> tuple[pd.DataFrame, dict[str, dict[int, list[Asking]]]]:
    """[row, measure, user, value] of the last visits ("test") or those before ("valid"), and what was
    asked."""
    world, asked = on(day)
    known = {name: counted(day)[name] for name in ("EASE", "EASE + own actions", CART)}
    told = agents(asked, known["EASE"], world.catalogue)
    # beyond the pool the order is EASE's
    rest = 1e-9 * known["EASE"] / np.abs(known["EASE"]).max()
    ranked = {
        row: np.stack([one.scores for one in by_pool[POOLS[-1]]]) + rest
        for row, by_pool in told.items()
    }
    parts = []
    for name, scores in (known | ranked).items():
        for part in ("all", "novel"):
            found = measure(scores, asked, part == "novel")
            line = {"row": name, "measure": f"{part}: NDCG@10", "user": found["user"]}
            parts.append(pd.DataFrame(line | {"value": found["ndcg"]}))
        for n in POOLS:
            codes = [one.pool for one in told[name][n]] if name in told else top_k(scores, n)
            found = shares_found(pooled(list(codes), asked), asked)
            line = {"row": name, "measure": f"pool of {n}", "user": asked.users, "value": found}
            parts.append(pd.DataFrame(line))
    return pd.concat(parts, ignore_index=True), told


def table_of(found: pd.DataFrame) -> pd.DataFrame:
    """[row, measure, value, low, high, less, less_low, less_high, shoppers]; less: less EASE, paired."""
    rows = []
    for (name, what), part in found.groupby(["row", "measure"], sort=False):
        base = found[(found["row"] == "EASE") & (found["measure"] == what)].set_index("user")[
            "value"
        ]
        own = part.set_index("user")["value"]
        apart = bootstrap_mean(own - base[own.index], shares=False)
        rows.append((name, what, *bootstrap_mean(own), *apart, len(own)))
    columns = ["row", "measure", "value", "low", "high", "less", "less_low", "less_high"]
    return pd.DataFrame(rows, columns=[*columns, "shoppers"])


def numbers_of(table: pd.DataFrame, told: dict[str, dict[int, list[Asking]]]) -> dict[str, float]:
    """What was predicted."""
    cells = table.set_index(["row", "measure"])
    firsts = Counter(one.calls["path"][0].partition("=")[0] for one in told[AGENT][POOLS[0]])
    ndcg, novel, small, large = cells.loc["EASE"].index
    cart = cells.loc[(AGENT, ndcg), "value"] - cells.loc[(CART, ndcg), "value"]
    return {
        "ndcg_agent": cells.loc[(AGENT, ndcg), "value"],
        "novel_agent": cells.loc[(AGENT, novel), "value"],
        "ndcg_agent_minus_ease": cells.loc[(AGENT, ndcg), "less"],
        "novel_agent_minus_ease": cells.loc[(AGENT, novel), "less"],
        "ndcg_anothers_minus_ease": cells.loc[(OTHER, ndcg), "less"],
        "pool_20_agent_minus_ease": cells.loc[(AGENT, small), "less"],
        "pool_20_anothers_minus_ease": cells.loc[(OTHER, small), "less"],
        "pool_50_agent_minus_ease": cells.loc[(AGENT, large), "less"],
        "ndcg_agent_minus_cart": cart,
        "first_question_kind": firsts["kind"] / sum(firsts.values()),
    }


def wide(table: pd.DataFrame) -> str:
    """A row a scorer, in Markdown."""
    lines: dict[str, dict] = {}
    for r in table.itertuples():
        cell = f"{r.value:.3f} [{r.low:.3f}, {r.high:.3f}]"
        if r.row != "EASE":
            cell += f"; {r.less:+.3f} [{r.less_low:+.3f}, {r.less_high:+.3f}]"
        lines.setdefault(r.row, {"": r.row})[f"{r.measure} ({r.shoppers})"] = cell
    return markdown(pd.DataFrame(lines.values()))


def page(
    table: pd.DataFrame, before: pd.DataFrame, told: dict[str, dict[int, list[Asking]]]
) -> str:
    """The results as Markdown."""
    # how many calls a pool takes, and what they rest on
    first = told[AGENT][POOLS[0]]
    calls = np.array([len(one.calls) for one in first])
    asked = Counter(
        q.partition("=")[0] for one in first for p in one.calls["path"] for q in p.split(", ")
    )
    often = ", ".join(f"{name} {n / calls.sum():.0%}" for name, n in asked.most_common())
    checked = judged(numbers_of(table, told), expected("asking"), ".2f", ".3f")
    text = [
        "# Does it find more who asks attribute by attribute?",
        "",
        "Made by `python benchmarks/asking.py`.",
        "",
        "The next purchase on the shipped, generated world; 95 % of resampled shoppers; then the row less "
        "EASE, which orders what the agent's tool returns, paired. *Pool*: the share of what was bought "
        "that stands among so many products. NDCG@10 is of the agent's pool of 50; the .206 and .139 of the visit "
        "before, known when the predictions were written, were of a pool of 20.",
        "",
        wide(table),
        "",
        "The same on the visit with a purchase before the last, which was looked at while it was built:",
        "",
        wide(before),
        "",
        f"A pool of {POOLS[0]} takes {np.median(calls):.0f} calls of the tool in the median "
        f"({calls.min()} to {calls.max()}); of the calls, so many rest on an answer about: {often}. "
        "Products that are in no catalogue: none, as the tool can return no other.",
        "",
        "## What was predicted (`data/predictions.toml`)",
        "",
        markdown(checked),
        "",
        "The generated world is no evidence about shops.",
    ]
    return "\n".join(text) + "\n"


def main() -> None:
    """Measure, write, print."""
    found, told = values("test")
    table, before = table_of(found), table_of(values("valid")[0])
    days = pd.concat({"last": table, "before": before}, names=["visit"]).reset_index("visit")
    days.to_csv(RESULTS / "asking.csv", index=False, float_format="%.6f")
    text = page(table, before, told)
    (RESULTS / "asking.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
