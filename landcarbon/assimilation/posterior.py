"""Posteriors, and what comes out of sampling them.

::

    p(theta | d) = L(d | theta) p(theta) / Z,      Z = integral of L(d | theta) p(theta) d theta
    ln p(z | d) = ln L(theta(z)) + ln p(theta(z)) + ln |det dtheta/dz| - ln Z
    E[g] = sum_k w_k g(theta_k),   ESS = 1 / sum_k w_k^2,   sum_k w_k = 1      (weighted draws)

====== ===================== ===================== ==== ============== ================
symbol meaning               shape                 unit code name      source
====== ===================== ===================== ==== ============== ================
theta  parameters            (sites..., any..., p) own  theta          Prior
z      real coordinates      (sites..., any..., p) 1    z              Prior
L      likelihood            (sites..., any...)         log_likelihood observations
Z      evidence              (sites...)                 log_evidence
w_k    weight of draw k      (sites..., draw)      1    weight
ESS    effective sample size (sites...)            1    ess            Kong et al. 1994
====== ===================== ===================== ==== ============== ================

The first three lines to type:

    posterior = Posterior(prior, model, observations)
    draws = sample(posterior, method="metropolis", rng=1)
    draws.summary()
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.parameters import Prior
from landcarbon.assimilation.streams import Random, streams
from landcarbon.matrix.errors import InputError, as_array

if TYPE_CHECKING:
    import arviz
    import pandas
    import xarray

__all__ = ["Draws", "Ensemble", "Posterior", "sample"]

Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Posterior:
    """A prior with data.

    Parameters
    ----------
    prior : Prior
    model : callable, optional
        theta (sites..., any..., p) in physical units -> model values (sites..., any..., n), as the
        observations read them.
    observations : ProfileObservations, GaussianLikelihood or alike, optional
    likelihood : callable, optional
        theta -> ln L (sites..., any...), instead of model and observations.
    sites : tuple of int
        Leading site axes; taken from the observations when there are any.

    Examples
    --------
    >>> from landcarbon.assimilation import GaussianLikelihood, Posterior, Prior, sample
    >>> from landcarbon.models.parameters import Parameter, ParameterTable
    >>> prior = Prior(ParameterTable([Parameter("k", "1/yr", 0.01, 1.0, 0.1)]))
    >>> t = np.array([1.0, 5.0, 10.0])
    >>> remaining = GaussianLikelihood([0.82, 0.36, 0.14], sd=0.03)
    >>> posterior = Posterior(prior, lambda theta: np.exp(-theta * t), remaining)
    >>> ensemble = sample(posterior, method="importance", n=4000, rng=1)
    >>> print(ensemble.mean().round(2), ensemble.sd().round(2))
    [0.2] [0.01]
    """

    prior: Prior
    model: Function | None = None
    observations: Any = None
    likelihood: Function | None = None
    sites: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        given = (self.model is not None, self.observations is not None, self.likelihood is not None)
        if given not in ((True, True, False), (False, False, True)):
            raise InputError(
                "a Posterior needs either a model with observations, or likelihood=...; "
                "try Posterior(prior, model, observations)."
            )
        if self.observations is not None:
            object.__setattr__(self, "sites", tuple(self.observations.sites))

    @property
    def names(self) -> tuple[str, ...]:
        """Parameter names (p)."""
        return self.prior.names

    def run_model(self, theta: ArrayLike) -> NDArray[np.float64]:
        """The model's values at `theta` (sites..., any..., p)."""
        if self.model is None:
            raise InputError(
                "this Posterior was built from likelihood=..., so there is no model to run; "
                "build it with Posterior(prior, model, observations)."
            )
        return np.asarray(self.model(np.asarray(theta, dtype=float)))

    def predict(self, theta: ArrayLike) -> NDArray[np.float64]:
        """What the model says of the observations (sites..., any..., obs), in data space."""
        values = self.run_model(theta)
        return self.observations.predict(values)

    def log_likelihood(self, theta: ArrayLike) -> NDArray[np.float64]:
        """ln L (sites..., any...) at `theta` (sites..., any..., p)."""
        theta = np.asarray(theta, dtype=float)
        if self.likelihood is not None:
            ll = np.asarray(self.likelihood(theta), dtype=float)
        else:
            ll = self.observations.log_likelihood(self.run_model(theta))
        if ll.shape != theta.shape[:-1]:
            raise InputError(
                f"the log-likelihood of parameters of shape {theta.shape} has shape {ll.shape}, "
                f"but {theta.shape[:-1]} is expected: one number a parameter vector."
            )
        if np.isnan(ll).any():
            at = tuple(int(i) for i in np.argwhere(np.isnan(ll))[0])
            values = ", ".join(f"{n}={v:.4g}" for n, v in zip(self.names, theta[at]))
            raise InputError(f"the log-likelihood is NaN at index {at}, where {values}.")
        return ll

    def log_density(self, theta: ArrayLike) -> NDArray[np.float64]:
        """ln L + ln prior (sites..., any...) in physical units; bounds are enforced."""
        theta = self.prior.check(theta)
        return self.log_likelihood(theta) + self.prior.log_density(theta)

    def log_density_real(self, z: ArrayLike) -> NDArray[np.float64]:
        """The same in real coordinates, Jacobian included."""
        return self.log_likelihood(self.prior.from_real(z)) + self.prior.log_density_real(z)


