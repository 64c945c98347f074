"""Ages at steady state: exact numbers, identities over random systems, columns, sentences."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import random_model

from landcarbon.matrix import InputError, MatrixModel
from landcarbon.matrix.layers import CLM5_LAYERS, SoilLayers, exchange_rates
from landcarbon.matrix.solve import LayeredModel
from landcarbon.models.emanuel import GPP, emanuel5
from landcarbon.models.pools import one_pool, two_pool
from landcarbon.theory.ages import pool_ages, system_age, transit_time

EXACT = json.loads((Path(__file__).parents[1] / "data/ages_exact.json").read_text("utf-8"))["cases"]

seeds = st.integers(0, 2**32 - 1)
systems = given(seed=seeds, n=st.integers(1, 8))
few = settings(max_examples=25, deadline=None)
KINDS = (transit_time, system_age, pool_ages)


def panels(fastest, slowest, order=12):
    """Gauss–Legendre nodes and weights on panels that double, until nothing is left."""
    x, w = np.polynomial.legendre.leggauss(order)
    edges = np.concatenate([[0.0], 2.0 ** np.arange(np.log2(1 / fastest) - 1, np.log2(50 / slowest) + 1)])
    a, b = edges[:-1, None], edges[1:, None]
    return ((a + b) / 2 + (b - a) / 2 * x).ravel(), ((b - a) / 2 * w).ravel()


@pytest.mark.parametrize("case", EXACT)
def test_moments_equal_the_exact_numbers(case):
    e = EXACT[case]
    M, u = e["M"], e["u"]
    for kind, name in (
        (transit_time, "{}_transit_time"), (system_age, "{}_system_age"), (pool_ages, "pool_{}_ages")
    ):
        of = kind(M, u)
        np.testing.assert_allclose(of.mean, e[name.format("mean")], rtol=1e-12)
        np.testing.assert_allclose(of.std, e[name.format("sd")], rtol=1e-12)


@pytest.mark.parametrize("case", EXACT)
def test_densities_shares_and_quantiles_equal_the_exact_numbers(case):
    e = EXACT[case]
    M, u, a, q = e["M"], e["u"], e["ages"], e["levels"]

    def close(ours, name):
        exact = np.asarray(e[name])
        peak = exact.max(axis=0)
        np.testing.assert_array_less(np.abs(ours - exact), 1e-10 * exact + 1e-12 * peak + 1e-300)

    for kind, name in ((transit_time, "transit_time"), (system_age, "system_age")):
        close(kind(M, u).pdf(a), f"{name}_density")
        close(kind(M, u).cdf(a), f"{name}_cdf")
        close(1 - kind(M, u).sf(a), f"{name}_cdf")
        np.testing.assert_allclose(kind(M, u).quantile(q), e[f"{name}_quantiles"], rtol=1e-10)
    close(pool_ages(M, u).pdf(a), "pool_age_density")
    np.testing.assert_allclose(pool_ages(M, u).quantile(q), e["pool_age_quantiles"], rtol=1e-10)


def test_a_model_and_its_matrix_have_the_same_ages():
    m = emanuel5()
    for kind in KINDS:
        by_model, by_matrix = kind(m, GPP), kind(m.outflow_matrix(), m.input(GPP))
        np.testing.assert_allclose(by_model.mean, by_matrix.mean, rtol=1e-12)


def test_one_pool_is_exponential():
    for kind in KINDS:
        age = kind(one_pool(0.04), I=7.0)
        np.testing.assert_allclose([age.mean, age.std], 25.0, rtol=1e-14)
        np.testing.assert_allclose(np.ravel(age.quantile(0.5)), 25 * np.log(2), rtol=1e-14)
        np.testing.assert_allclose(np.ravel(age.pdf([0.0, 50.0])), 0.04 * np.exp([0.0, -2.0]), rtol=1e-14)


@systems
@few
def test_densities_integrate_to_one_and_survival_to_the_mean(seed, n):
    m = random_model(seed, n)
    rates = np.linalg.eigvals(m.outflow_matrix()).real
    a, w = panels(2 * m.K.max(), rates.min())
    shares = m.steady_state(1.0)
    reached = [p for p, X in zip(m.pools, shares) if X > 1e-12 * shares.sum()]
    for age in (transit_time(m, 1.0), system_age(m, 1.0), pool_ages(m, 1.0, pools=reached)):
        np.testing.assert_allclose(np.tensordot(w, age.pdf(a), 1), 1.0, rtol=1e-10)
        np.testing.assert_allclose(np.tensordot(w, age.sf(a), 1), age.mean, rtol=1e-10)
        np.testing.assert_allclose(
            2 * np.tensordot(w * a, age.sf(a), 1), age.std**2 + age.mean**2, rtol=1e-9
        )
        np.testing.assert_allclose(age.cdf(a) + age.sf(a), 1.0, rtol=1e-12)


@systems
@few
def test_stock_is_input_times_mean_transit_time(seed, n):
    m = random_model(seed, n)
    assert m.steady_state(300.0).sum() == pytest.approx(300 * transit_time(m, 300.0).mean, rel=1e-11)


@systems
@few
def test_system_age_is_the_mixture_of_pool_ages_and_transit_time_of_the_efflux(seed, n):
    m = random_model(seed, n).replace(B=np.full(n, 1 / n))
    X = m.steady_state(1.0)
    ages = pool_ages(m, 1.0)
    a = np.array([0.0, 0.5, 40.0])
    np.testing.assert_allclose(ages.pdf(a) @ X / X.sum(), system_age(m, 1.0).pdf(a), rtol=1e-9)
    np.testing.assert_allclose(ages.pdf(a) @ m.respiration(X), transit_time(m, 1.0).pdf(a), rtol=1e-9)


@systems
@few
def test_order_of_pools_and_units_do_not_matter(seed, n):
    m = random_model(seed, n).replace(B=np.full(n, 1 / n))
    p = np.random.default_rng(seed).permutation(n)
    shuffled = MatrixModel([m.pools[i] for i in p], m.A[np.ix_(p, p)], m.K[p], m.B[p])
    q, a = [0.1, 0.9], [0.3, 30.0]
    days = m.replace(K=m.K / 365)
    for kind in KINDS:
        age, other, in_days = kind(m, 300.0), kind(shuffled, 0.3), kind(days, 300.0 / 365)
        mean, quantiles = other.mean, other.quantile(q)
        if kind is pool_ages:
            mean, quantiles = mean[np.argsort(p)], quantiles[:, np.argsort(p)]
        np.testing.assert_allclose(age.mean, mean, rtol=1e-11)
        np.testing.assert_allclose(age.quantile(q), quantiles, rtol=1e-10)
        np.testing.assert_allclose(365 * age.std, in_days.std, rtol=1e-11)
        np.testing.assert_allclose(age.pdf(a), 365 * in_days.pdf(365 * np.array(a)), rtol=1e-9)


def test_sites_at_once_equal_sites_one_by_one():
    m = random_model(4, 5, lead=(3,))
    I, xi = np.array([100.0, 200.0, 300.0]), np.array([[0.5], [1.0], [2.0]])
    for kind in KINDS:
        age = kind(m, I, xi)
        for s in range(3):
            one = kind(MatrixModel(m.pools, m.A[s], m.K[s], m.B[s]), I[s], xi[s])
            np.testing.assert_allclose(age.mean[s], one.mean, rtol=1e-11)
            np.testing.assert_allclose(age.pdf([0.0, 9.0])[s], one.pdf([0.0, 9.0]), rtol=1e-9)
            np.testing.assert_allclose(age.quantile([0.2, 0.8])[s], one.quantile([0.2, 0.8]), rtol=1e-9)


def test_a_scalar_stretches_all_ages():
    slow = pool_ages(two_pool(), I=1.0, xi=0.5)
    np.testing.assert_allclose(slow.mean, 2 * pool_ages(two_pool(), I=1.0).mean)


def soil_column(p, layers, seed=0):
    """p pools, the first two litter, mixing between all layers, rates that fall with depth."""
    rng = np.random.default_rng(seed)
    f = np.tril(rng.uniform(0, 0.6 / p, (p, p)), -1) + np.triu(rng.uniform(0, 0.3 / p, (p, p)), 3)
    K = np.geomspace(8, 0.003, p)[:, None] * np.exp(-layers.node / 0.5)
    down, up = exchange_rates(np.geomspace(5e-4, 1e-5, len(layers) - 1), layers)
    column = LayeredModel([f"pool{i}" for i in range(p)], layers, np.eye(p) - f, K, down, up,
                          mixed=[i > 0 for i in range(p)])
    b = np.zeros((p, len(layers)))
    b[:2] = 300 * np.exp(-layers.node / 0.2)
    return column, b


def test_a_column_is_the_matrix_of_its_stocks():
    layers = SoilLayers([0.1, 0.2, 0.7, 1.5])
    column, b = soil_column(3, layers)
    dz = np.tile(layers.thickness, 3)
    M, u = column.outflow_matrix() * dz[:, None] / dz, b.ravel() * dz
    for kind in KINDS:
        ours, plain = kind(column, b), kind(M, u)
        np.testing.assert_allclose(np.ravel(ours.mean), np.ravel(plain.mean), rtol=1e-8)
        np.testing.assert_allclose(
            ours.pdf([1.0, 50.0]).reshape(2, -1), plain.pdf([1.0, 50.0]).reshape(2, -1), rtol=1e-8
        )
    assert pool_ages(column, b).quantile([0.1, 0.5, 0.9]).shape == (3, 3, 4)
    assert pool_ages(column, b, pools=["pool2[4]", "pool0[1]"]).mean.shape == (2,)


def test_140_pools_keep_littles_law_and_integrate_to_one():
    column, b = soil_column(7, CLM5_LAYERS)
    T, S = transit_time(column, b), system_age(column, b)
    dz = CLM5_LAYERS.thickness
    stock = (column.steady_state(b) * dz).sum()
    assert T.mean * (b * dz).sum() == pytest.approx(stock, rel=1e-11)
    # The slowest rates lie below the resolution of any eigenvalue solver; the far tail is exponential.
    a, w = panels(20.0, 1e-9, order=8)
    assert w @ T.pdf(a) == pytest.approx(1.0, rel=1e-9)
    assert w @ S.pdf(a) == pytest.approx(1.0, rel=1e-9)
    # At every depth the carbon is older than in the layer above.
    ages = pool_ages(column, b).mean
    assert ages.shape == (7, 20)
    assert np.all(np.diff(ages[-1]) > 0)


def closed(share):
    return MatrixModel(("leaf", "vault", "soil"), [[1, 0, 0], [-0.5, 1, 0], [-0.2, -share, 1]],
                       K=[1, 0.1, 0.1], B=[1, 0, 0])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: transit_time(two_pool(), 0.0), "The input is 0 in every pool"),
        (lambda: system_age(two_pool().replace(B=[0, 0]), 5.0), "The input is 0 in every pool"),
        (lambda: transit_time(soil_column(3, SoilLayers([1.0, 1.0]))[0], np.zeros((3, 2))), "The input is 0"),
        (lambda: transit_time(closed(0).replace(K=[1, 0, 0.1]), 1.0), "Carbon that gets into 'vault' can never"),
        (
            lambda: pool_ages(closed(1.0).replace(A=[[1, 0, 0], [-0.5, 1, -1], [0, -1, 1]]), 1.0),
            "'vault', 'soil' can never leave",
        ),
        (lambda: pool_ages(closed(0).replace(B=[0, 0, 1]), 1.0), "No carbon reaches 'leaf', 'vault'"),
        (lambda: pool_ages(two_pool(), 1.0, pools=["yung"]), "no pool 'yung' among"),
        (lambda: pool_ages(two_pool(), 1.0, pools="young"), "give a sequence"),
        (lambda: transit_time(two_pool(), -1.0), "I must be at least 0"),
        (lambda: transit_time(two_pool(), 1.0).pdf(-1.0), "a must be at least 0"),
        (lambda: transit_time(two_pool(), 1.0).quantile(1.0), "no age limit"),
        (lambda: transit_time(two_pool(), 1.0).quantile(50), "no age limit"),
        (lambda: transit_time([[0.5]], [1.0, 2.0]), "u must end in axes"),
    ],
)
def test_bad_input_gets_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


def test_a_vault_that_no_carbon_reaches_does_no_harm():
    # 'vault' never lets go, but nothing gets there: ages of the others are finite.
    m = MatrixModel(("soil", "vault"), [[1, -0.5], [0, 1]], K=[0.1, 0.0], B=[1, 0])
    assert transit_time(m, 1.0).mean == pytest.approx(10)
    assert system_age(m, 1.0).std == pytest.approx(10)
    np.testing.assert_allclose(pool_ages(m, 1.0, pools=["soil"]).mean, [10.0])
