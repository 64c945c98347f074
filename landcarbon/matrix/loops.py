"""A year that repeats: forcing in steps that make one loop.

    one loop      X(L) = G(X(0)),       linear models: G(X) = Φ X + c,      Φ = Φ_T … Φ₂ Φ₁

====== ================================== =============== =========== ============
symbol meaning                            shape           unit        code name
====== ================================== =============== =========== ============
M_t    outflow matrix of step t           (T, ..., n, n)  yr-1        Cycle.M
u_t    input of each pool, B I            (T, ..., n)     gC m-2 yr-1 Cycle.u
h_t    length of step t                   (T,)            yr          Cycle.dt
L      length of the loop                 ()              yr          Cycle.length
Φ      what a loop leaves                 (..., n, n)     1           1 − loop_map()[0]
c      what a loop brings                 (..., n)        gC m-2      loop_map()[1]
====== ================================== =============== =========== ============

A loop is called with the state at its start and gives the state at its end: ``year(X)``. The state to
which its repetition leads is found in `landcarbon.matrix.spinup`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.errors import InputError, as_array, as_kind
from landcarbon.matrix.frozen import keep
from landcarbon.matrix.model import MatrixModel
from landcarbon.matrix.steps import Method, Move, Moves, Propagator, checked_outflow, propagator
from landcarbon.matrix.timeline import Changing, Forcing, Moment, Timeline

__all__ = ["Account", "ColumnCycle", "Cycle", "FeedbackCycle", "Loop", "Repeating"]

Array = NDArray[np.float64]


class Account(NamedTuple):
    """What one loop did: state after it, and ∫ X dt, ∫ M diag(X) dt, ∫ u dt and ∫ M dt over it."""

    end: Array
    stay: Array
    flow: Array
    brought: Array
    M: Array


class Repeating:
    """What the kinds of loop share: everything that follows from their steps."""

    dt: Array

    @property
    def pools(self) -> int | None:
        """Number of pools where one loop is linear, G(X) = Φ X + c; None where pools change it."""
        return None

    def loop_map(self) -> tuple[Array, Array]:
        """1 − Φ (..., n, n) and c (..., n) of a linear loop: what it does to any state."""
        assert self.pools is not None
        return self.map_from(np.zeros(self.pools))

    def steps(self, X: Array) -> Iterator[tuple[Propagator, Array, Array, Array]]:
        """Propagator, M, u and state at the end of each step of a loop that starts from X."""
        raise NotImplementedError

    def faster(self, speed: Array) -> Repeating:
        """The loop in which pool j leaves speed_j times faster."""
        raise NotImplementedError

    @property
    def flat(self) -> Repeating:
        """The same loop on states in one row; what methods of spin-up that ask for matrices work on."""
        return self

    @property
    def rows(self) -> Callable[[Array], Array]:
        """The same loop as a function of states in one row, without large matrices where it has none."""
        return self.flat

    def spread(self, per_pool: Array) -> Array:
        """One number for each pool, for every entry of a state in one row."""
        return per_pool

    def flattened(self, X: ArrayLike) -> ArrayLike:
        """A state as `flat` takes it."""
        return X

    def shaped(self, X: Array) -> Array:
        """A state of `flat` as the loop itself takes it."""
        return as_array("X", X)

    @property
    def length(self) -> float:
        """Length L of the loop [yr]."""
        return math.fsum(self.dt)

    def __call__(self, X: ArrayLike) -> Array:
        """State after one loop that starts from X."""
        *_, (_, _, _, end) = self.steps(as_array("X", X))
        return end

    def map_from(self, X: Array) -> tuple[Array, Array]:
        """1 − Φ and c, with the matrices of the loop that starts from X."""
        # Without the difference of nearly equal numbers: pools that turn over in a million years
        # keep their digits.
        X = as_array("X", X, shape=(None,))
        n = X.shape[-1]
        lost, brought = np.zeros((n, n)), np.zeros(n)
        for p, M, u, _ in self.steps(X):
            lost = M @ p.stay + p.state @ lost
            brought = _apply(p.stay, u) + _apply(p.state, brought)
        return lost, brought

    def account(self, X: Array) -> Account:
        """What one loop that starts from X does."""
        X = as_array("X", X)
        stay = flow = brought = mean = np.zeros(())
        for h, (p, M, u, end) in zip(self.dt, self.steps(X)):
            spent = _apply(p.stay, X) + _apply(p.stay_input, u)
            stay, flow, brought = stay + spent, flow + M * spent[..., None, :], brought + h * u
            mean = mean + h * M
            X = end
        return Account(X, stay, flow, brought, mean)


@dataclass(frozen=True)
class Cycle(Repeating):
    """Forcing that repeats: T steps that make one loop, a year or several.

    Parameters
    ----------
    M : array_like (T, ..., n, n)
        Outflow matrix of each step [yr-1].
    u : array_like (T, ..., n)
        Input of each pool in each step, B I [gC m-2 yr-1].
    dt : array_like (T,)
        Lengths of the steps [yr]; twelve times 1/12 for a year of months.
    method : {'exponential', 'implicit', 'explicit'}
        How a step is made, see `landcarbon.matrix.steps`.

    Raises
    ------
    InputError
        Different numbers of steps, signs that no outflow matrix has.

    Examples
    --------
    >>> from landcarbon.matrix.spinup import periodic
    >>> soil = MatrixModel(("soil",), A=[[1.0]], K=[0.05], B=[1.0])
    >>> year = Cycle.from_model(soil, I=300.0, xi=[0.5, 1.5], dt=[0.5, 0.5])
    >>> periodic(year).X.round()
    array([5963.])
    """

    M: Array
    u: Array
    dt: Array
    method: Method = "exponential"

    def __post_init__(self) -> None:
        M = checked_outflow(self.M)
        n = M.shape[-1]
        u = as_array("u", self.u, shape=(n,))
        dt = step_lengths(self.dt)
        if M.ndim < 3 or u.ndim < 2 or len(M) != len(dt) or len(u) != len(dt):
            raise InputError(
                f"M {M.shape}, u {u.shape} and dt {dt.shape} must share their first axis, the "
                "steps of the loop: M (T, ..., n, n), u (T, ..., n), dt (T,)."
            )
        keep(self, M=M, u=u, dt=dt)

    @classmethod
    def from_model(
        cls,
        model: MatrixModel | LayeredModel | Changing | Callable[[float], MatrixModel | LayeredModel],
        I: Forcing,
        xi: Forcing = 1.0,
        dt: ArrayLike | None = None,
        method: Method = "exponential",
    ) -> Any:
        """The loop of a model under repeated input and scalars: a Cycle, or of columns a ColumnCycle.

        Parameters
        ----------
        model : MatrixModel, LayeredModel, `changing` or callable
            The model, whose parts may change within the loop.
        I, xi : float, array_like (T, ...), DataArray or callable
            Input [gC m-2 yr-1; of a column gC m-3 yr-1] and scalar, in the forms of
            `landcarbon.matrix.timeline`; the loop begins at t = 0.
        dt : array_like (T,), optional
            Lengths of the steps [yr]; twelve months if it is not given.
        method : {'exponential', 'implicit', 'explicit'}
            How a step is made.
        """
        h = np.full(12, 1 / 12) if dt is None else step_lengths(dt)
        passed = list(Timeline.read(model, np.append(0.0, np.cumsum(h)), I, xi).walk())
        if isinstance(passed[0].model, LayeredModel):
            columns = tuple(now.model.under(now.xi) for now in passed)
            return ColumnCycle(columns, tuple(now.u for now in passed), h, method)
        return cls(*_of_all_steps(passed), h, method)

    @cached_property
    def propagators(self) -> tuple[Propagator, ...]:
        """One propagator for each step; equal steps share it."""
        moves = Moves(self.method)
        return tuple(moves.of_matrix(M, h) for M, h in zip(self.M, self.dt.tolist()))

    @cached_property
    def _moves(self) -> tuple[tuple[Array, Array], ...]:
        return tuple((p.state, _apply(p.stay, u)) for p, u in zip(self.propagators, self.u))

    def __call__(self, X: ArrayLike) -> Array:
        """State after one loop that starts from X."""
        end = as_array("X", X, shape=(self.M.shape[-1],))[..., None]
        for left, brought in self._moves:
            end = left @ end + brought[..., None]
        return end[..., 0]

    def steps(self, X: Array) -> Iterator[tuple[Propagator, Array, Array, Array]]:
        """Propagator, M, u and state at the end of each step of a loop that starts from X."""
        X = as_array("X", X, shape=(self.pools,))
        for p, M, u, (left, brought) in zip(self.propagators, self.M, self.u, self._moves):
            X = _apply(left, X) + brought
            yield p, M, u, X

    @property
    def pools(self) -> int:
        """Number of pools."""
        return int(self.M.shape[-1])

    def faster(self, speed: Array) -> Cycle:
        """The loop in which pool j leaves speed_j times faster."""
        speed = _speeds(speed, self.pools)
        return Cycle(self.M * speed[..., None, :], self.u, self.dt, self.method)


@dataclass(frozen=True)
class ColumnCycle(Repeating):
    """Forcing that repeats, of soil columns; made by `Cycle.from_model`.

    Its states have the axes (..., pool, layer). Implicit steps of many columns go through the cascade:
    thousands of columns are run with ``X = year(X)``, spun up by `native` and `accelerated`, and brought
    to their periodic state by `periodic`. Other steps, and `sasu`, work on the large matrices of `flat`,
    which is for one column, or some.

    Parameters
    ----------
    columns : sequence of LayeredModel (T,)
        The column in each step, its scalars in K.
    u : sequence of array_like (..., pool, layer), (T,)
        Input in each step [gC m-3 yr-1].
    dt : array_like (T,)
        Lengths of the steps [yr].
    method : {'exponential', 'implicit', 'explicit'}
        How a step is made, see `landcarbon.matrix.steps`.
    """

    columns: tuple[LayeredModel, ...]
    u: tuple[Array, ...]
    dt: Array
    method: Method = "exponential"

    def __post_init__(self) -> None:
        columns = tuple(as_kind("a column", c, LayeredModel) for c in as_kind("columns", self.columns, tuple, list))
        dt, u = step_lengths(self.dt), as_kind("u", self.u, tuple, list)
        if not len(columns) == len(u) == len(dt):
            raise InputError(f"There are {len(columns)} columns, {len(u)} inputs and {len(dt)} lengths of steps.")
        keep(self, columns=columns, u=tuple(as_array("u", b, shape=columns[0].state_shape) for b in u), dt=dt)

    @cached_property
    def _moves(self) -> tuple[Move, ...]:
        moves = Moves(self.method)
        return tuple(moves(column, 1.0, h) for column, h in zip(self.columns, self.dt.tolist()))

    def __call__(self, X: ArrayLike) -> Array:
        """State after one loop that starts from X."""
        end = as_array("X", X, shape=self.columns[0].state_shape)
        for move, u in zip(self._moves, self.u):
            end, _ = move(end, u)
        return end

    def change(self, X: Array) -> Array:
        """What an implicit loop from X adds (..., pool, layer) [gC m-3], from the fluxes of its steps."""
        # The difference of two states would lose what slow layers change in a loop.
        X = as_array("X", X, shape=self.columns[0].state_shape)
        moved: Array = np.zeros(())
        for move, column, u, h in zip(self._moves, self.columns, self.u, self.dt.tolist()):
            X, _ = move(X, u)
            moved = moved + h * column.derivative(X, u)
        return moved

    @cached_property
    def mean(self) -> LayeredModel:
        """The column whose parts are the means over the loop."""

        def over(name: str) -> Array:
            parts = zip(self.dt.tolist(), self.columns)
            return np.asarray(sum(h * getattr(column, name) for h, column in parts) / self.length)

        return self.columns[0].replace(**{name: over(name) for name in ("A", "K", "down", "up")})

    def faster(self, speed: Array) -> ColumnCycle:
        """The loop in which pool j leaves speed_j times faster, mixing included."""
        speed = _speeds(speed, len(self.columns[0].pools))
        columns = tuple(
            column.replace(K=column.K * speed[:, None], mixed=np.asarray(column.mixed) * speed)
            for column in self.columns
        )
        return ColumnCycle(columns, self.u, self.dt, self.method)

    @property
    def pools(self) -> int:
        """Pools times layers."""
        return math.prod(self.columns[0].state_shape)

    @property
    def rows(self) -> Callable[[Array], Array]:
        """The same loop as a function of stocks in one row; through the cascade if steps are implicit."""
        if self.method != "implicit":
            return self.flat
        return lambda X: self.flattened(self(self.shaped(X)))

    def spread(self, per_pool: Array) -> Array:
        """One number for each pool, for each of its layers."""
        per_pool = as_array("per_pool", per_pool, shape=(len(self.columns[0].pools),))
        return np.repeat(per_pool, len(self.columns[0].layers), axis=-1)

    @cached_property
    def flat(self) -> Cycle:
        """The same loop on stocks per layer in one row [gC m-2]."""
        M = [column.stock_matrix() for column in self.columns]
        u = [self.flattened(u) for u in self.u]
        return Cycle(np.stack(M), np.stack(u), self.dt, self.method)

    def flattened(self, X: ArrayLike) -> Array:
        """Concentrations (..., pool, layer) as stocks in one row."""
        return self.columns[0].stocks(X)

    def shaped(self, X: Array) -> Array:
        """Stocks in one row as concentrations (..., pool, layer)."""
        return self.columns[0].concentrations(X)


@dataclass(frozen=True)
class FeedbackCycle(Repeating):
    """Forcing that repeats, for a model whose pools change its own matrices or input.

    Parameters
    ----------
    at : callable
        ``at(step, X) -> M, u``: outflow matrix (n, n) [yr-1] and input (n,) [gC m-2 yr-1] of a step
        that starts from the pools X (n,). They are held during the step.
    dt : array_like (T,)
        Lengths of the steps [yr].
    method : {'exponential', 'implicit', 'explicit'}
        How a step is made, see `landcarbon.matrix.steps`.

    Raises
    ------
    InputError
        Lengths that are not above 0.

    Examples
    --------
    Plants that shade themselves: the input saturates with the pool.

    >>> from landcarbon.matrix.spinup import periodic
    >>> year = FeedbackCycle(lambda k, X: ([[0.5]], 900.0 * X / (600.0 + X)), dt=[0.5, 0.5])
    >>> periodic(year, X0=[100.0]).X.round(6)
    array([1200.])
    """

    at: Callable[[int, Array], tuple[ArrayLike, ArrayLike]]
    dt: Array
    method: Method = "exponential"

    def __post_init__(self) -> None:
        keep(self, dt=step_lengths(self.dt))

    def steps(self, X: Array) -> Iterator[tuple[Propagator, Array, Array, Array]]:
        """Propagator, M, u and state at the end of each step of a loop that starts from X."""
        X = as_array("X", X, shape=(None,))
        for k, h in enumerate(self.dt):
            M_, u_ = self.at(k, X)
            M, u = checked_outflow(M_), as_array("u", u_, shape=(X.shape[-1],))
            if M.shape[-1] != X.shape[-1]:
                raise InputError(f"X has {X.shape[-1]} pools, but at() returned an M of shape {M.shape}.")
            p = propagator(M, h, self.method)
            X = _apply(p.state, X) + _apply(p.stay, u)
            yield p, M, u, X

    def faster(self, speed: Array) -> FeedbackCycle:
        """The loop in which pool j leaves speed_j times faster."""
        speed = _speeds(speed, None)

        def at(k: int, X: Array) -> tuple[Array, ArrayLike]:
            M, u = self.at(k, X * speed)
            return np.asarray(M) * speed[..., None, :], u

        return FeedbackCycle(at, self.dt, self.method)


Loop = Repeating | Callable[[Array], Array]


def _of_all_steps(passed: list[Moment]) -> tuple[Array, Array]:
    """M and u of all steps; of a model that stays in one call, since its checks cost more than its work."""
    model = passed[0].model
    if not isinstance(model, MatrixModel) or any(now.model is not model for now in passed):
        return np.stack([now.model.outflow_matrix(now.xi) for now in passed]), np.stack([now.u for now in passed])
    axes = max(model.K.ndim, *(part.ndim - 1 for part in (model.A, model.V) if part is not None))
    xi = _stacked([now.xi for now in passed], axes)
    I = _stacked([now.I for now in passed], model.B.ndim - 1)
    return model.outflow_matrix(xi), model.input(I)


def _stacked(values: list[Array], ndim: int) -> Array:
    """Rows of all steps, with free axes of length 1 before their own until each has `ndim`."""
    rows = np.stack(np.broadcast_arrays(*values))
    return rows.reshape(len(rows), *(1,) * (ndim + 1 - rows.ndim), *rows.shape[1:])


def _speeds(speed: ArrayLike, n: int | None) -> Array:
    return as_array("speed", speed, shape=(n,), lower=0.0, strict=True, hint="How many times faster each pool leaves.")


def step_lengths(dt: ArrayLike) -> Array:
    h = as_array("dt", dt, shape=(None,), lower=0.0, strict=True, hint="Lengths of the steps in years.")
    if h.ndim != 1 or h.size == 0:
        raise InputError(f"dt has shape {h.shape}; give one length for each step of the loop.")
    return h


def _apply(matrix: Array, vector: Array) -> Array:
    return (matrix @ vector[..., None])[..., 0]
