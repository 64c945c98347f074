"""Problems with a known answer."""

from dataclasses import dataclass

import numpy as np
import pytest

from landcarbon.assimilation import GaussianLikelihood, Posterior, Prior
from landcarbon.models.parameters import Parameter, ParameterTable


@dataclass(frozen=True)
class LinearGaussian:
    """z ~ Normal(centre, 1) through a logit-normal prior; data H z + noise: an exact answer."""

    prior: Prior
    H: np.ndarray
    sd: float

    def simulate(self, sites, rng):
        rng = np.random.default_rng(rng)
        z = self.prior.centre + rng.standard_normal((*sites, len(self.prior)))
        return z, z @ self.H.T + self.sd * rng.standard_normal((*sites, len(self.H)))

    def posterior(self, data):
        def model_vjp(theta):
            pull = lambda g: (g @ self.H) / self.prior.slope(self.prior.to_real(theta))  # noqa: E731
            return self.prior.to_real(theta) @ self.H.T, pull

        return Posterior(
            self.prior, observations=GaussianLikelihood(data, self.sd), model_vjp=model_vjp
        )

    def exact(self, data):
        """Mean (..., p) and covariance (p, p) in z."""
        cov = np.linalg.inv(np.eye(len(self.prior)) + self.H.T @ self.H / self.sd**2)
        mean = self.prior.centre + (data - self.H @ self.prior.centre) @ self.H @ cov / self.sd**2
        return mean, cov

    def exact_log_evidence(self, data):
        from scipy.stats import multivariate_normal

        cov = self.H @ self.H.T + self.sd**2 * np.eye(len(self.H))
        return multivariate_normal(self.H @ self.prior.centre, cov).logpdf(data)


@pytest.fixture
def linear_gaussian():
    table = ParameterTable(
        [
            Parameter("a", "1", 0.0, 1.0, 0.3),
            Parameter("b", "yr", 1.0, 9.0, 5.0),
            Parameter("c", "1", -1, 1, 0),
        ]
    )
    H = np.array([[1.0, 0.5, 0.0], [0.3, -1.0, 0.0]])  # nothing is said about c
    return LinearGaussian(Prior(table, "logit-normal"), H, 0.6)
