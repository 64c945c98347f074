"""Temperature and moisture scalars that go by a name: formula, source and a value to test with.

    ξ = f(T)          twelve of temperature [°C]                    TEMPERATURE["Kirschbaum"](10.0)
    ξ = f(W)          ten of water, each in its own measure         MOISTURE["Skopp"](0.6)

====== ======================================== ===== ====== =======================
symbol meaning                                  shape unit   code name
====== ======================================== ===== ====== =======================
ξ      scalar that multiplies turnover rates    (...) 1      Scalar.__call__
T      temperature                              (...) °C     the first argument
W      water: volumetric, share of pores, of    (...) 1, %   the first argument, as
       saturation, rain over evaporation …                   `Scalar.of` says
a, b … parameters of a curve, to be changed by  ()    own    keywords
       their names
====== ======================================== ===== ====== =======================

The formulas are those of table 2 in Sierra et al. (2015), doi 10.1002/2014MS000358, and of SoilR's
functions fT.* and fW.* (GitHub repositories cran/SoilR, commit f4de208a, and MPIBGC-TEE/SoilR, commit
17514f95), where `Scalar.soilr` gives the name. They are not brought to one reference: ξ is 1 at 10 °C in
one, at 20 or 35 °C in another, and never in a third. Divide by the value at a temperature of your
choice before comparing them.

Each has one value by which it can be known, taken from the curve itself (its optimum, its reference,
its asymptote), which the tests hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix import response
from landcarbon.matrix.errors import InputError, as_array

__all__ = ["MOISTURE", "TEMPERATURE", "Scalar"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scalar:
    """A curve with a name.

    Parameters
    ----------
    name, soilr : str
        Author or model, and what SoilR calls it.
    formula : str
    of : str
        What the first argument is, with its unit.
    source : str
    known : tuple of float
        An argument, and the value there.
    curve : callable
        ``curve(x, **parameters)``, with a default for each parameter.
    domain : tuple of float
        The range in which the curve means something.

    Examples
    --------
    >>> TEMPERATURE["Kirschbaum"]([0.0, 36.9]).round(3)
    array([0.023, 1.   ])
    >>> print(TEMPERATURE["Demeter"].formula)
    exp(ln(Q10) / 10 · (T − 20))
    """

    name: str
    soilr: str
    formula: str
    of: str
    source: str
    known: tuple[float, float]
    curve: Callable[..., Array]
    domain: tuple[float, float] = (-100.0, 100.0)

    def __call__(self, x: ArrayLike, **parameters: Any) -> Array:
        """ξ (...), the parameters changed by name.

        Raises
        ------
        InputError
            An argument outside the domain, a parameter that the curve does not have.
        """
        low, high = self.domain
        x = as_array(self.of, x, lower=low, upper=high, hint=f"The argument of {self.name}.")
        try:
            return np.asarray(self.curve(x, **parameters), dtype=np.float64)
        except TypeError:
            code = self.curve.__code__
            known = ", ".join(code.co_varnames[1 : code.co_argcount]) or "no parameters"
            raise InputError(
                f"{self.name} has {known}, not {', '.join(sorted(parameters))}: {self.formula}."
            ) from None


def _century1(T: Array, warmest: float = 45.0, optimum: float = 35.0) -> Array:
    u = np.maximum(warmest - T, 0.0) / (warmest - optimum)
    return np.asarray(u**0.2 * np.exp(0.2 / 2.63 * (1 - u**2.63)))


def _century2(T: Array, warmest: float = 45.0, optimum: float = 35.0) -> Array:
    u = np.maximum(warmest - T, 0.0) / (warmest - optimum)
    return np.asarray(3.439423 * np.exp(0.2 / 2.63 * (1 - u**2.63) * u**0.2))


def _standcarb(T: Array, optimum: float = 45.0, lag: float = 4.0, shape: float = 15.0, q10: float = 2.0) -> Array:
    hot = np.exp(-((np.maximum(T, 0.0) / (optimum + lag)) ** shape))
    return np.asarray(hot * response.q10(T, q10, 10.0))


def _rothc(T: Array) -> Array:
    return np.where(T > -18.3, 47.9 / (1 + np.exp(106 / np.maximum(T + 18.3, 0.15))), 0.0)


def _arrhenius(T: Array, activation: float = 75e3, reference: float = 15.0) -> Array:
    return response.arrhenius(T + response.FREEZING, activation, reference + response.FREEZING)


def _daycent_pores(
    w: Array, a: float = 0.6, b: float = 1.27, c: float = 0.0012, d: float = 2.84
) -> Array:
    inside = np.clip(w, c, b)
    return np.asarray(((inside - b) / (a - b)) ** (d * (b - a) / (a - c)) * ((inside - c) / (a - c)) ** d)


def _standcarb_water(
    w: Array, least: float = 30.0, most: float = 350.0, matric: float = 5.0, diffusion: float = 15.0, lag: float = 4.0
) -> Array:
    return np.asarray((1 - np.exp(-3 / least * w)) ** matric * np.exp(-((w / (most + lag)) ** diffusion)))


def _skopp(w: Array, a: float = 2.0, b: float = 2.0, f: float = 1.3, g: float = 0.8) -> Array:
    return np.minimum(a * w**f, b * (1 - w) ** g)


_ADAIR = "Adair et al. (2008), Global Change Biology 14, 2636–2660, doi 10.1111/j.1365-2486.2008.01674.x"
_BURKE = "Burke et al. (2003), in Canham, Cole & Lauenroth (eds), Models in Ecosystem Science, 235–253"
_KELLY = "Kelly et al. (2000), Journal of Geophysical Research 105, 20093–20100, doi 10.1029/2000JD900259"
_GROSSO = "Del Grosso et al. (2005), Biogeochemistry 73, 71–91, doi 10.1007/s10533-004-0898-z"
_FOLEY = "Foley (1995), Tellus B 47, 310–319, doi 10.1034/j.1600-0889.47.issue3.3.x"
_HARMON = "Harmon & Domingo (2001), A users guide to STANDCARB version 2.0, Oregon State University"
_JENKINSON = "Jenkinson et al. (1990), Philosophical Transactions B 329, 361–368, doi 10.1098/rstb.1990.0177"
_BAUER = "Bauer et al. (2008), Geoderma 145, 17–27, doi 10.1016/j.geoderma.2008.01.026"

_CELSIUS = "temperature [°C]"
_ALL = (
    Scalar("Q10", "fT.Q10", "Q10^((T − 10) / 10)", _CELSIUS, "van 't Hoff, as in " + _BAUER, (20.0, 2.0),
           lambda T, q10=2.0: response.q10(T, q10, 10.0)),
    Scalar("Demeter", "fT.Demeter", "exp(ln(Q10) / 10 · (T − 20))", _CELSIUS, _FOLEY, (20.0, 1.0),
           lambda T, q10=2.0: response.q10(T, q10, 20.0)),
    Scalar("Arrhenius", "fT.Arrhenius", "exp(E / R · (1 / T_ref − 1 / T)), T in K", _CELSIUS,
           "Arrhenius (1889); SoilR has a prefactor, here ξ = 1 at T_ref", (15.0, 1.0), _arrhenius),
    Scalar("Lloyd–Taylor", "fT.LandT", "exp(308.56 (1 / 56.02 − 1 / (T + 273.15 − 227.13)))", _CELSIUS,
           "Lloyd & Taylor (1994), Functional Ecology 8, 315–323, doi 10.2307/2389824", (10.0, 1.0),
           lambda T: response.lloyd_taylor(T + response.FREEZING), (-46.0, 100.0)),
    Scalar("Kirschbaum", "fT.KB", "exp(−3.764 + 0.204 T (1 − 0.5 T / 36.9))", _CELSIUS,
           "Kirschbaum (1995), Soil Biology and Biochemistry 27, 753–760, doi 10.1016/0038-0717(94)00242-S",
           (36.9, 0.9998), lambda T: np.exp(-3.764 + 0.204 * T * (1 - 0.5 * T / 36.9))),
    Scalar("RothC", "fT.RothC", "47.9 / (1 + exp(106 / (T + 18.3)))", _CELSIUS, _JENKINSON, (9.25, 1.0005), _rothc),
    Scalar("CENTURY, optimum", "fT.Century1", "u^0.2 exp(0.2 / 2.63 (1 − u^2.63)), u = (45 − T) / 10",
           _CELSIUS, _BURKE, (35.0, 1.0), _century1),
    Scalar("CENTURY, Adair", "fT.Century2", "3.439423 exp(0.2 / 2.63 (1 − u^2.63) u^0.2), u = (45 − T) / 10",
           _CELSIUS, _ADAIR, (35.0, 3.439423), _century2),
    Scalar("DAYCENT, exponential", "fT.Daycent1", "0.08 exp(0.095 T)", _CELSIUS, _KELLY, (0.0, 0.08),
           lambda T, a=0.08, b=0.095: a * np.exp(b * T)),
    Scalar("DAYCENT, arctangent", "fT.Daycent2", "0.56 + 1.46 / π · arctan(0.0309 π (T − 15.7))", _CELSIUS,
           _GROSSO, (15.7, 0.56), lambda T: 0.56 + 1.46 / np.pi * np.arctan(np.pi * 0.0309 * (T - 15.7))),
    Scalar("STANDCARB", "fT.Standcarb", "exp(−(T / 49)^15) · Q10^((T − 10) / 10)", _CELSIUS, _HARMON,
           (10.0, 1.0), _standcarb),
    Scalar("linear", "fT.linear", "0.198306 + 0.036337 T", _CELSIUS, _ADAIR, (0.0, 0.198306),
           lambda T, a=0.198306, b=0.036337: np.maximum(a + b * T, 0.0)),
)  # fmt: skip
_OF_WATER = (
    Scalar("CENTURY", "fW.Century", "1 / (1 + 30 exp(−8.5 W))", "rain over potential evaporation [1]", _ADAIR,
           (np.log(30) / 8.5, 0.5), lambda w: 1 / (1 + 30 * np.exp(-8.5 * w)), (0.0, np.inf)),
    Scalar("DAYCENT, pores", "fW.Daycent1", "((W − b) / (a − b))^(d (b − a) / (a − c)) ((W − c) / (a − c))^d",
           "share of pores that holds water [1]", _KELLY, (0.6, 1.0), _daycent_pores, (0.0, 1.0)),
    Scalar("DAYCENT, arctangent", "fW.Daycent2", "5 (0.287 + arctan(0.009 π (W − 17.47)) / π)",
           "water between wilting point (0) and field capacity (100) [%]", _GROSSO, (17.47, 1.435),
           lambda w: 5 * (0.287 + np.arctan(np.pi * 0.009 * (w - 17.47)) / np.pi), (0.0, 100.0)),
    Scalar("Demeter", "fW.Demeter", "0.25 + 0.75 W", "share of saturation [1]", _FOLEY, (1.0, 1.0),
           lambda w: 0.25 + 0.75 * w, (0.0, 1.0)),
    Scalar("RothC", "fW.RothC", "1 down to W = 0.444, then straight to 0.2 at W = 1",
           "deficit of the topsoil over the largest [1]", _JENKINSON, (1.0, 0.2),
           lambda w: 1 - 0.8 * np.clip((w - 0.444) / 0.556, 0.0, 1.0), (0.0, 1.0)),
    Scalar("STANDCARB", "fW.Standcarb", "(1 − exp(−W / 10))^5 exp(−(W / 354)^15)", "water over dry mass [%]",
           _HARMON, (150.0, 1.0), _standcarb_water, (0.0, np.inf)),
    Scalar("Candy", "fW.Candy", "4 W (1 − W) up to W = 0.5, then 1", "share of pores that holds water [1]",
           _BAUER, (0.25, 0.75), lambda w: np.where(w <= 0.5, 4 * w * (1 - w), 1.0), (0.0, 1.0)),
    Scalar("Gompertz", "fW.Gompertz", "exp(−exp(0.824 − 30.8 W))", "volumetric water [1]",
           "Janssens et al. (2003), in Valentini (ed.), Fluxes of Carbon, Water and Energy of European "
           "Forests, Springer, 235–253", (0.824 / 30.8, np.exp(-1)), lambda w: np.exp(-np.exp(0.824 - 30.8 * w)),
           (0.0, 1.0)),
    Scalar("Moyano", "fW.Moyano", "3.11 W − 2.42 W²", "volumetric water [1]",
           "Moyano et al. (2013), Soil Biology and Biochemistry 59, 72–85, doi 10.1016/j.soilbio.2013.01.002",
           (3.11 / 4.84, 3.11**2 / 9.68), lambda w, a=3.11, b=2.42: a * w - b * w**2, (0.0, 1.0)),
    Scalar("Skopp", "fW.Skopp", "min(2 W^1.3, 2 (1 − W)^0.8)", "share of saturation [1]",
           "Skopp, Jawson & Doran (1990), Soil Science Society of America Journal 54, 1619–1625, "
           "doi 10.2136/sssaj1990.03615995005400060018x", (1.0, 0.0), _skopp, (0.0, 1.0)),
)  # fmt: skip

TEMPERATURE = MappingProxyType({scalar.name: scalar for scalar in _ALL})
"""Twelve curves of temperature, by name."""

MOISTURE = MappingProxyType({scalar.name: scalar for scalar in _OF_WATER})
"""Ten curves of water, by name; what their argument is, `Scalar.of` says."""
