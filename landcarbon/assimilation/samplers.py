"""One call to sample a posterior, and the registry of samplers.

====================== ================================================= =============================
name                   how                                               class
====================== ================================================= =============================
metropolis             random walk with a learned step                   :class:`.mcmc.Metropolis`
differential-evolution steps along differences of past states            :class:`.mcmc.DifferentialEvolution`
hmc                    a ball that follows the gradient                  :class:`.hmc.Hamiltonian`
smc                    from prior to posterior in tempered steps         :class:`.smc.TemperedSMC`
importance             prior draws weighted by their likelihood          :class:`.smc.Importance`
es-mda                 ensemble smoother, fast and approximate           :class:`.ensemble.EnsembleSmoother`
laplace                a normal around the top, weighted: a first look   :class:`.laplace.Laplace`
====================== ================================================= =============================

A sampler is a frozen dataclass: its fields are its options, and it has one method,
`sample(posterior, rng) -> Draws | Ensemble`. One of your own works like the others,
`sample(posterior, MySampler(n_draws=100), rng=1)`, and by name once it stands in `SAMPLERS`.

The first three lines to type:

    posterior = Posterior(prior, model, observations)
    draws = sample(posterior, rng=1)
    draws.summary()
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from typing import Any, Protocol, runtime_checkable

from landcarbon.assimilation.draws import Draws, Ensemble, say_concerns
from landcarbon.assimilation.ensemble import EnsembleSmoother
from landcarbon.assimilation.hmc import Hamiltonian
from landcarbon.assimilation.laplace import Laplace
from landcarbon.assimilation.mcmc import DifferentialEvolution, Metropolis
from landcarbon.assimilation.posterior import Posterior
from landcarbon.assimilation.smc import Importance, TemperedSMC
from landcarbon.assimilation.streams import Random
from landcarbon.matrix.errors import InputError, as_kind

__all__ = ["SAMPLERS", "Sampler", "check_options", "sample"]


@runtime_checkable
class Sampler(Protocol):
    """What samples a posterior."""

    def sample(self, posterior: Posterior, rng: Random = 0) -> Draws | Ensemble:
        """Draws in physical units, for all sites of the posterior at once."""


SAMPLERS: dict[str, type[Any]] = {
    "metropolis": Metropolis,
    "differential-evolution": DifferentialEvolution,
    "hmc": Hamiltonian,
    "smc": TemperedSMC,
    "importance": Importance,
    "es-mda": EnsembleSmoother,
    "laplace": Laplace,
}


def sample(
    posterior: Posterior,
    method: str | Sampler = "smc",
    rng: Random = 0,
    **options: Any,
) -> Draws | Ensemble:
    """Sample a posterior, for all its sites at once.

    Parameters
    ----------
    posterior : Posterior
    method : str or sampler
        "smc" by default: it needs no tuning and no patience on any problem of the course, and tells
        the evidence. Markov chains, which return `Draws`:

        - "metropolis": adaptive Metropolis;
        - "differential-evolution": steps along differences of past states;
        - "hmc": Hamiltonian Monte Carlo along the gradient.

        Weighted or equal draws, which return `Ensemble`:

        - "smc": from prior to posterior in tempered steps, with the evidence;
        - "importance": prior draws weighted by their likelihood, exact but wasteful;
        - "es-mda": ensemble smoother, fast and approximate;
        - "laplace": around the top that an optimiser finds, for a first look.
    rng : Generator, int, or one Generator a site
    **options
        Fields of the sampler. metropolis: n_chains, n_warmup, n_draws, thin, start, target_accept;
        differential-evolution: the same with snooker instead of target_accept;
        hmc: as metropolis, and n_leapfrog, gradient; smc: n_draws, ess, forget, chunk;
        importance: n_draws, chunk; es-mda: n_members, n_iter, alphas, taper; laplace: n_draws, n_starts.

    Returns
    -------
    Draws or Ensemble

    Raises
    ------
    InputError
        Unknown method or option.

    Notes
    -----
    On a terminal a run of more than two seconds shows how far it is.

    Warns
    -----
    ConvergenceWarning
        What `concerns` says of the result: chains that disagree (R-hat above 1.01), fewer than 400
        effective draws, divergences, particles that do not move, a posterior on a bound; each with
        what to do. Over 100 parameters at all sites R-hat is taken without ranks, and stands for the rest.

    Examples
    --------
    >>> from landcarbon.assimilation import problems
    >>> sample(problems.banana(), "smc", rng=1, n_draws=500).draws.shape
    (500, 2)
    >>> sample(problems.banana(), "es-mda", rng=1, niter=4)
    Traceback (most recent call last):
        ...
    landcarbon.matrix.errors.InputError: method 'es-mda' has no option 'niter'; did you mean 'n_iter'? ...
    """
    if not isinstance(posterior, Posterior):
        raise InputError(
            f"sample takes a Posterior, but a {type(posterior).__name__} was given; build one with "
            "Posterior(prior, model, observations)."
        )
    found = chosen(method, options).sample(posterior, rng)
    say_concerns(found, posterior.prior)
    return found


def chosen(method: str | Sampler, options: dict[str, Any]) -> Sampler:
    """The sampler that a name and its options, or an object, stand for.

    Raises
    ------
    InputError
        Unknown method or option.
    """
    if not isinstance(method, str):
        if not isinstance(method, Sampler) or options:
            raise InputError(
                "method is a name with its options beside it, or a sampler that holds its own: "
                "sample(posterior, 'smc', n_draws=500) or sample(posterior, TemperedSMC(n_draws=500))."
            )
        return method
    if method not in SAMPLERS:
        raise InputError(
            f"there is no sampling method {method!r}; known are {', '.join(SAMPLERS)}."
        )
    check_options(f"method {method!r}", SAMPLERS[method], options)
    made: Sampler = SAMPLERS[method](**options)
    return made


def check_options(who: str, kind: Any, options: Iterable[str]) -> None:
    """Refuse what is no field of a sampler, and say what it has.

    Raises
    ------
    InputError
        An unknown option.
    """
    as_kind("options", options, "__iter__", hint="Give names.")
    known = [field.name for field in fields(kind)] if is_dataclass(kind) else list(options)
    for name in options:
        if name not in known:
            near = get_close_matches(name, known, 1)
            told = f"did you mean {near[0]!r}? It has" if near else "it has"
            raise InputError(f"{who} has no option {name!r}; {told} {', '.join(known)}.")
