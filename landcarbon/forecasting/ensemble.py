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
:math:`\theta_m`  parameters of member m     (member, p)             own      parameters
:math:`d_{m,t}`   drivers of member m        (scenario, time, ...)   own      drivers
:math:`\sigma`    process error              () or (pool,)           yr-1/2   process_sd
:math:`f`         one step of the model      --                      --       step
:math:`\Delta t`  length of a step           ()                      yr       dt
================  =========================  ======================  =======  ==========

Each source can be switched off: the initial state, the parameters and the drivers are then held at
their mean over the ensemble, the process error at 0. The random numbers of the other sources stay
the same, so that :func:`landcarbon.forecasting.partition.partition` compares like with like.

All members advance at once as arrays; there is no loop over members. The process error multiplies
the state by a lognormal factor of mean 1, which keeps pools positive.

Source of the four: Dietze 2017, Ecol. Appl. 27:2048, doi:10.1002/eap.1589.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.errors import InputError, as_array
from landcarbon.matrix.layers import transport_matrix
from landcarbon.matrix.model import MatrixModel
from landcarbon.matrix.steps import propagator

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "SOURCES",
    "add_observation_error",
    "analogue_years",
    "forecast",
    "layered_step",
    "matrix_step",
]

Array = NDArray[np.float64]
Rng = np.random.Generator | int
Step = Callable[[Array, Any, Any], Array]
Build = Callable[[Any, Any], tuple[MatrixModel, Any, Any]]
Advance = Callable[[Array, Array, Array], Array]

SOURCES = ("initial", "parameters", "drivers", "process")


