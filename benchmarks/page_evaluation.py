"""What a page is worth, beside the same template filled from another shopper and from popular products.

    python benchmarks/page_evaluation.py [--shoppers 200] [--endpoint URL --model NAME]

For each shopper three pages (`workbench.reports.evaluation.sources`), and of each: claims and citations
held against the rows that filled it and against the shopper's own; which sentences go without the rows
under them, and stay with them alone, beside as many other rows; what of the purchases of the next three
visits it covers; whether its pick is bought or liked there, beside a forecast made of its score on the
three visits before. Judges by rule choose between pages; a model does where an endpoint is named. Ten
minutes on one core; resumes. Writes `benchmarks/results/page_evaluation.csv` and `.md`.
"""

from __future__ import annotations

import argparse
import tomllib
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import pandas as pd
import predicted
from boomerang import RESULTS, markdown
from pydantic import BaseModel, ConfigDict

from workbench.data import load_world
from workbench.ledger import Service
from workbench.recommend import OwnActions
from workbench.reports import EntityStore, Report, evaluation, judges, write
from workbench.reports.recpilot import agent
from workbench.runs import run
from workbench.settings import settings
from workbench.statistics import paired_bootstrap

VISITS, FEWEST = 3, 9
"""Visits that are held out, and that a shopper must have."""
LOOKED_AT = 24
"""Shoppers seen before the predictions were written: drawn with seed 0, left out."""
ACTIONS = ("favourite", "cart", "purchase")
NAMES = {"this shopper": "own", "another shopper": "other", "popular products": "popular"}
MEASURES = {
    "claim precision": "claims that hold on the shopper's own rows",
    "citation precision": "cited rows that carry the claim there",
    "citation recall": "rows that carry a claim that holds there, cited",
    "filled": "claims that hold on the rows that filled the page",
    "goes": "sentences that go without the rows under the page",
    "goes_other": "… without as many other rows",
    "stays": "sentences that stay with these rows alone",
    "stays_other": "… with as many other rows alone",
    "product": "products bought later that the page offers",
    "kind": "… whose kind it offers, or is after",
    "category": "… whose category it offers",
    "brand": "… whose brand it offers",
    "bought": "pick bought within three visits",
    "liked": "pick kept, put into the cart or bought within three visits",
}


class Cell(BaseModel):
    """A shopper, and who fills the second page."""

    model_config = ConfigDict(frozen=True)
    user: int
    other: int


@cache
def world():
    """The shipped world."""
    return load_world()


@cache
def service(left: int = 0) -> Service:
    """The shop without the last visits of everybody, so many each."""
    log = world().log
    ago = log.frame.groupby("user")["session"].transform(_visits_ago)
    return Service.build(
        log.select(ago.to_numpy() >= left),
        world().catalogue,
        OwnActions(),
        (EntityStore,),
        agent=agent,
    )


def _visits_ago(sessions: pd.Series) -> np.ndarray:
    """For each row of one shopper how many visits lie after it."""
    names = sessions.drop_duplicates(keep="last").tolist()
    return sessions.map({name: len(names) - 1 - n for n, name in enumerate(names)})


def later(user: int, left: int) -> pd.DataFrame:
    """What a shopper did in the three visits after those that a service with so many left out knows."""
    rows = world().log.rows_of(user)
    ago = _visits_ago(rows["session"])
    return rows[(ago < left) & (ago >= left - VISITS)]


