"""ES-MDA against the exact linear-Gaussian posterior; sound with few members; bad input."""

import numpy as np
import pytest

from landcarbon.assimilation import GaussianLikelihood, es_mda, sample
from landcarbon.matrix.errors import InputError


def kalman_update(mean, cov, H, data, sd):
    """Exact update of Normal(mean, cov) by data = H z + Normal(0, sd^2)."""
    gain = cov @ H.T @ np.linalg.inv(H @ cov @ H.T + sd**2 * np.eye(len(H)))
    return mean + gain @ (data - H @ mean), (np.eye(len(mean)) - gain @ H) @ cov


@pytest.mark.parametrize("alphas", [None, [8.0, 4.0, 4.0, 8 / 3]])
def test_converges_to_the_exact_posterior(linear_gaussian, alphas):
    _, data = linear_gaussian.simulate((3,), rng=1)
    ensemble = sample(
        linear_gaussian.posterior(data), "es-mda", rng=2, n_members=20_000, n_iter=4, alphas=alphas
    )
    z = linear_gaussian.prior.to_real(ensemble.draws)
    mean, cov = linear_gaussian.exact(data)
    sd = np.sqrt(np.diag(cov))
    np.testing.assert_allclose((z.mean(-2) - mean) / sd, 0.0, atol=0.04)
    for s in range(3):
        np.testing.assert_allclose(
            np.cov(z[s].T) / np.outer(sd, sd), cov / np.outer(sd, sd), atol=0.04
        )


def test_exact_posterior_is_the_kalman_update(linear_gaussian):
    _, data = linear_gaussian.simulate((), rng=3)
    mean, cov = linear_gaussian.exact(data)
    centre = linear_gaussian.prior.centre
    m, C = kalman_update(centre, np.eye(3), linear_gaussian.H, data, linear_gaussian.sd)
    np.testing.assert_allclose(m, mean, rtol=1e-12)
    np.testing.assert_allclose(C, cov, rtol=1e-12, atol=1e-15)
    # n steps with n times the variance are one step with the variance
    m, C = centre, np.eye(3)
    for _ in range(6):
        m, C = kalman_update(m, C, linear_gaussian.H, data, np.sqrt(6) * linear_gaussian.sd)
    np.testing.assert_allclose(m, mean, rtol=1e-10)
    np.testing.assert_allclose(C, cov, rtol=1e-10, atol=1e-12)


def test_error_falls_with_the_square_root_of_the_members(linear_gaussian):
    _, data = linear_gaussian.simulate((), rng=4)
    mean, _ = linear_gaussian.exact(data)
    many = np.broadcast_to(data, (300, 2))
    sizes = np.array([50, 200, 800])
    rmse = []
    for n in sizes:
        ensemble = sample(
            linear_gaussian.posterior(many), "es-mda", rng=5, n_members=int(n), taper=False
        )
        z = linear_gaussian.prior.to_real(ensemble.draws).mean(-2)
        rmse.append(np.sqrt(((z - mean) ** 2).mean()))
    slope = np.polyfit(np.log(sizes), np.log(rmse), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.1)


def test_taper_keeps_more_of_what_the_data_do_not_know(linear_gaussian):
    """Few members see chance correlations with c, which the data say nothing about."""
    _, data = linear_gaussian.simulate((1000,), rng=6)
    _, cov = linear_gaussian.exact(data)

    def sd_lost(taper):
        posterior = linear_gaussian.posterior(data)
        ensemble = sample(posterior, "es-mda", rng=7, n_members=20, taper=taper)
        z = linear_gaussian.prior.to_real(ensemble.draws)
        return 1.0 - np.sqrt(z.var(-2, ddof=1).mean(0) / np.diag(cov))

    assert (sd_lost(taper=True) < sd_lost(taper=False)).all()
    assert sd_lost(taper=True)[2] < 0.8 * sd_lost(taper=False)[2]
    assert (sd_lost(taper=True) < 0.05).all()


def test_masked_data_count_for_nothing():
    start = np.random.default_rng(8).standard_normal((50, 2))
    masks = {"mask": [True, False]}
    one = es_mda(
        start, lambda z: z, GaussianLikelihood([0.3, np.nan], [0.5, np.nan], **masks), rng=9
    )
    other = es_mda(start, lambda z: z, GaussianLikelihood([0.3, 1e9], [0.5, 1e-9], **masks), rng=9)
    np.testing.assert_array_equal(one.draws, other.draws)


def test_prediction_belongs_to_the_members(linear_gaussian):
    _, data = linear_gaussian.simulate((2,), rng=10)
    posterior = linear_gaussian.posterior(data)
    ensemble = sample(posterior, "es-mda", rng=11, n_members=30)
    np.testing.assert_allclose(posterior.predict(ensemble.draws), ensemble.prediction, atol=1e-9)
    assert ensemble[1].prediction.shape == (30, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_members": 5}, "at least 10 members"),
        (
            {"alphas": [2.0, 2.0, 2.0]},
            "sum to 1.5.*used 1.5 times over. Multiply all alphas by 1.5",
        ),
        ({"alphas": [2.0, -2.0]}, "alphas must be above 0"),
        ({"n_iter": 0}, "n_iter must be a whole number"),
    ],
)
def test_bad_options(linear_gaussian, options, message):
    with pytest.raises(InputError, match=message):
        sample(linear_gaussian.posterior([0.1, 0.2]), "es-mda", rng=1, **options)


def test_bad_predictions():
    start, data = np.random.default_rng(1).standard_normal((20, 1)), GaussianLikelihood([0.1], 1.0)
    with pytest.raises(InputError, match=r"\(20, 1\) is expected"):
        es_mda(start, lambda z: z[..., 0], data)
    with pytest.raises(InputError, match=r"NaN or infinite.*whole prior"):
        es_mda(start, lambda z: np.full_like(z, np.nan), data)
    with pytest.raises(InputError, match="the observations have"):
        es_mda(start[None], lambda z: z, data)
