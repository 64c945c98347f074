"""Random-walk Markov chains: adaptive Metropolis, and differential evolution.

::

    alpha = min(1, p(x') / p(x));   x' with probability alpha, else x again          (accept)

    x' = x + exp(lambda) L xi,   L L^T = C + eps I,   xi ~ Normal(0, I)              (metropolis)
    lambda <- lambda + gamma_t (alpha - alpha*)                                      (warm-up only)
    m <- m + gamma_t (x - m);  C <- C + gamma_t ((x - m)(x - m)^T - C)               (warm-up only)

    x' = x + g (a - b) + e,   a, b from the archive,   g = 2.38 / sqrt(2 p) or 1     (evolution)
    x' = x + s ((a - b) . u) u,   u = (x - c) / |x - c|,   s ~ Uniform(1.2, 2.2)     (snooker)
    alpha = min(1, p(x') |x' - c|^(p-1) / (p(x) |x - c|^(p-1)))                      (snooker)

======= ============================== ==================== ============= ==============
symbol  meaning                        shape                code name     source
======= ============================== ==================== ============= ==============
x       state, unbounded coordinates   (sites..., chain, p) x
p(x)    target density, unnormalised   (sites..., chain)    log_density
C       covariance, chains pooled      (sites..., p, p)     cov           Haario 2001
m       mean, chains pooled            (sites..., p)        mean          Haario 2001
lambda  log scale of the step          (sites...)           log_scale     Andrieu 2008
gamma_t step of the adaptation, t^-0.6 ()                   gamma         Robbins 1951
alpha*  acceptance aimed at            ()                   target_accept Roberts 1997
a, b, c past states of any chain       (sites..., row, p)   archive       ter Braak 2008
e       small noise                    (sites..., chain, p) jitter        ter Braak 2008
======= ============================== ==================== ============= ==============

Haario et al. 2001: doi:10.2307/3318737. Andrieu & Thoms 2008: doi:10.1007/s11222-008-9110-y.
Roberts et al. 1997: doi:10.1214/aoap/1034625254. Robbins & Monro 1951: doi:10.1214/aoms/1177729586.
ter Braak & Vrugt 2008: doi:10.1007/s11222-008-9104-9.

What a sampler has learned, step or archive, is frozen after warm-up, so the kept draws come from
an ordinary Metropolis chain. A rejected proposal repeats the state it came from: leaving repeats
out would weight states wrongly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.draws import Draws
from landcarbon.assimilation.posterior import Posterior
from landcarbon.assimilation.smc import check_counts, prior_population
from landcarbon.assimilation.streams import Random, Streams, streams
from landcarbon.matrix.errors import InputError, as_array

__all__ = ["adaptive_metropolis", "differential_evolution"]

Array = NDArray[np.float64]
Function = Callable[[Array], Array]
Move = Callable[[Array, Array], tuple[Array, Array, Array, NDArray[np.bool_]]]

# Refreshing the Cholesky factor costs p^3 a site; the covariance moves slowly.
REFRESH = 10
ARCHIVE_EVERY = 10


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
    x, lp, density, source = begin(log_density, start, rng, n_warmup, n_draws, thin)
    *sites, n_chains, p = x.shape
    _check_share("target_accept", target_accept)
    mean, cov = x.mean(-2), start_covariance(x)
    log_scale = np.full(tuple(sites), np.log(2.38 / np.sqrt(p)))
    step = np.linalg.cholesky(cov)

    def move(x: Array, lp: Array) -> tuple[Array, Array, Array, NDArray[np.bool_]]:
        xi = source.normal((n_chains, p))
        proposal = x + np.exp(log_scale)[..., None, None] * (xi @ np.swapaxes(step, -1, -2))
        return _accept(x, lp, proposal, density(proposal), 0.0, source)

    for t in range(1, n_warmup + 1):
        x, lp, alpha, _ = move(x, lp)
        gamma = (t + 1.0) ** -0.6
        log_scale = log_scale + gamma * (alpha.mean(-1) - target_accept)
        mean, cov = pooled(x, mean, cov, gamma)
        if t % REFRESH == 0 or t == n_warmup:
            step = factor(cov)
    return _walk(move, x, lp, n_draws, thin, names)


def differential_evolution(
    log_density: Function,
    start: ArrayLike,
    n_warmup: int = 2000,
    n_draws: int = 2000,
    *,
    rng: Random = None,
    thin: int = 1,
    snooker: float = 0.1,
    archive: ArrayLike | None = None,
    names: Sequence[str] | None = None,
) -> Draws:
    """Steps along differences of past states, so that direction and scale need no tuning.

    Differential evolution MC with snooker updates and an archive (DE-MCzs, ter Braak & Vrugt 2008).
    The archive grows during warm-up; its younger half is kept, frozen, for the sampling.

    Parameters
    ----------
    log_density, start, n_warmup, n_draws, rng, thin, names
        As for `adaptive_metropolis`.
    snooker : float
        Share of snooker steps; of the others every tenth has g = 1, to jump between modes.
    archive : array_like, (sites..., row, p), optional
        First states of the archive, by default `start`; they must span all p directions, so more
        than p of them are needed, ten a parameter are good.

    Returns
    -------
    Draws
        In the coordinates of `start`.

    Raises
    ------
    InputError
        As `adaptive_metropolis`, and an archive of too few states.

    Examples
    --------
    >>> start = np.random.default_rng(1).standard_normal((20, 2))
    >>> draws = differential_evolution(lambda x: -0.5 * (x**2).sum(-1), start, rng=2)
    >>> bool((draws.rhat() < 1.02).all())
    True
    """
    x, lp, density, source = begin(log_density, start, rng, n_warmup, n_draws, thin)
    *sites, n_chains, p = x.shape
    _check_share("snooker", snooker)
    first = x if archive is None else as_array("archive", archive, shape=(None, p))
    if first.shape[:-2] != tuple(sites) or first.shape[-2] <= p:
        raise InputError(
            f"the archive has shape {first.shape}; {(*sites, f'more than {p}', p)} is expected: "
            "differences of fewer states cannot point everywhere. Start more chains, or give "
            "archive=prior draws."
        )
    rows = first.shape[-2]
    past = np.empty((*sites, rows + n_chains * (n_warmup // ARCHIVE_EVERY), p))
    past[..., :rows, :] = first
    narrow = 2.38 / np.sqrt(2.0 * p)

    def pick(past: Array) -> Array:
        index = (source.uniform((n_chains,)) * past.shape[-2]).astype(int)
        return np.take_along_axis(past, index[..., None], axis=-2)

    def move(x: Array, lp: Array) -> tuple[Array, Array, Array, NDArray[np.bool_]]:
        known = past[..., :rows, :]
        a, b, c = pick(known), pick(known), pick(known)
        kind, u = source.uniform((n_chains,)), source.uniform((n_chains,))
        jitter = 1e-4 * source.normal((n_chains, p)) * known.std(-2, keepdims=True)
        g = np.where(u < 0.1, 1.0, narrow)[..., None]
        line = x - c
        length = np.linalg.norm(line, axis=-1, keepdims=True)
        apart = length > 0.0  # a chain may draw the very state it is in; then it stays
        line = np.divide(line, length, out=np.zeros_like(line), where=apart)
        along = (1.2 + u[..., None]) * ((a - b) * line).sum(-1, keepdims=True)
        by_snooker = kind[..., None] < snooker
        proposal = x + np.where(by_snooker, along * line, g * (a - b) + jitter)
        new_length = np.linalg.norm(proposal - c, axis=-1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            stretch = (p - 1.0) * (np.log(new_length) - np.log(length))
        log_ratio = np.where(by_snooker & apart, stretch, 0.0)[..., 0]
        return _accept(x, lp, proposal, density(proposal), log_ratio, source)

    for t in range(1, n_warmup + 1):
        x, lp, _, _ = move(x, lp)
        if t % ARCHIVE_EVERY == 0:
            past[..., rows : rows + n_chains, :] = x
            rows += n_chains
    young = min(rows // 2, rows - 2 * p)
    past, rows = past[..., max(young, 0) :, :], rows - max(young, 0)
    return _walk(move, x, lp, n_draws, thin, names)


def begin(
    log_density: Function, start: ArrayLike, rng: Random, n_warmup: int, n_draws: int, thin: int
) -> tuple[Array, Array, Function, Streams]:
    """Checked start, its density, the density as a function that checks its result, and streams."""
    x = as_array("start", start, shape=(None, None)).copy()
    check_counts(n_draws=n_draws, thin=thin)
    if n_warmup < 100:
        raise InputError(f"n_warmup is {n_warmup}; the step takes at least 100 steps to learn.")

    def density(y: Array) -> Array:
        return checked_density(log_density(y), y)

    lp = density(x)
    if np.isneginf(lp).any():
        at = tuple(int(i) for i in np.argwhere(np.isneginf(lp))[0])
        raise InputError(f"the start at index {at} has density zero; start the chains elsewhere.")
    return x, lp, density, streams(rng, x.shape[:-2])


def checked_density(log_density: ArrayLike, x: Array) -> Array:
    """ln p at x, one number a chain, none NaN."""
    lp = np.asarray(log_density, dtype=float)
    if lp.shape != x.shape[:-1]:
        raise InputError(
            f"log_density returns shape {lp.shape} for states of shape {x.shape}; "
            f"{x.shape[:-1]} is expected, one number a chain."
        )
    if np.isnan(lp).any():
        at = tuple(int(i) for i in np.argwhere(np.isnan(lp))[0])
        raise InputError(
            f"log_density is NaN at {x[at]} (index {at}); use -inf for the impossible."
        )
    return lp


def start_covariance(x: Array) -> Array:
    """Covariance (sites..., p, p) of the chains' starts; only its diagonal when they are few."""
    n, p = x.shape[-2:]
    if n >= 5 * p:
        away = x - x.mean(-2, keepdims=True)
        full = np.swapaxes(away, -1, -2) @ away / n
        if (np.diagonal(full, axis1=-2, axis2=-1) > 0).all():
            return _ridged(full)
    spread = x.var(-2)
    return np.where(spread > 0, spread, 1.0)[..., None] * np.eye(p)


