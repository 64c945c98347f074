"""RothC-26.3: carbon of a farmed topsoil in four active pools and an inert one.

    X(t + 1/12) = X(t) − (1 − F) (1 − e^{−ξ K / 12}) X(t) + p        as published, month by month
    dX/dt       = B I − A ξ K X                                       the same rates at once

    F to BIO 0.46 / (1 + x), to HUM 0.54 / (1 + x), from every pool,  x = 1.67 (1.85 + 1.60 e^{−0.0786 clay})
    ξ = a b c,   a = 47.91 / (1 + e^{106.06 / (T + 18.27)}),   b from 1 to 0.2 as the topsoil dries,
                 c = 0.6 under plants, 1 on bare soil

======= ============================================== ===== ======= =================== ======
symbol  meaning                                        shape unit    code name           source
======= ============================================== ===== ======= =================== ======
K       rates of DPM, RPM, BIO, HUM and IOM            (5,)  yr-1    RATES               [1, 2]
DPM/RPM ratio of decomposable to resistant plant       ()    1       DPM_RPM             [1, 2]
        matter in what crops and grass bring
FYM     shares of DPM, RPM and HUM in farmyard manure  (3,)  1       MANURE              [1, 2]
x       CO2 over what is kept, by clay in percent      ()    1       CO2                 [1, 2]
--      of what is kept, the share that turns BIO      ()    1       TO_BIO              [1, 2]
a       scalar of the air's temperature: 47.91,        (12,) 1       TEMPERATURE         [1, 2]
        106.06, 18.27
c       scalar of plant cover                          ()    1       COVER               [1, 2]
--      largest deficit [mm] of 23 cm of topsoil by    (3,)  mm      DEFICIT             [1, 2]
        clay in percent: 20 + 1.3 clay − 0.01 clay²
--      deficit over the largest at which ξ starts to  ()    1       WET, BARE           [1, 2]
        fall, and below which bare soil does not dry
IOM     inert carbon, 0.049 TOC^1.139                  (2,)  tC ha-1 INERT               [3]
======= ============================================== ===== ======= =================== ======

[1] Coleman & Jenkinson (1996), in Powlson, Smith & Smith (eds), Evaluation of Soil Organic Matter
    Models, Springer, 237–246, doi 10.1007/978-3-642-61094-3_17.
[2] The same numbers in the program of Rothamsted Research, GitHub repository
    Rothamsted-Models/RothC_Py, commit 2f289640, file RothC_Py.py.
[3] Falloon, Smith, Coleman & Marshall (1998), Soil Biology and Biochemistry 30, 1207–1211,
    doi 10.1016/S0038-0717(97)00256-3.

Stocks are in tC ha-1 (100 gC m-2), as published. Nothing enters IOM and nothing leaves it: a steady
state leaves it out, and what it holds is to be added.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import as_array, as_number
from landcarbon.matrix.frozen import keep
from landcarbon.matrix.handover import HandOver
from landcarbon.matrix.model import MatrixModel, folded
from landcarbon.matrix.response import as_celsius

__all__ = [
    "EXAMPLE",
    "POOLS",
    "RATES",
    "Field",
    "inert_carbon",
    "rothc5",
    "scalar",
    "topsoil_deficit",
    "transfer",
    "year",
]

Array = NDArray[np.float64]

POOLS = ("DPM", "RPM", "BIO", "HUM", "IOM")
RATES = (10.0, 0.3, 0.66, 0.02, 0.0)
DPM_RPM = 1.44
MANURE = (0.49, 0.49, 0.02)
CO2 = (1.67, 1.85, 1.60, 0.0786)
TO_BIO = 0.46
TEMPERATURE = (47.91, 106.06, 18.27)
COLDEST = -5.0  # °C: nothing decays below
COVER = 0.6
DEFICIT = (20.0, 1.3, -0.01)
DEPTH = 23.0  # cm of topsoil, to which the deficit belongs
PAN = 0.75  # evaporation of soil over that of an open pan
WET, BARE, DRY = 0.444, 0.556, 0.2
INERT = (0.049, 1.139)


def transfer(clay: ArrayLike) -> Array:
    """Fractions of what decays that enter each pool (..., 5, 5), what comes back included.

    Parameters
    ----------
    clay : array_like (...)
        Clay of the topsoil [percent].

    Raises
    ------
    InputError
        Clay outside 0 to 100.

    Examples
    --------
    >>> transfer(13.0)[2:4, 0].round(4)   # of what plant matter loses: BIO, HUM; the rest is CO2
    array([0.0911, 0.1069])
    """
    clay = as_array("clay", clay, lower=0.0, upper=100.0, hint="In percent.")
    scale, base, more, by = CO2
    kept = 1 / (1 + scale * (base + more * np.exp(-by * clay)))
    f = np.zeros((*clay.shape, 5, 5))
    f[..., 2, :4] = (TO_BIO * kept)[..., None]
    f[..., 3, :4] = ((1 - TO_BIO) * kept)[..., None]
    return f


def _brought(dpm_rpm: ArrayLike) -> Array:
    """Shares of the pools in plant matter and in manure (..., 5, 2)."""
    ratio = as_array("dpm_rpm", dpm_rpm, lower=0.0, hint="1.44 for crops, 0.67 for scrub, 0.25 for woods.")
    B = np.zeros((*ratio.shape, 5, 2))
    B[..., 0, 0], B[..., 1, 0] = ratio / (1 + ratio), 1 / (1 + ratio)
    B[..., [0, 1, 3], 1] = MANURE
    return B


def rothc5(clay: ArrayLike, dpm_rpm: ArrayLike = DPM_RPM) -> MatrixModel:
    """RothC as a differential equation: what comes back folded in, handed on at once.

    Parameters
    ----------
    clay : array_like (...)
        [percent]
    dpm_rpm : array_like (...)
        Of the plant matter: 1.44 for crops and improved grass, 0.67 for scrub, 0.25 for woods [1].

    Returns
    -------
    MatrixModel
        Five pools; two inputs [tC ha-1 yr-1], plant matter and farmyard manure.

    Raises
    ------
    InputError
        Clay outside 0 to 100, a negative ratio.

    Examples
    --------
    >>> rothc5(clay=13.0).steady_state([1.74, 0.0], xi=0.42).round(2)
    array([ 0.24,  5.66,  0.71, 27.61,  0.  ])
    """
    A, K = folded(transfer(clay), RATES)
    B = _brought(dpm_rpm)
    lead = np.broadcast_shapes(K.shape[:-1], B.shape[:-2])
    return MatrixModel(
        POOLS, A=A, K=np.broadcast_to(K, (*lead, 5)), B=np.broadcast_to(B, (*lead, 5, 2))
    )


def topsoil_deficit(
    rain: ArrayLike,
    evaporation: ArrayLike,
    clay: float,
    *,
    depth_cm: float = DEPTH,
    covered: ArrayLike = True,
    start: float = 0.0,
) -> Array:
    """Water missing from the topsoil at the end of each month [mm], 0 or below.

    Parameters
    ----------
    rain, evaporation : array_like (T,)
        Of each month [mm]; evaporation from an open pan.
    clay : float
        [percent]
    depth_cm : float
        Of the topsoil [cm].
    covered : bool or array_like of bool (T,)
        Whether plants grow in the month.
    start : float
        Deficit before the first month [mm]. Where winters fill the soil it does not matter.

    Raises
    ------
    InputError
        Months that differ in number, a start above 0.

    Examples
    --------
    Rothamsted, whose table opens the manual; the sixth column of it.

    >>> rain = [74, 59, 62, 51, 52, 57, 34, 55, 58, 56, 75, 71]
    >>> pan = [8, 10, 27, 49, 83, 99, 103, 91, 69, 34, 16, 8]
    >>> topsoil_deficit(rain, pan, clay=23.4).round(2)[4:10]
    array([-10.25, -27.5 , -44.94, -44.94, -38.69,  -8.19])
    """
    clay, start = as_number("clay", clay, lower=0.0, upper=100.0), as_number("start", start, upper=0.0)
    rain = as_array("rain", rain, shape=(None,), lower=0.0, hint="In mm a month.")
    pan = as_array("evaporation", evaporation, shape=rain.shape, hint="One number for each month.")
    under = np.broadcast_to(np.asarray(covered, dtype=bool), rain.shape)
    now = as_number("start", start, upper=0.0, hint="A deficit is 0 or below.")
    most = _largest_deficit(clay, depth_cm)
    found = []
    for gain, plants in zip(rain - PAN * pan, under):
        # Bare soil dries no further than a part of the way, but rain fills it as any other.
        driest = most if plants else min(BARE * most, now)
        now = max(driest, min(0.0, now + gain))
        found.append(now)
    return np.array(found)


def scalar(
    temperature_c: ArrayLike,
    deficit: ArrayLike,
    clay: float,
    *,
    depth_cm: float = DEPTH,
    covered: ArrayLike = True,
) -> Array:
    """ξ of each month, the product of those of temperature, water and cover (T,).

    Parameters
    ----------
    temperature_c : array_like (T,)
        Of the air [°C].
    deficit : array_like (T,)
        From `topsoil_deficit` [mm].
    clay, depth_cm, covered
        As there.

    Raises
    ------
    InputError
        Months that differ in number.

    Examples
    --------
    >>> scalar([9.25, 9.25, -6.0], [0.0, -44.94, 0.0], clay=23.4, covered=False).round(2)
    array([0.99, 0.2 , 0.  ])
    """
    T = as_celsius("temperature_c", temperature_c, shape=(None,))
    D = as_array("deficit", deficit, shape=T.shape, upper=0.0, hint="In mm, 0 or below.")
    most = _largest_deficit(clay, depth_cm)
    top, slope, zero = TEMPERATURE
    warm = np.where(T < COLDEST, 0.0, top / (1 + np.exp(slope / (np.maximum(T, COLDEST) + zero))))
    dried = (D / most - WET) / (1 - WET)
    wet = 1 - (1 - DRY) * np.clip(dried, 0.0, 1.0)
    return warm * wet * np.where(np.broadcast_to(np.asarray(covered, dtype=bool), T.shape), COVER, 1.0)


def year(
    clay: float,
    xi: ArrayLike,
    plants: ArrayLike,
    manure: ArrayLike = 0.0,
    *,
    dpm_rpm: float = DPM_RPM,
) -> HandOver:
    """Months as RothC takes them: each hands over at its end, and then the input falls in.

    Parameters
    ----------
    clay : float
        [percent]
    xi : array_like (T,)
        From `scalar`.
    plants, manure : array_like (T,)
        Input of each month [tC ha-1].
    dpm_rpm : float
        Of the plant matter.

    Returns
    -------
    HandOver
        Its steps are months.

    Raises
    ------
    InputError
        Months that differ in number.

    Examples
    --------
    The example of the published program, which stops after 19,872 months at 0.1455, 5.6781, 0.7406
    and 27.6428 tC ha-1, IOM apart:

    >>> from landcarbon.matrix.spinup import periodic
    >>> periodic(year(EXAMPLE.clay, EXAMPLE.scalar(), EXAMPLE.plants)).X.round(4)
    array([ 0.1455,  5.6781,  0.7406, 27.6429,  0.    ])
    """
    xi = as_array("xi", xi, shape=(None,), lower=0.0, hint="One number for each month.")
    months = len(xi)
    given = [
        np.broadcast_to(as_array(name, value, lower=0.0), (months,))
        if isinstance(value, (int, float))
        else as_array(name, value, shape=(months,), lower=0.0, hint="One number for each month.")
        for name, value in (("plants", plants), ("manure", manure))
    ]
    pulses = np.stack(given, axis=-1) @ _brought(as_number("dpm_rpm", dpm_rpm)).T
    return HandOver(transfer(clay), np.array(RATES), pulses, xi, np.full(months, 1 / 12))


@dataclass(frozen=True)
class Field:
    """A field and its average year: what RothC asks for.

    Parameters
    ----------
    temperature_c, rain, evaporation : array_like (12,)
        Of each month: air [°C], rain and open pan [mm].
    covered : array_like of bool (12,)
        Whether plants grow.
    plants : array_like (12,)
        Plant matter that enters the soil [tC ha-1].
    clay : float
        [percent]
    depth_cm : float
        Of the topsoil [cm].
    inert : float
        IOM [tC ha-1].
    """

    temperature_c: tuple[float, ...]
    rain: tuple[float, ...]
    evaporation: tuple[float, ...]
    covered: tuple[bool, ...]
    plants: tuple[float, ...]
    clay: float
    depth_cm: float = DEPTH
    inert: float = 0.0

    def __post_init__(self) -> None:
        for name, lower in (("temperature_c", None), ("rain", 0.0), ("evaporation", None), ("plants", 0.0)):
            keep(self, **{name: tuple(as_array(name, getattr(self, name), shape=(12,), lower=lower).tolist())})
        for name in ("clay", "depth_cm", "inert"):
            keep(self, **{name: as_number(name, getattr(self, name), lower=0.0)})

    def scalar(self) -> Array:
        """ξ of each month (12,) of a year that repeats."""
        deficit = 0.0 * np.asarray(self.rain)
        for _ in range(2):  # the second year starts as dry as the first one ended
            deficit = topsoil_deficit(
                self.rain, self.evaporation, self.clay,
                depth_cm=self.depth_cm, covered=self.covered, start=float(deficit[-1]),
            )  # fmt: skip
        return scalar(self.temperature_c, deficit, self.clay, depth_cm=self.depth_cm, covered=self.covered)


EXAMPLE = Field(
    temperature_c=(3.73, 3.08, 5.49, 7.4, 10.94, 14.4, 16.28, 16.24, 13.78, 9.51, 6.22, 4.09),
    rain=(52.2, 42.9, 35.2, 52.0, 64.9, 46.3, 63.5, 60.6, 58.8, 63.4, 72.5, 60.9),
    evaporation=(6.6, 17.3, 40.7, 70.5, 103.5, 117.3, 130.1, 106.9, 61.9, 29.5, 8.8, 3.9),
    covered=(True,) * 8 + (False,) + (True,) * 3,
    plants=(0.0,) * 7 + (1.74,) + (0.0,) * 4,
    clay=13.0,
    depth_cm=25.0,
    inert=3.0041,
)
"""The example that comes with the program [2], RothC_input.dat at commit 83ca72a8: the first twelve rows."""


def inert_carbon(total: ArrayLike) -> Array:
    """IOM [tC ha-1] from all carbon of the topsoil [tC ha-1], shape (...).

    Examples
    --------
    >>> inert_carbon([37.1]).round(4)
    array([3.0041])
    """
    total = as_array("total", total, lower=0.0, hint="In tC ha-1.")
    scale, power = INERT
    return np.asarray(scale * total**power, dtype=np.float64)


def _largest_deficit(clay: float, depth_cm: float) -> float:
    clay = as_number("clay", clay, lower=0.0, upper=100.0, hint="In percent.")
    depth_cm = as_number("depth_cm", depth_cm, lower=0.0, strict=True, hint="In cm.")
    return -float(np.polyval(DEFICIT[::-1], clay)) * depth_cm / DEPTH
