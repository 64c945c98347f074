"""Radiocarbon: closed forms, conservation, the ages behind it, columns, sentences."""

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
from landcarbon.theory.ages import pool_ages, transit_time
from landcarbon.theory.carbon14 import MEAN_LIFE, delta_of_f14c, radiocarbon, steady_delta

LAMBDA = 1 / MEAN_LIFE
BOMB = {"years": [1800.0, 1955.0, 1964.5, 1990.0, 2010.0], "delta": [0.0, 0.0, 800.0, 150.0, 40.0]}
QUARTERS = np.arange(1900, 2010.01, 0.25)

systems = given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 6))
few = settings(max_examples=10, deadline=None)


def column():
    layers = SoilLayers([0.1, 0.3, 0.6])
    down, up = exchange_rates([1e-3, 1e-3], layers)
    return LayeredModel(("litter", "soil"), layers, [[1, 0], [-0.4, 1]],
                        [[2, 1.5, 1], [0.1, 0.01, 0.001]], down, up), np.array([[900.0, 200, 10], [0, 0, 0]])


def test_one_pool_in_an_atmosphere_that_never_changes():
    k = np.array([1.0, 0.01, 1e-4])
    F = k / (k + LAMBDA)
    np.testing.assert_allclose(
        steady_delta(one_pool(k), np.ones(3), 50.0)[:, 0], 1000 * (1.05 * F - 1), rtol=1e-12
    )
    run = radiocarbon(one_pool(0.01), [0.0, 500.0, 3000.0], 1.0, [-10.0, 1e4], [50.0, 50.0])
    np.testing.assert_allclose(run.delta_bulk, 1000 * (1.05 * F[1] - 1), rtol=1e-9)
    np.testing.assert_allclose(run.delta_respired, 1000 * (1.05 * F[1] - 1), rtol=1e-9)
    np.testing.assert_allclose(run.delta_input, 50.0, rtol=1e-12)


def test_a_sealed_sample_loses_half_in_5730_years():
    run = radiocarbon(one_pool(1e-30), [0.0, 5730.0], 0.0, [0, 6000], [0, 0], X0=[3.0], delta0=[0.0])
    assert run.delta_bulk.values[-1] == pytest.approx(-500, abs=0.1)  # 8267 yr is rounded: 5730.2
    assert np.log(2) * MEAN_LIFE == pytest.approx(5730, abs=0.5)


def test_f14c_and_delta_differ_by_the_decay_of_the_standard():
    # One line of Hua et al. (2021), which prints both: 1941.2083, F14C 0.9785, Δ14C −20.4.
    assert delta_of_f14c(0.9785, 1941.2083) == pytest.approx(-20.4, abs=0.06)
    assert delta_of_f14c(1.0, 1950.0) == 0.0


@systems
@few
def test_steady_radiocarbon_is_the_mean_of_the_decay_over_the_ages(seed, n):
    m = random_model(seed, n).replace(B=np.full(n, 1 / n))
    F = 1 + steady_delta(m, 300.0) / 1000
    # Exact moments: E exp(−λ age) of the chain with decay, here by quadrature of the density.
    x, w = np.polynomial.legendre.leggauss(12)
    slowest = np.linalg.eigvals(m.outflow_matrix()).real.min()
    edges = np.append(0.0, 2.0 ** np.arange(-6, np.log2(60 / slowest) + 1))
    low, high = edges[:-1, None], edges[1:, None]
    a, w = ((low + high) / 2 + (high - low) / 2 * x).ravel(), ((high - low) / 2 * w).ravel()
    faded = w * np.exp(-LAMBDA * a)
    np.testing.assert_allclose(F, faded @ pool_ages(m, 300.0).pdf(a), rtol=1e-9)
    run = radiocarbon(m, [0.0, 1.0], 300.0, [0, 1], [0, 0])
    respired = 1 + run.delta_respired.values[0] / 1000
    assert respired == pytest.approx(faded @ transit_time(m, 300.0).pdf(a), rel=1e-9)


