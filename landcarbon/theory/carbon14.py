r"""Radiocarbon of pools, of soil layers and of what they respire.

    dX/dt   = B I − M X
    dX₁₄/dt = F_a(t − lag) B I − (M + λ) X₁₄          F = X₁₄ / X,     Δ¹⁴C = 1000 (F − 1)

====== ===================================================== ============ =========== ==============
symbol meaning                                               shape        unit        code name
====== ===================================================== ============ =========== ==============
X      carbon                                                (..., n)     gC m-2      X
X₁₄    radiocarbon, as the carbon that would hold as much at (..., n)     gC m-2      X14
       the standard's ratio
F      ratio ¹⁴C/C over that of the standard                 (..., n)     1           X14 / X
F_a    the same of atmospheric CO₂                           (years,)     1           years, delta
Δ¹⁴C   the same, as deviation from the standard              (..., n)     per mil     delta_*
λ      rate of radioactive decay, 1 / 8267 yr                ()           yr-1        1 / MEAN_LIFE
lag    time between the air and the first pool               ()           yr          lag
M      outflow matrix A ξ K + V                              (..., n, n)  yr-1        outflow_matrix
====== ===================================================== ============ =========== ==============

Convention: Δ¹⁴C is the Δ of Stuiver and Polach (1977), doi 10.1017/S0033822200003672, normalised to
δ¹³C = −25 ‰ (so that plants have the Δ of the air they grew in) and corrected for the decay of the
standard since 1950. It is an absolute ratio, which in a closed sample falls by λ = ln 2 / 5730 yr =
1 / 8267 yr. It is *not* the conventional radiocarbon age, which uses 8033 yr by agreement. F14C, which
does not change while a sample waits in the laboratory, is turned into Δ¹⁴C by `delta_of_f14c`.

At steady state, in an atmosphere that does not change, F of a pool is F_a times the mean of
exp(−λ age); radiocarbon is one number about the whole distribution of ages. After the bomb tests it is
F_a(t − age) exp(−λ age) that is averaged, and young carbon may hold more radiocarbon than old.

Equations and their manner: Sierra, Müller and Trumbore (2014), doi 10.5194/gmd-7-1919-2014.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.errors import (
    InputError,
    as_array,
    as_broadcast,
    as_kind,
    as_number,
    as_years,
)
from landcarbon.matrix.labels import labelled
from landcarbon.matrix.model import MatrixModel
from landcarbon.matrix.simulate import integrate, simulate
from landcarbon.matrix.timeline import Changing, Forcing, Moment, Timeline, rising

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["MEAN_LIFE", "atmosphere", "delta_of_f14c", "radiocarbon", "steady_delta"]

Array = NDArray[np.float64]
Pools = MatrixModel | LayeredModel

MEAN_LIFE = 8267.0  # yr
HIGHEST_F14C = 10.0  # five times the bomb peak of the air; labelled plants may be above it


def delta_of_f14c(f14c: ArrayLike, year: ArrayLike) -> Array:
    """Δ¹⁴C [per mil] of carbon fixed or sampled in `year` (CE) whose F14C was measured.

    Source: Stuiver and Polach (1977), doi 10.1017/S0033822200003672.

    Examples
    --------
    >>> delta_of_f14c([1.0, 1.5], year=[1950, 1970]).round(2)
    array([  0.  , 496.38])
    """
    f = as_array(
        "f14c", f14c, lower=0.0, upper=HIGHEST_F14C,
        hint="F14C is a ratio near 1: percent modern carbon is divided by 100, and per mil is another scale.",
    )  # fmt: skip
    f, years = as_broadcast(f14c=f, year=as_years("year", year))
    return 1000.0 * (f * np.exp((1950.0 - years) / MEAN_LIFE) - 1.0)


def steady_delta(
    model: Pools,
    I: ArrayLike,
    delta: ArrayLike = 0.0,
    xi: ArrayLike = 1.0,
    *,
    mean_life: float = MEAN_LIFE,
) -> Array:
    """Δ¹⁴C of each pool at steady state, in an atmosphere that never changes.

    Parameters
    ----------
    model : MatrixModel or LayeredModel
    I : array_like
        Input as the model takes it.
    delta : array_like (...)
        Δ¹⁴C of the atmosphere [per mil].
    xi : float or array_like (..., n) or (..., pool, layer)
        Environmental scalar.
    mean_life : float
        Mean life of the isotope [yr].

    Returns
    -------
    ndarray (..., n) or (..., pool, layer)
        [per mil]; NaN where there is no carbon.

    Raises
    ------
    InputError
        As `MatrixModel.steady_state`; no input at all; a Δ below −1000.

    Examples
    --------
    Carbon that stays 100 and 1000 years:

    >>> from landcarbon.models.pools import one_pool
    >>> [round(float(steady_delta(one_pool(k), I=1.0)[0]), 1) for k in (0.01, 0.001)]
    [-12.0, -107.9]
    """
    as_kind("model", model, MatrixModel, LayeredModel)
    F_a = _fraction("delta", delta)
    X, u = model.stocks(model.steady_state(I, xi)), model.stocks(model.input(I))
    if not u.any(axis=-1).all():
        raise InputError("I is 0: where no carbon comes in there is none, and so no Δ of it. Give the input.")
    M = model.stock_matrix(xi) + np.eye(X.shape[-1]) / _positive(mean_life)
    X14 = np.linalg.solve(M, u[..., None])[..., 0] * F_a[..., None]
    found = _delta(X14, X)
    return found.reshape(*found.shape[:-1], *model.state_shape)


def radiocarbon(
    model: Pools | Changing | Callable[[float], Pools],
    t: ArrayLike,
    I: Forcing,
    years: ArrayLike,
    delta: ArrayLike,
    xi: Forcing = 1.0,
    *,
    X0: ArrayLike | None = None,
    delta0: ArrayLike | None = None,
    lag: float = 0.0,
    mean_life: float = MEAN_LIFE,
) -> xr.Dataset:
    """Run a model forward with its radiocarbon.

    Carbon and radiocarbon take the same exact steps; the atmosphere enters as its mean over each
    step. The error falls with the square of the step: with a quarter of a year it is 2 per mil in
    a pool that turns over in seven weeks, on the steep side of the bomb peak, and less elsewhere.

    Parameters
    ----------
    model : MatrixModel, LayeredModel, `changing` or callable
        As for `simulate`.
    t : array_like (steps + 1,)
        Times, as years CE.
    I, xi
        As for `simulate`.
    years, delta : array_like (years,)
        Δ¹⁴C of atmospheric CO₂ [per mil], linear in between. It must cover t − lag.
    X0 : array_like (..., n) or (pool, layer), optional
        Carbon at t[0] [gC m-2; a column: gC m-3]. The steady state of the first step if not given.
    delta0 : array_like (..., n) or (pool, layer), optional
        Δ¹⁴C of the pools at t[0]. If not given, that of the steady state under the atmosphere of
        that time.
    lag : float
        Years that carbon spends elsewhere (in leaves, say) between the air and the model.
    mean_life : float
        Mean life [yr]; inf for an isotope that does not decay.

    Returns
    -------
    xarray.Dataset
        At each time X and X14 (time, ..., pool[, layer]) [gC m-2], delta_pool of the same shape,
        delta_bulk (time, ...) of all carbon, for a column also delta_layer (time, layer). For each
        step respiration and its delta_respired (step, ...), and delta_input (step). Per mil; NaN
        where there is no carbon.

    Raises
    ------
    InputError
        As for `simulate`, and a curve that does not cover the run.

    Examples
    --------
    >>> from landcarbon.models.pools import one_pool
    >>> bomb = dict(years=[1900, 1955, 1965, 1990, 2010], delta=[0, 0, 700, 150, 40])
    >>> t = np.arange(1900, 2010.25, 0.25)
    >>> for k in (1.0, 0.05):
    ...     run = radiocarbon(one_pool(k), t, I=1.0, **bomb)
    ...     print(run.delta_bulk.sel(time=[1965, 1990, 2010]).values.round(0))
    [629. 172.  45.]
    [147. 303. 164.]
    """
    lag = as_number("lag", lag)
    clock = Timeline.read(model, t, I, xi)
    t = clock.t
    F_a = atmosphere(years, delta, t - lag)
    passed = list(clock.walk())
    first = passed[0].model
    if X0 is None or delta0 is None:
        X0, delta0 = _steady_start(passed[0], 1000 * (F_a[0] - 1), X0, delta0, mean_life)
    carbon = simulate(model, t, X0, I, xi)
    row = _Row(*(first.stocks(carbon[name].values) for name in ("X", "input", "respiration")))

    scalar = carbon.xi.values
    if not clock.changes and not np.any(scalar != scalar[:1]):
        passed = passed[:1]
    n = row.X.shape[-1]
    decay = np.eye(n) / _positive(mean_life)
    M = np.stack([now.model.stock_matrix(now.xi) + decay for now in passed])
    loss = np.stack([_respired_rate(now, carbon.xi.values[k]) for k, now in enumerate(passed)])
    u14 = row.input * F_a.reshape(-1, *(1,) * (row.input.ndim - 1))
    F_0 = np.broadcast_to(_fraction("delta0", delta0), carbon.X.shape[1:]).reshape(row.X.shape[1:])
    radio = integrate(t, row.X[0] * F_0, M, u14)
    respired14 = loss * radio.integral / carbon.dt.values.reshape(-1, *(1,) * (radio.integral.ndim - 1))
    return _dataset(carbon, row, radio.X, respired14, F_a, first)


class _Row(NamedTuple):
    """States and fluxes of a run, one row of stocks per area (time or step, ..., n)."""

    X: Array
    input: Array
    respiration: Array


def _respired_rate(now: Moment, xi: Array) -> Array:
    """Share of each pool that goes to the atmosphere in a year, one row (..., n)."""
    rate = now.model.respired_fraction * now.model.K * xi
    return np.asarray(rate.reshape(*rate.shape[: rate.ndim - len(now.model.dims)], -1))


def _steady_start(
    now: Moment, delta: float, X0: ArrayLike | None, delta0: ArrayLike | None, mean_life: float
) -> tuple[ArrayLike, ArrayLike]:
    """What is not given of stocks and Δ at the start, from the steady state of the first step."""
    if X0 is None:
        X0 = now.model.steady_state(now.I, now.xi)
    if delta0 is None:
        delta0 = np.nan_to_num(steady_delta(now.model, now.I, delta, now.xi, mean_life=mean_life))
    return X0, delta0


def atmosphere(years: ArrayLike, delta: ArrayLike, t: Array) -> Array:
    """F_a (steps,) of the air, mean over each step between the times t (steps + 1,).

    Parameters
    ----------
    years, delta : array_like (years,)
        Δ¹⁴C of atmospheric CO₂ [per mil], linear in between.
    t : ndarray
        Years CE, rising, within the curve.

    Examples
    --------
    >>> atmosphere([1950, 1960], [0, 200], np.array([1950.0, 1951.0, 1955.0]))
    array([1.01, 1.06])
    """
    years = as_array("years", years)
    F = _fraction("delta", delta)
    if years.ndim != 1 or years.shape != F.shape or np.any(np.diff(years) <= 0):
        raise InputError(
            f"years {years.shape} and delta {F.shape} must be two rows of the same length, with years "
            "that rise."
        )
    t = rising("t", t)
    if t.min() < years[0] or t.max() > years[-1]:
        raise InputError(
            f"The run asks for the atmosphere of {t.min():g} to {t.max():g}, but the curve spans "
            f"{years[0]:g} to {years[-1]:g}. Join another curve to it, or run fewer years."
        )
    knots = np.union1d(years, t)
    value = np.interp(knots, years, F)
    area = np.concatenate([[0.0], np.cumsum(np.diff(knots) * (value[1:] + value[:-1]) / 2)])
    return np.diff(area[np.searchsorted(knots, t)]) / np.diff(t)


def _fraction(name: str, delta: ArrayLike) -> Array:
    hint = "Δ¹⁴C is in per mil; −1000 is carbon without any radiocarbon."
    return 1.0 + as_array(name, delta, lower=-1000.0, hint=hint) / 1000.0


def _delta(X14: Array, X: Array) -> Array:
    F = np.divide(X14, X, out=np.full(np.broadcast_shapes(X14.shape, X.shape), np.nan), where=X > 0)
    return 1000.0 * (F - 1.0)


def _positive(mean_life: float) -> float:
    if isinstance(mean_life, float) and mean_life == np.inf:  # an isotope that does not decay
        return mean_life
    if isinstance(mean_life, (int, float)) and not mean_life > 0:
        raise InputError(f"mean_life is {mean_life:g} yr; it is above 0 ({MEAN_LIFE:g} for ¹⁴C).")
    return as_number("mean_life", mean_life)


def _dataset(
    carbon: xr.Dataset, row: _Row, X14: Array, respired14: Array, F_a: Array, model: Pools
) -> xr.Dataset:
    import xarray as xr

    dims = tuple(str(d) for d in carbon.X.dims)
    lead = dims[1 : len(dims) - len(model.dims)]
    respired = row.respiration.sum(axis=-1)
    unit, per_mil = "gC m-2", {"units": "per mil"}
    bulk = _delta(X14.sum(axis=-1), row.X.sum(axis=-1))
    X, X14 = (a.reshape(*a.shape[:-1], *model.state_shape) for a in (row.X, X14))
    coords: dict[str, Any] = {name: carbon.coords[name] for name in ("time", "step")} | model.coords
    extra = {}
    if "layer" in model.dims:
        layer = _delta(X14.sum(axis=-2), X.sum(axis=-2))
        extra["delta_layer"] = (("time", *lead, "layer"), layer, {**per_mil, "long_name": "Δ14C of a layer"})
    data = xr.Dataset(
        {
            "X": (dims, X, {"units": unit, "long_name": "carbon"}),
            "X14": (dims, X14, {"units": unit, "long_name": "radiocarbon at the standard's ratio"}),
            "delta_pool": (dims, _delta(X14, X), {**per_mil, "long_name": "Δ14C of each pool"}),
            "delta_bulk": (("time", *lead), bulk, {**per_mil, "long_name": "Δ14C of all carbon"}),
            **extra,
            "respiration": (
                ("step", *lead),
                respired,
                {"units": f"{unit} yr-1", "long_name": "flux to the atmosphere"},
            ),
            "delta_respired": (
                ("step", *lead),
                _delta(respired14.sum(axis=-1), respired),
                {**per_mil, "long_name": "Δ14C of what is respired"},
            ),
            "delta_input": (("step",), 1000 * (F_a - 1), {**per_mil, "long_name": "Δ14C of the input"}),
        },
        coords,
    )
    return labelled(data, "carbon and radiocarbon of a run")
