"""Intervals that contain what they should as often as they say."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from sklearn.metrics import roc_auc_score

from workbench.errors import DataError
from workbench.statistics import auc, bootstrap_mean, paired_auc, paired_bootstrap, wilson


def long(**levels):
    parts = [
        pd.DataFrame({"user": range(len(v)), "model": name, "value": v})
        for name, v in levels.items()
    ]
    return pd.concat(parts, ignore_index=True)


def test_pairing_cancels_what_units_share():
    rng = np.random.default_rng(0)
    hard = rng.normal(size=200)
    table = paired_bootstrap(long(a=hard, b=hard + 0.1 + rng.normal(scale=0.01, size=200)), "model")
    assert list(table.columns) == ["model", "minus", "estimate", "low", "high", "n"]
    a, b, difference = table.itertuples(index=False)
    assert a.low < b.estimate < a.high, "unpaired they cannot be told apart"
    assert (difference.model, difference.minus, difference.n) == ("b", "a", 200)
    assert 0.09 < difference.low < difference.estimate < difference.high < 0.11


def test_intervals_cover():
    rng = np.random.default_rng(1)
    hits = 0
    for seed in range(300):
        _, low, high = bootstrap_mean(rng.exponential(size=80), seed=seed, resamples=300)
        hits += low <= 1.0 <= high
    assert 0.89 <= hits / 300 <= 0.985


def test_intervals_cover_with_five_seeds_too():
    draws = np.random.default_rng(2).normal(size=(400, 5))
    table = pd.DataFrame(
        {"seed": np.tile(range(5), 400), "draw": np.repeat(range(400), 5), "value": draws.ravel()}
    )
    found = paired_bootstrap(table.assign(loss="a"), "loss", unit="seed", within=["draw"])
    covers = ((found["low"] <= 0) & (found["high"] >= 0)).mean()
    assert 0.92 <= covers <= 0.98  # a percentile bootstrap covers .84
    one = stats.ttest_1samp(draws[0], 0).confidence_interval(0.95)
    np.testing.assert_allclose(found.loc[0, ["low", "high"]].astype(float), one)


@given(hnp.arrays(np.float64, st.integers(2, 30), elements=st.floats(-1e3, 1e3)), st.integers(0, 5))
def test_a_mean_lies_in_its_interval_and_seeds_repeat(values, seed):
    estimate, low, high = found = bootstrap_mean(values, seed, resamples=200)
    assert low - 1e-9 <= estimate <= high + 1e-9
    if len(values) >= 20 and not np.isin(values, (0, 0.5, 1)).all():
        assert values.min() - 1e-9 <= low and high <= values.max() + 1e-9
    assert estimate == pytest.approx(values.mean())
    assert found == bootstrap_mean(values, seed, resamples=200)


def test_within_groups_and_units_that_lack_a_level():
    table = long(a=[1.0, 2.0, 3.0], b=[2.0, 3.0, 4.0]).assign(metric="ndcg", k=10)
    more = pd.concat([table.iloc[:-1], table.assign(metric="recall", value=table["value"] * 0 + 2)])
    found = paired_bootstrap(more, "model").set_index(["metric", "k", "model", "minus"])
    assert found.loc[("ndcg", 10, "b", "a"), ["estimate", "n"]].tolist() == [1.0, 2]
    level = found.loc[("recall", 10, "b", "a"), ["estimate", "low", "high", "n"]]
    assert level.tolist() == [0, 0, 0, 3]
    assert len(found) == 6


def test_a_unit_without_a_value_lacks_the_level():
    found = paired_bootstrap(long(a=[0.0, 1.0, np.nan], b=[0.5, 1.5, 9.0]), "model")
    assert found["n"].tolist() == [2, 3, 2] and found["estimate"].iloc[2] == 0.5


# --- shares ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [5, 20, 30, 100])
@pytest.mark.parametrize("share", [0.02, 0.05, 0.5, 0.95])
def test_intervals_of_shares_cover_however_few_or_rare(n, share):
    """Exactly, over every number of successes there can be."""
    successes = np.arange(n + 1)
    bounds = np.array([bootstrap_mean(np.arange(n) < s)[1:] for s in successes])
    covers = (bounds[:, 0] <= share) & (share <= bounds[:, 1])
    assert stats.binom.pmf(successes, n, share)[covers].sum() >= 0.88
    # never outside of what a share can be, never without width
    assert bounds.min() >= 0 and bounds.max() <= 1 and (np.diff(bounds) > 0).all()
    # over all shares together, as often as they say
    grid = np.linspace(0.02, 0.98, 97)
    inside = (bounds[:, :1] <= grid) & (grid <= bounds[:, 1:])
    assert (stats.binom.pmf(successes[:, None], n, grid) * inside).sum(axis=0).mean() >= 0.94


@pytest.mark.parametrize(("n", "gain", "loss"), [(20, 0.1, 0.0), (20, 0.05, 0.05), (30, 0.3, 0.1)])
def test_intervals_of_differences_of_shares_cover(n, gain, loss):
    """Exactly: gained and lost are all that counts, and every likely pair of them is asked."""
    pairs = [(g, s) for g in range(n + 1) for s in range(n + 1 - g)]
    chance = stats.multinomial.pmf(
        [(g, s, n - g - s) for g, s in pairs], n, [gain, loss, 1 - gain - loss]
    )
    likely = np.flatnonzero(chance > 1e-3)
    parts = []
    for at in likely:
        gained, lost = pairs[at]
        first, second = np.arange(n) < lost, (np.arange(n) >= lost) & (np.arange(n) < lost + gained)
        parts.append(long(a=first.astype(float), b=second.astype(float)).assign(draw=at))
    found = paired_bootstrap(pd.concat(parts), "model", within=["draw"]).query("minus == 'a'")
    covers = found["low"].le(gain - loss) & found["high"].ge(gain - loss)
    assert chance[found["draw"][covers]].sum() / chance[likely].sum() >= 0.93
    assert found["low"].ge(-1).all() and found["high"].le(1).all()
    assert (found["high"] - found["low"]).gt(0).all()
    assert found["estimate"].between(found["low"], found["high"]).all()


def test_shares_that_nobody_has_and_their_difference_have_a_width():
    none, all_of_them = np.zeros(5), np.ones(5)
    found = paired_bootstrap(long(a=none, b=all_of_them, c=none), "model")
    assert found[["estimate"]].squeeze().tolist() == [0, 1, 0, 1, 0]
    shares = found[found["minus"] == ""]
    assert [tuple(row) for row in shares[["low", "high"]].to_numpy()] == [
        wilson(0, 5),
        wilson(5, 5),
        wilson(0, 5),
    ]
    (_, up), (_, level) = found[found["minus"] == "a"].iterrows()
    assert 0 < up["low"] < up["high"] == 1 and level["low"] == -level["high"] < 0


def test_differences_that_happen_to_be_zeros_and_ones_are_no_share():
    # counts: the second has one more, or as many
    found = paired_bootstrap(long(a=[2.0, 3.0, 4.0], b=[3.0, 3.0, 5.0]), "model").iloc[2]
    want = stats.ttest_1samp([1.0, 0.0, 1.0], 0).confidence_interval(0.95)
    assert (found["low"], found["high"]) == pytest.approx((want.low, want.high))


def test_ties_of_pairs_count_half():
    assert paired_auc(np.zeros(9), np.zeros(9)) == (0.5, *wilson(4.5, 9))
    won = np.r_[np.ones(29), 0]
    assert paired_auc(won, np.zeros(30))[1:] == wilson(29.5, 30)


def test_few_values_have_students_interval():
    values = np.random.default_rng(3).normal(size=19)
    want = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert bootstrap_mean(values)[1:] == pytest.approx((want.low, want.high))


def test_wilson_is_that_of_scipy():
    for successes, n in ((0, 1), (1, 1), (3, 7), (0, 40), (40, 40)):
        want = stats.binomtest(successes, n).proportion_ci(method="wilson")
        assert wilson(successes, n) == pytest.approx((want.low, want.high), abs=1e-12)


def test_too_few_and_wrong_input():
    assert np.isnan(bootstrap_mean(np.array([2.0]))[1]) and np.isnan(
        bootstrap_mean(np.array([]))[0]
    )
    with pytest.raises(DataError, match="1 of 2 values are missing"):
        bootstrap_mean(np.array([1.0, np.nan]))
    with pytest.raises(DataError, match="no column 'score'"):
        paired_bootstrap(long(a=[1.0]), "model", value="score")
    for wrong in ({"value": "x"}, {"model": None}):
        with pytest.raises(
            DataError, match="a row without model or user, or a value that is no number"
        ):
            paired_bootstrap(long(a=[1.0]).assign(**wrong), "model")
    with pytest.raises(DataError, match="occurs twice"):
        paired_bootstrap(pd.concat([long(a=[1.0])] * 2), "model")
    with pytest.raises(DataError, match="one value each per pair"):
        paired_auc(np.zeros(2), np.zeros(3))
    with pytest.raises(DataError, match="3 of 2"):
        wilson(3, 2)


@given(st.integers(1, 50), st.data())
def test_wilson_solves_its_equation(n, data):
    successes = data.draw(st.integers(0, n))
    z = 1.959963984540054
    # the bounds are the shares p whose z-test against the data is on the edge
    for bound in wilson(successes, n):
        share = successes / n
        assert (share - bound) ** 2 == pytest.approx(z**2 * bound * (1 - bound) / n, abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=20))
def test_paired_auc_counts_pairs(pairs):
    a, b = np.array(pairs).T
    want = sum(1.0 if x > y else 0.5 if x == y else 0.0 for x, y in pairs) / len(pairs)
    assert paired_auc(a, b)[0] == pytest.approx(want)
    assert paired_auc(b, a)[0] == pytest.approx(1 - want)


# --- AUC ------------------------------------------------------------------------------------------

FEW_VALUES = st.integers(-3, 3).map(float) | st.sampled_from([np.inf, -np.inf, np.nan])


@given(st.lists(st.tuples(FEW_VALUES, st.booleans(), st.integers(0, 3)), max_size=20))
def test_auc_is_the_share_of_pairs(rows):
    values, mark, weight = (np.array([row[at] for row in rows]) for at in range(3))
    known = [row for row in rows if not np.isnan(row[0])]
    won = pairs = 0.0
    for high, _, often in (row for row in known if row[1]):
        for low, _, also in (row for row in known if not row[1]):
            won += often * also * ((high > low) + 0.5 * (high == low))
            pairs += often * also
    found = auc(values, mark.astype(bool), weight)
    assert found == won / pairs if pairs else np.isnan(found)
    # several weights at once are each of them alone
    both = auc(values, mark.astype(bool), np.array([weight, np.ones(len(rows))]))
    assert np.array_equal(both, [found, auc(values, mark.astype(bool))], equal_nan=True)


@given(
    st.lists(st.tuples(st.floats(-5, 5), st.booleans(), st.integers(1, 4)), min_size=2, max_size=40)
)
def test_auc_is_that_of_scikit_learn(rows):
    values, mark, weight = (np.array([row[at] for row in rows]) for at in range(3))
    if mark.all() or not mark.any():
        assert np.isnan(auc(values, mark))
        return
    assert auc(values, mark, weight) == pytest.approx(
        roc_auc_score(mark, values, sample_weight=weight)
    )


def test_the_statistics_do_not_load_scikit_learn():
    code = "import sys, workbench.statistics; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_share_lies_within_its_interval():
    # an error bar may not be negative: at 0 and at n rounding puts a bound past the share
    for n in (8, 9, 51, 93, 164):
        for successes in range(n + 1):
            low, high = wilson(successes, n)
            assert low <= successes / n <= high
