"""Spin-up: six ways to one state, what each costs, and how wrong its stopping rule is."""

import time
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import random_model

from landcarbon.matrix import InputError, MatrixModel
from landcarbon.matrix.loops import Cycle, FeedbackCycle
from landcarbon.matrix.simulate import simulate
from landcarbon.matrix.spinup import (
    accelerated,
    anderson,
    native,
    newton,
    periodic,
    sasu,
)
from landcarbon.models import teco
from landcarbon.models.century import century3, century7
from landcarbon.models.pools import one_pool

month = np.arange(12)
SCALAR = 0.4 * (1 + 0.6 * np.sin(2 * np.pi * (month - 3) / 12))
INPUT = 360 * (1 + 0.8 * np.sin(2 * np.pi * (month - 4) / 12))


@pytest.mark.parametrize("lead", [(), (12,)])
@pytest.mark.parametrize("inputs", [1, 2])
@pytest.mark.parametrize("shape", [(12,), (12, 3), (12, 12, 1)])
def test_a_loop_holds_the_matrices_of_its_steps(lead, inputs, shape):
    rng = np.random.default_rng(3)
    A = np.array([[1.0, 0, 0], [-0.4, 1, 0], [0, -0.3, 1]])
    B = np.array([0.5, 0.5, 0.0]) if inputs == 1 else np.array([[0.7, 0.0], [0.3, 0.0], [0.0, 1.0]])
    model = MatrixModel(("a", "b", "c"), A, rng.uniform(0.1, 1, (*lead, 3)), np.broadcast_to(B, (*lead, *B.shape)))
    I, xi = rng.uniform(1, 3, (12, inputs)[:inputs]), rng.uniform(0.5, 1, shape)
    loop = Cycle.from_model(model, I, xi)
    np.testing.assert_array_equal(loop.M, [model.outflow_matrix(x) for x in xi])
    np.testing.assert_array_equal(loop.u, [model.input(i) for i in I])


@pytest.fixture(scope="module")
def cycle():
    return Cycle.from_model(century3(), INPUT, SCALAR)


def column(layers=20):
    """Seven pools in twenty layers that mix, turnover falling with depth: 140 pools."""
    rng = np.random.default_rng(4)
    K = np.array([0.3, 18.0, 5.0, 5.0, 7.3, 0.2, 0.0045])
    f = np.zeros((7, 7))
    f[2, 0], f[3, 0], f[4, 1], f[4, 2], f[5, 3] = 0.76, 0.24, 0.45, 0.5, 0.5
    f[5, 4], f[6, 4], f[4, 5], f[6, 5], f[4, 6] = 0.5, 0.01, 0.42, 0.03, 0.45
    depth = np.exp(-np.arange(layers) / 8)
    K = (K[:, None] * depth).ravel()
    A = np.kron(np.eye(7) - f, np.eye(layers))
    exchange = np.diag(rng.uniform(0.01, 0.05, layers - 1), 1)
    V = -(exchange + exchange.T)
    V -= np.diag(V.sum(axis=0))
    V = np.kron(np.diag([0, 1, 1, 1, 1, 1, 1]), V)
    B = np.kron([0.1, 0.3, 0.4, 0.2, 0, 0, 0], depth / depth.sum())
    return MatrixModel([f"p{i}" for i in range(7 * layers)], A, K, B, V=V)


def test_a_year_does_not_move_the_periodic_state(cycle):
    X = periodic(cycle).X
    year = simulate(century3(), np.arange(13) / 12, X, INPUT, SCALAR)
    np.testing.assert_allclose(year.X[-1], X, rtol=1e-12)
    assert np.ptp(year.X.sel(pool="active").values) > 10


def test_constant_forcing_gives_the_steady_state():
    m = century3()
    X = periodic(Cycle.from_model(m, 360.0, 0.5)).X
    np.testing.assert_allclose(X, m.steady_state(360.0, 0.5), rtol=1e-11)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 6))
@settings(max_examples=6, deadline=None)
def test_every_way_arrives_at_the_same_state(seed, n):
    rng = np.random.default_rng(seed)
    m = random_model(seed, n)
    loop = Cycle.from_model(m, rng.uniform(0, 900, 12), rng.uniform(0.2, 1.5, (12, n)))
    exact = periodic(loop).X
    quick = sasu(loop, X0=rng.uniform(0, 1e4, n), tol=1e-7)
    assert quick.converged
    assert quick.years < 100
    np.testing.assert_allclose(quick.X, exact, rtol=1e-5, atol=1e-5)
    assert np.all(quick.states >= 0)
    for slow in (native(loop, tol=1e-2), accelerated(loop, to_four_tenths(loop), tol=1e-2)):
        assert slow.converged
        # the error is bounded by the last change times the slowest time scale
        slowest = 1 / np.linalg.eigvals(m.outflow_matrix(0.2)).real.min()
        np.testing.assert_allclose(slow.X, exact, atol=2 * n * 1e-2 * max(slowest, 1.0))


