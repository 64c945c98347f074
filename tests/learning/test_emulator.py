"""Emulators: honest errors, the same posterior from few runs, and a word when they do not pay."""

import time
from functools import cache

import numpy as np
import pytest

from landcarbon.assimilation import GaussianLikelihood, Prior
from landcarbon.learning import emulator as em
from landcarbon.matrix.errors import InputError
from landcarbon.models import Parameter, ParameterTable

PRIOR = Prior(
    ParameterTable(
        [
            Parameter("k_vegetation", "yr-1", 0.03, 0.3, 0.13),
            Parameter("k_litter", "yr-1", 0.3, 2.0, 0.8),
            Parameter("k_soil", "yr-1", 0.002, 0.05, 0.009),
            Parameter("litter_to_soil", "1", 0.1, 0.6, 0.3),
        ]
    )
)


def century(theta):
    """Three pools from bare ground under rising input, by yearly implicit steps; 12 outputs."""
    kv, kl, ks, f = np.moveaxis(np.asarray(theta, dtype=float), -1, 0)
    v = litter = s = np.zeros_like(kv)
    out = []
    for year in range(100):
        v = (v + 400 * (1 + 0.004 * year)) / (1 + kv)
        litter = (litter + kv * v) / (1 + kl)
        s = (s + f * kl * litter) / (1 + ks)
        if year in (24, 49, 74, 99):
            out += [v, s, kl * litter * (1 - f) + ks * s]
    return np.stack(out, axis=-1)


SD = np.array([400.0, 800.0, 20.0] * 4)
TRUTH = np.array([0.12, 0.9, 0.012, 0.35])
DATA = GaussianLikelihood(century(TRUTH) + SD * np.random.default_rng(3).standard_normal(12), SD)


@pytest.fixture(scope="module")
def direct():
    """Prior draws weighted by the model's own likelihood: 60,000 runs."""
    theta = PRIOR.sample(60_000, rng=5)
    return theta, moments(theta, DATA.log_likelihood(century(theta)))


def moments(theta, ll):
    w = np.exp(ll - ll.max())
    w /= w.sum()
    mean = w @ theta
    return mean, np.sqrt(w @ (theta - mean) ** 2)


@cache
def by_runs(n, kind="network", seed=1):
    theta = em.design(PRIOR, n, rng=seed)
    return em.fit(theta, century(theta), PRIOR, kind, rng=seed)


@cache
def refined(seed):
    return em.refine(by_runs(60, seed=seed), century, DATA, n=20, rounds=2, candidates=200, rng=seed)


@pytest.fixture(scope="module")
def networks():
    return by_runs(60), by_runs(120)


def test_design_covers_every_parameter_evenly():
    u = PRIOR.to_unit(em.design(PRIOR, 50, rng=1))
    for column in np.sort(u, axis=0).T:
        np.testing.assert_array_equal(np.floor(column * 50), np.arange(50))
    np.testing.assert_array_equal(em.design(PRIOR, 7, rng=2), em.design(PRIOR, 7, rng=2))


def test_ridge_finds_a_quadratic_exactly():
    theta = em.design(PRIOR, 40, rng=1)
    x = 2 * PRIOR.to_unit(theta) - 1
    outputs = np.stack([x[:, 0] * x[:, 3] - x[:, 1], 5 + x[:, 2] ** 2], axis=-1)
    made = em.fit(theta, outputs, PRIOR, "ridge", rng=1)
    assert made.r2.min() > 1 - 1e-8
    new = em.design(PRIOR, 9, rng=4)
    u = 2 * PRIOR.to_unit(new) - 1
    np.testing.assert_allclose(made(new)[:, 0], u[:, 0] * u[:, 3] - u[:, 1], atol=1e-4)


def test_kinds_in_the_expected_order(networks):
    """On a smooth curved model from 80 runs: squares are not enough, processes and networks are."""
    theta = em.design(PRIOR, 80, rng=1)
    table = em.compare(theta, century(theta), PRIOR, ("ridge", "gp"), rng=1)
    assert 0.7 < table.loc["ridge", "worst r2"] < 0.95
    assert table.loc["gp", "worst r2"] > 0.97
    assert networks[0].r2.min() > 0.97
    assert networks[1].r2.min() > 0.99


def test_error_bars_hold_at_fresh_runs(networks):
    """What cross-validation claims against 2,000 new runs: no smaller than two thirds of the truth."""
    made = networks[1]
    new = em.design(PRIOR, 2000, rng=77)
    fresh = np.sqrt(((made(new) - century(new)) ** 2).mean(axis=0))
    assert (made.error > 0.67 * fresh).all()
    assert np.median(made.error / fresh) < 2.5
    np.testing.assert_allclose(np.diag(made.covariance), made.error**2)


def test_residuals_come_from_members_that_had_not_seen_the_run(networks):
    made = networks[0]
    for k, member in enumerate(made.members):
        out = made.fold == k
        x = em._inputs(PRIOR, made.theta[out])
        said = made.centre + made.scale * (em._predict(member, x) @ made.basis)
        np.testing.assert_allclose(made.outputs[out] - said, made.residual[out])


@pytest.mark.parametrize("seed", [1, 2])
def test_same_posterior_as_the_model_from_100_runs(direct, seed):
    """Mean within 0.1 sd, sd within 5 %, beside 60,000 runs of the model on the same draws."""
    theta, (mean, sd) = direct
    made = refined(seed)
    assert len(made) == 100
    m, s = moments(theta, made.posterior(DATA).log_likelihood(theta))
    assert np.abs((m - mean) / sd).max() < 0.1
    np.testing.assert_allclose(s / sd, 1.0, atol=0.05)


