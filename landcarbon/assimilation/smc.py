"""Weighted draws: importance sampling from the prior, and tempered sequential Monte Carlo.

::

    w_k = L(theta_k) / sum L,   Z = mean of L(theta_k),   theta_k ~ prior            (importance)

    p_b(z) = L(z)^b p(z) / Z_b,   0 = b_0 < b_1 < ... < b_S = 1                      (tempered)
    w_k = L(z_k)^(b_s - b_(s-1)),   b_s such that ESS(w) = ess * n                   (reweight)
    z_k ~ sum_j w_j delta(z_j) / sum w                                               (resample)
    z_k <- Metropolis steps on p_(b_s), covariance of the particles                  (move)
    ln Z = sum_s ln mean_k w_k

======= ================================ ======================= ============ ===============
symbol  meaning                          shape                   code name    source
======= ================================ ======================= ============ ===============
theta_k draw k, physical units           (sites..., draw, p)     draws        Prior
z_k     particle k, real coordinates     (sites..., particle, p) z            Prior
b       power of the likelihood          (sites...)              beta         Del Moral 2006
w_k     weight                           (sites..., draw)        log_weight
Z       evidence                         (sites...)              log_evidence
lambda  log scale of the move            (sites...)              log_scale    adapted
======= ================================ ======================= ============ ===============

Del Moral et al. 2006: J. R. Stat. Soc. B 68, 411-436. Importance sampling is the one-step case:
exact as n_draws grows, nothing to tune, but wasteful once the data are informative. Tempering lets the
data in by degrees, so that each step is a small one.

Particles move until the mean squared distance from where the step began, in units of their
covariance, is `forget` times that between independent draws; a fixed number of moves would be too
few in many dimensions and a waste in one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from landcarbon.assimilation.draws import Ensemble, parameter_names, say_concerns, systematic
from landcarbon.assimilation.parameters import Prior, a_prior
from landcarbon.assimilation.posterior import FAR, Posterior
from landcarbon.assimilation.runs import bar
from landcarbon.assimilation.streams import Random, Streams, streams
from landcarbon.matrix.errors import InputError, as_array, as_kind, as_share, as_whole
from landcarbon.matrix.frozen import keep, keep_whole

__all__ = [
    "Importance",
    "TemperedSMC",
    "importance_sampling",
    "tempered_smc",
]

Array = NDArray[np.float64]
Function = Callable[[Array], Array]

MAX_MOVES = 60  # a step; enough but for the most bent of posteriors, which would hold up all sites
MAX_STEPS = 200
START_PARTICLES = 256
TARGET_ACCEPT = 0.25
ASKED, TRIES = 400, 40  # particles and steps of each that tell whether some are stuck


def importance_sampling(
    log_likelihood: Function,
    prior: Prior,
    n_draws: int = 5000,
    *,
    rng: Random = 0,
    chunk: int = 1000,
    sites: tuple[int, ...] = (),
) -> Ensemble:
    """Prior draws weighted by their likelihood: exact as n_draws grows, no tuning, nothing to converge.

    Wasteful where the data are informative: look at `ess`. It is the reference that shows when a
    faster sampler is wrong.

    Parameters
    ----------
    log_likelihood : callable
        theta (sites..., draw, p) -> ln L (sites..., draw).
    prior : Prior
    n_draws : int
        Draws a site.
    rng : Generator, int, or one Generator a site
    chunk : int
        Draws a site evaluated at once; bounds the memory, changes nothing else.
    sites : tuple of int
        Leading site axes.

    Returns
    -------
    Ensemble
        With weights, ln Z and its standard error sqrt(1/ESS - 1/n_draws).

    Raises
    ------
    InputError
        No draw of a site has a likelihood above zero.

    Examples
    --------
    >>> from landcarbon.models.parameters import Parameter, ParameterTable
    >>> prior = Prior(ParameterTable([Parameter("a", "1", 0.0, 1.0, 0.5)]))
    >>> ensemble = importance_sampling(lambda theta: np.log(theta[..., 0]), prior, rng=1)
    >>> print(ensemble.mean().round(2), ensemble.log_evidence.round(2))   # 2/3 and ln(1/2)
    [0.67] -0.7
    """
    as_kind("log_likelihood", log_likelihood, callable)
    n_draws, chunk = as_whole("n_draws", n_draws, 1), as_whole("chunk", chunk, 1)
    a_prior(prior)
    theta = prior.sample(n_draws, streams(rng, sites), sites=sites)
    ll = _in_chunks(log_likelihood, theta, chunk)
    _not_all_impossible(ll, sites)
    total = logsumexp(ll, axis=-1)
    log_weight = ll - total[..., None]
    ess = np.exp(-logsumexp(2.0 * log_weight, axis=-1))
    return Ensemble(
        prior.names,
        theta,
        log_weight,
        log_evidence=total - np.log(n_draws),
        log_evidence_error=np.sqrt(np.maximum(1.0 / ess - 1.0 / n_draws, 0.0)),
    )


def tempered_smc(
    log_likelihood: Function,
    log_prior: Function,
    start: ArrayLike,
    *,
    rng: Random = 0,
    ess: float = 0.5,
    forget: float = 0.5,
    chunk: int = 1000,
    names: Sequence[str] | None = None,
) -> Ensemble:
    """From prior to posterior by tempering, resampling and moving a population, all sites at once.

    Parameters
    ----------
    log_likelihood, log_prior : callable
        z (sites..., particle, p) -> (sites..., particle), in unbounded coordinates; the prior with
        its Jacobian. -inf where impossible.
    start : array_like, (sites..., particle, p)
        Draws from the prior; at least 20, and better a hundred a parameter.
    rng : Generator, int, or one Generator a site
    ess : float
        Each step lets in as much of the likelihood as leaves this share of the particles effective.
    forget : float
        How far particles move after each step: 0 stays, 1 is as far as independent draws lie apart.
    chunk : int
        Particles a site evaluated at once.
    names : sequence of str, optional

    Returns
    -------
    Ensemble
        Equally weighted, in the coordinates of `start`, with ln Z. Its standard error,
        sqrt(sum over steps of 1/ESS - 1/n), takes the particles for independent, which they are
        not quite: repeat the run to be sure.

    Raises
    ------
    InputError
        Fewer than 20 particles, a likelihood that is zero or NaN at all of them.

    Warns
    -----
    ConvergenceWarning
        Some particles hardly move (`Ensemble.stuck` above 0.015): steps that fit the wide parts of
        the posterior do not fit into its narrow ones, which may have been missed, and then ln Z is too
        small by more than its error says, in every run alike. Neal's funnel is of this kind.

    Examples
    --------
    >>> start = np.random.default_rng(1).standard_normal((2000, 1))      # prior Normal(0, 1)
    >>> def log_normal(z):
    ...     return -0.5 * (z[..., 0] ** 2 + np.log(2 * np.pi))
    >>> data = lambda z: log_normal(z - 1.0)                             # one datum, 1.0, error 1
    >>> ensemble = tempered_smc(data, log_normal, start, rng=2)          # exact: 0.5, -1.52
    >>> print(ensemble.mean().round(1), ensemble.log_evidence.round(1))
    [0.5] -1.5
    """
    as_kind("log_likelihood", log_likelihood, callable)
    as_kind("log_prior", log_prior, callable)
    found, mover, state = _population(log_likelihood, log_prior, start, rng, (ess, forget), chunk, names)
    found = replace(found, stuck=mover.stuck(state))
    say_concerns(found)
    return found


def _population(
    log_likelihood: Function,
    log_prior: Function,
    start: ArrayLike,
    rng: Random,
    shares: tuple[float, float],
    chunk: int,
    names: Sequence[str] | None,
) -> tuple[Ensemble, _Mover, _Particles]:
    """`tempered_smc` without its last question, whether particles still move; shares: ess, forget."""
    ess, forget = shares
    z = as_array("start", start, shape=(None, None)).copy()
    *lead, n, p = z.shape
    if p < 1:
        raise InputError(f"start has shape {z.shape}: it needs a parameter at least, on its last axis.")
    sites = tuple(lead)
    if n < 20:
        raise InputError(f"tempered_smc needs at least 20 particles, but {n} were given.")
    ess, forget = as_share("ess", ess), as_share("forget", forget)
    chunk = as_whole("chunk", chunk, 1)
    source = streams(rng, sites)
    def evaluate(y: Array) -> _Particles:
        return _Particles(y, _in_chunks(log_likelihood, y, chunk), _in_chunks(log_prior, y, chunk))

    state = evaluate(z)
    _not_all_impossible(state.ll, sites)
    beta = np.zeros(sites)
    mover = _Mover(evaluate, np.full(sites, np.log(2.38 / np.sqrt(p))), forget, source)
    log_evidence, variance = np.zeros(sites), np.zeros(sites)
    for _ in bar(range(MAX_STEPS), None, "tempering", "step"):
        running = beta < 1.0
        if not running.any():
            break
        new = np.where(running, _next_power(state.ll, beta, ess * n), 1.0)
        log_weight = _power(state.ll, new - beta)
        total = logsumexp(log_weight, axis=-1)
        weight = np.exp(log_weight - total[..., None])
        log_evidence = log_evidence + np.where(running, total - np.log(n), 0.0)
        variance = variance + np.where(running, (weight**2).sum(-1) - 1.0 / n, 0.0)
        drawn = systematic(weight, n, source.uniform((1,), running))
        cov = _covariance(state.z, weight)
        state = state.picked(np.where(running[..., None], drawn, np.arange(n)))
        beta = new
        state = mover.move(state, beta, cov, running)
    else:
        raise InputError(
            f"after {MAX_STEPS} steps the likelihood is let in to a power of {beta.min():.2g} only; "
            "the errors of the data are far too small for the model to reach."
        )
    found = Ensemble(
        parameter_names(names, p),
        state.z,
        log_evidence=log_evidence,
        log_evidence_error=np.sqrt(np.maximum(variance, 0.0)),
    )
    return found, mover, state


@dataclass(frozen=True, eq=False)
class _Particles:
    """Where particles are (sites..., particle, p), their ln likelihood and ln prior there."""

    z: Array
    ll: Array
    lp: Array

    def picked(self, index: NDArray[np.int_]) -> _Particles:
        z = np.take_along_axis(self.z, index[..., None], axis=-2)
        return _Particles(z, *(np.take_along_axis(a, index, axis=-1) for a in (self.ll, self.lp)))

    def moved(self, accept: NDArray[np.bool_], new: _Particles) -> _Particles:
        z = np.where(accept[..., None], new.z, self.z)
        return _Particles(z, np.where(accept, new.ll, self.ll), np.where(accept, new.lp, self.lp))


@dataclass
class _Mover:
    """Metropolis steps between two powers; their scale is learned from step to step."""

    evaluate: Callable[[Array], _Particles]
    log_scale: Array
    forget: float
    source: Streams

    def move(
        self, state: _Particles, beta: Array, cov: Array, running: NDArray[np.bool_]
    ) -> _Particles:
        """Steps at power beta, at each running site until its particles have moved enough."""
        begin, (n, p) = state.z, state.z.shape[-2:]
        step = np.linalg.cholesky(cov)
        for _ in range(MAX_MOVES):
            # Squared distance in units of the covariance; between two independent draws it is 2 p.
            away = np.linalg.solve(step, np.swapaxes(state.z - begin, -1, -2))
            here = running & ((away**2).sum(-2).mean(-1) < self.forget * 2.0 * p)
            if not here.any():
                break
            xi = self.source.normal((n, p), here) @ np.swapaxes(step, -1, -2)
            new = self.evaluate(state.z + np.exp(self.log_scale)[..., None, None] * xi)
            gain = _power(new.ll, beta) - _power(state.ll, beta) + new.lp - state.lp
            alpha = np.exp(np.minimum(0.0, gain))
            accept = (self.source.uniform((n,), here) < alpha) & here[..., None]
            state = state.moved(accept, new)
            # The population is large: its mean acceptance is known well, so the scale may follow fast.
            self.log_scale = self.log_scale + np.where(
                here, 0.5 * (alpha.mean(-1) - TARGET_ACCEPT), 0.0
            )
        return state


    def stuck(self, state: _Particles) -> Array:
        """Share of the particles (sites...) that take a step a tenth as often as the average one does.

        Asked of some of them, with random numbers of its own: the run is not changed by the question.
        """
        n = state.z.shape[-2]
        some = np.linspace(0, n - 1, min(n, ASKED)).astype(int)
        here = _Particles(state.z[..., some, :], state.ll[..., some], state.lp[..., some])
        step = np.linalg.cholesky(_covariance(state.z, np.full(state.ll.shape, 1.0 / n)))
        rng, taken = np.random.default_rng(0), np.zeros(here.ll.shape)
        for _ in range(TRIES):
            xi = rng.standard_normal(here.z.shape) @ np.swapaxes(step, -1, -2)
            new = self.evaluate(here.z + np.exp(self.log_scale)[..., None, None] * xi)
            taken += np.exp(np.minimum(0.0, new.ll - here.ll + new.lp - here.lp))
        return (taken < 0.1 * taken.mean(-1, keepdims=True)).mean(-1)


def _next_power(ll: Array, beta: Array, wanted: float) -> Array:
    """Largest power (sites...) at which the ESS of the increment is `wanted`, at most 1."""
    low, high = beta.copy(), np.ones_like(beta)
    for _ in range(50):
        middle = 0.5 * (low + high)
        enough = _ess(_power(ll, middle - beta)) >= wanted
        low, high = np.where(enough, middle, low), np.where(enough, high, middle)
    # A power that is not larger would never end; all of the particles but few may be impossible.
    tiny = np.where(_ess(_power(ll, 1.0 - beta)) >= wanted, 1.0, low)
    return np.maximum(tiny, np.minimum(1.0, beta + 1e-12))


def _power(ll: Array, b: Array) -> Array:
    """b ln L, where L = 0 stays impossible at every power."""
    impossible = np.isneginf(ll)
    return np.where(impossible, -np.inf, b[..., None] * np.where(impossible, 0.0, ll))


def _ess(log_weight: Array) -> Array:
    ess = np.exp(2.0 * logsumexp(log_weight, axis=-1) - logsumexp(2.0 * log_weight, axis=-1))
    return np.asarray(ess, dtype=float)


def _covariance(z: Array, weight: Array) -> Array:
    """Weighted covariance (sites..., p, p), a little ridge on its diagonal."""
    p = z.shape[-1]
    away = z - (weight[..., None] * z).sum(-2, keepdims=True)
    cov = np.swapaxes(away, -1, -2) @ (weight[..., None] * away)
    ridge = 1e-10 + 1e-6 * np.trace(cov, axis1=-2, axis2=-1) / p
    return cov + ridge[..., None, None] * np.eye(p)


def _in_chunks(function: Function, x: Array, chunk: int) -> Array:
    """function(x) along the second-last axis, some at a time; one number a vector, none NaN."""
    parts = [np.asarray(function(x[..., k : k + chunk, :])) for k in range(0, x.shape[-2], chunk)]
    out = np.concatenate(parts, axis=-1)
    if out.shape != x.shape[:-1] or np.isnan(out).any():
        raise InputError(
            f"log_likelihood must return one number a draw, {x.shape[:-1]} in all and no NaN; "
            f"it returned shape {out.shape} with {int(np.isnan(out).sum())} NaN."
        )
    return out


def _not_all_impossible(ll: Array, sites: tuple[int, ...]) -> None:
    dead = np.isneginf(ll).all(-1)
    if dead.any():
        where = f" of site {tuple(int(i) for i in np.argwhere(dead)[0])}" if sites else ""
        raise InputError(
            f"none of the {ll.shape[-1]} prior draws{where} has a likelihood above zero; the data "
            "contradict the prior, or the error is far too small."
        )


@dataclass(frozen=True, kw_only=True)
class Importance:
    """`importance_sampling` of a posterior.

    Parameters
    ----------
    n_draws : int
        Draws a site.
    chunk : int
        Draws a site evaluated at once.

    Examples
    --------
    >>> from landcarbon.assimilation import problems
    >>> Importance(n_draws=200).sample(problems.banana(), rng=1).draws.shape
    (200, 2)
    """

    n_draws: int = 5000
    chunk: int = 1000

    def __post_init__(self) -> None:
        keep_whole(self, n_draws=1, chunk=1)

    def sample(self, posterior: Posterior, rng: Random = 0) -> Ensemble:
        """Weighted prior draws, physical."""
        as_kind("posterior", posterior, Posterior)
        return importance_sampling(
            posterior.log_likelihood,
            posterior.prior,
            self.n_draws,
            rng=rng,
            chunk=self.chunk,
            sites=posterior.sites,
        )


@dataclass(frozen=True, kw_only=True)
class TemperedSMC:
    """`tempered_smc` of a posterior: starts at prior draws, results are physical.

    Parameters
    ----------
    n_draws : int
        Particles a site.
    ess, forget, chunk
        As for `tempered_smc`.

    Examples
    --------
    >>> from landcarbon.assimilation import problems
    >>> TemperedSMC(n_draws=200).sample(problems.banana(), rng=1).draws.shape
    (200, 2)
    """

    n_draws: int = 2000
    ess: float = 0.5
    forget: float = 0.5
    chunk: int = 1000

    def __post_init__(self) -> None:
        keep(self, ess=as_share("ess", self.ess), forget=as_share("forget", self.forget))
        keep_whole(self, n_draws=1, chunk=1)

    def real(self, posterior: Posterior, source: Streams) -> Ensemble:
        """Particles in real coordinates, where chains may begin."""
        as_kind("posterior", posterior, Posterior)
        return self._run(posterior, source)[0]

    def _run(self, posterior: Posterior, source: Streams) -> tuple[Ensemble, _Mover, _Particles]:
        prior = posterior.prior

        def log_prior(z: Array) -> Array:
            return np.where((np.abs(z) > FAR).any(-1), -np.inf, prior.log_density_real(z))

        return _population(
            lambda z: posterior.log_likelihood(prior.from_real(np.clip(z, -FAR, FAR))),
            log_prior,
            prior.to_real(prior.sample(self.n_draws, source, sites=posterior.sites)),
            source,
            (self.ess, self.forget),
            self.chunk,
            posterior.names,
        )

    def sample(self, posterior: Posterior, rng: Random = 0) -> Ensemble:
        """Equally weighted draws, physical, with ln Z."""
        as_kind("posterior", posterior, Posterior)
        found, mover, state = self._run(posterior, streams(rng, posterior.sites))
        return replace(found, draws=posterior.prior.from_real(found.draws), stuck=mover.stuck(state))


def prior_population(posterior: Posterior, source: Streams, n: int, start: str) -> Array:
    """Real coordinates (sites..., n, p) for chains to start from.

    "prior" takes prior draws: spread out, but chains may need long to find a narrow posterior.
    "tempered" sends them through `tempered_smc` first.
    """
    n = as_whole("n", n, 1)
    prior = posterior.prior
    if start == "prior":
        return prior.to_real(prior.sample(n, source, sites=posterior.sites))
    if start != "tempered":
        raise InputError(f"start is {start!r}; use 'tempered' or 'prior'.")
    many = max(n, START_PARTICLES)
    z = TemperedSMC(n_draws=many, forget=0.4).real(posterior, source).draws
    # Particles made by resampling lie side by side: take them from all over.
    return z[..., np.linspace(0, many - 1, n).round().astype(int), :]
