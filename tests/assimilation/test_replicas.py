"""After the fit: densities of single data, groups of ArviZ, and models compared by data left out."""

import warnings

import arviz as az
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from landcarbon.assimilation import (
    GaussianLikelihood,
    JointObservations,
    Posterior,
    ProfileObservations,
    SeriesObservations,
    StatedPrior,
    fit,
    half_normal,
    log_normal,
    pools,
    sample,
    uniform,
)
from landcarbon.matrix.errors import InputError

T = np.linspace(0.5, 8.0, 14)
SHAPES = {
    "one pool": lambda k, p: np.exp(-k * T),
    "after a pause": lambda k, p: np.exp(-k * np.maximum(T - 4.0 * p, 0.0)),
    "slower and slower": lambda k, p: (1.0 + k * T / (1.0 + p)) ** -(1.0 + p),
}
PRIOR = StatedPrior({"k": log_normal(0.4, 1.6), "p": uniform(0.2, 1.0)})


def groups(trees):
    return set(trees.groups()) if callable(trees.groups) else set(trees.children)  # ArviZ 1


def elpd(found):
    return float(found.elpd_loo if hasattr(found, "elpd_loo") else found.elpd)


def decay(shape, values):
    """Posterior of litter that loses mass in one of three ways."""
    obs = GaussianLikelihood(values, sd=0.02)
    return Posterior(PRIOR, lambda theta: SHAPES[shape](theta[..., :1], theta[..., 1:2]), obs)


def test_densities_of_single_data_are_those_of_the_dense_normal():
    rng = np.random.default_rng(1)
    at, length = rng.permutation(np.array([0.0, 1, 1.5, 4, 9, 9.5])), 2.0
    mask = np.array([True, True, False, True, True, True])
    y, h, sd = rng.standard_normal(6), rng.standard_normal((3, 6)), rng.uniform(0.5, 2.0, 6)
    R = np.outer(sd, sd) * np.exp(-np.abs(at[:, None] - at) / length)
    found = GaussianLikelihood(y, sd, mask, correlation_length=length, at=at).pointwise(h)
    assert (found[:, 2] == 0).all()
    for i in np.flatnonzero(mask):
        rest = np.flatnonzero(mask & (np.arange(6) != i))
        both = np.append(rest, i)
        for d in range(3):
            exact = (multivariate_normal(h[d, both], R[np.ix_(both, both)]).logpdf(y[both])
                     - multivariate_normal(h[d, rest], R[np.ix_(rest, rest)]).logpdf(y[rest]))  # fmt: skip
            assert found[d, i] == pytest.approx(exact, rel=1e-10)


def test_independent_data_sum_to_the_likelihood():
    series = SeriesObservations([[9.0, 8.0], [8.0, 7.0]], 1.0, t=[0.0, 1, 2], end=[[0.5, 1.0], [1.5, 2.0]])
    carbon = ProfileObservations([[0.1, 0.3]] * 2, [[20e3, 9e3]] * 2, 0.3, [0.1, 0.2, 0.4], bottom=0.5)
    rng = np.random.default_rng(2)
    X, Z = rng.uniform(5, 12, (2, 7, 3)), rng.uniform(5e3, 3e4, (2, 7, 3))
    joint = JointObservations({"series": series, "carbon": carbon})
    both = joint.join({"series": X, "carbon": Z})
    for obs, values in ((series, X), (carbon, Z), (joint, both)):
        assert obs.pointwise(values).shape == (2, 7, obs.data.shape[-1])
        np.testing.assert_allclose(obs.pointwise(values).sum(-1), obs.log_likelihood(values), rtol=1e-12)
    assert (carbon.values == [[20e3, 9e3]] * 2).all()  # as `simulate` makes them, not their logarithm
    assert (joint.values[:, :2] == series.data).all()


def test_every_sampler_goes_to_arviz():
    rng = np.random.default_rng(3)
    values = SHAPES["one pool"](0.4, 0) + 0.02 * rng.standard_normal(T.size)
    posterior = decay("one pool", values)
    options = {"smc": {}, "importance": {"n_draws": 20000}, "es-mda": {"n_members": 500}, "metropolis": {"thin": 4}}
    left_out = {}
    for method, option in options.items():
        found = sample(posterior, method, 1, **option)
        trees = found.to_arviz(posterior)
        for group in ("posterior", "prior", "posterior_predictive", "observed_data", "log_likelihood"):
            assert group in groups(trees)
        assert trees["posterior"]["k"].mean().item() == pytest.approx(found.mean()[0], rel=0.02)
        np.testing.assert_array_equal(trees["observed_data"]["data"], values)
        made = trees["posterior_predictive"]["data"]
        np.testing.assert_allclose(made.std(("chain", "draw")), 0.02, rtol=0.25)
        left_out[method] = elpd(az.loo(trees))
        if hasattr(az, "waic"):
            assert az.waic(trees).elpd_waic == pytest.approx(left_out[method], abs=0.1)
    assert np.ptp(list(left_out.values())) < 0.3


