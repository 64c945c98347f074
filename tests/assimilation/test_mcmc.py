"""Metropolis and differential evolution against exact answers; batches; bad input."""

import numpy as np
import pytest
from scipy import stats

from landcarbon.assimilation import (
    DifferentialEvolution,
    Metropolis,
    Posterior,
    Prior,
    sample,
)
from landcarbon.assimilation.streams import site_generator
from landcarbon.matrix.errors import InputError
from landcarbon.models.parameters import Parameter, ParameterTable

UNIFORM = Prior(
    ParameterTable([Parameter("k", "1/yr", 0.1, 2.0, 0.5), Parameter("q10", "1", 1.2, 3.0, 2.0)])
)


def normal(x):
    return -0.5 * (x**2).sum(-1)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("metropolis", {}),
        ("differential-evolution", {}),
        ("differential-evolution", {"snooker": 0.9}),  # wrong without its |x' - c|^(p-1)
    ],
)
def test_chains_equal_the_exact_posterior(linear_gaussian, method, options):
    _, data = linear_gaussian.simulate((4,), rng=31)
    mean, cov = linear_gaussian.exact(data)
    posterior = linear_gaussian.posterior(data)
    walk = sample(posterior, method, rng=32, n_chains=32, n_warmup=300, n_draws=2000, **options)
    z = linear_gaussian.prior.to_real(walk.ensemble().draws)
    sd = np.sqrt(np.diag(cov))
    np.testing.assert_allclose((z.mean(-2) - mean) / sd, 0.0, atol=0.05)
    np.testing.assert_allclose(z.std(-2) / sd, 1.0, atol=0.05)
    np.testing.assert_allclose(np.corrcoef(z[0].T)[0, 1], cov[0, 1] / (sd[0] * sd[1]), atol=0.05)
    assert (walk.rhat() < 1.02).all()


def test_acceptance_is_steered():
    walk = Metropolis(n_warmup=600, n_draws=600, target_accept=0.4).chains(
        normal, np.zeros((20, 3)), rng=1
    )
    assert walk.accept_rate.mean() == pytest.approx(0.4, abs=0.04)


def test_past_states_span_a_thin_ridge():
    """Differences of past states point along a ridge 100 times longer than wide."""
    cov = np.array([[1.0, 0.9999], [0.9999, 1.0]])
    inverse = np.linalg.inv(cov)

    def ridge(x):
        return -0.5 * (x @ inverse * x).sum(-1)

    start = np.random.default_rng(1).standard_normal((30, 2))
    walk = DifferentialEvolution(n_warmup=1500, n_draws=1500).chains(ridge, start, rng=2)
    x = walk.draws.reshape(-1, 2)
    np.testing.assert_allclose(np.cov((x @ np.array([[1, 1], [1, -1]])).T.round(12)).diagonal(),
                               [2 * 1.9999, 2 * 0.0001], rtol=0.1)  # fmt: skip
    assert (walk.rhat() < 1.02).all()


