"""Soil in jars: the closed form is the matrix model, warming only speeds it up, bad input."""

import numpy as np
import pytest

from landcarbon.assimilation import GaussianLikelihood, Posterior, Prior, sample
from landcarbon.matrix import InputError
from landcarbon.matrix.response import q10
from landcarbon.matrix.simulate import simulate
from landcarbon.models.incubation import ONE_Q10, TWO_Q10, co2_flux, incubation

DAY = np.array([0.0, 9.0, 61.0, 200.0, 588.0])
THETA = np.array([0.03, 4e-4, 6.0, 3.0, 2.8, 1.6])


@pytest.mark.parametrize("T", [15.0, 25.0, 35.0])
def test_the_flux_is_that_of_the_matrix_model(T):
    xi = q10(T, THETA[4:])
    model = incubation(*THETA[:2])
    run = simulate(model, DAY, X0=THETA[2:4] / THETA[:2], I=0.0, xi=xi[None])
    wanted = (model.respiration(run.X.values) * xi).sum(-1)
    np.testing.assert_allclose(co2_flux(THETA, DAY, [T])[0], wanted, rtol=1e-10)


def test_what_is_respired_is_what_was_there():
    far = np.linspace(0.0, 200_000.0, 400_001)
    lost = np.trapezoid(co2_flux(THETA, far, [15.0, 35.0]), far, axis=-1)
    np.testing.assert_allclose(lost, (THETA[2:4] / THETA[:2]).sum(), rtol=1e-4)


def test_one_q10_is_a_faster_clock():
    theta = np.append(THETA[:4], 2.0)
    warm = co2_flux(theta, DAY, [35.0])
    np.testing.assert_allclose(warm, 2.0 * co2_flux(theta, 2.0 * DAY, [25.0]), rtol=1e-12)
    np.testing.assert_allclose(warm, co2_flux([*theta, 2.0], DAY, [35.0]), rtol=1e-12)


def test_leading_axes_are_free():
    many = np.stack([TWO_Q10.default, THETA])[:, None] * np.ones((2, 3, 1))
    out = co2_flux(many, DAY, [15.0, 35.0])
    assert out.shape == (2, 3, 2, 5)
    np.testing.assert_array_equal(out[1, 2], co2_flux(THETA, DAY, [15.0, 35.0]))
    assert co2_flux(ONE_Q10.default, DAY, [25.0]).shape == (1, 5)


def test_twins_are_recovered_and_their_late_fluxes_foretold():
    """Forty soils whose parameters are known, three temperatures, an error of 10 %."""
    day = np.array([9.0, 14, 61, 116, 171, 255, 367, 479, 588])
    T = np.array([15.0, 25.0, 35.0])
    rng = np.random.default_rng(4)
    truth = TWO_Q10.default * np.exp(0.4 * rng.standard_normal((40, 6)))
    ln = np.log(co2_flux(truth, day, T)) + 0.1 * rng.standard_normal((40, 3, 9))
    early = np.broadcast_to(day < 300, ln.shape)
    data = GaussianLikelihood(ln.reshape(40, 27), 0.1, early.reshape(40, 27))

    def model(theta):
        return np.log(co2_flux(theta, day, T)).reshape(*theta.shape[:-1], 27)

    posterior = Posterior(Prior(TWO_Q10), model, data)
    found = sample(posterior, "smc", rng=5, n_draws=150)
    low, high = found.quantile([0.05, 0.95])
    inside = ((low < truth) & (truth < high)).sum()
    assert 0.84 < inside / truth.size < 0.95
    h = posterior.predict(found.draws).reshape(40, 150, 3, 9)
    made = h + 0.1 * rng.standard_normal(h.shape)
    low, high = np.quantile(made, [0.05, 0.95], axis=1)
    assert 0.84 < ((low < ln) & (ln < high))[~early].mean() < 0.96
    q10_slow = found.draws[..., 5]
    assert np.median(np.abs(np.median(q10_slow, axis=1) / truth[:, 5] - 1.0)) < 0.06


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: co2_flux([1.0, 2.0], DAY, [25.0]), "theta has 2 parameters; k_fast, .* q10 are"),
        (lambda: co2_flux(THETA, [-1.0], [25.0]), "Days since the start"),
        (lambda: co2_flux(THETA, DAY, [298.0]), "°C = K − 273.15"),
        (lambda: co2_flux([*THETA[:5], np.nan], DAY, [25.0]), "NaN"),
        (lambda: co2_flux([*THETA[:5], 0.0], DAY, [25.0]), "above 0"),
        (lambda: incubation(0.0), "k_fast must be above 0"),
    ],
)
def test_bad_input(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


@pytest.mark.parametrize("which", [0, 1, 2, 3])
def test_no_rate_and_no_flux_is_negative(which):
    theta = ONE_Q10.default.copy()
    theta[which] *= -1
    with pytest.raises(InputError, match="rates and fluxes"):
        co2_flux(theta, [1.0], [15.0])


def test_as_many_fast_as_slow_rates():
    with pytest.raises(InputError, match="as many of each"):
        incubation([0.1, 0.2], [1e-3, 1e-3, 1e-3])
