"""Every reader: units for every column, missing values as NaN, and a few numbers known elsewhere."""

import functools

import numpy as np
import pandas as pd
import pytest
import rdata
from real_data import needs

from landcarbon import datasets
from landcarbon.datasets.outlines import inside
from landcarbon.datasets.readers import READERS

MARKS = (-9999.0, -999.0, -99.99, 9999.0, 999.9)
NAMES = list(READERS)
load = functools.cache(datasets.load)


def params(*names):
    return [pytest.param(name, marks=needs(name).marks) for name in names]


@pytest.mark.parametrize("name", params(*NAMES))
def test_units_and_origin_are_with_the_data(name):
    data = load(name)
    for key in ("name", "citation", "licence", "description", "notes"):
        assert data.attrs[key]
    assert data.attrs["synthetic"] is False
    if name == "biome4":
        assert all(data[v].attrs["units"] for v in data)
    else:
        assert set(data.attrs["units"]) == set(data.columns)
        assert all(data.attrs["units"].values())


@pytest.mark.parametrize("name", params(*[n for n in NAMES if n != "biome4"]))
def test_no_mark_for_missing_is_left_among_the_numbers(name):
    table = load(name)
    assert len(table) > 10
    assert table.index.equals(pd.RangeIndex(len(table)))
    numbers = table.select_dtypes("number")
    assert numbers.shape[1] >= 1
    assert not np.isinf(numbers.to_numpy(float)).any()
    assert not numbers.isin(MARKS).any().any()
    # A column of numbers read as text would turn every comparison into a surprise.
    text = [c for c in table if table[c].dtype.kind == "O" and c not in ("classification", "profile_id")]
    for column in text:
        assert pd.to_numeric(table[column], errors="coerce").notna().mean() < 0.5
    assert table.notna().any().all()


@pytest.mark.parametrize("name", params("isis", "afsp"))
def test_profiles_are_in_metres_and_grams_per_kilogram(name):
    t = load(name)
    # Each number against the file itself, which holds cm, g kg-1, t m-3 and per cent by volume.
    (raw,) = rdata.read_rda(datasets.path(name)).values()
    layers, sites = raw["horizons"], raw["sites"].set_index("SOURCEID")
    units = {"upper_depth": ("UHDICM", 100), "lower_depth": ("LHDICM", 100), "organic_carbon": ("ORCDRC", 1),
             "bulk_density": ("BLD", 1e-3), "coarse_fragments": ("CRFVOL", 100), "clay": ("CLYPPT", 1)}
    for column, (theirs, factor) in units.items():
        there, here = layers[theirs].astype(float).dropna(), t[column].dropna()
        assert len(there) >= len(here) > 1000
        found = np.quantile(here * factor, [0.05, 0.5, 0.95])
        np.testing.assert_allclose(found, np.quantile(there, [0.05, 0.5, 0.95]), rtol=0.05, atol=0.05)
    rock = t.dropna(subset=["bedrock_depth"]).drop_duplicates("profile_id").set_index("profile_id")
    theirs = sites["BDRICM"].astype(float)
    theirs = theirs[~theirs.index.duplicated()]
    np.testing.assert_allclose(rock["bedrock_depth"] * 100, theirs[rock.index])
    # None is lost but the marks below 0: bedrock at the surface is a depth.
    known = theirs[theirs.index.isin(t["profile_id"]) & (theirs >= 0)]
    assert set(known.index) == set(rock.index)
    assert t["organic_carbon"].max() <= 1000
    assert 1000 < t["bulk_density"].median() < 1600
    assert t["coarse_fragments"].max() <= 1
    assert t["latitude"].abs().max() < 70
    one = t.groupby("profile_id")[["latitude", "longitude"]].nunique().max().max()
    assert one == 1


@needs("isis")
def test_negative_depths_are_organic_layers_and_stay():
    t = load("isis")
    assert (t["upper_depth"] < 0).any()
    assert any("organic layers" in note for note in t.attrs["notes"])


@needs("biome4")
def test_climate_of_known_places():
    climate = load("biome4")

    def at(lat, lon):
        return climate.sel(latitude=lat, longitude=lon, method="nearest")

    # De Bilt, Netherlands, 1961-1990 normals of KNMI: 9.4 degC, 803 mm.
    de_bilt = at(52.1, 5.2)
    assert float(de_bilt["temperature"].mean()) == pytest.approx(9.4, abs=0.7)
    assert float(de_bilt["precipitation"].sum()) == pytest.approx(803, rel=0.1)
    assert int(de_bilt["temperature"].argmax("month")) in (6, 7)
    assert int(at(-33.9, 151.0)["temperature"].argmax("month")) in (0, 1)
    assert float(at(23.0, 10.0)["precipitation"].sum()) < 100
    assert float(climate["sunshine"].max()) <= 1
    assert bool(at(60.25, 75.25)["wetland"]) or bool(climate["wetland"].any())
    for place in ("wetland", "ice"):
        assert climate["water_capacity"].where(climate[place]).isnull().all()


