"""How many presses until a page is better? Simulated readers of the generated world, with its true weights.

    python benchmarks/clicks.py [--shoppers 200]

A page offers a pick and what stands beside it. A reader who is not content presses a button on the
pick: `owned` where one of its kind is enough and is there already, `budget` where a cheaper one of
its kind is worth more to them, else `dislike`; content readers press nothing, and keep the page.
What a product is worth to a reader is the world's own choice model (interest × share of the kind ×
conditional logit, less what is owned), of which the service knows nothing; what is measured is where
the pick stands in that order among the products that the reader has not touched. Controls press as
often: a random button, on a random product, nothing but *next*, also without ever being content, and
the presses of another reader. Minutes on one core. Writes `benchmarks/results/clicks.csv` and `.md`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import pandas as pd
import predicted as written
from boomerang import RESULTS, markdown

from workbench.data import BUTTONS, load_world
from workbench.ledger import Service
from workbench.recommend import EASE
from workbench.reports.recpilot import press
from workbench.statistics import paired_bootstrap
from workbench.worlds.shop import World
from workbench.worlds.shop.future import day_of, state_of

PRESSES = 8
CONTENT = 0.9
"""A reader is content with a pick that is worth more to them than so many of all products they
could be offered."""
MEASURES = {
    "pick": "place of the pick among all products that could be offered, 1 the best",
    "page": "the same of the best product on the page",
    "kind": "place of the pick among the products of its kind, 1 the best",
    "content": "share of readers who are content with the pick",
}
Offers = Mapping[str, int]
Agent = Callable[[Service, int], Offers]
"""What a page offers, by role: an agent's choice in place of the service's."""


def by_scores(service: Service, user: int) -> Offers:
    """What the service offers, by its scores or by its own agent."""
    return service.evidence(user).offers


def by_kinds(service: Service, user: int) -> Offers:
    """The first product of a kind that the shopper never said *not for me* or *have it* to."""
    rows = service.log.rows_of(user)
    pressed = rows.loc[rows["action"].isin(["dislike", "owned"]), "item"]
    kind, ranked = service.catalogue.kind, service.evidence(user).offered
    left = ranked[~np.isin(kind[ranked].astype(str), kind[pressed].astype(str))]
    return {"pick": int(left[0])} if len(left) else by_scores(service, user)


@dataclass(frozen=True)
class Reader:
    """A shopper with what products are worth to them, by the world's truth, at the end of the log."""

    world: World
    user: int

    @cached_property
    def state(self):
        """What they have bought; open wishes are given up, so that every kind counts."""
        rows = self.world.log.rows_of(self.user)
        state = state_of(self.world.shelf, rows, self.day)
        state.lapse(self.day + 10_000)
        return state

    @cached_property
    def day(self) -> int:
        return int(day_of(self.world.log.frame["timestamp"]).max())

    @cached_property
    def worth(self) -> np.ndarray:
        """(n_items,), in proportion to the probability of a choice."""
        drift = self.world.shelf.drift_day[self.user]
        period = "after" if 0 <= drift <= self.day else "before"
        return self.world.shelf.choice[period][self.user] * self.state.factor

    @cached_property
    def untouched(self) -> np.ndarray:
        """Products that could be offered before anything is pressed."""
        touched = self.world.log.rows_of(self.user)["item"]
        free = self.state.open.copy()
        free[touched.to_numpy()] = False
        return np.flatnonzero(free)

    def place(self, item: int, among: np.ndarray) -> float:
        """Share of the others that are worth less, ties half."""
        others = self.worth[among[among != item]]
        own = self.worth[item]
        return float(((others < own) + 0.5 * (others == own)).mean()) if len(others) else 1.0

    def content(self, item: int) -> bool:
        """Whether they would stop here."""
        return self.place(item, self.untouched) >= CONTENT

    def button(self, item: int) -> str:
        """The button that the truth suggests for a product they are not content with."""
        shelf = self.world.shelf
        kind = int(shelf.kind[item])
        if kind in self.state.bought and not shelf.again[kind]:
            return "owned"
        own = shelf.members[kind]
        cheaper = own[(shelf.price[own] < shelf.price[item]) & self.state.open[own]]
        better = (self.worth[cheaper] > self.worth[item]).any()
        return "budget" if better else "dislike"

    def measured(self, offers: Offers) -> dict[str, float]:
        """What a page is worth; a page without a pick is the worst one."""
        if "pick" not in offers:
            return dict.fromkeys(MEASURES, 0.0)
        pick, own = offers["pick"], self.world.shelf.members
        places = [self.place(item, self.untouched) for item in offers.values()]
        kind = self.place(pick, own[self.world.shelf.kind[pick]])
        content = float(self.content(pick))
        return dict(zip(MEASURES, (places[0], max(places), kind, content), strict=True))


