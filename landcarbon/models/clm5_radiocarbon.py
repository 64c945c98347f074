r"""Carbon and radiocarbon of the soil column of CLM5, in the year in which it was sampled.

::

    0 = b − M X,        dX₁₄/dt = F_a(t) b − (M + λ) X₁₄,        F = Σ_soil X₁₄ / Σ_soil X

====== ==================================================== ============ =========== ==============
symbol meaning                                              shape        unit        code name
====== ==================================================== ============ =========== ==============
X, b,  carbon, input and outflow matrix of the column under (..., 7, 20) see `clm5`  clm5.column
M      its mean climate
X₁₄    radiocarbon, as the carbon that would hold as much   (..., 7, 20) gC m-3
F_a    ratio ¹⁴C/C of the air over that of the standard     (..., year)  1           years, delta
λ      radioactive decay, 1 / 8267 yr                       ()           yr-1        1 / MEAN_LIFE
F      the same ratio of all soil carbon of a layer         (..., 20)    1           values[..., 20:]
--     carbon of the three soil pools of a layer            (..., 20)    gC m-3      values[..., :20]
====== ==================================================== ============ =========== ==============

Carbon is at steady state throughout; radiocarbon is at steady state with the air of the first year of the
curve, and is carried forward from there by `landcarbon.matrix.tracer`, a step a year from 1930.5 and ten
years a step before, when the air changed by less than 2 per mil in a year. Δ¹⁴C = 1000 (F − 1), in the
convention of `landcarbon.theory.carbon14`. Where a layer holds no carbon F is 0.

This is a process model as `landcarbon.models.process` asks for, with two kinds of values side by side;
`landcarbon.datasets.radiocarbon.observations` makes the data that go with it.

The first three lines to type:

    land = clm5_radiocarbon.Forcing(forcing, year=1998)
    values, pull = clm5_radiocarbon.observed(theta, land)
    clm5_radiocarbon.delta(values)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.column import LayeredGradient
from landcarbon.matrix.errors import InputError, as_array, as_kind
from landcarbon.matrix.frozen import altered, keep
from landcarbon.matrix.tracer import tracer, tracer_and_vjp
from landcarbon.models import clm5
from landcarbon.models.clm5 import COMPONENTS, DEFAULT, LAYERS, PARAMETERS, SOIL, soil_carbon

__all__ = [
    "BOMB",
    "COMPONENTS",
    "DEFAULT",
    "LAYERS",
    "MEAN_LIFE",
    "PARAMETERS",
    "Forcing",
    "delta",
    "observed",
    "observed_values",
]

Array = NDArray[np.float64]

MEAN_LIFE = 8267.0  # yr; that of landcarbon.theory.carbon14
FINE = 1930.5  # from here a step is a year, before ten
COARSE = 10.0

BOMB = np.array([
    (1850.5, -2.3), (1954.5, -21.1), (1955.5, -8.2), (1957.5, 73), (1958.5, 140.2), (1959.5, 228),
    (1960.5, 212.3), (1961.5, 221.7), (1962.5, 358.5), (1963.5, 718.3), (1964.5, 835.7), (1965.5, 756.3),
    (1968.5, 564.5), (1970.5, 529.1), (1972.5, 465.6), (1973.5, 418.6), (1975.5, 369.8), (1978.5, 325.8),
    (1980.5, 264.5), (1984.5, 209.3), (1991.5, 142.4), (2015.5, 13.8),
])  # fmt: skip
"""Year, and Δ¹⁴C of the air north of 30° N [per mil]: some rows of Graven et al. (2017),
doi 10.5194/gmd-10-4405-2017, between which the record is straight to 10 per mil."""


@dataclass(frozen=True)
class Forcing:
    """What the land gives to the soil column, and what the air held when it did.

    Parameters
    ----------
    land : clm5.Forcing
        Climate and litter.
    year : array_like (...)
        Year CE in which the soil was sampled; the middle of it is taken.
    years : array_like (year,), optional
        Years of the atmospheric record, rising; those of `BOMB` if not given.
    delta : array_like (..., year), optional
        Δ¹⁴C of the air [per mil], linear in between; that of `BOMB` if not given.

    Raises
    ------
    InputError
        A year outside the record, a record whose years do not rise.

    Examples
    --------
    >>> site = clm5.Forcing(np.full((20, 12), 285.15), np.full((20, 12), 0.5), [40, 120, 180, 60])
    >>> for year in 1950, 1970, 2010:
    ...     top = delta(observed_values(DEFAULT, Forcing(site, year)))[0]
    ...     print(year, f"{top:+.0f} per mil at {LAYERS.node[0]:.2f} m")
    1950 -50 per mil at 0.01 m
    1970 +63 per mil at 0.01 m
    2010 +48 per mil at 0.01 m
    """

    land: clm5.Forcing
    year: Array
    years: Array = None  # type: ignore[assignment]
    delta: Array = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        as_kind("land", self.land, clm5.Forcing)
        if (self.years is None) != (self.delta is None):
            raise InputError("give both years and delta of the atmosphere, or neither.")
        years = as_array("years", BOMB[:, 0] if self.years is None else self.years)
        if years.ndim != 1 or years.size < 2 or np.any(np.diff(years) <= 0):
            raise InputError(f"years has shape {years.shape}; it must be a row of years that rise.")
        air = as_array(
            "delta", BOMB[:, 1] if self.delta is None else self.delta, shape=(years.size,), lower=-1000.0,
            hint="Δ¹⁴C of the air in per mil, one number a year of the record.",
        )
        year = as_array("year", self.year)
        out = (year < years[0] - 0.5) | (year > years[-1])
        if np.any(out):
            raise InputError(
                f"soil was sampled in {year[out][0]:g}, but the record of the air spans {years[0]:g} to "
                f"{years[-1]:g}; leave that site out, or join another record."
            )
        keep(self, year=year, years=years, delta=air)

    @property
    def shape(self) -> tuple[int, ...]:
        """Leading axes: the sites."""
        return np.broadcast_shapes(self.land.shape, self.year.shape, self.delta.shape[:-1])

    def __getitem__(self, index: Any) -> Forcing:
        """Some of the sites."""
        year = np.broadcast_to(self.year, self.shape)[index]
        land = self.land[index] if self.land.shape else self.land
        air = self.delta
        if air.ndim > 1:
            air = np.broadcast_to(air, (*self.shape, air.shape[-1]))[index]
        return altered(self, land=land, year=year, delta=air)

    def expand(self) -> Forcing:
        """A new axis after the sites, for parameters (..., member, 21)."""
        air = self.delta[..., None, :] if self.delta.ndim > 1 else self.delta
        year = self.year[..., None] if self.year.ndim else self.year
        return altered(self, land=self.land.expand(), year=year, delta=air)

    def air(self) -> tuple[Array, Array, NDArray[np.intp]]:
        """Knots of the run, the ratio of the air at each (..., knot), and the knot of the sampling (...)."""
        first, last = float(self.years[0]), np.floor(self.year) + 0.5
        stop = min(max(last.max(), first + 1.0), float(self.years[-1]))
        early = np.arange(first, min(FINE, stop), COARSE)
        fine = np.arange(max(FINE, np.floor(first) + 0.5), stop + 1e-9)
        knots = np.union1d(early, fine)
        place = np.clip(np.searchsorted(self.years, knots) - 1, 0, self.years.size - 2)
        w = (knots - self.years[place]) / (self.years[place + 1] - self.years[place])
        ratio = 1.0 + ((1.0 - w) * self.delta[..., place] + w * self.delta[..., place + 1]) / 1000.0
        return knots, ratio, np.abs(knots - last[..., None]).argmin(axis=-1)


def observed_values(theta: ArrayLike, forcing: Forcing) -> Array:
    """Soil carbon [gC m-3] and its ratio ¹⁴C/C by layer, side by side (..., 40).

    Parameters
    ----------
    theta : array_like (..., 21)
        In the order and units of `PARAMETERS`.
    forcing : Forcing
    """
    model, b, _ = clm5.column_and_vjp(theta, _checked(forcing).land)
    knots, ratio, end = forcing.air()
    X14 = tracer(model, b, knots, ratio, end, 1.0 / MEAN_LIFE)
    X = np.broadcast_to(model.steady_state(b, method="cascade"), X14.shape)
    return _values(soil_carbon(X), soil_carbon(X14))


def observed(
    theta: ArrayLike, forcing: Forcing
) -> tuple[Array, Callable[[ArrayLike], Array]]:
    """`observed_values` and their adjoint: what a process model owes (`landcarbon.models.process`).

    Returns
    -------
    values : ndarray (..., 40)
    pullback : callable
        ∂J/∂values (..., 40) → ∂J/∂parameters (..., 21).
    """
    model, b, back = clm5.column_and_vjp(theta, _checked(forcing).land)
    knots, ratio, end = forcing.air()
    X, pull = model.steady_state_and_vjp(b)
    X14, pull14 = tracer_and_vjp(model, b, knots, ratio, end, 1.0 / MEAN_LIFE)
    C, C14 = soil_carbon(np.broadcast_to(X, X14.shape)), soil_carbon(X14)

    def pullback(d: ArrayLike) -> Array:
        d = np.broadcast_to(as_array("d", d, shape=(2 * len(LAYERS),)), (*C.shape[:-1], 2 * len(LAYERS)))
        by_ratio = np.divide(d[..., len(LAYERS) :], C, out=np.zeros(C.shape), where=C > 0)
        by_carbon = d[..., : len(LAYERS)] - by_ratio * np.divide(C14, C, out=np.zeros(C.shape), where=C > 0)
        return back(_sum(pull(_of_soil(by_carbon)), pull14(_of_soil(by_ratio))))

    return _values(C, C14), pullback


def delta(values: ArrayLike) -> Array:
    """Δ¹⁴C by layer (..., 20) [per mil] from values (..., 40); −1000 where there is no carbon."""
    values = as_array("values", values, shape=(2 * len(LAYERS),))
    return 1000.0 * (values[..., len(LAYERS) :] - 1.0)


def _checked(forcing: Any) -> Forcing:
    hint = "Make one with clm5_radiocarbon.Forcing(land, year)."
    found: Forcing = as_kind("forcing", forcing, Forcing, hint=hint)
    return found


def _values(C: Array, C14: Array) -> Array:
    return np.concatenate([C, np.divide(C14, C, out=np.zeros(C.shape), where=C > 0)], axis=-1)


def _of_soil(d: Array) -> Array:
    dX = np.zeros((*d.shape[:-1], len(clm5.POOLS), len(LAYERS)))
    dX[..., SOIL, :] = d[..., None, :]
    return dX


def _sum(one: LayeredGradient, other: LayeredGradient) -> LayeredGradient:
    return LayeredGradient(**{name: getattr(one, name) + getattr(other, name) for name in vars(one)})
