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

Over a period (a year of months) nothing is constant, and means of ξ_T and ξ_W are not enough: warm
months may be dry, and a pool that turns over within the year is large where little leaves it. Exact is

    ξ̄_j = ∫ ξ_j X_j dt / ∫ X_j dt         then    X̄ = M̄⁻¹ ū − M̄⁻¹ ΔX / L,    M̄ = A ξ̄ K + V

for ξ = ξ_T ξ_W (which keeps their covariance), and for each of the two alone. X̄ and ū are means over
the period L. Where a year repeats, ΔX = 0: the mean storage is the capacity, and φ = 1.

This is the "1-3-5" view of a model: one formula (the matrix equation), three axes on which models can
be compared (input, residence time, potential), five components. The five named here are ours. The
framework is by Xia et al. (2013), doi 10.1111/gcb.12172, who trace the capacity; the standard five split
the input into gross uptake and the plants' carbon use efficiency (`Components.standard`; Zhou et al.,
2021, doi 10.1186/s13717-021-00281-w). Transient: Jiang et al. (2017), doi 10.1002/2017MS001004; from
model outputs alone: Zhou et al. (2018), doi 10.1175/JCLI-D-17-0357.1.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.errors import InputError, as_array, as_broadcast, as_kind, as_number
from landcarbon.matrix.frozen import keep
from landcarbon.matrix.loops import Cycle
from landcarbon.matrix.model import MatrixModel
from landcarbon.matrix.simulate import simulate
from landcarbon.matrix.spinup import periodic
from landcarbon.matrix.timeline import Forcing, Series, forcing, lengths, rising

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "COMPONENTS",
    "Components",
    "Product",
    "Response",
    "StandardComponents",
    "attribute",
    "chain_from_outputs",
    "closure_gap",
    "fit_response",
    "standardise",
    "trace",
    "variance_shares",
]

Array = NDArray[np.float64]

COMPONENTS = ("npp", "baseline", "temperature", "water", "filled")
CLOSURE = 1e-3  # of NPP: model outputs are stored with few digits


@dataclass(frozen=True)
class Product:
    """Factors, above 0, whose product is a stock of carbon; arrays of any common shape."""

    powers: ClassVar[dict[str, int]] = {}
    """1 for a factor, −1 for a divisor."""

    def __post_init__(self) -> None:
        arrays = [
            as_array(name, getattr(self, name), lower=0.0, strict=True,
                     hint="The components multiply; none can be 0.")
            for name in self.powers
        ]
        for name, array in zip(self.powers, np.broadcast_arrays(*arrays)):
            keep(self, **{name: array})

    def select(self, index: object) -> Self:
        """Some of the models, sites or times."""
        return type(self)(*(getattr(self, name)[index] for name in self.powers))

    def replace(self, **changes: ArrayLike) -> Self:
        """A copy with some of the components changed."""
        self.known(changes)
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]

    def known(self, names: Iterable[str]) -> tuple[str, ...]:
        """The names, if there is a component for each."""
        names = [as_kind("a component", name, str) for name in as_kind("names", names, "__iter__")]
        unknown = sorted(set(names) - set(self.powers))
        if unknown:
            raise InputError(f"There is no component {unknown[0]!r}; there are {', '.join(self.powers)}.")
        return tuple(names)

    def logarithms(self) -> Array:
        """What each component adds to the logarithm, (component, ...); their sum is that of the product."""
        return np.stack([power * np.log(getattr(self, name)) for name, power in self.powers.items()])


P = TypeVar("P", bound=Product)


@dataclass(frozen=True)
class StandardComponents(Product):
    """The standard five: X_c = GPP × CUE × τ′_E / (ξ_T ξ_W); made by `Components.standard`.

    Parameters
    ----------
    gpp : array_like (...)
        Gross uptake by plants [gC m-2 yr-1].
    cue : array_like (...)
        Carbon use efficiency of plants, NPP / GPP.
    baseline, temperature, water : array_like (...)
        As in `Components`.
    """

    gpp: Array
    cue: Array
    baseline: Array
    temperature: Array
    water: Array
    powers: ClassVar[dict[str, int]] = {"gpp": 1, "cue": 1, "baseline": 1, "temperature": -1, "water": -1}

    @property
    def capacity(self) -> Array:
        """X_c [gC m-2]."""
        return self.gpp * self.cue * self.baseline / (self.temperature * self.water)


