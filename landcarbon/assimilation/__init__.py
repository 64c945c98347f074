"""Data into models: priors, observations, posteriors, samplers, many sites."""

from landcarbon.assimilation.calibration import calibrate
from landcarbon.assimilation.constraints import Constraints
from landcarbon.assimilation.draws import ConvergenceWarning, Draws, Ensemble
from landcarbon.assimilation.ensemble import (
    EnsembleSmoother,
    enkf,
    ensemble_update,
    es_mda,
    gaspari_cohn,
    particle_filter,
)
from landcarbon.assimilation.error_models import error_sd
from landcarbon.assimilation.fitting import Fit, fit, pools
from landcarbon.assimilation.free_errors import FreeErrors
from landcarbon.assimilation.hmc import Hamiltonian
from landcarbon.assimilation.information import (
    greedy_design,
    identify,
    information_gain,
    marginal_bits,
)
from landcarbon.assimilation.joint import JointObservations, independent_share
from landcarbon.assimilation.kalman import kalman_filter, kalman_smoother
from landcarbon.assimilation.laplace import Laplace, find_mode
from landcarbon.assimilation.mcmc import DifferentialEvolution, Metropolis
from landcarbon.assimilation.observations import (
    GaussianLikelihood,
    ProfileObservations,
    RadiocarbonObservations,
    SeriesObservations,
)
from landcarbon.assimilation.parameters import Prior
from landcarbon.assimilation.posterior import Posterior
from landcarbon.assimilation.samplers import SAMPLERS, sample
from landcarbon.assimilation.sites import assimilate
from landcarbon.assimilation.smc import Importance, TemperedSMC, importance_sampling, tempered_smc
from landcarbon.assimilation.state_space import (
    LinearSystem,
    Normal,
    StateObservations,
    linear_system,
)
from landcarbon.assimilation.stated import (
    StatedPrior,
    beta,
    dirichlet,
    half_normal,
    log_normal,
    log_uniform,
    normal,
    uniform,
)
from landcarbon.assimilation.table_fit import TableFit, plot_pools

__all__ = [
    "SAMPLERS",
    "Constraints",
    "ConvergenceWarning",
    "DifferentialEvolution",
    "Draws",
    "Ensemble",
    "EnsembleSmoother",
    "Fit",
    "FreeErrors",
    "GaussianLikelihood",
    "Hamiltonian",
    "Importance",
    "JointObservations",
    "Laplace",
    "LinearSystem",
    "Metropolis",
    "Normal",
    "Posterior",
    "Prior",
    "ProfileObservations",
    "RadiocarbonObservations",
    "SeriesObservations",
    "StateObservations",
    "StatedPrior",
    "TableFit",
    "TemperedSMC",
    "assimilate",
    "beta",
    "calibrate",
    "dirichlet",
    "enkf",
    "ensemble_update",
    "error_sd",
    "es_mda",
    "find_mode",
    "fit",
    "gaspari_cohn",
    "greedy_design",
    "half_normal",
    "identify",
    "importance_sampling",
    "independent_share",
    "information_gain",
    "kalman_filter",
    "kalman_smoother",
    "linear_system",
    "log_normal",
    "log_uniform",
    "marginal_bits",
    "normal",
    "particle_filter",
    "plot_pools",
    "pools",
    "sample",
    "tempered_smc",
    "uniform",
]
