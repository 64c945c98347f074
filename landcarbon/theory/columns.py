r"""Soil columns through time, with the age and the radiocarbon of their carbon along.

An implicit step of length h carries three things by the same matrix:

    (M + 1/h) X′       = X / h + u
    (M + 1/h) Y′       = Y / h + X′              mean age = Y / X
    (M + 1/h + λ) X₁₄′ = X₁₄ / h + F_a u         Δ¹⁴C = 1000 (X₁₄ / X − 1)

====== ============================================== =============== ============ =================
symbol meaning                                        shape           unit         code name
====== ============================================== =============== ============ =================
X      carbon                                         (..., p, L)     gC m-3       X
Y      carbon times its mean age                      (..., p, L)     gC m-3 yr    X × age
X₁₄    radiocarbon at the standard's ratio            (..., p, L)     gC m-3       see radiocarbon
M      outflow matrix A ξ K + V of the step           (..., pL, pL)   yr-1         model, xi
u      input                                          (..., p, L)     gC m-3 yr-1  I
h      length of the step                             ()              yr           t
F_a    ratio ¹⁴C/C of the air, mean over the step     ()              1            years, delta
λ      rate of radioactive decay                      ()              yr-1         1 / mean_life
====== ============================================== =============== ============ =================

Every line is one pass of the cascade (`landcarbon.matrix.cascade`) over all columns at once. Carbon grows
older by a year a year, comes in with age 0, and takes its age along when it moves: that is the second
line. The error is that of implicit steps, first order in h: about h in an age, and in Δ¹⁴C what the air
changes in h. Distributions of ages, and exact steps, for one column: `landcarbon.theory.ages_through_time`
and `landcarbon.theory.carbon14`, whose conventions hold here too.

Mean ages as a second tracer: Metzler, Müller and Sierra (2018), doi 10.1073/pnas.1705296115; a column with
radiocarbon as a tracer: Koven et al. (2013), doi 10.5194/bg-10-7109-2013.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.errors import InputError, as_array, as_kind, as_number
from landcarbon.matrix.simulate import kept
from landcarbon.matrix.timeline import Changing, Forcing, Moment, Timeline
from landcarbon.theory.carbon14 import MEAN_LIFE, atmosphere

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Start", "columns_through_time", "start_of_columns"]

Array = NDArray[np.float64]


class Start(NamedTuple):
    """Carbon at the start, carbon times its mean age, and radiocarbon, each (..., p, L)."""

    X: Array
    XA: Array
    X14: Array


def start_of_columns(
    model: LayeredModel, I: ArrayLike, delta: float = 0.0, *, mean_life: float = MEAN_LIFE
) -> Start:
    """Carbon, ages and radiocarbon of columns at steady state.

    Parameters
    ----------
    model : LayeredModel
        The columns under their mean conditions, as `clm5.column` makes them.
    I : array_like (..., p, L)
        Input [gC m-3 yr-1].
    delta : float
        Δ¹⁴C of the air that the columns grew up in [per mil].
    mean_life : float
        Mean life of the isotope [yr].

    Examples
    --------
    >>> from landcarbon.models import clm5
    >>> site = clm5.Forcing(np.full((20, 12), 285.15), np.full((20, 12), 0.5), [40, 120, 180, 60])
    >>> start = start_of_columns(*clm5.column(clm5.DEFAULT, site))
    >>> age = start.XA.sum(axis=0) / start.X.sum(axis=0)
    >>> [f"{age[l]:.0f} yr at {clm5.LAYERS.node[l]:.2f} m" for l in (0, 9, 14)]
    ['303 yr at 0.01 m', '1337 yr at 1.36 m', '3945 yr at 3.58 m']
    """
    if not isinstance(model, LayeredModel):
        raise InputError(f"model is a {type(model).__name__}; columns are a LayeredModel.")
    X = model.steady_state(I)
    F = 1.0 + as_number("delta", delta, lower=-1000.0, hint="Δ¹⁴C is in per mil.") / 1000.0
    return Start(X, model.steady_state(X), model.relaxed(F * model.input(I), _rate(mean_life)))


def columns_through_time(
    model: LayeredModel | Changing | Callable[[float], LayeredModel],
    t: ArrayLike,
    start: Start,
    I: Forcing,
    xi: Forcing = 1.0,
    *,
    keep: ArrayLike | None = None,
    air: tuple[ArrayLike, ArrayLike] | None = None,
    mean_life: float = MEAN_LIFE,
) -> xr.Dataset:
    """Run columns forward by implicit steps, with their ages and, given an atmosphere, their radiocarbon.

    Parameters
    ----------
    model, I, xi
        As for `landcarbon.matrix.simulate.simulate`; `clm5.monthly_columns` returns the three.
    t : array_like (steps + 1,)
        Times [yr]; with `air`, years CE.
    start : Start
        From `start_of_columns`; `start._replace(X=...)` keeps its ages and radiocarbon as they are.
    keep : array_like, optional
        Times of `t` whose states are kept, the first always; the run ends at the last. Fluxes are means
        between two of them. All, if not given.
    air : (array_like (years,), array_like (years,)), optional
        Years, and Δ¹⁴C of atmospheric CO₂ [per mil], linear in between; they must cover the run.
    mean_life : float
        Mean life of the isotope [yr].

    Returns
    -------
    xarray.Dataset
        At each time X [gC m-3] and age [yr] (time, ..., pool, layer); between two of them the input and
        the respiration of the whole column, and the mean age of what is respired (step, ...). With `air`
        delta (time, ..., pool, layer) and delta_respired (step, ...) [per mil]. Where there is no carbon
        the age is 0 and Δ is NaN.

    Raises
    ------
    InputError
        A model that is no column, times or an atmosphere that do not fit, a start of another shape.

    Examples
    --------
    A column that stays at its steady state stays as old as it is:

    >>> from landcarbon.models import clm5
    >>> site = clm5.Forcing(np.full((20, 12), 285.15), np.full((20, 12), 0.5), [40, 120, 180, 60])
    >>> start = start_of_columns(*clm5.column(clm5.DEFAULT, site))
    >>> model, I, xi = clm5.monthly_columns(clm5.DEFAULT, site)
    >>> run = columns_through_time(model, np.arange(2000, 2002.01, 1 / 12), start, I, xi, keep=[2001])
    >>> run.age.sel(pool="soil2").isel(layer=0).values.round(2)
    array([28.34, 28.34])
    """
    clock = Timeline.read(model, t, I, xi, check=_column)
    as_kind("start", start, Start, hint="Make it with start_of_columns.")
    shape = clock.model_at(0, float(clock.t[:2].mean())).state_shape
    start = Start(*(as_array(f"start.{name}", part, shape=shape) for name, part in zip(Start._fields, start)))
    F_a = None if air is None else atmosphere(*air, clock.t)
    rate, state = _rate(mean_life), start
    ends = set(kept(clock.t, keep).tolist())
    states, spans, span = [start], [], _Span()
    for k, now in enumerate(clock.walk(), start=1):
        state = _step(state, now, None if F_a is None else float(F_a[k - 1]), rate)
        span.add(now, state)
        if k in ends:
            states.append(state)
            spans.append(span)
            span = _Span()
        if k == max(ends):
            break
    return _dataset(clock, [0, *sorted(ends)], states, spans, F_a is not None)


def _step(state: Start, now: Moment, F_a: float | None, rate: float) -> Start:
    column, u, slow = now.model.under(now.xi), now.u, 1.0 / now.h
    X = column.relaxed(state.X * slow + u, slow)
    XA = column.relaxed(state.XA * slow + X, slow)
    X14 = state.X14 if F_a is None else column.relaxed(state.X14 * slow + F_a * u, slow + rate)
    return Start(X, XA, X14)


@dataclass
class _Span:
    """Steps taken together: what came in and what was respired, per area."""

    h: float = 0.0
    input: Any = 0.0
    respired: Any = 0.0
    """Of each of X, XA and X14."""

    def add(self, now: Moment, after: Start) -> None:
        dz = now.model.layers.thickness
        rate = now.model.respired_fraction * now.model.K * now.xi * dz
        self.h += now.h
        self.input = self.input + now.h * (now.u * dz).sum(axis=(-2, -1))
        lost = [(rate * part).sum(axis=(-2, -1)) for part in after]
        self.respired = self.respired + now.h * np.stack(np.broadcast_arrays(*lost))


def _dataset(
    clock: Timeline, places: list[int], states: list[Start], spans: list[_Span], radiocarbon: bool
) -> xr.Dataset:
    import xarray as xr

    column = clock.model_at(0, float(clock.t[:2].mean()))
    shape = np.broadcast_shapes(*(part.shape for part in states[-1]))
    X, XA, X14 = (np.stack([np.broadcast_to(s[k], shape) for s in states]) for k in range(3))
    lead = tuple(f"axis_{i}" for i in range(len(shape) - 2)) if len(shape) != 3 else ("site",)
    time, step = ("time", *lead, *column.dims), ("step", *lead)
    respired = np.stack([span.respired / span.h for span in spans])
    out = np.moveaxis(np.broadcast_to(respired, (*respired.shape[:2], *shape[:-2])), 1, 0)
    brought = np.stack([np.broadcast_to(span.input / span.h, shape[:-2]) for span in spans])
    flux, per_mil, years = {"units": "gC m-2 yr-1"}, {"units": "per mil"}, {"units": "yr"}
    variables: dict[str, Any] = {
        "X": (time, X, {"units": column.unit, "long_name": "carbon"}),
        "age": (time, _ratio(XA, X, 0.0), {**years, "long_name": "mean age of carbon"}),
        "input": (step, brought, {**flux, "long_name": "carbon input"}),
        "respiration": (step, out[0], {**flux, "long_name": "flux to the atmosphere"}),
        "age_respired": (step, _ratio(out[1], out[0], 0.0), {**years, "long_name": "mean age of what is respired"}),
    }
    if radiocarbon:
        variables["delta"] = (time, 1000 * (_ratio(X14, X) - 1), {**per_mil, "long_name": "Δ14C of carbon"})
        variables["delta_respired"] = (
            step, 1000 * (_ratio(out[2], out[0]) - 1), {**per_mil, "long_name": "Δ14C of what is respired"},
        )  # fmt: skip
    t = clock.t[places]
    coords: dict[str, Any] = {
        "time": ("time", t, {"units": "yr", "long_name": "time of the state"}),
        "step": ("step", (t[:-1] + t[1:]) / 2, {"units": "yr", "long_name": "time in the middle"}),
        **column.coords,
    }
    return xr.Dataset(variables, coords)


def _ratio(a: Array, b: Array, empty: float = np.nan) -> Array:
    return np.divide(a, b, out=np.full(b.shape, empty), where=b > 0)


def _rate(mean_life: float) -> float:
    return 1.0 / as_number("mean_life", mean_life, lower=0.0, strict=True, hint=f"{MEAN_LIFE:g} yr for ¹⁴C.")


def _column(name: str, model: Any) -> LayeredModel:
    if not isinstance(model, LayeredModel):
        raise InputError(
            f"{name} is a {type(model).__name__}, not a LayeredModel. Pools without layers have "
            "theory.ages_through_time and theory.carbon14."
        )
    return model
