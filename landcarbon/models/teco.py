"""TECO: the terrestrial ecosystem model of Luo and colleagues, eight pools with daily forcing.

    dX/dt = B u(t) − A ξ(t) K X,      ξ = f_W f_T

    f_T = Q10^((T − T_ref) / 10)
    f_W = f_min + (1 − f_min) min(1, ω / ω_crit)

Foliage, wood and fine roots receive shares of photosynthesis and fall into metabolic and structural
litter, which feed fast, slow and passive soil organic matter. Warm and moist soil decomposes faster.

====== =================================== ============== ========== ================= ======
symbol meaning                             shape          unit       code name         source
====== =================================== ============== ========== ================= ======
X      carbon in each pool, and at first   (..., 8)       gC m-2     X, X0             [1]
u      photosynthesis (GPP), and its mean  (days, ...)    gC m-2 d-1 Forcing.gpp, GPP  [1]
B      shares of GPP that become plant     (..., 8)       1          b_*               [1]
       tissue; together 0.54, plants
       respire the rest
K      turnover rates at ξ = 1             (..., 8)       d-1        k_*               [1]
f      transfers among pools               (...)          1          f_*               [1]
Q10    factor for ten degrees              (...)          1          q10               [2]
T      soil temperature                    (days, ...)    °C         soil_temperature
T_ref  temperature at which f_T is 1       ()             °C         REFERENCE         [2]
ω      plant-available soil water, from    (days, ...)    1          moisture
       wilting point 0 to capacity 1
f_min  decomposition of dry soil           ()             1          DRIEST = 0.08     [2]
ω_crit water from which ξ is not limited   ()             1          CRITICAL = 0.3    [2]
ξ      environmental scalar                (days, ..., 8) 1          scalar
====== =================================== ============== ========== ================= ======

[1] Luo, Weng & Yang (2012), Ecosystem ecology, in Hastings & Gross (eds), Encyclopedia of
    Theoretical Ecology, University of California Press, 219–229: rates, shares, transfers, mean GPP
    and first state as recorded in the model data base bgc_md2 of the Max Planck Institute for
    Biogeochemistry (entries Luo2012TE and TECO). The entries disagree about which of 0.14 and 0.26
    belongs to wood; we follow Luo2012TE, 0.14. Published per day; a year has 365 of them.
[2] Public code of TECO-SPRUCE 1.0 (Jiang et al., 2018, Journal of Geophysical Research:
    Biogeosciences 123, 1057–1071). There the water of decomposing soil is multiplied by 0.3, that
    of plants by 3.333 = 1 / 0.3; we divide by 0.3 in both. Roots and wood feel water but not
    temperature, foliage neither.

The same model stands here twice: `by_fluxes` as a modeller writes it, flux after flux, and
`by_matrix` as the equation above. They agree to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix import response
from landcarbon.matrix.errors import (
    InputError,
    Rng,
    as_array,
    as_broadcast,
    as_kind,
    as_rng,
    as_whole,
)
from landcarbon.matrix.frozen import keep
from landcarbon.matrix.model import MatrixModel
from landcarbon.models.parameters import Parameter, ParameterTable

__all__ = [
    "DAYS",
    "GPP",
    "PARAMETERS",
    "POOLS",
    "X0",
    "Forcing",
    "Run",
    "by_fluxes",
    "by_matrix",
    "fluxes",
    "moisture_scalar",
    "scalar",
    "synthetic_forcing",
    "teco8",
    "temperature_scalar",
]

Array = NDArray[np.float64]

POOLS = (
    "foliage",
    "wood",
    "fine roots",
    "metabolic litter",
    "structural litter",
    "fast soil",
    "slow soil",
    "passive soil",
)
GPP = 3.370  # gC m-2 d-1, mean of the year [1]
X0 = (250.0, 4145.0, 192.0, 93.0, 545.0, 146.0, 1585.0, 300.0)  # gC m-2 [1]
DAYS = 365.0  # in a year
REFERENCE = 10.0  # °C at which f_T = 1 [2]
DRIEST, CRITICAL = 0.08, 0.3  # [2]

_LUO = "Luo, Weng & Yang 2012"

PARAMETERS = ParameterTable(
    Parameter(name, unit, lower, upper, default, f"default: {source}; bounds: ours", meaning)
    for name, unit, lower, upper, default, source, meaning in (
        ("b_foliage", "1", 0.05, 0.3, 0.14, _LUO, "share of GPP that becomes foliage"),
        ("b_wood", "1", 0.05, 0.3, 0.14, _LUO, "share of GPP that becomes wood"),
        ("b_roots", "1", 0.05, 0.4, 0.26, _LUO, "share of GPP that becomes fine roots"),
        ("k_foliage", "d-1", 6.5e-4, 1.03e-2, 2.58e-3, _LUO, "turnover rate of foliage"),
        ("k_wood", "d-1", 1.5e-5, 2.3e-4, 5.86e-5, _LUO, "turnover rate of wood"),
        ("k_roots", "d-1", 6.0e-4, 9.6e-3, 2.39e-3, _LUO, "turnover rate of fine roots"),
        ("k_metabolic", "d-1", 2.7e-3, 4.4e-2, 1.09e-2, _LUO, "turnover rate of metabolic litter"),
        ("k_structural", "d-1", 2.4e-4, 3.8e-3, 9.5e-4, _LUO, "turnover rate of structural litter"),
        ("k_fast", "d-1", 2.6e-3, 4.2e-2, 1.05e-2, _LUO, "turnover rate of fast soil carbon"),
        ("k_slow", "d-1", 2.5e-5, 4.0e-4, 9.95e-5, _LUO, "turnover rate of slow soil carbon"),
        ("k_passive", "d-1", 2.9e-6, 4.6e-5, 1.15e-5, _LUO, "turnover rate of passive soil carbon"),
        ("f_foliage_metabolic", "1", 0.5, 1.0, 0.9, _LUO,
         "foliage to metabolic litter; the rest to structural litter"),
        ("f_roots_metabolic", "1", 0.0, 0.5, 0.2, _LUO,
         "fine roots to metabolic litter; the rest to structural litter"),
        ("f_metabolic_fast", "1", 0.2, 0.7, 0.45, _LUO, "metabolic litter to fast soil"),
        ("f_structural_fast", "1", 0.1, 0.45, 0.275, _LUO, "structural litter to fast soil"),
        ("f_structural_slow", "1", 0.1, 0.45, 0.275, _LUO, "structural litter to slow soil"),
        ("f_fast_slow", "1", 0.1, 0.6, 0.296, _LUO, "fast to slow soil"),
        ("f_fast_passive", "1", 0.0, 0.02, 0.004, _LUO, "fast to passive soil"),
        ("f_slow_fast", "1", 0.1, 0.7, 0.42, _LUO, "slow to fast soil"),
        ("f_slow_passive", "1", 0.0, 0.05, 0.01, _LUO, "slow to passive soil"),
        ("f_passive_fast", "1", 0.1, 0.7, 0.45, _LUO, "passive to fast soil"),
        ("q10", "1", 1.0, 4.0, 2.0, "TECO-SPRUCE 1.0", "temperature sensitivity of decomposition"),
    )
)  # fmt: skip
"""The 22 parameters. Bounds of rates: a factor of four either way; any values between the bounds make
an admissible model (no column of A creates carbon)."""

_RATES = PARAMETERS.names[3:11]
_TRANSFERS = {  # (to, from): parameter
    (3, 0): "f_foliage_metabolic",
    (3, 2): "f_roots_metabolic",
    (5, 3): "f_metabolic_fast",
    (5, 4): "f_structural_fast",
    (6, 4): "f_structural_slow",
    (6, 5): "f_fast_slow",
    (7, 5): "f_fast_passive",
    (5, 6): "f_slow_fast",
    (7, 6): "f_slow_passive",
    (5, 7): "f_passive_fast",
}


@dataclass(frozen=True)
class Forcing:
    """Daily forcing; time is the first axis, sites or members follow.

    Parameters
    ----------
    gpp : array_like (days, ...)
        Photosynthesis [gC m-2 d-1], not negative.
    soil_temperature : array_like (days, ...)
        [°C].
    moisture : array_like (days, ...) or float
        Plant-available soil water, 0 (wilting point) to 1 (capacity).

    Raises
    ------
    InputError
        Different numbers of days, temperatures that look like kelvin, moisture outside 0 to 1.

    Examples
    --------
    >>> week = Forcing(gpp=[3.0] * 7, soil_temperature=[12.0] * 7, moisture=0.5)
    >>> len(week), week.I[0]
    (7, np.float64(1095.0))
    """

    gpp: Array
    soil_temperature: Array
    moisture: Array

    def __post_init__(self) -> None:
        gpp = as_array("gpp", self.gpp, lower=0.0, hint="Photosynthesis in gC m-2 d-1.")
        T = response.as_celsius("soil_temperature", self.soil_temperature)
        w = as_array("moisture", self.moisture, lower=0.0, upper=1.0,
                     hint="0 is the wilting point, 1 is full: give a fraction, not percent.")  # fmt: skip
        days = {a.shape[0] for a in (gpp, T, w) if a.ndim}
        if gpp.ndim == 0 or len(days) > 1:
            raise InputError(
                f"gpp {gpp.shape}, soil_temperature {T.shape} and moisture {w.shape} must share "
                "their first axis, the days."
            )
        gpp, T, w = as_broadcast(gpp=gpp, soil_temperature=T, moisture=w)
        keep(self, gpp=gpp, soil_temperature=T, moisture=w)

    def __len__(self) -> int:
        return len(self.gpp)

    @property
    def I(self) -> Array:  # noqa: E743
        """Photosynthesis per year (days, ...) [gC m-2 yr-1], for `simulate` and `Cycle`."""
        return self.gpp * DAYS

    def xi(self, q10: ArrayLike = PARAMETERS["q10"].default) -> Array:
        """Scalar of each pool on each day (days, ..., 8), for `simulate` and `Cycle`."""
        return scalar(self.soil_temperature, self.moisture, q10)


@dataclass(frozen=True)
class Run:
    """Pools at the start of each day and after the last one, and what the days respired.

    Attributes
    ----------
    X : ndarray (days + 1, ..., 8)
        Carbon in each pool [gC m-2].
    autotrophic, heterotrophic : ndarray (days, ...)
        Respiration of plants, and of litter and soil [gC m-2 d-1].
    """

    X: Array
    autotrophic: Array
    heterotrophic: Array


def teco8(theta: ArrayLike | None = None) -> MatrixModel:
    """The matrices of TECO.

    Parameters
    ----------
    theta : array_like (..., 22), optional
        Parameters in the order of `PARAMETERS`; the published values if it is not given. The last,
        q10, belongs to the forcing and is not used here.

    Returns
    -------
    MatrixModel
        Eight pools, rates per year. The input is GPP [gC m-2 yr-1]; the shares B sum to less than 1,
        the rest is respired by plants and never enters a pool.

    Raises
    ------
    InputError
        A wrong number of parameters, negative rates, fractions that create carbon.

    Examples
    --------
    >>> teco8().steady_state(GPP * DAYS).round()
    array([ 183., 8051.,  367.,   55., 1284.,   82., 5921.,  810.])
    """
    p = _named(theta)
    f = _fractions(p)
    B = np.zeros((*f.shape[:-2], 8))
    for i, name in enumerate(("b_foliage", "b_wood", "b_roots")):
        B[..., i] = p[name]
    if np.any(B.sum(axis=-1) > 1 + 1e-9):
        raise InputError(
            f"The shares of GPP sum to {B.sum(axis=-1).max():.4g}; plants cannot build more than "
            "they take up."
        )
    return MatrixModel(POOLS, A=np.eye(8) - f, K=_rates(p) * DAYS, B=B)


def temperature_scalar(soil_temperature: ArrayLike, q10: ArrayLike = 2.0) -> Array:
    """f_T = Q10^((T − 10 °C) / 10), shape (...).

    Examples
    --------
    >>> temperature_scalar([0.0, 10.0, 20.0])
    array([0.5, 1. , 2. ])
    """
    return response.q10(soil_temperature, q10, REFERENCE)


def moisture_scalar(moisture: ArrayLike) -> Array:
    """f_W = 0.08 + 0.92 min(1, ω / 0.3), shape (...); ω from 0 (wilting point) to 1 (full).

    Examples
    --------
    >>> moisture_scalar([0.0, 0.15, 0.3, 1.0])
    array([0.08, 0.54, 1.  , 1.  ])
    """
    w = as_array("moisture", moisture, lower=0.0, upper=1.0, hint="Give a fraction, not percent.")
    return DRIEST + (1 - DRIEST) * np.minimum(1.0, w / CRITICAL)


def scalar(soil_temperature: ArrayLike, moisture: ArrayLike, q10: ArrayLike = 2.0) -> Array:
    """ξ of each pool (..., 8).

    Foliage falls whatever the soil is like; wood and fine roots feel its water; litter and soil feel
    water and temperature.

    Parameters
    ----------
    soil_temperature : array_like (...)
        [°C].
    moisture : array_like (...)
        Plant-available soil water, 0 to 1.
    q10 : array_like (...)
        Factor for ten degrees.

    Examples
    --------
    >>> scalar(20.0, 0.15)
    array([1.  , 0.54, 0.54, 1.08, 1.08, 1.08, 1.08, 1.08])
    """
    f_T, f_W = np.broadcast_arrays(
        temperature_scalar(soil_temperature, q10), moisture_scalar(moisture)
    )
    return np.stack([np.ones_like(f_W), f_W, f_W, *[f_W * f_T] * 5], axis=-1)


def fluxes(
    X: ArrayLike,
    gpp: ArrayLike,
    soil_temperature: ArrayLike,
    moisture: ArrayLike,
    theta: ArrayLike | None = None,
) -> dict[str, Array]:
    """Every flux of one day by its name [gC m-2 d-1], each of shape (...).

    Parameters
    ----------
    X : array_like (..., 8)
        Carbon in each pool [gC m-2].
    gpp, soil_temperature, moisture : array_like (...)
        Forcing of the day, see `Forcing`.
    theta : array_like (..., 22), optional
        Parameters.

    Returns
    -------
    dict
        'to foliage', …: growth; 'foliage to metabolic', …: transfers; 'autotrophic' and
        'heterotrophic': respiration.

    Examples
    --------
    >>> today = fluxes(X0, gpp=3.37, soil_temperature=10.0, moisture=1.0)
    >>> float(today["wood to structural"].round(3)), float(today["autotrophic"].round(3))
    (0.243, 1.55)
    """
    p = _named(theta)
    stock = np.moveaxis(as_array("X", X, shape=(8,), hint=f"Pools: {', '.join(POOLS)}."), -1, 0)
    foliage, wood, roots, metabolic, structural, fast, slow, passive = stock
    gpp = as_array("gpp", gpp, lower=0.0)
    f_W = moisture_scalar(moisture)
    decay = f_W * temperature_scalar(soil_temperature, p["q10"])

    growth_foliage = p["b_foliage"] * gpp
    growth_wood = p["b_wood"] * gpp
    growth_roots = p["b_roots"] * gpp

    fall_foliage = p["k_foliage"] * foliage
    fall_wood = p["k_wood"] * f_W * wood
    fall_roots = p["k_roots"] * f_W * roots

    out_metabolic = p["k_metabolic"] * decay * metabolic
    out_structural = p["k_structural"] * decay * structural
    out_fast = p["k_fast"] * decay * fast
    out_slow = p["k_slow"] * decay * slow
    out_passive = p["k_passive"] * decay * passive

    passed = {
        "metabolic to fast": p["f_metabolic_fast"] * out_metabolic,
        "structural to fast": p["f_structural_fast"] * out_structural,
        "structural to slow": p["f_structural_slow"] * out_structural,
        "fast to slow": p["f_fast_slow"] * out_fast,
        "fast to passive": p["f_fast_passive"] * out_fast,
        "slow to fast": p["f_slow_fast"] * out_slow,
        "slow to passive": p["f_slow_passive"] * out_slow,
        "passive to fast": p["f_passive_fast"] * out_passive,
    }
    leaving = out_metabolic + out_structural + out_fast + out_slow + out_passive
    return {
        "to foliage": growth_foliage,
        "to wood": growth_wood,
        "to roots": growth_roots,
        "foliage to metabolic": p["f_foliage_metabolic"] * fall_foliage,
        "foliage to structural": (1 - p["f_foliage_metabolic"]) * fall_foliage,
        "wood to structural": fall_wood,
        "roots to metabolic": p["f_roots_metabolic"] * fall_roots,
        "roots to structural": (1 - p["f_roots_metabolic"]) * fall_roots,
        **passed,
        "out of metabolic": out_metabolic,
        "out of structural": out_structural,
        "out of fast": out_fast,
        "out of slow": out_slow,
        "out of passive": out_passive,
        "autotrophic": gpp - growth_foliage - growth_wood - growth_roots,
        "heterotrophic": leaving - sum(passed.values()),
    }


def by_fluxes(X0: ArrayLike, forcing: Forcing, theta: ArrayLike | None = None) -> Run:
    """Day after day, flux after flux: TECO as a modeller writes it.

    Each day every flux is computed from the pools of the morning; then all pools change at once.

    Parameters
    ----------
    X0 : array_like (..., 8)
        First state [gC m-2].
    forcing : Forcing
        The days.
    theta : array_like (..., 22), optional
        Parameters; leading axes are members or sites.

    Returns
    -------
    Run

    Raises
    ------
    InputError
        A state that does not fit.
    """
    as_kind("forcing", forcing, Forcing)
    X = as_array("X0", X0, shape=(8,), lower=0.0, hint=f"Pools: {', '.join(POOLS)}.")
    states, plants, soil = [X], [], []
    for day in range(len(forcing)):
        weather = forcing.gpp[day], forcing.soil_temperature[day], forcing.moisture[day]
        q = fluxes(X, *weather, theta)
        foliage, wood, roots, metabolic, structural, fast, slow, passive = np.moveaxis(X, -1, 0)
        X = np.stack(
            np.broadcast_arrays(
                foliage + q["to foliage"] - q["foliage to metabolic"] - q["foliage to structural"],
                wood + q["to wood"] - q["wood to structural"],
                roots + q["to roots"] - q["roots to metabolic"] - q["roots to structural"],
                metabolic + q["foliage to metabolic"] + q["roots to metabolic"]
                - q["out of metabolic"],
                structural + q["foliage to structural"] + q["wood to structural"]
                + q["roots to structural"] - q["out of structural"],
                fast + q["metabolic to fast"] + q["structural to fast"] + q["slow to fast"]
                + q["passive to fast"] - q["out of fast"],
                slow + q["structural to slow"] + q["fast to slow"] - q["out of slow"],
                passive + q["fast to passive"] + q["slow to passive"] - q["out of passive"],
            ),
            axis=-1,
        )  # fmt: skip
        states.append(X)
        plants.append(q["autotrophic"])
        soil.append(q["heterotrophic"])
    return _run(states, plants, soil)


def by_matrix(X0: ArrayLike, forcing: Forcing, theta: ArrayLike | None = None) -> Run:
    """Day after day with the matrix equation: X ← X + B u − A ξ K X. Parameters as `by_fluxes`.

    The daily step is the explicit one of `by_fluxes`, so that the two can be compared digit by
    digit; `landcarbon.matrix.simulate.simulate` makes exact steps of any length.

    Examples
    --------
    >>> year = synthetic_forcing()
    >>> one, other = by_fluxes(X0, year), by_matrix(X0, year)
    >>> bool(np.allclose(one.X, other.X, rtol=1e-12))
    True
    """
    as_kind("forcing", forcing, Forcing)
    model = teco8(theta)
    q10 = _named(theta)["q10"]
    X = as_array("X0", X0, shape=(8,), lower=0.0, hint=f"Pools: {', '.join(POOLS)}.")
    states, plants, soil = [X], [], []
    for day in range(len(forcing)):
        xi = scalar(forcing.soil_temperature[day], forcing.moisture[day], q10)
        I = forcing.gpp[day] * DAYS  # noqa: E741
        soil.append(model.respiration(X, xi).sum(axis=-1) / DAYS)
        plants.append((I - model.input(I).sum(axis=-1)) / DAYS)
        X = X + model.derivative(X, I, xi) / DAYS
        states.append(X)
    return _run(states, plants, soil)


def synthetic_forcing(n_years: int = 1, rng: Rng = 0) -> Forcing:
    """Made-up daily forcing of a cool temperate site. **Synthetic**: no place on Earth.

    Soil temperature is a yearly wave with slowly wandering weather; rain falls on one day in three
    and fills a bucket of 100 mm that drains and evaporates; photosynthesis follows light, warmth
    above freezing and water, and is scaled to the published mean of 3.37 gC m-2 d-1.

    Parameters
    ----------
    n_years : int
        Years of 365 days, at least 1.
    rng : Generator or int
        Random numbers, or a seed.

    Returns
    -------
    Forcing

    Raises
    ------
    InputError
        Less than one year.

    Examples
    --------
    >>> year = synthetic_forcing(rng=1)
    >>> len(year), float(year.gpp.mean().round(3))
    (365, 3.37)
    """
    rng, n = as_rng(rng), as_whole("n_years", n_years, 1) * int(DAYS)
    season = 2 * np.pi * (np.arange(n) + 0.5) / DAYS
    weather = np.zeros(n)
    kick = rng.normal(0.0, 0.8, n)
    for day in range(1, n):
        weather[day] = 0.9 * weather[day - 1] + kick[day]
    air = 8.0 - 12.0 * np.cos(season - 0.45) + weather
    soil = 8.0 - 8.0 * np.cos(season - 0.75) + 0.5 * weather
    light = 1.0 - 0.65 * np.cos(season + 0.17)
    rain = (rng.random(n) < 0.33) * rng.exponential(7.0, n)
    water = np.empty(n)
    bucket = 80.0
    for day in range(n):
        demand = 2.2 * light[day] * min(1.0, max(0.0, air[day] / 20.0))
        bucket = min(100.0, bucket + rain[day])
        bucket -= min(bucket, demand * min(1.0, bucket / 50.0) + 0.02 * bucket)
        water[day] = bucket / 100.0
    shape = light * np.clip(air / 18.0, 0.0, 1.0) * np.minimum(1.0, water / CRITICAL)
    return Forcing(gpp=GPP * shape / shape.mean(), soil_temperature=soil, moisture=water)


def _named(theta: ArrayLike | None) -> dict[str, Array]:
    if theta is None:
        theta = PARAMETERS.default
    hint = f"In the order of teco.PARAMETERS: {', '.join(PARAMETERS.names)}."
    return PARAMETERS.dict(as_array("theta", theta, shape=(len(PARAMETERS),), lower=0.0, hint=hint))


def _rates(p: dict[str, Array]) -> Array:
    return np.stack([p[name] for name in _RATES], axis=-1)


def _fractions(p: dict[str, Array]) -> Array:
    f = np.zeros((*p["q10"].shape, 8, 8))
    for (i, j), name in _TRANSFERS.items():
        f[..., i, j] = p[name]
    f[..., 4, 1] = 1.0
    for j, name in ((0, "f_foliage_metabolic"), (2, "f_roots_metabolic")):
        if np.any(p[name] > 1):
            raise InputError(f"{name} is {p[name].max():g}; it is a fraction, 0 to 1.")
        f[..., 4, j] = 1.0 - p[name]
    return f


def _run(states: list[Array], plants: list[Array], soil: list[Array]) -> Run:
    shape = states[-1].shape
    lead = shape[:-1]
    return Run(
        np.stack([np.broadcast_to(x, shape) for x in states]),
        np.stack([np.broadcast_to(a, lead) for a in plants]),
        np.stack([np.broadcast_to(h, lead) for h in soil]),
    )
