"""Samplers against exact answers, and calibrated: a planted bug must be caught."""

import numpy as np
import pytest
from scipy import stats

from landcarbon.assimilation import (
    Ensemble,
    Posterior,
    Prior,
    adaptive_metropolis,
    importance_sampling,
    sample,
)
from landcarbon.assimilation.streams import site_generator
from landcarbon.matrix.errors import InputError
from landcarbon.models.parameters import Parameter, ParameterTable

UNIFORM = Prior(
    ParameterTable([Parameter("k", "1/yr", 0.1, 2.0, 0.5), Parameter("q10", "1", 1.2, 3.0, 2.0)])
)


def calibration_p_values(truth, draws, bins=20):
    """Rank of the truth among posterior draws, one a site; p-values of uniform ranks (p,)."""
    n = draws.shape[-2]
    assert (n + 1) % bins == 0
    rank = (draws < truth[..., None, :]).sum(-2)
    counts = np.stack(
        [np.bincount(column // ((n + 1) // bins), minlength=bins) for column in rank.T]
    )
    return stats.chisquare(counts, axis=1).pvalue


def test_metropolis_is_calibrated_and_accepted_only_is_not(linear_gaussian):
    truth, data = linear_gaussian.simulate((800,), rng=11)
    walk = sample(
        linear_gaussian.posterior(data),
        "metropolis",
        rng=12,
        n_chains=8,
        n_warmup=300,
        n_draws=1000,
        target_accept=0.1,
    )
    z = linear_gaussian.prior.to_real(walk.draws)
    right = z[..., ::40, :].reshape(800, -1, 3)[:, :199]
    assert (calibration_p_values(truth, right) > 0.01).all()

    # The planted bug: rejections are not repeated, so states count without the time spent there.
    moved = (np.diff(z, axis=-2) != 0).any(-1)
    rng = np.random.default_rng(13)
    wrong = np.stack([rng.permutation(z[s, :, 1:][moved[s]])[:199] for s in range(800)])
    assert (calibration_p_values(truth, wrong) < 1e-6).any()


def test_importance_sampling_is_calibrated(linear_gaussian):
    truth, data = linear_gaussian.simulate((500,), rng=21)
    ensemble = sample(linear_gaussian.posterior(data), "importance", rng=22, n=4000)
    z = linear_gaussian.prior.to_real(ensemble.resample(199, rng=23).draws)
    assert (calibration_p_values(truth, z) > 0.01).all()


def test_metropolis_equals_the_exact_posterior(linear_gaussian):
    _, data = linear_gaussian.simulate((4,), rng=31)
    mean, cov = linear_gaussian.exact(data)
    posterior = linear_gaussian.posterior(data)
    walk = sample(posterior, rng=32, n_chains=32, n_warmup=500, n_draws=2000)
    z = linear_gaussian.prior.to_real(walk.ensemble().draws)
    sd = np.sqrt(np.diag(cov))
    np.testing.assert_allclose((z.mean(-2) - mean) / sd, 0.0, atol=0.05)
    np.testing.assert_allclose(z.std(-2) / sd, 1.0, atol=0.05)
    np.testing.assert_allclose(np.corrcoef(z[0].T)[0, 1], cov[0, 1] / (sd[0] * sd[1]), atol=0.05)
    assert (walk.rhat() < 1.01).all()
    assert (np.abs(walk.accept_rate - 0.234) < 0.06).all()


def test_importance_sampling_equals_the_exact_posterior_and_evidence(linear_gaussian):
    _, data = linear_gaussian.simulate((4,), rng=41)
    mean, cov = linear_gaussian.exact(data)
    ensemble = sample(linear_gaussian.posterior(data), "importance", rng=42, n=40_000)
    z = linear_gaussian.prior.to_real(ensemble.draws)
    w = ensemble.weight[..., None]
    np.testing.assert_allclose(((w * z).sum(-2) - mean) / np.sqrt(np.diag(cov)), 0.0, atol=0.05)
    error = (
        ensemble.log_evidence - linear_gaussian.exact_log_evidence(data)
    ) / ensemble.log_evidence_error
    assert (np.abs(error) < 3.5).all()
    assert ((ensemble.ess > 100) & (ensemble.ess < 40_000)).all()


def test_evidence_error_is_the_spread_of_repeated_runs(linear_gaussian):
    _, data = linear_gaussian.simulate((), rng=45)
    same = np.broadcast_to(data, (400, 2))
    runs = sample(linear_gaussian.posterior(same), "importance", rng=46, n=2000)
    assert runs.log_evidence.std() == pytest.approx(runs.log_evidence_error.mean(), rel=0.15)


def test_weighted_quantiles_agree_with_resampling(linear_gaussian):
    _, data = linear_gaussian.simulate((2,), rng=51)
    ensemble = sample(linear_gaussian.posterior(data), "importance", rng=52, n=20_000)
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


def test_without_data_a_uniform_prior_gives_uniform_samples():
    posterior = Posterior(UNIFORM, likelihood=lambda theta: np.zeros(theta.shape[:-1]))
    walk = sample(posterior, rng=61, n_chains=40, n_warmup=500, n_draws=1000)
    u = UNIFORM.to_unit(walk.draws[:, ::40]).reshape(-1, 2)
    assert all(stats.kstest(column, "uniform").pvalue > 0.01 for column in u.T)
    np.testing.assert_allclose(UNIFORM.to_unit(walk.ensemble().draws).var(0), 1 / 12, rtol=0.05)

    # Without the Jacobian the density has no mass inside: the chains run away to the bounds.
    def bare(z):
        return UNIFORM.log_density(UNIFORM.from_real(z))

    start = UNIFORM.to_real(UNIFORM.sample(40, rng=62))
    away = UNIFORM.from_real(adaptive_metropolis(bare, start, 100, 400, rng=63).draws)
    wrong = UNIFORM.to_unit(away[:, ::40]).reshape(-1, 2)
    assert all(stats.kstest(column, "uniform").pvalue < 1e-6 for column in wrong.T)


def test_batched_equals_one_site_at_a_time(linear_gaussian):
    _, data = linear_gaussian.simulate((3,), rng=71)

    def run(method, positions, **options):
        rngs = [site_generator(5, k) for k in positions]
        return sample(linear_gaussian.posterior(data[positions]), method, rngs, **options)

    for method, options in (
        ("metropolis", {"n_chains": 4, "n_warmup": 100, "n_draws": 50}),
        ("importance", {"n": 500}),
        ("es-mda", {"n_members": 50}),
    ):
        whole = run(method, [0, 1, 2], **options)
        for k in range(3):
            np.testing.assert_allclose(
                whole[k].draws, run(method, [k], **options)[0].draws, rtol=1e-10
            )


def test_chunks_of_draws_change_nothing(linear_gaussian):
    _, data = linear_gaussian.simulate((2,), rng=81)
    posterior = linear_gaussian.posterior(data)
    whole = sample(posterior, "importance", rng=1, n=700, chunk=700)
    parts = sample(posterior, "importance", rng=1, n=700, chunk=99)
    np.testing.assert_allclose(whole.log_weight, parts.log_weight, rtol=1e-12)


def test_rejected_proposals_repeat_the_state():
    walk = adaptive_metropolis(lambda x: -0.5 * (x**2).sum(-1), np.zeros((3, 2)), 200, 500, rng=1)
    stayed = (np.diff(walk.draws, axis=-2) == 0).all(-1).mean(-1)
    np.testing.assert_allclose(stayed, 1 - walk.accept_rate, atol=0.01)


def test_summary_and_arviz(linear_gaussian):
    _, data = linear_gaussian.simulate((), rng=91)
    walk = sample(linear_gaussian.posterior(data), rng=92, n_warmup=300, n_draws=500)
    table = walk.summary()
    assert list(table.index) == ["a", "b", "c"]
    assert list(table.columns) == [
        "mean",
        "sd",
        "2.5%",
        "50%",
        "97.5%",
        "r_hat",
        "ess_bulk",
        "ess_tail",
    ]
    idata = walk.to_arviz()
    assert dict(idata.posterior.sizes) == {"chain": 16, "draw": 500}
    assert float(idata.posterior.b.mean()) == pytest.approx(table.loc["b", "mean"])
    data = walk.ensemble().to_dataset()
    assert data["mean"].sel(parameter="b").item() == pytest.approx(table.loc["b", "mean"])


def nothing(theta):
    return np.zeros(theta.shape[:-1])


def no_model(theta):
    return np.zeros((*theta.shape[:-1], 2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: sample(p, "nuts"), "no sampling method 'nuts'; known are metropolis"),
        (lambda p: sample(p, "metropolis", n_chain=3), "unexpected keyword argument 'n_chain'"),
        (lambda p: sample(p, "metropolis", n_chains=0), "n_chains must be a whole number"),
        (lambda p: sample(p, "metropolis", n_warmup=5), "at least 100 steps to learn"),
        (
            lambda p: sample(p, "metropolis", target_accept=1.5),
            r"target_accept must lie in \(0, 1\)",
        ),
        (lambda p: sample(p, "es-mda"), "a likelihood alone is not enough"),
        (lambda p: sample(p, "importance", n=0), "n must be a whole number"),
        (lambda p: p.log_density([3.0, 2.0]), "'k' must lie between 0.1 and 2 1/yr, but 3"),
        (lambda p: p.predict([1.0, 2.0]), "no model to run"),
        (
            lambda p: sample(p, n_warmup=100, n_draws=2).to_dataset(site=[1]) and sample(p)[0],
            "one site",
        ),
        (lambda p: Posterior(UNIFORM), "Posterior.prior, model, observations"),
        (lambda p: Posterior(UNIFORM, no_model), "either a model with observations"),
        (
            lambda p: Posterior(UNIFORM, likelihood=no_model).log_likelihood([1.0, 2.0]),
            "one number a param",
        ),
        (
            lambda p: Posterior(UNIFORM, likelihood=lambda th: np.nan * th[..., 0]).log_likelihood(
                [1.0, 2.0]
            ),
            "NaN at index .*k=1, q10=2",
        ),
        (
            lambda p: importance_sampling(lambda th: nothing(th) - np.inf, UNIFORM),
            "contradict the prior",
        ),
        (
            lambda p: adaptive_metropolis(lambda x: nothing(x) - np.inf, np.zeros((2, 1))),
            "density zero",
        ),
        (lambda p: adaptive_metropolis(lambda x: nothing(x) * np.nan, np.zeros((2, 1))), "NaN at"),
        (lambda p: adaptive_metropolis(lambda x: x, np.zeros((2, 1))), "one number a chain"),
        (lambda p: adaptive_metropolis(nothing, np.zeros(3)), "start must end in axes"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call(Posterior(UNIFORM, likelihood=nothing))
