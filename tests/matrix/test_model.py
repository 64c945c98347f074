"""MatrixModel: the equation, its balance, and the sentences for bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landcarbon.matrix import InputError, MatrixModel

A = [[1, 0, -0.4], [-0.3, 1, 0], [-0.1, -0.5, 1]]
K = [2.0, 0.2, 0.01]
B = [0.7, 0.3, 0.0]
POOLS = ("litter", "fast", "slow")


def random_model(seed, n, lead=()):
    rng = np.random.default_rng(seed)
    f = rng.uniform(size=(*lead, n, n)) * (rng.uniform(size=(*lead, n, n)) < 0.5)
    f *= 1 - np.eye(n)
    total = f.sum(axis=-2, keepdims=True)
    f *= rng.uniform(0, 0.95, size=(*lead, 1, n)) / np.maximum(total, 1e-3)
    f = np.minimum(f, 0.95)
    K = 10.0 ** rng.uniform(-3, 1, size=(*lead, n))
    B = rng.dirichlet(np.ones(n), size=lead)
    return MatrixModel([f"p{i}" for i in range(n)], A=np.eye(n) - f, K=K, B=B)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_steady_state_balances_and_is_positive(seed, n):
    m = random_model(seed, n)
    X = m.steady_state(400.0, xi=0.7)
    assert np.all(X >= 0)
    np.testing.assert_allclose(m.derivative(X, 400.0, xi=0.7), 0, atol=1e-9 * 400)
    np.testing.assert_allclose(m.respiration(X, xi=0.7).sum(), 400.0, rtol=1e-10)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_carbon_is_conserved_at_any_state(seed, n):
    m = random_model(seed, n)
    X = np.random.default_rng(seed).uniform(0, 1e4, n)
    change = m.derivative(X, 300.0).sum()
    np.testing.assert_allclose(change, 300.0 - m.respiration(X).sum(), rtol=1e-9, atol=1e-7)


def test_sites_at_once_equal_sites_one_by_one():
    m = random_model(3, 4, lead=(5,))
    I = np.linspace(100, 900, 5)  # noqa: E741
    X = m.steady_state(I, xi=np.linspace(0.2, 1, 5)[:, None])
    for s in range(5):
        one = MatrixModel(m.pools, m.A[s], m.K[s], m.B[s])
        np.testing.assert_allclose(X[s], one.steady_state(I[s], xi=np.linspace(0.2, 1, 5)[s]))


def test_several_inputs():
    m = MatrixModel(POOLS, A, K, B=[[1, 0], [0, 1], [0, 0]])
    total = MatrixModel(POOLS, A, K, B)
    np.testing.assert_allclose(m.steady_state([70.0, 30.0]), total.steady_state(100.0))


def test_mixing_keeps_total_residence():
    V = np.array([[0.1, -0.2, 0], [-0.1, 0.2, 0], [0, 0, 0]])
    m = MatrixModel(POOLS, A, K, B, V=V)
    np.testing.assert_allclose(m.respiration(m.steady_state(10.0)).sum(), 10.0)


def test_replace_is_a_copy():
    m = MatrixModel(POOLS, A, K, B)
    faster = m.replace(K=np.multiply(2, K))
    np.testing.assert_allclose(faster.steady_state(1.0) * 2, m.steady_state(1.0))
    assert m.K[0] == 2.0


def test_carbon_may_need_many_steps_to_get_out():
    # A chain of six, of which the last alone respires: each pool holds I / k.
    k = np.array([3.0, 1.0, 0.3, 0.1, 0.03, 0.01])
    for order in (slice(None), slice(None, None, -1)):
        A = (np.eye(6) - np.eye(6, k=-1))[order][:, order]
        m = MatrixModel([f"p{i}" for i in range(6)], A, k[order], np.eye(6)[0][order])
        np.testing.assert_allclose(m.steady_state(60.0), 60.0 / k[order], rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"A": [[1, 0], [0, 1]]}, r"A must end in axes of length \(3, 3\).*3 pools: litter"),
        ({"A": [[1, 0, 0], [-0.7, 1, 0], [-0.5, 0, 1]]}, r"Column 0 of A sends out 1.2.*'litter'"),
        ({"A": -np.asarray(A)}, r"other sign convention"),
        ({"A": [[1, 0, 0], [0.3, 1, 0], [0, 0, 1]]}, r"transfer from 'litter' to 'fast'.*minus"),
        ({"K": [2.0, -0.2, 0.01]}, r"K of pool 'fast' is -0.2 per year"),
        ({"K": [2.0, np.nan, 0.01]}, r"K holds 1 value.*NaN"),
        ({"K": "fast"}, r"K must hold numbers only"),
        ({"B": [0.5, 0.5]}, r"B must have one entry"),
        ({"B": [0.5, -0.5, 0]}, r"B holds -0.5"),
        ({"B": 1.0}, r"B must have one entry"),
        ({"pools": "abc"}, r"pools is one string, 'abc'"),
        ({"pools": ()}, r"pools is empty"),
        ({"pools": ("a", "a", "b")}, r"pool names must differ.*'a'"),
        ({"V": np.eye(3)}, r"Column 0 of V \('litter'\) sums to 1"),
        ({"V": [[-1, 0, 0], [1, 0, 0], [0, 0, 0]]}, r"Try −V"),
    ],
)
def test_bad_models_get_a_sentence(change, sentence):
    good = {"pools": POOLS, "A": A, "K": K, "B": B}
    with pytest.raises(InputError, match=sentence):
        MatrixModel(**{**good, **change})


def test_bad_calls_get_a_sentence():
    m = MatrixModel(POOLS, A, K, B)
    with pytest.raises(InputError, match="xi must be at least 0"):
        m.steady_state(1.0, xi=-1)
    with pytest.raises(InputError, match="xi ends in an axis of length 2"):
        m.steady_state(1.0, xi=[1, 1])
    with pytest.raises(InputError, match="Did you mean 'litter'"):
        m.index("liter")
    with pytest.raises(InputError, match="not \\['k'\\]"):
        m.replace(k=1)
    with pytest.raises(InputError, match="slow can never leave"):
        m.replace(K=[2.0, 0.2, 0.0]).steady_state(1.0)
    trap = [[1, 0, 0], [0, 1, -1], [0, -1, 1]]
    with pytest.raises(InputError, match="fast, slow can never leave"):
        m.replace(A=trap).steady_state(1.0)
