"""Exact steps with noise; data at their times; normal distributions; bad input."""

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.stats import norm

from landcarbon.assimilation.state_space import (
    LinearSystem,
    Normal,
    StateObservations,
    linear_system,
)
from landcarbon.matrix import MatrixModel
from landcarbon.matrix.errors import InputError
from landcarbon.matrix.simulate import simulate
from landcarbon.models.century import century3
from landcarbon.models.pools import one_pool, three_pool


def test_steps_without_noise_are_those_of_simulate():
    t = np.array([0.0, 0.5, 2.0, 7.0])
    I, xi = np.array([300.0, 500.0, 400.0]), np.array([1.0, 1.4, 0.7])
    model = century3()
    X0 = np.array([10.0, 500.0, 3000.0])
    system = linear_system(model, t, I, xi)
    path = system.sample(X0[None], rng=1)[:, 0]
    np.testing.assert_allclose(path, simulate(model, t, X0, I, xi).X.values, rtol=1e-13)
    assert system.pools == model.pools and system.Phi.shape == (3, 3, 3)


def test_what_never_changes_is_kept_once():
    system = linear_system(three_pool(), np.arange(101.0), I=60.0, process_sd=1.0)
    assert system.Phi.shape == (1, 3, 3) and system.c.shape == (1, 3) and system.Q.shape == (1, 3, 3)


@pytest.mark.parametrize("h", [0.01, 1.0, 30.0])
def test_noise_of_a_step_is_the_integral(h):
    """Against Van Loan's matrix exponential (IEEE Trans. Autom. Control, 1978), for a CENTURY soil."""
    M = century3().outflow_matrix()
    S = np.array([1.0, 20.0, 5.0])
    n = len(S)
    block = np.zeros((2 * n, 2 * n))
    scale = h / 2**10  # its e^(+M h) overflows for a long step: short steps, then doubled
    block[:n, :n], block[:n, n:], block[n:, n:] = M * scale, np.diag(S**2) * scale, -M.T * scale
    F = expm(block)
    Phi = F[n:, n:].T
    Q = Phi @ F[:n, n:]
    for _ in range(10):
        Q = Q + Phi @ Q @ Phi.T
        Phi = Phi @ Phi
    system = linear_system(century3(), [0.0, h], I=1.0, process_sd=S)
    np.testing.assert_allclose(system.Q[0], Q, rtol=1e-10, atol=1e-12 * Q.max())


def test_noise_of_one_pool_is_known():
    system = linear_system(one_pool(0.3), [0.0, 4.0], I=0.0, process_sd=7.0)
    expected = 49.0 * (1 - np.exp(-2 * 0.3 * 4.0)) / (2 * 0.3)
    np.testing.assert_allclose(system.Q, [[[expected]]], rtol=1e-13)


def test_twelve_months_are_a_year():
    year = linear_system(century3(), [0.0, 1.0], I=400.0, process_sd=[5.0, 20.0, 3.0])
    month = linear_system(century3(), np.linspace(0, 1, 13), I=400.0, process_sd=[5.0, 20.0, 3.0])
    x, P = np.array([20.0, 900.0, 2000.0]), np.diag([1.0, 100.0, 50.0])
    many_x, many_P = x, P
    for k in range(12):
        Phi, c, Q = month.step(k)
        many_x, many_P = Phi @ many_x + c, Phi @ many_P @ Phi.T + Q
    Phi, c, Q = year.step(0)
    np.testing.assert_allclose(many_x, Phi @ x + c, rtol=1e-12)
    np.testing.assert_allclose(many_P, Phi @ P @ Phi.T + Q, rtol=1e-11)


def test_sampled_lives_have_mean_and_covariance_of_the_step():
    system = linear_system(three_pool(), [0.0, 2.0], I=60.0, process_sd=[5.0, 2.0, 20.0])
    X = system.sample(np.full((40_000, 3), 100.0), rng=2)[1]
    Phi, c, Q = system.step(0)
    sd = np.sqrt(np.diag(Q))
    np.testing.assert_allclose((X.mean(0) - Phi @ np.full(3, 100.0) - c) / sd, 0.0, atol=0.02)
    np.testing.assert_allclose(np.cov(X.T) / np.outer(sd, sd), Q / np.outer(sd, sd), atol=0.02)


def test_models_may_differ_between_sites_and_change_in_time():
    k = np.array([0.1, 0.2, 0.4])
    system = linear_system(one_pool(k), [0.0, 1.0, 2.0], I=np.array([[10.0], [20.0]]))
    assert system.sites == (3,) and system.Phi.shape == (1, 3, 1, 1)
    changing = linear_system(
        lambda time: one_pool(0.1 if time < 1 else 0.2), [0.0, 1.0, 2.0], I=10.0
    )
    np.testing.assert_allclose(changing.Phi[:, 0, 0], np.exp([-0.1, -0.2]))


def test_normal():
    C = np.array([[4.0, 1.0], [1.0, 9.0]])
    belief = Normal([1.0, 2.0], C)
    np.testing.assert_allclose(belief.sd(), [2.0, 3.0])
    np.testing.assert_allclose(
        belief.quantile([0.1, 0.9]), norm.ppf([[0.1], [0.9]], [1, 2], [2, 3]), rtol=1e-12
    )
    draws = belief.sample(50_000, rng=3)
    np.testing.assert_allclose(np.cov(draws.T), C, atol=0.12)
    several = Normal(np.zeros((4, 2)), C)
    assert several.cov.shape == (4, 2, 2) and several[1:3].sample(7, rng=1).shape == (2, 7, 2)
    # A variance of zero is a state that is known.
    assert (Normal([5.0, 1.0], sd=[0.0, 2.0]).sample(10, rng=4)[:, 0] == 5.0).all()


