"""Plots measured through the years, from a CSV file: one row a measurement, in the columns of a forecast.

::

    time, variable, value, sd, and a column for each treatment

========== ============================================== ===== ====================================
column     meaning                                        unit  in the file
========== ============================================== ===== ====================================
time       day of the measurement                         -     date, time; or year and doy
variable   what was measured                              -     variable, pool, flux
value, sd  the number and its standard deviation          see   value, sd (error, se)
                                                          below
plot       which plot                                     -     plot
others     treatments: numbers stay numbers               -     warmer, co2, nitrogen, ...
========== ============================================== ===== ====================================

A unit stands in the header, `value [kgC m-2]`, or in a column `unit`, row by row. Carbon becomes gC m-2,
a flux gC m-2 d-1. Dates are dates: the 60th day of a leap year is 29 February, and a forecast counts the
days of the calendar. Each row that is not used keeps its reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from landcarbon.datasets.incubations import MISSING
from landcarbon.matrix.errors import InputError, as_dates, as_path, convert

__all__ = ["Plots", "read_plots_csv"]

NAMES = {
    "time": ("time", "date"), "year": ("year",), "doy": ("doy", "day_of_year"), "plot": ("plot", "plot_id"),
    "variable": ("variable", "pool", "flux"), "value": ("value", "mean"),
    "sd": ("sd", "error", "se", "standard_error"), "unit": ("unit", "units"),
}  # fmt: skip
KNOWN = {alias: name for name, aliases in NAMES.items() for alias in aliases}
STOCK, FLUX = "gC m-2", "gC m-2 d-1"


@dataclass(frozen=True, eq=False)
class Plots:
    """Measurements of plots, checked.

    Attributes
    ----------
    table : pandas.DataFrame
        Columns `time`, `variable`, `value`, `sd`, and the others of the file; the rows that are used.
    report : pandas.DataFrame
        One row a row of the file, by its line: `used`, `reason`.
    units : dict of str to str
        Of each variable.
    """

    table: pd.DataFrame
    report: pd.DataFrame
    units: dict[str, str]

    def __str__(self) -> str:
        lost = self.report.loc[~self.report["used"], "reason"].value_counts()
        counts = self.table["variable"].value_counts()
        told = ", ".join(f"{name} {n} [{self.units[name]}]" for name, n in counts.items())
        years = self.table["time"].dt.year
        return "\n".join([
            f"{len(self.table)} measurements, {years.min()} to {years.max()}: {told}",
            *(f"not used: {count} row(s), {reason}" for reason, count in lost.items()),
        ])  # fmt: skip


def read_plots_csv(
    path: str | Path, *, names: Mapping[str, str] | None = None, columns: Mapping[str, str] | None = None,
    relative: float | None = None,
) -> Plots:
    """Read measurements of plots: pools and fluxes, dates, errors, treatments.

    Parameters
    ----------
    path : str or Path
        Text in UTF-8.
    names : mapping, optional
        What a variable is called in the file -> what the forecast calls it: {"GPP_chamber": "gpp"}.
    columns : mapping, optional
        Column header -> one of the names above.
    relative : float, optional
        Error as a share of the value, for files and rows that have none.

    Returns
    -------
    Plots

    Raises
    ------
    InputError
        No such file, a missing column, a unit that is missing or cannot become ours, not one row that can be used.

    Examples
    --------
    >>> import tempfile
    >>> lines = "date,variable,value [kgC m-2],sd,warmer\\n2016-02-29,wood,1.2,0.1,9\\n2016-08-01,wood,,0.1,9\\n"
    >>> path = Path(tempfile.mkdtemp()) / "plots.csv"
    >>> _ = path.write_text(lines, encoding="utf-8")
    >>> print(read_plots_csv(path))
    1 measurements, 2016 to 2016: wood 1 [gC m-2]
    not used: 1 row(s), value missing
    """
    path = as_path("path", path)
    if not path.is_file():
        raise InputError(f"there is no file {path}.")
    raw = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True)
    raw.index = pd.RangeIndex(2, len(raw) + 2, name="line")
    raw, unit = _named(path.name, raw, dict(columns or {}))
    rows = raw.drop(columns=[c for c in ("year", "doy", "unit") if c in raw])
    rows["time"], reason = _times(raw)
    rows["variable"] = raw["variable"].str.strip().replace(dict(names or {}))
    given = raw["unit"].str.strip() if "unit" in raw else pd.Series(unit, raw.index)
    number, why = _numbers(raw["value"], "value")
    sd = _numbers(raw["sd"], "sd")[0] if "sd" in raw else pd.Series(np.nan, raw.index)
    reason = reason.mask((reason == "") & (rows["variable"] == ""), "no name of a variable")
    reason = reason.mask(reason == "", why)
    units: dict[str, str] = {}
    factor = pd.Series(1.0, raw.index)
    for (name, one), part in rows[reason == ""].groupby([rows["variable"], given]):
        factor[part.index], units[name] = _factor(path.name, name, one, units.get(name))
    rows["value"], rows["sd"] = number * factor, sd * factor
    if relative is not None:
        rows["sd"] = rows["sd"].fillna(relative * rows["value"].abs())
    reason = reason.mask((reason == "") & ~(rows["sd"] > 0), "no error above 0")
    for name in rows.columns.difference(["time", "variable", "value", "sd", "plot"]):
        as_number = pd.to_numeric(rows[name], errors="coerce")
        rows[name] = as_number if as_number.notna().all() else rows[name].str.strip()
    report = pd.DataFrame({"used": reason == "", "reason": reason})
    if not report["used"].any():
        first = reason.iloc[0] if len(reason) else "there is none"
        raise InputError(f"{path.name} has no row that can be used; the first: {first}.")
    used = rows[report["used"]].sort_values("time", kind="stable").reset_index(drop=True)
    return Plots(used, report, {name: units[name] for name in sorted(set(used["variable"]))})


def _named(file: str, raw: pd.DataFrame, columns: dict[str, str]) -> tuple[pd.DataFrame, str]:
    """The table under our names, and the unit in the header of its values."""
    told: dict[str, str] = {}
    found: dict[str, str] = {}
    for header in raw.columns:
        parts = re.fullmatch(r"\s*(.+?)\s*(?:[\[(](.*)[\])])?\s*", header)
        label = parts[1] if parts else header
        name = columns.get(header, KNOWN.get(label.lower().replace(" ", "_"), label))
        if name in found.values():
            raise InputError(f"{file} has two columns for {name}; keep one.")
        found[header] = name
        told[name] = (parts[2] or "") if parts else ""
    out = raw.rename(columns=found)
    for needed in (("variable",), ("value",), ("time", "year")):
        if not any(name in out for name in needed):
            raise InputError(
                f"{file} has no column {needed[0]!r}; its columns are {', '.join(raw.columns)}. Say which is which: "
                f"columns={{'your name': {needed[0]!r}}}."
            )
    unit = told["value"]
    if told.get("sd", unit) not in ("", unit):
        raise InputError(f"{file} has values in {unit!r} and errors in {told['sd']!r}; give both in one unit.")
    if not unit and "unit" not in out:
        raise InputError(f"the values of {file} have no unit; name it 'value [gC m-2]', or add a column 'unit'.")
    return out, unit


def _times(raw: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Dates, and why there is none; a day of the year is one of that year, leap years too."""
    if "time" in raw:
        text = raw["time"].str.strip()
        empty = text.str.lower().isin(MISSING)
        time = pd.Series(pd.NaT, raw.index, dtype="datetime64[ns]")
        time[~empty] = as_dates("time", text[~empty].to_numpy())
        return time, pd.Series("", raw.index).mask(empty, "time missing")
    year, why = _numbers(raw["year"], "year")
    doy, other = _numbers(raw["doy"], "doy") if "doy" in raw else (pd.Series(1.0, raw.index), why)
    whole = year.fillna(2001).astype(int)
    start = pd.to_datetime(whole.astype(str) + "-01-01")
    longest = 365 + start.dt.is_leap_year.astype(int)
    never = doy.notna() & ~((doy >= 1) & (doy <= longest))
    reason = why.mask(why == "", other).mask((why == "") & never, "no such day of the year")
    return start + pd.to_timedelta(doy.fillna(1.0) - 1.0, unit="D"), reason


def _numbers(text: pd.Series, name: str) -> tuple[pd.Series, pd.Series]:
    text = text.str.strip()
    gap = text.str.lower().isin(MISSING)
    number = pd.to_numeric(text.mask(gap), errors="coerce")
    number = number.where(np.isfinite(number))
    return number, pd.Series("", text.index).mask(number.isna(), f"{name} not a number").mask(gap, f"{name} missing")


def _factor(file: str, name: str, given: str, before: str | None) -> tuple[float, str]:
    """What turns a unit into ours, and ours: carbon on the ground, or carbon that flows."""
    told = []
    for ours in (before,) if before else (STOCK, FLUX):
        try:
            return float(convert(name, 1.0, given, ours)), ours
        except InputError as error:
            told.append(str(error))
    if before:
        raise InputError(f"{name} of {file} is told in {given!r} as well as as {before!r}; they are two variables.")
    raise InputError(f"{name} of {file} is in {given!r}; {STOCK} (pools) or {FLUX} (fluxes) is needed.")
