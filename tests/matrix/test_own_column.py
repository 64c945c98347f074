"""A column of one's own: four pools, twelve layers, wood that is not mixed, a thaw depth that moves."""

import numpy as np
import pytest
import xarray as xr

from landcarbon.matrix import InputError
from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.layers import SoilLayers, exchange_rates, face_diffusivity
from landcarbon.matrix.loops import Cycle
from landcarbon.matrix.simulate import simulate
from landcarbon.matrix.spinup import anderson, native, periodic, sasu
from landcarbon.matrix.timeline import changing
from landcarbon.theory.ages import transit_time
from landcarbon.theory.ages_through_time import start_empty, through_time
from landcarbon.theory.carbon14 import radiocarbon
from landcarbon.theory.storage import components
from landcarbon.theory.traceability import trace

LAYERS = SoilLayers(np.linspace(0.02, 0.35, 12))
POOLS = ("wood", "litter", "active", "passive")
A = np.array([[1, 0, 0, 0], [-0.5, 1, 0, 0], [-0.2, -0.4, 1, -0.3], [0, 0, -0.1, 1]])
SEASON = np.sin(2 * np.pi * (np.arange(12) + 0.5) / 12)
DT = np.full(12, 1 / 12)


def mixing(thaw):
    """Rates down and up where the soil is thawed; 5e-4 m2 yr-1 (Koven et al. 2013)."""
    thawed = 5e-4 * (LAYERS.node < np.asarray(thaw)[..., None])
    return exchange_rates(face_diffusivity(thawed, LAYERS), LAYERS)


def own(columns=None, strength=(0, 1, 1, 0.5)):
    rng = np.random.default_rng(5)
    lead = () if columns is None else (columns,)
    speed = rng.uniform(0.7, 1.4, (*lead, 4, 1))
    K = speed * np.array([[0.1], [2.0], [0.2], [0.005]]) * np.exp(-LAYERS.node / 0.8)
    down, up = mixing(0.9)
    return LayeredModel(POOLS, LAYERS, A, K, down, up, mixed=strength)


def inputs(columns=None):
    roots = np.exp(-LAYERS.node / 0.3)
    lead = () if columns is None else (columns, 1, 1)
    return np.outer([80.0, 200.0, 0.0, 0.0], roots) * np.ones(lead)


def forced():
    """The year: thaw depth from 0.1 to 1.4 m, input and scalars with the season."""
    down, up = mixing(0.75 + 0.65 * SEASON)
    model = changing(own(), down=down, up=up)
    I = inputs() * (1 + 0.8 * SEASON)[:, None, None]
    xi = (1 + 0.6 * SEASON)[:, None, None] * np.exp(-LAYERS.node / 3)
    return model, I, xi


def total(flux, dz):
    return (flux * dz).sum(("pool", "layer"))


@pytest.mark.parametrize("method", ["exponential", "implicit"])
def test_a_run_with_a_moving_thaw_depth_closes_its_balance(method):
    model, I, xi = forced()
    run = simulate(model, np.arange(13) / 12, own().steady_state(inputs()), I, xi, method=method)
    assert run.X.dims == ("time", "pool", "layer") and run.X.units == "gC m-3"
    change = total(run.X, run.thickness).diff("time").values
    gain = (total(run.input - run.respiration, run.thickness) * run.dt).values
    assert np.all(np.abs(change - gain) <= 1e-9 * total(run.input, run.thickness).values / 12)
    assert np.all(run.X >= 0)
    # Wood stands where it fell: layer by layer it is one pool of its own.
    wood = run.isel(pool=0)
    left = wood.X.diff("time").values - ((wood.input - 1.0 * wood.respiration / 0.3) * wood.dt).values
    assert np.abs(left).max() <= 1e-9 * float(wood.X.max())


def test_freezing_in_three_lines_is_that_of_small_explicit_steps():
    """V(t) as a function of time, against explicit steps of a tenth and a twentieth of a day."""
    column, t, X0 = own(strength=(1, 1, 1, 1)), np.arange(13) / 12, own().steady_state(inputs())

    def depth(time):
        return 0.75 + 0.65 * np.sin(2 * np.pi * time)

    run = simulate(lambda now: column.with_mixing(5e-4 * (LAYERS.node < depth(now))), t, X0, inputs()[None])
    still = simulate(column, t, X0, inputs()[None])
    assert np.abs(run.X[-1] / still.X[-1] - 1).max() > 1e-3

    def small(parts):
        X = X0.copy()
        for k in range(12):
            model = column.with_mixing(5e-4 * (LAYERS.node < depth((k + 0.5) / 12)))
            for _ in range(parts):
                X = X + model.derivative(X, inputs()) / 12 / parts
        return X

    fine, coarse = small(600), small(300)
    np.testing.assert_allclose(run.X[-1], 2 * fine - coarse, rtol=1e-7)
    change = total(run.X, run.thickness).diff("time").values
    gain = (total(run.input - run.respiration, run.thickness) * run.dt).values
    assert np.all(np.abs(change - gain) <= 1e-9 * total(run.input, run.thickness).values / 12)


