"""One clock: what changes with time, read once and walked through step by step.

    dX/dt = B(t) I(t) − A(t) ξ(t) K(t) X − V(t) X          t₀ < t₁ < … : what changes is constant in a step

====== ========================================= ================ ============ =================
symbol meaning                                   shape            unit         code name
====== ========================================= ================ ============ =================
t      times of the states, rising               (steps + 1,)     yr           Timeline.t
h      length of a step                          (steps,)         yr           Moment.h
I      carbon input                              as the model's   gC m-2 yr-1  Moment.I
ξ      environmental scalar                      as the model's   1            Moment.xi
A … V  parts of the model                        as the model's   as there     Moment.model
====== ========================================= ================ ============ =================

Whatever changes may be given in one of four forms:

- a *number*: it never changes;
- an *array* with **time first**, one entry for each step, or a first axis of length 1;
- a *labelled array* (xarray, or pandas with dates): each step takes its own entry, or the mean of the
  entries whose time lies in it. Dates count as decimal years; without a time axis it never changes;
- a *function of time* [yr], asked in the middle of each step.

The model may change too: as a function of time that returns it, or with some of its parts in any of
these forms, `changing(model, K=...)`.

    npp = xr.DataArray([500, 520, 540], dims="time", coords={"time": [2000.5, 2001.5, 2002.5]})
    thaw = changing(land, K=lambda t: land.K * (1 + 0.01 * (t - 2000)))
    run = simulate(thaw, t=[2000, 2001, 2002, 2003], X0=X0, I=npp)
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array, as_kind, as_number, as_whole, as_years

__all__ = [
    "Changing",
    "Forcing",
    "Moment",
    "Series",
    "Timeline",
    "changing",
    "forcing",
    "lengths",
    "nearest",
    "rising",
]

Array = NDArray[np.float64]
Forcing = ArrayLike | Callable[[float], ArrayLike]

SLACK = 0.1  # of a step: the first of March is two days before two twelfths of a year
ROUNDING = 1e-6  # of a step
SAME = 1e-9  # of the largest time
AXES_OF_STATE = ("pool", "layer")


class Moment(NamedTuple):
    """One step, or one time: its length h [yr], its time t [yr], and what holds then."""

    h: float
    t: float
    model: Any
    xi: Array
    I: Array

    @property
    def u(self) -> Array:
        """B I, the input of each pool."""
        u: Array = self.model.input(self.I)
        return u


@dataclass(frozen=True)
class Series:
    """One thing over the steps of a run; made by `forcing`."""

    name: str
    rows: Array | None
    """(1 or steps, ...), or a single number; None for a function of time."""
    function: Callable[[float], ArrayLike] | None = None

    @property
    def stepwise(self) -> bool:
        """Whether it jumps from step to step."""
        return self.rows is not None and self.rows.ndim > 0 and len(self.rows) > 1

    def __call__(self, k: int, time: float) -> Array:
        """Its value in step k, of which a function is asked at `time`."""
        k, time = _at(k, time)
        if self.function is not None:
            value = self.function(time)
            if isinstance(value, float) and isfinite(value):  # asked many times: not worth a full look
                return np.asarray(value)
            return as_array(f"{self.name} at t = {time:g}", value)
        assert self.rows is not None
        return self.rows if self.rows.ndim == 0 else self.rows[k % len(self.rows)]


@dataclass(frozen=True)
class Changing:
    """A model some of whose parts change with time; made by `changing`."""

    model: Any
    parts: dict[str, Forcing]


def changing(model: Any, **parts: Forcing) -> Changing:
    """A model some of whose parts change with time.

    Parameters
    ----------
    model : MatrixModel or LayeredModel
    **parts
        Parts of the model by name, each in one of the forms in which forcing is given: A, K, B, V of a
        MatrixModel; A, K, down, up of a LayeredModel.

    Returns
    -------
    Changing
        To be given wherever a model may change.

    Raises
    ------
    InputError
        A part that the model does not have.

    Examples
    --------
    >>> from landcarbon.matrix.simulate import simulate
    >>> from landcarbon.models.pools import one_pool
    >>> faster = changing(one_pool(k=0.05), K=[[0.05], [0.10]])
    >>> simulate(faster, t=[0, 10, 20], X0=[1000.0], I=0.0).X.values.round(1)
    array([[1000. ],
           [ 606.5],
           [ 223.1]])
    """
    check_model("model", model)
    model.replace(**{name: getattr(model, name, None) for name in parts})  # names what it has not
    for name, part in parts.items():
        if not callable(part):
            as_array(name, part)
    return Changing(model, parts)


def check_model(name: str, model: Any) -> Any:
    """The model, if it is one."""
    if not hasattr(model, "replace") or not hasattr(model, "steady_state"):
        verb = "returned" if name.endswith(")") else "is"
        raise InputError(
            f"{name} {verb} {type(model).__name__}, not a model: give a MatrixModel or a LayeredModel, or a "
            "function of time that returns one."
        )
    return model


@dataclass(frozen=True)
class Timeline:
    """A run's times and everything that holds between them; made by `Timeline.read`."""

    t: Array
    I: Series
    xi: Series
    model: Any
    parts: tuple[Series, ...] = ()
    """What changes of a `Changing` model."""
    check: Callable[[str, Any], Any] = check_model

    @classmethod
    def read(
        cls,
        model: Any,
        t: ArrayLike,
        I: Forcing,
        xi: Forcing = 1.0,
        *,
        least: int = 2,
        check: Callable[[str, Any], Any] = check_model,
    ) -> Timeline:
        """Read times, model and forcing, or say in a sentence why they cannot be read.

        Parameters
        ----------
        model
            A model, a function of time [yr] that returns one, or `changing`.
        t : array_like (steps + 1,)
            Times [yr], rising; dates count as decimal years.
        I, xi
            Input and environmental scalar, each in one of the four forms.
        least : int
            How many times are needed.
        check : callable
            ``check(name, model)`` returns the model, or says why it is none.

        Raises
        ------
        InputError
            Times that do not rise, forcing that does not fit the steps, something that is no model.

        Examples
        --------
        >>> from landcarbon.models.pools import one_pool
        >>> clock = Timeline.read(one_pool(0.1), [0, 1, 3], I=lambda t: 100 + t)
        >>> [(now.h, now.t, float(now.I)) for now in clock.walk()]
        [(1.0, 0.5, 100.5), (2.0, 2.0, 102.0)]
        """
        t = rising("t", t, least)
        parts: tuple[Series, ...] = ()
        if isinstance(model, Changing):
            parts = tuple(_series(name, part, t, model.model) for name, part in model.parts.items())
            model = model.model
        elif not callable(model):
            model = check("model", model)
        fixed = None if callable(model) else model
        return cls(t, _series("I", I, t, fixed), _series("xi", xi, t, fixed), model, parts, check)

    @property
    def steps(self) -> int:
        """Number of steps; a single time counts as one."""
        return max(len(self.t) - 1, 1)

    @cached_property
    def changes(self) -> bool:
        """Whether the model changes."""
        return callable(self.model) or bool(self.parts)

    @cached_property
    def stepwise(self) -> bool:
        """Whether something jumps from step to step."""
        return any(series.stepwise for series in (self.I, self.xi, *self.parts))

    @cached_property
    def continuous(self) -> bool:
        """Whether something is a function of time."""
        functions = any(series.function is not None for series in (self.I, self.xi, *self.parts))
        return functions or callable(self.model)

    def interval(self, time: float) -> int:
        """The step that begins at or before `time`; the last one for the last time."""
        _, time = _at(0, time)
        return min(max(bisect_right(self._row, time) - 1, 0), self.steps - 1)

    @cached_property
    def _row(self) -> list[float]:
        return self.t.tolist()

    def model_at(self, k: int, time: float) -> Any:
        """The model in step k, of which functions are asked at `time`."""
        k, time = _at(k, time)
        if callable(self.model):
            return self.check(f"model({time:g})", self.model(time))
        if not self.parts:
            return self.model
        return self.model.replace(**{part.name: part(k, time) for part in self.parts})

    def moment(self, k: int, time: float, h: float = 0.0) -> Moment:
        """What holds in step k, of which functions are asked at `time`."""
        k, time = _at(k, time)
        if not (isinstance(h, float) and isfinite(h)):
            h = as_number("h", h)
        model = self.model_at(k, time) if self.changes else self.model
        return Moment(h, time, model, self.xi(k, time), self.I(k, time))

    def at(self, time: float) -> Moment:
        """What holds at any time of the run: functions at that time, arrays of the step it begins."""
        return self.moment(self.interval(time), time)

    def walk(self) -> Iterator[Moment]:
        """All steps in order: functions are asked in the middle of each."""
        pools: tuple[str, ...] | None = None
        middle = ((self.t[:-1] + self.t[1:]) / 2).tolist()
        for k, (h, time) in enumerate(zip(lengths(self.t), middle)):
            now = self.moment(k, time, h)
            if self.changes:
                pools = keeps_pools(pools, now)
            yield now


