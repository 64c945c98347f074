"""Soil profiles from files: a tidy CSV of one's own, the WoSIS snapshots.

::

    quantity = number × factor of its unit

====== ======================================= ===== ======= =====================
symbol meaning                                 shape unit    code name
====== ======================================= ===== ======= =====================
–      names a column may have                 –     –       profile_id, orgc, …
–      unit of a column, named in its header   –     –       organic_carbon [g/kg]
====== ======================================= ===== ======= =====================

What a file says about itself is heard: a mark of byte order, the mark between its columns, decimal
commas, marks for missing values, layers flagged as litter. What was taken for what stands in
`Profiles.notes`.
"""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from landcarbon.datasets.profiles import REQUIRED, Profiles, make_profiles
from landcarbon.matrix.errors import InputError, as_path

__all__ = ["read_israd_csv", "read_profiles_csv", "read_wosis_2019", "read_wosis_2023"]

# --- a tidy CSV of one's own ---------------------------------------------------------------------

_ALIASES = {
    "profile_id": ("profile_id", "profile", "id", "site", "site_id"),
    "latitude": ("latitude", "lat"),
    "longitude": ("longitude", "lon", "long"),
    "upper_depth": ("upper_depth", "upper", "top", "upper_limit"),
    "lower_depth": ("lower_depth", "lower", "bottom", "lower_limit"),
    "organic_carbon": ("organic_carbon", "orgc", "oc", "soc", "carbon"),
    "bulk_density": ("bulk_density", "bd", "bdod"),
    "coarse_fragments": ("coarse_fragments", "coarse", "cfvo", "stones", "gravel"),
    "sand": ("sand",),
    "clay": ("clay",),
    "source": ("source",),
}
_NAMED = {alias: name for name, aliases in _ALIASES.items() for alias in aliases}
_UNITLESS = ("profile_id", "source")
_EMPTY = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "-nan", "NULL", "null", "None", "<NA>")
_MISSING = {
    *(mark.lower() for mark in _EMPTY), "nd", "n.d.", "n.d", "n.a.", "n.m.", "-", "--", "–", "—", ".", "*", "?",
    "missing", "no data", "nodata", "not determined", "k.a.", "s.d.", "#div/0!", "#value!", "#ref!",
}  # fmt: skip
_NUMBER_MARKS = (-9999.0, -999.0, -99999.0, -32768.0)
_DEGREES = {"deg": 1.0, "degree": 1.0, "degrees": 1.0, "degreesnorth": 1.0, "degreeseast": 1.0, "°": 1.0}
_DEPTH = {"m": 1.0, "dm": 0.1, "cm": 0.01, "mm": 0.001}
_TEXTURE = {"%": 1.0, "gkg": 0.1, "fraction": 100.0}
_FACTORS = {
    "latitude": _DEGREES,
    "longitude": _DEGREES,
    "upper_depth": _DEPTH,
    "lower_depth": _DEPTH,
    "organic_carbon": {"gkg": 1.0, "mgg": 1.0, "permille": 1.0, "%": 10.0, "gg": 1000.0, "kgkg": 1000.0},
    "bulk_density": {"kgm3": 1.0, "gcm3": 1000.0, "tm3": 1000.0, "mgm3": 1000.0, "kgdm3": 1000.0},
    "coarse_fragments": {"fraction": 1.0, "%": 0.01},
    "sand": _TEXTURE,
    "clay": _TEXTURE,
}
_EXAMPLE = {
    "upper_depth": "cm", "lower_depth": "cm", "organic_carbon": "g/kg", "bulk_density": "g/cm3",
    "coarse_fragments": "%", "sand": "%", "clay": "%",
}  # fmt: skip


def _unit_key(unit: str) -> str:
    key = re.sub(r"[\s/*^._-]|\bper\b", "", unit.strip().lower()).replace("³", "3")
    same = {"pct": "%", "percent": "%", "vol%": "%", "mass%": "%", "1": "fraction", "gkg1": "gkg"}
    return same.get(key, key)


def _split_header(header: str) -> tuple[str, str | None]:
    """Name and unit of a column: ``organic_carbon [g/kg]``, ``bd (g/cm3)``, ``orgc_pct``, ``top_cm``.

    What follows a known name counts as a unit only where it is one: `profile_code`, `site_name` and
    `soc_stock` are other columns.
    """
    bracket = re.fullmatch(r"\s*(.+?)\s*[\[(](.*)[\])]\s*", header)
    if bracket:
        return bracket[1].strip().lower().replace(" ", "_"), bracket[2]
    plain = header.strip().lower().replace(" ", "_")
    if plain in _NAMED:
        return plain, None
    for cut in range(1, plain.count("_") + 1):
        parts = plain.rsplit("_", cut)
        unit = "".join(parts[1:])
        if _unit_key(unit) in _FACTORS.get(_NAMED.get(parts[0], ""), {}):
            return parts[0], unit
    return plain, None


