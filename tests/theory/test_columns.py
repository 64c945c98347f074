"""CLM5 columns through time, month by month: against dense matrices, small steps and exact ages."""

from dataclasses import replace

import numpy as np
import pytest

from landcarbon.matrix import InputError
from landcarbon.matrix.loops import Cycle
from landcarbon.matrix.simulate import simulate
from landcarbon.matrix.spinup import accelerated, native, periodic
from landcarbon.models import clm5
from landcarbon.models.pools import one_pool
from landcarbon.theory.ages_through_time import start_steady, through_time
from landcarbon.theory.carbon14 import radiocarbon, steady_delta
from landcarbon.theory.columns import columns_through_time, start_of_columns

P = clm5.PARAMETERS
BOMB = ([1900.0, 1955.0, 1965.0, 1990.0, 2020.0], [0.0, 0.0, 700.0, 150.0, 0.0])


def land(n=9, seed=4):
    """Warm and frozen columns with seasons in every layer; what a year adds is given by `warmer`."""
    rng = np.random.default_rng(seed)
    season = 12 * np.sin(2 * np.pi * np.arange(12) / 12)
    base = clm5.Forcing(
        rng.normal(278, 8, (n, 1, 1)) + season + rng.normal(0, 1, (n, 20, 12)),
        rng.uniform(0.05, 1, (n, 20, 12)), rng.uniform(10, 200, (n, 4)), 1.0, 0.8,
        np.resize([0.0, 0.6, 1.5, 50.0], n), rng.integers(8, 21, n),
    )  # fmt: skip
    theta = P.array(efolding=np.geomspace(0.1, 10.0, n), q10=rng.uniform(1.2, 3.0, n))
    return theta, base


def warmer(base, year):
    """0.3 K a year from 2000 on, half a metre more thaw, a hundredth more input."""
    dt = max(0, year - 2000)
    return replace(
        base, soil_temperature=base.soil_temperature + 0.3 * dt, litter_input=base.litter_input * 1.01**dt,
        active_layer_depth=base.active_layer_depth + 0.5 * dt,
    )  # fmt: skip


def loop_of(theta, base):
    return Cycle.from_model(*clm5.monthly_columns(theta, base), method="implicit")


def test_the_periodic_state_through_the_cascade_is_the_dense_one():
    theta, base = land()
    loop = loop_of(theta, base)
    found = periodic(loop)
    exact = periodic(loop.flat).X
    assert found.years < 60
    np.testing.assert_allclose(loop.flattened(found.X), exact, rtol=1e-8, atol=1e-12 * exact.max())
    # A run forward from it comes back to it each year.
    model, I, xi = clm5.monthly_columns(theta, base)
    run = simulate(model, 2000 + np.arange(37) / 12, found.X, I, xi, method="implicit", keep=[2001, 2002, 2003])
    for year in run.X.values:
        np.testing.assert_allclose(year, found.X, rtol=1e-10, atol=1e-12 * found.X.max())


def test_columns_are_spun_up_without_large_matrices():
    theta, base = land()
    loop = loop_of(theta, base)
    exact = periodic(loop).X
    some = native(loop, X0=0.9 * exact, max_years=3)
    assert "flat" not in vars(loop)
    np.testing.assert_allclose(some.X, loop(loop(loop(0.9 * exact))), rtol=1e-12)
    np.testing.assert_allclose(some.exact, exact, rtol=1e-12)
    fast = loop.faster(np.array(clm5.ACCELERATION))
    at_rest = periodic(fast).X * np.array(clm5.ACCELERATION)[:, None]
    both = accelerated(loop, clm5.ACCELERATION, X0=at_rest, tol=1e-3, max_years=2)
    np.testing.assert_allclose(both.X, loop(at_rest), rtol=1e-9)
    # Ten times faster pools hold a tenth under constant forcing, mixing included.
    column, b = clm5.column(theta[3], base[3])
    still = Cycle.from_model(column, b[None], dt=[1.0], method="implicit")
    fast = still.faster(np.full(7, 10.0))
    np.testing.assert_allclose(10 * periodic(fast).X, periodic(still).X, rtol=1e-9)


def test_a_ramp_with_thaw_equals_explicit_small_steps():
    """Both have an error of first order in h; extrapolated to h = 0 they agree to 1e-6."""
    theta, base = land()
    column = (theta[5:6], base[5:6])
    model, I, xi = clm5.monthly_columns(column[0], lambda year: warmer(column[1], year))
    X0 = clm5.steady_state(*column)

    def run(method, parts):
        t = 2000 + np.arange(24 * parts + 1) / (12 * parts)
        return simulate(model, t, X0, I, xi, method=method, keep=[2002]).X.values[-1]

    def limit(method):
        a, b, c = (run(method, n) for n in (100, 200, 400))
        first, second = 2 * b - a, 2 * c - b
        return (4 * second - first) / 3

    explicit, implicit = limit("explicit"), limit("implicit")
    np.testing.assert_allclose(implicit, explicit, rtol=1e-6, atol=1e-9 * explicit.max())
    exact = run("exponential", 1)
    np.testing.assert_allclose(exact, explicit, rtol=1e-6, atol=1e-9 * explicit.max())
    # What a month as one implicit step costs, in the carbon of a pool.
    monthly, stock = run("implicit", 1), exact.sum(axis=-1)
    assert 1e-4 < np.abs(monthly.sum(axis=-1) / stock - 1).max() < 0.1


