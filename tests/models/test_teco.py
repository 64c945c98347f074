"""TECO: fluxes and matrix agree, carbon is conserved, a published pair of times is reproduced."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landcarbon.matrix import InputError
from landcarbon.matrix.simulate import simulate
from landcarbon.models import teco as t
from landcarbon.models.teco import DAYS, GPP, PARAMETERS, POOLS, X0, Forcing, teco8


@pytest.fixture(scope="module")
def years():
    return t.synthetic_forcing(3, rng=5)


def random_theta(seed, size=()):
    rng = np.random.default_rng(seed)
    return rng.uniform(PARAMETERS.lower, PARAMETERS.upper, (*size, len(PARAMETERS)))


def test_flux_by_flux_equals_the_matrix(years):
    one, other = t.by_fluxes(X0, years), t.by_matrix(X0, years)
    np.testing.assert_allclose(one.X, other.X, rtol=1e-12)
    np.testing.assert_allclose(one.heterotrophic, other.heterotrophic, rtol=1e-11)
    np.testing.assert_allclose(one.autotrophic, other.autotrophic, rtol=1e-11)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_flux_by_flux_equals_the_matrix_for_any_parameters(seed):
    theta = random_theta(seed, (4,))
    year = t.synthetic_forcing(1, rng=seed)
    members = Forcing(*(a[:, None] for a in (year.gpp, year.soil_temperature, year.moisture)))
    start = np.random.default_rng(seed).uniform(0, 5000, (4, 8))
    one, other = t.by_fluxes(start, members, theta), t.by_matrix(start, members, theta)
    assert one.X.shape == (366, 4, 8)
    np.testing.assert_allclose(one.X, other.X, rtol=1e-9)
    np.testing.assert_allclose(one.heterotrophic, other.heterotrophic, rtol=1e-9, atol=1e-12)


def test_every_day_conserves_carbon(years):
    run = t.by_fluxes(X0, years)
    change = np.diff(run.X.sum(axis=-1))
    np.testing.assert_allclose(
        change, years.gpp - run.autotrophic - run.heterotrophic, atol=1e-10
    )
    np.testing.assert_allclose(run.autotrophic, 0.46 * years.gpp, rtol=1e-12)


def test_the_named_fluxes_are_the_entries_of_the_matrix():
    q = t.fluxes(X0, gpp=3.0, soil_temperature=17.0, moisture=0.2)
    short = {0: "foliage", 1: "wood", 2: "roots", 3: "metabolic", 4: "structural", 5: "fast",
             6: "slow", 7: "passive"}  # fmt: skip
    m = teco8()
    carried = m.transfer * t.scalar(17.0, 0.2) * m.K / DAYS * X0
    for i, j in np.argwhere(m.transfer > 0):
        assert q[f"{short[j]} to {short[i]}"] == pytest.approx(carried[i, j], rel=1e-12)
    assert sum(" to " in name for name in q) == np.count_nonzero(m.transfer)


def test_allocation_below_one_splits_two_times():
    # With shares that sum to 0.54, Luo's residence time is the mean transit time times 0.54:
    # 4,971 d against 9,206 d, both for the published parameters and to all printed digits.
    m = teco8()
    luo = m.steady_state(1.0).sum()
    transit = m.replace(B=m.B / m.B.sum()).steady_state(1.0).sum()
    assert m.B.sum() == pytest.approx(0.54, rel=1e-12)
    assert luo * DAYS == pytest.approx(4971, abs=0.5)
    assert transit * DAYS == pytest.approx(9206, abs=0.5)


def test_steady_state_closes():
    m = teco8()
    X = m.steady_state(GPP * DAYS)
    np.testing.assert_allclose(m.derivative(X, GPP * DAYS), 0, atol=1e-9)
    assert m.respiration(X).sum() == pytest.approx(0.54 * GPP * DAYS, rel=1e-12)
    # foliage and roots are one division each: 3.37 × 0.14 / 0.00258, 3.37 × 0.26 / 0.00239
    np.testing.assert_allclose(X[[0, 2]], [182.868217, 366.610879], rtol=1e-8)


def test_daily_steps_are_close_to_exact_ones(years):
    run = t.by_matrix(X0, years)
    time = np.arange(len(years) + 1) / DAYS
    exact = simulate(teco8(), time, X0, years.I, years.xi()).X.values
    # The fastest pools lose 1 % a day at 10 °C, 2.5 % at most here: half of that squared, summed
    # over a season of 50 days, stays below 3 %.
    np.testing.assert_allclose(run.X, exact, rtol=0.03)
    np.testing.assert_allclose(run.X.sum(axis=-1), exact.sum(axis=-1), rtol=1e-4)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_any_parameters_between_the_bounds_make_a_model(seed):
    X = teco8(random_theta(seed, (20,))).steady_state(GPP * DAYS)
    assert X.shape == (20, 8)
    assert np.all(X > 0)


def test_bounds_never_create_carbon():
    p = PARAMETERS
    for source in ("structural", "fast", "slow"):
        passed = [k for k in p.names if k.startswith(f"f_{source}_")]
        assert sum(p[k].upper for k in passed) <= 1
    assert sum(p[f"b_{k}"].upper for k in ("foliage", "wood", "roots")) <= 1
    assert all(row.source for row in p)


def test_scalars():
    np.testing.assert_allclose(t.temperature_scalar([0, 10, 30], q10=3.0), [3**-1, 1, 9])
    assert t.moisture_scalar(0.0) == 0.08
    assert np.all(t.moisture_scalar(np.linspace(0.3, 1, 5)) == 1)
    assert np.all(np.diff(t.moisture_scalar(np.linspace(0, 0.3, 9))) > 0)
    xi = t.scalar(np.full((7, 2), 20.0), 0.3)
    assert xi.shape == (7, 2, 8)
    np.testing.assert_allclose(xi[0, 0], [1, 1, 1, 2, 2, 2, 2, 2])


def test_synthetic_forcing_repeats_with_its_seed():
    one, other, new = (t.synthetic_forcing(2, rng=s) for s in (3, 3, 4))
    np.testing.assert_array_equal(one.gpp, other.gpp)
    assert not np.array_equal(one.gpp, new.gpp)
    assert len(one) == 730


def test_synthetic_forcing_follows_its_seasons_and_its_bucket():
    """Weather, rain and light are found again from what the forcing shows."""
    f = t.synthetic_forcing(40, rng=6)
    n = len(f)
    season = 2 * np.pi * (np.arange(n) + 0.5) / DAYS
    # Soil: 8 °C on average, a wave of 8 °C that is coldest 0.75 rad after the turn of the year.
    wave = 2 * np.mean(f.soil_temperature * np.exp(1j * season))
    assert f.soil_temperature.mean() == pytest.approx(8, abs=0.2)
    assert abs(wave) == pytest.approx(8, abs=0.2)
    assert np.angle(-wave) == pytest.approx(0.75, abs=0.03)
    weather = 2 * (f.soil_temperature - 8 + 8 * np.cos(season - 0.75))
    kick = weather[1:] - 0.9 * weather[:-1]
    assert weather[0] == pytest.approx(0, abs=1e-9)
    assert kick.std() == pytest.approx(0.8, abs=0.02) and abs(kick.mean()) < 0.03
    air = 8 - 12 * np.cos(season - 0.45) + weather
    light = 1 - 0.65 * np.cos(season + 0.17)
    # What the bucket of 100 mm held before the day's loss, and so the rain of the day.
    after, demand = 100 * f.moisture, 2.2 * light * np.clip(air / 20, 0, 1)
    full = np.where(after > 0.98 * 50 - demand, (after + demand) / 0.98, after / (0.98 - demand / 50))
    rain = full - np.append(80.0, after[:-1])
    assert full.max() <= 100 + 1e-9 and full.min() > 0
    assert rain.min() > -1e-9
    wet = rain > 1e-9
    assert wet.mean() == pytest.approx(0.33, abs=0.02)
    free = wet & (full < 100 - 1e-9)
    assert (wet & ~free).sum() > 50  # the bucket is full at times
    # Rain that runs over is not seen, so compare with the exponential law below 5 mm only.
    dry_enough = wet & (full - rain < 90)
    assert (rain[dry_enough] < 5).mean() == pytest.approx(1 - np.exp(-5 / 7), abs=0.03)
    # Photosynthesis: light, warmth above freezing and water, scaled to the published mean.
    shape = light * np.clip(air / 18, 0, 1) * np.minimum(1, f.moisture / 0.3)
    np.testing.assert_allclose(f.gpp, GPP * shape / shape.mean(), rtol=1e-9, atol=1e-12)
    assert (f.gpp[air <= 0] == 0).all() and (air <= 0).sum() > 100


def test_sites_and_members_run_side_by_side():
    theta = random_theta(3, (3, 2))
    year = t.synthetic_forcing(1, rng=3)
    days = Forcing(*(a[:5, None, None] for a in (year.gpp, year.soil_temperature, year.moisture)))
    for way in (t.by_fluxes, t.by_matrix):
        run = way(X0, days, theta)
        assert run.X.shape == (6, 3, 2, 8)
        assert run.autotrophic.shape == run.heterotrophic.shape == (5, 3, 2)
        one = way(X0, Forcing(*(a[:5] for a in (year.gpp, year.soil_temperature, year.moisture))), theta[2, 1])
        np.testing.assert_allclose(run.X[:, 2, 1], one.X, rtol=1e-12)
        np.testing.assert_allclose(run.autotrophic[:, 2, 1], one.autotrophic, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: teco8(np.ones(8)), "theta must end in axes of length"),
        (lambda: teco8(PARAMETERS.array(b_wood=0.9)), "plants cannot build more"),
        (lambda: teco8(PARAMETERS.array(f_foliage_metabolic=1.2)), "it is a fraction"),
        (lambda: teco8(PARAMETERS.array(f_fast_slow=0.999)), "sends out"),
        (lambda: teco8(PARAMETERS.array(k_wood=-1.0)), "theta must be at least 0"),
        (lambda: Forcing([3.0, 3.0], [10.0], 0.5), "share their first axis"),
        (lambda: Forcing([3.0], [283.0], 0.5), "°C = K"),
        (lambda: Forcing([3.0], [10.0], 50.0), "not percent"),
        (lambda: Forcing([-3.0], [10.0], 0.5), "gpp must be at least 0"),
        (lambda: Forcing([np.nan], [10.0], 0.5), "NaN"),
        (lambda: t.by_fluxes(np.ones(7), t.synthetic_forcing()), "X0 must end in axes"),
        (lambda: t.fluxes(np.ones(3), 1.0, 1.0, 1.0), POOLS[0]),
        (lambda: t.synthetic_forcing(0), "n_years must be a whole number, at least 1"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
