"""Soil in jars at several temperatures: two pools side by side, and what warming does to each.

    dX_j/dt = −ξ_j(T) k_j X_j                       nothing enters a jar
    F(t, T) = Σ_j F_j ξ_j(T) exp(−ξ_j(T) k_j t),    ξ_j(T) = Q_j^((T − 25 °C) / 10),    F_j = k_j X_j(0)

====== ============================================= ========== ============= ==================
symbol meaning                                       shape      unit          code name
====== ============================================= ========== ============= ==================
k_j    rate at 25 °C: fast, slow                     (...)      d-1           k_fast, k_slow
F_j    CO₂ flux of the pool at 25 °C on day 0        (...)      ugC g-1 d-1   F_fast, F_slow
Q_j    factor for ten degrees: one for both pools,   (...)      1             q10, or q10_fast
       or one each                                                            and q10_slow
ξ_j    environmental scalar                          (..., T)   1             matrix.response.q10
F      CO₂ flux                                      (..., T, t) ugC g-1 d-1  co2_flux
====== ============================================= ========== ============= ==================

Jars of one soil start with the same carbon X_j(0), whatever their temperature: that is what ties the
temperatures together. The unknowns are fluxes and not stores, since a series of fluxes knows k_j X_j
much better than either factor.

Pools side by side with first-order rates are the model of most long incubations (Schädel et al. 2020,
doi 10.5194/essd-12-1511-2020). Bounds: a fast pool lasts 10 days to 1.4 years, a slow one 1.4 to 270
years, at 25 °C; a Q10 between 0.5 and 10 leaves the answer to the data. Chosen to teach.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array
from landcarbon.matrix.model import MatrixModel
from landcarbon.matrix.response import as_celsius, q10
from landcarbon.models.parameters import Parameter, ParameterTable

__all__ = ["ONE_Q10", "POOLS", "TWO_Q10", "co2_flux", "incubation"]

Array = NDArray[np.float64]

POOLS = ("fast", "slow")

_SOIL = [
    Parameter("k_fast", "d-1", 2e-3, 0.1, 0.02, "chosen: 10 days to 1.4 years", "rate, fast", "log-uniform"),
    Parameter("k_slow", "d-1", 1e-5, 2e-3, 2e-4, "chosen: 1.4 to 270 years", "rate, slow", "log-uniform"),
    Parameter("F_fast", "ugC g-1 d-1", 0.05, 300.0, 5.0, "chosen wide, for any soil", "fast, day 0", "log-uniform"),
    Parameter("F_slow", "ugC g-1 d-1", 0.05, 300.0, 3.0, "chosen wide, for any soil", "slow, day 0", "log-uniform"),
]
ONE_Q10 = ParameterTable(
    [*_SOIL, Parameter("q10", "1", 0.5, 10.0, 2.0, "chosen wide", "of both pools", "log-uniform")]
)
TWO_Q10 = ParameterTable(
    [
        *_SOIL,
        Parameter("q10_fast", "1", 0.5, 10.0, 2.0, "chosen wide", "of the fast pool", "log-uniform"),
        Parameter("q10_slow", "1", 0.5, 10.0, 2.0, "chosen wide", "of the slow pool", "log-uniform"),
    ]
)


def incubation(k_fast: ArrayLike = 0.02, k_slow: ArrayLike = 2e-4) -> MatrixModel:
    """The two pools as a matrix model; rates per day at 25 °C, so its time is in days.

    Parameters
    ----------
    k_fast, k_slow : array_like (...)
        [d-1], above 0.

    Returns
    -------
    MatrixModel
        Pools fast and slow, neither of which feeds the other. Give `simulate` I=0.

    Examples
    --------
    >>> incubation().respiration([100.0, 5000.0])
    array([2., 1.])
    """
    k = [
        as_array(name, value, lower=0.0, strict=True, hint="A rate is 1 / residence time, per day.")
        for name, value in (("k_fast", k_fast), ("k_slow", k_slow))
    ]
    try:
        K = np.stack(np.broadcast_arrays(*k), axis=-1)
    except ValueError:
        raise InputError(
            f"k_fast has shape {k[0].shape} and k_slow {k[1].shape}; give as many of each."
        ) from None
    return MatrixModel(POOLS, A=np.eye(2), K=K, B=np.array([1.0, 0.0]))


def co2_flux(theta: ArrayLike, day: ArrayLike, temperature_c: ArrayLike) -> Array:
    """CO₂ flux of jars of one soil at several temperatures.

    Parameters
    ----------
    theta : array_like (..., 5) or (..., 6)
        Parameters as in `ONE_Q10` or `TWO_Q10`.
    day : array_like (t,)
        Days since the start, 0 or later.
    temperature_c : array_like (T,)
        [°C]

    Returns
    -------
    ndarray (..., T, t)
        [ugC g-1 d-1]

    Raises
    ------
    InputError
        Another number of parameters, a rate or a flux below 0, a day before the start, a temperature
        that looks like kelvin.

    Examples
    --------
    >>> co2_flux([0.02, 2e-4, 5.0, 3.0, 2.0], day=[0, 100], temperature_c=[15, 25, 35]).round(2)
    array([[ 4.  ,  2.4 ],
           [ 8.  ,  3.62],
           [16.  ,  5.95]])
    """
    theta = as_array("theta", theta, shape=(None,))
    if theta.shape[-1] not in (5, 6):
        raise InputError(
            f"theta has {theta.shape[-1]} parameters; {', '.join(ONE_Q10.names)} are expected, or "
            f"{', '.join(TWO_Q10.names[4:])} in place of the last."
        )
    as_array("theta", theta[..., :4], lower=0.0, hint="The first four are rates and fluxes.")
    t = as_array("day", day, shape=(None,), lower=0.0, hint="Days since the start of the incubation.")
    T = as_celsius("temperature_c", temperature_c, shape=(None,))
    if T.ndim != 1:
        raise InputError(f"temperature_c must be a row of temperatures, but its shape is {T.shape}.")
    k, F = (theta[..., None, i : i + 2] for i in (0, 2))  # (..., T, pool)
    xi = q10(T[:, None], theta[..., None, 4:])
    rate = (xi * k)[..., None]  # (..., T, pool, t)
    return ((xi * F)[..., None] * np.exp(-rate * t)).sum(axis=-2)
