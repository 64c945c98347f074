"""Soil carbon of a temperate forest in seven pools: Harvard Forest, Massachusetts.

    dX/dt = B I − A ξ K X,        K = 1 / τ

Fine roots and leaves die into the organic (O) horizon and the mineral (A) horizon; recognisable litter
decays into humified carbon, and a little of that is bound to minerals.

====== ============================================= ===== =========== ================
symbol meaning                                       shape unit        code name
====== ============================================= ===== =========== ================
X      carbon of the pools as measured               (7,)  gC m-2      STOCKS
τ      turnover times                                (7,)  yr          TURNOVER_TIME
I      input: what dies of fine roots, of leaves     (2,)  gC m-2 yr-1 ROOTS, LEAVES
F      fluxes from pool to pool                      (7,7) gC m-2 yr-1 FLUXES
R      fluxes out of a pool that are respired        (7,)  gC m-2 yr-1 RESPIRED
f      share of the flux out of j that enters i      (7,7) 1           transfer
====== ============================================= ===== =========== ================

The model of Gaudinski, Trumbore, Davidson and Zheng (2000), doi 10.1023/A:1006301010014, with the
numbers of its implementation in SoilR 1.2 (function GaudinskiModel14). Turnover times follow from
inventories of carbon and radiocarbon. Humus of the O horizon is not at steady state in it:
it holds less than half of what its input would keep up.

Not in the model: what roots respire from sugars of the same year. In the soil respiration of this
forest that "recent carbon" is about 59 %, the carbon of these pools 41 % (abstract of the paper).
"""

from __future__ import annotations

import numpy as np

from landcarbon.matrix.model import MatrixModel

__all__ = [
    "FLUXES",
    "LEAVES",
    "POOLS",
    "RECENT_SHARE",
    "RESPIRED",
    "ROOTS",
    "STOCKS",
    "TURNOVER_TIME",
    "harvard_forest7",
]

POOLS = (
    "fine roots",
    "fresh leaf litter",
    "old leaf litter",
    "O humus",
    "A root litter",
    "A humus",
    "mineral",
)
TURNOVER_TIME = (1.5, 1.5, 4.0, 80.0, 3.0, 75.0, 110.0)  # yr
STOCKS = (390.0, 220.0, 390.0, 1370.0, 90.0, 1800.0, 560.0)  # gC m-2
ROOTS, LEAVES = 255.0, 150.0  # gC m-2 yr-1
FLUXES = {  # (from, to): gC m-2 yr-1
    (0, 3): 35.0,
    (0, 4): 30.0,
    (1, 2): 98.0,
    (1, 6): 3.0,
    (2, 3): 4.0,
    (4, 5): 24.0,
    (5, 6): 3.0,
}
RESPIRED = {0: 190.0, 1: 51.0, 2: 94.0, 4: 6.0, 5: 22.0}  # gC m-2 yr-1; the others pass nothing on
RECENT_SHARE = 0.59


def harvard_forest7() -> MatrixModel:
    """The seven pools, with two inputs: what dies of fine roots, and of leaves [gC m-2 yr-1].

    Notes
    -----
    Gaudinski et al. (2000), doi 10.1023/A:1006301010014; SoilR 1.2.

    Examples
    --------
    >>> harvard_forest7().steady_state([ROOTS, LEAVES]).round()
    array([ 382.,  225.,  387., 3116.,   90., 1800.,  642.])
    """
    n = len(POOLS)
    flux = np.zeros((n, n))
    for (source, target), amount in FLUXES.items():
        flux[target, source] = amount
    out = flux.sum(axis=0) + [RESPIRED.get(j, 0.0) for j in range(n)]
    f = flux / np.where(out > 0, out, 1.0)
    B = np.zeros((n, 2))
    B[0, 0] = B[1, 1] = 1.0
    return MatrixModel(POOLS, A=np.eye(n) - f, K=1 / np.array(TURNOVER_TIME), B=B)
