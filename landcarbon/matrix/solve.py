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
λ      M⁻ᵀ ∂J/∂X: worth of a unit of input            (..., p, L)     of J          LayeredGradient.b
====== ============================================== =============== ============= ==============

Four ways to solve it, in the order of their speed:

- *cascade* (the default): pool after pool, layer after layer, without a subtraction; see
  `landcarbon.matrix.cascade`.
- *block*: layers touch only their neighbours, so M is block-tridiagonal with one dense block of
  pools a layer (the block form of Thomas' algorithm).
- *banded*: LAPACK's banded LU, one column after the other.
- *dense*: LAPACK's LU of the whole matrix.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_banded

from landcarbon.matrix import cascade
from landcarbon.matrix.cascade import Plan, Rates
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

# Columns worked on at once: enough to hide the interpreter, few enough to bound the memory.
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

    @property
    def stages(self) -> tuple[tuple[str, ...], ...]:
        """Groups of pools that feed each other, in an order in which carbon only moves forward.

        >>> soil = SoilLayers([0.1, 0.2])
        >>> A = [[1, 0, 0], [-0.4, 1, -0.2], [-0.1, -0.3, 1]]
        >>> LayeredModel(("litter", "fast", "slow"), soil, A, np.ones((3, 2)), [0.1], [0.05]).stages
        (('litter',), ('fast', 'slow'))
        """
        plan = self._plan()
        places = [
            np.arange(s.pools.start, s.pools.stop).reshape(s.size, -1).T for s in plan.stages
        ]
        return tuple(
            tuple(self.pools[plan.order[k]] for k in group) for stage in places for group in stage
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
            How to solve. All give the same numbers, but where layers that hardly decompose are cut
            off from the others: there only the cascade stays accurate, and positive.

        Returns
        -------
        ndarray (..., p, L)
            [gC m-3]

        Raises
        ------
        InputError
            An unknown method, or carbon that enters a pool it can never leave.
        """
        return self._solve(self._input(b), method)[0]

    def steady_state_and_vjp(
        self, b: ArrayLike, method: str = "cascade"
    ) -> tuple[Array, Callable[[ArrayLike], LayeredGradient]]:
        """The steady state, and a function that carries a gradient back through it.

        For a scalar J(X), give ∂J/∂X and get ∂J/∂A, ∂J/∂K, ∂J/∂down, ∂J/∂up, ∂J/∂b, from one
        solve with the transposed matrix: with Mᵀλ = ∂J/∂X, dJ = λᵀ(db − dM X).

        Parameters
        ----------
        b, method
            As for `steady_state`.

        Returns
        -------
        X : ndarray (..., p, L)
        pullback : callable
            ∂J/∂X (..., p, L) → LayeredGradient, one per column (not summed over leading axes).
        """
        X, parts = self._solve(self._input(b), method, keep=True)
        return X, lambda dX: self._pullback(X, parts, method, dX)

    def _input(self, b: ArrayLike) -> Array:
        p, L = self.K.shape[-2:]
        return as_array(
            "b", b, shape=(p, L), lower=0.0, hint=f"Input per pool ({', '.join(self.pools)}) and layer."
        )

    def _solve(
        self, b: Array, method: str, keep: bool = False
    ) -> tuple[Array, list[_Part]]:
        if method not in METHODS:
            raise InputError(f"There is no method {method!r}; choose among {', '.join(METHODS)}.")
        lead = np.broadcast_shapes(self.shape, b.shape[:-2])
        plan, dz = self._plan(), self.layers.thickness[:, None, None]
        b = _columns(b, 2, lead)
        X = np.empty(b.shape)
        parts = []
        for part in self._parts(plan, lead, method, keep):
            Y = _fill(part.Y, b[part.columns], plan.order)
            Y *= dz
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                if method == "cascade":
                    cascade.solve(plan, part.rates, Y, part.factors)
                else:
                    self._other(method, *_blocks(part.rates, self._mixed(plan)), Y)
            Y /= dz
            for k, pool in enumerate(plan.order):
                X[part.columns, pool] = Y[:, k].T
            if keep:
                parts.append(part)
        X = X.reshape(*lead, *b.shape[-2:])
        if not np.all(np.isfinite(X)):
            self._explain(X)
        return X, parts

    def _pullback(self, X: Array, parts: list[_Part], method: str, dX: ArrayLike) -> LayeredGradient:
        p, L = X.shape[-2:]
        lead, n = X.shape[:-2], math.prod(X.shape[:-2])
        dX = np.broadcast_to(as_array("dX", dX, shape=(p, L)), X.shape)
        plan, dz = self._plan(), self.layers.thickness[:, None, None]
        order, mixed = plan.order, self._mixed(plan)
        tails = {"A": (p, p), "K": (p, L), "down": (L - 1,), "up": (L - 1,), "b": (p, L)}
        to = dict(zip(tails, together([(n, *tail) for tail in tails.values()])))
        to["A"][...] = 0.0
        X, dX = (_columns(a, 2, lead) for a in (X, dX))
        for c, rates, Y, factors in parts:
            lam = _fill(np.empty_like(Y), dX[c], order)
            lam /= dz
            if method == "cascade":
                cascade.solve_transposed(plan, rates, lam, factors)
            else:
                D, down, up = _blocks(rates, mixed)
                self._other(method, np.swapaxes(D, -1, -2), up, down, lam)
            Y = _fill(Y, X[c], order)
            Y *= dz
            drop = np.diff(lam, axis=0)
            drop[:, ~mixed] = 0.0
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

    def _parts(
        self, plan: Plan, lead: tuple[int, ...], method: str, keep: bool
    ) -> Iterator[_Part]:
        """Run through the columns, some at a time; the arrays of a part are used again unless kept."""
        p, L = self.K.shape[-2:]
        K, down, up = (_columns(a, k, lead) for a, k in ((self.K, 2), (self.down, 1), (self.up, 1)))
        F = {
            (i, j): _columns(-self.A[..., plan.order[i], plan.order[j]], 0, lead)
            for i, j in plan.edges
        }
        blocks = [(s.size, s.size, (s.pools.stop - s.pools.start) // s.size) for s in plan.stages]
        room: list[Array] = []
        for c in split_columns(len(K), CHUNK if method == "cascade" else max(CHUNK // 16, 1)):
            N = c.stop - c.start
            if keep or not room or room[0].shape[-1] != N:
                room = together(
                    [(L, p, N), (L, p, N), *((L, *block, N) for block in blocks if method == "cascade")]
                )
            rates = Rates(
                {edge: np.ascontiguousarray(f[c]) for edge, f in F.items()},
                _fill(room[0], K[c], plan.order),
                np.array(down[c].T, order="C"),
                np.array(up[c].T, order="C"),
            )
            yield _Part(c, rates, room[1], room[2:])

    def _plan(self) -> Plan:
        p = len(self.pools)
        used = np.any((self.A != 0).reshape(-1, p, p), axis=0) & ~np.eye(p, dtype=bool)
        return cascade.plan_cascade(tuple(map(tuple, used.tolist())), self.mixed)  # type: ignore[arg-type]

    def _mixed(self, plan: Plan) -> NDArray[np.bool_]:
        return np.array(self.mixed, dtype=bool)[list(plan.order)]

    @staticmethod
    def _other(method: str, D: Array, down: Array, up: Array, Y: Array) -> None:
        try:
            _OTHER[method](D, down, up, Y)
        except np.linalg.LinAlgError:
            raise InputError(
                f"M is singular to rounding for method {method!r}. Try 'cascade', which finds the steady "
                "state if there is one, and says where carbon cannot leave if there is none."
            ) from None

    def _explain(self, X: Array) -> None:
        site, i, l = (int(v) for v in np.argwhere(~np.isfinite(X.reshape(-1, *X.shape[-2:])))[0])
        K = np.broadcast_to(self.K, X.shape).reshape(-1, *X.shape[-2:])[site, i, l]
        raise InputError(
            f"Column {site} has no steady state: carbon in pool {self.pools[i]!r}, layer {l + 1}, does "
            f"not leave (its turnover rate is {K:.3g} per year). Look for a scalar that is 0 all year, "
            "or a turnover or e-folding that makes the rate vanish."
        )


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


class _Part(NamedTuple):
    """Some of the columns, and what is known of them."""

    columns: slice
    rates: Rates
    Y: Array  # (L, p, N)
    factors: list[Array]  # of the cascade


def split_columns(n: int, most: int | None = None) -> list[slice]:
    """Parts of n columns, at most `most` (CHUNK) each: of equal size, or one less in the last ones."""
    most = CHUNK if most is None else most
    parts = -(-n // most)
    ends = [k * (n // parts) + min(k, n % parts) for k in range(parts + 1)] if parts else []
    return [slice(start, stop) for start, stop in pairwise(ends)]


def _columns(a: Array, own: int, lead: tuple[int, ...]) -> Array:
    """Leading axes broadcast to `lead`, and made one."""
    tail = a.shape[a.ndim - own :]
    return np.broadcast_to(a, (*lead, *tail)).reshape(math.prod(lead), *tail)


def together(shapes: list[tuple[int, ...]]) -> list[Array]:
    """Empty arrays cut from one block.

    Fresh memory costs more than the arithmetic done in it: the system hands it out page by page, and
    the C library returns what is free as soon as it is more than twice the largest block it has seen.
    So one block is asked for, half as large again as is used; what is never touched costs nothing.
    """
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    block = np.empty(3 * ends[-1] // 2)
    parts = np.split(block[: ends[-1]], ends[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes)]


def _fill(out: Array, a: Array, order: tuple[int, ...]) -> Array:
    """(N, p, L) → (L, p, N), pools in order."""
    for k, pool in enumerate(order):
        out[:, k] = a[:, pool].T
    return out


def _blocks(rates: Rates, mixed: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
    """M on stocks, layer by layer: diagonal blocks (L, N, p, p), what sinks and rises (L−1, N, p)."""
    L, p, N = rates.K.shape
    down, up = (a[..., None] * mixed for a in (rates.down, rates.up))
    D = np.zeros((L, N, p, p))
    own = np.arange(p)
    D[..., own, own] = np.swapaxes(rates.K, 1, 2)
    D[:-1, :, own, own] += down
    D[1:, :, own, own] += up
    for (i, j), f in rates.F.items():
        D[..., i, j] = -f * rates.K[:, j]
    return D, down, up


def _block(D: Array, down: Array, up: Array, Y: Array) -> None:
    """Elimination from the top, all pools of a layer as one dense block."""
    D = D.copy()
    eye = np.eye(D.shape[-1])
    R = [np.array(y.T) for y in Y]
    for l in range(1, len(D)):  # noqa: E741
        both = np.concatenate([up[l - 1][..., None] * eye, R[l - 1][..., None]], axis=-1)
        passed = np.linalg.solve(D[l - 1], both)
        D[l] -= down[l - 1][..., None] * passed[..., :-1]
        R[l] += down[l - 1] * passed[..., -1]
    X = np.linalg.solve(D[-1], R[-1][..., None])[..., 0]
    Y[-1] = X.T
    for l in range(len(D) - 2, -1, -1):  # noqa: E741
        X = np.linalg.solve(D[l], (R[l] + up[l] * X)[..., None])[..., 0]
        Y[l] = X.T


def _banded(D: Array, down: Array, up: Array, Y: Array) -> None:
    """SciPy's banded solver, one column after the other; unknowns ordered layer by layer."""
    L, N, p, _ = D.shape
    pool, layer = np.arange(p), np.arange(L)[:, None]
    for c in range(N):
        ab = np.zeros((2 * p + 1, L, p))
        for j in range(p):
            ab[p + pool - j, layer, j] = D[:, c, :, j]
        ab[0, 1:] = -up[:, c]
        ab[2 * p, :-1] = -down[:, c]
        X = solve_banded((p, p), ab.reshape(2 * p + 1, -1), Y[..., c].ravel(), check_finite=False)
        Y[..., c] = X.reshape(L, p)


def _dense(D: Array, down: Array, up: Array, Y: Array) -> None:
    L, N, p, _ = D.shape
    M = np.zeros((N, L, p, L, p))
    l, i = np.arange(L), np.arange(p)  # noqa: E741
    M[:, l, :, l, :] = D
    above, below = l[:-1, None], l[1:, None]
    M[:, below, i, above, i] = -np.moveaxis(down, 1, 0)
    M[:, above, i, below, i] = -np.moveaxis(up, 1, 0)
    X = np.linalg.solve(M.reshape(N, L * p, L * p), Y.reshape(L * p, N).T[..., None])
    Y[...] = X[..., 0].T.reshape(Y.shape)


_OTHER = {"block": _block, "banded": _banded, "dense": _dense}
