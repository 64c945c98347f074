"""Data into models: priors, observations, posteriors, samplers, many sites."""

from landcarbon.assimilation.calibration import calibrate
from landcarbon.assimilation.constraints import Constraints
from landcarbon.assimilation.draws import Draws, Ensemble
from landcarbon.assimilation.ensemble import (
    enkf,
    ensemble_update,
    es_mda,
    gaspari_cohn,
    particle_filter,
)
from landcarbon.assimilation.error_models import error_sd
from landcarbon.assimilation.hmc import hamiltonian
from landcarbon.assimilation.information import (
    greedy_design,
    identify,
    information_gain,
    marginal_bits,
)
from landcarbon.assimilation.joint import JointObservations, independent_share
from landcarbon.assimilation.kalman import kalman_filter, kalman_smoother
from landcarbon.assimilation.likelihood import GaussianLikelihood
from landcarbon.assimilation.mcmc import adaptive_metropolis, differential_evolution
from landcarbon.assimilation.parameters import Prior
from landcarbon.assimilation.posterior import Posterior, sample
from landcarbon.assimilation.profile import ProfileObservations
from landcarbon.assimilation.radiocarbon import RadiocarbonObservations
from landcarbon.assimilation.series import SeriesObservations
from landcarbon.assimilation.sites import assimilate
from landcarbon.assimilation.smc import importance_sampling, tempered_smc
from landcarbon.assimilation.state_space import (
    LinearSystem,
    Normal,
    StateObservations,
    linear_system,
)

__all__ = [
    "Constraints",
    "Draws",
    "Ensemble",
    "GaussianLikelihood",
    "JointObservations",
    "LinearSystem",
    "Normal",
    "Posterior",
    "Prior",
    "ProfileObservations",
    "RadiocarbonObservations",
    "SeriesObservations",
    "StateObservations",
    "adaptive_metropolis",
    "assimilate",
    "calibrate",
    "differential_evolution",
    "enkf",
    "ensemble_update",
    "error_sd",
    "es_mda",
    "gaspari_cohn",
    "greedy_design",
    "hamiltonian",
    "identify",
    "importance_sampling",
    "independent_share",
    "information_gain",
    "kalman_filter",
    "kalman_smoother",
    "linear_system",
    "marginal_bits",
    "particle_filter",
    "sample",
    "tempered_smc",
]
