"""Soil profiles: one tidy table, whatever the source.

Carbon is measured. Bulk density is measured or fitted (`landcarbon.datasets.bulk_density`), coarse
fragments are measured or taken as 0; flags say which.

Every profile that is read is accounted for: `Profiles.report` says for each whether it is used and,
if not, why. A profile with a faulty layer is dropped whole, since one wrong depth makes the others
doubtful. Layers are left out, one by one, only where nothing is wrong with the rest: no organic
carbon or no depth given, carbon of exactly zero (below detection), organic layers above the mineral
soil (negative depth), and exact repeats of a layer. What stands above the mineral soil is not judged.

====== ===================================== ======== ====== ========================
symbol meaning                               shape    unit   code name
====== ===================================== ======== ====== ========================
C_v    organic carbon per volume of soil     (layer,) gC m-3 layers.carbon_density
C_m    organic carbon per mass of fine earth (layer,) g kg-1 layers.organic_carbon
ρ      bulk density of the fine earth        (layer,) kg m-3 layers.bulk_density
v      coarse fragments, share of the volume (layer,) 1      layers.coarse_fragments
====== ===================================== ======== ====== ========================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from landcarbon.datasets.bulk_density import (
    AFSP_FIT,
    HIGHEST_DENSITY,
    LOWEST_DENSITY,
    BulkDensityFit,
    carbon_density,
    fit_bulk_density,
)
from landcarbon.datasets.readers import load
from landcarbon.matrix.errors import InputError, as_array, as_choice, as_kind, as_whole, is_mark
from landcarbon.models.process import HIGHEST_CARBON

if TYPE_CHECKING:
    from landcarbon.assimilation.observations import ProfileObservations

__all__ = ["Profiles", "join_profiles", "load_profiles", "make_profiles"]

UNITS = {
    "profile_id": "-",
    "latitude": "degrees_north",
    "longitude": "degrees_east",
    "upper_depth": "m",
    "lower_depth": "m",
    "organic_carbon": "g kg-1",
    "bulk_density": "kg m-3",
    "bulk_density_estimated": "-",
    "coarse_fragments": "1",
    "coarse_fragments_assumed": "-",
    "carbon_density": "gC m-3",
    "source": "-",
}
REQUIRED = ("profile_id", "latitude", "longitude", "upper_depth", "lower_depth", "organic_carbon")
OPTIONAL = ("bulk_density", "coarse_fragments", "source")
EXTRA = {"sand": "%", "clay": "%", "delta_14c": "per mil", "delta_14c_error": "per mil", "year": "yr"}
"""Further numbers of a layer that are kept where a table has them, and their units."""
COLLECTIONS = ("isis", "afsp", "he2016", "wosis_2023")
POOR_TOPSOIL = 2.5  # g kg-1; a collection whose upper 0.3 m holds less in the median is odd
POOR_SHARE = 0.1  # a profile with less of the median topsoil carbon may be written in percent
PEAT = 120.0  # g kg-1; from here on a soil is organic, and relations for mineral soil make it too dense
DEEPEST, SHALLOWEST = 8.0, 0.05  # m; a collection whose median profile ends beyond them is odd


@dataclass(frozen=True, eq=False)
class Profiles:
    """Soil profiles that can be used, and an account of all that were read.

    Attributes
    ----------
    layers : pandas.DataFrame
        One row a layer, sorted by profile and depth; columns and units in ``layers.attrs["units"]``.
    report : pandas.DataFrame
        One row a profile that was read: `used`, `reason` (empty if used), `layers_read`,
        `layers_used`, `note` (a doubt about a used profile, mostly empty).
    bulk_density_fit : BulkDensityFit or None
        The relation behind the rows flagged `bulk_density_estimated`; None if every density was given.
    synthetic : bool
        True for profiles of a twin world.
    """

    layers: pd.DataFrame
    report: pd.DataFrame
    bulk_density_fit: BulkDensityFit | None = None
    synthetic: bool = False
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return int(self.report["used"].sum())

    @property
    def ids(self) -> list[str]:
        """Names of the used profiles, in order."""
        return list(self.report.index[self.report["used"]])

    @property
    def sites(self) -> pd.DataFrame:
        """One row a used profile: latitude, longitude, number of layers, deepest depth [m], source."""
        groups = self.layers.groupby("profile_id", sort=False)
        sites = groups.agg(
            latitude=("latitude", "first"),
            longitude=("longitude", "first"),
            layers=("organic_carbon", "size"),
            deepest=("lower_depth", "max"),
            source=("source", "first"),
        ).loc[self.ids]
        sites.attrs = {"synthetic": self.synthetic}
        return sites

    def summary(self) -> pd.DataFrame:
        """How many profiles and layers were read, used and dropped, by reason; the columns add up."""
        dropped = self.report[~self.report["used"]]
        rows = [("read", len(self.report), int(self.report["layers_read"].sum()))]
        rows.append(("used", len(self), int(self.report["layers_used"].sum())))
        used = self.report[self.report["used"]]
        rows.append(
            (
                "layers of used profiles left out",
                0,
                int((used["layers_read"] - used["layers_used"]).sum()),
            )
        )
        for reason, group in dropped.groupby("reason"):
            rows.append((f"dropped: {reason}", len(group), int(group["layers_read"].sum())))
        return pd.DataFrame(rows, columns=["what", "profiles", "layers"]).set_index("what")

    def select(self, which: Any, reason: str | Mapping[str, str] = "not selected") -> Profiles:
        """Some of the used profiles: a boolean mask, positions, or a list of profile names.

        The report keeps all rows; those not selected carry `reason`, one for all or one a name.
        """
        ids = np.array(self.ids, dtype=object)
        as_kind("reason", reason, str, Mapping)
        which = np.atleast_1d(np.asarray(as_kind("which", which, "__iter__", hint="Give a mask, positions or names.")))
        if which.dtype.kind in "OUS":
            known = set(ids)
            unknown = [name for name in which if name not in known]
            if unknown:
                raise InputError(f"there is no used profile {str(unknown[0])!r}; see Profiles.ids.")
            chosen = list(which)
        else:
            try:
                chosen = list(ids[which])
            except IndexError as error:
                raise InputError(f"which cannot choose among {len(ids)} profiles: {error}.") from None
        if not chosen:
            raise InputError("no profile was selected; the mask or list is empty.")
        report = self.report.copy()
        out = report["used"] & ~report.index.isin(set(chosen))
        why = reason if isinstance(reason, str) else report.index[out].map(reason.get)
        report.loc[out, "reason"] = why
        report.loc[out, ["used", "layers_used"]] = [False, 0]
        rank = {name: k for k, name in enumerate(chosen)}
        order = np.argsort([rank.get(name, len(rank)) for name in report.index], kind="stable")
        report = report.iloc[order]
        layers = self.layers[self.layers["profile_id"].isin(rank)]
        by_rank = layers["profile_id"].map(rank).to_numpy()
        layers = layers.iloc[np.argsort(by_rank, kind="stable")].reset_index(drop=True)
        layers.attrs = dict(self.layers.attrs)
        return replace(self, layers=layers, report=report)

    def padded(self, *columns: str) -> tuple[NDArray[np.float64], ...]:
        """Columns of `layers` as arrays (site, layer), NaN where a profile has fewer layers."""
        position = pd.Series(np.arange(len(self)), index=self.ids)
        row = self.layers["profile_id"].map(position).to_numpy()
        column = self.layers.groupby("profile_id", sort=False).cumcount().to_numpy()
        arrays = []
        for name in columns:
            as_choice("column", name, self.layers.columns)
            array = np.full((len(self), int(column.max()) + 1), np.nan)
            array[row, column] = self.layers[name].to_numpy(float)
            arrays.append(array)
        return tuple(arrays)

    def to_observations(
        self,
        relative_error: float = 0.6,
        node_depth: ArrayLike | None = None,
        bottom: ArrayLike | None = None,
    ) -> ProfileObservations:
        """Observations for the assimilation, one site a profile, padded and masked.

        A layer stands at its middle. Layers whose middle is below `bottom` are masked.

        Parameters
        ----------
        relative_error : float
            Standard deviation of ln carbon density; 0.6 is what Tao et al. (2020,
            doi 10.3389/fdata.2020.00017) use for WoSIS profiles.
        node_depth : array_like, (layer,), optional
            Depths of the model's nodes, m; the 20 biogeochemical layers of CLM5 unless given.
        bottom : array_like, optional
            Bottom of the column, m: one number or one a site. The bottom of the deepest layer
            (8.6 m in CLM5) unless given.

        Returns
        -------
        landcarbon.assimilation.observations.ProfileObservations

        Raises
        ------
        InputError
            An error that is not positive; a profile without any layer above the bottom.
        """
        from landcarbon.assimilation.observations import ProfileObservations
        from landcarbon.matrix.layers import CLM5_LAYERS

        nodes = np.asarray(CLM5_LAYERS.node if node_depth is None else node_depth, dtype=float)
        if bottom is None:
            bottom = CLM5_LAYERS.bottom[-1] if node_depth is None else nodes[-1]
        upper, lower, value = self.padded("upper_depth", "lower_depth", "carbon_density")
        depth = 0.5 * (upper + lower)
        floor = np.broadcast_to(as_array("bottom", bottom), (len(self),))
        with np.errstate(invalid="ignore"):
            mask = depth <= floor[:, None]
        empty = ~mask.any(axis=1)
        if empty.any():
            name = self.ids[int(np.argmax(empty))]
            raise InputError(
                f"profile {name!r} has no layer above the bottom of the column at "
                f"{floor[int(np.argmax(empty))]:g} m; leave it out with Profiles.select."
            )
        return ProfileObservations(
            depth=np.where(mask, depth, 0.0),
            value=np.where(mask, value, 1.0),
            error=as_array("relative_error", relative_error, lower=0.0, strict=True),
            node_depth=nodes,
            bottom=floor,
            mask=mask,
        )


def make_profiles(
    layers: pd.DataFrame,
    *,
    min_layers: int = 3,
    source: str = "",
    bulk_density_fit: BulkDensityFit | None = None,
    unreadable: Mapping[str, str] | None = None,
    synthetic: bool = False,
    notes: tuple[str, ...] = (),
) -> Profiles:
    """Check a table of layers, profile by profile, and fill bulk density and coarse fragments.

    Parameters
    ----------
    layers : pandas.DataFrame
        Columns `profile_id`, `latitude`, `longitude` [degrees], `upper_depth`, `lower_depth` [m],
        `organic_carbon` [g kg-1]; optional `bulk_density` [kg m-3], `coarse_fragments` [1], `sand`,
        `clay` [%], `delta_14c`, `delta_14c_error` [per mil], `year`, `source`.
    min_layers : int
        Fewest layers with organic carbon a profile needs.
    source : str
        Name of the collection, where the table has no such column.
    bulk_density_fit : BulkDensityFit, optional
        Relation for missing densities. Unless given: fitted on this table where at least 50 layers
        have a density, else `AFSP_FIT`.
    unreadable : mapping, optional
        Reasons found while reading, profile name -> reason.
    synthetic : bool
        Marks profiles of a twin world.
    notes : tuple of str
        Kept with the result.

    Returns
    -------
    Profiles

    Raises
    ------
    InputError
        A column is missing, or not one profile can be used.
    """
    as_kind("layers", layers, "columns", hint="Give a table with a row for each layer.")
    notes = as_kind("notes", notes, tuple)
    frame, extra = _as_frame(layers, as_kind("source", source, str))
    as_whole("min_layers", min_layers, 1)
    frame, moved = _to_the_west(frame)
    names = pd.Index(frame["profile_id"].unique(), name="profile_id")
    sieve = _Sieve(frame, names)
    if frame.empty:
        raise InputError(_none_left(sieve.report))
    for name, reason in (unreadable or {}).items():
        sieve.drop([name], reason)
    for reason, broken in RULES.items():
        sieve.drop(frame.loc[broken(frame), "profile_id"], reason)
    good = _usable_layers(frame, sieve, min_layers)
    good, used_fit = _with_density(good, bulk_density_fit, source)
    too_dense = good["carbon_density"] > HIGHEST_CARBON
    sieve.drop(good.loc[too_dense, "profile_id"], f"more than {HIGHEST_CARBON / 1000:.0f} kg carbon per m3")
    good = sieve.left(good).reset_index(drop=True)
    report = sieve.report
    if good.empty:
        raise InputError(_none_left(report))
    report["layers_used"] = good.groupby("profile_id").size().reindex(names, fill_value=0).where(report["used"], 0)
    notes += moved + _not_measured(good, used_fit) + _doubts(good, report)
    good = good[[*UNITS, *extra]]
    good.attrs = {"units": UNITS | {c: EXTRA[c] for c in extra}, "synthetic": synthetic}
    return Profiles(good, report, used_fit, synthetic, notes)


def _as_frame(layers: pd.DataFrame, source: str) -> tuple[pd.DataFrame, list[str]]:
    """The columns that are known, as numbers; marks for gaps become NaN."""
    lacking = [column for column in REQUIRED if column not in layers]
    if lacking:
        raise InputError(f"the table of layers has no column {lacking[0]!r}; it needs {', '.join(REQUIRED)}.")
    frame = pd.DataFrame({column: layers[column] for column in REQUIRED}).reset_index(drop=True)
    for column in (*OPTIONAL, *EXTRA):
        frame[column] = layers[column].to_numpy() if column in layers else source if column == "source" else np.nan
    if frame["profile_id"].isna().any():
        row = int(np.argmax(frame["profile_id"].isna().to_numpy()))
        raise InputError(f"row {row} of the table of layers has no profile name in 'profile_id'.")
    frame["profile_id"] = frame["profile_id"].astype(str)
    extra = [c for c in EXTRA if frame[c].notna().any()]
    for column in (*REQUIRED[1:], "bulk_density", "coarse_fragments", *extra):
        try:
            numbers = frame[column].astype(float)
        except (TypeError, ValueError) as error:
            raise InputError(f"column {column!r} of the table of layers holds more than numbers: {error}.") from None
        frame[column] = numbers.mask(is_mark(numbers.to_numpy()) | (numbers == -999.0))
    return frame, extra


def _to_the_west(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Longitudes from 0 to 360 as −180 to 180, where the whole table is written so."""
    lon = frame["longitude"]
    if lon.min() < 0 or not lon.between(180.0, 360.0, inclusive="right").any() or frame["latitude"].abs().max() > 90:
        return frame, ()
    moved = frame.assign(longitude=lon.where(~lon.between(180.0, 360.0, inclusive="right"), lon - 360.0))
    return moved, ("longitudes run from 0 to 360; those above 180 were read as west of Greenwich",)


