"""The gate: what the input says about itself is heard, or refused in a sentence."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from landcarbon.matrix.errors import (
    InputError,
    aligned,
    as_array,
    as_dates,
    as_kept,
    as_rng,
    as_whole,
    as_years,
    convert,
)


@pytest.mark.parametrize(("value", "words"), [
    (np.ma.masked_array([500.0, -9999.0], mask=[False, True]), "1 masked value.*index 1.*missing"),
    ([1.0, np.nan], "NaN or infinite, the first at index 1"),
    ([1.0, -9999.0], "-9999 at index 1, a mark for a missing value"),
    ([9.96920996838687e36], "a mark for a missing value"),
    (np.array([1.0, 1e20], dtype=np.float32), "a mark for a missing value"),
    (np.array([1 + 2j]), "complex"),
    (np.array(["2001-01-01"], dtype="datetime64[D]"), "dates.*as_years"),
    (pd.date_range("2001", periods=2), "dates.*as_years"),
    ([dt.date(2001, 1, 1)], "dates.*as_years"),
    (xr.date_range("2001-01-01", periods=2, calendar="noleap", use_cftime=True), "dates.*as_years"),
    (np.array([5], dtype="timedelta64[D]"), "lengths of time"),
    (["1.5", "n.d."], "text 'n.d.'.*to_numeric"),
    (pd.Series([1.0, "<0.1"]), "'<0.1'"),
    ([1.0, None], "gap"),
    (pd.Series([1, None], dtype="Int64"), "NaN"),
    (xr.Dataset({"x": 1.0}), "whole Dataset"),
    ([[1.0], [1.0, 2.0]], "numbers only"),
    ({"a": 1.0}, "numbers only"),
])  # fmt: skip
def test_what_is_no_number_gets_a_sentence(value, words):
    with pytest.raises(InputError, match=words):
        as_array("x", value)


@pytest.mark.parametrize("value", [
    [1, 2], (1.0, 2.0), np.array([1, 2], dtype=np.float32), np.ma.masked_array([1.0, 2.0]), np.array([1 + 0j, 2]),
    xr.DataArray([1, 2]), np.array([Decimal(1), 2], dtype=object), pd.Series([1, 2], dtype="Int64"),
    pd.Series([1, 2], index=[7, 3]),
])  # fmt: skip
def test_numbers_in_any_dress_are_read(value):
    array = as_array("x", value, lower=0.0)
    assert array.dtype == np.float64 and array.tolist() == [1.0, 2.0]


def test_what_the_caller_does_afterwards_changes_nothing():
    mine = np.array([1.0, 2.0])
    kept = as_kept("x", mine, lower=0.0)
    mine[0] = -5.0
    assert kept.tolist() == [1.0, 2.0] and as_kept("x", kept) is kept
    with pytest.raises(ValueError, match="read-only"):
        kept[0] = 3.0


@pytest.mark.parametrize(("given", "wanted", "factor"), [
    ("kg m-2 s-1", "mm month-1", 86400 * 365.25 / 12),
    ("kg m**-2 s**-1", "mm month-1", 86400 * 365.25 / 12),
    ("mm/day", "mm month-1", 365.25 / 12),
    ("m", "mm", 1000.0),
    ("kgC m-2 s-1", "gC m-2 yr-1", 1000 * 86400 * 365.25),
    ("kg C m⁻² s⁻¹", "gC m-2 yr-1", 1000 * 86400 * 365.25),
    ("µmol m-2 s-1", "gC m-2 yr-1", 12.011e-6 * 86400 * 365.25),
    ("tC ha-1 yr-1", "gC m-2 yr-1", 100.0),
    ("gCO2 m-2 d-1", "gC m-2 yr-1", 12.011 / 44.009 * 365.25),
    ("%", "g kg-1", 10.0),
    ("g/100g", "g kg-1", 10.0),
    ("fraction", "g kg-1", 1000.0),
    ("mg g-1", "g/kg", 1.0),
    ("Mg m-3", "kg m-3", 1000.0),
    ("%", "1", 0.01),
])  # fmt: skip
def test_units_are_converted(given, wanted, factor):
    found = as_array("x", xr.DataArray([2.0], attrs={"units": given}), unit=wanted)
    assert found == pytest.approx(2.0 * factor, rel=1e-12)


def test_temperatures_are_converted():
    assert convert("t", [273.15, 0.0], "K", "degC") == pytest.approx([0.0, -273.15])
    assert convert("t", 50.0, "degF", "K") == pytest.approx(283.15)
    assert convert("t", 7.0, "degrees_celsius", "°C") == 7.0


@pytest.mark.parametrize(("given", "wanted"), [
    ("kgH2O m-2 s-1", "gC m-2 yr-1"), ("furlong", "m"), ("m", "yr"), ("K", "mm"), ("kg m-2", "mm month-1"),
    ("mS", "m"), ("degC", "1"),
])  # fmt: skip
def test_other_units_are_refused(given, wanted):
    with pytest.raises(InputError, match="Convert it"):
        as_array("x", xr.DataArray([1.0], attrs={"units": given}), unit=wanted)


def test_a_column_of_a_table_carries_its_unit():
    table = pd.DataFrame({"npp": [1.0]})
    table.attrs["units"] = {"npp": "kgC m-2 yr-1"}
    assert as_array("npp", table["npp"], unit="gC m-2 yr-1").tolist() == [1000.0]


def test_labels_are_put_in_order_or_refused():
    pools = ("litter", "soil")
    assert aligned("K", pd.Series({"soil": 1.0, "litter": 2.0}), pools).tolist() == [2.0, 1.0]
    frame = pd.DataFrame({"soil": [1.0, 3.0], "litter": [2.0, 4.0]})
    assert as_array("X", aligned("X", frame, pools)).tolist() == [[2.0, 1.0], [4.0, 3.0]]
    array = xr.DataArray([[1.0, 3.0], [2.0, 4.0]], dims=("pool", "site"), coords={"pool": ["soil", "litter"]})
    assert as_array("X", aligned("X", array, pools)).tolist() == [[2.0, 1.0], [4.0, 3.0]]
    assert aligned("K", [2.0, 1.0], pools) == [2.0, 1.0]
    with pytest.raises(InputError, match="labelled soil, wood, but the pools are litter, soil"):
        aligned("K", pd.Series({"soil": 1.0, "wood": 2.0}), pools)


def test_dates_of_all_calendars_become_years():
    july = {"noleap": 181 / 365, "360_day": 180 / 360, "standard": 182 / 366}
    for calendar, part in july.items():
        date = xr.date_range("2000-07-01", periods=1, calendar=calendar, use_cftime=True)
        assert as_years("t", date) == pytest.approx([2000 + part], abs=1e-12)
    for same in (["2000-07-01"], pd.to_datetime(["2000-07-01"]), [dt.date(2000, 7, 1)], [dt.datetime(2000, 7, 1)],
                 pd.PeriodIndex(["2000-07"], freq="M"), np.array(["2000-07"], dtype="datetime64[M]")):
        assert as_years("t", same) == pytest.approx([2000 + july["standard"]], abs=1e-12)
    assert as_years("t", [2000.5, 1e5]).tolist() == [2000.5, 1e5]


def test_time_zones_are_taken_at_utc():
    there = pd.to_datetime(["2001-01-01T00:30"]).tz_localize("Europe/Berlin")
    assert as_dates("date", there).tolist() == as_dates("date", ["2000-12-31T23:30"]).tolist()
    assert as_years("t", there)[0] < 2001.0


@pytest.mark.parametrize(("call", "words"), [
    (lambda: as_dates("date", ["05/02/2004"]), "read in one way only"),
    (lambda: as_dates("date", ["5.2.2004"]), "read in one way only"),
    (lambda: as_dates("date", ["05-02-04"]), "read in one way only"),
    (lambda: as_dates("date", ["2004-13-02"]), "must hold dates"),
    (lambda: as_dates("date", ["2004-02-01", None]), "1 gap"),
    (lambda: as_dates("date", "1600-01-01"), "year 1600; dates run from 1678"),
    (lambda: as_dates("date", np.array(["2300-01-01"], dtype="datetime64[D]")), "year 2300"),
    (lambda: as_years("t", np.array(["2001-01-01", "NaT"], dtype="datetime64[D]")), "1 gap"),
    (lambda: as_years("t", ["1/2/2001"]), "read in one way only"),
    (lambda: as_years("t", [20010331, 20010401]), "seems to be a date"),
    (lambda: as_years("t", np.array([5], dtype="timedelta64[D]")), "lengths of time"),
    (lambda: as_whole("n", 2.5), "whole number"),
    (lambda: as_whole("n", "100"), "whole number"),
    (lambda: as_whole("n", float("nan")), "whole number"),
    (lambda: as_whole("n", True), "whole number"),
    (lambda: as_whole("n", None), "whole number"),
    (lambda: as_whole("n", 0, 1), "at least 1"),
    (lambda: as_whole("n", 9, 1, 5), "at most 5"),
    (lambda: as_rng(-1), "seed"),
    (lambda: as_rng(1.5), "seed"),
    (lambda: as_rng(None), "seed"),
])  # fmt: skip
def test_dates_whole_numbers_and_seeds_get_a_sentence(call, words):
    with pytest.raises(InputError, match=words):
        call()


def test_whole_numbers_and_seeds():
    assert as_whole("n", 100.0) == as_whole("n", np.int32(100)) == 100
    rng = np.random.default_rng(3)
    assert as_rng(rng) is rng
    assert as_rng(3.0).random() == np.random.default_rng(3).random()
    assert as_dates("date", ["2001-02-03", "3 February 2001", "20010203"]).tolist() == [981158400000000000] * 3
