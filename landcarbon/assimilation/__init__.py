"""Data assimilation with flux- and pool-based observations (module 3)."""

from landcarbon.assimilation.ensemble import es_mda
from landcarbon.assimilation.mcmc import adaptive_metropolis, importance_sampling
from landcarbon.assimilation.observations import GaussianLikelihood, ProfileObservations
from landcarbon.assimilation.parameters import Prior
from landcarbon.assimilation.posterior import Draws, Ensemble, Posterior, sample

__all__ = [
    "Draws",
    "Ensemble",
    "GaussianLikelihood",
    "Posterior",
    "Prior",
    "ProfileObservations",
    "adaptive_metropolis",
    "es_mda",
    "importance_sampling",
    "sample",
]
