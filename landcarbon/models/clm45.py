r"""Carbon in the soil column of CLM4.5: seven pools in ten layers, the 70-pool matrix.

    0 = b − A K X − V X,      K = ξ_T ξ_W ξ_O ξ_D / τ   (litter also × ξ_N)

In blocks of ten layers, pools in the order cwd, litter 1–3, soil 1–3::

        ┌ A11  0    0    0    0    0    0  ┐
        │ 0    A22  0    0    0    0    0  │       A11 … A77 = 1 (identity)
        │ A31  0    A33  0    0    0    0  │       A31 = diag(−f31), and so on
    A = │ A41  0    0    A44  0    0    0  │
        │ 0    A52  A53  0    A55  A56  A57│       V = blockdiag(V11, V22, …, V77)
        │ 0    0    0    A64  A65  A66  0  │       V11 = 0: wood does not move
        └ 0    0    0    0    A75  A76  A77┘       V22 … V77 tridiagonal, all the same

========== ======================================================= ============ ============ ==============
symbol     meaning                                                 shape        unit         code name
========== ======================================================= ============ ============ ==============
X, b, τ …  as in CLM5, see `landcarbon.models.clm5`                (..., 7, 10) gC m-3       X
z          depth of the layers' nodes                              (10,)        m            LAYERS.node
ν          CLM4.5 slows Q10 rates to those of CENTURY at 15 °C     ()           1            NORMALIZATION
========== ======================================================= ============ ============ ==============

The equation is that of CLM5 and so is the code: other layers, other turnover times, and rates × ν.

Sources: matrix form: Huang et al. (2018), doi 10.1111/gcb.13948; layers: Oleson et al. (2013), doi
10.5065/D6RR1W7M; turnover times, fractions and ν: public code of CLM4.5 (CENTURY cascade); Koven et
al. (2013), doi 10.5194/bg-10-7109-2013.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.layers import CLM45_LAYERS as LAYERS
from landcarbon.matrix.model import MatrixModel
from landcarbon.matrix.response import century_arctangent
from landcarbon.models import clm5
from landcarbon.models.clm5 import COMPONENTS, POOLS, SOIL, soil_carbon
from landcarbon.models.parameters import ParameterTable

__all__ = [
    "COMPONENTS",
    "LAYERS",
    "NORMALIZATION",
    "PARAMETERS",
    "POOLS",
    "SOIL",
    "Forcing",
    "column",
    "monthly_model",
    "observed",
    "observed_values",
    "soil_carbon",
    "steady_state",
    "steady_state_and_vjp",
]

Array = NDArray[np.float64]

_CODE = "default: public code of CLM4.5 (CENTURY cascade)"
_TURNOVER = {
    "tau_cwd": 1 / 0.3,
    "tau_l1": 1 / 18.5,
    "tau_l2": 1 / 4.9,
    "tau_s1": 1 / 7.3,
    "tau_s2": 1 / 0.2,
    "tau_s3": 1 / 0.0045,
}

PARAMETERS = ParameterTable(
    dataclasses.replace(
        row, default=_TURNOVER[row.name], source=f"{row.source.split('; ')[0]}; {_CODE}"
    )
    if row.name in _TURNOVER
    else row
    for row in clm5.PARAMETERS
)
"""The 21 parameters, bounds as for CLM5; turnover times of CENTURY below ground (1/0.3, 1/18.5, 1/4.9,
1/7.3, 1/0.2 and 1/0.0045 yr) where CLM5's technical note has 4.1, 0.066, 0.25, 0.17, 6.1 and 270 yr."""


_AT_15, _AT_30 = century_arctangent(np.array([15.0, 30.0]))
NORMALIZATION = float(_AT_15 / _AT_30 / 1.5 ** ((15.0 - 25.0) / 10.0))

Forcing = partial(clm5.Forcing, layers=LAYERS)
"""`clm5.Forcing` on the ten layers: soil_temperature, water_scalar (..., 10, 12) and so on."""


def column(theta: ArrayLike, forcing: clm5.Forcing) -> tuple[LayeredModel, Array]:
    """The matrix equation of each site.

    Parameters
    ----------
    theta : array_like (..., 21)
        In the order and units of `PARAMETERS`.
    forcing : clm5.Forcing
        Made with `clm45.Forcing`.

    Returns
    -------
    model : LayeredModel
    b : ndarray (..., 7, 10)
        [gC m-3 yr-1]

    Raises
    ------
    InputError
        A parameter without meaning, or leading axes that do not fit.
    """
    return clm5.column(theta, forcing, rate=NORMALIZATION)


def steady_state(theta: ArrayLike, forcing: clm5.Forcing) -> Array:
    """Carbon in every pool and layer when input and losses balance.

    Parameters
    ----------
    theta : array_like (..., 21)
        See `PARAMETERS`.
    forcing : clm5.Forcing
        Made with `clm45.Forcing`.

    Returns
    -------
    ndarray (..., 7, 10)
        [gC m-3]

    Examples
    --------
    >>> import numpy as np
    >>> site = Forcing(soil_temperature=np.full((10, 12), 285.15),
    ...                water_scalar=np.full((10, 12), 0.5), litter_input=[40, 120, 180, 60])
    >>> X = steady_state(PARAMETERS.default, site)
    >>> print(f"{(soil_carbon(X) * LAYERS.thickness).sum() / 1000:.1f} kgC m-2")
    24.7 kgC m-2
    """
    return clm5.steady_state(theta, forcing, rate=NORMALIZATION)


def steady_state_and_vjp(
    theta: ArrayLike, forcing: clm5.Forcing
) -> tuple[Array, Callable[[ArrayLike], Array]]:
    """The steady state (..., 7, 10), and its adjoint: ∂J/∂X → ∂J/∂theta (..., 21)."""
    return clm5.steady_state_and_vjp(theta, forcing, rate=NORMALIZATION)


def observed_values(theta: ArrayLike, forcing: clm5.Forcing) -> Array:
    """`soil_carbon` of the steady state (..., 10) [gC m-3]."""
    return clm5.observed_values(theta, forcing, rate=NORMALIZATION)


def observed(theta: ArrayLike, forcing: clm5.Forcing) -> tuple[Array, Callable[[ArrayLike], Array]]:
    """`observed_values` and their adjoint, see `clm5.observed`."""
    return clm5.observed(theta, forcing, rate=NORMALIZATION)


def monthly_model(
    theta: ArrayLike, forcing: clm5.Forcing
) -> tuple[MatrixModel, Array, Array]:
    """One column as a flat model of 70 pools with a scalar for each month.

    Parameters
    ----------
    theta : array_like (..., 21)
    forcing : clm5.Forcing

    Returns
    -------
    model, I, xi
        As from `clm5.monthly_model`: pools 'cwd[1]' … 'soil3[10]' [gC m-2], total input
        [gC m-2 yr-1], scalars (12, ..., 70).
    """
    return clm5.monthly_model(theta, forcing, rate=NORMALIZATION)
