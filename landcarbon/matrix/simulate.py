"""Forward in time: carbon under changing input, scalars and matrices.

    dX/dt = u − M X   with M and u constant within a step of length h:

    X(h)        = Φ₀ X(0) + Φ₁ u,      Φ₀ = e^(−M h),        Φ₁ = ∫₀ʰ e^(−M s) ds
    ∫₀ʰ X dt    = Φ₁ X(0) + Φ₂ u,      Φ₂ = ∫₀ʰ (h − s) e^(−M s) ds
    balance     : X(h) − X(0) = h u − M ∫₀ʰ X dt

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
t      times of the states              (steps + 1,)     yr              t
====== ================================ ================ =============== ============

The exponential step is exact for forcing that is constant within the step, for any length of step;
the implicit Euler step has an error of first order in h, and conserves carbon too. What changes with
time is read by `landcarbon.matrix.timeline`.

The exponentials are summed from terms that are not negative (uniformisation: with c the largest
diagonal entry of M, the matrix c − M has no negative entry), on a step so short that the series is
quick, and then doubled (Xue & Ye, 2013, Mathematics of Computation 82, 1577–1596). No pool can come
out negative, and small entries are as accurate as large ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array
from landcarbon.matrix.model import MatrixModel
from landcarbon.matrix.timeline import Changing, Forcing, Moment, Timeline, lengths, rising

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Propagator", "Trajectory", "integrate", "propagator", "simulate", "step"]

Array = NDArray[np.float64]
Method = Literal["exponential", "implicit"]
Model = MatrixModel | Changing | Callable[[float], MatrixModel]

TERMS = 20  # of the series, on a step with ‖c − M‖ h ≤ 1: 1 / 20! is below rounding
NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)
CACHE = 64  # propagators kept: a year of weeks, or of months with room to spare


@dataclass(frozen=True)
class Propagator:
    """Φ₀, Φ₁ and Φ₂ of one step: everything the step does, whatever the state and the input."""

    state: Array
    stay: Array
    stay_input: Array

    def __call__(self, X: Array, u: Array) -> tuple[Array, Array]:
        """State after the step, and ∫ X dt over it."""
        return _apply(self.state, X) + _apply(self.stay, u), (
            _apply(self.stay, X) + _apply(self.stay_input, u)
        )


class Trajectory(NamedTuple):
    """States and their integrals, plain arrays with time first."""

    t: Array
    X: Array
    integral: Array


def propagator(M: ArrayLike, dt: ArrayLike, method: Method = "exponential") -> Propagator:
    """Φ₀, Φ₁, Φ₂ for steps of length dt.

    Parameters
    ----------
    M : array_like (..., n, n)
        Outflow matrix [yr-1]: diagonal not negative, off-diagonal entries not positive.
    dt : array_like (...)
        Length of the step [yr], not negative; one number, or one for each leading index of M.
    method : {'exponential', 'implicit'}
        Exact step, or implicit Euler.

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
    if method == "implicit":
        eye = np.eye(M.shape[-1])
        hh = h[..., None, None]
        state = np.asarray(np.linalg.inv(eye + hh * M), dtype=np.float64)
        return Propagator(state, hh * state, hh**2 * state)
    if method != "exponential":
        raise InputError(f"method is {method!r}; choose 'exponential' or 'implicit'.")
    return _exponential(M, h)


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
    method : {'exponential', 'implicit'}
        Exact step, or implicit Euler.

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


def integrate(
    t: ArrayLike,
    X0: ArrayLike,
    M: ArrayLike,
    u: ArrayLike,
    method: Method = "exponential",
) -> Trajectory:
    """Many steps in plain arrays; equal matrices share one propagator.

    Parameters
    ----------
    t : array_like (steps + 1,)
        Times [yr], rising.
    X0 : array_like (..., n)
        State at t[0].
    M : array_like (steps or 1, ..., n, n)
        Outflow matrix of each step [yr-1]; length 1 if it never changes.
    u : array_like (steps or 1, ..., n)
        Input of each step [gC m-2 yr-1]; length 1 if it never changes.
    method : {'exponential', 'implicit'}
        Exact step, or implicit Euler.

    Returns
    -------
    Trajectory
        t (steps + 1,), X (steps + 1, ..., n), integral (steps, ..., n) of X over each step.

    Raises
    ------
    InputError
        Times that do not rise, a first axis that is neither `steps` nor 1.
    """
    t = rising("t", t)
    steps = len(t) - 1
    M = checked_outflow(M)
    n = M.shape[-1]
    u = as_array("u", u, shape=(n,))
    for name, array, least in (("M", M, 3), ("u", u, 2)):
        if array.ndim < least or array.shape[0] not in (1, steps):
            raise InputError(
                f"{name} has shape {array.shape}; its first axis is time and has length {steps} "
                "(one entry for each step) or 1 (it never changes)."
            )
    X0 = as_array("X0", X0, shape=(n,))
    return _run(t, X0, ((M[k % len(M)], u[k % len(u)]) for k in range(steps)), method)