Move = Callable[[Service, Reader, int, np.random.Generator], Service]
"""What a reader who is not content does about a pick."""


def suggested(service: Service, reader: Reader, pick: int, rng: np.random.Generator) -> Service:
    """The button that the truth suggests, on the pick."""
    return press(service, reader.user, reader.button(pick), pick)


def any_button(service: Service, reader: Reader, pick: int, rng: np.random.Generator) -> Service:
    """A random button, on the pick."""
    return press(service, reader.user, str(rng.choice(list(BUTTONS))), pick)


def any_product(service: Service, reader: Reader, pick: int, rng: np.random.Generator) -> Service:
    """The button that the truth suggests, on a random product that could be offered."""
    item = int(rng.choice(service.evidence(reader.user).ranked))
    return press(service, reader.user, reader.button(item), item)


def next_one(service: Service, reader: Reader, pick: int, rng: np.random.Generator) -> Service:
    """No press: the pick is put aside, and the next in the list comes."""
    return replace(service, tombstones=service.tombstones | {(reader.user, pick)})


def run(
    service: Service,
    reader: Reader,
    move: Move,
    agent: Agent = by_scores,
    stops: bool = True,
    seed: int = 0,
) -> Iterator[Offers]:
    """The pages before the first and after every press, `PRESSES` + 1 of them; `stops`: a content
    reader keeps the page."""
    rng = np.random.default_rng([seed, reader.user])
    for _ in range(PRESSES + 1):
        offers = agent(service, reader.user)
        yield offers
        pick = offers.get("pick")
        if pick is not None and not (stops and reader.content(pick)):
            service = move(service, reader, pick, rng)


def repeated(service: Service, reader: Reader, presses: list[tuple[str, int]]) -> Iterator[Offers]:
    """The pages after somebody else's presses, one after another."""
    for turn in range(PRESSES + 1):
        yield by_scores(service, reader.user)
        if turn < len(presses):
            service = press(service, reader.user, *presses[turn])


def presses_of(service: Service, reader: Reader) -> list[tuple[str, int]]:
    """What a reader would press, in order: who is content with a page presses nothing."""
    pages = list(run(service, reader, suggested))
    picks = [page["pick"] for page in pages[:-1] if "pick" in page]
    return [(reader.button(pick), pick) for pick in picks if not reader.content(pick)]


ARMS: dict[str, Callable[[Service, Reader], Iterator[Offers]]] = {
    "buttons": partial(run, move=suggested),
    "random button": partial(run, move=any_button),
    "random product": partial(run, move=any_product),
    "next, until content": partial(run, move=next_one),
    "next, always": partial(run, move=next_one, stops=False),
    "buttons, kind by kind": partial(run, move=suggested, agent=by_kinds),
}
OTHER = "another reader's presses"


