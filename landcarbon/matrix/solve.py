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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_banded
from scipy.sparse.csgraph import connected_components

from landcarbon.matrix.errors import InputError, as_array
from landcarbon.matrix.layers import SoilLayers, transport_matrix
from landcarbon.matrix.model import MatrixModel, check_rates, check_transfers

__all__ = ["METHODS", "LayeredGradient", "LayeredModel"]

Array = NDArray[np.float64]

METHODS = ("cascade", "block", "banded", "dense")

# Columns worked on at once: large enough to hide the interpreter, small enough for the cache.
CHUNK = 1024


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
        pools = tuple(str(p) for p in self.pools)
        p, L = len(pools), len(self.layers)
        each = f"There are {p} pools ({', '.join(pools)}) and {L} layers."
        mixed = (True,) * p if self.mixed is None else tuple(bool(m) for m in self.mixed)
        if len(mixed) != p:
            raise InputError(f"mixed has {len(mixed)} entries; say yes or no for each pool. {each}")
        A = as_array("A", self.A, shape=(p, p), hint=each)
        check_transfers(A, pools)
        K = as_array("K", self.K, shape=(p, L), hint=each)
        check_rates(np.moveaxis(K, -2, -1), pools)
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
        return dataclasses.replace(self, **changes)

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
        X = np.empty((int(np.prod(lead, dtype=int)), *b.shape[-2:]))
        for part, (b_, A_, K_, down, up) in self._chunks(lead, b, self.A, self.K, self.down, self.up):
            b_, A_, K_, down, up = (a.T for a in (b_, A_, K_, down, up))
            X[part] = _OTHER[method](self.replace(A=A_, K=K_, down=down, up=up), b_)
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

    def _chunks(self, lead: tuple[int, ...], *arrays: Array) -> Iterator[tuple[slice, list[Array]]]:
        """Run through the columns: (..., i, l) → (l, i, columns), and rates (..., l) → (l, columns)."""
        n = int(np.prod(lead, dtype=int))
        own = [2 if k < len(arrays) - 2 else 1 for k in range(len(arrays))]  # the last are down, up
        flat = [
            np.broadcast_to(a, (*lead, *a.shape[a.ndim - k :])).reshape(n, *a.shape[a.ndim - k :])
            for a, k in zip(arrays, own)
        ]
        for start in range(0, n, CHUNK):
            part = slice(start, min(start + CHUNK, n))
            yield part, [np.ascontiguousarray(a[part].T) for a in flat]

    def _cascade(self, b: Array, keep: bool = False) -> tuple[Array, list[list[Array]]]:
        p, L = self.K.shape[-2:]
        lead = np.broadcast_shapes(self.shape, b.shape[:-2])
        plan = _plan(_pattern(self.A), self.mixed)  # type: ignore[arg-type]
        F = np.eye(p) - self.A
        dz = self.layers.thickness[:, None, None]
        X = np.empty((int(np.prod(lead, dtype=int)), p, L))
        memory = []
        for part, (b_, F_, K_, down, up) in self._chunks(lead, b, F, self.K, self.down, self.up):
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                Y, factors = _solve(plan, b_ * dz, F_, K_, down, up)
            X[part] = (Y / dz).T
            if keep:
                memory.append(factors)
        X = X.reshape(*lead, p, L)
        if not np.all(np.isfinite(X)):
            self._explain(X)
        return X, memory

    def _explain(self, X: Array) -> None:
        site, i, l = (int(v) for v in np.argwhere(~np.isfinite(X.reshape(-1, *X.shape[-2:])))[0])
        K = np.broadcast_to(self.K, X.shape).reshape(-1, *X.shape[-2:])[site, i, l]
        raise InputError(
            f"Column {site} has no steady state: carbon in pool {self.pools[i]!r}, layer {l + 1}, does "
            f"not leave (its turnover rate is {K:.3g} per year). Look for a scalar that is 0 all year, "
            "or a turnover or e-folding that makes the rate vanish."
        )

    def _pullback(self, X: Array, memory: list[list[Array]], dX: ArrayLike) -> LayeredGradient:
        p, L = X.shape[-2:]
        lead, n = X.shape[:-2], int(np.prod(X.shape[:-2], dtype=int))
        dX = np.broadcast_to(as_array("dX", dX, shape=(p, L)), X.shape)
        plan = _plan(_pattern(self.A), self.mixed)  # type: ignore[arg-type]
        F = np.eye(p) - self.A
        dz = self.layers.thickness[:, None, None]
        mixed = np.asarray(self.mixed, dtype=float)[:, None]
        to = {
            "A": np.zeros((n, p, p)), "K": np.empty((n, p, L)), "b": np.empty((n, p, L)),
            "down": np.empty((n, L - 1)), "up": np.empty((n, L - 1)),
        }
        chunks = self._chunks(lead, X, dX, F, self.K, self.down, self.up)
        for factors, (part, (X_, g, F_, K_, down, up)) in zip(memory, chunks):
            lam = _solve_transposed(plan, factors, g / dz, F_, K_, down, up)
            Y = X_ * dz
            onward = lam.copy()
            for i, j in plan.edges:
                onward[:, j] -= F_[j, i] * lam[:, i]
                to["A"][part, i, j] = -np.sum(lam[:, i] * K_[:, j] * Y[:, j], axis=0)
            drop = mixed * (lam[1:] - lam[:-1])
            to["K"][part] = (-onward * Y).T
            to["b"][part] = (lam * dz).T
            to["down"][part] = (drop * Y[:-1]).sum(axis=1).T
            to["up"][part] = -(drop * Y[1:]).sum(axis=1).T
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


