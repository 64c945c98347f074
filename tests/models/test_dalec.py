"""DALEC: carbon is conserved, the matrix is the published fluxes, Metolius as the paper ran it."""

import numpy as np
import pytest
from real_data import needs

from landcarbon import datasets
from landcarbon.matrix import InputError
from landcarbon.matrix.spinup import anderson, newton
from landcarbon.models import dalec as d
from landcarbon.models.dalec import PARAMETERS, X0, Drivers, dalec5


def weather(days=365, seed=0):
    """Made-up weather of a dry temperate forest."""
    rng = np.random.default_rng(seed)
    season = -np.cos(2 * np.pi * (np.arange(days) - 20) / 365)
    middle = 8 + 10 * season + rng.normal(0, 2, days)
    spread = 6 + 2 * season + rng.uniform(0, 2, days)
    return Drivers(
        doy=np.arange(days) % 365 + 1,
        max_temperature=middle + spread,
        min_temperature=middle - spread,
        radiation=14 + 11 * season,
        hydraulic_resistance=1 + 0.5 * rng.uniform(size=days),
    )


def by_hand(X, drivers, p, k):
    """One day as the paper writes it, pool by pool (foliage, wood, roots, litter, soil)."""
    day = drivers.day(k)
    G = d.gpp(max(0.1, X[0] / 111), **day)
    T = 0.5 * np.exp(0.0692 * (day["max_temperature"] + day["min_temperature"]) / 2)
    Ra = p[1] * G
    Af = (G - Ra) * p[2]
    Ar = (G - Ra - Af) * p[3]
    Aw = G - Ra - Af - Ar
    Lf, Lw, Lr = p[4] * X[0], p[5] * X[1], p[6] * X[2]
    R1, R2, D = p[7] * X[3] * T, p[8] * X[4] * T, p[0] * X[3] * T
    return X + np.array([Af - Lf, Aw - Lw, Ar - Lr, Lf + Lr - R1 - D, D + Lw - R2])


def test_the_matrix_is_the_fluxes_of_the_paper():
    year = weather()
    X = np.array(X0)
    for k in range(len(year)):
        X = by_hand(X, year, PARAMETERS.default, k)
    np.testing.assert_allclose(d.simulate_dalec(year).X[-1], X, rtol=1e-12)


def test_every_day_conserves_carbon():
    run = d.simulate_dalec(weather())
    np.testing.assert_allclose(np.diff(run.X.sum(axis=-1)), -run.nee, atol=1e-9)
    np.testing.assert_allclose(run.autotrophic, 0.47 * run.gpp, rtol=1e-12)


def test_members_at_once():
    rng = np.random.default_rng(1)
    theta = PARAMETERS.default * rng.uniform(0.8, 1.2, (6, 9))
    year = weather(60)
    many = d.simulate_dalec(year, theta, X0=np.array(X0) * rng.uniform(0.9, 1.1, (6, 1)))
    assert many.X.shape == (61, 6, 5) and many.nee.shape == (60, 6)
    one = d.simulate_dalec(year, theta[3], X0=many.X[0, 3])
    np.testing.assert_allclose(one.X, many.X[:, 3], rtol=1e-13)


def test_drivers_of_several_sites_beside_shared_ones():
    year = weather(40)
    warmer = year.max_temperature[:, None] + [0.0, 3.0]
    rest = {name: getattr(year, name) for name in ("doy", "min_temperature", "radiation")}
    both = d.simulate_dalec(Drivers(max_temperature=warmer, **rest))
    for k in range(2):
        one = d.simulate_dalec(Drivers(max_temperature=warmer[:, k], **rest))
        np.testing.assert_allclose(both.X[:, k], one.X, rtol=1e-13)
        np.testing.assert_allclose(both.nee[:, k], one.nee, rtol=1e-10)


def test_steady_state_closes():
    m = dalec5()
    X = m.steady_state(600.0, xi=[1, 1, 1, 0.8, 0.8])
    np.testing.assert_allclose(m.derivative(X, 600.0, [1, 1, 1, 0.8, 0.8]), 0, atol=1e-9)
    assert m.respiration(X, [1, 1, 1, 0.8, 0.8]).sum() == pytest.approx(0.53 * 600)


