r"""Ages of carbon while input and conditions change.

With Φ(t, s) the matrix that carries carbon from time s to time t, the carbon of age a at time t is

    p(a, t) = Φ(t, t−a) u(t−a)              for a < t − t₀: it came in during the run
    p(a, t) = Φ(t, t₀) p₀(a − (t−t₀))       for a ≥ t − t₀: it was there at the start

and the carbon older than a is, in the same two cases, Φ(t, t−a) X(t−a) or Φ(t, t₀) times the carbon
that was older than a − (t−t₀) at the start.

====== ==================================================== ========== =============== =============
symbol meaning                                              shape      unit            code name
====== ==================================================== ========== =============== =============
X      carbon in each pool                                  (times, n) gC m-2          X
u      input of each pool, B I                              (n,)       gC m-2 yr-1     u
M      outflow matrix                                       (n, n)     yr-1            M
p      carbon per year of age                               (ages, n)  gC m-2 yr-1     amount × pdf
p₀     the same at the start of the run                     (ages, n)  gC m-2 yr-1     start
a      age                                                  any        yr              a
t      time                                                 (times,)   yr              t
====== ==================================================== ========== =============== =============

Backward transit time is the age of what leaves at time t. Forward transit time is the age that what
comes in at time t will have when it leaves. At steady state they are the same.

Source: Metzler, Müller and Sierra (2018), doi 10.1073/pnas.1705296115.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.errors import InputError, as_array, as_kind, as_number, as_whole
from landcarbon.matrix.model import MatrixModel
from landcarbon.matrix.timeline import Changing, Forcing, Moment, Timeline, nearest
from landcarbon.theory.ages import AgeDistribution, checked, chosen, levels, listed
from landcarbon.theory.chain import Chain, Model, System, system
from landcarbon.theory.flow import Flow

__all__ = [
    "AgesAtTimes",
    "AgesThroughTime",
    "Start",
    "start_empty",
    "start_given",
    "start_steady",
    "through_time",
]

Array = NDArray[np.float64]

FINEST = 1e-13  # tolerance that rounding still allows


@dataclass(frozen=True)
class Start:
    """Carbon at the start, and how old it is: `start_steady`, `start_empty` or `start_given`."""

    X: Array
    """Carbon in each pool (n,) [gC m-2]."""
    mean: Array
    """Mean age in each pool (n,) [yr]; 0 where there is no carbon."""
    square: Array
    """Mean square age in each pool (n,) [yr2]; 0 where there is no carbon."""
    pdf: Callable[[Array], Array] = field(repr=False)
    """Density (ages, n) [yr-1] at ages (ages,)."""
    sf: Callable[[Array], Array] = field(repr=False)
    """Share (ages, n) older than ages (ages,)."""


def start_steady(model: Model, I: ArrayLike, xi: ArrayLike = 1.0) -> Start:
    """Start with the stocks and ages of the steady state of a model.

    Parameters
    ----------
    model, I, xi
        As for `landcarbon.theory.ages.transit_time`, and so are the errors.

    Examples
    --------
    >>> from landcarbon.models.pools import two_pool
    >>> start = start_steady(two_pool(0.5, 0.025, 0.3), I=1.0)
    >>> start.X.round(6), start.mean.round(6)
    (array([ 2., 12.]), array([ 2., 42.]))
    """
    read, reached = checked(model, I, xi)
    X = np.where(reached, read.chain.solve(read.u), 0.0)
    if X.ndim != 1:
        raise InputError(
            f"The steady state has leading axes {X.shape[:-1]}; ages through time run for one site."
        )
    return _start_of_chain(X, read.chain.backward(read.u, X))


def start_empty(pools: int | MatrixModel | LayeredModel) -> Start:
    """Start without any carbon; `pools` is the model, or how many pools it has."""
    n = system(pools).chain.n if hasattr(pools, "outflow_matrix") else as_whole("pools", pools, 1)
    none = np.zeros(n)
    return Start(none, none, none, lambda a: np.zeros((a.size, n)), lambda a: np.zeros((a.size, n)))


def start_given(X: ArrayLike, ages: AgeDistribution | tuple[ArrayLike, ArrayLike]) -> Start:
    """Start with given stocks and given ages.

    Parameters
    ----------
    X : array_like (n,)
        Carbon in each pool [gC m-2].
    ages : AgeDistribution or (array_like (ages,), array_like (ages, n))
        The `pool_ages` of any model with n pools; or a table of ages [yr] that rise, and the
        density of carbon at each age, linear in between, 0 outside, in any unit.

    Returns
    -------
    Start

    Raises
    ------
    InputError
        Stocks below 0, ages that do not rise, a pool with carbon but without ages.

    Examples
    --------
    >>> start = start_given([10.0], ages=([0, 6], [[1], [1]]))
    >>> start.mean, start.sf(np.array([1.5]))
    (array([3.]), array([[0.75]]))
    """
    X = as_array("X", X, lower=0.0).ravel()
    if isinstance(ages, AgeDistribution):
        if not np.array_equal(ages.start, np.eye(X.size)) or ages.chain.leave.ndim != 1:
            raise InputError(f"ages must be the pool_ages of one model with {X.size} pools, all of them.")
        return _start_of_chain(X, ages.chain)
    if len(as_kind("ages", ages, tuple, list, hint="Give (ages, densities).")) != 2:
        raise InputError(f"ages holds {len(ages)} things; a table is (ages, densities).")
    return _start_of_table(X, *ages)


def _start_of_chain(X: Array, chain: Chain) -> Start:
    mean, square = np.where(X > 0, chain.mean, 0.0), np.where(X > 0, chain.square, 0.0)
    return Start(X, mean, square, chain.leaving, chain.survival)


def _start_of_table(X: Array, grid: ArrayLike, density: ArrayLike) -> Start:
    grid = as_array("ages", grid, lower=0.0)
    p = as_array("density", density, shape=(grid.size, X.size), lower=0.0)
    if grid.ndim != 1 or grid.size < 2 or np.any(np.diff(grid) <= 0):
        raise InputError("The ages of the table must be at least two numbers that rise.")
    w = np.diff(grid)[:, None]
    total = (w * (p[:-1] + p[1:]) / 2).sum(axis=0)
    bare = (total <= 0) & (X > 0)
    if bare.any():
        raise InputError(f"Pool {int(np.argmax(bare))} holds carbon, but its density is 0 at every age.")
    p = p / np.where(total > 0, total, 1.0)
    left, right = p[:-1], p[1:]
    parts = w * (left + right) / 2
    # Moments of a linear piece about its left end a0, then about 0.
    a0 = grid[:-1, None]
    one = w**2 * (left + 2 * right) / 6
    two = w**3 * (left + 3 * right) / 12
    mean = (a0 * parts + one).sum(axis=0)
    square = (a0**2 * parts + 2 * a0 * one + two).sum(axis=0)
    older = np.concatenate([np.cumsum(parts[::-1], axis=0)[::-1], np.zeros((1, X.size))])

    def pdf(a: Array) -> Array:
        return np.stack([np.interp(a, grid, p[:, j], 0.0, 0.0) for j in range(X.size)], axis=-1)

    def sf(a: Array) -> Array:
        inside = np.clip(a, grid[0], grid[-1])
        k = np.clip(np.searchsorted(grid, inside, side="right") - 1, 0, grid.size - 2)
        rest = (grid[k + 1] - inside)[:, None]
        return older[k + 1] + rest * (pdf(inside) + p[k + 1]) / 2

    return Start(X, np.where(X > 0, mean, 0.0), np.where(X > 0, square, 0.0), pdf, sf)


@dataclass(frozen=True)
class AgesAtTimes:
    """Distributions of ages at several times: the methods of `AgeDistribution`, time axis first.

    Axes of every result: times, then those of the argument, then the pools where there is one
    distribution for each pool.
    """

    t: Array
    """Times (times,) [yr]."""
    amount: Array
    """What the ages belong to: carbon [gC m-2], or a flux [gC m-2 yr-1]; amount × pdf is per age."""
    mean: Array
    """Mean [yr]; 0 where there is no carbon yet."""
    std: Array
    """Standard deviation [yr]; 0 where there is no carbon yet."""
    _amounts: Callable[[float, Array], tuple[Array, Array]] = field(repr=False)
    """(t, ages) -> amount per year of age and amount older, each (ages, distributions)."""
    _rtol: float = field(repr=False)

    def pdf(self, a: ArrayLike) -> Array:
        """Probability density [yr-1] at the ages a [yr]."""
        return self._at(a, 0)

    def sf(self, a: ArrayLike) -> Array:
        """Share older than a."""
        return self._at(a, 1)

    def cdf(self, a: ArrayLike) -> Array:
        """Share younger than a."""
        return 1.0 - self._at(a, 1)

    def quantile(self, q: ArrayLike) -> Array:
        """Age [yr] below which the share q lies, 0 ≤ q < 1, to the relative tolerance of the run."""
        q = levels(q)
        columns = self._columns()
        means = self.mean.reshape(columns.shape)
        found = [self._invert(*now, q.ravel()) for now in zip(self.t.tolist(), columns, means)]
        return self._shaped(found, q.shape)

    def _at(self, a: ArrayLike, which: int) -> Array:
        a = as_array("a", a, lower=0.0, hint="Ages are given in years.")
        columns = self._columns()
        found = [self._amounts(t, a.ravel())[which] / m for t, m in zip(self.t.tolist(), columns)]
        return self._shaped(found, a.shape)

    def _columns(self) -> Array:
        columns = self.amount.reshape(len(self.t), -1)
        if np.any(columns <= 0):
            k, j = (int(v) for v in np.argwhere(columns <= 0)[0])
            what = f" in pool {j}" if self.amount.ndim > 1 else ""
            raise InputError(
                f"At t = {self.t[k]:g} there is no carbon{what}, so it has no distribution of ages. "
                "Ask for other times, at=(...), or other pools, pools=(...)."
            )
        return columns

    def _shaped(self, found: list[Array], argument: tuple[int, ...]) -> Array:
        return np.stack(found).reshape(len(self.t), *argument, *self.amount.shape[1:])

    def _invert(self, t: float, amount: Array, mean: Array, q: Array) -> Array:
        """Ages (levels, distributions) by Newton's method on ln(share older), inside a bracket.

        A share 1 − q older than mean / (1 − q) would alone make up the mean: no quantile lies higher.
        """
        column = np.tile(np.arange(amount.size), q.size)
        share = np.repeat(1 - q, amount.size)
        row = np.arange(column.size)
        left, right = np.zeros(column.size), mean[column] / share
        a = -np.log(share) * mean[column]
        for _ in range(200):
            density, older = (part[row, column] / amount[column] for part in self._amounts(t, a))
            left = np.where(older >= share, a, left)
            right = np.where(older <= share, a, right)
            with np.errstate(divide="ignore", invalid="ignore"):
                new = a + np.log(older / share) * older / density
            new = np.where((new >= left) & (new <= right), new, (left + right) / 2)
            new = np.where(older == share, a, new)
            close = np.abs(new - a) <= self._rtol * new
            a = new
            if close.all():
                break
        return a.reshape(q.size, amount.size)


@dataclass(frozen=True)
class AgesThroughTime:
    """A run with the ages of its carbon; made by `through_time`."""

    t: Array
    """Times (times,) [yr]."""
    X: Array
    """Carbon in each pool (times, n), or (times, pool, layer) [gC m-2]."""
    names: tuple[str, ...]
    """Names of the n pools."""
    start: Start = field(repr=False)
    _moments: Array = field(repr=False)
    """X, X × mean age, X × mean square age: (times, n, 3)."""
    _conditions: _Conditions = field(repr=False)
    rtol: float = 1e-10
    atol: float = 1e-12

    def pool_ages(
        self, at: ArrayLike | None = None, *, pools: Sequence[str | int] | None = None
    ) -> AgesAtTimes:
        """Age of the carbon in each pool, at some or all of the times of the run."""
        of = chosen(pools, self.names)
        pick = np.eye(len(self.names))[:, of]
        return self._ages(at, lambda t: pick, self.X.shape[1:] if pools is None else of.shape)

    def system_age(self, at: ArrayLike | None = None) -> AgesAtTimes:
        """Age of all the carbon, at some or all of the times of the run."""
        return self._ages(at, lambda t: np.ones((len(self.names), 1)), ())

    def backward_transit_time(self, at: ArrayLike | None = None) -> AgesAtTimes:
        """Age of the carbon that leaves at some or all of the times of the run."""
        return self._ages(at, lambda t: self._conditions.at(t).chain.leave[:, None], ())

    def forward_transit_time(
        self, at: ArrayLike | None = None, *, period: float | None = None
    ) -> AgesAtTimes:
        """Time until the carbon that comes in at some or all of the times of the run will have left.

        Parameters
        ----------
        at : array_like, optional
            Times of the run.
        period : float, optional
            After the last time of the run its last `period` years repeat for ever. If not given,
            conditions stay as they are at the last time.
        """
        t = self._times(at)
        after = self._conditions.continued(period)
        mean, square = self._until_out(t, after)
        u = np.stack([after.at(time).u for time in t.tolist()])
        amount, one, two = u.sum(axis=-1), (mean * u).sum(axis=-1), (square * u).sum(axis=-1)

        def amounts(time: float, a: Array) -> tuple[Array, Array]:
            return self._cohort(time, a, after)

        return AgesAtTimes(t, amount, *_mean_std(amount, one, two), amounts, self.rtol)

    def _times(self, at: ArrayLike | None) -> Array:
        if at is None:
            return self.t
        t = np.atleast_1d(as_array("at", at)).ravel()
        if not t.size:
            raise InputError("at holds no time; give one of the run, or leave it out for all.")
        index, same = nearest(t, self.t)
        if not same.all():
            raise InputError(
                f"The run has no time {t[~same][0]:g}; add it to t when calling through_time."
            )
        return self.t[index]

    def _ages(
        self, at: ArrayLike | None, weight: Callable[[float], Array], shape: tuple[int, ...]
    ) -> AgesAtTimes:
        """Ages of what `weight(t)` (n, m) takes from the pools at time t."""
        t = self._times(at)
        weights = np.stack([weight(time) for time in t.tolist()])
        held = np.einsum("tnk,tnm->ktm", self._moments[np.searchsorted(self.t, t)], weights)
        amount, one, two = held.reshape(3, len(t), *shape)

        def amounts(time: float, a: Array) -> tuple[Array, Array]:
            return self._profile(time, a, weight(time))

        return AgesAtTimes(t, amount, *_mean_std(amount, one, two), amounts, self.rtol)

    def _flow(self, conditions: _Conditions) -> Flow:
        return Flow(conditions.rates, conditions.jumps, self.rtol, self.atol)

    def _profile(self, t: float, a: Array, W: Array) -> tuple[Array, Array]:
        """Per year of age, and older than that age, (ages, m): what W (n, m) takes at time t.

        W is carried backwards: what it takes now from carbon that was in each pool before.
        """
        t0 = float(self.t[0])
        new = a < t - t0
        births, which = np.unique(a[new] - t, return_inverse=True)  # backwards: time is negative
        back = self._flow(self._conditions).backward()
        Z = np.empty((len(self.names), 0))
        density, older = np.empty((2, births.size, W.shape[1]))
        X = self._stocks(-births[::-1])[::-1]
        now = -t
        for k, (time, _, carried) in enumerate(back.through(now, births, Z, W)):
            now, W = time, carried
            density[k] = self._conditions.at(-now).u @ W
            older[k] = X[k] @ W
        result = np.empty((2, a.size, W.shape[1]))
        result[:, new] = density[which], older[which]
        if not new.all():
            _, W = back.carry(now, -t0, Z, W)
            before = a[~new] - (t - t0)
            result[0, ~new] = (self.start.X * self.start.pdf(before)) @ W
            result[1, ~new] = (self.start.X * self.start.sf(before)) @ W
        return result[0], result[1]

    def _stocks(self, times: Array) -> Array:
        """X (times, n) at rising times within the run."""
        flow = self._flow(self._conditions)
        W = np.empty((len(self.names), 0))
        X = np.empty((times.size, len(self.names)))
        k = np.searchsorted(self.t, times, side="right") - 1
        for first in np.unique(k):
            now, Z = float(self.t[first]), self._moments[first, :, :1]
            X[k == first] = [Z[:, 0] for _, Z, _ in flow.through(now, times[k == first], Z, W)]
        return X

    def _cohort(self, t: float, a: Array, after: _Conditions) -> tuple[Array, Array]:
        """What the input of time t gives off at age a, and what is left of it, (ages, 1)."""
        flow = self._flow(after)
        Z = np.empty((len(self.names), 0))
        rest = float(self.t[-1]) - t
        ages, which = np.unique(a, return_inverse=True)
        inside, beyond = ages[ages < rest], ages[ages >= rest] - rest
        out, left, now, W = [], [], t, after.at(t).u[:, None]
        for time, _, carried in flow.through(now, t + inside, Z, W):
            now, W = time, carried
            out.append(after.at(now).chain.leave @ W)
            left.append(W.sum(axis=0))
        if beyond.size:
            _, W = flow.carry(now, float(self.t[-1]), Z, W)
            leave, stay = self._beyond(flow, beyond, after)
            out.extend(leave @ W)
            left.extend(stay @ W)
        return np.stack(out)[which], np.stack(left)[which]

    def _beyond(self, flow: Flow, a: Array, after: _Conditions) -> tuple[Array, Array]:
        """Per unit in each pool at the end of the run: rate of leaving and share left a later, (ages, n)."""
        end = float(self.t[-1])
        if after.period is None:
            chain = after.at(end).chain
            return chain.leaving(a), chain.survival(a)
        n = len(self.names)
        none, eye = np.empty((n, 0)), np.eye(n)
        _, whole = flow.carry(end, end + after.period, none, eye)
        turns, rest = np.divmod(a, after.period)
        rests, which = np.unique(rest, return_inverse=True)
        parts = [(after.at(now).chain.leave, W) for now, _, W in flow.through(end, end + rests, none, eye)]
        leave, stay = np.empty((2, a.size, n))
        for i, k in enumerate(turns.astype(int).tolist()):
            z, W = parts[which[i]]
            W = W @ np.linalg.matrix_power(whole, k)
            leave[i], stay[i] = z @ W, W.sum(axis=0)
        return leave, stay

    def _until_out(self, t: Array, after: _Conditions) -> tuple[Array, Array]:
        """Mean and mean square (times, n) of the time that carbon in each pool at time t still stays.

        Both obey the transposed flow with input 1, and are found from the end of the run backwards.
        """
        n = len(self.names)
        end = float(self.t[-1])
        back = self._flow(after).backward()
        if after.period is None:
            Z = self._for_ever(after.at(end).chain)
        else:
            Z = _periodic(back, end, after.period, n)
        times, which = np.unique(-t, return_inverse=True)
        found = np.stack([Z for _, Z, _ in back.through(-end, times, Z, np.empty((n, 0)))])[which]
        return found[..., 0], 2 * found[..., 1]

    def _for_ever(self, chain: Chain) -> Array:
        """Mean and half the mean square (n, 2) of the time to leave if conditions stay as they are."""
        if not chain.way_out().all():
            raise InputError(
                f"Carbon in {listed(self.names, np.flatnonzero(~chain.way_out()).tolist())} could never "
                "leave under the conditions of the last time. Give `period`, or let the run end under "
                "other conditions."
            )
        return np.column_stack([chain.mean, chain.square / 2])


def _periodic(back: Flow, end: float, period: float, n: int) -> Array:
    """Mean and half the mean square (n, 2) of the time to leave if a period repeats for ever."""
    late, early = -(end + period), -end
    once, Phi = back.carry(late, early, np.zeros((n, 1)), np.eye(n))
    if np.abs(np.linalg.eigvals(Phi)).max() >= 1:
        raise InputError("Within one period no carbon leaves, so its mean time is not finite.")
    mean = np.linalg.solve(np.eye(n) - Phi, once[:, 0])
    once, _ = back.carry(late, early, np.column_stack([mean, np.zeros(n)]), np.empty((n, 0)))
    return np.column_stack([mean, np.linalg.solve(np.eye(n) - Phi, once[:, 1])])


def _mean_std(amount: Array, one: Array, two: Array) -> tuple[Array, Array]:
    held = np.where(amount > 0, amount, 1.0)
    mean = one / held
    return mean, np.sqrt(np.maximum(two / held - mean**2, 0.0))


@dataclass(frozen=True)
class _Conditions:
    """The model and its input at any time."""

    clock: Timeline
    breaks: Array
    continuing: bool = False
    period: float | None = None
    known: dict[int, System] = field(default_factory=dict)

    def continued(self, period: float | None) -> _Conditions:
        """The same, made to last for ever after the end of the run."""
        length = float(self.clock.t[-1] - self.clock.t[0])
        if period is not None and not 0 < period <= length:
            raise InputError(
                f"period is {period:g}, but the run lasts {length:g}: give a period above 0 and not longer "
                "than the run."
            )
        return replace(self, period=period, continuing=True)

    def at(self, t: float) -> System:
        """The model as a chain of stocks, and its input, just after time t."""
        t = self._inside(t)
        if self.clock.continuous:
            return _system(self.clock.at(t))
        k = self.clock.interval(t)
        if k not in self.known:
            self.known[k] = _system(self.clock.at(t))
        return self.known[k]

    def rates(self, t: float) -> tuple[Array, Array]:
        """M (n, n) and u (n,), in stocks per area."""
        now = self.at(t)
        return now.chain.outflow, now.u

    def jumps(self, t0: float, t1: float) -> list[float]:
        """The times between t0 and t1 at which the conditions jump."""
        times = self.breaks
        end = float(self.clock.t[-1])
        if self.continuing and t1 > end:
            times = np.append(times, end)
            if self.period is not None:
                last = self.breaks[(self.breaks > end - self.period) & (self.breaks < end)]
                again = np.arange(1, np.ceil((t1 - end) / self.period) + 1) * self.period
                times = np.append(times, again[:, None] + np.append(last, end))
        return np.unique(times[(times > t0) & (times < t1)]).tolist()

    def _inside(self, t: float) -> float:
        end = float(self.clock.t[-1])
        if not self.continuing or t <= end:
            return t
        if self.period is None:
            return end
        return end - self.period + (t - end) % self.period


def _any_model(name: str, model: Model) -> Model:
    """Also an outflow matrix is a model here; `system` looks at it."""
    return model


def _system(now: Moment) -> System:
    return system(now.model, now.I, now.xi)


def through_time(
    model: Model | Changing | Callable[[float], Model],
    t: ArrayLike,
    I: Forcing,
    xi: Forcing = 1.0,
    *,
    start: Start | None = None,
    breaks: ArrayLike = (),
    rtol: float = 1e-10,
    atol: float = 1e-12,
) -> AgesThroughTime:
    """Run a model forward in time and keep account of the ages of its carbon.

    Parameters
    ----------
    model : MatrixModel, LayeredModel, array_like (n, n), `changing` or callable
        Or a function of time [yr] that returns one of them, for changing A, K, B or V.
    t : array_like (times,)
        Times [yr], rising, at which states and ages are wanted.
    I : float, array_like (times − 1, ...), DataArray or callable
        Input: a number; an array with **time first**, one entry for each interval of t (or a first
        axis of length 1: it never changes), constant within it; a labelled array; or a function of
        time, asked at any time. See `landcarbon.matrix.timeline`.
    xi : float, array_like (times − 1, ...), DataArray or callable
        Environmental scalar of a model, in the same four forms.
    start : Start, optional
        Stocks and ages at t[0]: `start_steady`, `start_empty` or `start_given`. If not given, the
        steady state of the conditions at t[0].
    breaks : array_like, optional
        Times at which a function jumps or has a kink: steps end there.
    rtol, atol : float
        Error of one step, relative to each number, and to the largest number of its kind.

    Returns
    -------
    AgesThroughTime
        `t`, `X`, and the distributions `pool_ages(at)`, `system_age(at)`,
        `backward_transit_time(at)`, `forward_transit_time(at, period=)`.

    Raises
    ------
    InputError
        Times that do not rise, forcing that does not fit, a start that is not a steady state.

    Notes
    -----
    Metzler, Müller and Sierra (2018), doi 10.1073/pnas.1705296115.

    Examples
    --------
    Decomposition with a yearly cycle, from the steady state of its mean:

    >>> from landcarbon.models.pools import two_pool
    >>> model = two_pool(0.5, 0.025, 0.3)
    >>> run = through_time(model, [0, 0.5, 1], I=1.0, xi=lambda t: 1 + 0.4 * np.sin(2 * np.pi * t))
    >>> run.system_age().mean.round(3)
    array([36.286, 36.457, 36.24 ])
    >>> run.pool_ages(at=1).quantile(0.5).round(3)
    array([[ 1.361, 29.803]])
    """
    rtol, atol = as_number("rtol", rtol, lower=0.0), as_number("atol", atol, lower=0.0)
    if not rtol >= FINEST or not atol >= 0:
        raise InputError(
            f"rtol is {rtol:g} and atol {atol:g}; give an rtol of {FINEST:g} or more (numbers have 16 "
            "digits) and an atol that is not negative."
        )
    given = as_array("breaks", breaks).ravel()
    clock = Timeline.read(model, t, I, xi, check=_any_model)
    t = clock.t
    conditions = _Conditions(clock, np.union1d(given, t) if clock.stepwise else np.unique(given))
    first = conditions.at(float(t[0]))
    n = first.chain.n
    if first.chain.leave.ndim != 1 or first.u.ndim != 1:
        raise InputError(
            f"Ages through time run for one site: rates have shape {first.chain.leave.shape} and the input "
            f"{first.u.shape}; select a site first."
        )
    if start is None:
        now = clock.at(float(t[0]))
        start = start_steady(now.model, now.I, now.xi)
    if start.X.size != n:
        raise InputError(f"The start has {start.X.size} pools, but the model has {n}.")
    states = [np.column_stack([start.X, start.X * start.mean, start.X * start.square])]
    flow = Flow(conditions.rates, conditions.jumps, rtol, atol)
    W = np.empty((n, 0))
    for early, late in zip(t[:-1].tolist(), t[1:].tolist()):
        Z, W = flow.carry(early, late, states[-1], W)
        states.append(Z)
    moments = np.stack(states)
    X = moments[..., 0].reshape(t.size, *first.shape)
    return AgesThroughTime(t, X, first.names, start, moments, conditions, rtol, atol)
