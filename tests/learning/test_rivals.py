"""Rivals of one shape: eight of ours, any regressor, one's own; no answer depends on who is asked first."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from landcarbon.assimilation import Prior, ProfileObservations
from landcarbon.datasets import twin_world
from landcarbon.learning import (
    RIVALS,
    EndToEnd,
    Prediction,
    Proda,
    Stream,
    Task,
    WithoutProcess,
    blocked_folds,
    evaluate,
    hybrid,
    one_batch,
    proda,
    smooth_l1,
)
from landcarbon.learning.mlp import MLP, FromFunction
from landcarbon.learning.rivals import Batch
from landcarbon.models import Parameter, ParameterTable, clm5

LITTLE = {
    "one_batch": Batch(options={"n_starts": 1, "max_iter": 5}),
    "ridge": Proda("ridge", proda.ridge, 2),
    "proda": Proda(n_networks=2, regressor=partial(proda.perceptron, hidden=(8,), max_iter=10)),
    "hybrid": EndToEnd(n_networks=2, options={"network": (8,), "epochs": 8}),
}


@pytest.fixture(scope="module")
def world():
    return twin_world(n_sites=60, rng=4)


@pytest.fixture(scope="module")
def task(world):
    task = Task(world.observations, world.forcing, world.covariates)
    return task.knowing(proda.assimilate(task, n_members=30, n_iter=2, rng=0))


@pytest.fixture(scope="module")
def folds(world):
    return blocked_folds(world.covariates["latitude"], world.covariates["longitude"], 2.0, 2, rng=0)


def said(report, name):
    return report.predictions["predicted"].sel(approach=name).values


def test_every_rival_answers_and_none_by_whom_was_asked_first(task, folds):
    rivals = [LITTLE.get(name, name) for name in RIVALS]
    whole = evaluate(task, folds, rivals, n_draws=20, rng=3)
    assert len(RIVALS) == 8 and set(RIVALS) < set(whole.table.index)
    assert whole.table["r2"].notna().all()
    turned = evaluate(task, folds, rivals[::-1], n_draws=20, rng=3)
    for rival in rivals:
        name = getattr(rival, "name", rival)
        np.testing.assert_array_equal(said(whole, name), said(turned, name))
        assert whole.table.loc[name, "coverage"] == pytest.approx(turned.table.loc[name, "coverage"], nan_ok=True)
    alone = evaluate(task, folds, LITTLE["ridge"], n_draws=20, rng=3)
    np.testing.assert_array_equal(said(whole, "ridge"), said(alone, "ridge"))
    assert len(whole.networks["proda"]) == 2 and whole.z["one_batch"].shape == (60, 21)


def test_boosting_as_the_network_and_as_a_rival_and_a_bounded_loss(world, task, folds):
    boosting = HistGradientBoostingRegressor(max_iter=20)
    robust = Task(
        Stream(world.observations, clm5.observed, loss=smooth_l1), world.forcing, world.covariates
    ).knowing(task.known)
    rivals = [Proda("boosted parameters", boosting, 2), WithoutProcess("boosting", boosting), LITTLE["hybrid"]]
    report = evaluate(robust, folds, ["default", *rivals], n_draws=20)
    r2 = report.table["r2"]
    assert (r2[["boosted parameters", "boosting", "hybrid"]] > r2["default"] + 0.05).all()
    assert np.isfinite(report.table.loc[["boosted parameters", "hybrid"], "coverage"]).all()
    # A loss of the rival is the same as one of the stream, and another than the likelihood.
    of_rival = evaluate(task, folds, LITTLE["hybrid"], n_draws=20)
    np.testing.assert_array_equal(said(report, "hybrid"), said(of_rival, "hybrid"))
    plain = evaluate(task, folds, replace(LITTLE["hybrid"], loss=None), n_draws=20)
    assert not np.allclose(said(report, "hybrid"), said(plain, "hybrid"), equal_nan=True)


@dataclass(frozen=True)
class Mean:
    """One's own: the mean of all values."""

    name: str = "mean"
    value: float = 0.0

    def learn(self, task, rng):
        return Mean(value=task.data.data[task.data.mask].mean())

    def predict(self, task, rng, n_draws):
        return Prediction(np.full(task.data.data.shape, self.value))


def test_a_rival_of_ones_own_is_one_more(task, folds):
    report = evaluate(task, folds, [Mean()])
    assert report.table.loc["mean", "r2"] == pytest.approx(0.0, abs=0.05)
    assert report.table.loc["mean", "held_out"] and np.isnan(report.table.loc["mean", "coverage"])


