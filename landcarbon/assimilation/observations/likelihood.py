"""How likely a model makes what was measured, and what every kind of observations offers.

::

    d_i ~ Normal(h_i(X), sd_i)                                      (data space)
    ln L(X) = sum_i [ -(d_i - h_i)^2 / (2 sd_i^2) - ln sd_i - ln(2 pi)/2 ]      over mask_i
              (correlated errors: see error_models)

====== ===================================== ================= ====== ============ ==========
symbol meaning                               shape             unit   code name    source
====== ===================================== ================= ====== ============ ==========
d      data: value, or ln value              (..., obs)               data
sd     standard deviation of the error       (..., obs)        as d   sd
h(X)   what the model says of the same thing (..., obs)        as d   predict(X)
mask   True where an observation is used     (..., obs)               mask
====== ===================================== ================= ====== ============ ==========

Every kind of observations offers `data`, `sd`, `mask`, `sites`, `predict`, `log_likelihood`,
`gradient`, `pull`, `simulate`, `with_values` (other data, the same errors), and `[index]` to select sites;
samplers ask for nothing else. The leading axes of the data are the sites. Model values may have
further axes (chains, members) between the sites and the last axis.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.error_models import ExponentialCorrelation
from landcarbon.assimilation.streams import Random, streams
from landcarbon.matrix.errors import InputError, as_array, as_gappy
from landcarbon.matrix.frozen import altered, keep

__all__ = ["GaussianLikelihood", "ObservationStream"]

Array = NDArray[np.float64]

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
    >>> flux = GaussianLikelihood([2.0, 3.0, float("nan")], sd=0.5, mask=[True, True, False])
    >>> round(float(flux.log_likelihood([2.0, 3.5, 9.0])), 3)
    -0.952
    """

    observed: Array
    sd: Array
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
        observed, used = used_values("observed", observed, mask)
        if (correlation_length is None) != (at is None):
            raise InputError(
                "correlated errors need both correlation_length= and at=, where each observation "
                "stands; independent ones need neither."
            )
        correlation = None
        if correlation_length is not None and at is not None:
            place = np.asarray(at, dtype=float)
            if place.shape != used.shape and place.shape != used.shape[-1:]:
                raise InputError(
                    f"at has shape {place.shape}, but one place an observation is expected, {used.shape}."
                )
            place = np.broadcast_to(place, used.shape)
            correlation = ExponentialCorrelation(place, correlation_length, used)
        sd = used_errors("sd", sd, used)
        keep(self, observed=observed, sd=sd, mask=used, correlation=correlation)

    @classmethod
    def _at_places(
        cls, data: Array, sd: Array, mask: NDArray[np.bool_], length: float | None, at: Array
    ) -> GaussianLikelihood:
        """Data that stand at `at`; their errors are independent where `length` is None."""
        return cls(data, sd, mask, correlation_length=length, at=None if length is None else at)

    @property
    def data(self) -> Array:
        """Data (..., obs); zero where the mask is False."""
        return self.observed

    @property
    def values(self) -> Array:
        """What was measured (..., obs), as `simulate` makes it; NaN where the mask is False."""
        return np.where(self.mask, self.observed, np.nan)

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
        values = like_ours(values, self.observed.shape)
        mask = np.broadcast_to(self.mask, values.shape)
        other = GaussianLikelihood(values, np.broadcast_to(self.sd, values.shape), mask)
        return other.with_correlation(
            self.correlation and self.correlation.broadcast(values.shape)
        )

    def with_correlation(self, correlation: ExponentialCorrelation | None) -> GaussianLikelihood:
        """The same data and standard deviations, with errors correlated like this."""
        return altered(self, correlation=correlation)

    def predict(self, model_values: ArrayLike) -> Array:
        """The model values themselves, checked: (sites..., any..., obs)."""
        return checked_values(model_values, self.sites, self.observed.shape[-1], "observation")

    def log_likelihood(self, model_values: ArrayLike) -> Array:
        """ln L (sites..., any...)."""
        return self._log_density(self.predict(model_values))

    def pointwise(self, model_values: ArrayLike) -> Array:
        """ln density of each datum, the others known (sites..., any..., obs); 0 where the mask is False.

        Where errors are independent they sum to `log_likelihood`; else see `replicas`.
        """
        h = self.predict(model_values)
        u, mask = self._misfit(h), self._lift(self.mask, h.ndim)
        precision = np.ones(1)
        if self.correlation is not None:
            precision = self.correlation.precision(h.ndim)
            u = self.correlation.whiten_transposed(u)
        log_sd = np.log(self._lift(self.sd, h.ndim)) - 0.5 * np.log(precision)
        return np.where(mask, -0.5 * u**2 / precision - log_sd - _HALF_LOG_2PI, 0.0)

    def gradient(self, model_values: ArrayLike) -> Array:
        """d ln L / d model_values, the shape of `model_values`."""
        return self._pull(self.predict(model_values))

    def pull(self, model_values: ArrayLike, g: ArrayLike) -> Array:
        """The derivative of sum_i g_i h_i with respect to `model_values`, for any g of its shape."""
        h = self.predict(model_values)
        return np.where(self._lift(self.mask, h.ndim), slope_of(g, h.shape), 0.0)

    def simulate(self, model_values: ArrayLike, rng: Random = 0) -> Array:
        """Observations the model would make with these errors; NaN where the mask is False."""
        return self.noisy(self.predict(model_values), rng)

    def whiten(self, e: ArrayLike) -> Array:
        """Differences e (sites..., any..., obs) in units of the errors, made independent.

        Their squares sum to twice the cost. Zero where the mask is False.
        """
        e = as_array("e", e, shape=self.sd.shape[-1:])
        u = np.where(self._lift(self.mask, e.ndim), e / self._lift(self.sd, e.ndim), 0.0)
        return u if self.correlation is None else self.correlation.whiten(u)

    def _lift(self, array: NDArray[Any], ndim: int) -> NDArray[Any]:
        return lifted(array, len(self.sites), ndim)

    def _misfit(self, h: Array) -> Array:
        return self.whiten(self._lift(self.observed, h.ndim) - h)

    def _log_density(self, h: Array) -> Array:
        constant = np.where(self.mask, np.log(self.sd) + _HALF_LOG_2PI, 0.0).sum(-1)
        if self.correlation is not None:
            constant = constant + self.correlation.log_scale
        between = h.ndim - len(self.sites) - 1
        constant = np.reshape(constant, (*self.sites, *(1,) * between))
        return -0.5 * (self._misfit(h) ** 2).sum(-1) - constant

    def _pull(self, h: Array) -> Array:
        u = self._misfit(h)
        if self.correlation is not None:
            u = self.correlation.whiten_transposed(u)
        return np.where(self._lift(self.mask, h.ndim), u / self._lift(self.sd, h.ndim), 0.0)

    def noisy(self, h: Array, rng: Random) -> Array:
        """Predictions h (sites..., any..., obs) with errors drawn; NaN where the mask is False."""
        h = as_array("h", h, shape=self.sd.shape[-1:])
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
    def data(self) -> Array:
        """Data (..., obs) in data space; zero where the mask is False."""
        return self.likelihood.observed

    @property
    def sd(self) -> Array:
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
    def values(self) -> Array:
        """What was measured (..., obs), as `simulate` makes it; NaN where the mask is False."""
        return self.likelihood.values

    @property
    def correlation(self) -> ExponentialCorrelation | None:
        """How the errors resemble their neighbours'; None where they are independent."""
        return self.likelihood.correlation

    @abstractmethod
    def predict(self, model_values: ArrayLike) -> Array:
        """What the model says of the observations (sites..., any..., obs), in data space."""

    def pull(self, model_values: ArrayLike, g: ArrayLike) -> Array:
        """The derivative of sum_i g_i h_i with respect to `model_values`, g (sites..., any..., obs)."""
        raise InputError(
            f"{type(self).__name__} has no derivative by the model values; use a sampler that needs "
            "none ('smc', 'metropolis'), or 'hmc' with gradient='numerical'."
        )

    def log_likelihood(self, model_values: ArrayLike) -> Array:
        """ln L (sites..., any...)."""
        return self.likelihood.log_likelihood(self.predict(model_values))

    def pointwise(self, model_values: ArrayLike) -> Array:
        """ln density of each datum, the others known (sites..., any..., obs); 0 where masked."""
        return self.likelihood.pointwise(self.predict(model_values))

    def gradient(self, model_values: ArrayLike) -> Array:
        """d ln L / d model_values, the shape of `model_values`."""
        return self.pull(model_values, self.likelihood.gradient(self.predict(model_values)))

    def simulate(self, model_values: ArrayLike, rng: Random = 0) -> Array:
        """Observations the model would make, errors drawn (sites..., any..., obs); NaN where masked."""
        return self.likelihood.simulate(self.predict(model_values), rng)

    def whiten(self, e: ArrayLike) -> Array:
        """Differences e (sites..., any..., obs) in units of the errors, made independent."""
        return self.likelihood.whiten(e)

    def _with(self, **fields: Any) -> Self:
        """A copy with some fields replaced, which are known to be right."""
        return altered(self, **fields)


