"""Pools and atmosphere as a Markov chain that ends: the numerics under ages and durability.

    d/da x(a) = −M x(a),        x(a) = exp(−M a) x(0),        z = 1ᵀ M

A carbon atom in pool j moves to pool i at the rate −M_ij and to the atmosphere at the rate z_j.

====== ======================================= ================ ======== =========
symbol meaning                                 shape            unit     code name
====== ======================================= ================ ======== =========
−M_ij  rate of moving from pool j to pool i    (..., n, n)      yr-1     move
z      rate of leaving from each pool          (..., n)         yr-1     leave
P_k    exp(G h 2^k), G the generator of pools  (..., n+1, n+1)  1        ladder
       and atmosphere
====== ======================================= ================ ======== =========

Two devices keep every digit when rates span many orders of magnitude. Diagonals are never stored:
they follow from the rates of moving and leaving, so elimination and squaring add positive numbers
only (Grassmann, Taksar and Heyman 1985, doi 10.1287/opre.33.5.1107). And exp(−M a) is a product of
the powers P_k whose binary digits make up a, so that no age needs a matrix exponential of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammainc

from landcarbon.matrix.cascade import eliminate
from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.errors import InputError, as_array
from landcarbon.matrix.model import MatrixModel, spread

__all__ = ["Chain", "System", "system"]

Array = NDArray[np.float64]
Model = MatrixModel | LayeredModel | ArrayLike

# Fractions, or columns of M, typed to some decimals may miss their sum by this share.
ROUNDING = 1e-9
EPS = float(np.finfo(float).eps)

# With h q ≤ 1/2 the Taylor series has reached 1e-25 after this many terms.
TERMS = 20


@dataclass(frozen=True)
class Chain:
    """Rates of moving between pools and of leaving to the atmosphere.

    Parameters
    ----------
    move : ndarray (..., n, n)
        Rate of moving from pool j (column) to pool i (row); the diagonal is zero.
    leave : ndarray (..., n)
        Rate of leaving to the atmosphere.
    names : tuple of str
        Names of the n pools, for messages.
    """

    move: Array
    leave: Array
    names: tuple[str, ...]

    @property
    def n(self) -> int:
        """Number of pools."""
        return len(self.names)

    @property
    def outflow(self) -> Array:
        """M (..., n, n) [yr-1]."""
        total = self.move.sum(axis=-2) + self.leave
        return total[..., None, :] * np.eye(self.n) - self.move

    @cached_property
    def rates(self) -> Array:
        """Rates (..., n + 1, n + 1): the atmosphere is the last row and column."""
        n = self.n
        G = np.zeros((*self.leave.shape[:-1], n + 1, n + 1))
        G[..., :n, :n] = self.move
        G[..., n, :n] = self.leave
        return G

    def reached(self, u: Array) -> NDArray[np.bool_]:
        """Pools (..., n) that some carbon of the input u gets to."""
        return spread(self.move > 0, u > 0)

    def way_out(self) -> NDArray[np.bool_]:
        """Pools (..., n) from which carbon gets to the atmosphere in the end."""
        return spread(np.swapaxes(self.move > 0, -1, -2), self.leave > 0)

    def backward(self, u: Array, X: Array) -> Chain:
        """The chain seen backwards in time at the steady state X of the input u.

        An atom in pool j was before in pool i, at the rate −M_ji X_i / X_j, or came in with the
        input, at the rate u_j / X_j. Its time to the door is the age of the carbon in pool j.
        """
        there = X > 0
        both = there[..., :, None] & there[..., None, :]
        X = np.where(there, X, 1.0)
        turn = np.where(both, X[..., :, None] / X[..., None, :], 0.0)
        back = Chain(np.swapaxes(self.move, -1, -2) * turn, np.where(there, u / X, 1.0), self.names)
        # Whether pools are taken out before or after the turn makes no difference.
        G, out = self._eliminated
        inner = np.zeros(np.broadcast_shapes(G.shape[:-2], X.shape[:-1]) + G.shape[-2:])
        inner[..., :-1, :-1] = np.swapaxes(G[..., :-1, :-1], -1, -2) * turn
        back.__dict__["_eliminated"] = inner, np.where(there, out, 1.0)
        return back

    def without(self, pools: NDArray[np.bool_]) -> Chain:
        """The same chain in which carbon of some pools, which nobody asks for, leaves at once."""
        if not pools.any():
            return self
        quick = max(float(self.rates.max()), np.finfo(float).tiny)
        move = np.where(pools[..., None, :], 0.0, self.move)
        return Chain(move, np.where(pools, quick, self.leave), self.names)

    # M⁻¹ without a subtraction: pools are taken out one after the other, last first.

    @cached_property
    def _eliminated(self) -> tuple[Array, Array]:
        """Rates when only the pools up to the larger of the two are left, and all that leaves it."""
        G, n = self.rates.copy(), self.n
        moves = np.moveaxis(G, (-2, -1), (0, 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            out = np.moveaxis(eliminate(moves[:n, :n], moves[n, :n]), 0, -1)
        shut = ~(out > 0)
        if shut.any():
            raise InputError(
                f"Carbon in {self.names[int(np.argwhere(shut)[-1, -1])]} can never leave, so its time to "
                "leave is not finite. Give the pool a turnover rate above 0 and let part of what leaves "
                "it be respired."
            )
        return G, out

    def solve(self, u: Array) -> Array:
        """M⁻¹ u, shape (..., n): the stock that the input u keeps up."""
        G, out = self._eliminated
        X = np.array(np.broadcast_to(u, np.broadcast_shapes(u.shape, out.shape)))
        for k in range(self.n - 1, -1, -1):
            X[..., k] /= out[..., k]
            X[..., :k] += G[..., :k, k] * X[..., k, None]
        for k in range(1, self.n):
            X[..., k] += (G[..., k, :k] * X[..., :k]).sum(axis=-1) / out[..., k]
        return X

    def solve_left(self, r: Array) -> Array:
        """r M⁻¹, shape (..., n): what a reward r per unit time comes to before leaving."""
        G, out = self._eliminated
        m = np.array(np.broadcast_to(r, np.broadcast_shapes(r.shape, out.shape)))
        for k in range(self.n - 1, -1, -1):
            m[..., k] /= out[..., k]
            m[..., :k] += G[..., k, :k] * m[..., k, None]
        for k in range(1, self.n):
            m[..., k] += (G[..., :k, k] * m[..., :k]).sum(axis=-1) / out[..., k]
        return m

    @cached_property
    def mean(self) -> Array:
        """Mean (..., n) of the time to leave, for carbon that starts in each pool."""
        return self.solve_left(np.ones(self.n))

    @cached_property
    def square(self) -> Array:
        """Mean square (..., n) of the time to leave, for carbon that starts in each pool."""
        return 2 * self.solve_left(self.mean)

    # exp(G a), from powers of one short step.

    @cached_property
    def _fastest(self) -> float:
        q = float(self.rates.sum(axis=-2).max())
        if not q > 0:
            raise InputError("All rates are 0: carbon neither moves nor leaves, so it has no age.")
        return q

    @cached_property
    def step(self) -> float:
        """The shortest step h, a power of two with h q ≤ 1/2 (q: the fastest rate)."""
        return float(2.0 ** np.floor(np.log2(0.5 / self._fastest)))

    @cached_property
    def _uniform(self) -> Array:
        """G + q 1 ≥ 0."""
        Q = self.rates.copy()
        diagonal = np.arange(self.n + 1)
        Q[..., diagonal, diagonal] = np.maximum(self._fastest - Q.sum(axis=-2), 0.0)
        return Q

    @cached_property
    def _ladder(self) -> list[Array]:
        qh = self._fastest * self.step
        Qh = self._uniform * self.step
        term = np.broadcast_to(np.exp(-qh) * np.eye(self.n + 1), Qh.shape)
        P = term.copy()
        for j in range(1, TERMS):
            term = Qh @ term / j
            P += term
        return [_close(P)]

    def power(self, k: int) -> Array:
        """P_k = exp(G h 2^k), shape (..., n + 1, n + 1)."""
        ladder = self._ladder
        while len(ladder) <= k:
            ladder.append(_close(ladder[-1] @ ladder[-1]))
        return ladder[k]

    def rows(self, start: Array, a: Array) -> Array:
        """start · exp(G a), shape (..., ages, n + 1), for a row `start` (..., n + 1)."""
        digits, rest = self._digits(a)
        powers = np.arange(TERMS)
        terms = np.empty((*np.broadcast_shapes(start.shape, self.rates.shape[:-1])[:-1], TERMS, self.n + 1))
        terms[..., 0, :] = start
        for j in range(1, TERMS):
            terms[..., j, :] = (terms[..., j - 1, None, :] @ self._uniform)[..., 0, :] / j
        weight = np.exp(-self._fastest * rest)[:, None] * rest[:, None] ** powers
        w = weight @ terms
        for k, chosen in enumerate(digits):
            if chosen.any():
                w[..., chosen, :] = w[..., chosen, :] @ self.power(k)
        return w

    def _digits(self, a: Array) -> tuple[list[NDArray[np.bool_]], Array]:
        """Which steps h 2^k make up each age, and the rest below h. No rounding."""
        rest = np.array(a, dtype=float)
        top = int(np.floor(np.log2(max(float(rest.max(initial=0.0)), self.step) / self.step)))
        digits = []
        for k in range(top, -1, -1):
            chosen = rest >= self.step * 2.0**k
            rest[chosen] -= self.step * 2.0**k
            digits.append(chosen)
        return digits[::-1], rest

    def survival(self, a: Array) -> Array:
        """Share (..., ages, n) of what starts in each pool that is still there after a."""
        start = np.ones(self.n + 1)
        start[-1] = 0.0
        return self.rows(start, a)[..., :-1]

    def gone(self, a: Array) -> Array:
        """Share (..., ages, n) of what starts in each pool that has left after a."""
        start = np.zeros(self.n + 1)
        start[-1] = 1.0
        return self.rows(start, a)[..., :-1]

    def leaving(self, a: Array) -> Array:
        """Density (..., ages, n) of the time to leave, for carbon that starts in each pool."""
        start = np.concatenate([self.leave, np.zeros((*self.leave.shape[:-1], 1))], axis=-1)
        return self.rows(start, a)[..., :-1]

    def stay(self, t: Array) -> Array:
        """∫ survival from 0 to t, shape (..., times, n) [yr], by sums of positive terms."""
        digits, rest = self._digits(t)
        n, q = self.n, self._fastest
        lead = self.rates.shape[:-2]
        row = np.ones(n + 1)
        row[-1] = 0.0
        short = np.zeros((*lead, 1, n + 1))
        w = np.zeros((*lead, rest.size, n + 1))
        v = np.broadcast_to(row, (*lead, 1, n + 1))
        for j in range(TERMS):
            w += (gammainc(j + 1, q * rest) / q)[:, None] * v
            short += gammainc(j + 1, q * self.step) / q * v
            v = v @ self._uniform / q
        for k, chosen in enumerate(digits):
            P = self.power(k)
            w[..., chosen, :] = short + w[..., chosen, :] @ P
            short = short + short @ P
        return w[..., :-1]

    def quantile(self, start: Array, q: Array) -> Array:
        """Time by which a share q of each column of `start` (..., n, columns) has left.

        The binary digits of the time are found on the ladder, the rest below h by Newton's
        method on a series that is monotone term by term, inside a bracket.
        """
        x = np.concatenate([start, np.zeros((*start.shape[:-2], 1, start.shape[-1]))], axis=-2)
        x = np.array(np.broadcast_to(x, (*np.broadcast_shapes(x.shape[:-2], self.rates.shape[:-2]), *x.shape[-2:])))
        low = q <= 0.5  # in the lower half the share that has left has the more digits

        def passed(y: Array) -> NDArray[np.bool_]:
            return np.where(low, y[..., -1, :] >= q, y[..., :-1, :].sum(axis=-2) <= 1 - q)

        top = 0
        while not passed(self.power(top) @ x).all():
            top += 1
            if top > 1000:
                raise InputError("A quantile lies beyond 1e300 years; is a turnover rate far too small?")
        a = np.zeros((*x.shape[:-2], x.shape[-1]))
        for k in range(top, -1, -1):
            y = self.power(k) @ x
            before = ~passed(y)
            a += np.where(before, self.step * 2.0**k, 0.0)
            x = np.where(before[..., None, :], y, x)
        return a + self._within_step(x, q, low, a)

    def _within_step(self, x: Array, q: Array, low: NDArray[np.bool_], a: Array) -> Array:
        """The root of share(a + r) = q with 0 ≤ r ≤ h."""
        level = np.where(low, q, 1 - q)
        share, density = [], []
        for j in range(TERMS):
            here = x[..., :-1, :]
            share.append(np.where(low, x[..., -1, :], here.sum(axis=-2)))
            density.append((self.leave[..., None] * here).sum(axis=-2))
            x = self._uniform @ x / (j + 1)
        sign = np.where(low, 1.0, -1.0)
        left, right = np.zeros(a.shape), np.full(a.shape, self.step)
        r = np.zeros(a.shape)
        for _ in range(200):
            fade = np.exp(-self._fastest * r)
            miss = sign * (fade * _polynomial(share, r) - level)  # increases with r
            slope = fade * _polynomial(density, r)
            left = np.where(miss <= 0, r, left)
            right = np.where(miss >= 0, r, right)
            with np.errstate(divide="ignore", invalid="ignore"):
                newton = r - miss / slope
            inside = (newton > left) & (newton < right)
            new = np.where(miss == 0, r, np.where(inside, newton, (left + right) / 2))
            close = np.abs(new - r) <= 2 * EPS * (a + r)
            r = new
            if close.all():
                break
        return r


def _close(P: Array) -> Array:
    """Columns sum to 1; a diagonal near 1 is what the other entries, known to all digits, leave."""
    n = P.shape[-1]
    diagonal = np.arange(n)
    old = P[..., diagonal, diagonal].copy()
    P[..., diagonal, diagonal] = 0.0
    rest = 1.0 - P.sum(axis=-2)
    P[..., diagonal, diagonal] = np.where(rest > 0.5, rest, old)
    return P


def _polynomial(coefficients: list[Array], r: Array) -> Array:
    value = np.zeros(r.shape)
    for c in reversed(coefficients):
        value = value * r + c
    return value


@dataclass(frozen=True)
class System:
    """A model with its input, read as a chain of pools."""

    chain: Chain
    u: Array
    """Input of each pool (..., n) [gC m-2 yr-1]."""
    shape: tuple[int, ...]
    """Axes of the pools: (n,), or (pool, layer) for a soil column."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the n pools."""
        return self.chain.names


