"""The matrix model of land carbon.

    dX/dt = B I − A ξ K X − V X,        M = A ξ K + V,        X* = M⁻¹ B I

====== ============================================ ============ ============== ==================
symbol meaning                                      shape        unit           code name
====== ============================================ ============ ============== ==================
X      carbon in each pool                          (..., n)     gC m-2         X
I      carbon input                                 (...) or     gC m-2 yr-1    I
                                                    (..., inputs)
B      share of the input that enters each pool     (n,) or      1              B
                                                    (n, inputs)
A      transfer: 1 on the diagonal, −f_ij off it;   (n, n)       1              A
       f_ij is the fraction of what leaves pool j
       that enters pool i
ξ      environmental scalar of each pool's turnover () or (n,)   1              xi
K      turnover rate of each pool                   (n,)         yr-1           K
V      mixing between pools that loses no carbon    (n, n)       yr-1           V
M      outflow matrix                               (n, n)       yr-1           outflow_matrix(xi)
====== ============================================ ============ ============== ==================

Every argument may carry leading axes (sites, chains, members) before the axes named here.
Sources: Luo et al. (2017), doi 10.5194/bg-14-145-2017; Luo et al. (2022), doi 10.1029/2022MS003008.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix import typeset
from landcarbon.matrix.errors import InputError, aligned, as_array, as_broadcast, as_kept, as_kind
from landcarbon.matrix.frozen import keep

if TYPE_CHECKING:
    from landcarbon.matrix.steps import Move, Stepper

__all__ = ["MatrixModel", "folded"]

Array = NDArray[np.float64]

# Fractions typed to two or three decimals may miss 1 by a rounding error; no more than that.
ROUNDING = 1e-9


@dataclass(frozen=True)
class MatrixModel:
    """Pools, and how carbon enters, leaves and moves between them.

    Parameters
    ----------
    pools : sequence of str
        Names of the n pools.
    A : array_like (..., n, n)
        Transfer matrix: 1 on the diagonal, −f_ij off it.
    K : array_like (..., n)
        Turnover rates [yr-1], not negative. (The diagonal of the book's matrix K.)
    B : array_like (..., n) or (..., n, inputs)
        Allocation of the input. With as many axes as K, the input `I` is one total; with one
        axis more, `I` has one entry per input.
    V : array_like (..., n, n), optional
        Mixing [yr-1]: positive diagonal, columns sum to zero when the pools are stocks per
        area. Layers of unequal thickness mix concentrations: see `landcarbon.matrix.column`.

    Raises
    ------
    InputError
        Shapes that do not fit, NaN, a negative rate, fractions of a column that create carbon.

    Examples
    --------
    Litter turns over in half a year and passes 30 % on; soil turns over in 50 years.

    >>> m = MatrixModel(("litter", "soil"), A=[[1, 0], [-0.3, 1]], K=[2, 0.02], B=[1, 0])
    >>> m.steady_state(500.0)
    array([ 250., 7500.])
    >>> m.outflow_matrix()
    array([[ 2.  ,  0.  ],
           [-0.6 ,  0.02]])
    """

    pools: tuple[str, ...]
    A: Array
    K: Array
    B: Array
    V: Array | None = None

    def __post_init__(self) -> None:
        pools = check_names(self.pools)
        n = len(pools)
        each = f"There are {n} pools: {', '.join(pools[:8])}{', …' if n > 8 else ''}."
        A = as_kept("A", self.A, shape=(n, n), hint=each)
        K = as_kept("K", aligned("K", self.K, pools), shape=(n,), hint=each)
        if n > 1 and K.shape[-2:] == (n, n) and np.array_equal(K * np.eye(n), K):
            raise InputError("K is a diagonal matrix; give the rates alone, one for each pool: np.diag(K).")
        B = _allocation(aligned("B", self.B, pools), K, n, each)
        V = None if self.V is None else as_kept("V", self.V, shape=(n, n), hint=each)
        check_rates(K, pools)
        check_transfers(A, pools)
        _check_allocation(B, pools, -1 if B.ndim <= K.ndim else -2)
        if V is not None:
            _check_mixing(V, pools)
        keep(self, pools=pools, A=A, K=K, B=B, V=V)

    dims: ClassVar[tuple[str, ...]] = ("pool",)
    unit: ClassVar[str] = "gC m-2"

    @property
    def n(self) -> int:
        """Number of pools."""
        return len(self.pools)

    @property
    def state_shape(self) -> tuple[int, ...]:
        """Last axes of a state: (n,)."""
        return (self.n,)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Last axes of the input I: none, or one entry for each column of B."""
        return () if self._one_input else self.B.shape[-1:]

    @property
    def coords(self) -> dict[str, Any]:
        """Labels of the axes of a state."""
        return {"pool": ("pool", list(self.pools))}

    @property
    def transfer(self) -> Array:
        """Fractions f_ij (..., n, n): of what leaves pool j, the part that enters pool i."""
        return np.eye(self.n) - self.A

    @property
    def respired_fraction(self) -> Array:
        """Fraction (..., n) of what leaves each pool that goes to the atmosphere: 1 − Σ_i f_ij."""
        return np.maximum(self.A.sum(axis=-2), 0.0)

    def __repr__(self) -> str:
        return typeset.card(self)

    def latex(self, part: str = "equation", digits: int = 3) -> str:
        r"""The model as it is written: "equation", or one of its matrices A, K, B, V, M.

        Examples
        --------
        >>> m = MatrixModel(("litter", "soil"), A=[[1, 0], [-0.3, 1]], K=[2, 0.02], B=[1, 0])
        >>> print(m.latex("A"))
        \mathbf{A} = \begin{pmatrix} 1 & 0 \\ -0.3 & 1 \end{pmatrix}
        """
        return typeset.of_pools(self, part, digits)

    def index(self, pool: str) -> int:
        """Position of a pool by its name."""
        return find_pool(pool, self.pools)

    def replace(self, **changes: Any) -> MatrixModel:
        """A copy of the model with some of its parts changed."""
        try:
            return dataclasses.replace(self, **changes)
        except TypeError:
            known = [f.name for f in dataclasses.fields(self)]
            unknown = sorted(set(changes) - set(known))
            raise InputError(f"A MatrixModel has {known}, not {unknown}.") from None

    def outflow_matrix(self, xi: ArrayLike = 1.0) -> Array:
        """M = A ξ K + V, shape (..., n, n) [yr-1].

        Parameters
        ----------
        xi : float or array_like (..., n)
            Environmental scalar, one number or one per pool.
        """
        rate = self._scalar(xi) * self.K
        M = self.A * rate[..., None, :]
        return M if self.V is None else M + self.V

    def input(self, I: ArrayLike) -> Array:  # noqa: E741
        """B I, the input of each pool (..., n) [gC m-2 yr-1]."""
        if self._one_input:
            total = as_array("I", I, lower=0.0, hint="B has one column: give the total input.")
            return total[..., None] * self.B
        inputs = self.B.shape[-1]
        parts = as_array("I", I, shape=(inputs,), lower=0.0, hint=f"B has {inputs} columns: one input each.")
        return (self.B @ parts[..., None])[..., 0]

    def derivative(self, X: ArrayLike, I: ArrayLike, xi: ArrayLike = 1.0) -> Array:  # noqa: E741
        """dX/dt = B I − M X, shape (..., n) [gC m-2 yr-1]."""
        M, X = self.outflow_matrix(xi), self._state(X)
        as_broadcast(X=X, xi=M[..., 0])
        brought, lost = self.input(I), (M @ X[..., None])[..., 0]
        as_broadcast(I=brought, X=lost)
        return brought - lost

    def respiration(self, X: ArrayLike, xi: ArrayLike = 1.0) -> Array:
        """Flux from each pool to the atmosphere (..., n) [gC m-2 yr-1]."""
        return self.respired_fraction * (self._scalar(xi) * self.K) * self._state(X)

    def steady_state(self, I: ArrayLike, xi: ArrayLike = 1.0) -> Array:  # noqa: E741
        """X* = M⁻¹ B I, shape (..., n) [gC m-2].

        A pool that carbon neither enters nor leaves, such as inert soil carbon, keeps what it holds,
        whatever that is: it counts as 0 here, and what it holds is to be added.

        Raises
        ------
        InputError
            If carbon gets into a pool that it can never leave: the message names the pool.
        """
        return self.chased(self.input(I), xi)

    def chased(self, change: Array, xi: ArrayLike = 1.0) -> Array:
        """M⁻¹ r (..., n) [gC m-2]: what a rate of change r, of either sign, would come to in the end."""
        change, M = as_array("change", change, shape=(self.n,)), self.outflow_matrix(xi)
        as_broadcast(change=change, xi=M[..., 0])
        M = self._with_ways_out(M, change)
        X = np.asarray(np.linalg.solve(M, change[..., None])[..., 0], dtype=float)
        if not np.isfinite(X).all():
            raise InputError("The steady state is larger than a number can be; look at I, K and their units.")
        return X

    def total(self, X: ArrayLike) -> Array:
        """All carbon (...) [gC m-2] of a state (..., n)."""
        return np.asarray(self._state(X).sum(axis=-1))

    def stocks(self, X: ArrayLike) -> Array:
        """A state (..., n) as one row of stocks [gC m-2]: what it is."""
        return self._state(X)

    def stock_matrix(self, xi: ArrayLike = 1.0) -> Array:
        """M acting on stocks [gC m-2]: the outflow matrix itself."""
        return self.outflow_matrix(xi)

    def stepping(self, xi: ArrayLike) -> tuple[bytes | None, Callable[[Stepper, float], Move]]:
        """What a step under xi depends on, and a function of (stepper, h) that makes it."""
        M = self.outflow_matrix(xi)
        return M.tobytes(), lambda how, h: how.pools(M, np.asarray(h))

    @property
    def _one_input(self) -> bool:
        return self.B.ndim <= self.K.ndim

    def _scalar(self, xi: ArrayLike) -> Array:
        if type(xi) is not np.ndarray:
            xi = aligned("xi", xi, self.pools)
        xi = as_array("xi", xi, lower=0.0, hint="xi multiplies the turnover rates.")
        if xi.ndim and xi.shape[-1] not in (1, self.n):
            raise InputError(
                f"xi ends in an axis of length {xi.shape[-1]}; give one number, or one for each of "
                f"the {self.n} pools (for many sites: shape (sites, 1) or (sites, {self.n}))."
            )
        return xi

    def _state(self, X: ArrayLike) -> Array:
        given = aligned("X", X, self.pools)
        return as_array("X", given, shape=(self.n,), hint=f"The pools are {', '.join(self.pools)}.")

    def _with_ways_out(self, M: Array, change: Array) -> Array:
        """M with 1 on the diagonal of pools that carbon can neither leave nor, with this input, enter."""
        loss = M.sum(axis=-2)
        scale = np.abs(M).sum(axis=-2)
        open_ = loss > ROUNDING * scale
        open_ = spread(np.swapaxes(M != 0, -1, -2), open_)
        if open_.all():
            return M
        entered = np.broadcast_to(change != 0, np.broadcast_shapes(change.shape, open_.shape))
        entered = spread(M != 0, entered)
        shut = np.argwhere((entered & ~open_).reshape(-1, self.n))[:, 1]
        if shut.size:
            names = ", ".join(self.pools[j] for j in sorted(set(shut.tolist())))
            raise InputError(
                f"Carbon that enters {names} can never leave, so there is no steady state. Give the "
                "pool a turnover rate above 0 and let part of what leaves it be respired."
            )
        return M + np.where(open_, 0.0, 1.0)[..., None] * np.eye(self.n)


def folded(transfer: ArrayLike, K: ArrayLike) -> tuple[Array, Array]:
    """A and K of a model in which part of what leaves a pool comes back to it.

    Such a pool decays at K but loses only the share 1 − f_jj: what it hands to itself has not left.
    The same equation, with 1 on the diagonal of A, has the rate (1 − f_jj) K and the fractions
    f_ij / (1 − f_jj).

    Parameters
    ----------
    transfer : array_like (..., n, n)
        Fractions f_ij of what decays in pool j that enter pool i; f_jj is what comes back.
    K : array_like (..., n)
        Rates at which the pools decay [yr-1].

    Returns
    -------
    A : ndarray (..., n, n)
    K : ndarray (..., n)
        As a MatrixModel takes them.

    Raises
    ------
    InputError
        A negative fraction, a column that hands on more than 1, a pool all of which comes back.

    Examples
    --------
    A tenth of what microbes lose becomes microbes again.

    >>> A, K = folded([[0.1, 0.0], [0.2, 0.0]], K=[0.5, 0.02])
    >>> A.round(4), K
    (array([[ 1.    ,  0.    ],
           [-0.2222,  1.    ]]), array([0.45, 0.02]))
    """
    K = as_array("K", K, shape=(None,), lower=0.0)
    n = K.shape[-1]
    f = as_array("transfer", transfer, shape=(n, n), lower=0.0, hint="Fractions of what decays.")
    given = f.sum(axis=-2)
    own = np.diagonal(f, axis1=-2, axis2=-1)
    if np.any(given > 1 + ROUNDING) or np.any(own >= 1):
        j = int(np.argwhere((given > 1 + ROUNDING) | (own >= 1))[0, -1])
        raise InputError(
            f"Column {j} of transfer hands on {given[..., j].max():.4g} of what decays, "
            f"{own[..., j].max():.4g} of it to the pool itself: the fractions sum to at most 1, and "
            "not all may come back."
        )
    off = f * (1 - np.eye(n)) / (1 - own)[..., None, :]
    return np.eye(n) - off, K * (1 - own)


def spread(leads: NDArray[np.bool_], start: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """All pools (..., n) to which a way leads from some pool of `start` (..., n).

    leads[..., i, j] says whether pool j leads to pool i; turned round, the pools from which there is a
    way to `start`.
    """
    for _ in range(start.shape[-1]):
        more = start | np.any(leads & start[..., None, :], axis=-1)
        if np.array_equal(more, start):
            break
        start = more
    return start


def _allocation(B: ArrayLike, K: Array, n: int, each: str) -> Array:
    array = as_kept("B", B, hint=each)
    axis = -1 if array.ndim <= K.ndim else -2
    if array.ndim == 0 or array.shape[axis] != n:
        raise InputError(
            f"B must have one entry, or one row, for each pool; its shape is {array.shape}. {each}"
        )
    return array


def check_names(names: Sequence[str]) -> tuple[str, ...]:
    if isinstance(names, str):
        raise InputError(
            f"pools is one string, {names!r}; give a sequence of names, such as ('soil',)."
        )
    as_kind("pools", names, "__iter__", hint="Give a sequence of names, such as ('soil',).")
    pools = tuple(str(p) for p in names)
    if not pools:
        raise InputError("pools is empty; name at least one pool, such as ('soil',).")
    if len(set(pools)) < len(pools):
        twice = sorted({p for p in pools if pools.count(p) > 1})
        raise InputError(f"pool names must differ, but {twice} appear more than once.")
    return pools


def find_pool(pool: str, pools: tuple[str, ...]) -> int:
    if pool not in pools:
        near = get_close_matches(str(pool), pools, n=1)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        known = ", ".join(pools[:8]) + (", …" if len(pools) > 8 else "")
        raise InputError(f"There is no pool {pool!r} among {known}.{guess}")
    return pools.index(pool)


def check_rates(K: Array, pools: tuple[str, ...], axis: int = -1) -> None:
    if K.size and K.min() < 0:
        first = tuple(np.argwhere(K < 0)[0])
        raise InputError(
            f"K of pool {pools[first[axis]]!r} is {K[first]:g} per year; "
            "turnover rates are not negative (the minus sign stands in the equation)."
        )


def check_transfers(A: Array, pools: tuple[str, ...]) -> None:
    n = len(pools)
    flat = A.reshape(-1, n, n)
    if len(flat) == 0:
        return
    largest, kept = flat.max(axis=0), flat.sum(axis=1)
    diagonal = np.diagonal(flat, axis1=1, axis2=2)
    if np.any(diagonal != 1):
        j = int(np.argwhere(diagonal != 1)[0, 1])
        value = diagonal[diagonal != 1][0]
        extra = " With −1 there, you have the other sign convention: give −A." if value == -1 else ""
        raise InputError(
            f"A[{j}, {j}] is {value:g}, but the diagonal of A is 1: all that leaves pool "
            f"{pools[j]!r} leaves it once.{extra}"
        )
    off = largest - np.eye(n)
    if np.any(off > 0):
        i, j = (int(v) for v in np.argwhere(off > 0)[0])
        raise InputError(
            f"A[{i}, {j}] is {off[i, j]:g}, but the transfer from {pools[j]!r} to {pools[i]!r} "
            "is written with a minus sign: −f_ij."
        )
    if kept.min() < -ROUNDING:
        row, j = (int(v) for v in np.argwhere(kept < -ROUNDING)[0])
        raise InputError(
            f"Column {j} of A sends out {1 - kept[row, j]:.4g} of what leaves {pools[j]!r}: "
            "the fractions must sum to at most 1, the rest is respired."
        )


def _check_allocation(B: Array, pools: tuple[str, ...], axis: int) -> None:
    if np.any(B < 0):
        raise InputError(
            f"B holds {B[B < 0][0]:g}; shares of the input are not negative. Pools: {', '.join(pools)}."
        )
    total = B.sum(axis=axis)
    if np.any(total > 1.0 + ROUNDING):
        raise InputError(
            f"B sums to {total.max():.4g}: the shares of an input over the pools sum to at most 1. "
            "Divide B by its sum, and give the amount as I."
        )


def _check_mixing(V: Array, pools: tuple[str, ...]) -> None:
    n = len(pools)
    flat = V.reshape(-1, n, n)
    off = flat * (1 - np.eye(n))
    if np.any(off > 0) or np.any(np.diagonal(flat, axis1=1, axis2=2) < 0):
        raise InputError(
            "V must have a diagonal that is not negative and off-diagonal entries that are not "
            "positive (it stands in the equation with a minus sign). Try −V."
        )
    total = flat.sum(axis=1)
    leak = np.abs(total) > ROUNDING * np.abs(flat).sum(axis=1)
    if np.any(leak):
        s, j = (int(v) for v in np.argwhere(leak)[0])
        raise InputError(
            f"Column {j} of V ({pools[j]!r}) sums to {total[s, j]:.4g} per year: mixing would make or lose "
            "carbon. Each column of V must sum to 0."
        )