def test_leaves_feed_back_and_the_year_still_has_a_fixed_point():
    # Wood of 1,330 years is brought to 80, so that the test can look for the state of all pools.
    theta = PARAMETERS.array(fall_wood=1 / (80 * 365), respire_soil=1 / (60 * 365))
    year = weather()

    def loop(X):
        return d.simulate_dalec(year, theta, X).X[-1]

    runs = [way(loop, X0=X0, tol=0.01) for way in (anderson, newton)]
    for run in runs:
        assert run.years < 60
        np.testing.assert_allclose(loop(run.exact), run.exact, rtol=1e-9)
        np.testing.assert_allclose(run.X, run.exact, rtol=1e-3)


def test_photosynthesis_grows_with_light_leaves_and_co2_and_stops_without_them():
    day = {"doy": 170, "max_temperature": 22, "min_temperature": 6, "radiation": 20}
    base = d.gpp(1.0, **day)
    assert d.gpp(0.0, **day) == 0
    assert d.gpp(1.0, **day | {"radiation": 0}) == 0
    assert d.gpp(2.0, **day) > base > d.gpp(1.0, **day | {"radiation": 10})
    assert d.gpp(1.0, **day, co2=700) > base > d.gpp(1.0, **day, hydraulic_resistance=5.0)
    # the sun does not rise in the polar night, and the canopy keeps only its constant a₅
    assert d.day_length(355, 80.0) == 0 and d.day_length(172, 80.0) == 24


@needs("dalec_oregon")
def test_metolius_with_the_parameters_of_the_paper():
    table = datasets.load("dalec_oregon")
    run = d.simulate_dalec(Drivers.from_table(table))
    # The gpp column has a value on every day, so it comes from a model too, with other leaf area than
    # ours, which runs free from 1 January 2000: the days agree in their course.
    assert np.corrcoef(run.gpp, table.gpp)[0, 1] > 0.9
    seen = table.nee.notna().to_numpy()
    assert np.corrcoef(run.nee[seen], table.nee[seen])[0, 1] > 0.6
    # Slow pools: within one standard deviation of every observation. Foliage, fine roots and litter
    # were steered by the filter of the paper and drift to 3 deviations without it.
    for pool, column in ((1, "cw"), (4, "cs")):
        at = table[column].notna().to_numpy()
        miss = (run.X[1:, pool][at] - table[column][at]) / table[f"{column}_sd"][at]
        assert np.all(np.abs(miss) < 1)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: dalec5(np.ones(5)), "theta must end in axes of length"),
        (lambda: dalec5(PARAMETERS.array(to_roots=1.5)), "it is a share"),
        (lambda: Drivers([1, 2], [20.0], [5.0], [10.0]), "first axis of every driver is the days"),
        (lambda: Drivers([1], [293.0], [5.0], [10.0]), "max_temperature must be at most"),
        (lambda: Drivers.from_table({"doy": [1]}), "no column 'max_temperature'"),
        (lambda: d.gpp(1.0, 170, 5.0, 20.0, 10.0), "swap the two"),
        (lambda: d.gpp(-1.0, 170, 20.0, 5.0, 10.0), "lai must be at least 0"),
        (lambda: d.simulate_dalec(weather(3), X0=[1, 2]), "X0 must end in axes"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


def test_bare_trees_keep_carbon_and_their_calendar():
    year = weather(730)
    theta = np.tile(d.BROADLEAF.default, (2, 1))
    theta[1, d.BROADLEAF.index("onset")] += 30
    run = d.simulate_broadleaf(year, theta)
    np.testing.assert_allclose(np.diff(run.X.sum(-1), axis=0), -run.nee, atol=1e-9)
    assert (run.X >= 0).all()
    doy = year.doy
    assert run.lai[doy == 30].max() < 0.05 and run.lai[doy == 200].min() > 0.5
    first = [doy[:365][run.lai[:365, k] > 0.5 * run.lai[200, k]][0] for k in (0, 1)]
    assert first[1] - first[0] == pytest.approx(30, abs=4)
    assert run.gpp[doy == 20].max() < 0.05 * run.gpp[doy == 200].min()


def test_all_leaves_open_and_fall_but_a_thousandth():
    doy = np.arange(1.0, 366.0)
    rate = d.leaf_calendar(doy, 10.0, 12.0)
    assert np.exp(-rate.sum()) == pytest.approx(1e-3, rel=0.02)
    assert rate[355] == pytest.approx(d.leaf_calendar(29.0, 10.0, 12.0), rel=1e-9)  # around New Year
