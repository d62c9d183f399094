"""Which sections of real pages earn their place, by what simulated readers do who read them?

    python benchmarks/page_sections.py

Every shopper of the generated world gets their page, with all sections that can be said and no limit of words.
What a sentence tells is read from its text: which product or kind it names, and whether brand, price, rating and the
attribute of the product stand in it; a comparison (*it costs the most of the three shown*, *it costs less than* what
the page opens with) tells the pick's price or rating. A reader knows the name of the pick, how they like kinds, and
what they weigh; takes what looks best by what they were told: pick, another product that is offered, or any product
of a kind that is named; and gains its place among all products they may buy (1 the best, by the world's own choice
model), less that of the pick.
All 2⁹ pages are read. Two minutes. Writes `benchmarks/results/page_sections.csv` and `.md`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import predicted as written
from boomerang import RESULTS, markdown
from clicks import Reader, readers_of
from sections import SPREAD, USUAL

from workbench.data import load_world
from workbench.ledger import Service
from workbench.recommend import OwnActions
from workbench.reports import EntityStore, Evidence, make_claims
from workbench.reports.offers import BESIDE
from workbench.reports.page import Page, Said
from workbench.reports.recpilot import (
    Choice,
    Differences,
    Experience,
    Outside,
    Rubric,
    agent,
    section_values,
    value_of,
)
from workbench.reports.recpilot._odds import free_of
from workbench.reports.statements import item_code
from workbench.statistics import bootstrap_mean
from workbench.worlds.shop import World
from workbench.worlds.shop.shop import levels_of, wide
from workbench.worlds.shop.shoppers import ATTRIBUTE, STRENGTH

PARTS = {"intent": "intent", "pick": "pick", "reason": "reason", "told": "reason", "table": "table"}
PARTS |= {"instead": "reason"}
PARTS |= {"against": "against", "left": "against", "else": "else", "outside": "outside"}
PARTS |= {"differs": "differs", "basis": "unknown", "unsaid": "unknown"}
"""The section that each part of the page is counted in."""
SECTIONS = tuple(dict.fromkeys(PARTS.values()))
NEW = ("outside", "differs")
OTHERS = ("random", "usual")
KIND, BRAND, PRICE, RATING, SHOWN = range(5)
TOLD_AGAINST = {"dearest": [PRICE], "lowest rated": [RATING]}
"""What a comparison tells; any other tells both."""
TOLD_INSTEAD = {"outdone": [PRICE, RATING], "cheaper": [PRICE], "better rated": [RATING]}
"""What it tells of the pick why the pick is another; any other reason tells nothing of it."""


def facts_of(world: World) -> np.ndarray:
    """What each fact of each product is worth to each shopper, within its kind (mean 0),
    (n_shoppers, n_items, 5); that of the kind is the reader's own, see `Truth`."""
    shelf, truth = world.shelf, world.truth
    n, items = len(shelf.weights), len(world.catalogue)
    w_price, w_quality, w_brand, _ = shelf.weights.T
    facts = np.zeros((n, items, 5))
    facts[:, :, BRAND] = STRENGTH * 1.5 * w_brand[:, None] * shelf.affinity[:, shelf.house]
    facts[:, :, PRICE] = STRENGTH * w_price[:, None] * -truth["items"]["price_z"].to_numpy()
    seen = (world.catalogue.rating - USUAL) / SPREAD
    facts[:, :, RATING] = STRENGTH * w_quality[:, None] * seen
    # of the attributes those that stand on the page
    table = truth["item_attributes"]
    names = truth["attributes"]["attribute"].tolist()
    shown = np.zeros((items, len(names)), dtype=bool)
    own = table[table["where"] == "page"]
    shown[own["item"], [names.index(name) for name in own["attribute"]]] = True
    liking = wide(truth["attribute_weights"], "weight", n)
    facts[:, :, SHOWN] = ATTRIBUTE * liking @ np.where(shown, levels_of(truth), 0.0).T
    for members in shelf.members:
        facts[:, members] -= facts[:, members].mean(axis=1, keepdims=True)
    return facts


