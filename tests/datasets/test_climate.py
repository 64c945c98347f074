"""The steps from climate to forcing: waves that shrink and lag, water that is not lost, known limits."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from real_data import needs

from landcarbon.datasets import climate as c
from landcarbon.datasets.outlines import inside, outline
from landcarbon.matrix.errors import InputError
from landcarbon.models import clm5
from landcarbon.models import site_climate as sc

MONTH = np.arange(12)
WARM = 11.0 + 9.0 * np.cos(2 * np.pi * (MONTH - 6.5) / 12)  # warmest in mid-July


def test_a_wave_shrinks_and_lags_by_the_heat_equation():
    d = sc.damping_depth()
    depth = np.array([0.0, 0.5, 1.0, d, 2 * d])
    soil = sc.soil_temperature(WARM, depth) - 273.15
    first = np.fft.rfft(soil, axis=-1)[:, 1] / 6
    assert np.allclose(np.abs(first), 9.0 * np.exp(-depth / d))
    lag = -np.unwrap(np.angle(first / first[0]))
    assert np.allclose(lag, depth / d)
    # One damping depth is one radian: 365 / (2 pi) = 58 days.
    assert lag[3] / (2 * np.pi) * 365 == pytest.approx(58.1, abs=0.1)


def test_the_wave_solves_the_heat_equation():
    """dT/dt = kappa d2T/dz2, by finite differences in depth and the exact derivative in time."""
    z = np.array([0.8, 0.801, 0.799])
    soil = sc.soil_temperature(WARM, z)
    omega = 2 * np.pi / sc.YEAR_SECONDS
    curvature = (soil[1] + soil[2] - 2 * soil[0]) / 0.001**2
    spectrum = np.fft.rfft(soil[0]) * 1j * omega * np.arange(7)
    spectrum[-1] = 0
    assert np.allclose(np.fft.irfft(spectrum, 12), sc.DIFFUSIVITY * curvature, rtol=1e-3, atol=1e-12)


def test_the_annual_mean_is_the_same_at_all_depths_and_the_surface_is_the_air():
    air = np.random.default_rng(0).normal(5, 10, (4, 12))
    soil = sc.soil_temperature(air, [0.0, 0.3, 3.0]) - 273.15
    assert np.allclose(soil[:, 0], air)
    assert np.allclose(soil.mean(axis=-1), air.mean(axis=-1)[:, None])
    assert sc.soil_temperature(air).shape == (4, 20, 12)


def test_faster_waves_die_first():
    assert sc.damping_depth(harmonic=4) == pytest.approx(sc.damping_depth() / 2)
    fast = np.where(MONTH % 2, 1.0, -1.0)
    assert np.abs(sc.soil_temperature(fast, [2.0]) - 273.15).max() < 0.15


@pytest.mark.parametrize(
    ("mean", "amplitude", "expected"),
    [(5.0, 20.0, 42.0), (-5.0, 4.0, 0.0), (-5.0, 5.0 * np.e, sc.damping_depth()), (-20.0, 20.0, 0.0)],
)
def test_permafrost_depth(mean, amplitude, expected):
    air = mean + amplitude * np.cos(2 * np.pi * (MONTH - 6.5) / 12)
    assert sc.active_layer_depth(air) == pytest.approx(expected, abs=1e-9)


def test_the_thaw_ends_where_the_warmest_moment_is_freezing():
    air = -6.0 + 15.0 * np.cos(2 * np.pi * (MONTH - 6) / 12)  # a month is at the peak
    depth = float(sc.active_layer_depth(air))
    amplitude = 15.0 * np.exp(-depth / sc.damping_depth())
    assert -6.0 + amplitude == pytest.approx(0.0, abs=1e-9)
    soil = sc.soil_temperature(air, [0.8 * depth, 1.2 * depth]) - 273.15
    assert soil[0].max() > 0 > soil[1].max()


def test_evaporation_demand_is_warm_sunny_and_summer():
    sunshine = 0.33 + 0.12 * np.cos(2 * np.pi * (MONTH - 5) / 12)
    june_peak = sc.potential_evapotranspiration(WARM - 2, sunshine, 52.0)
    assert 500 < june_peak.sum() < 800  # mm a year, the Low Countries
    assert june_peak.argmax() in (5, 6)
    assert (sc.potential_evapotranspiration(WARM - 2, sunshine + 0.3, 52.0) >= june_peak).all()
    frozen = sc.potential_evapotranspiration(WARM - 30, np.full(12, 0.5), 50.0)
    assert (frozen == 0).all()
    # The southern hemisphere is six months away.
    south = sc.potential_evapotranspiration(np.roll(WARM, 6), np.full(12, 0.5), -50.0)
    assert south.argmax() in (11, 0)
    equator = sc.potential_evapotranspiration(np.full(12, 26.0), np.full(12, 0.5), 0.0)
    assert 1300 < equator.sum() < 1900
    assert np.ptp(equator / sc.DAYS) < 0.15 * equator.mean() / 30


@pytest.mark.parametrize(
    ("t", "sunshine", "latitude"), [(26.0, 0.5, 0.0), (8.0, 0.3, 52.0), (18.0, 0.9, -35.0), (3.0, 0.6, 66.0)]
)
def test_evaporation_demand_is_priestley_taylor_by_the_hour(t, sunshine, latitude):
    """Net radiation summed over 10,000 moments of the day; the psychrometer from its physics."""
    demand = sc.potential_evapotranspiration(np.full(12, t), np.full(12, sunshine), latitude)
    days = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    day = np.cumsum(days) - days / 2 + 0.5  # the first of January is day 1
    hour = (np.arange(10_000) + 0.5) / 10_000 * 2 * np.pi - np.pi
    tilt = -np.deg2rad(23.44) * np.cos(2 * np.pi * (day + 10) / 365)[:, None]
    phi = np.deg2rad(latitude)
    height = np.sin(phi) * np.sin(tilt) + np.cos(phi) * np.cos(tilt) * np.cos(hour)
    top = 1360.8 * (1 + 0.0334 * np.cos(2 * np.pi * day / 365))[:, None]
    # As in the source, the sun below the horizon counts too: there net radiation is negative anyway.
    net = 0.83 * (0.25 + 0.5 * sunshine) * top * height - (0.2 + 0.8 * sunshine) * (107 - t)
    energy = np.maximum(net, 0).mean(axis=1) * 86400
    saturation = lambda x: 610.8 * np.exp(17.269 * x / (237.3 + x))  # noqa: E731  [Pa]
    slope = (saturation(t + 1e-4) - saturation(t - 1e-4)) / 2e-4
    latent = 2.501e6 - 2361.0 * t  # J kg-1
    psychrometer = 1004.0 * 101325 / (0.622 * latent)  # Pa K-1
    expected = 1.26 * slope / (slope + psychrometer) * energy / latent * days
    np.testing.assert_allclose(demand, expected, rtol=0.006, atol=0.05)


def test_polar_night_and_midnight_sun_have_a_number():
    demand = sc.potential_evapotranspiration(np.full(12, 2.0), np.full(12, 0.4), 80.0)
    assert np.isfinite(demand).all()
    assert demand[0] == demand[11] == 0.0
    assert demand[5] > 20


months = arrays(float, (3, 12), elements=st.floats(0, 300, width=32))
warmth = arrays(float, (3, 12), elements=st.floats(-30, 30, width=32))


@settings(max_examples=60, deadline=None)
@given(rain=months, temperature=warmth, demand=months, room=st.floats(5, 400))
def test_the_bucket_loses_no_water(rain, temperature, demand, room):
    b = sc.bucket(rain, temperature, demand, room)
    change = np.diff(b.storage + b.snow, axis=-1)
    assert np.allclose(rain, b.evapotranspiration + b.runoff + change, atol=1e-6)
    assert ((b.storage >= 0) & (b.storage <= room)).all()
    assert ((b.wetness >= 0) & (b.wetness <= 1 + 1e-9)).all()
    assert (b.evapotranspiration <= demand * (1 + 1e-9)).all()
    assert (b.runoff >= 0).all() and (b.snow >= 0).all()


def test_months_of_little_demand_lose_no_water_either():
    # Six months empty the bucket; six of rain fill it again, while hardly anything is asked for.
    wet = MONTH >= 6
    need, rain = np.where(wet, 0.9, 300.0), np.where(wet, 500.0, 0.0)
    b = sc.bucket(rain, np.full(12, 10.0), need, 1000.0)
    np.testing.assert_allclose(
        rain, b.evapotranspiration + b.runoff + np.diff(b.storage), atol=1e-8
    )
    assert b.storage[6] == pytest.approx(1000 * np.exp(-6 * 0.3), rel=1e-9)


def test_a_full_bucket_that_gains_what_it_loses_stays_full():
    need = np.full(12, 220.75)
    b = sc.bucket(need, np.zeros(12), need, 5.0)
    np.testing.assert_allclose(b.storage, 5.0)
    np.testing.assert_allclose(b.evapotranspiration, need)
    assert (b.runoff == 0).all()


def test_the_bucket_agrees_with_an_integrator():
    from scipy.integrate import solve_ivp

    rain = np.array([90, 120, 80, 60, 30, 10, 5, 5, 30, 60, 100, 150.0])
    need = 60 + 50 * np.cos(2 * np.pi * (MONTH - 6) / 12)
    b = sc.bucket(rain, WARM, need, 120.0)
    for m in (3, 6, 9):  # months in which the bucket does not overflow
        step = solve_ivp(
            lambda t, w, m=m: rain[m] - need[m] * w / 120.0, (0, 1), [b.storage[m]], rtol=1e-10, atol=1e-10
        )
        assert b.runoff[m] == 0.0
        assert step.y[0, -1] == pytest.approx(b.storage[m + 1], abs=1e-6)
    assert b.runoff[[0, 11]].min() > 0


@pytest.mark.parametrize("need", [0.0, 1e-9, 1e-6, 1e-3, 20.0])
def test_overflow_for_any_demand(need):
    end, wetness, runoff = sc._month(np.array(80.0), np.array(50.0), np.array(need), np.array(100.0))
    assert end == 100.0
    # 20 mm fill the bucket after about two fifths of the month.
    assert runoff == pytest.approx(30.0 - need * float(wetness), abs=1e-9)
    if need < 1e-2:
        assert wetness == pytest.approx(0.4 * 0.9 + 0.6, abs=1e-4)


def test_the_year_of_the_bucket_repeats_itself():
    rain = np.array([80, 70, 60, 40, 20, 5, 0, 0, 10, 40, 70, 90.0])
    b = sc.bucket(rain, WARM, 60 + 50 * np.cos(2 * np.pi * (MONTH - 6) / 12), 150.0)
    assert b.storage[0] == pytest.approx(b.storage[-1], abs=1e-4)
    assert b.wetness.argmin() in (7, 8)
    assert b.evapotranspiration.sum() + b.runoff.sum() == pytest.approx(rain.sum(), abs=1e-3)


def test_limits_of_the_bucket():
    dry = sc.bucket(np.zeros(12), WARM, np.full(12, 80.0), 150.0)
    assert dry.wetness.max() < 1e-6
    wet = sc.bucket(np.full(12, 200.0), WARM, np.full(12, 80.0), 150.0)
    assert np.allclose(wet.wetness, 1.0)
    assert np.allclose(wet.runoff, 120.0)
    # The size of the bucket does not matter where every month is the same.
    for room in (10.0, 1000.0):
        assert np.allclose(sc.bucket(np.full(12, 30.0), WARM, np.full(12, 90.0), room).wetness, 1 / 3, atol=1e-4)


def test_snow_waits_for_spring():
    b = sc.bucket(np.full(12, 40.0), WARM - 12, np.full(12, 10.0), 150.0)
    assert b.snow.max() > 80
    assert b.snow[7] == 0.0
    assert b.runoff[3:6].sum() > b.runoff[:2].sum()


def test_water_scalar_between_wilting_and_field_capacity():
    dry, wet = (sc.water_scalar(np.full(12, w)) for w in (0.0, 1.0))
    assert dry.shape == (20, 12)
    assert np.allclose(dry, np.log(2.0 / 1.5) / np.log(2.0 / 0.002))
    assert np.allclose(wet, np.log(2.0 / 0.033) / np.log(2.0 / 0.002))
    assert (np.diff(sc.water_scalar(np.linspace(0, 1, 12))[0]) > 0).all()


def test_limits_of_the_miami_model():
    grams = sc.miami_npp([-20.0, 15.0, 100.0 - 45, 25.0], [0.0, 0.0, 60000.0, 1e5], carbon=1.0)
    assert grams[0] == grams[1] == 0.0  # no water, no plants
    warmest = 3000 / (1 + np.exp(1.315 - 0.119 * 55))
    assert grams[2] == pytest.approx(warmest)
    assert grams.max() < 3000
    assert sc.miami_npp(10.0, 700.0) == pytest.approx(0.47 * sc.miami_npp(10.0, 700.0, carbon=1.0))
    t, p = np.linspace(-10, 30, 30), np.linspace(0, 3000, 30)
    assert (np.diff(sc.miami_npp(t, 1000.0)) >= 0).all()
    assert (np.diff(sc.miami_npp(15.0, p)) >= 0).all()


def test_litter_adds_up_to_the_input():
    litter = sc.litter_input([500.0, 0.0])
    assert litter.shape == (2, 4)
    assert np.allclose(litter.sum(axis=-1), [500.0, 0.0])
    assert np.allclose(litter[0, 1:] / litter[0, 1:].sum(), [0.25, 0.5, 0.25])
    assert np.allclose(sc.litter_input(100.0, [0, 1, 0, 0]), [0, 100, 0, 0])


def many(n=5, seed=0):
    rng = np.random.default_rng(seed)
    t = rng.uniform(-5, 20, (n, 1)) + 10 * np.cos(2 * np.pi * (MONTH - 6) / 12)
    lat, lon = rng.uniform(30, 60, n), rng.uniform(-10, 40, n)
    return t, rng.uniform(0, 150, (n, 12)), rng.uniform(0.2, 0.8, (n, 12)), lat, lon


def test_the_whole_chain_feeds_the_model():
    forcing, covariates = sc.forcing_from_climate(*many(), 150.0)
    assert forcing.shape == (5,)
    carbon = clm5.soil_carbon(clm5.steady_state(clm5.DEFAULT, forcing))
    assert (carbon > 0).all()
    assert len(covariates) == 5
    assert set(covariates.attrs["units"]) == set(covariates.columns)
    assert np.allclose(forcing.litter_input.sum(axis=-1), covariates["npp"])


def test_covariates_are_those_of_the_climate():
    t, p, s, lat, lon = many()
    room = np.linspace(100, 200, 5)
    _, found = c.forcing_from_climate(t, p, s, lat, lon, room)
    demand = sc.potential_evapotranspiration(t, s, lat)
    b = sc.bucket(p, t, demand, room)
    rain, need = p.sum(axis=1), demand.sum(axis=1)
    expected = {
        "latitude": lat, "longitude": lon, "mean_temperature": t.mean(axis=1), "coldest_month": t.min(axis=1),
        "warmest_month": t.max(axis=1), "annual_precipitation": rain, "sunshine": s.mean(axis=1), "demand": need,
        "temperature_seasonality": np.sqrt(((t - t.mean(axis=1, keepdims=True)) ** 2).mean(axis=1)),
        "precipitation_seasonality": np.sqrt((p**2).mean(axis=1) - p.mean(axis=1) ** 2) / p.mean(axis=1),
        "aridity": rain / (rain + need + 1.0), "evapotranspiration": b.evapotranspiration.sum(axis=1),
        "runoff": b.runoff.sum(axis=1), "mean_wetness": b.wetness.mean(axis=1),
        "driest_wetness": b.wetness.min(axis=1), "capacity": room,
        "npp": sc.miami_npp(t.mean(axis=1), rain),
    }  # fmt: skip
    assert set(found.columns) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-9, err_msg=name)


def test_a_site_does_not_depend_on_its_neighbours():
    whole, _ = sc.forcing_from_climate(*many(), 150.0)
    one, _ = sc.forcing_from_climate(*(a[2:3] for a in many()), 150.0)
    # The bucket stops when the slowest site has settled, within a millionth of a millimetre.
    assert np.allclose(one.water_scalar[0], whole.water_scalar[2], atol=1e-6)
    assert np.array_equal(one.soil_temperature[0], whole.soil_temperature[2])


def test_own_npp_takes_the_place_of_the_miami_model():
    _, covariates = sc.forcing_from_climate(*many(), 150.0, npp=321.0)
    assert (covariates["npp"] == 321.0).all()


def grid():
    import xarray as xr

    lat, lon = np.array([10.25, 9.75, 9.25]), np.array([20.25, 20.75])
    t = np.full((12, 3, 2), 20.0)
    t[:, 0, 0] = np.nan
    flat = ("latitude", "longitude")
    return xr.Dataset(
        {
            "temperature": (("month", *flat), t + np.arange(2)),
            "precipitation": (("month", *flat), np.full((12, 3, 2), 70.0)),
            "sunshine": (("month", *flat), np.full((12, 3, 2), 0.5)),
            "water_capacity": (("soil_layer", *flat), np.full((2, 3, 2), 60.0)),
        },
        coords={"latitude": lat, "longitude": lon},
    )


def poor():
    capacity = grid()["water_capacity"].copy()
    capacity[1] = -20.0
    return capacity


def test_a_grid_may_be_called_and_turned_otherwise():
    expected = c.forcing_at([9.3, 10.2], [20.7, 20.3], grid()).covariates
    plain = grid()
    turned = plain.isel(latitude=slice(None, None, -1)).transpose("longitude", ...)
    turned = turned.assign_coords(longitude=turned.longitude + 360 * (turned.longitude < 0))
    short = plain.rename(latitude="lat", longitude="lon")
    beside = short.assign_coords(latitude=("lat", plain.latitude.values))
    other = plain.rename(latitude="y", longitude="x").reset_index(("y", "x")).rename(y="lat", x="lon")
    gaps = plain.assign(wetland=(("latitude", "longitude"), np.full((3, 2), np.nan)))
    for climate in (turned, short, beside, other, gaps):
        found = c.forcing_at([9.3, 10.2], [20.7, 20.3], climate).covariates
        pd.testing.assert_frame_equal(found, expected)


def test_each_place_takes_its_nearest_cell_and_the_rest_are_reported():
    found = c.forcing_at([9.3, 10.2, 50.0], [20.7, 20.3, 20.0], grid())
    assert found.used.tolist() == [True, True, False]
    assert found.forcing.shape == (2,)
    # The second place lies in a cell without climate: the neighbour to the east serves.
    assert found.report.loc[1, "cell_longitude"] == 20.75
    assert found.report.loc[1, "distance_km"] == pytest.approx(49.6, abs=0.1)
    assert found.covariates["mean_temperature"].tolist() == [21.0, 21.0]
    assert found.report.loc[2, "reason"] == "no land cell with climate and soil within 60 km"
    assert len(found.report) == found.used.sum() + (found.report["reason"] != "").sum()


@needs("biome4")
def test_the_real_grid_serves_real_places():
    found = c.forcing_at([52.1, -3.1, 0.0, 68.6], [5.2, -60.0, -30.0, 161.3])
    assert found.used.tolist() == [True, True, False, True]
    npp = found.covariates["npp"].to_numpy()
    assert npp[1] > npp[0] > npp[2] > 0
    depth = found.forcing.active_layer_depth
    assert depth[0] == depth[1] == 42.0
    assert 0 < depth[2] < 3.0  # Cherskiy, Siberia
    assert found.covariates.attrs["synthetic"] is False
    assert np.isfinite(found.covariates.to_numpy(float)).all()



@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sc.soil_temperature(WARM + 273.15), "seems to be kelvin"),
        (lambda: sc.soil_temperature(WARM[:11]), "twelve months"),
        (lambda: sc.soil_temperature(np.where(MONTH == 3, np.nan, WARM)), "NaN"),
        (lambda: sc.soil_temperature(WARM, diffusivity=0.0), "diffusivity must be above 0"),
        (lambda: sc.bucket(-WARM, WARM, WARM, 50.0), "precipitation must be at least 0"),
        (lambda: sc.bucket(np.ones(12), WARM, np.ones(12), 0.0), "capacity must be above 0"),
        (lambda: sc.bucket(np.ones((3, 12)), WARM, np.ones(12), [9.0, 9.0]), "one capacity a site"),
        (lambda: sc.potential_evapotranspiration(WARM, np.full(12, 50.0), 50), "at most 1"),
        (lambda: sc.potential_evapotranspiration(WARM, np.full(12, 0.5), 120), "latitude"),
        (lambda: sc.miami_npp(15.0, -3.0), "annual_precipitation"),
        (lambda: sc.litter_input(400.0, [0.5, 0.5, 0.5, 0.5]), "sum to 2"),
        (lambda: sc.litter_input(400.0, [1.2, -0.2, 0, 0]), "at least 0"),
        (lambda: sc.forcing_from_climate(WARM, WARM, WARM, 1, 1, 50.0), "sunshine"),
        (lambda: c.forcing_at([20.7], [9.3], grid()), "swapped"),
        (lambda: c.forcing_at([95.0], [9.3], grid()), "at most 90"),
        (lambda: c.forcing_at([9.3, 9.4], [20.7], grid()), "one of each"),
        (lambda: c.forcing_at([9.3], [20.7], grid().drop_vars("sunshine")), "no variable 'sunshine'"),
        (lambda: c.forcing_at([9.3], [20.7], grid().drop_vars("latitude")), "no coordinate 'latitude'"),
        (lambda: c.forcing_at([9.3], [20.7], grid() * np.nan), "no cell of the climate has a value"),
        (lambda: c.forcing_at([9.3], [20.7], grid().isel(month=slice(11))), "month .* has 11 values"),
        (lambda: c.forcing_at([9.3], [20.7], grid().isel(soil_layer=[0])), "soil_layer .* has 1 values"),
        (lambda: c.forcing_at([9.3], [20.7], grid().isel(soil_layer=0)), "water_capacity .* over"),
        (lambda: c.forcing_at([9.3], [20.7], grid().expand_dims(time=2)), "temperature .* over time"),
        (lambda: c.forcing_at([9.3], [20.7], grid().astype(str)), "temperature .* must hold numbers"),
        (lambda: c.forcing_at([9.3], [20.7], grid().assign_coords(month=-MONTH)), "January to December"),
        (lambda: c.forcing_at([9.3], [20.7], grid().assign_coords(latitude=[1, 2, 95])), "at most 90"),
        (lambda: c.forcing_at([9.3], [20.7], grid().assign(water_capacity=poor())), "at least 0, but -20"),
        (lambda: c.covariates_at([9.3], [20.7, 9.0], grid()), "one of each"),
        (lambda: inside([10.0], [400.0]), "at most 360"),
        (lambda: inside([10.0], [20.0], "conus_states"), "borders between states"),
        (lambda: outline("mars"), "no outline 'mars'"),
    ],
)
def test_bad_input_gets_a_sentence(call, words):
    with pytest.raises(InputError, match=words):
        call()


def test_land_and_sea():
    places = {
        "Kansas": (38.5, -98.0, True), "Gulf of Mexico": (25.0, -90.0, False),
        "Siberia near the date line": (67.0, 179.9, True), "Pacific": (0.0, -179.9, False),
        "Antarctica": (-80.0, 20.0, True), "North Pole": (90.0, 0.0, False),
    }  # fmt: skip
    lat, lon, land = zip(*places.values())
    assert inside(lat, lon).tolist() == list(land)
    assert inside([38.5, 52.0], [-98.0, -106.0], "conus_outline").tolist() == [True, False]
    assert np.array_equal(inside(lat, np.mod(lon, 360.0)), inside(lat, lon))


def test_areas_are_those_of_the_earth():
    rng = np.random.default_rng(0)
    lat = np.degrees(np.arcsin(rng.uniform(-1, 1, 4000)))
    assert inside(lat, rng.uniform(-180, 180, 4000)).mean() == pytest.approx(0.29, abs=0.02)
    sine = rng.uniform(np.sin(np.radians(24)), np.sin(np.radians(50)), 4000)
    share = inside(np.degrees(np.arcsin(sine)), rng.uniform(-126, -66, 4000), "conus_outline").mean()
    box = 6371.0**2 * np.radians(60) * (np.sin(np.radians(50)) - np.sin(np.radians(24)))
    assert share * box / 1e6 == pytest.approx(7.8, rel=0.05)  # million km2


def test_more_covariates_come_from_the_nearest_complete_cell():
    grid = xr.Dataset(
        {
            "clay": (("lon", "lat"), [[10.0, 20.0], [np.nan, 40.0]], {"units": "%"}),
            "name": (("lat", "lon"), [["a", "b"], ["c", "d"]]),
            "depth": ("layer", [1.0, 2.0]),
        },
        coords={"lat": [0.0, 0.5], "lon": [0.0, 0.5]},
    )
    table_, used = c.covariates_at([0.1, 0.1, 40.0], [0.0, 0.5, 0.0], grid)
    assert list(table_.columns) == ["clay"]
    assert table_.attrs["units"] == {"clay": "%"}
    # The cell at (0, 0.5) is empty: its place takes the nearest one that is not.
    assert table_["clay"].tolist()[:2] == [10.0, 40.0]
    assert used.tolist() == [True, True, False]
    assert np.isnan(table_["clay"][2])
    for wrong, words in (
        (grid.drop_vars("lat"), "no coordinate 'latitude'"),
        (grid[["depth", "name"]].assign_coords(grid.coords), "no numeric variable"),
        (grid[["clay"]] * np.nan, "no cell"),
        (grid[["clay"]].fillna(1e18), "clay .* seem to mark gaps"),
        (grid.assign_coords(lat=[0.0, np.nan]), "one axis of finite numbers"),
        (grid.assign_coords(lat=[0.0, 5e5]), "projected grids"),
    ):
        with pytest.raises(InputError, match=words):
            c.covariates_at([0.0], [0.0], wrong if "clay" not in wrong else wrong[["clay"]])


@pytest.mark.parametrize(("name", "unit", "scale", "shift"), [
    ("temperature", "K", 1.0, 273.15), ("temperature", "degF", 1.8, 32.0),
    ("precipitation", "mm", 1.0, 0.0), ("precipitation", "mm/month", 1.0, 0.0),
    ("precipitation", "kg m-2 s-1", 1 / (30.4375 * 86400), 0.0), ("precipitation", "mm day-1", 1 / 30.4375, 0.0),
    ("precipitation", "m month-1", 1e-3, 0.0), ("sunshine", "%", 100.0, 0.0), ("water_capacity", "m", 1e-3, 0.0),
    ("water_capacity", "kg m-2", 1.0, 0.0),
])  # fmt: skip
def test_units_of_a_climate_are_heard(name, unit, scale, shift):
    plain = c.forcing_at([9.3], [20.7], grid()).covariates
    other = grid()
    other[name] = (other[name] * scale + shift).assign_attrs(units=unit)
    found = c.forcing_at([9.3], [20.7], other).covariates
    rates = unit in ("kg m-2 s-1", "mm day-1")  # a rate falls on the days that each month has
    assert found.npp.to_numpy() == pytest.approx(plain.npp.to_numpy(), rel=2e-3 if rates else 1e-9)
    assert found.capacity.to_numpy() == pytest.approx(plain.capacity.to_numpy())


@pytest.mark.parametrize(("change", "words"), [
    (lambda g: g.assign(precipitation=g.precipitation.assign_attrs(units="m")), "precipitation is in 'm'"),
    (lambda g: g.assign(precipitation=g.precipitation.assign_attrs(units="inches")), "in 'inches'"),
    (lambda g: g.assign(temperature=g.temperature + 273.15), "seems to be kelvin: subtract 273.15"),
    (lambda g: g.assign(temperature=g.temperature.assign_attrs(scale_factor=0.1)), "temperature .* is packed"),
    (lambda g: g.assign_coords(month=np.arange("2000-07", "2001-07", dtype="datetime64[M]").astype("datetime64[ns]")),
     "begin with 2000-07"),
])  # fmt: skip
def test_a_climate_that_cannot_be_understood_is_refused(change, words):
    with pytest.raises(InputError, match=words):
        c.forcing_at([9.3], [20.7], change(grid()))


@pytest.mark.parametrize("mark", [-9999.0, -32768.0, 9.96921e36, 1e20])
def test_marks_of_gaps_are_gaps(mark):
    maps = xr.Dataset({"clay": (("lat", "lon"), [[mark, 22.0]])}, {"lat": [45.25], "lon": [10.25, 10.75]})
    table, used = c.covariates_at([45.3, 45.3], [10.3, 20.0], maps)
    assert table.clay[0] == 22.0 and used.tolist() == [True, False]
    own = maps.where(maps != mark, -77.0)
    own.clay.attrs["_FillValue"] = -77.0
    assert c.covariates_at([45.3], [10.3], own)[0].clay[0] == 22.0
    with pytest.raises(InputError, match="-999, which seems to mark gaps"):
        c.covariates_at([45.3], [10.3], maps.where(maps != mark, -999.0))
    other = grid()
    other["precipitation"] = other.precipitation.where(other.longitude > 20.5, mark)
    assert c.forcing_at([9.3], [20.3], other).report.cell_longitude[0] == 20.75


def test_longitudes_may_run_to_360():
    west = grid().assign_coords(longitude=[-20.25, -19.75])
    a, b = (c.forcing_at([9.3], [lon], west).covariates for lon in (-20.3, 339.7))
    assert np.allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize("value", [float("nan"), -1e-6, 0.0])
def test_a_diffusivity_that_cannot_be_gets_a_sentence(value):
    with pytest.raises(InputError, match="diffusivity"):
        sc.damping_depth(value)
