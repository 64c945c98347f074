"""Scores against closed forms and scoringrules; calibration found where it is, and only there."""

from math import comb

import numpy as np
import pytest
import scoringrules
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from landcarbon.forecasting import scores as s
from landcarbon.matrix.errors import InputError


def gaussian_crps(y, mean, sd):
    """Gneiting & Raftery 2007, equation 21."""
    z = (y - mean) / sd
    return sd * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))


@pytest.mark.parametrize(("mean", "sd"), [(0.0, 1.0), (2.0, 0.5)])
def test_crps_of_a_large_ensemble_is_the_gaussian_closed_form(mean, sd):
    members = norm.ppf((np.arange(4000) + 0.5) / 4000, mean, sd)
    for y in (-1.0, 0.0, 0.3, 2.5):
        assert s.crps(y, members) == pytest.approx(gaussian_crps(y, mean, sd), abs=1e-3)


def test_crps_is_that_of_scoringrules_and_of_its_definition():
    rng = np.random.default_rng(0)
    y, x = rng.normal(size=(6, 4)), rng.normal(size=(30, 6, 4))
    assert np.allclose(
        s.crps(y, x),
        scoringrules.crps_ensemble(y, np.moveaxis(x, 0, -1), estimator="nrg", backend="numpy"),
        rtol=1e-10,
    )
    pairs = np.abs(x[:, None] - x[None])
    assert np.allclose(s.crps(y, x), np.abs(x - y).mean(0) - pairs.mean((0, 1)) / 2, rtol=1e-12)
    fair = np.abs(x - y).mean(0) - pairs.sum((0, 1)) / (2 * 30 * 29)
    assert np.allclose(s.crps(y, x, fair=True), fair, rtol=1e-12)


def test_weights_are_members_repeated():
    rng = np.random.default_rng(5)
    y, x, times = rng.normal(size=(4, 2)), rng.normal(size=(7, 4, 2)), np.array([1, 3, 0, 2, 1, 5, 2])
    np.testing.assert_allclose(s.crps(y, x, weight=times / 3), s.crps(y, np.repeat(x, times, axis=0)), rtol=1e-12)
    with pytest.raises(InputError, match="one number a member, not all 0"):
        s.crps(y, x, weight=np.zeros(7))
    with pytest.raises(InputError, match="leave weight or fair out"):
        s.crps(y, x, weight=times, fair=True)


def test_the_interval_score_is_least_at_the_true_quantiles():
    """Its mean for the true 80 % interval of a normal is 2 φ(z) 2/α, with z the upper quantile."""
    y = norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    z = norm.ppf(0.9)

    def mean(scale):
        members = scale * norm.ppf(np.arange(1, 100) / 100)[:, None] * np.ones(y.size)
        return s.interval_score(y, members, 0.8).mean()

    assert mean(1.0) == pytest.approx(2 * norm.pdf(z) / 0.1, rel=1e-3)
    assert mean(1.0) < min(mean(0.9), mean(1.1))


def test_members_that_are_lost_are_counted():
    x = np.ones((5, 3))
    x[[1, 3], 2] = np.nan
    with pytest.raises(InputError, match=r"2 of 5 members of the ensemble are NaN somewhere, the first is number 1"):
        s.crps(np.zeros(3), x)


def test_crps_of_one_member_is_the_absolute_error():
    assert s.crps([1.0, 2.0], [[3.0, 2.0]]).tolist() == [2.0, 0.0]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 10), st.floats(-5, 5))
def test_crps_scales_with_its_unit_and_ignores_a_shift(seed, scale, shift):
    rng = np.random.default_rng(seed)
    y, x = rng.normal(size=3), rng.normal(size=(20, 3))
    assert np.allclose(
        s.crps(scale * y + shift, scale * x + shift), scale * s.crps(y, x), atol=1e-9
    )


