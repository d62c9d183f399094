"""The rubric as a ledger: played again without some of it, it is one built from the rest."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reports.shops import shop
from workbench.data import Catalogue, Interactions, load_world
from workbench.errors import DataError, ModelError
from workbench.ledger import Service, Switches, canaries
from workbench.recommend import EASE
from workbench.reports import EntityStore, Evidence, Store
from workbench.reports.recpilot import Rubric, RubricConfig, press, using
from workbench.reports.recpilot._learning import START
from workbench.reports.recpilot.aspects import ATTRIBUTES, aspects_of

MODES = ["paper_exact", "normalised", "damped", "logit"]
modes = pytest.mark.parametrize("mode", MODES)


def bought(seed=1, user=None, **options):
    """A shop with many purchases; the purchases of one shopper, or of all."""
    log, catalogue = shop(seed, n_rows=160, **options)
    rows = log.frame[log.frame["action"] == "purchase"]
    return log, catalogue, rows if user is None else rows[rows["user"] == user]


def same(one, two, users=range(12)):
    for user in users:
        assert np.array_equal(one.weights(user), two.weights(user))
        pd.testing.assert_frame_equal(one.lineage(user), two.lineage(user))
        pd.testing.assert_frame_equal(one.ledger(user), two.ledger(user))
    return True


@modes
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), share=st.floats(0, 1), told=st.booleans())
def test_own_rows_are_forgotten_as_if_they_had_never_been(mode, seed, share, told):
    log, catalogue, rows = bought(seed)
    user, config = int(rows["user"].iloc[0]), RubricConfig(mode=mode)
    own = log.rows_of(user)["interaction"].sample(frac=share, random_state=seed)
    rubric = Rubric.build(log, catalogue, config)
    rubric.weights(user)
    forgot = rubric.forget(own, [user] if told else None)
    rest = Rubric.build(log.without(own), catalogue, config)
    # others keep what was counted of them: only the shopper's own steps are those of the rest
    assert same(forgot, rest, [user])
    assert same(forgot, rubric, [other for other in range(12) if other != user])
    assert not len(forgot.knows(user, own))
    assert not np.isin(own, forgot.lineage(user)["interaction"]).any()


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), share=st.floats(0, 1))
def test_forgetting_many_is_playing_the_rest_again(seed, share):
    log, catalogue, _ = bought(seed)
    ids = log.frame["interaction"].sample(frac=share, random_state=seed)
    forgot = Rubric.build(log, catalogue).forget(ids)
    # built from the rest, with what others had bought as it was counted then
    rest = Rubric.build(log.without(ids), catalogue)
    counted = {s.interaction: s for own in Rubric.build(log, catalogue).steps.values() for s in own}
    steps = {u: tuple(counted[s.interaction] for s in own) for u, own in rest.steps.items()}
    assert same(forgot, replace(rest, steps=steps, _played={}))


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), random=st.randoms(use_true_random=False))
def test_the_order_of_forgetting_does_not_matter(seed, random):
    log, catalogue, rows = bought(seed)
    ids = rows["interaction"].tolist()[:12]
    shuffled = random.sample(ids, len(ids))
    one = two = Rubric.build(log, catalogue)
    one.weights(0)
    for first, second in zip(ids, shuffled, strict=True):
        one, two = one.forget([first]), two.forget([second])
        two.weights(int(rows["user"].iloc[0]))
    assert same(one, two) and same(one, Rubric.build(log, catalogue).forget(ids))


@modes
def test_undo_and_redo(mode):
    log, catalogue, rows = bought()
    user = int(rows["user"].mode()[0])
    rubric = Rubric.build(log, catalogue, RubricConfig(mode=mode))
    own = rows.loc[rows["user"] == user, "interaction"].tolist()
    learnt = rubric.weights(user)  # what was played once is not played for another ledger
    undone = rubric.undo(own[1])
    assert not np.array_equal(undone.weights(user), learnt)
    assert same(undone.redo(own[1]), rubric)
    assert undone.ledger(user)["undone"].tolist() == [k == 1 for k in range(len(own))]
    # it is undone, not forgotten
    assert undone.knows(user, own).tolist() == sorted(own)
    assert same(undone.forget([own[1]]), rubric.forget([own[1]]))
    assert undone.forget([own[1]]).struck == frozenset()
    # all of them undone: nothing was learnt
    for one in own:
        undone = undone.undo(one)
    assert np.array_equal(undone.weights(user), START)
    with pytest.raises(DataError, match="is no step"):
        rubric.undo(int(log.frame.loc[log.frame["action"] == "view", "interaction"].iloc[0]))


@modes
def test_weights_before_a_purchase_never_know_it(mode):
    log, catalogue, rows = bought()
    config = RubricConfig(mode=mode)
    rubric = Rubric.build(log, catalogue, config)
    for row in rows.itertuples():
        early = log.select((log.frame["position"] < row.position).to_numpy())
        then = Rubric.build(early, catalogue, config)
        assert np.array_equal(rubric.weights(row.user, row.position), then.weights(row.user))
    assert rubric.weights(0, before=0).tolist() == START.tolist()


def test_only_purchases_move_it():
    log, catalogue, rows = bought()
    others = log.frame.loc[log.frame["action"] != "purchase", "interaction"]
    assert same(Rubric.build(log, catalogue), Rubric.build(log.without(others), catalogue))
    assert Rubric.build(log.without(rows["interaction"]), catalogue).steps == {}


def test_popularity_is_what_others_had_bought_by_then():
    log, catalogue, rows = bought(4)
    rubric, checked = Rubric.build(log, catalogue), 0
    for user, steps in rubric.steps.items():
        for step in steps:
            items = rubric.shelf.candidates(step.item)
            before = rows[(rows["position"] < step.position) & (rows["user"] != user)]
            assert step.sold.tolist() == [(before["item"] == item).sum() for item in items]
            checked += 1
    assert checked == len(rows)


def small(prices=(2.0, 4.0, 8.0), bought=(0,), brands=("A", "B", "C")):
    """One shopper, one category, no ratings; views first."""
    n = len(prices)
    items = pd.Index([f"i{k}" for k in range(n)])
    table = pd.DataFrame({"item": [f"i{k}" for k in [*range(n), *bought]], "user": "u"})
    table["action"] = ["view"] * n + ["purchase"] * len(bought)
    log = Interactions.from_table(table, action="action", users=["u", "v"], items=items)
    frame = pd.DataFrame({"item": range(n), "title": items, "price": prices, "brand": brands})
    return log, Catalogue.from_table(frame.assign(category="tea"))


def test_the_papers_step_by_hand():
    # the cheapest was bought: price alone ranks it first, and nothing else tells them apart
    log, catalogue = small()
    rubric = Rubric.build(log, catalogue, RubricConfig(mode="paper_exact"))
    assert rubric.weights(0).tolist() == [0.5, 0.25, 0.25, 0.25]
    scaled = Rubric.build(log, catalogue, RubricConfig(mode="normalised"))
    assert np.allclose(scaled.weights(0), [0.4, 0.2, 0.2, 0.2])
    (line,) = rubric.ledger(0).itertuples()
    assert (line.best, line.ndcg_best, line.ndcg_before, line.ndcg_after) == ("price", 1, 1, 1)
    # bought again, brand and price rank it alike, and the first of them wins
    again = Rubric.build(*small(bought=(0, 0)), RubricConfig(mode="paper_exact"))
    assert again.weights(0).tolist() == [0.75, 0.25, 0.25, 0.25]


def test_the_damped_step_by_hand():
    # chance of three: (1 + 1/log2 3 + 1/2) / 3; price is in one aspect alone and in three pairs
    log, catalogue = small()
    by_chance = (1 + 1 / np.log2(3) + 0.5) / 3
    gained = {"price": 4 * (1 - by_chance), "rating": 1 - by_chance}
    weights = Rubric.build(log, catalogue, RubricConfig(rate=0.1)).weights(0)
    assert weights[0] == pytest.approx(0.9 * 0.25 + 0.1 * (0.25 + gained["price"]))
    assert weights[1] == pytest.approx(0.9 * 0.25 + 0.1 * (0.25 + gained["rating"]))
    assert weights[1:].tolist() == [weights[1]] * 3


def test_the_logit_step_by_hand():
    log, catalogue = small()
    z = -np.log([2.0, 4.0, 8.0])
    z = (z - z.mean()) / z.std()
    p = np.exp(0.25 * z) / np.exp(0.25 * z).sum()
    weights = Rubric.build(log, catalogue, RubricConfig(mode="logit", rate=0.2)).weights(0)
    assert weights[0] == pytest.approx(0.25 + 0.2 * (z[0] - p @ z))
    assert weights[1:].tolist() == [0.25] * 3


@modes
def test_cheaper_please_is_a_step_that_says_so(mode):
    log, catalogue = small(bought=(0, 1))
    action = log.frame["action"].astype(object)
    action[log.frame.index[-1]] = "budget"
    asked = log.of_rows(log.frame.assign(action=action.astype("category")))
    config = RubricConfig(mode=mode)
    rubric = Rubric.build(asked, catalogue, config)
    button = int(asked.frame["interaction"].iloc[-1])
    plain = rubric.forget([button])
    assert same(plain, Rubric.build(asked.without([button]), catalogue, config), [0, 1])
    assert np.allclose(rubric.weights(0) - plain.weights(0), [0.25, 0, 0, 0])
    assert rubric.knows(0, [button]).tolist() == [button]
    assert rubric.ledger(0)["best"].tolist()[1] == "price"
    assert np.array_equal(rubric.undo(button).weights(0), plain.weights(0))


@modes
@pytest.mark.parametrize(
    "shop_of",
    [
        {"prices": (np.nan, 4.0, 8.0)},
        {"prices": (np.nan,) * 3},
        {"prices": (0.0, -1.0, 8.0)},
        {"prices": (3.0,), "brands": ("A",)},
        {"brands": ("", "", "")},
    ],
    ids=["no price", "no prices", "no such price", "one product", "no brands"],
)
def test_odd_products_still_give_weights(mode, shop_of):
    log, catalogue = small(**shop_of)
    rubric = Rubric.build(log, catalogue, RubricConfig(mode=mode))
    assert np.isfinite(rubric.weights(0)).all() and len(rubric.ledger(0)) == 1
    if shop_of.get("prices") == (np.nan,) * 3 and mode in ("damped", "logit"):
        assert np.allclose(rubric.weights(0), START)


def test_a_shopper_without_purchases_weighs_all_alike():
    log, catalogue = small(bought=())
    rubric = Rubric.build(log, catalogue)
    for user in (0, 1, 99):
        assert rubric.weights(user).tolist() == START.tolist()
        assert not len(rubric.lineage(user)) and not len(rubric.ledger(user))
    evidence = Evidence.of(log, catalogue, EASE().fit(log), 0, stores={"rubric": rubric})
    assert not len(rubric.says(evidence))


def test_nothing_is_learnt_where_the_category_is_not_known():
    log, catalogue = small()
    unknown = Catalogue.from_table(catalogue.frame.assign(category="unknown"))
    rubric = Rubric.build(log, unknown)
    assert rubric.weights(0).tolist() == START.tolist()
    ids = [step.interaction for step in rubric.steps[0]]
    assert rubric.knows(0, ids).tolist() == ids  # but the purchase is known, and can be forgotten
    assert rubric.ledger(0)["best"].tolist() == [""]


def test_nothing_is_learnt_beside_more_than_anybody_compares():
    log, catalogue = small()
    few = Rubric.build(log, catalogue, RubricConfig(most=2))
    assert few.weights(0).tolist() == START.tolist() and len(few.steps[0][0].sold) == 0
    some = Rubric.build(log, catalogue, RubricConfig(most=3))
    assert some.weights(0).tolist() == Rubric.build(log, catalogue).weights(0).tolist()


def test_without_a_model_nothing_is_offered_and_the_rest_is_said():
    log, catalogue = small()
    rubric = Rubric.build(log, catalogue)
    said = rubric.says(Evidence.of(log, catalogue, None, 0, stores={"rubric": rubric}))
    assert set(said["kind"]) == {"rubric"}
    chosen = Evidence.of(log, catalogue, None, 0, {"rubric": rubric}, offers={"pick": 1})
    assert set(rubric.says(chosen)["object"]) >= {"item:1"}


def test_candidates_by_kind():
    log, catalogue, _ = bought(2, kinds=True)
    rubric = Rubric.build(log, catalogue, RubricConfig(candidates="kind"))
    for steps in rubric.steps.values():
        for step in steps:
            kinds = catalogue.kind[rubric.shelf.candidates(step.item)]
            assert set(kinds) == {catalogue.kind[step.item]}


def test_a_catalogue_of_other_items_is_refused():
    log, _ = shop(1)
    with pytest.raises(DataError, match="3 items in the catalogue, 15 in the log"):
        Rubric.build(log, small()[1])


# --- in a service ---


def served(seed=1, config=None):
    log, catalogue, rows = bought(seed)
    kinds = [EntityStore, using(Rubric, config=config or RubricConfig(mode="paper_exact"))]
    return Service.build(log, catalogue, EASE(), stores=kinds), rows


def test_a_rubric_with_settings_is_a_store_of_a_service():
    service, _ = served()
    store = service.stores["rubric"]
    assert isinstance(store, Store) and store.config.mode == "paper_exact"
    sent = pickle.loads(pickle.dumps(using(Rubric, config=RubricConfig(rate=0.2))))
    assert sent.build(service.log, service.catalogue).config.rate == 0.2
    assert same(pickle.loads(pickle.dumps(store)), store)


def test_the_canary_says_what_is_left_in_others():
    service, rows = served()
    user = int(rows["user"].mode()[0])
    ids = rows.loc[rows["user"] == user, "interaction"]
    found = canaries(service, service.remove(ids, Switches()), ids).set_index("tier")
    left = found.loc["rubric: popularity counted over others"]
    assert found.loc["rubric", "amount"] == 0 and left["found"] == 1
    # against a loop: others with a later purchase in one of the categories
    category = service.catalogue.frame["category"].to_numpy()
    counted = set()
    for mine in rows[rows["user"] == user].itertuples():
        later = rows[(rows["position"] > mine.position) & (rows["user"] != user)]
        counted |= set(later.loc[category[later["item"]] == category[mine.item], "user"])
    assert left["amount"] == len(counted)
    raw = canaries(service, service.remove(ids, Switches(rubric=False)), ids).set_index("tier")
    assert raw.loc["rubric", "amount"] == len(ids)
    # views were never counted
    looks = service.log.frame.loc[service.log.frame["action"] == "view", "interaction"][:3]
    clean = canaries(service, service.remove(looks, Switches()), looks)
    assert not clean["found"].any()


def test_a_store_of_another_log_is_refused_where_it_is_joined():
    service, _ = served()
    log, catalogue, _ = bought(1)
    other = replace(log, users=log.users + " of another shop")
    other.__dict__.pop("index_fingerprint", None)
    stranger = Rubric.build(other, catalogue)
    with pytest.raises(ModelError, match="other indexes"):
        Evidence.of(log, catalogue, service.model, 0, stores={"rubric": stranger})
    assert Evidence.of(log, catalogue, service.model, 0, stores=service.stores)


def test_what_it_says_to_a_page():
    service, rows = served(3)
    user = int(rows["user"].mode()[0])
    store, evidence = service.stores["rubric"], service.evidence(user)
    said = store.says(evidence)
    assert list(said) == ["kind", "relation", "object", "value", "interaction", "weight"]
    assert set(said["kind"]) == {"rubric", "aspect"} and (said["weight"] > 0).all()
    # weights less their mean, carried by the purchases that moved them
    weights, notes = store.weights(user), store.lineage(user).set_index("entity")
    for name, part in said[said["kind"] == "rubric"].groupby("object"):
        assert part["relation"].eq("weighs").all()
        want = weights[ATTRIBUTES.index(name)] - weights.mean()
        assert np.allclose(part["value"], want)
        moved = notes.loc[[name]]
        moved = moved[moved["weight"] > 0]
        assert part["interaction"].tolist() == moved["interaction"].tolist()
    # places among the products of the kind, by a loop
    places = said[said["kind"] == "aspect"].drop_duplicates(["relation", "object"])
    kind, shelf = service.catalogue.kind, store.shelf
    sold = np.bincount(rows.loc[rows["user"] != user, "item"], minlength=service.log.n_items)
    own = shelf.brand[rows.loc[rows["user"] == user, "item"]]
    assert {f"item:{item}" for item in evidence.offers.values()} == set(places["object"])
    for row in places.itertuples():
        item = int(row.object.removeprefix("item:"))
        beside = np.flatnonzero(kind == kind[item])
        held = [ATTRIBUTES.index(name) for name in row.relation.split("+")]
        scores = shelf.scores(beside, sold[beside], own)[:, held]
        value = (scores * (weights[held] + 0.25)).mean(axis=1)
        better = (value > value[beside == item] + 1e-12).sum()
        assert row.value == better + 1
    assert len(places) <= len(aspects_of()) * len(set(evidence.offers.values()))
    pd.testing.assert_frame_equal(said, store.says(service.evidence(user)))


def test_a_press_is_learnt_at_once_as_by_a_rubric_built_anew():
    world = load_world()
    service = Service.build(world.log, world.catalogue, EASE(), stores=(Rubric,))
    pressed = press(service, 7, "budget", int(service.evidence(7).offers["pick"]))
    rubric, before = pressed.stores["rubric"], service.stores["rubric"]
    anew = Rubric.build(pressed.log, world.catalogue)
    for user in range(0, world.log.n_users, 40):
        assert np.array_equal(rubric.weights(user), anew.weights(user))
    assert np.array_equal(rubric.weights(7), anew.weights(7))
    assert not np.array_equal(rubric.weights(7), before.weights(7))
    # taken back, it was never there
    back = rubric.forget([pressed.log.last_id], [7])
    assert np.array_equal(back.weights(7), before.weights(7))
    assert not len(back.knows(7, [pressed.log.last_id]))