def worth_of(reader: Reader) -> tuple[np.ndarray, np.ndarray]:
    """The place of every product among those that may be bought, and how the reader likes each kind:
    the log of what its products are worth in the mean."""
    worth, free = reader.worth, np.flatnonzero(reader.state.open)
    below = np.searchsorted(np.sort(worth[free]), worth, side="left")
    upto = np.searchsorted(np.sort(worth[free]), worth, side="right")
    members = reader.world.shelf.members
    liked = np.array([np.log(worth[own].mean() + 1e-9) for own in members])
    return (below + upto) / (2 * len(free)), liked


def choice_of(
    reader: Reader, evidence: Evidence, said: list[Said], facts: np.ndarray, line: int | None = None
) -> Choice:
    """What a reader chooses among: products first, the pick before all, then kinds that are named.
    line: the product outside the usual, where it is another than the page says."""
    shelf, kinds = reader.world.shelf, reader.world.shelf.kinds
    place, liked = worth_of(reader)
    pick = evidence.offers["pick"]
    beside = [evidence.offers[role] for role in BESIDE if role in evidence.offers]
    claims = {claim.claim: claim for claim in evidence_claims(evidence)}
    hints = [item_code(claims[one.claims[0]].object) for one in said if one.part == "outside"]
    if line is not None:
        hints, name = [line], page_of(evidence).say.item(line)
        said = [one._replace(text=name) if one.part == "outside" else one for one in said]
    # what is named with its price for whoever is after something else
    else_ = [claims[own] for one in said if one.part == "else" for own in one.claims]
    others = [item_code(claim.subject) for claim in else_ if claim.kind == "row"]
    items = list(dict.fromkeys([pick, *beside, *others, *hints]))
    named = [claims[one.claims[0]].object for one in said if one.part in ("intent", "else")]
    places = [kinds.index(name) for name in dict.fromkeys(named) if name in kinds]
    places = [kind for kind in places if kind != shelf.kind[pick]]
    # what is told, by section
    believed = np.zeros((len(items) + len(places), 5))
    believed[: len(items)] = facts[reader.user, items]
    believed[:, KIND] = liked[[*shelf.kind[items], *places]]
    tells = {name: np.zeros(believed.shape, dtype=bool) for name in SECTIONS}
    for one in said:
        told = tells[PARTS[one.part]]
        told[: len(items)] |= read(one, items, evidence)
        if one.part == "against":
            told[0, TOLD_AGAINST.get(claims[one.claims[0]].relation, [PRICE, RATING])] = True
        for why in (claims[own] for own in one.claims):
            if why.kind == "instead":
                told[0, TOLD_INSTEAD.get(why.relation, [])] = True
        if one.part in ("intent", "else"):
            told[len(items) :, KIND] |= [kinds[kind] in one.text for kind in places]
    known = np.zeros(believed.shape, dtype=bool)
    known[0, [KIND, SHOWN]] = True
    worth = [*place[items], *(place[shelf.members[kind]].mean() for kind in places)]
    return Choice(believed, np.array(worth), tells, known)


def page_of(evidence: Evidence) -> Page:
    """The page, its claims made once."""
    return Page(evidence_claims(evidence), vars(evidence)["_claims"][1], evidence)


def evidence_claims(evidence: Evidence) -> list:
    """The claims of a page, made once."""
    if "_claims" not in vars(evidence):
        vars(evidence)["_claims"] = make_claims(evidence, ranges=False)
    return vars(evidence)["_claims"][0]


def read(one: Said, items: list[int], evidence: Evidence) -> np.ndarray:
    """Which facts of which products stand in a sentence, (items, 5)."""
    page = page_of(evidence)
    frame, rating = evidence.catalogue.frame, evidence.catalogue.rating
    told = np.zeros((len(items), 5), dtype=bool)
    for row, item in enumerate(items):
        name, text = page.say.item(item).strip("“”"), one.text
        about = name in text or page.say.title(item) in text
        # a reason speaks of the pick without its name
        if not about and (row or one.part != "reason"):
            continue
        shown = str(frame["details"].iat[item]).partition(": ")[2]
        own = (f"rated {rating[item]:.1f}", f"| {rating[item]:.1f} |")
        told[row] = (
            about,
            str(frame["brand"].iat[item]) in text,
            f"{evidence.price[item]:.2f}" in text,
            any(words in text for words in own),
            bool(shown) and shown in text,
        )
    return told