def test_the_log_score_is_minus_the_log_density():
    rng = np.random.default_rng(1)
    y, x = rng.normal(size=5), rng.normal(size=(50, 5))
    assert np.allclose(s.log_score(y, x), -norm.logpdf(y, x.mean(0), x.std(0, ddof=1)))
    # The kernel density by hand, of the width of Silverman (1986), eq. 3.30.
    spread = np.minimum(x.std(0, ddof=1), np.subtract(*np.quantile(x, [0.75, 0.25], axis=0)) / 1.34)
    kernel = -np.log(norm.pdf(y, x, 1.06 * spread * 50**-0.2).mean(axis=0))
    np.testing.assert_allclose(s.log_score(y, x, density="kernel"), kernel, rtol=1e-6)


def test_two_members_are_enough_for_the_fair_crps():
    # |1 − 0| and |3 − 0| average to 2, the two members are 2 apart: 2 − 2/2.
    assert s.crps(0.0, [1.0, 3.0], fair=True) == pytest.approx(1.0)


def test_five_values_a_bin_are_enough():
    assert s.pit_uniformity((np.arange(50) + 0.5) / 50).counts == (5,) * 10
    with pytest.raises(InputError, match="at least 50 PIT values, but 49"):
        s.pit_uniformity((np.arange(49) + 0.5) / 50)


def test_both_scores_are_proper():
    rng = np.random.default_rng(2)
    y = rng.normal(size=4000)
    sizes = {sd: sd * rng.normal(size=(200, 4000)) for sd in (0.5, 1.0, 2.0)}
    for score in (s.crps, s.log_score):
        mean = {sd: score(y, x).mean() for sd, x in sizes.items()}
        assert mean[1.0] < min(mean[0.5], mean[2.0])


@pytest.mark.parametrize("m", [19, 99, 400])
def test_the_interval_of_a_calibrated_ensemble_covers_at_its_level(m):
    rng = np.random.default_rng(3)
    y, x = rng.normal(size=20_000), rng.normal(size=(m, 20_000))
    assert s.coverage(y, x, 0.9) == pytest.approx(0.9, abs=0.008)


def test_an_observation_on_the_end_of_the_interval_is_inside():
    members = np.arange(1.0, 20.0)[:, None] * np.ones(4)  # 90 %: from 1 to 19
    assert s.coverage([1.0, 19.0, 0.999, 19.001], members, 0.9) == 0.5


def test_reliability_has_the_levels_and_the_binomial_range_of_its_size():
    rng = np.random.default_rng(13)
    r = s.reliability(rng.normal(size=60), rng.normal(size=(39, 60)))
    np.testing.assert_allclose(r.level, np.arange(1, 10) / 10)
    for level, low, high in zip(r.level.values, r.lower.values * 60, r.upper.values * 60):
        # The smallest counts below which 2.5 and 97.5 % of calibrated forecasts fall, term by term.
        p = np.cumsum([comb(60, k) * level**k * (1 - level) ** (60 - k) for k in range(61)])
        assert (low, high) == pytest.approx((np.argmax(p >= 0.025), np.argmax(p >= 0.975)))


def test_coverage_by_lead():
    y = np.zeros((100, 2))
    x = np.arange(1.0, 100.0)[:, None, None] * np.ones((100, 2)) - np.array([50.0, -1.0])
    assert s.coverage(y, x, axis=0).tolist() == [1.0, 0.0]


def test_pit_is_uniform_for_a_calibrated_twin_only():
    rng = np.random.default_rng(4)
    mean = rng.normal(size=3000)
    y = mean + rng.normal(size=3000)
    noise = rng.normal(size=(30, 3000))
    assert s.pit_uniformity(s.pit(y, mean + noise, rng)).p_value > 0.01
    narrow = s.pit_uniformity(s.pit(y, mean + 0.7 * noise, rng))
    assert narrow.p_value < 1e-6
    assert narrow.counts[0] > narrow.counts[5] < narrow.counts[-1]
    assert s.pit_uniformity(s.pit(y, mean + 0.2 + noise, rng)).p_value < 1e-6


def test_pit_is_uniform_where_members_tie_with_the_observation():
    rng = np.random.default_rng(5)
    rain = np.maximum(rng.normal(size=(21, 4000)), 0.0)
    assert s.pit_uniformity(s.pit(rain[0], rain[1:], rng)).p_value > 0.01


