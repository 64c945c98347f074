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

The loop of warm-up and draws is in :mod:`.chains`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landcarbon.assimilation.chains import (
    ChainSampler,
    Kernel,
    Move,
    State,
    accept,
    checked_density,
)
from landcarbon.assimilation.streams import Streams
from landcarbon.matrix.errors import InputError, as_share, as_whole
from landcarbon.matrix.frozen import keep

__all__ = ["DifferentialEvolution", "Metropolis"]

Array = NDArray[np.float64]
Function = Callable[[Array], Array]

# Refreshing the Cholesky factor costs p^3 a site; the covariance moves slowly.
REFRESH = 10
ARCHIVE_EVERY = 10


@dataclass(frozen=True, kw_only=True)
class Metropolis(ChainSampler):
    """Metropolis with a step learned during warm-up; many chains and many sites at once.

    Parameters
    ----------
    n_chains, n_warmup, n_draws, thin, start
        See :class:`landcarbon.assimilation.chains.ChainSampler`.
    target_accept : float
        Acceptance the scale is steered to.

    Raises
    ------
    InputError
        A share outside (0, 1), too few steps of warm-up.

    Examples
    --------
    >>> walk = Metropolis().chains(lambda x: -0.5 * (x**2).sum(-1), np.zeros((8, 2)), rng=1)
    >>> walk.draws.shape, bool((walk.rhat() < 1.02).all())
    ((8, 2000, 2), True)
    """

    target_accept: float = 0.234

    def __post_init__(self) -> None:
        super().__post_init__()
        keep(self, target_accept=as_share("target_accept", self.target_accept))

    def _kernel(
        self, log_density: Function, x: Array, archive: Array, source: Streams
    ) -> tuple[Kernel, State]:
        """See `ChainSampler._kernel`."""
        step = _LearnedStep(log_density, x, source, self)
        return step, State(x, step.density(x))


class _LearnedStep:
    """A normal step of all chains, its covariance and scale learned."""

    def __init__(
        self, log_density: Function, x: Array, source: Streams, options: Metropolis
    ) -> None:
        *sites, self.n_chains, self.p = x.shape
        self.log_density, self.source, self.options = log_density, source, options
        self.mean, self.cov = x.mean(-2), start_covariance(x)
        self.log_scale = np.full(tuple(sites), np.log(2.38 / np.sqrt(self.p)))
        self.factor = np.linalg.cholesky(self.cov)

    def density(self, x: Array) -> Array:
        return checked_density(self.log_density(x), x)

    def move(self, state: State, t: int) -> Move:
        xi = self.source.normal((self.n_chains, self.p)) @ np.swapaxes(self.factor, -1, -2)
        x = state.x + np.exp(self.log_scale)[..., None, None] * xi
        return accept(state, State(x, self.density(x)), 0.0, self.source)

    def learn(self, move: Move, t: int) -> None:
        gamma = (t + 1.0) ** -0.6
        off = move.alpha.mean(-1) - self.options.target_accept
        self.log_scale = self.log_scale + gamma * off
        self.mean, self.cov = pooled(move.state.x, self.mean, self.cov, gamma)
        if t % REFRESH == 0 or t == self.options.n_warmup:
            self.factor = factor(self.cov)

    def settle(self) -> None:
        pass