def read_profiles_csv(
    path: str | Path,
    units: Mapping[str, str] | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    min_layers: int = 3,
    sep: str | None = None,
    decimal: str | None = None,
) -> Profiles:
    """Read one's own profiles from a tidy CSV file: one row a layer.

    Columns: `profile_id`, `latitude`, `longitude`, `upper_depth`, `lower_depth`, `organic_carbon`, and if
    there are any `bulk_density`, `coarse_fragments`, `sand`, `clay`, `source`. Depths, carbon, density and
    the rest carry their unit in the header: ``organic_carbon [g/kg]``, ``orgc_pct``, ``top_cm``,
    ``bulk_density (g/cm3)``. Other columns are ignored and named in `Profiles.notes`.

    Parameters
    ----------
    path : str or Path
        The file: text in UTF-8, or in UTF-16 as spreadsheets write it.
    units : mapping, optional
        Column header -> unit, for files whose header cannot be changed.
    columns : mapping, optional
        Column header -> one of the names above, for other names and other languages.
    min_layers : int
        Fewest layers with organic carbon a profile needs.
    sep, decimal : str, optional
        Column separator and decimal mark of the file. Found out unless given, and said in the notes
        where they are not "," and ".".

    Returns
    -------
    Profiles
        With a report that accounts for every profile.

    Raises
    ------
    InputError
        No such file, a missing column, two columns for one quantity, a column without a unit or with
        one that is not known, or not one profile that can be used.
    """
    path = as_path("path", path)
    raw, notes, sep = _table(path, sep)
    known, ignored = _columns(path.name, list(raw.columns), dict(units or {}), dict(columns or {}))
    if raw.empty:
        raise InputError(f"{path.name} has a header but no layers below it.")
    if decimal is None:
        decimal = _decimal(raw[[h for name, (h, _) in known.items() if name not in _UNITLESS]], sep)
    if (sep, decimal) != (",", "."):
        notes += (f"read with sep={sep!r} and decimal={decimal!r}",)
    header = known["profile_id"][0]
    ids = raw[header].str.strip()
    if (ids == "").any():
        line = raw.index[int(np.argmax((ids == "").to_numpy()))]
        raise InputError(f"line {line} of {path.name} has no profile name in column {header!r}.")
    layers = pd.DataFrame(index=raw.index)
    unreadable: dict[str, str] = {}
    missing: set[str] = set()
    for name, (header, factor) in known.items():
        text = raw[header].str.strip()
        if name in _UNITLESS:
            layers[name] = text.where(text != "")
            continue
        number, bad, marks = _numbers(text, name, decimal)
        missing |= marks
        for who in ids[bad]:
            unreadable.setdefault(who, f"{name} is not a number")
        layers[name] = number * factor
    if missing:
        notes += (f"read as missing: {', '.join(sorted(missing))}",)
    if ignored:
        notes += (f"columns not used: {', '.join(ignored)}",)
    return make_profiles(layers, min_layers=min_layers, source=path.stem, unreadable=unreadable, notes=notes)


ISRAD = {
    "lyr_top": ("upper_depth", "cm"), "lyr_bot": ("lower_depth", "cm"), "lyr_c_org": ("organic_carbon", "%"),
    "lyr_bd_samp": ("bulk_density", "g/cm3"), "lyr_coarse_tot": ("coarse_fragments", "%"),
    "lyr_sand_tot_psa": ("sand", "%"), "lyr_clay_tot_psa": ("clay", "%"),
}  # fmt: skip


