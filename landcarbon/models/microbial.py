"""A microbial model of soil carbon: decomposition by enzymes, growth with a carbon use efficiency.

    dX/dt = B I − A(T) K(X, T) X,        X = (soil S, dissolved D, microbes M, enzymes E)

    K_S = V E / (K + S)          enzymes break up soil carbon         (Michaelis–Menten)
    K_D = V_U M / (K_U + D)      microbes take up dissolved carbon    (Michaelis–Menten)
    K_M = r_M + r_E              microbes die, and make enzymes
    K_E = r_L                    enzymes are lost

Of what microbes take up, the share ε grows and the rest is respired: ε is the carbon use efficiency.
The turnover rates depend on the pools, so the model is not linear; all else is as in the matrix
equation, with A made new for each temperature and K for each state.

====== ==================================== ======= ========== ================= ======
symbol meaning                              shape   unit       code name         source
====== ==================================== ======= ========== ================= ======
X      carbon in the four pools             (..., 4) gC m-3    X
I      input of soil and dissolved carbon   (..., 2) gC m-3    I, INPUT          [2]
                                                    yr-1
T      temperature                          (...)   °C         temperature_c
ε      carbon use efficiency, ε₀ + ε₁ T     (...)   1          cue_0, cue_slope  [1, 2]
V      largest rate, V₀ exp(−E_a / R T_K)   (...)   h-1        v_0, e_a          [1, 2]
V_U    the same for uptake                  (...)   h-1        vu_0, eu_a        [1, 2]
K      half saturation, K₀ + K₁ T           (...)   gC m-3     km_0, km_slope    [1, 3]
K_U    the same for uptake                  (...)   gC m-3     ku_0, ku_slope    [1, 2]
r_M    death of microbes                    (...)   h-1        r_death           [1, 2]
r_E    enzymes made by microbes             (...)   h-1        r_enzyme          [1, 2]
r_L    loss of enzymes                      (...)   h-1        r_loss            [1, 2]
a      dead microbes that become soil       (...)   1          to_soil           [1, 2]
       carbon; the rest is dissolved
====== ==================================== ======= ========== ================= ======

[1] Allison, Wallenstein & Bradford (2010), Nature Geoscience 3, 336–340, doi 10.1038/ngeo846.
[2] The numbers of [1] as implemented in SoilR 1.2 (function AWBmodel); inputs as recorded from the
    supplement of [1] in the model data base bgc_md2.
[3] SoilR has K₁ = 0.5 mg cm-3 °C-1, but its first state (111.876 mg cm-3 of soil carbon) is the
    steady state at 20 °C for K₁ = 5; we use 5, with which three of its four pools are steady to all
    digits given. Its dissolved carbon is larger than the equations give; we do not know why.

Published per hour and mg cm-3; here per year (8,760 h) and g m-3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array
from landcarbon.matrix.loops import FeedbackCycle
from landcarbon.matrix.model import MatrixModel
from landcarbon.matrix.response import as_celsius
from landcarbon.models.parameters import Parameter, ParameterTable

__all__ = ["INPUT", "PARAMETERS", "POOLS", "cue", "cycle", "microbial4", "steady_state"]

Array = NDArray[np.float64]

POOLS = ("soil", "dissolved", "microbes", "enzymes")
HOURS = 8760.0  # in a year
PER_MG = 1000.0  # g m-3 in a mg cm-3
INPUT = (5e-4 * HOURS * PER_MG, 5e-4 * HOURS * PER_MG)  # gC m-3 yr-1: 0.0005 mg cm-3 h-1 each [2]
GAS = 0.008314  # kJ mol-1 K-1, and 0 °C = 273 K: as in [2]
ZERO = 273.0

_S = "Allison et al. 2010, as in SoilR 1.2"

PARAMETERS = ParameterTable(
    Parameter(name, unit, lower, upper, default, f"default: {source}; bounds: ours", meaning)
    for name, unit, lower, upper, default, source, meaning in (
        ("cue_0", "1", 0.3, 0.8, 0.63, _S, "carbon use efficiency at 0 °C"),
        ("cue_slope", "°C-1", -0.02, 0.0, -0.016, _S, "its change with temperature"),
        ("v_0", "h-1", 1e7, 1e9, 1e8, _S, "largest rate of decomposition, before Arrhenius"),
        ("e_a", "kJ mol-1", 30.0, 60.0, 47.0, _S, "activation energy of decomposition"),
        ("vu_0", "h-1", 1e7, 1e9, 1e8, _S, "largest rate of uptake, before Arrhenius"),
        ("eu_a", "kJ mol-1", 30.0, 60.0, 47.0, _S, "activation energy of uptake"),
        ("km_0", "gC m-3", 1e5, 2e6, 5e5, _S, "half saturation of decomposition at 0 °C"),
        ("km_slope", "gC m-3 °C-1", 0.0, 2e4, 5e3, "see the module, [3]", "its change with temperature"),
        ("ku_0", "gC m-3", 10.0, 1e3, 100.0, _S, "half saturation of uptake at 0 °C"),
        ("ku_slope", "gC m-3 °C-1", 0.0, 500.0, 100.0, _S, "its change with temperature"),
        ("r_death", "h-1", 2e-5, 2e-3, 2e-4, _S, "death of microbes"),
        ("r_enzyme", "h-1", 5e-7, 5e-5, 5e-6, _S, "enzymes made by microbes"),
        ("r_loss", "h-1", 1e-4, 1e-2, 1e-3, _S, "loss of enzymes"),
        ("to_soil", "1", 0.0, 1.0, 0.5, _S, "share of dead microbes that becomes soil carbon"),
    )
)
"""Rates per hour as published; concentrations in gC m-3."""


def cue(temperature_c: ArrayLike, theta: ArrayLike | None = None) -> Array:
    """Carbon use efficiency ε = ε₀ + ε₁ T, shape (...).

    Raises
    ------
    InputError
        A temperature at which it leaves 0 to 1.

    Examples
    --------
    >>> cue([10.0, 20.0]).round(2)
    array([0.47, 0.31])
    """
    p, T = _named(theta), _warmth(temperature_c)
    value = p["cue_0"] + p["cue_slope"] * T
    if np.any((value <= 0) | (value >= 1)):
        bad = value[(value <= 0) | (value >= 1)].flat[0] if np.ndim(value) else value
        raise InputError(
            f"The carbon use efficiency comes out as {bad:.3g}; it lies between 0 and 1. The line "
            "ε₀ + ε₁ T holds in moderate climates only."
        )
    return value


def microbial4(
    X: ArrayLike, temperature_c: ArrayLike = 20.0, theta: ArrayLike | None = None
) -> MatrixModel:
    """The matrices as they are while the pools are X.

    Parameters
    ----------
    X : array_like (..., 4)
        Carbon in each pool [gC m-3], not negative.
    temperature_c : array_like (...)
        [°C].
    theta : array_like (..., 14), optional
        Parameters in the order of `PARAMETERS`; the published ones if it is not given.

    Returns
    -------
    MatrixModel
        Four pools, rates per year; two inputs [gC m-3 yr-1], soil and dissolved carbon.

    Raises
    ------
    InputError
        A state below 0 or of another shape, an efficiency outside 0 to 1.

    Examples
    --------
    >>> X = steady_state()
    >>> m = microbial4(X)
    >>> float(np.abs(m.derivative(X, INPUT)).max().round(6))
    0.0
    >>> (1 / m.K).round(3)   # residence times in yr; dissolved carbon lasts three hours
    array([17.759,  0.   ,  0.557,  0.114])
    """
    p, T = _named(theta), _warmth(temperature_c)
    S, D, M, E = np.moveaxis(as_array("X", X, shape=(4,), lower=0.0, hint=f"{', '.join(POOLS)}."), -1, 0)
    growth, (V, V_U, K, K_U) = cue(T, theta), _kinetics(p, T)
    rates = np.broadcast_arrays(
        V * E / (K + S), V_U * M / (K_U + D), p["r_death"] + p["r_enzyme"], p["r_loss"]
    )
    death = p["r_death"] / (p["r_death"] + p["r_enzyme"])
    lead = np.broadcast_shapes(rates[0].shape, growth.shape)
    f = np.zeros((*lead, 4, 4))
    f[..., 1, 0] = f[..., 1, 3] = 1.0
    f[..., 2, 1] = growth
    f[..., 0, 2] = p["to_soil"] * death
    f[..., 1, 2] = (1 - p["to_soil"]) * death
    f[..., 3, 2] = 1 - death
    B = np.zeros((*lead, 4, 2))
    B[..., 0, 0] = B[..., 1, 1] = 1.0
    return MatrixModel(POOLS, A=np.eye(4) - f, K=np.stack(rates, axis=-1) * HOURS, B=B)


def steady_state(
    I: ArrayLike = INPUT,  # noqa: E741
    temperature_c: ArrayLike = 20.0,
    theta: ArrayLike | None = None,
) -> Array:
    """The steady state in closed form (..., 4) [gC m-3].

    All carbon is respired by microbes, so their uptake U is fixed by the input: (1 − ε) U = I_S + I_D.
    With it follow M = ε U / (r_M + r_E), E = r_E M / r_L, then S from what enzymes must break up,
    and D from U. Enzymes grow with the input and so does their work: **S does not depend on how much
    enters**, only on how the input is split.

    Parameters
    ----------
    I : array_like (..., 2)
        Input of soil and dissolved carbon [gC m-3 yr-1].
    temperature_c : array_like (...)
        [°C].
    theta : array_like (..., 14), optional
        Parameters.

    Returns
    -------
    ndarray (..., 4)

    Raises
    ------
    InputError
        No input; enzymes or microbes too slow for what enters: soil or dissolved carbon would pile
        up for ever.

    Examples
    --------
    >>> steady_state().round(1)
    array([1.118764e+05, 3.300000e+00, 2.191600e+03, 1.100000e+01])
    """
    p, T = _named(theta), _warmth(temperature_c)
    I = as_array("I", I, shape=(2,), lower=0.0, hint="Input of soil and of dissolved carbon.") / HOURS  # noqa: E741
    total = I.sum(axis=-1)
    if np.any(total == 0):
        raise InputError("Nothing enters, so microbes starve and there is no steady state to report.")
    growth, (V, V_U, K, K_U) = cue(T, theta), _kinetics(p, T)
    uptake = total / (1 - growth)
    M = growth * uptake / (p["r_death"] + p["r_enzyme"])
    E = p["r_enzyme"] * M / p["r_loss"]
    broken_up = I[..., 0] + p["to_soil"] * p["r_death"] * M
    for what, most, needed in (("soil", V * E, broken_up), ("dissolved", V_U * M, uptake)):
        if np.any(most <= needed):
            raise InputError(
                f"There is no steady state: {what} carbon comes in faster than it can ever be used "
                "up, and piles up. Raise the rates, or the carbon use efficiency."
            )
    S = K * broken_up / (V * E - broken_up)
    D = K_U * uptake / (V_U * M - uptake)
    return np.stack(np.broadcast_arrays(S, D, M, E), axis=-1)


def cycle(
    I: ArrayLike = INPUT,  # noqa: E741
    temperature_c: ArrayLike = 20.0,
    dt: ArrayLike | None = None,
    theta: ArrayLike | None = None,
) -> FeedbackCycle:
    """The year of the model, for `landcarbon.matrix.spinup`; rates are held within each step.

    Parameters
    ----------
    I : array_like (2,) or (T, 2)
        Input [gC m-3 yr-1], the same all year or one row for each step.
    temperature_c : float or array_like (T,)
        [°C].
    dt : array_like (T,), optional
        Lengths of the steps [yr]; twelve months if it is not given.
    theta : array_like (14,), optional
        Parameters.

    Returns
    -------
    FeedbackCycle

    Raises
    ------
    InputError
        Forcing that has another number of steps.

    Examples
    --------
    >>> from landcarbon.matrix.spinup import periodic
    >>> year = cycle(temperature_c=10.0)
    >>> X = periodic(year, X0=steady_state(temperature_c=15.0)).X
    >>> bool(np.allclose(X, steady_state(temperature_c=10.0), rtol=1e-9))
    True
    """
    h = np.full(12, 1 / 12) if dt is None else as_array("dt", dt, shape=(None,), lower=0.0)
    steps = len(h)
    I = as_array("I", I, shape=(2,), lower=0.0)  # noqa: E741
    T = _warmth(temperature_c)
    for name, array, axes in (("I", I, 2), ("temperature_c", T, 1)):
        if array.ndim >= axes and array.shape[0] != steps:
            raise InputError(f"{name} has {array.shape[0]} rows, but the year has {steps} steps.")
    I = np.broadcast_to(I, (steps, 2))  # noqa: E741
    T = np.broadcast_to(T, steps)

    def at(step: int, X: Array) -> tuple[Array, Array]:
        model = microbial4(X, T[step], theta)
        return model.outflow_matrix(), model.input(I[step])

    return FeedbackCycle(at, h)


def _kinetics(p: dict[str, Array], T: Array) -> tuple[Array, Array, Array, Array]:
    """V, V_U [h-1], K, K_U [gC m-3] at the temperature T [°C]."""
    kelvin = GAS * (T + ZERO)
    return (
        p["v_0"] * np.exp(-p["e_a"] / kelvin),
        p["vu_0"] * np.exp(-p["eu_a"] / kelvin),
        p["km_0"] + p["km_slope"] * T,
        p["ku_0"] + p["ku_slope"] * T,
    )


def _named(theta: ArrayLike | None) -> dict[str, Array]:
    if theta is None:
        theta = PARAMETERS.default
    hint = f"In the order of microbial.PARAMETERS: {', '.join(PARAMETERS.names)}."
    return PARAMETERS.dict(as_array("theta", theta, shape=(len(PARAMETERS),), hint=hint))


def _warmth(temperature_c: ArrayLike) -> Array:
    return as_celsius("temperature_c", temperature_c, -50.0, 60.0)