def measured(cell: Cell) -> pd.DataFrame:
    """[source, measure, value] of one shopper."""
    found = []
    evidence = service().evidence(cell.user)
    for source, made in evaluation.sources(evidence, cell.other, agent).items():
        page = write(made, ranges=False)
        values = evaluation.precision(evaluation.held_against(page, evidence))
        values["filled"] = evaluation.precision(evaluation.held_against(page, made))[
            "claim precision"
        ]
        last = evaluation.deletion(page, made, agent, seed=cell.user, each=False).iloc[-1]
        values |= last[["goes", "goes_other", "stays", "stays_other"]].to_dict()
        found += [(source, name, float(value)) for name, value in values.items()]
    # the future: pages from what was known before, twice three visits ago to learn, three to ask
    for left, when in ((2 * VISITS, "early "), (VISITS, "")):
        known = service(left).evidence(cell.user)
        after = later(cell.user, left)
        bought = after.loc[after["action"] == "purchase", "item"].unique()
        liked = after.loc[after["action"].isin(ACTIONS), "item"].unique()
        for source, made in evaluation.sources(known, cell.other, agent).items():
            page = write(made, ranges=False)
            pick = evaluation.offers_of(page)["pick"]
            values = evaluation.coverage(page, made, bought)
            values |= {"bought": pick in bought, "liked": pick in liked}
            values["score"] = made.scores[pick]
            found += [(source, when + name, float(value)) for name, value in values.items()]
    return pd.DataFrame(found, columns=["source", "measure", "value"])


def people(n: int) -> list[Cell]:
    """Shoppers with enough visits, no spam accounts, none looked at before; each with another."""
    log = world().log
    visits = log.frame.groupby("user")["session"].nunique()
    fit = visits.index[(visits >= FEWEST)].to_numpy()
    fit = fit[~world().truth["users"]["spam"].to_numpy()[fit]]
    looked = np.random.default_rng(0).permutation(log.n_users)[:LOOKED_AT]
    drawn = np.random.default_rng(1).permutation(np.setdiff1d(fit, looked))[:n].tolist()
    others = np.roll(drawn, 1).tolist()
    return [Cell(user=u, other=o) for u, o in zip(drawn, others, strict=True)]


def forecasts(table: pd.DataFrame) -> pd.DataFrame:
    """Each source's pick: what was forecast and what came, [source, event, what, estimate, …]."""
    wide = table.pivot(index="user", columns=["source", "measure"], values="value")
    own, parts = wide["this shopper"], []
    for event in ("bought", "liked"):
        early = own[f"early {event}"]
        for source in NAMES:
            part = wide[source]
            chances = evaluation.forecast(own["early score"], early, part["score"])
            told = evaluation.calibration(chances, part[event], early.mean())
            parts.append(told.assign(source=source, event=event))
    return pd.concat(parts, ignore_index=True)


class Told(NamedTuple):
    """What judges are shown of one shopper: the last visits, and the three pages by source."""

    user: int
    visits: str
    pages: dict[str, Report]


def told_of(cell: Cell) -> Told:
    """The three pages of one shopper, from all that the shop knows."""
    made = evaluation.sources(service().evidence(cell.user), cell.other, agent)
    pages = {NAMES[source]: write(one, ranges=False) for source, one in made.items()}
    return Told(cell.user, judges.last_visits(service().evidence(cell.user)), pages)


def questions(told: list[Told]) -> dict[str, list[judges.Pair]]:
    """Own page before another, as long as each other, visits shown or not."""
    asked: dict[str, list[judges.Pair]] = {}
    for one in told:
        for name in ("other", "popular"):
            texts = judges.even(one.pages["own"].text, one.pages[name].text)
            pages = dict(zip(("own", name), texts, strict=True))
            for how, visits in (("shown", one.visits), ("hidden", "")):
                pair = judges.Pair(str(one.user), pages, visits)
                asked.setdefault(f"own before {name}, visits {how}", []).append(pair)
    return asked