def played(service: Service, readers: list[Reader]) -> tuple[pd.DataFrame, pd.Series]:
    """[arm, user, presses, measure, value], and how often each button was pressed."""
    rows, pressed = [], []
    theirs = [presses_of(service, reader) for reader in readers]
    for number, reader in enumerate(readers):
        arms = {name: arm(service, reader) for name, arm in ARMS.items()}
        arms[OTHER] = repeated(service, reader, theirs[number - 1])
        pressed += [button for button, _ in theirs[number]]
        for name, pages in arms.items():
            for turn, offers in enumerate(pages):
                values = reader.measured(offers).items()
                rows += [(name, reader.user, turn, measure, value) for measure, value in values]
    table = pd.DataFrame(rows, columns=["arm", "user", "presses", "measure", "value"])
    return table, pd.Series(pressed).value_counts()


def differences(table: pd.DataFrame) -> pd.DataFrame:
    """Buttons less every control after as many presses, and less the page before the first, paired
    by reader: [measure, presses, minus, estimate, low, high, n]."""
    within = ["measure", "presses"]
    turned = (
        -paired_bootstrap(table, "arm", within=within)
        .query("minus != ''")
        .set_index([*within, "arm"])[["estimate", "high", "low"]]
    )
    turned.columns = ["estimate", "low", "high"]
    parts = [turned.reset_index().rename(columns={"arm": "minus"})]
    own = table[table["arm"] == "buttons"].drop(columns="arm")
    gain = paired_bootstrap(own, "presses", within=["measure"]).query("minus == 0")
    parts.append(gain.assign(minus="no press")[["measure", "presses", "minus", *turned.columns]])
    return pd.concat(parts, ignore_index=True)


def numbers_of(table: pd.DataFrame, apart: pd.DataFrame) -> dict[str, float]:
    """The numbers that were predicted, by their names in `data/predictions.toml`."""
    means = table.groupby(["arm", "presses", "measure"])["value"].mean()
    last = apart[apart["presses"] == PRESSES].set_index(["measure", "minus"])["estimate"]
    first = apart[(apart["minus"] == "no press") & (apart["measure"] == "pick")]
    better = first.loc[first["low"] > 0, "presses"]
    return {
        "start_pick": means["buttons", 0, "pick"],
        "start_kind": means["buttons", 0, "kind"],
        "start_content": means["buttons", 0, "content"],
        "content_8": means["buttons", PRESSES, "content"],
        "first_better": float(better.min()) if len(better) else np.inf,
        "pick_8_minus_0": last["pick", "no press"],
        "page_8_minus_0": last["page", "no press"],
        "kind_8_minus_0": last["kind", "no press"],
        "pick_8_minus_next": last["pick", "next, until content"],
        "kind_8_minus_next": last["kind", "next, until content"],
        "pick_8_minus_random_button": last["pick", "random button"],
        "pick_8_minus_random_product": last["pick", "random product"],
        "pick_8_minus_next_always": last["pick", "next, always"],
        "pick_8_minus_other": last["pick", OTHER],
        "pick_8_minus_kind_by_kind": last["pick", "buttons, kind by kind"],
    }


def predicted() -> dict[str, list[float]]:
    """What was written before the run."""
    return written.expected("clicks")


def judged(numbers: dict[str, float]) -> pd.DataFrame:
    """Every prediction beside what was measured."""
    return written.judged(numbers, predicted(), "+.2f", "+.3f")


def page(world: World, table: pd.DataFrame, pressed: pd.Series) -> str:
    """The results as Markdown."""
    apart = differences(table)
    text = [
        "# How many presses until a page is better",
        "",
        "Made by `python benchmarks/clicks.py`.",
    ]
    text += ["", _about(world, table, pressed), "", _found(table, apart)]
    for measure, label in MEASURES.items():
        means = table[table["measure"] == measure].pivot_table(
            "value", "arm", "presses", sort=False
        )
        shown = means.map("{:.3f}".format).rename_axis(columns=None).reset_index()
        shown = shown.set_axis(["after … presses", *map(str, means.columns)], axis=1)
        text += ["", f"## {measure.capitalize()}: {label}", "", markdown(shown), ""]
        text += ["Buttons less …, paired by reader, with 95 % of resampled readers:", ""]
        text.append(markdown(_wide(apart[apart["measure"] == measure])))
    text += ["", "## What was predicted (`data/predictions.toml`, never changed)", ""]
    text += [markdown(judged(numbers_of(table, apart))), ""]
    return "\n".join(text)


