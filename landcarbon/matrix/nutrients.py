"""Carbon coupled to nitrogen, phosphorus or any element that carbon needs, in matrix form.

    dX/dt = φ B I − (A κ + V) X                        κ = ξ K, times a share in pools that immobilise
    dE/dt = r ∘ (φ B I + F κ X) − (κ + V) E            new material is built at the ratio r
    dm/dt = s − M_m m − [what organic matter gains] − [what is lost with it]

====== ==================================================== ========== ============ ==============
symbol meaning                                              shape      unit         code name
====== ==================================================== ========== ============ ==============
X      carbon in each pool                                  (..., n)   gC m-2       X
E      the element in each organic pool                     (..., n)   g m-2        E
m      mineral pools of the element                         (..., k)   g m-2        m
r      element per carbon of new material                   (..., n)   g gC-1       ratio(m)
c      carbon per element, where it is plentiful / scarce   (..., n)   gC g-1       c_to_e, …_scarce
φ      growth that the supply allows                        (...)      1            limitation(m)
h      available element at which half of growth is left    (...)      g m-2        half
F      transfer fractions, F = 1 − A                        (..., n,n) 1            carbon.transfer
V      mixing between layers, of carbon and element alike   (..., n,n) yr-1         carbon.V
M_m    outflow matrix of the mineral pools                  (..., k,k) yr-1         mineral
s      supply: deposition, fixation, weathering             (..., k)   g m-2 yr-1   supply
w      where roots take up, Σ w = 1                         (k,)       1            Depth.roots
ρ      share of what leaves that plants take back first     (..., n)   1            Ways.resorbed
o      share of what leaves that leaves the land            (..., n)   1            Ways.lost
g      share of net mineralisation that is lost             (...)      1            Ways.volatile
d      fixation where nothing is available                  (...)      g m-2 yr-1   Ways.fixation
====== ==================================================== ========== ============ ==============

The share of a mineral pool is a / (a + h). Its mean over the roots is what plants see, and φ is that of
the scarcest element (Liebig's law of the minimum). Three ways to couple, all from the literature of the
last forty years:

fixed      r = 1/c, φ = 1. The element follows carbon; what is lacking is taken from the mineral pool,
           which may run out.
flexible   φ = 1, and r falls from 1/c to 1/c_scarce as the available pool empties.
limited    r = 1/c, and growth and immobilisation take the share φ.

With κE what leaves a pool, its net mineralisation is (1 − ρ − o) κE minus what its carbon needs where it
arrives; below 0 it immobilises. Plants take up r ∘ φ B I less Σ ρ κE; d falls with the share.

At steady state organic matter gains nothing. **Where everything is lost from the mineral pools (o = g = 0),
supply does not answer to demand (d = 0), and there is one available pool**, they stand where M_m m* = s:
one pool has m* = s/ℓ, whatever carbon does, and the steady state of all is explicit: m* gives φ* and r*,
and these X* and E*. Where one of these fails, m* depends on carbon and is found as a root.

A step of length h keeps φ, r and κ fixed: carbon, element and mineral pools take exact steps
(`landcarbon.matrix.steps`), and the element is conserved to rounding, however long the step. Fixed at
what? At their values at its end, found as a root, the error is of first order in h, no available pool
comes out negative, and a step may be a thousand years long (`implicit`). At their values in its middle the
error is of second order (`midpoint`), but the step must be short against the turnover of the available
pool, which is weeks: longer steps make it flutter.

Sources: N as in Thornton & Rosenbloom (2005), doi 10.1016/j.ecolmodel.2005.04.008 and Parton et al. (1987),
doi 10.2136/sssaj1987.03615995005100050015x; N and P together, resorption and loss with mineralisation as
in Wang et al. (2010), doi 10.5194/bg-7-2261-2010; matrix form: Lu et al. (2020), doi 10.1029/2020MS002105;
sinks that scale with what is there, so that roots stay positive: Burchard et al. (2003), doi
10.1016/S0168-9274(03)00101-6.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.errors import InputError, as_array, as_broadcast, as_choice, as_kind
from landcarbon.matrix.frozen import keep
from landcarbon.matrix.labels import labelled
from landcarbon.matrix.model import MatrixModel
from landcarbon.matrix.steps import propagator
from landcarbon.matrix.timeline import Changing, Forcing, Timeline

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["COUPLINGS", "Depth", "Element", "NutrientModel", "State", "Ways", "as_pools", "simulate"]

Array = NDArray[np.float64]

COUPLINGS = ("fixed", "flexible", "limited")
SPLITS = 6  # a step is halved at most so often before the element is said to have run out
TINY = 1e-300
ROUNDING = 1e-9  # litter that just inherits the ratio of its plants takes nothing up
SETTLED, SWEEPS = 1e-12, 300  # relative change at which a root is found; pairs of sweeps at most


@dataclass(frozen=True)
class Ways:
    """Ways of an element besides those of its carbon; all 0 unless given.

    Parameters
    ----------
    resorbed : array_like (..., n)
        Share of what leaves a pool that plants take back before it falls: it pays for growth and never
        passes through the soil. Litter then needs a ratio to match, c / (1 − ρ).
    lost : array_like (..., n)
        Share of what leaves a pool that leaves the land with organic matter: dissolved, burnt, harvested.
    volatile : array_like (...)
        Share of the net mineralisation that is lost on its way, as gas.
    fixation : array_like (...)
        What plants and microbes fix from the air where nothing is available [g m-2 yr-1]; it falls to 0
        as the available pools fill.
    """

    resorbed: Array | float = 0.0
    lost: Array | float = 0.0
    volatile: Array | float = 0.0
    fixation: Array | float = 0.0

    def __post_init__(self) -> None:
        shares = {name: as_array(name, getattr(self, name), lower=0.0, upper=1.0, hint="It is a share.")
                  for name in ("resorbed", "lost", "volatile")}
        if np.any(shares["resorbed"] + shares["lost"] > 1):
            raise InputError("resorbed and lost together exceed 1: no pool gives away more than leaves it.")
        keep(self, **shares, fixation=as_array("fixation", self.fixation, lower=0.0))

    @property
    def none(self) -> bool:
        """Whether the element only follows its carbon."""
        return not any(np.any(getattr(self, f.name)) for f in dataclasses.fields(self))


@dataclass(frozen=True)
class Depth:
    """Which mineral pool each organic pool exchanges with, and where roots take up.

    Parameters
    ----------
    at : sequence of int (n,)
        Position of the mineral pool into which a pool mineralises and from which it immobilises.
    roots : array_like (k,)
        Share of each mineral pool in the uptake of plants; scaled to a sum of 1.
    """

    at: NDArray[np.intp]
    roots: Array

    def __post_init__(self) -> None:
        roots = as_array("roots", self.roots, shape=(None,), lower=0.0, hint="Shares of the mineral pools.")
        at = as_array("at", self.at, shape=(None,), lower=0.0, upper=len(roots) - 1.0,
                      hint=f"Positions of the {len(roots)} mineral pools, from 0.")
        if not roots.any() or np.any(at != np.floor(at)):
            raise InputError("roots must take up somewhere, and at holds whole positions of mineral pools.")
        keep(self, at=at.astype(np.intp), roots=roots / roots.sum())

    @property
    def exchange(self) -> Array:
        """(k, n): 1 where a pool exchanges with a mineral pool."""
        return np.asarray(np.arange(len(self.roots))[:, None] == self.at, dtype=np.float64)

    @property
    def available(self) -> NDArray[np.intp]:
        """Positions of the mineral pools that organisms take from."""
        return np.union1d(self.at, np.flatnonzero(self.roots))


@dataclass(frozen=True)
class Element:
    """An element that carbon needs, with its mineral pools.

    Parameters
    ----------
    name : str
        Symbol, such as "N"; names the variables of a run.
    c_to_e : array_like (..., n)
        Carbon per element of new material in each pool where the element is plentiful [gC g-1].
    mineral : MatrixModel
        The mineral pools. What leaves one and enters no other is lost from the land.
    supply : array_like (..., k)
        Input of each mineral pool: deposition, fixation, weathering [g m-2 yr-1].
    half : array_like (...)
        Available element at which half of growth is possible [g m-2].
    c_to_e_scarce : array_like (..., n), optional
        Carbon per element where none is available; needed with flexible coupling.
    ways : Ways
        Resorption, losses with organic matter and with mineralisation, fixation on demand.
    depth : Depth, optional
        Which mineral pools are available to whom; the first to all if not given.

    Raises
    ------
    InputError
        Ratios that are not positive, a supply of another length than the mineral pools.
    """

    name: str
    c_to_e: Array
    mineral: MatrixModel
    supply: Array
    half: Array | float
    c_to_e_scarce: Array | None = None
    ways: Ways = field(default_factory=Ways)
    depth: Depth = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if not isinstance(self.mineral, MatrixModel):
            raise InputError(
                f"mineral is a {type(self.mineral).__name__}; give a MatrixModel of the mineral pools."
            )
        plenty = as_array("c_to_e", self.c_to_e, lower=0.0, strict=True, hint="Carbon per element.")
        scarce = self.c_to_e_scarce
        if scarce is not None:
            scarce = as_array("c_to_e_scarce", scarce, shape=plenty.shape[-1:], lower=0.0, strict=True)
            if np.any(scarce < plenty):
                raise InputError(
                    "c_to_e_scarce is below c_to_e in some pool: where an element is scarce, more carbon "
                    "goes with each gram of it."
                )
        k = self.mineral.n
        supply = as_array("supply", self.supply, shape=(k,), lower=0.0,
                          hint=f"The mineral pools are {', '.join(self.mineral.pools)}.")
        half = as_array("half", self.half, lower=0.0, strict=True)
        depth = self.depth
        if depth is None:
            depth = Depth(np.zeros(plenty.shape[-1:], dtype=np.intp), np.eye(k)[0])
        if len(depth.at) != plenty.shape[-1] or len(depth.roots) != k:
            raise InputError(
                f"depth has {len(depth.at)} pools and {len(depth.roots)} mineral pools; {self.name} has "
                f"{plenty.shape[-1]} and {k}."
            )
        keep(self, c_to_e=plenty, c_to_e_scarce=scarce, supply=supply, half=half, depth=depth)

    def shares(self, m: ArrayLike) -> Array:
        """a / (a + h) (..., k) of each mineral pool."""
        a = as_array("m", m, shape=(self.mineral.n,))
        return np.asarray(a / (a + np.asarray(self.half)[..., None]))

    def share(self, m: ArrayLike) -> Array:
        """The mean of `shares` over the roots (...): how far the available pools meet demand."""
        return np.asarray(self.shares(m) @ self.depth.roots)

    @property
    def follows(self) -> bool:
        """Whether M_m m* = s at steady state, whatever carbon does."""
        return self.ways.none and len(self.depth.available) == 1

    def steady_mineral(self) -> Array:
        """m* (..., k) where supply and loss balance: the steady state if the element `follows` carbon."""
        return self.mineral.chased(self.supply)


class _Flows(NamedTuple):
    """What an element does in a year, or in a step."""

    net: Array  # (..., k) net mineralisation into each mineral pool
    gas: Array  # (..., k) the part of it that is lost
    organic: Array  # (...) lost with organic matter
    uptake: Array  # (..., k) by plants
    fixed: Array  # (..., k) on demand
    immobilised: Array  # (..., k) by the pools that need more than they bring

    @property
    def sink(self) -> Array:
        """(..., k): what organisms take, each pool by itself, so that it falls to 0 with what is there."""
        return np.maximum(self.uptake, 0.0) + self.immobilised

    @property
    def gain(self) -> Array:
        """(..., k): what the mineral pools receive from organisms, less what these take."""
        return self.net - self.gas - self.uptake + self.fixed


def _flows(e: Element, shares: Array, left: Array, need: Array, built: Array, years: float) -> _Flows:
    """From the element that left each pool, what its carbon needed, and what growth was built of (..., n)."""
    ways, roots = e.ways, e.depth.roots
    given = (1.0 - ways.resorbed - ways.lost) * left - need
    net = given @ e.depth.exchange.T
    reach = roots * shares
    total = reach.sum(axis=-1, keepdims=True)
    where = np.where(total > 0, reach / np.where(total > 0, total, 1.0), roots)
    demand = (built - ways.resorbed * left).sum(axis=-1)
    fixed = np.asarray(ways.fixation)[..., None] * roots * (1.0 - shares) * years
    return _Flows(net, np.asarray(ways.volatile)[..., None] * np.maximum(net, 0.0),
                  (ways.lost * left).sum(axis=-1), demand[..., None] * where, fixed,
                  np.maximum(-given, 0.0) @ e.depth.exchange.T)


@dataclass(frozen=True)
class State:
    """Carbon X (..., n); for each element its organic (..., n) and mineral (..., k) pools."""

    X: Array
    E: dict[str, Array]
    m: dict[str, Array]

    def total(self, element: str) -> Array:
        """All of an element, organic and mineral [g m-2]."""
        element = as_choice("element", element, self.E)
        return self.E[element].sum(axis=-1) + self.m[element].sum(axis=-1)


def as_pools(column: LayeredModel) -> MatrixModel:
    """A soil column as pools, one for each pool and layer, in stocks per area [gC m-2].

    The form in which a column takes part in a `NutrientModel`: its pools are in the order of
    `LayeredModel.stocks`, and its input is that row too, one entry for each.

    Examples
    --------
    >>> from landcarbon.matrix.layers import SoilLayers
    >>> column = LayeredModel(("litter", "soil"), SoilLayers([0.1, 0.4]), A=[[1, 0], [-0.4, 1]],
    ...                       K=[[2.0, 1.0], [0.1, 0.02]], down=[0.03], up=[0.01])
    >>> flat = as_pools(column)
    >>> flat.pools
    ('litter 1', 'litter 2', 'soil 1', 'soil 2')
    >>> I = np.array([[1000.0, 100.0], [0.0, 0.0]])
    >>> bool(np.allclose(flat.steady_state(column.stocks(I)), column.stocks(column.steady_state(I))))
    True
    """
    if not isinstance(column, LayeredModel):
        raise InputError(f"column is a {type(column).__name__}; give a LayeredModel.")
    layers = len(column.layers)
    A = np.asarray(np.kron(column.A, np.eye(layers)), dtype=np.float64)
    K = column.K.reshape(*column.K.shape[:-2], -1)
    V = column.stock_matrix() - A * K[..., None, :]
    V[..., np.arange(K.shape[-1]), np.arange(K.shape[-1])] = 0.0
    V = np.minimum(V, 0.0)
    V = V - V.sum(axis=-2)[..., None, :] * np.eye(K.shape[-1])
    names = tuple(f"{pool} {layer + 1}" for pool in column.pools for layer in range(layers))
    B = np.broadcast_to(np.eye(len(names)), (*K.shape[:-1], len(names), len(names)))
    return MatrixModel(names, A=A, K=K, B=B, V=V)


@dataclass(frozen=True)
class NutrientModel:
    """A carbon model whose growth and decomposition need other elements.

    Parameters
    ----------
    carbon : MatrixModel
        K where nothing limits; leading axes are sites. With V for soil layers: see `as_pools`.
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

    A tenth of what leaves the soil is washed out with organic matter: m* is no longer supply over loss.

    >>> leaky = land.replace(elements=dataclasses.replace(n, ways=Ways(lost=[0.0, 0.1])))
    >>> leaky.steady_state(I=600.0).m["N"].round(3)
    array([0.878])
    """

    carbon: MatrixModel
    elements: tuple[Element, ...]
    coupling: str = "limited"

    def __post_init__(self) -> None:
        elements = (self.elements,) if isinstance(self.elements, Element) else self.elements
        elements = tuple(as_kind("an element", e, Element) for e in as_kind("elements", elements, tuple, list))
        names = [e.name for e in elements]
        if not elements or len(set(names)) < len(names):
            raise InputError(f"elements must be one or more with different names; given are {names}.")
        if self.coupling not in COUPLINGS:
            raise InputError(f"coupling is {self.coupling!r}; choose one of {', '.join(COUPLINGS)}.")
        if not isinstance(self.carbon, MatrixModel):
            raise InputError(
                f"carbon is a {type(self.carbon).__name__}; give a MatrixModel, of a soil column as_pools(column)."
            )
        for e in elements:
            if e.c_to_e.shape[-1:] != (self.carbon.n,):
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
        known = [f.name for f in dataclasses.fields(self)]
        unknown = sorted(set(changes) - set(known))
        if unknown:
            raise InputError(f"A NutrientModel has {known}, not {unknown}.")
        return dataclasses.replace(self, **changes)

    def ratio(self, element: Element, m: ArrayLike) -> Array:
        """r (..., n): element per carbon of new material."""
        as_kind("element", element, Element)
        plenty = 1.0 / element.c_to_e
        m = as_array("m", m, shape=(element.mineral.n,))
        if self.coupling != "flexible" or element.c_to_e_scarce is None:
            return np.broadcast_to(plenty, np.broadcast_shapes((*np.shape(m)[:-1], 1), plenty.shape))
        scarce = 1.0 / element.c_to_e_scarce
        return scarce + (plenty - scarce) * element.shares(m)[..., element.depth.at]

    def limitation(self, m: Mapping[str, ArrayLike]) -> Array:
        """φ (...): the share of growth that the scarcest element allows; 1 unless limited."""
        names = [e.name for e in self.elements]
        if set(as_kind("m", m, Mapping)) != set(names):
            raise InputError(f"m must hold one array each for {', '.join(names)}, but it holds {', '.join(m)}.")
        shares = [e.share(m[e.name]) for e in self.elements]
        smallest = np.asarray(np.minimum.reduce(np.broadcast_arrays(*shares)))
        return smallest if self.coupling == "limited" else np.ones_like(smallest)

    def immobilises(self, element: Element, content: ArrayLike | None = None) -> NDArray[np.bool_]:
        """Pools (..., n) whose carbon, when handed on, needs more of the element than comes with it.

        Parameters
        ----------
        element : Element
        content : array_like (..., n), optional
            Element per carbon that the pools hold. The poorer of this and new material counts, since
            new material keeps coming. New material alone if not given.
        """
        as_kind("element", element, Element)
        r = 1.0 / element.c_to_e
        poorer = r if content is None else np.minimum(*as_broadcast(r=r, content=as_array("content", content)))
        passed = 1.0 - element.ways.resorbed - element.ways.lost
        return poorer * passed < self._need(r) * (1 - ROUNDING)

    def _need(self, r: Array) -> Array:
        """Element (..., n) that goes with each carbon that leaves a pool and stays on land."""
        return (r[..., None, :] @ self.carbon.transfer)[..., 0, :]

    def turnover(self, state: State, xi: ArrayLike = 1.0) -> Array:
        """κ (..., n) [yr-1]: rates under the environment and, if limited, the supply of each element."""
        as_kind("state", state, State)
        rate = self.carbon.K * self.carbon._scalar(xi)
        if self.coupling != "limited":
            return rate
        slow = np.ones(())
        for e in self.elements:
            content = state.E[e.name] / np.where(state.X > 0, state.X, 1.0)
            share = e.shares(state.m[e.name])[..., e.depth.at]
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
            An element without supply in limited coupling, an element or carbon that cannot leave, an
            element that runs out.
        """
        for e in self.elements:
            reached = np.any(e.steady_mineral()[..., e.depth.available] > 0) or np.any(e.ways.fixation)
            if self.coupling == "limited" and not reached:
                raise InputError(
                    f"No {e.name} reaches the pool {e.mineral.pools[e.depth.available[0]]!r}, so nothing can "
                    "grow for ever. Give a supply above 0."
                )
        I = as_array("I", I, lower=0.0)  # noqa: E741
        if all(e.follows for e in self.elements):
            state, _ = self._at_rest({e.name: e.steady_mineral() for e in self.elements}, I, xi)
            return state
        return self._found_rest(I, xi)

    def _at_rest(self, m: Mapping[str, Array], I: Array, xi: ArrayLike) -> tuple[State, dict[str, _Flows]]:  # noqa: E741
        """Organic pools that stand still while the mineral pools are held, and the flows of a year."""
        r = {e.name: self.ratio(e, m[e.name]) for e in self.elements}
        kappa = self.turnover(State(np.ones(self.carbon.n), r, dict(m)), xi)
        u = self.limitation(m)[..., None] * self.carbon.input(I)
        X = self.carbon.replace(K=kappa).chased(u)
        passing = u + (self.carbon.transfer @ (kappa * X)[..., None])[..., 0]
        E, flows = {}, {}
        for e in self.elements:
            k = e.name
            if self.carbon.V is None:
                E[k] = r[k] * X
            else:
                out = kappa[..., None] * np.eye(self.carbon.n) + self.carbon.V
                E[k] = np.asarray(np.linalg.solve(out, (r[k] * passing)[..., None])[..., 0], dtype=np.float64)
            flows[k] = _flows(e, e.shares(m[k]), kappa * E[k], self._need(r[k]) * kappa * X, r[k] * u, 1.0)
        spread = {k: np.broadcast_to(v, np.broadcast_shapes(v.shape, (*X.shape[:-1], 1))) for k, v in m.items()}
        return State(X, E, spread), flows

    def _found_rest(self, I: Array, xi: ArrayLike) -> State:  # noqa: E741
        """The steady state where mineral pools answer to carbon: a fixed point, with sinks ∝ what is there."""
        last: dict[str, Array] = {}

        def better(a: Mapping[str, Array]) -> dict[str, Array]:
            _, flows = self._at_rest(a, I, xi)
            for e in self.elements:
                f, there = flows[e.name], np.maximum(a[e.name], TINY)
                # What cycles within the land cancels; what is left is lost, or moves between layers.
                taken = f.gas + f.uptake - f.net
                sink, gained = np.maximum(taken, 0.0), e.supply + f.fixed + np.maximum(-taken, 0.0)
                held = e.mineral.outflow_matrix() + (sink / there)[..., None] * np.eye(e.mineral.n)
                M = e.mineral._with_ways_out(held, gained)
                last[e.name] = np.asarray(np.linalg.solve(M, gained[..., None])[..., 0], dtype=np.float64)
            return dict(last)

        m = _settled(better, {e.name: np.ones(e.mineral.n) for e in self.elements}, self.elements)
        found = better(m)
        for e in self.elements:
            at = e.depth.available
            if np.any(np.abs(found[e.name] - m[e.name])[..., at] > 1e-6 * m[e.name][..., at]):
                raise InputError(
                    f"No steady state is found: {e.name} runs out. Give more supply, ratios with less of it, or "
                    "coupling='limited'."
                )
        state, _ = self._at_rest(found, I, xi)
        return state

    def matrix_form(self, state: State, I: ArrayLike, xi: ArrayLike = 1.0) -> tuple[xr.DataArray, xr.DataArray]:  # noqa: E741
        """The whole as one matrix equation dZ/dt = u − M Z, at the φ, r and κ of a state of one site.

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
        mixing = np.zeros((n, n)) if self.carbon.V is None else self.carbon.V
        as_kind("state", state, State)
        I = as_array("I", I, shape=self.carbon.input_shape, lower=0.0)  # noqa: E741
        grown = self.limitation(state.m) * self.carbon.input(I)
        if grown.shape != (n,):
            raise InputError(f"I has shape {I.shape}; the matrices are those of one place and one input.")
        sizes = [n] + [s for e in self.elements for s in (n, e.mineral.n)]
        at = np.concatenate([[0], np.cumsum(sizes)])
        M, u = np.zeros((at[-1], at[-1])), np.zeros(at[-1])
        M[:n, :n], u[:n] = self.carbon.A * kappa + mixing, grown
        for k, e in enumerate(self.elements):
            r, shares, E = self.ratio(e, state.m[e.name]), e.shares(state.m[e.name]), state.E[e.name]
            org, mineral = slice(at[2 * k + 1], at[2 * k + 2]), slice(at[2 * k + 2], at[2 * k + 3])
            need = self._need(r) * kappa
            M[org, :n] = -r[:, None] * self.carbon.transfer * kappa
            M[org, org] = np.diag(kappa) + mixing
            u[org] = r * grown
            now = _flows(e, shares, kappa * E, need * state.X, r * grown, 1.0)
            kept = (1.0 - e.ways.volatile * (now.net > 0))[:, None] * e.depth.exchange
            where = np.divide(e.depth.roots * shares, e.share(state.m[e.name]),
                              out=e.depth.roots.copy(), where=bool(e.share(state.m[e.name]) > 0))
            M[mineral, :n] = kept * need
            M[mineral, org] = -kept * (1.0 - e.ways.resorbed - e.ways.lost) * kappa
            M[mineral, org] -= where[:, None] * (e.ways.resorbed * kappa)
            M[mineral, mineral] = e.mineral.outflow_matrix()
            u[mineral] = e.supply + now.fixed - where * (r * grown).sum()
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
        `X` (time, ..., pool); `growth`, `respiration` and `limitation` (step, ...); for an element named N: `N` organic
        (time, ..., pool), `N_mineral` (time, ..., N_pool), and means over each step [g m-2 yr-1] (step,
        ...): `N_supply` with what is fixed on demand, `N_uptake` by plants, `N_net_mineralisation`, which is
        what litter and soil give to the mineral pools minus what they take, and `N_lost` in all, of which
        `N_lost_organic` with organic matter and `N_lost_gas` with mineralisation.

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
    n = as_kind("model", model, NutrientModel).carbon.n
    as_kind("start", start, State, hint="Such as model.steady_state(I).")
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
    guess, _, _ = _step(model, state, state, I, xi, h)
    after, row, _ = _step(model, state, _between(state, guess), I, xi, h)
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

    Sought are the available amounts that, taken for φ, r and κ, leave just themselves. Each sweep scales
    the sinks with what is there, so that no amount falls below 0.
    """

    def better(a: Mapping[str, Array]) -> dict[str, Array]:
        after, _, drawn = _step(model, state, State(state.X, state.E, dict(a)), I, xi, h)
        return {k: drawn[k].without(after.m[k], a[k]) for k in a}

    plenty, _, _ = _step(model, state, State(state.X, state.E, {k: 0.0 * v for k, v in state.m.items()}), I, xi, h)
    first = {k: np.where(v > 0, v, np.maximum(plenty.m[k], TINY)) for k, v in state.m.items()}
    end = _settled(better, first, model.elements)
    after, row, _ = _step(model, state, State(state.X, state.E, end), I, xi, h)
    if _short(after):
        raise InputError(_runs_out(model, after, t))
    return after, row


