r"""Ensemble forecasts that carry four sources of uncertainty.

.. math::

    X_{m,t+1} = f(X_{m,t},\, \theta_m,\, d_{m,t}) \, e^{\sigma \sqrt{\Delta t}\, z_{m,t}
                - \sigma^2 \Delta t / 2},
    \qquad z_{m,t} \sim N(0, 1)

================  =========================  ======================  =======  ==========
symbol            meaning                    shape                   unit     code name
================  =========================  ======================  =======  ==========
:math:`X_{m,t}`   state of member m          (member, pool)          gC m-2   X
:math:`X_{m,0}`   initial state              (member, pool)          gC m-2   initial
:math:`\theta_m`  parameters of member m     (member, p)             own      theta
:math:`d_{m,t}`   drivers of member m        (scenario, time, ...)   own      drivers
:math:`\sigma`    process error              () or (pool,)           yr-1/2   process_sd
:math:`f`         one step of the model      --                      --       step
:math:`\Delta t`  length of a step           ()                      yr       dt
================  =========================  ======================  =======  ==========

Each source can be switched off: the initial state, the parameters and the drivers are then held at
their mean over the ensemble, the process error at 0. The random numbers of the other sources stay
the same, so that :func:`landcarbon.forecasting.partitioning.partition` compares like with like.

All members advance at once as arrays; there is no loop over members. The process error multiplies
the state by a lognormal factor of mean 1, which keeps pools positive. Steps:
:mod:`landcarbon.forecasting.steps`; drivers: :mod:`.drivers`; chance: :mod:`.noise`.

Source of the four: Dietze 2017, Ecol. Appl. 27:2048, doi:10.1002/eap.1589.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.forecasting.drivers import Drivers, read_drivers
from landcarbon.forecasting.noise import ProcessError
from landcarbon.forecasting.steps import Step, matrix_step
from landcarbon.matrix.errors import InputError, Rng, as_array, as_kind, as_number, as_rng
from landcarbon.matrix.frozen import keep, keep_whole
from landcarbon.matrix.labels import labelled
from landcarbon.matrix.model import MatrixModel

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["SOURCES", "Steps", "forecast"]

Array = NDArray[np.float64]

SOURCES = ("initial", "parameters", "drivers", "process")


@dataclass(frozen=True, eq=False)
class Steps:
    """How a forecast goes forward, and what of it is kept.

    Parameters
    ----------
    n_steps : int, optional
        Number of steps; needed without drivers only.
    dt : float
        Length of a step in years.
    method : {"exponential", "implicit", "explicit"}
        For a matrix model, see :func:`landcarbon.forecasting.matrix_step`.
    every : int
        Keep every so many steps.
    diagnose : callable, optional
        `diagnose(X, theta, drivers) -> {name: (member,) or (member, ...)}`, evaluated with the
        state and the drivers at the start of each kept step (fluxes).
    pools : iterable of str, optional
        Names of the pools.
    unit : str
        Unit of the state.
    time : array_like, (n_steps + 1,), optional
        Time stamps, the initial time first; default years from the start.

    Raises
    ------
    InputError
        A step that is not above 0.

    Examples
    --------
    >>> daily = Steps(dt=1 / 365, every=73)
    >>> daily.every
    73
    """

    n_steps: int | None = None
    dt: float = 1.0
    method: str = "exponential"
    every: int = 1
    diagnose: Callable[[Array, Any, Any], Mapping[str, Array]] | None = None
    pools: Iterable[str] | None = None
    unit: str = "gC m-2"
    time: ArrayLike | None = None

    def __post_init__(self) -> None:
        keep(self, dt=as_number("dt", self.dt, lower=0.0, strict=True, hint="It is the length of a step in years."))
        keep_whole(self, every=1)


@dataclass(frozen=True, eq=False)
class _Members:
    """Where the members start, and what tells them apart."""

    X: Array
    theta: Array | None
    step: Step


def forecast(
    model: MatrixModel | Step,
    initial: ArrayLike,
    *,
    theta: ArrayLike | None = None,
    drivers: ArrayLike | Mapping[str, ArrayLike] | None = None,
    process_sd: ArrayLike | ProcessError = 0.0,
    sources: Iterable[str] = SOURCES,
    steps: Steps | int | None = None,
    rng: Rng = 0,
) -> xr.Dataset:
    """Run an ensemble forward.

    Parameters
    ----------
    model : MatrixModel or callable
        A matrix model, whose A, K, B, V may carry a leading member axis, driven by `I` and `xi`;
        or `step(X, theta, drivers) -> X` for all members at once: X (member, pool),
        theta (member, p), drivers one array (member, ...) or a dict of such for this step.
    initial : array_like, (pool,) or (member, pool)
    theta : array_like, (p,) or (member, p), optional
        For a step function. Member m uses row m of `initial` and row m of `theta`: draw both
        from the same posterior, and their correlation is kept.
    drivers : array_like or mapping of str to array_like, optional
        (time,) for one scenario, else (scenario, time, ...). As many scenarios as members are
        paired one to one; otherwise each scenario goes to about equally many members. A matrix
        model takes "I" (scenario, time) and, if wanted, "xi" (scenario, time) or
        (scenario, time, pool).
    process_sd : float, array_like (pool,), or ProcessError
        Relative process error [yr-1/2]; `ProcessError(sd, relative=False)` adds one instead.
    sources : iterable of str
        Sources switched on, among "initial", "parameters", "drivers", "process".
    steps : Steps or int, optional
        Length of a step, what is kept, names; a number says only how many steps.
    rng : Generator or int

    Returns
    -------
    xarray.Dataset
        `X` (member, time, pool), the initial state first, and what `diagnose` returns, each
        (member, time, ...), NaN at the last time, which starts no step.

    Raises
    ------
    InputError
        Numbers of members that differ, drivers of different length, an unknown source, a step that
        returns NaN or another shape.

    Examples
    --------
    >>> m = MatrixModel(("litter", "soil"), [[1, 0], [-0.3, 1]], [2.0, 0.02], [1, 0])
    >>> X0 = m.steady_state(500.0) * [[0.9], [1.0], [1.1]]
    >>> f = forecast(m, X0, drivers={"I": np.full(50, 500.0)})
    >>> f["X"].shape
    (3, 51, 2)
    >>> bool(f["X"].std("member").isel(time=-1).sum() < f["X"].std("member").isel(time=0).sum())
    True
    """
    as_kind("sources", sources, "__iter__", hint="Give the names of sources.")
    as_kind("model", model, MatrixModel, callable)
    on = _switches(sources)
    steps = steps if isinstance(steps, Steps) else Steps(steps)
    # Drawn whether used or not: switching one source off leaves the others' numbers alone.
    seed_drivers, seed_process = as_rng(rng).integers(2**63, size=2)
    members = _members(model, initial, theta, on, steps)
    given = read_drivers(drivers, steps.n_steps)
    given = given.assigned(len(members.X), on["drivers"], int(seed_drivers))
    error = process_sd if isinstance(process_sd, ProcessError) else ProcessError(process_sd)
    disturb = error.drawn(members.X.shape[-1], steps.dt, int(seed_process))
    if steps.every < 1 or given.n_steps % steps.every:
        raise InputError(
            f"every must divide the {given.n_steps} steps, but {steps.every!r} was given."
        )
    kept, extra = _walk(members, given, disturb if on["process"] else None, steps)
    if steps.pools is None and isinstance(model, MatrixModel):
        steps = replace(steps, pools=model.pools)
    data = _dataset(kept, extra, given.n_steps, steps)
    told = ", ".join(s for s in SOURCES if on[s]) or "none"
    data = data.assign_attrs(sources=told, step=f"{steps.dt:g} yr")
    # What is diagnosed is the user's own; only they know its unit.
    own = {str(name): "" for name in data.variables if str(name) not in ("X", "time", "lead")}
    return labelled(data, "Ensemble forecast", seed=rng, units=own | {"member": "1"})


def _walk(
    members: _Members,
    drivers: Drivers,
    disturb: Callable[[Array], Array] | None,
    steps: Steps,
) -> tuple[Array, dict[str, Array]]:
    """States (time, member, pool) and what was diagnosed, each kept time."""
    X, theta, every = members.X, members.theta, steps.every
    kept = np.empty((drivers.n_steps // every + 1, *X.shape))
    kept[0] = X
    found: list[Mapping[str, Array]] = []
    for t in range(drivers.n_steps):
        now = drivers.at(t)
        if steps.diagnose is not None and t % every == 0:
            found.append(steps.diagnose(X, theta, now))
        X_next = _shaped(members.step(X, theta, now), X)
        X = _finite(X_next if disturb is None else disturb(X_next), t)
        if (t + 1) % every == 0:
            kept[(t + 1) // every] = X
    return kept, {name: _series([f[name] for f in found]) for name in (found[0] if found else ())}


def _shaped(X_next: Any, X: Array) -> Array:
    if X_next is None:
        raise InputError(
            "The step function returned nothing (did you forget `return`?); it must return the next "
            "state of all members."
        )
    after = np.asarray(X_next, float)
    if after.shape != X.shape:
        raise InputError(
            f"The step function returned shape {after.shape} for a state of shape {X.shape}; it must "
            "return the next state of all members."
        )
    return after


def _finite(X: Array, t: int) -> Array:
    if not np.isfinite(X).all():
        member, pool = np.argwhere(~np.isfinite(X))[0]
        raise InputError(
            f"Step {t} gave NaN or infinity, first in member {member}, pool {pool}. Check the drivers "
            "of that step, or take a shorter step."
        )
    return X


def _series(values: list[Array]) -> Array:
    """What was diagnosed at each kept time; NaN at the last, which starts no step."""
    return np.stack([*values, np.full(np.shape(values[0]), np.nan)])


def _dataset(
    kept: Array, extra: Mapping[str, Array], n_steps: int, steps: Steps
) -> xr.Dataset:
    import xarray as xr

    lead: Array = steps.dt * np.arange(0.0, n_steps + 1, steps.every)
    n = kept.shape[2]
    names = [f"pool {i}" for i in range(n)] if steps.pools is None else [str(p) for p in steps.pools]
    if len(names) != n:
        raise InputError(f"pools names {len(names)} pools, but the state has {n}.")
    data = xr.Dataset(
        {
            "X": (
                ("member", "time", "pool"),
                np.moveaxis(kept, 1, 0),
                {"units": steps.unit, "long_name": "state"},
            )
        },
        coords={
            "member": np.arange(kept.shape[1]),
            "time": ("time", _stamps(steps, n_steps, lead)),
            "pool": names,
            "lead": ("time", lead, {"units": "yr", "long_name": "time since the start"}),
        },
    )
    if steps.time is None:
        data["time"].attrs["units"] = "yr"
    for name, values in extra.items():
        tail = tuple(f"{name}_{i}" for i in range(values.ndim - 2))
        data[name] = (("member", "time", *tail), np.moveaxis(values, 1, 0))
    return data


def _stamps(steps: Steps, n_steps: int, lead: Array) -> Any:
    if steps.time is None:
        return lead
    stamps = np.asarray(steps.time)
    if stamps.shape != (n_steps + 1,):
        raise InputError(
            f"time must hold {n_steps + 1} stamps (the initial time and one after each step), but its "
            f"shape is {stamps.shape}."
        )
    return stamps[:: steps.every]


def _switches(sources: Iterable[str]) -> dict[str, bool]:
    given = (sources,) if isinstance(sources, str) else tuple(sources)
    unknown = [s for s in given if s not in SOURCES]
    if unknown:
        raise InputError(
            f"There is no source of uncertainty {unknown[0]!r}; take some of {', '.join(SOURCES)}."
        )
    return {s: s in given for s in SOURCES}


def _members(
    model: MatrixModel | Step,
    initial: ArrayLike,
    theta: ArrayLike | None,
    on: Mapping[str, bool],
    steps: Steps,
) -> _Members:
    """Start and parameters of each member, those switched off held at the mean."""
    X = _rows("initial", initial, "pool")
    theta = None if theta is None else _rows("theta", theta, "p")
    sizes = {"initial": X.shape[0]}
    if theta is not None:
        sizes["parameters"] = theta.shape[0]
    if isinstance(model, MatrixModel):
        _fits(model, X, theta)
        sizes |= _model_members(model)
    n = _n_members(sizes)
    if not on["parameters"]:
        theta = None if theta is None else _hold(theta, 1)
        model = _mean_model(model) if isinstance(model, MatrixModel) else model
    if not on["initial"]:
        X = _hold(X, 1)
    step = matrix_step(model, steps.dt, steps.method) if isinstance(model, MatrixModel) else model
    return _Members(
        np.array(np.broadcast_to(X, (n, X.shape[1]))),
        None if theta is None else np.broadcast_to(theta, (n, theta.shape[1])),
        step,
    )


def _rows(name: str, values: ArrayLike, last: str) -> Array:
    """(member, last); a single vector is one row."""
    array = as_array(name, values, shape=(None,))
    if array.ndim > 2:
        raise InputError(
            f"{name} must be ({last},) or (member, {last}), but its shape is {array.shape}."
        )
    return array[None] if array.ndim == 1 else array


def _fits(model: MatrixModel, X: Array, theta: Array | None) -> None:
    if theta is not None:
        raise InputError(
            "A MatrixModel carries its parameters in A, K, B and V (with a leading member axis), so "
            "leave `theta` out; to build the model from parameters, use matrix_step(build, dt)."
        )
    if X.shape[-1] != model.n:
        raise InputError(
            f"initial ends in an axis of length {X.shape[-1]}, but the model has {model.n} pools: "
            f"{', '.join(model.pools)}."
        )


def _model_members(model: MatrixModel) -> dict[str, int]:
    """How many members each matrix of a model has, where it has any."""
    sizes = {}
    for name, base in (("A", 2), ("K", 1), ("V", 2)):
        matrix = getattr(model, name)
        if matrix is None or matrix.ndim == base:
            continue
        if matrix.ndim > base + 1:
            raise InputError(
                f"{name} of the model has shape {matrix.shape}: one leading axis, the member, at most."
            )
        sizes[f"{name} of the model"] = matrix.shape[0]
    return sizes


def _n_members(sizes: Mapping[str, int]) -> int:
    many = {name: n for name, n in sizes.items() if n != 1}
    if len(set(many.values())) > 1:
        told = ", ".join(f"{name} has {n}" for name, n in many.items())
        raise InputError(
            f"The numbers of members differ: {told}. Give each one row, or the same number."
        )
    return next(iter(many.values()), 1)


def _hold(values: Array, base: int) -> Array:
    return values.mean(axis=0, keepdims=True) if values.ndim > base else values


def _mean_model(model: MatrixModel) -> MatrixModel:
    # B has a member axis when it has one axis more than the case that K implies (see MatrixModel).
    changes = {"A": _hold(model.A, 2), "K": _hold(model.K, 1)}
    if model.B.ndim == model.K.ndim > 1 or model.B.ndim > 2:
        changes["B"] = _hold(model.B, model.B.ndim - 1)
    if model.V is not None:
        changes["V"] = _hold(model.V, 2)
    return model.replace(**changes)