def to_four_tenths(loop, X=0.0):
    """Factors that make every pool slower than 0.4 yr turn over in 0.4 yr, at the state X."""
    X = np.broadcast_to(np.asarray(X, dtype=float), np.shape(X) or (loop.pools,))
    rate = np.diagonal(loop.account(X).M) / loop.length
    return np.maximum(1.0, 1.0 / (0.4 * rate))


def test_stopping_rule_and_error_are_two_things(cycle):
    # near the end only the slowest pool moves: error = change × its time scale
    run = native(cycle, tol=1e-2)
    slowest = 1 / np.linalg.eigvals(century3().outflow_matrix(0.4)).real.min()
    missing = run.exact[2] - run.X[2]
    assert run.history[-1] <= 1e-2
    assert missing == pytest.approx(1e-2 * slowest, rel=0.05)
    assert run.error > 100 * 1e-2 / run.exact[2]


def test_sasu_needs_less_than_five_percent_of_native_years(cycle):
    slow, fast = native(cycle, tol=1e-4), accelerated(cycle, to_four_tenths(cycle), tol=1e-4)
    quick = sasu(cycle, tol=1e-4)
    assert quick.years_to(1e-3) <= 0.05 * slow.years_to(1e-3)
    assert quick.years_to(1e-3) < fast.years_to(1e-3) < slow.years_to(1e-3)
    assert quick.error < slow.error
    assert periodic(cycle).years <= 0.005 * slow.years


def test_seven_pools_with_two_inputs():
    m = century7(lignin_to_nitrogen=20.0, structural_lignin=0.25)
    loop = Cycle.from_model(m, np.stack([INPUT, INPUT], axis=-1) / 2, SCALAR)
    assert sasu(loop, tol=1e-3).error < 1e-4


def test_a_column_of_140_pools():
    loop = Cycle.from_model(column(), INPUT, SCALAR)
    quick = sasu(loop, tol=1e-3)
    assert quick.years < 60
    assert quick.error < 1e-3
    exact = periodic(loop)
    assert np.all(exact.X > 0)
    assert exact.history[-1] < 1e-8


def test_pools_of_a_million_years_keep_their_digits():
    loop = Cycle.from_model(one_pool(1e-6), 3.0)
    np.testing.assert_allclose(periodic(loop).X, [3e6], rtol=1e-13)


def test_accelerated_is_exact_under_constant_forcing():
    loop = Cycle.from_model(century3(), 360.0)
    fast, slow = accelerated(loop, to_four_tenths(loop), tol=1e-6), native(loop, tol=1e-6)
    assert fast.error < 1e-6
    # The accelerated phase ends at the exact state, and one native loop confirms it.
    assert fast.history[-1] < 1e-6
    assert fast.years < 0.02 * slow.years


def test_the_factors_are_a_trade_off():
    """Chapter 08's loop: CLM's factors beat pools of 0.4 yr, gentler ones beat both; more is not better."""
    days = teco.synthetic_forcing(1, rng=8)
    xi = days.xi().reshape(73, 5, 8).mean(axis=1)
    loop = Cycle.from_model(teco.teco8(), days.I.reshape(73, 5).mean(axis=1), xi, np.full(73, 5 / 365))
    ways = ([1] * 8, to_four_tenths(loop), [1, 10, 1, 1, 1, 1, 15, 675], [1, 23, 1, 1, 1, 1, 28, 240])
    years = [accelerated(loop, f, tol=1e-4).years_to(1e-3) for f in ways]
    assert years == sorted(years, reverse=True)
    assert years[0] == native(loop, tol=1e-4).years_to(1e-3)
    assert years[3] < 0.5 * years[2] < 0.25 * years[1]


def test_loops_of_several_years_and_implicit_steps():
    rng = np.random.default_rng(0)
    dt = np.full(36, 1 / 12)
    I, xi = rng.uniform(0, 900, 36), rng.uniform(0.2, 1.0, 36)
    loop = Cycle.from_model(century3(), I, xi, dt, method="implicit")
    run = sasu(loop, tol=1e-5)
    assert loop.length == pytest.approx(3)
    assert run.years == pytest.approx(3 * len(run.history))
    assert run.error < 1e-5