def _settled(
    better: Callable[[Mapping[str, Array]], dict[str, Array]], first: dict[str, Array], elements: tuple[Element, ...]
) -> dict[str, Array]:
    """The fixed point of `better`, quickened by Aitken's rule for each number as long as that helps.

    Numbers that swing about it are taken to the middle of their swing, on a logarithmic scale.
    """
    now, before = first, np.inf
    for _ in range(SWEEPS):
        one = better(now)
        two = better(one)
        change = 0.0
        ahead, calm = {}, {}
        for e in elements:
            k, at = e.name, e.depth.available
            d1, d2 = one[k] - now[k], two[k] - one[k]
            ratio = np.clip(np.divide(d2, d1, out=np.zeros_like(d2), where=d1 != 0), -0.9, 0.999)
            jump = two[k] + d2 * ratio / (1.0 - ratio)
            ahead[k] = np.where(jump > 0, jump, two[k])
            calm[k] = np.where(d1 * d2 < 0, np.sqrt(np.maximum(one[k] * two[k], 0.0)), two[k])
            change = max(change, float(np.max(np.abs(d2[..., at]) / np.maximum(two[k][..., at], TINY))))
        if change < SETTLED:
            return two
        now, before = ahead if change < before / 2 else calm, change
    return two


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


class _Drawn(NamedTuple):
    """What organisms took from the mineral pools in a step (..., k), and what each gram of it is missed later."""

    sink: Array
    later: Array  # (..., k, k)

    def without(self, m: Array, a: Array) -> Array:
        """The m at the end of the step if the sinks had scaled with it, m / a times what they were."""
        given = m + (self.later @ self.sink[..., None])[..., 0]
        scaled = np.eye(m.shape[-1]) + self.later * (self.sink / np.maximum(a, TINY))[..., None, :]
        return np.asarray(np.linalg.solve(scaled, given[..., None])[..., 0], dtype=np.float64)


