"""Why models differ: carbon storage traced to five components.

    X = NPP × τ′_E / (ξ_T ξ_W) × φ              one product, so differences of logarithms add up

    τ′_E = 1ᵀ (A K + V)⁻¹ b      τ_E = 1ᵀ (A ξ K + V)⁻¹ b = τ′_E / (ξ_T ξ_W)      X_c = NPP τ_E
    φ = X / X_c                  X_p = X_c − X

====== ================================================= ========= =========== ====================
symbol meaning                                           shape     unit        code name
====== ================================================= ========= =========== ====================
NPP    carbon input                                      (...)     gC m-2 yr-1 npp
τ′_E   baseline residence time: nothing limits           (...)     yr          baseline
ξ_T    what temperature does to the whole system         (...)     1           temperature
ξ_W    what water does to it                             (...)     1           water
φ      share of the capacity that is filled              (...)     1           filled
τ_E    residence time under the environment              (...)     yr          residence_time
X_c    storage capacity                                  (...)     gC m-2      capacity
X_p    storage potential                                 (...)     gC m-2      potential
b      how the input is shared, Σ b = 1                  (..., n)  1           B
====== ================================================= ========= =========== ====================

With one scalar for all pools ξ_T and ξ_W are simply that scalar's two factors. Where pools feel the
environment differently, what temperature and water do together is split between them by the mean of
the two orders in which they could be switched on, so that their product is exact.

This is the "1-3-5" view of a model: one formula (the matrix equation), three axes on which models can
be compared (input, residence time, potential), five components. The five named here are ours; the
framework is by Xia et al. (2013), doi 10.1111/gcb.12172 (steady state), Jiang et al. (2017), doi
10.1002/2017MS001004 (transient), and Zhou et al. (2018), doi 10.1175/JCLI-D-17-0357.1 (from model
outputs alone).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.errors import InputError, as_array
from landcarbon.matrix.frozen import keep
from landcarbon.matrix.model import MatrixModel

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "COMPONENTS",
    "Components",
    "Response",
    "attribute",
    "chain_from_outputs",
    "fit_response",
    "standardise",
    "trace",
    "variance_shares",
]

Array = NDArray[np.float64]

COMPONENTS = ("npp", "baseline", "temperature", "water", "filled")
_POWER = {"npp": 1, "baseline": 1, "temperature": -1, "water": -1, "filled": 1}
CLOSURE = 1e-3  # of NPP: model outputs are stored with few digits


@dataclass(frozen=True)
class Components:
    """The five components of storage, arrays of any common shape (models, sites, times).

    Parameters
    ----------
    npp : array_like (...)
        Carbon input [gC m-2 yr-1].
    baseline : array_like (...)
        Baseline residence time [yr].
    temperature, water : array_like (...)
        Effective scalars, 1 where nothing limits.
    filled : array_like (...)
        Storage over capacity; 1 at steady state, above 1 where carbon is being lost.
    """

    npp: Array
    baseline: Array
    temperature: Array
    water: Array
    filled: Array

    def __post_init__(self) -> None:
        arrays = [
            as_array(name, getattr(self, name), lower=0.0, strict=True,
                     hint="The components multiply; none can be 0.")
            for name in COMPONENTS
        ]
        keep(self, **dict(zip(COMPONENTS, np.broadcast_arrays(*arrays))))

    @property
    def residence_time(self) -> Array:
        """τ_E = τ′_E / (ξ_T ξ_W) [yr]."""
        return self.baseline / (self.temperature * self.water)

    @property
    def capacity(self) -> Array:
        """X_c = NPP τ_E [gC m-2]."""
        return self.npp * self.residence_time

    @property
    def storage(self) -> Array:
        """X = X_c φ [gC m-2]."""
        return self.capacity * self.filled

    @property
    def potential(self) -> Array:
        """X_p = X_c − X [gC m-2]: what would still come in if the conditions stayed."""
        return self.capacity - self.storage

    def select(self, index: object) -> Components:
        """Some of the models, sites or times."""
        return Components(*(getattr(self, name)[index] for name in COMPONENTS))

    def replace(self, **changes: ArrayLike) -> Components:
        """A copy with some of the components changed."""
        unknown = sorted(set(changes) - set(COMPONENTS))
        if unknown:
            raise InputError(f"There is no component {unknown[0]!r}; there are {', '.join(COMPONENTS)}.")
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]

    def logarithms(self) -> Array:
        """What each component adds to ln X, (component, ...); their sum is ln X."""
        return np.stack([_POWER[name] * np.log(getattr(self, name)) for name in COMPONENTS])


def trace(
    model: MatrixModel | LayeredModel,
    I: ArrayLike,  # noqa: E741
    temperature: ArrayLike = 1.0,
    water: ArrayLike = 1.0,
    X: ArrayLike | None = None,
) -> Components:
    """The components of a model's storage.

    Parameters
    ----------
    model : MatrixModel or LayeredModel
        Its K is the baseline: turnover where nothing limits.
    I : array_like
        Input as the model takes it [gC m-2 yr-1; of a column gC m-3 yr-1].
    temperature, water : float or array_like (..., n) or (..., pool, layer)
        Scalars ξ_T and ξ_W of the pools; the environmental scalar is their product.
    X : array_like (..., n) or (..., pool, layer), optional
        Carbon in each pool at this time [gC m-2; of a column gC m-3]; the steady state if not given.

    Returns
    -------
    Components

    Raises
    ------
    InputError
        A scalar of 0, no input, a pool from which carbon cannot leave.

    Examples
    --------
    A soil at half speed because of the cold, three quarters full:

    >>> m = MatrixModel(("litter", "soil"), A=[[1, 0], [-0.3, 1]], K=[2, 0.02], B=[1, 0])
    >>> found = trace(m, 500.0, temperature=0.5, X=[375.0, 11250.0])
    >>> float(found.capacity.round()), float(found.filled.round(2)), float(found.potential.round())
    (15500.0, 0.75, 3875.0)
    """
    scalars = [
        as_array(name, value, lower=0.0, strict=True, hint="At 0 nothing would ever leave.")
        for name, value in (("temperature", temperature), ("water", water))
    ]
    T, W = scalars
    npp = model.total(model.input(I))
    if np.any(npp <= 0):
        raise InputError("I brings no carbon in; without input there is nothing to trace.")

    def tau(xi: Array) -> Array:
        return model.total(model.steady_state(I, xi)) / npp

    baseline, both = tau(np.ones(())), tau(T * W)
    only_T, only_W = tau(T), tau(W)
    # Each of the two may be switched on first; the mean of both orders treats them alike.
    cold = np.sqrt(baseline / only_T * only_W / both)
    dry = np.sqrt(baseline / only_W * only_T / both)
    if X is None:
        filled: Array = np.ones(())
    else:
        state = as_array("X", X, shape=model.state_shape, lower=0.0, hint=f"The pools are {model.pools}.")
        filled = model.total(state) / (npp * both)
    return Components(npp, baseline, cold, dry, filled)


def attribute(reference: Components, other: Components) -> xr.DataArray:
    """ln(X of `other` / X of `reference`), as a sum over the components.

    Returns
    -------
    xarray.DataArray (component, ...)
        Contributions; they add up to the logarithm of the ratio exactly. exp of a contribution is
        the factor by which that component alone changes storage.

    Examples
    --------
    >>> a = Components(500, 20, 0.5, 0.8, 1)
    >>> float(attribute(a, a.replace(npp=1000, temperature=0.8)).sum().round(3))
    0.223
    """
    import xarray as xr

    change = np.stack(
        [
            _POWER[name] * (np.log(getattr(other, name)) - np.log(getattr(reference, name)))
            for name in COMPONENTS
        ]
    )
    dims = ("component", *(f"axis_{i}" for i in range(change.ndim - 1)))
    return xr.DataArray(change, dims=dims, coords={"component": list(COMPONENTS)},
                        attrs={"units": "1", "long_name": "contribution to the logarithm of the ratio"})


def variance_shares(ensemble: Components) -> xr.DataArray:
    """Which component the spread of ln X among models comes from.

    The share of a component is its covariance with ln X over the variance of ln X. The shares add up
    to 1 exactly; one is negative where a component works against the others, as when models with a
    large input have a short residence time.

    Parameters
    ----------
    ensemble : Components
        First axis: models, at least three. Further axes (sites, times) are kept.

    Returns
    -------
    xarray.DataArray (component, ...)
    """
    import xarray as xr

    parts = ensemble.logarithms()
    if parts.ndim < 2 or parts.shape[1] < 3:
        raise InputError("The spread among models needs at least three; the first axis is the models.")
    parts = parts - parts.mean(axis=1, keepdims=True)
    total = parts.sum(axis=0)
    spread = (total**2).mean(axis=0)
    if np.any(np.sqrt(spread) < 1e-12):  # rounding of logarithms
        raise InputError("The models all store the same; there is no spread to share out.")
    shares = (parts * total).mean(axis=1) / spread
    dims = ("component", *(f"axis_{i}" for i in range(shares.ndim - 1)))
    return xr.DataArray(shares, dims=dims, coords={"component": list(COMPONENTS)}, attrs={"units": "1"})


def standardise(ensemble: Components, names: Iterable[str] = COMPONENTS) -> Components:
    """Give all models (first axis) the same value of some components: their geometric mean.

    With all five standardised no spread is left.
    """
    names = (names,) if isinstance(names, str) else tuple(names)
    unknown = sorted(set(names) - set(COMPONENTS))
    if unknown:
        raise InputError(f"There is no component {unknown[0]!r}; there are {', '.join(COMPONENTS)}.")
    common = {
        name: np.exp(np.log(getattr(ensemble, name)).mean(axis=0, keepdims=True)) for name in names
    }
    return ensemble.replace(**{k: np.broadcast_to(v, ensemble.npp.shape) for k, v in common.items()})


def chain_from_outputs(
    npp: ArrayLike,
    stocks: ArrayLike,
    respiration: ArrayLike,
    dt: float = 1.0,
    pools: tuple[str, ...] = ("plants", "litter", "soil"),
) -> MatrixModel:
    """The matrix model behind a model's outputs, step by step, when pools hand carbon down a chain.

    Input enters the first pool; each pool respires or hands on to the next. Then what leaves a pool is
    what entered it minus what its stock gained, and nothing else has to be known.

    Parameters
    ----------
    npp : array_like (..., steps)
        Mean input over each step [gC m-2 yr-1].
    stocks : array_like (..., steps + 1, pools)
        Carbon at the ends of the steps [gC m-2].
    respiration : array_like (..., steps, pools)
        Mean heterotrophic respiration of each pool; 0 for plants [gC m-2 yr-1]. Fire and harvest are
        losses too: add them where they leave.
    dt : float
        Length of a step [yr].
    pools : tuple of str
        Their names, down the chain.

    Returns
    -------
    MatrixModel
        K (..., steps, pools) and A (..., steps, pools, pools): realised rates, environment included.

    Raises
    ------
    InputError
        Outputs that do not close (units? a loss left out?), a pool that receives less than it respires.

    Notes
    -----
    The mean stock over a step is taken as the mean of its ends. An error of the order of the curvature
    of the stocks within one step remains.
    """
    n = len(pools)
    u = as_array("npp", npp, lower=0.0, strict=True, hint="Carbon input of every step.")
    X = as_array("stocks", stocks, shape=(n,), lower=0.0, hint=f"The pools are {', '.join(pools)}.")
    R = as_array("respiration", respiration, shape=(n,), lower=0.0)
    steps = u.shape[-1] if u.ndim else 0
    if not steps or X.ndim < 2 or X.shape[-2] != steps + 1 or R.ndim < 2 or R.shape[-2] != steps:
        raise InputError(
            f"npp {u.shape}, stocks {X.shape} and respiration {R.shape} do not fit: give npp (steps,), "
            f"stocks (steps + 1, {n}) at the ends of the steps, respiration (steps, {n})."
        )
    as_array("dt", dt, lower=0.0, strict=True)
    gain = np.diff(X, axis=-2) / dt
    gap = np.abs(u - R.sum(axis=-1) - gain.sum(axis=-1)) / u
    if gap.max() > CLOSURE:
        raise InputError(
            f"The outputs do not close: NPP minus respiration misses the change of the stocks by up to "
            f"{100 * gap.max():.3g} % of NPP. Are the units the same (gC m-2 and gC m-2 yr-1), and is a "
            "loss left out, such as fire or harvest?"
        )
    # Down the chain: what entered up to here, minus what was respired and kept above.
    leaves = u[..., None] - np.cumsum(gain + R, axis=-1) + R
    mean = (X[..., 1:, :] + X[..., :-1, :]) / 2
    leaves[..., -1] = R[..., -1]  # the last pool hands nothing on: closure error stays out
    bad = (leaves <= 0) | (R > leaves * (1 + CLOSURE)) | (mean <= 0)
    if bad.any():
        j = int(np.argwhere(bad)[0, -1])
        raise InputError(
            f"In some step less leaves pool {pools[j]!r} than it respires, or it is empty. Are the pools "
            f"in the order in which carbon moves, {' → '.join(pools)}?"
        )
    K = leaves / mean
    A = np.broadcast_to(np.eye(n), (*K.shape, n)).copy()
    for j in range(n - 1):
        A[..., j + 1, j] = -np.maximum(leaves[..., j] - R[..., j], 0.0) / leaves[..., j]
    B = np.zeros(n)
    B[0] = 1.0
    return MatrixModel(pools, A=A, K=K, B=B)


@dataclass(frozen=True)
class Response:
    """How turnover follows temperature and water: K = K′ q10^((T − T_ref)/10) W^p.

    Attributes
    ----------
    K : ndarray (..., n)
        Baseline rates at the reference temperature and W = 1 [yr-1].
    q10, power : ndarray (..., n)
        Fitted sensitivities; q10 = 1 and power = 0 for a pool that does not respond.
    r2 : ndarray (..., n)
        Explained share of the variance of ln K.
    reference : float
        T_ref [°C].
    """

    K: Array
    q10: Array
    power: Array
    r2: Array
    reference: float

    def scalars(self, temperature: ArrayLike, water: ArrayLike) -> tuple[Array, Array]:
        """ξ_T and ξ_W (..., samples, n) of the pools for `temperature` [°C], `water` (..., samples)."""
        T = as_array("temperature", temperature)[..., None]
        W = as_array("water", water, lower=0.0, strict=True)[..., None]
        q10, power = self.q10[..., None, :], self.power[..., None, :]
        return q10 ** ((T - self.reference) / 10), W**power


def fit_response(
    K: ArrayLike, temperature: ArrayLike, water: ArrayLike, reference: float = 25.0
) -> Response:
    """Fit the response of each pool's rate to temperature and water, by least squares on logarithms.

    Parameters
    ----------
    K : array_like (..., samples, n)
        Realised rates of n pools at many places or times [yr-1]; from `chain_from_outputs`.
    temperature : array_like (..., samples)
        [°C]
    water : array_like (..., samples)
        Wetness above 0, 1 where water does not limit.
    reference : float
        Temperature at which the baseline is stated [°C].

    Returns
    -------
    Response

    Raises
    ------
    InputError
        Fewer than ten samples, or temperature and water that do not vary apart.
    """
    rates = as_array("K", K, lower=0.0, strict=True)
    T, W = np.broadcast_arrays(
        as_array("temperature", temperature, hint="In °C."),
        as_array("water", water, lower=0.0, strict=True),
    )
    if rates.ndim < 2 or rates.shape[:-1] != T.shape or T.shape[-1] < 10:
        raise InputError(
            f"K has shape {rates.shape}, temperature and water {T.shape}: give one temperature and one "
            "wetness for each of at least ten samples of the rates."
        )
    design = np.stack([np.ones(T.shape), (T - reference) / 10, np.log(W)], axis=-1)
    if np.any(np.linalg.matrix_rank(design) < 3):
        raise InputError(
            "Temperature and water vary together, or not at all: their effects cannot be told apart "
            "with these samples. Use more places."
        )
    y = np.log(rates)
    coefficients = np.linalg.pinv(design) @ y
    rest = ((y - design @ coefficients) ** 2).sum(axis=-2)
    total = ((y - y.mean(axis=-2, keepdims=True)) ** 2).sum(axis=-2)
    with np.errstate(divide="ignore", invalid="ignore"):
        r2 = np.where(total > 1e-12, 1 - rest / total, 0.0)
    c = np.moveaxis(coefficients, -2, 0)
    return Response(np.exp(c[0]), np.exp(c[1]), c[2], r2, float(reference))
