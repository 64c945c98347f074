"""MIMICS: litter and soil that two kinds of microbes live on.

    dX/dt = B I − A(T) K(X, T) X
    X = (litter: metabolic m, structural s; microbes r, K; soil: physically p, chemically c protected,
         available a)

    K_j = Σ_k V_kj X_k / (H_kj + X_k)       of m, s, a: what both microbes k take    (Michaelis–Menten,
    K_c = Σ_k V_ks X_k / (κ H_ks + X_k)     oxidised, to a                            in reverse)
    K_p = d e^{−1.5 clay}                   desorbed, to a
    K_k = τ_k φ                             microbes die: to p, to c, the rest to a

Of what a microbe takes, the share ε grows and the rest is respired. The copiotroph r grows fast on
metabolic litter, the oligotroph K slowly and with a larger share on all of it.

====== ======================================= ======= ========== ================= ======
symbol meaning                                 shape   unit       code name         source
====== ======================================= ======= ========== ================= ======
V      largest rate, 8·10⁻⁶ e^{5.47 + 0.063 T} (2, 3)  h-1        RATE, FASTER      [2]
       times 10, 2, 10 (r) and 3, 3, 2 (K)
H      half saturation, 10 e^{3.19 + S T}      (2, 3)  mgC cm-3   HALF, SLOPE,      [2]
       over 8, 2, 4 t (r) and 2, 4, 6 t (K)                       EASIER
t      of a: 2 e^{−2 √clay}                    ()      1          TEXTURE           [2]
κ      half saturation of c over that of s     ()      1          PROTECTED         [2]
ε      carbon use efficiency, (m and a, s)     (2, 2)  1          GROWTH            [2]
τ_k    death, a e^{b fm}                       (2,)    h-1        DEATH             [2]
φ      2 √(NPP/100), NPP held in 64 to 144     ()      1          PRODUCTIVE        [2]
--     dead r, K that become p: a e^{b clay}   (2,)    1          TO_PHYSICAL       [2]
--     dead r, K that become c: a e^{b fm}     (2,)    1          TO_CHEMICAL       [2]
d      desorption of p, and its fall with clay (2,)    h-1, 1     DESORBED          [2]
--     input that goes straight to p and c     ()      1          STRAIGHT          [2]
fm     metabolic share of the litter,          ()      1          METABOLIC         [2]
       0.85 − 0.013 lignin/N
====== ======================================= ======= ========== ================= ======

[1] Wieder, Grandy, Kallenbach & Bonan (2014), Biogeosciences 11, 3899–3917, doi 10.5194/bg-11-3899-2014;
    Wieder et al. (2015), Geoscientific Model Development 8, 1789–1808, doi 10.5194/gmd-8-1789-2015.
[2] The authors' numbers for the reverse form, GitHub repository wwieder/MIMICS, commit 9487d36e, file
    parameters_LIDET-MIM-REV.csv; equations as in piersond/MIMICS_STODE, commit edd62ffb, RXEQ.py.

In [1] the half saturation is compared with what is eaten (H + X_j), since 2016 with who eats (H + X_k):
more food is then always eaten in proportion, and twice the microbes eat less than twice as much. A set
of parameters belongs to its form.
Published per hour and mg cm-3; here per year (8,760 h) and g m-3, in 30 cm of soil.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array
from landcarbon.matrix.model import MatrixModel

__all__ = ["DEPTH", "POOLS", "Site", "metabolic_share", "mimics7", "steady_state"]

Array = NDArray[np.float64]

POOLS = (
    "metabolic litter", "structural litter", "microbes r", "microbes K", "physically protected",
    "chemically protected", "available",
)  # fmt: skip
HOURS, PER_MG = 8760.0, 1000.0  # in a year; g m-3 in a mg cm-3
DEPTH = 0.3  # m
# Of r, then of K; each for metabolic litter, structural litter and available soil carbon.
RATE = (8e-6, 5.47, 0.063)
FASTER = ((10.0, 2.0, 10.0), (3.0, 3.0, 2.0))
HALF = (10.0, 3.19)
SLOPE = (0.025, 0.035, 0.025)
EASIER = ((8.0, 2.0, 4.0), (2.0, 4.0, 6.0))
TEXTURE = (2.0, -2.0)
PROTECTED = 6.0
GROWTH = ((0.55, 0.25), (0.75, 0.35))
DEATH = ((5.2e-4, 0.3), (2.4e-4, 0.1))
PRODUCTIVE = (100.0, 0.8, 1.2, 2.0)
TO_PHYSICAL = ((0.3, 1.3), (0.2, 0.8))
TO_CHEMICAL = ((0.1, -3.0), (0.3, -3.0))
DESORBED = (1.5e-5, -1.5)
STRAIGHT = 0.05
METABOLIC = (0.85, 0.013)


@dataclass(frozen=True)
class Site:
    """What MIMICS asks of a place.

    Parameters
    ----------
    npp : float
        Litter that enters [gC m-2 yr-1].
    temperature_c : float
        Of the soil [°C].
    clay : float
        Fraction, 0 to 1.
    metabolic : float
        Metabolic share of the litter, 0 to 1; see `metabolic_share`.

    Raises
    ------
    InputError
        A number outside its range.
    """

    npp: float
    temperature_c: float
    clay: float
    metabolic: float

    def __post_init__(self) -> None:
        as_array("npp", self.npp, lower=0.0, strict=True, hint="In gC m-2 yr-1.")
        as_array("temperature_c", self.temperature_c, lower=-60.0, upper=60.0, hint="It is in °C.")
        as_array("clay", self.clay, lower=0.0, upper=1.0, hint="Give a fraction, not percent.")
        as_array("metabolic", self.metabolic, lower=0.0, upper=1.0)
        physical, chemical, _ = _fates(self)
        if np.any(physical + chemical > 1):
            raise InputError(
                f"With {self.clay:.0%} clay more than all dead microbes would become protected: the curves "
                "of clay do not hold so far. Soils above 70 % clay are out of reach."
            )

    @property
    def inputs(self) -> Array:
        """Metabolic and structural litter (2,) [gC m-3 yr-1]."""
        return np.array([self.metabolic, 1 - self.metabolic]) * self.npp / DEPTH


def metabolic_share(lignin_to_nitrogen: ArrayLike) -> Array:
    """Metabolic share of litter (...) from its lignin over nitrogen, by mass.

    Examples
    --------
    >>> metabolic_share([12.0, 30.0])
    array([0.694, 0.46 ])
    """
    ratio = as_array("lignin_to_nitrogen", lignin_to_nitrogen, lower=0.0)
    return np.asarray(METABOLIC[0] - METABOLIC[1] * ratio, dtype=np.float64)


def mimics7(X: ArrayLike, site: Site) -> MatrixModel:
    """The matrices as they are while the pools are X.

    Parameters
    ----------
    X : array_like (..., 7)
        Carbon in each pool [gC m-3], not negative.
    site : Site

    Returns
    -------
    MatrixModel
        Seven pools, rates per year; two inputs [gC m-3 yr-1], metabolic and structural litter.

    Raises
    ------
    InputError
        A state below 0 or of another shape.

    Examples
    --------
    >>> place = Site(npp=372.0, temperature_c=7.1, clay=0.15, metabolic=0.385)
    >>> X = steady_state(place)
    >>> m = mimics7(X, place)
    >>> bool(np.abs(m.derivative(X, place.inputs)).max() < 1e-6)
    True
    >>> print(f"{X.sum() * DEPTH / 1000:.1f} kgC m-2 in 30 cm, {X[2:4].sum() / X.sum():.1%} microbes")
    5.7 kgC m-2 in 30 cm, 1.1% microbes
    """
    X = as_array("X", X, shape=(7,), lower=0.0, hint=f"{', '.join(POOLS)}.")
    V, H = _kinetics(site)
    microbes = X[..., 2:4]
    # How fast microbe k empties substrate j, (..., k, j), and chemically protected carbon, (..., k)
    taken = V * microbes[..., None] / (H + microbes[..., None])
    oxidised = V[:, 1] * microbes / (PROTECTED * H[:, 1] + microbes)
    rates = taken.sum(axis=-2)
    share = taken / np.where(rates > 0, rates, 1.0)[..., None, :]
    growth = np.array(GROWTH)[:, [0, 1, 0]]
    f = np.zeros((*X.shape[:-1], 7, 7))
    f[..., 2:4, [0, 1, 6]] = growth * share
    f[..., 6, [4, 5]] = 1.0
    physical, chemical, death = _fates(site)
    f[..., 4, 2:4], f[..., 5, 2:4], f[..., 6, 2:4] = physical, chemical, 1 - physical - chemical
    K = np.empty(X.shape)
    K[..., [0, 1, 6]], K[..., 2:4] = rates, death
    K[..., 4] = DESORBED[0] * np.exp(DESORBED[1] * site.clay)
    K[..., 5] = oxidised.sum(axis=-1)
    B = np.zeros((7, 2))
    B[[0, 1], [0, 1]], B[[4, 5], [0, 1]] = 1 - STRAIGHT, STRAIGHT
    return MatrixModel(POOLS, A=np.eye(7) - f, K=K * HOURS, B=np.broadcast_to(B, (*X.shape[:-1], 7, 2)))


def steady_state(site: Site) -> Array:
    """The state (7,) [gC m-3] at which nothing changes, by Newton steps in the logarithms of the pools.

    Raises
    ------
    InputError
        No such state was found: one kind of microbe dies out, or litter piles up.
    """
    from scipy.optimize import least_squares

    I = site.inputs  # noqa: E741
    model_at = lambda z: mimics7(np.exp(z), site)  # noqa: E731
    start = np.log(np.array([800.0, 4000.0, 60.0, 150.0, 5000.0, 5000.0, 3000.0]))
    for scale in (1.0, 0.3, 3.0):
        found = least_squares(
            lambda z: model_at(z).derivative(np.exp(z), I) / I.sum(), start + np.log(scale),
            xtol=1e-15, ftol=1e-15, gtol=1e-15, bounds=(-20.0, 20.0),
        )  # fmt: skip
        if found.cost < 1e-18:
            return np.asarray(np.exp(found.x), dtype=np.float64)
    raise InputError(
        "No state was found in which both kinds of microbes live: litter may be too little, or the soil "
        "too cold, for one of them."
    )


def _kinetics(site: Site) -> tuple[Array, Array]:
    """V [h-1] and H [gC m-3] of r and K (2) for metabolic litter, structural litter, available carbon (3)."""
    T = site.temperature_c
    V = RATE[0] * np.exp(RATE[1] + RATE[2] * T) * np.array(FASTER)
    easier = np.array(EASIER)
    easier[:, 2] *= TEXTURE[0] * np.exp(TEXTURE[1] * np.sqrt(site.clay))
    return V, HALF[0] * np.exp(HALF[1] + np.array(SLOPE) * T) / easier * PER_MG


def _fates(site: Site) -> tuple[Array, Array, Array]:
    """Shares of dead r and K that become p and c (2,), and the rates at which they die [h-1]."""
    def of(pairs: tuple[tuple[float, float], ...], x: float) -> Array:
        a, b = np.array(pairs).T
        return np.asarray(a * np.exp(b * x), dtype=np.float64)

    usual, low, high, factor = PRODUCTIVE
    lively = factor * np.clip(np.sqrt(site.npp / usual), low, high)
    return of(TO_PHYSICAL, site.clay), of(TO_CHEMICAL, site.metabolic), of(DEATH, site.metabolic) * lively
