"""What world 2 can show: the best rule beside the ceiling, substitutes of the same kind, tokens saved.

    python benchmarks/world.py [--draws 600] [--shoppers 400]

The purchases of every shopper's last visit with a purchase are to be found, from the rows strictly
before it, among all products; *novel*: products touched before are masked and are no targets.
Every rule is one of counting; the ceiling is the world's own generator with the true weights,
which plays the visit `draws` times from what the log shows. Prints the figures beside those of
world 1 and beside what `data/predictions.toml` expected. Two minutes on one core. Writes
`benchmarks/results/world.csv` and `.md`.
"""

from __future__ import annotations

import argparse
import tomllib
from dataclasses import dataclass

import numpy as np
import pandas as pd
from boomerang import RESULTS, markdown
from predicted import judged

from workbench.data import Interactions, load_world
from workbench.recommend import EASE, ItemKNN, Markov, top_k
from workbench.recommend.evaluation import list_metrics
from workbench.settings import settings
from workbench.statistics import bootstrap_mean
from workbench.worlds.shop import ShopConfig, World, generate, next_purchases

STRENGTH = {"view": 1.0, "favourite": 2.0, "cart": 4.0, "purchase": 8.0}
DECAY = 8  # visits after which an action counts 1/e
WORLD_1 = {  # measured on world 1 (388 shoppers; 220 novel) with the same protocol, November 2026
    "ceiling": (0.293, 0.337, 0.252, 0.261),
    "EASE + own actions": (0.198, 0.214, 0.136, 0.164),
    "own actions, decayed": (0.196, 0.219, 0.070, 0.079),
    "kind × own actions": (0.195, 0.215, 0.116, 0.123),
    "last purchase": (0.177, 0.199, 0.070, 0.079),
    "last cart": (0.170, 0.201, 0.070, 0.079),
    "EASE": (0.146, 0.157, 0.136, 0.164),
    "ItemKNN": (0.142, 0.136, 0.135, 0.150),
    "Markov, last row": (0.106, 0.118, 0.078, 0.114),
    "popularity of purchases": (0.078, 0.075, 0.070, 0.079),
}
SHARES_1 = {"tokens_saved": 0.08}
COLUMNS = ["ndcg", "recall", "novel ndcg", "novel recall"]


@dataclass(frozen=True)
class Asked:
    """Who is asked about which visit, what was bought there, and the rows before it."""

    users: np.ndarray
    sessions: np.ndarray
    targets: np.ndarray
    train: Interactions

    @property
    def seen(self) -> np.ndarray:
        """Products touched before the visit, (users, items) of booleans."""
        return self.train.matrix()[self.users].toarray() > 0


def last_purchases(world: World) -> Asked:
    """The last visit with a purchase of every real shopper who did something before it."""
    frame = world.log.frame
    spam = world.truth["users"]["spam"].to_numpy()
    bought = frame[(frame["action"] == "purchase") & ~spam[frame["user"]]]
    last = bought.groupby("user")["session"].last()
    # the position at which that visit begins; everything of the shopper from there on is left out
    begins = frame.groupby("session")["position"].min()
    cut = frame["user"].map(begins[last].set_axis(last.index)).fillna(len(frame))
    train = world.log.select((frame["position"] < cut).to_numpy())
    users = np.intersect1d(last.index, train.frame["user"])
    targets = np.zeros((len(users), world.log.n_items), dtype=bool)
    asked = bought[bought["session"] == bought["user"].map(last)]
    asked = asked[asked["user"].isin(users)]
    targets[np.searchsorted(users, asked["user"]), asked["item"]] = True
    return Asked(users, last[users].to_numpy(dtype=int), targets, train)


def own_actions(asked: Asked, action: str | None = None) -> np.ndarray:
    """What a shopper did with a product, strongest and latest first; of one action only, if
    named."""
    rows = asked.train.frame
    rows = rows[rows["user"].isin(asked.users)]
    visits = rows.groupby("user")["session"].rank("dense", ascending=False).to_numpy() - 1
    strength = rows["action"].astype(str).map(STRENGTH).to_numpy()
    if action is not None:
        strength = np.where(rows["action"] == action, 1.0, 0.0)
    decay = DECAY if action is None else 0.1  # the last one decides
    scores = np.zeros(asked.targets.shape)
    place = (np.searchsorted(asked.users, rows["user"]), rows["item"].to_numpy())
    np.add.at(scores, place, strength * np.exp(-visits / decay))
    return scores