class _Sieve:
    """The account of a table: which profiles are still in use, and why the others are not."""

    def __init__(self, frame: pd.DataFrame, names: pd.Index) -> None:
        self.report = pd.DataFrame(index=names)
        self.report["used"] = True
        self.report["reason"] = ""
        self.report["layers_read"] = frame.groupby("profile_id", sort=False).size()
        self.report["layers_used"] = 0
        self.report["note"] = ""

    def drop(self, who: Iterable[Any], reason: str) -> None:
        where = self.report["used"] & self.report.index.isin(set(who))
        self.report.loc[where, "used"] = False
        self.report.loc[where, "reason"] = reason

    def left(self, rows: pd.DataFrame) -> pd.DataFrame:
        return rows[rows["profile_id"].isin(self.report.index[self.report["used"]])]


def _mineral(f: pd.DataFrame) -> pd.Series:
    """Not above the mineral soil: what is left out is not judged."""
    return ~(f["upper_depth"] < 0)


def _outside(values: pd.Series, lower: float, upper: float) -> pd.Series:
    return (values < lower) | (values > upper)


Rule = Callable[[pd.DataFrame], "pd.Series"]
RULES: dict[str, Rule] = {
    "no coordinates": lambda f: f["latitude"].isna() | f["longitude"].isna(),
    "latitude and longitude swapped": lambda f: (
        (f["latitude"].abs() > 90) & (f["latitude"].abs() <= 180) & (f["longitude"].abs() <= 90)
    ),
    "coordinates out of range": lambda f: (f["latitude"].abs() > 90) | (f["longitude"].abs() > 180),
    "more than one place": lambda f: (
        f.groupby("profile_id")[["latitude", "longitude"]].transform("nunique").max(axis=1) > 1
    ),
    "depth upside down": lambda f: (f["lower_depth"] <= f["upper_depth"]) & f["organic_carbon"].notna(),
    "infinite depth": lambda f: np.isinf(f["upper_depth"]) | np.isinf(f["lower_depth"]),
    "negative carbon": lambda f: f["organic_carbon"] < 0,
    "more than 1000 g carbon per kg": lambda f: (f["organic_carbon"] > 1000) & _mineral(f),
    "coarse fragments outside 0 to 1": lambda f: _outside(f["coarse_fragments"], 0, 1) & _mineral(f),
    f"bulk density outside {LOWEST_DENSITY:.0f} to {HIGHEST_DENSITY:.0f} kg m-3": lambda f: (
        _outside(f["bulk_density"], LOWEST_DENSITY, HIGHEST_DENSITY) & _mineral(f)
    ),
}
"""What one layer can have that makes its whole profile doubtful, in the order in which it is asked."""


