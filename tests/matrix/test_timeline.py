"""One clock: every door reads what changes with time in the same four forms."""

from datetime import datetime

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from landcarbon.matrix import InputError, MatrixModel
from landcarbon.matrix.errors import as_years
from landcarbon.matrix.loops import Cycle
from landcarbon.matrix.nutrients import Element, NutrientModel
from landcarbon.matrix.nutrients import simulate as simulate_nutrients
from landcarbon.matrix.simulate import simulate
from landcarbon.matrix.spinup import periodic
from landcarbon.matrix.timeline import Timeline, changing, forcing, rising
from landcarbon.models.pools import two_pool
from landcarbon.theory.ages_through_time import start_empty, through_time
from landcarbon.theory.carbon14 import radiocarbon
from landcarbon.theory.disturbance import Disturbance, random_runs
from landcarbon.theory.storage import components

LAND = two_pool(0.5, 0.025, 0.3)
T = np.array([2000.0, 2001.0, 2002.0, 2003.0])
NPP = np.array([500.0, 520.0, 540.0])
SCALARS = np.array([[1.0, 0.5], [0.8, 0.9], [1.2, 1.1]])
K = LAND.K * np.array([[1.0], [1.5], [2.0]])


def labelled(values, *dims, **coords):
    return xr.DataArray(values, dims=("time", *dims), coords={"time": T[:-1] + 0.5, **coords})


NITROGEN = Element("N", [40, 20], MatrixModel(("N",), [[1]], [0.5], [1]), [1.0], 1.0)


def nutrients(land, I, xi):
    plants = NutrientModel(LAND, NITROGEN)
    start = plants.steady_state(400.0)
    if land is LAND:
        return simulate_nutrients(plants, T, start, I, xi).X.values
    faster = lambda t: plants.replace(carbon=LAND.replace(K=land.parts["K"][int(t - 2000)]))  # noqa: E731
    return simulate_nutrients(faster, T, start, I, xi).X.values


DOORS = {
    "simulate": lambda land, I, xi: simulate(land, T, [100.0, 900.0], I, xi).X.values,
    "implicit": lambda land, I, xi: simulate(land, T, [100.0, 900.0], I, xi, method="implicit").X.values,
    "nutrients": nutrients,
    "storage": lambda land, I, xi: components(land, T, np.ones((4, 2)), I, xi).X_c.values[:-1],
    "disturbance": lambda land, I, xi: random_runs(
        land, Disturbance(0.5, [0.5, 0.1]), T, [100.0, 900.0], I, xi, n_members=3, rng=1
    ).X.values,
    "radiocarbon": lambda land, I, xi: radiocarbon(
        land, T, I, [1990, 2010], [100.0, 20.0], xi
    ).delta_pool.values,
    "ages": lambda land, I, xi: through_time(land, T, I, xi, start=start_empty(2)).system_age().mean,
}


@pytest.mark.parametrize("door", DOORS)
def test_every_door_reads_the_four_forms_alike(door):
    run = DOORS[door]
    expected = run(LAND, NPP, SCALARS)
    given = labelled(NPP), labelled(SCALARS, "pool", pool=list(LAND.pools))
    np.testing.assert_array_equal(run(LAND, *given), expected)
    # A function is asked at any time by the ages, and at the beginning of a step by the storage.
    step = lambda t: min(int(t - 2000), 2)  # noqa: E731
    by_function = run(LAND, lambda t: NPP[step(t)], lambda t: SCALARS[step(t)])
    np.testing.assert_allclose(by_function, expected, rtol=1e-8 if door == "ages" else 1e-14)
    np.testing.assert_array_equal(run(LAND, 500.0, 1.0), run(LAND, [500.0], [[1.0, 1.0]]))


@pytest.mark.parametrize("door", DOORS)
def test_every_door_takes_a_model_that_changes(door):
    run = DOORS[door]
    expected = run(LAND, NPP, K / LAND.K)
    changed = run(changing(LAND, K=K), NPP, 1.0)
    np.testing.assert_allclose(changed, expected, rtol=1e-12)
    assert not np.allclose(expected, run(LAND, NPP, 1.0), rtol=1e-3)


def test_a_model_may_change_within_the_loop():
    season = np.array([0.5, 1.0, 2.0, 1.0])
    dt = np.full(4, 0.25)
    expected = Cycle.from_model(LAND, 300.0, season, dt)
    found = Cycle.from_model(changing(LAND, K=season[:, None] * LAND.K), 300.0, dt=dt)
    np.testing.assert_allclose(periodic(found).X, periodic(expected).X, rtol=1e-13)
    months = xr.DataArray(season, dims="time", coords={"time": [0.1, 0.3, 0.6, 0.8]})
    np.testing.assert_array_equal(Cycle.from_model(LAND, 300.0, months, dt).M, expected.M)


def test_months_are_not_twelfths_but_each_finds_its_step():
    t = 2001 + np.arange(25) / 12
    dates = pd.date_range("2001-01-01", periods=36, freq="MS")
    xi = forcing("xi", xr.DataArray(np.arange(36.0), dims="time", coords={"time": dates}), t)
    np.testing.assert_array_equal(xi.rows, np.arange(24.0))
    middle = forcing("xi", xr.DataArray(np.arange(36.0), dims="time", coords={"time": dates + pd.Timedelta("14D")}), t)
    np.testing.assert_array_equal(middle.rows, np.arange(24.0))


