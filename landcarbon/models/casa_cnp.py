"""CASA-CNP: carbon, nitrogen and phosphorus of a biome in the land model CABLE.

    leaf ─┬─→ metabolic litter ──→ microbial soil ──┬─→ slow soil ──→ passive soil
          └─→ structural litter ─→ (and to slow)    └──────────────────↗
    root    as leaf          wood ──→ woody debris ──→ microbial and slow soil

    dX/dt = B I − A ξ K X,  with nitrogen and phosphorus as in `landcarbon.matrix.nutrients` (flexible)

====== ============================================ ======= ============ =============================
symbol meaning                                      shape   unit         code name
====== ============================================ ======= ============ =============================
K      1/age; structural litter × e^(−3 lignin),    (9,)    yr-1         age_*, k_litter, k_soil
       litter × k_litter, soil × k_soil, microbial
       soil × (1 − 0.75 (clay + silt)) besides
f_met  share of fallen leaf (root) that is           ()     1            0.85 − 0.018 lignin : N
       metabolic
r      N (P) per C of new material, between its      (9,)    g gC-1      nc_*, np_*, cn_*
       least and its most
ρ      share of N and P that plants take back        (9,)    1           resorbed_*
h      mineral N, labile P at which plants get half  ()      g m-2       half_n, half_p
       of what they could take above their least
g      share of net N mineralisation lost as gas     ()      1           gas
====== ============================================ ======= ============ =============================

The model is by Wang et al. (2010), doi 10.5194/bg-7-2261-2010. Its numbers stand here as in the public archive
of CABLE (repository CABLE-LSM/CABLE-svn-archive), file by file:

file    pftlookup_csiro_v16_17tiles.csv in CABLE-AUX_full/core/biogeochem, commit 545e1d99
code    casa_cnp.F90 in txz599/CABLE-2.0_test/core/biogeochem, commit 05d2a510
file 2  pftlookup.csv in jk8585/gm_acclim_coord/params, commit 405ebad8

Bounds are ours, half and twice. Texture, deposition and the supply of phosphorus are maps in CABLE; the
values here are ours, and marked so.

What is not as there: the code lets soil C:N rise in a straight line to 2 gN m-2, here it is a / (a + h);
sorption of phosphorus is a curve of Langmuir in balance with the labile pool, here its slope at one labile
amount and a fast exchange; lignin to nitrogen of litter is that of the file's C:N, not of the day; decay is
not slowed where nitrogen is short; phosphatase is left out. ξ acts on litter and soil: 1.72^((T − 35)/10)
times a factor of water in the code.

Reproduced: Xia et al. (2013), doi 10.1111/gcb.12172, traced CABLE and print a baseline residence time of
43.6 years for deciduous needleleaf forest, of cells whose texture is not printed. These matrices give 42.9
with the loam below; texture alone moves that from 41.8 to 45.2 years.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array
from landcarbon.matrix.model import MatrixModel
from landcarbon.matrix.nutrients import Element, NutrientModel, Ways
from landcarbon.models.parameters import Parameter, ParameterTable

__all__ = ["BIOMES", "PARAMETERS", "POOLS", "carbon", "casa_cnp", "nitrogen", "parameters", "phosphorus"]

Array = NDArray[np.float64]

POOLS = ("leaf", "wood", "root", "metabolic litter", "structural litter", "woody debris",
         "microbial soil", "slow soil", "passive soil")  # fmt: skip

_OURS = "for teaching"
_FILE = "file: pftlookup, commit 545e1d99"
_CODE = "code: casa_cnp.F90, commit 05d2a510"
_FILE_2 = "file 2: pftlookup, commit 405ebad8"

_BY_BIOME = (
    ("age_leaf", "yr", _FILE, "leaf age"),
    ("age_wood", "yr", _FILE, "wood age"),
    ("age_root", "yr", _FILE, "fine root age"),
    ("b_leaf", "1", _FILE, "share of growth that becomes leaf"),
    ("b_wood", "1", _FILE, "share of growth that becomes wood; the rest is root"),
    ("cn_leaf", "gC gN-1", _FILE, "C:N of leaf, for its lignin to nitrogen"),
    ("cn_root", "gC gN-1", _FILE, "C:N of root, for its lignin to nitrogen"),
    ("lignin", "g gC-1", _FILE, "lignin per carbon of leaf and root"),
    ("nc_leaf_least", "gN gC-1", _FILE, "N:C of leaf, least"),
    ("nc_leaf_most", "gN gC-1", _FILE, "N:C of leaf, most"),
    ("nc_wood_least", "gN gC-1", _FILE, "N:C of wood, least"),
    ("nc_wood_most", "gN gC-1", _FILE, "N:C of wood, most"),
    ("nc_root_least", "gN gC-1", _FILE, "N:C of root, least"),
    ("nc_root_most", "gN gC-1", _FILE, "N:C of root, most"),
    ("np_leaf_least", "gN gP-1", _FILE, "N:P of leaf, least"),
    ("np_leaf_most", "gN gP-1", _FILE, "N:P of leaf, most"),
    ("np_wood_least", "gN gP-1", _FILE, "N:P of wood, least"),
    ("np_wood_most", "gN gP-1", _FILE, "N:P of wood, most"),
    ("np_root_least", "gN gP-1", _FILE, "N:P of root, least"),
    ("np_root_most", "gN gP-1", _FILE, "N:P of root, most"),
    ("cn_soil", "gC gN-1", _FILE, "C:N of slow and passive soil, for their phosphorus"),
    ("fixation", "gN m-2 yr-1", _FILE, "nitrogen fixation"),
    ("k_soil", "1", _CODE, "what multiplies the rates of soil at the optimum"),
)

BIOMES: dict[str, tuple[float, ...]] = {
    "evergreen needleleaf forest": (
        2, 70, 18, 0.25, 0.4, 49.8, 73.7, 0.25, 0.02, 0.024, 0.004, 0.0048, 0.012820513, 0.015384615,
        10.9230843, 12.07288265, 20.30166899, 22.43868677, 20.29340586, 22.42955386, 16.1, 0.08, 0.33,
    ),
    "evergreen broadleaf forest": (
        1.5, 60, 10, 0.2, 0.35, 23.1, 61.2, 0.2, 0.04, 0.048, 0.006666667, 0.008, 0.014705882, 0.017647059,
        15.9533913, 17.63269565, 15.89425068, 17.5673297, 15.87155172, 17.54224138, 12.8, 2.6, 0.60,
    ),
    "deciduous needleleaf forest": (
        1, 80, 10, 0.4, 0.3, 59.3, 75, 0.2, 0.016666667, 0.02, 0.004, 0.0048, 0.012820513, 0.015384615,
        9.254838709, 10.22903226, 17.48344202, 19.32380435, 17.39766667, 19.229, 24.8, 0.21, 0.15,
    ),
    "deciduous broadleaf forest": (
        1, 40, 10, 0.35, 0.25, 31.4, 63.2, 0.2, 0.028571429, 0.034285714, 0.005714286, 0.006857143, 0.014084507,
        0.016901408, 12.73848215, 14.079375, 19.08018049, 21.08862054, 19.06010204, 21.06642857, 30, 1.64, 0.60,
    ),
    "shrub": (
        1, 40, 5, 0.35, 0.25, 37.6, 67.1, 0.2, 0.025, 0.03, 0.006666667, 0.008, 0.014084507, 0.016901408,
        12.07216981, 13.34292453, 22.46035488, 24.82460276, 22.493625, 24.861375, 19.3, 0.37, 0.16,
    ),
}  # fmt: skip
"""Numbers of each biome, in the order of the first rows of `PARAMETERS`."""

_COMMON = (
    ("age_metabolic", "yr", 0.04, _FILE, "age of metabolic litter at the optimum"),
    ("age_structural", "yr", 0.23, _FILE, "age of structural litter without lignin"),
    ("age_debris", "yr", 0.824, _FILE, "age of woody debris"),
    ("age_microbial", "yr", 0.137, _FILE, "age of microbial soil without clay and silt"),
    ("age_slow", "yr", 5.0, _FILE, "age of slow soil"),
    ("age_passive", "yr", 222.22, _FILE, "age of passive soil"),
    ("k_litter", "1", 0.4, _CODE, "what multiplies the rates of litter at the optimum"),
    ("lignin_debris", "g gC-1", 0.4, _FILE, "lignin per carbon of woody debris"),
    ("resorbed_leaf", "1", 0.5, _FILE, "share of N and P of a leaf taken back"),
    ("resorbed_wood", "1", 0.05, _FILE, "share of N and P of wood taken back"),
    ("resorbed_root", "1", 0.1, _FILE, "share of N and P of a root taken back"),
    ("cn_structural", "gC gN-1", 150.0, "code: casa_variable.F90, ratioNCstrfix", "C:N of structural litter"),
    ("np_structural", "gN gP-1", 25.0, "code: casa_variable.F90, ratioNPstrfix", "N:P of structural litter"),
    ("cn_microbial_least", "gC gN-1", 3.0, _FILE, "C:N of new microbial soil, N plentiful"),
    ("cn_microbial_most", "gC gN-1", 15.0, _FILE, "C:N of new microbial soil, N scarce"),
    ("cn_slow_least", "gC gN-1", 12.0, _FILE, "C:N of new slow soil, N plentiful"),
    ("cn_slow_most", "gC gN-1", 30.0, _FILE, "C:N of new slow soil, N scarce"),
    ("cn_passive_least", "gC gN-1", 7.0, _FILE, "C:N of new passive soil, N plentiful"),
    ("cn_passive_most", "gC gN-1", 15.0, _FILE, "C:N of new passive soil, N scarce"),
    ("cn_microbial", "gC gN-1", 8.0, _FILE, "C:N of microbial soil, for its phosphorus"),
    ("np_microbial", "gN gP-1", 4.0, _FILE, "N:P of microbial soil, soil order 1"),
    ("np_slow", "gN gP-1", 5.0, _FILE, "N:P of slow and passive soil, soil order 1"),
    ("half_n", "gN m-2", 2.0, _FILE, "mineral N at half of uptake (KminN)"),
    ("half_p", "gP m-2", 0.5, _FILE, "labile P at half of uptake (Kuplabp)"),
    ("leaching_n", "yr-1", 0.5, f"{_FILE}, times 10 in the code", "loss rate of mineral N"),
    ("gas", "1", 0.05, _FILE, "share of net N mineralisation lost as gas"),
    ("leaching_p", "yr-1", 0.0365, f"{_CODE}: 1e-4 per day", "loss rate of labile P"),
    ("sorption_most", "gP m-2", 745.40795, _FILE, "P that can be sorbed, soil order 1"),
    ("sorption_half", "gP m-2", 74.5408, _FILE, "labile P at half of it, soil order 1"),
    ("labile", "gP m-2", 29.107, _FILE, "labile P at which the slope of sorption is taken"),
    ("fixing_p", "yr-1", 0.0073, f"{_FILE_2}: 2e-5 per day", "sorbed to occluded P at the optimum"),
    ("release_p", "yr-1", 0.01095, f"{_FILE_2}: 3e-5 per day", "occluded to labile P at the optimum"),
    ("clay", "1", 0.2, _OURS, "clay in the soil"),
    ("silt", "1", 0.3, _OURS, "silt in the soil"),
    ("deposition", "gN m-2 yr-1", 0.5, _OURS, "nitrogen deposition"),
    ("supply_p", "gP m-2 yr-1", 0.05, _OURS, "weathering and dust"),
)

EXCHANGE = 100.0  # yr-1, labile to sorbed and back: fast against all else
GROWTH = 500.0  # gC m-2 yr-1, a usual net primary production, for examples


def parameters(biome: str = "deciduous needleleaf forest") -> ParameterTable:
    """The parameters of a biome, with the source of each.

    Parameters
    ----------
    biome : str
        One of `BIOMES`.

    Examples
    --------
    >>> parameters("shrub")["age_wood"].default
    40.0
    """
    if biome not in BIOMES:
        raise InputError(f"There is no biome {biome!r}; there are {', '.join(BIOMES)}.")
    rows = [(name, unit, value, source, meaning)
            for (name, unit, source, meaning), value in zip(_BY_BIOME, BIOMES[biome])]
    return ParameterTable(
        Parameter(name, unit, value / 2, 1.0 if unit == "1" and 2 * value > 1 else 2 * value, value, source, meaning)
        for name, unit, value, source, meaning in (*rows, *_COMMON)
    )


PARAMETERS = parameters()


def carbon(theta: ArrayLike | None = None) -> MatrixModel:
    """The nine carbon pools without any nutrient, at the optimum of temperature and water.

    Parameters
    ----------
    theta : array_like (59,), optional
        In the order of `PARAMETERS`, such as ``parameters("shrub").default``; those of deciduous needleleaf
        forest if not given.

    Returns
    -------
    MatrixModel
        Input is net primary production [gC m-2 yr-1].

    Examples
    --------
    The baseline residence time of deciduous needleleaf forest, published as 43.6 years, on a loam:

    >>> float(carbon().steady_state(1.0).sum().round(1))
    42.9
    """
    p = _named(theta)
    fine = p["clay"] + p["silt"]
    metabolic = _metabolic(p)
    A = np.eye(9)
    A[3, [0, 2]], A[4, [0, 2]], A[5, 1] = -metabolic, metabolic - 1.0, -1.0
    A[6, 3], A[6, 4], A[7, 4] = -0.45, -0.45 * (1 - p["lignin"]), -0.7 * p["lignin"]
    A[6, 5], A[7, 5] = -0.4 * (1 - p["lignin_debris"]), -0.7 * p["lignin_debris"]
    kept = 0.85 - 0.68 * fine
    A[7, 6], A[8, 6] = -kept * (0.997 - 0.032 * p["clay"]), -kept * (0.003 + 0.032 * p["clay"])
    A[8, 7] = -0.45 * (0.003 + 0.009 * p["clay"])
    names = ("leaf", "wood", "root", "metabolic", "structural", "debris", "microbial", "slow", "passive")
    K = 1.0 / np.array([p[f"age_{name}"] for name in names])
    K[3:6] *= p["k_litter"]
    K[6:] *= p["k_soil"]
    K[4] *= np.exp(-3.0 * p["lignin"])
    K[6] *= 1.0 - 0.75 * fine
    return MatrixModel(POOLS, A=A, K=K, B=np.concatenate([_shares(p), np.zeros(6)]))


def nitrogen(theta: ArrayLike | None = None) -> Element:
    """Nitrogen: one mineral pool, resorption, leaching, and a loss that shares mineralisation."""
    p = _named(theta)
    ratios = {
        level: _litter(p, np.array([p[f"nc_{part}_{level}"] for part in ("leaf", "wood", "root")]),
                       1.0 / p["cn_structural"])
        for level in ("least", "most")
    }
    soil = {level: [p[f"cn_{pool}_{level}"] for pool in ("microbial", "slow", "passive")] for level in ratios}
    mineral = MatrixModel(("mineral N",), A=np.eye(1), K=np.array([p["leaching_n"]]), B=np.ones(1))
    return Element(
        "N", np.concatenate([1.0 / ratios["most"], soil["least"]]), mineral,
        np.array([p["fixation"] + p["deposition"]]), p["half_n"],
        c_to_e_scarce=np.concatenate([1.0 / ratios["least"], soil["most"]]),
        ways=Ways(resorbed=_resorbed(p), volatile=p["gas"]),
    )


def phosphorus(theta: ArrayLike | None = None) -> Element:
    """Phosphorus: labile, sorbed and occluded pools, resorption, leaching."""
    p = _named(theta)
    ratios = {}
    for level, other in (("least", "most"), ("most", "least")):
        plant = np.array([p[f"nc_{part}_{level}"] / p[f"np_{part}_{other}"] for part in ("leaf", "wood", "root")])
        ratios[level] = _litter(p, plant, 1.0 / (p["cn_structural"] * p["np_structural"]))
    soil = [p["cn_microbial"] * p["np_microbial"], *2 * [p["cn_soil"] * p["np_slow"]]]
    slope = p["sorption_most"] / (p["sorption_half"] + p["labile"])
    fixing, release = p["fixing_p"] * p["k_soil"], p["release_p"] * p["k_soil"]
    K = np.array([slope * EXCHANGE + p["leaching_p"], EXCHANGE + fixing, release])
    A = np.eye(3)
    A[1, 0], A[0, 1], A[2, 1], A[0, 2] = -slope * EXCHANGE / K[0], -EXCHANGE / K[1], -fixing / K[1], -1.0
    mineral = MatrixModel(("labile P", "sorbed P", "occluded P"), A=A, K=K, B=np.eye(3)[0])
    return Element(
        "P", np.concatenate([1.0 / ratios["most"], soil]), mineral, p["supply_p"] * np.eye(3)[0], p["half_p"],
        c_to_e_scarce=np.concatenate([1.0 / ratios["least"], soil]), ways=Ways(resorbed=_resorbed(p)),
    )


def casa_cnp(theta: ArrayLike | None = None, coupling: str = "flexible") -> NutrientModel:
    """Carbon with nitrogen and phosphorus.

    Parameters
    ----------
    theta : array_like (59,), optional
        In the order of `PARAMETERS`; deciduous needleleaf forest if not given.
    coupling : {"flexible", "limited", "fixed"}
        Flexible as in the model: ratios between their least and their most.

    Examples
    --------
    Mineral nitrogen is not supply over leaching, since a part of what is mineralised is lost as gas:

    >>> land = casa_cnp()
    >>> rest = land.steady_state(GROWTH)
    >>> n = land.elements[0]
    >>> bool(rest.m["N"][0] < n.supply[0] / n.mineral.K[0])
    True
    """
    return NutrientModel(carbon(theta), (nitrogen(theta), phosphorus(theta)), coupling)


def _named(theta: ArrayLike | None) -> dict[str, float]:
    values = PARAMETERS.default if theta is None else as_array(
        "theta", theta, shape=(len(PARAMETERS),), hint="In the order of casa_cnp.PARAMETERS."
    )
    return dict(zip(PARAMETERS.names, values.tolist()))


def _shares(p: dict[str, float]) -> Array:
    """Leaf, wood and root in growth (3,)."""
    return np.array([p["b_leaf"], p["b_wood"], 1.0 - p["b_leaf"] - p["b_wood"]])


def _metabolic(p: dict[str, float]) -> Array:
    """Metabolic share of fallen leaf and root (2,), from their lignin to nitrogen after resorption."""
    fallen = np.array([p["cn_leaf"] / (1 - p["resorbed_leaf"]), p["cn_root"] / (1 - p["resorbed_root"])])
    return np.maximum(0.001, 0.85 - 0.018 * p["lignin"] * fallen)


def _resorbed(p: dict[str, float]) -> Array:
    return np.array([p["resorbed_leaf"], p["resorbed_wood"], p["resorbed_root"], *6 * [0.0]])


def _litter(p: dict[str, float], plant: Array, structural: float) -> Array:
    """Element per carbon of the plant and litter pools (6,): metabolic litter takes what is left over."""
    fallen = plant * (1.0 - _resorbed(p)[:3])
    flux, metabolic = _shares(p)[[0, 2]], _metabolic(p)
    left = (flux * (fallen[[0, 2]] - (1.0 - metabolic) * structural)).sum() / (flux * metabolic).sum()
    if left <= 0:
        raise InputError("Fallen leaves and roots hold less of the element than structural litter needs.")
    return np.array([*plant, left, structural, fallen[1]])