@needs("biome4")
def test_climate_is_that_of_the_file_cell_by_cell():
    from netCDF4 import Dataset

    climate = load("biome4")
    with Dataset(datasets.path("biome4")) as raw:
        raw.set_auto_mask(False)
        raw = {name: raw[name][:].astype(float) for name in ("temp", "prec", "sun", "tmin", "whc", "perc")}
    land = raw["temp"][0] != -9999
    np.testing.assert_array_equal(climate["land"], land)
    for name, theirs, factor in (
        ("temperature", "temp", 0.1), ("precipitation", "prec", 1), ("sunshine", "sun", 0.001),
        ("minimum_temperature", "tmin", 0.1),
    ):  # fmt: skip
        gap = (raw[theirs] == -9999).reshape(-1, *land.shape).any(axis=0) | ~land
        there = np.where(gap, np.nan, raw[theirs] * factor)
        np.testing.assert_allclose(climate[name], there, rtol=1e-6)
    # Soil has water in its first layer; 999.9 marks wetlands, -4 ice.
    first = raw["whc"][0]
    soil = land & (first > 0) & (first < 999)
    assert 40_000 < soil.sum() < 70_000
    for name, theirs in (("water_capacity", "whc"), ("percolation", "perc")):
        np.testing.assert_allclose(climate[name], np.where(soil, raw[theirs], np.nan), rtol=1e-6)
    np.testing.assert_array_equal(climate["wetland"], land & (first >= 999))
    np.testing.assert_array_equal(climate["ice"], land & (first == -4))
    # Centres of half-degree cells, from north to south and west to east.
    np.testing.assert_allclose(climate["latitude"], np.arange(89.75, -90, -0.5)[: len(land)])
    np.testing.assert_allclose(climate["longitude"], np.arange(-179.75, 180, 0.5))
    assert climate["month"].values.tolist() == list(range(1, 13))


@needs("biome4")
def test_the_sea_is_missing_and_the_land_is_not():
    climate = load("biome4")
    assert np.isnan(climate["temperature"].sel(latitude=0, longitude=-30, method="nearest")).all()
    north = climate.sel(latitude=slice(80, -55))
    land = north["land"]
    lat, lon = (a.ravel() for a in np.meshgrid(north.latitude, north.longitude, indexing="ij"))
    today = inside(lat, lon).reshape(land.shape)
    # The land of the file is larger, because it includes the shelves that were dry in the ice age.
    whole = {
        name: int((~north[name].notnull().all("month") & today & land).sum())
        for name in ("temperature", "precipitation", "sunshine")
    }
    assert whole["temperature"] == 0
    assert 200 < whole["precipitation"] < 300  # cells on coasts
    assert whole["sunshine"] < 5
    assert land.values[today].mean() > 0.97
    shelf = land.sel(latitude=55.75, longitude=3.25, method="nearest")  # Dogger Bank, North Sea
    assert bool(shelf) and not inside([55.75], [3.25])[0]


@needs("co2_monthly")
def test_gaps_of_the_co2_record_are_gaps():
    t = load("co2_monthly")
    assert t["co2"].between(300, 500).all()
    assert (t[["days", "co2_sd", "co2_uncertainty"]].min() >= 0).all()
    assert t["co2_sd"].isna().sum() > 100


@needs("spruce_obs")
def test_fluxes_of_the_peatland_close():
    t = load("spruce_obs").dropna(subset=["gpp"])
    assert np.allclose(t["gpp"], t["ecosystem_respiration"] - t["nee"], atol=1e-6)


@needs("spruce_forcing")
def test_hourly_weather_has_every_hour():
    t = load("spruce_forcing")
    assert (t["time"].diff().dropna() == pd.Timedelta(hours=1)).all()
    assert 80 < t["air_pressure"].min() < t["air_pressure"].max() < 105
    assert t["wind_speed"].max() < 100


@needs("spruce_da_pars")
def test_bounds_enclose():
    t = load("spruce_da_pars")
    chosen = t[t["estimated"]]
    assert len(chosen) > 5
    assert (chosen["lower"] < chosen["upper"]).all()
    default = load("spruce_pars").set_index("parameter")["value"]
    assert set(t["parameter"]) == set(default.index)


@needs("dalec_oregon")
def test_oregon_errors_are_multiplied_out():
    t = load("dalec_oregon")
    assert len(t) == 366 + 365 + 365
    assert set(t["nee_sd"].dropna()) == {0.5}
    assert np.allclose((t["cs_sd"] / t["cs"]).dropna(), 0.3)
    assert (t["max_temperature"] >= t["min_temperature"]).all()


