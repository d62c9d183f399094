"""What does a shop know after a year of those who asked to be forgotten, did not, or asked twice?

    python benchmarks/year.py [--draws 20] [--shoppers 40]

Shoppers by rule (`year_shoppers.py`) come to a shop that begins with nothing: lists by EASE
on the log, learnt anew every week, and the stored profile. Who asks is drawn by lot. Every draw is
another population; each lives its year twice, with a shop that heeds the instruction *less of this* and
one that only writes it down. A request is served at once and everywhere: log, profile, weights. Minutes
a draw on one core; resumes after the last whole draw. Writes `benchmarks/results/year.csv`, `.md`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from boomerang import RESULTS, markdown
from predicted import expected, judged
from year_shoppers import Year, YearConfig, live

from workbench.ledger import Service, Switches
from workbench.recommend import EASE
from workbench.statistics import bootstrap_mean
from workbench.worlds.shop import ShopConfig, World, generate
from workbench.worlds.shop.world import log_of

WEEK, DAY = 7, 86400
MEASURES = {
    "held": "share of the rows ever made on the topic that the shop holds",
    "guessed": "the topic is the largest of the notes",
    "noted": "share of the notes that are on the topic",
    "listed": "share of the ten products that are on the topic",
    "pleased": "share of the visits that were served a product they wanted",
}


@dataclass
class Weekly:
    """A shop that learns anew once a week; between, it serves what it learnt, less what it forgot."""

    world: World
    heeds: bool
    rows: list[tuple] = field(default_factory=list)
    wishes: dict[int, str] = field(default_factory=dict)
    service: Service | None = None
    learnt: int = 0

    def serve(self, user: int) -> np.ndarray:
        """The list; none before the first week has ended."""
        if self.service is None or not len(self.service.log.rows_of(user)):
            return np.zeros(0, dtype=int)
        return self.service.listed(user)

    def learn(self, rows: list[tuple[int, int, str, int]]) -> None:
        """Write rows down; once a week make the service anew."""
        self.rows += rows
        day = rows[-1][3] if rows else 0
        if day // WEEK > self.learnt:
            self.learnt = day // WEEK
            self._anew()

    def _anew(self) -> None:
        table = pd.DataFrame(self.rows, columns=["user", "item", "action", "day"])
        stamps = pd.to_datetime(table["day"] * DAY, unit="s", utc=True)
        table = table.assign(timestamp=stamps, session=table["day"], basket=pd.NA, value=np.nan)
        people, items = len(self.world.truth["users"]), len(self.world.catalogue)
        log = log_of(table.drop(columns="day").astype({"basket": "Int64"}), people, items)
        service = Service.build(log, self.world.catalogue, EASE())
        for user, topic in self.wishes.items() if self.heeds else ():
            service = service.steer(user, topic)
        self.service = service

    def less(self, user: int, item: int) -> None:
        """Heed it from now on, or write it down."""
        topic = self.world.catalogue.frame["category"].iat[item]
        self.wishes[user] = topic
        if self.heeds and self.service is not None:
            self.service = self.service.steer(user, topic)

    def forget(self, user: int, topic: str) -> int:
        """Out of everything at once."""
        items = set(self.world.catalogue.items_of(topic).tolist())
        left = [row for row in self.rows if row[0] != user or row[1] not in items]
        gone, self.rows = len(self.rows) - len(left), left
        if self.service is not None:
            own = self.service.log.rows_of(user)
            ids = own.loc[own["item"].isin(items), "interaction"]
            if len(ids):
                self.service = self.service.remove(ids, Switches())
        return gone

    def knows(self, user: int, topic: str) -> dict[str, float]:
        """Rows and notes on the topic, and how much of the list is of it."""
        catalogue = self.world.catalogue
        items = catalogue.items_of(topic)
        held = sum(row[0] == user and row[1] in set(items.tolist()) for row in self.rows)
        notes = self.service.stores["profile"].lineage(user)
        notes = notes[notes["entity"].isin(catalogue.frame["category"].unique())]
        weights = notes.groupby("entity")["weight"].sum()
        listed = self.serve(user)
        share = float(weights.get(topic, 0.0) / max(weights.sum(), 1e-300))
        guessed = float(len(weights) > 0 and weights.idxmax() == topic)
        shown = float(np.isin(listed, items).mean()) if len(listed) else 0.0
        return {"rows": held, "noted": share, "guessed": guessed, "listed": shown}


def draw(number: int, shoppers: int, heeds: bool) -> Year:
    """One year of a population of its own."""
    # spam accounts are four among so few, and none of them lives here
    world = generate(ShopConfig(shoppers=shoppers + 4, texts=0, seed=number))
    return live(world, Weekly(world, heeds), YearConfig(seed=number))


def years(draws: int, shoppers: int) -> pd.DataFrame:
    """All draws, a line for each, arm and month, twice; those of the file are kept."""
    path = RESULTS / "year.csv"
    done = pd.read_csv(path) if path.exists() else pd.DataFrame({"draw": []})
    for number in range(1, draws + 1):
        if number in set(done["draw"]):
            continue
        parts = []
        for heeds in (True, False):
            year = draw(number, shoppers, heeds)
            asked = year.requests.groupby(["user", "what"]).size().unstack(fill_value=0)
            told = year.months["user"].map(asked.get("less", pd.Series(dtype=int))).fillna(0)
            parts.append(year.months.assign(draw=number, heeds=heeds, told=told.astype(int)))
        done = pd.concat([done, means(pd.concat(parts))], ignore_index=True)
        done = done.astype({"draw": int, "month": int, "shoppers": int})
        done.to_csv(path, index=False, float_format="%.4f", lineterminator="\n")
        print(f"draw {number} of {draws}", flush=True)
    return done


def means(lines: pd.DataFrame) -> pd.DataFrame:
    """[draw, heeds, arm, month, shoppers, once, twice, told, held, …]: means over shoppers; once,
    twice: share of them who have asked so often by then, or oftener; told: share who instructed."""
    held = lines["rows"] / lines["made"].where(lines["made"] > 0)
    shares = {"once": lines["asked"] > 0, "twice": lines["asked"] > 1, "told": lines["told"] > 0}
    own = lines.assign(held=held, **shares)
    keys = ["draw", "heeds", "arm", "month"]
    groups = own.groupby(keys)
    found = groups[["once", "twice", "told", *MEASURES]].mean()
    found.insert(0, "shoppers", groups["user"].nunique())
    return found.reset_index()


def interval(values: pd.Series) -> str:
    """Mean of draws with its interval."""
    mean, low, high = bootstrap_mean(values.to_numpy(), shares=False)
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]"


def ends(table: pd.DataFrame) -> pd.DataFrame:
    """After the last month, where instructions are heeded: a value a draw, arm and measure."""
    last = table[(table["month"] == table["month"].max()) & table["heeds"]]
    # of a year's visits, not of its last month
    whole = table[table["heeds"]].groupby(["draw", "arm"])["pleased"].mean()
    found = last.set_index(["draw", "arm"])[["held", "guessed", "noted", "listed"]]
    return found.assign(pleased=whole)


def measured(table: pd.DataFrame) -> dict[str, pd.Series]:
    """Every predicted number, a value a draw."""
    end = ends(table).unstack("arm")
    found = {f"held_{arm}": end["held", arm] for arm in ("never", "once", "twice")}
    found["guessed_never"] = end["guessed", "never"]
    for arm in ("once", "twice"):
        found[f"guessed_{arm}_minus_never"] = end["guessed", arm] - end["guessed", "never"]
    found["listed_once_minus_never"] = end["listed", "once"] - end["listed", "never"]
    pleased = table.groupby(["draw", "heeds"])["pleased"].mean().unstack()
    return found | {"pleased_heeds_minus_ignores": pleased[True] - pleased[False]}


def verdicts(found: dict[str, pd.Series], predicted: dict[str, list[float]]) -> pd.DataFrame:
    """Every prediction beside what was measured."""
    told = judged({name: found[name].mean() for name in predicted}, predicted, ".2f", ".3f")
    return told.assign(measured=[interval(found[name]) for name in told["number"]])


def page(table: pd.DataFrame) -> str:
    """The page of results."""
    end = ends(table)
    arms = [
        {"who asked": arm} | {name: interval(end.xs(arm, level="arm")[name]) for name in MEASURES}
        for arm in ("never", "once", "twice")
    ]
    last = table[(table["month"] == table["month"].max()) & table["heeds"]]
    asked = last.groupby("arm")[["once", "twice"]].mean()
    instructed = np.average(last["told"], weights=last["shoppers"])
    draws = table["draw"].nunique()
    people = int(last.groupby("draw")["shoppers"].sum().iloc[0])
    text = [
        "# What does a shop know after a year of those who asked to be forgotten?",
        "",
        "Made by `python benchmarks/year.py`.",
        "",
        f"{draws} populations of {people} shoppers by rule, twelve months of thirty days; intervals: "
        "95 % over populations. Who asks is drawn by lot; in the end "
        f"{asked['once']['once']:.0%} of those to ask once had asked, {asked['twice']['twice']:.0%} of "
        f"those to ask twice had done so twice. {instructed:.0%} of all gave an instruction.",
        "",
        markdown(pd.DataFrame(arms)),
        "",
        *(f"- *{name}*: {says}" for name, says in MEASURES.items()),
        "",
        "## What was predicted (`data/predictions.toml`, never changed)",
        "",
        markdown(verdicts(measured(table), expected("year"))),
        "",
        "The generated shoppers are no evidence about people: they go on wanting what they asked to "
        "have forgotten, by rule.",
    ]
    return "\n".join(text) + "\n"


def main() -> None:
    """Measure, write the page, print it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--shoppers", type=int, default=40)
    options = parser.parse_args()
    told = page(years(options.draws, options.shoppers))
    (RESULTS / "year.md").write_text(told, encoding="utf-8")
    print(told)


if __name__ == "__main__":
    main()