def test_the_bomb_peak_seen_through_the_ages():
    # At steady state of carbon, what is respired in a year is the atmosphere of the years before,
    # weighted with the transit-time density: a second way to the same number, from ages alone.
    m = century3()
    run = radiocarbon(m, QUARTERS, 360.0, **BOMB)
    now = 1998.125
    x, w = np.polynomial.legendre.leggauss(16)
    kinks = now - np.array([1990.0, 1964.5, 1955.0])
    edges = np.unique(np.concatenate([[0.0], np.geomspace(0.02, 9000, 60), kinks]))
    low, high = edges[:-1, None], edges[1:, None]
    a, w = ((low + high) / 2 + (high - low) / 2 * x).ravel(), ((high - low) / 2 * w).ravel()
    F_a = 1 + np.interp(now - a, BOMB["years"], BOMB["delta"]) / 1000  # 0 before 1800, as at the start
    F = (w * F_a * np.exp(-LAMBDA * a)) @ transit_time(m, 360.0).pdf(a)
    assert run.delta_respired.sel(step=now).item() == pytest.approx(1000 * (F - 1), abs=0.05)
    F = (w * F_a * np.exp(-LAMBDA * a)) @ pool_ages(m, 360.0).pdf(a)
    pools = run.delta_pool.sel(time=[1998.0, 1998.25]).mean("time")
    np.testing.assert_allclose(pools, 1000 * (F - 1), atol=0.2)


@systems
@few
def test_without_decay_radiocarbon_is_conserved(seed, n):
    m = random_model(seed, n)
    rng = np.random.default_rng(seed)
    t = 1950 + np.cumsum(rng.uniform(0.1, 1.9, 30))  # the curve ends in 2010
    I, xi = rng.uniform(50, 500, 29), rng.uniform(0.3, 2, (29, 1))
    X0, delta0 = rng.uniform(10, 1000, n), rng.uniform(-300, 300, n)
    run = radiocarbon(m, t, I, **BOMB, xi=xi, X0=X0, delta0=delta0, mean_life=np.inf)
    dt = np.diff(t)
    gained = np.diff(run.X14.sum("pool"))
    entered = I * dt * (1 + run.delta_input.values / 1000)
    left = run.respiration.values * dt * (1 + run.delta_respired.values / 1000)
    np.testing.assert_allclose(gained, entered - left, atol=1e-9 * run.X14.values.max())
    carbon = simulate(m, t, X0, I, xi)
    np.testing.assert_allclose(run.X, carbon.X, rtol=1e-12)
    np.testing.assert_allclose(run.X14[0], X0 * (1 + delta0 / 1000), rtol=1e-12)


def test_the_same_ratio_everywhere_stays_without_decay():
    run = radiocarbon(two_pool(), QUARTERS, 200.0, [1000, 3000], [70, 70], mean_life=np.inf)
    for name in ("delta_pool", "delta_bulk", "delta_respired"):
        np.testing.assert_allclose(run[name], 70.0, rtol=1e-8)


def test_a_lag_moves_the_curve():
    run = radiocarbon(century3(), QUARTERS, 360.0, **BOMB, lag=3.0)
    later = radiocarbon(century3(), QUARTERS, 360.0, np.array(BOMB["years"]) + 3, BOMB["delta"])
    np.testing.assert_allclose(run.delta_respired, later.delta_respired, rtol=1e-9, atol=1e-8)


def test_errors_fall_with_the_square_of_the_step():
    # The pool that turns over in seven weeks, while the bomb curve rises by 84 per mil a year.
    def active(h):
        run = radiocarbon(century3(), np.arange(1950, 1960.01, h), 360.0, **BOMB)
        return run.delta_pool.sel(time=1960.0, pool="active").item()

    exact = active(1 / 64)
    errors = np.abs(np.array([active(1 / 4), active(1 / 8)]) - exact)
    assert errors[0] < 3.0
    assert errors[0] / errors[1] == pytest.approx(4, abs=0.8)


