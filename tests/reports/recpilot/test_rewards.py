"""Rewards of imagined visits, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.data import Interactions
from workbench.errors import ModelError
from workbench.reports.recpilot._held import Held, covisits, distance
from workbench.reports.recpilot.grammar import EOS, PAD, Vocabulary
from workbench.reports.recpilot.rewards import TERMS, RewardConfig, Rewards, max_sims

WORDS = Vocabulary(("cart", "purchase", "view"), 4)
CART, BUY, VIEW = 3, 4, 5
# lamp and torch are alike, flask and bottle are; the two kinds are at right angles
VECTORS = np.array([[2.0, 0.0], [0.8, 0.6], [0.0, 1.0], [0.0, 3.0]])
LAMP, TORCH, FLASK, BOTTLE = range(6, 10)
REAL = [VIEW, LAMP, TORCH, BUY, LAMP, EOS]


def padded(*visits: list[int]) -> np.ndarray:
    """Visits of several lengths as one table of tokens."""
    longest = max(map(len, visits))
    return np.array([visit + [PAD] * (longest - len(visit)) for visit in visits])


def terms(*visits: list[int], real: list[int] = REAL, **options) -> dict[str, np.ndarray]:
    """The terms of visits of one shopper."""
    found = Rewards(VECTORS, WORDS, **options).terms(padded(*visits)[None], padded(real))
    return {name: values[0] for name, values in found.items()}


def test_the_real_visit_earns_all_there_is():
    found = terms(REAL)
    assert {name: values[0] for name, values in found.items()} == pytest.approx(
        {"outcome": 1, "process": 1, "length": 1, "format": 0, "recall": 1}
    )


def test_every_term_by_hand():
    # views a torch and a flask, buys the torch: 3 rows as the real one has
    found = terms([VIEW, TORCH, FLASK, BUY, TORCH, EOS])
    assert found["outcome"] == 0  # a lamp was bought
    # torch: itself was looked at, 1; flask: nearest the torch, .6
    assert found["process"] == pytest.approx((1 + 0.6) / 2)
    # lamp: nearest the torch, .8; torch: 1
    assert found["recall"] == pytest.approx((0.8 + 1) / 2)
    assert found["length"] == 1 and found["format"] == 0


@pytest.mark.parametrize(
    ("rows", "earned"), [(2, np.exp(-0.2)), (3, 1.0), (4, np.exp(-0.2)), (8, np.exp(-1.0))]
)
def test_length_counts_rows_too_many_as_rows_too_few(rows, earned):
    visit = [VIEW, *[LAMP] * (rows - 1), BUY, LAMP, EOS]
    assert terms(visit)["length"] == pytest.approx(earned)


def test_length_falls_as_fast_as_it_is_told():
    found = terms([VIEW, LAMP, BUY, LAMP, EOS], config=RewardConfig(rate=1.0))
    assert found["length"] == pytest.approx(np.exp(-1.0))


@pytest.mark.parametrize(
    "broken",
    [
        [BUY, LAMP, EOS],  # no look before
        [VIEW, VIEW, LAMP, BUY, LAMP, EOS],  # an action without products
        [VIEW, LAMP, VIEW, LAMP, BUY, LAMP, EOS],  # one run said twice
        [VIEW, LAMP, EOS],  # nothing bought
        [VIEW, LAMP, BUY, LAMP],  # cut off
        [LAMP, BUY, LAMP, EOS],  # a product of no action
        [EOS],
    ],
)
def test_what_breaks_the_grammar_costs_one(broken):
    assert terms(broken)["format"] == -1


def test_an_empty_visit_earns_what_its_length_does():
    found = terms([EOS])
    assert found["outcome"] == found["process"] == found["recall"] == 0
    assert found["length"] == pytest.approx(np.exp(-0.6))


def test_a_set_is_hit_by_its_share():
    real = [VIEW, LAMP, TORCH, BUY, LAMP, TORCH, EOS]
    one, both, more = ([VIEW, LAMP, BUY, *bought, EOS] for bought in BASKETS)
    assert terms(one, both, more, real=real)["outcome"].tolist() == [1, 1, 0.5]


BASKETS = ([TORCH], [LAMP, TORCH], [LAMP, FLASK])


def test_only_what_a_purchase_says_is_bought():
    assert terms([VIEW, LAMP, BUY, TORCH, EOS])["outcome"] == 0
    # out of the grammar still read: the purchase comes first
    assert terms([BUY, LAMP, VIEW, TORCH, EOS])["outcome"] == 1


@given(st.lists(st.sampled_from([LAMP, TORCH, FLASK, BOTTLE]), min_size=1, max_size=6), st.data())
def test_process_knows_neither_order_nor_repeats(items, data):
    again = data.draw(st.permutations([*items, *data.draw(st.lists(st.sampled_from(items)))]))
    one, two = ([VIEW, *some, BUY, LAMP, EOS] for some in (items, again))
    found = terms(one, two)
    assert found["process"][0] == pytest.approx(found["process"][1])
    assert found["recall"][0] == pytest.approx(found["recall"][1])


def test_one_product_near_the_target_is_a_hack_that_recall_shows():
    narrow, wide = [VIEW, LAMP, BUY, LAMP, EOS], [VIEW, LAMP, FLASK, BUY, LAMP, EOS]
    real = [VIEW, LAMP, BOTTLE, TORCH, BUY, LAMP, EOS]
    found = terms(narrow, wide, real=real)
    assert found["process"].tolist() == pytest.approx([1, 1])
    assert found["recall"][0] < found["recall"][1]


def test_the_total_is_the_sum_of_what_is_switched_on():
    found = {name: np.full((1, 1), 10.0**n) for n, name in enumerate(TERMS)}
    for off in TERMS:
        rewards = Rewards(VECTORS, WORDS, RewardConfig(**{off: False}))
        assert rewards.total(found)[0, 0] == 1111 - found[off][0, 0]
    assert Rewards(VECTORS, WORDS).total(found, without=("format",))[0, 0] == 111


@pytest.mark.parametrize("fault", [np.nan, np.inf, 0.0])
@pytest.mark.filterwarnings("error")
def test_a_reward_that_is_no_number_is_refused_with_shopper_and_term(fault):
    vectors = VECTORS.copy()
    vectors[1] = fault
    drawn = padded([VIEW, LAMP, BUY, LAMP, EOS], [VIEW, TORCH, BUY, TORCH, EOS])[None]
    real = padded([VIEW, FLASK, BUY, FLASK, EOS])
    with pytest.raises(ModelError, match=r"process of visit 2 of shopper Ada is nan"):
        Rewards(vectors, WORDS).terms(drawn, real, ["Ada"])


def test_a_fault_that_nobody_looks_at_is_none():
    vectors = VECTORS.copy()
    vectors[3] = np.nan
    found = Rewards(vectors, WORDS).terms(padded([VIEW, LAMP, BUY, LAMP, EOS])[None], padded(REAL))
    assert np.isfinite(found["process"]).all()


def test_what_the_reward_never_saw_is_logged_and_not_rewarded():
    seen = [VIEW, FLASK, BUY, FLASK, EOS]
    other = np.eye(4)[[0, 1, 0, 3]]  # lamp and flask stand in the same visits
    found = terms(seen, unseen=other)
    # by the vectors: lamp 0, torch .6; by visits the flask is the lamp
    assert found["process"] == pytest.approx(0.6) and found["unseen"] == pytest.approx(1.0)
    rewards = Rewards(VECTORS, WORDS, unseen=other)
    assert rewards.total(found) == Rewards(VECTORS, WORDS).total(terms(seen))


def test_max_sims_are_those_of_the_definition():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(7, 3))
    seen, true = rng.random((5, 7)) < 0.4, rng.random(7) < 0.5
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    near, recall = max_sims(seen, true, vectors)
    for g in range(5):
        own = unit[seen[g]] @ unit[true].T
        assert near[g] == pytest.approx(own.max(axis=1).mean() if len(own) else 0.0)
        assert recall[g] == pytest.approx(own.max(axis=0).mean() if len(own) else 0.0)


def test_distance_by_hand():
    one, two, three = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 1]], dtype=bool)
    apart = distance(np.array([[one, two, three], [one, one, one]]))
    assert apart.tolist() == pytest.approx([(0.5 + 1 + 1) / 3, 0])
    assert distance(np.zeros((1, 2, 4), dtype=bool)).tolist() == [0]  # two that hold nothing


def test_what_a_visit_holds():
    held = Held.of(padded([VIEW, LAMP, LAMP, CART, FLASK, BUY, LAMP, EOS]), WORDS)
    assert held.seen[0].tolist() == [True, False, True, False]
    assert held.bought[0].tolist() == [True, False, False, False]
    assert held.rows[0] == 4 and held.valid[0]


def test_covisits_count_visits_not_rows():
    from workbench.data import load_world

    log = load_world().log
    table = covisits(log)
    visits = log.frame.groupby("session")["item"].agg(set)
    one, two = 3, 5
    assert table[one, one] == sum(one in visit for visit in visits)
    assert table[one, two] == sum({one, two} <= visit for visit in visits) == table[two, one]


def test_sessions_of_one_number_are_visits_of_their_shoppers():
    rows = [("a", "x", 1), ("a", "y", 1), ("b", "y", 1), ("b", "z", 1)]
    table = pd.DataFrame(rows, columns=["user", "item", "session"]).assign(action="view")
    log = Interactions.from_table(table, session="session", action="action")
    assert covisits(log).tolist() == [[1, 1, 0], [1, 2, 1], [0, 1, 1]]
