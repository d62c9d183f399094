"""Membership: the likelihood ratio against SciPy's normals and its closed form; shadows."""

import numpy as np
import pytest
from scipy.stats import norm

from workbench.errors import ConfigError
from workbench.unlearning.audit import membership_inference, shadow_models
from workbench.unlearning.audit.membership import caught, likelihood_ratio
from workbench.unlearning.audit.population import pooled_auc


def gaussian(shift, rows=400, shadows=64, seed=0):
    """Rows of very different places; a member stands `shift` above a stranger, seeds 1."""
    rng = np.random.default_rng(seed)
    place = rng.normal(0, 20, rows)
    inside = np.stack([rng.permutation(np.arange(shadows) % 2 == 0) for _ in range(rows)], axis=1)
    seen = place + shift * inside + rng.normal(size=(shadows, rows))
    members, strangers = (place + s + rng.normal(size=(8, rows)) for s in (shift, 0))
    return members, strangers, seen, inside


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.5])
def test_membership_of_gaussian_scores_has_its_closed_form(shift):
    members, strangers, seen, inside = gaussian(shift, shadows=400)
    told = [likelihood_ratio(one, seen, inside) for one in (members, strangers)]
    assert pooled_auc(*told).mean() == pytest.approx(norm.cdf(shift / 2**0.5), abs=0.03)
    want = norm.sf(norm.isf(0.01) - shift)
    assert caught(*told).mean() == pytest.approx(want, abs=0.05)
    # one threshold for all rows sees next to nothing of it
    assert abs(pooled_auc(members, strangers).mean() - 0.5) < 0.05


def test_the_likelihood_ratio_is_that_of_two_normals():
    members, _, seen, inside = gaussian(1.0, rows=5, shadows=32)
    found = likelihood_ratio(members, seen, inside)
    for row in range(5):
        one, two = seen[inside[:, row], row], seen[~inside[:, row], row]
        spread = ((one.var() * len(one) + two.var() * len(two)) / 30) ** 0.5
        want = norm.logpdf(members[:, row], one.mean(), spread)
        want -= norm.logpdf(members[:, row], two.mean(), spread)
        np.testing.assert_allclose(found[:, row], want)


def test_shadows_leave_each_request_out_sixteen_times(shop):
    fitted, saw = shadow_models(shop.model, shop.scenario, shop.done)
    assert ((~saw).sum(axis=0) == 16).all() and (saw.sum(axis=0) == 16).all()
    asked = (shop.models, shop.retrained, shop.scenario, shop.done)
    found = membership_inference(*asked, shadows=(fitted, saw))
    assert found.line("no-op", "membership: AUC")["fires"]
    assert found.line("no-op", "membership: TPR at 1% FPR")["fires"]
    assert not found.table.loc[found.table["row"] != "no-op", "fires"].any()


@pytest.mark.parametrize("n", [16, 33])
def test_too_few_shadows_are_refused(shop, n):
    with pytest.raises(ConfigError, match="leave a request out"):
        shadow_models(shop.model, shop.scenario, shop.done, n=n)
