"""CENTURY against exact numbers, its texture rules, and sentences for bad input."""

import numpy as np
import pytest

from landcarbon.matrix import InputError
from landcarbon.models.century import POOLS7, RATES, century3, century7

# century3 of the reference numbers: 50-digit arithmetic on the float64 inputs.
STEADY = [55.48661828915255, 1203.2666591291145, 1964.4020464039872]
N = [
    [0.17019912974802173, 0.07378132274576742, 0.07658960838660978],
    [2.770671633168045, 6.201086152978347, 1.2468022349256205],
    [4.798632086144558, 8.746873676010333, 224.3816066609873],
]


def test_three_pools_equal_the_exact_numbers():
    m = century3()
    np.testing.assert_allclose(m.steady_state(360.0), STEADY, rtol=1e-13)
    np.testing.assert_allclose(np.linalg.inv(m.outflow_matrix()), N, rtol=1e-13)
    np.testing.assert_allclose(
        m.respiration(STEADY),
        [222.77877243094753, 132.3593325042026, 4.861895064849868],
        rtol=1e-12,
    )
    np.testing.assert_allclose(
        m.outflow_matrix(), [[7.3, -0.084, -0.002025], [-3.2558, 0.2, 0], [-0.0292, -0.006, 0.0045]]
    )


def loam(**changes):
    return century7(**{"lignin_to_nitrogen": 20.0, "structural_lignin": 0.25, **changes})


def test_seven_pools_respire_what_comes_in():
    m = loam()
    X = m.steady_state([120.0, 230.0])
    assert np.all(X > 0)
    np.testing.assert_allclose(m.respiration(X).sum(), 350.0)


def test_fractions_respired_are_those_of_the_paper():
    respired = dict(zip(POOLS7, loam().respired_fraction))
    assert respired["surface metabolic"] == pytest.approx(0.55)
    assert respired["soil structural"] == pytest.approx(0.75 * 0.55 + 0.25 * 0.3)
    assert respired["surface structural"] == pytest.approx(0.75 * 0.45 + 0.25 * 0.3)
    assert respired["active"] == pytest.approx(0.85 - 0.68 * 0.65)
    assert respired["slow"] == pytest.approx(0.55)
    assert respired["passive"] == pytest.approx(0.55)


def test_lignin_and_texture_slow_what_they_should():
    plain, woody = loam(structural_lignin=0.0), loam(structural_lignin=0.5)
    np.testing.assert_allclose(plain.K[:4], RATES[:4])
    np.testing.assert_allclose(woody.K[[0, 2]], np.exp(-1.5) * plain.K[[0, 2]])
    np.testing.assert_allclose(loam(clay=0.0, silt=0.0).K[4], 7.3)
    np.testing.assert_allclose(loam(clay=0.5, silt=0.5).K[4], 7.3 / 4)


def test_clay_rich_soil_stores_more_slow_and_passive_carbon():
    clay = np.array([0.05, 0.2, 0.4, 0.55])
    X = loam(clay=clay).steady_state([150.0, 150.0])
    assert X.shape == (4, 7)
    assert np.all(np.diff(X[:, 4:], axis=0) > 0)
    for i, c in enumerate(clay):
        np.testing.assert_allclose(X[i], loam(clay=c).steady_state([150.0, 150.0]))


def test_litter_quality_splits_the_input():
    B = loam(lignin_to_nitrogen=10.0).B
    np.testing.assert_allclose(B.sum(axis=0), 1)
    np.testing.assert_allclose([B[1, 0], B[3, 1]], 0.85 - 0.18)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: loam(lignin_to_nitrogen=60.0), "lignin_to_nitrogen is 60.*up to 47"),
        (lambda: loam(clay=0.7), r"clay \+ silt is 1.15"),
        (lambda: loam(clay=20.0), "not percent"),
        (lambda: loam(structural_lignin=1.5), "structural_lignin must be at most 1"),
        (lambda: loam(rates=[1.0, 2.0]), "rates must end in axes"),
        (lambda: century3(1.2), "share_to_active must be at most 1"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
