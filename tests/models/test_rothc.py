"""RothC: the published equilibrium to the last digit, its climate, both kinds of step."""

import numpy as np
import pytest

from landcarbon.matrix import InputError
from landcarbon.matrix.spinup import periodic
from landcarbon.models.rothc import (
    EXAMPLE,
    POOLS,
    RATES,
    inert_carbon,
    rothc5,
    scalar,
    topsoil_deficit,
    transfer,
    year,
)
from landcarbon.theory.ages import transit_time

# GitHub repository Rothamsted-Models/RothC_Py, commit 31bf9253, output_years.csv: the first row, which is
# where the program stopped (no change of the total above 1e-6 tC ha-1 in a year), and the next.
MONTHS = 19_872
EQUILIBRIUM = [0.14546618698414296, 5.678120858752452, 0.7405937979752077, 27.642769420831222]
AFTER_1939 = [0.07302139331609193, 5.422154823708169, 0.7133801110667124, 27.605974986907576]

OF_1939 = {
    "temperature_c": (3.99, 5.37, 5.46, 8.3, 10.53, 13.55, 15.56, 16.06, 14.07, 7.91, 8.47, 2.36),
    "rain": (114.5, 30.7, 51.6, 90.3, 40.4, 74.9, 59.8, 96.4, 25.2, 103.6, 105.4, 58.0),
    "evaporation": (8.2, 17.2, 43.1, 68.2, 99.3, 112.5, 128.9, 104.4, 64.2, 27.7, 12.9, 3.6),
    "covered": (True,) * 8 + (False,) * 2 + (True,) * 2,
    "plants": (0.0,) * 7 + (1.4643,) + (0.0,) * 4,
}


def published_run():
    """The loop of the program: years from empty pools until the total hardly changes."""
    loop = year(EXAMPLE.clay, EXAMPLE.scalar(), EXAMPLE.plants)
    X, total, months = np.zeros(5), 0.0, 0
    while True:
        X, before, months = loop(X), total, months + 12
        total = X.sum()
        if abs(total - before) < 1e-6:
            return X, months


def test_the_published_equilibrium_and_the_year_after_it():
    X, months = published_run()
    assert months == MONTHS
    np.testing.assert_allclose(X[:4], EQUILIBRIUM, rtol=1e-11)
    weather = {k: OF_1939[k] for k in ("rain", "evaporation", "covered")}
    deficit = topsoil_deficit(clay=EXAMPLE.clay, depth_cm=EXAMPLE.depth_cm, **weather)
    xi = scalar(OF_1939["temperature_c"], deficit, EXAMPLE.clay, depth_cm=EXAMPLE.depth_cm, covered=OF_1939["covered"])
    np.testing.assert_allclose(year(EXAMPLE.clay, xi, OF_1939["plants"])(X)[:4], AFTER_1939, rtol=1e-11)


def test_the_exact_state_is_that_to_which_the_program_was_on_its_way():
    exact = periodic(year(EXAMPLE.clay, EXAMPLE.scalar(), EXAMPLE.plants)).X
    X, _ = published_run()
    assert 0 < exact.sum() - X.sum() < 2e-4
    assert exact[4] == 0  # IOM: what it holds, 3.0041 tC ha-1, is to be added


def test_a_month_at_once_differs_little_in_carbon_and_much_in_fresh_litter():
    months = year(EXAMPLE.clay, EXAMPLE.scalar(), EXAMPLE.plants)
    handed, at_once = periodic(months).X, periodic(months.at_once()).X
    assert at_once.sum() / handed.sum() - 1 == pytest.approx(-0.0020, abs=1e-4)
    # one mean scalar and an even input, as RothC is often written: litter is off by two thirds
    xi = float(EXAMPLE.scalar().mean())
    steady = rothc5(EXAMPLE.clay).steady_state([1.74, 0.0], xi)
    assert steady[0] / handed[0] - 1 == pytest.approx(0.68, abs=0.01)
    assert steady.sum() / handed.sum() - 1 == pytest.approx(0.0005, abs=2e-4)


def test_inert_carbon_blocks_nothing():
    model = rothc5(clay=23.4)
    X = model.steady_state([1.7, 0.0], xi=0.8)
    assert np.all(X[:4] > 0) and X[4] == 0
    np.testing.assert_allclose(model.derivative([*X[:4], 2.7], [1.7, 0.0], xi=0.8), 0, atol=1e-12)
    T = transit_time(model, [1.7, 0.0], xi=0.8)
    assert T.mean == pytest.approx(X.sum() / 1.7, rel=1e-12)
    with pytest.raises(InputError, match="enters IOM can never leave"):
        model.replace(B=[0, 0, 0, 0, 1.0]).steady_state(1.0)


def test_what_is_kept_and_what_is_folded_in():
    # Coleman & Jenkinson: CO2 / (BIO + HUM) = x; SoilR's alphas for 23.4 % clay
    f = transfer(23.4)
    x = 1.67 * (1.85 + 1.6 * np.exp(-0.0786 * 23.4))
    np.testing.assert_allclose(f.sum(axis=0)[:4], 1 / (1 + x))
    np.testing.assert_allclose(f[2, :4] / f[3, :4], 46 / 54)
    assert not f[:, 4].any() and not f[4].any()
    M = rothc5(23.4).outflow_matrix()
    np.testing.assert_allclose(M, (np.eye(5) - f) * RATES, atol=1e-14)
    assert rothc5([0.0, 50.0]).A.shape == (2, 5, 5)
    assert POOLS[-1] == "IOM"


def test_the_table_of_the_manual():
    rain = [74, 59, 62, 51, 52, 57, 34, 55, 58, 56, 75, 71]
    pan = [8, 10, 27, 49, 83, 99, 103, 91, 69, 34, 16, 8]
    deficit = topsoil_deficit(rain, pan, 23.4)
    # SoilR's example of fW.RothC, "reproduces table 1 in the RothC documentation"
    np.testing.assert_allclose(deficit.round(2), [0, 0, 0, 0, -10.25, -27.5, -44.94, -44.94, -38.69, -8.19, 0, 0])
    b = scalar(np.full(12, 9.3), deficit, 23.4, covered=False) / scalar([9.3], [0.0], 23.4, covered=False)
    np.testing.assert_allclose(b.round(2), [1, 1, 1, 1, 1, 0.76, 0.2, 0.2, 0.4, 1, 1, 1])


def test_bare_soil_dries_less_and_rots_faster():
    rain, pan = np.full(6, 10.0), np.full(6, 100.0)
    bare, covered = (topsoil_deficit(rain, pan, 20.0, covered=c) for c in (False, True))
    assert bare.min() == pytest.approx(0.556 * covered.min())
    # soil that dried under plants does not fill because they are gone
    wilted = topsoil_deficit(rain, pan, 20.0, covered=[True] * 3 + [False] * 3)
    assert wilted[-1] == wilted[2] == covered.min()
    assert scalar([12.0], [0.0], 20.0, covered=False) == pytest.approx(scalar([12.0], [0.0], 20.0) / 0.6)


def test_inert_carbon_of_the_example():
    assert inert_carbon(37.1) == pytest.approx(EXAMPLE.inert, abs=5e-5)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: transfer(120.0), "clay must be at most 100.*percent"),
        (lambda: topsoil_deficit([50.0], [20.0, 30.0], 20.0), "evaporation"),
        (lambda: topsoil_deficit([50.0], [20.0], 20.0, start=3.0), "at most 0"),
        (lambda: year(20.0, [1.0, 1.0], [0.1, 0.2, 0.3]), "plants"),
    ],
)
def test_sentences(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
