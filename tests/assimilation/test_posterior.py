"""Posteriors: gradients, real coordinates far out, selection of sites, bad input."""

import numpy as np
import pytest

from landcarbon.assimilation import (
    GaussianLikelihood,
    Posterior,
    Prior,
    calibration,
    problems,
    sample,
)
from landcarbon.matrix.errors import InputError
from landcarbon.models.parameters import Parameter, ParameterTable

UNIFORM = Prior(
    ParameterTable([Parameter("k", "1/yr", 0.1, 2.0, 0.5), Parameter("q10", "1", 1.2, 3.0, 2.0)])
)
PROBLEMS = {name: getattr(problems, name)() for name in problems.__all__}


@pytest.mark.parametrize("name", PROBLEMS)
def test_gradient_agrees_with_differences(name):
    posterior = PROBLEMS[name]
    z = posterior.prior.to_real(posterior.prior.sample((2, 5), rng=1))
    lp, gradient = posterior.gradient_real(z)
    lp_again, numeric = posterior.numerical_gradient_real(z)
    np.testing.assert_allclose(lp, lp_again, rtol=1e-12)
    np.testing.assert_allclose(lp, posterior.log_density_real(z), rtol=1e-12)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-5)


def test_gradient_beside_a_likelihood():
    posterior = Posterior(
        UNIFORM,
        likelihood=lambda th: -(th**2).sum(-1),
        likelihood_gradient=lambda th: -2.0 * th,
    )
    z = np.random.default_rng(2).standard_normal((3, 2))
    np.testing.assert_allclose(
        posterior.gradient_real(z)[1], posterior.numerical_gradient_real(z)[1], rtol=1e-6
    )


def test_where_parameters_round_to_their_bounds_the_density_is_zero():
    """The model is not run on a bound, where it may divide by zero."""

    def careful(theta):
        assert ((theta > UNIFORM.table.lower) & (theta < UNIFORM.table.upper)).all()
        return np.zeros(theta.shape[:-1])

    posterior = Posterior(UNIFORM, likelihood=careful)
    lp = posterior.log_density_real([[0.0, 0.0], [29.0, -29.0], [45.0, 0.0], [0.0, -1e6]])
    np.testing.assert_array_equal(np.isneginf(lp), [False, False, True, True])


def test_sites_can_be_picked():
    truth, many = calibration.twins(problems.banana(), 4, rng=1)
    one = many.at(2)
    assert one.sites == ()
    np.testing.assert_allclose(one.log_likelihood(truth[2]), many.log_likelihood(truth)[2])
    np.testing.assert_allclose(many.at([0, 3]).predict(truth[[0, 3]]), many.predict(truth)[[0, 3]])


def nothing(theta):
    return np.zeros(theta.shape[:-1])


def no_model(theta):
    return np.zeros((*theta.shape[:-1], 2))


def one_by_one(model):
    """A model of one vector at a time, where samplers send many."""
    posterior = Posterior(UNIFORM, model, GaussianLikelihood([1.0, 2.0, 3.0], 0.1))
    return posterior.log_likelihood(UNIFORM.sample(5, rng=1))


def test_rows_that_share_a_model_are_told_to_be_sites():
    jars = GaussianLikelihood(np.ones((4, 3)), 0.1)
    with pytest.raises(InputError, match=r"Each row of the data is a site.*value.ravel"):
        jars.log_likelihood(np.ones((5, 3)))


def test_a_masked_array_masks():
    value = np.ma.masked_array([1.0, -9999.0, 3.0], [False, True, False])
    d = GaussianLikelihood(value, 0.1)
    assert d.mask.tolist() == [True, False, True]
    assert float(d.log_likelihood([1.0, 50.0, 3.0])) == float(d.log_likelihood([1.0, 0.0, 3.0]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: p.log_density([3.0, 2.0]), "'k' must lie between 0.1 and 2 1/yr, but 3"),
        (lambda p: p.predict([1.0, 2.0]), "no model to run"),
        (lambda p: p.gradient([1.0, 2.0]), "no gradient; build it with model_vjp"),
        (lambda p: p.at(0), "no observations by site"),
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
        (lambda p: Posterior(UNIFORM.table, likelihood=nothing), "give Prior.table."),
        (lambda p: Posterior("uniform", likelihood=nothing), "must be a Prior, but str"),
        (lambda p: sample(UNIFORM), "takes a Posterior, but a Prior"),
        (lambda p: one_by_one(lambda th: th[0] * np.arange(3.0)), "theta.*i:i.1"),
        (lambda p: one_by_one(lambda th: th[0] if th[0] > 0 else 0.0), "stopped.*theta.*i:i.1"),
        (lambda p: one_by_one(lambda th: None), "forget the line with .return"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call(Posterior(UNIFORM, likelihood=nothing))