def system(model: Model, I: ArrayLike | None = None, xi: ArrayLike = 1.0) -> System:
    """Read any model as a chain of stocks per area.

    Parameters
    ----------
    model : MatrixModel, LayeredModel or array_like (..., n, n)
        An array is the outflow matrix M of stocks (not concentrations) [yr-1].
    I : float or array_like, optional
        Input in the form that the model takes: the total (..., ) or (..., inputs) for a
        MatrixModel, (..., pool, layer) for a LayeredModel, (..., n) for a matrix M. One unit into
        each pool if not given.
    xi : float or array_like (..., n) or (..., pool, layer)
        Environmental scalar of a model.

    Raises
    ------
    InputError
        A matrix with a wrong sign, or whose columns create carbon.
    """
    if isinstance(model, MatrixModel):
        return _of_pools(model, I, xi)
    if isinstance(model, LayeredModel):
        p, L = model.state_shape
        b = np.ones((p, L)) if I is None else as_array("I", I, shape=(p, L), lower=0.0)
        flat, _ = model.under(xi).as_matrix_model(np.ones((p, L)))
        u = b * model.layers.thickness
        return System(_of_pools(flat, None, 1.0).chain, u.reshape(*u.shape[:-2], p * L), (p, L))
    _no_scalar(xi, "multiply the columns of M by xi")
    return _of_matrix(model, I)


