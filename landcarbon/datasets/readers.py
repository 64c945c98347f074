"""One reader per registered file: from the file as published to a tidy table with units.

::

    load(name) -> pandas.DataFrame or xarray.Dataset

Tables carry ``attrs["units"]`` (column -> unit), ``attrs["notes"]`` (what was found out, what could
not be established), ``attrs["citation"]`` and ``attrs["licence"]``; a Dataset carries units per
variable. Missing values are NaN, whatever mark the file uses. Nothing is rescaled silently: where
a factor is applied, the reader's docstring says so.

====== ====================== ===== ================= =============
symbol meaning                shape unit              code name
====== ====================== ===== ================= =============
–      the table of each file any   in attrs["units"] READERS[name]
====== ====================== ===== ================= =============
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from landcarbon.datasets.registry import entry, path
from landcarbon.matrix.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["load"]


def load(name: str) -> Any:
    """A data set as a tidy table.

    Parameters
    ----------
    name : str
        A name from `landcarbon.datasets.available`.

    Returns
    -------
    pandas.DataFrame or xarray.Dataset
        Units in ``attrs``. Only ``biome4`` is a Dataset.

    Raises
    ------
    InputError
        An unknown name, a file that no reader exists for, or one whose bytes are not the registered
        ones.
    DataUnavailable
        The file is not here and cannot be fetched.
    """
    e = entry(name)
    if name not in READERS:
        raise InputError(
            f"{name!r} has no reader yet; datasets.path({name!r}) gives the file {e.file} as published."
        )
    table = READERS[name](path(name))
    table.attrs.update(
        name=name, description=e.description, citation=e.citation, licence=e.licence, synthetic=False
    )
    return table


def _table(frame: pd.DataFrame, units: dict[str, str], *notes: str) -> pd.DataFrame:
    missing = set(frame.columns) ^ set(units)
    assert not missing, f"columns without a unit, or units without a column: {missing}"
    frame = frame.reset_index(drop=True)
    frame.attrs = {"units": units, "notes": list(notes)}
    return frame


def _r_object(file: Path) -> Any:
    import rdata

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # encoding guess and the R class Date, treated below
        objects = rdata.read_rda(file)
    (value,) = objects.values()
    return value


# --- soil profiles -------------------------------------------------------------------------------

_LAYER_UNITS = {
    "profile_id": "-",
    "latitude": "degrees_north",
    "longitude": "degrees_east",
    "date": "-",
    "classification": "-",
    "bedrock_depth": "m",
    "source": "-",
    "upper_depth": "m",
    "lower_depth": "m",
    "organic_carbon": "g kg-1",
    "bulk_density": "kg m-3",
    "coarse_fragments": "1",
    "sand": "%",
    "silt": "%",
    "clay": "%",
    "ph_water": "1",
    "cec": "cmol(+) kg-1",
}


def _gsif(file: Path, *notes: str) -> pd.DataFrame:
    data = _r_object(file)
    sites, layers = data["sites"], data["horizons"]
    number = lambda column: column.astype("float64")  # noqa: E731  (nullable integers to NaN)
    site = pd.DataFrame(
        {
            "profile_id": sites["SOURCEID"].astype(str),
            "latitude": number(sites["LATWGS84"]),
            "longitude": number(sites["LONWGS84"]),
            "date": pd.to_datetime(number(sites["TIMESTRR"]), unit="D"),
            "classification": sites["TAXGWRB"].astype(object),
            "bedrock_depth": number(sites["BDRICM"]).where(lambda x: x >= 0) / 100.0,
            "source": sites["SOURCEDB"].astype(str),
        }
    )
    layer = pd.DataFrame(
        {
            "profile_id": layers["SOURCEID"].astype(str),
            "upper_depth": number(layers["UHDICM"]) / 100.0,
            "lower_depth": number(layers["LHDICM"]) / 100.0,
            "organic_carbon": number(layers["ORCDRC"]),
            "bulk_density": number(layers["BLD"]) * 1000.0,
            "coarse_fragments": number(layers["CRFVOL"]) / 100.0,
            "sand": number(layers["SNDPPT"]),
            "silt": number(layers["SLTPPT"]),
            "clay": number(layers["CLYPPT"]),
            "ph_water": number(layers["PHIHOX"]),
            "cec": number(layers["CEC"]),
        }
    )
    frame = site.merge(layer, on="profile_id", how="left", validate="one_to_many")
    return _table(
        frame,
        _LAYER_UNITS,
        "Depths converted from cm, bulk density from t m-3, coarse fragments from volume percent "
        "(units of the GSIF manual pages).",
        "Negative depths are organic layers above the mineral soil, as described before 1993.",
        *notes,
    )


def isis(file: Path) -> pd.DataFrame:
    """ISRIC soil monoliths: one row a layer, sites repeated (GSIF manual page ``isis``)."""
    return _gsif(file, "A few sand and silt values are below 0 in the file; they are left as they are.")


def afsp(file: Path) -> pd.DataFrame:
    """Africa Soil Profiles with the AfSIS sentinel sites (GSIF manual page ``afsp``)."""
    return _gsif(file, "A bedrock depth of -999 in the file is a mark for missing.")


def he2016(file: Path) -> pd.DataFrame:
    """Radiocarbon of soil layers from 110 studies, one row a layer (He et al. 2016).

    Δ¹⁴C as the file has it. 25 layers that are called modern hold a Δ¹⁴C of exactly 0 and no measurement
    of it: here they have none. Where no bulk density was measured the file has one that its authors filled
    in; `bulk_density_measured` says which. The column of conventional ages is left out: it stands in
    another order than the rest, so that ages do not rise with depth.
    """
    raw = pd.read_csv(file, encoding="latin-1", low_memory=False)
    filled = (raw["D14C_BulkLayer"] == 0) & raw["D14C_BulkLayer_text"].isna()
    frame = pd.DataFrame(
        {
            "profile_id": raw["ProfileID"].astype(str),
            "study": raw["pc_dataset_name"].astype(str),
            "latitude": raw["Lat"],
            "longitude": raw["Lon"],
            "year": raw["SampleYear"],
            "land_cover": raw["VegTypeCodeStr_Local"].astype(object),
            "upper_depth": raw["Layer_top_norm"] / 100.0,
            "lower_depth": raw["Layer_bottom_norm"] / 100.0,
            "organic_carbon": raw["pct_C"] * 10.0,
            "bulk_density": raw["BulkDensity"] * 1000.0,
            "bulk_density_measured": raw["BulkDensity_original"].notna(),
            "delta_14c": raw["D14C_BulkLayer"].mask(filled),
            "delta_14c_error": raw["D14C_err"],
            "sand": raw["sand_pct"],
            "clay": raw["clay_pct"],
        }
    )
    units = {name: _LAYER_UNITS.get(name, "-") for name in frame.columns} | {
        "year": "yr", "delta_14c": "per mil", "delta_14c_error": "per mil",
    }  # fmt: skip
    return _table(
        frame,
        units,
        "Depths converted from cm below the top of the mineral soil (negative above it), carbon from percent, "
        "bulk density from g cm-3.",
        f"{int(filled.sum())} layers whose Δ14C was filled in as 0 have none here.",
        f"{int((~frame['bulk_density_measured'] & frame['bulk_density'].notna()).sum())} bulk densities were "
        "filled in by the authors.",
        "Where fraction modern is given too, Δ14C is mostly 1000 (F − 1), without the decay of the standard "
        "since 1950: up to 7 per mil more than by the definition.",
    )


# --- climate -------------------------------------------------------------------------------------

ICE, WETLAND, OCEAN = -4.0, 999.0, -9999


def biome4(file: Path) -> xr.Dataset:
    """Monthly climate and soil water at 0.5°, the input of BIOME4 (Kaplan et al. 2003).

    What the file does not say, and how it was established:

    - Temperatures are stored as tenths of a degree, sunshine as tenths of a percent (ranges and
      known stations; the attributes name degC and percent without a factor). Divided by 10 here.
    - ``lat`` and ``lon`` are the south-west corners of the cells (the rows run from 89.5 to -90;
      coastlines agree best half a cell up and right). Centres are returned.
    - ``whc`` is said to be mm/m. Shallow soils (19 mm above, 0 below) and the model's own list of
      arguments ("volumetric whc (mm)") make it the millimetres each of the two layers holds.
    - ``whc`` 999.9 marks wetlands (West Siberia, Hudson Bay, Congo), -4 ice: returned as two masks;
      the capacity is NaN there. ``perc`` 0 covers a third of the land and 999 occurs: its meaning
      is not established, it is returned as stored.
    - ``tmin`` is the absolute minimum of the year. There is no elevation in the file.
    - Some 250 cells on coasts, and Antarctica, have temperature but no precipitation.
    - ``land`` includes the shelves that were dry in the ice age (the North Sea, the Sunda shelf): the
      file also serves runs of that time. `landcarbon.datasets.outlines.inside` tells today's land.
    """
    import xarray as xr

    with xr.open_dataset(file, mask_and_scale=False, decode_times=False) as raw:
        raw = raw.load()
    land = raw["temp"].values[0] != OCEAN
    half = 0.25
    lat = raw["lat"].values.astype(float) + half
    lon = raw["lon"].values.astype(float) + half
    whc = raw["whc"].values.astype(float)
    soil = land & (whc[0] > 0) & (whc[0] < WETLAND)
    wetland = land & (whc[0] >= WETLAND)
    ice = land & (whc[0] == ICE)

    def on_land(values: np.ndarray, factor: float = 1.0) -> np.ndarray:
        known = land & (values != OCEAN).all(axis=0) if values.ndim == 3 else land & (values != OCEAN)
        return np.where(known, values.astype(float) * factor, np.nan)

    def monthly(values: np.ndarray, unit: str, long_name: str) -> tuple[Any, ...]:
        return (("month", "latitude", "longitude"), values, {"units": unit, "long_name": long_name})

    def flat(values: np.ndarray, unit: str, long_name: str) -> tuple[Any, ...]:
        return (("latitude", "longitude"), values, {"units": unit, "long_name": long_name})

    def layered(values: np.ndarray, unit: str, long_name: str) -> tuple[Any, ...]:
        dims = ("soil_layer", "latitude", "longitude")
        return (dims, values, {"units": unit, "long_name": long_name})

    data = xr.Dataset(
        {
            "temperature": monthly(on_land(raw["temp"].values, 0.1), "degC", "monthly mean air temperature"),
            "precipitation": monthly(on_land(raw["prec"].values), "mm month-1", "monthly precipitation"),
            "sunshine": monthly(on_land(raw["sun"].values, 0.001), "1", "fraction of possible sunshine"),
            "minimum_temperature": flat(
                on_land(raw["tmin"].values, 0.1), "degC", "absolute minimum temperature of the year"
            ),
            "water_capacity": layered(
                np.where(soil, whc, np.nan), "mm", "plant-available water the layer can hold"
            ),
            "percolation": layered(
                np.where(soil, raw["perc"].values, np.nan), "mm h-1", "percolation index as stored"
            ),
            "land": flat(land, "1", "has climate"),
            "wetland": flat(wetland, "1", "marked 999.9 in the soil field"),
            "ice": flat(ice, "1", "marked -4 in the soil field"),
        },
        coords={
            "month": ("month", np.arange(1, 13), {"long_name": "January is 1"}),
            "latitude": ("latitude", lat, {"units": "degrees_north", "long_name": "centre of the cell"}),
            "longitude": ("longitude", lon, {"units": "degrees_east", "long_name": "centre of the cell"}),
            "soil_layer": ("soil_layer", ["0-30 cm", "below 30 cm"]),
        },
    )
    data.attrs["notes"] = [
        "temperature and sunshine divided by 10; coordinates moved from the corner to the centre",
        "water_capacity taken as mm per layer; wetland and ice have none",
        "period of the climatology is not stated in the file",
        "land includes shelves that were dry in the ice age",
    ]
    return data


# --- sites ---------------------------------------------------------------------------------------

_OREGON_KIND = {
    "gpp": "gross primary production",
    "nee": "net ecosystem exchange",
    "rt": "total respiration",
    "ra": "autotrophic respiration",
    "lf": "foliage litterfall",
    "lw": "wood litterfall",
    "cf": "foliage carbon",
    "cw": "wood carbon",
    "cr": "fine-root carbon",
    "cl": "litter carbon",
    "cs": "soil carbon",
}


def dalec_oregon(file: Path) -> pd.DataFrame:
    """Metolius young pine, daily, 2000-2002: weather and the observations of Williams et al. 2005.

    Nine drivers in the order the DALEC code of the source repository reads them, then any number of
    observations as name, value, error, flag. Each becomes two columns, `x` and `x_sd`. NEE is
    negative for uptake (the source code: NEE = respiration - GPP). The flag is 0 for NEE alone (error
    0.5) and 1 for all others, whose errors are 0.1 to 0.3 even for pools of 1000 gC m-2: flag 1 is
    read as a relative error and multiplied out, flag 0 as an absolute one.
    """
    drivers = (
        "doy", "mean_temperature", "max_temperature", "min_temperature", "radiation",
        "water_potential_difference", "co2", "hydraulic_resistance", "leaf_nitrogen",
    )  # fmt: skip
    rows = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        cells = line.split()
        row: dict[str, float] = dict(zip(drivers, map(float, cells[:9])))
        rest = cells[9:]
        if len(rest) % 4:
            raise ValueError(f"line {number} of {file.name} does not end in groups of four")
        for kind, value, error, relative in zip(*[iter(rest)] * 4):
            row[kind] = float(value)
            row[f"{kind}_sd"] = float(error) * (abs(float(value)) if relative == "1" else 1.0)
        rows.append(row)
    frame = pd.DataFrame(rows)
    observed = [c for k in _OREGON_KIND for c in (k, f"{k}_sd")]
    frame = frame[[*drivers, *observed]]
    frame["doy"] = frame["doy"].astype(int)
    frame.insert(0, "date", pd.date_range("2000-01-01", periods=len(frame), freq="D"))
    flux = {c: "gC m-2 d-1" for k in ("gpp", "nee", "rt", "ra", "lf", "lw") for c in (k, f"{k}_sd")}
    pool = {c: "gC m-2" for k in ("cf", "cw", "cr", "cl", "cs") for c in (k, f"{k}_sd")}
    units = {
        "date": "-", "doy": "d", "mean_temperature": "degC", "max_temperature": "degC",
        "min_temperature": "degC", "radiation": "MJ m-2 d-1", "water_potential_difference": "MPa",
        "co2": "ppm", "hydraulic_resistance": "MPa m2 s mmol-1", "leaf_nitrogen": "gN m-2",
        **flux, **pool,
    }  # fmt: skip
    return _table(
        frame,
        units,
        "Units of the drivers from the source code. Units of the observations follow the model they "
        "are compared with (gC m-2, d-1). The meaning of the names is taken from the pools and "
        "fluxes of DALEC: " + "; ".join(f"{k} {v}" for k, v in _OREGON_KIND.items()) + ".",
        "gpp is given on every day, also where no flux was measured, so it is probably modelled.",
        "That flag 1 means a relative error is inferred, not documented.",
    )


_SPRUCE = {
    "GPP": "gpp", "NEE": "nee", "Reco": "ecosystem_respiration", "Foliage": "foliage",
    "FoliageNPP": "foliage_npp", "Wood": "wood", "WoodNPP": "wood_npp", "Root": "root",
    "RootNPP": "root_npp", "SoilC": "soil_carbon", "Phenology": "leaf_out",
}  # fmt: skip


def spruce_obs(file: Path) -> pd.DataFrame:
    """SPRUCE peatland, 2011-2014: fluxes and pools with their standard deviations.

    Columns `x` and `x_sd`; -9999 becomes NaN. NEE is negative for uptake: GPP = respiration - NEE
    holds in every row.
    """
    raw = pd.read_csv(file, sep=r"\s+").replace(-9999, np.nan)
    frame = pd.DataFrame({"day": raw["days"].astype(int)})
    frame.insert(0, "date", pd.Timestamp("2011-01-01") + pd.to_timedelta(frame["day"], unit="D"))
    units = {"date": "-", "day": "d"}
    columns = list(raw.columns)[1:]
    for value, spread in zip(columns[::2], columns[1::2]):
        name = _SPRUCE[value]
        unit = "gC m-2 d-1" if value in ("GPP", "NEE", "Reco") else "gC m-2"
        unit = "gC m-2 yr-1" if value.endswith("NPP") else "day of year" if value == "Phenology" else unit
        frame[name], frame[f"{name}_sd"] = raw[value], raw[spread]
        units |= {name: unit, f"{name}_sd": unit}
    return _table(
        frame,
        units,
        "day counts from 2011-01-01, as the source says. Units are not in the file: inferred from "
        "magnitudes and from the TECO model the file is made for.",
    )


def spruce_forcing(file: Path) -> pd.DataFrame:
    """SPRUCE peatland, hourly weather 2011-2014.

    The column called VPD holds 93 to 99 with a mean of 96.5, whatever the humidity: that is the air
    pressure in kPa at 410 m, and it is returned under that name. Vapour-pressure deficit is not in
    the file. Wind speeds of 100 m/s and more are marks and become NaN, as do pressures below 80 kPa.
    """
    raw = pd.read_csv(file, sep=r"\s+").replace(-9999, np.nan)
    time = pd.to_datetime(raw["year"].astype(str) + raw["doy"].astype(str).str.zfill(3), format="%Y%j")
    frame = pd.DataFrame(
        {
            "time": time + pd.to_timedelta(raw["hour"], unit="h"),
            "air_temperature": raw["Tair"],
            "soil_temperature": raw["Tsoil"],
            "relative_humidity": raw["RH"],
            "air_pressure": raw["VPD"].where(raw["VPD"] > 80),
            "precipitation": raw["Rain"],
            "wind_speed": raw["WS"].where(raw["WS"] < 100),
            "par": raw["PAR"],
        }
    )
    units = {
        "time": "-", "air_temperature": "degC", "soil_temperature": "degC",
        "relative_humidity": "%", "air_pressure": "kPa", "precipitation": "mm h-1",
        "wind_speed": "m s-1", "par": "umol m-2 s-1",
    }  # fmt: skip
    return _table(
        frame,
        units,
        "Names from the source's README; units are not in the file and are inferred from magnitudes. "
        "The source calls air_pressure VPD.",
    )


def _blocks(file: Path) -> list[dict[str, float]]:
    lines = [line.split() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    blocks: list[dict[str, float]] = []
    for names, values in zip(lines[::2], lines[1::2]):
        if names[0] == "lat":
            blocks.append({})
        blocks[-1] |= dict(zip(names, map(float, values)))
    return blocks


def spruce_pars(file: Path) -> pd.DataFrame:
    """Default parameters of TECO-SPRUCE, one row each, under the names of the model code."""
    (values,) = _blocks(file)
    frame = pd.DataFrame({"parameter": list(values), "value": list(values.values())})
    return _table(
        frame,
        {"parameter": "-", "value": "as in TECO (turnover times Tau_*: yr)"},
        "Units are not in the file; turnover times in years follow the model code.",
    )


def spruce_da_pars(file: Path) -> pd.DataFrame:
    """Which TECO-SPRUCE parameters are estimated, with lower and upper bounds."""
    chosen, lower, upper = _blocks(file)
    frame = pd.DataFrame(
        {
            "parameter": list(chosen),
            "estimated": [bool(v) for v in chosen.values()],
            "lower": [lower[k] for k in chosen],
            "upper": [upper[k] for k in chosen],
        }
    )
    units = {"parameter": "-", "estimated": "-", "lower": "as in TECO", "upper": "as in TECO"}
    return _table(frame, units, "Blocks in the order flag, minimum, maximum (source's README).")


# --- incubations, radiocarbon --------------------------------------------------------------------


def eco2(file: Path) -> pd.DataFrame:
    """CO2 released by a boreal forest soil (Caribou-Poker, Alaska) in a laboratory, 35 days.

    15 °C, 30 % soil water, 20 % oxygen, four replicates, March 2014. The values are a release *rate*.
    An older data set of the same name in earlier versions of the package is a different experiment
    and is cumulative: its documentation does not apply here.
    """
    raw = _r_object(file)
    frame = pd.DataFrame(
        {"day": raw["Days"].astype(float), "co2_flux": raw["eCO2mean"], "co2_flux_sd": raw["eCO2sd"]}
    )
    units = {"day": "d", "co2_flux": "ugC g-1 d-1", "co2_flux_sd": "ugC g-1 d-1"}
    return _table(
        frame,
        units,
        "Per gram of soil. Units from the documentation in the SoilR source (pkg-package.R).",
        "The carbon content of the soil is not in the file.",
    )


def harvard_forest_14co2(file: Path) -> pd.DataFrame:
    """Radiocarbon of soil CO2 efflux at Harvard Forest, 1996-2010 (Sierra et al. 2012)."""
    raw = _r_object(file)
    frame = pd.DataFrame(
        {"year": raw["Year"], "delta_14c": raw["D14C"], "plot": raw["Site"].astype(str)}
    )
    return _table(frame, {"year": "yr", "delta_14c": "per mil", "plot": "-"}, "NWN is Northwest Near.")


def graven2017(file: Path) -> pd.DataFrame:
    """Radiocarbon of atmospheric CO2 in three zones, annual, 1850-2015 (Graven et al. 2017)."""
    raw = _r_object(file)
    frame = raw.rename(
        columns={
            "Year.AD": "year", "NH": "northern_hemisphere", "Tropics": "tropics",
            "SH": "southern_hemisphere",
        }
    )  # fmt: skip
    units = {c: "per mil" for c in frame.columns} | {"year": "yr"}
    return _table(frame, units, "Delta 14C; northern 30-90, tropics 30S-30N, southern 30-90 degrees.")


def hua2021(file: Path) -> pd.DataFrame:
    """Radiocarbon of atmospheric CO2 in five zones, monthly, 1941-2019 (Hua et al. 2021), long form."""
    parts = [part.assign(zone=zone) for zone, part in _r_object(file).items()]
    frame = pd.concat(parts).rename(
        columns={
            "Year": "year", "mean.Delta14C": "delta_14c", "sd.Delta14C": "delta_14c_sd",
            "mean.F14C": "f14c", "sd.F14C": "f14c_sd",
        }
    )  # fmt: skip
    frame = frame[["zone", "year", "delta_14c", "delta_14c_sd", "f14c", "f14c_sd"]]
    units = {
        "zone": "-", "year": "yr", "delta_14c": "per mil", "delta_14c_sd": "per mil",
        "f14c": "1", "f14c_sd": "1",
    }  # fmt: skip
    return _table(frame, units, "Supplementary Material 2 of the paper, as packed in SoilR.")


def haddix2011(file: Path) -> pd.DataFrame:
    """Respiration of twelve soils at 15, 25 and 35 °C for 588 days, long form.

    Columns `site`, `land_use`, `temperature`, `day`, `respiration`. SIDb gives the unit as mg C per
    gram of soil and day; 140 mg a day would be a seventh of the soil's mass in one day, while
    micrograms add up to some 15 mg g-1 in 588 days. Micrograms are used here.
    """
    raw = pd.read_csv(file)
    frame = raw.melt(id_vars="time", var_name="column", value_name="respiration")
    parts = frame["column"].str.extract(r"^C_(?P<site>[A-Z][A-Za-z]*?)(?P<use>NG|Cul|NF|Pas)_(?P<t>\d+)$")
    use = {"NG": "native grassland", "Cul": "cultivated", "NF": "native forest", "Pas": "pasture"}
    site = {
        "Sas": "Indian Head, Saskatchewan", "NDak": "Mandan, North Dakota", "Colo": "Akron, Colorado",
        "Tex": "Vernon, Texas", "Costa": "Alajuela, Costa Rica", "Brazil": "Rondonia, Brazil",
    }  # fmt: skip
    tidy = pd.DataFrame(
        {
            "site": parts["site"].map(site),
            "land_use": parts["use"].map(use),
            "temperature": parts["t"].astype(float),
            "day": frame["time"].astype(float),
            "respiration": frame["respiration"],
        }
    )
    units = {
        "site": "-", "land_use": "-", "temperature": "degC", "day": "d", "respiration": "ugC g-1 d-1",
    }  # fmt: skip
    return _table(tidy, units, "Per gram of soil. SIDb says mg; see the reader's docstring.")


def bracho2016(file: Path) -> pd.DataFrame:
    """Respiration of tundra soil (CiPEHR, Alaska) incubated at 15 °C, control and warmed, long form."""
    raw = pd.read_csv(file)
    frame = raw.melt(id_vars="time", var_name="column", value_name="value")
    parts = frame["column"].str.extract(r"^(control|warming)_([\d.]+)_(\d+)_(mean|sd)$")
    frame = pd.DataFrame(
        {
            "field_treatment": parts[0],
            "depth": parts[1].astype(float) / 100.0,
            "temperature": parts[2].astype(float),
            "day": frame["time"].astype(float),
            "statistic": parts[3].map({"mean": "respiration", "sd": "respiration_sd"}),
            "value": frame["value"],
        }
    )
    keys = ["field_treatment", "depth", "temperature", "day"]
    tidy = frame.pivot(index=keys, columns="statistic", values="value").reset_index()
    tidy.columns.name = None
    units = {
        "field_treatment": "-", "depth": "m", "temperature": "degC", "day": "d",
        "respiration": "ugC g-1 d-1", "respiration_sd": "ugC g-1 d-1",
    }  # fmt: skip
    return _table(tidy, units, "Per gram of soil (SIDb metadata); standard deviation of 6 replicates.")


# --- atmosphere and budget -----------------------------------------------------------------------


def co2_monthly(file: Path) -> pd.DataFrame:
    """CO2 at Mauna Loa, monthly means since 1958.

    The header of the file names six columns but the rows have seven: they are the columns of NOAA's
    own file, and are read by position. Negative marks (-1, -9.99, -0.99) become NaN; they fill the
    years before May 1974, for which no spread was recorded.
    """
    names = ["month", "year", "co2", "co2_deseasonalised", "days", "co2_sd", "co2_uncertainty"]
    frame = pd.read_csv(file, skiprows=1, header=None, names=names)
    for column in names[2:]:
        frame[column] = frame[column].where(frame[column] >= 0).astype(float)
    frame["month"] = pd.to_datetime(frame["month"], format="%Y-%m")
    units = {
        "month": "-", "year": "yr", "co2": "ppm", "co2_deseasonalised": "ppm", "days": "d",
        "co2_sd": "ppm", "co2_uncertainty": "ppm",
    }  # fmt: skip
    return _table(frame, units, "Dry air mole fraction. Read by position; see the reader's docstring.")


def co2_annual(file: Path) -> pd.DataFrame:
    """CO2 at Mauna Loa, annual means since 1959."""
    frame = pd.read_csv(file).rename(
        columns={"Year": "year", "Mean": "co2", "Uncertainty": "co2_uncertainty"}
    )
    return _table(frame, {"year": "yr", "co2": "ppm", "co2_uncertainty": "ppm"}, "Dry air mole fraction.")


def global_carbon_budget(file: Path) -> pd.DataFrame:
    """The global carbon budget, 1959-2018 (Friedlingstein et al. 2019).

    Emissions are positive to the atmosphere, sinks positive out of it:
    fossil + land_use_change = atmospheric_growth + ocean_sink + land_sink + imbalance.
    """
    frame = pd.read_csv(file).rename(
        columns={
            "Year": "year", "Fossil-Fuel-And-Industry": "fossil",
            "Land-Use-Change-Emissions": "land_use_change", "Atmospheric-Growth": "atmospheric_growth",
            "Ocean-Sink": "ocean_sink", "Land-Sink": "land_sink", "Budget-Imbalance": "imbalance",
        }
    )  # fmt: skip
    units = {c: "PgC yr-1" for c in frame.columns} | {"year": "yr"}
    return _table(frame, units, "Rounded to 0.001 PgC by the source.")


def terrestrial_sink(file: Path) -> pd.DataFrame:
    """Land sink of each dynamic vegetation model of the 2019 budget, long form."""
    raw = pd.read_csv(file)
    raw = raw.drop(columns=["Terrestrial-Sink", "MMM (multi-model mean)"])
    frame = raw.rename(columns={"Year": "year"}).melt("year", var_name="model", value_name="land_sink")
    return _table(
        frame,
        {"year": "yr", "model": "-", "land_sink": "PgC yr-1"},
        "Positive from the atmosphere to the land. Two columns of the file are left out: the "
        "multi-model mean, which is the mean of these rows (and land_sink of global_carbon_budget), "
        "and Terrestrial-Sink, which differs from it by up to 0.09 PgC yr-1 without explanation.",
    )


READERS: dict[str, Callable[[Path], Any]] = {
    "isis": isis,
    "afsp": afsp,
    "he2016": he2016,
    "biome4": biome4,
    "dalec_oregon": dalec_oregon,
    "spruce_obs": spruce_obs,
    "spruce_forcing": spruce_forcing,
    "spruce_pars": spruce_pars,
    "spruce_da_pars": spruce_da_pars,
    "eco2": eco2,
    "harvard_forest_14co2": harvard_forest_14co2,
    "graven2017": graven2017,
    "hua2021": hua2021,
    "co2_monthly": co2_monthly,
    "co2_annual": co2_annual,
    "global_carbon_budget": global_carbon_budget,
    "terrestrial_sink": terrestrial_sink,
    "haddix2011": haddix2011,
    "bracho2016": bracho2016,
}