def test_sites_at_once_and_models_that_change():
    k = np.array([0.5, 0.02])
    both = radiocarbon(one_pool(k), QUARTERS, np.ones(2)[None], **BOMB)
    assert both.delta_respired.dims == ("step", "site")
    for s in range(2):
        one = radiocarbon(one_pool(k[s]), QUARTERS, 1.0, **BOMB)
        for name in ("delta_bulk", "delta_respired", "respiration"):
            np.testing.assert_allclose(both[name][:, s], one[name], rtol=1e-10, atol=1e-9)
    # Two pools and three members: which axis is which.
    m = two_pool()
    X0 = np.array([[100.0, 900.0], [200.0, 900.0], [100.0, 100.0]])
    many = radiocarbon(m, QUARTERS, 200.0, **BOMB, X0=X0, delta0=[10.0, -50.0])
    one = radiocarbon(m, QUARTERS, 200.0, **BOMB, X0=X0[2], delta0=[10.0, -50.0])
    for name in ("X14", "delta_pool", "delta_bulk", "delta_respired", "respiration"):
        np.testing.assert_allclose(many[name][:, 2], one[name], rtol=1e-10, atol=1e-9)
    changing = radiocarbon(lambda t: one_pool(0.02 if t < 1980 else 0.5), QUARTERS, 1.0, **BOMB)
    np.testing.assert_allclose(changing.delta_bulk[:321], both.delta_bulk[:321, 1], rtol=1e-10, atol=1e-9)
    assert changing.X[-1].item() < 0.1 * both.X[-1, 1].item()


def test_columns_have_layers_that_are_older_the_deeper():
    soil, b = column()
    delta = steady_delta(soil, b)
    assert delta.shape == (2, 3)
    run = radiocarbon(soil, QUARTERS, b[None], **BOMB)
    assert run.delta_pool.dims == ("time", "pool", "layer")
    np.testing.assert_allclose(run.delta_pool[0], delta, rtol=1e-9)
    np.testing.assert_allclose(run.X[0], soil.steady_state(b) * soil.layers.thickness, rtol=1e-9)
    # Before the bomb the deeper the older; after it, the top has already lost most of what came.
    layers = run.delta_layer
    assert np.all(np.diff(layers.sel(time=1954.0)) < 0)
    assert layers.sel(time=1966.0).argmax("layer") == 0
    assert layers.sel(time=2010.0).argmax("layer") == 1
    bulk = (run.X14.sum(("pool", "layer")) / run.X.sum(("pool", "layer")) - 1) * 1000
    np.testing.assert_allclose(run.delta_bulk, bulk, rtol=1e-9, atol=1e-9)
    given = radiocarbon(soil, QUARTERS, b[None], **BOMB, X0=soil.steady_state(b), delta0=delta)
    np.testing.assert_allclose(given.delta_layer, run.delta_layer, rtol=1e-8)


def test_where_there_is_no_carbon_there_is_no_ratio():
    run = radiocarbon(two_pool(), [1950.0, 1960.0], 1.0, **BOMB, X0=[0.0, 0.0])
    assert np.isnan(run.delta_bulk[0]) and np.isfinite(run.delta_bulk[1])


def test_a_fixed_model_in_a_changing_environment_is_the_closed_form():
    # One pool in constant air: dX14/dt = I F − (k ξ + λ) X14, solved by hand over each of two steps.
    k, I, F = 0.01, 5.0, 1.05
    run = radiocarbon(one_pool(k), [0.0, 100.0, 200.0], I, [0, 200], [50, 50], xi=[0.5, 2.0],
                      X0=[200.0], delta0=[-100.0])
    X14 = [200 * 0.9]
    for xi in (0.5, 2.0):
        rate = k * xi + LAMBDA
        X14.append(I * F / rate + (X14[-1] - I * F / rate) * np.exp(-100 * rate))
    np.testing.assert_allclose(run.X14[:, 0], X14, rtol=1e-10)