def _of_pools(model: MatrixModel, I: ArrayLike | None, xi: ArrayLike) -> System:
    M = model.outflow_matrix(xi)
    mixing = 0.0 if model.V is None else np.diagonal(model.V, axis1=-2, axis2=-1)
    rate = np.diagonal(M, axis1=-2, axis2=-1) - mixing
    respired = model.respired_fraction
    respired = np.where(respired > 4 * model.n * EPS, respired, 0.0)
    u = np.ones(model.n) if I is None else as_array("I", model.input(I), lower=0.0)
    leave = respired * rate
    return System(Chain(_moving(M), leave, model.pools), u, (model.n,))


def _of_matrix(M: ArrayLike, u: ArrayLike | None) -> System:
    M = as_array("M", M, hint="M is the outflow matrix of dX/dt = u − M X.")
    if M.ndim < 2 or M.shape[-1] != M.shape[-2]:
        raise InputError(f"M must end in a square matrix, but its shape is {M.shape}.")
    n = M.shape[-1]
    names = tuple(f"pool {j}" for j in range(n))
    if np.any(np.diagonal(M, axis1=-2, axis2=-1) < 0) or np.any(M * (1 - np.eye(n)) > 0):
        raise InputError(
            "M must have a diagonal that is not negative and no positive entry off it: "
            "dX/dt = u − M X. With the other sign convention, give −M."
        )
    leave = M.sum(axis=-2)
    scale = np.abs(M).sum(axis=-2)
    if np.any(leave < -ROUNDING * scale):
        j = int(np.argwhere(leave < -ROUNDING * scale)[0, -1])
        raise InputError(
            f"Column {j} of M sums to {leave[..., j].min():.4g} per year: more leaves pool {j} for the "
            "others than leaves it at all. For concentrations in layers, give the LayeredModel."
        )
    leave = np.where(leave > 4 * n * EPS * scale, leave, 0.0)
    given = np.ones(n) if u is None else as_array("u", u, shape=(n,), lower=0.0)
    return System(Chain(_moving(M), leave, names), given, (n,))


def _moving(M: Array) -> Array:
    return np.abs(M * (1 - np.eye(M.shape[-1])))


def _no_scalar(xi: ArrayLike, instead: str) -> None:
    if np.ndim(xi) > 0 or xi != 1.0:
        raise InputError(f"xi is for a model; {instead}.")
