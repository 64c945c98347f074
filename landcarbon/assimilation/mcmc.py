"""Samplers: adaptive Metropolis, and importance sampling from the prior as the exact reference.

::

    x' = x + exp(lambda) L xi,   L L^T = C + eps I,   xi ~ Normal(0, I)            (propose)
    alpha = min(1, p(x') / p(x));   x' with probability alpha, else x again        (accept)
    lambda <- lambda + gamma_t (alpha - alpha*)                                    (warm-up only)
    m <- m + gamma_t (x - m);  C <- C + gamma_t ((x - m)(x - m)^T - C)             (warm-up only)
    w_k = L(theta_k) / sum L,   Z = mean of L(theta_k),   theta_k ~ prior          (importance)

======= ============================== ==================== ============= ============
symbol  meaning                        shape                code name     source
======= ============================== ==================== ============= ============
x       state, unbounded coordinates   (sites..., chain, p) x
p(x)    target density, unnormalised   (sites..., chain)    log_density
C       covariance, chains pooled      (sites..., p, p)     cov           Haario 2001
m       mean, chains pooled            (sites..., p)        mean          Haario 2001
lambda  log scale of the step          (sites...)           log_scale     Andrieu 2008
gamma_t step of the adaptation, t^-0.6 ()                   gamma         Robbins 1951
alpha*  acceptance aimed at            ()                   target_accept Roberts 1997
w_k     weight of prior draw k         (sites..., draw)     log_weight
Z       evidence                       (sites...)           log_evidence
======= ============================== ==================== ============= ============

Haario et al. 2001: doi:10.2307/3318737. Andrieu & Thoms 2008: doi:10.1007/s11222-008-9110-y.
Roberts et al. 1997: doi:10.1214/aoap/1034625254. Robbins & Monro 1951: doi:10.1214/aoms/1177729586.

The step is frozen after warm-up, so the kept draws come from an ordinary Metropolis chain. A
rejected proposal repeats the state it came from: leaving repeats out would weight states wrongly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from landcarbon.assimilation.parameters import Prior
from landcarbon.assimilation.posterior import Draws, Ensemble, Posterior
from landcarbon.assimilation.streams import Random, streams
from landcarbon.matrix.errors import InputError, as_array

__all__ = ["adaptive_metropolis", "importance_sampling"]

Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]

# Refreshing the Cholesky factor costs p^3 a site; the covariance moves slowly.
_REFRESH = 10


def adaptive_metropolis(
    log_density: Function,
    start: ArrayLike,
    n_warmup: int = 2000,
    n_draws: int = 2000,
    *,
    rng: Random = None,
    thin: int = 1,
    target_accept: float = 0.234,
    names: Sequence[str] | None = None,
) -> Draws:
    """Metropolis with a step learned during warm-up; many chains and many sites at once.

    Parameters
    ----------
    log_density : callable
        x (sites..., chain, p) -> ln p (sites..., chain); -inf where impossible. Coordinates must be
        unbounded: see `Posterior.log_density_real`.
    start : array_like, (sites..., chain, p)
        Where the chains begin; spread out, so that R-hat can see a chain that has not moved.
    n_warmup, n_draws : int
        Steps of adaptation, thrown away, and draws kept a chain.
    rng : Generator, int, or one Generator a site
    thin : int
        Steps a kept draw.
    target_accept : float
        Acceptance the scale is steered to.
    names : sequence of str, optional

    Returns
    -------
    Draws
        In the coordinates of `start`.

    Raises
    ------
    InputError
        A start where the density is zero, a density that is NaN or has the wrong shape.

    Examples
    --------
    >>> draws = adaptive_metropolis(lambda x: -0.5 * (x**2).sum(-1), np.zeros((8, 2)), rng=1)
    >>> draws.draws.shape, bool((draws.rhat() < 1.02).all())
    ((8, 2000, 2), True)
    """
    x = as_array("start", start, shape=(None, None)).copy()
    *sites, n_chains, p = x.shape
    _check_counts(n_draws=n_draws, thin=thin)
    if not 0.0 < target_accept < 1.0:
        raise InputError(f"target_accept must lie in (0, 1), but {target_accept:g} was given.")
    if n_warmup < 100:
        raise InputError(f"n_warmup is {n_warmup}; the step takes at least 100 steps to learn.")
    source = streams(rng, tuple(sites))

    def density(y: NDArray[np.float64]) -> NDArray[np.float64]:
        lp = np.asarray(log_density(y), dtype=float)
        if lp.shape != y.shape[:-1]:
            raise InputError(
                f"log_density returns shape {lp.shape} for states of shape {y.shape}; "
                f"{y.shape[:-1]} is expected, one number a chain."
            )
        if np.isnan(lp).any():
            at = tuple(int(i) for i in np.argwhere(np.isnan(lp))[0])
            raise InputError(
                f"log_density is NaN at {y[at]} (index {at}); use -inf for the impossible."
            )
        return lp

    lp = density(x)
    if np.isneginf(lp).any():
        at = tuple(int(i) for i in np.argwhere(np.isneginf(lp))[0])
        raise InputError(f"the start at index {at} has density zero; start the chains elsewhere.")

    mean = x.mean(-2)
    spread = x.var(-2)
    cov = np.where(spread > 0, spread, 1.0)[..., None] * np.eye(p)
    log_scale = np.full(tuple(sites), np.log(2.38 / np.sqrt(p)))
    step = np.linalg.cholesky(cov)

    def move(
        x: NDArray[np.float64], lp: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        xi = source.normal((n_chains, p))
        proposal = x + np.exp(log_scale)[..., None, None] * (xi @ np.swapaxes(step, -1, -2))
        lp_proposal = density(proposal)
        alpha = np.exp(np.minimum(0.0, lp_proposal - lp))
        accept = source.uniform((n_chains,)) < alpha
        x = np.where(accept[..., None], proposal, x)
        return x, np.where(accept, lp_proposal, lp), alpha, accept

    for t in range(1, n_warmup + 1):
        x, lp, alpha, _ = move(x, lp)
        gamma = (t + 1.0) ** -0.6
        log_scale = log_scale + gamma * (alpha.mean(-1) - target_accept)
        away = x - mean[..., None, :]
        mean = mean + gamma * away.mean(-2)
        cov = cov + gamma * (np.swapaxes(away, -1, -2) @ away / n_chains - cov)
        if t % _REFRESH == 0 or t == n_warmup:
            ridge = 1e-8 + 1e-6 * np.trace(cov, axis1=-2, axis2=-1) / p
            step = np.linalg.cholesky(cov + ridge[..., None, None] * np.eye(p))

    kept = np.empty((n_draws, *x.shape))
    kept_lp = np.empty((n_draws, *lp.shape))
    accepted = np.zeros(lp.shape)
    for k in range(n_draws):
        for _ in range(thin):
            x, lp, _, accept = move(x, lp)
            accepted += accept
        kept[k], kept_lp[k] = x, lp
    return Draws(
        tuple(names) if names is not None else tuple(f"x{k}" for k in range(p)),
        np.moveaxis(kept, 0, -2),
        np.moveaxis(kept_lp, 0, -1),
        accepted / (n_draws * thin),
    )


def sample_metropolis(
    posterior: Posterior,
    rng: Random = None,
    *,
    n_chains: int = 16,
    n_warmup: int = 2000,
    n_draws: int = 2000,
    thin: int = 1,
    target_accept: float = 0.234,
) -> Draws:
    """`adaptive_metropolis` on a posterior: chains start at prior draws, results are physical."""
    _check_counts(n_chains=n_chains)
    source = streams(rng, posterior.sites)
    start = posterior.prior.to_real(posterior.prior.sample(n_chains, source, sites=posterior.sites))
    walk = adaptive_metropolis(
        posterior.log_density_real,
        start,
        n_warmup,
        n_draws,
        rng=source,
        thin=thin,
        target_accept=target_accept,
        names=posterior.names,
    )
    return replace(walk, draws=posterior.prior.from_real(walk.draws))


def importance_sampling(
    log_likelihood: Function,
    prior: Prior,
    n: int = 5000,
    *,
    rng: Random = None,
    chunk: int = 1000,
    sites: tuple[int, ...] = (),
) -> Ensemble:
    """Prior draws weighted by their likelihood: exact as n grows, no tuning, nothing to converge.

    Wasteful where the data are informative: look at `ess`. It is the reference that shows when a
    faster sampler is wrong.

    Parameters
    ----------
    log_likelihood : callable
        theta (sites..., draw, p) -> ln L (sites..., draw).
    prior : Prior
    n : int
        Draws a site.
    rng : Generator, int, or one Generator a site
    chunk : int
        Draws a site evaluated at once; bounds the memory, changes nothing else.
    sites : tuple of int
        Leading site axes.

    Returns
    -------
    Ensemble
        With weights, ln Z and its standard error sqrt(1/ESS - 1/n).

    Raises
    ------
    InputError
        No draw of a site has a likelihood above zero.
    """
    _check_counts(n=n, chunk=chunk)
    theta = prior.sample(n, streams(rng, sites), sites=sites)
    parts = [np.asarray(log_likelihood(theta[..., k : k + chunk, :])) for k in range(0, n, chunk)]
    ll = np.concatenate(parts, axis=-1)
    if ll.shape != theta.shape[:-1] or np.isnan(ll).any():
        raise InputError(
            f"log_likelihood must return one number a draw, {theta.shape[:-1]} in all and no NaN; "
            f"it returned shape {ll.shape} with {int(np.isnan(ll).sum())} NaN."
        )
    dead = np.isneginf(ll).all(-1)
    if dead.any():
        where = f" of site {tuple(int(i) for i in np.argwhere(dead)[0])}" if sites else ""
        raise InputError(
            f"none of the {n} prior draws{where} has a likelihood above zero; the data contradict "
            "the prior, or the error is far too small."
        )
    total = logsumexp(ll, axis=-1)
    log_weight = ll - total[..., None]
    ess = np.exp(-logsumexp(2.0 * log_weight, axis=-1))
    return Ensemble(
        prior.names,
        theta,
        log_weight,
        log_evidence=total - np.log(n),
        log_evidence_error=np.sqrt(np.maximum(1.0 / ess - 1.0 / n, 0.0)),
    )


def sample_importance(
    posterior: Posterior,
    rng: Random = None,
    *,
    n: int = 5000,
    chunk: int = 1000,
) -> Ensemble:
    """`importance_sampling` of a posterior."""
    return importance_sampling(
        posterior.log_likelihood, posterior.prior, n, rng=rng, chunk=chunk, sites=posterior.sites
    )


def _check_counts(**counts: int) -> None:
    for name, count in counts.items():
        if int(count) != count or count < 1:
            raise InputError(f"{name} must be a whole number, at least 1; {count!r} was given.")