def test_observations_read_pools_sums_and_fluxes():
    model = three_pool()
    t = np.arange(4.0)
    X = simulate(model, t, [400.0, 70.0, 1900.0], 60.0).X.values
    respiration = model.K * model.respired_fraction
    H = np.array([[0, 0, 1.0], [1, 1, 1], respiration])
    data = StateObservations([0.0, 0.0, 0.0], 1.0, t, end=[1.0, 3.0, 2.0], H=H)
    expected = [X[1, 2], X[3].sum(), model.respiration(X[2]).sum()]
    np.testing.assert_allclose(data.predict(X), expected, rtol=1e-13)
    many = np.stack([X, 2 * X], axis=1)  # time, member, pool
    np.testing.assert_allclose(data.predict(many), np.outer([1, 2], expected), rtol=1e-13)
    noisy = data.with_values(data.simulate(X, rng=1))
    assert np.abs(noisy.data - expected).max() < 4.0 and noisy.at(3).tolist() == [1]
    misfit = noisy.data - np.outer([1, 2], expected)
    wanted = (-0.5 * misfit**2 - 0.5 * np.log(2 * np.pi)).sum(-1)
    np.testing.assert_allclose(noisy.log_likelihood(many), wanted, rtol=1e-12)
    with pytest.raises(InputError, match=r"StateObservations has no derivative.*needs none"):
        noisy.gradient(X)


def test_observations_of_sites_with_their_own_H():
    X = np.arange(24.0).reshape(3, 2, 2, 2)  # time, site, member, pool
    H = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])  # site, obs, pool
    data = StateObservations(np.zeros((2, 1)), 1.0, np.arange(3.0), end=[2.0], H=H)
    np.testing.assert_array_equal(data.predict(X)[..., 0], [X[2, 0, :, 0], X[2, 1, :, 1]])


T = np.arange(5.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"end": [-1.0, 2.0]}, "observation 0 is of time -1, before the model starts.*from 0 to 4"),
        ({"end": [1.0, 9.0]}, "observation 1 is of time 9, after it ends.*Run it longer"),
        ({"end": [1.0, 2.5]}, "observation 1 is of time 2.5.*let the model stop"),
        ({"error": 0.0}, "above 0.*without error would outweigh"),
        ({"error": [1.0, -2.0]}, "above 0"),
        ({"value": [np.nan, 1.0]}, "NaN.*mask=np.isfinite"),
        ({"mask": [False, False]}, "all observations are masked out"),
        ({"H": np.ones((3, 2))}, "one row of pools for all of them, or one row an observation"),
        ({"t": [0.0, 2.0, 1.0]}, "t must rise"),
    ],
)
def test_bad_observations(options, message):
    given = {"value": [1.0, 2.0], "error": 1.0, "t": T, "end": [1.0, 2.0], "H": [1.0, 0.0]}
    with pytest.raises(InputError, match=message):
        StateObservations(**given | options)


def test_a_time_outside_does_not_matter_where_masked():
    data = StateObservations([np.nan, 2.0], 1.0, T, end=[77.0, 1.0], H=[1.0], mask=[False, True])
    assert data.of(4) is None and data.of(1) is not None


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Normal([1.0, 2.0]), "either cov or sd"),
        (lambda: Normal([1.0], cov=[[1.0]], sd=[1.0]), "either cov or sd"),
        (lambda: Normal([1.0, 2.0], [[1.0, 2.0], [0.0, 1.0]]), "must be symmetric"),
        (lambda: Normal([1.0, 2.0], [[1.0, 2.0], [2.0, 1.0]]), "variance is negative"),
        (lambda: Normal([1.0, 2.0], sd=[1.0, -1.0]), "sd must be at least 0"),
        (
            lambda: linear_system(one_pool(), [0.0, 1.0], 1.0, process_sd=-1.0),
            "process_sd must be at",
        ),
        (lambda: linear_system(one_pool(), [1.0, 1.0], 1.0), "t must rise, but 1 follows 1"),
        (lambda: LinearSystem(T, np.eye(2), np.zeros((1, 2))), "Phi has shape.*first axis is time"),
        (lambda: LinearSystem(T, np.eye(2)[None], np.zeros((3, 2))), "c has shape"),
        (lambda: LinearSystem(T, np.eye(2)[None], np.zeros((1, 2)), pools=["a"]), "1 pools"),
    ],
)
def test_bad_beliefs_and_systems(build, message):
    with pytest.raises(InputError, match=message):
        build()


def test_prediction_needs_time_first():
    data = StateObservations([1.0], 1.0, T, end=[1.0], H=[1.0])
    with pytest.raises(InputError, match="time first, 5 of them"):
        data.predict(np.zeros((3, 1)))


def test_a_closed_system_keeps_its_carbon():
    """Noise aside, a matrix model gains what enters and loses what is respired, in every step."""
    model = MatrixModel(("a", "b"), A=[[1, 0], [-1, 1]], K=[0.5, 0.1], B=[1, 0])
    Phi, c, _ = linear_system(model, [0.0, 1e-9], I=100.0).step(0)
    np.testing.assert_allclose(Phi.sum(0), [1.0, 1.0 - 0.1e-9], rtol=1e-14)
    np.testing.assert_allclose(c.sum(), 100.0 * 1e-9)
