"""Carbon coupled to nitrogen, phosphorus or any element that carbon needs, in matrix form.

    dX/dt = φ B I − A κ X                              κ = ξ K, times φ in pools that immobilise
    dE/dt = r ∘ (φ B I + F κ X) − κ E                  new material is built at the ratio r
    dm/dt = s − M_m m − e₁ (1ᵀ dE/dt)                  what organic matter gains, the first mineral
                                                       pool loses: uptake, mineralisation, all of it

====== ==================================================== ========== ============ ==============
symbol meaning                                              shape      unit         code name
====== ==================================================== ========== ============ ==============
X      carbon in each pool                                  (..., n)   gC m-2       X
E      the element in each organic pool                     (..., n)   g m-2        E
m      mineral pools of the element; the first is available (..., k)   g m-2        m
r      element per carbon of new material                   (..., n)   g gC-1       ratio(m)
c      carbon per element, where it is plentiful / scarce   (n,)       gC g-1       c_to_e, …_scarce
φ      growth and immobilisation that the supply allows     (...)      1            limitation(m)
h      available element at which φ = 1/2                   ()         g m-2        half
F      transfer fractions, F = 1 − A                        (n, n)     1            carbon.transfer
M_m    outflow matrix of the mineral pools                  (k, k)     yr-1         mineral
s      supply: deposition, fixation, weathering             (k,)       g m-2 yr-1   supply
====== ==================================================== ========== ============ ==============

Three ways to couple, all from the literature of the last forty years:

fixed      r = 1/c, φ = 1. The element follows carbon; what is lacking is taken from the mineral pool,
           which may run out.
flexible   φ = 1, and r falls from 1/c to 1/c_scarce as the available pool empties.
limited    r = 1/c, and φ = a / (a + h) with a the available pool. With several elements the scarcest
           one decides (Liebig's law of the minimum).

At steady state organic matter neither gains nor loses, so the mineral pools stand where supply and
loss balance, M_m m* = s, whatever carbon does. That makes the steady state of all three explicit:
m* gives φ* and r*, and these give X* = (A κ*)⁻¹ φ* B I and E* = r* X*.

A step of length h keeps φ, r and κ fixed. Then the excess E − r X decays as exp(−κ h), carbon and
mineral pools take exact steps (`landcarbon.matrix.simulate`), and the element is conserved to rounding,
however long the step. Fixed at what? At their values at its end, found as a root, the error is of first
order in h, no available pool comes out negative, and a step may be a thousand years long (`implicit`).
At their values in its middle the error is of second order (`midpoint`), but the step must be short
against the turnover of the available pool, which is weeks: longer steps make it flutter.

Sources: N as in Thornton & Rosenbloom (2005), doi 10.1016/j.ecolmodel.2005.04.008 and Parton et al. (1987),
doi 10.2136/sssaj1987.03615995005100050015x; N and P together as in Wang et al. (2010), doi
10.5194/bg-7-2261-2010; matrix form: Lu et al. (2020), doi 10.1029/2020MS002105.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.errors import InputError, as_array
from landcarbon.matrix.frozen import keep
from landcarbon.matrix.labels import labelled
from landcarbon.matrix.model import MatrixModel
from landcarbon.matrix.steps import Propagator, propagator
from landcarbon.matrix.timeline import Changing, Forcing, Timeline

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["COUPLINGS", "Element", "NutrientModel", "State", "simulate"]

Array = NDArray[np.float64]

COUPLINGS = ("fixed", "flexible", "limited")
SPLITS = 6  # a step is halved at most so often before the element is said to have run out
TINY = 1e-300
ROUNDING = 1e-9  # litter that just inherits the ratio of its plants takes nothing up
SWEEPS = 50  # over the elements, each solved with the others held


@dataclass(frozen=True)
class Element:
    """An element that carbon needs, with its mineral pools.

    Parameters
    ----------
    name : str
        Symbol, such as "N"; names the variables of a run.
    c_to_e : array_like (n,)
        Carbon per element of new material in each pool where the element is plentiful [gC g-1].
    mineral : MatrixModel
        The mineral pools; the first is what organisms take from and give to. What leaves it and enters
        no other pool is lost from the land.
    supply : array_like (k,)
        Input of each mineral pool: deposition, fixation, weathering [g m-2 yr-1].
    half : float
        Available element at which half of growth is possible [g m-2].
    c_to_e_scarce : array_like (n,), optional
        Carbon per element where none is available; needed with flexible coupling.

    Raises
    ------
    InputError
        Ratios that are not positive, a supply of another length than the mineral pools.
    """

    name: str
    c_to_e: Array
    mineral: MatrixModel
    supply: Array
    half: float
    c_to_e_scarce: Array | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.mineral, MatrixModel):
            raise InputError(
                f"mineral is a {type(self.mineral).__name__}; give a MatrixModel of the mineral pools."
            )
        plenty = as_array("c_to_e", self.c_to_e, lower=0.0, strict=True, hint="Carbon per element.")
        scarce = self.c_to_e_scarce
        if scarce is not None:
            scarce = as_array("c_to_e_scarce", scarce, shape=plenty.shape, lower=0.0, strict=True)
            if np.any(scarce < plenty):
                raise InputError(
                    "c_to_e_scarce is below c_to_e in some pool: where an element is scarce, more carbon "
                    "goes with each gram of it."
                )
        supply = as_array("supply", self.supply, shape=(self.mineral.n,), lower=0.0,
                          hint=f"The mineral pools are {', '.join(self.mineral.pools)}.")
        as_array("half", self.half, lower=0.0, strict=True)
        keep(self, c_to_e=plenty, c_to_e_scarce=scarce, supply=supply)

    def share(self, m: ArrayLike) -> Array:
        """a / (a + h) (...): how far the available pool meets demand."""
        a = np.asarray(m, dtype=np.float64)[..., 0]
        return np.asarray(a / (a + self.half), dtype=np.float64)

    def steady_mineral(self) -> Array:
        """m* (k,), where supply and loss balance."""
        if not self.supply.any():
            return np.zeros(self.mineral.n)
        M = self.mineral.outflow_matrix()
        self.mineral._check_ways_out(M)
        return np.asarray(np.linalg.solve(M, self.supply), dtype=np.float64)


@dataclass(frozen=True)
class State:
    """Carbon X (..., n); for each element its organic (..., n) and mineral (..., k) pools."""

    X: Array
    E: dict[str, Array]
    m: dict[str, Array]

    def total(self, element: str) -> Array:
        """All of an element, organic and mineral [g m-2]."""
        return self.E[element].sum(axis=-1) + self.m[element].sum(axis=-1)


@dataclass(frozen=True)
class NutrientModel:
    """A carbon model whose growth and decomposition need other elements.

    Parameters
    ----------
    carbon : MatrixModel
        Without leading axes and without V; K where nothing limits.
    elements : Element or sequence of Element
        One to several, with different names.
    coupling : {"limited", "fixed", "flexible"}
        See the top of this module.

    Examples
    --------
    Plants and soil with nitrogen: half of growth is possible at 1 gN m-2.

    >>> carbon = MatrixModel(("plants", "soil"), A=[[1, 0], [-0.4, 1]], K=[0.2, 0.02], B=[1, 0])
    >>> available = MatrixModel(("mineral N",), A=[[1]], K=[0.5], B=[1])
    >>> n = Element("N", c_to_e=[40, 20], mineral=available, supply=[1.0], half=1.0)
    >>> land = NutrientModel(carbon, n)
    >>> rest = land.steady_state(I=600.0)
    >>> rest.X.round(), rest.m["N"]
    (array([2000., 8000.]), array([2.]))
    >>> float(land.limitation(rest.m).round(3))
    0.667
    """

    carbon: MatrixModel
    elements: tuple[Element, ...]
    coupling: str = "limited"

    def __post_init__(self) -> None:
        elements = (self.elements,) if isinstance(self.elements, Element) else tuple(self.elements)
        names = [e.name for e in elements]
        if not elements or len(set(names)) < len(names):
            raise InputError(f"elements must be one or more with different names; given are {names}.")
        if self.coupling not in COUPLINGS:
            raise InputError(f"coupling is {self.coupling!r}; choose one of {', '.join(COUPLINGS)}.")
        if self.carbon.A.ndim != 2 or self.carbon.B.ndim != 1 or self.carbon.V is not None:
            raise InputError("carbon must be one model, without leading axes, several inputs or V.")
        for e in elements:
            if e.c_to_e.shape != (self.carbon.n,):
                raise InputError(
                    f"c_to_e of {e.name} has shape {e.c_to_e.shape}; give one ratio for each of the pools "
                    f"{', '.join(self.carbon.pools)}."
                )
            if self.coupling == "flexible" and e.c_to_e_scarce is None:
                raise InputError(f"flexible coupling needs c_to_e_scarce of {e.name}.")
        keep(self, elements=elements)

    @property
    def pools(self) -> tuple[str, ...]:
        """Names of the carbon pools."""
        return self.carbon.pools

    def replace(self, **changes: Any) -> NutrientModel:
        """A copy with some of its parts changed."""
        return dataclasses.replace(self, **changes)

    def ratio(self, element: Element, m: ArrayLike) -> Array:
        """r (..., n): element per carbon of new material."""
        plenty = 1.0 / element.c_to_e
        if self.coupling != "flexible" or element.c_to_e_scarce is None:
            return np.broadcast_to(plenty, (*np.shape(m)[:-1], plenty.size))
        scarce = 1.0 / element.c_to_e_scarce
        return scarce + (plenty - scarce) * element.share(m)[..., None]

    def limitation(self, m: Mapping[str, ArrayLike]) -> Array:
        """φ (...): the share of growth that the scarcest element allows; 1 unless limited."""
        shares = [e.share(m[e.name]) for e in self.elements]
        smallest = np.minimum.reduce(shares)
        return smallest if self.coupling == "limited" else np.ones_like(smallest)

    def immobilises(self, element: Element, content: ArrayLike = np.inf) -> NDArray[np.bool_]:
        """Pools (..., n) whose carbon, when handed on, needs more of the element than comes with it.

        Parameters
        ----------
        element : Element
        content : array_like (..., n), optional
            Element per carbon that the pools hold. The poorer of this and new material counts, since
            new material keeps coming.
        """
        r = 1.0 / element.c_to_e
        need = r @ self.carbon.transfer
        return np.minimum(r, content) < need * (1 - ROUNDING)

    def turnover(self, state: State, xi: ArrayLike = 1.0) -> Array:
        """κ (..., n) [yr-1]: rates under the environment and, if limited, the supply of each element."""
        rate = self.carbon.K * self.carbon._scalar(xi)
        if self.coupling != "limited":
            return rate
        slow = np.ones(())
        for e in self.elements:
            content = state.E[e.name] / np.where(state.X > 0, state.X, 1.0)
            share = e.share(state.m[e.name])[..., None]
            slow = np.minimum(slow, np.where(self.immobilises(e, content), share, 1.0))
        return rate * slow

    def steady_state(self, I: ArrayLike, xi: ArrayLike = 1.0) -> State:  # noqa: E741
        """The state at which nothing changes, exactly.

        Parameters
        ----------
        I : array_like (...)
            Carbon input that plants could fix [gC m-2 yr-1].
        xi : float or array_like (..., n)
            Environmental scalar.

        Raises
        ------
        InputError
            An element without supply in limited coupling, an element or carbon that cannot leave.
        """
        m = {e.name: e.steady_mineral() for e in self.elements}
        for e in self.elements:
            if self.coupling == "limited" and m[e.name][0] <= 0:
                raise InputError(
                    f"No {e.name} reaches the pool {e.mineral.pools[0]!r}, so nothing can grow for ever. "
                    "Give a supply above 0."
                )
        r = {e.name: self.ratio(e, m[e.name]) for e in self.elements}
        kappa = self.turnover(State(np.ones(self.carbon.n), r, m), xi)
        X = self.carbon.replace(K=kappa).steady_state(self.limitation(m) * as_array("I", I, lower=0.0))
        E = {name: ratio * X for name, ratio in r.items()}
        return State(X, E, {k: np.broadcast_to(v, (*X.shape[:-1], v.size)) for k, v in m.items()})

    def matrix_form(self, state: State, I: ArrayLike, xi: ArrayLike = 1.0) -> tuple[xr.DataArray, xr.DataArray]:  # noqa: E741
        """The whole as one matrix equation dZ/dt = u − M Z, at the φ and r of a state.

        Z is carbon, then for each element its organic and its mineral pools. M acts on units of carbon
        and of the elements, so the blocks below the diagonal carry ratios.

        Returns
        -------
        M : xarray.DataArray (to, from) [yr-1, or g gC-1 yr-1 below the diagonal]
        u : xarray.DataArray (to,)
        """
        import xarray as xr

        n, names = self.carbon.n, [f"C {p}" for p in self.carbon.pools]
        kappa = np.broadcast_to(self.turnover(state, xi), (n,))
        grown = self.limitation(state.m) * self.carbon.input(I)
        sizes = [n] + [s for e in self.elements for s in (n, e.mineral.n)]
        at = np.concatenate([[0], np.cumsum(sizes)])
        M, u = np.zeros((at[-1], at[-1])), np.zeros(at[-1])
        M[:n, :n], u[:n] = self.carbon.A * kappa, grown
        for k, e in enumerate(self.elements):
            r = self.ratio(e, state.m[e.name])
            org, mineral = slice(at[2 * k + 1], at[2 * k + 2]), slice(at[2 * k + 2], at[2 * k + 3])
            first = at[2 * k + 2]
            need = r[:, None] * self.carbon.transfer * kappa
            M[org, :n], M[org, org] = -need, np.diag(kappa)
            M[mineral, mineral] = e.mineral.outflow_matrix()
            M[first, :n], M[first, org] = need.sum(axis=0), -kappa
            u[org], u[mineral] = r * grown, e.supply
            u[first] -= (r * grown).sum()
            names += [f"{e.name} {p}" for p in self.carbon.pools] + list(e.mineral.pools)
        return (xr.DataArray(M, dims=("to", "from"), coords={"to": names, "from": names}),
                xr.DataArray(u, dims="to", coords={"to": names}))


def simulate(
    model: NutrientModel | Changing | Callable[[float], NutrientModel],
    t: ArrayLike,
    start: State,
    I: Forcing,  # noqa: E741
    xi: Forcing = 1.0,
    *,
    method: str = "implicit",
) -> xr.Dataset:
    """Run carbon and its elements forward in time.

    Parameters
    ----------
    model : NutrientModel, `changing` or callable
        The model; or one that changes, as in `landcarbon.matrix.timeline`.
    t : array_like (steps + 1,)
        Times of the states [yr], rising.
    start : State
        Leading axes are sites or members.
    I : float, array_like (steps or 1, ...), DataArray or callable
        Carbon input that plants could fix [gC m-2 yr-1]; forms as in `landcarbon.matrix.timeline`.
    xi : float, array_like (steps or 1, ..., n), DataArray or callable
        Environmental scalar, in the same forms.
    method : {"implicit", "midpoint"}
        First order for steps of any length, or second order for short steps; see the top.

    Returns
    -------
    xarray.Dataset
        `X` (time, ..., pool); `growth` and `limitation` (step, ...); for an element named N: `N` organic
        (time, ..., pool), `N_mineral` (time, ..., N_pool), `N_supply`, `N_lost` and `N_net_mineralisation`
        (step, ...), means over each step [g m-2 yr-1]. Net mineralisation is what litter and soil give to
        the first mineral pool minus what they take; uptake is the ratio times growth.

    Raises
    ------
    InputError
        An element that runs out: fixed or flexible ratios can ask for more than there is.
    """
    if method not in ("midpoint", "implicit"):
        raise InputError(f"method is {method!r}; choose 'midpoint' or 'implicit'.")
    advance = _advance if method == "midpoint" else _advance_implicit
    clock = Timeline.read(model, t, I, xi)
    first = clock.model_at(0, float(clock.t[0] + clock.t[1]) / 2)
    states = [_started(first, start)]
    rows: list[dict[str, Array]] = []
    for now, begin in zip(clock.walk(), clock.t.tolist()):
        state, row = advance(now.model, states[-1], now.I, now.xi, now.h, begin)
        states.append(state)
        rows.append(row)
    return _dataset(first, clock.t, states, rows)


def _started(model: NutrientModel, start: State) -> State:
    n = model.carbon.n
    X = as_array("start.X", start.X, shape=(n,), lower=0.0)
    E, m = {}, {}
    for e in model.elements:
        if e.name not in start.E or e.name not in start.m:
            raise InputError(f"start holds no {e.name!r}; it needs E[{e.name!r}] and m[{e.name!r}].")
        E[e.name] = as_array(f"start.E[{e.name!r}]", start.E[e.name], shape=(n,), lower=0.0)
        m[e.name] = as_array(f"start.m[{e.name!r}]", start.m[e.name], shape=(e.mineral.n,), lower=0.0)
    lead = np.broadcast_shapes(*(a.shape[:-1] for a in (X, *E.values(), *m.values())))

    def whole(a: Array) -> Array:
        return np.broadcast_to(a, (*lead, a.shape[-1]))

    return State(whole(X), {k: whole(v) for k, v in E.items()}, {k: whole(v) for k, v in m.items()})


Row = dict[str, Array]


def _advance(
    model: NutrientModel, state: State, I: Array, xi: Array, h: float, t: float, split: int = 0  # noqa: E741
) -> tuple[State, Row]:
    """One step with the rates of its middle, halved where an element would fall below zero."""
    mineral = _mineral_propagators(model, h)
    guess, _ = _step(model, state, state, I, xi, h, mineral)
    after, row = _step(model, state, _between(state, guess), I, xi, h, mineral)
    if not _short(after):
        return after, row
    if split == SPLITS or model.coupling != "limited":
        raise InputError(_runs_out(model, after, t))
    first, row_1 = _advance(model, state, I, xi, h / 2, t, split + 1)
    second, row_2 = _advance(model, first, I, xi, h / 2, t + h / 2, split + 1)
    return second, {k: (row_1[k] + row_2[k]) / 2 for k in row}


def _advance_implicit(
    model: NutrientModel, state: State, I: Array, xi: Array, h: float, t: float  # noqa: E741
) -> tuple[State, Row]:
    """One step with the rates of its end.

    Sought is the available element that, taken for φ, leaves just itself. It lies between 0, where
    nothing is taken and something is left, and all there is of the element.
    """
    from scipy.optimize import elementwise

    mineral = _mineral_propagators(model, h)
    lead = np.broadcast_shapes(state.X.shape[:-1], np.shape(I), xi.shape[:-1])
    state, I, xi = _flat(state, I, xi, lead)  # noqa: E741
    end = {name: m.copy() for name, m in state.m.items()}
    sites = np.arange(len(I))

    def left(trial: Array, at: NDArray[np.intp], name: str) -> Array:
        m = {k: v[at] for k, v in end.items()}
        m[name][:, 0] = trial
        now = _pick(state, at)
        after, _ = _step(model, now, State(now.X, now.E, m), I[at], xi[at], h, mineral)
        return after.m[name][:, 0]

    for _ in range(SWEEPS):
        change = 0.0
        for e in model.elements:
            before = end[e.name][:, 0].copy()
            most = left(np.zeros(len(I)), sites, e.name)
            if np.any(most < 0):
                raise InputError(_runs_out(model, State(state.X, state.E, {e.name: most[:, None]}), t))
            root = elementwise.find_root(
                lambda x, at, name=e.name: x - left(x, at, name),
                (np.zeros(len(I)), state.total(e.name) + h * e.supply.sum() + TINY),
                args=(sites,),
                tolerances={"xrtol": 1e-11, "xatol": TINY},
            )
            end[e.name][:, 0] = root.x
            change = max(change, float(np.max(np.abs(root.x - before) / (root.x + before + TINY))))
        if len(model.elements) == 1 or change < 1e-9:
            break
    after, row = _step(model, state, State(state.X, state.E, end), I, xi, h, mineral)
    if _short(after):
        raise InputError(_runs_out(model, after, t))

    def shaped(a: Array) -> Array:
        return a.reshape((*lead, *a.shape[1:]))

    E, m = ({k: shaped(v) for k, v in part.items()} for part in (after.E, after.m))
    return State(shaped(after.X), E, m), {k: shaped(v) for k, v in row.items()}


def _flat(state: State, I: Array, xi: Array, lead: tuple[int, ...]) -> tuple[State, Array, Array]:  # noqa: E741
    """All leading axes as one, the same for every array."""

    def flat(a: Array, own: int) -> Array:
        tail = a.shape[a.ndim - own :]
        return np.broadcast_to(a, (*lead, *tail)).reshape((-1, *tail))

    whole = State(
        flat(state.X, 1),
        {k: flat(v, 1) for k, v in state.E.items()},
        {k: flat(v, 1) for k, v in state.m.items()},
    )
    return whole, flat(np.asarray(I), 0), flat(xi if xi.ndim else xi[None], 1)


def _pick(state: State, at: NDArray[np.intp]) -> State:
    E, m = ({k: v[at] for k, v in part.items()} for part in (state.E, state.m))
    return State(state.X[at], E, m)


def _mineral_propagators(model: NutrientModel, h: float) -> dict[str, Propagator]:
    return {e.name: propagator(e.mineral.outflow_matrix(), h) for e in model.elements}


def _short(state: State) -> list[str]:
    return [name for name, m in state.m.items() if np.any(m < 0)]


def _runs_out(model: NutrientModel, state: State, t: float) -> str:
    name = _short(state)[0]
    if model.coupling == "limited":
        return f"The step near t = {t:g} is too long for {name}. Take shorter steps or method='implicit'."
    return (
        f"{name} runs out near t = {t:g}: with {model.coupling} coupling new material asks for more than is "
        "available. Give more supply or stock, ratios with less of it, or coupling='limited'."
    )


def _between(a: State, b: State) -> State:
    """The middle of two states; a first guess may have gone below zero."""
    return State(
        (a.X + b.X) / 2,
        {k: (a.E[k] + b.E[k]) / 2 for k in a.E},
        {k: (a.m[k] + np.maximum(b.m[k], 0.0)) / 2 for k in a.m},
    )


def _step(
    model: NutrientModel,
    state: State,
    at: State,
    I: Array,  # noqa: E741
    xi: Array,
    h: float,
    mineral: Mapping[str, Propagator],
) -> tuple[State, Row]:
    """One step with φ, r and κ of the state `at`."""
    phi, kappa = model.limitation(at.m), model.turnover(at, xi)
    growth = phi * I
    u = model.carbon.input(growth)
    X, _ = propagator(model.carbon.A * kappa[..., None, :], h)(state.X, u)
    row = {"growth": growth, "limitation": phi}
    E, m = {}, {}
    for e in model.elements:
        k, r = e.name, model.ratio(e, at.m[e.name])
        # What does not stand in the ratio r leaves with its carbon; the rest follows carbon.
        E[k] = r * X + (state.E[k] - r * state.X) * np.exp(-kappa * h)
        gained = (E[k] - state.E[k]).sum(axis=-1) / h
        supply = np.broadcast_to(e.supply, (*gained.shape, e.mineral.n)).copy()
        supply[..., 0] -= gained
        m[k], stay = mineral[k](state.m[k], supply)
        row[f"{k}_lost"] = (e.mineral.respired_fraction * e.mineral.K * stay).sum(axis=-1) / h
        row[f"{k}_net_mineralisation"] = (r * u).sum(axis=-1) - gained
    return State(X, E, m), row


def _dataset(
    model: NutrientModel, t: Array, states: list[State], rows: list[dict[str, Array]]
) -> xr.Dataset:
    import xarray as xr

    lead = states[0].X.shape[:-1]
    dims = ("site",) if len(lead) == 1 else tuple(f"axis_{i}" for i in range(len(lead)))

    def per_step(name: str) -> Array:
        return np.stack([np.broadcast_to(row[name], lead) for row in rows])

    carbon = {"units": "gC m-2"}
    data: dict[str, Any] = {
        "X": (("time", *dims, "pool"), np.stack([s.X for s in states]), carbon),
        "growth": (("step", *dims), per_step("growth"), {"units": "gC m-2 yr-1"}),
        "limitation": (("step", *dims), per_step("limitation"), {"units": "1"}),
    }
    coords: dict[str, Any] = {
        "time": ("time", t, {"units": "yr"}),
        "step": ("step", (t[:-1] + t[1:]) / 2, {"units": "yr"}),
        "pool": list(model.carbon.pools),
    }
    for e in model.elements:
        k, stock, flux = e.name, {"units": f"g{e.name} m-2"}, {"units": f"g{e.name} m-2 yr-1"}
        data[k] = (("time", *dims, "pool"), np.stack([s.E[k] for s in states]), stock)
        data[f"{k}_mineral"] = (("time", *dims, f"{k}_pool"), np.stack([s.m[k] for s in states]), stock)
        for name in ("lost", "net_mineralisation"):
            data[f"{k}_{name}"] = (("step", *dims), per_step(f"{k}_{name}"), flux)
        supply = np.full((len(rows), *lead), e.supply.sum())
        data[f"{k}_supply"] = (("step", *dims), supply, flux)
        coords[f"{k}_pool"] = list(e.mineral.pools)
    return labelled(xr.Dataset(data, coords), "run of a model of carbon and nutrients")
