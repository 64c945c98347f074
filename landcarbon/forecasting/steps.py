r"""One step of a forecast: pools of a matrix model, or columns with layers.

.. math::

    X_{t+\Delta t} = e^{-M \Delta t} X_t + \int_0^{\Delta t} e^{-M s} \, ds \; B I

================  ==========================  =======================  ===========  =========
symbol            meaning                     shape                    unit         code name
================  ==========================  =======================  ===========  =========
:math:`X`         state of the members        (member, pool)           gC m-2       X
:math:`M`         outflow matrix A ξ K + V    (member, pool, pool)     yr-1         M
:math:`B I`       input                       (member, pool)           gC m-2 yr-1  b
:math:`\Delta t`  length of the step          ()                       yr           dt
================  ==========================  =======================  ===========  =========

All members advance at once as arrays; there is no loop over members.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.errors import InputError, as_array, as_choice, as_kind, as_number
from landcarbon.matrix.model import MatrixModel
from landcarbon.matrix.steps import propagator

__all__ = ["Step", "layered_step", "matrix_step"]

Array = NDArray[np.float64]
Step = Callable[[Array, Any, Any], Array]
Build = Callable[[Any, Any], tuple[MatrixModel, Any, Any]]
Advance = Callable[[Array, Array, Array], Array]


def matrix_step(
    model: MatrixModel | Build,
    dt: float,
    method: str = "exponential",
) -> Step:
    """One step of dX/dt = B I − M X, for all members at once.

    Parameters
    ----------
    model : MatrixModel or callable
        A model, driven by a dict with "I" and, if wanted, "xi"; or
        `build(theta, drivers) -> (MatrixModel, I, xi)`.
    dt : float
        Length of the step, yr. Input and ξ are constant within it.
    method : {"exponential", "implicit", "explicit"}
        Exact for drivers constant within the step; backward Euler (stable for any step,
        first-order error); forward Euler (cheapest, needs short steps).

    Returns
    -------
    callable
        `step(X, theta, drivers) -> X`.

    Raises
    ------
    InputError
        Unknown method; a step too long for "explicit".

    Examples
    --------
    >>> one = MatrixModel(("soil",), [[1.0]], [0.1], [1.0])
    >>> step = matrix_step(one, dt=10.0)
    >>> step(np.array([[100.0]]), None, {"I": np.array([0.0])}).round(3)
    array([[36.788]])
    """
    methods: dict[str, Advance] = {
        "exponential": _Exponential(dt),
        "implicit": _implicit(dt),
        "explicit": _explicit(dt),
    }
    advance = methods[as_choice("method", method, methods)]
    build: Build
    if isinstance(model, MatrixModel):
        constant = model

        def constant_build(theta: Any, drivers: Any) -> tuple[MatrixModel, Any, Any]:
            if not isinstance(drivers, Mapping) or "I" not in drivers or set(drivers) - {"I", "xi"}:
                given = (
                    ", ".join(drivers) if isinstance(drivers, Mapping) else type(drivers).__name__
                )
                raise InputError(
                    "A MatrixModel is driven by a dict with the carbon input 'I' and, if wanted, the "
                    f"scalar 'xi', but {given} was given."
                )
            return constant, drivers["I"], drivers.get("xi", 1.0)

        build = constant_build
    else:
        build = model

    def step(X: Array, theta: Any, drivers: Any) -> Array:
        matrices, I, xi = build(theta, drivers)
        xi = _shared(np.asarray(xi, float))
        M = matrices.outflow_matrix(xi[..., None] if xi.ndim == 1 else xi)
        return advance(X, M, matrices.input(I))

    return step


def layered_step(column: LayeredModel, b: ArrayLike, dt: float) -> Step:
    """One implicit step of soil columns with layers: (1 + dt M) X(t+dt) = X(t) + dt b.

    The cascade is factorised once, for all members; a step is then one substitution.

    Parameters
    ----------
    column : LayeredModel
        One column, or one for each member (a leading axis of A, K, down or up).
    b : array_like, (pool, layer) or (member, pool, layer)
        Input [gC m-3 yr-1].
    dt : float
        Length of the step, yr. Stable for any length, with an error of first order.

    Returns
    -------
    callable
        `step(X, theta, drivers) -> X` with X (member, pool * layer) [gC m-3], the layers of a
        pool side by side. If there are drivers, "input" (member,) multiplies b.

    Raises
    ------
    InputError
        b of another shape, a step that is not positive.

    Examples
    --------
    >>> from landcarbon.matrix.layers import SoilLayers, exchange_rates
    >>> layers = SoilLayers([0.1, 0.2])
    >>> column = LayeredModel(("litter", "soil"), layers, A=[[1, 0], [-0.5, 1]],
    ...                       K=[[2, 2], [0.1, 0.1]], down=[0.01], up=[0.005])
    >>> b = np.array([[100.0, 50.0], [0.0, 0.0]])
    >>> X = column.steady_state(b).reshape(1, 4)
    >>> bool(np.allclose(layered_step(column, b, dt=0.1)(X, None, None), X))
    True
    """
    as_kind("column", column, LayeredModel)
    dt = as_number("dt", dt, lower=0.0, strict=True, hint="It is the length of a step in years.")
    if not np.isfinite(dt) or dt <= 0:
        raise InputError(f"dt is the length of a step in years, above 0, but {dt!r} was given.")
    p, L = column.K.shape[-2:]
    source = as_array("b", b, shape=(p, L), lower=0.0)
    lead = np.broadcast_shapes(column.shape, source.shape[:-2])
    if len(lead) > 1:
        raise InputError(f"column and b have leading axes {lead}; one, the member, at most.")
    solved = column.prepared(1 / dt)

    def step(X: Array, theta: Any, drivers: Any) -> Array:
        if X.shape[-1] != p * L:
            raise InputError(
                f"The state has {X.shape[-1]} numbers a member; {p} pools in {L} layers are {p * L}."
            )
        given = source
        if drivers is not None:
            if not isinstance(drivers, Mapping) or set(drivers) != {"input"}:
                raise InputError("A column is driven by a dict with 'input', a factor of b.")
            given = source * np.asarray(drivers["input"], float)[:, None, None]
        after = solved(X.reshape(*X.shape[:-1], p, L) / dt + given)
        return after.reshape(*after.shape[:-2], p * L)

    return step


class _Exponential:
    """X(t+dt) = P X + Q b with P = exp(−M dt) and Q the integral of P over the step."""

    def __init__(self, dt: float) -> None:
        self.dt = dt
        self.M: Array | None = None

    def __call__(self, X: Array, M: Array, b: Array) -> Array:
        # Where ξ stays the same from step to step, one exponential serves them all.
        if self.M is None or self.M.shape != M.shape or not np.array_equal(self.M, M):
            p = propagator(M, self.dt)
            self.P, self.Q, self.M = p.state, p.stay, M.copy()
        return (self.P @ X[..., None] + self.Q @ b[..., None])[..., 0]


def _implicit(dt: float) -> Advance:
    def advance(X: Array, M: Array, b: Array) -> Array:
        right = (X + dt * b)[..., None]
        return np.asarray(np.linalg.solve(np.eye(M.shape[-1]) + dt * M, right)[..., 0])

    return advance


def _explicit(dt: float) -> Advance:
    def advance(X: Array, M: Array, b: Array) -> Array:
        fastest = np.diagonal(M, axis1=-2, axis2=-1).max()
        if dt * fastest > 1:
            raise InputError(
                f"A step of {dt:g} yr is too long for the explicit method: the fastest pool loses "
                f"{dt * fastest:.3g} of its carbon in one step. Take a step below "
                f"{1 / fastest:.3g} yr, or use "
                "method='implicit'."
            )
        return X + dt * (b - (M @ X[..., None])[..., 0])

    return advance


def _shared(values: Array) -> Array:
    # A broadcast view repeats one scenario for every member: one matrix then serves all of them.
    return values[:1] if values.ndim and values.shape[0] > 1 and values.strides[0] == 0 else values