class _Stage(NamedTuple):
    """Groups of pools of the same size that are solved together."""

    pools: NDArray[np.intp]  # (q, g): g groups of q pools
    mixed: Array  # (q, 1, 1): 1 where the pool is mixed between layers, else 0
    edges: tuple[tuple[int, int], ...]  # (i, j): carbon passes from j, in this stage, to i, in a later one


class _Plan(NamedTuple):
    stages: tuple[_Stage, ...]
    edges: tuple[tuple[int, int], ...]  # every (i, j) with f_ij not zero


def _pattern(A: Array) -> tuple[tuple[bool, ...], ...]:
    p = A.shape[-1]
    used = np.any((A != 0).reshape(-1, p, p), axis=0) & ~np.eye(p, dtype=bool)
    return tuple(tuple(bool(v) for v in row) for row in used)


@lru_cache(maxsize=64)
def _plan(pattern: tuple[tuple[bool, ...], ...], mixed: tuple[bool, ...]) -> _Plan:
    """Groups of pools that feed each other, in an order in which carbon only moves forward."""
    sends = np.array(pattern)  # sends[i, j]: from j to i
    edges = tuple((int(i), int(j)) for i, j in np.argwhere(sends))
    count, group = connected_components(sends.T, directed=True, connection="strong")
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
    stages = []
    for (_, _, mix), groups in sorted(alike.items()):
        pools = np.array(groups).T
        out = tuple((i, j) for i, j in edges if j in pools and group[i] != group[j])
        stages.append(_Stage(pools, np.array(mix, dtype=float)[:, None, None], out))
    return _Plan(tuple(stages), edges)


def _solve(
    plan: _Plan, R: Array, F: Array, K: Array, down: Array, up: Array
) -> tuple[Array, list[Array]]:
    """Stocks Y (L, p, N) from inputs R (L, p, N), both per area; F[j, i] goes from j to i."""
    Y = np.empty_like(R)
    memory = []
    for stage in plan.stages:
        G = _factorise(stage, F, K, down, up)
        Y[:, stage.pools] = _substitute(stage, G, R[:, stage.pools], down, up)
        for i, j in stage.edges:
            R[:, i] += F[j, i] * K[:, j] * Y[:, j]
        memory.append(G)
    return Y, memory


def _solve_transposed(
    plan: _Plan, memory: list[Array], g: Array, F: Array, K: Array, down: Array, up: Array
) -> Array:
    """λ (L, p, N) with Mᵀ λ = g, from the factors of the forward solve."""
    lam = np.empty_like(g)
    for stage, G in zip(reversed(plan.stages), reversed(memory)):
        for i, j in stage.edges:
            g[:, j] += F[j, i] * K[:, j] * lam[:, i]
        lam[:, stage.pools] = _substitute_transposed(stage, G, g[:, stage.pools], down, up)
    return lam