def rules(world: World, asked: Asked) -> dict[str, np.ndarray]:
    """Scores of every rule, (users, items)."""
    rows, histories = asked.train.frame, asked.train.histories(asked.users)
    bought = rows.loc[rows["action"] == "purchase", "item"]
    popular = np.bincount(bought, minlength=world.log.n_items) / len(bought)
    own = own_actions(asked)
    ease = EASE().fit(asked.train).score(histories)
    # own interest in a kind, shared among its products as they are bought and as the shopper did
    kind = pd.factorize(world.catalogue.frame["kind"])[0]
    one = np.eye(kind.max() + 1)[kind]
    by_kind = (own @ one) @ one.T
    share = popular / (popular @ one @ one.T)
    # what was left in a cart last: the others of its kind, the cheaper ones first
    left = np.where(own_actions(asked, "purchase") > 0, 0, own_actions(asked, "cart"))
    price = world.catalogue.frame["price"].to_numpy()
    cheaper = (kind[:, None] == kind) * (1.0 + (price[None, :] < price[:, None]))
    np.fill_diagonal(cheaper, 0.5)
    return {
        "EASE + own actions": _unit(ease) + _unit(own),
        "own actions, decayed": own + 1e-6 * popular,
        "kind × own actions": _unit(by_kind) * (0.5 * share + 0.5 * _share(own, one)),
        "left in the cart: others of its kind": _unit(left @ cheaper) + 0.01 * _unit(own),
        "last purchase": own_actions(asked, "purchase") + 1e-6 * popular,
        "last cart": own_actions(asked, "cart") + 1e-6 * popular,
        "EASE": ease,
        "ItemKNN": ItemKNN().fit(asked.train).score(histories),
        "Markov, last row": Markov().fit(asked.train).score(histories),
        "popularity of purchases": np.tile(popular, (len(asked.users), 1)),
    }


def _unit(scores: np.ndarray) -> np.ndarray:
    return scores / np.maximum(scores.max(axis=1, keepdims=True), 1e-12)


def _share(own: np.ndarray, one: np.ndarray) -> np.ndarray:
    """Share of every product in what the shopper did with its kind."""
    return own / np.maximum(own @ one @ one.T, 1e-12)


def ceiling(world: World, asked: Asked, draws: int) -> np.ndarray:
    """How often the generator buys each product on that day, from what the log shows."""
    pairs = zip(asked.users.tolist(), asked.sessions.tolist(), strict=True)
    return np.stack([next_purchases(world, user, session, draws) for user, session in pairs])


def measure(scores: np.ndarray, asked: Asked, novel: bool) -> pd.DataFrame:
    """[user, ndcg (at 10), recall (at 5)] of the users with something to find."""
    seen = asked.seen
    targets = asked.targets & ~seen if novel else asked.targets
    some = targets.any(axis=1)
    lists = top_k(scores[some], 10, seen[some] if novel else None)
    gains = np.take_along_axis(targets[some], lists, axis=1).astype(float)
    judged = -np.sort(-targets[some].astype(float), axis=1)[:, :20]
    table = {"user": asked.users[some], "ndcg": list_metrics(gains, judged, 10)["ndcg"]}
    return pd.DataFrame(table | {"recall": list_metrics(gains, judged, 5)["recall"]})


def shares(world: World) -> dict[str, float]:
    """Products with a strictly cheaper, a strictly better rated one of their kind; tokens saved by
    run-length."""
    frame = world.catalogue.frame
    by_kind = frame.groupby("kind")
    cheaper = frame["price"] > by_kind["price"].transform("min")
    better = frame["rating"] < by_kind["rating"].transform("max")
    saved = tokens_saved(world)
    names = ("cheaper_of_its_kind", "better_rated_of_its_kind", "tokens_saved")
    return dict(zip(names, (cheaper.mean(), better.mean(), saved), strict=True))


def tokens_saved(world: World) -> float:
    """Share of tokens that one action token a run saves against one a row; products and two marks
    a session count in both; spam accounts are left out."""
    rows = world.log.frame
    rows = rows[~world.truth["users"]["spam"].to_numpy()[rows["user"]]]
    rows = rows.sort_values(["session", "position"])
    begins = rows["session"] != rows["session"].shift()
    runs = begins | (rows["action"] != rows["action"].shift())
    both = len(rows) + 2 * begins.sum()
    return float(1 - (both + runs.sum()) / (both + len(rows)))


def table_of(found: dict[str, dict[str, pd.DataFrame]]) -> pd.DataFrame:
    """Means with 95 % of resampled shoppers: [rule, measure, value, low, high, shoppers]."""
    rows = []
    for rule, parts in found.items():
        for name in COLUMNS:
            part = parts["novel" if "novel" in name else "all"]
            values = part[name.removeprefix("novel ")]
            rows.append((rule, name, *bootstrap_mean(values), len(values)))
    return pd.DataFrame(rows, columns=["rule", "measure", "value", "low", "high", "shoppers"])


