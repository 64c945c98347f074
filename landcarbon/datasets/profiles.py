"""Soil profiles: one tidy table, whatever the source.

::

    C_v = C_m · ρ · (1 − v)                         carbon density of a layer
    ln ρ = a + b √C_m + e,   e ~ Normal(0, s²)      bulk density where it was not measured

====== ===================================== ======== ====== ========================
symbol meaning                               shape    unit   code name
====== ===================================== ======== ====== ========================
C_v    organic carbon per volume of soil     (layer,) gC m-3 layers.carbon_density
C_m    organic carbon per mass of fine earth (layer,) g kg-1 layers.organic_carbon
ρ      bulk density of the fine earth        (layer,) kg m-3 layers.bulk_density
v      coarse fragments, share of the volume (layer,) 1      layers.coarse_fragments
a, b   fitted on the layers that have both   ()              BulkDensityFit
s      residual standard deviation of ln ρ   ()       1      BulkDensityFit.sd
====== ===================================== ======== ====== ========================

Carbon is measured. Bulk density is measured or fitted, coarse fragments are measured or taken as 0;
flags say which.

Every profile that is read is accounted for: `Profiles.report` says for each whether it is used and,
if not, why. A profile with a faulty layer is dropped whole, since one wrong depth makes the others
doubtful. Layers are left out, one by one, only where nothing is wrong with the rest: no organic
carbon or no depth given, carbon of exactly zero (below detection), organic layers above the mineral
soil (negative depth), and exact repeats of a layer.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from landcarbon.datasets.readers import load
from landcarbon.matrix.errors import InputError, as_array

if TYPE_CHECKING:
    from landcarbon.assimilation.observations import ProfileObservations

__all__ = [
    "AFSP_FIT",
    "BulkDensityFit",
    "Profiles",
    "carbon_density",
    "fit_bulk_density",
    "join_profiles",
    "load_profiles",
    "make_profiles",
    "read_profiles_csv",
    "read_wosis_2019",
    "read_wosis_2023",
]

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
OPTIONAL = ("bulk_density", "coarse_fragments", "sand", "clay", "source")
LOWEST_DENSITY, HIGHEST_DENSITY = 20.0, 2650.0  # kg m-3: loose peat, and quartz without pores
POOR_TOPSOIL = 2.5  # g kg-1; a collection whose upper 0.3 m holds less in the median is odd
POOR_SHARE = 0.1  # a profile with less of the median topsoil carbon may be written in percent
HIGHEST_CARBON = 250e3  # gC m-3: dense peat holds about 140e3, organic matter without pores 750e3


def carbon_density(
    organic_carbon: ArrayLike, bulk_density: ArrayLike, coarse_fragments: ArrayLike = 0.0
) -> NDArray[np.float64]:
    """Organic carbon per volume of soil.

    Parameters
    ----------
    organic_carbon : array_like
        Organic carbon of the fine earth, g kg-1.
    bulk_density : array_like
        Bulk density of the fine earth, kg m-3.
    coarse_fragments : array_like
        Share of the volume taken by coarse fragments, 0 to 1.

    Returns
    -------
    ndarray
        gC m-3.

    Raises
    ------
    InputError
        NaN, carbon outside 0 to 1000 g kg-1, density not positive, fragments outside 0 to 1.

    Examples
    --------
    >>> float(carbon_density(10.0, 1300.0, 0.2))
    10400.0
    """
    c = as_array("organic_carbon", organic_carbon, lower=0.0, upper=1000.0, hint="The unit is g kg-1.")
    rho = as_array("bulk_density", bulk_density, lower=0.0, strict=True, hint="The unit is kg m-3.")
    v = as_array("coarse_fragments", coarse_fragments, lower=0.0, upper=1.0, hint="It is a fraction.")
    return c * rho * (1.0 - v)


@dataclass(frozen=True)
class BulkDensityFit:
    """ln(bulk density in kg m-3) = intercept + slope · √(organic carbon in g kg-1).

    Parameters
    ----------
    intercept, slope : float
        Coefficients, by least squares.
    sd : float
        Standard deviation of the residuals of ln bulk density.
    r2 : float
        Explained share of the variance of ln bulk density.
    n : int
        Layers the fit rests on.
    source : str
        Which layers.
    """

    intercept: float
    slope: float
    sd: float
    r2: float
    n: int
    source: str

    def predict(self, organic_carbon: ArrayLike) -> NDArray[np.float64]:
        """Median bulk density, kg m-3, of soil with this organic carbon, g kg-1."""
        c = as_array("organic_carbon", organic_carbon, lower=0.0, upper=1000.0)
        return np.exp(self.intercept + self.slope * np.sqrt(c))

    def __str__(self) -> str:
        return (
            f"ln bulk density = {self.intercept:.3f} {self.slope:+.4f} sqrt(organic carbon): "
            f"n = {self.n}, R2 = {self.r2:.2f}, residual sd = {self.sd:.2f} ({self.source})"
        )


# Coefficients of `fit_bulk_density(load("afsp"))`, for files with too few measured densities.
AFSP_FIT = BulkDensityFit(7.4040, -0.07030, 0.1727, 0.288, 7280, "Africa Soil Profiles")
FEWEST_FOR_FIT = 50


def fit_bulk_density(layers: pd.DataFrame, source: str = "") -> BulkDensityFit:
    """Fit bulk density to organic carbon on the layers that have both.

    Parameters
    ----------
    layers : pandas.DataFrame
        Columns `organic_carbon` [g kg-1] and `bulk_density` [kg m-3].
    source : str
        What the layers are.

    Returns
    -------
    BulkDensityFit

    Raises
    ------
    InputError
        Fewer than 50 such layers.
    """
    c, rho = layers["organic_carbon"].to_numpy(float), layers["bulk_density"].to_numpy(float)
    with np.errstate(invalid="ignore"):
        use = (c >= 0) & (c <= 1000) & (rho >= LOWEST_DENSITY) & (rho <= HIGHEST_DENSITY)
    n = int(use.sum())
    if n < FEWEST_FOR_FIT:
        raise InputError(
            f"only {n} layers have both organic carbon and bulk density; a fit needs at least "
            f"{FEWEST_FOR_FIT}. Use AFSP_FIT, which was fitted on 7,280 African layers."
        )
    x, y = np.sqrt(c[use]), np.log(rho[use])
    slope = float(np.cov(x, y, bias=True)[0, 1] / x.var())
    intercept = float(y.mean() - slope * x.mean())
    rest = y - intercept - slope * x
    sd = float(np.sqrt((rest**2).sum() / (n - 2)))
    return BulkDensityFit(intercept, slope, sd, float(1 - rest.var() / y.var()), n, source)


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
        which = np.asarray(which)
        if which.dtype.kind in "OUS":
            unknown = [name for name in which if name not in set(ids)]
            if unknown:
                raise InputError(f"there is no used profile {str(unknown[0])!r}; see Profiles.ids.")
            chosen = list(which)
        else:
            chosen = list(ids[which])
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
        `clay` [%], `source`.
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
    lacking = [column for column in REQUIRED if column not in layers]
    if lacking:
        raise InputError(
            f"the table of layers has no column {lacking[0]!r}; it needs {', '.join(REQUIRED)}."
        )
    frame = pd.DataFrame({column: layers[column] for column in REQUIRED}).reset_index(drop=True)
    for column in OPTIONAL:
        frame[column] = (
            layers[column].to_numpy() if column in layers else source if column == "source" else np.nan
        )
    if min_layers != int(min_layers) or min_layers < 1:
        raise InputError(f"min_layers is a whole number, at least 1, but {min_layers!r} was given.")
    if frame["profile_id"].isna().any():
        row = int(np.argmax(frame["profile_id"].isna().to_numpy()))
        raise InputError(f"row {row} of the table of layers has no profile name in 'profile_id'.")
    frame["profile_id"] = frame["profile_id"].astype(str)
    extra = [c for c in ("sand", "clay") if frame[c].notna().any()]
    for column in (*REQUIRED[1:], "bulk_density", "coarse_fragments", *extra):
        try:
            frame[column] = frame[column].astype(float)
        except (TypeError, ValueError) as error:
            raise InputError(f"column {column!r} of the table of layers holds more than numbers: {error}.") from None

    names = pd.Index(frame["profile_id"].unique(), name="profile_id")
    report = pd.DataFrame(index=names)
    report["used"] = True
    report["reason"] = ""
    report["layers_read"] = frame.groupby("profile_id", sort=False).size()
    report["layers_used"] = 0
    report["note"] = ""

    def drop(who: Any, reason: str) -> None:
        where = report["used"] & report.index.isin(set(who))
        report.loc[where, "used"] = False
        report.loc[where, "reason"] = reason

    for name, reason in (unreadable or {}).items():
        drop([name], reason)

    def faulty(rows: pd.Series) -> pd.Series:
        return frame.loc[rows, "profile_id"]

    lat, lon = frame["latitude"], frame["longitude"]
    drop(faulty(lat.isna() | lon.isna()), "no coordinates")
    drop(faulty((lat.abs() > 90) & (lat.abs() <= 180) & (lon.abs() <= 90)), "latitude and longitude swapped")
    drop(faulty((lat.abs() > 90) | (lon.abs() > 180)), "coordinates out of range")
    place = frame.groupby("profile_id")[["latitude", "longitude"]].nunique().max(axis=1)
    drop(place.index[place > 1], "more than one place")
    upper, lower = frame["upper_depth"], frame["lower_depth"]
    drop(faulty((lower <= upper) & frame["organic_carbon"].notna()), "depth upside down")
    drop(faulty(np.isinf(upper) | np.isinf(lower)), "infinite depth")
    drop(faulty(frame["organic_carbon"] < 0), "negative carbon")
    drop(faulty(frame["organic_carbon"] > 1000), "more than 1000 g carbon per kg")
    drop(faulty((frame["coarse_fragments"] < 0) | (frame["coarse_fragments"] > 1)), "coarse fragments outside 0 to 1")
    density = frame["bulk_density"]
    drop(
        faulty((density < LOWEST_DENSITY) | (density > HIGHEST_DENSITY)),
        f"bulk density outside {LOWEST_DENSITY:.0f} to {HIGHEST_DENSITY:.0f} kg m-3",
    )

    complete = frame[["upper_depth", "lower_depth"]].notna().all(axis=1)
    usable = complete & (frame["organic_carbon"] > 0) & (upper >= 0)
    # A fully stony layer holds no fine earth, so it says nothing of ln carbon.
    usable &= ~(frame["coarse_fragments"] >= 1)
    good = frame[usable & frame["profile_id"].isin(names[report["used"]])]
    good = good.sort_values(["profile_id", "upper_depth", "lower_depth"], kind="stable")
    key = ["profile_id", "upper_depth", "lower_depth"]
    good = good.drop_duplicates([*key, "organic_carbon"])
    drop(good.loc[good.duplicated(key), "profile_id"], "two values for one layer")
    following = good.groupby("profile_id")["upper_depth"].shift(-1)
    drop(good.loc[following < good["lower_depth"] - 1e-9, "profile_id"], "overlapping layers")
    good = good[good["profile_id"].isin(names[report["used"]])]
    count = good.groupby("profile_id").size().reindex(names, fill_value=0)
    drop(names[count == 0], "no organic carbon")
    drop(names[count < min_layers], f"fewer than {min_layers} layers with organic carbon")
    good = good[good["profile_id"].isin(names[report["used"]])]
    same = _repeated(good)
    drop(same, "repeats another profile")
    good = good[good["profile_id"].isin(names[report["used"]])]
    rank = pd.Series(np.arange(len(names)), index=names)
    good = good.assign(_rank=good["profile_id"].map(rank)).sort_values(
        ["_rank", "upper_depth"], kind="stable"
    )
    good = good.drop(columns="_rank").reset_index(drop=True)
    if good.empty:
        raise InputError(_none_left(report))
    good["bulk_density_estimated"] = good["bulk_density"].isna()
    used_fit = None
    if good["bulk_density_estimated"].any():
        try:
            used_fit = bulk_density_fit or fit_bulk_density(good, source)
        except InputError:
            used_fit = AFSP_FIT
        good["bulk_density"] = good["bulk_density"].fillna(
            pd.Series(used_fit.predict(good["organic_carbon"]), index=good.index)
        )
    good["coarse_fragments_assumed"] = good["coarse_fragments"].isna()
    good["coarse_fragments"] = good["coarse_fragments"].fillna(0.0)
    good["carbon_density"] = carbon_density(
        good["organic_carbon"], good["bulk_density"], good["coarse_fragments"]
    )
    too_dense = good["carbon_density"] > HIGHEST_CARBON
    drop(good.loc[too_dense, "profile_id"], f"more than {HIGHEST_CARBON / 1000:.0f} kg carbon per m3")
    good = good[good["profile_id"].isin(names[report["used"]])].reset_index(drop=True)
    if good.empty:
        raise InputError(_none_left(report))
    report["layers_used"] = (
        good.groupby("profile_id").size().reindex(names, fill_value=0).where(report["used"], 0)
    )
    topsoil = good.loc[good["upper_depth"] < 0.3]
    top = topsoil["organic_carbon"].median()
    own = topsoil.groupby("profile_id")["organic_carbon"].median().reindex(names)
    poor = report["used"] & (own < POOR_SHARE * top)
    report.loc[poor, "note"] = [
        f"upper 0.3 m holds {value:.2g} g kg-1 where the median profile holds {top:.2g}: in percent?"
        for value in own[poor]
    ]
    if top < POOR_TOPSOIL:
        notes += (
            f"the median carbon of the upper 0.3 m is {top:.2g} g kg-1, less than in most deserts: is "
            "the column in percent, not in g kg-1?",
        )
    good = good[[*UNITS, *extra]]
    good.attrs = {"units": UNITS | {c: "%" for c in extra}, "synthetic": synthetic}
    return Profiles(good, report, used_fit, synthetic, notes)


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
        mark = group[columns].to_numpy().tobytes()
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
        notes += [f"{source}: {one.bulk_density_fit}"] if one.bulk_density_fit else []
    report = pd.concat(reports).rename_axis("profile_id")
    if report.index.has_duplicates:
        name = report.index[report.index.duplicated()][0]
        raise InputError(f"the profile {name!r} stands in two collections of one source; rename it.")
    joined = pd.concat(layers, ignore_index=True)
    joined.attrs = dict(collections[0].layers.attrs)
    return Profiles(joined, report, None, collections[0].synthetic, tuple(notes))


def load_profiles(name: str, min_layers: int = 3) -> Profiles:
    """Profiles of a registered collection.

    Parameters
    ----------
    name : {"isis", "afsp"}
        Which collection.
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
    if name not in ("isis", "afsp"):
        raise InputError(f"{name!r} is no collection of soil profiles; there are 'isis' and 'afsp'.")
    layers = load(name)
    notes: tuple[str, ...] = ("organic layers above the mineral soil are left out",)
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


