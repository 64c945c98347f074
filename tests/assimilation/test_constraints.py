"""Rules on the prior: counted, and kept by a sampler."""

import numpy as np
import pytest

from landcarbon.assimilation import GaussianLikelihood, Posterior, Prior, sample
from landcarbon.assimilation.constraints import Constraints
from landcarbon.matrix.errors import InputError
from landcarbon.models.parameters import Parameter, ParameterTable

PRIOR = Prior(ParameterTable([Parameter(n, "1", 0.0, 1.0, 0.5) for n in ("a", "b", "c")]))
RULES = {
    "a below b": lambda p: p["a"] < p["b"],
    "b below c": lambda p: p["b"] < p["c"],
    "a below c": lambda p: p["a"] < p["c"],
}


def test_counts_of_an_ordering():
    """Of three uniform numbers one in six is in order; the third rule follows from the others."""
    table = Constraints(PRIOR, RULES).count(PRIOR.sample(60_000, rng=1))
    np.testing.assert_allclose(table["passes"], [1 / 2, 1 / 2, 1 / 2, 1 / 6], atol=0.01)
    alone = table["only this fails"].iloc[:3]
    np.testing.assert_allclose(alone, [1 / 6, 1 / 6, 0.0], atol=0.01)
    assert alone["a below c"] == 0.0 and list(table.index) == [*RULES, "all"]


def test_evidence_of_rules_is_the_share_that_passes():
    rules = Constraints(PRIOR, RULES)
    ensemble = sample(rules.on(), "smc", rng=2, n_draws=4000)
    assert np.exp(ensemble.log_evidence) == pytest.approx(1 / 6, rel=0.1)
    assert rules.holds(ensemble.draws).all()
    np.testing.assert_allclose(ensemble.mean(), [0.25, 0.5, 0.75], atol=0.02)


def test_data_and_rules_together():
    posterior = Posterior(PRIOR, lambda theta: theta[..., :1], GaussianLikelihood([0.6], 0.1))
    under = Constraints(PRIOR, RULES).on(posterior)
    ensemble = sample(under, "importance", rng=3, n_draws=40_000)
    a = np.linspace(0, 1, 2001)
    p = np.exp(-0.5 * ((a - 0.6) / 0.1) ** 2) * (1 - a) ** 2  # the other two lie above a, in order
    assert ensemble.mean()[0] == pytest.approx((a * p).sum() / p.sum(), abs=0.005)
    assert Constraints(PRIOR, RULES).holds(ensemble.draws[ensemble.weight > 0]).all()


def test_sites_keep_their_axis():
    data = GaussianLikelihood([[0.2], [0.8]], 0.05)
    posterior = Posterior(PRIOR, lambda theta: theta[..., :1], data)
    ensemble = sample(Constraints(PRIOR, RULES).on(posterior), "importance", rng=4, n_draws=3000)
    assert ensemble.draws.shape == (2, 3000, 3) and ensemble.mean()[1, 1] > 0.8


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Constraints(PRIOR, {}), "at least one rule"),
        (lambda: Constraints(PRIOR, {"a": True}), "at least one rule"),
        (
            lambda: Constraints(PRIOR, {"a": lambda p: p["a"]}).holds([0.1, 0.2, 0.3]),
            r"'a' returned float64 of shape \(\); one True or False",
        ),
        (lambda: Constraints(PRIOR, {"a": lambda p: True}).holds([[0.1, 0.2, 0.3]]), "one True or"),
        (
            lambda: Constraints(PRIOR, RULES).on(
                Posterior(Prior(PRIOR.table.subset(["a"])), likelihood=lambda theta: theta[..., 0])
            ),
            "the rules are on a, b, c, but the posterior is of a",
        ),
    ],
)
def test_bad_rules(call, message):
    with pytest.raises(InputError, match=message):
        call()