@pytest.mark.parametrize("method", ["exponential", "implicit"])
def test_the_periodic_state_of_a_moving_thaw_depth(method):
    model, I, xi = forced()
    year = Cycle.from_model(model, I, xi, method=method)
    found = periodic(year)
    assert found.X.shape == found.states.shape[1:] == (4, 12)
    np.testing.assert_allclose(year(found.X), found.X, rtol=1e-11)
    run = simulate(model, np.arange(13) / 12, found.X, I, xi, method=method)
    np.testing.assert_allclose(run.X[-1], found.X, rtol=1e-11)
    turnover = (total(run.input, run.thickness) * run.dt).sum()
    lost = (total(run.respiration, run.thickness) * run.dt).sum()
    assert abs(float(turnover - lost)) <= 1e-9 * float(turnover)
    # Against the mixing of the mean year: the moving depth matters.
    still = periodic(Cycle.from_model(own(), I, xi, method=method))
    assert np.abs(still.X / found.X - 1).max() > 0.05


def test_other_ways_to_the_periodic_state():
    year = Cycle.from_model(*forced())
    exact = periodic(year).X
    for way in (sasu, anderson):
        run = way(year, tol=1e-7)
        np.testing.assert_allclose(run.X, exact, rtol=1e-4)
        np.testing.assert_allclose(run.exact, exact, rtol=1e-9)
    short = native(year, X0=exact, max_years=1)
    np.testing.assert_allclose(short.X, exact, rtol=1e-11)


@pytest.mark.parametrize("columns", [1, 3, 40])
@pytest.mark.parametrize("h", [1 / 365, 1 / 12, 10.0, 1000.0])
def test_many_columns_step_as_the_dense_matrix_does(columns, h):
    column, X = own(columns), np.random.default_rng(1).uniform(0, 5000, (columns, 4, 12))
    xi = np.random.default_rng(2).uniform(0.1, 2, (columns, 1, 12))
    after, stay = column.step(X, inputs(columns), h, xi)
    M = column.outflow_matrix(xi)
    dense = np.linalg.solve(np.eye(48) + h * M, (X + h * inputs(columns)).reshape(columns, 48, 1))
    np.testing.assert_allclose(after.reshape(columns, 48), dense[..., 0], rtol=1e-10)
    np.testing.assert_array_equal(stay, h * after)


def test_a_cascade_of_many_steps_equals_each_column_alone():
    I, xi = inputs(), 1 + 0.5 * SEASON[:, None, None]
    together = Cycle.from_model(own(40), np.broadcast_to(I, (12, 1, 4, 12)), xi[:, None], method="implicit")
    X = np.zeros((40, 4, 12))
    for _ in range(3):
        X = together(X)
    one = own(40)
    one = one.replace(K=one.K[17])
    alone = simulate(one, np.arange(37) / 12, np.zeros((4, 12)), I[None],
                     np.tile(xi, (3, 1, 1)), method="implicit")
    np.testing.assert_allclose(X[17], alone.X[-1], rtol=1e-10)


@pytest.mark.parametrize("columns", [None, 1, 12])
def test_what_a_step_shares_with_the_next_is_kept(columns):
    column, b = own(columns), inputs() * np.random.default_rng(4).uniform(0.5, 2, (12, 4, 12))
    dense = np.linalg.solve(column.outflow_matrix() + 6.0 * np.eye(48), b.reshape(12, 48, 1))
    solved = column.prepared(6.0)
    np.testing.assert_allclose(solved(b).reshape(12, 48), dense[..., 0], rtol=1e-10)
    np.testing.assert_allclose(solved(np.array([b, 2 * b])), [solved(b), 2 * solved(b)], rtol=1e-10)