# --- a tidy CSV of one's own ---------------------------------------------------------------------

_ALIASES = {
    "profile_id": ("profile_id", "profile", "id", "site", "site_id"),
    "latitude": ("latitude", "lat"),
    "longitude": ("longitude", "lon", "long"),
    "upper_depth": ("upper_depth", "upper", "top", "upper_limit"),
    "lower_depth": ("lower_depth", "lower", "bottom", "lower_limit"),
    "organic_carbon": ("organic_carbon", "orgc", "oc", "soc", "carbon"),
    "bulk_density": ("bulk_density", "bd", "bdod"),
    "coarse_fragments": ("coarse_fragments", "coarse", "cfvo", "stones"),
    "sand": ("sand",),
    "clay": ("clay",),
    "source": ("source",),
}
_NAMED = {alias: name for name, aliases in _ALIASES.items() for alias in aliases}
_UNITLESS = ("profile_id", "source")
_MISSING = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "-nan", "NULL", "null", "None", "<NA>")
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
    """Name and unit of a column: ``organic_carbon [g/kg]``, ``bd (g/cm3)``, ``orgc_pct``, ``top_cm``."""
    bracket = re.fullmatch(r"\s*(.+?)\s*[\[(](.*)[\])]\s*", header)
    if bracket:
        return bracket[1].strip().lower().replace(" ", "_"), bracket[2]
    plain = header.strip().lower().replace(" ", "_")
    if plain in _NAMED:
        return plain, None
    for cut in range(1, plain.count("_") + 1):
        parts = plain.rsplit("_", cut)
        if parts[0] in _NAMED:
            return parts[0], "".join(parts[1:])
    return plain, None


