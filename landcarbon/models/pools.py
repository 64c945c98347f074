"""One, two and three pools: the smallest models of land carbon.

    one pool      dX/dt  = I − k ξ X
    two pools     dX₁/dt = I − k₁ ξ X₁,    dX₂/dt = f ξ k₁ X₁ − k₂ ξ X₂
    three pools   vegetation → litter → soil, with the fraction f₂₁ of what leaves vegetation
                  entering litter and f₃₂ of what leaves litter entering soil

====== ==================================== ===== ==== ==================== ==================
symbol meaning                              shape unit code name            source
====== ==================================== ===== ==== ==================== ==================
k      turnover rate of all land carbon     (...) yr-1 k                    60 / 2477, [1]
k₁     turnover rate of young soil carbon   (...) yr-1 k_young              ICBM, [2]
k₂     turnover rate of old soil carbon     (...) yr-1 k_old                ICBM, [2]
f      humification: young that becomes old (...) 1    humification         ICBM, [2]
k_v    turnover rate of vegetation          (...) yr-1 k_vegetation         60 / 466, [1]
k_l    turnover rate of litter              (...) yr-1 k_litter             k₁ of ICBM
k_s    turnover rate of soil carbon         (...) yr-1 k_soil               0.3 · 60 / 2011, [1]
f₂₁    share of dead vegetation in litter   (...) 1    vegetation_to_litter all of it
f₃₂    share of decayed litter in soil      (...) 1    litter_to_soil       chosen to teach
====== ==================================== ===== ==== ==================== ==================

[1] The global numbers are stocks of 466 PgC in vegetation and 2011 PgC in the first metre of soil
(IPCC, 2000, Land Use, Land-Use Change and Forestry, table 1) and a net primary production of
60 PgC yr-1 (IPCC, 2001, The Scientific Basis, section 3.2.2), rounded to two digits.
[2] ICBM: Andrén & Kätterer (1997), Ecological Applications 7, 1226–1236,
doi 10.1890/1051-0761(1997)007[1226:ITICBM]2.0.CO;2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import as_array
from landcarbon.matrix.model import MatrixModel

__all__ = ["one_pool", "three_pool", "two_pool"]

Array = NDArray[np.float64]


def one_pool(k: ArrayLike = 0.024, *, pool: str = "land") -> MatrixModel:
    """All land carbon in one pool: dX/dt = I − k X.

    Parameters
    ----------
    k : array_like (...)
        Turnover rate [yr-1], above 0; the residence time is 1 / k.
    pool : str
        Name of the pool.

    Returns
    -------
    MatrixModel
        One pool, one input.

    Raises
    ------
    InputError
        A rate that is not above 0.

    Examples
    --------
    >>> one_pool(0.1).steady_state(500.0)
    array([5000.])
    """
    k = as_array("k", k, lower=0.0, strict=True, hint="A turnover rate is 1 / residence time.")
    return MatrixModel((pool,), A=np.ones((1, 1)), K=k[..., None], B=np.ones(1))


def two_pool(
    k_young: ArrayLike = 0.8, k_old: ArrayLike = 0.00605, humification: ArrayLike = 0.13
) -> MatrixModel:
    """Young soil carbon, a part of which becomes old: the ICBM model.

    Parameters
    ----------
    k_young, k_old : array_like (...)
        Turnover rates [yr-1], above 0.
    humification : array_like (...)
        Fraction of what leaves the young pool that enters the old one, 0 to 1.

    Returns
    -------
    MatrixModel
        Pools young, old; all input enters young.

    Raises
    ------
    InputError
        A rate that is not above 0, a fraction outside 0 to 1.

    Notes
    -----
    Andrén & Kätterer (1997), Ecological Applications 7, 1226–1236. Their factor r is our ξ.

    Examples
    --------
    >>> two_pool(k_young=0.5, k_old=0.025, humification=0.3).steady_state(1.0)
    array([ 2., 12.])
    """
    return _chain(
        ("young", "old"),
        {"k_young": k_young, "k_old": k_old},
        {"humification": humification},
    )


def three_pool(
    k_vegetation: ArrayLike = 0.13,
    k_litter: ArrayLike = 0.8,
    k_soil: ArrayLike = 0.009,
    vegetation_to_litter: ArrayLike = 1.0,
    litter_to_soil: ArrayLike = 0.3,
) -> MatrixModel:
    """Vegetation, litter and soil in a row, fed by net primary production.

    Parameters
    ----------
    k_vegetation, k_litter, k_soil : array_like (...)
        Turnover rates [yr-1], above 0.
    vegetation_to_litter, litter_to_soil : array_like (...)
        Fractions passed on, 0 to 1; the rest is respired.

    Returns
    -------
    MatrixModel
        Pools vegetation, litter, soil; all input enters vegetation.

    Raises
    ------
    InputError
        A rate that is not above 0, a fraction outside 0 to 1.

    Examples
    --------
    The land of the whole Earth, in PgC:

    >>> three_pool().steady_state(60.0).round()
    array([ 462.,   75., 2000.])
    """
    return _chain(
        ("vegetation", "litter", "soil"),
        {"k_vegetation": k_vegetation, "k_litter": k_litter, "k_soil": k_soil},
        {"vegetation_to_litter": vegetation_to_litter, "litter_to_soil": litter_to_soil},
    )


def _chain(
    pools: tuple[str, ...], rates: dict[str, ArrayLike], passed: dict[str, ArrayLike]
) -> MatrixModel:
    n = len(pools)
    k = [
        as_array(name, value, lower=0.0, strict=True, hint="A turnover rate is 1 / residence time.")
        for name, value in rates.items()
    ]
    f = [
        as_array(name, value, lower=0.0, upper=1.0, hint="It is a share of what leaves.")
        for name, value in passed.items()
    ]
    everything = list(np.broadcast_arrays(*k, *f))
    lead = everything[0].shape
    K = np.stack(everything[:n], axis=-1)
    A = np.broadcast_to(np.eye(n), (*lead, n, n)).copy()
    for j, fraction in enumerate(everything[n:]):
        A[..., j + 1, j] = -fraction
    B = np.zeros(n)
    B[0] = 1.0
    return MatrixModel(pools, A=A, K=K, B=B)
