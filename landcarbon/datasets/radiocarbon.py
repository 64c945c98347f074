"""Age beside amount: soil profiles whose layers have carbon and Δ¹⁴C, and the air they grew in.

::

    ln C_i ~ Normal(ln C(z_i), 0.6²)          F_i = 1 + Δ_i / 1000 ~ Normal(F(z_i), (s_m² + s_r²) / 1000²)

====== ============================================= ============ ======= ==========================
symbol meaning                                       shape        unit    code name
====== ============================================= ============ ======= ==========================
C      organic carbon per volume of soil             (layer,)     gC m-3  layers.carbon_density
Δ      Δ¹⁴C of the carbon of a layer                 (layer,)     per mil layers.delta_14c
s_m    its error as measured, 0 where none is given  (layer,)     per mil layers.delta_14c_error
s_r    how far one profile stands for its place      ()           per mil spread
F_a    ratio ¹⁴C/C of the air of the place           (site, year) 1       air_at
====== ============================================= ============ ======= ==========================

A model column stands for a place, not for a pit. How far pits differ is in the data: where several profiles
of one study come from the same tenth of a degree and the same year, layers of the same decimetre differ with
a standard deviation of 104 per mil (249 such groups of `he2016`); the measurement itself is good to 6. So
`spread` is 100.

The first three lines to type:

    profiles = load_radiocarbon("he2016")
    data = observations(profiles)
    land = radiocarbon_forcing(profiles, forcing_at(...).forcing)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.joint import JointObservations
from landcarbon.assimilation.observations import ProfileObservations
from landcarbon.datasets.profiles import Profiles, load_profiles
from landcarbon.datasets.readers import load
from landcarbon.geo import as_places
from landcarbon.matrix.errors import InputError, as_array, as_kind
from landcarbon.matrix.layers import CLM5_LAYERS
from landcarbon.models import clm5, clm5_radiocarbon

__all__ = ["air_at", "load_radiocarbon", "observations", "radiocarbon_forcing"]

Array = NDArray[np.float64]

SPREAD = 100.0  # per mil, between profiles of one place
ZONES = (30.0, "northern_hemisphere", "tropics", "southern_hemisphere")


def load_radiocarbon(name: str = "he2016", min_layers: int = 2) -> Profiles:
    """The profiles of a collection that have carbon, Δ¹⁴C and the year in which they were sampled.

    Parameters
    ----------
    name : str
        A collection of `load_profiles` with Δ¹⁴C.
    min_layers : int
        Fewest layers with organic carbon a profile needs; of Δ¹⁴C one will do.

    Returns
    -------
    Profiles
        Its `layers` have the columns `delta_14c`, `delta_14c_error` [per mil] and `year`; NaN where a layer
        was not dated. Profiles that cannot be used are in its report, each with a reason.

    Raises
    ------
    InputError
        A collection without Δ¹⁴C.
    """
    profiles = load_profiles(name, min_layers)
    if "delta_14c" not in profiles.layers or "year" not in profiles.layers:
        raise InputError(f"{name!r} has carbon, but no Δ14C; he2016 has both.")
    return _with(_with(_in_column(profiles), "delta_14c", "no Δ14C"), "year", "no year of sampling")


def _with(profiles: Profiles, column: str, reason: str) -> Profiles:
    known = profiles.layers[column].notna().groupby(profiles.layers["profile_id"]).any()
    return profiles.select(known.loc[profiles.ids].to_numpy(), reason)


def _in_column(profiles: Profiles) -> Profiles:
    layers = profiles.layers
    dated = layers[layers["delta_14c"].notna()]
    middle = (0.5 * (dated["upper_depth"] + dated["lower_depth"])).groupby(dated["profile_id"]).min()
    shallow = middle.reindex(profiles.ids).fillna(0.0).to_numpy() <= CLM5_LAYERS.bottom[-1]
    return profiles.select(shallow, "no dated layer above the bottom of the column")


def observations(
    profiles: Profiles, relative_error: float = 0.6, spread: float = SPREAD
) -> JointObservations:
    """Carbon and radiocarbon of each profile, for `clm5_radiocarbon`.

    Parameters
    ----------
    profiles : Profiles
        From `load_radiocarbon`.
    relative_error : float
        Standard deviation of ln carbon density.
    spread : float
        Standard deviation of Δ¹⁴C between profiles of one place [per mil], to be added to that of the
        measurement.

    Returns
    -------
    JointObservations
        Streams "carbon" and "radiocarbon"; ``.parts["radiocarbon"]`` holds the ratio F = 1 + Δ/1000.
    """
    as_kind("profiles", profiles, Profiles)
    if "delta_14c" not in profiles.layers:
        raise InputError("these profiles have no Δ14C; take them from load_radiocarbon.")
    spread = float(as_array("spread", spread, shape=(), lower=0.0, strict=True, hint="In per mil."))
    upper, lower, value, error = profiles.padded("upper_depth", "lower_depth", "delta_14c", "delta_14c_error")
    depth = 0.5 * (upper + lower)
    with np.errstate(invalid="ignore"):
        seen = np.isfinite(value) & (depth <= CLM5_LAYERS.bottom[-1])
    return JointObservations(
        {
            "carbon": profiles.to_observations(relative_error),
            "radiocarbon": ProfileObservations(
                np.where(seen, depth, 0.0),
                np.where(seen, 1.0 + value / 1000.0, 1.0),
                np.hypot(np.nan_to_num(error), spread) / 1000.0,
                CLM5_LAYERS.node,
                CLM5_LAYERS.bottom[-1],
                kind="absolute",
                mask=seen,
            ),
        }
    )


def radiocarbon_forcing(profiles: Profiles, land: clm5.Forcing) -> clm5_radiocarbon.Forcing:
    """Climate, year of sampling and the air above each profile.

    Parameters
    ----------
    profiles : Profiles
        From `load_radiocarbon`.
    land : clm5.Forcing
        Of the same profiles in the same order (site,).
    """
    year = profiles.layers.groupby("profile_id", sort=False)["year"].first().loc[profiles.ids].to_numpy()
    if land.shape != year.shape:
        raise InputError(f"there are {year.size} profiles, but the forcing has sites {land.shape}.")
    return clm5_radiocarbon.Forcing(land, year, *air_at(profiles.sites["latitude"].to_numpy()))


def air_at(latitude: ArrayLike) -> tuple[Array, Array]:
    """Δ¹⁴C of atmospheric CO₂ above places: three zones, parted at 30° (Graven et al. 2017).

    Parameters
    ----------
    latitude : array_like (site,)

    Returns
    -------
    years : ndarray (year,)
        1850.5 to 2015.5.
    delta : ndarray (site, year)
        [per mil]

    References
    ----------
    doi:10.5194/gmd-10-4405-2017.
    """
    lat, _ = as_places(latitude, np.zeros(np.shape(latitude)))
    edge, north, middle, south = ZONES
    table = load("graven2017")
    zone = np.select([lat > edge, lat < -edge], [0, 2], 1)
    return table["year"].to_numpy(float), np.stack([table[n].to_numpy(float) for n in (north, middle, south)])[zone]