def _step(
    model: NutrientModel, state: State, at: State, I: Array, xi: Array, h: float  # noqa: E741
) -> tuple[State, Row, dict[str, _Drawn]]:
    """One step with φ, r and κ of the state `at`; and how organisms drew the mineral pools down."""
    phi, kappa = model.limitation(at.m), model.turnover(at, xi)
    u = phi[..., None] * model.carbon.input(I)
    X, stay = propagator(model.carbon.A * kappa[..., None, :] + _mixing(model.carbon), h)(state.X, u)
    respired = (model.carbon.respired_fraction * kappa * stay).sum(axis=-1) / h
    row = {"growth": u.sum(axis=-1), "limitation": phi, "respiration": respired}
    E, m, drawn = {}, {}, {}
    for e in model.elements:
        k, r = e.name, model.ratio(e, at.m[e.name])
        E[k], held = _with_carbon(model.carbon, r, kappa, state, k, u, X, stay, h)
        shares = e.shares(at.m[k])
        f = _flows(e, shares, kappa * held, model._need(r) * kappa * stay, r * u * h, h)
        move = propagator(e.mineral.outflow_matrix(), h)
        m[k], passed = move(state.m[k], e.supply + f.gain / h)
        drawn[k] = _Drawn(f.sink, move.stay / h)
        organic, gas = f.organic / h, f.gas.sum(axis=-1) / h
        leached = (e.mineral.respired_fraction * e.mineral.K * passed).sum(axis=-1) / h
        row |= {
            f"{k}_supply": e.supply.sum(axis=-1) + f.fixed.sum(axis=-1) / h,
            f"{k}_uptake": f.uptake.sum(axis=-1) / h,
            f"{k}_net_mineralisation": f.net.sum(axis=-1) / h,
            f"{k}_lost": leached + organic + gas, f"{k}_lost_organic": organic, f"{k}_lost_gas": gas,
        }
    return State(X, E, m), row, drawn


