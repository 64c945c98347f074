r"""Vegetation carbon of CLM5 as a matrix, and one equation for plants and soil together.

    d  ⎛ X_plant ⎞   ⎛ B ⎞         ⎛  A_plant     0    ⎞ ⎛ K_plant X_plant ⎞   ⎛    0     ⎞
    ── ⎜         ⎟ = ⎜   ⎟ NPP  −  ⎜                   ⎟ ⎜                 ⎟ − ⎜          ⎟
    dt ⎝ X_soil  ⎠   ⎝ 0 ⎠         ⎝ −litter    A_soil ⎠ ⎝ ξ K_soil X_soil ⎠   ⎝ V X_soil ⎠

Six tissues (leaf, fine root, live and dead stem, live and dead coarse root), each as what stands there,
what is stored and what is on its way from store to tissue: 18 pools. With the soil's 140 there are 158.

    growth of  leaf : fine root : stem : coarse root  =  1 : a₁ : a₃ : a₂ a₃,     a₄ of the wood is live

    a₃ = 2.7 / (1 + e^{−0.004 (NPP − 300)}) − 0.4     for trees; more wood where more grows

====== ==================================================== ======= ====== ================
symbol meaning                                              shape   unit   code name
====== ==================================================== ======= ====== ================
a₁     fine root per leaf                                   ()      1      root_per_leaf
a₂     coarse root per stem                                 ()      1      coarse_per_stem
a₃     stem per leaf [1, 4]                                 ()      1      stem_per_leaf
a₄     live part of new wood                                ()      1      live_wood
f_cur  growth that is displayed at once: evergreen 1,       ()      1      displayed
       deciduous 0, whose growth is stored for next year
f_s    of the store, what is made ready each year           ()      1      made_ready
t_on   days in which that becomes tissue                    ()      d      onset_days
τ_leaf longevity of leaves and fine roots                   ()      yr     leaf_longevity
k_live live wood that turns dead                            ()      yr-1   wood_turnover
m      whole plants that die                                ()      yr-1   mortality
l      litter of each pool that is cwd, litter 1, 2 and 3:  (4, 18) 1      LITTER
       leaf and fine root 0, ¼, ½, ¼ [5]; wood all cwd and
       stores all litter 1 [3]
====== ==================================================== ======= ====== ================

[1] CLM5 technical note, chapter on allocation (GitHub repository ESCOMP/CTSM, commit 1e1c60e0).
[2] The same, phenology and turnover (commit 03bf03da).
[3] The same, plant mortality (commit 00edc6ac): constant in CLM5, by plant type in later versions.
[4] In the technical note the bracket of a₃ closes elsewhere; the model's code has NPP − 300, as here.
[5] The three fractions as in the default parameters of FATES, the other vegetation of the same code.

That vegetation and soil of CLM5 are one matrix equation: Lu et al. (2020), doi 10.1029/2020MS002105. The
rates of `Plant.model` are those of a mean year: what CLM5 does within weeks of spring and autumn, its pools
do all year round, f_s of the store a year and 365/t_on of what is ready. `Plant.seasons` has spring and
autumn. Growth respiration, nitrogen, fire and harvest are left out.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.errors import InputError, as_array, as_kind, as_number
from landcarbon.matrix.model import MatrixModel
from landcarbon.models.clm5 import POOLS as SOIL_POOLS
from landcarbon.models.parameters import Parameter, ParameterTable

__all__ = ["DECIDUOUS", "EVERGREEN", "LITTER", "PARAMETERS", "POOLS", "TISSUES", "Plant", "ecosystem", "stem_per_leaf"]

Array = NDArray[np.float64]

TISSUES = ("leaf", "fine root", "live stem", "dead stem", "live coarse root", "dead coarse root")
POOLS = tuple(f"{tissue}{kind}" for kind in ("", " store", " ready") for tissue in TISSUES)
DAYS = 365.0
OFFSET_DAYS = 15.0
LEFT = 1e-3  # of the leaves, when autumn is over

PARAMETERS = ParameterTable(
    Parameter(*row)
    for row in (
        ("displayed", "1", 0.0, 1.0, 1.0, "[1]; 0 if deciduous", "growth that is displayed at once"),
        ("leaf_longevity", "yr", 0.3, 10.0, 3.0, "for teaching", "longevity of leaves and fine roots"),
        ("root_per_leaf", "1", 0.2, 3.0, 1.0, "[1]", "new fine root per new leaf"),
        ("coarse_per_stem", "1", 0.1, 0.6, 0.3, "[1]", "new coarse root per new stem"),
        ("live_wood", "1", 0.0, 1.0, 0.1, "[1]", "live part of new wood"),
        ("made_ready", "1", 0.1, 0.95, 0.5, "[2]", "of the store, what is made ready each year"),
        ("onset_days", "d", 5.0, 90.0, 30.0, "[2]", "days in which that becomes tissue"),
        ("wood_turnover", "yr-1", 0.1, 2.0, 0.7, "[2]", "live wood that turns dead"),
        ("mortality", "yr-1", 0.005, 0.1, 0.02, "[3]", "whole plants that die"),
    )
)
"""Numbers of an evergreen tree; the bounds are wide and chosen by this course."""
_DEFAULT = {row.name: row.default for row in PARAMETERS}

LITTER = np.zeros((4, len(POOLS)))
"""Of what leaves each plant pool as litter, the part that is cwd, litter 1, litter 2 and litter 3 (4, 18)."""
LITTER[1:, :2] = np.array([0.25, 0.5, 0.25])[:, None]
LITTER[0, 2:6] = 1.0
LITTER[1, 6:] = 1.0


def stem_per_leaf(npp: ArrayLike) -> Array:
    """a₃ of trees [1] by the NPP of the year [gC m-2 yr-1].

    Examples
    --------
    >>> stem_per_leaf([0.0, 300.0, 1000.0]).round(3)
    array([0.225, 0.95 , 2.145])
    """
    grown = as_array("npp", npp, lower=0.0)
    return np.asarray(2.7 / (1.0 + np.exp(-0.004 * (grown - 300.0))) - 0.4)


@dataclass(frozen=True)
class Plant:
    """One kind of tree, by the numbers of the table.

    Examples
    --------
    >>> trees = EVERGREEN.model(npp=600.0)
    >>> for pool, carbon in zip(trees.pools[:4], trees.steady_state(600.0)):
    ...     print(f"{pool:10s}{carbon:7.0f} gC m-2")
    leaf          406 gC m-2
    fine root     406 gC m-2
    live stem      33 gC m-2
    dead stem   11995 gC m-2
    """

    displayed: float = _DEFAULT["displayed"]
    leaf_longevity: float = _DEFAULT["leaf_longevity"]
    root_per_leaf: float = _DEFAULT["root_per_leaf"]
    coarse_per_stem: float = _DEFAULT["coarse_per_stem"]
    live_wood: float = _DEFAULT["live_wood"]
    made_ready: float = _DEFAULT["made_ready"]
    onset_days: float = _DEFAULT["onset_days"]
    wood_turnover: float = _DEFAULT["wood_turnover"]
    mortality: float = _DEFAULT["mortality"]

    def __post_init__(self) -> None:
        for name in ("displayed", "live_wood"):
            as_array(name, getattr(self, name), lower=0.0, upper=1.0, hint="It is a fraction.")
        as_array("made_ready", self.made_ready, lower=0.0, upper=1.0 - 1e-9, hint="A part of the store, less than all.")
        for name in ("leaf_longevity", "onset_days", "mortality"):
            as_array(name, getattr(self, name), lower=0.0, strict=True)
        for name in ("root_per_leaf", "coarse_per_stem", "wood_turnover"):
            as_array(name, getattr(self, name), lower=0.0)

    def shares(self, npp: float) -> Array:
        """Of the growth, the part of each tissue (6,)."""
        stem = float(stem_per_leaf(as_number("npp", npp)))
        live, coarse = self.live_wood, self.coarse_per_stem * stem
        each = np.array([1.0, self.root_per_leaf, live * stem, (1 - live) * stem, live * coarse, (1 - live) * coarse])
        return np.asarray(each / each.sum())

    def model(self, npp: float) -> MatrixModel:
        """The 18 pools; their input is NPP, and NPP says how much of it is wood.

        Parameters
        ----------
        npp : float
            [gC m-2 yr-1]

        Returns
        -------
        MatrixModel
        """
        return self._rates(npp, 1.0 / self.leaf_longevity, -math.log1p(-self.made_ready))

    def seasons(
        self, npp: float, step: float, spring: float = 110 / DAYS, autumn: float = 280 / DAYS
    ) -> Callable[[float], MatrixModel]:
        """The 18 pools of a deciduous tree through the year: buds open in spring, leaves fall in autumn.

        From `spring` on, for `onset_days`, f_s of what is stored is made ready; from `autumn` on, for
        15 days [2], leaves and fine roots fall, all but a thousandth. Outside these days neither moves,
        and `leaf_longevity` is not used.

        Parameters
        ----------
        npp : float
            Of the year [gC m-2 yr-1]; when in the year it comes is said by the input of the run.
        step : float
            Length of the steps of the run [yr], above 0, at most 1. Rates are means over a step, so a
            season passes on the same share whatever its length.
        spring, autumn : float
            When they begin [yr], as parts of a year from 0 to 1.

        Returns
        -------
        callable
            Time [yr] → MatrixModel, for the step with this time in its middle.

        Raises
        ------
        InputError
            A step or a day outside the year.

        Examples
        --------
        >>> from landcarbon.matrix.simulate import simulate
        >>> weeks = np.arange(0, 40 * 52 + 1) / 52
        >>> run = simulate(DECIDUOUS.seasons(600.0, step=1 / 52), weeks, np.zeros(18), I=600.0)
        >>> run.X.sel(pool="leaf")[-52::13].values.round(1)     # January, April, July, October
        array([  0.6,   0.6, 123.6,  97. ])
        """
        step = as_number("step", step, lower=0.0, strict=True, upper=1.0, hint="In years, such as 1 / 52.")
        spring, autumn = (
            as_number(name, day, lower=0.0, upper=1.0, hint="A part of a year.")
            for name, day in (("spring", spring), ("autumn", autumn))
        )
        opened, shed = -math.log1p(-self.made_ready), -math.log(LEFT)

        def at(time: float) -> MatrixModel:
            on = _within(time, step, spring, self.onset_days / DAYS) / step
            off = _within(time, step, autumn, OFFSET_DAYS / DAYS) / step
            return self._rates(npp, shed * off, opened * on)

        return at

    def _rates(self, npp: float, fall: float, opening: float) -> MatrixModel:
        """The pools when leaves and fine roots fall, and stores are made ready, at these rates [yr-1]."""
        passed = np.zeros((18, 18))  # rate from pool to pool
        passed[3, 2] = passed[5, 4] = self.wood_turnover
        for k in range(6):
            passed[12 + k, 6 + k] = opening
            passed[k, 12 + k] = DAYS / self.onset_days
        K = passed.sum(axis=0) + self.mortality
        K[:2] += fall
        grown = self.shares(npp)
        B = np.concatenate([self.displayed * grown, (1 - self.displayed) * grown, np.zeros(6)])
        return MatrixModel(POOLS, A=np.eye(18) - passed / K, K=K, B=B)


def _within(time: float, step: float, begin: float, length: float) -> float:
    """How long a season that comes each year lasts within the step about `time`, as a share of it all."""
    first, last = time - step / 2 - begin, time + step / 2 - begin

    def passed(t: float) -> float:
        return math.floor(t) + min((t % 1.0) / length, 1.0)

    return passed(last) - passed(first)


EVERGREEN = Plant()
"""An evergreen tree; leaves of three years are a choice of this course."""
DECIDUOUS = dataclasses.replace(EVERGREEN, displayed=0.0, leaf_longevity=0.5)
"""A deciduous tree; leaves of half a year are a choice of this course."""


def ecosystem(plants: MatrixModel, soil: LayeredModel, b: ArrayLike) -> MatrixModel:
    """Plants and a soil column as one model of stocks, whose only input is that of the plants.

    Parameters
    ----------
    plants : MatrixModel
        The 18 pools, see `Plant.model`.
    soil : LayeredModel
        One column of CLM5 or CLM4.5, with its climate in K.
    b : array_like (7, L)
        Litter into the column [gC m-3 yr-1], as `clm5.column` gives it; only how it is spread over
        the depth is used, how much there is comes from the plants.

    Returns
    -------
    MatrixModel
        18 + 7·L pools [gC m-2]; soil pools are named 'pool[layer]'.

    Raises
    ------
    InputError
        Other pools, more than one column, litter pools that get none.

    Examples
    --------
    >>> import numpy as np
    >>> from landcarbon.models import clm5
    >>> weather = clm5.Forcing(np.full((20, 12), 283.0), np.full((20, 12), 0.6), [1.0, 1.0, 1.0, 1.0])
    >>> land = ecosystem(EVERGREEN.model(600.0), *clm5.column(clm5.PARAMETERS.default, weather))
    >>> land.n, bool(np.isclose(land.respiration(land.steady_state(600.0)).sum(), 600.0))
    (158, True)
    """
    as_kind("plants", plants, MatrixModel)
    as_kind("soil", soil, LayeredModel)
    if plants.pools != POOLS or tuple(soil.pools) != SOIL_POOLS:
        raise InputError("plants must have the 18 pools of Plant.model, and soil the seven of clm5.column.")
    if soil.shape or plants.A.ndim > 2 or plants.K.ndim > 1:
        raise InputError("Join one stand of plants and one column at a time: give models without leading axes.")
    L = len(soil.layers)
    spread = as_array("b", b, shape=(7, L), lower=0.0)[:4] * soil.layers.thickness
    if np.any(spread.sum(axis=1) <= 0):
        raise InputError("b says how litter is spread over the depth; a row of cwd or litter 1 to 3 is empty.")
    spread = spread / spread.sum(axis=1, keepdims=True)
    flat, _ = soil.as_matrix_model(b)
    n = plants.n + flat.n
    A, V = np.zeros((n, n)), np.zeros((n, n))
    A[:18, :18], A[18:, 18:] = plants.A, flat.A
    litter = LITTER * plants.respired_fraction  # all that leaves plants for good, by the pool that gets it
    A[18 : 18 + 4 * L, :18] = -(spread[:, :, None] * litter[:, None, :]).reshape(4 * L, 18)
    if flat.V is not None:
        V[18:, 18:] = flat.V
    B = np.concatenate([plants.B, np.zeros(flat.n)])
    return MatrixModel((*plants.pools, *flat.pools), A=A, K=np.concatenate([plants.K, flat.K]), B=B, V=V)
