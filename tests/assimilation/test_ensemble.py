"""EnKF, particle filter and ES-MDA against exact answers; sound with few members; bad input."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from landcarbon.assimilation import GaussianLikelihood, es_mda, sample
from landcarbon.assimilation.draws import ConvergenceWarning
from landcarbon.assimilation.ensemble import enkf, ensemble_update, gaspari_cohn, particle_filter
from landcarbon.assimilation.kalman import kalman_filter
from landcarbon.assimilation.state_space import (
    LinearSystem,
    Normal,
    StateObservations,
    linear_system,
)
from landcarbon.matrix.errors import InputError, as_array
from landcarbon.models.pools import three_pool


def kalman_update(mean, cov, H, data, sd):
    """Exact update of Normal(mean, cov) by data = H z + Normal(0, sd^2)."""
    gain = cov @ H.T @ np.linalg.inv(H @ cov @ H.T + sd**2 * np.eye(len(H)))
    return mean + gain @ (data - H @ mean), (np.eye(len(mean)) - gain @ H) @ cov


@pytest.mark.parametrize("alphas", [None, [8.0, 4.0, 4.0, 8 / 3]])
def test_converges_to_the_exact_posterior(linear_gaussian, alphas):
    _, data = linear_gaussian.simulate((3,), rng=1)
    ensemble = sample(
        linear_gaussian.posterior(data), "es-mda", rng=2, n_members=20_000, n_iter=4, alphas=alphas
    )
    z = linear_gaussian.prior.to_real(ensemble.draws)
    mean, cov = linear_gaussian.exact(data)
    sd = np.sqrt(np.diag(cov))
    np.testing.assert_allclose((z.mean(-2) - mean) / sd, 0.0, atol=0.04)
    for s in range(3):
        np.testing.assert_allclose(
            np.cov(z[s].T) / np.outer(sd, sd), cov / np.outer(sd, sd), atol=0.04
        )


def test_exact_posterior_is_the_kalman_update(linear_gaussian):
    _, data = linear_gaussian.simulate((), rng=3)
    mean, cov = linear_gaussian.exact(data)
    centre = linear_gaussian.prior.centre
    m, C = kalman_update(centre, np.eye(3), linear_gaussian.H, data, linear_gaussian.sd)
    np.testing.assert_allclose(m, mean, rtol=1e-12)
    np.testing.assert_allclose(C, cov, rtol=1e-12, atol=1e-15)
    # n steps with n times the variance are one step with the variance
    m, C = centre, np.eye(3)
    for _ in range(6):
        m, C = kalman_update(m, C, linear_gaussian.H, data, np.sqrt(6) * linear_gaussian.sd)
    np.testing.assert_allclose(m, mean, rtol=1e-10)
    np.testing.assert_allclose(C, cov, rtol=1e-10, atol=1e-12)


def test_error_falls_with_the_square_root_of_the_members(linear_gaussian):
    _, data = linear_gaussian.simulate((), rng=4)
    mean, _ = linear_gaussian.exact(data)
    many = np.broadcast_to(data, (300, 2))
    sizes = np.array([50, 200, 800])
    rmse = []
    for n in sizes:
        ensemble = sample(
            linear_gaussian.posterior(many), "es-mda", rng=5, n_members=int(n), taper=False
        )
        z = linear_gaussian.prior.to_real(ensemble.draws).mean(-2)
        rmse.append(np.sqrt(((z - mean) ** 2).mean()))
    slope = np.polyfit(np.log(sizes), np.log(rmse), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.1)


def test_taper_keeps_more_of_what_the_data_do_not_know(linear_gaussian):
    """Few members see chance correlations with c, which the data say nothing about."""
    _, data = linear_gaussian.simulate((1000,), rng=6)
    _, cov = linear_gaussian.exact(data)

    def sd_lost(taper):
        posterior = linear_gaussian.posterior(data)
        ensemble = sample(posterior, "es-mda", rng=7, n_members=20, taper=taper)
        z = linear_gaussian.prior.to_real(ensemble.draws)
        return 1.0 - np.sqrt(z.var(-2, ddof=1).mean(0) / np.diag(cov))

    assert (sd_lost(taper=True) < sd_lost(taper=False)).all()
    assert sd_lost(taper=True)[2] < 0.8 * sd_lost(taper=False)[2]
    assert (sd_lost(taper=True) < 0.05).all()


def test_the_taper_is_its_formula():
    """One parameter, one datum, one step: tapered and plain move alike up to the factor ρ."""
    rng = np.random.default_rng(12)
    N = 200
    start = rng.standard_normal((N, 1))
    noise = 0.8 * rng.standard_normal((N, 1))
    data = GaussianLikelihood([0.7], 0.6)
    moved = [
        es_mda(start, lambda z: z + noise, data, rng=3, n_iter=1, taper=on).draws - start
        for on in (True, False)
    ]
    r2 = np.corrcoef(start[:, 0], (start + noise)[:, 0])[0, 1] ** 2
    lost = 1 - r2 / (r2 + (1 + r2) / N)
    np.testing.assert_allclose(1 - moved[0] / moved[1], lost, rtol=1e-9)


def test_masked_data_count_for_nothing():
    start = np.random.default_rng(8).standard_normal((50, 2))
    masks = {"mask": [True, False]}
    one = es_mda(
        start, lambda z: z, GaussianLikelihood([0.3, np.nan], [0.5, np.nan], **masks), rng=9
    )
    other = es_mda(start, lambda z: z, GaussianLikelihood([0.3, 1e9], [0.5, 1e-9], **masks), rng=9)
    np.testing.assert_array_equal(one.draws, other.draws)


def test_prediction_belongs_to_the_members(linear_gaussian):
    _, data = linear_gaussian.simulate((2,), rng=10)
    posterior = linear_gaussian.posterior(data)
    ensemble = sample(posterior, "es-mda", rng=11, n_members=30)
    np.testing.assert_allclose(posterior.predict(ensemble.draws), ensemble.prediction, atol=1e-9)
    assert ensemble[1].prediction.shape == (30, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_members": 5}, "at least 10 members"),
        (
            {"alphas": [2.0, 2.0, 2.0]},
            "sum to 1.5.*used 1.5 times over. Multiply all alphas by 1.5",
        ),
        ({"alphas": [2.0, -2.0]}, "alphas must be above 0"),
        ({"n_iter": 0}, "n_iter must be a whole number"),
    ],
)
def test_bad_options(linear_gaussian, options, message):
    with pytest.raises(InputError, match=message):
        sample(linear_gaussian.posterior([0.1, 0.2]), "es-mda", rng=1, **options)


def test_bad_predictions():
    start, data = np.random.default_rng(1).standard_normal((20, 1)), GaussianLikelihood([0.1], 1.0)
    with pytest.raises(InputError, match=r"\(20, 1\) is expected"):
        es_mda(start, lambda z: z[..., 0], data)
    with pytest.raises(InputError, match=r"NaN or infinite.*whole prior"):
        es_mda(start, lambda z: np.full_like(z, np.nan), data)
    with pytest.raises(InputError, match="the observations have"):
        es_mda(start[None], lambda z: z, data)


# --- filters through time ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def case():
    """Three pools for twelve years with noise; vegetation every second year, soil twice."""
    t = np.arange(13.0)
    system = linear_system(three_pool(), t, I=60.0, process_sd=[8.0, 3.0, 15.0])
    start = Normal([440.0, 80.0, 1900.0], sd=[60.0, 15.0, 200.0])
    data = StateObservations(
        [470.0, 2050.0, 455.0, 480.0, 2010.0, 462.0],
        [20.0, 90.0, 20.0, 20.0, 90.0, 20.0],
        t,
        end=[2.0, 4.0, 4.0, 8.0, 10.0, 12.0],
        H=[[1, 0, 0], [0, 0, 1], [1, 0, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0]],
    )
    return system, start, data


def errors(estimate, exact, repeats):
    """RMS error of means and sds over pools, times and repeats, in exact sds."""
    sd = exact.sd()[1:, None]
    mean = (estimate.mean()[1:] - exact.mean()[1:, None]) / sd
    width = estimate.sd()[1:] / sd - 1.0
    assert mean.shape[1] == repeats
    return np.sqrt((mean**2).mean()), np.sqrt((width**2).mean())


@pytest.mark.parametrize("method", ["stochastic", "square-root"])
def test_enkf_converges_to_the_kalman_filter(case, method):
    system, start, data = case
    exact = kalman_filter(*case)
    sizes, found = np.array([20, 80, 320, 1280]), []
    for n in sizes:
        repeats = 12_800 // n if n > 100 else 200
        members = Normal(np.broadcast_to(start.mu, (repeats, 3)), start.cov).sample(n, rng=1)
        found.append(errors(enkf(system, members, data, rng=2, method=method), exact, repeats))
    for error in np.log(found).T:
        assert np.polyfit(np.log(sizes), error, 1)[0] == pytest.approx(-0.5, abs=0.1)
    assert found[-1][0] < 0.05


@pytest.mark.parametrize("method", ["stochastic", "square-root"])
def test_enkf_of_many_members_is_the_kalman_filter(case, method):
    system, start, data = case
    exact = kalman_filter(*case)
    estimate = enkf(system, start.sample(40_000, rng=3), data, rng=4, method=method)
    np.testing.assert_allclose((estimate.mean() - exact.mean()) / exact.sd(), 0.0, atol=0.03)
    np.testing.assert_allclose(estimate.sd() / exact.sd(), 1.0, atol=0.02)
    assert estimate.log_evidence == pytest.approx(exact.log_evidence, abs=0.1)
    np.testing.assert_allclose(estimate.innovation, exact.innovation, atol=0.05)


def test_square_root_update_is_exact_for_the_ensemble_that_it_gets():
    """Whatever the ensemble, mean and covariance after it are the Kalman update of its own."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((8, 5)) @ rng.standard_normal((5, 5)) + 3.0
    H = rng.standard_normal((3, 5))
    data = GaussianLikelihood([1.0, 2.0, 3.0], [0.3, 0.5, 2.0])
    after = ensemble_update(X, X @ H.T, data, method="square-root")
    P, R = np.cov(X.T), np.diag(data.sd**2)
    gain = P @ H.T @ np.linalg.inv(H @ P @ H.T + R)
    np.testing.assert_allclose(after.mean(0), X.mean(0) + gain @ (data.data - H @ X.mean(0)), rtol=1e-10)
    np.testing.assert_allclose(np.cov(after.T), (np.eye(5) - gain @ H) @ P, atol=1e-10)