def judged(told: list[Told], model: judges.ModelJudge | None = None) -> pd.DataFrame:
    """[judge, question, share, low, high, n, verdict]; a model is asked of the first fifty."""
    by_rule = (judges.reads_visits, judges.longer, judges.first, judges.more_cited)
    rows = []
    for judge, some in [*((rule, told) for rule in by_rule), *[(model, told[:50])] * bool(model)]:
        own = [(one.visits, one.pages["own"]) for one in some]
        lines = [
            {"question": question} | judges.preferred(judges.ask(judge, pairs), "own")
            for question, pairs in questions(some).items()
        ]
        swap = judges.swap_test(judge, [(visits, page.text) for visits, page in own])
        lines += swap.assign(question="swap test, " + swap.pop("shown")).to_dict("records")
        liked = judges.audit(judge, own)
        lines += liked.assign(question="likes: " + liked.pop("control")).to_dict("records")
        name = getattr(judge, "__name__", type(judge).__name__)
        rows += [{"judge": name} | line for line in lines]
    return pd.DataFrame(rows)


def shares(table: pd.DataFrame) -> pd.DataFrame:
    """[measure, source, minus, estimate, low, high, n] of every measure of a page."""
    own = table[table["measure"].isin([*MEASURES])]
    return paired_bootstrap(own, "source", within=["measure"])