def _usable_layers(frame: pd.DataFrame, sieve: _Sieve, min_layers: int) -> pd.DataFrame:
    """The layers that say something of carbon, of profiles that have enough of them."""
    names = sieve.report.index
    upper = frame["upper_depth"]
    carbon = frame["organic_carbon"] > 0
    complete = frame[["upper_depth", "lower_depth"]].notna().all(axis=1)
    # A fully stony layer holds no fine earth, so it says nothing of ln carbon.
    usable = complete & carbon & (upper >= 0) & ~(frame["coarse_fragments"] >= 1)
    good = sieve.left(frame[usable])
    key = ["profile_id", "upper_depth", "lower_depth"]
    good = good.sort_values(key, kind="stable").drop_duplicates([*key, "organic_carbon"])
    sieve.drop(good.loc[good.duplicated(key), "profile_id"], "two values for one layer")
    following = good.groupby("profile_id")["upper_depth"].shift(-1)
    sieve.drop(good.loc[following < good["lower_depth"] - 1e-9, "profile_id"], "overlapping layers")
    good = sieve.left(good)
    count = good.groupby("profile_id").size().reindex(names, fill_value=0)
    above = frame.loc[carbon & (upper < 0), "profile_id"]
    without = names[count == 0]
    sieve.drop(without[without.isin(above)], "organic carbon above the mineral soil only")
    sieve.drop(without, "no organic carbon")
    sieve.drop(names[count < min_layers], f"fewer than {min_layers} layers with organic carbon")
    good = sieve.left(good)
    sieve.drop(_repeated(good), "repeats another profile")
    good = sieve.left(good)
    if good.empty:
        raise InputError(_none_left(sieve.report))
    rank = pd.Series(np.arange(len(names)), index=names)
    good = good.assign(_rank=good["profile_id"].map(rank)).sort_values(["_rank", "upper_depth"], kind="stable")
    return good.drop(columns="_rank").reset_index(drop=True)


