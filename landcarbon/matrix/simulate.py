"""Forward in time: carbon under changing input, scalars and matrices.

    dX/dt = B(t) I(t) − M(t) X,      M = A ξ K + V

====== ================================ ================ =============== ============
symbol meaning                          shape            unit            code name
====== ================================ ================ =============== ============
X      carbon in each pool, or in each  (..., n) or      gC m-2 or       X
       pool and layer of a column       (..., pool, lay) gC m-3
I      carbon input                     as the model's   gC m-2 yr-1     I
ξ      environmental scalar             as the model's   1               xi
t      times of the states              (steps + 1,)     yr              t
====== ================================ ================ =============== ============

How a step is made is `landcarbon.matrix.steps`: the exponential step is exact for what is constant
within it, for any length. What changes with time is read by `landcarbon.matrix.timeline`. A year that
repeats is `landcarbon.matrix.loops`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.errors import InputError, aligned, as_array
from landcarbon.matrix.labels import labelled
from landcarbon.matrix.model import MatrixModel
from landcarbon.matrix.steps import Method, Moves, checked_outflow
from landcarbon.matrix.timeline import Changing, Forcing, Moment, Timeline, lengths, rising

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Trajectory", "integrate", "kept", "simulate"]

Array = NDArray[np.float64]
Pools = MatrixModel | LayeredModel
Model = Pools | Changing | Callable[[float], Pools]


class Trajectory(NamedTuple):
    """States and their integrals, plain arrays with time first."""

    t: Array
    X: Array
    integral: Array


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
    method : {'exponential', 'implicit', 'explicit'}
        How a step is made, see `landcarbon.matrix.steps`.

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
    moves = Moves(method)
    passed = [X0]
    stays = []
    for k, h in enumerate(lengths(t)):
        after, stay = moves.of_matrix(M[k % len(M)], h)(passed[-1], u[k % len(u)])
        passed.append(after)
        stays.append(stay)
    return _trajectory(t, passed, stays)


def simulate(
    model: Model,
    t: ArrayLike,
    X0: ArrayLike,
    I: Forcing,
    xi: Forcing = 1.0,
    *,
    method: Method = "exponential",
    keep: ArrayLike | None = None,
    dims: tuple[str, ...] | None = None,
    unit: str | None = None,
) -> xr.Dataset:
    """Run a model forward in time.

    Parameters
    ----------
    model : MatrixModel, LayeredModel, `changing` or callable
        The model; or, for changing A, K, B or V, ``changing(model, K=...)`` or a function of time
        [yr] that returns it.
    t : array_like (steps + 1,)
        Times of the states [yr], rising; steps need not be equal, and dates count as decimal years.
    X0 : array_like (..., n) or (..., pool, layer)
        State at t[0]; leading axes are sites or members.
    I : float, array_like (steps or 1, ...), DataArray or callable
        Carbon input [gC m-2 yr-1]: a number; an array with **time first**, one entry for each
        step (or a first axis of length 1: it never changes); a labelled array with years or dates;
        or a function of time. See `landcarbon.matrix.timeline`. Of a column: (steps, ..., pool,
        layer) [gC m-3 yr-1].
    xi : float, array_like (steps or 1, ...), DataArray or callable
        Environmental scalar, in the same four forms. Per pool: (steps, n); per site:
        (steps, sites, 1); both: (steps, sites, n). Of a column: (steps, ..., pool or 1, layer or 1).
    method : {'exponential', 'implicit', 'explicit'}
        Exact for forcing that is constant within a step, implicit or explicit Euler. Many columns
        are quickest with implicit steps.
    keep : array_like, optional
        Times of `t` whose states are kept, the first always; the run ends at the last. A run of months
        may so report years: what the dataset calls a step is what lies between two of them. All, if not
        given.
    dims : tuple of str, optional
        Names of the leading axes; ("site",) if there is one.
    unit : str, optional
        Unit of the carbon, for the labels; gC m-2, or gC m-3 of a column, if not given.

    Returns
    -------
    xarray.Dataset
        X (time, ..., pool[, layer]); and for each step, as means over it: X_mean, input (B I),
        respiration and xi (step, ..., pool[, layer]), and its length dt (step). Fluxes times dt are
        exact amounts: the balance of each step closes to rounding. A column adds the thickness of
        its layers [m], and their depth.

    Raises
    ------
    InputError
        Times that do not rise, forcing whose first axis is not time, a state that does not fit, a time
        to keep that is none of the run.

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
    hint = f"The pools are {', '.join(first.pools)}."
    X = as_array("X0", aligned("X0", X0, first.pools), shape=first.state_shape, hint=hint)
    ends, states, spans, span = set(kept(clock.t, keep).tolist()), [X], [], Span()
    moves = Moves(method)
    for k, now in enumerate(clock.walk(), start=1):
        X, stay = moves(now.model, now.xi, now.h)(X, now.u)
        span.add(now, stay)
        if k in ends:
            states.append(X)
            spans.append(span)
            span = Span()
        if k == max(ends):
            break
    run = _trajectory(clock.t[[0, *sorted(ends)]], states, [span.stay for span in spans])
    return _dataset(run, spans, first, dims, unit)


