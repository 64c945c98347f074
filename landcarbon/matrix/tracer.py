r"""A tracer that columns at steady state take in and lose: ¹⁴C through the bomb years, and its adjoint.

::

    dY/dt = F(t) I − (M + λ) Y,     Y(t_0) = F(t_0) (M + λ)⁻¹ I,     F linear between the knots of t
    (M + λ + 1/γh) Y_i = (Y_n + h Σ_{j<i} a_ij k_j)/γh + F(t_n + c_i h) I,     k_i = (Y_i − …)/γh
    Y_{n+1} = Y_3

========== ================================================ =============== ============= ==============
symbol     meaning                                          shape           unit          code name
========== ================================================ =============== ============= ==============
Y          tracer, as the carbon that would hold as much    (..., p, L)     gC m-3        Y
I          input of carbon                                  (..., p, L)     gC m-3 yr-1   I
F          ratio of tracer to carbon in the input           (..., knot)     1             ratio
M          outflow matrix A K + V of the column             (..., pL, pL)   yr-1          model
λ          decay                                            ()              yr-1          decay
t, h       knots, and the steps between them                (knot,)         yr            knots
a, c, γ    stages of a step                                 (3, 3), (3,)    1             STAGES, GAMMA
========== ================================================ =============== ============= ==============

Three stages a step, each one pass of the cascade with 1/γh more on the diagonal; the factors of all
steps of one length are shared. The method is of third order and damps what is fast (it is L-stable), and
it is exact where the solution is a straight line, so that pools which follow the input at once follow it.
The adjoint takes the same stages backwards with the transposed factors.

The steps: Alexander (1977), SIAM J. Numer. Anal. 14, 1006, doi 10.1137/0714068. Their adjoint is that of
the discrete steps, not of the equation, and so is exact to rounding: Hager (2000), Numer. Math. 87, 247,
doi 10.1007/s002110000178.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix import cascade
from landcarbon.matrix.cascade import Plan, Rates
from landcarbon.matrix.column import LayeredGradient, LayeredModel
from landcarbon.matrix.errors import InputError, as_array, as_kind, as_number
from landcarbon.matrix.solve import one_axis, ordered

__all__ = ["tracer", "tracer_and_vjp"]

Array = NDArray[np.float64]

GAMMA = 0.43586652150845899942  # root of 1/6 − 3/2 γ + 3 γ² − γ³ in (1/6, 1/2)
_B1 = -(6.0 * GAMMA**2 - 16.0 * GAMMA + 1.0) / 4.0
_B2 = (6.0 * GAMMA**2 - 20.0 * GAMMA + 5.0) / 4.0
STAGES = np.array([[GAMMA, 0.0, 0.0], [0.5 * (1.0 - GAMMA), GAMMA, 0.0], [_B1, _B2, GAMMA]])
TIMES = STAGES.sum(axis=1)
CHUNK, KEPT = 512, 192  # columns at once; with every stage kept, for the way back


def tracer(
    model: LayeredModel, I: ArrayLike, knots: ArrayLike, ratio: ArrayLike, end: ArrayLike, decay: float = 0.0
) -> Array:
    """The tracer in columns whose carbon is at steady state, each at a time of its own.

    Parameters
    ----------
    model : LayeredModel
        The columns under their mean conditions.
    I : array_like (..., p, L)
        Input of carbon [gC m-3 yr-1].
    knots : array_like (knot,)
        Times [yr], rising. Before the first the ratio was always what it is then.
    ratio : array_like (..., knot)
        Of tracer to carbon in the input, linear in between.
    end : array_like of int (...)
        Which knot each column is asked for.
    decay : float
        Rate [yr-1].

    Returns
    -------
    ndarray (..., p, L)
        [gC m-3]

    Raises
    ------
    InputError
        Knots that do not rise, a ratio of other knots, an end that is none of them.

    Examples
    --------
    A tracer that comes with every gram and does not decay is the carbon itself:

    >>> from landcarbon.models import clm5
    >>> site = clm5.Forcing(np.full((20, 12), 285.15), np.full((20, 12), 0.5), [40, 120, 180, 60])
    >>> column, I = clm5.column(clm5.DEFAULT, site)
    >>> Y = tracer(column, I, knots=[1950, 1960, 1961], ratio=[1, 1, 1], end=2)
    >>> bool(np.allclose(Y, column.steady_state(I), rtol=1e-10))
    True
    """
    work = _Work.read(model, I, knots, ratio, end, decay)
    out = np.empty((math.prod(work.lead), *model.state_shape))
    for c, rates in work.parts(CHUNK):
        work.place(out, c, work.forward(c, rates, None))
    return out.reshape(*work.lead, *model.state_shape)


def tracer_and_vjp(
    model: LayeredModel, I: ArrayLike, knots: ArrayLike, ratio: ArrayLike, end: ArrayLike, decay: float = 0.0
) -> tuple[Array, Callable[[ArrayLike], LayeredGradient]]:
    """The same, and a function that carries a gradient back through all steps.

    Parameters
    ----------
    model, I, knots, ratio, end, decay
        As for `tracer`.

    Returns
    -------
    Y : ndarray (..., p, L)
    pullback : callable
        ∂J/∂Y (..., p, L) → LayeredGradient, one per column. It runs forward again, some columns at a time,
        to have every stage at hand: keeping them would take 0.3 MB a column.
    """
    work = _Work.read(model, I, knots, ratio, end, decay)
    return tracer(model, I, knots, ratio, end, decay), work.pullback


@dataclass(frozen=True, eq=False)
class _Work:
    model: LayeredModel
    plan: Plan
    lead: tuple[int, ...]
    b: Array  # (N, p, L)
    knots: Array
    F: Array  # (knot, N)
    end: NDArray[np.intp]  # (N,)
    decay: float

    @classmethod
    def read(cls, model: Any, I: Any, knots: Any, ratio: Any, end: Any, decay: float) -> _Work:
        as_kind("model", model, LayeredModel)
        b, t = model.input(I), as_array("knots", knots)
        if t.ndim != 1 or t.size < 2 or np.any(np.diff(t) <= 0):
            raise InputError(f"knots has shape {t.shape}; it must be a row of two times or more that rise.")
        F = as_array("ratio", ratio, shape=(t.size,), lower=0.0, hint="One ratio for each knot.")
        at = as_array("end", end, lower=0.0, upper=t.size - 1, hint="The number of a knot, from 0.")
        if np.any(at != np.round(at)):
            raise InputError("end counts knots: whole numbers from 0.")
        try:
            lead = np.broadcast_shapes(model.shape, b.shape[:-2], F.shape[:-1], at.shape)
        except ValueError:
            raise InputError(
                f"the columns {model.shape}, the input {b.shape[:-2]}, ratio {F.shape[:-1]} and end {at.shape} "
                "have leading axes that do not fit together."
            ) from None
        rate = as_number("decay", decay, lower=0.0)
        rows = np.broadcast_to(at, lead).reshape(-1).astype(int)
        return cls(model, model.plan(), lead, one_axis(b, 2, lead), t, one_axis(F, 1, lead).T, rows, rate)

    def parts(self, most: int) -> Iterator[tuple[slice, Rates]]:
        for part in self.model._parts(self.plan, self.lead, "cascade", True, 0.0, most):
            yield part.columns, part.rates

    def place(self, out: Array, c: slice, Y: Array) -> None:
        """Stocks (L, p, N) as concentrations of some columns."""
        dz = self.model.layers.thickness[:, None]
        for k, pool in enumerate(self.plan.order):
            out[c, pool] = (Y[:, k] / dz).T

    def inflow(self, c: slice) -> Array:
        """Input per area (L, p, N)."""
        b = self.b[c]
        return ordered(np.empty((b.shape[2], b.shape[1], len(b))), b, self.plan.order) * (
            self.model.layers.thickness[:, None, None]
        )

    def solvers(self, rates: Rates) -> Callable[[float], tuple[Rates, list[Array]]]:
        """Rates and factors of (M + rate)⁻¹, each made once."""
        made: dict[float, tuple[Rates, list[Array]]] = {}

        def of(rate: float) -> tuple[Rates, list[Array]]:
            if rate not in made:
                L, _, N = rates.K.shape
                here = rates._replace(relaxing=rate)
                blocks = [(s.size, s.size, (s.pools.stop - s.pools.start) // s.size) for s in self.plan.stages]
                factors = [np.empty((L, *block, N)) for block in blocks]
                cascade.factorise(self.plan, here, factors)
                made[rate] = here, factors
            return made[rate]

        return of

    def steps(self, c: slice) -> list[tuple[float, float, Array]]:
        """Up to the last end: length, 1/γh, and the ratio at each stage (3, N)."""
        F, found = self.F[:, c], []
        for k in range(int(self.end[c].max())):
            h = round(float(self.knots[k + 1] - self.knots[k]), 9)  # alike steps share their factors
            found.append((h, 1.0 / (GAMMA * h), F[k] + TIMES[:, None] * (F[k + 1] - F[k])))
        return found

    def forward(self, c: slice, rates: Rates, kept: list[Array] | None) -> Array:
        """Stocks (L, p, N) of each column at its end; every stage is kept where there is a list for them."""
        of, u, end, plan = self.solvers(rates), self.inflow(c), self.end[c], self.plan
        Y = self.F[0, c] * u
        cascade.substitute(plan, of(self.decay)[0], Y, of(self.decay)[1])
        out = Y.copy()
        if kept is not None:
            kept.append(Y)
        for k, (h, slow, F) in enumerate(self.steps(c), start=1):
            here, factors = of(slow + self.decay)
            slopes: list[Array] = []
            for a, f in zip(STAGES, F):
                start = Y + sum((h * a[j] * slope for j, slope in enumerate(slopes)), np.zeros(()))
                stage = start * slow + f * u
                cascade.substitute(plan, here, stage, factors)
                if kept is not None:
                    kept.append(stage)
                slopes.append((stage - start) * slow)
            Y = stage
            out[..., end == k] = Y[..., end == k]
        return out

    def pullback(self, dY: ArrayLike) -> LayeredGradient:
        state = self.model.state_shape
        given = as_array("dY", dY, shape=state)
        dY = one_axis(np.broadcast_to(given, (*self.lead, *state)), 2, self.lead)

        def adjoints() -> Iterator[tuple[slice, Rates, Array, Array, Array]]:
            for c, rates in self.parts(KEPT):
                yield c, rates, *self.backward(c, rates, dY[c])

        return self.model._gradient(self.lead, adjoints())

    def backward(self, c: slice, rates: Rates, dY: Array) -> tuple[Array, Array, Array]:
        """λ and stocks of every stage (stage, L, p, N), and the worth of the input (L, p, N)."""
        kept: list[Array] = []
        self.forward(c, rates, kept)
        of, end, plan, steps = self.solvers(rates), self.end[c], self.plan, self.steps(c)
        asked = ordered(np.empty_like(kept[0]), dY, plan.order) / self.model.layers.thickness[:, None, None]
        lam = np.empty((len(kept), *kept[0].shape))
        worth = np.zeros_like(asked)
        G = np.zeros_like(asked)
        for k in range(len(steps), 0, -1):
            h, slow, F = steps[k - 1]
            here, factors = of(slow + self.decay)
            G[..., end == k] += asked[..., end == k]
            slopes = [np.zeros_like(G) for _ in STAGES]
            before = np.zeros_like(G)
            for i in (2, 1, 0):
                w = lam[3 * (k - 1) + i + 1]
                w[...] = slopes[i] * slow
                if i == 2:
                    w += G
                cascade.solve_transposed(plan, here, w, factors)
                worth += F[i] * w
                start = (w - slopes[i]) * slow
                before += start
                for j in range(i):
                    slopes[j] += h * STAGES[i, j] * start
            G = before
        G[..., end == 0] += asked[..., end == 0]
        lam[0] = G
        cascade.solve_transposed(plan, of(self.decay)[0], lam[0], of(self.decay)[1])
        worth += self.F[0, c] * lam[0]
        return lam, np.stack(kept), worth
