r"""Flux towers from files: FLUXNET2015, daily or monthly, one row a day or a month.

::

    radiation [MJ m-2 d-1] = 0.0864 SW_IN_F [W m-2]
    T_max = TA_F + a,   T_min = TA_F - a,   a = (pi / 4) |TA_F_DAY - TA_F_NIGHT|
    nee   = NEE_VUT_REF where its QC is at least `good`;   nee_sd = NEE_VUT_REF_RANDUNC

=================== ========================================== =============== ======================
column              meaning                                    unit            in the file
=================== ========================================== =============== ======================
date, doy           first day of the row, day of the year      -, d            TIMESTAMP
mean_, max_,        of the air                                 degC            TA_F, TA_F_DAY,
min_temperature                                                                TA_F_NIGHT
radiation           shortwave, incoming                        MJ m-2 d-1      SW_IN_F
co2                 in the air                                 ppm             CO2_F_MDS
vpd, precipitation  -                                          hPa, mm d-1     VPD_F, P_F
soil_temperature    uppermost                                  degC            TS_F_MDS_1
soil_water          uppermost                                  %               SWC_F_MDS_1
nee, nee_sd         net exchange, uptake is negative; its      gC m-2 d-1      NEE_VUT_REF,
                    random error                                               NEE_VUT_REF_RANDUNC
gpp_nt, rt_nt       partitioned by nights                      gC m-2 d-1      GPP_NT_VUT_REF, RECO_NT_
gpp_dt, rt_dt       partitioned by days                        gC m-2 d-1      GPP_DT_VUT_REF, RECO_DT_
=================== ========================================== =============== ======================

Highest and lowest temperatures are not in the daily files. The means of day and night are, and a sine that
is above its mean for twelve hours has its top pi/4 of their difference above it. That is an estimate: half-hourly
files have the truth.

GPP and respiration are made from the same net exchange, by two ways of partitioning that differ. They
stand side by side, to be looked at; to fit `nee` and `rt_nt` together counts the same data twice.

Pastorello et al. 2020, doi:10.1038/s41597-020-0534-3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from landcarbon.matrix.errors import InputError, as_dates, as_number, as_path, as_share
from landcarbon.models import teco

__all__ = ["Tower", "read_fluxnet"]

PLAIN = {
    "mean_temperature": ("TA_F", "degC"),
    "co2": ("CO2_F_MDS", "ppm"),
    "vpd": ("VPD_F", "hPa"),
    "precipitation": ("P_F", "mm d-1"),
    "soil_temperature": ("TS_F_MDS_1", "degC"),
    "soil_water": ("SWC_F_MDS_1", "%"),
    "gpp_nt": ("GPP_NT_VUT_REF", "gC m-2 d-1"),
    "rt_nt": ("RECO_NT_VUT_REF", "gC m-2 d-1"),
    "gpp_dt": ("GPP_DT_VUT_REF", "gC m-2 d-1"),
    "rt_dt": ("RECO_DT_VUT_REF", "gC m-2 d-1"),
}
NEEDED = ("TIMESTAMP", "TA_F", "SW_IN_F", "NEE_VUT_REF", "NEE_VUT_REF_QC")
WEATHER = ("mean_temperature", "max_temperature", "min_temperature", "radiation", "co2")
MJ = 0.0864  # of a day, for one W m-2
SINE = np.pi / 4.0
LONGEST = 7  # days of weather that are drawn straight across
MARK = -9990.0  # -9999 and its neighbours


@dataclass(frozen=True, eq=False)
class Tower:
    """A tower's days or months, checked.

    Parameters
    ----------
    table : pandas.DataFrame
        The columns above, one row a day or a month without holes in time; NaN where nothing is known.
    report : pandas.DataFrame
        One row a row of the file: `date`, `used`, `reason` of its net exchange.
    site : str
        From the name of the file.
    step : {"day", "month"}
    notes : tuple of str
        What was taken for what.
    """

    table: pd.DataFrame
    report: pd.DataFrame
    site: str
    step: str
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lost = self.report.loc[~self.report["used"], "reason"].value_counts()
        first, last = (self.table["date"].iloc[k] for k in (0, -1))
        lines = [
            f"{self.site}: {len(self.table)} {self.step}s, {first:%Y-%m-%d} to {last:%Y-%m-%d}, "
            f"{int(self.report['used'].sum())} with net exchange",
            *(f"not used: {count} {self.step}(s), {reason}" for reason, count in lost.items()),
            *self.notes,
        ]
        return "\n".join(lines)

    def between(self, first: Any, last: Any) -> Tower:
        """The rows from one date to another, both counted.

        Raises
        ------
        InputError
            No row between them.
        """
        begin, end = (pd.Timestamp(as_dates("date", [one])[0]) for one in (first, last))
        rows = self.table["date"].between(begin, end)
        if not rows.any():
            raise InputError(f"{self.site} has no {self.step} between {begin:%Y-%m-%d} and {end:%Y-%m-%d}.")
        told = self.report["date"].between(begin, end)
        return replace(self, table=self.table[rows].reset_index(drop=True), report=self.report[told])

    def to_teco(self, partition: str = "nt", wilting: float = 0.0, full: float | None = None) -> teco.Forcing:
        """Forcing of TECO by the photosynthesis that was partitioned.

        Parameters
        ----------
        partition : {"nt", "dt"}
        wilting, full : float, optional
            Soil water [%] at which no plant finds any, and at which nothing is short; the highest measured
            if `full` is not given.

        Raises
        ------
        InputError
            Months; a gap in photosynthesis, soil temperature or soil water.
        """
        name = f"gpp_{partition}"
        if self.step != "day" or name not in self.table:
            raise InputError(f"TECO runs by days with photosynthesis; {self.site} has no daily column {name!r}.")
        needed = (name, "soil_temperature", "soil_water")
        gaps = [column for column in needed if column not in self.table or self.table[column].isna().any()]
        if gaps:
            raise InputError(
                f"{gaps[0]!r} of {self.site} has gaps; TECO needs it each day. Choose years with between()."
            )
        water = self.table["soil_water"].to_numpy()
        top = as_number("full", water.max() if full is None else full, lower=wilting, strict=True)
        moist = np.clip((water - wilting) / (top - wilting), 0.0, 1.0)
        gpp = np.maximum(self.table[name].to_numpy(), 0.0)
        return teco.Forcing(gpp, self.table["soil_temperature"].to_numpy(), moist)


def read_fluxnet(
    path: str | Path, *, good: float = 0.75, nee_sd: float | None = None, co2: float | None = None,
    half_range: float | None = None,
) -> Tower:
    """Read a daily (`_DD_`) or monthly (`_MM_`) file of FLUXNET2015, or of a product with the same names.

    Parameters
    ----------
    path : str or Path
        Such as FLX_XX-Abc_FLUXNET2015_FULLSET_DD_2001-2004_1-4.csv.
    good : float
        Least share of half-hours of a row that were measured, or filled well (its QC), for its net exchange.
    nee_sd : float, optional
        Error of net exchange [gC m-2 d-1] for files without `NEE_VUT_REF_RANDUNC`.
    co2 : float, optional
        CO2 [ppm] for files without it.
    half_range : float, optional
        Half the range of temperature of a day [degC], for files without means of day and night.

    Returns
    -------
    Tower
        Its `table` is what `assimilation.forest.tower_posterior` takes.

    Raises
    ------
    InputError
        No such file, a file of another step, a missing column, times that are no dates or come twice, an
        error or a range of temperature that nobody told, not one row of net exchange that can be used.
    """
    path, good = as_path("path", path), as_share("good", good)
    raw = _raw(path)
    date, step = _dates(path.name, raw["TIMESTAMP"])
    number = raw.apply(pd.to_numeric, errors="coerce").astype(float)
    number = number.mask(number <= MARK)
    notes: list[str] = []
    rows = pd.DataFrame({"date": date, "doy": date.dt.day_of_year})
    for name, (column, _) in PLAIN.items():
        if column in number:
            rows[name] = number[column]
    rows["radiation"] = MJ * number["SW_IN_F"].clip(lower=0.0)
    half = _half_range(path.name, number, half_range, notes)
    rows["max_temperature"], rows["min_temperature"] = rows["mean_temperature"] + half, rows["mean_temperature"] - half
    if "co2" not in rows or rows["co2"].isna().all():
        rows["co2"] = _told(path.name, "co2", co2, "CO2_F_MDS", notes)
    rows["nee"], reason = _net_exchange(number, good)
    if rows["nee"].isna().all():
        raise InputError(f"{path.name} has no row whose net exchange can be used; the first: {reason.iloc[0]}.")
    rows["nee_sd"] = _errors(path.name, number, nee_sd, rows["nee"], notes)
    report = pd.DataFrame({"date": date, "used": reason == "", "reason": reason})
    rows = _whole(rows, step, notes)
    units = {name: unit for name, (_, unit) in PLAIN.items()} | {
        "date": "-", "doy": "d", "max_temperature": "degC", "min_temperature": "degC", "radiation": "MJ m-2 d-1",
        "nee": "gC m-2 d-1", "nee_sd": "gC m-2 d-1",
    }  # fmt: skip
    rows.attrs["units"] = {name: units[name] for name in rows}
    return Tower(rows, report, _site(path.name), step, tuple(notes))


def _raw(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(f"there is no file {path}.")
    try:
        raw = pd.read_csv(path, dtype=str, encoding="utf-8-sig", skipinitialspace=True)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(f"{path.name} cannot be read as a table: {error}.") from None
    if "TIMESTAMP_START" in raw:
        raise InputError(
            f"{path.name} has a row each half-hour, hour or week; take the file with _DD_ or _MM_ in its name."
        )
    missing = [name for name in NEEDED if name not in raw]
    if missing:
        raise InputError(
            f"{path.name} has no column {missing[0]!r}; those of FLUXNET2015 are expected: {', '.join(NEEDED)}."
        )
    return raw


def _dates(file: str, stamp: pd.Series) -> tuple[pd.Series, str]:
    """Time stamps are whole numbers: 20010131 is a day, 200101 a month."""
    stamp = stamp.str.strip().str.removesuffix(".0")
    digits = set(stamp.str.len())
    step = {frozenset({8}): "day", frozenset({6}): "month"}.get(frozenset(digits))
    form = "%Y%m%d" if step == "day" else "%Y%m"
    date = pd.to_datetime(stamp, format=form, errors="coerce") if step else pd.Series(pd.NaT, stamp.index)
    if date.isna().any():
        raise InputError(
            f"TIMESTAMP of {file} holds {stamp[date.isna()].iloc[0]!r}; 20010131 (days) or 200101 (months) is needed."
        )
    if date.duplicated().any():
        raise InputError(f"{file} has {date[date.duplicated()].iloc[0]:%Y-%m-%d} twice; keep one of them.")
    return date, str(step)


def _net_exchange(number: pd.DataFrame, good: float) -> tuple[pd.Series, pd.Series]:
    nee, qc = number["NEE_VUT_REF"], number["NEE_VUT_REF_QC"]
    reason = pd.Series("", number.index).mask(~(qc >= good), f"measured or filled well less than {good:.0%}")
    reason = reason.mask(qc.isna(), "no quality flag").mask(nee.isna(), "no net exchange")
    return nee.where(reason == ""), reason


def _errors(file: str, number: pd.DataFrame, told: float | None, nee: pd.Series, notes: list[str]) -> pd.Series:
    sd = number.get("NEE_VUT_REF_RANDUNC", pd.Series(np.nan, number.index))
    sd = sd.where((sd > 0) & nee.notna())
    if sd.isna().all():
        return pd.Series(_told(file, "nee_sd", told, "NEE_VUT_REF_RANDUNC", notes), number.index).where(nee.notna())
    lacking = nee.notna() & sd.isna()
    if lacking.any():
        many = int(lacking.sum())
        notes.append(f"random error missing in {many} row(s): the median of the others, {sd.median():.2f}")
        sd = sd.mask(lacking, sd.median())
    return sd


def _half_range(file: str, number: pd.DataFrame, told: float | None, notes: list[str]) -> pd.Series:
    if {"TA_F_DAY", "TA_F_NIGHT"} <= set(number):
        notes.append("highest and lowest temperature from the means of day and night, as a sine has them")
        apart = (number["TA_F_DAY"] - number["TA_F_NIGHT"]).abs()
        lacking = int((apart.isna() & number["TA_F"].notna()).sum())
        if lacking:
            usual = f"{apart.median():.1f} degC"
            notes.append(f"no mean of day or night in {lacking} row(s): the median difference, {usual}")
        return SINE * apart.fillna(apart.median())
    return pd.Series(_told(file, "half_range", told, "TA_F_DAY and TA_F_NIGHT", notes), number.index)


def _told(file: str, name: str, value: float | None, column: str, notes: list[str]) -> float:
    if value is None:
        raise InputError(f"{file} has no {column}; say what it is for all rows: {name}=….")
    notes.append(f"no {column}: {name}={value:g} for all rows")
    return as_number(name, value, lower=0.0, strict=True)


def _whole(rows: pd.DataFrame, step: str, notes: list[str]) -> pd.DataFrame:
    """No hole in time; short gaps of the weather are drawn straight across, and said."""
    every = pd.date_range(rows["date"].min(), rows["date"].max(), freq="D" if step == "day" else "MS", name="date")
    rows = rows.set_index("date").reindex(every)
    absent = len(every) - int(rows["doy"].notna().sum())
    if absent:
        notes.append(f"{absent} {step}(s) are not in the file")
    rows["doy"] = every.day_of_year
    for name in WEATHER:
        gap = rows[name].isna()
        run = gap.groupby((gap != gap.shift()).cumsum()).transform("sum")
        short = gap & (run <= LONGEST)
        rows[name] = rows[name].mask(short, rows[name].interpolate(limit_area="inside"))
        drawn, left = int((short & rows[name].notna()).sum()), int(rows[name].isna().sum())
        if drawn:
            notes.append(f"{name}: {drawn} {step}(s) drawn straight across gaps of up to {LONGEST}")
        if left:
            notes.append(f"{name}: {left} {step}(s) unknown; DALEC runs where there are none, see between()")
    return rows.reset_index()


def _site(file: str) -> str:
    found = re.search(r"[A-Z]{2}-[A-Za-z0-9]{3}", file)
    return found[0] if found else Path(file).stem
