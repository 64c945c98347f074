"""The cascade: many soil columns solved at once, without a subtraction.

    M X = b,    M = A K + V,    off the diagonal no entry of M is positive, and no column sum negative

====== ============================================== =============== ============= ==============
symbol meaning                                        shape           unit          code name
====== ============================================== =============== ============= ==============
Y      stocks; before the solve, what enters          (L, p, N)       gC m-2 (yr-1) Y
K      turnover rate of each pool in each layer       (L, p, N)       yr-1          rates.K
f_ij   part of what leaves pool j that enters pool i  (N,)            1             rates.F[i, j]
V      rates of mixing between neighbouring layers    (L−1, N)        yr-1          rates.down, .up
G      years spent in pool i of a layer, per entry    (L, q, q, g, N) yr            G
       into pool j of it, excursions below included
====== ============================================== =============== ============= ==============

The column (site, chain, member) stands in the last axis, so that every line below works on all of
them at once.

**Fast.** Pools form a cascade: wood falls into litter, litter feeds soil, and only the soil pools feed
each other. `plan` finds the groups of pools that feed each other and puts them in an order in which
carbon only moves forward; each group is a small system. Layers touch only their neighbours, so each
small system is block-tridiagonal and is solved from the deepest layer up.

**Exact.** Every number that enters is the rate at which carbon leaves one place for another, or for
the air. The elimination keeps this reading: to remove a layer is to ask what becomes of carbon that
sinks into it. Part is lost there; the rest comes back up, perhaps in another pool. Both parts are sums
and products of numbers that are not negative, so nothing cancels, no stock comes out negative, and
each is accurate in its own digits however slowly the deep layers turn over. Where layers that hardly
decompose are cut off from the others, M is singular to working precision: the diagonal of M holds K
and V in one number, and K is lost in it. An elimination that subtracts then returns noise.

An implicit step of length h is the same solve with 1/h more on the diagonal: carbon that leaves every
pool and enters none.

Source of the elimination: Grassmann, Taksar & Heyman (1985), Operations Research 33, 1107,
doi 10.1287/opre.33.5.1107, there for Markov chains.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

__all__ = ["Plan", "Rates", "Stage", "factorise", "plan_cascade", "solve_transposed", "substitute"]

Array = NDArray[np.float64]


class Rates(NamedTuple):
    """The rates of N columns, pools in the order of the plan."""

    F: dict[tuple[int, int], Array]  # (i, j): fraction of what leaves pool j that enters pool i (N,)
    K: Array  # (L, p, N)
    down: Array  # (L−1, N)
    up: Array
    relaxing: float = 0.0  # 1/h of an implicit step: leaves every pool, and enters none


class Stage(NamedTuple):
    """g groups of q pools that feed each other; groups of one stage do not."""

    pools: slice  # q·g neighbours in the order of the plan: all first members, all second members …
    size: int  # q
    mixed: tuple[float, ...]  # (q,): how strongly, 0 not at all
    inside: tuple[tuple[int, int], ...]  # (i, j): carbon passes from j to i, both in one group
    edges: tuple[tuple[int, int], ...]  # carbon passes from j, in this stage, to i, in a later one

    def of(self, a: Array) -> Array:
        """The pools of this stage, grouped: (..., p, N) → (..., q, g, N)."""
        a = a[..., self.pools, :]
        return a.reshape(*a.shape[:-2], self.size, -1, a.shape[-1])

    def moves(self, rates: Rates) -> tuple[Array, Array] | None:
        """Rates down and up (L−1, q or 1, 1, N), if the stage is mixed at all."""
        if not any(self.mixed):
            return None
        down, up = rates.down[:, None, None], rates.up[:, None, None]
        if all(strength == 1 for strength in self.mixed):
            return down, up
        mixed = np.array(self.mixed)[:, None, None]
        return down * mixed, up * mixed


class Plan(NamedTuple):
    """The cascade: stages in an order in which carbon only moves forward."""

    order: tuple[int, ...]  # the pool that stands at each place
    stages: tuple[Stage, ...]
    edges: tuple[tuple[int, int], ...]  # every (i, j) with f_ij not zero, as places in the order


@lru_cache(maxsize=64)
def plan_cascade(sends: tuple[tuple[bool, ...], ...], mixed: tuple[float, ...]) -> Plan:
    """Groups of pools in an order in which carbon only moves forward.

    Parameters
    ----------
    sends : tuple of tuple of bool (p, p)
        Whether pool j passes carbon to pool i: sends[i][j].
    mixed : tuple of float (p,)
        How strongly a pool is mixed between layers; 0 not at all.
    """
    edges = [(i, j) for i, row in enumerate(sends) for j, used in enumerate(row) if used]
    count, group = connected_components(np.array(sends), directed=True, connection="strong")
    level = _levels(count, [(int(group[i]), int(group[j])) for i, j in edges if group[i] != group[j]])
    alike: dict[tuple[int, int, tuple[float, ...]], list[list[int]]] = {}
    for c in range(count):
        members = [int(m) for m in np.flatnonzero(group == c)]
        key = (-level[c], len(members), tuple(mixed[m] for m in members))
        alike.setdefault(key, []).append(members)
    stages = [(mix, np.array(sorted(groups)).T) for (_, _, mix), groups in sorted(alike.items())]
    order = [int(pool) for _, pools in stages for pool in pools.flat]
    edges = [(order.index(i), order.index(j)) for i, j in edges]
    place = [int(group[pool]) for pool in order]
    ends = np.cumsum([0, *(pools.size for _, pools in stages)]).tolist()
    done = tuple(
        _stage(slice(start, stop), len(pools), mix, [(i, j) for i, j in edges if start <= j < stop], place)
        for (mix, pools), start, stop in zip(stages, ends, ends[1:])
    )
    return Plan(tuple(order), done, tuple(edges))


def _stage(
    pools: slice, size: int, mixed: tuple[float, ...], edges: list[tuple[int, int]], group: list[int]
) -> Stage:
    """A stage from the ways that begin in it; `group` is that of the pool at each place."""
    inside = tuple((i, j) for i, j in edges if group[i] == group[j])
    return Stage(pools, size, mixed, inside, tuple(edge for edge in edges if edge not in inside))


def _levels(groups: int, edges: list[tuple[int, int]]) -> list[int]:
    """Longest way from each group to the end of the cascade, (i, j) leading from j to i."""
    level = [0] * groups
    for _ in range(groups):
        for i, j in edges:
            level[j] = max(level[j], level[i] + 1)
    return level


def factorise(plan: Plan, rates: Rates, factors: list[Array]) -> None:
    """What M⁻¹ needs of the columns alone, whatever enters them: fills `factors`, see `substitute`."""
    for stage, G in zip(plan.stages, factors):
        _factorise(stage, rates, G)


def substitute(plan: Plan, rates: Rates, Y: Array, factors: list[Array]) -> None:
    """M⁻¹, in place: from what enters each pool [gC m-2 yr-1] to its stock [gC m-2].

    Parameters
    ----------
    plan, rates : Plan, Rates
    Y : ndarray (L, p, N)
        Pools in the order of the plan.
    factors : list of ndarray (L, q, q, g, N)
        Of `factorise`, one for each stage.
    """
    for stage, G in zip(plan.stages, factors):
        _substitute(G, stage.of(Y), stage.moves(rates))
        if stage.edges:
            for y, k in zip(Y, rates.K):
                leaving = k[stage.pools] * y[stage.pools]
                for i, j in stage.edges:
                    y[i] += rates.F[i, j] * leaving[j - stage.pools.start]


def solve_transposed(plan: Plan, rates: Rates, lam: Array, factors: list[Array]) -> None:
    """M⁻ᵀ, in place of the right-hand side (L, p, N), from the factors of the forward solve."""
    for stage, G in zip(reversed(plan.stages), reversed(factors)):
        if stage.edges:
            for y, k in zip(lam, rates.K):
                for i, j in stage.edges:
                    y[j] += rates.F[i, j] * k[j] * y[i]
        moves = stage.moves(rates)
        # The transpose of a column: every way is walked backwards.
        _substitute(np.swapaxes(G, 1, 2), stage.of(lam), moves and moves[::-1])


def _factorise(stage: Stage, rates: Rates, G: Array) -> None:
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
        below, lost = lost, K[l] * kept if F else K[l].copy()
        if rates.relaxing:
            lost += rates.relaxing
        if moves and l + 1 < len(K):
            # What sinks to the layer below is lost there, or rises again, perhaps in another pool.
            down, up = moves[0][l], moves[1][l]
            sunk = _flow(below, G[l + 1])
            sunk *= down
            lost += sunk
            if stage.size > 1:
                np.multiply(G[l + 1], up[:, None] * down, out=T)
        elif F:
            T[...] = 0.0
        for (i, j), f in F.items():
            T[i, j] += f * K[l, j]
        _residence(T, lost + moves[1][l - 1] if moves and l else lost.copy(), out=G[l])


def _inside(
    stage: Stage, rates: Rates, shape: tuple[int, ...]
) -> dict[tuple[int, int], Array]:
    """Fractions (g, N) that pass from the member j of each group to its member i."""
    F: dict[tuple[int, int], Array] = {}
    for i, j in stage.inside:
        to, k = divmod(i - stage.pools.start, shape[0])
        start = (j - stage.pools.start) // shape[0]
        F.setdefault((to, start), np.zeros(shape))[k] = rates.F[i, j]
    return F


def eliminate(T: Array, leave: Array) -> Array:
    """Take pools out one after the other, last first, without a subtraction; in place.

    Grassmann–Taksar–Heyman: each removal shares out what passed through the pool, by sums, products and
    quotients of non-negative numbers only. Afterwards T[i, j] is the rate from j to i when only the pools
    up to the larger of the two are left.

    Parameters
    ----------
    T : ndarray (q, q, ...)
        Transfers [yr-1], T[i, j] from j to i; the diagonal is not looked at.
    leave : ndarray (q, ...)
        Rates [yr-1] at which carbon leaves for good.

    Returns
    -------
    ndarray (q, ...)
        Rate at which each pool empties when the later ones are gone [yr-1].
    """
    empties = np.empty_like(leave)
    for s in range(len(leave) - 1, 0, -1):
        empties[s] = leave[s] + T[:s, s].sum(axis=0)
        passed = T[s, :s] / empties[s]
        T[:s, :s] += T[:s, s, None] * passed
        leave[:s] += leave[s] * passed
    empties[:1] = leave[:1]
    return empties


def _residence(T: Array, leave: Array, out: Array) -> None:
    """Inverse of the outflow matrix with transfers T[i, j] ≥ 0 and column sums `leave`; uses both up."""
    q = len(leave)
    if q == 1:
        np.divide(1.0, leave[0], out=out[0, 0])
        return
    empties = eliminate(T, leave)
    out[...] = 0.0
    for s in range(q - 1, 0, -1):
        out[s, s] = 1.0
        out[s, s:] /= empties[s]
        out[:s, s:] += T[:s, s, None] * out[s, s:]
    out[0, 0] = 1.0
    out[0] /= empties[0]
    for s in range(1, q):
        out[s] += (T[s, :s, None] * out[:s]).sum(axis=0) / empties[s]


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


