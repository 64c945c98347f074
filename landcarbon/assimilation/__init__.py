"""Data into models: priors, observations, posteriors, samplers, many sites."""

from landcarbon.assimilation.calibration import calibrate
from landcarbon.assimilation.draws import Draws, Ensemble
from landcarbon.assimilation.ensemble import es_mda
from landcarbon.assimilation.hmc import hamiltonian
from landcarbon.assimilation.mcmc import adaptive_metropolis, differential_evolution
from landcarbon.assimilation.observations import (
    GaussianLikelihood,
    ProfileObservations,
    SeriesObservations,
)
from landcarbon.assimilation.parameters import Prior
from landcarbon.assimilation.posterior import Posterior, sample
from landcarbon.assimilation.sites import assimilate
from landcarbon.assimilation.smc import importance_sampling, tempered_smc

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
    "calibrate",
    "differential_evolution",
    "es_mda",
    "hamiltonian",
    "importance_sampling",
    "sample",
    "tempered_smc",
]
