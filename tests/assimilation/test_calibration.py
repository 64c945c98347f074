"""Every sampler is calibrated on a straight, a bent and a soil posterior; faults are found."""

import numpy as np
import pytest

from landcarbon.assimilation import Importance, Posterior, SeriesObservations, museum, problems
from landcarbon.assimilation.calibration import Calibration, calibrate, rank, twins
from landcarbon.assimilation.observations import GaussianLikelihood, ProfileObservations
from landcarbon.matrix.errors import InputError

LIGHT = {
    "metropolis": {"n_chains": 8, "n_warmup": 300, "n_draws": 500, "start": "prior"},
    "differential-evolution": {"n_chains": 8, "n_warmup": 200, "n_draws": 500, "start": "prior"},
    "hmc": {"n_chains": 4, "n_warmup": 150, "n_draws": 100, "n_leapfrog": 8, "start": "prior"},
    "smc": {"n_draws": 200},
    "importance": {"n_draws": 10_000},
}
BENT = {"hmc": {"n_chains": 8, "n_warmup": 200, "n_draws": 300, "n_leapfrog": 16, "start": "prior"}}


@pytest.mark.parametrize("method", LIGHT)
@pytest.mark.parametrize("problem", ["gaussian", "banana", "incubation"])
def test_samplers_are_calibrated(problem, method):
    options = BENT.get(method, LIGHT[method]) if problem == "banana" else LIGHT[method]
    result = calibrate(getattr(problems, problem)(), method, n_twins=100, rng=3, **options)
    assert result.p_value(bins=10) > 0.01
    assert result.coverage(0.9) == pytest.approx(0.9, abs=0.12)  # four standard errors


CORRELATED = 0.2 * np.array([[1.0, 0.9], [0.9, 1.0]])


@pytest.mark.parametrize("exhibit", museum.EXHIBITS)
def test_the_museum_is_caught_and_its_control_is_not(exhibit):
    def walk(posterior, rng):
        return museum.visit(posterior, exhibit, rng, step=CORRELATED, n_warmup=100, n_draws=200)

    twins_needed = 600 if exhibit == "annealed" else 1500
    result = calibrate(problems.banana(sd=1.0), walk, n_twins=twins_needed, rng=3)
    if exhibit == "control":
        assert result.p_value(bins=10) > 0.01
    else:
        assert result.p_value(bins=10) < 1e-4


def test_a_sampler_told_half_the_error_is_caught():
    def bold(posterior, rng):
        told = GaussianLikelihood(posterior.observations.data, 0.5 * posterior.observations.sd)
        wrong = Posterior(posterior.prior, posterior.model, told)
        return Importance(n_draws=4000).sample(wrong, rng)

    result = calibrate(problems.gaussian(), bold, n_twins=300, rng=4)
    assert result.p_value() < 1e-6
    assert (result.coverage(0.9)[:2] < 0.8).all()
    assert result.coverage(0.9)[2] == pytest.approx(0.9, abs=0.07)  # the data say nothing about it


def test_rank_counts_the_draws_below():
    draws = np.array([[[1.0], [2.0], [3.0]], [[1.0], [2.0], [3.0]]])
    np.testing.assert_array_equal(rank(np.array([[0.5], [2.5]]), draws), [[0], [2]])


def test_uniform_ranks_pass_and_crowded_ones_do_not():
    rng = np.random.default_rng(1)
    even = Calibration(("a",), rng.integers(0, 100, (1000, 1)), 99)
    assert even.counts(20).sum() == 1000
    assert even.p_value() > 0.01
    assert even.coverage(0.9) == pytest.approx(0.9, abs=0.03)
    crowded = Calibration(("a",), rng.binomial(99, 0.5, (1000, 1)), 99)
    assert crowded.p_value() < 1e-12
    assert list(even.summary().columns) == ["p_value", "mean_rank", "coverage_90"]


def test_p_values_are_uniform_when_the_ranks_are():
    rng = np.random.default_rng(2)
    p = Calibration(tuple("abcde" * 80), rng.integers(0, 100, (400, 400)), 99).p_values(10)
    assert (p < 0.05).mean() == pytest.approx(0.05, abs=0.035)


def profiles(kind):
    return ProfileObservations(
        [0.1, 0.3, 0.5], [9e3, np.nan, 4e3], 0.3 if kind == "log" else 500.0, [0.1, 0.4], 0.6, kind,
        mask=[True, False, True],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("observations", "values"),
    [
        (GaussianLikelihood([1.0, np.nan], [0.2, 1.0], [True, False]), [1.2, np.nan]),
        (profiles("log"), [8e3, np.nan, 4e3]),
        (profiles("absolute"), [8e3, np.nan, 4e3]),
        (
            SeriesObservations([1.0, np.nan], 0.1, [0, 1, 2], [1, 2], mask=[True, False]),
            [1.1, np.nan],
        ),
    ],
)
def test_observations_with_other_values(observations, values):
    """The same instrument at many sites says the same as one site at a time."""
    model = np.random.default_rng(3).uniform(1.0, 2.0, (3, 4, {2: 2, 3: 2}[len(values)]))
    if isinstance(observations, SeriesObservations):
        model = np.random.default_rng(3).uniform(1.0, 2.0, (3, 4, 3))
    if isinstance(observations, ProfileObservations):
        model *= 5e3
    many = observations.with_values(np.array([1.0, 1.1, 1.2])[:, None] * values)
    assert many.sites == (3,)
    ll, gradient = many.log_likelihood(model), many.gradient(model)
    for s, factor in enumerate([1.0, 1.1, 1.2]):
        one = observations.with_values(factor * np.asarray(values))
        np.testing.assert_allclose(one.log_likelihood(model[s]), ll[s])
        np.testing.assert_allclose(one.gradient(model[s]), gradient[s])
        np.testing.assert_allclose(many[s].log_likelihood(model[s]), ll[s])


def test_twins_know_their_truth():
    truth, many = twins(problems.incubation(0.01), 50, rng=5)
    again, _ = twins(problems.incubation(0.01), 50, rng=5)
    np.testing.assert_array_equal(truth, again)
    misfit = (many.observations.data - many.predict(truth)) / many.observations.sd
    assert np.std(misfit) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Calibration(("a",), np.zeros((9, 1), int), 99).counts(30), "divisor of 100"),
        (lambda: twins(problems.banana(), 0), "whole number"),
        (lambda: twins(twins(problems.banana(), 3)[1], 3), r"of one site; this one has sites \(3,"),
        (
            lambda: twins(Posterior(problems.banana().prior, likelihood=lambda t: t[..., 0]), 3),
            "has no observations",
        ),
        (
            lambda: calibrate(problems.banana(), "smc", n_twins=3, n_draws=50),
            "returns 50 draws, but 99 are to be ranked",
        ),
        (lambda: museum.visit(problems.banana(), "gibbs"), "there are control, annealed"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
