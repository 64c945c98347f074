"""One, two and three pools: closed forms, defaults, batches, bad input."""

import numpy as np
import pytest

from landcarbon.matrix import InputError
from landcarbon.models.pools import one_pool, three_pool, two_pool


def test_one_pool_holds_input_over_rate():
    np.testing.assert_allclose(one_pool(0.05).steady_state(300.0), [6000.0])


def test_two_pools_reproduce_the_exact_numbers():
    # two_pool_serial of the reference numbers (50-digit arithmetic): K = 0.5, 0.025; f = 0.3
    m = two_pool(0.5, 0.025, 0.3)
    np.testing.assert_allclose(m.steady_state(1.0), [2.0, 12.0], rtol=1e-14)
    np.testing.assert_allclose(np.linalg.inv(m.outflow_matrix()), [[2, 0], [12, 40]], rtol=1e-14)


def test_default_two_pools_are_icbm():
    # Andrén & Kätterer (1997): Y* = i / (k1 r), O* = h i / (k2 r)
    X = two_pool().steady_state(0.285, xi=1.32)
    np.testing.assert_allclose(X, [0.285 / (0.8 * 1.32), 0.13 * 0.285 / (0.00605 * 1.32)])


def test_default_three_pools_hold_about_the_stocks_they_were_made_from():
    vegetation, litter, soil = three_pool().steady_state(60.0)
    assert vegetation == pytest.approx(466, rel=0.03)
    assert soil == pytest.approx(2011, rel=0.03)
    assert litter < 0.2 * vegetation


def test_one_default_residence_time_is_that_of_the_land():
    assert one_pool().steady_state(60.0)[0] == pytest.approx(2477, rel=0.03)


def test_many_parameter_sets_at_once():
    k = np.array([0.1, 0.2, 0.4])
    X = three_pool(k_soil=k, litter_to_soil=[0.1, 0.2, 0.3]).steady_state(100.0)
    assert X.shape == (3, 3)
    for i in range(3):
        one = three_pool(k_soil=k[i], litter_to_soil=[0.1, 0.2, 0.3][i])
        np.testing.assert_allclose(X[i], one.steady_state(100.0))
    assert one_pool(k).steady_state(1.0).shape == (3, 1)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: one_pool(0.0), "k must be above 0"),
        (lambda: two_pool(humification=1.2), "humification must be at most 1"),
        (lambda: two_pool(k_old=-1), "k_old must be above 0"),
        (lambda: three_pool(litter_to_soil=np.nan), "litter_to_soil holds 1 value"),
    ],
)
def test_bad_numbers_get_a_sentence(make, sentence):
    with pytest.raises(InputError, match=sentence):
        make()
