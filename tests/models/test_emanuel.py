"""Emanuel et al. (1981) against exact numbers."""

import numpy as np

from landcarbon.models.emanuel import FLUXES, GPP, RELEASE, STOCKS, UPTAKE, emanuel5


def test_every_pool_of_the_diagram_balances():
    for pool, (gain, release) in enumerate(zip(UPTAKE, RELEASE)):
        arrives = sum(v for (_, to), v in FLUXES.items() if to == pool)
        leaves = sum(v for (source, _), v in FLUXES.items() if source == pool)
        assert gain + arrives == release + leaves
    assert sum(UPTAKE) == GPP == sum(RELEASE)


def test_model_equals_the_exact_numbers():
    # emanuel5 of the reference numbers (50-digit arithmetic)
    m = emanuel5()
    X = m.steady_state(GPP)
    np.testing.assert_allclose(X, STOCKS, rtol=1e-13)
    np.testing.assert_allclose(X.sum() / GPP, 15.575221238938052, rtol=1e-13)
    np.testing.assert_allclose(m.respiration(X), RELEASE, rtol=1e-12)
    M = [
        [2.081081081081081, 0, 0, 0, 0],
        [-0.8378378378378378, 0.06858407079646017, 0, 0, 0],
        [0, 0, 0.5217391304347826, 0, 0],
        [-0.5675675675675675, -0.033185840707964605, -0.17391304347826086, 0.5925925925925926, 0],
        [0, -0.004424778761061947, -0.08695652173913043, -0.037037037037037035,
         0.009812667261373774],
    ]
    np.testing.assert_allclose(m.outflow_matrix(), M, rtol=1e-13)