def test_pit_test_rejects_at_its_nominal_rate():
    rng = np.random.default_rng(6)
    p = [s.pit_uniformity(rng.uniform(size=200)).p_value for _ in range(1000)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.02)


def test_reliability_finds_the_overconfident():
    rng = np.random.default_rng(7)
    inside = []
    for _ in range(60):
        y, x = rng.normal(size=200), rng.normal(size=(99, 200))
        good = s.reliability(y, x)
        inside.append(((good.lower <= good.coverage) & (good.coverage <= good.upper)).values)
    assert (np.mean(inside, axis=0) > 0.88).all()
    bad = s.reliability(y, 0.5 * x)
    assert (bad.coverage < bad.lower).all()


def test_spread_skill():
    rng = np.random.default_rng(8)
    y, x = rng.normal(size=(4000, 2)), rng.normal(size=(20, 4000, 2)) * [1.0, 0.5]
    ratio = s.spread_skill(y, x, axis=0)
    assert ratio[0] == pytest.approx(1, abs=0.05)
    assert ratio[1] < 0.6


def test_spread_skill_by_hand_of_data_far_from_zero():
    # Means 11 and 21 miss 10 and 20 by one; the members' variances are 8 and 2; √(3/2 · 5/1).
    assert s.spread_skill([10.0, 20.0], [[9.0, 22.0], [13.0, 20.0]]) == pytest.approx(np.sqrt(7.5))


def test_skill_and_horizon_of_an_autoregressive_twin():
    # Forecast and null are both calibrated; the memory a = 0.7 fades: CRPS is proportional to the
    # predictive sd, so the true skill at lead h is 1 − sqrt(1 − a^(2h)).
    rng = np.random.default_rng(9)
    a, issues, leads, members = 0.7, 300, 12, 200
    x0 = rng.normal(size=issues) / np.sqrt(1 - a**2)
    h = np.arange(1, leads + 1)
    sd = np.sqrt((1 - a ** (2 * h)) / (1 - a**2))
    y = x0[:, None] * a**h + sd * rng.normal(size=(issues, leads))
    forecast = x0[:, None] * a**h + sd * rng.normal(size=(members, issues, leads))
    climatology = rng.normal(size=(members, issues, leads)) / np.sqrt(1 - a**2)
    found = s.horizon(s.crps(y, forecast, fair=True), s.crps(y, climatology, fair=True), unit="day")
    true = 1 - np.sqrt(1 - a ** (2 * h))
    assert np.allclose(found.table["skill"], true, atol=0.06)
    assert ((found.table["lower"] <= true) & (true <= found.table["upper"])).mean() > 0.7
    assert 3 <= found.lead <= 8
    assert found.unbroken <= found.lead
    assert "day" in str(found)


def test_a_gap_at_the_first_leads_is_told():
    score = np.full((10, 3), [2.0, 0.5, 1.5])
    found = s.horizon(score, np.ones((10, 3)), leads=[1, 2, 4])
    assert (found.lead, found.unbroken) == (2.0, 0.0)
    none = s.horizon(score + 2, np.ones((10, 3)))
    assert none.lead == 0
    assert str(none).startswith("no lead")


def test_shared_errors_need_blocks():
    rng = np.random.default_rng(10)
    year = np.repeat(np.arange(10), 20)
    score = np.exp(rng.normal(size=10))[year][:, None]
    null = np.exp(rng.normal(size=10))[year][:, None]
    wide, narrow = s.skill(score, null, blocks=year), s.skill(score, null)
    assert (wide.upper - wide.lower)[1] > 2 * (narrow.upper - narrow.lower)[1]