def test_more_data_than_members():
    X = np.random.default_rng(6).standard_normal((4, 1))
    data = GaussianLikelihood(np.full(50, 1.0), 1.0)
    after = ensemble_update(X, np.repeat(X, 50, axis=1), data, method="square-root")
    P = X.var(ddof=1)
    assert after.var(ddof=1) == pytest.approx(P / (1 + 50 * P), rel=1e-10)


@pytest.mark.parametrize("method", ["stochastic", "square-root"])
def test_enkf_sites_together_are_sites_alone(case, method):
    system, start, _ = case
    t = system.t
    values = np.array([[450.0, 2000.0], [500.0, 1800.0]])
    mask = np.array([[True, True], [True, False]])
    H = [[1.0, 0, 0], [0, 0, 1]]
    both = StateObservations(values, 25.0, t, end=[3.0, 3.0], H=H, mask=mask)
    members = np.stack([start.sample(30, rng=s) for s in (7, 8)])
    streams = [np.random.default_rng(s) for s in (9, 10)]
    together = enkf(system, members, both, rng=streams, method=method, inflation=1.1)
    for s in range(2):
        one = StateObservations(values[s], 25.0, t, end=[3.0, 3.0], H=H, mask=mask[s])
        alone = enkf(
            system, members[s], one, rng=np.random.default_rng(9 + s), method=method, inflation=1.1
        )
        np.testing.assert_allclose(together.mean()[:, s], alone.mean(), rtol=1e-12)
        np.testing.assert_allclose(together.sd()[:, s], alone.sd(), rtol=1e-12)
        assert together.log_evidence[s] == pytest.approx(alone.log_evidence, rel=1e-12)


