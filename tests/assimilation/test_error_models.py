"""Errors of data: absolute, relative, both; correlated by an exponential kernel, against scipy."""

import numpy as np
import pytest
from scipy import stats

from landcarbon.assimilation import (
    GaussianLikelihood,
    JointObservations,
    Posterior,
    Prior,
    ProfileObservations,
    SeriesObservations,
    ensemble_update,
    error_sd,
    identify,
    sample,
)
from landcarbon.assimilation.error_models import ExponentialCorrelation
from landcarbon.matrix.errors import InputError
from landcarbon.models.parameters import Parameter, ParameterTable

T = np.linspace(0.0, 10.0, 21)
WHEN = np.array([[3.0, 0.5, 9.0, 4.0, 4.2], [1.0, 2.0, 8.0, np.nan, 7.5]])  # in no order
MASK = np.isfinite(WHEN)
SD = np.array([[0.4, 0.5, 0.6, 0.7, 0.8], [1.0, 0.9, 0.8, np.nan, 0.7]])
VALUE = np.where(MASK, np.random.default_rng(1).normal(3.0, 1.0, WHEN.shape), np.nan)
ELL = 2.5


def series(length=ELL):
    return SeriesObservations(VALUE, SD, T, WHEN, mask=MASK, correlation_length=length)


def kernel(site):
    t, sd = WHEN[site, MASK[site]], SD[site, MASK[site]]
    return np.outer(sd, sd) * np.exp(-np.abs(t[:, None] - t) / ELL)


@pytest.fixture
def x():
    """Two sites, three members, the model's series."""
    return np.random.default_rng(2).uniform(1.0, 5.0, (2, 3, T.size))


def test_absolute_relative_and_both():
    d = np.array([[0.0, -4.0], [20.0, 1.0]])
    both = error_sd(d, absolute=0.3, relative=0.1)
    np.testing.assert_allclose(both, np.sqrt(0.3**2 + (0.1 * d) ** 2))
    np.testing.assert_array_equal(error_sd(d, absolute=[0.3, 0.2])[0], [0.3, 0.2])
    np.testing.assert_allclose(error_sd([2.0, 4.0], relative=[0.1, 0.2]), [0.2, 0.8])
    obs = GaussianLikelihood(d, both)
    assert obs.sd[1, 0] == pytest.approx(np.hypot(0.3, 2.0))


def test_the_likelihood_is_the_normal_density_with_that_covariance(x):
    obs = series()
    h, found = obs.predict(x), obs.log_likelihood(x)
    for s in range(2):
        use = MASK[s]
        for m in range(3):
            wanted = stats.multivariate_normal(h[s, m, use], kernel(s)).logpdf(VALUE[s, use])
            assert found[s, m] == pytest.approx(wanted, rel=1e-12)
    np.testing.assert_allclose(obs[1].log_likelihood(x[1]), found[1], rtol=1e-14)
    again = series().with_values(np.where(MASK, VALUE, 0.0))
    np.testing.assert_allclose(again.log_likelihood(x), found, rtol=1e-14)


def test_errors_that_forget_at_once_are_independent_ones(x):
    np.testing.assert_allclose(
        series(1e-3).log_likelihood(x), series(None).log_likelihood(x), rtol=1e-12
    )


def test_gradient_agrees_with_finite_differences(x):
    obs, step = series(), 1e-6
    numeric = np.empty_like(x)
    for k in range(T.size):
        up, down = x.copy(), x.copy()
        up[..., k] += step
        down[..., k] -= step
        numeric[..., k] = (obs.log_likelihood(up) - obs.log_likelihood(down)) / (2 * step)
    np.testing.assert_allclose(obs.gradient(x), numeric, rtol=1e-6, atol=1e-7)


def test_whiten_and_colour_undo_each_other_and_transpose_is_the_transpose():
    rng = np.random.default_rng(3)
    own = series().correlation
    e, u = rng.standard_normal((2, 2, 4, 5))
    np.testing.assert_allclose(own.colour(own.whiten(e)), e, atol=1e-12)
    np.testing.assert_allclose((own.whiten(e) * u).sum(-1), (e * own.whiten_transposed(u)).sum(-1))


def test_simulated_errors_have_that_covariance(x):
    obs = series()
    many = np.repeat(x[:, :1], 40_000, axis=1)
    off = obs.simulate(many, rng=4) - obs.predict(many)
    assert np.isnan(off[~np.broadcast_to(MASK[:, None], off.shape)]).all()
    for s in range(2):
        np.testing.assert_allclose(np.cov(off[s][:, MASK[s]].T), kernel(s), atol=0.02)


def test_correlated_streams_join_with_others(x):
    profile = ProfileObservations(
        [[0.1, 0.3, 0.2]] * 2, [[9e3, 5e3, 7e3]] * 2, 0.3, [0.1, 0.2, 0.4], correlation_length=0.2
    )
    plain = GaussianLikelihood([[2.0, 3.0], [4.0, 5.0]], 0.5, mask=[[True, True], [True, False]])
    both = JointObservations({"plain": plain, "flux": series(), "profile": profile}, {"flux": 0.5})
    values = {
        "plain": np.ones((2, 3, 2)), "flux": x, "profile": np.full((2, 3, 3), 6e3) - 100 * x[..., :3]
    }  # fmt: skip
    by_hand = sum(p.log_likelihood(values[n]) for n, p in both.parts.items() if n != "flux")
    weaker = SeriesObservations(
        VALUE, SD / np.sqrt(0.5), T, WHEN, mask=MASK, correlation_length=ELL
    )
    np.testing.assert_allclose(
        both.log_likelihood(both.join(values)), by_hand + weaker.log_likelihood(x), rtol=1e-12
    )
    np.testing.assert_allclose(
        both.split(both.gradient(both.join(values)))["flux"], weaker.gradient(x), rtol=1e-12
    )
    np.testing.assert_allclose(
        both[1].log_likelihood(both.join(values)[1]), both.log_likelihood(both.join(values))[1]
    )