def test_leaving_out_is_what_refits_say():
    """LOO without a second fit, beside fourteen fits that leave one datum out each."""
    rng = np.random.default_rng(4)
    values = SHAPES["one pool"](0.4, 0) + 0.02 * rng.standard_normal(T.size)
    posterior = decay("one pool", values)
    quick = elpd(az.loo(sample(posterior, "smc", 1, n_draws=2000).to_arviz(posterior)))
    without = GaussianLikelihood(np.tile(values, (T.size, 1)), 0.02, mask=~np.eye(T.size, dtype=bool))
    each = Posterior(PRIOR, posterior.model, without)
    theta = sample(each, "smc", 1, n_draws=2000).draws
    density = GaussianLikelihood(values, 0.02).pointwise(posterior.model(theta))
    exact = sum(np.log(np.exp(density[i, :, i]).mean()) for i in range(T.size))
    assert quick == pytest.approx(exact, abs=0.15)


def test_the_model_that_made_the_data_comes_first():
    """Fifty twins, three candidates, each the truth of a third of them."""
    rng = np.random.default_rng(5)
    truth = np.arange(50) % 3
    theta = PRIOR.sample(50, rng=6)
    values = np.stack([SHAPES[list(SHAPES)[m]](k, p) for m, (k, p) in zip(truth, theta)])
    values += 0.02 * rng.standard_normal(values.shape)
    score = np.empty((50, 3))
    for m, shape in enumerate(SHAPES):
        posterior = decay(shape, values)
        draws = sample(posterior, "smc", 7, n_draws=400)
        for i in range(50):
            score[i, m] = elpd(az.loo(draws[i].to_arviz(posterior.at(i))))
    assert (score.argmax(1) == truth).sum() >= 45


def test_jars_go_to_arviz_whole():
    import pandas as pd

    rng, day = np.random.default_rng(8), np.array([1.0, 4, 10, 30, 80, 200])
    rows = [
        (soil, str(j), t, f)
        for soil, theta in (("pine", [0.15, 0.003, 20.0, 5.0]), ("oak", [0.08, 0.002, 10.0, 8.0]))
        for j in range(4)
        for t, f in zip(day, pools(2).flux(theta, day) * np.exp(0.2 * rng.standard_normal() + rng.normal(0, 0.1, 6)))
    ]
    table = pd.DataFrame(rows, columns=["soil", "jar", "day", "flux"])
    two, one = (fit(pools(n), table, {"tau": half_normal(0.3)}, rng=1) for n in (2, 1))
    trees = two.to_arviz()
    assert list(trees["posterior"]["soil"].values) == ["oak", "pine"]
    assert trees["log_likelihood"]["data"].shape[-1] == 8
    assert trees["observed_data"]["data"].size == 48
    ranks = az.compare({"two": trees, "one": one.to_arviz()})
    assert ranks.index[0] == "two"
    assert ranks.loc["one", "elpd_diff"] > 2 * ranks.loc["one", "dse"]


def test_what_cannot_be_said_is_not():
    flux = GaussianLikelihood(SHAPES["one pool"](0.4, 0), 0.02)
    weighted = JointObservations({"flux": flux}, weight={"flux": 0.25})
    posterior = Posterior(PRIOR, lambda theta: np.exp(-theta[..., :1] * T), weighted)
    found = sample(posterior, "smc", 1)
    assert "log_likelihood" not in groups(found.to_arviz(posterior))
    many = decay("one pool", np.tile(flux.data, (2, 1)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        two = sample(many, "smc", 1, n_draws=50)
    with pytest.raises(InputError, match="takes one site"):
        two.to_arviz(many)
    with pytest.raises(InputError, match=r"use .at\(0\)"):
        two[0].to_arviz(many)
    with pytest.raises(InputError, match="there is no model to run"):
        found.to_arviz(Posterior(PRIOR, likelihood=lambda theta: -theta.sum(-1)))
