"""How long a ton of carbon stays on land.

    R_j(t) = 1ᵀ exp(−M t) e_j            S_j(H) = ∫₀ᴴ R_j dt            S_j(∞) = 1ᵀ M⁻¹ e_j

====== ==================================================== ======== ==== =============
symbol meaning                                              shape    unit code name
====== ==================================================== ======== ==== =============
e_j    one ton of carbon put into pool j, at time 0         (n,)     1    pools
R_j    share of it that is still in some pool after t       (..., n) 1    remaining
S_j    ton-years per ton up to a horizon: each ton counts   (..., n) yr   ton_years
       for every year in which it is not in the air
H      horizon                                              any      yr   horizon
M      outflow matrix                                       (n, n)   yr-1 outflow_matrix
====== ==================================================== ======== ==== =============

S_j(H) / H is the share of a ton kept away from the air for good that would count as much by the
horizon H. The ton is small beside the stocks, so that it follows the same rates as the carbon that
is already there.

Source: Sierra, Crow, Heimann, Metzler and Schulze (2021), doi 10.5194/bg-18-1029-2021, whose carbon
sequestration CS is S for a unit of input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array
from landcarbon.theory.ages import chosen
from landcarbon.theory.chain import Chain, Model, system

__all__ = ["remaining", "ton_years"]

Array = NDArray[np.float64]


def remaining(
    model: Model, t: ArrayLike, xi: ArrayLike = 1.0, *, pools: Sequence[str | int] | None = None
) -> Array:
    """Share of a ton put into each pool that is still on land after t.

    Parameters
    ----------
    model : MatrixModel, LayeredModel or array_like (..., n, n)
        An array is the outflow matrix M of stocks per area [yr-1].
    t : array_like
        Times since the ton was put there [yr].
    xi : float or array_like (..., n)
        Environmental scalar of a MatrixModel.
    pools : sequence of str or int, optional
        Only tons put into these pools, in this order; all if not given.

    Returns
    -------
    ndarray
        Leading axes of the model, then those of t, then the pools ((pool, layer) for a column).

    Raises
    ------
    InputError
        Times below 0, an unknown pool.

    Examples
    --------
    >>> from landcarbon.models.pools import two_pool
    >>> remaining(two_pool(0.5, 0.025, 0.3), [0, 20, 100]).round(3)
    array([[1.   , 1.   ],
           [0.192, 0.607],
           [0.026, 0.082]])
    """
    return _of_each_pool(model, xi, "t", t, pools, lambda chain, times: chain.survival(times))


def ton_years(
    model: Model,
    horizon: ArrayLike = (20.0, 100.0, 1000.0),
    xi: ArrayLike = 1.0,
    *,
    pools: Sequence[str | int] | None = None,
) -> Array:
    """∫ of the share that remains, from 0 to the horizon: ton-years per ton [yr].

    Parameters
    ----------
    model, xi, pools
        As for `remaining`.
    horizon : array_like
        One or more horizons [yr].

    Returns
    -------
    ndarray
        Leading axes of the model, then those of the horizon, then the pools. Divided by the horizon,
        the share of a permanent ton that counts as much.

    Raises
    ------
    InputError
        A horizon below 0, an unknown pool.

    Examples
    --------
    >>> from landcarbon.models.pools import two_pool
    >>> ton_years(two_pool(0.5, 0.025, 0.3)).round(1)
    array([[ 6.3, 15.7],
           [13. , 36.7],
           [14. , 40. ]])
    """
    return _of_each_pool(model, xi, "horizon", horizon, pools, lambda chain, times: chain.stay(times))


def _of_each_pool(
    model: Model,
    xi: ArrayLike,
    name: str,
    t: ArrayLike,
    pools: Sequence[str | int] | None,
    function: Callable[[Chain, Array], Array],
) -> Array:
    times = as_array(name, t, lower=0.0, hint="Give years.")
    read = system(model, None, xi)
    if not read.chain.rates.any():
        raise InputError("All rates are 0: nothing ever leaves, and every ton stays for good.")
    values = function(read.chain, times.ravel())[..., chosen(pools, read.names)]
    shape = read.shape if pools is None else values.shape[-1:]
    return values.reshape(*values.shape[:-2], *times.shape, *shape)