def forecast(
    model: MatrixModel | Step,
    initial: ArrayLike,
    *,
    parameters: ArrayLike | None = None,
    drivers: ArrayLike | Mapping[str, ArrayLike] | None = None,
    process_sd: ArrayLike = 0.0,
    noise: str = "relative",
    dt: float = 1.0,
    steps: int | None = None,
    members: int | None = None,
    sources: Iterable[str] = SOURCES,
    diagnose: Callable[[Array, Any, Any], Mapping[str, Array]] | None = None,
    method: str = "exponential",
    every: int = 1,
    pools: Iterable[str] | None = None,
    unit: str = "gC m-2",
    time: ArrayLike | None = None,
    rng: Rng = 0,
) -> xr.Dataset:
    """Run an ensemble forward.

    Parameters
    ----------
    model : MatrixModel or callable
        A matrix model, whose A, K, B, V may carry a leading member axis, driven by `I` and `xi`;
        or `step(X, parameters, drivers) -> X` for all members at once: X (member, pool),
        parameters (member, p), drivers one array (member, ...) or a dict of such for this step.
    initial : array_like, (pool,) or (member, pool)
    parameters : array_like, (p,) or (member, p), optional
        For a step function. Member m uses row m of `initial` and row m of `parameters`: draw both
        from the same posterior, and their correlation is kept.
    drivers : array_like or mapping of str to array_like, optional
        (time,) for one scenario, else (scenario, time, ...). As many scenarios as members are
        paired one to one; otherwise each scenario goes to about equally many members. A matrix
        model takes "I" (scenario, time) and, if wanted, "xi" (scenario, time) or
        (scenario, time, pool).
    process_sd : float or array_like, (pool,)
        Process error [yr-1/2] for relative noise, in state units times yr-1/2 for absolute.
    noise : {"relative", "absolute"}
        Lognormal factor of mean 1, or a Gaussian term (which can take pools below 0).
    dt : float
        Length of a step in years.
    steps : int, optional
        Number of steps; needed without drivers only.
    members : int, optional
        Size of the ensemble when neither `initial`, `parameters` nor the model has one.
    sources : iterable of str
        Sources switched on, among "initial", "parameters", "drivers", "process".
    diagnose : callable, optional
        `diagnose(X, parameters, drivers) -> {name: (member,) or (member, ...)}`, evaluated with the
        state and the drivers at the start of each step (fluxes).
    method : {"exponential", "implicit", "explicit"}
        For a matrix model, see :func:`matrix_step`.
    every : int
        Keep every so many steps.
    pools : iterable of str, optional
        Names of the pools.
    unit : str
        Unit of the state.
    time : array_like, (steps + 1,), optional
        Time stamps, the initial time first; default years from the start.
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
    import xarray as xr

    on = _switches(sources)
    rng = np.random.default_rng(rng)
    # Drawn whether used or not: switching one source off leaves the others' numbers alone.
    seed_drivers, seed_process = rng.integers(2**63, size=2)
    if not np.isfinite(dt) or dt <= 0:
        raise InputError(
            f"dt is the length of a step in years and must be above 0, but {dt!r} was given."
        )

    state = as_array("initial", initial, shape=(None,))
    theta = None if parameters is None else as_array("parameters", parameters, shape=(None,))
    if isinstance(model, MatrixModel):
        if theta is not None:
            raise InputError(
                "A MatrixModel carries its parameters in A, K, B and V (with a leading member "
                "axis), so "
                "leave `parameters` out; to build the model from parameters, use "
                "matrix_step(build, dt)."
            )
        if state.shape[-1] != model.n:
            raise InputError(
                f"initial ends in an axis of length {state.shape[-1]}, but the model has "
                f"{model.n} pools: "
                f"{', '.join(model.pools)}."
            )
        pools = model.pools if pools is None else pools
    n_members = _n_members(state, theta, model, members)
    if not on["parameters"]:
        theta = None if theta is None else _hold(theta, 1)
        model = _mean_model(model) if isinstance(model, MatrixModel) else model
    if not on["initial"]:
        state = _hold(state, 1)
    X = np.array(np.broadcast_to(state, (n_members, state.shape[-1])))
    if theta is not None:
        theta = np.broadcast_to(theta, (n_members, theta.shape[-1]))

    step: Step = matrix_step(model, dt, method) if isinstance(model, MatrixModel) else model
    series, n_steps = _drivers(drivers, steps)
    scenario = {
        name: _assign(name, values, n_members, on["drivers"], int(seed_drivers))
        for name, values in series.items()
    }
    single = drivers is not None and not isinstance(drivers, Mapping)

    sd = as_array("process_sd", process_sd, lower=0.0)
    if sd.ndim > 1 or (sd.ndim == 1 and sd.size not in (1, X.shape[1])):
        raise InputError(
            f"process_sd must be one number or one for each of the {X.shape[1]} pools, but its "
            "shape is "
            f"{sd.shape}."
        )
    if noise not in ("relative", "absolute"):
        raise InputError(f"noise {noise!r} is not known; take 'relative' or 'absolute'.")
    disturb = _noise(sd, dt, noise, int(seed_process)) if on["process"] and sd.any() else None
    if every < 1 or n_steps % every:
        raise InputError(f"every must divide the {n_steps} steps, but {every!r} was given.")

    kept = np.empty((n_steps // every + 1, *X.shape))
    kept[0] = X
    extra: dict[str, Array] = {}
    for t in range(n_steps):
        now: Any = {name: values[:, t] for name, values in scenario.items()}
        now = now["drivers"] if single else (now or None)
        if diagnose is not None and t % every == 0:
            for name, value in diagnose(X, theta, now).items():
                if t == 0:
                    extra[name] = np.full((kept.shape[0], *np.shape(value)), np.nan)
                extra[name][t // every] = value
        X_next = np.asarray(step(X, theta, now), float)
        if X_next.shape != X.shape:
            raise InputError(
                f"The step function returned shape {X_next.shape} for a state of shape {X.shape}; "
                "it must "
                "return the next state of all members."
            )
        X = X_next if disturb is None else disturb(X_next)
        if not np.isfinite(X).all():
            member, pool = np.argwhere(~np.isfinite(X))[0]
            raise InputError(
                f"Step {t} gave NaN or infinity, first in member {member}, pool {pool}. Check the "
                "drivers "
                "of that step, or take a shorter step."
            )
        if (t + 1) % every == 0:
            kept[(t + 1) // every] = X

    return _labelled(kept, extra, n_steps, every, dt, time, pools, unit, on, xr)


def _labelled(
    kept: Array,
    extra: Mapping[str, Array],
    n_steps: int,
    every: int,
    dt: float,
    time: ArrayLike | None,
    pools: Iterable[str] | None,
    unit: str,
    on: Mapping[str, bool],
    xr: Any,
) -> xr.Dataset:
    lead = dt * np.arange(0, n_steps + 1, every)
    if time is None:
        stamps: Any = lead
    else:
        stamps = np.asarray(time)
        if stamps.shape != (n_steps + 1,):
            raise InputError(
                f"time must hold {n_steps + 1} stamps (the initial time and one after each step), "
                "but its "
                f"shape is {stamps.shape}."
            )
        stamps = stamps[::every]
    names = (
        [str(p) for p in pools]
        if pools is not None
        else [f"pool {i}" for i in range(kept.shape[2])]
    )
    if len(names) != kept.shape[2]:
        raise InputError(f"pools names {len(names)} pools, but the state has {kept.shape[2]}.")
    data = xr.Dataset(
        {
            "X": (
                ("member", "time", "pool"),
                np.moveaxis(kept, 1, 0),
                {"units": unit, "long_name": "state"},
            )
        },
        coords={
            "member": np.arange(kept.shape[1]),
            "time": ("time", stamps),
            "pool": names,
            "lead": ("time", lead, {"units": "yr", "long_name": "time since the start"}),
        },
        attrs={"sources": ", ".join(s for s in SOURCES if on[s]) or "none", "step": f"{dt:g} yr"},
    )
    if time is None:
        data["time"].attrs["units"] = "yr"
    for name, values in extra.items():
        tail = tuple(f"{name}_{i}" for i in range(values.ndim - 2))
        data[name] = (("member", "time", *tail), np.moveaxis(values, 1, 0))
    return data


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
        `build(parameters, drivers) -> (MatrixModel, I, xi)`.
    dt : float
        Length of the step, yr. Input and ξ are constant within it.
    method : {"exponential", "implicit", "explicit"}
        Exact for drivers constant within the step; backward Euler (stable for any step,
        first-order error); forward Euler (cheapest, needs short steps).

    Returns
    -------
    callable
        `step(X, parameters, drivers) -> X`.

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
    if method not in methods:
        raise InputError(f"method is {method!r}; choose {', '.join(map(repr, methods))}.")
    advance = methods[method]
    build: Build
    if isinstance(model, MatrixModel):
        constant = model

        def constant_build(parameters: Any, drivers: Any) -> tuple[MatrixModel, Any, Any]:
            if not isinstance(drivers, Mapping) or "I" not in drivers or set(drivers) - {"I", "xi"}:
                given = (
                    ", ".join(drivers) if isinstance(drivers, Mapping) else type(drivers).__name__
                )
                raise InputError(
                    "A MatrixModel is driven by a dict with the carbon input 'I' and, if wanted, "
                    "the "
                    f"scalar 'xi', but {given} was given."
                )
            return constant, drivers["I"], drivers.get("xi", 1.0)

        build = constant_build
    else:
        build = model

    def step(X: Array, parameters: Any, drivers: Any) -> Array:
        matrices, I, xi = build(parameters, drivers)
        xi = _shared(np.asarray(xi, float))
        M = matrices.outflow_matrix(xi[..., None] if xi.ndim == 1 else xi)
        return advance(X, M, matrices.input(I))

    return step


def layered_step(column: LayeredModel, b: ArrayLike, dt: float) -> Step:
    """One implicit step of soil columns with layers: (1 + dt M) X(t+dt) = X(t) + dt b.

    Layers touch only their neighbours, so 1 + dt M is block-tridiagonal. It is eliminated once, for
    all members; a step is then one sweep down and one sweep up.

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
        `step(X, parameters, drivers) -> X` with X (member, pool * layer) [gC m-3], the layers of a
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
    if not np.isfinite(dt) or dt <= 0:
        raise InputError(f"dt is the length of a step in years, above 0, but {dt!r} was given.")
    p, L = column.K.shape[-2:]
    source = as_array("b", b, shape=(p, L), lower=0.0)
    lead = np.broadcast_shapes(column.shape, source.shape[:-2])
    if len(lead) > 1:
        raise InputError(f"column and b have leading axes {lead}; one, the member, at most.")
    V = dt * transport_matrix(column.down, column.up, column.layers)
    mixed = np.array(column.mixed, float)
    own = np.arange(p)

    def between(l: int, k: int) -> Array:
        return V[..., l, k, None] * mixed

    # (1 + dt M) with a block (p, p) for each layer, coupled to its neighbours pool by pool.
    inverse: list[Array] = []
    passed: list[Array] = []  # of what a layer holds, the part that comes from the layer below
    for l in range(L):  # noqa: E741
        block = dt * column.A * column.K[..., None, :, l]
        block = np.array(
            np.broadcast_to(block, (*np.broadcast_shapes(block.shape[:-2], V.shape[:-2]), p, p))
        )
        block[..., own, own] += 1.0 + between(l, l)
        if l:
            block = block - between(l, l - 1)[..., None] * passed[-1]
        inverse.append(np.asarray(np.linalg.inv(block), float))
        if l < L - 1:
            passed.append(inverse[-1] * between(l, l + 1)[..., None, :])
    above = [between(l, l - 1) for l in range(1, L)]

    def step(X: Array, parameters: Any, drivers: Any) -> Array:
        if X.shape[-1] != p * L:
            raise InputError(
                f"The state has {X.shape[-1]} numbers a member; {p} pools in {L} layers are {p * L}."
            )
        given = source
        if drivers is not None:
            if not isinstance(drivers, Mapping) or set(drivers) != {"input"}:
                raise InputError("A column is driven by a dict with 'input', a factor of b.")
            given = source * np.asarray(drivers["input"], float)[:, None, None]
        right = X.reshape(*X.shape[:-1], p, L) + dt * given
        down: list[Array] = []
        for l in range(L):  # noqa: E741
            r = right[..., l] - above[l - 1] * down[-1] if l else right[..., l]
            down.append((inverse[l] @ r[..., None])[..., 0])
        out = np.empty(np.broadcast_shapes(right.shape, (*lead, p, L)))
        out[..., -1] = down[-1]
        for l in range(L - 2, -1, -1):  # noqa: E741
            out[..., l] = down[l] - (passed[l] @ out[..., l + 1, None])[..., 0]
        return out.reshape(*out.shape[:-2], p * L)

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
                f"{1 / fastest:.3g} yr, or "
                "method='implicit'."
            )
        return X + dt * (b - (M @ X[..., None])[..., 0])

    return advance