def _factorise(stage: _Stage, F: Array, K: Array, down: Array, up: Array) -> Array:
    """Mean residence G (L, q, q, g, N) in each layer, excursions to the layers below included.

    G[l, i, j]: years that carbon entering pool j of layer l spends in pool i of that layer before
    it is respired, passed to another stage, or moved to the layer above.
    """
    rate = K[:, stage.pools]
    F = F[stage.pools[None, :], stage.pools[:, None]]  # (q, q, g, N), from the second to the first
    lost = rate * np.maximum(1.0 - F.sum(axis=0), 0.0)
    T = F * rate[:, None]
    G, work = np.empty_like(T), np.empty_like(T[0])
    if not stage.mixed.any():
        for l in range(len(T)):  # noqa: E741
            _residence(T[l], lost[l], out=G[l])
        return G
    for l in range(len(T) - 1, 0, -1):  # noqa: E741
        rise, sink = stage.mixed * up[l - 1], stage.mixed * down[l - 1]
        _residence(T[l], lost[l] + rise, out=G[l])
        fall = np.multiply(G[l], sink, out=work)
        lost[l - 1] += np.einsum("igN,ijgN->jgN", lost[l], fall)
        if len(rise) > 1:
            T[l - 1] += np.multiply(fall, rise[:, None], out=work)
    _residence(T[0], lost[0], out=G[0])
    return G


def _residence(T: Array, leave: Array, out: Array) -> None:
    """Inverse of the outflow matrix with transfers T[i, j] ≥ 0 (j to i) and column sums `leave`.

    Grassmann–Taksar–Heyman elimination: pools are removed from last to first, each removal sharing
    out what passed through the pool; sums and products of non-negative numbers only. Both
    arguments are used up.
    """
    q = len(leave)
    stay = np.empty_like(leave)  # mean time of one visit, once the later pools are removed
    for s in range(q - 1, 0, -1):
        np.divide(1.0, leave[s] + T[:s, s].sum(axis=0), out=stay[s])
        share = out[:s, s] = T[:s, s] * stay[s]
        leave[:s] += leave[s] * stay[s] * T[s, :s]
        T[:s, :s] += share[:, None] * T[s, :s]
        if s + 1 < q:
            out[:s, s + 1 :] += share[:, None] * out[s, s + 1 :]
    np.divide(1.0, leave[0], out=out[0, 0])
    out[0, 1:] *= out[0, 0]
    for s in range(1, q):
        visits = np.einsum("jgN,jkgN->kgN", T[s, :s], out[:s])
        visits[s] += 1.0
        visits[s + 1 :] += out[s, s + 1 :]
        np.multiply(visits, stay[s], out=out[s])


def _substitute(stage: _Stage, G: Array, R: Array, down: Array, up: Array) -> Array:
    """Stocks (L, q, g, N) of one stage from what enters it, given G of `_factorise`."""
    Y = np.empty_like(R)
    for l in range(len(R) - 1, 0, -1):  # noqa: E741
        Y[l] = _apply(G[l], R[l])
        R[l - 1] += stage.mixed * up[l - 1] * Y[l]
    Y[0] = _apply(G[0], R[0])
    for l in range(1, len(R)):  # noqa: E741
        Y[l] += _apply(G[l], stage.mixed * down[l - 1] * Y[l - 1])
    return Y


def _substitute_transposed(stage: _Stage, G: Array, g: Array, down: Array, up: Array) -> Array:
    """The transpose of the linear map `_substitute`: the same steps backwards."""
    G = np.swapaxes(G, 1, 2)
    lam = np.empty_like(g)
    for l in range(len(g) - 1, 0, -1):  # noqa: E741
        lam[l] = _apply(G[l], g[l])
        g[l - 1] += stage.mixed * down[l - 1] * lam[l]
    lam[0] = _apply(G[0], g[0])
    for l in range(1, len(g)):  # noqa: E741
        lam[l] += _apply(G[l], stage.mixed * up[l - 1] * lam[l - 1])
    return lam


def _apply(G: Array, r: Array) -> Array:
    """Σ_j G[i, j] r[j]"""
    return G[0] * r if len(r) == 1 else np.einsum("ijgN,jgN->igN", G, r)


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
