"""The visits of the generated world follow its truth tables, and the tables follow their rules."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare, spearmanr

from workbench.data import load_world
from workbench.worlds.shop import ShopConfig, generate
from workbench.worlds.shop.shelf import LAPSE, RUNS_OUT
from workbench.worlds.shop.shoppers import ATTRIBUTE, STRENGTH

CAUSES = {"interest", "drift", "compare", "wish", "correlated", "repeat", "noise", "spam"}


@pytest.fixture(scope="module")
def world():
    return load_world()


@pytest.fixture(scope="module")
def large():
    return generate(ShopConfig(shoppers=1000, texts=0, seed=5))


@pytest.fixture(scope="module")
def rows(world):
    """The log with the cause, the category and the kind of every row."""
    frame = world.log.frame.merge(world.truth["causes"], on="interaction")
    named = world.catalogue.frame[["item", "category", "kind"]]
    return frame.merge(named, on="item").sort_values("position")


def real(world):
    return ~world.truth["users"]["spam"].to_numpy()


def choices(world, period="before"):
    shape = (world.log.n_users, world.log.n_items)
    return world.truth["choice"][period].to_numpy(dtype=float).reshape(shape)


def days(times):
    return (times - pd.Timestamp("2025-03-01", tz="UTC")).dt.days


# --- the truth ------------------------------------------------------------------------------------


def test_probabilities_add_up_to_one(world):
    for period in ("before", "after"):
        sums = choices(world, period)[real(world)].sum(axis=1)
        assert np.allclose(sums, 1, atol=2e-3)
        assert not choices(world, period)[~real(world)].any()
    weights = world.truth["interests"].groupby(["user", "period"])["weight"].sum()
    assert np.allclose(weights, 1, atol=1e-3)
    shares = world.truth["kind_shares"].merge(world.truth["kinds"], on="kind")
    assert np.allclose(shares.groupby(["user", "category"])["share"].sum(), 1, atol=1e-3)
    users = world.truth["users"]
    assert np.allclose(users.filter(like="weight_").sum(axis=1), 1, atol=1e-3)


@pytest.mark.parametrize("user", [3, 41, 310])
def test_choice_is_the_logit_that_the_card_tells(world, user):
    """Written out once more, product by product, from the shipped tables alone."""
    truth, frame = world.truth, world.catalogue.frame
    me = truth["users"].iloc[user]
    affinity = truth["tastes"].query("user == @user").set_index("house")["affinity"]
    liking = truth["attribute_weights"].query("user == @user").set_index("attribute")["weight"]
    sides = truth["item_attributes"]
    side = (sides["attribute"].map(liking) * sides["level"]).groupby(sides["item"]).sum()
    worth = {}
    for row in truth["items"].itertuples():
        company = -me.weight_price * row.price_z + me.weight_quality * row.quality
        company += me.weight_brand * 1.5 * affinity[row.house]
        company += me.weight_popularity * row.popularity
        worth[row.item] = np.exp(STRENGTH * company + ATTRIBUTE * side[row.item])
    worth = pd.Series(worth)
    within = worth / worth.groupby(frame["kind"]).transform("sum")
    share = truth["kind_shares"].query("user == @user").set_index("kind")["share"]
    for period in ("before", "after"):
        mine = truth["interests"].query("user == @user and period == @period")
        interest = mine.set_index("category")["weight"].reindex(frame["category"]).fillna(0)
        expected = interest.to_numpy() * frame["kind"].map(share).to_numpy() * within.to_numpy()
        assert np.allclose(choices(world, period)[user], expected, atol=1e-4)


def test_purchases_by_interest_follow_the_choice(large):
    """First visits know no state: what is bought there falls on products as `truth_choice` says."""
    visits = large.truth["visits"].sort_values("session")
    first = visits.groupby("user").head(1).query("aim == 'compare' and target >= 0")
    first = first[first["outcome"].isin(["bought", "went on"])]
    expected = choices(large)[first["user"]].sum(axis=0)
    expected *= len(first) / expected.sum()
    seen = np.bincount(first["target"], minlength=large.log.n_items)
    kinds = pd.factorize(large.catalogue.frame["kind"])[0]
    by_kind = [np.bincount(kinds, values) for values in (seen, expected)]
    assert len(first) > 300
    assert chisquare(*by_kind).pvalue > 1e-3
    # the same shuffled over shoppers is far off
    wrong = choices(large)[np.random.default_rng(0).permutation(first["user"].to_numpy())]
    own = choices(large)[first["user"], first["target"]]
    assert (
        np.log(own + 1e-6).mean()
        > 1 + np.log(wrong[np.arange(len(first)), first["target"]] + 1e-6).mean()
    )


def test_inside_a_kind_the_logit_decides(large):
    """All comparisons that end in a purchase, kinds of which nothing is taken off the shelf."""
    kinds = large.truth["kinds"].set_index("kind")
    visits = large.truth["visits"].query("aim == 'compare' and target >= 0")
    visits = visits[visits["outcome"].isin(["bought", "went on"])]
    visits = visits[visits["kind"].map(kinds["again"]) != "other"]
    choice, frame = choices(large), large.catalogue.frame
    members = frame.groupby("kind")["item"].agg(list)
    # rank of the bought product by the shopper's own probabilities: how often is it the k-th?
    own = np.array([members[kind] for kind in visits["kind"]])
    p = np.take_along_axis(choice[visits["user"]], own, axis=1)
    p /= p.sum(axis=1, keepdims=True)
    order = np.argsort(-p, axis=1)
    place = (np.take_along_axis(own, order, axis=1) == visits["target"].to_numpy()[:, None]).argmax(
        axis=1
    )
    expected = np.take_along_axis(p, order, axis=1).sum(axis=0)
    assert len(visits) > 1500
    assert chisquare(np.bincount(place, minlength=4), expected).pvalue > 1e-3


# --- the log --------------------------------------------------------------------------------------


def test_every_row_has_one_cause(world, rows):
    causes = world.truth["causes"]
    assert np.array_equal(causes["interaction"], np.sort(world.log.frame["interaction"]))
    assert set(causes["cause"]) == CAUSES
    spam = world.truth["users"].set_index("user")["spam"]
    assert ((rows["cause"] == "spam") == rows["user"].map(spam)).all()
    assert (rows.loc[rows["cause"] == "noise", "action"] == "view").all()
    noise = rows.loc[rows["cause"] == "noise", "item"]
    assert chisquare(np.bincount(noise, minlength=world.log.n_items)).pvalue > 1e-3


def test_funnel_and_baskets(world):
    frame = world.log.frame
    first = frame.groupby(["session", "item", "action"], observed=True)["position"].min().unstack()
    bought = first[first["purchase"].notna()]
    assert (bought["cart"] < bought["purchase"]).all()
    assert (bought["view"] < bought["cart"]).all()
    carted = first[first["cart"].notna()]
    assert (carted["view"] < carted["cart"]).all()
    purchase = frame["action"] == "purchase"
    assert (frame["basket"].notna() == purchase).all()
    assert (frame["value"].notna() == purchase).all()
    assert (frame[purchase].groupby("basket")["session"].nunique() == 1).all()
    assert (frame[purchase].groupby("session")["basket"].nunique() == 1).all()
    assert (frame.groupby("session")["user"].nunique() == 1).all()
    several = frame[purchase].groupby("basket").size()
    assert (several > 1).mean() > 0.1


def test_visits_are_told_as_they_went(world, rows):
    visits = world.truth["visits"].set_index("session")
    actions = pd.crosstab(rows["session"], rows["action"])
    bought, carted = actions["purchase"] > 0, actions["cart"] > 0
    last = rows.groupby("session")["action"].last()
    told = np.select(
        [bought & (last == "purchase"), bought, carted], ["bought", "went on", "left"], "browsing"
    )
    assert np.array_equal(visits["outcome"], told)
    assert np.array_equal(visits["user"], rows.groupby("session")["user"].first())
    assert set(visits["aim"]) == {"compare", "wish", "restock", "browse", "spam"}
    # a visit with a kind looks at it, and compares: two products of it at least, views first
    first = rows.groupby("session")["action"].first()
    assert (first == "view").all()
    compared = visits.query("aim in ('compare', 'wish')")
    looks = rows[rows["kind"] == rows["session"].map(compared["kind"])]
    assert (looks.groupby("session")["item"].nunique() >= 2).all()
    assert len(looks["session"].unique()) == len(compared)
    bought = rows[rows["action"] == "purchase"].groupby("session")["item"].agg(set)
    for visit in compared.query("outcome in ('bought', 'went on') and target >= 0").itertuples():
        assert visit.target in bought[visit.Index] or visit.aim == "compare"
    for outcome in ("bought", "went on", "left", "browsing"):
        assert (visits["outcome"] == outcome).mean() > 0.1


def test_run_length_saves_a_quarter_of_the_tokens(world):
    rows = world.log.frame
    rows = rows[real(world)[rows["user"]]].sort_values(["session", "position"])
    one_a_row = one_a_run = 0
    for _, actions in rows.groupby("session")["action"]:
        runs = sum(1 for _ in itertools.groupby(actions))
        one_a_row += 2 + 2 * len(actions)
        one_a_run += 2 + len(actions) + runs
    assert 1 - one_a_run / one_a_row >= 0.25


def test_at_most_one_visit_a_day_and_consumables_run_out(world, rows):
    own = rows[rows["cause"] != "spam"]
    assert (own.groupby(["user", days(own["timestamp"])])["session"].nunique() == 1).all()
    again = world.truth["kinds"].set_index("kind")["again"]
    bought = own[own["action"] == "purchase"].assign(day=days(own["timestamp"]))
    novels = bought[bought["kind"].map(again) == "other"]
    assert not novels.duplicated(["user", "item"]).any()
    repeats = bought[bought["cause"] == "repeat"]
    assert (repeats["kind"].map(again) == "same").all()
    gap = bought.sort_values("position").groupby(["user", "kind"])["day"].diff()
    assert (gap[repeats.index] >= RUNS_OUT).all()
    assert len(repeats) > 500


def test_wishes_are_told_by_what_was_left(world, rows):
    truth = world.truth
    wishes, sides = truth["wishes"], truth["item_attributes"]
    level = sides.set_index(["item", "attribute"])["level"].to_dict()
    liking = truth["attribute_weights"].set_index(["user", "attribute"])["weight"].to_dict()
    price = world.catalogue.frame["price"]
    actions: dict[tuple[int, int], set] = {}
    for session, item, action in zip(rows["session"], rows["item"], rows["action"], strict=True):
        actions.setdefault((session, item), set()).add(action)
    start = rows.groupby("session")["timestamp"].first()
    done = wishes[wishes["outcome"] == "fulfilled"]
    assert len(done) > 300
    for wish in wishes.itertuples():
        left = actions[wish.opened, wish.left]
        assert "cart" in left
        assert "purchase" not in left
    for wish in done.itertuples():
        assert "purchase" in actions[wish.closed, wish.bought]
        if wish.told == "price":
            assert price[wish.bought] < price[wish.left]
        else:
            gain = level[wish.bought, wish.told] - level[wish.left, wish.told]
            assert gain * liking[wish.user, wish.told] > 0
        waited = start[wish.closed] - start[wish.opened]
        assert pd.Timedelta(0) < waited < pd.Timedelta(days=LAPSE + 2)
    # while it is open, the kind is bought for nothing else
    bought = rows[rows["action"] == "purchase"].merge(done, on=["user", "kind"])
    between = bought[bought["session"].between(bought["opened"], bought["closed"])]
    assert (between["session"] == between["closed"]).all()
    assert (done["visits"] >= 1).all()
    assert (done["visits"] > 1).any()


def test_spam_is_small_and_pushes_its_targets(world, rows):
    targets = world.truth["spam_targets"]
    assert 0.01 <= world.truth["users"]["spam"].mean() <= 0.02
    bought = rows[(rows["cause"] == "spam") & (rows["action"] == "purchase")]
    assert set(bought["item"]) <= set(targets["item"])


@pytest.mark.parametrize(
    ("category", "flag"),
    [("Horror novels", "holds_horror"), ("Baby & pregnancy", "holds_sensitive")],
)
def test_holders_and_people_to_match_them_with(world, rows, category, flag):
    users = world.truth["users"]
    count = rows[rows["category"] == category].groupby("user").size()
    count = count.reindex(users["user"], fill_value=0).to_numpy()
    activity = rows.groupby("user").size().reindex(users["user"]).to_numpy()
    holds = users[flag].to_numpy()
    assert 0.2 <= holds.mean() <= 0.3
    holders = holds & (count >= 3)
    never = (count == 0) & ~users["spam"].to_numpy()
    assert holders.sum() >= 60
    low, high = np.quantile(activity[holders], [0.1, 0.9])
    assert ((activity >= low) & (activity <= high) & never).sum() >= 100


def test_what_one_weighs_shows_in_what_one_buys(world, rows):
    """Across shoppers: price and every attribute, over the products bought by interest."""
    bought = rows[(rows["cause"] == "interest") & (rows["action"] == "purchase")]
    price = world.truth["items"]["price_z"].to_numpy()[bought["item"]]
    spent = pd.Series(price).groupby(bought["user"].to_numpy()).mean()
    weights = world.truth["users"]["weight_price"][spent.index]
    assert spearmanr(weights, spent).statistic < -0.2
    sides = bought.merge(world.truth["item_attributes"], on="item")
    own = sides.merge(world.truth["attribute_weights"], on=["user", "attribute"])
    by_attribute = (
        own.groupby("attribute")[["weight", "level"]].corr().xs("weight", level=1)["level"]
    )
    assert (by_attribute > 0.1).all()


def test_correlated_categories_and_drift_show_in_the_log(world, rows):
    users = world.truth["users"]
    for pair, flag in (
        ("Vitamins & supplements", "holds_sensitive"),
        ("Crime novels", "holds_horror"),
    ):
        share = (rows["category"] == pair).groupby(rows["user"]).mean()
        flagged = users.set_index("user")[flag][share.index]
        assert share[flagged].mean() > 1.2 * share[~flagged].mean()
    drifting = rows.merge(users[["user", "drift_day"]], on="user")
    moved = drifting["cause"] == "drift"
    assert moved.sum() > 300
    assert (days(drifting["timestamp"]) >= drifting["drift_day"])[moved].all()
    assert (drifting["drift_day"] >= 0)[moved].all()
