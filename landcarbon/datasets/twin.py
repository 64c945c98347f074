"""The twin world: a made-up Earth whose truth is known, so that every method can be marked.

::

    field(x) = √(2/W) Σ_w cos(k_w · x + φ_w),    k_w ~ Normal(0, (R/ℓ)² I),  φ_w ~ Uniform(0, 2π)
    z_p(x)   = z_p(start) + s_p + Σ_e a_pe e(x) + t_p(x) + h_p(x) + ν_p(x)
    C(x, d)  = C*(θ(z(x)), climate(x), d),       ln y = ln C + σ ε,   ε ~ Normal(0, 1), |ε| ≤ 3

====== ================================================= =============== ======= ===================
symbol meaning                                           shape           unit    code name
====== ================================================= =============== ======= ===================
x      place, as a unit vector                           (place, 3)      1       latitude, longitude
ℓ      length over which a field changes; R: Earth's     ()              km      Nature.FIELDS
       radius
e      environment, standardised over the region         (place, 4)      1       EFFECTS
a, s   how a parameter follows it; how far its average   (p, 4), (p,)    1       EFFECTS, SHIFT
       is from `clm5.PRODA_START`
t      clay and temperature together, for two of them    (place, p)      1       TWIST
h      regional part that no covariate tells             (place, p)      1       HIDDEN
ν      local part                                        (place, p)      1       LOCAL
z, θ   parameters, unbounded and in their own unit       (place, p)      own     truth["parameters"]
C      carbon of the soil at steady state                (place, layer)  gC m-3  truth["carbon"]
y, σ   measured carbon, and its error                    (place, obs)    gC m-3  observations, error
====== ================================================= =============== ======= ===================

Everything here is synthetic, and says so in its ``attrs`` and when printed. What is physical about it:
temperature falls with latitude and height, seasons grow inland, rain follows the great belts of the
circulation, and forcing comes from this climate by the steps of `landcarbon.models.site_climate`. The
regional average of the parameters is `clm5.PRODA_START` but for `SHIFT`: a truth within the prior, so
that it can be found. CLM5 as published (`clm5.DEFAULT`, e-folding depth 10 m) is not within it. Where
they are higher or lower follows the environment as stated in `EFFECTS`. Both are our choice, made in the spirit of what
is known (clay protects carbon, microbes use carbon less efficiently in the warmth) so that profiles
vary about as much as real ones. They are not fitted to anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from io import StringIO
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from landcarbon.assimilation.observations import ProfileObservations
from landcarbon.assimilation.parameters import Prior
from landcarbon.datasets.bulk_density import AFSP_FIT
from landcarbon.datasets.outlines import inside, outline
from landcarbon.datasets.profiles import Profiles, make_profiles
from landcarbon.geo import EARTH_RADIUS, cell_centres, unit_vectors
from landcarbon.matrix.errors import (
    InputError,
    Rng,
    as_array,
    as_choice,
    as_kind,
    as_number,
    as_rng,
    as_whole,
)
from landcarbon.models import clm5
from landcarbon.models.site_climate import forcing_from_climate

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "DRIVERS",
    "EFFECTS",
    "Places",
    "TwinWorld",
    "stored_efficiency",
    "stored_elsewhere",
    "stored_ladder",
    "stored_surveys",
    "stored_varies",
    "twin_world",
]

Array = NDArray[np.float64]

REGIONS = {"conus": ("conus_outline", (-125.0, 24.5, -66.5, 49.5)),
           "world": ("coast_110m", (-180.0, -55.0, 180.0, 72.0))}  # west, south, east, north

DRIVERS = ("temperature", "wetness", "clay", "ph")
"""What the parameters follow: annual mean temperature, mean wetness, clay and pH, standardised."""

EFFECTS: dict[str, tuple[float, float, float, float]] = {
    # temperature, wetness, clay, pH: on the unbounded scale, where the prior has a width of 1.8
    "diffus": (0.2, 0.0, 0.0, 0.4),  # earthworms like it warm and not acid
    "q10": (-0.25, 0.0, 0.0, 0.0),
    "efolding": (0.0, 0.0, -0.4, 0.2),  # deep decay needs loose, aerated soil
    "tau_s2": (0.0, 0.0, 0.5, -0.2),  # clay protects carbon
    "tau_s3": (0.0, 0.0, 0.35, 0.0),
    "fl1s1": (-0.25, 0.0, 0.0, 0.2),  # carbon use efficiency
    "fl2s1": (-0.25, 0.0, 0.0, 0.2),
    "fl3s2": (-0.25, 0.0, 0.0, 0.2),
    "fs1s2": (-0.15, 0.0, 0.25, 0.0),
    "fs1s3": (0.0, 0.0, 0.35, 0.0),
    "fs2s3": (0.0, 0.0, 0.35, 0.0),
    "w_scaling": (0.0, 0.25, 0.0, 0.2),
    "beta": (0.0, -0.4, 0.2, 0.0),  # shallow roots where it is wet
}
"""Slope of each parameter on each of the `DRIVERS`; parameters not named follow none."""

SHIFT = {"efolding": 0.8, "beta": -0.8}
"""Where the regional average is not `clm5.PRODA_START`: carbon falls off faster with depth, as it does
in real profiles."""

TWISTED = ("tau_s2", "efolding")
TWIST = 0.5
"""Clay acts on these more where it is warm: ± TWIST tanh(2 e_temperature) e_clay, not linear."""

HIDDEN = 0.25
LOCAL = 0.25
LADDER = "twin_ladder.csv"
ELSEWHERE = "real_elsewhere.csv"
EFFICIENCY = "twin_efficiency.csv"
VARIES = "what_varies.csv"
SURVEYS = "twin_surveys.csv"
HIGHLANDS = (  # latitude, longitude, height [km], width [km]: roughly where the real ones are
    (40.0, -108.0, 2.0, 700.0), (37.0, -119.0, 1.6, 250.0), (37.0, -81.0, 0.7, 300.0),
    (33.0, 88.0, 4.5, 800.0), (-15.0, -69.0, 3.5, 500.0), (-35.0, -70.0, 3.0, 300.0),
    (8.0, 38.0, 2.0, 400.0), (-2.0, 30.0, 1.4, 500.0), (47.0, 10.0, 1.6, 250.0),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Places:
    """What nature is like at some places of the twin world: forcing, covariates and truth."""

    forcing: clm5.Forcing
    covariates: pd.DataFrame
    truth: xr.Dataset

    def __len__(self) -> int:
        return len(self.covariates)

    def select(self, index: Any) -> Places:
        """Some of the places: positions or a mask."""
        if not isinstance(index, slice):
            given = np.asarray(as_kind("index", index, list, tuple, np.ndarray))
            if given.ndim != 1 or given.dtype.kind not in "biu":
                raise InputError("index holds positions, or True and False for each place.")
            index = np.flatnonzero(given) if given.dtype.kind == "b" else given
            for k in index:
                as_whole("index", k, -len(self), len(self) - 1)
        covariates = self.covariates.iloc[index]
        covariates.attrs = dict(self.covariates.attrs)
        return Places(self.forcing[index], covariates, self.truth.isel(site=index))


@dataclass(frozen=True, eq=False)
class TwinWorld:
    """A synthetic world: profiles as a survey would find them, and what no survey knows.

    Attributes
    ----------
    region : {"conus", "world"}
    profiles : Profiles
        Measured soil profiles, marked synthetic; dropped ones with their reasons.
    observations : ProfileObservations
        The same for the assimilation.
    forcing : landcarbon.models.clm5.Forcing
    covariates : pandas.DataFrame
        One row a profile, units in ``attrs["units"]``.
    truth : xarray.Dataset
        `parameters` (site, parameter), `carbon` (site, layer) [gC m-3], and `explained` (site,
        parameter): the parameters without h and ν, all that a map from the environment can learn.
    error : float
        Standard deviation of ln carbon as measured.
    """

    region: str
    profiles: Profiles
    observations: ProfileObservations
    forcing: clm5.Forcing
    covariates: pd.DataFrame
    truth: xr.Dataset
    error: float
    nature: Nature = field(repr=False)

    def at(self, latitude: ArrayLike, longitude: ArrayLike) -> Places:
        """Nature at any places, without the local part of the parameters.

        Parameters
        ----------
        latitude, longitude : array_like, (place,)
            Degrees.
        """
        return self.nature.at(latitude, longitude)

    def grid(self, step: float = 1.0) -> Places:
        """Nature at the centres of all land cells of the region, for maps.

        Parameters
        ----------
        step : float
            Size of the cells, degrees.

        Returns
        -------
        Places
            The index of its covariates is (latitude, longitude).
        """
        name, box = REGIONS[self.region]
        y, x = cell_centres(box, step)
        land = inside(y, x, name)
        places = self.nature.at(y[land], x[land])
        index = pd.MultiIndex.from_arrays([y[land], x[land]], names=["latitude", "longitude"])
        return Places(places.forcing, places.covariates.set_axis(index), places.truth)

    def __repr__(self) -> str:
        return (
            f"<Synthetic twin world, region {self.region!r}: {len(self.profiles)} profiles with "
            f"{int(self.observations.mask.sum())} values, error {self.error:.0%}>"
        )


def twin_world(
    n_sites: int = 1000, region: str = "conus", *, rng: Rng = 0, error: float = 0.6
) -> TwinWorld:
    """Make a twin world: draw nature, then a survey of soil profiles.

    Parameters
    ----------
    n_sites : int
        Number of usable profiles.
    region : {"conus", "world"}
        The contiguous United States, or all land but the polar ice.
    rng : Generator or int
        Seed of nature and survey: the same seed gives the same world.
    error : float
        Standard deviation of ln carbon as measured; 0.6 is what Tao et al. (2020,
        doi 10.3389/fdata.2020.00017) use for WoSIS profiles.

    Returns
    -------
    TwinWorld

    Raises
    ------
    InputError
        An unknown region, fewer than one site, an error that is not positive.

    Examples
    --------
    >>> world = twin_world(n_sites=20, rng=1)
    >>> world
    <Synthetic twin world, region 'conus': 20 profiles with 88 values, error 60%>
    >>> world.truth["parameters"].sel(parameter="q10").shape
    (20,)
    """
    region = as_choice("region", region, REGIONS)
    n_sites = as_whole("n_sites", n_sites, 1)
    error = as_number("error", error, lower=0.0, strict=True, hint="0.6 stands for 60 %.")
    nature_rng, survey = as_rng(rng).spawn(2)
    nature = Nature(region, nature_rng)
    spare = n_sites + 10 + n_sites // 20
    lat, lon = _random_places(region, spare, survey)
    places = nature.at(lat, lon, survey)
    # Ground that never thaws grows nothing that a model of this kind could explain.
    soil = np.flatnonzero((places.truth["carbon"] > 0).all("layer"))
    lat, lon, places = lat[soil], lon[soil], places.select(soil)
    layers = _survey(lat, lon, places, error, survey)
    profiles = make_profiles(layers, source="twin world", synthetic=True)
    # Profiles that a survey would reject are replaced by the next ones, and stay in the report.
    read = int(np.searchsorted(np.cumsum(profiles.report["used"]), n_sites)) + 1
    profiles = make_profiles(
        layers[layers["profile_id"].isin(set(profiles.report.index[:read]))],
        source="twin world", synthetic=True, notes=("synthetic: no measurement of a real soil",),
    )  # fmt: skip
    if len(profiles) < n_sites:
        raise InputError(f"only {len(profiles)} of {spare} profiles can be used; lower the error.")
    used = np.flatnonzero(profiles.report["used"])
    covariates = places.covariates.iloc[used].set_axis(pd.Index(profiles.ids, name="profile_id"))
    covariates.attrs = dict(places.covariates.attrs)
    truth = places.truth.isel(site=used).assign_coords(site=profiles.ids)
    return TwinWorld(
        region, profiles, profiles.to_observations(error), places.forcing[used], covariates, truth,
        error, nature,
    )  # fmt: skip


def stored_ladder() -> pd.DataFrame:
    """R² of PRODA, its rivals and the hybrid in ten twin worlds, as `benchmarks/ladder.py` stored it.

    Half an hour of computing; ``python course.py bench ladder -- --store`` does it again.

    Returns
    -------
    pandas.DataFrame
        Columns `sites`, `world` (its seed), `what`, `value`, and where they apply `lower`, `upper` (95 % of a
        difference, bootstrap over 2° blocks), `bias` (of ln carbon), `coverage` (of 90 % intervals). `what`
        is a method (its R² of ln carbon at held-out profiles), "method - rival" (the difference), or a
        correlation over the places of carbon use efficiency on a held-out map: "cue ~ ln C: method" with ln
        carbon of that map, "cue ~ true cue: method" with the truth.

    Examples
    --------
    >>> result = stored_ladder()
    >>> result["world"].nunique(), int(result["sites"].iloc[0])
    (10, 1000)
    """
    return _stored(LADDER)


def stored_elsewhere() -> pd.DataFrame:
    """Skill on real profiles that are unlike those learned from, as `benchmarks/elsewhere.py` stored it.

    ``python course.py bench elsewhere -- --store`` does it again, in ten minutes.

    Returns
    -------
    pandas.DataFrame
        Columns `test` ("blocks", "outside Africa", "coldest tenth", ...), `rival`, `sites` and `blocks` left
        out, `r2` with `lower` and `upper` (95 %, bootstrap over 2° blocks), `bias`, `rmse` (of ln carbon),
        `coverage` (of 90 % intervals), and `gap`, `gap_lower`, `gap_upper`: R² minus that of one parameter
        set for all.

    Examples
    --------
    >>> result = stored_elsewhere()
    >>> result["test"].nunique(), int(result["sites"].max())
    (6, 2500)
    """
    return _stored(ELSEWHERE)


def stored_efficiency() -> pd.DataFrame:
    """Carbon use efficiency on maps from carbon alone and with further data, as `benchmarks/efficiency.py` stored it.

    ``python course.py bench efficiency -- --store`` does it again, in half an hour.

    Returns
    -------
    pandas.DataFrame
        Columns `world` (its seed), `data` ("carbon", "carbon, CO2", "carbon, 14C"), `r2` (of ln carbon at held-out
        profiles), `map` and `truth` (correlation of efficiency with ln carbon), `known` (correlation of the
        map's efficiency with the true one).

    Examples
    --------
    >>> stored_efficiency().groupby("data").size().to_dict()
    {'carbon': 10, 'carbon, 14C': 3, 'carbon, CO2': 10}
    """
    return _stored(EFFICIENCY)


def stored_surveys() -> pd.DataFrame:
    """What was found of twins of a survey, and the truth of each, as `benchmarks/twins.py` stored it.

    ``python course.py bench twins -- --store`` does it again, in minutes.

    Returns
    -------
    pandas.DataFrame
        Columns `twin` (its seed), `what` (a component, or "efficiency ~ ln carbon"), `truth` (its share of the
        variance of ln carbon; the correlation), and median and 90 % interval of what was found:
        `networks`, `networks_lower`, `networks_upper` over the predictions of PRODA's networks, `maps`, ... over
        possible maps of PRODA, `end_to_end`, ... over possible maps of networks trained end to end.

    Examples
    --------
    >>> result = stored_surveys()
    >>> result["what"].nunique(), bool((result["maps_lower"] <= result["maps_upper"]).all())
    (7, True)
    """
    return _stored(SURVEYS)


def stored_varies() -> pd.DataFrame:
    """Skill where one group of parameters follows the environment, as `benchmarks/what_varies.py` stored it.

    ``python course.py bench what_varies -- --store`` does it again, in half an hour.

    Returns
    -------
    pandas.DataFrame
        Columns as of :func:`stored_elsewhere`; `test` is "real profiles" or a world, `rival` "one_batch",
        a group of parameters, a pair of them or "all", and `truth`, in worlds, R² where the group alone has
        its true values.

    Examples
    --------
    >>> sorted(stored_varies()["test"].unique())
    ['real profiles', 'world 0', 'world 1']
    """
    return _stored(VARIES)


def _stored(name: str) -> pd.DataFrame:
    text = files("landcarbon.datasets").joinpath(name).read_text(encoding="utf-8")
    return pd.read_csv(StringIO(text), comment="#")


# --- nature --------------------------------------------------------------------------------------


class Nature:
    """Smooth random fields on the sphere, and all that follows from them at a place."""

    FIELDS: ClassVar[dict[str, float]] = {  # length in km
        "temperature": 1200.0, "rain": 700.0, "season": 1500.0, "sunshine": 700.0, "height": 400.0,
        "clay": 500.0, "sand": 500.0, "ph": 600.0,
    }  # fmt: skip
    WAVES = 60
    HIDDEN_LENGTH = 700.0  # km

    def __init__(self, region: str, rng: np.random.Generator) -> None:
        self.prior = Prior(clm5.PARAMETERS)
        lengths = [*self.FIELDS.values(), *[self.HIDDEN_LENGTH] * len(self.prior)]
        k = rng.standard_normal((len(lengths), self.WAVES, 3))
        self._k = k * (EARTH_RADIUS / np.array(lengths))[:, None, None]
        self._phase = rng.uniform(0, 2 * np.pi, (len(lengths), self.WAVES))
        self._shift, self._scale = np.zeros(len(lengths)), np.ones(len(lengths))
        # Fields and drivers are standardised over places that every world of the region shares.
        lat, lon = _random_places(region, 400, np.random.default_rng(0))
        fields = self._fields(lat, lon)
        self._shift, self._scale = fields.mean(axis=0), fields.std(axis=0)
        drivers = self._drivers(self._environment(lat, lon)[1])
        self._centre, self._spread = drivers.mean(axis=0), drivers.std(axis=0)

    def _fields(self, lat: Array, lon: Array) -> Array:
        x = unit_vectors(lat, lon)
        waves = np.empty((lat.size, len(self._phase)))
        for first in range(0, lat.size, 500):
            part = slice(first, first + 500)
            angle = np.einsum("nc,fwc->nfw", x[part], self._k) + self._phase
            waves[part] = np.sqrt(2 / self.WAVES) * np.cos(angle).sum(axis=-1)
        return (waves - self._shift) / self._scale

    @cached_property
    def _coast(self) -> Any:
        from scipy.spatial import cKDTree

        coast = outline("coast_110m")
        return cKDTree(unit_vectors(*coast[np.isfinite(coast).all(axis=1)].T))

    def _environment(self, lat: Array, lon: Array) -> tuple[clm5.Forcing, pd.DataFrame, Array]:
        """Forcing, covariates, and the hidden fields."""
        fields = self._fields(lat, lon)
        f = dict(zip(self.FIELDS, fields.T))
        x = unit_vectors(lat, lon)
        to_coast = EARTH_RADIUS * self._coast.query(x)[0]
        inland = 1.0 - np.exp(-to_coast / 450.0)
        height = 0.2 * np.exp(0.7 * f["height"])
        for hill_lat, hill_lon, top, width in HIGHLANDS:
            hill = unit_vectors(np.array([hill_lat]), np.array([hill_lon]))
            height += top * np.exp(-0.5 * (EARTH_RADIUS * np.linalg.norm(x - hill, axis=1) / width) ** 2)
        sine, m = np.sin(np.deg2rad(lat)), np.arange(12)
        mean = 27.5 - 40.0 * np.abs(sine) ** 2.6 - 6.0 * height + 1.5 * f["temperature"]
        # The sea stores heat: inland seasons are larger and earlier.
        swing = sine * (5.0 + 20.0 * inland)
        wave = np.cos(2 * np.pi * (m - 6.0 - 0.7 * (1 - inland[:, None])) / 12)
        temperature = mean[:, None] + swing[:, None] * wave
        # Rain belts at the equator and in the westerlies, dry belts between them.
        belt = 250 + 2000 * np.exp(-((lat / 11) ** 2)) + 950 * np.exp(-(((np.abs(lat) - 43) / 13) ** 2))
        annual = belt * (1.2 - 0.7 * inland) * np.exp(0.4 * f["rain"]) * (1 + 0.2 * height)
        monsoon = np.exp(-(((np.abs(lat) - 14) / 9) ** 2))
        summer = 0.75 * np.tanh(0.5 * f["season"] + 1.5 * monsoon)
        sun = np.sign(lat)[:, None] * np.cos(2 * np.pi * (m - 6.0) / 12)
        rain = annual[:, None] / 12 * (1 + summer[:, None] * sun)
        sunshine = 0.2 + 0.65 * expit(1.2 - rain / 70 + 0.3 * f["sunshine"][:, None])
        clay = 0.05 + 0.55 * expit(1.2 * f["clay"] - 0.6)
        sand = (1 - clay) * expit(1.2 * f["sand"])
        silt = 1 - clay - sand
        capacity = 1000 * (0.07 * sand + 0.20 * silt + 0.14 * clay)  # a metre of soil
        forcing, covariates = forcing_from_climate(temperature, rain, sunshine, lat, lon, capacity)
        wet = covariates["mean_wetness"].to_numpy()
        more = {
            "elevation": (1000 * height, "m"),
            "distance_to_coast": (to_coast, "km"),
            "clay": (100 * clay, "%"),
            "sand": (100 * sand, "%"),
            "ph": (8.2 - 3.2 * wet + 0.5 * f["ph"], "1"),
        }
        for name, (values, unit) in more.items():
            covariates[name] = values
            covariates.attrs["units"][name] = unit
        covariates.attrs["synthetic"] = True
        return forcing, covariates, fields[:, len(self.FIELDS) :]

    @staticmethod
    def _drivers(covariates: pd.DataFrame) -> Array:
        names = ("mean_temperature", "mean_wetness", "clay", "ph")
        return covariates[list(names)].to_numpy(float)

    def at(
        self, latitude: ArrayLike, longitude: ArrayLike, rng: np.random.Generator | None = None
    ) -> Places:
        """See `TwinWorld.at`; with `rng`, the local part of the parameters is drawn too."""
        import xarray as xr

        lat = as_array("latitude", latitude, shape=(None,), lower=-90.0, upper=90.0)
        lon = as_array("longitude", longitude, shape=(None,), lower=-180.0, upper=180.0)
        if lat.shape != lon.shape:
            raise InputError(f"latitude has shape {lat.shape}, longitude {lon.shape}; give one of each.")
        forcing, covariates, hidden = self._environment(lat, lon)
        e = (self._drivers(covariates) - self._centre) / self._spread
        z = np.tile(self.prior.to_real(clm5.PRODA_START), (lat.size, 1)) + HIDDEN * hidden
        for name, shift in SHIFT.items():
            z[:, self.prior.names.index(name)] += shift
        for name, slopes in EFFECTS.items():
            z[:, self.prior.names.index(name)] += e @ slopes
        for name in TWISTED:
            sign = np.sign(EFFECTS[name][DRIVERS.index("clay")])
            z[:, self.prior.names.index(name)] += TWIST * sign * np.tanh(2 * e[:, 0]) * e[:, 2]
        explained = self.prior.from_real(z - HIDDEN * hidden)
        if rng is not None:
            z += LOCAL * rng.standard_normal(z.shape)
        theta = self.prior.from_real(z)
        carbon = clm5.soil_carbon(clm5.steady_state(theta, forcing))
        truth = xr.Dataset(
            {
                "parameters": (("site", "parameter"), theta, {"units": "see coordinate units"}),
                "explained": (("site", "parameter"), explained, {"units": "see coordinate units"}),
                "carbon": (("site", "layer"), carbon, {"units": "gC m-3"}),
            },
            coords={
                "site": np.arange(lat.size),
                "parameter": list(self.prior.names),
                "units": ("parameter", list(self.prior.table.units)),
                "depth": ("layer", np.asarray(clm5.LAYERS.node, float), {"units": "m"}),
            },
            attrs={"synthetic": True, "note": "known truth of a synthetic world"},
        )
        return Places(forcing, covariates, truth)


def _random_places(region: str, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """`n` places on the land of a region, evenly by area."""
    name, (west, south, east, north) = REGIONS[region]
    lat, lon = np.empty(0), np.empty(0)
    while lat.size < n:
        low, high = np.sin(np.deg2rad([south, north])).tolist()
        sine = rng.uniform(low, high, size=4 * n)
        y, x = np.rad2deg(np.arcsin(sine)), rng.uniform(west, east, size=4 * n)
        land = inside(y, x, name)
        lat, lon = np.append(lat, y[land]), np.append(lon, x[land])
    return lat[:n], lon[:n]


# --- survey --------------------------------------------------------------------------------------


def _survey(
    lat: Array, lon: Array, places: Places, error: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Layers as a field crew and a laboratory would return them, in the columns of `make_profiles`."""
    n, most = lat.size, 8
    count = rng.integers(3, most + 1, size=n)
    thickness = rng.uniform(0.06, 0.14, (n, most)) * 1.35 ** np.arange(most)
    lower = np.round(np.cumsum(thickness, axis=1), 2)
    upper = np.concatenate([np.zeros((n, 1)), lower[:, :-1]], axis=1)
    taken = (np.arange(most) < count[:, None]) & (rng.random((n, most)) > 0.1)
    # At least three layers reach the laboratory.
    taken[:, :3] |= (taken.sum(axis=1) < 3)[:, None]
    depth = 0.5 * (upper + lower)
    exact = ProfileObservations(
        depth, np.ones_like(depth), 1.0, np.asarray(clm5.LAYERS.node, float),
        bottom=clm5.LAYERS.bottom[-1],
    ).predict_values(places.truth["carbon"].values)  # fmt: skip
    noise = rng.standard_normal((n, most))
    # A value off by more than three standard deviations would be measured again.
    while (wild := np.abs(noise) > 3).any():
        noise[wild] = rng.standard_normal(int(wild.sum()))
    organic, density = _as_measured(exact * np.exp(error * noise))
    site, layer = np.nonzero(taken)
    names = np.array([f"T{k:05d}" for k in range(n)])
    return pd.DataFrame(
        {
            "profile_id": names[site],
            "latitude": lat[site],
            "longitude": lon[site],
            "upper_depth": upper[site, layer],
            "lower_depth": lower[site, layer],
            "organic_carbon": organic[site, layer],
            "bulk_density": density[site, layer],
            "coarse_fragments": 0.0,
        }
    )


def _as_measured(carbon: Array) -> tuple[Array, Array]:
    """Split carbon per volume [gC m-3] into carbon [g kg-1] and bulk density [kg m-3].

    Density falls with carbon as in the Africa Soil Profiles, but not below 400 kg m-3.
    """
    per_mass = np.geomspace(1e-4, 1e3, 2000)
    density = np.maximum(AFSP_FIT.predict(per_mass), 400.0)
    c = np.exp(np.interp(np.log(carbon), np.log(per_mass * density), np.log(per_mass)))
    # Above 1000 g per kg there is no such soil; make_profiles says so of the profile.
    c = np.where(carbon > 4e5, carbon / 400.0, c)
    return c, carbon / c
