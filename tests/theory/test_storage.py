"""Capacity, potential, residence time: the identity, the attractor, units, relabelling, sentences."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import random_model

from landcarbon.matrix import InputError, MatrixModel
from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.layers import SoilLayers, exchange_rates
from landcarbon.matrix.simulate import simulate
from landcarbon.models.pools import one_pool, three_pool, two_pool
from landcarbon.theory.storage import (
    capacity,
    components,
    disequilibrium,
    potential,
    residence_time,
)

seeds = st.integers(0, 2**32 - 1)
graphs = given(seed=seeds, n=st.integers(1, 8))
few = settings(max_examples=40, deadline=None)


def random_column(seed, p=3, L=4):
    rng = np.random.default_rng(seed)
    layers = SoilLayers(rng.uniform(0.05, 0.5, L))
    down, up = exchange_rates(rng.uniform(1e-4, 1e-2, L - 1), layers)
    f = np.tril(rng.uniform(0, 0.5, (p, p)), -1) / p
    return LayeredModel([f"p{i}" for i in range(p)], layers, np.eye(p) - f,
                        10.0 ** rng.uniform(-2, 0.5, (p, L)), down, up)


# the identity


@graphs
@few
def test_storage_is_capacity_minus_potential(seed, n):
    m, rng = random_model(seed, n), np.random.default_rng(seed)
    X, I, xi = rng.uniform(0, 1e5, n), rng.uniform(0, 900), rng.uniform(0.1, 2, n)
    end, missing = capacity(m, I, xi), potential(m, X, I, xi)
    np.testing.assert_allclose(end - missing, X, atol=1e-10 * max(end.max(), X.max()))


@pytest.mark.parametrize("kind", ["constant", "periodic", "trending", "stepwise"])
@given(seed=seeds, n=st.integers(1, 6))
@settings(max_examples=8, deadline=None)
def test_identity_at_every_time_of_a_run(kind, seed, n):
    m, rng = random_model(seed, n), np.random.default_rng(seed)
    t = np.cumsum(rng.uniform(0.05, 2, 40))
    I, xi = {
        "constant": (400.0, 0.8),
        "periodic": (lambda t: 400 * (1 + np.sin(t)), lambda t: 1 + 0.5 * np.cos(2 * np.pi * t)),
        "trending": (lambda t: 400 + 3 * t, lambda t: np.full(n, 1 + 0.01 * t)),
        "stepwise": (rng.uniform(0, 900, 39), rng.uniform(0.1, 2, (39, n))),
    }[kind]
    run = simulate(m, t, rng.uniform(0, 1e4, n), I, xi)
    parts = components(m, t, run.X, I, xi)
    scale = max(float(np.abs(parts.X_c).max()), float(run.X.max()))
    np.testing.assert_allclose(parts.X_c - parts.X_p, run.X, atol=1e-10 * scale)
    assert parts.X_c.dims == ("time", "pool")


def test_identity_when_the_model_itself_changes():
    # B, A, K and V all move; the mixing V exchanges the two slowest pools
    base = three_pool()

    def model(t):
        rate = 0.001 * (1 + 0.3 * np.sin(t))
        V = np.zeros((3, 3))
        V[1:, 1:] = [[rate, -rate], [-rate, rate]]
        share = 0.2 + 0.1 * np.cos(t)
        A = np.array([[1, 0, 0], [-0.9 + 0.1 * np.sin(t), 1, 0], [0, -0.3 + 0.1 * np.sin(t), 1]])
        return MatrixModel(base.pools, A, base.K * (1 + 0.01 * t), [1 - share, share, 0], V)

    t = np.linspace(0, 30, 61)
    run = simulate(model, t, [100.0, 50.0, 9000.0], lambda t: 500 + t)
    parts = components(model, t, run.X, lambda t: 500 + t)
    np.testing.assert_allclose(parts.X_c - parts.X_p, run.X, rtol=1e-10)
    for k in (0, 30, 60):
        np.testing.assert_allclose(parts.X_c[k], model(t[k]).steady_state(500 + t[k]), rtol=1e-12)
    # and the potential is no difference in disguise: it comes from the rate of change
    h = 1e-5
    ahead = simulate(lambda s: model(t[30]), [t[30], t[30] + h], run.X.values[30], 500 + t[30])
    slope = (ahead.X.values[1] - ahead.X.values[0]) / h
    missing = np.linalg.solve(model(t[30]).outflow_matrix(), slope)
    np.testing.assert_allclose(parts.X_p[30], missing, rtol=1e-4)


# capacity attracts


@graphs
@few
def test_capacity_is_the_attractor(seed, n):
    m, rng = random_model(seed, n), np.random.default_rng(seed)
    I, xi = rng.uniform(1, 900), rng.uniform(0.1, 2)
    slowest = 1 / np.linalg.eigvals(m.outflow_matrix(xi)).real.min()
    end = capacity(m, I, xi)
    t = [0.0, 60 * slowest]
    for start in (np.zeros(n), rng.uniform(0, 3, n) * end):
        X = simulate(m, t, start, I, xi).X.values[-1]
        np.testing.assert_allclose(X, end, rtol=1e-7, atol=1e-9 * end.max())
    still = simulate(m, [0, 1, 20], end, I, xi)
    np.testing.assert_allclose(still.X, np.broadcast_to(end, (3, n)), rtol=1e-9)


@graphs
@few
def test_distance_to_capacity_never_grows(seed, n):
    # Σ|X − X_c| shrinks in every step, for carbon moves and leaves but is not made
    m, rng = random_model(seed, n), np.random.default_rng(seed)
    run = simulate(m, np.linspace(0, 40, 81), rng.uniform(0, 1e4, n), 300.0)
    missing = np.abs(components(m, run.time, run.X, 300.0).X_p.values).sum(axis=1)
    assert np.all(np.diff(missing) <= 1e-9 * missing[0])


@graphs
@few
def test_carbon_is_conserved(seed, n):
    # at capacity all input is respired; off it, ΔX is M times the potential
    m, rng = random_model(seed, n), np.random.default_rng(seed)
    X, I, xi = rng.uniform(0, 1e4, n), 350.0, rng.uniform(0.2, 2, n)
    np.testing.assert_allclose(m.respiration(capacity(m, I, xi), xi).sum(), I, rtol=1e-9)
    sink = I - m.respiration(X, xi).sum()
    from_potential = (m.outflow_matrix(xi) @ potential(m, X, I, xi)).sum()
    np.testing.assert_allclose(from_potential, sink, atol=1e-9 * m.respiration(X, xi).sum())


# what must not matter


@graphs
@few
def test_relabelling_the_pools_changes_nothing(seed, n):
    m, rng = random_model(seed, n), np.random.default_rng(seed)
    order = rng.permutation(n)
    X = rng.uniform(0, 1e4, n)
    other = MatrixModel([m.pools[i] for i in order], m.A[np.ix_(order, order)], m.K[order], m.B[order])
    for one, two in (
        (capacity(m, 400.0), capacity(other, 400.0)),
        (potential(m, X, 400.0), potential(other, X[order], 400.0)),
        (residence_time(m).pools, residence_time(other).pools),
    ):
        np.testing.assert_allclose(one[order], two, rtol=1e-9, atol=1e-9 * np.abs(one).max())
    np.testing.assert_allclose(residence_time(m).total, residence_time(other).total, rtol=1e-9)


@graphs
@few
def test_units_change_numbers_as_units_do(seed, n):
    m, rng = random_model(seed, n), np.random.default_rng(seed)
    X = rng.uniform(0, 1e4, n)
    per_day = m.replace(K=m.K / 365)
    kg = 1e-3
    close = {"rtol": 1e-9, "atol": 1e-9 * X.max()}
    np.testing.assert_allclose(capacity(per_day, 400 / 365), capacity(m, 400.0), **close)
    np.testing.assert_allclose(potential(per_day, X, 400 / 365), potential(m, X, 400.0), **close)
    np.testing.assert_allclose(
        potential(m, X * kg, 400 * kg), potential(m, X, 400.0) * kg, rtol=1e-9, atol=1e-9 * X.max() * kg
    )
    np.testing.assert_allclose(residence_time(per_day).total / 365, residence_time(m).total)
    np.testing.assert_allclose(
        disequilibrium(m, X * kg, 400 * kg), disequilibrium(m, X, 400.0), rtol=1e-9, atol=1e-9
    )


# residence time


@graphs
@few
def test_residence_time_is_what_a_unit_of_input_keeps_up(seed, n):
    m, xi = random_model(seed, n), 0.7
    tau = residence_time(m, xi)
    np.testing.assert_allclose(tau.pools * 123.0, capacity(m, 123.0, xi), rtol=1e-9)
    assert tau.total == pytest.approx(tau.pools.sum())
    # chasing time: ∫ exp(−M a) da, seen here as the time a pulse spends before it is gone
    slowest = 1 / np.linalg.eigvals(m.outflow_matrix(xi)).real.min()
    for j in range(n):
        pulse = simulate(m, [0, 60 * slowest], np.eye(n)[j], 0.0, xi)
        spent = (pulse.X_mean * pulse.dt).values[0]
        np.testing.assert_allclose(spent, tau.chasing[:, j], rtol=1e-6, atol=1e-9 * slowest)


def test_residence_time_by_hand():
    # young: 1/k₁; old: the share f of what leaves young, for 1/k₂ years
    tau = residence_time(two_pool(0.5, 0.025, 0.3))
    np.testing.assert_allclose(tau.pools, [2, 12])
    np.testing.assert_allclose(tau.chasing, [[2, 0], [12, 40]])
    assert tau.total == pytest.approx(14)


def test_residence_time_with_several_inputs():
    B = [[1, 0], [0, 1]]
    m = two_pool(0.5, 0.025, 0.3).replace(B=B)
    tau = residence_time(m)
    np.testing.assert_allclose(tau.pools, [[2, 0], [12, 40]])
    np.testing.assert_allclose(tau.total, [14, 40])
    np.testing.assert_allclose(capacity(m, [3.0, 5.0]).sum(), 3 * 14 + 5 * 40)


def test_scalar_over_time_gives_residence_time_over_time():
    xi = np.array([0.5, 1.0, 2.0])
    tau = residence_time(three_pool(), xi[:, None])
    np.testing.assert_allclose(tau.total, residence_time(three_pool()).total / xi)


# signs, one by one


def test_signs():
    land = one_pool(0.02)
    assert potential(land, [20_000.0], 500.0)[0] == pytest.approx(5000)
    assert potential(land, [30_000.0], 500.0)[0] == pytest.approx(-5000)
    assert disequilibrium(land, [0.0], 500.0) == pytest.approx(1)
    assert disequilibrium(land, [25_000.0], 500.0) == pytest.approx(0, abs=1e-12)
    assert disequilibrium(land, [50_000.0], 500.0) == pytest.approx(-1)


def test_potentials_may_cancel_while_carbon_is_on_the_move():
    # as much as at capacity in all, but in the wrong pool: dX/dt is not 0
    m = two_pool(0.5, 0.025, 0.3)
    X = capacity(m, 100.0) + [100.0, -100.0]
    assert disequilibrium(m, X, 100.0) == pytest.approx(0, abs=1e-12)
    assert m.derivative(X, 100.0).sum() == pytest.approx(-0.35 * 100 + 0.025 * 100)


def test_a_ramp_is_followed_at_a_fixed_distance():
    # X_c rises by τ İ a year; far from the start X_p = M⁻¹ τ İ, all of it known by hand. A ramp taken
    # as stairs of step h leaves an error of (k h)² / 12 in a pool of turnover k.
    m, rise = two_pool(0.5, 0.025, 0.3), 2.0
    t = np.linspace(0, 800, 8001)
    run = simulate(m, t, capacity(m, 100.0), lambda t: 100 + rise * t)
    parts = components(m, t, run.X, lambda t: 100 + rise * t)
    tau = residence_time(m)
    np.testing.assert_allclose(parts.X_p[-1], tau.chasing @ tau.pools * rise, rtol=(0.5 * 0.1) ** 2 / 11)


# soil columns


@given(seed=seeds)
@settings(max_examples=15, deadline=None)
def test_columns_agree_with_the_same_column_as_one_flat_model(seed):
    rng = np.random.default_rng(seed)
    column = random_column(seed)
    b, X, xi = rng.uniform(0, 500, (3, 4)), rng.uniform(0, 1e4, (3, 4)), rng.uniform(0.3, 2, (3, 4))
    flat, total = column.as_matrix_model(b)
    dz = column.layers.thickness
    end, missing = capacity(column, b, xi), potential(column, X, b, xi)
    scale = end.max() + X.max()
    np.testing.assert_allclose(end - missing, X, atol=1e-9 * scale)
    np.testing.assert_allclose(
        (end * dz).ravel(), capacity(flat, total, xi.ravel()), rtol=1e-8, atol=1e-10 * scale
    )
    np.testing.assert_allclose(
        (missing * dz).ravel(), potential(flat, (X * dz).ravel(), total, xi.ravel()),
        rtol=1e-8, atol=1e-9 * scale,
    )
    np.testing.assert_allclose(
        disequilibrium(column, X, b, xi),
        disequilibrium(flat, (X * dz).ravel(), total, xi.ravel()), rtol=1e-8, atol=1e-9,
    )


def test_components_of_a_column_through_time():
    column, t = random_column(3), np.linspace(0, 4, 5)
    b, X = np.full((3, 4), 50.0), np.full((5, 2, 3, 4), 700.0)

    def warming(t):
        return 1 + 0.1 * t

    parts = components(column, t, X, b[None], warming)
    assert parts.X_c.dims == ("time", "site", "pool", "layer")
    np.testing.assert_allclose(parts.X_c - parts.X_p, X, rtol=1e-9)
    np.testing.assert_allclose(parts.X_c[2, 1], column.replace(K=column.K * 1.2).steady_state(b))
    changing = components(lambda t: column.replace(K=column.K * warming(t)), t, X, b[None])
    np.testing.assert_allclose(changing.X_p, parts.X_p, rtol=1e-9)


# labels, sites, forms of forcing


def test_sites_at_once_equal_sites_one_by_one():
    m, rng = random_model(2, 4, lead=(3,)), np.random.default_rng(1)
    t, X = np.linspace(0, 5, 6), rng.uniform(0, 1e4, (6, 3, 4))
    I, xi = rng.uniform(0, 500, (5, 3)), rng.uniform(0.2, 1.5, (5, 3, 1))
    parts = components(m, t, X, I, xi)
    assert parts.X_p.dims == ("time", "site", "pool")
    for s in range(3):
        one = MatrixModel(m.pools, m.A[s], m.K[s], m.B[s])
        alone = components(one, t, X[:, s], I[:, s], xi[:, s])
        for name in ("X_c", "X_p", "dXdt", "residence_time"):
            np.testing.assert_allclose(parts[name][:, s], alone[name], rtol=1e-9)


def test_a_step_rules_from_its_start():
    land = one_pool(0.1)
    parts = components(land, [0, 1, 2], np.ones((3, 1)), [10.0, 20.0])
    np.testing.assert_allclose(parts.X_c[:, 0], [100, 200, 200])


def test_labels_and_units_of_a_run_are_kept():
    run = simulate(three_pool(), [0, 1, 2], np.ones((5, 3)), 60.0, dims=("member",), unit="PgC")
    parts = components(three_pool(), run.time, run.X, 60.0)
    assert isinstance(parts, xr.Dataset)
    assert parts.X_p.dims == ("time", "member", "pool")
    assert parts.X_c.units == "PgC" and parts.dXdt.units == "PgC yr-1"
    np.testing.assert_allclose(parts.X_c.sel(pool="soil"), 2000, rtol=1e-12)


def test_several_inputs_through_time():
    m = two_pool(0.5, 0.025, 0.3).replace(B=[[1, 0], [0, 1]])
    parts = components(m, [0, 1, 2], np.ones((3, 2)), [[1.0, 0.0], [0.0, 2.0]])
    np.testing.assert_allclose(parts.X_c, [[2, 12], [0, 80], [0, 80]])
    assert parts.residence_time.dims == ("time", "pool", "input")


CLOSED = MatrixModel(("litter", "rock"), [[1, 0], [-0.1, 1]], [1, 0], [1, 0])
LAND, T3, X3 = one_pool(0.02), [0, 1, 2], np.ones((3, 1))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: capacity(CLOSED, 1.0), "enters rock can never leave"),
        (lambda: potential(CLOSED, [1.0, 1.0], 1.0), "enters rock can never leave"),
        (lambda: residence_time(CLOSED), "enters rock can never leave"),
        (lambda: residence_time(random_column(1)), "where carbon comes in"),
        (lambda: capacity(3.0, 1.0), "model is float, not a model"),
        (lambda: disequilibrium(LAND, [1.0], 0.0), "no carbon comes in"),
        (lambda: potential(LAND, [1.0, 2.0], 1.0), "X must end in axes"),
        (lambda: components(LAND, [0, 2, 1], X3, 1.0), "t must rise, but 1 follows 2"),
        (lambda: components(LAND, [0, 1], X3, 1.0), "time comes first, one state for each"),
        (lambda: components(LAND, T3, [1.0], 1.0), "time comes first, one state for each"),
        (lambda: components(LAND, T3, X3, [1.0] * 3), "there are 2 steps"),
        (lambda: components(LAND, T3, X3, np.ones((2, 7))), "does not fit"),
        (lambda: components(LAND, T3, X3, lambda t: np.nan), "I at t = 0 holds"),
        (lambda: components(LAND, T3, X3, 1.0, dims=("a",)), "dims names 1"),
        (lambda: components(lambda t: None, T3, X3, 1.0), "model\\(0\\) returned NoneType"),
        (lambda: components(lambda t: one_pool(pool=f"p{t:g}"), T3, X3, 1.0), "keeps its pools"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
