"""Microbes and enzymes: carbon is conserved, the steady state closes, three published findings hold."""

import numpy as np
import pytest

from landcarbon.matrix import InputError
from landcarbon.matrix.spinup import anderson, native, newton, periodic, sasu
from landcarbon.models.microbial import (
    INPUT,
    PARAMETERS,
    POOLS,
    cue,
    cycle,
    microbial4,
    steady_state,
)

month = np.arange(12)
SEASONS = 10 + 8 * np.sin(2 * np.pi * (month - 3.5) / 12)


def test_the_matrix_is_the_fluxes_of_the_equations():
    S, D, M, E = X = np.array([9e4, 4.0, 1800.0, 9.0])
    T, h = 15.0, 8760.0
    V = 1e8 * np.exp(-47 / (0.008314 * 288))
    broken = V * E * S / (5e5 + 5e3 * T + S)
    uptake = V * M * D / (100 + 100 * T + D)
    growth = (0.63 - 0.016 * T) * uptake
    death, made, lost = 2e-4 * M, 5e-6 * M, 1e-3 * E
    expected = [
        5e-4 * 1000 + 0.5 * death - broken,
        5e-4 * 1000 + 0.5 * death + broken + lost - uptake,
        growth - death - made,
        made - lost,
    ]
    m = microbial4(X, T)
    np.testing.assert_allclose(m.derivative(X, INPUT), np.array(expected) * h, rtol=1e-9, atol=1e-6)
    # what microbes respire is all that leaves
    assert m.respiration(X).sum() == pytest.approx((uptake - growth) * h, rel=1e-12)


def test_steady_state_closes_for_many_temperatures_and_parameters():
    T = np.linspace(0, 30, 13)
    X = steady_state(temperature_c=T)
    change = microbial4(X, T).derivative(X, np.broadcast_to(INPUT, (13, 2)))
    np.testing.assert_allclose(change, 0, atol=1e-6 * sum(INPUT))
    theta = PARAMETERS.default * np.random.default_rng(0).uniform(0.95, 1.05, (50, 14))
    X = steady_state(theta=theta)
    change = microbial4(X, theta=theta).derivative(X, np.broadcast_to(INPUT, (50, 2)))
    np.testing.assert_allclose(change, 0, atol=1e-6 * sum(INPUT))


def test_the_published_start_is_the_steady_state_at_20_degrees():
    # First state of SoilR's AWBmodel in mg cm-3: S, M and E to the six digits given there.
    S, _, M, E = steady_state() / 1000
    assert S == pytest.approx(111.876, abs=5e-4)
    assert M == pytest.approx(2.19159, abs=5e-6)
    assert E == pytest.approx(0.0109579, abs=5e-8)


def test_soil_carbon_does_not_depend_on_how_much_enters():
    # Wang et al. (2014), doi 10.5194/bg-11-1817-2014; Li et al. (2014), doi 10.1007/s10533-013-9948-8
    once, twice = steady_state(INPUT), steady_state(2 * np.array(INPUT))
    assert twice[0] == pytest.approx(once[0], rel=1e-12)
    np.testing.assert_allclose(twice[2:], 2 * once[2:], rtol=1e-12)


def test_warming_takes_soil_carbon_up_to_a_threshold_and_adds_some_beyond():
    # Li et al. (2014): with an efficiency that falls by 0.016 per °C there is a threshold; with half
    # of that fall, or none, it lies higher.
    T = np.linspace(2, 30, 113)

    def threshold(slope, cue_20=0.31):
        theta = PARAMETERS.array(cue_0=cue_20 - 20 * slope, cue_slope=slope)
        return T[np.argmin(steady_state(temperature_c=T, theta=theta)[:, 0])]

    varied, acclimated, constant = threshold(-0.016), threshold(-0.008), threshold(0.0)
    assert 18 < varied < 26
    assert varied < acclimated <= constant
    # A first-order model loses carbon all the way: its rate only rises.


def test_spin_up_of_a_model_that_is_not_linear():
    year = cycle(temperature_c=SEASONS)
    X0 = steady_state(temperature_c=10.0)
    exact = periodic(year, X0=X0).X
    np.testing.assert_allclose(year(exact), exact, rtol=1e-9)
    # seasons are not their mean: the state of the mean temperature is off by some percent
    assert 0.01 < np.abs(exact[0] / X0[0] - 1) < 0.1
    slow = native(year, X0=X0, tol=1.0, max_years=200)
    for way in (sasu, anderson, newton):
        run = way(year, X0=X0, tol=1.0)
        assert run.converged and run.error < 1e-3
        assert run.years < 0.5 * slow.years
        np.testing.assert_allclose(run.X, exact, rtol=1e-3)


def test_constant_forcing_gives_the_closed_form():
    X = periodic(cycle(temperature_c=12.0), X0=steady_state(temperature_c=9.0)).X
    np.testing.assert_allclose(X, steady_state(temperature_c=12.0), rtol=1e-9)


def test_efficiency():
    np.testing.assert_allclose(cue([0, 20, 30]), [0.63, 0.31, 0.15])
    assert len(PARAMETERS) == 14 and len(POOLS) == 4


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: cue(45.0), "carbon use efficiency comes out as -0.09"),
        (lambda: cue(290.0), "°C = K"),
        (lambda: microbial4([1.0, 2.0]), "X must end in axes"),
        (lambda: microbial4([1.0, 1.0, -1.0, 1.0]), "X must be at least 0"),
        (lambda: steady_state([0.0, 0.0]), "Nothing enters"),
        (lambda: steady_state(theta=PARAMETERS.array(r_enzyme=5e-8)), "soil carbon comes in faster"),
        (lambda: cycle(temperature_c=[1.0, 2.0]), "2 rows, but the year has 12 steps"),
        (lambda: cycle(I=np.ones((3, 2))), "3 rows, but the year has 12 steps"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