class _Statistics:
    """What draws of either kind can say; leading axes are the sites."""

    names: tuple[str, ...]

    def _flat(self) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        raise NotImplementedError

    def mean(self) -> NDArray[np.float64]:
        """Posterior mean (sites..., p)."""
        x, w = self._flat()
        return x.mean(-2) if w is None else (w[..., None] * x).sum(-2)

    def sd(self) -> NDArray[np.float64]:
        """Posterior standard deviation (sites..., p)."""
        x, w = self._flat()
        if w is None:
            return x.std(-2, ddof=1)
        return np.sqrt((w[..., None] * (x - self.mean()[..., None, :]) ** 2).sum(-2))

    def quantile(self, q: float | Sequence[float]) -> NDArray[np.float64]:
        """Quantiles (sites..., p), or (len(q), sites..., p) for a list.

        Draw k of n stands at k / (n + 1) (Weibull's position), so that the interval between two
        quantiles covers a new draw as often as it says, with few draws too; with weights, n is
        their effective sample size.
        """
        levels = as_array("q", q, lower=0.0, upper=1.0)
        x, w = self._flat()
        if w is None:
            return np.quantile(x, levels, axis=-2, method="weibull")
        n = (1.0 / (w**2).sum(-1))[..., None, None]
        order = np.argsort(x, axis=-2)
        x = np.take_along_axis(x, order, -2)
        w = np.take_along_axis(np.broadcast_to(w[..., None], x.shape), order, -2)
        position = (n * (np.cumsum(w, -2) - 0.5 * w) + 0.5) / (n + 1.0)
        out = []
        for level in np.atleast_1d(levels):
            right = np.clip((position < level).sum(-2, keepdims=True), 1, x.shape[-2] - 1)
            p0, p1 = (np.take_along_axis(position, right - k, -2) for k in (1, 0))
            x0, x1 = (np.take_along_axis(x, right - k, -2) for k in (1, 0))
            share = np.divide(level - p0, p1 - p0, out=np.ones_like(p0), where=p1 > p0)
            out.append((x0 + np.clip(share, 0.0, 1.0) * (x1 - x0))[..., 0, :])
        return np.stack(out) if levels.ndim else out[0]

    def to_dataset(
        self, site: ArrayLike | None = None, quantiles: Sequence[float] = (0.025, 0.5, 0.975)
    ) -> xarray.Dataset:
        """Mean, sd and quantiles as a labelled dataset (site, parameter), small enough to keep."""
        import xarray as xr

        mean = self.mean()
        if mean.ndim > 2:
            raise InputError(f"to_dataset takes one site axis, but there are {mean.ndim - 1}.")
        dims = ("site", "parameter")[2 - mean.ndim :]
        coords: dict[str, Any] = {"parameter": list(self.names), "quantile": list(quantiles)}
        if mean.ndim == 2:
            coords["site"] = np.arange(len(mean)) if site is None else np.asarray(site)
        return xr.Dataset(
            {
                "mean": (dims, mean),
                "sd": (dims, self.sd()),
                "quantiles": (("quantile", *dims), self.quantile(list(quantiles))),
            },
            coords=coords,
        ).transpose(..., "parameter")

    def _table(self, extra: dict[str, NDArray[np.float64]]) -> pandas.DataFrame:
        import pandas as pd

        x, _ = self._flat()
        if x.ndim != 2:
            raise InputError(
                f"summary describes one site, but the sites have shape {x.shape[:-2]}. Choose one, "
                "draws[0].summary(), or use mean(), sd() and quantile() for all."
            )
        low, median, high = self.quantile([0.025, 0.5, 0.975])
        columns = {"mean": self.mean(), "sd": self.sd(), "2.5%": low, "50%": median, "97.5%": high}
        return pd.DataFrame(columns | extra, index=pd.Index(self.names, name="parameter"))