@dataclass(frozen=True)
class Components(Product):
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
    powers: ClassVar[dict[str, int]] = dict(zip(COMPONENTS, (1, 1, -1, -1, 1)))

    def standard(self, gpp: ArrayLike) -> StandardComponents:
        """The capacity in the standard five components, from the gross uptake `gpp` [gC m-2 yr-1].

        Raises
        ------
        InputError
            Gross uptake below the input: plants cannot pass on more than they take up.

        Examples
        --------
        >>> found = Components(500, 20, 0.5, 0.8, 0.9).standard(gpp=1250.0)
        >>> float(found.cue), float(found.capacity)
        (0.4, 25000.0)
        """
        gross = as_array("gpp", gpp, lower=0.0, strict=True)
        if np.any(gross < self.npp):
            raise InputError("gpp is below the input npp somewhere; plants cannot pass on more than they take up.")
        return StandardComponents(gross, self.npp / gross, self.baseline, self.temperature, self.water)

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


def trace(
    model: MatrixModel | LayeredModel,
    I: Forcing,  # noqa: E741
    temperature: Forcing = 1.0,
    water: Forcing = 1.0,
    X: Forcing | None = None,
    t: ArrayLike | None = None,
) -> Components:
    """The components of a model's storage, at one moment or over a period.

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
    t : array_like (steps + 1,), optional
        The period [yr], such as ``np.arange(13) / 12`` for a year of months. Then `I`, `temperature` and
        `water` are given for each step, in the forms of `landcarbon.matrix.timeline` (time first), and X
        is the mean of each step (steps, ..., n), as `simulate` returns in `X_mean`. Without X the period
        is taken to repeat for ever.

    Returns
    -------
    Components
        Over a period: mean input and mean storage, and the effective scalars of the top of this module.

    Raises
    ------
    InputError
        A scalar of 0, no input, a pool from which carbon cannot leave.

    Warns
    -----
    UserWarning
        Scalars that vary within the period while X is one mean state: a pool that turns over within it
        is then weighed wrongly, which `filled` shows as a disequilibrium that is not there.

    Examples
    --------
    A soil at half speed because of the cold, three quarters full:

    >>> m = MatrixModel(("litter", "soil"), A=[[1, 0], [-0.3, 1]], K=[2, 0.02], B=[1, 0])
    >>> found = trace(m, 500.0, temperature=0.5, X=[375.0, 11250.0])
    >>> float(found.capacity.round()), float(found.filled.round(2)), float(found.potential.round())
    (15500.0, 0.75, 3875.0)

    Warm half years that are dry, again and again: the means, 0.7 and 0.7, would say 0.49.

    >>> found = trace(m, 500.0, temperature=[0.4, 1.0], water=[1.0, 0.4], t=[0, 0.5, 1])
    >>> float((found.temperature * found.water).round(3)), float(found.filled.round(9))
    (0.4, 1.0)
    """
    as_kind("model", model, MatrixModel, LayeredModel)
    if t is not None:
        return _trace_period(model, rising("t", t), I, temperature, water, X)
    now: dict[str, Any] = {"temperature": temperature, "water": water, "I": I}
    T, W = (as_array(name, now[name], lower=0.0, strict=True, hint="At 0 nothing would ever leave.")
            for name in ("temperature", "water"))
    state: Any = X
    if X is not None:
        state = as_array("X", state, shape=model.state_shape, lower=0.0, hint=f"The pools are {model.pools}.")
    return _components(model, as_array("I", now["I"]), T, W, T * W, state)