def pooled(x: Array, mean: Array, cov: Array, gamma: float) -> tuple[Array, Array]:
    """Running mean and covariance of all chains of a site, moved by a share gamma."""
    away = x - mean[..., None, :]
    mean = mean + gamma * away.mean(-2)
    return mean, cov + gamma * (np.swapaxes(away, -1, -2) @ away / x.shape[-2] - cov)


def factor(cov: Array) -> Array:
    """Cholesky factor (sites..., p, p)."""
    return np.asarray(np.linalg.cholesky(_ridged(cov)), dtype=float)


def _ridged(cov: Array) -> Array:
    p = cov.shape[-1]
    ridge = 1e-8 + 1e-6 * np.trace(cov, axis1=-2, axis2=-1) / p
    return cov + ridge[..., None, None] * np.eye(p)


def _accept(
    x: Array,
    lp: Array,
    proposal: Array,
    lp_proposal: Array,
    log_ratio: Array | float,
    source: Streams,
) -> tuple[Array, Array, Array, NDArray[np.bool_]]:
    """The Metropolis–Hastings step; log_ratio is ln q(x | x') - ln q(x' | x)."""
    alpha = np.exp(np.minimum(0.0, lp_proposal - lp + log_ratio))
    accept = source.uniform(lp.shape[len(source.sites) :]) < alpha
    x = np.where(accept[..., None], proposal, x)
    return x, np.where(accept, lp_proposal, lp), alpha, accept