def read_israd_csv(path: str | Path, *, min_layers: int = 3) -> Profiles:
    """Read layers under the names of ISRaD, the soil radiocarbon database, as its flat CSV of layers has them.

    A profile is what shares `entry_name`, `site_name` and `pro_name`. It stands at `pro_lat` and `pro_long`,
    or at `site_lat` and `site_long`. Read are `lyr_top`, `lyr_bot` [cm], `lyr_c_org` [%], and if there are
    any `lyr_bd_samp` [g cm-3], `lyr_coarse_tot`, `lyr_sand_tot_psa` and `lyr_clay_tot_psa` [%].

    Parameters
    ----------
    path : str or Path
        UTF-8.
    min_layers : int
        Fewest layers with organic carbon a profile needs.

    Returns
    -------
    Profiles

    Raises
    ------
    InputError
        As `read_profiles_csv`.

    Notes
    -----
    Lawrence et al. 2020, Earth Syst. Sci. Data 12, 61-76, doi:10.5194/essd-12-61-2020. Organic layers have
    negative or zero tops there (`lyr_all_org_neg`): layers above the mineral soil are dropped by the rules
    of `Profiles`, with their reason.
    """
    path = as_path("path", path)
    if not path.is_file():
        raise InputError(f"there is no file {path}.")
    raw = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    lacking = [name for name in ("entry_name", "site_name", "pro_name", *list(ISRAD)[:3]) if name not in raw]
    if lacking:
        raise InputError(f"{path.name} has no column {lacking[0]!r}, as layers of ISRaD have; see read_profiles_csv.")
    named = [raw[name].str.strip() for name in ("entry_name", "site_name", "pro_name")]
    tidy = pd.DataFrame({"profile_id": named[0].str.cat(named[1:], sep="/")})
    for name, short in (("latitude", "lat"), ("longitude", "long")):
        own, site = (raw.get(f"{who}_{short}", pd.Series("", raw.index)).replace("NA", "") for who in ("pro", "site"))
        tidy[f"{name} [deg]"] = own.where(own != "", site)
    for name, (ours, unit) in ISRAD.items():
        if name in raw:
            tidy[f"{ours} [{unit}]"] = raw[name]
    with tempfile.TemporaryDirectory() as folder:
        whole = as_path("folder", folder) / path.name
        tidy.to_csv(whole, index=False)
        return read_profiles_csv(whole, min_layers=min_layers, sep=",", decimal=".")


def _columns(
    file: str, headers: list[str], units: dict[str, str], columns: dict[str, str]
) -> tuple[dict[str, tuple[str, float]], list[str]]:
    """Name -> header and factor of its unit; and the headers that are not used."""
    for what, given in (("units", units), ("columns", columns)):
        unknown = [header for header in given if header not in headers]
        if unknown:
            raise InputError(f"{what} names the column {unknown[0]!r}, but {file} has {', '.join(headers)}.")
    strange = [name for name in columns.values() if name not in _ALIASES]
    if strange:
        raise InputError(f"columns gives the name {strange[0]!r}, but the names are {', '.join(_ALIASES)}.")
    candidates: dict[str, list[tuple[str, str | None]]] = {}
    for header in headers:
        once = re.sub(r"\.\d+$", "", header)  # a header that stands there twice is numbered
        label, unit = _split_header(once if once in headers else header)
        name = columns.get(header, _NAMED.get(label, ""))
        candidates.setdefault(name, []).append((header, units.get(header, unit)))
    ignored = [header for header, _ in candidates.pop("", [])]
    found: dict[str, tuple[str, float]] = {}
    for name, those in candidates.items():
        header, unit = _the_one(file, name, those, columns)
        ignored += [other for other, _ in those if other != header]
        found[name] = (header, _factor(file, name, header, unit))
    for name in REQUIRED:
        if name not in found:
            raise InputError(_lacking(file, name, headers, ignored))
    return found, ignored


def _lacking(file: str, name: str, headers: list[str], ignored: list[str]) -> str:
    """What to say where a column that is needed is not there."""
    depths = [h for h in ignored if any(word in h.lower() for word in ("depth", "tiefe", "profondeur"))]
    if name == "upper_depth" and depths:
        return (
            f"{file} has one column of depths, {depths[0]!r}, but two are needed: where '0-10' stands, write 0 "
            "into upper_depth and 10 into lower_depth, each with its unit, such as 'upper_depth [cm]'."
        )
    alias = " or ".join(repr(a) for a in _ALIASES[name][1:3])
    return (
        f"{file} has no column {name!r} (also understood: {alias}). Its columns are "
        f"{', '.join(map(repr, headers)):.300}. Say which it is: columns={{'your name': {name!r}}}."
    )


def _the_one(
    file: str, name: str, those: list[tuple[str, str | None]], columns: dict[str, str]
) -> tuple[str, str | None]:
    """Of the columns that could be meant the one that is: an exact name wins."""
    exact = [one for one in those if one[0] in columns or _split_header(one[0])[0] == name]
    if len(those) > 1 and len(exact) != 1:
        raise InputError(f"{file} has two columns for {name}: {those[0][0]!r} and {those[1][0]!r}. Keep one.")
    return those[0] if len(those) == 1 else exact[0]


