"""Importance sampling and tempered SMC against exact posteriors and evidences; bad input."""

import warnings

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from landcarbon.assimilation import Prior, importance_sampling, problems, sample, tempered_smc
from landcarbon.assimilation.draws import ConvergenceWarning
from landcarbon.assimilation.problems import banana
from landcarbon.matrix.errors import InputError
from landcarbon.models.parameters import Parameter, ParameterTable

UNIFORM = Prior(ParameterTable([Parameter("k", "1/yr", 0.1, 2.0, 0.5)]))


def test_importance_sampling_equals_the_exact_posterior_and_evidence(linear_gaussian):
    _, data = linear_gaussian.simulate((4,), rng=41)
    mean, cov = linear_gaussian.exact(data)
    ensemble = sample(linear_gaussian.posterior(data), "importance", rng=42, n_draws=40_000)
    z = linear_gaussian.prior.to_real(ensemble.draws)
    w = ensemble.weight[..., None]
    np.testing.assert_allclose(((w * z).sum(-2) - mean) / np.sqrt(np.diag(cov)), 0.0, atol=0.05)
    error = (
        ensemble.log_evidence - linear_gaussian.exact_log_evidence(data)
    ) / ensemble.log_evidence_error
    assert (np.abs(error) < 3.5).all()
    assert ((ensemble.ess > 100) & (ensemble.ess < 40_000)).all()


def test_tempered_smc_equals_the_exact_posterior_and_evidence(linear_gaussian):
    _, data = linear_gaussian.simulate((4,), rng=43)
    mean, cov = linear_gaussian.exact(data)
    sd = np.sqrt(np.diag(cov))
    ensemble = sample(linear_gaussian.posterior(data), "smc", rng=44, n_draws=4000)
    z = linear_gaussian.prior.to_real(ensemble.draws)
    np.testing.assert_allclose((z.mean(-2) - mean) / sd, 0.0, atol=0.08)
    np.testing.assert_allclose(z.std(-2) / sd, 1.0, atol=0.05)
    error = ensemble.log_evidence - linear_gaussian.exact_log_evidence(data)
    assert (np.abs(error) < 4 * ensemble.log_evidence_error).all()


@pytest.mark.parametrize("method", ["importance", "smc"])
def test_evidence_error_is_the_spread_of_repeated_runs(linear_gaussian, method):
    _, data = linear_gaussian.simulate((), rng=45)
    same = np.broadcast_to(data, (300, 2))
    runs = sample(linear_gaussian.posterior(same), method, rng=46, n_draws=500)
    assert runs.log_evidence.std() == pytest.approx(runs.log_evidence_error.mean(), rel=0.2)


def test_tempering_reaches_where_importance_sampling_cannot():
    """One prior draw in ten million lies near the data; the evidence is known."""
    centre, sd = np.array([4.0, -3.0, 2.0]), 0.02

    def log_prior(z):
        return multivariate_normal(np.zeros(3)).logpdf(z)

    def log_likelihood(z):
        return multivariate_normal(centre, sd**2).logpdf(z)

    start = np.random.default_rng(1).standard_normal((1000, 3))
    ensemble = tempered_smc(log_likelihood, log_prior, start, rng=2)
    exact = multivariate_normal(np.zeros(3), 1.0 + sd**2).logpdf(centre)
    np.testing.assert_allclose(ensemble.mean(), centre / (1 + sd**2), atol=0.004)
    np.testing.assert_allclose(ensemble.sd(), sd, rtol=0.1)
    assert ensemble.log_evidence == pytest.approx(exact, abs=0.6)


def test_impossible_regions_are_left_out():
    """ln L is -inf on half of the prior; the evidence is the other half."""
    start = np.random.default_rng(3).standard_normal((2000, 1))
    half = tempered_smc(
        lambda z: np.where(z[..., 0] > 0, 0.0, -np.inf),
        lambda z: -0.5 * (z**2).sum(-1),
        start,
        rng=4,
    )
    assert (half.draws > 0).all()
    assert half.log_evidence == pytest.approx(np.log(0.5), abs=0.06)


@pytest.mark.parametrize("method", ["importance", "smc"])
def test_chunks_of_draws_change_nothing(linear_gaussian, method):
    _, data = linear_gaussian.simulate((2,), rng=81)
    posterior = linear_gaussian.posterior(data)
    whole = sample(posterior, method, rng=1, n_draws=700, chunk=700)
    parts = sample(posterior, method, rng=1, n_draws=700, chunk=99)
    np.testing.assert_allclose(whole.draws, parts.draws, rtol=1e-12)
    np.testing.assert_allclose(whole.weight, parts.weight, rtol=1e-12)


def zero(z):
    return np.zeros(z.shape[:-1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: sample(p, "importance", n_draws=0), "n_draws must be a whole number"),
        (lambda p: sample(p, "smc", n_draws=5), "at least 20 particles"),
        (lambda p: sample(p, "smc", ess=1.0), "ess must lie between 0 and 1"),
        (lambda p: sample(p, "smc", forget=0.0), "forget must lie between 0 and 1"),
        (lambda p: sample(p, "metropolis", start="zero"), "use 'tempered' or 'prior'"),
        (
            lambda p: importance_sampling(lambda th: zero(th) - np.inf, UNIFORM),
            "contradict the prior",
        ),
        (lambda p: importance_sampling(lambda th: th, UNIFORM), "one number a draw"),
        (
            lambda p: tempered_smc(lambda z: zero(z) * np.nan, zero, np.zeros((30, 1))),
            "no NaN; it returned shape .30,. with 30 NaN",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call(banana())


def funnel(p, width, rng, n=1000):
    """Neal's funnel, a normalised density, from a wide normal start: its ln Z is 0."""

    def prior(z):
        return norm.logpdf(z, 0, width).sum(-1)

    def likelihood(z):
        inner = norm.logpdf(z[..., 1:], 0, np.exp(z[..., :1] / 2)).sum(-1)
        return norm.logpdf(z[..., 0], 0, 3) + inner - prior(z)

    start = width * np.random.default_rng(rng).standard_normal((n, p))
    return tempered_smc(likelihood, prior, start, rng=rng)


def test_evidence_says_when_it_is_not_to_be_trusted():
    with pytest.warns(ConvergenceWarning, match="Do not trust ln Z"):
        found = funnel(10, 10.0, 1)
    assert found.stuck > 0.015
    assert found.log_evidence < -5 * found.log_evidence_error  # and it is right not to


def test_what_particles_can_walk_is_not_suspected():
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        for posterior in (problems.gaussian(), problems.banana(0.1), problems.incubation()):
            assert sample(posterior, "smc", 1, n_draws=1000).stuck < 0.01
