"""The walk of Markov chains: one loop, whatever the step.

::

    warm-up   x <- move(x);  the kernel learns from the move         n_warmup times, thrown away
    settle    what was learned is frozen
    walk      x <- move(x)                                           thin times a kept draw

======= ================================== ==================== ============= ======
symbol  meaning                            shape                code name     source
======= ================================== ==================== ============= ======
x       state, unbounded coordinates       (sites..., chain, p) x
ln p(x) target density, unnormalised       (sites..., chain)    lp
alpha   probability that a move is taken   (sites..., chain)    alpha
======= ================================== ==================== ============= ======

What a kernel has learned, step or archive, is frozen after warm-up, so the kept draws come from an
ordinary Metropolis chain. A rejected proposal repeats the state it came from: leaving repeats out
would weight states wrongly.

A sampler of one's own is a frozen dataclass beside :class:`landcarbon.assimilation.mcmc.Metropolis`: its
fields are its options, `_kernel` makes the step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.draws import Draws, parameter_names
from landcarbon.assimilation.posterior import Posterior
from landcarbon.assimilation.runs import bar
from landcarbon.assimilation.smc import prior_population
from landcarbon.assimilation.streams import Random, Streams, streams
from landcarbon.matrix.errors import InputError, as_array, as_kind, as_whole
from landcarbon.matrix.frozen import keep_whole

__all__ = [
    "ChainSampler",
    "Kernel",
    "Move",
    "State",
]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class State:
    """Where the chains stand: x (sites..., chain, p), ln p there, and its gradient if it is needed."""

    x: Array
    lp: Array
    gradient: Array | None = None


@dataclass(frozen=True, eq=False)
class Move:
    """One step of all chains: the next state, alpha, what was taken, and what diverged."""

    state: State
    alpha: Array
    accepted: NDArray[np.bool_]
    diverged: NDArray[np.bool_] | None = None


class Kernel(Protocol):
    """A step that may learn during warm-up; steps are counted from 1."""

    def move(self, state: State, t: int) -> Move:
        """Step t."""

    def learn(self, move: Move, t: int) -> None:
        """Adapt to what step t did."""

    def settle(self) -> None:
        """End of the warm-up."""


def walk(kernel: Kernel, state: State, n_warmup: int, n_steps: int) -> Iterator[Move]:
    """The steps after warm-up, one by one."""
    for t in bar(range(1, n_warmup + 1), n_warmup, "warm-up", "step"):
        move = kernel.move(state, t)
        kernel.learn(move, t)
        state = move.state
    kernel.settle()
    for t in bar(range(n_warmup + 1, n_warmup + n_steps + 1), n_steps, "draws", "step"):
        move = kernel.move(state, t)
        state = move.state
        yield move


def draws_of(
    moves: Iterator[Move], n_draws: int, thin: int, names: Sequence[str] | None
) -> Draws:
    """Every `thin`-th state of a walk of n_draws * thin steps."""
    first = next(moves)
    x, lp = (np.empty((n_draws, *a.shape)) for a in (first.state.x, first.state.lp))
    diverged = None if first.diverged is None else np.zeros(lp.shape, dtype=bool)
    accepted = np.zeros(lp.shape[1:])
    for k, move in enumerate(chain([first], moves)):
        accepted += move.accepted
        x[k // thin], lp[k // thin] = move.state.x, move.state.lp
        if diverged is not None and move.diverged is not None:
            diverged[k // thin] |= move.diverged
    return Draws(
        parameter_names(names, x.shape[-1]),
        np.moveaxis(x, 0, -2),
        np.moveaxis(lp, 0, -1),
        accepted / (n_draws * thin),
        None if diverged is None else np.moveaxis(diverged, 0, -1),
    )


def accept(state: State, proposal: State, log_ratio: Array | float, source: Streams) -> Move:
    """The Metropolis–Hastings step; log_ratio is ln q(x | x') - ln q(x' | x)."""
    alpha = np.exp(np.minimum(0.0, proposal.lp - state.lp + log_ratio))
    return taken(state, proposal, alpha, source)


def taken(state: State, proposal: State, alpha: Array, source: Streams) -> Move:
    """The proposal with probability alpha, else the same state again."""
    yes = source.uniform(alpha.shape[len(source.sites) :]) < alpha
    gradient = None
    if state.gradient is not None and proposal.gradient is not None:
        gradient = np.where(yes[..., None], proposal.gradient, state.gradient)
    x = np.where(yes[..., None], proposal.x, state.x)
    return Move(State(x, np.where(yes, proposal.lp, state.lp), gradient), alpha, yes)


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


@dataclass(frozen=True, kw_only=True)
class ChainSampler(ABC):
    """What samplers that walk have in common: the options, the start, the loop.

    Parameters
    ----------
    n_chains : int
        Chains a site.
    n_warmup, n_draws : int
        Steps of adaptation, thrown away, and draws kept a chain.
    thin : int
        Steps a kept draw.
    start : {"tempered", "prior"}
        Where the chains of a posterior begin, see `smc.prior_population`.
    """

    n_chains: int = 16
    n_warmup: int = 2000
    n_draws: int = 2000
    thin: int = 1
    start: str = "tempered"

    def __post_init__(self) -> None:
        keep_whole(self, n_chains=1, n_warmup=0, n_draws=1, thin=1)
        if self.n_warmup < 100:
            raise InputError(f"n_warmup is {self.n_warmup}; the step takes at least 100 steps to learn.")

    @abstractmethod
    def _kernel(
        self, log_density: Callable[[Array], Any], x: Array, archive: Array, source: Streams
    ) -> tuple[Kernel, State]:
        """The step, and the state of chains that begin at x; `archive` holds all known states."""

    def density(self, posterior: Posterior) -> Callable[[Array], Any]:
        """What the chains walk on, in real coordinates."""
        as_kind("posterior", posterior, "log_density_real", hint="Give a Posterior.")
        return posterior.log_density_real

    def n_start(self, p: int) -> int:
        """Number of states to begin with; those beyond n_chains are in the archive only."""
        as_whole("p", p, 1)
        return self.n_chains

    def chains(
        self,
        log_density: Callable[[Array], Any],
        start: ArrayLike,
        rng: Random = 0,
        *,
        archive: ArrayLike | None = None,
        names: Sequence[str] | None = None,
    ) -> Draws:
        """Walk on any density.

        Parameters
        ----------
        log_density : callable
            x (sites..., chain, p) -> ln p (sites..., chain); -inf where impossible. Coordinates must
            be unbounded: see `Posterior.log_density_real`.
        start : array_like, (sites..., chain, p)
            Where the chains begin; spread out, so that R-hat can see a chain that has not moved.
        rng : Generator, int, or one Generator a site
        archive : array_like, (sites..., row, p), optional
            States known beforehand, by default `start`; only differential evolution uses them.
        names : sequence of str, optional

        Returns
        -------
        Draws
            In the coordinates of `start`.

        Raises
        ------
        InputError
            A start where the density is zero, a density that is NaN or has the wrong shape.
        """
        as_kind("log_density", log_density, callable)
        x = as_array("start", start, shape=(None, None)).copy()
        known = x if archive is None else as_array("archive", archive, shape=(None, x.shape[-1]))
        kernel, state = self._kernel(log_density, x, known, streams(rng, x.shape[:-2]))
        nowhere = np.isneginf(state.lp)
        if nowhere.any():
            at = tuple(int(i) for i in np.argwhere(nowhere)[0])
            raise InputError(
                f"the start at index {at} has density zero; start the chains elsewhere."
            )
        moves = walk(kernel, state, self.n_warmup, self.n_draws * self.thin)
        return draws_of(moves, self.n_draws, self.thin, names)

    def sample(self, posterior: Posterior, rng: Random = 0) -> Draws:
        """Walk on a posterior; results are physical."""
        as_kind("posterior", posterior, "log_density_real", hint="Give a Posterior.")
        source = streams(rng, posterior.sites)
        density = self.density(posterior)
        n = self.n_start(len(posterior.prior))
        population = prior_population(posterior, source, n, self.start)
        found = self.chains(
            density,
            population[..., : self.n_chains, :],
            source,
            archive=population,
            names=posterior.names,
        )
        return replace(found, draws=posterior.prior.from_real(found.draws))
