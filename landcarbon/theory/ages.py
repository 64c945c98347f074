r"""How old carbon is, and how long it stays.

At steady state, X* = M⁻¹ u, all three ages have the same form:

    transit time      P(T > a) = 1ᵀ exp(−M a) u  / 1ᵀu           f(a) = zᵀ exp(−M a) u  / 1ᵀu
    system age        P(S > a) = 1ᵀ exp(−M a) X* / 1ᵀX*          f(a) = 1ᵀ exp(−M a) u  / 1ᵀX*
    age in pool i     P(Aᵢ > a) = [exp(−M a) X*]ᵢ / X*ᵢ          f(a) = [exp(−M a) u]ᵢ / X*ᵢ

Through time, with Φ(t, s) the matrix that carries carbon from time s to time t, the carbon in the
pools at time t that is a years old is

    p(a, t) = Φ(t, t−a) u(t−a)              for a < t − t₀: it came in during the run
    p(a, t) = Φ(t, t₀) p₀(a − t + t₀)       for a ≥ t − t₀: it was there at the start

====== ==================================================== ============ =============== =========
symbol meaning                                              shape        unit            code name
====== ==================================================== ============ =============== =========
M      outflow matrix                                       (..., n, n)  yr-1            M
u      input of each pool, B I                              (..., n)     gC m-2 yr-1     u
z      rate of leaving to the atmosphere, 1ᵀM               (..., n)     yr-1            leave
X      carbon in each pool                                  (..., n)     gC m-2          X
a      age, or time since carbon came in                    (ages,)      yr              a
p      carbon per year of age                               (ages, n)    gC m-2 yr-1     density
====== ==================================================== ============ =============== =========

Backward transit time is the age of what leaves at time t; forward transit time is the age that what
comes in at time t will have when it leaves. At steady state they are the same.

Sources: Metzler and Sierra (2018), doi 10.1007/s11004-017-9690-1; Metzler, Müller and Sierra (2018),
doi 10.1073/pnas.1705296115.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array
from landcarbon.matrix.layers import SoilLayers
from landcarbon.matrix.model import MatrixModel
from landcarbon.matrix.solve import LayeredModel
from landcarbon.theory.chain import NO_INPUT, Chain, Model, System, system
from landcarbon.theory.flow import Flow

__all__ = [
    "AgeDistribution",
    "AgesAtTimes",
    "AgesThroughTime",
    "Start",
    "pool_ages",
    "start_empty",
    "start_given",
    "start_steady",
    "system_age",
    "through_time",
    "transit_time",
]

Array = NDArray[np.float64]
Forcing = ArrayLike | Callable[[float], ArrayLike]


@dataclass(frozen=True)
class AgeDistribution:
    """A distribution of ages or times [yr], or one for each pool.

    Made by `transit_time`, `system_age` and `pool_ages`. Axes of every result: leading axes of the
    model, then those of the argument, then the pools (`pool_ages` only).
    """

    chain: Chain = field(repr=False)
    start: Array | None = field(repr=False)
    """Shares of the pools (..., n) in which the time to leave begins; None: one result a pool."""
    of: NDArray[np.intp] | None = field(default=None, repr=False)
    """The pools of which there is one result each; None: all."""
    shape: tuple[int, ...] = ()

    @cached_property
    def _moments(self) -> tuple[Array, Array]:
        mean, square = self.chain.moments()
        return self._read(mean[..., None, :]), self._read(square[..., None, :])

    @property
    def mean(self) -> Array:
        """Mean [yr]."""
        return self._shaped(self._moments[0], ())

    @property
    def std(self) -> Array:
        """Standard deviation [yr]."""
        mean, square = self._moments
        return self._shaped(np.sqrt(np.maximum(square - mean**2, 0.0)), ())

    def pdf(self, a: ArrayLike) -> Array:
        """Probability density [yr-1] at the ages a [yr]."""
        return self._at(self.chain.leaving, a)

    def cdf(self, a: ArrayLike) -> Array:
        """Share younger than a, with all its digits when it is small."""
        return self._at(self.chain.gone, a)

    def sf(self, a: ArrayLike) -> Array:
        """Share older than a (the survival function), with all its digits when it is small."""
        return self._at(self.chain.survival, a)

    def quantile(self, q: ArrayLike) -> Array:
        """Age [yr] below which the share q lies, 0 ≤ q < 1."""
        q = _levels(q)
        flat = q.ravel()
        if self.start is None:
            of = self._of
            starts = np.tile(np.eye(self.chain.n)[:, of], flat.size)
            ages = self.chain.quantile(starts, np.repeat(flat, of.size))
            ages = ages.reshape(*ages.shape[:-1], flat.size, of.size)
        else:
            starts = np.repeat(self.start[..., None], flat.size, axis=-1)
            ages = self.chain.quantile(starts, flat)[..., None]
        return self._shaped(ages, q.shape)

    @property
    def _of(self) -> NDArray[np.intp]:
        return np.arange(self.chain.n) if self.of is None else self.of

    def _at(self, function: Callable[[Array], Array], a: ArrayLike) -> Array:
        a = as_array("a", a, lower=0.0, hint="Ages are given in years.")
        return self._shaped(self._read(function(a.ravel())), a.shape)

    def _read(self, rows: Array) -> Array:
        """From (..., ages, n), a value for each start pool, to (..., ages, pools or 1)."""
        return rows[..., self._of] if self.start is None else rows @ self.start[..., None]

    def _shaped(self, values: Array, argument: tuple[int, ...]) -> Array:
        return values.reshape((*values.shape[:-2], *argument, *self.shape))[()]


def transit_time(model: Model, I: ArrayLike, xi: ArrayLike = 1.0) -> AgeDistribution:  # noqa: E741
    """Time from the input of carbon to its release, at steady state.

    Parameters
    ----------
    model : MatrixModel, LayeredModel or array_like (..., n, n)
        An array is the outflow matrix M of stocks per area [yr-1].
    I : float or array_like
        The input as the model takes it [gC m-2 yr-1]: for a MatrixModel the total, (...) or
        (..., inputs); for a LayeredModel (..., pool, layer) [gC m-3 yr-1]; for a matrix M the
        input of each pool (..., n).
    xi : float or array_like (..., n)
        Environmental scalar of a MatrixModel.

    Returns
    -------
    AgeDistribution
        With `mean`, `std`, `pdf(a)`, `cdf(a)`, `sf(a)`, `quantile(q)`; years.

    Raises
    ------
    InputError
        No input, or carbon that comes in and can never leave; the message names the pool.

    Notes
    -----
    Metzler and Sierra (2018), doi 10.1007/s11004-017-9690-1. The mean is stock over input: Little's
    law.

    Examples
    --------
    >>> from landcarbon.models.pools import two_pool
    >>> T = transit_time(two_pool(0.5, 0.025, 0.3), I=1.0)
    >>> print(round(T.mean, 6), round(T.quantile(0.5), 3))
    14.0 2.432
    """
    read, _ = _checked(model, I, xi)
    return AgeDistribution(read.chain, _shares(read.u))


def system_age(model: Model, I: ArrayLike, xi: ArrayLike = 1.0) -> AgeDistribution:  # noqa: E741
    """Age of all the carbon that is in the pools, at steady state.

    Parameters, errors and source as for `transit_time`.

    Returns
    -------
    AgeDistribution
        The stock-weighted mixture of the pool ages.

    Examples
    --------
    >>> from landcarbon.models.pools import two_pool
    >>> print(system_age(two_pool(0.5, 0.025, 0.3), I=1.0).mean.round(6))
    36.285714
    """
    read, _ = _checked(model, I, xi)
    return AgeDistribution(read.chain, _shares(read.chain.solve(read.u)))


def pool_ages(
    model: Model,
    I: ArrayLike,  # noqa: E741
    xi: ArrayLike = 1.0,
    *,
    pools: Sequence[str | int] | None = None,
) -> AgeDistribution:
    """Age of the carbon in each pool, at steady state.

    Parameters and source as for `transit_time`, and:

    pools : sequence of str or int, optional
        Only these pools, in this order; all if not given.

    Returns
    -------
    AgeDistribution
        One distribution for each pool: the last axis, or axes (pool, layer) for a column.

    Raises
    ------
    InputError
        As for `transit_time`, and a pool that no carbon reaches.

    Examples
    --------
    >>> from landcarbon.models.pools import two_pool
    >>> pool_ages(two_pool(0.5, 0.025, 0.3), I=1.0).mean.round(6)
    array([ 2., 42.])
    """
    read, reached = _checked(model, I, xi)
    of = _chosen(pools, read.names)
    chosen = reached if of is None else reached[..., of]
    if not chosen.all():
        names = read.names if of is None else tuple(read.names[j] for j in of)
        empty = sorted(set(np.argwhere(~chosen)[:, -1].tolist()))
        raise InputError(
            f"No carbon reaches {_list(names, empty)}, so there is no age to tell. Let a transfer or "
            "an input lead there, or ask for other pools: pools=(...)."
        )
    chain = read.chain.backward(read.u, read.chain.solve(read.u))
    return AgeDistribution(chain, None, of, read.shape if of is None else (of.size,))


def _checked(
    model: Model, I: ArrayLike, xi: ArrayLike  # noqa: E741
) -> tuple[System, NDArray[np.bool_]]:
    """The model as a chain in which all that comes in can leave, and which pools it reaches."""
    read = system(model, I, xi)
    lead = np.broadcast_shapes(read.u.shape, read.chain.leave.shape)
    u = np.broadcast_to(read.u, lead)
    if np.any(u.sum(axis=-1) <= 0):
        raise InputError(NO_INPUT)
    reached = read.chain.reached(u)
    shut = reached & ~read.chain.way_out()
    if shut.any():
        names = _list(read.names, sorted(set(np.argwhere(shut)[:, -1].tolist())))
        raise InputError(
            f"Carbon that gets into {names} can never leave, so its ages grow without end. Give the "
            "pool a turnover rate above 0 and let part of what leaves it be respired."
        )
    return System(read.chain.without(~reached), u, read.shape), reached


def _shares(amount: Array) -> Array:
    return amount / amount.sum(axis=-1, keepdims=True)


def _list(names: Sequence[str], which: Sequence[int]) -> str:
    shown = ", ".join(repr(names[j]) for j in which[:6])
    return shown + (f" and {len(which) - 6} more" if len(which) > 6 else "")


def _chosen(
    pools: Sequence[str | int] | None, names: tuple[str, ...]
) -> NDArray[np.intp] | None:
    if pools is None:
        return None
    if isinstance(pools, str):
        raise InputError(f"pools is one string; give a sequence, such as ({pools!r},).")
    numbers = []
    for pool in pools:
        known = pool in names if isinstance(pool, str) else 0 <= pool < len(names)
        if not known:
            raise InputError(f"There is no pool {pool!r} among {_list(names, range(len(names)))}.")
        numbers.append(names.index(pool) if isinstance(pool, str) else int(pool))
    return np.array(numbers, dtype=np.intp)


def _levels(q: ArrayLike) -> Array:
    q = as_array("q", q, lower=0.0, hint="q is a share: 0.5 asks for the median.")
    if np.any(q >= 1):
        raise InputError(
            f"q holds {q.max():g}, but the oldest carbon has no age limit: give shares below 1."
        )
    return q
