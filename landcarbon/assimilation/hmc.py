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
diverged, and where the model has no number at all: a sign of a posterior too sharply curved for the
step, counted in `Draws.diverging`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from landcarbon.assimilation.chains import ChainSampler, Kernel, Move, State, checked_density, taken
from landcarbon.assimilation.mcmc import REFRESH, factor, pooled, start_covariance
from landcarbon.assimilation.posterior import Posterior
from landcarbon.assimilation.streams import Streams
from landcarbon.matrix.errors import InputError, as_kind, as_share
from landcarbon.matrix.frozen import keep, keep_whole

__all__ = ["Hamiltonian"]

Array = NDArray[np.float64]
WithGradient = Callable[[Array], tuple[Array, Array]]

DIVERGED = 1000.0
SETTLED = 0.8  # share of the warm-up after which the covariance stays and only eps is still tuned


@dataclass(frozen=True, kw_only=True)
class Hamiltonian(ChainSampler):
    """Hamiltonian Monte Carlo with step and covariance learned during warm-up.

    `chains` walks on a function x -> (ln p (sites..., chain), its gradient (sites..., chain, p)), in
    unbounded coordinates: see `Posterior.gradient_real`. Its draws say which trajectories diverged.

    Parameters
    ----------
    n_chains, n_warmup, n_draws, thin, start
        See :class:`landcarbon.assimilation.chains.ChainSampler`; a step is a trajectory.
    n_leapfrog : int
        Largest number of steps, and so of gradients, a trajectory; half of it on average.
    target_accept : float
        Acceptance the step is steered to; nearer to 1 where trajectories diverge.
    gradient : {"adjoint", "numerical"}
        Of a posterior: `Posterior.gradient_real`, or 2 p + 1 model runs a gradient.

    Raises
    ------
    InputError
        When it is used: a start where the density is zero, or density or gradient NaN; one of them of
        the wrong shape. A NaN later on a trajectory is a divergence.

    Examples
    --------
    >>> def normal(x):
    ...     return -0.5 * (x**2).sum(-1), -x
    >>> walk = Hamiltonian(n_warmup=200, n_draws=200).chains(normal, np.zeros((8, 2)), rng=1)
    >>> bool((walk.rhat() < 1.02).all()), int(walk.diverging.sum())
    (True, 0)
    """

    n_warmup: int = 500
    n_draws: int = 1000
    n_leapfrog: int = 12
    target_accept: float = 0.8
    gradient: str = "adjoint"

    def __post_init__(self) -> None:
        super().__post_init__()
        keep_whole(self, n_leapfrog=1)
        keep(self, target_accept=as_share("target_accept", self.target_accept))

    def density(self, posterior: Posterior) -> WithGradient:
        """See `ChainSampler.density`."""
        as_kind("posterior", posterior, "gradient_real", hint="Give a Posterior.")
        if self.gradient not in ("adjoint", "numerical"):
            raise InputError(f"gradient is {self.gradient!r}; use 'adjoint' or 'numerical'.")
        if self.gradient == "adjoint":
            return posterior.gradient_real
        return posterior.numerical_gradient_real

    def _kernel(
        self, log_density: WithGradient, x: Array, archive: Array, source: Streams
    ) -> tuple[Kernel, State]:
        """See `ChainSampler._kernel`."""
        ball = _Ball(log_density, x, source, self)
        return ball, ball.at(x)


class _Ball:
    """Trajectories; the step by dual averaging, with the constants of Hoffman & Gelman."""

    def __init__(
        self, log_density: WithGradient, x: Array, source: Streams, options: Hamiltonian
    ) -> None:
        *lead, self.n_chains, self.p = x.shape
        sites = tuple(lead)
        self.log_density, self.source, self.options = log_density, source, options
        self.mean, self.cov = x.mean(-2), start_covariance(x)
        self.factor = np.linalg.cholesky(self.cov)
        self.anchor = np.full(sites, np.log(10.0 * 0.5 * self.p**-0.25))
        self.log_step = self.anchor - np.log(10.0)
        self.averaged, self.lost = np.zeros(sites), np.zeros(sites)

    def at(self, x: Array) -> State:
        """Where the chains begin: all numbers there must be some."""
        lp, gradient = self.evaluate(x)
        lp = checked_density(lp, x)
        bad = np.isfinite(lp)[..., None] & ~np.isfinite(gradient)
        if bad.any():
            at = tuple(int(i) for i in np.argwhere(bad)[0])
            raise InputError(f"the gradient is {gradient[at]} at index {at}, where ln p is finite.")
        return State(x, lp, np.where(np.isfinite(lp)[..., None], gradient, 0.0))

    def evaluate(self, x: Array) -> tuple[Array, Array]:
        """ln p and its gradient, of the shapes that they must have."""
        lp, gradient = (np.asarray(a, dtype=float) for a in self.log_density(x))
        for name, a, shape in (("log_density", lp, x.shape[:-1]), ("the gradient", gradient, x.shape)):
            if a.shape != shape:
                raise InputError(
                    f"{name} has shape {a.shape} for states of shape {x.shape}, but {shape} is expected."
                )
        return lp, gradient

    def onward(self, x: Array) -> State:
        """A point of a trajectory; without a number there, it is lost: density zero, and no push."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            lp, gradient = self.evaluate(x)
        fine = np.isfinite(lp) & np.isfinite(gradient).all(-1)
        return State(x, np.where(fine, lp, -np.inf), np.where(fine[..., None], gradient, 0.0))

    def move(self, state: State, t: int) -> Move:
        eps = np.exp(self.log_step)[..., None, None]
        turn = np.swapaxes(self.factor, -1, -2)
        v0 = self.source.normal((self.n_chains, self.p))
        new, v = state, v0 + 0.5 * eps * (_gradient(state) @ self.factor)
        n = 1 + int(halton(t) * self.options.n_leapfrog)
        for i in range(n):
            new = self.onward(new.x + eps * (v @ turn))
            v = v + (eps if i < n - 1 else 0.5 * eps) * (_gradient(new) @ self.factor)
        gain = new.lp - state.lp + 0.5 * ((v0**2).sum(-1) - (v**2).sum(-1))
        diverged = ~(gain > -DIVERGED)
        alpha = np.where(diverged, 0.0, np.exp(np.minimum(0.0, np.where(diverged, 0.0, gain))))
        return replace(taken(state, new, alpha, self.source), diverged=diverged)

    def learn(self, move: Move, t: int) -> None:
        off = self.options.target_accept - move.alpha.mean(-1)
        self.lost = self.lost + (off - self.lost) / (t + 10.0)
        self.log_step = self.anchor - np.sqrt(t) / 0.05 * self.lost
        self.averaged = self.averaged + t**-0.75 * (self.log_step - self.averaged)
        if t <= SETTLED * self.options.n_warmup:
            x = move.state.x
            self.mean, self.cov = pooled(x, self.mean, self.cov, (t + 1.0) ** -0.6)
            if t % REFRESH == 0:
                self.factor = factor(self.cov)

    def settle(self) -> None:
        self.log_step = self.averaged


def _gradient(state: State) -> Array:
    return np.asarray(state.gradient)


def halton(k: int) -> float:
    """Number k of the van der Corput sequence in base 2: 1/2, 1/4, 3/4, 1/8, 5/8 ..."""
    value, place = 0.0, 0.5
    while k:
        value += place * (k & 1)
        k, place = k >> 1, place / 2.0
    return value
