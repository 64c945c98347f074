"""Where carbon storage is heading, and how far it has to go.

    dX/dt = B I − M X          solved for X:          X = M⁻¹ B I − M⁻¹ dX/dt
    X = X_c − X_p              X_c = M⁻¹ B I          X_p = M⁻¹ dX/dt

====== ============================================ ================ ============ ===================
symbol meaning                                      shape            unit         code name
====== ============================================ ================ ============ ===================
X      carbon in each pool                          (..., n)         gC m-2       X
X_c    capacity: what the present conditions would  (..., n)         gC m-2       capacity
       hold in the end
X_p    potential: what is missing to it; negative   (..., n)         gC m-2       potential
       where carbon will be lost
M      outflow matrix A ξ K + V                     (..., n, n)      yr-1         outflow_matrix
M⁻¹    chasing time: from a unit of dX/dt in one    (..., n, n)      yr           ResidenceTime.chasing
       pool to the potential of each pool
τ      residence time in each pool of a unit of     (..., n)         yr           ResidenceTime.pools
       input, M⁻¹ B; the capacity is τ I
τ_E    residence time in all pools together, 1ᵀτ    (...)            yr           ResidenceTime.total
====== ============================================ ================ ============ ===================

The identity X = X_c − X_p is the balance itself, solved for X: it holds at every time, whatever
I(t), ξ(t), B(t), A(t), K(t) and V(t) do. What conditions change enters through X_c at once; X
follows, and X_p is the distance between the two.

Source: Luo et al. (2017), doi 10.5194/bg-14-145-2017. For storage under random fires, storms and
harvests see `landcarbon.theory.disturbance`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.errors import InputError, as_array
from landcarbon.matrix.labels import labelled
from landcarbon.matrix.model import MatrixModel
from landcarbon.matrix.timeline import (
    Changing,
    Forcing,
    Moment,
    Timeline,
    check_model,
    keeps_pools,
)

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "ResidenceTime",
    "capacity",
    "components",
    "disequilibrium",
    "potential",
    "residence_time",
]

Array = NDArray[np.float64]
Model = MatrixModel | LayeredModel


def capacity(model: Model, I: ArrayLike, xi: ArrayLike = 1.0) -> Array:
    """X_c = M⁻¹ B I: the storage at which the present conditions would end.

    Parameters
    ----------
    model : MatrixModel or LayeredModel
        With its present A, K, B and V.
    I : array_like
        Carbon input, in the form that the model takes: (...) or (..., inputs) [gC m-2 yr-1] for a
        MatrixModel, (..., pool, layer) [gC m-3 yr-1] for a LayeredModel.
    xi : float or array_like (..., n) or (..., pool, layer)
        Environmental scalar.

    Returns
    -------
    ndarray (..., n) [gC m-2], or (..., pool, layer) [gC m-3]

    Raises
    ------
    InputError
        Carbon that enters a pool it can never leave: there is no capacity.

    Examples
    --------
    >>> from landcarbon.models.pools import two_pool
    >>> soil = two_pool(k_young=0.5, k_old=0.025, humification=0.3)
    >>> capacity(soil, I=100.0)
    array([ 200., 1200.])
    """
    return check_model("model", model).steady_state(I, xi)


def potential(model: Model, X: ArrayLike, I: ArrayLike, xi: ArrayLike = 1.0) -> Array:
    """X_p = M⁻¹ dX/dt: what is missing to the capacity.

    Parameters
    ----------
    model : MatrixModel or LayeredModel
    X : array_like (..., n) or (..., pool, layer)
        Carbon in each pool.
    I, xi
        As for `capacity`.

    Returns
    -------
    ndarray, as X
        Above 0 where the pool will gain, below 0 where it will lose, if conditions stay.

    Raises
    ------
    InputError
        Shapes that do not fit, a pool that carbon can never leave.

    Examples
    --------
    >>> from landcarbon.models.pools import two_pool
    >>> soil = two_pool(k_young=0.5, k_old=0.025, humification=0.3)
    >>> potential(soil, X=[150.0, 1300.0], I=100.0)
    array([  50., -100.])
    """
    model = check_model("model", model)
    return model.chased(model.derivative(X, I, xi), xi)


@dataclass(frozen=True)
class ResidenceTime:
    """How long carbon stays [yr]: made by `residence_time`."""

    chasing: Array
    """M⁻¹ (..., n, n): entry (i, j) is the time that carbon put into pool j spends in pool i."""
    pools: Array
    """τ = M⁻¹ B (..., n), or (..., n, inputs): the time that a unit of input spends in each pool."""
    total: Array
    """τ_E (...), or (..., inputs): the sum over the pools, so that ΣX_c = τ_E I."""


def residence_time(model: MatrixModel, xi: ArrayLike = 1.0) -> ResidenceTime:
    """Time that a unit of input spends in each pool, and in all.

    Where allocation does not sum to 1, τ_E counts per unit of *input*; divided by the sum of B it
    counts per unit of carbon that gets into the pools, the mean transit time.

    Parameters
    ----------
    model : MatrixModel
        Of a soil column, take ``column.as_matrix_model(b)[0]``.
    xi : float or array_like (..., n)
        Environmental scalar.

    Returns
    -------
    ResidenceTime
        `pools` (..., n), `total` (...), `chasing` (..., n, n), all in years.

    Raises
    ------
    InputError
        A pool that carbon can never leave.

    Examples
    --------
    >>> from landcarbon.models.pools import three_pool
    >>> tau = residence_time(three_pool())
    >>> tau.pools.round(2), tau.total.round(2)
    (array([ 7.69,  1.25, 33.33]), np.float64(42.28))

    Where everything turns over twice as fast, carbon stays half as long:

    >>> residence_time(three_pool(), xi=2.0).total.round(2)
    np.float64(21.14)
    """
    if isinstance(model, LayeredModel):
        raise InputError(
            "In a LayeredModel the time depends on where carbon comes in: give "
            "`model.as_matrix_model(b)[0]`, with b the input of each pool and layer."
        )
    several = bool(check_model("model", model).input_shape)
    model.steady_state(np.ones(model.input_shape), xi)  # finds a pool without way out
    chasing = np.asarray(np.linalg.inv(model.outflow_matrix(xi)), dtype=np.float64)
    if several:
        pools = chasing @ model.B
        return ResidenceTime(chasing, pools, pools.sum(axis=-2))
    pools = (chasing @ model.B[..., None])[..., 0]
    return ResidenceTime(chasing, pools, pools.sum(axis=-1))


def disequilibrium(
    model: Model, X: ArrayLike, I: ArrayLike, xi: ArrayLike = 1.0
) -> Array:
    """Share of the capacity that is missing: ΣX_p / ΣX_c = 1 − ΣX / ΣX_c.

    One number for all pools, in which gains of one pool and losses of another may cancel: `potential`
    shows them one by one.

    Parameters
    ----------
    model : MatrixModel or LayeredModel
    X, I, xi
        As for `potential`.

    Returns
    -------
    ndarray (...)
        0 at capacity, 1 for empty land, below 0 where there is more than present conditions hold.

    Raises
    ------
    InputError
        A capacity of 0.

    Examples
    --------
    >>> from landcarbon.models.pools import one_pool
    >>> disequilibrium(one_pool(k=0.02), X=[20_000.0], I=500.0).round(3)
    np.float64(0.2)
    """
    held, lacking = model.total(capacity(model, I, xi)), model.total(potential(model, X, I, xi))
    if np.any(held == 0):
        raise InputError(
            "The capacity is 0, for no carbon comes in, so no share of it can be missing. Look at "
            "`potential`, which is what will be lost."
        )
    return np.asarray(lacking / held)[()]


def components(
    model: Model | Changing | Callable[[float], Model],
    t: ArrayLike,
    X: ArrayLike,
    I: Forcing,
    xi: Forcing = 1.0,
    *,
    dims: tuple[str, ...] | None = None,
    unit: str | None = None,
) -> xr.Dataset:
    """Storage, capacity and potential at every time of a run or of a record.

    Takes the forcing in the forms of `landcarbon.matrix.timeline`, as `simulate` does.

    Parameters
    ----------
    model : MatrixModel, LayeredModel, `changing` or callable
        The model; or one that changes, as in `landcarbon.matrix.timeline`.
    t : array_like (times,)
        Times [yr], rising.
    X : array_like (times, ..., n) or (times, ..., pool, layer)
        Carbon at these times; a DataArray (``run.X``) hands on the names of its axes
        and its unit.
    I : float, array_like (times − 1 or 1, ...), DataArray or callable
        Carbon input [gC m-2 yr-1] (of a LayeredModel: (pool, layer) [gC m-3 yr-1]): what never
        changes; an array with **time first**, one entry for each step between the times; or a
        function of time. A time takes the entry of the step that begins there, the last time that
        of the last step.
    xi : float, array_like (times − 1 or 1, ...), DataArray or callable
        Environmental scalar, in the same four forms.
    dims : tuple of str, optional
        Names of the leading axes of X, if X is not labelled; ("site",) if there is one.
    unit : str, optional
        Unit of the carbon, if X is not labelled.

    Returns
    -------
    xarray.Dataset
        X, X_c, X_p and dXdt (time, ..., pool[, layer]), with X = X_c − X_p to rounding; for a
        MatrixModel also residence_time (time, ..., pool[, input]).

    Raises
    ------
    InputError
        Times that do not rise, states or forcing that do not fit.

    Examples
    --------
    Input doubles over a century, and storage runs after its capacity:

    >>> from landcarbon.matrix.simulate import simulate
    >>> from landcarbon.models.pools import one_pool
    >>> land, t = one_pool(k=0.02), np.linspace(0, 100, 101)
    >>> def npp(t):
    ...     return 500 * (1 + t / 100)
    >>> run = simulate(land, t, X0=[25_000.0], I=npp)
    >>> parts = components(land, t, run.X, npp)
    >>> [float(parts[name][-1, 0].round(-1)) for name in ("X", "X_c", "X_p")]
    [39190.0, 50000.0, 10810.0]
    """
    import xarray as xr

    if isinstance(X, xr.DataArray):
        dims = tuple(str(d) for d in X.dims[1:]) if dims is None else dims
        unit = str(X.attrs.get("units", "gC m-2")) if unit is None else unit
    clock = Timeline.read(model, t, I, xi, least=1)
    times = clock.t.tolist()
    first = clock.at(times[0]).model
    axes = first.state_shape
    X = as_array("X", X, shape=axes, hint=f"The pools are {', '.join(first.pools)}.")
    if X.ndim == len(axes) or len(X) != len(times):
        raise InputError(
            f"X has shape {X.shape}, but there are {len(times)} times: time comes first, one state for each."
        )
    lead = X.shape[1 : X.ndim - len(axes)]
    given = [clock.at(time) for time in times]
    for now in given:
        keeps_pools(first.pools, now)
    # A model that stays takes all times at once, as one more leading axis.
    groups = [slice(k, k + 1) for k in range(len(times))] if clock.changes else [slice(None)]
    parts = [_parts(given[k], X[k], lead, axes) for k in groups]
    columns = [np.concatenate([part[i] for part in parts]) for i in range(len(parts[0]))]
    return _dataset(first, clock.t, X, columns, _names(dims, lead), unit or "gC m-2")


def _names(dims: tuple[str, ...] | None, lead: tuple[int, ...]) -> tuple[str, ...]:
    if dims is None:
        return ("site",) if len(lead) == 1 else tuple(f"axis_{i}" for i in range(len(lead)))
    dims = tuple(d for d in dims if d not in ("pool", "layer"))
    if len(dims) != len(lead):
        raise InputError(f"dims names {len(dims)} leading axes, but the states have {len(lead)}.")
    return dims


def _dataset(
    model: Model, t: Array, X: Array, columns: list[Array], dims: tuple[str, ...], unit: str
) -> xr.Dataset:
    import xarray as xr

    names = ("time", *dims, *model.dims)
    rate = {"units": f"{unit} yr-1", "long_name": "rate of change"}
    variables: dict[str, Any] = {
        "X": (names, X, {"units": unit, "long_name": "carbon in each pool"}),
        "X_c": (names, columns[0], {"units": unit, "long_name": "storage capacity"}),
        "X_p": (names, columns[1], {"units": unit, "long_name": "storage potential"}),
        "dXdt": (names, columns[2], rate),
    }
    if len(columns) > 3:
        tau = columns[3]
        variables["residence_time"] = (
            names if tau.ndim == X.ndim else (*names, "input"),
            tau,
            {"units": "yr", "long_name": "time that a unit of input spends in each pool"},
        )
    coords = {
        "time": ("time", t, {"units": "yr", "long_name": "time of the state"}),
        **model.coords,
    }
    return labelled(xr.Dataset(variables, coords), "storage, its capacity and its potential")


def _parts(
    given: list[Moment], X: Array, lead: tuple[int, ...], axes: tuple[int, ...]
) -> tuple[Array, ...]:
    """X_c, X_p, dX/dt and, of a MatrixModel, τ for some times under one model."""
    model = given[0].model
    I = _stack("I", [now.I for now in given], (*lead, *model.input_shape))
    xi = _stack("xi", [now.xi for now in given], (*lead, *axes))
    end, missing = capacity(model, I, xi), potential(model, X, I, xi)
    parts = end, missing, model.derivative(X, I, xi)
    # In a column the residence time depends on where carbon comes in.
    return parts if "layer" in model.dims else (*parts, residence_time(model, xi).pools)


def _stack(name: str, rows: list[Array], shape: tuple[int, ...]) -> Array:
    try:
        return np.stack([np.broadcast_to(row, shape) for row in rows])
    except ValueError:
        raise InputError(
            f"{name} at one time has shape {np.shape(rows[0])}, which does not fit {shape}, the shape "
            "that X and the model ask for."
        ) from None