def others_of(store: Outside, evidence: Evidence) -> dict[str, int]:
    """Products to stand where the line stands: one drawn from the same choice, and the best-scored
    untouched product of the usual."""
    history = store.log.histories([evidence.user])
    free = free_of(history, store.catalogue, store.config)[0] & ~evidence.silent
    usual = ~free & ~evidence.silent & (history.matrix().toarray()[0] == 0)
    usual[list(evidence.offers.values())] = False
    rng = np.random.default_rng([2, evidence.user])
    best = np.where(usual, store.model.score(history)[0], -np.inf).argmax()
    return {"random": int(rng.choice(np.flatnonzero(free))), "usual": int(best)}


def choices(world: World, n: int = 400) -> tuple[list[Choice], pd.DataFrame, pd.DataFrame]:
    """The choices of all whose page has a pick; which sections their pages hold; and for those with a
    line what it gains, and another product in its place: [reader, line, random, usual]."""
    stores = (EntityStore, Rubric, Experience, Differences, Outside)
    service = Service.build(world.log, world.catalogue, OwnActions(), stores=stores, agent=agent)
    facts, made, held, lines = facts_of(world), [], [], []
    without = [name for name in SECTIONS if name != "outside"]
    for reader in readers_of(world, n):
        evidence = service.evidence(reader.user)
        if "pick" not in evidence.offers:
            continue
        said = page_of(evidence).sentences()
        choice = choice_of(reader, evidence, said, facts)
        held.append({PARTS[one.part]: True for one in said})
        if "outside" in held[-1]:
            gains = {"line": choice}
            for name, item in others_of(service.stores["outside"], evidence).items():
                gains[name] = choice_of(reader, evidence, said, facts, item)
            row = {name: one.gain(SECTIONS) - one.gain(without) for name, one in gains.items()}
            lines.append({"reader": len(made), **row})
        made.append(choice)
    return made, pd.DataFrame(held).reindex(columns=SECTIONS).notna(), pd.DataFrame(lines)


def numbers_of(table: pd.DataFrame, lines: pd.DataFrame) -> dict[str, float]:
    """The numbers that were predicted."""
    means = table.groupby("section")[["left_out", "shapley"]].mean()
    told = {f"shapley_{name}": means.loc[name, "shapley"] for name in SECTIONS}
    told |= {f"left_out_{name}": means.loc[name, "left_out"] for name in SECTIONS}
    told |= {"whole": table.groupby("reader")["shapley"].sum().mean()}
    told |= {name: lines[name].mean() for name in ("line", "random", "usual")}
    return told | {f"line_minus_{name}": (lines["line"] - lines[name]).mean() for name in OTHERS}


def judged(table: pd.DataFrame, lines: pd.DataFrame) -> pd.DataFrame:
    """Every prediction beside what was measured."""
    numbers = {name: round(value, 6) for name, value in numbers_of(table, lines).items()}
    ranges = written.expected("page_sections", "page_sections_line")
    return written.judged(numbers, ranges, "+.3f", "+.4f")


def lines_of(lines: pd.DataFrame) -> pd.DataFrame:
    """What the line gains, and other products in its place, with intervals."""
    values = {name: lines[name] for name in ("line", *OTHERS)}
    values |= {f"line less {name}": lines["line"] - lines[name] for name in OTHERS}
    rows = []
    for name, own in values.items():
        cell = "{:+.4f} [{:+.4f}, {:+.4f}]".format(*bootstrap_mean(own.to_numpy(), shares=False))
        rows.append({"in the place of the line": name, "readers": len(own), "gained": cell})
    return pd.DataFrame(rows)


