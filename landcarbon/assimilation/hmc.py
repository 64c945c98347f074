"""Hamiltonian Monte Carlo: a ball rolls over the posterior, pushed by its gradient.

::

    H(x, v) = -ln p(x) + |v|^2 / 2,   v ~ Normal(0, I) before each trajectory
    v <- v + (eps/2) L^T grad ln p(x);   x <- x + eps L v;   v <- v + (eps/2) L^T grad ln p(x)
    alpha = min(1, exp(H(x, v) - H(x', v')))     after n such steps;  x' accepted, or x again
    ln eps <- dual averaging of (alpha* - alpha),   L L^T = covariance of the chains  (warm-up only)

======= ================================== ==================== ============= ==================
symbol  meaning                            shape                code name     source
======= ================================== ==================== ============= ==================
x       state, unbounded coordinates       (sites..., chain, p) x
v       velocity, in whitened coordinates  (sites..., chain, p) v
grad    gradient of ln p                   (sites..., chain, p) gradient      adjoint
eps     step in time                       (sites...)           step_size     Hoffman 2014
L       Cholesky factor of the covariance  (sites..., p, p)     step          pooled chains
n       steps of a trajectory, 1 to n_max  ()                   n_leapfrog    Hoffman 2021
alpha*  acceptance aimed at                ()                   target_accept Hoffman 2014
======= ================================== ==================== ============= ==================

Hoffman & Gelman 2014: J. Mach. Learn. Res. 15, 1593-1623 (dual averaging). Hoffman et al. 2021:
Proc. Mach. Learn. Res. 130, 3907-3915 (chains in step, trajectory lengths from a Halton sequence).

The number of steps varies from trajectory to trajectory, or a ball could come back to where it
began again and again. It follows a fixed sequence, the same for all chains and sites, so that they
advance together as arrays. Where the energy H is lost by more than 1000 the trajectory has
diverged: a sign of a posterior too sharply curved for the step, counted in `Draws.diverging`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.draws import Draws
from landcarbon.assimilation.mcmc import (
    REFRESH,
    begin,
    checked_density,
    factor,
    pooled,
    start_covariance,
)
from landcarbon.assimilation.posterior import Posterior
from landcarbon.assimilation.smc import check_counts, prior_population
from landcarbon.assimilation.streams import Random, streams
from landcarbon.matrix.errors import InputError

__all__ = ["hamiltonian"]

Array = NDArray[np.float64]
WithGradient = Callable[[Array], tuple[Array, Array]]

DIVERGED = 1000.0
SETTLED = 0.8  # share of the warm-up after which the covariance stays and only eps is still tuned


def hamiltonian(
    log_density: WithGradient,
    start: ArrayLike,
    n_warmup: int = 500,
    n_draws: int = 1000,
    *,
    rng: Random = None,
    n_leapfrog: int = 12,
    target_accept: float = 0.8,
    names: Sequence[str] | None = None,
) -> Draws:
    """Hamiltonian Monte Carlo with step and covariance learned during warm-up.

    Parameters
    ----------
    log_density : callable
        x (sites..., chain, p) -> (ln p (sites..., chain), its gradient (sites..., chain, p)), in
        unbounded coordinates: see `Posterior.gradient_real`.
    start : array_like, (sites..., chain, p)
    n_warmup, n_draws : int
        Trajectories of adaptation, thrown away, and draws kept a chain.
    rng : Generator, int, or one Generator a site
    n_leapfrog : int
        Largest number of steps, and so of gradients, a trajectory; half of it on average.
    target_accept : float
        Acceptance the step is steered to; nearer to 1 where trajectories diverge.
    names : sequence of str, optional

    Returns
    -------
    Draws
        In the coordinates of `start`, with `diverging`.

    Raises
    ------
    InputError
        A start where the density is zero, a density or gradient that is NaN or has the wrong shape.

    Examples
    --------
    >>> def normal(x):
    ...     return -0.5 * (x**2).sum(-1), -x
    >>> draws = hamiltonian(normal, np.zeros((8, 2)), n_warmup=200, n_draws=200, rng=1)
    >>> bool((draws.rhat() < 1.02).all()), int(draws.diverging.sum())
    (True, 0)
    """
    check_counts(n_leapfrog=n_leapfrog)
    if not 0.0 < target_accept < 1.0:
        raise InputError(f"target_accept must lie in (0, 1), but {target_accept:g} was given.")

    def both(x: Array) -> tuple[Array, Array]:
        lp, gradient = log_density(x)
        lp, gradient = checked_density(lp, x), np.asarray(gradient, dtype=float)
        if gradient.shape != x.shape:
            raise InputError(
                f"the gradient has shape {gradient.shape} for states of shape {x.shape}; the same "
                "shape is expected."
            )
        bad = np.isfinite(lp)[..., None] & ~np.isfinite(gradient)
        if bad.any():
            at = tuple(int(i) for i in np.argwhere(bad)[0])
            raise InputError(f"the gradient is {gradient[at]} at index {at}, where ln p is finite.")
        return lp, np.where(np.isfinite(lp)[..., None], gradient, 0.0)

    x, _, _, source = begin(lambda y: both(y)[0], start, rng, n_warmup, n_draws, 1)
    lp, gradient = both(x)
    *sites, n_chains, p = x.shape
    mean, cov = x.mean(-2), start_covariance(x)
    step = np.linalg.cholesky(cov)
    # Dual averaging, with the constants of Hoffman & Gelman.
    anchor = np.full(tuple(sites), np.log(10.0 * 0.5 * p**-0.25))
    log_step, averaged, lost = anchor - np.log(10.0), np.zeros(tuple(sites)), np.zeros(tuple(sites))

    def trajectory(
        x: Array, lp: Array, gradient: Array, k: int, step_size: Array
    ) -> tuple[Array, Array, Array, Array, NDArray[np.bool_], NDArray[np.bool_]]:
        eps = step_size[..., None, None]
        turn = np.swapaxes(step, -1, -2)
        v0 = source.normal((n_chains, p))
        y, lp_y, grad_y = x, lp, gradient
        v = v0 + 0.5 * eps * (grad_y @ step)
        n = 1 + int(halton(k) * n_leapfrog)
        for i in range(n):
            y = y + eps * (v @ turn)
            lp_y, grad_y = both(y)
            v = v + (eps if i < n - 1 else 0.5 * eps) * (grad_y @ step)
        gain = lp_y - lp + 0.5 * ((v0**2).sum(-1) - (v**2).sum(-1))
        diverged = ~(gain > -DIVERGED)
        alpha = np.where(diverged, 0.0, np.exp(np.minimum(0.0, np.where(diverged, 0.0, gain))))
        accept = source.uniform((n_chains,)) < alpha
        moved = accept[..., None]
        x, gradient = np.where(moved, y, x), np.where(moved, grad_y, gradient)
        return x, np.where(accept, lp_y, lp), gradient, alpha, accept, diverged

    for t in range(1, n_warmup + 1):
        x, lp, gradient, alpha, _, _ = trajectory(x, lp, gradient, t, np.exp(log_step))
        lost = lost + (target_accept - alpha.mean(-1) - lost) / (t + 10.0)
        log_step = anchor - np.sqrt(t) / 0.05 * lost
        averaged = averaged + t**-0.75 * (log_step - averaged)
        if t <= SETTLED * n_warmup:
            mean, cov = pooled(x, mean, cov, (t + 1.0) ** -0.6)
            if t % REFRESH == 0:
                step = factor(cov)

    kept, kept_lp = np.empty((n_draws, *x.shape)), np.empty((n_draws, *lp.shape))
    diverging = np.empty((n_draws, *lp.shape), dtype=bool)
    accepted = np.zeros(lp.shape)
    for k in range(n_draws):
        x, lp, gradient, _, accept, diverging[k] = trajectory(
            x, lp, gradient, n_warmup + 1 + k, np.exp(averaged)
        )
        accepted += accept
        kept[k], kept_lp[k] = x, lp
    return Draws(
        tuple(names) if names is not None else tuple(f"x{k}" for k in range(p)),
        np.moveaxis(kept, 0, -2),
        np.moveaxis(kept_lp, 0, -1),
        accepted / n_draws,
        np.moveaxis(diverging, 0, -1),
    )


def halton(k: int) -> float:
    """Number k of the van der Corput sequence in base 2: 1/2, 1/4, 3/4, 1/8, 5/8 ..."""
    value, place = 0.0, 0.5
    while k:
        value += place * (k & 1)
        k, place = k >> 1, place / 2.0
    return value


def sample_hmc(
    posterior: Posterior,
    rng: Random = None,
    *,
    n_chains: int = 16,
    n_warmup: int = 500,
    n_draws: int = 1000,
    n_leapfrog: int = 12,
    target_accept: float = 0.8,
    gradient: str = "adjoint",
    start: str = "tempered",
) -> Draws:
    """`hamiltonian` on a posterior; results are physical.

    `gradient` is "adjoint" (`Posterior.gradient_real`) or "numerical" (2 p + 1 model runs each).
    """
    check_counts(n_chains=n_chains)
    if gradient not in ("adjoint", "numerical"):
        raise InputError(f"gradient is {gradient!r}; use 'adjoint' or 'numerical'.")
    source = streams(rng, posterior.sites)
    function = (
        posterior.gradient_real if gradient == "adjoint" else posterior.numerical_gradient_real
    )
    walk = hamiltonian(
        function,
        prior_population(posterior, source, n_chains, start),
        n_warmup,
        n_draws,
        rng=source,
        n_leapfrog=n_leapfrog,
        target_accept=target_accept,
        names=posterior.names,
    )
    return replace(walk, draws=posterior.prior.from_real(walk.draws))