def against_best(
    found: dict[str, dict[str, pd.DataFrame]], table: pd.DataFrame
) -> tuple[dict[str, float], pd.DataFrame]:
    """The measured numbers that were predicted, and the ceiling less the best rule, paired."""
    numbers, rows = {}, []
    rule_rows = table[table["rule"] != "ceiling"]
    for name in COLUMNS:
        part, metric = "novel" if "novel" in name else "all", name.removeprefix("novel ")
        best = rule_rows[rule_rows["measure"] == name].nlargest(1, "value").iloc[0]
        top, rule = (found[who][part][metric] for who in ("ceiling", best["rule"]))
        rows.append((name, best["rule"], *bootstrap_mean(top - rule), len(top)))
        numbers[f"{part}.best_rule_{metric}"] = best["value"]
        numbers[f"{part}.ceiling_{metric}"] = top.mean()
        numbers[f"{part}.ceiling_minus_best_rule_{metric}"] = (top - rule).mean()
    columns = ["measure", "best rule", "estimate", "low", "high", "shoppers"]
    return numbers, pd.DataFrame(rows, columns=columns)


def verdicts(numbers: dict[str, float], predicted: dict) -> pd.DataFrame:
    """Every prediction beside what was measured."""
    parts = {}
    for part in ("shares", "all", "novel"):
        found = {name: numbers[f"{part}.{name}"] for name in predicted[part]}
        parts[part] = judged(found, predicted[part], ".2f", ".3f")
    return pd.concat(parts, names=["part"]).reset_index("part").reset_index(drop=True)


def page(world, asked, table, room, verdict, numbers, draws) -> str:
    """The results as Markdown."""
    wide = {}
    for row in table.itertuples():
        first = f"{row.value:.3f} [{row.low:.3f}, {row.high:.3f}]"
        wide.setdefault(row.rule, {"": row.rule})[row.measure] = first
    for rule, line in wide.items():
        old = WORLD_1.get(rule, ("–",) * 4)
        line |= {f"world 1: {name}": value for name, value in zip(COLUMNS, old, strict=True)}
    room = room.assign(
        difference=[f"{r.estimate:+.3f} [{r.low:+.3f}, {r.high:+.3f}]" for r in room.itertuples()]
    )
    novel = table.loc[table["measure"] == "novel ndcg", "shoppers"].iloc[0]
    text = ["# What world 2 can show", "", "Made by `python benchmarks/world.py`.", ""]
    text += [
        f"{world!r}. {len(asked.users)} shoppers, {novel} with a novel purchase; "
        f"{draws} visits drawn for the ceiling; intervals: 95 % of resampled shoppers.",
        "",
        "## The next purchase: NDCG@10 and Recall@5",
        "",
        markdown(pd.DataFrame(wide.values())),
        "",
        "World 1: 388 shoppers, 220 with a novel purchase; its *kind* is the category.",
        "",
        "## Room: ceiling less the best rule, paired",
        "",
        markdown(room[["measure", "best rule", "difference", "shoppers"]]),
        "",
        "World 1: .095 NDCG@10, novel .116. World 2 as first measured: best rule .333, ceiling .550, "
        "room .217 (novel .118, .394, .276); the second time, after `changed_again`: .309, .484, "
        ".175 (novel .141, .335, .194).",
        "",
        "## What was predicted (`data/predictions.toml`, never changed)",
        "",
        markdown(verdict),
        "",
        f"World 1: run-length saves {SHARES_1['tokens_saved']:.0%} of the tokens; world 2: "
        f"{numbers['shares.tokens_saved']:.1%}. The generated world is no evidence about shops.",
    ]
    return "\n".join(text) + "\n"


def main() -> None:
    """Measure, write the page, print it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=600)
    parser.add_argument("--shoppers", type=int, default=0, help="another size; nothing is written")
    options = parser.parse_args()
    config = ShopConfig(shoppers=options.shoppers or 400, texts=0)
    world = generate(config) if options.shoppers else load_world()
    asked = last_purchases(world)
    scores = {"ceiling": ceiling(world, asked, options.draws)} | rules(world, asked)
    found = {
        rule: {part: measure(score, asked, part == "novel") for part in ("all", "novel")}
        for rule, score in scores.items()
    }
    table = table_of(found)
    numbers, room = against_best(found, table)
    numbers |= {f"shares.{name}": value for name, value in shares(world).items()}
    path = settings().data / "predictions.toml"
    predicted = tomllib.loads(path.read_text(encoding="utf-8"))["world_2"]
    text = page(world, asked, table, room, verdicts(numbers, predicted), numbers, options.draws)
    if not options.shoppers:
        table.to_csv(RESULTS / "world.csv", index=False, float_format="%.4f")
        (RESULTS / "world.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
