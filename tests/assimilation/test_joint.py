"""Streams joined: the sum of their likelihoods, weights as errors, gradients, bad input."""

import numpy as np
import pytest

from landcarbon.assimilation import (
    GaussianLikelihood,
    JointObservations,
    Posterior,
    Prior,
    ProfileObservations,
    SeriesObservations,
    StateObservations,
    sample,
)
from landcarbon.assimilation.joint import independent_share
from landcarbon.matrix.errors import InputError
from landcarbon.models.parameters import Parameter, ParameterTable

RNG = np.random.default_rng(4)
FLUX = GaussianLikelihood([[2.0, 3.0], [4.0, 5.0]], 0.5, mask=[[True, True], [True, False]])
POOL = SeriesObservations([[9.0], [8.0]], 1.0, t=[0.0, 1.0, 2.0], end=[[0.5], [1.5]])
PROFILE = ProfileObservations([[0.1, 0.3]] * 2, [[20e3, 9e3]] * 2, 0.3, [0.1, 0.2, 0.4], bottom=0.5)
STATES = StateObservations([1.0], 0.1, t=[0.0, 1.0], end=[1.0], H=[1.0])
JOINT = JointObservations(
    {"flux": FLUX, "pool": POOL, "profile": PROFILE}, weight={"flux": 0.25, "profile": 2.0}
)
VALUES = {
    "flux": RNG.uniform(1, 6, (2, 7, 2)),
    "pool": RNG.uniform(5, 12, (2, 7, 3)),
    "profile": RNG.uniform(5e3, 3e4, (2, 7, 3)),
}


def test_streams_add_and_a_weight_is_an_error():
    alone = JointObservations({"flux": FLUX, "pool": POOL, "profile": PROFILE})
    h = alone.join(VALUES)
    np.testing.assert_allclose(
        alone.log_likelihood(h),
        sum(part.log_likelihood(VALUES[name]) for name, part in alone.parts.items()),
    )
    # a weight multiplies the misfit, whatever the stream: twice the weight, twice the cost
    by_stream = {
        name: JointObservations({name: part}, {name: 2.0}) for name, part in alone.parts.items()
    }
    for name, part in alone.parts.items():
        best, other = VALUES[name][:, :1], VALUES[name][:, 1:2]
        once = part.log_likelihood(other) - part.log_likelihood(best)
        twice = by_stream[name].log_likelihood(other) - by_stream[name].log_likelihood(best)
        np.testing.assert_allclose(twice, 2.0 * once)


def test_values_go_in_by_name_and_come_back():
    h = JOINT.join(VALUES)
    assert h.shape == (2, 7, JOINT.n_values) and JOINT.n_values == 8
    for name, values in JOINT.split(h).items():
        np.testing.assert_array_equal(values, VALUES[name])
    assert JOINT.where == {"flux": slice(0, 2), "pool": slice(2, 3), "profile": slice(3, 5)}
    nested = JointObservations({"all": JOINT, "more": FLUX})
    assert nested.n_values == 10
    one = nested.join({"all": h, "more": VALUES["flux"]})
    np.testing.assert_allclose(
        nested.log_likelihood(one), JOINT.log_likelihood(h) + FLUX.log_likelihood(VALUES["flux"])
    )


def test_gradient_is_that_of_differences():
    h = JOINT.join(VALUES)
    slope = JOINT.gradient(h)
    for k in range(h.shape[-1]):
        step = 1e-5 * h[..., k]
        up, down = h.copy(), h.copy()
        up[..., k] += step
        down[..., k] -= step
        numeric = (JOINT.log_likelihood(up) - JOINT.log_likelihood(down)) / (2 * step)
        np.testing.assert_allclose(slope[..., k], numeric, rtol=1e-5, atol=1e-9)


def test_new_data_scatter_without_the_weight():
    h = np.broadcast_to(JOINT.join({k: v[:, :1] for k, v in VALUES.items()}), (2, 4000, 8))
    made = JOINT.simulate(h, rng=1)
    place = JOINT.where["flux"]
    np.testing.assert_allclose(made[0, :, place].std(axis=0), 0.5, rtol=0.05)
    np.testing.assert_allclose(JOINT.sd[0, place], 1.0)
    assert np.isnan(made[1, :, 1]).all()  # masked
    again = JOINT.with_values(np.nan_to_num(made[:, 0], nan=1.0))
    np.testing.assert_allclose(again.data[:, place], np.where(FLUX.mask, made[:, 0, place], 0.0))


def test_sites_are_selected_and_sampled():
    np.testing.assert_allclose(
        JOINT[1].log_likelihood(JOINT.join(VALUES)[1]), JOINT.log_likelihood(JOINT.join(VALUES))[1]
    )
    # two streams that measure the same number, one of them worth four data
    prior = Prior(ParameterTable([Parameter("a", "1", -50.0, 50.0, 0.0)]))
    both = JointObservations(
        {"one": GaussianLikelihood([0.0], 1.0), "other": GaussianLikelihood([5.0], 1.0)},
        weight={"other": 4.0},
    )
    draws = sample(
        Posterior(prior, lambda a: both.join({"one": a, "other": a}), both), "smc", 1, n_draws=2000
    )
    np.testing.assert_allclose(draws.mean(), 4.0, atol=0.05)
    np.testing.assert_allclose(draws.sd(), 1 / np.sqrt(5), rtol=0.08)


def test_independent_share_of_a_first_order_series_with_gaps():
    rho = 0.6
    r = np.zeros(4000)
    kick = np.random.default_rng(2).standard_normal(r.size)
    for k in range(1, r.size):
        r[k] = rho * r[k - 1] + kick[k]
    exact = (1 - rho) / (1 + rho)
    assert independent_share(r) == pytest.approx(exact, rel=0.2)
    r[np.random.default_rng(3).random(r.size) < 0.4] = np.nan
    assert independent_share(r) == pytest.approx(exact, rel=0.25)
    assert independent_share((-1.0) ** np.arange(50)) == 1.0


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: JointObservations({}), "at least one stream"),
        (lambda: JointObservations({"a": FLUX}, {"b": 1.0}), "a weight for 'b'"),
        (lambda: JointObservations({"a": STATES}), "'a' is a StateObservations, which does not read"),
        (lambda: JointObservations({"a": FLUX}, {"a": 0.0}), "Leave a stream out"),
        (lambda: JointObservations({"a": FLUX, "b": FLUX[0]}), "must be of the same sites"),
        (lambda: JOINT.join({"flux": VALUES["flux"]}), "one entry for each stream"),
        (lambda: JOINT.join(VALUES | {"pool": [1.0]}), "last axis must have length 3"),
        (lambda: JOINT.split(np.ones(5)), "last axis must have length 8"),
        (lambda: independent_share([1.0, 2.0]), "at least 10"),
        (lambda: independent_share(np.ones(20)), "all residuals are the same"),
    ],
)
def test_bad_input(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
