"""Solvers for many soil columns: how M X = b is solved, layer by layer.

    dX/dt = 0:    b = M X,    M = A K + V,    here on stocks per layer [gC m-2]

====== ============================================== =============== ============= ==============
symbol meaning                                        shape           unit          code name
====== ============================================== =============== ============= ==============
Y      before the solve what enters, after it stocks  (L, p, N)       gC m-2 (yr-1) Y
D      block of the pools of one layer, on the        (L, N, p, p)    yr-1          D
       diagonal of M
V      mixing: rates at which carbon sinks, rises     (L−1, N, p)     yr-1          down, up
====== ============================================== =============== ============= ==============

The *cascade* is the one to use for many columns: pool after pool, layer after layer, without a
subtraction; see `landcarbon.matrix.cascade`. It has an overhead that a few columns do not repay: they are
solved by *banded* LU, and checked (`Banded`). *block* (the block form of Thomas' algorithm, for layers
touch only their neighbours) and *dense* (LU of the whole matrix) are there to compare with.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dgbtrf, dgbtrs

from landcarbon.matrix.cascade import Rates

__all__ = ["CHUNK", "METHODS", "OTHERS", "Banded", "blocks_of", "one_axis", "ordered", "split_columns",
           "together"]

Array = NDArray[np.float64]

METHODS = ("cascade", "block", "banded", "dense")

# Columns worked on at once: enough to hide the interpreter, few enough to bound the memory.
FEW, MANY = 8, 8192  # columns: fewer are solved one by one, of more nothing is kept from step to step
CHUNK = 2048


def split_columns(n: int, most: int | None = None) -> list[slice]:
    """Parts of n columns, at most `most` (CHUNK) each: of equal size, or one less in the last ones."""
    most = CHUNK if most is None else most
    parts = -(-n // most)
    ends = [k * (n // parts) + min(k, n % parts) for k in range(parts + 1)] if parts else []
    return [slice(start, stop) for start, stop in pairwise(ends)]


def one_axis(a: Array, own: int, lead: tuple[int, ...]) -> Array:
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


def ordered(out: Array, a: Array, order: tuple[int, ...]) -> Array:
    """(N, p, L) → (L, p, N), pools in order."""
    for k, pool in enumerate(order):
        out[:, k] = a[:, pool].T
    return out


def blocks_of(rates: Rates, mixed: Array) -> tuple[Array, Array, Array]:
    """M on stocks, layer by layer: diagonal blocks (L, N, p, p), what sinks and rises (L−1, N, p)."""
    L, p, N = rates.K.shape
    down, up = (a[..., None] * mixed for a in (rates.down, rates.up))
    D = np.zeros((L, N, p, p))
    own = np.arange(p)
    D[..., own, own] = np.swapaxes(rates.K, 1, 2) + rates.relaxing
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


class Banded:
    """LU of each column, unknowns ordered layer by layer; solves as often as asked."""

    def __init__(self, D: Array, down: Array, up: Array) -> None:
        L, N, p, _ = D.shape
        self.width, self.factors = p, []
        pool = np.arange(p)
        for c in range(N):
            ab = np.zeros((3 * p + 1, L, p))  # the first p rows are room for the pivots
            for j in range(p):
                ab[2 * p + pool - j, :, j] = D[:, c, :, j].T
            ab[p, 1:] = -up[:, c]
            ab[3 * p, :-1] = -down[:, c]
            lu, pivots, info = dgbtrf(ab.reshape(3 * p + 1, -1), p, p, overwrite_ab=True)
            if info > 0:
                raise np.linalg.LinAlgError("singular to rounding")
            self.factors.append((lu, pivots))

    def solve(self, Y: Array) -> None:
        """M⁻¹ Y in place, Y (L, p, N)."""
        for c, (lu, pivots) in enumerate(self.factors):
            X, _ = dgbtrs(lu, self.width, self.width, Y[..., c].ravel(), pivots)
            Y[..., c] = X.reshape(Y.shape[:2])


def _banded(D: Array, down: Array, up: Array, Y: Array) -> None:
    Banded(D, down, up).solve(Y)


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


OTHERS = {"block": _block, "banded": _banded, "dense": _dense}
