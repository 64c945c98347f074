"""Environmental scalars ξ: how fast carbon turns over in this temperature, water and depth.

    q10              ξ = Q10^((T − T_ref) / 10)
    Arrhenius        ξ = exp(E_a / R · (1 / T_ref − 1 / T))
    Lloyd–Taylor     ξ = exp(308.56 · (1 / 56.02 − 1 / (T − 227.13))),  T in K
    CENTURY          ξ = c(T) / c(30),  c(T) = 11.75 + 29.7 / π · arctan(0.031 π (T − 15.4))     [2]
    water potential  ξ = ln(ψ_min / ψ) / ln(ψ_min / ψ_max), held between 0 and 1
    oxygen           ξ = supply / demand, held between a minimum and 1
    depth            ξ = exp(−z / z_e)

====== =================================== ===== ======= ================= ======
symbol meaning                             shape unit    code name         source
====== =================================== ===== ======= ================= ======
T      temperature                         (...) °C or K temperature_c, _k
T_ref  temperature at which ξ = 1          (...) °C or K reference_c, _k
Q10    factor for ten degrees              (...) 1       q10               [1]
E_a    activation energy                   (...) J mol-1 activation_energy
R      gas constant, 8.314462618                 J mol-1 GAS_CONSTANT      CODATA
                                                 K-1
ψ      soil water potential, negative      (...) MPa     potential_mpa     [3]
ψ_min  potential at which decay stops      (...) MPa     driest_mpa        [3]
ψ_max  potential from which ξ = 1          (...) MPa     wettest_mpa       [3]
z      depth below the surface             (...) m       depth             [3]
z_e    e-folding depth                     (...) m       efolding          [3]
====== =================================== ===== ======= ================= ======

[1] Lloyd & Taylor (1994), Functional Ecology 8, 315–323, doi 10.2307/2389824.
[2] The programs CENTURY (since March 2001) and DAYCENT: subroutine tcalc, GitHub repository
    bsulman/INTERFACE-model-experiment-synthesis, commit 4c70417a, Model-code/DAYCENT/SOURCE/tcalc.f; the
    four numbers are those of their file of fixed parameters. Del Grosso et al. (2005) print another
    arctangent, see `landcarbon.matrix.scalars`.
[3] CLM5: Lawrence et al. (2019), doi 10.1029/2018MS001583; technical note, chapter 21.

Scalars of different causes are multiplied: ``xi = q10(...) * water_potential(...)``. Those that go by
the name of a model or an author are in `landcarbon.matrix.scalars`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array, as_broadcast

__all__ = [
    "arrhenius",
    "century_arctangent",
    "century_temperature",
    "depth",
    "lloyd_taylor",
    "oxygen",
    "q10",
    "water_potential",
]

Array = NDArray[np.float64]

GAS_CONSTANT = 8.314462618  # J mol-1 K-1
FREEZING = 273.15  # K

# Lloyd & Taylor (1994), their equation 11: E0, 283.15 K − T0, and T0.
LLOYD_TAYLOR = (308.56, 56.02, 227.13)


def q10(temperature_c: ArrayLike, q10: ArrayLike = 1.5, reference_c: ArrayLike = 25.0) -> Array:
    """Exponential response: ten degrees more multiply the rate by Q10.

    Parameters
    ----------
    temperature_c : array_like (...)
        Temperature [°C].
    q10 : array_like (...)
        Factor for ten degrees, above 0. CLM5 uses 1.5, also below freezing.
    reference_c : array_like (...)
        Temperature at which ξ = 1 [°C]; 25 °C in CLM5.

    Returns
    -------
    ndarray (...)
        ξ, above 0.

    Raises
    ------
    InputError
        A Q10 that is not above 0, a temperature that looks like kelvin.

    Examples
    --------
    >>> q10([15.0, 25.0, 35.0], q10=2.0)
    array([0.5, 1. , 2. ])
    """
    T, T_ref = as_celsius("temperature_c", temperature_c), as_celsius("reference_c", reference_c)
    factor = as_array("q10", q10, lower=0.0, strict=True, hint="Q10 is about 1.5 to 3 for soils.")
    return factor ** ((T - T_ref) / 10.0)


def arrhenius(
    temperature_k: ArrayLike, activation_energy: ArrayLike, reference_k: ArrayLike = 298.15
) -> Array:
    """Arrhenius response with one activation energy.

    Parameters
    ----------
    temperature_k : array_like (...)
        Temperature [K].
    activation_energy : array_like (...)
        E_a [J mol-1], not negative; 50,000 is a usual order.
    reference_k : array_like (...)
        Temperature at which ξ = 1 [K].

    Returns
    -------
    ndarray (...)
        ξ, above 0.

    Raises
    ------
    InputError
        A negative activation energy, a temperature that looks like °C.

    Examples
    --------
    >>> arrhenius([288.15, 298.15], 50_000.0).round(3)
    array([0.497, 1.   ])
    """
    T, T_ref = _kelvin("temperature_k", temperature_k), _kelvin("reference_k", reference_k)
    as_broadcast(temperature_k=T, activation_energy=activation_energy, reference_k=T_ref)
    energy = as_array("activation_energy", activation_energy, lower=0.0, hint="Give J mol-1.")
    return np.exp(energy / GAS_CONSTANT * (1.0 / T_ref - 1.0 / T))


def lloyd_taylor(temperature_k: ArrayLike, reference_k: ArrayLike = 283.15) -> Array:
    """Response of soil respiration after Lloyd and Taylor (1994): a Q10 that falls with warmth.

    Parameters
    ----------
    temperature_k : array_like (...)
        Temperature [K], above 227.13 K (where ξ goes to 0).
    reference_k : array_like (...)
        Temperature at which ξ = 1 [K]; 283.15 K (10 °C) in the paper.

    Returns
    -------
    ndarray (...)
        ξ, above 0.

    Raises
    ------
    InputError
        A temperature of 227.13 K or less, or one that looks like °C.

    Notes
    -----
    Functional Ecology 8, 315–323, doi 10.2307/2389824.

    Examples
    --------
    >>> lloyd_taylor([273.15, 283.15, 293.15]).round(2)
    array([0.3, 1. , 2.3])
    """
    E0, gap, T0 = LLOYD_TAYLOR
    T, T_ref = _kelvin("temperature_k", temperature_k), _kelvin("reference_k", reference_k)
    for name, value in (("temperature_k", T), ("reference_k", T_ref)):
        as_array(name, value, lower=T0, strict=True, hint="The formula ends at 227.13 K.")
    from_10c = np.exp(E0 * (1.0 / gap - 1.0 / (T - T0)))
    return from_10c / np.exp(E0 * (1.0 / gap - 1.0 / (T_ref - T0)))


def century_temperature(temperature_c: ArrayLike, minimum: float = 0.01) -> Array:
    """Arctangent response of CENTURY and DAYCENT, 1 at 30 °C.

    Parameters
    ----------
    temperature_c : array_like (...)
        Soil temperature [°C].
    minimum : float
        Smallest ξ. The arctangent falls below 0 under about −10 °C; the published code holds it
        at 0.01.

    Returns
    -------
    ndarray (...)
        ξ, from `minimum` to 1.28, the limit for great heat.

    Raises
    ------
    InputError
        A temperature that looks like kelvin, a minimum outside 0 to 1.

    Notes
    -----
    ``tcalc`` of the programs [2]: inflection at 15.4 °C and 11.75, range 29.7, slope 0.031, divided by
    its value at 30 °C. CENTURY had an exponential before 2001 and a curve with an optimum before 1995.
    The arctangent that Del Grosso et al. (2005), doi 10.1007/s10533-004-0898-z, print for DAYCENT has
    other numbers and no floor: 0.56 + 1.46 / π · arctan(0.0309 π (T − 15.7)), which is 0.9999 at 30 °C.

    Examples
    --------
    >>> century_temperature([-30.0, 15.4, 30.0]).round(3)
    array([0.01 , 0.565, 1.   ])
    """
    T = as_celsius("temperature_c", temperature_c)
    floor = as_array("minimum", minimum, lower=0.0, upper=1.0)
    return np.maximum(floor, century_arctangent(T) / century_arctangent(np.array(30.0)))


def water_potential(
    potential_mpa: ArrayLike, driest_mpa: ArrayLike = -2.0, wettest_mpa: ArrayLike = -0.002
) -> Array:
    """Response to soil water potential as in CLM: logarithmic between dry and wet.

    Parameters
    ----------
    potential_mpa : array_like (...)
        Soil water potential ψ [MPa], below 0.
    driest_mpa : array_like (...)
        ψ_min [MPa]: ξ = 0 here and below. CLM5: −2 MPa; CLM4.5: −10 MPa.
    wettest_mpa : array_like (...)
        ψ_max [MPa]: ξ = 1 here and above. CLM5: −0.002 MPa; it lies above `driest_mpa`.

    Returns
    -------
    ndarray (...)
        ξ from 0 to 1.

    Raises
    ------
    InputError
        Potentials that are not negative, ψ_min not below ψ_max.

    Notes
    -----
    Andrén & Paustian (1987), doi 10.2307/1939203; CLM5 technical note, chapter 21.
    The defaults are those of the parameter file of CLM5.

    Examples
    --------
    >>> water_potential([-20.0, -1.0, -0.01], driest_mpa=-10.0, wettest_mpa=-0.1)
    array([0. , 0.5, 1. ])
    """
    psi = _negative("potential_mpa", potential_mpa)
    dry, wet = _negative("driest_mpa", driest_mpa), _negative("wettest_mpa", wettest_mpa)
    if np.any(dry >= wet):
        raise InputError(
            f"driest_mpa ({np.max(dry):g}) must lie below wettest_mpa ({np.min(wet):g}): "
            "drier soil has the more negative potential. Swap them?"
        )
    # CLM defines the ends: no decay below the driest, no further gain above the wettest potential.
    return np.clip(np.log(dry / psi) / np.log(dry / wet), 0.0, 1.0)


def oxygen(supply_over_demand: ArrayLike, minimum: float = 0.2) -> Array:
    """Response to oxygen as in CLM: the ratio of supply to demand, held between a minimum and 1.

    Parameters
    ----------
    supply_over_demand : array_like (...)
        Oxygen available over oxygen that decay without limitation would use [1], not negative.
    minimum : float
        ξ where there is no oxygen, 0 to 1; 0.2 in CLM4.5 and CLM5.

    Returns
    -------
    ndarray (...)
        ξ from `minimum` to 1.

    Raises
    ------
    InputError
        A negative ratio, a minimum outside 0 to 1.

    Examples
    --------
    >>> oxygen([0.0, 0.5, 3.0])
    array([0.2, 0.5, 1. ])
    """
    ratio = as_array("supply_over_demand", supply_over_demand, lower=0.0)
    floor = as_array("minimum", minimum, lower=0.0, upper=1.0)
    return np.clip(ratio, floor, 1.0)


def depth(depth: ArrayLike, efolding: ArrayLike) -> Array:
    """Slower turnover below: ξ = exp(−z / z_e).

    Parameters
    ----------
    depth : array_like (...)
        Depth z below the surface [m], positive downwards.
    efolding : array_like (...)
        Depth z_e [m], above 0, over which ξ falls by the factor e; 0.5 m in CLM4.5, 10 m in CLM5.

    Returns
    -------
    ndarray (...)
        ξ from 0 to 1.

    Raises
    ------
    InputError
        A negative depth, an e-folding depth that is not above 0.

    Notes
    -----
    Koven et al. (2013), doi 10.5194/bg-10-7109-2013.

    Examples
    --------
    >>> depth([0.0, 0.5, 1.0], 0.5).round(3)
    array([1.   , 0.368, 0.135])
    """
    z = as_array("depth", depth, lower=0.0, hint="Depth counts downwards from the surface.")
    scale = as_array(
        "efolding", efolding, lower=0.0, strict=True, hint="For no change with depth use ξ = 1."
    )
    as_broadcast(depth=z, efolding=scale)
    return np.exp(-z / scale)


def century_arctangent(T: ArrayLike) -> Array:
    """c(T) of CENTURY, T in °C: 11.75 + 29.7 / π · arctan(0.031 π (T − 15.4))."""
    T = as_array("T", T, unit="degC")
    return 11.75 + 29.7 / np.pi * np.arctan(np.pi * 0.031 * (T - 15.4))


def _negative(name: str, value: ArrayLike) -> Array:
    psi = as_array(name, value)
    if np.any(psi >= 0):
        raise InputError(
            f"{name} must be below 0, but {psi[psi >= 0].flat[0]:g} was given. Soil water "
            "potential is negative, also near saturation (-0.001, say); 1 bar = 0.1 MPa."
        )
    return psi


def as_celsius(
    name: str,
    value: ArrayLike,
    lower: float = -100.0,
    upper: float = 100.0,
    *,
    shape: tuple[int | None, ...] | None = None,
) -> Array:
    """A temperature [°C], checked: one in kelvin lies above `upper`, and the sentence says so.

    Examples
    --------
    >>> as_celsius("temperature_c", 12.0)
    array(12.)
    """
    hint = f"It is in °C: °C = K − {FREEZING}."
    return as_array(name, value, lower=lower, upper=upper, shape=shape, hint=hint)


def _kelvin(name: str, value: ArrayLike) -> Array:
    low, high = FREEZING - 100, FREEZING + 100
    return as_array(name, value, lower=low, upper=high, hint="It is in K: K = °C + 273.15.")
