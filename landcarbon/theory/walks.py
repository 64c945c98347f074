r"""Single grams on their way through the pools: what M⁻¹ and the ages are means of.

A gram in pool j stays for a time drawn from an exponential distribution of mean 1 / m_jj, then goes to
pool i with probability −m_ij / m_jj, and to the air with what is left of 1. Its path ends there.

======= ============================================== ============== ======= ==============
symbol  meaning                                        shape          unit    code name
======= ============================================== ============== ======= ==============
M       outflow matrix                                 (n, n)         yr-1    outflow_matrix
T       from coming in to leaving                      (grams,)       yr      transit_time
M⁻¹B    mean of the years spent in each pool           (n,)           yr      stay().mean(0)
E T²    twice E T times the mean age of what is there  ()             yr2     --
======= ============================================== ============== ======= ==============

Source: Metzler and Sierra (2018), doi 10.1007/s11004-017-9690-1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix import MatrixModel
from landcarbon.matrix.errors import InputError, Rng, as_kind, as_number, as_rng, as_whole

__all__ = ["Walks", "walk"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Walks:
    """Paths of grams through pools, made by `walk`."""

    pools: tuple[str, ...]
    pool: NDArray[np.int64]
    """The pool of each visit (grams, visits); −1 once the gram is in the air."""
    end: Array
    """When the visit ends (grams, visits) [yr] since the gram came in."""

    @property
    def transit_time(self) -> Array:
        """From coming in to leaving (grams,) [yr]."""
        return self.end[:, -1]

    def where(self, t: float) -> NDArray[np.int64]:
        """Pool of each gram (grams,) t years after it came in; −1 in the air."""
        visit = (self.end <= as_number("t", t, lower=0.0)).sum(axis=1)
        known = np.column_stack([self.pool, np.full(len(self.pool), -1)])
        return known[np.arange(len(known)), visit]

    def stay(self, t: float | None = None) -> Array:
        """Years that each gram has spent in each pool (grams, n) by t years after it came in; or until it left."""
        end = self.end if t is None else np.minimum(self.end, as_number("t", t, lower=0.0))
        spent = np.diff(end, axis=1, prepend=0.0)
        return np.stack([(spent * (self.pool == i)).sum(axis=1) for i in range(len(self.pools))], axis=1)


def walk(model: MatrixModel, n_grams: int = 500, *, xi: ArrayLike = 1.0, rng: Rng = 0) -> Walks:
    """Let grams of carbon come in and walk through the pools until the last has left.

    Parameters
    ----------
    model : MatrixModel
        One model with one input, without leading axes; the grams enter as B says.
    n_grams : int
    xi : float or array_like (n,)
        Environmental scalar.
    rng : Generator or int

    Returns
    -------
    Walks

    Raises
    ------
    InputError
        Leading axes, an allocation of zero, a pool that carbon enters and never leaves.

    Examples
    --------
    >>> from landcarbon.models.pools import three_pool
    >>> earth = three_pool()
    >>> grams = walk(earth, 20_000, rng=1)
    >>> print(grams.stay().mean(axis=0).round(1), earth.steady_state(1.0).round(1))
    [ 7.7  1.2 33.1] [ 7.7  1.2 33.3]
    """
    as_kind("model", model, MatrixModel)
    M = model.outflow_matrix(xi)
    if M.ndim != 2 or model.B.ndim != 1 or not model.B.any():
        raise InputError(
            "walk takes one model with one input: A, K, B and xi without leading axes, and a B that sends "
            "carbon to at least one pool."
        )
    model.steady_state(1.0, xi)
    rng, n_grams = as_rng(rng), as_whole("n_grams", n_grams, 1)
    rate = np.diag(M)
    onward = np.cumsum(np.where(np.eye(model.n), 0.0, -M) / np.where(rate > 0, rate, 1.0), axis=0)
    start = np.cumsum(model.B) / model.B.sum()
    pool = [np.minimum((rng.random(n_grams)[:, None] > start).sum(axis=1), model.n - 1)]
    end: list[Array] = []
    now = np.zeros(n_grams)
    while (pool[-1] >= 0).any():
        here = pool[-1]
        alive = here >= 0
        now = now + np.where(alive, rng.exponential(size=n_grams) / rate[here], 0.0)
        end.append(now)
        to = (rng.random(n_grams)[:, None] > onward[:, here].T).sum(axis=1)
        pool.append(np.where(alive & (to < model.n), to, -1))
    return Walks(model.pools, np.stack(pool[:-1], axis=1), np.stack(end, axis=1))