def test_without_data_a_uniform_prior_gives_uniform_samples():
    posterior = Posterior(UNIFORM, likelihood=lambda theta: np.zeros(theta.shape[:-1]))
    walk = sample(posterior, "metropolis", rng=61, n_chains=40, n_warmup=500, n_draws=1000)
    u = UNIFORM.to_unit(walk.draws[:, ::40]).reshape(-1, 2)
    assert all(stats.kstest(column, "uniform").pvalue > 0.01 for column in u.T)
    np.testing.assert_allclose(UNIFORM.to_unit(walk.ensemble().draws).var(0), 1 / 12, rtol=0.05)

    # Without the Jacobian the density has no mass inside: the chains run away to the bounds.
    def bare(z):
        return UNIFORM.log_density(UNIFORM.from_real(z))

    start = UNIFORM.to_real(UNIFORM.sample(40, rng=62))
    walk = Metropolis(n_warmup=100, n_draws=400).chains(bare, start, rng=63)
    away = UNIFORM.from_real(walk.draws)
    wrong = UNIFORM.to_unit(away[:, ::40]).reshape(-1, 2)
    assert all(stats.kstest(column, "uniform").pvalue < 1e-6 for column in wrong.T)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("metropolis", {"n_chains": 4, "n_warmup": 100, "n_draws": 50}),
        ("differential-evolution", {"n_chains": 4, "n_warmup": 100, "n_draws": 50}),
        ("hmc", {"n_chains": 4, "n_warmup": 100, "n_draws": 30, "gradient": "numerical"}),
        ("smc", {"n_draws": 100}),
        ("importance", {"n_draws": 500}),
        ("es-mda", {"n_members": 50}),
    ],
)
def test_batched_equals_one_site_at_a_time(linear_gaussian, method, options):
    _, data = linear_gaussian.simulate((3,), rng=71)
    data = data * np.array([[1.0], [4.0], [0.1]])  # sites that take different numbers of steps

    def run(positions):
        rngs = [site_generator(5, k) for k in positions]
        return sample(linear_gaussian.posterior(data[positions]), method, rngs, **options)

    whole = run([0, 1, 2])
    for k in range(3):
        np.testing.assert_allclose(whole[k].draws, run([k])[0].draws, rtol=1e-8)


@pytest.mark.parametrize("sampler", [Metropolis, DifferentialEvolution])
def test_rejected_proposals_repeat_the_state(sampler):
    start = np.random.default_rng(2).standard_normal((5, 2))
    walk = sampler(n_warmup=200, n_draws=500).chains(normal, start, rng=1)
    stayed = (np.diff(walk.draws, axis=-2) == 0).all(-1).mean(-1)
    np.testing.assert_allclose(stayed, 1 - walk.accept_rate, atol=0.01)


def test_a_narrow_posterior_is_found_from_the_tempered_start():
    """Chains from the prior still stand where they began; from the population they agree."""
    posterior = Posterior(UNIFORM, likelihood=lambda th: -0.5 * (((th - 1.9) / 1e-3) ** 2).sum(-1))
    options = {"n_chains": 8, "n_warmup": 300, "n_draws": 600}
    found = sample(posterior, "metropolis", rng=3, **options)
    assert (found.rhat() < 1.05).all()
    np.testing.assert_allclose(found.mean(), 1.9, atol=2e-4)
    assert (sample(posterior, "metropolis", rng=3, start="prior", **options).rhat() > 1.2).any()


def nothing(theta):
    return np.zeros(theta.shape[:-1])


CHAINS = Metropolis().chains


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: sample(p, "nuts"), "no sampling method 'nuts'; known are metropolis"),
        (lambda p: sample(p, "metropolis", n_chain=3), "no option 'n_chain'; did you mean 'n_chains'"),
        (lambda p: sample(p, "metropolis", n_chains=0), "n must be a whole number|n_chains must"),
        (lambda p: sample(p, "metropolis", n_warmup=5), "at least 100 steps to learn"),
        (
            lambda p: sample(p, "metropolis", target_accept=1.5),
            r"target_accept must lie between 0 and 1",
        ),
        (
            lambda p: sample(p, "differential-evolution", snooker=2.0),
            r"snooker must lie between 0 and 1",
        ),
        (
            lambda p: DifferentialEvolution().chains(normal, np.zeros((2, 2))),
            r"archive has shape \(2, 2\); .*more than 2.*Start more chains",
        ),
        (lambda p: sample(p, "es-mda"), "a likelihood alone is not enough"),
        (
            lambda p: sample(p, "importance", n_draws=20)[0],
            "one site",
        ),
        (
            lambda p: CHAINS(lambda x: nothing(x) - np.inf, np.zeros((2, 1))),
            "density zero",
        ),
        (lambda p: CHAINS(lambda x: nothing(x) * np.nan, np.zeros((2, 1))), "NaN at"),
        (lambda p: CHAINS(lambda x: x, np.zeros((2, 1))), "one number a chain"),
        (lambda p: CHAINS(nothing, np.zeros(3)), "start must end in axes"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call(Posterior(UNIFORM, likelihood=nothing))
