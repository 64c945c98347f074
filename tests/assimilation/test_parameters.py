"""Priors: maps are inverse, densities integrate to one, Jacobians agree with finite differences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from landcarbon.assimilation import Prior
from landcarbon.assimilation.streams import site_generator
from landcarbon.matrix.errors import InputError
from landcarbon.models.parameters import Parameter, ParameterTable

TABLE = ParameterTable(
    [
        Parameter("diffusion", "m2/yr", 3e-5, 5e-4, 1e-4, prior="log-uniform"),
        Parameter("tau", "yr", 0.0, 0.11, 0.05),
        Parameter("share", "1", -0.2, 0.8, 0.1, prior="logit-normal"),
    ]
)
PRIOR = Prior(TABLE, width={"share": 0.7})


@given(st.lists(st.floats(-12, 12), min_size=3, max_size=3))
def test_maps_are_inverse(z):
    theta = PRIOR.from_real(z)
    np.testing.assert_allclose(PRIOR.to_real(theta), z, atol=1e-6)


@given(st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3))
def test_unit_cube_is_the_distribution_function(u):
    np.testing.assert_allclose(PRIOR.to_unit(PRIOR.from_unit(u)), u, atol=1e-12)


def test_far_out_coordinates_stay_within_bounds():
    for z in (-800.0, 800.0):
        theta = PRIOR.from_real(np.full(3, z))
        assert ((theta >= TABLE.lower) & (theta <= TABLE.upper)).all()


def test_jacobian_agrees_with_finite_differences():
    z = np.random.default_rng(1).normal(size=(5, 3))
    h = 1e-6
    slope = (PRIOR.from_real(z + h) - PRIOR.from_real(z - h)) / (2 * h)
    np.testing.assert_allclose(PRIOR.slope(z), slope, rtol=1e-7)


def test_real_density_is_physical_density_times_jacobian():
    z = np.random.default_rng(2).normal(size=(7, 3)) * 2
    both = PRIOR.log_density(PRIOR.from_real(z)) + np.log(PRIOR.slope(z)).sum(-1)
    np.testing.assert_allclose(PRIOR.log_density_real(z), both, atol=1e-10)


def test_gradient_agrees_with_finite_differences():
    z = np.random.default_rng(3).normal(size=(4, 3))
    h = 1e-6
    for k, step in enumerate(h * np.eye(3)):
        slope = (PRIOR.log_density_real(z + step) - PRIOR.log_density_real(z - step)) / (2 * h)
        np.testing.assert_allclose(PRIOR.gradient_real(z)[:, k], slope, atol=1e-8)


@pytest.mark.parametrize("k", range(3))
def test_densities_integrate_to_one(k):
    prior = Prior(TABLE.subset([TABLE.names[k]]), width=0.7)
    edges = np.linspace(*prior.table.lower, *prior.table.upper, 20_001)
    middle = 0.5 * (edges[1:] + edges[:-1])
    physical = np.exp(prior.log_density(middle[:, None])) @ np.diff(edges)
    z = np.linspace(-40, 40, 20_001)
    real = np.exp(prior.log_density_real(z[:, None])).sum() * (z[1] - z[0])
    assert physical == pytest.approx(1.0, abs=1e-5)
    assert real == pytest.approx(1.0, abs=1e-8)


def test_samples_follow_the_families():
    theta = PRIOR.sample(4000, rng=4)
    diffusion, tau, _ = theta.T
    assert (
        stats.kstest(np.log(diffusion), stats.uniform(np.log(3e-5), np.log(5e-4 / 3e-5)).cdf).pvalue
        > 0.01
    )
    assert stats.kstest(tau, stats.uniform(0.0, 0.11).cdf).pvalue > 0.01
    z = PRIOR.to_real(theta)[:, 2]
    assert stats.kstest(z, stats.norm(np.log(0.3 / 0.7), 0.7).cdf).pvalue > 0.01
    unit = PRIOR.to_unit(theta)
    assert all(stats.kstest(column, "uniform").pvalue > 0.01 for column in unit.T)


def test_the_width_is_one_where_none_is_given():
    prior = Prior(TABLE.subset(["share", "tau"]), "logit-normal")
    # The quantile of one standard deviation lies one logit above the default.
    place = (prior.table.default - prior.table.lower) / (prior.table.upper - prior.table.lower)
    above = prior.to_real(prior.from_unit(np.full(2, stats.norm.cdf(1.0))))
    np.testing.assert_allclose(above, np.log(place / (1 - place)) + 1.0, rtol=1e-9)
    named = Prior(TABLE.subset(["share", "tau"]), "logit-normal", width={"share": 0.5})
    above = named.to_real(named.from_unit(np.full(2, stats.norm.cdf(1.0))))
    np.testing.assert_allclose(above, np.log(place / (1 - place)) + [0.5, 1.0], rtol=1e-9)


def test_logit_normal_vanishes_on_its_bounds():
    prior = Prior(TABLE.subset(["share"]))
    assert prior.log_density([-0.2]) == -np.inf
    np.testing.assert_array_equal(prior.to_unit([[-0.2], [0.8]]), [[0.0], [1.0]])


def test_a_site_keeps_its_draws_whatever_stands_beside_it():
    def own(*positions):
        return [site_generator(7, k) for k in positions]

    together = PRIOR.sample(5, own(0, 1, 2), sites=(3,))
    alone = PRIOR.sample(5, own(1), sites=(1,))
    np.testing.assert_array_equal(together[1], alone[0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Prior(TABLE, "gaussian"), "'gaussian'; known are uniform, log-uniform"),
        (lambda: Prior(TABLE, {"tua": "uniform"}), "Did you mean tau"),
        (lambda: Prior(TABLE, {"tau": "log-uniform"}), "'tau' cannot be log-uniform from 0"),
        (lambda: Prior(TABLE, width=0.0), "width must be above 0"),
        (lambda: Prior([0.0, 1.0]), "needs a ParameterTable"),
        (lambda: PRIOR.to_unit([1e-4, 0.2, 0.0]), "'tau' must lie between 0 and 0.11 yr, but 0.2"),
        (lambda: PRIOR.to_real([1e-4, 0.0, 0.0]), "'tau' must lie strictly between"),
        (lambda: PRIOR.log_density([1e-4, np.nan, 0.0]), "NaN"),
        (lambda: PRIOR.log_density([1e-4, 0.1]), r"axes of length \(3\)"),
        (lambda: PRIOR.from_unit([0.5, 1.5, 0.5]), "u must be at most 1"),
        (lambda: PRIOR.sample(5, [np.random.default_rng(1)], sites=(2,)), "1 entries for 2 site"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_default_on_a_bound_cannot_be_the_centre():
    table = ParameterTable([Parameter("f", "1", 0.0, 1.0, 0.0)])
    with pytest.raises(InputError, match="sits on a bound"):
        Prior(table, "logit-normal")