def test_a_function_is_a_model_too(case):
    """The same system as a function with its noise beside it; a parameter carried along."""
    system, start, data = case
    Phi, c, Q = system.step(0)
    as_function = enkf(
        lambda X, k: X @ Phi.T + c, start.sample(50, rng=11), data, rng=12, process_covariance=Q
    )
    as_system = enkf(system, start.sample(50, rng=11), data, rng=12)
    np.testing.assert_allclose(as_function.mean(), as_system.mean(), rtol=1e-12)
    assert as_function.pools == ("x0", "x1", "x2") and as_system.pools[0] == "vegetation"


def test_a_parameter_is_learnt_as_a_pool_that_stands_still():
    t = np.arange(31.0)
    truth, I = 0.15, 100.0
    X = I / truth + (300.0 - I / truth) * np.exp(-truth * t)
    data = StateObservations(X[1:], 10.0, t, end=t[1:], H=[1.0, 0.0])

    def step(members, k):
        carbon, log_k = members[..., 0], members[..., 1]
        left = np.exp(-np.exp(log_k))
        return np.stack([carbon * left + I / np.exp(log_k) * (1 - left), log_k], axis=-1)

    start = Normal([300.0, np.log(0.1)], sd=[20.0, 0.5]).sample(300, rng=13)
    estimate = enkf(step, start, data, rng=14)
    low, high = np.exp(estimate.quantile([0.025, 0.975])[:, -1, 1])
    assert low < truth < high and high - low < 0.02


def layers(repeats, n_members, rng):
    """Twenty layers whose carbon is alike nearby; the third is measured."""
    z = np.arange(20.0)
    C = np.exp(-np.abs(z[:, None] - z) / 2.0)
    start = Normal(np.zeros((repeats, 20)), C)
    return z, C, start.sample(n_members, rng=rng)


