"""Observations: what was measured, how well, and how likely a model makes it.

::

    d_i ~ Normal(h_i(X), sd_i)                                      (data space)
    ln L(X) = sum_i [ -(d_i - h_i)^2 / (2 sd_i^2) - ln sd_i - ln(2 pi)/2 ]      over mask_i
              (correlated errors: see error_models)
    ln C(z_i) = (1 - w) ln X_j + w ln X_{j+1},   w = (z_i - z_j) / (z_{j+1} - z_j)   (profile)
    h_i = x(t_i);   h_i = integral of x from s_i to t_i, or its mean                 (series)

====== ===================================== ================= ====== ============ ==========
symbol meaning                               shape             unit   code name    source
====== ===================================== ================= ====== ============ ==========
d      data: value, or ln value              (..., obs)               data
sd     standard deviation of the error       (..., obs)        as d   sd
h(X)   what the model says of the same thing (..., obs)        as d   predict(X)
X      model values; layers of a profile     (..., layer)      gC m-3 model_values
z_j    node depth of layer j, downwards      (layer,)          m      node_depth   SoilLayers
z_i    depth of observation i                (..., obs)        m      depth
w      weights of the interpolation in ln X  (..., obs, layer) 1      weights
mask   True where an observation is used     (..., obs)               mask
====== ===================================== ================= ====== ============ ==========

Every kind of observations offers `data`, `sd`, `mask`, `sites`, `predict`, `log_likelihood`,
`gradient`, `pull`, `simulate`, `with_values` (other data, the same errors), and `[index]` to select sites;
samplers ask for nothing else. The leading axes of the data are the sites. Model values may have
further axes (chains, members) between the sites and the last axis.

Between two nodes ln carbon is a straight line in depth, so carbon is positive and monotone there and
never overshoots its layers. A monotone cubic (pchip) would be smoother, but its slopes depend on the
carbon itself, with kinks; a straight line in ln X has fixed weights w, which makes `pull` exact.
Above the first node and between the last node and the bottom of the column ln X is held constant.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.error_models import ExponentialCorrelation
from landcarbon.assimilation.streams import Random, streams
from landcarbon.matrix.errors import InputError, as_array

__all__ = [
    "GaussianLikelihood",
    "ObservationStream",
    "ProfileObservations",
    "SeriesObservations",
]

_HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)


@dataclass(frozen=True, init=False, eq=False)
class GaussianLikelihood:
    """Data with Gaussian errors, compared with a model vector of the same length.

    Parameters
    ----------
    observed : array_like, (..., obs)
        Data; the leading axes are sites.
    sd : array_like
        Standard deviation of the error, broadcast to `observed`; positive.
    mask : array_like of bool, optional
        True where an observation is used (default: all of them).
    correlation_length : float, optional
        Distance over which errors forget each other, in the unit of `at`; independent by default.
        See `error_models`.
    at : array_like, (..., obs), optional
        Where each observation stands (time, depth); needed with `correlation_length`.

    Raises
    ------
    InputError
        NaN among the used values, an sd of zero, a site with nothing to use; correlated errors of two
        data at the same place.

    Examples
    --------
    >>> flux = GaussianLikelihood([2.0, float("nan"), 3.0], sd=0.5, mask=[True, False, True])
    >>> round(float(flux.log_likelihood([2.0, 9.0, 3.5])), 3)
    -0.952
    """

    observed: NDArray[np.float64]
    sd: NDArray[np.float64]
    mask: NDArray[np.bool_]
    correlation: ExponentialCorrelation | None

    def __init__(
        self,
        observed: ArrayLike,
        sd: ArrayLike,
        mask: ArrayLike | None = None,
        *,
        correlation_length: float | None = None,
        at: ArrayLike | None = None,
    ) -> None:
        observed, keep = _masked("observed", observed, mask)
        if (correlation_length is None) != (at is None):
            raise InputError(
                "correlated errors need both correlation_length= and at=, where each observation "
                "stands; independent ones need neither."
            )
        correlation = None
        if correlation_length is not None and at is not None:
            place = np.asarray(at, dtype=float)
            if place.shape != keep.shape and place.shape != keep.shape[-1:]:
                raise InputError(
                    f"at has shape {place.shape}, but one place an observation is expected, {keep.shape}."
                )
            place = np.broadcast_to(place, keep.shape)
            correlation = ExponentialCorrelation(place, correlation_length, keep)
        object.__setattr__(self, "observed", observed)
        object.__setattr__(self, "sd", _errors("sd", sd, keep))
        object.__setattr__(self, "mask", keep)
        object.__setattr__(self, "correlation", correlation)

    @property
    def data(self) -> NDArray[np.float64]:
        """Data (..., obs); zero where the mask is False."""
        return self.observed

    @property
    def sites(self) -> tuple[int, ...]:
        """Leading site axes."""
        return self.observed.shape[:-1]

    @property
    def n_values(self) -> int:
        """Number of observations; each reads one model value."""
        return int(self.observed.shape[-1])

    def __getitem__(self, index: Any) -> GaussianLikelihood:
        picked = GaussianLikelihood(self.observed[index], self.sd[index], self.mask[index])
        return picked.with_correlation(self.correlation and self.correlation[index])

    def with_values(self, values: ArrayLike) -> GaussianLikelihood:
        """Other values (sites..., obs) with the same errors and mask."""
        values = np.asarray(values, dtype=float)
        mask = np.broadcast_to(self.mask, values.shape)
        other = GaussianLikelihood(values, np.broadcast_to(self.sd, values.shape), mask)
        return other.with_correlation(
            self.correlation and self.correlation.broadcast(values.shape)
        )

    def with_correlation(self, correlation: ExponentialCorrelation | None) -> GaussianLikelihood:
        """The same data and standard deviations, with errors correlated like this."""
        other = copy.copy(self)
        object.__setattr__(other, "correlation", correlation)
        return other

    def predict(self, model_values: ArrayLike) -> NDArray[np.float64]:
        """The model values themselves, checked: (sites..., any..., obs)."""
        return _model_values(model_values, self.sites, self.observed.shape[-1], "observation")

    def log_likelihood(self, model_values: ArrayLike) -> NDArray[np.float64]:
        """ln L (sites..., any...)."""
        return self._log_density(self.predict(model_values))

    def gradient(self, model_values: ArrayLike) -> NDArray[np.float64]:
        """d ln L / d model_values, the shape of `model_values`."""
        return self._pull(self.predict(model_values))

    def pull(self, model_values: ArrayLike, g: ArrayLike) -> NDArray[np.float64]:
        """The derivative of sum_i g_i h_i with respect to `model_values`, for any g of its shape."""
        h = self.predict(model_values)
        return np.where(self._lift(self.mask, h.ndim), np.broadcast_to(np.asarray(g), h.shape), 0.0)

    def simulate(self, model_values: ArrayLike, rng: Random = None) -> NDArray[np.float64]:
        """Observations the model would make with these errors; NaN where the mask is False."""
        return self._noisy(self.predict(model_values), rng)

    def whiten(self, e: ArrayLike) -> NDArray[np.float64]:
        """Differences e (sites..., any..., obs) in units of the errors, made independent.

        Their squares sum to twice the cost. Zero where the mask is False.
        """
        e = np.asarray(e, dtype=float)
        u = np.where(self._lift(self.mask, e.ndim), e / self._lift(self.sd, e.ndim), 0.0)
        return u if self.correlation is None else self.correlation.whiten(u)

    def _lift(self, array: NDArray[Any], ndim: int) -> NDArray[Any]:
        return _lift(array, len(self.sites), ndim)

    def _misfit(self, h: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.whiten(self._lift(self.observed, h.ndim) - h)

    def _log_density(self, h: NDArray[np.float64]) -> NDArray[np.float64]:
        constant = np.where(self.mask, np.log(self.sd) + _HALF_LOG_2PI, 0.0).sum(-1)
        if self.correlation is not None:
            constant = constant + self.correlation.log_scale
        between = h.ndim - len(self.sites) - 1
        constant = np.reshape(constant, (*self.sites, *(1,) * between))
        return -0.5 * (self._misfit(h) ** 2).sum(-1) - constant

    def _pull(self, h: NDArray[np.float64]) -> NDArray[np.float64]:
        u = self._misfit(h)
        if self.correlation is not None:
            u = self.correlation.whiten_transposed(u)
        return np.where(self._lift(self.mask, h.ndim), u / self._lift(self.sd, h.ndim), 0.0)

    def _noisy(self, h: NDArray[np.float64], rng: Random) -> NDArray[np.float64]:
        noise = streams(rng, self.sites).normal(h.shape[len(self.sites) :])
        if self.correlation is not None:
            noise = self.correlation.colour(noise)
        sd, mask = self._lift(self.sd, h.ndim), self._lift(self.mask, h.ndim)
        return np.where(mask, h + sd * noise, np.nan)



class ObservationStream(ABC):
    """What all kinds of observations share: data and errors are in `likelihood`, the rest follows.

    A kind of its own says how it reads a model, `predict`, and, for samplers that follow gradients,
    how a derivative by what was read goes back to the model values, `pull`. With `n_values`, the
    number of model values it reads along their last axis, it can be part of `JointObservations`.
    """

    likelihood: GaussianLikelihood

    @property
    def data(self) -> NDArray[np.float64]:
        """Data (..., obs) in data space; zero where the mask is False."""
        return self.likelihood.observed

    @property
    def sd(self) -> NDArray[np.float64]:
        """Standard deviation of the error of `data` (..., obs)."""
        return self.likelihood.sd

    @property
    def mask(self) -> NDArray[np.bool_]:
        """True where an observation is used (..., obs)."""
        return self.likelihood.mask

    @property
    def sites(self) -> tuple[int, ...]:
        """Leading site axes."""
        return self.likelihood.sites

    @property
    def correlation(self) -> ExponentialCorrelation | None:
        """How the errors resemble their neighbours'; None where they are independent."""
        return self.likelihood.correlation

    @abstractmethod
    def predict(self, model_values: ArrayLike) -> NDArray[np.float64]:
        """What the model says of the observations (sites..., any..., obs), in data space."""

    def pull(self, model_values: ArrayLike, g: ArrayLike) -> NDArray[np.float64]:
        """The derivative of sum_i g_i h_i with respect to `model_values`, g (sites..., any..., obs)."""
        raise InputError(
            f"{type(self).__name__} has no derivative by the model values; use a sampler that needs "
            "none ('smc', 'metropolis'), or 'hmc' with gradient='numerical'."
        )

    def log_likelihood(self, model_values: ArrayLike) -> NDArray[np.float64]:
        """ln L (sites..., any...)."""
        return self.likelihood.log_likelihood(self.predict(model_values))

    def gradient(self, model_values: ArrayLike) -> NDArray[np.float64]:
        """d ln L / d model_values, the shape of `model_values`."""
        return self.pull(model_values, self.likelihood.gradient(self.predict(model_values)))

    def simulate(self, model_values: ArrayLike, rng: Random = None) -> NDArray[np.float64]:
        """Observations the model would make, errors drawn (sites..., any..., obs); NaN where masked."""
        return self.likelihood.simulate(self.predict(model_values), rng)

    def whiten(self, e: ArrayLike) -> NDArray[np.float64]:
        """Differences e (sites..., any..., obs) in units of the errors, made independent."""
        return self.likelihood.whiten(e)

    def _with(self, **fields: Any) -> Self:
        """A copy with some fields replaced, which are known to be right."""
        other = copy.copy(self)
        vars(other).update(fields)
        return other


