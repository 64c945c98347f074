"""Errors as parameters: the dense normal, recovery, calibration, and what comes after the fit."""

import arviz as az
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from landcarbon.assimilation import FreeErrors, StatedPrior, half_normal, log_normal, sample
from landcarbon.assimilation.calibration import Calibration, few, rank
from landcarbon.matrix.errors import InputError

T = np.array([0.5, 1, 2, 3, 5, 8, 9, 12, 16, 20])
PRIOR = StatedPrior({"k": log_normal(0.1, 2), "a": half_normal(0.05), "r": half_normal(0.2), "l": log_normal(3, 2)})
MODEL = lambda theta: np.exp(-theta[..., :1] * T)  # noqa: E731
KINDS = ({"absolute": "a"}, {"relative": "r"}, {"absolute": "a", "relative": "r"},
         {"absolute": "a", "relative": "r", "at": T, "memory": "l"})  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_densities_are_those_of_the_dense_normal(kind):
    rng = np.random.default_rng(1)
    theta, y = PRIOR.sample(6, rng=2), rng.uniform(0.1, 1.0, T.size)
    errors = FreeErrors(PRIOR, MODEL, y, **kind)
    whole, each = errors.log_likelihood(theta), errors.pointwise(theta)
    for d, (k, a, r, length) in enumerate(theta):
        h = np.exp(-k * T)
        sd = np.sqrt((a**2 if "absolute" in kind else 0) + ((r * h) ** 2 if "relative" in kind else 0))
        C = np.exp(-np.abs(T[:, None] - T) / length) if "memory" in kind else np.eye(T.size)
        R = np.outer(sd, sd) * C
        exact = multivariate_normal(h, R).logpdf(y)
        assert whole[d] == pytest.approx(exact, rel=1e-9)
        for i in (0, 4, 9):
            rest = np.delete(np.arange(T.size), i)
            others = multivariate_normal(h[rest], R[np.ix_(rest, rest)]).logpdf(y[rest])
            assert each[d, i] == pytest.approx(exact - others, rel=1e-7, abs=1e-7)


def test_truths_lie_where_the_posterior_says():
    """Fifty twins, all four parameters from the prior."""
    truth = PRIOR.sample(50, rng=3)
    draws = []
    for i in range(50):
        blank = FreeErrors(PRIOR, MODEL, np.ones(T.size), **KINDS[3])
        y = blank.replicate(truth[i : i + 1], rng=100 + i).simulated[0]
        errors = FreeErrors(PRIOR, MODEL, y, **KINDS[3])
        found = sample(errors.posterior(), "smc", i, n_draws=200)
        draws.append(few(found, 99))
    result = Calibration(PRIOR.names, rank(truth, np.stack(draws)), 99)
    assert result.p_value(bins=5) > 0.01
    np.testing.assert_allclose(result.coverage(0.8), 0.8, atol=0.17)


def test_the_right_kind_of_error_comes_first():
    """Errors made as a share: LOO prefers the share."""
    rng = np.random.default_rng(4)
    y = np.exp(-0.2 * T) * (1 + 0.1 * rng.standard_normal(T.size))
    score = {}
    for name in ("absolute", "relative"):
        prior = StatedPrior({"k": log_normal(0.1, 2), "s": half_normal(0.2)})
        errors = FreeErrors(prior, MODEL, y, **{name: "s"})
        found = az.loo(sample(errors.posterior(), rng=1).to_arviz(errors))
        score[name] = float(found.elpd_loo if hasattr(found, "elpd_loo") else found.elpd)
    assert score["relative"] > score["absolute"] + 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "name the parameter that is the error"),
        ({"absolute": "sigma"}, "the prior has no 'sigma'"),
        ({"absolute": "a", "memory": "l"}, "need at="),
        ({"absolute": "a", "at": T[::-1], "memory": "l"}, "at must rise"),
        ({"absolute": "a", "observed": np.ones((2, 10))}, "observed is one series"),
        ({"absolute": "a", "observed": np.ones(3)}, "one value a datum"),
    ],
)
def test_bad_input(options, message):
    options = {"observed": np.ones(T.size)} | options
    with pytest.raises(InputError, match=message):
        FreeErrors(PRIOR, MODEL, **options).log_likelihood(PRIOR.sample(2, rng=1))
