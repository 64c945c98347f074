"""Random events: the formula for the mean, its spread, and simulations that agree within their noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from strategies import random_model

from landcarbon.matrix import InputError, MatrixModel
from landcarbon.matrix.simulate import simulate
from landcarbon.models.pools import one_pool, three_pool
from landcarbon.theory.disturbance import (
    Disturbance,
    averaged,
    covariance,
    mean_storage,
    random_runs,
)
from landcarbon.theory.storage import residence_time

seeds = st.integers(0, 2**32 - 1)
graphs = given(seed=seeds, n=st.integers(1, 6))


def random_disturbance(seed, n, rate=0.02):
    rng = np.random.default_rng(seed + 1)
    g = rng.uniform(0, 1, (n, n)) * (1 - np.eye(n))
    g *= rng.uniform(0, 1, n) / np.maximum(g.sum(axis=0), 1)
    return Disturbance(rate, rng.uniform(0, 1, n), np.eye(n) - g)


FOREST = three_pool()
# a fire kills 90 % of the trees, of which two thirds become litter, and burns 80 % of the litter
FIRE = Disturbance(1 / 60, [0.9, 0.8, 0.05], [[1, 0, 0], [-2 / 3, 1, 0], [0, 0, 1]])
INPUT = 600.0
# members and seed of the one simulation that several tests look at
MEMBERS, SEED = 4000, 20


@pytest.fixture(scope="module")
def runs():
    return random_runs(FOREST, FIRE, [0, 300, 600, 900], [0, 0, 0], INPUT, n_members=MEMBERS, rng=SEED)


# formulas


@pytest.mark.parametrize("s", [0.0, 0.3, 1.0])
def test_one_pool_by_hand(s):
    I, k, rate = 500.0, 0.02, 0.01
    land, fire = one_pool(k), Disturbance(rate, [s])
    mean = mean_storage(land, fire, I)[0]
    assert mean == pytest.approx(I / (k + rate * s))
    # ⟨X²⟩ from d⟨X²⟩/dt = 2 I ⟨X⟩ − 2 k ⟨X²⟩ − λ (1 − (1 − s)²) ⟨X²⟩ = 0
    square = 2 * I * mean / (2 * k + rate * s * (2 - s))
    assert covariance(land, fire, I)[0, 0] == pytest.approx(square - mean**2, abs=1e-6 * square)


@graphs
@settings(max_examples=40, deadline=None)
def test_events_act_on_the_mean_as_an_outflow(seed, n):
    m, d = random_model(seed, n), random_disturbance(seed, n)
    xi = np.random.default_rng(seed).uniform(0.2, 2, n)
    M = m.outflow_matrix(xi) + d.rate * d.effect
    average = averaged(m, d, xi)
    np.testing.assert_allclose(average.outflow_matrix(), M, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(mean_storage(m, d, 300.0, xi), np.linalg.solve(M, m.B * 300), rtol=1e-9)
    # carbon that comes in goes out: by turnover, or by events
    X = mean_storage(m, d, 300.0, xi)
    out = m.respiration(X, xi).sum() + d.rate * (d.burnt * X).sum()
    assert out == pytest.approx(300.0, rel=1e-9)
    # What an event moves loses the time it had left where it was, and gains what it has where it ends.
    left = np.linalg.solve(m.outflow_matrix(xi).T, np.ones(n))
    saved = d.rate * (left @ d.effect @ X) / 300.0
    plain = residence_time(m, xi).total
    assert residence_time(average).total == pytest.approx(plain - saved, rel=1e-8, abs=1e-9 * plain)
    # Events that send all they remove into the air can only shorten the stay.
    burning = averaged(m, Disturbance(d.rate, d.severity), xi)
    assert residence_time(burning).total <= plain * (1 + 1e-12)


def test_events_that_move_carbon_to_a_slow_pool_lengthen_the_stay():
    # Leaves of one year, wood of a hundred; every ten years on average a storm makes all leaves wood.
    # A leaf's fate is a race, 1 against 0.1 a year: 1/1.1 years as a leaf, then wood with chance 1/11.
    land = MatrixModel(("leaf", "wood"), np.eye(2), [1.0, 0.01], [1, 0])
    storm = Disturbance(0.1, [1.0, 0.0], [[1, 0], [-1, 1]])
    assert residence_time(land).total == pytest.approx(1.0)
    assert residence_time(averaged(land, storm)).total == pytest.approx(1 / 1.1 + 100 / 11)


@graphs
@settings(max_examples=20, deadline=None)
def test_covariance_solves_its_equation(seed, n):
    m, d = random_model(seed, n), random_disturbance(seed, n)
    X, C = mean_storage(m, d, 300.0), covariance(m, d, 300.0)
    M, R = m.outflow_matrix(), np.eye(n) - d.effect
    u = m.B * 300.0
    Q = C + np.outer(X, X)
    terms = (np.outer(u, X), np.outer(X, u), -M @ Q, -Q @ M.T, d.rate * (R @ Q @ R.T), -d.rate * Q)
    assert np.abs(sum(terms)).max() <= 1e-9 * max(np.abs(t).max() for t in terms)
    np.testing.assert_allclose(C, C.T, rtol=1e-9, atol=1e-12 * np.abs(C).max())
    assert np.linalg.eigvalsh(C).min() >= -1e-9 * np.abs(C).max()


def test_no_events_is_the_steady_state():
    never = Disturbance(0.0, [1.0, 1.0, 1.0])
    np.testing.assert_allclose(mean_storage(FOREST, never, 60.0), FOREST.steady_state(60.0))
    np.testing.assert_allclose(covariance(FOREST, never, 60.0), np.zeros((3, 3)), atol=1e-20)


def test_mixing_stays():
    V = [[0.1, -0.2], [-0.1, 0.2]]
    m = MatrixModel(("a", "b"), np.eye(2), [0.5, 0.1], [1, 0], V)
    M = averaged(m, Disturbance(0.05, [0.4, 0.8])).outflow_matrix()
    np.testing.assert_allclose(M, np.diag([0.52, 0.14]) + V)


def test_sites_at_once():
    m, d = random_model(4, 3, lead=(5,)), random_disturbance(4, 3)
    many = mean_storage(m, d, np.arange(1.0, 6)), covariance(m, d, np.arange(1.0, 6))
    for s in range(5):
        one = MatrixModel(m.pools, m.A[s], m.K[s], m.B[s])
        np.testing.assert_allclose(many[0][s], mean_storage(one, d, s + 1.0), rtol=1e-10)
        np.testing.assert_allclose(many[1][s], covariance(one, d, s + 1.0), rtol=1e-8)


# simulation against formula


def test_simulated_mean_and_spread_agree_with_the_formula(runs):
    X = runs.X.values[-1]
    mean, C = mean_storage(FOREST, FIRE, INPUT), covariance(FOREST, FIRE, INPUT)
    error = np.sqrt(np.diag(C) / MEMBERS)  # of a mean over independent places
    z = (X.mean(axis=0) - mean) / error
    assert np.all(np.abs(z) < 3.5), z
    # and that test has teeth: what fires do to each pool is more than ten times the noise
    assert np.all(np.abs(FOREST.steady_state(INPUT) - mean) > 10 * error)
    centred = X - X.mean(axis=0)
    for i in range(3):
        products = centred[:, i] ** 2
        z = (products.mean() - C[i, i]) / (products.std() / np.sqrt(MEMBERS))
        assert abs(z) < 4


def test_on_the_way_the_mean_follows_the_averaged_model(runs):
    # `averaged` is exact before stationarity too: compare at year 300, soil still filling up
    path = simulate(averaged(FOREST, FIRE), runs.time, [0, 0, 0], INPUT).X
    X = runs.X.sel(time=300).values
    error = X.std(axis=0) / np.sqrt(MEMBERS)
    assert np.all(np.abs(X.mean(axis=0) - path.sel(time=300).values) < 3.5 * error)
    assert path.sel(time=300, pool="soil") < 0.97 * path.sel(time=900, pool="soil")


def test_one_place_over_a_long_time_has_the_same_mean():
    land, fire = one_pool(0.05), Disturbance(0.05, [0.6])
    years = 40_000
    run = random_runs(land, fire, np.arange(0.0, years + 1, 2), [5000.0], 500.0, rng=3)
    mean, variance = mean_storage(land, fire, 500.0)[0], covariance(land, fire, 500.0)[0, 0]
    # correlation dies with rate k + λ s: so many independent looks are there
    error = np.sqrt(2 * variance / ((0.05 + 0.05 * 0.6) * years))
    assert abs(run.X.values.mean() - mean) < 3.5 * error
    assert error < 0.01 * mean


def test_stand_replacing_fire_has_the_known_distribution():
    # X = X_c (1 − e^(−k a)) with an exponential time a since the last fire: P(X < x) = 1 − (1 − x/X_c)^(λ/k)
    k, rate = 0.02, 0.01
    run = random_runs(one_pool(k), Disturbance(rate, [1.0]), [0, 3000], [0.0], 500.0, n_members=3000, rng=5)
    x = run.X.values[-1, :, 0] / 25_000
    assert stats.kstest(x, lambda v: 1 - (1 - v) ** (rate / k)).pvalue > 0.01


def test_number_of_events_is_poisson(runs):
    count = runs.events.values
    expected = FIRE.rate * 300
    assert abs(count.mean() - expected) < 3.5 * np.sqrt(expected / count.size)
    assert count.var() == pytest.approx(expected, rel=0.05)


@graphs
@settings(max_examples=15, deadline=None)
def test_carbon_is_conserved_in_every_step(seed, n):
    m, d = random_model(seed, n), random_disturbance(seed, n, rate=0.3)
    rng = np.random.default_rng(seed)
    t = np.cumsum(rng.uniform(0.1, 9, 12))
    run = random_runs(m, d, t, rng.uniform(0, 1e4, (5, n)), rng.uniform(0, 900, 11),
                      rng.uniform(0.2, 2, (11, n)), n_members=5, rng=seed)
    assert run.events.sum() > 0
    change = run.X.sum("pool").diff("time").values
    gain = ((run.input - run.respiration - run.burnt).sum("pool") * run.dt).values.reshape(change.shape)
    scale = run.X.sum("pool").values.max() + (run.input.sum("pool") * run.dt).values.max()
    np.testing.assert_allclose(change, gain, atol=1e-10 * scale)
    assert np.all(run.X.values >= 0)


def test_length_of_the_steps_does_not_matter():
    # same events, once looked at in one step, once in many
    land = one_pool(0.02)
    coarse = random_runs(land, Disturbance(0.02, [0.5]), [0, 400], [0.0], 500.0, n_members=3000, rng=7)
    fine = random_runs(land, Disturbance(0.02, [0.5]), np.linspace(0, 400, 41), [0.0], 500.0,
                       n_members=3000, rng=8)
    assert stats.ks_2samp(coarse.X.values[-1, :, 0], fine.X.values[-1, :, 0]).pvalue > 0.01


def test_without_events_a_run_is_the_plain_run():
    t, xi = np.linspace(0, 20, 11), np.linspace(0.5, 1.5, 10)
    run = random_runs(FOREST, Disturbance(0.0, [1, 1, 1]), t, [1, 2, 3], 60.0, xi, n_members=2, rng=0)
    plain = simulate(FOREST, t, [1, 2, 3], 60.0, xi)
    np.testing.assert_allclose(run.X[:, 1], plain.X, rtol=1e-12)
    np.testing.assert_allclose(run.respiration[:, 1], plain.respiration, rtol=1e-12)


def test_a_seed_gives_the_same_run_and_another_seed_another():
    def run(rng):
        return random_runs(FOREST, FIRE, [0, 200], [0, 0, 0], 60.0, n_members=5, rng=rng).X.values

    np.testing.assert_array_equal(run(1), run(1))
    np.testing.assert_array_equal(run(np.random.default_rng(1)), run(1))
    assert not np.array_equal(run(1), run(2))


def test_a_regime_may_shift():
    land = one_pool(0.05)
    rare, often = Disturbance(0.01, [0.8]), Disturbance(0.04, [0.8])
    run = random_runs(land, lambda t: rare if t < 300 else often, [0, 300, 600], [0.0], 500.0,
                      n_members=3000, rng=2)
    for k, fire in ((1, rare), (2, often)):
        error = np.sqrt(covariance(land, fire, 500.0)[0, 0] / 3000)
        assert abs(run.X.values[k].mean() - mean_storage(land, fire, 500.0)[0]) < 3.5 * error


def test_burnt_carbon_and_dead_wood_add_up():
    np.testing.assert_allclose(FIRE.burnt, [0.3, 0.8, 0.05])
    np.testing.assert_allclose(FIRE.effect.sum(axis=0), FIRE.burnt)


ONE = Disturbance(0.1, [0.5])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Disturbance(-0.1, [0.5]), "rate must be at least 0"),
        (lambda: Disturbance([0.1, 0.2], [0.5]), "rate is one number"),
        (lambda: Disturbance(0.1, [1.5]), "severity must be at most 1"),
        (lambda: Disturbance(0.1, 0.5), "a row with one share for each pool"),
        (lambda: Disturbance(0.1, [0.5, 0.5], [[1, 0], [-1.2, 1]]), "sends out 1.2"),
        (lambda: mean_storage(FOREST, ONE, 1.0), "has 1 severities, but the model has 3 pools"),
        (lambda: mean_storage(FOREST, 0.1, 1.0), "disturbance is float"),
        (lambda: random_runs(3.0, ONE, [0, 1], [0.0], 1.0, rng=0), "model is float"),
        (lambda: random_runs(one_pool(), ONE, [0], [0.0], 1.0, rng=0), "at least two times"),
        (lambda: random_runs(one_pool(), ONE, [0, 1], [0.0], 1.0, n_members=0, rng=0), "n_members must be a whole"),
        (lambda: random_runs(one_pool(), ONE, [0, 1], [[0.0]] * 3, 1.0, n_members=2, rng=0), "X0 has"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