@dataclass(frozen=True, eq=False)
class Ensemble(_Statistics):
    """Independent draws, weighted (importance sampling) or equal (ES-MDA, prior).

    Parameters
    ----------
    names : tuple of str
    draws : ndarray, (sites..., draw, p)
    log_weight : ndarray, (sites..., draw), optional
        ln of the normalised weights; None when all are equal.
    log_evidence, log_evidence_error : ndarray, (sites...), optional
        ln Z and its Monte-Carlo standard error.
    prediction : ndarray, (sites..., draw, obs), optional
        What the draws predict for the observations, in data space.
    """

    names: tuple[str, ...]
    draws: NDArray[np.float64]
    log_weight: NDArray[np.float64] | None = None
    log_evidence: NDArray[np.float64] | None = None
    log_evidence_error: NDArray[np.float64] | None = None
    prediction: NDArray[np.float64] | None = None

    def __getitem__(self, index: Any) -> Ensemble:
        """Select sites."""
        _needs_site_axis(self.draws.shape[:-2])
        rest = (self.log_weight, self.log_evidence, self.log_evidence_error, self.prediction)
        return Ensemble(
            self.names, self.draws[index], *(None if a is None else a[index] for a in rest)
        )

    def _flat(self) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        return self.draws, None if self.log_weight is None else self.weight

    @property
    def weight(self) -> NDArray[np.float64]:
        """Normalised weights (sites..., draw)."""
        if self.log_weight is None:
            return np.full(self.draws.shape[:-1], 1.0 / self.draws.shape[-2])
        return np.exp(self.log_weight)

    @property
    def ess(self) -> NDArray[np.float64]:
        """Effective sample size of the weights (sites...)."""
        return 1.0 / (self.weight**2).sum(-1)

    def resample(self, n: int, rng: Random = None) -> Ensemble:
        """`n` equally weighted draws (systematic resampling)."""
        sites, m = self.draws.shape[:-2], self.draws.shape[-2]
        edges = np.cumsum(self.weight, axis=-1).reshape(-1, m)
        edges /= edges[:, -1:]
        points = (np.arange(n) + streams(rng, sites).uniform((1,)).reshape(-1, 1)) / n
        pick = np.stack([np.searchsorted(e, p, side="right") for e, p in zip(edges, points)])
        pick = np.minimum(pick, m - 1).reshape(*sites, n, 1)
        prediction = self.prediction
        if prediction is not None:
            prediction = np.take_along_axis(prediction, pick, axis=-2)
        draws = np.take_along_axis(self.draws, pick, axis=-2)
        return replace(self, draws=draws, log_weight=None, prediction=prediction)

    def summary(self) -> pandas.DataFrame:
        """Mean, sd, quantiles and effective sample size of one site."""
        return self._table({} if self.log_weight is None else {"ess": self.ess})


