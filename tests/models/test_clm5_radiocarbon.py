"""Carbon and radiocarbon of CLM5's column: independent solution, limits, adjoint, the protocol of a model."""

import numpy as np
import pytest
from scipy.linalg import expm

from landcarbon.assimilation import JointObservations, Prior, ProfileObservations
from landcarbon.datasets import twin_world
from landcarbon.learning import Task, hybrid
from landcarbon.matrix import InputError
from landcarbon.models import clm5
from landcarbon.models import clm5_radiocarbon as model
from landcarbon.theory.carbon14 import MEAN_LIFE

SEASON = 283 + 10 * np.sin(2 * np.pi * np.arange(12) / 12)


def land(n=3, **changes):
    parts = {
        "soil_temperature": np.broadcast_to(SEASON, (n, 20, 12)) + np.arange(n)[:, None, None],
        "water_scalar": np.full((20, 12), 0.5),
        "litter_input": [40.0, 120.0, 180.0, 60.0],
        "active_layer_depth": np.array([50.0, 1.2, 50.0])[:n],
        "bedrock_layer": np.array([20, 20, 14])[:n],
    }
    return clm5.Forcing(**{**parts, **changes})


def theta(n=3):
    return np.concatenate([[clm5.DEFAULT], Prior(clm5.PARAMETERS).sample(n - 1, rng=4)])


def test_the_mean_life_is_that_of_the_theory():
    assert model.MEAN_LIFE == MEAN_LIFE


def test_against_exact_steps_of_all_140_pools():
    # The same record of the air, read every year, not every ten before 1930; the exponential is exact.
    forcing = model.Forcing(land(2), [1966, 1999])
    ours = model.observed_values(theta(2), forcing)[:, 20:]
    t = np.arange(1850.5, 2000.0)
    F = 1 + np.interp(t, *model.BOMB.T) / 1000
    for s in range(2):
        column, b = clm5.column(theta(2)[s], forcing.land[s])
        M, u = column.outflow_matrix() + np.eye(140) / MEAN_LIFE, b.reshape(-1)
        E = np.zeros((142, 142))
        E[:140, :140], E[:140, 140], E[140, 141] = -M, u, 1.0
        E, y = expm(E), F[0] * np.linalg.solve(M, u)
        for k in range(int(forcing.year[s]) - 1850):
            y = (E @ np.concatenate([y, [F[k], F[k + 1] - F[k]]]))[:140]
        X = column.steady_state(b)[4:].sum(axis=0)
        np.testing.assert_allclose(ours[s], y.reshape(7, 20)[4:].sum(axis=0) / X, rtol=1e-4)


def test_the_carbon_is_that_of_clm5():
    forcing = model.Forcing(land(), 1998)
    np.testing.assert_allclose(
        model.observed_values(theta(), forcing)[:, :20], clm5.observed_values(theta(), forcing.land), rtol=1e-10
    )


def test_fast_soil_is_as_the_air_and_slow_soil_forgets_it():
    air = model.Forcing(land(1), 1964)
    quick, index = clm5.DEFAULT.copy(), clm5.PARAMETERS.index
    for name in ("tau_cwd", "tau_l1", "tau_l2", "tau_s1", "tau_s2", "tau_s3"):
        quick[index(name)] = 1e-5
    # The air of 1964.5 in the record: 835.7.
    np.testing.assert_allclose(model.delta(model.observed_values(quick, air)), 835.7, atol=0.2)
    still = model.Forcing(land(1), 1998, years=[1850, 2015], delta=[50, 50])
    young = model.delta(model.observed_values(quick, still))
    np.testing.assert_allclose(young, 50.0, atol=0.1)
    aged = model.delta(model.observed_values(clm5.DEFAULT, still))
    assert (aged < 50).all() and (np.diff(aged) < 0).all()


def test_below_the_bedrock_there_is_neither():
    values = model.observed_values(theta(), model.Forcing(land(), 1998))
    assert (values[2, 14:20] == 0).all() and (values[2, 34:] == 0).all()
    assert (values[:2] > 0).all()