def _components(
    model: MatrixModel | LayeredModel, I: Array, T: Array, W: Array, both: Array, X: Array | None  # noqa: E741
) -> Components:
    """From the scalars of temperature alone, water alone, and both together."""
    npp = model.total(model.input(I))
    if np.any(npp <= 0):
        raise InputError("I brings no carbon in; without input there is nothing to trace.")
    baseline, with_T, with_W, with_both = (
        model.total(model.steady_state(I, xi)) / npp for xi in (np.ones(()), T, W, both)
    )
    # Each of the two may be switched on first; the mean of both orders treats them alike.
    cold = np.sqrt(baseline / with_T * with_W / with_both)
    dry = np.sqrt(baseline / with_W * with_T / with_both)
    filled = np.ones(()) if X is None else model.total(X) / (npp * with_both)
    return Components(npp, baseline, cold, dry, filled)


def _trace_period(
    model: MatrixModel | LayeredModel,
    t: Array,
    I: Forcing,  # noqa: E741
    temperature: Forcing,
    water: Forcing,
    X: Forcing | None,
) -> Components:
    h = lengths(t)

    def steps(series: Series) -> list[Array]:
        return [series(k, float(t[k] + t[k + 1]) / 2) for k in range(len(h))]

    T, W = (
        [as_array(name, row, lower=0.0, strict=True, hint="At 0 nothing would ever leave.")
         for row in steps(forcing(name, value, t, model.pools))]
        for name, value in (("temperature", temperature), ("water", water))
    )
    both = [a * b for a, b in zip(T, W)]
    inflow = steps(forcing("I", I, t, model.pools))
    if X is None:
        stay = list(_repeated(model, t, inflow, both))
    else:
        stay = _mean_states(model, t, X, any(np.any(row != both[0]) for row in both))
    amount = sum(x * dt for x, dt in zip(stay, h))
    full = np.where(amount > 0, amount, 1.0)
    empty = amount <= 0

    def effective(rows: list[Array]) -> Array:
        plain = sum(row * dt for row, dt in zip(rows, h)) / sum(h)
        weighed = sum(row * x * dt for row, x, dt in zip(rows, stay, h)) / full
        return np.asarray(np.where(empty, plain, weighed))

    mean_input = np.asarray(sum(row * dt for row, dt in zip(inflow, h)) / sum(h))
    return _components(model, mean_input, effective(T), effective(W), effective(both),
                       np.asarray(amount / sum(h)))


def _repeated(model: MatrixModel | LayeredModel, t: Array, I: list[Array], xi: list[Array]) -> Array:  # noqa: E741
    """Mean state of each step of a period that repeats for ever."""
    rows_I, rows_xi = (np.stack(np.broadcast_arrays(*rows)) for rows in (I, xi))
    start = periodic(Cycle.from_model(model, rows_I, rows_xi, np.diff(t))).X
    return np.asarray(simulate(model, t, start, rows_I, rows_xi).X_mean.values)


def _mean_states(
    model: MatrixModel | LayeredModel, t: Array, X: Any, varying: bool
) -> list[Array]:
    """Mean state of each step as given, or one for all of them."""
    one = not callable(X) and np.ndim(X) == len(model.state_shape)
    states = forcing("X", np.asarray(X)[np.newaxis] if one else X, t, model.pools)
    if varying and not states.stepwise:
        warnings.warn(
            "The scalars vary within the period, but X is one mean state: pools that turn over within it are "
            "weighed wrongly. Give X for each step (simulate returns X_mean), or leave it out for a period "
            "that repeats.",
            UserWarning,
            stacklevel=4,
        )
    hint = f"The pools are {model.pools}."
    return [as_array("X", states(k, float(t[k])), shape=model.state_shape, lower=0.0, hint=hint)
            for k in range(len(t) - 1)]