@pytest.mark.parametrize("method", ["stochastic", "square-root"])
def test_localisation_keeps_far_layers_as_they_were(method):
    z, C, members = layers(400, 15, rng=15)
    data = GaussianLikelihood(np.full((400, 1), 1.0), 0.5)
    rho = gaspari_cohn(np.abs(z[:, None] - z), radius=4.0)[:, 2:3]
    free = ensemble_update(members, members[..., 2:3], data, rng=16, method=method)
    held = ensemble_update(
        members, members[..., 2:3], data, rng=16, method=method, localisation=rho
    )
    exact = C[:, 2] / (C[2, 2] + 0.25) * 1.0
    error = [np.sqrt(((a.mean(-2) - members.mean(-2) - exact) ** 2)[:, 10:].mean()) for a in (free, held)]
    # The little that far layers should have learnt (0.01) is lost; what chance taught them is, too.
    assert error[1] < 0.01 < 0.1 < error[0]
    np.testing.assert_allclose(held[..., 12:], members[..., 12:], atol=1e-14)
    # Where the data are, both agree.
    np.testing.assert_allclose(held[..., 2].mean(), free[..., 2].mean(), atol=0.05)


def test_full_localisation_is_none():
    _, _, members = layers(3, 12, rng=17)
    data = GaussianLikelihood(np.full((3, 2), 1.0), 0.5)
    y = members[..., [2, 9]]
    for method in ("stochastic", "square-root"):
        a = ensemble_update(members, y, data, rng=18, method=method)
        b = ensemble_update(members, y, data, rng=18, method=method, localisation=np.ones((20, 2)))
        np.testing.assert_allclose(a.mean(-2), b.mean(-2), atol=1e-12)
        np.testing.assert_allclose(a.std(-2), b.std(-2), atol=1e-12)


def test_localisation_in_time_improves_a_small_ensemble():
    """Twenty layers through ten years: few members with localisation beat few members without."""
    z = np.arange(20.0)
    C = np.exp(-np.abs(z[:, None] - z) / 2.0)
    t = np.arange(11.0)
    system = LinearSystem(t, 0.9 * np.eye(20)[None], np.zeros((1, 20)), 0.2 * C[None])
    start = Normal(np.zeros((100, 20)), C)
    truth = system.sample(start.sample(1, rng=19), rng=20)
    seen = np.tile([0, 5, 10, 15, 19], 10)
    blank = StateObservations(
        np.zeros((100, 50)), 0.3, t, end=np.repeat(t[1:], 5), H=np.eye(20)[seen]
    )
    data = blank.with_values(blank.simulate(truth[:, :, 0], rng=21))
    members = start.sample(15, rng=22)
    rho = gaspari_cohn(np.abs(z[:, None] - z), radius=4.0)
    exact = kalman_filter(system, start, data)

    def rmse(estimate):
        return np.sqrt(((estimate.mean()[-1] - exact.mean()[-1]) ** 2).mean())

    for method in ("stochastic", "square-root"):
        free = rmse(enkf(system, members, data, rng=23, method=method))
        held = rmse(enkf(system, members, data, rng=23, method=method, localisation=rho))
        assert held < 0.7 * free


def test_inflation_widens_before_the_update(case):
    system, start, data = case
    members = start.sample(20, rng=24)
    plain = enkf(system, members, data, rng=25, method="square-root")
    wide = enkf(system, members, data, rng=25, method="square-root", inflation=1.2)
    np.testing.assert_array_equal(plain.forecast.draws[2], wide.forecast.draws[2])
    P = plain.forecast.draws[2, :, 0].var(ddof=1)
    expected = 1.44 * P / (1 + 1.44 * P / 20.0**2)
    assert wide.analysis.draws[2, :, 0].var(ddof=1) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("method", ["stochastic", "square-root"])
def test_inflation_after_the_update_is_a_factor_on_what_it_leaves(case, method):
    system, start, data = case
    members = start.sample(20, rng=24)
    plain = enkf(system, members, data, rng=25, method=method).analysis.draws[2]
    wide = enkf(system, members, data, rng=25, method=method, inflation=(1.0, 1.2)).analysis.draws[2]
    np.testing.assert_allclose(wide.mean(0), plain.mean(0), rtol=1e-12)
    np.testing.assert_allclose(wide - wide.mean(0), 1.2 * (plain - plain.mean(0)), rtol=1e-9)


