"""Δ14C as data: mixing before the ratio, gradients, a twin experiment, bad input."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from landcarbon.assimilation import (
    JointObservations,
    Posterior,
    Prior,
    RadiocarbonObservations,
    SeriesObservations,
    identify,
    sample,
)
from landcarbon.matrix.errors import InputError
from landcarbon.models.parameters import Parameter, ParameterTable
from landcarbon.models.pools import two_pool
from landcarbon.theory.carbon14 import radiocarbon

AIR = {
    "years": [1940, 1955, 1964, 1970, 1980, 1990, 2000, 2011],
    "delta": [-20, -10, 750, 530, 270, 150, 90, 40],
}
T = np.append(np.arange(1940, 1996, 2.0), np.arange(1996, 2011, 1.0))
PRIOR = Prior(
    ParameterTable(
        [
            Parameter("k_young", "yr-1", 0.1, 2.0, 0.5, prior="log-uniform"),
            Parameter("k_old", "yr-1", 0.004, 0.1, 0.02, prior="log-uniform"),
            Parameter("humification", "1", 0.05, 0.4, 0.15),
        ]
    )
)


def run(theta):
    """Two pools (..., 3) under the bomb curve, input 150 gC m-2 yr-1."""
    return radiocarbon(two_pool(*np.moveaxis(np.asarray(theta), -1, 0)), T, 150.0, **AIR)


def seen(of="respired", **options):
    given = {"value": [90.0, 60.0], "error": 8.0, "t": T, "end": [1998.0, 2008.0], "of": of}
    return RadiocarbonObservations(**(given | options))


THETA = PRIOR.sample(rng=5, sites=(2,))[:, None] * np.linspace(0.9, 1.0, 3)[:, None]


def test_predictions_are_the_delta_of_the_run():
    made = run(THETA)
    at = [int(np.flatnonzero(year == T)[0]) for year in (1998.0, 2008.0)]
    value = np.full((2, 2), 70.0)
    soil = seen("bulk", value=value, end=np.broadcast_to([1998.0, 2008.0], (2, 2)))
    h = soil.predict(soil.read(made))
    assert soil.sites == (2,) and h.shape == (2, 3, 2)
    np.testing.assert_allclose(h, np.moveaxis(made.delta_bulk.values[at], 0, -1), rtol=1e-10)
    old = seen("old")
    one = old.predict(old.read(made))
    np.testing.assert_allclose(one, np.moveaxis(made.delta_pool.values[at, ..., 1], 0, -1))
    both = seen(("young", "old"))
    np.testing.assert_allclose(both.predict(both.read(made)), h, rtol=1e-12)
    co2 = seen(end=[1998.5, 2008.5])
    step = [int(np.flatnonzero(year == made.step.values)[0]) for year in (1998.5, 2008.5)]
    np.testing.assert_allclose(
        co2.predict(co2.read(made)), np.moveaxis(made.delta_respired.values[step], 0, -1)
    )
    np.testing.assert_allclose(
        soil.log_likelihood(soil.read(made)), stats.norm(h, 8.0).logpdf(70.0).sum(-1), rtol=1e-12
    )
    np.testing.assert_array_equal(
        soil[1].log_likelihood(soil.read(made)[1]), soil.log_likelihood(soil.read(made))[1]
    )
    again = soil.with_values(soil.simulate(soil.read(made)[:, :1], rng=1)[:, 0])
    assert 0 < np.abs(again.data - h[:, 0]).max() < 40.0


def test_carbon_is_mixed_before_the_ratio_is_taken():
    """CO2 collected over a window in which the flux halves: weighted by the flux, not by time."""
    t = np.array([2000.0, 2001.0, 2002.0, 2003.0])
    flux, delta = np.array([200.0, 200.0, 100.0]), np.array([100.0, 100.0, 40.0])
    window = RadiocarbonObservations([80.0], 5.0, t, end=[2002.5], start=[2000.5])
    values = np.concatenate([flux, flux * (1 + delta / 1000)])
    # straight lines between the middles: 1 yr at 200, 1 yr falling from 200 to 100
    fine = np.linspace(2000.5, 2002.5, 200_001)
    c, c14 = (np.interp(fine, [2000.5, 2001.5, 2002.5], v) for v in (values[:3], values[3:]))
    wanted = 1000 * (np.trapezoid(c14, fine) / np.trapezoid(c, fine) - 1)
    assert window.predict(values)[0] == pytest.approx(wanted, rel=1e-8)
    assert window.predict(values)[0] > np.interp(fine, [2000.5, 2001.5, 2002.5], delta).mean() + 1


@pytest.mark.parametrize("window", [None, [1990.0, 2000.0]])
def test_gradient_agrees_with_finite_differences(window):
    obs = seen(value=[90.0, np.nan], mask=[True, False], start=window)
    x = obs.read(run(THETA))
    for k in np.random.default_rng(1).choice(x.shape[-1], 12, replace=False):
        step = 1e-5 * x[..., k]
        up, down = x.copy(), x.copy()
        up[..., k] += step
        down[..., k] -= step
        numeric = (obs.log_likelihood(up) - obs.log_likelihood(down)) / (2 * step)
        np.testing.assert_allclose(obs.gradient(x)[..., k], numeric, rtol=1e-5, atol=1e-7)


N = 30
YEARS = np.broadcast_to([1998.0, 2008.0], (N, 2))
STREAMS = {
    "respiration": SeriesObservations(np.zeros((N, 2)), 15.0, T[:-1], YEARS),
    "CO2": seen(value=np.zeros((N, 2)), end=YEARS),
    "soil": seen("bulk", value=np.zeros((N, 2)), end=YEARS),
}


def twins(names, truth):
    """Posteriors of N soils whose parameters are known, from some of the streams."""
    blank = JointObservations({name: STREAMS[name] for name in names})

    def model(theta):
        made = run(theta)
        flux = np.moveaxis(made.respiration.values, 0, -1)
        return blank.join(
            {name: flux if name == "respiration" else STREAMS[name].read(made) for name in names}
        )

    posterior = Posterior(PRIOR, model, blank)
    data = blank.simulate(posterior.run_model(truth), rng=2)
    return replace(posterior, observations=blank.with_values(data))


def test_radiocarbon_tells_the_turnover_of_old_carbon_where_respiration_does_not():
    truth = PRIOR.sample(rng=1, sites=(N,))
    flux_only = sample(twins(["respiration"], truth), "smc", 3, n_draws=120)
    with_14c = sample(twins(["respiration", "CO2", "soil"], truth), "smc", 3, n_draws=120)
    k_old = 1
    before = np.log(0.1 / 0.004) / np.sqrt(12.0)
    assert np.median(np.log(flux_only.draws[..., k_old]).std(-1)) > 0.9 * before
    assert np.median(np.log(with_14c.draws[..., k_old]).std(-1)) < 0.25 * before
    low, high = with_14c.quantile([0.05, 0.95])
    inside = ((low < truth) & (truth < high)).sum()
    assert stats.binom(3 * N, 0.9).cdf(inside) > 0.001  # bounds of chance, three parameters a soil
    assert stats.binom(3 * N, 0.9).sf(inside - 1) > 0.001
    error = np.abs(np.log(np.median(with_14c.draws[..., k_old], axis=-1) / truth[:, k_old]))
    assert np.median(error) < 0.2


def test_bits_and_samplers_take_the_stream_like_any_other():
    truth = PRIOR.sample(rng=1, sites=(N,))
    posterior = twins(["CO2", "soil"], truth)
    report = identify(posterior, at=truth)
    assert report.S.shape == (N, 4, 3) and (report.bits > 0).all()
    one = posterior.at(0)
    draws = sample(one, "metropolis", 1, n_chains=4, n_warmup=100, n_draws=5)
    assert np.isfinite(one.log_density(draws.ensemble().draws)).all()
    with pytest.raises(InputError, match="this Posterior has no gradient"):
        one.gradient(truth[0])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: seen(value=[90.0, -1200.0]), "observation 1 is -1200 per mil.*age in years"),
        (lambda: seen(value=[[90.0], [-1001.0]], end=[[1998.0]] * 2), "site 1: observation 0"),
        (lambda: seen(error=0.0), "above 0, but 0 was given.*outweigh"),
        (lambda: seen(end=[1939.0, 2008.0]), "end of observation 0 is 1939, before the model starts"),
        (lambda: seen(end=[1998.0, 2010.0]), "is 2010, after it ends; the model runs from 1941 to"),
        (lambda: seen(value=[90.0, np.nan]), "NaN.*mask=np.isfinite"),
        (lambda: seen(mask=[False, False]), "all observations are masked out"),
        (lambda: seen(start=[1999.0, 2000.0]), "a window must end after it starts"),
        (lambda: seen(of=()), "'respired', 'bulk', or the names"),
        (lambda: seen(t=T[::-1]), "at least two times of the run that increase"),
        (lambda: seen("litter").read(run(THETA)), "no pool 'litter'; sampled can be .* young, old"),
        (lambda: seen(t=T[1:]).read(run(THETA)), "the run has 43 times from 1940 to 2010"),
        (lambda: seen().read(run(THETA)[["X"]]), "what landcarbon.theory.carbon14"),
        (lambda: seen().predict(np.ones(5)), "last axis must have length 84: carbon at each time"),
        (lambda: seen().predict(np.zeros(84)), "nothing has no Δ14C"),
        (lambda: seen().predict(np.full(84, np.nan)), "NaN"),
        # a run that leaves the record of the atmosphere
        (
            lambda: radiocarbon(two_pool(), np.arange(1940, 2020.0), 150.0, **AIR),
            "asks for the atmosphere of 1940 to 2019, but the curve spans 1940 to 2011",
        ),
    ],
)  # fmt: skip
def test_bad_input(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


def test_neither_a_number_nor_nothing_was_sampled():
    times = np.arange(1990.0, 2000.0)
    with pytest.raises(InputError, match="names of one or more pools"):
        RadiocarbonObservations([100.0], 5.0, t=times, end=[1995.0], of=5)
    bulk = RadiocarbonObservations([100.0], 5.0, t=times, end=[1995.0], of="bulk")
    with pytest.raises(InputError, match=r"read\(\) takes what"):
        bulk.read(None)
