"""Storage under fires, storms and harvests that come at random.

    between events    dX/dt = u − M X
    an event          X → X − D X,        D = A_d S
    mean              d⟨X⟩/dt = u − (M + λ D) ⟨X⟩,        ⟨X⟩ → (M + λ D)⁻¹ u
    covariance        0 = λ D (C + ⟨X⟩⟨X⟩ᵀ) Dᵀ − (M + λ D) C − C (M + λ D)ᵀ

====== ============================================== ======== ============= ==================
symbol meaning                                        shape    unit          code name
====== ============================================== ======== ============= ==================
λ      events per year; 1/λ is the mean interval      ()       yr-1          rate
S      share of each pool that an event removes       (n,)     1             severity
A_d    where it goes: 1 on the diagonal, −g_ij off    (n, n)   1             A
       it; g_ij is the part of what an event removes
       from pool j that ends in pool i (dead wood)
D      effect of one event                            (n, n)   1             Disturbance.effect
M      outflow matrix A ξ K + V                       (n, n)   yr-1          outflow_matrix
u      input of each pool, B I                        (n,)     gC m-2 yr-1   input
⟨X⟩    mean over many places, or over a long time     (n,)     gC m-2        mean_storage
C      covariance of the pools over places            (n, n)   gC2 m-4       covariance
====== ============================================== ======== ============= ==================

Why the mean is exact: in a short time dt each place has the chance λ dt of an event, whatever it
holds and however long the last event is past. So the mean loses λ D ⟨X⟩ dt: random events act on the
mean as an outflow with rate λ D does, and A_d S λ has the form of A ξ K. One pool of turnover k, of
which an event removes the share s, holds I / (k + λ s) on average. Where events keep a rhythm, or
come sooner to the places that hold more, this is no longer so.

On the capacity under regimes of disturbance: Weng et al. (2012), doi 10.1029/2012JG002040; on events
that come at a constant rate: Johnson and Van Wagner (1985), Canadian Journal of Forest Research 15,
214–220. The formulas above follow from the argument given here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, Rng, as_array, as_rng, as_whole
from landcarbon.matrix.frozen import keep
from landcarbon.matrix.labels import labelled
from landcarbon.matrix.model import MatrixModel, check_transfers
from landcarbon.matrix.steps import Move, Moves, propagator
from landcarbon.matrix.timeline import Changing, Forcing, Moment, Timeline

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Disturbance", "averaged", "covariance", "mean_storage", "random_runs"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Disturbance:
    """Events that come at random with a constant chance per year.

    Parameters
    ----------
    rate : float
        Events per year λ, not negative: 0.01 for one in a hundred years on average.
    severity : array_like (n,)
        Share of each pool that an event removes, 0 to 1.
    A : array_like (n, n), optional
        Where it goes: 1 on the diagonal, −g_ij off it. All into the air if not given.

    Raises
    ------
    InputError
        A negative rate, a share outside 0 to 1, fractions that create carbon.

    Examples
    --------
    A fire kills nine tenths of the trees, of which it burns a third, and burns the litter:

    >>> fire = Disturbance(rate=1 / 80, severity=[0.9, 1.0, 0.0],
    ...                    A=[[1, 0, 0], [-2 / 3, 1, 0], [0, 0, 1]])
    >>> fire.effect
    array([[ 0.9,  0. ,  0. ],
           [-0.6,  1. ,  0. ],
           [ 0. ,  0. ,  0. ]])
    """

    rate: float
    severity: Array
    A: Array = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        rate = as_array("rate", self.rate, lower=0.0, hint="It is the number of events per year.")
        if rate.ndim:
            raise InputError(f"rate is one number, the events per year, but has shape {rate.shape}.")
        severity = as_array(
            "severity", self.severity, lower=0.0, upper=1.0,
            hint="It is the share of each pool that an event removes.",
        )
        if severity.ndim != 1:
            raise InputError(
                f"severity has shape {severity.shape}; give a row with one share for each pool."
            )
        n = severity.size
        A = np.eye(n) if self.A is None else as_array("A", self.A, shape=(n, n))
        check_transfers(A, tuple(f"pool {j}" for j in range(n)))
        keep(self, rate=float(rate), severity=severity, A=A)

    @property
    def effect(self) -> Array:
        """D (n, n): an event takes X to X − D X."""
        return np.asarray(self.A * self.severity, dtype=np.float64)

    @property
    def burnt(self) -> Array:
        """Share of each pool (n,) that an event sends into the air."""
        return np.maximum(self.effect.sum(axis=0), 0.0)


def averaged(model: MatrixModel, disturbance: Disturbance, xi: ArrayLike = 1.0) -> MatrixModel:
    """The model in which the events happen a little all the time, M + λ D.

    Its carbon is the mean over random events, at steady state and on the way; its residence and
    transit times are those of carbon under the disturbance.

    Parameters
    ----------
    model : MatrixModel
    disturbance : Disturbance
        With one severity for each pool of the model.
    xi : float or array_like (..., n)
        Environmental scalar: it speeds up turnover, not the events.

    Returns
    -------
    MatrixModel
        With ξ and the events inside its K and A: use it with xi = 1.

    Raises
    ------
    InputError
        A disturbance for another number of pools.

    Examples
    --------
    >>> from landcarbon.models.pools import one_pool
    >>> averaged(one_pool(k=0.02), Disturbance(rate=0.01, severity=[0.5])).K
    array([0.025])
    """
    _fits(disturbance, model)
    M0 = model.replace(V=None).outflow_matrix(xi)
    M = M0 + disturbance.rate * disturbance.effect
    K = np.diagonal(M, axis1=-2, axis2=-1)
    still = np.where(K > 0, K, 1.0)
    A = np.where(K[..., None, :] > 0, M / still[..., None, :], np.eye(model.n))
    diagonal = np.arange(model.n)
    A[..., diagonal, diagonal] = 1.0
    return model.replace(A=A, K=K)


def mean_storage(
    model: MatrixModel, disturbance: Disturbance, I: ArrayLike, xi: ArrayLike = 1.0
) -> Array:
    """⟨X⟩ = (M + λ D)⁻¹ B I: mean storage under random events.

    Parameters
    ----------
    model : MatrixModel
    disturbance : Disturbance
    I : float or array_like
        Carbon input [gC m-2 yr-1], as for `MatrixModel.steady_state`.
    xi : float or array_like (..., n)
        Environmental scalar.

    Returns
    -------
    ndarray (..., n) [gC m-2]
        Mean over many places; also over a long time at one of them.

    Raises
    ------
    InputError
        A disturbance for another number of pools; carbon that can never leave.

    Examples
    --------
    >>> from landcarbon.models.pools import one_pool
    >>> mean_storage(one_pool(k=0.02), Disturbance(rate=0.01, severity=[0.5]), I=500.0)
    array([20000.])
    """
    return averaged(model, disturbance, xi).steady_state(I)


def covariance(
    model: MatrixModel, disturbance: Disturbance, I: ArrayLike, xi: ArrayLike = 1.0
) -> Array:
    """C: how storage differs among places under the same random events.

    Parameters
    ----------
    model, disturbance, I, xi
        As for `mean_storage`.

    Returns
    -------
    ndarray (..., n, n) [gC2 m-4]
        The square root of its diagonal is the standard deviation of each pool.

    Raises
    ------
    InputError
        As for `mean_storage`.

    Notes
    -----
    Solves a system with n² unknowns: for models of up to about 30 pools.

    Examples
    --------
    Fires that take everything once a residence time: a third of the mean squared is variance.

    >>> from landcarbon.models.pools import one_pool
    >>> land, fire = one_pool(k=0.01), Disturbance(rate=0.01, severity=[1.0])
    >>> C = covariance(land, fire, I=100.0)
    >>> (C[0, 0] / mean_storage(land, fire, I=100.0)[0] ** 2).round(4)
    np.float64(0.3333)
    """
    average = averaged(model, disturbance, xi)
    m = average.steady_state(I)
    M, D, n, eye = average.outflow_matrix(), disturbance.effect, model.n, np.eye(model.n)
    struck = m @ D.T
    source = disturbance.rate * struck[..., :, None] * struck[..., None, :]
    both = (
        np.einsum("...ik,jl->...ijkl", M, eye)
        + np.einsum("ik,...jl->...ijkl", eye, M)
        - disturbance.rate * np.einsum("ik,jl->ijkl", D, D)
    )
    lead = both.shape[:-4]
    C = np.linalg.solve(
        both.reshape(*lead, n * n, n * n), source.reshape(*source.shape[:-2], n * n, 1)
    )
    return np.asarray(C.reshape(*C.shape[:-2], n, n), dtype=np.float64)


def random_runs(
    model: MatrixModel | Changing | Callable[[float], MatrixModel],
    disturbance: Disturbance | Callable[[float], Disturbance],
    t: ArrayLike,
    X0: ArrayLike,
    I: Forcing,
    xi: Forcing = 1.0,
    *,
    n_members: int = 1,
    rng: Rng = 0,
    unit: str = "gC m-2",
) -> xr.Dataset:
    """Run many places forward in time, each with its own random events.

    Events come at any time within a step, and what happens between them is exact: the states have
    no error of a time step, however long the steps.

    Parameters
    ----------
    model : MatrixModel, `changing` or callable
        The model; or one that changes, as in `landcarbon.matrix.timeline`.
    disturbance : Disturbance or callable
        The disturbance; or a function of time [yr] that returns it, for a regime that shifts.
    t : array_like (steps + 1,)
        Times of the states [yr], rising.
    X0 : array_like (n,) or (n_members, n)
        Carbon at t[0] [gC m-2].
    I, xi
        Forcing in the forms of `landcarbon.matrix.timeline`; constant within a step.
    n_members : int
        How many places.
    rng : Generator or int
    unit : str
        Unit of the carbon, for the labels.

    Returns
    -------
    xarray.Dataset
        X (time, member, pool); per step the mean fluxes input, respiration and burnt (step, member,
        pool), the number of events (step, member) and the length dt (step). Carbon is conserved:
        the change of ΣX is (input − respiration − burnt) dt to rounding.

    Raises
    ------
    InputError
        Times that do not rise, forcing or states that do not fit, no member.

    Examples
    --------
    >>> from landcarbon.models.pools import one_pool
    >>> land, fire = one_pool(k=0.02), Disturbance(rate=0.01, severity=[0.5])
    >>> runs = random_runs(land, fire, [0, 500], X0=[0.0], I=500.0, n_members=2000, rng=1)
    >>> bool(abs(runs.X[-1].mean() / mean_storage(land, fire, 500.0)[0] - 1) < 0.03)
    True
    """
    seed, n_members, rng = rng, as_whole("n_members", n_members, 1), as_rng(rng)
    clock = Timeline.read(model, t, I, xi)
    first = clock.model_at(0, float(clock.t[0] + clock.t[1]) / 2)
    _fits(disturbance(clock.t[0]) if callable(disturbance) else disturbance, first)
    n = first.n
    X0 = as_array("X0", X0, shape=(n,), hint=f"The pools are {', '.join(first.pools)}.")
    if X0.shape not in ((n,), (n_members, n)):
        raise InputError(f"X0 has shape {X0.shape}; give ({n},), or ({n_members}, {n}) for each member.")
    X = np.broadcast_to(X0, (n_members, n)).copy()
    states, passed = [X], []
    moves = Moves()
    for now in clock.walk():
        regime = disturbance(now.t) if callable(disturbance) else disturbance
        _fits(regime, now.model)
        M = now.model.outflow_matrix(now.xi)
        X, step = _passed(X, now, M, moves.of_matrix(M, now.h), regime, rng)
        states.append(X)
        passed.append(step)
    return _dataset(first.pools, clock.t, states, passed, unit, seed)


class _Step(NamedTuple):
    """What one step did: mean fluxes (members, n), and the number of events (members,)."""

    input: Array
    respiration: Array
    burnt: Array
    events: NDArray[Any]


def _passed(
    X: Array, now: Moment, M: Array, quiet: Move, regime: Disturbance, rng: np.random.Generator
) -> tuple[Array, _Step]:
    """State of all members after a step, and what it did; `quiet` is the step without an event."""
    loss = now.model.respired_fraction * now.model.K * now.xi
    u = np.broadcast_to(now.u, X.shape)
    after, stay = quiet(X, u)
    count = rng.poisson(regime.rate * now.h, len(X))
    burnt = np.zeros(X.shape)
    struck = np.flatnonzero(count)
    if struck.size:
        Ms = M[struck] if M.ndim == 3 else M
        after[struck], stay[struck], burnt[struck] = _struck(
            X[struck], Ms, u[struck], now.h, regime, count[struck], rng
        )
    return after, _Step(u, loss * stay / now.h, burnt / now.h, count)


def _dataset(
    pools: tuple[str, ...], t: Array, states: list[Array], passed: list[_Step], unit: str, seed: Any
) -> xr.Dataset:
    import xarray as xr

    per_step = ("step", "member", "pool")
    meaning = {
        "input": "carbon input, B I",
        "respiration": "mean flux to the atmosphere by turnover over the step",
        "burnt": "mean flux to the atmosphere by events over the step",
    }
    variables: dict[str, Any] = {
        name: (
            per_step,
            np.stack([getattr(step, name) for step in passed]),
            {"units": f"{unit} yr-1", "long_name": text},
        )
        for name, text in meaning.items()
    }
    variables["X"] = (
        ("time", "member", "pool"),
        np.stack(states),
        {"units": unit, "long_name": "carbon in each pool"},
    )
    events = np.stack([step.events for step in passed])
    variables["events"] = (("step", "member"), events, {"units": "1", "long_name": "number of events"})
    variables["dt"] = (("step",), np.diff(t), {"units": "yr", "long_name": "length of the step"})
    coords = {
        "time": ("time", t, {"units": "yr", "long_name": "time of the state"}),
        "step": ("step", (t[:-1] + t[1:]) / 2, {"units": "yr", "long_name": "middle of the step"}),
        "pool": ("pool", list(pools)),
    }
    return labelled(xr.Dataset(variables, coords), "places with random disturbance", seed=seed)


def _struck(
    X: Array, M: Array, u: Array, h: float, regime: Disturbance, count: NDArray[Any],
    rng: np.random.Generator,
) -> tuple[Array, Array, Array]:
    """A step with events, for members that have at least one: X after it, ∫ X dt, carbon burnt."""
    most = int(count.max())
    # Given their number, the times of random events are uniform; those that do not happen come last.
    when = rng.random((count.size, most))
    when[np.arange(most) >= count[:, None]] = 1.0
    when = np.sort(np.pad(when, ((0, 0), (1, 1)), constant_values=(0.0, 1.0)), axis=1)
    stay, burnt = np.zeros_like(X), np.zeros_like(X)
    for j in range(most + 1):
        X, part = propagator(M, h * (when[:, j + 1] - when[:, j]))(X, u)
        stay += part
        if j < most:
            hit = (j < count)[:, None]
            burnt += np.where(hit, regime.burnt * X, 0.0)
            X = np.where(hit, X - X @ regime.effect.T, X)
    return X, stay, burnt


def _fits(disturbance: Any, model: Any) -> None:
    if not isinstance(disturbance, Disturbance):
        raise InputError(f"disturbance is {type(disturbance).__name__}; give a Disturbance.")
    if not isinstance(model, MatrixModel):
        raise InputError(f"model is {type(model).__name__}; give a MatrixModel.")
    if disturbance.severity.size != model.n:
        raise InputError(
            f"The disturbance has {disturbance.severity.size} severities, but the model has {model.n} "
            f"pools: {', '.join(model.pools)}."
        )
