"""The climate of a site and its soil: from monthly weather to the forcing of the CLM5 soil matrix, one
published step a function.

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
T       temperature of air and soil                 (..., 12)        °C; K out   temperature_c
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

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.geo import as_places
from landcarbon.matrix.errors import (
    InputError,
    as_array,
    as_broadcast,
    as_number,
    as_whole,
    unit_of,
)
from landcarbon.matrix.layers import CLM5_LAYERS
from landcarbon.matrix.response import FREEZING, water_potential
from landcarbon.models.clm5 import Forcing

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "LITTER_FRACTIONS",
    "WaterBalance",
    "active_layer_depth",
    "bucket",
    "damping_depth",
    "forcing_from_climate",
    "litter_input",
    "miami_npp",
    "monthly_precipitation",
    "monthly_temperature",
    "potential_evapotranspiration",
    "soil_temperature",
    "water_scalar",
]

Array = NDArray[np.float64]

_NODES: Array = np.asarray(CLM5_LAYERS.node, dtype=float)
YEAR_SECONDS = 365.0 * 86400.0
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


def _monthly(name: str, value: ArrayLike, **limits: Any) -> Array:
    return as_array(name, value, shape=(12,), hint="The last axis is the twelve months.", **limits)


def monthly_temperature(temperature_c: ArrayLike) -> Array:
    """Monthly temperature (..., 12) [degC], whatever unit it carries.

    Raises
    ------
    InputError
        Not twelve months, or numbers that must be kelvin.
    """
    t = _monthly("temperature", temperature_c, unit="degC")
    if t.size and t.min() > 150.0:
        raise InputError(
            f"temperature must be in degrees Celsius, but {t.flat[0]:g} was given, which seems to be kelvin: "
            "subtract 273.15."
        )
    return as_array("temperature", t, lower=-90.0, upper=60.0, hint="The unit is degC.")


def monthly_precipitation(precipitation: ArrayLike) -> Array:
    """Monthly precipitation (..., 12) [mm month-1]; rates become the sum of each month's own days.

    Raises
    ------
    InputError
        Not twelve months, negative water, or a depth in m, which may be that of a month or of a day.
    """
    given = unit_of(precipitation)
    if given is None or given.strip() == "mm":
        return _monthly("precipitation", precipitation, lower=0.0)
    if re.search(r"\bmo(n|nths?)?\b", given):
        return _monthly("precipitation", precipitation, lower=0.0, unit="mm month-1")
    return _monthly("precipitation", precipitation, lower=0.0, unit="mm day-1") * DAYS


# --- temperature ---------------------------------------------------------------------------------


def damping_depth(diffusivity: float = DIFFUSIVITY, harmonic: int = 1) -> float:
    """Depth at which a temperature wave has shrunk to 1/e, m.

    Examples
    --------
    >>> round(damping_depth(), 2)
    2.24
    """
    kappa = as_number("diffusivity", diffusivity, lower=0.0, strict=True, hint="The unit is m2 s-1.")
    return float(np.sqrt(kappa * YEAR_SECONDS / (np.pi * as_whole("harmonic", harmonic, 1))))


def soil_temperature(
    temperature_c: ArrayLike, depth: ArrayLike | None = None, diffusivity: float = DIFFUSIVITY
) -> Array:
    """Soil temperature below a surface that follows the air: the damped, lagged annual wave.

    Every harmonic of the twelve months is a wave that shrinks and lags as it goes down; the annual
    mean is the same at all depths.

    Parameters
    ----------
    temperature_c : array_like, (..., 12)
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
    t = monthly_temperature(temperature_c)
    z = as_array("depth", _NODES if depth is None else depth, lower=0.0)
    if z.ndim > 1:
        raise InputError(f"depth is one row of depths in metres, but its shape is {z.shape}.")
    kappa = as_number("diffusivity", diffusivity, lower=0.0, strict=True)
    waves = np.fft.rfft(t, axis=-1)
    d = np.array([damping_depth(kappa, k) for k in range(1, waves.shape[-1])])
    decay = np.ones((z.size, waves.shape[-1]), dtype=complex)
    decay[:, 1:] = np.exp(-(1.0 + 1.0j) * z[:, None] / d)
    return np.fft.irfft(waves[..., None, :] * decay, n=12, axis=-1) + FREEZING


