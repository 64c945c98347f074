"""One step forward: explicit, implicit or exact; of pools or of soil columns.

    dX/dt = u − M X   with M and u constant within a step of length h:

    X(h)        = Φ₀ X(0) + Φ₁ u
    ∫₀ʰ X dt    = Φ₁′ X(0) + Φ₂ u
    balance     : X(h) − X(0) = h u − M ∫₀ʰ X dt

=========== =================== ============================== ==================== ================
step        Φ₀                  Φ₁                             Φ₁′                  Φ₂
=========== =================== ============================== ==================== ================
exponential e^(−M h)            ∫₀ʰ e^(−M s) ds                as Φ₁                ∫₀ʰ (h − s)
                                                                                    e^(−M s) ds
implicit    (1 + h M)⁻¹         h (1 + h M)⁻¹                  as Φ₁                h² (1 + h M)⁻¹
explicit    1 − h M             h                              h                    0
=========== =================== ============================== ==================== ================

====== ================================ ================ =============== ============
symbol meaning                          shape            unit            code name
====== ================================ ================ =============== ============
X      carbon in each pool              (..., n)         gC m-2          X
M      outflow matrix A ξ K + V         (..., n, n)      yr-1            M
u      input of each pool, B I          (..., n)         gC m-2 yr-1     u
h      length of a step                 () or (...)      yr              dt
Φ₀     what is left, and where          (..., n, n)      1               Propagator.state
Φ₁     time spent, per initial carbon   (..., n, n)      yr              Propagator.stay
Φ₂     time spent, per input            (..., n, n)      yr2             Propagator.stay_input
====== ================================ ================ =============== ============

The exponential step is exact, for any length. The other two have an error of first order in h, and
conserve carbon too. The explicit one needs steps shorter than the turnover of the fastest pool.

An implicit step of soil columns is a steady state with 1/h more on the diagonal,
(M + 1/h) X(h) = X(0)/h + u: many columns take it together, see `landcarbon.matrix.cascade`.

The exponentials are summed from terms that are not negative (uniformisation: with c the largest
diagonal entry of M, the matrix c − M has no negative entry), on a step so short that the series is
quick, and then doubled (Xue & Ye, 2013, Mathematics of Computation 82, 1577–1596). No pool can come
out negative, and small entries are as accurate as large ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array, as_choice, as_kind, as_number
from landcarbon.matrix.solve import FEW, MANY

if TYPE_CHECKING:
    from landcarbon.matrix.column import LayeredModel
    from landcarbon.matrix.model import MatrixModel

__all__ = ["STEPPERS", "Method", "Move", "Moves", "Propagator", "Stepper", "propagator", "step"]

Array = NDArray[np.float64]
Method = Literal["exponential", "implicit", "explicit"]

TERMS = 20  # of the series, on a step with ‖c − M‖ h ≤ 1: 1 / 20! is below rounding
NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)
CACHE = 64  # moves kept: a year of weeks, or of months with room to spare


class Move(Protocol):
    """One step, ready to be taken by any state under any input."""

    def __call__(self, X: Array, u: Array) -> tuple[Array, Array]:
        """State after the step, and ∫ X dt over it."""


class Stepper(Protocol):
    """How a step is made; a way of one's own is one more entry of `STEPPERS`."""

    def pools(self, M: Array, h: Array) -> Propagator:
        """A step of length h of pools with the outflow matrix M (..., n, n)."""

    def column(self, column: LayeredModel, h: float) -> Move:
        """A step of soil columns, states (..., pool, layer) [gC m-3]."""


@dataclass(frozen=True)
class Propagator:
    """Φ₀, Φ₁ and Φ₂ of one step: everything the step does, whatever the state and the input."""

    state: Array
    stay: Array
    stay_input: Array

    def __call__(self, X: Array, u: Array) -> tuple[Array, Array]:
        """State after the step, and ∫ X dt over it."""
        n = self.state.shape[-1]
        if not _plain(X, n) or not _plain(u, n):
            X, u = as_array("X", X, shape=(n,)), as_array("u", u, shape=(n,))
        return _apply(self.state, X) + _apply(self.stay, u), (
            _apply(self.stay, X) + _apply(self.stay_input, u)
        )