@dataclass(frozen=True, eq=False)
class Draws(_Statistics):
    """Markov chains.

    Parameters
    ----------
    names : tuple of str
    draws : ndarray, (sites..., chain, draw, p)
    log_density : ndarray, (sites..., chain, draw)
        Of the coordinates the chain walked in.
    accept_rate : ndarray, (sites..., chain)
        Share of proposals accepted, after warm-up.
    """

    names: tuple[str, ...]
    draws: NDArray[np.float64]
    log_density: NDArray[np.float64]
    accept_rate: NDArray[np.float64]

    def __getitem__(self, index: Any) -> Draws:
        """Select sites."""
        _needs_site_axis(self.draws.shape[:-3])
        return Draws(
            self.names, self.draws[index], self.log_density[index], self.accept_rate[index]
        )

    def _flat(self) -> tuple[NDArray[np.float64], None]:
        shape = self.draws.shape
        return self.draws.reshape(*shape[:-3], shape[-3] * shape[-2], shape[-1]), None

    def ensemble(self) -> Ensemble:
        """All draws of all chains, equally weighted."""
        return Ensemble(self.names, self._flat()[0])

    def _diagnose(self, function: str, **options: Any) -> NDArray[np.float64]:
        import arviz as az

        x = np.moveaxis(self.draws, (-3, -2), (0, 1))
        out = getattr(az, function)(az.convert_to_dataset({"x": x}), **options)
        return np.asarray(out["x"])

    def rhat(self) -> NDArray[np.float64]:
        """Rank-normalised split R-hat (sites..., p).

        Vehtari et al. 2021, doi:10.1214/20-BA1221.
        """
        return self._diagnose("rhat", method="rank")

    def ess(self, kind: str = "bulk") -> NDArray[np.float64]:
        """Effective sample size (sites..., p), kind "bulk" or "tail" (same source)."""
        return self._diagnose("ess", method=kind)

    def summary(self) -> pandas.DataFrame:
        """Mean, sd, quantiles, R-hat, bulk and tail ESS of one site."""
        if self.draws.ndim != 3:
            return self._table({})
        return self._table(
            {"r_hat": self.rhat(), "ess_bulk": self.ess(), "ess_tail": self.ess("tail")}
        )

    def to_arviz(self) -> arviz.InferenceData:
        """One site as arviz.InferenceData, for its plots and statistics."""
        import arviz as az

        if self.draws.ndim != 3:
            raise InputError(
                f"to_arviz takes one site, but the sites have shape {self.draws.shape[:-3]}. "
                "Choose one: draws[0].to_arviz()."
            )
        return az.from_dict(
            posterior={name: self.draws[..., k] for k, name in enumerate(self.names)},
            sample_stats={"lp": self.log_density},
        )


def _needs_site_axis(sites: tuple[int, ...]) -> None:
    if not sites:
        raise InputError("[index] selects sites, but these draws are of one site; use .draws.")


def sample(
    posterior: Posterior, method: str = "metropolis", rng: Random = None, **options: Any
) -> Draws | Ensemble:
    """Sample a posterior, for all its sites at once.

    Parameters
    ----------
    posterior : Posterior
    method : {"metropolis", "importance", "es-mda"}
        Adaptive Metropolis in real coordinates (`Draws`); importance sampling from the prior, exact
        but wasteful (`Ensemble` with weights); ensemble smoother with multiple data assimilation,
        fast and approximate (`Ensemble`).
    rng : Generator, int, or one Generator a site
    **options
        Passed on. metropolis: n_chains, n_warmup, n_draws, thin, target_accept;
        importance: n, chunk; es-mda: n_members, n_iter, alphas, taper.

    Raises
    ------
    InputError
        Unknown method or option.
    """
    from landcarbon.assimilation import ensemble, mcmc

    methods: dict[str, Callable[..., Draws | Ensemble]] = {
        "metropolis": mcmc.sample_metropolis,
        "importance": mcmc.sample_importance,
        "es-mda": ensemble.sample_es_mda,
    }
    if method not in methods:
        raise InputError(f"there is no sampling method {method!r}; known are {', '.join(methods)}.")
    try:
        return methods[method](posterior, rng, **options)
    except TypeError as error:
        if "unexpected keyword argument" in str(error) and methods[method].__name__ in str(error):
            raise InputError(f"method {method!r}: {str(error).split('() ')[-1]}.") from None
        raise
