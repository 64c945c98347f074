"""Ages through time: reference numbers, the limit of constant conditions, starts, sentences."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import random_model

from landcarbon.matrix import InputError, MatrixModel
from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.layers import SoilLayers, exchange_rates
from landcarbon.matrix.simulate import simulate
from landcarbon.models.century import century3
from landcarbon.models.pools import one_pool, two_pool
from landcarbon.theory.ages import pool_ages, system_age, transit_time
from landcarbon.theory.ages_through_time import (
    start_empty,
    start_given,
    start_steady,
    through_time,
)

CYCLE = json.loads((Path(__file__).parents[1] / "data/ages_century3_cycle.json").read_text("utf-8"))

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=5, deadline=None)


def cycle(t):
    return 1 + 0.4 * np.sin(2 * np.pi * t)


@pytest.fixture(scope="module")
def run():
    times = np.union1d(CYCLE["times"], [float(t) for t in CYCLE["densities"]])
    return through_time(century3(), times, I=360.0, xi=cycle)


def test_states_and_means_equal_the_reference(run):
    at = CYCLE["times"]
    k = np.searchsorted(run.t, at)
    np.testing.assert_allclose(run.X[k], CYCLE["x"], rtol=1e-8)
    np.testing.assert_allclose(run.pool_ages(at).mean, CYCLE["pool_mean_age"], rtol=1e-8)
    np.testing.assert_allclose(run.system_age(at).mean, CYCLE["system_mean_age"], rtol=1e-8)
    backward = run.backward_transit_time(at)
    np.testing.assert_allclose(backward.amount, CYCLE["output_total"], rtol=1e-8)
    np.testing.assert_allclose(backward.mean, CYCLE["backward_mean_transit_time"], rtol=1e-8)
    forward = run.forward_transit_time(at, period=1.0)
    np.testing.assert_allclose(forward.mean, CYCLE["forward_mean_transit_time"], rtol=1e-8)


@pytest.mark.parametrize("time", CYCLE["densities"])
def test_densities_equal_the_reference(run, time):
    exact, a = CYCLE["densities"][time], CYCLE["ages"]
    forward = run.forward_transit_time(float(time), period=1.0)
    for age, name in (
        (run.pool_ages(float(time)), "pool_age_density"),
        (run.system_age(float(time)), "system_age_density"),
        (run.backward_transit_time(float(time)), "backward_transit_time_density"),
        (forward, "forward_transit_time_density"),
    ):
        ours = age.pdf(a)[0] * age.amount[0]
        np.testing.assert_allclose(ours, exact[name], rtol=1e-8)
    np.testing.assert_allclose(forward.sf(a)[0] * forward.amount[0], exact["forward_survival_mass"], rtol=1e-8)


@given(seed=seeds, n=st.integers(1, 6))
@few
def test_constant_conditions_give_the_steady_state_ages(seed, n):
    m = random_model(seed, n).replace(B=np.full(n, 1 / n))
    run = through_time(m, [0.0, 0.7, 5.0], I=300.0)
    a, q = np.array([0.0, 0.2, 3.0, 5.0, 80.0]), [0.1, 0.9]
    for ours, steady in (
        (run.pool_ages(), pool_ages(m, 300.0)),
        (run.system_age(), system_age(m, 300.0)),
        (run.backward_transit_time(), transit_time(m, 300.0)),
        (run.forward_transit_time(), transit_time(m, 300.0)),
        (run.forward_transit_time(period=2.0), transit_time(m, 300.0)),
    ):
        for k in range(3):
            np.testing.assert_allclose(ours.mean[k], steady.mean, rtol=1e-8)
            np.testing.assert_allclose(ours.std[k], steady.std, rtol=1e-7)
        tiny = 1e-9 * steady.pdf(a).max()
        np.testing.assert_allclose(ours.pdf(a)[2], steady.pdf(a), rtol=1e-7, atol=tiny)
        np.testing.assert_allclose(ours.cdf(a)[2], steady.cdf(a), atol=1e-9)
        np.testing.assert_allclose(ours.quantile(q)[1], steady.quantile(q), rtol=1e-7)


def test_the_account_of_ages_closes():
    # Ages, densities and stocks belong to each other at every time, from a start with a gap of ages.
    start = start_given([50.0, 900.0], ages=([2.0, 6.0, 40.0], [[1, 0], [3, 1], [0, 2]]))
    run = through_time(two_pool(), [0.0, 3.0, 11.0], I=lambda t: 90 + 60 * np.sin(t), start=start)
    # Panels end where the density has a kink: at the age of the run, and where the table has one.
    edges = np.concatenate([np.arange(0.0, 12.0), [13.0, 17.0, 51.0]])
    x, w = np.polynomial.legendre.leggauss(8)
    low, high = edges[:-1, None], edges[1:, None]
    a, w = ((low + high) / 2 + (high - low) / 2 * x).ravel(), ((high - low) / 2 * w).ravel()
    for age in (run.pool_ages(11.0), run.system_age(11.0), run.backward_transit_time(11.0)):
        pdf = age.pdf(a)[0]
        np.testing.assert_allclose(np.tensordot(w, pdf, 1), 1.0, rtol=1e-9)
        np.testing.assert_allclose(np.tensordot(w * a, pdf, 1), age.mean[0], rtol=1e-9)
        np.testing.assert_allclose(np.tensordot(w * a**2, pdf, 1), age.std[0] ** 2 + age.mean[0] ** 2, rtol=1e-8)
        np.testing.assert_allclose(np.tensordot(w, age.sf(a)[0], 1), age.mean[0], rtol=1e-9)
    np.testing.assert_array_equal(run.system_age(11.0).sf(51.001), 0.0)


def test_times_are_the_same_but_for_rounding():
    run = through_time(two_pool(), np.linspace(0, 1, 6), I=300.0)
    assert run.t[3] != 0.6
    np.testing.assert_array_equal(run.pool_ages(at=[0.6]).mean, run.pool_ages().mean[3:4])
    with pytest.raises(InputError, match=r"no time 0\.600001"):
        run.pool_ages(at=[0.600001])


def test_a_pool_without_carbon_has_mean_age_zero_wherever_it_is_told():
    model = two_pool(humification=0.0)  # nothing reaches the old pool
    table = [0.0, 6.0], [[1.0, 1.0], [1.0, 1.0]]
    for start in (start_steady(model, 300.0), start_empty(model), start_given([1.0, 0.0], table)):
        assert start.mean[1] == 0.0 and start.square[1] == 0.0
        assert (through_time(model, [0.0, 1.0], I=300.0, start=start).pool_ages().mean[:, 1] == 0.0).all()


def test_an_empty_start_has_no_carbon_older_than_the_run():
    run = through_time(two_pool(), [0.0, 10.0, 25.0], I=300.0, start=start_empty(2))
    age = run.system_age([10.0, 25.0])
    assert np.all(age.sf([10.0, 25.0])[0] == 0) and age.sf(10.0)[1] > 0.1
    assert np.all(age.quantile(0.99) < [10.0, 25.0])
    assert run.system_age().mean[0] == 0.0


def test_stocks_are_those_of_the_forward_run():
    t = np.arange(0.0, 21.0)
    rng = np.random.default_rng(0)
    I, xi = rng.uniform(100, 500, 20), rng.uniform(0.5, 1.5, (20, 1))
    m = century3()
    run = through_time(m, t, I, xi, start=start_steady(m, 300.0))
    np.testing.assert_allclose(run.X, simulate(m, t, m.steady_state(300.0), I, xi).X, rtol=1e-9)


def test_one_pool_after_a_stop_of_the_input():
    # The age of what is left grows by a year each year, and keeps its shape.
    run = through_time(one_pool(0.1), [0.0, 5.0], I=0.0, start=start_steady(one_pool(0.1), 1.0))
    age = run.system_age(5.0)
    np.testing.assert_allclose([age.mean, age.std], [[15.0], [10.0]], rtol=1e-9)
    np.testing.assert_allclose(age.pdf([4.0, 5.0, 25.0])[0], 0.1 * np.exp([-np.inf, 0.0, -2.0]), rtol=1e-9)
    np.testing.assert_allclose(age.quantile(0.5), 5 + 10 * np.log(2), rtol=1e-9)


def test_forward_and_backward_transit_times_see_the_change_from_either_side():
    # Turnover doubles at t = 0. What comes in later leaves twice as soon; what leaves is still old.
    run = through_time(one_pool(0.1), [-5.0, 0.0, 5.0, 60.0], I=1.0,
                       xi=lambda t: 1.0 if t < 0 else 2.0, breaks=[0.0])
    np.testing.assert_allclose(run.forward_transit_time(0.0).mean, 5.0, rtol=1e-9)
    np.testing.assert_allclose(run.backward_transit_time(0.0).mean, 10.0, rtol=1e-9)
    before = 10 - 5 * np.exp(-0.5)  # in at t = −5: ten years, less what the last stretch saves
    np.testing.assert_allclose(run.forward_transit_time(-5.0).mean, before, rtol=1e-9)
    assert run.backward_transit_time(60.0).mean == pytest.approx(5.0, rel=1e-3)


def test_a_model_may_change_and_so_may_the_start():
    slow, fast = two_pool(), two_pool(k_old=0.1)
    start = start_given(slow.steady_state(200.0), ages=pool_ages(slow, 200.0))
    t = [0.0, 4.0, 9.0]
    whole = through_time(lambda s: slow if s < 4 else fast, t, I=200.0, start=start, breaks=[4.0])
    np.testing.assert_allclose(whole.X[1], start.X, rtol=1e-9)
    later = through_time(fast, [4.0, 9.0], I=200.0, start=start)
    np.testing.assert_allclose(whole.pool_ages(9.0).mean, later.pool_ages(9.0).mean, rtol=1e-9)


def test_columns_run_too():
    layers = SoilLayers([0.1, 0.3, 0.6])
    down, up = exchange_rates([1e-3, 1e-3], layers)
    column = LayeredModel(("litter", "soil"), layers, [[1, 0], [-0.4, 1]],
                          [[2, 1.5, 1], [0.1, 0.04, 0.01]], down, up)
    b = np.array([[900.0, 200.0, 10.0], [0, 0, 0]])
    run = through_time(column, [0.0, 8.0], I=b[None], start=start_empty(column))
    assert run.X.shape == run.pool_ages().mean.shape == (2, 2, 3)
    long = through_time(column, [0.0, 3e4], I=b[None], start=start_empty(column))
    np.testing.assert_allclose(long.X[1], column.steady_state(b) * layers.thickness, rtol=1e-8)
    np.testing.assert_allclose(long.pool_ages(3e4).mean[0], pool_ages(column, b).mean, rtol=1e-8)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: through_time(two_pool(), [0, 0], 1.0), "must rise, but 0 follows 0"),
        (lambda: through_time(two_pool(), [0, 1, 2], [1.0] * 3), "there are 2 steps"),
        (lambda: through_time(two_pool(), [0, 1], 1.0, rtol=1e-15), "give an rtol of 1e-13 or more"),
        (lambda: through_time(two_pool(), [0, 1], 0.0), "The input is 0 in every pool"),
        (lambda: through_time(two_pool([1, 2]), [0, 1], 1.0), "run for one site"),
        (lambda: through_time(two_pool(), [0, 1], 1.0, start=start_empty(3)), "The start has 3 pools"),
        (lambda: through_time(two_pool(), [0, 1], 1.0).system_age(0.5), "The run has no time 0.5"),
        (
            lambda: through_time(two_pool(), [0, 1], 1.0, start=start_empty(2)).pool_ages().pdf(1.0),
            "At t = 0 there is no carbon in pool 0",
        ),
        (
            lambda: through_time(one_pool(), [0, 1], 1.0, lambda t: 1.0 - (t >= 1)).forward_transit_time(),
            "Carbon in 'land' could never leave under the conditions of the last time",
        ),
        (lambda: through_time(one_pool(), [0, 1], 1.0).forward_transit_time(period=3), "the run lasts 1"),
        (
            lambda: through_time(
                one_pool(), [0, 1, 2], 1.0, np.array([[1.0], [0.0]])
            ).forward_transit_time(period=1.0),
            "Within one period no carbon leaves",
        ),
        (lambda: start_steady(two_pool([0.5, 1.0]), 1.0), "one site"),
        (lambda: start_given([1.0], ([2, 1], [[1], [1]])), "numbers that rise"),
        (lambda: start_given([1.0, 1.0], ([1, 2], [[1, 0], [1, 0]])), "Pool 1 holds carbon"),
        (lambda: start_given([1.0], pool_ages(two_pool(), 1.0)), "one model with 1 pools"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


def test_a_jump_that_is_not_named_is_found_and_one_that_is_named_costs_less():
    def light(t):
        return 1.0 if t < 0.3 else 2.0

    found = through_time(one_pool(5.0), [0.0, 1.0], light, start=start_empty(1))
    named = through_time(one_pool(5.0), [0.0, 1.0], light, start=start_empty(1), breaks=[0.3])
    exact = (2 - np.exp(-3.5) - np.exp(-5.0)) / 5
    np.testing.assert_allclose(found.X[1], exact, rtol=1e-8)
    np.testing.assert_allclose(named.X[1], exact, rtol=1e-11)


def test_matrix_models_with_several_inputs():
    m = MatrixModel(("a", "b"), [[1, 0], [0, 1]], K=[1.0, 0.1], B=np.eye(2))
    run = through_time(m, [0.0, 2.0], I=np.array([[3.0, 5.0]]))
    np.testing.assert_allclose(run.X, [[3.0, 50.0]] * 2, rtol=1e-9)