def test_the_adjoint_against_central_differences():
    forcing = model.Forcing(land(), [1960, 1975, 2005])
    at = theta()
    at[0, clm5.PARAMETERS.index("efolding")] = 0.8
    values, pull = model.observed(at, forcing)
    rng = np.random.default_rng(2)
    weight = rng.standard_normal(values.shape) * np.where(values > 0, 1.0 / np.maximum(values, 1e-9), 0.0)
    weight[:, 20:] *= 100.0
    gradient = pull(weight)
    worst, largest = 0.0, np.abs(gradient * at).max(axis=1)
    for k in range(21):
        h = 1e-4 * at * (np.arange(21) == k)
        far = [(weight * model.observed_values(at + s * h, forcing)).sum(axis=1) for s in (-2, -1, 1, 2)]
        slope = (8 * (far[2] - far[1]) - (far[3] - far[0])) / 12e-4
        worst = max(worst, np.max(np.abs(slope - gradient[:, k] * at[:, k]) / largest))
    assert worst < 1e-6


def test_sites_and_draws_are_run_at_once():
    forcing = model.Forcing(land(), [1960, 1975, 2005], *([1850, 1955, 1965, 2015], np.full((3, 4), 10.0)))
    draws = np.stack([theta(), theta() * 0.98, theta() * 1.01], axis=1)[:, :, :]
    many = model.observed_values(draws, forcing.expand())
    assert many.shape == (3, 3, 40)
    one = model.observed_values(draws[1:2, 2], forcing[[1]])
    np.testing.assert_allclose(many[1, 2], one[0], rtol=1e-11)
    np.testing.assert_allclose(model.observed(draws, forcing.expand())[0], many, rtol=1e-11)


@pytest.mark.parametrize(("change", "words"), [
    ({"year": 2030}, "the record of the air spans"),
    ({"year": 1998, "years": [1900, 2000]}, "both years and delta"),
    ({"year": 1998, "years": [2000, 1900], "delta": [0, 0]}, "years that rise"),
    ({"year": 1998, "years": [1900, 2000], "delta": [0, -1001]}, "delta"),
])
def test_forcing_that_means_nothing(change, words):
    with pytest.raises(InputError, match=words):
        model.Forcing(land(), **change)
    with pytest.raises(InputError, match="Make one with clm5_radiocarbon"):
        model.observed_values(clm5.DEFAULT, land())


def test_a_network_learns_from_both_through_it():
    # environment → network → parameters → carbon and radiocarbon → cost, and back, against differences.
    world = twin_world(n_sites=6, rng=3)
    forcing = model.Forcing(world.forcing, np.full(6, 1999))
    there = world.observations
    ratio = ProfileObservations(
        there.depth, np.ones(there.depth.shape), 0.05, there.node_depth, clm5.LAYERS.bottom[-1],
        kind="absolute", mask=there.mask,
    )  # fmt: skip
    truth = model.observed_values(world.truth["parameters"].values, forcing)
    ratio = ratio.with_values(ratio.simulate(truth[:, 20:], rng=1))
    both = JointObservations({"carbon": there, "14C": ratio})
    task = Task(both, forcing, world.covariates, model=model)
    cost = hybrid.Cost(task, hybrid.Outputs.of(task.prior, start=clm5.PRODA_START))
    y = 0.3 * np.random.default_rng(5).standard_normal((6, 21))
    rows = np.arange(6)
    _, slope = cost(y, rows)
    for site, k in ((0, 3), (2, 8), (4, 9), (5, 19)):
        h = 1e-4 * (rows[:, None] == site) * (np.arange(21) == k)
        by_differences = (cost(y + h, rows)[0] - cost(y - h, rows)[0]) / 2e-4
        assert abs(by_differences - slope[site, k]) < 1e-6 * np.abs(slope).max()