def _mixing(carbon: MatrixModel) -> Array:
    return np.zeros((carbon.n, carbon.n)) if carbon.V is None else carbon.V


def _with_carbon(
    carbon: MatrixModel, r: Array, kappa: Array, state: State, name: str, u: Array, X: Array, stay: Array, h: float
) -> tuple[Array, Array]:
    """An element's organic pools after a step, and their integral over it."""
    if carbon.V is None:
        # What does not stand in the ratio r leaves with its carbon; the rest follows carbon.
        excess, out = state.E[name] - r * state.X, np.where(kappa > 0, kappa, 1.0)
        lasting = np.where(kappa > 0, -np.expm1(-kappa * h) / out, h)
        return r * X + excess * np.exp(-kappa * h), r * stay + excess * lasting
    # In layers of different r, mixing changes the ratio: carbon and element step as one system.
    n = carbon.n
    lead = np.broadcast_shapes(r.shape[:-1], kappa.shape[:-1], carbon.V.shape[:-2], u.shape[:-1])
    M = np.zeros((*lead, 2 * n, 2 * n))
    M[..., :n, :n] = carbon.A * kappa[..., None, :] + carbon.V
    M[..., n:, :n] = -r[..., :, None] * carbon.transfer * kappa[..., None, :]
    M[..., n:, n:] = kappa[..., None, :] * np.eye(n) + carbon.V
    both, brought = np.concatenate([state.X, state.E[name]], axis=-1), np.concatenate([u, r * u], axis=-1)
    after, spent = propagator(M, h)(both, brought)
    return after[..., n:], spent[..., n:]


