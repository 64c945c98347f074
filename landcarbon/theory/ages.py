r"""How old carbon is, and how long it stays.

At steady state, X* = M⁻¹ u, all three ages have the same form:

    transit time      P(T > a) = 1ᵀ exp(−M a) u  / 1ᵀu           f(a) = zᵀ exp(−M a) u  / 1ᵀu
    system age        P(S > a) = 1ᵀ exp(−M a) X* / 1ᵀX*          f(a) = 1ᵀ exp(−M a) u  / 1ᵀX*
    age in pool i     P(Aᵢ > a) = [exp(−M a) X*]ᵢ / X*ᵢ          f(a) = [exp(−M a) u]ᵢ / X*ᵢ

====== ==================================================== ============ =============== =========
symbol meaning                                              shape        unit            code name
====== ==================================================== ============ =============== =========
M      outflow matrix                                       (..., n, n)  yr-1            M
u      input of each pool, B I                              (..., n)     gC m-2 yr-1     u
z      rate of leaving to the atmosphere, 1ᵀM               (..., n)     yr-1            leave
X      carbon in each pool                                  (..., n)     gC m-2          X
a      age, or time since carbon came in                    any          yr              a
f      probability density                                  as a         yr-1            pdf(a)
====== ==================================================== ============ =============== =========

Source: Metzler and Sierra (2018), doi 10.1007/s11004-017-9690-1. For runs in which the conditions
change, see `landcarbon.theory.ages_through_time`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array
from landcarbon.theory.chain import Chain, Model, System, system

__all__ = ["AgeDistribution", "pool_ages", "system_age", "transit_time"]

Array = NDArray[np.float64]

NO_INPUT = (
    "The input is 0 in every pool, so no carbon is there whose age could be told. Give I above 0 and "
    "an allocation B that sends it to at least one pool."
)


@dataclass(frozen=True)
class AgeDistribution:
    """A distribution of ages or times [yr], or one for each pool.

    Made by `transit_time`, `system_age` and `pool_ages`. Axes of every result: leading axes of the
    model, then those of the argument, then the pools (`pool_ages` only).
    """

    chain: Chain = field(repr=False)
    start: Array = field(repr=False)
    """Where the time to leave begins: shares of the pools (..., n, m), a distribution each column."""
    shape: tuple[int, ...] = ()
    """How the m distributions are arranged: () for one, (n,), or (pool, layer)."""

    @property
    def mean(self) -> Array:
        """Mean [yr]."""
        return self._shaped(self.chain.mean[..., None, :] @ self.start, ())

    @property
    def std(self) -> Array:
        """Standard deviation [yr]."""
        square = self._shaped(self.chain.square[..., None, :] @ self.start, ())
        return np.sqrt(np.maximum(square - self.mean**2, 0.0))

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
        q = levels(q)
        m = self.start.shape[-1]
        ages = self.chain.quantile(np.tile(self.start, q.size), np.repeat(q.ravel(), m))
        return self._shaped(ages.reshape(*ages.shape[:-1], q.size, m), q.shape)

    def _at(self, function: Callable[[Array], Array], a: ArrayLike) -> Array:
        a = as_array("a", a, lower=0.0, hint="Ages are given in years.")
        return self._shaped(function(a.ravel()) @ self.start, a.shape)

    def _shaped(self, values: Array, argument: tuple[int, ...]) -> Array:
        return values.reshape((*values.shape[:-2], *argument, *self.shape))[()]


def transit_time(model: Model, I: ArrayLike, xi: ArrayLike = 1.0) -> AgeDistribution:
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
    read, _ = checked(model, I, xi)
    return AgeDistribution(read.chain, _shares(read.u)[..., None])


def system_age(model: Model, I: ArrayLike, xi: ArrayLike = 1.0) -> AgeDistribution:
    """Age of all the carbon that is in the pools, at steady state.

    Parameters
    ----------
    model, I, xi
        As for `transit_time`, and so are the errors and the source.

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
    read, _ = checked(model, I, xi)
    return AgeDistribution(read.chain, _shares(read.chain.solve(read.u))[..., None])


def pool_ages(
    model: Model,
    I: ArrayLike,
    xi: ArrayLike = 1.0,
    *,
    pools: Sequence[str | int] | None = None,
) -> AgeDistribution:
    """Age of the carbon in each pool, at steady state.

    Parameters
    ----------
    model, I, xi
        As for `transit_time`.
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
    read, reached = checked(model, I, xi)
    of = chosen(pools, read.names)
    empty = [j for j in of.tolist() if not reached[..., j].all()]
    if empty:
        raise InputError(
            f"No carbon reaches {listed(read.names, empty)}, so there is no age to tell. Let a transfer "
            "or an input lead there, or ask for other pools: pools=(...)."
        )
    chain = read.chain.backward(read.u, read.chain.solve(read.u))
    return AgeDistribution(chain, np.eye(chain.n)[:, of], read.shape if pools is None else of.shape)


def checked(
    model: Model, I: ArrayLike, xi: ArrayLike
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
        names = listed(read.names, sorted(set(np.argwhere(shut)[:, -1].tolist())))
        raise InputError(
            f"Carbon that gets into {names} can never leave, so its ages grow without end. Give the "
            "pool a turnover rate above 0 and let part of what leaves it be respired."
        )
    return System(read.chain.without(~reached), u, read.shape), reached


def _shares(amount: Array) -> Array:
    return amount / amount.sum(axis=-1, keepdims=True)


def listed(names: Sequence[str], which: Sequence[int]) -> str:
    """Names of some pools for a message, the first six of them."""
    shown = ", ".join(repr(names[j]) for j in which[:6])
    return shown + (f" and {len(which) - 6} more" if len(which) > 6 else "")


def chosen(pools: Sequence[str | int] | None, names: tuple[str, ...]) -> NDArray[np.intp]:
    """Numbers of the pools asked for."""
    if pools is None:
        return np.arange(len(names))
    if isinstance(pools, str):
        raise InputError(f"pools is one string; give a sequence, such as ({pools!r},).")
    numbers = []
    for pool in pools:
        known = pool in names if isinstance(pool, str) else 0 <= pool < len(names)
        if not known:
            raise InputError(f"There is no pool {pool!r} among {listed(names, range(len(names)))}.")
        numbers.append(names.index(pool) if isinstance(pool, str) else int(pool))
    return np.array(numbers, dtype=np.intp)


def levels(q: ArrayLike) -> Array:
    """Shares between 0 and 1."""
    q = as_array("q", q, lower=0.0, hint="q is a share: 0.5 asks for the median.")
    if np.any(q >= 1):
        raise InputError(
            f"q holds {q.max():g}, but the oldest carbon has no age limit: give shares below 1."
        )
    return q
