"""From monthly climate to the forcing of the CLM5 soil matrix, one published step a function.

::

    T(z, t) = T̄ + Σ_k Re[ T_k e^{i k ω t} e^{−(1+i) z/d_k} ],    d_k = √(2κ / (k ω))
    E_p = α s/(s + γ) H_N/λ
    dW/dt = P − E − Q,   E = E_p W/C,   Q: what does not fit into C
    ln ψ = (1 − θ) ln ψ_w + θ ln ψ_f                              θ = W/C
    NPP = c · min{ 3000/(1 + e^{1.315 − 0.119 T̄}),  3000 (1 − e^{−0.000664 P}) }
    z_a = d_1 ln(a/|T̄|)                                           where T̄ ≤ 0 °C < T̄ + a

======= =========================================== ================ =========== ====================
symbol  meaning                                     shape            unit        code name
======= =========================================== ================ =========== ====================
T       temperature of air and soil                 (..., 12)        °C; K out   temperature
T_k, a  harmonics of the year (Fourier); amplitude  (..., 7)         K
        of the first
κ       thermal diffusivity of moist mineral soil   ()               m2 s-1      diffusivity
d_k     depth at which a wave has shrunk to 1/e     ()               m           damping_depth
E_p     potential evapotranspiration, α = 1.26      (..., 12)        mm month-1  demand
H_N     net radiation of the day, where positive    (..., 12)        J m-2 d-1
P, E, Q precipitation, evapotranspiration, runoff   (..., 12)        mm month-1  precipitation, …
W, C    plant-available water, and what fits        (..., 12), (...) mm          storage, capacity
S       snow on the ground                          (..., 12)        mm          snow
ψ       soil water potential; ψ_w = −1.5, wilting;  (..., 12)        MPa
        ψ_f = −0.033, field capacity
NPP     net primary production                      (...,)           gC m-2 yr-1 npp
z_a     active-layer depth                          (...,)           m           active_layer_depth
======= =========================================== ================ =========== ====================

Sources: the wave and κ, Campbell and Norman (1998), An Introduction to Environmental Biophysics; E_p,
Priestley and Taylor (1972), doi 10.1175/1520-0493(1972)100<0081:OTAOSH>2.3.CO;2; H_N, Davis et al.
(2017), doi 10.5194/gmd-10-689-2017; evaporation in proportion to the water left, Thornthwaite and
Mather (1955), The Water Balance, Publications in Climatology 8(1); NPP, the Miami model of Lieth
(1975), doi 10.1007/978-3-642-80913-2_12.

Each step may be replaced by something better: `forcing_from_climate` takes the results of one's own
steps instead. What these simple steps leave out, so that nobody takes them for more:

- Snow does not insulate and freezing water releases no heat. The soil is as cold on average as the
  air, so permafrost is too widespread and winters are too cold in the soil of snowy places.
- Water is the same at all depths: one bucket, solved exactly within the month with rain that falls
  evenly. A bucket that only keeps what the month leaves over is dry wherever evaporation could take
  all the rain, and there nothing would decay although plants grow.
- The oxygen scalar is 1 and the nitrogen scalar is 1: wetlands are treated as if they were drained,
  and nitrogen never limits. Wetland cells are marked in the covariates.
- All carbon that plants fix becomes litter in the same year; a fixed share of it is wood.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from landcarbon.geo import as_places, nearest
from landcarbon.matrix.errors import InputError, as_array
from landcarbon.matrix.layers import CLM5_LAYERS
from landcarbon.matrix.response import water_potential

if TYPE_CHECKING:
    import xarray as xr

    from landcarbon.models.clm5 import Forcing

__all__ = [
    "LITTER_FRACTIONS",
    "SiteForcing",
    "WaterBalance",
    "active_layer_depth",
    "bucket",
    "covariates_at",
    "damping_depth",
    "forcing_at",
    "forcing_from_climate",
    "litter_input",
    "miami_npp",
    "potential_evapotranspiration",
    "soil_temperature",
    "water_scalar",
]

Array = NDArray[np.float64]

_NODES: Array = np.asarray(CLM5_LAYERS.node, dtype=float)
YEAR_SECONDS = 365.0 * 86400.0
ZERO_CELSIUS = 273.15
DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=float)
MID_MONTH = np.cumsum(DAYS) - 0.5 * DAYS + 0.5  # day of year
DIFFUSIVITY = 5e-7  # m2 s-1
NO_PERMAFROST = 42.0  # m, about the bottom of the CLM5 ground: "nothing frozen above"
DEGREE_DAY = 3.0  # mm of melt a day and degree above freezing, in the usual range (Hock 2003)
WILTING, FIELD_CAPACITY = -1.5, -0.033  # MPa
CARBON_IN_DRY_MATTER = 0.47  # IPCC (2006) Guidelines, vol. 4, table 4.3
WOOD_SHARE = 0.2  # of NPP; our assumption, from 0 in grassland to about 0.4 in forests
# CWD, then the leaf and fine-root litter of CLM: labile 0.25, cellulose 0.5, lignin 0.25.
LITTER_FRACTIONS = np.array([WOOD_SHARE, *((1.0 - WOOD_SHARE) * np.array([0.25, 0.5, 0.25]))])
FILL = 1e15  # netCDF marks gaps by 1e20 or 9.97e36
FILL_CAPACITY = np.array([57.0, 122.5])  # mm above and below 0.3 m, the commonest soil of the file


def _monthly(name: str, value: ArrayLike, **limits: Any) -> Array:
    return as_array(name, value, shape=(12,), hint="The last axis is the twelve months.", **limits)


# --- temperature ---------------------------------------------------------------------------------


def damping_depth(diffusivity: float = DIFFUSIVITY, harmonic: int = 1) -> float:
    """Depth at which a temperature wave has shrunk to 1/e, m.

    Examples
    --------
    >>> round(damping_depth(), 2)
    2.24
    """
    return float(np.sqrt(diffusivity * YEAR_SECONDS / (np.pi * harmonic)))


def soil_temperature(
    temperature: ArrayLike, depth: ArrayLike | None = None, diffusivity: float = DIFFUSIVITY
) -> Array:
    """Soil temperature below a surface that follows the air: the damped, lagged annual wave.

    Every harmonic of the twelve months is a wave that shrinks and lags as it goes down; the annual
    mean is the same at all depths.

    Parameters
    ----------
    temperature : array_like, (..., 12)
        Monthly mean air temperature, degC.
    depth : array_like, (layer,), optional
        Depths, m; the nodes of the CLM5 layers unless given.
    diffusivity : float
        Thermal diffusivity of the soil, m2 s-1.

    Returns
    -------
    ndarray, (..., layer, 12)
        K, at mid-month.

    Raises
    ------
    InputError
        Temperatures that look like kelvin, NaN, a diffusivity that is not positive.

    Examples
    --------
    >>> air = 10 + 12 * np.cos(2 * np.pi * (np.arange(12) - 6) / 12)
    >>> soil_temperature(air, depth=[0.0, 2.24])[:, 6].round(1)      # July, surface and deep
    array([295.2, 285.5])
    """
    t = _monthly("temperature", temperature, lower=-90.0, upper=60.0)
    z = as_array("depth", _NODES if depth is None else depth, lower=0.0)
    kappa = float(as_array("diffusivity", diffusivity, lower=0.0, strict=True))
    waves = np.fft.rfft(t, axis=-1)
    d = np.array([damping_depth(kappa, k) for k in range(1, waves.shape[-1])])
    decay = np.ones((z.size, waves.shape[-1]), dtype=complex)
    decay[:, 1:] = np.exp(-(1.0 + 1.0j) * z[:, None] / d)
    return np.fft.irfft(waves[..., None, :] * decay, n=12, axis=-1) + ZERO_CELSIUS


def active_layer_depth(temperature: ArrayLike, diffusivity: float = DIFFUSIVITY) -> Array:
    """Depth to which the ground thaws in summer: where the annual wave just reaches 0 °C.

    Parameters
    ----------
    temperature : array_like, (..., 12)
        Monthly mean air temperature, degC.
    diffusivity : float
        Thermal diffusivity of the soil, m2 s-1.

    Returns
    -------
    ndarray, (...,)
        m. 42 where the annual mean is above 0 °C (no permafrost), 0 where it never thaws.

    Notes
    -----
    Uses the first harmonic alone. Latent heat and snow are left out: the first makes the depth too
    large, the second makes permafrost too widespread.
    """
    t = _monthly("temperature", temperature, lower=-90.0, upper=60.0)
    kappa = float(as_array("diffusivity", diffusivity, lower=0.0, strict=True))
    mean = t.mean(axis=-1)
    amplitude = np.abs(np.fft.rfft(t, axis=-1)[..., 1]) / 6.0
    frozen = mean <= 0
    with np.errstate(divide="ignore"):
        ratio = np.where(frozen, amplitude / np.abs(mean), np.inf)
        thaw = damping_depth(kappa) * np.log(np.maximum(ratio, 1.0))
    return np.where(frozen, np.minimum(thaw, NO_PERMAFROST), NO_PERMAFROST)


# --- water ---------------------------------------------------------------------------------------


def potential_evapotranspiration(
    temperature: ArrayLike, sunshine: ArrayLike, latitude: ArrayLike
) -> Array:
    """Potential evapotranspiration from temperature, sunshine and latitude (Priestley-Taylor).

    Parameters
    ----------
    temperature : array_like, (..., 12)
        Monthly mean air temperature, degC.
    sunshine : array_like, (..., 12)
        Fraction of possible sunshine, 0 to 1.
    latitude : array_like, (...,)
        Degrees north.

    Returns
    -------
    ndarray, (..., 12)
        mm month-1. Zero in months colder than 0 °C, as in Thornthwaite and Mather (1955).

    Notes
    -----
    Radiation as in Davis et al. (2017), doi 10.5194/gmd-10-689-2017: transmittivity
    0.25 + 0.5 S, albedo 0.17, net long-wave loss (0.2 + 0.8 S)(107 − T) W m-2, integrated over the
    hours in which the net radiation is positive. Sea-level pressure.
    """
    t = _monthly("temperature", temperature, lower=-90.0, upper=60.0)
    s = _monthly("sunshine", sunshine, lower=0.0, upper=1.0)
    phi = np.deg2rad(as_array("latitude", latitude, lower=-90.0, upper=90.0))[..., None]
    angle = 2.0 * np.pi * MID_MONTH / 365.0
    declination = np.deg2rad(-23.44) * np.cos(2.0 * np.pi * (MID_MONTH + 10.0) / 365.0)
    top = 1360.8 * (1.0 + 0.0334 * np.cos(angle))
    incoming = (0.25 + 0.5 * s) * (1.0 - 0.17) * top
    loss = (0.2 + 0.8 * s) * (107.0 - t)
    u = incoming * np.sin(phi) * np.sin(declination)
    v = incoming * np.cos(phi) * np.cos(declination)
    # Net radiation is u + v cos(hour angle) − loss; it is positive up to the hour angle h.
    with np.errstate(divide="ignore", invalid="ignore"):
        cos_h = np.where(v > 0, (loss - u) / v, np.where(u > loss, -1.0, 1.0))
    h = np.arccos(np.clip(cos_h, -1.0, 1.0))
    energy = ((u - loss) * h + v * np.sin(h)) * 86400.0 / np.pi
    slope = 2.503e6 * np.exp(17.269 * t / (237.3 + t)) / (237.3 + t) ** 2
    psychrometer = 65.05 + 0.064 * t
    latent = 2.495e6 - 2380.0 * t
    daily = 1.26 * slope / (slope + psychrometer) * np.maximum(energy, 0.0) / latent
    return np.where(t >= 0, daily * DAYS, 0.0)


@dataclass(frozen=True)
class WaterBalance:
    """A year of the bucket, in its periodic state.

    Attributes
    ----------
    wetness : ndarray (..., 12)
        Mean of the month of water over capacity.
    evapotranspiration, runoff : ndarray (..., 12)
        mm month-1.
    storage : ndarray (..., 13)
        Water at the start of each month and at the end of the year, mm.
    snow : ndarray (..., 13)
        The same for snow.
    """

    wetness: Array
    evapotranspiration: Array
    runoff: Array
    storage: Array
    snow: Array


def bucket(
    precipitation: ArrayLike, temperature: ArrayLike, demand: ArrayLike, capacity: ArrayLike
) -> WaterBalance:
    """Soil water through the year in a bucket that loses water in proportion to what is left.

    Rain and melt fall evenly through the month; the equation is solved exactly within it. Months
    colder than 0 °C store their precipitation as snow, which melts at 3 mm a day and degree.

    Parameters
    ----------
    precipitation : array_like, (..., 12)
        mm month-1.
    temperature : array_like, (..., 12)
        degC.
    demand : array_like, (..., 12)
        Potential evapotranspiration, mm month-1.
    capacity : array_like, (...)
        Plant-available water the soil can hold, mm.

    Returns
    -------
    WaterBalance
        Of the year to which repeated years converge, from a full bucket without snow. Where snow
        never melts completely, it grows year by year, and the balance says so.

    Raises
    ------
    InputError
        NaN, negative water, a capacity of zero.

    Examples
    --------
    Half the demand falls as rain: the bucket settles half full.

    >>> b = bucket(np.full(12, 40.0), np.full(12, 15.0), np.full(12, 80.0), 150.0)
    >>> print(b.wetness[0].round(3), b.evapotranspiration.sum().round(), b.runoff.sum())
    0.5 480.0 0.0
    """
    rain = _monthly("precipitation", precipitation, lower=0.0)
    t = _monthly("temperature", temperature, lower=-90.0, upper=60.0)
    need = _monthly("demand", demand, lower=0.0)
    room = as_array(
        "capacity", capacity, lower=0.0, strict=True,
        hint="It is the plant-available water of the whole soil, in mm.",
    )  # fmt: skip
    try:
        shape = np.broadcast_shapes(rain.shape[:-1], t.shape[:-1], need.shape[:-1], room.shape)
    except ValueError:
        raise InputError(
            f"capacity has shape {room.shape}, the months {rain.shape}: give one capacity a site."
        ) from None
    rain, t, need = (np.broadcast_to(a, (*shape, 12)) for a in (rain, t, need))
    # Months first, so that each step reads contiguous memory.
    rain_m, t_m, need_m = (np.ascontiguousarray(np.moveaxis(a, -1, 0)) for a in (rain, t, need))
    fall = np.where(t_m < 0, rain_m, 0.0)
    melting = DEGREE_DAY * np.maximum(t_m, 0.0) * DAYS.reshape(12, *(1,) * len(shape))
    water, snow = np.broadcast_to(room, shape).copy(), np.zeros(shape)
    w, s = np.empty((13, *shape)), np.empty((13, *shape))
    mean, away = np.empty((12, *shape)), np.empty((12, *shape))
    for _ in range(200):
        start = water
        for m in range(12):
            w[m], s[m] = water, snow
            cover = snow + fall[m]
            melt = np.minimum(cover, melting[m])
            snow = cover - melt
            supply = rain_m[m] - fall[m] + melt
            water, mean[m], away[m] = _month(water, supply, need_m[m], room)
        if np.abs(water - start).max(initial=0.0) < 1e-6:
            break
    w[12], s[12] = water, snow
    wetness = np.moveaxis(mean, 0, -1)
    return WaterBalance(
        wetness, need * wetness, np.moveaxis(away, 0, -1), np.moveaxis(w, 0, -1),
        np.moveaxis(s, 0, -1),
    )  # fmt: skip


def _month(water: Array, supply: Array, need: Array, room: Array) -> tuple[Array, Array, Array]:
    """Water at the end of the month, mean wetness, runoff: dW/dt = P − E_p W/C, with W at most C."""
    rate = need / room
    end = water * np.exp(-rate) + supply * _first(rate)
    over = (end > room) & (supply > need)  # only more supply than need can fill it; the rest is rounding
    # When the bucket is full it stays full: the surplus of a month does not change.
    gain = np.where(over, supply - need, 1.0)
    filling = np.maximum(room - water, 0.0)
    small = rate < 1e-8
    time = np.where(small, filling / gain, np.log1p(rate * filling / gain) / np.where(small, 1.0, rate))
    time = np.where(over, np.minimum(time, 1.0), 1.0)
    x = rate * time
    content = water * time * _first(x) + supply * time**2 * _second(x) + room * (1.0 - time)
    runoff = np.where(over, (supply - need) * (1.0 - time), 0.0)
    return np.minimum(end, room), content / room, runoff


def _first(x: Array) -> Array:
    """(1 − e^−x)/x, 1 at x = 0."""
    small = x < 1e-8
    return np.where(small, 1.0 - 0.5 * x, -np.expm1(-x) / np.where(small, 1.0, x))


def _second(x: Array) -> Array:
    """(x − 1 + e^−x)/x², 1/2 at x = 0."""
    small = x < 1e-3
    series = 0.5 - x / 6.0 + x**2 / 24.0 - x**3 / 120.0
    return np.where(small, series, (x + np.expm1(-x)) / np.where(small, 1.0, x) ** 2)


def water_scalar(wetness: ArrayLike, layers: int = len(CLM5_LAYERS)) -> Array:
    """Water scalar of decomposition from the wetness of the bucket, the same in all layers.

    The water potential runs log-linearly from −1.5 MPa (empty: wilting point) to −0.033 MPa (full:
    field capacity), and CLM5's response (`landcarbon.matrix.response.water_potential`) makes it a scalar.
    It thus lies between 0.04 and 0.59: a drained soil is never as wet as CLM5's optimum of −0.002 MPa.

    Parameters
    ----------
    wetness : array_like, (..., 12)
        Water over capacity, 0 to 1.
    layers : int
        Number of soil layers.

    Returns
    -------
    ndarray, (..., layer, 12)
    """
    theta = _monthly("wetness", wetness, lower=0.0, upper=1.0 + 1e-9)
    psi = -np.exp((1.0 - theta) * np.log(-WILTING) + theta * np.log(-FIELD_CAPACITY))
    scalar = water_potential(psi)[..., None, :]
    return np.broadcast_to(scalar, (*theta.shape[:-1], layers, 12)).copy()


# --- carbon input --------------------------------------------------------------------------------


def miami_npp(
    mean_temperature: ArrayLike, annual_precipitation: ArrayLike, carbon: float = CARBON_IN_DRY_MATTER
) -> Array:
    """Net primary production by the Miami model (Lieth 1975): the scarcer of warmth and water.

    Parameters
    ----------
    mean_temperature : array_like
        Annual mean air temperature, degC.
    annual_precipitation : array_like
        mm yr-1.
    carbon : float
        Carbon in dry matter; the model itself gives dry matter.

    Returns
    -------
    ndarray
        gC m-2 yr-1.

    Examples
    --------
    >>> miami_npp([25.0, 10.0], [3000.0, 700.0], carbon=1.0).round()
    array([2521., 1115.])
    """
    t = as_array("mean_temperature", mean_temperature, lower=-90.0, upper=60.0)
    p = as_array("annual_precipitation", annual_precipitation, lower=0.0)
    warmth = 3000.0 / (1.0 + np.exp(1.315 - 0.119 * t))
    water = -3000.0 * np.expm1(-0.000664 * p)
    return carbon * np.minimum(warmth, water)


def litter_input(npp: ArrayLike, fractions: ArrayLike = LITTER_FRACTIONS) -> Array:
    """Split carbon input over coarse woody debris and litter 1-3.

    Parameters
    ----------
    npp : array_like, (...,)
        gC m-2 yr-1.
    fractions : array_like, (4,)
        Shares of CWD, metabolic, cellulose and lignin litter; they sum to 1. Unless given: 0.2 wood (our
        assumption) and 0.8 leaves and fine roots as CLM splits them, 0.25 : 0.5 : 0.25.

    Returns
    -------
    ndarray, (..., 4)
        gC m-2 yr-1.

    Raises
    ------
    InputError
        Shares that are negative or do not sum to 1.
    """
    production = as_array("npp", npp, lower=0.0)
    share = as_array("fractions", fractions, shape=(4,), lower=0.0)
    if not np.allclose(share.sum(axis=-1), 1.0, atol=1e-9):
        raise InputError(
            f"fractions sum to {np.asarray(share.sum(axis=-1)).flat[0]:.4g}; the four shares of the carbon input "
            "(CWD, litter 1, 2, 3) must sum to 1."
        )
    return production[..., None] * share


# --- the whole chain -----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class SiteForcing:
    """Forcing and covariates of the sites that have a climate.

    Attributes
    ----------
    forcing : landcarbon.models.clm5.Forcing
        Of the used sites, in order.
    covariates : pandas.DataFrame
        One row a used site; units in ``attrs["units"]``.
    used : ndarray of bool, (site,)
        Which of the sites asked for have a climate.
    report : pandas.DataFrame
        One row a site asked for: coordinates, cell, distance [km], `used`, `reason`.
    """

    forcing: Forcing
    covariates: pd.DataFrame
    used: NDArray[np.bool_]
    report: pd.DataFrame


COVARIATE_UNITS = {
    "latitude": "degrees_north",
    "longitude": "degrees_east",
    "mean_temperature": "degC",
    "temperature_seasonality": "K",
    "coldest_month": "degC",
    "warmest_month": "degC",
    "annual_precipitation": "mm yr-1",
    "precipitation_seasonality": "1",
    "sunshine": "1",
    "demand": "mm yr-1",
    "aridity": "1",
    "evapotranspiration": "mm yr-1",
    "runoff": "mm yr-1",
    "mean_wetness": "1",
    "driest_wetness": "1",
    "capacity": "mm",
    "npp": "gC m-2 yr-1",
}


def forcing_from_climate(
    temperature: ArrayLike,
    precipitation: ArrayLike,
    sunshine: ArrayLike,
    latitude: ArrayLike,
    longitude: ArrayLike,
    capacity: ArrayLike,
    *,
    npp: ArrayLike | None = None,
    bedrock_layer: ArrayLike = 20,
    fractions: ArrayLike = LITTER_FRACTIONS,
) -> tuple[Forcing, pd.DataFrame]:
    """All steps from climate to forcing, for many sites at once.

    Parameters
    ----------
    temperature, precipitation, sunshine : array_like, (site, 12)
        degC, mm month-1, fraction.
    latitude, longitude : array_like, (site,)
        Degrees.
    capacity : array_like, (site,)
        Plant-available water the soil can hold, mm.
    npp : array_like, (site,), optional
        Carbon input, gC m-2 yr-1, instead of the Miami model.
    bedrock_layer : array_like
        Layers above bedrock; all 20 unless known.
    fractions : array_like, (4,)
        See `litter_input`.

    Returns
    -------
    forcing : landcarbon.models.clm5.Forcing
    covariates : pandas.DataFrame
        One row a site, units in ``attrs["units"]``.
    """
    from landcarbon.models.clm5 import Forcing

    t = _monthly("temperature", temperature, lower=-90.0, upper=60.0)
    p = _monthly("precipitation", precipitation, lower=0.0)
    s = _monthly("sunshine", sunshine, lower=0.0, upper=1.0)
    if t.ndim != 2:
        raise InputError(f"temperature has shape {t.shape}; give one row of twelve months a site.")
    lat = as_array("latitude", latitude, shape=(len(t),), lower=-90.0, upper=90.0)
    lon = as_array("longitude", longitude, shape=(len(t),), lower=-180.0, upper=180.0)
    demand = potential_evapotranspiration(t, s, lat)
    water = bucket(p, t, demand, capacity)
    production = (
        miami_npp(t.mean(axis=-1), p.sum(axis=-1))
        if npp is None
        else np.broadcast_to(as_array("npp", npp, lower=0.0), lat.shape)
    )
    forcing = Forcing(
        soil_temperature=soil_temperature(t),
        water_scalar=water_scalar(water.wetness),
        litter_input=litter_input(production, fractions),
        active_layer_depth=active_layer_depth(t),
        bedrock_layer=np.broadcast_to(np.asarray(bedrock_layer), lat.shape),
    )
    annual_p, annual_e = p.sum(axis=-1), demand.sum(axis=-1)
    columns = {
        "latitude": lat,
        "longitude": lon,
        "mean_temperature": t.mean(axis=-1),
        "temperature_seasonality": t.std(axis=-1),
        "coldest_month": t.min(axis=-1),
        "warmest_month": t.max(axis=-1),
        "annual_precipitation": annual_p,
        "precipitation_seasonality": p.std(axis=-1) / np.maximum(p.mean(axis=-1), 1.0),
        "sunshine": s.mean(axis=-1),
        "demand": annual_e,
        "aridity": annual_p / (annual_p + annual_e + 1.0),
        "evapotranspiration": water.evapotranspiration.sum(axis=-1),
        "runoff": water.runoff.sum(axis=-1),
        "mean_wetness": water.wetness.mean(axis=-1),
        "driest_wetness": water.wetness.min(axis=-1),
        "capacity": np.broadcast_to(np.asarray(capacity, dtype=float), lat.shape),
        "npp": production,
    }
    covariates = pd.DataFrame(columns)
    covariates.attrs = {"units": dict(COVARIATE_UNITS)}
    return forcing, covariates


def forcing_at(
    latitude: ArrayLike,
    longitude: ArrayLike,
    climate: xr.Dataset | None = None,
    *,
    max_distance: float = 60.0,
) -> SiteForcing:
    """Forcing and covariates at many places, each from the nearest land cell of a climate grid.

    Parameters
    ----------
    latitude, longitude : array_like, (site,)
        Degrees.
    climate : xarray.Dataset, optional
        As `landcarbon.datasets.load("biome4")` gives it, which is what is used unless given: variables
        `temperature`, `precipitation`, `sunshine` (month, latitude, longitude), `water_capacity`
        (soil_layer, latitude, longitude), and `wetland` if there is one.
    max_distance : float
        Farthest cell centre that is taken, km. The corner of a 0.5° cell is at most 39 km from its centre;
        60 km also reaches the neighbour, for places on a coast.

    Returns
    -------
    SiteForcing
        Sites without a cell are in its report, not in its forcing. A wetland cell has no capacity in the
        file: it takes 57 and 122.5 mm and is marked.

    Raises
    ------
    InputError
        Coordinates out of range, not one site with a cell, or a climate with other axes.
    """
    lat, lon = as_places(latitude, longitude)
    if climate is None:
        from landcarbon.datasets.readers import load

        climate = load("biome4")
    climate = _on_grid(climate, "the climate")
    need = ("temperature", "precipitation", "sunshine", "water_capacity")
    lacking = [name for name in need if name not in climate]
    if lacking:
        raise InputError(f"the climate has no variable {lacking[0]!r}; it needs {', '.join(need)}.")
    kept = [*need, "wetland"] if "wetland" in climate else list(need)
    plane = {"latitude", "longitude"}
    for name in kept:
        axes = plane | {"water_capacity": {"soil_layer"}, "wetland": set()}.get(name, {"month"})
        if set(climate[name].dims) != axes or climate[name].dtype.kind not in "biuf":
            raise InputError(
                f"{name} of the climate must hold numbers over {', '.join(sorted(axes))}, but is of kind "
                f"{climate[name].dtype} over {', '.join(map(str, climate[name].dims)) or 'nothing'}."
            )
    sizes = {"month": 12, "soil_layer": 2}
    for axis, size in sizes.items():
        if climate.sizes[axis] != size:
            raise InputError(f"{axis} of the climate has {climate.sizes[axis]} values, but {size} are needed.")
    month = climate["month"].values
    if month.dtype.kind in "iufM" and (np.diff(month.astype(float)) <= 0).any():
        raise InputError("the months of the climate must run from January to December; sort them.")
    grid = climate[kept].transpose(*sizes, "latitude", "longitude", missing_dims="ignore")
    t, p, s = (grid[name].values for name in need[:3])
    room = grid["water_capacity"].values
    wetland = (
        np.nan_to_num(grid["wetland"].values.astype(float)) != 0
        if "wetland" in grid
        else np.zeros(room.shape[1:], dtype=bool)
    )
    has_climate = np.isfinite(t).all(axis=0) & np.isfinite(p).all(axis=0) & np.isfinite(s).all(axis=0)
    has_soil = wetland | (np.isfinite(room).all(axis=0) & (room[0] > 0))
    if not (has_climate & has_soil).any():
        raise InputError(f"no cell of the climate has a value of all of {', '.join(need)}.")
    j, i, km = _nearest_cell(lat, lon, grid, has_climate & has_soil)
    used = km <= max_distance
    report = pd.DataFrame(
        {
            "latitude": lat,
            "longitude": lon,
            "cell_latitude": grid["latitude"].values[j],
            "cell_longitude": grid["longitude"].values[i],
            "distance_km": km,
            "used": used,
            "reason": np.where(used, "", f"no land cell with climate and soil within {max_distance:g} km"),
        }
    )
    if not used.any():
        raise InputError(
            f"none of the {len(lat)} sites has a land cell with climate and soil within {max_distance:g} km; "
            "are latitude and longitude swapped?"
        )
    j, i = j[used], i[used]
    wet = wetland[j, i]
    capacity = np.where(wet, FILL_CAPACITY[:, None], room[:, j, i])
    above, below = as_array("water_capacity", capacity, lower=0.0, hint="The unit is mm.")
    forcing, covariates = forcing_from_climate(
        t[:, j, i].T, p[:, j, i].T, s[:, j, i].T, lat[used], lon[used], above + below
    )
    covariates["capacity_below_30cm"] = below
    covariates.attrs["units"]["capacity_below_30cm"] = "mm"
    covariates["wetland"] = wet.astype(float)
    covariates.attrs["units"]["wetland"] = "1"
    covariates.attrs["synthetic"] = bool(climate.attrs.get("synthetic", False))
    return SiteForcing(forcing, covariates, used, report)


def covariates_at(
    latitude: ArrayLike,
    longitude: ArrayLike,
    grid: xr.Dataset,
    *,
    max_distance: float = 60.0,
) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """More of the environment: every map of a dataset, at the nearest cell that has all of them.

    Parameters
    ----------
    latitude, longitude : array_like, (site,)
        Degrees.
    grid : xarray.Dataset
        With coordinates `latitude` and `longitude` (`lat` and `lon` will do); numeric variables over
        both are taken, others are left alone.
    max_distance : float
        Farthest cell centre that is taken, km.

    Returns
    -------
    covariates : pandas.DataFrame
        One row a site, NaN where it has no cell; units in ``attrs["units"]``.
    used : ndarray of bool, (site,)
        Which sites have a cell.

    Raises
    ------
    InputError
        No coordinates, no map, coordinates out of range, values that seem to mark gaps.

    Examples
    --------
    >>> import xarray as xr
    >>> grid = xr.Dataset(
    ...     {"clay": (("lat", "lon"), [[20.0, np.nan]])}, coords={"lat": [10.0], "lon": [5.0, 5.5]}
    ... )
    >>> table, used = covariates_at([10.1, 50.0], [5.3, 5.0], grid)
    >>> float(table["clay"][0]), used.tolist()
    (20.0, [True, False])
    """
    lat, lon = as_places(latitude, longitude)
    grid = _on_grid(grid, "the environment")
    maps = {
        str(name): values.transpose("latitude", "longitude")
        for name, values in grid.data_vars.items()
        if set(values.dims) == {"latitude", "longitude"} and values.dtype.kind in "biuf"
    }
    if not maps:
        raise InputError("the environment holds no numeric variable over latitude and longitude.")
    stack = np.stack([values.values.astype(float) for values in maps.values()])
    for name, values in zip(maps, stack):
        if (np.abs(values[np.isfinite(values)]) > FILL).any():
            raise InputError(
                f"{name} of the environment holds values above {FILL:g}, which seem to mark gaps; put NaN there."
            )
    valid = np.isfinite(stack).all(axis=0)
    if not valid.any():
        raise InputError(f"no cell of the environment has a value of all of {', '.join(maps)}.")
    j, i, km = _nearest_cell(lat, lon, grid, valid)
    used = km <= max_distance
    table = pd.DataFrame(np.where(used, stack[:, j, i], np.nan).T, columns=list(maps))
    table.attrs = {"units": {name: str(v.attrs.get("units", "")) for name, v in maps.items()}}
    return table, used


def _on_grid(grid: xr.Dataset, what: str) -> xr.Dataset:
    """The dataset over `latitude` and `longitude`, or a sentence why it is no map."""
    for short, name, most in (("lat", "latitude", 90.0), ("lon", "longitude", 360.0)):
        found = next((n for n in (name, short) if n in grid.variables), None)
        if found is None:
            raise InputError(
                f"{what} has no coordinate {name!r}; it needs latitude and longitude in degrees."
            )
        if grid[found].ndim == 1 and grid[found].dims != (found,):
            grid = grid.set_coords(found).swap_dims({grid[found].dims[0]: found})
        grid = grid if found == name else grid.rename({found: name})
        values = grid[name]
        if values.dims == (name,) and values.dtype.kind in "iuf":
            if np.isfinite(values.values).all() and (np.abs(values.values) <= most).all():
                continue
        raise InputError(
            f"{name} of {what} must be one axis of finite numbers in degrees, at most {most:g}; "
            "projected grids must be brought to latitude and longitude first."
        )
    return grid


def _nearest_cell(
    lat: Array, lon: Array, grid: xr.Dataset, valid: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    """Nearest valid cell of a grid: row, column, distance in km."""
    j, i = np.nonzero(valid)
    k, km = nearest(lat, lon, grid["latitude"].values[j], grid["longitude"].values[i])
    return j[k], i[k], km