def _shared(values: Array) -> Array:
    # A broadcast view repeats one scenario for every member: one matrix then serves all of them.
    return values[:1] if values.ndim and values.shape[0] > 1 and values.strides[0] == 0 else values


def _switches(sources: Iterable[str]) -> dict[str, bool]:
    given = (sources,) if isinstance(sources, str) else tuple(sources)
    unknown = [s for s in given if s not in SOURCES]
    if unknown:
        raise InputError(
            f"There is no source of uncertainty {unknown[0]!r}; take some of {', '.join(SOURCES)}."
        )
    return {s: s in given for s in SOURCES}


def _n_members(state: Array, theta: Array | None, model: Any, members: int | None) -> int:
    sizes = {"initial": state.shape[0] if state.ndim > 1 else 1}
    if state.ndim > 2:
        raise InputError(
            f"initial must be (pool,) or (member, pool), but its shape is {state.shape}."
        )
    if theta is not None:
        if theta.ndim > 2:
            raise InputError(
                f"parameters must be (p,) or (member, p), but the shape is {theta.shape}."
            )
        sizes["parameters"] = theta.shape[0] if theta.ndim > 1 else 1
    if isinstance(model, MatrixModel):
        for name, base in (("A", 2), ("K", 1), ("V", 2)):
            matrix = getattr(model, name)
            if matrix is not None and matrix.ndim > base:
                if matrix.ndim > base + 1:
                    raise InputError(
                        f"{name} of the model has shape {matrix.shape}: one leading axis, the "
                        "member, at most."
                    )
                sizes[f"{name} of the model"] = matrix.shape[0]
    if members is not None:
        sizes["members"] = int(members)
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


