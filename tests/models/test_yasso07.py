"""Yasso07: mass balance, climate as the program computes it, and litter that decays as it should."""

import numpy as np
import pytest

from landcarbon.matrix import InputError
from landcarbon.matrix.simulate import simulate
from landcarbon.models.yasso07 import POOLS, climate, woody, yasso07

PINE = np.array([0.518, 0.177, 0.089, 0.216, 0.0])


def test_columns_hand_on_what_the_table_says():
    f = yasso07().transfer
    # W → A 0.48, A → W 0.99, E → N 0.92, N → A 0.83: the four large ones
    assert (f[0, 1], f[1, 0], f[3, 2], f[0, 3]) == pytest.approx((0.48, 0.99, 0.92, 0.83))
    np.testing.assert_allclose(f[4], [0.0045] * 4 + [0.0])
    assert np.all(f.sum(axis=0) <= 1)


def test_climate_is_the_four_quarters_of_the_program():
    # yasso07.light of the Finnish Meteorological Institute (Palosuo 2011): T1 to T4, then the mean
    MT, TA, PR = 5.0, 11.0, 650.0
    root, pi = np.sqrt(2), np.pi
    quarters = np.array([
        MT + 4 * TA / pi * (1 / root - 1), MT - 4 * TA / (root * pi),
        MT + 4 * TA / pi * (1 - 1 / root), MT + 4 * TA / (root * pi),
    ])  # fmt: skip
    expected = np.mean(np.exp(0.096 * quarters - 0.0014 * quarters**2) * (1 - np.exp(-1.21 * PR / 1000)))
    assert climate(MT, TA, PR) == pytest.approx(expected, rel=1e-13)
    # the four are the means of a sine over quarters of a year that begin at its mean
    day = MT + TA * np.sin(2 * pi * (np.arange(4000) + 0.5) / 4000)
    np.testing.assert_allclose(np.sort(quarters)[[0, 3]], MT + TA * 2 * root / pi * np.array([-1, 1]), rtol=1e-12)
    assert quarters.mean() == pytest.approx(MT) == day.mean()


def test_steady_state_and_mass_balance():
    model = yasso07()
    xi = climate(4.0, 12.0, 600.0)
    X = model.steady_state(300.0 * PINE, xi)
    np.testing.assert_allclose(model.respiration(X, xi).sum(), 300.0, rtol=1e-12)
    assert X[POOLS.index("not soluble")] + X[POOLS.index("humus")] > 0.85 * X.sum()


def test_wood_stays_longer_than_needles_and_tropics_are_quick():
    def left(years, diameter, *place):
        run = simulate(yasso07(diameter), [0.0, years], PINE, np.zeros((1, 5)), climate(*place))
        return float(run.X[-1].sum())

    finland, tropics = (4.0, 12.0, 600.0), (25.0, 2.0, 2500.0)
    assert left(2, 0.0, *tropics) < left(2, 0.0, *finland) < left(2, 20.0, *finland)
    assert woody(20.0) == pytest.approx((1 - 1.7 * 20 + 0.86 * 400) ** -0.306)


def test_sentences():
    with pytest.raises(InputError, match="in °C"):
        climate(280.0, 10.0, 500.0)
    with pytest.raises(InputError, match="diameter_cm must be at least 0"):
        woody(-1.0)
