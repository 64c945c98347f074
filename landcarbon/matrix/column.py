"""A column of soil: pools in layers, many columns at once, and their adjoint.

    dX/dt = I − A ξ K X − V X      for every pool and layer;      M = A ξ K + V,      X* = M⁻¹ I

====== ============================================== =============== ============= ==============
symbol meaning                                        shape           unit          code name
====== ============================================== =============== ============= ==============
X      carbon                                         (..., p, L)     gC m-3        X
I      input                                          (..., p, L)     gC m-3 yr-1   I
A      transfer between pools, the same in all layers (..., p, p)     1             A
ξ      environmental scalar                           (..., p, L)     1             xi
K      turnover rate                                  (..., p, L)     yr-1          K
V      mixing between layers: rates down and up       (..., L−1)      yr-1          down, up
m      strength of the mixing of each pool            (p,)            1             mixed
M      outflow matrix, pool-major                     (..., pL, pL)   yr-1          outflow_matrix
λ      M⁻ᵀ ∂J/∂X: worth of a unit of input            (..., p, L)     of J          LayeredGradient.I
====== ============================================== =============== ============= ==============

The words are those of `landcarbon.matrix.model`: what takes a MatrixModel takes a column. Many columns
are solved together by the cascade, a few one by one; see `landcarbon.matrix.solve`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix import cascade, solve, typeset
from landcarbon.matrix.cascade import Plan, Rates
from landcarbon.matrix.errors import InputError, as_array, as_kind, as_number, as_whole
from landcarbon.matrix.frozen import altered, keep
from landcarbon.matrix.layers import SoilLayers, exchange_rates, face_diffusivity, transport_matrix
from landcarbon.matrix.model import (
    MatrixModel,
    check_names,
    check_rates,
    check_transfers,
    find_pool,
)
from landcarbon.matrix.solve import (
    FEW,
    METHODS,
    OTHERS,
    Banded,
    blocks_of,
    one_axis,
    ordered,
    split_columns,
    together,
)
from landcarbon.matrix.steps import Move, Stepper, stepper

__all__ = ["LayeredGradient", "LayeredModel"]

Array = NDArray[np.float64]

TRUSTED = 1e-11  # relative correction after which a banded solution is taken


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
        Turnover rate of each pool in each layer [yr-1].
    down, up : array_like (..., L−1)
        Exchange between neighbouring layers [yr-1], see `layers.exchange_rates`.
    mixed : sequence of float (p,), optional
        How strongly each pool is mixed: its exchange is so many times `down` and `up`. True and
        False are 1 and 0; all 1 if not given.

    Examples
    --------
    >>> from landcarbon.matrix.layers import SoilLayers, exchange_rates
    >>> layers = SoilLayers([0.1, 0.2, 0.7])
    >>> down, up = exchange_rates([1e-3, 1e-3], layers)
    >>> column = LayeredModel(("litter", "soil"), layers, A=[[1, 0], [-0.5, 1]],
    ...                       K=[[2, 2, 2], [0.1, 0.05, 0.01]], down=down, up=up)
    >>> column.steady_state(I=[[1000, 500, 0], [0, 0, 0]]).round(1)
    array([[4.9200e+02, 2.5260e+02, 4.0000e-01],
           [4.7438e+03, 4.4793e+03, 1.1097e+03]])
    """

    pools: tuple[str, ...]
    layers: SoilLayers
    A: Array
    K: Array
    down: Array
    up: Array
    mixed: tuple[float, ...] = None  # type: ignore[assignment]

    dims: ClassVar[tuple[str, ...]] = ("pool", "layer")
    unit: ClassVar[str] = "gC m-3"

    def __post_init__(self) -> None:
        pools = check_names(self.pools)
        as_kind("layers", self.layers, SoilLayers)
        p, L = len(pools), len(self.layers)
        each = f"There are {p} pools ({', '.join(pools)}) and {L} layers."
        mixed = np.ones(p) if self.mixed is None else as_array("mixed", self.mixed, lower=0.0, hint=each)
        if mixed.shape != (p,):
            raise InputError(f"mixed has {mixed.size} entries; say how strongly for each pool. {each}")
        A = as_array("A", self.A, shape=(p, p), hint=each)
        check_transfers(A, pools)
        K = as_array("K", self.K, shape=(p, L), hint=each)
        check_rates(K, pools, axis=-2)
        down = as_array("down", self.down, shape=(L - 1,), lower=0.0, hint=each)
        up = as_array("up", self.up, shape=(L - 1,), lower=0.0, hint=each)
        keep(self, pools=pools, A=A, K=K, down=down, up=up, mixed=tuple(mixed.tolist()))

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
        plan = self.plan()
        places = [
            np.arange(s.pools.start, s.pools.stop).reshape(s.size, -1).T for s in plan.stages
        ]
        return tuple(
            tuple(self.pools[plan.order[k]] for k in group) for stage in places for group in stage
        )

    @property
    def state_shape(self) -> tuple[int, int]:
        """Last axes of a state: (p, L)."""
        return len(self.pools), len(self.layers)

    @property
    def input_shape(self) -> tuple[int, int]:
        """Last axes of the input I: (p, L)."""
        return self.state_shape

    @property
    def coords(self) -> dict[str, Any]:
        """Labels of the axes of a state."""
        return {
            "pool": ("pool", list(self.pools)),
            "depth": ("layer", self.layers.node, {"units": "m", "long_name": "depth of the node"}),
            "thickness": ("layer", self.layers.thickness, {"units": "m", "long_name": "of the layer"}),
        }

    @property
    def respired_fraction(self) -> Array:
        """Fraction (..., p, 1) of what leaves each pool that goes to the atmosphere: 1 − Σ_i f_ij."""
        return np.maximum(self.A.sum(axis=-2), 0.0)[..., None]

    def replace(self, **changes: Any) -> LayeredModel:
        """A copy of the column with some of its parts changed."""
        try:
            return dataclasses.replace(self, **changes)
        except TypeError:
            known = [f.name for f in dataclasses.fields(self)]
            unknown = sorted(set(changes) - set(known))
            raise InputError(f"A LayeredModel has {known}, not {unknown}.") from None

    def with_mixing(self, diffusivity: ArrayLike, velocity: ArrayLike = 0.0) -> LayeredModel:
        """A copy mixed otherwise, such as V(t) of a run in which the soil freezes and thaws.

        Parameters
        ----------
        diffusivity : array_like (..., L)
            Of each layer [m2 yr-1]; it is carried to the faces by `layers.face_diffusivity`.
        velocity : array_like (..., L−1)
            Positive downward [m yr-1].

        Examples
        --------
        Mixed down to where it is thawed, at most 1 m in spring and not at all in autumn:

        >>> from landcarbon.matrix.simulate import simulate
        >>> soil = SoilLayers([0.2, 0.3, 0.5])
        >>> column = LayeredModel(("soil",), soil, [[1]], [[0.1, 0.05, 0.02]], [0, 0], [0, 0])
        >>> thaw = lambda t: 0.5 + 0.5 * np.sin(2 * np.pi * t)
        >>> run = simulate(lambda t: column.with_mixing(1e-3 * (soil.node < thaw(t))),
        ...                np.arange(0, 25) / 12, X0=[[1000.0, 0.0, 0.0]], I=np.zeros((1, 1, 3)))
        >>> run.X[-1].values.round(1)
        array([[797.4,  15. ,   0. ]])
        """
        faces = face_diffusivity(diffusivity, self.layers)
        down, up = exchange_rates(faces, self.layers, velocity)
        return self.replace(down=down, up=up)

    def __repr__(self) -> str:
        return typeset.card(self)

    def latex(self, part: str = "equation", digits: int = 3) -> str:
        r"""The column as it is written: "equation", "A", "V", a block "A31", "V22", or "V22 numbers".

        Pools are counted from 1, as on paper; g and h are the conductances of `matrix.typeset`.

        Examples
        --------
        >>> from landcarbon.matrix.layers import SoilLayers, exchange_rates
        >>> soil = SoilLayers([0.1, 0.2, 0.7])
        >>> column = LayeredModel(("litter", "soil"), soil, [[1, 0], [-0.4, 1]], np.ones((2, 3)),
        ...                       *exchange_rates([1e-3, 1e-3], soil), mixed=(False, True))
        >>> print(column.latex("A21"))
        \mathbf{A}_{21} = \mathrm{diag}(-0.4, \ldots, -0.4)
        >>> print(column.latex("V22").partition("pmatrix} ")[2])
        g_{1} & -h_{2} & 0 \\ -g_{1} & h_{2} + g_{2} & -h_{3} \\ 0 & -g_{2} & h_{3} \end{pmatrix}
        """
        return typeset.of_column(self, part, digits)

    def index(self, pool: str, layer: int = 1) -> int:
        """Place of a pool's layer, counted from 1, among the p·L rows of `outflow_matrix`."""
        layer = as_whole("layer", layer)
        if not 1 <= layer <= len(self.layers):
            raise InputError(f"layer is {layer}; layers are counted from 1 to {len(self.layers)}.")
        return find_pool(pool, self.pools) * len(self.layers) + layer - 1

    def outflow_matrix(self, xi: ArrayLike = 1.0) -> Array:
        """M (..., pL, pL) [yr-1] acting on concentrations; entry (pool i, layer l) is i·L + l."""
        (p, L), now = self.state_shape, self.under(xi)
        M = np.zeros((*now.shape, p, L, p, L))
        V = transport_matrix(now.down, now.up, now.layers)
        layer = np.arange(L)
        for i in range(p):
            for j in range(p):
                M[..., i, layer, j, layer] = now.A[..., i, j, None] * now.K[..., j, :]
            if now.mixed[i]:
                M[..., i, :, i, :] += now.mixed[i] * V
        return M.reshape(*now.shape, p * L, p * L)

    def stock_matrix(self, xi: ArrayLike = 1.0) -> Array:
        """M (..., pL, pL) [yr-1] acting on stocks per layer [gC m-2]."""
        dz = np.tile(self.layers.thickness, len(self.pools))
        return self.outflow_matrix(xi) * (dz[:, None] / dz)

    def stocks(self, X: ArrayLike) -> Array:
        """(..., p, L) [gC m-3] as one row of stocks per layer (..., pL) [gC m-2]."""
        X = as_array("X", X, shape=self.state_shape) * self.layers.thickness
        return X.reshape(*X.shape[:-2], -1)

    def concentrations(self, stocks: ArrayLike) -> Array:
        """A row of stocks per layer (..., pL) [gC m-2] as concentrations (..., p, L) [gC m-3]."""
        p, L = self.state_shape
        row = as_array("stocks", stocks, shape=(p * L,))
        return row.reshape(*row.shape[:-1], p, L) / self.layers.thickness

    def under(self, xi: ArrayLike) -> LayeredModel:
        """The column under an environment: its K is ξ K."""
        scalar = as_array("xi", xi, lower=0.0, hint="xi multiplies the turnover rates.")
        if scalar.ndim == 0 and scalar == 1:
            return self
        p, L = self.state_shape
        try:
            K = np.asarray(scalar * self.K)
        except ValueError:
            K = scalar
        if K.shape[-2:] != (p, L):
            raise InputError(
                f"xi has shape {scalar.shape}; give one number, or ({p}, {L}) for each pool and layer. "
                "Either may be 1, and leading axes are columns."
            )
        return altered(self, K=K)

    def input(self, I: ArrayLike) -> Array:
        """The input of each pool and layer (..., p, L) [gC m-3 yr-1]: what is given, looked at."""
        return as_array(
            "I", I, shape=self.state_shape, lower=0.0,
            hint=f"Input per pool ({', '.join(self.pools)}) and layer.",
        )

    def derivative(self, X: ArrayLike, I: ArrayLike, xi: ArrayLike = 1.0) -> Array:
        """dX/dt = I − M X (..., p, L) [gC m-3 yr-1], without the large matrix."""
        X = as_array("X", X, shape=self.state_shape, hint=f"The pools are {', '.join(self.pools)}.")
        return self.under(xi)._left_over(X, self.input(I))

    def _left_over(self, X: Array, b: Array) -> Array:
        """b − M X, from the fluxes."""
        dz = self.layers.thickness
        stock = X * dz
        sinks = self.down[..., None, :] * stock[..., :-1] - self.up[..., None, :] * stock[..., 1:]
        sinks = np.asarray(self.mixed)[:, None] * sinks
        left = b - self.A @ (self.K * X)
        if left.shape != sinks.shape[:-1] + left.shape[-1:]:
            left = np.broadcast_to(left, (*sinks.shape[:-1], left.shape[-1])).copy()
        left[..., :-1] -= sinks / dz[:-1]
        left[..., 1:] += sinks / dz[1:]
        return left

    def respiration(self, X: ArrayLike, xi: ArrayLike = 1.0) -> Array:
        """Flux from each pool and layer to the atmosphere (..., p, L) [gC m-3 yr-1]."""
        X = as_array("X", X, shape=self.state_shape, hint=f"The pools are {', '.join(self.pools)}.")
        return np.asarray(self.respired_fraction * self.under(xi).K * X, dtype=np.float64)

    def leaving_rates(self, xi: ArrayLike = 1.0) -> Array:
        """Rates at which each pool and layer empties (..., p, L) [yr-1]: the diagonal of M."""
        now, none = self.under(xi), np.zeros((*self.down.shape[:-1], 1))
        moves = np.concatenate([now.down, none], axis=-1) + np.concatenate([none, now.up], axis=-1)
        return now.K + np.asarray(self.mixed)[:, None] * moves[..., None, :]

    def step(
        self, X: ArrayLike, I: ArrayLike, h: float, xi: ArrayLike = 1.0, method: str = "implicit"
    ) -> tuple[Array, Array]:
        """State after a step of h years, and ∫ X dt over it; see `landcarbon.matrix.steps`."""
        X = as_array("X", X, shape=self.state_shape, hint=f"The pools are {', '.join(self.pools)}.")
        h = as_number("h", h, lower=0.0, strict=True, hint="The length of the step in years.")
        return stepper(method).column(self.under(xi), h)(X, self.input(I))

    def stepping(self, xi: ArrayLike) -> tuple[bytes | None, Callable[[Stepper, float], Move]]:
        """What a step under xi depends on, and a function of (stepper, h) that makes it."""
        now = self.under(xi)
        # Steps of many columns are not kept: what is kept of them would outgrow the memory.
        few = math.prod(now.shape) < FEW
        key = b"".join(part.tobytes() for part in (now.A, now.K, now.down, now.up)) if few else None
        return key, lambda how, h: how.column(now, h)

    def as_matrix_model(self, I: ArrayLike) -> tuple[MatrixModel, Array]:
        """The same column as one flat MatrixModel of stocks per layer [gC m-2], and its total input.

        Parameters
        ----------
        I : array_like (..., p, L)
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
        stock = self.input(I) * dz
        total = stock.sum(axis=(-2, -1))
        ratio = dz[:, None] / dz  # a concentration's matrix acting on stocks
        V1 = transport_matrix(self.down, self.up, self.layers) * ratio
        V = np.zeros((*V1.shape[:-2], p, L, p, L))
        for i in range(p):
            V[..., i, :, i, :] = self.mixed[i] * V1
        model = MatrixModel(
            tuple(f"{name}[{l + 1}]" for name in self.pools for l in range(L)),
            A=np.kron(self.A, np.eye(L)).astype(float),
            K=self.K.reshape(*self.K.shape[:-2], p * L),
            B=(stock / total[..., None, None]).reshape(*stock.shape[:-2], p * L),
            V=V.reshape(*V1.shape[:-2], p * L, p * L),
        )
        return model, total

    def steady_state(self, I: ArrayLike, xi: ArrayLike = 1.0, method: str | None = None) -> Array:
        """X* = M⁻¹ I.

        Parameters
        ----------
        I : array_like (..., p, L)
            Input of each pool and layer [gC m-3 yr-1], not negative.
        xi : float or array_like (..., p, L)
            Environmental scalar.
        method : {"cascade", "block", "banded", "dense"}, optional
            How to solve. If not given, many columns go through the cascade, a few are solved one by one
            where that is accurate. All give the same numbers, but where layers that hardly decompose
            are cut off from the others: there only the cascade stays accurate, and positive.

        Returns
        -------
        ndarray (..., p, L)
            [gC m-3]

        Raises
        ------
        InputError
            An unknown method, or carbon that enters a pool it can never leave.
        """
        now, b = self.under(xi), self.input(I)
        X = now._one_by_one(b, 0.0) if method is None else None
        return now._solve(b, method or "cascade")[0] if X is None else X

    def chased(self, change: Array, xi: ArrayLike = 1.0) -> Array:
        """M⁻¹ r (..., p, L) [gC m-3]: what a rate of change r, of either sign, would come to in the end."""
        change = as_array("change", change, shape=self.state_shape)
        gain, loss = np.maximum(change, 0.0), np.maximum(-change, 0.0)
        return self.steady_state(gain, xi) - self.steady_state(loss, xi)

    def total(self, X: ArrayLike) -> Array:
        """All carbon (...) [gC m-2] of a state (..., p, L)."""
        return np.asarray(self.stocks(X).sum(axis=-1))

    def relaxed(self, b: Array, rate: float) -> Array:
        """(M + rate)⁻¹ b (..., p, L): steady state if all carbon also left at `rate` [yr-1], unused."""
        b, rate = as_array("b", b, shape=self.state_shape), as_number("rate", rate, lower=0.0)
        X = self._one_by_one(b, rate)
        return self._solve(b, "cascade", relaxing=rate)[0] if X is None else X

    def prepared(self, rate: float) -> Callable[[Array], Array]:
        """b → (M + rate)⁻¹ b, for one b after the other: what they share is done once, and kept.

        One column serves every b (..., p, L); of several columns each has its own.
        """
        one = math.prod(self.shape) == 1
        plan, dz = self.plan(), self.layers.thickness[:, None, None]
        parts = list(self._parts(plan, self.shape, "cascade", True, rate))
        for part in parts:
            cascade.factorise(plan, part.rates, part.factors)

        def solved(b: Array) -> Array:
            lead = np.broadcast_shapes(self.shape, b.shape[:-2])
            if not one and lead != self.shape:
                return self.relaxed(b, rate)
            b = one_axis(b, 2, lead)
            X = np.empty(b.shape)
            for part in parts:
                some = slice(None) if one else part.columns
                Y = ordered(np.empty((*part.Y.shape[:2], len(b[some]))), b[some], plan.order)
                Y *= dz
                cascade.substitute(plan, part.rates, Y, part.factors)
                Y /= dz
                for k, pool in enumerate(plan.order):
                    X[some, pool] = Y[:, k].T
            return X.reshape(*lead, *self.state_shape)

        return solved

    def _one_by_one(self, b: Array, relaxing: float) -> Array | None:
        """The same for a few columns by banded LU; None where there are many, or it is not accurate.

        A correction by what the fluxes leave over shows how accurate: it is as large as the error.
        """
        lead = np.broadcast_shapes(self.shape, b.shape[:-2])
        if not 0 < math.prod(lead) < FEW:
            return None
        plan, dz = self.plan(), self.layers.thickness[:, None, None]
        [part] = self._parts(plan, lead, "banded", False, relaxing)
        try:
            lu = Banded(*blocks_of(part.rates, self._mixed(plan)))
        except np.linalg.LinAlgError:
            return None

        def solved(b: Array) -> Array:
            Y = ordered(part.Y, one_axis(b, 2, lead), plan.order)
            Y *= dz
            lu.solve(Y)
            Y /= dz
            X = np.empty((Y.shape[2], Y.shape[1], Y.shape[0]))
            X[:, plan.order] = Y.T
            return X.reshape(*lead, *self.state_shape)

        X = solved(b)
        off = solved(self._left_over(X, b) - relaxing * X)
        return X + off if np.all(np.abs(off) <= TRUSTED * X) else None

    def steady_state_and_vjp(
        self, I: ArrayLike, method: str = "cascade"
    ) -> tuple[Array, Callable[[ArrayLike], LayeredGradient]]:
        """The steady state, and a function that carries a gradient back through it.

        For a scalar J(X), give ∂J/∂X and get ∂J/∂A, ∂J/∂K, ∂J/∂down, ∂J/∂up, ∂J/∂I, from one
        solve with the transposed matrix: with Mᵀλ = ∂J/∂X, dJ = λᵀ(dI − dM X).

        Parameters
        ----------
        I, method
            As for `steady_state`.

        Returns
        -------
        X : ndarray (..., p, L)
        pullback : callable
            ∂J/∂X (..., p, L) → LayeredGradient, one per column (not summed over leading axes).
        """
        X, parts = self._solve(self.input(I), method, keep=True)
        return X, lambda dX: self._pullback(X, parts, method, dX)

    def _solve(
        self, b: Array, method: str, keep: bool = False, relaxing: float = 0.0
    ) -> tuple[Array, list[Part]]:
        if method not in METHODS:
            raise InputError(f"There is no method {method!r}; choose among {', '.join(METHODS)}.")
        lead = np.broadcast_shapes(self.shape, b.shape[:-2])
        plan, dz = self.plan(), self.layers.thickness[:, None, None]
        b = one_axis(b, 2, lead)
        X = np.empty(b.shape)
        parts = []
        for part in self._parts(plan, lead, method, keep, relaxing):
            Y = ordered(part.Y, b[part.columns], plan.order)
            Y *= dz
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                if method == "cascade":
                    cascade.factorise(plan, part.rates, part.factors)
                    cascade.substitute(plan, part.rates, Y, part.factors)
                else:
                    self._other(method, *blocks_of(part.rates, self._mixed(plan)), Y)
            Y /= dz
            for k, pool in enumerate(plan.order):
                X[part.columns, pool] = Y[:, k].T
            if keep:
                parts.append(part)
        X = X.reshape(*lead, *b.shape[-2:])
        if not np.all(np.isfinite(X)):
            self._explain(X)
        return X, parts

    def _pullback(self, X: Array, parts: list[Part], method: str, dX: ArrayLike) -> LayeredGradient:
        p, L = X.shape[-2:]
        lead = X.shape[:-2]
        dX = np.broadcast_to(as_array("dX", dX, shape=(p, L)), X.shape)
        plan, dz = self.plan(), self.layers.thickness[:, None, None]
        order, mixed = plan.order, self._mixed(plan)
        X, dX = (one_axis(a, 2, lead) for a in (X, dX))

        def adjoints() -> Iterator[tuple[slice, Rates, Array, Array, Array]]:
            for c, rates, Y, factors in parts:
                lam = ordered(np.empty_like(Y), dX[c], order)
                lam /= dz
                if method == "cascade":
                    cascade.solve_transposed(plan, rates, lam, factors)
                else:
                    D, down, up = blocks_of(rates, mixed)
                    self._other(method, np.swapaxes(D, -1, -2), up, down, lam)
                Y = ordered(Y, X[c], order)
                Y *= dz
                yield c, rates, lam, Y, lam

        return self._gradient(lead, adjoints())

    def _gradient(
        self, lead: tuple[int, ...], adjoints: Iterable[tuple[slice, Rates, Array, Array, Array]]
    ) -> LayeredGradient:
        """−λ (dM) Y and λ (dI), by the parts of the model.

        Parameters
        ----------
        lead : tuple of int
            Leading axes of the columns.
        adjoints : iterable
            Of some columns each: which, their rates, λ and stocks Y (..., L, p, N), and the worth of the
            input (L, p, N); pools in the order of the plan. Leading axes of λ and Y (steps) are summed over.
        """
        p, L = self.state_shape
        n, plan, dz = math.prod(lead), self.plan(), self.layers.thickness[:, None, None]
        order, mixed = plan.order, self._mixed(plan)
        tails = {"A": (p, p), "K": (p, L), "down": (L - 1,), "up": (L - 1,), "I": (p, L)}
        to = dict(zip(tails, together([(n, *tail) for tail in tails.values()])))
        to["A"][...] = 0.0
        for c, rates, lam, Y, worth in adjoints:
            lam, Y = (a.reshape(-1, *a.shape[-3:]) for a in (lam, Y))
            drop = np.diff(lam, axis=1)
            drop *= mixed[:, None]
            to["down"][c] = np.einsum("slpN,slpN->lN", drop, Y[:, :-1]).T
            to["up"][c] = -np.einsum("slpN,slpN->lN", drop, Y[:, 1:]).T
            per_leaving = np.negative(lam)
            for (i, j), f in rates.F.items():
                per_leaving[:, :, j] += f * lam[:, :, i]
                to["A"][c, order[i], order[j]] = -np.einsum(
                    "slN,lN,slN->N", lam[:, :, i], rates.K[:, j], Y[:, :, j]
                )
            per_leaving *= Y
            per_leaving = per_leaving[0] if len(lam) == 1 else per_leaving.sum(axis=0)
            worth = worth * dz
            for k, pool in enumerate(order):
                to["K"][c, pool] = per_leaving[:, k].T
                to["I"][c, pool] = worth[:, k].T
        return LayeredGradient(**{k: a.reshape(*lead, *a.shape[1:]) for k, a in to.items()})

    def _parts(
        self, plan: Plan, lead: tuple[int, ...], method: str, keep: bool, relaxing: float, most: int = solve.CHUNK
    ) -> Iterator[Part]:
        """Run through the columns, some at a time; the arrays of a part are used again unless kept."""
        p, L = self.K.shape[-2:]
        K, down, up = (one_axis(a, k, lead) for a, k in ((self.K, 2), (self.down, 1), (self.up, 1)))
        F = {
            (i, j): one_axis(-self.A[..., plan.order[i], plan.order[j]], 0, lead)
            for i, j in plan.edges
        }
        blocks = [(s.size, s.size, (s.pools.stop - s.pools.start) // s.size) for s in plan.stages]
        room: list[Array] = []
        for c in split_columns(len(K), most if method == "cascade" else max(most // 16, FEW)):
            N = c.stop - c.start
            if keep or not room or room[0].shape[-1] != N:
                room = together(
                    [(L, p, N), (L, p, N), *((L, *block, N) for block in blocks if method == "cascade")]
                )
            rates = Rates(
                {edge: np.ascontiguousarray(f[c]) for edge, f in F.items()},
                ordered(room[0], K[c], plan.order),
                np.array(down[c].T, order="C"),
                np.array(up[c].T, order="C"),
                relaxing,
            )
            yield Part(c, rates, room[1], room[2:])

    def plan(self) -> Plan:
        """The cascade that the transfers make."""
        p = len(self.pools)
        used = np.any((self.A != 0).reshape(-1, p, p), axis=0) & ~np.eye(p, dtype=bool)
        return cascade.plan_cascade(tuple(map(tuple, used.tolist())), self.mixed)

    def _mixed(self, plan: Plan) -> Array:
        return np.array(self.mixed)[list(plan.order)]

    @staticmethod
    def _other(method: str, D: Array, down: Array, up: Array, Y: Array) -> None:
        try:
            OTHERS[method](D, down, up, Y)
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
    I: Array


class Part(NamedTuple):
    """Some of the columns, and what is known of them."""

    columns: slice
    rates: Rates
    Y: Array  # (L, p, N)
    factors: list[Array]  # of the cascade