def _about(world: World, table: pd.DataFrame, pressed: pd.Series) -> str:
    """How it was measured, in a paragraph."""
    counts = ", ".join(f"{name} {n:,}" for name, n in pressed.items())
    return (
        f"{world!r}. {table['user'].nunique()} simulated readers, none a spam account; EASE, products of "
        f"the log never offered again. Readers press on the pick until it is worth more to them than "
        f"{CONTENT:.0%} of what could be offered; what a product is worth is the world's own choice model. "
        f"Their presses: {counts}. A press masks (the product; after *cheaper, please* also all that "
        "cost as much, while anything costs less): nothing here learns from it. “next, until content” has the same "
        "stop and no button: what is left over it is what the buttons add. Generated readers are no people, and a "
        "reader who knows what everything is worth to them is the best case of a button."
    )


def _found(table: pd.DataFrame, apart: pd.DataFrame) -> str:
    """What the intervals say of the pick, in words."""
    own = table[(table["arm"] == "buttons") & (table["measure"] == "content")]
    turns = own[own["value"] == 1].groupby("user")["presses"].min()
    better = apart[(apart["measure"] == "pick") & (apart["minus"] == "no press")]
    first = better.loc[better["low"] > 0, "presses"].min()
    last = apart[(apart["measure"] == "pick") & (apart["presses"] == PRESSES)]
    words = {1: "better than", 0: "not to be told from", -1: "worse than"}
    sides = (last["low"] > 0).astype(int) - (last["high"] < 0).astype(int)
    said = [
        f"{words[side]} {', '.join(map('“{}”'.format, last.loc[sides == side, 'minus']))}"
        for side in (1, 0, -1)
        if (sides == side).any()
    ]
    share = len(turns) / own["user"].nunique()
    return (
        f"Content at last: {share:.1%} of the readers, half of them after {turns.median():.0f} presses "
        f"or fewer. The gain lies above 0 from press {first:.0f} on. After {PRESSES} presses the pick "
        f"of the buttons is {'; '.join(said)} (the interval decides)."
    )


def _wide(apart: pd.DataFrame) -> pd.DataFrame:
    """A line a control, a column for 1, 2, 4 and 8 presses."""
    some = apart[apart["presses"].isin([1, 2, 4, 8])]
    columns = ["estimate", "low", "high"]
    some = some.assign(**some[columns].round(3) + 0.0)  # no minus before a zero
    said = [f"{r.estimate:+.3f} [{r.low:+.3f}, {r.high:+.3f}]" for r in some.itertuples()]
    wide = some.assign(said=said).pivot_table("said", "minus", "presses", "first", sort=False)
    wide = wide.rename_axis(columns=None).reset_index()
    return wide.set_axis(["less", *map(str, wide.columns[1:])], axis=1)


def readers_of(world: World, n: int, seed: int = 0) -> list[Reader]:
    """`n` shoppers drawn from those with rows, spam accounts left out."""
    spam = world.truth["users"]["spam"].to_numpy()
    real = np.setdiff1d(world.log.frame["user"], np.flatnonzero(spam))
    drawn = np.random.default_rng(seed).permutation(real)[:n]
    return [Reader(world, int(user)) for user in np.sort(drawn)]


def main() -> None:
    """Measure, write the page, print it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shoppers", type=int, default=200)
    options = parser.parse_args()
    world = load_world()
    service = Service.build(world.log, world.catalogue, EASE(), stores=())
    table, pressed = played(service, readers_of(world, options.shoppers))
    table["value"] = table["value"].round(4)
    text = page(world, table, pressed)
    if options.shoppers == 200:
        table.to_csv(RESULTS / "clicks.csv", index=False, float_format="%.4f", lineterminator="\n")
        (RESULTS / "clicks.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
