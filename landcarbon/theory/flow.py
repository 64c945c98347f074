"""Carbon carried forward under changing rates, to many digits.

    dX/dt = u(t) − M(t) X,      dY₁/dt = X − M(t) Y₁,      dY₂/dt = 2 Y₁ − M(t) Y₂
    dW/dt = −M(t) W

====== ============================================ ========= ============= =========
symbol meaning                                      shape     unit          code name
====== ============================================ ========= ============= =========
X      carbon                                       (n,)      gC m-2        Z[:, 0]
Y₁     carbon times its mean age                    (n,)      gC m-2 yr     Z[:, 1]
Y₂     carbon times its mean square age             (n,)      gC m-2 yr2    Z[:, 2]
W      cohorts: carbon no longer fed by the input   (n, m)    any           W
M      outflow matrix                               (n, n)    yr-1          M(t)
u      input                                        (n,)      gC m-2 yr-1   u(t)
====== ============================================ ========= ============= =========

Carried backwards in time, the transposed matrix tells what becomes of carbon later on:

    −dW/dt = −M(t)ᵀ W

Radau IIA collocation with five stages (order 9, stable for any stiffness; Hairer and Wanner 1996,
Solving Ordinary Differential Equations II, section IV.8). The equations are linear, so a step is one
linear system shared by all columns. The step length follows from comparing one step with two halves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lu_factor, lu_solve
from scipy.special import roots_jacobi

from landcarbon.matrix.errors import InputError

__all__ = ["Flow"]

Array = NDArray[np.float64]
Rates = Callable[[float], tuple[Array, Array]]
Jumps = Callable[[float, float], list[float]]

STAGES = 5


def _radau(s: int) -> tuple[Array, Array]:
    """Nodes c (s,) and weights a (s, s) of Radau IIA on [0, 1]."""
    c = np.asarray(np.append((roots_jacobi(s - 1, 1, 0)[0] + 1) / 2, 1.0), dtype=np.float64)
    powers = np.vander(c, increasing=True)
    integrals = c[:, None] ** np.arange(1, s + 1) / np.arange(1, s + 1)
    return c, np.asarray(np.linalg.solve(powers.T, integrals.T).T, dtype=np.float64)


NODES, WEIGHTS = _radau(STAGES)
SHORTEST = 1e-13  # of a time: shorter steps drown in its rounding
SHRINK = 2.0**STAGES - 1  # two halves are closer to the truth by this factor, at the least


class Flow:
    """Steps of the equations above between any two times.

    Parameters
    ----------
    rates : callable
        `rates(t) -> (M, u)`.
    jumps : callable
        `jumps(t0, t1)` lists, in order, the times between t0 and t1 at which M or u jumps.
    rtol, atol : float
        Admissible error of one step: rtol × the number itself + atol × the largest of its column.
    """

    def __init__(self, rates: Rates, jumps: Jumps, rtol: float, atol: float) -> None:
        self.rates, self.jumps = rates, jumps
        self.rtol, self.atol = rtol, atol
        self.h: float | None = None

    def carry(self, t0: float, t1: float, Z: Array, W: Array) -> tuple[Array, Array]:
        """Z (n, moments) and W (n, m) at t1, from those at t0 ≤ t1."""
        for stop in (*self.jumps(t0, t1), t1):
            Z, W = self._smooth(t0, stop, Z, W)
            t0 = stop
        return Z, W

    def through(
        self, t: float, times: Array, Z: Array, W: Array
    ) -> Iterator[tuple[float, Array, Array]]:
        """The same at each of some rising times, one after the other."""
        for time in times.tolist():
            Z, W = self.carry(t, time, Z, W)
            yield time, Z, W
            t = time

    def backward(self) -> Flow:
        """The transposed flow, in which time runs from −late to −early and the input is 1."""

        def rates(s: float) -> tuple[Array, Array]:
            M, u = self.rates(-s)
            return M.T, np.ones_like(u)

        def jumps(s0: float, s1: float) -> list[float]:
            return [-t for t in reversed(self.jumps(-s1, -s0))]

        return Flow(rates, jumps, self.rtol, self.atol)

    def _smooth(self, t: float, t1: float, Z: Array, W: Array) -> tuple[Array, Array]:
        if t >= t1:
            return Z, W
        h = min(self.h or np.inf, t1 - t)
        if self.h is None:
            fastest = float(np.diagonal(self.rates((t + t1) / 2)[0]).max())
            h = min(h, 1.0 / fastest if fastest > 0 else np.inf)
        while t < t1:
            last = t + h * (1 + 1e-9) >= t1
            if last:
                h = t1 - t
            whole = self._step(t, h, Z, W)
            half = self._step(t, h / 2, Z, W)
            halves = self._step(t + h / 2, h / 2, *half)
            error = max(self._error(a, b) for a, b in zip(whole, halves))
            factor = 3.0 if error == 0 else min(3.0, max(0.1, 0.9 * error**-0.125))
            if error <= 1:
                t = t1 if last else t + h
                Z, W = halves
                # A last step may be short for the sake of its end only.
                self.h = h * factor if not last else max(self.h or 0.0, h * factor)
            elif h < SHORTEST * max(abs(t), abs(t1)):
                raise InputError(
                    f"No step near t = {abs(t):g} is short enough for rtol = {self.rtol:g}. Does the "
                    "forcing jump there? Name the time in `breaks`, or allow a larger rtol."
                )
            h *= factor
        return Z, W

    def _error(self, a: Array, b: Array) -> float:
        if b.size == 0:
            return 0.0
        largest = np.abs(b).max(axis=0, keepdims=True)
        scale = self.rtol * np.abs(b) + self.atol * largest
        miss = np.abs(a - b) / SHRINK
        return float(np.max(np.divide(miss, scale, out=np.zeros_like(miss), where=scale > 0)))

    def _step(self, t: float, h: float, Z: Array, W: Array) -> tuple[Array, Array]:
        n = Z.shape[0]
        at = [self.rates(float(np.nextafter(t + c * h, t + h / 2))) for c in NODES]
        M = np.stack([m for m, _ in at])
        big = h * WEIGHTS[:, None, :, None] * np.moveaxis(M, 0, 1)[None]
        big = big.reshape(STAGES * n, STAGES * n)
        big[np.diag_indices(STAGES * n)] += 1.0
        factors = lu_factor(big, overwrite_a=True, check_finite=False)

        feed = np.stack([u for _, u in at])
        after = np.empty_like(Z)
        for k in range(Z.shape[1]):
            right = Z[:, k] + h * WEIGHTS @ feed
            stages = lu_solve(factors, right.ravel(), check_finite=False).reshape(STAGES, n)
            after[:, k] = stages[-1]
            feed = (k + 1) * stages
        if W.shape[1]:
            right = np.tile(W, (STAGES, 1))
            W = lu_solve(factors, right, check_finite=False)[-n:]
        return after, W