def used_values(
    name: str, value: ArrayLike, mask: ArrayLike | None
) -> tuple[Array, NDArray[np.bool_]]:
    """Values with zeros where the mask is False, and the mask; what a masked array masks is unseen."""
    if isinstance(value, np.ma.MaskedArray):
        seen = ~np.ma.getmaskarray(value)
        mask = seen if mask is None else seen & np.asarray(mask)
    value = as_gappy(name, value)
    if value.ndim == 0 or value.shape[-1] == 0:
        raise InputError(f"{name} must hold at least one observation along its last axis.")
    used = np.ones(value.shape, dtype=bool)
    if mask is not None:
        mask = np.asarray(mask)
        if mask.dtype != bool or mask.shape != value.shape:
            raise InputError(
                f"mask must hold True or False in the shape of {name}, {value.shape}, but it is "
                f"{mask.dtype} of shape {mask.shape}."
            )
        used = mask.copy()
    empty = ~used.any(-1)
    if empty.any():
        raise InputError(
            f"{at_site(tuple(np.argwhere(empty)[0]))}all observations are masked out; leave such "
            "a stream or site out of the run."
        )
    value = as_array(
        name,
        np.where(used, value, 0.0),
        hint=f"Missing values are declared: mask=np.isfinite({name}).",
    )
    return value, used