def test_an_outlier_pulls_with_bounded_force():
    """Value and derivative of the loss under correlated errors, against finite differences."""
    depth = np.tile([0.05, 0.2, 0.5], (4, 1))
    land = twin_world(n_sites=4, rng=1).forcing
    blank = ProfileObservations(
        depth, np.ones((4, 3)), 0.2, clm5.LAYERS.node, clm5.LAYERS.bottom[-1], correlation_length=0.3
    )
    carbon = clm5.observed_values(clm5.PRODA_START, land)
    far = blank.with_values(blank.predict_values(carbon) * [[1.0, 8.0, 0.9]])
    rough, robust = Stream(far, clm5.observed), Stream(far, clm5.observed, loss=smooth_l1)
    moved = carbon * 1.05
    J, slope = robust.cost(moved)
    way = np.random.default_rng(0).normal(size=moved.shape) * moved
    up, down = (robust.cost(moved + h * way)[0] for h in (1e-6, -1e-6))
    assert (slope * way).sum() == pytest.approx((up - down) / 2e-6, rel=1e-6)
    constant = far.likelihood.log_likelihood(far.data).sum()
    assert J < rough.cost(moved)[0] + constant
    assert np.abs(slope * moved).max() < 0.5 * np.abs(rough.cost(moved)[1] * moved).max()


def test_a_network_of_another_framework_is_one_function(task):
    """The same weights behind one function train to the same place as our own network."""
    inputs = task.covariates.shape[1]

    def ours(n, q, rng):
        return MLP.start((n, 6, q), rng)

    def theirs(n, q, rng):
        shape = ours(n, q, rng)

        def function(w, x):
            y, pull = shape.with_vector(w).forward_and_vjp(x)
            return y, lambda d: pull(d).vector()

        return FromFunction(function, shape.vector(), shape.shrinking().astype(bool))

    a, b = (hybrid.fit(task, n_networks=2, network=net, epochs=3, rng=1) for net in (ours, theirs))
    np.testing.assert_array_equal(a.parameters(task.covariates), b.parameters(task.covariates))
    widths = hybrid.fit(task, n_networks=2, network=(6,), epochs=3, rng=1)
    np.testing.assert_array_equal(a.parameters(task.covariates), widths.parameters(task.covariates))
    assert b.networks[0].net.size == inputs * 6 + 6 + 6 * 21 + 21


@pytest.mark.parametrize("clay", [22.0, 22.4])
def test_a_covariate_that_is_the_same_everywhere_is_left_out(clay, task):
    """The sd of sixty times 22.4 is not 0 but 7e-15; nothing is divided by it."""
    still = task.covariates.assign(clay=clay)
    there = task.covariates.assign(clay=25.0)
    known = Task(task.observations, task.forcing, still).knowing(task.known)
    with pytest.warns(UserWarning, match=r"'clay' is the same at all 60 sites.*left out"):
        network = proda.train(known, regressor=LITTLE["proda"].regressor, n_networks=2)
    np.testing.assert_array_equal(network.parameters(there), network.parameters(still))
    with pytest.warns(UserWarning, match="left out"):
        ends = hybrid.fit(known, n_networks=2, network=(4,), epochs=2)
    np.testing.assert_array_equal(ends.parameters(there), ends.parameters(still))
    rng = np.random.default_rng(0)
    with pytest.warns(UserWarning, match="left out"):
        free = RIVALS["pure_network"].learn(known, rng)
    other = Task(task.observations, task.forcing, there)
    np.testing.assert_array_equal(free.predict(other, rng).mean, free.predict(known, rng).mean)


def test_one_batch_takes_every_kind_of_data():
    """k from carbon alone is free along k/f; with the flux it is not."""
    from landcarbon.assimilation import GaussianLikelihood

    prior = Prior(ParameterTable([Parameter("f", "1", 0.05, 0.9, 0.5), Parameter("k", "yr-1", 0.005, 0.2, 0.05)]))
    litter = np.linspace(200.0, 600.0, 8)
    f, k = 0.2, 0.02

    def carbon(theta, I):  # noqa: E741
        f, k = theta.T
        return (np.log(f * I / k))[:, None], lambda d: d * np.stack([1 / f, -1 / k], axis=1)

    def flux(theta, I):  # noqa: E741
        return np.log(theta[:, 0] * I)[:, None], lambda d: d * np.stack([1 / theta[:, 0], 0 * theta[:, 0]], axis=1)

    data = [
        Stream(GaussianLikelihood(np.log(f * litter / k)[:, None], 0.02), carbon),
        Stream(GaussianLikelihood(np.log(f * litter)[:, None], 0.02), flux),
    ]
    found = one_batch(Task(data, litter, prior=prior), rng=0)
    np.testing.assert_allclose(found.parameters, [f, k], rtol=0.02)