def _with_density(
    good: pd.DataFrame, fit: BulkDensityFit | None, source: str
) -> tuple[pd.DataFrame, BulkDensityFit | None]:
    """Bulk density and coarse fragments where they are missing, and carbon per volume."""
    good = good.assign(bulk_density_estimated=good["bulk_density"].isna())
    used_fit = None
    if good["bulk_density_estimated"].any():
        try:
            used_fit = fit or fit_bulk_density(good, source)
        except InputError:
            used_fit = AFSP_FIT
        estimate = pd.Series(used_fit.predict(good["organic_carbon"]), index=good.index)
        good["bulk_density"] = good["bulk_density"].fillna(estimate)
    good["coarse_fragments_assumed"] = good["coarse_fragments"].isna()
    good["coarse_fragments"] = good["coarse_fragments"].fillna(0.0)
    good["carbon_density"] = carbon_density(good["organic_carbon"], good["bulk_density"], good["coarse_fragments"])
    return good, used_fit


def _not_measured(good: pd.DataFrame, fit: BulkDensityFit | None) -> tuple[str, ...]:
    """What was estimated or assumed, for how many of the layers."""
    notes: tuple[str, ...] = ()
    if fit is not None:
        notes += (f"bulk density of {good['bulk_density_estimated'].mean():.0%} of the layers is estimated: {fit}",)
    if good["coarse_fragments_assumed"].any():
        notes += (f"coarse fragments of {good['coarse_fragments_assumed'].mean():.0%} of the layers are taken as 0",)
    return notes


