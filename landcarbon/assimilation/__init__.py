"""Data assimilation with flux- and pool-based observations (module 3)."""

from landcarbon.assimilation.ensemble import es_mda
from landcarbon.assimilation.mcmc import adaptive_metropolis, importance_sampling
from landcarbon.assimilation.observations import (
    GaussianLikelihood,
    ProfileObservations,
    SeriesObservations,
)
from landcarbon.assimilation.parameters import Prior
from landcarbon.assimilation.posterior import Draws, Ensemble, Posterior, sample
from landcarbon.assimilation.sites import assimilate

__all__ = [
    "Draws",
    "Ensemble",
    "GaussianLikelihood",
    "Posterior",
    "Prior",
    "ProfileObservations",
    "SeriesObservations",
    "adaptive_metropolis",
    "assimilate",
    "es_mda",
    "importance_sampling",
    "sample",
]
