"""Spin-up: the state to which years of repeated forcing lead.

    one loop of forcing   X(L) = G(X(0)),   linear models: G(X) = Φ X + c,   Φ = Φ_T … Φ₂ Φ₁
    periodic state        X* = G(X*),       linear models: X* = (1 − Φ)⁻¹ c

====== ================================== =============== =========== ============
symbol meaning                            shape           unit        code name
====== ================================== =============== =========== ============
Φ      what a loop leaves                 (..., n, n)     1           1 − loop_map()[0]
c      what a loop brings                 (..., n)        gC m-2      loop_map()[1]
X*     exact state at the start of a loop (..., n)        gC m-2      SpinUp.exact
====== ================================== =============== =========== ============

The loop is one of `landcarbon.matrix.loops`, of pools or of a soil column. Six ways to X*, one
interface:

native       run loop after loop until the pools change less than a tolerance
accelerated  run with the slow pools made fast, divide them back, run on (accelerated decomposition:
             Thornton & Rosenbloom, 2005, doi 10.1016/j.ecolmodel.2005.04.008)
sasu         run a loop, average its matrices, jump to their steady state, repeat (semi-analytic:
             Xia et al., 2012, doi 10.5194/gmd-5-1259-2012; Liao et al., 2023, doi
             10.1029/2023MS003625)
periodic     build Φ and c, and solve; where the pools change the matrices, again and again
anderson     guess X* from the last few loops (Anderson acceleration), run the next loop from there
newton       solve G(X) = X by a Newton–Krylov method (SciPy)

The last two only need loops to be run: they take any model that can be started from a given state.

A small yearly change does not mean a small error: with slowest time scale τ the error is about
τ times the yearly change. So each result carries its error against X*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array, as_number, as_whole
from landcarbon.matrix.loops import ColumnCycle, Cycle, FeedbackCycle, Loop, Repeating

__all__ = [
    "SpinUp",
    "accelerated",
    "anderson",
    "native",
    "newton",
    "periodic",
    "sasu",
]

Array = NDArray[np.float64]

TINY = 1e-300
MOST_WEIGHT = 1e8  # a pool of τ years asks for weights of about τ
EXACT, PASSES = 1e-10, 300  # relative; loops at most to find the exact state by iteration


@dataclass(frozen=True)
class SpinUp:
    """What a spin-up found, what it cost, and how wrong it is.

    Attributes
    ----------
    method : str
        native, accelerated, sasu, periodic, anderson or newton.
    X : ndarray (..., n)
        State at the start of the loop [gC m-2].
    exact : ndarray (..., n)
        The periodic state X* itself [gC m-2].
    years : float
        Model years run.
    seconds : float
        Wall time, without that for `exact`.
    converged : bool
        Whether the stopping rule was met before `max_years`.
    history : ndarray (loops,)
        Largest change of a pool in each loop [gC m-2 yr-1]: what the stopping rule sees.
    states : ndarray (loops, ..., n)
        State after each loop, before the next guess [gC m-2]; where slow pools were made fast,
        scaled back.
    loop_years : float
        Length of a loop [yr].
    """

    method: str
    X: Array
    exact: Array
    years: float
    seconds: float
    converged: bool
    history: Array
    states: Array
    loop_years: float

    @property
    def pool_error(self) -> Array:
        """Relative error of each pool (..., n); absolute where the exact state is 0."""
        return _relative(self.X, self.exact)

    @property
    def error(self) -> float:
        """Largest relative error of a pool."""
        return float(self.pool_error.max())

    def error_history(self, pool: int | tuple[int, int] | None = None) -> Array:
        """Relative error after each loop (loops,): of one pool by its position, or the largest.

        In a column the position is (pool, layer), both from 0.
        """
        error = _relative(self.states, self.exact)
        if pool is not None:
            given = pool if isinstance(pool, (tuple, list)) else (pool,)
            if len(given) != error.ndim - 1:
                raise InputError(f"pool is {pool!r}; the states have the axes {error.shape[1:]}: one position each.")
            place = tuple(as_whole("pool", k, 0, n - 1) for k, n in zip(given, error.shape[1:]))
            at: Any = (..., *place)
            error = error[at]
        return error.reshape(len(error), -1).max(axis=1)

    def years_to(self, error: float, pool: int | tuple[int, int] | None = None) -> float:
        """Model years until a pool, or every pool, is and stays within a relative error; inf if never."""
        error = as_number("error", error, lower=0.0)
        within = self.error_history(pool) <= error
        if not within[-1]:
            return float("inf")
        outside = np.flatnonzero(~within)
        return float((0 if outside.size == 0 else outside[-1] + 1) + 1) * self.loop_years

    def __str__(self) -> str:
        stop = "converged" if self.converged else "not converged"
        return (
            f"{self.method}: {self.years:g} model years, {self.seconds:.2g} s, {stop}, last change "
            f"{self.history[-1]:.2g} gC m-2 yr-1, true error {self.error:.2g}"
        )


def native(
    loop: Loop, X0: ArrayLike | None = None, tol: float = 1e-2, max_years: float = 100_000.0
) -> SpinUp:
    """Loop after loop until nothing changes any more.

    Parameters
    ----------
    loop : Cycle, FeedbackCycle or callable
        The forcing that repeats; or a function from the state at the start of a year to the state
        at its end.
    X0 : array_like (..., n), optional
        First state [gC m-2]; empty pools if it is not given and `loop` is a Cycle.
    tol : float
        Stop when no pool changes by more than this from loop to loop [gC m-2 yr-1].
    max_years : float
        Stop at the latest after so many model years.

    Returns
    -------
    SpinUp
        With its true error, which is larger than the rule suggests where pools are slow.

    Raises
    ------
    InputError
        A state that does not fit, a tolerance that is not above 0, carbon that can never leave.

    Examples
    --------
    >>> from landcarbon.matrix import MatrixModel
    >>> from landcarbon.matrix.loops import Cycle
    >>> soil = MatrixModel(("soil",), A=[[1.0]], K=[0.01], B=[1.0])
    >>> run = native(Cycle.from_model(soil, I=300.0), tol=1.0)
    >>> run.years, round(run.error, 4)   # 1 gC m-2 yr-1 times 100 yr: about 100 in 30,000 gC m-2
    (571.0, 0.0033)
    """
    tol, max_years = as_number("tol", tol, lower=0.0, strict=True), as_number("max_years", max_years, lower=0.0)
    record = _Record("native", loop, X0, tol, max_years)
    return record.finish(_repeat)


def accelerated(
    loop: Cycle | ColumnCycle | FeedbackCycle,
    factors: ArrayLike,
    X0: ArrayLike | None = None,
    tol: float = 1e-2,
    max_years: float = 100_000.0,
) -> SpinUp:
    """Accelerated decomposition: slow pools made fast, divided back, then native dynamics.

    Parameters
    ----------
    loop : Cycle, ColumnCycle or FeedbackCycle
        The forcing that repeats.
    factors : array_like (pools,)
        How much faster each pool leaves, mixing included, at least 1: a choice, see the notes.
    X0 : array_like (..., n), optional
        First state [gC m-2]; empty pools if it is not given and `loop` is a Cycle.
    tol : float
        Stop when no pool changes by more than this from loop to loop [gC m-2 yr-1]; in the
        accelerated phase the change counts times its factor.
    max_years : float
        Stop at the latest after so many model years, both phases together.

    Returns
    -------
    SpinUp
        Years of both phases; `states` of the accelerated phase are already scaled back.

    Raises
    ------
    InputError
        As `native`; factors below 1.

    Notes
    -----
    Under constant forcing the scaled-back state is exact, so the native phase only confirms it.
    Under seasonal forcing the accelerated pools follow the seasons, and the native phase has to
    repair what that did: the more, the larger the factors. Two published choices for CLM5's soil, both
    larger than this trade-off asks for: slow 15 and passive 675, so that both turn over in 0.4 yr
    (technical note of CLM5, chapter 21; `clm5.ACCELERATION`); soil pools to 1 yr and woody debris to 2 yr,
    factors max(1, τ) and max(1, τ/2), with living and standing dead wood 10 times faster (public code,
    ESCOMP/CTSM on GitHub).
    """
    if not isinstance(loop, Repeating):
        _stepwise("accelerated", loop)
    record = _Record("accelerated", loop, X0, tol, max_years)
    pools = len(loop.columns[0].pools) if isinstance(loop, ColumnCycle) else record.X.shape[-1]
    hint = "One for each pool: 1 leaves it as it is, below 1 would slow it down."
    speed = as_array("factors", factors, shape=(pools,), lower=1.0, hint=hint)
    scale = loop.spread(speed)

    def both(run: _Record, X: Array) -> None:
        run.phase(loop.faster(speed).rows, scale=scale)
        try:
            _repeat(run, X / scale)
        except _Met:
            run.phase(loop.rows)
        _repeat(run, run.X)

    return record.finish(both)


def sasu(
    loop: Cycle | FeedbackCycle,
    X0: ArrayLike | None = None,
    tol: float = 1e-2,
    max_years: float = 100_000.0,
) -> SpinUp:
    """Semi-analytic spin-up: jumps to the steady state of the averaged matrices.

    Each loop is run natively. Its matrices are averaged, each pool's column weighted with the
    carbon the pool held (so that the averages carry the fluxes of the loop exactly), and the steady
    state X̄* of the averages is solved for. The state then moves by what separates X̄* from the mean
    of the loop X̄. At the fixed point X̄* = X̄, and the state is the exact periodic one.

    Parameters
    ----------
    loop : Cycle or FeedbackCycle
        The forcing that repeats.
    X0 : array_like (..., n), optional
        First state [gC m-2]; empty pools if it is not given and `loop` is a Cycle.
    tol : float
        Stop when no pool changes by more than this in a loop [gC m-2 yr-1].
    max_years : float
        Stop at the latest after so many model years.

    Returns
    -------
    SpinUp
        The years count the loops; the jumps between them take no model time.

    Raises
    ------
    InputError
        As `native`.

    Notes
    -----
    Xia et al. (2012), doi 10.5194/gmd-5-1259-2012, average over time and run on natively; Liao et
    al. (2023), doi 10.1029/2023MS003625, weight with the fluxes and repeat.
    """
    record = _Record("sasu", loop, X0, tol, max_years)
    stepwise = _stepwise("sasu", loop)

    def jumps(run: _Record, X: Array) -> None:
        while True:
            year = stepwise.account(X)
            run.note(X, year.end)
            held = (year.stay > 0)[..., None, :]
            carried = year.flow / np.where(held, year.stay[..., None, :], 1.0)
            M = np.where(held, carried, year.M / stepwise.length)
            aim = np.linalg.solve(M, (year.brought / stepwise.length)[..., None])[..., 0]
            mean = year.stay / stepwise.length
            # Both moves rest at aim = mean; the second keeps a pool that empties within the loop
            # from going below 0.
            rising = year.end >= mean
            ratio = aim / np.where(rising, 1.0, mean)
            X = np.where(rising, year.end + (aim - mean), year.end * ratio)

    return record.finish(jumps)


def periodic(loop: Cycle | ColumnCycle | FeedbackCycle, X0: ArrayLike | None = None) -> SpinUp:
    """The exact periodic state: the fixed point of the loop by linear solves.

    For a linear model that is one solve. Columns with implicit steps go through the cascade instead, some
    dozen loops for thousands of columns at once: what a loop changes, and what the column of the mean
    rates would make of that change in the end, is added until nothing moves.

    Where the pools change the matrices, the loop is run from X, its matrices are kept as they were,
    their fixed point is the next X, and so on; Anderson acceleration makes this converge in a few loops
    when the feedback is weak.

    Parameters
    ----------
    loop : Cycle, ColumnCycle or FeedbackCycle
        The forcing that repeats.
    X0 : array_like (n,), optional
        Where to start; needed for a FeedbackCycle, which may have several periodic states.

    Returns
    -------
    SpinUp
        `years` is the length of the loops: each is passed once, with the whole matrix. `history`
        holds how far a loop moves the result [gC m-2 yr-1]: rounding at the end.

    Raises
    ------
    InputError
        Carbon that can never leave; feedback so strong that the search does not settle.
    """
    begin = perf_counter()
    if isinstance(loop, ColumnCycle) and loop.method == "implicit":
        states = _at_rest(loop)
        stepwise: Callable[[Array], Array] = loop.rows
    elif isinstance(loop, Repeating) and loop.pools is not None:
        states = [_fixed_point(*loop.flat.loop_map())]
        stepwise = loop.flat
    else:
        fed_back = _stepwise("periodic", loop)
        if X0 is None:
            raise InputError("A model with feedback needs a state to start from: periodic(loop, X0=...).")
        states = _settle(fed_back, as_array("X0", X0, shape=(None,), lower=0.0))
        stepwise = fed_back
    seconds = perf_counter() - begin
    X, length = loop.shaped(states[-1]), loop.length
    changes = np.array([_change(x, stepwise(x), length) for x in states])
    return SpinUp(
        "periodic", X, X, len(states) * length, seconds, True, changes, loop.shaped(np.stack(states)), length
    )


def anderson(
    loop: Loop,
    X0: ArrayLike | None = None,
    tol: float = 1e-2,
    max_years: float = 100_000.0,
    memory: int = 10,
) -> SpinUp:
    """Anderson acceleration: each loop starts from the best combination of the last ones.

    The combination is the one whose change would be smallest if the model were linear. No matrix is
    needed, only loops. With at least as many loops in memory as there are pools, a linear model is
    solved in n + 1 loops.

    Parameters
    ----------
    loop : Cycle, FeedbackCycle or callable
        The forcing that repeats; or a function from the state at the start of a year to the state
        at its end.
    X0 : array_like (n,), optional
        First state [gC m-2]; empty pools if it is not given and `loop` is a Cycle.
    tol : float
        Stop when no pool changes by more than this in a loop [gC m-2 yr-1].
    max_years : float
        Stop at the latest after so many model years.
    memory : int
        Loops that are remembered, at least 1.

    Returns
    -------
    SpinUp

    Raises
    ------
    InputError
        As `native`; several sites at once.

    Notes
    -----
    Walker & Ni (2011), SIAM Journal on Numerical Analysis 49, 1715–1735, doi 10.1137/10078356X.
    Changes are weighted with the size of their pools, and a guess below 0 is replaced by the state
    after the loop; neither is offered by `scipy.optimize.anderson`.
    """
    memory = as_whole("memory", memory, 1)
    record = _Record("anderson", loop, X0, tol, max_years, one_site=True)

    def search(run: _Record, X: Array) -> None:
        for _ in _accelerate(run, X, memory):
            pass

    return record.finish(search)


def newton(
    loop: Loop, X0: ArrayLike | None = None, tol: float = 1e-2, max_years: float = 100_000.0
) -> SpinUp:
    """Newton's method on the yearly map: solve G(X) − X = 0.

    The Jacobian is never built; each iteration probes it with a few extra loops (Newton–Krylov,
    `scipy.optimize.newton_krylov`). All loops count.

    Parameters
    ----------
    loop : Cycle, FeedbackCycle or callable
        The forcing that repeats; or a function from the state at the start of a year to the state
        at its end.
    X0 : array_like (n,), optional
        First state [gC m-2]; empty pools if it is not given and `loop` is a Cycle. For a nonlinear
        model Newton's method needs a start not too far off: some native years first, say.
    tol : float
        Stop when no pool changes by more than this in a loop [gC m-2 yr-1].
    max_years : float
        Stop at the latest after so many model years.

    Returns
    -------
    SpinUp

    Raises
    ------
    InputError
        As `native`; several sites at once.
    """
    record = _Record("newton", loop, X0, tol, max_years, one_site=True)

    def search(run: _Record, X: Array) -> None:
        from scipy.optimize import NoConvergence, newton_krylov

        end = run(X)
        scale = np.maximum(end, max(1e-6 * float(end.max()), TINY))

        def residual(y: Array) -> Array:
            # Below 0 the map is continued by its value at 0: the fixed points stay the same.
            return run(np.maximum(y * scale, 0.0)) / scale - y

        try:
            newton_krylov(residual, end / scale, f_tol=1e-15, maxiter=run.loops, method="lgmres")
        except NoConvergence:
            pass

    return record.finish(search)


class _Met(Exception):
    """The stopping rule is met."""


class _Spent(Exception):
    """No model years are left."""


class _Record:
    """Runs loops for a method, remembers what they did, and stops it when it has to stop."""

    def __init__(
        self,
        method: str,
        loop: Loop,
        X0: ArrayLike | None,
        tol: float,
        max_years: float,
        one_site: bool = False,
    ) -> None:
        self.method, self.shaped = method, _shaped(loop)
        self.length = loop.length if isinstance(loop, Repeating) else 1.0
        n = loop.pools if isinstance(loop, Repeating) else None
        if X0 is not None:
            X0 = loop.flattened(X0) if isinstance(loop, Repeating) else X0
            X = as_array("X0", X0, shape=(n,), lower=0.0)
        elif n is not None:
            X = np.zeros(n)
        else:
            raise InputError(f"Without a Cycle, {method} needs a state to start from: X0=...")
        self.tol = as_number("tol", tol, lower=0.0, strict=True, hint="A change in gC m-2 yr-1.")
        years = as_number("max_years", max_years, lower=self.length, hint="One loop at least.")
        self.loops = int(years / self.length + 1e-9)
        self.exact = _exact(loop, X)
        self.X = np.broadcast_to(X, np.broadcast_shapes(X.shape, self.exact.shape))
        if self.X.ndim > 1 and (one_site or n is None):
            raise InputError(
                f"{method} works on one site at a time here; the state has shape {self.X.shape}."
            )
        self.states: list[Array] = []
        self.changes: list[float] = []
        self.phase(loop.rows if isinstance(loop, Repeating) else loop)

    def phase(self, loop: Callable[[Array], Array], scale: ArrayLike = 1.0) -> None:
        """From here on, run this loop, whose states are those of the model divided by `scale`."""
        self.loop, self.scale = loop, np.asarray(scale, dtype=float)

    def __call__(self, X: Array) -> Array:
        end = np.asarray(self.loop(X), dtype=float)
        self.note(X, end)
        return end

    def note(self, X: Array, end: Array) -> None:
        _check_finite(end)
        self.X = end * self.scale
        self.states.append(self.X)
        self.changes.append(_change(X * self.scale, self.X, self.length))
        if self.changes[-1] <= self.tol:
            raise _Met
        if len(self.changes) >= self.loops:
            raise _Spent

    def finish(self, run: Callable[[_Record, Array], None]) -> SpinUp:
        """Let a method run to its end, and report."""
        met = False
        begin = perf_counter()
        try:
            run(self, self.X)
        except _Met:
            met = True
        except _Spent:
            pass
        seconds = perf_counter() - begin
        return SpinUp(
            method=self.method,
            X=self.shaped(self.X),
            exact=self.shaped(self.exact),
            years=len(self.changes) * self.length,
            seconds=seconds,
            converged=met,
            history=np.array(self.changes),
            states=self.shaped(np.stack(self.states)),
            loop_years=self.length,
        )


def _repeat(loop: Callable[[Array], Array], X: Array) -> NoReturn:
    while True:
        X = loop(X)


def _accelerate(G: Callable[[Array], Array], X: Array, memory: int) -> Iterator[tuple[Array, Array]]:
    """Anderson acceleration of X ← G(X): pairs (X, G(X)) without end."""
    starts: list[Array] = []
    ends: list[Array] = []
    while True:
        end = G(X)
        _check_finite(end)
        yield X, end
        starts, ends = [*starts, X][-memory - 1 :], [*ends, end][-memory - 1 :]
        moved = [e - s for e, s in zip(ends, starts)]
        guess, trusted = end, True
        if len(moved) > 1:
            size = np.maximum(np.abs(end), max(1e-12 * np.abs(end).max(), TINY))
            rows = np.stack([(moved[-1] - m) / size for m in moved[:-1]], axis=-1)
            weights = np.linalg.lstsq(rows, moved[-1] / size, rcond=1e-14)[0]
            guess = end - np.stack([end - e for e in ends[:-1]], axis=-1) @ weights
            # Where the changes do not fall at all, the weights are made of rounding errors.
            trusted = float(np.abs(weights).max()) < MOST_WEIGHT
        # A state below 0 is no state: the loop itself never makes one, so go on from its end.
        X = guess if trusted and np.all(guess >= 0) else end


def _settle(loop: Repeating, X: Array) -> list[Array]:
    """States on the way to the fixed point of a loop with feedback, the last one exact."""
    states: list[Array] = []

    def frozen(X: Array) -> Array:
        return _fixed_point(*loop.map_from(X))

    best = np.inf
    for start, end in _accelerate(frozen, X, memory=10):
        states.append(end)
        miss = float(_relative(start, end).max())
        # Go on as long as it gets better: the last digits cost one or two loops.
        if miss <= EXACT and miss >= 0.1 * best:
            return states
        best = min(best, miss)
        if len(states) >= PASSES:
            break
    raise InputError(
        f"The search for a periodic state did not settle in {PASSES} loops: the feedback is strong. "
        "Start from a state nearer to the answer, after some hundred native years, say."
    )


def _at_rest(loop: ColumnCycle) -> list[Array]:
    """States in one row on the way to the fixed point of an implicit loop of columns, the last exact."""
    brought = sum(h * u for h, u in zip(loop.dt.tolist(), loop.u))
    X = loop.mean.steady_state(brought / loop.length)
    states: list[Array] = []
    best = np.inf
    for _ in range(PASSES):
        # (1 − Φ)⁻¹ is nearly 1 + (L M̄)⁻¹: right for pools that empty within a loop, and for slow ones.
        moved = loop.change(X)
        after = np.maximum(X + moved + loop.mean.chased(moved) / loop.length, 0.0)
        states.append(loop.flattened(after))
        miss, X = float(_relative(X, after).max()), after
        if miss <= EXACT and miss >= 0.1 * best:
            return states
        best = min(best, miss)
    raise InputError(
        f"The periodic state of the columns did not settle in {PASSES} loops. Look for layers that are "
        "frozen or dry all year, or take method='exponential', one column at a time."
    )


def _exact(loop: Loop, X: Array) -> Array:
    if isinstance(loop, ColumnCycle) and loop.method == "implicit":
        return _at_rest(loop)[-1]
    if isinstance(loop, Repeating):
        linear = loop.pools is not None
        return _fixed_point(*loop.flat.loop_map()) if linear else _settle(loop, X)[-1]
    if not callable(loop):
        raise InputError(
            f"loop is a {type(loop).__name__}; give a Cycle, a FeedbackCycle, or a function from "
            "the state at the start of a year to the state at its end."
        )
    best = np.inf
    for k, (start, end) in enumerate(_accelerate(loop, X, memory=min(X.size, 30))):
        miss = float(_relative(start, end).max())
        if miss <= EXACT and miss >= 0.1 * best:
            return end
        best = min(best, miss)
        if k >= 10 * PASSES:
            break
    raise InputError(
        f"The exact state was not found in {10 * PASSES} loops, so no error can be reported. Start "
        "nearer to it, or write the model as a FeedbackCycle."
    )


def _fixed_point(lost: Array, brought: Array) -> Array:
    # A pool that carbon neither enters nor leaves keeps what it holds: here, nothing.
    kept = ~(np.any(lost, axis=-1) | np.any(lost, axis=-2) | (brought != 0))
    lost = lost + kept[..., None] * np.eye(lost.shape[-1])
    try:
        X = np.asarray(np.linalg.solve(lost, brought[..., None])[..., 0], dtype=np.float64)
    except np.linalg.LinAlgError:
        X = np.full_like(brought, np.nan)
    if not np.all(np.isfinite(X)):
        raise InputError(
            "Part of the carbon can never leave, so the loop has no periodic state. Give every "
            "pool a turnover rate above 0 and let part of what leaves be respired."
        )
    return X


def _shaped(loop: Loop) -> Callable[[Array], Array]:
    """How states in one row become states as the loop has them."""
    return loop.shaped if isinstance(loop, Repeating) else lambda X: X


def _stepwise(method: str, loop: Loop) -> Repeating:
    if isinstance(loop, Repeating):
        return loop.flat
    raise InputError(
        f"{method} needs the matrices of the steps: give a Cycle or a FeedbackCycle. A plain "
        "function can be spun up by native, anderson or newton."
    )


def _check_finite(end: Array) -> None:
    if not np.all(np.isfinite(end)):
        raise InputError(
            "After a loop the state holds NaN or infinite values. Look at what the model does with "
            "the state it was given, start nearer to the answer, or use native."
        )


def _change(before: Array, after: Array, years: float) -> float:
    return float(np.abs(after - before).max() / years)


def _relative(X: Array, exact: Array) -> Array:
    return np.abs(X - exact) / np.where(exact > 0, exact, 1.0)
