"""Forward runs: exact steps, closed balances, changing matrices, sentences."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import random_model

from landcarbon.matrix import InputError, MatrixModel
from landcarbon.matrix.simulate import integrate, simulate
from landcarbon.matrix.steps import propagator, step
from landcarbon.models.pools import one_pool, three_pool, two_pool

seeds = st.integers(0, 2**32 - 1)


def block_exponential(M, h):
    n = len(M)
    Z = np.zeros((3 * n, 3 * n))
    Z[:n, :n], Z[:n, n : 2 * n], Z[n : 2 * n, 2 * n :] = -M, np.eye(n), np.eye(n)
    E = scipy.linalg.expm(Z * h)
    return E[:n, :n], E[:n, n : 2 * n], E[:n, 2 * n :]


@given(seed=seeds, n=st.integers(1, 8), h=st.sampled_from([1 / 365, 1 / 12, 1.0, 30.0]))
@settings(max_examples=40, deadline=None)
def test_propagator_is_the_matrix_exponential_and_its_integrals(seed, n, h):
    M = random_model(seed, n).outflow_matrix()
    p = propagator(M, h)
    for ours, theirs in zip((p.state, p.stay, p.stay_input), block_exponential(M, h)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11 * np.abs(theirs).max())
        assert np.all(ours >= 0)


def test_one_pool_is_the_closed_form_over_eight_orders_of_magnitude():
    k = np.logspace(-6, 2, 9)
    h = 10.0
    p = propagator(k[:, None, None], h)
    x = k * h
    np.testing.assert_allclose(p.state[:, 0, 0], np.exp(-x), rtol=3e-13)
    np.testing.assert_allclose(p.stay[:, 0, 0], -np.expm1(-x) / k, rtol=1e-13)
    exact = [0.5 - v / 6 + v**2 / 24 if v < 1e-3 else (np.expm1(-v) + v) / v**2 for v in x]
    np.testing.assert_allclose(p.stay_input[:, 0, 0], h**2 * np.array(exact), rtol=1e-9)


def test_far_pools_keep_their_digits():
    # the last of five pools in a row after a short time: h⁴ k⁴ / 4! to leading order, about 1e-25
    A = np.eye(5) - np.eye(5, k=-1)
    p = propagator(A * 1e-3, 1e-3)
    assert p.state[4, 0] == pytest.approx(1e-24 / 24, rel=1e-5)


@given(seed=seeds, n=st.integers(1, 7), method=st.sampled_from(["exponential", "implicit"]))
@settings(max_examples=40, deadline=None)
def test_carbon_balance_closes_in_every_step(seed, n, method):
    m = random_model(seed, n)
    rng = np.random.default_rng(seed)
    t = np.cumsum(rng.uniform(0.01, 3, 25))
    run = simulate(m, t, rng.uniform(0, 1e4, n), rng.uniform(0, 900, 24),
                   rng.uniform(0.1, 2, (24, n)), method=method)
    change = run.X.sum("pool").diff("time").values
    gain = ((run.input - run.respiration).sum("pool") * run.dt).values
    turnover = (run.respiration.sum("pool") * run.dt).values + run.X.sum("pool").values[1:]
    assert np.all(np.abs(change - gain) <= 1e-10 * turnover)
    assert np.all(run.X.values >= 0)


def test_each_pool_balances_too():
    m = random_model(11, 6)
    M, u = m.outflow_matrix(), m.input(500.0)
    run = integrate(np.linspace(0, 7, 15), np.ones(6), M[None], u[None])
    change = np.diff(run.X, axis=0)
    expected = 0.5 * u - run.integral @ M.T
    np.testing.assert_allclose(change, expected, atol=1e-10 * np.abs(u).max())


def test_steps_of_any_length_agree():
    m = three_pool()
    coarse = simulate(m, [0.0, 100.0], [0, 0, 0], 60.0)
    fine = simulate(m, np.linspace(0, 100, 1201), [0, 0, 0], 60.0)
    np.testing.assert_allclose(coarse.X[-1], fine.X[-1], rtol=1e-12)
    total = (fine.respiration * fine.dt).sum("step")
    np.testing.assert_allclose(total, (coarse.respiration * 100.0)[0], rtol=1e-12)


def test_the_steady_state_stays():
    m = random_model(5, 6)
    X = m.steady_state(300.0, xi=0.4)
    run = simulate(m, np.arange(50.0), X, 300.0, xi=0.4)
    np.testing.assert_allclose(run.X, np.broadcast_to(X, (50, 6)), rtol=1e-11)


def test_sinusoidal_scalar_against_a_high_order_integrator():
    # nonauto_century3_sin of the reference numbers: 8th order at rtol 1e-13; ours, with the forcing
    # constant within each step, converges to it with the square of the step.
    A = [[1, -0.42, -0.45], [-0.446, 1, 0], [-0.004, -0.03, 1]]
    m = MatrixModel(("active", "slow", "passive"), A, K=[7.3, 0.2, 0.0045], B=[5 / 6, 1 / 6, 0])
    X0 = [55.48661828915255, 1203.2666591291145, 1964.4020464039872]
    reference = [66.19034684601141, 1200.268589003856, 1964.290440645674]  # t = 1
    errors = []
    for steps in (64, 128, 256):
        run = simulate(m, np.linspace(0, 1, steps + 1), X0, 360.0,
                       xi=lambda t: 1 + 0.4 * np.sin(2 * np.pi * t))
        errors.append(np.abs(run.X.values[-1] / reference - 1).max())
    assert errors[2] < 3e-5
    np.testing.assert_allclose(np.log2(np.divide(errors[:2], errors[1:])), 2, atol=0.1)


def test_implicit_euler_converges_with_the_step():
    m = two_pool(0.5, 0.025, 0.3)
    exact = simulate(m, [0, 10], [0, 0], 1.0).X.values[-1]
    errors = [
        np.abs(simulate(m, np.linspace(0, 10, s + 1), [0, 0], 1.0, method="implicit").X.values[-1]
               - exact).max()
        for s in (200, 400)
    ]
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.03)


def test_a_model_may_change_in_time():
    slow, fast = one_pool(0.05), one_pool(0.1)
    run = simulate(lambda t: slow if t < 50 else fast, [0.0, 50.0, 100.0], [1e4], 0.0)
    np.testing.assert_allclose(run.X[:, 0], 1e4 * np.exp([0, -2.5, -7.5]), rtol=1e-12)


def test_sites_at_once_equal_sites_one_by_one():
    m = random_model(2, 4, lead=(3,))
    t = np.linspace(0, 5, 13)
    rng = np.random.default_rng(1)
    I, xi = rng.uniform(0, 500, (12, 3)), rng.uniform(0.2, 1.5, (12, 3, 1))
    X0 = rng.uniform(0, 100, (3, 4))
    run = simulate(m, t, X0, I, xi)
    assert run.X.dims == ("time", "site", "pool")
    for s in range(3):
        one = MatrixModel(m.pools, m.A[s], m.K[s], m.B[s])
        alone = simulate(one, t, X0[s], I[:, s], xi[:, s])
        np.testing.assert_allclose(run.X[:, s], alone.X, rtol=1e-11)
        np.testing.assert_allclose(run.respiration[:, s], alone.respiration, rtol=1e-11)


def test_members_share_one_model():
    run = simulate(three_pool(), [0, 1, 2], np.ones((5, 3)), 60.0, dims=("member",))
    assert run.X.shape == (3, 5, 3)
    assert run.input.dims == ("step", "member", "pool")


def test_labels_carry_units():
    run = simulate(three_pool(), [0, 1], np.zeros(3), 60.0, unit="PgC")
    assert run.X.units == "PgC"
    assert run.respiration.units == "PgC yr-1"
    assert list(run.pool.values) == ["vegetation", "litter", "soil"]
    np.testing.assert_allclose(run.input.sel(pool="vegetation"), [60.0])


def test_without_turnover_carbon_grows_along_a_line():
    run = integrate([0.0, 2.0, 5.0], [1.0, 0.0], np.zeros((1, 2, 2)), [[3.0, 0.5]])
    np.testing.assert_allclose(run.X, [[1, 0], [7, 1], [16, 2.5]], rtol=1e-13)
    # its integral over a step: X h + u h² / 2
    np.testing.assert_allclose(run.integral, [[8, 1], [34.5, 5.25]], rtol=1e-13)
    M = two_pool().outflow_matrix()
    X, integral = step([1.0, 2.0], M, [5.0, 5.0], 0.0)
    np.testing.assert_array_equal(X, [1.0, 2.0])
    np.testing.assert_array_equal(integral, [0.0, 0.0])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: simulate(one_pool(), [0, 0], [1], 1.0), "t must rise, but 0 follows 0"),
        (lambda: simulate(one_pool(), [0], [1], 1.0), "at least two times"),
        (lambda: simulate(one_pool(), [0, 1, 2], [1], [1.0] * 3), "there are 2 steps: time comes"),
        (lambda: simulate(two_pool(), [0, 1], [1], 1.0), "X0 must end in axes"),
        (lambda: simulate(one_pool(), [0, 1], [1], 1.0, method="euler"), "are exponential, implicit"),
        (lambda: simulate(3.0, [0, 1], [1], 1.0), "model is float"),
        (lambda: simulate(lambda t: None, [0, 1], [1], 1.0), "returned NoneType"),
        (lambda: simulate(one_pool(), [0, 1], [1], lambda t: np.nan), "I at t = 0.5 holds"),
        (lambda: simulate(one_pool(), [0, 1], [1], 1.0, dims=("a",)), "dims names 1"),
        (lambda: step([1.0], [[-1.0]], [0.0], 1.0), "other sign convention"),
        (lambda: step([1.0], [1.0], [0.0], 1.0), "square matrix"),
        (lambda: step([1.0], [[1.0]], [0.0], -1.0), "dt must be at least 0"),
        (lambda: integrate([0, 1, 2], [1.0], np.ones((3, 1, 1)), [[0.0]]), "first axis is time"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