def _doubts(good: pd.DataFrame, report: pd.DataFrame) -> tuple[str, ...]:
    """What is possible but odd: of the collection, and of single profiles into their `note`."""
    notes: tuple[str, ...] = ()
    topsoil = good.loc[good["upper_depth"] < 0.3]
    top = topsoil["organic_carbon"].median()
    own = topsoil.groupby("profile_id")["organic_carbon"].median().reindex(report.index)
    poor = report["used"] & (own < POOR_SHARE * top)
    report.loc[poor, "note"] = [
        f"upper 0.3 m holds {value:.2g} g kg-1 where the median profile holds {top:.2g}: in percent?"
        for value in own[poor]
    ]
    peat = good[good["bulk_density_estimated"] & (good["organic_carbon"] >= PEAT)]
    for name, count in peat.groupby("profile_id").size().items():
        text = f"bulk density of {count} organic layer(s) is estimated by a relation for mineral soil: too much carbon?"
        report.loc[name, "note"] = "; ".join(filter(None, [report.loc[name, "note"], text]))
    if top < POOR_TOPSOIL:
        notes += (
            f"the median carbon of the upper 0.3 m is {top:.2g} g kg-1, less than in most deserts: is "
            "the column in percent, not in g kg-1?",
        )
    deepest = good.groupby("profile_id")["lower_depth"].max().median()
    if not SHALLOWEST <= deepest <= DEEPEST:
        unit = "cm, not in m" if deepest > DEEPEST else "m, not in cm"
        notes += (f"the median profile is {deepest:.3g} m deep: are the depths in {unit}?",)
    return notes + _at_sea(good)


