"""The first look: exact where the posterior is normal, honest where it is not."""

import warnings

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from landcarbon.assimilation import (
    ConvergenceWarning,
    GaussianLikelihood,
    Posterior,
    StatedPrior,
    log_normal,
    normal,
    problems,
    sample,
    uniform,
)
from landcarbon.assimilation.laplace import find_mode
from landcarbon.matrix.errors import InputError

G = np.array([[1.0, 0.5], [0.2, 1.0], [1.0, -1.0]])
PRIOR = StatedPrior({"a": normal(0, 1), "b": normal(0, 2)})


def linear(y):
    return Posterior(PRIOR, lambda theta: theta @ G.T, GaussianLikelihood(y, 0.3))


def exact(y):
    """Mean, covariance and ln Z of the linear problem."""
    S = np.diag([1.0, 4.0])
    R = G @ S @ G.T + 0.09 * np.eye(3)
    gain = S @ G.T @ np.linalg.inv(R)
    return gain @ y, S - gain @ G @ S, multivariate_normal(np.zeros(3), R).logpdf(y)


def test_a_normal_posterior_of_many_sites():
    y = np.random.default_rng(1).normal(0, 1.5, (5, 3))
    posterior = linear(y)
    found = sample(posterior, "laplace", rng=2, n_draws=4000)
    for i in range(5):
        mean, cov, log_z = exact(y[i])
        np.testing.assert_allclose(found.mean()[i], mean, atol=5 * np.sqrt(np.diag(cov).max() / 4000))
        np.testing.assert_allclose(found.sd()[i], np.sqrt(np.diag(cov)), rtol=0.06)
        assert found.log_evidence[i] == pytest.approx(log_z, abs=5 * found.log_evidence_error[i])
    assert (found.ess > 2000).all()


def test_the_top_is_the_top():
    y = np.array([0.7, -0.4, 1.1])
    mode = find_mode(linear(y))
    near = mode.z + 0.02 * np.random.default_rng(3).standard_normal((200, 2))
    assert (linear(y).log_density_real(near) < mode.log_density).all()
    table = mode.summary()
    assert (table["5%"] < table["mode"]).all() and (table["mode"] < table["95%"]).all()


def test_beside_smc_on_a_fit_of_decay():
    t = np.linspace(0.5, 20, 15)
    prior = StatedPrior({"k": log_normal(0.1, 3), "a": log_normal(1, 2), "s": uniform(0.0, 0.5)})
    values = 0.9 * np.exp(-0.2 * t) + 0.05 + 0.02 * np.random.default_rng(4).standard_normal(15)
    posterior = Posterior(
        prior, lambda p: p[..., 1:2] * np.exp(-p[..., :1] * t) + p[..., 2:3], GaussianLikelihood(values, 0.02)
    )
    quick, slow = sample(posterior, "laplace", 1), sample(posterior, "smc", 2, n_draws=2000)
    np.testing.assert_allclose((quick.mean() - slow.mean()) / slow.sd(), 0.0, atol=0.12)
    np.testing.assert_allclose(quick.sd() / slow.sd(), 1.0, atol=0.12)
    assert quick.log_evidence == pytest.approx(slow.log_evidence, abs=0.2)


def test_where_a_normal_is_no_picture_it_says_so():
    with pytest.warns(ConvergenceWarning, match="weighted draws are worth"):
        bent = sample(problems.banana(0.05), "laplace", rng=1, n_draws=1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sample(linear(np.array([0.1, 0.2, 0.3])), "laplace", rng=1)
    assert bent.ess < 400


def test_bad_input():
    impossible = Posterior(PRIOR, likelihood=lambda theta: np.full(theta.shape[:-1], -np.inf))
    with pytest.raises(InputError, match="none of 64 prior draws is possible"):
        sample(impossible, "laplace")
    with pytest.raises(InputError, match="n_draws must be a whole number"):
        sample(linear(np.zeros(3)), "laplace", n_draws=0)
    with pytest.raises(InputError, match="summary describes one site"):
        find_mode(linear(np.zeros((2, 3)))).summary()
