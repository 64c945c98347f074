"""Steady states of soil columns, many at once, and their adjoint.

    0 = b − A K X − V X      for every pool and layer:      M X = b

====== ============================================== =============== ============= ==============
symbol meaning                                        shape           unit          code name
====== ============================================== =============== ============= ==============
X      carbon                                         (..., p, L)     gC m-3        X
b      input                                          (..., p, L)     gC m-3 yr-1   b
A      transfer between pools, the same in all layers (..., p, p)     1             A
K      turnover rate, environment included (ξ K)      (..., p, L)     yr-1          K
V      mixing between layers: rates down and up       (..., L−1)      yr-1          down, up
M      outflow matrix, pool-major                     (..., pL, pL)   yr-1          outflow_matrix
====== ============================================== =============== ============= ==============

Two facts make a column cheap. Pools form a *cascade*: wood falls into litter, litter feeds soil, and
only the soil pools feed each other; so the matrix falls apart into small systems solved one after
the other. Layers touch only their neighbours; so each small system is block-tridiagonal.

Two facts make it exact. Every number that enters is a rate of carbon leaving one place for another or
for the air, hence not negative; and the elimination below never subtracts. It removes one layer at a
time from below, keeping the account of the layer above: part of what goes down is lost there, the
rest comes back, perhaps in another pool. So the solution is positive and accurate in each of its
parts however slowly the deep layers turn over (Grassmann, Taksar & Heyman 1985, Operations Research
33, 1107, doi 10.1287/opre.33.5.1107, for Markov chains).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_banded
from scipy.sparse.csgraph import connected_components

from landcarbon.matrix.errors import InputError, as_array
from landcarbon.matrix.layers import SoilLayers, transport_matrix
from landcarbon.matrix.model import (
    MatrixModel,
    check_names,
    check_rates,
    check_transfers,
    find_pool,
)

__all__ = ["METHODS", "LayeredGradient", "LayeredModel"]

Array = NDArray[np.float64]

METHODS = ("cascade", "block", "banded", "dense")

# Columns worked on at once: large enough to hide the interpreter, small enough for the cache.
CHUNK = 2048


@dataclass(frozen=True)
class LayeredModel:
    """Pools that are the same in every soil layer, and mixing between the layers.

    Parameters
    ----------
    pools : sequence of str
        Names of the p pools.
    layers : SoilLayers
        The L layers.
    A : array_like (..., p, p)
        Transfer matrix: 1 on the diagonal, −f_ij off it.
    K : array_like (..., p, L)
        Turnover rate of each pool in each layer [yr-1], environmental scalars included.
    down, up : array_like (..., L−1)
        Exchange between neighbouring layers [yr-1], see `layers.exchange_rates`.
    mixed : sequence of bool (p,), optional
        Which pools are mixed; all if not given.

    Examples
    --------
    >>> from landcarbon.matrix.layers import SoilLayers, exchange_rates
    >>> layers = SoilLayers([0.1, 0.2, 0.7])
    >>> down, up = exchange_rates([1e-3, 1e-3], layers)
    >>> column = LayeredModel(("litter", "soil"), layers, A=[[1, 0], [-0.5, 1]],
    ...                       K=[[2, 2, 2], [0.1, 0.05, 0.01]], down=down, up=up)
    >>> b = [[1000, 500, 0], [0, 0, 0]]
    >>> column.steady_state(b).round(1)
    array([[4.9200e+02, 2.5260e+02, 4.0000e-01],
           [4.7438e+03, 4.4793e+03, 1.1097e+03]])
    """

    pools: tuple[str, ...]
    layers: SoilLayers
    A: Array
    K: Array
    down: Array
    up: Array
    mixed: tuple[bool, ...] | None = None

    def __post_init__(self) -> None:
        pools = check_names(self.pools)
        p, L = len(pools), len(self.layers)
        each = f"There are {p} pools ({', '.join(pools)}) and {L} layers."
        mixed = (True,) * p if self.mixed is None else tuple(bool(m) for m in self.mixed)
        if len(mixed) != p:
            raise InputError(f"mixed has {len(mixed)} entries; say yes or no for each pool. {each}")
        A = as_array("A", self.A, shape=(p, p), hint=each)
        check_transfers(A, pools)
        K = as_array("K", self.K, shape=(p, L), hint=each)
        check_rates(K, pools, axis=-2)
        down = as_array("down", self.down, shape=(L - 1,), lower=0.0, hint=each)
        up = as_array("up", self.up, shape=(L - 1,), lower=0.0, hint=each)
        for name, value in (
            ("pools", pools), ("A", A), ("K", K), ("down", down), ("up", up), ("mixed", mixed)
        ):
            object.__setattr__(self, name, value)

    @property
    def shape(self) -> tuple[int, ...]:
        """Leading axes: how many columns there are, and in what order."""
        return np.broadcast_shapes(
            self.A.shape[:-2], self.K.shape[:-2], self.down.shape[:-1], self.up.shape[:-1]
        )

    def replace(self, **changes: Any) -> LayeredModel:
        """A copy of the column with some of its parts changed."""
        try:
            return dataclasses.replace(self, **changes)
        except TypeError:
            known = [f.name for f in dataclasses.fields(self)]
            unknown = sorted(set(changes) - set(known))
            raise InputError(f"A LayeredModel has {known}, not {unknown}.") from None

    def index(self, pool: str, layer: int = 1) -> int:
        """Place of a pool's layer, counted from 1, among the p·L rows of `outflow_matrix`."""
        if not 1 <= layer <= len(self.layers):
            raise InputError(f"layer is {layer}; layers are counted from 1 to {len(self.layers)}.")
        return find_pool(pool, self.pools) * len(self.layers) + int(layer) - 1

    def outflow_matrix(self) -> Array:
        """M (..., pL, pL) [yr-1] acting on concentrations; entry (pool i, layer l) is i·L + l."""
        p, L = self.K.shape[-2:]
        M = np.zeros((*self.shape, p, L, p, L))
        V = transport_matrix(self.down, self.up, self.layers)
        layer = np.arange(L)
        for i in range(p):
            for j in range(p):
                M[..., i, layer, j, layer] = self.A[..., i, j, None] * self.K[..., j, :]
            if self.mixed[i]:  # type: ignore[index]
                M[..., i, :, i, :] += V
        return M.reshape(*self.shape, p * L, p * L)

    def as_matrix_model(self, b: ArrayLike) -> tuple[MatrixModel, Array]:
        """The same column as one flat MatrixModel of stocks per layer [gC m-2], and its total input.

        Parameters
        ----------
        b : array_like (..., p, L)
            Input [gC m-3 yr-1].

        Returns
        -------
        model : MatrixModel
            p·L pools named 'pool[layer]', layers counted from 1.
        I : ndarray (...)
            Total input [gC m-2 yr-1].
        """
        p, L = self.K.shape[-2:]
        dz = self.layers.thickness
        stock = self._input(b) * dz
        total = stock.sum(axis=(-2, -1))
        ratio = dz[:, None] / dz  # a concentration's matrix acting on stocks
        V1 = transport_matrix(self.down, self.up, self.layers) * ratio
        V = np.zeros((*V1.shape[:-2], p, L, p, L))
        for i in range(p):
            if self.mixed[i]:  # type: ignore[index]
                V[..., i, :, i, :] = V1
        model = MatrixModel(
            tuple(f"{name}[{l + 1}]" for name in self.pools for l in range(L)),
            A=np.kron(self.A, np.eye(L)).astype(float),
            K=self.K.reshape(*self.K.shape[:-2], p * L),
            B=(stock / total[..., None, None]).reshape(*stock.shape[:-2], p * L),
            V=V.reshape(*V1.shape[:-2], p * L, p * L),
        )
        return model, total

    def steady_state(self, b: ArrayLike, method: str = "cascade") -> Array:
        """X* = M⁻¹ b.

        Parameters
        ----------
        b : array_like (..., p, L)
            Input of each pool and layer [gC m-3 yr-1], not negative.
        method : {"cascade", "block", "banded", "dense"}
            How to solve. All give the same numbers while M is well conditioned; only the cascade
            stays accurate, and positive, when deep layers hardly decompose.

        Returns
        -------
        ndarray (..., p, L)
            [gC m-3]

        Raises
        ------
        InputError
            An unknown method, or carbon that enters a pool it can never leave.
        """
        b = self._input(b)
        if method == "cascade":
            return self._cascade(b)[0]
        if method not in _OTHER:
            raise InputError(f"There is no method {method!r}; choose among {', '.join(METHODS)}.")
        lead = np.broadcast_shapes(self.shape, b.shape[:-2])
        parts = [_columns(a, 2, lead) for a in (b, self.A, self.K)]
        parts += [_columns(a, 1, lead) for a in (self.down, self.up)]
        X = np.empty((math.prod(lead), *b.shape[-2:]))
        for c in _split(len(X)):
            b_, A, K, down, up = (a[c] for a in parts)
            X[c] = _OTHER[method](self.replace(A=A, K=K, down=down, up=up), b_)
        return X.reshape(*lead, *b.shape[-2:])

    def steady_state_and_vjp(
        self, b: ArrayLike
    ) -> tuple[Array, Callable[[ArrayLike], LayeredGradient]]:
        """The steady state, and a function that carries a gradient back through it.

        For a scalar J(X), give ∂J/∂X and get ∂J/∂A, ∂J/∂K, ∂J/∂down, ∂J/∂up, ∂J/∂b, from one
        solve with the transposed matrix: with Mᵀλ = ∂J/∂X, dJ = λᵀ(db − dM X).

        Returns
        -------
        X : ndarray (..., p, L)
        pullback : callable
            ∂J/∂X (..., p, L) → LayeredGradient, one per column (not summed over leading axes).
        """
        b = self._input(b)
        X, memory = self._cascade(b, keep=True)
        return X, lambda dX: self._pullback(X, memory, dX)

    def _input(self, b: ArrayLike) -> Array:
        p, L = self.K.shape[-2:]
        return as_array(
            "b", b, shape=(p, L), lower=0.0, hint=f"Input per pool ({', '.join(self.pools)}) and layer."
        )

    def _cascade(self, b: Array, keep: bool = False) -> tuple[Array, list[_Part]]:
        lead = np.broadcast_shapes(self.shape, b.shape[:-2])
        plan = self._plan()
        dz = self.layers.thickness[:, None, None]
        b = _columns(b, 2, lead)
        X = np.empty(b.shape)
        memory = []
        for part in self._parts(plan, lead, keep):
            Y = _fill(part.Y, b[part.columns], plan.order)
            Y *= dz
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                _solve(plan, part.rates, Y, part.factors)
            Y /= dz
            for k, pool in enumerate(plan.order):
                X[part.columns, pool] = Y[:, k].T
            if keep:
                memory.append(part)
        X = X.reshape(*lead, *b.shape[-2:])
        if not np.all(np.isfinite(X)):
            self._explain(X)
        return X, memory

    def _parts(self, plan: _Plan, lead: tuple[int, ...], keep: bool) -> Iterator[_Part]:
        """Run through the columns, some at a time; the arrays of a part are used again unless kept."""
        p, L = self.K.shape[-2:]
        K, down, up = (_columns(a, k, lead) for a, k in ((self.K, 2), (self.down, 1), (self.up, 1)))
        F = {
            (i, j): _columns(-self.A[..., plan.order[i], plan.order[j]], 0, lead)
            for i, j in plan.edges
        }
        blocks = [(s.size, s.size, (s.pools.stop - s.pools.start) // s.size) for s in plan.stages]
        room: list[Array] = []
        for c in _split(len(K)):
            N = c.stop - c.start
            if keep or not room or room[0].shape[-1] != N:
                room = _room([(L, *block, N) for block in [(p,), (p,), *blocks]])
            rates = _Rates(
                {edge: np.ascontiguousarray(f[c]) for edge, f in F.items()},
                _fill(room[0], K[c], plan.order),
                np.array(down[c].T, order="C"),
                np.array(up[c].T, order="C"),
            )
            yield _Part(c, rates, room[1], room[2:])

    def _plan(self) -> _Plan:
        p = len(self.pools)
        used = np.any((self.A != 0).reshape(-1, p, p), axis=0) & ~np.eye(p, dtype=bool)
        return _plan(tuple(map(tuple, used.tolist())), self.mixed)  # type: ignore[arg-type]

    def _explain(self, X: Array) -> None:
        site, i, l = (int(v) for v in np.argwhere(~np.isfinite(X.reshape(-1, *X.shape[-2:])))[0])
        K = np.broadcast_to(self.K, X.shape).reshape(-1, *X.shape[-2:])[site, i, l]
        raise InputError(
            f"Column {site} has no steady state: carbon in pool {self.pools[i]!r}, layer {l + 1}, does "
            f"not leave (its turnover rate is {K:.3g} per year). Look for a scalar that is 0 all year, "
            "or a turnover or e-folding that makes the rate vanish."
        )

    def _pullback(self, X: Array, memory: list[_Part], dX: ArrayLike) -> LayeredGradient:
        p, L = X.shape[-2:]
        lead, n = X.shape[:-2], math.prod(X.shape[:-2])
        dX = np.broadcast_to(as_array("dX", dX, shape=(p, L)), X.shape)
        plan = self._plan()
        order = plan.order
        dz = self.layers.thickness[:, None, None]
        still = ~np.array(self.mixed)[list(order)]
        tails = {"A": (p, p), "K": (p, L), "down": (L - 1,), "up": (L - 1,), "b": (p, L)}
        to = dict(zip(tails, _room([(n, *tail) for tail in tails.values()])))
        to["A"][...] = 0.0
        X, dX = (_columns(a, 2, lead) for a in (X, dX))
        for c, rates, Y, factors in memory:
            lam = _fill(np.empty_like(Y), dX[c], order)
            lam /= dz
            _solve_transposed(plan, rates, lam, factors)
            Y = _fill(Y, X[c], order)
            Y *= dz
            drop = np.diff(lam, axis=0)
            drop[:, still] = 0.0
            to["down"][c] = np.einsum("lpN,lpN->lN", drop, Y[:-1]).T
            to["up"][c] = -np.einsum("lpN,lpN->lN", drop, Y[1:]).T
            per_leaving = np.negative(lam)
            for (i, j), f in rates.F.items():
                per_leaving[:, j] += f * lam[:, i]
                to["A"][c, order[i], order[j]] = -np.einsum(
                    "lN,lN,lN->N", lam[:, i], rates.K[:, j], Y[:, j]
                )
            per_leaving *= Y
            lam *= dz
            for k, pool in enumerate(order):
                to["K"][c, pool] = per_leaving[:, k].T
                to["b"][c, pool] = lam[:, k].T
        return LayeredGradient(**{k: a.reshape(*lead, *a.shape[1:]) for k, a in to.items()})


@dataclass(frozen=True)
class LayeredGradient:
    """Derivatives of a scalar with respect to the parts of a LayeredModel and its input.

    `A` is the derivative with respect to the off-diagonal entries of A that the column uses
    (those not zero); the others are 0, for the cascade never looks at them.
    """

    A: Array
    K: Array
    down: Array
    up: Array
    b: Array


class _Rates(NamedTuple):
    """The rates of N columns, the column in the last axis, pools in the order of the plan."""

    F: dict[tuple[int, int], Array]  # (i, j): fraction of what leaves pool j that enters pool i (N,)
    K: Array  # (L, p, N)
    down: Array  # (L−1, N)
    up: Array


class _Stage(NamedTuple):
    """g groups of q pools that feed each other; groups of one stage do not."""

    pools: slice  # q·g neighbours in the order of the plan: all first members, all second members …
    size: int  # q
    mixed: tuple[bool, ...]  # (q,)
    inside: tuple[tuple[int, int], ...]  # (i, j): carbon passes from j to i, both in one group
    edges: tuple[tuple[int, int], ...]  # carbon passes from j, in this stage, to i, in a later one

    def of(self, a: Array) -> Array:
        """The pools of this stage, grouped: (..., p, N) → (..., q, g, N)."""
        a = a[..., self.pools, :]
        return a.reshape(*a.shape[:-2], self.size, -1, a.shape[-1])

    def moves(self, rates: _Rates) -> tuple[Array, Array] | None:
        """Rates down and up (L−1, q or 1, 1, N), if the stage is mixed at all."""
        if not any(self.mixed):
            return None
        down, up = rates.down[:, None, None], rates.up[:, None, None]
        if all(self.mixed):
            return down, up
        mixed = np.array(self.mixed, dtype=float)[:, None, None]
        return down * mixed, up * mixed


class _Plan(NamedTuple):
    """The cascade: stages in an order in which carbon only moves forward."""

    order: tuple[int, ...]  # the pool that stands at each place
    stages: tuple[_Stage, ...]
    edges: tuple[tuple[int, int], ...]  # every (i, j) with f_ij not zero, as places in the order


class _Part(NamedTuple):
    """Some of the columns, and what is known of them."""

    columns: slice
    rates: _Rates
    Y: Array  # (L, p, N)
    factors: list[Array]  # G (L, q, q, g, N) of each stage


@lru_cache(maxsize=64)
def _plan(sends: tuple[tuple[bool, ...], ...], mixed: tuple[bool, ...]) -> _Plan:
    """How to go through pools of which j sends to i where sends[i][j]."""
    edges = [(i, j) for i, row in enumerate(sends) for j, used in enumerate(row) if used]
    count, group = connected_components(np.array(sends), directed=True, connection="strong")
    level = np.zeros(count, dtype=int)  # longest way to the end of the cascade
    for _ in range(count):
        for i, j in edges:
            if group[i] != group[j]:
                level[group[j]] = max(level[group[j]], level[group[i]] + 1)
    alike: dict[tuple[int, int, tuple[bool, ...]], list[list[int]]] = {}
    for c in range(count):
        members = [int(m) for m in np.flatnonzero(group == c)]
        key = (-int(level[c]), len(members), tuple(mixed[m] for m in members))
        alike.setdefault(key, []).append(members)
    stages = [(mix, np.array(sorted(groups)).T) for (_, _, mix), groups in sorted(alike.items())]
    order = [int(pool) for _, pools in stages for pool in pools.flat]
    edges = [(order.index(i), order.index(j)) for i, j in edges]
    done: list[_Stage] = []
    for mix, pools in stages:
        start = done[-1].pools.stop if done else 0
        here = [(i, j) for i, j in edges if start <= j < start + pools.size]
        together = [group[order[i]] == group[order[j]] for i, j in here]
        done.append(
            _Stage(
                slice(start, start + pools.size),
                len(pools),
                mix,
                tuple(edge for edge, same in zip(here, together) if same),
                tuple(edge for edge, same in zip(here, together) if not same),
            )
        )
    return _Plan(tuple(order), tuple(done), tuple(edges))


def _split(n: int) -> list[slice]:
    """Parts of equal size, or one column less in the last ones."""
    parts = -(-n // CHUNK)
    ends = [k * (n // parts) + min(k, n % parts) for k in range(parts + 1)] if parts else []
    return [slice(start, stop) for start, stop in pairwise(ends)]


def _columns(a: Array, own: int, lead: tuple[int, ...]) -> Array:
    """Leading axes broadcast to `lead`, and made one."""
    tail = a.shape[a.ndim - own :]
    return np.broadcast_to(a, (*lead, *tail)).reshape(math.prod(lead), *tail)


def _room(shapes: list[tuple[int, ...]]) -> list[Array]:
    """Empty arrays cut from one block: small ones are handed out by the system page by page, slowly."""
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(np.empty(ends[-1]), ends[:-1]), shapes)]


def _fill(out: Array, a: Array, order: tuple[int, ...]) -> Array:
    """(N, p, L) → (L, p, N), pools in order."""
    for k, pool in enumerate(order):
        out[:, k] = a[:, pool].T
    return out


def _solve(plan: _Plan, rates: _Rates, Y: Array, factors: list[Array]) -> None:
    """From inputs to stocks, both per area, in place: Y (L, p, N)."""
    for stage, G in zip(plan.stages, factors):
        _factorise(stage, rates, G)
        _substitute(G, stage.of(Y), stage.moves(rates))
        if stage.edges:
            for y, k in zip(Y, rates.K):
                leaving = k[stage.pools] * y[stage.pools]
                for i, j in stage.edges:
                    y[i] += rates.F[i, j] * leaving[j - stage.pools.start]


def _solve_transposed(plan: _Plan, rates: _Rates, lam: Array, factors: list[Array]) -> None:
    """λ with Mᵀ λ = g, in place of g (L, p, N), from the factors of the forward solve."""
    for stage, G in zip(reversed(plan.stages), reversed(factors)):
        if stage.edges:
            for y, k in zip(lam, rates.K):
                for i, j in stage.edges:
                    y[j] += rates.F[i, j] * k[j] * y[i]
        moves = stage.moves(rates)
        # The transpose of a column: every way is walked backwards.
        _substitute(np.swapaxes(G, 1, 2), stage.of(lam), moves and moves[::-1])


def _factorise(stage: _Stage, rates: _Rates, G: Array) -> None:
    """Mean residence G (L, q, q, g, N) in each layer, excursions to the layers below included.

    G[l, i, j]: years that carbon entering pool j of layer l spends in pool i of that layer before
    it is respired, passed to another stage, or moved to the layer above.
    """
    K, moves = stage.of(rates.K), stage.moves(rates)
    F = _inside(stage, rates, K.shape[2:])
    kept = np.ones(K.shape[1:])
    for (_, j), f in F.items():
        kept[j] -= f
    np.maximum(kept, 0.0, out=kept)
    T = np.zeros(G.shape[1:])
    lost = np.zeros(K.shape[1:])
    for l in range(len(K) - 1, -1, -1):  # noqa: E741
        below, lost = lost, K[l] * kept
        if moves and l + 1 < len(K):
            # What sinks to the layer below is lost there, or rises again, perhaps in another pool.
            down, up = moves[0][l], moves[1][l]
            lost += down * _flow(below, G[l + 1])
            if stage.size > 1:
                np.multiply(G[l + 1], up[:, None] * down, out=T)
        elif F:
            T[...] = 0.0
        for (i, j), f in F.items():
            T[i, j] += f * K[l, j]
        _residence(T, lost + moves[1][l - 1] if moves and l else lost.copy(), out=G[l])


def _inside(
    stage: _Stage, rates: _Rates, shape: tuple[int, ...]
) -> dict[tuple[int, int], Array]:
    """Fractions (g, N) that pass from the member j of each group to its member i."""
    F: dict[tuple[int, int], Array] = {}
    for i, j in stage.inside:
        to, k = divmod(i - stage.pools.start, shape[0])
        start = (j - stage.pools.start) // shape[0]
        F.setdefault((to, start), np.zeros(shape))[k] = rates.F[i, j]
    return F


def _residence(T: Array, leave: Array, out: Array) -> None:
    """Inverse of the outflow matrix with transfers T[i, j] ≥ 0 (j to i) and column sums `leave`.

    Grassmann–Taksar–Heyman elimination: pools are removed from last to first, each removal sharing
    out what passed through the pool; sums, products and quotients of non-negative numbers only. The
    diagonal of T is not looked at; both arguments are used up.
    """
    q = len(leave)
    t, e, res = [list(row) for row in T], list(leave), [list(row) for row in out]  # views: cheap
    stay = list(np.empty_like(leave))  # mean time of one visit, once the later pools are removed
    for s in range(q - 1, 0, -1):
        np.add(e[s], t[0][s], out=stay[s])
        for i in range(1, s):
            stay[s] += t[i][s]
        np.divide(1.0, stay[s], out=stay[s])
        onward = e[s] * stay[s]
        for i in range(s):
            e[i] += onward * t[s][i]
            share = np.multiply(t[i][s], stay[s], out=res[i][s])
            for j in range(s):
                if i != j:
                    t[i][j] += share * t[s][j]
            for k in range(s + 1, q):
                res[i][k] += share * res[s][k]
    np.divide(1.0, e[0], out=res[0][0])
    for k in range(1, q):
        res[0][k] *= res[0][0]
    for s in range(1, q):
        visits = t[s][0] * out[0]
        for j in range(1, s):
            visits += t[s][j] * out[j]
        visits[s] += 1.0
        for k in range(s + 1, q):
            visits[k] += res[s][k]
        np.multiply(visits, stay[s], out=out[s])


def _substitute(G: Array, Y: Array, moves: tuple[Array, Array] | None) -> None:
    """Stocks of one stage from what enters it, in place, given G of `_factorise`: Y (L, q, g, N)."""
    if moves is None:
        for l in range(len(Y)):  # noqa: E741
            Y[l] = _apply(G[l], Y[l])
        return
    down, up = moves
    alone = [_apply(G[-1], Y[-1])]  # what each layer would hold if nothing came down from above
    for l in range(len(Y) - 2, -1, -1):  # noqa: E741
        Y[l] += up[l] * alone[-1]
        alone.append(_apply(G[l], Y[l]))
    Y[0] = alone.pop()
    for l in range(1, len(Y)):  # noqa: E741
        np.add(alone.pop(), _apply(G[l], down[l - 1] * Y[l - 1]), out=Y[l])


def _apply(G: Array, r: Array) -> Array:
    """Σ_j G[i, j] r[j]"""
    return G[0] * r if len(r) == 1 else np.einsum("ijgN,jgN->igN", G, r)


def _flow(r: Array, G: Array) -> Array:
    """Σ_i r[i] G[i, j]"""
    return r * G[0] if len(r) == 1 else np.einsum("igN,ijgN->jgN", r, G)


def _dense(column: LayeredModel, b: Array) -> Array:
    M = column.outflow_matrix()
    X = np.linalg.solve(M, b.reshape(*b.shape[:-2], -1, 1))
    return np.asarray(X, dtype=float).reshape(b.shape)


def _blocks(column: LayeredModel) -> tuple[Array, Array, Array]:
    """M on stocks, layer by layer: diagonal blocks (L, n, p, p), and what falls and rises (L−1, n, p)."""
    mixed = np.asarray(column.mixed, dtype=float)
    down = np.moveaxis(column.down, -1, 0)[..., None] * mixed
    up = np.moveaxis(column.up, -1, 0)[..., None] * mixed
    D = column.A * np.moveaxis(column.K, -1, 0)[..., None, :]
    i = np.arange(len(column.pools))
    D[:-1, ..., i, i] += down
    D[1:, ..., i, i] += up
    return D, down, up


def _block(column: LayeredModel, b: Array) -> Array:
    """Block-tridiagonal elimination from the top, all pools of a layer as one dense block."""
    D, down, up = _blocks(column)
    dz = column.layers.thickness[:, None, None]
    R = np.moveaxis(b, -1, 0) * dz
    for l in range(1, len(D)):  # noqa: E741
        passed = np.linalg.solve(
            D[l - 1], np.concatenate([_diagonal(up[l - 1]), R[l - 1][..., None]], axis=-1)
        )
        D[l] -= down[l - 1][..., None] * passed[..., :-1]
        R[l] += down[l - 1] * passed[..., -1]
    Y = np.empty_like(R)
    Y[-1] = np.linalg.solve(D[-1], R[-1][..., None])[..., 0]
    for l in range(len(D) - 2, -1, -1):  # noqa: E741
        Y[l] = np.linalg.solve(D[l], (R[l] + up[l] * Y[l + 1])[..., None])[..., 0]
    return np.moveaxis(Y / dz, 0, -1)


def _diagonal(d: Array) -> Array:
    return d[..., None] * np.eye(d.shape[-1])


def _banded(column: LayeredModel, b: Array) -> Array:
    """SciPy's banded solver, one column after the other; unknowns ordered layer by layer."""
    D, down, up = _blocks(column)
    L, n, p = D.shape[:3]
    dz = column.layers.thickness[:, None]
    X = np.empty_like(b)
    pool, layer = np.arange(p), np.arange(L)[:, None]
    for c in range(n):
        ab = np.zeros((2 * p + 1, L, p))
        for j in range(p):
            ab[p + pool - j, layer, j] = D[:, c, :, j]
        ab[0, 1:] = -up[:, c]
        ab[2 * p, :-1] = -down[:, c]
        stock = solve_banded((p, p), ab.reshape(2 * p + 1, -1), (b[c].T * dz).ravel())
        X[c] = (stock.reshape(L, p) / dz).T
    return X


_OTHER: dict[str, Callable[[LayeredModel, Array], Array]] = {
    "block": _block,
    "banded": _banded,
    "dense": _dense,
}
