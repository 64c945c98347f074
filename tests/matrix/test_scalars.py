"""Scalars by name: the value each is known by, how they go, sentences."""

import numpy as np
import pytest

from landcarbon.matrix import InputError, response
from landcarbon.matrix.scalars import MOISTURE, TEMPERATURE

T = np.linspace(-20.0, 40.0, 121)
EVERY = [*TEMPERATURE.values(), *MOISTURE.values()]
WITH_AN_OPTIMUM = {"CENTURY, optimum", "CENTURY, Adair", "Kirschbaum"}


def test_there_are_twelve_and_ten():
    assert len(TEMPERATURE) == 12 and len(MOISTURE) == 10
    assert len({s.soilr for s in EVERY}) == 22


@pytest.mark.parametrize("scalar", EVERY, ids=lambda s: s.soilr)
def test_each_has_the_value_it_is_known_by_and_a_source(scalar):
    at, value = scalar.known
    assert scalar(at) == pytest.approx(value, abs=2e-4)
    assert len(scalar.source) > 20 and scalar.formula and scalar.of


@pytest.mark.parametrize("scalar", TEMPERATURE.values(), ids=lambda s: s.soilr)
def test_none_is_negative_but_the_arctangent_in_frost(scalar):
    xi = scalar(T)
    assert np.all(np.isfinite(xi))
    if scalar.soilr == "fT.Daycent2":
        # Del Grosso's curve has no floor; the program's has one
        assert xi.min() < 0 and scalar(-10.0) < 0.01
    else:
        assert np.all(xi >= 0)


@pytest.mark.parametrize("scalar", TEMPERATURE.values(), ids=lambda s: s.soilr)
def test_warmth_speeds_decay_up_to_the_optimum(scalar):
    warm = T[T <= (35 if scalar.name in WITH_AN_OPTIMUM else 40)]
    assert np.all(np.diff(scalar(warm)) >= -1e-12)


def test_five_are_those_of_the_responses():
    np.testing.assert_allclose(TEMPERATURE["Q10"](T, q10=1.5), response.q10(T, 1.5, 10.0))
    np.testing.assert_allclose(TEMPERATURE["Demeter"](T), response.q10(T, 2.0, 20.0))
    np.testing.assert_allclose(
        TEMPERATURE["Arrhenius"](T, activation=5e4, reference=25.0), response.arrhenius(T + 273.15, 5e4)
    )
    np.testing.assert_allclose(TEMPERATURE["Lloyd–Taylor"](T), response.lloyd_taylor(T + 273.15))
    assert TEMPERATURE["Lloyd–Taylor"](9.85) == pytest.approx(np.exp(308.56 * (1 / 56.02 - 1 / 55.87)))


def test_century_s_program_and_del_grosso_s_paper_are_two_curves():
    program, paper = response.century_temperature(T), TEMPERATURE["DAYCENT, arctangent"](T)
    assert response.century_temperature(30.0) == 1
    assert TEMPERATURE["DAYCENT, arctangent"](30.0) == pytest.approx(0.9999, abs=1e-4)
    # within 0.02 above 0 °C; in frost only the program has a floor
    assert np.abs(program - paper)[T >= 0].max() == pytest.approx(0.0197, abs=5e-4)
    assert program[0] == 0.01 and paper[0] == pytest.approx(-0.0394, abs=5e-4)


def test_rothc_s_deficit_is_that_of_the_model():
    from landcarbon.models.rothc import scalar

    share = np.linspace(0, 1, 12)
    bare = scalar(np.full(12, 9.3), -44.9444 * share, clay=23.4, covered=False)
    warm = scalar([9.3], [0.0], clay=23.4, covered=False)
    np.testing.assert_allclose(MOISTURE["RothC"](share), bare / warm, rtol=1e-12)


def test_the_wettest_is_not_the_best_where_a_curve_has_an_optimum():
    w = np.linspace(0, 1, 101)
    for name in ("DAYCENT, pores", "Moyano", "Skopp"):
        xi = MOISTURE[name](w)
        assert 0.4 < w[xi.argmax()] < 0.8 and xi[-1] < 0.95 * xi.max(), name
    coarse = MOISTURE["DAYCENT, pores"](0.55, a=0.55, b=1.70, c=-0.007, d=3.22)
    assert coarse == pytest.approx(1.0)  # Kelly et al. (2000), coarse texture


def test_sentences():
    with pytest.raises(InputError, match="The argument of Q10"):
        TEMPERATURE["Q10"](290.0)
    with pytest.raises(InputError, match="Candy has no parameters, not porosity"):
        MOISTURE["Candy"](0.3, porosity=0.5)
    with pytest.raises(InputError, match="Moyano has a, b, not c"):
        MOISTURE["Moyano"](0.3, c=1.0)
    with pytest.raises(InputError, match="The argument of Moyano"):
        MOISTURE["Moyano"](30.0)