def test_the_interval_of_skill_is_the_quantiles_of_resampled_issues():
    rng = np.random.default_rng(14)
    score, null = rng.uniform(0.5, 1.5, (2, 12, 2))
    block = np.repeat(np.arange(6), 2)
    found = s.skill(score, null, blocks=block, level=0.8, n_draws=300, rng=4)
    boot = []
    for count in np.random.default_rng(4).multinomial(6, np.full(6, 1 / 6), size=300):
        rows = np.concatenate([np.repeat(np.flatnonzero(block == b), k) for b, k in enumerate(count)])
        boot.append(1 - score[rows].sum(axis=0) / null[rows].sum(axis=0))
    np.testing.assert_allclose(found[["lower", "upper"]].T, np.quantile(boot, [0.1, 0.9], axis=0), rtol=1e-9)
    assert found.index.tolist() == [1, 2] and found.attrs["level"] == 0.8


def test_what_was_not_observed_counts_for_neither():
    rng = np.random.default_rng(12)
    score, null = rng.uniform(size=(2, 60, 3))
    gap = rng.uniform(size=(60, 3)) < 0.3
    with_gaps = s.skill(np.where(gap, np.nan, score), np.where(gap, np.nan, null))
    for lead in range(3):
        seen = ~gap[:, lead]
        by_hand = 1 - score[seen, lead].mean() / null[seen, lead].mean()
        assert with_gaps["skill"].iloc[lead] == pytest.approx(by_hand)
    with pytest.raises(InputError, match="not in the same ones"):
        s.skill(np.where(gap, np.nan, score), null)
    gap[:, 1] = True
    with pytest.raises(InputError, match="number 2 was never observed"):
        s.horizon(np.where(gap, np.nan, score), np.where(gap, np.nan, null))


def test_labelled_ensembles_may_have_the_member_anywhere():
    rng = np.random.default_rng(11)
    x = xr.DataArray(rng.normal(size=(4, 50)), dims=("time", "member"))
    y = np.zeros(4)
    assert np.array_equal(s.crps(y, x), s.crps(y, x.values.T))
    with pytest.raises(InputError, match="no dimension 'member'"):
        s.crps(y, x.rename(member="draw"))


def test_two_bins_are_enough_for_a_test_of_uniformity():
    """Nine of ten in the lower half: chi-square of 64 with one degree of freedom."""
    values = np.r_[np.full(90, 0.25), np.full(10, 0.75)]
    found = s.pit_uniformity(values, bins=2)
    assert found.p_value == pytest.approx(2 * norm.sf(8.0), rel=1e-9)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: s.crps([0.0, np.nan], np.ones((3, 2))), "observed holds 1 value"),
        (lambda: s.crps([0.0, 0.0], np.ones((2, 3))), "member axis comes first"),
        (lambda: s.crps(0.0, [1.0], fair=True), "at least 2 members"),
        (lambda: s.log_score(0.0, [1.0, 1.0]), "needs a spread"),
        (lambda: s.log_score(0.0, [1.0]), "needs a spread"),
        (lambda: s.log_score(0.0, [1.0, 2.0], density="box"), "'normal' or 'kernel'"),
        (lambda: s.interval(np.arange(10.0), 0.9), "at least 19 members"),
        (lambda: s.interval(np.arange(10.0), 90), "between 0 and 1"),
        (lambda: s.pit_uniformity(np.ones(20) / 2), "at least 50 PIT"),
        (lambda: s.pit_uniformity(np.ones(90) * 2), "at most 1"),
        (lambda: s.skill(np.ones((3, 2)), np.ones((3, 3))), "issue, lead"),
        (lambda: s.skill(-np.ones((3, 2)), np.ones((3, 2))), "0 is perfect"),
        (lambda: s.skill(np.ones((3, 2)), np.zeros((3, 2))), "no error at some lead"),
        (lambda: s.skill(np.ones((3, 1)), np.ones((3, 1)), blocks=[1, 1, 1]), "one block"),
        (lambda: s.horizon(np.ones((3, 2)), np.ones((3, 2)), leads=[2, 1]), "increasing"),
        (lambda: s.horizon(np.ones((3, 3)), np.ones((3, 3)), leads=[1, 3, 2]), "increasing"),
    ],
)
def test_bad_input_gets_a_sentence(call, words):
    with pytest.raises(InputError, match=words) as err:
        call()
    assert str(err.value).endswith(".")
