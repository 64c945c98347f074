"""Carbon and nitrogen of a forest in six pools.

    leaves and roots ─→ litter ────────┐
                                       ├─→ slow soil ⇄ passive soil
    wood ─→ woody debris ──────────────┘

The equations are those of `landcarbon.matrix.nutrients`: growth and immobilisation as far as mineral
nitrogen allows, every gram of nitrogen accounted for.

====== ================================== ======= =============== ============================
symbol meaning                            shape   unit            code name
====== ================================== ======= =============== ============================
K      turnover rates where nothing       (6,)    yr-1            k_*
       limits
f      shares handed on                   5       1               f_*
c      carbon to nitrogen of new material (6,)    gC gN-1         cn_*
s      deposition and fixation            2       gN m-2 yr-1     deposition, fixation
ℓ      loss rate of mineral nitrogen:     ()      yr-1            loss
       leaching and gases
h      mineral nitrogen at which half of  ()      gN m-2          half
       growth is possible
I      growth where nothing limits        ()      gC m-2 yr-1     GROWTH
c'/c   C:N where nitrogen is scarce, over ()      1               SCARCE
       that where it is plentiful
====== ================================== ======= =============== ============================

Soil C:N is that of CLM5's decomposition (technical note, table of the Century-based pools: slow and
passive 11). Every other number is a round value chosen for teaching, of a size common in temperate
forests; none is fitted to a site, and the table says so line by line.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from landcarbon.matrix.errors import as_array
from landcarbon.matrix.model import MatrixModel
from landcarbon.matrix.nutrients import Element, NutrientModel
from landcarbon.models.parameters import Parameter, ParameterTable

__all__ = ["GROWTH", "PARAMETERS", "POOLS", "SCARCE", "carbon_nitrogen", "carbon_pools", "nitrogen"]

POOLS = ("leaves and roots", "wood", "litter", "woody debris", "slow soil", "passive soil")
GROWTH = 700.0  # gC m-2 yr-1 that plants could build if nothing limited; for teaching
SCARCE = 1.5  # C:N where nitrogen is scarce over C:N where it is plentiful, for flexible coupling

_OURS = "for teaching"
_CLM = "CLM5 technical note, Century-based pools"

PARAMETERS = ParameterTable(
    Parameter(name, unit, lower, upper, default, source, meaning)
    for name, unit, lower, upper, default, source, meaning in (
        ("b_wood", "1", 0.1, 0.5, 0.3, _OURS, "share of growth that becomes wood; the rest leaves and roots"),
        ("k_leaves", "yr-1", 0.3, 2.0, 0.8, _OURS, "turnover rate of leaves and roots"),
        ("k_wood", "yr-1", 0.01, 0.05, 0.02, _OURS, "turnover rate of wood"),
        ("k_litter", "yr-1", 0.3, 3.0, 1.0, _OURS, "turnover rate of litter"),
        ("k_debris", "yr-1", 0.03, 0.5, 0.1, _OURS, "turnover rate of woody debris"),
        ("k_slow", "yr-1", 0.01, 0.2, 0.04, _OURS, "turnover rate of slow soil"),
        ("k_passive", "yr-1", 0.0005, 0.01, 0.002, _OURS, "turnover rate of passive soil"),
        ("f_litter_slow", "1", 0.2, 0.5, 0.35, _OURS, "litter to slow soil"),
        ("f_debris_slow", "1", 0.2, 0.5, 0.35, _OURS, "woody debris to slow soil"),
        ("f_slow_passive", "1", 0.01, 0.1, 0.04, _OURS, "slow to passive soil"),
        ("f_passive_slow", "1", 0.1, 0.6, 0.4, _OURS, "passive to slow soil"),
        ("cn_leaves", "gC gN-1", 25.0, 60.0, 40.0, _OURS, "C:N of leaves, roots and their litter"),
        ("cn_wood", "gC gN-1", 100.0, 500.0, 250.0, _OURS, "C:N of wood and woody debris"),
        ("cn_soil", "gC gN-1", 8.0, 20.0, 11.0, _CLM, "C:N of slow and passive soil"),
        ("deposition", "gN m-2 yr-1", 0.05, 3.0, 0.6, _OURS, "nitrogen deposition"),
        ("fixation", "gN m-2 yr-1", 0.05, 2.0, 0.4, _OURS, "nitrogen fixation"),
        ("loss", "yr-1", 0.1, 2.0, 0.5, _OURS, "loss rate of mineral nitrogen"),
        ("half", "gN m-2", 0.1, 2.0, 0.8, _OURS, "mineral nitrogen at half of growth"),
    )
)


def carbon_pools(theta: ArrayLike | None = None) -> MatrixModel:
    """The six carbon pools without any nutrient.

    Parameters
    ----------
    theta : array_like (18,), optional
        In the order of `PARAMETERS`; the defaults if not given.

    Returns
    -------
    MatrixModel
        Input is growth [gC m-2 yr-1].

    Examples
    --------
    >>> carbon_pools().steady_state(GROWTH).round()
    array([  612., 10500.,   490.,  2100.,  6225.,  4980.])
    """
    p = _named(theta)
    A = np.eye(6)
    A[2, 0] = A[3, 1] = -1.0
    A[4, 2], A[4, 3] = -p["f_litter_slow"], -p["f_debris_slow"]
    A[5, 4], A[4, 5] = -p["f_slow_passive"], -p["f_passive_slow"]
    K = np.array([p[f"k_{name}"] for name in ("leaves", "wood", "litter", "debris", "slow", "passive")])
    return MatrixModel(POOLS, A=A, K=K, B=np.array([1 - p["b_wood"], p["b_wood"], 0, 0, 0, 0]))


def nitrogen(theta: ArrayLike | None = None) -> Element:
    """Nitrogen: the C:N of each pool, one mineral pool, deposition, fixation and losses."""
    p = _named(theta)
    c_to_n = np.array([p[f"cn_{k}"] for k in ("leaves", "wood", "leaves", "wood", "soil", "soil")])
    mineral = MatrixModel(("mineral N",), A=np.eye(1), K=np.array([p["loss"]]), B=np.ones(1))
    return Element("N", c_to_n, mineral, np.array([p["deposition"] + p["fixation"]]), p["half"],
                   c_to_e_scarce=SCARCE * c_to_n)


def carbon_nitrogen(theta: ArrayLike | None = None, coupling: str = "limited") -> NutrientModel:
    """The forest with nitrogen.

    Parameters
    ----------
    theta : array_like (18,), optional
        In the order of `PARAMETERS`; the defaults if not given.
    coupling : {"limited", "fixed", "flexible"}
        See `landcarbon.matrix.nutrients`.

    Raises
    ------
    InputError
        A wrong number of parameters, negative rates, fractions that create carbon.

    Examples
    --------
    At steady state 2 gN m-2 are available, and 71 % of growth is possible:

    >>> land = carbon_nitrogen()
    >>> rest = land.steady_state(GROWTH)
    >>> float(rest.m["N"][0].round(3)), float(land.limitation(rest.m).round(3))
    (2.0, 0.714)
    """
    return NutrientModel(carbon_pools(theta), (nitrogen(theta),), coupling)


def _named(theta: ArrayLike | None) -> dict[str, float]:
    values = PARAMETERS.default if theta is None else as_array(
        "theta", theta, shape=(len(PARAMETERS),), hint="In the order of carbon_nitrogen.PARAMETERS."
    )
    return dict(zip(PARAMETERS.names, values.tolist()))
