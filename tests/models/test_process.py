"""One protocol: CLM5, CLM4.5 and a column of one's own go wherever a process model is asked for."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from landcarbon.assimilation import (
    GaussianLikelihood,
    Posterior,
    Prior,
    ProfileObservations,
    sample,
)
from landcarbon.learning import Proda, Task, evaluate, hybrid, one_batch, proda
from landcarbon.learning.attribution import control
from landcarbon.learning.folds import random_folds
from landcarbon.matrix.column import LayeredModel
from landcarbon.matrix.layers import SoilLayers, exchange_rates, face_diffusivity
from landcarbon.models import Parameter, ParameterTable, clm5, clm45
from landcarbon.models.process import observed_values

N = 24
DEPTH = np.tile([0.05, 0.15, 0.3, 0.6, 1.0], (N, 1))


def climate(rng):
    season = 10 * np.sin(2 * np.pi * np.arange(12) / 12)
    return rng.normal(283, 4, (N, 1, 1)) + season, rng.uniform(0.3, 0.9, (N, 1, 1))


def of_clm(module):
    rng, L = np.random.default_rng(0), len(module.LAYERS)
    warmth, wet = climate(rng)
    litter = rng.uniform(0.5, 1.5, (N, 1)) * [40.0, 120.0, 180.0, 60.0]
    shape = (N, L, 12)
    forcing = module.Forcing(np.broadcast_to(warmth, shape), np.broadcast_to(wet, shape), litter)
    return module, forcing, litter[:, 0]


def of_ones_own():
    """Carbon of three layers, input over a rate that slows with depth; forcing is an array."""
    layers = SoilLayers([0.2, 0.4, 1.4])
    table = ParameterTable(
        [Parameter("k", "yr-1", 0.005, 0.1, 0.02), Parameter("slow", "m", 0.2, 2.0, 0.8)]
    )

    def observed(theta, forcing):
        k, slow = theta[..., :1], theta[..., 1:]
        X = forcing / k * np.exp(-layers.node / slow) / 0.2

        def pull(d):
            by_slow = X * layers.node / slow**2
            return np.stack([(-d * X / k).sum(-1), (d * by_slow).sum(-1)], axis=-1)

        return X, pull

    forcing = np.random.default_rng(0).uniform(100, 600, (N, 1))
    parts = {"how fast": ("k",), "how deep": ("slow",)}
    own = SimpleNamespace(PARAMETERS=table, LAYERS=layers, COMPONENTS=parts, observed=observed)
    return own, forcing, forcing[:, 0]


def of_a_thawing_column():
    """Four pools in twelve layers, wood that is not mixed, thaw that moves with the month; forcing is the input."""
    layers = SoilLayers(np.linspace(0.02, 0.35, 12))
    rows = [("tau_wood", 5.0, 40.0, 12.0), ("tau_litter", 0.2, 2.0, 0.5), ("tau_active", 2.0, 20.0, 6.0),
            ("tau_passive", 100.0, 900.0, 300.0)]  # fmt: skip
    table = ParameterTable(
        [Parameter(*(name, "yr", *numbers)) for name, *numbers in rows]
        + [Parameter("efolding", "m", 0.3, 2.0, 0.8), Parameter("mixing", "m2 yr-1", 1e-4, 2e-3, 5e-4)]
    )
    A = np.array([[1, 0, 0, 0], [-0.5, 1, 0, 0], [-0.2, -0.4, 1, -0.3], [0, 0, -0.1, 1]])
    # The mean over the year of the mixing above a thaw depth of 0.1 to 1.4 m.
    thaw = 0.75 + 0.65 * np.sin(2 * np.pi * (np.arange(12) + 0.5) / 12)
    above = layers.node < thaw[:, None]
    down, up = (a.mean(axis=0) for a in exchange_rates(face_diffusivity(above * 1.0, layers), layers))
    inflow = np.outer([0.3, 0.7, 0.0, 0.0], np.exp(-layers.node / 0.3)) / layers.thickness.sum()

    def observed(theta, forcing):
        tau, z, D = theta[..., :4, None], theta[..., 4, None, None], theta[..., 5]
        K = np.exp(-layers.node / z) / tau
        column = LayeredModel(("wood", "litter", "active", "passive"), layers, A, K,
                              D[..., None] * down, D[..., None] * up, mixed=(0, 1, 1, 0.5))  # fmt: skip
        X, pullback = column.steady_state_and_vjp(forcing[..., None] * inflow)

        def pull(d):
            back = pullback(np.repeat(d[..., None, :], 4, axis=-2))
            by_tau = -(back.K * K / tau).sum(-1)
            by_z = (back.K * K * layers.node / z**2).sum((-2, -1))
            by_D = (back.down * down + back.up * up).sum(-1)
            return np.concatenate([by_tau, by_z[..., None], by_D[..., None]], axis=-1)

        return X.sum(axis=-2), pull

    forcing = np.random.default_rng(0).uniform(100, 600, (N, 1))
    parts = {"how fast": table.names[:4], "how deep": table.names[4:]}
    own = SimpleNamespace(PARAMETERS=table, LAYERS=layers, COMPONENTS=parts, observed=observed)
    return own, forcing, forcing[:, 0]


MODELS = {
    "clm5": lambda: of_clm(clm5),
    "clm45": lambda: of_clm(clm45),
    "one's own": of_ones_own,
    "a thawing column": of_a_thawing_column,
}


@pytest.fixture(scope="module", params=MODELS)
def case(request):
    model, forcing, litter = MODELS[request.param]()
    prior = Prior(model.PARAMETERS)
    rng = np.random.default_rng(1)
    covariates = pd.DataFrame({"litter": litter, "other": rng.normal(size=N)})
    z = np.tile(prior.to_real(prior.table.default), (N, 1))
    z += 0.7 * covariates["other"].to_numpy()[:, None]
    blank = ProfileObservations(DEPTH, np.ones(DEPTH.shape), 0.2, model.LAYERS.node, model.LAYERS.bottom[-1])
    values = blank.simulate(observed_values(model, prior.from_real(z), forcing), rng)
    return model, forcing, prior, covariates, blank.with_values(values), prior.from_real(z)


def test_the_adjoint_is_the_derivative(case):
    model, forcing, _, _, _, theta = case
    y, pull = model.observed(theta, forcing)
    weight = np.random.default_rng(2).normal(size=y.shape) / y
    got = pull(weight) * theta
    np.testing.assert_array_equal(y, observed_values(model, theta, forcing))
    for k in range(theta.shape[1]):
        h = 1e-6 * theta[:, k : k + 1] * np.eye(theta.shape[1])[k]
        up, down = ((weight * model.observed(theta + s * h, forcing)[0]).sum(-1) for s in (1, -1))
        np.testing.assert_allclose(got[:, k], (up - down) / 2e-6, rtol=2e-6, atol=2e-8)


def test_it_is_assimilated_fitted_trained_and_mapped(case):
    model, forcing, prior, covariates, data, _ = case
    task = Task(data, forcing, covariates, model=model)
    sites = proda.assimilate(task, n_members=20, n_iter=2, rng=0)
    still = observed_values(model, np.tile(prior.table.default, (N, 1)), forcing)
    before, after = (np.abs(h - data.data).mean() for h in (data.predict(still), sites.prediction.mean(axis=1)))
    assert after < 0.8 * before
    batch = one_batch(task, rng=0)
    assert batch.cost[1] < batch.cost[0]
    linear = Proda("ridge", proda.ridge, 3)
    network = proda.train(task.knowing(sites), regressor=proda.ridge, n_networks=3)
    maps = proda.predict(network, task, n_draws=20)
    assert maps["carbon"].shape == (N, len(model.LAYERS))
    rivals = ("default", "one_batch", linear)
    report = evaluate(task.knowing(sites), random_folds(N, 2, rng=0), rivals, n_draws=20)
    assert report.table["r2"].notna().all()


def test_it_is_trained_end_to_end(case):
    model, forcing, _, covariates, data, _ = case
    task = Task(data, forcing, covariates, model=model)
    net = hybrid.fit(task, n_networks=2, network=(8,), epochs=20, rng=1)
    assert all(member.history[-1, 0] < member.history[0, 0] for member in net.networks)
    assert hybrid.directions(task, net.predict(covariates)).degrees_of_freedom > 0.9


def test_its_components_are_told_apart(case):
    model, forcing, _, _, _, theta = case
    found = control(theta, forcing, model=model)
    assert float(found.data["share"].sum("component").item()) == pytest.approx(1.0)
    assert set(model.COMPONENTS) <= set(found.data["component"].values)


def test_a_sampler_follows_its_gradient(case):
    model, forcing, prior, _, data, theta = case
    one = slice(0, 1)
    posterior = Posterior(
        prior, observations=data[one], model_vjp=lambda theta: model.observed(theta, forcing[one])
    )
    got = posterior.gradient_real(prior.to_real(theta[one]))[1]
    want = posterior.numerical_gradient_real(prior.to_real(theta[one]))[1]
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4 * np.abs(want).max())


def test_a_model_without_layers_learns_from_its_own_data():
    """What only maps ask for may be missing."""
    table = ParameterTable([Parameter("k", "yr-1", 0.01, 0.2, 0.05)])
    pool = SimpleNamespace(PARAMETERS=table, observed=lambda k, I: (I / k, lambda d: -d * I / k**2))
    data = GaussianLikelihood([[8000.0]], sd=100.0)
    posterior = Posterior(
        Prior(table), observations=data, model_vjp=lambda k: pool.observed(k, np.array([[400.0]]))
    )
    assert np.isfinite(posterior.gradient(np.array([[0.05]]))[1]).all()
    assert sample(posterior, "importance", n_draws=2000, rng=0).draws.mean() > 0
