"""CENTURY: soil organic matter in pools of rising age.

    dX/dt = B I − A ξ K X

Seven pools: structural and metabolic litter above and below ground, then active, slow and passive
soil carbon. Texture and litter quality set the numbers:

    metabolic share of litter     F_m = 0.85 − 0.018 L/N
    structural litter             K   = K_max exp(−3 L_s)
    active carbon                 K   = 7.3 (1 − 0.75 T),   respired E_s = 0.85 − 0.68 T
    active → slow                 f   = 1 − E_s − 0.004

====== ================================ ========= ==== =================== ======
symbol meaning                          shape     unit code name           source
====== ================================ ========= ==== =================== ======
T      silt + clay fraction             (...)     1    silt + clay         [1]
L/N    lignin to nitrogen of the litter (...)     1    lignin_to_nitrogen  [1]
L_s    lignin in structural litter      (...)     1    structural_lignin   [1]
K      turnover rates without limits    (7,)      yr-1 RATES               [2]
r      respired when litter decays      (4,)      1    RESPIRED            [1, 3]
r_L    lignin respired on its way       ()        1    LIGNIN_RESPIRED     [1, 3]
f_pa   active carbon that turns passive ()        1    ACTIVE_TO_PASSIVE   [1, 3]
f_as   slow carbon that turns active    ()        1    SLOW_TO_ACTIVE      [1, 3]
f_ps   slow carbon that turns passive   ()        1    SLOW_TO_PASSIVE     [1, 3]
f_ap   passive carbon that turns active ()        1    PASSIVE_TO_ACTIVE   [1, 3]
====== ================================ ========= ==== =================== ======

[1] Parton, Schimel, Cole & Ojima (1987), Soil Science Society of America Journal 51, 1173–1179,
    doi 10.2136/sssaj1987.03615995005100050015x.
[2] The rates of CENTURY 4 and DAYCENT (files of fixed parameters, DEC1 to DEC5). The
    weekly rates in [3] are nearly the same, but for a faster passive pool: 0.00013 per week, or
    0.0068 per year.
[3] As implemented in SoilR 1.2: Sierra, Müller & Trumbore (2012), doi 10.5194/gmd-5-1045-2012.

Temperature and water enter through ξ: see `landcarbon.matrix.response`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array
from landcarbon.matrix.model import MatrixModel

__all__ = ["POOLS3", "POOLS7", "RATES", "century3", "century7"]

Array = NDArray[np.float64]

POOLS3 = ("active", "slow", "passive")
POOLS7 = (
    "surface structural",
    "surface metabolic",
    "soil structural",
    "soil metabolic",
    *POOLS3,
)
RATES = (3.9, 14.8, 4.9, 18.5, 7.3, 0.2, 0.0045)  # yr-1, in the order of POOLS7
RESPIRED = (0.45, 0.55, 0.55, 0.55)  # of the litter carbon that goes to the active pool
LIGNIN_RESPIRED = 0.3  # of the lignin of structural litter, which goes to the slow pool
ACTIVE_TO_PASSIVE = 0.004
SLOW_TO_ACTIVE, SLOW_TO_PASSIVE = 0.42, 0.03
PASSIVE_TO_ACTIVE = 0.45


def century3(share_to_active: float = 5 / 6) -> MatrixModel:
    """Active, slow and passive soil carbon, for a soil with 44 % silt and clay.

    Parameters
    ----------
    share_to_active : float
        Part of the input that enters the active pool; the rest enters the slow pool. CENTURY has
        litter pools in between; 5/6 is a choice for teaching.

    Returns
    -------
    MatrixModel
        Pools active, slow, passive; one input [gC m-2 yr-1].

    Raises
    ------
    InputError
        A share outside 0 to 1.

    Notes
    -----
    Rates 7.3, 0.2 and 0.0045 yr-1 (CENTURY 4); active passes on 0.446 and 0.004, slow 0.42 and
    0.03, passive 0.45. The rate of the active pool is taken without its texture factor.

    Examples
    --------
    >>> century3().steady_state(360.0).round(1)
    array([  55.5, 1203.3, 1964.4])
    """
    share = as_array("share_to_active", share_to_active, lower=0.0, upper=1.0)
    A = np.array([[1, -SLOW_TO_ACTIVE, -PASSIVE_TO_ACTIVE],
                  [-0.446, 1, 0],
                  [-ACTIVE_TO_PASSIVE, -SLOW_TO_PASSIVE, 1]])  # fmt: skip
    B = np.stack([share, 1 - share, np.zeros_like(share)], axis=-1)
    return MatrixModel(POOLS3, A=A, K=np.array(RATES[4:]), B=B)


def century7(
    *,
    lignin_to_nitrogen: ArrayLike,
    structural_lignin: ArrayLike,
    clay: ArrayLike = 0.2,
    silt: ArrayLike = 0.45,
    rates: ArrayLike = RATES,
) -> MatrixModel:
    """Litter and soil of CENTURY, for a texture and a litter quality.

    Parameters
    ----------
    lignin_to_nitrogen : array_like (...)
        L/N of the litter by mass, 0 to 47 (where no metabolic litter is left).
    structural_lignin : array_like (...)
        Lignin fraction of structural litter, 0 to 1.
    clay, silt : array_like (...)
        Fractions of the mineral soil, 0 to 1, with a sum of at most 1. The defaults are a loam,
        as in SoilR.
    rates : array_like (..., 7)
        Turnover rates before texture and lignin slow them [yr-1], in the order of `POOLS7`.

    Returns
    -------
    MatrixModel
        Seven pools; two inputs [gC m-2 yr-1]: litter above ground, litter below ground.

    Raises
    ------
    InputError
        Fractions outside their range, a texture of more than 1.

    Notes
    -----
    Parton et al. (1987); transfers as in SoilR (Sierra et al., 2012).

    Examples
    --------
    >>> m = century7(lignin_to_nitrogen=20.0, structural_lignin=0.25)
    >>> m.steady_state([150.0, 150.0]).round()
    array([  42.,    5.,   33.,    4.,   49.,  668., 1053.])
    """
    ratio = as_array("lignin_to_nitrogen", lignin_to_nitrogen, lower=0.0)
    lignin = as_array("structural_lignin", structural_lignin, lower=0.0, upper=1.0)
    clay = as_array("clay", clay, lower=0.0, upper=1.0, hint="Give a fraction, not percent.")
    silt = as_array("silt", silt, lower=0.0, upper=1.0, hint="Give a fraction, not percent.")
    rates = as_array("rates", rates, shape=(7,), lower=0.0)
    ratio, lignin, texture, _ = np.broadcast_arrays(ratio, lignin, clay + silt, rates[..., 0])
    if np.any(texture > 1):
        raise InputError(
            f"clay + silt is {texture.max():g}; fractions of the soil sum to at most 1."
        )
    metabolic = 0.85 - 0.018 * ratio
    if np.any(metabolic < 0):
        raise InputError(
            f"lignin_to_nitrogen is {ratio.max():g}: 0.85 − 0.018 L/N, the share of metabolic "
            "litter, would be negative. It holds up to 47. Is the ratio one of masses?"
        )

    lead = ratio.shape
    K = np.broadcast_to(rates, (*lead, 7)).copy()
    K[..., [0, 2]] *= np.exp(-3 * lignin)[..., None]
    K[..., 4] *= 1 - 0.75 * texture

    respired_active = 0.85 - 0.68 * texture
    f = np.zeros((*lead, 7, 7))
    f[..., 4, 0] = (1 - lignin) * (1 - RESPIRED[0])
    f[..., 4, 1] = 1 - RESPIRED[1]
    f[..., 4, 2] = (1 - lignin) * (1 - RESPIRED[2])
    f[..., 4, 3] = 1 - RESPIRED[3]
    f[..., 5, 0] = f[..., 5, 2] = lignin * (1 - LIGNIN_RESPIRED)
    f[..., 5, 4] = 1 - respired_active - ACTIVE_TO_PASSIVE
    f[..., 6, 4] = ACTIVE_TO_PASSIVE
    f[..., 4, 5] = SLOW_TO_ACTIVE
    f[..., 6, 5] = SLOW_TO_PASSIVE
    f[..., 4, 6] = PASSIVE_TO_ACTIVE

    B = np.zeros((*lead, 7, 2))
    B[..., 0, 0] = B[..., 2, 1] = 1 - metabolic
    B[..., 1, 0] = B[..., 3, 1] = metabolic
    return MatrixModel(POOLS7, A=np.eye(7) - f, K=K, B=B)