def test_many_sites_at_once():
    m = random_model(9, 4, lead=(5,))
    I = np.random.default_rng(2).uniform(100, 900, (12, 5))
    loop = Cycle.from_model(m, I, SCALAR)
    X = periodic(loop).X
    assert X.shape == (5, 4)
    np.testing.assert_allclose(sasu(loop, tol=1e-6).X, X, rtol=1e-4)
    one = MatrixModel(m.pools, m.A[3], m.K[3], m.B[3])
    np.testing.assert_allclose(periodic(Cycle.from_model(one, I[:, 3], SCALAR)).X, X[3], rtol=1e-9)


def test_anderson_solves_a_linear_model_in_one_loop_more_than_it_has_pools():
    m = century7(lignin_to_nitrogen=20.0, structural_lignin=0.25)
    loop = Cycle.from_model(m, np.stack([INPUT, INPUT], axis=-1) / 2, SCALAR)
    run = anderson(loop, tol=1e-6)
    # Seven loops span the seven pools; one more, or two where rounding took part, meets the rule.
    assert run.years <= 10
    assert run.error < 1e-8
    assert anderson(loop, tol=1e-6, memory=2).years > run.years


def test_newton_counts_every_loop(cycle):
    run = newton(cycle, tol=1e-6)
    assert run.error < 1e-7
    assert run.years == len(run.history) < 30


def feedback(strength=0.3):
    """Soil that decays faster, and plants that grow better, with more active carbon; two seasons."""
    m = century3().replace(K=[7.3, 0.2, 0.02])

    def at(step, X):
        active = max(X[0], 1e-9) / 150
        xi = (0.3, 0.5)[step] * np.array([1.0, active**strength, active**strength])
        return m.outflow_matrix(xi), m.input((200, 520)[step] * (1 + strength * (1 - np.exp(-active))))

    return FeedbackCycle(at, [0.5, 0.5], method="implicit")


def test_without_feedback_both_kinds_of_loop_are_one(cycle):
    same = FeedbackCycle(lambda k, X: (cycle.M[k], cycle.u[k]), cycle.dt)
    X = np.array([10.0, 500.0, 900.0])
    np.testing.assert_allclose(same(X), cycle(X), rtol=1e-14)
    np.testing.assert_allclose(periodic(same, X0=X).X, periodic(cycle).X, rtol=1e-12)
    one, other = sasu(same, X0=X, tol=1e-3), sasu(cycle, X0=X, tol=1e-3)
    np.testing.assert_allclose(one.states, other.states, rtol=1e-12)


@pytest.mark.parametrize("strength", [0.1, 0.5])
def test_with_weak_feedback_every_way_arrives_at_the_same_state(strength):
    loop, X0 = feedback(strength), [50.0, 500.0, 900.0]
    exact = periodic(loop, X0=X0)
    assert exact.years < 20
    np.testing.assert_allclose(loop(exact.X), exact.X, rtol=1e-11)
    quickened = partial(accelerated, factors=to_four_tenths(loop, X0))
    runs = [way(loop, X0=X0, tol=1e-3) for way in (native, quickened, sasu, anderson, newton)]
    for run in runs:
        assert run.converged
        np.testing.assert_allclose(run.exact, exact.X, rtol=1e-9)
        # native stops with 1e-3 gC m-2 yr-1 times some hundred years; the others are closer
        np.testing.assert_allclose(run.X, exact.X, rtol=1e-3)
    for run in runs[2:]:
        assert run.years_to(1e-3) < 0.05 * runs[0].years_to(1e-3)


def test_a_plain_function_can_be_spun_up():
    loop, X0 = feedback(), np.array([50.0, 500.0, 900.0])
    exact = periodic(loop, X0=X0).X
    for way in (anderson, newton):
        run = way(lambda X: loop(X), X0=X0, tol=1e-4)
        np.testing.assert_allclose(run.exact, exact, rtol=1e-9)
        np.testing.assert_allclose(run.X, exact, rtol=1e-5)
    with pytest.raises(InputError, match="plain function can be spun up by native"):
        sasu(lambda X: loop(X), X0=X0)


def test_a_model_without_a_periodic_state_is_refused():
    # each year 1 gC m-2 more comes in than leaves, however much there is
    grow = FeedbackCycle(lambda k, X: ([[0.1]], 0.1 * X + 1.0), [1.0], method="implicit")
    with pytest.raises(InputError, match="did not settle in 300 loops"):
        periodic(grow, X0=[10.0])
    with pytest.raises(InputError, match="was not found"):
        anderson(lambda X: X + 1.0, X0=[10.0])


