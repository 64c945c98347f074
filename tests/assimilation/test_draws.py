"""What draws say: quantiles that cover, summaries, ArviZ."""

import warnings

import arviz as az
import numpy as np
import pytest

from landcarbon.assimilation import (
    Draws,
    Ensemble,
    GaussianLikelihood,
    Posterior,
    Prior,
    problems,
    sample,
)
from landcarbon.assimilation.draws import ConvergenceWarning, plain_rhat, tails
from landcarbon.matrix.errors import InputError
from landcarbon.models.parameters import Parameter, ParameterTable

UNIFORM = Prior(
    ParameterTable([Parameter("k", "1/yr", 0.1, 2.0, 0.5), Parameter("q10", "1", 1.2, 3.0, 2.0)])
)


def test_weighted_quantiles_agree_with_resampling(linear_gaussian):
    _, data = linear_gaussian.simulate((2,), rng=51)
    ensemble = sample(linear_gaussian.posterior(data), "importance", rng=52, n_draws=20_000)
    many = ensemble.resample(20_000, rng=53)
    gap = (ensemble.quantile([0.05, 0.5, 0.95]) - many.quantile([0.05, 0.5, 0.95])) / many.sd()
    np.testing.assert_allclose(gap, 0.0, atol=0.02)
    np.testing.assert_allclose(ensemble.quantile(0.5), ensemble.quantile([0.5])[0])
    np.testing.assert_allclose(ensemble.sd() / many.sd(), 1.0, atol=0.02)


def test_an_interval_of_few_draws_covers_as_often_as_it_says():
    """100 draws and a new one from the same distribution; the plain quantile would cover 93 %."""
    draws = UNIFORM.sample(100, rng=55, sites=(4000,))
    new = UNIFORM.sample(rng=56, sites=(4000,))
    equal = Ensemble(UNIFORM.names, draws)
    weighted = Ensemble(UNIFORM.names, draws, np.full((4000, 100), -np.log(100)))
    low, high = equal.quantile([0.025, 0.975])
    assert ((low < new) & (new < high)).mean() == pytest.approx(0.95, abs=0.006)
    np.testing.assert_allclose(weighted.quantile([0.025, 0.975]), [low, high])


def chains(**changes):
    rng = np.random.default_rng(1)
    parts = {
        "names": ("a", "b", "c"),
        "draws": rng.standard_normal((2, 16, 500, 3)),
        "log_density": rng.standard_normal((2, 16, 500)),
        "accept_rate": np.full((2, 16), 0.3),
        "diverging": rng.random((2, 16, 500)) < 0.01,
    }
    return Draws(**(parts | changes))


def test_summary_and_arviz():
    walk = chains()[1]
    table = walk.summary()
    assert list(table.index) == ["a", "b", "c"]
    assert list(table.columns) == [
        "mean", "sd", "2.5%", "50%", "97.5%", "r_hat", "ess_bulk", "ess_tail",
    ]  # fmt: skip
    idata = walk.to_arviz()
    assert dict(idata["posterior"].sizes) == {"chain": 16, "draw": 500}
    assert float(idata["posterior"]["b"].mean()) == pytest.approx(table.loc["b", "mean"])
    assert int(idata["sample_stats"]["diverging"].sum()) == walk.diverging.sum()
    data = walk.ensemble().to_dataset()
    assert data["mean"].sel(parameter="b").item() == pytest.approx(table.loc["b", "mean"])


def test_r_hat_sees_a_chain_that_stays_apart():
    draws = chains().draws
    assert (chains().rhat() < 1.01).all()
    draws[0, 3] += 4.0
    assert (chains(draws=draws).rhat()[0] > 1.05).all()
    assert (chains(draws=draws).rhat()[1] < 1.01).all()


def test_what_never_moved_has_no_effective_draws():
    draws = chains().draws
    draws[0, ..., 0] = 22.4
    draws[0, ..., 0] += 3e-15 * np.random.default_rng(1).standard_normal(draws.shape[1:3])
    still = chains(draws=draws)
    assert still.ess()[0, 0] == still.ess("tail")[0, 0] == 0
    assert still.rhat()[0, 0] == np.inf
    assert (still.ess()[1] > 0).all()
    assert np.isfinite(still.rhat()[1]).all()


