"""Vegetation of CLM5: shares, balance, steady state, and one equation with the soil column."""

import dataclasses

import numpy as np
import pytest

from landcarbon.matrix import InputError
from landcarbon.matrix.from_code import matrix_from
from landcarbon.matrix.loops import Cycle
from landcarbon.matrix.simulate import simulate
from landcarbon.matrix.spinup import periodic
from landcarbon.models import clm5, clm45
from landcarbon.models.clm5_vegetation import (
    DECIDUOUS,
    EVERGREEN,
    LITTER,
    POOLS,
    Plant,
    ecosystem,
    stem_per_leaf,
)

NPP = 600.0


def column(module=clm5):
    L = len(module.LAYERS)
    forcing = module.Forcing(np.full((L, 12), 283.0), np.full((L, 12), 0.6), [100.0, 150.0, 100.0, 50.0])
    return module.column(module.PARAMETERS.default, forcing)


def test_stem_per_leaf_is_half_way_at_300():
    assert stem_per_leaf(300.0) == pytest.approx(2.7 / 2 - 0.4)
    assert stem_per_leaf(1e5) == pytest.approx(2.3)
    assert np.all(np.diff(stem_per_leaf(np.linspace(0, 2000, 50))) > 0)


def test_growth_has_the_proportions_of_the_technical_note():
    leaf, fine, live, dead, live_root, dead_root = EVERGREEN.shares(NPP)
    assert fine / leaf == pytest.approx(1.0)
    assert (live + dead) / leaf == pytest.approx(float(stem_per_leaf(NPP)))
    assert (live_root + dead_root) / (live + dead) == pytest.approx(0.3)
    assert live / (live + dead) == pytest.approx(0.1)
    assert live_root / (live_root + dead_root) == pytest.approx(0.1)


def test_steady_state_of_evergreens_by_hand():
    X = dict(zip(POOLS, EVERGREEN.model(NPP).steady_state(NPP)))
    leaf, _, live, dead, *_ = EVERGREEN.shares(NPP) * NPP
    assert X["leaf"] == pytest.approx(leaf / (1 / 3 + 0.02))
    assert X["live stem"] == pytest.approx(live / 0.72)
    assert X["dead stem"] == pytest.approx((dead + live * 0.7 / 0.72) / 0.02)
    assert all(X[pool] == 0 for pool in POOLS[6:])  # evergreens show what they grow


def test_deciduous_trees_store_first():
    X = DECIDUOUS.model(NPP).steady_state(NPP)
    grown = DECIDUOUS.shares(NPP) * NPP
    half = -np.log(0.5)
    np.testing.assert_allclose(X[6:12], grown / (half + 0.02))
    np.testing.assert_allclose(X[12:], X[6:12] * half / (365 / 30 + 0.02))
    # After a year without growth half of the store has become ready, but for the dead.
    one = simulate(DECIDUOUS.model(NPP), [0.0, 1.0], X, 0.0).X.values[-1]
    np.testing.assert_allclose(one[6:12] / X[6:12], 0.5 * np.exp(-0.02), rtol=1e-8)


def test_all_litter_has_a_place_and_stores_are_labile():
    np.testing.assert_allclose(LITTER.sum(axis=0), 1)
    assert np.all(LITTER[1, 6:] == 1)
    assert np.all(LITTER[0, 2:6] == 1)


@pytest.mark.parametrize("module", [clm5, clm45])
@pytest.mark.parametrize("plant", [EVERGREEN, DECIDUOUS])
def test_one_ecosystem_one_equation(module, plant):
    soil, b = column(module)
    trees, L = plant.model(NPP), len(soil.layers)
    land = ecosystem(trees, soil, b)
    assert land.n == 18 + 7 * L
    X = land.steady_state(NPP)
    # Balance: what grows is respired by the soil, and by nothing else.
    breath = land.respiration(X)
    assert breath.sum() == pytest.approx(NPP, rel=1e-10)
    np.testing.assert_allclose(breath[:18], 0, atol=1e-9)
    # Plants do not know the soil; the soil is the column under their litter.
    standing = trees.steady_state(NPP)
    np.testing.assert_allclose(X[:18], standing, rtol=1e-12)
    litter = LITTER @ (trees.respired_fraction * trees.K * standing)
    assert litter.sum() == pytest.approx(NPP, rel=1e-12)
    under = b.copy()
    under[:4] *= (litter / (b[:4] * soil.layers.thickness).sum(axis=1))[:, None]
    alone = soil.stocks(soil.steady_state(under))
    np.testing.assert_allclose(X[18:], alone, rtol=1e-6, atol=1e-9 * alone.max())


def test_carbon_is_conserved_on_the_way():
    land = ecosystem(DECIDUOUS.model(NPP), *column())
    run = simulate(land, np.arange(0.0, 31.0), np.zeros(land.n), NPP)
    kept = run.X.values[-1].sum()
    gone = run.respiration.sum().item()
    assert kept + gone == pytest.approx(30 * NPP, rel=1e-9)