@dataclass(frozen=True, kw_only=True)
class DifferentialEvolution(ChainSampler):
    """Steps along differences of past states, so that direction and scale need no tuning.

    Differential evolution MC with snooker updates and an archive (DE-MCzs, ter Braak & Vrugt 2008).
    The archive grows during warm-up; its younger half is kept, frozen, for the sampling. Its first
    states must span all p directions: more than p of them are needed, ten a parameter are good.

    Parameters
    ----------
    n_chains, n_warmup, n_draws, thin, start
        See :class:`landcarbon.assimilation.chains.ChainSampler`.
    snooker : float
        Share of snooker steps; of the others every tenth has g = 1, to jump between modes.

    Raises
    ------
    InputError
        As `Metropolis`; when it is used, an archive of too few states.

    Examples
    --------
    >>> start = np.random.default_rng(1).standard_normal((20, 2))
    >>> walk = DifferentialEvolution().chains(lambda x: -0.5 * (x**2).sum(-1), start, rng=2)
    >>> bool((walk.rhat() < 1.02).all())
    True
    """

    snooker: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        keep(self, snooker=as_share("snooker", self.snooker))

    def n_start(self, p: int) -> int:
        """See `ChainSampler.n_start`."""
        return max(self.n_chains, 10 * as_whole("p", p, 1))

    def _kernel(
        self, log_density: Function, x: Array, archive: Array, source: Streams
    ) -> tuple[Kernel, State]:
        """See `ChainSampler._kernel`."""
        *sites, _, p = x.shape
        if archive.shape[:-2] != tuple(sites) or archive.shape[-2] <= p:
            raise InputError(
                f"the archive has shape {archive.shape}; {(*sites, f'more than {p}', p)} is expected: "
                "differences of fewer states cannot point everywhere. Start more chains, or give "
                "archive=prior draws."
            )
        step = _PastStates(log_density, x, archive, source, self)
        return step, State(x, step.density(x))


class _PastStates:
    """Steps along differences of archived states."""

    def __init__(
        self,
        log_density: Function,
        x: Array,
        first: Array,
        source: Streams,
        options: DifferentialEvolution,
    ) -> None:
        *sites, self.n_chains, self.p = x.shape
        self.log_density, self.source, self.snooker = log_density, source, options.snooker
        self.rows = first.shape[-2]
        room = self.rows + self.n_chains * (options.n_warmup // ARCHIVE_EVERY)
        self.past = np.empty((*sites, room, self.p))
        self.past[..., : self.rows, :] = first

    def density(self, x: Array) -> Array:
        return checked_density(self.log_density(x), x)

    def pick(self, known: Array) -> Array:
        index = (self.source.uniform((self.n_chains,)) * known.shape[-2]).astype(int)
        return np.take_along_axis(known, index[..., None], axis=-2)

    def move(self, state: State, t: int) -> Move:
        x, n, p = state.x, self.n_chains, self.p
        known = self.past[..., : self.rows, :]
        a, b, c = self.pick(known), self.pick(known), self.pick(known)
        kind, u = self.source.uniform((n,)), self.source.uniform((n,))
        jitter = 1e-4 * self.source.normal((n, p)) * known.std(-2, keepdims=True)
        g = np.where(u < 0.1, 1.0, 2.38 / np.sqrt(2.0 * p))[..., None]
        line = x - c
        length = np.linalg.norm(line, axis=-1, keepdims=True)
        apart = length > 0.0  # a chain may draw the very state it is in; then it stays
        line = np.divide(line, length, out=np.zeros_like(line), where=apart)
        along = (1.2 + u[..., None]) * ((a - b) * line).sum(-1, keepdims=True)
        by_snooker = kind[..., None] < self.snooker
        y = x + np.where(by_snooker, along * line, g * (a - b) + jitter)
        new_length = np.linalg.norm(y - c, axis=-1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            stretch = (p - 1.0) * (np.log(new_length) - np.log(length))
        log_ratio = np.where(by_snooker & apart, stretch, 0.0)[..., 0]
        return accept(state, State(y, self.density(y)), log_ratio, self.source)

    def learn(self, move: Move, t: int) -> None:
        if t % ARCHIVE_EVERY == 0:
            self.past[..., self.rows : self.rows + self.n_chains, :] = move.state.x
            self.rows += self.n_chains

    def settle(self) -> None:
        young = max(min(self.rows // 2, self.rows - 2 * self.p), 0)
        self.past, self.rows = self.past[..., young:, :], self.rows - young


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