@dataclass(frozen=True, init=False, eq=False)
class ProfileObservations(ObservationStream):
    """Carbon measured at several depths of soil columns.

    Parameters
    ----------
    depth : array_like, (..., obs)
        Depth of each measurement, m, downwards from the surface. Leading axes are sites.
    value : array_like, (..., obs)
        Carbon there, gC m-3.
    error : array_like
        With kind="log" the standard deviation of ln(value) (0.3 is about 30 %); with
        kind="absolute" the standard deviation in gC m-3. Broadcast to `value`.
    node_depth : array_like, (layer,)
        Depth of the model's layer nodes, m, increasing.
    bottom : array_like, optional
        Bottom of the column, m: one number, or one a site (bedrock). Layers with a node below it
        are not read. Default: the deepest node.
    kind : {"log", "absolute"}
        Error model.
    mask : array_like of bool, (..., obs), optional
        True where a measurement is used; profiles of different length are padded and masked.
    correlation_length : float, optional
        Depth over which the errors of a profile forget each other, m; independent by default.

    Raises
    ------
    InputError
        A depth above the surface or below the column, NaN or carbon that is not positive among the
        used values, an error of zero, a site with nothing to use, nodes that do not increase.

    Examples
    --------
    >>> obs = ProfileObservations(depth=[0.1, 0.3], value=[20e3, 9e3], error=0.3,
    ...                           node_depth=[0.1, 0.2, 0.4], bottom=0.5)
    >>> obs.predict_values([20e3, 16e3, 4e3]).round()      # half-way in ln: sqrt(16 * 4) = 8
    array([20000.,  8000.])
    >>> obs.log_likelihood([[20e3, 16e3, 4e3], [20e3, 10e3, 9e3]]).round(3)
    array([0.493, 0.555])
    """

    depth: NDArray[np.float64]
    value: NDArray[np.float64]
    kind: str
    node_depth: NDArray[np.float64]
    weights: NDArray[np.float64]
    likelihood: GaussianLikelihood

    def __init__(
        self,
        depth: ArrayLike,
        value: ArrayLike,
        error: ArrayLike,
        node_depth: ArrayLike,
        bottom: ArrayLike | None = None,
        kind: str = "log",
        mask: ArrayLike | None = None,
        correlation_length: float | None = None,
    ) -> None:
        if kind not in ("log", "absolute"):
            raise InputError(
                f"kind is {kind!r}; use 'log' (error is the sd of ln carbon) or 'absolute' "
                "(error in gC m-3)."
            )
        value, keep = _masked("value", value, mask)
        depth = np.broadcast_to(np.asarray(depth, dtype=float), value.shape)
        depth = as_array(
            "depth",
            np.where(keep, depth, 0.0),
            lower=0.0,
            hint="Depths are metres below the surface, positive downwards.",
        )
        nodes = as_array("node_depth", node_depth, lower=0.0)
        if nodes.ndim != 1 or nodes.size == 0 or (np.diff(nodes) <= 0).any():
            raise InputError("node_depth must be a list of depths that increase downwards.")
        floor = np.asarray(as_array("bottom", nodes[-1] if bottom is None else bottom))
        try:
            floor = np.broadcast_to(floor, value.shape[:-1])
        except ValueError:
            raise InputError(
                f"bottom has shape {floor.shape}, but there are {value.shape[:-1]} sites; give one "
                "depth for all or one a site."
            ) from None
        if (floor < nodes[0]).any():
            raise InputError(
                f"bottom is {floor.min():g} m, above the first node at {nodes[0]:g} m; the column "
                "needs at least one layer."
            )
        bad = keep & (depth > floor[..., None])
        if bad.any():
            at = tuple(np.argwhere(bad)[0])
            raise InputError(
                f"{_at_site(at[:-1])}observation {at[-1]} lies at {depth[at]:g} m, below the "
                f"bottom of the column at {floor[at[:-1]]:g} m. Set its mask to False, or use a "
                "deeper column."
            )
        bad = keep & (value <= 0)
        if bad.any():
            at = tuple(np.argwhere(bad)[0])
            raise InputError(
                f"{_at_site(at[:-1])}observation {at[-1]} is {value[at]:g} gC m-3; carbon must be "
                "positive. Mask it out if it is below the detection limit."
            )
        error = _errors("error", error, keep)
        data = np.log(np.where(keep, value, 1.0)) if kind == "log" else value
        object.__setattr__(self, "depth", depth)
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "node_depth", nodes)
        used = (nodes <= floor[..., None]).sum(-1)
        object.__setattr__(self, "weights", _interpolation(depth, nodes, used, keep))
        object.__setattr__(
            self, "likelihood", _with_errors(data, error, keep, correlation_length, depth)
        )

    @property
    def n_values(self) -> int:
        """Number of layers."""
        return int(self.node_depth.size)

    def __getitem__(self, index: Any) -> ProfileObservations:
        names = ("depth", "value", "weights", "likelihood")
        return self._with(**{name: getattr(self, name)[index] for name in names})

    def with_values(self, values: ArrayLike) -> ProfileObservations:
        """Other carbon (sites..., obs), gC m-3, at the same depths with the same errors and mask."""
        values = np.asarray(values, dtype=float)
        return self._with(
            depth=np.broadcast_to(self.depth, values.shape),
            value=np.where(self.mask, values, 0.0),
            weights=np.broadcast_to(self.weights, (*values.shape, self.n_values)),
            likelihood=self.likelihood.with_values(
                np.log(values) if self.kind == "log" else values
            ),
        )

    def _log_values(
        self, model_values: ArrayLike
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """Layers that are read (others set to 1), their logarithm, and where it does not exist."""
        X = _model_values(model_values, self.sites, self.node_depth.size, "layer", finite=False)
        read = _lift((self.weights != 0).any(-2), len(self.sites), X.ndim)
        X = np.where(read, X, 1.0)
        if np.isnan(X).any():
            at = tuple(int(i) for i in np.argwhere(np.isnan(X))[0])
            raise InputError(
                f"the model gives NaN in layer {at[-1]} at index {at[:-1]}; check its forcing."
            )
        bad = (X <= 0) | np.isinf(X)
        return X, np.log(np.where(bad, 1.0, X)), bad

    def _apply(self, ln_x: NDArray[np.float64]) -> NDArray[np.float64]:
        return _multiply(ln_x, np.swapaxes(self.weights, -1, -2), self.sites)

    def predict(self, model_values: ArrayLike) -> NDArray[np.float64]:
        """Model values at the observed depths, in data space (ln carbon with kind="log").

        Parameters
        ----------
        model_values : array_like, (sites..., any..., layer)
            Carbon by layer, gC m-3; positive in the layers that are read.

        Returns
        -------
        ndarray, (sites..., any..., obs)
        """
        _, ln_x, bad = self._log_values(model_values)
        if bad.any():
            at = tuple(int(i) for i in np.argwhere(bad)[0])
            raise InputError(
                f"the model gives {np.asarray(model_values)[at]:g} gC m-3 in layer {at[-1]} at "
                f"index {at[:-1]}; a profile needs positive carbon there. Is the layer "
                "below the bedrock?"
            )
        h = self._apply(ln_x)
        return h if self.kind == "log" else np.exp(h)

    def predict_values(self, model_values: ArrayLike) -> NDArray[np.float64]:
        """Carbon at the observed depths (sites..., any..., obs), gC m-3."""
        h = self.predict(model_values)
        return np.exp(h) if self.kind == "log" else h

    def log_likelihood(self, model_values: ArrayLike) -> NDArray[np.float64]:
        """ln L (sites..., any...) of layer values (sites..., any..., layer).

        With kind="log" it is the density of ln value. Layers without carbon make it -inf.
        """
        _, ln_x, bad = self._log_values(model_values)
        h = self._apply(ln_x)
        ll = self.likelihood.log_likelihood(h if self.kind == "log" else np.exp(h))
        return np.where(bad.any(-1), -np.inf, ll)

    def pull(self, model_values: ArrayLike, g: ArrayLike) -> NDArray[np.float64]:
        """The derivative of sum_i g_i h_i with respect to `model_values`, g (sites..., any..., obs)."""
        h = self.predict(model_values)
        X, _, _ = self._log_values(model_values)
        g = np.broadcast_to(np.asarray(g, dtype=float), h.shape)
        return _multiply(g if self.kind == "log" else g * h, self.weights, self.sites) / X

    def simulate(self, model_values: ArrayLike, rng: Random = None) -> NDArray[np.float64]:
        """Profiles (sites..., any..., obs), gC m-3, with errors drawn; NaN where masked."""
        noisy = self.likelihood._noisy(self.predict(model_values), rng)
        return np.exp(noisy) if self.kind == "log" else noisy


@dataclass(frozen=True, init=False, eq=False)
class SeriesObservations(ObservationStream):
    """Pools, fluxes and cumulative fluxes measured in time.

    The model's series is read as straight lines between its times, and integrated exactly.

    Parameters
    ----------
    value : array_like, (..., obs)
        What was measured. Leading axes are sites.
    error : array_like
        Its standard deviation, broadcast to `value`.
    times : array_like, (time,)
        Times of the model's series, increasing, in years or whatever `end` is in.
    end : array_like, (..., obs)
        Time of the measurement, or end of its window.
    start : array_like, (..., obs), optional
        Start of the window; needed with kind="mean".
    kind : {"point", "mean", "cumulative"}
        "point": a pool or a flux at `end`. "mean": a flux averaged from `start` to `end`.
        "cumulative": a flux summed from `start` (default: the first model time) to `end`.
    mask : array_like of bool, (..., obs), optional
        True where a measurement is used.
    correlation_length : float, optional
        Time over which errors forget each other, in the unit of `end`; independent by default. A
        misfit of the model that lasts for days is an error of this kind.

    Raises
    ------
    InputError
        A measurement before the model starts or after it ends, a window of no length, NaN among the
        used values, an error of zero, a site with nothing to use.

    Examples
    --------
    Respiration r(t) = 2 - t, known at three times: what has been respired by t = 1 and by t = 2?

    >>> lost = SeriesObservations([1.4, 2.1], 0.1, times=[0, 1, 2], end=[1, 2], kind="cumulative")
    >>> lost.predict([2.0, 1.0, 0.0])
    array([1.5, 2. ])
    """

    kind: str
    times: NDArray[np.float64]
    weights: NDArray[np.float64]
    likelihood: GaussianLikelihood

    def __init__(
        self,
        value: ArrayLike,
        error: ArrayLike,
        times: ArrayLike,
        end: ArrayLike,
        start: ArrayLike | None = None,
        kind: str = "point",
        mask: ArrayLike | None = None,
        correlation_length: float | None = None,
    ) -> None:
        if kind not in ("point", "mean", "cumulative"):
            raise InputError(f"kind is {kind!r}; use 'point', 'mean' or 'cumulative'.")
        if (kind == "mean" and start is None) or (kind == "point" and start is not None):
            raise InputError(
                "kind='mean' needs the start of each window, kind='point' has none; give start= with "
                "'mean' and perhaps with 'cumulative'."
            )
        value, keep = _masked("value", value, mask)
        t = as_array("times", times)
        if t.ndim != 1 or t.size < 2 or (np.diff(t) <= 0).any():
            raise InputError("times must be a list of at least two model times that increase.")
        stop = _within("end", end, t, keep)
        begin = _within("start", t[0] if start is None else start, t, keep)
        bad = keep & (stop <= begin)
        if kind != "point" and bad.any():
            at = tuple(np.argwhere(bad)[0])
            raise InputError(
                f"{_at_site(at[:-1])}observation {at[-1]} runs from {begin[at]:g} to {stop[at]:g}; a "
                "window must end after it starts."
            )
        if kind == "point":
            W = _hats(stop, t)
        else:
            W = _integrals(stop, t) - _integrals(begin, t)
            if kind == "mean":
                W = W / np.where(keep, stop - begin, 1.0)[..., None]
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "times", t)
        object.__setattr__(self, "weights", W * keep[..., None])
        error = _errors("error", error, keep)
        object.__setattr__(
            self, "likelihood", _with_errors(value, error, keep, correlation_length, stop)
        )

    @property
    def n_values(self) -> int:
        """Number of model times."""
        return int(self.times.size)

    def __getitem__(self, index: Any) -> SeriesObservations:
        return self._with(weights=self.weights[index], likelihood=self.likelihood[index])

    def with_values(self, values: ArrayLike) -> SeriesObservations:
        """Other values (sites..., obs) of the same times with the same errors and mask."""
        shape = (*np.shape(values), self.n_values)
        return self._with(
            weights=np.broadcast_to(self.weights, shape),
            likelihood=self.likelihood.with_values(values),
        )

    def predict(self, model_values: ArrayLike) -> NDArray[np.float64]:
        """What the model's series (sites..., any..., time) says: (sites..., any..., obs)."""
        x = _model_values(model_values, self.sites, self.times.size, "time")
        return _multiply(x, np.swapaxes(self.weights, -1, -2), self.sites)

    def pull(self, model_values: ArrayLike, g: ArrayLike) -> NDArray[np.float64]:
        """The derivative of sum_i g_i h_i with respect to `model_values`, g (sites..., any..., obs)."""
        g = np.broadcast_to(np.asarray(g, dtype=float), self.predict(model_values).shape)
        return _multiply(g, self.weights, self.sites)