def numbers(rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Every number that was predicted, from the rows of the committed table."""
    rows = rows.assign(minus=rows["minus"].fillna(""))
    means = rows[rows["part"] == "page"].set_index(["measure", "source", "minus"])["estimate"]
    told = rows[rows["part"] == "forecast"].set_index(["event", "source", "measure"])["estimate"]
    rule = rows[rows["judge"] == "reads_visits"].set_index("measure")["estimate"]
    found: dict[str, dict[str, float]] = {name: {} for name in ("held", "deletion", "coverage")}
    for source, name in NAMES.items():
        for measure in ("claim precision", "citation precision"):
            found["held"][f"{measure.replace(' ', '_')}_{name}"] = means[measure, source, ""]
        found["held"][f"passes_own_rows_{name}"] = means["filled", source, ""]
        for measure in ("kind", "product"):
            found["coverage"][f"{measure}_{name}"] = means[measure, source, ""]
    own, other, popular = NAMES
    acts = ("goes", "goes_other", "stays", "stays_other")
    found["deletion"] = {name: means[name, own, ""] for name in acts}
    found["deletion"]["goes_popular_minus_own"] = means["goes", popular, own]
    happened = {f"bought_{NAMES[one]}": told["bought", one, "happened"] for one in NAMES}
    happened["liked_own"] = told["liked", own, "happened"]
    gained = {f"gained_{NAMES[one]}": told["bought", one, "gained"] for one in (own, other)}
    found["forecast"] = happened | gained
    asked = {f"{one}_shown": f"own before {one}, visits shown" for one in ("other", "popular")}
    asked |= {
        "other_hidden": "own before other, visits hidden",
        "swap_follows": "swap test, follows",
    }
    found["judge"] = {name: rule[question] for name, question in asked.items()}
    return found


def verdicts(rows: pd.DataFrame) -> pd.DataFrame:
    """Every prediction beside what was measured."""
    path = settings().data / "predictions.toml"
    expected = tomllib.loads(path.read_text(encoding="utf-8"))["page_evaluation"]
    parts = []
    for part, values in numbers(rows).items():
        found = {name: round(value, 3) for name, value in values.items()}
        lines = predicted.judged(found, expected[part], "g", ".3f")
        parts.append(lines.assign(number=f"{part}: " + lines["number"]))
    return pd.concat(parts, ignore_index=True)


def _cell(row, digits: int = 2, sign: str = "") -> str:
    form = f"{sign}.{digits}f"
    return f"{row['estimate']:{form}} [{row['low']:{form}}, {row['high']:{form}}]"


def page(table: pd.DataFrame, chances: pd.DataFrame, asked: pd.DataFrame, rows) -> str:
    """The results as Markdown."""
    means = shares(table)
    plain = means[means["minus"] == ""].assign(text=lambda t: t.apply(_cell, axis=1))
    first = plain.pivot(index="measure", columns="source", values="text").loc[[*MEASURES]]
    first = first[[*NAMES]].rename(index=MEASURES).reset_index()
    first["n"] = (
        plain[plain["source"] == "this shopper"]
        .set_index("measure")["n"]
        .loc[[*MEASURES]]
        .to_numpy()
    )
    told = chances.assign(text=chances.apply(partial(_cell, digits=3), axis=1))
    second = told.pivot(index=["event", "source"], columns="what", values="text")
    order = ["forecast", "happened", "Brier", "Brier of the base rate", "gained"]
    second = second[order].reset_index()
    third = asked.rename(columns={"share": "estimate"})
    third = third.assign(text=third.apply(_cell, axis=1))
    third = third.pivot(index="question", columns="judge", values="text")
    third = third.loc[asked["question"].drop_duplicates(), asked["judge"].drop_duplicates()]
    n = table["user"].nunique()
    parts = [
        "# What a page is worth, and what anybody could be told",
        "Made by `python benchmarks/page_evaluation.py`.",
        f"{world()!r}. {n} shoppers with {FEWEST} visits or more, drawn, none of those seen before the "
        "predictions were written. EASE + own actions, the agent of "
        "`workbench/reports/recpilot/agent.py`, the stored profile. One template, filled from the shopper's "
        "own rows, from another shopper's, and from the own with popular products in them. Means over "
        "shoppers with 95 % intervals (bootstrap; shares of yes and no: Wilson); the last column is for the "
        "shopper's own page: of purchases, shoppers who bought anything. Rows under a page: the heaviest "
        "that carry half of each claim but the one that counts them. A template is true of the rows that "
        "filled it: that line is a test.",
        markdown(first),
        "## Does what it offers happen?",
        "The pick within the next three visits. The forecast is a curve of the pick's score, learnt on the "
        "own pages three visits earlier; the base rate is the share of that time; gained: Brier score of the "
        "base rate less that of the forecast.",
        markdown(second),
        "## Judges",
        "Shares over shoppers, both orders, ties one half; both pages broken off after as many words. One "
        "half says nothing. By rule: *reads_visits* takes the page whose opening shares more words with the "
        "last three visits; the other three like what is no finding, and are there to be found out. No "
        "language model was asked.",
        markdown(third.reset_index()),
        "## What was predicted (`data/predictions.toml`, never changed)",
        markdown(verdicts(rows)),
    ]
    text = "\n\n".join(parts) + "\n"
    if set(asked["judge"]) - {"reads_visits", "longer", "first", "more_cited"}:
        text = text.replace(" No language model was asked.", "")
    return text


def main() -> None:
    """Measure, write, print."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--shoppers", type=int, default=200)
    asked.add_argument("--jobs", type=int, default=1)
    asked.add_argument("--endpoint", help="a server of the OpenAI kind, as a further judge")
    asked.add_argument("--model", default="")
    given = asked.parse_args()
    model = None
    if given.endpoint:
        from workbench.language import Chat, Endpoint

        model = judges.ModelJudge(Chat(Endpoint(given.endpoint, given.model)))
    cells = people(given.shoppers)
    folder = settings().runs / "page_evaluation"
    facts = {"data": world().log.fingerprint, "n_jobs": given.jobs, "progress": True}
    found = run(cells, measured, folder, **facts)
    table = found.drop(columns=["run", "other"])
    chances, told = forecasts(table), judged([*map(told_of, cells)], model)
    rows = shares(table).assign(part="page")
    more = chances.rename(columns={"what": "measure"}).assign(part="forecast")
    last = told.rename(columns={"question": "measure", "share": "estimate"}).assign(part="judge")
    rows = pd.concat([rows, more, last]).round(4)
    text = page(table, chances, told, rows)
    order = ["part", "judge", "event", "measure", "source", "minus", "estimate", "low", "high", "n"]
    path = RESULTS / "page_evaluation.csv"
    rows[[*order, "verdict"]].to_csv(path, index=False, lineterminator="\n")
    (RESULTS / "page_evaluation.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