def test_thaw_changes_the_mixing():
    theta, base = land()
    model, *_ = clm5.monthly_columns(theta, lambda year: warmer(base, year))
    before, after = model(2000.5), model(2002.5)
    frozen_then_not = base.active_layer_depth == 1.5
    assert np.all(before.down[frozen_then_not, 0] != after.down[frozen_then_not, 0])
    same = np.isclose(base.active_layer_depth, 50.0)
    np.testing.assert_array_equal(before.down[same], after.down[same])


def test_many_sites_and_draws_at_once_are_each_alone():
    theta, base = land(6)
    draws = theta[:, None] * np.array([1.0, 0.97])[:, None]
    air = ([1990.0, 2010.0], [100.0, 20.0])
    t = 2000 + np.arange(25) / 12

    def run(theta, at):
        start = start_of_columns(*clm5.column(theta, at))
        model, I, xi = clm5.monthly_columns(theta, lambda year: warmer(at, year))
        return columns_through_time(model, t, start, I, xi, keep=[2001, 2002], air=air)

    both = run(draws, base.expand())
    assert both.X.shape == (3, 6, 2, 7, 20)
    for site, member in ((0, 0), (3, 1), (5, 0)):
        alone = run(draws[site, member], base[site])
        for name in ("X", "age", "delta", "respiration", "age_respired", "delta_respired"):
            np.testing.assert_allclose(both[name].values[:, site, member], alone[name], rtol=1e-8)


def test_carbon_closes_and_a_steady_column_grows_no_older():
    theta, base = land()
    start = start_of_columns(*clm5.column(theta, base))
    model, I, xi = clm5.monthly_columns(theta, lambda year: warmer(base, year))
    t = 2000 + np.arange(37) / 12
    run = columns_through_time(model, t, start, I, xi, keep=t[::12])
    dz = clm5.LAYERS.thickness
    change = (run.X * dz).sum(("pool", "layer")).diff("time").values
    np.testing.assert_allclose(change, run.input - run.respiration, atol=1e-9 * float(run.input.max()))
    carbon = simulate(model, t, start.X, I, xi, method="implicit", keep=t[::12])
    np.testing.assert_allclose(run.X, carbon.X, rtol=1e-12)
    breath = (carbon.respiration * dz).sum(("pool", "layer"))
    np.testing.assert_allclose(run.respiration, breath, rtol=1e-10)
    column, b = clm5.column(theta, base)
    rest = columns_through_time(column, [0.0, 1.0, 3.0], start, b[None])
    np.testing.assert_allclose(rest.age.values[-1], rest.age.values[0], rtol=1e-9)


@pytest.fixture(scope="module")
def one():
    """A single column of three years whose rates jump: what exact steps say, and what implicit ones."""
    theta = P.array(efolding=1.0)
    _, base = land()
    column, b = clm5.column(theta, base[7])
    scale = np.array([1.0, 1.6, 0.7])
    t = np.array([1960.0, 1961.0, 1962.0, 1963.0])

    def implicit(parts):
        fine = np.linspace(1960.0, 1963.0, 3 * parts + 1)
        start = start_of_columns(column, b, 20.0)
        return columns_through_time(
            lambda time: column.replace(K=scale[int(time - 1960)] * column.K), fine, start, b[None],
            keep=t, air=BOMB,
        )  # fmt: skip

    return column, b, scale, t, implicit


def test_ages_are_those_of_exact_steps(one):
    column, b, scale, t, implicit = one
    exact = through_time(column, t, b[None], scale[:, None, None], start=start_steady(column, b))
    said = exact.pool_ages().mean.reshape(4, 7, 20)
    a, c = implicit(200).age.values, implicit(400).age.values
    held = exact.X > 1e-9 * exact.X.max()
    np.testing.assert_allclose((2 * c - a)[held], said[held], rtol=1e-4)


def test_radiocarbon_is_that_of_exact_steps(one):
    column, b, scale, _, implicit = one
    start = start_of_columns(column, b, 20.0)
    steady = steady_delta(column, b, 20.0)
    held = start.X > 0
    np.testing.assert_allclose(1000 * (start.X14[held] / start.X[held] - 1), steady[held], rtol=1e-7, atol=1e-7)
    fine = np.linspace(1960.0, 1963.0, 3 * 365 + 1)
    exact = radiocarbon(
        column, fine, b[None], *BOMB, xi=np.repeat(scale, 365)[:, None, None], X0=start.X,
        delta0=np.nan_to_num(steady),
    )  # fmt: skip
    a, c = implicit(200).delta.values, implicit(400).delta.values
    held = start.X > 1e-9 * start.X.max()
    np.testing.assert_allclose((2 * c - a)[-1][held], exact.delta_pool.values[-1][held], atol=0.05)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: start_of_columns(one_pool(0.1), 1.0), "columns are a LayeredModel"),
        (lambda: columns_through_time(one_pool(0.1), [0, 1], (1.0, 1.0, 1.0), 1.0), "not a LayeredModel"),
        (lambda: run_with(keep=[2000.3]), "keep holds 2000.3, which is no time of the run"),
        (lambda: run_with(air=([1990, 2000], [0, 0])), "the curve spans 1990 to 2000"),
        (lambda: run_with(mean_life=0.0), "mean_life must be above 0"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


def run_with(**options):
    theta, base = land(2)
    start = start_of_columns(*clm5.column(theta, base))
    model, I, xi = clm5.monthly_columns(theta, base)
    return columns_through_time(model, [2000.0, 2001.0], start, I, xi, **options)
