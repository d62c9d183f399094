"""Claims against brute force, tampered claims of every kind, and what becomes of claims."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.reports.shops import TOPICS, shop
from workbench.errors import ModelError, UnknownUser
from workbench.recommend import EASE, ItemKNN
from workbench.recommend.collaborative.ease import EASEConfig
from workbench.reports import Claim, Evidence, check, dependence, diff, make_claims, write
from workbench.reports.writer import PAGED

L2 = 5.0
COLUMNS = ["claim", "interaction", "weight"]


class Notes:
    """A stored profile as plain as it can be: one note of weight 1 per row and topic."""

    def __init__(self, log, catalogue):
        frame = log.frame[["user", "item", "interaction"]].merge(catalogue.topics, on="item")
        self.frame = frame.rename(columns={"topic": "entity"}).assign(kind="topic", weight=1.0)

    def lineage(self, user):
        return self.frame[self.frame["user"] == user]


class Oracle:
    """Everything a claim may say, computed with dense matrices and loops."""

    def __init__(self, user, log, catalogue):
        x = np.zeros((log.n_users, log.n_items))
        for row in log.frame.itertuples():
            x[row.user, row.item] = 1
        p = np.linalg.inv(x.T @ x + L2 * np.eye(log.n_items))
        self.b = -p / np.diag(p)
        np.fill_diagonal(self.b, 0)
        self.rows = [
            (row.interaction, row.item) for row in log.frame.itertuples() if row.user == user
        ]
        self.catalogue, own = catalogue, x[user]
        self.scores = own @ self.b
        self.ranked = sorted(np.flatnonzero(own == 0), key=lambda i: (-self.scores[i], i))
        self.topics = {i: catalogue.topics_of(i) for i in range(log.n_items)}

    def add(self, item):
        counts = pd.Series([i for _, i in self.rows]).value_counts()
        return {iid: self.b[i, item] / counts[i] for iid, i in self.rows}

    def positive(self, item):
        return self.normal({iid: max(w, 0) for iid, w in self.add(item).items()})

    @staticmethod
    def normal(weights):
        total = sum(w for w in weights.values() if w > 1e-12)
        return {iid: w / total for iid, w in weights.items() if w > 1e-12}

    def price(self, item):
        return float(self.catalogue.frame["price"][item])

    def role(self, role):
        pick = self.ranked[0]
        same = [i for i in self.ranked[1:] if self.kind(i) == self.kind(pick)]
        if role == "cheaper":
            return next((i for i in same if self.price(i) < self.price(pick)), None)
        if role == "upgrade":
            return next((i for i in same if self.rating(i) > self.rating(pick)), None)
        if role == "pick":
            return pick
        assert self.role("cheaper") is None and self.role("upgrade") is None
        return self.ranked[1]

    def rating(self, item):
        return float(self.catalogue.frame["rating"][item])

    def kind(self, item):
        frame = self.catalogue.frame
        return frame["kind" if "kind" in frame else "category"][item]

    def truth(self, claim):
        """Value and support of a statement."""
        code = {
            name: int(getattr(claim, name)[5:])
            for name in ("subject", "object")
            if "item:" in getattr(claim, name)
        }
        if claim.kind == "interest":
            if claim.relation == "list":
                listed = self.ranked[:20]
                inside = [i for i in listed if claim.object in self.topics[i]]
                sums = {iid: sum(max(self.add(i)[iid], 0) for i in inside) for iid, _ in self.rows}
                return len(inside) / len(listed), self.normal(sums)
            notes = [(iid, topic) for iid, i in self.rows for topic in self.topics[i]]
            own = [iid for iid, topic in notes if topic == claim.object]
            return len(own) / len(notes), self.normal(dict.fromkeys(own, 1.0))
        if claim.kind == "pick":
            assert self.role(claim.relation) == code["object"]
            return self.scores[code["object"]], self.positive(code["object"])
        item = code["subject"]
        add = self.add(item)
        total = sum(max(w, 0) for w in add.values())
        if claim.kind == "because":
            if claim.relation == "rows":
                heavy = sorted((max(w, 0) for w in add.values()), reverse=True)
                n = next(n for n in range(1, len(heavy) + 1) if sum(heavy[:n]) >= total / 2 - 1e-12)
                return n, self.positive(item)
            if claim.object == "nothing":
                return 0.0, self.positive(item)
            sign = -1 if claim.relation == "against" else 1
            own = {iid: sign * add[iid] for iid, i in self.rows if i == code["object"]}
            return sum(own.values()) / total, self.normal(own)
        if claim.kind == "catalogue_fact":
            fact = self.catalogue.frame[claim.relation][item]
            shown = (
                fact
                if claim.relation != "price"
                else f"{fact:.2f}"
                if np.isfinite(fact)
                else "unknown"
            )
            assert claim.object == shown
            return (fact if claim.relation == "price" else np.nan), self.positive(item)
        if claim.relation == "usual price":
            known = {iid: self.price(i) for iid, i in self.rows if np.isfinite(self.price(i))}
            return self.price(item) - np.median(list(known.values())), self.normal(
                dict.fromkeys(known, 1.0)
            )
        if claim.relation == "behind":
            return self.scores[code["object"]] - self.scores[item], self.positive(item)
        if claim.relation.startswith("no "):
            assert claim.object == self.kind(item)
            assert self.role(claim.relation[3:]) is None
            return np.nan, self.positive(item)
        measure = self.price if claim.relation == "cheaper" else self.rating
        return measure(item) - measure(code["object"]), self.positive(item)


def made(seed, user=0, **sizes):
    log, catalogue = shop(seed, **sizes)
    model = EASE(EASEConfig(l2=L2)).fit(log)
    stores = {"profile": Notes(log, catalogue)}
    evidence = Evidence.of(log, catalogue, model, user, stores)
    return evidence, *make_claims(evidence)


@settings(max_examples=15)
@given(
    st.integers(0, 10_000),
    st.integers(0, 11),
    st.integers(4, 30),
    st.integers(20, 200),
    st.booleans(),
)
def test_claims_agree_with_brute_force_and_pass_the_check(seed, user, n_items, n_rows, kinds):
    evidence, claims, support = made(seed, user, n_items=n_items, n_rows=n_rows, kinds=kinds)
    oracle = Oracle(user, evidence.log, evidence.catalogue)
    gaps = np.diff(np.sort(oracle.scores[oracle.ranked]))
    assume(not len(gaps) or gaps.min() > 1e-9)  # two equal columns: rounding decides the order
    for claim in (one for one in claims if one.kind not in PAGED):
        value, weights = oracle.truth(claim)
        assert claim.value == pytest.approx(value, abs=1e-9, nan_ok=True), claim
        own = support[support["claim"] == claim.claim].set_index("interaction")["weight"].to_dict()
        assert own == pytest.approx(weights, abs=1e-9), claim
        assert np.isnan(claim.low) or claim.low <= claim.value <= claim.high
        assert claim.spread == ("" if np.isnan(claim.low) else "left out")
    assert set(support["claim"]) == {claim.claim for claim in claims}  # no claim without support
    checked = check(claims, evidence, support)
    assert checked["ok"].all(), checked[~checked["ok"]]


def lies(claim, other_item):
    """Ways to falsify a claim that leave it well formed."""
    yield replace(claim, value=claim.value * 1.001 + 0.001 if np.isfinite(claim.value) else 1.0)
    yield replace(claim, subject="user:1" if claim.subject == "user:0" else other_item)
    yield replace(claim, relation="never heard of")
    yield replace(claim, kind="rumour")
    if np.isfinite(claim.low):
        yield replace(claim, low=claim.value + 0.1, high=claim.value + 0.2)
    if claim.kind in ("interest", "catalogue_fact"):
        yield replace(claim, object="opera")
    elif claim.relation not in ("rows", "usual price"):
        yield replace(claim, object=other_item)
        yield replace(claim, object="item:999999")


@pytest.mark.parametrize("kind", ["interest", "pick", "because", "compare", "catalogue_fact"])
def test_tampered_claims_of_each_kind_fail(kind):
    tried = 0
    for seed in range(4):
        evidence, claims, support = made(seed)
        seen = {
            int(name[5:])
            for c in claims
            for name in (c.subject, c.object)
            if name.startswith("item:")
        }
        other = f"item:{next(i for i in range(evidence.log.n_items) if i not in seen)}"
        for claim in (c for c in claims if c.kind == kind):
            rows = support[support["claim"] == claim.claim]
            for lie in lies(claim, other):
                given_rows = rows.assign(claim=lie.claim)  # the liar brings the rows along
                checked = check([lie], evidence, given_rows)
                assert not checked["ok"].any(), lie
                assert checked["reason"].str.len().all()
                tried += 1
    assert tried > 20


def test_tampered_support_fails():
    evidence, claims, support = made(3)
    log = evidence.log
    foreign = int(log.frame.loc[log.frame["user"] != 0, "interaction"].iloc[0])
    for claim in claims:
        rows = support[support["claim"] == claim.claim].reset_index(drop=True)
        stolen, unknown, heavier = rows.copy(), rows.copy(), rows.copy()
        stolen.loc[0, "interaction"] = foreign
        unknown.loc[0, "interaction"] = 10**9
        heavier.loc[0, "weight"] += 0.01
        for wrong in (
            rows.iloc[:0],
            rows.iloc[1:],
            stolen,
            unknown,
            heavier,
            pd.concat([rows, stolen.iloc[:1]]),
        ):
            checked = check([claim], evidence, wrong)
            assert not checked["ok"].any(), (claim, wrong)
    assert "not a row of user:0" in checked["reason"].iloc[0]


def test_a_claim_that_stands_twice_fails_once():
    evidence, claims, support = made(3)
    checked = check([*claims, claims[0]], evidence, support)
    assert checked["ok"].tolist() == [True] * len(claims) + [False]


def test_without_a_model_only_the_stored_profile_can_be_checked():
    evidence, claims, support = made(3)
    checked = check(claims, replace(evidence, model=None), support)
    # what they did, which no model is asked for; what else to buy must be offered
    own = ("intent", "deed", "basis", "refill")
    said = [c.kind in own and c.relation != "or" for c in claims]
    notes = [(c.kind, c.relation) == ("interest", "profile") for c in claims]
    stored = [one or other for one, other in zip(said, notes, strict=True)]
    assert any(stored)
    assert checked["ok"].tolist() == stored
    assert set(checked.loc[~checked["ok"], "reason"]) == {"needs the model to be executed again"}
    with pytest.raises(ModelError, match="no model"):
        make_claims(replace(evidence, model=None))


def test_planted_claims_are_dropped_and_counted():
    evidence, claims, support = made(3)
    evidence = replace(evidence, stores={})
    lie = Claim("interest", "user:0", "list", TOPICS[0], 0.99)
    planted = support[support["claim"] == claims[0].claim].assign(claim=lie.claim)
    honest = write(evidence)
    report = write(evidence, extra=([lie], planted))
    assert len(report.dropped) == 1
    assert report.dropped["claim"].tolist() == [lie.claim]
    assert report.text == honest.text
    assert report.hash == honest.hash


def test_shopper_without_rows_gets_no_claims_and_a_page_that_says_so():
    log, catalogue = shop(1)
    report = write(Evidence.of(log, catalogue, EASE(EASEConfig(l2=L2)).fit(log), 11))
    assert not report.claims
    assert not len(report.support)
    assert report.text.startswith("There is too little to say")
    with pytest.raises(UnknownUser):
        Evidence.of(log, catalogue, None, 12)


def test_claim_ids_come_from_meaning_alone():
    one = Claim("pick", "user:3", "pick", "item:5", 0.4, 0.3, 0.5)
    assert one.claim == replace(one, value=9.0, low=np.nan).claim
    assert one.claim != replace(one, relation="upgrade").claim
    assert one.claim == "".join(c for c in one.claim if c in "0123456789abcdef")
    assert len(one.claim) == 12


def test_dependence_is_the_share_of_support():
    support = pd.DataFrame(
        {"claim": ["a", "a", "b"], "interaction": [1, 2, 3], "weight": [0.25, 0.75, 1.0]}
    )
    assert dependence(support, [1, 3]).to_dict() == {"a": 0.25, "b": 1.0}
    assert dependence(support, []).to_dict() == {"a": 0.0, "b": 0.0}


def test_fates():
    class Page:
        def __init__(self, *claims):
            self.claims = claims
            rows = [(c.claim, i, w) for c in claims for i, w in ((1, 0.6), (2, 0.4))]
            self.support = pd.DataFrame(rows, columns=["claim", "interaction", "weight"])

    tea, gift, gone, new = (
        Claim("interest", "user:0", "list", t, 0.5, 0.4, 0.6) for t in ("tea", "gift", "x", "y")
    )
    before = Page(tea, gift, gone)
    after = Page(replace(tea, value=0.45), replace(gift, value=0.3), new)
    fates = diff(before, after, removed=[2]).set_index("claim")
    assert fates["fate"].to_dict() == {
        tea.claim: "kept",
        gift.claim: "weakened",
        gone.claim: "gone",
        new.claim: "new",
    }
    assert fates["delta"].tolist() == pytest.approx([-0.05, -0.2, -0.5, 0.5])
    # rested on 1 by .6
    assert diff(before, after, removed=[1]).set_index("claim")["fate"][tea.claim] == "back"
    assert set(diff(before, before)["fate"]) == {"kept"}


def test_claims_without_a_range_weaken_by_more_than_a_tenth():
    def page(value):
        claim = Claim("because", "item:1", "because", "item:2", value)
        return SimpleNamespace(
            claims=[claim], support=pd.DataFrame([[claim.claim, 1, 1.0]], columns=COLUMNS)
        )

    assert diff(page(0.5), page(0.46))["fate"].tolist() == ["kept"]
    assert diff(page(0.5), page(0.44))["fate"].tolist() == ["weakened"]


def test_other_counted_models_carry_reports_too():
    log, catalogue = shop(5)
    report = write(Evidence.of(log, catalogue, ItemKNN().fit(log), 2))
    assert len(report.claims) > 8
    assert not len(report.dropped)
