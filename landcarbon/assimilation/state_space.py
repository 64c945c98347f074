"""Carbon through time with noise, seen through errors: what the filters work on.

::

    dX      = (B I − M X) dt + S dW                                 the model, and what it leaves out
    X_{k+1} = Φ_k X_k + c_k + w_k,   w_k ~ Normal(0, Q_k)           the same, step by step
    Φ = e^(−M h),   c = Φ₁ B I,   Q = ∫₀ʰ e^(−M s) S² e^(−M s)ᵀ ds
    d_j     = H_j · X(t_j) + e_j,    e_j ~ Normal(0, sd_j²)         the data; or h_j(X(t_j)) + e_j

====== ====================================== ======================== =============== ==============
symbol meaning                                shape                    unit            code name
====== ====================================== ======================== =============== ==============
X      carbon in each pool                    (sites..., n)            gC m-2          X
Φ      what is left after a step, and where   (steps, sites..., n, n)  1               Phi
c      what the input has added by then       (steps, sites..., n)     gC m-2          c
S      noise of the model, by pool (diagonal) (n,)                     gC m-2 yr-1/2   process_sd
Q      covariance that the noise adds a step  (steps, sites..., n, n)  (gC m-2)²       Q
d, sd  data and their errors                  (sites..., obs)          own             data, sd
H_j    what datum j reads of the pools        (sites..., obs, n)       own             H
t_j    when                                   (obs,)                   yr              end
====== ====================================== ======================== =============== ==============

The step is exact for any length: Q too, so that twelve steps of a month are one step of a year.
Random noise with S = 30 gC m-2 yr-1/2 moves a pool by 30 gC m-2 in one year and by 60 in four.
A flux is data as well: H_j = K r, with r the respired fractions, reads the respiration at t_j.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from landcarbon.assimilation.draws import Ensemble, parameter_names
from landcarbon.assimilation.error_models import ExponentialCorrelation
from landcarbon.assimilation.observations import GaussianLikelihood, ObservationStream
from landcarbon.assimilation.streams import Random, Streams, streams
from landcarbon.matrix.errors import InputError, as_array, as_gappy, as_kind, as_whole
from landcarbon.matrix.frozen import keep
from landcarbon.matrix.labels import labelled
from landcarbon.matrix.model import MatrixModel
from landcarbon.matrix.steps import propagator
from landcarbon.matrix.timeline import Changing, Forcing, Timeline, nearest, rising

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["LinearSystem", "Measured", "Normal", "StateEstimate", "StateObservations", "linear_system"]

Array = NDArray[np.float64]

_LOG_2PI = np.log(2.0 * np.pi)
NODES, WEIGHTS = np.polynomial.legendre.leggauss(12)


@dataclass(frozen=True, init=False, eq=False)
class Normal:
    """Normal distributions: a mean and a covariance at each leading index.

    Parameters
    ----------
    mean : array_like, (..., n)
    cov : array_like, (..., n, n), optional
        Symmetric, no variance below zero. Give this or `sd`.
    sd : array_like, (..., n), optional
        Standard deviations of independent components.

    Raises
    ------
    InputError
        Both or neither of `cov` and `sd`, or what is no covariance.

    Examples
    --------
    >>> start = Normal([450.0, 80.0, 2000.0], sd=[100.0, 30.0, 500.0])
    >>> start.quantile(0.975).round()
    array([ 646.,  139., 2980.])
    >>> start.sample(5, rng=1).shape
    (5, 3)
    """

    mu: Array
    cov: Array

    def __init__(
        self, mean: ArrayLike, cov: ArrayLike | None = None, *, sd: ArrayLike | None = None
    ) -> None:
        mu = as_array("mean", mean, shape=(None,))
        n = mu.shape[-1]
        if (cov is None) == (sd is None):
            raise InputError(
                "Normal needs a mean and either cov or sd: Normal([450, 80], sd=[100, 30])."
            )
        if sd is not None:
            spread = _broadcast("sd", as_array("sd", sd, lower=0.0), mu.shape)
            C = spread[..., None] ** 2 * np.eye(n)
        else:
            C = covariance("cov", cov, n)
            if C.shape[:-2] != mu.shape[:-1]:
                C = _broadcast("cov", C, (*mu.shape[:-1], n, n))
        keep(self, mu=mu, cov=C)

    def mean(self) -> Array:
        """(..., n)"""
        return self.mu

    def sd(self) -> Array:
        """Standard deviations (..., n)."""
        return np.sqrt(np.maximum(np.diagonal(self.cov, axis1=-2, axis2=-1), 0.0))

    def quantile(self, q: float | Sequence[float]) -> Array:
        """Quantiles of each component (..., n), or (len(q), ..., n) for a list."""
        levels = as_array("q", q, lower=0.0, upper=1.0)
        return self.mu + np.multiply.outer(ndtri(levels), self.sd())

    def sample(self, size: int, rng: Random = 0) -> Array:
        """Draws (..., size, n)."""
        size = as_whole("size", size, 1)
        xi = streams(rng, self.mu.shape[:-1]).normal((size, self.mu.shape[-1]))
        return self.mu[..., None, :] + xi @ np.swapaxes(root(self.cov), -1, -2)

    def __getitem__(self, index: Any) -> Normal:
        """Some of the leading indices (times, sites)."""
        return believed(self.mu[index], self.cov[index])


@dataclass(frozen=True, init=False, eq=False)
class LinearSystem:
    """X_{k+1} = Φ_k X_k + c_k + w_k between the times of a row.

    Usually made by `linear_system`; made by hand it takes any linear model.

    Parameters
    ----------
    t : array_like, (steps + 1,)
        Times of the states, rising.
    Phi : array_like, (steps or 1, sites..., n, n)
        Transition of each step; length 1 if it never changes.
    c : array_like, (steps or 1, sites..., n)
        What is added in each step.
    Q : array_like, (steps or 1, sites..., n, n), optional
        Covariance of the noise; none by default.
    pools : sequence of str, optional

    Raises
    ------
    InputError
        Times that do not rise, shapes that do not fit, a Q that is no covariance.
    """

    t: Array
    Phi: Array
    c: Array
    Q: Array
    pools: tuple[str, ...]

    def __init__(
        self,
        t: ArrayLike,
        Phi: ArrayLike,
        c: ArrayLike,
        Q: ArrayLike | None = None,
        pools: Sequence[str] | None = None,
    ) -> None:
        t = rising("t", t)
        Phi = as_array("Phi", Phi, shape=(None, None))
        n = Phi.shape[-1]
        c = as_array("c", c, shape=(n,))
        Q = np.zeros((1, n, n)) if Q is None else covariance("Q", Q, n)
        for name, array, own in (("Phi", Phi, 2), ("c", c, 1), ("Q", Q, 2)):
            if array.ndim <= own or array.shape[0] not in (1, len(t) - 1) or Phi.shape[-2] != n:
                raise InputError(
                    f"{name} has shape {array.shape}; its first axis is time and has length "
                    f"{len(t) - 1} (one entry for each step) or 1 (it never changes), its last "
                    f"are the {n} pools."
                )
        names = parameter_names(pools, n)
        if len(names) != n:
            raise InputError(f"pools names {len(names)} pools, but Phi has {n}.")
        keep(self, t=t, Phi=Phi, c=c, Q=Q, pools=names)

    @property
    def n(self) -> int:
        """Number of pools."""
        return self.Phi.shape[-1]

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.t) - 1

    @property
    def sites(self) -> tuple[int, ...]:
        """Leading site axes of the matrices."""
        return np.broadcast_shapes(self.Phi.shape[1:-2], self.c.shape[1:-1], self.Q.shape[1:-2])

    def step(self, k: int) -> tuple[Array, Array, Array]:
        """Φ, c and Q of step k."""
        k = as_whole("k", k)
        return tuple(a[k % len(a)] for a in (self.Phi, self.c, self.Q))  # type: ignore[return-value]

    def advance(self, X: Array, k: int, source: Streams | None = None) -> Array:
        """Members (sites..., member, n) after step k, with noise drawn from `source` if given."""
        X = as_array("X", X, shape=(None, self.n))
        as_kind("source", source, Streams, type(None), hint="Make it with streams(1).")
        Phi, c, Q = self.step(k)
        after = X @ np.swapaxes(Phi, -1, -2) + c[..., None, :]
        return after if source is None else noisy(after, Q, source)

    def sample(self, X0: ArrayLike, rng: Random = 0) -> Array:
        """One life each of the states X0 (sites..., member, n), with noise: (time, ..., n).

        Examples
        --------
        >>> import numpy as np
        >>> walk = LinearSystem(np.arange(5.0), Phi=[[[1.0]]], c=[[0.0]], Q=[[[4.0]]])
        >>> walk.sample(np.zeros((3, 1)), rng=1).shape
        (5, 3, 1)
        """
        X = as_array("X0", X0, shape=(None, self.n))
        source = streams(rng, X.shape[:-2])
        path = [np.broadcast_to(X, (*np.broadcast_shapes(self.sites, X.shape[:-2]), *X.shape[-2:]))]
        for k in range(self.steps):
            path.append(self.advance(path[-1], k, source))
        return np.stack(path)


def linear_system(
    model: MatrixModel | Changing | Callable[[float], MatrixModel],
    t: ArrayLike,
    I: Forcing,
    xi: Forcing = 1.0,
    *,
    process_sd: ArrayLike = 0.0,
) -> LinearSystem:
    """A matrix model in exact steps, with noise.

    Parameters
    ----------
    model : MatrixModel, `changing` or callable
        The model, or a function of time [yr] that returns it.
    t : array_like, (steps + 1,)
        Times of the states [yr], rising.
    I, xi : float, array_like (steps or 1, ...), DataArray or callable
        Carbon input [gC m-2 yr-1] and environmental scalar, as in `landcarbon.matrix.timeline`.
    process_sd : array_like, (n,) or number
        Noise of the model, S [gC m-2 yr-1/2], by pool: the standard deviation it adds to a pool in
        one year.

    Returns
    -------
    LinearSystem

    Raises
    ------
    InputError
        Times that do not rise, forcing that does not fit, noise below zero.

    Examples
    --------
    >>> from landcarbon.models.pools import one_pool
    >>> system = linear_system(one_pool(0.1), t=[0.0, 1.0, 3.0], I=100.0, process_sd=20.0)
    >>> Phi, c, Q = system.step(0)
    >>> print(Phi.round(3), c.round(1), np.sqrt(Q).round(2))
    [[0.905]] [95.2] [[19.04]]
    """
    clock = Timeline.read(model, t, I, xi)
    known: dict[tuple[bytes, float], tuple[Array, Array, Array]] = {}
    rows: list[tuple[Array, Array, Array]] = []
    pools: tuple[str, ...] = ()
    for now in clock.walk():
        pools = now.model.pools
        noise = _broadcast(
            "process_sd", as_array("process_sd", process_sd, lower=0.0), (now.model.n,)
        )
        M = now.model.outflow_matrix(now.xi)
        key = (M.tobytes(), now.h)
        if key not in known:
            p = propagator(M, now.h)
            known[key] = (p.state, p.stay, accumulated(M, now.h, noise))
        Phi, stay, Q = known[key]
        rows.append((Phi, (stay @ now.u[..., None])[..., 0], Q))
    Phi, c, Q = (_stack(column) for column in zip(*rows))
    return LinearSystem(clock.t, Phi, c, Q, pools)


def accumulated(M: Array, h: float, noise: Array) -> Array:
    """Q = ∫₀ʰ e^(−M s) S² e^(−M s)ᵀ ds: on a step so short that quadrature is exact, then doubled."""
    if not noise.any():
        return np.zeros(M.shape)
    size = float(np.abs(M).sum(axis=-2).max()) * h
    halvings = max(0, int(np.ceil(np.log2(size)))) if size > 0 else 0
    short = h / 2.0**halvings
    Q = np.zeros(M.shape)
    for node, weight in zip((NODES + 1) / 2 * short, WEIGHTS / 2 * short):
        spread = propagator(M, node).state * noise
        Q = Q + weight * (spread @ np.swapaxes(spread, -1, -2))
    Phi = propagator(M, short).state
    for _ in range(halvings):
        Q = Q + Phi @ Q @ np.swapaxes(Phi, -1, -2)
        Phi = Phi @ Phi
    return Q


@dataclass(frozen=True, eq=False)
class Measured:
    """The measurements of one time, as filters take them.

    Attributes
    ----------
    data, sd, mask : ndarray, (sites..., m)
    read : callable
        States (sites..., any..., n) -> what they say of the data, (sites..., any..., m).
    H : ndarray, (sites..., m, n), optional
        The same as a matrix, where it is one.
    correlation : ExponentialCorrelation, optional
        Of the errors with each other.
    """

    data: Array
    sd: Array
    mask: NDArray[np.bool_]
    read: Callable[[Array], Array]
    H: Array | None = None
    correlation: ExponentialCorrelation | None = None

    def covariance(self) -> Array:
        """R (sites..., m, m); one on the diagonal where the mask is False."""
        sd = np.where(self.mask, self.sd, 1.0)[..., None] * np.eye(self.sd.shape[-1])
        if self.correlation is None:
            return sd**2
        L = sd @ np.swapaxes(self.correlation.colour(np.broadcast_to(np.eye(sd.shape[-1]), sd.shape)), -1, -2)
        return L @ np.swapaxes(L, -1, -2)


@dataclass(frozen=True, init=False, eq=False)
class StateObservations(ObservationStream):
    """Measurements of pools, of sums of pools, or of fluxes, each at its time.

    Parameters
    ----------
    value : array_like, (..., obs)
        What was measured. Leading axes are sites.
    error : array_like
        Its standard deviation, broadcast to `value`; positive.
    t : array_like, (time,)
        Times of the model's states, `system.t`.
    end : array_like, (obs,)
        Time of each measurement: one of `t`.
    H : array_like, (n,), (obs, n) or (..., obs, n); or callable
        What each measurement reads: a one at a pool, ones at all pools for their sum, rates for a
        flux. A function reads what is not linear: of states X (..., n) and the numbers j (m,) of the
        measurements asked for, it returns what X says of them, (..., m). Ensembles and particles take
        it, the Kalman filter does not.
    mask : array_like of bool, (..., obs), optional
        True where a measurement is used (default: all of them).
    correlation_length : float, optional
        Distance over which the errors of *one* time forget each other, in the unit of `at`; see
        `error_models`. Errors that last from time to time are a part of the state: carry them along as
        a further pool that forgets, and let H read it too.
    at : array_like, (obs,), optional
        Where each measurement stands, its depth; needed with `correlation_length`.

    Raises
    ------
    InputError
        A measurement before the model starts, after it ends or between its times; NaN among the
        used values, an error of zero, a site with nothing to use, an H of the wrong shape.

    Examples
    --------
    Soil, the second of two pools, was sampled in the years 0 and 10:

    >>> soil = StateObservations([5200.0, 5300.0], error=400.0, t=np.arange(21.0),
    ...                          end=[0.0, 10.0], H=[0.0, 1.0])
    >>> soil.at(10)
    array([1])

    A satellite sees leaves level off, 1 − e^(−X / 2):

    >>> green = StateObservations([0.6, 0.7], 0.05, t=np.arange(5.0), end=[1.0, 3.0],
    ...                           H=lambda X, j: 1 - np.exp(-X[..., :1] / 2))
    >>> green.of(3).read(np.array([[2.0, 80.0]])).round(3)
    array([[0.632]])
    """

    t: Array
    step: NDArray[np.intp]
    H: Array | None
    operator: Callable[[Array, NDArray[np.intp]], ArrayLike] | None
    length: float | None
    place: Array | None
    likelihood: GaussianLikelihood

    def __init__(
        self,
        value: ArrayLike,
        error: ArrayLike,
        t: ArrayLike,
        end: ArrayLike,
        H: ArrayLike | Callable[[Array, NDArray[np.intp]], ArrayLike],
        mask: ArrayLike | None = None,
        *,
        correlation_length: float | None = None,
        at: ArrayLike | None = None,
    ) -> None:
        likelihood = GaussianLikelihood(value, error, mask)
        obs = likelihood.observed.shape[-1]
        t = rising("t", t)
        when = _broadcast("end", as_array("end", end), (obs,))
        used = likelihood.mask.reshape(-1, obs).any(0)
        step, same = nearest(when, t)
        for j in np.flatnonzero(used & ~same):
            if when[j] < t[0] or when[j] > t[-1]:
                where = "before the model starts" if when[j] < t[0] else "after it ends"
                raise InputError(
                    f"observation {j} is of time {when[j]:g}, {where}; the model runs from {t[0]:g} "
                    f"to {t[-1]:g}. Run it longer, or mask the observation."
                )
            raise InputError(
                f"observation {j} is of time {when[j]:g}, but the model's states are of {t[step[j]]:g} "
                "and its neighbours; let the model stop at the times of the data as well."
            )
        matrix = None if callable(H) else _rows("H", H, obs, likelihood.sites)
        if (correlation_length is None) != (at is None):
            raise InputError(
                "correlated errors need both correlation_length= and at=, where each measurement stands; "
                "independent ones need neither."
            )
        place = None
        if correlation_length is not None and at is not None:
            place = _broadcast("at", as_array("at", at), (obs,))
            likelihood = likelihood.with_correlation(
                ExponentialCorrelation(
                    np.broadcast_to(place, likelihood.mask.shape), correlation_length, likelihood.mask, step
                )
            )
        keep(self, t=t, step=step, H=matrix, operator=H if callable(H) else None,
             length=correlation_length, place=place, likelihood=likelihood)  # fmt: skip

    @property
    def sites(self) -> tuple[int, ...]:
        """Leading site axes."""
        own = () if self.H is None else self.H.shape[:-2]
        return np.broadcast_shapes(self.likelihood.sites, own)

    def at(self, k: int) -> NDArray[np.intp]:
        """Which measurements are of model time k."""
        return np.flatnonzero(self.step == k)

    def of(self, k: int) -> Measured | None:
        """The measurements of model time k; None if there are none."""
        rows = self.at(k)
        mask = self.mask[..., rows]
        if rows.size == 0 or not mask.any():
            return None
        correlation = None
        if self.length is not None and self.place is not None:
            where = np.broadcast_to(self.place[rows], mask.shape)
            correlation = ExponentialCorrelation(where, self.length, mask)
        return Measured(
            self.data[..., rows],
            self.sd[..., rows],
            mask,
            lambda X: self._read(X, rows),
            None if self.H is None else self.H[..., rows, :],
            correlation,
        )

    def _read(self, X: Array, rows: NDArray[np.intp]) -> Array:
        """What states X (sites..., any..., n) say of some measurements: (sites..., any..., m)."""
        if self.H is not None:
            H = np.swapaxes(self.H[..., rows, :], -1, -2)  # (sites..., n, m)
            between = X.ndim - (H.ndim - 1) if H.ndim > 2 else 1
            if between == 0:
                return (X[..., None, :] @ H)[..., 0, :]
            return X @ H.reshape(*H.shape[:-2], *(1,) * (between - 1), *H.shape[-2:])
        assert self.operator is not None
        y = as_array("what H reads", self.operator(X, rows), hint="Does it take every state of the members?")
        try:
            return np.broadcast_to(y, (*X.shape[:-1], rows.size))
        except ValueError:
            raise InputError(
                f"H returns shape {y.shape} for states of shape {X.shape}, but {(*X.shape[:-1], rows.size)} is "
                "expected: the leading axes of X, then one number a measurement. Take a pool as X[..., i:i+1]."
            ) from None

    def with_values(self, values: ArrayLike) -> StateObservations:
        """Other values (sites..., obs) of the same measurements, with the same errors and mask."""
        values = as_gappy("values", values)
        return self._with(likelihood=self.likelihood.with_values(values))

    def predict(self, X: ArrayLike) -> Array:
        """What the states X (time, sites..., any..., n) say of the data: (sites..., any..., obs)."""
        X = as_array("X", X, shape=(None if self.H is None else self.H.shape[-1],))
        if X.ndim < 2 or X.shape[0] != len(self.t):
            raise InputError(
                f"X has shape {X.shape}; states come time first, {len(self.t)} of them."
            )
        out = [(rows, self._read(X[k], rows)) for k in np.unique(self.step) for rows in [self.at(k)]]
        return np.concatenate([y for _, y in out], axis=-1)[..., np.argsort(np.concatenate([r for r, _ in out]))]


@dataclass(frozen=True, eq=False)
class StateEstimate:
    """What a filter or a smoother says of the states.

    Attributes
    ----------
    t : ndarray, (time,)
    pools : tuple of str
    analysis : Normal or Ensemble
        With the data; leading axes (time, sites...). Of a filter: with the data up to that time.
    forecast : Normal or Ensemble
        Just before the data of each time were used. Of a smoother: the same as `analysis`.
    log_evidence : ndarray, (sites...), optional
        ln p(data), the data before each time predicting those of that time.
    innovation : ndarray, (sites..., obs), optional
        (d − H · forecast) in units of its expected standard deviation: about Normal(0, 1), and
        without memory, if model and errors are right. Zero where the mask is False.
    """

    t: Array
    pools: tuple[str, ...]
    analysis: Normal | Ensemble
    forecast: Normal | Ensemble
    log_evidence: Array | None = None
    innovation: Array | None = None

    def mean(self) -> Array:
        """Means of the analysis (time, sites..., n)."""
        return self.analysis.mean()

    def sd(self) -> Array:
        """Standard deviations of the analysis (time, sites..., n)."""
        return self.analysis.sd()

    def quantile(self, q: float | Sequence[float]) -> Array:
        """Quantiles of the analysis (time, sites..., n), or (len(q), time, ...) for a list."""
        return self.analysis.quantile(q)

    def to_dataset(self, unit: str = "gC m-2") -> xr.Dataset:
        """Mean and sd of analysis and forecast (time, [site], pool), labelled."""
        import xarray as xr

        lead = self.mean().ndim - 2
        if lead > 1:
            raise InputError(f"to_dataset takes one site axis, but there are {lead}.")
        dims = ("time", *("site",) * lead, "pool")
        values = {
            "mean": (self.analysis.mean(), "carbon in each pool"),
            "sd": (self.analysis.sd(), "its standard deviation"),
            "forecast_mean": (self.forecast.mean(), "the same before the data of that time"),
            "forecast_sd": (self.forecast.sd(), "its standard deviation"),
        }
        data = xr.Dataset(
            {
                name: (dims, value, {"units": unit, "long_name": text})
                for name, (value, text) in values.items()
            },
            coords={"time": ("time", self.t, {"units": "yr"}), "pool": list(self.pools)},
        )
        return labelled(data, "State through time, given data")


def root(C: Array) -> Array:
    """A matrix L with L Lᵀ = C, for a C that may be singular."""
    values, vectors = np.linalg.eigh(C)
    return vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :]


def noisy(X: Array, Q: Array, source: Streams) -> Array:
    """Members (sites..., member, n) with noise of covariance Q (sites..., n, n) added."""
    if not Q.any():
        return X
    return X + source.normal(X.shape[-2:]) @ np.swapaxes(root(Q), -1, -2)


def fitting(
    sites: tuple[int, ...], data: StateObservations, n: int, times: ArrayLike
) -> tuple[int, ...]:
    """The sites of a run, or a sentence why model, start and data do not go together."""
    if data.H is not None and data.H.shape[-1] != n:
        raise InputError(f"the rows of H read {data.H.shape[-1]} pools, but the model has {n}.")
    if data.t.shape != np.shape(times) or not nearest(data.t, np.asarray(times))[1].all():
        raise InputError(
            "the data were placed on other times than the model's; build them with "
            "StateObservations(..., t=system.t)."
        )
    try:
        return np.broadcast_shapes(sites, data.sites)
    except ValueError:
        raise InputError(
            f"model and start have sites {sites}, but the data have sites {data.sites}."
        ) from None


def log_normal(r: Array, S: Array, used: ArrayLike) -> Array:
    """ln Normal(r; 0, S) of vectors (..., m) of which `used` components count.

    The others have r = 0 and a one on the diagonal of S.
    """
    quadratic = (r * np.linalg.solve(S, r[..., None])[..., 0]).sum(-1)
    return -0.5 * (quadratic + np.linalg.slogdet(S)[1] + np.asarray(used) * _LOG_2PI)


def believed(mu: Array, cov: Array) -> Normal:
    """A Normal whose parts are known to be right."""
    made = object.__new__(Normal)
    keep(made, mu=mu, cov=cov)
    return made


def covariance(name: str, value: ArrayLike | None, n: int) -> Array:
    C = as_array(name, value if value is not None else (), shape=(n, n))
    size = np.abs(C).max(initial=0.0)
    if np.abs(C - np.swapaxes(C, -1, -2)).max(initial=0.0) > 1e-8 * size:
        raise InputError(f"{name} is no covariance: it must be symmetric.")
    if np.linalg.eigvalsh(C).min(initial=0.0) < -1e-8 * size:
        raise InputError(f"{name} is no covariance: in some direction its variance is negative.")
    return C


def _broadcast(name: str, value: Array, shape: tuple[int, ...]) -> Array:
    try:
        return np.broadcast_to(value, shape)
    except ValueError:
        raise InputError(f"{name} has shape {value.shape}, but {shape} is expected.") from None


def _rows(name: str, H: ArrayLike, obs: int, sites: tuple[int, ...]) -> Array:
    """One row of pools an observation, (..., obs, n)."""
    matrix = as_array(name, H, shape=(None,))
    try:
        matrix = np.broadcast_to(matrix, np.broadcast_shapes(matrix.shape, (obs, matrix.shape[-1])))
        np.broadcast_shapes(matrix.shape[:-2], sites)
    except ValueError:
        raise InputError(
            f"H has shape {np.shape(H)}, but {obs} observations of sites {sites} are "
            "given; H holds one row of pools for all of them, or one row an observation."
        ) from None
    return matrix


def _stack(rows: Sequence[Array]) -> Array:
    """One row if all are the same object or equal, so that what never changes is kept once."""
    if all(row is rows[0] for row in rows) or all(np.array_equal(row, rows[0]) for row in rows):
        return rows[0][None]
    return np.stack(np.broadcast_arrays(*rows))