def test_times_may_be_dates_too():
    dates = pd.date_range("2001-01-01", periods=25, freq="MS")
    daily = pd.date_range("2001-01-01", "2002-12-31")
    warm = pd.Series(daily.month.astype(float), index=daily)
    clock = Timeline.read(LAND, dates, I=100.0, xi=warm)
    assert clock.t[12] == 2002.0
    np.testing.assert_array_equal(clock.xi.rows, np.tile(np.arange(1.0, 13.0), 2))
    np.testing.assert_array_equal(forcing("xi", warm.to_frame(), clock.t).rows[:, 0], clock.xi.rows)


def test_a_step_takes_the_mean_of_what_lies_in_it():
    daily = np.arange("2001-01-01", "2003-01-01", dtype="datetime64[D]")
    values = np.arange(730.0)
    xi = forcing("xi", xr.DataArray(values, dims="time", coords={"time": daily}), np.array([2001.0, 2002.0, 2003.0]))
    np.testing.assert_allclose(xi.rows, [values[:365].mean(), values[365:].mean()])


def test_dates_of_every_kind_become_years():
    cftime = pytest.importorskip("cftime")
    assert as_years("t", [datetime(2001, 7, 2, 12), datetime(2001, 1, 1)]).tolist() == [2001.5, 2001.0]
    assert as_years("t", [cftime.Datetime360Day(2000, 7, 1)])[0] == 2000.5
    assert as_years("t", pd.period_range("2000", periods=2, freq="Y")).tolist() == [2000.0, 2001.0]
    assert as_years("t", pd.Timestamp("2001-07-02 12:00")) == 2001.5
    assert as_years("t", [1, 2]).tolist() == [1, 2]
    np.testing.assert_array_equal(rising("t", np.array(["2000", "2004"], dtype="datetime64[Y]")), [2000, 2004])


def test_labels_put_pools_and_layers_last_and_in_order():
    turned = labelled(SCALARS[:, ::-1], "pool", pool=list(LAND.pools)[::-1]).transpose("pool", "time")
    np.testing.assert_array_equal(forcing("xi", turned, T, LAND.pools).rows, SCALARS)
    sites = labelled(np.ones((3, 2, 5)), "pool", "site")
    assert forcing("xi", sites, T).rows.shape == (3, 5, 2)
    still = xr.DataArray([0.5, 0.7], dims="pool")
    np.testing.assert_array_equal(forcing("xi", still, T)(2, 0.0), [0.5, 0.7])
    assert forcing("I", xr.DataArray(3.0), T)(1, 0.0) == 3.0


def test_what_a_run_gave_can_be_given_back():
    run = simulate(LAND, T, [100.0, 900.0], NPP, SCALARS)
    again = simulate(LAND, T, [100.0, 900.0], run.input.sum("pool"), run.xi)
    np.testing.assert_allclose(again.X, run.X, rtol=1e-14)


def test_the_walk_says_all_that_holds():
    clock = Timeline.read(changing(LAND, K=K), T, NPP, lambda t: t - 2000)
    passed = list(clock.walk())
    assert [(now.h, now.t) for now in passed] == [(1.0, 2000.5), (1.0, 2001.5), (1.0, 2002.5)]
    np.testing.assert_array_equal([now.model.K for now in passed], K)
    np.testing.assert_array_equal(passed[1].u, [520.0, 0.0])
    assert clock.at(2003.0).I == 540.0 and clock.at(2001.0).I == 520.0 and clock.at(2001.25).xi == 1.25
    assert clock.changes and clock.stepwise and clock.continuous


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: forcing("I", labelled(NPP).assign_coords(time=[1.0, 2, 3]), T), "no entry between t = 2000 and"),
        (lambda: forcing("I", labelled(NPP)[:2], T), "no entry between t = 2002 and 2003"),
        (lambda: forcing("I", labelled(NPP)[::-1], T), "time of I must rise"),
        (lambda: forcing("I", labelled(NPP).drop_vars("time"), T), "axis 'time' without times"),
        (lambda: forcing("I", labelled(NPP).to_dataset(name="npp"), T), "choose one of its variables"),
        (
            lambda: forcing("I", labelled(NPP).assign_coords(
                time=("time", [1.0, 2, 3], {"units": "days since 2000-01-01"})), T),
            "in 'days since 2000-01-01'; give them in years",
        ),
        (lambda: forcing("xi", labelled(SCALARS, "pool", pool=["a", "b"]), T, LAND.pools), "has the pools"),
        (lambda: forcing("xi", labelled(SCALARS * np.nan, "pool"), T), "NaN"),
        (lambda: components(LAND, [2000.0], np.ones((1, 2)), labelled(NPP)), "select one of them"),
        (lambda: rising("t", [np.datetime64("NaT"), np.datetime64("2000-01-01")]), "1 gap"),
        (lambda: rising("t", ["spring", "autumn"]), "spring"),
        (lambda: changing(LAND, W=1.0), "not \\['W'\\]"),
        (lambda: changing(3.0, K=1.0), "model is float, not a model"),
        (lambda: simulate(changing(LAND, K=[[1.0, 1.0]] * 2), T, [1.0, 1.0], 1.0), "K has shape \\(2, 2\\)"),
    ],
)
def test_what_cannot_be_read_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