def test_what_is_not_linear_needs_no_pools_of_its_own():
    """The same square, carried along as a pool, or read by a function."""
    t = np.array([0.0, 1.0, 2.0])
    start = Normal([1.5], sd=[0.4]).sample(200, rng=1)
    pool = StateObservations([4.0, 3.0], 0.5, t, end=t[1:], H=[0.0, 1.0])
    function = StateObservations([4.0, 3.0], 0.5, t, end=t[1:], H=lambda X, j: X[..., :1] ** 2)

    def squared(X, k):
        return np.concatenate([X[..., :1], X[..., :1] ** 2], axis=-1)

    for run in (enkf, particle_filter):
        a = run(squared, np.concatenate([start, start**2], -1), pool, rng=2)
        b = run(lambda X, k: X, start, function, rng=2)
        np.testing.assert_allclose(a.mean()[:, 0], b.mean()[:, 0], rtol=1e-12)
        np.testing.assert_allclose(a.innovation, b.innovation, rtol=1e-9)
        np.testing.assert_allclose(a.log_evidence, b.log_evidence, rtol=1e-9)
    system = LinearSystem(t, [[[1.0]]], [[0.0]])
    with pytest.raises(InputError, match="H is a function; use enkf"):
        kalman_filter(system, Normal([1.5], sd=[0.4]), function)
    wrong = StateObservations([4.0, 3.0], 0.5, t, end=t[1:], H=lambda X, j: X[..., 0])
    with pytest.raises(InputError, match=r"H returns shape \(200,\)"):
        enkf(lambda X, k: X, start, wrong, rng=2)


def test_errors_of_one_time_may_be_alike():
    """Depths of one core whose errors resemble each other: all filters agree with the dense formula."""
    t, depth = np.array([0.0, 1.0]), np.array([0.05, 0.3, 0.1])
    rng = np.random.default_rng(1)
    H, Q, d = rng.uniform(size=(3, 2)), np.diag([0.3, 0.5]), np.array([1.2, 0.4, 2.0])
    sd = np.array([0.4, 0.5, 0.6])
    system = LinearSystem(t, [[[0.9, 0.0], [0.1, 0.8]]], [[0.2, 0.1]], Q[None])
    data = StateObservations(d, sd, t, end=[1.0] * 3, H=H, correlation_length=0.2, at=depth)
    start = Normal([1.0, 1.0], sd=[0.3, 0.3])
    found = kalman_filter(system, start, data)
    R = np.outer(sd, sd) * np.exp(-np.abs(depth[:, None] - depth) / 0.2)
    x, P = found.forecast.mean()[1], found.forecast.cov[1]
    S = H @ P @ H.T + R
    np.testing.assert_allclose(found.mean()[1], x + P @ H.T @ np.linalg.solve(S, d - H @ x), rtol=1e-10)
    assert found.log_evidence == pytest.approx(multivariate_normal(H @ x, S).logpdf(d), rel=1e-10)
    members = start.sample(40_000, rng=2)
    runs = [enkf(system, members, data, rng=3, method=m) for m in ("stochastic", "square-root")]
    for other in [*runs, particle_filter(system, members, data, rng=3)]:
        np.testing.assert_allclose((other.mean()[1] - found.mean()[1]) / found.sd()[1], 0.0, atol=0.03)
        np.testing.assert_allclose(other.sd()[1] / found.sd()[1], 1.0, atol=0.02)
        assert other.log_evidence == pytest.approx(found.log_evidence, abs=0.03)
    with pytest.raises(InputError, match="no correlated errors"):
        enkf(system, members, data, rng=3, localisation=np.eye(2))
    with pytest.raises(InputError, match="both correlation_length= and at="):
        StateObservations(d, sd, t, end=[1.0] * 3, H=H, at=depth)


def test_errors_of_different_times_are_independent():
    t = np.array([0.0, 1.0, 2.0])
    both = StateObservations([1.0, 2.0, 3.0], 0.5, t, end=[1.0, 2.0, 2.0], H=[1.0],
                             correlation_length=0.1, at=[0.2, 0.2, 0.3])  # fmt: skip
    rho = both.correlation.colour(np.eye(3)).T
    np.testing.assert_allclose(rho @ rho.T, [[1, 0, 0], [0, 1, np.exp(-1)], [0, np.exp(-1), 1]], atol=1e-12)


def lorenz63(X, k):
    """A quarter of a time unit of the chaos of Lorenz (1963), without noise."""
    for _ in range(25):
        X = runge_kutta(lambda x: np.stack([
            10.0 * (x[..., 1] - x[..., 0]),
            x[..., 0] * (28.0 - x[..., 2]) - x[..., 1],
            x[..., 0] * x[..., 1] - 8.0 / 3.0 * x[..., 2]], axis=-1), X, 0.01)  # fmt: skip
    return X


def lorenz96(X, k):
    """0.05 time units of a ring of forty (Lorenz 1996)."""
    return runge_kutta(lambda x: (np.roll(x, -1, -1) - np.roll(x, 2, -1)) * np.roll(x, 1, -1) - x + 8.0, X, 0.05)