def _drivers(drivers: Any, steps: int | None) -> tuple[dict[str, Array], int]:
    if drivers is None:
        if steps is None or steps < 1:
            raise InputError("Without drivers, say how many steps to forecast: steps=50.")
        return {}, int(steps)
    named = drivers if isinstance(drivers, Mapping) else {"drivers": drivers}
    series = {}
    for name, values in named.items():
        array = as_array(name if name == "drivers" else f"driver {name!r}", values, shape=(None,))
        series[name] = array[None, :] if array.ndim == 1 else array
    lengths = {name: array.shape[1] for name, array in series.items()}
    if len(set(lengths.values())) > 1 or (steps is not None and steps not in lengths.values()):
        told = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        more = "" if steps is None else f", and steps={steps}"
        raise InputError(
            "Drivers must be (time,) or (scenario, time, ...) over the same times, but "
            f"{told}{more}."
        )
    return series, next(iter(lengths.values()))


def _assign(name: str, values: Array, n_members: int, on: bool, seed: int) -> Array:
    if not on:
        values = values.mean(axis=0, keepdims=True)
    n = values.shape[0]
    if n == 1:
        return np.broadcast_to(values, (n_members, *values.shape[1:]))
    if n == n_members:
        return values
    if n > n_members:
        raise InputError(
            f"driver {name!r} has {n} scenarios for {n_members} member(s): some would never be "
            "used. "
            "Take more members, or choose among the scenarios."
        )
    # Every driver of a member comes from the same scenario: same seed, same shuffle.
    which = np.random.default_rng(seed).permutation(np.arange(n_members) % n)
    return values[which]