def test_what_is_not_given_at_the_start_is_the_steady_state_of_the_first_step():
    I, xi = [10.0, 20.0, 30.0], [0.5, 1.0, 2.0]
    t, m = [1900.0, 1910.0, 1920.0, 1930.0], two_pool()
    X, delta = m.steady_state(10.0, 0.5), steady_delta(m, 10.0, 0.0, 0.5)
    free = radiocarbon(m, t, I, [1800, 2000], [0, 0], xi=xi)
    np.testing.assert_allclose(free.X[0], X, rtol=1e-12)
    np.testing.assert_allclose(free.delta_pool[0], delta, rtol=1e-9)
    old = radiocarbon(m, t, I, [1800, 2000], [0, 0], xi=xi, delta0=[-300.0, -400.0])
    np.testing.assert_allclose(old.X, free.X, rtol=1e-12)
    np.testing.assert_allclose(old.delta_pool[0], [-300, -400], rtol=1e-12)
    more = radiocarbon(m, t, I, [1800, 2000], [0, 0], xi=xi, X0=2 * X)
    np.testing.assert_allclose(more.X[0], 2 * X, rtol=1e-12)
    np.testing.assert_allclose(more.delta_pool[0], delta, rtol=1e-9)


def test_the_start_of_a_model_that_changes_is_that_of_the_middle_of_the_first_step():
    run = radiocarbon(lambda t: one_pool(0.1 if 1904 < t < 1906 else 1.0), [1900.0, 1910.0, 1920.0], 5.0,
                      [1800, 2000], [0, 0])  # fmt: skip
    assert run.X[0].item() == pytest.approx(50.0)
    assert run.delta_bulk[0].item() == pytest.approx(1000 * (0.1 / (0.1 + LAMBDA) - 1))


def test_a_pool_that_is_empty_at_the_start_stays_a_number():
    fed = MatrixModel(("fed", "empty"), np.eye(2), [0.1, 0.01], [1, 0])
    run = radiocarbon(fed, QUARTERS, 10.0, **BOMB)
    assert np.isfinite(run.X14).all() and (run.X14[:, 1] == 0).all()
    alone = radiocarbon(one_pool(0.1), QUARTERS, 10.0, **BOMB)
    np.testing.assert_allclose(run.delta_bulk, alone.delta_bulk, rtol=1e-12)
    np.testing.assert_allclose(run.delta_respired, alone.delta_respired, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: radiocarbon(two_pool(), [1900, 2020], 1.0, **BOMB), "spans 1800 to 2010"),
        (lambda: radiocarbon(two_pool(), [1800, 1900], 1.0, **BOMB, lag=2), "atmosphere of 1798"),
        (lambda: radiocarbon(two_pool(), [1900, 1901], 1.0, [1900, 1899], [0, 0]), "with years that rise"),
        (lambda: radiocarbon(two_pool(), [1900, 1901], 1.0, [1800, 2000], [0, 0, 0]), "same length"),
        (lambda: radiocarbon(two_pool(), [1900, 1901], 1.0, [1800, 1800, 2000], [0, 0, 0]), "with years that rise"),
        (lambda: radiocarbon(two_pool(), [1900, 1901], 1.0, **BOMB, mean_life=0), "mean_life is 0"),
        (lambda: steady_delta(two_pool(), 1.0, -1001.0), "delta must be at least -1000"),
        (lambda: steady_delta(two_pool(), [1.0, 0.0]), "no carbon comes in"),
        (lambda: radiocarbon(column()[0], [1900, 1901], column()[1], **BOMB), "time comes first"),
        (lambda: delta_of_f14c(-0.1, 1950), "ratio near 1"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


@pytest.mark.parametrize("value", [105.3, 53.0])
def test_percent_modern_carbon_and_per_mil_are_no_f14c(value):
    with pytest.raises(InputError, match="percent modern carbon is divided by 100"):
        delta_of_f14c([value], [2005])


def test_the_year_of_a_sample_may_be_a_date():
    date = np.array(["2005-07-02T12"], dtype="datetime64[h]")
    assert delta_of_f14c([1.05], date) == pytest.approx(delta_of_f14c([1.05], [2005.5]), rel=1e-12)
