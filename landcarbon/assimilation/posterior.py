"""Posteriors: a prior with data.

::

    p(theta | d) = L(d | theta) p(theta) / Z,      Z = integral of L(d | theta) p(theta) d theta
    ln p(z | d) = ln L(theta(z)) + ln p(theta(z)) + ln |det dtheta/dz| - ln Z
    d ln p / dz = (d theta / dz) J^T d ln L / dh + d ln p(z) / dz,      J = dh / d theta

====== ======================== ===================== ==== ============== ============
symbol meaning                  shape                 unit code name      source
====== ======================== ===================== ==== ============== ============
theta  parameters               (sites..., any..., p) own  theta          Prior
z      real coordinates         (sites..., any..., p) 1    z              Prior
L      likelihood               (sites..., any...)         log_likelihood observations
Z      evidence                 (sites...)                 log_evidence
h      model values             (sites..., any..., n)      run_model      the model
J^T g  pullback of a gradient g (sites..., any..., p)      model_vjp      the model
====== ======================== ===================== ==== ============== ============

The first three lines to type:

    posterior = Posterior(prior, model, observations)
    draws = sample(posterior, rng=1)
    draws.summary()
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.parameters import Prior, a_prior
from landcarbon.assimilation.replicas import Replicas
from landcarbon.assimilation.streams import Random
from landcarbon.matrix.errors import InputError, as_array, as_kind, as_number
from landcarbon.matrix.frozen import keep

__all__ = ["Posterior"]

Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]
BATCHED = (
    "It runs many parameter vectors at once: take a parameter as theta[..., i:i+1], which keeps the "
    "leading axes and broadcasts over the last, and sum over axis=-1."
)
WithPullback = Callable[[NDArray[np.float64]], tuple[NDArray[np.float64], Function]]


@dataclass(frozen=True, eq=False)
class Posterior:
    """A prior with data.

    Parameters
    ----------
    prior : Prior
    model : callable, optional
        theta (sites..., any..., p) in physical units -> model values (sites..., any..., n), as the
        observations read them.
    observations : ProfileObservations, SeriesObservations, GaussianLikelihood or alike, optional
    likelihood : callable, optional
        theta -> ln L (sites..., any...), instead of model and observations.
    sites : tuple of int
        Leading site axes; taken from the observations when there are any.
    model_vjp : callable, optional
        theta -> (values, pull): the same values, and a function that takes d ln L / d values
        (sites..., any..., n) to d ln L / d theta (sites..., any..., p). For samplers that follow
        the gradient.
    likelihood_gradient : callable, optional
        theta -> d ln L / d theta (sites..., any..., p), beside `likelihood`.

    Examples
    --------
    >>> from landcarbon.assimilation import GaussianLikelihood, Posterior, Prior, sample
    >>> from landcarbon.models.parameters import Parameter, ParameterTable
    >>> prior = Prior(ParameterTable([Parameter("k", "1/yr", 0.01, 1.0, 0.1)]))
    >>> t = np.array([1.0, 5.0, 10.0])
    >>> remaining = GaussianLikelihood([0.82, 0.36, 0.14], sd=0.03)
    >>> posterior = Posterior(prior, lambda theta: np.exp(-theta * t), remaining)
    >>> ensemble = sample(posterior, method="importance", n_draws=4000, rng=1)
    >>> print(ensemble.mean().round(2), ensemble.sd().round(2))
    [0.2] [0.01]
    """

    prior: Prior
    model: Function | None = None
    observations: Any = None
    likelihood: Function | None = None
    sites: tuple[int, ...] = ()
    model_vjp: WithPullback | None = None
    likelihood_gradient: Function | None = None

    def __post_init__(self) -> None:
        a_prior(self.prior)
        if self.model is None and self.model_vjp is not None:
            forward = self.model_vjp
            keep(self, model=lambda theta: forward(theta)[0])
        given = (self.model is not None, self.observations is not None, self.likelihood is not None)
        if given not in ((True, True, False), (False, False, True)):
            raise InputError(
                "a Posterior needs either a model with observations, or likelihood=...; "
                "try Posterior(prior, model, observations)."
            )
        if self.observations is not None:
            as_kind("observations", self.observations, "log_likelihood", hint="Such as ProfileObservations.")
            keep(self, sites=tuple(self.observations.sites))

    def at(self, index: Any) -> Posterior:
        """Some of the sites, for a model that is the same everywhere (no forcing by site)."""
        if self.observations is None or not self.sites:
            raise InputError("at() selects sites, but this Posterior has no observations by site.")
        try:
            return replace(self, observations=self.observations[index], sites=())
        except (IndexError, TypeError) as error:
            raise InputError(f"index {index!r:.60} selects none of the sites {self.sites}: {error}.") from None

    @property
    def names(self) -> tuple[str, ...]:
        """Parameter names (p)."""
        return self.prior.names

    def run_model(self, theta: ArrayLike) -> NDArray[np.float64]:
        """The model's values at `theta` (sites..., any..., p)."""
        theta = as_array("theta", theta)
        if self.model is None:
            raise InputError(
                "this Posterior was built from likelihood=..., so there is no model to run; "
                "build it with Posterior(prior, model, observations)."
            )
        theta = as_array("theta", theta)
        try:
            values = np.asarray(self.model(theta))
        except InputError:
            raise
        except (ValueError, TypeError, IndexError) as error:
            raise InputError(
                f"the model stopped at parameters of shape {theta.shape} with {type(error).__name__}: "
                f"{error}. {BATCHED}"
            ) from error
        if values.dtype == object:
            raise InputError(
                "the model returned nothing that holds numbers. Did you forget the line with `return`?"
            )
        if values.shape[:-1] != theta.shape[:-1]:
            raise InputError(
                f"the model returns shape {values.shape} for parameters of shape {theta.shape}, but "
                f"({''.join(f'{n}, ' for n in theta.shape[:-1])}n) is expected. {BATCHED}"
            )
        return values

    def predict(self, theta: ArrayLike) -> NDArray[np.float64]:
        """What the model says of the observations (sites..., any..., obs), in data space."""
        values = self.run_model(theta)
        return self.observations.predict(values)

    def replicate(self, theta: ArrayLike, rng: Random = 0) -> Replicas:
        """Data that parameters (draw, p) would make at one site, and how likely they make those there are.

        Raises
        ------
        InputError
            Several sites; no model.
        """
        if self.sites:
            raise InputError(f"replicate takes one site, but the sites have shape {self.sites}; use .at(0).")
        values, data = self.run_model(theta), self.observations
        seen = data.mask
        pointwise = None if getattr(data, "weighted", False) else data.pointwise(values)[:, seen]
        parts = getattr(data, "parts", {})
        group = np.repeat(list(parts), [part.data.shape[-1] for part in parts.values()])[seen] if parts else None
        return Replicas(data.values[seen], data.simulate(values, rng)[:, seen], pointwise, group=group)

    def log_likelihood(self, theta: ArrayLike) -> NDArray[np.float64]:
        """ln L (sites..., any...) at `theta` (sites..., any..., p)."""
        theta = as_array("theta", theta)
        if self.likelihood is not None:
            ll = np.asarray(self.likelihood(theta), dtype=float)
        else:
            ll = self.observations.log_likelihood(self.run_model(theta))
        ll = self._one_each(ll, theta)
        if np.isnan(ll).any():
            at = tuple(int(i) for i in np.argwhere(np.isnan(ll))[0])
            values = ", ".join(f"{n}={v:.4g}" for n, v in zip(self.names, theta[at]))
            raise InputError(f"the log-likelihood is NaN at index {at}, where {values}.")
        return ll

    def _one_each(self, ll: NDArray[np.float64], theta: NDArray[np.float64]) -> NDArray[np.float64]:
        if ll.shape != theta.shape[:-1]:
            raise InputError(
                f"the log-likelihood of parameters of shape {theta.shape} has shape {ll.shape}, "
                f"but {theta.shape[:-1]} is expected: one number a parameter vector."
            )
        return ll

    def _likelihood_or_nan(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """`log_likelihood`, NaN where the model or the likelihood has no number."""
        if self.likelihood is not None:
            return self._one_each(np.asarray(self.likelihood(theta), dtype=float), theta)
        return self._of_values(self.run_model(theta))

    def _of_values(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """ln L of model values, NaN where they are not all numbers."""
        fine = np.asarray(np.isfinite(values).all(-1))
        if fine.all():
            return np.asarray(self.observations.log_likelihood(values), dtype=float)
        ll = self.observations.log_likelihood(np.where(fine[..., None], values, 1.0))
        return np.where(fine, ll, np.nan)

    def log_density(self, theta: ArrayLike) -> NDArray[np.float64]:
        """ln L + ln prior (sites..., any...) in physical units; bounds are enforced."""
        theta = self.prior.check(theta)
        return self.log_likelihood(theta) + self.prior.log_density(theta)

    def log_density_real(self, z: ArrayLike) -> NDArray[np.float64]:
        """The same in real coordinates, Jacobian included.

        Beyond |z| = 30, where parameters round to their bounds, the density is taken as zero; of a
        uniform prior 1e-13 lies there.
        """
        z, outside = _near(z)
        density = self.log_likelihood(self.prior.from_real(z)) + self.prior.log_density_real(z)
        return np.where(outside, -np.inf, density)

    def gradient(self, theta: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """ln L (sites..., any...) and d ln L / d theta (sites..., any..., p) at `theta`.

        NaN where the model has no number; `Hamiltonian` counts a trajectory that gets there as diverged.

        Raises
        ------
        InputError
            Neither `model_vjp` nor `likelihood_gradient` was given.
        """
        theta = as_array("theta", theta)
        if self.likelihood_gradient is not None and self.likelihood is not None:
            return self._likelihood_or_nan(theta), np.asarray(self.likelihood_gradient(theta))
        if self.model_vjp is None:
            raise InputError(
                "this Posterior has no gradient; build it with model_vjp=... (or, beside a "
                "likelihood, likelihood_gradient=...), use sample(..., 'hmc', gradient='numerical') "
                "for a model of few parameters, or another method."
            )
        values, pull = self.model_vjp(theta)
        ll = self._of_values(values)
        return ll, np.asarray(pull(self.observations.gradient(np.where(np.isnan(ll)[..., None], 1.0, values))))

    def gradient_real(self, z: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """`log_density_real` at `z` and its gradient (sites..., any..., p)."""
        z, outside = _near(z)
        ll, slope = self.gradient(self.prior.from_real(z))
        density = np.where(outside, -np.inf, ll + self.prior.log_density_real(z))
        return density, slope * self.prior.slope(z) + self.prior.gradient_real(z)

    def numerical_gradient_real(
        self, z: ArrayLike, step: float = 1e-5
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The same by central differences: 2 p + 1 runs of the model.

        Zero in a direction that leads into the impossible within one step.
        """
        z, step = as_array("z", z, shape=(len(self.prior),)), as_number("step", step, lower=0.0, strict=True)
        moves = step * np.eye(len(self.prior))
        apart = z[..., None, :] + np.concatenate([np.zeros_like(moves[:1]), moves, -moves])
        flat = apart.reshape(*z.shape[: len(self.sites)], -1, len(self.prior))
        near, outside = _near(flat)
        lp = self._likelihood_or_nan(self.prior.from_real(near)) + self.prior.log_density_real(near)
        lp = np.where(outside, -np.inf, lp).reshape(apart.shape[:-1])
        p = len(self.prior)
        up, down = lp[..., 1 : p + 1], lp[..., p + 1 :]
        possible = np.isfinite(up) & np.isfinite(down)
        rise = np.subtract(up, down, out=np.zeros_like(up), where=possible)
        return lp[..., 0], rise / (2.0 * step)


FAR = 30.0


def _near(z: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Real coordinates, moved in where the map to parameters would round, and where that was."""
    z = as_array("z", z)
    return np.clip(z, -FAR, FAR), np.asarray((np.abs(z) > FAR).any(-1))