def _noise(sd: Array, dt: float, kind: str, seed: int) -> Callable[[Array], Array]:
    rng = np.random.default_rng(seed)
    s = sd * np.sqrt(dt)
    if kind == "relative":
        return lambda X: X * np.exp(s * rng.standard_normal(X.shape) - s**2 / 2)
    return lambda X: X + s * rng.standard_normal(X.shape)


def analogue_years(
    history: Any,
    steps_per_year: int,
    steps: int,
    members: int,
    *,
    start: int = 0,
    weights: ArrayLike | None = None,
    rng: Rng = 0,
) -> Any:
    """Driver ensemble made of past years drawn at random: each member strings whole years together.

    Weather within a year keeps its correlations, between drivers too; the years themselves are
    taken as exchangeable, so there is no trend.

    Parameters
    ----------
    history : array_like, (time, ...), or mapping of such
        From the first step of a year on; an incomplete last year is left out.
    steps_per_year : int
        365 for daily data without leap days, 12 for months.
    steps : int
        Number of steps to forecast.
    members : int
    start : int
        Step within the year at which the forecast starts.
    weights : array_like, (year,), optional
        Relative probability of each year (years like the present one may count more).
    rng : Generator or int

    Returns
    -------
    ndarray, (member, steps, ...), or dict of such

    Raises
    ------
    InputError
        Less than one whole year, NaN, `start` beyond the year.

    Examples
    --------
    >>> history = np.repeat([1.0, 2.0, 3.0], 12)
    >>> d = analogue_years(history, 12, steps=18, members=5, start=6, rng=1)
    >>> d.shape, sorted(set(d.ravel().tolist()))
    ((5, 18), [1.0, 2.0, 3.0])
    """
    rng = np.random.default_rng(rng)
    named = history if isinstance(history, Mapping) else {"history": history}
    past = {name: as_array(name, values) for name, values in named.items()}
    if len({len(values) for values in past.values()}) != 1:
        raise InputError("All series of history must cover the same times.")
    n_years = len(next(iter(past.values()))) // steps_per_year
    if n_years < 1:
        raise InputError(f"history is shorter than one year of {steps_per_year} steps.")
    if not 0 <= start < steps_per_year:
        raise InputError(
            f"start must lie within the year, 0 to {steps_per_year - 1}, but is {start!r}."
        )
    p = None
    if weights is not None:
        p = as_array("weights", weights, shape=(n_years,), lower=0.0)
        if p.sum() == 0:
            raise InputError("weights are all 0; give at least one year a weight.")
        p = p / p.sum()
    needed = -(-(start + steps) // steps_per_year)
    year = rng.choice(n_years, size=(members, needed), p=p)
    at = year[:, :, None] * steps_per_year + np.arange(steps_per_year)
    at = at.reshape(members, -1)[:, start : start + steps]
    drawn = {name: values[at] for name, values in past.items()}
    return drawn if isinstance(history, Mapping) else drawn["history"]


def add_observation_error(
    ensemble: Any, sd: ArrayLike, *, relative: bool = False, rng: Rng = 0
) -> Any:
    """The ensemble of what will be *measured*: the state plus measurement error.

    Parameters
    ----------
    ensemble : array_like or xarray.DataArray
    sd : float or array_like
        Standard deviation, in the unit of the ensemble; for `relative`, that of the logarithm.
    relative : bool
        Lognormal error with median 1 instead of a Gaussian term.
    rng : Generator or int

    Returns
    -------
    Same type as `ensemble`

    Examples
    --------
    >>> x = add_observation_error(np.zeros(10_000), 2.0)
    >>> bool(1.9 < x.std() < 2.1)
    True
    """
    rng = np.random.default_rng(rng)
    s = as_array("sd", sd, lower=0.0)
    z = rng.standard_normal(np.shape(ensemble))
    out = ensemble * np.exp(s * z) if relative else ensemble + s * z
    return out if hasattr(ensemble, "dims") else np.asarray(out)
