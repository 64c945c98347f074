"""The three problems: gradients are tested with Posterior; here their shape."""

import numpy as np
import pytest

from landcarbon.assimilation import problems


@pytest.mark.parametrize("name", problems.__all__)
def test_leading_axes_are_free(name):
    posterior = getattr(problems, name)()
    theta = posterior.prior.sample((2, 3), rng=1)
    values, pull = posterior.model_vjp(theta)
    np.testing.assert_allclose(values[1, 2], posterior.run_model(theta[1, 2]))
    assert pull(np.ones_like(values)).shape == theta.shape


def test_the_jar_releases_no_more_than_it_holds():
    jar = problems.incubation()
    theta = jar.prior.sample(100, rng=2)
    fine = np.linspace(0.0, 2e5, 400_001)
    for k_fast, k_slow, k_passive, fast, slow in theta[:3]:
        k, s = np.array([k_fast, k_slow, k_passive]), np.array([fast, slow, 1 - fast - slow])
        flux = (problems.CARBON * s * k * np.exp(-k * fine[:, None])).sum(-1)
        left = (problems.CARBON * s * np.exp(-k * fine[-1])).sum()
        assert np.trapezoid(flux, fine) + left == pytest.approx(problems.CARBON, rel=1e-3)
        np.testing.assert_allclose(
            jar.run_model(np.array([k_fast, k_slow, k_passive, fast, slow])),
            np.interp(problems.DAYS, fine, flux),
            rtol=1e-2,
        )


def test_seeds_give_different_data():
    assert not np.array_equal(
        problems.banana(seed=1).observations.data, problems.banana(seed=2).observations.data
    )