def test_runs_chosen_by_the_data_beat_as_many_from_the_prior(direct):
    theta, (_, sd) = direct
    chosen = refined(1)
    even = by_runs(100)
    assert (chosen.error / SD).max() < 0.5 * (even.error / SD).max()
    away = [np.abs((moments(theta, e.posterior(DATA).log_likelihood(theta))[1] / sd) - 1).max() for e in (chosen, even)]
    assert away[0] < away[1]


def test_its_own_error_keeps_a_poor_emulator_from_being_sure(direct):
    """Ridge is wrong by more than the data: with its error the truth stays in, without it does not."""
    theta, (mean, _) = direct
    poor = by_runs(60, "ridge")
    m, s = moments(theta, poor.posterior(DATA).log_likelihood(theta))
    bold, tight = moments(theta, DATA.log_likelihood(poor(theta)))
    assert np.abs((bold - mean) / tight).max() > 1.5
    assert np.abs((m - mean) / s).max() < 1
    assert s[0] > 2 * tight[0]


def test_likelihood_is_the_gaussian_with_both_errors(networks):
    from scipy.stats import multivariate_normal

    made = networks[0]
    theta = PRIOR.sample(5, rng=1)
    want = [
        multivariate_normal(h, np.diag(SD**2) + made.covariance).logpdf(DATA.data) for h in made(theta)
    ]
    np.testing.assert_allclose(made.posterior(DATA).log_likelihood(theta), want, rtol=1e-9)
    holes = GaussianLikelihood(np.where(np.arange(12) < 5, DATA.data, np.nan), SD, np.arange(12) < 5)
    part = [
        multivariate_normal(h[:5], np.diag(SD[:5] ** 2) + made.covariance[:5, :5]).logpdf(DATA.data[:5])
        for h in made(theta)
    ]
    np.testing.assert_allclose(made.posterior(holes).log_likelihood(theta), part, rtol=1e-9)


def test_chosen_runs_lie_where_the_data_want_them_and_apart(networks):
    made = networks[0]
    chosen = em.choose(made, DATA, 10, rng=1)
    # The data fix k_vegetation to about 0.11; its prior reaches from 0.03 to 0.3.
    assert chosen.shape == (10, 4)
    assert (np.abs(chosen[:, 0] - 0.113) < 0.04).all()
    u = PRIOR.to_unit(chosen)
    gaps = np.sqrt(((u[:, None] - u) ** 2).sum(axis=-1)) + np.eye(10)
    assert gaps.min() > 0.02


def test_same_seed_same_emulator():
    a, b = (em.fit(THETA, OUT, PRIOR, rng=6)(TRUTH) for _ in range(2))
    np.testing.assert_array_equal(a, b)


def test_report_says_when_the_model_is_cheaper(networks):
    made = networks[0]

    def slow(theta):
        time.sleep(0.05)
        return century(theta)

    cheap = em.costs(made, century, 1000, batch=200)
    assert not cheap.pays
    assert "the model itself is cheaper than its emulator" in str(cheap)
    dear = em.costs(made, slow, 1e8, batch=20)
    assert dear.pays
    assert dear.speed_up > 5
    assert "times cheaper" in str(dear)
    assert np.isclose(dear.break_even * (dear.model - dear.emulator), dear.building)
    never = em.Costs(model=1e-6, emulator=2e-6, runs=10, training=1.0, calls=1e9)
    assert np.isinf(never.break_even)
    assert not never.pays
    assert "no number of calls" in str(never)


def test_table_sets_its_error_beside_that_of_the_data(networks):
    table = networks[0].table(DATA)
    np.testing.assert_array_equal(table["error of data"], SD)
    assert (table["error"] < table["spread of output"]).all()
    assert "Emulator (network) from 60 runs" in repr(networks[0])


THETA = em.design(PRIOR, 20, rng=1)
OUT = century(THETA)
CASES = {
    "unknown kind": (lambda: em.fit(THETA, OUT, PRIOR, "forest"), "no emulator 'forest'.*ridge"),
    "other lengths": (lambda: em.fit(THETA, OUT[:9], PRIOR), "20 runs and outputs 9"),
    "failed runs": (lambda: em.fit(THETA, np.where(OUT > 0, OUT, np.nan) * np.inf, PRIOR), "left out"),
    "one output as a row": (lambda: em.fit(THETA, OUT[:, 0], PRIOR), "axes of length"),
    "few runs": (lambda: em.fit(THETA[:10], OUT[:10], PRIOR), "at least 15 runs, but there are 10"),
    "constant output": (lambda: em.fit(THETA, np.c_[OUT, np.ones(20)], PRIOR), "Output 12 is the same"),
    "out of bounds": (lambda: em.fit(THETA + 1, OUT, PRIOR), "'k_vegetation' must lie between"),
    "nothing judged": (lambda: em.fit(THETA, OUT, PRIOR, judged=[False] * 20), "mark some runs"),
    "no runs": (lambda: em.design(PRIOR, 0), "at least 1"),
    "data of another kind": (
        lambda: em.fit(THETA, OUT, PRIOR, "ridge").posterior(GaussianLikelihood([1.0], 0.1)),
        "12 outputs, but the data have shape",
    ),
    "more runs than candidates": (
        lambda: em.choose(em.fit(THETA, OUT, PRIOR, "ridge"), DATA, 9, candidates=5), "as many candidates"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_bad_input_gets_a_sentence(name):
    call, words = CASES[name]
    with pytest.raises(InputError, match=words):
        call()