def _at_sea(good: pd.DataFrame) -> tuple[str, ...]:
    from landcarbon.datasets.outlines import inside

    sites = good.drop_duplicates("profile_id")
    sites = sites.iloc[:: max(1, len(sites) // 200)]
    lat, lon = sites["latitude"].to_numpy(), sites["longitude"].to_numpy()
    wet = ~inside(lat, lon)
    could = wet & (np.abs(lon) <= 90)
    if wet.mean() <= 0.5 or not could.any() or inside(lon[could], lat[could]).mean() <= 0.5:
        return ()
    return (f"{wet.mean():.0%} of the places lie in the sea: are latitude and longitude swapped?",)


def _none_left(report: pd.DataFrame) -> str:
    if report.empty:
        return "the table of layers has no rows."
    found = "; ".join(f"{n} {reason}" for reason, n in report["reason"].value_counts().items())
    return f"none of the {len(report)} profiles can be used: {found}."


def _repeated(layers: pd.DataFrame) -> list[str]:
    """Profiles with the same place and the same layers as an earlier one."""
    columns = ["latitude", "longitude", "upper_depth", "lower_depth", "organic_carbon"]
    seen: set[bytes] = set()
    again = []
    for name, group in layers.groupby("profile_id", sort=False):
        mark = group[columns].to_numpy(float).round(9).tobytes()  # units leave rounding behind
        if mark in seen:
            again.append(str(name))
        seen.add(mark)
    return again


def join_profiles(*collections: Profiles) -> Profiles:
    """Several collections as one.

    Parameters
    ----------
    *collections : Profiles
        A profile whose name stands in two of them gets the source in front: "isis:CN1".

    Returns
    -------
    Profiles
        Each keeps the bulk densities it was given by its own relation, which is named in `notes`.

    Raises
    ------
    InputError
        None given; measured and synthetic ones together; names that stay alike.
    """
    if not collections:
        raise InputError("join_profiles needs at least one collection.")
    for one in collections:
        as_kind("a collection", one, Profiles, hint="Such as make_profiles returns.")
    if len(collections) == 1:
        return collections[0]
    if len({c.synthetic for c in collections}) > 1:
        raise InputError("measured and synthetic profiles must not be joined.")
    names = pd.concat([c.report.index.to_series() for c in collections])
    twice = set(names[names.duplicated()])
    layers, reports, notes = [], [], []
    for one in collections:
        source = str(one.layers["source"].iloc[0])
        new = {name: f"{source}:{name}" if name in twice else name for name in one.report.index}
        layers.append(one.layers.assign(profile_id=one.layers["profile_id"].map(new)))
        reports.append(one.report.set_axis(one.report.index.map(new)))
        notes += [f"{source}: {note}" for note in one.notes]
    report = pd.concat(reports).rename_axis("profile_id")
    if report.index.has_duplicates:
        name = report.index[report.index.duplicated()][0]
        raise InputError(f"the profile {name!r} stands in two collections of one source; rename it.")
    joined = pd.concat(layers, ignore_index=True)
    again = _repeated(joined)
    report.loc[again, ["used", "layers_used", "reason"]] = [False, 0, "repeats another profile"]
    joined = joined[~joined["profile_id"].isin(again)].reset_index(drop=True)
    joined.attrs = dict(collections[0].layers.attrs)
    return Profiles(joined, report, None, collections[0].synthetic, tuple(notes))


def load_profiles(name: str, min_layers: int = 3) -> Profiles:
    """Profiles of a registered collection.

    Parameters
    ----------
    name : {"isis", "afsp", "he2016", "wosis_2023"}
        Which collection. `wosis_2023`, 135,655 profiles with organic carbon, comes as an archive of 446 MB;
        the size is said before, and no hash of it is known (:mod:`landcarbon.datasets.wosis`).
    min_layers : int
        Fewest layers with organic carbon a profile needs.

    Returns
    -------
    Profiles

    Raises
    ------
    InputError
        Another name.
    DataUnavailable
        The file is not here and cannot be fetched.
    """
    if name not in COLLECTIONS:
        raise InputError(f"{name!r} is no collection of soil profiles; there are {', '.join(map(repr, COLLECTIONS))}.")
    if name == "wosis_2023":
        from landcarbon.datasets import profile_files, wosis

        return profile_files.read_wosis_2023(wosis.tables(), min_layers)
    layers = load(name)
    notes: tuple[str, ...] = ("organic layers above the mineral soil are left out",)
    if name == "he2016":
        filled = ~layers["bulk_density_measured"] & layers["bulk_density"].notna()
        notes += (f"bulk density of {filled.mean():.0%} of the layers was filled in by the authors",)
    if name == "isis":
        layers = _spread_bulk_density(layers)
        notes += ("bulk density stands in rows of its own and is carried to the layers around it",)
    return make_profiles(layers, min_layers=min_layers, source=name, notes=notes)


def _spread_bulk_density(layers: pd.DataFrame) -> pd.DataFrame:
    """Carry bulk density from rows of its own to the layers they lie in.

    In ISIS density rings have their own rows (often 5 cm of a thicker horizon). A layer gets the mean
    of the rings it overlaps, weighted by the overlap; the ring rows themselves are dropped.
    """
    layers = layers.copy()
    ring = layers["bulk_density"].notna() & layers["organic_carbon"].isna()
    rings = layers.loc[ring, ["profile_id", "upper_depth", "lower_depth", "bulk_density"]]
    rings = rings[rings["lower_depth"] > rings["upper_depth"]]
    want = layers["organic_carbon"].notna() & layers["bulk_density"].isna()
    row = layers.loc[want, ["profile_id", "upper_depth", "lower_depth"]].reset_index(names="row")
    pair = row.merge(rings, on="profile_id", suffixes=("", "_ring"))
    bottom = pair[["lower_depth", "lower_depth_ring"]].min(axis=1)
    top = pair[["upper_depth", "upper_depth_ring"]].max(axis=1)
    pair["overlap"] = (bottom - top).clip(lower=0.0)
    pair = pair[pair["overlap"] > 0]
    pair["weighted"] = pair["overlap"] * pair["bulk_density"]
    sums = pair.groupby("row")[["overlap", "weighted"]].sum()
    layers.loc[sums.index, "bulk_density"] = sums["weighted"] / sums["overlap"]
    return layers[~ring]
