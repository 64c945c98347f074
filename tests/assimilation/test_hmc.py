"""Hamiltonian Monte Carlo: exact answers, energy, divergences, adaptation, bad input."""

import numpy as np
import pytest
from scipy.stats import norm

from landcarbon.assimilation import (
    GaussianLikelihood,
    Hamiltonian,
    Posterior,
    Prior,
    problems,
    sample,
)
from landcarbon.assimilation.hmc import halton
from landcarbon.matrix.errors import InputError
from landcarbon.models.parameters import Parameter, ParameterTable


def normal(x):
    return -0.5 * (x**2).sum(-1), -x


def test_a_normal_in_fifty_dimensions_with_scales_from_one_to_a_thousand():
    sd = np.logspace(0, 3, 50)

    def density(x):
        return -0.5 * ((x / sd) ** 2).sum(-1), -x / sd**2

    start = sd * np.random.default_rng(1).standard_normal((16, 50))
    walk = Hamiltonian(n_warmup=400, n_draws=400).chains(density, start, rng=2)
    x = walk.draws.reshape(-1, 50) / sd
    np.testing.assert_allclose(x.mean(0), 0.0, atol=4 / np.sqrt(walk.ess().min()))
    np.testing.assert_allclose(x.std(0), 1.0, atol=0.08)
    assert (walk.rhat() < 1.02).all()
    assert walk.accept_rate.mean() == pytest.approx(0.8, abs=0.08)
    assert not walk.diverging.any()


@pytest.mark.parametrize("gradient", ["adjoint", "numerical"])
def test_equals_the_exact_posterior(linear_gaussian, gradient):
    _, data = linear_gaussian.simulate((4,), rng=3)
    mean, cov = linear_gaussian.exact(data)
    posterior, z_of = linear_gaussian.posterior(data), linear_gaussian.prior.to_real
    walk = sample(posterior, "hmc", 4, gradient=gradient, n_chains=16, n_warmup=200, n_draws=150)
    z, sd = z_of(walk.ensemble().draws), np.sqrt(np.diag(cov))
    np.testing.assert_allclose((z.mean(-2) - mean) / sd, 0.0, atol=4 / np.sqrt(walk.ess().min()))
    np.testing.assert_allclose(z.std(-2) / sd, 1.0, atol=3 / np.sqrt(walk.ess().min()))
    np.testing.assert_allclose(np.corrcoef(z[0].T)[0, 1], cov[0, 1] / (sd[0] * sd[1]), atol=0.1)


def test_a_wrong_gradient_costs_acceptance_not_truth():
    def crooked(x):
        return -0.5 * (x**2).sum(-1), -x + 0.3

    walk = Hamiltonian(n_warmup=300, n_draws=500).chains(crooked, np.zeros((32, 2)), rng=4)
    np.testing.assert_allclose(walk.draws.mean((0, 1)), 0.0, atol=0.05)
    np.testing.assert_allclose(walk.draws.std((0, 1)), 1.0, atol=0.05)


def test_a_cliff_is_counted_as_divergence():
    """Beyond x = 1.5 the gradient pushes a trajectory off to where nothing is possible."""

    def cliff(x):
        steep = np.maximum(x - 1.5, 0.0)
        return (-0.5 * x**2 - 1e6 * steep**4).sum(-1), -x - 4e6 * steep**3

    with np.errstate(over="ignore"):
        walk = Hamiltonian(n_warmup=100, n_draws=200).chains(cliff, np.full((8, 1), -1.0), 5)
    assert walk.diverging.shape == (8, 200)
    assert walk.diverging.any()
    assert (walk.draws < 1.6).all()


def test_no_number_on_a_trajectory_is_a_divergence_and_not_the_end():
    """Beyond x = 1.5 the model has no number; what is left is the normal cut off there."""

    def halting(x):
        out = x > 1.5
        return np.where(out, np.nan, -0.5 * x**2).sum(-1), np.where(out, np.nan, -x)

    walk = Hamiltonian(n_warmup=300, n_draws=1000).chains(halting, np.full((16, 1), -1.0), 5)
    assert walk.diverging.any() and (walk.draws <= 1.5).all()
    cut = -norm.pdf(1.5) / norm.cdf(1.5)  # mean of a normal cut off at 1.5
    assert walk.mean()[0] == pytest.approx(cut, abs=0.03)
    with pytest.raises(InputError, match="NaN at"):
        Hamiltonian().chains(halting, np.full((4, 1), 2.0), 5)


@pytest.mark.parametrize("gradient", ["adjoint", "numerical"])
def test_a_model_without_numbers_somewhere_does_not_end_a_run(gradient):
    prior = Prior(ParameterTable([Parameter("k", "1", 0.0, 1.0, 0.5)]))

    def model_vjp(theta):
        with np.errstate(invalid="ignore"):
            h = np.sqrt(0.8 - theta)
        return h, lambda g: -0.5 * g / h

    data = GaussianLikelihood([np.sqrt(0.5)], 0.05)
    posterior = Posterior(prior, observations=data, model_vjp=model_vjp)
    flat = Posterior(prior, likelihood=lambda theta: -(((theta[..., 0] - 0.3) / 0.1) ** 2))
    begin = prior.to_real(sample(flat, "importance", 1, n_draws=400).resample(8, 1).draws)
    hmc = Hamiltonian(n_warmup=200, n_draws=200, gradient=gradient)
    walk = hmc.chains(hmc.density(posterior), begin, 2)
    assert np.isfinite(walk.draws).all() and (prior.from_real(walk.draws) < 0.8).all()
    assert walk.rhat().max() < 1.05


def test_lengths_of_trajectories_fill_the_interval_evenly():
    assert [halton(k) for k in range(1, 8)] == [0.5, 0.25, 0.75, 0.125, 0.625, 0.375, 0.875]


CHAINS = Hamiltonian().chains


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: CHAINS(lambda x: (normal(x)[0], x[..., :1]), np.zeros((3, 2))),
            r"gradient has shape \(3, 1\) for states of shape \(3, 2\), but \(3, 2\) is expected",
        ),
        (
            lambda: CHAINS(lambda x: (normal(x)[0], x * np.nan), np.zeros((3, 2))),
            "gradient is nan at index",
        ),
        (lambda: Hamiltonian(target_accept=0.0).chains(normal, np.zeros((3, 2))), "lie between 0 and 1"),
        (lambda: Hamiltonian(n_leapfrog=0).chains(normal, np.zeros((3, 2))), "n_leapfrog must be"),
        (
            lambda: sample(problems.banana(), "hmc", gradient="auto"),
            "use 'adjoint' or 'numerical'",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
