"""Environmental scalars: fixed points, limits, orders, sentences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landcarbon.matrix import InputError
from landcarbon.matrix import response as r

T = np.linspace(-30, 45, 151)


def test_each_temperature_response_is_one_at_its_reference():
    assert r.q10(25.0, 2.3) == 1
    assert r.arrhenius(298.15, 6e4) == 1
    assert r.lloyd_taylor(283.15) == pytest.approx(1, abs=1e-15)
    assert r.lloyd_taylor(298.15, reference_k=298.15) == 1
    assert r.century_temperature(30.0) == 1


def test_temperature_responses_grow_with_temperature():
    for xi in (r.q10(T, 2.0), r.arrhenius(T + 273.15, 5e4), r.lloyd_taylor(T + 273.15)):
        assert np.all(np.diff(xi) > 0)
        assert np.all(xi > 0)
    assert np.all(np.diff(r.century_temperature(T)) >= 0)


def test_lloyd_taylor_equals_the_q10_the_paper_reads_from_it():
    # Its local Q10 falls with warmth, and from 10 to 20 °C the rate multiplies by 2.3.
    def local(t):
        return float(r.lloyd_taylor(t + 283.15) / r.lloyd_taylor(t + 273.15))

    assert local(0) > local(10) > local(20) > 1
    assert local(10) == pytest.approx(np.exp(308.56 * 10 / (56.02 * 66.02)), rel=1e-12)


def test_lloyd_taylor_goes_to_zero_at_its_lower_end():
    assert r.lloyd_taylor(227.14) < 1e-300


def test_arrhenius_matches_a_q10_for_small_steps():
    energy, t = 5e4, 298.15
    same = np.exp(10 * energy / (r.GAS_CONSTANT * t**2))
    np.testing.assert_allclose(
        r.arrhenius(t + 0.01, energy), r.q10(25.01, same), rtol=1e-7
    )


def test_century_arctangent_limits():
    assert r.century_temperature(-60.0) == 0.01
    assert r.century_temperature(-60.0, minimum=0.0) == 0
    top = (11.75 + 29.7 / 2) / (11.75 + 29.7 / np.pi * np.arctan(np.pi * 0.031 * 14.6))
    assert r.century_temperature(100.0) < top < 1.4
    # the curve is symmetric about its inflection
    around = r.century_temperature(15.4 + np.array([-12.0, 0.0, 12.0]))
    assert around[0] + around[2] == pytest.approx(2 * around[1])


def test_water_potential_ends_and_middle():
    np.testing.assert_array_equal(r.water_potential([-50, -2, -0.002, -1e-4]), [0, 0, 1, 1])
    assert r.water_potential(-1.0, -10.0, -0.1) == pytest.approx(0.5)
    assert np.all(np.diff(r.water_potential(-np.logspace(0.3, -2.6, 30))) > 0)


def test_oxygen_and_depth_limits():
    np.testing.assert_array_equal(r.oxygen([0, 0.2, 0.7, 1, 9]), [0.2, 0.2, 0.7, 1, 1])
    assert r.depth(0.0, 0.3) == 1
    assert r.depth(3.0, 1e9) == pytest.approx(1)
    assert r.depth(100.0, 0.05) == 0


@given(z=st.floats(0, 5), scale=st.floats(0.05, 10))
def test_one_efolding_further_down_is_one_e_slower(z, scale):
    np.testing.assert_allclose(r.depth(z + scale, scale) * np.e, r.depth(z, scale), rtol=1e-12)


def test_arguments_broadcast():
    assert r.q10(T[:, None], [1.5, 2.0]).shape == (151, 2)
    assert r.water_potential(-np.ones((4, 1)), -10, [-0.1, -0.01, -0.002]).shape == (4, 3)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: r.q10(290.0, 2.0), "temperature_c must be at most 100.*273.15"),
        (lambda: r.q10(10.0, 0.0), "q10 must be above 0"),
        (lambda: r.lloyd_taylor(10.0), "temperature_k must be at least 173.*273.15"),
        (lambda: r.lloyd_taylor(227.13), "ends at 227.13 K"),
        (lambda: r.arrhenius(290.0, -1.0), "activation_energy must be at least 0"),
        (lambda: r.water_potential(0.5), "potential_mpa must be below 0"),
        (lambda: r.water_potential(-1, driest_mpa=-0.1, wettest_mpa=-10), "Swap them"),
        (lambda: r.oxygen(-0.1), "supply_over_demand must be at least 0"),
        (lambda: r.depth(1.0, 0.0), "efolding must be above 0"),
        (lambda: r.depth(-1.0, 1.0), "depth must be at least 0"),
        (lambda: r.depth(np.nan, 1.0), "NaN"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
