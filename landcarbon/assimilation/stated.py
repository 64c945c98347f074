"""Priors stated as distributions: normal, log-normal, half-normal, beta, Dirichlet, or any other.

::

    u = F(theta),     z = ln(u / (1 - u))                      real coordinate, by the distribution function F
    theta = Q(1 / (1 + e^-z))                                  and back, by its inverse Q
    p(z) = u (1 - u)                                           whatever the distribution is
    s_1 = b_1,  s_2 = (1 - s_1) b_2,  ...                      shares, b_i ~ Beta(a_i, a_i+1 + ... + a_n)

====== ======================================= ======== ======== ================ ====================
symbol meaning                                 shape    unit     code name        source
====== ======================================= ======== ======== ================ ====================
theta  parameter                               (..., p) its own  theta            the user
F, Q   its distribution function, and quantile          1, own   cdf, ppf         scipy.stats
u      unit-cube coordinate                    (..., p) 1        to_unit(theta)
z      real coordinate                         (..., p) 1        to_real(theta)
s, b   shares that sum to less than one        (..., n) 1        dirichlet(...)   Wilks 1962, ch. 7
====== ======================================= ======== ======== ================ ====================

In z every prior is the same logistic bell, and a posterior that has learned nothing is that bell: the
samplers meet no bounds, no long tails and no units. :class:`.parameters.Prior` is the same for a table of
bounded parameters; both serve every sampler.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.special import expit, logit

from landcarbon.assimilation.streams import Random, streams
from landcarbon.matrix.errors import InputError, as_array, as_kind, as_number, as_whole
from landcarbon.matrix.frozen import keep

__all__ = ["StatedPrior", "beta", "dirichlet", "half_normal", "log_normal", "log_uniform", "normal", "uniform"]

Array = NDArray[np.float64]


class Distribution(Protocol):
    """What a prior is stated with: a frozen distribution of scipy.stats, or alike."""

    def cdf(self, x: Any) -> Any:
        """Share below x."""

    def ppf(self, q: Any) -> Any:
        """Value below which the share q lies."""

    def logpdf(self, x: Any) -> Any:
        """ln density."""


@dataclass(frozen=True, eq=False)
class Shares:
    """Shares of a whole, `dirichlet` of them: the last is what the others leave, and has no name."""

    concentration: Array

    @property
    def sticks(self) -> list[Distribution]:
        """What each share takes of the rest that the ones before it have left."""
        a = self.concentration
        return [stats.beta(a[i], a[i + 1 :].sum()) for i in range(a.size - 1)]


@dataclass(frozen=True, init=False, eq=False)
class StatedPrior:
    """Independent priors, each a distribution of its own.

    Parameters
    ----------
    stated : mapping of str to distribution
        `normal(…)`, `log_normal(…)`, `half_normal(…)`, `beta(…)`, `uniform(…)`, `log_uniform(…)`, or any
        frozen continuous distribution of scipy.stats. A tuple of names takes a `dirichlet(…)` of one
        number more.

    Raises
    ------
    InputError
        Nothing stated, a name twice, what is no distribution, a Dirichlet of another size.

    Examples
    --------
    >>> prior = StatedPrior({"k": log_normal(0.02, 2.0), "sigma": half_normal(0.2),
    ...                      ("fast", "slow"): dirichlet(1, 1, 1)})
    >>> theta = prior.sample(100, rng=1)
    >>> prior.names, theta.shape, bool((theta[:, 2:].sum(-1) < 1).all())
    (('k', 'sigma', 'fast', 'slow'), (100, 4), True)
    >>> prior.from_real(prior.to_real([0.02, 0.1, 0.3, 0.3])).round(12)
    array([0.02, 0.1 , 0.3 , 0.3 ])
    """

    names: tuple[str, ...]
    parts: tuple[Distribution, ...]
    rest: tuple[int, ...]

    def __init__(self, stated: Mapping[str | tuple[str, ...], Any]) -> None:
        as_kind("stated", stated, Mapping, hint="A distribution a name: {'k': log_normal(0.02, 2.0)}.")
        names: list[str] = []
        parts: list[Distribution] = []
        rest: list[int] = []  # of how many parameters before it a share is a part of what they leave
        for name, given in stated.items():
            if isinstance(name, tuple):
                if not isinstance(given, Shares) or given.concentration.size != len(name) + 1:
                    raise InputError(
                        f"the shares {', '.join(name)} need a dirichlet of {len(name) + 1} numbers: one each, and one "
                        "for what they leave."
                    )
                names.extend(name)
                parts.extend(given.sticks)
                rest.extend(range(len(name)))
                continue
            if isinstance(given, Shares) or not all(hasattr(given, a) for a in ("cdf", "ppf", "logpdf")):
                raise InputError(
                    f"the prior of {name!r} is {given!r:.60}; state a distribution, such as normal(0, 1), or for "
                    "several shares {('fast', 'slow'): dirichlet(1, 1, 1)}."
                )
            names.append(name)
            parts.append(given)
            rest.append(0)
        if not names or len(set(names)) != len(names):
            raise InputError(f"priors are stated for {', '.join(names) or 'nothing'}; one a parameter is expected.")
        keep(self, names=tuple(names), parts=tuple(parts), rest=tuple(rest))

    def __len__(self) -> int:
        return len(self.names)

    @property
    def table(self) -> list[Any]:
        """Name, unit and the ends of the support of each, as a `ParameterTable` has them."""
        ends = [part.ppf([0.0, 1.0]) for part in self.parts]
        return [SimpleNamespace(name=n, unit="", lower=a, upper=b) for n, (a, b) in zip(self.names, ends)]

    def dict(self, theta: ArrayLike) -> dict[str, Array]:
        """Parameters (..., p) by name, each (...)."""
        theta = as_array("theta", theta, shape=(len(self),))
        return {name: theta[..., k] for k, name in enumerate(self.names)}

    def _sticks(self, theta: Array) -> Array:
        """Shares as parts of what is left; everything else as it is."""
        out = theta.copy()
        for k, before in enumerate(self.rest):
            if before:
                out[..., k] = theta[..., k] / self._left(theta, k, before)
        return out

    @staticmethod
    def _left(theta: Array, k: int, before: int) -> Array:
        return np.maximum(1.0 - theta[..., k - before : k].sum(-1), np.finfo(float).tiny)

    def to_unit(self, theta: ArrayLike) -> Array:
        """Parameters (..., p) to the unit cube: each by its distribution function."""
        b = self._sticks(as_array("theta", theta, shape=(len(self),)))
        return np.stack([part.cdf(b[..., k]) for k, part in enumerate(self.parts)], axis=-1)

    def from_unit(self, u: ArrayLike) -> Array:
        """The unit cube to parameters: each by its quantile function."""
        u = as_array("u", u, shape=(len(self),), lower=0.0, upper=1.0)
        theta = np.stack([part.ppf(u[..., k]) for k, part in enumerate(self.parts)], axis=-1)
        for k, before in enumerate(self.rest):
            if before:
                theta[..., k] *= self._left(theta, k, before)
        return theta

    def check(self, theta: ArrayLike, *, inside: bool = False) -> Array:
        """`theta` (..., p), or a sentence which value the prior holds impossible."""
        theta = as_array("theta", theta, shape=(len(self),))
        u = self.to_unit(theta)
        bad = (u <= 0) | (u >= 1) if inside else ~np.isfinite(self._log_densities(theta))
        if bad.any():
            where = tuple(np.argwhere(bad)[0])
            raise InputError(f"the prior of {self.names[int(where[-1])]!r} holds {theta[where]:g} impossible.")
        return theta

    def to_real(self, theta: ArrayLike) -> Array:
        """Parameters (..., p) to real coordinates."""
        return logit(self.to_unit(self.check(theta, inside=True)))

    def from_real(self, z: ArrayLike) -> Array:
        """Real coordinates (..., p) to parameters."""
        return self.from_unit(expit(as_array("z", z, shape=(len(self),))))

    def _log_densities(self, theta: Array) -> Array:
        b = self._sticks(theta)
        out = np.stack([np.asarray(part.logpdf(b[..., k])) for k, part in enumerate(self.parts)], axis=-1)
        for k, before in enumerate(self.rest):
            if before:
                out[..., k] -= np.log(self._left(theta, k, before))
        return out

    def log_density(self, theta: ArrayLike) -> Array:
        """ln p(theta) (...), per unit of every parameter."""
        return self._log_densities(as_array("theta", theta, shape=(len(self),))).sum(-1)

    def log_density_real(self, z: ArrayLike) -> Array:
        """ln p(z) (...): a logistic bell in each coordinate."""
        far = np.abs(as_array("z", z, shape=(len(self),)))
        return (-far - 2.0 * np.log1p(np.exp(-far))).sum(-1)

    def gradient_real(self, z: ArrayLike) -> Array:
        """d ln p(z) / d z (..., p)."""
        return 1.0 - 2.0 * expit(as_array("z", z, shape=(len(self),)))

    def sample(
        self, size: int | tuple[int, ...] = (), rng: Random = 0, *, sites: tuple[int, ...] = ()
    ) -> Array:
        """Draws (sites..., size..., p)."""
        shape = tuple(as_whole("size", n) for n in (size if isinstance(size, (tuple, list)) else (size,)))
        return self.from_unit(streams(rng, sites).uniform((*shape, len(self))))


def normal(mean: float, sd: float) -> Distribution:
    """Normal(mean, sd²)."""
    return stats.norm(_number("mean", mean), _positive("sd", sd))


def log_normal(median: float, factor: float) -> Distribution:
    """About two of three values within a factor of the median: ln θ ~ Normal(ln median, (ln factor)²).

    Examples
    --------
    >>> log_normal(0.02, 2.0).cdf([0.01, 0.04]).round(3)
    array([0.159, 0.841])
    """
    hint = "A factor above 1 is expected: 2 says from half to double."
    factor = as_number("factor", factor, lower=1.0, strict=True, hint=hint)
    return stats.lognorm(s=np.log(factor), scale=_positive("median", median))


def half_normal(scale: float) -> Distribution:
    """The upper half of Normal(0, scale²): for errors and spreads that may be nothing."""
    return stats.halfnorm(scale=_positive("scale", scale))


def beta(a: float, b: float) -> Distribution:
    """A share between 0 and 1, of mean a / (a + b)."""
    return stats.beta(_positive("a", a), _positive("b", b))


def uniform(lower: float, upper: float) -> Distribution:
    """Anything between two bounds."""
    a, b = _rising(lower, upper)
    return stats.uniform(a, b - a)


def log_uniform(lower: float, upper: float) -> Distribution:
    """Any order of magnitude between two bounds above 0."""
    _positive("lower", lower)
    return stats.loguniform(*_rising(lower, upper))


def dirichlet(*concentration: float) -> Shares:
    """Shares of a whole; the last number is of what the named shares leave. All ones: any shares."""
    a = as_array("concentration", concentration, shape=(None,), lower=0.0, strict=True)
    if a.size < 2:
        raise InputError("a dirichlet needs two numbers at least: one a named share, one for the rest.")
    return Shares(a)


def _number(name: str, value: float) -> float:
    return as_number(name, value)


def _positive(name: str, value: float) -> float:
    return as_number(name, value, lower=0.0, strict=True)


def _rising(lower: float, upper: float) -> tuple[float, float]:
    a, b = _number("lower", lower), _number("upper", upper)
    if not a < b:
        raise InputError(f"the bounds are {a:g} and {b:g}; the lower one must be below the upper one.")
    return a, b
