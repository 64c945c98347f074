"""Filter and smoother against conjugate formulas and one big Gaussian."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from landcarbon.assimilation.kalman import kalman_filter, kalman_smoother
from landcarbon.assimilation.state_space import (
    LinearSystem,
    Normal,
    StateObservations,
    linear_system,
)
from landcarbon.matrix.errors import InputError
from landcarbon.models.century import century3
from landcarbon.models.pools import one_pool, three_pool


@pytest.fixture(scope="module")
def case():
    """Three pools, uneven steps, changing input, noise; six data of four kinds, two at one time."""
    t = np.array([0.0, 1.0, 2.5, 3.0, 6.0, 7.0])
    system = linear_system(
        three_pool(), t, I=[60, 65, 50, 70, 60], xi=[1, 1.1, 0.9, 1.3, 1.0], process_sd=[8.0, 3.0, 15.0]
    )
    start = Normal([440.0, 80.0, 1900.0], [[900, 50, 0], [50, 100, 20], [0, 20, 40_000]])
    respiration = three_pool().K * three_pool().respired_fraction
    H = np.array([[1, 0, 0], [0, 0, 1], [1, 1, 1], respiration, [0, 1, 0], [0, 0, 1]], float)
    data = StateObservations(
        [455.0, 2010.0, 2500.0, 62.0, 71.0, 1950.0],
        [20.0, 150.0, 90.0, 4.0, 12.0, 120.0],
        t,
        end=[0.0, 2.5, 2.5, 3.0, 6.0, 7.0],
        H=H,
    )
    return system, start, data


def joint(system, start):
    """Mean and covariance of all states of all times, one long vector."""
    n, steps = system.n, system.steps
    mean = [start.mu]
    blocks = [[start.cov]]
    for k in range(steps):
        Phi, c, Q = system.step(k)
        mean.append(Phi @ mean[-1] + c)
        last = blocks[-1]
        blocks.append([Phi @ cross for cross in last[:-1]] + [Phi @ last[-1]])
        blocks[-1].append(Phi @ last[-1] @ Phi.T + Q)
    C = np.zeros((n * (steps + 1), n * (steps + 1)))
    for i, row in enumerate(blocks):
        for j, block in enumerate(row):
            C[i * n : i * n + n, j * n : j * n + n] = block
            C[j * n : j * n + n, i * n : i * n + n] = block.T
    return np.concatenate(mean), C


def conditioned(system, start, data, upto):
    """The long vector given the data of times up to index `upto`; and their log density."""
    mean, C = joint(system, start)
    rows = [j for j in range(len(data.data)) if data.step[j] <= upto and data.mask[j]]
    G = np.zeros((len(rows), len(mean)))
    for i, j in enumerate(rows):
        k = data.step[j] * system.n
        G[i, k : k + system.n] = data.H[j]
    S = G @ C @ G.T + np.diag(data.sd[rows] ** 2)
    gain = np.linalg.solve(S, G @ C).T
    d = data.data[rows]
    return (
        mean + gain @ (d - G @ mean),
        C - gain @ G @ C,
        multivariate_normal(G @ mean, S).logpdf(d),
    )


def close(actual, expected, sd):
    """Within 1e-10 of the standard deviations."""
    np.testing.assert_allclose(actual / sd, expected / sd, rtol=1e-10, atol=1e-10)


def test_filter_is_the_conditional_of_the_past(case):
    system, start, data = case
    estimate = kalman_filter(system, start, data)
    n = system.n
    for k in range(len(system.t)):
        mean, C, _ = conditioned(system, start, data, upto=k)
        here = slice(k * n, k * n + n)
        sd = np.sqrt(np.diag(C)[here])
        close(estimate.mean()[k], mean[here], sd)
        close(estimate.analysis.cov[k], C[here, here], np.outer(sd, sd))
        if k > 0:
            mean, C, _ = conditioned(system, start, data, upto=k - 1)
            close(estimate.forecast.mean()[k], mean[here], sd)
            close(estimate.forecast.cov[k], C[here, here], np.outer(sd, sd))


def test_smoother_is_the_conditional_of_all_data(case):
    system, start, data = case
    estimate = kalman_smoother(system, start, data)
    mean, C, log_evidence = conditioned(system, start, data, upto=99)
    n = system.n
    for k in range(len(system.t)):
        here = slice(k * n, k * n + n)
        sd = np.sqrt(np.diag(C)[here])
        close(estimate.mean()[k], mean[here], sd)
        close(estimate.analysis.cov[k], C[here, here], np.outer(sd, sd))
    assert estimate.log_evidence == pytest.approx(log_evidence, rel=1e-12)


def test_smoother_is_that_of_rauch_tung_and_striebel(case):
    system, start, data = case
    filtered, smoothed = kalman_filter(system, start, data), kalman_smoother(system, start, data)
    x, P = filtered.mean()[-1], filtered.analysis.cov[-1]
    for k in reversed(range(system.steps)):
        Phi = system.step(k)[0]
        G = filtered.analysis.cov[k] @ Phi.T @ np.linalg.inv(filtered.forecast.cov[k + 1])
        x = filtered.mean()[k] + G @ (x - filtered.forecast.mean()[k + 1])
        P = filtered.analysis.cov[k] + G @ (P - filtered.forecast.cov[k + 1]) @ G.T
        sd = np.sqrt(np.diag(P))
        close(smoothed.mean()[k], x, sd)
        close(smoothed.analysis.cov[k], P, np.outer(sd, sd))


def test_last_state_is_the_same_filtered_or_smoothed(case):
    filtered, smoothed = kalman_filter(*case), kalman_smoother(*case)
    np.testing.assert_array_equal(filtered.mean()[-1], smoothed.mean()[-1])
    assert (smoothed.sd() <= filtered.sd() * (1 + 1e-12)).all()


def test_conjugate_normal_mean():
    """A pool that does not move, measured m times: the textbook posterior of a mean."""
    values = np.array([4.1, 5.3, 4.8, 5.9])
    still = LinearSystem(np.arange(4.0), Phi=[[[1.0]]], c=[[0.0]])
    data = StateObservations(values, 0.7, still.t, end=np.arange(4.0), H=[1.0])
    estimate = kalman_filter(still, Normal([3.0], sd=[2.0]), data)
    precision = 1 / 2.0**2 + np.arange(1, 5) / 0.7**2
    mean = (3.0 / 2.0**2 + np.cumsum(values) / 0.7**2) / precision
    np.testing.assert_allclose(estimate.mean()[:, 0], mean, rtol=1e-10)
    np.testing.assert_allclose(estimate.sd()[:, 0], precision**-0.5, rtol=1e-10)


def test_known_state_without_noise_does_not_listen():
    """No doubt, no gain: the smoother, too, stays where it is (no division by a singular P)."""
    system = linear_system(century3(), np.arange(60.0), I=400.0)
    data = StateObservations(
        [5000.0, 100.0], 1.0, system.t, end=[5.0, 50.0], H=[[0, 1.0, 0], [1, 0, 0]]
    )
    for run in (kalman_filter, kalman_smoother):
        estimate = run(system, Normal([20.0, 900.0, 2000.0], sd=[0, 0, 0]), data)
        path = system.sample(np.array([[20.0, 900.0, 2000.0]]), rng=1)[:, 0]
        np.testing.assert_allclose(estimate.mean(), path, rtol=1e-12)
        assert (estimate.sd() == 0).all()


def test_smoother_where_a_fast_pool_has_long_forgotten_its_start():
    """P⁻ is singular to rounding here; the answer must still be that of all data at once."""
    system = linear_system(century3(), [0.0, 40.0, 80.0], I=400.0)
    start = Normal([20.0, 900.0, 2000.0], sd=[10.0, 300.0, 500.0])
    data = StateObservations([1000.0, 2300.0], [20.0, 60.0], system.t, [40.0, 80.0],
                             H=[[0, 1.0, 0], [0, 0, 1.0]])  # fmt: skip
    assert np.linalg.cond(kalman_filter(system, start, data).forecast.cov[1]) > 1e12
    estimate = kalman_smoother(system, start, data)
    mean, C, _ = conditioned(system, start, data, upto=9)
    np.testing.assert_allclose(estimate.mean()[0], mean[:3], rtol=1e-9)
    np.testing.assert_allclose(estimate.sd()[0], np.sqrt(np.diag(C)[:3]), rtol=1e-9)


def test_sites_together_are_sites_alone(case):
    system, start, data = case
    values = data.data + data.sd * np.random.default_rng(1).standard_normal((4, 6))
    mask = np.random.default_rng(2).random((4, 6)) < 0.7
    mask[:, 0] = True
    many = StateObservations(values, data.sd, system.t, data.t[data.step], data.H, mask)
    for run in (kalman_filter, kalman_smoother):
        together = run(system, start, many)
        assert together.mean().shape == (6, 4, 3)
        for s in range(4):
            one = StateObservations(
                values[s][mask[s]],
                data.sd[mask[s]],
                system.t,
                data.t[data.step][mask[s]],
                data.H[mask[s]],
            )
            alone = run(system, start, one)
            np.testing.assert_allclose(together.mean()[:, s], alone.mean(), rtol=1e-11)
            np.testing.assert_allclose(together.sd()[:, s], alone.sd(), rtol=1e-11)
            assert together.log_evidence[s] == pytest.approx(alone.log_evidence, rel=1e-11)
            np.testing.assert_allclose(together.innovation[s][mask[s]], alone.innovation, rtol=1e-9)
            assert (together.innovation[s][~mask[s]] == 0).all()


def test_parameters_may_differ_between_sites():
    """The evidence of many candidate rates at once: what a likelihood of k needs."""
    t = np.arange(11.0)
    k = np.array([0.05, 0.1, 0.2])
    data = StateObservations([900.0, 950.0], 30.0, t, end=[5.0, 10.0], H=[1.0])
    start = Normal([1000.0], sd=[100.0])
    many = kalman_filter(linear_system(one_pool(k), t, I=100.0, process_sd=10.0), start, data)
    assert many.log_evidence.shape == (3,) and many.mean().shape == (11, 3, 1)
    for i, rate in enumerate(k):
        alone = kalman_filter(
            linear_system(one_pool(rate), t, I=100.0, process_sd=10.0), start, data
        )
        assert many.log_evidence[i] == pytest.approx(alone.log_evidence, rel=1e-12)


def test_innovations_are_standard_normal_and_coverage_is_what_it_says():
    """In worlds that are as the model says; 400 of them at once."""
    t = np.arange(21.0)
    system = linear_system(three_pool(), t, I=60.0, process_sd=[10.0, 4.0, 20.0])
    start = Normal([440.0, 80.0, 1900.0], sd=[40.0, 10.0, 150.0])
    end = np.repeat(t[::2], 2)
    blank = StateObservations(np.zeros((400, 22)), [15.0, 90.0] * 11, t, end,
                              H=[[1.0, 0, 0], [0, 0, 1]] * 11)  # fmt: skip
    truth = system.sample(start.sample(400, rng=3)[:, None, :], rng=4)[:, :, 0]
    data = blank.with_values(blank.simulate(truth, rng=5))
    filtered, smoothed = kalman_filter(system, start, data), kalman_smoother(system, start, data)
    r = filtered.innovation
    # Standardised misfits have no memory from one sampling to the next.
    assert abs(r.mean()) < 0.03 and abs(r.std() - 1) < 0.03
    assert abs((r[:, :-2] * r[:, 2:]).mean()) < 0.03
    for estimate in (filtered, smoothed):
        low, high = estimate.quantile([0.025, 0.975])
        assert ((low < truth) & (truth < high)).mean() == pytest.approx(0.95, abs=0.01)
    # Looking back helps, most of all for the pool that was never measured.
    assert (smoothed.sd()[10] < filtered.sd()[10]).all()


def test_dataset_is_labelled(case):
    table = kalman_filter(*case).to_dataset()
    assert table["mean"].dims == ("time", "pool") and table["sd"].attrs["units"] == "gC m-2"
    assert list(table.pool.values) == ["vegetation", "litter", "soil"]
    assert (table["sd"] <= table["forecast_sd"] + 1e-12).all()


@pytest.mark.parametrize("run", [kalman_filter, kalman_smoother])
def test_bad_input(run, case):
    system, start, data = case
    with pytest.raises(InputError, match="start describes 1 pools, but the model has 3: vegetation"):
        run(system, Normal([1.0], sd=[1.0]), data)
    with pytest.raises(InputError, match="start is list; give what is believed"):
        run(system, [440.0, 80.0, 1900.0], data)
    other = StateObservations([1.0], 1.0, [0.0, 1.0], end=[1.0], H=[1.0, 0, 0])
    with pytest.raises(InputError, match="on other times than the model's"):
        run(system, start, other)
    flat = StateObservations([1.0], 1.0, system.t, end=[1.0], H=[1.0])
    with pytest.raises(InputError, match="read 1 pools, but the model has 3"):
        run(system, start, flat)
    sites = StateObservations(np.ones((4, 1)), 1.0, system.t, end=[1.0], H=[1.0, 0, 0])
    with pytest.raises(InputError, match=r"have sites \(3,\), but the data have sites \(4,\)"):
        run(system, Normal(np.ones((3, 3)), sd=1.0), sites)
