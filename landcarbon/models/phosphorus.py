"""Phosphorus in soil: from rock to what plants can take, and on to what nobody can.

    primary ──weathering──→ labile ⇄ sorbed ──→ strongly sorbed ──→ occluded
                              │  ↖──────────────────┘
                              ↓ leaching          uptake and mineralisation: landcarbon.matrix.nutrients

    dm/dt = s − A_P K_P m − e₁ (what organic matter gains)

====== ================================ ======= ============ ==============================
symbol meaning                          shape   unit         code name
====== ================================ ======= ============ ==============================
m      phosphorus in each mineral pool  (5,)    gP m-2       m["P"]
K_P    turnover rates                   (5,)    yr-1         from the rates below
A_P    transfers among mineral pools    (5, 5)  1            mineral.A
s      dust that falls into labile P    ()      gP m-2 yr-1  dust
====== ================================ ======= ============ ==============================

The picture is that of Walker and Syers (1976), doi 10.1016/0016-7061(76)90066-5: all phosphorus of a
young soil is in rock; it is released once; with time it becomes organic, sorbed and at last occluded.
The pools are those of CASA-CNP and its relatives (Wang et al. 2010, doi 10.5194/bg-7-2261-2010). Rates
span seven powers of ten, so the exact and implicit steps of the matrix approach are needed: an
explicit step would have to be shorter than a week for a million years.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from landcarbon.matrix.errors import as_array, as_number
from landcarbon.matrix.model import MatrixModel
from landcarbon.matrix.nutrients import Element, NutrientModel, State
from landcarbon.models import carbon_nitrogen
from landcarbon.models.parameters import Parameter, ParameterTable

__all__ = [
    "MINERAL",
    "PARAMETERS",
    "bare_rock",
    "carbon_nitrogen_phosphorus",
    "mineral_phosphorus",
    "phosphorus",
]

MINERAL = ("labile", "sorbed", "strongly sorbed", "occluded", "primary")

_OURS = "for teaching"
_GDAY = "parameter files of GDAY"
_YANG = "Yang et al. 2014, as quoted in GDAY"

PARAMETERS = ParameterTable(
    Parameter(name, unit, lower, upper, default, source, meaning)
    for name, unit, lower, upper, default, source, meaning in (
        ("weathering", "yr-1", 1e-5, 1e-2, 1e-3, _OURS, "primary to labile; GDAY has 1e-5 to 4e-5 for old sand"),
        ("sorption", "yr-1", 10.0, 200.0, 50.0, _OURS, "labile to sorbed"),
        ("desorption", "yr-1", 1.0, 50.0, 5.0, _OURS, "sorbed to labile"),
        ("fixing", "yr-1", 0.05, 2.0, 0.576, f"{_YANG}: 0.048 per month", "sorbed to strongly sorbed"),
        ("release", "yr-1", 0.001, 0.05, 0.00803, f"{_GDAY}: 2.2e-5 per day", "strongly sorbed to labile"),
        ("occlusion", "yr-1", 1e-5, 1e-3, 1.44e-4, f"{_YANG}: 1.2e-5 per month", "strongly sorbed to occluded"),
        ("erosion", "yr-1", 1e-7, 1e-5, 1e-6, _OURS, "occluded, lost"),
        ("leaching", "yr-1", 0.001, 0.05, 0.005, _GDAY, "labile, lost"),
        ("dust", "gP m-2 yr-1", 1e-4, 0.02, 0.001, _OURS, "deposition into labile"),
        ("cp_leaves", "gC gP-1", 300.0, 1200.0, 600.0, _OURS, "C:P of leaves, roots and their litter"),
        ("cp_wood", "gC gP-1", 2000.0, 8000.0, 4000.0, _OURS, "C:P of wood and woody debris"),
        ("cp_soil", "gC gP-1", 60.0, 300.0, 130.0, _OURS, "C:P of slow and passive soil"),
        ("half", "gP m-2", 0.005, 0.2, 0.03, _OURS, "labile phosphorus at half of growth"),
    )
)


def mineral_phosphorus(theta: ArrayLike | None = None) -> MatrixModel:
    """The five mineral pools as a matrix model.

    Parameters
    ----------
    theta : array_like (13,), optional
        In the order of `PARAMETERS`; the defaults if not given.

    Returns
    -------
    MatrixModel
        Pools `MINERAL` [gP m-2]; what leaves a pool and enters no other is lost from the soil.

    Examples
    --------
    >>> m = mineral_phosphorus()
    >>> m.K
    array([5.0005e+01, 5.5760e+00, 8.1740e-03, 1.0000e-06, 1.0000e-03])
    """
    p = _named(theta)
    rates = {  # (to, from)
        (1, 0): p["sorption"], (0, 1): p["desorption"], (2, 1): p["fixing"], (0, 2): p["release"],
        (3, 2): p["occlusion"], (0, 4): p["weathering"],
    }  # fmt: skip
    K = np.array([p["leaching"], 0.0, 0.0, p["erosion"], 0.0])
    for (_, source), rate in rates.items():
        K[source] += rate
    A = np.eye(5)
    for (target, source), rate in rates.items():
        A[target, source] = -rate / K[source]
    return MatrixModel(MINERAL, A=A, K=K, B=np.eye(5)[0])


def phosphorus(theta: ArrayLike | None = None) -> Element:
    """Phosphorus for the pools of `landcarbon.models.carbon_nitrogen`."""
    p = _named(theta)
    c_to_p = np.array([p[f"cp_{k}"] for k in ("leaves", "wood", "leaves", "wood", "soil", "soil")])
    return Element("P", c_to_p, mineral_phosphorus(theta), p["dust"] * np.eye(5)[0], p["half"],
                   c_to_e_scarce=carbon_nitrogen.SCARCE * c_to_p)


def carbon_nitrogen_phosphorus(
    theta: ArrayLike | None = None, coupling: str = "limited"
) -> NutrientModel:
    """The forest of `landcarbon.models.carbon_nitrogen` with phosphorus as well.

    Parameters
    ----------
    theta : array_like (13,), optional
        Phosphorus parameters in the order of `PARAMETERS`.
    coupling : {"limited", "fixed", "flexible"}
        See `landcarbon.matrix.nutrients`; with two elements the scarcer one decides.

    Examples
    --------
    After a million years phosphorus has gone; dust alone feeds growth.

    >>> land = carbon_nitrogen_phosphorus()
    >>> rest = land.steady_state(carbon_nitrogen.GROWTH)
    >>> float(land.limitation(rest.m).round(3))
    0.258
    """
    forest = carbon_nitrogen.carbon_nitrogen(coupling=coupling)
    return forest.replace(elements=(*forest.elements, phosphorus(theta)))


def bare_rock(model: NutrientModel, primary: float = 500.0) -> State:
    """A fresh surface: no carbon, no organic matter, phosphorus in rock alone.

    Parameters
    ----------
    model : NutrientModel
        With an element "P" whose last mineral pool is primary phosphorus.
    primary : float
        Phosphorus in the rock that will weather [gP m-2]; 500 is 1 m of rock with 200 mg P per kg.
    """
    amount = as_number("primary", primary, lower=0.0)
    n = model.carbon.n
    m = {e.name: np.zeros(e.mineral.n) for e in model.elements}
    m["P"][-1] = amount
    return State(np.zeros(n), {e.name: np.zeros(n) for e in model.elements}, m)


def _named(theta: ArrayLike | None) -> dict[str, float]:
    values = PARAMETERS.default if theta is None else as_array(
        "theta", theta, shape=(len(PARAMETERS),), hint="In the order of phosphorus.PARAMETERS."
    )
    return dict(zip(PARAMETERS.names, values.tolist()))