def _factor(file: str, name: str, header: str, unit: str | None) -> float:
    if name in _UNITLESS or (name in ("latitude", "longitude") and unit is None):
        return 1.0
    known = _FACTORS[name]
    if unit is None:
        raise InputError(
            f"column {header!r} of {file} has no unit. Name it for instance "
            f"'{header} [{_EXAMPLE[name]}]', or pass units={{{header!r}: {_EXAMPLE[name]!r}}}."
        )
    if _unit_key(unit) not in known:
        raise InputError(
            f"column {header!r} of {file} is in {unit!r}, which is no unit known for {name}. "
            f"Known are {', '.join(_readable(key) for key in known)}."
        )
    return known[_unit_key(unit)]


def _numbers(text: pd.Series, name: str, decimal: str) -> tuple[pd.Series, pd.Series, set[str]]:
    """Numbers, which cells are none, and the marks that were read as missing."""
    gaps = text.str.lower().isin(_MISSING)
    told = set(text[gaps & ~text.isin(_EMPTY)])
    below = text.str.match(r"<\s*\d") & (name in ("organic_carbon", "bulk_density", "coarse_fragments"))
    plain = text.mask(gaps | below)
    number = pd.to_numeric(plain.str.replace(decimal, ".", regex=False) if decimal != "." else plain, errors="coerce")
    number = number.where(np.isfinite(number))
    bad = number.isna() & plain.notna()
    marked = number.isin(_NUMBER_MARKS)
    told |= set(text[marked])
    if name == "organic_carbon":  # below detection: nought, which is left out without a doubt about the rest
        number = number.mask(below, 0.0)
    return number.mask(marked), bad, told | set(text[below])


def _decimal(cells: pd.DataFrame, sep: str) -> str:
    """The decimal mark: a comma where numbers are written with one and none with a point."""
    if sep == ",":
        return "."
    text = cells.stack()
    comma = text.str.fullmatch(r"\s*-?\d+,\d+\s*").any()
    return "," if comma and not text.str.fullmatch(r"\s*-?\d+\.\d+\s*").any() else "."


def _text(path: Path) -> str:
    """The file as text, by its own mark of byte order."""
    if not path.is_file():
        raise InputError(f"there is no file {path}.")
    raw = path.read_bytes()
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", errors="replace")
    if raw[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
        raise InputError(
            f"{path.name} is a workbook of a spreadsheet, not a table of text. Open it, keep one sheet with one "
            "header, and save it as CSV (UTF-8)."
        )
    if b"\x00" in raw[:4096]:
        raise InputError(f"{path.name} is no text. Save the table as CSV in the encoding UTF-8.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path.name} cannot be read as a table: byte {error.start + 1} is no UTF-8 text. Save it as CSV in the "
            "encoding UTF-8."
        ) from None


def _table(path: Path, sep: str | None) -> tuple[pd.DataFrame, tuple[str, ...], str]:
    """All cells as text with the numbers of their lines, or a sentence why the file is no table."""
    text = _text(path)
    first = next((line for line in text.splitlines() if line.strip(" ,;\t")), "")
    if not first:
        raise InputError(f"{path.name} is empty; a header and one line a layer are expected.")
    if sep is None:
        outside = re.sub(r'"[^"]*"', "", first)
        sep = max((",", ";", "\t", "|"), key=lambda mark: outside.count(mark))
    rows = _rows(path.name, text, sep)
    header = [cell.strip() for cell in rows[0][1]]
    while header and not header[-1]:
        header.pop()
    if len(header) == 1 and not any(len(row) > 1 for _, row in rows[1:]):
        raise InputError(
            f"{path.name} seems to have one column only, {header[0][:60]!r}. Say which mark separates the columns, "
            "sep=';' or sep='\\t' (and decimal=',' where that is the habit), or save it with commas between them."
        )
    below = [cell.strip() for cell in rows[1][1]] if len(rows) > 1 else []
    if _known_names(header) < 3 <= _known_names(below):
        raise InputError(
            f"{path.name} has a title, or a header of merged cells, above its header in line {rows[1][0]}. Delete what "
            "stands above, so that the names of the columns are the first line."
        )
    cells = [_cells(path.name, line, row, len(header)) for line, row in rows[1:]]
    numbered = [f"{name}.{header[:k].count(name)}" if name in header[:k] else name for k, name in enumerate(header)]
    raw = pd.DataFrame(cells, columns=numbered, index=[line for line, _ in rows[1:]], dtype=str)
    return *_without_units_row(path.name, raw), sep


def _rows(file: str, text: str, sep: str) -> list[tuple[int, list[str]]]:
    """Rows that are not blank, with the numbers of their lines."""
    if len(sep) != 1:
        raise InputError(f"sep is one character, such as ',' or ';', but {sep!r} was given.")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=sep, skipinitialspace=True, strict=True)
    try:
        return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        why = str(error).replace("unexpected end of data", "EOF inside string")
        raise InputError(f"{file} cannot be read as a table: {why}.") from None