# What stands in a line of each file, read with the eye.
LINES = {
    "spruce_obs": (1, {"date": pd.Timestamp("2011-08-31"), "day": 242, "gpp": 8.9770668, "gpp_sd": 2.50454959,
                       "nee": -3.7619628, "ecosystem_respiration": 5.215104, "ecosystem_respiration_sd": 0.36656416}),
    "spruce_forcing": (1, {"time": pd.Timestamp("2011-01-01 01:00"), "air_temperature": -12.8,
                           "soil_temperature": 0.7275, "relative_humidity": 91.8, "air_pressure": 94.85,
                           "precipitation": 0.0, "wind_speed": 1.5445, "par": 0.0}),
    "spruce_pars": (2, {"parameter": "wsmax", "value": 60.1}),
    "spruce_da_pars": (0, {"parameter": "lat", "estimated": False, "lower": 47.5, "upper": 47.5}),
    "dalec_oregon": (1, {"date": pd.Timestamp("2000-01-02"), "doy": 2, "mean_temperature": -2.39,
                         "max_temperature": -1.65, "min_temperature": -3.126, "radiation": 3.2651,
                         "water_potential_difference": -1.0317, "co2": 355, "hydraulic_resistance": 1.0607,
                         "leaf_nitrogen": 2.7, "gpp": 0.4209, "gpp_sd": 0.3 * 0.4209}),
    "co2_monthly": (1, {"month": pd.Timestamp("1958-04-01"), "year": 1958.2877, "co2": 317.45,
                        "co2_deseasonalised": 315.16, "days": np.nan, "co2_sd": np.nan,
                        "co2_uncertainty": np.nan}),
    "co2_annual": (1, {"year": 1960, "co2": 316.91, "co2_uncertainty": 0.12}),
    "bracho2016": (1, {"field_treatment": "control", "depth": 0.075, "temperature": 15.0, "day": 2.0,
                       "respiration": 599.9, "respiration_sd": 248.88}),
    "hua2021": (0, {"zone": "NHZone1", "year": 1941.2083, "delta_14c": -20.4, "delta_14c_sd": 2.4,
                    "f14c": 0.9785, "f14c_sd": 0.0024}),
    "graven2017": (0, {"year": 1850.5, "northern_hemisphere": -2.3, "tropics": -4.0, "southern_hemisphere": -5.8}),
}  # fmt: skip


@pytest.mark.parametrize("name", params(*LINES))
def test_a_line_of_the_file_stands_where_it_should(name):
    row, expected = LINES[name]
    assert list(load(name).columns)[:2] == list(expected)[:2]
    found = load(name).iloc[row]
    for column, value in expected.items():
        if isinstance(value, float):
            assert found[column] == pytest.approx(value, rel=1e-9, nan_ok=True), column
        else:
            assert found[column] == value, column


@needs("global_carbon_budget", "terrestrial_sink")
def test_the_budget_closes_and_the_models_average_to_its_land_sink():
    t = load("global_carbon_budget")
    left = t["fossil"] + t["land_use_change"]
    right = t["atmospheric_growth"] + t["ocean_sink"] + t["land_sink"] + t["imbalance"]
    assert np.abs(left - right).max() < 0.003  # four rounded numbers
    models = load("terrestrial_sink")
    assert models["model"].nunique() == 16
    assert not models["model"].str.contains("mean|Terrestrial", case=False).any()
    models = models.groupby("year")["land_sink"].mean()
    assert np.abs(models.to_numpy() - t["land_sink"].to_numpy()).max() < 0.01


@needs("co2_monthly", "co2_annual")
def test_months_average_to_years():
    months, years = load("co2_monthly"), load("co2_annual").set_index("year")["co2"]
    mean = months.groupby(months["month"].dt.year)["co2"].mean()
    whole = [y for y in years.index if (months["month"].dt.year == y).sum() == 12]
    assert len(whole) > 50
    assert np.abs(mean[whole] - years[whole]).max() < 0.1


@needs("hua2021", "graven2017")
def test_the_bomb_peak_is_where_it_was():
    t = load("hua2021")
    assert set(t["zone"]) == {"NHZone1", "NHZone2", "NHZone3", "SHZone1-2", "SHZone3"}
    peak = t.loc[t["delta_14c"].idxmax()]
    assert 1963 < peak["year"] < 1965
    g = load("graven2017").set_index("year")["northern_hemisphere"]
    assert 1963 < g.idxmax() < 1966


@needs("haddix2011", "bracho2016")
def test_incubations_warm_up_and_run_down():
    t = load("haddix2011")
    assert t.groupby(["site", "land_use"]).ngroups == 12
    by_temperature = t.groupby("temperature")["respiration"].mean()
    assert by_temperature.is_monotonic_increasing
    b = load("bracho2016")
    first = b[b["day"] <= 30].groupby("field_treatment")["respiration"].mean()
    last = b[b["day"] >= 200].groupby("field_treatment")["respiration"].mean()
    assert (last < first / 3).all()


@needs("eco2")
def test_the_incubation_of_chapter_14():
    t = load("eco2")
    assert list(t.columns) == ["day", "co2_flux", "co2_flux_sd"]
    assert t["day"].is_monotonic_increasing
    assert t.attrs["units"]["co2_flux"] == "ugC g-1 d-1"


@needs("harvard_forest_14co2")
def test_radiocarbon_of_soil_respiration_is_above_the_air():
    t = load("harvard_forest_14co2")
    assert t["delta_14c"].between(0, 250).all()
    assert t["year"].between(1996, 2011).all()
