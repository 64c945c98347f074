"""Soil in jars from a file of one's own: CO2 fluxes, or CO2 summed since the start.

::

    flux = number × factor of its unit
    flux between two visits = (C_i − C_i-1) / (t_i − t_i-1),   at (t_i + t_i-1) / 2          (summed CO2)

====== =============================================== ===== ============================== ============
symbol meaning                                         shape unit                           code name
====== =============================================== ===== ============================== ============
t      time since the start of the incubation          rows  d                              day
flux   carbon breathed out, by mass of soil,           rows  ugC g-1 d-1, mgC gC-1 d-1,     flux
       by mass of its carbon, or by area                     gC m-2 d-1
C      the same, summed since the start                rows  as flux, without d-1           cumulative
====== =============================================== ===== ============================== ============

What a file says about itself is heard: the unit of a column stands in its header. Each row that is not
used keeps its reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from landcarbon.matrix.errors import InputError, as_choice, as_dates, as_kind, as_path, convert

__all__ = ["Jars", "read_jars_csv", "read_sidb"]

NAMES = {
    "soil": ("soil", "site", "sample", "soil_id"),
    "jar": ("jar", "replicate", "rep", "jar_id"),
    "day": ("day", "days", "time", "t"),
    "date": ("date",),
    "flux": ("flux", "co2_flux", "respiration", "rate", "r"),
    "cumulative": ("cumulative", "co2_cumulative", "cumulative_co2"),
}
KNOWN = {alias: name for name, aliases in NAMES.items() for alias in aliases}
UNITS = {"soil": "ugC g-1 d-1", "carbon": "mgC gC-1 d-1", "area": "gC m-2 d-1"}
MISSING = ("", "na", "n/a", "nan", "nd", "n.d.", "-", "-9999", "-999", "null")


@dataclass(frozen=True, eq=False)
class Jars:
    """Fluxes of jars, checked.

    Attributes
    ----------
    table : pandas.DataFrame
        Columns `soil`, `jar`, `day`, `flux`; the rows that are used.
    report : pandas.DataFrame
        One row a row of the file, by its line: `soil`, `jar`, `used`, `reason`.
    unit : str
        Of the flux.
    notes : tuple of str
        What was taken for what.
    """

    table: pd.DataFrame
    report: pd.DataFrame
    unit: str
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lost = self.report.loc[~self.report["used"], "reason"].value_counts()
        jars = self.table[["soil", "jar"]].drop_duplicates()
        lines = [
            f"{len(self.table)} fluxes [{self.unit}] of {len(jars)} jars, {jars['soil'].nunique()} soil(s), "
            f"day {self.table['day'].min():g} to {self.table['day'].max():g}",
            *(f"not used: {count} row(s), {reason}" for reason, count in lost.items()),
            *self.notes,
        ]
        return "\n".join(lines)

    def without(self, soil: str, jar: str) -> tuple[Jars, Jars]:
        """All jars but one, and that one: to fit, and to judge.

        Raises
        ------
        InputError
            No such jar.
        """
        one = (self.table["soil"] == soil) & (self.table["jar"] == jar)
        if not one.any():
            known = ", ".join(f"{s} {j}" for s, j in self.table[["soil", "jar"]].drop_duplicates().to_numpy())
            raise InputError(f"there is no jar {jar!r} of soil {soil!r}; there are {known:.300}.")
        return tuple(Jars(self.table[pick], self.report, self.unit, self.notes) for pick in (~one, one))  # type: ignore[return-value]


def read_jars_csv(
    path: str | Path,
    units: Mapping[str, str] | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    sep: str = ",",
    decimal: str = ".",
) -> Jars:
    """Read one's own jars from a CSV file: one row a measurement.

    Columns: `soil`, `jar`, `day [d]` or `date`, and `flux [ugC g-1 d-1]` or `cumulative [ugC g-1]`. The unit
    tells whether carbon is counted by mass of soil (g-1), by mass of carbon (gC-1) or by area (m-2); CO2
    becomes carbon (ugCO2 g-1 h-1). Dates, as 2024-05-31, count from the first of their soil. Other columns
    are ignored, and named in the notes.

    Parameters
    ----------
    path : str or Path
        Text in UTF-8.
    units : mapping, optional
        Column header -> unit, for headers that cannot be changed.
    columns : mapping, optional
        Column header -> one of the names above.
    sep, decimal : str
        Between columns, and within numbers.

    Returns
    -------
    Jars

    Raises
    ------
    InputError
        No such file, a missing column, a unit that is missing or not known, not one row that can be used.

    Examples
    --------
    >>> import tempfile
    >>> lines = "soil,jar,day [d],flux [mgCO2 kg-1 h-1]\\npine,1,1,3.0\\npine,1,8,-0.1\\npine,2,1,2.8\\n"
    >>> path = Path(tempfile.mkdtemp()) / "jars.csv"
    >>> _ = path.write_text(lines, encoding="utf-8")
    >>> print(read_jars_csv(path))
    2 fluxes [ugC g-1 d-1] of 2 jars, 1 soil(s), day 1 to 1
    not used: 1 row(s), flux not above 0
    """
    path = as_path("path", path)
    sep, decimal = as_kind("sep", sep, str), as_choice("decimal", decimal, (".", ","))
    if not path.is_file():
        raise InputError(f"there is no file {path}.")
    try:
        raw = pd.read_csv(path, dtype=str, keep_default_na=False, sep=sep, encoding="utf-8-sig", skipinitialspace=True)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(f"{path.name} cannot be read as a table: {error}. Save it as CSV in UTF-8.") from None
    return _read(path.name, raw, dict(units or {}), dict(columns or {}), decimal)


def _read(file: str, raw: pd.DataFrame, units: dict[str, str], columns: dict[str, str], decimal: str) -> Jars:
    """A table of texts, checked row by row."""
    found, ignored = _columns(file, list(raw.columns), units, columns)
    raw.index = pd.RangeIndex(2, len(raw) + 2, name="line")
    text = {name: raw[header].str.strip() for name, (header, _) in found.items()}
    amount = "flux" if "flux" in found else "cumulative"
    number, reason = _numbers(text[amount], amount, decimal)
    wanted = _unit(file, *found[amount], amount)
    number = pd.Series(convert(amount, number, found[amount][1], wanted), raw.index)
    rows = pd.DataFrame({"soil": text["soil"]})
    rows["jar"] = text["jar"] if "jar" in text else "1"
    rows["day"], late = _days(text, found, decimal, rows["soil"])
    rows["flux"] = number
    reason = reason.where(reason != "", late).mask(rows["soil"] == "", "no name of a soil")
    reason = reason.mask((reason == "") & (rows["day"] < 0), "before the start")
    again = rows[reason == ""].duplicated(["soil", "jar", "day"]).reindex(rows.index, fill_value=False)
    reason = reason.mask(again, "a second value of that jar on that day")
    notes = [f"columns not used: {', '.join(ignored)}"] if ignored else []
    if amount == "cumulative":
        rows, reason = _between(rows, reason)
        notes.append("fluxes are differences of summed CO2, each at the middle of its time")
    reason = reason.mask((reason == "") & ~(rows["flux"] > 0), "flux not above 0")
    report = rows[["soil", "jar"]].assign(used=reason == "", reason=reason)
    if not report["used"].any():
        first = reason.iloc[0] if len(reason) else "there is none"
        raise InputError(f"{file} has no row that can be used; the first: {first}.")
    unit = wanted if amount == "flux" else f"{wanted} d-1"
    return Jars(rows[report["used"]].reset_index(drop=True), report, unit, tuple(notes))


def read_sidb(
    path: str | Path, unit: str | None = None, *, jars: Mapping[str, tuple[str, str]] | None = None
) -> Jars:
    """Read an entry of SIDb (Schädel et al. 2020): `timeSeries.csv`, with `metadata.yaml` beside it.

    The table of an entry is wide: a column of times, and one of respiration for each soil and treatment.
    Every column becomes a soil of its own, with one jar.

    Parameters
    ----------
    path : str or Path
        The folder of the entry, or its `timeSeries.csv`.
    unit : str, optional
        Of respiration ("ugC g-1 d-1"), or of what is summed ("mgC gC-1"). Without it the unit is read from
        the metadata, where it stands in words; what cannot be read there must be told.
    jars : mapping, optional
        Column -> (soil, jar), where several columns are replicates of one soil.

    Returns
    -------
    Jars

    Raises
    ------
    InputError
        No such file, no column of times, a unit that is not known or not the same for all columns, a name in
        `jars` that is no column.

    Notes
    -----
    Units of the metadata were typed by hand. Check the first fluxes against the paper: where the unit is
    wrong by a factor, `F` is, and `k` is not.

    Schädel et al. 2020: doi:10.5194/essd-12-1511-2020.
    """
    path = as_path("path", path)
    table = path / "timeSeries.csv" if path.is_dir() else path
    if not table.is_file():
        raise InputError(f"there is no file {table}.")
    wide = pd.read_csv(table, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True)
    times = [name for name in wide if name.strip().lower() == "time"]
    if len(times) != 1:
        raise InputError(f"{table.name} has no column 'time'; its columns are {', '.join(wide.columns):.200}.")
    others = [name for name in wide if name != times[0]]
    strange = [name for name in jars or {} if name not in others]
    if strange:
        raise InputError(f"jars names the column {strange[0]!r}, but there are {', '.join(others):.200}.")
    told = _sidb_units(table.parent / "metadata.yaml")
    given = {unit or _in_symbols(told.get(name, "")) for name in others}
    if len(given) != 1 or not next(iter(given)):
        words = sorted({told.get(name, "nothing") for name in others})
        raise InputError(f"the unit is told as {words[0]!r:.120}; say it as a unit: unit='ugC g-1 d-1', for instance.")
    flux = next(iter(given))
    summed = not re.search(r"(/\s*|per\s+|\s)(d|h|yr|day|hour)(\^?-1|⁻¹)?$", flux)
    day = "h" if re.match(r"h", told.get(times[0], "days").lower()) else "d"
    names = {name: (jars or {}).get(name, (name, "1")) for name in others}
    long = pd.concat([
        pd.DataFrame({"soil": names[n][0], "jar": names[n][1], f"day [{day}]": wide[times[0]], "amount": wide[n]})
        for n in others
    ])  # fmt: skip
    label = f"{'cumulative' if summed else 'flux'} [{flux}]"
    return _read(table.name, long.rename(columns={"amount": label}).reset_index(drop=True), {}, {}, ".")


def _sidb_units(path: Path) -> dict[str, str]:
    """Name -> unit, of the variables of an entry; nothing where there is no metadata."""
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8").partition("variables:")[2]
    blocks = re.split(r"\n\s*V\d+:", text)
    found = {}
    for block in blocks:
        found_in = (re.search(rf"\b{key}:\s*[\"']?(.+?)[\"']?\s*(?:#.*)?(?:\n|$)", block) for key in ("name", "units"))
        name, unit = found_in
        if name:
            found[name[1]] = unit[1] if unit else ""
    return found


def _in_symbols(words: str) -> str:
    """The unit that the words of a metadata file hold: 'rate (mg C g{^-1} soil day{^-1})' -> 'mgC g-1 d-1'."""
    inner = re.search(r"\(((?:[^()]|\([^()]*\))*)\)\s*$", words)
    text = re.sub(r"[{}$\\]|\bsoil\b|\bdry\b|\bdw\b", " ", inner[1] if inner else words)
    text = re.sub(r"\s*\^\s*-\s*1", "-1", text).replace("day-1", "d-1").replace("hour-1", "h-1")
    text = re.sub(r"\b([kmuµ]?g)\s+(CO2-C|C\b)(?!O)", r"\1C", text)
    text = re.sub(r"\b([kmuµ]?g)\s+CO2\b", r"\1CO2", text)
    text = re.sub(r"\s+", " ", text).strip()
    known = re.fullmatch(r"[kmuµ]?g(C|CO2) [km]?gC?-1( (d|h|yr)-1)?", text)
    return text if known else ""


def _columns(
    file: str, headers: list[str], units: dict[str, str], columns: dict[str, str]
) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """Name -> header and unit; and the headers that are not used."""
    for what, given in (("units", units), ("columns", columns)):
        unknown = [header for header in given if header not in headers]
        if unknown:
            raise InputError(f"{what} names the column {unknown[0]!r}, but {file} has {', '.join(headers)}.")
    found: dict[str, tuple[str, str]] = {}
    ignored = []
    for header in headers:
        parts = re.fullmatch(r"\s*(.+?)\s*(?:[\[(](.*)[\])])?\s*", header)
        label = parts[1].lower().replace(" ", "_") if parts else ""
        name = columns.get(header, KNOWN.get(label, ""))
        if name not in NAMES:
            ignored.append(header)
            continue
        if name in found:
            raise InputError(f"{file} has two columns for {name}: {found[name][0]!r} and {header!r}. Keep one.")
        found[name] = header, units.get(header, (parts[2] or "") if parts else "")
    _complete(file, found, headers)
    return found, ignored


def _complete(file: str, found: dict[str, tuple[str, str]], headers: list[str]) -> None:
    """A soil, a time, an amount: one column each."""
    for needed in (("soil",), ("day", "date"), ("flux", "cumulative")):
        here = [name for name in needed if name in found]
        if len(here) != 1:
            what = "has both columns" if here else "has no column"
            raise InputError(
                f"{file} {what} {' or '.join(needed)}; its columns are {', '.join(headers)}. Say which is which: "
                f"columns={{'your name': {needed[0]!r}}}."
            )


def _unit(file: str, header: str, unit: str, amount: str) -> str:
    """The unit of the house that a column can be told in."""
    example = UNITS["soil"] if amount == "flux" else "ugC g-1"
    if not unit:
        raise InputError(
            f"column {header!r} of {file} has no unit. Name it for instance '{header} [{example}]', or pass "
            f"units={{{header!r}: {example!r}}}."
        )
    by_carbon = re.search(r"(/\s*|\bper\s+)k?m?g\s*-?C\b|[km]?gC(\^?-1|⁻¹)", unit)
    basis = "area" if re.search(r"m\^?-?2|m²|m⁻²", unit) else "carbon" if by_carbon else "soil"
    return UNITS[basis] if amount == "flux" else UNITS[basis].removesuffix(" d-1")


def _numbers(text: pd.Series, name: str, decimal: str) -> tuple[pd.Series, pd.Series]:
    """Numbers, and why one is none."""
    gap = text.str.lower().isin(MISSING)
    number = pd.to_numeric(text.str.replace(decimal, ".", regex=False).mask(gap), errors="coerce")
    number = number.where(np.isfinite(number))
    reason = pd.Series("", text.index).mask(number.isna(), f"{name} not a number").mask(gap, f"{name} missing")
    return number, reason


def _days(
    text: dict[str, pd.Series], found: dict[str, tuple[str, str]], decimal: str, soil: pd.Series
) -> tuple[pd.Series, pd.Series]:
    """Days since the start, and why there is none."""
    if "day" in found:
        number, reason = _numbers(text["day"], "day", decimal)
        return pd.Series(convert("day", number, found["day"][1] or "d", "d"), soil.index), reason
    given = text["date"]
    empty = given.str.lower().isin(MISSING)
    dates = given.where(~empty).map(_date, na_action="ignore").astype("datetime64[ns]")
    odd = ~empty & dates.isna()
    if 2 * odd.sum() > (~empty).sum():  # a way of writing dates, not a slip
        as_dates("date", given[odd].to_numpy())
    days = (dates - dates.groupby(soil).transform("min")) / pd.Timedelta(days=1)
    return days, given.map("date {!r} cannot be read".format).where(odd, "").mask(empty, "date missing")


def _date(text: str) -> np.datetime64 | None:
    """A date that can be read in one way only, or none."""
    try:
        found: np.datetime64 = as_dates("date", [text])[0]
    except InputError:
        return None
    return found


def _between(rows: pd.DataFrame, reason: pd.Series) -> tuple[pd.DataFrame, pd.Series]:
    """Fluxes between visits from what has been summed; day 0 holds nothing."""
    rows, reason = rows.copy(), reason.copy()
    for _, one in rows[reason == ""].groupby(["soil", "jar"], sort=False):
        one = one.sort_values("day")
        before = np.concatenate([[0.0], one["day"].to_numpy()[:-1]])
        summed = np.concatenate([[0.0], one["flux"].to_numpy()[:-1]])
        length = one["day"].to_numpy() - before
        reason[one.index[length <= 0]] = "the start itself"
        with np.errstate(divide="ignore", invalid="ignore"):
            rows.loc[one.index, "flux"] = (one["flux"].to_numpy() - summed) / length
        rows.loc[one.index, "day"] = before + length / 2
    return rows, reason