def _cells(file: str, line: int, row: list[str], n: int) -> list[str]:
    if any(cell.strip() for cell in row[n:]):
        raise InputError(
            f"{file} cannot be read as a table: line {line} has more cells than its header, {n}. A number or a name "
            "with a comma in it needs quotes; where commas are decimal marks, separate the columns by semicolons and "
            "pass sep=';', decimal=','."
        )
    return [*row, *[""] * n][:n]


def _known_names(cells: list[str]) -> int:
    return sum(_split_header(cell)[0] in _NAMED for cell in cells if cell)


def _without_units_row(file: str, raw: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """A row of units below the header goes into it; headers in the middle are refused."""
    names = set(raw.columns)
    for line, row in zip(raw.index, raw.itertuples(index=False)):
        if len(names & set(row)) >= 3:
            raise InputError(
                f"line {line} of {file} is a second header: it looks like two sheets pasted below each other. Save "
                "each as a file of its own, read them one by one, and join them with join_profiles."
            )
    if raw.empty:
        return raw, ()
    cells = {h: str(c).strip().strip("[]()") for h, c in zip(raw.columns, raw.iloc[0])}
    units = {h: c for h, c in cells.items() if _is_unit(h, c)}
    if len(units) < 2:
        return raw, ()
    renamed = {h: f"{h} [{c}]" for h, c in units.items() if _split_header(h)[1] is None}
    return raw.iloc[1:].rename(columns=renamed), (f"line {raw.index[0]} was read as the units of the columns",)


def _is_unit(header: str, cell: str) -> bool:
    name = _NAMED.get(_split_header(header)[0], "")
    return bool(cell) and not cell[0].isdigit() and _unit_key(cell) in _FACTORS.get(name, {})


def _readable(key: str) -> str:
    return {
        "gkg": "g/kg", "mgg": "mg/g", "gg": "g/g", "kgkg": "kg/kg", "kgm3": "kg/m3", "gcm3": "g/cm3",
        "tm3": "t/m3", "mgm3": "Mg/m3", "kgdm3": "kg/dm3",
    }.get(key, key)  # fmt: skip


# --- WoSIS snapshots -----------------------------------------------------------------------------


def _tsv(
    folder: Path, file: str, columns: list[str], required: bool = True, extra: tuple[str, ...] = ()
) -> pd.DataFrame | None:
    path = folder / file
    if not path.is_file():
        if not required:
            return None
        raise InputError(f"{folder} holds no file {file}; give the folder the snapshot was unpacked into.")
    header = pd.read_csv(path, sep="\t", nrows=0).columns
    lacking = [c for c in columns if c not in header]
    if lacking:
        raise InputError(
            f"{file} has no column {lacking[0]!r}; is it the snapshot it is named after? It begins with "
            f"{', '.join(header[:8])}."
        )
    wanted = [*columns, *(c for c in extra if c in header)]
    return pd.read_csv(path, sep="\t", usecols=wanted, low_memory=False)


def read_wosis_2019(folder: str | Path, min_layers: int = 3) -> Profiles:
    """Profiles of the WoSIS snapshot of September 2019 (doi 10.17027/isric-wdcsoils.20190901).

    Parameters
    ----------
    folder : str or Path
        Where ``wosis_201909_profiles.tsv``, ``..._layers_chemical.tsv`` and, for bulk density and
        coarse fragments, ``..._layers_physical.tsv`` were unpacked.
    min_layers : int
        Fewest layers with organic carbon a profile needs.

    Returns
    -------
    Profiles
        Depths are cm in the files, organic carbon g kg-1, bulk density (`bdfiod`, oven dry) kg dm-3,
        coarse fragments (`cfvo`) volume percent.

    Raises
    ------
    InputError
        A file or a column is missing.
    """
    folder = as_path("folder", folder)
    sites = _tsv(folder, "wosis_201909_profiles.tsv", ["profile_id", "latitude", "longitude"])
    key = ["profile_id", "profile_layer_id"]
    chemical = _tsv(
        folder, "wosis_201909_layers_chemical.tsv", [*key, "upper_depth", "lower_depth", "orgc_value_avg"],
        extra=("litter",),
    )  # fmt: skip
    assert sites is not None and chemical is not None
    layers = _without_litter(chemical.rename(columns={"orgc_value_avg": "organic_carbon"}))
    physical = _tsv(
        folder, "wosis_201909_layers_physical.tsv", [*key, "bdfiod_value_avg", "cfvo_value_avg"], required=False
    )
    if physical is not None:
        layers = layers.merge(physical, on=key, how="left")
        layers = layers.rename(columns={"bdfiod_value_avg": "bulk_density", "cfvo_value_avg": "coarse_fragments"})
    return _wosis(layers.merge(sites, on="profile_id", how="left"), "WoSIS 2019", min_layers)


def read_wosis_2023(folder: str | Path, min_layers: int = 3) -> Profiles:
    """Profiles of the WoSIS snapshot of December 2023 (doi 10.17027/isric-wdcsoils-20231130).

    Parameters
    ----------
    folder : str or Path
        Where ``wosis_202312_sites.tsv``, ``..._layers.tsv``, ``..._orgc.tsv`` and, if wanted,
        ``..._bdfiod.tsv`` and ``..._cfvo.tsv`` were unpacked.
    min_layers : int
        Fewest layers with organic carbon a profile needs.

    Returns
    -------
    Profiles
        Units as in `read_wosis_2019`.

    Raises
    ------
    InputError
        A file or a column is missing.
    """
    folder = as_path("folder", folder)
    place, depth = ["latitude", "longitude"], ["upper_depth", "lower_depth"]
    if (folder / "wosis_202312_layers.tsv").is_file() or not (folder / "wosis_202312_orgc.tsv").is_file():
        sites = _tsv(folder, "wosis_202312_sites.tsv", ["site_id", *place])
        columns = ["profile_id", "layer_id", "site_id", *depth]
        layers = _tsv(folder, "wosis_202312_layers.tsv", columns, extra=("litter",))
        assert sites is not None and layers is not None
        layers = layers.merge(sites, on="site_id", how="left")
    else:  # the files of the properties alone: each repeats depths and places
        columns = ["profile_id", "layer_id", *place, *depth]
        layers = _tsv(folder, "wosis_202312_orgc.tsv", columns, extra=("litter",))
        assert layers is not None
    layers = _without_litter(layers)
    for code, name in (("orgc", "organic_carbon"), ("bdfiod", "bulk_density"), ("cfvo", "coarse_fragments")):
        values = _tsv(
            folder,
            f"wosis_202312_{code}.tsv",
            ["profile_id", "layer_id", "value_avg"],
            required=code == "orgc",
        )
        if values is not None:
            values = values.rename(columns={"value_avg": name})
            layers = layers.merge(values, on=["profile_id", "layer_id"], how="left")
    return _wosis(layers, "WoSIS 2023", min_layers)


def _without_litter(layers: pd.DataFrame) -> pd.DataFrame:
    """Litter on the ground is no soil: its layers go, and depths below it count from its bottom."""
    if "litter" not in layers:
        return layers
    litter = layers["litter"].astype(str).str.strip().str.lower().isin(("t", "true", "1", "1.0", "yes"))
    bottom = layers["lower_depth"].where(litter).groupby(layers["profile_id"]).max()
    soil = layers[~litter].drop(columns="litter")
    top = soil.groupby("profile_id")["upper_depth"].transform("min")
    thick = soil["profile_id"].map(bottom)
    shift = thick.where(thick <= top, 0.0).fillna(0.0)
    return soil.assign(upper_depth=soil["upper_depth"] - shift, lower_depth=soil["lower_depth"] - shift)


def _wosis(layers: pd.DataFrame, source: str, min_layers: int) -> Profiles:
    layers = layers.copy()
    for column, factor in (
        ("upper_depth", 0.01), ("lower_depth", 0.01), ("bulk_density", 1000.0), ("coarse_fragments", 0.01),
    ):  # fmt: skip
        if column in layers:
            layers[column] = pd.to_numeric(layers[column], errors="coerce") * factor
    layers["organic_carbon"] = pd.to_numeric(layers["organic_carbon"], errors="coerce")
    return make_profiles(layers, min_layers=min_layers, source=source)
