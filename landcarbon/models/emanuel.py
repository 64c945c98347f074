"""Emanuel et al. (1981): the land biosphere of the Earth in five pools.

    dX/dt = B I − A ξ K X,   K_j = flux out of j / stock of j,   f_ij = flux j → i / flux out of j

====== ================================== ============= ======== =========
symbol meaning                            shape         unit     code name
====== ================================== ============= ======== =========
X*     stocks at steady state             (5,)          PgC      STOCKS
I      gross primary production, 77 + 36  ()            PgC yr-1 GPP
       to trees and ground vegetation
F      fluxes between pools               7 of them     PgC yr-1 FLUXES
R      respiration of the pools           (5,)          PgC yr-1 RELEASE
====== ================================== ============= ======== =========

Emanuel, Killough & Olson (1981), Modelling the circulation of carbon in the world's terrestrial
ecosystems, in Bolin (ed.), Carbon Cycle Modelling, SCOPE 16, Wiley, 335–353. All numbers are those
of its flow diagram; each pool balances. The model reproduces its stocks by construction, so it is a
good check of signs and a poor test of anything else.
"""

from __future__ import annotations

import numpy as np

from landcarbon.matrix.model import MatrixModel

__all__ = ["FLUXES", "GPP", "POOLS", "RELEASE", "STOCKS", "emanuel5"]

POOLS = (
    "non-woody tree parts",
    "woody tree parts",
    "ground vegetation",
    "detritus and decomposers",
    "active soil carbon",
)
STOCKS = (37.0, 452.0, 69.0, 81.0, 1121.0)  # PgC
RELEASE = (25.0, 14.0, 18.0, 45.0, 11.0)  # PgC yr-1, to the atmosphere
UPTAKE = (77.0, 0.0, 36.0, 0.0, 0.0)  # PgC yr-1, from the atmosphere
GPP = 113.0  # PgC yr-1, the sum of UPTAKE
FLUXES = {  # (from, to): PgC yr-1
    (0, 1): 31.0,
    (0, 3): 21.0,
    (1, 3): 15.0,
    (1, 4): 2.0,
    (2, 3): 12.0,
    (2, 4): 6.0,
    (3, 4): 3.0,
}


def emanuel5() -> MatrixModel:
    """The five-pool model, built from the stocks and fluxes of its flow diagram.

    Returns
    -------
    MatrixModel
        Five pools [PgC]; the input is the global gross primary production [PgC yr-1].

    Notes
    -----
    Emanuel, Killough & Olson (1981), SCOPE 16, 335–353.

    Examples
    --------
    >>> emanuel5().steady_state(GPP).round(9)
    array([  37.,  452.,   69.,   81., 1121.])
    """
    n = len(POOLS)
    flux = np.zeros((n, n))
    for (source, target), amount in FLUXES.items():
        flux[target, source] = amount
    out = flux.sum(axis=0) + np.array(RELEASE)
    B = np.array(UPTAKE) / GPP
    return MatrixModel(POOLS, A=np.eye(n) - flux / out, K=out / np.array(STOCKS), B=B)