def _walk(
    move: Move, x: Array, lp: Array, n_draws: int, thin: int, names: Sequence[str] | None
) -> Draws:
    """Sample with a move that no longer changes."""
    p = x.shape[-1]
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
    start: str = "tempered",
) -> Draws:
    """`adaptive_metropolis` on a posterior; results are physical."""
    check_counts(n_chains=n_chains)
    source = streams(rng, posterior.sites)
    walk = adaptive_metropolis(
        posterior.log_density_real,
        prior_population(posterior, source, n_chains, start),
        n_warmup,
        n_draws,
        rng=source,
        thin=thin,
        target_accept=target_accept,
        names=posterior.names,
    )
    return replace(walk, draws=posterior.prior.from_real(walk.draws))


def sample_differential_evolution(
    posterior: Posterior,
    rng: Random = None,
    *,
    n_chains: int = 16,
    n_warmup: int = 2000,
    n_draws: int = 2000,
    thin: int = 1,
    snooker: float = 0.1,
    start: str = "tempered",
) -> Draws:
    """`differential_evolution` on a posterior; results are physical."""
    check_counts(n_chains=n_chains)
    source = streams(rng, posterior.sites)
    population = prior_population(
        posterior, source, max(n_chains, 10 * len(posterior.prior)), start
    )
    walk = differential_evolution(
        posterior.log_density_real,
        population[..., :n_chains, :],
        n_warmup,
        n_draws,
        rng=source,
        thin=thin,
        snooker=snooker,
        archive=population,
        names=posterior.names,
    )
    return replace(walk, draws=posterior.prior.from_real(walk.draws))


def _check_share(name: str, value: float) -> None:
    if not 0.0 < value < 1.0:
        raise InputError(f"{name} must lie in (0, 1), but {value:g} was given.")
