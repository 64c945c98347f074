"""Yasso07: litter by what dissolves it, and the humus that it leaves.

    dX/dt = B I − A ξ K X        X = (acid soluble A, water W, ethanol E, not soluble N, humus H)

    ξ = ¼ Σ_q e^{β₁ T_q + β₂ T_q²} (1 − e^{γ P}),     litter of diameter d also × (1 + δ₁ d + δ₂ d²)^r
    T_q = T̄ + ΔT (4/π)(1/√2 − 1),   T̄ − ΔT (4/π)/√2,   and the same two with the signs turned

====== ==================================== ===== ======= =============== ======
symbol meaning                              shape unit    code name       source
====== ==================================== ===== ======= =============== ======
K      rates at 0 °C and much rain          (5,)  yr-1    RATES           [2, 3]
f_ij   of what leaves a pool, the part that (5,5) 1       FRACTIONS       [2, 3]
       enters another
p_H    the part that turns humus, all but H ()    1       TO_HUMUS        [2, 3]
β₁, β₂ temperature                          (2,)  °C-1,   BETA            [2, 3]
                                                  °C-2
γ      precipitation P                      ()    m-1 yr  GAMMA           [2, 3]
δ₁ δ₂  diameter d of woody litter, and the  (3,)  cm-1,   WOODY           [2, 3]
r      power                                      cm-2, 1
T̄, ΔT  mean of the year; half the range of  (...) °C      temperature_c,
       its monthly means                                  amplitude_c
====== ==================================== ===== ======= =============== ======

[1] Tuomi, Thum, Järvinen et al. (2009), Ecological Modelling 220, 3362–3371,
    doi 10.1016/j.ecolmodel.2009.05.016: the model.
[2] Tuomi, Laiho, Repo & Liski (2011), Ecological Modelling 222, 709–718,
    doi 10.1016/j.ecolmodel.2010.10.025: woody litter, and the values used since.
[3] The values, and the four temperatures of the year, as in GitHub repository
    boristupek/Yasso07swcGMD23, commit e71b413b, yasso07Model.soilr.fi_month_function.r. The table of [1],
    which SoilR has, differs (0.66, 4.3, 0.35, 0.22 and 0.0033 per year).

Litter enters with its own shares of A, W, E and N, so B is the unit matrix: the input has five numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array, as_broadcast
from landcarbon.matrix.model import MatrixModel
from landcarbon.matrix.response import as_celsius

__all__ = ["POOLS", "climate", "woody", "yasso07"]

Array = NDArray[np.float64]

POOLS = ("acid soluble", "water soluble", "ethanol soluble", "not soluble", "humus")
RATES = (0.73, 5.8, 0.29, 0.031, 0.0017)
FRACTIONS = {  # (from, to)
    (1, 0): 0.48, (2, 0): 0.01, (3, 0): 0.83, (0, 1): 0.99, (3, 1): 0.01, (3, 2): 0.03, (1, 3): 0.01, (2, 3): 0.92,
}  # fmt: skip
TO_HUMUS = 0.0045
BETA = (0.096, -0.0014)
GAMMA = -1.21
WOODY = (-1.7, 0.86, -0.306)


def yasso07(diameter_cm: ArrayLike = 0.0) -> MatrixModel:
    """The five pools of litter of one diameter.

    Parameters
    ----------
    diameter_cm : array_like (...)
        0 for leaves and fine roots; 2 for branches and 20 for stems are usual.

    Returns
    -------
    MatrixModel
        Rates at ξ = 1; five inputs [gC m-2 yr-1], one for each pool.

    Raises
    ------
    InputError
        A negative diameter.

    Notes
    -----
    Nearly all that leaves the acid-soluble pool turns water-soluble, and that is where most carbon is
    respired.

    Examples
    --------
    >>> model = yasso07()
    >>> model.respired_fraction.round(4)
    array([0.0055, 0.5055, 0.0655, 0.1255, 1.    ])
    """
    A = np.eye(5)
    for (source, to), fraction in FRACTIONS.items():
        A[to, source] = -fraction
    A[4, :4] = -TO_HUMUS
    slow = woody(diameter_cm)[..., None]
    K = np.array(RATES) * np.concatenate([np.repeat(slow, 4, axis=-1), np.ones_like(slow)], axis=-1)
    return MatrixModel(POOLS, A=A, K=K, B=np.eye(5))


def climate(temperature_c: ArrayLike, amplitude_c: ArrayLike, precipitation_mm: ArrayLike) -> Array:
    """ξ (...) of a climate: four temperatures of the year, and the rain.

    Parameters
    ----------
    temperature_c : array_like (...)
        Mean of the year [°C].
    amplitude_c : array_like (...)
        Half the difference between the warmest and the coldest month [°C].
    precipitation_mm : array_like (...)
        Of the year [mm].

    Raises
    ------
    InputError
        A temperature that looks like kelvin, a negative amplitude or precipitation.

    Examples
    --------
    Finland's south, and the tropics:

    >>> climate([3.5, 25.0], [12.0, 2.0], [600.0, 2000.0]).round(2)
    array([0.81, 4.18])
    """
    T = as_celsius("temperature_c", temperature_c, -60.0, 60.0)
    swing = as_array("amplitude_c", amplitude_c, lower=0.0, hint="Half of warmest less coldest month.")
    rain = as_array("precipitation_mm", precipitation_mm, lower=0.0, hint="In mm a year.")
    T, swing, rain = as_broadcast(temperature_c=T, amplitude_c=swing, precipitation_mm=rain)
    near, far = 4 / np.pi * (1 - 1 / np.sqrt(2)), 4 / np.pi / np.sqrt(2)
    quarters = [T + swing * part for part in (-near, -far, near, far)]
    warm = sum(np.exp(BETA[0] * q + BETA[1] * q**2) for q in quarters) / 4
    return np.asarray(warm * -np.expm1(GAMMA * rain / 1000), dtype=np.float64)


def woody(diameter_cm: ArrayLike) -> Array:
    """How much slower litter of a diameter [cm] decays (...); 1 for leaves and fine roots.

    Examples
    --------
    >>> woody([0.0, 2.0, 20.0]).round(3)
    array([1.   , 0.988, 0.173])
    """
    d = as_array("diameter_cm", diameter_cm, lower=0.0)
    one, two, power = WOODY
    size = 1 + one * d + two * d**2
    if np.any(size <= 0):
        raise InputError("No litter of this diameter: 1 + δ₁ d + δ₂ d² must be above 0.")
    return np.asarray(size**power, dtype=np.float64)