def kept(t: Array, keep: ArrayLike | None) -> NDArray[np.intp]:
    """Places among the times t [yr] of those to be kept, but for the first."""
    t = rising("t", t)
    if keep is None:
        return np.arange(1, len(t))
    times = rising("keep", keep, 1)
    place = np.abs(t[:, None] - times).argmin(axis=0)
    off = np.abs(t[place] - times) > 1e-6 * np.diff(t).min()
    if off.any():
        raise InputError(f"keep holds {times[off][0]:g}, which is no time of the run. Add it to t, or leave it out.")
    if not place.max() > 0:
        raise InputError(f"keep holds the first time alone, {times[0]:g}: a run ends at a later one.")
    return place[place > 0]


class Span:
    """Steps taken together: sums of what they did, each times its length."""

    def __init__(self) -> None:
        self.h = 0.0
        self.stay = self.input = self.respired = self.xi = np.zeros(())

    def add(self, now: Moment, stay: Array) -> None:
        """One more step, with ∫ X dt over it."""
        self.h += now.h
        self.stay = self.stay + stay
        self.input = self.input + now.h * now.u
        self.respired = self.respired + now.model.respired_fraction * (now.model.K * now.xi) * stay
        self.xi = self.xi + now.h * now.xi


def _trajectory(t: Array, states: list[Array], stays: list[Array]) -> Trajectory:
    shape = states[-1].shape  # a first state may lack the leading axes of the model
    X, integral = (np.stack([np.broadcast_to(x, shape) for x in rows]) for rows in (states, stays))
    return Trajectory(t, X, integral)


def _dataset(
    run: Trajectory,
    spans: list[Span],
    model: Pools,
    dims: tuple[str, ...] | None,
    unit: str | None,
) -> xr.Dataset:
    import xarray as xr

    dt = np.diff(run.t)
    unit = model.unit if unit is None else unit
    shape = run.X.shape[1:]
    lead = shape[: len(shape) - len(model.state_shape)]
    if dims is None:
        dims = ("site",) if len(lead) == 1 else tuple(f"axis_{i}" for i in range(len(lead)))
    if len(dims) != len(lead):
        raise InputError(f"dims names {len(dims)} leading axes, but the states have {len(lead)}.")
    mean = run.integral / dt.reshape(-1, *(1,) * len(shape))
    length = np.array([span.h for span in spans])
    axes = (*dims, *model.dims)
    per_step = ("step", *axes)

    def fill(rows: Iterable[Array]) -> Array:
        return np.stack([np.broadcast_to(row / h, shape) for row, h in zip(rows, length)])

    rate = f"{unit} yr-1"
    variables: dict[str, Any] = {
        "X": (("time", *axes), run.X, {"units": unit, "long_name": "carbon in each pool"}),
        "X_mean": (per_step, mean, {"units": unit, "long_name": "mean carbon over the step"}),
        "input": (per_step, fill(span.input for span in spans), {"units": rate, "long_name": "carbon input, B I"}),
        "respiration": (
            per_step,
            fill(span.respired for span in spans),
            {"units": rate, "long_name": "mean flux to the atmosphere over the step"},
        ),
        "xi": (per_step, fill(span.xi for span in spans), {"units": "1", "long_name": "environmental scalar"}),
        "dt": (("step",), dt, {"units": "yr", "long_name": "length of the step"}),
    }
    middle = (run.t[:-1] + run.t[1:]) / 2
    coords: dict[str, Any] = {
        "time": ("time", run.t, {"units": "yr", "long_name": "time of the state"}),
        "step": ("step", middle, {"units": "yr", "long_name": "time in the middle of the step"}),
        **model.coords,
    }
    return labelled(xr.Dataset(variables, coords), "run of a carbon model")