def test_a_run_cut_short_says_so(cycle):
    run = native(cycle, max_years=10)
    assert not run.converged
    assert run.years == 10
    assert "not converged" in str(run)
    assert run.years_to(1e-3) == np.inf


def test_the_rule_without_words_is_a_hundredth_of_a_gram_a_year(cycle):
    quickened = partial(accelerated, factors=to_four_tenths(cycle))
    for way in (native, quickened, sasu, anderson, newton):
        run = way(cycle)
        assert run.converged and run.history[-1] <= 0.01, way
    slow = native(cycle)
    assert slow.history[-2] > 0.01 > slow.history[-1] > 0.0099


def test_a_spin_up_tells_how_long_it_took():
    begin = time.perf_counter()
    run = native(Cycle.from_model(one_pool(0.1), 5.0), tol=1e-3)
    assert 0 < run.seconds < time.perf_counter() - begin


def test_years_until_an_error_is_counted_in_whole_loops():
    # One pool from nothing: after n years e^(−0.1 n) of it is missing, and ln 2 / 0.1 is 6.9 years.
    run = native(Cycle.from_model(one_pool(0.1), 5.0), X0=[0.0], tol=1e-6)
    np.testing.assert_allclose(run.error_history()[:9], np.exp(-0.1 * np.arange(1, 10)), rtol=1e-9)
    assert run.years_to(0.5) == 7
    assert run.years_to(0.95) == 1
    # Of two pools each has its own; without a name it is the larger.
    both = MatrixModel(("fast", "slow"), np.eye(2), [1.0, 0.1], [0.5, 0.5])
    pair = native(Cycle.from_model(both, 5.0), X0=[0.0, 0.0], tol=1e-6)
    np.testing.assert_allclose(pair.error_history(pool=0)[:5], np.exp(-np.arange(1.0, 6)), rtol=1e-9)
    np.testing.assert_allclose(pair.error_history()[:5], np.exp(-0.1 * np.arange(1, 6)), rtol=1e-9)
    assert (pair.years_to(0.5, pool=0), pair.years_to(0.5, pool=1), pair.years_to(0.5)) == (1, 7, 7)
    # Two years a loop: e^(−0.2 n), and 3.5 loops are 4, or 8 years.
    two = native(Cycle.from_model(one_pool(0.1), np.full(2, 5.0), dt=[1.0, 1.0]), X0=[0.0], tol=1e-6)
    assert two.years_to(0.5) == 8


def test_one_site_of_many_without_a_periodic_state_is_refused():
    # So slow that its state is no number any more; the solver itself does not mind.
    sites = MatrixModel(("soil",), np.ones((2, 1, 1)), [[0.1], [1e-320]], [1.0])
    with pytest.raises(InputError, match="can never leave"):
        periodic(Cycle.from_model(sites, 100.0))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Cycle(np.ones((2, 1, 1)), np.ones((3, 1)), [1.0, 1.0]), "share their first axis"),
        (lambda: Cycle(np.ones((1, 1)), np.ones((1, 1)), [1.0]), "share their first axis"),
        (lambda: Cycle.from_model(one_pool(), np.ones(5)), "there are 12 steps"),
        (lambda: native(Cycle.from_model(one_pool(), 1.0), tol=0.0), "tol must be above 0"),
        (lambda: native(Cycle.from_model(one_pool(), 1.0), X0=[1, 2]), "X0 must end in axes"),
        (lambda: native(Cycle.from_model(one_pool(), 1.0), X0=[-1]), "X0 must be at least 0"),
        (lambda: accelerated(Cycle.from_model(one_pool(), 1.0), factors=[0.5]), "at least 1"),
        (lambda: accelerated(Cycle.from_model(one_pool(), 1.0), factors=[1, 2]), "One for each pool"),
        (lambda: periodic(Cycle.from_model(one_pool().replace(K=[0.0]), 1.0)), "can never leave"),
        (lambda: periodic(feedback()), "needs a state to start from"),
        (lambda: native(feedback()), "native needs a state to start from"),
        (lambda: FeedbackCycle(lambda k, X: ([[1.0]], [1.0]), [0.0]), "dt must be above 0"),
        (lambda: FeedbackCycle(lambda k, X: ([[1.0]], [1.0]), []), "one length for each step"),
        (lambda: anderson(Cycle.from_model(one_pool(), 1.0), memory=0), "memory must be a whole number"),
        (lambda: newton(Cycle.from_model(one_pool(), 1.0), X0=[[1.0], [2.0]]), "one site at a time"),
        (lambda: native(3.0, X0=[1.0]), "give a Cycle, a FeedbackCycle, or a function"),
        (lambda: native(lambda X: X * np.nan, X0=[1.0]), "NaN"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
