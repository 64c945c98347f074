"""A museum of wrong samplers. **Do not use them**: they are here to be caught.

::

    control        u' = u + L xi;  outside the unit cube: refused;  alpha = min(1, p(u')/p(u))    right
    annealed       the same, but alpha = min(1, (p(u')/p(u))^ln(t + 2)) in step t                 too narrow
    redrawn        xi drawn again until u' is inside; alpha as if nothing had happened           too central
    accepted_only  as control, but a refused proposal does not repeat the state                   wrong weights
    reflected      u' folded back into the cube, whatever the correlations in L                   bent at walls

====== ================================= ===================== ==== =========
symbol meaning                           shape                 unit code name
====== ================================= ===================== ==== =========
u      state, unit-cube coordinates      (sites..., chain, p)  1    u
p(u)   posterior density in the cube     (sites..., chain)          density
L      factor of the step's covariance   (p, p)                1    step
t      number of the step                ()                    1    t
====== ================================= ===================== ==== =========

All walk in the unit cube of the prior, where a uniform prior is flat and the posterior density is the
likelihood. The first three faults stand together in the published code of a widely read study of soil
carbon (chapter 15 shows where and what they do); the fourth was our own, and looked fine until an
exact answer stood beside it.

Why they are wrong:

- *annealed* raises the likelihood to the power ln(t + 2): after 50,000 steps to the power 10.8. That
  is the way to find an optimum (simulated annealing), and a posterior 3.3 times too narrow.
- *redrawn* proposes from a truncated density whose constant differs from place to place; it cancels
  only with the Hastings correction. Without it states near a wall are visited too rarely.
- *accepted_only* counts each visited state once. A good state, which refuses many proposals, should
  count many times.
- *reflected* is right when the steps in the coordinates are independent. A correlated step is
  mirrored at a wall into one that the reverse step could not make.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landcarbon.assimilation.chains import Move, State, draws_of, taken, walk
from landcarbon.assimilation.draws import Draws
from landcarbon.assimilation.posterior import Posterior
from landcarbon.assimilation.samplers import check_options
from landcarbon.assimilation.streams import Random, Streams, streams
from landcarbon.matrix.errors import InputError, as_array
from landcarbon.matrix.frozen import keep_whole

__all__ = ["EXHIBITS", "Exhibit", "visit"]

Array = NDArray[np.float64]


def visit(
    posterior: Posterior, exhibit: str, rng: Random = 0, **options: Any
) -> Draws:
    """Walk with one of the wrong samplers, or with "control", the right one beside them.

    Parameters
    ----------
    posterior : Posterior
        With uniform priors between the bounds.
    exhibit : {"control", "annealed", "redrawn", "accepted_only", "reflected"}
    rng : Generator or int
    **options
        Of `Exhibit`: step, clock, start, n_chains, n_warmup, n_draws, thin.

    Returns
    -------
    Draws
        In physical units. Chains of "accepted_only" hold their accepted states only, spread evenly
        over the number asked for.

    Raises
    ------
    InputError
        An exhibit or an option that is not in the museum.

    Examples
    --------
    >>> from landcarbon.assimilation import problems
    >>> jar = problems.incubation()
    >>> right, wrong = (visit(jar, e, rng=1, clock=50_000) for e in ("control", "annealed"))
    >>> bool((wrong.sd() < 0.6 * right.sd()).any())
    True
    """
    if exhibit not in EXHIBITS:
        raise InputError(f"there is no exhibit {exhibit!r}; the museum has {', '.join(EXHIBITS)}.")
    check_options(f"exhibit {exhibit!r}", Exhibit, options)
    return replace(EXHIBITS[exhibit], **options).sample(posterior, rng)


class _Step:
    """A step in the unit cube that learns nothing."""

    def __init__(self, posterior: Posterior, exhibit: Exhibit, p: int, source: Streams) -> None:
        self.posterior, self.exhibit, self.source = posterior, exhibit, source
        self.factor = _factor(exhibit.step, p)

    def density(self, u: Array) -> Array:
        inside = ((u > 0.0) & (u < 1.0)).all(-1)
        theta = self.posterior.prior.from_unit(np.clip(u, 1e-12, 1.0 - 1e-12))
        return np.where(inside, self.posterior.log_likelihood(theta), -np.inf)

    def move(self, state: State, t: int) -> Move:
        new = self.exhibit.propose(state.x, self.factor, self.source)
        proposal = State(new, self.density(new))
        power = np.log(self.exhibit.clock + t + 1.0) if self.exhibit.annealed else 1.0
        with np.errstate(invalid="ignore"):
            alpha = np.exp(np.minimum(0.0, power * (proposal.lp - state.lp)))
        return taken(state, proposal, alpha, self.source)

    def learn(self, move: Move, t: int) -> None:
        pass

    def settle(self) -> None:
        pass


def _factor(step: ArrayLike, p: int) -> Array:
    step = as_array("step", step)
    if step.ndim == 2:
        return np.asarray(np.linalg.cholesky(step), dtype=float)
    return np.asarray(step * np.eye(p))


def _plain(u: Array, factor: Array, source: Streams) -> Array:
    xi = source.normal(u.shape[len(source.sites) :])
    return u + xi @ np.swapaxes(factor, -1, -2)


def _redraw(u: Array, factor: Array, source: Streams) -> Array:
    new = _plain(u, factor, source)
    generator = source.generators[0]
    while True:
        rows = np.nonzero(((new <= 0.0) | (new >= 1.0)).any(-1))
        if not rows[0].size:
            return new
        steps = np.broadcast_to(factor, (*u.shape, u.shape[-1]))[rows]
        xi = generator.standard_normal((rows[0].size, u.shape[-1], 1))
        new[rows] = u[rows] + (steps @ xi)[..., 0]


def _reflect(u: Array, factor: Array, source: Streams) -> Array:
    folded = np.abs(_plain(u, factor, source)) % 2.0
    return np.minimum(folded, 2.0 - folded)


def _accepted(moves: list[Move], n: int, names: tuple[str, ...]) -> Draws:
    """n accepted states a chain, evenly spread over those there are."""
    moved = np.stack([move.accepted for move in moves])
    order = np.argsort(~moved, axis=0, kind="stable")  # the accepted ones first, in their order
    count = np.maximum(moved.sum(axis=0), 1)
    share = np.linspace(0.0, 1.0, n).reshape(-1, *(1,) * count.ndim)
    pick = np.take_along_axis(order, np.round(share * (count - 1)).astype(int), axis=0)
    x, lp = (np.stack([getattr(move.state, what) for move in moves]) for what in ("x", "lp"))
    return Draws(
        names,
        np.moveaxis(np.take_along_axis(x, pick[..., None], axis=0), 0, -2),
        np.moveaxis(np.take_along_axis(lp, pick, axis=0), 0, -1),
        moved.mean(axis=0),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Exhibit:
    """A sampler in the unit cube: what is wrong with it, and how far it walks.

    Parameters
    ----------
    propose : callable
        (u, factor of the step, streams) -> the next u.
    annealed : bool
        Accept with a power of the ratio that grows with time.
    accepted_only : bool
        Count accepted states only.
    step : float, (p,) or (p, p)
        Standard deviation of the step in each unit-cube coordinate, or its covariance.
    clock : int
        Number of steps already walked, for `annealed`.
    start : array_like, (sites..., chain, p), optional
        In physical units; prior draws by default.
    n_chains, n_warmup, n_draws, thin : int
        Nothing is learned in the warm-up; it is only left out.
    """

    propose: Callable[[Array, Array, Streams], Array] = _plain
    annealed: bool = False
    accepted_only: bool = False
    step: ArrayLike = 0.1
    clock: int = 0
    start: ArrayLike | None = None
    n_chains: int = 4
    n_warmup: int = 1000
    n_draws: int = 2000
    thin: int = 1

    def __post_init__(self) -> None:
        keep_whole(self, clock=0, n_chains=1, n_warmup=0, n_draws=1, thin=1)

    def sample(self, posterior: Posterior, rng: Random = 0) -> Draws:
        """Draws in physical units."""
        prior, source = posterior.prior, streams(rng, posterior.sites)
        start = self.start
        if start is None:
            start = prior.sample(self.n_chains, source, sites=posterior.sites)
        u = prior.to_unit(start)
        kernel = _Step(posterior, self, u.shape[-1], source)
        moves = walk(kernel, State(u, kernel.density(u)), self.n_warmup, self.n_draws * self.thin)
        if self.accepted_only:
            found = _accepted(list(moves), self.n_draws, posterior.names)
        else:
            found = draws_of(moves, self.n_draws, self.thin, posterior.names)
        return replace(found, draws=prior.from_unit(np.clip(found.draws, 0.0, 1.0)))


EXHIBITS = {
    "control": Exhibit(),
    "annealed": Exhibit(annealed=True),
    "redrawn": Exhibit(propose=_redraw),
    "accepted_only": Exhibit(accepted_only=True),
    "reflected": Exhibit(propose=_reflect),
}