def like_ours(values: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Other values of the same observations, of `shape`, or of more sites."""
    array = as_gappy("values", values)
    try:
        fits = np.broadcast_shapes(array.shape, shape) == array.shape
    except ValueError:
        fits = False
    if not fits:
        raise InputError(f"values has shape {array.shape}, but the observations have shape {shape}; give one each.")
    return array


def slope_of(g: ArrayLike, shape: tuple[int, ...]) -> Array:
    """A derivative by what was read, of the shape of what was read."""
    return one_each("g", as_array("g", g), shape)


def one_each(name: str, value: ArrayLike, shape: tuple[int, ...], hint: str = "") -> Array:
    """Numbers broadcast to the shape of the observations."""
    array = as_gappy(name, value, hint=hint)
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise InputError(
            f"{name} has shape {array.shape} and does not broadcast to the observations' shape {shape}; "
            "give one number for all, or one an observation."
        ) from None


def used_errors(name: str, error: ArrayLike, used: NDArray[np.bool_]) -> Array:
    """Errors (..., obs), above 0; one where the mask is False."""
    return as_array(
        name,
        np.where(used, one_each(name, error, used.shape), 1.0),
        lower=0.0,
        strict=True,
        hint="An observation without error would outweigh everything else.",
    )


def checked_values(
    values: ArrayLike, sites: tuple[int, ...], n: int, axis: str, finite: bool = True
) -> Array:
    """Model values (sites..., any..., n), or a sentence about their shape."""
    array = as_array("model values", values) if finite else as_gappy("model values", values)
    if array.ndim <= len(sites) or array.shape[-1] != n or array.shape[: len(sites)] != sites:
        lead = "".join(f"{s}, " for s in sites)
        hint = ""
        if sites:
            hint = (
                " Each row of the data is a site with parameters of its own; if all rows (jars, plots) "
                "share one model, give the data as one flat list: value.ravel()."
            )
        raise InputError(
            f"model values have shape {array.shape}, but ({lead}..., {n}) is expected: sites "
            f"first, {axis} last.{hint}"
        )
    return array


def weigh(
    x: Array, W: Array, sites: tuple[int, ...]
) -> Array:
    """x (sites..., any..., a) times W (sites..., a, b): (sites..., any..., b)."""
    return (x.reshape(*sites, -1, x.shape[-1]) @ W).reshape(*x.shape[:-1], W.shape[-1])


def straight_lines(when: Array, times: Array) -> Array:
    """Weights (..., obs, time) of linear interpolation."""
    W = np.zeros((*when.shape, times.size))
    j = np.clip(np.searchsorted(times, when) - 1, 0, times.size - 2)
    w = (when - times[j]) / (times[j + 1] - times[j])
    np.put_along_axis(W, j[..., None], (1.0 - w)[..., None], axis=-1)
    np.put_along_axis(W, j[..., None] + 1, w[..., None], axis=-1)
    return W


def lifted(array: NDArray[Any], n_sites: int, ndim: int) -> NDArray[Any]:
    """Insert axes of length 1 between the site axes and the last, up to `ndim` axes."""
    return array.reshape(*array.shape[:n_sites], *(1,) * (ndim - n_sites - 1), array.shape[-1])


def at_site(at: tuple[Any, ...]) -> str:
    return f"site {', '.join(str(int(i)) for i in at)}: " if at else ""