def line_posterior(length):
    """Intercept and slope of a line seen at ten times: linear, with normal errors."""
    t = np.arange(10.0)
    A = np.stack([np.ones(10), t - 4.5], axis=-1)
    flux = GaussianLikelihood(A @ [1.0, 0.2] + 0.1 * np.sin(t), 0.5, correlation_length=length, at=t)
    prior = Prior(
        ParameterTable([Parameter("a", "1", -9.0, 9.0, 0.0), Parameter("b", "1", -9.0, 9.0, 0.0)])
    )
    R = 0.25 * np.exp(-np.abs(t[:, None] - t) / length)
    precision = A.T @ np.linalg.solve(R, A)
    mean = np.linalg.solve(precision, A.T @ np.linalg.solve(R, flux.data))
    return Posterior(prior, lambda theta: theta @ A.T, flux), A, precision, mean


def test_a_line_is_known_as_well_as_the_covariance_allows():
    posterior, _, precision, mean = line_posterior(5.0)
    draws = sample(posterior, "smc", 1, n_draws=4000)
    wanted = np.sqrt(np.diag(np.linalg.inv(precision)))
    np.testing.assert_allclose(draws.mean(), mean, atol=0.04)
    np.testing.assert_allclose(draws.sd(), wanted, rtol=0.06)
    independent = np.sqrt(1 / (10 / 0.25))
    assert wanted[0] > 2 * independent


def test_information_and_ensemble_know_of_the_correlation():
    posterior, A, precision, mean = line_posterior(5.0)
    report = identify(posterior, at=[0.5, 0.1])
    P = np.eye(2) * 18.0**2 / 12.0
    wanted = 0.5 * np.linalg.slogdet(np.eye(2) + P @ precision)[1] / np.log(2)
    assert float(report.bits) == pytest.approx(wanted, rel=1e-6)

    members = np.random.default_rng(5).normal(0.0, 5.0, (20_000, 2))
    after = ensemble_update(members, members @ A.T, posterior.observations, rng=6)
    exact = np.linalg.inv(precision + np.eye(2) / 25.0)
    np.testing.assert_allclose(np.cov(after.T), exact, atol=0.01)
    np.testing.assert_allclose(after.mean(0), exact @ precision @ mean, atol=0.03)
    with pytest.raises(InputError, match="leave localisation out, or correlation_length"):
        ensemble_update(
            members, members @ A.T, posterior.observations, rng=6, localisation=np.ones((2, 10))
        )


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: error_sd([1.0, 0.0], relative=0.1), "index .1,. is 0 and would have no error"),
        (lambda: error_sd([1.0], absolute=-0.1), "absolute must be at least 0"),
        (lambda: error_sd([1.0], relative=np.nan), "relative holds 1 value"),
        (lambda: error_sd([1.0, 2.0], absolute=[1.0, 2.0, 3.0]), "do not broadcast"),
        (lambda: error_sd([1.0], absolute=[1.0, 2.0]), "more errors"),
        (lambda: error_sd(["ten"]), "numbers only"),
        (lambda: error_sd([1.0, np.nan], 0.1), "1 NaN, which have no error"),
        (lambda: series(0.0), "correlation_length must be above 0.*Leave it out"),
        (
            lambda: SeriesObservations([1.0, 2.0], 0.1, T, [3.0, 3.0], correlation_length=1.0),
            "observations 0 and 1 both stand at 3;.*Take their mean",
        ),
        (lambda: GaussianLikelihood([1.0], 0.1, correlation_length=1.0), "need both"),
        (lambda: GaussianLikelihood([1.0], 0.1, at=[1.0]), "need both"),
        (
            lambda: GaussianLikelihood([1.0, 2.0], 0.1, correlation_length=1.0, at=[1.0]),
            "one place an observation",
        ),
        (lambda: ExponentialCorrelation([1.0, np.nan], 1.0), "NaN"),
    ],
)
def test_bad_input(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: error_sd([np.inf, 1.0], 0.1, 0.1), "index \\(0,\\) is inf"),
        (lambda: error_sd([1e300, 1.0], 0.1, 0.1), "a mark for a gap"),
        (lambda: ExponentialCorrelation([1.0, 2.0], 1e17), "too long for data that stand 1 apart"),
        (lambda: ExponentialCorrelation([1.0, 2.0], [1.0, 2.0]), "is one number"),
        (lambda: ExponentialCorrelation(["a"], 1.0), "numbers only"),
        (lambda: ExponentialCorrelation([1.0, 2.0], 1.0, mask=[True]), "one for each datum"),
    ],
)
def test_extremes_get_a_sentence(call, words):
    with pytest.raises(InputError, match=words):
        call()