def _at(k: Any, time: Any) -> tuple[int, float]:
    """A step and a time; asked many times, so that only what is odd is worth a full look."""
    if isinstance(k, int) and k >= 0 and isinstance(time, float) and isfinite(time):
        return k, time
    return as_whole("k", k), as_number("time", time)


def keeps_pools(pools: tuple[str, ...] | None, now: Moment) -> tuple[str, ...] | None:
    """Pools of the model of a moment; an error if they are no longer those they were."""
    found = getattr(now.model, "pools", None)
    if pools is not None and found != pools:
        raise InputError(
            f"The model at t = {now.t:g} has pools {found}, not {pools}; a model that changes in time "
            "keeps its pools."
        )
    return found


def rising(name: str, t: ArrayLike, least: int = 2) -> Array:
    """A row of times that rise [yr]; dates count as decimal years.

    Raises
    ------
    InputError
        Fewer than `least` times, times that stay or fall.
    """
    least = as_whole("least", least, 1)
    times = as_years(name, t, hint=f"{name} holds times in years.")
    if times.ndim != 1 or len(times) < least:
        few = {1: "one time", 2: "two times"}.get(least, f"{least} times")
        raise InputError(f"{name} must be a row of at least {few}, but its shape is {times.shape}.")
    step = np.diff(times)
    if np.any(step <= 0):
        k = int(np.argmin(step))
        raise InputError(
            f"{name} must rise, but {times[k + 1]:g} follows {times[k]:g} at index {k + 1}."
        )
    return times


