"""Every sampler against the exact reference at a soil column of 21 parameters, weakly informed.

The bounds follow from the numbers of effective draws; the long run is in benchmarks/mcmc.py.
"""

import numpy as np
import pytest

from landcarbon.assimilation import problems, sample
from landcarbon.assimilation.calibration import twins


@pytest.fixture(scope="module")
def posterior():
    return problems.soil_column()


@pytest.fixture(scope="module")
def reference(posterior):
    return sample(posterior, "importance", rng=1, n_draws=60_000, chunk=2000)


def test_gradient_agrees_with_differences(posterior):
    z = posterior.prior.to_real(posterior.prior.sample(4, rng=2))
    gradient, numeric = posterior.gradient_real(z)[1], posterior.numerical_gradient_real(z)[1]
    np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-6)


def test_the_reference_is_worth_thousands_of_draws(reference):
    assert reference.ess > 2000


def test_intervals_at_two_hundred_columns_cover_what_they_say(posterior):
    """ES-MDA; the exact intervals, within 92 to 98 %, are in benchmarks/calibration.py."""
    truth, many = twins(posterior, 200, rng=1)
    ensemble = sample(many, "es-mda", rng=2, n_members=100)
    low, high = ensemble.quantile([0.025, 0.975])
    assert 0.92 < ((low < truth) & (truth < high)).mean() < 0.98
    unseen = many.run_model(ensemble.draws)[..., [2, 8, 12, 15, 17]]
    low, high = np.quantile(unseen, [0.025, 0.975], axis=1, method="weibull")
    carbon = many.run_model(truth)[..., [2, 8, 12, 15, 17]]
    assert ((low < carbon) & (carbon < high)).mean() > 0.92


def in_unit_cube(posterior, draws, weight=None):
    u = posterior.prior.to_unit(draws.reshape(-1, 21))
    w = np.full(len(u), 1 / len(u)) if weight is None else weight
    mean = w @ u
    return mean, np.sqrt(w @ (u - mean) ** 2)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("hmc", {"n_chains": 64, "n_warmup": 100, "n_draws": 40, "n_leapfrog": 6}),
        ("metropolis", {"n_chains": 160, "n_warmup": 150, "n_draws": 250}),
        ("differential-evolution", {"n_chains": 160, "n_warmup": 150, "n_draws": 250}),
        ("smc", {"n_draws": 1000}),
    ],
)
def test_samplers_agree_with_the_reference(posterior, reference, method, options):
    result = sample(posterior, method, rng=3, **options)
    # Particles are resampled twice and moved half-way on: count three quarters as lost.
    ess = result.ess() if method != "smc" else np.full(21, 250.0)
    se = np.sqrt(1 / ess + 1 / reference.ess)
    mean, sd = in_unit_cube(posterior, result.draws)
    exact, spread = in_unit_cube(posterior, reference.draws, reference.weight)
    assert (np.abs(mean - exact) / spread < 4 * se).all()
    assert (np.abs(sd / spread - 1) < 4 * se / np.sqrt(2)).all()
    assert se.max() < 0.1
    if method == "smc":
        error = np.hypot(result.log_evidence_error, reference.log_evidence_error)
        assert abs(result.log_evidence - reference.log_evidence) < 4 * error