def test_central_intervals_have_a_level():
    assert np.allclose(tails(0.9), (0.05, 0.95))
    with pytest.raises(InputError, match="between 0 and 1"):
        tails(1.0)


def test_the_tail_is_beyond_the_5_and_the_95_percent_quantile():
    """Whatever version of ArviZ computes it."""
    walk = chains(draws=np.cumsum(chains().draws, -2))
    low, high = (walk._diagnose("ess", method="quantile", prob=q) for q in (0.05, 0.95))
    np.testing.assert_allclose(walk.ess("tail"), np.minimum(low, high), rtol=1e-12)
    assert (walk.ess() != walk.ess("tail")).all()


def test_one_site_only():
    with pytest.raises(InputError, match="summary describes one site"):
        chains().summary()
    with pytest.raises(InputError, match="to_arviz takes one site"):
        chains().to_arviz()
    with pytest.raises(InputError, match="selects sites"):
        chains()[0][0]


def test_what_is_wrong_is_said_with_what_to_do():
    short = {"n_chains": 4, "n_warmup": 100, "n_draws": 50}
    with pytest.warns(ConvergenceWarning, match=r"R-hat reaches .*n_draws.*method='smc'"):
        sample(problems.banana(0.05), "metropolis", rng=1, **short)
    with pytest.warns(ConvergenceWarning, match=r"worth \d+ of the posterior, and 400 are wanted"):
        sample(problems.incubation(), "importance", rng=1, n_draws=500)
    still = np.random.default_rng(1).standard_normal((4, 60, 2))
    few = Draws(("a", "b"), still, still[..., 0], np.ones(4), np.zeros((4, 60), bool))
    assert any("effective draws, and 400 are wanted" in told for told in few.concerns())
    lost = np.zeros((4, 2000), bool)
    lost[0, :4] = True
    many = np.random.default_rng(2).standard_normal((4, 2000, 2))
    (told,) = Draws(("a", "b"), many, many[..., 0], np.ones(4), lost).concerns()
    assert told.startswith("0.05% of the trajectories diverged") and "target_accept=0.95" in told


def test_a_posterior_on_a_bound_is_told():
    prior = Prior(ParameterTable([Parameter("k", "d-1", 0.0, 2.0, 0.5)]))
    beyond = Posterior(prior, lambda theta: theta, GaussianLikelihood([2.5], 0.05))
    with pytest.warns(ConvergenceWarning, match=r"posterior of 'k' lies in the last hundredth .* upper bound, 2 d-1"):
        sample(beyond, rng=1)
    twins = Posterior(prior, lambda theta: theta, GaussianLikelihood(np.r_[2.5, np.full(19, 0.5)][:, None], 0.05))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sample(twins, rng=1, n_draws=500)  # one of twenty sites: such there are among any twins
        nothing = Posterior(prior, lambda theta: theta, GaussianLikelihood([-0.5], 0.05))
        sample(nothing, rng=1)  # at 0 there is nothing left: a finding


def test_the_default_converges_on_the_problems_of_the_course():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for posterior in (problems.gaussian(), problems.banana(0.05), problems.incubation()):
            sample(posterior, rng=1)


def test_r_hat_of_many_sites_is_the_split_one():
    x = np.random.default_rng(3).standard_normal((3, 4, 101, 2)) + np.arange(4.0)[:, None, None] * 0.1
    for s in range(3):
        exact = az.rhat(az.convert_to_dataset({"x": x[s]}), method="split")["x"].values
        np.testing.assert_allclose(plain_rhat(x)[s], exact, rtol=1e-10)
    far = np.concatenate([x] * 40)
    far[:, 0] += 3.0
    walks = Draws(("a", "b"), far, far[..., 0], np.ones((120, 4)))
    assert "at 120 of 120 sites" in walks.concerns()[0]  # and not one by one, which would take long


def test_a_prior_without_bounds_disagrees_with_data_in_words_of_its_own():
    from landcarbon.assimilation import StatedPrior, log_normal

    far = Ensemble(("k",), np.full((500, 1), 50.0) + np.random.default_rng(1).normal(size=(500, 1)))
    told = far.concerns(StatedPrior({"k": log_normal(0.1, 2.0)}))
    assert len(told) == 1 and "upper hundredth of its prior: prior and data disagree" in told[0]
    assert "inf" not in told[0]