def simulate(
    model: Model,
    t: ArrayLike,
    X0: ArrayLike,
    I: Forcing,
    xi: Forcing = 1.0,
    *,
    method: Method = "exponential",
    dims: tuple[str, ...] | None = None,
    unit: str = "gC m-2",
) -> xr.Dataset:
    """Run a model forward in time.

    Parameters
    ----------
    model : MatrixModel, `changing` or callable
        The model; or, for changing A, K, B or V, ``changing(model, K=...)`` or a function of time
        [yr] that returns it.
    t : array_like (steps + 1,)
        Times of the states [yr], rising; steps need not be equal, and dates count as decimal years.
    X0 : array_like (..., n)
        State at t[0]; leading axes are sites or members.
    I : float, array_like (steps or 1, ...), DataArray or callable
        Carbon input [gC m-2 yr-1]: a number; an array with **time first**, one entry for each
        step (or a first axis of length 1: it never changes); a labelled array with years or dates;
        or a function of time. See `landcarbon.matrix.timeline`.
    xi : float, array_like (steps or 1, ...), DataArray or callable
        Environmental scalar, in the same four forms. Per pool: (steps, n); per site:
        (steps, sites, 1); both: (steps, sites, n).
    method : {'exponential', 'implicit'}
        Exact for forcing that is constant within a step, or implicit Euler.
    dims : tuple of str, optional
        Names of the leading axes; ("site",) if there is one.
    unit : str
        Unit of the carbon, for the labels.

    Returns
    -------
    xarray.Dataset
        X (time, ..., pool); and for each step, as means over it: X_mean, input (B I) and
        respiration (step, ..., pool), xi (step, ..., pool), and its length dt (step). Fluxes times
        dt are exact amounts: the balance of each step closes to rounding.

    Raises
    ------
    InputError
        Times that do not rise, forcing whose first axis is not time, a state that does not fit.

    Examples
    --------
    >>> model = MatrixModel(("fast", "slow"), [[1, 0], [-0.3, 1]], K=[0.5, 0.025], B=[1, 0])
    >>> run = simulate(model, [0, 10, 1000], X0=[0, 0], I=1.0)
    >>> run.X.values.round(2)
    array([[ 0.  ,  0.  ],
           [ 1.99,  2.17],
           [ 2.  , 12.  ]])
    """
    clock = Timeline.read(model, t, I, xi)
    first = clock.model_at(0, float(clock.t[0] + clock.t[1]) / 2)
    X0 = as_array("X0", X0, shape=(first.n,), hint=f"The pools are {', '.join(first.pools)}.")
    passed: list[Moment] = []

    def steps() -> Iterator[tuple[Array, Array]]:
        for now in clock.walk():
            passed.append(now)
            yield now.model.outflow_matrix(now.xi), now.u

    run = _run(clock.t, X0, steps(), method)
    return _dataset(run, passed, dims, unit)


def _run(t: Array, X0: Array, steps: Iterator[tuple[Array, Array]], method: Method) -> Trajectory:
    X = [X0]
    integral = []
    known: dict[tuple[bytes, float], Propagator] = {}
    for (M, u), h in zip(steps, lengths(t)):
        key = (M.tobytes(), h)
        if key not in known:
            if len(known) >= CACHE:
                known.pop(next(iter(known)))
            known[key] = propagator(M, h, method)
        after, stay = known[key](X[-1], u)
        X.append(after)
        integral.append(stay)
    shape = X[-1].shape
    states = np.stack([np.broadcast_to(x, shape) for x in X])
    return Trajectory(t, states, np.stack([np.broadcast_to(x, shape) for x in integral]))


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


def _dataset(
    run: Trajectory, passed: list[Moment], dims: tuple[str, ...] | None, unit: str
) -> xr.Dataset:
    import xarray as xr

    pools, dt = passed[0].model.pools, np.diff(run.t)
    shape = run.X.shape[1:]
    lead = shape[:-1]
    if dims is None:
        dims = ("site",) if len(lead) == 1 else tuple(f"axis_{i}" for i in range(len(lead)))
    if len(dims) != len(lead):
        raise InputError(f"dims names {len(dims)} leading axes, but the states have {len(lead)}.")
    mean = run.integral / dt.reshape(-1, *(1,) * len(shape))
    per_step = ("step", *dims, "pool")

    def fill(rows: Iterable[Array]) -> Array:
        return np.stack([np.broadcast_to(row, shape) for row in rows])

    rate = f"{unit} yr-1"
    variables: dict[str, Any] = {
        "X": (("time", *dims, "pool"), run.X, {"units": unit, "long_name": "carbon in each pool"}),
        "X_mean": (per_step, mean, {"units": unit, "long_name": "mean carbon over the step"}),
        "input": (per_step, fill(now.u for now in passed), {"units": rate, "long_name": "carbon input, B I"}),
        "respiration": (
            per_step,
            fill(now.model.respired_fraction * (now.model.K * now.xi) for now in passed) * mean,
            {"units": rate, "long_name": "mean flux to the atmosphere over the step"},
        ),
        "xi": (per_step, fill(now.xi for now in passed), {"units": "1", "long_name": "environmental scalar"}),
        "dt": (("step",), dt, {"units": "yr", "long_name": "length of the step"}),
    }
    middle = (run.t[:-1] + run.t[1:]) / 2
    coords = {
        "time": ("time", run.t, {"units": "yr", "long_name": "time of the state"}),
        "step": ("step", middle, {"units": "yr", "long_name": "time in the middle of the step"}),
        "pool": ("pool", list(pools)),
    }
    return xr.Dataset(variables, coords)