def _with_errors(
    data: NDArray[np.float64],
    error: NDArray[np.float64],
    keep: NDArray[np.bool_],
    length: float | None,
    at: NDArray[np.float64],
) -> GaussianLikelihood:
    place = None if length is None else at
    return GaussianLikelihood(data, error, keep, correlation_length=length, at=place)


def _within(
    name: str, when: ArrayLike, times: NDArray[np.float64], keep: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Times of the observations; those in use must lie within the model's."""
    try:
        when = np.broadcast_to(np.asarray(when, dtype=float), keep.shape)
    except ValueError:
        raise InputError(
            f"{name} has shape {np.shape(when)}, but one time an observation is expected, {keep.shape}."
        ) from None
    when = as_array(name, np.where(keep, when, times[0]))
    for bad, word in (
        (when < times[0], "before the model starts"),
        (when > times[-1], "after it ends"),
    ):
        if bad.any():
            at = tuple(np.argwhere(bad)[0])
            raise InputError(
                f"{_at_site(at[:-1])}{name} of observation {at[-1]} is {when[at]:g}, {word}; the model "
                f"runs from {times[0]:g} to {times[-1]:g}. Run it longer, or mask the observation."
            )
    return when


def _hats(when: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights (..., obs, time) of linear interpolation."""
    W = np.zeros((*when.shape, times.size))
    j = np.clip(np.searchsorted(times, when) - 1, 0, times.size - 2)
    w = (when - times[j]) / (times[j + 1] - times[j])
    np.put_along_axis(W, j[..., None], (1.0 - w)[..., None], axis=-1)
    np.put_along_axis(W, j[..., None] + 1, w[..., None], axis=-1)
    return W


def _integrals(when: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights (..., obs, time) of the integral of that interpolation from times[0] to `when`."""
    left, width = times[:-1], np.diff(times)
    part = np.clip((when[..., None] - left) / width, 0.0, 1.0)
    W = np.zeros((*when.shape, times.size))
    W[..., :-1] += width * (part - 0.5 * part**2)
    W[..., 1:] += width * 0.5 * part**2
    return W


def _multiply(
    x: NDArray[np.float64], W: NDArray[np.float64], sites: tuple[int, ...]
) -> NDArray[np.float64]:
    """x (sites..., any..., a) times W (sites..., a, b): (sites..., any..., b)."""
    return (x.reshape(*sites, -1, x.shape[-1]) @ W).reshape(*x.shape[:-1], W.shape[-1])


def _interpolation(
    depth: NDArray[np.float64],
    nodes: NDArray[np.float64],
    used_nodes: NDArray[np.int_],
    keep: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Weights (..., obs, layer) of ln X at each depth; rows of masked observations are zero."""
    if nodes.size == 1:
        return keep[..., None].astype(float)
    inside = np.clip(depth, nodes[0], nodes[used_nodes - 1][..., None])
    return _hats(inside, nodes) * keep[..., None]


def _masked(
    name: str, value: ArrayLike, mask: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Values with zeros where the mask is False, and the mask."""
    try:
        value = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"{name} must hold numbers only, but {value!r:.80} was given.") from None
    if value.ndim == 0 or value.shape[-1] == 0:
        raise InputError(f"{name} must hold at least one observation along its last axis.")
    keep = np.ones(value.shape, dtype=bool)
    if mask is not None:
        mask = np.asarray(mask)
        if mask.dtype != bool or mask.shape != value.shape:
            raise InputError(
                f"mask must hold True or False in the shape of {name}, {value.shape}, but it is "
                f"{mask.dtype} of shape {mask.shape}."
            )
        keep = mask.copy()
    empty = ~keep.any(-1)
    if empty.any():
        raise InputError(
            f"{_at_site(tuple(np.argwhere(empty)[0]))}all observations are masked out; leave such "
            "a stream or site out of the run."
        )
    value = as_array(
        name,
        np.where(keep, value, 0.0),
        hint=f"Missing values are declared: mask=np.isfinite({name}).",
    )
    return value, keep


def _errors(name: str, error: ArrayLike, keep: NDArray[np.bool_]) -> NDArray[np.float64]:
    try:
        error = np.broadcast_to(np.asarray(error, dtype=float), keep.shape)
    except ValueError:
        raise InputError(
            f"{name} does not broadcast to the observations' shape {keep.shape}; give one number "
            "or one an observation."
        ) from None
    return as_array(
        name,
        np.where(keep, error, 1.0),
        lower=0.0,
        strict=True,
        hint="An observation without error would outweigh everything else.",
    )


def _model_values(
    values: ArrayLike, sites: tuple[int, ...], n: int, axis: str, finite: bool = True
) -> NDArray[np.float64]:
    array = as_array("model values", values) if finite else np.asarray(values, dtype=float)
    if array.ndim <= len(sites) or array.shape[-1] != n or array.shape[: len(sites)] != sites:
        lead = "".join(f"{s}, " for s in sites)
        raise InputError(
            f"model values have shape {array.shape}, but ({lead}..., {n}) is expected: sites "
            f"first, {axis} last."
        )
    return array


def _lift(array: NDArray[Any], n_sites: int, ndim: int) -> NDArray[Any]:
    """Insert axes of length 1 between the site axes and the last, up to `ndim` axes."""
    return array.reshape(*array.shape[:n_sites], *(1,) * (ndim - n_sites - 1), array.shape[-1])


def _at_site(at: tuple[Any, ...]) -> str:
    return f"site {', '.join(str(int(i)) for i in at)}: " if at else ""