class Exponential:
    """The exact step."""

    def pools(self, M: Array, h: Array) -> Propagator:
        return _exponential(M, h)

    def column(self, column: LayeredModel, h: float) -> Move:
        return _OfStocks(column, self.pools(column.stock_matrix(), np.asarray(h)))


class Implicit:
    """Implicit Euler: rates at the end of the step."""

    def pools(self, M: Array, h: Array) -> Propagator:
        eye = np.eye(M.shape[-1])
        hh = h[..., None, None]
        state = np.asarray(np.linalg.inv(eye + hh * M), dtype=np.float64)
        return Propagator(state, hh * state, hh**2 * state)

    def column(self, column: LayeredModel, h: float) -> Move:
        return _Relaxing(column, h)


class Explicit:
    """Explicit Euler: rates at the beginning of the step, which must be short."""

    def pools(self, M: Array, h: Array) -> Propagator:
        eye = np.eye(M.shape[-1])
        hh = h[..., None, None]
        _check_short(hh * np.diagonal(M, axis1=-2, axis2=-1)[..., None, :])
        stay = np.broadcast_to(hh * eye, M.shape)
        return Propagator(eye - hh * M, stay, np.zeros(M.shape))

    def column(self, column: LayeredModel, h: float) -> Move:
        _check_short(h * column.leaving_rates())
        return _Ahead(column, h)


STEPPERS: dict[str, Stepper] = {
    "exponential": Exponential(),
    "implicit": Implicit(),
    "explicit": Explicit(),
}
"""The ways to make a step, by name."""


class _OfStocks(NamedTuple):
    """A step of columns by the matrix of their stocks per area."""

    frame: LayeredModel
    move: Propagator

    def __call__(self, X: Array, u: Array) -> tuple[Array, Array]:
        after, stay = self.move(self.frame.stocks(X), self.frame.stocks(u))
        return self.frame.concentrations(after), self.frame.concentrations(stay)


class _Relaxing:
    """An implicit step of columns: a steady state with 1/h more on the diagonal."""

    def __init__(self, frame: LayeredModel, h: float) -> None:
        self.frame, self.h = frame, h
        self.taken = False
        self.solve: Callable[[Array], Array] | None = None

    def __call__(self, X: Array, u: Array) -> tuple[Array, Array]:
        b = X / self.h + u
        if self.taken and self.solve is None and FEW <= math.prod(b.shape[:-2]) <= MANY:
            self.solve = self.frame.prepared(1 / self.h)  # it comes again and again
        self.taken = True
        after = self.frame.relaxed(b, 1 / self.h) if self.solve is None else self.solve(b)
        return after, self.h * after


class _Ahead(NamedTuple):
    """An explicit step of columns."""

    frame: LayeredModel
    h: float

    def __call__(self, X: Array, u: Array) -> tuple[Array, Array]:
        return X + self.h * self.frame.derivative(X, u), self.h * X


