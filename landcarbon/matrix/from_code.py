"""A matrix from anyone's code: n + 1 calls of a model written flux by flux give M and u.

    dX/dt = f(X) = u − M X       ⇒       u = f(0),      M_j = (u − f(s e_j)) / s      for any s

====== ============================================= ======= ============ ===============
symbol meaning                                       shape   unit         code name
====== ============================================= ======= ============ ===============
f      what the code returns for a state             (n,)    gC m-2 yr-1  step
u      input: what still changes when nothing is     (n,)    gC m-2 yr-1  u
       there
M_j    column j of the outflow matrix                (n, n)  yr-1         M
e_j    one pool with carbon, all others empty        (n,)    1
w      weights: w·X is carbon, thickness of layers   (n,)    m            weights
       for concentrations
r      what each pool gives to the atmosphere, if    (n,)    yr-1         released
       the code says it
====== ============================================= ======= ============ ===============

The code is asked and not read, so it may be in any language. Two calls more ask whether it is linear:
the matrix must tell what f says of states it has not seen. Everything else follows from M: who feeds
whom, what is respired, carbon made from nothing, and with the code's own account of what it respires,
carbon that leaves and arrives nowhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array, as_kind, as_number
from landcarbon.matrix.model import MatrixModel, check_names

__all__ = ["FromCode", "matrix_from"]

Array = NDArray[np.float64]

EXACT = 1e-9  # relative: code that adds and multiplies misses by 1e-15, a feedback by much more
GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class FromCode:
    """What the calls showed: matrix, input, and what is wrong with them.

    Attributes
    ----------
    pools : tuple of str
    M : ndarray (n, n)
        Outflow matrix [yr-1] of the variables that the code has.
    u : ndarray (n,)
        Input of each pool.
    released : ndarray (n,) or None
        Rate at which each pool gives carbon to the atmosphere, by the code's own account [yr-1].
    weights : ndarray (n,)
        w·X is the carbon of the model.
    nonlinear : ndarray (n,)
        How far the change of each pool, in states the matrix has not seen, is from u − M X, relative
        to the fluxes through it: rounding if the code is linear.
    """

    pools: tuple[str, ...]
    M: Array
    u: Array
    released: Array | None
    weights: Array
    nonlinear: Array

    @property
    def leaving(self) -> Array:
        """Rate at which carbon of each pool leaves the model (n,) [yr-1]: weighted sums of the columns of M."""
        return np.asarray(self.weights @ self.M / self.weights)

    @property
    def leak(self) -> Array:
        """What leaves each pool, arrives nowhere and is not respired either (n,) [yr-1]; 0 if not asked."""
        return np.zeros(len(self.pools)) if self.released is None else self.leaving - self.released

    @property
    def problems(self) -> tuple[str, ...]:
        """One sentence for each thing that no carbon model does; of code that is not linear only that is said."""
        return tuple(self._feedback() or [*self._signs(), *self._balance()])

    @property
    def model(self) -> tuple[MatrixModel, float]:
        """The same code as a MatrixModel of stocks, and its total input.

        Raises
        ------
        InputError
            The problems, if there are any.
        """
        if self.problems:
            raise InputError("This code is no matrix model yet. " + " ".join(self.problems))
        stocks = self.M * self.weights[:, None] / self.weights
        K, total = np.diagonal(stocks), float(self.weights @ self.u)
        off = stocks - np.diag(K)
        A = np.eye(len(K)) + np.divide(off, K, out=np.zeros_like(off), where=K > 0)
        B = self.weights * self.u / total if total > 0 else np.zeros(len(K))
        A, B = np.where(off < 0, A, np.eye(len(K))), np.maximum(B, 0.0)  # rounding of the calls
        return MatrixModel(self.pools, A=A, K=K, B=B), total

    def __str__(self) -> str:
        moves = int((self._sure(self.M) & ~np.eye(len(self.pools), dtype=bool)).sum())
        breathing = [
            p for p, rate, size in zip(self.pools, self.leaving, self._size) if rate > EXACT * size
        ]
        head = (
            f"{len(self.pools)} pools, {moves} transfer{'s' * (moves != 1)}, input into "
            + _listed([p for p, amount in zip(self.pools, self.u) if amount > 0])
        )
        lines = [head + ".", f"Carbon leaves the model from {_listed(breathing)}."]
        problems = self.problems
        lines += [f"- {sentence}" for sentence in problems] or [
            "A linear model that conserves carbon."
        ]
        return "\n".join(lines)

    @property
    def _size(self) -> Array:
        """Size of the fluxes of each pool, for comparison (n,) [yr-1]."""
        return np.asarray(self.weights @ np.abs(self.M) / self.weights)

    def _sure(self, M: Array) -> NDArray[np.bool_]:
        return np.abs(M) > EXACT * np.maximum(self._size, np.finfo(float).tiny)

    def _signs(self) -> list[str]:
        found, sure = [], self._sure(self.M)
        largest = float(np.abs(self.u).max(initial=0.0))
        for i in np.flatnonzero(self.u < -EXACT * largest):
            found.append(
                f"'{self.pools[i]}' loses {-self.u[i]:.3g} a year even when all pools are empty: some flux out "
                "of it does not ask how much is there."
            )
        for j in np.flatnonzero((np.diagonal(self.M) < 0) & np.diagonal(sure)):
            found.append(
                f"'{self.pools[j]}' grows by {-self.M[j, j]:.3g} of itself a year: a flux out of it has a plus."
            )
        for i, j in np.argwhere((self.M > 0) & sure & ~np.eye(len(self.pools), dtype=bool)):
            found.append(
                f"Carbon in '{self.pools[j]}' makes '{self.pools[i]}' fall, by {self.M[i, j]:.3g} of it a year: "
                f"a sign is turned, or a flux out of '{self.pools[i]}' is computed from '{self.pools[j]}'."
            )
        return found

    def _balance(self) -> list[str]:
        found, size = [], self._size
        for j in np.flatnonzero(self.leaving < -EXACT * size):
            each = (
                f": {1 - self.leaving[j] / self.M[j, j]:.4g} for each gram"
                if self.M[j, j] > 0
                else ""
            )
            found.append(
                f"Carbon is made: more arrives from '{self.pools[j]}' than leaves it{each}."
            )
        for j in np.flatnonzero(np.abs(self.leak) > EXACT * size):
            verb = (
                "leave it and arrive nowhere"
                if self.leak[j] > 0
                else "are respired that never left"
            )
            found.append(f"'{self.pools[j]}' leaks: {abs(self.leak[j]):.3g} of it a year {verb}.")
        return found

    def _feedback(self) -> list[str]:
        rows = np.flatnonzero(self.nonlinear > EXACT)
        if not rows.size:
            return []
        worst = self.nonlinear[rows].max()
        return [
            f"Not linear: the change of {_listed([self.pools[i] for i in rows])} is off by up to {worst:.2g} of "
            "the fluxes, so M belongs to no state. Some rate or input depends on what is in the pools."
        ]


def matrix_from(
    step: Callable[[Array], Any],
    pools: int | Sequence[str],
    *,
    dt: float | None = None,
    weights: ArrayLike | None = None,
    size: float | None = None,
) -> FromCode:
    """Ask a model written flux by flux for its matrix.

    Parameters
    ----------
    step : callable
        ``step(X)`` returns dX/dt (n,) for a state X (n,); or a pair of it and of what the pools give
        to the atmosphere, a total or one number each. With `dt`, the state after one explicit step.
        Forcing is held: bind it before, ``lambda X: my_model(X, warm_day)``.
    pools : int or sequence of str
        How many there are, or their names.
    dt : float, optional
        Length of the step [yr], where `step` returns a state; what is released is then an amount.
    weights : array_like (n,), optional
        Thickness of the layer [m] of each pool, where X holds concentrations.
    size : float, optional
        Carbon put into one pool at a time; if not given, a power of 2 beyond the input of a
        thousand years.

    Returns
    -------
    FromCode
        ``print`` it for a report.

    Raises
    ------
    InputError
        Another number of values than pools, NaN from an empty pool, an account of release that does
        not fit.

    Examples
    --------
    Litter and soil; the programmer forgot that only 30 % of the litter becomes soil.

    >>> def mine(X):
    ...     litter, soil = X
    ...     decay, breath = 2.0 * litter, 0.02 * soil
    ...     return [500 - decay, decay - breath], 0.7 * decay + breath
    >>> print(matrix_from(mine, ["litter", "soil"]))
    2 pools, 1 transfer, input into 'litter'.
    Carbon leaves the model from 'soil'.
    - 'litter' leaks: 1.4 of it a year are respired that never left.
    """
    names = check_names([f"pool {k}" for k in range(pools)] if isinstance(pools, int) else pools)
    n = len(names)
    as_kind("step", step, callable, hint="It takes the pools and returns dX/dt.")
    ask = _Asked(step, names, dt)
    w = (
        np.ones(n)
        if weights is None
        else as_array("weights", weights, shape=(n,), lower=0.0, strict=True)
    )
    u, at_rest = ask(np.zeros(n), "an empty state")
    if size is None:
        size = 2.0 ** math.ceil(math.log2(max(1.0, 1e3 * float(np.abs(u).sum()))))
    M = np.empty((n, n))
    released = None if at_rest is None else np.empty(n)
    for j in range(n):
        probe = np.zeros(n)
        probe[j] = size
        change, gone = ask(probe, f"carbon in '{names[j]}' alone")
        M[:, j] = (u - change) / size
        if released is not None:
            released[j] = (gone - at_rest) / (size * w[j])
    far = np.asarray(size * (0.2 + (GOLDEN * np.arange(1, n + 1)) % 1), dtype=np.float64)
    nonlinear = np.zeros(n)
    for X in (far, np.asarray(far[::-1] / 7, dtype=np.float64)):
        change, _ = ask(X, "a state with carbon in all pools")
        through = np.abs(u) + np.abs(M) @ X
        miss = np.abs(change - (u - M @ X))
        nonlinear = np.maximum(
            nonlinear, np.divide(miss, through, out=np.zeros(n), where=through > 0)
        )
    return FromCode(names, M, u, released, w, nonlinear)


@dataclass(frozen=True)
class _Asked:
    """The code, its answers looked at: dX/dt, and the total release if it tells."""

    step: Callable[[Array], Any]
    names: tuple[str, ...]
    dt: float | None

    def __call__(self, X: Array, what: str) -> tuple[Array, Any]:
        given = self.step(X.copy())
        pair = isinstance(given, tuple) and len(given) == 2 and np.ndim(given[0]) == 1
        change, released = given if pair else (given, None)
        hint = f"That is what step returned for {what}; it must return dX/dt of {len(self.names)} pools."
        rate = as_array("dX/dt", change, shape=(len(self.names),), hint=hint)
        if rate.ndim != 1:
            raise InputError(f"dX/dt has shape {rate.shape}. {hint}")
        total = (
            None
            if released is None
            else float(np.sum(as_array("what is released", released, hint=hint)))
        )
        if self.dt is None:
            return rate, total
        h = as_number("dt", self.dt, lower=0.0, strict=True, hint="Length of the step in years.")
        return (rate - X) / h, None if total is None else total / h


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:6])
    return (shown + (f" and {len(names) - 6} more" if len(names) > 6 else "")) or "none"