def runge_kutta(f, x, h):
    a = f(x)
    b = f(x + h / 2 * a)
    c = f(x + h / 2 * b)
    return x + h / 6 * (a + 2 * b + 2 * c + f(x + h * c))


def chaos(step, first, spread, error, dt, n, rng):
    """A run of a chaotic model, all of it measured after each step; a start around the truth."""
    rng = np.random.default_rng(rng)
    path = [first + spread * rng.standard_normal(first.size)]
    for k in range(n):
        path.append(step(path[-1], k))
    truth, t, m = np.stack(path), dt * np.arange(n + 1), first.size
    seen = truth[1:] + error * rng.standard_normal((n, m))
    data = StateObservations(
        seen.ravel(), error, t, end=np.repeat(t[1:], m), H=np.tile(np.eye(m), (n, 1))
    )
    return truth, data, Normal(first, sd=np.full(m, spread))


def rmse(estimate, truth, burn_in):
    return np.sqrt(((estimate.mean() - truth)[burn_in:] ** 2).mean(-1)).mean()


@pytest.fixture(scope="module")
def butterfly():
    return chaos(lorenz63, np.array([1.509, -1.531, 25.46]), np.sqrt(2), np.sqrt(2), 0.25, 1000, rng=1)


def test_lorenz_96_as_published():
    """Settings and RMSE of Sakov and Oke (2008), doi 10.1111/j.1600-0870.2007.00299.x: 0.22."""
    first = np.eye(40)[0]
    truth, data, start = chaos(lorenz96, first, np.sqrt(0.001), 1.0, 0.05, 1000, rng=1)
    estimate = enkf(lorenz96, start.sample(40, rng=2), data, rng=3, inflation=(1.0, 1.06))
    assert rmse(estimate, truth, 400) == pytest.approx(0.22, abs=0.015)


def test_particles_die_out_aloud_and_jitter_keeps_them_alive(butterfly):
    """0.28 is what a regularised filter of 800 particles is known for on these settings (sakov2012)."""
    truth, data, start = butterfly
    members = start.sample(800, rng=2)
    with pytest.warns(ConvergenceWarning, match="of 800 particles only 1 still differ"):
        dead = particle_filter(lorenz63, members, data, rng=3)
    assert dead.analysis[-1].ess > 400 and dead.analysis[-1].distinct == 1
    assert rmse(dead, truth, 64) > 5.0
    alive = particle_filter(lorenz63, members, data, rng=3, jitter=0.2, ess=0.2)
    assert alive.analysis.distinct.min() == 800
    assert rmse(alive, truth, 64) == pytest.approx(0.28, abs=0.03)


def test_lorenz_63_as_published(butterfly):
    """A hundred members with an inflation of 1.01: 0.56 (settings of sakov2012)."""
    truth, data, start = butterfly
    estimate = enkf(lorenz63, start.sample(100, rng=2), data, rng=3, inflation=(1.0, 1.01))
    assert rmse(estimate, truth, 64) == pytest.approx(0.56, abs=0.06)


def test_chance_does_not_move_the_mean():
    """Perturbations of the data sum to zero, so that few members have the mean of the square root."""
    rng = np.random.default_rng(3)
    members = rng.standard_normal((2, 10, 3))
    data = GaussianLikelihood(np.array([[1.0, 2.0], [0.5, -1.0]]), np.array([0.5, 1.0]))
    one, other = (
        ensemble_update(members, members[..., :2], data, rng=4, method=method).mean(-2)
        for method in ("stochastic", "square-root")
    )
    np.testing.assert_allclose(one, other, atol=1e-12)


def test_jitter_keeps_mean_and_covariance(case):
    _, start, _ = case
    t = np.array([0.0, 1.0])
    data = StateObservations([470.0], 5.0, t, end=[0.0], H=[1.0, 0.0, 0.0])
    members = start.sample(100_000, rng=4)
    plain, moved = (
        particle_filter(lambda X, k: X, members, data, rng=5, jitter=j).forecast[1] for j in (0.0, 0.5)
    )
    np.testing.assert_allclose((moved.mean() - plain.mean()) / plain.sd(), 0.0, atol=0.02)
    np.testing.assert_allclose(moved.sd() / plain.sd(), 1.0, atol=0.02)
    assert plain.distinct < 50_000 and moved.distinct == 100_000


def test_gaspari_cohn():
    r = np.linspace(0, 3, 301)
    rho = gaspari_cohn(r, 1.0)
    assert rho[0] == 1.0 and (np.diff(rho) <= 1e-15).all() and (rho[r >= 2] == 0).all()
    # The two branches meet with their slopes, and the matrix of a row of layers is a covariance.
    assert abs(np.diff(rho, 2)).max() < 4e-4
    z = np.linspace(0, 10, 40)
    assert np.linalg.eigvalsh(gaspari_cohn(np.abs(z[:, None] - z), 2.0)).min() > -1e-12