def values_of(table: pd.DataFrame) -> pd.DataFrame:
    """A row a section: on how many pages it stands, both values with intervals, whether it earns."""
    rows = []
    for name, own in table.groupby("section", sort=False):
        cells = {"section": name, "pages": int(own["held"].sum())}
        for column in ("shapley", "left_out"):
            estimate, low, high = bootstrap_mean(own[column].to_numpy(), shares=False)
            cells[column.replace("_", " ")] = f"{estimate:+.4f} [{low:+.4f}, {high:+.4f}]"
            if column == "shapley":
                earns = round(low, 4) > 0
                cells["earns"] = "yes" if earns else "costs" if round(high, 4) < 0 else "no"
        rows.append(cells)
    columns = ["section", "pages", "shapley", "left out", "earns"]
    return pd.DataFrame(rows)[columns].replace({r"([+-])0\.0000": "0.0000"}, regex=True)


def page(world: World, table: pd.DataFrame, lines: pd.DataFrame) -> str:
    """The results as Markdown."""
    total = table.groupby("reader")["shapley"].sum().to_numpy()
    whole = bootstrap_mean(total, shares=False)
    verdicts = judged(table, lines)
    misses = verdicts.loc[verdicts["verdict"] != "as predicted", "number"].tolist()
    text = ["# Which sections of real pages earn their place", ""]
    text += ["Made by `python benchmarks/page_sections.py`.", "", _about(world, table), ""]
    text += [markdown(values_of(table)), ""]
    text += [
        f"The whole page: {whole[0]:+.4f} [{whole[1]:+.4f}, {whole[2]:+.4f}]. {(total > 0).mean():.0%} of the readers "
        f"leave the pick for something better, {(total < 0).mean():.0%} for something worse.",
        "",
        _verdict(table),
        "",
        "## The line outside the usual, and other products in its place",
        "",
        "The whole page less the page without the line. *random*: a product drawn from the same choice; *usual*: the "
        "best-scored untouched product of the shopper's usual categories.",
        "",
        markdown(lines_of(lines)),
        "",
        "A named product is one more chance to leave the pick. That it is *this* product adds nothing that can be told "
        "from zero, though it is looked at later nearly three times as often (`outside.md`).",
        "",
        "## What was predicted (`data/predictions.toml`, never changed)",
        "",
        markdown(verdicts),
        "",
        f"Missed: {', '.join(misses) or 'none'}.",
        "",
    ]
    return "\n".join(text)


def _verdict(table: pd.DataFrame) -> str:
    values = values_of(table).set_index("section")["earns"]
    earns = [name for name in SECTIONS if values[name] == "yes"]
    new = [f"*{name}*: {values[name]}" for name in NEW]
    return (
        f"What earns its place by this reader: {', '.join(earns) or 'nothing'}. The two new sections: "
        f"{', '.join(new)}. Both are options: stores that are handed in (`Outside`, `Differences`), on no page "
        "by default; where words are short what earns least goes first. *unknown* and *against* stay without earning: "
        "what is not known, and what speaks against the pick, is not there to move anybody."
    )


def start_of(table: pd.DataFrame) -> str:
    """Where the pick stands, in the mean over readers."""
    return f"{table.groupby('reader')['start'].first().mean():.3f}"


def _about(world: World, table: pd.DataFrame) -> str:
    return (
        f"{world!r}. {table['reader'].nunique()} simulated readers, all whose page has a pick; own actions with "
        f"EASE, the agent's choice. The pick stands at {start_of(table)} of all products that the reader may buy (1 "
        "the best). Unit: that place, gained; 95 % of resampled readers. A reader reads correctly, knows their own "
        "taste and believes a rating. *reason* holds what rubric and experience tell; *differs* and *unknown* name no "
        "product, so that they earn nothing here by how this reader was made: it says nothing about trust, or "
        "about curiosity."
    )


def main() -> None:
    """Measure, write the page, print it."""
    world = load_world()
    made, held, lines = choices(world)
    table = section_values(value_of(made), SECTIONS)
    table["held"] = [held[one.section].iat[one.reader] for one in table.itertuples()]
    table["start"] = [made[reader].worth[0] for reader in table["reader"]]
    table.round(6).to_csv(RESULTS / "page_sections.csv", index=False, lineterminator="\n")
    lines.round(6).to_csv(RESULTS / "page_sections_line.csv", index=False, lineterminator="\n")
    text = page(world, table.round(6), lines.round(6))
    (RESULTS / "page_sections.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