def attribute(reference: P, other: P) -> xr.DataArray:
    """ln(X of `other` / X of `reference`), as a sum over the components.

    Parameters
    ----------
    reference, other : Components or StandardComponents
        Both of one kind; with the standard ones it is the capacities that are compared.

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
    as_kind("reference", reference, Product)
    as_kind("other", other, Product)
    if reference.powers != other.powers:
        raise InputError(
            f"reference is {type(reference).__name__}, other is {type(other).__name__}; give two of one kind."
        )
    change = np.stack([
        power * (np.log(getattr(other, name)) - np.log(getattr(reference, name)))
        for name, power in other.powers.items()
    ])
    return _by_component(change, reference, "contribution to the logarithm of the ratio")


def _by_component(values: Array, found: Product, long_name: str) -> xr.DataArray:
    import xarray as xr

    dims = ("component", *(f"axis_{i}" for i in range(values.ndim - 1)))
    return xr.DataArray(values, dims=dims, coords={"component": list(found.powers)},
                        attrs={"units": "1", "long_name": long_name})


def variance_shares(ensemble: Product) -> xr.DataArray:
    """Which component the spread of ln X among models comes from.

    The share of a component is its covariance with ln X over the variance of ln X. The shares add up
    to 1 exactly; one is negative where a component works against the others, as when models with a
    large input have a short residence time.

    Parameters
    ----------
    ensemble : Components or StandardComponents
        First axis: models, at least three. Further axes (sites, times) are kept.

    Returns
    -------
    xarray.DataArray (component, ...)
    """
    parts = ensemble.logarithms()
    if parts.ndim < 2 or parts.shape[1] < 3:
        raise InputError("The spread among models needs at least three; the first axis is the models.")
    parts = parts - parts.mean(axis=1, keepdims=True)
    total = parts.sum(axis=0)
    spread = (total**2).mean(axis=0)
    if np.any(np.sqrt(spread) < 1e-12):  # rounding of logarithms
        raise InputError("The models all store the same; there is no spread to share out.")
    shares = (parts * total).mean(axis=1) / spread
    return _by_component(shares, ensemble, "share of the variance of the logarithm")


def standardise(ensemble: P, names: Iterable[str] | None = None) -> P:
    """Give all models (first axis) the same value of some components: their geometric mean.

    With all of them standardised (names not given) no spread is left.
    """
    every = ensemble.powers if names is None else (names,) if isinstance(names, str) else names
    shape = ensemble.logarithms().shape[1:]
    common = {
        name: np.exp(np.log(getattr(ensemble, name)).mean(axis=0, keepdims=True))
        for name in ensemble.known(every)
    }
    return ensemble.replace(**{k: np.broadcast_to(v, shape) for k, v in common.items()})


def closure_gap(
    npp: ArrayLike,
    stocks: ArrayLike,
    respiration: ArrayLike,
    losses: ArrayLike = 0.0,
    dt: float = 1.0,
) -> Array:
    """What a model's outputs leave unexplained in each step: NPP − respiration − losses − change of stocks.

    Parameters
    ----------
    npp, stocks, respiration, losses, dt
        As for `chain_from_outputs`.

    Returns
    -------
    ndarray (..., steps)
        [gC m-2 yr-1]; above 0 where carbon came in and is found nowhere. Real outputs miss by per cents of
        NPP, mostly from fluxes that are not archived.

    Examples
    --------
    A forest that hands 5 gC m-2 a year to a fire that nobody archived:

    >>> closure_gap([100.0], [[500.0, 50.0], [540.0, 50.0]], [[0.0, 55.0]])
    array([5.])
    """
    stocks = as_array("stocks", stocks, shape=(None, None))
    dt = as_number("dt", dt, lower=0.0, strict=True)
    u, X, R, L = _outputs(npp, stocks, respiration, losses, stocks.shape[-1:], dt)
    return np.asarray(u - (R + L).sum(axis=-1) - (np.diff(X, axis=-2) / dt).sum(axis=-1))


def _outputs(
    npp: ArrayLike, stocks: ArrayLike, respiration: ArrayLike, losses: ArrayLike, pools: tuple[int, ...], dt: float
) -> tuple[Array, Array, Array, Array]:
    """Outputs of a model whose shapes fit."""
    u = as_array("npp", npp, lower=0.0, strict=True, hint="Carbon input of every step.")
    X = as_array("stocks", stocks, shape=pools, lower=0.0)
    R = as_array("respiration", respiration, shape=pools, lower=0.0)
    L = as_array("losses", losses, lower=0.0)
    as_array("dt", dt, lower=0.0, strict=True)
    steps = u.shape[-1] if u.ndim else 0
    if not steps or X.ndim < 2 or X.shape[-2] != steps + 1 or R.ndim < 2 or R.shape[-2] != steps:
        n = pools[0] if pools else 0
        raise InputError(
            f"npp {u.shape}, stocks {X.shape} and respiration {R.shape} do not fit: give npp (steps,), "
            f"stocks (steps + 1, {n}) at the ends of the steps, respiration (steps, {n})."
        )
    if L.ndim and (L.ndim < 2 or L.shape[-2:] != R.shape[-2:]):
        raise InputError(f"losses {L.shape} must have the shape of respiration {R.shape}, or be one number.")
    return u, X, R, np.broadcast_to(L, np.broadcast_shapes(L.shape, R.shape))


def chain_from_outputs(
    npp: ArrayLike,
    stocks: ArrayLike,
    respiration: ArrayLike,
    dt: float = 1.0,
    pools: tuple[str, ...] = ("plants", "litter", "soil"),
    losses: ArrayLike = 0.0,
    tolerance: float = CLOSURE,
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
        Mean heterotrophic respiration of each pool; 0 for plants [gC m-2 yr-1].
    dt : float
        Length of a step [yr].
    pools : tuple of str
        Their names, down the chain.
    losses : float or array_like (..., steps, pools)
        What else leaves the land from each pool: fire, harvest, carbon dissolved in water [gC m-2 yr-1].
    tolerance : float
        Share of NPP by which a step may fail to close. What is missing (`closure_gap`) is booked nowhere:
        rates and transfers are those of the fluxes as given, and where they are traced it stands in the
        potential, as if the soil gained or lost it.

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
    n = len(as_kind("pools", pools, tuple, list, hint="Give the names of the pools."))
    slack = as_number("tolerance", tolerance, lower=0.0)
    u, X, R, L = _outputs(npp, stocks, respiration, losses, (n,), dt)
    gap = np.abs(closure_gap(u, X, R, L, dt)) / u
    if gap.max() > slack:
        raise InputError(
            f"The outputs do not close: NPP minus respiration misses the change of the stocks by up to "
            f"{100 * gap.max():.3g} % of NPP. Are the units the same (gC m-2 and gC m-2 yr-1), and is a "
            "loss left out, such as fire or harvest (losses=)? What cannot be found can be carried along: "
            "tolerance=0.1 goes on up to 10 %."
        )
    gain, R = np.diff(X, axis=-2) / dt, R + L
    # Down the chain: what entered up to here, minus what was respired and kept above.
    leaves = u[..., None] - np.cumsum(gain + R, axis=-1) + R
    mean = (X[..., 1:, :] + X[..., :-1, :]) / 2
    leaves[..., -1] = R[..., -1]  # the last pool hands nothing on: closure error stays out
    bad = (leaves <= 0) | (R > leaves * (1 + CLOSURE) + slack * u[..., None]) | (mean <= 0)
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
    q10_error, power_error : ndarray (..., n)
        Standard errors: of ln q10, that is relative to q10, and of the power. They grow without bound as
        temperature and water vary together, while r2 stays as it is.
    reference : float
        T_ref [°C].
    """

    K: Array
    q10: Array
    power: Array
    r2: Array
    q10_error: Array
    power_error: Array
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
    reference = as_number("reference", reference, hint="In °C.")
    T, W = as_broadcast(
        temperature=as_array("temperature", temperature, hint="In °C."),
        water=as_array("water", water, lower=0.0, strict=True),
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
    certainty = np.diagonal(np.linalg.inv(np.swapaxes(design, -1, -2) @ design), axis1=-2, axis2=-1)
    error = np.sqrt(certainty[..., None] * (rest / (T.shape[-1] - 3))[..., None, :])
    return Response(np.exp(c[0]), np.exp(c[1]), c[2], r2, error[..., 1, :], error[..., 2, :], float(reference))