def active_layer_depth(temperature_c: ArrayLike, diffusivity: float = DIFFUSIVITY) -> Array:
    """Depth to which the ground thaws in summer: where the annual wave just reaches 0 °C.

    Parameters
    ----------
    temperature_c : array_like, (..., 12)
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
    t = monthly_temperature(temperature_c)
    kappa = as_number("diffusivity", diffusivity, lower=0.0, strict=True)
    mean = t.mean(axis=-1)
    amplitude = np.abs(np.fft.rfft(t, axis=-1)[..., 1]) / 6.0
    frozen = mean <= 0
    with np.errstate(divide="ignore"):
        ratio = np.where(frozen, amplitude / np.abs(mean), np.inf)
        thaw = damping_depth(kappa) * np.log(np.maximum(ratio, 1.0))
    return np.where(frozen, np.minimum(thaw, NO_PERMAFROST), NO_PERMAFROST)


# --- water ---------------------------------------------------------------------------------------


def potential_evapotranspiration(
    temperature_c: ArrayLike, sunshine: ArrayLike, latitude: ArrayLike
) -> Array:
    """Potential evapotranspiration from temperature, sunshine and latitude (Priestley-Taylor).

    Parameters
    ----------
    temperature_c : array_like, (..., 12)
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
    t = monthly_temperature(temperature_c)
    s = _monthly("sunshine", sunshine, lower=0.0, upper=1.0, unit="1")
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
    precipitation: ArrayLike, temperature_c: ArrayLike, demand: ArrayLike, capacity: ArrayLike
) -> WaterBalance:
    """Soil water through the year in a bucket that loses water in proportion to what is left.

    Rain and melt fall evenly through the month; the equation is solved exactly within it. Months
    colder than 0 °C store their precipitation as snow, which melts at 3 mm a day and degree.

    Parameters
    ----------
    precipitation : array_like, (..., 12)
        mm month-1.
    temperature_c : array_like, (..., 12)
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
    rain = monthly_precipitation(precipitation)
    t = monthly_temperature(temperature_c)
    need = _monthly("demand", demand, lower=0.0)
    room = as_array(
        "capacity", capacity, lower=0.0, strict=True, unit="mm",
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
    return np.broadcast_to(scalar, (*theta.shape[:-1], as_whole("layers", layers, 1), 12)).copy()


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
    carbon = as_number("carbon", carbon, lower=0.0, strict=True)
    t = as_array("mean_temperature", mean_temperature, lower=-90.0, upper=60.0, unit="degC", hint="The unit is degC.")
    p = as_array("annual_precipitation", annual_precipitation, lower=0.0, unit="mm yr-1")
    t, p = as_broadcast(mean_temperature=t, annual_precipitation=p)
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
    production = as_array("npp", npp, lower=0.0, unit="gC m-2 yr-1")
    share = as_array("fractions", fractions, shape=(4,), lower=0.0)
    if not np.allclose(share.sum(axis=-1), 1.0, atol=1e-9):
        raise InputError(
            f"fractions sum to {np.asarray(share.sum(axis=-1)).flat[0]:.4g}; the four shares of the carbon input "
            "(CWD, litter 1, 2, 3) must sum to 1."
        )
    return production[..., None] * share


# --- all steps ------------------------------------------------------------------------------------


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
    temperature_c: ArrayLike,
    precipitation: ArrayLike,
    sunshine: ArrayLike,
    latitude: ArrayLike,
    longitude: ArrayLike,
    capacity: ArrayLike,
    *,
    npp: ArrayLike | None = None,
    bedrock_layer: ArrayLike = 20,
) -> tuple[Forcing, pd.DataFrame]:
    """All steps from climate to forcing, for many sites at once.

    Parameters
    ----------
    temperature_c, precipitation, sunshine : array_like, (site, 12)
        degC, mm month-1, fraction.
    latitude, longitude : array_like, (site,)
        Degrees.
    capacity : array_like, (site,)
        Plant-available water the soil can hold, mm.
    npp : array_like, (site,), optional
        Carbon input, gC m-2 yr-1, instead of the Miami model.
    bedrock_layer : array_like
        Layers above bedrock; all 20 unless known.

    Returns
    -------
    forcing : landcarbon.models.clm5.Forcing
    covariates : pandas.DataFrame
        One row a site, units in ``attrs["units"]``.
    """
    t = monthly_temperature(temperature_c)
    p = monthly_precipitation(precipitation)
    s = _monthly("sunshine", sunshine, lower=0.0, upper=1.0, unit="1")
    if t.ndim != 2:
        raise InputError(f"temperature has shape {t.shape}; give one row of twelve months a site.")
    lat, lon = as_places(latitude, longitude)
    if len(lat) != len(t):
        raise InputError(f"latitude has {len(lat)} values, temperature {len(t)} rows; give one of each a site.")
    for name, array in (("precipitation", p), ("sunshine", s)):
        if array.shape != t.shape:
            raise InputError(f"{name} has shape {array.shape}, temperature {t.shape}; give twelve months a site.")
    room, rock = as_array("capacity", capacity, unit="mm"), as_array("bedrock_layer", bedrock_layer)
    given = 0.0 if npp is None else as_array("npp", npp, lower=0.0, unit="gC m-2 yr-1")
    for name, array in (("capacity", room), ("bedrock_layer", rock), ("npp", np.asarray(given))):
        if array.shape not in ((), (1,), lat.shape):
            raise InputError(f"{name} has shape {array.shape}, but there are {len(lat)} sites; give one number each.")
    demand = potential_evapotranspiration(t, s, lat)
    water = bucket(p, t, demand, capacity)
    production = (
        miami_npp(t.mean(axis=-1), p.sum(axis=-1))
        if npp is None
        else np.broadcast_to(given, lat.shape)
    )
    forcing = Forcing(
        soil_temperature=soil_temperature(t),
        water_scalar=water_scalar(water.wetness),
        litter_input=litter_input(production),
        active_layer_depth=active_layer_depth(t),
        bedrock_layer=np.broadcast_to(rock, lat.shape),
    )
    return forcing, _covariates(lat, lon, t, p, s, demand, water, {"capacity": room, "npp": production})


def _covariates(
    lat: Array, lon: Array, t: Array, p: Array, s: Array, demand: Array, water: WaterBalance, more: dict[str, Array]
) -> pd.DataFrame:
    """What of a climate can tell parameters, one row a site."""
    import pandas as pd

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
        **{name: np.broadcast_to(value, lat.shape) for name, value in more.items()},
    }
    covariates = pd.DataFrame(columns)
    covariates.attrs = {"units": dict(COVARIATE_UNITS)}
    return covariates