@dataclass
class Moves:
    """Steps of a run; equal models under equal scalars share one.

    Examples
    --------
    >>> from landcarbon.models.pools import one_pool
    >>> moves = Moves("implicit")
    >>> X, stay = moves(one_pool(k=0.1), xi=1.0, h=10.0)(np.array([100.0]), np.array([0.0]))
    >>> X, stay
    (array([50.]), array([500.]))
    """

    method: Method = "exponential"
    known: dict[tuple[bytes, float], Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        stepper(self.method)

    def __call__(self, model: MatrixModel | LayeredModel, xi: ArrayLike, h: float) -> Move:
        """The step of length h [yr] of a model under the scalar xi."""
        h = self._length(h)
        if not hasattr(model, "stepping"):
            as_kind("model", model, "stepping", hint="Such as a MatrixModel.")
        key, make = model.stepping(xi)
        if key is None:
            return make(stepper(self.method), h)
        return self._kept(key, h, make)

    def of_matrix(self, M: Array, h: float) -> Propagator:
        """The step of pools with the outflow matrix M."""
        if type(M) is not np.ndarray or M.dtype != np.float64:
            M = as_array("M", M)
        h = self._length(h)
        # What is known was looked at when it was met first.
        moved: Propagator = self._kept(M.tobytes(), h, lambda how, h: how.pools(checked_outflow(M), np.asarray(h)))
        return moved

    def _length(self, h: Any) -> float:
        """A length; asked in every step, so that only what is odd is worth a full look."""
        return h if isinstance(h, float) and 0.0 <= h < math.inf else as_number("h", h, lower=0.0)

    def _kept(self, key: bytes, h: float, make: Callable[[Stepper, float], Move]) -> Any:
        if (key, h) not in self.known:
            if len(self.known) >= CACHE:
                self.known.pop(next(iter(self.known)))
            self.known[key, h] = make(stepper(self.method), h)
        return self.known[key, h]


def stepper(method: str) -> Stepper:
    """One of `STEPPERS`, by its name."""
    return STEPPERS[as_choice("method", method, STEPPERS)]


def propagator(M: ArrayLike, dt: ArrayLike, method: Method = "exponential") -> Propagator:
    """Φ₀, Φ₁, Φ₂ for steps of length dt.

    Parameters
    ----------
    M : array_like (..., n, n)
        Outflow matrix [yr-1]: diagonal not negative, off-diagonal entries not positive.
    dt : array_like (...)
        Length of the step [yr], not negative; one number, or one for each leading index of M.
    method : {'exponential', 'implicit', 'explicit'}
        Exact step, implicit or explicit Euler.

    Returns
    -------
    Propagator
        Three arrays (..., n, n), none with a negative entry.

    Raises
    ------
    InputError
        M is not square, or has a sign that no outflow matrix has; dt is negative.

    Examples
    --------
    >>> p = propagator([[0.5, 0.0], [-0.5, 0.1]], dt=2.0)
    >>> p.state.round(4)
    array([[0.3679, 0.    ],
           [0.5636, 0.8187]])
    """
    M = checked_outflow(M)
    h = as_array("dt", dt, lower=0.0, hint="dt is the length of a step in years.")
    return stepper(method).pools(M, h)


def step(
    X: ArrayLike, M: ArrayLike, u: ArrayLike, dt: ArrayLike, method: Method = "exponential"
) -> tuple[Array, Array]:
    """One step of dX/dt = u − M X in plain arrays.

    Parameters
    ----------
    X : array_like (..., n)
        State at the start [gC m-2].
    M : array_like (..., n, n)
        Outflow matrix [yr-1].
    u : array_like (..., n)
        Input of each pool [gC m-2 yr-1].
    dt : array_like (...)
        Length of the step [yr].
    method : {'exponential', 'implicit', 'explicit'}
        Exact step, implicit or explicit Euler.

    Returns
    -------
    X : ndarray (..., n)
        State at the end [gC m-2].
    integral : ndarray (..., n)
        ∫ X dt over the step [gC m-2 yr]; a flux K X over the step carries K × integral.

    Raises
    ------
    InputError
        Shapes that do not fit, signs that no outflow matrix has.

    Examples
    --------
    >>> X, integral = step([100.0], [[0.1]], [0.0], dt=10.0)
    >>> X.round(2), integral.round(1)
    (array([36.79]), array([632.1]))
    """
    M = checked_outflow(M)
    n = M.shape[-1]
    X, u = as_array("X", X, shape=(n,)), as_array("u", u, shape=(n,))
    return propagator(M, dt, method)(X, u)


def _exponential(M: Array, h: Array) -> Propagator:
    lead = np.broadcast_shapes(M.shape[:-2], h.shape)
    n = M.shape[-1]
    M = np.broadcast_to(M, (*lead, n, n))
    c = np.diagonal(M, axis1=-2, axis2=-1).max(axis=-1) if n else np.zeros(lead)
    P = c[..., None, None] * np.eye(n) - M
    size = np.maximum(c, P.sum(axis=-2).max(axis=-1)) * h
    largest = float(size.max(initial=0.0))
    halvings = max(0, math.ceil(math.log2(largest))) if largest > 0 else 0
    short = h / 2.0**halvings

    # With σ from 0 to 1 over the short step: e^(−M s) = Σ_k (P h)^k / k! · σ^k e^(−c h σ).
    sigma, weight = (NODES + 1) / 2, WEIGHTS / 2
    decay = np.exp(-(c * short)[..., None] * sigma)
    k = np.arange(TERMS)
    factorial = np.array([math.factorial(int(i)) for i in k], dtype=float)
    powers = sigma ** k[:, None] / factorial[:, None]
    one = np.einsum("...q,kq->...k", decay * weight, powers) * short[..., None]
    two = np.einsum("...q,kq->...k", decay * weight * (1 - sigma), powers) * short[..., None] ** 2
    zero = np.exp(-c * short)[..., None] / factorial

    Ph = P * short[..., None, None]
    term = np.broadcast_to(np.eye(n), (*lead, n, n))
    state, stay, stay_input = (w[..., 0, None, None] * term for w in (zero, one, two))
    for i in range(1, TERMS):
        term = term @ Ph
        state = state + zero[..., i, None, None] * term
        stay = stay + one[..., i, None, None] * term
        stay_input = stay_input + two[..., i, None, None] * term
    leave = M.sum(axis=-2)
    leave = np.where(np.abs(leave) <= 4 * n * np.finfo(float).eps * np.abs(M).sum(axis=-2), 0.0, leave)
    closed = bool(np.all(leave >= 0))
    for _ in range(halvings):
        stay_input = stay_input + short[..., None, None] * stay + state @ stay_input
        stay = stay + state @ stay
        state = state @ state
        short = 2 * short
        if closed:
            # What is still there and what has left make up the whole. A squaring doubles the rounding
            # error of that sum; put right each time, it does not grow.
            whole = state.sum(axis=-2) + (leave[..., None, :] @ stay)[..., 0, :]
            state, stay = state / whole[..., None, :], stay / whole[..., None, :]
    return Propagator(state, stay, stay_input)


def _apply(matrix: Array, vector: Array) -> Array:
    return (matrix @ vector[..., None])[..., 0]


def _plain(x: Any, n: int) -> bool:
    """Whether it is an array of floats, n of them on its last axis: asked in every step of a run."""
    return type(x) is np.ndarray and x.dtype == np.float64 and x.ndim > 0 and x.shape[-1] == n


def checked_outflow(M: ArrayLike) -> Array:
    M = as_array("M", M)
    if M.ndim < 2 or M.shape[-1] != M.shape[-2]:
        raise InputError(f"M must end in a square matrix, but its shape is {M.shape}.")
    diagonal = np.diagonal(M, axis1=-2, axis2=-1)
    off = M - diagonal[..., None, :] * np.eye(M.shape[-1])
    if np.any(diagonal < 0) or np.any(off > 0):
        raise InputError(
            "M must have a diagonal that is not negative and no positive entry off it: "
            "dX/dt = u − M X. With the other sign convention, give −M."
        )
    return M


def _check_short(share: Array) -> None:
    """A pool cannot lose more than it holds: `share` is h times the rate at which each empties."""
    if np.any(share > 1):
        raise InputError(
            f"An explicit step this long takes {share.max():.3g} times what a pool holds. Make it at least "
            f"{math.ceil(share.max())} times shorter, or use method='implicit' or 'exponential'."
        )