def _dataset(
    model: NutrientModel, t: Array, states: list[State], rows: list[dict[str, Array]]
) -> xr.Dataset:
    import xarray as xr

    lead = np.broadcast_shapes(*(s.X.shape[:-1] for s in states))
    dims = ("site",) if len(lead) == 1 else tuple(f"axis_{i}" for i in range(len(lead)))

    def per_step(name: str) -> Array:
        return np.stack([np.broadcast_to(row[name], lead) for row in rows])

    def whole(parts: list[Array]) -> Array:
        return np.stack([np.broadcast_to(part, (*lead, part.shape[-1])) for part in parts])

    carbon = {"units": "gC m-2"}
    data: dict[str, Any] = {
        "X": (("time", *dims, "pool"), whole([s.X for s in states]), carbon),
        "growth": (("step", *dims), per_step("growth"), {"units": "gC m-2 yr-1"}),
        "respiration": (("step", *dims), per_step("respiration"), {"units": "gC m-2 yr-1"}),
        "limitation": (("step", *dims), per_step("limitation"), {"units": "1"}),
    }
    coords: dict[str, Any] = {
        "time": ("time", t, {"units": "yr"}),
        "step": ("step", (t[:-1] + t[1:]) / 2, {"units": "yr"}),
        "pool": list(model.carbon.pools),
    }
    for e in model.elements:
        k, stock, flux = e.name, {"units": f"g{e.name} m-2"}, {"units": f"g{e.name} m-2 yr-1"}
        data[k] = (("time", *dims, "pool"), whole([s.E[k] for s in states]), stock)
        data[f"{k}_mineral"] = (("time", *dims, f"{k}_pool"), whole([s.m[k] for s in states]), stock)
        for name in ("supply", "uptake", "net_mineralisation", "lost", "lost_organic", "lost_gas"):
            data[f"{k}_{name}"] = (("step", *dims), per_step(f"{k}_{name}"), flux)
        coords[f"{k}_pool"] = list(e.mineral.pools)
    return labelled(xr.Dataset(data, coords), "run of a model of carbon and nutrients")
