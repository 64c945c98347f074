"""Priors stated as distributions: densities of scipy, one bell in real coordinates, shares, bad input."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from landcarbon.assimilation import GaussianLikelihood, Posterior, sample
from landcarbon.assimilation.stated import (
    StatedPrior,
    beta,
    dirichlet,
    half_normal,
    log_normal,
    log_uniform,
    normal,
    uniform,
)
from landcarbon.matrix.errors import InputError

KINDS = {
    "a": normal(3.0, 2.0), "b": log_normal(0.02, 3.0), "c": half_normal(0.4), "d": beta(2.0, 5.0),
    "e": uniform(-1.0, 4.0), "f": log_uniform(1e-3, 10.0), "g": stats.gamma(3.0),
}  # fmt: skip
PRIOR = StatedPrior(KINDS)


def test_coordinates_lead_back_and_densities_are_those_of_scipy():
    theta = PRIOR.sample(500, rng=1)
    np.testing.assert_allclose(PRIOR.from_real(PRIOR.to_real(theta)), theta, rtol=1e-9)
    expected = sum(part.logpdf(theta[:, k]) for k, part in enumerate(KINDS.values()))
    np.testing.assert_allclose(PRIOR.log_density(theta), expected, rtol=1e-12)
    for k, part in enumerate(KINDS.values()):
        assert stats.kstest(theta[:, k], part.cdf).pvalue > 0.001


def test_the_density_in_real_coordinates_has_the_jacobian():
    """p(z) = p(theta) dtheta/dz, the slope by differences."""
    z = np.random.default_rng(2).normal(size=(20, 7))
    h = 1e-5
    slope = (PRIOR.from_real(z + h) - PRIOR.from_real(z - h)) / (2 * h)
    expected = PRIOR.log_density(PRIOR.from_real(z)) + np.log(slope).sum(-1)
    np.testing.assert_allclose(PRIOR.log_density_real(z), expected, rtol=1e-6)
    up, down = (PRIOR.log_density_real(z + s * h * np.eye(7)[0]) for s in (1, -1))
    np.testing.assert_allclose(PRIOR.gradient_real(z)[:, 0], (up - down) / (2 * h), atol=1e-6)


def test_shares_are_those_of_a_dirichlet():
    prior = StatedPrior({"k": normal(0, 1), ("x", "y", "z"): dirichlet(2.0, 3.0, 1.5, 0.7)})
    theta = prior.sample(40_000, rng=3)
    shares = np.column_stack([theta[:, 1:], 1 - theta[:, 1:].sum(-1)])
    exact = stats.dirichlet([2.0, 3.0, 1.5, 0.7])
    np.testing.assert_allclose(shares.mean(0), exact.mean(), atol=0.005)
    np.testing.assert_allclose(np.cov(shares.T), exact.cov(), atol=0.002)
    density = [exact.logpdf(s) for s in shares[:50]] + stats.norm.logpdf(theta[:50, 0])
    np.testing.assert_allclose(prior.log_density(theta[:50]), density, rtol=1e-9)
    np.testing.assert_allclose(prior.from_real(prior.to_real(theta[:50])), theta[:50], rtol=1e-9)


@pytest.mark.parametrize(("method", "options"), [("smc", {"n_draws": 4000}), ("hmc", {"gradient": "numerical"})])
def test_samplers_take_them(method, options):
    """One datum on a log-normal parameter, its mean by quadrature."""
    prior = StatedPrior({"k": log_normal(1.0, 2.0)})
    posterior = Posterior(prior, lambda theta: theta, GaussianLikelihood([2.0], 0.5))
    found = sample(posterior, method, rng=1, **options)

    def weight(k):
        return stats.lognorm(s=np.log(2.0)).pdf(k) * stats.norm.pdf(k, 2.0, 0.5)

    mean = quad(lambda k: k * weight(k), 0, 20)[0] / quad(weight, 0, 20)[0]
    assert found.mean()[0] == pytest.approx(mean, abs=0.03)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: StatedPrior({}), "stated for nothing"),
        (lambda: StatedPrior({"k": 3.0}), "prior of 'k' is 3.0; state a distribution"),
        (lambda: StatedPrior({("a", "b"): dirichlet(1, 1)}), "need a dirichlet of 3 numbers"),
        (lambda: StatedPrior({"k": dirichlet(1, 1)}), "state a distribution"),
        (lambda: StatedPrior({"a": normal(0, 1), ("a",): dirichlet(1, 1)}), "one a parameter"),
        (lambda: log_normal(1.0, 1.0), "A factor above 1"),
        (lambda: normal(0.0, 0.0), "sd must be above 0"),
        (lambda: uniform(2.0, 1.0), "must be below"),
        (lambda: dirichlet(1.0), "two numbers at least"),
        (lambda: PRIOR.check(np.full(7, -1.0)), "'b' holds -1 impossible"),
    ],
)
def test_bad_priors(call, message):
    with pytest.raises(InputError, match=message):
        call()