def test_gaspari_cohn_is_the_overlap_of_two_cones_in_space():
    """Their eq. 4.10 integrates the product of two balls 1 − |x|, a distance apart; here by summing."""
    z, ring = np.linspace(-1, 3, 801)[:, None], (np.arange(400) + 0.5) / 400

    def ball(centre):
        return np.maximum(1 - np.hypot(z - centre, ring), 0)

    r = np.array([0.0, 0.3, 0.7, 1.0, 1.2, 1.5, 1.8])
    overlap = np.array([(ball(0) * ball(d) * ring).sum() for d in r])
    np.testing.assert_allclose(gaspari_cohn(2.5 * r, 2.5), overlap / overlap[0], atol=2e-5)


@pytest.mark.parametrize("method", ["stochastic", "square-root"])
def test_a_masked_datum_adds_nothing_to_the_evidence(case, method):
    system, start, _ = case
    members = start.sample(50, rng=4)
    H = [[1.0, 0, 0], [0, 0, 1]]
    both = StateObservations([470.0, 1e3], [20.0, 0.5], system.t, [2.0, 2.0], H=H, mask=[True, False])
    one = StateObservations([470.0], 20.0, system.t, [2.0], H=H[:1])
    a, b = (enkf(system, members, d, rng=np.random.default_rng(1), method=method) for d in (both, one))
    assert a.log_evidence == pytest.approx(b.log_evidence, rel=1e-12)


def test_particle_filter_agrees_with_the_kalman_filter(case):
    """Within its Monte-Carlo error, which falls with the square root of N; evidence too."""
    system, start, data = case
    exact = kalman_filter(*case)
    rms = []
    for n, repeats in ((400, 100), (6400, 12)):
        members = Normal(np.broadcast_to(start.mu, (repeats, 3)), start.cov).sample(n, rng=26)
        estimate = particle_filter(system, members, data, rng=27)
        z = (estimate.mean() - exact.mean()[:, None]) / exact.sd()[:, None]
        # Bias is far below the spread of one run, and both are what N particles allow.
        assert np.abs(z.mean(1)).max() < 4.0 * z.std(1).max() / np.sqrt(repeats)
        np.testing.assert_allclose(estimate.sd().mean(1) / exact.sd(), 1.0, atol=0.05)
        rms.append(np.sqrt((z**2).mean()))
        gain = estimate.log_evidence - exact.log_evidence
        # The estimate of the evidence itself, not of its logarithm, has no bias.
        assert np.exp(gain).mean() == pytest.approx(1.0, abs=4 * np.exp(gain).std() / np.sqrt(repeats))
        assert (estimate.analysis.ess >= 1).all() and (estimate.analysis.ess <= n * 1.0001).all()
    assert rms[1] / rms[0] == pytest.approx(0.25, rel=0.25) and rms[1] < 0.03


def test_innovation_of_three_particles_by_hand():
    # Foretold 0, 4, 8: mean 4 and variance 32/3; measured 10 ± 2.
    data = StateObservations([10.0], 2.0, [0.0, 1.0], end=[1.0], H=[1.0])
    found = particle_filter(lambda X, k: X, [[0.0], [4.0], [8.0]], data, rng=1)
    np.testing.assert_allclose(found.innovation, [6 / np.sqrt(32 / 3 + 4)], rtol=1e-12)
    density = np.exp(-0.5 * (np.array([10.0, 6.0, 2.0]) / 2) ** 2) / (2 * np.sqrt(2 * np.pi))
    assert found.log_evidence == pytest.approx(np.log(density.mean()), rel=1e-12)


def test_particle_filter_finds_two_peaks_where_the_enkf_finds_one():
    """A square is measured: the state may be at +2 or at -2, and not at 0 between them."""
    t = np.array([0.0, 1.0])
    data = StateObservations([4.0], 0.5, t, end=[1.0], H=[0.0, 1.0])

    def squared(X, k):
        return np.stack([X[..., 0], X[..., 0] ** 2], axis=-1)

    start = Normal([0.1, 0.0], sd=[2.0, 0.0]).sample(20_000, rng=28)
    particles = particle_filter(squared, start, data, rng=29).analysis[1]
    x, w = particles.draws[:, 0], particles.weight
    grid = np.linspace(-8, 8, 4001)
    p = np.exp(-0.5 * ((grid - 0.1) / 2) ** 2 - 0.5 * ((grid**2 - 4) / 0.5) ** 2)
    p /= p.sum()
    for power in (1, 2, 4):
        assert (w * x**power).sum() == pytest.approx((p * grid**power).sum(), rel=0.05, abs=0.06)
    assert w[np.abs(x) < 1].sum() < 0.01
    normal = enkf(squared, start, data, rng=30).analysis[1].draws[:, 0]
    assert (np.abs(normal) < 1).mean() > 0.2