def read_profiles_csv(
    path: str | Path,
    units: Mapping[str, str] | None = None,
    *,
    min_layers: int = 3,
    sep: str = ",",
    decimal: str = ".",
) -> Profiles:
    """Read one's own profiles from a tidy CSV file: one row a layer.

    Columns: `profile_id`, `latitude`, `longitude`, `upper_depth`, `lower_depth`, `organic_carbon`, and if
    there are any `bulk_density`, `coarse_fragments`, `sand`, `clay`, `source`. Depths, carbon, density and
    the rest carry their unit in the header: ``organic_carbon [g/kg]``, ``orgc_pct``, ``top_cm``,
    ``bulk_density (g/cm3)``. Other columns are ignored and named in `Profiles.notes`.

    Parameters
    ----------
    path : str or Path
        The file.
    units : mapping, optional
        Column header -> unit, for files whose header cannot be changed.
    min_layers : int
        Fewest layers with organic carbon a profile needs.
    sep, decimal : str
        Column separator and decimal mark of the file.

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
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {path}.")
    raw = _read_text(path, sep)
    if raw.shape[1] == 1 and any(mark in str(raw.columns[0]) for mark in ";\t,"):
        raise InputError(
            f"{path.name} seems to have one column only, {str(raw.columns[0])[:60]!r}. Say which mark "
            "separates the columns, sep=';' or sep='\\t' (and decimal=',' where that is the habit), or save it "
            "with commas between the columns."
        )
    given = dict(units or {})
    unknown = [header for header in given if header not in raw.columns]
    if unknown:
        raise InputError(
            f"units names the column {unknown[0]!r}, but {path.name} has {', '.join(map(str, raw.columns))}."
        )
    columns: dict[str, tuple[str, float]] = {}
    ignored = []
    for header in raw.columns:
        once = re.sub(r"\.\d+$", "", str(header))  # pandas numbers a header that stands there twice
        label, unit = _split_header(once if once in raw.columns else str(header))
        name = _NAMED.get(label)
        if name is None:
            ignored.append(str(header))
            continue
        if name in columns:
            raise InputError(
                f"{path.name} has two columns for {name}: {columns[name][0]!r} and {header!r}. Keep one."
            )
        unit = given.get(header, unit)
        if name in _UNITLESS or (name in ("latitude", "longitude") and unit is None):
            columns[name] = (header, 1.0)
            continue
        known = _FACTORS[name]
        if unit is None:
            raise InputError(
                f"column {header!r} of {path.name} has no unit. Name it for instance "
                f"'{header} [{_EXAMPLE[name]}]', or pass units={{{header!r}: {_EXAMPLE[name]!r}}}."
            )
        if _unit_key(unit) not in known:
            raise InputError(
                f"column {header!r} of {path.name} is in {unit!r}, which is no unit known for {name}. "
                f"Known are {', '.join(_readable(key) for key in known)}."
            )
        columns[name] = (header, known[_unit_key(unit)])
    lacking = [name for name in REQUIRED if name not in columns]
    if lacking:
        alias = " or ".join(repr(a) for a in _ALIASES[lacking[0]][1:3])
        raise InputError(
            f"{path.name} has no column {lacking[0]!r} (also understood: {alias}). Its columns are "
            f"{', '.join(map(repr, raw.columns)):.300}."
        )
    if raw.empty:
        raise InputError(f"{path.name} has a header but no layers below it.")
    layers = pd.DataFrame(index=raw.index)
    unreadable: dict[str, str] = {}
    ids = raw[columns["profile_id"][0]].fillna("").str.strip()
    if (ids == "").any():
        row = int(np.argmax((ids == "").to_numpy())) + 2
        raise InputError(f"line {row} of {path.name} has no profile name in column {columns['profile_id'][0]!r}.")
    for name, (header, factor) in columns.items():
        if name in _UNITLESS:
            text = raw[header].str.strip()
            layers[name] = text.where(text != "")
            continue
        text = raw[header].str.strip()
        text = text.where(~text.isin(_MISSING))
        text = text.str.replace(decimal, ".", regex=False) if decimal != "." else text
        number = pd.to_numeric(text, errors="coerce")
        number = number.where(np.isfinite(number))
        bad = number.isna() & text.notna()
        for who in ids[bad]:
            unreadable.setdefault(who, f"{name} is not a number")
        layers[name] = number * factor
    notes = (f"columns not used: {', '.join(ignored)}",) if ignored else ()
    return make_profiles(
        layers, min_layers=min_layers, source=path.stem, unreadable=unreadable, notes=notes
    )


def _read_text(path: Path, sep: str) -> pd.DataFrame:
    """All cells as text, or a sentence why the file is no table."""
    said = f"{path.name} cannot be read as a table"
    options: dict[str, Any] = {
        "sep": sep, "dtype": str, "skipinitialspace": True, "encoding": "utf-8-sig", "keep_default_na": False,
    }  # fmt: skip
    try:
        raw = pd.read_csv(path, **options)
    except pd.errors.EmptyDataError:
        raise InputError(f"{path.name} is empty; a header and one line a layer are expected.") from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{said}: byte {error.start + 1} is no UTF-8 text. Save it as CSV in the encoding UTF-8."
        ) from None
    except (pd.errors.ParserError, ValueError) as error:
        why = str(error).strip().rstrip(".").removeprefix("Error tokenizing data. C error: ")
        raise InputError(f"{said}: {why}.") from None
    if isinstance(raw.index, pd.RangeIndex):
        return raw
    # Lines longer than the header: pandas takes their first cells for names of the rows.
    if not raw.iloc[:, -raw.index.nlevels :].fillna("").eq("").all(axis=None):
        raise InputError(
            f"the lines of {path.name} have more cells than its header, {raw.shape[1]}. A number or a name "
            "with a comma in it needs quotes."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.ParserWarning)  # only empty cells are left out
        return pd.read_csv(path, index_col=False, **options)


def _readable(key: str) -> str:
    return {
        "gkg": "g/kg", "mgg": "mg/g", "gg": "g/g", "kgkg": "kg/kg", "kgm3": "kg/m3", "gcm3": "g/cm3",
        "tm3": "t/m3", "mgm3": "Mg/m3", "kgdm3": "kg/dm3",
    }.get(key, key)  # fmt: skip


# --- WoSIS snapshots -----------------------------------------------------------------------------


def _tsv(folder: Path, file: str, columns: list[str], required: bool = True) -> pd.DataFrame | None:
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
    return pd.read_csv(path, sep="\t", usecols=columns, low_memory=False)


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
    folder = Path(folder)
    sites = _tsv(folder, "wosis_201909_profiles.tsv", ["profile_id", "latitude", "longitude"])
    key = ["profile_id", "profile_layer_id"]
    chemical = _tsv(
        folder, "wosis_201909_layers_chemical.tsv", [*key, "upper_depth", "lower_depth", "orgc_value_avg"]
    )
    assert sites is not None and chemical is not None
    layers = chemical.rename(columns={"orgc_value_avg": "organic_carbon"})
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
    folder = Path(folder)
    sites = _tsv(folder, "wosis_202312_sites.tsv", ["site_id", "latitude", "longitude"])
    layers = _tsv(
        folder,
        "wosis_202312_layers.tsv",
        ["profile_id", "layer_id", "site_id", "upper_depth", "lower_depth"],
    )
    assert sites is not None and layers is not None
    layers = layers.merge(sites, on="site_id", how="left")
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


def _wosis(layers: pd.DataFrame, source: str, min_layers: int) -> Profiles:
    layers = layers.copy()
    for column, factor in (
        ("upper_depth", 0.01), ("lower_depth", 0.01), ("bulk_density", 1000.0), ("coarse_fragments", 0.01),
    ):  # fmt: skip
        if column in layers:
            layers[column] = pd.to_numeric(layers[column], errors="coerce") * factor
    layers["organic_carbon"] = pd.to_numeric(layers["organic_carbon"], errors="coerce")
    return make_profiles(layers, min_layers=min_layers, source=source)
