r"""Errors that nobody knows: their size, what they share, and how long they last, as parameters.

::

    d_i     = h_i(theta) + e_i
    sd_i^2  = a^2 + (r h_i)^2                                       (absolute, relative, or both)
    cor(e_i, e_j) = exp(-|t_i - t_j| / l)                           (if they last)
    ln L    = ln Normal(d; h, diag(sd) C_l diag(sd))

======= ============================================ ============ ========= ==================
symbol  meaning                                      shape        unit      code name
======= ============================================ ============ ========= ==================
d       what was measured                            (obs,)       own       observed
h       what the model says of it                    (..., obs)   as d      model(theta)
a, r    parameters: error as it is, as a share of h  (...)        as d, 1   absolute, relative
l       parameter: how far errors remember           (...)        as at     memory
t       where the data stand                         (obs,)       own       at
======= ============================================ ============ ========= ==================

The share is one of the *model's* value, so that a datum that came out low by chance is not trusted more.

The three lines to type:

    errors = FreeErrors(prior, model, flux, relative="sigma", at=day, memory="days")
    found = sample(errors.posterior(), rng=1)
    found.to_arviz(errors)

`prior` has the parameters of the model and those of the errors; the model takes all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.parameters import a_prior
from landcarbon.assimilation.posterior import Posterior
from landcarbon.assimilation.replicas import Replicas
from landcarbon.assimilation.streams import Random, streams
from landcarbon.matrix.errors import InputError, as_array, as_kind
from landcarbon.matrix.frozen import keep

__all__ = ["FreeErrors"]

Array = NDArray[np.float64]
_HALF_LOG_2PI = 0.5 * np.log(2.0 * np.pi)


@dataclass(frozen=True, eq=False)
class FreeErrors:
    """One series of data whose errors are parameters.

    Parameters
    ----------
    prior : StatedPrior or Prior
    model : callable
        theta (..., p) -> what it says of the data (..., obs).
    observed : array_like, (obs,)
    absolute, relative : str, optional
        Names of the parameters that are the error, at least one of them.
    at : array_like, (obs,), optional
        Where each datum stands, rising; needed with `memory`.
    memory : str, optional
        Name of the parameter that is the correlation length; independent errors by default.

    Raises
    ------
    InputError
        No name of an error, a name that the prior has not, places that do not rise.

    Examples
    --------
    >>> from landcarbon.assimilation import StatedPrior, half_normal, log_normal, sample
    >>> t = np.linspace(1.0, 20.0, 30)
    >>> made = np.exp(-0.2 * t) * (1 + 0.1 * np.random.default_rng(1).standard_normal(30))
    >>> prior = StatedPrior({"k": log_normal(0.1, 3), "sigma": half_normal(0.5)})
    >>> errors = FreeErrors(prior, lambda theta: np.exp(-theta[..., :1] * t), made, relative="sigma")
    >>> sample(errors.posterior(), rng=1).mean().round(1)
    array([0.2, 0.1])
    """

    prior: Any
    model: Callable[[Array], ArrayLike]
    observed: Array
    absolute: str | None = None
    relative: str | None = None
    at: Array | None = None
    memory: str | None = None

    def __post_init__(self) -> None:
        a_prior(self.prior)
        as_kind("model", self.model, callable)
        observed = as_array("observed", self.observed)
        if observed.ndim != 1:
            raise InputError(f"observed is one series, but its shape is {observed.shape}; give each series its own.")
        if self.absolute is None and self.relative is None:
            raise InputError("name the parameter that is the error: absolute=, relative=, or both.")
        for name in (self.absolute, self.relative, self.memory):
            if name is not None and name not in self.prior.names:
                raise InputError(f"the prior has no {name!r}; its parameters are {', '.join(self.prior.names)}.")
        if self.memory is not None and self.at is None:
            raise InputError("errors that last need at=, where each datum stands.")
        at = None if self.at is None else as_array("at", self.at, shape=observed.shape)
        if at is not None and (np.diff(at) <= 0).any():
            raise InputError("at must rise; sort the data, and keep the mean of two at one place.")
        keep(self, observed=observed, at=at)

    def posterior(self) -> Posterior:
        """For every sampler."""
        return Posterior(self.prior, likelihood=self.log_likelihood)

    def log_likelihood(self, theta: Array) -> Array:
        """ln L (...) of parameters (..., p)."""
        h, sd, rho = self._parts(theta)
        w = self._apart((self.observed - h) / sd, rho)
        return -(0.5 * w**2 + np.log(sd) + 0.5 * np.log1p(-(rho**2)) + _HALF_LOG_2PI).sum(-1)

    def pointwise(self, theta: Array) -> Array:
        """ln density of each datum (..., obs), the others known; see `replicas`."""
        h, sd, rho = self._parts(theta)
        own = 1.0 / (1.0 - rho**2)
        next_ = np.concatenate([(rho**2 * own)[..., 1:], np.zeros_like(own[..., :1])], axis=-1)
        s = self._apart((self.observed - h) / sd, rho) * np.sqrt(own)
        behind = np.concatenate([(rho * s)[..., 1:], np.zeros_like(s[..., :1])], axis=-1)
        precision = own + next_
        return -0.5 * (s - behind) ** 2 / precision + 0.5 * np.log(precision) - np.log(sd) - _HALF_LOG_2PI

    def replicate(self, theta: Array, rng: Random = 0) -> Replicas:
        """New data of parameters (draw, p), and how likely they make those there are."""
        h, sd, rho = self._parts(theta)
        e = streams(rng, ()).normal(h.shape)
        for k in range(1, e.shape[-1]):
            e[..., k] = rho[..., k] * e[..., k - 1] + np.sqrt(1.0 - rho[..., k] ** 2) * e[..., k]
        return Replicas(self.observed, h + sd * e, self.pointwise(theta), self.at)

    def _parts(self, theta: Array) -> tuple[Array, Array, Array]:
        """Model values, standard deviations, correlation with the datum before, each (..., obs)."""
        named = self.prior.dict(theta)
        h = np.asarray(self.model(theta), dtype=float)
        wanted = (*np.shape(theta)[:-1], self.observed.size)
        if h.shape != wanted:
            raise InputError(f"the model returns shape {h.shape}, but {wanted} is expected: one value a datum.")
        variance = np.zeros_like(h)
        if self.absolute is not None:
            variance = variance + named[self.absolute][..., None] ** 2
        if self.relative is not None:
            variance = variance + (named[self.relative][..., None] * h) ** 2
        sd = np.sqrt(np.maximum(variance, np.finfo(float).tiny))
        rho = np.zeros_like(h)
        if self.memory is not None and self.at is not None:
            length = np.maximum(named[self.memory][..., None], np.finfo(float).tiny)
            rho[..., 1:] = np.minimum(np.exp(-np.diff(self.at) / length), 1.0 - 1e-12)
        return h, sd, rho

    @staticmethod
    def _apart(u: Array, rho: Array) -> Array:
        before = np.concatenate([np.zeros_like(u[..., :1]), u[..., :-1]], axis=-1)
        return (u - rho * before) / np.sqrt(1.0 - rho**2)