def test_es_mda_and_adaptive_metropolis_agree(linear_gaussian):
    _, data = linear_gaussian.simulate((), rng=31)
    posterior = linear_gaussian.posterior(data)
    to_real = linear_gaussian.prior.to_real
    smoother = to_real(sample(posterior, "es-mda", rng=32, n_members=20_000).draws)
    chains = to_real(sample(posterior, "metropolis", rng=33, n_draws=2000).ensemble().draws)
    sd = chains.std(0)
    np.testing.assert_allclose((smoother.mean(0) - chains.mean(0)) / sd, 0.0, atol=0.1)
    np.testing.assert_allclose(smoother.std(0) / sd, 1.0, atol=0.05)
    np.testing.assert_allclose(np.corrcoef(smoother.T), np.corrcoef(chains.T), atol=0.06)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": np.ones((1, 3))}, "at least two members"),
        ({"start": np.ones((9, 2))}, "start has 2 pools, but the model has 3"),
        ({"start": np.ones((4, 9, 3)), "sites": 5}, r"have sites \(4,\), but the data have"),
        ({"inflation": 0.9}, "inflation must be at least 1"),
        ({"inflation": (1.0, 1.0, 1.1)}, "one number, or a pair"),
        ({"method": "etkf"}, "choose 'stochastic' or 'square-root'"),
        ({"localisation": np.ones((3, 2))}, r"shape \(3, 2\), but \(3, 3\) is expected"),
        ({"localisation": 2 * np.ones((3, 3))}, "localisation must be at most 1"),
        ({"process_covariance": np.eye(3)}, "give process_sd to linear_system"),
        ({"model": 3.0}, "model is float; give a LinearSystem or a function"),
        ({"model": lambda X, k: X[..., :2]}, "returns shape .* after step 0"),
        ({"model": lambda X, k: X * np.nan}, "members after step 0 holds .* NaN"),
        (
            {"model": lambda X, k: X, "process_covariance": np.ones((5, 3, 3))},
            "5 entries along time",
        ),
        ({"model": lambda X, k: X, "process_covariance": -np.eye(3)}, "variance is negative"),
    ],
)
def test_bad_filter_input(case, options, message):
    system, start, data = case
    options = dict(options)
    if "sites" in options:
        data = StateObservations(np.ones((options.pop("sites"), 1)), 1.0, system.t, [1.0],
                                 H=[1.0, 0, 0])  # fmt: skip
    model, members = options.pop("model", system), options.pop("start", start.sample(9, rng=1))
    with pytest.raises(InputError, match=message):
        enkf(model, members, data, rng=1, **options)
    if not options.keys() & {"inflation", "method", "localisation"}:
        with pytest.raises(InputError, match=message):
            particle_filter(model, members, data, rng=1, **options)


def test_bad_update_and_particles(case):
    system, start, data = case
    one = GaussianLikelihood([1.0], 1.0)
    with pytest.raises(InputError, match=r"predicted has shape .*one row a member"):
        ensemble_update(np.ones((9, 3)), np.ones((9, 2)), one)
    with pytest.raises(InputError, match="choose 'stochastic'"):
        ensemble_update(np.ones((9, 3)), np.ones((9, 1)), one, method="particle")
    with pytest.raises(InputError, match=r"localisation has shape .*\(3, 1\) is expected"):
        ensemble_update(np.ones((9, 3)), np.ones((9, 1)), one, localisation=np.ones(3))
    with pytest.raises(InputError, match="ess must lie between 0 and 1"):
        particle_filter(system, start.sample(9, rng=1), data, rng=1, ess=1.5)
    with pytest.raises(InputError, match="jitter is a share"):
        particle_filter(system, start.sample(9, rng=1), data, rng=1, jitter=1.0)
    with pytest.raises(InputError, match="radius must be above 0"):
        gaspari_cohn([1.0], 0.0)


def test_a_member_below_zero_is_told_from_a_wrong_sign():
    def strict(X, k):
        return as_array("X", X, lower=0.0)

    data = StateObservations([1.0], 1.0, t=[0.0, 1.0], end=[1.0], H=[1.0])
    with pytest.raises(InputError, match=r"X must be at least 0.*np.maximum"):
        enkf(strict, np.array([[-1.0], [2.0]]), data, rng=1)
    with pytest.raises(InputError, match="X holds 1") as err:
        enkf(lambda X, k: as_array("X", X * [[np.nan], [1.0]]), np.ones((2, 1)), data, rng=1)
    assert "maximum" not in str(err.value)
