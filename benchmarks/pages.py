"""Are the pages worth reading? What 200 shoppers' pages say, counted.

    python benchmarks/pages.py [--size tiny laptop] [--shoppers 200] [--print 0]

Every count reads the page's text and holds it against the log and the catalogue, not against the
claims it was made from; that the claims hold is asked of `check`. Without and with topics left
unsaid: those all of whose products a list of `data/sensitive/` names. `--print N` prints N of the
pages. A minute on one core for tiny, five for laptop. Writes `benchmarks/results/pages.csv` and
`.md`.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter

import numpy as np
import pandas as pd
from boomerang import RESULTS, markdown

from workbench.data import find_sensitive, generate, load_world
from workbench.ledger import Service
from workbench.recommend import EASE
from workbench.reports import Report, check, count_words
from workbench.reports.recpilot import agent
from workbench.statistics import wilson
from workbench.views.served import unnamed
from workbench.worlds.shop import World, sized

VERBS = {"bought": "purchase", "kept": "favourite", "left": "cart"}
VERBS |= {"came back to": "view", "looked at": "view"}
UNITS = r"price [\d.,]+|rated \d\.\d|[\d,]+ (things|visits|people)|\d+ [A-Z][a-z]+( \d{4})?"
MOST = 25  # words of a sentence
GOALS = {
    "substitute of another kind": "0 %",
    "cheaper one shown where there is one": "≥ 95 %",
    "better rated one shown where there is one": "≥ 95 %",
    "page with a reason, of those with a purchase": "≥ 90 %",
    "reason names a deed": "≥ 90 %",
    "reason is not so by the log": "0 %",
    "page with a number without a unit": "0 %",
    "page with a share or a percentage": "0 %",
    "page that names a sensitive topic": "0 % left unsaid",
    "sentence of more than 25 words": "< 5 %",
    "claim that does not hold when executed again": "0 %",
}


class Reader:
    """Reads pages as text, and looks things up in the log and the catalogue."""

    def __init__(self, world: World, sensitive: np.ndarray) -> None:
        self.log = world.log
        self.frame = world.catalogue.frame
        self.sensitive = sensitive
        frame = self.frame.loc[sensitive]
        self.topics = unnamed(world.catalogue, "generated-world")
        both = zip(self.frame["title"], self.frame["brand"], strict=True)
        self.titles = [(title, title.removeprefix(f"{brand} ")) for title, brand in both]
        self.usual = self.again()
        self.names = [*self.topics, *frame["kind"].unique(), *frame["title"]]

    def item(self, text: str) -> int:
        """The product of a title as the page writes it: cut, or without its maker."""
        start = text.removesuffix(" …")
        found = (full.startswith(start) or bare.startswith(start) for full, bare in self.titles)
        return next(item for item, fits in enumerate(found) if fits)

    def count(self, user: int, report: Report) -> Counter:
        """What is counted of one page: name → how often, and (name, "of") → of how many."""
        found: Counter = Counter()
        for part in (self.table, self.reason, self.numbers, self.sentences):
            for name, hit in part(user, report.text):
                found[name] += hit
                found[name, "of"] += 1
        return found

    def table(self, user: int, text: str) -> list[tuple[str, bool]]:
        """The substitutes of the table."""
        rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
        rows = [[cell.strip() for cell in row] for row in rows]
        shown = {row[0]: self.item(row[1]) for row in rows[1:] if not row[1].startswith("none of")}
        if "our pick" not in shown:
            return []
        frame = self.frame
        pick = shown.pop("our pick")
        others = list(shown.values())
        told = [
            ("substitute of another kind", frame["kind"][i] != frame["kind"][pick]) for i in others
        ]
        # what may be offered: of the kind, not had, nothing sensitive
        alike = frame[frame["kind"] == frame["kind"][pick]].drop(index=[pick])
        alike = alike.drop(index=alike.index.intersection(self.had(user)))
        alike = alike.drop(index=alike.index.intersection(self.sensitive))
        for name, column, sign in (("cheaper", "price", -1), ("better rated", "rating", 1)):
            better = sign * (frame[column] - frame[column][pick]) > 0
            if better[alike.index].any():
                told.append((f"{name} one shown where there is one", better[others].any()))
        return told

    def had(self, user: int) -> list[int]:
        """What they bought, but for kinds that people buy again and of which it is time for
        more."""
        own = self.log.rows_of(user)
        bought = own[own["action"] == "purchase"]
        kinds = self.frame["kind"].to_numpy()[bought["item"]]
        latest = bought["timestamp"].dt.floor("D").groupby(kinds).max()
        since = (own["timestamp"].max().floor("D") - latest).dt.days
        due = {kind for kind, days in since.items() if days >= self.usual.get(kind, np.inf)}
        # what they put into the cart since they want again
        had = bought.loc[~np.isin(kinds, list(due))].groupby("item")["position"].max()
        put = own[own["action"] == "cart"].groupby("item")["position"].max()
        return had.index[~(put.reindex(had.index) > had)].tolist()

    def again(self) -> dict[str, float]:
        """Days between purchases that nine in ten waited, of the kinds that half of their buyers, and
        five, bought in two visits."""
        bought = self.log.frame[self.log.frame["action"] == "purchase"]
        bought = bought.assign(kind=self.frame["kind"].to_numpy()[bought["item"]])
        usual = {}
        for kind, rows in bought.groupby("kind"):
            visits = [own.drop_duplicates("session") for _, own in rows.groupby("user")]
            twice = [own["timestamp"].dt.floor("D") for own in visits if len(own) > 1]
            if len(twice) >= max(5, len(visits) / 2):
                usual[kind] = float(
                    np.quantile(pd.concat([own.diff().dt.days for own in twice]).dropna(), 0.1)
                )
        return usual

    def reason(self, user: int, text: str) -> list[tuple[str, bool]]:
        """The reason, and whether the log says so."""
        own = self.log.rows_of(user)
        after = text.partition("## Our pick")[2].partition("\n|")[0].partition("##")[0]
        found = re.search(rf"(?<=\. )You ({'|'.join(VERBS)}) (“.+?”|it)(?=[ ,;.])", after)
        told = []
        if (own["action"] == "purchase").any():
            told.append(("page with a reason, of those with a purchase", found is not None))
        if found is None:
            return told
        verb = found[1].strip()
        named = found[2] if found[2] != "it" else re.search(r"“.+?”", after)[0]
        rows = own[own["item"] == self.item(named.strip("“”"))]
        rows = rows[rows["action"] == VERBS.get(verb, "")]
        enough = rows["session"].nunique() >= (2 if verb == "came back to" else 1)
        told.append(("reason names a deed", verb != "looked at"))
        told.append(("reason is not so by the log", not enough))
        return told

    def numbers(self, user: int, text: str) -> list[tuple[str, bool]]:
        """Numbers beside titles and the table; percentages; what is sensitive."""
        said = "\n".join(line for line in text.splitlines() if not line.startswith("|"))
        bare = re.sub(UNITS, "", re.sub(r"“.*?”", "", said))
        named = any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) for name in self.names)
        return [
            ("page with a number without a unit", bool(re.search(r"\d", bare))),
            ("page with a share or a percentage", "%" in text),
            ("page that names a sensitive topic", named),
        ]

    def sentences(self, user: int, text: str) -> list[tuple[str, bool]]:
        """How long the sentences are."""
        lines = [line for line in text.splitlines() if line and line[0] not in "|#"]
        parts = [part for line in lines for part in re.split(r"(?<=[.:;”]) (?=[A-Z])", line)]
        return [("sentence of more than 25 words", count_words(part) > MOST) for part in parts]


def counted(size: str, shoppers: int, show: int) -> list[dict]:
    """The table of a world: one row a count, without and with topics left unsaid."""
    world = load_world() if size == "tiny" else generate(sized(size))
    reader = Reader(world, find_sensitive(world.catalogue, "generated-world")["item"].unique())
    users = np.sort(np.random.default_rng(0).choice(world.log.n_users, shoppers, replace=False))
    rows = []
    for unsaid in ((), reader.topics):
        parts = {"mask_seen": False, "agent": agent, "unsaid": unsaid}
        service = Service.build(world.log, world.catalogue, EASE(), **parts)
        service.report(int(users[0]))  # what is made once is not the cost of a page
        found, seconds, words = Counter(), [], []
        for user in users.tolist():
            started = time.process_time()
            report = service.report(user)
            seconds.append(time.process_time() - started)
            words.append(count_words(report.text))
            found += reader.count(user, report)
            again = check(report.claims, service.evidence(user), report.support)["ok"]
            found["claim that does not hold when executed again"] += int((~again).sum())
            found["claim that does not hold when executed again", "of"] += len(again)
            found["pages that count a guess left unsaid"] += "We left out" in report.text
            found["pages that count a guess left unsaid", "of"] += 1
        manner = "named" if not unsaid else "left unsaid"
        for name in [*GOALS, "pages that count a guess left unsaid"]:
            hits, of = found[name], found[name, "of"]
            low, high = wilson(hits, of) if of else (np.nan, np.nan)
            share = f"{hits / of:.1%} [{low:.1%}, {high:.1%}]" if of else "–"
            rows.append({"world": size, "sensitive topics": manner, "what": name})
            rows[-1] |= {
                "count": f"{hits:,} of {of:,}",
                "share": share,
                "goal": GOALS.get(name, ""),
            }
        cost = {"words of a page, mean and most": f"{np.mean(words):.0f}, {max(words)}"}
        cost["CPU seconds a page, median and most"] = (
            f"{np.median(seconds):.3f}, {max(seconds):.3f}"
        )
        goals = ("≤ 120", "≤ .1")
        for (name, value), goal in zip(cost.items(), goals, strict=True):
            rows.append({"world": size, "sensitive topics": manner, "what": name})
            rows[-1] |= {"count": value, "share": "", "goal": goal}
    for user in np.random.default_rng(1).choice(users, show, replace=False).tolist():
        print(f"\n--- shopper {user}\n\n{service.report(user).text}")
    return rows


def main() -> None:
    """Count, print, write."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--size", nargs="+", default=["tiny"], choices=["tiny", "laptop"])
    asked.add_argument("--shoppers", type=int, default=200)
    asked.add_argument("--print", type=int, default=0, dest="show")
    told = asked.parse_args()
    rows = [row for size in told.size for row in counted(size, told.shoppers, told.show)]
    table = pd.DataFrame(rows)
    print(table.to_string(index=False))
    table.to_csv(RESULTS / "pages.csv", index=False)
    text = f"""# What pages say to shoppers

Made by `python benchmarks/pages.py --size {" ".join(told.size)}`.

{told.shoppers} shoppers of each world, drawn; EASE on all products, what one looked at among them; the agent of
`workbench/reports/recpilot/agent.py`. Counts read the text of the page against log and catalogue. Intervals: 95 %,
Wilson. Words: headings and sentences, the table apart.

{markdown(table)}
"""
    (RESULTS / "pages.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
