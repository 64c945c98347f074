"""Priors: what is known about the parameters before the data are seen.

::

    s = (theta - a) / (b - a)                     (uniform, logit-normal)
    s = ln(theta / a) / ln(b / a)                 (log-uniform)
    z = ln(s / (1 - s))                           real coordinate, no bounds
    p(z) = p(theta) |dtheta/dz|                   density there, with its Jacobian
    u = P(theta' <= theta)                        unit-cube coordinate, uniform under the prior

========= ================================== ======== ======== ============= ==============
symbol    meaning                            shape    unit     code name     source
========= ================================== ======== ======== ============= ==============
theta     parameter                          (..., p) its own  theta         ParameterTable
a, b      bounds                             (p,)     its own  lower, upper  ParameterTable
s         position between the bounds        (..., p) 1        s
z         real coordinate                    (..., p) 1        z
u         unit-cube coordinate               (..., p) 1        u
mu, sigma centre and width of a logit-normal (p,)     1, in z  centre, width the user
dtheta/dz stretch of the map                 (..., p) as theta slope(z)
========= ================================== ======== ======== ============= ==============

Samplers work in z: a step there never leaves the bounds, and the Jacobian keeps the density
right. A uniform prior is a standard logistic density in z.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit, ndtr, ndtri

from landcarbon.assimilation.streams import Random, streams
from landcarbon.matrix.errors import InputError, as_array
from landcarbon.matrix.frozen import keep
from landcarbon.models.parameters import ParameterTable

__all__ = ["FAMILIES", "Prior"]

FAMILIES = ("uniform", "log-uniform", "logit-normal")
_HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)


@dataclass(frozen=True, init=False, eq=False)
class Prior:
    """Independent priors on bounded parameters.

    Parameters
    ----------
    table : ParameterTable
        Names and bounds; its `prior` column names the families.
    family : str or mapping of str to str, optional
        One family for all, or families by parameter name, overriding the table:
        "uniform", "log-uniform" (both bounds positive) or "logit-normal" (centred at the default).
    width : float or mapping of str to float
        Standard deviation of the logit-normal ones, in z.

    Raises
    ------
    InputError
        Unknown family or parameter name, a log-uniform that starts at or below zero, a
        logit-normal whose default sits on a bound, a width that is not positive.

    Examples
    --------
    >>> from landcarbon.models.parameters import Parameter, ParameterTable
    >>> prior = Prior(ParameterTable([Parameter("tau", "yr", 1.0, 50.0, 20.0),
    ...                               Parameter("q10", "1", 1.2, 3.0, 1.5)]))
    >>> theta = prior.sample(1000, rng=1)
    >>> theta.shape, prior.names
    ((1000, 2), ('tau', 'q10'))
    >>> z = prior.to_real([25.5, 2.1])
    >>> print(z.round(6) + 0.0, prior.from_real(z).round(6))
    [0. 0.] [25.5  2.1]
    >>> round(float(prior.log_density([25.5, 2.1])), 4)   # -ln(49) - ln(1.8)
    -4.4796
    """

    table: ParameterTable
    families: tuple[str, ...]
    centre: NDArray[np.float64]
    width: NDArray[np.float64]

    def __init__(
        self,
        table: ParameterTable,
        family: str | Mapping[str, str] | None = None,
        width: float | Mapping[str, float] = 1.0,
    ) -> None:
        if not isinstance(table, ParameterTable):
            raise InputError(
                f"Prior needs a ParameterTable (names and bounds), but {type(table).__name__} was "
                "given. Build one with ParameterTable([Parameter(...), ...])."
            )
        families = _by_name(table, family, [row.prior for row in table])
        for row, chosen in zip(table, families):
            if chosen not in FAMILIES:
                raise InputError(
                    f"the prior family of parameter {row.name!r} is {chosen!r}; "
                    f"known are {', '.join(FAMILIES)}."
                )
            if chosen == "log-uniform" and row.lower <= 0:
                raise InputError(
                    f"parameter {row.name!r} cannot be log-uniform from {row.lower:g}: the lower "
                    "bound must be positive. Raise it, or use 'uniform'."
                )
            if chosen == "logit-normal" and not row.lower < row.default < row.upper:
                raise InputError(
                    f"parameter {row.name!r} cannot be logit-normal around its default "
                    f"{row.default:g}, which sits on a bound. Move the default inside, or use "
                    "'uniform'."
                )
        widths = as_array(
            "width", _by_name(table, width, [1.0] * len(table)), lower=0.0, strict=True
        )
        normal = np.array([chosen == "logit-normal" for chosen in families])
        place = (table.default - table.lower) / (table.upper - table.lower)
        centre = logit(np.where(normal, place, 0.5))
        keep(self, table=table, families=tuple(families), centre=centre, width=widths)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def names(self) -> tuple[str, ...]:
        """Parameter names (p)."""
        return self.table.names

    @property
    def _is_log(self) -> NDArray[np.bool_]:
        return np.array([family == "log-uniform" for family in self.families])

    @property
    def _is_normal(self) -> NDArray[np.bool_]:
        return np.array([family == "logit-normal" for family in self.families])

    @property
    def _log_ratio(self) -> NDArray[np.float64]:
        """ln(b / a) where log-uniform, 1 elsewhere."""
        lower = np.where(self._is_log, self.table.lower, 1.0)
        return np.log(np.where(self._is_log, self.table.upper / lower, np.e))

    def check(self, theta: ArrayLike, *, inside: bool = False) -> NDArray[np.float64]:
        """Return `theta` (..., p) as an array, or refuse values out of bounds by name.

        With `inside`, a value on a bound is refused too.
        """
        theta = as_array("theta", theta, shape=(len(self),))
        lower, upper = self.table.lower, self.table.upper
        bad = (theta <= lower) | (theta >= upper) if inside else (theta < lower) | (theta > upper)
        if bad.any():
            where = tuple(np.argwhere(bad)[0])
            row = self.table[int(where[-1])]
            word = "strictly between" if inside else "between"
            raise InputError(
                f"parameter {row.name!r} must lie {word} {row.lower:g} and {row.upper:g} "
                f"{row.unit}, but {theta[where]:g} was given. Change the value or the table."
            )
        return theta

    def _from_position(self, s: NDArray[np.float64]) -> NDArray[np.float64]:
        lower, upper = self.table.lower, self.table.upper
        linear = lower + (upper - lower) * s
        if self._is_log.any():
            start = np.where(self._is_log, lower, 1.0)
            linear = np.where(self._is_log, start * np.exp(self._log_ratio * s), linear)
        # s is in [0, 1]; only rounding can step over a bound here.
        return np.clip(linear, lower, upper)

    def _position(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        lower, upper = self.table.lower, self.table.upper
        s = (theta - lower) / (upper - lower)
        if self._is_log.any():
            quotient = np.where(self._is_log, theta / np.where(self._is_log, lower, 1.0), 1.0)
            s = np.where(self._is_log, np.log(quotient) / self._log_ratio, s)
        return s

    def to_real(self, theta: ArrayLike) -> NDArray[np.float64]:
        """Physical values (..., p) to real coordinates z; a value on a bound has none."""
        return logit(self._position(self.check(theta, inside=True)))

    def from_real(self, z: ArrayLike) -> NDArray[np.float64]:
        """Real coordinates (..., p) to physical values."""
        return self._from_position(expit(as_array("z", z, shape=(len(self),))))

    def to_unit(self, theta: ArrayLike) -> NDArray[np.float64]:
        """Physical values (..., p) to the unit cube: the prior's distribution function."""
        s = self._position(self.check(theta))
        if not self._is_normal.any():
            return s
        with np.errstate(divide="ignore"):
            u = ndtr((logit(s) - self.centre) / self.width)
        return np.where(self._is_normal, u, s)

    def from_unit(self, u: ArrayLike) -> NDArray[np.float64]:
        """Unit-cube coordinates (..., p) to physical values: the prior's quantile function."""
        u = as_array("u", u, shape=(len(self),), lower=0.0, upper=1.0)
        s = u
        if self._is_normal.any():
            s = np.where(self._is_normal, expit(self.centre + self.width * ndtri(u)), u)
        return self._from_position(s)

    def slope(self, z: ArrayLike) -> NDArray[np.float64]:
        """d theta / d z (..., p), the diagonal of the map's Jacobian."""
        return np.exp(self._log_slope(as_array("z", z, shape=(len(self),))))

    def _log_slope(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        stretch = _log_logistic(z)
        linear = np.log(self.table.upper - self.table.lower)
        if not self._is_log.any():
            return linear + stretch
        log = np.log(np.where(self._is_log, self.from_real(z), 1.0)) + np.log(self._log_ratio)
        return np.where(self._is_log, log, linear) + stretch

    def log_density(self, theta: ArrayLike) -> NDArray[np.float64]:
        """ln p(theta) (...), per physical unit of every parameter."""
        theta = self.check(theta)
        out = np.broadcast_to(-np.log(self.table.upper - self.table.lower), theta.shape)
        if self._is_log.any():
            start = np.where(self._is_log, theta, 1.0)
            out = np.where(self._is_log, -np.log(start) - np.log(self._log_ratio), out)
        if self._is_normal.any():
            z = logit(self._position(theta))
            on_bound = np.isinf(z)  # a logit-normal has density zero there
            z = np.where(on_bound, 0.0, z)
            normal = np.where(on_bound, -np.inf, self._log_normal(z) - self._log_slope(z))
            out = np.where(self._is_normal, normal, out)
        return out.sum(-1)

    def _log_normal(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        return -0.5 * ((z - self.centre) / self.width) ** 2 - np.log(self.width) - _HALF_LOG_2PI

    def log_density_real(self, z: ArrayLike) -> NDArray[np.float64]:
        """ln p(z) (...) = ln p(theta(z)) + ln |det d theta / d z|."""
        z = as_array("z", z, shape=(len(self),))
        out = _log_logistic(z)
        if self._is_normal.any():
            out = np.where(self._is_normal, self._log_normal(z), out)
        return out.sum(-1)

    def gradient_real(self, z: ArrayLike) -> NDArray[np.float64]:
        """d ln p(z) / d z (..., p)."""
        z = as_array("z", z, shape=(len(self),))
        logistic = 1.0 - 2.0 * expit(z)
        return np.where(self._is_normal, (self.centre - z) / self.width**2, logistic)

    def sample(
        self,
        size: int | tuple[int, ...] = (),
        rng: Random = 0,
        *,
        sites: tuple[int, ...] = (),
    ) -> NDArray[np.float64]:
        """Draw from the prior.

        Parameters
        ----------
        size : int or tuple of int
            Draws a site.
        rng : Generator, int, or one Generator a site
        sites : tuple of int
            Leading site axes.

        Returns
        -------
        ndarray, (sites..., size..., p)
        """
        shape = (size,) if isinstance(size, (int, np.integer)) else tuple(size)
        return self.from_unit(streams(rng, sites).uniform((*shape, len(self))))


def _log_logistic(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """ln s(1 - s) with s = 1 / (1 + e^-z), far from z = 0 too: the density of a logistic."""
    far = np.abs(z)
    return -far - 2.0 * np.log1p(np.exp(-far))


def a_prior(prior: object) -> None:
    """Refuse a table of parameters where a prior is asked for.

    Raises
    ------
    InputError
        Anything without `log_density_real` and `sample`.
    """
    if isinstance(prior, ParameterTable):
        raise InputError(
            "a ParameterTable has bounds but no probabilities; give Prior(table), uniform between them."
        )
    if not (hasattr(prior, "log_density_real") and hasattr(prior, "sample")):
        raise InputError(f"prior must be a Prior, but {type(prior).__name__} was given.")


def _by_name(table: ParameterTable, given: object, otherwise: Sequence[object]) -> list:
    if given is None:
        return list(otherwise)
    if not isinstance(given, Mapping):
        return [given] * len(table)
    values = list(otherwise)
    for name, value in given.items():
        values[table.index(name)] = value
    return values