def test_the_matrix_is_that_of_the_fluxes():
    trees = DECIDUOUS.model(NPP)

    def step(X):
        dX = NPP * trees.B - 0.02 * X
        dX[:2] -= X[:2] / 0.5
        for live, dead in ((2, 3), (4, 5)):
            turned = 0.7 * X[live]
            dX[live] -= turned
            dX[dead] += turned
        ready, grown = np.log(2) * X[6:12], 365 / 30 * X[12:]
        dX[6:12] -= ready
        dX[12:] += ready - grown
        dX[:6] += grown
        return dX

    found = matrix_from(step, POOLS)
    M = trees.outflow_matrix()
    assert found.problems == ()
    assert np.abs(found.M - M).max() <= 1e-12 * np.abs(M).max()


@pytest.mark.parametrize("n", [12, 52])
def test_leaves_of_a_deciduous_tree_come_in_spring_and_fall_in_autumn(n):
    t = np.arange(60 * n + 1) / n
    trees = DECIDUOUS.seasons(NPP, step=1 / n)
    run = simulate(trees, t, np.zeros(18), I=NPP)
    leaf = run.X.sel(pool="leaf").values[-n - 1 :]
    assert leaf.min() < 0.002 * leaf.max()
    assert 110 / 365 < t[np.argmax(leaf)] < 290 / 365
    change = np.diff(run.X.sum("pool").values)
    gain = ((run.input - run.respiration).sum("pool") * run.dt).values
    assert np.abs(change - gain).max() <= 1e-9 * NPP / n
    # A year as a loop: the periodic state closes, and the store falls by half between two autumns without growth.
    year = Cycle.from_model(trees, NPP, dt=np.full(n, 1 / n))
    X = periodic(year).X
    np.testing.assert_allclose(year(X), X, rtol=1e-10)
    fasting = simulate(trees, t[: n + 1], X, I=0.0).X.values[-1]
    np.testing.assert_allclose(fasting[6:12] / X[6:12], 0.5 * np.exp(-0.02), rtol=1e-9)


def test_the_seasons_are_those_of_small_explicit_steps():
    """Three months about spring, against the fluxes written out, in steps of a minute and of two."""
    n, first = 365, 100
    t = np.arange(first, first + 60) / n
    trees, X0 = DECIDUOUS.seasons(NPP, step=1 / n), np.linspace(50.0, 900.0, 18)
    exact = simulate(trees, t, X0, I=NPP).X.values[-1]

    def small(parts):
        X, grown = X0.copy(), DECIDUOUS.shares(NPP) * NPP
        for k in range(first, first + 59):
            open_ = np.log(2) * 365 / 30 if 110 <= k < 140 else 0.0
            for _ in range(parts):
                dX = -0.02 * X
                for live, dead in ((2, 3), (4, 5)):
                    dX[live] -= 0.7 * X[live]
                    dX[dead] += 0.7 * X[live]
                dX[6:12] += grown - open_ * X[6:12]
                dX[12:] += open_ * X[6:12] - 365 / 30 * X[12:]
                dX[:6] += 365 / 30 * X[12:]
                X = X + dX / n / parts
        return X

    fine, coarse = small(200), small(100)
    np.testing.assert_allclose(exact, 2 * fine - coarse, rtol=1e-7)


def test_plants_with_seasons_stand_on_the_soil_column():
    soil, b = column()
    seasons, t = DECIDUOUS.seasons(NPP, step=1 / 26), np.arange(27) / 26
    land = ecosystem(DECIDUOUS.model(NPP), soil, b)
    run = simulate(lambda time: ecosystem(seasons(time), soil, b), t, land.steady_state(NPP), I=NPP)
    change = np.diff(run.X.sum("pool").values)
    gain = ((run.input - run.respiration).sum("pool") * run.dt).values
    assert np.abs(change - gain).max() <= 1e-9 * NPP
    litter = run.respiration.isel(pool=slice(0, 18)).sum("pool")
    assert float(np.abs(litter).max()) < 1e-8  # all of it goes to the soil


def test_sentences():
    with pytest.raises(InputError, match="step must be at most 1"):
        DECIDUOUS.seasons(NPP, step=7.0)
    with pytest.raises(InputError, match="autumn must be at most 1"):
        DECIDUOUS.seasons(NPP, step=1 / 52, autumn=280)
    soil, b = column()
    with pytest.raises(InputError, match="18 pools of Plant"):
        ecosystem(EVERGREEN.model(NPP).replace(pools=[f"p{k}" for k in range(18)]), soil, b)
    with pytest.raises(InputError, match="a row of cwd or litter 1 to 3 is empty"):
        ecosystem(EVERGREEN.model(NPP), soil, 0 * b)
    with pytest.raises(InputError, match="less than all"):
        Plant(made_ready=1.0)
    with pytest.raises(InputError, match="mortality"):
        dataclasses.replace(EVERGREEN, mortality=0.0)
