"""DALEC: five pools of an evergreen forest, driven by daily weather (Williams et al. 2005).

    dX/dt = B G(X, weather) − A ξ K X,      ξ = 1 for plants, T for litter and soil
    T     = ½ exp(0.0692 T_mean)
    G     = E(light, CO₂, leaves, warmth) (a₂ s + a₅)        the aggregated canopy model, ACM

Photosynthesis G feeds foliage, fine roots and wood; leaves and roots fall into litter, wood falls
into soil, litter decays into soil. Foliage makes the leaves that photosynthesise: the one feedback.

====== ====================================== =========== ============== ================= ======
symbol meaning                                shape       unit           code name         source
====== ====================================== =========== ============== ================= ======
X      foliage, wood, fine roots, litter,     (..., 5)    gC m-2         X, X0             [1]
       soil with coarse woody debris
G      photosynthesis of the canopy           (days, ...) gC m-2 d-1     gpp               [1, 2]
LAI    leaf area, foliage / leaf mass         (...)       m2 m-2         lai               [1]
m_l    leaf mass per area                     ()          gC m-2         LEAF_MASS         [2]
a      ten coefficients of ACM                (10,)       see ACM        ACM               [1, 2]
s      length of the day                      (days,)     h              day_length        [1]
B      shares of G that become tissue         (..., 5)    1              see dalec5        [1]
K      turnover rates at ξ = 1                (..., 5)    d-1            see dalec5        [1]
T      temperature factor                     (days, ...) 1              temperature_rate  [1]
w      warming of T, 0.0692                   ()          °C-1           WARMTH            [2]
T_mean mean of highest and lowest temperature (days, ...) °C             Drivers           [1]
====== ====================================== =========== ============== ================= ======

Trees that are bare in winter (`simulate_broadleaf`) have a sixth pool Λ, of labile carbon. It takes the
foliage's share of NPP, and opens the leaves within some days of spring; in autumn they fall:

    dΛ/dt = B_leaf G − φ_on Λ,      dX_leaf/dt = φ_on Λ − (φ_off + K_leaf) X_leaf
    φ(t)  = P / (w √(2π)) exp(−½ (δ / w)²),      δ: days from t to the day of the event, around the year

P = 6.9 lets one thousandth stay. A store, a day of leaf-out and one of leaf fall are those of DALEC2 [3];
the bell is ours.

[1] Williams, Schwarz, Law, Irvine & Kurpius (2005), Global Change Biology 11, 89–105, doi
    10.1111/j.1365-2486.2004.00891.x: nine parameters and five first pools, estimated at Metolius.
[2] Their values as written in public code: dalec_pf of J. Gómez-Dans (file dalec.py), and in part
    in the model data base bgc_md2 (entry Williams2005GCB), which agree to the digits given but for
    the last one of 0.0692 (0.0693 there).
[3] Bloom & Williams (2015), Biogeosciences 12, 1299–1315, doi 10.5194/bg-12-1299-2015.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import (
    InputError,
    as_array,
    as_broadcast,
    as_kind,
    as_number,
    as_whole,
)
from landcarbon.matrix.frozen import keep
from landcarbon.matrix.model import MatrixModel
from landcarbon.matrix.response import as_celsius
from landcarbon.models.parameters import Parameter, ParameterTable

__all__ = [
    "ACM",
    "BROADLEAF",
    "BROADLEAF_POOLS",
    "LEAF_MASS",
    "METOLIUS",
    "PARAMETERS",
    "POOLS",
    "X0",
    "Drivers",
    "Run",
    "dalec5",
    "day_length",
    "gpp",
    "leaf_calendar",
    "simulate_broadleaf",
    "simulate_dalec",
    "temperature_rate",
]

Array = NDArray[np.float64]

POOLS = ("foliage", "wood", "fine roots", "litter", "soil")
X0 = (57.705, 769.86, 102.0, 40.449, 9896.7)  # gC m-2, 1 January 2000 at Metolius [1]
METOLIUS = 44.4  # °N
LEAF_MASS = 111.0  # gC per m2 of leaf
LEAST_LAI = 0.1  # the published code photosynthesises with at least this leaf area
DAYS = 365.0  # in a year
ACM = (2.155, 0.0142, 217.9, 0.980, 0.155, 2.653, 4.309, 0.060, 1.062, 0.0006)
WARMTH = 0.0692  # °C-1, in the temperature factor

_W = "default: Williams et al. 2005; bounds: ours"

PARAMETERS = ParameterTable(
    Parameter(name, unit, lower, upper, default, _W, meaning)
    for name, unit, lower, upper, default, meaning in (
        ("decay_litter", "d-1", 1e-6, 1e-2, 4.41e-6, "litter that becomes soil carbon"),
        ("respired", "1", 0.2, 0.7, 0.47, "share of GPP that plants respire"),
        ("to_foliage", "1", 0.01, 0.6, 0.315, "share of NPP that becomes foliage"),
        ("to_roots", "1", 0.01, 0.9, 0.4344, "share of the rest that becomes fine roots"),
        ("fall_foliage", "d-1", 1e-4, 2e-2, 2.665e-3, "turnover rate of foliage"),
        ("fall_wood", "d-1", 1e-7, 1e-3, 2.06e-6, "turnover rate of wood"),
        ("fall_roots", "d-1", 1e-4, 2e-2, 2.48e-3, "turnover rate of fine roots"),
        ("respire_litter", "d-1", 1e-4, 1e-1, 2.28e-2, "litter that is respired"),
        ("respire_soil", "d-1", 1e-7, 1e-3, 2.65e-6, "soil carbon that is respired"),
    )
)
"""p₁ to p₉ of the paper, in its order."""

BROADLEAF_POOLS = (*POOLS, "labile")
OPENED = 6.9  # P: e^-6.9 is a thousandth

BROADLEAF = ParameterTable([
    *PARAMETERS,
    *(
        Parameter(name, unit, lower, upper, default, "ours", meaning)
        for name, unit, lower, upper, default, meaning in (
            ("onset", "d", 60.0, 180.0, 125.0, "day of the year on which leaves open"),
            ("fall", "d", 220.0, 340.0, 285.0, "day of the year on which leaves fall"),
            ("onset_days", "d", 3.0, 30.0, 10.0, "standard deviation of the days of opening"),
            ("fall_days", "d", 3.0, 40.0, 14.0, "standard deviation of the days of falling"),
            ("leaf_mass", "gC m-2", 15.0, 120.0, 45.0, "carbon per leaf area"),
        )
    ),
])  # fmt: skip
"""Those of `PARAMETERS`, the calendar of the leaves, and their mass. Days are those of the northern half."""


@dataclass(frozen=True)
class Drivers:
    """Daily weather and what leaves are like; time is the first axis.

    Parameters
    ----------
    doy : array_like (days,)
        Day of the year, 1 to 366.
    max_temperature, min_temperature : array_like (days, ...)
        [°C].
    radiation : array_like (days, ...)
        Shortwave [MJ m-2 d-1].
    co2 : array_like (days, ...) or float
        [ppm].
    leaf_nitrogen : array_like (days, ...) or float
        [gN m-2 of leaf].
    water_potential_difference : array_like (days, ...) or float
        Largest difference between soil and leaf [MPa], negative.
    hydraulic_resistance : array_like (days, ...) or float
        From soil through plant [MPa m2 s mmol-1].

    Raises
    ------
    InputError
        Different numbers of days, values out of their range.

    Examples
    --------
    >>> day = Drivers(doy=[180], max_temperature=[24.0], min_temperature=[8.0], radiation=[22.0])
    >>> len(day)
    1
    """

    doy: Array
    max_temperature: Array
    min_temperature: Array
    radiation: Array
    co2: Array = 355.0  # type: ignore[assignment]
    leaf_nitrogen: Array = 2.7  # type: ignore[assignment]
    water_potential_difference: Array = -1.0  # type: ignore[assignment]
    hydraulic_resistance: Array = 1.0  # type: ignore[assignment]

    def __post_init__(self) -> None:
        limits: dict[str, tuple[float, float]] = {
            "doy": (1, 366),
            "max_temperature": (-90, 70),
            "min_temperature": (-90, 70),
            "radiation": (0, 60),
            "co2": (1, 1e4),
            "leaf_nitrogen": (0, 50),
            "water_potential_difference": (-20, 0),
            "hydraulic_resistance": (0, 1e4),
        }
        doy = as_array("doy", self.doy)
        days = doy.shape[0] if doy.ndim else -1
        for field in fields(self):
            low, high = limits[field.name]
            value = as_array(field.name, getattr(self, field.name), lower=low, upper=high)
            if days < 0 or (value.ndim and value.shape[0] != days):
                raise InputError(
                    f"{field.name} has shape {value.shape}, doy {doy.shape}: the first axis "
                    "of every driver is the days. One number is fine for what never changes."
                )
            keep(self, **{field.name: value if value.ndim else np.full(days, value)})

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Drivers:
        """Drivers from a table with their names as columns, such as the data set dalec_oregon."""
        as_kind("table", table, "keys", hint="Give a table with a column for each driver.")
        missing = [f.name for f in fields(cls) if f.name not in table]
        if missing:
            raise InputError(f"The table has no column {missing[0]!r}; it needs those of Drivers.")
        return cls(**{f.name: as_array(f.name, table[f.name]) for f in fields(cls)})

    def __len__(self) -> int:
        return len(self.doy)

    def day(self, k: int) -> dict[str, Array]:
        """The drivers of day k, by name."""
        k = as_whole("k", k, 0, len(self) - 1)
        return {f.name: getattr(self, f.name)[k] for f in fields(self)}


@dataclass(frozen=True)
class Run:
    """Pools at the start of each day and after the last one, and the fluxes of the days.

    Attributes
    ----------
    X : ndarray (days + 1, ..., 5)
        [gC m-2].
    gpp, autotrophic, heterotrophic : ndarray (days, ...)
        [gC m-2 d-1].
    lai : ndarray (days, ...)
        Leaf area the day photosynthesised with [m2 m-2].
    """

    X: Array
    gpp: Array
    autotrophic: Array
    heterotrophic: Array
    lai: Array

    @property
    def nee(self) -> Array:
        """Net ecosystem exchange (days, ...) [gC m-2 d-1]; negative is uptake."""
        return self.autotrophic + self.heterotrophic - self.gpp


def dalec5(theta: ArrayLike | None = None) -> MatrixModel:
    """The matrices of DALEC; the input is photosynthesis, the scalar of litter and soil is T.

    Parameters
    ----------
    theta : array_like (..., 9), optional
        Parameters in the order of `PARAMETERS`; those of the paper if it is not given.

    Returns
    -------
    MatrixModel
        Five pools, rates per year; the shares B sum to 1 − respired.

    Raises
    ------
    InputError
        A wrong number of parameters, shares above 1, negative rates.

    Examples
    --------
    >>> m = dalec5()
    >>> float(m.B.sum().round(2)), float((1 / m.K[1]).round())
    (0.53, 1330.0)
    """
    p = _named(theta)
    for name in ("respired", "to_foliage", "to_roots"):
        if np.any(p[name] > 1):
            raise InputError(f"{name} is {p[name].max():g}; it is a share, 0 to 1.")
    zero = np.zeros_like(p["respired"])
    npp = 1 - p["respired"]
    leaf = npp * p["to_foliage"]
    root = (npp - leaf) * p["to_roots"]
    B = np.stack([leaf, npp - leaf - root, root, zero, zero], axis=-1)
    out = p["decay_litter"] + p["respire_litter"]
    K = np.stack(
        [p["fall_foliage"], p["fall_wood"], p["fall_roots"], out, p["respire_soil"]], axis=-1
    )
    A = np.broadcast_to(np.eye(5), (*zero.shape, 5, 5)).copy()
    A[..., 3, 0] = A[..., 3, 2] = A[..., 4, 1] = -1.0
    A[..., 4, 3] = -p["decay_litter"] / np.where(out > 0, out, 1.0)
    return MatrixModel(POOLS, A=A, K=K * DAYS, B=B)


def temperature_rate(max_temperature: ArrayLike, min_temperature: ArrayLike) -> Array:
    """T = ½ exp(0.0692 (T_max + T_min) / 2), shape (...): 1 at 10 °C, doubling every 10 °C.

    Examples
    --------
    >>> temperature_rate([15.0, 25.0], [5.0, 15.0]).round(2)
    array([1., 2.])
    """
    high, low = as_broadcast(
        max_temperature=as_celsius("max_temperature", max_temperature),
        min_temperature=as_celsius("min_temperature", min_temperature),
    )
    return 0.5 * np.exp(WARMTH * 0.5 * (high + low))


def day_length(doy: ArrayLike, latitude: ArrayLike = METOLIUS) -> Array:
    """Hours from sunrise to sunset (...), from the day of the year and the latitude [°N].

    Examples
    --------
    >>> day_length([80, 172, 355], 44.4).round(1)
    array([11.9, 15.3,  8.7])
    """
    doy = as_array("doy", doy, lower=1, upper=366)
    phi = as_array("latitude", latitude, lower=-90, upper=90, hint="Degrees north.")
    declination = np.deg2rad(-23.4 * np.cos(np.deg2rad(360.0 * (doy + 10.0) / 365.0)))
    reach = np.tan(np.deg2rad(phi)) * np.tan(declination)
    # Beyond −1 and 1 the sun never rises, or never sets.
    return 24.0 * np.arccos(-np.clip(reach, -1.0, 1.0)) / np.pi


def gpp(
    lai: ArrayLike,
    doy: ArrayLike,
    max_temperature: ArrayLike,
    min_temperature: ArrayLike,
    radiation: ArrayLike,
    co2: ArrayLike = 355.0,
    leaf_nitrogen: ArrayLike = 2.7,
    water_potential_difference: ArrayLike = -1.0,
    hydraulic_resistance: ArrayLike = 1.0,
    latitude: ArrayLike = METOLIUS,
    acm: ArrayLike = ACM,
) -> Array:
    """Photosynthesis of the canopy by the aggregated canopy model (...) [gC m-2 d-1].

    Diffusion of CO₂ through the stomata and its use in the leaf fix the CO₂ inside the leaf; what
    diffuses in and what the light allows give the rate; the length of the day scales it.

    Parameters
    ----------
    lai : array_like (...)
        Leaf area [m2 m-2].
    doy, max_temperature, ... : array_like (...)
        Of one day, or of many; see `Drivers`.
    latitude : array_like (...)
        [°N].
    acm : array_like (10,)
        Coefficients a₁ to a₁₀.

    Returns
    -------
    ndarray (...)

    Raises
    ------
    InputError
        A negative leaf area, the lowest temperature above the highest.

    Notes
    -----
    Williams et al. (2005), appendix.

    Examples
    --------
    >>> float(gpp(lai=1.5, doy=180, max_temperature=24, min_temperature=8, radiation=22).round(2))
    3.98
    """
    a = as_array("acm", acm, shape=(10,))
    lai = as_array("lai", lai, lower=0.0)
    day = (doy, max_temperature, min_temperature, radiation, co2, leaf_nitrogen,
           water_potential_difference, hydraulic_resistance)
    return _photosynthesis(lai, a, *_weather(a, latitude, day))


def simulate_dalec(
    drivers: Drivers,
    theta: ArrayLike | None = None,
    X0: ArrayLike = X0,
    latitude: float = METOLIUS,
    leaf_mass: ArrayLike = LEAF_MASS,
) -> Run:
    """Day after day: photosynthesis from the leaves there are, then one explicit step of the pools.

    Parameters
    ----------
    drivers : Drivers
        The days.
    theta : array_like (..., 9), optional
        Parameters; leading axes are members or chains.
    X0 : array_like (..., 5)
        First state [gC m-2].
    latitude : float
        [°N].
    leaf_mass : array_like (...)
        Carbon per leaf area [gC m-2 of leaf].

    Returns
    -------
    Run

    Raises
    ------
    InputError
        A state or parameters that do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> summer = Drivers(doy=np.arange(150, 250), max_temperature=np.full(100, 24.0),
    ...                  min_temperature=np.full(100, 8.0), radiation=np.full(100, 22.0))
    >>> run = simulate_dalec(summer)
    >>> float(run.nee.sum().round(1))
    -87.4
    """
    as_kind("drivers", drivers, Drivers)
    latitude = as_number("latitude", latitude, lower=-90.0, upper=90.0)
    p = _named(theta)
    model = dalec5(theta)
    X = as_array("X0", X0, shape=(5,), lower=0.0, hint=f"Pools: {', '.join(POOLS)}.")
    leaf_mass = as_array("leaf_mass", leaf_mass, lower=0.0, strict=True)
    days, given = len(drivers), [getattr(drivers, field.name) for field in fields(drivers)]
    sites = max(value.ndim for value in given) - 1
    given = [v.reshape(days, *(1,) * (sites + 1 - v.ndim), *v.shape[1:]) for v in given]
    a = np.array(ACM)
    weather = _weather(a, latitude, given)
    warmth = temperature_rate(given[1], given[2])[:, None]
    lead = np.broadcast_shapes(
        X.shape[:-1], model.K.shape[:-1], leaf_mass.shape, *(value.shape[1:] for value in given)
    )
    # A day is a few operations on long rows: pools stand first here, members last.
    B, M = _pools_first(model.B, 1, lead), _pools_first(model.outflow_matrix() / DAYS, 2, lead)
    loss = _pools_first(model.respired_fraction * model.K / DAYS, 1, lead)
    states = np.empty((days + 1, 5, *lead))
    photo, soil, leaves = (np.empty((days, *lead)) for _ in range(3))
    states[0] = _pools_first(X, 1, lead)
    leaving = np.empty((5, *lead))
    for k in range(days):
        X = states[k]
        leaves[k] = np.maximum(LEAST_LAI, X[0] / leaf_mass)
        photo[k] = _photosynthesis(leaves[k], a, *(value[k] for value in weather))
        leaving[:3] = X[:3]
        leaving[3:] = warmth[k] * X[3:]
        soil[k] = (loss * leaving).sum(axis=0)
        states[k + 1] = X + B * photo[k] - (M * leaving).sum(axis=1)
    return Run(np.moveaxis(states, 1, -1), photo, p["respired"] * photo, soil, leaves)


def leaf_calendar(doy: ArrayLike, day: ArrayLike, width: ArrayLike) -> Array:
    """φ (...): rate at which leaves open, or fall, around a day of the year [d-1].

    Parameters
    ----------
    doy : array_like (...)
        Day of the year.
    day, width : array_like (...)
        Of the event, and its standard deviation [d].

    Examples
    --------
    >>> leaf_calendar([100, 120, 364], 120.0, 10.0).round(3)
    array([0.037, 0.275, 0.   ])
    """
    doy, day = as_array("doy", doy, lower=1, upper=366), as_array("day", day)
    width = as_array("width", width, lower=0.0, strict=True)
    apart = (doy - day + 182.5) % DAYS - 182.5
    return OPENED / (width * np.sqrt(2.0 * np.pi)) * np.exp(-0.5 * (apart / width) ** 2)


def simulate_broadleaf(
    drivers: Drivers, theta: ArrayLike | None = None, X0: ArrayLike = (1.0, 5000.0, 150.0, 200.0, 8000.0, 120.0),
    latitude: float = METOLIUS,
) -> Run:
    """`simulate_dalec` for trees that are bare in winter; no leaf, no photosynthesis.

    Parameters
    ----------
    drivers : Drivers
    theta : array_like (..., 14), optional
        In the order of `BROADLEAF`.
    X0 : array_like (..., 6)
        First state [gC m-2], in the order of `BROADLEAF_POOLS`.
    latitude : float
        [°N].

    Returns
    -------
    Run
        With six pools.

    Raises
    ------
    InputError
        A state or parameters that do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> doy = np.arange(1, 366)
    >>> T = 9.0 - 11.0 * np.cos(2 * np.pi * (doy - 20) / 365)
    >>> year = Drivers(doy=doy, max_temperature=T + 5, min_temperature=T - 5, radiation=12.0 + 0.0 * T)
    >>> run = simulate_broadleaf(year)
    >>> run.lai[[20, 200, 350]].round(1)
    array([0. , 2.5, 0. ])
    """
    as_kind("drivers", drivers, Drivers)
    theta = BROADLEAF.default if theta is None else theta
    hint = f"In the order of dalec.BROADLEAF: {', '.join(BROADLEAF.names)}."
    theta = as_array("theta", theta, shape=(len(BROADLEAF),), lower=0.0, hint=hint)
    p = BROADLEAF.dict(theta)
    X = as_array("X0", X0, shape=(6,), lower=0.0, hint=f"Pools: {', '.join(BROADLEAF_POOLS)}.")
    latitude = as_number("latitude", latitude, lower=-90.0, upper=90.0)
    model, a = dalec5(theta[..., : len(PARAMETERS)]), np.array(ACM)
    lead = np.broadcast_shapes(X.shape[:-1], theta.shape[:-1])
    B, M = _pools_first(model.B, 1, lead), _pools_first(model.outflow_matrix() / DAYS, 2, lead)
    loss = _pools_first(model.respired_fraction * model.K / DAYS, 1, lead)
    given = [getattr(drivers, f.name).reshape(len(drivers), *(1,) * len(lead)) for f in fields(drivers)]
    weather, warmth = _weather(a, latitude, given), temperature_rate(given[1], given[2])
    opening = 1.0 - np.exp(-leaf_calendar(given[0], p["onset"], p["onset_days"]))
    falling = 1.0 - np.exp(-leaf_calendar(given[0], p["fall"], p["fall_days"]))
    states = np.empty((len(drivers) + 1, 6, *lead))
    photo, soil, leaves = (np.empty((len(drivers), *lead)) for _ in range(3))
    states[0] = _pools_first(X, 1, lead)
    leaving = np.empty((5, *lead))
    for k in range(len(drivers)):
        X = states[k]
        leaves[k] = X[0] / p["leaf_mass"]
        photo[k] = _photosynthesis(leaves[k], a, *(value[k] for value in weather))
        leaving[:3], leaving[3:] = X[:3], warmth[k] * X[3:5]
        soil[k] = (loss * leaving).sum(axis=0)
        change = B * photo[k] - (M * leaving).sum(axis=1)
        made, opened, fallen = B[0] * photo[k], opening[k] * X[5], falling[k] * X[0]
        states[k + 1, :5] = X[:5] + change
        states[k + 1, 0] += opened - made - fallen
        states[k + 1, 3] += fallen
        states[k + 1, 5] = X[5] + made - opened
    return Run(np.moveaxis(states, 1, -1), photo, p["respired"] * photo, soil, leaves)


def _pools_first(value: Array, axes: int, lead: tuple[int, ...]) -> Array:
    """The last axes of `value` before its members, which are broadcast to `lead`."""
    full = np.broadcast_to(value, (*lead, *value.shape[value.ndim - axes :]))
    return np.ascontiguousarray(np.moveaxis(full, range(-axes, 0), range(axes)))


def _weather(a: Array, latitude: ArrayLike, day: Sequence[ArrayLike]) -> tuple[Array, ...]:
    """All of the canopy model that does not depend on the leaves, for `_photosynthesis`.

    `day` holds the columns of `Drivers`, in their order.
    """
    doy, max_temperature, min_temperature, radiation, co2, leaf_nitrogen, potential, resistance = day
    high, low = as_celsius("max_temperature", max_temperature), as_celsius("min_temperature", min_temperature)
    light = as_array("radiation", radiation, lower=0.0, hint="MJ m-2 d-1.")
    co2 = as_array("co2", co2, lower=0.0, hint="ppm.")
    nitrogen = as_array("leaf_nitrogen", leaf_nitrogen, lower=0.0)
    pull = np.abs(as_array("water_potential_difference", potential))
    resistance = as_array("hydraulic_resistance", resistance, lower=0.0)
    spread = 0.5 * (high - low)
    if np.any(spread < 0):
        raise InputError("The lowest temperature of a day lies above its highest; swap the two?")
    conductance = pull ** a[9] / (a[5] * resistance + spread)
    use = nitrogen / conductance * a[0] * np.exp(a[7] * high)
    hours = a[1] * day_length(doy, latitude) + a[4]
    return conductance, use, co2, a[6] * light, hours


def _photosynthesis(
    lai: Array, a: Array, conductance: Array, use: Array, co2: Array, light: Array, hours: Array
) -> Array:
    """G: the CO₂ inside the leaf as the root of a square, then diffusion against light."""
    use = lai * use
    outside = co2 + a[2] - a[3] - use
    inside = 0.5 * (outside + np.sqrt(outside**2 - 4.0 * (co2 * (a[2] - a[3]) - use * a[2])))
    diffusing = conductance * (co2 - inside)
    squared = lai * lai
    captured = squared / (squared + a[8]) * light
    both = captured + diffusing
    rate = np.divide(captured * diffusing, both, out=np.zeros_like(both), where=both > 0)
    return rate * hours


def _named(theta: ArrayLike | None) -> dict[str, Array]:
    if theta is None:
        theta = PARAMETERS.default
    hint = f"In the order of dalec.PARAMETERS: {', '.join(PARAMETERS.names)}."
    return PARAMETERS.dict(as_array("theta", theta, shape=(len(PARAMETERS),), lower=0.0, hint=hint))