def test_the_words_are_those_of_a_flat_model():
    column, I, xi = own(), inputs(), 0.5 + np.random.default_rng(0).uniform(size=(4, 12))
    flat, amount = column.as_matrix_model(I)
    X = np.random.default_rng(3).uniform(0, 100, (4, 12))
    row = xi.ravel()
    for ours, theirs in (
        (column.steady_state(I, xi), flat.steady_state(amount, row)),
        (column.derivative(X, I, xi), flat.derivative(column.stocks(X), amount, row)),
        (column.respiration(X, xi), flat.respiration(column.stocks(X), row)),
        (column.input(I), flat.input(amount)),
    ):
        np.testing.assert_allclose(ours, column.concentrations(theirs), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(column.stock_matrix(xi), flat.outflow_matrix(row), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(column.leaving_rates(xi).ravel(), np.diag(flat.outflow_matrix(row)), rtol=1e-12)


def test_mixing_differs_by_pool():
    column, I = own(strength=(0, 1, 2.5, 0.3)), inputs()
    down, up = mixing(0.9)
    by_hand = np.zeros((48, 48))
    for i, strength in enumerate((0, 1, 2.5, 0.3)):
        part = own(strength=(1,) * 4).replace(down=strength * down, up=strength * up, K=np.zeros((4, 12)))
        rows = slice(12 * i, 12 * i + 12)
        by_hand[rows, rows] = part.outflow_matrix()[rows, rows]
    M = by_hand + column.replace(down=0 * down, up=0 * up).outflow_matrix()
    np.testing.assert_allclose(column.outflow_matrix(), M, rtol=1e-13)
    expected = np.linalg.solve(M, I.ravel()).reshape(4, 12)
    for method in (None, "cascade", "block", "banded", "dense"):
        np.testing.assert_allclose(column.steady_state(I, method=method), expected, rtol=1e-10)
    pull = column.steady_state_and_vjp(I)[1](np.ones((4, 12)))
    shift = 1e-6 * down
    moved = column.replace(down=down + shift).steady_state(I, method="cascade")
    change = (moved - column.replace(down=down - shift).steady_state(I, method="cascade")).sum() / 2
    np.testing.assert_allclose((pull.down * shift).sum(), change, rtol=1e-6)


def test_explicit_steps_are_short_or_refused():
    column, X = own(), own().steady_state(inputs())
    after, stay = column.step(X, 2 * inputs(), 0.01, method="explicit")
    np.testing.assert_allclose(after - X, 0.01 * column.derivative(X, 2 * inputs()), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(stay, 0.01 * X)
    with pytest.raises(InputError, match=r"takes .* times what a pool holds. Make it at least"):
        column.step(X, inputs(), 10.0, method="explicit")


def test_labelled_forcing_of_a_column():
    _, I, xi = forced()
    labels = dict(dims=("time", "pool", "layer"), coords={"time": (np.arange(12) + 0.5) / 12, "pool": list(POOLS)})
    named = xr.DataArray(I, **labels).isel(pool=[3, 1, 0, 2])
    year = Cycle.from_model(own(), named, xi)
    np.testing.assert_allclose(year(np.ones((4, 12))), Cycle.from_model(own(), I, xi)(np.ones((4, 12))))


def test_storage_of_a_changing_column():
    model, I, xi = forced()
    t = np.arange(13) / 12
    run = simulate(model, t, own().steady_state(inputs()), I, xi)
    parts = components(model, t, run.X, I, xi)
    np.testing.assert_allclose(parts.X_c - parts.X_p, run.X, rtol=1e-9)


def test_radiocarbon_of_a_changing_column_keeps_the_ratio_of_its_air():
    # Without decay, in air that never changes, all carbon has the ratio of the air, wherever it moves.
    model, I, xi = forced()
    run = radiocarbon(model, 2000 + np.arange(13) / 12, I, [1990, 2010], [70.0, 70.0], xi, mean_life=np.inf)
    np.testing.assert_allclose(run.delta_pool, 70.0, rtol=1e-8)
    fresh = radiocarbon(model, 2000 + np.arange(13) / 12, I, [1990, 2010], [70.0, 70.0], xi, X0=np.ones((4, 12)),
                        delta0=0.0, mean_life=np.inf)
    change = (fresh.X14.sum(("pool", "layer"))).diff("time").values
    months = fresh.X.time.diff("time").values
    given = (I * LAYERS.thickness).sum(axis=(1, 2)) * 1.07
    lost = (fresh.respiration * (1 + fresh.delta_respired / 1000)).values
    np.testing.assert_allclose(change, (given - lost) * months, atol=1e-9 * given.max())


def test_traceability_and_ages_of_a_column_are_those_of_its_stocks():
    column, I = own(), inputs()
    flat, amount = column.as_matrix_model(I)
    cold = np.exp(-LAYERS.node / 2) * np.ones((4, 1))
    ours, theirs = trace(column, I, cold, 0.8), trace(flat, amount, cold.ravel(), 0.8)
    np.testing.assert_allclose(ours.logarithms(), theirs.logarithms(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(transit_time(column, I, cold).mean, transit_time(flat, amount, cold.ravel()).mean,
                               rtol=1e-9)
    model, I, xi = forced()
    moving = changing(own(), down=model.parts["down"][:2], up=model.parts["up"][:2])
    t = [0.0, 1 / 12, 2 / 12]
    ages = through_time(moving, t, I[:2], xi[:2], start=start_empty(column), rtol=1e-6)
    run = simulate(moving, t, np.zeros((4, 12)), I[:2], xi[:2])
    np.testing.assert_allclose(ages.X[-1], run.X[-1] * LAYERS.thickness, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: own().steady_state(inputs(), np.ones(5)), "xi has shape \\(5,\\); give one number, or \\(4, 12\\)"),
        (lambda: own().steady_state(inputs(), -1.0), "xi must be at least 0"),
        (lambda: own().step(np.ones((4, 12)), inputs(), 0.0), "h must be above 0"),
        (lambda: own().step(np.ones((4, 12)), inputs(), 1.0, method="euler"), "exponential"),
        (lambda: own().derivative(np.ones(4), inputs()), "X must end in axes"),
        (lambda: own(strength=(0, 1, -1, 1)), "mixed must be at least 0"),
        (lambda: simulate(own(), [0, 1], np.ones(4), inputs()[None]), "X0 must end in axes"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