def nearest(when: ArrayLike, times: Array) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Which of some times is nearest to each of `when`, and whether it is the same but for rounding.

    Parameters
    ----------
    when : array_like, (...)
    times : ndarray, (time,)

    Returns
    -------
    index : ndarray of int, (...)
    same : ndarray of bool, (...)
        True where they differ by less than 1e-9 of the largest time.

    Examples
    --------
    >>> nearest([0.6, 0.7], np.linspace(0, 1, 6))         # the fourth of them is 0.6000000000000001
    (array([3, 3]), array([ True, False]))
    """
    t, times = as_array("when", when), as_array("times", times, shape=(None,))
    if times.ndim != 1 or not times.size:
        raise InputError(f"times must be a row of times, but its shape is {times.shape}.")
    index = np.abs(t[..., None] - times).argmin(axis=-1)
    return index, np.abs(t - times[index]) <= SAME * max(1.0, float(np.abs(times).max()))


def forcing(name: str, value: Forcing, t: Array, pools: tuple[str, ...] = ()) -> Series:
    """Forcing in any of its four forms, as one value for each step.

    Parameters
    ----------
    name : str
        How the caller calls it; used in messages.
    value
        A number, an array with time first, a labelled array, or a function of time [yr].
    t : ndarray (steps + 1,)
        Times of the run [yr], rising: see `rising`.
    pools : tuple of str, optional
        Labels that an axis "pool" is put in the order of.

    Raises
    ------
    InputError
        A first axis that is not time, labels that leave a step without an entry.

    Examples
    --------
    A value for each half year, in a run of yearly steps:

    >>> import xarray as xr
    >>> half = xr.DataArray([1.0, 3.0, 5.0, 7.0], coords={"time": [2000, 2000.5, 2001, 2001.5]}, dims="time")
    >>> xi = forcing("xi", half, t=np.array([2000.0, 2001.0, 2002.0]))
    >>> float(xi(0, 2000.5)), float(xi(1, 2001.5))
    (2.0, 6.0)
    """
    return _read(name, value, rising("t", t, 1), as_kind("pools", pools, tuple))


def _read(name: str, value: Forcing, t: Array, pools: tuple[str, ...]) -> Series:
    if callable(value):
        return Series(name, None, value)
    steps = max(len(t) - 1, 1)
    labelled = _labelled(name, value, pools, t)
    if labelled is not None:
        when, rows = labelled
        rows = as_array(name, rows)
        return Series(name, rows if when is None else _per_step(name, when, rows, t))
    rows = as_array(name, value)
    if rows.ndim and rows.shape[0] not in (1, steps):
        raise InputError(
            f"{name} has shape {rows.shape}, but there are {steps} steps: time comes first, one "
            f"entry for each step (not for each of the {steps + 1} times). What never changes but "
            f"differs between pools or sites gets a first axis of length 1: {name}[np.newaxis]."
        )
    return Series(name, rows)


def _series(name: str, value: Forcing, t: Array, model: Any) -> Series:
    return _read(name, value, t, getattr(model, "pools", ()))


def _counted(index: Any, t: Array) -> bool:
    """Whether an index of pandas only counts rows: from 0, or whole numbers of which no one is a time of the run."""
    if index.dtype.kind not in "iu" or not len(index):
        return False
    return np.array_equal(index, np.arange(len(index))) or index.max() < t[0] or index.min() > t[-1]


def _labelled(name: str, value: Any, pools: tuple[str, ...], t: Array) -> tuple[Array | None, Any] | None:
    """Times (None if it never changes) and values, time first, of what carries labels; else None."""
    index: Any = getattr(value, "index", None)
    if hasattr(index, "tz_localize") or hasattr(index, "to_timestamp"):  # pandas, with dates
        return as_years(f"the index of {name}", index), np.asarray(value)
    if hasattr(value, "iloc") and index is not None and not _counted(index, t):
        if index.dtype.kind not in "iuf":
            raise InputError(
                f"{name} is labelled {', '.join(map(str, index[:5]))}, which are no times: give an index of years or "
                "dates, or a plain array with one entry for each step."
            )
        return as_array(f"the index of {name}", index), np.asarray(value)
    if not hasattr(value, "dims") or not hasattr(value, "coords"):
        return None
    return _of_array(name, value, pools)


def _of_array(name: str, value: Any, pools: tuple[str, ...]) -> tuple[Array | None, Any]:
    """The same, of a DataArray."""
    if not hasattr(value, "transpose") or not hasattr(value, "name"):
        raise InputError(f"{name} is a {type(value).__name__}; choose one of its variables.")
    if pools and "pool" in value.coords and "pool" in value.dims:
        given = [str(pool) for pool in value.pool.values]
        if sorted(given) != sorted(pools):
            raise InputError(f"{name} has the pools {given}, but the model has {list(pools)}.")
        value = value.sel(pool=list(pools))
    time = next((d for d in ("time", "step") if d in value.dims), None)
    last = [d for d in AXES_OF_STATE if d in value.dims]
    lead = [d for d in value.dims if d != time and d not in last]
    if time is None:
        constant = np.asarray(value.transpose(*lead, *last).values)
        return None, constant[np.newaxis] if constant.ndim else constant
    if time not in value.coords:
        raise InputError(
            f"{name} has an axis {time!r} without times. Give it times, "
            f"{name}.assign_coords({time}=...), or a plain array with one entry for each step."
        )
    unit = str(value[time].attrs.get("units", "yr"))
    if unit not in ("yr", "year", "years", "a"):
        raise InputError(
            f"The times of {name} are in {unit!r}; give them in years, or as dates (xarray.decode_cf)."
        )
    return as_years(f"the times of {name}", value[time].values), value.transpose(time, *lead, *last).values


def _per_step(name: str, when: Array, rows: Array, t: Array) -> Array:
    """One row for each step: its own entry, or the mean of all entries in it."""
    when = rising(f"time of {name}", when, 1)
    if len(t) == 1:
        if len(when) > 1:
            raise InputError(f"{name} has {len(when)} entries, but there is one time: select one of them.")
        return rows
    h = np.diff(t)
    for slack in (SLACK, ROUNDING):
        edges = t - slack * np.append(h, h[-1])
        inside = (when >= edges[0]) & (when < edges[-1])
        step = np.searchsorted(edges, when[inside], side="right") - 1
        count = np.bincount(step, minlength=len(h))
        if np.all(count == 1):
            return rows[inside]
    if np.any(count == 0):
        k = int(np.argmin(count))
        raise InputError(
            f"{name} has no entry between t = {t[k]:g} and {t[k + 1]:g}: its {len(when)} times run from "
            f"{when[0]:g} to {when[-1]:g}. Take longer steps, or more entries: {name}.interp(time=...)."
        )
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    return np.add.reduceat(rows[inside], first, axis=0) / count.reshape(-1, *(1,) * (rows.ndim - 1))


def lengths(t: Array) -> list[float]:
    """Step lengths, where those that differ only by the rounding of t are made equal."""
    t = as_array("t", t, shape=(None,))
    if t.size < 2:
        return []
    h = np.diff(t)
    grain = 8 * np.finfo(float).eps * np.abs(t).max()
    _, first, which = np.unique(np.round(h / grain), return_index=True, return_inverse=True)
    return h[first][which].tolist()
